/* Every row of every .def file, whatever rows there are: its texts, its default, its limits, and the way of its
 * values through all forms. A new field needs no line here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/doc.h"
#include "schema/json.h"
#include "schema/value.h"
#include "schema/yaml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH_FIELD(o, f)                                                 \
	for (const struct object *o = objects; o < objects + KINDS; o++) \
		for (const struct field *f = o->f; f < o->f + o->n; f++)

static uint32_t
name_to_id(void *arg, unsigned kind, const char *name)
{
	(void)arg, (void)kind;
	return name[0] == 'n' ? (uint32_t)strtoul(name + 1, NULL, 10) : 0;
}

static const char *
id_to_name(void *arg, unsigned kind, uint32_t id)
{
	static char text[16];

	(void)arg, (void)kind;
	(void)snprintf(text, sizeof(text), "n%u", id);
	return text;
}

static const struct names names = { .id = name_to_id, .name = id_to_name };

static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(65536);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_unref(arena);
	return 0;
}

static bool
is_quantity(const struct field *f)
{
	return f->type >= VT_U16 && f->type <= VT_PCT;
}

static bool
is_length(const struct field *f)
{
	return f->type == VT_NAME || f->type == VT_TEXT || f->type == VT_TCHAR ||
	       f->type == VT_LINES;
}

/* Where its row stands in objects.def. */
static unsigned
place(unsigned kind)
{
	unsigned at = 0;

	while (at < KINDS && object_order[at] != kind)
		at++;
	assert_true(at < KINDS);
	return at;
}

static void
test_rows_texts(void **state)
{
	(void)state;
	for (const struct object *o = objects; o < objects + KINDS; o++) {
		assert_int_equal(o->kind, o - objects + 1);
		assert_ptr_equal(object_of(o->kind), o);
		assert_ptr_equal(object_find(o->name), o);
		assert_int_equal(o->help[strlen(o->help) - 1], '.');
		assert_true(o->n > 0 && o->n <= FIELDS_MAX);
		assert_true((o->f[0].flags & F_KEY) != 0);
		assert_int_equal(
		    o->f[o->parent_ref].flags & F_PARENT, (o->flags & O_CHILD) != 0 ? F_PARENT : 0);
		if ((o->flags & O_CHILD) != 0)
			assert_int_equal(o->f[o->parent_ref].ref, o->parent);
		if ((o->flags & O_SINGLE) != 0)
			assert_string_equal(o->f[0].def, "main");
	}
	EACH_FIELD(o, f)
	{
		assert_true(f->label[0] != '\0' && f->help[0] != '\0');
		assert_int_equal(f->help[strlen(f->help) - 1], '.');
		assert_true(f->min <= f->max);
		assert_true(f == o->f || f->tag > f[-1].tag);
		assert_true(f->since >= 1);
		/* A column that is added needs a default; the first field is as old as its table. */
		assert_true(f->since == o->f[0].since || f->def != NULL);
		assert_true(f->def != NULL || (f->flags & (F_REQUIRED | F_KEY)) != 0);
		assert_ptr_equal(field_find(o, f->name), f);
		assert_ptr_equal(field_by_tag(o, f->tag), f);
		assert_true(f->offset < o->size);
		assert_true(f->type != VT_ENUM || f->words->n > 0);
		assert_true(f->type != VT_REF || place(f->ref) < place(o->kind));
		for (const struct field *g = o->f; g < f; g++)
			assert_string_not_equal(g->name, f->name);
	}
}

static void
test_rows_words(void **state)
{
	(void)state;
	EACH_FIELD(o, f)
	for (unsigned i = 0; f->type == VT_ENUM && i < f->words->n; i++) {
		const struct word *w = &f->words->w[i];

		assert_int_equal(w->help[strlen(w->help) - 1], '.');
		assert_string_equal(word_text(f->words, w->number), w->text);
		assert_true(w->number >= 0 && w->number <= UINT8_MAX);
	}
}

static void
test_rows_names_differ(void **state)
{
	(void)state;
	/* No word may mean two objects. */
	for (const struct object *o = objects; o < objects + KINDS; o++) {
		char list[200], *word, *rest;

		(void)snprintf(list, sizeof(list), "%s,%s,%s", o->name, o->plural, o->aliases);
		for (word = strtok_r(list, ",", &rest); word != NULL;
		     word = strtok_r(NULL, ",", &rest))
			assert_ptr_equal(object_find(word), o);
	}
}

static void
test_rows_default(void **state)
{
	struct err err;
	struct cell c;

	(void)state;
	EACH_FIELD(o, f)
	{
		if (f->def == NULL || ((f->flags & F_KEY) != 0 && f->def[0] == '\0'))
			continue;
		if (value_parse(f, f->def, NULL, arena, &c, &err) != 0)
			fail_msg("%s: %s", o->name, err.text);
		if (is_quantity(f))
			assert_true(c.i >= f->min && c.i <= f->max);
		if (is_length(f) || f->type == VT_LABELS)
			assert_true(c.len >= f->min && c.len <= f->max);
	}
}

static void
takes(const struct object *o, const struct field *f, const char *text)
{
	struct err err;
	struct cell c;

	if (value_parse(f, text, &names, arena, &c, &err) != 0)
		fail_msg("%s: %s", o->name, err.text);
}

static void
refuses(const struct object *o, const struct field *f, const char *text)
{
	struct err err = { 0 };
	struct cell c;

	if (value_parse(f, text, &names, arena, &c, &err) != ERR_INVALID)
		fail_msg("%s %s: \"%s\" was taken", o->name, f->name, text);
	assert_int_equal(err.code, ERR_INVALID);
	assert_string_equal(err.field, f->name);
	assert_non_null(strstr(err.text, f->name));
}

static const char *
number(const struct field *f, int64_t v)
{
	static char text[40];

	(void)snprintf(text, sizeof(text), "%" PRId64 "%s", v,
	    f->type == VT_DUR_MS  ? "ms"
	    : f->type == VT_DUR_S ? "s"
				  : "");
	return text;
}

static const char *
letters(int64_t n)
{
	static char text[65536];

	assert_true(n < (int64_t)sizeof(text));
	memset(text, 'a', (size_t)n);
	text[n] = '\0';
	return text;
}

static void
test_rows_limits(void **state)
{
	(void)state;
	EACH_FIELD(o, f)
	{
		if (is_quantity(f) || f->type == VT_RANGES) {
			takes(o, f, number(f, f->min));
			takes(o, f, number(f, f->max));
			refuses(o, f, number(f, f->max + 1));
			refuses(o, f, number(f, f->min - 1));
		} else if (is_length(f)) {
			takes(o, f, letters(f->max));
			refuses(o, f, letters(f->max + 1));
			if (f->min > 0) {
				takes(o, f, letters(f->min));
				refuses(o, f, letters(f->min - 1));
			}
		} else if (f->type == VT_LABELS || f->type == VT_HOST) {
			refuses(o, f, letters(f->max + 1));
		} else {
			refuses(o, f, "not-a-value-of-any-type\n");
		}
		if ((f->flags & F_REQUIRED) != 0)
			refuses(o, f, "");
	}
}

/* Texts that differ from every default, one row for each type. */
static const char *const samples[][3] = {
	[VT_NAME] = { "a", "web-1.x_y", "0" },
	[VT_TEXT] = { "x", "K\xc3\xa4: \"\\\" #", "/index.html" },
	[VT_TCHAR] = { "X-A", "a", "!#$" },
	[VT_LABELS] = { "a=b", "b=,a=c,z.1=x-y", "a=a,b=b" },
	[VT_HOST] = { "10.1.2.3", "fd00::1", "a.example" },
	[VT_ADDR] = { "10.1.2.3", "fd00::1", "::1" },
	[VT_NET] = { "10.0.0.0/8", "fd00::/64", "10.1.2.3/32" },
	[VT_CIDR] = { "10.0.0.1/8", "fd00::1/64", "10.1.2.3" },
};

/* The texts to try with a field; how many. */
static unsigned
tries(const struct field *f, char out[16][64])
{
	unsigned n = 0;

	if (f->type < VT_RANGES)
		for (; n < 3; n++)
			(void)snprintf(out[n], sizeof(out[n]), "%s", samples[f->type][n]);
	else if (f->type == VT_RANGES)
		for (; n < 2; n++)
			(void)snprintf(out[n], sizeof(out[n]), n > 0 ? "%d,%d-%d" : "%d",
			    (int)f->min, (int)f->min + 2, (int)f->max);
	else if (f->type == VT_ADDRS)
		for (; n < 3; n++)
			(void)snprintf(out[n], sizeof(out[n]), "%s",
			    n == 0   ? "10.1.2.3"
			    : n == 1 ? f->max < 1000 ? "fd00::1,10.1.2.0/30,10.2.0.7-10.2.0.9"
						     : "fd00::1,10.1.2.0/24,10.2.0.7-10.2.1.9"
				     : "::1-::3,10.0.0.0/31");
	else if (f->type == VT_PEM)
		for (; n < 2; n++)
			(void)snprintf(out[n], sizeof(out[n]),
			    "-----BEGIN %1$s-----\n%2$s\n-----END %1$s-----\n",
			    f->ref == PEM_crls ? "X509 CRL" : "CERTIFICATE",
			    n > 0 ? "A+/=" : "AA==");
	else if (f->type == VT_LINES)
		for (; n < 3; n++)
			(void)snprintf(out[n], sizeof(out[n]), "%s",
			    n == 0   ? "<p>\n\t\"a\"\n\n: #\n"
			    : n == 1 ? " x\n"
				     : "a\nb");
	else if (f->type == VT_ENUM)
		for (; n < f->words->n && n < 16; n++)
			(void)snprintf(out[n], sizeof(out[n]), "%s", f->words->w[n].text);
	else if (is_quantity(f))
		for (; n < 3; n++)
			(void)snprintf(out[n], sizeof(out[n]), "%s",
			    number(f, n == 0   ? f->min
				      : n == 1 ? f->max
					       : (f->min + f->max) / 2));
	else
		for (; n < 2; n++)
			(void)snprintf(out[n], sizeof(out[n]), "%s",
			    f->type == VT_BOOL	  ? (n > 0 ? "yes" : "no")
			    : f->type == VT_TIME  ? (n > 0 ? "2027-01-31T00:00:00Z" : "")
			    : f->type == VT_SHARE ? (n > 0 ? "100%" : "0.01%")
			    : f->type == VT_REF	  ? (n > 0 ? "n7" : "n4294967295")
						  : (n > 0 ? "@12" : ""));
	return n;
}

static void
same_way(const struct object *o, const struct field *f, const char *text)
{
	struct cell c, d, wire;
	struct err err;
	struct buf b = { 0 };
	struct rd r;
	void *one = calloc(1, o->size), *two = calloc(1, o->size);

	if (value_parse(f, text, &names, arena, &c, &err) != 0)
		fail_msg("%s: %s", o->name, err.text);
	if (value_load(f, &c, arena, one) != 0)
		fail_msg("%s %s: \"%s\" is not loaded", o->name, f->name, text);
	/* struct -> cell: the same cell */
	value_save(f, one, arena, &d);
	assert_true(cell_same(&c, &d));
	/* cell -> wire -> cell */
	cell_put(&b, &d);
	r = (struct rd){ .p = b.p, .left = b.len };
	cell_take(&r, &wire);
	assert_true(!r.bad && r.left == 0 && cell_same(&wire, &c));
	b.len = 0;
	/* cell -> text -> cell -> struct: the same struct */
	value_format(f, &d, &names, &b);
	assert_int_equal(value_parse(f, buf_text(&b), &names, arena, &d, NULL), 0);
	assert_true(cell_same(&c, &d));
	assert_int_equal(value_load(f, &d, arena, two), 0);
	assert_true(value_same(f, one, two));
	free(one);
	free(two);
	buf_fini(&b);
}

static void
test_rows_round_trip(void **state)
{
	char text[16][64];

	(void)state;
	EACH_FIELD(o, f)
	for (unsigned i = 0, n = tries(f, text); i < n; i++)
		same_way(o, f, text[i]);
}

/* All fields of an object with their nth sample, written by fn, read by parse: every text arrives. */
static void
through(const struct object *o, unsigned nth, bool yaml)
{
	const char *keys[] = { o->name, (o->flags & O_CHILD) != 0 ? "web/1" : "web" };
	unsigned levels = (o->flags & O_SINGLE) != 0 ? 1 : 2;
	char text[16][64], want[FIELDS_MAX][64];
	struct buf b = { 0 }, got = { 0 };
	struct yaml_writer y;
	struct json_writer j;
	struct cell c;
	struct doc d;
	struct err err;

	yaml_writer_init(&y, &b);
	jw_init(&j, &b, 2);
	if (!yaml)
		jw_object(&j, NULL);
	for (unsigned i = 0; i < levels; i++) {
		if (yaml)
			yaml_map_begin(&y, keys[i]);
		else
			jw_object(&j, keys[i]);
	}
	for (unsigned i = 0; i < o->n; i++) {
		const struct field *f = &o->f[i];

		if ((f->flags & (F_KEY | F_PARENT)) != 0)
			continue;
		(void)snprintf(want[i], sizeof(want[i]), "%s", text[nth % tries(f, text)]);
		assert_int_equal(value_parse(f, want[i], &names, arena, &c, NULL), 0);
		got.len = 0;
		value_format(f, &c, &names, &got);
		(void)snprintf(want[i], sizeof(want[i]), "%s", buf_text(&got));
		if (yaml)
			yaml_scalar(&y, f->name, f, want[i]);
		else
			jw_cell(&j, f->name, f, &c, &names);
	}
	for (unsigned i = 0; i < levels; i++)
		yaml ? yaml_map_end(&y) : jw_end(&j);
	if (yaml)
		yaml_writer_finish(&y);
	else
		jw_end(&j);
	doc_init(&d);
	if ((yaml ? yaml_parse : json_parse)(&d, DOC_REPLACE, buf_text(&b), b.len, &err) != 0)
		fail_msg("%s\n%s", err.text, buf_text(&b));
	for (unsigned i = 0; i < o->n; i++)
		if ((o->f[i].flags & (F_KEY | F_PARENT)) == 0)
			assert_string_equal(d.first->text[i], want[i]);
	doc_fini(&d);
	buf_fini(&b);
	buf_fini(&got);
}

static void
test_rows_through_yaml_and_json(void **state)
{
	(void)state;
	for (const struct object *o = objects; o < objects + KINDS; o++)
		for (unsigned nth = 0; nth < 6; nth++)
			if (o->scope != SCOPE_OBSERVED && (o->flags & O_NAMELESS) == 0) {
				through(o, nth, true);
				through(o, nth, false);
			}
}

static void
test_rows_object_defaults(void **state)
{
	struct cell c, d;

	(void)state;
	for (const struct object *o = objects; o < objects + KINDS; o++) {
		void *row = calloc(1, o->size);

		object_defaults(o, arena, row);
		for (unsigned i = 0; i < o->n; i++) {
			value_save(&o->f[i], row, arena, &c);
			value_default(&o->f[i], arena, &d);
			assert_true(cell_same(&c, &d));
		}
		free(row);
	}
}

static void
test_rows_secret_never_shown(void **state)
{
	struct err err;
	struct cell c;

	(void)state;
	EACH_FIELD(o, f)
	{
		if (f->type != VT_SECRET)
			continue;
		assert_int_equal(value_parse(f, "hunter2", NULL, arena, &c, &err), ERR_INVALID);
		assert_null(strstr(err.text, "hunter2"));
		assert_non_null(strstr(err.text, "***"));
	}
}

static void
test_rows_help(void **state)
{
	struct buf b = { 0 };
	struct err err;

	(void)state;
	help_man(&b);
	for (const struct object *o = objects; o < objects + KINDS; o++)
		for (const struct field *f = o->f; f < o->f + o->n; f++) {
			struct buf one = { 0 };
			char line[100];

			assert_int_equal(help_field(o, f->name, &one, NULL), 0);
			assert_non_null(strstr(buf_text(&one), f->help));
			help_object(o, true, &one);
			(void)snprintf(line, sizeof(line), ".It Cm %s\n", f->name);
			if (o->scope != SCOPE_OBSERVED && (o->flags & O_NAMELESS) == 0 &&
			    (f->flags & (F_KEY | F_PARENT)) == 0)
				assert_non_null(strstr(buf_text(&b), line));
			buf_fini(&one);
		}
	assert_null(field_by_tag(object_find("vip"), 60000));
	assert_null(field_by_tag(object_find("vip"), 0));
	assert_string_equal(word_text(&mode_list, 255), "?");
	b.len = 0;
	help_object(object_find("vip"), false, &b);
	assert_non_null(strstr(buf_text(&b), "\n  and "));
	assert_null(strstr(buf_text(&b), "head_max"));
	assert_int_equal(help_field(object_find("vip"), "schedular", &b, &err), ERR_INVALID);
	assert_string_equal(err.text, "vip: schedular: unknown field; did you mean scheduler?");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_texts),
		cmocka_unit_test(test_rows_words),
		cmocka_unit_test(test_rows_names_differ),
		cmocka_unit_test(test_rows_default),
		cmocka_unit_test(test_rows_limits),
		cmocka_unit_test(test_rows_round_trip),
		cmocka_unit_test(test_rows_through_yaml_and_json),
		cmocka_unit_test(test_rows_object_defaults),
		cmocka_unit_test(test_rows_secret_never_shown),
		cmocka_unit_test(test_rows_help),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
