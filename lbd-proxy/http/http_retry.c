/* A server has failed a request: to another one with it, where that is safe and retry_on says so.
 *
 * What a server has not looked at goes on whatever it is; anything else only when it is idempotent, whole in out, and
 * nothing of an answer but interim ones was told. A connection of the pool that turns out to be closed is nobody's fault
 * and does not count as a try. When no other server is there, the client gets what this one said. */
#include "http_priv.h"

#include "retry.h"

/* So often a request that was not looked at goes to another connection of HTTP/2, where servers end each after some requests. */
#define MOVES_MAX 16

static void
let_go(struct http *h)
{
	struct conn *s = h->s;

	flow_fini(&h->up);
	h->s = NULL;
	if (s != NULL) {
		s->task = NULL;
		conn_close(s);
	}
	h->state = HTTP_SEAT;
}

static void
go_on(struct http *h)
{
	COUNT(h->c->svc->n->retries);
	h->story.tries++;
	http_seated(h, seat_take(&h->seat, 0));
}

void
http_server_lost(struct http *h)
{
	struct conn *s = h->s;
	bool unseen = s != NULL && s->unseen, up = s != NULL && (s->up || s->reused || unseen);
	bool moved = unseen && s->moved && h->moves < MOVES_MAX;
	bool reused = up && (moved || (!h->fresh && (s->reused || unseen)));
	bool untouched = !up || h->out_off == 0 || (unseen && !h->beyond);

	if (!up) {
		COUNT(h->seat.srv->n->connect_errors);
		backend_observed(h->seat.srv, OBSERVED_REFUSED);
	} else if (!reused) {
		COUNT(h->seat.srv->n->aborts);
		backend_observed(h->seat.srv, OBSERVED_RESET);
	}
	let_go(h);
	if ((untouched || h->sure) &&
	    reused) { /* it was closed meanwhile, nobody's fault: any server, but a new connection */
		h->fresh = true;
		h->moves++;
		seat_leave(&h->seat);
		http_seated(h, seat_take(&h->seat, h->known));
		return;
	}
	h->broke = up;
	if (retry_may(http_pool(h)->retry_on, untouched ? RETRY_CONNECT : RETRY_EMPTY, h->sure,
		h->told) &&
	    seat_tried(&h->seat))
		go_on(h);
	else
		http_seated(h, SEAT_NONE);
}

bool
http_retry(struct http *h, uint32_t failure)
{
	bool repeatable = h->up_over && !h->beyond && retry_idempotent(h->head.method);
	struct wsrv *srv = h->seat.srv;

	if (!retry_may(http_pool(h)->retry_on, failure, repeatable, h->told) ||
	    !seat_another(&h->seat))
		return false;
	if (failure == RETRY_JUNK || failure == RETRY_TIMEOUT)
		COUNT(srv->n->aborts);
	else
		http_count_server(srv->n, h->answer.status);
	if (failure == RETRY_JUNK)
		backend_observed(srv, OBSERVED_BAD);
	let_go(h);
	h->broke = true;
	h->sure = true; /* as it was at first */
	seat_pass(&h->seat);
	go_on(h);
	return true;
}
