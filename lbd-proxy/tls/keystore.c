/* Keys as files NAME.key, PKCS#8 in PEM (digest_dir.h). What is read is checked against its name, so a damaged or exchanged
 * file is no key. Bytes of keys are wiped as soon as libcrypto has them. */
#include "keystore.h"

#include "digest_dir.h"

#include <string.h>

/* A keystore is a folder of such files. */
struct digest_dir *
keystore_files(const struct keystore *k)
{
	return (struct digest_dir *)(uintptr_t)k;
}

int
keystore_open(const char *state, struct keystore **out, struct err *err)
{
	struct digest_dir *d;
	int rc = digest_dir_open(state, "keys", ".key", "a key", &d, err);

	if (rc == 0)
		*out = (struct keystore *)d;
	return rc;
}

void
keystore_close(struct keystore *k)
{
	digest_dir_close(keystore_files(k));
}

bool
keystore_has(const struct keystore *k, const char *name)
{
	return digest_dir_has(keystore_files(k), name);
}

int
keystore_put(struct keystore *k, const void *bytes, size_t len, const char *pass,
    char name_out[X509_HEX], struct err *err)
{
	struct err own = { 0 };
	struct evp_pkey_st *key = x509_key_read(bytes, len, pass, &own), *kept;
	struct buf pem = { 0 };
	char name[X509_HEX];
	int rc = 0;

	if (key == NULL)
		return err_set(err, own.code, "%s", own.text);
	x509_key_name(key, name);
	kept = keystore_get(k, name);
	if (kept == NULL) {
		x509_key_write(key, &pem);
		rc = pem.len <= X509_KEY_MOST
			 ? digest_dir_write(keystore_files(k), name, &pem, err)
			 : err_set(err, ERR_INVALID,
			       "the key is %zu bytes long; allowed are at most %d", pem.len,
			       X509_KEY_MOST);
		x509_wipe(&pem);
	}
	x509_key_free(kept);
	x509_key_free(key);
	if (rc == 0)
		memcpy(name_out, name, X509_HEX);
	return rc;
}

int
keystore_read(struct keystore *k, const char *name, struct buf *out)
{
	return digest_dir_read(keystore_files(k), name, X509_KEY_MOST, out);
}

struct evp_pkey_st *
keystore_get(struct keystore *k, const char *name)
{
	struct evp_pkey_st *key = NULL;
	struct buf pem = { 0 };
	char is[X509_HEX];

	if (keystore_read(k, name, &pem) == 0)
		key = x509_key_read(pem.p, pem.len, NULL, NULL);
	x509_wipe(&pem);
	if (key == NULL)
		return NULL;
	x509_key_name(key, is);
	if (strcmp(is, name) == 0)
		return key;
	x509_key_free(key);
	return NULL;
}
