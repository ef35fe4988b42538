/* What this machine knows of its networks: addresses (netlink), default routes and MTUs (/proc, /sys). It says nothing
 * about servers; that is probed by lbd-check. */
#include "facts.h"

#include <inttypes.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>

long
facts_number(const char *path)
{
	FILE *f = fopen(path, "re");
	long v = -1;

	if (f != NULL && fscanf(f, "%ld", &v) != 1)
		v = -1;
	if (f != NULL)
		(void)fclose(f);
	return v;
}

unsigned
facts_mtu(const char *ifname)
{
	char path[80];
	long v;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%.15s/mtu", ifname);
	v = facts_number(path);
	return v > 0 ? (unsigned)v : 0;
}

/* Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask; addresses as the machine stores them. */
static void
read_router4(struct addr *out)
{
	FILE *f = fopen("/proc/net/route", "re");
	unsigned metric, best = 0;
	uint32_t to, via, mask;
	char line[300];
	unsigned flags;

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%*s %" SCNx32 " %" SCNx32 " %x %*u %*u %u %" SCNx32, &to, &via,
			&flags, &metric, &mask) != 5 ||
		    to != 0 || mask != 0 || !(flags & RTF_GATEWAY))
			continue;
		if (out->family != 0 && metric >= best)
			continue;
		best = metric;
		*out = (struct addr){ .family = 4, .len = 32 };
		memcpy(out->b, &via, sizeof(via));
	}
	(void)fclose(f);
}

static bool
from_hex(const char *text, uint8_t out[16])
{
	for (unsigned i = 0; i < 16; i++)
		if (sscanf(text + 2 * i, "%2" SCNx8, &out[i]) != 1)
			return false;
	return true;
}

/* Columns: destination, its length, source, its length, next hop, metric, ... */
static void
read_router6(struct addr *out)
{
	FILE *f = fopen("/proc/net/ipv6_route", "re");
	unsigned len, metric, best = 0, flags;
	char line[300], via[33];

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		struct addr a = { .family = 6, .len = 128 };

		if (sscanf(line, "%*32s %x %*32s %*x %32s %x %*x %*x %x", &len, via, &metric,
			&flags) != 4 ||
		    len != 0 || !(flags & RTF_GATEWAY) || !from_hex(via, a.b))
			continue;
		if (out->family != 0 && metric >= best)
			continue;
		best = metric;
		*out = a;
	}
	(void)fclose(f);
}

int
facts_read(struct facts *f, struct err *err)
{
	*f = (struct facts){ 0 };
	read_router4(&f->router[0]);
	read_router6(&f->router[1]);
	return netlink_addresses(&f->ifaces, err);
}

void
facts_fini(struct facts *f)
{
	iface_list_fini(&f->ifaces);
}

/* A floating address in the network: one that was asked for by hand, or a service's. */
static void
find_gateway(const struct snapshot *s, const struct addr *net, struct addr *out)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_fip); i++) {
		const struct fip *f = snapshot_at(s, KIND_fip, i);

		if (addr_contains(net, &f->address)) {
			*out = f->address;
			return;
		}
	}
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *svc = snapshot_at(s, KIND_service, i);

		if (svc->enabled && addr_contains(net, &svc->address)) {
			*out = svc->address;
			return;
		}
	}
}

static void
add_node(struct advice_ask *out, const struct addr *a)
{
	if (out->nodes < ADVICE_NODES)
		out->node[out->nodes++] = *a;
}

void
facts_ask(const struct facts *f, const struct snapshot *s, const struct service *svc,
    const struct server *srv, struct advice_ask *out)
{
	const struct iface_addr *net, *vip = iface_list_subnet(&f->ifaces, &svc->address);
	const struct addr *router = &f->router[svc->address.family == 6];

	*out = (struct advice_ask){ .svc = svc, .srv = srv };
	if (vip != NULL)
		out->vip_net = vip->addr;
	if (srv == NULL || srv->address.addr.family == 0)
		return;
	net = iface_list_subnet(&f->ifaces, &srv->address.addr);
	if (net == NULL)
		return;
	out->net = net->addr;
	out->mtu = facts_mtu(net->name);
	if (router->family != 0 && addr_contains(&net->addr, router))
		out->router = *router;
	find_gateway(s, &net->addr, &out->gateway);
	add_node(out, &net->addr);
	for (unsigned i = 0; i < f->ifaces.n; i++)
		if (f->ifaces.a[i].index == net->index && &f->ifaces.a[i] != net)
			add_node(out, &f->ifaces.a[i].addr);
	if (out->gateway.family != 0)
		add_node(out, &out->gateway);
}
