"""HTTP/2 of clients through lbd-proxy: curl, nghttp and h2load, and frames of python3-h2 and by hand (RFC 9113, RFC 8441)."""
import json
import os
import re
import socket
import struct
import subprocess
import threading

import pytest
from h2lib import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, H2, HEADERS, INTERNAL_ERROR, NO_ERROR,
                   PING, PREFACE, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame)
from lbdtest import Origin, Reader, http_answer, serve_http, talk, wait_until
from test_proxy_tls import Authority, bring, context

HOST = "a.example.org"
REQUEST = [(":method", "GET"), (":scheme", "http"), (":authority", HOST), (":path", "/")]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def tls(lb, ca):
    lb.vip("first")
    bring(lb, "a", *ca.sign("a", f"DNS:{HOST}"))
    lb.ctl("create", "tls", "base", "cert=a")
    return ca


def vip_of(lb, request, *origins, **fields):
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")
    return lb.vip(name, *origins, **fields)


@pytest.fixture()
def clear(lb, origins, request):
    """A service without TLS that takes HTTP/2, and its origin."""
    o, = origins("o")
    return vip_of(lb, request, o, h2c="yes"), o


@pytest.fixture()
def secure(lb, tls, origins, request):
    o, = origins("o")
    return vip_of(lb, request, o, tls="base"), o


def curl(*args):
    r = subprocess.run(["curl", "-sS", "-w", "\n%{http_version} %{http_code}", *map(str, args)], capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr
    body, _, end = r.stdout.rpartition(b"\n")
    return body, end.decode()


def resolved(vip, ca):
    return "--cacert", ca.pem, "--resolve", f"{HOST}:{vip.port}:{vip.address}", f"https://{HOST}:{vip.port}/x"


def counters(lb, vip):
    return lb.json("stats", vip.name)[0]


def rows(lb, vip):
    return lb.json("conns", vip.name)


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
                    b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n"):
            o.answer = lambda q: raw
            assert h.get().status == 502


# ---- what a client must not do ---------------------------------------------------------------------------------------------

FORGED = {
    "upper case name": [*REQUEST, ("X-Upper", "1")],
    "connection": [*REQUEST, ("connection", "close")],
    "keep-alive": [*REQUEST, ("keep-alive", "5")],
    "proxy-connection": [*REQUEST, ("proxy-connection", "close")],
    "transfer-encoding": [*REQUEST, ("transfer-encoding", "chunked")],
    "upgrade": [*REQUEST, ("upgrade", "h2c")],
    "te": [*REQUEST, ("te", "gzip")],
    "pseudo behind": [("x-a", "1"), *REQUEST],
    "pseudo last": [*REQUEST[:3], ("x-a", "1"), REQUEST[3]],
    "pseudo unknown": [*REQUEST, (":what", "1")],
    "status": [*REQUEST, (":status", "200")],
    "two methods": [*REQUEST, (":method", "GET")],
    "two paths": [*REQUEST, (":path", "/b")],
    "no method": REQUEST[1:],
    "no path": REQUEST[:3],
    "no scheme": [REQUEST[0], *REQUEST[2:]],
    "path empty": [*REQUEST[:3], (":path", "")],
    "path relative": [*REQUEST[:3], (":path", "a")],
    "path absolute": [*REQUEST[:3], (":path", "http://other/")],
    "path star": [*REQUEST[:3], (":path", "*")],
    "path space": [*REQUEST[:3], (":path", "/a HTTP/1.1\r\nx: y")],
    "path crlf": [*REQUEST[:3], (":path", "/\r\nx: y")],
    "path space alone": [*REQUEST[:3], (":path", "/a b")],
    "method space": [(":method", "GET /x HTTP/1.1\r\nHost: b\r\n\r\nGET"), *REQUEST[1:]],
    "method empty": [(":method", ""), *REQUEST[1:]],
    "scheme other": [REQUEST[0], (":scheme", "h t"), *REQUEST[2:]],
    "authority crlf": [*REQUEST[:2], (":authority", "a\r\nx: y"), REQUEST[3]],
    "authority space": [*REQUEST[:2], (":authority", "a b"), REQUEST[3]],
    "host other": [*REQUEST, ("host", "other")],
    "value crlf": [*REQUEST, ("x-a", "b\r\nx-forged: 1")],
    "value lf": [*REQUEST, ("x-a", "b\nx-forged: 1")],
    "value cr": [*REQUEST, ("x-a", "b\rc")],
    "value nul": [*REQUEST, ("x-a", "b\0c")],
    "value space first": [*REQUEST, ("x-a", " b")],
    "name empty": [*REQUEST, ("", "b")],
    "name colon": [*REQUEST, ("x-a: b\r\ny", "c")],
    "name colon alone": [*REQUEST, ("x:a", "c")],
    "name space": [*REQUEST, ("x a", "c")],
    "name crlf": [*REQUEST, ("x\r\n", "c")],
    "cookie crlf": [*REQUEST, ("cookie", "a=1"), ("cookie", "b\r\nx: y")],
    "length twice": [*REQUEST, ("content-length", "0"), ("content-length", "1")],
    "length bad": [*REQUEST, ("content-length", "-1")],
    "length without body": [*REQUEST, ("content-length", "7")],
    "connect path": [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")],
    "protocol without connect": [*REQUEST, (":protocol", "websocket")],
    "no host": [REQUEST[0], REQUEST[1], REQUEST[3]],
    "two hosts": [REQUEST[0], REQUEST[1], REQUEST[3], ("host", "a"), ("host", "b")],
    "protocol without scheme": [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a"), (":path", "/")],
}


@pytest.mark.parametrize("what", FORGED)
def test_forged(clear, what):
    """RFC 9113 sections 8.1 to 8.3: a stream error, not one byte at the server, and the connection goes on."""
    vip, o = clear
    with H2(vip) as h:
        a = h.answer(h.fields(FORGED[what]))
        assert a.reset == PROTOCOL_ERROR and a.status is None, (a.reset, a.status)
        assert o.requests == []
        assert h.get("/after").status == 200
    assert [q["target"] for q in o.requests] == ["/after"]
    assert all(r.count(b"HTTP/1.1") == 1 for r in o.raw)


REFUSED = {
    "user in authority": ([*REQUEST[:2], (":authority", "u@a"), REQUEST[3]], 400),
    "expect": ([*REQUEST, ("expect", "x")], 417),
    "connect": ([(":method", "CONNECT"), (":authority", "a:1")], 501),
    "protocol": ([(":method", "CONNECT"), (":protocol", "connect-udp"), *REQUEST[1:]], 501),
    "large": ([*REQUEST, ("x-a", "y" * 20000)], 431),
    "long path": ([*REQUEST[:3], (":path", "/" + "y" * 9000)], 414),
    "many": ([*REQUEST, *((f"x-{i}", "y") for i in range(200))], 431),
    "very many": ([*REQUEST, *((f"x-{i}", "y") for i in range(600))], 431),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(lb, clear, what):
    """What the core refuses over HTTP/1.1 it refuses here, in the same words."""
    vip, o = clear
    fields, status = REFUSED[what]
    with H2(vip) as h:
        assert h.answer(h.fields(fields)).status == status
        assert h.get("/after").status == 200
    assert [q["target"] for q in o.requests] == ["/after"]
    assert counters(lb, vip)["bad_requests"] == 1


def test_body_of_another_length(clear):
    """More, or less, than content-length says is a stream error, and the server never has a complete request."""
    vip, o = clear
    for body in (b"12", b"123456"):
        with H2(vip) as h:
            n = h.fields([(":method", "POST"), *REQUEST[1:], ("content-length", "4")], end=False)
            h.raw(frame(DATA, END_STREAM, n, body))
            assert h.answer(n).reset == PROTOCOL_ERROR
            assert h.get("/after").status == 200
    assert [q["target"] for q in o.requests] == ["/after", "/after"]


BROKEN = {
    "data on stream 0": frame(DATA, 0, 0, b"x"),
    "headers on stream 0": frame(HEADERS, END_HEADERS, 0, b"\x82"),
    "even stream": frame(HEADERS, END_HEADERS | END_STREAM, 2, b"\x82\x84\x86"),
    "settings of 5 bytes": frame(SETTINGS, 0, 0, b"12345"),
    "settings ack with payload": frame(SETTINGS, ACK, 0, b"123456"),
    "ping of 7 bytes": frame(PING, 0, 0, b"1234567"),
    "window update of 0": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
    "window too large": frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
    "continuation alone": frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
    "headers not continued": frame(HEADERS, 0, 1, b"\x82") + frame(PING, 0, 0, b"12345678"),
    "bad hpack": frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff"),
    "index 0": frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80"),
    "frame too large": struct.pack("!I", 1 << 20)[1:] + b"\0\0\0\0\0\1",
    "reset of an idle stream": frame(RST_STREAM, 0, 1, b"\0\0\0\0"),
    "push promise": frame(5, END_HEADERS, 1, b"\0\0\0\2\x82"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_connection_errors(clear, what):
    """RFC 9113 section 5.4.1: GOAWAY with an error, and the end; nothing reaches a server."""
    vip, o = clear
    with H2(vip) as h:
        h.raw(BROKEN[what])
        assert h.ended() not in (None, NO_ERROR)
    assert o.raw == []


def test_bad_preface(lb, secure, ca):
    vip, o = secure
    ctx = context(ca)
    ctx.set_alpn_protocols(["h2"])
    with ctx.wrap_socket(vip.connect(), server_hostname=HOST) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while s.recv(4096):
            pass
    assert o.raw == [] and counters(lb, vip)["bad_requests"] == 1


FLOODS = {
    "ping": frame(PING, 0, 0, b"12345678"),
    "settings": frame(SETTINGS),
    "priority": frame(PRIORITY, 0, 1, b"\0\0\0\0\1"),
    "window update": frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
}


@pytest.mark.parametrize("what", FLOODS)
def test_floods(clear, what):
    vip, _ = clear
    with H2(vip) as h:
        h.step()
        try:
            for _ in range(100):
                h.raw(FLOODS[what] * 100)
        except ConnectionError:
            pass
        assert h.ended() in (ENHANCE_YOUR_CALM, None) and h.closed
    with H2(vip) as h:  # and what is allowed is allowed
        h.raw(FLOODS[what] * 500)
        assert h.get().status == 200


def test_empty_data(lb, closing, request):
    vip = vip_of(lb, request, closing(Origin("o", lambda c, _: Reader(c).rest())), h2c="yes")
    with H2(vip) as h:
        n = h.request("/", "POST", end=False)
        h.raw(frame(DATA, 0, n) * 2000)
        assert h.ended() == ENHANCE_YOUR_CALM


def test_continuations(clear):
    """CVE-2024-24549 and its like: a head of endless CONTINUATION frames."""
    vip, _ = clear
    with H2(vip) as h:
        h.raw(frame(HEADERS, END_STREAM, 1, b"\x82\x84\x86"))
        try:
            for _ in range(1000):
                h.raw(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100))
        except ConnectionError:
            pass
        assert h.ended() in (ENHANCE_YOUR_CALM, None) and h.closed


def test_rapid_reset(lb, closing, request):
    """CVE-2023-44487: requests that are reset at once. What has reached a server is ended there too; then the client is told."""
    def handle(c, _):
        Reader(c).rest()
    o = closing(Origin("o", handle))
    vip = vip_of(lb, request, o, h2c="yes")
    with H2(vip) as h:
        try:
            for _ in range(40):
                ids = [h.request(now=False) for _ in range(10)]
                for n in ids:
                    h.h.reset_stream(n, CANCEL)
                h.flush()
        except ConnectionError:
            pass
        assert h.ended() in (ENHANCE_YOUR_CALM, None) and h.closed
    wait_until(lambda: not o.open)
    wait_until(lambda: counters(lb, vip)["conns"] == 0)


def test_cancel(lb, closing, request):
    """A client that gives up some of its requests is no attacker; the server's connection ends with the request."""
    def handle(c, _):
        r = Reader(c)
        line, _, _ = r.head()
        if "/wait" in line:
            r.rest()
        else:
            c.sendall(http_answer(b"x"))
    o = closing(Origin("o", handle))
    vip = vip_of(lb, request, o, h2c="yes")
    with H2(vip) as h:
        for _ in range(30):
            ids = [h.request("/wait") for _ in range(10)]
            wait_until(lambda: len(o.open) >= 10)
            for n in ids:
                h.h.reset_stream(n, CANCEL)
            h.flush()
            for _ in range(10):
                assert h.get("/").status == 200
            wait_until(lambda: not o.open)
    n = counters(lb, vip)
    assert n["client_aborts"] == 300 and n["http_2xx"] == 300


def test_too_many_streams(lb, closing, request):
    gate = threading.Event()

    def handle(c, _):
        Reader(c).head()
        gate.wait(30)
        c.sendall(http_answer(b"x"))
    vip = vip_of(lb, request, closing(Origin("o", handle)), h2c="yes", http2_streams=5)
    with H2(vip) as h:
        h.until(lambda: h.h.remote_settings.max_concurrent_streams == 5)
        h.h.remote_settings[3] = 1000  # the client does not care
        h.h.remote_settings.acknowledge()
        ids = [h.request() for _ in range(5)]
        wait_until(lambda: len(rows(lb, vip)) == 6)
        n = h.request()
        try:
            h.until(lambda: h.answers[n].reset is not None or h.goaway is not None)
        except AssertionError:
            pass
        assert h.answers[n].reset == REFUSED_STREAM or h.goaway is not None or h.closed
        gate.set()
        assert ids


# ---- times -------------------------------------------------------------------------------------------------------------------

def test_timeouts(lb, origins, request):
    """A connection without a request, one that is idle, one whose head does not end, one whose window stays closed."""
    o, = origins("o")
    vip = vip_of(lb, request, o, h2c="yes", request_timeout="500ms", keep_timeout="400ms", client_timeout="700ms")
    o.answer = lambda q: http_answer(b"x" * (1 << 20) if q["target"] == "/large" else b"x")
    with H2(vip) as h:
        assert h.ended() == NO_ERROR
    with H2(vip) as h:
        assert h.get().status == 200
        assert h.ended() == NO_ERROR
    with H2(vip) as h:
        assert h.get().status == 200
        h.raw(frame(HEADERS, END_STREAM, 3, b"\x82"))
        assert h.ended() == NO_ERROR
    with H2(vip, hold=True, window=1000) as h:
        a = h.answer(h.request("/large"))
        assert len(a.body) == 1000 and a.reset == INTERNAL_ERROR
        assert h.get().status == 200


def test_body_stalls(clear, lb):
    vip, _ = clear
    lb.ctl("set", "vip", vip.name, "client_timeout=300ms")

    def stalled():
        with H2(vip) as h:
            a = h.answer(h.request("/", "POST", ("content-length", "5"), end=False))
            return a.status == 408
    wait_until(stalled)


def test_socket_stalls(lb, origins, request):
    """A client that reads no byte more: it ends after client_timeout, with all its streams."""
    o, = origins("o")
    vip = vip_of(lb, request, o, h2c="yes", client_timeout="500ms")
    o.answer = lambda q: http_answer(b"x" * (16 << 20))
    with H2(vip, rcvbuf=4096, window=(1 << 31) - 1) as h:
        h.h.increment_flow_control_window(1 << 30)
        h.flush()
        for _ in range(4):
            h.request()
        wait_until(lambda: counters(lb, vip)["conns"] == 1)
        wait_until(lambda: counters(lb, vip)["conns"] == 0)
    wait_until(lambda: not rows(lb, vip))


# ---- WebSocket ------------------------------------------------------------------------------------------------------------------

def upgrade_server(c, _):
    """Takes an upgrade and echoes; anything else is 403."""
    r = Reader(c)
    line, fields, _ = r.head()
    f = dict(fields)
    if f.get("upgrade") != "websocket" or f.get("connection") != "Upgrade" or "/no" in line:
        c.sendall(http_answer(b"no", "403 Forbidden"))
        return
    assert line.startswith("GET /chat?x HTTP/1.1") and len(f["sec-websocket-key"]) == 24 and f["sec-websocket-version"] == "13"
    c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n"
              b"Sec-WebSocket-Protocol: chat\r\n\r\nhello")
    while got := c.recv(65536):
        c.sendall(got)
    c.sendall(b"bye")


WEBSOCKET = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/chat?x"), (":authority", HOST),
             ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")]


def test_websocket(lb, tls, closing, request, ca):
    """RFC 8441: extended CONNECT becomes an upgrade, 101 becomes 200, DATA is the tunnel, beside other streams."""
    vip = vip_of(lb, request, closing(Origin("o", upgrade_server)), tls="base")
    with H2(vip, context(ca)) as h:
        h.until(lambda: h.h.remote_settings.enable_connect_protocol == 1)
        n = h.fields(WEBSOCKET, end=False)
        a = h.answers[n]
        h.until(lambda: a.body == b"hello")
        assert a.status == 200 and dict(a.fields) == {":status": "200", "sec-websocket-protocol": "chat"}
        blob = os.urandom(300000)
        h.data(n, blob)
        h.until(lambda: a.body == b"hello" + blob)
        assert [r["state"] for r in rows(lb, vip)] == ["http2", "h2 tunnel"]
        assert h.get("/other").status == 403
        h.data(n, b"", end=True)
        h.answer(n)
        assert a.ended and a.reset is None and a.body == b"hello" + blob + b"bye"
        n = h.fields([*WEBSOCKET[:3], (":path", "/no"), *WEBSOCKET[4:]], end=False)
        a = h.answer(n)
        assert a.status == 403 and a.body == b"no"


def test_websocket_reset(lb, closing, request):
    o = closing(Origin("o", upgrade_server))
    vip = vip_of(lb, request, o, h2c="yes")
    with H2(vip) as h:
        n = h.fields(WEBSOCKET, end=False)
        h.until(lambda: h.answers[n].body == b"hello")
        h.h.reset_stream(n, CANCEL)
        h.flush()
        wait_until(lambda: not o.open)
        n = h.fields(WEBSOCKET, end=False)
        h.until(lambda: h.answers[n].body == b"hello")
        for c in list(o.open):
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.shutdown(socket.SHUT_RD)
            c.close()
        assert h.answer(n).reset is not None or h.answers[n].ended


# ---- operating ----------------------------------------------------------------------------------------------------------------------

def holding(lb, closing, request, **fields):
    """A service whose server answers /wait when .gate is set."""
    gate = threading.Event()

    def handle(c, o):
        r = Reader(c)
        while head := r.head():
            if "/wait" in head[0]:
                gate.wait(60)
            c.sendall(http_answer(b"x"))
    o = closing(Origin("o", handle))
    o.gate = gate
    return vip_of(lb, request, o, h2c="yes", **fields), o


def test_conns_and_kill(lb, closing, request):
    """A row for the connection, one for each stream; a stream is killed alone, a connection with all of its streams."""
    vip, o = holding(lb, closing, request)
    with H2(vip) as h:
        ids = [h.request("/wait") for _ in range(3)]
        seen = wait_until(lambda: len(rows(lb, vip)) == 4 and rows(lb, vip))
        wait_until(lambda: [r["state"] for r in rows(lb, vip)] == ["http2", "h2 wait", "h2 wait", "h2 wait"])
        assert {r["client"] for r in seen} == {f"127.0.0.1:{h.s.getsockname()[1]}"}
        lb.ctl("conns", "kill", seen[1]["id"])
        assert h.answer(ids[0]).reset is not None
        assert len(rows(lb, vip)) == 3
        lb.ctl("conns", "kill", seen[0]["id"])
        h.ended()
        assert h.closed and not rows(lb, vip)
    with H2(vip) as h:
        h.request("/wait")
        wait_until(lambda: [r["state"] for r in rows(lb, vip)] == ["http2", "h2 wait"])
        lb.ctl("conns", "kill", "--client", "127.0.0.1")
        h.ended()
    with H2(vip) as h:
        n = h.request("/wait")
        wait_until(lambda: [r["state"] for r in rows(lb, vip)] == ["http2", "h2 wait"])
        lb.ctl("halt", f"{vip.name}/o")
        a = h.answer(n)
        assert a.status in (502, 503)
        assert h.get().status == 503  # the connection is the client's, and stays
    o.gate.set()


def test_service_ends(lb, closing, request):
    """A service that is switched off: GOAWAY at once, what is in flight is answered, then the connection ends."""
    vip, o = holding(lb, closing, request)
    with H2(vip) as idle, H2(vip) as h:
        assert idle.get().status == 200
        n = h.request("/wait")
        wait_until(lambda: "h2 wait" in [r["state"] for r in rows(lb, vip)])
        lb.ctl("set", "vip", vip.name, "enabled=no")
        h.until(lambda: h.goaway == NO_ERROR)
        assert idle.ended() == NO_ERROR
        o.gate.set()
        a = h.answer(n)
        assert a.status == 200 and a.body == b"x"
        h.ended()
        assert h.closed


def test_live_view(lb, closing, request):
    """A change of the service reaches the next request of an open connection; none fails."""
    vip, o = holding(lb, closing, request)
    with H2(vip) as h:
        assert h.get().status == 200
        lb.ctl("set", "vip", vip.name, "https_redirect=307")
        wait_until(lambda: h.get().status == 307)


def test_proxy_header_to_servers(lb, closing, request):
    """Servers learn of the client by a PROXY header, of the connection that carries the stream."""
    def handle(c, o):
        r = Reader(c)
        o.lines = getattr(o, "lines", []) + [r.until(b"\r\n")]
        r.head()
        c.sendall(http_answer(b"x"))
    o = closing(Origin("o", handle))
    vip = vip_of(lb, request, o, h2c="yes", proxy_to="v1")
    with H2(vip) as h:
        assert h.get().status == 200
        assert o.lines == [f"PROXY TCP4 127.0.0.1 {vip.address} {h.s.getsockname()[1]} {vip.port}\r\n".encode()]


def test_queue(lb, closing, request):
    """Streams wait for a place as requests do."""
    vip, o = holding(lb, closing, request)
    lb.ctl("set", "rip", f"{vip.name}/o", "max_conns=1")
    with H2(vip) as h:
        first = h.request("/wait")
        wait_until(lambda: "h2 wait" in [r["state"] for r in rows(lb, vip)])
        others = [h.request("/") for _ in range(5)]
        wait_until(lambda: [r["state"] for r in rows(lb, vip)].count("h2 queue") == 5)
        h.h.reset_stream(others[0], CANCEL)
        h.flush()
        wait_until(lambda: [r["state"] for r in rows(lb, vip)].count("h2 queue") == 4)
        o.gate.set()
        for n in (first, *others[1:]):
            assert h.answer(n).status == 200


def test_stop(lb, closing, request, tmp_path):
    """A daemon that stops ends its connections by GOAWAY."""
    import lbdtest
    one = closing(lbdtest.Lbd(tmp_path / "one", "lbd-proxy")).start()
    vip, o = holding(one, closing, request)
    o.gate.set()
    with H2(vip) as h:
        assert h.get().status == 200
        one.process["lbd-proxy"].terminate()
        assert h.ended() == NO_ERROR
    one.stop()
