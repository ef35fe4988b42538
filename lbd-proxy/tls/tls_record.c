/* Records of TLS 1.3 after the handshake.
 *
 * What may come then is little: content, alerts, and KeyUpdate; all else is refused with the alert that RFC 8446 names for it. A
 * KeyUpdate has one form of five bytes, so of one in pieces only a count is kept. An answer to it goes with the next content,
 * as section 4.6.3 allows: who asks often while we are silent gets one.
 *
 * The contexts of the ciphers are the worker's. One that was used last by the same direction of the same connection only
 * gets the next nonce, else the key too; whose key it has is known by address, so it forgets keys before they are gone. */
#include "tls_record.h"

#include "base/must.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdlib.h>
#include <string.h>

#define SUITES 3
#define IV 12
#define UPDATE (RECORD_HEAD + 5 + 1 + RECORD_TAG) /* bytes of a KeyUpdate */
#define OVERHEAD (RECORD_HEAD + 1 + RECORD_TAG)	  /* of a record over its content */

enum content { CONTENT_ALERT = 21, CONTENT_HANDSHAKE = 22, CONTENT_DATA = 23 };
enum { KEY_UPDATE = 24 };

struct record_suite {
	unsigned id;
	const char *cipher, *hash;
	size_t key_len, secret_len;
};
static const struct record_suite suites[SUITES] = {
	{ 0x1301, "AES-128-GCM", "SHA256", 16, 32 },
	{ 0x1302, "AES-256-GCM", "SHA384", 32, 48 },
	{ 0x1303, "ChaCha20-Poly1305", "SHA256", 32, 32 },
};

struct lane {
	EVP_CIPHER_CTX *x;
	const struct record_keys *has; /* whose key it has; NULL nobody's */
};
struct record_gear {
	EVP_KDF *kdf;
	struct lane lane[SUITES][2]; /* to decrypt, to encrypt */
};

static const uint8_t nothing[32];

const struct record_suite *
record_suite(unsigned id)
{
	size_t i;

	for (i = 0; i < SUITES; i++)
		if (suites[i].id == id)
			return &suites[i];
	return NULL;
}

size_t
record_secret_len(const struct record_suite *s)
{
	return s->secret_len;
}

static bool
lane_init(struct lane *l, const struct record_suite *s, int enc)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, s->cipher, NULL);
	bool ok;

	l->x = EVP_CIPHER_CTX_new();
	ok = cipher != NULL && l->x != NULL &&
	     EVP_CipherInit_ex2(l->x, cipher, nothing, nothing, enc, NULL) == 1;
	EVP_CIPHER_free(cipher);
	return ok;
}

struct record_gear *
record_gear_new(void)
{
	struct record_gear *g = calloc(1, sizeof(*g));
	bool ok;
	int i;

	if (g == NULL)
		return NULL;
	g->kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
	ok = g->kdf != NULL;
	for (i = 0; ok && i < SUITES * 2; i++)
		ok = lane_init(&g->lane[i / 2][i % 2], &suites[i / 2], i % 2);
	if (ok)
		return g;
	ERR_clear_error();
	record_gear_free(g);
	return NULL;
}

void
record_gear_free(struct record_gear *g)
{
	int i;

	if (g == NULL)
		return;
	for (i = 0; i < SUITES * 2; i++)
		EVP_CIPHER_CTX_free(g->lane[i / 2][i % 2].x);
	EVP_KDF_free(g->kdf);
	free(g);
}

static struct lane *
lane_of(const struct record_conn *r, struct record_gear *g, const struct record_keys *k)
{
	return &g->lane[r->suite - suites][k == &r->out];
}

/* The worker's context forgets a key that is about to go. */
static void
forget(struct record_conn *r, struct record_gear *g, const struct record_keys *k)
{
	struct lane *l = lane_of(r, g, k);

	if (l->has != k)
		return;
	l->has = NULL;
	must(EVP_CipherInit_ex2(l->x, NULL, nothing, nothing, k == &r->out, NULL) == 1);
}

/* HKDF-Expand-Label without a context (section 7.1). */
static bool
expand(const struct record_conn *r, const struct record_gear *g, const uint8_t *secret,
    const char *label, uint8_t *out, size_t n)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM p[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)r->suite->hash, 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, r->suite->secret_len),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_PREFIX, (void *)(uintptr_t) "tls13 ", 6),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_LABEL, (void *)(uintptr_t)label, strlen(label)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX *c = EVP_KDF_CTX_new(g->kdf);
	bool ok = c != NULL && EVP_KDF_derive(c, out, n, p) == 1;

	EVP_KDF_CTX_free(c);
	return ok;
}

/* Key and IV of a secret (section 7.3). */
static bool
derive(struct record_conn *r, struct record_gear *g, struct record_keys *k)
{
	bool ok = expand(r, g, k->secret, "key", k->key, r->suite->key_len) &&
		  expand(r, g, k->secret, "iv", k->iv, IV);

	if (!ok)
		ERR_clear_error();
	return ok;
}

/* The next keys of a direction (section 7.2). */
static bool
renew(struct record_conn *r, struct record_gear *g, struct record_keys *k)
{
	uint8_t next[RECORD_SECRET];
	bool ok = expand(r, g, k->secret, "traffic upd", next, r->suite->secret_len);

	forget(r, g, k);
	if (ok)
		memcpy(k->secret, next, r->suite->secret_len);
	else
		ERR_clear_error();
	OPENSSL_cleanse(next, sizeof(next));
	k->seq = 0;
	return ok && derive(r, g, k);
}

int
record_begin(struct record_conn *r, struct record_gear *g, const struct record_suite *s)
{
	r->suite = s;
	return derive(r, g, &r->in) && derive(r, g, &r->out) ? 0 : -EIO;
}

void
record_end(struct record_conn *r, struct record_gear *g)
{
	if (r->suite != NULL && g != NULL) {
		forget(r, g, &r->in);
		forget(r, g, &r->out);
	}
	OPENSSL_cleanse(r, sizeof(*r));
}

/* The context with key and nonce (section 5.3) for the next record of a direction. NULL: none. */
static EVP_CIPHER_CTX *
ready(struct record_conn *r, struct record_gear *g, struct record_keys *k)
{
	struct lane *l = lane_of(r, g, k);
	uint8_t nonce[IV];
	int i;

	if (k->seq == UINT64_MAX) /* it must not wrap */
		return NULL;
	memcpy(nonce, k->iv, IV);
	for (i = 0; i < 8; i++)
		nonce[IV - 1 - i] ^= (uint8_t)(k->seq >> (8 * i));
	if (EVP_CipherInit_ex2(
		l->x, NULL, l->has == k ? NULL : k->key, nonce, k == &r->out, NULL) != 1) {
		l->has = NULL;
		return NULL;
	}
	l->has = k;
	return l->x;
}

/* Decrypts len bytes behind the head at p. */
static bool
decrypt(struct record_conn *r, struct record_gear *g, uint8_t *p, size_t len)
{
	EVP_CIPHER_CTX *x = ready(r, g, &r->in);
	uint8_t *body = p + RECORD_HEAD;
	int n = (int)(len - RECORD_TAG), some;

	if (x == NULL || EVP_DecryptUpdate(x, NULL, &some, p, RECORD_HEAD) != 1 ||
	    (n > 0 && EVP_DecryptUpdate(x, body, &some, body, n) != 1) ||
	    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG, body + n) != 1 ||
	    EVP_DecryptFinal_ex(x, body + n, &some) != 1) {
		ERR_clear_error();
		return false;
	}
	r->in.seq++;
	return true;
}

static enum record_got
bad(struct record *out, enum record_alert what)
{
	out->alert = (uint8_t)what;
	return RECORD_BAD;
}

static enum record_got
blank(struct record_conn *r, struct record *out)
{
	if (r->blanks == RECORD_BLANKS)
		return bad(out, ALERT_UNEXPECTED_MESSAGE);
	r->blanks++;
	return RECORD_NOTHING;
}

/* Section 6: the level says nothing; there is one alert that does not end the connection. */
static enum record_got
alert(struct record_conn *r, struct record *out)
{
	if (out->len == 0)
		return bad(out, ALERT_UNEXPECTED_MESSAGE);
	if (out->len != 2)
		return bad(out, ALERT_DECODE_ERROR);
	out->alert = out->content[1];
	if (out->alert == ALERT_USER_CANCELED)
		return blank(r, out);
	return out->alert == ALERT_CLOSE_NOTIFY ? RECORD_CLOSED : RECORD_FATAL;
}

/* Section 4.6.3: type, three bytes of length, whether it is to be answered; and the record ends behind it. */
static enum record_got
handshake(struct record_conn *r, struct record_gear *g, struct record *out)
{
	static const uint8_t length[] = { 0, 0, 1 };
	size_t i;

	if (out->len == 0)
		return bad(out, ALERT_UNEXPECTED_MESSAGE);
	for (i = 0; i < out->len; i++, r->part++) {
		uint8_t byte = out->content[i];

		if (r->part == 0 && byte != KEY_UPDATE)
			return bad(out, ALERT_UNEXPECTED_MESSAGE);
		if (r->part > 0 && r->part < 4 && byte != length[r->part - 1])
			return bad(out, ALERT_DECODE_ERROR);
		if (r->part < 4)
			continue;
		if (byte > 1)
			return bad(out, ALERT_ILLEGAL_PARAMETER);
		if (i + 1 < out->len)
			return bad(out, ALERT_UNEXPECTED_MESSAGE);
		if (!renew(r, g, &r->in))
			return bad(out, ALERT_INTERNAL_ERROR);
		r->answer = r->answer || byte == 1;
		r->part = 0;
		break;
	}
	return blank(r, out);
}

static enum record_got
take(struct record_conn *r, struct record_gear *g, enum content type, struct record *out)
{
	if (r->part > 0 && type != CONTENT_HANDSHAKE)
		return bad(out, ALERT_UNEXPECTED_MESSAGE);
	switch (type) {
	case CONTENT_DATA:
		if (out->len == 0)
			return blank(r, out);
		r->blanks = 0;
		return RECORD_DATA;
	case CONTENT_ALERT: return alert(r, out);
	case CONTENT_HANDSHAKE: return handshake(r, g, out);
	default: return bad(out, ALERT_UNEXPECTED_MESSAGE);
	}
}

enum record_got
record_open(struct record_conn *r, struct record_gear *g, uint8_t *p, size_t n, struct record *out)
{
	size_t len;

	*out = (struct record){ 0 };
	if (n < RECORD_HEAD)
		return RECORD_PART;
	len = (size_t)p[3] << 8 | p[4];
	if (p[0] != CONTENT_DATA)
		return bad(out, ALERT_UNEXPECTED_MESSAGE);
	if (len > RECORD_CIPHER)
		return bad(out, ALERT_RECORD_OVERFLOW);
	if (len < RECORD_TAG)
		return bad(out, ALERT_BAD_RECORD_MAC);
	if (n < RECORD_HEAD + len)
		return RECORD_PART;
	if (!decrypt(r, g, p, len))
		return bad(out, ALERT_BAD_RECORD_MAC);
	if (r->in.seq == RECORD_KEY_LIFE)
		r->ask = true;
	out->used = RECORD_HEAD + len;
	out->content = p + RECORD_HEAD;
	out->len = len - RECORD_TAG;
	if (out->len > RECORD_CONTENT + 1)
		return bad(out, ALERT_RECORD_OVERFLOW);
	while (out->len > 0 && out->content[out->len - 1] == 0) /* padding (section 5.4) */
		out->len--;
	if (out->len == 0)
		return bad(out, ALERT_UNEXPECTED_MESSAGE);
	out->len--;
	return take(r, g, (enum content)out->content[out->len], out);
}

/* One record (section 5.2). Its bytes, or 0. */
static size_t
encrypt(struct record_conn *r, struct record_gear *g, enum content type, const uint8_t *p, size_t n,
    uint8_t *out)
{
	EVP_CIPHER_CTX *x = ready(r, g, &r->out);
	size_t len = n + 1 + RECORD_TAG;
	uint8_t *body = out + RECORD_HEAD, last = (uint8_t)type;
	int some;

	out[0] = CONTENT_DATA;
	out[1] = out[2] = 3;
	out[3] = (uint8_t)(len >> 8);
	out[4] = (uint8_t)len;
	if (x == NULL || EVP_EncryptUpdate(x, NULL, &some, out, RECORD_HEAD) != 1 ||
	    EVP_EncryptUpdate(x, body, &some, p, (int)n) != 1 ||
	    EVP_EncryptUpdate(x, body + n, &some, &last, 1) != 1 ||
	    EVP_EncryptFinal_ex(x, body + n + 1, &some) != 1 ||
	    EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, body + n + 1) != 1) {
		ERR_clear_error();
		return 0;
	}
	r->out.seq++;
	return RECORD_HEAD + len;
}

/* New keys for what we send, if they are due. Bytes, -EIO. */
static ssize_t
update(struct record_conn *r, struct record_gear *g, uint8_t *out)
{
	const uint8_t said[] = { KEY_UPDATE, 0, 0, 1, r->ask };
	size_t n;

	if (!r->answer && !r->ask && r->out.seq < RECORD_KEY_LIFE)
		return 0;
	n = encrypt(r, g, CONTENT_HANDSHAKE, said, sizeof(said), out);
	if (n == 0 || !renew(r, g, &r->out))
		return -EIO;
	r->answer = r->ask = false;
	return (ssize_t)n;
}

size_t
record_room(size_t n)
{
	/* keys change at the beginning, and once more when they were nearly used up */
	return n + (n / RECORD_CONTENT + 1) * OVERHEAD + 2 * UPDATE;
}

ssize_t
record_write(struct record_conn *r, struct record_gear *g, const void *p, size_t n, uint8_t *out)
{
	const uint8_t *from = p;
	size_t done = 0;

	while (n > 0) {
		size_t some = n < RECORD_CONTENT ? n : RECORD_CONTENT, made;
		ssize_t first = update(r, g, out + done);

		if (first < 0)
			return first;
		done += (size_t)first;
		made = encrypt(r, g, CONTENT_DATA, from, some, out + done);
		if (made == 0)
			return -EIO;
		done += made;
		from += some;
		n -= some;
	}
	return (ssize_t)done;
}

ssize_t
record_say(struct record_conn *r, struct record_gear *g, enum record_alert what, uint8_t *out)
{
	const uint8_t said[] = { what == ALERT_CLOSE_NOTIFY ? 1 : 2, (uint8_t)what };
	size_t n = encrypt(r, g, CONTENT_ALERT, said, sizeof(said), out);

	return n == 0 ? -EIO : (ssize_t)n;
}
