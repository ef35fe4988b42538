"""Compression of answers: which, for whom, and that their bytes are right (gzip by Python and curl, br by python3-brotli)."""
import gzip
import random
import ssl
import subprocess
import threading
import time
import zlib

import brotli
import pytest
from lbdtest import Origin, Reader, client, get, http_answer, listens, talk, wait_until

PAGE = ("<div class=row>" + "the server is well " * 10 + "</div>\n").encode() * 400
HTML = "Content-Type: text/html; charset=utf-8"
ALL = {"Accept-Encoding": "gzip, deflate, br"}


def decode(a):
    coding = a.headers.get("Content-Encoding")
    return {"gzip": gzip.decompress, "br": brotli.decompress, None: bytes}[coding](a.body)


def serve_text(c, origin):
    """Answers with what origin.text is at the time."""
    r = Reader(c)
    while (head := r.head()):
        r.body(head[1])
        text = origin.text
        c.sendall(text[:text.index(b"\r\n\r\n") + 4] if head[0].startswith("HEAD ") else text)
        if b"\r\nConnection: close\r\n" in text[:200]:
            return


def serve_answer(o, text):
    o.text = text


@pytest.fixture(scope="module")
def web(lb):
    """An origin whose .answer each test sets, behind a service that compresses what is plain."""
    o = Origin("a", serve_text)
    yield lb, lb.vip("pages", o, compress="plain"), o
    o.close()


def fields(a):
    return [(k.lower(), v) for k, v in a.headers.items()]


@pytest.mark.parametrize("size", [1024, 1025, 5000, 65536, len(PAGE), 3_000_000])
def test_sizes(web, size):
    """Bodies of a known length, chunked, and until the end of the connection, in both codings."""
    lb, vip, o = web
    body = (PAGE * (size // len(PAGE) + 1))[:size]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 777]), body[i:i + 777]) for i in range(0, size, 777)) + b"0\r\n\r\n"
    forms = [http_answer(body, "200 OK", HTML),
             f"HTTP/1.1 200 OK\r\n{HTML}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks,
             f"HTTP/1.1 200 OK\r\n{HTML}\r\nConnection: close\r\n\r\n".encode() + body]
    for form in forms:
        for coding in "gzip", "br":
            o.text = form
            a = get(vip, headers={"Accept-Encoding": coding})
            assert a.status == 200 and a.headers["Content-Encoding"] == coding and len(a.body) < size / 2
            assert decode(a) == body
            assert a.headers["Vary"] == "Accept-Encoding" and a.headers["Content-Length"] is None
            assert a.headers["Transfer-Encoding"] == "chunked" and a.headers["Content-Type"] == HTML[14:]


def test_whom(web):
    """Only for who asks, by weight; Vary says it to caches all the same."""
    _, vip, o = web
    serve_answer(o, http_answer(PAGE, "200 OK", HTML))
    for sent, want in (("gzip", "gzip"), ("br;q=0.1, gzip", "gzip"), ("identity, gzip;q=0.5", None), ("gzip;q=0", None),
                       ("*", "br"), ("gzip;q=nonsense", None), ("", None)):
        a = get(vip, headers={"Accept-Encoding": sent})
        assert a.headers.get("Content-Encoding") == want, sent
        assert a.headers["Vary"] == "Accept-Encoding" and decode(a) == PAGE
    raw = talk(vip, b"GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n")
    assert b"Content-Encoding" not in raw and raw.endswith(PAGE)


@pytest.mark.parametrize("status, lines, why", [
    ("200 OK", ["Content-Type: image/png"], "another type"),
    ("200 OK", ["X: y"], "no type"),
    ("200 OK", [HTML, "Content-Type: text/plain"], "two types"),
    ("200 OK", [HTML, "Content-Encoding: gzip"], "in a coding already"),
    ("200 OK", [HTML, "Cache-Control: max-age=5, no-transform"], "not to be changed"),
    ("200 OK", [HTML, "Content-Digest: sha-256=:AAAA:"], "its digest would be wrong"),
    ("206 Partial Content", [HTML, "Content-Range: bytes 0-9/10"], "a part"),
])
def test_not(web, status, lines, why):
    """What must not be compressed passes as it is."""
    _, vip, o = web
    serve_answer(o, http_answer(PAGE, status, *lines))
    a = get(vip, headers=ALL)
    assert a.body == PAGE and a.headers["Content-Length"] == str(len(PAGE)) and "br" not in str(a.headers), why
    assert a.headers["Vary"] is None


def test_small_and_bodiless(web):
    """Small bodies, HEAD, 204 and 304 stay as they are; HEAD says Vary as GET would."""
    _, vip, o = web
    serve_answer(o, http_answer(b"x" * 1023, "200 OK", HTML))
    assert get(vip, headers=ALL).body == b"x" * 1023
    serve_answer(o, http_answer(PAGE, "200 OK", HTML, 'ETag: "1"'))
    a = get(vip, headers=ALL, method="HEAD")
    assert a.headers["Content-Length"] == str(len(PAGE)) and a.headers["Vary"] == "Accept-Encoding"
    assert a.headers["Content-Encoding"] is None and a.headers["ETag"] == '"1"'
    for status in "204 No Content", "304 Not Modified":
        serve_answer(o, f"HTTP/1.1 {status}\r\n{HTML}\r\nETag: \"1\"\r\n\r\n".encode())
        a = get(vip, headers=ALL)
        assert a.status == int(status[:3]) and a.body == b"" and a.headers["ETag"] == '"1"' and not a.headers["Content-Encoding"]


def test_head_fields(web):
    """A strong ETag becomes weak, a weak one stays; ranges are not offered; Vary is added once."""
    _, vip, o = web
    serve_answer(o, http_answer(PAGE, "200 OK", HTML, 'ETag: "abc"', "Accept-Ranges: bytes", "Vary: Cookie", "X-Y: z"))
    a = get(vip, headers=ALL)
    f = fields(a)
    assert ("etag", 'W/"abc"') in f and "accept-ranges" not in dict(f) and ("x-y", "z") in f
    assert [v for k, v in f if k == "vary"] == ["Cookie", "Accept-Encoding"] and decode(a) == PAGE
    serve_answer(o, http_answer(PAGE, "200 OK", HTML, 'ETag: W/"abc"', "Vary: origin, accept-encoding"))
    f = fields(get(vip, headers=ALL))
    assert ("etag", 'W/"abc"') in f and [v for k, v in f if k == "vary"] == ["origin, accept-encoding"]
    serve_answer(o, http_answer(PAGE, "404 Not Found", HTML))
    a = get(vip, headers=ALL)
    assert a.status == 404 and a.headers["Content-Encoding"] == "br" and decode(a) == PAGE


def test_connections_stay(web):
    """Keep-alive on both sides, and other requests in between."""
    _, vip, o = web
    serve_answer(o, http_answer(PAGE, "200 OK", HTML))
    before = o.accepted
    c = client(vip)
    for i in range(30):
        a = get(vip, headers=ALL if i % 3 else {}, connection=c)
        assert decode(a) == PAGE
    c.close()
    assert o.accepted - before <= 1


def test_own(lb, closing):
    """compress=own: servers are not asked, so what they could do the proxy does; what they do all the same passes."""
    o = closing(Origin("a"))
    o.answer = lambda r: http_answer(PAGE, "200 OK", HTML)
    own, plain = lb.vip("own", o, compress="own"), lb.vip("asks", o, compress="plain")
    assert get(own, headers=ALL).headers["Content-Encoding"] == "br"
    assert "accept-encoding" not in dict(o.requests[-1]["fields"])
    get(plain, headers=ALL)
    assert dict(o.requests[-1]["fields"])["accept-encoding"] == ALL["Accept-Encoding"]


def test_types_and_least(lb, closing):
    """compress_types and compress_min are the service's."""
    o = closing(Origin("a"))
    vip = lb.vip("types", o, compress="plain", compress_types="application/*+json", compress_min=0, compress_level=9)
    o.answer = lambda r: http_answer(b"{}", "200 OK", "Content-Type: application/problem+json")
    a = get(vip, headers=ALL)
    assert a.headers["Content-Encoding"] == "br" and decode(a) == b"{}"
    o.answer = lambda r: http_answer(PAGE, "200 OK", HTML)
    assert get(vip, headers=ALL).headers["Content-Encoding"] is None
    o.answer = lambda r: http_answer(b"", "200 OK", "Content-Type: application/problem+json")
    a = get(vip, headers=ALL)
    assert a.status == 200 and a.body == b"" and a.headers["Content-Encoding"] is None


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_slow_stream(lb, closing, coding):
    """Server-sent events come one by one: nothing is held back for the next."""
    step = threading.Semaphore(0)

    def serve(c, origin):
        r = Reader(c)
        while r.head():
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(20):
                step.acquire(timeout=20)
                event = b"data: %d\n\n" % i
                c.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            c.sendall(b"0\r\n\r\n")
    o = closing(Origin("a", serve))
    vip = lb.vip(f"events-{coding}", o, compress="plain")
    with vip.connect() as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n".encode())
        r = Reader(s)
        assert ("content-encoding", coding) in r.head()[1]
        d = zlib.decompressobj(31) if coding == "gzip" else brotli.Decompressor()
        text = b""
        for i in range(20):
            step.release()
            while not text.endswith(b"data: %d\n\n" % i):
                size = int(r.until(b"\r\n"), 16)
                assert size > 0
                data = r.exactly(size)
                assert r.exactly(2) == b"\r\n"
                text += d.decompress(data) if coding == "gzip" else d.process(data)
        tail = r.chunks()
        if coding == "gzip":
            assert d.decompress(tail) == b"" and d.eof
        else:
            d.process(tail)
            assert d.is_finished()


def test_over_tls(web):
    """By TLS: 3 MB, and small answers on one connection."""
    lb, _, o = web
    lb.ctl("cert", "new", "own", "--cn", "pages.example.org")
    lb.ctl("create", "tls", "own", "cert=own")
    vip = lb.vip("secure", compress="plain", tls="own")
    lb.rip(vip, "a", o.port)
    wait_until(lambda: listens(vip.address, vip.port))
    ctx = ssl.create_default_context()
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    with ctx.wrap_socket(vip.connect()) as s:
        r = Reader(s)
        for body in [PAGE * 40, *[PAGE[:2000]] * 10, PAGE * 3]:
            serve_answer(o, http_answer(body, "200 OK", HTML))
            for coding, decoded in ("gzip", gzip.decompress), ("br", brotli.decompress):
                s.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n".encode())
                _, head, _ = r.head()
                assert ("content-encoding", coding) in head and decoded(r.chunks()) == body


def chunked_body(s):
    """The data of a large chunked answer, in linear time."""
    raw = bytearray()
    while not raw.endswith(b"\r\n0\r\n\r\n"):
        got = s.recv(1 << 20)
        assert got
        raw += got
    at, out = raw.index(b"\r\n\r\n") + 4, []
    while True:
        end = raw.index(b"\r\n", at)
        size = int(raw[at:end], 16)
        if size == 0:
            return b"".join(out)
        out.append(bytes(raw[end + 2:end + 2 + size]))
        at = end + 2 + size + 2


def test_slow_reader(lb, closing):
    """A client that does not read holds the server up, not the proxy's memory: 40 MB that do not compress."""
    noise = random.Random(1).randbytes(1 << 20)

    def serve(c, origin):
        r = Reader(c)
        while r.head():
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % (40 << 20))
            for _ in range(40):
                c.sendall(noise)
                origin.sent += 1
    o = closing(Origin("a", serve))
    o.sent = 0
    vip = lb.vip("reader", o, compress="plain")

    def rss():
        return int(next(x for x in open(f"/proc/{lb.pid()}/status") if x.startswith("VmRSS")).split()[1])
    get(lb.vip("warm", o), headers={"Range": "x"})  # buffers of a transfer are there
    o.sent, before = 0, rss()
    with vip.connect(timeout=60) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        last = None
        while last != o.sent:  # until nothing moves
            last = o.sent
            time.sleep(0.5)
        assert last < 40
        assert rss() - before < 8192
        assert gzip.decompress(chunked_body(s)) == noise * 40


def test_broken_off(lb, closing):
    """An answer that breaks off never looks complete, and the next request is served."""
    def serve(c, origin):
        r = Reader(c)
        r.head()
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + PAGE[:50000])
    o = closing(Origin("a", serve))
    vip = lb.vip("breaks", o, compress="plain", retries=0)
    for _ in range(3):
        raw = talk(vip, b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        assert b"Content-Encoding: gzip" in raw and not raw.endswith(b"0\r\n\r\n")
    o.handle = lambda c, _: (Reader(c).head(), c.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX"))
    raw = talk(vip, b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    assert not raw.endswith(b"0\r\n\r\n")


def test_counters(web):
    """Bytes before and after are in stats and metrics."""
    lb, vip, o = web
    serve_answer(o, http_answer(PAGE, "200 OK", HTML))

    def counts():
        row = next(r for r in lb.json("stats") if r["name"] == "pages")
        return row["compress_in"], row["compress_out"]
    was = counts()
    n = len(get(vip, headers={"Accept-Encoding": "gzip"}).body)
    now = wait_until(lambda: (c := counts()) != was and c)
    assert (now[0] - was[0], now[1] - was[1]) == (len(PAGE), n)


def test_curl(web):
    """A real client: curl --compressed."""
    _, vip, o = web
    serve_answer(o, http_answer(PAGE, "200 OK", HTML))
    r = subprocess.run(["curl", "-s", "--compressed", "-D", "/dev/stderr", f"http://{vip.address}:{vip.port}/"],
                       capture_output=True, check=True)
    assert r.stdout == PAGE and b"Content-Encoding: " in r.stderr
