/* script.c - which program a row of the configuration means, and whether it may be run.
 *
 * Such a program runs with the rights of lbd-ha, without a shell, and the row can be written over the network by whoever
 * may change the configuration. So the row has a name of one folder and words for it; that nobody but root has put the
 * program there is looked at before each run. It does not run anything itself (sys/child.h does). */
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
script_set(struct script *s, const char *folder, const char *text)
{
	char *save = NULL, *word;
	unsigned n = 0;

	(void)snprintf(s->words, sizeof(s->words), "%s/%s", folder, text);
	s->argv[n++] = s->words;
	/* The folder may have a space in its name: what is split begins behind it. */
	word = strchr(s->words + strlen(folder), ' ');
	if (word != NULL)
		*word++ = '\0';
	for (word = word != NULL ? strtok_r(word, " ", &save) : NULL;
	     word != NULL && n < SCRIPT_WORDS - 1; word = strtok_r(NULL, " ", &save))
		s->argv[n++] = word;
	s->argv[n] = NULL;
}

static bool
is_ours(const char *path, char why[SCRIPT_WHY])
{
	struct stat st;

	if (stat(path, &st) == -1) {
		(void)snprintf(why, SCRIPT_WHY, "%.300s: %s", path, strerror(errno));
		return false;
	}
	(void)snprintf(why, SCRIPT_WHY, "%.300s: others than root can change it", path);
	return (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool
script_may_run(const struct script *s, const char *folder, char why[SCRIPT_WHY])
{
	return is_ours(folder, why) && is_ours(s->argv[0], why);
}

static void
quote(const struct child_result *r, char out[SCRIPT_RESULT])
{
	size_t to = strlen(out);

	if (r->err == NULL || r->err_len == 0 || to + 3 >= SCRIPT_RESULT)
		return;
	out[to++] = ':';
	out[to++] = ' ';
	for (size_t i = 0; i < r->err_len && r->err[i] != '\n' && to + 1 < SCRIPT_RESULT; i++)
		out[to++] = r->err[i] >= ' ' && r->err[i] <= '~' ? r->err[i] : '?';
	out[to] = '\0';
}

bool
script_result(const struct child_result *r, unsigned limit_ms, char out[SCRIPT_RESULT])
{
	if (r->late)
		(void)snprintf(out, SCRIPT_RESULT, "killed after %u ms without an end", limit_ms);
	else if (r->code == -1)
		(void)snprintf(out, SCRIPT_RESULT, "ended by signal %d", r->signo);
	else
		(void)snprintf(out, SCRIPT_RESULT, "exit code %d", r->code);
	if (r->late || r->code == 0)
		return !r->late;
	quote(r, out);
	return false;
}
