/* probe.h - one probe of one server: a connection, a dialogue, a result. The kinds are rows in probe.c. */
#ifndef CHECK_PROBE_H
#define CHECK_PROBE_H

#include "verdict.h"

#include "sys/loop.h"

#include <sys/types.h>

#define PROBE_DATA_MAX 1024 /* bytes shown in one step */

struct probing;

/* What happens during a probe, for people. data is borrowed, at most PROBE_DATA_MAX bytes; NULL: none. */
struct probe_step {
	dur_t at; /* since the probe began */
	const char *text;
	const void *data;
	size_t len;
	bool sent; /* data went to the server, else it came from there */
};
typedef void (*probe_step_fn)(void *arg, const struct probe_step *step);
typedef void (*probe_done_fn)(void *arg, const struct result *r);

/* All pointers are borrowed and must outlive the probe. */
struct probe_ask {
	struct loop *loop;
	const struct check *check;
	struct addr addr;
	uint16_t port;
	uint8_t server_tls;   /* enum server_tls: kinds that ask something do so by TLS */
	const char *ca;	      /* PEM of server_tls verify; "": the system's */
	const char *tls_name; /* that the server is called */
	uint8_t proxy_to;     /* enum proxy_to: the server wants a PROXY header first */
	const char *name;     /* of the server as it was written: address or DNS name */
	probe_done_fn done;
	probe_step_fn step; /* NULL: nobody looks */
	void *arg;
};

/* A kind of probe. state is `size` zeroed bytes. step is called when the connection stands (ready LOOP_WRITE), and
 * whenever what it asked for with probe_want is ready; it ends the probe with probe_end. */
struct probe_kind {
	const char *name; /* word of enum probe */
	bool talks; /* says and hears something, by TLS when the server wants that, at any port */
	size_t size;
	void (*init)(struct probing *p, void *state);
	void (*step)(struct probing *p, void *state, unsigned ready);
	void (*fini)(void *state);
};
extern const struct probe_kind probe_kind_tcp, probe_kind_http;

/* probe_start - begin. done is called once, from the loop and never from in here; then, or at any time before, the
 * owner calls probe_free. NULL: it ended at once, and out says how. The timeout is the owner's to keep: probe_late. */
struct probing *probe_start(const struct probe_ask *ask, struct result *out);
void probe_free(struct probing *p); /* NULL is fine; done is not called any more */
/* probe_late - the deadline has passed: ends it with the reason that fits. */
void probe_late(struct probing *p);

/* For the kinds. */
const struct probe_ask *probe_asked(const struct probing *p);
/* As recv and send, by TLS where the server is spoken to so. */
ssize_t probe_recv(struct probing *p, void *to, size_t n);
ssize_t probe_send(struct probing *p, const void *from, size_t n);
void probe_want(struct probing *p, unsigned want);
/* The first call counts; later ones are passed over. */
void probe_end(struct probing *p, int reason, unsigned detail);
/* probe_end_errno - a system call on the connection failed with this errno. */
void probe_end_errno(struct probing *p, int error);
bool probe_watched(const struct probing *p); /* whether steps are looked at */
void probe_say(struct probing *p, const void *data, size_t len, bool sent, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
