/* A connection leaves OpenSSL's object: its other side is OpenSSL, with memory between them, and notices nothing. Which ones stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-proxy/tls/tls_ctx.h"
#include "lbd-proxy/tls/tls_priv.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

static SSL_CTX *server, *client;
static struct tls_engine engine;
static BIO *far_end; /* what the client wrote is read here, and what is written here it reads */

static int
set_up(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	(void)state;
	server = SSL_CTX_new(TLS_server_method());
	client = SSL_CTX_new(TLS_client_method());
	if (key == NULL || cert == NULL || server == NULL || client == NULL)
		return -1;
	(void)X509_set_pubkey(cert, key);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	(void)X509_sign(cert, key, EVP_sha256());
	(void)SSL_CTX_use_certificate(server, cert);
	(void)SSL_CTX_use_PrivateKey(server, key);
	(void)SSL_CTX_set_session_id_context(server, (const unsigned char *)"t", 1);
	(void)SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
	X509_free(cert);
	EVP_PKEY_free(key);
	slab_init(&engine.conns, sizeof(struct tls_conn));
	slab_init(&engine.aways, sizeof(struct tls_away));
	tls_ticket_turn(0, 1000);
	tls_session_want();
	tls_detach_use(server);
	return tls_ticket_use(server) | tls_session_use(server);
}

static int
tear_down(void **state)
{
	(void)state;
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	slab_fini(&engine.conns);
	slab_fini(&engine.aways);
	record_gear_free(engine.gear);
	free(engine.out);
	engine.gear = NULL;
	engine.out = NULL;
	engine.out_room = 0;
	return 0;
}

/* A handshake to its end; what that gave last is in the engine, as in tls_step. */
static void
shake(struct tls_conn *t, SSL *c)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem()), *to_c;
	char b[20000];
	int n, done = 0;

	assert_int_equal(BIO_new_bio_pair(&far_end, 0, &to_c, 0), 1);
	SSL_set_bio(c, to_c, to_c);
	SSL_set_connect_state(c);
	memset(t, 0, sizeof(*t));
	t->e = &engine;
	t->ssl = SSL_new(server);
	SSL_set_bio(t->ssl, in, out);
	SSL_set_accept_state(t->ssl);
	assert_int_equal(tls_detach_prepare(t), 0);
	for (int i = 0; i < 10 && !done; i++) {
		(void)SSL_do_handshake(c);
		while ((n = BIO_read(far_end, b, sizeof(b))) > 0)
			assert_int_equal(BIO_write(in, b, n), n);
		done = SSL_do_handshake(t->ssl) == 1;
		while (!done && (n = BIO_read(out, b, sizeof(b))) > 0)
			assert_int_equal(BIO_write(far_end, b, n), n);
	}
	assert_true(done);
	ERR_clear_error();
	n = BIO_read(out, b, sizeof(b));
	engine.out_len = 0;
	if (n > 0)
		assert_int_equal(tls_engine_put(&engine, b, (size_t)n), 0);
	t->up = true;
}

/* What is in the engine, to the client. */
static void
deliver(void)
{
	if (engine.out_len > 0)
		assert_int_equal(
		    BIO_write(far_end, engine.out, (int)engine.out_len), (int)engine.out_len);
	engine.out_len = 0;
}

static void
say(struct tls_conn *t, SSL *c, const char *text)
{
	char b[100];

	assert_int_equal(tls_away_write(t, text, strlen(text)), 0);
	deliver();
	assert_int_equal(SSL_read(c, b, sizeof(b)), (int)strlen(text));
	assert_memory_equal(b, text, strlen(text));
}

/* What the client wrote: content, or how its records ended. */
static enum record_got
hear(struct tls_conn *t, const char *text)
{
	uint8_t b[20000];
	int n = BIO_read(far_end, b, sizeof(b)), at = 0;
	enum record_got kind = RECORD_PART;
	struct record r;

	while (at < n) {
		kind = record_open(&t->away->rec, engine.gear, b + at, (size_t)(n - at), &r);
		if (kind == RECORD_DATA) {
			assert_int_equal(r.len, strlen(text));
			assert_memory_equal(r.content, text, r.len);
		}
		assert_true(r.used > 0);
		at += (int)r.used;
	}
	return kind;
}

/* Its keys change when either says so, and both go on; the end is told and understood. */
static void
talk(struct tls_conn *t, SSL *c)
{
	char b[10];

	deliver(); /* the tickets */
	for (int i = 0; i < 3; i++) {
		say(t, c, "hello");
		assert_int_equal(SSL_write(c, "world", 5), 5);
		assert_int_equal(hear(t, "world"), RECORD_DATA);
		(void)SSL_key_update(
		    c, i == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
		assert_int_equal(SSL_write(c, "again", 5), 5);
		assert_int_equal(hear(t, "again"), RECORD_DATA);
		assert_int_equal(t->away->rec.answer, i == 0);
		t->away->rec.ask = i == 1; /* as after very many records */
	}
	say(t, c, "more");
	assert_int_equal(SSL_write(c, "yes", 3), 3); /* its new keys go before it */
	assert_int_equal(hear(t, "yes"), RECORD_DATA);
	tls_away_end(t);
	assert_int_equal(engine.out_len, RECORD_ALERT);
	tls_away_end(t);
	assert_int_equal(engine.out_len, RECORD_ALERT);
	deliver();
	assert_true(SSL_read(c, b, sizeof(b)) <= 0);
	assert_int_equal(SSL_get_shutdown(c), SSL_RECEIVED_SHUTDOWN);
	assert_int_equal(SSL_shutdown(c), 1);
	assert_int_equal(hear(t, ""), RECORD_CLOSED);
}

static void
done(struct tls_conn *t, SSL *c)
{
	SSL_free(c);
	(void)BIO_free(far_end);
	SSL_free(t->ssl);
	tls_away_free(t);
	free(t->lines);
}

static void
test_suites(void **state)
{
	static const char *const suites[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
		"TLS_CHACHA20_POLY1305_SHA256" };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		SSL *c = SSL_new(client);
		struct tls_conn t;

		assert_int_equal(SSL_set_ciphersuites(c, suites[i / 2]), 1);
		(void)SSL_CTX_set_num_tickets(server, i % 2 == 0 ? 0 : 2);
		shake(&t, c);
		tls_detach(&t);
		assert_null(t.ssl);
		assert_string_equal(tls_cipher(&t), suites[i / 2]);
		assert_string_equal(tls_protocol(&t), "TLSv1.3");
		assert_int_equal(t.away->rec.out.seq, i % 2 == 0 ? 0 : 2);
		talk(&t, c);
		done(&t, c);
	}
	(void)SSL_CTX_set_num_tickets(server, 1);
}

/* Name, session and whether it went on are those that OpenSSL had. */
static void
test_facts(void **state)
{
	static char host[] = "www.example.org";
	SSL_SESSION *session = NULL;
	uint8_t key[2][TLS_SESSION_KEY];
	struct tls_conn t;
	size_t n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		SSL *c = SSL_new(client);

		if (i == 0)
			assert_int_equal(SSL_ctrl(c, SSL_CTRL_SET_TLSEXT_HOSTNAME,
					     TLSEXT_NAMETYPE_host_name, host),
			    1);
		else
			assert_int_equal(SSL_set_session(c, session), 1);
		shake(&t, c);
		tls_detach(&t);
		assert_null(t.ssl);
		assert_int_equal(tls_was_resumed(&t), i == 1);
		assert_true(tls_session_key(&t, key[i]));
		if (i == 0)
			assert_string_equal(tls_name(&t), "www.example.org");
		assert_false(tls_is_h2(&t));
		assert_string_equal(tls_client_lines(&t, &n), "X-SSL-Client-Verify: NONE\r\n");
		talk(&t, c);
		SSL_SESSION_free(session);
		session = SSL_get1_session(c);
		done(&t, c);
	}
	assert_memory_equal(key[0], key[1], TLS_SESSION_KEY);
	SSL_SESSION_free(session);
}

static void
expect_stays(SSL *c, const char *why)
{
	struct tls_conn t;

	shake(&t, c);
	tls_detach(&t);
	if (t.ssl == NULL || t.away != NULL)
		fail_msg("%s", why);
	deliver();
	assert_int_equal(SSL_write(c, "x", 1), 1);
	done(&t, c);
}

static void
test_those_that_stay(void **state)
{
	SSL *c = SSL_new(client);

	(void)state;
	(void)SSL_set_max_proto_version(c, TLS1_2_VERSION);
	expect_stays(c, "TLS 1.2");
	c = SSL_new(client);
	(void)SSL_set_tlsext_max_fragment_length(c, TLSEXT_max_fragment_length_512);
	expect_stays(c, "short records");
	c = SSL_new(client);
	(void)SSL_CTX_set_ciphersuites(server, "TLS_AES_128_CCM_SHA256");
	(void)SSL_set_ciphersuites(c, "TLS_AES_128_CCM_SHA256");
	expect_stays(c, "another suite");
	(void)SSL_CTX_set_keylog_callback(server, NULL);
	(void)SSL_CTX_set_ciphersuites(server, "TLS_AES_128_GCM_SHA256");
	expect_stays(SSL_new(client), "no secrets");
	tls_detach_use(server);
}

/* What is in the engine is not what was expected: nothing is guessed. */
static void
test_strange_output(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {
		{ "\x17\x03\x03\x00", 4 },
		{ "\x17\x03\x03\x00\x05"
		  "abcd",
		    9 },
		{ "\x14\x03\x03\x00\x01\x01", 6 },
		{ "\x16\x03\x03\x00\x01\x01", 6 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		SSL *c = SSL_new(client);
		struct tls_conn t;

		shake(&t, c);
		assert_int_equal(tls_engine_put(&engine, rows[i].bytes, rows[i].n), 0);
		tls_detach(&t);
		assert_non_null(t.ssl);
		done(&t, c);
	}
	engine.out_len = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_suites, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_facts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_those_that_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_strange_output, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
