/* keepalived.conf: its virtual servers, groups, real servers; keepalived_vrrp.c has its virtual routers. What the rest of
 * it is for is elsewhere in lbd, or nowhere, and is said in one line for each block.
 *
 * A stack of blocks says what a statement belongs to. Groups and what is said for a whole service may stand anywhere,
 * so services are finished at the end. Included files are read where they are named; parameters ($NAME=) and lines for
 * one machine (@name) are not followed, and said. Source of directives and defaults: keepalived.conf(5). */
#include "import/keepalived_vrrp.h"
#include "import/text.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum block { IN_SERVICE, IN_GROUP, IN_SERVER, IN_CHECK, IN_URL, IN_VRRP, IN_NOTHING };

struct group {
	struct place at;
	const char *what;
	struct import_end *ends, **last_end;
	struct mark {
		struct mark *next;
		uint32_t mark;
		uint8_t family;
		struct place at;
	} * marks, **last_mark;
	bool used;
};
struct rs {
	struct rs *next;
	struct import_server *s;
	struct ka_params own;
	struct ka_check *checks, **last_check;
};
struct vs {
	struct vs *next;
	struct ka_service v;
	const char *group; /* NULL: none */
	const char *what;
	struct rs *servers, **last_server;
};
struct reader {
	struct import *im;
	enum block block[2 * IMPORT_DEPTH_MAX * 8];
	unsigned depth;
	struct vs *first, **last, *vs;
	struct rs *rs;
	struct group *group;
	struct ka_check *check;
	struct textmap groups;
	struct ka_vrrp vrrp;
	/* A block that is passed over, with all that is in it. */
	struct place nothing_at;
	const char *nothing_what, *nothing_why;
	unsigned nothing_depth, nothing_lines;
};

static void
say(struct reader *k, const struct ka_line *l, enum taken how, const char *why)
{
	import_say(k->im, l->at, how, l->what, "%s", why);
}

static int
enter(struct reader *k, enum block b, const struct ka_line *l, struct err *err)
{
	if (!l->opens)
		return 0;
	if (k->depth == ARRAY_LEN(k->block))
		return err_set(
		    err, ERR_INVALID, "line %u: too many blocks within each other", l->at.line);
	k->block[k->depth++] = b;
	return 0;
}

/* A statement that is not taken, with its block when it has one. */
static int
pass_over(struct reader *k, const struct ka_line *l, const char *why, struct err *err)
{
	if (!l->opens) {
		say(k, l, NOT_TAKEN, why);
		return 0;
	}
	k->nothing_at = l->at;
	k->nothing_what = l->what;
	k->nothing_why = why;
	k->nothing_lines = 0;
	k->nothing_depth = k->depth;
	return enter(k, IN_NOTHING, l, err);
}

/* ---- addresses ------------------------------------------------------------------------------------------------- */

static bool
mark_of(const struct ka_line *l, unsigned i, uint32_t *out)
{
	return i < l->n && text_number(l->word[i], UINT32_MAX, out) && *out != 0;
}

static int
on_virtual_server(struct reader *k, const struct ka_line *l, struct err *err)
{
	struct import_end end = { .at = l->at };
	bool grouped = l->n > 2 && strcmp(l->word[1], "group") == 0;
	uint32_t mark = 0;
	struct vs *vs;

	if (l->n > 2 && strcmp(l->word[1], "fwmark") == 0) {
		if (!mark_of(l, 2, &mark))
			return pass_over(k, l, "vip.mark: a mark from 1 is needed", err);
	} else if (!grouped && !ka_place(l, 1, &end.lo, &end.port)) {
		return pass_over(k, l,
		    "vip.address: an address and a port are needed; names are not resolved", err);
	}
	vs = arena_alloc(k->im->a, sizeof(*vs));
	vs->v.s = import_service_new(k->im, l->at, err);
	if (vs->v.s == NULL)
		return ERR_INVALID;
	ka_params_init(&vs->v.own);
	vs->what = l->what;
	vs->last_server = &vs->servers;
	vs->v.s->mark = mark;
	vs->v.s->forward = forward_nat;
	import_putf(k->im, &vs->v.s->row, "protocol", "tcp");
	*k->last = vs;
	k->last = &vs->next;
	k->vs = vs;
	if (grouped) {
		vs->group = l->word[2];
		vs->v.s->label = l->word[2];
	} else if (mark == 0) {
		end.hi = end.lo;
		if (import_end_add(k->im, vs->v.s, &end, err) != 0)
			return ERR_INVALID;
		say(k, l, TAKEN, "vip.address, vip.ports");
	}
	return enter(k, IN_SERVICE, l, err);
}

static int
on_group(struct reader *k, const struct ka_line *l, struct err *err)
{
	struct group *g = arena_alloc(k->im->a, sizeof(*g));

	g->at = l->at;
	g->what = l->what;
	g->last_end = &g->ends;
	g->last_mark = &g->marks;
	if (l->n < 2 || !textmap_put(&k->groups, l->word[1], g))
		return pass_over(k, l, "a group needs a name that no other has", err);
	k->group = g;
	return enter(k, IN_GROUP, l, err);
}

/* "fwmark N [inet|inet6]", "ADDRESS [PORT]", "RANGE [PORT]". */
static void
group_line(struct reader *k, const struct ka_line *l)
{
	struct import_end *e = arena_alloc(k->im->a, sizeof(*e));
	struct mark *m;
	uint32_t port = 0;

	if (strcmp(l->word[0], "fwmark") == 0) {
		m = arena_alloc(k->im->a, sizeof(*m));
		m->at = l->at;
		m->family = l->n > 2 ? (strcmp(l->word[2], "inet6") == 0 ? 6 : 4) : 0;
		if (!mark_of(l, 1, &m->mark)) {
			say(k, l, NOT_TAKEN, "vip.mark: a mark from 1 is needed");
			return;
		}
		*k->group->last_mark = m;
		k->group->last_mark = &m->next;
		return;
	}
	e->at = l->at;
	if (!text_range(l->word[0], &e->lo, &e->hi) ||
	    (l->n > 1 && !text_number(l->word[1], UINT16_MAX, &port))) {
		say(k, l, NOT_TAKEN,
		    "vip.address: an address, a range or a network, and a port are needed");
		return;
	}
	e->port = (uint16_t)port;
	*k->group->last_end = e;
	k->group->last_end = &e->next;
	say(k, l, TAKEN, "vip.more_addresses, vip.ports");
}

/* ---- real servers ------------------------------------------------------------------------------------------------ */

static int
on_real_server(struct reader *k, const struct ka_line *l, struct err *err)
{
	struct rs *rs = arena_alloc(k->im->a, sizeof(*rs));
	struct addr a;
	uint16_t port;

	if (!ka_place(l, 1, &a, &port))
		return pass_over(
		    k, l, "rip.address: an address is needed; names are not resolved", err);
	rs->s = import_server_new(k->im, k->vs->v.s, l->at, err);
	if (rs->s == NULL)
		return ERR_INVALID;
	rs->s->addr = a;
	rs->s->port = port;
	rs->last_check = &rs->checks;
	ka_params_init(&rs->own);
	import_putf(k->im, &rs->s->row, "weight", "1");
	*k->vs->last_server = rs;
	k->vs->last_server = &rs->next;
	k->rs = rs;
	say(k, l, TAKEN, "rip.address, rip.port");
	return enter(k, IN_SERVER, l, err);
}

static int
service_line(struct reader *k, const struct ka_line *l, struct err *err)
{
	if (strcmp(l->word[0], "real_server") == 0)
		return on_real_server(k, l, err);
	if (l->opens)
		return pass_over(k, l, ka_why_not(l->word[0]), err);
	ka_service_line(k->im, &k->vs->v, l);
	return 0;
}

/* Checks whose place one of ours can take (why NULL: wholly), and those for which none can. */
static const struct {
	const char *word;
	bool made;
	const char *why;
} check_words[] = {
	{ "TCP_CHECK", true, NULL },
	{ "HTTP_GET", true, NULL },
	{ "SSL_GET", true, "check.kind: no check speaks TLS yet; a connection is tested instead" },
	{ "SMTP_CHECK", true,
	    "check.kind: SMTP is not spoken yet; a connection is tested instead" },
	{ "DNS_CHECK", false, "check.kind: DNS is not asked yet; the server counts as fit" },
	{ "UDP_CHECK", false, "check.kind: UDP is not tested yet; the server counts as fit" },
	{ "PING_CHECK", false, "check.kind: there is no ping; the server counts as fit" },
	{ "MISC_CHECK", false,
	    "check.kind: scripts are not run; the server counts as fit until it has a check" },
	{ "FILE_CHECK", false, "check.kind: no file decides; lbctl weight VIP/RIP N" },
	{ "BFD_CHECK", false, "check.kind: BFD is not spoken; the server counts as fit" },
};

/* 1: no check. */
static int
on_check(struct reader *k, const struct ka_line *l, struct err *err)
{
	struct ka_check *c;
	unsigned i = 0;

	while (i < ARRAY_LEN(check_words) && strcmp(l->word[0], check_words[i].word) != 0)
		i++;
	if (i == ARRAY_LEN(check_words))
		return 1;
	if (!check_words[i].made)
		return pass_over(k, l, check_words[i].why, err);
	c = arena_alloc(k->im->a, sizeof(*c));
	c->at = l->at;
	c->word = check_words[i].word;
	c->what = l->what;
	c->row = (struct import_row){ .o = object_of(KIND_check), .at = l->at };
	ka_params_init(&c->own);
	*k->rs->last_check = c;
	k->rs->last_check = &c->next;
	k->check = c;
	say(k, l, check_words[i].why != NULL ? TAKEN_OTHERWISE : TAKEN,
	    check_words[i].why != NULL ? check_words[i].why : "check.kind");
	return enter(k, IN_CHECK, l, err);
}

static int
server_line(struct reader *k, const struct ka_line *l, struct err *err)
{
	static const struct {
		const char *word, *field;
	} rows[] = { { "weight", "weight" }, { "uthreshold", "max_conns" },
		{ "lthreshold", "min_conns" }, { "snmp_name", "comment" } };
	struct import_server *s = k->rs->s;
	int rc = on_check(k, l, err);

	if (rc != 1)
		return rc;
	if (l->opens)
		return pass_over(k, l, ka_why_not(l->word[0]), err);
	if (strcmp(l->word[0], "lvs_method") == 0) {
		if (ka_method(l, &s->forward, &s->tunnel))
			say(k, l, TAKEN, "rip.forward");
		else
			s->forward = forward_service,
			say(k, l, NOT_TAKEN, "rip.forward: NAT, DR or TUN");
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(l->word[0], rows[i].word) == 0) {
			(void)import_take(k->im, &s->row, l->at, l->what, rows[i].field,
			    l->n > 1 ? l->word[1] : "", NULL);
			return 0;
		}
	}
	if (!ka_param(k->im, l, &k->rs->own))
		say(k, l, NOT_TAKEN, ka_why_not(l->word[0]));
	return 0;
}

static int
check_line(struct reader *k, const struct ka_line *l, struct err *err)
{
	if (l->opens && strcmp(l->word[0], "url") == 0 && strcmp(k->check->word, "HTTP_GET") == 0) {
		if (k->check->url_seen)
			return pass_over(k, l, "check.path: one page is tested, the first", err);
		k->check->url_seen = true;
		say(k, l, TAKEN, "check.path");
		return enter(k, IN_URL, l, err);
	}
	if (l->opens)
		return pass_over(k, l, "check: goes with a test that is not made", err);
	ka_check_line(k->im, k->check, l, &k->rs->s->addr);
	return 0;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static int lex_file(void *arg, const char *file, const char *text, size_t len, struct err *err);

static int
on_include(struct reader *k, const struct ka_line *l, struct err *err)
{
	if (k->im->include == NULL || l->n < 2)
		return pass_over(k, l, "files are not included here", err);
	say(k, l, TAKEN, "read where it stands");
	return k->im->include(k->im->include_arg, l->word[1], l->at.file, lex_file, k, err);
}

/* Below a block of VRRP's, or one that begins it. */
static int
vrrp_line(struct reader *k, const struct ka_line *l, struct err *err)
{
	if (!ka_vrrp_line(&k->vrrp, l))
		return pass_over(k, l, ka_why_not(l->word[0]), err);
	return enter(k, IN_VRRP, l, err);
}

static int
on_line(void *arg, const struct ka_line *l, struct err *err)
{
	struct reader *k = arg;
	const char *w = l->word[0];

	if (k->depth > 0 && k->block[k->depth - 1] == IN_NOTHING) {
		k->nothing_lines++;
		return enter(k, IN_NOTHING, l, err);
	}
	if (strcmp(w, "include") == 0 && !l->opens)
		return on_include(k, l, err);
	if (w[0] == '@' || w[0] == '$')
		return pass_over(k, l, ka_why_not(w), err);
	if (k->depth == 0) {
		if (strcmp(w, "virtual_server") == 0 && l->opens)
			return on_virtual_server(k, l, err);
		if (strcmp(w, "virtual_server_group") == 0 && l->opens)
			return on_group(k, l, err);
		return vrrp_line(k, l, err);
	}
	switch (k->block[k->depth - 1]) {
	case IN_SERVICE: return service_line(k, l, err);
	case IN_SERVER: return server_line(k, l, err);
	case IN_CHECK: return check_line(k, l, err);
	case IN_VRRP: return vrrp_line(k, l, err);
	case IN_GROUP:
		if (l->opens)
			return pass_over(k, l, "not part of a group", err);
		group_line(k, l);
		return 0;
	case IN_URL:
		if (l->opens)
			return pass_over(k, l, "not part of a url", err);
		ka_check_line(k->im, k->check, l, &k->rs->s->addr);
		return 0;
	case IN_NOTHING: break;
	}
	return 0;
}

static int
on_close(void *arg, struct place at, struct err *err)
{
	struct reader *k = arg;

	(void)at, (void)err;
	must(k->depth > 0);
	k->depth--;
	if (k->block[k->depth] == IN_VRRP)
		ka_vrrp_close(&k->vrrp);
	if (k->block[k->depth] != IN_NOTHING || k->depth != k->nothing_depth)
		return 0;
	if (k->nothing_lines == 0)
		import_say(k->im, k->nothing_at, NOT_TAKEN, k->nothing_what, "%s", k->nothing_why);
	else
		import_say(k->im, k->nothing_at, NOT_TAKEN, k->nothing_what,
		    "%s (with %u below it)", k->nothing_why, k->nothing_lines);
	return 0;
}

static int
lex_file(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	struct reader *k = arg;
	const struct ka_events ev = { on_line, on_close, k };

	return ka_lex(k->im, file != NULL ? arena_text(k->im->a, file, strlen(file)) : NULL, text,
	    len, &ev, err);
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

static void
say_inhibit(struct reader *k, const struct ka_params *p, int common)
{
	if (p->inhibit < 0)
		return;
	if (p->inhibit == common)
		import_say(k->im, p->inhibit_at, TAKEN, p->inhibit_what, "vip.on_failure");
	else
		import_say(k->im, p->inhibit_at, TAKEN_OTHERWISE, p->inhibit_what,
		    "vip.on_failure: %s, as for its first server", common ? "quiesce" : "remove");
}

/* Failed servers are removed unless inhibit_on_failure says otherwise; here that is one word for a service. */
static void
put_failure(struct reader *k, struct vs *vs)
{
	const struct rs *first = vs->servers;
	int common =
	    first != NULL && first->own.inhibit >= 0 ? first->own.inhibit : vs->v.own.inhibit == 1;

	say_inhibit(k, &vs->v.own, common);
	for (const struct rs *rs = first; rs != NULL; rs = rs->next)
		say_inhibit(k, &rs->own, common);
	import_putf(k->im, &vs->v.s->row, "on_failure", "%s", common == 1 ? "quiesce" : "remove");
}

static int
put_group(struct reader *k, struct vs *vs, struct err *err)
{
	struct group *g = textmap_get(&k->groups, vs->group);
	struct import_service *s;
	int rc = 0;

	if (g == NULL) {
		import_say(k->im, vs->v.s->row.at, NOT_TAKEN, vs->what,
		    "there is no such group: left out");
		return 0;
	}
	g->used = true;
	for (const struct import_end *e = g->ends; rc == 0 && e != NULL; e = e->next)
		rc = import_end_add(k->im, vs->v.s, e, err);
	for (const struct mark *m = g->marks; rc == 0 && m != NULL; m = m->next) {
		s = import_service_like(k->im, vs->v.s, err);
		if (s == NULL)
			return ERR_INVALID;
		s->row.at = m->at;
		s->mark = m->mark;
		s->family = m->family;
	}
	if (g->ends != NULL && g->ends->next != NULL)
		import_say(k->im, vs->v.s->row.at, TAKEN_OTHERWISE, vs->what,
		    "vip: addresses with the same ports are one service, and share its persistence and "
		    "its schedule");
	else
		import_say(k->im, vs->v.s->row.at, TAKEN, vs->what, "vip");
	return rc;
}

static int
finish(struct reader *k, struct err *err)
{
	int rc = 0;

	for (struct vs *vs = k->first; rc == 0 && vs != NULL; vs = vs->next) {
		if (vs->v.persists && !vs->v.engine)
			import_putf(k->im, &vs->v.s->row, "persistence", "source");
		put_failure(k, vs);
		for (struct rs *rs = vs->servers; rs != NULL; rs = rs->next)
			rs->s->check =
			    ka_check_finish(k->im, rs->checks, &vs->v.own, &rs->own, rs->s->row.at);
		if (vs->group != NULL)
			rc = put_group(k, vs, err);
		if (ka_vrrp_lacks(&k->vrrp, vs->v.s))
			import_say(k->im, vs->v.s->row.at, TAKEN_OTHERWISE, vs->what,
			    "vip.address: lbd-ha puts all addresses of a service on the node, and "
			    "advertises those on the interface of a vrrp; virtual_ipaddress has not all "
			    "of them");
	}
	ka_vrrp_finish(&k->vrrp);
	for (unsigned i = 0; i < k->groups.cap; i++) {
		const struct group *g = k->groups.slot[i].value;

		if (g != NULL && !g->used)
			import_say(k->im, g->at, NOT_TAKEN, g->what, "no virtual_server uses it");
	}
	return rc;
}

int
import_keepalived(struct import *im, const char *text, size_t len, struct err *err)
{
	struct reader k = { .im = im };
	int rc;

	k.last = &k.first;
	ka_vrrp_init(&k.vrrp, im);
	rc = lex_file(&k, NULL, text, len, err);
	if (rc == 0)
		rc = finish(&k, err);
	textmap_fini(&k.groups);
	return rc;
}
