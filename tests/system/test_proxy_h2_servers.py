"""HTTP/2 to servers: python3-h2 as the server, clients of both versions (RFC 9113)."""
import collections
import json
import struct
import time

import pytest
from h2lib import CANCEL, GOAWAY, H2, HEADERS, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, counters, frame, vip_of
from h2origin import MAX_STREAMS, H2Origin
from lbdtest import Origin, Reader, get, http_answer, talk, wait_until


@pytest.fixture()
def origin(closing):
    """origin(name, ...): a server of HTTP/2."""
    return lambda name="o", **kw: closing(H2Origin(name, **kw))


@pytest.fixture()
def clear(lb, origin, request):
    """A service that takes HTTP/2 without TLS and speaks it to its server, and that server."""
    o = origin()
    return vip_of(lb, request, o, h2c="yes", server_http="2"), o


def filled(lb, request, *servers, most=1000, **fields):
    """A service whose first server takes all requests, as long as it can."""
    vip = vip_of(lb, request, scheduler="first", server_http="2", wait=False, **fields)
    for o in servers:
        lb.rip(vip, o.name, o.port, max_conns=most)
    wait_until(lambda: get(vip).status == 200)
    for o in servers:
        o.asked.clear()
    return vip


def collect(o):
    """The server answers nothing for now; a list of what it was asked, whole."""
    held = []
    o.respond = held.append
    return held


def answer(q, *args, **kw):
    q.conn.call(lambda: q.answer(*args, **kw))


def raw(q, data):
    q.conn.call(lambda: q.conn.raw(data))


def reset(q, code):
    q.conn.call(lambda: q.conn.h.reset_stream(q.stream, code))


# ---- requests and answers ----------------------------------------------------------------------------------------------

def test_requests(clear):
    """Requests of both versions are streams; what belongs to a hop stays there."""
    vip, o = clear
    a = get(vip, "/a?b=c", headers={"X-Mixed": "Case", "Connection": "close, x-hop", "X-Hop": "1", "TE": "trailers",
                                    "Cookie": "a=1; b=2"})
    assert a.status == 200 and a.json["target"] == "/a?b=c"
    q = o.asked[0]
    assert q.fields[:4] == [(":method", "GET"), (":scheme", "http"), (":path", "/a?b=c"), (":authority", q[":authority"])]
    assert sorted(f for f in q.fields[4:] if f[0] not in ("x-forwarded-for", "accept-encoding")) == [
        ("cookie", "a=1; b=2"), ("te", "trailers"), ("x-mixed", "Case")]
    assert q["x-forwarded-for"]
    assert get(vip, "/p", method="POST", body=b"hello").json["body"] == "hello"
    assert o.asked[1]["content-length"] == "5" and o.asked[1]["te"] is None
    with H2(vip) as h:
        assert json.loads(h.get("/h2").body)["target"] == "/h2"
        assert json.loads(h.get("/p2", "POST", body=b"world").body)["body"] == "world"
    assert len(o.asked) == 4 and not o.errors


def test_kinds_of_answers(clear):
    """No body, unknown length, HEAD, interim answers; HTTP/1.0 reads until the end."""
    vip, o = clear
    kinds = {
        "/204": lambda q: q.answer(204),
        "/304": lambda q: q.answer(304, b"", ("content-length", "7")),
        "/empty": lambda q: q.answer(200),
        "/open": lambda q: q.answer(200, b"open"),
        "/length": lambda q: q.answer(200, b"length", ("content-length", "6")),
        "/103": lambda q: (q.head(103, ("link", "x")), q.answer(200, b"after")),
    }
    o.respond = lambda q: kinds[q[":path"]](q) if q[":method"] == "GET" else q.answer(200, b"", ("content-length", "9"))
    with H2(vip) as h:
        seen = {p: h.get(p) for p in kinds}
        head = h.get("/", "HEAD")
    assert {p: (a.status, a.body) for p, a in seen.items()} == {
        "/204": (204, b""), "/304": (304, b""), "/empty": (200, b""), "/open": (200, b"open"), "/length": (200, b"length"),
        "/103": (200, b"after")}
    assert seen["/103"].interim == [103] and seen["/304"]["content-length"] == "7" and head["content-length"] == "9"
    assert get(vip, "/open").headers["Transfer-Encoding"] == "chunked" and get(vip, "/open").body == b"open"
    assert get(vip, "/empty").headers["Content-Length"] == "0"
    assert talk(vip, b"GET /empty HTTP/1.0\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    old = talk(vip, b"GET /open HTTP/1.0\r\nHost: a\r\n\r\n")
    assert old.startswith(b"HTTP/1.1 200 ") and old.endswith(b"\r\n\r\nopen") and b"chunked" not in old
    assert talk(vip, b"GET /103 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 103 ")


@pytest.mark.parametrize("client", ["1.1", "2"])
def test_large_bodies(clear, client):
    """Megabytes both ways at once, with and without a length."""
    vip, o = clear
    body = bytes(range(256)) * 12000
    o.respond = lambda q: q.answer(200, q.body, *([("content-length", str(len(body)))] if q[":path"] == "/sized" else []))
    for path in ("/sized", "/open"):
        if client == "2":
            with H2(vip, timeout=30) as h:
                assert h.get(path, "POST", body=body).body == body
        else:
            pieces = iter([body[:1_000_000], body[1_000_000:]]) if path == "/open" else body
            headers = {"Transfer-Encoding": "chunked"} if path == "/open" else {}
            assert get(vip, path, method="POST", body=pieces, headers=headers).body == body
    assert not o.errors


def test_slow_server(clear):
    """A server that opens no window gets what its windows allow, and the client is held back soon after that."""
    vip, o = clear
    o.hold = True
    with H2(vip, timeout=30) as h:
        n = h.request("/", "POST", end=False)
        sent = quiet = 0
        while quiet < 3:  # what the proxy's windows allow, as long as they open
            room = min(h.h.local_flow_control_window(n), 16384)
            if room > 0:
                h.data(n, b"x" * room)
                sent += room
                assert sent < 500_000
                continue
            quiet = quiet + 1 if o.most == 65535 else 0
            pings = h.pings
            h.h.ping(b"whatever")
            h.flush()
            h.until(lambda: h.pings > pings)
        assert sent > 65535
        q = o.asked[0]
        o.hold = False
        q.conn.call(lambda: (q.conn.h.acknowledge_received_data(65535, q.stream)))
        h.data(n, b"y" * 100_000, end=True)
        assert len(json.loads(h.answer(n).body)["body"]) == sent + 100_000


def test_slow_client(clear):
    """A client that reads nothing holds back its own answer, and no other."""
    vip, o = clear
    o.respond = lambda q: q.answer(200, b"x" * (20_000_000 if q[":path"] == "/large" else 10))
    with H2(vip, hold=True) as slow, H2(vip) as quick:
        n = slow.request("/large")
        slow.until(lambda: len(slow.answers[n].body) == 65535)
        q = wait_until(lambda: o.asked and o.asked[0])
        wait_until(lambda: q.conn.h.local_flow_control_window(q.stream) == 0)
        assert len(q.conn.left[q.stream]) > 19_000_000
        for _ in range(20):
            assert quick.get("/").body == b"x" * 10
        assert len(q.conn.left[q.stream]) > 19_000_000  # what buffers hold, and no more
    wait_until(lambda: q.reset == CANCEL, what="a client that has gone ends its stream")


# ---- connections ---------------------------------------------------------------------------------------------------------

def test_shared(lb, clear):
    """Requests that are under way at once share a connection; counters count requests and sockets apart."""
    vip, o = clear
    held = collect(o)
    with H2(vip) as h:
        streams = [h.request(f"/{i}") for i in range(50)]
        wait_until(lambda: len(held) == 50)
        assert len(o.conns) == 1
        assert lb.json("conns", vip.name)[-1]["rip"] == "shared/o"
        for q in reversed(held):
            answer(q, 200, q[":path"].encode())
        assert [h.answer(n).body for n in streams] == [b"/%d" % i for i in range(50)]
    def of_rip():
        return lb.json("get", "rip", f"{vip.name}/")[0]["status"]["counters"]
    n = of_rip()
    assert n["requests_total"] == 50 and n["connections_total"] == 1
    wait_until(lambda: of_rip()["pooled_connections"] == 1)


def test_server_limit(lb, origin, request):
    """What a server takes on one connection is kept to, also by those that waited for its first SETTINGS; others are opened."""
    o = origin(settings={MAX_STREAMS: 3})
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    held = collect(o)
    with H2(vip) as h:
        streams = [h.request(f"/{i}", "POST", body=b"b") for i in range(10)]
        wait_until(lambda: len(held) == 10)
        assert max(sum(q.conn is c for q in held) for c in o.conns) == 3
        for q in held:
            answer(q, 200, b"ok")
        assert [h.answer(n).status for n in streams] == [200] * 10
    assert not o.errors and counters(lb, vip)["retries"] == 0


def test_max_conns(lb, origin, request):
    """The server's own limit counts streams, and the queue waits for them."""
    o = origin()
    vip = filled(lb, request, o, h2c="yes", most=2)
    held = collect(o)
    with H2(vip) as h:
        streams = {f"/{i}": h.request(f"/{i}") for i in range(5)}
        wait_until(lambda: len(held) >= 2)
        for i in range(5):
            wait_until(lambda: len(held) > i)
            assert len(held) <= i + 2
            answer(held[i], 200, b"ok")  # two connections need not bring them in their order
            h.answer(streams[held[i][":path"]])
    assert len(held) == 5


def test_idle(lb, origin, request):
    """A connection without streams is kept as long as any, then it is ended with GOAWAY; a new one takes its place."""
    o = origin()
    vip = vip_of(lb, request, o, server_http="2", pool_timeout="100ms")
    assert get(vip).status == 200
    wait_until(lambda: o.conns[0].over)
    assert o.conns[0].goaway == NO_ERROR
    assert get(vip).status == 200 and len(o.conns) == 2


def test_proxy_header(lb, closing, request):
    """With a PROXY header each request has a connection of its own, as it names the client."""
    def headed(c, o):
        head = c.recv(16, 0x100)  # all of it
        o.heads.append(head + c.recv(struct.unpack("!H", head[14:])[0]))
        serve(c, o)
    o = closing(H2Origin("o"))
    serve, o.handle, o.heads = o.handle, headed, []
    vip = vip_of(lb, request, o, h2c="yes", server_http="2", proxy_to="v2")
    with H2(vip) as h:
        assert [h.get(f"/{i}").status for i in range(3)] == [200] * 3
    assert len(o.heads) == 3 and all(x.startswith(b"\r\n\r\n\0\r\nQUIT\n") for x in o.heads)
    wait_until(lambda: all(c.over for c in o.conns))


# ---- servers in trouble --------------------------------------------------------------------------------------------------

def test_goaway(clear):
    """Streams that a server will not look at are asked again on another connection, with their bodies; the others are answered."""
    vip, o = clear
    held = collect(o)
    with H2(vip) as h:
        streams = [h.request(f"/{i}", "POST", body=b"%d" % i) for i in range(6)]
        wait_until(lambda: len(held) == 6)
        first = list(held)
        last = sorted(q.stream for q in first)[2]
        raw(first[0], frame(GOAWAY, 0, 0, struct.pack("!II", last, NO_ERROR)))
        wait_until(lambda: len(held) == 9)
        assert len(o.conns) == 2 and {q.body for q in held[6:]} == {q.body for q in first if q.stream > last}
        for q in held[6:] + [q for q in first if q.stream <= last]:
            answer(q, 200, q.body)
        assert [h.answer(n).body for n in streams] == [b"%d" % i for i in range(6)]


def test_goaway_again_and_again(lb, clear):
    """A server that takes two requests on each connection, whatever comes: each is asked until it is looked at, by whatever method. One
    that takes none is given up."""
    vip, o = clear
    taken = collections.Counter()

    def respond(q):
        taken[q.conn] += 1
        if taken[q.conn] <= most:
            q.answer(200, q.body)
        if taken[q.conn] == max(most, 1):
            q.conn.raw(frame(GOAWAY, 0, 0, struct.pack("!II", q.stream if most else 0, NO_ERROR)))
    o.respond, most = respond, 2
    with H2(vip) as h:
        streams = [h.request(f"/{i}", "POST", body=b"%d" % i) for i in range(16)]
        assert [h.answer(n).body for n in streams] == [b"%d" % i for i in range(16)]
        n = counters(lb, vip)
        assert n["retries"] == 0 and n["server_aborts"] == 0
        most = 0
        assert h.get("/", "POST", body=b"x").status == 502


def test_refused_stream(lb, clear):
    """A stream that was refused is asked once more, whatever its method; a server that refuses always is given up."""
    vip, o = clear
    o.respond = lambda q: q.conn.h.reset_stream(q.stream, REFUSED_STREAM) if len(o.asked) % 2 else q.answer(200, q.body)
    post = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nonce"
    assert b"\r\n\r\n4\r\nonce" in talk(vip, post)
    with H2(vip) as h:
        assert h.get("/", "POST", body=b"more").body == b"more"
    assert len(o.asked) == 4 and counters(lb, vip)["retries"] == 0
    o.respond = lambda q: q.conn.h.reset_stream(q.stream, REFUSED_STREAM)
    assert talk(vip, post).startswith(b"HTTP/1.1 502 ")
    assert len(o.asked) == 6


@pytest.mark.parametrize("method, status", [("GET", 200), ("POST", 502)])
def test_reset(lb, origin, request, method, status):
    """A stream that the server resets is as a connection that broke: tried at another server where that is safe."""
    bad, good = origin("bad"), origin("good")
    vip = filled(lb, request, bad, good)
    bad.respond = lambda q: q.conn.h.reset_stream(q.stream, INTERNAL_ERROR)
    assert get(vip, method=method).status == status
    assert len(bad.asked) == 1 and not bad.conns[0].over and len(good.asked) == (method == "GET")


@pytest.mark.parametrize("how", ["reset", "close"])
def test_cut_short(clear, how):
    """An answer that breaks off breaks off for the client."""
    vip, o = clear
    o.respond = lambda q: (q.head(200), q.data(b"half"))

    def break_off():
        q = o.asked[-1]
        q.conn.call(q.conn.close) if how == "close" else reset(q, INTERNAL_ERROR)
    with H2(vip) as h:
        n = h.request()
        h.until(lambda: h.answers[n].body == b"half")
        break_off()
        assert h.answer(n).reset == INTERNAL_ERROR
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        r = Reader(s)
        assert r.until(b"half")
        break_off()
        assert b"0\r\n\r\n" not in r.rest()


def test_close_after_the_answer(clear):
    """What was answered before the connection went is read to its end."""
    vip, o = clear
    def last(q):
        q.answer(200, b"x" * 60_000)
        q.conn.raw(frame(GOAWAY, 0, 0, struct.pack("!II", q.stream, NO_ERROR)))
        q.conn.close()
    o.respond = last
    with H2(vip, window=1000) as h:
        for _ in range(3):
            assert h.get().body == b"x" * 60_000


def test_closed_connection(lb, origin, request):
    """A connection that goes takes its streams with it: those that are idempotent are asked elsewhere."""
    a, b = origin("a"), origin("b")
    vip = filled(lb, request, a, b, h2c="yes")
    held = collect(a)
    with H2(vip) as h:
        gets, post = [h.request(f"/{i}") for i in range(5)], h.request("/p", "POST", body=b"x")
        wait_until(lambda: len(held) == 6)
        a.close()
        assert [json.loads(h.answer(n).body)["origin"] for n in gets] == ["b"] * 5
        assert h.answer(post).status == 502
    assert len(b.asked) == 5


def test_silent_connection(lb, origin, request):
    """A server that answers neither requests nor PING within connect_timeout is given up, long before server_timeout."""
    a, b = origin("a"), origin("b")
    vip = filled(lb, request, a, b, connect_timeout="200ms")
    assert get(vip).json["origin"] == "a"
    a.deaf = True
    start = time.monotonic()
    assert get(vip).json["origin"] == "b" and time.monotonic() - start < 30


def test_long_answer(lb, origin, request):
    """A server that answers PING may take its time."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2", connect_timeout="100ms")
    held = collect(o)
    with H2(vip) as h:
        n = h.request()
        q = wait_until(lambda: held and held[0])
        wait_until(lambda: q.conn.pings >= 3)
        answer(q, 200, b"late")
        assert h.answer(n).body == b"late"


def test_not_http2(lb, closing, request):
    """A server that speaks HTTP/1.1, or says nothing, is sent no request."""
    seen = []
    def old(c, o):
        seen.append(c.recv(1000))
        c.sendall(http_answer(b"?", "400 Bad Request"))
    o = closing(Origin("o", old))
    vip = vip_of(lb, request, o, server_http="2", connect_timeout="300ms", retries=0)
    assert get(vip, method="POST", body=b"secret").status == 503
    assert seen and not any(b"secret" in s for s in seen)
    mute = closing(H2Origin("mute"))
    mute.greets = False
    mute.deaf = True
    lb.ctl("delete", "rip", f"{vip.name}/o", "-y")
    lb.rip(vip, "mute", mute.port)
    wait_until(lambda: get(vip, method="POST", body=b"secret").status == 503 and mute.conns)
    assert mute.asked == []


# What RFC 9113 section 8 does not allow, as a block of fields in literals without indexing.
def literal(name, value):
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


OK = literal(b":status", b"200")
BAD = {
    "nothing": b"",
    "no-status": literal(b"a", b"b"),
    "two-statuses": OK + OK,
    "status-late": literal(b"a", b"b") + OK,
    "short-status": literal(b":status", b"20"),
    "status-999": literal(b":status", b"999"),
    "status-word": literal(b":status", b"abc"),
    "switching": literal(b":status", b"101"),
    "pseudo": OK + literal(b":path", b"/"),
    "capitals": OK + literal(b"Name", b"x"),
    "space": OK + literal(b"a b", b"x"),
    "line": OK + literal(b"a", b"x\r\nb: c"),
    "nul": OK + literal(b"a", b"x\0"),
    "connection": OK + literal(b"connection", b"close"),
    "chunked": OK + literal(b"transfer-encoding", b"chunked"),
    "keep-alive": OK + literal(b"keep-alive", b"5"),
    "lengths": OK + literal(b"content-length", b"1") + literal(b"content-length", b"2"),
    "no-number": OK + literal(b"content-length", b"x"),
    "length-unmet": OK + literal(b"content-length", b"5"),
    "large": OK + b"".join(literal(b"a%d" % i, b"x" * 100) for i in range(200)),
}


@pytest.mark.parametrize("what", BAD)
def test_malformed(lb, clear, what):
    """A malformed answer is answered with 502, and not asked for again; streams beside it live on."""
    vip, o = clear
    block = BAD[what]
    def respond(q):
        if q[":path"] == "/bad":
            at = 0
            while at < len(block) or at == 0:
                end = at + 16000 >= len(block)
                q.conn.raw(frame(HEADERS if at == 0 else 9, (1 if at == 0 else 0) | (4 if end else 0), q.stream,
                                 block[at:at + 16000]))
                at += 16000
        else:
            held.append(q)
    held = []
    o.respond = respond
    with H2(vip) as h:
        other = h.request("/good")
        wait_until(lambda: held)
        bad = h.get("/bad")
        assert bad.status == 502
        answer(held[0], 200, b"good")
        assert h.answer(other).body == b"good"
    assert [q[":path"] for q in o.asked] == ["/good", "/bad"] and len(o.conns) == 1
    assert get(vip, "/bad").status == 502


def test_push(lb, clear):
    """Nobody asked for pushes: the connection ends, requests go on with another."""
    vip, o = clear
    o.respond = lambda q: q.conn.raw(frame(5, 4, q.stream, struct.pack("!I", 2) + OK)) if len(o.asked) == 1 else q.answer(200, b"ok")
    assert get(vip).status == 502
    assert get(vip).body == b"ok"
    assert len(o.conns) == 2


# ---- live ------------------------------------------------------------------------------------------------------------------

def test_changes(lb, origin, request):
    """The version changes under traffic; what is under way ends as it began."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    held = collect(o)
    with H2(vip) as h:
        n = h.request("/long")
        q = wait_until(lambda: held and held[0])
        q.conn.call(lambda: (q.head(200), q.data(b"first ")))
        h.until(lambda: h.answers[n].body)
        old = Origin("old")
        lb.rip(vip, "old", old.port)
        lb.ctl("delete", "rip", f"{vip.name}/o", "-y")
        lb.ctl("set", "vip", vip.name, "server_http=1")
        wait_until(lambda: get(vip).headers.get("X-Server") == "old")
        q.conn.call(lambda: q.data(b"last", end=True))
        assert h.answer(n).body == b"first last"
    wait_until(lambda: q.conn.over, what="the connection of a server that has gone")
    old.close()


@pytest.mark.parametrize("how", ["halt", "disable"])
def test_halt(lb, origin, request, how):
    """A server that is halted loses its streams at once, and a service that is disabled its connections when they end."""
    a = origin("a")
    vip = vip_of(lb, request, a, h2c="yes", server_http="2")
    held = collect(a)
    with H2(vip) as h:
        n = h.request("/", "POST", body=b"x")
        wait_until(lambda: held)
        if how == "halt":
            lb.ctl("halt", f"{vip.name}/a")
            assert h.answer(n).status == 503
        else:
            lb.ctl("set", "vip", vip.name, "enabled=no")
            answer(held[0], 200, b"ok")
            assert h.answer(n).body == b"ok"
    wait_until(lambda: held[0].conn.over)


def test_rules(lb, clear):
    """A request that a rule holds back has a connection of its own; compression and persistence are as ever."""
    vip, o = clear
    lb.ctl("create", "rule", f"{vip.name}/slow", "when=path is /slow", "action=limit_bandwidth", "rate=300K")
    lb.ctl("set", "vip", vip.name, "persistence=cookie", "compress=plain", "compress_min=0")
    o.respond = lambda q: q.answer(200, b"text " * 1000, ("content-type", "text/plain"))
    def seen():
        a = get(vip, headers={"Accept-Encoding": "gzip"})
        return a if a.headers.get("Content-Encoding") == "gzip" and "LBDSRV" in a.headers.get("Set-Cookie", "") else None
    wait_until(seen)
    start, before = time.monotonic(), len(o.conns)
    assert get(vip, "/slow", method="POST", body=b"x" * 600_000).status == 200
    assert time.monotonic() - start > 0.8 and len(o.conns) == before + 1
