"""Clients of a pair: what they keep when the active node changes."""
import os
import signal

import pytest

from lbdtest import Load, Origin, Vip, get, wait_until
from test_ha_roles import VIP, Duo, export, same

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
CLIENTS = [f"10.9.0.{i}" for i in range(20, 40)]


class Farm(Duo):
    """With three web servers on the bridge, and a client of many addresses."""

    def __init__(self, tmp_path, closing, **fields):
        super().__init__(tmp_path, closing, "lbd-proxy", "lbd-check")
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
    """S159, S176: requests all the time, hand-over and back; nobody fails, though some are asked again."""
    with Load(farm.vip, clients=4, every_ms=5, close_every=1, netns=farm.client) as load:
        load.wait(100)
        for i in (1, 0, 1):
            farm.nodes[1 - i].ctl("ha", "failover")
            load.wait(100)
            assert farm.holds()[i]
        r = load.stop()
    assert not r["failed"], r


def test_orders_and_verdicts_live_on(farm):
    """N06: drained on one node, drained on the other after a hand-over, with who did it."""
    farm.a.ctl("drain", "web/a", "-m", "kernel update")
    same(farm)
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    farm.b.ctl("persist", "clear", "web", "-y")
    assert "a" not in set(farm.servers().values())
    assert "kernel update" in farm.b.ctl("get", "rip", "web/a", "-o", "json").stdout
