/* exam.c - one server, question by question.
 *
 *   NEIGHBOUR  where is it? (ARP, neighbour solicitation)
 *   ASK        a SYN to its own address; one to the virtual address, straight to its link-layer address or inside the
 *              tunnel; nat: one from outside all networks; UDP services: a datagram without data
 *   BACK       dr and tun: a SYN from outside. Its answer goes to the server's gateway, whose error about it comes to
 *              the virtual address, which is here. One server at a time.
 *   CLAIM      until everybody had time to answer for the virtual address
 *   DONE       every connection that was begun was reset
 *
 * Every question is asked twice at most (BACK three times). The sequence number says which question of which server it
 * is, so an answer finds its question without a search. What the answers mean is judge.c. */
#include "doctor/exam.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

static struct heard *
heard_of(struct exam *e, enum question q)
{
	switch (q) {
	case Q_OWN: return &e->seen.own;
	case Q_VIRT: return &e->seen.virt;
	case Q_DIRECT: return &e->seen.direct;
	case Q_BACK: return &e->seen.back;
	case Q_OWN_UDP: return &e->seen.own_udp;
	default: return &e->seen.virt_udp;
	}
}

static uint32_t
seq_of(const struct ward *w, const struct exam *e, enum question q)
{
	return w->base + (uint32_t)(e - w->exams) * QUESTIONS + q;
}

static bool
to_virtual(const struct exam *e, enum question q)
{
	return q == Q_VIRT || q == Q_DIRECT || q == Q_VIRT_UDP ||
	       (q == Q_BACK && e->seen.forward != forward_nat);
}

static void
flow_of(const struct ward *w, const struct exam *e, enum question q, struct flow *out)
{
	const struct seen *s = &e->seen;
	bool virtual = to_virtual(e, q);

	*out = (struct flow){
		.from = q == Q_BACK ? s->outside_addr
			: virtual   ? e->virt_from
				    : s->local,
		.to = virtual ? s->vip : s->rip,
		.from_port = wire_port(w->wire),
		.to_port = virtual ? s->vport : s->rport,
	};
}

/* To the server: straight to its link-layer address, in the tunnel, or by the kernel's routes. */
static void
deliver(struct ward *w, const struct exam *e, enum question q, const struct packet_out *p)
{
	struct packet_out wrapped;
	bool inside = e->seen.forward == forward_tun && to_virtual(e, q) && q != Q_DIRECT;

	/* What cannot be sent is a question without an answer. */
	if (inside) {
		packet_wrap(&wrapped, &e->wrap, p);
		(void)wire_send_routed(w->wire, &wrapped);
	} else if (e->seen.place == PLACE_LINK) {
		(void)wire_send_hop(w->wire, &e->hop, p->b[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6, p);
	} else {
		(void)wire_send_routed(w->wire, p);
	}
}

static void
ask(struct ward *w, struct exam *e, enum question q)
{
	struct packet_out p;
	struct flow f;

	heard_of(e, q)->asked = true;
	flow_of(w, e, q, &f);
	if (q == Q_OWN_UDP || q == Q_VIRT_UDP)
		packet_udp(&p, &f);
	else
		packet_tcp(&p, &f, TCP_SYN, seq_of(w, e, q), 0);
	deliver(w, e, q, &p);
}

/* End what was begun; also what was silent, whose answer may have gone elsewhere. */
static void
reset_all(struct ward *w, struct exam *e)
{
	struct packet_out p;
	struct flow f;

	for (unsigned q = Q_OWN; q <= Q_BACK; q++) {
		const struct heard *h = heard_of(e, q);

		if (!h->asked || h->what == HEARD_CLOSED)
			continue;
		flow_of(w, e, q, &f);
		packet_tcp(&p, &f, TCP_RST, seq_of(w, e, q) + 1, 0);
		deliver(w, e, q, &p);
	}
}

/* The questions of phase ASK. */
static bool
wants(const struct exam *e, enum question q)
{
	const struct seen *s = &e->seen;
	bool udp = s->protocol == protocol_udp;

	switch (q) {
	case Q_OWN: return s->local.family != 0;
	case Q_VIRT: return s->forward != forward_nat && e->virt_from.family != 0;
	case Q_DIRECT:
		return s->forward == forward_tun && s->place == PLACE_LINK &&
		       s->vip.family == s->rip.family && e->virt_from.family != 0;
	case Q_BACK:
		return s->forward == forward_nat ? !s->snat && s->outside != OUTSIDE_NONE
						 : s->outside == OUTSIDE_OWN;
	case Q_OWN_UDP: return udp && s->local.family != 0;
	default: return udp && s->forward != forward_nat && e->virt_from.family != 0;
	}
}

static bool
ask_open(struct ward *w, struct exam *e)
{
	bool open = false;

	for (unsigned q = 0; q < QUESTIONS; q++) {
		if (!wants(e, q) || heard_of(e, q)->what != HEARD_NOTHING)
			continue;
		open = true;
		ask(w, e, q);
	}
	return open;
}

static bool
all_heard(struct exam *e)
{
	for (unsigned q = 0; q < QUESTIONS; q++)
		if (wants(e, q) && heard_of(e, q)->what == HEARD_NOTHING)
			return false;
	return true;
}

static void
ask_neighbour(struct ward *w, const struct iface_addr *net, const struct addr *target)
{
	struct packet_out p;
	struct hop to = { .index = net->index };

	if (target->family == 4) {
		packet_arp(&p, net->mac, &net->addr, target);
		memset(to.mac, 0xff, sizeof(to.mac));
		(void)wire_send_hop(w->wire, &to, ETH_P_ARP, &p);
	} else {
		packet_solicit(&p, net->mac, &net->addr, target);
		packet_solicit_mac(target, to.mac);
		(void)wire_send_hop(w->wire, &to, ETH_P_IPV6, &p);
	}
}

void
patient_init(const struct ward *w, struct patient *p, const struct service *svc)
{
	static const uint8_t none[MAC_LEN];

	*p = (struct patient){ .svc = svc };
	p->net = iface_list_subnet(&w->ifaces, &svc->address);
	if (p->net && (p->net->loopback || memcmp(p->net->mac, none, MAC_LEN) == 0))
		p->net = NULL;
}

void
patient_step(struct ward *w, struct patient *p, mono_t now)
{
	if (!p->net || p->times >= EXAM_TRIES || (p->asked && now < p->asked_at + EXAM_GAP))
		return;
	p->asked = true;
	p->asked_at = now;
	p->times++;
	ask_neighbour(w, p->net, &p->svc->address);
}

bool
patient_done(const struct patient *p, mono_t now)
{
	return !p->net || (p->times >= EXAM_TRIES && now >= p->asked_at + EXAM_GAP);
}

static void
patient_hear(struct patient *p, const struct packet_in *in, const struct hop *from)
{
	const uint8_t *mac = in->has_mac ? in->mac : from->mac;

	if (!p->net || from->index != p->net->index ||
	    !addr_same_host(&in->who, &p->svc->address) || memcmp(mac, p->net->mac, MAC_LEN) == 0)
		return;
	for (unsigned i = 0; i < p->claims; i++) {
		if (memcmp(p->claim[i].mac, mac, MAC_LEN) == 0) {
			p->claim[i].announces &= in->request;
			return;
		}
	}
	if (p->claims == CLAIMS_MAX)
		return;
	memcpy(p->claim[p->claims].mac, mac, MAC_LEN);
	p->claim[p->claims++].announces = in->request;
}

/* The way back of dr and tun, when no address of this node can stand for a client: one server at a time. */
static void
step_back(struct ward *w, struct exam *e, mono_t now)
{
	struct patient *pat = e->patient;
	struct seen *s = &e->seen;
	struct packet_out p;
	struct flow f;

	if (w->back != e) {
		if (w->back || w->back_spent >= BACK_MOST) {
			if (w->back_spent >= BACK_MOST)
				e->phase = EXAM_CLAIM;
			return;
		}
		w->back = e;
		e->tries = 0;
	} else if (s->back.what == HEARD_NOTHING && now < e->asked_at + BACK_GAP) {
		return;
	} else {
		w->back_spent += now - e->asked_at;
	}
	s->contested = pat->claims > 0;
	if (s->back.what == HEARD_NOTHING &&
	    e->tries < (pat->router_silent || s->contested ? 1 : BACK_TRIES)) {
		e->tries++;
		e->asked_at = now;
		ask(w, e, Q_BACK);
		return;
	}
	if (s->back.what == HEARD_NOTHING && s->vip_here && !s->contested && !pat->router_tells &&
	    !pat->router_silent) {
		if (!e->calibrating) {
			/* What the server's answer would look like, from here. */
			flow_of(w, e, Q_BACK, &f);
			f = (struct flow){ f.to, f.from, f.to_port, f.from_port };
			packet_tcp(&p, &f, TCP_SYN | TCP_ACK, seq_of(w, e, Q_BACK), 0);
			(void)wire_send_routed(w->wire, &p);
			e->calibrating = true;
			e->asked_at = now;
			return;
		}
		pat->router_silent = true;
	}
	s->router_tells = pat->router_tells;
	w->back = NULL;
	e->phase = EXAM_CLAIM;
}

static bool
wants_back(const struct exam *e)
{
	const struct seen *s = &e->seen;

	return s->forward != forward_nat && s->outside == OUTSIDE_FOREIGN &&
	       (s->virt.what == HEARD_OPEN || s->virt.what == HEARD_CLOSED);
}

static void
finish(struct ward *w, struct exam *e)
{
	struct patient *p = e->patient;
	struct seen *s = &e->seen;

	reset_all(w, e);
	e->phase = EXAM_DONE;
	s->claim_asked = s->place == PLACE_LINK && p->net && p->net->index == e->hop.index;
	for (unsigned i = 0; s->claim_asked && i < p->claims; i++) {
		if (memcmp(p->claim[i].mac, e->hop.mac, MAC_LEN) != 0)
			continue;
		s->claims = !p->claim[i].announces;
		s->announces = p->claim[i].announces;
	}
}

/* Asks again after EXAM_GAP, EXAM_TRIES times; false: that was all. */
static bool
again(struct exam *e, mono_t now)
{
	if (e->tries > 0 && now < e->asked_at + EXAM_GAP)
		return true;
	if (e->tries >= EXAM_TRIES)
		return false;
	e->tries++;
	e->asked_at = now;
	return true;
}

static void
step_neighbour(struct ward *w, struct exam *e, mono_t now)
{
	mono_t before = e->asked_at;

	if (!e->seen.has_mac && again(e, now)) {
		if (e->asked_at != before)
			ask_neighbour(w, iface_list_subnet(&w->ifaces, &e->seen.rip), &e->seen.rip);
		return;
	}
	e->phase = e->seen.has_mac ? EXAM_ASK : EXAM_CLAIM;
	e->tries = 0;
}

static void
step_ask(struct ward *w, struct exam *e, mono_t now)
{
	mono_t before = e->asked_at;
	unsigned tries = e->tries;

	if ((tries == 0 || !all_heard(e)) && again(e, now)) {
		if (e->asked_at != before || e->tries != tries)
			(void)ask_open(w, e);
		return;
	}
	e->phase = wants_back(e) ? EXAM_BACK : EXAM_CLAIM;
}

void
exam_step(struct ward *w, struct exam *e, mono_t now)
{
	if (e->phase == EXAM_NEW) {
		e->phase = e->seen.blind || e->seen.place == PLACE_HERE ? EXAM_CLAIM
			   : e->seen.place == PLACE_LINK		? EXAM_NEIGHBOUR
			   : e->seen.forward == forward_dr		? EXAM_CLAIM
									: EXAM_ASK;
		e->tries = 0;
	}
	if (e->phase == EXAM_NEIGHBOUR)
		step_neighbour(w, e, now);
	if (e->phase == EXAM_ASK)
		step_ask(w, e, now);
	if (e->phase == EXAM_BACK)
		step_back(w, e, now);
	if (e->phase == EXAM_CLAIM && (e->seen.blind || patient_done(e->patient, now)))
		finish(w, e);
}

static bool
is_mac(const struct exam *e, const struct hop *from)
{
	return e->seen.place == PLACE_LINK && memcmp(e->hop.mac, from->mac, MAC_LEN) == 0;
}

/* An answer of TCP: the acknowledgement says to which question. */
static bool
hear_tcp(struct ward *w, const struct packet_in *p, const struct hop *from)
{
	uint32_t at = p->ack - 1 - w->base;
	struct heard *h;
	struct exam *e;
	struct flow f;

	if (!(p->tcp_flags & TCP_ACK) || at / QUESTIONS >= w->n || at % QUESTIONS > Q_BACK)
		return false;
	e = &w->exams[at / QUESTIONS];
	flow_of(w, e, at % QUESTIONS, &f);
	h = heard_of(e, at % QUESTIONS);
	if (!h->asked || !addr_same_host(&f.from, &p->flow.to) ||
	    !addr_same_host(&f.to, &p->flow.from) || f.to_port != p->flow.from_port)
		return false;
	if (h->what == HEARD_OPEN || h->what == HEARD_CLOSED)
		return true;
	h->what = p->tcp_flags & TCP_RST ? HEARD_CLOSED : HEARD_OPEN;
	h->mss = p->mss;
	h->straight = is_mac(e, from);
	return true;
}

static bool
same_flow(const struct flow *a, const struct flow *b)
{
	return addr_same_host(&a->from, &b->from) && addr_same_host(&a->to, &b->to) &&
	       a->from_port == b->from_port && a->to_port == b->to_port;
}

static void
take_error(struct heard *h, const struct packet_in *p, bool closed)
{
	if (h->what != HEARD_NOTHING)
		return;
	h->what = closed ? HEARD_CLOSED : HEARD_ERROR;
	h->from = p->from;
	h->type = p->type;
	h->code = p->code;
}

/* An error about the server's answer, or about ours that looks like it. */
static bool
hear_back(struct ward *w, const struct packet_in *p)
{
	struct exam *e = w->back;
	struct flow f;

	if (!e || p->protocol != IPPROTO_TCP)
		return false;
	flow_of(w, e, Q_BACK, &f);
	f = (struct flow){ f.to, f.from, f.to_port, f.from_port };
	if (!same_flow(&f, &p->flow))
		return false;
	if (p->seq == seq_of(w, e, Q_BACK))
		e->patient->router_tells = true;
	else
		take_error(&e->seen.back, p, false);
	return true;
}

/* An error about a packet to this server. */
static bool
hear_error_of(struct ward *w, struct exam *e, const struct packet_in *p)
{
	bool port =
	    p->from.family == 4 ? p->type == 3 && p->code == 3 : p->type == 1 && p->code == 4;
	struct flow f;

	for (unsigned q = 0; q < QUESTIONS; q++) {
		bool udp = q == Q_OWN_UDP || q == Q_VIRT_UDP;

		if (!heard_of(e, q)->asked || p->protocol != (udp ? IPPROTO_UDP : IPPROTO_TCP))
			continue;
		flow_of(w, e, q, &f);
		if (!same_flow(&f, &p->flow) || (!udp && p->seq != seq_of(w, e, q)))
			continue;
		take_error(heard_of(e, q), p, udp && port && addr_same_host(&p->from, &f.to));
		return true;
	}
	/* About the tunnel's own packet. */
	if (e->seen.forward != forward_tun || !e->seen.virt.asked || p->protocol == IPPROTO_TCP ||
	    !addr_same_host(&p->flow.to, &e->wrap.to) ||
	    (p->protocol == IPPROTO_UDP && p->flow.to_port != e->wrap.port))
		return false;
	take_error(&e->seen.virt, p, false);
	return true;
}

static bool
hear_udp(struct ward *w, struct exam *e, const struct packet_in *p)
{
	static const enum question questions[] = { Q_OWN_UDP, Q_VIRT_UDP };
	struct flow f;

	for (unsigned i = 0; i < 2; i++) {
		struct heard *h = heard_of(e, questions[i]);

		flow_of(w, e, questions[i], &f);
		if (!h->asked || !addr_same_host(&f.from, &p->flow.to) ||
		    !addr_same_host(&f.to, &p->flow.from) || f.to_port != p->flow.from_port)
			continue;
		if (h->what == HEARD_NOTHING)
			h->what = HEARD_OPEN;
		return true;
	}
	return false;
}

static bool
hear_neighbour(struct exam *e, const struct packet_in *p, const struct hop *from)
{
	if (e->phase != EXAM_NEIGHBOUR || from->index != e->hop.index ||
	    !addr_same_host(&p->who, &e->seen.rip))
		return false;
	memcpy(e->hop.mac, p->has_mac ? p->mac : from->mac, MAC_LEN);
	memcpy(e->seen.mac, e->hop.mac, MAC_LEN);
	e->seen.has_mac = true;
	return true;
}

bool
exam_hear(struct ward *w, const struct packet_in *p, const struct hop *from)
{
	bool any = false;

	if (p->kind == PACKET_TCP)
		return hear_tcp(w, p, from);
	if (p->kind == PACKET_ERROR && hear_back(w, p))
		return true;
	for (uint32_t i = 0; i < w->n; i++) {
		struct exam *e = &w->exams[i];

		if (e->phase == EXAM_NEW || e->phase == EXAM_DONE)
			continue;
		if (p->kind == PACKET_ERROR)
			any |= hear_error_of(w, e, p);
		else if (p->kind == PACKET_UDP)
			any |= hear_udp(w, e, p);
		else
			any |= hear_neighbour(e, p, from);
		if (p->kind == PACKET_ARP || p->kind == PACKET_NEIGHBOUR)
			patient_hear(e->patient, p, from);
	}
	return any;
}
