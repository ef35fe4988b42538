/* Pages and redirects of a service. A body is kept once, with what is the same in each head around it; what is not (status,
 * length, whether it is a HEAD) is written for each answer. All of an answer is in one piece of memory, so that it goes out in
 * one write and, by TLS, in as few records as it can. */
#include "error_pages.h"

#include "reason.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct error_body {
	atomic_uint refs;
	uint16_t status; /* 0: of the error */
	uint32_t retry_s, len;
	char type[104];
	char text[];
};
struct error_pages {
	unsigned n;
	struct answer {
		uint16_t key, redirect;
		struct error_body *body; /* NULL: a redirect */
		char *to;
	} at[];
};

struct error_body *
error_body_new(const struct error_page *row)
{
	size_t len = strlen(row->body);
	struct error_body *b = mem_alloc(sizeof(*b) + len + 1);

	atomic_init(&b->refs, 1);
	b->status = row->status;
	b->retry_s = row->retry_after;
	b->len = (uint32_t)len;
	(void)snprintf(b->type, sizeof(b->type), "%s", row->content_type);
	memcpy(b->text, row->body, len);
	return b;
}

struct error_body *
error_body_ref(struct error_body *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void
error_body_unref(struct error_body *b)
{
	if (b != NULL && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
		free(b);
}

struct error_pages *
error_pages_new(
    const char *text, struct error_body *(*body)(void *arg, const char *name), void *arg)
{
	struct error_rule rule[ERROR_RULES_MAX];
	int n = error_rules_parse(text, rule, NULL);
	struct error_pages *p;

	if (n <= 0)
		return NULL;
	p = mem_alloc(sizeof(*p) + (size_t)n * sizeof(p->at[0]));
	for (int i = 0; i < n; i++) {
		struct answer *a = &p->at[p->n];

		a->key = rule[i].key;
		a->redirect = rule[i].redirect;
		a->to = mem_alloc(rule[i].to_len + 1u);
		memcpy(a->to, rule[i].to, rule[i].to_len);
		a->body = a->redirect != 0 ? NULL : body(arg, a->to);
		if (a->redirect != 0 || a->body != NULL)
			p->n++;
		else
			FREE(a->to);
	}
	return p;
}

bool
error_pages_same(const struct error_pages *a, const struct error_pages *b)
{
	if (a == NULL || b == NULL || a->n != b->n)
		return a == b;
	for (unsigned i = 0; i < a->n; i++)
		if (a->at[i].key != b->at[i].key || a->at[i].redirect != b->at[i].redirect ||
		    a->at[i].body != b->at[i].body || strcmp(a->at[i].to, b->at[i].to) != 0)
			return false;
	return true;
}

void
error_pages_free(struct error_pages *p)
{
	for (unsigned i = 0; p != NULL && i < p->n; i++) {
		error_body_unref(p->at[i].body);
		free(p->at[i].to);
	}
	free(p);
}

static const struct answer *
find(const struct error_pages *p, unsigned key)
{
	for (; key != 0; key = error_key_next((uint16_t)key))
		for (unsigned i = 0; i < p->n; i++)
			if (p->at[i].key == key)
				return &p->at[i];
	return NULL;
}

/* With a body, or with where to go. */
static size_t
write_head(const struct answer *a, unsigned status, char *out)
{
	const struct error_body *b = a->body;
	int n, room = 4096; /* texts of a row are shorter */

	n = snprintf(out, (size_t)room, "HTTP/1.1 %u %s\r\n", status, http_reason(status));
	if (b == NULL)
		n += snprintf(
		    out + n, (size_t)(room - n), "Location: %s\r\nContent-Length: 0\r\n", a->to);
	else
		n += snprintf(out + n, (size_t)(room - n),
		    "Content-Type: %s\r\nContent-Length: %u\r\n", b->type, b->len);
	if (b != NULL && b->retry_s > 0)
		n += snprintf(out + n, (size_t)(room - n), "Retry-After: %u\r\n", b->retry_s);
	n += snprintf(
	    out + n, (size_t)(room - n), "Cache-Control: no-store\r\nConnection: close\r\n\r\n");
	must(n > 0 && n < room);
	return (size_t)n;
}

size_t
error_pages_answer(const struct error_pages *p, unsigned key, unsigned status, bool head, char *out,
    unsigned *status_out)
{
	const struct answer *a = p == NULL ? NULL : find(p, key);
	size_t n;

	if (a == NULL)
		return 0;
	if (a->redirect != 0)
		status = a->redirect;
	else if (a->body->status != 0)
		status = a->body->status;
	n = write_head(a, status, out);
	if (!head && a->body != NULL) {
		must(n + a->body->len <= ERROR_ANSWER_MAX);
		memcpy(out + n, a->body->text, a->body->len);
		n += a->body->len;
	}
	*status_out = status;
	return n;
}
