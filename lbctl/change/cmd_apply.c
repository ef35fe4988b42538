/* Whole files: apply, diff, validate, export. apply creates or replaces what the file holds and, with --prune, deletes
 * what it leaves out; diff and validate are the same road, ending before anything is written. */
#include "prune.h"
#include "scratch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file and, with --prune, the deletions of what it leaves out. */
static int
read_doc(struct ctl *c, struct doc *d, unsigned *n_out, struct err *err)
{
	int rc = input_doc(c, DOC_REPLACE, d, err);

	*n_out = 0;
	if (rc == 0 && GIVEN(c, prune)) {
		rc = ctl_load(c, err);
		if (rc == ERR_UNKNOWN)
			return 0; /* no store yet: nothing is left out */
		if (rc == 0)
			rc = prune_add(c->snap, d, PRUNE_OWNED, n_out, err);
	}
	return rc;
}

int
cmd_apply(struct ctl *c, struct err *err)
{
	unsigned gone = 0;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = read_doc(c, &d, &gone, err);
	if (rc == 0 && gone > 0)
		rc = ctl_ask(c, err, "Delete %u object%s that the file leaves out", gone,
		    gone == 1 ? "" : "s");
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

/* ---- diff --------------------------------------------------------------------------------------------------- */

struct counts {
	unsigned added, deleted, changed;
	const void *last;
};

static void
count_change(void *arg, const struct change *ch)
{
	struct counts *n = arg;

	if (ch->f == NULL && ch->old == NULL)
		n->added++;
	else if (ch->f == NULL)
		n->deleted++;
	else if (n->last != ch->new)
		n->changed++;
	n->last = ch->new;
}

static int
print_difference(struct ctl *c, const struct snapshot *old, const struct snapshot *now)
{
	struct buf out = { 0 };
	struct counts n = { 0 };
	unsigned all = snapshot_diff(old, now, count_change, &n);

	if (GIVEN(c, summary))
		buf_printf(
		    &out, "%u added, %u deleted, %u changed\n", n.added, n.deleted, n.changed);
	else
		(void)snapshot_diff_text(old, now, &out);
	ctl_print(&out);
	buf_fini(&out);
	return all > 0 ? EXIT_DIFFERS : EXIT_OK;
}

static int
diff_file(struct ctl *c, struct err *err)
{
	struct commit_info info = { .who = ctl_who(c), .origin = "cli", .dry_run = true };
	struct commit_result r = { 0 };
	unsigned gone;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = read_doc(c, &d, &gone, err);
	if (rc == 0)
		rc = ctl_store(c, true, err);
	if (rc == 0)
		rc = store_edit(c->store, &d, &info, &r, err);
	if (rc == 0 && r.old != NULL && r.now != NULL)
		rc = print_difference(c, r.old, r.now);
	commit_result_fini(&r);
	doc_fini(&d);
	return rc;
}

int
ctl_revision(const char *text, uint32_t *out, struct err *err)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v > UINT32_MAX)
		return err_set(err, ERR_USAGE, "\"%s\" is not the number of a revision", text);
	*out = (uint32_t)v;
	return 0;
}

int
cmd_diff(struct ctl *c, struct err *err)
{
	enum scope scope = GIVEN(c, local) ? SCOPE_LOCAL : SCOPE_SHARED;
	struct snapshot *a = NULL, *b = NULL;
	uint32_t na = 0, nb = 0;
	int rc;

	if (GIVEN(c, file) == (c->argc > 0))
		return err_set(err, ERR_USAGE, "diff: either -f FILE, or one or two revisions");
	if (GIVEN(c, file))
		return diff_file(c, err);
	rc = ctl_revision(c->argv[0], &na, err);
	if (rc == 0 && c->argc > 1)
		rc = ctl_revision(c->argv[1], &nb, err);
	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc == 0)
		rc = store_at(c->store, scope, na, &a, err);
	if (rc == 0 && c->argc > 1)
		rc = store_at(c->store, scope, nb, &b, err);
	if (rc == 0)
		rc = print_difference(c, a, c->argc > 1 ? b : c->snap);
	snapshot_unref(a);
	snapshot_unref(b);
	return rc;
}

/* ---- validate --------------------------------------------------------------------------------------------------- */

/* A reference to a secret ("@3") means something only in the store that it comes from: any secret stands for it. */
static void
stand_in_for_secrets(const struct doc *d)
{
	struct doc_item *it;
	unsigned i;

	for (it = d->first; it != NULL; it = it->next) {
		for (i = 0; i < it->o->n; i++) {
			const char *text = it->text[i];

			if (it->o->f[i].type == VT_SECRET && text != NULL && text != DOC_UNSET &&
			    text[0] == '@' && text[1] != '\0' &&
			    text[1 + strspn(text + 1, "0123456789")] == '\0')
				it->text[i] = "a secret that is kept elsewhere";
		}
	}
}

int
cmd_validate(struct ctl *c, struct err *err)
{
	struct doc d;
	int rc;

	doc_init(&d);
	rc = input_doc(c, DOC_REPLACE, &d, err);
	if (rc == 0) {
		stand_in_for_secrets(&d);
		rc = scratch_check(&d, NULL, err);
	}
	if (rc == 0)
		ctl_note(c, "%u object%s, all allowed", d.n, d.n == 1 ? "" : "s");
	doc_fini(&d);
	return rc;
}

/* ---- export ------------------------------------------------------------------------------------------------------- */

int
ctl_export(
    struct ctl *c, const struct snapshot *s, unsigned kind, const char *path, struct err *err)
{
	enum export_form form = c->style.form == FORM_JSON ? EXPORT_JSON : EXPORT_YAML;
	struct buf out = { 0 };
	int rc;

	if (c->form_given && c->style.form != FORM_JSON && c->style.form != FORM_YAML)
		return err_set(err, ERR_USAGE, "%s: prints yaml or json", c->cmd->name);
	rc = snapshot_export(s, form, kind, path, GIVEN(c, full), &out, err);
	if (rc == 0)
		ctl_print(&out);
	buf_fini(&out);
	return rc;
}

int
cmd_export(struct ctl *c, struct err *err)
{
	const struct object *o = NULL;
	int rc = c->argc > 0 ? ctl_kind(c->argv[0], &o, err) : 0;

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc == 0)
		rc = ctl_export(
		    c, c->snap, o != NULL ? o->kind : 0, c->argc > 1 ? c->argv[1] : NULL, err);
	return rc;
}
