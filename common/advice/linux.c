/* linux.c - a server with Linux: direct routing and tunnels (the virtual address on the loopback, kept quiet about, or
 * redirected), NAT (the gateway, and routes for clients of the servers' own network).
 *
 * What must be there after the next start is a systemd unit lbd-SERVICE, whose lines are also run at once, one by one:
 * so the script works where systemd does not run too, and what was tried is what will be there. Sysctls stand in
 * /etc/sysctl.d. Everything may be run again. Source: ip-sysctl of the kernel (arp_ignore, arp_announce, rp_filter,
 * accept_dad, dad_transmits), ip-address(8), ip-link(8), ip-fou(8), nft(8). */
#include "advice/advice_priv.h"

#include <stdio.h>
#include <string.h>

static const char run_unit[] =
    "[ ! -d /run/systemd/system ] || { systemctl daemon-reload; systemctl enable -q --now lbd-%s.service; }\n"
    "sed -n 's|^ExecStart=-\\{0,1\\}||p' /etc/systemd/system/lbd-%s.service | sh";

/* end: 'END', or END when the shell is to fill in $iface. */
static void
put_unit(struct page *p, struct buf *lines, const char *end)
{
	RUN(p,
	    "cat >/etc/systemd/system/lbd-%s.service <<%s\n"
	    "[Unit]\n"
	    "Description=What the load balancer's service %s needs of this server\n"
	    "After=network-online.target systemd-sysctl.service\n"
	    "Wants=network-online.target\n"
	    "\n"
	    "[Service]\n"
	    "Type=oneshot\n"
	    "RemainAfterExit=yes\n"
	    "%s"
	    "\n"
	    "[Install]\n"
	    "WantedBy=multi-user.target\n"
	    "END",
	    p->name, end, p->name, buf_text(lines));
	RUN(p, run_unit, p->name, p->name);
}

static void
put_sysctls(struct page *p, const char *file, const char *lines)
{
	RUN(p, "cat >/etc/sysctl.d/%s <<'END'\n%sEND\nsysctl -q -p /etc/sysctl.d/%s", file, lines,
	    file);
}

struct writer {
	const struct page *p;
	struct buf *out;
	bool keep; /* on the loopback it stays */
};

/* Taken from wherever it answers for it. */
static void
take_away(void *arg, const struct addr *prefix)
{
	struct writer *w = arg;
	char text[ADDR_TEXT];

	addr_format(prefix, ADDR_NET, text);
	buf_printf(w->out, " %s", text);
}

static void
put_take_away(struct page *p, const char *keep)
{
	struct buf list = { 0 };
	struct writer w = { .p = p, .out = &list };

	page_prefixes(p, take_away, &w);
	TITLE(p, "Take the virtual address from every %sinterface", keep ? "other " : "");
	SAY(p,
	    "There the server would answer for it. Take it out of the network configuration too, if it stands there.");
	RUN(p,
	    "for vip in%s; do\n"
	    "\tip -o address show to $vip | while read -r number dev family addr rest; do\n"
	    "\t\t%s%s%sip address del \"$addr\" dev \"$dev\"\n"
	    "\tdone\n"
	    "done",
	    buf_text(&list), keep ? "[ \"$dev $addr\" = \"" : "", keep ? keep : "",
	    keep ? " $vip\" ] || " : "");
	buf_fini(&list);
}

/* The device that takes packets out of the tunnel. */
static const char *
tunnel_device(const struct page *p)
{
	bool outer6 = p->a->srv->address.addr.family == 6;

	if (p->tunnel.kind == tunnel_gre)
		return outer6 ? "lbd-gre6" : "lbd-gre";
	return outer6 ? "lbd-ip6" : p->six ? "lbd-sit" : "lbd-ipip";
}

/* Where the virtual address stands: on the loopback; of a tunnel with IPv4 on its device, because the kernel drops what
 * comes by a device without an address, unless reverse path filtering is off altogether. */
static const char *
vip_device(const struct page *p)
{
	return p->forward == forward_tun && !p->six ? tunnel_device(p) : "lo";
}

static void
unit_tunnel(const struct page *p, struct buf *out)
{
	bool outer6 = p->a->srv->address.addr.family == 6;
	const char *dev = tunnel_device(p);
	const char *type = outer6 ? "ip6tnl mode any" : p->six ? "sit" : "ipip";
	const char *module = outer6 ? "ip6_tunnel" : p->six ? "sit" : "ipip";

	if (p->tunnel.kind == tunnel_gre) {
		type = outer6 ? "ip6gre" : "gre";
		module = outer6 ? "ip6_gre" : "ip_gre";
	}
	if (p->tunnel.kind == tunnel_gue)
		buf_printf(out,
		    "ExecStart=-/sbin/modprobe %s\n"
		    "ExecStart=-/sbin/ip fou add port %u gue%s\n",
		    outer6 ? "fou6" : "fou", p->tunnel.port, outer6 ? " -6" : "");
	buf_printf(out,
	    "ExecStart=-/sbin/modprobe %s\n"
	    "ExecStart=-/sbin/ip link add %s type %s local %s%s\n"
	    "ExecStart=/sbin/ip link set %s up\n",
	    module, dev, type, p->rip,
	    p->tunnel.kind == tunnel_gre && p->tunnel.csum ? " icsum" : "", dev);
	if (!p->six)
		buf_printf(out, "ExecStart=/sbin/sysctl -q -w net.ipv4.conf.%s.rp_filter=2\n", dev);
}

/* A host is an address of a device; a network is local as a whole by a route. */
static void
unit_address(void *arg, const struct addr *prefix)
{
	struct writer *w = arg;
	char text[ADDR_TEXT];
	bool six = prefix->family == 6;

	addr_format(prefix, ADDR_NET, text);
	if (prefix->len < (six ? 128 : 32))
		buf_printf(w->out, "ExecStart=/sbin/ip %sroute replace local %s dev lo\n",
		    six ? "-6 " : "", text);
	else
		buf_printf(w->out, "ExecStart=/sbin/ip %saddress replace %s dev %s%s\n",
		    six ? "-6 " : "", text, vip_device(w->p), six ? " preferred_lft 0 nodad" : "");
}

/* nft wants blanks after commas. */
static void
put_ports(struct buf *out, const char *ports)
{
	for (; *ports != '\0'; ports++)
		buf_printf(out, *ports == ',' ? ", " : "%c", *ports);
}

static void
nft_match(void *arg, const struct addr *prefix)
{
	struct writer *w = arg;
	char text[ADDR_TEXT];

	addr_format(
	    prefix, prefix->len == (prefix->family == 6 ? 128 : 32) ? ADDR_HOST : ADDR_NET, text);
	if (prefix->family == 4 || w->keep)
		buf_printf(w->out, "%s%s", w->out->len > 0 ? ", " : "", text);
}

/* Rules that are loaded with the unit; the table is made anew each time. */
static void
put_rules(struct page *p, const char *family, const char *chain)
{
	RUN(p,
	    "cat >/etc/lbd-%s.nft <<'END'\n"
	    "table %s lbd-%s\n"
	    "delete table %s lbd-%s\n"
	    "table %s lbd-%s {\n"
	    "\tchain lbd {\n"
	    "%s"
	    "\t}\n"
	    "}\n"
	    "END",
	    p->name, family, p->name, family, p->name, family, p->name, chain);
}

static void
put_clamp(struct page *p)
{
	struct buf all = { 0 }, chain = { 0 };
	struct writer w = { .p = p, .out = &all, .keep = true };

	page_prefixes(p, nft_match, &w);
	TITLE(p, "Ask clients for segments that fit into the tunnel");
	SAY(p,
	    "The tunnel takes %u bytes of each packet, so %u bytes are left for a segment. Without this, clients behind a "
	    "firewall that drops ICMP hang as soon as they send much. Without nft:",
	    p->tunnel.overhead, p->mss);
	OTHER(p,
	    "iptables -t mangle -A POSTROUTING -s %s -p tcp --tcp-flags SYN SYN -j TCPMSS --set-mss %u",
	    p->vip, p->mss);
	buf_printf(&chain,
	    "\t\ttype filter hook postrouting priority -150;\n"
	    "\t\t%s saddr { %s } tcp flags & syn == syn tcp option maxseg size > %u tcp option maxseg size set %u\n",
	    p->six ? "ip6" : "ip", buf_text(&all), p->mss, p->mss);
	put_rules(p, "inet", buf_text(&chain));
	buf_fini(&all);
	buf_fini(&chain);
}

static void
put_quiet(struct page *p)
{
	TITLE(p, "Keep quiet about the virtual address");
	if (!p->six) {
		SAY(p,
		    "No answer to ARP for an address that the interface itself does not have (arp_ignore), and no ARP "
		    "request in its name (arp_announce). Neighbours that heard one remember it for some minutes.");
		put_sysctls(p, "90-lbd-arp.conf",
		    "net.ipv4.conf.all.arp_ignore = 1\nnet.ipv4.conf.all.arp_announce = 2\n");
	} else {
		SAY(p,
		    "No detection of duplicates: it would find this node, and give the address up (dadfailed). Linux does "
		    "not answer neighbour solicitations for addresses of the loopback.");
		put_sysctls(p, "90-lbd-dad.conf",
		    "net.ipv6.conf.lo.dad_transmits = 0\nnet.ipv6.conf.lo.accept_dad = 0\n");
	}
}

/* Clients get their answers past the load balancer. */
static void
put_router(struct page *p)
{
	const struct advice_ask *a = p->a;
	char router[ADDR_TEXT], node[ADDR_TEXT];
	const char *ip = p->six ? "ip -6" : "ip -4";
	struct buf bad = { 0 };

	TITLE(p, "Send answers to clients through the router");
	if (a->router.family != (p->six ? 6 : 4)) {
		SAY(p,
		    "The default gateway of the server must be the router of its network. It must not be this node: answers "
		    "carry the virtual address as source, which is the node's own, so it drops them.");
		RUN(p, "%s route show default", ip);
		return;
	}
	addr_format(&a->router, ADDR_HOST, router);
	for (unsigned i = 0; i < a->nodes; i++) {
		if (a->node[i].family != a->router.family)
			continue;
		addr_format(&a->node[i], ADDR_HOST, node);
		buf_printf(&bad, " | %s", node);
	}
	SAY(p,
	    "A default gateway that is missing, dead, or the load balancer itself is replaced by %s, the router of this "
	    "network. Make it permanent where the system keeps its gateway (/etc/network/interfaces, netplan, or nmcli "
	    "connection modify NAME ipv%u.gateway %s).",
	    router, p->six ? 6u : 4u, router);
	RUN(p,
	    "gw=$(%s route show default | sed -n '1s/^default \\(via \\)\\{0,1\\}\\(dev \\)\\{0,1\\}\\([^ ]*\\).*/\\3/p')\n"
	    "ping -c 1 -W 2 \"$gw\" >/dev/null 2>&1 || :\n"
	    "case \"$gw$(%s neigh show to \"${gw:-%s}\" 2>/dev/null | grep -oE 'FAILED|INCOMPLETE')\" in\n"
	    "''%s | *FAILED | *INCOMPLETE)\n"
	    "\t[ -z \"$gw\" ] || %s route del default via \"$gw\"\n"
	    "\t%s route replace default via %s ;;\n"
	    "esac",
	    ip, ip, router, buf_text(&bad), ip, ip, router);
	buf_fini(&bad);
}

/* iptables writes ranges with a colon. */
static void
iptables_ports(const char *ports, char *out, size_t room)
{
	(void)snprintf(out, room, "%s", ports);
	for (; *out != '\0'; out++)
		if (*out == '-')
			*out = ':';
}

static int
put_redirect(struct page *p, struct err *err)
{
	char colons[sizeof(p->ports)];
	struct buf all = { 0 }, chain = { 0 }, lines = { 0 };
	struct writer w = { .p = p, .out = &all };
	const struct service *svc = p->a->svc;
	const char *l4 = svc->protocol == protocol_udp	  ? "udp"
			 : svc->protocol == protocol_sctp ? "sctp"
							  : "tcp";

	if (p->forward == forward_tun)
		return err_set(err, ERR_INVALID,
		    "vip %s: method iptables is not for tunnels; allowed is method sysctl",
		    p->name);
	if (p->six)
		return err_set(err, ERR_INVALID,
		    "vip %s: method iptables is not for IPv6 (%s); allowed is method sysctl",
		    p->name, p->vip);
	page_prefixes(p, nft_match, &w);
	SAY(p,
	    "Method iptables (REDIRECT): the server does not have the virtual address; packets to it are turned to the "
	    "server's own address as they come in.");
	SAY(p,
	    "Limit 1: the application sees its own address as the one that was called, so sites that are told apart by "
	    "address (IP-based virtual hosts) cannot be served this way.");
	SAY(p, "Limit 2: not for IPv6.");
	put_take_away(p, NULL);
	TITLE(p, "Redirect packets to the virtual address");
	iptables_ports(p->ports, colons, sizeof(colons));
	SAY(p, "Without nft:");
	OTHER(p, "iptables -t nat -A PREROUTING -d %s -p %s -m multiport --dports %s -j REDIRECT",
	    p->vip, l4, colons);
	buf_printf(&chain, "\t\ttype nat hook prerouting priority -100;\n\t\tip daddr { %s } ",
	    buf_text(&all));
	if (svc->protocol == protocol_tcp_udp)
		buf_puts(&chain, "meta l4proto { tcp, udp } th dport { ");
	else
		buf_printf(&chain, "%s dport { ", l4);
	put_ports(&chain, p->ports);
	buf_puts(&chain, " } redirect\n");
	put_rules(p, "ip", buf_text(&chain));
	buf_printf(&lines, "ExecStart=/usr/sbin/nft -f /etc/lbd-%s.nft\n", p->name);
	put_unit(p, &lines, "'END'");
	buf_fini(&all);
	buf_fini(&chain);
	buf_fini(&lines);
	return 0;
}

static void
put_loopback(struct page *p)
{
	struct buf lines = { 0 };
	struct writer w = { .p = p, .out = &lines };

	put_quiet(p);
	put_take_away(p, vip_device(p));
	if (p->forward == forward_tun && p->a->svc->protocol != protocol_udp)
		put_clamp(p);
	if (p->forward == forward_tun) {
		TITLE(p, "Take packets out of the tunnel, for the virtual address");
		SAY(p,
		    "Reverse path filtering must not be strict on the tunnel's device (2, or 0 there and for all): its packets "
		    "come from clients, whose answers leave by another interface.");
		unit_tunnel(p, &lines);
	} else {
		TITLE(p, "Put the virtual address on the loopback");
	}
	page_prefixes(p, unit_address, &w);
	if (p->forward == forward_tun && p->a->svc->protocol != protocol_udp)
		buf_printf(&lines, "ExecStart=-/usr/sbin/nft -f /etc/lbd-%s.nft\n", p->name);
	put_unit(p, &lines, "'END'");
	buf_fini(&lines);
}

/* Answers of clients in the servers' own network would go straight to them, with an address that they never called. */
static void
unit_local(const struct page *p, const char *gateway, struct buf *lines)
{
	const char *ip = p->six ? "ip -6" : "ip";
	char net[ADDR_TEXT];
	struct addr a = p->a->net;

	for (unsigned bit = a.len; bit < (a.family == 4 ? 32u : 128u); bit++)
		a.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	addr_format(&a, ADDR_NET, net);
	buf_printf(lines,
	    "ExecStart=/sbin/%s route replace %s%s dev $iface\n"
	    "ExecStart=/sbin/%s route replace %s via %s dev $iface%s\n",
	    ip, gateway, p->six ? "/128" : "/32", ip, net, gateway, p->six ? " metric 1" : "");
}

static void
put_nat(struct page *p)
{
	const struct advice_ask *a = p->a;
	bool one_arm = a->net.family != 0 && addr_contains(&a->net, &a->svc->address);
	struct buf lines = { 0 };
	char gateway[ADDR_TEXT];

	TITLE(p, "Make the load balancer the default gateway");
	if (a->gateway.family == 0) {
		SAY(p,
		    "The default gateway of the server must be a floating address of the load balancer in the server's own "
		    "network, so that it moves when the other node takes over. There is none yet: on the load balancer, lbctl "
		    "fip add ADDRESS/PREFIX; then ask again.");
		return;
	}
	addr_format(&a->gateway, ADDR_HOST, gateway);
	SAY(p,
	    "Answers must come back through it, because it put its own addresses in place of others.");
	if (one_arm)
		SAY(p,
		    "Clients and servers share a network here (one arm). Answers to such clients would go straight to them and "
		    "be dropped there; the routes below send them through the load balancer too. Redirects are switched "
		    "off, because it would tell the server of the short way.");
	buf_printf(&lines, "ExecStart=/sbin/ip %sroute replace default via %s dev $iface%s\n",
	    p->six ? "-6 " : "", gateway, p->six ? " metric 1" : "");
	if (one_arm && !p->six)
		buf_puts(&lines,
		    "ExecStart=/sbin/sysctl -q -w net.ipv4.conf.all.accept_redirects=0 "
		    "net.ipv4.conf.$iface.accept_redirects=0\n");
	if (one_arm)
		unit_local(p, gateway, &lines);
	if (a->interface)
		RUN(p, "iface=%s", a->interface);
	else
		RUN(p, "iface=$(ip route get %s | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')", gateway);
	put_unit(p, &lines, "END");
	buf_fini(&lines);
}

int
advice_linux(struct page *p, struct err *err)
{
	SAY(p, "Linux; as root on the server. Once is enough, again does no harm, and it lasts.");
	if (p->forward == forward_nat) {
		put_nat(p);
		return 0;
	}
	if (p->a->method == ADVICE_IPTABLES) {
		int rc = put_redirect(p, err);

		if (rc != 0)
			return rc;
	} else {
		put_loopback(p);
	}
	put_router(p);
	if (p->a->method != ADVICE_IPTABLES) {
		page_listen(p, "ss -Hnltu");
		SAY(p,
		    "Where it can listen at its own address only: --method iptables turns packets for the virtual address "
		    "to that.");
	}
	return 0;
}
