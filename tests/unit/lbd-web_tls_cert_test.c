/* The panel's certificate: when it is made anew, and that only one of our own making ever is. */
#include "store_help.h"

#include "server/tls_cert.h"
#include "server/tls_serve.h"

#include <sys/stat.h>

#define DAY 86400
#define NOW ((int64_t)1800000000)

static struct tls_cert_place place = { .dir = dir, .hostname = "alpha" };

static int
forget(void **state)
{
	tls_serve_forget();
	return drop_dir(state);
}

/* ---- the decision ---- */

static void
test_due(void **state)
{
	static const struct {
		const char *what;
		int64_t from, until; /* days from now */
		const char *why;     /* how it begins; NULL: it stays */
	} rows[] = {
		{ "just made", 0, 397, NULL },
		{ "half of it", -200, 197, NULL },
		{ "thirty days", -367, 30, NULL },
		{ "less", -368, 29, "it ends within 30 days" },
		{ "the last day", -396, 1, "it ends within 30 days" },
		{ "over", -398, -1, "it has ended" },
		{ "as it was made before", -100, 3550, "it would last for more than the 397 days" },
		{ "a day too long", -1, 397, "it would last for more than the 397 days" },
		{ "the clock was fast", 10, 400, "its time has not begun" },
		{ "short, by somebody's hand", -1, 20, "it ends within 30 days" },
	};
	struct x509_face f = { .subject = "CN=alpha,O=lbd", .own = true };

	(void)state;
	(void)strcpy(f.names, "localhost,127.0.0.1,::1,alpha");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why;

		f.from = NOW + rows[i].from * DAY;
		f.until = NOW + rows[i].until * DAY;
		why = tls_cert_due(&f, false, NOW);
		if ((why == NULL) != (rows[i].why == NULL) ||
		    (why != NULL && strncmp(why, rows[i].why, strlen(rows[i].why)) != 0))
			fail_msg("%s: %s", rows[i].what, why != NULL ? why : "stays");
	}
}

/* All of these have ended; none but the first is ours. */
static void
test_due_ours_alone(void **state)
{
	static const struct {
		const char *subject, *names;
		bool own, authority, more, ours;
	} rows[] = {
		{ "CN=alpha,O=lbd", "localhost,127.0.0.1,::1,alpha", true, false, false, true },
		{ "CN=lbd,O=lbd", "localhost,127.0.0.1,::1", true, false, false, true },
		{ "CN=alpha,O=lbd", "localhost,127.0.0.1,::1,alpha", false, false, false, false },
		{ "CN=alpha,O=lbd", "localhost,127.0.0.1,::1,alpha", true, true, false, false },
		{ "CN=alpha,O=lbd", "localhost,127.0.0.1,::1,alpha", true, false, true, false },
		{ "CN=alpha,O=Example", "localhost,127.0.0.1,::1,alpha", true, false, false,
		    false },
		{ "CN=alpha", "localhost,127.0.0.1,::1,alpha", true, false, false, false },
		{ "CN=alpha,OU=x,O=lbd", "localhost,127.0.0.1,::1,alpha", true, false, false,
		    false },
		{ "CN=alpha,O=lbd", "alpha,localhost,127.0.0.1,::1", true, false, false, false },
		{ "CN=alpha,O=lbd", "localhost,127.0.0.1,::12", true, false, false, false },
		{ "CN=alpha,O=lbd", "alpha", true, false, false, false },
		{ "O=lbd", "localhost,127.0.0.1,::1", true, false, false, false },
		{ "", "", true, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct x509_face f = { .own = rows[i].own,
			.authority = rows[i].authority,
			.from = NOW - 400 * DAY,
			.until = NOW - 3 * DAY };

		(void)strcpy(f.subject, rows[i].subject);
		(void)strcpy(f.names, rows[i].names);
		if ((tls_cert_due(&f, rows[i].more, NOW) != NULL) != rows[i].ours)
			fail_msg("row %zu: %s %s", i, rows[i].subject, rows[i].names);
	}
}

/* ---- files ---- */

static void
test_made_and_renewed(void **state)
{
	struct buf cert = { 0 }, key = { 0 }, later = { 0 }, same = { 0 };
	struct x509_face f, g;
	const char *why;
	bool made;

	(void)state;
	assert_good(tls_cert_load(&place, &cert, &key, &made, &err));
	assert_true(made);
	assert_int_equal(x509_face(buf_text(&cert), 0, &f), 0);
	assert_true(f.own && !f.authority);
	assert_string_equal(f.subject, "CN=alpha,O=lbd");
	assert_string_equal(f.names, "localhost,127.0.0.1,::1,alpha");
	assert_true(f.until - f.from <= 397 * DAY && f.until - f.from > 396 * DAY);
	buf_put(&same, cert.p, cert.len);
	assert_good(tls_cert_renew(&place, f.until - 31 * DAY, &cert, &key, &why, &err));
	assert_null(why);
	assert_string_equal(buf_text(&cert), buf_text(&same));

	place.hostname = "not a host";
	assert_good(tls_cert_renew(&place, f.until - 29 * DAY, &cert, &key, &why, &err));
	place.hostname = "alpha";
	assert_string_equal(why, "it ends within 30 days");
	assert_int_equal(x509_face(buf_text(&cert), 0, &g), 0);
	assert_string_equal(g.key, f.key);
	assert_string_not_equal(g.serial, f.serial);
	assert_string_equal(g.subject, "CN=lbd,O=lbd");
	key.len = 0;
	assert_good(tls_cert_load(&place, &later, &key, &made, &err));
	assert_false(made);
	assert_string_equal(buf_text(&cert), buf_text(&later));
	assert_good(tls_serve_set(buf_text(&cert), buf_text(&key), &err));
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&later);
	buf_fini(&same);
}

/* What cannot be renewed stays, on the disk too. */
static void
test_renewal_refused(void **state)
{
	struct buf cert = { 0 }, key = { 0 }, other = { 0 }, same = { 0 };
	struct evp_pkey_st *k = x509_key_make("p256", &err);
	struct x509_face f;
	const char *why;
	const char *path = file_in("panel-cert.pem.part");
	bool made;

	(void)state;
	assert_good(tls_cert_load(&place, &cert, &key, &made, &err));
	buf_put(&same, cert.p, cert.len);
	assert_int_equal(x509_face(buf_text(&cert), 0, &f), 0);
	x509_key_write(k, &other);
	assert_bad(tls_cert_renew(&place, f.until, &cert, &other, &why, &err), ERR_INVALID,
	    "panel-key.pem is not the key of ");
	assert_bad(tls_serve_set(buf_text(&cert), buf_text(&other), &err), ERR_INVALID,
	    "certificate and key of the panel cannot be used");
	other.len = 0;
	buf_puts(&other, "no key");
	assert_bad(tls_cert_renew(&place, f.until, &cert, &other, &why, &err), ERR_INVALID,
	    "no private key that can be read");
	assert_int_equal(mkdir(path, 0700), 0); /* nothing can be written there */
	assert_bad(tls_cert_renew(&place, f.until, &cert, &key, &why, &err), ERR_STORE,
	    "panel-cert.pem.part");
	assert_string_equal(buf_text(&cert), buf_text(&same));
	assert_int_equal(rmdir(path), 0);
	cert.len = key.len = 0;
	assert_good(tls_cert_load(&place, &cert, &key, &made, &err));
	assert_string_equal(buf_text(&cert), buf_text(&same));
	assert_good(tls_cert_renew(&place, f.until, &cert, &key, &why, &err));
	assert_string_equal(why, "it has ended");
	x509_key_free(k);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&other);
	buf_fini(&same);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_due_ours_alone),
		cmocka_unit_test_setup_teardown(test_made_and_renewed, make_dir, forget),
		cmocka_unit_test_setup_teardown(test_renewal_refused, make_dir, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
