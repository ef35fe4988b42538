/* A certificate file of anybody, PEM, DER or PKCS#12: never a crash, an error always says something; what is taken has a
 * chain that can be read, begins with the certificate that the key belongs to, and is strict PEM as the schema keeps it.
 * The first byte: 1 gives the password "secret"; 2 takes what follows an FF FF as the file of the key. */
#include "base/must.h"
#include "schema/value.h"
#include "store/x509.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct x509_import *i)
{
	const struct field *f = field_find(object_of(KIND_cert), "chain");
	struct arena *a = arena_new(4096);
	char name[X509_HEX];
	struct x509_face face;
	struct cell c, again;
	const char *chain = buf_text(&i->chain);

	must(x509_face(chain, 0, &face) == 0);
	must(strcmp(face.key, i->name) == 0);
	if (i->key != NULL) {
		x509_key_name(i->key, name);
		must(strcmp(name, i->name) == 0);
	}
	if (value_parse(f, chain, NULL, a, &c, NULL) == 0) {
		must(strcmp(c.s, chain) == 0);
		must(value_parse(f, c.s, NULL, a, &again, NULL) == 0 && cell_same(&c, &again));
	} else {
		must(i->chain.len > (size_t)f->max);
	}
	arena_unref(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *key = NULL;
	size_t len = size, key_len = 0;
	struct x509_import i;
	struct err err = { 0 };
	int rc;

	if (size < 2)
		return 0;
	if ((data[0] & 2) != 0)
		key = memmem(data + 1, size - 1, "\xff\xff", 2);
	if (key != NULL) {
		len = (size_t)(key - data);
		key += 2;
		key_len = size - len - 2;
	}
	rc = x509_import(
	    data + 1, len - 1, key, key_len, (data[0] & 1) != 0 ? "secret" : NULL, &i, &err);
	if (rc == 0)
		check(&i);
	else
		must((rc == ERR_INVALID || rc == ERR_DENIED) && err.text[0] != '\0' &&
		     i.key == NULL);
	x509_import_fini(&i);
	return 0;
}
