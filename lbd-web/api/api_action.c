/* What operators order over REST: admin state, run-time weight, a check now. Bodies are small objects:
 * {"state": "drain", "timeout": "30m", "message": "kernel update"}. A timeout is written as everywhere else. */
#include "api.h"
#include "base/mem.h"
#include "live/follow.h"
#include "schema/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct order_body {
	int state; /* -1 absent */
	bool timed, weighed, unweighed;
	uint64_t timeout_ms;
	unsigned weight;
	char message[201];
	struct err *err;
};

static int
take_state(struct order_body *b, const char *text)
{
	const struct words *w = &admin_state_list;

	for (unsigned i = 0; i < w->n; i++)
		if (strcmp(w->w[i].text, text) == 0) {
			b->state = w->w[i].number;
			return 0;
		}
	return err_field(
	    b->err, ERR_INVALID, NULL, "state", "%s: allowed is online, drain or halt", text);
}

/* A duration as the schema reads it: the row of drain_timeout knows its form and range. */
static int
take_timeout(struct order_body *b, const char *text)
{
	const struct field *f = field_find(object_of(KIND_service), "drain_timeout");
	struct arena *a = arena_new(256);
	struct cell cell;
	struct err why = { 0 };
	int rc = value_parse(f, text, NULL, a, &cell, &why);

	if (rc != 0)
		(void)err_field(b->err, ERR_INVALID, NULL, "timeout",
		    "%s: a time such as 30m, 90s or 500ms, at most 30 days", text);
	else
		b->timeout_ms = (uint64_t)cell.i;
	b->timed = rc == 0;
	arena_unref(a);
	return rc != 0 ? ERR_INVALID : 0;
}

static int
take_weight(struct order_body *b, const struct json_member *m, const char *text)
{
	char *end;
	unsigned long v;

	b->unweighed = m->type == JSON_T_NULL;
	if (b->unweighed)
		return 0;
	v = strtoul(text, &end, 10);
	if (m->type != JSON_T_NUMBER || *end != '\0' || text[0] == '-' || v > 65535)
		return err_field(b->err, ERR_INVALID, NULL, "weight",
		    "%s: allowed is 0 to 65535, or null", text);
	b->weighed = true;
	b->weight = (unsigned)v;
	return 0;
}

static int
take(void *arg, const struct json_member *m)
{
	struct order_body *b = arg;
	char text[201] = "";

	if (m->type != JSON_T_NULL && json_text(m, text, sizeof(text)) != 0)
		return err_field(
		    b->err, ERR_INVALID, NULL, m->name, "a text of at most 200 bytes belongs here");
	if (strcmp(m->name, "state") == 0)
		return take_state(b, text);
	if (strcmp(m->name, "timeout") == 0 && m->type != JSON_T_NULL)
		return take_timeout(b, text);
	if (strcmp(m->name, "weight") == 0)
		return take_weight(b, m, text);
	if (strcmp(m->name, "message") == 0) {
		(void)snprintf(b->message, sizeof(b->message), "%s", text);
		return 0;
	}
	return strcmp(m->name, "timeout") == 0
		   ? 0
		   : err_field(b->err, ERR_INVALID, NULL, m->name,
			 "unknown; known are state, timeout, weight, message");
}

static bool
read_order(struct call *c, struct order_body *b, struct err *err)
{
	*b = (struct order_body){ .state = -1, .err = err };
	if (!api_body_is(c, api_json_types))
		return false;
	if (json_scan((const char *)c->rq->body.p, c->rq->body.len, take, b, err) == 0)
		return true;
	reply_error(c, 0, err);
	return false;
}

void
api_admin_get(struct call *c)
{
	struct snapshot *s = daemon_snapshot(c->w->d);
	const struct server *srv;
	struct api_where w;
	struct buf b = { 0 };

	if (!api_where(c, &w))
		return;
	srv = snapshot_find_path(s, KIND_server, w.path);
	if (srv == NULL) {
		reply_fail(c, 404, "rip %s does not exist", w.path);
		return;
	}
	view_json_order(&b, snapshot_admin(s, srv->id));
	buf_puts(&b, "\n");
	reply_json(c, 200, &b);
}

static void
give(struct call *c, const struct order *o, const char *why)
{
	struct err err = { 0 };
	struct buf b = { 0 };
	int n = commit_order(c, call_param(c, "vip"), call_param(c, "rip"), *o, why, &err);

	if (n < 0) {
		reply_error(c, 0, &err);
		return;
	}
	buf_printf(&b, "{\"servers\":%d", n);
	if (o->state >= 0)
		buf_printf(&b, ",\"state\":\"%s\"", word_text(&admin_state_list, o->state));
	if (o->weight >= 0)
		buf_printf(&b, ",\"weight\":%lld", (long long)o->weight);
	else if (o->weight == -2)
		buf_puts(&b, ",\"weight\":null");
	buf_puts(&b, ",\"until\":");
	view_json_time(&b, o->until);
	buf_puts(&b, "}\n");
	reply_json(c, 200, &b);
}

static int64_t
end_of_drain(struct call *c, const struct order_body *b)
{
	const struct service *s =
	    snapshot_find_path(daemon_snapshot(c->w->d), KIND_service, call_param(c, "vip"));
	uint64_t ms = b->timed					   ? b->timeout_ms
		      : b->state == admin_state_drain && s != NULL ? s->drain_timeout
								   : 0;

	return ms == 0 ? 0 : (int64_t)time(NULL) + (int64_t)((ms + 999) / 1000);
}

void
api_admin_put(struct call *c)
{
	struct order o = { .weight = -1 };
	struct order_body b;
	struct err err = { 0 };

	if (!read_order(c, &b, &err))
		return;
	if (b.state < 0 || b.weighed || b.unweighed) {
		reply_fail(c, 422,
		    "the body is {\"state\": \"online\", \"drain\" or \"halt\", \"timeout\": ..., "
		    "\"message\": ...}");
		return;
	}
	if (b.timed && b.state == admin_state_online) {
		reply_fail(c, 422, "timeout: an order to be online has no end");
		return;
	}
	o.state = b.state;
	o.until = end_of_drain(c, &b);
	give(c, &o, b.message);
}

void
api_weight_put(struct call *c)
{
	const struct server *srv;
	struct order o = { .state = -1 };
	struct order_body b;
	struct err err = { 0 };
	char path[160];

	if (!read_order(c, &b, &err))
		return;
	if (b.state >= 0 || b.timed || (!b.weighed && !b.unweighed)) {
		reply_fail(
		    c, 422, "the body is {\"weight\": 0 to 65535 or null, \"message\": ...}");
		return;
	}
	(void)snprintf(
	    path, sizeof(path), "%.70s/%.70s", call_param(c, "vip"), call_param(c, "rip"));
	srv = snapshot_find_path(daemon_snapshot(c->w->d), KIND_server, path);
	if (srv != NULL) /* a drain that is on ends when it was to end */
		o.until = snapshot_admin(daemon_snapshot(c->w->d), srv->id)->until;
	o.weight = b.weighed ? (int64_t)b.weight : -2;
	give(c, &o, b.message);
}

/* ---- check ---- */

struct run {
	struct call *c;
	struct buf b;
	unsigned n;
};

static void
run_step(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct run *r = arg;
	char text[300];

	if (row->number != MSG_CHECK_STEP)
		return;
	span_text(m->check_step.text, text, sizeof(text));
	buf_printf(&r->b, "%s{\"at_us\":%llu,\"text\":", r->n++ > 0 ? ",\n" : "\n",
	    (unsigned long long)m->check_step.at);
	view_json_text(&r->b, text);
	buf_puts(&r->b, "}");
}

/* A probe that ends badly has a code too: with steps it is an answer all the same. */
static void
run_end(void *arg, int code, const char *text)
{
	struct run *r = arg;

	if (r->n == 0) {
		reply_fail(r->c, 503, "lbd-check: %s", text);
	} else {
		buf_printf(&r->b, "],\"good\":%s,\"result\":", code == 0 ? "true" : "false");
		view_json_text(&r->b, text != NULL ? text : "");
		buf_puts(&r->b, "}\n");
		reply_json(r->c, 200, &r->b);
	}
	call_free(r->c);
	buf_fini(&r->b);
	free(r);
}

void
api_check_run(struct call *c)
{
	const struct server *srv;
	struct msg_server m;
	struct api_where w;
	struct run *r;

	if (!api_where(c, &w))
		return;
	srv = snapshot_find_path(daemon_snapshot(c->w->d), KIND_server, w.path);
	if (srv == NULL) {
		reply_fail(c, 404, "rip %s does not exist", w.path);
		return;
	}
	m = (struct msg_server){ .server = srv->id };
	r = mem_alloc(sizeof(*r));
	r->c = c;
	buf_puts(&r->b, "{\"steps\":[");
	if (follow_ask(c->w->follow, "lbd-check", MSG_CHECK_RUN, &m, run_step, run_end, r) != 0) {
		buf_fini(&r->b);
		free(r);
		reply_fail(c, 503, "lbd-check does not run");
		return;
	}
	c->later = true;
	http_later(c->rq);
}
