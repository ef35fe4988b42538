/* The files of a pair: the text, and what is left of them at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ha/pair/cluster_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static struct cluster
sample(void)
{
	struct cluster c = { .id = 0x0123456789abcdef, .node = 2, .peer_port = 9444, .addrs_n = 2 };

	for (unsigned i = 0; i < CLUSTER_SECRET; i++)
		c.secret[i] = (uint8_t)(200 + i);
	for (unsigned i = 0; i < FINGERPRINT_BYTES; i++)
		c.peer_key[i] = (uint8_t)(7 * i);
	(void)snprintf(c.peer_name, sizeof(c.peer_name), "alpha");
	assert_int_equal(addr_parse("10.0.0.1", ADDR_HOST, &c.addrs[0]), 0);
	assert_int_equal(addr_parse("fd00::1", ADDR_HOST, &c.addrs[1]), 0);
	return c;
}

static void
test_cluster_text(void **state)
{
	struct cluster c = sample(), back;
	struct buf b = { 0 };

	(void)state;
	cluster_format(&c, &b);
	assert_true(
	    strncmp(buf_text(&b), "lbd-cluster 1\nid 0123456789abcdef\nsecret c8c9", 45) == 0);
	assert_non_null(strstr(buf_text(&b), "\nnode 2\npeer-name alpha\npeer-key 00070e"));
	assert_non_null(strstr(
	    buf_text(&b), "\npeer-port 9444\npeer-address 10.0.0.1\npeer-address fd00::1\nend\n"));
	assert_true(cluster_parse(b.p, b.len, &back));
	assert_memory_equal(&c, &back, sizeof(c));
	/* Every shorter text, and every longer one, is damaged. */
	for (size_t n = 0; n < b.len; n++)
		assert_false(cluster_parse(b.p, n, &back));
	buf_puts(&b, "\n");
	assert_false(cluster_parse(b.p, b.len, &back));
	buf_fini(&b);
}

/* One line of the sample replaced. */
static bool
with(const char *old, const char *new)
{
	struct cluster c = sample();
	struct buf b = { 0 }, changed = { 0 };
	const char *at;
	bool good;

	cluster_format(&c, &b);
	at = strstr(buf_text(&b), old);
	assert_non_null(at);
	buf_put(&changed, b.p, (size_t)(at - (const char *)b.p));
	buf_puts(&changed, new);
	buf_puts(&changed, at + strlen(old));
	good = cluster_parse(changed.p, changed.len, &c);
	buf_fini(&b);
	buf_fini(&changed);
	return good;
}

static void
test_cluster_refused(void **state)
{
	static const struct {
		const char *old, *new;
		bool good;
	} rows[] = {
		{ "node 2", "node 1", true },
		{ "node 2", "node 3", false },
		{ "node 2", "node 0", false },
		{ "node 2", "node", false },
		{ "node 2", "node 02", false },
		{ "lbd-cluster 1", "lbd-cluster 2", false },
		{ "lbd-cluster 1", "lbd-cluster 1 ", true },
		{ "lbd-cluster 1", "lbd-cluster 1 x", false },
		{ "id 0123456789abcdef", "id 0123456789abcde", false },
		{ "id 0123456789abcdef", "id 0123456789abcdef0", false },
		{ "id 0123456789abcdef", "id 0123456789abcdeF", false },
		{ "peer-port 9444", "peer-port 65535", true },
		{ "peer-port 9444", "peer-port 65536", false },
		{ "peer-port 9444", "peer-port 0", false },
		{ "peer-port 9444", "peer-port 9444\npeer-port 9444", false },
		{ "peer-name alpha", "peer-name al pha", false },
		{ "peer-name alpha", "peer-name al\tpha", false },
		{ "peer-address 10.0.0.1\n", "", true },
		{ "peer-address 10.0.0.1\npeer-address fd00::1\n", "", false },
		{ "peer-address 10.0.0.1", "peer-address 10.0.0", false },
		{ "peer-address 10.0.0.1", "peer-address", false },
		{ "\nend\n", "\nend x\n", false },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (with(rows[i].old, rows[i].new) != rows[i].good)
			fail_msg("row %u: %s -> %s", i, rows[i].old, rows[i].new);
}

static void
test_cluster_learn(void **state)
{
	struct cluster c = sample();
	struct addr none = { 0 }, a;

	(void)state;
	assert_false(
	    cluster_learn(&c, &none, 1234, "alpha")); /* it was reached: the port is right */
	assert_false(cluster_learn(&c, &c.addrs[0], 9444, ""));
	assert_true(cluster_learn(&c, &none, 0, "new name"));
	assert_string_equal(c.peer_name, "new?name");
	a = c.addrs[1];
	assert_true(cluster_learn(&c, &a, 9444, "new name")); /* it came from its other address */
	assert_int_equal(c.addrs_n, 2);
	assert_true(addr_same_host(&c.addrs[0], &a));
	for (unsigned i = 0; i < 10; i++) {
		char text[16];

		(void)snprintf(text, sizeof(text), "10.1.0.%u", i);
		assert_int_equal(addr_parse(text, ADDR_HOST, &a), 0);
		assert_true(cluster_learn(&c, &a, (uint16_t)(5000 + i), ""));
		assert_true(addr_same_host(&c.addrs[0], &a));
		assert_int_equal(c.peer_port, 5000 + i);
	}
	assert_int_equal(c.addrs_n, CLUSTER_ADDRS);
	for (unsigned i = 0; i < CLUSTER_ADDRS; i++)
		for (unsigned k = 0; k < i; k++)
			assert_false(addr_same_host(&c.addrs[i], &c.addrs[k]));
}

static void
test_cluster_files(void **state)
{
	struct cluster c = sample(), back;
	struct buf cert = { 0 };
	struct err err = { 0 };
	char path[160];
	struct stat sb;

	(void)state;
	assert_int_equal(cluster_read(dir, CLUSTER_COUNTS, &back, &cert, &err), -ENOENT);
	assert_int_equal(cluster_prepare(dir, &c, "cert", 4, &err), 0);
	assert_int_equal(cluster_read(dir, CLUSTER_COUNTS, &back, &cert, &err), -ENOENT);
	assert_int_equal(cluster_read(dir, CLUSTER_PREPARED, &back, &cert, &err), 0);
	assert_memory_equal(&c, &back, sizeof(c));
	assert_int_equal(cert.len, 4);
	(void)snprintf(path, sizeof(path), "%s/cluster.prepared", dir);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(stat(dir, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0700);
	cluster_drop_prepared(dir);
	assert_int_equal(cluster_commit(dir, &err), ERR_STORE); /* nothing to commit */
	assert_int_equal(cluster_prepare(dir, &c, "cert", 4, &err), 0);
	assert_int_equal(cluster_commit(dir, &err), 0);
	cert.len = 0;
	assert_int_equal(cluster_read(dir, CLUSTER_COUNTS, &back, &cert, &err), 0);
	assert_int_equal(cluster_read(dir, CLUSTER_PREPARED, &back, &cert, &err), -ENOENT);
	c.peer_port = 1234;
	assert_int_equal(cluster_update(dir, &c, &err), 0);
	cert.len = 0;
	assert_int_equal(cluster_read(dir, CLUSTER_COUNTS, &back, &cert, &err), 0);
	assert_int_equal(back.peer_port, 1234);
	assert_int_equal(cluster_forget(dir, &err), 0);
	assert_int_equal(cluster_read(dir, CLUSTER_COUNTS, &back, &cert, &err), -ENOENT);
	assert_int_equal(cluster_forget(dir, &err), 0);
	buf_fini(&cert);
}

static void
test_cluster_damaged(void **state)
{
	struct cluster c = sample(), back;
	struct buf cert = { 0 };
	struct err err = { 0 };
	char path[160];

	(void)state;
	assert_int_equal(cluster_prepare(dir, &c, "cert", 4, &err), 0);
	assert_int_equal(cluster_commit(dir, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/cluster", dir);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(cluster_read(dir, CLUSTER_COUNTS, &back, &cert, &err), ERR_STORE);
	assert_non_null(strstr(err.text, "unpair --local"));
	assert_int_equal(cluster_update(dir, &c, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/peer.crt", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(cluster_read(dir, CLUSTER_COUNTS, &back, &cert, &err), ERR_STORE);
	assert_non_null(strstr(err.text, "peer.crt"));
	assert_int_equal(cluster_forget(dir, &err), 0);
	buf_fini(&cert);
}

static int
make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/lbd-cluster-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)strcat(dir, "/ha");
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	(void)rmdir(dir);
	*strrchr(dir, '/') = '\0';
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cluster_text),
		cmocka_unit_test(test_cluster_refused),
		cmocka_unit_test(test_cluster_learn),
		cmocka_unit_test_setup_teardown(test_cluster_files, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_cluster_damaged, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
