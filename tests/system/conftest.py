"""Fixtures of the system tests: whatever a test opened is closed, also when it fails."""
import ctypes
import os
import subprocess

import pytest

import lbdtest


def pytest_configure():
    """Files that run side by side (check-system J=2) have a network each: what one puts on its loopback no other sees."""
    if "PYTEST_XDIST_WORKER" in os.environ and os.geteuid() == 0:
        assert ctypes.CDLL(None).unshare(0x40000000) == 0  # CLONE_NEWNET
        for words in ("link set lo up", "link add lan type veth peer name wall", "link set wall up", "link set lan up",
                      "addr add 192.0.2.1/24 dev lan"):  # a machine has an address beside the loopback's
            subprocess.run(["ip", *words.split()], check=True)


@pytest.fixture()
def closing():
    """closing(x): x.close() or x.stop() at the end of the test, last first."""
    things = []
    yield lambda x: things.append(x) or x
    for x in reversed(things):
        (x.stop if hasattr(x, "stop") else x.close)()


@pytest.fixture()
def origins(closing):
    """origins("a", "b"): HTTP origins that answer with their names."""
    def make(*names, **kw):
        return [closing(lbdtest.Origin(n, **kw)) for n in names]
    return make


@pytest.fixture(scope="module")
def lb(tmp_path_factory):
    """One lbd-proxy for the tests of a module; that it lived through them all and ended well is part of each."""
    lb = lbdtest.Lbd(tmp_path_factory.mktemp("lbd"), "lbd-proxy")
    lb.start()
    yield lb
    lb.stop()
