/* record_rig.h - a client of lbd-proxy/tls/tls_record.h that can encrypt whatever it likes. */
#ifndef RECORD_RIG_H
#define RECORD_RIG_H

#include "base/must.h"

#include "lbd-proxy/tls/tls_record.h"

#include <openssl/evp.h>
#include <string.h>

#define AES128 0x1301
#define AES256 0x1302
#define CHACHA 0x1303

/* A record of any inner plaintext (content, type, padding) under the keys that r writes with. Its bytes. */
static inline size_t
protect(struct record_conn *r, unsigned suite, const uint8_t *inner, size_t n, uint8_t *out)
{
	static const char *const name[] = { "AES-128-GCM", "AES-256-GCM", "ChaCha20-Poly1305" };
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name[suite - AES128], NULL);
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	uint8_t nonce[12];
	int some = 0;

	memcpy(nonce, r->out.iv, 12);
	for (int i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(r->out.seq >> (8 * i));
	r->out.seq++;
	out[0] = 23;
	out[1] = out[2] = 3;
	out[3] = (uint8_t)((n + RECORD_TAG) >> 8);
	out[4] = (uint8_t)(n + RECORD_TAG);
	must(EVP_EncryptInit_ex2(x, cipher, r->out.key, nonce, NULL) == 1);
	must(EVP_EncryptUpdate(x, NULL, &some, out, RECORD_HEAD) == 1);
	must(n == 0 || EVP_EncryptUpdate(x, out + RECORD_HEAD, &some, inner, (int)n) == 1);
	must(EVP_EncryptFinal_ex(x, out + RECORD_HEAD + n, &some) == 1);
	must(EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, out + RECORD_HEAD + n) == 1);
	EVP_CIPHER_CTX_free(x);
	EVP_CIPHER_free(cipher);
	return RECORD_HEAD + n + RECORD_TAG;
}

#endif
