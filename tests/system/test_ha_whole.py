"""What a node that comes back lacks, is told, and holds its return up (N03); connections of layer 4 are in tests/kernel/test_pair.py."""
import os

import pytest

from lbdtest import wait_until
from test_ha_roles import Duo

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")


def test_waits_for_verdicts(tmp_path, closing):
    """N03: the master comes back and does not take its role back before its lbd-check has a verdict on every server that is probed;
    what it waits for stands in lbctl ha status on both nodes. An order does not wait for long."""
    duo = Duo(tmp_path, closing, "lbd-check")
    duo.a.ctl("create", "check", "fast", "kind=tcp", "interval=200ms", "timeout=100ms")
    duo.a.ctl("set", "vip", "web", "check=fast")
    duo.a.ctl("create", "rip", "web/one", "address=127.0.0.1", "port=1")
    duo.a.ctl("set", "setting", "ha_failback=yes", "ha_failback_delay=0s")

    def group(i):
        s = duo.states()[i]
        return s["groups"][0] if s else {}
    wait_until(lambda: all(group(i).get("missing") == "" for i in (0, 1)), 20, "verdicts on both")
    duo.a.stop()
    wait_until(lambda: group(1).get("hold"), 20, "the slave takes over")
    duo.a.start("lbd-ha")
    wait_until(lambda: group(0).get("missing") == "verdicts: lbd-check is away", 20, "what is missing is told")
    assert "waits for verdicts: lbd-check is away" in duo.a.ctl("ha", "status").stdout
    wait_until(lambda: group(1).get("peer") != "" and "does not have everything yet" in duo.b.ctl("ha", "status").stdout, 10, "and there")
    assert group(0)["role"] == "passive" and group(1)["hold"] and not group(1)["peer_whole"]
    duo.a.start("lbd-check")
    duo.settle(["active", "passive"])
    log = duo.a.text()
    assert log.rindex("rip web/one: down") < log.rindex("group 1: active: this node is the preferred one")
