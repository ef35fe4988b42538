"""The pair at work: who is active, hand-over, take-over, and what is seen of it. Two nodes and a client on one bridge."""
import json
import os
import signal
import subprocess
import time

import pytest

from lbdtest import SLOW, Lbd, Netns, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
VIP = "10.9.0.100"


class Duo:
    """Nodes alpha (10.9.0.1) and beta (10.9.0.2) with a client (10.9.0.9), paired; one service on VIP."""

    def __init__(self, tmp_path, closing, *daemons):
        self.switch, self.client = closing(Netns()), closing(Netns())
        self.ns = [closing(Netns()), closing(Netns())]
        self.switch.run("ip", "link", "add", "br0", "type", "bridge")
        self.switch.run("ip", "link", "set", "br0", "up")
        for i, n in enumerate([*self.ns, self.client]):
            n.link(self.switch, "eth0", f"p{i}")
            self.switch.run("ip", "link", "set", f"p{i}", "master", "br0")
            n.run("ip", "addr", "add", f"10.9.0.{(1, 2, 9)[i]}/24", "dev", "eth0")
        self.nodes = []
        for i, name in enumerate(("alpha", "beta")):
            lb = closing(Lbd(tmp_path / name, "lbd-ha", *daemons, netns=self.ns[i]))
            lb.ctl("set", "node", f"hostname={name}")
            self.nodes.append(lb)
        self.a, self.b = self.nodes
        self.a.ctl("create", "vip", "web", f"address={VIP}", "ports=80")
        self.a.start()
        self.b.start()
        code = self.b.ctl("ha", "code").stdout.strip()
        self.a.ctl("ha", "pair", "10.9.0.2", "--code-file", "-", "-y", input=code + "\n")
        wait_until(lambda: self.roles() == ["active", "passive"], 10, "roles")

    def roles(self):
        out = []
        for n in self.nodes:
            r = n.ctl("ha", "status", "-o", "json", check=False)
            out.append(json.loads(r.stdout).get("state") if r.returncode == 0 else None)
        return out

    def holds(self):
        return [VIP in ns.run("ip", "-4", "addr", "show").stdout for ns in self.ns]


@pytest.fixture()
def duo(tmp_path, closing):
    return Duo(tmp_path, closing)


def test_roles(duo):
    """S157, S161: after pairing the master is active, the slave passive; both show the link; the address is on one of them."""
    assert duo.holds() == [True, False]
    s = [n.json("ha", "status") for n in duo.nodes]
    assert [x["role"] for x in s] == ["master", "slave"]
    wait_until(lambda: all(n.json("ha", "status")["link"] == "up" for n in duo.nodes), 5, "links")
    text = duo.b.ctl("ha", "status").stdout
    assert text.startswith("Slave | Passive | Link up"), text


def test_failover_by_order(duo):
    """S159: the active gives, the passive takes, and back; each time on one node only."""
    duo.a.ctl("ha", "failover", "-m", "test")
    assert wait_until(lambda: duo.holds() == [False, True], 5, "the other has it")
    duo.a.ctl("ha", "failover")
    assert wait_until(lambda: duo.holds() == [True, False], 5, "and back")


def export(lb):
    """The shared configuration: all but this node's own."""
    c = lb.json("export")
    c.pop("node", None)
    return c


def same(duo):
    return wait_until(lambda: export(duo.a) == export(duo.b), 10, "one configuration")


def test_one_configuration(duo):
    """S072, S151: what is edited on either node is on the other a moment later; secrets and orders too."""
    same(duo)
    duo.a.ctl("create", "vip", "two", "address=10.9.0.101", "ports=80")
    duo.b.ctl("create", "rip", "web/x", "address=10.9.0.50", "port=80")
    duo.b.ctl("drain", "web/x", "-m", "by hand")
    same(duo)
    assert wait_until(lambda: "drain" in duo.a.ctl("get", "rip", "web/x", "-o", "json").stdout, 5, "the order")
    duo.a.ctl("user", "add", "eve", "--role", "admin")
    same(duo)


def cut(duo, on):
    """The cable between the nodes; the client still sees both."""
    for i in (0, 1):
        duo.switch.run("bridge", "link", "set", "dev", f"p{i}", "isolated", "on" if on else "off")


def test_edits_while_apart(duo):
    """S072, A150: edited on both while they do not see each other: joined field by field, what lost is kept and can be taken."""
    duo.a.ctl("create", "rip", "web/x", "address=10.9.0.50", "port=80")
    same(duo)
    cut(duo, True)
    wait_until(lambda: not duo.a.json("ha", "status")["peer"]["up"] and not duo.b.json("ha", "status")["peer"]["up"], 20, "apart")
    duo.a.ctl("set", "rip", "web/x", "weight=10", "comment=alpha")
    duo.b.ctl("set", "rip", "web/x", "weight=20", "port=81")
    duo.b.ctl("create", "rip", "web/y", "address=10.9.0.51", "port=80")
    cut(duo, False)
    wait_until(lambda: duo.a.json("ha", "status")["peer"]["up"], 20, "together")
    same(duo)
    x = duo.a.json("get", "rip", "web/x")
    x = x[0] if isinstance(x, list) else x
    y = duo.b.ctl("get", "rip", "web/y", check=False)
    assert x["comment"] == "alpha" and int(x["port"]) == 81 and y.returncode == 0
    lost = [n.json("ha", "conflicts") for n in duo.nodes]
    assert lost[0] and len(lost[0]) == len(lost[1]) == 1, lost
    stands, other = int(x["weight"]), int(lost[0][0]["lost"])
    assert {stands, other} == {10, 20} and lost[0][0]["field"] == "weight"
    duo.b.ctl("ha", "take", lost[1][0]["id"])
    same(duo)
    assert f"{other}" in duo.a.ctl("get", "rip", "web/x", "-o", "json").stdout
