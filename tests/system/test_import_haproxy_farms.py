"""Farms as HAProxy serves them, imported: what is said of each line, and that requests are answered alike."""
import contextlib
import json
import re
import shutil
import subprocess

import pytest

from haproxy_farms import DATABASE, DESKTOPS, EXCHANGE, FARMS, GATEWAY, GRPC, WORDPRESS
from lbdtest import ADDRESS, BIN, Lbd, free_port, get, listens, wait_until
from test_import_haproxy import both, over_tls, page, pem, seen  # noqa: F401 (pem is a fixture)
from test_proxy_rdp import token
from test_proxy_schedulers import connect_rdp, rdp, serve_rdp

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")

FILES = {
    "503.http": page("503 Service Unavailable", "<p>Back soon\n", "Content-Type: text/html"),
    "keys.lst": "alpha\nbeta\ngamma\ndelta\n",
    "robots.txt": "User-agent: *\nDisallow: /\n",
    "slow.json": '{"error":"slow down"}\n',
    "format.txt": "%[src]\n",
    "services.map": "/shop.Orders/ orders\n/grpc.health.v1.Health/ health\n/shop.Users/ users\n/shop.Gone/ gone\n",
    "routes.map": "# longest first\n/v1/users svc_users\n/v1/orders svc_orders\n/v1/orders/none nothing\n/v1/legacy legacy\n",
    "tenants.map": "red.example.org red\nblue.example.org   blue\nlost.example.org nowhere\nplain.example.org fallback\n",
    "patterns.map": "^/r/[0-9]+$ red\n^/r/[0-9]+ blue\n/none$ nothing\n/any red\n",
    "nets.map": "127.0.0.0/8 red\n127.0.7.0/24 blue\n",
}


@pytest.fixture()
def files(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture()
def lb(tmp_path, closing):
    lb = closing(Lbd(tmp_path / "r", "lbd-proxy"))
    lb.ctl("set", "node", "hostname=alpha")
    return lb.start()


# ---- every line -------------------------------------------------------------------------------------------------------------

WORDS = {"=": "mapped", "~": "mapped with a difference", "-": "not supported"}


@pytest.mark.parametrize("name", FARMS)
def test_each_line_is_accounted_for(name, files, pem):
    """HAProxy takes the file; the report says of each line just what is written behind it, and of no other line anything."""
    servers = {n: f"127.0.0.1:{8000 + i}" for i, n in enumerate(["a", "b", "c", "d", "dead"])}
    text = FARMS[name].format(address=ADDRESS, plain=8080, secure=8443, pem=pem, tmp=files, **servers)
    wanted = {n: WORDS[m[1]] for n, line in enumerate(text.splitlines(), 1) if (m := re.search(r"\s#([=~-])$", line))}
    path = files / "farm.cfg"
    path.write_text(re.sub(r"\s+#[=~-]$", "", text, flags=re.M))
    assert set(wanted) == {n for n, line in enumerate(path.read_text().splitlines(), 1) if line.strip()}
    if name != "stranger":  # it has lines that need what this machine has not
        check = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True)
        assert check.returncode == 0, check.stderr
    r = subprocess.run([BIN / "lbctl", "--root", files / "other", "import", "haproxy", path], capture_output=True, text=True)
    assert r.returncode == ("not supported" in wanted.values()), r.stderr
    said = {}
    for line in r.stderr.splitlines()[:-1]:
        m = re.match(r"line (\d+): (mapped with a difference|mapped|not supported): ", line)
        assert m, line
        n, how = int(m[1]), m[2]
        said[n] = max(said.get(n, "mapped"), how, key=list(WORDS.values()).index)
    differ = {n: (wanted.get(n), said.get(n)) for n in {*wanted, *said} if wanted.get(n) != said.get(n)}
    assert not differ, "\n".join(x for x in r.stderr.splitlines() if any(x.startswith(f"line {n}: ") for n in differ))


# ---- requests -----------------------------------------------------------------------------------------------------------------

FIELDS = ("Location", "X-Frame-Options", "Strict-Transport-Security", "Cache-Control", "X-Powered-By", "X-Served-By")


def met(answer):
    """What the client and the server have seen; of answers of the proxy itself those with a body of their own."""
    out = seen(answer)
    out.update({name: answer.headers.get(name) for name in FIELDS if answer.server or name == "Location"})
    if answer.headers.get("Set-Cookie"):  # then it is always private with lbd, as the report says
        del out["Cache-Control"]
    out["body"] = not answer.server and answer.status in (200, 503) and (answer.body, answer.headers.get("Content-Type"))
    for name in ("content-length", "x-request-start", "x-request-id"):  # not supported, and of another form, as is said
        out.get("fields", {}).pop(name, None)
    return out


def compare(sides, requests, same=(), tls=()):
    """same: servers that are one backend. A request: method, path, header fields and perhaps the client's address."""
    got = []
    for side in sides:
        wait_until(lambda: listens(ADDRESS, side["plain"].port), what="it listens")
        got.append([met(get(side["plain"], path, dict({"Host": "www.example.org"}, **fields), method, source=more[0] if more else None))
                    for method, path, fields, *more in requests])
        for name, path in tls:
            got[-1].append(met(over_tls(side["secure"], name, path)[0]))
    for i, (haproxy, lbd) in enumerate(zip(*got, strict=True)):
        for x in (haproxy, lbd):
            x["server"] = same[0] if x["server"] in same else x["server"]
        assert haproxy == lbd, (requests[i] if i < len(requests) else tls[i - len(requests)])
    return got[0]


def start(lb, closing, files, text, made, **more):
    text = re.sub(r"\s+#[=~-]$", "", text, flags=re.M)
    text = re.sub(r"^    (log|chroot|user|group|daemon|maxconn 4000).*$", "", text, flags=re.M)  # of the machine
    text = re.sub(r"^    (option httpchk|http-check) .*$", "", text, flags=re.M)  # nobody tests servers here
    text = re.sub(r" check( inter 5s)?\b", "", text)
    return both(lb, closing, files, text, made, tmp=files, **more)


def test_wordpress(lb, closing, files, origins, pem):
    sides, says = start(lb, closing, files, WORDPRESS, origins("a", "b", "c", "d"), pem=pem)
    assert says.returncode == 0, says.stderr
    login = [("POST", "/wp-login.php", {}, "127.0.8.1")] * 7
    got = compare(sides, [
        ("GET", "/", {}), ("GET", "/", {"Host": "example.org"}), ("GET", "/a/b?c=d", {"Host": "EXAMPLE.org"}),
        ("GET", "/wp-content/themes/x/style.CSS?ver=1", {}), ("GET", "/a.png", {"Cookie": "wordpress_logged_in=x"}),
        ("GET", "/wp-content/uploads/a.php", {}), ("GET", "/wp-content/uploads/a.jpg", {}), ("POST", "/xmlrpc.php", {}),
        ("GET", "/wp-admin/", {}), ("GET", "/wp-admin/", {}, "127.0.9.1"), ("POST", "/wp-admin/admin-ajax.php", {}),
        ("GET", "/.well-known/acme-challenge/token", {}), ("GET", "/", {"Proxy": "http://bad.example/"}), *login,
        ("GET", "/wp-login.php", {}, "127.0.8.2")], same=("a", "b"), tls=[("www.example.org", "/"), ("www.example.org", "/x.js")])
    assert [g["status"] for g in got[13:21]] == [200] * 5 + [429] * 2 + [200]
    assert got[11]["server"] == "d" and got[11]["target"] == "/acme/.well-known/acme-challenge/token"


def test_exchange(lb, closing, files, origins, pem):
    sides, says = start(lb, closing, files, EXCHANGE, origins("a", "b", "c", "d"), pem=pem)
    assert says.returncode == 0, says.stderr
    tls = [("mail.example.org", p) for p in ("/", "/owa/", "/OWA/x", "/ecp/", "/mapi/emsmdb?MailboxId=x", "/EWS/Exchange.asmx",
                                             "/Autodiscover/Autodiscover.xml", "/Microsoft-Server-ActiveSync?Cmd=Sync", "/nothing")]
    got = compare(sides, [("GET", "/", {}), ("GET", "/owa/?a=b", {"Host": "mail.example.org"})],
                  tls=[*tls, ("autodiscover.example.org", "/x")])
    assert [g["server"] for g in got] == [None, None, None, "d", "d", None, "c", "c", "a", "b", None, "a"]


def test_gateway(lb, closing, files, origins):
    sides, says = start(lb, closing, files, GATEWAY, origins("a", "b", "c", "d"))

    def ask(path, method="GET", source="127.0.7.1", **fields):
        return method, path, dict({"X-Api-Key": f"{['alpha', 'beta'][len(path) % 2]}"}, **{k.replace("_", "-"): v for k, v in
                                                                                           fields.items()}), source
    wait_until(lambda: get(sides[1]["plain"], "/v1/orders", {"X-Api-Key": "delta"}).server, what="the lists of lbd")
    wait_until(lambda: get(sides[1]["plain"], "/t/", {"X-Api-Key": "delta", "Host": "red.example.org"}).server == "a", what="maps")
    requests = [
        ("GET", "/healthz", {}), ("GET", "/robots.txt", {}), ("GET", "/down", {}), ("OPTIONS", "/v1/users", {}),
        ("GET", "/beta/x", {}), ("GET", "/v1/users", {"X-Api-Key": "wrong"}),
        ask("/v1/users"), ask("/v1/users/7?a=b"), ask("/v1/orders/1"), ask("/v1/orders/none"), ask("/v1/legacy"), ask("/v1/other"),
        ask("/v1/old/x"), ask("/v1/old/xy?q=1"), ask("/x"),
        ask("/t/", Host="RED.example.org"), ask("/t/1", Host="blue.example.org"), ask("/t/", Host="lost.example.org"),
        ask("/t/", Host="none.example.org"), ask("/t/1", Host="plain.example.org")]
    compare(sides, requests)
    for side in sides:  # status 401 is one that is said to be 403
        assert get(side["plain"], "/v1/users", {"X-Api-Key": "wrong"}).body == b'{"error":"key"}'
        assert get(side["plain"], "/v1/users", {}).status in (401, 403)
    more = {"X-Api-Key": "gamma"}
    got = []
    for side in sides:
        got.append([(a.status, a.server) for a in (
            get(side["plain"], "/r/17", more), get(side["plain"], "/r/17/x", more), get(side["plain"], "/r/none", more),
            get(side["plain"], "/r/any", more), get(side["plain"], "/r/x", more),
            get(side["plain"], "/n/", more, source="127.0.7.1"), get(side["plain"], "/n/", more, source="127.0.8.1"))])
    assert got[0] == got[1] == [(200, s) for s in ("a", "b", "d", "a", "d", "b", "a")]
    last = [[get(side["plain"], "/s/", {"X-Api-Key": "gamma", "X-Service": n}) for n in ("users", "orders", "nothing", "USERS")]
            for side in sides]
    assert [(a.status, a.server) for a in last[0]] == [(a.status, a.server) for a in last[1]] == [
        (200, "a"), (200, "b"), (200, "d"), (200, "d")]
    # The thirteenth of a key is one too many.
    often = [[get(side["plain"], "/x", {"X-Api-Key": "beta"}) for _ in range(14)] for side in sides]
    assert often[0][-1].status == 429 and often[0][-1].body == b'{"error":"slow down"}\n'
    assert [(a.status, a.body if not a.server else None) for a in often[0]] == [
        (a.status, a.body if not a.server else None) for a in often[1]]


def by_http2(vip, path, kind):
    """Status and server of a request over HTTP/2 without TLS."""
    r = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-m", "10", "-w", "\n%{http_code} %{http_version}", "-H",
                        f"Content-Type: {kind}", f"http://{vip.address}:{vip.port}{path}"], capture_output=True, text=True)
    body, _, status = r.stdout.rpartition("\n")
    return status, json.loads(body)["server"] if body.startswith("{") else None


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_grpc(lb, closing, files, origins, pem):
    """Services go where the map says, what is no gRPC is refused, by HTTP/2 with prior knowledge."""
    sides, _ = start(lb, closing, files, GRPC, origins("a", "b", "c", "d"), pem=pem)
    wait_until(lambda: by_http2(sides[1]["plain"], "/grpc.health.v1.Health/Check", "application/grpc")[1] == "d", what="the map")
    got = [[by_http2(side["plain"], path, kind) for path, kind in (
        ("/grpc.health.v1.Health/Check", "application/grpc"), ("/shop.Orders/Get", "application/grpc+proto"),
        ("/shop.Users/Get", "application/grpc"), ("/shop.Other/Get", "application/grpc"), ("/shop.Gone/Get", "application/grpc"),
        ("/shop.Users/Get", "text/plain"))] for side in sides]
    for side in got:
        side[1] = (side[1][0], side[1][1] in ("b", "c"))
    assert got[0] == got[1] == [("200 2", "d"), ("200 2", True), ("200 2", "a"), ("200 2", "a"), ("501 2", None), ("400 2", None)]


def test_desktops(lb, closing, files, origins):
    """The broker's token decides, a user stays where he is, and who is refused is refused."""
    made = origins("a", "b", "c", handle=serve_rdp)
    sides, says = start(lb, closing, files, DESKTOPS, made)
    assert says.returncode == 0, says.stderr
    users = [rdp(b"Cookie: mstshash=%s\r\n" % n) for n in (b"anna", b"bert", b"carl", b"dora", b"emil", b"fritz")]
    for side in sides:
        vip = side["plain"]
        wait_until(lambda: listens(ADDRESS, vip.port), what="it listens")
        assert [connect_rdp(vip, token(o.address, o.port)) for o in made] == ["a", "b", "c"]
        homes = [connect_rdp(vip, u) for u in users]
        assert all([connect_rdp(vip, u) for u in users] == homes for _ in range(3))
        with contextlib.suppress(ConnectionResetError), vip.connect(source="127.0.9.9") as s:
            s.sendall(users[0])
            assert s.recv(100) == b""


def greet(c, origin):
    c.sendall(origin.name.encode())


def test_database(tmp_path, closing, files, origins):
    """While the primary is down its standby has the writes; a backup has nothing while another server is fit."""
    lb = closing(Lbd(tmp_path / "r", "lbd-proxy", "lbd-check"))
    lb.ctl("set", "node", "hostname=alpha")
    lb.start()
    text = re.sub(r"\s+#[=~-]$", "", DATABASE, flags=re.M)
    sides, says = both(lb, closing, files, text, origins("a", "b", "c", handle=greet), dead=f"127.0.0.1:{free_port('127.0.0.1')}")
    assert says.returncode == 0, says.stderr

    def answer(vip, source=None):
        with contextlib.suppress(ConnectionError), vip.connect(source=source) as s:
            return s.recv(10).decode()
        return ""
    for side in sides:
        wait_until(lambda: answer(side["plain"]) == "b", what="the standby")
        wait_until(lambda: [answer(side["secure"]) for _ in range(5)] == ["a"] * 5, what="the one that is fit")
        assert {answer(side["plain"]) for _ in range(5)} == {"b"}
        assert {answer(side["secure"]) for _ in range(5)} == {"a"}
        assert answer(side["plain"], "127.0.9.9") == ""
