/* seal.c - keyed codes, without an allocation.
 *
 * The core allocates nothing after its start. OpenSSL 3.0's EVP_MAC and EVP_MD allocate a context in each start of a
 * hash, also where one is used again (measured: two allocations a code, by CRYPTO_set_mem_functions). So HMAC is put
 * together here from the hash's own functions, which work in the caller's memory; they are marked as deprecated in
 * favour of those that allocate, and still there. That is also quicker, since the blocks that depend on the key only
 * are hashed once: the two contexts behind them are kept and copied.
 *
 * The key's id is the first byte of another derivation of the secret. Two secrets whose ids are the same (1 in 256) are
 * no harm: each key of that id is tried. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "core/seal.h"

#include "base/must.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#define BLOCK 64 /* bytes of SHA-256's block */

_Static_assert(sizeof(SHA256_CTX) <= sizeof(((struct seal_key *)0)->inner), "room for a context");
_Static_assert(SEAL_TAG < SHA256_DIGEST_LENGTH, "a code is part of a digest");

static void
start(SHA256_CTX *c, const uint8_t block[BLOCK], uint8_t pad)
{
	uint8_t mixed[BLOCK];

	for (unsigned i = 0; i < BLOCK; i++)
		mixed[i] = block[i] ^ pad;
	must(SHA256_Init(c) == 1 && SHA256_Update(c, mixed, BLOCK) == 1);
	OPENSSL_cleanse(mixed, sizeof(mixed));
}

/* RFC 2104 section 2: the key's block with 0x36 and with 0x5c. A longer key is hashed first. */
static void
prepare(struct seal_bytes key, SHA256_CTX *inner, SHA256_CTX *outer)
{
	uint8_t block[BLOCK] = { 0 };
	SHA256_CTX c;

	if (key.len > BLOCK) {
		must(SHA256_Init(&c) == 1 && SHA256_Update(&c, key.p, key.len) == 1 &&
		     SHA256_Final(block, &c) == 1);
	} else if (key.len > 0) {
		memcpy(block, key.p, key.len);
	}
	start(inner, block, 0x36);
	start(outer, block, 0x5c);
	OPENSSL_cleanse(block, sizeof(block));
}

/* The contexts are used up. */
static void
finish(SHA256_CTX *inner, SHA256_CTX *outer, struct seal_bytes text, uint8_t out[32])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	must(SHA256_Update(inner, text.p, text.len) == 1 && SHA256_Final(digest, inner) == 1);
	must(SHA256_Update(outer, digest, sizeof(digest)) == 1 && SHA256_Final(out, outer) == 1);
}

void
seal_hmac(struct seal_bytes key, struct seal_bytes text, uint8_t out[32])
{
	SHA256_CTX inner, outer;

	prepare(key, &inner, &outer);
	finish(&inner, &outer, text, out);
}

void
seal_derive(
    struct seal_bytes salt, struct seal_bytes secret, struct seal_bytes info, uint8_t out[32])
{
	uint8_t prk[32], block[96];

	must(info.len < sizeof(block));
	seal_hmac(salt, secret, prk); /* RFC 5869 section 2.2 */
	if (info.len > 0)
		memcpy(block, info.p, info.len);
	block[info.len] = 1; /* section 2.3: T(1) */
	seal_hmac((struct seal_bytes){ prk, sizeof(prk) },
	    (struct seal_bytes){ block, info.len + 1 }, out);
	OPENSSL_cleanse(prk, sizeof(prk));
}

static void
derive(const char *label, const uint8_t *secret, uint8_t out[32])
{
	seal_derive((struct seal_bytes){ NULL, 0 }, (struct seal_bytes){ secret, SEAL_SECRET },
	    (struct seal_bytes){ label, strlen(label) }, out);
}

void
seal_init(struct seal *s, const char *label)
{
	must(strlen(label) < sizeof(s->label));
	memset(s, 0, sizeof(*s));
	memcpy(s->label, label, strlen(label));
}

void
seal_fini(struct seal *s)
{
	OPENSSL_cleanse(s, sizeof(*s));
}

void
seal_set(struct seal *s, unsigned slot, const uint8_t *secret)
{
	struct seal_key *k = &s->key[slot];
	SHA256_CTX inner, outer;
	uint8_t bytes[32];

	must(slot < SEAL_SLOTS);
	OPENSSL_cleanse(k, sizeof(*k));
	if (secret == NULL)
		return;
	derive("lbd key id", secret, bytes);
	k->id = bytes[0];
	derive(s->label, secret, bytes);
	prepare((struct seal_bytes){ bytes, sizeof(bytes) }, &inner, &outer);
	memcpy(k->inner, &inner, sizeof(inner));
	memcpy(k->outer, &outer, sizeof(outer));
	k->set = true;
	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(&inner, sizeof(inner));
	OPENSSL_cleanse(&outer, sizeof(outer));
}

bool
seal_ready(const struct seal *s)
{
	return s->key[0].set;
}

uint8_t
seal_id(const struct seal *s)
{
	return s->key[0].id;
}

static void
reckon(const struct seal_key *k, const void *bytes, size_t len, uint8_t out[32])
{
	SHA256_CTX inner, outer;

	memcpy(&inner, k->inner, sizeof(inner));
	memcpy(&outer, k->outer, sizeof(outer));
	finish(&inner, &outer, (struct seal_bytes){ bytes, len }, out);
}

void
seal_put(const struct seal *s, const void *bytes, size_t len, uint8_t tag_out[SEAL_TAG])
{
	uint8_t whole[32];

	must(s->key[0].set);
	reckon(&s->key[0], bytes, len, whole);
	memcpy(tag_out, whole, SEAL_TAG);
}

bool
seal_known(const struct seal *s, uint8_t id)
{
	bool known = false;

	for (unsigned i = 0; i < SEAL_SLOTS; i++)
		known |= s->key[i].set && s->key[i].id == id;
	return known;
}

bool
seal_check(
    const struct seal *s, uint8_t id, const void *bytes, size_t len, const uint8_t tag[SEAL_TAG])
{
	uint8_t whole[32];
	bool good = false;

	for (unsigned i = 0; i < SEAL_SLOTS; i++) {
		if (!s->key[i].set || s->key[i].id != id)
			continue;
		reckon(&s->key[i], bytes, len, whole);
		good |= CRYPTO_memcmp(whole, tag, SEAL_TAG) == 0;
	}
	return good;
}
