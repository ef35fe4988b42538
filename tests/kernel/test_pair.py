"""Two nodes of a pair over one kernel's IPVS: connections of layer 4 outlive a change of the active node."""
import contextlib
import json
import os
import re
import resource
import selectors
import socket
import threading
import time

import pytest

from echo import Echo, flows
from inject import Inject
from lbdtest import SLOW, Lbd, Netns, wait_until

VIP = "10.9.0.100"
PATIENT = {"ha_interval": "100ms", "ha_dead": "2s"}  # roles change by order here, and not because an emulated processor is slow


class Server:
    """Answers each byte with its name."""

    def __init__(self, name, port=80):
        self.s = socket.create_server(("0.0.0.0", port))
        self.name = name.encode()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            while c.recv(100):
                c.sendall(self.name)
        except OSError:
            pass

    def close(self):
        self.s.close()


@pytest.fixture()
def pair(tmp_path, closing):
    """Nodes a and b, two servers for direct routing and a client on one bridge."""
    switch = closing(Netns())
    switch.run("ip", "link", "add", "br0", "type", "bridge")
    switch.run("ip", "link", "set", "br0", "up")
    ns = {n: closing(Netns()) for n in ("a", "b", "s1", "s2", "client")}
    for i, (name, n) in enumerate(ns.items()):
        n.link(switch, "eth0", f"p{i}")
        switch.run("ip", "link", "set", f"p{i}", "master", "br0")
        n.run("ip", "addr", "add", f"10.9.0.{i + 1}/24", "dev", "eth0")
    for name in ("s1", "s2"):
        for k, v in (("arp_ignore", 1), ("arp_announce", 2)):
            ns[name].run("sysctl", "-qw", f"net.ipv4.conf.all.{k}={v}")
        ns[name].run("ip", "addr", "add", f"{VIP}/32", "dev", "lo")
    nodes = [closing(Lbd(tmp_path / n, "lbd-ha", "lbd-ipvs", netns=ns[n])) for n in ("a", "b")]
    nodes[0].ctl("apply", "-f", "-", input=json.dumps({"setting": PATIENT, "check": {"none": {"kind": "none"}}, "vip": {"web": {
        "address": VIP, "ports": "80", "mode": "dr", "scheduler": "rr", "check": "none",
        "rips": {"s1": {"address": "10.9.0.3"}, "s2": {"address": "10.9.0.4"}}}}}))
    for n in nodes:
        n.start()
    code = nodes[1].ctl("ha", "code").stdout.strip()
    nodes[0].ctl("ha", "pair", "10.9.0.2", "--code-file", "-", "-y", input=code + "\n")
    yield nodes, ns


def holds(ns):
    return VIP in ns.run("ip", "-4", "addr", "show").stdout


def test_connections_outlive_a_failover(pair, closing):
    """S165, A027: both nodes send and receive connections without being told to; a long connection is with the same server after
    a hand-over, and back."""
    nodes, ns = pair
    for n in "ab":
        wait_until(lambda n=n: ns[n].run("ipvsadm", "-L", "--daemon").stdout.count("sync daemon") == 2, 20, f"sync on {n}")
        wait_until(lambda n=n: "10.9.0.4" in ns[n].run("ipvsadm", "-Ln").stdout, 20, f"the table of {n}")
    wait_until(lambda: holds(ns["a"]) and not holds(ns["b"]), 20, "roles")
    for s in ("s1", "s2"):
        with ns[s].inside():
            closing(Server(s))
    with ns["client"].inside():
        flows = [socket.create_connection((VIP, 80), 10) for _ in range(6)]
    try:
        def say(s):
            s.sendall(b"x")
            return s.recv(10)
        before = [[say(s) for _ in range(5)][-1] for s in flows]  # more packets than the kernel waits for
        assert set(before) == {b"s1", b"s2"}
        wait_until(lambda: len([x for x in ns["b"].run("ipvsadm", "-Lnc").stdout.splitlines() if ":80" in x]) >= 6, 20, "told")
        for gives, takes in (("a", "b"), ("b", "a")):
            nodes["ab".index(gives)].ctl("ha", "failover")
            wait_until(lambda: holds(ns[takes]) and not holds(ns[gives]), 20, "the other node")
            assert [say(s) for s in flows] == before
    finally:
        for s in flows:
            s.close()


class Machine(Netns):
    """With the name by which its servers answer."""

    def __init__(self, name):
        super().__init__()
        self.host = name


class Site:
    """Nodes a (the master) and b, a client and two servers for direct routing in front (10.9.0.0/24, fd00:9::/64), two servers for
    NAT behind (10.10.0.0/24), whose gateway is a floating address. Either node can be made anew: the kernel's table of a network
    namespace goes with it."""
    VIP6 = "fd00:9::100"
    HOSTS = {"s1": 3, "s2": 4, "n1": 11, "n2": 12, "client": 9}

    def __init__(self, tmp_path, closing):
        self.closing, self.ports = closing, 0
        self.switch = closing(Machine("switch"))
        for br in "front", "back":
            self.switch.run("ip", "link", "add", br, "type", "bridge")
            self.switch.run("ip", "link", "set", br, "up")
        self.host = {n: closing(Machine(n)) for n in self.HOSTS}
        for name, m in self.host.items():
            self.plug(m, "eth0", "back" if name[0] == "n" else "front", self.HOSTS[name])
        for name in "n1", "n2":
            self.host[name].run("ip", "route", "add", "default", "via", "10.10.0.100")
        for name in "s1", "s2":
            self.silent(self.host[name])
        for i in range(50, 70):
            self.host["client"].run("ip", "addr", "add", f"10.9.0.{i}/24", "dev", "eth0")
        self.nodes, self.ns = {}, {}
        for name in "ab":
            self.machine(name)
            self.nodes[name] = Lbd(tmp_path / name, "lbd-ha", "lbd-ipvs", netns=self.ns[name])
        closing(self)
        self.nodes["a"].ctl("apply", "-f", "-", input=json.dumps(self.config()))
        for n in self.nodes.values():
            n.start()
        code = self.nodes["b"].ctl("ha", "code").stdout.strip()
        self.nodes["a"].ctl("ha", "pair", "10.9.0.2", "--code-file", "-", "-y", input=code + "\n")

    def config(self):
        def vip(address, ports, mode, rips, **more):
            return {"address": address, "ports": ports, "mode": mode, "scheduler": "rr", "check": "none",
                    "rips": {f"r{i}": {"address": r} for i, r in enumerate(rips)}, **more}
        dr, nat = ("10.9.0.3", "10.9.0.4"), ("10.10.0.11", "10.10.0.12")
        return {"check": {"none": {"kind": "none"}}, "fip": {"gate": {"address": "10.10.0.100/24"}},
                # an emulated processor stands still for longer than the default dead time
                "setting": {"ha_failback_delay": "0s", "ha_interval": "100ms", "ha_dead": "3s"},
                "vip": {"web": vip(VIP, "80", "dr", dr), "nat": vip(VIP, "81", "nat", nat), "many": vip(VIP, "83,84", "dr", dr),
                        "keep": vip(VIP, "82", "dr", dr, persistence="source"), "six": vip(self.VIP6, "80", "dr", ("fd00:9::3", "fd00:9::4"))}}

    def plug(self, m, interface, bridge, host):
        self.ports += 1
        m.link(self.switch, interface, f"p{self.ports}")
        self.switch.run("ip", "link", "set", f"p{self.ports}", "master", bridge)
        net = 9 if bridge == "front" else 10
        m.run("ip", "addr", "add", f"10.{net}.0.{host}/24", "dev", interface)
        m.run("ip", "addr", "add", f"fd00:{net}::{host}/64", "dev", interface, "nodad")

    def silent(self, m):
        for k, v in (("arp_ignore", 1), ("arp_announce", 2)):
            m.run("sysctl", "-qw", f"net.ipv4.conf.all.{k}={v}")
        m.run("ip", "addr", "add", f"{VIP}/32", "dev", "lo")
        m.run("ip", "addr", "add", f"{self.VIP6}/128", "dev", "lo", "nodad")

    def machine(self, name):
        m = self.ns[name] = self.closing(Machine(name))
        for interface, bridge in (("eth0", "front"), ("eth1", "back")):
            self.plug(m, interface, bridge, 1 + "ab".index(name))

    def down(self, name):
        """Power off, in order; the kernel's table is gone with it."""
        self.nodes[name].stop()
        self.ns[name].close()

    def up(self, name):
        self.machine(name)
        self.nodes[name].netns = self.ns[name]
        self.nodes[name].start()

    def group(self, name):
        r = self.nodes[name].ctl("ha", "status", "-o", "json", check=False)
        return json.loads(r.stdout)["groups"][0] if r.returncode == 0 else {}

    def active(self, name):
        other = "ba"["ab".index(name)]
        return holds(self.ns[name]) and not holds(self.ns[other])

    def whole(self, name):
        """By its own word, and as the other one hears it."""
        g, o = self.group(name), self.group("ba"["ab".index(name)])
        return g.get("role") == "passive" and g["missing"] == "" and o.get("peer_whole")

    def conns(self, name):
        with self.ns[name].inside(), open("/proc/thread-self/net/ip_vs_conn") as f:
            return f.read().splitlines()[1:]

    def close(self):
        for n in self.nodes.values():
            n.stop()


def echoed(fs, timeout=60):
    """Which of the connections bring back what is sent on them; all are under way at once."""
    good, end = set(), time.monotonic() + timeout * SLOW
    with selectors.DefaultSelector() as wait:
        for f in fs:
            f.sock.setblocking(False)
            wait.register(f.sock, selectors.EVENT_READ, f)
            with contextlib.suppress(OSError):
                f.sock.send(b"x")
        while wait.get_map() and time.monotonic() < end:
            for key, _ in wait.select(1):
                wait.unregister(key.fileobj)
                with contextlib.suppress(OSError):
                    if key.fileobj.recv(10) == b"x":
                        good.add(key.data)
    return good


def test_rejoin(tmp_path, closing):
    """N03: a node that comes back with an empty kernel gets every connection that it had no chance to hear of, and persistence with
    them; only then it takes over. Neither hand-over nor failback costs a client its connection. LBD_CONNS: how many."""
    n = int(os.environ.get("LBD_CONNS", 2000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * n + 4000, 4 * n + 4000))
    site, echo = Site(tmp_path, closing), closing(Echo())
    client = site.host["client"]
    wait_until(lambda: site.active("a") and site.whole("b"), 60, "the pair")
    for name in ("s1", "s2"):
        for port in (80, 82, 83, 84):
            echo.listen(site.host[name], port, "tcp")
    for name in ("n1", "n2"):
        echo.listen(site.host[name], 81, "tcp")
    wait_until(lambda: "10.10.0.12" in site.ns["a"].run("ipvsadm", "-Ln").stdout, 20, "the table")

    site.down("b")
    held = {what: flows(client, k, vip, port, timeout=60) for what, vip, port, k in (
        ("web", VIP, 80, n), ("nat", VIP, 81, n // 2), ("many", VIP, 83, 20), ("six", site.VIP6, 80, 20))}
    kept = {f"10.9.0.{i}": flows(client, 1, VIP, 82, source=f"10.9.0.{i}")[0] for i in range(50, 70)}
    for f in kept.values():
        f.close()
    total = sum(map(len, held.values()))
    for what, fs in held.items():
        assert None not in {f.server for f in fs}, what
        assert len({f.server for f in fs}) == 2, what

    def go_on(when):
        lost = {what: len(fs) - len(echoed(fs)) for what, fs in held.items()}
        assert not any(lost.values()), f"{when}: lost {lost}"

    site.up("b")
    wait_until(lambda: site.whole("b"), 60, "b has everything")
    there = site.conns("b")
    assert len([x for x in there if "ESTABLISHED" in x]) >= total
    assert len([x for x in there if " 0052 " in x and x.split()[2] == "0000"]) >= len(kept), "templates"
    for name in "ab":  # the figure: seconds for how many
        print(*re.findall(r".* connections: .*", site.nodes[name].text()), sep="\n")
    site.nodes["a"].ctl("ha", "failover")
    wait_until(lambda: site.active("b"), 20, "b takes over")
    go_on("after the hand-over")

    # The master is made anew, and takes its role back by itself, not before it has everything.
    site.down("a")
    site.nodes["b"].ctl("set", "setting", "ha_failback=yes")
    site.up("a")
    wait_until(lambda: site.active("a"), 60, "a takes its role back")
    log = site.nodes["a"].text()
    assert log.rindex("taken in") < log.rindex("this node is the preferred one")
    go_on("after the failback")
    again = {a: flows(client, 1, VIP, 82, source=a)[0] for a in kept}
    assert {a: f.server for a, f in again.items()} == {a: f.server for a, f in kept.items()}
    for f in [f for fs in (*held.values(), again.values()) for f in fs]:
        f.close()


def test_many_rejoin(tmp_path, closing):
    """N03: the figure: tens of thousands of connections that never were, to a node that comes back. LBD_CONNS: how many."""
    n = int(os.environ.get("LBD_CONNS", 20000))
    site = Site(tmp_path, closing)
    wait_until(lambda: site.active("a") and site.whole("b"), 60, "the pair")
    wait_until(lambda: "10.9.0.4" in site.ns["a"].run("ipvsadm", "-Ln").stdout, 20, "the table")
    site.down("b")
    syncid = int(re.search(r"syncid=(\d+)", site.ns["a"].run("ipvsadm", "-L", "--daemon").stdout)[1])
    inject = closing(Inject(site.ns["a"], "eth0", syncid))
    inject.send(n, VIP, "10.9.0.3")
    inject.send(n // 100, VIP, "10.9.0.4", port=82, flags=0x1003, state=0, left=600, cport=0, first=0x15000000)
    wait_until(lambda: len(site.conns("a")) == n + n // 100, 60, "the connections")
    site.up("b")
    wait_until(lambda: site.whole("b"), 120, "b has everything")
    here, there = ({tuple(x.split()[:7]) for x in site.conns(name)} for name in "ab")
    assert len(here) == n + n // 100 and here == there
    many, seconds = re.findall(r"connections: (\d+) of the other node taken in ([\d.]+) s", site.nodes["b"].text())[-1]
    print(many, "in", seconds, "s:", round(int(many) / float(seconds)), "a second")
