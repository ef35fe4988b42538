/* Help made from the rows: what an object is, what a field may hold, and the reference of lbd.yaml(5).
 *
 * Plain text for lbctl explain and --help, mdoc for the manual. Every word comes from a row: label, help,
 * default, range, when it takes effect; so a new field is documented by being there. What is read from the
 * system or ordered by an operator is not part of the file, and is left out of the manual. */
#include "schema/doc.h"
#include "schema/log_format.h"
#include "schema/rule_when.h"
#include "schema/value.h"

#include <stdio.h>
#include <string.h>

static const char *const effects[] = {
	[EFFECT_LIVE] = "at once",
	[EFFECT_PART] = "at once; the part that uses it starts anew",
	[EFFECT_DAEMON] = "when the daemon that uses it is restarted",
};

static bool
is_in_path(const struct field *f)
{
	return (f->flags & (F_KEY | F_PARENT)) != 0;
}

void
help_object(const struct object *o, bool advanced, struct buf *out)
{
	const struct object *parent = object_of(o->parent), *child = NULL;
	unsigned width = 0, hidden = 0;

	for (unsigned i = 0; i < o->n; i++)
		if (strlen(o->f[i].name) > width)
			width = (unsigned)strlen(o->f[i].name);
	buf_printf(out, "%s - %s\n", o->name, o->help);
	if ((o->flags & O_CHILD) != 0)
		buf_printf(out, "  It is named within its %s, as %s/%s.\n", parent->name,
		    parent->name, o->name);
	while ((child = object_child(o, child)) != NULL)
		buf_printf(out, "  Its %s are named within it.\n", child->plural);
	for (unsigned i = 0; i < o->n; i++) {
		const struct field *f = &o->f[i];

		if ((f->flags & F_ADVANCED) != 0 && !advanced)
			hidden++;
		else if ((f->flags & F_PARENT) == 0)
			buf_printf(out, "  %-*s  %s\n", (int)width, f->name, f->help);
	}
	if (hidden > 0)
		buf_printf(out, "  and %u advanced\n", hidden);
}

static const char *
default_text(const struct field *f)
{
	if ((f->flags & (F_REQUIRED | F_KEY)) != 0 && f->def == NULL)
		return "required";
	return f->def == NULL || f->def[0] == '\0' ? "none" : f->def;
}

/* The fields of its conditions, and of templates, belong to it too. */
static bool
is_when(const struct object *o, const struct field *f)
{
	return o->kind == KIND_content_rule && strcmp(f->name, "when") == 0;
}

/* "header(NAME)" */
static void
when_name(const struct when_row *r, char out[40])
{
	(void)snprintf(out, 40, r->argument != NULL ? "%s(%s)" : "%s", r->name, r->argument);
}

static void
help_when(struct buf *out)
{
	char name[40];

	buf_puts(out,
	    "  FIELD OPERATOR VALUE, with and, or, not and parentheses between; values have commas between\n"
	    "  them, and quotes around what is not one word\n"
	    "  operators: is, in, starts, ends, contains, matches (PCRE2), under (whole parts of a path or host),\n"
	    "  < > <= >= (numbers); exists, without a value\n");
	for (unsigned i = 0; i < WHEN_SOURCES; i++) {
		when_name(&when_rows[i], name);
		buf_printf(out, "  %-19s %s\n", name, when_rows[i].help);
	}
}

/* The words of its templates belong to what the field may hold. */
static bool
is_log_format(const struct object *o, const struct field *f)
{
	return o->kind == KIND_service && strcmp(f->name, "log_format") == 0;
}

int
help_field(const struct object *o, const char *field, struct buf *out, struct err *err)
{
	const struct field *f = field_find(o, field);
	unsigned width = 0;

	if (f == NULL) {
		(void)doc_no_field(o, field, err);
		(void)err_object(err, "%s", o->name);
		return ERR_INVALID;
	}
	buf_printf(out, "%s.%s - %s\n  %s\n", o->name, f->name, f->label, f->help);
	buf_puts(out, "  allowed: ");
	value_allowed(f, out);
	buf_printf(out, "\n  default: %s\n", default_text(f));
	if (!is_in_path(f))
		buf_printf(out, "  takes effect: %s\n", effects[f->effect]);
	if (is_log_format(o, f))
		for (unsigned i = 1; i < LOGW_END; i++)
			buf_printf(out, "  %%%-8s %s\n", log_words[i].name, log_words[i].help);
	if (is_when(o, f))
		help_when(out);
	if (f->type != VT_ENUM)
		return 0;
	for (unsigned i = 0; i < f->words->n; i++)
		if (strlen(f->words->w[i].text) > width)
			width = (unsigned)strlen(f->words->w[i].text);
	for (unsigned i = 0; i < f->words->n; i++)
		buf_printf(
		    out, "  %-*s  %s\n", (int)width, f->words->w[i].text, f->words->w[i].help);
	return 0;
}

/* mdoc text: a backslash is \e, a dot or an apostrophe in front is no request, each sentence has a line of its
 * own, and no line is longer than MAN_LINE where it can be broken. */
#define MAN_LINE 76
static void
man_text(const char *s, struct buf *out)
{
	unsigned column = 0;

	for (; *s != '\0'; s++) {
		bool sentence = *s == ' ' && column > 0 && (s[-1] == '.' || s[-1] == '?');

		if (*s == ' ' && (sentence || column + strcspn(s + 1, " ") >= MAN_LINE)) {
			buf_puts(out, "\n");
			column = 0;
			continue;
		}
		if (column == 0 && (*s == '.' || *s == '\''))
			buf_puts(out, "\\&");
		buf_puts(out, *s == '\\' ? "\\e" : (char[]){ *s, '\0' });
		column++;
	}
	buf_puts(out, "\n");
}

static void
man_words(const struct words *w, struct buf *out)
{
	buf_puts(out, ".Bl -tag -width Ds -compact\n");
	for (unsigned i = 0; i < w->n; i++) {
		buf_printf(out, ".It Cm %s\n", w->w[i].text);
		man_text(w->w[i].help, out);
	}
	buf_puts(out, ".El\n");
}

static void
man_log_words(struct buf *out)
{
	buf_puts(out, "The words:\n.Bl -tag -width Ds -compact\n");
	for (unsigned i = 1; i < LOGW_END; i++) {
		buf_printf(out, ".It Cm \\&%%%s\n", log_words[i].name);
		man_text(log_words[i].help, out);
	}
	buf_puts(out,
	    ".El\n.Cm \\&%{+Q}\nbefore a word puts its value between quotes; two percent signs are one.\n");
}

static void
man_when(struct buf *out)
{
	char name[40];

	buf_puts(out,
	    "The fields of conditions; those with a text can be parts of a template too, between braces:\n"
	    ".Bl -tag -width Ds -compact\n");
	for (unsigned i = 0; i < WHEN_SOURCES; i++) {
		when_name(&when_rows[i], name);
		buf_printf(out, ".It Cm %s\n", name);
		man_text(when_rows[i].help, out);
	}
	buf_puts(out, ".El\nThe language is in\n.Xr lbd-proxy 8 .\n");
}

static void
man_field(const struct object *o, const struct field *f, struct buf *out)
{
	struct buf line = { 0 };

	buf_printf(out, ".It Cm %s\n", f->name);
	man_text(f->help, out);
	if (f->type == VT_ENUM) {
		man_words(f->words, out);
		buf_printf(&line, "Default: %s.", default_text(f));
	} else {
		buf_puts(&line, "Allowed: ");
		value_allowed(f, &line);
		buf_printf(&line, ". Default: %s.", default_text(f));
	}
	if (f->effect != EFFECT_LIVE)
		buf_printf(&line, " Takes effect %s.", effects[f->effect]);
	man_text(buf_text(&line), out);
	buf_fini(&line);
	if (is_log_format(o, f))
		man_log_words(out);
	if (is_when(o, f))
		man_when(out);
}

static void
man_object(const struct object *o, struct buf *out)
{
	const struct object *parent = object_of(o->parent);

	buf_printf(out, ".Ss %s\n", o->name);
	man_text(o->help, out);
	if ((o->flags & O_SINGLE) != 0)
		buf_puts(out, "There is exactly one; its fields stand directly in it.\n");
	if (parent != NULL)
		buf_printf(out, "Stands in\n.Cm %s\nof a\n.Cm %s .\n", o->plural, parent->name);
	buf_puts(out, ".Bl -tag -width Ds\n");
	for (unsigned i = 0; i < o->n; i++)
		if (!is_in_path(&o->f[i]))
			man_field(o, &o->f[i], out);
	buf_puts(out, ".El\n");
}

void
help_man(struct buf *out)
{
	for (unsigned k = 0; k < KINDS; k++) {
		const struct object *o = object_of(object_order[k]);

		if (o->scope != SCOPE_OBSERVED && (o->flags & O_NAMELESS) == 0)
			man_object(o, out);
	}
}
