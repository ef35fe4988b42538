"""Copies of requests for the servers of another service (A060); clients notice nothing of them."""
import contextlib
import socket
import subprocess
import threading
import time

import pytest
from lbdtest import SLOW, Lbd, Reader, client, get, http_answer, wait_until


def dead_port():
    """Nobody listens there."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture()
def mirrored(lb, request):
    """mirrored(origin, shadow, pool={}, **fields): a service of the test's name whose copies go to shadow, an origin or a port."""
    def make(o, shadow, pool=(), **fields):
        name = request.node.name.removeprefix("test_").replace("_", "-").replace("[", "-").strip("]")
        port = shadow if isinstance(shadow, int) else shadow.port
        lb.ctl("create", "vip", f"{name}-copy", *(f"{k}={v}" for k, v in dict(pool).items()))
        lb.ctl("create", "rip", f"{name}-copy/shadow", "address=127.0.0.1", f"port={port}")
        return lb.vip(name, o, mirror=f"{name}-copy", **fields)
    return make


def counted(lb, vip):
    s = lb.json("stats", vip.name)[0]
    return s["mirrored"], s["mirror_lost"]


def test_all(lb, origins, mirrored):
    """Each request goes to both, as the server gets it, on connections that are used again; the client has the server's answer."""
    o, shadow = origins("o", "shadow")
    shadow.answer = lambda r: http_answer(b"x" * 50000, "500 Internal Server Error")
    vip = mirrored(o, shadow, x_forwarded="yes", request_id="replace")
    lb.ctl("create", "rule", f"{vip.name}/mark", "when=path starts /", "action=set_header", "header=X-Mark", "value=1")
    wait_until(lambda: "x-mark" in get(vip).body.decode())
    wait_until(lambda: len(shadow.requests) == len(o.requests))
    o.requests.clear()
    shadow.requests.clear()
    c = client(vip)
    for i in range(10):
        a = get(vip, f"/{i}?a=b", {"Host": "www.example.org", "Cookie": "a=b"}, connection=c)
        assert a.status == 200 and a.server == "o"
        wait_until(lambda n=i: len(shadow.requests) == n + 1)
    c.close()
    strip = lambda r: (r["method"], r["target"], r["fields"], r["body"])
    assert [strip(r) for r in shadow.requests] == [strip(r) for r in o.requests]
    assert ("host", "www.example.org") in shadow.requests[0]["fields"] and ("x-mark", "1") in shadow.requests[0]["fields"]
    assert len({r["connection"] for r in shadow.requests}) <= 2
    sent, lost = counted(lb, vip)
    assert sent >= 11 and lost == 0
    wait_until(lambda: lb.json("stats", f"{vip.name}-copy")[0]["http_5xx"] == sent)
    assert lb.json("stats", vip.name)[0]["http_5xx"] == 0


def test_share(lb, origins, mirrored):
    """0% copies nothing, 25% a quarter by chance; a change takes effect at once, and so does a pool that is switched off."""
    o, shadow = origins("o", "shadow")
    vip = mirrored(o, shadow, mirror_share="0%")

    def many(n):
        c = client(vip)
        for _ in range(n):
            assert get(vip, connection=c).status == 200
        c.close()
    many(50)
    assert counted(lb, vip) == (0, 0) and not shadow.requests
    lb.ctl("set", "vip", vip.name, "mirror_share=25%")
    wait_until(lambda: get(vip).status == 200 and sum(counted(lb, vip)) > 0)
    before = sum(counted(lb, vip))
    many(800)
    sent, lost = counted(lb, vip)
    assert 130 < sent + lost - before < 270  # 200 expected, deviation 12
    assert lost == 0
    wait_until(lambda: len(shadow.requests) == counted(lb, vip)[0])
    lb.ctl("set", "vip", f"{vip.name}-copy", "enabled=no")
    n = sum(counted(lb, vip))
    time.sleep(0.3)
    many(40)
    assert len(shadow.requests) <= n + 40 and get(vip).status == 200
    lb.ctl("set", "vip", f"{vip.name}-copy", "enabled=yes")
    lb.ctl("set", "vip", vip.name, "mirror_share=100%")
    wait_until(lambda: get(vip).status == 200 and len(shadow.requests) > n + 40)


def test_bodies(lb, origins, mirrored):
    """Bodies with a length and chunked, at once and in pieces; those that are larger than mirror_body are not copied, nor is
    one that the client did not finish."""
    o, shadow = origins("o", "shadow")
    vip = mirrored(o, shadow, mirror_body="100K")
    small, large = "0123456789" * 9000, "0123456789" * 20000

    assert get(vip, method="POST", body="abc").status == 200
    assert get(vip, method="PUT", body=small).status == 200
    chunks = lambda text: iter([text[i:i + 5000].encode() for i in range(0, len(text), 5000)])
    assert get(vip, headers={"Transfer-Encoding": "chunked"}, method="POST", body=chunks(small)).status == 200
    with vip.connect() as s:
        s.sendall(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        for i in range(10):
            time.sleep(0.02)
            assert len(shadow.requests) <= 3
            s.sendall(b"%d" % i)
        assert Reader(s).head()[0].startswith("HTTP/1.1 200 ")
    wait_until(lambda: len(shadow.requests) == 4)
    assert sorted(r["body"] for r in shadow.requests) == sorted(["abc", small, small, "0123456789"])
    assert counted(lb, vip) == (4, 0)
    assert get(vip, method="POST", body=large).status == 200
    assert get(vip, headers={"Transfer-Encoding": "chunked"}, method="POST", body=chunks(large)).status == 200
    assert [len(r["body"]) for r in o.requests[-2:]] == [len(large)] * 2
    assert counted(lb, vip) == (4, 2)
    with vip.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
        time.sleep(0.1)
    wait_until(lambda: counted(lb, vip) == (4, 3))
    with vip.connect() as s:
        s.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        r = Reader(s)
        assert r.head()[0] == "HTTP/1.1 100 Continue"
        s.sendall(b"xyz")
        assert r.head()[0].startswith("HTTP/1.1 200 ")
    wait_until(lambda: shadow.requests[-1]["body"] == "xyz")
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        assert Reader(s).head()[0].startswith("HTTP/1.1 200 ")
    assert counted(lb, vip) == (5, 4)


def test_http2(lb, origins, mirrored, tmp_path):
    """Clients of HTTP/2, with bodies too."""
    o, shadow = origins("o", "shadow")
    vip = mirrored(o, shadow, h2c="yes")
    (tmp_path / "body").write_text("0123456789" * 5000)
    url = f"http://{vip.address}:{vip.port}/"
    for extra in [], ["--data-binary", f"@{tmp_path}/body"], ["-T", "-"]:
        with open(tmp_path / "body") as f:
            r = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--http2-prior-knowledge",
                                *extra, url], stdin=f, capture_output=True, text=True, timeout=60)
        assert r.stdout == "2 200", r.stderr
    wait_until(lambda: len(shadow.requests) == 3)
    assert [len(r["body"]) for r in shadow.requests] == [0, 50000, 50000]
    assert counted(lb, vip) == (3, 0)


def median(vip, n=40):
    c, took = client(vip), []
    for _ in range(n):
        start = time.monotonic()
        assert get(vip, connection=c).server == "o"
        took.append(time.monotonic() - start)
    c.close()
    return sorted(took)[n // 2]


@pytest.mark.parametrize("shadow", ["silent", "dead", "resets", "garbage", "endless"])
def test_trouble(lb, origins, closing, mirrored, shadow):
    """A shadow that is silent, dead, resets, or answers anything: latency and result are those without it."""
    o, = origins("o")
    stop = threading.Event()

    def handle(c, origin):
        r = Reader(c)
        while r.head() is not None:
            if shadow == "resets":
                return
            if shadow == "garbage":
                c.sendall(b"\0\1\2 what\r\n\r\n")
            elif shadow == "endless":
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
                while not stop.is_set():
                    c.sendall(b"x" * 65536)
            else:
                stop.wait(30)
                return
    s = dead_port() if shadow == "dead" else origins("shadow", handle=handle)[0]
    vip = mirrored(o, s, {"server_timeout": "1s", "connect_timeout": "1s"}, mirror_share="0%")
    without = median(vip)
    lb.ctl("set", "vip", vip.name, "mirror_share=100%")
    wait_until(lambda: get(vip).status == 200 and sum(counted(lb, vip)) > 0)
    try:
        assert median(vip) < 5 * without + 0.05 * SLOW
        if shadow == "endless":
            wait_until(lambda: counted(lb, vip)[0] >= 40)
        else:
            wait_until(lambda: counted(lb, vip)[1] >= 40)
    finally:
        stop.set()


def hang_up(c):
    with contextlib.suppress(OSError):
        c.shutdown(socket.SHUT_RDWR)


def test_idle_connection_that_ended(lb, origins, mirrored):
    """A copy that meets a connection which the shadow has ended is sent anew, a POST too."""
    o, shadow = origins("o", "shadow")
    vip = mirrored(o, shadow)
    assert get(vip).status == 200
    wait_until(lambda: len(shadow.requests) == 1)
    for i in range(20):
        for c in list(shadow.open):
            threading.Timer(0.0005 * i, hang_up, [c]).start()
        time.sleep(0.0005 * i)
        assert get(vip, method="POST", body="x").status == 200
    wait_until(lambda: sum(counted(lb, vip)) >= 21)
    assert counted(lb, vip)[0] == 21
    wait_until(lambda: len(shadow.requests) >= 15)


def test_limit(lb, origins, mirrored):
    """No more than 256 copies of one worker at once: the rest is left out and counted, and none holds a request back."""
    o, = origins("o")
    stop = threading.Event()
    shadow, = origins("shadow", handle=lambda c, origin: stop.wait(60))
    vip = mirrored(o, shadow, {"server_timeout": "60s"})
    c = client(vip)
    try:
        for _ in range(300):
            assert get(vip, connection=c).server == "o"  # one connection is one worker's
        sent, lost = counted(lb, vip)
        assert (sent + lost, sent) == (300, 256)
    finally:
        stop.set()
        c.close()
    wait_until(lambda: counted(lb, vip)[1] == 300)  # those that were sent have failed
    assert get(vip).status == 200
    wait_until(lambda: counted(lb, vip)[0] == 257)


def test_refused(lb, origins):
    """What cannot be mirrored to is refused at the commit."""
    o, = origins("o")
    vip = lb.vip("lone", o)
    lb.ctl("create", "vip", "with-address", f"address={vip.address}", "ports=81")
    for to, why in {"nobody": "there is no vip", "lone": "is the virtual service itself", "with-address": "has an address"}.items():
        r = lb.ctl("set", "vip", "lone", f"mirror={to}", check=False)
        assert r.returncode != 0 and "mirror" in r.stderr and why in r.stderr


def test_end_with_copies(lb, origins, closing, tmp_path):
    """The process ends while copies are on their way."""
    other = closing(Lbd(tmp_path / "lbd", "lbd-proxy"))
    other.start()
    o, = origins("o")
    stop = threading.Event()
    shadow, = origins("shadow", handle=lambda c, origin: stop.wait(60))
    other.ctl("create", "vip", "copy")
    other.ctl("create", "rip", "copy/shadow", "address=127.0.0.1", f"port={shadow.port}")
    vip = other.vip("front", o, mirror="copy")
    for _ in range(20):
        assert get(vip).status == 200
    with vip.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123")
        wait_until(lambda: counted(other, vip) == (20, 0))
    start = time.monotonic()
    other.stop()
    assert time.monotonic() - start < 10 * SLOW
    stop.set()
