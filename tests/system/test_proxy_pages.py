"""Error pages, redirects, maintenance (A069, A070), and what a service asks of requests before they go on (A073, A074)."""
import json
import socket
import threading

import pytest
from lbdtest import Origin, Reader, client, get, http_answer, talk, wait_until

PAGE = "<!DOCTYPE html>\n<html>\n\t<title>Sorry</title>\n</html>\n"


@pytest.fixture(scope="module")
def pages(lb):
    for name, fields in {
            "sorry": {"body": PAGE, "retry_after": "2m"},
            "works": {"body": "We work on it.\n", "content_type": "text/plain", "status": 200},
            "big": {"body": "x" * 61440}}.items():
        lb.ctl("create", "page", name, *(f"{k}={v}" for k, v in fields.items()))
    return lb


def dead_port():
    """Nobody listens there."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_no_server(pages):
    """A069: no server is fit: the page of the service, with its type and Retry-After; HEAD gets its head alone."""
    lb = pages
    vip = lb.vip("down", retries=0, error_pages="unavailable=sorry")
    lb.rip(vip, "a", dead_port())
    a = get(vip)
    assert (a.status, a.body.decode()) == (503, PAGE)
    assert a.headers["Content-Type"] == "text/html; charset=utf-8" and a.headers["Retry-After"] == "120"
    assert a.headers["Cache-Control"] == "no-store" and a.headers["Content-Length"] == str(len(PAGE))
    raw = talk(vip, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert raw.endswith(b"\r\n\r\n") and f"Content-Length: {len(PAGE)}\r\n".encode() in raw
    assert get(vip, method="POST", body="x" * 100000).status == 503
    assert lb.json("stats", "down")[0]["no_server"] >= 3


def test_redirect(pages):
    """A069: no server is fit: clients are sent elsewhere, with the chosen status."""
    lb = pages
    for status in 301, 302, 303, 307, 308:
        vip = lb.vip(f"away{status}", error_pages=f"unavailable={status} https://status.example.org/?from=a")
        a = get(vip)
        assert (a.status, a.body) == (status, b"") and a.headers["Location"] == "https://status.example.org/?from=a"


def test_by_status(pages, closing):
    """A069: pages by status and class; what a server answers is left alone."""
    lb = pages
    o = closing(Origin("a"))
    o.answer = lambda r: http_answer(b"mine", "503 Service Unavailable")
    vip = lb.vip("status", o, error_pages="4xx=works,502=sorry,5xx=big", server_timeout="1s")
    a = get(vip)
    assert (a.status, a.body) == (503, b"mine")  # it is the server's
    o.answer = lambda r: b"no answer\r\n\r\n"
    a = get(vip)
    assert (a.status, a.body.decode()) == (502, PAGE)
    release = threading.Event()
    o.answer = lambda r: release.wait(20) and b""
    a = get(vip)
    assert (a.status, a.body) == (504, b"x" * 61440)
    release.set()
    raw = talk(vip, b"BAD\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 200 OK\r\n") and raw.endswith(b"We work on it.\n")  # the page has a status of its own


def test_live_edit(pages):
    """A changed page is in the next answer; services share it."""
    lb = pages
    lb.ctl("create", "page", "live", "body=one")
    vips = [lb.vip(f"live{i}", error_pages="5xx=live") for i in range(2)]
    assert [get(v).body for v in vips] == [b"one"] * 2
    lb.ctl("set", "page", "live", "body=two", "status=500")
    for v in vips:
        wait_until(lambda v=v: (get(v).status, get(v).body) == (500, b"two"))
    r = lb.ctl("delete", "page", "live", "-y", check=False)
    assert r.returncode != 0 and 'there is no page "live"' in r.stderr
    lb.ctl("set", "vip", "live0", "error_pages=")
    wait_until(lambda: get(vips[0]).status == 503)
    assert get(vips[1]).body == b"two"


def test_largest_page_at_once(pages):
    """The largest page comes whole, to 50 clients at once."""
    vip = pages.vip("large", error_pages="5xx=big")
    bodies = []
    threads = [threading.Thread(target=lambda: bodies.append(get(vip).body)) for _ in range(50)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert bodies == [b"x" * 61440] * 50


def test_maintenance(pages, closing):
    """A070: one command; what is in flight ends, the chosen addresses reach the servers, everybody else has the page."""
    lb = pages
    o = closing(Origin("a"))
    gate, began = threading.Event(), threading.Event()

    def slow(r):
        if r["target"] == "/slow":
            began.set()
            gate.wait(20)
        return http_answer(b"ok", "200 OK", "X-Server: a")
    o.answer = slow
    vip = lb.vip("shop", o, error_pages="maintenance=works,503=sorry")
    flight = []
    t = threading.Thread(target=lambda: flight.append(get(vip, "/slow").body))
    t.start()
    assert began.wait(10)
    kept = closing(client(vip))
    assert get(vip, connection=kept).server == "a"
    lb.ctl("maintenance", "shop", "on")
    wait_until(lambda: get(vip).body == b"We work on it.\n")
    assert get(vip, connection=kept).body == b"We work on it.\n"  # a connection from before
    assert not flight
    gate.set()
    t.join()
    assert flight == [b"ok"]
    lb.ctl("set", "vip", "shop", "maintenance_bypass=127.0.0.9,127.0.1.0/24")
    wait_until(lambda: get(vip, source="127.0.0.9").server == "a")
    assert get(vip, source="127.0.1.77").server == "a"
    assert get(vip, source="127.0.0.8").server is None
    raw = talk(vip, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 200 OK\r\n") and raw.endswith(b"\r\n\r\n")
    assert "vip shop: in maintenance: clients get a page" in lb.ctl("status", check=False).stdout
    lb.ctl("maintenance", "shop", "off")
    wait_until(lambda: get(vip).server == "a")


def test_maintenance_without_a_page(pages, closing):
    """The page of 503, or plain words."""
    o = closing(Origin("a"))
    vip = pages.vip("plain", o, maintenance="yes")
    assert get(vip).body == b"503 Service Unavailable\n" and not o.requests
    r = pages.ctl("maintenance", "plain", "maybe", check=False)
    assert r.returncode != 0 and "maybe" in r.stderr


def raw_request(vip, target, *lines, method="GET"):
    head = "".join(f"{x}\r\n" for x in (f"{method} {target} HTTP/1.1", "Host: a", "Connection: close", *lines))
    return talk(vip, head.encode() + b"\r\n")


def target_of(raw):
    return json.loads(raw.split(b"\r\n\r\n", 1)[1])["target"]


def test_paths(lb, closing):
    """A074: normalise brings a path into normal form for the server; refuse answers 400; off leaves it."""
    o = closing(Origin("a"))
    vips = {w: lb.vip(f"uri-{w}", o, uri_check=w) for w in ("off", "refuse", "normalise")}
    for sent, want in (("/a/../b?x=/../y", "/b?x=/../y"), ("//a//%61", "/a/a"), ("/%7e/%2f", "/~/%2F"), ("/a/.", "/a/"),
                       ("http://a/x/../y", "/y"), ("/%2e%2e%2f", None), ("/../etc/passwd", None), ("/%00", None),
                       ("/a/..;/b", None), ("/%4", None)):
        if want is None or not sent.startswith("http"):
            if want is not None:
                assert target_of(raw_request(vips["off"], sent)) == sent
            assert raw_request(vips["refuse"], sent).startswith(b"HTTP/1.1 400 ")
        got = raw_request(vips["normalise"], sent)
        if want is None and sent != "/%2e%2e%2f":
            assert got.startswith(b"HTTP/1.1 400 "), sent
        elif want is not None:
            assert target_of(got) == want
    for vip in vips.values():
        assert target_of(raw_request(vip, "/a/b.html?c=//%61")) == "/a/b.html?c=//%61"
        assert raw_request(vip, "*", method="OPTIONS").startswith(b"HTTP/1.1 200 ")
    # an encoded slash is no separator: the segment is "..%2F", and stays
    assert target_of(raw_request(vips["normalise"], "/%2e%2e%2f")) == "/..%2F"


def test_header_names(lb, closing):
    """A074: names with other characters than letters, digits and hyphens are dropped, refused, or left."""
    o = closing(Origin("a"))
    for what in "any", "drop", "refuse":
        vip = lb.vip(f"names-{what}", o, header_names=what)
        raw = raw_request(vip, "/", "X_Real_IP: 1.1.1.1", "X-Good: yes", "X.Dot: 1", "Cookie: a_b=c")
        if what == "refuse":
            assert raw.startswith(b"HTTP/1.1 400 ")
            assert raw_request(vip, "/", "X-Good: yes").startswith(b"HTTP/1.1 200 ")
            continue
        names = {n for n, _ in json.loads(raw.split(b"\r\n\r\n", 1)[1])["fields"]}
        assert ({"x_real_ip", "x.dot"} <= names) == (what == "any") and {"x-good", "cookie"} <= names


def test_wait_for_the_body(lb, closing):
    """A073: a slow body takes no place at a server before it is there, up to wait_body bytes."""
    o = closing(Origin("a"))
    vip = lb.vip("waits", o, wait_body="8K", request_timeout="3s")
    body = b"0123456789" * 500
    with vip.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
        for at in range(0, 4990, 499):
            s.sendall(body[at:at + 499])
        fast = get(vip)  # after all of that was read
        assert fast.status == 200 and o.accepted == 1 and len(o.requests) == 1
        s.sendall(body[4990:])
        r = Reader(s)
        assert r.head()[0].startswith("HTTP/1.1 200 ")
    assert o.requests[-1]["body"] == body.decode()
    # a larger one waits for 8 KB only, chunked too
    with vip.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"a\r\n0123456789\r\n" * 400)
        get(vip)
        n = len(o.requests)
        s.sendall(b"a\r\n0123456789\r\n" * 400 + b"0\r\n\r\n")
        assert Reader(s).head()[0].startswith("HTTP/1.1 200 ")
        assert len(o.requests) == n + 1 and len(o.requests[-1]["body"]) == 8000
    # one that does not come
    with vip.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        assert Reader(s).head()[0].startswith("HTTP/1.1 408 ")
    assert len(o.requests) == n + 1


def test_wait_with_expect(lb, closing):
    """A client that waits for 100 gets it from the proxy; the server is not asked again."""
    o = closing(Origin("a"))
    vip = lb.vip("invites", o, wait_body="64K")
    with vip.connect() as s:
        s.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        r = Reader(s)
        assert r.head()[0] == "HTTP/1.1 100 Continue"
        assert not o.requests
        s.sendall(b"abc")
        assert r.head()[0].startswith("HTTP/1.1 200 ")
    assert o.requests[0]["body"] == "abc" and "expect" not in dict(o.requests[0]["fields"])


def test_early_hints_and_trailers(lb, closing):
    """A074: 103 is passed on to clients of HTTP/1.1; trailers are passed in both ways, those that would change framing refused."""
    def serve(c, origin):
        r = Reader(c)
        origin.raw.append(r.raw)
        while (head := r.head()):
            r.body(head[1])
            c.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                      b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                      b"2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")
    o = closing(Origin("a", serve))
    vip = lb.vip("early", o)
    raw = talk(vip, b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n"
                    b"1\r\na\r\n0\r\nX-End: 1\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert raw.endswith(b"0\r\nX-Sum: 7\r\n\r\n") and b"Trailer: X-Sum\r\n" in raw
    assert bytes(o.raw[0]).endswith(b"0\r\nX-End: 1\r\n\r\n")
    raw = talk(vip, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 400 ")
