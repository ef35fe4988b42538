/* cert_save.h - a certificate with its key, as the API and the panel take it: the key goes to lbd-proxy first, then the chain into
 * the configuration, so that a commit names a key that is there. */
#ifndef CERT_SAVE_H
#define CERT_SAVE_H

#include "web.h"

#include "store/x509.h"

struct cert_saving {
	struct call *c;
	struct commit_how how;
	char name[64]; /* of the row */
	struct x509_import
	    got; /* chain empty: its row waits for the answer of an authority; key NULL: lbd-proxy must have it */
	/* Called once, with an answer to give: err, or r when rc is 0. Frees what it needs no more. The call is freed behind it. */
	void (*done)(struct cert_saving *s, int rc, const struct err *err, struct commit_result *r,
	    bool created);
	bool found; /* lbd-proxy has the key */
};

/* cert_check_name - before a key is kept for it. */
int cert_check_name(const char *name, struct err *err);
/* cert_save - 0: done follows; ERR_AWAY: lbd-proxy does not run, and done is not called. */
int cert_save(struct cert_saving *s, struct err *err);

#endif
