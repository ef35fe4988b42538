/* How a request ends that no server answered: an answer of our own, which is the last on its connection, a reset, or nothing at all. */
#include "http_priv.h"

#include "error_pages.h"

void
http_count_service(struct service_counters *n, unsigned status)
{
	switch (status / 100) {
	case 1: COUNT(n->http_1xx); break;
	case 2: COUNT(n->http_2xx); break;
	case 3: COUNT(n->http_3xx); break;
	case 4: COUNT(n->http_4xx); break;
	default: COUNT(n->http_5xx); break;
	}
}

void
http_count_server(struct server_counters *m, unsigned status)
{
	switch (status / 100) {
	case 1: break;
	case 2: COUNT(m->http_2xx); break;
	case 3: COUNT(m->http_3xx); break;
	case 4: COUNT(m->http_4xx); break;
	default: COUNT(m->http_5xx); break;
	}
}

void
http_count_status(struct http *h, unsigned status)
{
	http_count_service(h->c->svc->n, status);
	if (h->seat.pooled)
		http_count_service(h->seat.svc->n, status);
	if (h->seat.srv != NULL)
		http_count_server(h->seat.srv->n, status);
}

void
http_count_left(struct http *h)
{
	COUNT(h->c->svc->n->client_aborts);
	if (h->seat.srv != NULL)
		COUNT(h->seat.srv->n->client_aborts);
}

void
http_tell(struct http *h, unsigned status, const char *answer, size_t n)
{
	struct conn *c = h->c;
	bool linger = h->state == HTTP_HEAD || http_sends(h) || conn_kept(c) > 0;

	if (h->state == HTTP_HEAD && c->svc->view->request_id != request_id_off)
		http_id_give(h, NULL);
	answer = http_own_fields(h, answer, &n);
	http_drop_server(h); /* before the count: it is our answer, not the server's */
	http_count_status(h, status);
	h->story.status = (uint16_t)status;
	h->story.own_len = (uint32_t)n;
	http_free(h);
	conn_last(c, false);
	if (conn_send(c, answer, n) < 0)
		conn_close(c);
	else
		conn_finish(c, linger);
}

/* A page of the service, where it has one for this. */
static const char *
own_answer(struct http *h, unsigned *status, bool head, const char *otherwise, size_t *n)
{
	char *out = (char *)h->c->w->out;
	size_t len = error_pages_answer(
	    h->c->svc->view->errors, h->own != 0 ? h->own : *status, *status, head, out, status);

	if (len == 0)
		return otherwise;
	*n = len;
	return out;
}

void
http_fail(struct http *h, unsigned status)
{
	struct conn *c = h->c;
	bool head = h->state != HTTP_HEAD && h->head.method == H1_M_HEAD;
	const char *answer;
	size_t n;

	if (h->told) {
		http_abort(h, true);
		return;
	}
	answer = status == 503 && c->svc->view->page ? http_page_answer(head, &n)
						     : http_error_answer(status, head, &n);
	if (c->svc->view->errors != NULL)
		answer = own_answer(h, &status, head, answer, &n);
	http_tell(h, status, answer, n);
}

void
http_abort(struct http *h, bool reset)
{
	struct conn *c = h->c;
	bool linger = h->state != HTTP_HEAD && http_sends(h);

	http_drop_server(h);
	http_free(h);
	if (reset)
		conn_reset(c);
	else
		conn_finish(c, linger);
}

void
http_vanish(struct http *h)
{
	struct conn *c = h->c;

	http_drop_server(h);
	http_free(h);
	conn_vanish(c);
}
