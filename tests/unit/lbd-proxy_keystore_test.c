/* Keys on disk: what is put is there again, after another start too; nobody else may read them; what is damaged or
 * exchanged is no key. */
#include "store_help.h"

#include "digest_dir.h"
#include "tls/keystore.h"

#include <errno.h>
#include <sys/stat.h>

static struct keystore *ks;

static int
open_keys(void **state)
{
	if (make_dir(state) != 0)
		return -1;
	return keystore_open(dir, &ks, &err);
}

static int
close_keys(void **state)
{
	keystore_close(ks);
	ks = NULL;
	return drop_dir(state);
}

static void
put_new(char name[X509_HEX])
{
	struct evp_pkey_st *key = x509_key_make("p256", &err);
	struct buf pem = { 0 };

	x509_key_write(key, &pem);
	x509_key_free(key);
	assert_good(keystore_put(ks, pem.p, pem.len, NULL, name, &err));
	x509_wipe(&pem);
}

static const char *
key_file(const char *name)
{
	static char path[400];

	(void)snprintf(path, sizeof(path), "%s/keys/%s.key", dir, name);
	return path;
}

static bool
count(void *arg, const char *name, int64_t age)
{
	assert_true(x509_key_is_name(name) && age >= 0 && age < 100);
	++*(unsigned *)arg;
	return true;
}

static unsigned
keys(void)
{
	unsigned n = 0;

	digest_dir_each(keystore_files(ks), count, &n);
	return n;
}

static void
test_put_and_get(void **state)
{
	char one[X509_HEX], two[X509_HEX], is[X509_HEX];
	struct evp_pkey_st *key;
	struct stat sb;

	(void)state;
	put_new(one);
	put_new(two);
	assert_int_equal(keys(), 2);
	keystore_close(ks);
	assert_good(keystore_open(dir, &ks, &err));
	assert_true(keystore_has(ks, one) && keystore_has(ks, two));
	key = keystore_get(ks, one);
	assert_non_null(key);
	x509_key_name(key, is);
	assert_string_equal(is, one);
	x509_key_free(key);
	assert_int_equal(stat(key_file(one), &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	digest_dir_forget(keystore_files(ks), one);
	assert_false(keystore_has(ks, one));
	assert_null(keystore_get(ks, one));
	assert_int_equal(keys(), 1);
}

static void
test_put_again(void **state)
{
	char name[X509_HEX], again[X509_HEX];
	struct buf pem = { 0 };

	(void)state;
	put_new(name);
	assert_int_equal(keystore_read(ks, name, &pem), 0);
	assert_good(keystore_put(ks, pem.p, pem.len, NULL, again, &err));
	assert_string_equal(name, again);
	/* A damaged one is put right. */
	assert_int_equal(truncate(key_file(name), 20), 0);
	assert_null(keystore_get(ks, name));
	assert_good(keystore_put(ks, pem.p, pem.len, NULL, again, &err));
	assert_int_equal(keys(), 1);
	x509_key_free(keystore_get(ks, name));
	x509_wipe(&pem);
}

static void
test_refused(void **state)
{
	char name[X509_HEX] = "";
	struct buf out = { 0 };

	(void)state;
	assert_bad(keystore_put(ks, "x", 1, NULL, name, &err), ERR_INVALID, "no private key");
	assert_bad(keystore_put(ks, "", 0, NULL, name, &err), ERR_INVALID, "0 bytes long");
	assert_int_equal(keys(), 0);
	assert_false(keystore_has(ks, "../secrets"));
	assert_null(keystore_get(ks, "../secrets"));
	assert_int_equal(keystore_read(ks, "../secrets", &out), -ENOENT);
	digest_dir_forget(keystore_files(ks), "../secrets");
}

/* The file of one key under the name of another. */
static void
test_exchanged(void **state)
{
	char one[X509_HEX], two[X509_HEX], from[400];

	(void)state;
	put_new(one);
	put_new(two);
	(void)snprintf(from, sizeof(from), "%s", key_file(one));
	assert_int_equal(rename(from, key_file(two)), 0);
	assert_null(keystore_get(ks, two));
}

static void
test_folder_of_others(void **state)
{
	struct keystore *other = NULL;
	char path[300];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(chmod(path, 0750), 0);
	assert_bad(keystore_open(dir, &other, &err), -EPERM, "has mode 0750");
	assert_int_equal(chmod(path, 0700), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, open_keys, close_keys)
		T(test_put_and_get),
		T(test_put_again),
		T(test_refused),
		T(test_exchanged),
		T(test_folder_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
