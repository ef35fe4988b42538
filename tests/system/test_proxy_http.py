"""HTTP through lbd-proxy: connections, framing, heads."""
import hashlib
import random
import socket
import subprocess
import threading
import time

import pytest

from lbdtest import (Origin, Reader, client, die_with_parent, free_port, get, http_answer, listens, talk,
                     wait_until)


def ask(path="/", *fields, method="GET", version="HTTP/1.1"):
    return "\r\n".join([f"{method} {path} {version}", "Host: x", *fields, "", ""]).encode()


@pytest.fixture()
def one(lb, origins, request):
    """A service with one server; (vip, origin)."""
    o, = origins("a")
    name = request.node.name.replace("test_", "").replace("[", "-").replace("]", "").replace("_", "-")[:60]
    return lb.vip(name, o), o


def test_client_keep_alive_and_server_reuse(one):
    """S067: many requests over one client connection use one server connection; so do clients one after the other."""
    vip, o = one
    c = client(vip)
    for i in range(20):
        assert get(vip, f"/{i}", connection=c).json["target"] == f"/{i}"
    c.close()
    for i in range(20):
        get(vip)
    assert len(o.requests) == 40
    assert o.accepted <= 2  # two workers may have opened one each


def test_pipelining(one):
    """S067: requests sent at once are answered in their order, bodies among them."""
    vip, o = one
    n = 30
    data = b"".join(ask(f"/{i}", "Content-Length: 5", method="POST") + b"hello" if i % 3 == 0 else ask(f"/{i}")
                    for i in range(n))
    with vip.connect() as s:
        s.sendall(data)
        r = Reader(s)
        for i in range(n):
            line, fields, _ = r.head()
            assert line == "HTTP/1.1 200 OK"
            assert f'"target": "/{i}"' in r.body(fields).decode()


def test_one_byte_at_a_time(one):
    """Heads and bodies may come in any pieces."""
    vip, o = one
    with vip.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in ask("/slow", "Transfer-Encoding: chunked", method="POST") + b"3\r\nabc\r\n0\r\n\r\n":
            s.send(bytes([b]))
        assert b" 200 " in s.recv(4096)
    assert o.requests[-1]["body"] == "abc"


@pytest.mark.parametrize("size", [0, 1, 1000, 16383, 65536, 3_000_000])
def test_body_sizes(one, size):
    """S067: bodies of all sizes arrive whole in both directions, by length and chunked."""
    vip, o = one
    body = random.Random(size).randbytes(size)
    o.answer = lambda r: http_answer(r["body"].encode("latin-1"))
    assert get(vip, method="POST", body=body).body == body
    chunks = (body[i:i + 5000] for i in range(0, size, 5000))
    assert get(vip, method="POST", body=chunks, headers={"Transfer-Encoding": "chunked"}).body == body

    def chunked(r):
        out = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for i in range(0, size, 4096):
            piece = body[i:i + 4096]
            out += b"%x;ext=1\r\n%s\r\n" % (len(piece), piece)
        return out + b"0\r\nX-Trailer: t\r\n\r\n"
    o.answer = chunked
    assert get(vip).body == body
    o.answer = lambda r: b"HTTP/1.0 200 OK\r\n\r\n" + body
    o.handle = lambda c, origin: (Reader(c).head(), c.sendall(origin.answer(None)))
    wait_until(lambda: not o.open or [c.shutdown(2) for c in list(o.open)], what="old connections gone")
    a = get(vip)
    assert a.body == body and a.headers["Connection"] == "close"


def test_100_megabytes(lb, closing):
    """S067: a large body passes unchanged (it takes the kernel's path)."""
    total, piece = 100_000_000, bytes(range(256)) * 4096

    def serve(c, origin):
        Reader(c).head()
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        sent = 0
        while sent < total:
            sent += c.send(piece[sent % 256:][:total - sent])
    o = closing(Origin("big", serve))
    vip = lb.vip("big", o)
    want = hashlib.md5()
    for at in range(0, total, len(piece)):
        want.update(piece[:total - at])
    c = client(vip, timeout=60)
    c.request("GET", "/")
    r = c.getresponse()
    got, n = hashlib.md5(), 0
    while data := r.read(1 << 20):
        got.update(data)
        n += len(data)
    assert n == total and got.digest() == want.digest()


def test_nothing_is_held_back(lb, closing):
    """S067: what a side has sent arrives at once, also when the rest of the body comes later; no 200 ms of the kernel's."""
    seen, go = [], threading.Event()

    def serve(c, origin):
        r = Reader(c)
        r.head()
        while r.buf != b"abc" and r.more():
            pass
        seen.append(r.buf)
        c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nxyz")
        go.wait(20)
        c.sendall(b"end")
    vip = lb.vip("held", closing(Origin("a", serve)))
    took = [9]
    while min(took) >= 0.15 and len(took) <= 20:  # once is enough: what the kernel holds back, it holds back each time
        seen.clear()
        go.clear()
        with vip.connect() as s:
            start = time.monotonic()
            s.sendall(ask("/", "Content-Length: 6", method="POST") + b"abc")
            wait_until(lambda: seen)
            assert seen == [b"abc"]
            r = Reader(s)
            r.head()
            assert r.exactly(3) == b"xyz"
            took.append(time.monotonic() - start)
            go.set()
            s.sendall(b"def")
            assert r.exactly(3) == b"end"
    assert min(took) < 0.15, took


def test_head_and_304(one):
    """Answers without a body though they have a length: HEAD and 304; the connection goes on."""
    vip, o = one
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(ask("/1", method="HEAD"))
        line, fields, _ = r.head()
        assert int(dict(fields)["content-length"]) > 0
        o.answer = lambda q: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: x\r\n\r\n"
        s.sendall(ask("/2"))
        line, fields, _ = r.head()
        assert " 304 " in line and dict(fields)["content-length"] == "500"
        o.answer = lambda q: b"HTTP/1.1 204 No Content\r\n\r\n"
        s.sendall(ask("/3"))
        assert " 204 " in r.head()[0]
        o.answer = None
        s.sendall(ask("/4"))
        line, fields, _ = r.head()
        assert b'"/4"' in r.body(fields)


def test_interim_answers(one):
    """100 and 103 are passed on before the answer."""
    vip, o = one
    o.answer = lambda q: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + http_answer(b"ok")
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(ask())
        assert [r.head()[0][9:12] for _ in range(3)] == ["103", "103", "200"]


def test_expect_continue(one):
    """Expect: 100-continue reaches the server, its 100 comes back before the body is sent."""
    vip, o = one
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(ask("/", "Expect: 100-continue", "Content-Length: 4", method="PUT"))
        assert r.head()[0] == "HTTP/1.1 100 Continue"
        s.sendall(b"body")
        line, fields, _ = r.head()
        assert " 200 " in line and b'"body": 4' in r.body(fields)
    assert o.requests[-1]["body"] == "body"


def test_upgrade(lb, closing):
    """S067: after 101 bytes pass both ways, also those that follow the heads at once, until either side ends."""
    def serve(c, origin):
        r = Reader(c)
        head = r.head()
        assert dict(head[1])["connection"].lower() == "upgrade"
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello")
        while r.more():
            c.sendall(r.buf.upper())
            r.buf = b""
        c.sendall(b"bye")
    vip = lb.vip("upgrade", closing(Origin("up", serve)))
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(ask("/chat", "Upgrade: echo", "Connection: Upgrade"))
        line, fields, _ = r.head()
        assert " 101 " in line and dict(fields)["upgrade"] == "echo"
        assert r.exactly(5) == b"hello"
        s.sendall(b"abc\r\n\r\n")
        assert r.exactly(7) == b"ABC\r\n\r\n"
        s.shutdown(socket.SHUT_WR)
        assert r.rest() == b"bye"


def test_http_1_0(one):
    """HTTP/1.0 clients: closed after each answer, or kept when they ask so; the server sees HTTP/1.0."""
    vip, o = one
    with vip.connect() as s:
        s.sendall(b"GET /1 HTTP/1.0\r\n\r\n")
        out = Reader(s).rest()
    assert out.startswith(b"HTTP/1.1 200 OK\r\n") and b"Connection: close\r\n" in out
    assert o.requests[-1]["version"] == "HTTP/1.0"
    with vip.connect() as s:
        r = Reader(s)
        for i in range(3):
            s.sendall(b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            line, fields, _ = r.head()
            assert dict(fields)["connection"] == "keep-alive"
            r.body(fields)


def test_client_close(one):
    """Connection: close of the client ends its connection, not the server's."""
    vip, o = one
    for i in range(5):
        out = talk(vip, ask("/", "Connection: close"))
        assert b"Connection: close\r\n" in out
    assert o.accepted <= 2


def test_half_closed_client(one):
    """A client that has sent its request and closed its side still gets the answer."""
    vip, o = one
    assert b" 200 OK" in talk(vip, ask("/half"), half_close=True)


def test_server_that_closes(lb, closing):
    """A server that closes its kept connections costs no request (RFC 9112 section 9.3.1: they are sent again)."""
    def serve(c, origin):
        r = Reader(c)
        if r.head():
            c.sendall(http_answer(b"x"))
    vip = lb.vip("closer", closing(Origin("a", serve)))
    c = client(vip)
    for _ in range(50):
        assert get(vip, connection=c).status == 200


def test_hop_by_hop(one):
    """Fields for one hop stay there; fields that Connection names too, but none that we need."""
    vip, o = one
    o.answer = lambda q: http_answer(b"", "200 OK", "Connection: X-Private", "X-Private: 1", "Keep-Alive: timeout=5",
                                     "X-Public: 2")
    a = get(vip, headers={"Connection": "X-Hop, keep-alive, Host, Cookie", "X-Hop": "1", "Keep-Alive": "5",
                          "TE": "trailers", "Proxy-Connection": "keep-alive", "Upgrade": "h2c", "Cookie": "a=b"})
    names = [n for n, _ in o.requests[-1]["fields"]]
    assert not {"x-hop", "keep-alive", "te", "proxy-connection", "upgrade", "connection"} & set(names)
    assert "cookie" in names and "host" in names
    assert a.headers["X-Public"] == "2" and not a.headers["X-Private"] and not a.headers["Keep-Alive"]


@pytest.mark.parametrize("policy,sent,want", [
    ("replace", None, ["127.0.0.1"]),
    ("replace", "6.6.6.6", ["127.0.0.1"]),
    ("append", None, ["127.0.0.1"]),
    ("append", "6.6.6.6", ["6.6.6.6, 127.0.0.1"]),
    ("off", None, []),
    ("off", "6.6.6.6", ["6.6.6.6"]),
])
def test_forwarded_for(lb, origins, policy, sent, want):
    """S097: X-Forwarded-For by policy; a forged one is replaced unless the policy says otherwise."""
    o, = origins("a")
    vip = lb.vip(f"xff-{policy}-{'sent' if sent else 'none'}", o, forwarded_for=policy)
    fields = get(vip, headers={"X-Forwarded-For": sent} if sent else {}, source="127.0.0.1").json["fields"]
    assert [v for n, v in fields if n == "x-forwarded-for"] == want


@pytest.mark.parametrize("policy", ("append", "off"))
def test_forwarded_from(lb, origins, policy):
    """S097: of proxies that are believed what they say stands; what another client says of itself never reaches a server."""
    o, = origins("a")
    more = {"forwarded": "yes", "x_forwarded": "yes"} if policy == "append" else {}
    vip = lb.vip(f"believed-{policy}", o, forwarded_for=policy, forwarded_from="127.0.0.64/30", **more)
    sent = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "h", "Forwarded": "for=192.0.2.7"}

    def told(source):
        names = [n.lower() for n in sent]
        return [(n, v) for n, v in get(vip, headers=sent, source=source).json["fields"] if n in names]
    by_proxy, forged = told("127.0.0.65"), told("127.0.0.9")
    if policy == "off":
        assert sorted(by_proxy) == sorted((n.lower(), v) for n, v in sent.items())
        assert forged == []
    else:
        by_proxy, forged = dict(by_proxy), dict(forged)
        assert by_proxy["x-forwarded-for"] == "192.0.2.7, 127.0.0.65"
        assert by_proxy["x-forwarded-proto"] == "https" and by_proxy["forwarded"].startswith("for=192.0.2.7, for=127.0.0.65;")
        assert forged["x-forwarded-for"] == "127.0.0.9"
        assert forged["x-forwarded-proto"] == "http" and forged["forwarded"].startswith("for=127.0.0.9;")
        assert "192.0.2.7" not in str(forged)
    lb.ctl("set", "vip", vip.name, "forwarded_from=127.0.0.9")  # at once, without a new connection to anything
    assert "192.0.2.7" in str(told("127.0.0.9")) and "192.0.2.7" not in str(told("127.0.0.65"))


def test_forwarded_for_of_each_client(one):
    """S095, S097: the server sees our address, and each client's in the header."""
    vip, o = one
    for a in ("127.0.0.9", "127.0.0.200"):
        assert dict(get(vip, source=a).json["fields"])["x-forwarded-for"] == a


def test_absolute_target(one):
    """A target in absolute form reaches the server in origin form."""
    vip, o = one
    out = talk(vip, b"GET http://x/a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b'"target": "/a?b"' in out


def test_stock_server(lb, closing, tmp_path):
    """S073: an ordinary web server works behind it without any change."""
    (tmp_path / "index.html").write_text("a page\n" * 1000)
    port = free_port("127.0.0.1")
    p = subprocess.Popen(["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", tmp_path],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
    try:
        wait_until(lambda: listens("127.0.0.1", port))
        vip = lb.vip("stock")
        lb.rip(vip, "a", port)
        wait_until(lambda: get(vip).status == 200)
        assert get(vip, "/index.html").body == b"a page\n" * 1000
        assert get(vip, "/missing").status == 404
    finally:
        p.terminate()
        p.wait()
