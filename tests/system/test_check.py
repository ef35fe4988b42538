"""lbd-check: verdicts as its subscribers see them, probes as the servers see them."""
import collections
import re
import signal
import socket
import sqlite3
import threading
import time

import pytest

from lbdbus import DOWN, HEALTH, UNKNOWN, UP, Bus
from lbdtest import Lbd, Origin, http_answer, wait_until


class Watched:
    """lbd-check alone, and one who follows its verdicts."""

    def __init__(self, root):
        self.lb = Lbd(root, "lbd-check")
        self.ctl, self.bus, self.ids = self.lb.ctl, None, {}

    def vip(self, name="web", **fields):
        self.ctl("create", "vip", name, "address=127.0.0.2", f"ports={fields.pop('ports', 80)}",
                 *(f"{k}={v}" for k, v in fields.items()))

    def check(self, name, *fields):
        """Creates a check; its timeout is its interval unless given (it cannot be longer), at most 1 s."""
        if not any(f.startswith("timeout=") for f in fields):
            interval = next((f[9:] for f in fields if f.startswith("interval=")), "1s")
            fields += (f"timeout={interval if interval.endswith('ms') else '1s'}",)
        self.ctl("create", "check", name, *fields)

    def start(self):
        self.lb.start()
        self.follow()

    def follow(self):
        if self.bus:
            self.bus.close()
        self.bus = Bus(self.lb.root, "lbd-check")
        return self.bus.subscribe(HEALTH)

    def id(self, path):
        """Row id; remembered, so that a deleted server still has one."""
        if path not in self.ids:
            with sqlite3.connect(f"file:{self.lb.root}/var/lib/lbd/config.db?mode=ro", uri=True) as db:
                self.ids[path] = db.execute("SELECT server.id FROM server JOIN service ON server.vip = service.id "
                                            "WHERE service.name=? AND server.name=?", path.split("/")).fetchone()[0]
        return self.ids[path]

    def told(self, path):
        """All that was told of a server, oldest first."""
        n = self.id(path)
        return [m for _, name, m in self.bus.read() if name == "HEALTH" and m["server"] == n]

    def verdict(self, path):
        last = self.told(path)[-1:]
        return last[0]["verdict"] if last else None

    def until(self, path, verdict, timeout=10):
        """The row that told of the verdict, once it stands."""
        wait_until(lambda: self.verdict(path) == verdict, timeout, f"{path} is {verdict}: {self.told(path)[-3:]}")
        return self.told(path)[-1]

    def turns(self, path):
        """Every row in which the verdict differs from the one before."""
        out, last = [], None
        for m in self.told(path):
            if m["verdict"] != last:
                out.append(m)
            last = m["verdict"]
        return out

    def state(self):
        (_, m), = self.bus.ask("STATUS")[0]
        return {k: int(v) for v, k in re.findall(r"(\d+) (\w+)", m["head"])}

    def stop(self):
        if self.bus:
            self.bus.close()
        self.lb.stop()


@pytest.fixture()
def check(tmp_path, closing):
    return closing(Watched(tmp_path / "root"))


@pytest.fixture()
def origin(closing):
    """An HTTP server whose answer a test changes: origin.answer = lambda request: bytes."""
    return closing(Origin("a"))


def failing(_):
    return http_answer(b"oh no", "500 Oh")


def silent(c, _):
    """Reads, and never answers."""
    while c.recv(4096):
        pass


def says(data):
    """A server that sends these bytes and closes."""
    def handle(c, o):
        c.recv(4096)
        c.sendall(data)
    return handle


def test_http_500_is_down_after_fall_and_up_after_rise(check, origin):
    """S121, S199, A124: the third 500 takes a server out, not the second, and says so; the second 200 lets it in."""
    check.check("page", "kind=http", "path=/health", "interval=250ms", "fall=3", "rise=2", "jitter=0")
    check.vip(check="page")
    check.lb.rip("web", "a", origin.port)
    check.start()
    first = check.until("web/a", UP)
    assert first["probes"] == 1 and re.fullmatch(r"http status 200 in [\d.]+ ms", first["text"])
    assert origin.requests[0]["target"] == "/health"
    assert ("connection", "close") in origin.requests[0]["fields"]
    origin.answer = failing
    down = check.until("web/a", DOWN)
    assert re.fullmatch(r"http status 500 in [\d.]+ ms \(3 of 3\)", down["text"])
    assert down["failed"] == 3 and down["turns"] == 1 and down["since"] == down["at"]
    texts = [m["text"] for m in check.told("web/a") if m.get("failed") in (1, 2)]
    assert [t[-8:] for t in texts] == ["(1 of 3)", "(2 of 3)"], "counted where people can see it"
    origin.answer = None
    up = check.until("web/a", UP)
    assert re.search(r"http status 200 in [\d.]+ ms \(2 of 2\)", up["text"]) and up["turns"] == 2
    assert [m["verdict"] for m in check.turns("web/a")] == [UP, DOWN, UP]
    log = check.lb.text()
    assert re.search(r"rip web/a: up, http status 200 in [\d.]+ ms\n", log)
    assert re.search(r"rip web/a: down, http status 500 in [\d.]+ ms \(3 of 3\)\n", log)


def test_one_bad_probe_of_an_unknown_server_is_no_verdict(check, origin):
    """A123: unknown stays unknown until fall; then one good probe is not enough."""
    origin.answer = failing
    check.check("page", "kind=http", "interval=250ms", "fall=4", "rise=3")
    check.vip(check="page")
    check.lb.rip("web", "a", origin.port)
    check.start()
    assert check.until("web/a", DOWN)["failed"] == 4
    assert [m["verdict"] for m in check.told("web/a")][:4] == [UNKNOWN, UNKNOWN, UNKNOWN, DOWN]
    origin.answer = None
    up = check.until("web/a", UP)
    assert up["probes"] - up["failed"] == 3


LATE = r"(?:[2-9]\d\d|\d{4})"  # no earlier than the timeout; how much later is the machine's affair

BAD = [
    ("refused", None, {}, r"connection refused after"),
    ("silent", silent, {}, rf"no answer in time after {LATE} ms"),
    ("closes", says(b""), {}, r"connection closed early after"),
    ("cut", says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), {}, r"connection closed early after"),
    ("no http", says(b"SSH-2.0-x\r\n"), {}, r"answer is not http after"),
    ("both lengths", says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), {},
     r"answer is not http after"),
    ("404", says(b"HTTP/1.1 404 Oh\r\n\r\n"), {}, r"http status 404 in"),
    ("status list", says(b"HTTP/1.1 200 OK\r\n\r\n"), {"status": "204,301-302"}, r"http status 200 in"),
    ("missing", says(b"HTTP/1.1 200 OK\r\n\r\nall is well"), {"expect": "ready"}, r"expected text is missing after"),
    ("rejected", says(b"HTTP/1.1 200 OK\r\n\r\nin maintenance"), {"reject": "maint"}, r"rejected text was found after"),
    ("too long", says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3000 + b"ready"), {"expect": "ready", "answer_max": "1K"},
     r"answer is too long after"),
]


@pytest.mark.parametrize("handle, fields, text", [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_answers_and_their_reasons(check, closing, handle, fields, text):
    """S121: each way to fail has its words."""
    o = closing(Origin("a", handle or silent))
    if handle is None:
        o.close()
    check.check("page", "kind=http", "interval=300ms", "timeout=300ms", "fall=1",
              *(f"{k}={v}" for k, v in fields.items()))
    check.vip(check="page")
    check.lb.rip("web", "a", o.port)
    check.start()
    down = check.until("web/a", DOWN)
    assert re.match(text, down["text"]), down


GOOD = [
    ("body", says(b"HTTP/1.1 200 OK\r\n\r\nall is ready"), {"expect": "is ready", "reject": "maint"}),
    ("over chunks", says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n"),
     {"expect": "ready"}),
    ("interim", says(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n"), {"status": "204"}),
    ("long, not asked", says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3000), {"answer_max": "1K"}),
    ("head", says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), {"method": "HEAD"}),
]


@pytest.mark.parametrize("handle, fields", [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_good_answers(check, closing, handle, fields):
    """S121: what is asked for, in all the forms in which it may come."""
    o = closing(Origin("a", handle))
    check.check("page", "kind=http", "interval=400ms", "fall=1",
              *(f"{k}={v}" for k, v in fields.items()))
    check.vip(check="page")
    check.lb.rip("web", "a", o.port)
    check.start()
    check.until("web/a", UP)


def test_request_cannot_be_broken_by_the_configuration(check, origin):
    """A path with spaces and a Host are sent as one request line and one header."""
    check.check("page", "kind=http", "path=/a b/ü?x=1", "host=www.example.com", "method=OPTIONS",
                "interval=1s")
    check.vip(check="page")
    check.lb.rip("web", "a", origin.port)
    check.start()
    check.until("web/a", UP)
    r = origin.requests[0]
    assert (r["method"], r["target"]) == ("OPTIONS", "/a%20b/%C3%BC?x=1")
    assert ("host", "www.example.com") in r["fields"]


def test_tcp_check_and_a_server_that_does_not_accept(check, closing):
    """S121: a connection is enough; a full backlog is no connection in time."""
    full = closing(socket.create_server(("127.0.0.1", 0), backlog=0))
    crowd = [closing(socket.socket()) for _ in range(3)]
    for s in crowd:
        s.setblocking(False)
        s.connect_ex(full.getsockname())
    ok = closing(Origin("ok", silent))
    check.check("fast", "interval=200ms", "timeout=200ms", "fall=2")
    check.vip(check="fast")
    check.lb.rip("web", "ok", ok.port)
    check.lb.rip("web", "full", full.getsockname()[1])
    check.start()
    assert re.fullmatch(r"connected in [\d.]+ ms", check.until("web/ok", UP)["text"])
    assert re.match(rf"no connection in time after {LATE} ms \(2 of 2\)", check.until("web/full", DOWN)["text"])


def test_fast_and_slow_intervals(check, closing):
    """A123: measured by counting probes beside those of a server with a known interval."""
    clock, normal, counting, dead = [closing(Origin(n)) for n in ("clock", "normal", "counting", "dead")]
    counting.answer = dead.answer = failing
    common = ["kind=http", "jitter=0", "rise=2"]
    check.check("clock", "interval=100ms", "fall=3", *common)
    check.check("normal", "interval=400ms", "fast=100ms", "slow=100ms", "fall=3", *common)
    check.check("counting", "interval=1h", "fast=200ms", "slow=1h", "fall=100", *common)
    check.check("dead", "interval=100ms", "fast=100ms", "slow=800ms", "fall=1", *common)
    check.vip()
    for o in (clock, normal, counting, dead):
        check.lb.rip("web", o.name, o.port, check=o.name)
    check.start()
    check.until("web/dead", DOWN)
    wait_until(lambda: len(clock.requests) > 0 and len(normal.requests) > 0 and len(counting.requests) > 0)
    before = {o.name: len(o.requests) for o in (clock, normal, counting, dead)}
    wait_until(lambda: len(clock.requests) >= before["clock"] + 32, 30)
    n = {o.name: len(o.requests) - before[o.name] for o in (clock, normal, counting, dead)}
    # The second figures are those of a machine that is 100 ms late each time; all have 32 at the wrong interval, or none.
    assert 7 <= n["normal"] <= 14, n
    assert 14 <= n["counting"] <= 22, n
    assert 3 <= n["dead"] <= 8, n


def test_jitter_shortens_intervals_and_breaks_step(check, closing):
    """A123: with 50 % the same interval gives a third more probes, at most twice as many; fewer where each is late."""
    clock, shaken = [closing(Origin(n)) for n in ("clock", "shaken")]
    check.check("clock", "kind=http", "interval=100ms", "jitter=0")
    check.check("shaken", "kind=http", "interval=100ms", "jitter=50")
    check.vip()
    for o in (clock, shaken):
        check.lb.rip("web", o.name, o.port, check=o.name)
    check.start()
    wait_until(lambda: clock.requests and shaken.requests)
    a, b = len(clock.requests), len(shaken.requests)
    wait_until(lambda: len(clock.requests) >= a + 60, 30)
    assert 1.06 < (len(shaken.requests) - b) / (len(clock.requests) - a) < 2.1


def test_first_probes_are_spread(check, closing):
    """A123, warm-up: 400 servers of one check are not probed in one burst, and each is probed by itself."""
    times, lock = [], threading.Lock()

    def note(c, _):
        with lock:
            times.append(time.monotonic())
    o = closing(Origin("a", note, address="0.0.0.0"))
    check.check("calm", "interval=2s", "jitter=0")
    check.vip(check="calm")
    check.vip("twin", check="calm", ports=81)
    check.ctl("apply", "-f", "-", input="rips:\n" + "".join(
        f"  {vip}/r{i}: {{address: 127.0.1.{i + 1}, port: {o.port}}}\n" for i in range(200) for vip in ("web", "twin")))
    check.start()
    wait_until(lambda: check.state()["up"] == 400)
    rows = [m for _, name, m in check.bus.read() if name == "HEALTH"]
    assert len({m["server"] for m in rows if m["probes"] == 1}) == 400
    wait_until(lambda: len(times) >= 400)
    assert times[-1] - times[0] > 0.04, "0.2 ms each: 80 ms"


def test_run_shows_every_step(check, origin):
    """Command 18: the probe now, with steps, bytes and timing; it counts."""
    check.check("page", "kind=http", "interval=1h", "rise=1", "expect=server")
    check.vip(check="page")
    check.lb.rip("web", "a", origin.port)
    check.start()
    check.until("web/a", UP)
    rows, result = check.bus.ask("CHECK_RUN", server=check.id("web/a"))
    steps = [m["text"] for _, m in rows]
    assert result["code"] == 0
    assert steps[0] == f"connecting to 127.0.0.1 port {origin.port}" and steps[1] == "connected"
    sent = [m for _, m in rows if m.get("sent")]
    assert sent[0]["data"].startswith(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:")
    received = [m for _, m in rows if m.get("data") and not m.get("sent")]
    assert received[0]["data"].startswith(b"HTTP/1.1 200 OK\r\n") and len(received[0]["data"]) <= 1024
    assert "expected text found" in steps and steps[-1].startswith("good: http status 200 in ")
    times = [m["at"] for _, m in rows]
    assert times == sorted(times) and len(origin.requests) == 2
    out = check.ctl("check", "run", "web/a", "-v").stdout
    assert "connected" in out and "GET / HTTP/1.1" in out and "good: http status 200" in out
    origin.answer = failing
    r = check.ctl("check", "run", "web/a", check=False)
    assert r.returncode == 1 and "http status 500" in r.stderr
    r = check.ctl("check", "run", "web/b", check=False)
    assert r.returncode == 3


def test_no_false_verdict_after_a_stall(check, closing):
    """Fault matrix: SIGSTOP 10 s. A probe whose deadline passed meanwhile is repeated, not counted."""
    hold, waits, stopped = threading.Event(), threading.Event(), threading.Event()

    def serve(c, o):
        """On hold a probe waits, and has no answer before lbd-check is stopped."""
        c.recv(4096)
        if hold.is_set():
            waits.set()
            stopped.wait(60)
        else:
            c.sendall(http_answer(b"x"))
    o = closing(Origin("a", serve))
    check.check("page", "kind=http", "interval=1s", "timeout=900ms", "fall=1", "rise=1", "jitter=0")
    check.vip(check="page")
    check.lb.rip("web", "a", o.port)
    check.start()
    check.until("web/a", UP)
    for seconds in (10, 1.5):
        waits.clear()
        stopped.clear()
        hold.set()
        wait_until(waits.is_set, what="a probe that has just begun")
        check.lb.process["lbd-check"].send_signal(signal.SIGSTOP)
        stopped.set()
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() > end, seconds + 5)
        hold.clear()
        check.lb.process["lbd-check"].send_signal(signal.SIGCONT)
        before = o.accepted
        wait_until(lambda: o.accepted > before + 3)
    assert check.state()["repeated"] >= 2
    assert {m["verdict"] for m in check.told("web/a")} == {UP}
    assert check.told("web/a")[-1].get("failed", 0) == 0


def test_restart_knows_nothing_until_it_is_proven(check, origin, closing):
    """Fault matrix: kill -9. The new process tells no verdict before it has probed, and then the right one."""
    dead = closing(Origin("dead"))
    dead.close()
    check.check("page", "kind=http", "interval=300ms", "fall=3", "jitter=0")
    check.vip(check="page")
    check.lb.rip("web", "a", origin.port)
    check.lb.rip("web", "dead", dead.port)
    check.start()
    check.until("web/a", UP)
    check.until("web/dead", DOWN)
    check.lb.kill("lbd-check")
    check.lb.start()
    check.follow()
    check.until("web/a", UP)
    check.until("web/dead", DOWN)
    assert [m["verdict"] for m in check.turns("web/dead")] in ([UNKNOWN, DOWN], [DOWN])
    assert [m["verdict"] for m in check.turns("web/a")] == [UP]


def test_changes_keep_verdicts_that_still_hold(check, closing):
    """Apply: a weight is no business of a probe; another check must prove itself; another port is another server."""
    a, b = closing(Origin("a")), closing(Origin("b"))
    b.answer = lambda r: http_answer(b"x") if r["target"] == "/new" else failing(r)
    check.check("page", "kind=http", "path=/old", "interval=250ms", "fall=2", "rise=50", "jitter=0")
    check.vip(check="page")
    check.lb.rip("web", "a", a.port)
    check.lb.rip("web", "b", b.port)
    check.start()
    check.until("web/a", UP)
    check.until("web/b", DOWN)
    check.ctl("set", "rip", "web/a", "weight=7", "comment=x")
    check.ctl("set", "vip", "web", "max_conns=9")
    check.ctl("set", "check", "page", "fall=3")
    n = len(a.requests)
    wait_until(lambda: len(a.requests) > n + 2)
    assert len(check.turns("web/a")) == 1
    check.ctl("set", "check", "page", "path=/new")
    assert [m["verdict"] for m in check.told("web/b")].count(UNKNOWN) <= 1
    up = check.until("web/b", UP)
    assert "of" not in up["text"], "the first good probe of the new check is enough, whatever rise is"
    assert len(check.turns("web/a")) == 1 and a.requests[-1]["target"] == "/new"
    closed = closing(Origin("c"))
    closed.close()
    check.ctl("set", "rip", "web/a", f"port={closed.port}")
    check.until("web/a", DOWN)
    assert [m["verdict"] for m in check.turns("web/a")] == [UP, UNKNOWN, DOWN]
    n, gone = len(check.told("web/b")), check.id("web/b")
    check.ctl("delete", "rip", "web/b", "-y")
    seen = len(b.requests)
    wait_until(lambda: check.state()["servers"] == 1)
    check.ctl("check", "run", "web/a", check=False)
    assert len(b.requests) <= seen + 1
    assert len([m for _, name, m in check.bus.read() if name == "HEALTH" and m["server"] == gone]) <= n + 1
    assert check.bus.ask("CHECK_RUN", server=gone)[1]["code"] != 0


def test_halted_disabled_and_layer_4_servers_are_probed(check, closing):
    """They must be known before they come back."""
    o = {n: closing(Origin(n)) for n in ("halted", "disabled", "packets")}
    check.check("fast", "kind=http", "interval=500ms")
    check.vip("web", check="fast")
    check.vip("off", check="fast", ports=81, enabled="no")
    check.vip("l4", check="fast", ports=82, mode="nat")
    check.lb.rip("web", "halted", o["halted"].port)
    check.lb.rip("off", "disabled", o["disabled"].port)
    check.lb.rip("l4", "packets", o["packets"].port)
    check.ctl("halt", "web/halted", "-y")
    check.start()
    for path in ("web/halted", "off/disabled", "l4/packets"):
        check.until(path, UP)
    assert all(x.requests for x in o.values())


def test_names_no_check_and_another_port(check, origin):
    """A DNS name is resolved; kind none is fit untested; check.port is probed instead of the server's."""
    check.check("none", "kind=none")
    check.check("there", "kind=http", f"port={origin.port}", "interval=1s")
    check.vip(check="there")
    check.lb.rip("web", "name", 1, address="localhost")
    check.lb.rip("web", "lost", 1, address="does-not-exist.invalid")
    check.lb.rip("web", "trusted", 1, check="none")
    check.start()
    assert check.until("web/trusted", UP)["text"] == "not checked"
    check.until("web/name", UP)
    assert ("host", f"localhost:{origin.port}") in origin.requests[0]["fields"]
    assert check.until("web/lost", DOWN, 30)["text"].startswith("name cannot be resolved")


def test_observed_failures_bring_the_next_probe(check, origin):
    """A proxy that sees a server fail shortens the wait; the probe decides."""
    check.check("rare", "kind=http", "interval=1h", "fall=1")
    check.vip(check="rare")
    check.lb.rip("web", "a", origin.port)
    check.start()
    check.until("web/a", UP)
    with Bus(check.lb.root, "lbd-check", "lbd-proxy") as proxy:
        proxy.ask("OBSERVED", server=check.id("web/a"), what=1, count=3)
        wait_until(lambda: len(origin.requests) == 2)
        assert check.verdict("web/a") == UP
        origin.answer = failing
        proxy.ask("OBSERVED", server=check.id("web/a"), what=1)
    check.until("web/a", DOWN)
    assert len(origin.requests) == 3


def test_descriptors_used_up_is_no_fault_of_the_servers(check, closing):
    """Fault matrix: without descriptors verdicts stand, and the status says why."""
    o = closing(Origin("a", silent))
    check.check("fast", "interval=400ms", "fall=1")
    check.vip(check="fast")
    check.lb.rip("web", "a", o.port)
    check.start()
    check.until("web/a", UP)
    import resource
    pid = check.lb.pid("lbd-check")
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
    wait_until(lambda: "no descriptor" in check.bus.ask("STATUS")[0][0][1].get("fault", ""))
    assert {m["verdict"] for m in check.told("web/a")} == {UP}
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    wait_until(lambda: not check.bus.ask("STATUS")[0][0][1].get("fault"))
    n = o.accepted
    wait_until(lambda: o.accepted > n + 2)
    assert collections.Counter(m["verdict"] for m in check.turns("web/a")) == {UP: 1}
