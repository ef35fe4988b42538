/* The server end of the bus: one socket a daemon, its peers, and where their messages go.
 *
 * A peer connects, both sides say HELLO, and from then on it sends requests. What it may send
 * follows from its user (bus_rights.c); how it is answered is in bus_answer.c. Subscribers get the
 * state of a topic from ops.snapshot, RESULT, and then every change that bus_publish tells.
 *
 * Nothing a peer does costs more than its share: connections are counted for each user, unfinished
 * answers and waiting bytes for each peer; who does not say HELLO, sends what is no message, or
 * does not read is cut off. Whoever is cut off may come again and starts with a new snapshot.
 *
 * Peers end in the loop's read callback only, never inside bus_reply or bus_publish. */
#include "msg/bus.h"
#include "base/mem.h"
#include "base/must.h"
#include "msg/bus_priv.h"
#include "sys/sock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELLO_WAIT DUR_S(5)
#define LEAVE_WAIT DUR_S(1) /* to read the reason */
#define ACCEPT_BURST 16

/* The last word to a peer: it may read it, and is closed when it leaves or LEAVE_WAIT later.
 * What it still sends is read and dropped, for unread bytes would turn the reason into a reset. */
static void
turn_away(struct bus_peer *p, uint32_t seq, int code, const char *text)
{
	bus_send_result(p, seq, code, text, 0);
	p->leave_by = mono_now() + LEAVE_WAIT;
	p->topics = 0;
	answers_drop(p);
}

static void
on_hello(struct bus_peer *p, uint32_t seq, const struct msg_hello *m)
{
	char program[32], text[120];
	struct err err;

	span_text(m->program, program, sizeof(program));
	if (m->version != MSG_VERSION) {
		(void)snprintf(text, sizeof(text),
		    "HELLO: %s speaks version %u of the protocol, %s version %u", program,
		    m->version, p->bus->ops->program, MSG_VERSION);
		turn_away(p, seq, ERR_PROTO, text);
	} else if (rights_find(p->uid, p->gid, program, &p->rights, &err) != 0) {
		p->bus->stats.refused++;
		turn_away(p, seq, err.code, err.text);
	} else {
		p->known = true;
	}
}

static void
on_subscribe(const struct bus_request *rq, struct answer *a, unsigned topics)
{
	struct bus_peer *p = rq->peer;
	struct bus *b = p->bus;

	if (p->snapshot > 0) {
		bus_result(rq, -EBUSY, "SUBSCRIBE: the snapshot before was not read yet");
		return;
	}
	p->topics = topics;
	a->unlimited = true;
	if (b->ops->snapshot != NULL)
		b->ops->snapshot(b->ops->arg, rq, topics);
	p->snapshot = wire_backlog(&p->w);
	bus_result(rq, 0, NULL);
}

static const struct bus_handler *
handler_of(const struct bus *b, unsigned number)
{
	for (const struct bus_handler *h = b->ops->handlers; h != NULL && h->number != 0; h++)
		if (h->number == number)
			return h;
	return NULL;
}

static void
on_request(struct bus_peer *p, const struct bus_request *rq, const union msg_any *m)
{
	const struct bus_handler *h = handler_of(p->bus, rq->row->number);
	bool subscribe = rq->row->number == MSG_SUBSCRIBE;
	char text[120];
	struct answer *a = NULL;

	if (h == NULL && !subscribe) {
		(void)snprintf(text, sizeof(text), "%s: %s does not take it", rq->row->name,
		    p->bus->ops->program);
		bus_send_result(p, rq->seq, ERR_UNKNOWN, text, 0);
		return;
	}
	if (p->answers_n >= BUS_ANSWERS) {
		bus_send_result(p, rq->seq, -EBUSY, "too many requests wait for their answer", 0);
		return;
	}
	/* Sequence 0 wants no answer: replies find none, and go nowhere. */
	if (rq->seq != 0)
		a = answer_new(rq);
	if (!subscribe)
		h->fn(p->bus->ops->arg, rq, m);
	else if (a != NULL)
		on_subscribe(rq, a, m->subscribe.topics);
}

static void
on_packet(void *arg, const struct msg_row *row, uint32_t seq, const union msg_any *m)
{
	struct bus_peer *p = arg;
	struct bus_request rq = {
		.peer = p, .row = row, .seq = seq, .uid = p->uid, .life = p->life
	};
	struct answer *a = answer_find(p, seq);
	struct err err;

	must_obj(p, PEER_MAGIC);
	if (p->leave_by != 0 && !p->moving)
		return;
	if (p->known == (row->number == MSG_HELLO)) {
		turn_away(
		    p, seq, ERR_PROTO, p->known ? "HELLO: came twice" : "HELLO must come first");
	} else if (row->number == MSG_HELLO) {
		on_hello(p, seq, &m->hello);
	} else if (row->number == MSG_CREDIT) {
		if (a != NULL)
			answer_credit(a, m->credit.rows);
	} else if (row->number == MSG_RESULT) {
		return; /* we ask peers nothing */
	} else if (a != NULL) {
		turn_away(p, seq, ERR_PROTO, "the sequence is in use by another request");
	} else if (rights_check(&p->rights, row, &err) != 0) {
		p->bus->stats.refused++;
		bus_send_result(p, seq, err.code, err.text, 0);
	} else if (p->moving) {
		bus_send_result(p, seq, MSG_MOVED, "another process answers now", 0);
	} else {
		on_request(p, &rq, m);
	}
}

static void
on_unknown(void *arg, unsigned number, uint32_t seq)
{
	struct bus_peer *p = arg;
	char text[80];

	must_obj(p, PEER_MAGIC);
	if (p->leave_by != 0)
		return;
	(void)snprintf(
	    text, sizeof(text), "message %u: %s is too old for it", number, p->bus->ops->program);
	bus_send_result(p, seq, ERR_UNKNOWN, text, 0);
}

static void
on_closed(void *arg, int code, const char *why)
{
	struct bus_peer *p = arg;

	(void)why;
	must_obj(p, PEER_MAGIC);
	if (code == ERR_PROTO)
		p->bus->stats.malformed++;
	answers_drop(p);
	p->used = false;
	p->bus->stats.peers--;
}

static void
on_drained(void *arg)
{
	struct bus_peer *p = arg;

	p->snapshot = 0;
	if (p->answers_n > 0)
		bus_pump_again(p->bus);
}

static const struct wire_ops peer_wire = {
	.packet = on_packet,
	.unknown = on_unknown,
	.closed = on_closed,
	.drained = on_drained,
};

/* Why a new connection of this user is one too many; NULL: it is not. */
static const char *
no_room_for(const struct bus *b, unsigned uid)
{
	bool ours = uid == 0 || uid == geteuid();
	unsigned same = 0;

	for (unsigned i = 0; i < BUS_SLOTS; i++)
		if (b->slots[i] != NULL && b->slots[i]->used && b->slots[i]->uid == uid)
			same++;
	if (b->stats.peers >= BUS_SLOTS || (!ours && b->stats.peers >= BUS_PEERS))
		return "too many connections";
	if (!ours && same >= BUS_PEERS_USER)
		return "too many connections of this user";
	return NULL;
}

static struct bus_peer *
take_slot(struct bus *b)
{
	for (unsigned i = 0; i < BUS_SLOTS; i++) {
		if (b->slots[i] != NULL && b->slots[i]->used)
			continue;
		if (b->slots[i] == NULL)
			b->slots[i] = mem_alloc(sizeof(*b->slots[i]));
		return b->slots[i];
	}
	must(!"a slot is free");
}

/* Says why in a packet that needs no slot, and closes. */
static void
refuse(struct bus *b, int fd, const char *why)
{
	struct msg_result m = { .code = -EBUSY, .text = SPAN(why) };
	struct buf packet = { 0 };

	b->stats.refused++;
	msg_encode(MSG_RESULT, 0, &m, &packet);
	(void)send(fd, packet.p, packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_fini(&packet);
	(void)close(fd);
}

static void
add_peer(struct bus *b, int fd, const struct sock_peer *who)
{
	const char *why = no_room_for(b, who->uid);
	struct bus_peer *p;

	if (why != NULL) {
		refuse(b, fd, why);
		return;
	}
	p = take_slot(b);
	*p = (struct bus_peer){
		.magic = PEER_MAGIC,
		.bus = b,
		.used = true,
		.life = ++b->lives,
		.hello_by = mono_now() + HELLO_WAIT,
		.uid = who->uid,
		.gid = who->gid,
	};
	list_init(&p->answers);
	b->stats.peers++;
	wire_start(&p->w, b->loop, fd, &peer_wire, p);
	wire_hello(&p->w, b->ops->program);
	if (b->stats.peers == 1)
		loop_timer_set(&b->tick, DUR_S(1));
}

static void
on_accept(void *arg, unsigned ready)
{
	struct bus *b = arg;

	(void)ready;
	must_obj(b, BUS_MAGIC);
	for (int i = 0; i < ACCEPT_BURST; i++) {
		struct sock_peer who;
		int fd = sock_accept_unix(b->listener.fd, &who);

		if (fd >= 0) {
			add_peer(b, fd, &who);
			continue;
		}
		if (fd == -EMFILE || fd == -ENFILE) {
			/* The connection stays in the backlog: look again in a second. */
			b->resting = true;
			loop_fd_want(&b->listener, 0);
			loop_timer_set(&b->tick, DUR_S(1));
		}
		return;
	}
}

static void
on_tick(void *arg)
{
	struct bus *b = arg;
	mono_t now = mono_now();

	must_obj(b, BUS_MAGIC);
	if (b->resting)
		loop_fd_want(&b->listener, LOOP_READ);
	b->resting = false;
	for (unsigned i = 0; i < BUS_SLOTS; i++) {
		struct bus_peer *p = b->slots[i];
		bool stalled;

		if (p == NULL || !p->used || p->w.cut)
			continue;
		stalled = wire_backlog(&p->w) > 0 && now - p->w.moved > BUS_STALL;
		b->stats.cut += stalled;
		if (stalled || (p->leave_by != 0 && now >= p->leave_by) ||
		    (!p->known && now >= p->hello_by))
			wire_cut(&p->w);
	}
	if (b->stats.peers > 0)
		loop_timer_set(&b->tick, DUR_S(1));
}

void
bus_publish(struct bus *b, unsigned topic, unsigned number, const void *payload)
{
	struct buf packet = { 0 };

	must_obj(b, BUS_MAGIC);
	for (unsigned i = 0; i < BUS_SLOTS; i++) {
		struct bus_peer *p = b->slots[i];

		if (p == NULL || !p->used || (p->topics & topic) == 0)
			continue;
		if (packet.len == 0)
			msg_encode(number, 0, payload, &packet);
		wire_send_packet(&p->w, packet.p, packet.len);
		bus_check_backlog(p);
	}
	buf_fini(&packet);
}

void
bus_stats(const struct bus *b, struct bus_stats *out)
{
	must_obj(b, BUS_MAGIC);
	*out = b->stats;
}

static struct bus *
make(struct loop *l, const struct paths *p, const struct bus_ops *ops)
{
	struct bus *b = mem_alloc(sizeof(*b));

	*b = (struct bus){
		.magic = BUS_MAGIC, .loop = l, .ops = ops, .program = msg_program(ops->program)
	};
	must(b->program != 0);
	for (const struct bus_handler *h = ops->handlers; h != NULL && h->number != 0; h++)
		must(msg_row(h->number) != NULL && (msg_row(h->number)->to & b->program) != 0);
	paths_socket(p, ops->program, b->path);
	loop_timer_init(&b->tick, l, on_tick, b);
	return b;
}

int
bus_open(struct loop *l, const struct paths *p, const struct bus_ops *ops, struct bus **out,
    struct err *err)
{
	struct bus *b = make(l, p, ops);
	int fd = sock_listen_unix(b->path, 0666, err);

	if (fd < 0) {
		loop_timer_fini(&b->tick);
		free(b);
		return fd;
	}
	loop_fd_init(&b->listener, l, fd, on_accept, b);
	loop_fd_want(&b->listener, LOOP_READ);
	*out = b;
	return 0;
}

struct bus *
bus_adopt(struct loop *l, const struct paths *p, const struct bus_ops *ops, int fd)
{
	struct bus *b = make(l, p, ops);

	b->elsewhere = true;
	loop_fd_init(&b->listener, l, fd, on_accept, b);
	return b;
}

int
bus_fd(const struct bus *b)
{
	must_obj(b, BUS_MAGIC);
	return b->listener.fd;
}

/* Daemons come again by themselves; who asks once is told to, and keeps the answer that is under way. */
static void
move(struct bus_peer *p)
{
	p->topics = 0;
	if (p->known && p->rights.program != PROG_CTL && p->answers_n == 0) {
		wire_cut(&p->w);
	} else if (p->leave_by == 0) {
		p->moving = true;
		p->leave_by = mono_now() + BUS_LEAVE;
	}
}

static void
stay(struct bus_peer *p)
{
	if (p->moving)
		p->leave_by = 0;
	p->moving = false;
}

void
bus_listen(struct bus *b, bool on)
{
	must_obj(b, BUS_MAGIC);
	b->elsewhere = !on;
	b->resting = false;
	loop_fd_want(&b->listener, on ? LOOP_READ : 0);
	for (unsigned i = 0; i < BUS_SLOTS; i++) {
		struct bus_peer *p = b->slots[i];

		if (p != NULL && p->used && on)
			stay(p);
		else if (p != NULL && p->used)
			move(p);
	}
}

void
bus_release(struct bus *b)
{
	must_obj(b, BUS_MAGIC);
	must(b->elsewhere);
	loop_fd_fini(&b->listener);
	(void)close(b->listener.fd);
	b->listener.fd = -1;
}

static void
free_bus(void *arg)
{
	struct bus *b = arg;

	for (unsigned i = 0; i < BUS_SLOTS; i++)
		free(b->slots[i]);
	b->magic = 0;
	free(b);
}

void
bus_close(struct bus *b)
{
	if (b == NULL)
		return;
	must_obj(b, BUS_MAGIC);
	b->closed = true;
	/* While we still listen, nobody else can have put his socket there. */
	if (!b->elsewhere)
		(void)unlink(b->path);
	loop_timer_fini(&b->tick);
	loop_fd_fini(&b->listener);
	if (b->listener.fd != -1)
		(void)close(b->listener.fd);
	for (unsigned i = 0; i < BUS_SLOTS; i++) {
		struct bus_peer *p = b->slots[i];

		if (p == NULL || !p->used)
			continue;
		wire_stop(&p->w);
		answers_drop(p);
		p->used = false;
	}
	loop_defer(b->loop, free_bus, b); /* behind pumps that are deferred already */
}
