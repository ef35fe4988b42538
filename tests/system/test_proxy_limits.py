"""Limits, waiting, timeouts, and servers that fail."""
import contextlib
import resource
import select
import socket
import threading
import time

from lbdtest import Lbd, Origin, Reader, client, get, http_answer, talk, wait_until


class Gate(Origin):
    """Answers only when open_gate() was called; knows how many requests wait."""

    def __init__(self, name):
        self.gate, self.waiting, self.most = threading.Event(), 0, 0
        super().__init__(name, self.serve)

    def serve(self, c, origin):
        r = Reader(c)
        while r.head():
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self.gate.wait(30)
            self.waiting -= 1
            c.sendall(http_answer(b"ok", "200 OK", f"X-Server: {self.name}"))

    def close(self):
        self.gate.set()
        super().close()


def full_listener(closing):
    """A port where nobody ever accepts and the kernel's queue is full: connecting hangs."""
    s = closing(socket.socket())
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    for _ in range(3):
        c = closing(socket.socket())
        c.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            c.connect(s.getsockname())
    return s.getsockname()[1]


def many(vip, n, results):
    """n requests at once, each in a thread."""
    def run():
        try:
            results.append(get(vip).status)
        except OSError as e:
            results.append(type(e).__name__)
    threads = [threading.Thread(target=run) for _ in range(n)]
    for t in threads:
        t.start()
    return threads


def timed(f):
    """(its result, seconds). What begins a time that is measured is part of f: who looks at the clock may be late."""
    start = time.monotonic()
    return f(), time.monotonic() - start


def test_max_conns_and_queue(lb, closing):
    """S070: a server gets no more than max_conns requests at once; the others wait, and are served in turn."""
    o = closing(Gate("a"))
    vip = lb.vip("queue")
    lb.rip(vip, "a", o.port, max_conns=3)
    results = []
    threads = many(vip, 10, results)
    wait_until(lambda: o.waiting == 3)
    time.sleep(0.2)  # nothing more may come
    assert o.most == 3 and not results
    o.gate.set()
    for t in threads:
        t.join()
    assert results == [200] * 10 and o.most == 3


def test_queue_is_bounded_and_ends(lb, closing):
    """S070: more than queue_max are refused at once with 503; who waits longer than queue_timeout too."""
    o = closing(Gate("a"))
    vip = lb.vip("queue2", queue_max=2, queue_timeout="2s")
    lb.rip(vip, "a", o.port, max_conns=1)
    results = []
    first = many(vip, 1, results)
    wait_until(lambda: o.waiting == 1)
    rest = many(vip, 5, results)
    wait_until(lambda: len(results) >= 3, 1.5, "three are refused at once")
    wait_until(lambda: len(results) == 5, 5, "two gave up waiting")
    assert results == [503] * 5
    o.gate.set()
    for t in first + rest:
        t.join()
    assert results[-1] == 200


def test_queue_moves_to_a_new_server(lb, closing, origins):
    """S070: those that wait are served when a server is added."""
    o = closing(Gate("a"))
    vip = lb.vip("queue3")
    lb.rip(vip, "a", o.port, max_conns=1)
    results = []
    threads = many(vip, 4, results)
    wait_until(lambda: o.waiting == 1)
    lb.rip(vip, "b", origins("b")[0].port)
    wait_until(lambda: len(results) == 3, what="three are served by b")
    o.gate.set()
    for t in threads:
        t.join()
    assert results == [200] * 4


def test_service_limit(lb, origins):
    """max_conns of a service: one more is refused, the others go on."""
    vip = lb.vip("svc-limit", *origins("a"), max_conns=3, keep_timeout="60s")
    held = [client(vip) for _ in range(3)]
    for c in held:
        assert get(vip, connection=c).status == 200
    out = talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert out == b"" or b" 503 " in out
    assert get(vip, connection=held[0]).status == 200
    held.pop().close()
    wait_until(lambda: b" 200 " in talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    for c in held:
        c.close()


def test_retry_on_refused(lb, origins):
    """S199: servers that refuse cost no request: others are tried."""
    os = origins("a", "b", "c")
    vip = lb.vip("retry", *os, scheduler="wrr")
    tcp = lb.vip("retry-tcp", *os, scheduler="wrr", mode="tcp")
    os[0].close()
    os[1].close()
    for v in (vip, tcp):
        assert [get(v).server for _ in range(20)] == ["c"] * 20
    assert get(vip, method="POST", body=b"x" * 100_000).server == "c"


def test_no_retry_left(lb, origins):
    """retries=0: the first refusal is answered with 502 or 503."""
    a, b = origins("a", "b")
    a.close()
    vip = lb.vip("retry0", a, retries=0)
    assert get(vip).status in (502, 503)


def test_unsafe_request_is_not_repeated(lb, closing):
    """A POST that a server has received is not sent a second time when the server breaks off."""
    def serve(c, origin):
        r = Reader(c)
        head = r.head()
        origin.requests.append(r.body(head[1]))
    os = [closing(Origin(n, serve)) for n in "ab"]
    vip = lb.vip("unsafe", *os)
    assert get(vip, method="POST", body=b"order").status == 502
    assert sum(len(o.requests) for o in os) == 1


def test_connect_timeout(lb, closing, origins):
    """connect_timeout: a server that does not accept is given up in time, and another is tried."""
    port = full_listener(closing)
    vip = lb.vip("connect", connect_timeout="200ms", retries=0)
    lb.rip(vip, "hole", port)
    a, took = timed(lambda: get(vip))
    assert a.status in (503, 504) and 0.15 < took < 3
    lb.ctl("set", "vip", "connect", "retries=2")
    lb.rip(vip, "b", origins("b")[0].port)
    wait_until(lambda: {get(vip).server for _ in range(4)} == {"b"}, what="the other is tried")


def test_request_timeout(lb, origins):
    """request_timeout: a head that does not become complete is answered with 408, however slowly it drips."""
    vip = lb.vip("request", *origins("a"), request_timeout="500ms")
    with vip.connect() as s:
        out, took = timed(lambda: s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n") or Reader(s).rest())
        assert b" 408 " in out and 0.3 < took < 3
    with vip.connect() as s:
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - start < 5:
                s.sendall(b"X: a\r\n")
                time.sleep(0.05)
        assert time.monotonic() - start < 3


def test_silent_client(lb, origins):
    """request_timeout also for a client that says nothing at all."""
    vip = lb.vip("silent", *origins("a"), request_timeout="500ms")
    out, took = timed(lambda: talk(vip, b""))
    assert took < 3 and (out == b"" or b" 408 " in out)


def test_client_timeout(lb, origins):
    """client_timeout: a body that stops coming ends the request; steady slowness does not."""
    vip = lb.vip("client", *origins("a"), client_timeout="400ms")
    with vip.connect() as s:
        out, took = timed(lambda: s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc") or Reader(s).rest())
        assert (out == b"" or b" 408 " in out) and 0.3 < took < 3
    vip = lb.vip("steady", *origins("b"), client_timeout="1500ms")
    with vip.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):  # 2 s in all, none of them near the limit
            time.sleep(0.1)
            s.sendall(b"x")
        assert b" 200 " in s.recv(4096)


def test_client_that_does_not_read(lb, closing):
    """client_timeout: a client that takes nothing of its answer is let go of, and so is the server."""
    def serve(c, origin):
        Reader(c).head()
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            c.sendall(b"x" * 65536)
    o = closing(Origin("a", serve))
    vip = lb.vip("noread", o, client_timeout="500ms")
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: o.accepted == 1)
        wait_until(lambda: not o.open, 10, "the server's connection is dropped")


def test_server_timeout(lb, closing):
    """server_timeout: no answer is a 504; an answer that stops is broken off."""
    o = closing(Gate("a"))
    vip = lb.vip("server", o, server_timeout="400ms")
    a, took = timed(lambda: get(vip))
    assert a.status == 504 and 0.3 < took < 3

    def stops(c, origin):
        Reader(c).head()
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        origin.end.wait(20)
    b = Origin("b", stops)
    b.end = threading.Event()
    closing(b)
    vip = lb.vip("server2", b, server_timeout="400ms")
    out, took = timed(lambda: talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
    b.end.set()
    assert out.endswith(b"abc") and 0.3 < took < 3


def test_keep_timeout(lb, origins):
    """keep_timeout: idle connections are closed after it, without a word; 0 closes after each answer."""
    vip = lb.vip("keep", *origins("a"), keep_timeout="400ms")
    with vip.connect() as s:
        r = Reader(s)

        def once():
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            r.body(r.head()[1])
            return r.rest()
        out, took = timed(once)
        assert out == b"" and 0.3 < took < 3
    lb.ctl("set", "vip", "keep", "keep_timeout=0s")
    wait_until(lambda: b"Connection: close\r\n" in talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True))


def test_pool_timeout(lb, origins):
    """pool_timeout: an idle connection to a server is closed after it; 0 keeps none."""
    o, = origins("a")
    vip = lb.vip("pool", o, pool_timeout="400ms")
    get(vip)
    assert o.open
    wait_until(lambda: not o.open, 5)
    lb.ctl("set", "vip", "pool", "pool_timeout=0s")
    wait_until(lambda: get(vip) and not o.open, 5)
    n = o.accepted
    for _ in range(5):
        get(vip)
    assert o.accepted == n + 5


def test_tunnel_timeout(lb, closing):
    """tunnel_timeout: a TCP connection that is silent on both sides is ended; one that speaks is not."""
    def echo(c, origin):
        while d := c.recv(1000):
            c.sendall(d)
    o = closing(Origin("a", echo))
    vip = lb.vip("tunnel", o, mode="tcp", tunnel_timeout="1500ms")
    with vip.connect() as s:
        r = Reader(s)
        for _ in range(20):  # 2 s in all, none of them near the limit
            s.sendall(b"x")
            assert r.exactly(1) == b"x"
            time.sleep(0.1)
        with contextlib.suppress(ConnectionError):
            out, took = timed(r.rest)
            assert out == b"" and 0.5 < took < 5
    wait_until(lambda: not o.open)


def test_body_max(lb, origins):
    """body_max: a larger request is refused with 413, by its length or when a chunked one grows too large."""
    o, = origins("a")
    vip = lb.vip("body", o, body_max="1000")
    assert get(vip, method="POST", body=b"x" * 1000).status == 200
    assert get(vip, method="POST", body=b"x" * 1001).status == 413
    out = talk(vip, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
               b"fa\r\n" + b"x" * 250 + b"\r\n" + b"fa\r\n" + b"x" * 250 + b"\r\n" + b"300\r\n" + b"x" * 768 + b"\r\n0\r\n\r\n")
    assert out == b"" or b" 413 " in out
    assert len(o.requests) == 1


def test_head_max(lb, origins):
    """head_max: a head of that size passes, a larger one is refused with 431."""
    vip = lb.vip("head", *origins("a"), head_max="4K")
    assert get(vip, headers={"X": "a" * 3500}).status == 200
    assert get(vip, headers={"X": "a" * 4100}).status == 431
    lb.ctl("set", "vip", "head", "head_max=64K")
    wait_until(lambda: get(vip, headers={"X": "a" * 60000}).status == 200)


def test_slow_clients_disturb_nobody(lb, origins):
    """500 clients that drip their heads leave others alone, and cost little memory."""
    vip = lb.vip("slow", *origins("a"), request_timeout="30s")

    def rss():
        with open(f"/proc/{lb.pid()}/status") as f:
            return int(next(x for x in f if x.startswith("VmRSS")).split()[1])
    before = rss()
    slow = [vip.connect() for _ in range(500)]
    for s in slow:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: a")
    times = sorted(timed(lambda: get(vip))[1] for _ in range(50))
    assert times[25] < 0.25
    assert rss() - before < 500 * 32
    for s in slow[:100]:
        s.sendall(b"\r\n\r\n")
    assert all(b" 200 " in s.recv(4096) for s in slow[:100])
    for s in slow:
        s.close()


def test_descriptors_used_up(tmp_path, closing, origins):
    """When the process has no descriptor left, accepting pauses and goes on later; nothing crashes, and those who wait are
    served as soon as others have gone. Who was accepted and cannot be served is told so (503)."""
    limit = 400
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy"))
    o, = origins("a")
    vip = lb.vip("fds", o, keep_timeout="60s")
    lb.start(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    waiting, served, statuses = {}, [], set()
    poll = select.poll()

    def serve():
        """Takes in what was answered; how many that is by now."""
        for fd, _ in poll.poll(50):
            s = waiting.pop(fd)
            poll.unregister(fd)
            status = s.recv(4096)[9:12]
            assert status in (b"200", b"503")
            statuses.add(status)
            served.append(s)
        return len(served)
    for _ in range(limit * 2):
        s = vip.connect()
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting[s.fileno()] = s
        poll.register(s, select.POLLIN)
    wait_until(lambda: serve() >= limit / 4, what="some are served")
    while (n := len(served)) < serve():
        pass
    assert waiting or b"503" in statuses, "the limit was never reached"
    assert lb.process["lbd-proxy"].poll() is None
    while waiting:
        assert served, f"{len(waiting)} still wait, nobody is left to make room"
        for s in served:
            s.close()
        served.clear()
        wait_until(serve, 15, "those who wait are served")
    for s in served:
        s.close()
    wait_until(lambda: get(vip).status == 200, 15, "serves again")
