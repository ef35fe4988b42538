/* Arrays in pages: random splices give what a plain array gives, and versions before stay as they were. */
#include "store_help.h"
#include "store/pages.h"

#define N_MAX 6000

static const void *
thing(uint32_t n)
{
	return (const void *)(uintptr_t)(n + 1);
}

static void
same(const struct pages *p, const void *const *v, uint32_t n)
{
	assert_int_equal(pages_count(p), n);
	for (uint32_t i = 0; i < n; i++)
		assert_ptr_equal(pages_at(p, i), v[i]);
}

static void
test_random_splices(void **state)
{
	static const void *now[N_MAX + 64], *next[N_MAX + 64];
	struct page_edit e[32];
	struct pages *p, *q;
	uint32_t n, fresh = 0;

	(void)state;
	srandom(seed_of("pages"));
	for (n = 0; n < 1500; n++)
		now[n] = thing(fresh++);
	p = pages_new(now, n);
	for (unsigned round = 0; round < 3000; round++) {
		uint32_t edits = 0, at = 0, out = 0;
		unsigned few = (unsigned)random() % 4;

		for (uint32_t i = 0; i <= n; i++) {
			bool hit =
			    edits < 30 &&
			    (few == 0 ? i == n : (unsigned)random() % (n / (8 * few) + 1) == 0);
			bool removes = hit && i < n && random() % 2 == 0,
			     inserts = hit && (!removes || random() % 2 == 0);

			if (removes || inserts)
				e[edits++] = (struct page_edit){ i, removes, inserts,
					inserts ? thing(fresh++) : NULL };
			if (inserts)
				next[out++] = e[edits - 1].v;
			if (i < n && !removes)
				next[out++] = now[i];
		}
		q = pages_splice(p, e, edits);
		same(p, now, n);
		same(q, next, out);
		for (; at < n && at < out; at += PAGE_ROWS)
			for (uint32_t k = 0; k < pages_same(p, q, at); k++)
				assert_ptr_equal(now[at + k], next[at + k]);
		pages_unref(p);
		p = q;
		n = out;
		memcpy(now, next, n * sizeof(*now));
		while (n > N_MAX - 100) { /* cut it down again, from the front */
			e[0] = (struct page_edit){ 0, true, false, NULL };
			q = pages_splice(p, e, 1);
			pages_unref(p);
			p = q;
			n--;
			memmove(now, now + 1, n * sizeof(*now));
		}
	}
	pages_unref(p);
}

static void
test_one_edit_shares_the_rest(void **state)
{
	static const void *v[4 * PAGE_ROWS];
	struct page_edit e = { 3 * PAGE_ROWS + 5, true, true, thing(7) };
	struct pages *p, *q;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = thing(i);
	p = pages_new(v, ARRAY_LEN(v));
	q = pages_splice(p, &e, 1);
	assert_int_equal(pages_same(p, q, 0), PAGE_ROWS);
	assert_int_equal(pages_same(p, q, 2 * PAGE_ROWS), PAGE_ROWS);
	assert_int_equal(pages_same(p, q, 3 * PAGE_ROWS), 0);
	pages_unref(p);
	assert_ptr_equal(pages_at(q, 1), thing(1));
	assert_ptr_equal(pages_at(q, e.pos), thing(7));
	pages_unref(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_splices),
		cmocka_unit_test(test_one_edit_shares_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
