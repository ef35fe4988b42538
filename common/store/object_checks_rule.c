/* Content rules: conditions that can be read where the rule is, an action with all that it needs and nothing that it does not look at, pools
 * that can be reached, and no rule behind one that ends the evaluation whenever it could hold. Pure. */
#include "store/object_checks_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "schema/media.h"
#include "schema/rule_text.h"
#include "store/rule_covers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RATE_LEAST 1024u /* bytes a second */
#define RULES_MAX 5000	 /* of one service */

#define MODE_HTTP 1u
#define MODE_TCP 2u
#define ON_REQUEST 1u
#define ON_ANSWER 2u
/* Fields of actions, a bit each. */
enum {
	A_POOL = 1,
	A_STATUS = 2,
	A_LOCATION = 4,
	A_HEADER = 8,
	A_VALUE = 16,
	A_PATTERN = 32,
	A_PART = 64,
	A_BODY = 128,
	A_TYPE = 256,
	A_TIME = 512,
	A_LAST = 1024,
	A_RATE = 2048,
	A_POOL_BY = 4096,
	A_PRIORITY = 8192,
	A_FIND = 16384,
	A_REPLACE = 32768,
	A_TYPES = 65536,
};
static const char *const arguments[] = { "pool", "status", "location", "header", "value", "pattern",
	"part", "body", "content_type", "time", "last", "rate", "pool_by", "priority", "find",
	"replace", "types" };

static const struct action {
	uint8_t modes, on;
	bool final; /* no later rule is looked at */
	uint32_t takes, needs;
} actions[] = {
	[rule_action_use] = { MODE_HTTP | MODE_TCP, ON_REQUEST, true, A_POOL | A_POOL_BY, 0 },
	[rule_action_allow] = { MODE_HTTP | MODE_TCP, ON_REQUEST, true, 0, 0 },
	[rule_action_deny] = { MODE_HTTP | MODE_TCP, ON_REQUEST, true, A_STATUS, 0 },
	[rule_action_tarpit] = { MODE_HTTP | MODE_TCP, ON_REQUEST, true, A_STATUS | A_TIME, 0 },
	[rule_action_drop] = { MODE_HTTP | MODE_TCP, ON_REQUEST, true, 0, 0 },
	[rule_action_redirect] = { MODE_HTTP, ON_REQUEST, true, A_STATUS | A_LOCATION, A_LOCATION },
	[rule_action_return] = { MODE_HTTP, ON_REQUEST, true, A_STATUS | A_BODY | A_TYPE, 0 },
	[rule_action_set_header] = { MODE_HTTP, ON_REQUEST | ON_ANSWER, false,
	    A_HEADER | A_VALUE | A_LAST, A_HEADER | A_VALUE },
	[rule_action_add_header] = { MODE_HTTP, ON_REQUEST | ON_ANSWER, false,
	    A_HEADER | A_VALUE | A_LAST, A_HEADER | A_VALUE },
	[rule_action_del_header] = { MODE_HTTP, ON_REQUEST | ON_ANSWER, false, A_HEADER | A_LAST,
	    A_HEADER },
	[rule_action_replace_header] = { MODE_HTTP, ON_REQUEST | ON_ANSWER, false,
	    A_HEADER | A_VALUE | A_PATTERN | A_LAST, A_HEADER | A_PATTERN },
	[rule_action_limit_bandwidth] = { MODE_HTTP | MODE_TCP, ON_REQUEST | ON_ANSWER, false,
	    A_RATE | A_LAST, A_RATE },
	[rule_action_rewrite] = { MODE_HTTP, ON_REQUEST, false,
	    A_VALUE | A_PATTERN | A_PART | A_LAST, 0 },
	[rule_action_set_priority] = { MODE_HTTP | MODE_TCP, ON_REQUEST, false, A_PRIORITY | A_LAST,
	    0 },
	[rule_action_replace_body] = { MODE_HTTP, ON_ANSWER, false,
	    A_FIND | A_REPLACE | A_TYPES | A_LAST, A_FIND },
};

struct rules {
	struct look *l;
	struct arena *a;
	const struct service *svc;
	const struct content_rule *none; /* defaults */
	struct meters_seen seen;	 /* of the service */
	unsigned steps;			 /* that proofs may still take */
};
struct placed {
	const struct content_rule *r;
	const char *condition; /* empty: always */
	struct when when;      /* without its patterns */
	struct rule_seat seat; /* of check_reach */
};

static int
bad(const struct rules *x, const struct content_rule *r, const char *field, const char *text)
{
	return look_bad(x->l, KIND_content_rule, r, field, "%s", text);
}

/* ---- arguments -------------------------------------------------------------------------------- */

static bool
is_set(const struct rules *x, const struct content_rule *r, unsigned argument)
{
	return !value_same(
	    field_find(object_of(KIND_content_rule), arguments[argument]), x->none, r);
}

static int
check_arguments(const struct rules *x, const struct content_rule *r)
{
	const struct action *a = &actions[r->action];
	const char *action = word_text(&rule_action_list, r->action);

	for (unsigned i = 0; i < ARRAY_LEN(arguments); i++) {
		if ((a->needs & 1u << i) != 0 && !is_set(x, r, i))
			return look_bad(x->l, KIND_content_rule, r, arguments[i],
			    "is required with action %s", action);
		if ((a->takes & 1u << i) == 0 && is_set(x, r, i))
			return look_bad(x->l, KIND_content_rule, r, arguments[i],
			    "is not looked at with action %s; unset it", action);
	}
	return 0;
}

/* Words of a list of actions that one mode and place can have. */
static int
bad_action(const struct rules *x, const struct content_rule *r, unsigned mode, unsigned on)
{
	struct buf can = { 0 };
	int rc;

	for (unsigned i = 0; i < rule_action_list.n; i++) {
		const struct action *a = &actions[rule_action_list.w[i].number];

		if ((a->modes & mode) != 0 && (a->on & on) != 0)
			buf_printf(
			    &can, "%s%s", can.len > 0 ? ", " : "", rule_action_list.w[i].text);
	}
	rc = look_bad(x->l, KIND_content_rule, r, "action",
	    "\"%s\" is not possible in mode %s for %s; allowed are %s",
	    word_text(&rule_action_list, r->action), word_text(&mode_list, x->svc->mode),
	    on == ON_ANSWER    ? "an answer"
	    : mode == MODE_TCP ? "a connection"
			       : "a request",
	    buf_text(&can));
	buf_fini(&can);
	return rc;
}

static int
check_place(const struct rules *x, const struct content_rule *r)
{
	unsigned mode = x->svc->mode == mode_http ? MODE_HTTP : MODE_TCP;
	unsigned on = r->on == rule_on_answer ? ON_ANSWER : ON_REQUEST;

	if (on == ON_ANSWER && mode == MODE_TCP && r->action != rule_action_limit_bandwidth)
		return bad(x, r, "on",
		    "\"answer\" is not possible in mode tcp, where answers are not read; allowed is request, and "
		    "answer with action limit_bandwidth");
	if ((actions[r->action].modes & mode) == 0 || (actions[r->action].on & on) == 0)
		return bad_action(x, r, mode, on);
	if (mode == MODE_TCP && r->status != 0)
		return bad(x, r, "status",
		    "is not possible in mode tcp: a connection is denied without words");
	return 0;
}

static int
check_pool(const struct rules *x, const struct content_rule *r)
{
	const struct service *p = snapshot_find(x->l->s, KIND_service, r->pool);

	if (r->pool == 0 && r->pool_by[0] == '\0' && r->action == rule_action_use)
		return bad(x, r, "pool", "is required with action use, or pool_by");
	if (r->pool == 0)
		return 0;
	if (p == NULL)
		return bad(x, r, "pool", "the virtual service that it names does not exist");
	if (p == x->svc)
		return bad(x, r, "pool",
		    "is the virtual service of the rule, whose servers are used anyway; allowed is another, or "
		    "action allow");
	if (p->mode != x->svc->mode)
		return look_bad(x->l, KIND_content_rule, r, "pool",
		    "\"%s\" has mode %s, and vip %s has mode %s; allowed are virtual services of the same mode",
		    p->name, word_text(&mode_list, p->mode), x->svc->name,
		    word_text(&mode_list, x->svc->mode));
	return 0;
}

static bool
one_of(unsigned n, const uint16_t *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == n)
			return true;
	return false;
}

static int
check_status(const struct rules *x, const struct content_rule *r)
{
	static const uint16_t moved[] = { 301, 302, 303, 307, 308 };
	static const uint16_t denied[] = { 400, 403, 404, 405, 408, 410, 413, 414, 429, 431, 451,
		500, 501, 502, 503, 504 };

	if (r->rate > 0 && r->rate < RATE_LEAST)
		return look_bad(x->l, KIND_content_rule, r, "rate",
		    "%u bytes a second are less than timeouts allow for; allowed are %u to 1099511627776",
		    (unsigned)r->rate, RATE_LEAST);
	if (r->status == 0)
		return 0;
	switch (r->action) {
	case rule_action_redirect:
		if (!one_of(r->status, moved, ARRAY_LEN(moved)))
			return look_bad(x->l, KIND_content_rule, r, "status",
			    "%u sends nobody elsewhere; allowed are 301, 302, 303, 307 and 308",
			    r->status);
		return 0;
	case rule_action_deny:
	case rule_action_tarpit:
		if (!one_of(r->status, denied, ARRAY_LEN(denied)))
			return look_bad(x->l, KIND_content_rule, r, "status",
			    "%u is not allowed with action %s; allowed are 400, 403, 404, 405, 408, 410, 413, "
			    "414, 429, 431, 451 and 500 to 504",
			    r->status, word_text(&rule_action_list, r->action));
		return 0;
	default:
		if (r->status < 200)
			return look_bad(x->l, KIND_content_rule, r, "status",
			    "%u is no final status; allowed is 200 to 599", r->status);
		if ((r->status == 204 || r->status == 304) && r->body[0] != '\0')
			return look_bad(x->l, KIND_content_rule, r, "body",
			    "is not possible with status %u, which has none; unset it, or take another status",
			    r->status);
		return 0;
	}
}

/* ---- header fields ---------------------------------------------------------------------------- */

/* What frames a message, or is about one connection, is the proxy's own. */
static bool
is_ours(const char *name)
{
	static const char *const ours[] = { "Connection", "Content-Length", "Expect",
		"HTTP2-Settings", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade" };

	for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
		if (strcasecmp(ours[i], name) == 0)
			return true;
	return false;
}

static int
check_header(const struct rules *x, const struct content_rule *r)
{
	if (r->header[0] == '\0')
		return 0;
	if (r->header[strspn(r->header, "!#$%&'*+-.^_`|~0123456789"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] !=
	    '\0')
		return look_bad(x->l, KIND_content_rule, r, "header",
		    "\"%s\" is no name of a header field; allowed are letters, digits and !#$%%&'*+-.^_`|~",
		    r->header);
	if (is_ours(r->header))
		return look_bad(x->l, KIND_content_rule, r, "header",
		    "\"%s\" says how a message is sent, which is the proxy's business; allowed are others",
		    r->header);
	if (strcasecmp(r->header, "Host") == 0 && r->action != rule_action_set_header)
		return look_bad(x->l, KIND_content_rule, r, "header",
		    "\"%s\" must be in a request exactly once; allowed is action set_header",
		    r->header);
	return 0;
}

/* ---- patterns and templates ------------------------------------------------------------------- */

static unsigned
groups_of(const struct when *w)
{
	unsigned most = 0;

	for (unsigned i = 0; i < w->n; i++)
		for (unsigned k = 0; w->term[i].op == WHEN_MATCHES && k < w->term[i].n; k++) {
			unsigned n = pattern_groups(w->term[i].value[k].pattern) + 1;

			most = n > most ? n : most;
		}
	return most < PATTERN_GROUPS ? most : PATTERN_GROUPS;
}

static bool
has_list(const struct when *w)
{
	for (unsigned i = 0; i < w->n; i++)
		for (unsigned k = 0; k < w->term[i].n; k++)
			if (w->term[i].value[k].list != NULL)
				return true;
	return false;
}

static int
check_template(const struct rules *x, const struct content_rule *r, const char *field,
    const char *text, unsigned where, unsigned groups)
{
	struct rule_text t;
	struct err why;

	if (rule_text_parse(text, where, groups, x->a, &t, &why) == 0)
		return 0;
	return bad(x, r, field, why.text);
}

static int
check_rewrite(const struct rules *x, const struct content_rule *r)
{
	if (r->action != rule_action_rewrite || r->pattern[0] != '\0' || r->part == rule_part_query)
		return 0;
	if (r->value[0] == '/')
		return 0;
	return look_bad(x->l, KIND_content_rule, r, "value",
	    "\"%s\" becomes the whole %s and does not begin with a slash; allowed is /..., or a pattern that "
	    "says what is replaced",
	    r->value, word_text(&rule_part_list, r->part));
}

static int
check_texts(const struct rules *x, const struct content_rule *r, unsigned where, unsigned groups)
{
	struct pattern *p;
	struct err why;
	int rc;

	if (media_list_check(r->types, &why) != 0)
		return bad(x, r, "types", why.text);
	if (r->pattern[0] != '\0') {
		p = pattern_new(r->pattern, strlen(r->pattern), false, &why);
		if (p == NULL)
			return bad(x, r, "pattern", why.text);
		groups = pattern_groups(p) + 1;
		groups = groups < PATTERN_GROUPS ? groups : PATTERN_GROUPS;
		pattern_free(p);
	}
	rc = check_template(x, r, "value", r->value, where, groups);
	if (rc == 0)
		rc = check_template(x, r, "location", r->location, where, groups);
	if (rc == 0)
		rc = check_template(x, r, "pool_by", r->pool_by, where, groups);
	if (rc == 0)
		rc = check_rewrite(x, r);
	return rc;
}

static unsigned
where_of(const struct rules *x, const struct content_rule *r)
{
	if (x->svc->mode == mode_tcp)
		return W_TCP;
	return r->on == rule_on_answer ? W_REQUEST | W_ANSWER : W_REQUEST;
}

/* The same text for conditions that are the same, whatever their spaces, quotes and needless parentheses. */
static const char *
condition_of(struct arena *a, const struct when *w)
{
	struct buf b = { 0 };
	const char *out;

	for (unsigned i = 0; i < w->n; i++) {
		const struct when_term *t = &w->term[i];

		if (t->meter != NULL)
			rule_meter_format(t->meter, &b);
		buf_printf(&b, "%u %u %u %u %.*s\n", t->source, t->op, t->yes, t->no,
		    (int)t->name_len, t->name != NULL ? t->name : "");
		for (unsigned k = 0; k < t->n; k++)
			buf_printf(&b, "%u %s%s\n", t->value[k].len,
			    t->value[k].list != NULL ? "@" : "",
			    t->value[k].list != NULL ? t->value[k].list : t->value[k].text);
	}
	out = arena_text(a, buf_text(&b), b.len);
	buf_fini(&b);
	return out;
}

static int
check_rule(struct rules *x, struct placed *out)
{
	const struct content_rule *r = out->r;
	int rc = check_place(x, r);
	struct when w = { 0 };
	struct err why;

	if (rc == 0)
		rc = check_arguments(x, r);
	if (rc == 0)
		rc = check_pool(x, r);
	if (rc == 0)
		rc = check_status(x, r);
	if (rc == 0)
		rc = check_header(x, r);
	if (rc != 0)
		return rc;
	if (when_parse(r->when, where_of(x, r), false, x->a, &w, &why) != 0)
		return bad(x, r, "when", why.text);
	rc = check_operands(x->l, r, &w, &x->seen);
	if (rc == 0)
		rc = check_texts(
		    x, r, where_of(x, r) | (has_list(&w) ? W_VALUE : 0u), groups_of(&w));
	if (rc == 0)
		out->condition = condition_of(x->a, &w);
	out->when = w;
	when_fini(&w);
	return rc;
}

/* ---- order ------------------------------------------------------------------------------------ */

bool
rule_ends(const struct content_rule *r)
{
	if (r->action == rule_action_use && r->pool == 0)
		return false; /* there may be no pool of the name */
	if (r->action == rule_action_replace_body)
		return false; /* it holds only for bodies in which texts can be replaced */
	return actions[r->action].final || r->last;
}

static int
by_order(const void *a, const void *b)
{
	const struct content_rule *x = ((const struct placed *)a)->r,
				  *y = ((const struct placed *)b)->r;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int
by_condition(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int cmp = (int)x->r->on - (int)y->r->on;

	if (cmp == 0)
		cmp = strcmp(x->condition, y->condition);
	return cmp != 0 ? cmp : by_order(a, b);
}

static int
never(const struct rules *x, const struct placed *v, const struct placed *by)
{
	return look_bad(x->l, KIND_content_rule, v->r, "order",
	    "%u: the rule would never be looked at, as rule %s before it (order %u) %s and ends the evaluation; "
	    "allowed is an order before it, or another condition",
	    (unsigned)v->r->order, by->r->name, (unsigned)by->r->order,
	    by->condition[0] == '\0'		       ? "always holds"
	    : strcmp(by->condition, v->condition) == 0 ? "has the same condition"
						       : "holds whenever it does");
}

static int
check_same(const struct rules *x, struct placed *v, uint32_t n)
{
	int rc = 0;

	qsort(v, n, sizeof(*v), by_condition);
	for (uint32_t i = 1; rc == 0 && i < n; i++)
		if (v[i - 1].seat.ends && rule_sees_same(&v[i - 1].seat, &v[i].seat) &&
		    strcmp(v[i - 1].condition, v[i].condition) == 0)
			rc = never(x, &v[i], &v[i - 1]);
	return rc;
}

/* Only what can be proven: a rule behind one that always holds, or that holds whenever it does. Where there are too many of them for
 * the steps of rule_covers.h, some are not compared. */
static int
check_reach(struct rules *x, struct placed *v, uint32_t n)
{
	const struct placed *always[2] = { NULL, NULL };
	unsigned turns = 0;
	int rc = 0;

	qsort(v, n, sizeof(*v), by_order);
	for (uint32_t i = 0; i < n; i++)
		rule_seat_init(&v[i].seat, v[i].r, &v[i].when, &turns);
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		const struct content_rule *r = v[i].r;

		if (always[r->on] != NULL)
			rc = never(x, &v[i], always[r->on]);
		else if (v[i].seat.ends && v[i].condition[0] == '\0')
			always[r->on] = &v[i];
	}
	for (uint32_t i = 1; rc == 0 && i < n; i++)
		for (uint32_t k = 0; rc == 0 && k < i && x->steps > 0; k++) {
			x->steps--;
			if (rule_hides(&v[k].seat, &v[i].seat, &x->steps))
				rc = never(x, &v[i], &v[k]);
		}
	return rc == 0 ? check_same(x, v, n) : rc;
}

/* Where rules can be at all. */
static int
check_service(const struct rules *x, const struct content_rule *r, uint32_t n)
{
	if (service_layer(x->svc) != 7)
		return look_bad(x->l, KIND_content_rule, r, "vip",
		    "vip %s has mode %s, where the kernel forwards packets and nobody reads requests; allowed are "
		    "virtual services of the modes http and tcp",
		    x->svc->name, word_text(&mode_list, x->svc->mode));
	if (x->svc->address.family == 0)
		return look_bad(x->l, KIND_content_rule, r, "vip",
		    "vip %s has no address: rules of others lead to it, and its own would never be looked at",
		    x->svc->name);
	if (n > RULES_MAX)
		return look_bad(x->l, KIND_content_rule, r, "vip",
		    "vip %s has %u rules; at most %d are allowed", x->svc->name, (unsigned)n,
		    RULES_MAX);
	return 0;
}

static int
check_of(struct rules *x)
{
	struct placed *v;
	uint32_t n, on = 0;
	const void *const *row = snapshot_children(x->l->s, KIND_content_rule, x->svc->id, &n);
	int rc;

	if (n == 0)
		return 0;
	rc = check_service(x, row[0], n);
	x->seen.n = 0;
	v = mem_alloc(n * sizeof(*v));
	for (uint32_t i = 0; rc == 0 && i < n; i++) {
		v[on].r = row[i];
		rc = check_rule(x, &v[on]);
		on += v[on].r->enabled;
	}
	if (rc == 0)
		rc = check_reach(x, v, on);
	free(v);
	return rc;
}

int
check_rules(struct look *l)
{
	uint32_t count = snapshot_count(l->s, KIND_content_rule);
	struct content_rule none;
	struct rules x = { .l = l, .none = &none, .steps = COVERS_STEPS };
	int rc = 0;

	if (count == 0)
		return 0;
	x.a = arena_new(64 * 1024);
	object_defaults(object_of(KIND_content_rule), x.a, &none);
	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_service); i++) {
		x.svc = snapshot_at(l->s, KIND_service, i);
		rc = check_of(&x);
	}
	arena_unref(x.a);
	return rc;
}
