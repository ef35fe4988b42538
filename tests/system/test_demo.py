"""make demo, the first thing that a person types (S002, S018, S200: no request fails)."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def addresses():
    """All addresses of this machine, as a set of lines."""
    return set(subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout.splitlines())


def test_demo_once_fails_no_request_and_leaves_nothing():
    """S199, S200: a killed and a drained server cost no request; no process, address or folder is left."""
    before = addresses()
    r = subprocess.run([sys.executable, ROOT / "packaging/demo.py", "--once"], capture_output=True, text=True,
                       timeout=180, env=dict(os.environ, TMPDIR=os.environ.get("TMPDIR", "/tmp")))
    assert r.returncode == 0, r.stdout + r.stderr
    assert "failed: 0\n" in r.stdout
    assert re.search(r"web1: \d+ requests, now down", r.stdout)
    assert re.search(r"web2: \d+ requests, now drain", r.stdout)
    assert not addresses() - before
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "lbd-demo." not in left
