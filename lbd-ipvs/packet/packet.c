/* packet.c - the room's face: what follows from a snapshot is worked out at once and handed to those who do it.
 *
 * rules.c writes the script and nft.c brings it into force; route.c and sysctl.c are a few system calls and done on the
 * spot. Switches of ip_vs appear when its module is loaded, so they are looked for again every few seconds while they
 * are missing; that is no fault. What cannot be set is one, and is tried again.
 *
 * Two parties can have a fault at the same time; the first that has one is heard. */
#include "packet/packet.h"

#include "packet/nft.h"
#include "packet/route.h"
#include "packet/rules_priv.h"
#include "packet/sysctl.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PACKET_MAGIC 0x9ac4e701
#define SOON    \
	DUR_MS( \
	    100) /* ip_vs is loaded when its first service is made, a moment after the rules are */
#define CUT_AT_ONCE 10000 /* flows in one transaction */

struct packet {
	uint32_t magic;
	struct packet_ops ops;
	struct nft *nft;
	struct loop_timer again, telling;
	dur_t wait;	/* for what is missing: from SOON, twice as long each time, to NFT_RETRY */
	unsigned needs; /* of the kernel's switches, as set last */
	bool divert, routed; /* routed: the kernel has it so */
	char nft_fault[600], own_fault[600], said[600];
};

static void
tell(void *arg)
{
	struct packet *p = arg;
	const char *now = p->own_fault[0] != '\0' ? p->own_fault : p->nft_fault;

	must_obj(p, PACKET_MAGIC);
	if (strcmp(now, p->said) == 0)
		return;
	(void)snprintf(p->said, sizeof(p->said), "%s", now);
	if (now[0] != '\0')
		log_err("rules for packets: %s", now);
	else
		log_info("rules for packets: in force");
	p->ops.fault(p->ops.arg, now[0] != '\0' ? p->said : NULL);
}

static void
on_nft_fault(void *arg, const char *fault)
{
	struct packet *p = arg;

	must_obj(p, PACKET_MAGIC);
	(void)snprintf(p->nft_fault, sizeof(p->nft_fault), "%s", fault != NULL ? fault : "");
	tell(p);
}

/* Switches and routes. */
static void
apply_own(struct packet *p, unsigned needs)
{
	struct err err = { 0 };
	int rc = sysctl_apply(SYSCTL_DIR, needs, p->needs, &err);

	p->needs = needs;
	if (rc >= 0 && !p->routed)
		p->routed = route_divert(p->divert, &err) == 0;
	if (rc != 0 || !p->routed) {
		loop_timer_set(&p->again, p->wait);
		p->wait = 2 * p->wait < NFT_RETRY ? 2 * p->wait : NFT_RETRY;
	} else {
		loop_timer_cancel(&p->again);
	}
	(void)snprintf(
	    p->own_fault, sizeof(p->own_fault), "%s", rc < 0 || !p->routed ? err.text : "");
	loop_timer_set(&p->telling, 0);
}

static void
on_again(void *arg)
{
	struct packet *p = arg;

	must_obj(p, PACKET_MAGIC);
	apply_own(p, p->needs);
}

struct packet *
packet_new(struct loop *l, const struct paths *paths, const struct packet_ops *ops)
{
	struct packet *p = mem_alloc(sizeof(*p));

	(void)paths; /* what is in the kernel is not under --root */
	*p = (struct packet){ .magic = PACKET_MAGIC, .ops = *ops };
	p->nft = nft_new(l, on_nft_fault, p);
	loop_timer_init(&p->again, l, on_again, p);
	loop_timer_init(&p->telling, l, tell, p);
	return p;
}

void
packet_free(struct packet *p)
{
	if (p == NULL)
		return;
	must_obj(p, PACKET_MAGIC);
	nft_free(p->nft);
	loop_timer_fini(&p->again);
	loop_timer_fini(&p->telling);
	p->magic = 0;
	free(p);
}

void
packet_apply(struct packet *p, struct snapshot *s, const struct packet_pair *pair)
{
	struct buf script = { 0 };
	bool kept = rules_keep_wanted(s, pair), divert = kept || route_wanted(s);

	must_obj(p, PACKET_MAGIC);
	p->routed &= divert == p->divert;
	p->divert = divert;
	p->wait = SOON;
	apply_own(p, sysctl_needs(s) | (kept ? NEED_ACCEPT_MARK : 0));
	packet_rules(s, pair, &script);
	nft_want(p->nft, &script);
}

int
packet_clear(struct packet *p, struct err *err)
{
	struct err second = { 0 };
	int rc, route;

	must_obj(p, PACKET_MAGIC);
	rc = nft_clear(p->nft, err);
	route = route_divert(false, &second);
	p->divert = p->routed = false;
	loop_timer_cancel(&p->again);
	if (rc == 0 && route != 0 && err != NULL)
		*err = second;
	return rc != 0 ? rc : route;
}

/* ---- cutting flows ------------------------------------------------------------------------ */

struct cut {
	unsigned left; /* transactions that are not done */
	int code;
	void (*done)(void *arg, int code);
	void *arg;
};

static void
on_cut(void *arg, int code)
{
	struct cut *c = arg;

	if (code != 0)
		c->code = code;
	if (code == -ECANCELED)
		c->done = NULL; /* we are being freed, and so may be whoever asked */
	if (--c->left > 0)
		return;
	if (c->done != NULL)
		c->done(c->arg, c->code);
	free(c);
}

static void
put_flow(struct buf *b, const struct packet_flow *f)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];

	addr_format(&f->from, ADDR_HOST, from);
	addr_format(&f->to, ADDR_HOST, to);
	buf_printf(b, "%s%s . %u . %s . %u timeout %ds", b->len > 0 ? ",\n" : "", from,
	    f->from_port, to, f->to_port, CUT_TIME_S);
}

void
packet_cut_script(const struct packet_flow *f, uint32_t n, struct buf *out)
{
	struct buf flows[2] = { 0 };

	for (uint32_t i = 0; i < n; i++)
		put_flow(&flows[f[i].from.family == 6], &f[i]);
	for (unsigned i = 0; i < 2; i++) {
		if (flows[i].len > 0)
			buf_printf(out, "add element inet lbd cut%c {\n%s\n}\n", i == 0 ? '4' : '6',
			    buf_text(&flows[i]));
		buf_fini(&flows[i]);
	}
}

void
packet_cut(struct packet *p, const struct packet_flow *f, uint32_t n,
    void (*done)(void *arg, int code), void *arg)
{
	struct cut *c = mem_alloc(sizeof(*c));

	must_obj(p, PACKET_MAGIC);
	*c = (struct cut){
		.left = n > 0 ? (n + CUT_AT_ONCE - 1) / CUT_AT_ONCE : 1, .done = done, .arg = arg
	};
	for (uint32_t at = 0; at == 0 || at < n; at += CUT_AT_ONCE) {
		struct buf script = { 0 };

		packet_cut_script(f + at, n - at < CUT_AT_ONCE ? n - at : CUT_AT_ONCE, &script);
		nft_add(p->nft, &script, on_cut, c);
	}
}
