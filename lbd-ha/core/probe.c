/* probe.c - questions as frames, answers from a packet socket that is open only while they are expected.
 *
 * A kernel filter keeps everything but ARP and neighbour advertisements away. What the answer says is believed only for
 * an address that was asked for; whoever can forge it on the service network can also forge heartbeats away, and what it
 * can do here is to keep this node passive, for as long as it goes on. */
#include "core/probe.h"

#include "frame.h"

#include "base/be.h"
#include "base/buf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARP_LEN 42
#define NS_LEN 78 /* Ethernet 14, IPv6 40, solicitation 24 */

void
probe_init(struct probe *p)
{
	*p = (struct probe){ .fd = -1 };
}

void
probe_close(struct probe *p, int side, char word)
{
	struct iovec iov = { &word, 1 };
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .h = { .cmsg_len = CMSG_LEN(sizeof(int)),
			  .cmsg_level = SOL_SOCKET,
			  .cmsg_type = SCM_RIGHTS } };
	const struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };

	if (p->fd == -1)
		return;
	memcpy(CMSG_DATA(&control.h), &p->fd, sizeof(int));
	if (side != -1)
		(void)sendmsg(side, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)close(p->fd);
	p->fd = -1;
}

static int
open_socket(struct probe *p)
{
	/* ARP whole; IPv6 with next header 58 and type 136; nothing else. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 256),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int code_out = 0;

	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd == -1)
		return -errno;
	if (setsockopt(p->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == -1 ||
	    bind(p->fd, (struct sockaddr *)&all, sizeof(all)) == -1)
		code_out = -errno;
	if (code_out != 0)
		probe_close(p, -1, 0);
	return code_out;
}

size_t
probe_arp(uint8_t *out, const uint8_t mac[6], const struct addr *a)
{
	uint8_t *p = out;

	memset(out, 0, FRAME_MAX);
	memset(p, 0xff, 6);
	memcpy(p + 6, mac, 6);
	p = be_put16(p + 12, ETH_P_ARP);
	p = be_put16(p, 1);
	p = be_put16(p, ETH_P_IP);
	*p++ = 6;
	*p++ = 4;
	p = be_put16(p, 1); /* request */
	memcpy(p, mac, 6);
	memcpy(p + 20 - 4, a->b, 4); /* behind sender 6 + 4 and target 6 */
	return ARP_LEN;
}

/* RFC 1071 over the pseudo header and the message. */
static unsigned
checksum(const uint8_t *addresses, const uint8_t *icmp, unsigned len)
{
	uint32_t s = len + IPPROTO_ICMPV6;

	for (unsigned i = 0; i < 32; i += 2)
		s += (uint32_t)addresses[i] << 8 | addresses[i + 1];
	for (unsigned i = 0; i < len; i += 2)
		s += (uint32_t)icmp[i] << 8 | icmp[i + 1];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

size_t
probe_ns(uint8_t *out, const uint8_t mac[6], const struct addr *a)
{
	static const uint8_t node[13] = { 0xff, 2, [11] = 1, [12] = 0xff };
	uint8_t *ip = out + 14, *icmp = ip + 40;

	memset(out, 0, FRAME_MAX);
	memcpy(out, (const uint8_t[]){ 0x33, 0x33, 0xff }, 3);
	memcpy(out + 3, a->b + 13, 3);
	memcpy(out + 6, mac, 6);
	(void)be_put16(out + 12, ETH_P_IPV6);
	ip[0] = 0x60;
	(void)be_put16(ip + 4, 24);
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255;
	memcpy(ip + 24, node, sizeof(node)); /* solicited-node group; the source stays :: */
	memcpy(ip + 37, a->b + 13, 3);
	icmp[0] = 135;
	memcpy(icmp + 8, a->b, 16);
	(void)be_put16(icmp + 2, checksum(ip + 8, icmp, 24));
	return NS_LEN;
}

bool
probe_parse(const void *frame, size_t len, struct addr *a_out, uint8_t mac_out[6])
{
	const uint8_t *f = frame;
	unsigned type = len >= 14 ? (unsigned)f[12] << 8 | f[13] : 0;

	*a_out = (struct addr){ 0 };
	if (type == ETH_P_ARP && len >= ARP_LEN && f[20] == 0 && f[21] == 2) {
		a_out->family = 4;
		a_out->len = 32;
		memcpy(a_out->b, f + 28, 4);
		memcpy(mac_out, f + 22, 6);
		return true;
	}
	if (type == ETH_P_IPV6 && len >= NS_LEN && f[20] == IPPROTO_ICMPV6 && f[21] == 255 &&
	    f[54] == 136) {
		a_out->family = 6;
		a_out->len = 128;
		memcpy(a_out->b, f + 62, 16);
		memcpy(mac_out, f + 6, 6);
		return true;
	}
	return false;
}

/* The virtual router whose device this is; NULL. */
static const struct shared_vrrp *
router_at(const struct shared_want *w, int32_t index)
{
	for (unsigned i = 0; i < SHARED_VRRPS; i++)
		if (w->vrrp[i].id != 0 && w->vrrp[i].vmac[0] != '\0' &&
		    w->vrrp[i].vmac_index == index)
			return &w->vrrp[i];
	return NULL;
}

static bool
has_virtual(const struct shared_want *w, int32_t index)
{
	const struct shared_vrrp *v = router_at(w, index);

	return v != NULL && !v->ipvlan;
}

/* From the interface itself, with its own hardware address: the virtual one is the other node's now. */
static void
ask_one(const struct probe *p, const struct shared_want *w, const struct shared_addr *s)
{
	const struct shared_vrrp *v = router_at(w, s->index);
	const uint8_t *mac = v != NULL ? v->mac : s->mac;
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_ifindex = v != NULL ? v->index : s->index,
		.sll_halen = 6 };
	uint8_t bytes[FRAME_MAX];
	size_t len =
	    s->addr.family == 4 ? probe_arp(bytes, mac, &s->addr) : probe_ns(bytes, mac, &s->addr);

	to.sll_protocol = htons(s->addr.family == 4 ? ETH_P_ARP : ETH_P_IPV6);
	memcpy(to.sll_addr, bytes, 6);
	(void)sendto(p->fd, bytes, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
}

int
probe_ask(struct probe *p, const struct shared_want *w, unsigned groups, dur_t every, mono_t now)
{
	unsigned asked[SHARED_SETS] = { 0 };
	int rc = 0;

	if (now < p->next)
		return 0;
	p->next = now + every;
	p->every = every;
	if (w->macs == 0)
		return 0; /* nobody whose answer would count is known */
	if (p->fd == -1)
		rc = open_socket(p);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < w->n; i++) {
		const struct shared_addr *s = &w->a[i];

		if ((groups >> s->group & 1) != 0 && s->tell && asked[s->group]++ < PROBE_ASKED)
			ask_one(p, w, s);
	}
	return 0;
}

static bool
is_peers(const struct shared_want *w, const uint8_t mac[6])
{
	for (unsigned i = 0; i < w->macs; i++)
		if (memcmp(w->peer_mac[i], mac, 6) == 0)
			return true;
	for (unsigned i = 0; i < w->n; i++) /* a virtual one, which is not ours while we ask */
		if (memcmp(w->a[i].mac, mac, 6) == 0 && has_virtual(w, w->a[i].index))
			return true;
	return false;
}

void
probe_read(struct probe *p, const struct shared_want *w, mono_t now)
{
	uint8_t bytes[256], mac[6];
	struct addr a;
	ssize_t n;

	while (p->fd != -1 && (n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		if (!probe_parse(bytes, (size_t)n, &a, mac) || !is_peers(w, mac))
			continue;
		for (uint32_t i = 0; i < w->n; i++)
			if (addr_same_host(&w->a[i].addr, &a))
				p->answered[w->a[i].group] = now;
	}
}

bool
probe_is_answered(const struct probe *p, unsigned group, mono_t now)
{
	return p->answered[group] != 0 && now - p->answered[group] < PROBE_KEEP * p->every;
}
