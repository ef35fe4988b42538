"""WebSockets to servers of HTTP/2 (extended CONNECT, RFC 8441), of clients of both versions: python3-h2 as the server, and HAProxy
before a server of WebSockets."""
import base64
import hashlib
import os
import socket
import struct

import pytest
from h2lib import CANCEL, GOAWAY, H2, NO_ERROR, PREFACE, counters, frame, ca, rows, tls, vip_of  # noqa: F401
from h2origin import CONNECT_PROTOCOL, H2Origin, serve_h2
from h2peers import haproxy
from lbdtest import Origin, Reader, get, http_answer, serve_http, wait_until

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3
ASKS = (b"Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\n"
        b"Sec-WebSocket-Key: " + KEY + b"\r\n\r\n")


class Old:
    """A WebSocket of a client of HTTP/1.1."""

    def __init__(self, vip, path="/ws", more=b""):
        self.s = vip.connect()
        self.s.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\n" + ASKS + more)
        self.r = Reader(self.s)
        line, self.fields, _ = self.r.head()
        self.status, self.fields = int(line.split()[1]), dict(self.fields)

    def send(self, data):
        self.s.sendall(data)

    def exactly(self, n):
        return self.r.exactly(n)

    def end(self):
        self.s.shutdown(socket.SHUT_WR)

    def over(self):
        """What is left; whether it ended well."""
        out = b""
        try:
            while got := self.r.rest():
                out += got
        except ConnectionError:
            return out, False
        return out, True

    def reset(self):
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.s.close()

    def get(self, vip):
        return get(vip)

    def close(self):
        self.s.close()


class New:
    """One of a client of HTTP/2; h: its connection."""

    def __init__(self, vip, path="/ws", more=b""):
        self.h = H2(vip, timeout=30)
        self.n = self.h.fields([(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path), (":authority", "a"),
                                ("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")], end=False)
        self.a, self.at = self.h.answers[self.n], 0
        if more:
            self.send(more)
        self.h.until(lambda: self.a.status)
        self.status, self.fields = self.a.status, dict(self.a.fields)

    def send(self, data):
        self.h.data(self.n, data)

    def exactly(self, n):
        self.h.until(lambda: len(self.a.body) >= self.at + n)
        self.at += n
        return self.a.body[self.at - n:self.at]

    def end(self):
        self.h.data(self.n, b"", end=True)

    def over(self):
        self.h.answer(self.n)
        return self.a.body[self.at:], self.a.ended

    def reset(self):
        self.h.h.reset_stream(self.n, CANCEL)
        self.h.flush()

    def get(self, vip):
        """A request on the same connection."""
        return self.h.get()

    def close(self):
        self.h.close()


CLIENTS = pytest.mark.parametrize("client", [Old, New], ids=["http-1.1", "http-2"])


def echo_on(o):
    """The server takes every tunnel, and sends back in capitals what comes; what ends it ends."""
    o.early = lambda q: q.head(200, ("sec-websocket-protocol", "chat")) if q[":method"] == "CONNECT" else None
    o.piece = lambda q, data: q.data(data.upper()) if q[":method"] == "CONNECT" else None
    o.respond = lambda q: q.data(b"", end=True) if q[":method"] == "CONNECT" else q.answer(200, b"plain")


@pytest.fixture()
def clear(lb, closing, request):
    """A service that speaks HTTP/2 to a server that takes WebSockets by it, and that server."""
    o = closing(H2Origin("o", settings={CONNECT_PROTOCOL: 1}))
    echo_on(o)
    return vip_of(lb, request, o, h2c="yes", server_http="2", log="json"), o


# ---- a tunnel ------------------------------------------------------------------------------------------------------------

@CLIENTS
def test_tunnel(lb, clear, client, closing):
    """A049: what the server sees, what the client sees, and bytes both ways, beside requests on the same connection."""
    vip, o = clear
    w = closing(client(vip, "/chat?a=b", b"early "))
    assert w.exactly(6) == b"EARLY "
    q = o.asked[0]
    fields = dict(q.fields)
    assert [f for f in q.fields if f[0][0] == ":"] == [
        (":method", "CONNECT"), (":scheme", "http"), (":path", "/chat?a=b"), (":protocol", "websocket"), (":authority", "a")]
    assert fields["sec-websocket-version"] == "13" and fields["sec-websocket-protocol"] == "chat" and fields["x-forwarded-for"]
    assert not {"sec-websocket-key", "upgrade", "connection", "content-length", "transfer-encoding"} & set(fields)
    if client is Old:
        assert w.status == 101 and w.fields["sec-websocket-accept"] == ACCEPT and w.fields["upgrade"] == "websocket"
        assert w.fields["connection"] == "Upgrade"
    else:
        assert w.status == 200 and not {"sec-websocket-accept", "upgrade", "connection"} & set(w.fields)
    assert w.fields["sec-websocket-protocol"] == "chat"
    for i in range(20):
        w.send(b"message %d" % i)
        assert w.exactly(len(b"message %d" % i)) == b"MESSAGE %d" % i
        assert w.get(vip).body == b"plain"
    state = "tunnel" if client is Old else "h2 tunnel"
    row = wait_until(lambda: [r for r in rows(lb, vip) if r["state"] == state])[0]
    assert row["rip"] == f"{vip.name}/o"
    assert not o.errors and (len(o.conns) == 1 or client is Old)
    w.end()
    assert w.over() == (b"", True)
    wait_until(lambda: q.ended)
    assert w.get(vip).body == b"plain" and q.reset is None and (len(o.conns) == 1 or client is Old)
    n = counters(lb, vip)
    assert (n["http_1xx"], n["server_aborts"], n["client_aborts"], n["retries"]) == (1, 0, 0, 0)
    assert n["requests_total"] == n["http_2xx"] + 1
    path = lb.root / "var/log/lbd/access.log"
    line = wait_until(lambda: path.exists() and [x for x in path.read_text().splitlines() if '"/chat?a=b"' in x and vip.name in x],
                      what="its line comes when it ends")
    assert len(line) == 1 and '"status":101' in line[0] and '"rip":"o"' in line[0] and '"state":"----"' in line[0], line


@CLIENTS
def test_much(clear, client, closing):
    """Megabytes both ways, beyond all windows."""
    vip, o = clear
    w = closing(client(vip))
    body = os.urandom(1 << 16).lower()
    for _ in range(40):
        w.send(body)
        assert w.exactly(len(body)) == body.upper()


@CLIENTS
def test_slow_server(clear, client, closing):
    """A server that opens no window holds back the client; what the client does not read holds back the server."""
    vip, o = clear
    o.hold, o.piece = True, None
    w = closing(client(vip))
    q = wait_until(lambda: o.asked and o.asked[0])
    w.send(b"x" * 65535)
    wait_until(lambda: len(q.body) == 65535)
    w.send(b"y" * 1000)
    assert get(vip).body == b"plain"
    assert len(q.body) == 65535
    o.hold = False
    q.conn.call(lambda: q.conn.h.acknowledge_received_data(65535, q.stream))
    wait_until(lambda: len(q.body) == 66535)
    size = 20_000_000
    q.conn.call(lambda: q.data(b"z" * size))
    wait_until(lambda: q.conn.h.local_flow_control_window(q.stream) == 0)
    assert len(q.conn.left[q.stream]) > 5_000_000
    assert w.exactly(size) == b"z" * size


# ---- its end ----------------------------------------------------------------------------------------------------------------

@CLIENTS
def test_client_ends_first(clear, client, closing):
    """Each direction ends by itself; nobody sees a reset."""
    vip, o = clear
    o.respond = None
    w = closing(client(vip))
    w.send(b"last")
    assert w.exactly(4) == b"LAST"
    w.end()
    q = o.asked[0]
    wait_until(lambda: q.ended)
    q.conn.call(lambda: q.data(b"more " * 50_000))
    assert w.exactly(250_000) == b"more " * 50_000
    q.conn.call(lambda: q.data(b"end", end=True))
    assert w.over() == (b"end", True)
    o.respond = lambda q: q.answer(200, b"plain")
    assert get(vip).body == b"plain" and q.reset is None


@CLIENTS
def test_server_ends_first(clear, client, closing):
    vip, o = clear
    o.respond, o.piece = None, None
    w = closing(client(vip))
    q = o.asked[0]
    q.conn.call(lambda: q.data(b"bye", end=True))
    assert w.exactly(3) == b"bye"
    w.send(b"still " * 50_000)
    wait_until(lambda: len(q.body) == 300_000)
    w.send(b"here")
    w.end()
    wait_until(lambda: q.ended)
    assert q.body.endswith(b"still here") and w.over() == (b"", True)
    o.respond = lambda q: q.answer(200, b"plain")
    assert get(vip).body == b"plain" and q.reset is None


@CLIENTS
def test_server_ends_and_wants_no_more(clear, client, closing):
    """END_STREAM and then RST_STREAM without an error: the client has all that was said, and what it says then ends it."""
    vip, o = clear
    w = closing(client(vip))
    q = o.asked[0]
    q.conn.call(lambda: (q.data(b"all of it" * 1000, end=True), q.conn.h.reset_stream(q.stream, NO_ERROR)))
    assert w.exactly(9000) == b"all of it" * 1000
    assert w.over()[0] == b""
    assert w.get(vip).body == b"plain" and not q.conn.over


@CLIENTS
def test_client_resets(lb, clear, client, closing):
    vip, o = clear
    w = closing(client(vip))
    w.send(b"a")
    assert w.exactly(1) == b"A"
    w.reset()
    wait_until(lambda: o.asked[0].reset == CANCEL)
    wait_until(lambda: counters(lb, vip)["client_aborts"] == 1)
    assert w.get(vip).body == b"plain" and not o.conns[0].over


@CLIENTS
@pytest.mark.parametrize("how", ["reset", "close", "goaway"])
def test_server_breaks(lb, clear, client, closing, how):
    """A server that resets a tunnel, or its connection, ends it for the client; one that says goodbye lets it go on."""
    vip, o = clear
    w = closing(client(vip))
    w.send(b"a")
    assert w.exactly(1) == b"A"
    q = o.asked[0]
    if how == "goaway":
        q.conn.call(lambda: q.conn.raw(frame(GOAWAY, 0, 0, struct.pack("!II", q.stream, NO_ERROR))))
        assert w.get(vip).body == b"plain" and len(o.conns) == 2
        w.send(b"b")
        assert w.exactly(1) == b"B"
        w.end()
        assert w.over() == (b"", True)
        wait_until(lambda: q.conn.over)
        return
    q.conn.call((lambda: q.conn.h.reset_stream(q.stream, 2)) if how == "reset" else q.conn.close)
    assert w.over() == (b"", False)
    assert counters(lb, vip)["server_aborts"] == 1


@CLIENTS
def test_silence(lb, clear, client, closing):
    """tunnel_timeout ends what is silent both ways, at both ends; its line says so."""
    vip, o = clear
    lb.ctl("set", "vip", vip.name, "tunnel_timeout=1500ms", "log=haproxy")
    def timed():
        w = client(vip, "/silent")
        lines = [x for x in path.read_text().splitlines() if vip.name in x and "/silent" in x] if path.exists() else []
        w.over()
        return w if lines else w.close()
    path = lb.root / "var/log/lbd/access.log"
    closing(wait_until(timed, timeout=30))
    wait_until(lambda: all(q.reset is not None for q in o.asked))
    assert " cD" in [x for x in path.read_text().splitlines() if vip.name in x and "/silent" in x][0]


@CLIENTS
def test_halt_and_kill(lb, clear, client, closing):
    """An order of the operator ends a tunnel; the server hears of it."""
    vip, o = clear
    w = closing(client(vip))
    state = "tunnel" if client is Old else "h2 tunnel"
    row = wait_until(lambda: [r for r in rows(lb, vip) if r["state"] == state])[0]
    lb.ctl("conns", "kill", row["id"])
    assert w.over() == (b"", False)
    wait_until(lambda: o.asked[0].reset == CANCEL)
    w = closing(client(vip))
    lb.ctl("halt", f"{vip.name}/o")
    assert w.over() == (b"", False)
    wait_until(lambda: o.asked[1].reset is not None or o.asked[1].conn.over)


# ---- servers that do not want it --------------------------------------------------------------------------------------------

@CLIENTS
@pytest.mark.parametrize("body", [b"", b"no, " * 1000], ids=["empty", "body"])
def test_refused(lb, clear, client, closing, body):
    """Another answer than 2xx is an answer; the connection of a client goes on."""
    vip, o = clear
    o.early = lambda q: q.answer(403, body, ("x-why", "so")) if q[":method"] == "CONNECT" else None
    o.respond = lambda q: q.answer(200, b"plain") if q[":method"] == "GET" else None
    w = closing(client(vip))
    assert w.status == 403 and w.fields["x-why"] == "so"
    if client is Old:
        assert w.r.body(list(w.fields.items())) == body
        w.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert w.r.head()[0].startswith("HTTP/1.1 200 ")
    else:
        w.h.until(lambda: w.a.ended)
        assert w.a.body == body and w.h.get().status == 200
    n = counters(lb, vip)
    assert n["http_4xx"] == 1 and n["server_aborts"] == 0 and len(o.conns) == 1


def old_websocket(c, o):
    """HTTP/1.1: echoes in capitals behind 101; other requests are answered as ever."""
    r = Reader(c)
    head = r.head()
    if head is None:
        return
    fields = dict(head[1])
    o.requests.append(fields)
    if "upgrade" not in fields:
        c.sendall(http_answer(b"old"))
        return
    accept = base64.b64encode(hashlib.sha1(fields["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\n"
              b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while (got := r.buf) or r.more():
        if got:
            c.sendall(got.upper())
        r.buf = r.buf[len(got):]


def by_first_bytes(c, o):
    """HTTP/2, or HTTP/1.1, in clear."""
    (serve_h2 if c.recv(3, socket.MSG_PEEK) == PREFACE[:3] else old_websocket)(c, o)


@CLIENTS
@pytest.mark.parametrize("before", ["nothing", "a request"])
def test_not_announced(lb, closing, request, client, before):
    """A server that does not take them by HTTP/2 gets them by HTTP/1.1, and is not asked again at once."""
    o = closing(H2Origin("o"))
    o.handle = by_first_bytes
    o.respond = lambda q: q.answer(200, b"plain")
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    wait_until(lambda: lb.json("get", "rip", f"{vip.name}/")[0]["status"].get("counters"), what="lbd-proxy knows the server")
    if before == "a request":
        assert get(vip).body == b"plain"
    for i in range(3):
        w = closing(client(vip, more=b"x%d" % i))
        assert w.status == (101 if client is Old else 200), (w.status, counters(lb, vip))
        assert w.exactly(2) == b"X%d" % i and (client is New or w.fields["sec-websocket-accept"] == ACCEPT)
    assert [q[":method"] for q in o.asked] == ["GET"] * (before == "a request") and not o.errors
    assert len(o.conns) == 1 and len(o.requests) == 3
    assert get(vip).body == b"plain"
    n = counters(lb, vip)
    assert (n["retries"], n["server_aborts"], n["http_1xx"]) == (0, 0, 3)


def test_learned(lb, closing, request):
    """A server that has learned it is believed with its next connection."""
    o = closing(H2Origin("o"))
    o.handle = by_first_bytes
    echo_on(o)
    vip = vip_of(lb, request, o, server_http="2", pool_timeout="100ms")
    closing(Old(vip))
    assert len(o.requests) == 1
    o.settings = {CONNECT_PROTOCOL: 1}
    wait_until(lambda: o.conns[0].over)
    assert get(vip).body == b"plain"
    w = closing(Old(vip, more=b"x"))
    assert w.exactly(1) == b"X" and len(o.requests) == 1 and o.asked[-1][":protocol"] == "websocket"


@pytest.mark.parametrize("fields", [b"Upgrade: chat\r\n", b"Upgrade: websocket\r\n", b"Upgrade: websocket\r\nSec-WebSocket-Key: short\r\n"])
def test_other_upgrades(lb, closing, request, fields):
    """What is not the handshake of a WebSocket goes by HTTP/1.1, as it is."""
    o = closing(H2Origin("o", settings={CONNECT_PROTOCOL: 1}))
    o.handle = lambda c, o: serve_h2(c, o) if c.recv(3, socket.MSG_PEEK) == PREFACE[:3] else serve_http(c, o)
    vip = vip_of(lb, request, o, server_http="2")
    assert get(vip).status == 200
    with vip.connect() as s:
        s.sendall(b"GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" + fields + b"\r\n")
        assert Reader(s).head()[0].startswith("HTTP/1.1 200 ")
    assert len(o.asked) == 1 and dict(o.requests[0]["fields"])["upgrade"] == fields.split(b"\r\n")[0][9:].decode()


# ---- a real peer -----------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certs(ca):  # noqa: F811
    return ca.sign("b", "DNS:b.example.org")


@CLIENTS
@pytest.mark.parametrize("by", ["clear", "tls"])
def test_haproxy(lb, closing, request, tls, certs, tmp_path, client, by):  # noqa: F811
    """HAProxy takes them by HTTP/2, and hands them to a server of HTTP/1.1, which it holds to the handshake."""
    o = closing(Origin("ws", old_websocket))
    peer = closing(haproxy(tmp_path, o, certs=certs if by == "tls" else None))
    vip = vip_of(lb, request, peer, h2c="yes", **({"server_tls": "on", "server_http": "auto"} if by == "tls" else {"server_http": "2"}))
    assert get(vip).body == b"old"
    w = closing(client(vip, more=b"early "))
    assert w.exactly(6) == b"EARLY "
    assert w.status == (101 if client is Old else 200) and w.fields["sec-websocket-protocol"] == "chat"
    assert client is New or w.fields["sec-websocket-accept"] == ACCEPT
    seen = o.requests[-1]
    assert seen["upgrade"] == "websocket" and seen["sec-websocket-version"] == "13" and seen["sec-websocket-key"] != KEY.decode()
    body = os.urandom(100_000).lower()
    for _ in range(10):
        w.send(body)
        assert w.exactly(len(body)) == body.upper()
    assert get(vip).body == b"old"
    w.end()
    assert w.over()[0] == b""
    n = counters(lb, vip)
    assert n["http_1xx"] == 1 and n["retries"] == 0
