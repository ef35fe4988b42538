/* What names a client in a request: a span lies within the head, holds none of what ends it, and is found again in a slower
 * way. A sealed cookie is taken only as it is written; attributes that are taken stay so when they are put together anew. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/http/cookie_date.h"
#include "lbd-proxy/pool/persist_key.h"
#include "schema/cookie_attributes.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static void
within(const char *buf, const struct h1_head *h, const struct key_span *k, const char *none)
{
	want(k->len > 0 && k->at >= buf && k->at + k->len <= buf + h->length);
	for (const char *p = none; *p != '\0'; p++)
		want(memchr(k->at, *p, k->len) == NULL);
}

/* Whoever is believed, it is an element of the field, or there is none for anybody. */
static void
check_forwarded(const char *buf, const struct h1_head *h)
{
	static struct addrs *proxies;
	struct key_span last, behind;
	bool any = persist_key_forwarded(buf, h, NULL, &last);

	if (proxies == NULL) {
		proxies = calloc(1, sizeof(*proxies) + sizeof(proxies->r[0]));
		want(proxies != NULL);
		proxies->n = 1;
		want(addr_parse("10.0.0.0", ADDR_HOST, &proxies->r[0].lo) == 0 &&
		     addr_parse("10.255.255.255", ADDR_HOST, &proxies->r[0].hi) == 0);
	}
	want(persist_key_forwarded(buf, h, proxies, &behind) == any);
	if (!any)
		return;
	want((h->seen & H1_BIT(H1_X_FORWARDED_FOR)) != 0);
	within(buf, h, &last, ",\r\n");
	within(buf, h, &behind, ",\r\n");
	want(behind.at <= last.at);
}

static void
check_head(const char *buf, size_t len)
{
	struct key_span k, route;
	struct h1_head h;

	h1_head_init(&h, false, H1_HEAD_MAX);
	if (h1_head_parse(&h, buf, len) != H1_DONE)
		return;
	if (persist_key_path_param(buf, &h, "S", 1, &k)) {
		within(buf, &h, &k, ";/? ");
		want(k.at[-1] == '=' && (k.at[-2] == 'S' || k.at[-2] == 's') && k.at[-3] == ';');
		if (persist_key_route(k, &route))
			want(route.at[-1] == '.' && route.at + route.len == k.at + k.len &&
			     memchr(k.at, '.', k.len) == route.at - 1);
	}
	if (persist_key_query(buf, &h, &k)) {
		within(buf, &h, &k, " \r\n");
		want(k.at[-1] == '?' && k.at + k.len == buf + h.target_off + h.target_len);
	}
	check_forwarded(buf, &h);
	if (persist_key_field(buf, &h, "User-Agent", 10, &k))
		within(buf, &h, &k, "\r\n");
}

static void
check_dated(const char *s, size_t len)
{
	char made[COOKIE_DATED_LEN];
	struct cookie_dates d, back;
	uint64_t token, again;

	if (cookie_dated_parse(s, len, 1, &token, &d) == 0) {
		cookie_dated_format(token, d, 1, made);
		want(len == sizeof(made) && memcmp(made, s, len) == 0);
	}
	if (len < 16)
		return;
	memcpy(&token, s, 8);
	memcpy(&d, s + 8, 8);
	cookie_dated_format(token, d, 2, made);
	want(cookie_dated_parse(made, sizeof(made), 2, &again, &back) == 0 && again == token &&
	     back.seen_s == d.seen_s && back.first_s == d.first_s);
	made[(uint8_t)s[0] % sizeof(made)] ^= 1;
	want(cookie_dated_parse(made, sizeof(made), 2, &again, &back) != 0);
}

/* No line's end can come of attributes that are taken. */
static void
check_attributes(const char *s, size_t len)
{
	char *text = strndup(s, len);
	struct err err = { 0 };

	if (cookie_attributes_check(text, &err) == 0)
		for (const char *p = text; *p != '\0'; p++)
			want(*p >= 0x20 && *p < 0x7f);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	memcpy(s, data, size);
	s = realloc(s, size > 0 ? size : 1);
	check_head(s, size);
	check_dated(s, size);
	check_attributes(s, size);
	free(s);
	return 0;
}
