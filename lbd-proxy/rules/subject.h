/* subject.h - what conditions and templates of content rules are about: one request, its answer, or one connection. */
#ifndef LBD_PROXY_SUBJECT_H
#define LBD_PROXY_SUBJECT_H

#include "schema/rule_when.h"

#include "http/h1_parse.h"
#include "net/conn.h"

struct hello;
struct metering;
/* What a connection would have said, of one that is not there (trial.c). */
struct subject_said {
	bool tls;
	const char *sni; /* NULL: it names no host */
	uint32_t sni_len;
};
struct target {
	const char *url; /* path and query */
	uint32_t len, path_len;
};
struct subject {
	struct conn *c; /* of the client */
	/* mode http: the request's head, at buf; NULL otherwise */
	const char *buf;
	const struct h1_head *head;
	/* path and query as they are now: rules that rewrite come before rules that look */
	const char *url;
	uint32_t url_len, path_len;
	struct target asked; /* as the client wrote them */
	const char *body;    /* what is there of it */
	uint32_t body_len;
	/* the answer's head; NULL: there is none yet */
	const char *answer_buf;
	const struct h1_head *answer;
	const struct conn *server; /* who answers; NULL: no server */
	/* mode tcp: the beginning of TLS; NULL: there is none */
	const struct hello *hello;
	const struct metering *meters;	 /* what is counted of it; NULL: nothing */
	const struct subject_said *said; /* NULL: c has it */
};

void subject_request(
    struct subject *s, struct conn *c, const char *buf, const struct h1_head *head);
/* subject_url - another path and query, borrowed. */
void subject_url(struct subject *s, const char *url, uint32_t len);
/* subject_get - a when_get_fn; arg is a struct subject. */
bool subject_get(void *arg, unsigned source, const char *name, unsigned name_len, unsigned nth,
    struct when_found *out);

#endif
