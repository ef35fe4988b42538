/* http_look.h - what a service asks of a request before it goes on its way: paths in normal form, names of fields, maintenance,
 * a body that is here. Of services that ask for nothing of it, no request comes here. */
#ifndef LBD_PROXY_HTTP_LOOK_H
#define LBD_PROXY_HTTP_LOOK_H

#include "h1_parse.h"

struct http;

/* What is taken out of a request's head: bits of http_request_policy.cut. */
enum { CUT_NAMES = 1, CUT_CODINGS = 2, CUT_EXPECT = 4 };

/* http_look - the head is complete, in the first of len bytes at buf, which is memory of the worker: the path may be changed in
 * place. false: it was answered, or the rest is waited for. */
bool http_look(struct http *h, char *buf, size_t len);
/* http_look_more - more of a request whose body is waited for: from its first byte on, as before. */
void http_look_more(struct http *h, const char *buf, size_t len);

/* http_look_cuts - whether a field line goes; pure. */
bool http_look_cuts(unsigned cut, const char *buf, const struct h1_header *f);
/* http_look_path - the path of h in normal form, in place; false: it has none. *same_out: nothing had to be changed. Pure. */
bool http_look_path(struct h1_head *h, char *buf, bool *same_out);

#endif
