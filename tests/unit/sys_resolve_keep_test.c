/* What names stood for, in a file: all of it comes back, and a file with any other byte counts for nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "sys/resolve_priv.h"

#include <errno.h>
#include <sys/stat.h>

#define H "lbd names 1\n"
#define A "name a.test 0 1700000000\n10.0.0.1 0 0 0 -\n"
#define S "name _x._tcp.test 1 1700000001\nfd00::1 80 5 10 h.test\n10.0.0.2 81 0 65535 h2.test\n"

static bool
parses(const char *text, struct dns_kept *out)
{
	char *copy = mem_text(text);
	bool good = dns_kept_parse(copy, out);

	free(copy);
	return good;
}

static void
test_files(void **state)
{
	static const struct {
		const char *text;
		unsigned names; /* 0: damaged */
	} rows[] = {
		{ H A "end\n", 1 },
		{ H A S "end\n", 2 },
		{ H S A "end\n", 2 },
		{ H A "name b.test 0 1\n10.0.0.3 0 0 0 -\n10.0.0.4 0 0 0 -\nend\n", 2 },
		{ "", 0 },
		{ H, 0 },
		{ H A, 0 },
		{ H A "end", 0 },
		{ H A "end\n\n", 0 },
		{ H A "end\n" A "end\n", 0 },
		{ "lbd names 2\n" A "end\n", 0 },
		{ H "10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 1\nend\n", 0 },
		{ H "name a.test 0 1\n" A "end\n", 0 },
		{ H "name a.test 2 1\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 0\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 -1\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 9999999999999999999\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 1 2\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name  0 1\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a\ttest 0 1\n10.0.0.1 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 1\n10.0.0 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 1\n10.0.0.1/8 0 0 0 -\nend\n", 0 },
		{ H "name a.test 0 1\n10.0.0.1 65536 0 0 -\nend\n", 0 },
		{ H "name a.test 0 1\n10.0.0.1 0 0 0\nend\n", 0 },
		{ H "name a.test 0 1\n10.0.0.1 0 0 0 -  \nend\n", 0 },
		{ H "name a.test 0 1\n10.0.0.1 0 0 0 h.test\nend\n", 0 },
		{ H "name a.test 1 1\n10.0.0.1 0 0 0 -\nend\n", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_kept k = { 0 };
		bool good = parses(rows[i].text, &k);

		if (good != (rows[i].names > 0) || k.n != rows[i].names)
			fail_msg("row %u: %d, %u names", i, good, k.n);
		dns_kept_free(&k);
	}
}

static void
test_cut_anywhere(void **state)
{
	static const char whole[] = H A S "end\n";

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		struct dns_kept k = { 0 };
		char text[sizeof(whole)] = "";

		memcpy(text, whole, n);
		assert_false(parses(text, &k));
		assert_int_equal(k.n, 0);
		assert_null(k.name);
	}
}

static void
test_there_and_back(void **state)
{
	char folder[] = "/tmp/lbd-names-XXXXXX", inner[64], path[80];
	struct dns_row row[DNS_ROWS] = { { .port = 0 } };
	const struct dns_kept_name *n;
	struct dns_kept k = { 0 };
	struct buf b = { 0 };
	struct stat sb;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(inner, sizeof(inner), "%s/d", folder);
	(void)snprintf(path, sizeof(path), "%s/names", inner);
	assert_int_equal(dns_kept_read(path, &k), 0);
	assert_int_equal(k.n, 0);
	for (unsigned i = 0; i < DNS_ROWS; i++) {
		(void)snprintf(row[i].host, sizeof(row[i].host), "h%u.test", i);
		assert_int_equal(
		    addr_parse(i % 2 == 0 ? "fd00::1" : "10.0.0.1", ADDR_HOST, &row[i].addr), 0);
		row[i].port = (uint16_t)(i + 1);
		row[i].weight = (uint16_t)(i * 7);
		row[i].priority = (uint16_t)(i % 3);
	}
	dns_kept_begin(&b);
	dns_kept_put(&b, "_x._tcp.test", true, 1700000000, row, DNS_ROWS);
	dns_kept_put(&b, "never.test", false, 0, NULL, 0); /* has no answer yet */
	dns_kept_put(&b, "a.test", false, 7, row, 1);
	assert_int_equal(dns_kept_write(inner, path, &b), 0);
	buf_fini(&b);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(stat(inner, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0700);
	assert_int_equal(dns_kept_read(path, &k), 0);
	assert_int_equal(k.n, 2);
	assert_null(dns_kept_find(&k, "_x._tcp.test", false));
	n = dns_kept_find(&k, "_x._tcp.test", true);
	assert_true(n != NULL && n->good == 1700000000 && n->n == DNS_ROWS);
	for (unsigned i = 0; i < DNS_ROWS; i++)
		assert_true(addr_same_host(&n->row[i].addr, &row[i].addr) &&
			    n->row[i].port == row[i].port && n->row[i].weight == row[i].weight &&
			    n->row[i].priority == row[i].priority &&
			    strcmp(n->row[i].host, row[i].host) == 0);
	n = dns_kept_find(&k, "a.test", false);
	assert_true(n != NULL && n->good == 7 && n->n == 1 && n->row[0].host[0] == '\0');
	dns_kept_free(&k);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(dns_kept_read(path, &k), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(inner), 0);
	assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
