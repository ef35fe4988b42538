"""Two nodes of a pair over one kernel's IPVS: connections of layer 4 outlive a change of the active node."""
import json
import socket
import threading

import pytest

from lbdtest import Lbd, Netns, wait_until

VIP = "10.9.0.100"


class Server:
    """Answers each byte with its name."""

    def __init__(self, name):
        self.s = socket.create_server(("0.0.0.0", 80))
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
    nodes[0].ctl("apply", "-f", "-", input=json.dumps({"check": {"none": {"kind": "none"}}, "vip": {"web": {
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
