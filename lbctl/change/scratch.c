/* An empty store of our own, in a folder that goes away with it: what a file would be worth in a new store. For
 * validate and import, which need neither daemon nor store. */
#include "scratch.h"

#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
remove_folder(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		(void)closedir(d);
	(void)rmdir(dir);
}

int
scratch_check(const struct doc *d, const struct iface_list *local, struct err *err)
{
	struct commit_info info = { .who = "validate", .origin = "cli", .dry_run = true };
	const char *tmp = getenv("TMPDIR");
	struct store *st = NULL;
	char dir[300];
	int rc;

	(void)snprintf(
	    dir, sizeof(dir), "%s/lbctl-XXXXXX", tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		return err_set(err, -errno, "%s: %s", dir, strerror(errno));
	rc = store_open(dir, STORE_WRITE, &st, err);
	if (rc == 0) {
		store_set_local(st, local);
		rc = store_edit(st, d, &info, NULL, err);
	}
	store_close(st);
	remove_folder(dir);
	return rc;
}
