/* Meters of rules: from conditions to counts. A key is a hash of what the meter is and of the text or address it counts by, so
 * the same meter goes on counting where it was when the rules of a service are edited. */
#include "meters.h"

#include "base/must.h"
#include "hash.h"

#include "net/conn.h"
#include "rules/subject.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define KEY_LOWER \
	256 /* bytes of a text without case that are compared so; names of hosts are shorter */

struct metered {
	struct rates *table; /* reference */
	uint16_t n;
	struct late {
		struct rates_key key;
		uint64_t meter, limit;
		dur_t window;
		uint8_t what, kind;
		uint8_t n; /* of seen */
		char seen[RATES_SHOWN + 1];
	} of[];
};

/* ---- seeds ---------------------------------------------------------------------------------------------------------- */

static _Atomic uint64_t agreed; /* 0: nothing yet */

void
meters_agree(uint64_t seed)
{
	atomic_store(&agreed, seed);
}

uint64_t
meters_seed(uint32_t service)
{
	uint64_t seed = atomic_load(&agreed);

	if (seed != 0)
		return hash64(&service, sizeof(service), seed);
	must(getrandom(&seed, sizeof(seed), 0) == sizeof(seed));
	return seed;
}

/* ---- compiling ----------------------------------------------------------------------------------------------------- */

static uint64_t
id_of(const struct when_meter *m)
{
	uint64_t id[2] = { (uint64_t)m->what << 56 | (uint64_t)m->source << 48 |
			       (uint64_t)m->bits4 << 40 | (uint64_t)m->bits6 << 32 | m->window_ms,
		m->name != NULL ? hash64(m->name, m->name_len, 1) : 0 };

	return hash64(id, sizeof(id), 2);
}

bool
meters_add(struct meters *x, struct when_meter *m, struct rates *table)
{
	unsigned i;

	for (i = 0; i < x->n && !rule_meter_same(&x->of[i], m); i++)
		;
	if (i == METERS_OF_SERVICE)
		return false;
	m->slot = (uint8_t)i;
	if (i < x->n)
		return true;
	if (x->table == NULL)
		x->table = rates_ref(table);
	x->of[i] = *m;
	x->id[i] = id_of(m);
	x->n++;
	switch (m->what) {
	case METER_ERRORS:
	case METER_BYTES_IN:
	case METER_BYTES_OUT: x->late |= (uint16_t)(1u << i); break;
	case METER_CONNECTIONS:
	case METER_CONNS: x->conn |= (uint16_t)(1u << i); break;
	default: break;
	}
	return true;
}

void
meters_limit(struct meters *x, const struct when_meter *m, uint64_t n)
{
	uint64_t *limit = &x->limit[m->slot];

	if (m->what != METER_CONNS && n > 0 && (*limit == 0 || n < *limit))
		*limit = n;
}

void
meters_fini(struct meters *x)
{
	rates_unref(x->table);
	*x = (struct meters){ 0 };
}

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

static void
key_addr(const struct meters *x, unsigned i, const struct addr *a, struct rates_key *out,
    struct rates_seen *seen)
{
	unsigned bits = a->family == 4 ? x->of[i].bits4 : x->of[i].bits6;
	uint8_t b[17] = { a->family };

	*seen = (struct rates_seen){ x->id[i], a->b, bits,
		a->family == 4 ? RATES_ADDR4 : RATES_ADDR6, x->limit[i] };

	memcpy(b + 1, a->b, bits / 8);
	if (bits % 8 != 0)
		b[1 + bits / 8] = (uint8_t)(a->b[bits / 8] & 0xff << (8 - bits % 8));
	rates_key(x->table, x->id[i], b, sizeof(b), out);
}

/* What a client alone should know is not shown: it may be what lets him in. */
static bool
is_secret(unsigned source)
{
	return source == WHEN_header || source == WHEN_cookie || source == WHEN_param ||
	       source == WHEN_query || source == WHEN_url || source == WHEN_asked_param ||
	       source == WHEN_asked_query || source == WHEN_asked_url;
}

static void
key_text(const struct meters *x, unsigned i, const struct when_found *f, struct rates_key *out)
{
	char low[KEY_LOWER];

	if (when_rows[x->of[i].source].type != WHEN_NOCASE || f->len > sizeof(low)) {
		rates_key(x->table, x->id[i], f->text, f->len, out);
		return;
	}
	for (uint32_t k = 0; k < f->len; k++)
		low[k] =
		    f->text[k] >= 'A' && f->text[k] <= 'Z' ? (char)(f->text[k] + 32) : f->text[k];
	rates_key(x->table, x->id[i], low, f->len, out);
}

static bool
key_of(const struct meters *x, unsigned i, struct subject *s, struct rates_key *out,
    struct rates_seen *seen)
{
	const struct when_meter *m = &x->of[i];
	struct when_found f = { 0 };

	if (m->source == WHEN_src) {
		key_addr(x, i, &s->c->addr, out, seen);
		return true;
	}
	if (!subject_get(s, m->source, m->name, m->name_len, 0, &f))
		return false;
	key_text(x, i, &f, out);
	*seen = (struct rates_seen){ .meter = x->id[i], .limit = x->limit[i] };
	if (!is_secret(m->source))
		*seen = (struct rates_seen){ x->id[i], f.text, f.len, RATES_TEXT, x->limit[i] };
	return true;
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static void
begin(const struct meters *x, struct subject *s, mono_t now, bool counts, struct metering *out)
{
	out->table = x->table;
	out->now = now;
	out->known = 0;
	out->late = x->late;
	for (unsigned i = 0; i < x->n; i++) {
		if (!key_of(x, i, s, &out->key[i], &out->seen[i]))
			continue;
		out->known |= (uint16_t)(1u << i);
		if (x->of[i].what != METER_REQUESTS)
			continue;
		out->value[i] =
		    counts ? rates_touch(x->table, &out->key[i], &out->seen[i], now,
				 DUR_MS(x->of[i].window_ms), 1)
			   : rates_get(x->table, &out->key[i], now, DUR_MS(x->of[i].window_ms)) + 1;
	}
}

void
meters_begin(const struct meters *x, struct subject *s, mono_t now, struct metering *out)
{
	begin(x, s, now, true, out);
}

void
meters_peek(const struct meters *x, struct subject *s, mono_t now, struct metering *out)
{
	begin(x, s, now, false, out);
}

bool
meters_get(const struct metering *m, const struct when_meter *of, struct when_found *out)
{
	unsigned i = of->slot;

	if (m == NULL || (m->known & 1u << i) == 0)
		return false;
	switch (of->what) {
	case METER_REQUESTS: out->number = m->value[i]; break;
	case METER_CONNS: out->number = rates_held(m->table, &m->key[i]); break;
	default:
		out->number = rates_get(m->table, &m->key[i], m->now, DUR_MS(of->window_ms));
		break;
	}
	return true;
}

static struct metered *
metered_new(struct rates *table, unsigned bits)
{
	struct metered *r =
	    bits == 0 ? NULL
		      : malloc(sizeof(*r) + (size_t)__builtin_popcount(bits) * sizeof(r->of[0]));

	if (r != NULL) {
		r->table = rates_ref(table);
		r->n = 0;
	}
	return r;
}

static void
note(struct metered *r, const struct when_meter *m, const struct rates_key *k,
    const struct rates_seen *seen)
{
	struct late *l = &r->of[r->n++];
	size_t n = seen->kind == RATES_HIDDEN ? 0
		   : seen->kind == RATES_TEXT ? seen->n
					      : (seen->n + 7) / 8;

	*l = (struct late){
		.key = *k, .meter = seen->meter, .window = DUR_MS(m->window_ms), .what = m->what
	};
	l->limit = seen->limit;
	l->kind = seen->kind;
	l->n = (uint8_t)(seen->n < sizeof(l->seen) || seen->kind != RATES_TEXT ? seen->n
									       : sizeof(l->seen));
	if (n > 0)
		memcpy(l->seen, seen->p, n < sizeof(l->seen) ? n : sizeof(l->seen));
}

struct metered *
meters_keep(const struct meters *x, const struct metering *m)
{
	unsigned bits = m->known & m->late;
	struct metered *r = metered_new(x->table, bits);

	for (unsigned i = 0; r != NULL && i < x->n; i++)
		if ((bits & 1u << i) != 0)
			note(r, &x->of[i], &m->key[i], &m->seen[i]);
	return r;
}

static void
add(struct metered *m, const struct late *l, mono_t now, uint64_t n)
{
	const struct rates_seen seen = { l->meter, l->seen, l->n, l->kind, l->limit };

	if (n > 0)
		(void)rates_touch(m->table, &l->key, &seen, now, l->window, n);
}

void
meters_end(struct metered *m, mono_t now, unsigned status, uint64_t in, uint64_t out)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct late *l = &m->of[i];

		switch (l->what) {
		case METER_ERRORS: add(m, l, now, status >= 400); break;
		case METER_BYTES_IN: add(m, l, now, in); break;
		case METER_BYTES_OUT: add(m, l, now, out); break;
		case METER_CONNS: rates_drop(m->table, &l->key); break;
		default: break;
		}
	}
	rates_unref(m->table);
	free(m);
}

/* ---- connections ----------------------------------------------------------------------------------------------------- */

struct metered *
meters_conn(const struct meters *x, const struct conn *c, bool bytes, mono_t now)
{
	unsigned bits = x->conn | (bytes ? x->late : 0u);
	struct metered *r = metered_new(x->table, bits);

	for (unsigned i = 0; r != NULL && i < x->n; i++) {
		struct rates_key key;
		struct rates_seen seen;

		if ((bits & 1u << i) == 0)
			continue;
		key_addr(x, i, &c->addr, &key, &seen); /* others are refused at the commit */
		if (x->of[i].what == METER_CONNECTIONS)
			(void)rates_touch(
			    x->table, &key, &seen, now, DUR_MS(x->of[i].window_ms), 1);
		else if (x->of[i].what == METER_CONNS)
			(void)rates_hold(x->table, &key, &seen, now);
		note(r, &x->of[i], &key, &seen);
	}
	return r;
}

void
meters_let_go(struct metered *m, mono_t now, uint64_t in, uint64_t out)
{
	meters_end(m, now, 0, in, out);
}

/* ---- lists --------------------------------------------------------------------------------------------------------- */

int
meters_find(const struct meters *x, uint64_t id)
{
	for (unsigned i = 0; i < x->n; i++)
		if (x->id[i] == id)
			return (int)i;
	return -1;
}

uint64_t
meters_value(const struct meters *x, unsigned i, const struct rates_item *item, mono_t now)
{
	return x->of[i].what == METER_CONNS
		   ? item->held
		   : rate_window_get(&item->window, now, DUR_MS(x->of[i].window_ms));
}

bool
meters_key(
    const struct meters *x, unsigned i, const char *text, uint32_t len, struct rates_key *out)
{
	const struct when_found f = { .text = text, .len = len };

	if (x->of[i].source == WHEN_src)
		return false;
	key_text(x, i, &f, out);
	return true;
}
