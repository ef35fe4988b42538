/* persist.h - which server a client belongs to, and remembering it. */
#ifndef LBD_PROXY_PERSIST_H
#define LBD_PROXY_PERSIST_H

#include "net/conn.h"
#include "http/cookie_date.h"
#include "http/http_msg.h"
#include "stick.h"

/* What one request or connection says; made when it comes, used when its answer comes. */
struct persist {
	bool ignored;	  /* its address has no persistence */
	bool forced;	  /* its server counts as fit */
	bool keyed;	  /* key is remembered with the answer */
	bool sourced;	  /* so is the client's address */
	bool said;	  /* our cookie named the server */
	uint8_t age;	  /* enum cookie_age of our cookie with dates */
	uint32_t first_s; /* that it came first; 0: no date was there */
	struct stick_key key;
};

/* persist_by_head - id of the server that the client of a request belongs to, by its head at buf; 0 unknown.
 * persist_by_conn - the same without a request. first: the n bytes with which it began, where they were waited for. */
uint32_t persist_by_head(struct persist *p, const struct wsvc *s, const struct conn *client,
    const char *buf, const struct h1_head *h);
uint32_t persist_by_conn(struct persist *p, const struct wsvc *s, const struct conn *client,
    const uint8_t *first, size_t n);
/* persist_reads - the first bytes of a connection say who it is. */
static inline bool
persist_reads(const struct view *v)
{
	return v->persistence == persistence_rdp_cookie || v->persistence == persistence_sip;
}

/* persist_keep_head - an answer came from srv, its head at buf: the client belongs there from now on.
 * persist_keep_conn - it took the connection. */
void persist_keep_head(const struct persist *p, const struct wsvc *s, const struct conn *client,
    const struct srv *srv, const char *buf, const struct h1_head *answer);
void persist_keep_conn(const struct persist *p, const struct wsvc *s, const struct conn *client,
    const struct srv *srv);

/* persist_request - what becomes of the cookie on its way to the server. */
static inline void
persist_request(const struct view *v, struct http_request_policy *out)
{
	if (!v->sticky.cookies || v->persistence == persistence_rewrite ||
	    v->sticky.server == cookie_server_shown)
		return;
	out->cookie = v->cookie;
	out->cookie_len = v->cookie_len;
	out->cookie_prefix = v->persistence == persistence_prefix;
}
/* persist_answer - what becomes of it on the way back: fills the cookie's part of out, with line (STICKY_LINE_MAX bytes) for
 * what is inserted; known: as persist_by_head said. story: the two letters of access logs. Only where sticky.cookies. */
void persist_answer(const struct persist *p, const struct wsvc *s, const struct srv *srv,
    uint32_t known, const char *buf, const struct h1_head *answer, struct http_answer_policy *out,
    char *line, char story[2]);

/* persist_source_key - of an address, as far as it counts. */
void persist_source_key(const struct view *v, const struct addr *a, struct stick_key *out);
/* persist_find - the server's own id in a view, of what an entry or token calls it; 0 none. */
uint32_t persist_find(const struct view *v, uint32_t who);

#endif
