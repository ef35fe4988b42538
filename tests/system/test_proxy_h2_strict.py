"""What a client of HTTP/2 must not do: forged heads, broken frames, floods, resets (RFC 9113 sections 5.4, 8.1 to 8.3, 10.5)."""
import struct
import threading

import pytest
from h2lib import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, H2, HEADERS, HOST, NO_ERROR,
                   PING, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, REQUEST, RST_STREAM, SETTINGS, WINDOW_UPDATE, ca, clear,
                   counters, frame, rows, secure, tls, vip_of)
from lbdtest import Origin, Reader, http_answer, wait_until
from test_proxy_tls import context


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
    "two schemes": [*REQUEST, (":scheme", "http")],
    "two authorities": [*REQUEST, (":authority", HOST)],
    "path nul": [*REQUEST[:3], (":path", "/a\0b")],
    "path tab": [*REQUEST[:3], (":path", "/a\tb")],
    "path del": [*REQUEST[:3], (":path", "/a\x7f")],
    "path 8bit": [*REQUEST[:3], (":path", "/\u00e9")],
    "path query alone": [*REQUEST[:3], (":path", "?a")],
    "method nul": [(":method", "G\0T"), *REQUEST[1:]],
    "method colon": [(":method", "GE:T"), *REQUEST[1:]],
    "scheme empty": [REQUEST[0], (":scheme", ""), *REQUEST[2:]],
    "authority nul": [*REQUEST[:2], (":authority", "a\0b"), REQUEST[3]],
    "host twice equal": [*REQUEST, ("host", HOST), ("host", HOST)],
    "name upper first": [*REQUEST, ("Xa", "1")],
    "host upper": [*REQUEST, ("Host", HOST)],
    "name nul": [*REQUEST, ("x\0y", "c")],
    "name 8bit": [*REQUEST, ("x\u00e9", "c")],
    "name brackets": [*REQUEST, ("x(y)", "c")],
    "value tab first": [*REQUEST, ("x-a", "\tb")],
    "value space last": [*REQUEST, ("x-a", "b ")],
    "value del": [*REQUEST, ("x-a", "b\x7f")],
    "value esc": [*REQUEST, ("x-a", "b\x1b")],
    "te list": [*REQUEST, ("te", "trailers, gzip")],
    "te empty": [*REQUEST, ("te", "")],
    "http2-settings": [*REQUEST, ("http2-settings", "AAMAAABk")],
    "transfer-encoding identity": [*REQUEST, ("transfer-encoding", "identity")],
    "length twice equal": [*REQUEST, ("content-length", "0"), ("content-length", "0")],
    "length list": [*REQUEST, ("content-length", "0, 0")],
    "length plus": [*REQUEST, ("content-length", "+0")],
    "length hex": [*REQUEST, ("content-length", "0x0")],
    "length empty": [*REQUEST, ("content-length", "")],
    "length large": [*REQUEST, ("content-length", "18446744073709551616")],
    "connect scheme": [(":method", "CONNECT"), (":scheme", "http"), (":authority", "a:1")],
    "connect nothing": [(":method", "CONNECT")],
    "protocol without path": [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "a")],
    "protocol without authority": [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/")],
    "protocol without scheme": [(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a"), (":path", "/")],
}


@pytest.mark.parametrize("what", FORGED)
def test_forged(lb, clear, what):
    """RFC 9113 sections 8.1 to 8.3: a stream error, not one byte at the server, and the connection goes on."""
    vip, o = clear
    with H2(vip) as h:
        a = h.answer(h.fields(FORGED[what]))
        assert a.reset == PROTOCOL_ERROR and a.status is None, (a.reset, a.status)
        assert o.requests == []
        assert h.get("/after").status == 200
    assert [q["target"] for q in o.requests] == ["/after"] and counters(lb, vip)["bad_requests"] == 1
    assert all(r.count(b"HTTP/1.1") == 1 for r in o.raw)


REFUSED = {
    "path fragment": ([*REQUEST[:3], (":path", "/a#b")], 400),
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
