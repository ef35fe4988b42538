/* rule_when.h - conditions of content rules: "path under /api and not (src in 10.0.0.0/8 or method is GET)". Read here for the
 * check of a commit and for lbd-proxy alike; tested by rule_test.c.
 *
 *   condition: terms joined by and, or, not and parentheses; not binds closest, then and, then or
 *   term:      FIELD OPERATOR VALUE[,VALUE...]  or  FIELD exists
 *   FIELD:     a row of rule_words.def, some with a name in parentheses: header(X-Key)
 *   OPERATOR:  is in starts ends contains matches under < > <= >=; exists
 *   VALUE:     @LIST behind is or in: what the list has, by its kind; else
 *              bytes without space, comma, quotes and parentheses; or between single quotes, as they are; or between double
 *              quotes, where \" is a quote and \\ a backslash and any other backslash stands for itself
 *
 * To add a field: a row in rule_words.def, and a case where lbd-proxy finds its value (lbd-proxy/rules/subject.c). To add a
 * kind of operand, as a list by name: a row in kinds[] of rule_value.c with what reads it, and its test in rule_test.c. */
#ifndef SCHEMA_RULE_WHEN_H
#define SCHEMA_RULE_WHEN_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/err.h"
#include "schema/pattern.h"
#include "schema/rule_meter.h"

#include <stdbool.h>
#include <stdint.h>

#define WHEN_TERMS_MAX 256 /* of one condition */
#define WHEN_DEPTH_MAX 32  /* parentheses within parentheses */
#define WHEN_BODY 4096	   /* bytes of a body that a condition sees */

#define SOURCE(id, name, type, argument, where, help) WHEN_##id,
enum when_source {
#include "schema/rule_words.def"
	WHEN_SOURCES
};
#undef SOURCE
enum when_type { WHEN_TEXT, WHEN_NOCASE, WHEN_ADDR, WHEN_NUMBER, WHEN_WORD };
/* Where a rule is: its mode, and what it is looked at for. Of a source: where it can be used. */
enum { W_REQUEST = 1, W_ANSWER = 2, W_TCP = 4 };
#define W_VALUE 8 /* of templates: the condition looks a list up, so {value} may be there */
struct when_row {
	const char *name, *argument, *help;
	const char *words; /* WHEN_WORD: "a|b" */
	uint8_t type, where;
};
extern const struct when_row when_rows[WHEN_SOURCES];

enum when_op {
	WHEN_IS, /* or in */
	WHEN_STARTS,
	WHEN_ENDS,
	WHEN_CONTAINS,
	WHEN_MATCHES,
	WHEN_UNDER,
	WHEN_EXISTS,
	WHEN_LESS,
	WHEN_MORE,
	WHEN_AT_MOST,
	WHEN_AT_LEAST,
	WHEN_OPS
};

struct when_found;
/* What a value is, by the type of the field and the operator: text, or one of the others. */
struct when_value {
	const char *text; /* as it was written, without quotes; ends with NUL */
	uint32_t len;
	struct addr net;	 /* WHEN_ADDR: a host is a network of one */
	uint64_t number;	 /* WHEN_NUMBER, and of the operators < > <= >= */
	struct pattern *pattern; /* matches */
	const char *list;	 /* @LIST: its name; NULL: it is none */
	/* What it has, and whether something is in it, with what stands behind the entry; set by who looks rules at. NULL: nothing
	 * is. */
	const void *set;
	bool (*has)(const void *set, unsigned type, const struct when_found *f, const char **value,
	    uint32_t *len);
};

/* Where evaluation goes on after a term: the index of another, or one of these. */
#define WHEN_TRUE 0xffff
#define WHEN_FALSE 0xfffe
struct when_term {
	uint8_t source, op; /* enum when_source, enum when_op */
	uint16_t yes, no;
	uint16_t n; /* values */
	uint16_t name_len;
	const char *name;	  /* in parentheses: of a header, cookie, parameter; NULL */
	struct when_meter *meter; /* of rate and conns; NULL: it is another source */
	struct when_value *value;
};
struct when {
	uint16_t n; /* terms; 0: always */
	bool patterns;
	uint32_t uses; /* a bit for each source */
	struct when_term *term;
};

/* when_parse - text as a program in an arena. where: W_... of the rule; W_ANSWER alone sees the request too. fast: patterns as machine
 * code. Returns 0, or ERR_INVALID with the column, what was read, what would do, and the nearest word; err may be NULL. After 0,
 * when_fini. Nothing of text is borrowed. */
int when_parse(const char *text, unsigned where, bool fast, struct arena *a, struct when *out,
    struct err *err);
void when_fini(struct when *w); /* zeroed memory is fine */

/* Groups of the last pattern that matched: {1} to {9} of templates. Borrowed from what was compared. */
struct when_groups {
	unsigned n;
	struct when_group {
		const char *p; /* NULL: took no part */
		uint32_t len;
	} of[PATTERN_GROUPS], value; /* value: behind the last entry of a list that was found */
};
/* What a source is now, for the nth time (header fields may come again). */
struct when_found {
	const char *text; /* WHEN_TEXT, WHEN_NOCASE, WHEN_WORD */
	uint32_t len;
	uint64_t number;
	const struct addr *addr;
};
/* False: there is none (of that number). name: of rate and conns it is the struct when_meter. */
typedef bool (*when_get_fn)(void *arg, unsigned source, const char *name, unsigned name_len,
    unsigned nth, struct when_found *out);

/* when_fits - whether a text fits one value of a term: of a source that is text, and an operator that compares text; no pattern, no
 * list. */
bool when_fits(
    const struct when_term *t, const struct when_value *v, const char *text, uint32_t len);
/* when_test - whether the condition holds. Neither allocates nor recurses. m: of this thread; needed with w->patterns. groups:
 * set when a pattern matched on the way; may be NULL. */
bool when_test(const struct when *w, when_get_fn get, void *arg, struct pattern_match *m,
    struct when_groups *groups);

#endif
