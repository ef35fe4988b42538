"""Fixtures of the tests with a real IPVS; what they share with the system tests is imported from there."""
import importlib.util
import os
import pathlib
import sys

import pytest

SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"
sys.path.insert(0, str(SYSTEM))
sys.dont_write_bytecode = True
_spec = importlib.util.spec_from_file_location("system_conftest", SYSTEM / "conftest.py")
_system = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_system)
closing, origins = _system.closing, _system.origins


def pytest_configure(config):
    if not os.path.exists("/proc/net/ip_vs") or os.geteuid() != 0:
        pytest.exit("no IPVS here: tests/kernel/run -- /usr/bin/python3 -m pytest ..., or make check-kernel", 2)


@pytest.fixture()
def lab(closing):
    """lab(servers=3, arms=1, ...): lab.Lab, removed at the end of the test."""
    from lab import Lab
    return lambda *a, **kw: closing(Lab(*a, **kw))
