/* Rules that are never reached, since one before them ends the evaluation whenever they could hold, are refused by the store. Whoever
 * wrote them did no harm by it, so they are left out, and said. */
#include "import/import.h"

#include "schema/rule_when.h"
#include "store/rule_covers.h"

#include <stdlib.h>
#include <string.h>

struct found {
	struct import_row *row;
	unsigned long order;
	struct rule_seat seat;
};

static int
by_order(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->row->name, y->row->name);
}

static const char *
text_of(const struct import_row *r, const char *field)
{
	const char *text = import_value(r, field);

	if (text == NULL)
		text = field_find(r->o, field)->def;
	return text != NULL ? text : "";
}

/* As much of the rule as says whether it ends the evaluation. */
static void
read_rule(const struct import_row *row, struct content_rule *r)
{
	const char *action = text_of(row, "action");

	*r = (struct content_rule){ .pool = text_of(row, "pool")[0] != '\0',
		.last = strcmp(text_of(row, "last"), "yes") == 0,
		.on =
		    strcmp(text_of(row, "on"), "answer") == 0 ? rule_on_answer : rule_on_request };
	for (unsigned i = 0; i < rule_action_list.n; i++)
		if (strcmp(rule_action_list.w[i].text, action) == 0)
			r->action = (uint8_t)rule_action_list.w[i].number;
}

static bool
leave_out(struct import *im, const struct import_service *s, struct found *v, unsigned n)
{
	unsigned turns = 0, steps = COVERS_STEPS, where, at;
	struct content_rule r;
	bool any = false;
	struct when w;

	qsort(v, n, sizeof(*v), by_order);
	for (unsigned i = 0; i < n; i++) {
		read_rule(v[i].row, &r);
		where = strcmp(text_of(&s->row, "mode"), "tcp") == 0 ? W_TCP
			: r.on == rule_on_answer		     ? W_REQUEST | W_ANSWER
								     : W_REQUEST;
		if (when_parse(text_of(v[i].row, "when"), where, false, im->a, &w, NULL) != 0)
			return any; /* it is told by the store */
		rule_seat_init(&v[i].seat, &r, &w, &turns);
		when_fini(&w);
		for (at = 0; at < i &&
			     (v[at].row->left_out || !rule_hides(&v[at].seat, &v[i].seat, &steps));
		     at++)
			;
		if (at == i)
			continue;
		v[i].row->left_out = any = true;
		import_say(im, v[i].row->at, TAKEN, v[i].row->name,
		    "never reached: rule %s before it (line %u) ends the evaluation whenever this one could hold, so "
		    "it is left out",
		    v[at].row->name, v[at].row->at.line);
	}
	return any;
}

static bool
has(const struct import_service *s, const struct import_row *rule)
{
	for (const struct import_extra *x = s->row.kids; x != NULL; x = x->next)
		if (&x->row == rule)
			return true;
	return false;
}

bool
import_reach(struct import *im, const struct import_row *rule)
{
	const struct import_service *s = im->out;
	struct found *v;
	unsigned n = 0;

	while (s != NULL && !has(s, rule))
		s = s->next;
	if (s == NULL)
		return false;
	for (struct import_extra *x = s->row.kids; x != NULL; x = x->next)
		n++;
	v = arena_alloc(im->a, n * sizeof(*v));
	n = 0;
	for (struct import_extra *x = s->row.kids; x != NULL; x = x->next)
		if (x->row.o == rule->o && !x->row.left_out)
			v[n++] = (struct found){ .row = &x->row,
				.order = strtoul(text_of(&x->row, "order"), NULL, 10) };
	return leave_out(im, s, v, n);
}
