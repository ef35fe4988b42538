/* quorum.c - from verdicts to "enough servers are fit".
 *
 * The weights of fit servers are summed and compared with the quorum of their service. The hysteresis is a band around
 * the quorum: so much more is needed to come up, so much less to go down, so a server that flaps does not carry the
 * whole service along.
 *
 * After a start every server is unknown for a moment. Would the quorum be told then, every restart of this daemon
 * would send clients to fallbacks or away from them; so nothing is told until the unknown ones cannot change it. From
 * then on a server that becomes unknown (a new one, another address) counts as its check says.
 *
 * No I/O, no clock. When it is reckoned is members.c. */
#include "quorum.h"

void
quorum_weigh(const struct snapshot *s, const struct service *svc,
    enum verdict (*verdict)(void *arg, uint32_t server), void *arg, struct quorum_weight *out)
{
	uint32_t n;
	const void *const *rows = snapshot_children(s, KIND_server, svc->id, &n);

	*out = (struct quorum_weight){ 0 };
	for (uint32_t i = 0; i < n; i++) {
		const struct server *srv = rows[i];
		uint32_t weight = snapshot_weight(s, srv);
		enum verdict v = weight > 0 ? verdict(arg, srv->id) : VERDICT_DOWN;

		if (v == VERDICT_DOWN)
			continue;
		out->most += weight;
		out->least += v == VERDICT_UP ? weight : 0;
		out->sum += server_fit(snapshot_check_of(s, srv), v) ? weight : 0;
	}
}

enum quorum_news
quorum_feed(
    struct quorum *q, const struct service *svc, const struct quorum_weight *w, int64_t wall)
{
	uint64_t need = svc->quorum;
	bool met;

	if (!q->known && (w->least >= need) != (w->most >= need))
		return QUORUM_SAME;
	if (q->known && q->met)
		need = need > svc->quorum_hysteresis ? need - svc->quorum_hysteresis : 0;
	else if (q->known)
		need += svc->quorum_hysteresis;
	met = w->sum >= need;
	if (q->known && met == q->met) {
		if (w->sum == q->weight)
			return QUORUM_SAME;
		q->weight = w->sum;
		return QUORUM_WEIGHT;
	}
	*q = (struct quorum){ .known = true, .met = met, .weight = w->sum, .since = wall };
	return QUORUM_TURNED;
}
