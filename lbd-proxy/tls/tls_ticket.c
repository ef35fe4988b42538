/* Keys of session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1).
 *
 * A ticket holds the session, encrypted for nobody but us. One key makes tickets for a while; then it only reads them for
 * as long again, and a ticket that it read is made anew; then it is wiped. So who gets hold of a key learns little of the
 * past. All contexts of the process use the same keys: a changed certificate does not end sessions. */
#include "tls_ctx.h"

#include "base/must.h"

#include "tls_priv.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#define TURN_S (6 * 3600)

struct ticket_key {
	unsigned char name[16], cipher[32], mac[32];
};
/* Read by workers for each handshake, written every few hours. */
static struct {
	pthread_rwlock_t lock;
	bool there;
	int64_t turned_s;
	struct ticket_key key[2]; /* that makes tickets; that was before it */
} ring = { .lock = PTHREAD_RWLOCK_INITIALIZER };

static bool
fresh_key(struct ticket_key *k)
{
	return RAND_bytes((unsigned char *)k, sizeof(*k)) == 1;
}

void
tls_ticket_turn(int64_t now_s)
{
	(void)pthread_rwlock_wrlock(&ring.lock);
	if (!ring.there) {
		ring.there = fresh_key(&ring.key[0]) && fresh_key(&ring.key[1]);
		ring.turned_s = now_s;
	} else if (now_s - ring.turned_s >= TURN_S) {
		struct ticket_key k;

		if (fresh_key(&k)) { /* else the old ones stay until the next time */
			ring.key[1] = ring.key[0];
			ring.key[0] = k;
			ring.turned_s = now_s;
		}
		OPENSSL_cleanse(&k, sizeof(k));
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
		for (i = 0; i < 2 && r == 0; i++)
			if (CRYPTO_memcmp(name, ring.key[i].name, sizeof(ring.key[i].name)) == 0)
				r = use(&ring.key[i], iv, c, m, 0) ? i + 1 : -1;
	}
	(void)pthread_rwlock_unlock(&ring.lock);
	return r;
}

int
tls_ticket_use(SSL_CTX *x)
{
	return SSL_CTX_set_tlsext_ticket_key_evp_cb(x, on_ticket) == 1 ? 0 : -1;
}
