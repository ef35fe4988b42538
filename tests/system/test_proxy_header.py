"""The PROXY protocol: balancers in front that name the client, servers that are told of it; nginx reads what we write."""
import socket
import struct
import subprocess

import pytest

from lbdtest import ADDRESS, Origin, Reader, die_with_parent, free_port, listens, wait_until
from test_proxy_tls import TLS13, Authority, bring, context, trust

FRONT = "127.0.0.9"  # a balancer in front
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client="192.0.2.7", port=40000):
    return f"PROXY TCP4 {client} 192.0.2.1 {port} 443\r\n".encode()


def v2(client="192.0.2.7", port=40000, values=b""):
    body = socket.inet_aton(client) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", port, 443) + values
    return SIGNATURE + b"\x21\x11" + struct.pack(">H", len(body)) + body


def ask(vip, head, source=FRONT, pieces=False):
    """The X-Forwarded-For that the server saw; None: no answer."""
    with vip.connect(source=source) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = head + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        try:
            for part in ([bytes([b]) for b in data] if pieces else [data]):
                s.sendall(part)
            r = Reader(s)
            line = r.head()
        except ConnectionError:
            return None
        return line and line[0]


@pytest.fixture()
def behind(lb, origins, request):
    """A service that believes FRONT."""
    o, = origins("o")
    name = request.node.name.replace("test_", "").replace("[", "-").replace("]", "").replace("_", "-")[:60]
    return lb.vip(name, o, proxy_from=FRONT), o


def seen(o):
    return dict((n.lower(), v) for n, v in o.requests[-1]["fields"])["x-forwarded-for"]


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("head", [v1(), v2(), v2(values=b"\x05\0\4unid")], ids=["v1", "v2", "values"])
def test_a_trusted_balancer_names_the_client(behind, head, pieces):
    """A052: both versions, values behind the addresses, in any pieces."""
    vip, o = behind
    assert ask(vip, head, pieces=pieces) == "HTTP/1.1 200 OK"
    assert seen(o) == "192.0.2.7"


def test_the_sender_speaks_for_itself(behind):
    """LOCAL and UNKNOWN: the address of the connection stands."""
    vip, o = behind
    for head in b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\0\0\0":
        assert ask(vip, head) == "HTTP/1.1 200 OK"
        assert seen(o) == FRONT


def test_nobody_else_is_believed(behind):
    """Others are clients like any: their header is a bad request; and who must bring one is reset without it."""
    vip, o = behind
    assert " 400 " in ask(vip, v1(), source="127.0.0.8")
    assert ask(vip, b"", source="127.0.0.8") == "HTTP/1.1 200 OK"
    assert ask(vip, b"") is None
    assert ask(vip, v1()[:-2] + b" \r\n") is None
    assert len(o.requests) == 1


@pytest.mark.parametrize("words", [{}, {"mode": "tcp"}])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_servers_are_told(lb, tmp_path, version, words):
    """nginx that demands a header gets the client's address; so does its log when lbd-check asks."""
    port = free_port("127.0.0.1")
    (tmp_path / "conf").write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/error;\nevents {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}; proxy_temp_path {tmp_path}; fastcgi_temp_path {tmp_path};"
        f" uwsgi_temp_path {tmp_path}; scgi_temp_path {tmp_path};\n"
        f"server {{ listen 127.0.0.1:{port} proxy_protocol;"
        " location / { return 200 \"$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port\"; } } }\n")
    nginx = subprocess.Popen(["nginx", "-c", tmp_path / "conf", "-e", tmp_path / "error"], preexec_fn=die_with_parent)
    try:
        wait_until(lambda: listens("127.0.0.1", port), what="nginx")
        vip = lb.vip(f"to-{version}{words.get('mode', '')}", proxy_to=version, **words)
        lb.rip(vip, "n", port)
        ports = set()
        for _ in range(3):  # one connection to the server for each client
            with vip.connect(source="127.0.0.8") as s:
                mine = str(s.getsockname()[1])
                r = Reader(s)

                def answer():
                    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    line, fields, _ = r.head()
                    return line, r.body(fields).decode()
                line, body = wait_until(answer, what="an answer")
                assert line == "HTTP/1.1 200 OK" and body.split() == ["127.0.0.8", mine, str(vip.port)]
                ports.add(mine)
        assert len(ports) == 3
    finally:
        nginx.terminate()
        nginx.wait(10)


def values(body):
    """{type: value} of what stands behind the addresses."""
    out = {}
    while body:
        kind, n = struct.unpack(">BH", body[:3])
        out[kind], body = body[3:3 + n], body[3 + n:]
    return out


def test_servers_are_told_of_tls(lb, closing, tmp_path):
    """A052: version 2 tells of the client's TLS, and of its certificate: shown now, or when the session began, or never."""
    got = []

    def server(c, o):
        r = Reader(c)
        head = r.exactly(16)
        got.append(values(r.exactly(int.from_bytes(head[14:], "big"))[12:]))
        r.head()
        c.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    ca = Authority(tmp_path)
    bring(lb, "told", *ca.sign("a", "DNS:a.example.org"))
    trust(lb, "told", ca)
    lb.ctl("create", "tls", "told", "cert=told", "client_auth=optional", "client_ca=told")
    vip = lb.vip("told", closing(Origin("o", handle=server)), tls="told", proxy_to="v2")
    with_cert, without = context(ca, TLS13, ca.sign("Jo")), context(ca, TLS13)

    def told(ctx, session=None):
        with ctx.wrap_socket(vip.connect(), server_hostname="a.example.org", session=session) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a.example.org\r\n\r\n")
            assert Reader(s).head()[0] == "HTTP/1.1 204 No Content"
            tlv = got[-1]
            return tlv[2], tlv[0x20][0], int.from_bytes(tlv[0x20][1:5], "big"), values(tlv[0x20][5:]), s.session, s.cipher()[0]
    name, flags, verify, more, session, cipher = told(with_cert)
    assert (name, flags, verify) == (b"a.example.org", 7, 0) and more == {0x21: b"TLSv1.3", 0x22: b"Jo", 0x23: cipher.encode()}
    assert told(with_cert, session)[1:4] == (5, 0, more)
    assert told(without)[1:3] == (1, 1) and 0x22 not in told(without)[3]


def test_chained(lb, origins):
    """Two services in a row: what the first writes the second reads."""
    o, = origins("o")
    inner = lb.vip("inner", o, proxy_from=ADDRESS + ",127.0.0.1")
    outer = lb.vip("outer", proxy_to="v2")
    lb.rip(outer, "inner", inner.port, address=inner.address)
    with outer.connect(source="127.0.0.8") as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert Reader(s).head()[0] == "HTTP/1.1 200 OK"
    assert seen(o).startswith("127.0.0.8")


def test_the_check_of_a_server_brings_a_header(lb, closing):
    """A server that demands a header is found fit: the probe says that it is none of its clients."""
    got = []

    def strict(c, o):
        r = Reader(c)
        got.append(r.until(b"\r\n"))
        if got[-1] and got[-1].startswith(b"PROXY "):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    o = closing(Origin("o", handle=strict))
    lb.ctl("create", "check", "page", "kind=http", "interval=200ms", "timeout=200ms", "assume=down")
    vip = lb.vip("checked", o, proxy_to="v1", check="page")
    assert _status(vip) == 503  # nobody has proven it yet
    lb.start("lbd-check")
    try:
        wait_until(lambda: _status(vip) == 200, what="the server is fit")
    finally:
        lb.kill("lbd-check", 15)
    assert b"PROXY UNKNOWN\r\n" in got


def _status(vip):
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return int(Reader(s).head()[0].split()[1])
