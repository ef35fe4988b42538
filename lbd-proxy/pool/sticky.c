/* Persistence of a service, from its row. */
#include "sticky.h"

#include "hash.h"

#include <stdio.h>
#include <string.h>

#define ROUTE_SEED UINT64_C(0x6c62642d726f7574)

/* What stands around the value. Longer texts than the schema takes are cut. */
static void
compile_line(struct sticky *out, const struct service *s)
{
	const char *attributes = s->cookie_attributes == NULL ? "" : s->cookie_attributes;
	char text[STICKY_TAIL_MAX + 1];
	int n;

	n = snprintf(text, STICKY_HEAD_MAX, "Set-Cookie: %.64s=", s->cookie);
	out->head_len = (uint8_t)n;
	memcpy(out->head, text, out->head_len);
	n = snprintf(text, sizeof(text), "%s%.200s\r\nCache-Control: private\r\n",
	    attributes[0] != '\0' ? "; " : "", attributes);
	out->tail_len = (uint8_t)n;
	memcpy(out->tail, text, out->tail_len);
}

static uint8_t
copy(char *to, size_t most, const char *from)
{
	size_t n = from == NULL ? 0 : strlen(from);

	n = n <= most ? n : most;
	if (n > 0)
		memcpy(to, from, n);
	return (uint8_t)n;
}

void
sticky_compile(struct sticky *out, const struct service *s)
{
	out->table = s->id;
	out->idle_s = s->cookie_idle;
	out->life_s = s->cookie_life;
	out->cookies = s->persistence == persistence_cookie ||
		       s->persistence == persistence_rewrite ||
		       s->persistence == persistence_prefix;
	out->apart = (s->persist_force != NULL && s->persist_force->n > 0) ||
		     (s->persist_ignore != NULL && s->persist_ignore->n > 0);
	out->or_source = s->persist_or_source;
	out->mask6 = (uint8_t)(s->persist_mask <= 128 ? s->persist_mask : 128);
	out->mask4 = out->mask6 <= 32 ? out->mask6 : 32;
	out->server = s->cookie_server;
	out->key_len = copy(out->key, STICKY_KEY_MAX, s->persist_key);
	if (s->persistence == persistence_cookie)
		compile_line(out, s);
}

bool
sticky_uses_tokens(unsigned persistence)
{
	return persistence == persistence_cookie || persistence == persistence_rewrite ||
	       persistence == persistence_prefix || persistence == persistence_route;
}

uint64_t
sticky_route(const char *route, size_t len)
{
	uint64_t token = hash64(route, len, ROUTE_SEED);

	return token != 0 ? token : 1;
}
