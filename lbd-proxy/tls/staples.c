/* When responders are asked.
 *
 * Each certificate is asked for once it is in use, again when half of what its answer is good for has passed, and after a
 * failure with growing distance. The last good answer goes out until its end, whatever fails meanwhile. What a responder
 * calls revoked or does not know goes out with nothing: clients would be told to go away by their own server, but people
 * are told, by the log, lbctl cert list, and metrics. A few are asked at once, the others in the next turn. */
#include "staples.h"

#include "base/idmap.h"
#include "base/mem.h"
#include "store/snapshot.h"
#include "sys/log.h"

#include "fetch.h"
#include "staple.h"

#include <stdio.h>
#include <string.h>

#define AT_ONCE 8
#define TURN DUR_S(1)
#define REST DUR_S(5) /* while there is none */
#define RETRY_FIRST DUR_S(5)
#define RETRY_MOST DUR_S(1800)
#define AGAIN_LEAST DUR_S(10)
#define AGAIN_MOST DUR_S(24 * 3600)

struct staples {
	struct daemon *d;
	struct resolver *r;
	struct loop_timer timer;
	unsigned flying;
	bool any;
};
struct asked {
	struct staples *s;
	struct staple *of; /* a reference */
};

static const char *
state_word(const struct staple_job *j, int64_t now_s)
{
	static const char *const words[] = { "none", "good", "revoked", "unknown" };

	return words[j->word.state == OCSP_GOOD && j->word.until <= now_s ? OCSP_NONE
									  : j->word.state];
}

/* The certificate by whose chain it is known, for the log. */
static const char *
name_of(const struct staples *s, const struct staple *of)
{
	const struct snapshot *now = daemon_snapshot(s->d);

	for (uint32_t i = 0; i < snapshot_count(now, KIND_cert); i++) {
		const struct cert *c = snapshot_at(now, KIND_cert, i);

		if (c->chain[0] != '\0' && staple_find(c->chain) == of)
			return c->name;
	}
	return "?";
}

static void
failed(struct staples *s, struct staple *of, const char *why)
{
	struct staple_job *j = staple_job(of);

	if (strcmp(j->fault, why) != 0)
		log_warn("cert %s: OCSP: %s: %s", name_of(s, of), ocsp_url(j->ocsp), why);
	(void)snprintf(j->fault, sizeof(j->fault), "%s", why);
	j->retry = j->retry == 0	       ? RETRY_FIRST
		   : j->retry * 2 < RETRY_MOST ? j->retry * 2
					       : RETRY_MOST;
	j->due = mono_now() + j->retry;
}

static void
succeeded(struct staples *s, struct staple *of, const struct ocsp_word *w, const uint8_t *p,
    size_t len, int64_t now_s)
{
	struct staple_job *j = staple_job(of);
	dur_t half = DUR_S(w->until - now_s) / 2;

	if (w->state != j->word.state)
		log_at(w->state == OCSP_GOOD ? LOG_P_INFO : LOG_P_WARN, NULL,
		    "cert %s: OCSP: %s says %s", name_of(s, of), ocsp_url(j->ocsp),
		    w->state == OCSP_GOOD      ? "good"
		    : w->state == OCSP_REVOKED ? "that it is revoked"
					       : "that it does not know it");
	j->word = *w;
	j->fault[0] = '\0';
	j->retry = 0;
	j->due = mono_now() + (half < AGAIN_LEAST     ? AGAIN_LEAST
				  : half > AGAIN_MOST ? AGAIN_MOST
						      : half);
	staple_put(of, p, w->state == OCSP_GOOD ? len : 0, w->until);
}

static void
on_answer(void *arg, const char *why, const uint8_t *p, size_t len)
{
	struct asked *a = arg;
	struct staple_job *j = staple_job(a->of);
	int64_t now_s = mono_wall_ms() / 1000;
	struct ocsp_word w = { .why = why };

	a->s->flying--;
	j->fetch = NULL;
	if (why == NULL)
		ocsp_read(j->ocsp, p, len, now_s, &w);
	if (w.why == NULL)
		succeeded(a->s, a->of, &w, p, len, now_s);
	else
		failed(a->s, a->of, w.why);
	staple_unref(a->of);
	free(a);
}

static void
turn_one(void *arg, struct staple *of)
{
	struct staples *s = arg;
	struct staple_job *j = staple_job(of);
	const uint8_t *request;
	const char *why;
	struct asked *a;
	size_t len;

	s->any = true;
	if (j->ocsp == NULL || j->fetch != NULL || j->due > mono_now() || s->flying >= AT_ONCE)
		return;
	request = ocsp_request(j->ocsp, &len);
	a = mem_alloc(sizeof(*a));
	*a = (struct asked){ s, staple_ref(of) };
	j->fetch = fetch_post(daemon_loop(s->d), s->r, ocsp_url(j->ocsp),
	    "application/ocsp-request", request, len, on_answer, a, &why);
	if (j->fetch != NULL) {
		s->flying++;
		return;
	}
	staple_unref(of);
	free(a);
	failed(s, of, why);
}

static void
on_turn(void *arg)
{
	struct staples *s = arg;

	s->any = false;
	staple_each(turn_one, s);
	loop_timer_set(&s->timer, s->any ? TURN : REST);
}

void
staples_look(struct staples *s)
{
	loop_timer_set(&s->timer, 0);
}

static void
cancel_one(void *arg, struct staple *of)
{
	struct asked *a = fetch_cancel(staple_job(of)->fetch);

	(void)arg;
	staple_job(of)->fetch = NULL;
	if (a != NULL)
		staple_unref(a->of);
	free(a);
}

struct staples *
staples_start(struct daemon *d, struct resolver *r)
{
	struct staples *s = mem_alloc(sizeof(*s));

	s->d = d;
	s->r = r;
	loop_timer_init(&s->timer, daemon_loop(d), on_turn, s);
	return s;
}

void
staples_stop(struct staples *s)
{
	if (s == NULL)
		return;
	staple_each(cancel_one, s);
	loop_timer_fini(&s->timer);
	free(s);
}

/* Certificates that go out with TLS settings that have stapling, by their ids. */
static void
wanted(const struct snapshot *now, struct idmap *out)
{
	for (uint32_t i = 0; i < snapshot_count(now, KIND_tls); i++) {
		const struct tls *t = snapshot_at(now, KIND_tls, i);
		const void *const *child;
		uint32_t n;

		if (!t->stapling)
			continue;
		child = snapshot_children(now, KIND_sni, t->id, &n);
		if (t->cert != 0)
			idmap_put(out, t->cert, out);
		for (uint32_t k = 0; k < n; k++)
			if (((const struct sni *)child[k])->cert != 0)
				idmap_put(out, ((const struct sni *)child[k])->cert, out);
	}
}

/* What is known of the next of them that a service presents; NULL: no more. */
static const struct staple_job *
next_wanted(const struct snapshot *now, const struct idmap *ids, uint32_t *at, uint32_t *id_out)
{
	while (idmap_next(ids, at, id_out) != NULL) {
		const struct cert *c = snapshot_find(now, KIND_cert, *id_out);
		struct staple *of = c != NULL && c->chain[0] != '\0' ? staple_find(c->chain) : NULL;

		if (of != NULL)
			return staple_job(of);
	}
	return NULL;
}

void
staples_on_list(struct staples *s, const struct bus_request *rq)
{
	const struct snapshot *now = daemon_snapshot(s->d);
	int64_t now_s = mono_wall_ms() / 1000;
	const struct staple_job *j;
	struct idmap ids = { 0 };
	uint32_t at = 0, id;

	if (now != NULL)
		wanted(now, &ids);
	while ((j = next_wanted(now, &ids, &at, &id)) != NULL) {
		struct msg_staple_is m = { .cert = id,
			.state = SPAN(state_word(j, now_s)),
			.made = j->word.made,
			.until = j->word.until };

		if (j->ocsp != NULL)
			m.url = SPAN(ocsp_url(j->ocsp));
		if (j->fault[0] != '\0')
			m.fault = SPAN(j->fault);
		(void)bus_reply(rq, MSG_STAPLE_IS, &m);
	}
	idmap_fini(&ids);
	bus_result(rq, 0, NULL);
}

void
staples_counts(const struct staples *s, uint32_t *good, uint32_t *missing)
{
	const struct snapshot *now = daemon_snapshot(s->d);
	int64_t now_s = mono_wall_ms() / 1000;
	const struct staple_job *j;
	struct idmap ids = { 0 };
	uint32_t at = 0, id;

	*good = *missing = 0;
	if (now != NULL)
		wanted(now, &ids);
	while ((j = next_wanted(now, &ids, &at, &id)) != NULL) {
		if (j->word.state == OCSP_GOOD && j->word.until > now_s)
			++*good;
		else
			++*missing;
	}
	idmap_fini(&ids);
}
