/* Reference made from rows: lbctl doc, and the completion script of the shell. */
#include "words/help.h"

#include "schema/doc.h"

#include <stdio.h>
#include <string.h>

void
help_man_yaml(struct buf *out)
{
	buf_puts(out,
	    ".Dd November 21, 2026\n.Dt LBD.YAML 5\n.Os lbd\n.Sh NAME\n.Nm lbd.yaml\n"
	    ".Nd configuration of the load balancer lbd as text\n.Sh DESCRIPTION\n"
	    "What\n.Cm lbctl export\nprints and\n.Cm lbctl apply Fl f\ntakes: "
	    "kinds, names within each kind, and fields of each name.\n"
	    "Real servers stand within their virtual service under\n.Cm rips .\n"
	    "A field that is left out has its default.\n"
	    "The same shape is taken as JSON.\n.Bd -literal -offset indent\n"
	    "check:\n  page: {kind: http, path: /health}\nvip:\n  shop:\n    address: 192.0.2.10\n"
	    "    ports: \"80\"\n    check: page\n    rips:\n      web1: {address: 10.0.0.11, port: 8080}\n.Ed\n");
	help_man(out);
	buf_puts(out, ".Sh SEE ALSO\n.Xr lbctl 1 ,\n.Xr lbd 7\n");
}

static const char *
program_words(unsigned bits, char out[64])
{
	static const struct {
		unsigned bit;
		const char *word;
	} rows[] = { { PROG_CTL, "lbctl" }, { PROG_WEB, "web" }, { PROG_CHECK, "check" },
		{ PROG_IPVS, "ipvs" }, { PROG_PROXY, "proxy" }, { PROG_HA, "ha" } };
	struct buf b = { 0 };
	unsigned i;

	for (i = 0; i < 6; i++)
		if (bits != PROG_ANY && (bits & rows[i].bit))
			buf_printf(&b, "%s%s", b.len > 0 ? " " : "", rows[i].word);
	(void)snprintf(out, 64, "%s", bits == PROG_ANY ? "any" : buf_text(&b));
	buf_fini(&b);
	return out;
}

static void
doc_messages(struct buf *out)
{
	static const char *const access[] = { "public", "operator", "internal" };
	char from[64], to[64];
	unsigned i, k;

	for (i = 0; i < msg_rows_n; i++) {
		const struct msg_row *r = &msg_rows[i];

		buf_printf(out, "%s%u %s  %s -> %s, %s\n    %s\n", i > 0 ? "\n" : "", r->number,
		    r->name, program_words(r->from, from), program_words(r->to, to),
		    access[r->access], r->help);
		for (k = 0; k < r->n; k++)
			buf_printf(out, "    %2u %-10s %s%s\n", r->f[k].tag, r->f[k].name,
			    r->f[k].required ? "" : "(optional) ", r->f[k].help);
	}
}

int
cmd_doc(struct ctl *c, struct err *err)
{
	static const struct {
		const char *topic;
		void (*fn)(struct buf *out);
	} topics[] = { { "man", help_man }, { "man-lbctl", help_man_lbctl },
		{ "man-yaml", help_man_yaml }, { "messages", doc_messages } };
	struct buf out = { 0 };
	unsigned i;

	for (i = 0; i < 4; i++)
		if (strcmp(topics[i].topic, c->argv[0]) == 0)
			break;
	if (i == 4)
		return err_set(err, ERR_USAGE, "doc: \"%s\" is no topic", c->argv[0]);
	topics[i].fn(&out);
	ctl_print(&out);
	buf_fini(&out);
	return 0;
}

static const char bash_script[] =
    "# bash completion of lbctl; lbctl itself knows what may stand next, live names too.\n"
    "_lbctl() {\n"
    "\tlocal line=${COMP_LINE:0:COMP_POINT} words value current front=\n"
    "\tread -ra words <<<\"$line\"\n"
    "\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
    "\tcurrent=${words[-1]}\n"
    "\t# readline replaces only what follows the last = or :\n"
    "\t[[ $current == *[=:]* ]] && front=${current%\"${current##*[=:]}\"}\n"
    "\tCOMPREPLY=()\n"
    "\twhile IFS=$'\\t' read -r value _; do\n"
    "\t\tCOMPREPLY+=(\"${value#\"$front\"}\")\n"
    "\tdone < <(\"${words[0]}\" __complete -- \"${words[@]:1}\" 2>/dev/null)\n"
    "\t[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace\n"
    "\treturn 0\n"
    "}\n"
    "complete -o default -F _lbctl lbctl\n";

int
cmd_completion(struct ctl *c, struct err *err)
{
	(void)c;
	(void)err;
	(void)fputs(bash_script, stdout);
	return 0;
}
