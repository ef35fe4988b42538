/* What answers of our own say beside themselves: HSTS, and the name of the request. That is one for its line in the log, for the
 * server, and for the client where the answer is ours, so that people can say which one failed; with a server's answer it is the
 * server that may tell it. */
#include "http_priv.h"

#include "base/must.h"

#include <string.h>

void
http_id_give(struct http *h, const char *buf)
{
	struct conn *c = h->c;
	const struct view *v = c->svc->view;
	const struct h1_header *f;

	f = v->request_id == request_id_keep && buf != NULL ? http_tell_id(buf, &h->head) : NULL;
	h->id_len = f != NULL ? (uint8_t)f->value_len : REQUEST_ID;
	if (f != NULL)
		memcpy(h->id, buf + f->value_off, f->value_len);
	else
		logs_request_id(c->w, h->id);
	if (buf == NULL && v->log != NULL)
		story_notes(&h->story, c);
	story_id(&h->story, h->id, h->id_len);
}

const char *
http_own_fields(struct http *h, const char *answer, size_t *n)
{
	static const char name[] = "X-Request-ID: ";
	const char *hsts = h->c->svc->view->hsts;
	const size_t hsts_len = strlen(hsts), name_len = h->id_len > 0 ? sizeof(name) - 1 : 0,
		     more = hsts_len + name_len + h->id_len + (h->id_len > 0 ? 2 : 0);
	char *out = (char *)h->c->w->out, *o;
	size_t first;

	if (more == 0)
		return answer;
	must(*n + more <= SCRATCH_OUT);
	first = (size_t)((const char *)memchr(answer, '\n', *n) + 1 - answer);
	memmove(out + first + more, answer + first, *n - first);
	if (answer != out)
		memcpy(out, answer, first);
	o = mempcpy(out + first, hsts, hsts_len);
	o = mempcpy(o, name, name_len);
	o = mempcpy(o, h->id, h->id_len);
	if (h->id_len > 0)
		memcpy(o, "\r\n", 2);
	*n += more;
	return out;
}
