/* Rows of an answer to RULE_TRY. What may be there several times is a list in JSON, what is a number is one. */
#include "msg/rule_report.h"

#include "base/mem.h"
#include "base/must.h"
#include "msg/view_priv.h"

#include <stdlib.h>
#include <string.h>

static const struct said_kind {
	const char *what, *key;
	bool list, number;
} kinds[] = {
	{ "action", "action", false, false },
	{ "pool", "pool", false, false },
	{ "status", "status", false, true },
	{ "location", "location", false, false },
	{ "target", "target", false, false },
	{ "header", "headers", true, false },
	{ "cut", "cut", true, false },
	{ "rate", "rate", false, true },
	{ "rate_down", "rate_down", false, true },
	{ "priority", "priority", false, true },
	{ "note", "notes", true, false },
};

void
rule_report_add(struct rule_report *r, const struct msg_rule_is *m)
{
	if (m->what.p == NULL)
		return;
	if ((r->n & (r->n - 1)) == 0)
		r->said = mem_grow(r->said, (r->n == 0 ? 1 : 2 * r->n) * sizeof(*r->said));
	r->said[r->n++] = (struct rule_said){ m->rule, span_dup(m->what), span_dup(m->text) };
}

void
rule_report_fini(struct rule_report *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		free(r->said[i].what);
		free(r->said[i].text);
	}
	free(r->said);
	*r = (struct rule_report){ 0 };
}

static void
put_rules(const struct rule_report *r, const struct snapshot *s, struct buf *out)
{
	bool first = true;

	buf_puts(out, "{\"rules\":[");
	for (unsigned i = 0; i < r->n; i++) {
		const struct content_rule *row =
		    snapshot_find(s, KIND_content_rule, r->said[i].rule);

		if (r->said[i].rule == 0)
			continue;
		buf_puts(out, first ? "{\"rule\":" : ",{\"rule\":");
		view_json_text(out, row != NULL ? row->name : "?");
		buf_printf(out, ",\"order\":%u", row != NULL ? (unsigned)row->order : 0);
		view_json_member(out, "action", r->said[i].what);
		view_json_member(out, "does", r->said[i].text);
		buf_puts(out, "}");
		first = false;
	}
	buf_puts(out, "],\"outcome\":{");
}

/* All that is said of one kind; false: nothing is. */
static bool
put_kind(const struct rule_report *r, const struct said_kind *k, bool first, struct buf *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++) {
		const struct rule_said *s = &r->said[i];

		if (s->rule != 0 || strcmp(s->what, k->what) != 0)
			continue;
		if (n++ > 0)
			buf_puts(out, ",");
		else
			buf_printf(
			    out, "%s\"%s\":%s", first ? "" : ",", k->key, k->list ? "[" : "");
		if (k->number)
			buf_puts(out, s->text);
		else
			view_json_text(out, s->text);
		if (!k->list)
			break;
	}
	buf_puts(out, n > 0 && k->list ? "]" : "");
	return n > 0;
}

void
rule_report_json(const struct rule_report *r, const struct snapshot *s, struct buf *out)
{
	bool first = true;

	put_rules(r, s, out);
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		first = !put_kind(r, &kinds[i], first, out) && first;
	buf_puts(out, "}}\n");
}
