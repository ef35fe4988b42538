"""S020: which version runs, and whether a newer one could be had."""
import os
import pathlib
import subprocess

import pytest

from lbdtest import BIN, Lbd

APT = pathlib.Path("/usr/bin/apt-cache")
POLICY = """#!/bin/sh
test "$*" = "policy lbd" && test "$LC_ALL" = C && test -z "$HOME" || exit 9
cat <<END
lbd:
  Installed: 0.1.0-1
  Candidate: {}
  Version table:
END
"""


@pytest.fixture()
def lb(tmp_path):
    return Lbd(tmp_path / "r")


def test_against_a_version_that_is_said(lb):
    """S020: lbctl version --check VERSION; exit 1 only when VERSION is newer."""
    mine = {v["name"]: v for v in lb.json("version")}["lbctl"]["version"]
    major = int(mine.split(".")[0])
    for other, result, code in ((mine, "same", 0), (f"{major + 1}.0.0", "newer", 1), (f"{major + 1}.0.0-rc.1", "newer", 1),
                                (f"{mine}-rc.1", "older", 0), (f"{mine}+build.7", "same", 0), ("0.0.1", "older", 0)):
        r = lb.ctl("version", "--check", other, "-o", "csv", "--columns", "version,candidate,result", check=False)
        assert (r.returncode, r.stdout.splitlines()[1]) == (code, f"{mine},{other},{result}"), r
    for words in (("--check", "0.2"), ("--check", "new"), ("0.2.0",)):
        r = lb.ctl("version", *words, check=False)
        assert r.returncode == 2 and r.stderr.startswith("lbctl: version: ") and not r.stdout, r


@pytest.mark.skipif(os.geteuid() != 0 or not APT.exists(), reason="needs root, to put a package manager of its own in place")
@pytest.mark.parametrize("text, code, result, note", [
    (POLICY.format("99.0.0-1"), 1, "99.0.0,newer", "newer"),
    (POLICY.format("1:99.0.0~rc1-1~deb12u1"), 1, "99.0.0-rc1,newer", "newer"),
    (POLICY.format("0.0.1-1"), 0, "0.0.1,older", "older"),
    (POLICY.format("(none)"), 0, ",unknown", "knows no package lbd"),
    (POLICY.format("2026a"), 0, ",unknown", '2026a'),
    ("#!/bin/sh\n", 0, ",unknown", "knows no package lbd"),
    ("#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x\n", 0, ",unknown", "knows no package lbd"),
    ("#!/nowhere\n", 0, ",unknown", "no package manager"),
])
def test_against_the_package_manager(lb, tmp_path, text, code, result, note):
    """S020: lbctl version --check asks the package manager; that it is away or knows nothing is said and is no fault."""
    fake = tmp_path / "apt-cache"
    fake.write_text(text)
    fake.chmod(0o755)
    r = subprocess.run(["unshare", "-m", "sh", "-c", 'mount --bind "$1" "$2" && shift 2 && exec "$@"', "sh", fake, APT,
                        BIN / "lbctl", "--root", lb.root, "version", "--check", "-o", "csv", "--columns",
                        "candidate,result,note"], capture_output=True, text=True, timeout=60)
    row = r.stdout.splitlines()[1]
    assert r.returncode == code and row.startswith(result) and note in row and not r.stderr, r
