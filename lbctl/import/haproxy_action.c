/* What actions of HAProxy's rules become: one function for each. */
#include "import/haproxy_rule.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
hap_rule_arg(const struct hap_rule *r, unsigned i)
{
	return r->from + i < r->end ? r->l->w[r->from + i] : "";
}

struct import_row *
hap_rule_add(struct hap_rule *r, const char *action)
{
	struct hap_rule_row *row = arena_alloc(r->h->im->a, sizeof(*row));

	row->l = r->l;
	row->row = (struct import_row){ .o = object_of(KIND_content_rule), .at = r->l->at };
	row->when = r->when;
	row->answer = r->answer;
	import_putf(r->h->im, &row->row, "action", "%s", action);
	if (r->answer)
		import_putf(r->h->im, &row->row, "on", "answer");
	*r->out->last = row;
	r->out->last = &row->next;
	return &row->row;
}

const char *
hap_rule_put(struct hap_rule *r, struct import_row *row, const char *field, const char *value)
{
	struct err err = { 0 };

	if (value == NULL)
		return "a part of its value has no counterpart";
	if (import_put(r->h->im, row, field, value, &err) == 0)
		return NULL;
	return arena_text(r->h->im->a, err.text, strlen(err.text));
}

const char *
hap_rule_option(const struct hap_rule *r, unsigned from, const char *word)
{
	for (unsigned i = from; r->from + i + 1 < r->end; i++)
		if (strcmp(hap_rule_arg(r, i), word) == 0)
			return hap_rule_arg(r, i + 1);
	return NULL;
}

bool
hap_rule_flag(const struct hap_rule *r, unsigned from, const char *word)
{
	for (unsigned i = from; r->from + i < r->end; i++)
		if (strcmp(hap_rule_arg(r, i), word) == 0)
			return true;
	return false;
}

/* ---- what ends ------------------------------------------------------------------------------------------------ */

bool
hap_is_denial(const char *status)
{
	static const char *const can[] = { "400", "403", "404", "405", "408", "410", "413", "414",
		"429", "431", "451", "500", "501", "502", "503", "504" };

	for (unsigned i = 0; i < ARRAY_LEN(can); i++)
		if (strcmp(can[i], status) == 0)
			return true;
	return false;
}

static const char *
do_deny(struct hap_rule *r)
{
	bool tarpit = strcmp(r->l->w[r->from - 1], "tarpit") == 0;
	bool own = hap_answer_is_own(r);
	const char *status = hap_rule_option(r, 0, "deny_status");
	struct hap_rule_row **mark = r->out->last;
	struct import_row *row;

	if (status == NULL)
		status = hap_rule_option(r, 0, "status");
	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	if (own && !tarpit && hap_answer(r, status != NULL ? status : "403") == NULL)
		return NULL;
	*mark = NULL;
	r->out->last = mark;
	row = hap_rule_add(r, tarpit ? "tarpit" : "deny");
	if (tarpit && status == NULL)
		status = "500";
	if (status != NULL && hap_is_denial(status))
		(void)hap_rule_put(r, row, "status", status);
	else if (status != NULL)
		r->difference = "action deny: with status 403";
	if (own)
		r->difference = "action deny: the answer is a page of lbd";
	return NULL;
}

static const char *
do_drop(struct hap_rule *r)
{
	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	(void)hap_rule_add(r, "drop");
	if (strcmp(r->l->w[r->from - 1], "silent-drop") == 0)
		r->difference = "action drop: the connection is closed";
	return NULL;
}

static const char *
do_return(struct hap_rule *r)
{
	const char *status = hap_rule_option(r, 0, "status");

	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	return hap_answer(r, status);
}

/* "int(-5)" or "-5": the number; false: it depends on the request. */
static bool
constant(const char *s, long *out)
{
	bool call = strncmp(s, "int(", 4) == 0;
	char *end;

	*out = strtol(s + (call ? 4 : 0), &end, 10);
	return end != s + (call ? 4 : 0) && strcmp(end, call ? ")" : "") == 0;
}

/* With both the lower is served first; HAProxy takes what is beyond the limits as the limit. */
static const char *
do_priority(struct hap_rule *r)
{
	struct import_row *row;
	long n;

	if (r->answer)
		return "an answer waits for nobody";
	if (!constant(hap_rule_arg(r, 0), &n))
		return "a priority is one number, as int(10); it is not made of the request";
	n = n < -2047 ? -2047 : n > 2047 ? 2047 : n;
	row = hap_rule_add(r, "set_priority");
	import_putf(r->h->im, row, "priority", "%ld", n);
	return NULL;
}

static const char *
do_redirect(struct hap_rule *r)
{
	const char *kind = hap_rule_arg(r, 0), *code = hap_rule_option(r, 2, "code");
	const char *to = hap_template(r->h, hap_rule_arg(r, 1), false), *why;
	struct import_row *row;
	struct buf b = { 0 };

	if (r->answer)
		return "an answer is passed on; only its header fields are changed";
	if (to == NULL)
		return "a part of its location has no counterpart";
	if (strcmp(kind, "location") == 0)
		buf_puts(&b, to);
	else if (strcmp(kind, "prefix") == 0)
		buf_printf(&b, "%s%s", strcmp(to, "/") == 0 ? "" : to,
		    hap_rule_flag(r, 2, "drop-query") ? "{path}" : "{url}");
	else if (strcmp(kind, "scheme") == 0)
		buf_printf(&b, "%s://{header(Host)}%s", to,
		    hap_rule_flag(r, 2, "drop-query") ? "{path}" : "{url}");
	else
		return "where to is said by location, prefix or scheme";
	if (strcmp(kind, "scheme") == 0 && strcmp(to, "https") == 0)
		r->field = "rule, or vip.https_redirect";
	row = hap_rule_add(r, "redirect");
	why = hap_rule_put(r, row, "location", buf_text(&b));
	buf_fini(&b);
	if (why == NULL && code != NULL)
		why = hap_rule_put(r, row, "status", code);
	if (hap_rule_flag(r, 2, "set-cookie") || hap_rule_flag(r, 2, "clear-cookie"))
		r->difference = "action redirect: without a cookie";
	if (hap_rule_flag(r, 2, "append-slash"))
		r->difference = "action redirect: without a slash at the end";
	return why;
}

/* Nothing of its own: later rules of the section are for what it does not let pass. */
static const char *
do_allow(struct hap_rule *r)
{
	(void)r;
	return NULL;
}

/* ---- header fields and the target -------------------------------------------------------------------------------- */

static const char *
do_header(struct hap_rule *r)
{
	bool set = strncmp(r->l->w[r->from - 1], "set-", 4) == 0;
	struct import_row *row = hap_rule_add(r, set ? "set_header" : "add_header");
	const char *why = hap_rule_put(r, row, "header", hap_rule_arg(r, 0));
	const char *value = hap_rule_arg(r, 1);

	/* words without quotes, as some write them */
	if (r->from + 2 < r->end)
		return "a name and one value are needed";
	return why != NULL ? why
			   : hap_rule_put(r, row, "value", hap_template(r->h, value, r->answer));
}

static const char *
do_del_header(struct hap_rule *r)
{
	if (hap_rule_option(r, 1, "-m") != NULL && strcmp(hap_rule_option(r, 1, "-m"), "str") != 0)
		return "header fields are known by their whole name";
	return hap_rule_put(r, hap_rule_add(r, "del_header"), "header", hap_rule_arg(r, 0));
}

/* HAProxy matches anywhere and replaces all of it; ours replaces what matches. */
static const char *
whole_pattern(struct hap_rule *r, const char *regex)
{
	struct buf b = { 0 };
	const char *text;

	buf_printf(&b, "^.*?(?:%s).*$", regex);
	text = arena_text(r->h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

static const char *
do_replace_header(struct hap_rule *r)
{
	struct import_row *row = hap_rule_add(r, "replace_header");
	bool parts = strcmp(r->l->w[r->from - 1], "replace-value") == 0;
	const char *why = hap_rule_put(r, row, "header", hap_rule_arg(r, 0));

	if (parts)
		r->difference =
		    "action replace_header: the field as a whole, not each part between commas";
	if (why == NULL)
		why = hap_rule_put(r, row, "pattern", whole_pattern(r, hap_rule_arg(r, 1)));
	return why != NULL ? why
			   : hap_rule_put(r, row, "value",
				 hap_replacement(r->h, hap_rule_arg(r, 2), r->answer));
}

static const char *
part_of(const char *action)
{
	if (strstr(action, "query") != NULL)
		return "query";
	return strstr(action, "pathq") != NULL || strstr(action, "uri") != NULL ? "url" : "path";
}

static const char *
do_set_target(struct hap_rule *r)
{
	const char *action = r->l->w[r->from - 1];
	const char *value = hap_template(r->h, hap_rule_arg(r, 0), false);
	struct import_row *row = hap_rule_add(r, "rewrite");

	import_putf(r->h->im, row, "part", "%s", part_of(action));
	if (value != NULL && value[0] != '/' && strcmp(part_of(action), "query") != 0) {
		/* {path} at the beginning brings its slash */
		if (strncmp(value, "{path}", 6) != 0 && strncmp(value, "{url}", 5) != 0)
			return "a path begins with a slash";
		import_putf(r->h->im, row, "pattern", "^.*$");
	}
	return hap_rule_put(r, row, "value", value);
}

static const char *
do_replace_target(struct hap_rule *r)
{
	struct import_row *row = hap_rule_add(r, "rewrite");
	const char *action = r->l->w[r->from - 1], *why;

	import_putf(r->h->im, row, "part", "%s", part_of(action));
	if (strcmp(action, "replace-uri") == 0)
		r->difference = "action rewrite: path and query, without scheme and host";
	why = hap_rule_put(r, row, "pattern", whole_pattern(r, hap_rule_arg(r, 0)));
	return why != NULL ? why
			   : hap_rule_put(
				 r, row, "value", hap_replacement(r->h, hap_rule_arg(r, 1), false));
}

/* ---- older forms ---------------------------------------------------------------------------------------------------- */

/* "reqadd Name: value" */
static const char *
do_reqadd(struct hap_rule *r)
{
	const char *text = hap_rule_arg(r, 0), *colon = strchr(text, ':'), *why;
	struct import_row *row;

	if (colon == NULL)
		return "a name and a value are needed";
	row = hap_rule_add(r, "add_header");
	why = hap_rule_put(r, row, "header", arena_text(r->h->im->a, text, (size_t)(colon - text)));
	colon += 1 + strspn(colon + 1, " ");
	return why != NULL ? why
			   : hap_rule_put(r, row, "value", hap_template(r->h, colon, r->answer));
}

/* "reqidel ^Name:.*": a literal name alone. */
static const char *
do_reqdel(struct hap_rule *r)
{
	const char *s = hap_rule_arg(r, 0) + (hap_rule_arg(r, 0)[0] == '^');
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
	const char *rest = s + n;

	if (hap_rule_arg(r, 0)[0] != '^' || n == 0 || *rest != ':' ||
	    (strcmp(rest, ":") != 0 && strcmp(rest, ":.*") != 0 && strcmp(rest, ": .*") != 0))
		return "header fields are known by their whole name";
	return hap_rule_put(
	    r, hap_rule_add(r, "del_header"), "header", arena_text(r->h->im->a, s, n));
}

static const char *
do_block(struct hap_rule *r)
{
	(void)hap_rule_add(r, "deny");
	return NULL;
}

static const char *
do_monitor(struct hap_rule *r)
{
	struct import_row *row;
	struct buf b = { 0 };

	buf_puts(&b, "url is ");
	hap_when_value(hap_rule_arg(r, 0), &b);
	r->when = arena_text(r->h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	row = hap_rule_add(r, "return");
	import_putf(r->h->im, row, "body", "OK");
	r->difference = "action return: status 200, whatever the state of the servers";
	return NULL;
}

/* ---- by word ------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	hap_action_fn fn;
} actions[] = {
	{ "accept", do_allow },
	{ "add-header", do_header },
	{ "allow", do_allow },
	{ "del-header", do_del_header },
	{ "deny", do_deny },
	{ "redirect", do_redirect },
	{ "reject", do_drop },
	{ "replace-header", do_replace_header },
	{ "replace-path", do_replace_target },
	{ "replace-pathq", do_replace_target },
	{ "replace-uri", do_replace_target },
	{ "replace-value", do_replace_header },
	{ "return", do_return },
	{ "set-header", do_header },
	{ "set-path", do_set_target },
	{ "set-pathq", do_set_target },
	{ "set-priority-class", do_priority },
	{ "set-query", do_set_target },
	{ "silent-drop", do_drop },
	{ "tarpit", do_deny },
};

hap_action_fn
hap_action(const char *word)
{
	for (unsigned i = 0; i < ARRAY_LEN(actions); i++)
		if (strcmp(actions[i].word, word) == 0)
			return actions[i].fn;
	return NULL;
}

hap_action_fn
hap_old_action(const char *directive)
{
	static const struct {
		const char *word;
		hap_action_fn fn;
	} rows[] = {
		{ "block", do_block },
		{ "monitor-uri", do_monitor },
		{ "redirect", do_redirect },
		{ "reqadd", do_reqadd },
		{ "reqdel", do_reqdel },
		{ "reqidel", do_reqdel },
		{ "rspadd", do_reqadd },
		{ "rspdel", do_reqdel },
		{ "rspidel", do_reqdel },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].word, directive) == 0)
			return rows[i].fn;
	return NULL;
}

bool
hap_is_allow(hap_action_fn fn)
{
	return fn == do_allow;
}

bool
hap_is_drop(hap_action_fn fn)
{
	return fn == do_drop;
}
