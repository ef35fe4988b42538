/* wire_in.c - what the kernel answers, read through bounded getters: nothing is cast, every length is checked, and what
 * is not known is passed over, so that a newer kernel may say more.
 *
 * Counters are taken from the 64-bit nests and, where an older kernel has none, from the others.
 *
 * Source: ip_vs_genl_fill_service, _fill_dest, _fill_stats64, _fill_daemon of net/netfilter/ipvs/ip_vs_ctl.c. */
#include "kernel/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>

/* One attribute; false at the end, and when the bytes are no attribute (r->bad tells). */
static bool
next_attr(struct rd *r, uint16_t *type_out, struct rd *value_out)
{
	struct nlattr a;
	const void *p;
	size_t pad;

	if (r->bad || r->left < sizeof(a))
		return false;
	p = rd_bytes(r, sizeof(a));
	memcpy(&a, p, sizeof(a));
	if (a.nla_len < NLA_HDRLEN) {
		r->bad = true;
		return false;
	}
	*type_out = a.nla_type & NLA_TYPE_MASK;
	*value_out = rd_sub(r, (size_t)a.nla_len - NLA_HDRLEN);
	pad = NLA_ALIGN(a.nla_len) - a.nla_len;
	(void)rd_bytes(r, pad < r->left ? pad : r->left);
	return !r->bad;
}

/* Numbers in the machine's order, of exactly this size. */
static uint64_t
number(struct rd *v, size_t bytes)
{
	uint64_t n8 = 0;
	uint32_t n4;
	uint16_t n2;
	const uint8_t *p = v->left == bytes ? rd_bytes(v, bytes) : NULL;

	if (p == NULL) {
		v->bad = true;
		return 0;
	}
	switch (bytes) {
	case 1: return p[0];
	case 2: memcpy(&n2, p, 2); return n2;
	case 4: memcpy(&n4, p, 4); return n4;
	default: memcpy(&n8, p, 8); return n8;
	}
}

static void
text(struct rd *v, char *out, size_t room)
{
	size_t n = v->left;
	const char *p = rd_bytes(v, n);

	memset(out, 0, room);
	if (p == NULL)
		return;
	n = strnlen(p, n);
	if (n >= room)
		v->bad = true;
	else
		memcpy(out, p, n);
}

/* Of the kernel's union of 16 bytes the family says how many count. */
static bool
host(const uint8_t raw[16], uint16_t af, struct addr *out)
{
	if (af != AF_INET && af != AF_INET6)
		return false;
	*out = (struct addr){ .family = af == AF_INET ? 4 : 6, .len = af == AF_INET ? 32 : 128 };
	memcpy(out->b, raw, af == AF_INET ? 4 : 16);
	return true;
}

static bool
raw_address(struct rd *v, uint8_t out[16])
{
	size_t n = v->left;
	const void *p = n <= 16 && n >= 4 ? rd_bytes(v, n) : NULL;

	if (p == NULL)
		return false;
	memcpy(out, p, n);
	return true;
}

static void
counts(struct rd *nest, size_t bytes, struct ipvs_counts *out)
{
	uint16_t type;
	struct rd v;

	while (next_attr(nest, &type, &v)) {
		switch (type) {
		case IPVS_STATS_ATTR_CONNS: out->conns = number(&v, bytes); break;
		case IPVS_STATS_ATTR_INPKTS: out->packets_in = number(&v, bytes); break;
		case IPVS_STATS_ATTR_OUTPKTS: out->packets_out = number(&v, bytes); break;
		case IPVS_STATS_ATTR_INBYTES: out->bytes_in = number(&v, 8); break;
		case IPVS_STATS_ATTR_OUTBYTES: out->bytes_out = number(&v, 8); break;
		}
	}
}

int
wire_next(struct rd *r, struct wire_msg *out)
{
	struct nlmsghdr h;
	struct genlmsghdr g;
	const void *p;
	size_t body;
	int32_t code;

	if (r->left == 0)
		return 0;
	p = rd_bytes(r, sizeof(h));
	if (p == NULL)
		return -EBADMSG;
	memcpy(&h, p, sizeof(h));
	if (h.nlmsg_len < NLMSG_HDRLEN)
		return -EBADMSG;
	body = h.nlmsg_len - NLMSG_HDRLEN;
	*out = (struct wire_msg){ .seq = h.nlmsg_seq, .body = rd_sub(r, body) };
	body = NLMSG_ALIGN(h.nlmsg_len) - h.nlmsg_len;
	(void)rd_bytes(r, body < r->left ? body : r->left);
	if (h.nlmsg_type == NLMSG_ERROR || h.nlmsg_type == NLMSG_DONE) {
		out->kind = h.nlmsg_type == NLMSG_ERROR ? WIRE_ERROR : WIRE_DONE;
		p = rd_bytes(&out->body, sizeof(code));
		if (p != NULL)
			memcpy(&code, p, sizeof(code));
		else if (out->kind == WIRE_DONE)
			code = 0;
		else
			return -EBADMSG;
		out->code = code;
		return r->bad ? -EBADMSG : 1;
	}
	p = rd_bytes(&out->body, sizeof(g));
	if (p == NULL || r->bad)
		return -EBADMSG;
	memcpy(&g, p, sizeof(g));
	out->cmd = g.cmd;
	return 1;
}

/* The nest that a message of this command carries. */
static bool
nest_of(const struct wire_msg *m, uint16_t wanted, struct rd *out)
{
	struct rd r = m->body;
	uint16_t type;

	while (next_attr(&r, &type, out))
		if (type == wanted)
			return true;
	return false;
}

static uint32_t
mask_length(uint32_t raw, uint16_t af)
{
	uint32_t mask = ntohl(raw), bits = 0;

	if (af == AF_INET6)
		return raw <= 128 ? raw : NETMASK_ODD;
	while (bits < 32 && (mask & (UINT32_C(1) << (31 - bits))) != 0)
		bits++;
	return bits == 32 || mask << bits == 0 ? bits : NETMASK_ODD;
}

/* What means something only together with the rest. */
struct raw {
	uint16_t af;
	uint8_t addr[16];
	bool has_addr;
	uint32_t mask;
	struct rd stats, stats64;
};

static void
take_counts(struct raw *raw, struct ipvs_counts *out)
{
	if (raw->stats64.p != NULL)
		counts(&raw->stats64, 8, out);
	else
		counts(&raw->stats, 4, out);
}

static void
service_attr(uint16_t type, struct rd *v, struct ipvs_service *s, struct raw *raw)
{
	struct ip_vs_flags flags;
	const void *p;

	switch (type) {
	case IPVS_SVC_ATTR_AF: raw->af = (uint16_t)number(v, 2); break;
	case IPVS_SVC_ATTR_PROTOCOL: s->key.protocol = (uint8_t)number(v, 2); break;
	case IPVS_SVC_ATTR_ADDR: raw->has_addr = raw_address(v, raw->addr); break;
	case IPVS_SVC_ATTR_PORT: s->key.port = (uint16_t)rd_be(v, 2); break;
	case IPVS_SVC_ATTR_FWMARK: s->key.mark = (uint32_t)number(v, 4); break;
	case IPVS_SVC_ATTR_SCHED_NAME: text(v, s->scheduler, sizeof(s->scheduler)); break;
	case IPVS_SVC_ATTR_PE_NAME: text(v, s->pe, sizeof(s->pe)); break;
	case IPVS_SVC_ATTR_TIMEOUT: s->timeout_s = (uint32_t)number(v, 4); break;
	case IPVS_SVC_ATTR_NETMASK: raw->mask = (uint32_t)number(v, 4); break;
	case IPVS_SVC_ATTR_FLAGS:
		p = rd_bytes(v, sizeof(flags));
		if (p == NULL)
			break;
		memcpy(&flags, p, sizeof(flags));
		s->flags = flags.flags & ~(uint32_t)IP_VS_SVC_F_HASHED;
		break;
	case IPVS_SVC_ATTR_STATS64: raw->stats64 = *v; break;
	case IPVS_SVC_ATTR_STATS: raw->stats = *v; break;
	}
}

int
wire_get_service(const struct wire_msg *m, struct ipvs_service *out)
{
	struct raw raw = { 0 };
	struct rd nest, v;
	uint16_t type;

	*out = (struct ipvs_service){ 0 };
	if (!nest_of(m, IPVS_CMD_ATTR_SERVICE, &nest))
		return -EBADMSG;
	while (next_attr(&nest, &type, &v)) {
		service_attr(type, &v, out, &raw);
		if (v.bad)
			return -EBADMSG;
	}
	if (nest.bad || (raw.af != AF_INET && raw.af != AF_INET6))
		return -EBADMSG;
	out->key.family = raw.af == AF_INET ? 4 : 6;
	out->netmask = mask_length(raw.mask, raw.af);
	take_counts(&raw, &out->counts);
	if (out->key.mark != 0)
		return 0;
	return raw.has_addr && host(raw.addr, raw.af, &out->key.addr) ? 0 : -EBADMSG;
}

static void
dest_attr(uint16_t type, struct rd *v, struct ipvs_dest *d, struct raw *raw)
{
	switch (type) {
	case IPVS_DEST_ATTR_ADDR_FAMILY: raw->af = (uint16_t)number(v, 2); break;
	case IPVS_DEST_ATTR_ADDR: raw->has_addr = raw_address(v, raw->addr); break;
	case IPVS_DEST_ATTR_PORT: d->port = (uint16_t)rd_be(v, 2); break;
	case IPVS_DEST_ATTR_FWD_METHOD:
		d->forward = (uint8_t)(number(v, 4) & IP_VS_CONN_F_FWD_MASK);
		break;
	case IPVS_DEST_ATTR_WEIGHT: d->weight = (uint32_t)number(v, 4); break;
	case IPVS_DEST_ATTR_U_THRESH: d->upper = (uint32_t)number(v, 4); break;
	case IPVS_DEST_ATTR_L_THRESH: d->lower = (uint32_t)number(v, 4); break;
	case IPVS_DEST_ATTR_ACTIVE_CONNS: d->active = (uint32_t)number(v, 4); break;
	case IPVS_DEST_ATTR_INACT_CONNS: d->inactive = (uint32_t)number(v, 4); break;
	case IPVS_DEST_ATTR_PERSIST_CONNS: d->persistent = (uint32_t)number(v, 4); break;
	case IPVS_DEST_ATTR_TUN_TYPE: d->tunnel = (uint8_t)number(v, 1); break;
	case IPVS_DEST_ATTR_TUN_PORT: d->tunnel_port = (uint16_t)rd_be(v, 2); break;
	case IPVS_DEST_ATTR_TUN_FLAGS: d->tunnel_flags = (uint16_t)number(v, 2); break;
	case IPVS_DEST_ATTR_STATS64: raw->stats64 = *v; break;
	case IPVS_DEST_ATTR_STATS: raw->stats = *v; break;
	}
}

int
wire_get_dest(const struct wire_msg *m, struct ipvs_dest *out)
{
	struct raw raw = { 0 };
	struct rd nest, v;
	uint16_t type;

	*out = (struct ipvs_dest){ 0 };
	if (!nest_of(m, IPVS_CMD_ATTR_DEST, &nest))
		return -EBADMSG;
	while (next_attr(&nest, &type, &v)) {
		dest_attr(type, &v, out, &raw);
		if (v.bad)
			return -EBADMSG;
	}
	if (nest.bad || !raw.has_addr || !host(raw.addr, raw.af, &out->addr))
		return -EBADMSG;
	take_counts(&raw, &out->counts);
	return 0;
}

int
wire_get_info(const struct wire_msg *m, uint32_t *version_out, uint32_t *size_out)
{
	struct rd r = m->body, v;
	uint16_t type;

	*version_out = *size_out = 0;
	while (next_attr(&r, &type, &v)) {
		if (type == IPVS_INFO_ATTR_VERSION)
			*version_out = (uint32_t)number(&v, 4);
		else if (type == IPVS_INFO_ATTR_CONN_TAB_SIZE)
			*size_out = (uint32_t)number(&v, 4);
		if (v.bad)
			return -EBADMSG;
	}
	return r.bad || *version_out == 0 ? -EBADMSG : 0;
}

int
wire_get_timeouts(const struct wire_msg *m, struct ipvs_timeouts *out)
{
	struct rd r = m->body, v;
	uint16_t type;

	*out = (struct ipvs_timeouts){ 0 };
	while (next_attr(&r, &type, &v)) {
		if (type == IPVS_CMD_ATTR_TIMEOUT_TCP)
			out->tcp_s = (uint32_t)number(&v, 4);
		else if (type == IPVS_CMD_ATTR_TIMEOUT_TCP_FIN)
			out->fin_s = (uint32_t)number(&v, 4);
		else if (type == IPVS_CMD_ATTR_TIMEOUT_UDP)
			out->udp_s = (uint32_t)number(&v, 4);
		if (v.bad)
			return -EBADMSG;
	}
	return r.bad ? -EBADMSG : 0;
}

int
wire_get_sync(const struct wire_msg *m, unsigned *state_out, struct ipvs_sync *out)
{
	uint8_t raw[16] = { 0 };
	struct rd nest, v;
	uint16_t type;

	*out = (struct ipvs_sync){ .on = true };
	*state_out = 0;
	if (!nest_of(m, IPVS_CMD_ATTR_DAEMON, &nest))
		return -EBADMSG;
	while (next_attr(&nest, &type, &v)) {
		switch (type) {
		case IPVS_DAEMON_ATTR_STATE: *state_out = (unsigned)number(&v, 4); break;
		case IPVS_DAEMON_ATTR_MCAST_IFN:
			text(&v, out->interface, sizeof(out->interface));
			break;
		case IPVS_DAEMON_ATTR_SYNC_ID: out->id = (uint8_t)number(&v, 4); break;
		case IPVS_DAEMON_ATTR_SYNC_MAXLEN: out->maxlen = (uint16_t)number(&v, 2); break;
		case IPVS_DAEMON_ATTR_MCAST_PORT: out->port = (uint16_t)number(&v, 2); break;
		case IPVS_DAEMON_ATTR_MCAST_TTL: out->ttl = (uint8_t)number(&v, 1); break;
		case IPVS_DAEMON_ATTR_MCAST_GROUP:
		case IPVS_DAEMON_ATTR_MCAST_GROUP6:
			if (raw_address(&v, raw))
				(void)host(raw,
				    type == IPVS_DAEMON_ATTR_MCAST_GROUP ? AF_INET : AF_INET6,
				    &out->group);
			break;
		}
		if (v.bad)
			return -EBADMSG;
	}
	return nest.bad || *state_out == 0 ? -EBADMSG : 0;
}
