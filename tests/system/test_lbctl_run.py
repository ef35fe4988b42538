"""lbctl run: the daemons in the foreground where there is no systemd. Killed ones come back, all end in order, nothing
stays behind; as root on the machine's own folders each daemon has its own user and only its capabilities."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from lbdtest import BIN, SLOW, Lbd, Origin, alive, children, free_port, listens, wait_until

DAEMONS = ("lbd-check", "lbd-proxy", "lbd-ipvs", "lbd-ha", "lbd-web")


def programs(parent):
    """(process, name) of the children that run; one may end while we look."""
    found = []
    for pid in children(parent):
        with contextlib.suppress(OSError):
            if alive(pid):
                found.append((pid, pathlib.Path(f"/proc/{pid}/comm").read_text().strip()))
    return found


class Run:
    """lbctl run on a root folder of its own."""

    def __init__(self, lb, *args, bin=BIN):
        self.lb, self.out = lb, lb.root / "run.log"
        with open(self.out, "ab") as log:
            self.p = subprocess.Popen([bin / "lbctl", "--root", lb.root, "run", *args], stdout=log, stderr=log,
                                      stdin=subprocess.DEVNULL, start_new_session=True)

    def text(self):
        return self.out.read_text(errors="replace")

    def pids(self):
        """Daemon -> process id, as the kernel has it."""
        return {name: pid for pid, name in programs(self.p.pid)}

    def up(self):
        return all(d["running"] for d in self.lb.json("version") if "running" in d) and \
            {v["name"] for v in self.lb.json("version") if v["version"]} >= set(DAEMONS)

    def stop(self):
        if self.p.poll() is None:
            self.p.terminate()
            self.p.wait(60 * SLOW)


@pytest.fixture()
def lb(tmp_path):
    lb = Lbd(tmp_path / "r")
    lb.ctl("set", "setting", f"https_port={free_port()}", f"http_port={free_port()}")
    return lb


def test_keeps_running_what_is_killed(lb, closing):
    """A daemon that is killed is back in a moment, the others are not touched; SIGTERM ends all in order."""
    a = closing(Origin("a"))
    vip = lb.vip("web", a, wait=False, mode="http")
    run = closing(Run(lb))
    wait_until(run.up, 20, "all daemons")
    lb.ctl("wait", "vip/web", "up", "--timeout", "20s")
    before = run.pids()
    assert set(before) == set(DAEMONS)
    for name in ("lbd-check", "lbd-proxy"):
        os.kill(before[name], signal.SIGKILL)
        wait_until(lambda: run.pids().get(name) not in (None, before[name]), 5, f"{name} again")
        assert f"{name}: ended by signal 9; again in 200ms" in run.text()
    wait_until(run.up, 20, "all daemons again")
    assert run.pids()["lbd-ha"] == before["lbd-ha"]
    lb.ctl("wait", "vip/web", "up", "--timeout", "20s")
    with vip.connect():
        pass
    held = subprocess.run(["ip", "-o", "addr", "show", "to", vip.address], capture_output=True, text=True).stdout
    pids = run.pids()
    run.p.send_signal(signal.SIGTERM)
    assert run.p.wait(60 * SLOW) == 0
    assert not any(alive(p) for p in pids.values())
    gone = subprocess.run(["ip", "-o", "addr", "show", "to", vip.address], capture_output=True, text=True).stdout
    assert vip.address in held and vip.address not in gone, gone


def test_follows_an_upgrade(lb, closing):
    """A061: after lbctl upgrade the new lbd-proxy is the one that is kept running, while the old one has connections and after."""
    def main():
        return next(r.get("pid") for r in json.loads(lb.ctl("status", "-o", "json", check=False).stdout)["daemons"]
                    if r["name"] == "lbd-proxy")

    def proxies():
        return [p for p, name in programs(run.p.pid) if name == "lbd-proxy"]
    vip = lb.vip("web", closing(Origin("a", lambda c, o: c.recv(1))), wait=False, mode="tcp")
    run = closing(Run(lb))
    wait_until(run.up, 20, "all daemons")
    wait_until(lambda: listens(vip.address, vip.port), 10, "it listens")
    held, first = vip.connect(), main()
    lb.ctl("upgrade")
    second = main()
    assert set(proxies()) == {first, second}
    held.close()
    wait_until(lambda: proxies() == [second], 10, "the first one has finished")
    wait_until(lambda: f"lbd-proxy: pid {second} goes on" in run.text(), 10, "it is followed")
    held = vip.connect()
    lb.ctl("upgrade")
    third = main()
    os.kill(third, signal.SIGKILL)  # while the second one has a connection
    wait_until(lambda: set(proxies()) - {second, third}, 10, "another one")
    wait_until(lambda: main() not in (None, second, third), 10, "it serves")
    held.close()
    wait_until(lambda: proxies() == [main()], 10, "the second one has finished")
    run.stop()
    assert run.p.returncode == 0 and not proxies()


def test_one_that_ends_on_purpose_stays_down(lb, closing):
    """Exit 0 is on purpose: not started again, and said."""
    run = closing(Run(lb))
    wait_until(run.up, 20, "all daemons")
    pid = run.pids()["lbd-check"]
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: "lbd-check: ended with 0; not started again" in run.text(), 20)
    assert set(run.pids()) == set(DAEMONS) - {"lbd-check"} and run.p.poll() is None


def test_backoff_grows(lb, closing, tmp_path):
    """One that cannot live is started again at 200, 400, 800 ms ...; one with a bad configuration is left alone."""
    bin = tmp_path / "bin"
    bin.mkdir()
    shutil.copy(BIN / "lbctl", bin)
    for name in DAEMONS:
        code = {"lbd-check": 75, "lbd-proxy": 78}.get(name, 0)
        (bin / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (bin / name).chmod(0o755)
    run = closing(Run(lb, bin=bin))
    wait_until(lambda: "again in 1.6s" in run.text(), 10, "the fourth wait")
    assert re.findall(r"lbd-check: ended with 75; again in (\S+)", run.text())[:4] == ["200ms", "400ms", "800ms", "1.6s"]
    assert "lbd-proxy: ended with 78; not started again" in run.text()


def test_nothing_left_to_run_is_a_failure(lb, closing, tmp_path):
    bin = tmp_path / "bin"
    bin.mkdir()
    shutil.copy(BIN / "lbctl", bin)
    for name in DAEMONS:
        (bin / name).write_text("#!/bin/sh\nexit 78\n")
        (bin / name).chmod(0o755)
    run = closing(Run(lb, bin=bin))
    assert run.p.wait(20 * SLOW) == 1
    assert "no daemon could be kept running" in run.text()


def test_for_ends_by_itself(lb, closing):
    start = time.monotonic()
    run = closing(Run(lb, "--for", "1s"))
    assert run.p.wait(60 * SLOW) == 0
    assert time.monotonic() - start >= 1
    assert "without users of their own" in run.text()


def test_supervisor_that_dies_leaves_no_daemon(lb, closing):
    run = closing(Run(lb))
    wait_until(run.up, 20, "all daemons")
    pids = run.pids()
    run.p.kill()
    run.p.wait(10)
    wait_until(lambda: not any(alive(p) for p in pids.values()), 40, "the daemons to end")


OWN = """
set -e
mount --make-rprivate /
cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache "$1"
mount -t tmpfs tmpfs /etc
cp "$1"/* /etc/
for d in lbd-check:901 lbd-proxy:902 lbd-ipvs:903 lbd-ha:904 lbd-web:905; do
    echo "${d%:*}:x:${d#*:}:900::/nonexistent:/usr/sbin/nologin" >>/etc/passwd
done
printf 'lbd:x:900:\\nlbd-admin:x:906:lbd-ha,lbd-web\\n' >>/etc/group
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /run
ip link set lo up
exec "$2/lbctl" run
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces and users")
def test_own_users_and_capabilities(tmp_path, closing):
    """As root on the machine's own folders: each daemon as its own user, with what its unit allows and no more."""
    copies = tmp_path / "etc"
    copies.mkdir()
    for p in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(p, 0o755)
    bin = pathlib.Path(shutil.copytree(BIN, tmp_path / "bin", ignore=lambda d, n: [x for x in n if not x.startswith("lb")]))
    log = open(tmp_path / "log", "w+", encoding="utf-8")
    p = subprocess.Popen(["unshare", "-m", "-n", "sh", "-c", OWN, "sh", copies, bin], stdout=log, stderr=log,
                         stdin=subprocess.DEVNULL, start_new_session=True)

    def status(pid):
        return dict(x.split(":\t", 1) for x in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in x)
    try:
        def changed():
            with contextlib.suppress(OSError):
                return {n for c, n in programs(p.pid) if n.startswith("lbd-") and status(c)["Uid"].split()[0] != "0"}
        wait_until(lambda: changed() == set(DAEMONS), 20, "the daemons with users of their own")
        uids = {"lbd-check": 901, "lbd-proxy": 902, "lbd-ipvs": 903, "lbd-ha": 904, "lbd-web": 905}
        admin, raw = 1 << 12, 1 << 13
        caps = {"lbd-check": raw, "lbd-proxy": 1 << 10 | raw, "lbd-ipvs": admin | raw, "lbd-ha": admin | raw,
                "lbd-web": 0}
        for pid, name in programs(p.pid):
            s = status(pid)
            assert s["Uid"].split() == [str(uids[name])] * 4 and s["Gid"].split() == ["900"] * 4, name
            assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == int(s["CapBnd"], 16) == caps[name], name
            assert s["NoNewPrivs"].strip() == "1"
            assert set(s["Groups"].split()) == ({"900", "906"} if name in ("lbd-ha", "lbd-web") else {"900"}), name
        enter = ["nsenter", "-t", str(p.pid), "-m", "-n", bin / "lbctl"]

        def ready():
            r = subprocess.run([*enter, "version", "-o", "csv"], capture_output=True, text=True)
            return r.returncode == 0 and "does not run" not in r.stdout
        wait_until(ready, 20, "answers")
        r = subprocess.run([*enter, "create", "vip", "web", "address=127.0.0.9", "ports=80", "-v"], capture_output=True, text=True)
        assert r.returncode == 0 and "lbd-proxy: in force" in r.stderr, r
    finally:
        p.terminate()
        p.wait(60 * SLOW)
        log.seek(0)
        text = log.read()
        log.close()
    assert p.returncode == 0, text


def test_told_to_end_many_times(tmp_path, closing):
    """A daemon that ends is told so again all the while: it ends well, not by the signal."""
    for i in range(10):
        lb = closing(Lbd(tmp_path / str(i)))
        lb.start("lbd-check")
        p = lb.process.pop("lbd-check")
        while p.poll() is None:
            p.terminate()
        assert p.returncode == 0, lb.text()
