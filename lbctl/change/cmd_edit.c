/* edit: an object, or everything, as YAML in the user's editor, and back. What comes back replaces what went out, and
 * what was taken out of the text is deleted. On a terminal a text that is refused is opened again with the reason on
 * top; without one it stays in a file that the error names. The editor is run by execvp, without a shell. */
#include "prune.h"
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EDITOR_WORDS 16
#define MARK "# refused: "

struct editing {
	const struct object *o; /* NULL: everything */
	const char *path;
	char file[320];
	struct buf text;       /* as it went out last */
	struct snapshot *snap; /* that it was made from */
};

static int
run_editor(const char *file, struct err *err)
{
	const char *editor = getenv("VISUAL");
	char line[400], *word[EDITOR_WORDS + 2], *save = NULL, *p;
	int n = 0, status;
	pid_t pid;

	if (editor == NULL || *editor == '\0')
		editor = getenv("EDITOR");
	if (editor == NULL || *editor == '\0')
		editor = "vi";
	(void)snprintf(line, sizeof(line), "%s", editor);
	for (p = strtok_r(line, " \t", &save); p != NULL && n < EDITOR_WORDS;
	     p = strtok_r(NULL, " \t", &save))
		word[n++] = p;
	if (n == 0)
		return err_set(err, ERR_USAGE, "edit: EDITOR is empty");
	pid = fork();
	if (pid == 0) {
		char copy[320];

		(void)snprintf(copy, sizeof(copy), "%s", file);
		word[n++] = copy;
		word[n] = NULL;
		(void)execvp(word[0], word);
		_exit(127);
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			pid = -1;
	if (pid == -1)
		return err_set(err, -errno, "edit: %s: %s", word[0], strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_USAGE, "edit: %s failed; nothing was changed", word[0]);
	return 0;
}

static int
write_file(const struct editing *e, const char *reason, struct err *err)
{
	int fd = open(e->file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	FILE *f = fd != -1 ? fdopen(fd, "w") : NULL;
	int bad;

	if (f == NULL)
		return err_set(err, -errno, "%s: %s", e->file, strerror(errno));
	if (reason != NULL)
		(void)fprintf(f, MARK "%s\n", reason);
	(void)fwrite(e->text.p, 1, e->text.len, f);
	bad = ferror(f);
	if (fclose(f) != 0 || bad)
		return err_set(err, -EIO, "%s: cannot be written", e->file);
	return 0;
}

/* The text as it is in the file now, without our remark on top. */
static int
read_file(struct editing *e, bool *same_out, struct err *err)
{
	struct buf text = { 0 };
	int rc = input_text(e->file, &text, err);
	size_t skip = 0;

	if (rc != 0) {
		buf_fini(&text);
		return rc;
	}
	if (text.len >= strlen(MARK) && memcmp(text.p, MARK, strlen(MARK)) == 0)
		skip = strcspn(buf_text(&text), "\n") + 1;
	skip = skip > text.len ? text.len : skip;
	*same_out =
	    text.len - skip == e->text.len && memcmp(text.p + skip, e->text.p, e->text.len) == 0;
	e->text.len = 0;
	buf_put(&e->text, text.p + skip, text.len - skip);
	buf_fini(&text);
	return 0;
}

static int
commit_text(struct ctl *c, const struct editing *e, uint32_t base, struct err *err)
{
	struct commit_plan plan = { .base = base };
	struct buf text = { 0 };
	unsigned gone;
	struct doc d;
	int rc;

	doc_init(&d);
	buf_put(&text, e->text.p, e->text.len);
	rc = yaml_parse(&d, DOC_REPLACE, buf_text(&text), text.len, err);
	if (rc == 0 && (e->o == NULL || e->o->kind == KIND_service))
		rc = prune_add(e->snap, &d, e->o == NULL ? PRUNE_ALL : PRUNE_CHILDREN, &gone, err);
	if (rc == 0)
		rc = ctl_commit(c, &d, &plan, err);
	buf_fini(&text);
	doc_fini(&d);
	return rc;
}

static int
edit_loop(struct ctl *c, struct editing *e, struct err *err)
{
	uint32_t base = snapshot_revision(e->snap, SCOPE_SHARED);
	bool again = isatty(STDIN_FILENO) == 1, same;
	struct err why;
	int rc = write_file(e, NULL, err);

	while (rc == 0) {
		rc = run_editor(e->file, err);
		if (rc == 0)
			rc = read_file(e, &same, err);
		if (rc != 0)
			break;
		if (same) {
			ctl_note(c, "not changed");
			(void)unlink(e->file);
			return 0;
		}
		rc = commit_text(c, e, base, &why);
		if (rc >= 0) {
			(void)unlink(e->file);
			return rc;
		}
		if (!again || rc != ERR_INVALID) {
			*err = why;
			(void)err_prefix(err, "your text is kept in %s: ", e->file);
			return rc;
		}
		rc = write_file(e, why.text, err);
	}
	return rc;
}

int
cmd_edit(struct ctl *c, struct err *err)
{
	bool all = strcmp(c->argv[0], "all") == 0;
	struct editing e = { 0 };
	const char *tmp = getenv("TMPDIR");
	struct target t = { 0 };
	int rc = 0, fd;

	if (!all)
		rc = target_parse(c, false, &t, err);
	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc != 0)
		return rc;
	e.snap = snapshot_ref(c->snap); /* opening the store to write drops the other one */
	e.o = t.o;
	e.path = all ? NULL : t.path[0];
	rc =
	    snapshot_export(c->snap, EXPORT_YAML, all ? 0 : t.o->kind, e.path, false, &e.text, err);
	(void)snprintf(e.file, sizeof(e.file), "%s/lbctl-XXXXXX.yaml",
	    tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	if (rc == 0 && (fd = mkstemps(e.file, 5)) == -1)
		rc = err_set(err, -errno, "%s: %s", e.file, strerror(errno));
	else if (rc == 0)
		(void)close(fd);
	if (rc == 0)
		rc = edit_loop(c, &e, err);
	buf_fini(&e.text);
	snapshot_unref(e.snap);
	return rc;
}
