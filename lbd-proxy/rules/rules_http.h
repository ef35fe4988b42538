/* rules_http.h - content rules on a request and on its answer. */
#ifndef LBD_PROXY_RULES_HTTP_H
#define LBD_PROXY_RULES_HTTP_H

#include "rules.h"

struct http;
/* rules_request - of a service with rules; the request's head is at buf, with what came behind it, and its seat is made. True: it goes on, to the service
 * of the seat, with w->rules->edits if h->edited. False: it is answered, or over. */
bool rules_request(struct http *h, const char *buf, size_t len);
/* rules_wants_body - rules look at the body, and more of it may come: call again with more. */
bool rules_wants_body(const struct http *h, const char *buf, size_t len);
/* rules_answer - of a stream whose rules look at answers: what changes in the answer's head at buf, until the worker's next head;
 * NULL: nothing. w->rules->replace is what changes in its body. */
const struct http_edits *rules_answer(struct http *h, const char *buf);

#endif
