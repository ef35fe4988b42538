/* why.c - what a refusal of the kernel means and what to do about it. Pure: the operation and its code are all it looks at.
 *
 * Which code stands for what: ip_vs_add_service, ip_vs_add_dest and ip_vs_genl_set_cmd of
 * net/netfilter/ipvs/ip_vs_ctl.c, and the init functions of the schedulers. */
#include "kernel/kernel.h"

#include <errno.h>
#include <linux/ip_vs.h>
#include <stdio.h>
#include <string.h>

static bool
of_service(const struct ipvs_op *op)
{
	return op->kind == OP_NEW_SERVICE || op->kind == OP_SET_SERVICE;
}

static void
why_missing(const struct ipvs_op *op, char *out, size_t room)
{
	const struct ipvs_service *s = op->service;

	if (!of_service(op))
		(void)snprintf(out, room, "the kernel does not have it (any more)");
	else if (s->pe[0] != '\0')
		(void)snprintf(out, room,
		    "the kernel has no scheduler %s or no persistence engine %s: modprobe "
		    "ip_vs_%s ip_vs_pe_%s",
		    s->scheduler, s->pe, s->scheduler, s->pe);
	else
		(void)snprintf(out, room, "the kernel has no scheduler %s: modprobe ip_vs_%s",
		    s->scheduler, s->scheduler);
}

static void
why_invalid(const struct ipvs_op *op, char *out, size_t room)
{
	const struct ipvs_service *s = op->service;
	const struct ipvs_dest *d = op->dest;

	if (d == NULL)
		(void)snprintf(out, room, "the kernel refuses its settings (scheduler %s, mask %u)",
		    s->scheduler, s->netmask);
	else if (d->addr.family != s->key.family && d->forward != IPVS_TUN)
		(void)snprintf(out, room,
		    "an IPv%u service reaches an IPv%u server only through a tunnel (mode tun)",
		    s->key.family, d->addr.family);
	else if (d->addr.family != s->key.family)
		(void)snprintf(out, room,
		    "IPv4 and IPv6 cannot be mixed while connections are synchronised (sync)");
	else if (d->forward == IPVS_TUN && d->tunnel == IP_VS_CONN_F_TUNNEL_TYPE_GUE &&
		 d->tunnel_port == 0)
		(void)snprintf(out, room, "a gue tunnel needs a port");
	else
		(void)snprintf(out, room,
		    "its address is neither this node's nor unicast, or is "
		    "link-local, so the kernel cannot send there");
}

void
kernel_why(const struct ipvs_op *op, char *out, size_t room)
{
	switch (op->code) {
	case 0: (void)snprintf(out, room, "done"); break;
	case -ENOENT: why_missing(op, out, room); break;
	case -EINVAL: why_invalid(op, out, room); break;
	case -ESRCH: (void)snprintf(out, room, "the kernel does not have this service"); break;
	case -EEXIST: (void)snprintf(out, room, "it is there already"); break;
	case -EPERM:
		(void)snprintf(out, room, "operation not permitted: CAP_NET_ADMIN is missing");
		break;
	case -EAFNOSUPPORT:
		(void)snprintf(out, room,
		    "this kernel has no IPv6 for ip_vs: CONFIG_IP_VS_IPV6, or ipv6.disable is set");
		break;
	case -ERANGE:
		(void)snprintf(
		    out, room, "weight is negative, or the lower limit is above the upper one");
		break;
	case -EOPNOTSUPP:
	case -EPROTONOSUPPORT:
		(void)snprintf(out, room, "this kernel's ip_vs has no such protocol or tunnel");
		break;
	case -ENOMEM: (void)snprintf(out, room, "the kernel has no memory for it"); break;
	default: (void)snprintf(out, room, "%s", strerror(-op->code)); break;
	}
}
