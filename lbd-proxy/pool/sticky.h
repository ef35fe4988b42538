/* sticky.h - what a view says of persistence beyond its kind, compiled once. */
#ifndef LBD_PROXY_STICKY_H
#define LBD_PROXY_STICKY_H

#include <stdbool.h>
#include <stdint.h>

#include "schema/schema.h"

#define STICKY_KEY_MAX 64   /* as schema/service.def says of persist_key */
#define STICKY_HEAD_MAX 80  /* "Set-Cookie: NAME=" */
#define STICKY_TAIL_MAX 230 /* attributes of at most 200 bytes, and Cache-Control */
#define STICKY_LINE_MAX (STICKY_HEAD_MAX + 40 + STICKY_TAIL_MAX)
#define STICKY_NOBODY UINT32_MAX /* a server that no entry and no cookie means */

struct sticky {
	uint32_t table;		 /* id of the service whose entries and tokens count */
	uint32_t idle_s, life_s; /* of our cookie; 0 for ever */
	bool cookies;		 /* kinds by a cookie of ours: cookie, rewrite, prefix */
	bool apart;		 /* some clients are forced or ignored */
	bool or_source;
	uint8_t mask4, mask6; /* leading bits of an address that count */
	uint8_t server;	      /* enum cookie_server */
	uint8_t key_len, head_len, tail_len;
	char key[STICKY_KEY_MAX + 1];
	char head[STICKY_HEAD_MAX], tail[STICKY_TAIL_MAX];
};

/* sticky_compile - of a service; out is zeroed. Its table is its own. head and tail stand around the value of our cookie in
 * the field lines that give it to a client: Set-Cookie, and Cache-Control: private so that no shared cache hands it to
 * others. */
void sticky_compile(struct sticky *out, const struct service *s);
/* sticky_uses_tokens - whether a token names a server in this kind of persistence: a cookie's, or that of a route. */
bool sticky_uses_tokens(unsigned persistence);
/* sticky_route - the token of a route. */
uint64_t sticky_route(const char *route, size_t len);

#endif
