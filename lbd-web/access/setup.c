/* The first user. A store without any user gets "admin" with a password made here, once; it is written to a file that
 * only root and lbd-web can read, and its place (never the password) to the log. The file goes when the password is
 * another one, however it was changed. No default password exists anywhere. */
#include "daemon/announce.h"
#include "sys/log.h"
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PASSWORD_LEN 20
#define FIRST_USER "admin"

static void
file_path(const struct web *w, char out[320])
{
	(void)snprintf(out, 320, "%s/initial-password", daemon_paths(w->d)->state);
}

static int
write_file(const char *path, const char *password, struct err *err)
{
	int fd, saved;
	bool ok;

	if (unlink(path) == -1 && errno != ENOENT)
		return err_set(err, ERR_STORE, "%s: %s", path, strerror(errno));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	ok = fd != -1 && dprintf(fd, "%s\n", password) == PASSWORD_LEN + 1 && fsync(fd) == 0;
	saved = errno;
	if (fd != -1)
		(void)close(fd);
	return ok ? 0 : err_set(err, ERR_STORE, "%s: %s", path, strerror(saved));
}

static int
add_user(struct web *w, const char *password, struct commit_result *r, struct err *err)
{
	struct commit_info info = { .who = "lbd-web", .origin = "setup", .why = "first user" };
	struct doc_item *it;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = doc_add(&d, DOC_CREATE, object_of(KIND_user), FIRST_USER, 0, &it, err);
	if (rc == 0)
		rc = doc_set(&d, it, "role", word_text(&role_list, role_admin), err);
	if (rc == 0)
		rc = doc_set(&d, it, "password", password, err);
	if (rc == 0)
		rc = store_edit(daemon_store(w->d), &d, &info, r, err);
	doc_fini(&d);
	return rc;
}

/* The file first: a user whose password nobody can read would lock everybody out. */
int
setup_first_user(struct web *w, struct err *err)
{
	char path[320], password[PASSWORD_LEN + 1];
	struct commit_result r = { 0 };
	int rc;

	if (snapshot_count(daemon_snapshot(w->d), KIND_user) > 0)
		return 0;
	file_path(w, path);
	secret_random(password, PASSWORD_LEN);
	rc = write_file(path, password, err);
	if (rc == 0)
		rc = add_user(w, password, &r, err);
	explicit_bzero(password, sizeof(password));
	if (rc == 0) {
		log_info(
		    "user %s: made for the first log-in; its password is in %s", FIRST_USER, path);
		announce_commit(w->d, &r, DUR_S(5), NULL, NULL);
	} else {
		(void)unlink(path);
	}
	commit_result_fini(&r);
	return rc;
}

void
setup_password_seen(struct web *w, const struct snapshot *now)
{
	const struct user *u = snapshot_find_path(now, KIND_user, FIRST_USER);
	char path[320], text[PASSWORD_LEN + 2] = "";
	int fd;
	ssize_t n;

	file_path(w, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
	if (u != NULL && secret_verify(w->secrets, u->password, text))
		return;
	explicit_bzero(text, sizeof(text));
	if (u == NULL && snapshot_count(now, KIND_user) == 0)
		return; /* not made yet */
	if (unlink(path) == 0)
		log_info("user %s: has another password now; %s was removed", FIRST_USER, path);
}
