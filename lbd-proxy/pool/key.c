/* What a scheduler that hashes looks at. A key is taken as it stands: nothing is decoded, so two spellings of one thing are
 * two keys. That costs a cache an entry; it never sends what belongs together apart when the client spells it one way. */
#include "key.h"

#include "schema/schema.h"

#include "hash.h"

#include <string.h>
#include <strings.h>

bool
key_hashes(unsigned scheduler)
{
	switch (scheduler) {
	case scheduler_sh:
	case scheduler_path:
	case scheduler_uri:
	case scheduler_url_param:
	case scheduler_header:
	case scheduler_rdp_cookie: return true;
	default: return false;
	}
}

static bool
find_param(struct key_span query, const char *name, size_t name_len, struct key_span *out)
{
	const char *p = query.at, *end = query.at + query.len;

	while (p < end) {
		const char *stop = memchr(p, '&', (size_t)(end - p));

		if (stop == NULL)
			stop = end;
		if ((size_t)(stop - p) > name_len && p[name_len] == '=' &&
		    memcmp(p, name, name_len) == 0) {
			*out = (struct key_span){ p + name_len + 1,
				(size_t)(stop - p) - name_len - 1 };
			return out->len > 0;
		}
		p = stop + 1;
	}
	return false;
}

static bool
find_header(const char *buf, const struct h1_head *h, const char *name, size_t name_len,
    struct key_span *out)
{
	for (unsigned i = 0; i < h->n; i++) {
		const struct h1_header *f = &h->header[i];

		if (f->name_len != name_len || strncasecmp(buf + f->name_off, name, name_len) != 0)
			continue;
		*out = (struct key_span){ buf + f->value_off, f->value_len };
		return out->len > 0;
	}
	return false;
}

bool
key_of_request(unsigned scheduler, const char *name, size_t name_len, const char *buf,
    const struct h1_head *h, struct key_span *out)
{
	struct key_span uri = { buf + h->path_off,
		(size_t)h->target_off + h->target_len - h->path_off };
	const char *mark = memchr(uri.at, '?', uri.len);
	size_t path = mark == NULL ? uri.len : (size_t)(mark - uri.at);

	if (path == 0 && mark == NULL) /* http://host alone */
		uri = (struct key_span){ "/", 1 };
	switch (scheduler) {
	case scheduler_path:
		*out = mark == NULL ? uri : (struct key_span){ uri.at, path };
		return true;
	case scheduler_uri: *out = uri; return true;
	case scheduler_url_param:
		if (mark == NULL)
			return false;
		return find_param(
		    (struct key_span){ mark + 1, uri.len - path - 1 }, name, name_len, out);
	case scheduler_header: return find_header(buf, h, name, name_len, out);
	default: return false;
	}
}

/* The packet: TPKT 03 00 LENGTH(2), then X.224 LI E0 DST(2) SRC(2) CLASS(1), then what we look for. */
#define TPKT 4
#define X224 7
#define COOKIE "Cookie: mstshash="

enum h1_result
key_rdp_rest(const uint8_t *p, size_t len, struct key_span *out)
{
	size_t packet;

	*out = (struct key_span){ "", 0 };
	if (len > 0 && p[0] != 3)
		return H1_BAD;
	if (len > 5 && p[5] != 0xe0)
		return H1_BAD;
	if (len < TPKT)
		return H1_MORE;
	packet = (size_t)p[2] << 8 | p[3];
	if (packet < TPKT + X224 || packet > KEY_RDP_MAX)
		return H1_BAD;
	if (len < packet)
		return H1_MORE;
	*out = (struct key_span){ (const char *)p + TPKT + X224, packet - TPKT - X224 };
	return H1_DONE;
}

enum h1_result
key_of_rdp(const uint8_t *p, size_t len, struct key_span *out)
{
	struct key_span all;
	enum h1_result r = key_rdp_rest(p, len, &all);
	const char *text = all.at, *end;
	size_t rest = all.len;

	if (r != H1_DONE)
		return r;
	if (rest < sizeof(COOKIE) - 1 || memcmp(text, COOKIE, sizeof(COOKIE) - 1) != 0)
		return H1_BAD;
	text += sizeof(COOKIE) - 1;
	rest -= sizeof(COOKIE) - 1;
	end = memchr(text, '\r', rest);
	if (end == NULL || end == text || (size_t)(end - text) + 1 >= rest || end[1] != '\n')
		return H1_BAD;
	*out = (struct key_span){ text, (size_t)(end - text) };
	return H1_DONE;
}

uint64_t
key_hash(uint32_t service, const void *p, size_t len)
{
	return hash64(p, len, service);
}

uint64_t
key_hash_addr(uint32_t service, const struct addr *a)
{
	return hash64(a->b, a->family == 4 ? 4 : 16, service);
}
