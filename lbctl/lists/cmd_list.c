/* list load, add, del, show: entries of a list. They go to lbd-proxy first, so that the commit names some that are there. */
#include "pieces.h"

#include <stdio.h>
#include <string.h>

enum { CHANGE_ALL, CHANGE_ADD, CHANGE_TAKE }; /* of LIST_PUT */

static int
find_list(struct ctl *c, bool write, const struct itemlist **out, struct err *err)
{
	int rc = ctl_store(c, write, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc != 0)
		return rc;
	*out = snapshot_find_path(c->snap, KIND_itemlist, c->argv[0]);
	return *out != NULL
		   ? 0
		   : err_set(err, ERR_UNKNOWN,
			 "list %s: does not exist; lbctl create list %s kind=KIND makes it",
			 c->argv[0], c->argv[0]);
}

static int
save(struct ctl *c, const struct pieces_kept *k, uint32_t base, struct err *err)
{
	const struct commit_plan plan = { .base = base };
	const struct object *o = object_of(KIND_itemlist);
	char entries[16];
	struct doc_item *it;
	struct doc d;
	int rc;

	(void)snprintf(entries, sizeof(entries), "%u", k->entries);
	doc_init(&d);
	rc = doc_add(&d, DOC_MERGE, o, c->argv[0], 0, &it, err);
	if (rc == 0)
		rc = doc_set(&d, it, "content", k->name, err);
	if (rc == 0)
		rc = doc_set(&d, it, "entries", entries, err);
	if (rc == 0)
		rc = ctl_commit(c, &d, base != 0 ? &plan : NULL, err);
	doc_fini(&d);
	return rc;
}

static int
put(struct ctl *c, const struct itemlist *row, unsigned change, const struct buf *text,
    struct pieces_kept *out, struct err *err)
{
	int rc = pieces_put(c, row->kind, change, change == CHANGE_ALL ? "" : row->content,
	    text->len > 0 ? (const void *)text->p : "", text->len, out, err);

	return rc == ERR_INVALID || rc == ERR_UNKNOWN ? err_object(err, "list %s", row->name) : rc;
}

int
cmd_list_load(struct ctl *c, struct err *err)
{
	const struct itemlist *row;
	struct pieces_kept kept;
	struct buf text = { 0 };
	int rc = find_list(c, true, &row, err);

	if (rc == 0)
		rc = input_text(c->argv[1], &text, err);
	if (rc == 0)
		rc = put(c, row, CHANGE_ALL, &text, &kept, err);
	buf_fini(&text);
	if (rc == 0)
		rc = save(c, &kept, 0, err);
	if (rc == 0)
		ctl_note(c, "list %s: %u entries", c->argv[0], kept.entries);
	return rc;
}

/* What is added to or taken from what the list has now: refused when somebody was faster. */
static int
change(struct ctl *c, unsigned how, struct err *err)
{
	const struct itemlist *row;
	struct pieces_kept kept;
	struct buf text = { 0 };
	int rc;

	if (GIVEN(c, tx))
		return err_set(err, ERR_USAGE,
		    "--tx: entries are changed by themselves; list load may be part of a transaction");
	rc = find_list(c, true, &row, err);
	for (int i = 1; rc == 0 && i < c->argc; i++)
		buf_printf(&text, "%s\n", c->argv[i]);
	if (rc == 0)
		rc = put(c, row, how, &text, &kept, err);
	buf_fini(&text);
	return rc != 0 ? rc : save(c, &kept, snapshot_revision(c->snap, SCOPE_SHARED), err);
}

int
cmd_list_add(struct ctl *c, struct err *err)
{
	return change(c, CHANGE_ADD, err);
}

int
cmd_list_del(struct ctl *c, struct err *err)
{
	return change(c, CHANGE_TAKE, err);
}

/* As JSON: lines that are no comment, as they stand. */
static void
to_json(const struct itemlist *row, struct buf *text, struct buf *out)
{
	char *line = (char *)(uintptr_t)buf_text(text), *end;
	bool first = true;

	buf_puts(out, "{\"list\":");
	view_json_text(out, row->name);
	buf_puts(out, ",\"kind\":");
	view_json_text(out, word_text(&list_kind_list, row->kind));
	buf_puts(out, ",\"entries\":[");
	for (; line[0] != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		if (end == NULL)
			break;
		*end = '\0';
		if (line[0] == '#')
			continue;
		buf_puts(out, first ? "" : ",");
		view_json_text(out, line);
		first = false;
	}
	buf_puts(out, "]}\n");
}

int
cmd_list_show(struct ctl *c, struct err *err)
{
	struct buf text = { 0 }, json = { 0 };
	const struct itemlist *row;
	int rc = find_list(c, false, &row, err);

	if (rc != 0)
		return rc;
	if (row->content[0] != '\0')
		rc = pieces_get(c, row->content, &text, err);
	if (rc == ERR_UNKNOWN)
		rc = err_object(err, "list %s", row->name);
	if (rc == 0 && c->style.form == FORM_JSON) {
		to_json(row, &text, &json);
		ctl_print(&json);
	} else if (rc == 0) {
		ctl_print(&text);
	}
	buf_fini(&json);
	buf_fini(&text);
	return rc;
}
