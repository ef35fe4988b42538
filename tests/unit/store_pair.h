/* store_pair.h - two stores that are one, as the two nodes of a pair have them; for the tests of replica.h. */
#ifndef STORE_PAIR_H
#define STORE_PAIR_H

#include "store_help.h"
#include "store/replica.h"

static char dirs[2][200];
static struct store *node[2]; /* 0 is the active */

static const enum scope both[] = { SCOPE_SHARED, SCOPE_OPER };

static inline void
copy_secrets(struct store *from, struct store *to, uint32_t *v, uint32_t n)
{
	struct secrets *a, *b;

	assert_good(secrets_open(dirs[from == node[1]], true, &a, &err));
	assert_good(secrets_open(dirs[to == node[1]], true, &b, &err));
	for (uint32_t i = 0; i < n; i++) {
		struct buf bytes = { 0 };

		if (secret_export(a, v[i], &bytes, &err) == 0) {
			if (secret_import(b, bytes.p, bytes.len, NULL, &err) == ERR_CONFLICT) {
				assert_good(replica_secret_move(to, v[i], &by_test, &err));
				assert_good(secret_import(b, bytes.p, bytes.len, NULL, &err));
			}
		}
		buf_fini(&bytes);
	}
	secrets_close(a);
	secrets_close(b);
	free(v);
}

/* The whole of node a to node b. */
static inline void
copy_whole(unsigned a, unsigned b)
{
	struct buf dump = { 0 };
	uint32_t n, *v;

	assert_good(replica_dump(node[a], &dump, &err));
	v = replica_dump_secrets(dump.p, dump.len, &n);
	copy_secrets(node[a], node[b], v, n);
	assert_good(replica_replace(node[b], dump.p, dump.len, &by_test, NULL, &err));
	buf_fini(&dump);
}

static inline int
open_pair(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		if (make_dir(state) != 0)
			return -1;
		memcpy(dirs[i], dir, sizeof(dir));
		if (store_open(dir, STORE_WRITE, &node[i], &err) != 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			return -1;
		}
		if (replica_set_node(node[i], i + 1, &err) != 0)
			return -1;
	}
	return 0;
}

static inline int
drop_pair(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		store_close(node[i]);
		node[i] = NULL;
		remove_dir(dirs[i]);
	}
	return 0;
}

static inline int
open_paired(void **state)
{
	if (open_pair(state) != 0)
		return -1;
	copy_whole(0, 1);
	return 0;
}

/* A revision as it arrives: through its bytes. */
static inline void
carry(struct store *from, enum scope scope, uint32_t n, struct replica_revision *out)
{
	struct replica_revision r;
	struct buf bytes = { 0 };

	assert_int_equal(replica_read(from, scope, n, &r), 0);
	replica_encode(&r, &bytes);
	assert_int_equal(replica_decode(bytes.p, bytes.len, out), 0);
	out->own = bytes;
	replica_revision_fini(&r);
}

/* Node b follows node a up to its head. */
static inline void
follow_scope(unsigned a, unsigned b, enum scope scope)
{
	uint32_t head = store_head(node[a], scope);

	for (uint32_t n = store_head(node[b], scope) + 1; n <= head; n++) {
		struct replica_revision r;
		uint32_t count, *v;

		carry(node[a], scope, n, &r);
		v = replica_secrets_of(r.delta, r.len, &count);
		copy_secrets(node[a], node[b], v, count);
		assert_good(replica_follow(node[b], &r, NULL, &err));
		replica_revision_fini(&r);
	}
}

static inline void
follow(unsigned a, unsigned b)
{
	for (unsigned i = 0; i < 2; i++)
		follow_scope(a, b, both[i]);
}

static inline char *
text_of(struct store *s, bool full)
{
	struct snapshot *snap = NULL;
	struct buf out = { 0 };

	assert_good(store_snapshot(s, &snap, &err));
	for (unsigned k = 1; k <= KINDS; k++)
		if (objects[k - 1].scope == SCOPE_SHARED || objects[k - 1].scope == SCOPE_OPER)
			assert_good(snapshot_export(snap, EXPORT_YAML, k, NULL, full, &out, &err));
	snapshot_unref(snap);
	(void)buf_text(&out);
	return (char *)out.p;
}

static inline void
assert_equal_nodes(void)
{
	char *a = text_of(node[0], true), *b = text_of(node[1], true);

	assert_string_equal(a, b);
	free(a);
	free(b);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t x, y;
		uint32_t n, m;

		assert_int_equal(replica_head(node[0], both[i], &n, &x), 0);
		assert_int_equal(replica_head(node[1], both[i], &m, &y), 0);
		assert_int_equal(n, m);
		assert_true(x == y);
	}
}

static inline uint32_t
last_common(enum scope scope)
{
	uint32_t n = store_head(node[0], scope), m = store_head(node[1], scope);
	uint64_t x, y;

	for (n = n < m ? n : m;; n--) {
		assert_int_equal(replica_hash_at(node[0], scope, n, &x), 0);
		assert_int_equal(replica_hash_at(node[1], scope, n, &y), 0);
		if (x == y)
			return n;
	}
}

static inline int
hand_over(void *arg, const struct conflict *c)
{
	struct buf bytes = { 0 };
	struct conflict copy;

	(void)arg;
	replica_conflict_encode(c, &bytes);
	assert_int_equal(replica_conflict_decode(bytes.p, bytes.len, &copy), 0);
	assert_good(replica_conflict_put(node[1], &copy, &err));
	buf_fini(&bytes);
	return 0;
}

/* Node 0 joins what node 1 made apart, and node 1 follows; as the pair does it. Returns how many conflicts. */
static inline unsigned
heal(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < 2; i++) {
		uint32_t c = last_common(both[i]), count, *v;
		uint64_t hash;

		for (uint32_t n = c + 1; n <= store_head(node[1], both[i]); n++) {
			struct replica_revision r;
			unsigned more = 0;

			carry(node[1], both[i], n, &r);
			v = replica_secrets_of(r.delta, r.len, &count);
			copy_secrets(node[1], node[0], v, count);
			assert_good(replica_join(node[0], c, &r, NULL, &more, &err));
			sum += more;
			replica_revision_fini(&r);
		}
		assert_int_equal(replica_conflicts(node[0], hand_over, NULL), 0);
		assert_int_equal(replica_hash_at(node[0], both[i], c, &hash), 0);
		if (store_head(node[1], both[i]) > c)
			assert_good(replica_rewind(node[1], both[i], c, hash, &err));
		follow_scope(0, 1, both[i]);
	}
	assert_equal_nodes();
	return sum;
}

static inline int
on(unsigned i, const char *lines)
{
	return edit_with(node[i], lines, &by_test, NULL);
}

#endif
