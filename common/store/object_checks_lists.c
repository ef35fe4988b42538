/* Rules of lists, and what conditions of content rules do with them. What is in the entries was looked at by lbd-proxy when they were loaded; the row only names them. Pure. */
#include "store/object_checks_priv.h"

#include "store/x509.h"

#include <string.h>

static int
check_list(struct look *l, const struct itemlist *r)
{
	const struct itemlist *old =
	    l->base != NULL ? snapshot_find(l->base, KIND_itemlist, r->id) : NULL;

	if (r->content[0] != '\0' && !x509_key_is_name(r->content))
		return look_bad(l, KIND_itemlist, r, "content",
		    "\"%.70s\" is no SHA-256: allowed are 64 hex digits in lower case, or nothing; "
		    "lbctl list load fills it in",
		    r->content);
	if (r->content[0] == '\0' && r->entries != 0)
		return look_bad(l, KIND_itemlist, r, "entries",
		    "%u is not allowed while content is empty: allowed is 0", r->entries);
	if (old != NULL && old->kind != r->kind && r->content[0] != '\0' &&
	    strcmp(old->content, r->content) == 0)
		return look_bad(l, KIND_itemlist, r, "kind",
		    "the entries are of kind %s: allowed is that one, or another with content and "
		    "entries unset in the same change",
		    word_text(&list_kind_list, old->kind));
	return 0;
}

int
check_lists(struct look *l)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_itemlist); i++)
		rc = check_list(l, snapshot_at(l->s, KIND_itemlist, i));
	return rc;
}

int
check_block(struct look *l, const struct setting *g)
{
	const struct itemlist *row;

	if (g->block[0] == '\0')
		return 0;
	row = snapshot_find_path(l->s, KIND_itemlist, g->block);
	if (row == NULL)
		return look_bad(l, KIND_setting, g, "block",
		    "\"%s\": there is no list of that name; allowed are the names of lists of kind "
		    "address (lbctl get list), or nothing",
		    g->block);
	if (row->kind != list_kind_address)
		return look_bad(l, KIND_setting, g, "block",
		    "\"%s\" is a list of kind %s; allowed are those of kind address, or nothing",
		    g->block, word_text(&list_kind_list, row->kind));
	return 0;
}

/* ---- conditions of content rules ----------------------------------------------------------------------------------- */

/* Kinds of lists in which a field of this type can be looked up, a bit each. */
static unsigned
kinds_of(unsigned type)
{
	switch (type) {
	case WHEN_ADDR: return 1u << list_kind_address;
	case WHEN_NOCASE: return 1u << list_kind_word_nocase | 1u << list_kind_suffix;
	default:
		return 1u << list_kind_word | 1u << list_kind_word_nocase | 1u << list_kind_prefix |
		       1u << list_kind_suffix;
	}
}

static int
check_operand(
    struct look *l, const struct content_rule *r, const struct when_term *t, const char *list)
{
	const struct itemlist *row = snapshot_find_path(l->s, KIND_itemlist, list);
	unsigned kinds = kinds_of(when_rows[t->source].type);
	struct buf can = { 0 };
	int rc = 0;

	if (row == NULL)
		return look_bad(l, KIND_content_rule, r, "when",
		    "@%s: there is no list of that name; allowed are the names of lists (lbctl get list)",
		    list);
	if ((kinds & 1u << row->kind) == 0) {
		for (unsigned i = 0; i < list_kind_list.n; i++)
			if ((kinds & 1u << list_kind_list.w[i].number) != 0)
				buf_printf(&can, "%s%s", can.len > 0 ? ", " : "",
				    list_kind_list.w[i].text);
		rc = look_bad(l, KIND_content_rule, r, "when",
		    "@%s: is a list of kind %s, where %s is not looked up; allowed are those of kind %s",
		    list, word_text(&list_kind_list, row->kind), when_rows[t->source].name,
		    buf_text(&can));
		buf_fini(&can);
	}
	return rc;
}

static int
count_meter(struct look *l, const struct content_rule *r, const struct when_meter *m,
    struct meters_seen *seen)
{
	for (unsigned i = 0; i < seen->n; i++)
		if (rule_meter_same(&seen->of[i], m))
			return 0;
	if (seen->n == METERS_OF_SERVICE)
		return look_bad(l, KIND_content_rule, r, "when",
		    "the rules of the virtual service have more than %d different rate(...) and conns(...)",
		    METERS_OF_SERVICE);
	seen->of[seen->n++] = *m;
	return 0;
}

int
check_operands(
    struct look *l, const struct content_rule *r, const struct when *w, struct meters_seen *seen)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < w->n; i++) {
		const struct when_term *t = &w->term[i];

		if (t->meter != NULL)
			rc = count_meter(l, r, t->meter, seen);
		for (unsigned k = 0; rc == 0 && k < t->n; k++)
			if (t->value[k].list != NULL)
				rc = check_operand(l, r, t, t->value[k].list);
	}
	return rc;
}
