/* Where the suite's folders are: one root for tests, demo and a second node on the machine, ""
 * for the machine itself. Only names are decided here; the folders are made by paths_make, and
 * the files by who owns them. */
#include "sys/paths.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADMIN_GROUP "lbd-admin"

/* Absolute, without slashes at the end: a daemon that changes its folder still finds its files. */
static int
absolute(const char *root, char *out, size_t room)
{
	char cwd[256] = "";
	int n;

	if (root[0] != '/' && root[0] != '\0' && getcwd(cwd, sizeof(cwd)) == NULL)
		return -errno;
	n = snprintf(out, room, "%s%s%s", cwd, cwd[0] != '\0' ? "/" : "", root);
	if (n < 0 || (size_t)n >= room)
		return -ENAMETOOLONG;
	while (n > 0 && out[n - 1] == '/')
		out[--n] = '\0';
	return 0;
}

int
paths_init(struct paths *p, const char *root, struct err *err)
{
	int code;

	if (root == NULL)
		root = getenv("LBD_ROOT");
	if (root == NULL)
		root = "";
	*p = (struct paths){ 0 };
	code = absolute(root, p->root, sizeof(p->root));
	if (code == -ENAMETOOLONG)
		return err_set(err, ERR_USAGE, "root folder %s: longer than %zu bytes", root,
		    sizeof(p->root) - 1);
	if (code != 0)
		return err_set(err, ERR_USAGE, "root folder %s: %s", root, strerror(-code));
	(void)snprintf(p->etc, sizeof(p->etc), "%s/etc/lbd", p->root);
	(void)snprintf(p->state, sizeof(p->state), "%s/var/lib/lbd", p->root);
	(void)snprintf(p->run, sizeof(p->run), "%s/run/lbd", p->root);
	(void)snprintf(p->log, sizeof(p->log), "%s/var/log/lbd", p->root);
	return 0;
}

/* The folder and those above it; true in *made when the last one is new. */
static int
make_folders(const char *path, bool *made)
{
	char part[256];
	size_t len = strlen(path);

	*made = false;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		*made = mkdir(part, 0755) == 0;
		if (!*made && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int
make_one(const char *path, bool shared, struct err *err)
{
	const struct group *g = shared && geteuid() == 0 ? getgrnam(ADMIN_GROUP) : NULL;
	bool made;
	int code = make_folders(path, &made);

	if (code != 0)
		return err_set(err, code, "folder %s cannot be made: %s", path, strerror(-code));
	if (made && g != NULL &&
	    (chown(path, (uid_t)-1, g->gr_gid) == -1 || chmod(path, 02775) == -1))
		return err_set(
		    err, -errno, "folder %s cannot be given to group %s: %m", path, ADMIN_GROUP);
	return 0;
}

int
paths_make(const struct paths *p, struct err *err)
{
	int code = make_one(p->etc, false, err);

	if (code == 0)
		code = make_one(p->state, true, err);
	if (code == 0)
		code = make_one(p->run, false, err);
	return code;
}

void
paths_socket(const struct paths *p, const char *daemon, char out[280])
{
	(void)snprintf(out, 280, "%s/%s.sock", p->run, daemon);
}
