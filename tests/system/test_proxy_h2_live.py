"""HTTP/2 while time goes by: timeouts, WebSockets (RFC 8441), connections seen and killed, services that change and end."""
import contextlib
import os
import socket
import struct
import threading

import pytest
from h2lib import (CANCEL, DATA, END_STREAM, H2, HEADERS, HOST, INTERNAL_ERROR, NO_ERROR, ca, clear, counters, frame, rows,
                   tls, vip_of)
from lbdtest import Origin, Reader, client, get, http_answer, wait_until
from test_proxy_tls import context


# ---- times -------------------------------------------------------------------------------------------------------------------

def test_timeouts(lb, origins, request):
    """A connection without a request, one that is idle, one whose head does not end, one whose window stays closed."""
    o, = origins("o")
    vip = vip_of(lb, request, o, h2c="yes", request_timeout="2s", keep_timeout="2s", client_timeout="700ms")
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
        wait_until(lambda: counters(lb, vip)["requests_total"] == 4)
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


@pytest.mark.parametrize("when", ["conns(src) > 2", "rate(connections, src, 10m) > 2"])
def test_connections_are_counted(lb, tls, ca, origins, request, when):
    """A086: rules count connections of HTTP/2, and those of HTTP/1.1 where both are served; streams are not connections."""
    o, = origins("o")
    clear = vip_of(lb, request, o, h2c="yes")
    secure = lb.vip(clear.name + "-tls", o, tls="base")
    for vip in (secure, clear):
        lb.ctl("create", "rule", f"{vip.name}/many", f"when=src is 127.0.0.1 and {when}", "action=deny", "status=429")
        lb.ctl("create", "rule", f"{vip.name}/there", "when=path is /there", "action=return", "status=204")
    wait_until(lambda: all(get(clear, "/there", source="127.0.0.2").status == 204 for _ in range(9)), what="the rules")
    with contextlib.ExitStack() as held:
        two = [held.enter_context(H2(clear)), held.enter_context(H2(secure, context(ca)))]
        for h in two:
            assert [h.get().status for _ in range(4)] == [200] * 4
        one = [client(clear) for _ in range(2)]
        assert [get(clear, connection=c).status for c in one] == [200, 429]
        assert held.enter_context(H2(secure, context(ca))).get().status == 200
        assert held.enter_context(H2(secure, context(ca))).get().status == 429
        for c in one:
            c.close()
    if when.startswith("conns"):
        for vip, ctx in ((clear, None), (secure, context(ca))):
            wait_until(lambda: H2(vip, ctx).get().status == 200, what="room again")
