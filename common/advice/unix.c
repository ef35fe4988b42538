/* unix.c - servers with BSD, macOS and Solaris (illumos). Their loopback never answers ARP for its addresses, so the
 * virtual address goes there and that is all; what differs is how, and how it lasts. Of the tunnels they know ipip alone
 * (gif on BSD, iptun on Solaris), and that from one known sender.
 * Source: ifconfig(8), gif(4), rc.conf(5), sysrc(8), hostname.if(5), route(8), launchd.plist(5), ipadm(8), dladm(8). */
#include "advice/advice_priv.h"

#include <stdio.h>

struct writer {
	struct page *p;
	const char *front, *end; /* of the command, around the address */
	unsigned *number;	 /* behind it; NULL: none */
};

static void
put_one(void *arg, const struct addr *prefix)
{
	struct writer *w = arg;
	char text[ADDR_TEXT];
	bool host = prefix->len == (prefix->family == 6 ? 128 : 32);

	addr_format(prefix, host ? ADDR_HOST : ADDR_NET, text);
	if (!host)
		SAY(w->p, "And each address of %s in the same way.", text);
	else if (w->number)
		RUN(w->p, "%s%s%s%u", w->front, text, w->end, (*w->number)++);
	else
		RUN(w->p, "%s%s%s", w->front, text, w->end);
}

static void
put_all(struct page *p, const char *front, const char *end, unsigned *number)
{
	struct writer w = { p, front, end, number };

	page_prefixes(p, put_one, &w);
}

/* Whether it is NAT; then the gateway is all. Its address follows both texts. */
static bool
put_gateway(struct page *p, const char *now, const char *lasting)
{
	char gateway[ADDR_TEXT];

	if (p->forward != forward_nat)
		return false;
	TITLE(p, "Make the load balancer the default gateway");
	if (p->a->gateway.family == 0) {
		SAY(p,
		    "The default gateway of the server must be a floating address of the load balancer in the server's own "
		    "network. There is none yet: on the load balancer, lbctl fip add ADDRESS/PREFIX; then ask again.");
		return true;
	}
	addr_format(&p->a->gateway, ADDR_HOST, gateway);
	RUN(p, "%s%s", now, gateway);
	SAY(p, "So that it lasts: %s%s", lasting, gateway);
	if (p->a->net.family != 0 && addr_contains(&p->a->net, &p->a->svc->address))
		SAY(p,
		    "Clients in the server's own network get answers past the load balancer and drop them: give each such "
		    "client a route of its own through %s, or use mode snat.",
		    gateway);
	return true;
}

static void
put_router(struct page *p, const char *show)
{
	char router[ADDR_TEXT] = "the router of its network";

	if (p->a->router.family == (p->six ? 6 : 4))
		addr_format(&p->a->router, ADDR_HOST, router);
	TITLE(p, "Send answers to clients through the router");
	RUN(p, "%s", show);
	EXPECT(p, "%s as default gateway, not the load balancer", router);
}

static bool
udp(const struct page *p)
{
	return p->a->svc->protocol == protocol_udp;
}

static int
put_gif(struct page *p, const char *system, struct err *err)
{
	char node[ADDR_TEXT];

	if (p->forward != forward_tun)
		return 0;
	if (p->tunnel.kind != tunnel_ipip || p->a->nodes == 0)
		return advice_no_tunnel(p, system, err);
	addr_format(&p->a->node[0], ADDR_HOST, node);
	TITLE(p, "Take packets out of the tunnel");
	SAY(p, "One gif interface for each node of the load balancer; this is for %s.", node);
	RUN(p, "ifconfig gif0 create\nifconfig gif0 %stunnel %s %s\nifconfig gif0 mtu 1480 up",
	    p->a->srv->address.addr.family == 6 ? "inet6 " : "", p->rip, node);
	return 0;
}

/* RFC 1122 section 3.3.4.2: whether a packet may come in by an interface that has not its address. Source: net.inet.ip in
 * inet(4) of FreeBSD; in_ouraddr in sys/netinet/ip_input.c of OpenBSD. */
static void
put_weak_host(struct page *p)
{
	const char *forwarding = p->six ? "net.inet6.ip6.forwarding" : "net.inet.ip.forwarding";

	TITLE(p, "Let packets for the loopback's address come by another interface");
	SAY(p,
	    "FreeBSD and NetBSD do, unless sysctl net.inet.ip.rfc1122_strong_es (FreeBSD 13 and older: check_interface; NetBSD: "
	    "checkinterface) is 1. OpenBSD 6.6 and younger does when it forwards: sysctl %s=1, and %s=1 in /etc/sysctl.conf.",
	    forwarding, forwarding);
}

int
advice_bsd(struct page *p, struct err *err)
{
	int rc;

	SAY(p, "BSD; as root on the server. The commands that last are those of FreeBSD.");
	if (put_gateway(p, p->six ? "route change -inet6 default " : "route change default ",
		p->six ? "sysrc ipv6_defaultrouter=" : "sysrc defaultrouter="))
		return 0;
	rc = put_gif(p, "BSD", err);
	if (rc != 0)
		return rc;
	TITLE(p, "Put the virtual address on the loopback");
	put_all(p, p->six ? "ifconfig lo0 inet6 " : "ifconfig lo0 alias ",
	    p->six ? " prefixlen 128 alias" : " netmask 255.255.255.255", NULL);
	TITLE(p, "So that it lasts");
	SAY(p,
	    "FreeBSD: in /etc/rc.conf, with the next free number for each further address. OpenBSD: a line \"%s alias %s %s\" "
	    "in /etc/hostname.lo0. NetBSD: a line \"%s %s %s alias\" in /etc/ifconfig.lo0.",
	    p->six ? "inet6" : "inet", p->vip, p->six ? "128" : "255.255.255.255",
	    p->six ? "inet6" : "inet", p->vip,
	    p->six ? "prefixlen 128" : "netmask 255.255.255.255");
	RUN(p,
	    "n=0\n"
	    "while sysrc -qn ifconfig_lo0_alias$n >/dev/null 2>&1; do n=$((n + 1)); done\n"
	    "sysrc -a | grep -q 'ifconfig_lo0_alias.*%s ' || sysrc \"ifconfig_lo0_alias$n=%s %s %s\"",
	    p->vip, p->six ? "inet6" : "inet", p->vip,
	    p->six ? "prefixlen 128" : "netmask 255.255.255.255");
	put_weak_host(p);
	put_router(p, p->six ? "route -n get -inet6 default" : "route -n get default");
	page_listen(p, udp(p) ? "netstat -an -p udp" : "netstat -an | grep LISTEN");
	return 0;
}

int
advice_macos(struct page *p, struct err *err)
{
	SAY(p, "macOS; in a shell of root (sudo -s).");
	if (put_gateway(p, p->six ? "route change -inet6 default " : "route change default ",
		p->six ? "networksetup -setv6manual SERVICE ADDRESS PREFIXLENGTH "
		       : "networksetup -setmanual SERVICE ADDRESS MASK "))
		return 0;
	if (p->forward == forward_tun)
		return advice_no_tunnel(p, "macOS", err);
	TITLE(p, "Put the virtual address on the loopback");
	put_all(p, p->six ? "ifconfig lo0 inet6 alias " : "ifconfig lo0 alias ",
	    p->six ? " prefixlen 128" : " netmask 255.255.255.255", NULL);
	TITLE(p, "So that it lasts");
	SAY(p, "A launch daemon, run at each start.");
	RUN(p,
	    "cat >/Library/LaunchDaemons/lbd.%s.plist <<'END'\n"
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<plist version=\"1.0\"><dict>\n"
	    "<key>Label</key><string>lbd.%s</string>\n"
	    "<key>RunAtLoad</key><true/>\n"
	    "<key>ProgramArguments</key><array>\n"
	    "<string>/sbin/ifconfig</string><string>lo0</string>%s<string>alias</string>\n"
	    "<string>%s</string>%s\n"
	    "</array>\n"
	    "</dict></plist>\n"
	    "END\n"
	    "launchctl load -w /Library/LaunchDaemons/lbd.%s.plist",
	    p->name, p->name, p->six ? "<string>inet6</string>" : "", p->vip,
	    p->six ? "<string>prefixlen</string><string>128</string>"
		   : "<string>netmask</string><string>255.255.255.255</string>",
	    p->name);
	put_router(p, p->six ? "route -n get -inet6 default" : "route -n get default");
	page_listen(p, udp(p) ? "netstat -an -p udp" : "netstat -an -p tcp | grep LISTEN");
	return 0;
}

int
advice_solaris(struct page *p, struct err *err)
{
	char node[ADDR_TEXT];
	unsigned number = 0;

	SAY(p,
	    "Solaris 11 and illumos; as root on the server. What Solaris 10 needs stands beside it.");
	if (put_gateway(p, p->six ? "route -p add -inet6 default " : "route -p add default ",
		"-p does it; whatever other default route there is goes with route -p delete default OLD, so that there "
		"is only "))
		return 0;
	if (p->forward == forward_tun) {
		if (p->tunnel.kind != tunnel_ipip || p->a->nodes == 0)
			return advice_no_tunnel(p, "Solaris", err);
		addr_format(&p->a->node[0], ADDR_HOST, node);
		TITLE(p, "Take packets out of the tunnel");
		SAY(p, "One tunnel for each node of the load balancer; this is for %s.", node);
		RUN(p,
		    "dladm create-iptun -T %s -a local=%s,remote=%s lbdtun0\nipadm create-ip lbdtun0",
		    p->a->srv->address.addr.family == 6 ? "ipv6" : "ipv4", p->rip, node);
	}
	TITLE(p, "Put the virtual address on the loopback, without ARP");
	if (p->six)
		SAY(p,
		    "Solaris 10: ifconfig lo0:1 inet6 plumb; ifconfig lo0:1 inet6 %s/128 up; and so that it lasts, the line "
		    "\"%s/128 up\" in /etc/hostname6.lo0:1.",
		    p->vip, p->vip);
	else
		SAY(p,
		    "Solaris 10: ifconfig lo0:1 plumb; ifconfig lo0:1 %s netmask 255.255.255.255 -arp up; and so that it "
		    "lasts, the line \"%s netmask 255.255.255.255 -arp up\" in /etc/hostname.lo0:1.",
		    p->vip, p->vip);
	put_all(
	    p, "ipadm create-addr -T static -a ", p->six ? "/128 lo0/lbd" : "/32 lo0/lbd", &number);
	RUN(p, "ipadm show-addr lo0/");
	EXPECT(p, "%s%s with state ok", p->vip, p->host);
	put_router(p, "netstat -rn | grep default");
	page_listen(p, udp(p) ? "netstat -an -P udp" : "netstat -an | grep LISTEN");
	return 0;
}
