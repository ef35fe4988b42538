/* What every command of one run needs: the store opened once, the snapshot, the live view, notes, prompts, and who
 * is at the keyboard. Data goes to standard output, everything else to standard error. */
#include "ctl.h"

#include "base/mem.h"
#include "msg/list_fetch.h"
#include "sys/netlink.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
ctl_init(struct ctl *c)
{
	*c = (struct ctl){ 0 };
	c->arena = arena_new(4096);
	c->tty_out = isatty(STDOUT_FILENO) == 1;
}

void
ctl_fini(struct ctl *c)
{
	view_free(c->view);
	snapshot_unref(c->snap);
	store_close(c->store);
	arena_unref(c->arena);
	*c = (struct ctl){ 0 };
}

int
ctl_exit_code(int code)
{
	switch (code) {
	case 0: return 0;
	case ERR_USAGE: return 2;
	case ERR_UNKNOWN: return 3;
	case ERR_CONFLICT: return 4;
	case ERR_DENIED:
	case -EACCES:
	case -EPERM: return 5;
	case ERR_AWAY: return 6;
	case ERR_INVALID: return 7;
	case -ETIMEDOUT: return 8;
	case ERR_REVERTED: return 9;
	default: return code > 0 ? code : EXIT_FAULT;
	}
}

/* Addresses of this machine, which no service may use. A kernel that does not tell is no reason to refuse. */
static void
know_addresses(struct store *st)
{
	struct iface_list l = { 0 };

	if (netlink_addresses(&l, NULL) == 0)
		store_set_local(st, &l);
	iface_list_fini(&l);
}

/* What is behind entries of lists, where a commit may not name a pool that is none. Without lbd-proxy nobody can tell. */
static int
map_values(void *arg, const char *list, const char *content, struct buf *out)
{
	struct ctl *c = arg;
	struct err err = { 0 };
	int rc = list_fetch(&c->paths, MSG_LIST_VALUES, content, CTL_ANSWER, out, &err);

	if (rc != 0)
		ctl_note(c,
		    "warning: list %s: names of pools in its entries were not looked at: %s", list,
		    err.text);
	return rc;
}

/* A store that exists but is not ours to change: permission, not damage. */
static int
refuse_writing(struct ctl *c, struct err *err)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/config.db", c->paths.state);
	if (geteuid() != 0 &&
	    ((access(path, F_OK) == 0 && access(path, W_OK) != 0) ||
		(access(c->paths.state, F_OK) == 0 && access(c->paths.state, W_OK) != 0)))
		return err_set(err, ERR_DENIED,
		    "%s may only be changed by root and by members of group lbd-admin", path);
	return 0;
}

int
ctl_store(struct ctl *c, bool write, struct err *err)
{
	int rc = 0;

	if (c->store != NULL && (c->store_writes || !write))
		return 0;
	if (write) {
		rc = refuse_writing(c, err);
		if (rc == 0)
			rc = paths_make(&c->paths, err);
	}
	if (rc != 0)
		return rc;
	snapshot_unref(c->snap);
	c->snap = NULL;
	store_close(c->store);
	c->store = NULL;
	rc = store_open(c->paths.state, write ? STORE_WRITE : STORE_READ, &c->store, err);
	if (rc == -ENOENT)
		return err_set(err, ERR_UNKNOWN,
		    "there is no configuration in %s yet; create, apply or \"lbctl config check\" begin one",
		    c->paths.state);
	if (rc != 0)
		return rc;
	c->store_writes = write;
	if (write) {
		know_addresses(c->store);
		store_set_values(c->store, map_values, c);
	}
	return 0;
}

int
ctl_load(struct ctl *c, struct err *err)
{
	int rc = ctl_store(c, false, err);

	if (rc != 0 || c->snap != NULL)
		return rc;
	return store_snapshot(c->store, &c->snap, err);
}

int
ctl_reload(struct ctl *c, struct err *err)
{
	if (c->snap != NULL && c->store != NULL && store_moved(c->store)) {
		snapshot_unref(c->snap);
		c->snap = NULL;
	}
	return ctl_load(c, err);
}

int
ctl_look(struct ctl *c, unsigned what, struct err *err)
{
	int rc = ctl_load(c, err);

	if (rc != 0)
		return rc;
	if (c->view == NULL)
		c->view = view_new();
	if (view_snapshot(c->view) != c->snap)
		view_use(c->view, c->snap);
	return what == 0 ? 0 : view_collect(c->view, &c->paths, what, CTL_ANSWER, err);
}

int
ctl_kind(const char *word, const struct object **out, struct err *err)
{
	return doc_kind(word, out, err) == 0 ? 0 : ERR_USAGE;
}

void
ctl_note(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	if (GIVEN(c, quiet))
		return;
	(void)fflush(stdout);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

int
ctl_ask(struct ctl *c, struct err *err, const char *fmt, ...)
{
	char what[400], answer[16];
	va_list ap;

	if (GIVEN(c, yes) || GIVEN(c, dry_run))
		return 0;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
		return err_set(
		    err, ERR_USAGE, "%s: say -y to confirm this without a terminal", what);
	(void)fprintf(stderr, "%s? [y/N] ", what);
	(void)fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return 0;
	return err_set(err, ERR_USAGE, "not confirmed; nothing was changed");
}

void
ctl_print(const struct buf *b)
{
	if (b->len > 0)
		(void)fwrite(b->p, 1, b->len, stdout); /* main looks at ferror */
}

int
ctl_table(struct ctl *c, struct table *t, struct err *err)
{
	struct buf out = { 0 };
	int rc = table_print(t, &c->style, &out, err);

	if (rc == 0)
		ctl_print(&out);
	buf_fini(&out);
	table_free(t);
	return rc;
}

const char *
ctl_who(struct ctl *c)
{
	const char *name = getenv("SUDO_USER");
	const struct passwd *pw;

	if (name == NULL || *name == '\0' || geteuid() != 0) {
		pw = getpwuid(getuid());
		name = pw != NULL ? pw->pw_name : NULL;
	}
	if (name == NULL) {
		char number[32];

		(void)snprintf(number, sizeof(number), "uid %u", getuid());
		return arena_text(c->arena, number, strlen(number));
	}
	return arena_text(c->arena, name, strnlen(name, 64));
}

/* "cli", and the address that an SSH session came from. */
const char *
ctl_origin(struct ctl *c)
{
	const char *ssh = getenv("SSH_CONNECTION");
	char text[80], word[64];
	struct addr a;

	if (ssh == NULL)
		return "cli";
	(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(ssh, " "), ssh);
	if (addr_parse(word, ADDR_HOST, &a) != 0 || a.family == 0)
		return "cli";
	(void)snprintf(text, sizeof(text), "cli %s", word);
	return arena_text(c->arena, text, strlen(text));
}
