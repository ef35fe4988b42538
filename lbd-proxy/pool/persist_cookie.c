/* The cookie that names a server, on its way to the client: ours inserted, or ours in the place of or before the value
 * that the server gave its own. */
#include "persist.h"

#include "net/worker.h"

#include <string.h>

static bool
finds(const struct view *v, const char *buf, const struct h1_head *h)
{
	struct cookie_span value;

	for (unsigned i = 0; i < h->n; i++)
		if (h->header[i].id == H1_SET_COOKIE &&
		    cookie_set_find(buf + h->header[i].value_off, h->header[i].value_len, v->cookie,
			v->cookie_len, &value, NULL))
			return true;
	return false;
}

/* The server sets a cookie of that name itself. */
static inline bool
sets(const struct view *v, const char *buf, const struct h1_head *h)
{
	return (h->seen & H1_BIT(H1_SET_COOKIE)) != 0 && finds(v, buf, h);
}

/* The value that is given now; its length. */
static size_t
value_of(const struct persist *p, const struct wsvc *s, uint64_t token, char *out)
{
	const struct sticky *y = &s->view->sticky;
	struct cookie_dates dates;

	if (y->idle_s == 0 && y->life_s == 0) {
		cookie_token_format(token, out);
		return COOKIE_TOKEN_LEN;
	}
	dates.seen_s = (uint32_t)(mono_wall_ms() / 1000);
	dates.first_s = p->first_s != 0 ? p->first_s : dates.seen_s;
	cookie_dated_format(token, dates, stick_secret(s->w->px->stick), out);
	return COOKIE_DATED_LEN;
}

/* Whole field lines. */
static void
insert(const struct persist *p, const struct wsvc *s, const struct srv *srv,
    struct http_answer_policy *out, char *line)
{
	const struct sticky *y = &s->view->sticky;
	char *o = mempcpy(line, y->head, y->head_len);

	_Static_assert(STICKY_HEAD_MAX + COOKIE_DATED_LEN + STICKY_TAIL_MAX <= STICKY_LINE_MAX,
	    "room for a value");
	o += value_of(p, s, atomic_load_explicit(&srv->token, memory_order_relaxed), o);
	o = mempcpy(o, y->tail, y->tail_len);
	out->insert = line;
	out->insert_len = (uint16_t)(o - line);
}

/* What the client's cookie was: none, valid, of another server, or too old in one of two ways. */
static char
letter(const struct persist *p, const struct srv *srv, uint32_t known)
{
	if (p->age == COOKIE_IDLE || p->age == COOKIE_OLD)
		return p->age == COOKIE_IDLE ? 'E' : 'O';
	return !p->said ? 'N' : known == srv->id ? 'V' : 'D';
}

static void
ours(const struct persist *p, const struct wsvc *s, const struct srv *srv, uint32_t known,
    const char *buf, const struct h1_head *answer, struct http_answer_policy *out, char *line,
    char story[2])
{
	bool theirs = sets(s->view, buf, answer);

	if (theirs && s->view->sticky.server == cookie_server_preserve) {
		story[1] = 'P';
		return;
	}
	if (theirs)
		out->set_cookie = HTTP_COOKIE_CUT;
	if (p->said && known == srv->id && p->age == COOKIE_GOOD)
		return;
	story[1] = p->said && known == srv->id ? 'U' : 'I';
	insert(p, s, srv, out, line);
}

void
persist_answer(const struct persist *p, const struct wsvc *s, const struct srv *srv, uint32_t known,
    const char *buf, const struct h1_head *answer, struct http_answer_policy *out, char *line,
    char story[2])
{
	const struct view *v = s->view;

	story[0] = letter(p, srv, known);
	story[1] = 'N';
	if (p->ignored || srv->id == 0 ||
	    atomic_load_explicit(&srv->who, memory_order_relaxed) == STICKY_NOBODY)
		return;
	out->cookie = v->cookie;
	out->cookie_len = v->cookie_len;
	if (v->persistence == persistence_cookie) {
		ours(p, s, srv, known, buf, answer, out, line, story);
		return;
	}
	if (!sets(v, buf, answer))
		return;
	story[1] = 'R';
	out->set_cookie =
	    v->persistence == persistence_prefix ? HTTP_COOKIE_PREFIX : HTTP_COOKIE_REPLACE;
	cookie_token_format(atomic_load_explicit(&srv->token, memory_order_relaxed), out->token);
	out->token[COOKIE_TOKEN_LEN] = COOKIE_PREFIX_MARK;
}
