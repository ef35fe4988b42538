"""make install and make uninstall, into a folder."""
import pathlib
import re
import subprocess

from lbdtest import BIN, ROOT

OURS = ["lbd-check", "lbd-ha", "lbd-ipvs", "lbd-proxy", "lbd-web", "lbd-witness"]


def make(target, folder):
    r = subprocess.run(["make", "-C", ROOT, f"BUILD={BIN.parent}", target, f"DESTDIR={folder}"], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()}


def test_install_and_uninstall(tmp_path):
    """S001: every program, unit and page is put where a Debian machine looks for it; uninstall takes that away, and only that."""
    make("install", tmp_path)
    there = files(tmp_path)
    assert {f"usr/sbin/{x}" for x in OURS} | {"usr/bin/lbctl"} <= there
    assert {f"usr/share/man/man8/{x}.8" for x in OURS} | {f"usr/share/man/{x}" for x in ("man1/lbctl.1", "man5/lbd.yaml.5", "man7/lbd.7")} <= there
    assert {f"usr/lib/{x}.d/lbd.conf" for x in ("sysusers", "tmpfiles", "modules-load")} | {"lib/modprobe.d/lbd.conf"} <= there
    units = [x for x in there if x.startswith("lib/systemd/system/")]
    assert len(units) == len(list(ROOT.glob("packaging/systemd/*.service")) + list(ROOT.glob("packaging/systemd/*.target")))
    for unit in units:  # what they start is there too
        for program in re.findall(r"^Exec\w+=[-+!:@]*(/usr/s?bin/lb\S+)", tmp_path.joinpath(unit).read_text(), re.M):
            assert program[1:] in there, f"{unit}: {program}"
    make("install", tmp_path)  # again, over it
    assert files(tmp_path) == there

    others = {"usr/sbin/other", "usr/share/doc/lbd/local-notes", "lib/systemd/system/other.service", "etc/lbd/track/mine"}
    for x in others:
        p = pathlib.Path(tmp_path, x)
        p.parent.mkdir(parents=True, exist_ok=True)
        p.touch()
    make("uninstall", tmp_path)
    assert files(tmp_path) == others
    for x in others:
        tmp_path.joinpath(x).unlink()
    make("install", tmp_path)
    make("uninstall", tmp_path)
    assert {p for p in tmp_path.rglob("*")} <= {tmp_path / "etc", tmp_path / "etc/lbd", tmp_path / "etc/lbd/track"}
