"""Clients of a pair: what they keep when the active node changes."""
import json
import os
import re
import signal
import socket
import time

import pytest

from lbdbus import Bus
from lbdtest import Load, Origin, Vip, get, wait_until
from test_ha_roles import VIP, Duo, export, same

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
CLIENTS = [f"10.9.0.{i}" for i in range(20, 40)]


class Farm(Duo):
    """With three web servers on the bridge, and a client of many addresses."""

    def __init__(self, tmp_path, closing, **fields):
        super().__init__(tmp_path, closing, "lbd-proxy", "lbd-check", "lbd-ipvs")
        self.switch.run("ip", "addr", "add", "10.9.0.200/24", "dev", "br0")
        self.origins = []
        with self.switch.inside():
            self.origins = [closing(Origin(n, address="10.9.0.200")) for n in "abc"]
        for c in CLIENTS:
            self.client.run("ip", "addr", "add", f"{c}/24", "dev", "eth0")
        self.vip = Vip("web", VIP, 80)
        for o in self.origins:
            self.a.rip("web", o.name, o.port, "10.9.0.200")
        if fields:
            self.a.ctl("set", "vip", "web", *(f"{k}={v}" for k, v in fields.items()))
        same(self)
        wait_until(lambda: self.ask(CLIENTS[0]), what="the service")

    def ask(self, client):
        """The server that answers this client; None."""
        with self.client.inside():
            try:
                return get(self.vip, source=client).server
            except OSError:
                return None

    def servers(self):
        return {c: self.ask(c) for c in CLIENTS}

    def lends(self, i):
        """Packets of connections that node i does not have go to the other one."""
        return "@lent4" in self.ns[i].run("nft", "list", "table", "inet", "lbd", check=False).stdout

    def keeps(self):
        """The passive node is ready to take over without a reset."""
        wait_until(lambda: [self.lends(i) for i in (0, 1)] == [not h for h in self.holds()], what="rules for the connections of the other node")

    def takes_over(self, i, what):
        wait_until(lambda: self.holds()[i], 10, what)
        wait_until(lambda: self.ask(CLIENTS[0]), 10, "the service on the other node")


@pytest.fixture()
def farm(tmp_path, closing):
    return Farm(tmp_path, closing, persistence="source", scheduler="wrr")


def test_clients_keep_their_servers(farm):
    """S164, A081, N07: over a hand-over, a crash of the active node, failback, and a power cycle of both."""
    before = farm.servers()
    assert set(before.values()) == {"a", "b", "c"}
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    assert farm.servers() == before
    pids = [p.pid for p in farm.b.process.values()]
    farm.b.ctl("ha", "failover")
    farm.takes_over(0, "failback")
    assert farm.servers() == before and pids == [p.pid for p in farm.b.process.values()]
    for n in farm.nodes:
        n.stop()
        n.start()
    wait_until(lambda: sorted(farm.holds()) == [False, True], 10, "one of them")
    wait_until(lambda: farm.ask(CLIENTS[0]), 10, "the service")
    assert farm.servers() == before


def test_planned_changes_fail_nobody(farm):
    """S159, S176: requests all the time, each on a connection of its own, hand-over and back; nobody fails."""
    farm.keeps()
    with Load(farm.vip, clients=4, every_ms=5, close_every=1, netns=farm.client) as load:
        load.wait(100)
        for i in (1, 0, 1):
            farm.nodes[1 - i].ctl("ha", "failover")
            load.wait(100)
            assert farm.holds()[i]
        r = load.stop()
    assert not r["failed"] and not r["repeated"], r


class Stream:
    """A client's connection to the service echo: say() goes there and back."""

    def __init__(self, farm, address=VIP):
        with farm.client.inside():
            self.s = socket.create_connection((address, 7000), 5)
        self.s.settimeout(10)
        self.said = 0

    def say(self):
        self.said += 1
        word = b"%08d" % self.said
        self.s.sendall(word)
        assert self.s.recv(100) == word

    def close(self):
        self.s.close()


def echo(c, _):
    while data := c.recv(4096):
        c.sendall(data)


def ready(farm, rip):
    """Both nodes have the server, and lbd-proxy of both knows that it is fit."""
    def is_up(n):
        r = n.ctl("get", "rip", rip, "-o", "json", check=False)
        return r.returncode == 0 and json.loads(r.stdout)[0]["status"]["state"] == "up"
    wait_until(lambda: all(is_up(n) for n in farm.nodes), what=f"{rip} up on both nodes")


def echo_service(farm, closing):
    """A service of plain TCP, whose server sends back what it gets."""
    with farm.switch.inside():
        server = closing(Origin("echo", echo, address="10.9.0.200"))
    farm.a.ctl("create", "vip", "echo", f"address={VIP}", "ports=7000", "mode=tcp")
    farm.a.rip("echo", "s", server.port, "10.9.0.200")
    ready(farm, "echo/s")


def test_connections_stay(farm, closing):
    """S159, N03: TCP connections live through hand-overs, each at the node that accepted it, whichever has the address; once the
    setting's time is over those that were left are reset, and no other."""
    echo_service(farm, closing)
    farm.keeps()
    streams = []
    for i in (1, 0, 1):
        streams.append(Stream(farm))
        for s in streams:
            s.say()
        farm.nodes[1 - i].ctl("ha", "failover")
        for s in streams:
            s.say()
        wait_until(lambda: farm.holds() == [i == 0, i == 1], what="the hand-over")
        for s in streams * 3:
            s.say()
    own = Stream(farm)
    own.say()
    farm.b.ctl("set", "setting", "main", "ha_keep=0s")
    wait_until(lambda: not farm.lends(1), what="the end of keeping")
    for s in streams[:1] + streams[2:]:  # accepted by a
        with pytest.raises(ConnectionError):
            s.say()
    streams[1].say()  # accepted by b
    own.say()


def test_requests_move_on(farm):
    """S159: after a hand-over the old node answers what its clients ask on the connections that they have, and sends them to the
    new one."""
    farm.keeps()
    with farm.client.inside():
        kept = socket.create_connection((VIP, 80), 5)
    ask = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    kept.sendall(ask)
    assert b"connection: close" not in kept.recv(4096).lower()
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    kept.sendall(ask)
    answer = b""
    while data := kept.recv(4096):
        answer += data
    assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()


def test_lost_node_is_not_waited_for(farm, closing):
    """S157: the node that still had a connection is gone: its client is told at once, by a reset, and comes again."""
    echo_service(farm, closing)
    farm.keeps()
    old = closing(Stream(farm))
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    wait_until(lambda: farm.lends(1), what="keeping")
    old.say()
    farm.port(0, False)
    wait_until(lambda: not farm.lends(1), what="the end of keeping")
    with pytest.raises(ConnectionError):
        old.say()
    closing(Stream(farm)).say()
    farm.a.kill("lbd-proxy")  # it would wait for its client, of whom it hears no more


def test_connections_of_ipv6_stay(farm, closing):
    """S159: IPv6 as well, once the nodes have a carrier of it."""
    for i, n in enumerate([*farm.ns, farm.client]):
        n.run("ip", "addr", "add", f"fd00::{(1, 2, 9)[i]}/64", "dev", "eth0", "nodad")
    for i, n in enumerate(farm.nodes):
        n.ctl("create", "carrier", "six", f"address=fd00::{i + 1}", f"peer=fd00::{2 - i}")
    echo_service(farm, closing)
    farm.a.ctl("create", "vip", "echo6", "address=fd00::100", "ports=7000", "mode=tcp")
    server = farm.a.json("get", "rip", "echo/s")[0]
    farm.a.rip("echo6", "s", server["port"], server["address"])
    ready(farm, "echo6/s")
    wait_until(lambda: "@lent6" in farm.ns[1].run("nft", "list", "table", "inet", "lbd").stdout, what="rules for IPv6")
    streams = [Stream(farm, "fd00::100")]
    streams[0].say()
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    streams[0].say()
    streams.append(Stream(farm, "fd00::100"))
    farm.b.ctl("ha", "failover")
    farm.takes_over(0, "failback")
    for s in streams * 2:
        s.say()


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_daemon_of_the_active_fails(farm, sig):
    """A153: lbd-proxy of the active node ends, or stands still, for longer than a restart takes: the other node is active, without
    any configuration; the node says why, and is fit again when lbd-proxy is."""
    farm.keeps()

    def watched(i):
        return {c["name"]: c["state"] for c in farm.nodes[i].json("ha", "status")["checks"]}
    wait_until(lambda: watched(0).get("suite lbd-proxy") == "good" and watched(1).get("suite lbd-proxy") == "good", what="the daemons are watched")
    pid = farm.a.pid("lbd-proxy")
    if sig == signal.SIGKILL:
        farm.a.kill("lbd-proxy")
    else:
        os.kill(pid, sig)
    farm.takes_over(1, "the other node is active")
    assert watched(0)["suite lbd-proxy"] == "bad" and watched(1)["suite lbd-proxy"] == "good"
    if sig == signal.SIGKILL:
        farm.a.start("lbd-proxy")
    else:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: watched(0)["suite lbd-proxy"] == "good", what="fit again")
    # Who gives keeps the addresses for a moment, for those who have not heard of the other yet.
    wait_until(lambda: farm.holds() == [False, True], what="the other node alone")


def test_checks_of_the_active_alone(farm):
    """A022: a check for the active node alone: the passive sends no probe, begins at once when it is active, and the other one
    ceases."""
    def probes(i):
        with Bus(farm.roots[i], "lbd-check") as bus:
            (_, m), = bus.ask("STATUS")[0]
            return re.search(r"(\d+) probes", m["head"])[1]

    def rests(i):
        before = probes(i)
        time.sleep(0.6)
        return probes(i) == before
    farm.a.ctl("create", "check", "own", "interval=100ms", "timeout=90ms", "active_only=yes")
    farm.a.ctl("set", "vip", "web", "check=own")
    same(farm)
    wait_until(lambda: rests(1), what="the passive rests")
    assert not rests(0)
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    wait_until(lambda: rests(0), what="the other rests")
    assert not rests(1)


def test_orders_and_verdicts_live_on(farm):
    """N06: drained on one node, drained on the other after a hand-over, with who did it."""
    farm.a.ctl("drain", "web/a", "-m", "kernel update")
    same(farm)
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    farm.b.ctl("persist", "clear", "web", "-y")
    assert "a" not in set(farm.servers().values())
    assert "kernel update" in farm.b.ctl("get", "rip", "web/a", "-o", "json").stdout
