"""What else than TCP at one port: UDP, SCTP, marks, one packet at a time, SIP, both protocols of DNS, servers that speak first."""
import collections
import subprocess

import pytest

from lbdtest import SLOW
from site_ import Site, v

UDP, SCTP, MARK, ONE, SIP, DNS, FIRST, MANY = (v(n) for n in range(101, 109))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Servers 1 and 2 translate, 3 and 4 are reached directly."""
    subprocess.run(["modprobe", "-a", "sctp", "ip_vs_pe_sip"], check=True)
    with Site(tmp_path_factory.mktemp("protocols"), servers=4) as site:
        for s in site.lab.servers[:2]:
            s.nat()
            for port in 22, 25, 53, 80, 443, 3389:
                s.listen(port)
            for port in 7, 53:
                s.listen(port, "udp")
            s.listen(9, "sctp")
        for s in site.lab.servers[2:]:
            s.dr(*ONE, *SIP)
            for port in 7, 5060, 5061:
                s.listen(port, "udp")
        site.lab.client.hold("10.0.8.1", "10.0.8.2", *(f"10.0.9.{n}" for n in range(100, 140)))
        site.lab.router.ip(f"route add 10.0.8.0/24 via {site.lab.client.address}")
        yield site


def nat(site, vip, **more):
    return dict(address=vip, mode="nat", scheduler="rr", rips=site.rips(vip, 1, 2), **more)


def test_udp(site):
    """S066: an echo through the virtual address, IPv4 and IPv6."""
    site.apply(udp4=nat(site, UDP[0], ports=7, protocol="udp"), udp6=nat(site, UDP[1], ports=7, protocol="udp"))
    for vip in UDP:
        assert site.lab.spread(6, vip, 7, "udp") == {"s1": 3, "s2": 3}


def test_sctp(site):
    """A005."""
    site.apply(sctp4=nat(site, SCTP[0], ports=9, protocol="sctp"), sctp6=nat(site, SCTP[1], ports=9, protocol="sctp"))
    for vip in SCTP:
        assert site.lab.spread(4, vip, 9, "sctp") == {"s1": 2, "s2": 2}
        f, = site.lab.flows(1, vip, 9, "sctp")
        f.echo()


def test_mark_of_ones_own(site):
    """A003: a rule of the administrator's own marks packets; one service has two ports, with one server for a client."""
    site.lab.node.run("nft", f"table inet mine {{ chain c {{ type filter hook prerouting priority mangle; ip daddr {MARK[0]} "
                             "tcp dport { 80, 443 } meta mark set 77; }; };")
    site.apply(mark=nat(site, MARK[0], ports="80,443", mark=77, persistence="source"))
    assert site.lab.table()["FWM 77"].flags.startswith("persistent")
    got = {a: [set(site.lab.spread(2, MARK[0], port, source=a)) for port in (80, 443)] for a in (site.lab.client.address, "10.0.8.1")}
    assert all(a == b and len(a) == 1 for a, b in got.values())
    assert {x for pair in got.values() for s in pair for x in s} == {"s1", "s2"}
    assert "table inet mine" in site.lab.node.run("nft", "list", "ruleset").stdout


def datagrams(site, vip, port, texts, source=None):
    """The servers that answered the texts, all sent from one port."""
    with site.lab.client.inside():
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((source or site.lab.client.address, 0))
    with s:
        s.settimeout(5 * SLOW)
        out = []
        for text in texts:
            s.sendto(text, (vip, port))
            out.append(s.recv(2048).split()[0].decode())
        return out


def test_one_packet(site):
    """A004: queries of one socket go to all servers; without it they go where the first went."""
    vip = ONE[0]
    site.apply(one=dict(address=vip, ports=7, protocol="udp", mode="dr", scheduler="rr", one_packet=True, rips=site.rips(vip, 3, 4)))
    assert "ops" in site.table(vip, "UDP", 7).flags
    assert sorted(datagrams(site, vip, 7, [b"q"] * 6)) == ["s3"] * 3 + ["s4"] * 3
    assert len(set(datagrams(site, UDP[0], 7, [b"q"] * 6))) == 1


def test_sip(site):
    """A011: messages of one Call-ID go to one server, others are balanced, also those of one client; whose address counts is up
    to the mask, as with other persistence."""
    for port, more in (5060, {}), (5061, dict(persist_mask=0)):
        site.apply(**{f"sip{port}": dict(address=SIP[0], ports=port, protocol="udp", mode="dr", scheduler="rr", persistence="sip",
                                         persist_timeout="1m", rips=site.rips(SIP[0], 3, 4), **more)})
        assert "pe sip" in site.table(SIP[0], "UDP", port).flags

    def call(port, name, source=None):
        return datagrams(site, SIP[0], port, [b"OPTIONS sip:a@example.com SIP/2.0\r\nCall-ID: " + name + b"@example.com\r\n"
                                              b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"], source)[0]
    for port, sources in (5060, [None] * 3), (5061, [None, "10.0.8.1", "10.0.8.2"]):
        first = {name: call(port, name) for name in (b"call-a", b"call-b", b"call-c", b"call-d")}
        assert set(first.values()) == {"s3", "s4"}
        for name, server in first.items():
            assert {call(port, name, source) for source in sources} == {server}


def test_both_protocols(site):
    """S130: DNS by UDP and TCP as one service."""
    site.apply(dns=nat(site, DNS[0], ports=53, protocol="tcp_udp"))
    assert set(site.lab.spread(4, DNS[0], 53, "udp")) == set(site.lab.spread(4, DNS[0], 53)) == {"s1", "s2"}


def test_server_speaks_first(site):
    """S129: SSH, SMTP and RDP ports of one service: the greeting arrives unasked, and a client address keeps its server."""
    site.apply(first=nat(site, FIRST[0], ports="22,25,3389", persistence="source"))
    got = {a: {f.server for port in (22, 25, 3389) for f in site.lab.flows(2, FIRST[0], port, source=a)}
           for a in (site.lab.client.address, "10.0.8.1")}
    assert all(len(x) == 1 for x in got.values()) and len(set.union(*got.values())) == 2


def test_many_uploaders(site):
    """S128: forty stations upload at once to one address; both servers take part, every byte arrives."""
    site.apply(many=dict(nat(site, MANY[0], ports=80), scheduler="wlc"))
    opened = site.lab.flows(40, MANY[0], source=lambda i: f"10.0.9.{100 + i}")
    assert collections.Counter(f.server for f in opened) == {"s1": 20, "s2": 20}
    assert {f.seen[0] for f in opened} == {f"10.0.9.{100 + i}" for i in range(40)}
    for f in opened:
        f.sock.setblocking(True)
        f.sock.settimeout(10 * SLOW)
        f.sock.sendall(b"y" * 30000)
    for f in opened:
        n = 0
        while n < 30000:
            n += len(f.sock.recv(65536)) or pytest.fail("closed")
        f.close()
