/* A request in flight whose other side says nothing: it is looked at once before the whole time has passed.
 *
 * What a look is good for tells conn_look. It is due only where the last read took all that was there and more is expected,
 * so a request that comes in one piece, with its answer in one piece, has none. */
#include "http_priv.h"

/* The rest of a time that began with a first look. */
static void
rest(struct conn *c, dur_t most)
{
	if (c->timer.deadline != 0 && !c->guessed)
		conn_timer(c, most - CONN_LOOK);
}

bool
http_look_again(struct http *h, struct conn *silent)
{
	struct conn *c = h->c, *s = h->s;
	dur_t client = c->svc->view->client, server = s != NULL ? http_pool(h)->server : 0;
	bool sends = !h->up_over && !h->up_stop, up, down;

	if (h->state < HTTP_WAIT || (silent == c && (!sends || conn_unsent(c))))
		return false;
	up = sends && conn_look(c, client);
	down = conn_look(s, server);
	if (!up && !down)
		return false;
	if (up && !http_pump_up(h))
		return true;
	if (down && !conn_unsent(c) && !http_pump_down(h))
		return true;
	http_time(h);
	rest(silent, silent == c ? client : server);
	return true;
}
