/* The record of what lbd made: it survives a kill, bears damage, and grows by appending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "apply/reader.h"
#include "apply/record.h"
#include "apply/reconcile_priv.h"
#include "base/must.h"
#include "plan/want.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct paths paths;
static char file[300];

static int
setup(void **state)
{
	(void)state;
	(void)strcpy(paths.run, "/tmp/lbd-record-XXXXXX");
	must(mkdtemp(paths.run) != NULL);
	(void)snprintf(file, sizeof(file), "%s/lbd-ipvs.made", paths.run);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(file);
	return rmdir(paths.run);
}

static struct ipvs_key
key(const char *text)
{
	struct ipvs_key k;

	must(record_key_parse(text, &k));
	return k;
}

static void
put_file(const char *text)
{
	FILE *f = fopen(file, "w");

	must(f != NULL);
	(void)fputs(text, f);
	(void)fclose(f);
}

static unsigned
lines(void)
{
	FILE *f = fopen(file, "r");
	unsigned n = 0;

	must(f != NULL);
	for (int c; (c = fgetc(f)) != EOF;)
		n += c == '\n';
	(void)fclose(f);
	return n;
}

static bool
has(const struct record *r, const char *text)
{
	struct ipvs_key k = key(text);

	return owned_get(&r->keys, &k, NULL);
}

static void
test_survives(void **state)
{
	struct ipvs_key a = key("TCP 10.0.0.1:80"), b = key("UDP [fd00::1]:53"),
			c = key("FWM 12 IPv4"), own = { .family = 4, .mark = MARK_BASE + 3 };
	struct record r;
	uint32_t row;

	(void)state;
	record_init(&r, &paths);
	assert_int_equal(record_save(&r), 0);
	record_put(&r, &a, 1);
	record_put(&r, &b, 2);
	record_put(&r, &own, 4);
	assert_int_equal(record_save(&r), 0);
	record_put(&r, &c, 3);
	record_put(&r, &a, 5); /* another row, the same line */
	record_drop(&r, &b);
	record_sync(&r, IPVS_SYNC_BACKUP, true);
	assert_int_equal(record_save(&r), 0);
	assert_true(owned_get(&r.keys, &own, &row));
	assert_int_equal(row, 4);
	record_fini(&r);
	/* Marks of lbd's own are known without a line. */
	assert_int_equal(lines(), 5);
	record_init(&r, &paths);
	assert_int_equal(r.keys.n, 2);
	assert_true(has(&r, "TCP 10.0.0.1:80") && has(&r, "FWM 12 IPv4"));
	assert_false(r.sync[0]);
	assert_true(r.sync[1]);
	assert_true(owned_get(&r.keys, &a, &row));
	assert_int_equal(row, 0);
	record_remove(&r);
	assert_int_equal(access(file, F_OK), -1);
	record_fini(&r);
	put_file(""); /* for teardown */
}

static const struct {
	const char *why, *text;
	const char *known, *unknown;
	unsigned n;
} damaged[] = {
	{ "a line of nonsense", "TCP 10.0.0.1:80\nnonsense\nTCP 10.0.0.2:80\n", "TCP 10.0.0.2:80",
	    "TCP 10.0.0.3:80", 2 },
	{ "cut off: it would be another's port", "TCP 10.0.0.1:80\nTCP 10.0.0.2:8",
	    "TCP 10.0.0.1:80", "TCP 10.0.0.2:8", 1 },
	{ "taken back, never given", "-TCP 10.0.0.1:80\nTCP 10.0.0.2:80\n", "TCP 10.0.0.2:80",
	    "TCP 10.0.0.1:80", 1 },
	{ "twice", "TCP 10.0.0.2:80\nTCP 10.0.0.2:80\n", "TCP 10.0.0.2:80", "TCP 10.0.0.1:80", 1 },
	{ "a very long line",
	    "TCP 10.0.0.9:80\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nTCP "
	    "10.0.0.2:80\n",
	    "TCP 10.0.0.2:80", "TCP 10.0.0.1:80", 2 },
};

static void
test_damaged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		struct ipvs_key k = key("SCTP 10.0.0.5:1");
		struct record r;

		put_file(damaged[i].text);
		record_init(&r, &paths);
		if (!has(&r, damaged[i].known) || has(&r, damaged[i].unknown) ||
		    r.keys.n != damaged[i].n)
			fail_msg("%s", damaged[i].why);
		/* The next line is whole, whatever the last one was. */
		record_put(&r, &k, 1);
		assert_int_equal(record_save(&r), 0);
		record_fini(&r);
		record_init(&r, &paths);
		assert_true(has(&r, "SCTP 10.0.0.5:1") && has(&r, damaged[i].known));
		record_fini(&r);
	}
}

/* Coming and going does not let the file grow for ever. */
static void
test_compact(void **state)
{
	struct ipvs_key k = key("TCP 10.0.0.1:80");
	struct record r;

	(void)state;
	(void)unlink(file);
	record_init(&r, &paths);
	for (int i = 0; i < 500; i++) {
		record_put(&r, &k, 1);
		assert_int_equal(record_save(&r), 0);
		assert_in_range(lines(), 1, 70);
		record_drop(&r, &k);
		assert_int_equal(record_save(&r), 0);
	}
	record_put(&r, &k, 1);
	(void)unlink(file); /* somebody tidied up */
	assert_int_equal(record_save(&r), 0);
	assert_int_equal(lines(), 1);
	record_fini(&r);
}

/* Against an array that is searched from end to end. */
static void
test_owned(void **state)
{
	struct owned o = { 0 };
	uint32_t row[300] = { 0 }, at = 0, seen = 0, seed = 7;
	char text[KEY_TEXT];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct ipvs_key k;
		uint32_t n;

		seed = seed * 1103515245 + 12345;
		n = (seed >> 8 & 0xff) % 255;
		(void)snprintf(
		    text, sizeof(text), n % 3 ? "TCP 10.0.0.%u:80" : "FWM %u IPv4", n + 1);
		k = key(text);
		if (seed >> 20 & 1) {
			assert_int_equal(owned_put(&o, &k, n + 1), row[n] == 0);
			row[n] = n + 1;
		} else {
			assert_int_equal(owned_drop(&o, &k), row[n] != 0);
			row[n] = 0;
		}
		assert_int_equal(owned_get(&o, &k, NULL), row[n] != 0);
	}
	while (owned_next(&o, &at, NULL) != NULL)
		seen++;
	assert_int_equal(seen, o.n);
	for (uint32_t i = 0; i < ARRAY_LEN(row); i++)
		seen -= row[i] != 0;
	assert_int_equal(seen, 0);
	owned_fini(&o);
}

static const struct {
	dur_t cost, wait;
} cadence[] = {
	{ 0, DUR_S(1) },
	{ DUR_MS(20), DUR_S(1) },
	{ DUR_MS(21), DUR_MS(1050) },
	{ DUR_MS(100), DUR_S(5) },
	{ DUR_S(2), DUR_S(60) },
};

static void
test_cadence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cadence); i++)
		assert_int_equal(cadence_next(cadence[i].cost), cadence[i].wait);
}

#define SYNC(...)                                                     \
	{                                                             \
		.on = true, .interface = "eth0", .id = 1, __VA_ARGS__ \
	}
static const struct ipvs_sync running = SYNC(.port = 8848, .maxlen = 1460, .ttl = 1,
    .group = { .family = 4, .len = 32, .b = { 224, 0, 0, 81 } });
static const struct {
	struct ipvs_sync want;
	bool same;
} syncs[] = {
	{ SYNC(.ttl = 0), true }, /* the rest is the kernel's choice */
	{ SYNC(.port = 8848, .ttl = 1, .maxlen = 1460), true },
	{ SYNC(.port = 8849), false },
	{ SYNC(.ttl = 2), false },
	{ SYNC(.maxlen = 1400), false },
	{ SYNC(.group = { .family = 4, .len = 32, .b = { 224, 0, 0, 82 } }), false },
	{ { .on = true, .interface = "eth1", .id = 1 }, false },
	{ { .on = true, .interface = "eth0", .id = 2 }, false },
	{ { .on = false }, false },
};

static void
test_settle(void **state)
{
	struct ipvs_timeouts is = { 900, 120, 300 }, some = { 900, 0, 0 }, other = { 0, 60, 0 };
	struct ipvs_sync off = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(syncs); i++)
		assert_int_equal(settle_sync_same(&syncs[i].want, &running), syncs[i].same);
	assert_true(settle_sync_same(&off, &off));
	assert_true(settle_timeouts_same(&is, &is));
	assert_true(settle_timeouts_same(&some, &is));
	assert_false(settle_timeouts_same(&other, &is));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_survives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compact, setup, teardown),
		cmocka_unit_test(test_owned),
		cmocka_unit_test(test_cadence),
		cmocka_unit_test(test_settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
