/* Connection tracking, asked for one connection: what the server's answers are sent to (linux/netfilter/
 * nfnetlink_conntrack.h; the reply's destination). IPVS keeps its connections there while a service is of mode snat. */
#include "conns/track.h"

#include "base/buf.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ROOM 2048
#define HEAD (NLMSG_HDRLEN + sizeof(struct nfgenmsg))

struct question {
	uint8_t p[256] __attribute__((aligned(8)));
	size_t len;
};

/* Returns where it begins, for end_nest. */
static size_t
put(struct question *q, unsigned type, const void *data, size_t n)
{
	struct nlattr a = { .nla_type = (uint16_t)type, .nla_len = (uint16_t)(NLA_HDRLEN + n) };
	size_t at = q->len;

	memcpy(q->p + at, &a, sizeof(a));
	if (n > 0)
		memcpy(q->p + at + NLA_HDRLEN, data, n);
	q->len += NLA_ALIGN(NLA_HDRLEN + n);
	return at;
}

static void
end_nest(struct question *q, size_t at)
{
	uint16_t len = (uint16_t)(q->len - at);

	memcpy(q->p + at, &len, sizeof(len));
}

static void
put_tuple(struct question *q, const struct entry *e)
{
	bool v6 = e->client.family == 6;
	size_t bytes = v6 ? 16 : 4, tuple, in;
	uint16_t from = htons(e->client_port), to = htons(e->virtual_port);

	tuple = put(q, CTA_TUPLE_ORIG | NLA_F_NESTED, NULL, 0);
	in = put(q, CTA_TUPLE_IP | NLA_F_NESTED, NULL, 0);
	(void)put(q, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, e->client.b, bytes);
	(void)put(q, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, e->virtual.b, bytes);
	end_nest(q, in);
	in = put(q, CTA_TUPLE_PROTO | NLA_F_NESTED, NULL, 0);
	(void)put(q, CTA_PROTO_NUM, &e->protocol, 1);
	(void)put(q, CTA_PROTO_SRC_PORT, &from, 2);
	(void)put(q, CTA_PROTO_DST_PORT, &to, 2);
	end_nest(q, in);
	end_nest(q, tuple);
}

/* The attribute of a type within r; false: there is none. */
static bool
find(struct rd r, unsigned type, struct rd *out)
{
	while (r.left >= NLA_HDRLEN) {
		struct nlattr a;
		size_t n;

		memcpy(&a, rd_bytes(&r, NLA_HDRLEN), sizeof(a));
		if (a.nla_len < NLA_HDRLEN || (size_t)a.nla_len - NLA_HDRLEN > r.left)
			return false;
		n = (size_t)a.nla_len - NLA_HDRLEN;
		*out = rd_sub(&r, n);
		if ((a.nla_type & NLA_TYPE_MASK) == type)
			return true;
		n = NLA_ALIGN(n) - n;
		(void)rd_bytes(&r, n < r.left ? n : r.left);
	}
	return false;
}

static int
take(struct rd r, unsigned family, struct addr *addr_out, uint16_t *port_out)
{
	struct rd reply, in, v;
	struct addr a = { .family = (uint8_t)family, .len = family == 6 ? 128 : 32 };

	if (!find(r, CTA_TUPLE_REPLY, &reply) || !find(reply, CTA_TUPLE_IP, &in) ||
	    !find(in, family == 6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, &v) ||
	    v.left != (family == 6 ? 16 : 4))
		return -EBADMSG;
	memcpy(a.b, v.p, v.left);
	if (!find(reply, CTA_TUPLE_PROTO, &in) || !find(in, CTA_PROTO_DST_PORT, &v) || v.left != 2)
		return -EBADMSG;
	*port_out = (uint16_t)rd_be(&v, 2);
	*addr_out = a;
	return 0;
}

int
track_open(void)
{
	const struct timeval wait = { .tv_sec = 1 }; /* the kernel answers at once */
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd == -1)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

int
track_find(int fd, const struct entry *e, struct addr *addr_out, uint16_t *port_out)
{
	struct nlmsghdr h = { .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
		.nlmsg_flags = NLM_F_REQUEST };
	const struct nfgenmsg g = { .nfgen_family = e->client.family == 6 ? AF_INET6 : AF_INET,
		.version = NFNETLINK_V0 };
	struct question q = { .len = HEAD };
	uint8_t answer[ROOM] __attribute__((aligned(8)));
	struct rd r;
	int32_t code;
	ssize_t n;

	put_tuple(&q, e);
	h.nlmsg_len = (uint32_t)q.len;
	memcpy(q.p, &h, sizeof(h));
	memcpy(q.p + NLMSG_HDRLEN, &g, sizeof(g));
	if (send(fd, q.p, q.len, 0) == -1)
		return -errno;
	n = recv(fd, answer, sizeof(answer), 0);
	if (n == -1)
		return -errno;
	if (n < (ssize_t)HEAD)
		return -EBADMSG;
	memcpy(&h, answer, sizeof(h));
	if (h.nlmsg_type == NLMSG_ERROR) {
		memcpy(&code, answer + NLMSG_HDRLEN, sizeof(code));
		return code < 0 ? code : -EBADMSG;
	}
	r = (struct rd){ .p = answer + HEAD, .left = (size_t)n - HEAD };
	return take(r, e->client.family, addr_out, port_out);
}
