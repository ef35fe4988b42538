/* A change on its way: into the transaction of --tx, only shown for --dry-run, or committed; then the daemons are told
 * and what they say is reported. A daemon that does not run is no fault of a change. */
#include "ctl.h"

#include "msg/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
ctl_commit_info(struct ctl *c, struct commit_info *out)
{
	*out = (struct commit_info){
		.who = ctl_who(c),
		.origin = ctl_origin(c),
		.why = c->opt[OPT_message],
		.base = GIVEN(c, base) ? (uint32_t)c->num[OPT_base] : 0,
		.trial_ms = GIVEN(c, confirm) ? (uint32_t)c->num[OPT_confirm] : 0,
		.dry_run = GIVEN(c, dry_run),
	};
}

int
ctl_show_difference(struct ctl *c, const struct commit_result *r)
{
	struct buf out = { 0 };
	unsigned n =
	    r->old != NULL && r->now != NULL ? snapshot_diff_text(r->old, r->now, &out) : 0;

	(void)c;
	ctl_print(&out);
	buf_fini(&out);
	return n > 0 ? EXIT_DIFFERS : EXIT_OK;
}

static void
count_change(void *arg, const struct change *ch)
{
	unsigned *n = arg;

	(void)ch;
	(*n)++;
}

static const char *
scope_word(unsigned scope)
{
	static const char *const words[SCOPES] = { [SCOPE_SHARED] = "revision",
		[SCOPE_LOCAL] = "local revision",
		[SCOPE_OPER] = "order" };

	return words[scope];
}

static void
on_announce(void *arg, const struct announce *a)
{
	struct ctl *c = arg;

	if (a->away) {
		if (GIVEN(c, verbose))
			ctl_note(c, "%s does not run", a->daemon);
		return;
	}
	if (a->ok && GIVEN(c, verbose))
		ctl_note(c, "%s: in force", a->daemon);
	if (!a->ok)
		(void)fprintf(stderr, "lbctl: committed, but %s does not have it in force: %s\n",
		    a->daemon, a->reason != NULL ? a->reason : "no reason given");
}

static bool
as_data(const struct ctl *c)
{
	return c->style.form == FORM_JSON;
}

static void
report(struct ctl *c, const struct commit_result *r, unsigned changes)
{
	unsigned s;

	if (as_data(c)) {
		(void)printf("{\"revision\":%" PRIu32 ",\"local\":%" PRIu32 ",\"order\":%" PRIu32
			     ",\"changes\":%u}\n",
		    r->revision[SCOPE_SHARED], r->revision[SCOPE_LOCAL], r->revision[SCOPE_OPER],
		    changes);
		return;
	}
	for (s = 0; s < SCOPES; s++) {
		char left[24];
		uint32_t was;

		if (r->revision[s] == 0 || s == SCOPE_OPER)
			continue;
		if (!GIVEN(c, confirm) || s != SCOPE_SHARED) {
			ctl_note(c, "%s %" PRIu32 " applied (%u change%s)", scope_word(s),
			    r->revision[s], changes, changes == 1 ? "" : "s");
			continue;
		}
		was = r->old != NULL ? snapshot_revision(r->old, SCOPE_SHARED) : 0;
		human_dur(c->num[OPT_confirm] * 1000, left);
		ctl_note(c,
		    "revision %" PRIu32 " applied (%u change%s). Not confirmed: reverts to %" PRIu32
		    " in %s.\n"
		    "Run \"lbctl confirm\" to keep it, \"lbctl rollback\" to drop it now.",
		    r->revision[s], changes, changes == 1 ? "" : "s", was, left);
	}
}

int
ctl_committed(struct ctl *c, const struct commit_result *r, bool quiet, struct err *err)
{
	unsigned changes = 0, s;
	bool any = false;
	int rc;

	for (s = 0; s < SCOPES; s++)
		any = any || r->revision[s] != 0;
	if (any && r->old != NULL && r->now != NULL)
		(void)snapshot_diff(r->old, r->now, count_change, &changes);
	if (!any && !quiet && !as_data(c))
		ctl_note(c, "nothing to change");
	else if (!quiet)
		report(c, r, changes);
	if (!any)
		return 0;
	rc = client_announce(&c->paths, r, CTL_APPLY, on_announce, c, err);
	return rc == 0 ? 0 : EXIT_FAULT; /* on_announce said it */
}

/* A trial is undone by lbd-ha: without it nobody would. */
int
ctl_trial_keeper(struct ctl *c, struct err *err)
{
	struct client *k;
	int rc;

	if (!GIVEN(c, confirm) || GIVEN(c, dry_run))
		return 0;
	rc = client_open(&c->paths, "lbd-ha", &k, err);
	if (rc != 0) {
		(void)err_prefix(err, "--confirm needs lbd-ha, which undoes the trial: ");
		return rc;
	}
	client_close(k);
	return 0;
}

static int
into_transaction(struct ctl *c, const struct doc *d, struct err *err)
{
	uint32_t id = (uint32_t)c->num[OPT_tx];
	int rc = store_tx_add(c->store, id, d, err);

	if (rc == 0)
		ctl_note(
		    c, "%u edit%s added to transaction %" PRIu32, d->n, d->n == 1 ? "" : "s", id);
	return rc;
}

int
ctl_commit(struct ctl *c, const struct doc *d, const struct commit_plan *plan, struct err *err)
{
	static const struct commit_plan none;
	struct commit_result r = { 0 };
	struct commit_info info;
	int rc;

	plan = plan != NULL ? plan : &none;
	if (GIVEN(c, tx) && (GIVEN(c, confirm) || GIVEN(c, dry_run)))
		return err_set(err, ERR_USAGE,
		    "--%s belongs to \"lbctl tx commit\", not to an edit within --tx",
		    GIVEN(c, confirm) ? "confirm" : "dry-run");
	rc = ctl_trial_keeper(c, err);
	if (rc == 0)
		rc = ctl_store(c, true, err);
	if (rc != 0)
		return rc;
	if (GIVEN(c, tx))
		return into_transaction(c, d, err);
	ctl_commit_info(c, &info);
	if (info.base == 0)
		info.base = plan->base;
	rc = store_edit(c->store, d, &info, &r, err);
	if (rc == 0 && info.dry_run)
		(void)ctl_show_difference(c, &r);
	else if (rc == 0)
		rc = ctl_committed(c, &r, plan->quiet, err);
	commit_result_fini(&r);
	return rc;
}
