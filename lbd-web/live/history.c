/* A ring of samples per service, all with the same hand, so that one index means one time everywhere. A service gets
 * its ring with its first connection: ten thousand idle services cost nothing. What is kept is the difference to
 * the sample before; counters that went back to zero (a restart of the proxy, a flush) count from zero again.
 * Nothing is written to disk: a restart of lbd-web begins a new hour. */
#include "history.h"
#include "base/mem.h"

#include <string.h>
#include <sys/sysinfo.h>

struct line {
	uint32_t id;
	bool primed;
	uint64_t conns_total, requests_total, bytes_in, bytes_out; /* at the sample before */
	struct sample *ring;					   /* NULL: nothing happened yet */
};
struct history {
	struct line *lines; /* by rising id */
	uint32_t n, rings;
	unsigned hand, depth; /* the newest sample is at hand */
	int64_t at;
	struct node_sample node[HISTORY_SAMPLES];
};

struct history *
history_new(void)
{
	return mem_alloc(sizeof(struct history));
}

void
history_free(struct history *h)
{
	if (h == NULL)
		return;
	for (uint32_t i = 0; i < h->n; i++)
		free(h->lines[i].ring);
	free(h->lines);
	free(h);
}

static void
drop(struct history *h, struct line *l)
{
	h->rings -= l->ring != NULL;
	FREE(l->ring);
}

void
history_use(struct history *h, const struct snapshot *s)
{
	uint32_t n = snapshot_count(s, KIND_service), old = 0;
	struct line *a = mem_alloc((n + 1) * sizeof(*a));

	for (uint32_t i = 0; i < n; i++) {
		const struct service *row = snapshot_at(s, KIND_service, i);

		a[i].id = row->id;
		while (old < h->n && h->lines[old].id < row->id)
			drop(h, &h->lines[old++]);
		if (old < h->n && h->lines[old].id == row->id)
			a[i] = h->lines[old++];
	}
	while (old < h->n)
		drop(h, &h->lines[old++]);
	free(h->lines);
	h->lines = a;
	h->n = n;
}

static uint64_t
since(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

static struct sample
step(struct line *l, const struct service_counters *c)
{
	struct sample s = { 0 };

	s.conns = (uint32_t)c->conns;
	if (l->primed) {
		s.new_conns = (uint32_t)since(c->conns_total, l->conns_total);
		s.requests = (uint32_t)since(c->requests_total, l->requests_total);
		s.bytes_in = since(c->bytes_in, l->bytes_in);
		s.bytes_out = since(c->bytes_out, l->bytes_out);
	}
	l->primed = true;
	l->conns_total = c->conns_total;
	l->requests_total = c->requests_total;
	l->bytes_in = c->bytes_in;
	l->bytes_out = c->bytes_out;
	return s;
}

static bool
silent(const struct sample *s)
{
	return s->conns == 0 && s->new_conns == 0 && s->bytes_in == 0 && s->bytes_out == 0;
}

static void
node_load(struct node_sample *n)
{
	struct sysinfo si;

	if (sysinfo(&si) != 0)
		return;
	n->load = (float)si.loads[0] / (1 << SI_LOAD_SHIFT);
	n->memory =
	    si.totalram > 0 ? 1 - (float)(si.freeram + si.bufferram) / (float)si.totalram : 0;
}

void
history_take(struct history *h, const struct view *v, int64_t wall_s)
{
	struct node_sample *node;

	h->hand = (h->hand + 1) % HISTORY_SAMPLES;
	h->depth += h->depth < HISTORY_SAMPLES;
	h->at = wall_s;
	node = &h->node[h->hand];
	*node = (struct node_sample){ 0 };
	for (uint32_t i = 0; i < h->n; i++) {
		struct line *l = &h->lines[i];
		const struct view_service *now = view_service(v, l->id);
		struct sample s = { 0 };

		if (now != NULL && now->counted)
			s = step(l, &now->counts);
		if (l->ring == NULL && !silent(&s) && h->rings < HISTORY_SERVICES_MAX) {
			l->ring = mem_alloc(HISTORY_SAMPLES * sizeof(*l->ring));
			h->rings++;
		}
		if (l->ring != NULL)
			l->ring[h->hand] = s;
		node->sum.conns += s.conns;
		node->sum.new_conns += s.new_conns;
		node->sum.requests += s.requests;
		node->sum.bytes_in += s.bytes_in;
		node->sum.bytes_out += s.bytes_out;
	}
	node_load(node);
}

static const struct line *
find(const struct history *h, uint32_t id)
{
	uint32_t lo = 0, hi = h->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (h->lines[mid].id == id)
			return &h->lines[mid];
		if (h->lines[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static unsigned
slot(const struct history *h, unsigned ago)
{
	return (h->hand + HISTORY_SAMPLES - ago) % HISTORY_SAMPLES;
}

const struct sample *
history_get(const struct history *h, uint32_t service, unsigned ago)
{
	static const struct sample zero;
	const struct line *l = find(h, service);

	if (l == NULL || ago >= h->depth)
		return NULL;
	return l->ring != NULL ? &l->ring[slot(h, ago)] : &zero;
}

const struct node_sample *
history_node(const struct history *h, unsigned ago)
{
	return ago < h->depth ? &h->node[slot(h, ago)] : NULL;
}

unsigned
history_depth(const struct history *h)
{
	return h->depth;
}

int64_t
history_newest(const struct history *h)
{
	return h->at;
}

bool
history_points(const struct history *h, uint32_t service, float out[HISTORY_POINTS])
{
	const unsigned each = HISTORY_SAMPLES / HISTORY_POINTS;

	if (h->depth == 0 || find(h, service) == NULL)
		return false;
	for (unsigned p = 0; p < HISTORY_POINTS; p++) {
		double sum = 0;

		for (unsigned i = 0; i < each; i++) {
			const struct sample *s =
			    history_get(h, service, HISTORY_SAMPLES - 1 - (p * each + i));

			sum += s != NULL ? (double)s->bytes_out : 0;
		}
		out[p] = (float)(sum / (each * HISTORY_STEP_S));
	}
	return true;
}

/* ---- the answer for lbctl: totals again, reckoned back from what the counters are now ---- */

struct answer {
	const struct history *h;
	uint32_t service, at_line, left; /* 0 service: all */
	unsigned ago;
	bool in_line;
	struct service_counters c;
};

static void
back(struct service_counters *c, const struct sample *s)
{
	c->conns_total -= s->new_conns < c->conns_total ? s->new_conns : c->conns_total;
	c->requests_total -= s->requests < c->requests_total ? s->requests : c->requests_total;
	c->bytes_in -= s->bytes_in < c->bytes_in ? s->bytes_in : c->bytes_in;
	c->bytes_out -= s->bytes_out < c->bytes_out ? s->bytes_out : c->bytes_out;
}

static void
first_of_line(struct answer *a, const struct line *l)
{
	a->in_line = true;
	a->ago = 0;
	a->c = (struct service_counters){ 0 };
	a->c.conns_total = l->conns_total;
	a->c.requests_total = l->requests_total;
	a->c.bytes_in = l->bytes_in;
	a->c.bytes_out = l->bytes_out;
}

static bool
answer_step(void *state, const struct bus_request *rq)
{
	struct answer *a = state;
	struct buf blob = { 0 };
	bool more = true;

	while (a->at_line < a->h->n && a->left > 0 && more) {
		const struct line *l = &a->h->lines[a->at_line];
		const struct sample *s;
		struct msg_sample m;

		if ((a->service != 0 && l->id != a->service) || l->ring == NULL ||
		    a->ago >= a->h->depth) {
			a->at_line++;
			a->in_line = false;
			a->ago = 0;
			continue;
		}
		if (!a->in_line)
			first_of_line(a, l);
		s = &l->ring[slot(a->h, a->ago)];
		a->c.conns = s->conns;
		blob.len = 0;
		counters_put(service_counters, service_counters_n, &a->c, &blob);
		m = (struct msg_sample){ .service = l->id,
			.at = a->h->at - (int64_t)a->ago * HISTORY_STEP_S };
		m.values = (struct span){ blob.p, blob.len };
		more = bus_reply(rq, MSG_SAMPLE, &m);
		back(&a->c, s);
		a->ago++;
		a->left--;
	}
	buf_fini(&blob);
	return a->at_line >= a->h->n || a->left == 0;
}

void
history_answer(const struct history *h, const struct view *v, const struct bus_request *rq,
    const struct msg_select *m)
{
	struct answer *a = mem_alloc(sizeof(*a));

	(void)v;
	a->h = h;
	a->service = m->service;
	a->left = m->most != 0 ? m->most : UINT32_MAX;
	bus_pump(rq, answer_step, free, a);
}
