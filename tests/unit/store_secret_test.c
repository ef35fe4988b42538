/* The secrets file: what is kept of a text, comparing, finding, forgetting, rights. */
#include "store_help.h"
#include "schema/value.h"
#include "store/store_priv.h"

#include <ctype.h>
#include <errno.h>

static const struct field hash = { .type = VT_SECRET, .flags = F_HASH, .name = "password" };
static const struct field digest = { .type = VT_SECRET, .flags = F_DIGEST, .name = "secret" };
static const struct field plain = { .type = VT_SECRET, .name = "key" };

static char *
kept(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q;
	char *text;

	assert_int_equal(sqlite3_open(file_in("secrets.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	text = mem_text((const char *)sqlite3_column_text(q, 0));
	(void)sqlite3_finalize(q);
	(void)sqlite3_close(db);
	return text;
}

static void
test_forms(void **state)
{
	struct secrets *s = NULL;
	uint32_t a, b, c, again;
	char *text;

	(void)state;
	assert_bad(secrets_open(dir, false, &s, &err), -ENOENT, "secrets.db");
	assert_good(secrets_open(dir, true, &s, &err));
	assert_good(secret_put(s, &hash, "correct horse", &a, &err));
	assert_good(secret_put(s, &hash, "correct horse", &again, &err));
	assert_good(secret_put(s, &digest, "abc", &b, &err));
	assert_good(secret_put(s, &plain, "in clear", &c, &err));
	assert_true(a != again && a != b && b != c && a > 0);
	text = kept("SELECT value FROM secret WHERE n=1");
	assert_int_equal(strncmp(text, "$y$", 3), 0);
	free(text);
	text = kept("SELECT count(DISTINCT value) FROM secret WHERE form='hash'"); /* salted */
	assert_string_equal(text, "2");
	free(text);
	text = kept("SELECT value FROM secret WHERE n=3"); /* FIPS 180-2, B.1 */
	assert_string_equal(
	    text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	free(text);
	assert_true(secret_verify(s, a, "correct horse"));
	assert_false(secret_verify(s, a, "correct hors"));
	assert_false(secret_verify(s, a, ""));
	assert_true(secret_verify(s, b, "abc"));
	assert_false(secret_verify(s, b, "abd"));
	assert_true(secret_verify(s, c, "in clear"));
	assert_false(secret_verify(s, c, "in clea"));
	assert_false(secret_verify(s, 0, "anything"));
	assert_false(secret_verify(s, 99, "anything"));
	assert_int_equal(secret_find_digest(s, "abc"), b);
	assert_int_equal(secret_find_digest(s, "abd"), 0);
	assert_true(secret_exists(s, c));
	assert_false(secret_exists(s, 99));
	secrets_close(s);
}

/* n 0 must cost as much as a wrong password, or names of users can be told by the time of an answer. */
static void
test_nobody_costs_as_much(void **state)
{
	struct secrets *s = NULL;
	uint32_t a;
	clock_t start;
	double known, unknown;

	(void)state;
	assert_good(secrets_open(dir, true, &s, &err));
	assert_good(secret_put(s, &hash, "correct horse", &a, &err));
	start = clock();
	for (unsigned i = 0; i < 3; i++)
		assert_false(secret_verify(s, a, "wrong"));
	known = (double)(clock() - start);
	start = clock();
	for (unsigned i = 0; i < 3; i++)
		assert_false(secret_verify(s, 0, "wrong"));
	unknown = (double)(clock() - start);
	assert_true(unknown > known / 3 && unknown < known * 3);
	secrets_close(s);
}

static void
test_collect(void **state)
{
	struct secrets *s = NULL;
	uint32_t n[6], keep[2];

	(void)state;
	assert_good(secrets_open(dir, true, &s, &err));
	for (unsigned i = 0; i < 6; i++)
		assert_good(secret_put(s, &plain, "x", &n[i], &err));
	keep[0] = n[1];
	keep[1] = n[4];
	assert_int_equal(secret_collect(s, keep, 2, 3600), 0);
	assert_int_equal(secret_collect(s, keep, 2, 0), 4);
	assert_true(secret_exists(s, n[1]) && secret_exists(s, n[4]));
	assert_false(secret_exists(s, n[0]) || secret_exists(s, n[5]));
	assert_int_equal(secret_collect(s, NULL, 0, 0), 2);
	assert_good(secret_put(s, &plain, "y", &n[0], &err));
	assert_int_equal(n[0], n[5] + 1); /* numbers are never used twice */
	secrets_close(s);
}

static void
test_random(void **state)
{
	char a[33], b[33];
	unsigned kinds[3] = { 0 };

	(void)state;
	secret_random(a, 32);
	secret_random(b, 32);
	assert_int_equal(strlen(a), 32);
	assert_string_not_equal(a, b);
	for (unsigned i = 0; i < 20; i++) {
		secret_random(a, 32);
		for (const char *p = a; *p != '\0'; p++)
			kinds[isdigit((unsigned char)*p)   ? 0
			      : islower((unsigned char)*p) ? 1
							   : 2] += isalnum((unsigned char)*p) != 0;
	}
	assert_int_equal(kinds[0] + kinds[1] + kinds[2], 640);
	assert_true(kinds[0] > 40 && kinds[1] > 180 && kinds[2] > 180);
}

static void
test_damaged(void **state)
{
	struct secrets *s = NULL;
	FILE *f;

	(void)state;
	assert_good(secrets_open(dir, true, &s, &err));
	secrets_close(s);
	f = fopen(file_in("secrets.db"), "w");
	assert_non_null(f);
	(void)fclose(f);
	assert_bad(secrets_open(dir, true, &s, &err), ERR_STORE, "secrets.db: is empty (0 bytes)");
	f = fopen(file_in("secrets.db"), "w");
	assert_non_null(f);
	for (unsigned i = 0; i < 2000; i++)
		(void)fputs("junk", f);
	(void)fclose(f);
	assert_bad(
	    secrets_open(dir, true, &s, &err), ERR_STORE, "secrets.db: file is not a database");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)
		T(test_forms),
		T(test_nobody_costs_as_much),
		T(test_collect),
		T(test_random),
		T(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
