"""HTTP/2 of clients through lbd-proxy: curl, nghttp and h2load, and frames of python3-h2: requests, answers and bodies (RFC 9113)."""
import json
import os
import socket
import subprocess
import threading
import time

import pytest
from h2lib import (H2, HOST, INTERNAL_ERROR, NO_ERROR, PREFACE, PROTOCOL_ERROR, SETTINGS, ca, clear, counters, frame, secure,
                   tls, vip_of)
from lbdtest import Origin, Reader, http_answer, serve_http, talk, wait_until
from test_proxy_tls import context


def curl(*args):
    r = subprocess.run(["curl", "-sS", "-w", "\n%{http_version} %{http_code}", *map(str, args)], capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr
    body, _, end = r.stdout.rpartition(b"\n")
    return body, end.decode()


def resolved(vip, ca):
    return "--cacert", ca.pem, "--resolve", f"{HOST}:{vip.port}:{vip.address}", f"https://{HOST}:{vip.port}/x"


# ---- clients as they are ------------------------------------------------------------------------------------------------

def test_alpn(lb, secure, ca):
    """A047: curl speaks HTTP/2 where it is offered, HTTP/1.1 where the client or the service does not want it."""
    vip, o = secure
    body, end = curl("--http2", "-d", "hello", *resolved(vip, ca))
    assert end == "2 200" and json.loads(body)["method"] == "POST" and o.requests[0]["body"] == "hello"
    assert curl("--http1.1", *resolved(vip, ca))[1] == "1.1 200"
    lb.ctl("set", "vip", vip.name, "http2=no")
    wait_until(lambda: curl("--http2", *resolved(vip, ca))[1] == "1.1 200")


def test_prior_knowledge(lb, clear):
    """A049: in clear by prior knowledge, at the port where HTTP/1.1 is served too."""
    vip, o = clear
    url = f"http://{vip.address}:{vip.port}/y?z=1"
    assert curl("--http2-prior-knowledge", url)[1] == "2 200"
    assert curl(url)[1] == "1.1 200"
    assert curl("--http2", url)[1] == "1.1 200"  # Upgrade: h2c is no more (RFC 9113)
    r = subprocess.run(["nghttp", "-v", url], capture_output=True, text=True, timeout=60)
    assert ":status: 200" in r.stdout
    assert [q["target"] for q in o.requests] == ["/y?z=1"] * 4


def test_limit_bandwidth(lb, clear):
    """A071: a rule holds back the connection as long as the answer lasts that it is for."""
    vip, o = clear
    o.answer = lambda q: http_answer(b"x" * 1_500_000)
    lb.ctl("create", "rule", f"{vip.name}/slow", "when=path is /slow", "on=answer", "action=limit_bandwidth", "rate=750K")

    with H2(vip, timeout=30) as h:
        def took(path):
            start = time.monotonic()
            assert len(h.get(path).body) == 1_500_000
            return time.monotonic() - start
        wait_until(lambda: took("/slow") > 1)
        slow = took("/slow")
        assert took("/free") < slow / 2 and took("/slow") > 1


def test_off_in_clear(lb, origins, request):
    o, = origins("o")
    vip = vip_of(lb, request, o)
    assert talk(vip, PREFACE).startswith(b"HTTP/1.1 505 ")


def test_preface_in_pieces(clear):
    vip, _ = clear
    with vip.connect() as s:
        for b in PREFACE:
            s.sendall(bytes([b]))
        s.sendall(frame(SETTINGS))
        assert s.recv(9)[3] == SETTINGS
    assert talk(vip, PREFACE[:10] + b"x" * 14 + b"\r\n\r\n").startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("what", ["h2c", "https"])
def test_h2load(lb, tls, origins, request, what):
    """Thousands of requests, 32 at once on each of 8 connections, none fails; the server's connections are pooled."""
    o, = origins("o")
    vip = vip_of(lb, request, o, **({"h2c": "yes"} if what == "h2c" else {"tls": "base"}))
    url = f"{'http' if what == 'h2c' else 'https'}://{vip.address}:{vip.port}/"
    r = subprocess.run(["h2load", "-n", "4000", "-c", "8", "-m", "32", url], capture_output=True, text=True, timeout=120)
    assert "4000 succeeded, 0 failed, 0 errored" in r.stdout, r.stdout
    assert o.accepted <= 8 * 32
    n = counters(lb, vip)
    assert n["requests_total"] == 4000 and n["http_2xx"] == 4000 and n["conns_total"] == 8


# ---- what the server sees, and what the client does ----------------------------------------------------------------------

def test_heads(lb, secure, ca):
    """Host from :authority, crumbs of a cookie joined, hop-by-hop nothing; X-Forwarded-* as for HTTP/1.1; Via tells 2.0."""
    vip, o = secure
    lb.ctl("set", "vip", vip.name, "x_forwarded=yes", "via=yes", "forwarded=yes")
    o.answer = lambda q: http_answer(b"x", "200 OK", "X-Mixed-CASE: Value", "Set-Cookie: a=1", "Set-Cookie: b=2", "Keep-Alive: 5")

    def asked():
        with H2(vip, context(ca)) as h:
            a = h.get("/p?q", "GET", ("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2"), ("te", "trailers"), ("host", HOST))
        return a if "via" in dict(o.requests[-1]["fields"]) else None
    a = wait_until(asked)
    q = o.requests[-1]
    assert q["target"] == "/p?q" and q["version"] == "HTTP/1.1"
    assert [f for f in q["fields"] if f[0] in ("host", "cookie", "te", "connection", "x-a", "transfer-encoding", "via")] == [
        ("host", HOST), ("x-a", "1"), ("cookie", "a=1; b=2"), ("via", "2.0 lbd")]
    assert dict(q["fields"])["x-forwarded-proto"] == "https" and dict(q["fields"])["x-forwarded-host"] == HOST
    assert a.status == 200 and [f for f in a.fields if f[0] != ":status"] == [
        ("content-length", "1"), ("x-mixed-case", "Value"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]


def test_cookie_persistence(lb, origins, request):
    """What the core does for HTTP/1.1 it does for streams: persistence by our cookie."""
    a, b = origins("a", "b")
    vip = vip_of(lb, request, a, b, h2c="yes", persistence="cookie", scheduler="rr")
    with H2(vip) as h:
        first = h.get()
        cookie = first["set-cookie"].partition(";")[0]
        for _ in range(6):
            assert h.get("/", "GET", ("cookie", "x=1"), ("cookie", cookie))["x-server"] == first["x-server"]
    server = a if first["x-server"] == "a" else b
    assert dict(server.requests[-1]["fields"])["cookie"] == "x=1"


def test_access_log(lb, origins, request):
    o, = origins("o")
    path = lb.root / "var/log/lbd/access.log"
    vip = vip_of(lb, request, o, h2c="yes", log="combined")
    with H2(vip) as h:
        assert h.get("/logged").status == 200
    wait_until(lambda: path.exists() and '"GET /logged HTTP/2.0" 200' in path.read_text())


def test_redirect_and_refusals(lb, origins, request):
    o, = origins("o")
    vip = vip_of(lb, request, o, h2c="yes", https_redirect=308)
    with H2(vip) as h:
        a = h.get("/x")
        assert a.status == 308 and a["location"] == f"https://{HOST}/x"
        assert h.get("/y").status == 308  # an answer of our own does not end the connection
    for wrong in ({"mode": "tcp", "h2c": "yes"}, {"tls": "base", "h2c": "yes"}):
        r = lb.ctl("create", "vip", "wrong", f"address={vip.address}", "ports=1", *(f"{k}={v}" for k, v in wrong.items()), check=False)
        assert r.returncode != 0 and "h2c" in r.stderr


def test_no_server(lb, request):
    vip = vip_of(lb, request, h2c="yes")
    with H2(vip) as h:
        assert h.get().status == 503 and h.get().status == 503


def test_100_streams(secure, ca):
    """A hundred at once on one connection, answered as their servers answer, the last first."""
    vip, o = secure
    gate = threading.Event()
    held = []

    def answer(q):
        held.append(q["target"])
        if q["target"] != "/99":
            assert gate.wait(20)
        return http_answer(q["target"].encode() * 1000)
    o.answer = answer
    with H2(vip, context(ca)) as h:
        ids = [h.request(f"/{i}", now=False) for i in range(100)]
        h.flush()
        assert h.answer(ids[99]).body == b"/99" * 1000
        wait_until(lambda: len(held) == 100)
        gate.set()
        for i, n in enumerate(ids):
            assert h.answer(n).body == f"/{i}".encode() * 1000


@pytest.mark.parametrize("how", ["length", "chunked", "close"])
@pytest.mark.parametrize("what", ["clear", "tls"])
def test_large_answers(lb, tls, origins, request, ca, how, what):
    body = os.urandom(1 << 20) * 3 + b"end"
    o, = origins("o")

    def handle(c, _):
        r = Reader(c)
        while r.head():
            if how == "length":
                c.sendall(http_answer(body))
            elif how == "chunked":
                c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for i in range(0, len(body), 99991):
                    piece = body[i:i + 99991]
                    c.sendall(f"{len(piece):x};e=1\r\n".encode() + piece + b"\r\n")
                c.sendall(b"0\r\n\r\n")
            else:
                c.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + body)
                return
    o.handle = handle
    vip = vip_of(lb, request, o, **({"h2c": "yes"} if what == "clear" else {"tls": "base"}))
    with H2(vip, context(ca) if what == "tls" else None) as h:
        ids = [h.request() for _ in range(3)]
        for n in ids:
            a = h.answer(n)
            assert a.status == 200 and a.ended and a.body == body
            assert a["transfer-encoding"] is None


@pytest.mark.parametrize("length", [True, False])
def test_large_bodies(clear, length):
    """Up: with a length, and without: chunked at the server. Much more than the windows."""
    vip, o = clear
    body = os.urandom(1 << 20) * 5 + b"end"
    with H2(vip) as h:
        ids = []
        for _ in range(2):
            n = h.request("/", "POST", *([("content-length", str(len(body)))] if length else []), end=False)
            h.data(n, body, end=True)
            ids.append(n)
        assert all(h.answer(n).status == 200 for n in ids)
    for q in o.requests:
        assert q["body"].encode("latin-1") == body
        assert ("transfer-encoding", "chunked") in q["fields"] or length


def test_small_frames(clear):
    """Frames of a byte become no chunks of a byte."""
    vip, o = clear
    with H2(vip) as h:
        n = h.request("/", "POST", end=False)
        for i in range(900):
            h.h.send_data(n, b"x")
        h.h.end_stream(n)
        h.flush()
        assert h.answer(n).status == 200
    assert o.requests[0]["body"] == "x" * 900
    assert len(o.raw[0]) < 2000


def test_slow_reader(clear):
    """A stream whose window stays closed holds up nobody, and the proxy keeps little of it."""
    vip, o = clear
    o.answer = lambda q: http_answer(b"y" * ((8 << 20) if q["target"] == "/large" else 5))
    with H2(vip, hold=True, window=65535) as h:
        large = h.request("/large")
        h.until(lambda: len(h.answers[large].body) == 65535)
        h.h.increment_flow_control_window(1 << 24)
        h.flush()
        for i in range(20):
            assert h.get(f"/{i}").body == b"yyyyy"
        assert len(h.answers[large].body) == 65535
        h.h.increment_flow_control_window(1 << 24, large)
        h.flush()
        assert len(h.answer(large).body) == 8 << 20


def test_slow_server(lb, closing, request):
    """A server that does not take a body stops that stream at its window; others go on."""
    gate = threading.Event()

    def handle(c, o):
        r = Reader(c)
        line, fields, _ = r.head()
        if line.startswith("POST"):
            assert gate.wait(30)
        r.body(fields)
        c.sendall(http_answer(b"done"))
        serve_http(c, o)
    o = closing(Origin("o", handle))
    o.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    vip = vip_of(lb, request, o, h2c="yes")
    with H2(vip) as h:
        n = h.request("/", "POST", end=False)
        sent = 0
        while sent < 64 << 20:
            room = min(h.h.local_flow_control_window(n), 16384)
            if room == 0:
                # no window for this stream while another request comes and goes twice: it is at its limit
                assert h.get("/other").status == 200
                if h.h.local_flow_control_window(n) == 0:
                    assert h.get("/other").status == 200
                    if h.h.local_flow_control_window(n) == 0:
                        break
                continue
            h.h.send_data(n, b"z" * room)
            h.flush()
            sent += room
        assert sent < 64 << 20
        gate.set()
        h.data(n, b"", end=True)
        assert h.answer(n).body == b"done"


def test_trailers(lb, closing, request):
    """Both ways; fields that do not belong there are left out of an answer, and refused in a request."""
    seen = []

    def handle(c, _):
        r = Reader(c)
        while head := r.head():
            if dict(head[1]).get("transfer-encoding"):
                while line := r.until(b"\r\n"):
                    size = int(line, 16)
                    if size == 0:
                        break
                    r.exactly(size + 2)
                while (line := r.until(b"\r\n")) not in (b"\r\n", None):
                    seen.append(line)
            c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-Two:  b \r\n\r\n")
    vip = vip_of(lb, request, closing(Origin("o", handle)), h2c="yes")
    with H2(vip) as h:
        n = h.request("/", "POST", end=False)
        h.data(n, b"abc", now=False)
        h.h.send_headers(n, [("x-check", "7")], end_stream=True)
        h.flush()
        a = h.answer(n)
        assert a.body == b"hello" and a.ended and a.trailers == {"x-sum": "42", "x-two": "b"}
        assert seen == [b"x-check: 7\r\n"]
        n = h.request("/", "POST", end=False)
        h.h.send_headers(n, [("content-length", "7")], end_stream=True)
        h.flush()
        a = h.answer(n)
        assert a.status == 400 or a.reset == PROTOCOL_ERROR
        n = h.request("/", "POST", end=False)
        h.h.send_headers(n, [("connection", "x-a")], end_stream=True)
        h.flush()
        assert h.answer(n).reset == PROTOCOL_ERROR
        assert h.get().status == 200
    assert len(seen) == 1


def test_interim(lb, closing, request):
    """100-continue and 103 on their way, then the answer."""
    def handle(c, _):
        r = Reader(c)
        _, fields, _ = r.head()
        assert ("expect", "100-continue") in fields
        c.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        body = r.body(fields)
        c.sendall(http_answer(body))
    vip = vip_of(lb, request, closing(Origin("o", handle)), h2c="yes")
    with H2(vip) as h:
        n = h.request("/", "POST", ("expect", "100-continue"), ("content-length", "4"), end=False)
        h.until(lambda: 100 in h.answers[n].interim)
        h.data(n, b"body", end=True)
        a = h.answer(n)
        assert a.interim == [103, 100] and a.status == 200 and a.body == b"body"


def test_no_body(clear):
    vip, o = clear
    with H2(vip) as h:
        a = h.get("/", "HEAD")
        assert a.status == 200 and a.ended and a.body == b"" and int(a["content-length"]) > 0
        for status in ("204 No Content", "304 Not Modified"):
            o.answer = lambda q: f"HTTP/1.1 {status}\r\nX-A: b\r\n\r\n".encode()
            a = h.get()
            assert a.status == int(status[:3]) and a.ended and a.body == b"" and a["x-a"] == "b"
        o.answer = lambda q: http_answer(b"")
        assert h.get().ended
        assert h.get("/", "POST", body=b"").status == 200
        assert h.get("/", "POST", end=True).status == 200
        assert dict(o.requests[-1]["fields"])["content-length"] == "0"


def test_early_answer(lb, closing, request):
    """A server that answers before it has read the request: the answer is whole, then the stream is reset without an error."""
    def handle(c, _):
        r = Reader(c)
        if r.head():
            c.sendall(http_answer(b"enough", "413 Content Too Large"))
            c.shutdown(socket.SHUT_WR)
            r.rest()
    vip = vip_of(lb, request, closing(Origin("o", handle)), h2c="yes")
    with H2(vip) as h:
        n = h.request("/", "POST", end=False)
        h.h.send_data(n, b"a" * 1000)
        h.flush()
        a = h.answers[n]
        h.until(lambda: a.reset is not None)
        assert a.status == 413 and a.body == b"enough" and a.ended and a.reset == NO_ERROR


@pytest.mark.parametrize("how", ["length", "chunked", "close"])
def test_server_breaks_off(lb, closing, request, how):
    """Never made to look complete; the connection goes on. Where the end of the connection is the end of the answer, it is."""
    def handle(c, _):
        r = Reader(c)
        r.head()
        field = {"length": b"Content-Length: 100\r\n", "chunked": b"Transfer-Encoding: chunked\r\n", "close": b""}[how]
        c.sendall(b"HTTP/1.1 200 OK\r\n" + field + b"\r\n" + (b"64\r\n" if how == "chunked" else b"") + b"half")
    vip = vip_of(lb, request, closing(Origin("o", handle)), h2c="yes")
    with H2(vip) as h:
        for _ in range(3):
            a = h.get()
            assert a.status == 200 and a.body == b"half"
            assert (a.ended, a.reset) == ((True, None) if how == "close" else (False, INTERNAL_ERROR))


def test_bad_answers(clear):
    """What a server must not say is 502 to the client."""
    vip, o = clear
    with H2(vip) as h:
        for raw in (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n"):
            o.answer = lambda q: raw
            assert h.get().status == 502
