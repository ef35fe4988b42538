/* Changes of single objects: create, set, unset, delete, rename, copy, patch, label, enable, disable. Each makes a doc
 * of edits from the words and hands it to ctl_commit; no command knows a kind, the rows do. */
#include "target.h"

#include "operate/glob.h"

#include <stdio.h>
#include <string.h>

int
cmd_create(struct ctl *c, struct err *err)
{
	struct doc_item *it;
	struct target t;
	struct doc d;
	int rc = target_parse(c, false, &t, err);

	if (rc != 0)
		return rc;
	doc_init(&d);
	rc = target_secrets(t.o, t.argc, t.argv, err);
	if (rc == 0)
		rc = target_files(c, t.o, t.argc, t.argv, &t.argv, err);
	if (rc == 0 && (t.o->flags & O_SINGLE))
		rc = err_set(err, ERR_CONFLICT, "%s: there is exactly one; use set", t.o->name);
	if (rc == 0)
		rc = doc_add(&d, DOC_CREATE, t.o, t.path[0], 0, &it, err);
	if (rc == 0)
		rc = doc_args(&d, it, false, t.argc, t.argv, err);
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

static int
merge_fields(struct ctl *c, bool unset, struct err *err)
{
	struct doc_item *it;
	struct target t;
	struct doc d;
	uint32_t i;
	int rc = target_parse(c, true, &t, err);

	if (rc == 0 && t.argc == 0)
		rc = err_set(err, ERR_USAGE, "%s: %s is missing (lbctl %s %s)", c->cmd->name,
		    unset ? "FIELD" : "FIELD=VALUE", c->cmd->name, c->cmd->args);
	if (rc == 0 && !unset)
		rc = target_secrets(t.o, t.argc, t.argv, err);
	if (rc == 0 && !unset)
		rc = target_files(c, t.o, t.argc, t.argv, &t.argv, err);
	if (rc != 0)
		return rc;
	doc_init(&d);
	for (i = 0; i < t.n && rc == 0; i++) {
		rc = doc_add(&d, DOC_MERGE, t.o, t.path[i], 0, &it, err);
		if (rc == 0)
			rc = doc_args(&d, it, unset, t.argc, t.argv, err);
	}
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

int
cmd_set(struct ctl *c, struct err *err)
{
	return merge_fields(c, false, err);
}

int
cmd_unset(struct ctl *c, struct err *err)
{
	return merge_fields(c, true, err);
}

/* All names of "KIND NAME..." as deletions. */
static int
deletions(struct ctl *c, struct doc *d, struct err *err)
{
	int argc = c->argc, i, rc = 0;
	char **argv = c->argv;
	struct doc_item *it;
	struct target t;
	uint32_t k;

	for (i = 1; i < argc && rc == 0; i++) {
		char *words[] = { argv[0], argv[i] };

		c->argc = 2;
		c->argv = words;
		rc = target_parse(c, true, &t, err);
		if (rc == 0 && (t.o->flags & O_SINGLE))
			rc = err_set(
			    err, ERR_USAGE, "%s: cannot be deleted; unset its fields", t.o->name);
		for (k = 0; rc == 0 && k < t.n; k++) {
			rc = doc_add(d, DOC_DELETE, t.o, t.path[k], 0, &it, err);
			if (rc == 0)
				it->cascade = GIVEN(c, cascade);
		}
	}
	c->argc = argc;
	c->argv = argv;
	return rc;
}

int
cmd_delete(struct ctl *c, struct err *err)
{
	struct doc d;
	int rc;

	doc_init(&d);
	rc = deletions(c, &d, err);
	if (rc == 0 && d.n == 1)
		rc = ctl_ask(c, err, "Delete %s %s", d.first->o->name, d.first->path);
	else if (rc == 0)
		rc = ctl_ask(
		    c, err, "Delete %u objects, %s %s first", d.n, d.first->o->name, d.first->path);
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

int
cmd_rename(struct ctl *c, struct err *err)
{
	struct doc_item *it;
	struct target t;
	struct doc d;
	int rc = target_parse(c, false, &t, err);

	if (rc == 0 && (t.o->flags & O_SINGLE))
		rc = err_set(err, ERR_USAGE, "%s: has one name only", t.o->name);
	if (rc != 0)
		return rc;
	doc_init(&d);
	rc = doc_add(&d, DOC_RENAME, t.o, t.path[0], 0, &it, err);
	if (rc == 0)
		rc = doc_set(&d, it, t.o->f[0].name, t.argv[0], err);
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

/* ---- copy -------------------------------------------------------------------------------------------------- */

/* Fields that the edit does not have yet, from a row. */
static int
fill_fields(struct ctl *c, struct doc *d, struct doc_item *it, const void *row, struct err *err)
{
	const struct object *o = it->o;
	struct names names;
	int rc = 0;
	unsigned i;

	snapshot_names(c->snap, &names);
	for (i = 0; i < o->n && rc == 0; i++) {
		const struct field *f = &o->f[i];
		struct buf text = { 0 };
		struct cell cell;

		if ((f->flags & (F_KEY | F_PARENT)) || it->text[i] != NULL)
			continue;
		value_save(f, row, d->a, &cell);
		value_format(f, &cell, &names, &text);
		if (text.len > 0)
			rc = doc_set(d, it, f->name, buf_text(&text), err);
		buf_fini(&text);
	}
	return rc;
}

static int
copy_kind(struct ctl *c, struct doc *d, const struct object *child, uint32_t id, const char *to,
    struct err *err)
{
	const void *const *rows;
	struct doc_item *it;
	uint32_t n, i;
	int rc = 0;

	rows = snapshot_children(c->snap, child->kind, id, &n);
	for (i = 0; i < n && rc == 0; i++) {
		char from[160], path[160];
		const char *slash;

		(void)snapshot_path(c->snap, child->kind, *(const uint32_t *)rows[i], from);
		slash = strchr(from, '/');
		(void)snprintf(path, sizeof(path), "%.70s%.70s", to, slash != NULL ? slash : "");
		rc = doc_add(d, DOC_CREATE, child, path, 0, &it, err);
		if (rc == 0)
			rc = fill_fields(c, d, it, rows[i], err);
	}
	return rc;
}

static int
copy_children(struct ctl *c, struct doc *d, const struct object *o, uint32_t id, const char *to,
    struct err *err)
{
	const struct object *child = NULL;
	int rc = 0;

	while (rc == 0 && (child = object_child(o, child)) != NULL)
		rc = copy_kind(c, d, child, id, to, err);
	return rc;
}

int
cmd_copy(struct ctl *c, struct err *err)
{
	struct doc_item *it;
	struct picked from = { 0 };
	struct target t;
	struct doc d;
	char *name;
	int rc = target_parse(c, false, &t, err);

	if (rc == 0 && (t.o->flags & O_SINGLE))
		rc = err_set(err, ERR_USAGE, "%s: there is exactly one", t.o->name);
	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc != 0)
		return rc;
	name = c->argv[1];
	rc = glob_is(name) ? err_set(err, ERR_USAGE, "copy: one object at a time")
			   : pick_rows(c, t.o, 1, &name, &from, err);
	if (rc == 0)
		rc = target_secrets(t.o, t.argc - 1, t.argv + 1, err);
	if (rc != 0)
		return rc;
	doc_init(&d);
	rc = doc_add(&d, DOC_CREATE, t.o, t.argv[0], 0, &it, err);
	if (rc == 0)
		rc = doc_args(&d, it, false, t.argc - 1, t.argv + 1, err);
	if (rc == 0 && from.n == 1)
		rc = fill_fields(c, &d, it, from.row[0], err);
	if (rc == 0 && from.n == 1)
		rc = copy_children(c, &d, t.o, *(const uint32_t *)from.row[0], t.argv[0], err);
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

int
cmd_patch(struct ctl *c, struct err *err)
{
	const char *json = c->opt[OPT_merge];
	struct doc_item *it;
	struct target t;
	struct doc d;
	uint32_t i;
	int rc;

	if (json == NULL)
		return err_set(err, ERR_USAGE, "patch: --merge JSON is missing");
	rc = target_parse(c, true, &t, err);
	if (rc == 0 && t.argc > 0)
		rc = err_set(err, ERR_USAGE, "patch: \"%s\" is one argument too many", t.argv[0]);
	if (rc != 0)
		return rc;
	doc_init(&d);
	for (i = 0; i < t.n && rc == 0; i++) {
		rc = doc_add(&d, DOC_MERGE, t.o, t.path[i], 0, &it, err);
		if (rc == 0)
			rc = json_parse_object(&d, it, json, strlen(json), err);
	}
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

/* ---- labels ------------------------------------------------------------------------------------------------- */

/* The labels of a row with those of the words set ("a=b") or taken away ("a-"). */
static int
new_labels(const char *labels, int argc, char *const *argv, struct buf *out, struct err *err)
{
	const char *p = labels;
	int i;

	while (*p != '\0') {
		size_t len = strcspn(p, ","), key = strcspn(p, "=");
		bool named = false;

		for (i = 0; i < argc; i++)
			named =
			    named || (strncmp(argv[i], p, key) == 0 &&
					 (argv[i][key] == '=' || strcmp(argv[i] + key, "-") == 0));
		if (!named)
			buf_printf(out, "%s%.*s", out->len > 0 ? "," : "", (int)len, p);
		p += len + (p[len] == ',');
	}
	for (i = 0; i < argc; i++) {
		size_t len = strlen(argv[i]);

		if (strchr(argv[i], '=') != NULL && strchr(argv[i], ',') == NULL &&
		    argv[i][0] != '=')
			buf_printf(out, "%s%s", out->len > 0 ? "," : "", argv[i]);
		else if (len < 2 || argv[i][len - 1] != '-' || strpbrk(argv[i], "=,") != NULL)
			return err_set(
			    err, ERR_USAGE, "label: \"%s\" is neither A=B nor A-", argv[i]);
	}
	return 0;
}

int
cmd_label(struct ctl *c, struct err *err)
{
	const struct field *f;
	struct doc_item *it;
	struct target t;
	struct doc d;
	uint32_t i;
	int rc = target_parse(c, true, &t, err);

	if (rc != 0)
		return rc;
	f = field_find(t.o, "labels");
	if (f == NULL)
		return err_set(err, ERR_USAGE, "label: a %s has no labels", t.o->name);
	rc = ctl_load(c, err);
	doc_init(&d);
	for (i = 0; i < t.n && rc == 0; i++) {
		const void *row = snapshot_find_path(c->snap, t.o->kind, t.path[i]);
		struct buf text = { 0 };
		struct cell cell = { .s = "" };

		if (row == NULL)
			rc = err_set(
			    err, ERR_UNKNOWN, "%s \"%s\" does not exist", t.o->name, t.path[i]);
		else
			value_save(f, row, d.a, &cell);
		if (rc == 0)
			rc = new_labels(cell.s, t.argc, t.argv, &text, err);
		if (rc == 0)
			rc = doc_add(&d, DOC_MERGE, t.o, t.path[i], 0, &it, err);
		if (rc == 0)
			rc = doc_set(&d, it, f->name, buf_text(&text), err);
		buf_fini(&text);
	}
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

/* ---- enable, disable ------------------------------------------------------------------------------------------ */

static int
switch_services(struct ctl *c, const char *value, struct err *err)
{
	const struct object *o = object_of(KIND_service);
	struct doc_item *it;
	struct picked rows;
	struct doc d;
	uint32_t i;
	int rc = ctl_load(c, err);

	if (rc == 0)
		rc = pick_rows(c, o, c->argc, c->argv, &rows, err);
	if (rc != 0)
		return rc;
	doc_init(&d);
	for (i = 0; i < rows.n && rc == 0; i++) {
		const struct service *s = rows.row[i];

		rc = doc_add(&d, DOC_MERGE, o, s->name, 0, &it, err);
		if (rc == 0)
			rc = doc_set(&d, it, "enabled", value, err);
	}
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

int
cmd_enable(struct ctl *c, struct err *err)
{
	return switch_services(c, "yes", err);
}

int
cmd_disable(struct ctl *c, struct err *err)
{
	return switch_services(c, "no", err);
}
