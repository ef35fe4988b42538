/* Backends that content rules lead to, as virtual services without address. What is the client's side with us is that of the service whose
 * rules lead there; what servers are told of clients is the pool's, where with HAProxy the frontend has a say too. */
#include "import/haproxy_finish.h"

#include <stdio.h>
#include <string.h>

/* What servers are told of the client, and how long connections to them are kept, is said by the pool; with HAProxy by the frontend too. */
static void
tell_pool(struct hap *h, struct import_row *r, const struct hap_proxy *front,
    const struct hap_proxy *back)
{
	static const char *const fields[] = { "forwarded", "x_forwarded", "pool_timeout" };
	struct import_row from = front->vip;

	for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (*import_text(r, fields[i]) == NULL)
			*import_text(r, fields[i]) = *import_text(&from, fields[i]);
	if (front->forwardfor || front->forwarded || back->forwardfor || back->forwarded)
		import_putf(h->im, r, "forwarded_for", "append");
}

/* Whether two frontends tell the servers of a pool the same. */
static bool
tell_alike(const struct hap_proxy *a, const struct hap_proxy *b)
{
	static const char *const fields[] = { "forwarded", "x_forwarded", "pool_timeout" };

	for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const char *x = import_value(&a->vip, fields[i]);
		const char *y = import_value(&b->vip, fields[i]);

		if ((x == NULL) != (y == NULL) || (x != NULL && strcmp(x, y) != 0))
			return false;
	}
	return a->forwardfor == b->forwardfor;
}

static void
say_alike(struct hap *h, const struct hap_proxy *front, struct hap_proxy *back)
{
	if (back->pool_told || !back->http || tell_alike(front, back->pool_front))
		return;
	back->pool_told = true;
	import_say(h->im, back->at, TAKEN_OTHERWISE, back->what,
	    "vip %s: its servers are told of clients what frontend %s says, for all that lead to it",
	    back->pool, back->pool_front->name);
}

/* Whether all items of a list with commas are in another. */
static bool
is_within(const char *own, const char *other)
{
	for (size_t n; *own != '\0'; own += n + (own[n] == ',')) {
		const char *at = other;

		n = strcspn(own, ",");
		while (*at != '\0' && (strncmp(at, own, n) != 0 || (at[n] != '\0' && at[n] != ',')))
			at += strcspn(at, ",") + (at[strcspn(at, ",")] == ',');
		if (*at == '\0')
			return false;
	}
	return true;
}

/* What is the client's side with us; the frontend may say the same. */
static void
drop_lost(struct hap *h, struct import_row *r, const struct hap_proxy *front,
    const struct hap_proxy *back)
{
	static const char *const fields[] = { "error_pages", "compress", "compress_types",
		"compress_min", "header_names", "wait_body" };

	for (unsigned i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const char *own = *import_text(r, fields[i]);
		const char *other = import_value(&front->vip, fields[i]);

		if (back->http && own != NULL && (other == NULL || !is_within(own, other)))
			import_say(h->im, back->at, NOT_TAKEN, back->what,
			    "vip.%s: a pool has that of the vip whose rules lead to it", fields[i]);
		*import_text(r, fields[i]) = NULL;
	}
}

const char *
hap_pool_of(struct hap *h, const struct hap_proxy *front, struct hap_proxy *back)
{
	struct import_service *s;
	struct buf name = { 0 };

	if (back->pool != NULL) {
		say_alike(h, front, back);
		return back->pool;
	}
	s = import_output_new(h->im, back->at, h->err);
	if (s == NULL) {
		h->rc = ERR_INVALID;
		return NULL;
	}
	name_clean(back->name, HAP_NAME_LEN, &name);
	import_name(h->im, &s->row, "vip ", buf_text(&name));
	buf_fini(&name);
	back->used = true;
	back->pool = s->row.name;
	back->pool_front = front;
	(void)hap_rules_of(h, back);
	hap_put_fields(h, s, back, back, true);
	if (back->http)
		tell_pool(h, &s->row, front, back);
	drop_lost(h, &s->row, front, back);
	*import_text(&s->row, "proxy_from") = *import_text(&s->row, "log") = NULL;
	*import_text(&s->row, "log_format") = *import_text(&s->row, "request_id") = NULL;
	*import_text(&s->row, "max_conns") = *import_text(&s->row, "https_redirect") = NULL;
	hap_put_servers(h, s, back, true);
	hap_put_keeper(h, s, back);
	return back->pool;
}
