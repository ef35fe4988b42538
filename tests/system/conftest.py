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
                      "addr add 100.64.255.1/24 dev lan"):  # a machine has an address beside the loopback's
            subprocess.run(["ip", *words.split()], check=True)


@pytest.fixture(scope="session", autouse=True)
def folders_for_others(tmp_path_factory):
    """Daemons that give up root find their files; what is not for all has folders of its own within."""
    top = tmp_path_factory.getbasetemp()
    for d in (top, *top.parents):
        if d.stat().st_uid == os.geteuid() and d.stat().st_mode & 0o5 != 0o5:
            d.chmod(0o755)


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
