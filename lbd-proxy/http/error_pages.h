/* error_pages.h - what a service answers with instead of the words of http_error.c: pages and redirects, by status. The
 * bodies are shared by all services that have them, and never change; one answer is one copy into the caller's room. */
#ifndef LBD_PROXY_ERROR_PAGES_H
#define LBD_PROXY_ERROR_PAGES_H

#include "schema/error_rules.h"
#include "schema/schema.h"

/* A page that is ready to be sent. Any thread may take and give back references. */
struct error_body;
struct error_body *error_body_new(const struct error_page *row);
struct error_body *error_body_ref(struct error_body *b);
void error_body_unref(struct error_body *b); /* NULL is fine */

struct error_pages;
/* error_pages_new - of field error_pages, which the commit has checked. body: the page of a name, whose reference is taken over;
 * NULL leaves the answer as it is without a page. NULL: the text is empty. */
struct error_pages *error_pages_new(
    const char *text, struct error_body *(*body)(void *arg, const char *name), void *arg);
bool error_pages_same(
    const struct error_pages *a, const struct error_pages *b); /* either may be NULL */
void error_pages_free(struct error_pages *p);

/* error_pages_answer - a whole answer with Content-Length and Connection: close.
 * key:        of error_rules.h; its answer, or the nearest that there is.
 * status:     when the page has none of its own.
 * head:       the request was HEAD: no body.
 * out:        ERROR_ANSWER_MAX bytes.
 * status_out: what is sent; untouched when nothing is.
 * Returns:    its length; 0: there is nothing for it. */
#define ERROR_ANSWER_MAX (64 * 1024)
size_t error_pages_answer(const struct error_pages *p, unsigned key, unsigned status, bool head,
    char *out, unsigned *status_out);

#endif
