/* Keys of session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1).
 *
 * A ticket holds the session, encrypted for nobody but us. One key makes tickets for a while; then it only reads them for
 * as long again, and a ticket that it read is made anew; then it is wiped. So who gets hold of a key learns little of the
 * past. All contexts of the process use the same keys: a changed certificate does not end sessions.
 *
 * The nodes of a pair have the same keys, so that sessions go on after a failover: lbd-ha gives a secret that is made of the
 * pair's, and the keys of each six hours follow from it and the clock (HKDF, RFC 5869). The key of the next six hours reads
 * too: the other node's clock may be ahead. The secret is in memory alone; who has it can read tickets of other times, which
 * in TLS 1.3 opens no connection (each has a key exchange of its own), and in TLS 1.2 those that were resumed. */
#include "tls_ctx.h"

#include "base/must.h"

#include "tls_priv.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#define TURN_S (6 * 3600)

struct ticket_key {
	unsigned char name[16], cipher[32], mac[32];
};
enum { MAKES, BEFORE, AFTER, OTHER, KEYS };
/* Read by workers for each handshake, written every few hours. */
static struct {
	pthread_rwlock_t lock;
	bool there, shared;
	int64_t turned_s; /* alone: when MAKES was made; shared: which six hours it is of */
	unsigned char secret[TLS_TICKET_SECRET];
	struct ticket_key key[KEYS]; /* OTHER: that made tickets before there was a secret */
} ring = { .lock = PTHREAD_RWLOCK_INITIALIZER };

static bool
fresh_key(struct ticket_key *k)
{
	return RAND_bytes((unsigned char *)k, sizeof(*k)) == 1;
}

static bool
derive(int64_t epoch, struct ticket_key *out)
{
	unsigned char info[18] = "lbd ticket";
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *c = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_KEY, ring.secret, sizeof(ring.secret)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info)),
		OSSL_PARAM_construct_end(),
	};
	bool ok;

	for (unsigned i = 0; i < 8; i++)
		info[10 + i] = (unsigned char)((uint64_t)epoch >> (56 - 8 * i));
	ok = c != NULL && EVP_KDF_derive(c, (unsigned char *)out, sizeof(*out), p) == 1;
	EVP_KDF_CTX_free(c);
	EVP_KDF_free(kdf);
	return ok;
}

/* The keys around an epoch; with the old ones when that fails. */
static void
turn_shared(int64_t epoch)
{
	struct ticket_key k[3] = { { { 0 }, { 0 }, { 0 } } };

	if (ring.turned_s != epoch && derive(epoch, &k[MAKES]) && derive(epoch - 1, &k[BEFORE]) &&
	    derive(epoch + 1, &k[AFTER])) {
		memcpy(ring.key, k, sizeof(k));
		ring.turned_s = epoch;
	}
	OPENSSL_cleanse(k, sizeof(k));
}

static void
turn_alone(int64_t now_s)
{
	struct ticket_key k;

	if (!ring.there) {
		ring.there = true;
		for (unsigned i = 0; i < KEYS; i++) /* what is not used yet reads nothing */
			ring.there = ring.there && fresh_key(&ring.key[i]);
		ring.turned_s = now_s;
	} else if (now_s - ring.turned_s >= TURN_S && fresh_key(&k)) { /* else the old ones stay */
		ring.key[BEFORE] = ring.key[MAKES];
		ring.key[MAKES] = k;
		ring.turned_s = now_s;
		OPENSSL_cleanse(&k, sizeof(k));
	}
}

void
tls_ticket_turn(int64_t now_s, int64_t wall_s)
{
	(void)pthread_rwlock_wrlock(&ring.lock);
	if (ring.shared)
		turn_shared(wall_s / TURN_S);
	else
		turn_alone(now_s);
	(void)pthread_rwlock_unlock(&ring.lock);
}

void
tls_ticket_share(const unsigned char secret[TLS_TICKET_SECRET], int64_t wall_s)
{
	(void)pthread_rwlock_wrlock(&ring.lock);
	if (!ring.shared || CRYPTO_memcmp(ring.secret, secret, sizeof(ring.secret)) != 0) {
		memcpy(ring.secret, secret, sizeof(ring.secret));
		if (ring.there)
			ring.key[OTHER] = ring.key[MAKES];
		ring.shared = true;
		ring.turned_s = INT64_MIN;
		turn_shared(wall_s / TURN_S);
		ring.there = ring.there || ring.turned_s != INT64_MIN;
	}
	(void)pthread_rwlock_unlock(&ring.lock);
}

_Static_assert(sizeof(ring.turned_s) + sizeof(ring.key) == TLS_TICKET_BYTES, "what is exported");

bool
tls_ticket_export(uint8_t out[TLS_TICKET_BYTES])
{
	bool there;

	(void)pthread_rwlock_rdlock(&ring.lock);
	there = ring.there;
	memcpy(out, &ring.turned_s, sizeof(ring.turned_s));
	memcpy(out + sizeof(ring.turned_s), ring.key, sizeof(ring.key));
	(void)pthread_rwlock_unlock(&ring.lock);
	return there;
}

void
tls_ticket_import(const void *p, size_t n)
{
	if (n != TLS_TICKET_BYTES)
		return;
	(void)pthread_rwlock_wrlock(&ring.lock);
	memcpy(&ring.turned_s, p, sizeof(ring.turned_s));
	memcpy(ring.key, (const uint8_t *)p + sizeof(ring.turned_s), sizeof(ring.key));
	ring.there = true;
	(void)pthread_rwlock_unlock(&ring.lock);
}

static int
use(const struct ticket_key *k, const unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *m, int enc)
{
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(c, EVP_aes_256_cbc(), NULL, k->cipher, iv, enc) == 1 &&
	       EVP_MAC_CTX_set_params(m, p) == 1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: 1 used, 2 used but to be made anew, 0 no such key, -1 error. */
static int
on_ticket(
    SSL *s, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *m, int enc)
{
	int i, r = 0;

	(void)s;
	(void)pthread_rwlock_rdlock(&ring.lock);
	if (!ring.there) {
		r = -1;
	} else if (enc == 1) {
		memcpy(name, ring.key[0].name, sizeof(ring.key[0].name));
		r = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
			    use(&ring.key[0], iv, c, m, 1)
			? 1
			: -1;
	} else {
		for (i = 0; i < KEYS && r == 0; i++)
			if (CRYPTO_memcmp(name, ring.key[i].name, sizeof(ring.key[i].name)) == 0)
				r = !use(&ring.key[i], iv, c, m, 0) ? -1 : i == MAKES ? 1 : 2;
	}
	(void)pthread_rwlock_unlock(&ring.lock);
	return r;
}

int
tls_ticket_use(SSL_CTX *x)
{
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket) == 1 ? 0 : -1;
}
