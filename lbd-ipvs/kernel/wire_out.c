/* wire_out.c - requests to the kernel's IPVS, attribute by attribute.
 *
 * A service is named by family and mark, or family, protocol, address and port; a destination always with its own
 * address family, because a tunnel may lead to another one than the service's. Addresses are sent with 16 bytes as
 * the kernel's union has them. IP_VS_SVC_F_HASHED is the kernel's own and never sent, nor masked in.
 *
 * Source: ip_vs_genl_parse_service, ip_vs_genl_parse_dest, ip_vs_genl_new_daemon of net/netfilter/ipvs/ip_vs_ctl.c. */
#include "kernel/wire.h"

#include "base/must.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>

static const uint8_t padding[NLA_ALIGNTO];

static void
put_attr(struct buf *b, uint16_t type, const void *value, size_t n)
{
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + n), .nla_type = type };

	buf_put(b, &a, sizeof(a));
	buf_put(b, value, n);
	buf_put(b, padding, NLA_ALIGN(n) - n);
}

static void
put_u8(struct buf *b, uint16_t type, uint8_t v)
{
	put_attr(b, type, &v, sizeof(v));
}

static void
put_u16(struct buf *b, uint16_t type, uint16_t v)
{
	put_attr(b, type, &v, sizeof(v));
}

static void
put_u32(struct buf *b, uint16_t type, uint32_t v)
{
	put_attr(b, type, &v, sizeof(v));
}

static void
put_text(struct buf *b, uint16_t type, const char *text, size_t room)
{
	char copy[IPVS_NAME] = "";

	must(room <= sizeof(copy));
	memcpy(copy, text, strnlen(text, room - 1));
	put_attr(b, type, copy, strlen(copy) + 1);
}

/* A nested attribute's length is known when it ends. */
static size_t
begin_nest(struct buf *b, uint16_t type)
{
	struct nlattr a = { .nla_type = type };

	buf_put(b, &a, sizeof(a));
	return b->len - sizeof(a);
}

static void
end_nest(struct buf *b, size_t at)
{
	uint16_t len = (uint16_t)(b->len - at);

	memcpy(b->p + at + offsetof(struct nlattr, nla_len), &len, sizeof(len));
}

static size_t
begin(struct buf *b, const struct wire_head *h, uint8_t cmd)
{
	struct nlmsghdr n = {
		.nlmsg_type = h->family,
		.nlmsg_flags = NLM_F_REQUEST | h->flags,
		.nlmsg_seq = h->seq,
	};
	struct genlmsghdr g = { .cmd = cmd, .version = IPVS_GENL_VERSION };
	size_t at = b->len;

	buf_put(b, &n, sizeof(n));
	buf_put(b, &g, sizeof(g));
	return at;
}

static void
end(struct buf *b, size_t at)
{
	uint32_t len = (uint32_t)(b->len - at);

	memcpy(b->p + at + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
}

static uint16_t
af_of(uint8_t family)
{
	return family == 6 ? AF_INET6 : AF_INET;
}

static void
put_key(struct buf *b, const struct ipvs_key *k)
{
	put_u16(b, IPVS_SVC_ATTR_AF, af_of(k->family));
	if (k->mark != 0) {
		put_u32(b, IPVS_SVC_ATTR_FWMARK, k->mark);
		return;
	}
	put_u16(b, IPVS_SVC_ATTR_PROTOCOL, k->protocol);
	put_attr(b, IPVS_SVC_ATTR_ADDR, k->addr.b, sizeof(k->addr.b));
	put_u16(b, IPVS_SVC_ATTR_PORT, htons(k->port));
}

/* IPv4: a mask in network order, of no bit too; IPv6: the number of leading bits, from 1. */
static uint32_t
mask_bits(const struct ipvs_service *s)
{
	if (s->key.family == 6)
		return s->netmask == 0 || s->netmask > 128 ? 128 : s->netmask;
	if (s->netmask == 0)
		return 0;
	return s->netmask > 32 ? UINT32_MAX : htonl(UINT32_MAX << (32 - s->netmask));
}

static void
put_settings(struct buf *b, const struct ipvs_service *s)
{
	struct ip_vs_flags flags = {
		.flags = s->flags & ~(uint32_t)IP_VS_SVC_F_HASHED,
		.mask = ~(uint32_t)IP_VS_SVC_F_HASHED,
	};

	put_text(b, IPVS_SVC_ATTR_SCHED_NAME, s->scheduler, sizeof(s->scheduler));
	if (s->pe[0] != '\0')
		put_text(b, IPVS_SVC_ATTR_PE_NAME, s->pe, sizeof(s->pe));
	put_attr(b, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	put_u32(b, IPVS_SVC_ATTR_TIMEOUT, s->timeout_s);
	put_u32(b, IPVS_SVC_ATTR_NETMASK, mask_bits(s));
}

static void
put_dest(struct buf *b, const struct ipvs_dest *d, bool whole)
{
	size_t nest = begin_nest(b, IPVS_CMD_ATTR_DEST);
	bool tunnel = d->forward == IPVS_TUN;

	put_u16(b, IPVS_DEST_ATTR_ADDR_FAMILY, af_of(d->addr.family));
	put_attr(b, IPVS_DEST_ATTR_ADDR, d->addr.b, sizeof(d->addr.b));
	put_u16(b, IPVS_DEST_ATTR_PORT, htons(d->port));
	if (whole) {
		put_u32(b, IPVS_DEST_ATTR_FWD_METHOD, d->forward);
		put_u32(b, IPVS_DEST_ATTR_WEIGHT, d->weight);
		put_u32(b, IPVS_DEST_ATTR_U_THRESH, d->upper);
		put_u32(b, IPVS_DEST_ATTR_L_THRESH, d->lower);
		put_u8(b, IPVS_DEST_ATTR_TUN_TYPE, tunnel ? d->tunnel : 0);
		put_u16(b, IPVS_DEST_ATTR_TUN_PORT, tunnel ? htons(d->tunnel_port) : 0);
		put_u16(b, IPVS_DEST_ATTR_TUN_FLAGS, tunnel ? d->tunnel_flags : 0);
	}
	end_nest(b, nest);
}

void
wire_put_op(struct buf *b, const struct wire_head *h, const struct ipvs_op *op)
{
	static const uint8_t cmd[] = {
		[OP_NEW_SERVICE] = IPVS_CMD_NEW_SERVICE,
		[OP_SET_SERVICE] = IPVS_CMD_SET_SERVICE,
		[OP_DEL_SERVICE] = IPVS_CMD_DEL_SERVICE,
		[OP_NEW_DEST] = IPVS_CMD_NEW_DEST,
		[OP_SET_DEST] = IPVS_CMD_SET_DEST,
		[OP_DEL_DEST] = IPVS_CMD_DEL_DEST,
	};
	size_t at, nest;

	must(op->kind < ARRAY_LEN(cmd));
	at = begin(b, h, cmd[op->kind]);
	nest = begin_nest(b, IPVS_CMD_ATTR_SERVICE);
	put_key(b, &op->service->key);
	if (op->kind == OP_NEW_SERVICE || op->kind == OP_SET_SERVICE)
		put_settings(b, op->service);
	end_nest(b, nest);
	if (op->dest != NULL)
		put_dest(b, op->dest, op->kind != OP_DEL_DEST);
	end(b, at);
}

void
wire_put_get(struct buf *b, const struct wire_head *h, uint8_t cmd, const struct ipvs_key *key)
{
	size_t at = begin(b, h, cmd), nest;

	if (key != NULL) {
		nest = begin_nest(b, IPVS_CMD_ATTR_SERVICE);
		put_key(b, key);
		end_nest(b, nest);
	}
	end(b, at);
}

void
wire_put_timeouts(struct buf *b, const struct wire_head *h, const struct ipvs_timeouts *t)
{
	size_t at = begin(b, h, IPVS_CMD_SET_CONFIG);

	if (t->tcp_s != 0)
		put_u32(b, IPVS_CMD_ATTR_TIMEOUT_TCP, t->tcp_s);
	if (t->fin_s != 0)
		put_u32(b, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, t->fin_s);
	if (t->udp_s != 0)
		put_u32(b, IPVS_CMD_ATTR_TIMEOUT_UDP, t->udp_s);
	end(b, at);
}

void
wire_put_sync(struct buf *b, const struct wire_head *h, unsigned state, const struct ipvs_sync *s)
{
	size_t at = begin(b, h, s->on ? IPVS_CMD_NEW_DAEMON : IPVS_CMD_DEL_DAEMON);
	size_t nest = begin_nest(b, IPVS_CMD_ATTR_DAEMON);

	put_u32(b, IPVS_DAEMON_ATTR_STATE, state);
	if (s->on) {
		put_text(b, IPVS_DAEMON_ATTR_MCAST_IFN, s->interface, sizeof(s->interface));
		put_u32(b, IPVS_DAEMON_ATTR_SYNC_ID, s->id);
		if (s->group.family == 4)
			put_attr(b, IPVS_DAEMON_ATTR_MCAST_GROUP, s->group.b, 4);
		if (s->group.family == 6)
			put_attr(b, IPVS_DAEMON_ATTR_MCAST_GROUP6, s->group.b, 16);
		if (s->port != 0)
			put_u16(b, IPVS_DAEMON_ATTR_MCAST_PORT, s->port);
		if (s->maxlen != 0)
			put_u16(b, IPVS_DAEMON_ATTR_SYNC_MAXLEN, s->maxlen);
		if (s->ttl != 0)
			put_u8(b, IPVS_DAEMON_ATTR_MCAST_TTL, s->ttl);
	}
	end_nest(b, nest);
	end(b, at);
}
