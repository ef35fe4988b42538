/* POST /api/v1/certs/import: a certificate with its key, as an authority or another machine gave it. The same as lbctl cert
 * import: the key goes to lbd-proxy first, then the chain into the configuration. What held the key or the password is
 * wiped. */
#include "api.h"
#include "live/follow.h"

#include "base/mem.h"
#include "store/x509.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_ROOM 200

struct import {
	struct call *c;
	struct commit_how how;
	struct buf file, key; /* decoded */
	char name[64], password[PASSWORD_ROOM];
	bool has_password, has_key;
	struct x509_import got;
	bool found; /* lbd-proxy has the key */
};

static void
import_free(struct import *i)
{
	x509_wipe(&i->file);
	x509_wipe(&i->key);
	x509_import_fini(&i->got);
	explicit_bzero(i->password, sizeof(i->password));
	free(i);
}

/* ---- the body --------------------------------------------------------------------------------------------------- */

static int
digit(char c)
{
	static const char all[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(all, c) : NULL;

	return at != NULL ? (int)(at - all) : -1;
}

/* Base64 (RFC 4648 section 4), with or without its padding; -EINVAL. */
static int
decode(const char *text, struct buf *out)
{
	size_t n = strcspn(text, "=");
	uint32_t bits = 0;
	unsigned have = 0;

	if (strspn(text + n, "=") != strlen(text + n) || strlen(text + n) > 2 || n % 4 == 1)
		return ERR_INVALID;
	for (size_t i = 0; i < n; i++) {
		int d = digit(text[i]);

		if (d < 0)
			return ERR_INVALID;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			buf_put_be(out, bits >> have & 0xff, 1);
		}
	}
	return 0;
}

static int
on_member(void *arg, const struct json_member *m)
{
	struct import *i = arg;

	if (m->type != JSON_T_STRING)
		return ERR_INVALID;
	if (strcmp(m->name, "file") == 0)
		return decode(m->text, &i->file);
	if (strcmp(m->name, "key") == 0) {
		i->has_key = true;
		return decode(m->text, &i->key);
	}
	if (strcmp(m->name, "name") == 0)
		return json_text(m, i->name, sizeof(i->name));
	if (strcmp(m->name, "password") == 0) {
		i->has_password = true;
		return json_text(m, i->password, sizeof(i->password));
	}
	return ERR_INVALID;
}

/* Before a key is kept for it. */
static int
check_name(const char *name, struct err *err)
{
	struct doc_item *it;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = doc_add(&d, DOC_REPLACE, object_of(KIND_cert), name, 0, &it, err);
	doc_fini(&d);
	return rc;
}

static int
read_body(struct import *i, struct err *err)
{
	struct buf *body = &i->c->rq->body;
	int rc = json_scan((const char *)body->p, body->len, on_member, i, err);

	if (body->p != NULL)
		explicit_bzero(body->p, body->len);
	if (rc != 0 && rc != ERR_USAGE)
		rc = err_set(err, ERR_INVALID,
		    "allowed are the texts name, file, key and password; file and key are base64");
	if (rc == 0 && (i->name[0] == '\0' || i->file.len == 0))
		rc = err_field(
		    err, ERR_INVALID, NULL, i->name[0] == '\0' ? "name" : "file", "is required");
	if (rc == 0)
		rc = check_name(i->name, err);
	if (rc == 0)
		rc = x509_import(i->file.p, i->file.len, i->has_key ? i->key.p : NULL, i->key.len,
		    i->has_password ? i->password : NULL, &i->got, err);
	if (rc == ERR_DENIED) /* not the user, the file */
		err->code = rc = ERR_INVALID;
	x509_wipe(&i->file);
	x509_wipe(&i->key);
	return rc;
}

/* ---- the commit ------------------------------------------------------------------------------------------------- */

static int
build(struct import *i, const struct snapshot *s, struct doc *d, struct err *err)
{
	const struct object *o = object_of(KIND_cert);
	bool there = snapshot_find_path(s, KIND_cert, i->name) != NULL;
	struct doc_item *it;
	int rc = doc_add(d, there ? DOC_MERGE : DOC_CREATE, o, i->name, 0, &it, err);

	if (rc == 0)
		rc = doc_set(d, it, "chain", buf_text(&i->got.chain), err);
	return rc != 0 ? rc : doc_set(d, it, "key", i->got.name, err);
}

static void
answer(struct import *i, struct commit_result *r, bool created)
{
	const void *row = snapshot_find_path(r->now, KIND_cert, i->name);
	struct buf b = { 0 }, url = { 0 };

	buf_printf(&url, "/api/v1/certs/%s", i->name);
	http_set(i->c->rq, created ? "Location" : "Content-Location", buf_text(&url));
	buf_fini(&url);
	if (row != NULL)
		snapshot_export_row(r->now, object_of(KIND_cert), row, &b);
	reply_json(i->c, created ? 201 : 200, &b);
}

static void
save(struct import *i)
{
	struct commit_result r = { 0 };
	struct snapshot *s = NULL;
	struct err err = { 0 };
	struct doc d;
	bool created = false;
	int rc = store_snapshot(daemon_store(i->c->w->d), &s, &err);

	doc_init(&d);
	if (rc == 0) {
		created = snapshot_find_path(s, KIND_cert, i->name) == NULL;
		rc = build(i, s, &d, &err);
	}
	if (rc == 0)
		rc = commit_doc(i->c, &d, &i->how, &r, &err);
	if (rc != 0) {
		reply_error(i->c, 0, &err);
	} else {
		api_committed(i->c, &i->how, &r);
		if (i->how.dry_run)
			api_dry(i->c, &r);
		else
			answer(i, &r, created);
	}
	doc_fini(&d);
	commit_result_fini(&r);
	snapshot_unref(s);
}

/* ---- the key ---------------------------------------------------------------------------------------------------- */

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct import *i = arg;

	if (row->number == MSG_KEY_IS && m->key_is.name.len == X509_HEX - 1 &&
	    memcmp(m->key_is.name.p, i->got.name, X509_HEX - 1) == 0)
		i->found = true;
}

static void
on_end(void *arg, int code, const char *text)
{
	struct import *i = arg;
	struct call *c = i->c;
	struct err err = { 0 };

	if (code != 0)
		reply_fail(c, 503, "lbd-proxy: %s", text);
	else if (!i->found) {
		(void)err_field(&err, ERR_INVALID, NULL, "key",
		    "is neither in the file nor with lbd-proxy; the certificate's is %s",
		    i->got.name);
		reply_error(c, 0, &err);
	} else {
		save(i);
	}
	import_free(i);
	call_free(c);
}

/* To lbd-proxy, or whether it is there. 0 or ERR_AWAY. */
static int
ask_proxy(struct import *i)
{
	const struct msg_keys_ask all = { .name = { .len = 0 } };
	struct msg_key_put put = { 0 };
	struct buf pem = { 0 };
	int rc;

	if (i->got.key == NULL || i->how.dry_run)
		return follow_ask(i->c->w->follow, "lbd-proxy", MSG_KEYS, &all, on_row, on_end, i);
	x509_key_write(i->got.key, &pem);
	put.key = (struct span){ pem.p, pem.len };
	rc = follow_ask(i->c->w->follow, "lbd-proxy", MSG_KEY_PUT, &put, on_row, on_end, i);
	x509_wipe(&pem);
	return rc;
}

void
api_cert_import(struct call *c)
{
	struct import *i = mem_alloc(sizeof(*i));
	struct err err = { 0 };

	i->c = c;
	if (!api_body_is(c, api_json_types) || !api_how(c, &i->how)) {
		import_free(i);
		return;
	}
	if (read_body(i, &err) != 0) {
		reply_error(c, 0, &err);
		import_free(i);
		return;
	}
	i->found = i->how.dry_run && i->got.key != NULL;
	if (ask_proxy(i) != 0) {
		reply_fail(c, 503, "lbd-proxy does not run, and private keys are with it");
		import_free(i);
		return;
	}
	c->later = true;
	http_later(c->rq);
}
