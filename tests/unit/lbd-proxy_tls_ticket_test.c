/* Keys of session tickets: whose tickets are read, now, six hours later, and on the other node. Client and server are two
 * ends of OpenSSL with memory between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-proxy/tls/tls_ctx.h"
#include "lbd-proxy/tls/tls_priv.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define TURN_S (6 * 3600)
#define NOW (INT64_C(80000) * TURN_S + 100)

static SSL_CTX *server, *client;
static const unsigned char one[TLS_TICKET_SECRET] = "a secret of the pair, 32 bytes.";
static const unsigned char two[TLS_TICKET_SECRET] = "another secret of another pair.";

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
	(void)SSL_CTX_set_max_proto_version(server, TLS1_2_VERSION);
	(void)SSL_CTX_set_session_id_context(server, (const unsigned char *)"t", 1);
	(void)SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
	X509_free(cert);
	EVP_PKEY_free(key);
	return tls_ticket_use(server);
}

static int
tear_down(void **state)
{
	(void)state;
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	return 0;
}

/* A handshake; *had goes on and becomes the session that came of it. True: it went on. */
static bool
shake(SSL_SESSION **had)
{
	SSL *s = SSL_new(server), *c = SSL_new(client);
	BIO *to_s, *to_c;
	bool again;

	assert_int_equal(BIO_new_bio_pair(&to_s, 0, &to_c, 0), 1);
	SSL_set_bio(s, to_s, to_s);
	SSL_set_bio(c, to_c, to_c);
	if (*had != NULL)
		(void)SSL_set_session(c, *had);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(c);
		(void)SSL_do_handshake(s);
	}
	assert_true(SSL_is_init_finished(c) && SSL_is_init_finished(s));
	again = SSL_session_reused(s) == 1;
	SSL_SESSION_free(*had);
	*had = SSL_get1_session(c);
	(void)SSL_shutdown(c);
	SSL_free(c);
	SSL_free(s);
	return again;
}

/* Whether a session goes on, without becoming another. */
static bool
goes_on(SSL_SESSION *had)
{
	bool again;

	(void)SSL_SESSION_up_ref(had);
	again = shake(&had);
	SSL_SESSION_free(had);
	return again;
}

/* All in one, for the keys are those of the process. */
static void
test_keys(void **state)
{
	SSL_SESSION *alone = NULL, *pair = NULL, *later = NULL, *ahead = NULL, *other = NULL;

	(void)state;
	tls_ticket_turn(0, NOW);
	assert_false(shake(&alone));
	assert_true(goes_on(alone));
	tls_ticket_turn(TURN_S, NOW);
	assert_true(goes_on(alone)); /* the key before */
	assert_true(shake(&alone));

	tls_ticket_share(one, NOW);
	assert_true(goes_on(alone)); /* what was made before there was a secret */
	assert_false(shake(&pair));
	tls_ticket_share(one, NOW); /* again is nothing new */
	assert_true(goes_on(pair));

	/* The other node's clock is ahead: it has made the next key already. */
	tls_ticket_turn(0, NOW + TURN_S);
	assert_true(goes_on(pair));
	assert_false(shake(&ahead));
	tls_ticket_turn(0, NOW);
	assert_true(goes_on(ahead));

	/* Six hours later the key before reads still; twelve hours later not. */
	tls_ticket_turn(0, NOW + TURN_S);
	assert_true(goes_on(pair));
	assert_false(shake(&later));
	tls_ticket_turn(0, NOW + 2 * TURN_S);
	assert_false(goes_on(pair));
	assert_true(goes_on(later));

	/* Another pair: its tickets are not ours, until we are of it; the same secret at the same time gives the same keys. */
	tls_ticket_share(two, NOW + 2 * TURN_S);
	assert_false(goes_on(later));
	assert_false(shake(&other));
	tls_ticket_share(one, NOW + 2 * TURN_S);
	assert_true(goes_on(later));
	assert_true(goes_on(other)); /* made a moment ago, here */
	SSL_SESSION_free(alone);
	SSL_SESSION_free(pair);
	SSL_SESSION_free(later);
	SSL_SESSION_free(ahead);
	SSL_SESSION_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
