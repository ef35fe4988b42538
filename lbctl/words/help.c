/* Help, the manual pages and the completion script: made from the rows of commands.def and options.def, and from the
 * schema's rows (schema/doc.h), so that nothing is described twice. */
#include "help.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void
put_usage(const struct command *cmd, struct buf *out)
{
	buf_printf(out, "lbctl %s%s%s", cmd->name, *cmd->args != '\0' ? " " : "", cmd->args);
}

static void
put_option(const struct option_row *o, struct buf *out)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%c%c%s--%s%s%s", o->letter != 0 ? '-' : ' ',
	    o->letter != 0 ? o->letter : ' ', o->letter != 0 ? ", " : "  ", o->word,
	    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
	buf_printf(out, "  %-22s  %s\n", text, o->help);
}

static void
put_lines(const char *text, const char *front, struct buf *out)
{
	const char *p = text;

	while (*p != '\0') {
		size_t n = strcspn(p, "\n");

		buf_printf(out, "%s%.*s\n", front, (int)n, p);
		p += n + (p[n] == '\n');
	}
}

void
help_text(const struct command *cmd, struct buf *out)
{
	unsigned i, own = 0;

	put_usage(cmd, out);
	buf_printf(out, "\n\n%s\n", cmd->help);
	for (i = 0; i < OPTIONS; i++) {
		if (option_rows[i].scope == ALL || !command_takes(cmd, i))
			continue;
		if (own++ == 0)
			buf_puts(
			    out, "\nOptions (lbctl help lists those that every command takes):\n");
		put_option(&option_rows[i], out);
	}
	buf_puts(out, "\nExamples:\n");
	put_lines(cmd->examples, "  ", out);
}

int
help_command(struct ctl *c, const struct command *cmd)
{
	struct buf out = { 0 };

	(void)c;
	help_text(cmd, &out);
	ctl_print(&out);
	buf_fini(&out);
	return 0;
}

int
help_all(struct ctl *c)
{
	struct buf out = { 0 };
	unsigned i;

	(void)c;
	buf_puts(&out,
	    "lbctl: the command line of lbd, a load balancer. lbctl help COMMAND tells more.\n");
	for (i = 0; i < commands_n; i++) {
		const struct command *cmd = &commands[i];

		if (cmd->section != NULL)
			buf_printf(&out, "\n%s\n", cmd->section);
		else
			buf_printf(
			    &out, "  %-15s %.*s\n", cmd->name, command_summary_len(cmd), cmd->help);
	}
	buf_puts(&out, "\nOptions of every command\n");
	for (i = 0; i < OPTIONS; i++)
		if (option_rows[i].scope == ALL)
			put_option(&option_rows[i], &out);
	ctl_print(&out);
	buf_fini(&out);
	return 0;
}

int
help_group(struct ctl *c, const char *word)
{
	size_t n = strlen(word);
	struct buf out = { 0 };
	unsigned i;

	(void)c;
	for (i = 0; i < commands_n; i++) {
		if (commands[i].name == NULL || strncmp(commands[i].name, word, n) != 0 ||
		    commands[i].name[n] != ' ')
			continue;
		put_usage(&commands[i], &out);
		buf_printf(&out, "\n    %s\n", commands[i].help);
	}
	ctl_print(&out);
	buf_fini(&out);
	return 0;
}

int
cmd_help(struct ctl *c, struct err *err)
{
	const struct command *cmd;
	const char *near;

	if (c->argc == 0)
		return help_all(c);
	cmd = command_find(c->argv[0], c->argc > 1 ? c->argv[1] : NULL);
	if (cmd != NULL)
		return help_command(c, cmd);
	if (command_is_group(c->argv[0]) && c->argc == 1)
		return help_group(c, c->argv[0]);
	near = command_nearest(c->argv[0]);
	return err_set(err, ERR_USAGE, "unknown command \"%s\"%s%s%s", c->argv[0],
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}

/* ---- mdoc ------------------------------------------------------------------------------------------------------------ */

/* Text of a row as mdoc: each sentence on a line of its own, nothing that could be taken for a request. */
static void
man_text(const char *text, struct buf *out)
{
	bool begin = true;

	for (; *text != '\0'; text++) {
		if (begin && (*text == '.' || *text == '\''))
			buf_puts(out, "\\&");
		begin = false;
		if (*text == '\\') {
			buf_puts(out, "\\e");
		} else if (*text == ' ' && text[-1] == '.' && isupper((unsigned char)text[1])) {
			buf_puts(out, "\n");
			begin = true;
		} else {
			buf_put(out, text, 1);
			begin = *text == '\n';
		}
	}
	buf_puts(out, "\n");
}

static void
man_option(const struct option_row *o, struct buf *out)
{
	buf_puts(out, ".It ");
	if (o->letter != 0)
		buf_printf(out, "Fl %c , ", o->letter);
	buf_printf(out, "Fl -%s", o->word);
	if (o->arg != NULL)
		buf_printf(out, " Ar %s", o->arg);
	buf_puts(out, "\n");
	man_text(o->help, out);
}

static void
man_commands(struct buf *out)
{
	bool open = false;
	unsigned i, k;

	for (i = 0; i < commands_n; i++) {
		const struct command *cmd = &commands[i];
		bool any = false;

		if (cmd->section != NULL) {
			buf_printf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", open ? ".El\n" : "",
			    cmd->section);
			open = true;
			continue;
		}
		buf_printf(
		    out, ".It Cm %s%s%s\n", cmd->name, *cmd->args != '\0' ? " Ar " : "", cmd->args);
		man_text(cmd->help, out);
		for (k = 0; k < OPTIONS; k++) {
			if (option_rows[k].scope == ALL || !command_takes(cmd, k))
				continue;
			buf_printf(out, "%s--%s", any ? ", " : "Options: ", option_rows[k].word);
			any = true;
		}
		buf_puts(out, any ? ".\n" : "");
		buf_puts(out, ".Bd -literal -offset indent -compact\n");
		for (k = 0; cmd->examples[k] != '\0'; k++)
			buf_puts(out,
			    cmd->examples[k] == '\\' ? "\\e" : (char[]){ cmd->examples[k], '\0' });
		buf_puts(out, "\n.Ed\n");
	}
	buf_puts(out, open ? ".El\n" : "");
}

static const char man_head[] =
    ".Dd November 21, 2026\n.Dt LBCTL 1\n.Os lbd\n.Sh NAME\n.Nm lbctl\n.Nd command line of the load balancer lbd\n"
    ".Sh SYNOPSIS\n.Nm\n.Op Ar options\n.Ar command\n.Op Ar arguments\n.Sh DESCRIPTION\n"
    ".Nm\nchanges the configuration of\n.Xr lbd 7\nand shows how it stands.\n"
    "It works on the store itself, so it works with every daemon stopped; how things stand it asks the daemons.\n"
    "Root and members of group\n.Sy lbd-admin\nmay change things, everybody may look.\n.Pp\n"
    "A virtual service is a\n.Ar VIP ,\na real server of it is named\n.Ar VIP Ns / Ns Ar RIP .\n"
    "Names may hold * and ?, quoted against the shell;\n.Ar VIP Ns /\nis every server of a service.\n"
    "Data goes to standard output, everything else to standard error.\n"
    ".Sh OPTIONS\nOptions may stand anywhere; -- ends them.\n"
    "Those from\n.Fl -watch\non are taken by the commands that list them.\n.Bl -tag -width Ds\n";

static const char man_tail[] =
    ".Sh ENVIRONMENT\n.Bl -tag -width SSH_CONNECTION\n"
    ".It Ev LBD_ROOT\nas\n.Fl -root .\n"
    ".It Ev NO_COLOR , TERM\nno colours when the first is not empty or the second is dumb.\n"
    ".It Ev VISUAL , EDITOR\nthe editor of\n.Cm edit .\n"
    ".It Ev SUDO_USER , SSH_CONNECTION\nwho and from where, as history shows it.\n.El\n"
    ".Sh EXIT STATUS\n.Bl -tag -width Ds\n"
    ".It 0\nsuccess; for diff: no difference.\n"
    ".It 1\ndiff: there are differences; status, doctor: something is degraded or down; else a general failure, or a "
    "daemon that does not have the change in force.\n"
    ".It 2\nthe command line is wrong, or a confirmation is missing.\n"
    ".It 3\na named object does not exist.\n"
    ".It 4\nconflict: the revision moved, a name is in use, a trial waits.\n"
    ".It 5\nnot allowed.\n"
    ".It 6\na daemon is not reachable.\n"
    ".It 7\nvalidation failed; nothing was changed.\n"
    ".It 8\nnot so in time.\n"
    ".It 9\nrolled back: the trial was not confirmed in time.\n.El\n"
    ".Pp\nErrors are one line, \"lbctl: text\"; with\n.Fl o Cm json\nthe body of RFC 9457 on one line of standard error.\n"
    ".Sh SEE ALSO\n.Xr lbd.yaml 5 ,\n.Xr lbd 7 ,\n.Xr lbd-check 8 ,\n.Xr lbd-ha 8 ,\n.Xr lbd-proxy 8 ,\n"
    ".Xr lbd-web 8\n";

void
help_man_lbctl(struct buf *out)
{
	unsigned i;

	buf_puts(out, man_head);
	for (i = 0; i < OPTIONS; i++)
		if (option_rows[i].scope != OWN)
			man_option(&option_rows[i], out);
	buf_puts(out, ".El\n.Pp\nOptions of single commands:\n.Bl -tag -width Ds\n");
	for (i = 0; i < OPTIONS; i++)
		if (option_rows[i].scope == OWN)
			man_option(&option_rows[i], out);
	buf_puts(out, ".El\n.Sh COMMANDS\n");
	man_commands(out);
	buf_puts(out, man_tail);
}
