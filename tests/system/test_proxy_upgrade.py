"""One lbd-proxy after the other (A061, A062): clients never notice, and a program that does not come up changes nothing.

The new process becomes a child of whoever started the first one, so each is waited for here."""
import contextlib
import json
import os
import shutil
import signal
import threading
import time

import pytest

from h2lib import H2
from h2origin import CONNECT_PROTOCOL, H2Origin
from lbdtest import BIN, SLOW, Lbd, Load, Origin, Reader, alive, get, wait_until
from test_proxy_connect import HEAD, OK, TARGET, tunnel_server
from test_proxy_h2_websocket import New, Old, echo_on
from test_proxy_tls import Authority, ask, bring, connect, context


class Proxy(Lbd):
    """An lbd-proxy whose program can be replaced; knows every process that served."""

    def __init__(self, root):
        super().__init__(root, "lbd-proxy")
        self.bin = self.root / "sbin"
        self.bin.mkdir()
        self.install(BIN / "lbd-proxy")
        self.served = []

    def install(self, file):
        """As a package does it: a new file takes the name."""
        shutil.copy(file, self.bin / "new")
        (self.bin / "new").rename(self.bin / "lbd-proxy")

    def main(self):
        """The process that answers."""
        rows = json.loads(self.ctl("status", "-o", "json", check=False).stdout)["daemons"]
        return next(r["pid"] for r in rows if r["name"] == "lbd-proxy")

    def upgrade(self):
        old = self.main()
        out = self.ctl("upgrade").stderr
        new = self.main()
        assert new != old and f"process {new} " in out and f"process {old} " in out
        self.served.append(new)
        return old, new

    def ended(self, pid, code=0, timeout=10):
        """That process ends with this code."""
        if pid == self.process["lbd-proxy"].pid:
            assert self.process["lbd-proxy"].wait(timeout * SLOW) == code
            return
        pid, status = wait_until(lambda: (w := os.waitpid(pid, os.WNOHANG))[0] and w, timeout, f"{pid} ends")
        self.served.remove(pid)
        assert os.waitstatus_to_exitcode(status) == code

    def stop(self):
        first = self.process.pop("lbd-proxy", None)
        pids = [p for p in [first.pid, *self.served] if alive(p)] if first else []
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wrong = []
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not any(map(alive, pids)), 5)
        for pid in filter(alive, pids):
            os.kill(pid, signal.SIGTERM)  # a test that failed has left connections: do not finish them
        if first and first.wait(20 * SLOW) != 0:
            wrong.append(f"{first.pid} ended with {first.returncode}")
        for pid in self.served:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status != 0:
                wrong.append(f"{pid} ended with {status}")
        assert not wrong, "; ".join(wrong) + "\n" + self.text()[-4000:]


@pytest.fixture()
def px(tmp_path):
    px = Proxy(tmp_path / "r")
    px.start()
    px.vip("first")  # a configuration, so that lbd-proxy takes orders and keys
    yield px
    px.stop()


def total(lb, name, what="requests_total"):
    return next(r[what] for r in lb.json("stats") if r["name"] == name)


def echo(c, origin):
    while data := c.recv(65536):
        c.sendall(data)


def socket_answer(c, origin):
    r = Reader(c)
    if r.head():
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        echo(c, origin)


def says(s, text):
    s.sendall(text)
    got = b""
    while len(got) < len(text):
        more = s.recv(len(text) - len(got))
        assert more, "the stream has ended"
        got += more
    return got == text


class Slow:
    """A download that goes on as long as it is let."""

    def __init__(self):
        self.go, self.size = threading.Semaphore(0), 40 * 65536

    def serve(self, c, origin):
        r = Reader(c)
        if r.head():
            c.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {self.size}\r\n\r\n".encode())
            for i in range(40):
                self.go.acquire()
                c.sendall(bytes([i]) * 65536)


class Watch:
    """Reads a counter all the time, and fails when it goes back or nobody answers."""

    def __init__(self, lb, name):
        self.lb, self.name, self.seen, self.wrong, self.over = lb, name, [], [], threading.Event()
        self.t = threading.Thread(target=self.run, daemon=True)
        self.t.start()

    def run(self):
        while not self.over.is_set():
            try:
                self.seen.append(total(self.lb, self.name))
            except (AssertionError, StopIteration) as e:
                self.wrong.append(str(e))
            time.sleep(0.02)

    def stop(self):
        self.over.set()
        self.t.join(60)
        assert not self.wrong, self.wrong[:3]
        assert self.seen == sorted(self.seen), self.seen
        return self.seen


def test_under_load(px, origins, closing, tmp_path):
    """A061: upgrades under keep-alive, closing and TLS clients, a download, a tunnel and a websocket: nobody notices, each
    request is counted once, and who answers never goes back."""
    a, slow = origins("a")[0], Slow()
    vip, closes = px.vip("web", a), px.vip("closes", a)
    tunnel = px.vip("tunnel", closing(Origin("echo", echo)), mode="tcp")
    web = px.vip("socket", closing(Origin("ws", socket_answer)))
    load = px.vip("download", closing(Origin("slow", slow.serve)), server_timeout="5m", client_timeout="5m")
    ca = Authority(tmp_path)
    bring(px, "a", *ca.sign("a", "DNS:a.example.org"))
    px.ctl("create", "tls", "base", "cert=a")
    safe = px.vip("safe", a, tls="base", request_timeout="5m", keep_timeout="5m")
    held = [tunnel.connect(30), web.connect(30), connect(safe, context(ca), timeout=30)]
    held[1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    assert Reader(held[1]).head()[0].split()[1] == "101"
    down = load.connect(60)
    down.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    reader = Reader(down)
    assert reader.head()
    slow.go.release()
    watch = Watch(px, "web")
    pids = []
    with Load(vip) as kept, Load(closes, close_every=1) as closing_ones:
        for i in range(5):
            kept.wait(50)
            pids.append(px.upgrade()[0])
            assert says(held[0], b"tunnel %d" % i) and says(held[1], b"socket %d" % i)
            assert ask(held[2])[0] == "HTTP/1.1 200 OK"  # its last answer; the next connection meets the new process
            held[2].close()
            held[2] = connect(safe, context(ca), timeout=30)
            for _ in range(5):
                slow.go.release()
        closing_ones.wait(50)
        results = kept.stop(), closing_ones.stop()
    for r in results:
        assert r["failed"] == [] and r["repeated"] == 0 and r["ok"] > 0
    for _ in range(40):
        slow.go.release()
    assert reader.exactly(slow.size) == b"".join(bytes([i]) * 65536 for i in range(40))
    watch.stop()
    for vip_, r in ((vip, results[0]), (closes, results[1])):
        wait_until(lambda: total(px, vip_.name) == r["ok"], what=f"all of {r['ok']} requests are counted")
    assert alive(pids[0]), "it has the tunnel"
    wait_until(lambda: total(px, "tunnel", "conns") == 1)
    for s in (down, *held):
        s.close()
    for pid in pids:
        px.ended(pid)
    wait_until(lambda: total(px, "tunnel", "conns") == 0, what="nobody holds it any more")
    assert total(px, "tunnel", "conns_total") == 1 and total(px, "tunnel", "bytes_in") == 8 * 5


def test_sessions_and_persistence_go_on(px, origins, tmp_path):
    """A061: TLS sessions resume, and clients meet the server that they had, without lbd-ha."""
    ca = Authority(tmp_path)
    bring(px, "a", *ca.sign("a", "DNS:a.example.org"))
    px.ctl("create", "tls", "base", "cert=a")
    safe = px.vip("safe", *origins("a"), tls="base")
    kept = px.vip("kept", *origins("a", "b", "c"), persistence="source")
    where = {f"127.90.0.{i}": get(kept, source=f"127.90.0.{i}").server for i in range(1, 40)}
    assert set(where.values()) == {"a", "b", "c"}
    ctx, session = context(ca), None
    for i in range(3):
        with connect(safe, ctx, session=session) as s:
            assert ask(s)[0] == "HTTP/1.1 200 OK"
            assert s.session_reused == (i > 0)
            session = s.session
        assert {c: get(kept, source=c).server for c in where} == where
        px.upgrade()


def test_number_of_workers(px, origins):
    """A061: the new process may have more or fewer workers: every socket that clients may wait at goes over."""
    closes = px.vip("closes", *origins("a"))
    for threads in (1, 4, 2, 3):
        px.ctl("set", "setting", f"threads={threads}")
        with Load(closes, close_every=1) as load:
            load.wait(20)
            px.upgrade()
            load.wait(50)
            r = load.stop()
        assert r["failed"] == [] and r["repeated"] == 0
        assert f"start: {threads} worker threads" in px.text()


def test_limit_of_lingering(px, closing):
    """A062: what the old process has left at proxy_linger is reset; it follows the configuration until then."""
    px.ctl("set", "setting", "proxy_linger=1h")
    o = closing(Origin("a", echo))
    first = px.main()
    halted, long_ = px.vip("halted", o, mode="tcp"), px.vip("long", o, mode="tcp")
    one, two = halted.connect(30), long_.connect(30)
    assert says(one, b"x") and says(two, b"x")
    old, _ = px.upgrade()
    assert old == first
    px.ctl("halt", "halted/a", "--grace", "1ms")
    assert resets(one)
    assert says(two, b"still here")
    two.close()
    px.ended(old)
    px.ctl("set", "setting", "proxy_linger=1s")
    _, second = px.upgrade()
    three = long_.connect(30)
    assert says(three, b"y")
    third, _ = px.upgrade()
    assert third == second and says(three, b"z")
    px.ended(third)
    assert resets(three)
    assert "proxy_linger is over: 1 connections are reset" in px.text()


def websockets(c, origin):
    """HTTP/1.1: takes every upgrade, and sends back in capitals what comes."""
    r = Reader(c)
    if r.head():
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + r.buf.upper())
        while data := c.recv(65536):
            c.sendall(data.upper())


class Tunnel(Old):
    """CONNECT of a client of HTTP/1.1."""

    def __init__(self, vip):
        self.s = vip.connect(30)
        self.s.sendall(HEAD)
        self.r = Reader(self.s)
        self.status = int(self.r.head()[0].split()[1])


class Tunnel2(New):
    """CONNECT of a client of HTTP/2."""

    def __init__(self, vip):
        self.h, self.at = H2(vip, timeout=30), 0
        self.n = self.h.fields([(":method", "CONNECT"), (":authority", TARGET)], end=False)
        self.a = self.h.answers[self.n]
        self.h.until(lambda: self.a.status)
        self.status = self.a.status


def test_tunnels(px, closing):
    """A049, A062: WebSockets and tunnels of both versions, to servers of both, go on in the process that began them, through two
    upgrades; each of these processes ends with its last one."""
    new = closing(H2Origin("new", settings={CONNECT_PROTOCOL: 1}))
    echo_on(new)
    one = px.vip("one", closing(Origin("old", websockets)), h2c="yes")
    two = px.vip("two", new, h2c="yes", server_http="2")
    far = px.vip("far", closing(tunnel_server(OK)), h2c="yes", connect="yes")

    def begin():
        return [closing(kind(vip)) for kind, vip in ((Old, one), (New, one), (Old, two), (New, two), (Tunnel, far), (Tunnel2, far))]

    def speak(tunnels, text):
        for t in tunnels:
            t.send(text)
            assert t.exactly(len(text)) == text.upper(), (type(t).__name__, text)
    first = begin()
    speak(first, b"before")
    old, _ = px.upgrade()
    speak(first, b"after one")
    second = begin()
    speak(second, b"in the second")
    middle, _ = px.upgrade()
    for n in range(3):
        speak(first + second, b"after two %d" % n * 1000)
    assert alive(old) and alive(middle)
    for t in first:
        t.close()
    px.ended(old)
    speak(second, b"still there")
    for t in second:
        t.end()
    for t in second:
        assert t.over() in ((b"", True), (b"BYE", True)), type(t).__name__
        t.close()
    px.ended(middle)


def test_conns_of_processes_before(px, origins, closing):
    """A166: lists and kills reach the connections that older processes still finish, through two upgrades."""
    o = closing(Origin("echo", echo))
    tunnel, web = px.vip("tunnel", o, mode="tcp"), px.vip("web", *origins("a"), keep_timeout="5m")
    pids, held = [], []
    for n in range(3):
        s = closing(tunnel.connect(30))
        assert says(s, b"x")
        held.append(s)
        pids.append(px.upgrade()[0] if n < 2 else px.main())
    new = closing(web.connect(30))
    new.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert Reader(new).until(b"\r\n\r\n")

    def rows(*args):
        return {r["client"]: r for r in px.json("conns", *args)}

    def name(s):
        return "%s:%d" % s.getsockname()
    got = rows()
    assert set(got) == {name(s) for s in (*held, new)}
    for s, pid in zip(held[:2], pids):
        r = got[name(s)]
        assert r["id"].endswith(f"@{pid}") and (r["vip"], r["rip"], r["state"], r["bytes_in"]) == ("tunnel", "tunnel/echo", "tunnel", 1)
    assert "@" not in got[name(held[2])]["id"] and set(rows("web")) == {name(new)}
    assert len(rows("tunnel", "-n", "2")) == 2
    # one of the first process: its neighbours live on
    r = px.ctl("conns", "kill", got[name(held[0])]["id"])
    assert "1 connection reset" in r.stderr and resets(held[0])
    px.ended(pids[0])
    assert says(held[1], b"y") and says(held[2], b"y")
    gone = px.ctl("conns", "kill", got[name(held[0])]["id"], check=False)
    assert gone.returncode == 3 and "does not exist" in gone.stderr
    assert "is none that conns shows" in px.ctl("conns", "kill", "1:2@0", check=False).stderr
    # by a service: those of both
    assert "2 connections reset" in px.ctl("conns", "kill", "tunnel", "-y").stderr
    assert resets(held[1]) and resets(held[2])
    px.ended(pids[1])
    assert set(rows()) == {name(new)}


def test_an_older_process_that_does_not_answer(px, closing):
    """The list comes all the same."""
    tunnel = px.vip("tunnel", closing(Origin("echo", echo)), mode="tcp")
    s = closing(tunnel.connect(30))
    assert says(s, b"x")
    old, _ = px.upgrade()
    os.kill(old, signal.SIGSTOP)
    try:
        assert px.json("conns") == []
        assert f"process {old}, which was before this one, does not answer" in px.text()
    finally:
        os.kill(old, signal.SIGCONT)
    assert len(wait_until(lambda: px.json("conns"))) == 1
    s.close()
    px.ended(old)


def resets(s):
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


PROGRAM = """#!/usr/bin/python3
import array, os, socket, struct, sys, time
s = socket.socket(fileno=int(os.environ["LBD_UPGRADE"]))
hello = struct.pack(">BH", 1, %(version)d) + b"9.9"
s.send(hello)
while True:
    p = s.recv(65000)
    if not p or p[0] == 2:
        sys.stderr.write(repr(p) + "\\n")
        sys.exit(75)
    if p[0] == %(until)d:
        if p[0] == 6:
            s.send(b"\\x07")  # ready
        if %(leaves)d:
            sys.exit(70)
"""


def script(px, **kw):
    file = px.root / "script"
    file.write_text(PROGRAM % kw)
    file.chmod(0o755)
    px.install(file)


@pytest.mark.parametrize("kind, why", [
    ("rubbish", "Exec format error"),
    ("missing", "No such file or directory"),
    ("ends", "ended before it served"),
    ("newer", "hands over as version 99 of the hand-over"),
    ("ready", "ended before it served"),
    ("told", "ended before it served"),
])
def test_a_program_that_does_not_come_up(px, origins, kind, why):
    """A061: the old process goes on, whatever the new program is and however far it came; then a good one takes over."""
    vip = px.vip("web", *origins("a"), persistence="source")
    kept = vip.connect()
    kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    r = Reader(kept)
    assert r.body(r.head()[1])
    before = px.main()
    if kind == "rubbish":
        (px.root / "x").write_bytes(b"\x7fELF rubbish")
        (px.root / "x").chmod(0o755)
        px.install(px.root / "x")
    elif kind == "missing":
        (px.bin / "lbd-proxy").unlink()
    elif kind == "ends":
        px.install("/bin/false")
    elif kind == "newer":
        script(px, version=99, until=6, leaves=1)
    elif kind == "ready":
        script(px, version=1, until=6, leaves=1)
    else:  # it is ready, hears GO, and is gone before it has taken over
        script(px, version=1, until=6, leaves=0)
        text = (px.bin / "lbd-proxy").read_text()
        (px.bin / "lbd-proxy").write_text(text + "    if p[0] == 11:\n        sys.exit(70)\n")
    with Load(vip) as load:
        load.wait(10)
        out = px.ctl("upgrade", check=False)
        assert out.returncode == 6 and why in out.stderr, out.stderr
        load.wait(20)
        result = load.stop()
    assert result["failed"] == [] and result["repeated"] == 0
    assert px.main() == before and f"process {before} goes on" in px.text()
    wait_until(lambda: total(px, "web") == result["ok"] + 1, what="counters go on")
    kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # not the last answer of its connection
    line, fields, _ = r.head()
    assert dict(fields).get("connection", "") != "close" and r.body(fields)
    kept.close()
    px.install(BIN / "lbd-proxy")
    assert px.upgrade()[0] == before
    assert total(px, "web") == result["ok"] + 2 and get(vip).server == "a"


def test_two_at_once(px, origins):
    """A061: a second order while one is under way is refused, and nothing is broken by it."""
    vip = px.vip("web", *origins("a"))
    script(px, version=1, until=6, leaves=0)  # says that it is ready, and then nothing
    text = (px.bin / "lbd-proxy").read_text().replace('s.send(b"\\x07")', "time.sleep(60)")
    (px.bin / "lbd-proxy").write_text(text)
    before = px.main()
    first = threading.Thread(target=lambda: px.ctl("upgrade", check=False))
    first.start()
    wait_until(lambda: "is version 9.9" in px.text(), what="the first one is under way")
    out = px.ctl("upgrade", check=False)
    assert out.returncode != 0 and "one is under way" in out.stderr
    assert get(vip).server == "a" and px.main() == before
    pid = int(px.text().rsplit("upgrade: process ", 1)[1].split()[0])
    os.kill(pid, signal.SIGKILL)
    first.join(30)
    px.install(BIN / "lbd-proxy")
    px.upgrade()
    assert get(vip).server == "a"
    os.waitpid(pid, 0)
