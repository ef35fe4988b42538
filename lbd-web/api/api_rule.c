/* POST /api/v1/vips/NAME/try: what the content rules of a service would do, as lbctl rule try tells it. lbd-proxy decides; nothing is
 * sent or counted. The body is {"method": ..., "url": ..., "headers": {NAME: VALUE}, "client", "port", "sni", "alpn", "body"}; all
 * may be absent. */
#include "api.h"
#include "live/follow.h"

#include "base/mem.h"
#include "msg/rule_report.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MOST 32768 /* bytes of a member, and of all header fields */

enum { A_METHOD, A_URL, A_CLIENT, A_SNI, A_ALPN, A_BODY, A_TEXTS };
static const char *const names[A_TEXTS] = { "method", "url", "client", "sni", "alpn", "body" };

struct ask {
	struct call *c;
	struct snapshot *s; /* referenced: names of the rules */
	struct rule_report report;
	struct buf text[A_TEXTS], headers;
	uint16_t port;
	char name[64];
	struct err *err;
};

static void
ask_free(struct ask *a)
{
	rule_report_fini(&a->report);
	for (unsigned i = 0; i < A_TEXTS; i++)
		buf_fini(&a->text[i]);
	buf_fini(&a->headers);
	snapshot_unref(a->s);
	free(a);
}

/* ---- what is asked ---------------------------------------------------------------------------------- */

static int
take_header(void *arg, const struct json_member *m)
{
	struct ask *a = arg;

	if (m->type != JSON_T_STRING || strpbrk(m->text, "\r\n") != NULL ||
	    m->name[strcspn(m->name, ":\r\n")] != '\0' ||
	    a->headers.len + strlen(m->name) + strlen(m->text) > TEXT_MOST)
		return err_field(a->err, ERR_INVALID, NULL, "headers",
		    "%.60s: allowed are names with texts of one line, %d bytes in all", m->name,
		    TEXT_MOST);
	buf_printf(&a->headers, "%s: %s\r\n", m->name, m->text);
	return 0;
}

static int
take_port(struct ask *a, const struct json_member *m)
{
	char *end;
	unsigned long v = strtoul(m->text, &end, 10);

	if (m->type != JSON_T_NUMBER || *end != '\0' || m->text[0] == '-' || v < 1 || v > 65535)
		return err_field(
		    a->err, ERR_INVALID, NULL, "port", "%.60s: allowed is 1 to 65535", m->text);
	a->port = (uint16_t)v;
	return 0;
}

static int
take(void *arg, const struct json_member *m)
{
	struct ask *a = arg;

	if (strcmp(m->name, "headers") == 0 && m->type == JSON_T_OBJECT)
		return json_scan(m->value, m->len, take_header, a, a->err);
	if (strcmp(m->name, "headers") == 0)
		return err_field(a->err, ERR_INVALID, NULL, "headers",
		    "allowed is an object of names with texts");
	if (strcmp(m->name, "port") == 0)
		return take_port(a, m);
	for (unsigned i = 0; i < A_TEXTS; i++) {
		if (strcmp(m->name, names[i]) != 0)
			continue;
		if (m->type != JSON_T_STRING || strlen(m->text) > TEXT_MOST)
			return err_field(a->err, ERR_INVALID, NULL, m->name,
			    "a text of at most %d bytes belongs here", TEXT_MOST);
		buf_puts(&a->text[i], m->text);
		return 0;
	}
	return err_field(a->err, ERR_INVALID, NULL, m->name,
	    "unknown; known are method, url, headers, client, port, sni, alpn, body");
}

static struct ask *
read_ask(struct call *c)
{
	struct ask *a;
	struct err err = { 0 };

	if (!api_body_is(c, api_json_types))
		return NULL;
	a = mem_alloc(sizeof(*a));
	a->c = c;
	a->s = snapshot_ref(daemon_snapshot(c->w->d));
	a->err = &err;
	if (json_scan((const char *)c->rq->body.p, c->rq->body.len, take, a, &err) == 0)
		return a;
	reply_error(c, 0, &err);
	ask_free(a);
	return NULL;
}

/* ---- the answer ------------------------------------------------------------------------------------- */

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct ask *a = arg;

	if (row->number == MSG_RULE_IS)
		rule_report_add(&a->report, &m->rule_is);
}

static void
on_end(void *arg, int code, const char *text)
{
	struct ask *a = arg;
	struct call *c = a->c;
	struct err err = { 0 };
	struct buf b = { 0 };

	if (code == 0) {
		rule_report_json(&a->report, a->s, &b);
		reply_json(c, 200, &b);
	} else if (code == ERR_INVALID) {
		(void)err_set(&err, code, "vip %s: %s", a->name, text);
		reply_error(c, 0, &err);
	} else {
		reply_fail(c, 503, "lbd-proxy: %s", text);
	}
	buf_fini(&b);
	ask_free(a);
	call_free(c);
}

static struct span
text_of(struct buf *b)
{
	return b->len == 0 ? (struct span){ 0 } : (struct span){ b->p, b->len };
}

void
api_rule_try(struct call *c)
{
	const struct service *s =
	    snapshot_find_path(daemon_snapshot(c->w->d), KIND_service, call_param(c, "vip"));
	struct msg_rule_try m;
	struct ask *a;

	if (s == NULL) {
		reply_fail(c, 404, "vip %s does not exist", call_param(c, "vip"));
		return;
	}
	a = read_ask(c);
	if (a == NULL)
		return;
	(void)strncpy(a->name, s->name, sizeof(a->name) - 1);
	m = (struct msg_rule_try){ .service = s->id,
		.method = text_of(&a->text[A_METHOD]),
		.url = text_of(&a->text[A_URL]),
		.headers = text_of(&a->headers),
		.client = text_of(&a->text[A_CLIENT]),
		.port = a->port,
		.sni = text_of(&a->text[A_SNI]),
		.alpn = text_of(&a->text[A_ALPN]),
		.body = text_of(&a->text[A_BODY]) };
	if (m.url.len + m.headers.len + m.body.len > 60000) {
		reply_fail(c, 422, "url, headers and body are longer than 60000 bytes together");
		ask_free(a);
		return;
	}
	if (follow_ask(c->w->follow, "lbd-proxy", MSG_RULE_TRY, &m, on_row, on_end, a) != 0) {
		reply_fail(c, 503, "lbd-proxy does not run, and it decides");
		ask_free(a);
		return;
	}
	c->later = true;
	http_later(c->rq);
}
