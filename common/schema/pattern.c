/* Adapter of PCRE2. Patterns come from who may write the configuration, but what they are matched with comes from anybody, so a
 * match has a limit of steps and of memory; one that reaches it is no match. UTF-8 mode cannot be switched on from within a
 * pattern: it would refuse bytes that are not UTF-8, and so let a client choose that a rule does not hold. */
#include "schema/pattern.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define OPTIONS (PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY)
#define DEPTH 1000   /* nested steps */
#define HEAP_KB 1024 /* memory of one match */
#define STACK_KB 32  /* that compiled patterns begin with, and may have at most */
#define STACK_MOST_KB 256

struct pattern {
	pcre2_code *code;
	uint32_t groups;
};
struct pattern_match {
	pcre2_match_data *data;
	pcre2_match_context *limits;
	pcre2_jit_stack *stack;
	int n; /* groups of the last match */
};

struct pattern *
pattern_new(const char *text, size_t len, bool fast, struct err *err)
{
	struct pattern *p;
	pcre2_code *code;
	PCRE2_UCHAR why[160];
	PCRE2_SIZE at;
	int rc;

	code = pcre2_compile((PCRE2_SPTR)text, len, OPTIONS, &rc, &at, NULL);
	if (code == NULL) {
		if (pcre2_get_error_message(rc, why, sizeof(why)) < 0)
			why[0] = '\0';
		(void)err_set(err, ERR_INVALID,
		    "\"%.200s\" is no regular expression: at offset %zu: %s", text, (size_t)at,
		    (const char *)why);
		return NULL;
	}
	if (fast) /* without it, it is interpreted */
		(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	p = mem_alloc(sizeof(*p));
	p->code = code;
	(void)pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &p->groups);
	return p;
}

void
pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	pcre2_code_free(p->code);
	free(p);
}

unsigned
pattern_groups(const struct pattern *p)
{
	return p->groups;
}

struct pattern_match *
pattern_match_new(void)
{
	struct pattern_match *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	m->limits = pcre2_match_context_create(NULL);
	m->stack = pcre2_jit_stack_create(STACK_KB * 1024, STACK_MOST_KB * 1024, NULL);
	if (m->data == NULL || m->limits == NULL) {
		pattern_match_free(m);
		return NULL;
	}
	if (m->stack != NULL)
		pcre2_jit_stack_assign(m->limits, NULL, m->stack);
	(void)pcre2_set_match_limit(m->limits, PATTERN_STEPS);
	(void)pcre2_set_depth_limit(m->limits, DEPTH);
	(void)pcre2_set_heap_limit(m->limits, HEAP_KB);
	return m;
}

void
pattern_match_free(struct pattern_match *m)
{
	if (m == NULL)
		return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->limits);
	pcre2_jit_stack_free(m->stack);
	free(m);
}

bool
pattern_find(
    const struct pattern *p, struct pattern_match *m, const char *s, size_t len, size_t from)
{
	m->n = pcre2_match(p->code, (PCRE2_SPTR)s, len, from, 0, m->data, m->limits);
	if (m->n == 0) /* it has more groups than we count */
		m->n = PATTERN_GROUPS;
	return m->n > 0;
}

bool
pattern_group(const struct pattern_match *m, unsigned i, size_t *off_out, size_t *len_out)
{
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m->data);

	if (m->n <= 0 || i >= (unsigned)m->n || v[2 * i] == PCRE2_UNSET || v[2 * i + 1] < v[2 * i])
		return false;
	*off_out = v[2 * i];
	*len_out = v[2 * i + 1] - v[2 * i];
	return true;
}
