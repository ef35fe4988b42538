/* What comes in: files, folders, standard input, passwords. Sizes are bounded, and an error names the file. */
#include "ctl.h"

#include "store/secret.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define INPUT_MAX (64u << 20)
#define PASSWORD_MADE 20
#define FILES_MAX 1000

int
input_text(const char *path, struct buf *out, struct err *err)
{
	bool std = strcmp(path, "-") == 0;
	int fd = std ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	char part[65536];
	ssize_t n;

	if (fd == -1)
		return err_set(
		    err, errno == ENOENT ? ERR_UNKNOWN : -errno, "%s: %s", path, strerror(errno));
	while ((n = read(fd, part, sizeof(part))) > 0) {
		buf_put(out, part, (size_t)n);
		if (out->len > INPUT_MAX) {
			rc = err_set(err, ERR_INVALID, "%s: longer than 64 MiB", path);
			break;
		}
	}
	if (n == -1)
		rc = err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!std)
		(void)close(fd);
	return rc;
}

static int
parse_text(const char *path, enum doc_op op, struct doc *d, struct err *err)
{
	struct buf text = { 0 };
	const char *p;
	int rc = input_text(path, &text, err);

	if (rc == 0) {
		p = buf_text(&text);
		p += strspn(p, " \t\r\n");
		rc = *p == '{' ? json_parse(d, op, buf_text(&text), text.len, err)
			       : yaml_parse(d, op, buf_text(&text), text.len, err);
		if (rc != 0)
			(void)err_prefix(
			    err, "%s: ", strcmp(path, "-") == 0 ? "standard input" : path);
	}
	buf_fini(&text);
	return rc;
}

static int
wanted_file(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return e->d_name[0] != '.' && dot != NULL &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static int
parse_folder(const char *dir, enum doc_op op, struct doc *d, struct err *err)
{
	struct dirent **names;
	char path[4096];
	int n = scandir(dir, &names, wanted_file, alphasort), i, rc = 0;

	if (n == -1)
		return err_set(err, -errno, "%s: %s", dir, strerror(errno));
	if (n == 0)
		rc = err_set(
		    err, ERR_UNKNOWN, "%s: no .yaml, .yml or .json file in this folder", dir);
	if (n > FILES_MAX)
		rc = err_set(err, ERR_INVALID, "%s: %d files; at most %d", dir, n, FILES_MAX);
	for (i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		if (rc == 0)
			rc = parse_text(path, op, d, err);
		free(names[i]);
	}
	free(names);
	return rc;
}

int
input_doc(struct ctl *c, enum doc_op op, struct doc *d, struct err *err)
{
	const char *path = c->opt[OPT_file];
	struct stat sb;

	if (path == NULL)
		return err_set(
		    err, ERR_USAGE, "%s: -f FILE is missing (- is standard input)", c->cmd->name);
	if (strcmp(path, "-") != 0 && stat(path, &sb) == 0 && S_ISDIR(sb.st_mode))
		return parse_folder(path, op, d, err);
	return parse_text(path, op, d, err);
}

static int
read_line(char *out, size_t room, struct err *err)
{
	size_t n;

	if (fgets(out, (int)room, stdin) == NULL)
		return err_set(err, ERR_USAGE, "no password on standard input");
	n = strcspn(out, "\r\n");
	if (out[n] == '\0' && n + 1 == room)
		return err_set(err, ERR_INVALID, "password: longer than 256 bytes");
	out[n] = '\0';
	return 0;
}

static int
ask_password(const char *whose, const char *again, char *out, size_t room, struct err *err)
{
	struct termios was, silent;
	int rc;

	if (tcgetattr(STDIN_FILENO, &was) != 0)
		return err_set(err, -errno, "terminal: %s", strerror(errno));
	silent = was;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	/* Silent before the prompt: what is typed the moment it appears is not shown, nor lost. */
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &silent);
	(void)fprintf(stderr, "Password of %s%s: ", whose, again);
	(void)fflush(stderr);
	rc = read_line(out, room, err);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &was);
	(void)fputc('\n', stderr);
	return rc;
}

bool
input_can_ask(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

int
input_one_password(const char *whose, char out[300], struct err *err)
{
	return ask_password(whose, "", out, 258, err);
}

int
input_password(struct ctl *c, const char *whose, char out[300], bool *made_out, struct err *err)
{
	char again[300];
	int rc;

	*made_out = false;
	if (GIVEN(c, stdin))
		return read_line(out, 258, err);
	if (!input_can_ask()) {
		secret_random(out, PASSWORD_MADE);
		*made_out = true;
		return 0;
	}
	rc = ask_password(whose, "", out, 258, err);
	if (rc == 0)
		rc = ask_password(whose, ", again", again, sizeof(again), err);
	if (rc == 0 && strcmp(out, again) != 0)
		rc = err_set(err, ERR_USAGE, "the two passwords differ; nothing was changed");
	explicit_bzero(again, sizeof(again));
	return rc;
}
