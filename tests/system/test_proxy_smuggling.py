"""Requests and answers that two readers could read differently. An origin that records every byte stands behind: a refused
request must not reach it at all, and whatever reaches it must be one well-formed request (S067; RFC 9112 section 11)."""
import contextlib
import re

import pytest

from lbdtest import Origin, Reader, get, http_answer, talk, wait_until

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /%d HTTP/1.1\r\nHost: x\r\n"

# name, bytes, statuses that are right
BAD = [
    ("cr-in-value", b"X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("bare-lf", b"X: a\nContent-Length: 5\n\nhello", {400}),
    ("bare-lf-end", b"Content-Length: 34\r\n\n" + SMUGGLED, {400}),
    ("obs-fold", b"X: a\r\n b\r\n\r\n", {400}),
    ("obs-fold-te", b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", {400}),
    ("space-before-colon", b"Content-Length : 34\r\n\r\n" + SMUGGLED, {400}),
    ("tab-before-colon", b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("space-led-length", b"X: a\r\n Content-Length: 34\r\n\r\n" + SMUGGLED, {400}),
    ("cl-te", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    ("te-cl", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED, {400}),
    ("two-cl", b"Content-Length: 0\r\nContent-Length: 34\r\n\r\n" + SMUGGLED, {400}),
    ("equal-cl", b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", {400}),
    ("cl-list", b"Content-Length: 5, 5\r\n\r\nhello", {400}),
    ("cl-empty", b"Content-Length:\r\n\r\n" + SMUGGLED, {400}),
    ("cl-plus", b"Content-Length: +5\r\n\r\nhello", {400}),
    ("cl-hex", b"Content-Length: 0x5\r\n\r\nhello", {400}),
    ("cl-overflow", b"Content-Length: 18446744073709551621\r\n\r\nhello", {400}),
    ("xchunked", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {501}),
    ("te-list", b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", {501}),
    ("te-twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", {400, 501}),
    ("te-vt", b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", {400}),
    ("nul-in-value", b"X: a\0b\r\n\r\n", {400}),
    ("nul-in-name", b"X\0Y: a\r\n\r\n", {400}),
    ("empty-name", b": a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("two-hosts", b"Host: y\r\n\r\n", {400}),
    ("no-colon", b"Transfer-Encoding\r\n\r\n", {400}),
]
WHOLE = [
    ("no-host", b"GET / HTTP/1.1\r\n\r\n", {400}),
    ("bad-host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", {400}),
    ("lf-after-target", b"GET /\nContent-Length: 34\r\n\r\n" + SMUGGLED, {400}),
    ("http-0.9", b"GET /\r\n", {400}),
    ("http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    ("te-in-1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    ("fragment", b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("space-in-target", b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("version", b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", {400, 505}),
    ("other-authority", b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ("connect", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", {501}),
    ("huge-head", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n", {431}),
    ("huge-target", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {414}),
    ("many-fields", b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 200 + b"\r\n", {431}),
    ("expectation", b"GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", {417}),
]
# Bodies that go wrong after a good head: the server may have seen the beginning, but never the bad part or what follows it.
BODIES = [
    ("size-lf", b"5\nhello\r\n0\r\n\r\n"),
    ("size-0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("size-overflow", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("size-space", b"5 \r\nhello\r\n0\r\n\r\n"),
    ("size-negative", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("ext-cr", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("ext-nul", b"5;a\0\r\nhello\r\n0\r\n\r\n"),
    ("ext-lf", b"5;a\nhello\r\n0\r\n\r\n"),
    ("ext-long", b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
    ("data-long", b"5\r\nhello!\r\n0\r\n\r\n"),
    ("data-lf", b"5\r\nhello\n0\r\n\r\n"),
    ("trailer-lf", b"0\r\nX: a\n\r\n"),
    ("trailer-cl", b"0\r\nContent-Length: 5\r\n\r\n"),
    ("trailer-long", b"0\r\n" + b"X: a\r\n" * 100 + b"\r\n"),
    ("end-lf", b"0\r\n\n"),
]


@pytest.fixture(scope="module")
def recorded(lb):
    """A service whose one server records every byte."""
    o = Origin("recorder")
    yield lb.vip("smuggling", o), o
    o.close()


def refused(vip, o, data, statuses):
    """Sends it twice: as it is, and followed by another request on the same connection. It is refused with one answer, the
    connection is closed, and the server has seen nothing."""
    for more in (b"", SMUGGLED):
        before = [bytes(r) for r in o.raw]
        out = talk(vip, data + more, half_close=True)
        assert re.match(rb"HTTP/1\.1 (\d{3}) ", out), out
        assert int(out[9:12]) in statuses, out
        assert out.count(b"HTTP/1.1 ") == 1 and b"Connection: close\r\n" in out
        assert [bytes(r) for r in o.raw] == before


@pytest.mark.parametrize("name,fields,statuses", BAD, ids=[b[0] for b in BAD])
def test_bad_fields(recorded, name, fields, statuses):
    """S067: a head with ambiguous fields is refused, alone and behind a good request."""
    vip, o = recorded
    refused(vip, o, b"POST / HTTP/1.1\r\nHost: x\r\n" + fields, statuses)
    # Behind a good request on the same connection: that one is answered, the bad one refused.
    n = len(o.requests)
    out = talk(vip, b"GET /good HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\n" + fields, half_close=True)
    heads = re.findall(rb"HTTP/1\.1 (\d{3}) ", out)
    assert len(heads) == 2 and heads[0] == b"200" and int(heads[1]) in statuses, out
    assert len(o.requests) == n + 1 and o.requests[-1]["target"] == "/good"


@pytest.mark.parametrize("name,data,statuses", WHOLE, ids=[w[0] for w in WHOLE])
def test_bad_heads(recorded, name, data, statuses):
    """S067: malformed start lines, hosts and sizes are refused."""
    refused(*recorded, data, statuses)


@pytest.mark.parametrize("name,body", BODIES, ids=[b[0] for b in BODIES])
def test_bad_chunks(recorded, name, body):
    """S067: a broken chunked body ends the request on both sides; what follows never becomes a request."""
    vip, o = recorded
    n = len(o.requests)
    out = talk(vip, b"POST /chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body + SMUGGLED,
               half_close=True)
    assert out == b"" or int(out[9:12]) in {400, 431}, out
    assert out.count(b"HTTP/1.1 ") <= 1
    get(vip, "/after")  # whatever was on its way has arrived
    assert [r["target"] for r in o.requests[n:]] == ["/after"]
    assert not any(b"/smuggled" in r for r in o.raw)


def test_what_passes_is_one_meaning(recorded):
    """S067: odd but clear requests arrive as one request each, in a normal form."""
    vip, o = recorded
    talk(vip, b"\r\nGET /odd HTTP/1.1\r\nhOsT:x\r\nX:   a \t\r\nConnection: close\r\n\r\n")
    raw = next(bytes(r) for r in o.raw if b"/odd" in r)
    head = raw[raw.index(b"GET /odd"):].split(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[0] == b"GET /odd HTTP/1.1" and not any(line.startswith(b"Connection") for line in head)


ANSWERS = [
    ("two-cl", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
    ("cl-te", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("te-gzip", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxy"),
    ("te-1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bare-lf", b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx"),
    ("cl-equal", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    ("cl-list", b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx"),
    ("cl-plus", b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx"),
    ("cl-empty", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx"),
    ("te-twice", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("te-list", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("space-colon", b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx"),
    ("cr-in-value", b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 1\r\n\r\nx"),
    ("reason-nul", b"HTTP/1.1 200 O\0K\r\nContent-Length: 1\r\n\r\nx"),
    ("status-600", b"HTTP/1.1 600 OK\r\nContent-Length: 1\r\n\r\nx"),
    ("status-099", b"HTTP/1.1 099 OK\r\nContent-Length: 1\r\n\r\nx"),
    ("status-20", b"HTTP/1.1 20 OK\r\nContent-Length: 1\r\n\r\nx"),
    ("fold", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\nx"),
    ("nul", b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 1\r\n\r\nx"),
    ("status", b"HTTP/1.1 2000 OK\r\nContent-Length: 1\r\n\r\nx"),
    ("version", b"HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\nx"),
    ("not-http", b"220 hello\r\n\r\n"),
    ("switch", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    ("huge", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n"),
    ("nothing", b""),
]


@pytest.mark.parametrize("name,answer", ANSWERS, ids=[a[0] for a in ANSWERS])
def test_bad_answers(lb, closing, name, answer):
    """S067: an answer that is not clear becomes a 502, and its connection is not used again."""
    def serve(c, origin):
        while Reader(c).head():
            c.sendall(answer)
            if not answer:
                return
    o = closing(Origin("a", serve))
    vip = lb.vip(f"answer-{name.replace('.', '-')}", o)
    assert get(vip).status in ((502, 503) if name == "nothing" else (502,))
    wait_until(lambda: not o.open, what="the connection is closed")


def test_answer_with_more_than_it_said(lb, closing):
    """S067: bytes behind an answer's end never become part of the next answer, whoever asks."""
    def serve(c, origin):
        r = Reader(c)
        while head := r.head():
            c.sendall(http_answer(head[0].encode()) + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    vip = lb.vip("more", closing(Origin("a", serve)))
    for i in range(20):
        a = get(vip, f"/{i}")
        assert (a.status, a.body) == (200, b"GET /%d HTTP/1.1" % i) or a.status == 502


def test_answer_before_a_request(lb, closing):
    """S067: a server that sends an answer nobody asked for, on an idle connection, has it thrown away."""
    def serve(c, origin):
        r = Reader(c)
        while head := r.head():
            c.sendall(http_answer(head[0].encode()))
            origin.answered = c
    o = closing(Origin("a", serve))
    vip = lb.vip("early", o)
    assert get(vip, "/1").body == b"GET /1 HTTP/1.1"
    wait_until(lambda: hasattr(o, "answered"))
    with contextlib.suppress(OSError):
        o.answered.sendall(http_answer(b"poison"))
    for i in range(5):
        assert get(vip, f"/{i}").body == b"GET /%d HTTP/1.1" % i


def test_answer_broken_off(lb, closing):
    """S067: an answer that ends early is not completed by us: the client sees that it is short."""
    def serve(c, origin):
        head = Reader(c).head()
        if "/chunked" in head[0]:
            c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        else:
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    vip = lb.vip("short", closing(Origin("a", serve)))
    for path in (b"/length", b"/chunked"):
        out = talk(vip, b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        assert not out.endswith(b"0\r\n\r\n") and not out.endswith(b"hellohello") and b" 200 " in out
