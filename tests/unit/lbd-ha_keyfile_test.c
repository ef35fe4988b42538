/* Files of secrets: both spellings, what is refused, and whose mode is not private. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/witness/keyfile.h"

#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX_UPPER "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define BASE64 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static void
test_keyfile_parse(void **state)
{
	static const struct {
		const char *text;
		unsigned n; /* 0: refused */
	} rows[] = {
		{ HEX, 1 },
		{ HEX_UPPER "\n", 1 },
		{ BASE64 "=\n", 1 },
		{ BASE64, 1 },
		{ "# made today\n\n  " HEX " \r\n\t" BASE64 "=\n", 2 },
		{ "", 0 },
		{ "# nothing\n", 0 },
		{ HEX "0\n", 0 },
		{ "0" HEX + 2, 0 },
		{ HEX "\n" HEX "\n" HEX "\n", 0 },
		{ "g" HEX "\n", 0 },
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", 0 }, /* bits after the end */
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A", 0 }, /* 33 bytes */
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd*h8=", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct keyfile k;
		struct err err = { 0 };
		int rc = keyfile_parse(rows[i].text, strlen(rows[i].text), &k, &err);

		assert_int_equal(rc, rows[i].n > 0 ? 0 : ERR_INVALID);
		if (rc != 0) {
			assert_true(err.text[0] != '\0');
			continue;
		}
		assert_int_equal(k.n, rows[i].n);
		for (unsigned s = 0; s < k.n; s++)
			for (unsigned b = 0; b < SEAL_SECRET; b++)
				assert_int_equal(k.secret[s][b], b);
	}
}

static void
test_keyfile_file(void **state)
{
	char dir[] = "/tmp/lbd-keyfile-XXXXXX", path[64];
	struct keyfile k, again;
	struct err err = { 0 };
	struct stat sb;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/witness.key", dir);
	assert_int_equal(keyfile_load(path, &k, &err), -ENOENT);
	assert_int_equal(keyfile_make(path, &err), 0);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777U, 0600);
	assert_int_equal(keyfile_load(path, &k, &err), 0);
	assert_int_equal(k.n, 1);
	assert_int_equal(keyfile_make(path, &err), -EEXIST);
	assert_int_equal(keyfile_load(path, &again, &err), 0);
	assert_memory_equal(&k, &again, sizeof(k));
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(keyfile_load(path, &k, &err), -EPERM);
	assert_int_equal(chmod(path, 0660), 0);
	assert_int_equal(keyfile_load(path, &k, &err), -EPERM);
	assert_int_equal(chmod(path, 0440), 0);
	assert_int_equal(keyfile_load(path, &k, &err), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing else was left in it */
	assert_int_equal(keyfile_make(path, &err), -ENOENT);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keyfile_parse),
		cmocka_unit_test(test_keyfile_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
