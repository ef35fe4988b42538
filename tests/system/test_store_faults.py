"""What happens to the store must not happen to the traffic: killed writers, a full disk, damaged files.

Through the front door: lbctl as built, lbd-proxy serving a client all the time."""
import contextlib
import json
import os
import pathlib
import random
import subprocess
import time

import pytest
from lbdtest import BIN, Lbd, Origin, get, wait_until


@pytest.fixture()
def farm(tmp_path):
    """One service that answers; yields (lbd, vip)."""
    with Origin("a") as a:
        lb = Lbd(tmp_path / "r", "lbd-proxy")
        vip = lb.vip("web", a, mode="http")
        lb.start()
        assert get(vip).server == "a"
        yield lb, vip
        assert get(vip).server == "a"
        lb.stop()


def state(lb):
    return lb.root / "var/lib/lbd"


def services(names, comment):
    return "vip:\n" + "".join(f"  {n}: {{address: 198.51.100.{i + 1}, ports: 80, comment: {comment}, "
                              f"rips: {{a: {{address: 10.0.0.1}}, b: {{address: 10.0.0.2}}}}}}\n"
                              for i, n in enumerate(names))


def test_lbctl_killed_in_the_middle_leaves_old_or_new(farm):
    """reliability.md 4: killed at any instant, the store holds the old or the new configuration, never a mix."""
    lb, vip = farm
    names = [f"s{i}" for i in range(200)]
    files = {}
    for word in ("old", "new"):
        files[word] = lb.root / f"{word}.yaml"
        files[word].write_text(services(names, word))
        lb.ctl("apply", "-f", files[word])
    began = time.monotonic()
    lb.ctl("apply", "-f", files["old"])
    whole = time.monotonic() - began
    rnd = random.Random(7)
    now, seen = "old", {"killed": 0, "old": 0, "new": 0}
    for _ in range(40):
        word = "new" if now == "old" else "old"
        p = subprocess.Popen([BIN / "lbctl", "--root", lb.root, "apply", "-f", files[word]], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        time.sleep(rnd.uniform(0, whole * 1.1))
        if p.poll() is None:
            seen["killed"] += 1
            whole *= 1.1  # how long it takes now, whatever the machine does beside
        else:
            whole *= 0.9
        p.kill()
        p.wait()
        comments = {v["comment"] for v in lb.json("get", "vip") if v["name"] != "web"}
        assert len(comments) == 1, f"a mix: {comments}"
        now = comments.pop()
        seen[now] += 1
    assert seen["killed"] > 10 and seen["old"] > 0 and seen["new"] > 0, seen
    # The daemons end with what the store says, even when nobody lived to tell them.
    def status():
        return json.loads(lb.ctl("status", "-o", "json", check=False).stdout)  # 1: not everything is green
    head = status()["revision"]
    wait_until(lambda: any(d["name"] == "lbd-proxy" and d.get("revision") == head for d in status()["daemons"]),
               what="lbd-proxy at the store's revision")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small file system")
def test_full_disk_refuses_the_change_and_serves_on(tmp_path):
    """A full disk: one clear error that names the file; nothing is half-applied; traffic goes on; then all is well."""
    disk = tmp_path / "r/var/lib/lbd"
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "lbd-test", disk], check=True)
    try:
        with Origin("a") as a:
            lb = Lbd(tmp_path / "r", "lbd-proxy")
            vip = lb.vip("web", a, mode="http")
            lb.start()
            before = lb.ctl("export").stdout
            ballast = disk / "ballast"
            fd = os.open(ballast, os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while True:
                    os.write(fd, b"x" * 4096)
            os.close(fd)
            big = tmp_path / "big.yaml"
            big.write_text(services([f"s{i}" for i in range(150)], "z" * 150))
            r = lb.ctl("apply", "-f", big, check=False)
            assert r.returncode == 1, r
            assert "config.db" in r.stderr and "full" in r.stderr, r.stderr
            assert len(r.stderr.strip().splitlines()) == 1, r.stderr
            assert get(vip).server == "a"
            assert lb.ctl("export").stdout == before
            ballast.unlink()
            lb.ctl("set", "vip", "web", "comment=again")
            assert get(vip).server == "a"
            lb.stop()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def damage(path):
    """The middle of every page after the first is overwritten: a failing disk, not a missing file."""
    size = path.stat().st_size
    with open(path, "r+b") as f:
        for at in range(4096 + 100, size, 4096):
            f.seek(at)
            f.write(os.urandom(2000))
    for tail in ("-wal", "-shm"):
        extra = pathlib.Path(str(path) + tail)
        if extra.exists():
            extra.unlink()


@pytest.mark.parametrize("how", ["damaged", "empty", "truncated", "not a database"])
def test_damaged_store_is_named_served_on_and_restored(farm, how):
    """A damaged config.db: lbctl names the file and the way back; lbd-proxy serves the last good state; the way works."""
    lb, vip = farm
    for i in range(25):  # enough revisions for a good copy to have been made
        lb.ctl("set", "vip", "web", f"comment=c{i}")
    path = state(lb) / "config.db"
    if how == "damaged":
        damage(path)
    else:
        content = {"empty": b"", "truncated": path.read_bytes()[:5000], "not a database": b"hello " * 3000}[how]
        path.write_bytes(content)
        for tail in ("-wal", "-shm"):
            pathlib.Path(str(path) + tail).unlink(missing_ok=True)
    r = lb.ctl("set", "vip", "web", "comment=more", check=False)
    assert r.returncode == 1, r
    assert str(path) in r.stderr and "lbctl config restore" in r.stderr, r.stderr
    time.sleep(1.5)  # longer than the daemon's poll: it has looked at the file
    assert get(vip).server == "a"
    assert lb.process["lbd-proxy"].poll() is None
    # A daemon that starts now has nothing to serve from, says so and waits.
    lb.kill("lbd-proxy")
    with open(lb.log, "ab") as log:
        p = subprocess.Popen([BIN / "lbd-proxy", "-f", "--root", lb.root], stderr=log, stdout=log)
    try:
        wait_until(lambda: "config.db" in lb.text().split("ended")[-1], what="the fault in the log")
        assert p.poll() is None
        r = lb.ctl("config", "restore", "-y")
        wait_until(lambda: _answers(vip), timeout=15, what="service after the restore")
        lb.ctl("set", "vip", "web", "comment=again")
        assert lb.json("get", "vip", "web")[0]["comment"] == "again"
    finally:
        p.terminate()
        p.wait(20)
        lb.start("lbd-proxy")


def _answers(vip):
    try:
        return get(vip).server == "a"
    except OSError:
        return False


def test_missing_store_is_waited_for(tmp_path):
    """A daemon that is started before there is a configuration waits for it, and has it when it comes."""
    with Origin("a") as a:
        lb = Lbd(tmp_path / "r", "lbd-proxy").start()
        vip = lb.vip("web", a, mode="http", wait=False)
        wait_until(lambda: _answers(vip), what="service of a store that came later")
        lb.stop()
