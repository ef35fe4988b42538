"""A reset that comes together with the last bytes, in one edge: it is noticed soon, not when a time of an hour has passed.

The proxy is stopped while the other side sends and resets, so both are there when it looks.
"""
import contextlib
import os
import select
import signal
import socket
import struct
import threading
import time

import pytest

from h2lib import H2
from lbdtest import SLOW, Origin, Reader, wait_until

HOUR = {"server_timeout": "1h", "client_timeout": "1h", "tunnel_timeout": "1h", "queue_timeout": "1h"}
HEAD = b"HTTP/1.1 200 OK\r\n"
PARTS = {
    "head": HEAD + b"Content-Le",
    "length": HEAD + b"Content-Length: 100\r\n\r\nsome",
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
    "close": HEAD + b"\r\nsome",
}


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def state(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


@contextlib.contextmanager
def stopped(lb):
    """lbd-proxy sees at once what happens meanwhile."""
    pid = lb.pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: state(pid) == "T")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def soon(began):
    assert time.monotonic() - began < 20 * SLOW


def gone(lb, vip):
    wait_until(lambda: not [c for c in lb.json("conns", vip.name) if c.get("state") != "idle"], 20, "the connection has ended")


def partial(lb, *parts):
    """A server that says the first part, and the others together with a reset."""
    def handle(c, origin):
        Reader(c).until(b"\r\n\r\n")
        for p in parts[:-1]:
            c.sendall(p)
            origin.go.wait(10 * SLOW)
        with stopped(lb):
            c.sendall(parts[-1])
            reset(c)
    o = Origin("o", handle)
    o.go = threading.Event()
    return o


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("begun", (False, True), ids=("whole", "begun"))
def test_an_answer_breaks_off(lb, closing, kind, begun):
    """The client gets what there is, and an end that shows that it is not all; without a head 502."""
    part = PARTS[kind]
    half = len(part) - 2
    o = closing(partial(lb, *((part[:half], part[half:]) if begun else (part,))))
    vip = lb.vip(f"part-{kind}-{'b' if begun else 'w'}", o, **HOUR)
    began = time.monotonic()
    with vip.connect(timeout=30 * SLOW) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        got = b""
        if begun and kind != "head":
            got = Reader(s).until(b"\r\n\r\n")
        o.go.set()
        with contextlib.suppress(ConnectionResetError):
            while more := s.recv(4096):
                got += more
    soon(began)
    if kind == "head":
        assert got.startswith(b"HTTP/1.1 502 ")
    else:
        assert got.startswith(b"HTTP/1.1 200 ") and not got.endswith(b"0\r\n\r\n")
    gone(lb, vip)


@pytest.mark.parametrize("framing", ("Content-Length: 100\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"),
                         ids=("length", "chunked"))
def test_a_request_breaks_off(lb, closing, framing):
    """The server is told by the end of its connection."""
    ended = threading.Event()

    def handle(c, origin):
        with contextlib.suppress(ConnectionResetError):
            Reader(c).rest()
        ended.set()
    vip = lb.vip("up-" + framing[:1].lower(), closing(Origin("o", handle)), **HOUR)
    s = vip.connect()
    data = ("POST / HTTP/1.1\r\nHost: a\r\n" + framing).encode()
    s.sendall(data[:-2])
    wait_until(lambda: lb.json("conns", vip.name))
    with stopped(lb):
        s.sendall(data[-2:])
        reset(s)
    assert ended.wait(20 * SLOW)
    gone(lb, vip)


def test_a_stream_of_tcp_breaks_off(lb, closing):
    """Either side."""
    ended = threading.Event()

    def handle(c, origin):
        c.sendall(b"hello")
        with contextlib.suppress(ConnectionResetError):
            while c.recv(100) not in (b"", b"go"):
                pass
            with stopped(lb):
                c.sendall(b"bye")
                reset(c)
            return
        ended.set()
    vip = lb.vip("tcp", closing(Origin("o", handle)), mode="tcp", **{k: v for k, v in HOUR.items() if k in ("tunnel_timeout",)})
    began = time.monotonic()
    with vip.connect(timeout=30 * SLOW) as s:
        Reader(s).exactly(5)
        s.sendall(b"go")
        with contextlib.suppress(ConnectionResetError):
            assert Reader(s).rest() == b"bye"
    soon(began)
    s = vip.connect()
    Reader(s).exactly(5)
    with stopped(lb):
        s.sendall(b"x")
        reset(s)
    assert ended.wait(20 * SLOW)


@pytest.mark.parametrize("kind", ("tcp", "answer", "request"))
def test_silence_is_no_end(lb, closing, kind):
    """Who looks for a reset and finds none waits on, for the timeout of the service."""
    go = threading.Event()

    def handle(c, origin):
        r = Reader(c)
        if kind == "tcp":
            while data := c.recv(100):
                c.sendall(data)
            return
        r.until(b"\r\n\r\n")
        if kind == "request":
            r.exactly(100)
        c.sendall(PARTS["length"])
        if kind == "answer":
            go.wait(30 * SLOW)
        c.sendall(b"e" * 96)
    vip = lb.vip(f"silent-{kind}", closing(Origin("o", handle)), mode="tcp" if kind == "tcp" else "http",
                 **({} if kind == "tcp" else {"server_timeout": "1h", "client_timeout": "1h"}))
    with vip.connect(timeout=30 * SLOW) as s:
        r = Reader(s)
        if kind == "tcp":  # its first bytes come when there is a server
            wait_until(lambda: [c for c in lb.json("conns", vip.name) if c["state"] == "tunnel"])
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome" if kind == "request" else
                  b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        if kind == "tcp":
            assert r.exactly(27).startswith(b"GET ")
        elif kind == "answer":
            r.until(b"\r\n\r\nsome")
        assert not select.select([s], [], [], 1.6)[0], "longer than any look, and than what is left after it"
        go.set()
        s.sendall({"tcp": b"more", "answer": b"", "request": b"e" * 96}[kind])
        if kind == "tcp":
            assert r.exactly(4) == b"more"
        else:
            assert r.until(b"e" * 96)


@pytest.mark.parametrize("mode", ("http", "tcp"))
def test_who_waits_goes(lb, closing, mode):
    """A client that resets while it waits for a place in a queue leaves it."""
    hold = threading.Event()
    closing(type("Set", (), {"close": lambda self: hold.set()})())
    o = closing(Origin("o", lambda c, origin: hold.wait(60 * SLOW)))
    vip = lb.vip(f"queue-{mode}", o, mode=mode, **{k: v for k, v in HOUR.items() if mode == "http" or k == "queue_timeout"})
    lb.ctl("set", "rip", f"queue-{mode}/o", "max_conns=1")
    first = closing(vip.connect())
    first.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: o.accepted == 1)
    s = vip.connect()
    s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    waiting = lambda: [c for c in lb.json("conns", vip.name) if c.get("state") == "queue"]  # noqa: E731
    wait_until(waiting)
    reset(s)
    wait_until(lambda: not waiting(), 20, "it left the queue")


def test_a_connection_of_http2_breaks_off(lb, closing):
    """Its streams end with it, although the last frame came in the same edge."""
    ended = threading.Event()

    def handle(c, origin):
        with contextlib.suppress(ConnectionResetError):
            Reader(c).rest()
        ended.set()
    vip = lb.vip("two", closing(Origin("o", handle)), h2c="yes", **HOUR)
    c = H2(vip)
    n = c.request("/", "POST", end=False)
    c.data(n, b"some")
    wait_until(lambda: [r for r in lb.json("conns", vip.name) if r["state"].startswith("h2 ")])
    with stopped(lb):
        c.data(n, b"more")
        reset(c.s)
    assert ended.wait(20 * SLOW)
    gone(lb, vip)
