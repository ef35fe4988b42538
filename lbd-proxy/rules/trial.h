/* trial.h - what the content rules of a service would do with a request or a connection that is not there: by the decision that
 * traffic meets (decide.h), with the lists and the counts of now. Nothing is sent, and nothing is counted. */
#ifndef LBD_PROXY_TRIAL_H
#define LBD_PROXY_TRIAL_H

#include "base/addr.h"
#include "base/err.h"
#include "base/mono.h"

#include <stddef.h>
#include <stdint.h>

struct view;
struct trial {
	const char *method,
	    *url;	     /* "" is GET, and a slash; the URL may be whole: https://host/path */
	const char *headers; /* field lines with CRLF; "" none */
	const char *sni, *alpn; /* "" none; alpn: with commas */
	const void *body;	/* the beginning of it */
	size_t body_len;	/* 0: none */
	struct addr client;
	uint16_t port; /* that the client comes to */
};

/* trial_run - say: for each rule that holds, in order, its id, its action and what that does; then with rule 0 what comes of it:
 * action, pool, status, location, target, header (a line that is added), cut (a field line that is taken out), rate, rate_down,
 * priority, note. Texts are borrowed. 0, or ERR_INVALID: what is asked about is no request; then say may not have been called.
 * Rules for answers of mode http: those with replace_body that look at the request alone. Control thread. */
typedef void (*trial_say_fn)(
    void *arg, uint32_t rule, const char *what, const char *text, size_t len);
int trial_run(const struct view *v, const struct trial *t, mono_t now, trial_say_fn say, void *arg,
    struct err *err);

#endif
