"""lbd-ha on a single machine: floating addresses in a network namespace, and what its neighbour sees of them."""
import ctypes
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from lbdbus import HA, Bus
from lbdtest import BIN, Lbd, Netns, follows, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")

LISTEN = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
s.bind(("eth0", 0))
print("ready", flush=True)
while True:
    frame, where = s.recvfrom(2048)
    if where[2] != socket.PACKET_OUTGOING:
        print(frame.hex(), flush=True)
"""


class Lines:
    """A command whose lines are kept; lines() gives those so far."""

    def __init__(self, *cmd, ready=None):
        self.p = subprocess.Popen(cmd, stdout=subprocess.PIPE, text=True)
        self.kept = []
        if ready:
            assert self.p.stdout.readline() == ready + "\n"
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.p.stdout:
            self.kept.append(line.strip())

    def close(self):
        self.p.kill()
        self.p.wait()


class Changes(Lines):
    """Each change of the addresses in a namespace from now on, as the kernel tells it."""

    def __init__(self, ns):
        super().__init__(*ns.prefix, "ip", "-o", "monitor", "address")
        follows(self.p)


class Node:
    """A machine with lbd-ha, 10.0.0.1/24 and 2001:db8::1/64 on eth0, and a neighbour that listens."""

    def __init__(self, tmp_path, closing):
        self.ns, self.neighbour = closing(Netns()), closing(Netns())
        self.ns.link(self.neighbour, "eth0", "eth0")
        for a in ("10.0.0.1/24", "2001:db8::1/64"):
            self.ns.run("ip", "addr", "add", a, "dev", "eth0", *(["nodad"] if ":" in a else []))
        self.lb = closing(Lbd(tmp_path / "root", "lbd-ha", netns=self.ns))
        self.ctl, self.closing, self.path = self.lb.ctl, closing, tmp_path
        self.mac = json.loads(self.ns.run("ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
        self.heard = closing(Lines(*self.neighbour.prefix, "python3", "-c", LISTEN, ready="ready")).kept

    def vip(self, name, address, port=80, **more):
        return self.ctl("create", "vip", name, f"address={address}", f"ports={port}",
                        *(f"{k}={v}" for k, v in more.items()))

    def addresses(self, ifname="eth0"):
        """{"10.0.0.1/24", ...} without link-local ones."""
        rows = json.loads(self.ns.run("ip", "-j", "addr", "show", "dev", ifname).stdout)[0]["addr_info"]
        return {f"{r['local']}/{r['prefixlen']}" for r in rows if r["scope"] != "link"}

    def until(self, *here, ifname="eth0", timeout=5):
        """Exactly these beside the interface's own."""
        own = {"10.0.0.1/24", "2001:db8::1/64"} if ifname == "eth0" else {"127.0.0.1/8", "::1/128"}
        want = own | set(here)
        wait_until(lambda: self.addresses(ifname) == want, timeout, f"{want} on {ifname}: {self.addresses(ifname)}")

    def announced(self, address):
        """Frames about the address that the neighbour heard: "request", "reply", "na"."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        raw = socket.inet_pton(family, address).hex()
        mac = self.mac.replace(":", "")
        out = []
        for f in list(self.heard):
            if f.startswith(f"ffffffffffff{mac}0806000108000604") and f[56:64] == raw and f[76:84] == raw:
                out.append({"0001": "request", "0002": "reply"}[f[40:44]])
            elif f.startswith(f"333300000001{mac}86dd") and f[40:42] == "3a" and f[108:112] == "8800" and f[124:156] == raw:
                assert f[42:44] == "ff" and f[116:118] in ("20", "a0") and f[156:] == "0201" + mac
                out.append("na")
        return out

    def floating(self, address):
        with Bus(self.lb.root, "lbd-ha") as bus:
            for name, m in bus.subscribe(HA):
                if name == "FLOATING" and m["address"] == address:
                    return m
        return None

    def release(self, root=None):
        return self.ns.run(BIN / "lbd-ha", "--release", "--root", root or self.lb.root)


@pytest.fixture()
def node(tmp_path, closing):
    return Node(tmp_path, closing)


def test_address_comes_with_the_first_service_and_goes_with_the_last(node):
    """S061, S063: services share an address; the last one takes it with it, and so does disabling it."""
    node.vip("a", "10.0.0.50")
    node.lb.start()
    node.until("10.0.0.50/32")
    node.vip("b", "10.0.0.50", 81)
    node.vip("six", "2001:db8::50")
    node.until("10.0.0.50/32", "2001:db8::50/128")
    assert node.floating("10.0.0.50/32")["services"] == 2
    node.ctl("delete", "vip", "a", "-y")
    wait_until(lambda: node.floating("10.0.0.50/32")["services"] == 1)
    node.until("10.0.0.50/32", "2001:db8::50/128")
    node.ctl("disable", "six")
    node.until("10.0.0.50/32")
    node.ctl("delete", "vip", "b", "-y")
    node.until()
    assert node.floating("10.0.0.50/32") is None


def test_subscribers_are_told(node):
    """Topic HA: role, then every address that comes, changes and goes."""
    node.vip("a", "10.0.0.50")
    node.lb.start()
    with Bus(node.lb.root, "lbd-ha") as bus:
        rows = bus.subscribe(HA)
        assert rows[0][0] == "ROLE" and rows[0][1]["active"] and rows[0][1]["master"] and not rows[0][1]["peer"]
        assert [m["held"] for n, m in rows if n == "FLOATING"] == [1]
        node.vip("b", "10.0.0.51")
        new = wait_until(lambda: bus.last("FLOATING", address="10.0.0.51/32"))
        assert (new["held"], new["interface"], new["services"]) == (1, "eth0", 1)
        node.ctl("delete", "vip", "b", "-y")
        gone = wait_until(lambda: bus.last("FLOATING", address="10.0.0.51/32", held=0))
        assert not gone.get("services") and not gone.get("manual")


def test_addresses_by_hand(node):
    """S062: an address that no service uses, with its own prefix length, where it was asked for."""
    node.ns.run("ip", "link", "add", "eth1", "type", "bridge")
    node.ns.run("ip", "link", "set", "eth1", "up")
    node.ctl("create", "fip", "gw", "address=10.0.0.254/24")
    node.ctl("create", "fip", "other", "address=192.0.2.9", "interface=eth1")
    node.ctl("create", "fip", "nowhere", "address=192.0.2.10")
    node.lb.start()
    node.until("10.0.0.254/24")
    node.until("192.0.2.10/32", ifname="lo")
    wait_until(lambda: node.addresses("eth1") == {"192.0.2.9/32"})
    assert node.floating("10.0.0.254/24")["manual"] == 1
    node.vip("a", "10.0.0.254")
    wait_until(lambda: node.floating("10.0.0.254/24")["services"] == 1)
    node.ctl("set", "fip", "other", "interface=eth0")
    node.until("10.0.0.254/24", "192.0.2.9/32")
    node.ctl("delete", "fip", "gw", "-y")
    node.until("10.0.0.254/32", "192.0.2.9/32")
    node.ctl("set", "node", "interface=eth1")
    wait_until(lambda: "192.0.2.10/32" in node.addresses("eth1"))
    node.until(ifname="lo")


def test_neighbours_are_told(node):
    """S061: each address is announced as often as the setting says, in both forms of ARP, and by NA."""
    node.ctl("set", "setting", "announce=3", "announce_gap=50ms")
    node.vip("a", "10.0.0.50")
    node.vip("six", "2001:db8::50")
    node.lb.start()
    wait_until(lambda: len(node.announced("10.0.0.50")) >= 6 and len(node.announced("2001:db8::50")) >= 3)
    assert node.announced("10.0.0.50") == ["request", "reply"] * 3
    assert node.announced("2001:db8::50") == ["na"] * 3
    assert not node.announced("10.0.0.1")
    node.neighbour.run("ip", "addr", "add", "10.0.0.9/24", "dev", "eth0")
    assert node.neighbour.run("ping", "-c1", "-W2", "10.0.0.50").returncode == 0


def test_kill_and_restart_change_nothing(node):
    """Fault matrix: kill -9. The addresses stay, the next process knows them, and no change reaches the kernel."""
    node.vip("a", "10.0.0.50")
    node.vip("six", "2001:db8::50")
    node.ctl("create", "fip", "gw", "address=10.0.0.254/24")
    node.lb.start()
    all_of_them = "10.0.0.50/32", "2001:db8::50/128", "10.0.0.254/24"
    node.until(*all_of_them)
    changes = node.closing(Changes(node.ns)).kept
    node.lb.kill("lbd-ha")
    assert node.addresses() >= set(all_of_them)
    heard = len(node.announced("10.0.0.50"))
    node.lb.start()
    wait_until(lambda: node.floating("10.0.0.50/32"))
    assert all(node.floating(a)["held"] for a in all_of_them)
    assert node.lb.kill("lbd-ha", signal.SIGTERM) == 0
    node.until(*all_of_them)
    node.lb.start()
    node.vip("b", "10.0.0.51")  # the first change that the monitor sees

    def ours():  # the kernel tells of an interface's own address when it has found nobody else with it
        return [x for x in changes if " fe80::" not in x]
    wait_until(ours)
    assert "10.0.0.51/32" in ours()[0], changes
    assert len(node.announced("10.0.0.50")) <= heard + 10, "only what was still to come of the first process"
    # What was deleted while nobody ran is taken away by the next.
    node.lb.kill("lbd-ha")
    node.ctl("delete", "vip", "a", "-y")
    node.lb.start()
    node.until("2001:db8::50/128", "10.0.0.254/24", "10.0.0.51/32")


def test_address_removed_by_somebody_is_back(node):
    """Fault matrix: changed by hand: repaired in a second, announced again, logged."""
    node.ctl("set", "setting", "announce=1")
    node.vip("a", "10.0.0.50")
    node.vip("six", "2001:db8::50")
    node.lb.start()
    wait_until(lambda: len(node.announced("10.0.0.50")) == 2 and node.announced("2001:db8::50") == ["na"])
    for a in ("10.0.0.50/32", "2001:db8::50/128"):
        node.ns.run("ip", "addr", "del", a, "dev", "eth0")
    node.until("10.0.0.50/32", "2001:db8::50/128", timeout=1)
    wait_until(lambda: len(node.announced("10.0.0.50")) == 4 and node.announced("2001:db8::50") == ["na"] * 2)
    assert node.lb.text().count("fip 10.0.0.50/32: put on eth0") == 2
    node.ns.run("ip", "link", "set", "eth0", "down")
    node.ns.run("ip", "link", "set", "eth0", "up")
    wait_until(lambda: len(node.announced("10.0.0.50")) == 6, what="announced when the interface came up")


def test_an_interface_s_own_address_is_not_taken(node):
    """S060: refused naming the interface; one that an interface got later is a fault, and nobody's is touched."""
    r = node.ctl("create", "vip", "a", "address=10.0.0.1", "ports=80", check=False)
    assert r.returncode == 7 and "eth0" in r.stderr and "10.0.0.1" in r.stderr
    node.vip("b", "10.0.0.60")
    node.ns.run("ip", "addr", "add", "10.0.0.60/24", "dev", "eth0")
    node.lb.start()
    assert "eth0" in wait_until(lambda: node.floating("10.0.0.60/32"))["fault"]
    assert not node.floating("10.0.0.60/32")["held"] and not node.announced("10.0.0.60")
    with Bus(node.lb.root, "lbd-ha") as bus:
        assert "10.0.0.60/32" in bus.ask("STATUS")[0][0][1]["fault"]
    assert "10.0.0.60/24" in node.addresses()
    assert node.release().returncode == 0 and "10.0.0.60/24" in node.addresses()
    node.ns.run("ip", "addr", "del", "10.0.0.60/24", "dev", "eth0")
    node.until("10.0.0.60/32")
    assert node.floating("10.0.0.60/32")["fault"] == ""


def test_release_takes_what_this_root_has_put(node):
    """Stop of the suite: nothing is left; another root on the same machine keeps its addresses."""
    other = node.closing(Lbd(node.path / "other", "lbd-ha", netns=node.ns))
    node.vip("a", "10.0.0.50")
    other.ctl("create", "vip", "x", "address=10.0.0.70", "ports=80")
    node.lb.start()
    other.start()
    node.until("10.0.0.50/32", "10.0.0.70/32")
    node.ctl("delete", "vip", "a", "-y")  # one that goes while the other runs
    node.until("10.0.0.70/32")
    node.vip("b", "10.0.0.51")
    node.until("10.0.0.51/32", "10.0.0.70/32")
    node.lb.stop()
    node.until("10.0.0.51/32", "10.0.0.70/32")
    assert node.release().returncode == 0
    node.until("10.0.0.70/32")
    assert node.release().returncode == 0
    r = node.ns.run(BIN / "lbd-ha", "--release", "--rot", check=False)
    assert r.returncode == 64 and "--rot" in r.stderr


def test_without_the_right_it_goes_on_and_says_so(node):
    """No CAP_NET_ADMIN: a fault of each address, in words; the daemon lives."""
    def drop():
        libc = ctypes.CDLL(None)
        for capability in (12, 13):  # NET_ADMIN, NET_RAW
            assert libc.prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
    node.vip("a", "10.0.0.50")
    node.vip("b", "10.0.0.51")
    node.lb.start(preexec=drop)
    f = wait_until(lambda: node.floating("10.0.0.50/32"))
    assert not f["held"] and "operation not permitted" in f["fault"]
    with Bus(node.lb.root, "lbd-ha") as bus:
        fault = bus.ask("STATUS")[0][0][1]["fault"]
    assert "operation not permitted" in fault and "1 more" in fault
    node.until()


def test_many_addresses_are_announced_at_a_measured_pace(node):
    """300 addresses at once: every one is announced once before any is twice, never faster than 2,000 a second."""
    node.ctl("set", "setting", "announce=2", "announce_gap=10ms")
    node.ctl("apply", "-f", "-", input="vips:\n" + "".join(
        f"  v{i}: {{address: 10.0.1.{i % 250 + 1}, ports: {80 + i}}}\n" for i in range(250)))
    node.ns.run("ip", "addr", "add", "10.0.1.254/24", "dev", "eth0")
    began = time.monotonic()
    node.lb.start()
    wait_until(lambda: len([f for f in list(node.heard) if f[24:28] == "0806"]) >= 1000, 20)
    assert time.monotonic() - began > 0.2, "500 announcements of 20 in 10 ms"
    order = [f[56:64] for f in list(node.heard) if f[24:28] == "0806" and f[40:44] == "0001"]
    assert len(set(order[:250])) == 250
