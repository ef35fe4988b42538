/* lbctl: the command line of lbd. It works on the store itself, so it works with every daemon stopped; how things
 * stand it asks the daemons over their sockets. The table of commands is commands.def; this file takes the line
 * apart, runs one row, and turns what comes back into one line on standard error and an exit code. */
#include "words/complete.h"
#include "words/help.h"
#include "words/options.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* "lbctl: <text>"; with -o json the body of RFC 9457, on one line of standard error too. */
static void
print_error(const struct ctl *c, const struct err *err, int exit_code)
{
	struct buf b = { 0 };

	(void)fflush(stdout);
	if (c->style.form == FORM_JSON) {
		buf_printf(&b,
		    "{\"type\":\"urn:lbd:error:%d\",\"title\":\"lbctl failed\",\"status\":%d,\"detail\":",
		    exit_code, exit_code);
		view_json_text(&b, err->text);
		if (err->object[0] != '\0') {
			buf_puts(&b, ",\"object\":");
			view_json_text(&b, err->object);
		}
		if (err->field[0] != '\0') {
			buf_puts(&b, ",\"field\":");
			view_json_text(&b, err->field);
		}
		buf_puts(&b, "}");
		(void)fprintf(stderr, "%s\n", buf_text(&b));
	} else {
		(void)fprintf(stderr, "lbctl: %s\n", err->text);
	}
	buf_fini(&b);
}

static int
run_command(struct ctl *c, int argc, char **argv, struct err *err)
{
	int rc = options_parse(c, argc, argv, err), style;
	struct err ignored;

	style = options_style(c, rc == 0 ? err : &ignored);
	if (rc == 0)
		rc = style;
	if (rc == 0 && GIVEN(c, help)) {
		if (c->cmd != NULL)
			return help_command(c, c->cmd);
		return c->first != NULL ? help_group(c, c->first) : help_all(c);
	}
	if (rc == 0)
		rc = paths_init(&c->paths, c->opt[OPT_root], err);
	return rc == 0 ? c->cmd->fn(c, err) : rc;
}

/* Where "__complete" stands: first, or after --root DIR; 0: it does not. */
static int
completion_at(int argc, char **argv)
{
	int at = argc > 3 && strcmp(argv[1], "--root") == 0 ? 3 : 1;

	return argc > at && strcmp(argv[at], "__complete") == 0 ? at : 0;
}

int
main(int argc, char **argv)
{
	struct err err = { 0 };
	struct ctl c;
	int rc, code, at;

	(void)signal(SIGPIPE, SIG_DFL);
	ctl_init(&c);
	at = completion_at(argc, argv);
	if (at > 0) {
		if (at == 3)
			c.opt[OPT_root] = argv[2];
		code = complete_words(&c, argc - at - 1, argv + at + 1);
		ctl_fini(&c);
		return code;
	}
	rc = argc > 1 ? run_command(&c, argc - 1, argv + 1, &err) : help_all(&c);
	code = ctl_exit_code(rc);
	if (rc < 0)
		print_error(&c, &err, code);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fprintf(stderr, "lbctl: standard output: %s\n", strerror(errno));
		code = code == 0 ? EXIT_FAULT : code;
	}
	ctl_fini(&c);
	return code;
}
