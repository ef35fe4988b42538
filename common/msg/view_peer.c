/* What is known of the other node of a pair: one row, replaced as a whole by each HA_PEER of lbd-ha. */
#include "msg/view_priv.h"

#include <inttypes.h>
#include <string.h>

const struct view_peer *
view_peer(const struct view *v)
{
	return &v->peer;
}

bool
view_on_peer(struct view *v, const struct msg_ha_peer *m)
{
	struct view_peer was, *p = &v->peer;

	/* As bytes, because it is compared as bytes. */
	memcpy(&was, p, sizeof(was));
	memset(p, 0, sizeof(*p));
	p->heard = true;
	p->paired = m->paired;
	p->up = m->up;
	p->doubt = m->doubt;
	p->port = m->port;
	p->node = m->node;
	p->cluster = m->cluster;
	p->since = m->since;
	span_text(m->name, p->name, sizeof(p->name));
	span_text(m->addresses, p->addresses, sizeof(p->addresses));
	span_text(m->fingerprint, p->fingerprint, sizeof(p->fingerprint));
	span_text(m->own, p->own, sizeof(p->own));
	span_text(m->fault, p->fault, sizeof(p->fault));
	span_text(m->release, p->release, sizeof(p->release));
	p->rtt_us = was.rtt_us;
	if (memcmp(&was, p, sizeof(was)) == 0) {
		p->rtt_us = m->rtt;
		return false;
	}
	p->rtt_us = m->rtt;
	return true;
}

/* The list with commas as a list. */
static void
put_addresses(struct buf *out, const char *list)
{
	char one[ADDR_TEXT];

	buf_puts(out, ",\"addresses\":[");
	for (const char *p = list; *p != '\0';) {
		size_t n = strcspn(p, ",");

		if (p > list)
			buf_puts(out, ",");
		span_text((struct span){ (const uint8_t *)p, n }, one, sizeof(one));
		view_json_text(out, one);
		p += n + (p[n] == ',');
	}
	buf_puts(out, "]");
}

void
view_json_peer(struct buf *out, const struct view_peer *p)
{
	if (!p->paired && !p->doubt && p->fault[0] == '\0') {
		buf_puts(out, "null");
		return;
	}
	buf_puts(out, "{\"name\":");
	view_json_text(out, p->name);
	buf_printf(out, ",\"paired\":%s,\"up\":%s,\"node\":%u,\"cluster\":\"%016" PRIx64 "\"",
	    p->paired ? "true" : "false", p->up ? "true" : "false", p->node, p->cluster);
	put_addresses(out, p->addresses);
	buf_printf(out, ",\"port\":%u", p->port);
	view_json_member(out, "fingerprint", p->fingerprint);
	view_json_member(out, "own_fingerprint", p->own);
	buf_puts(out, ",\"since\":");
	view_json_time(out, p->since);
	if (p->rtt_us != 0)
		buf_printf(out, ",\"rtt_us\":%" PRIu64, p->rtt_us);
	else
		buf_puts(out, ",\"rtt_us\":null");
	buf_printf(out, ",\"doubt\":%s", p->doubt ? "true" : "false");
	view_json_member(out, "fault", p->fault);
	view_json_member(out, "release", p->release);
	buf_puts(out, "}");
}
