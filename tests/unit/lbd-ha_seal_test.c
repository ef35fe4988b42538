/* Codes under frames: against the vectors of the standards, by label and slot, and what one costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/core/seal.h"

#include "base/mono.h"
#include "base/must.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

static struct seal_bytes
bytes(const char *hex, uint8_t *room)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		room[i] = (uint8_t)v;
	}
	return (struct seal_bytes){ room, n };
}

/* RFC 4231 sections 4.2, 4.3, 4.4 and 4.7 (a key longer than a block). */
static void
test_seal_hmac(void **state)
{
	static const struct {
		const char *key, *text, *want;
	} rows[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
		    "dddddddddddddddddddddddddddddddd",
		    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
	};
	uint8_t key[200], text[200], want[32], got[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)bytes(rows[i].want, want);
		seal_hmac(bytes(rows[i].key, key), bytes(rows[i].text, text), got);
		assert_memory_equal(got, want, 32);
	}
	memset(key, 0xaa, 131);
	(void)bytes("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", want);
	seal_hmac((struct seal_bytes){ key, 131 },
	    (struct seal_bytes){ "Test Using Larger Than Block-Size Key - Hash Key First", 54 },
	    got);
	assert_memory_equal(got, want, 32);
}

/* RFC 5869 appendix A.1 and A.3: the first 32 bytes of what is derived. */
static void
test_seal_derive(void **state)
{
	uint8_t ikm[22], salt[13], info[10], want[32], got[32];
	struct seal_bytes secret = bytes("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", ikm);

	(void)state;
	(void)bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf", want);
	seal_derive(bytes("000102030405060708090a0b0c", salt), secret,
	    bytes("f0f1f2f3f4f5f6f7f8f9", info), got);
	assert_memory_equal(got, want, 32);
	(void)bytes("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d", want);
	seal_derive((struct seal_bytes){ NULL, 0 }, secret, (struct seal_bytes){ NULL, 0 }, got);
	assert_memory_equal(got, want, 32);
}

static void
test_seal_slots(void **state)
{
	static const uint8_t old[SEAL_SECRET] = { 1 }, fresh[SEAL_SECRET] = { 2 };
	struct seal a, b;
	uint8_t tag[SEAL_TAG];

	(void)state;
	seal_init(&a, SEAL_BEAT);
	seal_init(&b, SEAL_BEAT);
	assert_false(seal_ready(&a));
	assert_false(seal_check(&a, 0, "x", 1, (const uint8_t[SEAL_TAG]){ 0 }));
	seal_set(&a, 0, old);
	seal_set(&b, 0, old);
	seal_set(&b, 1, fresh);
	assert_true(seal_ready(&a));
	assert_int_equal(seal_id(&a), seal_id(&b));
	seal_put(&a, "hello", 5, tag);
	assert_true(seal_check(&b, seal_id(&a), "hello", 5, tag));
	assert_false(seal_check(&b, seal_id(&a), "hellp", 5, tag));
	assert_false(seal_check(&b, seal_id(&a), "hello", 4, tag));
	/* the other node goes on to the new one; the first takes it from slot 1 */
	seal_set(&b, 0, fresh);
	seal_set(&b, 1, old);
	assert_false(seal_known(&a, seal_id(&b)));
	seal_set(&a, 1, fresh);
	assert_true(seal_known(&a, seal_id(&b)));
	seal_put(&b, "hello", 5, tag);
	assert_true(seal_check(&a, seal_id(&b), "hello", 5, tag));
	assert_false(seal_check(&a, seal_id(&a), "hello", 5, tag));
	seal_set(&a, 1, NULL);
	assert_false(seal_check(&a, seal_id(&b), "hello", 5, tag));
	for (unsigned i = 0; i < SEAL_TAG * 8; i++) {
		seal_put(&a, "hello", 5, tag);
		tag[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_false(seal_check(&a, seal_id(&a), "hello", 5, tag));
	}
	seal_fini(&a);
	seal_fini(&b);
	assert_false(seal_ready(&a));
}

static void
test_seal_label(void **state)
{
	static const uint8_t secret[SEAL_SECRET] = { 9 };
	struct seal beat, witness;
	uint8_t tag[SEAL_TAG];

	(void)state;
	seal_init(&beat, SEAL_BEAT);
	seal_init(&witness, SEAL_WITNESS);
	seal_set(&beat, 0, secret);
	seal_set(&witness, 0, secret);
	assert_int_equal(seal_id(&beat), seal_id(&witness)); /* of the secret, not of its use */
	seal_put(&beat, "x", 1, tag);
	assert_true(seal_check(&beat, seal_id(&beat), "x", 1, tag));
	assert_false(seal_check(&witness, seal_id(&beat), "x", 1, tag));
}

/* What one costs is printed, never judged. That nothing is allocated is judged. */
static void
test_seal_cost(void **state)
{
	static const uint8_t secret[SEAL_SECRET] = { 3 };
	uint8_t frame[172] = { 4 }, tag[SEAL_TAG];
	struct seal s;
	struct mallinfo2 before, after;
	mono_t start;
	bool good = true;

	(void)state;
	seal_init(&s, SEAL_BEAT);
	seal_set(&s, 0, secret);
	seal_put(&s, frame, sizeof(frame), tag);
	before = mallinfo2();
	start = mono_now();
	for (unsigned i = 0; i < 50000; i++) {
		seal_put(&s, frame, sizeof(frame), tag);
		good &= seal_check(&s, seal_id(&s), frame, sizeof(frame), tag);
	}
	printf("one code over %zu bytes: %lld ns\n", sizeof(frame),
	    (long long)((mono_now() - start) * 1000 / 100000));
	after = mallinfo2();
	assert_true(good);
	assert_int_equal(before.uordblks, after.uordblks);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal_hmac),
		cmocka_unit_test(test_seal_derive),
		cmocka_unit_test(test_seal_slots),
		cmocka_unit_test(test_seal_label),
		cmocka_unit_test(test_seal_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
