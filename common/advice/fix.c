/* fix.c - one line for each finding: the command that mends it, or where it is mended. Findings about a server end at
 * explain-server, which has the whole for its system; the line says what matters first. */
#include "advice/advice_priv.h"

#include <stdio.h>

static void
put_addr(struct buf *out, const struct addr *a, const char *unknown)
{
	char text[ADDR_TEXT];

	if (a->family != 0)
		addr_format(a, ADDR_HOST, text);
	buf_puts(out, a->family != 0 ? text : unknown);
}

static void
explain(const struct advice_ask *a, const char *more, struct buf *out)
{
	if (a->srv)
		buf_printf(out, "lbctl explain-server %s/%s --os linux%s", a->svc->name,
		    a->srv->name, more);
	else
		buf_printf(out, "lbctl explain-server %s/RIP --os linux%s", a->svc->name, more);
}

static void
fix_server(const struct advice_ask *a, enum finding what, struct buf *out)
{
	bool six = a->svc->address.family == 6;
	struct advice_tunnel t;

	switch (what) {
	case FINDING_no_vip:
		buf_puts(out, "on the server: ip address add ");
		put_addr(out, &a->svc->address, "");
		buf_printf(out, "%s dev lo%s; lasting: ", six ? "/128" : "/32",
		    six ? " preferred_lft 0 nodad" : "");
		break;
	case FINDING_no_tunnel: buf_puts(out, "on the server: a device for the tunnel: "); break;
	case FINDING_arp_answers:
		buf_puts(out,
		    "on the server: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; lasting: ");
		break;
	case FINDING_dad:
		buf_puts(out,
		    "on the server: the address on lo only, without detection of duplicates: ");
		break;
	case FINDING_vip_silent:
		buf_puts(out,
		    "let the application listen at the virtual address too, or at all; where it cannot: ");
		explain(a, " --method iptables", out);
		return;
	case FINDING_mtu:
		advice_tunnel_of(a->svc, a->srv, &t);
		buf_printf(out, "on the server: segments of at most %u bytes: ",
		    (a->mtu ? a->mtu : 1500) - t.overhead - (six ? 60 : 40));
		break;
	case FINDING_return_path:
	case FINDING_gateway_dr:
		buf_printf(out, "on the server: ip %sroute replace default via ", six ? "-6 " : "");
		put_addr(out, &a->router, "ROUTER");
		buf_puts(out, "; lasting: ");
		break;
	case FINDING_gateway:
		buf_printf(out, "on the server: ip %sroute replace default via ", six ? "-6 " : "");
		put_addr(out, &a->gateway, "ADDRESS (first: lbctl fip add ADDRESS/PREFIX)");
		buf_puts(out, "; lasting: ");
		break;
	default: break;
	}
	explain(a, "", out);
}

static void
fix_local_clients(const struct advice_ask *a, struct buf *out)
{
	buf_puts(out, "on each server: the routes of ");
	explain(a, "", out);
	buf_printf(out, "; or lbctl set vip %s mode=snat", a->svc->name);
}

void
advice_fix(const struct advice_ask *a, enum finding what, const char *where, struct buf *out)
{
	const char *vip = a && a->svc ? a->svc->name : "VIP",
		   *rip = a && a->srv ? a->srv->name : "RIP";

	switch (what) {
	case FINDING_unreachable:
		buf_printf(out,
		    "start the server, or correct its address: lbctl set rip %s/%s address=ADDRESS",
		    vip, rip);
		break;
	case FINDING_rip_silent:
		buf_printf(out,
		    "start the application, or correct the port; lbctl check run %s/%s -v", vip,
		    rip);
		break;
	case FINDING_no_vip:
	case FINDING_no_tunnel:
	case FINDING_arp_answers:
	case FINDING_dad:
	case FINDING_vip_silent:
	case FINDING_mtu:
	case FINDING_return_path:
	case FINDING_gateway_dr:
	case FINDING_gateway:
		if (a && a->svc)
			fix_server(a, what, out);
		break;
	case FINDING_half_open: buf_printf(out, "lbctl diagnose %s", vip); break;
	case FINDING_rp_filter:
		buf_printf(out, "sysctl -w net.ipv4.conf.%s.rp_filter=2", where);
		break;
	case FINDING_forwarding: buf_printf(out, "sysctl -w %s=1", where); break;
	case FINDING_conntrack:
		buf_printf(out, "sysctl -w net.netfilter.nf_conntrack_max=%s", where);
		break;
	case FINDING_conn_table:
		buf_printf(out,
		    "echo options ip_vs conn_tab_bits=%s >/etc/modprobe.d/lbd.conf; from the next boot on",
		    where);
		break;
	case FINDING_module:
		buf_printf(out, "modprobe %s; lasting: echo %s >>/etc/modules-load.d/lbd.conf",
		    where, where);
		break;
	case FINDING_off_subnet:
		buf_printf(out,
		    "lbctl set vip %s mode=tun, or an address for this node in that network", vip);
		break;
	case FINDING_local_clients:
		if (a && a->svc)
			fix_local_clients(a, out);
		break;
	case FINDING_passive: buf_puts(out, "look at the other node: lbctl ha status"); break;
	case FINDING_not_held: buf_puts(out, "systemctl start lbd-ha; lbctl fip list"); break;
	case FINDING_disabled: buf_printf(out, "lbctl enable %s", vip); break;
	case FINDING_no_servers: buf_printf(out, "lbctl get rip %s/", vip); break;
	case FINDING_not_loaded: buf_printf(out, "lbctl log %s", where); break;
	case FINDING_checks_away: buf_puts(out, "systemctl start lbd-check"); break;
	case FINDING_daemon: buf_printf(out, "systemctl disable --now %s", where); break;
	case FINDING_not_probed:
		buf_puts(out, "systemctl restart lbd-check (its unit grants CAP_NET_RAW)");
		break;
	default: break;
	}
}
