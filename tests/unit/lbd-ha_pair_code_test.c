/* The one-time code as people type it, and fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/pair/pair_code.h"

#include <string.h>

static void
test_pair_code_known(void **state)
{
	static const uint8_t zero[PAIR_CODE_BYTES] = { 0 };
	static const uint8_t bits[PAIR_CODE_BYTES] = { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54,
		0xb6, 0x35, 0xcf };
	char text[PAIR_CODE_TEXT];

	(void)state;
	pair_code_format(zero, text);
	assert_string_equal(text, "0000-0000-0000-0000");
	/* 0 1 2 ... 15, five bits each */
	pair_code_format(bits, text);
	assert_string_equal(text, "0123-4567-89AB-CDEF");
}

static void
test_pair_code_round(void **state)
{
	uint8_t bits[PAIR_CODE_BYTES], back[PAIR_CODE_BYTES];
	char text[PAIR_CODE_TEXT];

	(void)state;
	for (unsigned n = 0; n < 256; n++) {
		for (unsigned i = 0; i < sizeof(bits); i++)
			bits[i] = (uint8_t)(n * 31 + i * 97);
		pair_code_format(bits, text);
		assert_int_equal(strlen(text), PAIR_CODE_TEXT - 1);
		assert_true(pair_code_parse(text, strlen(text), back));
		assert_memory_equal(bits, back, sizeof(bits));
	}
}

static void
test_pair_code_typed(void **state)
{
	static const struct {
		const char *text, *same; /* NULL: refused */
	} rows[] = {
		{ "0123456789ABCDEF", "0123-4567-89AB-CDEF" },
		{ " 0123 4567\t89ab-cdef\r\n", "0123-4567-89AB-CDEF" },
		{ "oOiI-lL11-0000-zzzz", "0011-1111-0000-ZZZZ" },
		{ "", NULL },
		{ "0123-4567-89AB-CDE", NULL },	  /* one too few */
		{ "0123-4567-89AB-CDEF0", NULL }, /* one too many */
		{ "0123-4567-89AB-CDEU", NULL },  /* no U in the alphabet */
		{ "0123-4567-89AB-CDE!", NULL },
		{ "0123-4567-89AB-CD\xc3\x89", NULL },
	};
	uint8_t bits[PAIR_CODE_BYTES];
	char text[PAIR_CODE_TEXT];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		memset(bits, 0x5a, sizeof(bits));
		assert_int_equal(pair_code_parse(rows[i].text, strlen(rows[i].text), bits),
		    rows[i].same != NULL);
		if (rows[i].same == NULL) {
			assert_int_equal(bits[0], 0x5a); /* untouched */
			continue;
		}
		pair_code_format(bits, text);
		assert_string_equal(text, rows[i].same);
	}
	assert_false(pair_code_parse("0123456789ABCDE\0", 16, bits));
}

static void
test_fingerprint(void **state)
{
	uint8_t hash[FINGERPRINT_BYTES];
	char text[FINGERPRINT_TEXT];

	(void)state;
	for (unsigned i = 0; i < sizeof(hash); i++)
		hash[i] = (uint8_t)(i * 8);
	fingerprint_format(hash, text);
	assert_int_equal(strlen(text), FINGERPRINT_TEXT - 1);
	assert_memory_equal(text, "0008 1018 2028 ", 15);
	assert_string_equal(text + FINGERPRINT_TEXT - 5, "f0f8");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_code_known),
		cmocka_unit_test(test_pair_code_round),
		cmocka_unit_test(test_pair_code_typed),
		cmocka_unit_test(test_fingerprint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
