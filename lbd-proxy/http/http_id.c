/* The name of a request: one for its line in the log, for the server, and for the client where the answer is ours, so that people
 * can say which one failed. With a server's answer it is the server that may tell it. */
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
http_id_tell(struct http *h, const char *answer, size_t *n)
{
	static const char name[] = "X-Request-ID: ";
	const size_t name_len = sizeof(name) - 1, more = name_len + h->id_len + 2;
	char *out = (char *)h->c->w->out;
	size_t first;

	if (h->id_len == 0)
		return answer;
	must(*n + more <= SCRATCH_OUT);
	first = (size_t)((const char *)memchr(answer, '\n', *n) + 1 - answer);
	memmove(out + first + more, answer + first, *n - first);
	if (answer != out)
		memcpy(out, answer, first);
	memcpy(out + first, name, name_len);
	memcpy(out + first + name_len, h->id, h->id_len);
	memcpy(out + first + more - 2, "\r\n", 2);
	*n += more;
	return out;
}
