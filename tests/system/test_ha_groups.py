"""Two groups of addresses: both nodes are active, each for its own, and each takes the other's when that fails (A146)."""
import os

import pytest

from lbdtest import Load, Vip, get, wait_until
from test_ha_roles import VIP
from test_ha_roles import same
from test_ha_traffic import CLIENTS, Farm

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
SECOND = "10.9.0.101"
APART, ALL_A, ALL_B = [["one"], ["two"]], [["one", "two"], []], [[], ["one", "two"]]


class Groups(Farm):
    """Service web is of group 1, two of group 2; the three servers serve both."""

    def __init__(self, tmp_path, closing):
        super().__init__(tmp_path, closing, persistence="source", scheduler="wrr")
        self.second = Vip("two", SECOND, 80)
        self.a.ctl("create", "vip", "two", f"address={SECOND}", "ports=80", "group=2", "persistence=source", "scheduler=wrr")
        for o in self.origins:
            self.b.rip("two", o.name, o.port, "10.9.0.200")
        same(self)
        self.where(APART, "each node has its own")
        wait_until(lambda: None not in self.all_servers().values(), 15, "both services")

    def groups(self):
        """What each node holds."""
        out = []
        for ns in self.ns:
            text = ns.run("ip", "-4", "addr", "show").stdout
            out.append([w for w, a in (("one", VIP), ("two", SECOND)) if f"{a}/" in text])
        return out

    def where(self, wanted, what, timeout=15):
        wait_until(lambda: self.groups() == wanted, timeout, what)

    def words(self):
        return [n.json("ha", "status")["words"] for n in self.nodes]

    def all_servers(self):
        """(service, client): who answers."""
        out = {}
        with self.client.inside():
            for v in (self.vip, self.second):
                for c in CLIENTS:
                    try:
                        out[v.name, c] = get(v, source=c).server
                    except OSError:
                        out[v.name, c] = None
        return out

    def know_all(self):
        """What one proxy has learned, the other knows."""
        def entries(n):
            return sorted((e["client"], e["rip"]) for v in ("web", "two") for e in n.json("persist", "list", v))
        wait_until(lambda: entries(self.a) == entries(self.b) and len(entries(self.a)) == 2 * len(CLIENTS), 10, "persistence on both")

    def kill(self, i):
        """The whole node, as by its power switch."""
        core = self.cores(i)
        for name in self.nodes[i].daemons:
            self.nodes[i].kill(name)
        for p in core:
            os.kill(p, 9)
        for a in (VIP, SECOND):
            self.ns[i].run("ip", "addr", "flush", "to", f"{a}/32")


@pytest.fixture()
def farm(tmp_path, closing):
    return Groups(tmp_path, closing)


def test_both_are_active(farm):
    """Each node serves its group; a group moves alone, by an order at either node, and no client of either notices."""
    wait_until(lambda: farm.words() == ["Master | Active in group 1 | Link up", "Slave | Active in group 2 | Link up"], 5, "words")
    text = farm.a.ctl("ha", "status").stdout
    assert "group 1      active" in text and "group 2      passive" in text and "the other node: active" in text
    with Load(farm.vip, clients=2, every_ms=10, close_every=1, netns=farm.client) as one, \
            Load(farm.second, clients=2, every_ms=10, close_every=1, netns=farm.client) as two:
        one.wait(50)
        for at, group, wanted in ((farm.a, 2, ALL_A), (farm.a, 2, APART), (farm.b, 1, ALL_B), (farm.a, 1, APART)):
            at.ctl("ha", "failover", "--group", group)
            farm.where(wanted, f"group {group} moved", 5)
            one.wait(50)
            two.wait(50)
            if wanted == ALL_A:
                wait_until(lambda: farm.words() == ["Master | Active in both groups | Link up", "Slave | Passive | Link up"], 5, "words")
        results = one.stop(), two.stop()
    assert not any(r["failed"] for r in results), results


def test_a_node_fails_and_comes_back(farm):
    """The other has both groups then; persistence of both services is known on both nodes; failback by preference."""
    farm.a.ctl("set", "setting", "ha_failback=yes", "ha_failback_delay=1s")
    before = farm.all_servers()
    assert {s for (v, _), s in before.items() if v == "two"} == {"a", "b", "c"}
    for i, alone in ((0, ALL_B), (1, ALL_A)):
        farm.know_all()
        farm.kill(i)
        farm.where(alone, "the other has both")
        wait_until(lambda: None not in farm.all_servers().values(), 15, "both services at one node")
        assert farm.all_servers() == before
        farm.nodes[i].start()
        farm.where(APART, "each has its own again", 30)
        wait_until(lambda: farm.all_servers() == before, 15, "the same servers")


def test_refused(farm):
    """A group that is none, and one without addresses, by lbctl and REST."""
    r = farm.a.ctl("ha", "failover", "--group", 3, check=False)
    assert r.returncode == 2 and "group" in r.stderr and "1 to 2" in r.stderr, r.stderr
    farm.a.ctl("delete", "vip", "two", "--cascade", "-y")
    farm.where([["one"], []], "one group")
    r = farm.a.ctl("ha", "failover", "--group", 2, check=False)
    assert r.returncode == 4 and "group 2 has no addresses" in r.stderr, r.stderr
    assert farm.groups() == [["one"], []]
