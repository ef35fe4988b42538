"""What others see of the pair: metrics, the URL for balancers in front, and that nothing old is shown as true."""
import json
import os
import re
import signal
import subprocess

import pytest

from lbdtest import wait_until
from test_ha_roles import Duo

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")

GET = """
import sys, urllib.error, urllib.request
try:
    r = urllib.request.urlopen("http://127.0.0.1:9080" + sys.argv[1], timeout=10)
except urllib.error.HTTPError as e:
    r = e
print(r.status)
print(r.read().decode(), end="")
"""


@pytest.fixture()
def duo(tmp_path, closing):
    return Duo(tmp_path, closing, "lbd-web")


def get(duo, i, path):
    status, _, body = duo.ns[i].run("python3", "-c", GET, path).stdout.partition("\n")
    return int(status), body


def metrics(duo, i):
    """{name{labels}: value} of the pair's families."""
    status, body = get(duo, i, "/metrics?scope=node")
    assert status == 200
    return {k: float(v) for k, v in re.findall(r"^(lbd_ha_\S+(?:.*\})?) (\S+)$", body, re.M)}


def test_metrics(duo):
    """Role per group, generation, carriers, checks and what the nodes have in common, as promtool reads them."""
    duo.b.ctl("create", "pingnode", "c", "address=10.9.0.9")
    wait_until(lambda: any(v == 1 for k, v in metrics(duo, 1).items() if k.startswith("lbd_ha_check_good{what=\"ping\"")), 10, "ping")
    wait_until(lambda: all(metrics(duo, i).get("lbd_ha_config_in_sync") == 1 for i in (0, 1)), 10, "in sync")
    m = [metrics(duo, i) for i in (0, 1)]
    assert [x['lbd_ha_group_role{group="1",role="active"}'] for x in m] == [1, 0]
    assert [x['lbd_ha_group_role{group="1",role="passive"}'] for x in m] == [0, 1]
    assert [x['lbd_ha_role{role="active"}'] for x in m] == [1, 0]
    assert 'lbd_ha_lease_seconds{group="1"}' not in m[1] and 0 < m[0]['lbd_ha_lease_seconds{group="1"}'] < 1
    line = [k for k in m[0] if k.startswith("lbd_ha_carrier_state") and 'state="up"' in k]
    assert len(line) == 1 and m[0][line[0]] == 1
    name = re.search(r'carrier="([^"]*)"', line[0]).group(1)
    for i in (0, 1):
        assert m[i]["lbd_ha_peer_up"] == 1
        assert m[i]['lbd_ha_foreign_heartbeats_total{cluster="same"}'] == 0
    assert m[0][f'lbd_ha_carrier_sent_total{{carrier="{name}"}}'] > 10
    assert 0 < m[0][f'lbd_ha_carrier_rtt_seconds{{carrier="{name}"}}'] < 1
    assert m[0]["lbd_ha_persistence_pending"] in (0, 1) and m[0]["lbd_ha_persistence_entries"] == 0
    text = get(duo, 0, "/metrics")[1]
    r = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert r.returncode == 0 and not r.stdout + r.stderr, r.stdout + r.stderr

    before = [x['lbd_ha_changes_total{group="1"}'] for x in m], m[0]['lbd_ha_generation{group="1"}']
    duo.a.ctl("ha", "failover")
    duo.settle(["passive", "active"])
    wait_until(lambda: metrics(duo, 1)['lbd_ha_group_role{group="1",role="active"}'] == 1, 5, "moved")
    m = [metrics(duo, i) for i in (0, 1)]
    assert [x['lbd_ha_changes_total{group="1"}'] for x in m] == [n + 1 for n in before[0]]
    wait_until(lambda: metrics(duo, 0)['lbd_ha_generation{group="1"}'] == before[1] + 1, 5, "one generation more")


def test_active_url(duo):
    """A151: who is active answers 200, who is not 503, without a login; and whom nobody hears, 503 too (N01)."""
    def states():
        return [get(duo, i, "/ha/active") for i in (0, 1)]
    wait_until(lambda: states() == [(200, "active\n"), (503, "passive\n")], 10, "at first")
    assert get(duo, 0, "/ha/active?group=1")[0] == 200 and get(duo, 0, "/ha/active?group=2")[0] == 503
    status, body = get(duo, 0, "/ha/active?group=x")
    assert status == 400 and "group: x: allowed is 1 or 2" in body
    duo.a.ctl("ha", "failover")
    wait_until(lambda: states() == [(503, "passive\n"), (200, "active\n")], 10, "moved")

    os.kill(duo.pid_of(1), signal.SIGSTOP)  # the core goes on: it is active, and nobody can know
    try:
        wait_until(lambda: states()[1] == (503, "unknown\n"), 5, "not heard")
        m = metrics(duo, 1)
        assert m['lbd_ha_role{role="unknown"}'] == 1 and m['lbd_ha_role{role="active"}'] == 0
        assert not [k for k in m if not k.startswith("lbd_ha_role")]
    finally:
        os.kill(duo.pid_of(1), signal.SIGCONT)
    wait_until(lambda: states()[1] == (200, "active\n"), 10, "heard again")
    duo.b.kill("lbd-ha")
    wait_until(lambda: states()[1] == (503, "unknown\n"), 5, "killed")
    duo.b.start("lbd-ha")
    wait_until(lambda: states()[1] == (200, "active\n"), 10, "the core was active all the time")


# What a program that reads the dump may rely on: name: type, or the members of the objects in a list.
DUMP = dict(role=str, state=str, link=str, words=str, advice=str, outside=bool, since=str, groups=dict(
    group=int, hold=bool, conflict=bool, answered=bool, addresses=int, claim=int, role=str, peer_role=str, why=str,
    generation=int, changes=int, missing=str, peer_whole=bool, since=str), carriers=dict(
    number=int, name=str, state=str, fault=str, heard_us=int, sent=int, received=int, lost=int, lost_permille=int, rtt_us=int,
    worst_us=int, since=str), checks=dict(number=int, name=str, what=str, state=str, text=str, since=str), peer=dict, addresses=list, vrrps=list, alarms={})


def test_dump(duo):
    """A165: lbctl ha status -o json is whole and of these types, also with a check and without the other node."""
    duo.b.ctl("create", "pingnode", "c", "address=10.9.0.9")
    wait_until(lambda: duo.states()[1]["checks"], 10, "a check")
    for turn in range(2):
        s = json.loads(duo.b.ctl("ha", "status", "-o", "json").stdout)
        assert set(s) == set(DUMP)
        for key, kind in DUMP.items():
            if not isinstance(kind, dict):
                assert isinstance(s[key], kind), key
                continue
            assert isinstance(s[key], list) and (s[key] or key == "alarms"), key
            for row in s[key]:
                assert {k: type(v) for k, v in row.items()} == kind, key
        if turn == 1:
            break
        duo.a.kill("lbd-ha")
        os.kill(duo.core(0), signal.SIGKILL)
        wait_until(lambda: duo.states()[1]["link"] == "down", 10, "the other is gone")
