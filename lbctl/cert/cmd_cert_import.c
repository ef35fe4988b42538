/* cert import: a file that somebody got from an authority, as chain and key.
 *
 * The key goes to lbd-proxy first, so that the commit names one that is there. Without a key in the file it must be with
 * lbd-proxy already: the answer to a request. The name is the one given, else that of the certificate whose key it is,
 * else the first host. */
#include "cert.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The password of an encrypted file: NULL when none is known. */
static int
find_password(struct ctl *c, char out[300], const char **pass, struct err *err)
{
	struct buf text = { 0 };
	int rc;

	if (!GIVEN(c, password_file))
		return 0;
	rc = input_text(c->opt[OPT_password_file], &text, err);
	if (rc == 0) {
		(void)snprintf(
		    out, 300, "%.*s", (int)strcspn(buf_text(&text), "\r\n"), buf_text(&text));
		*pass = out;
	}
	x509_wipe(&text);
	return rc;
}

/* A name of ours from the first host: "*.example.org" is "wildcard.example.org". */
static void
name_from(const char *names, char out[64])
{
	size_t n = strcspn(names, ","), at = 0;

	if (strncmp(names, "*.", 2) == 0) {
		at = (size_t)snprintf(out, 64, "wildcard");
		names++;
		n--;
	}
	for (size_t i = 0; i < n && at < 63; i++)
		out[at++] = (names[i] >= '0' && names[i] <= '9') ||
				    (names[i] >= 'A' && names[i] <= 'Z') ||
				    (names[i] >= 'a' && names[i] <= 'z') || names[i] == '.' ||
				    names[i] == '_'
				? names[i]
				: '-';
	out[at] = '\0';
	if (at == 0)
		(void)snprintf(out, 64, "imported");
}

static const char *
choose_name(struct ctl *c, const struct x509_import *i, char room[64])
{
	struct x509_face f = { 0 };

	if (GIVEN(c, name))
		return c->opt[OPT_name];
	for (uint32_t k = 0; k < snapshot_count(c->snap, KIND_cert); k++) {
		const struct cert *row = snapshot_at(c->snap, KIND_cert, k);

		if (strcmp(row->key, i->name) == 0)
			return row->name;
	}
	(void)x509_face((const char *)i->chain.p, 0, &f);
	name_from(f.names, room);
	return room;
}

static int
bring_key(struct ctl *c, const struct x509_import *i, struct err *err)
{
	const char *keys;

	if (i->key != NULL && GIVEN(c, dry_run))
		return 0;
	if (i->key != NULL)
		return cert_put_key(c, i->key, err);
	keys = cert_keys(c);
	if (keys == NULL)
		return err_set(err, ERR_AWAY,
		    "cert import: there is no key in the file, and lbd-proxy does not say whether it is here");
	if (strstr(keys, i->name) == NULL)
		return err_set(err, ERR_INVALID,
		    "cert import: the key of the certificate (%s) is neither in the file nor with "
		    "lbd-proxy; --key FILE brings it",
		    i->name);
	return 0;
}

static void
note_ends(struct ctl *c, const char *name, const char *chain)
{
	int64_t now = (int64_t)time(NULL), until = x509_until(chain);
	char left[40];

	cert_left(until, now, left);
	if (x509_ends(until, now) == X509_EXPIRED)
		ctl_note(c, "warning: cert %s has expired (%s)", name, left);
	else
		ctl_note(c, "cert %s ends %s", name, left);
}

/* What stapling will not have. */
static void
note_responder(struct ctl *c, const char *name, const char *chain)
{
	char url[256];

	if (!x509_responder(chain, url) && url[0] != '\0')
		ctl_note(c,
		    "warning: cert %s: its responder (OCSP) is not asked: %s is not http, which is how responders are "
		    "asked (RFC 6960 appendix A.1); stapling has nothing to hand out for it",
		    name, url);
}

static int
take(struct ctl *c, struct x509_import *i, struct err *err)
{
	const char *chain = buf_text(&i->chain), *name;
	char room[64];
	int rc = ctl_store(c, true, err);

	if (rc == 0)
		rc = ctl_load(c, err);
	if (rc != 0)
		return rc;
	name = choose_name(c, i, room);
	rc = cert_check_name(name, err);
	if (rc == 0)
		rc = bring_key(c, i, err);
	if (rc != 0)
		return rc;
	if (i->left > 0)
		ctl_note(c, "%u certificates of the file do not belong to it, and were left out",
		    i->left);
	rc = cert_save(c, name, chain, i->name, err);
	if (rc == 0)
		note_ends(c, name, chain);
	if (rc == 0)
		note_responder(c, name, chain);
	return rc;
}

static int
read_files(struct ctl *c, const struct buf *file, const struct buf *key, struct x509_import *i,
    struct err *err)
{
	const char *pass = NULL;
	char room[300] = "";
	int rc = find_password(c, room, &pass, err);

	if (rc == 0)
		rc = x509_import(file->p, file->len, key->p, key->len, pass, i, err);
	if (rc == ERR_DENIED && input_can_ask()) {
		rc = input_one_password(c->argv[0], room, err);
		if (rc == 0)
			rc = x509_import(file->p, file->len, key->p, key->len, room, i, err);
	} else if (rc == ERR_DENIED) {
		rc = err_set(err, ERR_USAGE,
		    "%s: is encrypted; --password-file FILE has the password", c->argv[0]);
		explicit_bzero(room, sizeof(room));
		return rc;
	}
	explicit_bzero(room, sizeof(room));
	return rc != 0 ? err_prefix(err, "%s: ", c->argv[0]) : 0;
}

int
cmd_cert_import(struct ctl *c, struct err *err)
{
	struct buf file = { 0 }, key = { 0 };
	struct x509_import i = { 0 };
	int rc = input_text(c->argv[0], &file, err);

	if (rc == 0 && GIVEN(c, key))
		rc = input_text(c->opt[OPT_key], &key, err);
	if (rc == 0)
		rc = read_files(c, &file, &key, &i, err);
	x509_wipe(&file);
	x509_wipe(&key);
	if (rc == 0)
		rc = take(c, &i, err);
	x509_import_fini(&i);
	return rc;
}
