/* Names are collected first and told as the receiver takes them: files may come and go meanwhile. */
#include "digest_tell.h"

#include "base/mem.h"
#include "store/store.h"
#include "sys/log.h"

#include <stdlib.h>
#include <string.h>

#define YOUNG 3600 /* seconds: who put it is about to name it */

struct answer {
	bool (*put)(const struct bus_request *rq, const char *name, uint64_t age);
	struct kept {
		char name[X509_HEX];
		int64_t age;
	} * row;
	size_t n, cap, at;
};

static bool
collect(void *arg, const char *name, int64_t age)
{
	struct answer *a = arg;

	if (a->n == a->cap) {
		a->cap = a->cap > 0 ? a->cap * 2 : 64;
		a->row = mem_grow(a->row, a->cap * sizeof(*a->row));
	}
	a->row[a->n].age = age > 0 ? age : 0;
	memcpy(a->row[a->n++].name, name, X509_HEX);
	return true;
}

static bool
step(void *state, const struct bus_request *rq)
{
	struct answer *a = state;
	bool more = true;

	while (more && a->at < a->n) {
		const struct kept *r = &a->row[a->at++];

		more = a->put(rq, r->name, (uint64_t)r->age);
	}
	return a->at == a->n;
}

static void
fini(void *state)
{
	struct answer *a = state;

	free(a->row);
	free(a);
}

void
digest_tell(const struct digest_dir *k, const struct bus_request *rq,
    bool (*put)(const struct bus_request *rq, const char *name, uint64_t age))
{
	struct answer *a = mem_alloc(sizeof(*a));

	a->put = put;
	digest_dir_each(k, collect, a);
	bus_pump(rq, step, fini, a);
}

struct sweep {
	struct digest_dir *k;
	struct store *st;
	const char *what;
};

static bool
sweep_one(void *arg, const char *name, int64_t age)
{
	const struct sweep *s = arg;

	/* A store that cannot be read names everything. */
	if (age < YOUNG || s->st == NULL || store_mentions(s->st, name))
		return true;
	log_info("%s: %s is forgotten: no kept revision names it", s->what, name);
	digest_dir_forget(s->k, name);
	return true;
}

void
digest_sweep(struct digest_dir *k, struct daemon *d, const char *what)
{
	struct sweep s = { k, daemon_store(d), what };

	digest_dir_each(k, sweep_one, &s);
}
