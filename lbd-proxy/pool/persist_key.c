/* Parts of a request by which a client is known again. As with the keys of schedulers nothing is decoded: a client that
 * spells one thing in two ways is two clients. */
#include "persist_key.h"

#include "schema/schema.h"

#include <string.h>
#include <strings.h>

bool
persist_key_route(struct key_span session, struct key_span *out)
{
	const char *dot = memchr(session.at, '.', session.len);
	size_t gone = dot == NULL ? session.len : (size_t)(dot - session.at) + 1;

	*out = (struct key_span){ session.at + gone, session.len - gone };
	return out->len > 0;
}

static struct key_span
target_of(const char *buf, const struct h1_head *h)
{
	return (struct key_span){ buf + h->path_off,
		(size_t)h->target_off + h->target_len - h->path_off };
}

bool
persist_key_path_param(const char *buf, const struct h1_head *h, const char *name, size_t name_len,
    struct key_span *out)
{
	struct key_span t = target_of(buf, h);
	const char *mark = memchr(t.at, '?', t.len), *end = mark != NULL ? mark : t.at + t.len,
		   *p = t.at;

	while ((p = memchr(p, ';', (size_t)(end - p))) != NULL) {
		const char *value = ++p + name_len + 1, *stop;

		if ((size_t)(end - p) <= name_len || p[name_len] != '=' ||
		    strncasecmp(p, name, name_len) != 0)
			continue;
		for (stop = value; stop < end && *stop != ';' && *stop != '/'; stop++)
			;
		*out = (struct key_span){ value, (size_t)(stop - value) };
		return out->len > 0;
	}
	return false;
}

bool
persist_key_query(const char *buf, const struct h1_head *h, struct key_span *out)
{
	struct key_span t = target_of(buf, h);
	const char *mark = t.len > 0 ? memchr(t.at, '?', t.len) : NULL;

	if (mark == NULL)
		return false;
	*out = (struct key_span){ mark + 1, t.len - (size_t)(mark - t.at) - 1 };
	return out->len > 0;
}

/* The address in [2001:db8::1]:80, [2001:db8::1], 192.0.2.1:80; anything else as it is. */
static struct key_span
without_port(struct key_span e)
{
	const char *stop;

	if (e.len > 0 && e.at[0] == '[' && (stop = memchr(e.at, ']', e.len)) != NULL)
		return (struct key_span){ e.at + 1, (size_t)(stop - e.at) - 1 };
	stop = e.len > 0 ? memchr(e.at, ':', e.len) : NULL;
	if (stop != NULL && memrchr(e.at, ':', e.len) == stop)
		e.len = (size_t)(stop - e.at);
	return e;
}

/* The last element of *list, which loses it; without spaces around it. */
static struct key_span
take_last(struct key_span *list)
{
	const char *comma = list->len > 0 ? memrchr(list->at, ',', list->len) : NULL;
	struct key_span e = *list;

	if (comma != NULL) {
		e.at = comma + 1;
		e.len -= (size_t)(comma - list->at) + 1;
		list->len = (size_t)(comma - list->at);
	} else {
		list->len = 0;
	}
	while (e.len > 0 && (*e.at == ' ' || *e.at == '\t')) {
		e.at++;
		e.len--;
	}
	while (e.len > 0 && (e.at[e.len - 1] == ' ' || e.at[e.len - 1] == '\t'))
		e.len--;
	return without_port(e);
}

static bool
is_host(struct key_span e, struct addr *out)
{
	char host[ADDR_TEXT];

	if (e.len == 0 || e.len >= sizeof(host))
		return false;
	memcpy(host, e.at, e.len);
	host[e.len] = '\0';
	return addr_parse(host, ADDR_HOST, out) == 0;
}

static bool
is_of(const struct addrs *from, struct key_span e)
{
	struct addr a;

	return from != NULL && is_host(e, &a) && addrs_contain(from, &a);
}

/* name NULL: X-Forwarded-For. */
static bool
is_field(const char *buf, const struct h1_header *f, const char *name, size_t name_len)
{
	if (name == NULL)
		return f->id == H1_X_FORWARDED_FOR;
	return f->name_len == name_len && strncasecmp(buf + f->name_off, name, name_len) == 0;
}

static bool
last_of(const char *buf, const struct h1_head *h, const char *name, const struct addrs *from,
    struct key_span *out)
{
	size_t name_len = name != NULL ? strlen(name) : 0;
	unsigned passed = 0;

	out->len = 0;
	for (unsigned i = h->n; i > 0; i--) {
		const struct h1_header *f = &h->header[i - 1];
		struct key_span list = { buf + f->value_off, f->value_len }, e;

		if (!is_field(buf, f, name, name_len))
			continue;
		do {
			e = take_last(&list);
			if (e.len == 0)
				return out->len > 0; /* the proxy behind it knew no more */
			*out = e;
			if (!is_of(from, e) || ++passed > PERSIST_PROXIES)
				return true;
		} while (list.len > 0);
	}
	return out->len > 0;
}

bool
persist_key_forwarded(
    const char *buf, const struct h1_head *h, const struct addrs *from, struct key_span *out)
{
	out->len = 0;
	return (h->seen & H1_BIT(H1_X_FORWARDED_FOR)) != 0 && last_of(buf, h, NULL, from, out);
}

bool
persist_key_address(const char *buf, const struct h1_head *h, const char *name,
    const struct addrs *from, struct addr *out)
{
	struct key_span e;

	return last_of(buf, h, name, from, &e) && is_host(e, out);
}

bool
persist_key_field(const char *buf, const struct h1_head *h, const char *name, size_t name_len,
    struct key_span *out)
{
	return key_of_request(scheduler_header, name, name_len, buf, h, out);
}
