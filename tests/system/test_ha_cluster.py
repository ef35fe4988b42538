"""A cluster of more than two nodes, by VRRP: each has the configuration of the first and a priority of its own."""
import contextlib
import http.client
import os
import signal
import time

import pytest

from lbdtest import SLOW, Lbd, Origin, wait_until
from test_ha_vrrp import Node
from vrrplib import Lan

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")

VIP = "10.0.0.100"
MS = 200


class Three(Lan):
    NODES = {"a": 1, "b": 2, "c": 3}


class Copied(Node):
    """A node with what `lbctl export` said of another, and its own priority."""

    def __init__(self, ns, root, text, prio):
        self.ns = ns
        self.lb = Lbd(root, "lbd-ha", "lbd-proxy", netns=ns)
        self.lb.ctl("apply", "-f", "-", input=text)
        self.set(priority=prio)
        self.start()

    def lose(self):
        """All of it at once, as when the power fails."""
        pids = [*self.core(), *(p.pid for p in self.lb.process.values())]
        for sig in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                os.kill(pid, sig)
        while self.lb.process:
            self.lb.process.popitem()[1].wait()


def fetch(lan, cookie=None):
    """A request of a client on the LAN: the server, and the cookie that names it."""
    c = http.client.HTTPConnection(VIP, 80, timeout=3 * SLOW)
    with lan.sw.inside():
        c.connect()
    with contextlib.closing(c):
        c.request("GET", "/", headers={"Cookie": cookie} if cookie else {})
        r = c.getresponse()
        return r.headers["X-Server"], (r.headers["Set-Cookie"] or "").split(";")[0]


def test_three_nodes(tmp_path, closing):
    """A147: the configuration copied, the first node lost, then the second: the third serves; each comes back by priority."""
    lan = closing(Three())
    with lan.sw.inside():
        for i, name in enumerate("st"):
            closing(Origin(name, address="10.0.0.9", port=8080 + i))
    first = Lbd(tmp_path / "a")
    for words in ("create check none kind=none", f"create vip web address={VIP} ports=80 check=none persistence=cookie",
                  "create rip web/s address=10.0.0.9 port=8080", "create rip web/t address=10.0.0.9 port=8081", f"create vrrp v interface=eth0 vrid=51 interval={MS}ms"):
        first.ctl(*words.split())
    text = first.ctl("export").stdout
    cookies = {}
    node = {n: closing(Copied(getattr(lan, n), tmp_path / ("copy-" + n), text, prio))
            for n, prio in (("a", 200), ("b", 150), ("c", 100))}

    def serves(who, others):
        node[who].until("master")
        for n in others:
            node[n].until("backup")
        wait_until(lambda: lan.masters(51, MS) == {who}, what=f"{who}: {lan.masters(51, MS)}")
        wait_until(lambda: lan.owners(VIP) == {who}, what=f"{who}: {lan.owners(VIP)}")
        for _ in range(5):
            server, cookie = fetch(lan)
            cookies.setdefault(server, cookie)
        assert set(cookies) == {"s", "t"}
        for server, cookie in cookies.items():  # of the first master
            assert [fetch(lan, cookie)[0] for _ in range(3)] == [server] * 3
        assert [n for n in node if f"{VIP}/" in getattr(lan, n).run("ip", "addr").stdout] == [who]

    serves("a", "bc")
    for lost, master, rest in (("a", "b", "c"), ("b", "c", "")):
        lan.cut(lost)
        gone = time.monotonic()
        node[lost].lose()
        serves(master, rest)
        assert lan.seen(gone, node=master)[0].when - gone < (4 * MS / 1000 + 1) * SLOW
    for back, rest in (("b", "c"), ("a", "bc")):
        lan.cut(back, False)
        node[back].start()
        serves(back, rest)
    # One that is stopped in order hands over to the next, and not to the last.
    stopped = time.monotonic()
    node["a"].leave()
    serves("b", "c")
    assert not lan.seen(stopped, node="c"), "the last node has taken it for a moment"
