"""Every way of forwarding, with the daemons: which machine gets the packet, as what, and which way the answer takes. Servers 1 and
2 have the node as their gateway, 3 and 4 hold the virtual addresses behind it, 5 and 6 are behind a router and take tunnels."""
import struct

import pytest

from echo import flows
from lab import is6
from site_ import Site, v, web
from wire import GRE, IP6, IPIP, UDP, gue

NAT, DR, IPIPV, GREV, GUEV, MIXED, SIX, FOUR = (v(n) for n in range(101, 109))
KINDS = {"ipip": IPIPV, "gre": GREV, "gue": GUEV}
GUE_PORT = 6081


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("modes"), servers=6, far=(5, 6)) as site:
        s = site.lab.servers
        for x in s:
            x.listen(80)
        for x in s[:2]:
            x.nat()
            x.listen(8080)
        for x in s[2:4]:
            x.dr(*DR, *MIXED)
        for x in s[4:]:
            x.dr(*IPIPV, *GREV, *GUEV, *MIXED, *SIX, *FOUR)
            x.tun(kind="ipip")
            x.tun(kind="gre")
            x.tun(kind="gue", port=GUE_PORT)
            # gre0 drops what has a checksum.
            x.ip(f"link add g4 type gre local {x.address} remote any icsum", f"link add g6 type ip6gre local {x.address6} remote any icsum",
                 "link set g4 up", "link set g6 up")
        yield site


def client_of(site, vip):
    return site.lab.client.at(vip)


def test_nat(site):
    """S030, S078, S083, S084, S085, S093: port 80 reaches 8080, the server sees the client, and answers through the node."""
    lab, s1 = site.lab, site.lab.servers[0]
    site.apply(**{f"nat{i}": dict(address=a, ports=80, mode="nat", scheduler="rr", rips=site.rips(a, 1, 2, port=8080))
                  for i, a in enumerate(NAT)})
    tap = lab.capture(s1, "back")
    for vip in NAT:
        assert {d.forward for d in site.table(vip).servers.values()} == {"Masq"}
        opened = lab.flows(6, vip)
        assert sorted(f.server for f in opened) == ["s1"] * 3 + ["s2"] * 3
        assert {f.seen[0] for f in opened} == {client_of(site, vip)}
        assert {f.own for f in opened} == {(s.at(vip), 8080) for s in lab.servers[:2]}
        for f in opened:
            f.echo(b"x" * 3000)
            f.close()
    assert {p.to_mac for p in tap.packets() if p.out and p.sport == 8080} == {lab.node.mac("back")}


def test_direct_routing(site):
    """S030, S077, S078, S081: only the frame's address changes, the answer passes the node by, and the virtual address is of
    another network than the servers."""
    lab, macs = site.lab, {s.mac("back") for s in site.lab.servers[2:4]}
    site.apply(**{f"dr{i}": dict(address=a, ports=80, mode="dr", scheduler="rr", rips=site.rips(a, 3, 4)) for i, a in enumerate(DR)})
    taps = [lab.capture(lab.node, net) for net in ("front", "back")]
    for vip in DR:
        opened = lab.flows(4, vip)
        assert sorted(f.server for f in opened) == ["s3", "s3", "s4", "s4"]
        assert {(f.seen[0], f.own) for f in opened} == {(client_of(site, vip), (vip, 80))}
        for f in opened:
            f.echo()
            f.close()
        sent = [p for p in taps[1].packets() if p.out and p.dst == vip and p.dport == 80]
        assert {p.to_mac for p in sent} == macs and {p.from_mac for p in sent} == {lab.node.mac("back")}
        assert {p.src for p in sent} == {client_of(site, vip)}
        assert not [p for t in taps for p in t.packets() if p.src == vip and p.sport == 80]


def outer(p, kind):
    """The packet in a tunnel of that kind; None: it is none."""
    if kind == "gue":
        return gue(p) if p.protocol == UDP and p.dport == GUE_PORT else None
    return p.inner if p.protocol == GRE or kind == "ipip" and p.protocol in (IPIP, IP6) else None


def checksummed(p, kind):
    if kind == "gre":
        return bool(struct.unpack(">H", p.payload[:2])[0] & 0x8000)
    return p.raw[(54 if p.kind == "ip6" else 34) + 6:][:2] != b"\0\0"  # of UDP


def test_tunnels(site):
    """S030, S090, A006: ipip, gre and gue across a router, with checksums and a port of its own, seen on the wire; the client's
    address arrives and the server answers it directly."""
    lab, s5 = site.lab, site.lab.servers[4]
    site.apply(**{f"{kind}{i}": dict(address=a, ports=80, mode="tun", scheduler="rr", tunnel=kind, rips=site.rips(a, 5, 6),
                                     **({} if kind == "ipip" else dict(tunnel_csum="full")),
                                     **(dict(tunnel_port=GUE_PORT) if kind == "gue" else {}))
                  for kind, vips in KINDS.items() for i, a in enumerate(vips)})
    node, far = lab.capture(lab.node, "front"), lab.capture(s5, "far")
    for kind, vips in KINDS.items():
        for vip in vips:
            assert {d.forward for d in site.table(vip).servers.values()} == {"Tunnel"}
            opened = lab.flows(4, vip)
            assert sorted(f.server or "" for f in opened) == ["s5", "s5", "s6", "s6"], (kind, vip)
            assert {(f.seen[0], f.own) for f in opened} == {(client_of(site, vip), (vip, 80))}
            for f in opened:
                f.echo()
                f.close()
            inside = [(p, q) for p in far.packets() if not p.out and (q := outer(p, kind)) and q.dst == vip]
            assert inside and {p.dst for p, _ in inside} == {s5.at(vip)}
            assert kind == "ipip" or {checksummed(p, kind) for p, _ in inside} == {True}, kind
            assert not [p for p in node.packets() if p.src == vip and p.sport == 80]


def test_server_says_how(site):
    """A007: one service with direct routing, a tunnel and translation."""
    lab = site.lab
    for i, vip in enumerate(MIXED):
        site.apply(**{f"each{i}": dict(address=vip, ports=80, mode="dr", scheduler="rr",
                                       rips={**site.rips(vip, 1, forward="nat"), **site.rips(vip, 3), **site.rips(vip, 5, forward="tun")})})
        assert sorted(d.forward for d in site.table(vip).servers.values()) == ["Masq", "Route", "Tunnel"]
        assert lab.spread(6, vip) == {"s1": 2, "s3": 2, "s5": 2}


def test_other_family(site):
    """S030: IPv4 clients in a tunnel of IPv6, and the other way round."""
    lab = site.lab
    site.apply(six=dict(address=SIX[0], ports=80, mode="tun", scheduler="rr", rips=site.rips("::", 5, 6)),
               four=dict(address=FOUR[1], ports=80, mode="tun", scheduler="rr", rips=site.rips("0.0.0.0", 5, 6)))
    tap = lab.capture(lab.servers[4], "far")
    for vip, protocol in (SIX[0], IPIP), (FOUR[1], IP6):
        assert lab.spread(4, vip) == {"s5": 2, "s6": 2}
        assert {p.protocol for p in tap.packets() if p.inner and p.inner.dst == vip} == {protocol}
        assert {is6(p.dst) for p in tap.packets() if p.inner and p.inner.dst == vip} == {not is6(vip)}


def test_one_arm(tmp_path):
    """S035, S036, S086: translation with one interface. A client from elsewhere is served; one beside the servers only once its
    servers answer it through the node."""
    with Site(tmp_path, servers=3, arms=1) as site:
        lab, vip = site.lab, v(100)[0]
        *servers, beside = lab.servers
        for s in servers:
            s.nat()
            s.listen(80)
        site.apply(web=dict(address=vip, ports=80, mode="nat", scheduler="rr", rips=site.rips(vip, 1, 2)))
        assert lab.spread(4, vip) == {"s1": 2, "s2": 2}
        assert [f.server for f in flows(beside, 1, vip, source=beside.address, timeout=0.5)] == [None]
        for s in servers:
            s.ip(f"route replace {beside.address}/32 via 10.0.1.1")
        assert lab.spread(4, vip, client=beside, source=beside.address) == {"s1": 2, "s2": 2}
        assert web(vip) in lab.node.run("ipvsadm", "-Ln").stdout
