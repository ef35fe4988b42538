"""Virtual routers over a kernel that has ipvlan and IPVS: where the addresses are, and three nodes that share connections of
layer 4."""
import contextlib
import socket
import time

import pytest

from lbdtest import Netns, wait_until
from test_ha_vmac import MODES, Lan, alone, index, play_mode, play_not_ours, play_restarts
from test_ha_vrrp import VIP, Node
from test_pair import Server

SERVERS = {"s1": 11, "s2": 12}


def servers(lan, closing):
    """Two for direct routing, each answering with its name on port 81."""
    for name, n in SERVERS.items():
        ns = closing(Netns())
        ns.link(lan.sw, "eth0", name)
        lan.sw.run("ip", "link", "set", name, "master", "br0")
        ns.run("ip", "addr", "add", f"10.0.0.{n}/24", "dev", "eth0")
        for k, v in (("arp_ignore", 1), ("arp_announce", 2)):
            ns.run("sysctl", "-qw", f"net.ipv4.conf.all.{k}={v}")
        ns.run("ip", "addr", "add", f"{VIP[4]}/32", "dev", "lo")
        with ns.inside():
            closing(Server(name, 81))


def layer4(port):
    return {"four": {"address": VIP[4], "ports": port, "mode": "dr", "scheduler": "rr", "check": "none",
                     "rips": {n: {"address": f"10.0.0.{k}"} for n, k in SERVERS.items()}}}


def say(s, times=1):
    for _ in range(times):
        s.sendall(b"x")
        answer = s.recv(10)
    return answer


def fresh(lan, n=1):
    with lan.sw.inside():
        return [socket.create_connection((VIP[4], 81), 10) for _ in range(n)]


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode, tmp_path, closing):
    """A145: as on the host, and lbd-ipvs serves there too."""
    lan = closing(Lan())
    servers(lan, closing)

    def then(pair, who):
        ns = getattr(lan, who)
        wait_until(lambda: "10.0.0.12" in ns.run("ipvsadm", "-Ln").stdout, 20, f"the table of {who}")
        flows = fresh(lan, 2)
        assert {say(s) for s in flows} == {b"s1", b"s2"}
        for s in flows:
            s.close()
        assert ns.run("ipvsadm", "-Lnc").stdout.count(f"{VIP[4]}:81") >= 2

    play_mode(mode, 4, lan, tmp_path, closing, layer4("81"), then)


def test_ipvlan_of_ipv6(tmp_path, closing):
    play_mode("ipvlan", 6, closing(Lan()), tmp_path, closing)


def test_ipvlan_is_ours(tmp_path, closing):
    """A145: known again, taken away, and not touched when it is somebody else's; a macvlan becomes an ipvlan, and back."""
    lan = closing(Lan())
    play_not_ours("ipvlan", lan, tmp_path / "other", closing)
    lan = closing(Lan())
    play_restarts("ipvlan", lan, tmp_path / "again", closing)
    lan = closing(Lan())
    me = alone(lan, tmp_path / "kinds", closing, "macvlan")
    began = time.monotonic()
    for fields, head in (({"virtual_mac": "no", "ipvlan": "yes"}, "lbi4."), ({"virtual_mac": "yes", "ipvlan": "no"}, "lbd4.")):
        me.set(**fields)
        wait_until(lambda h=head: [x[:5] for x in me.devices()] == [h], 20, f"{me.devices()} {me.router()}")
        me.until("master")
        wait_until(lambda h=head: f" {h}" in lan.a.run("ip", "-o", "addr", "show", "to", VIP[4]).stdout)
        assert len(index(me)) == 1 and me.router()["fault"] == ""
    assert [x for x in lan.seen(began, node="a") if x.prio == 0], "who leaves a device says so"
    assert " has a" not in me.lb.text(), "the way from one to the other is no fault"


class Three(Lan):
    NODES = {"a": 1, "b": 2, "c": 3}


def test_three_nodes_share_connections(tmp_path, closing):
    """A147: connections of layer 4 in a cluster of three: each sends to and receives from all (multicast); with the first node
    gone, then the second, and when they are back, they are with the servers that they had."""
    lan = closing(Three())
    servers(lan, closing)
    site = {"check": {"none": {"kind": "none"}}, "vip": layer4("81"), "setting": {"sync_role": "both", "sync_id": 7},
            "node": {"sync_interface": "eth0"}}
    node = {n: closing(Node(getattr(lan, n), tmp_path / n, {"v": {"vrid": 51, "interval": "200ms", "priority": prio}}, {},
                            ("lbd-ha", "lbd-ipvs"), site))
            for n, prio in (("a", 200), ("b", 150), ("c", 100))}
    for n in node:
        ns = getattr(lan, n)
        wait_until(lambda ns=ns: ns.run("ipvsadm", "-L", "--daemon").stdout.count("sync daemon") == 2, 20, f"sync on {n}")
        wait_until(lambda ns=ns: "10.0.0.12" in ns.run("ipvsadm", "-Ln").stdout, 20, f"the table of {n}")
    node["a"].until("master", timeout=20)
    wait_until(lambda: lan.owners(VIP[4]) == {"a"}, 20)
    with contextlib.ExitStack() as stack:
        flows = [stack.enter_context(s) for s in fresh(lan, 6)]
        before = [say(s, 5) for s in flows]  # more packets than the kernel waits for
        assert set(before) == {b"s1", b"s2"}
        for n in "bc":
            wait_until(lambda n=n: getattr(lan, n).run("ipvsadm", "-Lnc").stdout.count(f"{VIP[4]}:81") >= 6, 20, f"{n} was told")
        for lost, cut, master in (("a", "a", "b"), ("b", "ab", "c"), ("b", "a", "b"), ("a", "", "a")):
            lan.cut(lost, lost in cut)
            node[master].until("master", timeout=20)
            # Who is cut off may go on alone.
            wait_until(lambda m=master, c=cut: lan.masters(51, 200) - set(c) == {m}, 20, f"{master}: {lan.masters(51, 200)}")
            assert [say(s) for s in flows] == before, f"{master} is master"
