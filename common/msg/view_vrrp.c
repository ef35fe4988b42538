/* What is known of virtual routers, as lbd-ha says. Pure. */
#include "msg/view_priv.h"

#include <inttypes.h>
#include <string.h>

bool
view_on_vrrp(struct view *v, const struct msg_ha_vrrp *m)
{
	struct view_vrrp *k, was;

	if (m->number >= VIEW_VRRPS)
		return false;
	k = &v->vrrps[m->number];
	memcpy(&was, k, sizeof(was));
	memset(k, 0, sizeof(*k));
	span_text(m->state, k->state, sizeof(k->state));
	if (strcmp(k->state, "gone") == 0) {
		k->state[0] = '\0';
		return was.name[0] != '\0';
	}
	span_text(m->name, k->name, sizeof(k->name));
	span_text(m->interface, k->interface, sizeof(k->interface));
	span_text(m->master, k->master, sizeof(k->master));
	span_text(m->mac, k->mac, sizeof(k->mac));
	span_text(m->fault, k->fault, sizeof(k->fault));
	span_text(m->advice, k->advice, sizeof(k->advice));
	span_text(m->discarded, k->discarded, sizeof(k->discarded));
	k->vrid = m->vrid;
	k->version = m->version;
	k->family = m->family;
	k->group = m->group;
	k->priority = m->priority;
	k->master_priority = m->master_priority;
	k->addresses = m->addresses;
	k->since = m->since;
	k->interval_us = m->interval;
	k->sent = m->sent;
	k->received = m->received;
	k->zero_sent = m->zero_sent;
	k->zero_received = m->zero_received;
	k->masters = m->masters;
	k->answers = m->answers;
	k->equal = m->equal;
	k->stalls = m->stalls;
	return strcmp(was.state, k->state) != 0 || strcmp(was.master, k->master) != 0 ||
	       was.priority != k->priority || strcmp(was.fault, k->fault) != 0;
}

const struct view_vrrp *
view_vrrps(const struct view *v)
{
	return v->vrrps;
}

unsigned
view_vrrp_masters(const struct view *v, unsigned *all_out)
{
	unsigned masters = 0;

	*all_out = 0;
	for (unsigned i = 0; i < VIEW_VRRPS; i++) {
		*all_out += v->vrrps[i].name[0] != '\0';
		masters += strcmp(v->vrrps[i].state, "master") == 0;
	}
	return masters;
}

/* "ttl=1,checksum=2" as an object. */
static void
put_discarded(struct buf *out, const char *list)
{
	const char *comma = "";

	buf_puts(out, ",\"discarded\":{");
	while (*list != '\0') {
		size_t len = strcspn(list, ","), name = strcspn(list, "=");
		char word[32];

		if (name >= len || name >= sizeof(word))
			break; /* cut off */
		memcpy(word, list, name);
		word[name] = '\0';
		buf_puts(out, comma);
		view_json_text(out, word);
		buf_printf(out, ":%.*s", (int)(len - name - 1), list + name + 1);
		comma = ",";
		list += len + (list[len] == ',');
	}
	buf_puts(out, "}");
}

static void
put_router(struct buf *out, const struct view_vrrp *k)
{
	buf_printf(out,
	    "{\"vrid\":%u,\"version\":%u,\"family\":%u,\"group\":%u,\"priority\":%u,\"master_priority\":%u,"
	    "\"addresses\":%u",
	    k->vrid, k->version, k->family, k->group, k->priority, k->master_priority,
	    k->addresses);
	view_json_member(out, "name", k->name);
	view_json_member(out, "state", k->state);
	view_json_member(out, "interface", k->interface);
	view_json_member(out, "master", k->master);
	view_json_member(out, "mac", k->mac);
	view_json_member(out, "fault", k->fault);
	view_json_member(out, "advice", k->advice);
	buf_printf(out,
	    ",\"interval_us\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"received\":%" PRIu64
	    ",\"zero_sent\":%" PRIu64 ",\"zero_received\":%" PRIu64 ",\"masters\":%" PRIu64
	    ",\"answers\":%" PRIu64 ",\"equal\":%" PRIu64 ",\"stalls\":%" PRIu64,
	    k->interval_us, k->sent, k->received, k->zero_sent, k->zero_received, k->masters,
	    k->answers, k->equal, k->stalls);
	put_discarded(out, k->discarded);
	buf_puts(out, ",\"since\":");
	view_json_time(out, k->since);
	buf_puts(out, "}");
}

bool
view_json_vrrp(struct buf *out, const struct view *v, const char *name)
{
	for (unsigned i = 0; i < VIEW_VRRPS; i++)
		if (v->vrrps[i].name[0] != '\0' && strcmp(v->vrrps[i].name, name) == 0) {
			put_router(out, &v->vrrps[i]);
			return true;
		}
	return false;
}

void
view_json_vrrps(struct buf *out, const struct view *v)
{
	const char *comma = "";

	buf_puts(out, "[");
	for (unsigned i = 0; i < VIEW_VRRPS; i++) {
		const struct view_vrrp *k = &v->vrrps[i];

		if (k->name[0] == '\0')
			continue;
		buf_puts(out, comma);
		put_router(out, k);
		comma = ",";
	}
	buf_puts(out, "]");
}
