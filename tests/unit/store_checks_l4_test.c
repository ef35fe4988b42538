/* Rules of layer 4 as a table: what is refused names object, field, value and what is allowed; what is close to it
 * is fine. The node has 192.168.1.10/24 and fd00::10/64 on eth0. */
#include "checks_help.h"

#define V "create vip v address=10.0.0.1 ports=80 mode="
#define V6 "create vip v address=fd00::5 ports=80 mode="
#define TWO "create vip v address=10.0.0.1 more_addresses=fd00::5 ports=80 mode="
#define DR V "dr; create rip v/a address=192.168.1.20"

static const struct rule layers[] = {
	/* fields of the other layer */
	{ NULL, V "http fallback_page=yes",
	    "vip v: fallback_page: \"yes\" is of layer 4, and mode http is layer 7; unset fallback_page, or "
	    "take one of the modes dr, nat, tun, snat" },
	{ NULL, V "tcp more_addresses=10.0.0.2", "more_addresses: \"10.0.0.2\" is of layer 4" },
	{ NULL, V "tcp on_failure=remove", "on_failure: \"remove\" is of layer 4" },
	{ NULL, V "tcp slow_start=1500ms", NULL },
	{ NULL, V "http persist_mask=24", NULL },
	{ NULL, V "http persist_mask=128", NULL },
	{ NULL, V "http tunnel_port=6081", "tunnel_port: \"6081\" is of layer 4" },
	{ NULL, V "nat transparent=yes",
	    "vip v: transparent: \"yes\" is of layer 7, and mode nat is layer 4; unset transparent, or take "
	    "one of the modes http, tcp" },
	{ NULL, V "tcp transparent=yes", NULL },
	{ V "nat on_failure=remove", "set vip v mode=http", "unset on_failure" },
	{ V "nat on_failure=remove", "set vip v mode=http on_failure=quiesce", NULL },
	{ V "nat; create rip v/a address=10.1.0.1 min_conns=2 max_conns=3", "set vip v mode=tcp",
	    NULL },
	{ NULL, V "tcp; create rip v/a address=10.1.0.1 min_conns=2",
	    "rip v/a: min_conns: 2 has no max_conns to go with" },
	{ NULL, V "tcp; create rip v/a address=10.1.0.1 backup=yes", NULL },
	{ NULL, V "nat; create rip v/a address=10.1.0.1 backup=yes",
	    "rip v/a: backup: \"yes\" is of layer 7, and mode nat of vip v is layer 4; unset backup" },
	{ NULL, V "nat panic=50%", "vip v: panic: \"50%\" is of layer 7" },
	{ NULL, V "http; create rip v/a address=10.1.0.1 forward=tun",
	    "rip v/a: forward: \"tun\"" },
	{ NULL, V "http fallback=sorry.example quorum=100 syn_rate=5", NULL },
	/* protocols, schedulers, persistence */
	{ NULL, V "tcp protocol=sctp", "vip v: protocol: \"sctp\" is not possible in mode tcp" },
	{ NULL, V "http protocol=tcp_udp", "vip v: protocol: \"tcp_udp\" is not possible" },
	{ NULL, V "snat protocol=tcp_udp", NULL },
	{ NULL, V "http scheduler=mh",
	    "vip v: scheduler: \"mh\" is not possible in mode http; allowed are wlc, wrr, rr, lc, sh, twos, "
	    "path, uri, url_param, header, first, least_time, or one of the modes dr, nat, tun, snat" },
	{ NULL, V "tcp scheduler=uri",
	    "vip v: scheduler: \"uri\" is not possible in mode tcp; allowed are wlc, wrr, rr, lc, sh, twos, "
	    "rdp_cookie, first, least_time, or one of the modes http" },
	{ NULL, V "http scheduler=rdp_cookie", "\"rdp_cookie\" is not possible in mode http" },
	{ NULL, V "nat scheduler=least_time",
	    "vip v: scheduler: \"least_time\" is not possible in mode nat; allowed are wlc, wrr, rr, lc, "
	    "lblc, lblcr, sh, mh, dh, fo, ovf, sed, nq, twos, or one of the modes http, tcp" },
	{ NULL, V "http scheduler=rr", NULL },
	{ NULL, V "tcp scheduler=rdp_cookie", NULL },
	{ NULL, V "http scheduler=twos", NULL },
	/* what schedulers need, and what goes with some only */
	{ NULL, V "http scheduler=header",
	    "vip v: hash_key: is required with scheduler header; allowed is the name of the header field" },
	{ NULL, V "http scheduler=url_param", "allowed is the name of the parameter" },
	{ NULL, V "http scheduler=header hash_key=X-User", NULL },
	{ NULL, V "http scheduler=header hash_key=a:b",
	    "vip v: hash_key: \"a:b\" is no name of a header field" },
	{ NULL, V "http scheduler=url_param hash_key=user[id]", NULL },
	{ NULL, V "http scheduler=url_param hash_key=a=b",
	    "hash_key: \"a=b\" is no name of a parameter" },
	{ NULL, V "http scheduler=uri hash_key=a",
	    "hash_key: \"a\" is not possible with scheduler uri; unset hash_key, or take scheduler url_param" },
	{ NULL, V "http balance_factor=125",
	    "balance_factor: 125 is not possible with scheduler wlc; allowed is 0, or scheduler sh, path" },
	{ NULL, V "http scheduler=path balance_factor=100",
	    "balance_factor: 100 percent leaves no server room for its fair share; allowed is 0, or 101 to 1000" },
	{ NULL, V "tcp scheduler=sh balance_factor=101", NULL },
	{ NULL, V "nat scheduler=sh balance_factor=125",
	    "vip v: balance_factor: \"125\" is of layer 7" },
	{ NULL, V "http scheduler=first; create rip v/a address=10.1.0.1",
	    "rip v/a: max_conns: 0 is no limit, and scheduler first of vip v fills one server after the other" },
	{ NULL, V "http scheduler=first; create rip v/a address=10.1.0.1 max_conns=1", NULL },
	{ NULL, V "http scheduler=wrr", NULL },
	{ NULL, V "tun scheduler=mh hash_port=yes hash_fallback=yes", NULL },
	{ NULL, V "nat scheduler=dh hash_fallback=yes",
	    "vip v: hash_fallback: \"yes\" is not possible with scheduler dh" },
	{ NULL, V "nat hash_port=yes",
	    "vip v: hash_port: \"yes\" is not possible with scheduler wlc" },
	{ NULL, V "nat persistence=cookie", "\"cookie\" is not possible in mode nat" },
	{ NULL, V "tcp persistence=sip", NULL },
	{ NULL, V "tcp persistence=sip rdp_token=yes", "\"sip\" is not possible with rdp_token" },
	{ NULL, V "tcp persistence=sip scheduler=rdp_cookie", "another scheduler" },
	{ NULL, V "tcp ftp=yes", NULL },
	{ NULL, V "tcp ftp=yes ftp_ports=2000-3000", NULL },
	{ NULL, V "tcp ftp_ports=2000-3000", "ftp_ports: is not possible without ftp" },
	{ NULL, V "nat ftp=yes", "ftp: \"yes\" is not possible in mode nat" },
	{ NULL, V "nat persistence=sip",
	    "vip v: persistence: \"sip\" is not possible in mode nat with protocol tcp" },
	{ NULL, V "nat persistence=sip protocol=udp", NULL },
	{ NULL, V "nat persistence=source persist_timeout=1500ms",
	    "vip v: persist_timeout: 1500 ms are no whole seconds" },
	{ NULL, V "nat persistence=source persist_timeout=2s", NULL },
	{ NULL, V "tcp persistence=source persist_timeout=1500ms", NULL },
	{ NULL, V "dr persistence=source persist_mask=33",
	    "vip v: persist_mask: 33 is longer than an IPv4 address; allowed is 0 to 32, or 128" },
	{ NULL, V "dr persist_mask=0", NULL },
	{ NULL, V "dr persist_mask=32", NULL },
	{ NULL, V6 "dr persist_mask=64", NULL },
	{ NULL, V6 "dr persist_mask=0", "persist_mask: 0 is not possible with IPv6" },
	{ NULL, TWO "nat persist_mask=64", "longer than an IPv4 address" },
	{ NULL, TWO "nat persist_mask=0", "with IPv6 addresses" },
	{ NULL, TWO "nat persist_mask=24", NULL },
	{ NULL, V "nat one_packet=yes",
	    "vip v: one_packet: \"yes\" is not possible with protocol tcp" },
	{ NULL, V "nat one_packet=yes protocol=tcp_udp", "not possible with protocol tcp_udp" },
	{ NULL, V "nat one_packet=yes protocol=udp", NULL },
	{ NULL, V "nat max_conns=7", "vip v: max_conns: 7 is not possible in mode nat" },
	{ NULL, V "tcp max_conns=7", NULL },
	/* quorum */
	{ NULL, V "http quorum=2 quorum_hysteresis=2",
	    "vip v: quorum_hysteresis: 2 is not less than the quorum of 2" },
	{ NULL, V "http quorum=3 quorum_hysteresis=2", NULL },
	/* source of mode snat */
	{ NULL, V "nat source=10.0.0.9",
	    "vip v: source: \"10.0.0.9\" is not possible in mode nat" },
	{ NULL, V "snat source=fd00::9", "vip v: source: \"fd00::9\" is IPv6" },
	{ NULL, V "snat source=224.0.0.9", "a multicast address" },
	{ NULL, V "snat source=10.0.0.9", NULL },
};

static const struct rule addresses[] = {
	{ NULL, V "nat more_addresses=10.0.0.0/28",
	    "vip v: more_addresses: \"10.0.0.1\" is the address already" },
	{ NULL, V "nat more_addresses=10.0.0.2-10.0.0.9,fd00::5", NULL },
	{ NULL, V "nat more_addresses=192.168.1.0/28",
	    "vip v: more_addresses: \"192.168.1.10\" is the address of interface eth0" },
	{ NULL, V "nat more_addresses=192.168.1.11", NULL },
	{ NULL, V "nat more_addresses=239.0.0.1", "\"239.0.0.1\" is a multicast address" },
	{ NULL, V "nat more_addresses=223.255.255.255-224.0.0.1", "\"224.0.0.1\" is a multicast" },
	/* overlaps */
	{ V "nat",
	    "create vip w address=10.0.0.2 more_addresses=10.0.0.0-10.0.0.1 ports=80 mode=nat",
	    "vip w: ports: 80-80 at 10.0.0.1 is taken by vip v (tcp 80-80)" },
	{ V "nat more_addresses=10.0.1.0/24", "create vip w address=10.0.1.77 ports=70-90",
	    "vip w: ports: 70-90 at 10.0.1.77 is taken by vip v (tcp 80-80)" },
	{ V "nat more_addresses=10.0.1.0/24",
	    "create vip w address=10.0.2.1 more_addresses=10.0.1.200-10.0.2.0 ports=80 mode=dr",
	    "80-80 at 10.0.1.200 is taken by vip v" },
	{ V "nat more_addresses=10.0.1.0/24",
	    "create vip w address=10.0.2.1 more_addresses=10.0.1.0/25 ports=80 mode=dr",
	    "80-80 at 10.0.1.0 is taken by vip v" },
	{ V "nat more_addresses=10.0.1.0/24",
	    "create vip w address=10.0.2.1 more_addresses=10.0.1.0/24 ports=81 mode=dr; "
	    "create vip x address=10.0.1.7 ports=79,82-99; create vip y address=10.0.0.9 ports=80",
	    NULL },
	{ V "nat more_addresses=10.0.1.0/24; create vip w address=10.0.1.9 ports=81",
	    "create vip x address=10.0.3.1 more_addresses=10.0.1.8/29 ports=81 mode=tun",
	    "vip x: ports: 81-81 at 10.0.1.9 is taken by vip w" },
	{ V "nat protocol=tcp_udp", "create vip w address=10.0.0.1 ports=80 mode=nat protocol=udp",
	    "vip w: ports: 80-80 at 10.0.0.1 is taken by vip v (udp 80-80)" },
	{ V "nat protocol=sctp", "create vip w address=10.0.0.1 ports=80 mode=nat protocol=tcp_udp",
	    NULL },
	{ "create vip v address=fd00::5 more_addresses=fd00::1:0/120 ports=53 protocol=udp mode=nat",
	    "create vip w address=fd00::1:7 ports=1-100 protocol=udp mode=nat",
	    "1-100 at fd00::1:7 is taken by vip v" },
	{ V "nat mark=7", "create vip w address=10.0.0.1 ports=80 mode=nat mark=8", NULL },
	{ V "nat mark=7", "create vip w address=10.0.0.2 ports=81 mode=nat mark=7",
	    "vip w: mark: 7 is the mark of vip v; allowed is a mark that no other has" },
	{ V "nat mark=7", "create vip w address=fd00::6 ports=81 mode=nat mark=7", NULL },
	{ V "nat mark=7",
	    "create vip w address=fd00::6 more_addresses=10.0.0.4 ports=81 mode=nat mark=7",
	    "vip w: mark: 7" },
	/* the page */
	{ NULL, V "nat fallback_page=yes protocol=udp",
	    "vip v: fallback_page: \"yes\" is not possible with protocol udp" },
	{ NULL, V "nat fallback_page=yes fallback=10.0.0.9",
	    "goes not with the fallback server 10.0.0.9" },
	{ V "nat fallback_page=yes", "create vip w address=10.0.0.1 ports=9000-9100",
	    "vip v: fallback_page: the page is served at 10.0.0.1 port 9081 (setting sorry_port), which vip w "
	    "takes (9000-9100)" },
	{ V "nat fallback_page=yes more_addresses=10.0.2.0/24",
	    "create vip w address=10.0.2.5 ports=9081", "served at 10.0.2.5 port 9081" },
	{ "create vip w address=10.0.0.1 more_addresses=10.0.2.0/24 ports=9081 mode=nat",
	    "create vip v address=10.0.2.5 ports=80 fallback_page=yes mode=nat",
	    "vip v: fallback_page: the page is served at 10.0.2.5 port 9081" },
	{ V "nat fallback_page=yes",
	    "create vip w address=10.0.0.1 ports=81 mode=dr fallback_page=yes; "
	    "create vip x address=10.0.0.1 ports=9081 protocol=udp mode=nat; "
	    "create vip y address=10.0.0.2 more_addresses=10.0.0.3-10.0.0.9 ports=9081 mode=nat",
	    NULL },
	{ V "nat mark=9 fallback_page=yes", "create vip w address=10.0.0.1 ports=9081",
	    "fallback_page: the page" },
	{ V "nat fallback_page=yes", "set setting main sorry_port=80", "vip v: fallback_page" },
	{ NULL, "set setting main sorry_port=9443", "setting: sorry_port: 9443 is the HTTPS port" },
};

static const struct rule servers[] = {
	{ V "nat", "create rip v/a address=a.example", "is a name, and mode nat is layer 4" },
	{ V "nat", "create rip v/a address=fd00::7",
	    "rip v/a: address: \"fd00::7\" is IPv6, and mode nat cannot change the family; allowed is IPv4" },
	{ V6 "snat", "create rip v/a address=10.1.0.1",
	    "\"10.1.0.1\" is IPv4, and mode snat cannot" },
	{ V "nat", "create rip v/a address=fd00::7 forward=tun", NULL },
	{ V "tun",
	    "create rip v/a address=10.1.0.1 forward=nat; create rip v/b address=fd00::7 forward=dr",
	    "rip v/b: address: \"fd00::7\" is IPv6, and forwarding dr cannot" },
	{ TWO "nat", "create rip v/a address=fd00::7; create rip v/b address=10.1.0.1", NULL },
	{ V "tun; create rip v/a address=fd00::7", "set setting main sync_role=master",
	    "rip v/a: address: \"fd00::7\" is IPv6 in a virtual service of IPv4, which the kernel's "
	    "connection sync cannot carry (setting sync_role master)" },
	/* S079 */
	{ V "dr", "create rip v/a address=192.168.1.20 port=8080",
	    "rip v/a: port: 8080 is not possible with mode dr, which leaves ports as the client sent them; "
	    "allowed are 0 and 80, or forwarding nat" },
	{ V "dr", "create rip v/a address=192.168.1.20 port=80", NULL },
	{ V "tun", "create rip v/a address=10.9.0.1 port=81", "not possible with mode tun" },
	{ V "nat", "create rip v/a address=192.168.1.20 port=81 forward=dr",
	    "not possible with forwarding dr" },
	{ V "dr", "create rip v/a address=10.9.0.1 port=8080 forward=nat", NULL },
	{ "create vip v address=10.0.0.1 ports=80,443 mode=dr",
	    "create rip v/a address=192.168.1.20 port=80", "allowed is 0, or forwarding nat" },
	{ "create vip v address=10.0.0.1 ports=80,443 mode=nat",
	    "create rip v/a address=10.9.0.1 port=8080", NULL },
	/* S080 */
	{ V "dr", "create rip v/a address=10.9.0.1",
	    "rip v/a: address: \"10.9.0.1\" is in no network of this node, and mode dr needs that; allowed "
	    "is an address in 192.168.1.0/24, or forwarding tun" },
	{ V6 "dr", "create rip v/a address=fd01::1", "in fd00::/64, or forwarding tun" },
	{ V "nat", "create rip v/a address=10.9.0.1 forward=dr", "and forwarding dr needs that" },
	{ V "dr", "create rip v/a address=10.9.0.1 forward=tun", NULL },
	{ V "dr; create vip w address=10.7.0.1 ports=80", "create rip v/a address=10.7.0.1", NULL },
	{ V "dr; create fip f address=10.7.0.1/24", "create rip v/a address=10.7.0.1", NULL },
	{ V "dr", "create rip v/a address=127.0.0.1", NULL },
	/* a server twice, as the kernel sees it */
	{ DR, "create rip v/b address=192.168.1.20 port=80",
	    "rip v/b: address: \"192.168.1.20\" with port 80 is rip a already" },
	{ DR, "create rip v/b address=192.168.1.20 forward=tun", "is rip a already" },
	{ V "nat; create rip v/a address=10.9.0.1", "create rip v/b address=10.9.0.1 port=80",
	    "is rip a already" },
	{ V "nat; create rip v/a address=10.9.0.1", "create rip v/b address=10.9.0.1 port=81",
	    NULL },
	{ V "nat more_addresses=10.0.2.0/24", "create rip v/a address=10.0.2.9 port=80",
	    "its own virtual service" },
	/* limits, tunnels */
	{ V "nat", "create rip v/a address=10.9.0.1 min_conns=5",
	    "rip v/a: min_conns: 5 has no max_conns to go with" },
	{ V "nat", "create rip v/a address=10.9.0.1 min_conns=5 max_conns=4",
	    "min_conns: 5 is more than max_conns (4)" },
	{ V "nat", "create rip v/a address=10.9.0.1 min_conns=5 max_conns=5", NULL },
	{ NULL, V "dr tunnel=gre",
	    "vip v: tunnel: \"gre\" has no tunnel to go with; unset tunnel, or take mode tun" },
	{ NULL, V "nat tunnel_port=6081", "vip v: tunnel_port: \"6081\" has no tunnel" },
	{ NULL, V "tun tunnel_port=6081", "tunnel_port: 6081 is not possible with tunnel ipip" },
	{ NULL, V "tun tunnel=gue tunnel_port=6081 tunnel_csum=remote", NULL },
	{ NULL, V "tun tunnel_csum=full",
	    "tunnel_csum: \"full\" is not possible with tunnel ipip" },
	{ NULL, V "tun tunnel=gre tunnel_csum=remote",
	    "\"remote\" is not possible with tunnel gre" },
	{ NULL, V "tun tunnel=gre tunnel_csum=full", NULL },
	{ NULL, V "nat tunnel=gre fallback=10.9.0.9 fallback_forward=tun", NULL },
	{ V "tun", "create rip v/a address=10.9.0.1 tunnel=gue",
	    "rip v/a: tunnel: \"gue\" has no tunnel to go with; unset tunnel, or take forward tun" },
	{ V "tun", "create rip v/a address=10.9.0.1 forward=tun tunnel=gue tunnel_port=7000",
	    NULL },
	{ V "snat", "create rip v/a address=192.168.1.20 forward=dr",
	    "rip v/a: forward: \"dr\" is not possible in mode snat" },
	/* the fallback server */
	{ NULL, V "nat fallback=a.example",
	    "vip v: fallback: \"a.example\" is a name, and mode nat is layer 4" },
	{ NULL, V "nat fallback=fd00::7", "vip v: fallback: \"fd00::7\" is IPv6, and mode nat" },
	{ NULL, V "dr fallback=192.168.1.20 fallback_port=81",
	    "vip v: fallback_port: 81 is not possible with mode dr" },
	{ NULL, V "dr fallback=10.9.0.1 fallback_port=81 fallback_forward=nat", NULL },
	{ NULL, V "snat fallback=10.9.0.1 fallback_forward=tun",
	    "vip v: fallback_forward: \"tun\" is not possible in mode snat" },
	{ NULL, V "http fallback=10.0.0.1 fallback_port=80", "the virtual service itself, a loop" },
	{ NULL, V "http fallback=10.0.0.1 fallback_port=81", NULL },
	{ NULL, V "http fallback=224.0.0.1", "\"224.0.0.1\" is a multicast address" },
};

static const struct rule others[] = {
	/* settings */
	{ NULL, "set setting main tcp_timeout=1500ms",
	    "setting: tcp_timeout: 1500 ms are no whole seconds" },
	{ NULL, "set setting main fin_timeout=1ms", "setting: fin_timeout:" },
	{ NULL, "set setting main udp_timeout=1ms", "setting: udp_timeout:" },
	{ NULL, "set setting main tcp_timeout=90s", NULL },
	{ NULL, "set setting main sync_group=10.0.0.1",
	    "setting: sync_group: \"10.0.0.1\" is no multicast address" },
	{ NULL, "set setting main sync_group=fd00::1", "no multicast address" },
	{ NULL, "set setting main sync_group=239.1.1.1", NULL },
	{ NULL, "set setting main sync_group=ff02::51", NULL },
	{ NULL, "set node main sync_interface=a/b", "node: sync_interface: \"a/b\" cannot be" },
	{ NULL, "set node main autonat=a:b", "node: autonat: \"a:b\" cannot be" },
	/* translation */
	{ NULL, "create nat n kind=masquerade inside=10.9.0.0/24",
	    "nat n: interface: is required with kind masquerade" },
	{ NULL, "create nat n kind=masquerade inside=10.9.0.0/24 interface=eth1 outside=10.0.0.1",
	    "nat n: outside: \"10.0.0.1\" is not possible with kind masquerade" },
	{ NULL, "create nat n kind=masquerade inside=10.9.0.0/24 interface=eth1", NULL },
	{ NULL, "create nat n kind=masquerade inside=10.9.0.0/24 interface=a/b",
	    "nat n: interface:" },
	{ NULL, "create nat n kind=snat inside=10.9.0.0/24",
	    "nat n: outside: is required with kind snat" },
	{ NULL, "create nat n kind=snat inside=10.9.0.0/24 outside=fd00::9",
	    "is IPv6, and inside is not" },
	{ NULL, "create nat n kind=snat inside=10.9.0.0/24 outside=10.0.0.1 protocol=udp", NULL },
	{ NULL, "create nat n kind=snat inside=10.9.0.0/24 outside=192.168.1.10",
	    "nat n: outside: \"192.168.1.10\" is the address of interface eth0" },
	{ NULL, "create nat n kind=both inside=10.9.0.0/24 outside=10.0.0.1",
	    "nat n: inside: \"10.9.0.0/24\" is a network, and kind both reaches one server" },
	{ NULL, "create nat n kind=dnat inside=10.0.0.1 outside=10.0.0.1",
	    "is the outside address too" },
	{ NULL, "create nat n inside=10.9.0.1 outside=10.0.0.1 ports=25 protocol=tcp",
	    "nat n: ports: is not possible with kind both" },
	{ NULL, "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 ports=25",
	    "nat n: ports: is not possible with protocol any" },
	{ NULL, "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 inside_port=25",
	    "protocol any" },
	{ NULL,
	    "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 protocol=tcp ports=25,26 inside_port=5",
	    "nat n: inside_port: 5 cannot stand for several ports" },
	{ NULL,
	    "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 protocol=tcp ports=25 inside_port=5",
	    NULL },
	{ "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 protocol=tcp ports=25-30",
	    "create nat m kind=dnat inside=10.9.0.2 outside=10.0.0.1 protocol=tcp ports=30",
	    "nat m: ports: 30-30 at 10.0.0.1 is taken by nat n (tcp 25-30)" },
	{ "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 protocol=tcp ports=25-30",
	    "create nat m inside=10.9.0.2 outside=10.0.0.1", "is taken by nat n" },
	{ "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 protocol=tcp ports=25-30",
	    "create nat m kind=dnat inside=10.9.0.2 outside=10.0.0.1 protocol=udp ports=30; "
	    "create nat k kind=snat inside=10.9.0.2 outside=10.0.0.1",
	    NULL },
	{ V "dr", "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 protocol=tcp",
	    "nat n: ports: 0-65535 at 10.0.0.1 is taken by vip v (tcp 80-80)" },
	{ V "dr", "create nat n kind=dnat inside=10.9.0.1 outside=10.0.0.1 protocol=tcp ports=25",
	    NULL },
};

#define TEST(name)                                \
	static void test_##name(void **state)     \
	{                                         \
		(void)state;                      \
		run_rules(name, ARRAY_LEN(name)); \
	}
TEST(layers)
TEST(addresses)
TEST(servers)
TEST(others)

/* An interface that lost its address is no reason to refuse a change of something else, nor an order. */
static void
test_interfaces_change(void **state)
{
	static struct iface_addr other = { .name = "eth0" };
	struct iface_list l = { 1, &other };

	(void)state;
	set_local();
	assert_good(edit(DR "; create vip w address=10.7.0.1 ports=80"));
	assert_int_equal(addr_parse("10.7.0.1/24", ADDR_CIDR, &other.addr), 0);
	store_set_local(st, &l);
	assert_good(edit("set vip w comment=x; create vip x address=10.0.0.9 ports=1"));
	assert_good(edit("set rip v/a weight=7; set vip v comment=x"));
	assert_bad(edit("set rip v/a address=192.168.1.21"), ERR_INVALID, "in no network of");
	assert_bad(edit("create rip v/b address=192.168.1.21"), ERR_INVALID, "in no network of");
	assert_bad(edit("create vip y address=10.7.0.1 ports=81"), ERR_INVALID, "interface eth0");
	assert_good(edit("set vip v mode=tun"));
	assert_bad(edit("set vip v mode=dr"), ERR_INVALID, "in no network of this node");
}

/* Nor is a node that has no network yet. */
static void
test_a_node_without_networks(void **state)
{
	static struct iface_addr lo = { .name = "lo" };

	(void)state;
	assert_int_equal(addr_parse("127.0.0.1/8", ADDR_CIDR, &lo.addr), 0);
	store_set_local(st, &(struct iface_list){ 1, &lo });
	assert_good(edit(V "dr; create rip v/a address=10.9.0.1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_layers),
		T(test_addresses),
		T(test_servers),
		T(test_others),
		T(test_interfaces_change),
		T(test_a_node_without_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
