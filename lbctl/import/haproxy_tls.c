/* Certificates and authorities that the configuration names, as rows of ours.
 *
 * A file is read as lbctl cert import reads it: its chain is put in order and goes into the YAML with the name of its
 * key. The private key itself never does; the report says how it is brought to lbd-proxy. What cannot be read is said,
 * with the file to bring. */
#include "import/haproxy.h"

#include "store/x509.h"

#include <stdio.h>
#include <string.h>

/* What was read of one path; rows NULL: nothing. */
struct held {
	struct import_row *row;
	bool said;
};
struct reading {
	struct hap *h;
	struct place at;
	const char *path;
	struct hap_file ***last; /* of a folder: where each of its files goes */
	struct held *out;
};

static const char *
full_path(struct hap *h, const char *base, const char *path)
{
	struct buf b = { 0 };
	const char *text;

	if (base == NULL || path[0] == '/')
		return path;
	buf_printf(&b, "%s/%s", base, path);
	text = arena_text(h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return text;
}

void
hap_base_name(const char *path, struct buf *out)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path, *dot;
	char text[64];

	dot = strrchr(name, '.');
	(void)snprintf(text, sizeof(text), "%.*s",
	    dot != NULL && dot > name ? (int)(dot - name) : (int)strlen(name), name);
	name_clean(text, 60, out);
}

static int
each_of(struct hap *h, const char *path, import_each_fn fn, void *arg, struct err *err)
{
	if (h->im->include == NULL)
		return err_set(err, ERR_UNKNOWN, "%s: no such file", path);
	return h->im->include(h->im->include_arg, path, NULL, fn, arg, err);
}

/* ---- certificates ------------------------------------------------------------------------------------------------ */

static int
take_cert(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	struct reading *r = arg;
	struct x509_import i = { 0 };
	struct import_row *row;
	struct buf name = { 0 };
	char beside[300];
	int rc = x509_import(text, len, NULL, 0, NULL, &i, err);

	if (rc != 0)
		return rc == ERR_DENIED ? err_set(err, ERR_INVALID, "%s: is encrypted", file) : rc;
	(void)snprintf(beside, sizeof(beside), "%s.key", file);
	row = import_extra_new(r->h->im, KIND_cert, r->at);
	rc = import_put(r->h->im, row, "chain", buf_text(&i.chain), err);
	if (rc == 0) {
		import_putf(r->h->im, row, "key", "%s", i.name);
		hap_base_name(file, &name);
		import_name(r->h->im, row, "cert ", buf_text(&name));
		buf_fini(&name);
		r->out->row = row;
		import_say(r->h->im, r->at, TAKEN_OTHERWISE, file,
		    "cert %s: its chain is in the YAML, its private key is not: lbctl cert import %s%s%s --name %s",
		    row->name, file, i.key == NULL ? " --key " : "", i.key == NULL ? beside : "",
		    row->name);
	}
	x509_import_fini(&i);
	return rc;
}

/* The row of a certificate in a file; NULL: it cannot be read, which was said. */
static struct import_row *
cert_of(struct hap *h, struct place at, const char *path)
{
	struct held *c = textmap_get(&h->certs, path);
	struct reading r = { .h = h, .at = at, .path = path };
	struct err err = { 0 };

	if (c != NULL)
		return c->row;
	c = arena_alloc(h->im->a, sizeof(*c));
	(void)textmap_put(&h->certs, path, c);
	r.out = c;
	if (each_of(h, path, take_cert, &r, &err) != 0 || c->row == NULL)
		import_say(h->im, at, NOT_TAKEN, path,
		    "cert: bring this file, with its chain and key, and import again, or lbctl cert import it%s%s",
		    err.text[0] != '\0' ? ": " : "", err.text);
	return c->row;
}

static void
add_file(struct hap *h, struct hap_bind *b, const char *path, const char *hosts)
{
	struct hap_file *f = arena_alloc(h->im->a, sizeof(*f)), **last = &b->certs;

	*f = (struct hap_file){ .path = path, .hosts = hosts };
	while (*last != NULL)
		last = &(*last)->next;
	*last = f;
}

struct folder {
	struct hap *h;
	struct hap_bind *b;
	unsigned n;
};

static int
take_folder(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	struct folder *f = arg;
	size_t n = strlen(file);

	(void)text;
	(void)len;
	(void)err;
	if (n > 4 && (strcmp(file + n - 4, ".key") == 0 || strcmp(file + n - 5, ".ocsp") == 0 ||
			 strcmp(file + n - 5, ".sctl") == 0))
		return 0;
	add_file(f->h, f->b, arena_text(f->h->im->a, file, n), "");
	f->n++;
	return 0;
}

void
hap_crt(struct hap *h, struct hap_bind *b, const struct hap_line *l, const char *path)
{
	const char *full = full_path(h, h->crt_base, path);
	struct folder f = { h, b, 0 };
	struct buf pattern = { 0 };
	size_t n = strlen(full);

	(void)l;
	buf_printf(&pattern, "%s%s*", full, n > 0 && full[n - 1] == '/' ? "" : "/");
	if (each_of(h, buf_text(&pattern), take_folder, &f, NULL) != 0 || f.n == 0)
		add_file(h, b, full, "");
	buf_fini(&pattern);
}

/* A line of a list: "FILE [OPTIONS] HOST...". */
static void
take_list_line(struct folder *f, struct place at, const char *text, size_t len)
{
	struct hap_line l;
	struct buf hosts = { 0 };
	unsigned i = 1;

	if (hap_words(f->h->im, at, text, len, &l, NULL) != 0 || l.n == 0)
		return;
	if (l.w[1][0] == '[') {
		while (i < l.n && strchr(l.w[i], ']') == NULL)
			i++;
		i++;
		import_say(f->h->im, at, NOT_TAKEN, l.what,
		    "settings of one certificate: those of the whole tls count");
	}
	for (; i < l.n; i++)
		if (l.w[i][0] != '!')
			buf_printf(&hosts, "%s%s", hosts.len > 0 ? "," : "", l.w[i]);
		else
			import_say(f->h->im, at, NOT_TAKEN, l.w[i], "sni.hosts: no exceptions");
	add_file(f->h, f->b, full_path(f->h, f->h->crt_base, l.w[0]),
	    arena_text(f->h->im->a, buf_text(&hosts), hosts.len));
	buf_fini(&hosts);
	f->n++;
}

static int
take_list(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	struct folder *f = arg;
	struct place at = { arena_text(f->h->im->a, file, strlen(file)), 0 };

	(void)err;
	for (const char *p = text, *end = text + len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);

		at.line++;
		take_list_line(f, at, p, n);
		p += n + (nl != NULL);
	}
	return 0;
}

void
hap_crt_list(struct hap *h, struct hap_bind *b, const struct hap_line *l, const char *path)
{
	const char *full = full_path(h, h->crt_base, path);
	struct folder f = { h, b, 0 };

	if (each_of(h, full, take_list, &f, NULL) != 0 || f.n == 0)
		import_say(h->im, l->at, NOT_TAKEN, full,
		    "bring this list, with the certificates that it names, and import again");
}

/* ---- authorities -------------------------------------------------------------------------------------------------- */

struct pem_text {
	struct hap *h;
	struct import_row *row;
	const char *field;
};

static int
take_pem(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	struct pem_text *p = arg;

	(void)file;
	(void)len;
	return import_put(p->h->im, p->row, p->field, text, err);
}

static bool
read_pem(
    struct hap *h, struct place at, struct import_row *row, const char *field, const char *path)
{
	struct pem_text p = { h, row, field };
	struct err err = { 0 };

	if (each_of(h, path, take_pem, &p, &err) == 0 && import_value(row, field) != NULL)
		return true;
	import_say(h->im, at, NOT_TAKEN, path, "ca.%s: bring this file, and import again%s%s",
	    field, err.text[0] != '\0' ? ": " : "", err.text);
	return false;
}

const char *
hap_ca_of(struct hap *h, struct place at, const char *ca, const char *crl)
{
	struct import_row *row, made = { .o = object_of(KIND_ca), .at = at };
	const char *path = full_path(h, h->ca_base, ca);
	struct buf key = { 0 }, name = { 0 };
	struct held *c;

	buf_printf(&key, "%s %s", path, crl != NULL ? crl : "");
	c = textmap_get(&h->cas, buf_text(&key));
	if (c == NULL) {
		c = arena_alloc(h->im->a, sizeof(*c));
		(void)textmap_put(&h->cas, arena_text(h->im->a, buf_text(&key), key.len), c);
		if (read_pem(h, at, &made, "certs", path) &&
		    (crl == NULL || read_pem(h, at, &made, "crl", full_path(h, h->ca_base, crl)))) {
			row = import_extra_new(h->im, KIND_ca, at);
			*row = made;
			hap_base_name(path, &name);
			import_name(h->im, row, "ca ", buf_text(&name));
			buf_fini(&name);
			c->row = row;
			import_say(h->im, at, TAKEN, path, "ca %s", row->name);
		}
	}
	buf_fini(&key);
	return c->row != NULL ? c->row->name : NULL;
}

/* ---- settings ------------------------------------------------------------------------------------------------------ */

/* Equal settings are one row. */
static struct import_row *
intern(struct hap *h, struct import_row *made, struct hap_file *certs, const char *wanted,
    struct place at)
{
	struct buf key = { 0 };
	struct import_row *row, *kid;

	for (unsigned i = 0; i < made->o->n; i++)
		if (made->text[i] != NULL)
			buf_printf(&key, "%u=%s\n", i, made->text[i]);
	for (const struct hap_file *f = certs; f != NULL; f = f->next)
		buf_printf(&key, "%s %s\n", f->path, f->hosts);
	row = textmap_get(&h->tls_by_text, buf_text(&key));
	if (row == NULL) {
		row = import_extra_new(h->im, KIND_tls, at);
		*row = *made;
		import_name(h->im, row, "tls ", wanted);
		(void)textmap_put(
		    &h->tls_by_text, arena_text(h->im->a, buf_text(&key), key.len), row);
		for (const struct hap_file *f = certs->next; f != NULL; f = f->next) {
			const struct import_row *cert = cert_of(h, at, f->path);

			if (cert == NULL)
				continue;
			kid = import_kid_new(h->im, row, KIND_sni, at);
			*import_text(kid, "cert") = cert->name;
			if (f->hosts[0] != '\0')
				(void)import_put(h->im, kid, "hosts", f->hosts, NULL);
			import_kid_name(h->im, kid, row, cert->name);
		}
	}
	buf_fini(&key);
	return row;
}

struct import_row *
hap_tls_of(struct hap *h, const struct hap_bind *b, const char *wanted)
{
	struct import_row made = b->tls;
	struct hap_file *certs = b->certs;
	const struct import_row *cert = NULL;
	const char *auth, *ca, *profile = import_value(&made, "profile");

	if (profile != NULL && strcmp(profile, "modern") == 0)
		*import_text(&made, "ciphers") = NULL; /* they are those of TLS 1.2 */
	while (certs != NULL && (cert = cert_of(h, b->at, certs->path)) == NULL)
		certs = certs->next;
	if (cert == NULL)
		return NULL;
	*import_text(&made, "cert") = cert->name;
	auth = import_value(&made, "client_auth");
	if (auth != NULL && strcmp(auth, "off") != 0) {
		ca = b->ca != NULL ? hap_ca_of(h, b->at, b->ca, b->crl) : NULL;
		if (ca == NULL)
			return NULL;
		*import_text(&made, "client_ca") = ca;
	}
	return intern(h, &made, certs, wanted, b->at);
}
