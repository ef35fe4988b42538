/* Conditions and templates of content rules: any text is taken or refused with a reason, and what is taken ends, whatever is compared. Input: the condition, a line
 * end, and what every field is. */
#include "schema/rule_text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct subject {
	const char *p;
	size_t n;
	struct addr addr;
};

static bool
get(void *arg, unsigned source, const char *name, unsigned name_len, unsigned nth,
    struct when_found *out)
{
	struct subject *s = arg;

	(void)name, (void)name_len;
	if (nth > (when_rows[source].argument != NULL ? 1 : 0))
		return false;
	out->text = s->p;
	out->len = (uint32_t)s->n;
	out->number = s->n;
	out->addr = &s->addr;
	return true;
}

static void
run(const char *text, unsigned where, struct subject *s, struct pattern_match *m)
{
	struct arena *a = arena_new(4096);
	struct when_groups g = { 0 };
	struct rule_text t;
	struct when w;
	struct err err = { 0 };
	char out[4096];

	if (when_parse(text, where, false, a, &w, &err) == 0) {
		for (unsigned i = 0; i < w.n; i++)
			if ((w.term[i].yes >= w.n && w.term[i].yes < WHEN_FALSE) ||
			    (w.term[i].no >= w.n && w.term[i].no < WHEN_FALSE) ||
			    w.term[i].yes <= i || w.term[i].no <= i)
				abort(); /* it would not end */
		(void)when_test(&w, get, s, m, &g);
		when_fini(&w);
	} else if (err.text[0] == '\0') {
		abort();
	}
	if (rule_text_parse(text, where, PATTERN_GROUPS, a, &t, &err) == 0) {
		long n = rule_text_write(&t, get, s, &g, out, sizeof(out));

		for (long i = 0; i < n; i++)
			if ((unsigned char)out[i] < ' ')
				abort();
	} else if (err.text[0] == '\0') {
		abort();
	}
	arena_unref(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pattern_match *m;
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t n = end == NULL ? size : (size_t)(end - data);
	struct subject s = { .addr = { .family = 4, .len = 32, .b = { 10, 0, 0, 1 } } };
	char *text;

	if (n > 2000 || size > 8192 || memchr(data, '\0', n) != NULL)
		return 0;
	if (m == NULL)
		m = pattern_match_new();
	text = strndup((const char *)data, n);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' '; /* as a field of the configuration */
	s.p = end == NULL ? "" : (const char *)end + 1;
	s.n = end == NULL ? 0 : size - n - 1;
	run(text, W_REQUEST, &s, m);
	run(text, W_REQUEST | W_ANSWER, &s, m);
	run(text, W_TCP, &s, m);
	free(text);
	return 0;
}
