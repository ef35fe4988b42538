/* Keys over a limit, between this process and lbd-ha.
 *
 * Not every count is told, only that of a key which has reached the least limit that a condition of its meter names, and that
 * every few seconds while it goes on: a flood of such keys is told so many a second. Both nodes make keys with the same seed and
 * have the same rules, so a record needs the hash and the place of the meter among those of the service; what was hashed
 * stays here. Connections that are there are those of a node, and are not told. */
#include "share_rates.h"

#include "base/must.h"

#include "control.h"
#include "rates/meters.h"
#include "rules/rules.h"

#include <string.h>

static const struct meters *
meters_of(const struct ctl_service *c)
{
	return c == NULL || c->view == NULL || c->view->rules == NULL || c->svc->rates == NULL
		   ? NULL
		   : &c->view->rules->meters;
}

/* false: the rules have changed, and nothing counts it any more. */
static bool
record_of(struct control *k, const struct ctl_service *c, const struct rates_item *item, mono_t now,
    struct stick_record *out)
{
	const struct meters *x = meters_of(c);
	int i = meters_find(x, item->face.meter);
	uint64_t n = i >= 0 ? meters_value(x, (unsigned)i, item, now) : 0;

	if (n == 0)
		return false;
	*out = (struct stick_record){ .kind = STICK_RATE,
		.key_kind = (uint8_t)i,
		.service = c->id,
		.value = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX,
		.left_ms = x->of[i].window_ms };
	memcpy(out->key, item->key.h, sizeof(out->key));
	stick_stamp(k->px.stick, out);
	return true;
}

bool
share_rates_gone(
    struct control *k, uint32_t service, const struct rates_item *item, struct stick_record *out)
{
	const struct meters *x = meters_of(idmap_get(&k->services, service));
	int i = x != NULL && item->face.told_s != 0 ? meters_find(x, item->face.meter) : -1;

	if (i < 0)
		return false;
	*out = (struct stick_record){ .kind = STICK_RATE,
		.key_kind = (uint8_t)i,
		.flags = STICK_GONE,
		.service = service,
		.left_ms = x->of[i].window_ms };
	memcpy(out->key, item->key.h, sizeof(out->key));
	stick_stamp(k->px.stick, out);
	return true;
}

unsigned
share_rates_drain(struct control *k, struct stick_record *out)
{
	static struct rates_item item[SHARE_RATES_MOST];
	const struct ctl_service *c;
	mono_t now = mono_now();
	uint32_t at = 0;
	unsigned n = 0;

	while (n < SHARE_RATES_MOST && (c = idmap_next(&k->services, &at, NULL)) != NULL) {
		unsigned got;

		if (meters_of(c) == NULL)
			continue;
		got = rates_tell(c->svc->rates, item, SHARE_RATES_MOST - n, now);
		for (unsigned i = 0; i < got; i++)
			n += record_of(k, c, &item[i], now, &out[n]);
	}
	return n;
}

bool
share_rates_take(struct control *k, const struct stick_record *r)
{
	const struct ctl_service *c = idmap_get(&k->services, r->service);
	const struct meters *x = meters_of(c);
	struct rates_seen seen = { 0 };
	struct rates_key key;
	mono_t now = mono_now();
	dur_t window;

	if (x == NULL || r->key_kind >= x->n || x->of[r->key_kind].what == METER_CONNS)
		return false;
	window = DUR_MS(x->of[r->key_kind].window_ms);
	seen.meter = x->id[r->key_kind];
	memcpy(key.h, r->key, sizeof(key.h));
	if ((r->flags & STICK_GONE) != 0)
		(void)rates_forget(c->svc->rates, &key);
	else if (r->left_ms > 0 && DUR_MS(r->left_ms) <= window)
		rates_take(c->svc->rates, &key, &seen, now, window,
		    now - window + DUR_MS(r->left_ms), r->value);
	return true;
}

void
share_rates_agree(struct control *k, uint64_t seed)
{
	const struct ctl_service *c;
	uint32_t at = 0;

	meters_agree(seed);
	while ((c = idmap_next(&k->services, &at, NULL)) != NULL)
		if (c->svc->rates != NULL)
			rates_reseed(c->svc->rates, meters_seed(c->id));
}
