"""A trial commit of a pair is in force on both nodes, and kept by both or by none, whatever happens in between (ecosystem 1.4, S072)."""
import json
import os
import sqlite3

import pytest

from lbdtest import wait_until
from test_ha_roles import Duo

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")


class Trial(Duo):
    def db(self, i, sql, write=False):
        with sqlite3.connect(f"file:{self.roots[i]}/var/lib/lbd/config.db?mode={'rw' if write else 'ro'}", uri=True, timeout=10) as db:
            return db.execute(sql).fetchall()

    def pending(self):
        return [self.db(i, "SELECT count(*) FROM trial")[0][0] for i in (0, 1)]

    def told(self, i):
        """What lbctl status says of it; its exit code tells of daemons that this test does not start."""
        return json.loads(self.nodes[i].ctl("status", "-o", "json", check=False).stdout)["trial"]

    def checks(self):
        return [{r[0] for r in self.db(i, "SELECT name FROM \"check\"")} for i in (0, 1)]

    def heads(self):
        return [self.db(i, "SELECT n, hash FROM revision WHERE scope=0 ORDER BY n DESC LIMIT 1")[0] for i in (0, 1)]

    def same(self, what, timeout=15):
        wait_until(lambda: self.heads()[0] == self.heads()[1], timeout, what)
        assert [n.json("ha", "conflicts") for n in self.nodes] == [[], []]

    def begin(self, i, span="1h", name="try"):
        """A check of that name, on trial on both nodes. Returns the revision before it."""
        self.same("equal before it")
        base = self.heads()[0][0]
        self.nodes[i].ctl("create", "check", name, "rise=4", "--confirm", span)
        wait_until(lambda: self.pending() == [1, 1], 5, "it waits on both")
        assert self.checks() == [{name}, {name}] and self.heads()[0] == self.heads()[1]
        return base

    def ended(self, stays, timeout=20):
        """It waits nowhere any more, the nodes are equal, and there is nothing that somebody must decide."""
        wait_until(lambda: self.pending() == [0, 0], timeout, "it waits nowhere")
        self.same("equal after it")
        assert self.checks() == [stays, stays]

    def apart(self):
        self.cut(True)
        wait_until(lambda: not any(n.json("ha", "status")["peer"]["up"] for n in self.nodes), 20, "apart")

    def together(self):
        self.cut(False)
        wait_until(lambda: all(n.json("ha", "status")["peer"]["up"] for n in self.nodes), 20, "together")

    def reboot(self, i):
        """As after a power cycle: the trial is of another boot, and no process of the node is left."""
        self.nodes[i].kill("lbd-ha")
        for core in self.cores(i):
            os.kill(core, 9)
        self.db(i, "UPDATE trial SET boot='of another time'", write=True)
        self.nodes[i].start()


@pytest.fixture()
def duo(tmp_path, closing):
    return Trial(tmp_path, closing)


@pytest.mark.parametrize("i", [0, 1], ids=["active", "passive"])
def test_kept_or_dropped(duo, i):
    """Begun on one node, shown and kept on the other; or dropped there."""
    duo.begin(i)
    other = duo.nodes[1 - i]
    text = other.ctl("status", check=False).stdout
    assert 'unless "lbctl confirm", on both nodes' in text
    assert [duo.told(i)["both"] for i in (0, 1)] == [True, True]
    refused = other.ctl("create", "check", "mine", check=False)
    assert refused.returncode == 4 and "waits for its confirmation" in refused.stderr
    assert "on both nodes" in other.ctl("confirm").stderr
    duo.ended({"try"}, 2)
    assert "nothing waits" in duo.nodes[i].ctl("confirm", check=False).stderr
    duo.a.ctl("delete", "check", "try", "-y")
    duo.begin(i)
    other.ctl("rollback")
    duo.ended(set(), 5)


def test_time_over(duo):
    """Nobody keeps it: both are back, by one revision; more time on either node counts on both."""
    base = duo.begin(0, "10s")
    duo.b.ctl("create", "check", "more", "--confirm", "10s")
    wait_until(lambda: duo.checks() == [{"try", "more"}] * 2, 5, "the second joins")
    duo.ended(set())
    last = duo.db(1, f"SELECT n, who, origin, why FROM revision WHERE scope=0 AND n>{base} ORDER BY n")
    assert last[2:] == [(base + 3, "lbd-ha", "trial", f"not confirmed: back to revision {base}")]
    assert "not confirmed" in duo.b.ctl("history", "-n", "1").stdout
    # Nothing but more time: no revision, and yet the other node knows.
    duo.begin(0, "10s")
    duo.b.ctl("set", "check", "try", "rise=4", "--confirm", "1h")
    wait_until(lambda: duo.told(0)["left_ms"] > 3000000, 9, "more time")
    duo.b.ctl("rollback")
    duo.ended(set(), 5)


def test_apart(duo):
    """The nodes lose each other: it cannot be kept, and each undoes it, by the same bytes: nothing is to be joined."""
    duo.begin(0, "15s")
    duo.apart()
    for n in duo.nodes:
        r = n.ctl("confirm", check=False)
        assert r.returncode != 0 and "kept here alone, it would be undone there" in r.stderr, r.stderr
    wait_until(lambda: duo.pending() == [0, 0], 30, "the time is over on both")
    assert duo.checks() == [set(), set()]
    assert duo.heads()[0] == duo.heads()[1]
    duo.together()
    duo.ended(set())
    # Dropped by a person on one node, later by the clock on the other.
    duo.begin(1, "15s")
    duo.apart()
    duo.a.ctl("rollback")
    duo.a.ctl("create", "check", "next")
    wait_until(lambda: duo.pending() == [0, 0], 30, "the time is over on the other")
    duo.together()
    duo.ended({"next"})


def test_together_again(duo):
    """A cut that ends before the time does: it may be kept then."""
    duo.begin(0)
    duo.apart()
    duo.together()
    wait_until(lambda: duo.b.ctl("confirm", check=False).returncode == 0, 10, "kept")
    duo.ended({"try"}, 2)


@pytest.mark.parametrize("i", [0, 1], ids=["active", "passive"])
def test_killed(duo, i):
    """kill -9 of lbd-ha: the trial goes on, and ends in time on both, whether the killed one is there again or not."""
    duo.begin(0, "10s")
    duo.nodes[i].kill("lbd-ha")
    duo.nodes[i].start()
    assert duo.pending() == [1, 1]
    duo.ended(set())
    duo.begin(0, "10s")
    duo.nodes[i].kill("lbd-ha")
    r = duo.nodes[i].ctl("confirm", check=False)
    assert r.returncode != 0 and "the other node has the trial too" in r.stderr
    wait_until(lambda: duo.pending()[1 - i] == 0, 20, "undone by the one that is left")
    assert duo.checks()[1 - i] == set()
    duo.nodes[i].start()
    duo.ended(set())


@pytest.mark.parametrize("i", [0, 1], ids=["active", "passive"])
def test_power_cycle(duo, i):
    """A node that was started anew undoes it at once, and the other follows."""
    duo.begin(0)
    duo.reboot(i)
    duo.ended(set())


def test_meets_another_edit(duo):
    """Begun while the nodes were apart: it is of both when they meet, or gives way to what the other committed."""
    duo.apart()
    duo.a.ctl("create", "check", "try", "--confirm", "1h")
    assert duo.told(0)["both"] is False
    duo.together()
    wait_until(lambda: duo.pending() == [1, 1], 10, "it waits on both")
    duo.a.ctl("confirm")
    duo.ended({"try"}, 5)
    for mine, other in (duo.nodes, duo.nodes[::-1]):
        duo.apart()
        mine.ctl("create", "check", "gone", "--confirm", "1h")
        other.ctl("set", "check", "try", "rise=7")
        duo.together()
        duo.ended({"try"})
        assert int(duo.a.json("get", "check", "try")[0]["rise"]) == 7
        duo.b.ctl("set", "check", "try", "rise=2")


def test_rest(duo, closing):
    """Over REST and in the panel of the node on which it was not begun."""
    from lbdweb import Web
    web = closing(Web(duo.b.root, netns=duo.ns[1]))
    with duo.ns[1].inside():
        web.start()
        api = web.api("operator")
        duo.begin(0)
        wait_until(lambda: (api("GET", "/status").json["trial"] or {}).get("both") is True, 5, "the API tells")
        assert api("POST", "/confirm").status == 204
        duo.ended({"try"}, 2)
        assert api("POST", "/confirm").status == 409
        duo.a.ctl("delete", "check", "try", "-y")
        panel = web.login()
        duo.begin(0)
        wait_until(lambda: "unless it is kept; on both nodes" in panel.get("/").body.decode(), 5, "the panel tells")
        assert panel.post("/trial", {"keep": "Keep"}).status == 303
        duo.ended({"try"}, 2)
