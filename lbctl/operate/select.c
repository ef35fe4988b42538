/* Names of the command line to rows of the snapshot: plain names, globs, "VIP/" for all servers of a service, and
 * the label selector. A plain name that is not there is an error; so is a glob that means nothing. */
#include "ctl.h"
#include "glob.h"

#include <stdio.h>
#include <string.h>

#define PATH_ROOM 160

bool
pick_selected(const struct ctl *c, const struct object *o, const void *row)
{
	const char *sel = c->opt[OPT_selector];
	const struct service *s = row;

	if (sel == NULL)
		return true;
	if (o->kind == KIND_server) {
		const struct server *srv = row;

		s = snapshot_find(c->snap, KIND_service, srv->vip);
	}
	return (o->kind == KIND_service || o->kind == KIND_server) && s != NULL &&
	       glob_labels(sel, s->labels);
}

static int
none_such(struct ctl *c, const struct object *o, const char *name, struct err *err)
{
	const char *names[512], *near;
	const void *const *rows;
	uint32_t n, i, k = 0;
	char path[PATH_ROOM];

	if (glob_is(name) || name[strlen(name) - 1] == '/')
		return err_set(err, ERR_UNKNOWN, "no %s fits \"%s\"", o->name, name);
	rows = snapshot_by_name(c->snap, o->kind, &n);
	for (i = 0; i < n && k < 512; i++) {
		(void)snapshot_path(c->snap, o->kind, *(const uint32_t *)rows[i], path);
		names[k++] = arena_text(c->arena, path, strlen(path));
	}
	near = words_nearest(names, k, name);
	if (near != NULL)
		return err_set(err, ERR_UNKNOWN, "%s \"%s\" does not exist; did you mean \"%s\"?",
		    o->name, name, near);
	return err_set(err, ERR_UNKNOWN, "%s \"%s\" does not exist", o->name, name);
}

static bool
fits(const struct object *o, const char *pattern, const char *path)
{
	size_t n = strlen(pattern);

	if ((o->flags & O_CHILD) && n > 0 && pattern[n - 1] == '/') {
		char all[PATH_ROOM + 2];

		(void)snprintf(all, sizeof(all), "%.*s*", PATH_ROOM, pattern);
		return glob_match(all, path);
	}
	return glob_match(pattern, path);
}

/* Marks every row that an argument means, in order of path. */
static int
mark(struct ctl *c, const struct object *o, const char *arg, const void *const *rows, uint32_t n,
    bool *marked, struct err *err)
{
	bool found = false, plain = !glob_is(arg) && (*arg == '\0' || arg[strlen(arg) - 1] != '/');
	const void *row = plain ? snapshot_find_path(c->snap, o->kind, arg) : NULL;
	char path[PATH_ROOM];
	uint32_t i;

	if (*arg == '\0' || (plain && row == NULL))
		return *arg == '\0' ? err_set(err, ERR_USAGE, "a name is empty")
				    : none_such(c, o, arg, err);
	for (i = 0; i < n; i++) {
		if (plain ? rows[i] != row
			  : !fits(o, arg,
				snapshot_path(c->snap, o->kind, *(const uint32_t *)rows[i], path)))
			continue;
		found = marked[i] = true;
		if (plain)
			break;
	}
	if (!found && arg[strlen(arg) - 1] == '/' && !glob_is(arg)) {
		/* "web/" of a service without servers is an empty list; of no service it is an error. */
		(void)snprintf(path, sizeof(path), "%.*s", (int)strlen(arg) - 1, arg);
		found = o->parent != 0 && snapshot_find_path(c->snap, o->parent, path) != NULL;
		if (!found && o->parent != 0)
			return none_such(c, object_of(o->parent), path, err);
	}
	return found ? 0 : none_such(c, o, arg, err);
}

int
pick_rows(struct ctl *c, const struct object *o, int argc, char *const *argv, struct picked *out,
    struct err *err)
{
	const void *const *rows;
	uint32_t n, i;
	bool *marked;
	int a, rc = 0;

	if (GIVEN(c, selector)) {
		rc = glob_selector_check(c->opt[OPT_selector], err);
		if (rc == 0 && o->kind != KIND_service && o->kind != KIND_server)
			rc = err_set(err, ERR_USAGE, "-l: a %s has no labels", o->name);
	}
	if (rc != 0)
		return rc;
	rows = snapshot_by_name(c->snap, o->kind, &n);
	*out = (struct picked){ .row = arena_alloc(c->arena, (n + 1) * sizeof(*out->row)) };
	marked = arena_alloc(c->arena, n + 1);
	if (o->flags & O_SINGLE)
		argc = 0;
	for (a = 0; a < argc && rc == 0; a++)
		rc = mark(c, o, argv[a], rows, n, marked, err);
	for (i = 0; i < n && rc == 0; i++)
		if ((argc == 0 || marked[i]) && pick_selected(c, o, rows[i]))
			out->row[out->n++] = rows[i];
	return rc;
}
