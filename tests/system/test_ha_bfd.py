"""Tracks of kind bfd: a pair that watches a router by BFD, which is FRR's bfdd; in network namespaces."""
import json
import os
import re
import shutil
import socket
import subprocess

import pytest

from lbdtest import BIN, Lbd, die_with_parent, wait_until
from test_ha_config import Wired
from vrrplib import Lan, have_frr

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces"),
              pytest.mark.skipif(not have_frr() or not os.path.exists("/usr/lib/frr/bfdd"), reason="needs frr")]

PORT = 3784


class Bfdd:
    """zebra and bfdd of FRR. peers: {address: "more words of the peer line"}; each 50 ms, three are missing: down."""

    def __init__(self, ns, path, peers, ms=50):
        self.ns, self.dir = ns, path / (ns.name + ".frr")
        self.dir.mkdir()
        shutil.chown(self.dir, "frr", "frr")
        for d in (path, *list(path.parents)[:2]):
            d.chmod(0o755)  # they give up root before they read their files
        conf = ["bfd"]
        for peer, words in peers.items():
            conf += [f" peer {peer} {words}", "  detect-multiplier 3", f"  receive-interval {ms}", f"  transmit-interval {ms}", " exit"]
        (self.dir / "f.conf").write_text("\n".join([*conf, "exit", ""]))
        self.processes = []
        self.start()

    def _run(self, name, *more):
        return subprocess.Popen(
            [*self.ns.prefix, f"/usr/lib/frr/{name}", "-u", "frr", "-g", "frr", "-z", self.dir / "z.sock", "-i",
             self.dir / f"{name}.pid", "-P", "0", *more, "--vty_socket", self.dir, "--log", "stdout"],
            stdout=open(self.dir / f"{name}.log", "a"), stderr=subprocess.STDOUT, preexec_fn=die_with_parent)

    def start(self):
        self.processes = [self._run("zebra", "-f", "/dev/null")]
        wait_until(lambda: (self.dir / "z.sock").exists())
        self.processes.append(self._run("bfdd", "--bfdctl", self.dir / "ctl.sock", "-f", self.dir / "f.conf"))

    def vtysh(self, *commands):
        args = [x for c in commands for x in ("-c", c)]
        return subprocess.run([*self.ns.prefix, "vtysh", "--vty_socket", self.dir, "-d", "bfdd", *args],
                              capture_output=True, text=True).stdout

    def peer(self, address):
        try:
            rows = json.loads(self.vtysh("show bfd peers json"))
        except ValueError:  # not there yet
            return {}
        return next((x for x in rows if x["peer"] == address), {})

    def downs(self, address):
        """How often the session went down."""
        rows = json.loads(self.vtysh("show bfd peers counters json"))
        return next(x["session-down"] for x in rows if x["peer"] == address)

    def until(self, address, status, timeout=15):
        wait_until(lambda: self.peer(address).get("status") == status, timeout, f"{address} {status}: {self.peer(address)}")

    def stop(self):
        print((self.dir / "bfdd.log").read_text())  # shown when a test fails
        while self.processes:
            p = self.processes.pop()
            p.terminate()
            p.wait(10)


class Filter:
    """What the router does not let in, or out; nothing at the beginning."""

    def __init__(self, ns):
        self.ns = ns
        self.ns.run("nft", "add table inet f; add chain inet f input { type filter hook input priority 0; };"
                    "add chain inet f output { type filter hook output priority 0; }")

    def drop(self, hook, address):
        self.ns.run("nft", f"add rule inet f {hook} ip {'saddr' if hook == 'input' else 'daddr'} {address} udp dport {PORT} drop")

    def clear(self):
        self.ns.run("nft", "flush table inet f")


def check(lb, name):
    """A row of ha status; {}: there is none."""
    return next((x for x in lb.json("ha", "status")["checks"] if x["name"].startswith(name + " ")), {})


def until(lb, name, state, *words, timeout=10):
    """A track has that state, and its text these words."""
    def there():
        c = check(lb, name)
        return c.get("state") == state and all(w in c["text"] for w in words)

    wait_until(there, timeout, f"{name} {state} {words}: {check(lb, name)}")


# ---- a pair and its router ---------------------------------------------------------------------------------------

@pytest.fixture()
def pair(tmp_path, closing):
    """Two nodes, and the router 10.9.0.9 with a session to each; both know it is well."""
    duo = Wired(tmp_path, closing)
    duo.router = closing(Bfdd(duo.client, tmp_path, {"10.9.0.1": "", "10.9.0.2": ""}, 300))
    duo.filter = Filter(duo.client)
    for n in duo.nodes:
        n.ctl("create", "track", "router", "kind=bfd", "target=10.9.0.9", "interval=300ms")
    well(duo)
    return duo


def well(duo):
    for i, n in enumerate(duo.nodes):
        until(n, "router", "good", "up, detection time 900 ms; neighbour up, no diagnostic")
        duo.router.until(f"10.9.0.{i + 1}", "up")


def back(duo):
    """The neighbour is there again, and the first node is active."""
    well(duo)
    wait_until(lambda: duo.a.json("ha", "status")["groups"][0]["role"] == "passive", 5, "fit")
    assert duo.holds() == [False, True], "nothing moves back by itself"
    duo.a.ctl("ha", "failover")
    duo.active_is(0, "by order")


@pytest.mark.parametrize("hook,words", [
    ("input", "neighbour signaled session down; neighbour down, control detection time expired"),
    ("output", "down, control detection time expired; neighbour silent, last up, no diagnostic")])
def test_router_of_a_pair(pair, hook, words):
    """A118, A139: the router and the active node lose each other in one direction: the track is bad, the other node, which
    still has it, is active; the session comes back, and the node is fit again."""
    peer = pair.router.peer("10.9.0.1")
    assert peer["remote-transmit-interval"] == 300 and peer["remote-receive-interval"] == 300, peer
    assert peer["remote-detect-multiplier"] == 3, peer
    pair.filter.drop(hook, "10.9.0.1")
    until(pair.a, "router", "bad", words)
    pair.router.until("10.9.0.1", "down")
    pair.active_is(1, "the other node has its router")
    assert pair.a.json("ha", "status")["groups"][0]["role"] == "fault"
    assert check(pair.b, "router")["state"] == "good"
    text = pair.a.ctl("ha", "status").stdout
    assert re.search(rf"bfd router 10\.9\.0\.9: bad since \S+: (down, |init, )?{words}", text), text
    pair.filter.clear()
    back(pair)


def test_points(pair):
    """A139: with a weight the node that has its router takes over; when both have lost it nothing moves, also without a
    weight: no other node is fit."""
    for n in pair.nodes:
        n.ctl("set", "track", "router", "weight=100")
    pair.filter.drop("output", "10.9.0.1")
    pair.active_is(1, "it has more points")
    pair.filter.clear()
    back(pair)
    pair.filter.drop("output", "10.9.0.0/24")
    for n in pair.nodes:
        until(n, "router", "bad")
    pair.stays(0)
    for n in reversed(pair.nodes):
        n.ctl("set", "track", "router", "weight=0")
    pair.stays(0)
    pair.filter.clear()
    well(pair)


# ---- one session ---------------------------------------------------------------------------------------------------

@pytest.fixture()
def node(closing, tmp_path):
    """A node (10.0.0.1) that has a virtual router, so that its tracks count; lan.b (10.0.0.2) is for the neighbour."""
    lan = closing(Lan())
    lb = closing(Lbd(tmp_path / "lbd", "lbd-ha", netns=lan.a))
    lb.lan = lan
    lb.ctl("create", "fip", "f", "address=10.0.0.100")
    lb.ctl("create", "vrrp", "v", "interface=eth0", "vrid=51", "interval=100ms")
    lb.start()
    yield lb
    lb.stop()
    print(lb.text())  # shown when a test fails
    subprocess.run([*lan.a.prefix, BIN / "lbd-ha", "--release", "--root", lb.root], check=True)


def track(lb, name, target, **fields):
    lb.ctl("create", "track", name, "kind=bfd", f"target={target}", *(f"{k}={v}" for k, v in fields.items()))


def test_session(node, closing, tmp_path):
    """A118: IPv4, IPv6 and link-local; an interval that changes under way; a neighbour shut down on purpose is unknown and not
    bad; a row that goes away is told to the neighbour; nobody but the neighbour can say anything."""
    router = closing(Bfdd(node.lan.b, tmp_path, {"10.0.0.1": "", "2001:db8::1": "", "fe80::1": "interface eth0"}, 200))
    for name, target in (("four", "10.0.0.2"), ("six", "2001:db8::2"), ("local", "fe80::2 interface eth0")):
        track(node, name, target, interval="200ms")
    for name, peer in (("four", "10.0.0.1"), ("six", "2001:db8::1"), ("local", "fe80::1")):
        until(node, name, "good", "up, detection time 600 ms; neighbour up")
        router.until(peer, "up")

    downs = router.downs("10.0.0.1")
    node.ctl("set", "track", "four", "interval=700ms")
    wait_until(lambda: router.peer("10.0.0.1")["remote-transmit-interval"] == 700, 5, "told by a poll")
    until(node, "four", "good", "detection time 2100 ms")
    node.ctl("set", "track", "four", "interval=400ms", "comment=x", "weight=5")
    until(node, "four", "good", "detection time 1200 ms")
    wait_until(lambda: router.peer("10.0.0.1")["remote-receive-interval"] == 400, 5)
    assert router.downs("10.0.0.1") == downs

    send(node.lan.b, "10.0.0.2", b"\x20\x40\3\x18" + b"\1" * 20, ttl=254, times=3)
    send(node.lan.b, "10.0.0.2", b"\x20\x40\0\x18" + b"\1" * 20)
    send(node.lan.b, "10.0.0.2", b"\x20\xc0\3\x18" + b"\1" * 20, times=2)
    send(node.lan.b, "10.0.0.2", b"\x20", times=4)
    send(node.lan.sw, "10.0.0.9", b"\x20\x40\3\x18" + b"\1" * 4 + b"\0" * 16)
    until(node, "four", "good", "; discarded ttl=3,short=4,multiplier 0=1,your discriminator=2")
    wait_until(lambda: "a packet of somebody who is no neighbour was discarded (good)" in node.text(), 5)
    assert router.downs("10.0.0.1") == downs

    router.vtysh("configure terminal", "bfd", "peer 10.0.0.1", "shutdown")
    until(node, "four", "unknown", "down, neighbour signaled session down; neighbour admin down")
    assert node.json("ha", "status")["vrrps"][0]["state"] == "master"
    router.vtysh("configure terminal", "bfd", "peer 10.0.0.1", "no shutdown")
    until(node, "four", "good", "up, detection time 1200 ms")
    node.ctl("delete", "track", "six", "-y")
    wait_until(lambda: router.peer("2001:db8::1").get("remote-diagnostic") == "administratively down", 5,
               f"{router.peer('2001:db8::1')}")
    assert check(node, "six") == {} and check(node, "local")["state"] == "good"

    node.kill("lbd-ha")  # the neighbour learns another discriminator
    node.start()
    for name in ("four", "local"):
        until(node, name, "good", "neighbour up")
    assert "discarded" not in check(node, "four")["text"]
    node.stop()
    wait_until(lambda: router.peer("10.0.0.1")["remote-diagnostic"] == "administratively down", 5, "said goodbye")


def send(ns, source, payload, ttl=255, times=1):
    with ns.inside():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
    s.bind((source, 0))
    for _ in range(times):
        s.sendto(payload, ("10.0.0.1", PORT))
    s.close()


def test_faults(node, closing, tmp_path):
    """A139: nobody there is bad after three seconds; reverse, rise, and unknown as with other kinds; another program has the
    port, a neighbour that is not on this network."""
    with node.lan.a.inside():
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("0.0.0.0", PORT))
    track(node, "r", "10.0.0.2", unknown="bad", interval="200ms")
    until(node, "r", "unknown", "UDP port 3784: Address already in use")
    wait_until(lambda: node.json("ha", "status")["vrrps"][0]["state"] == "fault", 5, "unknown counts as bad")
    other.close()
    until(node, "r", "bad", "down; nothing heard of the neighbour")
    node.ctl("set", "track", "r", "rise=3", "unknown=good")
    router = closing(Bfdd(node.lan.b, tmp_path, {"10.0.0.1": ""}, 200))
    until(node, "r", "good", "up")
    wait_until(lambda: node.json("ha", "status")["vrrps"][0]["state"] == "master", 5, "fit")
    node.ctl("set", "track", "r", "reverse=yes", "rise=1")
    until(node, "r", "bad", "up, detection")
    track(node, "far", "10.77.0.1", weight="1")
    until(node, "far", "bad", "nothing heard of the neighbour; cannot send: Network is unreachable")
    router.until("10.0.0.1", "up")


def test_refused(tmp_path):
    """What cannot be a neighbour is refused with object, field, value, and what is allowed, also in a file."""
    lb = Lbd(tmp_path)
    for target, words in (
            ("router", "is not possible with kind bfd"), ("10.0.0.1:3784", "is not possible with kind bfd"),
            ("fe80::1", "is of one link, and its interface is not told"), ("224.0.0.1", "is a multicast address"),
            ("127.0.0.1", "is of this node itself"), ("10.0.0.1 interface", "is not possible with kind bfd")):
        r = lb.ctl("create", "track", "x", "kind=bfd", f"target={target}", check=False)
        assert r.returncode == 7 and f'track x: target: "{target}" {words}; allowed is the address of one neighbour' in r.stderr
        (tmp_path / "site.yaml").write_text(json.dumps({"track": {"x": {"kind": "bfd", "target": target}}}))
        r = lb.ctl("apply", "-f", tmp_path / "site.yaml", check=False)
        assert r.returncode == 7 and f'track x: target: "{target}" {words}' in r.stderr
    r = lb.ctl("create", "track", "x", "kind=bfd", "target=10.0.0.1", "interval=10ms", check=False)
    assert r.returncode == 7 and "track x: interval" in r.stderr and "50ms" in r.stderr, r.stderr
