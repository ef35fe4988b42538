"""HTTP/2 from end to end: h2load, nghttp and curl, lbd-proxy, and servers that others made: nghttpd, nginx and HAProxy, in clear and by
TLS. None fails, none errs, whatever ends connections early."""
import re
import subprocess

import pytest
from h2lib import H2, ca, counters, tls, vip_of  # noqa: F401
from h2peers import haproxy, nghttpd, nginx
from lbdtest import Origin, get
from test_proxy_h2_tools import LARGE, TEXT, answer, h2load, nghttp

PEERS = ("nghttpd", "nghttpd-tls", "haproxy", "haproxy-tls", "nginx")


@pytest.fixture(scope="module")
def certs(ca):  # noqa: F811
    return ca.sign("b", "DNS:b.example.org")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Files that servers serve."""
    root = tmp_path_factory.mktemp("root")
    for name, data in (("x", b"x" * 10), ("large", LARGE), ("text", TEXT)):
        (root / name).write_bytes(data)
    return root


@pytest.fixture(scope="module", params=PEERS)
def service(request, lb, tls, certs, root, tmp_path_factory):  # noqa: F811
    """A service before one of them; its URL. nghttpd takes 30 streams at once."""
    kind, _, by = request.param.partition("-")
    folder, own = tmp_path_factory.mktemp("peer"), {"certs": certs if by else None}
    behind = Origin("behind")
    behind.answer = answer
    if kind == "nghttpd":
        peer = nghttpd(root, "-m", 30, **own)
    elif kind == "haproxy":
        peer = haproxy(folder, behind, **own)
    else:
        peer = nginx(folder, root, certs, requests=1_000_000)
    tls_fields = {"server_tls": "on", "server_http": "auto"} if by or kind == "nginx" else {"server_http": "2"}
    vip = lb.vip(f"peers-{request.param}", peer, h2c="yes", compress="plain", compress_min=1000, persistence="cookie", **tls_fields)
    yield vip, f"http://{vip.address}:{vip.port}", kind
    peer.close()
    behind.close()


# name, path, requests, options of h2load
LOADS = [
    ("get", "/x", 1000, "-c 4 -m 16"),
    ("one-stream", "/x", 300, "-c 8 -m 1"),
    ("many-streams", "/x", 1000, "-c 2 -m 100"),
    ("head", "/x", 300, "-c 4 -m 16 -H :method:HEAD"),
    ("post", "/x", 300, "-c 4 -m 16 -d small"),
    ("post-large", "/x", 12, "-c 2 -m 3 -d large"),
    ("large", "/large", 24, "-c 2 -m 6"),
    ("large-small-windows", "/large", 4, "-c 2 -m 2 -w 14 -W 15"),
    ("gzip", "/text", 200, "-c 4 -m 16 -H accept-encoding:gzip"),
    ("connections", "/x", 60, "-c 60 -m 1"),
    ("http-1.1", "/x", 300, "-c 4 -m 1 --h1"),
]


@pytest.mark.parametrize("name,path,n,options", LOADS, ids=[x[0] for x in LOADS])
def test_h2load(lb, service, tmp_path, name, path, n, options):
    """A047: all are answered with 2xx, none fails; the server was at fault in nothing."""
    vip, url, kind = service
    (tmp_path / "small").write_bytes(b"hello")
    (tmp_path / "large").write_bytes(LARGE)
    before = counters(lb, vip)
    out = h2load("-n", n, *(tmp_path / w if w in ("small", "large") else w for w in options.split()), url + path)
    assert f"{n} done, {n} succeeded, 0 failed, 0 errored, 0 timeout" in out and f" {n} 2xx" in out, out
    after = counters(lb, vip)
    assert after["requests_total"] == before["requests_total"] + n
    assert after["server_aborts"] == 0


# what nghttp is asked for, and what it must have received of files and of what was sent
ASKED = [
    ("get", "/x", "", r"^x{10}$", r"^GET 0 $"),
    ("post", "/x", "-d small", r"^(hello|x{10})$", r"^POST 5 $"),
    ("post-no-length", "/x", "-d small --no-content-length", r"^(hello|x{10})$", r"^POST 5 $"),
    ("post-padded", "/x", "-n -d large --padding=200", r"^$", r"^$"),
    ("trailer", "/x", "-d small --trailer=x-sum:1", r"^(hello|x{10})$", r"^POST 5 $"),
    ("expect", "/x", "-d small --expect-continue", r"^(hello|x{10})$", r"^POST 5 $"),
    ("windows", "/text", "-w 10 -W 10", TEXT.decode().splitlines()[0], TEXT.decode().splitlines()[0]),
    ("many", "/x", "-m 40", r"^x{400}$", r"^(GET 0 ){40}$"),
    ("large-many", "/large", "-m 5 -n", r"^$", r"^$"),
]


@pytest.mark.parametrize("name,path,options,file,told", ASKED, ids=[x[0] for x in ASKED])
def test_nghttp(service, tmp_path, name, path, options, file, told):
    """A047: frame by frame: no reset, no GOAWAY with an error, the right bytes."""
    _, url, kind = service
    (tmp_path / "small").write_bytes(b"hello")
    (tmp_path / "large").write_bytes(LARGE)
    words = [tmp_path / w if w in ("small", "large") else w for w in options.split()]
    r = nghttp(*words, url + path)
    assert r.returncode == 0 and re.search(told if kind == "haproxy" else file, r.stdout), r.stdout[:400] + r.stderr
    frames = nghttp("-v", "-n", *words, url + path).stdout
    assert ":status: 200" in frames, frames[-3000:]
    assert "RST_STREAM" not in frames or (kind == "nginx" and "-d" in options), frames[-3000:]  # nginx answers before it has read
    assert not re.search(r"error_code=(?!NO_ERROR)", frames), frames[-3000:]


@pytest.mark.parametrize("path, size", [("/x", 10), ("/large", len(LARGE))])
def test_bytes(service, path, size):
    """What is received is what was asked for, by both versions, and so is its length."""
    vip, url, kind = service
    want = LARGE if path == "/large" else b"GET 0 " if kind == "haproxy" else b"x" * 10
    with H2(vip, timeout=30) as h:
        for n in [h.request(path) for _ in range(5)]:
            a = h.answer(n)
            assert a.status == 200 and a.body == want and a["content-length"] == str(len(want))
    a = get(vip, path)
    assert a.body == want and a.headers["Content-Length"] == str(len(want))


@pytest.mark.parametrize("options", ["-c 4 -m 16", "-c 2 -m 100", "-c 4 -m 16 -d small", "-c 4 -m 16 -H :method:HEAD"])
def test_nginx_ends_connections(lb, closing, request, root, certs, tmp_path, options):
    """nginx ends each connection after 50 requests; those that were on their way then are asked by another."""
    vip = vip_of(lb, request, closing(nginx(tmp_path, root, certs, requests=50)), h2c="yes", server_tls="on", server_http="auto")
    (tmp_path / "small").write_bytes(b"hello")
    out = h2load("-n", 1000, *(tmp_path / w if w == "small" else w for w in options.split()), f"http://{vip.address}:{vip.port}/x")
    assert "1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout" in out and " 1000 2xx" in out, out
    n = counters(lb, vip)
    assert n["requests_total"] == 1000 and n["server_aborts"] == 0
    assert lb.json("get", "rip", f"{vip.name}/")[0]["status"]["counters"]["connections_total"] >= 20


def test_trailers_of_nghttpd(lb, closing, request, root):
    """An answer of nghttpd has its length and trailers: nghttp sees both, curl the length."""
    vip = vip_of(lb, request, closing(nghttpd(root, "--trailer", "x-sum: 17")), h2c="yes", server_http="2")
    url = f"http://{vip.address}:{vip.port}/large"
    frames = nghttp("-v", "-n", url).stdout
    assert f"content-length: {len(LARGE)}" in frames and "RST_STREAM" not in frames, frames[-3000:]
    end = frames.rpartition("recv HEADERS frame")
    assert "x-sum: 17" in frames and "END_STREAM" in end[2] and end[0].count("recv HEADERS frame") == 1, frames[-3000:]
    with H2(vip) as h:
        a = h.get("/x")
        assert a.body == b"x" * 10 and a.trailers == {"x-sum": "17"} and a["content-length"] == "10"
    r = subprocess.run(["curl", "-sS", "-D", "-", "-o", "/dev/null", "-w", "%{size_download}", url], capture_output=True, text=True, timeout=60)
    assert r.stdout.endswith(f"\n{len(LARGE)}") and f"content-length: {len(LARGE)}\n" in r.stdout.lower()
    assert "chunked" not in r.stdout


def test_killed(lb, closing, request, root):
    """Requests that are idempotent, at a server that is killed under them, are answered by the one that is left."""
    a, b = closing(nghttpd(root, name="a")), closing(nghttpd(root, name="b"))
    vip = vip_of(lb, request, a, b, h2c="yes", server_http="2")
    with H2(vip, timeout=30, hold=True, window=20) as h:
        waiting = [h.request("/large") for _ in range(4)]  # answers that have begun: those of the one that goes break off
        h.until(lambda: all(h.answers[n].body for n in waiting))
        a.close()
        rest = [h.request("/x") for _ in range(20)]
        assert [h.answer(n).body for n in rest] == [b"x" * 10] * 20
        h.hold = False
        for n in waiting:
            h.h.increment_flow_control_window(2 * len(LARGE), n)
        h.h.increment_flow_control_window(8 * len(LARGE))
        h.flush()
        whole = [h.answer(n).ended for n in waiting]
    assert sorted(whole) == [False, False, True, True]
    assert all((h.answers[n].body == LARGE) == h.answers[n].ended for n in waiting)
