/* Cookies as a proxy needs them: one name among those a client sends, one name in what a server sets, and the token of
 * our own cookie.
 *
 * A Cookie value is pairs between semicolons; a semicolon within quotes ends a pair too, as in browsers (RFC 6265
 * section 5.2). Nothing is decoded: values are compared and remembered as bytes. The token is a hash of
 * the ids of service and server, so it needs no table that would have to survive; the map from tokens back to servers is built
 * with each snapshot. A client that sends a token of another service, of a deleted server, or anything else, is balanced anew. */
#include "cookie.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "hash.h"

struct cookie_slot {
	uint64_t token; /* 0: empty */
	uint32_t at;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* One pair at or behind *at: its bytes from name to the end of the value; false at the end. *at moves to its ';'. */
static bool
next_pair(const char *value, size_t len, size_t *at, struct cookie_span *out)
{
	size_t i = *at, end;

	while (i < len && (is_space(value[i]) || value[i] == ';'))
		i++;
	if (i == len)
		return false;
	const char *semi = memchr(value + i, ';', len - i);
	end = semi != NULL ? (size_t)(semi - value) : len;
	*at = end;
	while (is_space(value[end - 1]))
		end--;
	*out = (struct cookie_span){ .at = value + i, .len = end - i };
	return true;
}

static bool
pair_is(const struct cookie_span *pair, const char *name, size_t name_len)
{
	return pair->len > name_len && pair->at[name_len] == '=' &&
	       memcmp(pair->at, name, name_len) == 0;
}

static struct cookie_span
pair_value(const struct cookie_span *pair, size_t name_len)
{
	struct cookie_span v = { .at = pair->at + name_len + 1, .len = pair->len - name_len - 1 };

	if (v.len >= 2 && v.at[0] == '"' && v.at[v.len - 1] == '"') {
		v.at++;
		v.len -= 2;
	}
	return v;
}

bool
cookie_next(const char *value, size_t len, const char *name, size_t name_len, size_t *at,
    struct cookie_span *out)
{
	struct cookie_span pair;

	while (next_pair(value, len, at, &pair)) {
		if (!pair_is(&pair, name, name_len))
			continue;
		*out = pair_value(&pair, name_len);
		return true;
	}
	return false;
}

bool
cookie_find(
    const char *value, size_t len, const char *name, size_t name_len, struct cookie_span *out)
{
	size_t at = 0;

	return cookie_next(value, len, name, name_len, &at, out);
}

/* A pair goes with the separator before it; when nothing is left before it, with the one behind it. */
bool
cookie_cut(const char *value, size_t len, const char *name, size_t name_len, size_t at,
    size_t *from_out, size_t *to_out)
{
	struct cookie_span pair;
	size_t begin = at;

	while (next_pair(value, len, &at, &pair)) {
		size_t from = (size_t)(pair.at - value), to = at;
		if (!pair_is(&pair, name, name_len))
			continue;
		if (from == begin)
			while (to < len && (is_space(value[to]) || value[to] == ';'))
				to++;
		else
			while (
			    from > begin && (is_space(value[from - 1]) || value[from - 1] == ';'))
				from--;
		*from_out = from;
		*to_out = to;
		return true;
	}
	return false;
}

/* Max-Age, with a number of 0 or less (RFC 6265 section 5.2.2). */
static bool
ends_now(const struct cookie_span *pair)
{
	static const char name[] = "max-age=";
	size_t n = sizeof(name) - 1;

	if (pair->len <= n || strncasecmp(pair->at, name, n) != 0)
		return false;
	if (pair->at[n] == '-')
		return true;
	for (size_t i = n; i < pair->len; i++)
		if (pair->at[i] != '0')
			return false;
	return true;
}

bool
cookie_set_find(const char *value, size_t len, const char *name, size_t name_len,
    struct cookie_span *out, bool *removed_out)
{
	struct cookie_span pair;
	size_t at = 0;

	if (!next_pair(value, len, &at, &pair) || !pair_is(&pair, name, name_len))
		return false;
	*out = pair_value(&pair, name_len);
	if (removed_out == NULL)
		return true;
	*removed_out = out->len == 0;
	while (next_pair(value, len, &at, &pair))
		if (ends_now(&pair))
			*removed_out = true;
	return true;
}

uint64_t
cookie_token(uint32_t service_id, uint32_t server_id)
{
	/* In network order, so that nodes of different machines agree. */
	const uint8_t id[8] = { (uint8_t)(service_id >> 24), (uint8_t)(service_id >> 16),
		(uint8_t)(service_id >> 8), (uint8_t)service_id, (uint8_t)(server_id >> 24),
		(uint8_t)(server_id >> 16), (uint8_t)(server_id >> 8), (uint8_t)server_id };
	uint64_t token = hash64(id, sizeof(id), 0x6c62642d636f6f6bu);

	return token != 0 ? token : 1;
}

/* Forty bits as eight letters of base32, in the order of the text. The groups are spread over the bytes of a word, and all
 * bytes become letters at once: 'a' and on, from 26 on '2' and on. */
static inline uint64_t
eight_letters(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t digit;

	v = (v << 12 & 0x000fffff00000000) | (v & 0x00000000000fffff);
	v = (v << 6 & 0x03ff000003ff0000) | (v & 0x000003ff000003ff);
	v = (v << 3 & 0x1f001f001f001f00) | (v & 0x001f001f001f001f);
	digit = (v + ones * (128 - 26)) >> 7 & ones;
	return htobe64(v + ones * 'a' - digit * ('a' + 26 - '2'));
}

void
cookie_token_format(uint64_t token, char out[COOKIE_TOKEN_LEN])
{
	uint64_t high = eight_letters(token >> 40), low = eight_letters(token & 0xffffffffff);

	memcpy(out, (const char *)&high + 3, 5); /* 24 bits are no more than five */
	memcpy(out + 5, &low, 8);
}

int
cookie_token_parse(const char *s, size_t len, uint64_t *token_out)
{
	uint64_t v = 0;

	if (len != COOKIE_TOKEN_LEN || s[0] < 'a' || s[0] > 'p')
		return -EINVAL;
	for (unsigned i = 0; i < COOKIE_TOKEN_LEN; i++) {
		char c = s[i];
		if (c >= 'a' && c <= 'z')
			v = v << 5 | (uint64_t)(c - 'a');
		else if (c >= '2' && c <= '7')
			v = v << 5 | (uint64_t)(c - '2' + 26);
		else
			return -EINVAL;
	}
	*token_out = v;
	return 0;
}

size_t
cookie_prefix(const char *value, size_t len, uint64_t *token_out)
{
	return len >= COOKIE_PREFIX_LEN && value[COOKIE_TOKEN_LEN] == COOKIE_PREFIX_MARK &&
		       cookie_token_parse(value, COOKIE_TOKEN_LEN, token_out) == 0
		   ? COOKIE_PREFIX_LEN
		   : 0;
}

int
cookie_map_init(struct cookie_map *m, uint32_t n)
{
	uint32_t slots = 4;

	while (slots < 2 * (uint64_t)n)
		slots *= 2;
	m->slot = calloc(slots, sizeof(*m->slot));
	m->mask = m->slot != NULL ? slots - 1 : 0;
	return m->slot != NULL ? 0 : -ENOMEM;
}

void
cookie_map_fini(struct cookie_map *m)
{
	free(m->slot);
	*m = (struct cookie_map){ 0 };
}

void
cookie_map_put(struct cookie_map *m, uint64_t token, uint32_t at)
{
	uint64_t i = token;

	while (m->slot[i & m->mask].token != 0 && m->slot[i & m->mask].token != token)
		i++;
	m->slot[i & m->mask] = (struct cookie_slot){ .token = token, .at = at };
}

int64_t
cookie_map_find(const struct cookie_map *m, uint64_t token)
{
	if (m->slot == NULL || token == 0)
		return -1;
	for (uint64_t i = token;; i++) {
		const struct cookie_slot *s = &m->slot[i & m->mask];
		if (s->token == token)
			return s->at;
		if (s->token == 0)
			return -1;
	}
}
