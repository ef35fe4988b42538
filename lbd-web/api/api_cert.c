/* POST /api/v1/certs/import: a certificate with its key, as an authority or another machine gave it. The same as lbctl cert
 * import: the key goes to lbd-proxy first, then the chain into the configuration. What held the key or the password is
 * wiped. */
#include "api.h"
#include "cert_save.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_ROOM 200

struct import {
	struct cert_saving s; /* first: what done gets is this */
	struct buf file, key; /* decoded */
	char password[PASSWORD_ROOM];
	bool has_password, has_key;
};

static void
import_free(struct import *i)
{
	x509_wipe(&i->file);
	x509_wipe(&i->key);
	x509_import_fini(&i->s.got);
	explicit_bzero(i->password, sizeof(i->password));
	free(i);
}

/* ---- the body --------------------------------------------------------------------------------------------------- */

static int
on_member(void *arg, const struct json_member *m)
{
	struct import *i = arg;

	if (m->type != JSON_T_STRING)
		return ERR_INVALID;
	if (strcmp(m->name, "file") == 0)
		return base64_parse(m->text, &i->file);
	if (strcmp(m->name, "key") == 0) {
		i->has_key = true;
		return base64_parse(m->text, &i->key);
	}
	if (strcmp(m->name, "name") == 0)
		return json_text(m, i->s.name, sizeof(i->s.name));
	if (strcmp(m->name, "password") == 0) {
		i->has_password = true;
		return json_text(m, i->password, sizeof(i->password));
	}
	return ERR_INVALID;
}

static int
read_body(struct import *i, struct err *err)
{
	struct buf *body = &i->s.c->rq->body;
	int rc = json_scan((const char *)body->p, body->len, on_member, i, err);

	if (body->p != NULL)
		explicit_bzero(body->p, body->len);
	if (rc != 0 && rc != ERR_USAGE)
		rc = err_set(err, ERR_INVALID,
		    "allowed are the texts name, file, key and password; file and key are base64");
	if (rc == 0 && (i->s.name[0] == '\0' || i->file.len == 0))
		rc = err_field(
		    err, ERR_INVALID, NULL, i->s.name[0] == '\0' ? "name" : "file", "is required");
	if (rc == 0)
		rc = cert_check_name(i->s.name, err);
	if (rc == 0)
		rc = x509_import(i->file.p, i->file.len, i->has_key ? i->key.p : NULL, i->key.len,
		    i->has_password ? i->password : NULL, &i->s.got, err);
	if (rc == ERR_DENIED) /* not the user, the file */
		err->code = rc = ERR_INVALID;
	x509_wipe(&i->file);
	x509_wipe(&i->key);
	return rc;
}

/* ---- the commit ------------------------------------------------------------------------------------------------- */

static void
answer(struct import *i, struct commit_result *r, bool created)
{
	const void *row = snapshot_find_path(r->now, KIND_cert, i->s.name);
	struct buf b = { 0 }, url = { 0 };

	buf_printf(&url, "/api/v1/certs/%s", i->s.name);
	http_set(i->s.c->rq, created ? "Location" : "Content-Location", buf_text(&url));
	buf_fini(&url);
	if (row != NULL)
		snapshot_export_row(r->now, object_of(KIND_cert), row, &b);
	reply_json(i->s.c, created ? 201 : 200, &b);
}

static void
done(struct cert_saving *s, int rc, const struct err *err, struct commit_result *r, bool created)
{
	struct import *i = (struct import *)s;

	if (rc != 0) {
		reply_error(s->c, 0, err);
	} else {
		api_committed(s->c, &s->how, r);
		if (s->how.dry_run)
			api_dry(s->c, r);
		else
			answer(i, r, created);
	}
	import_free(i);
}

void
api_cert_import(struct call *c)
{
	struct import *i = mem_alloc(sizeof(*i));
	struct err err = { 0 };

	i->s.c = c;
	if (!api_body_is(c, api_json_types) || !api_how(c, &i->s.how)) {
		import_free(i);
		return;
	}
	if (read_body(i, &err) != 0) {
		reply_error(c, 0, &err);
		import_free(i);
		return;
	}
	i->s.done = done;
	if (cert_save(&i->s, &err) != 0) {
		reply_error(c, 0, &err);
		import_free(i);
	}
}
