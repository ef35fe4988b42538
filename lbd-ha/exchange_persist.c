/* exchange_persist.c - persistence of layer 7 on its way to the other node and from it, at the pace of the channel. */
#include "exchange_priv.h"

#include "sys/log.h"

#include <string.h>

#define STICK_PACE DUR_MS(5)
#define STICK_BATCH 70000u /* bytes of the bulk stream that a batch may take */
#define STICK_MOST 32

void
exchange_to_peer(void *arg, uint64_t seq, const void *batch, size_t len)
{
	struct exchange *x = arg;
	struct buf b = { 0 };

	if (!x->up)
		return;
	buf_put_be(&b, stick_mirror_boot(x->stick), 8);
	buf_put_be(&b, seq, 8);
	buf_put(&b, batch, len);
	x->credit -= x->credit > 0;
	(void)peer_channel_send_blob(x->k, MSG_PEER_STICK, b.p, b.len);
	buf_fini(&b);
}

/* As many batches as the stream has room for. */
static void
on_pace(void *arg)
{
	struct exchange *x = arg;
	size_t room = x->up ? peer_channel_room(x->k, PEER_BULK) / STICK_BATCH : 0;
	unsigned want = room < STICK_MOST ? (unsigned)room : STICK_MOST;

	if (!x->up)
		return;
	if (want > x->credit) {
		stick_mirror_peer_more(x->stick, want - x->credit);
		x->credit = want;
	}
	loop_timer_set(&x->pace, x->credit == STICK_MOST ? DUR_MS(100) : STICK_PACE);
	if (!stick_mirror_peer_due(x->stick))
		exchange_look_whole(x);
}

void
exchange_on_batch(struct exchange *x, const uint8_t *p, size_t len)
{
	struct rd r = { .p = p, .left = len };
	uint64_t boot = rd_be(&r, 8), seq = rd_be(&r, 8);

	if (r.bad || x->stick == NULL ||
	    stick_mirror_from_peer(x->stick, boot, seq, r.p, r.left) < 0)
		log_warn("pair: persistence entries that cannot be read");
}

static void
derive(const struct cluster *c, const char *label, uint8_t key[32])
{
	seal_derive((struct seal_bytes){ &c->id, sizeof(c->id) },
	    (struct seal_bytes){ c->secret, sizeof(c->secret) },
	    (struct seal_bytes){ label, strlen(label) }, key);
}

/* Both nodes hash cookies with one key; it is made of the pair's secret. */
static uint64_t
seed_of(const struct cluster *c)
{
	uint8_t key[32];
	uint64_t seed;

	derive(c, "lbd stick", key);
	memcpy(&seed, key, sizeof(seed));
	explicit_bzero(key, sizeof(key));
	return seed != 0 ? seed : 1;
}

void
exchange_persist_pair(struct exchange *x, const struct cluster *c)
{
	uint8_t tickets[STICK_TICKETS];

	if (x->stick == NULL)
		return;
	(void)stick_mirror_set_seed(x->stick, seed_of(c));
	derive(c, "lbd tickets", tickets);
	stick_mirror_set_tickets(x->stick, tickets);
	explicit_bzero(tickets, sizeof(tickets));
}

void
exchange_persist_up(struct exchange *x)
{
	if (x->stick == NULL)
		return;
	x->credit = STICK_MOST;
	stick_mirror_peer_up(x->stick, 0, 0, x->credit);
	loop_timer_set(&x->pace, STICK_PACE);
}

void
exchange_persist_down(struct exchange *x)
{
	loop_timer_cancel(&x->pace);
	if (x->stick != NULL)
		stick_mirror_peer_down(x->stick);
}

void
exchange_persist_init(struct exchange *x)
{
	loop_timer_init(&x->pace, daemon_loop(x->d), on_pace, x);
}
