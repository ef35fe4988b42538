/* track_bfd.c - neighbours by BFD: the sessions of bfd/ at work in the loop.
 *
 * A session goes on while its row is the same; another interval is agreed upon with the neighbour meanwhile. All
 * neighbours of a family are heard by one socket, which is there while there is one of them; who sent a packet says
 * whose session it is, and the discriminator must be that session's. What comes from anybody else is dropped, with a
 * warning. Up is a good result and down a bad one; a session that had no time yet to come up gives none, nor does a
 * neighbour that was shut down on purpose (bfd_session.h).
 *
 * What waits is read before a neighbour is taken for silent: it may be this process that was late. A row that goes away,
 * and the end of the process, are told to the neighbour, by one packet. */
#include "track_priv.h"

#include "base/mem.h"
#include "base/must.h"
#include "bfd/bfd_session.h"
#include "bfd/bfd_sock.h"
#include "sys/log.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define READ_MOST 512	  /* packets in a turn: as many as wait in a socket */
#define SHOW_GAP DUR_S(1) /* what strangers can make change is told so often at most */

struct track_bfd {
	struct bfd session;
	struct addr to;
	char ifname[ADDR_IFNAME];
	int fd, fault; /* fault: of the last packet that was to be sent */
	struct loop_timer timer;
	enum bfd_verdict said;
	uint64_t shown[BFD_BADS];
	mono_t shown_at;
};

static uint32_t
chance(void)
{
	uint32_t v;

	must(getrandom(&v, sizeof(v), 0) == (ssize_t)sizeof(v));
	return v;
}

/* ---- what is told ---------------------------------------------------------------------------------------------- */

static void
add(char out[BFD_TEXT], const char *a, const char *b)
{
	size_t n = strlen(out);

	(void)snprintf(out + n, BFD_TEXT - n, "%s%s", a, b);
}

static void
add_discarded(char out[BFD_TEXT], const uint64_t bad[BFD_BADS])
{
	const char *sep = "; discarded ";
	char count[24];

	for (unsigned i = 0; i < BFD_BADS; i++) {
		if (bad[i] == 0)
			continue;
		(void)snprintf(count, sizeof(count), "=%llu", (unsigned long long)bad[i]);
		add(out, sep, bfd_bad_name(i));
		add(out, count, "");
		sep = ",";
	}
}

/* again: also when it is as before, since rise and fall count. */
static void
report(struct tracked *t, bool again)
{
	struct track_bfd *b = t->bfd;
	enum bfd_verdict v = bfd_verdict(&b->session);
	char text[BFD_TEXT];
	mono_t now = mono_now();

	if (v != b->said || now - b->shown_at >= SHOW_GAP) {
		memcpy(b->shown, b->session.bad, sizeof(b->shown));
		b->shown_at = now;
	}
	bfd_format(&b->session, text);
	if (b->fault != 0)
		add(text, "; cannot send: ", strerror(-b->fault));
	add_discarded(text, b->shown);
	if (v == b->said && !again) {
		track_text(t, text);
		return;
	}
	b->said = v;
	if (v == BFD_VERDICT_NONE)
		track_unknown(t, text);
	else
		track_result(t, v == BFD_VERDICT_GOOD, "%s", text);
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

static void
arm(struct tracked *t)
{
	mono_t at = t->bfd->session.deadline, now = mono_now();

	if (at == BFD_NEVER)
		loop_timer_cancel(&t->bfd->timer);
	else
		loop_timer_set(&t->bfd->timer, at > now ? at - now : 0);
}

static void
send_packet(struct track_bfd *b, const struct bfd_out *out)
{
	uint8_t bytes[BFD_BYTES];

	if (!out->send)
		return;
	bfd_packet_format(&out->packet, bytes);
	b->fault = bfd_sock_send(b->fd, &b->to, b->ifname, bytes);
}

static void
carry_out(struct tracked *t, const struct bfd_out *out)
{
	send_packet(t->bfd, out);
	arm(t);
	report(t, false);
}

static bool
is_from(const struct track_bfd *b, const struct bfd_frame *f)
{
	return addr_same_host(&b->to, &f->src) &&
	       (b->ifname[0] == '\0' || (int)if_nametoindex(b->ifname) == f->ifindex);
}

static struct tracked *
whose(const struct tracker *k, const struct bfd_frame *f)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->t[i]->bfd != NULL && is_from(k->t[i]->bfd, f))
			return k->t[i];
	return NULL;
}

static void
take(struct tracker *k, const struct bfd_frame *f)
{
	struct tracked *t = whose(k, f);
	struct bfd_packet p;
	struct bfd_out out = { 0 };
	enum bfd_bad bad = bfd_packet_parse(f->bytes, f->n, f->ttl, &p);

	if (t == NULL) {
		/* Without the address, which anybody can choose: the same line is written once in a while. */
		log_warn("BFD: a packet of somebody who is no neighbour was discarded (%s)",
		    bfd_bad_name(bad));
		return;
	}
	if (bad == BFD_GOOD)
		bad = bfd_receive(&t->bfd->session, &p, mono_now(), chance(), &out);
	if (bad != BFD_GOOD)
		t->bfd->session.bad[bad]++;
	carry_out(t, &out);
}

static void
hear(struct track_hear *h)
{
	struct bfd_frame f;

	for (unsigned i = 0; h->fd != -1 && i < READ_MOST; i++)
		if (bfd_sock_receive(h->fd, &f) != 1)
			break;
		else
			take(h->all, &f);
}

static void
on_packets(void *arg, unsigned ready)
{
	(void)ready;
	hear(arg);
}

static struct track_hear *
ear(struct tracked *t)
{
	return &t->all->hear[t->bfd->to.family == 4 ? 0 : 1];
}

static void
on_timer(void *arg)
{
	struct tracked *t = arg;
	struct bfd_out out;

	hear(ear(t));
	bfd_timer(&t->bfd->session, mono_now(), chance(), &out);
	carry_out(t, &out);
}

/* ---- begin and end --------------------------------------------------------------------------------------------- */

static int
open_ear(struct track_hear *h, uint8_t family)
{
	int fd;

	if (h->fd != -1)
		return 0;
	fd = bfd_sock_listen(family);
	if (fd < 0)
		return fd;
	h->fd = fd;
	loop_fd_init(&h->io, h->all->loop, fd, on_packets, h);
	loop_fd_want(&h->io, LOOP_READ);
	return 0;
}

static uint32_t
discriminator(const struct tracker *k)
{
	for (;;) {
		uint32_t v = chance();
		bool used = v == 0;

		for (unsigned i = 0; i < k->n; i++)
			used = used || (k->t[i]->bfd != NULL && k->t[i]->bfd->session.mine == v);
		if (!used)
			return v;
	}
}

/* Tried again in the interval: another program may have the port. */
static void
begin_again(struct tracked *t, const char *what, int code)
{
	if (t->bfd->fd >= 0)
		(void)close(t->bfd->fd);
	FREE(t->bfd);
	track_none(t, "%s: %s", what, strerror(-code));
	loop_timer_set(&t->due, t->interval);
}

void
track_bfd_begin(struct tracked *t)
{
	struct track_bfd *b = mem_alloc(sizeof(*b));
	int code;

	t->bfd = b;
	b->fd = -1;
	must(addr_parse_link(t->target, &b->to, b->ifname) == 0); /* looked at by common/store */
	code = open_ear(ear(t), b->to.family);
	if (code != 0) {
		begin_again(t, "UDP port 3784", code);
		return;
	}
	b->fd = bfd_sock_open(b->to.family, chance());
	if (b->fd < 0) {
		begin_again(t, "UDP socket", b->fd);
		return;
	}
	bfd_init(&b->session, t->interval, discriminator(t->all), mono_now());
	loop_timer_init(&b->timer, t->all->loop, on_timer, t);
	arm(t);
	report(t, false);
}

void
track_bfd_look(struct tracked *t)
{
	if (t->bfd == NULL)
		track_bfd_begin(t);
	else
		report(t, true);
}

void
track_bfd_interval(struct tracked *t)
{
	struct bfd_out out;

	if (t->bfd == NULL)
		return;
	bfd_interval_set(&t->bfd->session, t->interval, mono_now(), chance(), &out);
	send_packet(t->bfd, &out);
	arm(t);
}

void
track_bfd_end(struct tracked *t)
{
	struct bfd_out out;

	if (t->bfd == NULL)
		return;
	bfd_end(&t->bfd->session, &out);
	send_packet(t->bfd, &out);
	loop_timer_fini(&t->bfd->timer);
	(void)close(t->bfd->fd);
	FREE(t->bfd);
}

void
track_bfd_hear(struct tracker *k)
{
	bool need[ARRAY_LEN(k->hear)] = { false };

	for (unsigned i = 0; i < k->n; i++)
		if (k->t[i]->bfd != NULL)
			need[k->t[i]->bfd->to.family == 4 ? 0 : 1] = true;
	for (unsigned i = 0; i < ARRAY_LEN(k->hear); i++) {
		struct track_hear *h = &k->hear[i];

		if (need[i] || h->fd == -1)
			continue;
		loop_fd_fini(&h->io);
		(void)close(h->fd);
		h->fd = -1;
	}
}
