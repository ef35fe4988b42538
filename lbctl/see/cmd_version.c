/* lbctl version: what runs here; with --check whether the machine could have a newer one. What is newest is asked of the
 * package manager (apt-cache, without a shell; it looks into its own lists and goes nowhere) or said on the command line.
 * Where there is no package manager, or it does not know the suite, that is said and is no fault. */
#include "ctl.h"
#include "version.h"

#include "msg/client.h"
#include "msg/view.h"
#include "out/table.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKAGE "lbd"
#define APT_CACHE "/usr/bin/apt-cache"
#define APT_WAIT DUR_S(20)
#define APT_ANSWER 8192 /* more is not read: the candidate stands in its third line */

/* ---- what runs ------------------------------------------------------------------------------------------------------ */

enum { V_NAME, V_VERSION, V_REVISION, V_NOTE };
static const struct column version_columns[] = {
	[V_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[V_VERSION] = { "version", NULL, COL_TEXT, COL_SHOW },
	[V_REVISION] = { "revision", NULL, COL_ID, COL_SHOW },
	[V_NOTE] = { "note", NULL, COL_TEXT, COL_SHOW },
};

static void
version_row(struct table *t, const char *name, const char *version, const char *note)
{
	table_row(t);
	table_text(t, V_NAME, name);
	if (version != NULL)
		table_text(t, V_VERSION, version);
	table_text(t, V_NOTE, note);
}

/* "IP Virtual Server version 1.2.1 (size=4096)": the kernel's own words. */
static void
ipvs_version(char out[24])
{
	FILE *f = fopen("/proc/net/ip_vs", "re");
	char line[128], *p;

	out[0] = '\0';
	if (f == NULL)
		return;
	if (fgets(line, sizeof(line), f) != NULL && (p = strstr(line, "version ")) != NULL)
		(void)snprintf(out, 24, "%.*s", (int)strcspn(p + 8, " "), p + 8);
	(void)fclose(f);
}

static int
show_versions(struct ctl *c, struct err *err)
{
	struct table *t = table_new(version_columns, 4);
	struct view *v = view_new();
	const struct view_daemon *d;
	struct utsname u;
	unsigned n, i;
	char text[40];

	(void)view_collect(v, &c->paths, VIEW_DAEMONS, CTL_ANSWER, NULL);
	version_row(t, "lbctl", LBD_VERSION, "");
	d = view_daemons(v, &n);
	for (i = 0; i < n; i++) {
		bool other = d[i].running && strcmp(d[i].release, LBD_VERSION) != 0;

		version_row(t, d[i].name, d[i].running ? d[i].release : NULL,
		    other	   ? "not the version of lbctl"
		    : d[i].running ? ""
				   : "does not run");
		if (d[i].running)
			table_num(t, V_REVISION, d[i].revision);
	}
	(void)snprintf(text, sizeof(text), "%u", schema_version());
	version_row(t, "schema", text, "");
	if (uname(&u) == 0)
		version_row(t, "kernel", u.release, "");
	ipvs_version(text);
	version_row(t, "ipvs", text[0] != '\0' ? text : NULL, text[0] != '\0' ? "" : "not loaded");
	view_free(v);
	return ctl_table(c, t, err);
}

/* ---- --check ---------------------------------------------------------------------------------------------------------- */

/* In the child: no terminal, English, and the package manager's own words into out. */
static void
run_apt(int out)
{
	static const char *const argv[] = { "apt-cache", "policy", PACKAGE, NULL };
	static const char *const env[] = { "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null != -1 && dup2(null, STDIN_FILENO) != -1 && dup2(null, STDERR_FILENO) != -1 &&
	    dup2(out, STDOUT_FILENO) != -1)
		(void)execve(
		    APT_CACHE, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

/* All that comes until the end, the deadline or a full buffer. */
static void
read_all(int fd, mono_t deadline, char out[APT_ANSWER])
{
	size_t len = 0;

	while (len < APT_ANSWER - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		mono_t left = deadline - mono_now();
		ssize_t n;

		if (left <= 0 || (poll(&p, 1, (int)(left / 1000) + 1) == -1 && errno != EINTR))
			break;
		if (p.revents == 0)
			continue;
		n = read(fd, out + len, APT_ANSWER - 1 - len);
		if (n == 0 || (n == -1 && errno != EINTR))
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	out[len] = '\0';
}

/* What "apt-cache policy" says; "" when it says nothing. false: it cannot be run. */
static bool
ask_apt(char out[APT_ANSWER])
{
	int fds[2], status = 0;
	pid_t pid;

	if (access(APT_CACHE, X_OK) == -1 || pipe2(fds, O_CLOEXEC) == -1)
		return false;
	pid = fork();
	if (pid == 0)
		run_apt(fds[1]);
	(void)close(fds[1]);
	if (pid > 0) {
		read_all(fds[0], mono_now() + APT_WAIT, out);
		(void)kill(pid, SIGKILL); /* it is over, or too late */
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
	}
	(void)close(fds[0]);
	return pid > 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 127);
}

/* The candidate of the package manager; otherwise why there is none. */
static const char *
candidate(struct ctl *c, char out[VERSION_TEXT])
{
	static const char word[] = "Candidate:";
	char answer[APT_ANSWER], text[VERSION_TEXT], why[160];
	const char *p;

	if (!ask_apt(answer))
		return "no package manager that could be asked (" APT_CACHE ")";
	p = strstr(answer, word);
	if (p == NULL || sscanf(p + sizeof(word) - 1, "%63s", text) != 1 ||
	    strcmp(text, "(none)") == 0)
		return "the package manager knows no package " PACKAGE;
	if (version_of_package(text, out))
		return NULL;
	(void)snprintf(
	    why, sizeof(why), "the package manager offers \"%s\", which is no version", text);
	return arena_text(c->arena, why, strlen(why));
}

enum { N_NAME, N_VERSION, N_OTHER, N_RESULT, N_NOTE };
static const struct column check_columns[] = {
	[N_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[N_VERSION] = { "version", NULL, COL_TEXT, COL_SHOW },
	[N_OTHER] = { "candidate", NULL, COL_TEXT, COL_SHOW },
	[N_RESULT] = { "result", NULL, COL_TEXT, COL_SHOW },
	[N_NOTE] = { "note", NULL, COL_TEXT, COL_SHOW },
};

static int
check_version(struct ctl *c, struct err *err)
{
	char offered[VERSION_TEXT];
	const char *other = offered, *note = "";
	struct table *t;
	int order = 0, rc;

	if (c->argc > 0) {
		other = c->argv[0];
		if (!version_valid(other))
			return err_set(err, ERR_USAGE,
			    "version: \"%s\" is not a version such as 0.2.0 or 1.0.0-rc.1", other);
	} else if ((note = candidate(c, offered)) != NULL) {
		other = NULL;
	}
	if (other != NULL) {
		order = version_compare(other, LBD_VERSION);
		note = order > 0   ? "is newer than what is here"
		       : order < 0 ? "is older than what is here"
				   : "is what is here";
	}
	t = table_new(check_columns, 5);
	table_row(t);
	table_text(t, N_NAME, PACKAGE);
	table_text(t, N_VERSION, LBD_VERSION);
	if (other != NULL)
		table_text(t, N_OTHER, other);
	table_text(t, N_RESULT,
	    other == NULL ? "unknown"
	    : order > 0	  ? "newer"
	    : order < 0	  ? "older"
			  : "same");
	table_text(t, N_NOTE, note);
	rc = ctl_table(c, t, err);
	return rc == 0 && order > 0 ? EXIT_DIFFERS : rc;
}

int
cmd_version(struct ctl *c, struct err *err)
{
	if (GIVEN(c, check))
		return check_version(c, err);
	if (c->argc > 0)
		return err_set(err, ERR_USAGE, "version: a version to compare with needs --check");
	return show_versions(c, err);
}
