"""A trial commit undoes itself unless confirmed, whatever happens meanwhile (ecosystem 1.4)."""
import os
import sqlite3

import pytest

from lbdtest import Lbd, Netns, wait_until
from test_ha_single import Changes, Node

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")


@pytest.fixture()
def node(tmp_path, closing):
    n = Node(tmp_path, closing)
    n.vip("web", "10.0.0.50")
    return n


def pending(node):
    with sqlite3.connect(f"file:{node.lb.root}/var/lib/lbd/config.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FROM trial").fetchone()[0]


def vips(node):
    with sqlite3.connect(f"file:{node.lb.root}/var/lib/lbd/config.db?mode=ro", uri=True) as db:
        return {r[0] for r in db.execute("SELECT name FROM service")}


def test_reverts_by_itself(node):
    """--confirm: after the time everything is as before, in the store, on the interface, and in the history."""
    node.lb.start()
    node.until("10.0.0.50/32")
    node.ctl("create", "vip", "trial", "address=10.0.0.51", "ports=80", "--confirm", "10s")
    node.until("10.0.0.50/32", "10.0.0.51/32")
    assert pending(node) == 1
    node.until("10.0.0.50/32", timeout=20)
    wait_until(lambda: vips(node) == {"web"} and not pending(node))
    assert "was not confirmed: back to revision" in node.lb.text()
    last = node.ctl("history", "-n", "1").stdout
    assert "lbd-ha" in last and "trial" in last


def test_confirmed_stays(node):
    """lbctl confirm: the timer finds nothing to undo."""
    node.lb.start()
    node.ctl("create", "vip", "trial", "address=10.0.0.51", "ports=80", "--confirm", "10s")
    node.ctl("confirm")
    assert pending(node) == 0
    # A second trial that runs out proves that the first one's time is over too.
    node.ctl("create", "vip", "second", "address=10.0.0.52", "ports=80", "--confirm", "10s")
    wait_until(lambda: vips(node) == {"web", "trial"}, 20)
    node.until("10.0.0.50/32", "10.0.0.51/32")


def test_killed_in_between(node):
    """kill -9: the next start goes on counting; nobody has to confirm twice."""
    node.lb.start()
    node.ctl("create", "vip", "trial", "address=10.0.0.51", "ports=80", "--confirm", "10s")
    node.until("10.0.0.50/32", "10.0.0.51/32")
    node.lb.kill("lbd-ha")
    node.lb.start()
    assert "trial" in vips(node)
    node.until("10.0.0.50/32", timeout=20)
    assert vips(node) == {"web"}


@pytest.mark.parametrize("reboot", [False, True], ids=["time over", "reboot"])
def test_undone_before_any_address_is_taken(node, closing, reboot):
    """Over while nobody ran, or begun before a reboot: the address of the trial never appears."""
    node.lb.start()
    node.ctl("create", "vip", "trial", "address=10.0.0.51", "ports=80", "--confirm", "1h")
    node.until("10.0.0.50/32", "10.0.0.51/32")
    node.lb.kill("lbd-ha")
    for a in ("10.0.0.50/32", "10.0.0.51/32"):  # as a reboot does
        node.ns.run("ip", "addr", "del", a, "dev", "eth0")
    with sqlite3.connect(f"{node.lb.root}/var/lib/lbd/config.db") as db:
        db.execute("UPDATE trial SET boot='of another time'" if reboot else "UPDATE trial SET deadline=0")
    changes = closing(Changes(node.ns)).kept
    node.lb.start()
    node.until("10.0.0.50/32")
    wait_until(lambda: vips(node) == {"web"})
    wait_until(lambda: any("10.0.0.50" in c for c in changes))
    assert not any("10.0.0.51" in c for c in changes), changes
    assert ("before the restart" in node.lb.text()) == reboot
