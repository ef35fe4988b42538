/* The node's addresses over rtnetlink: a list of what is there, adding and deleting floating ones, macvlan and ipvlan links for
 * virtual MAC addresses, and a descriptor that tells of changes. Messages are made and read attribute by attribute,
 * because libnl-route does not know who set an address (IFA_PROTO), and that is how an address of ours is told from an
 * administrator's.
 *
 * Nothing is remembered here, and no decision is made: lbd-ha knows which addresses should be where. */
#include "sys/netlink.h"
#include "base/mem.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_PROTO 0x6c /* IFA_PROTO of floating addresses; the kernel uses 1 to 3 */
#define LABEL_END ":lbd"   /* for IPv4, where older tools see it too */
#define DUMP_TRIES 3

struct link {
	int index;
	char name[IFNAME_MAX];
	bool up, loopback;
	uint8_t mac[6];
	uint32_t carriers;
};
struct dump {
	struct link *links;
	unsigned links_n;
	struct iface_list *out;
	struct link_info *link;
	int error; /* of the kernel's answer; -errno */
};

static int
on_link(struct nl_msg *msg, void *arg)
{
	struct dump *d = arg;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct ifinfomsg *info = nlmsg_data(h);
	struct nlattr *at[IFLA_MAX + 1];
	struct link *k;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(*info), at, IFLA_MAX, NULL) < 0 ||
	    at[IFLA_IFNAME] == NULL)
		return NL_OK;
	d->links = mem_grow(d->links, (d->links_n + 1) * sizeof(*d->links));
	k = &d->links[d->links_n++];
	*k = (struct link){ .index = info->ifi_index };
	k->up = (info->ifi_flags & IFF_UP) != 0;
	k->loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
	(void)nla_strlcpy(k->name, at[IFLA_IFNAME], sizeof(k->name));
	if (at[IFLA_ADDRESS] != NULL && nla_len(at[IFLA_ADDRESS]) == sizeof(k->mac))
		memcpy(k->mac, nla_data(at[IFLA_ADDRESS]), sizeof(k->mac));
	if (at[IFLA_CARRIER_UP_COUNT] != NULL && nla_len(at[IFLA_CARRIER_UP_COUNT]) == 4)
		k->carriers = nla_get_u32(at[IFLA_CARRIER_UP_COUNT]);
	return NL_OK;
}

/* IFA_LOCAL is the node's own end of a point-to-point link; IPv6 has IFA_ADDRESS only when there is no peer. */
static bool
take_addr(struct nlattr **at, const struct ifaddrmsg *info, struct addr *out)
{
	struct nlattr *a = at[IFA_LOCAL] != NULL ? at[IFA_LOCAL] : at[IFA_ADDRESS];
	int want = info->ifa_family == AF_INET ? 4 : 16;

	if (a == NULL || nla_len(a) != want ||
	    (info->ifa_family != AF_INET && info->ifa_family != AF_INET6))
		return false;
	*out = (struct addr){ .family = want == 4 ? 4 : 6, .len = info->ifa_prefixlen };
	memcpy(out->b, nla_data(a), (size_t)want);
	return true;
}

static bool
is_ours(struct nlattr **at)
{
	char label[IFNAME_MAX + 1] = "";
	size_t len;

	if (at[IFA_PROTO] != NULL && nla_len(at[IFA_PROTO]) >= 1 &&
	    nla_get_u8(at[IFA_PROTO]) == ADDRESS_PROTO)
		return true;
	if (at[IFA_LABEL] != NULL)
		(void)nla_strlcpy(label, at[IFA_LABEL], sizeof(label));
	len = strlen(label);
	return len > strlen(LABEL_END) && strcmp(label + len - strlen(LABEL_END), LABEL_END) == 0;
}

static int
on_address(struct nl_msg *msg, void *arg)
{
	struct dump *d = arg;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct ifaddrmsg *info = nlmsg_data(h);
	struct nlattr *at[IFA_MAX + 1];
	struct iface_addr *e;
	struct addr a;

	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*info), at, IFA_MAX, NULL) < 0 ||
	    !take_addr(at, info, &a))
		return NL_OK;
	d->out->a = mem_grow(d->out->a, (d->out->n + 1) * sizeof(*d->out->a));
	e = &d->out->a[d->out->n++];
	*e = (struct iface_addr){ .index = (int)info->ifa_index, .addr = a, .ours = is_ours(at) };
	for (unsigned i = 0; i < d->links_n; i++) {
		const struct link *k = &d->links[i];

		if (k->index != e->index)
			continue;
		memcpy(e->name, k->name, sizeof(e->name));
		memcpy(e->mac, k->mac, sizeof(e->mac));
		e->up = k->up;
		e->loopback = k->loopback;
		e->carriers = k->carriers;
	}
	return NL_OK;
}

static int
on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct dump *d = arg;

	(void)from;
	d->error = e->error;
	return NL_STOP;
}

static int
on_done(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_STOP;
}

/* Receives until the kernel has said all. libnl's codes lose the errno; ours comes from the error message itself. */
static int
receive(struct nl_sock *nl, nl_recvmsg_msg_cb_t on_valid, struct dump *d)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc;

	if (cb == NULL)
		return -ENOMEM;
	d->error = 0;
	if (on_valid != NULL)
		(void)nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, d);
	(void)nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_done, NULL);
	(void)nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_done, NULL);
	(void)nl_cb_err(cb, NL_CB_CUSTOM, on_error, d);
	rc = nl_recvmsgs(nl, cb);
	nl_cb_put(cb);
	if (d->error != 0)
		return d->error;
	return rc == -NLE_DUMP_INTR ? -EAGAIN : rc < 0 ? -EIO : 0;
}

static int
open_route(struct nl_sock **out)
{
	struct nl_sock *nl = nl_socket_alloc();
	int rc;

	if (nl == NULL)
		return -ENOMEM;
	rc = nl_connect(nl, NETLINK_ROUTE);
	if (rc < 0) {
		nl_socket_free(nl);
		return errno != 0 ? -errno : -EIO;
	}
	*out = nl;
	return 0;
}

static int
dump(struct nl_sock *nl, int type, nl_recvmsg_msg_cb_t on_valid, struct dump *d)
{
	struct rtgenmsg all = { .rtgen_family = AF_UNSPEC };

	if (nl_send_simple(nl, type, NLM_F_DUMP, &all, sizeof(all)) < 0)
		return -EIO;
	return receive(nl, on_valid, d);
}

static int
by_index_and_address(const void *a, const void *b)
{
	const struct iface_addr *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	if (x->addr.family != y->addr.family)
		return x->addr.family < y->addr.family ? -1 : 1;
	return memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
}

/* One try; -EAGAIN when something changed in the middle. */
static int
list_addresses(struct iface_list *out)
{
	struct dump d = { .out = out };
	struct nl_sock *nl = NULL;
	int code = open_route(&nl);

	if (code == 0)
		code = dump(nl, RTM_GETLINK, on_link, &d);
	if (code == 0)
		code = dump(nl, RTM_GETADDR, on_address, &d);
	free(d.links);
	nl_socket_free(nl);
	return code;
}

int
netlink_addresses(struct iface_list *out, struct err *err)
{
	struct iface_list l = { 0 };
	int code = -EAGAIN;

	for (int i = 0; i < DUMP_TRIES && code == -EAGAIN; i++) {
		iface_list_fini(&l);
		code = list_addresses(&l);
	}
	if (code != 0) {
		iface_list_fini(&l);
		return err_set(
		    err, code, "the addresses of this node cannot be read: %s", strerror(-code));
	}
	if (l.n > 0)
		qsort(l.a, l.n, sizeof(*l.a), by_index_and_address);
	*out = l;
	return 0;
}

void
iface_list_fini(struct iface_list *l)
{
	free(l->a);
	*l = (struct iface_list){ 0 };
}

const struct iface_addr *
iface_list_find(const struct iface_list *l, const struct addr *host, bool with_ours)
{
	for (unsigned i = 0; i < l->n; i++)
		if (addr_same_host(&l->a[i].addr, host) && (with_ours || !l->a[i].ours))
			return &l->a[i];
	return NULL;
}

const struct iface_addr *
iface_list_subnet(const struct iface_list *l, const struct addr *host)
{
	const struct iface_addr *best = NULL;

	for (unsigned i = 0; i < l->n; i++) {
		const struct iface_addr *e = &l->a[i];

		if (!e->up || e->ours || e->addr.len == (e->addr.family == 4 ? 32 : 128))
			continue;
		if (addr_contains(&e->addr, host) && (best == NULL || e->addr.len > best->addr.len))
			best = e;
	}
	return best;
}

/* The kernel wants the bytes, and for IPv6 how long the address may be used: for ever, but never as a source that it
 * chooses by itself. */
static int
put_address(struct nl_msg *msg, const char *ifname, const struct addr *a, bool add)
{
	const struct ifa_cacheinfo life = { .ifa_prefered = 0, .ifa_valid = 0xffffffff };
	size_t len = a->family == 4 ? 4 : 16;
	char label[64];
	int rc = nla_put(msg, IFA_LOCAL, (int)len, a->b);

	if (rc == 0)
		rc = nla_put(msg, IFA_ADDRESS, (int)len, a->b);
	if (rc != 0 || !add)
		return rc;
	rc = nla_put_u8(msg, IFA_PROTO, ADDRESS_PROTO);
	(void)snprintf(label, sizeof(label), "%s%s", ifname, LABEL_END);
	if (rc == 0 && a->family == 4 && strlen(label) < IFNAME_MAX)
		rc = nla_put_string(msg, IFA_LABEL, label);
	if (rc == 0 && a->family == 6)
		rc = nla_put(msg, IFA_CACHEINFO, sizeof(life), &life);
	return rc;
}

static struct nl_msg *
address_message(const char *ifname, unsigned index, const struct addr *a, bool add)
{
	struct ifaddrmsg info = {
		.ifa_family = a->family == 4 ? AF_INET : AF_INET6,
		.ifa_prefixlen = a->len,
		.ifa_flags = add && a->family == 6 ? IFA_F_NODAD : 0,
		.ifa_index = index,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(
	    add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0);

	if (msg != NULL && (nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) != 0 ||
			       put_address(msg, ifname, a, add) != 0)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

/* Sends msg (consumed; NULL is out of memory) and waits for the answer. */
static int
talk(struct nl_msg *msg, nl_recvmsg_msg_cb_t on_valid, struct dump *d)
{
	struct nl_sock *nl = NULL;
	int code = msg == NULL ? -ENOMEM : open_route(&nl);

	if (code == 0)
		code = nl_send_auto(nl, msg) < 0 ? -EIO : receive(nl, on_valid, d);
	nlmsg_free(msg);
	nl_socket_free(nl);
	return code;
}

static int
change_address(const char *ifname, const struct addr *a, bool add)
{
	struct dump d = { 0 };
	unsigned index = if_nametoindex(ifname);

	return index == 0 ? -ENODEV : talk(address_message(ifname, index, a, add), NULL, &d);
}

int
netlink_address_add(const char *ifname, const struct addr *a)
{
	int code = change_address(ifname, a, true);

	return code == -EEXIST ? 0 : code;
}

int
netlink_address_del(const char *ifname, const struct addr *a)
{
	int code = change_address(ifname, a, false);

	return code == -EADDRNOTAVAIL || code == -ENODEV ? 0 : code;
}

/* ---- links ---- */

static int
on_link_info(struct nl_msg *msg, void *arg)
{
	struct link_info *out = ((struct dump *)arg)->link;
	struct nlmsghdr *h = nlmsg_hdr(msg);
	struct ifinfomsg *info = nlmsg_data(h);
	struct nlattr *at[IFLA_MAX + 1], *of[IFLA_INFO_MAX + 1];

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(*info), at, IFLA_MAX, NULL) < 0)
		return NL_OK;
	out->index = info->ifi_index;
	out->up = (info->ifi_flags & IFF_UP) != 0;
	if (at[IFLA_LINK] != NULL && nla_len(at[IFLA_LINK]) == 4)
		out->parent = (int)nla_get_u32(at[IFLA_LINK]);
	if (at[IFLA_ADDRESS] != NULL && nla_len(at[IFLA_ADDRESS]) == sizeof(out->mac))
		memcpy(out->mac, nla_data(at[IFLA_ADDRESS]), sizeof(out->mac));
	if (at[IFLA_LINKINFO] != NULL &&
	    nla_parse_nested(of, IFLA_INFO_MAX, at[IFLA_LINKINFO], NULL) == 0 &&
	    of[IFLA_INFO_KIND] != NULL)
		(void)nla_strlcpy(out->kind, of[IFLA_INFO_KIND], sizeof(out->kind));
	return NL_OK;
}

static struct nl_msg *
link_message(int type, int flags, int index, const char *ifname, bool up)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (type == RTM_NEWLINK && (flags & NLM_F_CREATE) == 0) {
		info.ifi_flags = up ? IFF_UP : 0;
		info.ifi_change = IFF_UP;
	}
	if (msg != NULL && (nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) != 0 ||
			       (ifname != NULL && nla_put_string(msg, IFLA_IFNAME, ifname) != 0))) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

int
netlink_link_get(const char *ifname, struct link_info *out)
{
	struct link_info got = { 0 };
	struct dump d = { .link = &got };
	int code = talk(link_message(RTM_GETLINK, 0, 0, ifname, false), on_link_info, &d);

	if (code == 0 && got.index == 0)
		code = -ENODEV;
	if (code == 0)
		*out = got;
	return code;
}

/* mac NULL: an ipvlan, which has its parent's. */
static int
put_upper(struct nl_msg *msg, int parent, const uint8_t *mac)
{
	struct nlattr *info, *data;
	int rc;

	if (nla_put_u32(msg, IFLA_LINK, (uint32_t)parent) != 0 ||
	    (mac != NULL && nla_put(msg, IFLA_ADDRESS, 6, mac) != 0))
		return -1;
	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (info == NULL ||
	    nla_put_string(msg, IFLA_INFO_KIND, mac != NULL ? "macvlan" : "ipvlan") != 0)
		return -1;
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	if (data == NULL)
		return -1;
	rc = mac != NULL ? nla_put_u32(msg, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE)
			 : nla_put_u16(msg, IFLA_IPVLAN_MODE, IPVLAN_MODE_L2);
	(void)nla_nest_end(msg, data);
	(void)nla_nest_end(msg, info);
	return rc;
}

static int
add_upper(const char *ifname, int parent, const uint8_t *mac)
{
	struct dump d = { 0 };
	struct nl_msg *msg = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, ifname, false);

	if (msg != NULL && put_upper(msg, parent, mac) != 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return talk(msg, NULL, &d);
}

int
netlink_macvlan_add(const char *ifname, int parent, const uint8_t mac[6])
{
	return add_upper(ifname, parent, mac);
}

int
netlink_ipvlan_add(const char *ifname, int parent)
{
	return add_upper(ifname, parent, NULL);
}

int
netlink_link_up(int index, bool up)
{
	struct dump d = { 0 };

	return talk(link_message(RTM_NEWLINK, 0, index, NULL, up), NULL, &d);
}

int
netlink_link_del(const char *ifname)
{
	struct dump d = { 0 };
	int code = talk(link_message(RTM_DELLINK, 0, 0, ifname, false), NULL, &d);

	return code == -ENODEV ? 0 : code;
}

int
netlink_watch(void)
{
	struct sockaddr_nl sa = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), code;

	if (fd == -1)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		code = -errno;
		(void)close(fd);
		return code;
	}
	return fd;
}

void
netlink_watch_drain(int fd)
{
	char scrap[8192];

	/* What changed is read by netlink_addresses; a lost message (ENOBUFS) is a change too. */
	while (recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT) != -1 || errno == ENOBUFS ||
	       errno == EINTR)
		;
}
