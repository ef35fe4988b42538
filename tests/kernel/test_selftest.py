"""The kernel's own IPVS self-test, between namespaces: direct routing, NAT and tunnels in turn, 32 random bytes through the virtual
address compared. Once with ipvsadm, which proves the lab, and once with lbctl in its place."""
import json
import os

import pytest

from lab import VIP, VIP6, Dest, Service
from lbdtest import wait_until
from wire import IPIP, SYN

VIPS = {"four": VIP, "six": VIP6}
METHODS = {"dr": "-g", "nat": "-m", "tun": "-i"}
FORWARD = {"dr": "Route", "nat": "Masq", "tun": "Tunnel"}


def web(address):
    return f"[{address}]:80" if ":" in address else f"{address}:80"


def prepared(lab, method):
    lab = lab(servers=2, arms=1 if method == "dr" else 2, far=(1, 2) if method == "tun" else ())
    for s in lab.servers:
        getattr(s, method)()
        s.listen(80)
    return lab


def prove(lab, method, vip):
    """Bytes pass unchanged, both servers take part, the client's own address arrives, and the way is the one that was asked."""
    s1 = lab.servers[0]
    tap = lab.capture(s1, s1.net)
    client = lab.client.address6 if ":" in vip else lab.client.address
    opened = lab.flows(4, vip)
    assert sorted(f.server or "" for f in opened) == ["s1", "s1", "s2", "s2"]
    for f in opened:
        f.echo(os.urandom(32))
        assert f.seen[0] == client
        f.close()
    syns = [q for p in tap.packets() if not p.out for q in (p.inner or p,) if q.src == client and q.flags & SYN]
    assert {q.dst for q in syns} == {s1.at(vip) if method == "nat" else vip}
    back = [p for p in tap.packets() if p.out and p.dst == client]
    assert {p.to_mac for p in back} == {(lab.node if method == "nat" else lab.router).mac(s1.net)}
    if method == "tun":
        assert IPIP in {p.protocol for p in tap.packets()} or ":" in vip


@pytest.mark.parametrize("method", METHODS)
def test_ipvsadm(lab, method):
    """S077, S078, S083, S084, S090: the lab itself, IPv4 and IPv6."""
    lab = prepared(lab, method)
    lab.hold()
    for vip in VIPS.values():
        lab.ipvsadm(f"-A -t {web(vip)} -s rr",
                    *(f"-a -t {web(vip)} -r {web(s.at(vip))} {METHODS[method]}" for s in lab.servers))
        assert {d.forward for d in lab.table()[f"TCP {web(vip)}"].servers.values()} == {FORWARD[method]}
        prove(lab, method, vip)

@pytest.mark.parametrize("method", METHODS)
def test_lbctl(lab, closing, tmp_path, method):
    """S064, S077, S078, S083, S084, S090: the same with lbctl and lbd-ipvs in place of ipvsadm, the addresses held by lbd-ha."""
    lab = prepared(lab, method)
    lb = closing(lab.lbd(tmp_path, "lbd-check", "lbd-ha", "lbd-ipvs"))
    lb.ctl("apply", "-f", "-", input=json.dumps({"vip": {
        n: {"address": v, "ports": "80", "mode": method, "scheduler": "rr", "rips": {
            s.host: {"address": s.at(v)} for s in lab.servers}} for n, v in VIPS.items()}}))
    lb.start()
    for name, vip in VIPS.items():
        want = {web(s.at(vip)): Dest(FORWARD[method], 100, 0, 0) for s in lab.servers}
        wait_until(lambda: lab.table().get(f"TCP {web(vip)}", Service("", "", {})).servers == want, 10, f"{want} in the kernel")
        prove(lab, method, vip)
