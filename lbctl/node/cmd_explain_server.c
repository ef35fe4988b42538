/* explain-server: what a real server needs so that it works behind this node, for its system. The text is made in
 * common/advice; here the words of the command line become its question. Nothing is changed, here or there. */
#include "ctl.h"

#include "advice/advice.h"
#include "facts.h"

#include <stdio.h>
#include <string.h>

/* A word out of a list; its place. The option not given: 0. */
static int
choose(const char *option, const char *word, const char *const *words, unsigned n, uint8_t *out,
    struct err *err)
{
	struct buf all = { 0 };
	unsigned i;

	for (i = 0; word != NULL && i < n && strcmp(word, words[i]) != 0;)
		i++;
	*out = (uint8_t)(word != NULL ? i : 0);
	if (word == NULL || i < n)
		return 0;
	for (i = 0; i < n; i++)
		buf_printf(&all, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", words[i]);
	(void)err_set(
	    err, ERR_USAGE, "--%s: \"%s\" is none; allowed are %s", option, word, buf_text(&all));
	buf_fini(&all);
	return ERR_USAGE;
}

static int
find_server(struct ctl *c, const struct server **srv, const struct service **svc, struct err *err)
{
	struct picked rows;
	int rc = ctl_load(c, err);

	if (rc == 0)
		rc = pick_rows(c, object_of(KIND_server), 1, c->argv, &rows, err);
	if (rc != 0)
		return rc;
	if (rows.n != 1)
		return err_set(err, ERR_USAGE, "%s: one server at a time", c->cmd->name);
	*srv = rows.row[0];
	*svc = snapshot_find(c->snap, KIND_service, (*srv)->vip);
	if ((*srv)->address.addr.family == 0)
		return err_set(err, ERR_INVALID,
		    "rip %s: address: \"%s\" is a name; what the server needs depends on its address",
		    c->argv[0], (*srv)->address.text);
	return 0;
}

static void
print_json(const struct advice *a)
{
	static const char *const kinds[] = { [ADVICE_TITLE] = "title",
		[ADVICE_TEXT] = "text",
		[ADVICE_COMMAND] = "command",
		[ADVICE_EXPECT] = "expect",
		[ADVICE_OTHER] = "other" };
	struct buf out = { 0 };

	buf_puts(&out, "[");
	for (unsigned i = 0; i < a->n; i++) {
		buf_printf(&out, "%s\n{\"kind\":\"%s\",\"text\":", i > 0 ? "," : "",
		    kinds[a->rows[i].kind]);
		view_json_text(&out, a->rows[i].text);
		buf_puts(&out, "}");
	}
	buf_puts(&out, "\n]\n");
	ctl_print(&out);
	buf_fini(&out);
}

int
cmd_explain_server(struct ctl *c, struct err *err)
{
	const struct service *svc = NULL;
	const struct server *srv = NULL;
	struct advice_ask ask;
	struct advice advice = { 0 };
	struct facts facts = { 0 };
	struct buf out = { 0 };
	uint8_t os, method;
	int rc = choose("os", c->opt[OPT_os], advice_os_word, ADVICE_SYSTEMS, &os, err);

	if (rc == 0)
		rc = choose(
		    "method", c->opt[OPT_method], advice_method_word, ADVICE_METHODS, &method, err);
	if (rc == 0)
		rc = find_server(c, &srv, &svc, err);
	if (rc == 0)
		rc = facts_read(&facts, err);
	if (rc == 0) {
		facts_ask(&facts, c->snap, svc, srv, &ask);
		ask.os = os;
		ask.method = method;
		ask.interface = c->opt[OPT_interface];
		ask.loopback = c->opt[OPT_loopback];
		rc = advice_server(&ask, &advice, err);
	}
	if (rc == 0 && c->style.form == FORM_JSON) {
		print_json(&advice);
	} else if (rc == 0) {
		advice_text(&advice, &out);
		ctl_print(&out);
	}
	buf_fini(&out);
	advice_fini(&advice);
	facts_fini(&facts);
	return rc;
}
