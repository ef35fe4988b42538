"""lbctl with daemons that run: how things stand, orders that take effect, waiting, trials, connections, events."""
import json
import signal
import socket
import subprocess
import threading
import time

import pytest

from lbdtest import ADDRESS, BIN, SLOW, Lbd, Origin, Reader, free_port, wait_until


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """All daemons, with one service of two servers that are up."""
    lb = Lbd(tmp_path_factory.mktemp("lbctl"), "lbd-check", "lbd-proxy", "lbd-ipvs", "lbd-ha", "lbd-web")
    lb.ctl("set", "setting", f"https_port={free_port()}", f"http_port={free_port()}")
    lb.ctl("create", "check", "fast", "interval=200ms", "timeout=150ms", "fall=2", "rise=1")
    a, b = Origin("a"), Origin("b")
    vip = lb.vip("web", a, b, wait=False, mode="http", check="fast")
    lb.start()
    lb.ctl("wait", "vip/web", "up", "--timeout", "20s")
    lb.vip_web, lb.a, lb.b = vip, a, b
    yield lb
    lb.stop()
    a.close()
    b.close()


@pytest.fixture()
def c(node):
    """The node, with the service as it was at the beginning."""
    yield node
    node.ctl("online", "web/*")
    node.ctl("weight", "web/*", "default")
    node.ctl("wait", "vip/web", "up", "--timeout", "20s")


def fails(lb, code, *args, says=""):
    r = lb.ctl(*args, check=False)
    assert r.returncode == code and says in r.stderr, r
    return r


def slow_client(vip):
    """A connection whose answer is under way until it is closed."""
    s = vip.connect()
    s.sendall(b"GET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
    return s


def held(lb):
    """The origins answer /hold only when told; returns the event."""
    go = threading.Event()

    def answer(request):
        if request["target"] == "/hold":
            go.wait(30)
        return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    lb.a.answer = lb.b.answer = answer
    return go


def test_status_is_green(c):
    """status: one screen, exit 0 when all is green."""
    wait_until(lambda: c.ctl("status", check=False).returncode == 0, what="green")
    r = c.ctl("status")
    assert r.stdout.startswith("All is green.") and "2 up" in r.stdout and "1 of 1 floating" in r.stdout
    s = c.json("status")
    assert s["green"] and s["role"]["active"] and s["servers"]["up"] == 2
    assert {d["name"] for d in s["daemons"] if d["running"]} == \
        {"lbd-check", "lbd-proxy", "lbd-ipvs", "lbd-ha", "lbd-web"}
    assert c.ctl("doctor", check=False).stdout.count("wrong") == 0


def test_status_of_a_failure(c):
    """S184, S187, A124: a failed server is down with its reason, the service is degraded, status exits 1."""
    port = c.b.port
    c.b.close()
    try:
        c.ctl("wait", "rip/web/b", "down", "--timeout", "10s")
        rip = c.json("get", "rip", "web/b")[0]["status"]
        assert rip["colour"] == "red" and rip["check"]["reason"] == "connection refused" and "refused" in rip["check"]["text"]
        assert c.json("get", "vip", "web")[0]["status"]["word"] == "Degraded"
        assert c.ctl("status", check=False).returncode == 1
        assert "refused" in c.ctl("describe", "rip", "web/b").stdout
        fails(c, 8, "wait", "vip/web", "up", "--timeout", "300ms", says="Degraded")
        r = fails(c, 1, "check", "run", "web/b")
        assert "refused" in r.stdout + r.stderr
    finally:
        c.b = Origin("b", port=port)


def test_status_near_the_limit(c):
    """S207: from four fifths of the connections that lbd-proxy may have on, status says so; at the limit new clients wait."""
    vip = c.vip_web
    c.ctl("set", "setting", "proxy_conns=100")
    held = []
    try:
        held += [vip.connect() for _ in range(75)]
        wait_until(lambda: c.json("status")["proxied"] == 75, what="75 connections")
        assert c.json("status")["proxied_most"] == 100 and "proxy_conns" not in c.ctl("status").stdout
        held += [vip.connect() for _ in range(30)]
        wait_until(lambda: "notes      lbd-proxy: 100 of 100 connections" in c.ctl("status", check=False).stdout, what="the note")
        assert c.ctl("status", check=False).returncode == 1
        held[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for s in held[:-5]:
            s.close()
        assert held[-1].recv(100).startswith(b"HTTP/1.1 200 ")
    finally:
        for s in held:
            s.close()
        c.ctl("unset", "setting", "proxy_conns")


def test_json_is_the_body_of_the_api(c):
    """The API and lbctl print the same row: fields and status object."""
    password = (c.root / "var/lib/lbd/initial-password").read_text().split()[-1]
    token = c.ctl("token", "create", "t", "--role", "admin").stdout.strip()
    try:
        https = c.json("get", "setting")[0]["https_port"]
        def api(path):
            r = subprocess.run(["curl", "-sk", "--fail-with-body", "-H", f"Authorization: Bearer {token}",
                                f"https://127.0.0.1:{https}/api/v1/{path}"], capture_output=True, text=True)
            return json.loads(r.stdout)
        wait_until(lambda: api("vips/web").get("name") == "web", what="the API")
        assert password

        def plain(row):
            row["status"].pop("counters")
            row["status"].get("check", {}).update(at=None, probes=None, latency_us=None, text=None)
            return row
        mine, theirs = c.json("describe", "vip", "web"), api("vips/web")
        assert plain(mine) == plain(theirs) and list(mine) == list(theirs)
        assert plain(c.json("get", "rip", "web/a")[0]) == plain(api("vips/web/rips/a"))
    finally:
        c.ctl("token", "revoke", "t", "-y")


def test_drain_waits_for_the_last_connection(c):
    """S190, S193: drain gives no new clients; --wait comes back when no connection is left, then it is safe."""
    go = held(c)
    clients = [slow_client(c.vip_web) for _ in range(4)]
    wait_until(lambda: all(r["status"]["counters"]["connections"] >= 1 for r in c.json("get", "rip", "web/")), what="load on both")
    p = subprocess.Popen([BIN / "lbctl", "--root", c.root, "drain", "web/a", "--wait", "-m", "disk"],
                         stderr=subprocess.PIPE, text=True)
    wait_until(lambda: c.json("get", "rip", "web/a")[0]["status"]["state"] == "drain", what="drain")
    assert p.poll() is None
    assert c.json("get", "rip", "web/a")[0]["status"]["safe_to_power_off"] is False
    go.set()
    assert p.wait(20 * SLOW) == 0, p.stderr.read()
    p.stderr.close()
    assert c.json("get", "rip", "web/a")[0]["status"]["safe_to_power_off"] is True
    assert "safe to power off" in c.ctl("describe", "rip", "web/a").stdout
    for s in clients:
        s.close()


def test_drain_timeout_cuts(c):
    """S191: when the drain's time has passed the connections that are left are cut."""
    go = held(c)
    clients = [slow_client(c.vip_web) for _ in range(4)]
    try:
        wait_until(lambda: all(r["status"]["counters"]["connections"] >= 1 for r in c.json("get", "rip", "web/")), what="load")
        start = time.monotonic()
        c.ctl("drain", "web/a", "--timeout", "1s", "--wait")
        assert time.monotonic() - start < 10 * SLOW
        assert c.json("get", "rip", "web/a")[0]["status"]["counters"]["connections"] == 0
    finally:
        go.set()
        for s in clients:
            s.close()


def test_wait_forms(c):
    c.ctl("wait", "rip/web/*", "up", "--timeout", "5s")
    c.ctl("wait", "daemon/lbd-proxy", "up", "--timeout", "5s")
    head = c.json("status")["revision"]
    c.ctl("wait", f"revision/{head}", "applied", "--timeout", "5s")
    fails(c, 8, "wait", f"revision/{head + 1}", "applied", "--timeout", "200ms", says="in force")
    fails(c, 3, "wait", "daemon/lbd-nix", "up")
    fails(c, 3, "wait", "vip/nix", "up", "--timeout", "1s")
    c.ctl("halt", "web/*", "--wait", "--timeout", "5s")
    c.ctl("wait", "vip/web", "offline", "--timeout", "5s")
    c.ctl("wait", "rip/web/a", "idle", "--timeout", "5s")
    c.ctl("online", "web/*", "--wait", "--timeout", "10s")


def test_weight_takes_effect(c):
    c.ctl("set", "vip", "web", "scheduler=wrr")
    held(c).set()
    c.ctl("weight", "web/a", "0")
    before = c.json("get", "rip", "web/a")[0]["status"]["counters"]["requests_total"]
    for _ in range(10):
        with c.vip_web.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            Reader(s).rest()
    rip = c.json("get", "rip", "web/a")[0]
    assert rip["status"]["counters"]["requests_total"] == before and rip["weight"] == 100 and rip["status"]["weight"] == 0


def test_confirm_and_undo(c):
    """commit --confirm: kept by confirm, undone by time (exit 9 is for a late confirm), by rollback at once."""
    retries = lambda: c.json("get", "vip", "web")[0]["retries"]
    r = c.ctl("set", "vip", "web", "retries=1", "--confirm", "1m")
    assert "reverts to" in r.stderr and "lbctl confirm" in r.stderr
    assert "trial" in c.ctl("status", check=False).stdout
    fails(c, 4, "set", "vip", "web", "retries=2", says="confirm")
    c.ctl("confirm")
    assert retries() == 1
    fails(c, 3, "confirm")
    c.ctl("set", "vip", "web", "retries=5", "--confirm", "1m")
    c.ctl("rollback")
    assert retries() == 1
    c.ctl("set", "vip", "web", "retries=7", "--confirm", "10s")
    assert retries() == 7
    wait_until(lambda: retries() == 1, timeout=20, what="the trial to be undone")
    t = c.ctl("tx", "begin").stdout.strip()
    c.ctl("--tx", t, "set", "vip", "web", "retries=6")
    c.ctl("tx", "commit", t, "--confirm", "1m")
    c.ctl("confirm")
    assert retries() == 6


def test_late_confirm_is_exit_9(c):
    """A trial whose time has passed while lbd-ha was away is not kept: exit 9."""
    c.ctl("set", "vip", "web", "retries=4", "--confirm", "10s")
    c.kill("lbd-ha")
    try:
        time.sleep(10.2)  # the trial's shortest time
        fails(c, 9, "confirm", says="not confirmed in time")
    finally:
        c.start("lbd-ha")
    wait_until(lambda: c.json("get", "vip", "web")[0]["retries"] != 4, what="the trial to be undone")


def test_refusal_is_reported(c):
    """A revision that a daemon does not have in force: committed, said, exit 1."""
    blocker = socket.socket()
    port = free_port()
    blocker.bind((ADDRESS, port))  # without SO_REUSEPORT: lbd-proxy cannot listen
    blocker.listen()
    try:
        r = c.ctl("create", "vip", "busy", f"address={ADDRESS}", f"ports={port}", check=False)
        assert r.returncode == 1 and "committed, but lbd-proxy does not have it in force" in r.stderr, r
        assert str(port) in r.stderr or "busy" in r.stderr
    finally:
        blocker.close()
        c.ctl("delete", "vip", "busy", "-y", check=False)


def test_conns_stats_persist_flush(c):
    go = held(c)
    client = slow_client(c.vip_web)
    try:
        me = "%s:%d" % client.getsockname()
        row = wait_until(lambda: [r for r in c.json("conns", "web") if r["client"] == me], what="the connection")[0]
        assert row["vip"] == "web"
        assert c.json("conns", "web", "--client", "203.0.113.9") == []
        assert len(c.json("conns", "--client", client.getsockname()[0])) >= 1
    finally:
        go.set()
        client.close()
    assert c.json("stats", "web")[0]["conns_total"] >= 1
    c.ctl("flush", "stats", "web")
    assert wait_until(lambda: c.json("stats", "web")[0]["conns_total"] == 0, what="zero")
    c.ctl("set", "vip", "web", "persistence=source")
    with c.vip_web.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        Reader(s).rest()
    rows = wait_until(lambda: c.json("persist", "list", "web"), what="the entry")
    assert rows[0]["rip"].startswith("web/") and rows[0]["left"] > 0
    c.ctl("persist", "clear", "web", "--client", rows[0]["client"])
    assert c.json("persist", "list", "web") == []
    c.ctl("unset", "vip", "web", "persistence")
    assert c.ctl("stats", "web", "--window", "1h", "-o", "csv").stdout.startswith("name,time,conns")


def test_check_run_shows_steps(c):
    """check run: every step with its time."""
    steps = c.json("check", "run", "web/a")
    assert len(steps) >= 2 and steps[0]["at_us"] <= steps[-1]["at_us"] and "connect" in steps[0]["step"]


def test_events(c):
    c.ctl("drain", "web/a", "-m", "because")
    rows = wait_until(lambda: [e for e in c.json("events", "-l", "rip=web/a") if e["to"] == "drain"], what="the event")
    assert "because" in rows[-1]["reason"] and all(e["name"] == "web/a" for e in c.json("events", "-l", "rip=web/a"))
    p = subprocess.Popen([BIN / "lbctl", "--root", c.root, "events", "-f", "-l", "vip=web", "-o", "json"],
                         stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        c.ctl("online", "web/a")
        for line in p.stdout:
            if json.loads(line)["to"] == "online":
                break
    finally:
        p.terminate()
        p.wait(10)
        p.stdout.close()
    assert "drain" in c.ctl("describe", "rip", "web/a").stdout


def test_watch_appends_what_changes(c):
    """-w in a pipe: all rows once, then those that change, as soon as they change; top -b prints whole screens."""
    p = subprocess.Popen([BIN / "lbctl", "--root", c.root, "get", "rip", "web/", "-w", "--timeout", "20s",
                          "--columns", "name,status"], stdout=subprocess.PIPE, text=True)
    try:
        lines = [p.stdout.readline().split() for _ in range(3)]
        assert lines == [["NAME", "STATUS"], ["web/a", "up"], ["web/b", "up"]]
        c.ctl("halt", "web/b")
        assert p.stdout.readline().split() == ["web/b", "halt"]
    finally:
        p.terminate()
        p.wait(10)
        p.stdout.close()
    top = c.ctl("top", "rip", "-b", "-n", "2", "--interval", "200ms").stdout
    assert top.count("web/a") == 2 and top.count("connections") == 2
    assert len(c.ctl("get", "vip", "-w", "--timeout", "300ms", "-o", "json").stdout.splitlines()) >= 1


def test_ha_fip_version(c):
    assert c.ctl("ha", "status").stdout.startswith("Master | Active | ")
    row = c.json("fip", "list")[0]
    assert row["status"] == "held" and row["services"] == 1 and row["name"].startswith(ADDRESS)
    assert c.json("ha", "status")["state"] == "active"
    assert {v["name"]: v for v in c.json("version")}["lbd-proxy"]["revision"] >= 2


def test_a_daemon_that_hangs_is_named(c):
    """Nobody waits for a daemon that does not answer: its part is unknown, the rest is shown."""
    p = c.process["lbd-check"]
    p.send_signal(signal.SIGSTOP)
    try:
        start = time.monotonic()
        assert c.json("get", "vip", "web")[0]["status"]["colour"] == "grey"
        assert time.monotonic() - start < 15 * SLOW
        assert "lbd-check  does not answer" in c.ctl("status", check=False).stdout
    finally:
        p.send_signal(signal.SIGCONT)


def test_away_daemons_do_not_hinder_changes(c):
    """Configuration works while a daemon is away; it has the revision when it is back."""
    c.kill("lbd-check")
    try:
        c.ctl("set", "vip", "web", "queue_max=77")
        assert c.json("get", "vip", "web")[0]["status"]["colour"] == "grey"
        fails(c, 6, "check", "run", "web/a", says="lbd-check")
    finally:
        c.start("lbd-check")
    c.ctl("wait", "vip/web", "up", "--timeout", "20s")
    head = c.json("status")["revision"]
    c.ctl("wait", f"revision/{head}", "applied", "--timeout", "10s")
