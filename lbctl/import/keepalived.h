/* keepalived.h - keepalived.conf while it is read; for keepalived*.c only. */
#ifndef LBCTL_IMPORT_KEEPALIVED_H
#define LBCTL_IMPORT_KEEPALIVED_H

#include "import/import.h"

/* One statement: words, and whether a block begins behind them. */
struct ka_line {
	struct place at;
	unsigned n;
	const char *word[IMPORT_WORDS_MAX];
	const char *what; /* as it stands there, for the report */
	bool opens;
};
struct ka_events {
	int (*line)(void *arg, const struct ka_line *l, struct err *err);
	int (*close)(void *arg, struct place at, struct err *err);
	void *arg;
};
/* ka_lex - a text as statements and ends of blocks: comments (! and #), quotes, braces anywhere, a brace on the next
 * line. ERR_INVALID: a brace too many, one that is missing, too many words, blocks or lines. */
int ka_lex(struct import *im, const char *file, const char *text, size_t len,
    const struct ka_events *ev, struct err *err);

/* What may be said for a service, a server and a check, the inner one counting; -1 or NULL: not said. Milliseconds. */
struct ka_params {
	int64_t interval, timeout, before_retry;
	int retry, alpha, inhibit;
	const char *host;
	struct place inhibit_at;
	const char *inhibit_what;
};
/* A check of a server while it is read. */
struct ka_check {
	struct ka_check *next;
	struct place at;
	const char *word, *what; /* "HTTP_GET" */
	struct ka_params own;
	struct import_row row;
	bool url_seen, no_match;
	const char *regex;
	struct place regex_at;
	const char *regex_what;
};
/* A virtual server while it is read. */
struct ka_service {
	struct import_service *s;
	struct ka_params own;
	bool persists, engine; /* a timeout, and an engine, were said */
};
/* ka_service_line - a statement of a virtual server that opens no block. */
void ka_service_line(struct import *im, struct ka_service *v, const struct ka_line *l);
/* ka_place - "ADDRESS [PORT]" from word i on. */
bool ka_place(const struct ka_line *l, unsigned i, struct addr *a, uint16_t *port);
/* ka_method - "NAT", "DR", "TUN [type gue port N] [csum]" from word 1 on. */
bool ka_method(const struct ka_line *l, uint8_t *forward, struct import_tunnel *t);
/* ka_why_not - why a statement of that name is not taken, and what to do. */
const char *ka_why_not(const char *word);
void ka_params_init(struct ka_params *p);
/* ka_param - whether the statement is one of those above; it is taken then, and said. */
bool ka_param(struct import *im, const struct ka_line *l, struct ka_params *p);
/* ka_check_line - a statement within a check or its url block. */
void ka_check_line(
    struct import *im, struct ka_check *c, const struct ka_line *l, const struct addr *server);
/* ka_check_finish - the checks of a server (NULL: none) as one of ours. */
struct import_check *ka_check_finish(struct import *im, struct ka_check *checks,
    const struct ka_params *service, const struct ka_params *server, struct place at);

#endif
