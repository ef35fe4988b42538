"""lbctl ha test: the drill of a pair, with the nodes of test_ha_roles (class Duo) and lbd-proxy as what is probed."""
import json
import os

import pytest

from lbdtest import listens, wait_until
from test_ha_roles import VIP, Duo

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")


def whole(d):
    """Both nodes have everything, as both say."""
    return all(s and s["groups"][0]["peer_whole"] and not s["groups"][0]["missing"] for s in d.states())


@pytest.fixture()
def duo(tmp_path, closing):
    d = Duo(tmp_path, closing, "lbd-check", "lbd-proxy")
    wait_until(lambda: whole(d) and all(listens(VIP, 80, ns) for ns in d.ns), 20, "whole")
    return d


def drill(node, *args):
    r = node.ctl("ha", "test", *args, check=False)
    return r.returncode, r.stdout, r.stderr


def test_drill(duo):
    """S160: from either node the addresses go to the other and come back, and not one connect to the service fails meanwhile. The
    report tells the preconditions, times, and what is left to be tried by hand."""
    for node, names in ((duo.a, ["beta", "alpha"]), (duo.b, ["beta", "alpha"])):
        code, out, text = drill(node, "-y", "-o", "json")
        r = json.loads(out)
        assert code == 0 and r["passed"], (out, text)
        assert all(p["ok"] for p in r["preconditions"])
        assert {p["name"] for p in r["preconditions"]} >= {"pair", "carrier", "roles", "state"}
        assert [(t["name"], t["address"], t["port"], t["probed"]) for t in r["targets"]] == [("web", VIP, 80, True)]
        assert [(m["group"], m["to"]) for m in r["moves"]] == [(1, n) for n in names]
        for m in r["moves"]:
            assert m["fault"] == "" and m["lost"] == 0 and m["probes"] > 10 and 0 < m["ms"] <= m["settled_ms"]
        assert len(r["by_hand"]) > 3
        duo.settle(["active", "passive"])
    code, out, _ = drill(duo.a, "-y")
    assert code == 0 and out.splitlines()[-1] == "passed"
    assert [line.split()[4] for line in out.splitlines() if line.startswith("move ")] == ["beta:", "alpha:"]
    assert "Pull the power" in out


def test_asks_first(duo):
    """S160: without -y and without a terminal nothing moves."""
    claim = duo.states()[0]["groups"][0]["claim"]
    code, out, text = drill(duo.a)
    assert code == 2 and "Move the addresses to beta and back" in text and "-y" in text
    assert duo.states()[0]["groups"][0]["claim"] == claim and duo.roles() == ["active", "passive"]
    assert "ok     pair" in out  # what was looked at is shown all the same


def test_nothing_moves_unless_fit(duo):
    """S160: each precondition that is not met is named; the addresses stay."""
    code, out, _ = drill(duo.b, "-y", "-o", "json")
    assert code == 0, out
    claim = duo.states()[0]["groups"][0]["claim"]
    duo.a.ctl("create", "pingnode", "far", "address=10.9.0.77")
    wait_until(lambda: "bad" in [k["state"] for k in duo.states()[0]["checks"]] and whole(duo), 10, "the ping node")
    code, out, _ = drill(duo.a, "-y", "-o", "json")
    r = json.loads(out)
    assert code == 1 and not r["passed"] and r["moves"] == []
    assert [p["name"] for p in r["preconditions"] if not p["ok"]] == ["check"]
    code, out, _ = drill(duo.a, "-y")
    assert code == 1 and out.splitlines()[-1] == "FAILED: nothing was moved" and "FAIL   check" in out
    assert duo.states()[0]["groups"][0]["claim"] == claim
    duo.a.ctl("delete", "pingnode", "far", "-y")
    # The other node is away: there is nobody to move to.
    duo.b.stop()
    wait_until(lambda: duo.states()[0].get("link") == "down", 20, "the other node is missed")
    code, out, _ = drill(duo.a, "-y", "-o", "json")
    r = json.loads(out)
    assert code == 1 and r["moves"] == [] and not {p["name"]: p["ok"] for p in r["preconditions"]}["pair"]


def test_losses_count(duo):
    """S160: a service that the other node does not serve fails the drill, with how many connects failed and for how long; the
    addresses come back all the same."""
    duo.ns[1].run("nft", "table inet shut { chain in { type filter hook input priority 0; tcp dport 80 reject with tcp reset; }; }")
    code, out, text = drill(duo.a, "-y", "-o", "json")
    r = json.loads(out)
    assert code == 1 and not r["passed"], (out, text)
    there, back = r["moves"]
    assert (there["to"], back["to"]) == ("beta", "alpha") and there["fault"] == back["fault"] == ""
    assert there["probes"] > there["lost"] > 3 and there["gap_ms"] > 50
    duo.settle(["active", "passive"])
    code, out, _ = drill(duo.a, "-y")
    assert code == 1 and "longest without an answer" in out and out.splitlines()[-1] == "FAILED"


def test_not_from_here(duo):
    """S160: a service that does not answer before anything moves is shown as not probed, and does not fail the drill."""
    for ns in duo.ns:
        ns.run("nft", "table inet shut { chain in { type filter hook input priority 0; tcp dport 80 reject with tcp reset; }; }")
    code, out, _ = drill(duo.a, "-y", "-o", "json")
    r = json.loads(out)
    assert code == 0 and [(t["probed"], t["why"]) for t in r["targets"]] == [(False, "Connection refused")], out
    assert all(m["probes"] == 0 for m in r["moves"]) and len(r["moves"]) == 2


def test_single(tmp_path, closing):
    """S160: on a node that is not one of a pair the drill says so."""
    d = Duo(tmp_path, closing, pair=False)
    code, out, _ = drill(d.a, "-y")
    assert code == 1 and "not one of a pair" in out and out.splitlines()[-1] == "FAILED: nothing was moved"
    d.a.stop()
    code, _, text = drill(d.a, "-y")
    assert code == 6 and "lbd-ha does not run" in text
