"""The table of ambiguous.py against a server that records every byte (S067; RFC 9112 section 11): a request is refused with one
answer and not a byte of it is at the server, or it is there in one exact form; and the next request is not touched by it."""
import re

import pytest

from ambiguous import CHUNKS, LAST, NEXT, PASSED, REFUSED, REMAINS, SMUGGLED, TWO, get, post
from h2lib import H2, HOST, REQUEST
from lbdtest import Origin, Reader, talk, wait_until

AFTER = get(target=b"/after")


def ids(rows):
    return [r[0] for r in rows]


@pytest.fixture(scope="module")
def recorded(lb):
    o = Origin("recorder")
    yield lb.vip("ambiguous", o, forwarded_for="off"), o
    o.close()


class Since:
    """Bytes that the server has received since."""

    def __init__(self, origin):
        self.origin, self.before = origin, [len(r) for r in origin.raw]

    def pieces(self):
        """By connection; without those that received nothing."""
        raw = list(self.origin.raw)
        return [p for p in (bytes(r)[b:] for r, b in zip(raw, self.before + [0] * len(raw))) if p]


def statuses(out):
    """Of the answers in these bytes of the recorder and the proxy, in their order."""
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d{3}) ", out) if s != b"100"]


def test_enough():
    """The table is as large as it says, and no request is in it twice."""
    all_of_it = [r[1] for r in REFUSED + PASSED + LAST + REMAINS] + [b"chunked " + c[1] for c in CHUNKS]
    assert len(set(all_of_it)) == len(all_of_it) >= 150


@pytest.mark.parametrize("name,data,status", REFUSED, ids=ids(REFUSED))
def test_refused(recorded, name, data, status):
    """One answer, the end of the connection, nothing at the server: alone, before another request, and behind a good one."""
    vip, o = recorded
    right = status if isinstance(status, tuple) else (status,)
    for more in (b"", SMUGGLED):
        since = Since(o)
        out = talk(vip, data + more, half_close=True)
        assert len(statuses(out)) == 1 and statuses(out)[0] in right and b"\r\nConnection: close\r\n" in out, out
        assert since.pieces() == []
    since = Since(o)
    out = talk(vip, AFTER + data, half_close=True)
    assert len(statuses(out)) == 2 and statuses(out)[0] == 200 and statuses(out)[1] in right, out
    assert since.pieces() == [AFTER]


@pytest.mark.parametrize("at_once", (True, False), ids=("at-once", "later"))
@pytest.mark.parametrize("name,body", CHUNKS, ids=ids(CHUNKS))
def test_chunks(recorded, name, body, at_once):
    """The body ends the request on both sides: the server has its beginning at most, never the bad part or what follows."""
    vip, o = recorded
    head = post(b"Transfer-Encoding: chunked\r\n")
    since = Since(o)
    if at_once:
        out = talk(vip, head + body + SMUGGLED, half_close=True)
    else:
        with vip.connect() as s:
            s.sendall(head)
            wait_until(lambda: since.pieces() == [head], what="the head is at the server")
            s.sendall(body + SMUGGLED)
            out = Reader(s).rest()
    assert len(statuses(out)) == 1 and statuses(out)[0] in (400, 431), out
    n = len(o.requests)
    assert statuses(talk(vip, AFTER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))) == [200]
    pieces = since.pieces()
    assert AFTER in pieces and len(o.requests) == n + 1
    pieces.remove(AFTER)
    sent = head + body
    # In one piece with its head it does not get to the server; later, the server's connection ends in the middle of it.
    assert pieces == [] if at_once else len(pieces) == 1 and sent.startswith(pieces[0]) and pieces[0] != sent
    assert b"smuggled" not in b"".join(pieces)


@pytest.mark.parametrize("name,data,form", PASSED, ids=ids(PASSED))
def test_passed(recorded, name, data, form):
    """It is at the server in exactly this form, and the next request behind it."""
    vip, o = recorded
    since = Since(o)
    out = talk(vip, data + NEXT, half_close=True)
    assert statuses(out) == [200] * (3 if name in TWO else 2), out
    got = since.pieces()
    assert b"".join(got) == form + NEXT or sorted(got) == sorted([form, NEXT])


@pytest.mark.parametrize("name,data,form", LAST, ids=ids(LAST))
def test_last(recorded, name, data, form):
    """It is at the server in exactly this form, and nothing that stands behind it."""
    vip, o = recorded
    since = Since(o)
    assert statuses(talk(vip, data + SMUGGLED, half_close=True)) == [200]
    assert since.pieces() == [form]


@pytest.mark.parametrize("name,data,form", REMAINS, ids=ids(REMAINS))
def test_remains(recorded, name, data, form):
    """What is left behind a request is a request of its own, and refused as such."""
    vip, o = recorded
    # A connection that the server has ended is found out by what may be sent again.
    assert statuses(talk(vip, AFTER, half_close=True)) == [200]
    since = Since(o)
    out = talk(vip, data, half_close=True)
    assert statuses(out) == [200, 400], out
    assert since.pieces() == [form]


# name, fields of a request by HTTP/2 (a method alone: those of a plain one), body, trailers, bytes at the server
BY_HTTP2 = [
    ("plain", "GET", None, None, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"),
    ("method-unknown", "M-SEARCH", None, None, b"M-SEARCH / HTTP/1.1\r\nHost: %s\r\n\r\n"),
    ("method-lower-case", "get", None, None, b"get / HTTP/1.1\r\nHost: %s\r\n\r\n"),
    ("no-body", "POST", None, None, b"POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n"),
    ("body", "POST", b"hello", None, b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ("body-is-a-request", "POST", SMUGGLED, None, b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n" +
     b"%X\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n"),
    ("body-is-an-end", "POST", b"0\r\n\r\n" + SMUGGLED, None, b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n" +
     b"%X\r\n0\r\n\r\n" % (len(SMUGGLED) + 5) + SMUGGLED + b"\r\n0\r\n\r\n"),
    ("length", [("content-length", "5")], b"hello", None, b"GET / HTTP/1.1\r\nHost: %s\r\ncontent-length: 5\r\n\r\nhello"),
    ("trailer", "POST", b"a", [("x-sum", "1")],
     b"POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n"),
    ("trailer-announced", [("content-length", "1"), ("trailer", "x-sum")], b"a", [("x-sum", "1")],
     b"GET / HTTP/1.1\r\nHost: %s\r\ntrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n"),
    ("trailer-with-length", [("content-length", "1")], b"a", [("x-sum", "1")],
     b"GET / HTTP/1.1\r\nHost: %s\r\ncontent-length: 1\r\n\r\na"),
    ("te", [("te", "trailers")], None, None, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"),
    ("host-again", [("host", HOST.upper())], None, None, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n"),
    ("cookies", [("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2")], None, None,
     b"GET / HTTP/1.1\r\nHost: %s\r\nx-a: 1\r\ncookie: a=1; b=2\r\n\r\n"),
    ("value-empty", [("x-a", "")], None, None, b"GET / HTTP/1.1\r\nHost: %s\r\nx-a: \r\n\r\n"),
    ("value-of-a-line", [("x-a", "GET /smuggled HTTP/1.1")], None, None,
     b"GET / HTTP/1.1\r\nHost: %s\r\nx-a: GET /smuggled HTTP/1.1\r\n\r\n"),
    ("names-of-others", [("x_a", "1"), ("content_length", "9")], None, None,
     b"GET / HTTP/1.1\r\nHost: %s\r\nx_a: 1\r\ncontent_length: 9\r\n\r\n"),
]


@pytest.fixture(scope="module")
def recorded_h2(lb):
    o = Origin("recorder")
    yield lb.vip("ambiguous-h2", o, forwarded_for="off", h2c="yes"), o
    o.close()


@pytest.mark.parametrize("name,fields,body,trailers,form", BY_HTTP2, ids=ids(BY_HTTP2))
def test_passed_by_http2(recorded_h2, name, fields, body, trailers, form):
    """It is at the server in exactly this form of HTTP/1.1, and the next request behind it."""
    vip, o = recorded_h2
    since = Since(o)
    with H2(vip) as h:
        head = [(":method", fields), *REQUEST[1:]] if isinstance(fields, str) else [*REQUEST, *fields]
        n = h.fields(head, end=body is None)
        if body is not None:
            h.data(n, body, end=trailers is None)
            if trailers is not None:
                h.h.send_headers(n, trailers, end_stream=True)
                h.flush()
        assert h.answer(n).status == 200
        assert h.get("/next").status == 200
    form, after = form.replace(b"%s", HOST.encode()), NEXT.replace(b": x\r", b": %s\r" % HOST.encode())
    assert sorted(since.pieces()) in ([form + after], sorted([form, after]))


def test_host_of_an_absolute_target(lb, closing):
    """HTTP/1.0 may name the host in the target alone: content rules and the server have it, also when the path was brought into
    normal form; a rule that sets another is heard."""
    o = closing(Origin("a"))
    vip = lb.vip("absolute", o, forwarded_for="off", uri_check="normalise")
    lb.ctl("create", "rule", f"{vip.name}/host", "when=host is named.example", "action=set_header", "header=X-Rule", "value=yes")
    lb.ctl("create", "rule", f"{vip.name}/other", "when=path is /other", "action=set_header", "header=Host", "value=other")

    def seen(target):
        talk(vip, b"GET http://" + target + b" HTTP/1.0\r\n\r\n")
        return o.requests[-1]["target"], sorted(o.requests[-1]["fields"])
    wait_until(lambda: seen(b"named.example/x/..//a")[1][-1] == ("x-rule", "yes"), what="the rules are there")
    assert seen(b"named.example/x/..//a") == ("/a", [("host", "named.example"), ("x-rule", "yes")])
    assert seen(b"y:81/a") == ("/a", [("host", "y:81")])
    assert seen(b"y/b/../other") == ("/other", [("host", "other")])
