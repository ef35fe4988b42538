"""CONNECT (RFC 9110 section 9.3.6, RFC 9113 section 8.5) by way of a service whose servers are forward proxies: tinyproxy with curl
as the client, and servers of Python for what those two never do."""
import os
import ssl
import subprocess

import pytest
from ambiguous import CONNECT_REFUSED, SMUGGLED, connect
from h2lib import CANCEL, H2, ca, counters, rows, vip_of  # noqa: F401 (fixtures)
from lbdtest import Origin, Reader, die_with_parent, free_port, http_answer, listens, serve_http, talk, wait_until

TARGET = "x.example.org:443"
HEAD = connect(TARGET.encode(), b"Host: x.example.org:443\r\n")


# ---- a forward proxy of the world ------------------------------------------------------------------------------------------------

class Tinyproxy:
    """One that takes CONNECT to the port of the test alone."""

    def __init__(self, folder, allowed):
        self.name, self.address, self.port = "tinyproxy", "127.0.0.1", free_port("127.0.0.1")
        conf = folder / "tinyproxy.conf"
        conf.write_text(f"Port {self.port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nAllow 127.0.0.0/8\nLogLevel Critical\n"
                        f"ConnectPort {allowed}\n")
        self.p = subprocess.Popen(["tinyproxy", "-d", "-c", conf], stdout=subprocess.DEVNULL, preexec_fn=die_with_parent)
        wait_until(lambda: listens(self.address, self.port), what="tinyproxy listens")

    def close(self):
        self.p.terminate()
        self.p.wait()


def curl(vip, *args):
    return subprocess.run(["curl", "-sS", "-m", "20", "--noproxy", "", "-x", f"http://{vip.address}:{vip.port}", *args],
                          capture_output=True, text=True)


def test_tinyproxy(lb, origins, closing, request, tmp_path):
    """curl -p: what the server behind the forward proxy says comes through the tunnel, and a second answer on it."""
    o, = origins("o")
    vip = vip_of(lb, request, closing(Tinyproxy(tmp_path, o.port)), connect="yes")
    url = f"http://127.0.0.1:{o.port}"
    r = curl(vip, "-p", "-w", "%{http_connect} %{num_connects}\n", "-o", "/dev/null", f"{url}/a", "-o", "/dev/null", f"{url}/b")
    assert r.stdout == "200 1\n000 0\n", (r.stdout, r.stderr)
    assert [q["target"] for q in o.requests] == ["/a", "/b"]
    r = curl(vip, "-p", "-w", "%{http_connect}", "http://127.0.0.1:9/")
    assert r.returncode == 56 and r.stdout == "403", (r.returncode, r.stdout, r.stderr)
    n = counters(lb, vip)
    assert n["requests_total"] == 2 and n["http_2xx"] == 1 and n["http_4xx"] == 1 and n["bad_requests"] == 0


def test_tinyproxy_absolute(lb, origins, closing, request, tmp_path):
    """An http URL without a tunnel: the forward proxy is asked by it (RFC 9112 section 3.2.2)."""
    o, = origins("o")
    vip = vip_of(lb, request, closing(Tinyproxy(tmp_path, o.port)), connect="yes", uri_check="normalise")
    lb.ctl("create", "rule", f"{vip.name}/new", "order=1", "when=path is /old", "action=rewrite", "part=path", "value=/new")
    for asked, got in (("/a/../b?c", "/b?c"), ("/old?d", "/new?d"), ("?e", "/?e")):
        r = curl(vip, "--path-as-is", f"http://127.0.0.1:{o.port}{asked}")
        assert r.returncode == 0 and o.requests[-1]["target"] == got, (r.stdout, r.stderr)


@pytest.mark.parametrize("connect,line", [("yes", "GET http://x/a?b HTTP/1.1"), ("no", "GET /a?b HTTP/1.1")])
def test_absolute(lb, closing, request, connect, line):
    """What an http URL becomes: as it came for forward proxies, a path for servers that are none; Host is the same."""
    o = closing(tunnel_server(http_answer(b"no", "404 No")))
    vip = vip_of(lb, request, o, connect=connect)
    assert talk(vip, b"GET http://x/a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 404 ")
    assert [h[0] for h in o.heads] == [line] and o.heads[0][1]["host"] == "x"


def test_tinyproxy_https(lb, closing, request, tmp_path, ca):
    """An https URL: TLS from end to end within the tunnel."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(*ca.sign("tunnel", "IP:127.0.0.1"))

    def handle(c, o):
        serve_http(ctx.wrap_socket(c, server_side=True), o)
    o = closing(Origin("o", handle))
    o.answer = lambda q: http_answer(b"x" * 3_000_000)
    vip = vip_of(lb, request, closing(Tinyproxy(tmp_path, o.port)), connect="yes")
    r = curl(vip, "--cacert", ca.pem, f"https://127.0.0.1:{o.port}/s")
    assert r.returncode == 0 and r.stdout == "x" * 3_000_000, r.stderr
    assert [q["target"] for q in o.requests] == ["/s"]


# ---- a server that can do more -----------------------------------------------------------------------------------------------------

def tunnel_server(answer, first=b""):
    """Answers a CONNECT so; when it is 2xx, echoes in capitals and says bye at the end. .heads: what it was asked."""
    def handle(c, o):
        r = Reader(c)
        while head := r.head():
            o.heads.append((head[0].strip(), dict(head[1])))
            o.early.append(r.buf)
            c.sendall(answer + first)
            if answer[9:10] != b"2":
                continue
            if r.buf:
                c.sendall(r.buf.upper())
            while got := c.recv(65536):
                c.sendall(got.upper())
            c.sendall(b"BYE")
            return
    o = Origin("o", handle)
    o.heads, o.early = [], []
    return o


OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("status,fields", [("200 OK", ""), ("200 OK", "Content-Length: 5\r\n"), ("204 None", ""),
                                           ("299 So", "Transfer-Encoding: chunked\r\n"), ("200 OK", "Connection: close\r\n")])
def test_tunnel(lb, closing, request, status, fields):
    """Any 2xx is a tunnel, without a word of a body; bytes in one piece with the heads are the tunnel's, on both sides; the end
    of one side is told to the other."""
    o = closing(tunnel_server(f"HTTP/1.1 {status}\r\n{fields}X-A: b\r\n\r\n".encode(), b"hello"))
    vip = vip_of(lb, request, o, connect="yes")
    with vip.connect() as s:
        s.sendall(HEAD + b"early")
        r = Reader(s)
        assert r.until(b"\r\n\r\n") == f"HTTP/1.1 {status}\r\nX-A: b\r\n\r\n".encode()
        assert r.exactly(10) == b"helloEARLY"
        blob = os.urandom(300_000).hex().encode()
        s.sendall(blob)
        assert r.exactly(len(blob)) == blob.upper()
        assert [c["state"] for c in rows(lb, vip)] == ["tunnel"]
        s.shutdown(1)
        assert r.rest() == b"BYE"
    line, f = o.heads[0]
    assert line == f"CONNECT {TARGET} HTTP/1.1" and f["host"] == TARGET and "connection" not in f


def test_nothing_before_the_answer(lb, closing, request):
    """What a client sends before its 2xx is not at the server before that, and is no request when the answer is another."""
    o = closing(tunnel_server(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\nProxy-Authenticate: Basic\r\n\r\nno"))
    vip = vip_of(lb, request, o, connect="yes")
    out = talk(vip, HEAD + SMUGGLED)
    assert out == b"HTTP/1.1 407 No\r\nContent-Length: 2\r\nProxy-Authenticate: Basic\r\nConnection: close\r\n\r\nno"
    assert o.early == [b""] and [h[0] for h in o.heads] == [f"CONNECT {TARGET} HTTP/1.1"]
    wait_until(lambda: counters(lb, vip)["conns"] == 0)
    assert b"smuggled" not in b"".join(bytes(r) for r in o.raw)


@pytest.mark.parametrize("answer", (b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
                         ids=("101", "both"))
def test_bad_answer(lb, closing, request, answer):
    """No tunnel of a kind that was not asked for, and none after a head that is malformed, is told as 502."""
    o = closing(tunnel_server(answer))
    vip = vip_of(lb, request, o, connect="yes")
    head = HEAD.replace(b"\r\n\r\n", b"\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    out = talk(vip, head + SMUGGLED)
    assert out.startswith(b"HTTP/1.1 502 ") and out.count(b"HTTP/1.1 ") == 1
    assert all("upgrade" not in f for _, f in o.heads)


@pytest.fixture(scope="module")
def recorded(lb):
    o = Origin("recorder")
    yield lb.vip("connects", o, connect="yes", h2c="yes"), o
    o.close()


@pytest.mark.parametrize("name,data,status", CONNECT_REFUSED, ids=[r[0] for r in CONNECT_REFUSED])
def test_refused(recorded, name, data, status):
    """One answer, the end of the connection, not a byte at the server: alone, and before another request."""
    vip, o = recorded
    for more in (b"", SMUGGLED):
        out = talk(vip, data + more, half_close=True)
        assert out.startswith(b"HTTP/1.1 %d " % status) and out.count(b"HTTP/1.1 ") == 1 and b"Connection: close\r\n" in out
    assert o.accepted == 0


def test_rules(lb, closing, request):
    """Rules see the host, the method and an empty path; a rule that rewrites paths has nothing to do."""
    o = closing(tunnel_server(OK))
    vip = vip_of(lb, request, o, connect="yes")
    lb.ctl("create", "rule", f"{vip.name}/slash", "order=1", "when=path starts /", "action=deny")
    lb.ctl("create", "rule", f"{vip.name}/host", "order=2", 'when=method is CONNECT and host is y.example.org', "action=deny")
    lb.ctl("create", "rule", f"{vip.name}/path", "order=3", "when=method is CONNECT", "action=rewrite", "part=path", "value=/new")
    with vip.connect() as s:
        s.sendall(HEAD)
        assert Reader(s).until(b"\r\n\r\n") == OK
    assert [h[0] for h in o.heads] == [f"CONNECT {TARGET} HTTP/1.1"]
    out = talk(vip, HEAD.replace(b"x.example", b"y.example") + SMUGGLED)
    assert out.startswith(b"HTTP/1.1 403 ") and out.count(b"HTTP/1.1 ") == 1


def test_live(lb, closing, request):
    """It can be switched: 501 before, a tunnel after, 501 again, and a tunnel that stands goes on."""
    o = closing(tunnel_server(OK))
    vip = vip_of(lb, request, o)
    assert talk(vip, HEAD).startswith(b"HTTP/1.1 501 ") and o.accepted == 0
    lb.ctl("set", "vip", vip.name, "connect=yes")
    wait_until(lambda: not talk(vip, HEAD, half_close=True).startswith(b"HTTP/1.1 501 "))
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(HEAD)
        assert r.until(b"\r\n\r\n") == OK
        lb.ctl("set", "vip", vip.name, "connect=no")
        wait_until(lambda: talk(vip, HEAD).startswith(b"HTTP/1.1 501 "))
        s.sendall(b"on")
        assert r.exactly(2) == b"ON"


# ---- HTTP/2 ------------------------------------------------------------------------------------------------------------------------

CONNECT = [(":method", "CONNECT"), (":authority", TARGET)]


@pytest.mark.parametrize("server_http", ("1", "2"))
def test_h2(lb, closing, request, server_http):
    """DATA is the tunnel, beside other streams; servers are asked by HTTP/1.1, whatever else they are spoken to with."""
    o = closing(tunnel_server(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b\r\n\r\n", b"hello"))
    vip = vip_of(lb, request, o, connect="yes", h2c="yes", server_http=server_http)
    with H2(vip) as h:
        n, m = h.fields(CONNECT, end=False), h.fields(CONNECT, end=False)
        h.data(n, b"early")
        a, b = h.answers[n], h.answers[m]
        h.until(lambda: len(a.body) == 10 and b.body == b"hello")
        assert a.status == 200 and a.body == b"helloEARLY" and dict(a.fields) == {":status": "200", "x-a": "b"}
        blob = os.urandom(150_000).hex().encode()
        h.data(n, blob)
        h.until(lambda: len(a.body) == 10 + len(blob))
        assert a.body == b"helloEARLY" + blob.upper()
        h.data(n, b"", end=True)
        h.answer(n)
        assert a.ended and a.reset is None and a.body.endswith(b"BYE")
        h.h.reset_stream(m, CANCEL)
        h.flush()
        wait_until(lambda: not o.open)
    assert o.heads[0][0] == f"CONNECT {TARGET} HTTP/1.1" and o.heads[0][1]["host"] == TARGET
    assert "transfer-encoding" not in o.heads[0][1] and "connection" not in o.heads[0][1]


@pytest.mark.parametrize("connect", ["yes", "no"])
def test_h2_absolute(lb, origins, closing, request, tmp_path, connect):
    """A request of HTTP/2 is one of a URL for forward proxies."""
    o, = origins("o")
    vip = vip_of(lb, request, closing(Tinyproxy(tmp_path, o.port)) if connect == "yes" else o, connect=connect, h2c="yes")
    with H2(vip) as h:
        n = h.fields([(":method", "GET"), (":scheme", "http"), (":path", "/b?c"), (":authority", f"127.0.0.1:{o.port}")])
        assert h.answer(n).status == 200
    assert [q["target"] for q in o.requests] == ["/b?c"]


def test_h2_other_answer(lb, closing, request):
    """An answer that is not 2xx is one as any other, and the connection goes on."""
    o = closing(tunnel_server(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"))
    vip = vip_of(lb, request, o, connect="yes", h2c="yes")
    with H2(vip) as h:
        for end in (True, False):
            n = h.fields(CONNECT, end=end)
            a = h.answer(n)
            assert a.status == 403 and a.body == b"no"


REFUSED = {
    "no port": ([(":method", "CONNECT"), (":authority", "x")], 400),
    "port 0": ([(":method", "CONNECT"), (":authority", "x:0")], 400),
    "user": ([(":method", "CONNECT"), (":authority", "u@x:1")], 400),
    "length": ([*CONNECT, ("content-length", "0")], 400),
    "length with trailers": ([*CONNECT, ("content-length", "0"), ("trailer", "x")], 400),
    "protocol": ([(":method", "CONNECT"), (":protocol", "connect-udp"), (":scheme", "https"), (":path", "/"),
                  (":authority", TARGET)], 400),
}


@pytest.mark.parametrize("end", (True, False))
@pytest.mark.parametrize("what", REFUSED)
def test_h2_refused(recorded, what, end):
    vip, o = recorded
    fields, status = REFUSED[what]
    with H2(vip) as h:
        assert h.answer(h.fields(fields, end=end)).status == status
    assert o.accepted == 0


@pytest.mark.parametrize("end", (True, False))
def test_h2_off(lb, origins, request, end):
    """Without the field it is 501, as over HTTP/1.1, also while the client keeps its side open."""
    o, = origins("o")
    vip = vip_of(lb, request, o, h2c="yes")
    with H2(vip) as h:
        assert h.answer(h.fields(CONNECT, end=end)).status == 501
    assert o.accepted == 0
