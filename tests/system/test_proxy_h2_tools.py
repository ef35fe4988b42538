"""h2load and nghttp on every path that HTTP/2 of clients can take: TLS by ALPN, clear text by prior knowledge, the upgrade that is
no more; requests small and large both ways, with cookies, rules, compression and pages. None fails, none errs."""
import re
import subprocess

import pytest

from h2lib import ca, counters, tls  # noqa: F401
from lbdtest import Origin, http_answer

TEXT = b"<p>the server is well</p>\n" * 400
LARGE = bytes(range(256)) * 4096


def answer(r):
    """By target: /large a megabyte, /text what can be compressed, /found a redirect; else what it received."""
    if r["target"].startswith("/large"):
        return http_answer(LARGE)
    if r["target"].startswith("/text"):
        return http_answer(TEXT, "200 OK", "Content-Type: text/html")
    if r["target"].startswith("/found"):
        return http_answer(b"", "302 Found", "Location: /")
    return http_answer(f"{r['method']} {len(r['body'])} {dict(r['fields']).get('x-rule', '')}".encode(), "200 OK",
                       f"X-Server: {r['server']}")


@pytest.fixture(scope="module", params=("tls", "clear"))
def service(request, lb, tls):  # noqa: F811
    """A service with cookies, compression, pages and rules; its URL."""
    servers = [Origin("a"), Origin("b")]
    for o in servers:
        o.answer = answer
    if request.param == "tls":
        lb.ctl("create", "page", "gone", "body=gone for good", "status=410")
        lb.ctl("create", "page", "well", "body=well", "status=200")
    vip = lb.vip(f"tools-{request.param}", *servers, persistence="cookie", compress="plain", compress_min="1", log="combined",
                 error_pages="403=well,404=gone", **({"tls": "base"} if request.param == "tls" else {"h2c": "yes"}))
    for name, *words in (("page", "when=path is /page", "action=deny", "status=403"),
                         ("gone", "when=path is /gone", "action=deny", "status=404"),
                         ("text", "when=path is /told", "action=return", "status=200", "body=told"),
                         ("mark", "when=path starts /rule", "action=set_header", "header=X-Rule", "value=set"),
                         ("path", "when=path starts /rule", "action=rewrite", "value=/ruled")):
        lb.ctl("create", "rule", f"{vip.name}/{name}", *words)
    yield vip, f"{'https' if request.param == 'tls' else 'http'}://{vip.address}:{vip.port}", servers
    for o in servers:
        o.close()


def h2load(*args):
    return subprocess.run(["h2load", *map(str, args)], capture_output=True, text=True, timeout=200).stdout


def nghttp(*args):
    return subprocess.run(["nghttp", *map(str, args)], capture_output=True, text=True, timeout=100)


# name, path, requests, options of h2load
LOADS = [
    ("get", "/", 400, "-c 4 -m 16"),
    ("one-stream", "/", 200, "-c 8 -m 1"),
    ("many-streams", "/", 400, "-c 2 -m 100"),
    ("head", "/", 200, "-c 4 -m 16 -H :method:HEAD"),
    ("post", "/", 200, "-c 4 -m 16 -d small"),
    ("post-large", "/", 12, "-c 2 -m 3 -d large"),
    ("large", "/large", 12, "-c 2 -m 3"),
    ("large-small-windows", "/large", 4, "-c 2 -m 2 -w 14 -W 15"),
    ("large-frames", "/large", 8, "-c 2 -m 4 -f 65536"),
    ("cookie", "/", 200, "-c 4 -m 16 -H cookie:x=1;y=2"),
    ("rule", "/rule", 200, "-c 4 -m 16"),
    ("redirect", "/found", 200, "-c 4 -m 16"),
    ("gzip", "/text", 200, "-c 4 -m 16 -H accept-encoding:gzip"),
    ("br", "/text", 200, "-c 4 -m 16 -H accept-encoding:br"),
    ("page", "/page", 400, "-c 4 -m 16"),
    ("text", "/told", 400, "-c 4 -m 16"),
    ("connections", "/", 60, "-c 60 -m 1"),
    ("no-table", "/", 200, "-c 4 -m 16 --header-table-size=0 --encoder-header-table-size=0"),
    ("http-1.1", "/", 200, "-c 4 -m 1 --h1"),
]


@pytest.mark.parametrize("name,path,n,options", LOADS, ids=[x[0] for x in LOADS])
def test_h2load(lb, service, tmp_path, name, path, n, options):
    """A047, A049: all are answered with 2xx or 3xx, and none fails."""
    vip, url, _ = service
    (tmp_path / "small").write_bytes(b"hello")
    (tmp_path / "large").write_bytes(LARGE)
    before = counters(lb, vip)["requests_total"]
    out = h2load("-n", n, *(tmp_path / w if w in ("small", "large") else w for w in options.split()), url + path)
    assert f"{n} done, {n} succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    want = "3xx" if name == "redirect" else "2xx"
    assert f" {n} {want}" in out, out
    assert f"Application protocol: {'http/1.1' if name == 'http-1.1' else 'h2' if url.startswith('https') else 'h2c'}" in out
    assert counters(lb, vip)["requests_total"] == before + n


def test_h2load_page_of_an_error(service):
    """Streams that a page answers with an error are answered, all of them."""
    out = h2load("-n", 200, "-c", 4, "-m", 16, service[1] + "/gone")
    assert "200 done, 0 succeeded, 200 failed, 0 errored, 0 timeout" in out and " 200 4xx" in out, out


# what nghttp is asked for, and what it must have received
ASKED = [
    ("get", "/x", "", r"^GET 0 $"),
    ("rule", "/rule", "", r"^GET 0 set$"),
    ("post", "/x", "-d small", r"^POST 5 $"),
    ("post-large", "/x", "-d large", rf"^POST {len(LARGE)} $"),
    ("post-no-length", "/x", "-d small --no-content-length", r"^POST 5 $"),
    ("post-padded", "/x", "-d large --padding=200", rf"^POST {len(LARGE)} $"),
    ("trailer", "/x", "-d small --trailer=x-sum:1", r"^POST 5 $"),
    ("expect", "/x", "-d small --expect-continue", r"^POST 5 $"),
    ("windows", "/text", "-w 10 -W 10", TEXT.decode().splitlines()[0]),
    ("no-dependencies", "/x", "--no-dep", r"^GET 0 $"),
    ("weight", "/x", "-p 7", r"^GET 0 $"),
    ("page", "/page", "", r"^well$"),
    ("many", "/x", "-m 40", r"^(GET 0 ){40}$"),
    ("large-many", "/large", "-m 5 -n", r"^$"),
    ("table", "/x", "-c 0 -c 4096", r"^GET 0 $"),
]


@pytest.mark.parametrize("name,path,options,body", ASKED, ids=[x[0] for x in ASKED])
def test_nghttp(service, tmp_path, name, path, options, body):
    """A047, A049: what a careful client sees frame by frame: no reset, no GOAWAY with an error, the right bytes."""
    (tmp_path / "small").write_bytes(b"hello")
    (tmp_path / "large").write_bytes(LARGE)
    words = [tmp_path / w if w in ("small", "large") else w for w in options.split()]
    r = nghttp(*words, service[1] + path)
    assert r.returncode == 0 and re.search(body, r.stdout), r.stdout[:400] + r.stderr
    frames = nghttp("-v", "-n", *words, service[1] + path).stdout
    assert ":status: 200" in frames and "RST_STREAM" not in frames, frames[-3000:]
    assert not re.search(r"error_code=(?!NO_ERROR)", frames), frames[-3000:]


@pytest.mark.parametrize("service", ("clear",), indirect=True)
def test_upgrade_is_refused(service):
    """The upgrade from HTTP/1.1 (Upgrade: h2c), which RFC 9113 took back: the request is answered as it is, and the server is not
    told of the offer."""
    _, url, servers = service
    seen = [len(o.requests) for o in servers]
    r = nghttp("-v", "-u", url + "/up")
    assert "HTTP Upgrade failed" in r.stdout + r.stderr and "101 " not in r.stdout
    asked = [q for o, n in zip(servers, seen) for q in o.requests[n:]]
    assert [q["target"] for q in asked] == ["/up"]
    assert not {"upgrade", "http2-settings", "connection"} & {n for n, _ in asked[0]["fields"]}
