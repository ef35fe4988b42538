/* accept.h - which content coding a client takes: Accept-Encoding (RFC 9110 section 12.5.3). Pure. */
#ifndef LBD_PROXY_ACCEPT_H
#define LBD_PROXY_ACCEPT_H

#include "http/h1_parse.h"

enum coding { CODING_NONE, CODING_GZIP, CODING_BR };

/* accept_choose - the coding that a request prefers among ours: the highest weight, br before gzip where both weigh the same;
 * none when the client wants plain bytes more, or sends no such field. A field that cannot be read asks for nothing. */
enum coding accept_choose(const struct h1_head *h, const char *buf);

/* accept_read - one field value into weights, in thousandths; what is not named stays as it is (ACCEPT_UNSAID at first). -1: it
 * cannot be read. */
#define ACCEPT_UNSAID (-1)
struct accept {
	int br, gzip, plain, any;
};
int accept_read(const char *value, size_t len, struct accept *a);

bool accept_is_field(const char *name, size_t len);

#endif
