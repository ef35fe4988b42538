"""Routes that are on the active node only (kind route)."""
import os
import subprocess

import pytest

from lbdtest import BIN, wait_until
from test_ha_notify import check
from test_ha_roles import Duo

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")


@pytest.fixture()
def duo(tmp_path, closing):
    d = Duo(tmp_path, closing)
    d.a.ctl("set", "setting", "ha_dead=600ms", "ha_interval=50ms")
    return d


def routes(duo, i):
    """Networks of the routes with lbd's mark."""
    out = [line.split()[0] for family in ("-4", "-6")
           for line in duo.ns[i].run("ip", family, "route", "show", "table", "all", "proto", "108").stdout.splitlines()]
    return sorted(out)


def are(duo, a, b, what):
    wait_until(lambda: (routes(duo, 0), routes(duo, 1)) == (sorted(a), sorted(b)), 10, what)


def test_only_on_the_active(duo):
    """A143: a route follows the addresses, in failover and back, also with a source and in a table of its own; foreign ones
    stay."""
    for n in duo.ns:
        n.run("ip", "route", "add", "10.30.0.0/16", "via", "10.9.0.9")  # an administrator's
    for i, n in enumerate(duo.ns):
        n.run("ip", "addr", "add", f"fd00:9::{i + 1}/64", "dev", "eth0", "nodad")
    duo.a.ctl("create", "route", "inner", "destination=10.20.0.0/16", "gateway=10.9.0.9", "source=10.9.0.100", "metric=50")
    duo.a.ctl("create", "route", "six", "destination=fd00:20::/64", "gateway=fd00:9::9")
    duo.a.ctl("create", "route", "link", "destination=10.21.0.0/24", "interface=eth0", "table=77")
    duo.a.ctl("create", "route", "taken", "destination=10.30.0.0/16", "gateway=10.9.0.9")
    three = ["10.20.0.0/16", "10.21.0.0/24", "fd00:20::/64"]
    are(duo, three, [], "on the active one")
    assert "src 10.9.0.100" in duo.ns[0].run("ip", "route", "show", "10.20.0.0/16").stdout
    assert "10.21.0.0/24" in duo.ns[0].run("ip", "route", "show", "table", "77").stdout
    wait_until(lambda: check(duo.a, "route").get("taken") == ("bad", "there is a route to it that is not lbd's"), 10, "shown")
    assert check(duo.a, "route")["inner"] == ("good", "put")
    wait_until(lambda: check(duo.b, "route").get("inner") == ("unknown", "not active here"), 10, "known there")
    duo.a.ctl("delete", "route", "taken", "-y")

    for one, other in ((three, []), ([], three), (three, [])):
        are(duo, one, other, "after each failover")
        duo.a.ctl("ha", "failover")
    are(duo, [], three, "after the last")
    duo.b.ctl("ha", "failover")
    are(duo, three, [], "on the first")
    for n in duo.ns:
        assert "10.30.0.0/16" in n.run("ip", "route", "show").stdout

    duo.ns[0].run("ip", "route", "del", "10.20.0.0/16")  # somebody takes it away
    are(duo, three, [], "it is back")
    duo.a.ctl("set", "route", "inner", "metric=60")
    wait_until(lambda: "metric 60" in duo.ns[0].run("ip", "route", "show", "10.20.0.0/16").stdout, 10, "changed")
    are(duo, three, [], "and the old one is gone")
    duo.a.ctl("set", "route", "six", "enabled=no")
    are(duo, three[:2], [], "not enabled")


def test_killed_and_released(duo):
    """kill -9 of lbd-ha leaves the routes until it is there again; those of the other role are taken away then. --release
    takes them all."""
    duo.a.ctl("create", "route", "inner", "destination=10.20.0.0/16", "gateway=10.9.0.9")
    one = ["10.20.0.0/16"]
    are(duo, one, [], "on the active one")
    duo.a.kill("lbd-ha")
    assert routes(duo, 0) == one
    duo.a.start("lbd-ha")
    are(duo, one, [], "as before")
    duo.a.kill("lbd-ha")
    duo.b.ctl("ha", "failover")  # the core of the first goes on, and hands over
    wait_until(lambda: routes(duo, 1) == one, 10, "on the second")
    assert routes(duo, 0) == one  # nobody was there to take it away
    duo.a.start("lbd-ha")
    are(duo, [], one, "now it is")
    duo.b.kill("lbd-ha")
    subprocess.run([*duo.ns[1].prefix, BIN / "lbd-ha", "--release", "--root", duo.b.root], check=True)
    assert routes(duo, 1) == []
