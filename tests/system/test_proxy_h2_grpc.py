"""HTTP/2 to servers by TLS, with trailers, and beside HTTP/1.1: what gRPC and WebSockets need."""
import gzip
import json
import struct

import pytest
from h2lib import H2, ca, counters, tls, vip_of
from h2origin import H2Origin, echo
from lbdtest import Reader, get, serve_http, talk, wait_until
from test_proxy_tls import context, trust

GRPC = ("content-type", "application/grpc"), ("te", "trailers")


@pytest.fixture(scope="module")
def certs(ca):
    """(certificate, key) of servers, signed by the authority of the tests."""
    return ca.sign("b", "DNS:b.example.org")


@pytest.fixture()
def origin(closing, certs):
    return lambda name="o", **kw: closing(H2Origin(name, **kw))


# ---- TLS -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", ["2", "auto"])
def test_alpn(lb, tls, ca, origin, certs, request, version):
    """h2 is offered and taken; requests share the connection, and its certificate is verified."""
    o = origin(certs=certs, alpn=["h2", "http/1.1"])
    if version == "2":
        trust(lb, "root", ca)
    vip = vip_of(lb, request, o, tls="base", server_tls="verify", server_ca="root", server_name="b.example.org",
                 server_http=version)
    with H2(vip, context(ca)) as h:
        streams = [h.request(f"/{i}", "POST", body=b"x" * 10_000) for i in range(20)]
        assert {len(json.loads(h.answer(n).body)["body"]) for n in streams} == {10_000}
    assert o.protocols == ["h2"] and o.asked[0][":scheme"] == "https"
    n = counters(lb, vip)
    assert n["requests_total"] == 20 and n["http_2xx"] == 20 and n["retries"] == 0
    lb.ctl("set", "vip", vip.name, "server_name=c.example.org")

    def refused():
        with H2(vip, context(ca)) as h:
            return h.get().status == 503
    wait_until(refused, what="the wrong name is refused")


def test_auto_with_an_old_server(lb, origin, certs, request):
    """auto: a server that takes HTTP/1.1 gets it, whoever waited for the handshake too; it is not asked again at once."""
    o = origin(certs=certs, alpn=["http/1.1"], h1=serve_http)
    vip = vip_of(lb, request, o, h2c="yes", server_tls="on", server_http="auto")
    with H2(vip) as h:
        streams = [h.request(f"/{i}", "POST", body=b"hello") for i in range(10)]
        assert {json.loads(h.answer(n).body)["body"] for n in streams} == {5}
    assert counters(lb, vip)["retries"] == 0
    assert [get(vip).status for _ in range(10)] == [200] * 10
    assert o.protocols.count("http/1.1") == 1 and set(o.protocols) == {"http/1.1", None}


def test_no_http2_by_alpn(lb, origin, certs, request):
    """2: a server that takes only HTTP/1.1 gets no request."""
    o = origin(certs=certs, alpn=["http/1.1"], h1=serve_http)
    vip = vip_of(lb, request, o, server_tls="on", server_http="2", retries=0)
    assert get(vip).status == 503
    assert o.requests == [] and set(o.protocols) <= {None, "http/1.1"}


def test_auto_in_clear(lb, origins, request):
    """auto without TLS is HTTP/1.1."""
    o, = origins("o")
    assert get(vip_of(lb, request, o, server_http="auto")).json["version"] == "HTTP/1.1"


# ---- trailers, and streams both ways ------------------------------------------------------------------------------------

def message(data):
    return b"\0" + struct.pack("!I", len(data)) + data


def test_unary_call(lb, origin, request):
    """A call of gRPC: its message, and the answer with its status in trailers."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    o.respond = lambda q: q.answer(200, q.body, GRPC[0], trailers=[("grpc-status", "0"), ("grpc-message", "fine")])
    with H2(vip) as h:
        a = h.get("/svc.Echo/Say", "POST", *GRPC, body=message(b"hello"))
        assert a.body == message(b"hello") and a.trailers == {"grpc-status": "0", "grpc-message": "fine"}
    assert o.asked[0]["te"] == "trailers" and o.asked[0]["content-type"] == "application/grpc"


def test_call_without_an_answer(lb, origin, request):
    """Trailers alone: one head that ends the stream."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    o.respond = lambda q: q.answer(200, b"", GRPC[0], ("grpc-status", "12"))
    with H2(vip) as h:
        a = h.get("/svc.Echo/None", "POST", *GRPC, body=message(b""))
        assert a["grpc-status"] == "12" and a.body == b"" and a.trailers is None


def test_stream_both_ways(lb, origin, request):
    """Messages go back and forth while both directions are open; each arrives before the next is sent."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    o.early = lambda q: q.head(200, GRPC[0])
    o.piece = lambda q, data: q.data(data)
    o.respond = lambda q: q.data(b"", trailers=[("grpc-status", "0")])
    with H2(vip) as h:
        n = h.request("/svc.Echo/Chat", "POST", *GRPC, end=False)
        h.until(lambda: h.answers[n].status == 200)
        for i in range(50):
            h.data(n, message(b"%d" % i))
            h.until(lambda: h.answers[n].body.endswith(message(b"%d" % i)))
        h.data(n, b"", end=True)
        assert h.answer(n).trailers == {"grpc-status": "0"}
    assert lb.json("stats", vip.name)[0]["server_aborts"] == 0


def test_server_ends_first(lb, origin, request):
    """An answer that is whole before the request is: the client has it, and the rest of the request is not wanted."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    o.early = lambda q: q.answer(200, b"enough", trailers=[("grpc-status", "9")])
    o.respond = None
    with H2(vip) as h:
        n = h.request("/svc.Echo/Chat", "POST", *GRPC, end=False)
        a = h.answer(n)
        assert (a.body, a.trailers) == (b"enough", {"grpc-status": "9"})
        wait_until(lambda: o.asked[0].reset is not None)
        assert h.get("/after", "POST", body=b"x").body == b"enough"
    assert len(o.conns) == 1


def test_deadline(lb, origin, request):
    """A client that gives up ends its stream at the server, and no other."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    o.respond = None
    with H2(vip) as h:
        n = h.request("/slow", "POST", *GRPC, body=message(b"x"))
        q = wait_until(lambda: o.asked and o.asked[0])
        h.h.reset_stream(n, 8)
        h.flush()
        wait_until(lambda: q.reset == 8)
        o.respond = echo
        assert h.get("/").status == 200
    assert len(o.conns) == 1


def test_announced_trailers(lb, origin, request):
    """A request has its length and trailers that it announces: the server has them in the length's place; a wrong length ends it."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    o.respond = lambda q: q.answer(200, b"ok")
    with H2(vip) as h:
        for length in (5, 6):
            n = h.request("/", "POST", ("content-length", str(length)), ("trailer", "x-sum"), end=False)
            h.data(n, b"hello")
            h.h.send_headers(n, [("x-sum", "17")], end_stream=True)
            h.flush()
            a = h.answer(n)
            assert a.status == 200 if length == 5 else a.reset is not None
    q = o.asked[0]
    assert q.body == b"hello" and q.trailers == {"x-sum": "17"} and q["trailer"] == "x-sum" and q["content-length"] is None
    assert not any(q.ended for q in o.asked[1:])


def test_trailers_of_http1(lb, origin, request):
    """Trailers of a client of HTTP/1.1 reach the server, those of the answer the client."""
    o = origin()
    vip = vip_of(lb, request, o, server_http="2")
    o.respond = lambda q: q.answer(200, b"ok", trailers=[("x-sum", q.trailers["x-check"])])
    out = talk(vip, b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"5\r\nhello\r\n0\r\nX-Check: 17\r\n\r\n")
    assert out.endswith(b"\r\n\r\n2\r\nok\r\n0\r\nx-sum: 17\r\n\r\n")
    assert o.asked[0].body == b"hello"


@pytest.mark.parametrize("size", [0, 5, 1_000_000])
def test_length_and_trailers(lb, origin, request, size):
    """An answer whose length is told, with trailers: a client of HTTP/2 has both, one of HTTP/1.1 the length."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    body = bytes(range(250)) * 4000
    o.respond = lambda q: q.answer(200, body[:size], ("content-length", str(size)), trailers=[("x-sum", "17"), ("x-two", "b")])
    with H2(vip, timeout=30) as h:
        for n in [h.request() for _ in range(3)]:
            a = h.answer(n)
            assert a["content-length"] == str(size) and a["transfer-encoding"] is None and a.body == body[:size]
            assert a.ended and a.trailers == {"x-sum": "17", "x-two": "b"}
        head = h.get("/", "HEAD")
    assert (head["content-length"], head.body) == (str(size), b"")
    out = talk(vip, b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n")
    head, _, rest = out.partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % size in head + b"\r\n" and b"chunked" not in head and rest == body[:size]
    assert lb.json("stats", vip.name)[0]["server_aborts"] == 0


@pytest.mark.parametrize("sent", [3, 7])
def test_wrong_length_and_trailers(lb, origin, request, sent):
    """A length that the answer does not have is never made good by its trailers."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    o.respond = lambda q: q.answer(200, b"x" * sent, ("content-length", "5"), trailers=[("x-sum", "17")])
    with H2(vip) as h:
        n = h.request()
        h.until(lambda: h.answers[n].ended or h.answers[n].reset is not None)
        a = h.answers[n]
        assert not a.ended and a.reset is not None and a.trailers is None
        o.respond = echo
        assert h.get().status == 200


def test_length_and_trailers_compressed(lb, origin, request):
    """Compression takes the length away, and with its framing the trailers, as from servers of HTTP/1.1."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2", compress="plain", compress_min=0)
    text = b"text " * 1000
    o.respond = lambda q: q.answer(200, text, ("content-type", "text/plain"), ("content-length", str(len(text))),
                                   trailers=[("x-sum", "17")])
    with H2(vip) as h:
        a = h.get("/", "GET", ("accept-encoding", "gzip"))
        assert a["content-encoding"] == "gzip" and a["content-length"] is None and gzip.decompress(a.body) == text
        a = h.get()
        assert a["content-length"] == str(len(text)) and a.body == text and a.trailers == {"x-sum": "17"}


# ---- beside HTTP/1.1 -------------------------------------------------------------------------------------------------------

def test_upgrade(lb, origin, certs, request):
    """A WebSocket goes by a connection of HTTP/1.1, that of a client of HTTP/2 too (RFC 8441)."""
    def websocket(c, o):
        r = Reader(c)
        line, fields, _ = r.head()
        assert ("upgrade", "websocket") in fields
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while True:
            got = c.recv(100)
            if not got:
                return
            c.sendall(got.upper())
    o = origin(certs=certs, alpn=["h2"], h1=websocket)
    vip = vip_of(lb, request, o, h2c="yes", server_tls="on", server_http="auto")
    assert get(vip).status == 200
    with vip.connect() as s:
        s.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n\r\nhello")
        r = Reader(s)
        assert r.head()[0].startswith("HTTP/1.1 101 ") and r.exactly(5) == b"HELLO"
    with H2(vip) as h:
        n = h.fields([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/ws"),
                      (":authority", "a"), ("sec-websocket-version", "13")], end=False)
        h.data(n, b"again")
        h.until(lambda: h.answers[n].body == b"AGAIN")
        assert h.get("/").status == 200
    assert o.protocols.count(None) == 2 and "h2" in o.protocols


def test_checked(lb, request):
    """server_http is for mode http."""
    r = lb.ctl("create", "vip", "checked", "address=127.0.0.1", "ports=1", "mode=tcp", "server_http=2", check=False)
    assert r.returncode != 0 and 'server_http: "2" is not possible in mode tcp; allowed is 1, or mode http' in r.stdout + r.stderr
