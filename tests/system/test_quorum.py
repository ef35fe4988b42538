"""Quorum: lbd-check tells whether a service has enough fit servers, and everybody can see it."""
import re
import signal

import pytest

from lbdbus import HEALTH, Bus
from lbdtest import Lbd, Origin, http_answer, wait_until


@pytest.fixture()
def three(tmp_path, closing):
    """Three servers of weight 100; lbd-check alone."""
    lb = closing(Lbd(tmp_path / "root", "lbd-check"))
    lb.origins = [closing(Origin(n)) for n in "abc"]
    lb.ctl("create", "check", "page", "kind=http", "interval=250ms", "timeout=250ms", "fall=2", "rise=1", "jitter=0")
    lb.ctl("create", "vip", "web", "address=127.0.0.2", "ports=80", "check=page", "quorum=200", "quorum_hysteresis=50")
    for o in lb.origins:
        lb.rip("web", o.name, o.port)
    lb.start()
    return lb


def quorums(bus):
    return [m for _, name, m in bus.read() if name == "QUORUM"]


def last(bus):
    rows = quorums(bus)
    return (bool(rows[-1]["met"]), rows[-1]["weight"]) if rows else None


def failing(_):
    return http_answer(b"", "500 Oh")


def test_quorum_with_hysteresis(three):
    """A014: up at quorum + hysteresis, down below quorum - hysteresis; orders and weights at run time count."""
    a, b, _ = three.origins
    with Bus(three.root, "lbd-check") as bus:
        bus.subscribe(HEALTH)
        wait_until(lambda: last(bus) == (True, 300), what=lambda: quorums(bus))
        a.answer = failing
        wait_until(lambda: last(bus) == (True, 200))
        b.answer = failing
        wait_until(lambda: last(bus) == (False, 100))
        a.answer = None
        wait_until(lambda: last(bus) == (False, 200), what="200 is not 250")
        three.ctl("weight", "web/a", "150")
        wait_until(lambda: last(bus) == (True, 250))
        three.ctl("drain", "web/a")
        wait_until(lambda: last(bus) == (False, 100))
        three.ctl("online", "web/a")
        three.ctl("set", "vip", "web", "quorum=100", "quorum_hysteresis=0")
        wait_until(lambda: quorums(bus)[-1]["met"])
        turns = [m["met"] for m in quorums(bus)]
        assert [x for i, x in enumerate(turns) if i == 0 or x != turns[i - 1]] == [1, 0, 1, 0, 1]
        with Bus(three.root, "lbd-check") as late:
            late.subscribe(HEALTH)
            wait_until(lambda: quorums(late), what="whoever comes later is told too")
    log = three.text()
    assert re.search(r"vip web: quorum lost, weight 100 of 200\n", log)
    assert re.search(r"vip web: quorum met, weight 250 of 200\n", log)


def test_a_restart_is_no_change(three):
    """A014: after a start nothing is told before the unknown servers cannot change it: nobody goes to the fallback and back."""
    with Bus(three.root, "lbd-check") as bus:
        bus.subscribe(HEALTH)
        wait_until(lambda: last(bus) == (True, 300))
    three.kill("lbd-check", signal.SIGKILL)
    three.start("lbd-check")
    with Bus(three.root, "lbd-check") as bus:
        bus.subscribe(HEALTH)
        wait_until(lambda: last(bus) == (True, 300))
        assert all(m["met"] for m in quorums(bus))
