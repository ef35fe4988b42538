"""Where the addresses of a virtual router are: on a macvlan with the virtual MAC, on an ipvlan with the interface's. What a
neighbour sees of two lbd nodes in each way, before and after a take-over, and that the proxy serves there.

The host's kernel may have no ipvlan; tests/kernel/test_vmac.py asks the same of one that has."""
import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time

import pytest

from lbdtest import SLOW, Origin, wait_until
from test_ha_vrrp import VIP, VIPS, Node
from vrrplib import Lan, vmac

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")

# fields; whose hardware address advertisements come from, and the address has
MODES = {
    "macvlan": ({"virtual_mac": "yes"}, "virtual", "virtual"),
    "macvlan-base": ({"virtual_mac": "yes", "base_transmit": "yes"}, "base", "virtual"),
    "ipvlan": ({"ipvlan": "yes"}, "base", "base"),
}
NONE = "this kernel has none (module ipvlan)"


def has_ipvlan():
    """Asks the kernel, in a namespace of its own."""
    return subprocess.run(["unshare", "-n", "sh", "-c", "ip link add v0 type veth peer name v1 && "
                           "ip link add link v0 name i0 type ipvlan mode l2"], capture_output=True).returncode == 0


def modes(*names):
    return [pytest.param(n, marks=pytest.mark.skipif(n == "ipvlan" and not has_ipvlan(), reason="no ipvlan in this kernel"))
            for n in names]


@pytest.fixture()
def lan(closing):
    return closing(Lan())


class Pair:
    """Nodes a (200) and b (150) with the same virtual router, the proxy on both, a server and a client in lan.sw."""

    def __init__(self, lan, path, closing, fields, family=4, more=None):
        self.lan, self.family = lan, family
        self.vip, self.server = VIP[family], {4: "10.0.0.9", 6: "2001:db8::9"}[family]
        with lan.sw.inside():
            closing(Origin("s", address=self.server, port=8080))
        site = {"check": {"none": {"kind": "none"}}, "vip": {"web": {
            "address": self.vip, "ports": "80", "check": "none", "rips": {"s": {"address": self.server, "port": 8080}}}}}
        site["vip"].update(more or {})
        daemons = ("lbd-ha", "lbd-proxy", *(["lbd-ipvs"] if more else []))
        self.node = {}
        for n, prio in (("a", 200), ("b", 150)):
            routers = {"v": {"vrid": 51, "interval": "50ms", "priority": prio, "family": f"ipv{family}", **fields}}
            self.node[n] = closing(Node(getattr(lan, n), path / n, routers,
                                        {a: {"interface": "eth0"} for a in VIPS[family]}, daemons, site))

    def until(self, who):
        other = "ab".replace(who, "")
        self.node[who].until("master")
        self.node[other].until("backup")
        wait_until(lambda: self.lan.owners(self.vip) == {who}, what=f"{who} has it: {self.lan.owners(self.vip)}")

    def fetch(self):
        """One request of a client on the LAN."""
        c = http.client.HTTPConnection(self.vip, 80, timeout=3 * SLOW)
        with self.lan.sw.inside():
            c.connect()
        with contextlib.closing(c):
            c.request("GET", "/")
            return c.getresponse().headers["X-Server"]

    def neighbour(self):
        """The hardware address that the client's kernel has for it; b"" none."""
        words = self.lan.sw.run("ip", "neigh", "show", self.vip).stdout.split()
        return bytes.fromhex(words[words.index("lladdr") + 1].replace(":", "")) if "lladdr" in words else b""

    def mac(self, whose, who):
        return vmac(51, self.family) if whose == "virtual" else self.lan.mac[who]

    def announced(self, who, since):
        """Source and told hardware addresses of its gratuitous ARP and unsolicited advertisements for the address."""
        out = set()
        for f in self.lan.of(who, since):
            if f[12:14] == b"\x08\x06" and f[28:32] == f[38:42] == packed(self.vip):
                out.add((f[6:12], f[22:28]))
            if f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136 and f[62:78] == packed(self.vip):
                out.add((f[6:12], f[80:86]))
        return out


def packed(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def play_mode(mode, family, lan, path, closing, more=None, then=lambda pair, who: None):
    """Here, there, and back. then: what else is asked of each master."""
    fields, advert, address = MODES[mode]
    pair = Pair(lan, path, closing, fields, family, more)
    began = 0.0
    for who, prio in (("a", None), ("b", 100), ("a", 200)):
        if prio:
            began = time.monotonic()
            pair.node["a"].set(priority=prio)
        pair.until(who)
        if prio:  # before the client asks anybody: it was told
            wait_until(lambda w=who: pair.neighbour() == pair.mac(address, w), what=f"{pair.neighbour().hex(':')}")
        mac = pair.mac(address, who)
        wait_until(lambda w=who, m=mac, t=began: pair.announced(w, t) == {(m, m)},
                   what=f"{mac.hex(':')}: {pair.announced(who, began)}")
        for _ in range(5):
            assert pair.fetch() == "s"
        assert pair.neighbour() == mac
        seen = [x for x in lan.seen(began, node=who, family=family) if x.prio]
        assert {x.mac for x in seen} == {pair.mac(advert, who)}, "advertisements"
        then(pair, who)
    quiet = time.monotonic()
    for _ in range(20):
        assert pair.fetch() == "s"
    assert not [f for f in lan.of("b", quiet) if f[6:12] == vmac(51, family)], "the backup has said something"
    device = pair.node["a"].devices()[0]
    assert device[:3] == ("lbi" if mode == "ipvlan" else "lbd")
    assert f" {pair.vip}/" in lan.a.run("ip", "addr", "show", "dev", device).stdout
    if mode == "ipvlan":
        assert pair.node["a"].router()["advice"] == ""


@pytest.mark.parametrize("mode", modes(*MODES))
@pytest.mark.parametrize("family", [4, 6])
def test_modes(mode, family, lan, tmp_path, closing):
    """A145: what a neighbour sees in each mode, of either family; traffic before and after each take-over."""
    play_mode(mode, family, lan, tmp_path, closing)


def index(node):
    return [node.ns.run("cat", f"/sys/class/net/{x}/ifindex").stdout.strip() for x in node.devices()]


def alone(lan, path, closing, mode, **fields):
    me = closing(Node(lan.a, path / "lbd", {"v": {"vrid": 51, "interval": "100ms", **MODES[mode][0], **fields}},
                      {"10.0.0.100/24": {}}))
    me.until("master")
    return me


def play_restarts(mode, lan, path, closing):
    """The device is known again, and one that nobody wants any more is not left behind."""
    me = alone(lan, path, closing, mode)
    before = index(me)
    assert len(before) == 1
    for pids in (lambda: [me.lb.pid("lbd-ha")], me.core, lambda: [me.lb.pid("lbd-ha"), *me.core()]):
        kill(me, pids())
        me.until("master")
        assert index(me) == before and lan.owners(VIP[4]) == {"a"}
    me.leave()
    assert not me.devices()
    me.start()
    me.until("master")
    # Killed, and changed meanwhile.
    off = {k: "no" for k in MODES[mode][0]}
    kill(me, [me.lb.pid("lbd-ha"), *me.core()], lambda: me.set(**off))
    me.until("master")
    wait_until(lambda: not me.devices(), what=f"{me.devices()}")
    assert " eth0 " in lan.a.run("ip", "-o", "addr", "show", "to", VIP[4]).stdout
    me.set(**MODES[mode][0])
    wait_until(lambda: me.devices())
    kill(me, [me.lb.pid("lbd-ha"), *me.core()], lambda: me.lb.ctl("delete", "vrrp", "v", "-y"))
    wait_until(lambda: not me.devices() and "forever" in lan.a.run("ip", "addr", "show", "to", VIP[4]).stdout)


def kill(me, pids, meanwhile=lambda: None):
    side = me.lb.pid("lbd-ha")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # none of them sees the other end
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    if side not in pids:
        wait_until(lambda: me.core() not in ([], pids))
        return
    me.lb.process.pop("lbd-ha").wait()
    meanwhile()
    me.start()


@pytest.mark.parametrize("mode", modes("macvlan", "ipvlan"))
def test_restarts(mode, lan, tmp_path, closing):
    """A145: killed side, core, and both: the same device, and the same master; a stop and a change meanwhile leave none."""
    play_restarts(mode, lan, tmp_path, closing)


def play_not_ours(mode, lan, path, closing):
    """Somebody else's device of that name stays as it is, and is told; when it is gone, ours comes."""
    parent = lan.a.run("cat", "/sys/class/net/eth0/ifindex").stdout.strip()
    name = f"{'lbi' if mode == 'ipvlan' else 'lbd'}4.51.{parent}"
    lan.a.run("ip", "link", "add", name, "type", "bridge")
    me = closing(Node(lan.a, path / "lbd", {"v": {"vrid": 51, "interval": "100ms", **MODES[mode][0]}}, {"10.0.0.100/24": {}}))
    kind = mode.split("-")[0]
    want = f"interface eth0: {kind} {name}: an interface of that name is there, and is not lbd-ha's"
    wait_until(lambda: (me.router() or {}).get("fault") == want, what=f"{me.router()}")
    assert me.state() == "fault" and not lan.owners(VIP[4])
    assert me.lb.text().count(want) <= 2  # of the router and of the address, once each
    assert "bridge" in lan.a.run("ip", "-d", "link", "show", name).stdout
    lan.a.run("ip", "link", "del", name)
    me.until("master", timeout=20)
    wait_until(lambda: lan.owners(VIP[4]) == {"a"})
    assert f"{kind} mode" in lan.a.run("ip", "-d", "link", "show", name).stdout.replace("ipvlan  mode", "ipvlan mode")


@pytest.mark.parametrize("mode", modes("macvlan", "ipvlan"))
def test_not_ours(mode, lan, tmp_path, closing):
    """A145: a device is not touched when it is not ours."""
    play_not_ours(mode, lan, tmp_path, closing)


@pytest.mark.skipif(has_ipvlan(), reason="this kernel has ipvlan")
def test_kernel_without_ipvlan(lan, tmp_path, closing):
    """A145: one clear fault, and no address is held: the other node, which can, is master."""
    pair = Pair(lan, tmp_path, closing, {"virtual_mac": "no"})
    pair.until("a")
    pair.node["a"].set(ipvlan="yes")
    pair.node["a"].until("fault")
    pair.node["b"].until("master")
    wait_until(lambda: lan.owners(pair.vip) == {"b"})
    fault = pair.node["a"].router()["fault"]
    assert fault.startswith("interface eth0: ipvlan lbi4.51.") and fault.endswith(NONE)
    assert NONE in pair.node["a"].lb.ctl("status", check=False).stdout
    assert f"fip {pair.vip}/32: not held: interface eth0: ipvlan" in pair.node["a"].lb.text()
    assert pair.fetch() == "s"
    pair.node["a"].set(ipvlan="no")
    pair.until("a")


def test_a_place_is_left_whole(lan, tmp_path, closing):
    """A row that takes the place of one with a fault does not have its fault; sync groups go on without a member at fault."""
    me = alone(lan, tmp_path, closing, "macvlan", sync="both")
    me.lb.ctl("create", "vrrp", "w", "interface=eth9", "vrid=52", "group=2", "sync=both")
    me.until("fault", "w")
    me.until("fault")
    me.lb.ctl("delete", "vrrp", "w", "-y")
    me.until("master")
    me.lb.ctl("create", "vrrp", "x", "interface=eth0", "vrid=53", "group=2", "interval=100ms")
    wait_until(lambda: "no floating IPv4 address" in (me.router("x") or {"fault": ""})["fault"])
    me.lb.ctl("create", "fip", "g", "address=10.0.0.102", "group=2")
    me.until("master", "x")
    assert me.router("x")["fault"] == ""
