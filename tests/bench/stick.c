/* stick.c - what shared persistence costs: a million clients on their way from one node's table through both mirrors into
 * the other node's table, stage by stage, then the whole at once, a snapshot, the file, and what a worker pays for a hit.
 * No sockets: they are measured by nobody here. One line a metric: name, millions a second of processor time, milliseconds.
 *
 * Built and run by tests/bench/stick. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "lbd-ha/mirror.h"
#include "lbd-ha/mirror_file.h"
#include "lbd-proxy/pool/stick.h"

#define CLIENTS 1000000u
#define KEEP DUR_S(1800)
#define NOW DUR_S(1000)

static int64_t began;

static void
start(void)
{
	began = mono_cpu_us();
}

static void
rate(const char *what, uint64_t n)
{
	double us = (double)(mono_cpu_us() - began);

	(void)printf("%-34s %8.2f million/s %8.1f ms for %llu\n", what, (double)n / us, us / 1000,
	    (unsigned long long)n);
}

static struct stick_key
client(uint32_t n)
{
	struct addr a = { .family = 4, .len = 32 };
	struct stick_key k;

	n *= 2654435761u;
	memcpy(a.b, &n, 4);
	stick_key_addr(&a, &k);
	return k;
}

static void
bell(void *arg)
{
	(void)arg;
}

/* One table's news as batches, handed on; returns how many records. */
static uint64_t
drain(struct stick *s, void (*to)(void *arg, const struct buf *b), void *arg)
{
	static struct stick_record rec[STICK_BATCH_MOST];
	struct buf b = { 0 };
	uint64_t all = 0;
	bool more = true;

	while (more) {
		unsigned n = stick_drain(s, rec, STICK_BATCH_MOST, NOW, &more);

		stick_batch_begin(&b);
		for (unsigned i = 0; i < n; i++)
			must(stick_batch_put(&b, &rec[i]));
		all += n;
		to(arg, &b);
	}
	buf_fini(&b);
	return all;
}

static void
into_mirror(void *m, const struct buf *b)
{
	must(mirror_merge(m, b->p, b->len, MIRROR_PROXY, NOW) >= 0);
}

static void
into_table(struct stick *s, const struct buf *b)
{
	struct stick_record r;
	struct stick_batch in;

	must(stick_batch_open(b->p, b->len, &in) == 0);
	while (stick_batch_next(&in, &r))
		stick_merge(s, &r, NOW, DUR_MS(r.left_ms), false);
}

static uint64_t
follow(struct mirror *m, struct mirror_cursor *c, struct mirror *peer, struct stick *table,
    struct buf *file)
{
	struct buf b = { 0 };
	uint64_t n = 0;

	while (mirror_behind(m, c)) {
		n += mirror_read(m, c, STICK_BATCH_MOST, NOW, &b);
		if (peer != NULL)
			must(mirror_merge(peer, b.p, b.len, MIRROR_PEER, NOW) >= 0);
		if (table != NULL)
			into_table(table, &b);
		if (file != NULL)
			mirror_file_add(file, &b);
	}
	buf_fini(&b);
	return n;
}

static void
store_all(struct stick *s, uint32_t server, mono_t now)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct stick_key k = client(i);

		stick_store(s, 1, &k, server, now, KEEP);
	}
}

static void
hits(const char *what, struct stick *s)
{
	start();
	for (uint32_t i = 0; i < 4 * CLIENTS; i++) {
		struct stick_key k = client(i % 1000);

		must(stick_lookup(s, 1, &k, NOW + i % 1000, KEEP) != 0);
	}
	rate(what, 4 * CLIENTS);
}

static void
a_file(struct mirror *m, const uint64_t lot[2])
{
	struct mirror *again = mirror_new(MIRROR_CAPACITY, lot, NOW);
	struct mirror_cursor c;
	struct buf file = { 0 };
	struct err err;

	start();
	mirror_follow(m, &c, 0, 0);
	mirror_file_begin(&file, 0, mirror_stamp(m));
	(void)follow(m, &c, NULL, NULL, &file);
	rate("file: copied", CLIENTS);
	start();
	mirror_file_end(&file);
	rate("file: summed", CLIENTS);
	start();
	must(mirror_file_read(file.p, file.len, again, NOW, 0, &err) > 0);
	rate("file: read", CLIENTS);
	(void)printf("%-34s %8.1f MB\n", "file: size", (double)file.len / 1e6);
	mirror_leave(&c);
	mirror_free(again);
	buf_fini(&file);
}

static size_t
memory(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* What clients write (parameters, fields, cookies), kept as hashes: three times as many as there is room for. */
static void
values(void)
{
	size_t before = memory();
	struct stick *s = stick_new(STICK_CAPACITY, 4);
	struct stick_key k;
	char text[32];

	for (unsigned turn = 0; turn < 3; turn++) {
		start();
		for (uint32_t i = 0; i < CLIENTS; i++) {
			int n = snprintf(text, sizeof(text), "session-%u-%u", turn, i);

			stick_key_cookie(s, text, (size_t)n, &k);
			stick_store(s, 1, &k, 1, NOW + turn, KEEP);
		}
		rate(turn == 0 ? "values learned" : "values learned, others forgotten", CLIENTS);
	}
	must(stick_count(s) <= STICK_CAPACITY);
	(void)printf("%-34s %8.1f bytes an entry, %u entries\n", "values: memory",
	    (double)(memory() - before) / stick_count(s), stick_count(s));
	stick_free(s);
}

int
main(void)
{
	const uint64_t lot[2] = { 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03 };
	struct stick *a = stick_new(2 * STICK_CAPACITY, 1), *b = stick_new(2 * STICK_CAPACITY, 2),
		     *alone = stick_new(STICK_CAPACITY, 3);
	struct mirror *m = mirror_new(MIRROR_CAPACITY, lot, NOW),
		      *peer = mirror_new(MIRROR_CAPACITY, lot, NOW);
	struct mirror_cursor to_peer, to_b;
	uint64_t n;

	stick_share(a, bell, NULL);
	mirror_follow(m, &to_peer, 0, MIRROR_PEER);
	mirror_follow(peer, &to_b, 0, MIRROR_PROXY);
	start();
	store_all(a, 1, NOW);
	rate("learned by the worker", CLIENTS);
	start();
	n = drain(a, into_mirror, m);
	rate("drained, encoded, merged by lbd-ha", n);
	start();
	n = follow(m, &to_peer, peer, NULL, NULL);
	rate("to the peer's mirror (snapshot)", n);
	start();
	n = follow(peer, &to_b, NULL, b, NULL);
	rate("to the peer's lbd-proxy", n);
	store_all(a, 2, NOW + 1);
	start();
	n = drain(a, into_mirror, m);
	n = follow(m, &to_peer, peer, NULL, NULL);
	n = follow(peer, &to_b, NULL, b, NULL);
	rate("all of it, one thread, updates", n);
	must(stick_count(b) == n && n == CLIENTS);
	a_file(m, lot);
	hits("hits, shared", a);
	for (uint32_t i = 0; i < 1000; i++) {
		struct stick_key k = client(i);

		stick_store(alone, 1, &k, 1, NOW, KEEP);
	}
	hits("hits, small table, not shared", alone);
	stick_share(alone, bell, NULL);
	hits("hits, small table, shared", alone);
	values();
	mirror_leave(&to_peer);
	mirror_leave(&to_b);
	mirror_free(m);
	mirror_free(peer);
	stick_free(a);
	stick_free(b);
	stick_free(alone);
	return 0;
}
