/* windows.c - a server with Windows: the loopback adapter that carries the virtual address, weak host send and receive on
 * both adapters, and what people forget (firewall, network load balancing, bindings of IIS). Commands are for PowerShell
 * as an administrator; netsh runs there too. Names of adapters are taken as given, and upper and lower case count.
 * Source: Microsoft's references of New-NetIPAddress, Set-NetIPInterface, Disable-NetAdapterBinding, New-NetFirewallRule,
 * netsh interface ipv4/ipv6 set interface; RFC 1122 section 3.3.4.2 (strong and weak hosts). */
#include "advice/advice_priv.h"

#include <stdio.h>

#define NET "Ethernet"
#define LOOP "lbd-loopback"

struct writer {
	struct page *p;
	const char *loop;
	unsigned len6;
};

static void
put_address(void *arg, const struct addr *prefix)
{
	struct writer *w = arg;
	bool six = prefix->family == 6, host = prefix->len == (six ? 128 : 32);
	char text[ADDR_TEXT];

	addr_format(prefix, host ? ADDR_HOST : ADDR_NET, text);
	if (host)
		RUN(w->p,
		    "New-NetIPAddress -InterfaceAlias '%s' -IPAddress %s -PrefixLength %u -SkipAsSource $true",
		    w->loop, text, six ? w->len6 : 32);
	else
		SAY(w->p, "And each address of %s in the same way.", text);
}

static void
put_adapter(struct page *p, const char *loop)
{
	struct writer w = { .p = p, .loop = loop, .len6 = 64 };

	if (p->a->vip_net.family == 6 && p->a->vip_net.len < 128)
		w.len6 = p->a->vip_net.len;
	TITLE(p, "Install the loopback adapter");
	SAY(p,
	    "hdwwiz.exe, Next, \"Install the hardware that I manually select\", Network adapters, Microsoft, \"Microsoft KM-TEST "
	    "Loopback Adapter\". It gets a name like \"Ethernet 2\"; give it its own:");
	RUN(p,
	    "Get-NetAdapter | Where-Object InterfaceDescription -like '*Loopback*' | Select-Object -First 1 | Rename-NetAdapter "
	    "-NewName '%s'",
	    loop);
	TITLE(p, "Untick everything but %s on it", p->six ? "IPv6" : "IPv4");
	SAY(p,
	    "Client for Microsoft Networks, file and printer sharing, QoS, link-layer topology, and IPv%c: none of them may "
	    "speak on an adapter that leads nowhere.",
	    p->six ? '4' : '6');
	RUN(p,
	    "Get-NetAdapterBinding -Name '%s' | Where-Object ComponentID -ne '%s' | Disable-NetAdapterBinding",
	    loop, p->six ? "ms_tcpip6" : "ms_tcpip");
	TITLE(p, "Give it the virtual address");
	if (p->six)
		SAY(p, "The prefix length is that of the network (%u).", w.len6);
	else
		SAY(p,
		    "The mask is 255.255.255.255, so that nothing is sent there. No gateway, no DNS.");
	page_prefixes(p, put_address, &w);
	RUN(p,
	    "Set-NetIPInterface -InterfaceAlias '%s' -InterfaceMetric 254\n"
	    "Set-DnsClient -InterfaceAlias '%s' -RegisterThisConnectionsAddress $false",
	    loop, loop);
}

static void
put_weak_host(struct page *p, const char *net, const char *loop)
{
	const char *ip = p->six ? "ipv6" : "ipv4";

	TITLE(p, "Let packets for one adapter's address come and go by the other");
	RUN(p,
	    "netsh interface %s set interface \"%s\" weakhostreceive=enabled\n"
	    "netsh interface %s set interface \"%s\" weakhostreceive=enabled\n"
	    "netsh interface %s set interface \"%s\" weakhostsend=enabled\n"
	    "netsh interface %s set interface \"%s\" dadtransmits=0",
	    ip, net, ip, loop, ip, loop, ip, loop);
	SAY(p, "The same without netsh:");
	RUN(p,
	    "Set-NetIPInterface -InterfaceAlias '%s' -AddressFamily %s -WeakHostReceive Enabled\n"
	    "Set-NetIPInterface -InterfaceAlias '%s' -AddressFamily %s -WeakHostReceive Enabled -WeakHostSend Enabled "
	    "-DadTransmits 0",
	    net, p->six ? "IPv6" : "IPv4", loop, p->six ? "IPv6" : "IPv4");
	TITLE(p, "Verify");
	RUN(p, "netsh interface %s show interface \"%s\"", ip, net);
	EXPECT(p, "Weak Host Receives: enabled");
	RUN(p, "netsh interface %s show interface \"%s\"", ip, loop);
	EXPECT(p, "Weak Host Sends: enabled; Weak Host Receives: enabled; DAD Transmits: 0");
	RUN(p,
	    "Get-NetIPAddress -InterfaceAlias '%s' -IPAddress %s | Select-Object AddressState, PrefixLength",
	    loop, p->vip);
	EXPECT(p,
	    "AddressState Preferred (Duplicate: somebody else answers for it, and dadtransmits is not 0)");
}

static void
put_rest(struct page *p)
{
	TITLE(p, "Leave the firewall on, with a rule for the service");
	RUN(p,
	    "New-NetFirewallRule -DisplayName 'lbd %s' -Direction Inbound -Action Allow -Protocol %s -LocalPort %s -Profile Any",
	    p->name, p->a->svc->protocol == protocol_udp ? "UDP" : "TCP", p->ports);
	if (p->a->svc->protocol == protocol_tcp_udp)
		RUN(p,
		    "New-NetFirewallRule -DisplayName 'lbd %s UDP' -Direction Inbound -Action Allow -Protocol UDP "
		    "-LocalPort %s -Profile Any",
		    p->name, p->ports);
	RUN(p, "Get-NetFirewallProfile | Select-Object Name, Enabled");
	EXPECT(p, "True for each");
	TITLE(p, "Network Load Balancing must be off");
	SAY(p, "It answers for addresses by itself and keeps packets from the application.");
	RUN(p, "Get-NetAdapterBinding -ComponentID ms_nlb");
	EXPECT(p, "Enabled: False for each adapter, or nothing");
	TITLE(p, "Bindings of IIS");
	SAY(p,
	    "Each site is bound to \"All Unassigned\", or to both addresses: %s (clients) and %s (tests of the load balancer).",
	    p->vip, p->rip);
	RUN(p, "Get-WebBinding | Select-Object protocol, bindingInformation");
	EXPECT(p, "*:PORT: or both addresses, with port %s", p->ports);
	page_listen(
	    p, p->a->svc->protocol == protocol_udp
		   ? "Get-NetUDPEndpoint | Select-Object LocalAddress, LocalPort"
		   : "Get-NetTCPConnection -State Listen | Select-Object LocalAddress, LocalPort");
}

static void
put_gateway(struct page *p, const char *net)
{
	const char *all = p->six ? "::/0" : "0.0.0.0/0";
	char gateway[ADDR_TEXT];

	TITLE(p, "Make the load balancer the default gateway");
	if (p->a->gateway.family == 0) {
		SAY(p,
		    "The default gateway of the server must be a floating address of the load balancer in the server's own "
		    "network. There is none yet: on the load balancer, lbctl fip add ADDRESS/PREFIX; then ask again.");
		return;
	}
	addr_format(&p->a->gateway, ADDR_HOST, gateway);
	RUN(p,
	    "Remove-NetRoute -DestinationPrefix %s -InterfaceAlias '%s' -Confirm:$false\n"
	    "New-NetRoute -DestinationPrefix %s -InterfaceAlias '%s' -NextHop %s",
	    all, net, all, net, gateway);
	RUN(p, "Get-NetRoute -DestinationPrefix %s | Select-Object NextHop", all);
	EXPECT(p, "%s, and no other", gateway);
	if (p->a->net.family != 0 && addr_contains(&p->a->net, &p->a->svc->address))
		SAY(p,
		    "Clients in the server's own network get answers past the load balancer and drop them: give each such "
		    "client a route of its own (New-NetRoute -DestinationPrefix CLIENT/%u -InterfaceAlias '%s' -NextHop %s), "
		    "or use mode snat.",
		    p->six ? 128 : 32, net, gateway);
}

int
advice_windows(struct page *p, struct err *err)
{
	const char *net = p->a->interface ? p->a->interface : NET;
	const char *loop = p->a->loopback ? p->a->loopback : LOOP;

	SAY(p,
	    "Windows Server 2012 or younger; PowerShell as an administrator. Adapters: \"%s\" (network) and \"%s\" (loopback); "
	    "upper and lower case count. Get-NetAdapter shows their names.",
	    net, loop);
	if (p->forward == forward_tun)
		return advice_no_tunnel(p, "Windows", err);
	if (p->forward == forward_nat) {
		put_gateway(p, net);
		return 0;
	}
	put_adapter(p, loop);
	put_weak_host(p, net, loop);
	put_rest(p);
	return 0;
}
