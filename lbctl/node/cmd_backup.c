/* Copies of the configuration: made, listed, brought back as a new revision; and the two commands for a store that may be
 * damaged, config check and config restore. Secrets are not in a copy: they stay in their own file, and a configuration
 * that comes back names them by number. */
#include "ctl.h"

#include "sys/netlink.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void
backup_folder(const struct ctl *c, char out[300])
{
	(void)snprintf(out, 300, "%s/backup", c->paths.state);
}

int
cmd_backup_create(struct ctl *c, struct err *err)
{
	char dir[300], path[400], at[24];
	int rc = ctl_store(c, true, err);

	if (rc != 0)
		return rc;
	if (c->argc > 0) {
		(void)snprintf(path, sizeof(path), "%s", c->argv[0]);
	} else {
		backup_folder(c, dir);
		(void)mkdir(dir, 0775);
		human_time(time(NULL), at);
		(void)snprintf(path, sizeof(path), "%s/manual-%s.db", dir, at);
	}
	rc = store_backup(c->store, path, err);
	if (rc == 0)
		(void)printf("%s\n", path);
	return rc;
}

/* ---- list ------------------------------------------------------------------------------------------------------------- */

enum { B_NAME, B_TIME, B_SIZE, B_KIND };
static const struct column backup_columns[] = {
	[B_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[B_TIME] = { "time", NULL, COL_TIME, COL_SHOW },
	[B_SIZE] = { "size", NULL, COL_BYTES, COL_SHOW },
	[B_KIND] = { "kind", NULL, COL_TEXT, COL_SHOW },
};

static int
is_copy(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 3 && strcmp(e->d_name + n - 3, ".db") == 0;
}

int
cmd_backup_list(struct ctl *c, struct err *err)
{
	struct table *t = table_new(backup_columns, 4);
	struct dirent **names = NULL;
	char dir[300], path[600];
	int n, i;

	backup_folder(c, dir);
	n = scandir(dir, &names, is_copy, versionsort);
	if (n == -1 && errno != ENOENT) {
		table_free(t);
		return err_set(err, -errno, "%s: %s", dir, strerror(errno));
	}
	for (i = 0; i < n; i++) {
		struct stat sb;

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (stat(path, &sb) == 0) {
			table_row(t);
			table_text(t, B_NAME, path);
			table_num(t, B_TIME, (double)sb.st_mtime);
			table_num(t, B_SIZE, (double)sb.st_size);
			table_text(t, B_KIND,
			    strncmp(names[i]->d_name, "config-", 7) == 0 ? "automatic" : "by hand");
		}
		free(names[i]);
	}
	free(names);
	return ctl_table(c, t, err);
}

/* ---- restore ------------------------------------------------------------------------------------------------------------ */

/* The copy becomes a revision of a store that is usable, and takes the place of one that is damaged. */
static int
restore(struct ctl *c, const char *copy, struct err *err)
{
	struct commit_result r = { 0 };
	struct commit_info info;
	int rc = ctl_trial_keeper(c, err);

	ctl_commit_info(c, &info);
	if (rc == 0)
		rc = store_restore(c->paths.state, copy, &info, &r, err);
	if (rc == 0 && info.dry_run)
		(void)ctl_show_difference(c, &r);
	else if (rc == 0 && r.now != NULL)
		rc = ctl_committed(c, &r, false, err);
	else if (rc == 0)
		ctl_note(c,
		    "the copy is in the place of the damaged file, which is kept as %s/config.db.damaged",
		    c->paths.state);
	commit_result_fini(&r);
	return rc;
}

int
cmd_backup_restore(struct ctl *c, struct err *err)
{
	int rc = ctl_ask(c, err, "Replace the whole configuration by %s", c->argv[0]);

	return rc == 0 ? restore(c, c->argv[0], err) : rc;
}

/* ---- config ----------------------------------------------------------------------------------------------------------- */

int
cmd_config_check(struct ctl *c, struct err *err)
{
	struct iface_list l = { 0 };
	int rc =
	    access(c->paths.state, W_OK) == 0 || geteuid() == 0 || access(c->paths.state, F_OK) != 0
		? ctl_store(c, true, err)
		: ctl_store(c, false, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc == 0 && netlink_addresses(&l, err) == 0)
		rc = snapshot_check(c->snap, &l, err);
	iface_list_fini(&l);
	if (rc == 0)
		ctl_note(c, "revision %" PRIu32 " is whole and allowed",
		    snapshot_revision(c->snap, SCOPE_SHARED));
	return rc;
}

int
cmd_config_restore(struct ctl *c, struct err *err)
{
	const char *copy = c->argc > 0 ? c->argv[0] : NULL;
	int rc = ctl_ask(c, err, "Go back to %s", copy != NULL ? copy : "the newest copy");

	return rc == 0 ? restore(c, copy, err) : rc;
}
