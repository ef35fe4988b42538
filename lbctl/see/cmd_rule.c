/* rule try: what the content rules of a service would do with a request, or with a connection of mode tcp. lbd-proxy decides, as it
 * does for traffic; nothing is sent to a server, and nothing is counted. */
#include "ctl.h"

#include "base/must.h"
#include "msg/client.h"
#include "msg/rule_report.h"

#include <stdio.h>
#include <string.h>

enum { R_RULE, R_ORDER, R_ACTION, R_DOES };
static const struct column columns[] = {
	[R_RULE] = { "rule", NULL, COL_TEXT, COL_SHOW },
	[R_ORDER] = { "order", NULL, COL_ID, COL_SHOW },
	[R_ACTION] = { "action", NULL, COL_TEXT, COL_SHOW },
	[R_DOES] = { "does", NULL, COL_TEXT, COL_SHOW },
};

static int
on_rule(void *arg, const struct msg_row *row, const union msg_any *m)
{
	if (row->number == MSG_RULE_IS)
		rule_report_add(arg, &m->rule_is);
	return 0;
}

/* Rules that hold, in their order, and what comes of it. */
static int
print(struct ctl *c, const struct rule_report *r, struct err *err)
{
	struct table *t = table_new(columns, ARRAY_LEN(columns));
	struct buf out = { 0 };
	int rc;

	for (unsigned i = 0; i < r->n; i++) {
		const struct content_rule *row =
		    snapshot_find(c->snap, KIND_content_rule, r->said[i].rule);

		if (r->said[i].rule == 0)
			continue;
		table_row(t);
		table_text(t, R_RULE, row != NULL ? row->name : "?");
		if (row != NULL)
			table_num(t, R_ORDER, row->order);
		table_text(t, R_ACTION, r->said[i].what);
		table_text(t, R_DOES, r->said[i].text);
	}
	rc = table_rows(t) == 0 && c->style.form != FORM_CSV && c->style.form != FORM_YAML
		 ? (buf_puts(&out, "no rule holds\n"), 0)
		 : table_print(t, &c->style, &out, err);
	table_free(t);
	if (rc == 0 && (c->style.form == FORM_TABLE || c->style.form == FORM_WIDE)) {
		buf_puts(&out, "\n");
		for (unsigned i = 0; i < r->n; i++)
			if (r->said[i].rule == 0)
				buf_printf(&out, "%-10s%s\n", r->said[i].what, r->said[i].text);
	}
	if (rc == 0)
		ctl_print(&out);
	buf_fini(&out);
	return rc;
}

/* Header lines as they were given, one a line, become field lines. */
static const char *
field_lines(struct ctl *c)
{
	const char *p = GIVEN(c, header) ? c->opt[OPT_header] : "";
	struct buf b = { 0 };
	const char *out;

	while (*p != '\0') {
		size_t n = strcspn(p, "\r\n");

		if (n > 0) {
			buf_put(&b, p, n);
			buf_puts(&b, "\r\n");
		}
		p += n + (p[n] != '\0');
	}
	out = arena_text(c->arena, buf_text(&b), b.len);
	buf_fini(&b);
	return out;
}

#define TEXT_OF(c, name) (GIVEN(c, name) ? SPAN((c)->opt[OPT_##name]) : (struct span){ 0 })

static int
ask(struct ctl *c, const struct service *s, struct rule_report *r, struct err *err)
{
	struct msg_rule_try m = { .service = s->id,
		.method = TEXT_OF(c, method),
		.url = c->argc > 1 ? SPAN(c->argv[1]) : (struct span){ 0 },
		.headers = SPAN(field_lines(c)),
		.client = TEXT_OF(c, client),
		.port = (uint16_t)(GIVEN(c, port) ? c->num[OPT_port] : 0),
		.sni = TEXT_OF(c, sni),
		.alpn = TEXT_OF(c, alpn),
		.body = TEXT_OF(c, body) };
	static const char from[] = "lbd-proxy: ";
	struct client *k;
	int rc;

	if (m.headers.len + m.url.len + m.body.len > 60000)
		return err_set(err, ERR_USAGE,
		    "URL, headers and body are %zu bytes together; allowed are 60000",
		    m.headers.len + m.url.len + m.body.len);
	rc = client_open(&c->paths, "lbd-proxy", &k, err);
	if (rc == ERR_AWAY)
		return err_prefix(err, "lbd-proxy decides, and must run: ");
	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_RULE_TRY, &m, on_rule, r, CTL_ANSWER, err);
	client_close(k);
	if (rc == ERR_INVALID && err != NULL && strncmp(err->text, from, sizeof(from) - 1) == 0) {
		memmove(err->text, err->text + sizeof(from) - 1,
		    strlen(err->text + sizeof(from) - 1) + 1);
		(void)err_object(err, "vip %s", s->name);
	}
	return rc;
}

int
cmd_rule_try(struct ctl *c, struct err *err)
{
	struct rule_report r = { 0 };
	struct buf out = { 0 };
	const struct service *s = NULL;
	int rc = ctl_store(c, false, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc != 0)
		return rc;
	s = snapshot_find_path(c->snap, KIND_service, c->argv[0]);
	if (s == NULL)
		return err_set(err, ERR_UNKNOWN, "vip %s: does not exist", c->argv[0]);
	rc = ask(c, s, &r, err);
	if (rc == 0 && c->style.form == FORM_JSON) {
		rule_report_json(&r, c->snap, &out);
		ctl_print(&out);
	} else if (rc == 0) {
		rc = print(c, &r, err);
	}
	buf_fini(&out);
	rule_report_fini(&r);
	return rc;
}
