/* From rows to contexts.
 *
 * What a context is made of is hashed: names, texts, settings, which keys. While the hash is the same the context is. Two
 * services with the same TLS settings share one, unless one speaks HTTP and the other does not. */
#include "tls_rows.h"

#include "base/mem.h"
#include "base/must.h"

#include "hash.h"
#include "tls_ctx.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

struct made {
	uint64_t of; /* hash of all it was made of */
	struct tls_ctx *ctx;
};
struct tls_rows {
	tls_key_fn key;
	void *arg;
	struct made *made;
	unsigned n;
};

struct tls_rows *
tls_rows_new(tls_key_fn key, void *arg)
{
	struct tls_rows *r = mem_alloc(sizeof(*r));

	r->key = key;
	r->arg = arg;
	return r;
}

void
tls_rows_free(struct tls_rows *r)
{
	unsigned i;

	if (r == NULL)
		return;
	for (i = 0; i < r->n; i++)
		tls_ctx_unref(r->made[i].ctx);
	free(r->made);
	free(r);
}

bool
tls_rows_touch(unsigned kind)
{
	return kind == KIND_cert || kind == KIND_ca || kind == KIND_tls || kind == KIND_sni;
}

static uint64_t
mix(uint64_t h, const char *text)
{
	return hash64(text, strlen(text) + 1, h);
}

static uint64_t
mix_number(uint64_t h, uint64_t n)
{
	return hash64(&n, sizeof(n), h);
}

static struct tls_ctx *
known(const struct tls_rows *r, uint64_t of)
{
	unsigned i;

	for (i = 0; i < r->n; i++)
		if (r->made[i].of == of)
			return tls_ctx_ref(r->made[i].ctx);
	return NULL;
}

/* Contexts that only this table has any more are of no use. */
static void
sweep(struct tls_rows *r)
{
	unsigned i, kept = 0;

	for (i = 0; i < r->n; i++) {
		if (tls_ctx_is_last(r->made[i].ctx))
			tls_ctx_unref(r->made[i].ctx);
		else
			r->made[kept++] = r->made[i];
	}
	r->n = kept;
}

static struct tls_ctx *
keep(struct tls_rows *r, uint64_t of, struct tls_ctx *ctx)
{
	if (ctx == NULL)
		return NULL;
	sweep(r);
	r->made = mem_grow(r->made, (r->n + 1) * sizeof(r->made[0]));
	r->made[r->n++] = (struct made){ of, tls_ctx_ref(ctx) };
	return ctx;
}

/* The certificates of TLS settings: the default one, then those by name. */
struct certs {
	const struct cert **row;
	const char **hosts;
	unsigned n;
};

static void
certs_of(const struct snapshot *s, const struct tls *t, struct certs *out)
{
	const void *const *child;
	uint32_t i, n;

	child = snapshot_children(s, KIND_sni, t->id, &n);
	*out = (struct certs){
		.row = mem_alloc((n + 1) * sizeof(const struct cert *)),
		.hosts = mem_alloc((n + 1) * sizeof(const char *)),
	};
	out->row[0] = snapshot_find(s, KIND_cert, t->cert);
	out->hosts[0] = "";
	must(out->row[0] !=
	     NULL); /* the whole check of the store: who uses settings has a certificate */
	for (i = 0; i < n; i++) {
		const struct sni *x = child[i];

		out->row[i + 1] = snapshot_find(s, KIND_cert, x->cert);
		out->hosts[i + 1] = x->hosts;
		must(out->row[i + 1] != NULL);
	}
	out->n = n + 1;
}

static void
certs_fini(struct certs *c)
{
	free(c->row);
	free(c->hosts);
}

/* Keys of all of them; the number of those found is in *n_out. */
static int
keys_of(const struct tls_rows *r, const struct certs *c, struct tls_identity *id, unsigned *n_out,
    struct err *err)
{
	unsigned i;

	for (*n_out = 0, i = 0; i < c->n; i++) {
		id[i] = (struct tls_identity){
			.name = c->row[i]->name,
			.chain = c->row[i]->chain,
			.key = r->key(r->arg, c->row[i]->key),
			.hosts = c->hosts[i],
		};
		if (id[i].key == NULL)
			return err_field(err, ERR_AWAY, NULL, NULL,
			    "cert %s: key: the private key %.12s is not on this node",
			    c->row[i]->name, c->row[i]->key);
		(*n_out)++;
	}
	return 0;
}

static struct tls_ctx *
make_front(struct tls_rows *r, const struct tls_front *f, const struct certs *c, uint64_t of,
    struct err *err)
{
	struct tls_identity *id = mem_alloc(c->n * sizeof(*id));
	struct tls_front with = *f;
	struct tls_ctx *x = NULL;
	unsigned i, n;

	with.id = id;
	with.n = c->n;
	if (keys_of(r, c, id, &n, err) == 0)
		x = keep(r, of, tls_front_new(&with, err));
	for (i = 0; i < n; i++)
		EVP_PKEY_free(id[i].key);
	free(id);
	return x;
}

static struct tls_ctx *
front_of(struct tls_rows *r, const struct snapshot *s, const struct service *row, struct err *err)
{
	const struct tls *t = snapshot_find(s, KIND_tls, row->tls);
	const struct ca *ca = snapshot_find(s, KIND_ca, t->client_ca);
	struct tls_front f = {
		.name = t->name,
		.strict = t->strict,
		.tls12 = t->profile == tls_profile_intermediate,
		.http = row->mode == mode_http,
		.http2 = row->mode == mode_http && row->http2,
		.http3 = row->mode == mode_http && row->http3,
		.tickets = t->tickets,
		.stapling = t->stapling,
		.detach = row->tls_detach,
		.session_s = t->session_timeout,
		.ciphers = t->ciphers,
		.curves = t->curves,
		.auth = (enum tls_client_auth)t->client_auth,
		.ca = ca != NULL ? ca->certs : "",
		.crl = ca != NULL ? ca->crl : "",
	};
	uint64_t of = mix_number(1, t->id);
	struct tls_ctx *x;
	struct certs c;
	unsigned i;

	certs_of(s, t, &c);
	of = mix(mix(mix(of, f.name), f.ciphers), f.curves);
	of = mix(mix(of, f.ca), f.crl);
	of = mix_number(of, (uint64_t)f.strict | (uint64_t)f.tls12 << 1 | (uint64_t)f.http << 2 |
				(uint64_t)f.tickets << 3 | (uint64_t)f.http2 << 4 |
				(uint64_t)f.stapling << 5 | (uint64_t)f.detach << 6 |
				(uint64_t)f.http3 << 7 | (uint64_t)f.auth << 8 |
				(uint64_t)f.session_s << 32);
	for (i = 0; i < c.n; i++)
		of = mix(
		    mix(mix(mix(of, c.row[i]->name), c.row[i]->chain), c.row[i]->key), c.hosts[i]);
	x = known(r, of);
	if (x == NULL)
		x = make_front(r, &f, &c, of, err);
	certs_fini(&c);
	return x;
}

static struct tls_ctx *
back_of(struct tls_rows *r, const struct snapshot *s, const struct service *row, struct err *err)
{
	const struct ca *ca = snapshot_find(s, KIND_ca, row->server_ca);
	struct tls_back b = {
		.name = row->name,
		.verify = row->server_tls == server_tls_verify,
		.ca = ca != NULL ? ca->certs : "",
	};
	uint64_t of = mix(mix(mix_number(2, b.verify), b.ca), row->server_name);
	struct tls_ctx *x = known(r, of);

	return x != NULL ? x : keep(r, of, tls_back_new(&b, err));
}

int
tls_rows_of(struct tls_rows *r, const struct snapshot *s, const struct service *row,
    struct tls_ctx **front, struct tls_ctx **back, struct err *err)
{
	struct tls_ctx *f = NULL, *b = NULL;

	*err = (struct err){ 0 };
	if (row->tls != 0 && (f = front_of(r, s, row, err)) == NULL)
		return err->code;
	if (row->server_tls != server_tls_off && (b = back_of(r, s, row, err)) == NULL) {
		tls_ctx_unref(f);
		return err->code;
	}
	*front = f;
	*back = b;
	return 0;
}
