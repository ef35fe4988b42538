/* The mirror's place in the daemon: who feeds it, who reads it, and when it goes to disk.
 *
 * lbd-proxy asks STICK_FOLLOW once and gets the seed, all there is, and then every change that it did not make itself;
 * what it learns comes as STICK_LEARNED. So a proxy that was killed gets its table back at once. The peer is the same
 * thing twice over a channel that this file does not know. Each of them is a cursor of the mirror, so that whoever is slow,
 * or was away, costs nothing here and misses nothing.
 *
 * The file is one more follower: ten seconds after a change the entries are copied in pieces between the loop's other
 * work, and a thread sums, writes and syncs them. The loop looks now and then whether it has ended.
 *
 * Nothing here decides which record is right (mirror.c), or whether this node is active. */
#include "stick.h"

#include "mirror.h"
#include "mirror_file.h"

#include "base/mem.h"
#include "base/must.h"
#include "sys/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define COALESCE DUR_MS(1) /* lbd-proxy has gathered already */
#define SAVE_EACH DUR_S(10)
#define SAVE_LOOK DUR_MS(20) /* whether the thread has ended */
#define PIECES 4	     /* batches a turn */
#define SEED_TEXT 17	     /* 16 digits and the end of the line */
#define CREDIT_MOST 1000000u

struct follower {
	struct list link;
	struct stick_mirror *of; /* NULL: it is gone */
	struct mirror_cursor cursor;
	bool seeded, synced;
};

/* One copy of the mirror on its way to disk. */
struct save {
	bool copying, writing;
	struct mirror_cursor cursor;
	struct buf b;
	uint64_t seq, done_seq; /* the last change in the copy; on disk */
	pthread_t thread;
	atomic_bool ended;
	int code; /* of the thread */
	bool warned;
	struct loop_timer timer;
	char path[288];
};

struct stick_mirror {
	struct bus *bus;
	struct mirror *mirror;
	struct list followers;
	struct buf batch; /* scratch */
	uint64_t seed, boot;
	uint32_t generation;
	char seed_path[288];
	uint8_t tickets[STICK_TICKETS]; /* of TLS sessions; never on disk */
	bool ticketed;
	struct {
		struct stick_mirror_ops ops;
		bool up;
		unsigned credit;
		struct mirror_cursor cursor;
		struct loop_timer timer;
		bool armed;
		uint64_t boot, seq; /* the last that came from it */
	} peer;
	struct save save;
};

static uint64_t
lot(void)
{
	uint64_t v;

	must(getrandom(&v, sizeof(v), 0) == (ssize_t)sizeof(v));
	return v;
}

/* ---- the file ------------------------------------------------------------------------------------------- */

static void *
write_file(void *arg)
{
	struct save *v = arg;

	mirror_file_end(&v->b);
	v->code = mirror_file_save(v->path, v->b.p, v->b.len);
	atomic_store(&v->ended, true);
	return NULL;
}

static void
written(struct save *v)
{
	buf_fini(&v->b);
	v->writing = false;
	if (v->code == 0)
		v->done_seq = v->seq;
	else if (!v->warned)
		log_warn("persistence: %s cannot be written: %s", v->path, strerror(-v->code));
	v->warned = v->code != 0;
}

static void
copy_begin(struct stick_mirror *s)
{
	struct save *v = &s->save;

	v->copying = true;
	mirror_file_begin(&v->b, mono_wall_ms(), mirror_stamp(s->mirror));
	mirror_follow(s->mirror, &v->cursor, 0, 0);
}

/* Some batches more; true: that is all. What changes meanwhile is met again at the end; a file that gets too long for that
 * is ended as it is, for the next one follows. */
static bool
copy_some(struct stick_mirror *s, unsigned pieces)
{
	struct save *v = &s->save;
	bool room = true;

	for (; pieces > 0 && room && mirror_behind(s->mirror, &v->cursor); pieces--) {
		if (mirror_read(s->mirror, &v->cursor, STICK_BATCH_MOST, mono_now(), &s->batch) > 0)
			mirror_file_add(&v->b, &s->batch);
		room = v->b.len + 2 * MSG_MAX < MIRROR_FILE_MOST;
	}
	return !room || !mirror_behind(s->mirror, &v->cursor);
}

static void
copy_end(struct stick_mirror *s)
{
	s->save.copying = false;
	s->save.seq = s->save.cursor.seq;
	mirror_leave(&s->save.cursor);
}

static void
on_save(void *arg)
{
	struct stick_mirror *s = arg;
	struct save *v = &s->save;
	dur_t next = SAVE_EACH;

	if (v->writing && atomic_load(&v->ended)) {
		must(pthread_join(v->thread, NULL) == 0);
		written(v);
	} else if (v->writing) {
		next = SAVE_LOOK;
	} else if (v->copying || mirror_seq(s->mirror) != v->done_seq) {
		if (!v->copying)
			copy_begin(s);
		next = 0;
		if (copy_some(s, PIECES)) {
			copy_end(s);
			atomic_store(&v->ended, false);
			v->writing = pthread_create(&v->thread, NULL, write_file, v) == 0;
			if (!v->writing)
				buf_fini(&v->b);
			next = v->writing ? SAVE_LOOK : SAVE_EACH;
		}
	}
	loop_timer_set(&v->timer, next);
}

/* The last word, at the end of the process. */
static void
save_now(struct stick_mirror *s)
{
	struct save *v = &s->save;

	if (v->writing) {
		must(pthread_join(v->thread, NULL) == 0);
		written(v);
	}
	if (v->copying)
		copy_end(s);
	if (mirror_seq(s->mirror) != v->done_seq) {
		copy_begin(s);
		while (!copy_some(s, PIECES))
			;
		copy_end(s);
		(void)write_file(v);
		written(v);
	}
	buf_fini(&v->b);
}

static void
load(struct stick_mirror *s)
{
	struct buf b = { 0 };
	struct err err = { 0 };
	int n = mirror_file_load(s->save.path, MIRROR_FILE_MOST, &b);

	if (n != 0 && n != -ENOENT)
		log_warn("persistence: %s cannot be read: %s: nothing is known of before",
		    s->save.path, strerror(-n));
	if (n == 0) {
		n = mirror_file_read(b.p, b.len, s->mirror, mono_now(), mono_wall_ms(), &err);
		if (n < 0)
			log_warn("persistence: %s: %s: nothing is known of before", s->save.path,
			    err.text);
		else if (n > 0)
			log_info("persistence: %d entries of before", n);
	}
	buf_fini(&b);
	s->save.done_seq = mirror_seq(s->mirror);
}

/* ---- the seed ------------------------------------------------------------------------------------------- */

static int
seed_save(const struct stick_mirror *s)
{
	char text[SEED_TEXT + 1];
	int code;

	(void)snprintf(text, sizeof(text), "%016" PRIx64 "\n", s->seed);
	code = mirror_file_save(s->seed_path, text, SEED_TEXT);
	if (code != 0)
		log_warn("persistence: %s cannot be written: %s", s->seed_path, strerror(-code));
	return code;
}

/* 16 digits and the end of the line, nothing else. */
static bool
seed_parse(const uint8_t *p, size_t len, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";

	*out = 0;
	for (size_t i = 0; i < SEED_TEXT - 1 && len == SEED_TEXT; i++) {
		const char *d = memchr(digits, p[i], 16);

		if (d == NULL)
			return false;
		*out = *out << 4 | (uint64_t)(d - digits);
	}
	return len == SEED_TEXT && p[SEED_TEXT - 1] == '\n';
}

static void
seed_load(struct stick_mirror *s)
{
	struct buf b = { 0 };
	int code = mirror_file_load(s->seed_path, SEED_TEXT, &b);

	if (code != 0 || !seed_parse(b.p, b.len, &s->seed)) {
		if (code != -ENOENT)
			log_warn("persistence: %s cannot be used: a new one is made", s->seed_path);
		s->seed = lot();
		(void)seed_save(s);
	}
	buf_fini(&b);
}

/* ---- lbd-proxy ------------------------------------------------------------------------------------------ */

static void
wake_followers(struct stick_mirror *s)
{
	if (s->bus != NULL && !list_empty(&s->followers))
		bus_pump_again(s->bus);
}

static bool
follow_step(void *state, const struct bus_request *rq)
{
	struct follower *f = state;
	struct stick_mirror *s = f->of;
	struct msg_stick_set m = { 0 };

	if (s == NULL)
		return true;
	if (!f->seeded) {
		const struct msg_stick_seed seed = { .seed = s->seed,
			.generation = s->generation,
			.stamp = mirror_stamp(s->mirror),
			.boot = s->boot,
			.tickets = { s->tickets, s->ticketed ? sizeof(s->tickets) : 0 } };

		f->seeded = true;
		(void)bus_reply(rq, MSG_STICK_SEED, &seed);
		return false;
	}
	if (mirror_read(s->mirror, &f->cursor, STICK_BATCH_MOST, mono_now(), &s->batch) > 0) {
		m.batch = (struct span){ s->batch.p, s->batch.len };
		m.seq = f->cursor.seq;
		(void)bus_reply(rq, MSG_STICK_SET, &m);
	} else if (mirror_behind(s->mirror, &f->cursor)) {
		bus_pump_again(s->bus); /* what was read was of no use to it */
	} else if (!f->synced) {
		f->synced = m.synced = true;
		m.seq = f->cursor.seq;
		(void)bus_reply(rq, MSG_STICK_SET, &m);
	}
	return false;
}

static void
follow_fini(void *state)
{
	struct follower *f = state;

	mirror_leave(&f->cursor);
	list_del(&f->link);
	free(f);
}

void
stick_mirror_on_follow(
    struct stick_mirror *s, const struct bus_request *rq, const struct msg_stick_follow *m)
{
	struct follower *f = mem_alloc(sizeof(*f));
	bool again = m->boot == s->boot && m->seq <= mirror_seq(s->mirror);

	f->of = s;
	list_push(&s->followers, &f->link);
	mirror_follow(s->mirror, &f->cursor, again ? m->seq : 0, MIRROR_PROXY);
	f->cursor.kinds = m->kinds;
	bus_pump(rq, follow_step, follow_fini, f);
}

static void
on_peer_timer(void *arg)
{
	struct stick_mirror *s = arg;
	unsigned i;

	s->peer.armed = false;
	for (i = 0; i < PIECES && s->peer.up && s->peer.credit > 0; i++) {
		if (!mirror_behind(s->mirror, &s->peer.cursor))
			return;
		if (mirror_read(
			s->mirror, &s->peer.cursor, STICK_BATCH_MOST, mono_now(), &s->batch) == 0)
			continue;
		s->peer.credit--;
		s->peer.ops.to_peer(s->peer.ops.arg, s->peer.cursor.seq, s->batch.p, s->batch.len);
	}
	if (i == PIECES) {
		s->peer.armed = true;
		loop_timer_set(&s->peer.timer, 0);
	}
}

static void
wake_peer(struct stick_mirror *s, dur_t after)
{
	if (!s->peer.up || s->peer.credit == 0 || s->peer.armed)
		return;
	s->peer.armed = true;
	loop_timer_set(&s->peer.timer, after);
}

void
stick_mirror_on_learned(
    struct stick_mirror *s, const struct bus_request *rq, const struct msg_stick_learned *m)
{
	int n = mirror_merge(s->mirror, m->batch.p, m->batch.len, MIRROR_PROXY, mono_now());

	if (n > 0)
		wake_peer(s, COALESCE);
	bus_result(rq, n < 0 ? n : 0, n < 0 ? "STICK_LEARNED: no batch of records" : NULL);
}

/* ---- the peer ------------------------------------------------------------------------------------------- */

uint64_t
stick_mirror_boot(const struct stick_mirror *s)
{
	return s->boot;
}

void
stick_mirror_peer_up(struct stick_mirror *s, uint64_t boot, uint64_t seq, unsigned credit)
{
	if (s->peer.ops.to_peer == NULL)
		return;
	mirror_leave(&s->peer.cursor);
	mirror_follow(s->mirror, &s->peer.cursor,
	    boot == s->boot && seq <= mirror_seq(s->mirror) ? seq : 0, MIRROR_PEER);
	s->peer.up = true;
	s->peer.credit = credit < CREDIT_MOST ? credit : CREDIT_MOST;
	wake_peer(s, 0);
}

void
stick_mirror_peer_more(struct stick_mirror *s, unsigned credit)
{
	s->peer.credit =
	    credit < CREDIT_MOST - s->peer.credit ? s->peer.credit + credit : CREDIT_MOST;
	if (stick_mirror_peer_due(s))
		wake_peer(s, 0);
}

void
stick_mirror_peer_down(struct stick_mirror *s)
{
	s->peer.up = s->peer.armed = false;
	s->peer.credit = 0;
	loop_timer_cancel(&s->peer.timer);
	mirror_leave(&s->peer.cursor);
}

bool
stick_mirror_peer_due(const struct stick_mirror *s)
{
	return s->peer.up && mirror_behind(s->mirror, &s->peer.cursor);
}

int
stick_mirror_from_peer(
    struct stick_mirror *s, uint64_t boot, uint64_t seq, const void *batch, size_t len)
{
	int n = mirror_merge(s->mirror, batch, len, MIRROR_PEER, mono_now());

	if (n < 0)
		return n;
	s->peer.boot = boot;
	s->peer.seq = seq;
	if (n > 0) {
		wake_followers(s);
		wake_peer(s, COALESCE); /* whose cursor passes over what it sent */
	}
	return n;
}

void
stick_mirror_peer_seen(const struct stick_mirror *s, uint64_t *boot, uint64_t *seq)
{
	*boot = s->peer.boot;
	*seq = s->peer.seq;
}

/* ---- what both nodes agree on --------------------------------------------------------------------------- */

static void
tell_seed(struct stick_mirror *s)
{
	struct list *it;

	list_each(it, &s->followers)
	{
		container_of(it, struct follower, link)->seeded = false;
	}
	wake_followers(s);
}

uint64_t
stick_mirror_seed(const struct stick_mirror *s)
{
	return s->seed;
}

int
stick_mirror_set_seed(struct stick_mirror *s, uint64_t seed)
{
	if (seed == s->seed)
		return 0;
	s->seed = seed;
	mirror_forget(s->mirror, STICK_PERSIST, STICK_COOKIE);
	tell_seed(s);
	return seed_save(s);
}

void
stick_mirror_set_tickets(struct stick_mirror *s, const uint8_t secret[STICK_TICKETS])
{
	if (s->ticketed && memcmp(s->tickets, secret, sizeof(s->tickets)) == 0)
		return;
	memcpy(s->tickets, secret, sizeof(s->tickets));
	s->ticketed = true;
	tell_seed(s);
}

void
stick_mirror_set_generation(struct stick_mirror *s, uint32_t generation)
{
	if (generation <= s->generation)
		return;
	s->generation = generation;
	tell_seed(s);
}

uint32_t
stick_mirror_count(const struct stick_mirror *s)
{
	return mirror_count(s->mirror);
}

struct stick_mirror *
stick_mirror_new(
    struct loop *l, struct bus *bus, const struct paths *p, const struct stick_mirror_ops *ops)
{
	struct stick_mirror *s = mem_alloc(sizeof(*s));
	const uint64_t key[2] = { lot(), lot() };

	*s = (struct stick_mirror){ .bus = bus, .boot = lot() };
	if (ops != NULL)
		s->peer.ops = *ops;
	list_init(&s->followers);
	s->mirror = mirror_new(MIRROR_CAPACITY, key, mono_now());
	(void)snprintf(s->save.path, sizeof(s->save.path), "%s/persist.db", p->state);
	(void)snprintf(s->seed_path, sizeof(s->seed_path), "%s/persist.seed", p->state);
	seed_load(s);
	load(s);
	loop_timer_init(&s->peer.timer, l, on_peer_timer, s);
	loop_timer_init(&s->save.timer, l, on_save, s);
	loop_timer_set(&s->save.timer, SAVE_EACH);
	return s;
}

void
stick_mirror_free(struct stick_mirror *s)
{
	struct list *it, *n;

	if (s == NULL)
		return;
	save_now(s);
	list_each_safe(it, n, &s->followers)
	{
		struct follower *f = container_of(it, struct follower, link);

		f->of = NULL;
		mirror_leave(&f->cursor);
		list_del(&f->link);
	}
	mirror_leave(&s->peer.cursor);
	loop_timer_fini(&s->peer.timer);
	loop_timer_fini(&s->save.timer);
	buf_fini(&s->batch);
	mirror_free(s->mirror);
	explicit_bzero(s->tickets, sizeof(s->tickets));
	free(s);
}
