"""What stands around IPVS: several ports and addresses as one service, layer 4 SNAT, translation of servers' own connections, the
packet filter, limits. Servers 1 and 2 have the node as their gateway; 3 has the router, and 4 stands behind it."""
import json
import os
import socket
import struct
import threading
from collections import Counter

import pytest

from echo import flows
from lab import address
from lbdtest import wait_until
from site_ import Site, v
from wire import SYN

NODE, NODE6 = address("back", 1), address("back", 1, 6)
SOON = 0.4  # seconds (times LBD_SLOW) for what is not to be answered
P, U, S, SOURCED, N, AWAY, L, F, D, T = (v(n) for n in (121, 122, 123, 126, 124, 125, 127, 128, 132, 133))
MANY, SOURCE = "10.0.1.130", address("front", 177)
EVERY = [MANY, *(f"10.0.1.{n}" for n in [*range(144, 160), 161, 162, 163])]


def services(site):
    """All of them in one revision. Both families where a test asks for both."""
    rips = site.rips
    out = {"udp": dict(address=U[0], ports="80", protocol="tcp_udp", mode="nat", persistence="source", rips=rips(U[0], 1, 2)),
           "many": dict(address=MANY, more_addresses="10.0.1.144/28,10.0.1.161-10.0.1.163", ports="80,443", mode="nat", rips=rips(MANY, 1, 2)),
           "sourced": dict(address=SOURCED[0], ports="80", mode="snat", source=SOURCE, rips=rips(SOURCED[0], 1, 3, 4)),
           "away": dict(address=AWAY[0], ports="80", mode="nat", rips=rips(AWAY[0], 4)),
           "limited": dict(address=L[0], ports="80,443", mode="nat", syn_rate=5, rips=rips(L[0], 1, 2)),
           "flooded": dict(address=F[0], ports="80", mode="nat", rips=rips(F[0], 1, 2))}
    for a in 0, 1:
        out |= {f"ports{a}": dict(address=P[a], ports="80,443,8000-8010", mode="nat", persistence="source", rips=rips(P[a], 1, 2)),
                f"snat{a}": dict(address=S[a], ports="80", mode="snat", rips=rips(S[a], 1, 3)),
                f"nat{a}": dict(address=N[a], ports="80", mode="nat", rips=rips(N[a], 1)),
                f"dr{a}": dict(address=D[a], ports="80", mode="dr", rips=rips(D[a], 3)),
                f"tun{a}": dict(address=T[a], ports="80,443", mode="tun", rips=rips(T[a], 4))}
    return {name: dict(x, scheduler="rr") for name, x in out.items()}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("packet"), servers=4, clients=2, far=(4,)) as site:
        lab = site.lab
        for s in lab.servers:
            for port in 80, 443, 8005:
                s.listen(port)
            s.listen(80, "udp")
        for s in lab.servers[:2]:
            s.nat()
        lab.servers[2].dr(*D)
        lab.servers[3].dr(*T)
        lab.servers[3].tun()
        lab.echo.listen(lab.client, 9000, "tcp")
        lab.node.hold(SOURCE)
        lab.node.run("nft", "add table inet mine; add chain inet mine c { type filter hook forward priority 0; }; "
                     "add counter inet mine n; add rule inet mine c ip daddr 192.0.2.77 counter drop")
        site.apply(wait=False, **services(site))
        site.until(lambda: T[1] in lab.node.run("ip", "addr").stdout, "the addresses")
        site.until(lambda: f"{MANY} . tcp . 443" in ruleset(site), "the rules")
        site.until(lambda: len(lab.table()) == len(services(site)), "the services")
        yield site


def ruleset(site):
    return site.lab.node.run("nft", "list", "ruleset").stdout


def change(site, **doc):
    """Merged into the configuration: nat={...}, node={...}, setting={...}."""
    site.lb.ctl("apply", "-f", "-", input=json.dumps(doc))


def front(site):
    return site.lab.node.plugs["front"]


def seen_from(site, host, to=None, port=9000):
    """The address that a listener sees when host connects to it; None: it cannot."""
    f, = flows(host, 1, to or site.lab.client.address, port, timeout=SOON)
    f.close()
    return f.seen[0] if f.server else None


def becomes(site, wanted, what, *args, **kw):
    """Rules follow a commit within moments."""
    site.until(lambda: seen_from(site, *args, **kw) == wanted, f"{what}: {wanted} is seen")


def test_ports_as_one(site):
    """S065, A003: "80,443,8000-8010" is one service by mark; a client has one server on all its ports, in both families."""
    lab = site.lab
    for vip in P:
        got = [[lab.spread(2, vip, port, client=c) for port in (80, 443, 8005)] for c in lab.clients]
        servers = [next(iter(g[0])) for g in got]
        assert sorted(servers) == ["s1", "s2"]
        assert got == [[{s: 2}] * 3 for s in servers]
    assert seen_from(site, lab.client, P[0], 8011) is None
    assert lab.spread(2, P[0], 443, client=lab.node).keys() <= {"s1", "s2"}  # the node is a client too


def test_twenty_addresses(site):
    """A008, A033: a network and a range of addresses in one object, twenty in all, balanced together."""
    got = sum((site.lab.spread(1, a, 80) for a in EVERY), start=Counter())
    assert len(EVERY) == 20 and got == {"s1": 10, "s2": 10}
    assert sum((site.lab.spread(1, a, 443) for a in EVERY[:4]), start=Counter()) == {"s1": 2, "s2": 2}


def test_tcp_and_udp_as_one(site):
    """S066, A003: TCP and UDP of one port are one service, a client has one server for both."""
    for c in site.lab.clients:
        tcp, udp = (site.lab.spread(3, U[0], protocol=p, client=c) for p in ("tcp", "udp"))
        assert tcp == udp and set(tcp.values()) == {3}


def test_snat(site):
    """A010: servers that have the node neither as gateway nor as neighbour see its address and answer it; with a source of its
    own; a server may be the client."""
    lab = site.lab
    for vip, seen in zip(S, (NODE, NODE6)):
        opened = lab.flows(4, vip)
        assert sorted(f.server for f in opened) == ["s1", "s1", "s3", "s3"]
        assert {f.seen[0] for f in opened} == {seen}
        for f in opened:
            f.echo(os.urandom(5000))
            f.close()
    again = lab.flows(4, S[0], client=lab.servers[0])
    assert {f.seen[0] for f in again} == {NODE} and all(f.alive() for f in again)
    assert {(f.server, f.seen[0]) for f in lab.flows(6, SOURCED[0])} == {(s, SOURCE) for s in ("s1", "s3", "s4")}


def test_autonat(site):
    """S041, S087: off, a server's own connection keeps its address; on, it leaves with the node's. What is balanced does not:
    neither answers nor requests, though services of mode snat have connections kept in tracking."""
    lab, s1 = site.lab, site.lab.servers[0]
    assert seen_from(site, s1) == s1.address
    change(site, node={"autonat": front(site)})
    becomes(site, lab.node.address, "autonat", s1)
    flow, = lab.flows(1, N[0])
    assert flow.server == "s1" and flow.seen[0] == lab.client.address
    flow.echo(b"x" * 5000)
    flow.close()
    tap = lab.capture(lab.servers[3], "far")
    assert seen_from(site, lab.client, AWAY[0], 80) is None  # its answer does not come back here
    assert {p.src for p in tap.packets() if p.flags == SYN} == {lab.client.address}
    site.lb.ctl("unset", "node", "main", "autonat")
    becomes(site, s1.address, "off again", s1)


def test_natrules(site):
    """S088, S089: masquerade, snat, dnat and both, with ports and interface; a rule that is disabled does nothing."""
    lab, (s1, s2) = site.lab, site.lab.servers[:2]
    out = [address("front", n) for n in (171, 172, 173)]
    change(site, nat={"hide": dict(kind="masquerade", inside=f"{s1.address}/32", interface=front(site))})
    becomes(site, lab.node.address, "masquerade", s1)
    assert seen_from(site, s2) == s2.address
    site.lb.ctl("set", "nat", "hide", "enabled=no")
    change(site, nat={"out": dict(kind="snat", inside="10.0.2.0/24", outside=out[0]),
                      "rdp": dict(kind="dnat", inside=s2.address, outside=out[1], protocol="tcp", ports="3389", inside_port=443,
                                  interface=front(site))})
    becomes(site, out[0], "snat of the network", s1)
    becomes(site, lab.client.address, "dnat", lab.client, out[1], 3389)
    one, = flows(lab.client, 1, out[1], 3389)
    assert one.server == "s2" and one.own == (s2.address, 443)
    one.close()
    assert seen_from(site, s2) == out[0] and seen_from(site, lab.client, out[1], 80) is None
    change(site, nat={"one": dict(kind="both", inside=s1.address, outside=out[2])})
    becomes(site, out[2], "both, on the way out", s1)
    two, = flows(lab.client, 1, out[2], 8005)
    assert two.server == "s1" and two.seen[0] == lab.client.address
    two.close()
    site.lb.ctl("delete", "nat", "hide", "out", "rdp", "one", "-y")
    becomes(site, s1.address, "no rule", s1)


def ping(host, to):
    return host.run("ping", "-n", "-c", 1, "-W", 2, to, check=False).returncode == 0


def spoof(host, src, dst):
    """An IPv6 packet with another's address."""
    with host.inside(), socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        a, b = (socket.inet_pton(socket.AF_INET6, x) for x in (src, dst))
        raw.sendto(struct.pack(">IHBB", 6 << 28, 8, 17, 64) + a + b + struct.pack(">HHHH", 1, 2, 8, 0), (dst, 0))


def test_packet_filter(site):
    """S039, S040: the node routes by default; with the filter on nothing passes but what is balanced, in every mode, and what
    rules translate. S035: both arms."""
    lab, s1 = site.lab, site.lab.servers[0]
    assert ping(s1, lab.client.address) and ping(s1, lab.client.address6)
    assert seen_from(site, s1) == s1.address
    old, = lab.flows(1, N[0])
    change(site, setting={"packet_filter": "yes"})
    becomes(site, None, "filtered", s1)
    assert not ping(s1, lab.client.address) and not ping(s1, lab.client.address6) and not ping(lab.client, s1.address)
    assert old.alive()
    for vip, servers in (N, {"s1"}), (D, {"s3"}), (S, {"s1", "s3"}), (T, {"s4"}), (P, {"s1", "s2"}):
        for a in vip:
            opened = lab.flows(2, a)
            assert {f.server for f in opened} <= servers, a
            for f in opened:
                f.echo(b"x" * 3000)
                f.close()
    tap = lab.capture(lab.client, "client")
    spoof(s1, N[1], lab.client.address6)  # an address of the node is what tells answers
    change(site, nat={"hide": dict(kind="masquerade", inside=f"{s1.address}/32", interface=front(site)),
                      "in": dict(kind="dnat", inside=s1.address, outside=address("front", 174), protocol="tcp", ports="443")})
    becomes(site, lab.node.address, "masquerade passes", s1)
    becomes(site, lab.client.address, "dnat passes", lab.client, address("front", 174), 443)
    assert not [p for p in tap.packets() if p.src == N[1] and p.protocol == 17]
    site.lb.ctl("delete", "nat", "hide", "in", "-y")
    change(site, setting={"packet_filter": "no"})
    site.until(lambda: ping(s1, lab.client.address6), "it routes again")


def test_rate_of_a_client(site):
    """A106: one client opens more connections than it may, the others are not disturbed."""
    lab = site.lab
    refused = [f for f in flows(lab.client, 60, L[0], timeout=SOON, keep=False) if not f.server]
    assert len(refused) > 20, len(refused)
    assert lab.spread(3, L[0], client=lab.clients[1]).get(None) is None
    site.until(lambda: seen_from(site, lab.client, L[0], 443), "the allowance is back")


def flood(host, vip, stop, sent):
    """SYNs to port 80 from random addresses of 198.18.0.0/15, until stop is set; 2,000 a second at most, as the guest has one
    processor for it, the node and the servers."""
    def checksum(b):
        s = sum(struct.unpack(f">{len(b) // 2}H", b))
        s = (s & 0xffff) + (s >> 16)
        return ~((s & 0xffff) + (s >> 16)) & 0xffff
    with host.inside():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    dst = socket.inet_aton(vip)
    with raw:
        while not stop.is_set():
            r = os.urandom(6)
            src = bytes([198, 18 + r[0] % 2, r[1], r[2]])
            tcp = struct.pack(">HHIIBBHHH", 1024 + r[3] * 200, 80, 1, 0, 0x50, SYN, 1000, 0, 0)
            sum_ = checksum(src + dst + struct.pack(">BBH", 0, 6, 20) + tcp)
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + src + dst
            raw.sendto(ip + tcp[:16] + struct.pack(">H", sum_) + tcp[18:], (vip, 0))
            sent[0] += 1
            if sent[0] % 20 == 0:
                stop.wait(0.01)


def test_flood_from_everywhere(site):
    """A106: half-open connections from thousands of addresses, and the service answers others all the while."""
    lab = site.lab

    def drop_entry():
        return lab.node.run("cat", "/proc/sys/net/ipv4/vs/drop_entry").stdout.strip()
    change(site, setting={"syn_defense": "yes"})
    site.until(lambda: drop_entry() == "1", "syn_defense")
    stop, sent = threading.Event(), [0]
    attacker = threading.Thread(target=flood, args=(lab.clients[1], F[0], stop, sent), daemon=True)
    attacker.start()
    try:
        wait_until(lambda: sent[0] > 3000, 60, "3,000 SYNs")
        before = sent[0]
        got = lab.spread(30, F[0])
        assert set(got) == {"s1", "s2"}, got
    finally:
        stop.set()
        attacker.join()
    assert sent[0] > before
    half = sum(c[2] == "SYN_RECV" for c in lab.conns())
    assert half > 1000, half
    change(site, setting={"syn_defense": "no"})
    site.until(lambda: drop_entry() == "0", "switched off")


def test_narrow_path(site):
    """A031: "fragmentation needed" on the way to the client reaches the server that sent too much, in every mode. A032: a large
    request passes a tunnel though the path takes no more than the client's own packets: it is told so."""
    lab, ways = site.lab, [f"{a} dev {site.lab.router.plugs['client']}" for a in (site.lab.client.address, site.lab.client.address6)]

    def large(*vips):
        for a in (a for vip in vips for a in vip):
            f, = lab.flows(1, a)
            f.echo(os.urandom(30000), timeout=10)
            f.close()
    large(T)
    lab.router.ip(*(f"route add {w} mtu lock 1300" for w in ways))
    large(N, D, S, T)
    lab.router.ip(*(f"route del {w}" for w in ways))


def test_what_is_left(site):
    """S019: a restart that finds another configuration; without anything that needs it our table goes, and another's table is as
    it was."""
    lab = site.lab
    mine = lab.node.run("nft", "list", "table", "inet", "mine").stdout
    assert "192.0.2.77 counter" in mine and "counter n" in mine
    site.lb.kill("lbd-ipvs")
    assert "mark4" in ruleset(site)
    site.lb.ctl("delete", "vip", *services(site), "--cascade", "-y")
    site.lb.start("lbd-ipvs")
    site.until(lambda: "inet lbd" not in ruleset(site), "the table is gone")
    assert lab.node.run("nft", "list", "table", "inet", "mine").stdout == mine
