"""Content rules and pools: conditions, actions, both modes, refusals, pools with servers and checks of their own, live edits."""
import json
import ssl
import subprocess
import time

import pytest

from lbdweb import Web
from lbdtest import ADDRESS, Lbd, Load, Netns, Origin, Reader, Vip, free_port, get, http_answer, listens, talk, wait_until


def fields(origin):
    """The header fields of the last request that a server got."""
    return origin.requests[-1]["fields"]


def field(origin, name):
    return [v for n, v in fields(origin) if n == name.lower()]


def servers(*origins):
    return {o.name: {"address": o.address, "port": o.port} for o in origins}


@pytest.fixture()
def make(lb, origins, request):
    """make(rules, pools={name: origin...}, **fields of the service): (vip, its own origin); all in one commit."""
    def build(rules, pools=None, mode="http", **words):
        own, = origins("own")
        name = "r" + str(free_port())
        vip = Vip(name, ADDRESS, free_port())
        rows = {name: {"address": ADDRESS, "ports": vip.port, "mode": mode, "rips": servers(own), **words,
                       "rules": {n: dict(r, **({"pool": f"{name}-{r['pool']}"} if "pool" in r else {}))
                                 for n, r in rules.items()}}}
        for pool, origin in (pools or {}).items():
            rows[f"{name}-{pool}"] = {"mode": mode, "rips": servers(origin)}
        lb.ctl("apply", "-f", "-", input=json.dumps({"vip": rows}))
        wait_until(lambda: listens(vip.address, vip.port), what="the service listens")
        return vip, own
    return build


# ---- conditions ---------------------------------------------------------------------------------------------------------

CONDITIONS = [
    ("host is WWW.example.org", {"Host": "www.example.org:8080"}, "/"),
    ("host under example.org", {"Host": "a.example.org"}, "/"),
    ("path is /a", {}, "/a?x=1"),
    ("path starts /api", {}, "/api2"),
    ("path under /api", {}, "/api/x"),
    ("path ends .php", {}, "/x/y.php?a"),
    ("path contains /v2/", {}, "/a/v2/b"),
    ("path matches '^/u/[0-9]+$'", {}, "/u/42"),
    ("url is '/a?b=c'", {}, "/a?b=c"),
    ("query contains b=c", {}, "/a?b=c"),
    ("param(id) is 7", {}, "/?x=1&id=7"),
    ("param(id) >= 7 and param(id) < 8", {}, "/?id=7"),
    ("header(X-Tag) in blue, green", {"X-Tag": "green"}, "/"),
    ("header(x-tag) exists", {"X-Tag": ""}, "/"),
    ("cookie(beta) is on", {"Cookie": "a=b; beta=on"}, "/"),
    ("method in GET, HEAD", {}, "/"),
    ("src in 127.0.0.0/8 and not src is 127.0.0.9", {}, "/"),
    (f"dst is {ADDRESS}", {}, "/"),
    ("port > 1023", {}, "/"),
    ("scheme is http and version is 1.1 and cert is no and not sni exists", {}, "/"),
    ("(path is /x or path is /a) and not (method is POST or header(X-No) exists)", {}, "/a"),
]


def test_conditions(make):
    """A084: each field and operator of a condition, on requests that meet it and on one that does not."""
    rules = {f"c{i}": {"when": c[0], "action": "set_header", "header": f"X-C{i}", "value": "yes"}
             for i, c in enumerate(CONDITIONS)}
    vip, own = make(rules)
    for i, (when, headers, path) in enumerate(CONDITIONS):
        get(vip, path, headers)
        assert field(own, f"x-c{i}") == ["yes"], when
    talk(vip, b"POST /none HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
    assert own.requests[-1]["method"] == "POST"
    met = [CONDITIONS[i][0] for i in range(len(CONDITIONS)) if field(own, f"x-c{i}")]
    assert [m.split()[0] for m in met] == ["src", "dst", "port"], met


def test_bodies(make, origins):
    """A084: the beginning of a body, with a length, in chunks, in pieces, and asked for by 100-continue."""
    pool, = origins("pool")
    vip, own = make({"b": {"when": "body contains needle", "action": "use", "pool": "p"}}, {"p": pool})
    assert get(vip, method="POST", body=b"x" * 100 + b"needle").server == "pool"
    assert get(vip, method="POST", body=b"x" * 100).server == "own"
    assert get(vip).server == "own"
    assert get(vip, method="POST", body=b"x" * 5000 + b"needle").server == "own"  # behind the first 4096
    big = b"y" * 3000 + b"needle" + b"z" * 200000
    assert get(vip, method="POST", body=big).server == "pool"
    assert len(pool.requests[-1]["body"]) == len(big)
    chunked = get(vip, method="POST", body=iter([b"aaaaneed", b"lebbbb"]), headers={"Transfer-Encoding": "chunked"})
    assert chunked.server == "pool" and pool.requests[-1]["body"] == "aaaaneedlebbbb"
    with vip.connect() as s:  # byte by byte, and two on one connection
        for _ in range(2):
            for b in b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n--needle--":
                s.sendall(bytes([b]))
            r = Reader(s)
            line, got, _ = r.head()
            assert " 200 " in line and ("x-server", "pool") in got
            r.body(got)
    with vip.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
        r = Reader(s)
        assert r.head()[0] == "HTTP/1.1 100 Continue"
        s.sendall(b"needle")
        line, got, _ = r.head()
        while " 100 " in line:  # the server says so too
            line, got, _ = r.head()
        assert " 200 " in line and ("x-server", "pool") in got


# ---- actions ------------------------------------------------------------------------------------------------------------

def test_use(make, origins, lb):
    """A063: rules choose pools in their order, allow keeps the service's own servers; each counts its requests."""
    api, img = origins("api", "img")
    vip, own = make({"keep": {"when": "path is /api/own", "action": "allow", "order": 1},
                     "api": {"when": "path under /api", "action": "use", "pool": "api", "order": 2},
                     "img": {"when": "host starts img.", "action": "use", "pool": "img", "order": 3}},
                    {"api": api, "img": img})
    assert get(vip, "/").server == "own"
    assert get(vip, "/api/own").server == "own"
    assert get(vip, "/api/1").server == "api"
    assert get(vip, "/", {"Host": "img.example.org"}).server == "img"
    assert get(vip, "/api", {"Host": "img.example.org"}).server == "api"
    with vip.connect() as s:  # several on one connection, each by itself
        r = Reader(s)
        for path, name in (("/", "own"), ("/api", "api"), ("/", "own"), ("/api", "api")):
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            line, got, _ = r.head()
            assert ("x-server", name) in got
            r.body(got)
    lb.ctl("set", "vip", f"{vip.name}-api", "enabled=no")
    wait_until(lambda: get(vip, "/api").status == 503, what="the pool is off")
    lb.ctl("set", "vip", f"{vip.name}-api", "enabled=yes")
    wait_until(lambda: get(vip, "/api").server == "api", what="the pool is on")


def test_pool_has_a_life_of_its_own(make, origins, lb):
    """A063: scheduler, persistence, fallback of the pool are in force for what comes by rules."""
    a, b = origins("a", "b")
    vip, own = make({"p": {"when": "path under /p", "action": "use", "pool": "p"}}, {"p": a}, persistence="none")
    pool = f"{vip.name}-p"
    lb.ctl("create", "rip", f"{pool}/b", "address=127.0.0.1", f"port={b.port}")
    lb.ctl("set", "vip", pool, "scheduler=rr", "persistence=cookie", "cookie=POOL")
    wait_until(lambda: {get(vip, "/p").server for _ in range(4)} == {"a", "b"}, what="both servers")
    first = wait_until(lambda: (lambda x: x if "Set-Cookie" in x.headers else None)(get(vip, "/p")), what="a cookie")
    cookie = first.headers["Set-Cookie"].split(";")[0]
    assert cookie.startswith("POOL=")
    assert {get(vip, "/p", {"Cookie": cookie}).server for _ in range(6)} == {first.server}
    assert not field(a if first.server == "a" else b, "cookie")  # the server never sees it
    assert "Set-Cookie" not in get(vip, "/").headers
    lb.ctl("drain", f"{pool}/a")
    wait_until(lambda: {get(vip, "/p").server for _ in range(4)} == {"b"}, what="a drains")
    lb.ctl("delete", "rip", f"{pool}/a", "-y")
    lb.ctl("delete", "rip", f"{pool}/b", "-y")
    wait_until(lambda: get(vip, "/p").status == 503, what="no server")
    assert get(vip, "/").server == "own"


def test_answers_of_our_own(make, lb):
    """Redirect, deny, return and drop: status, words, whether the connection goes on, and that who is denied is counted."""
    vip, own = make({
        "r1": {"when": "path under /old", "action": "redirect", "location": "https://{host}/new{path}?{query}", "status": 308},
        "r2": {"when": "path matches '^/u/([a-z]+)/([0-9]+)'", "action": "redirect", "location": "/user/{2}/{1}"},
        "d1": {"when": "path is /no", "action": "deny"},
        "d2": {"when": "path is /gone", "action": "deny", "status": 410},
        "d3": {"when": "path is /slow", "action": "deny", "status": 429},
        "t1": {"when": "path is /health", "action": "return", "body": "fine", "content_type": "text/x-fine"},
        "t2": {"when": "path is /empty", "action": "return", "status": 204},
        "t3": {"when": "path is /lines", "action": "return", "body": "User-agent: *\n" + "Disallow: /x\n" * 300},
        "x": {"when": "path is /drop", "action": "drop"}})
    assert get(vip, "/lines").body == b"User-agent: *\n" + b"Disallow: /x\n" * 300
    with vip.connect() as s:  # one connection serves them all
        r = Reader(s)

        def ask(method, path):
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: www.example.org:81\r\n\r\n".encode())
            line, got, _ = r.head()
            return line, dict(got), b"" if method == "HEAD" else r.body(got)
        line, got, body = ask("GET", "/old/x?a=b")
        assert line == "HTTP/1.1 308 Permanent Redirect" and body == b""
        assert got["location"] == "https://www.example.org/new/old/x?a=b" and "connection" not in got
        assert ask("GET", "/u/joe/77")[1]["location"] == "/user/77/joe"
        line, got, body = ask("GET", "/health")
        assert line == "HTTP/1.1 200 OK" and body == b"fine" and got["content-type"] == "text/x-fine"
        line, got, body = ask("HEAD", "/health")
        assert got["content-length"] == "4"
        assert ask("GET", "/empty")[0] == "HTTP/1.1 204 No Content"
        assert " 200 " in ask("GET", "/")[0]
        assert ask("GET", "/no")[0] == "HTTP/1.1 403 Forbidden"
        assert r.rest() == b""  # that one ends it
    assert get(vip, "/gone").status == 410 and get(vip, "/slow").status == 429
    assert talk(vip, b"GET /drop HTTP/1.1\r\nHost: x\r\n\r\n") == b""  # a reset, on one machine; see test_drop_is_silent
    two = talk(vip, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert two.count(b"200 OK") == 2  # sent ahead
    post = talk(vip, b"POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd")
    assert post.count(b"200 OK") == 1 and b"Connection: close" in post
    old = talk(vip, b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /health HTTP/1.0\r\n\r\n")
    assert old.count(b"200 OK") == 2 and b"Connection: keep-alive" in old
    assert {q["target"] for q in own.requests} == {"/"}
    assert lb.json("stats", vip.name)[0]["refused_total"] == 4


def test_tarpit(make, lb):
    """The client waits, then it is denied; one that leaves is let go."""
    vip, own = make({"t": {"when": "path is /bot", "action": "tarpit", "time": "500ms", "status": 429}})
    start = time.monotonic()
    assert get(vip, "/bot").status == 429
    assert time.monotonic() - start >= 0.5
    s = vip.connect()
    s.sendall(b"GET /bot HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: lb.json("conns", vip.name), what="it is there")
    s.close()
    wait_until(lambda: not lb.json("conns", vip.name), what="it is gone")
    assert not own.requests


def test_header_actions(make):
    """A084: set, add, delete and replace, towards the server and on the answer; order, last, and what several rules make."""
    vip, own = make({
        "a": {"order": 1, "action": "set_header", "header": "X-Real", "value": "{src}:{port} {method} {header(User-Agent)}"},
        "b": {"order": 2, "action": "add_header", "header": "X-More", "value": "1"},
        "c": {"order": 3, "action": "add_header", "header": "X-More", "value": "2"},
        "d": {"order": 4, "action": "del_header", "header": "X-Secret"},
        "e": {"order": 5, "action": "replace_header", "header": "X-Path", "pattern": "/([a-z]+)", "value": "<{1}>"},
        "f": {"order": 6, "when": "path is /host", "action": "set_header", "header": "Host", "value": "inner.example.org"},
        "g": {"order": 7, "when": "path is /last", "action": "set_header", "header": "X-More", "value": "only", "last": True},
        "h": {"order": 8, "action": "add_header", "header": "X-End", "value": "end"},
        "p": {"on": "answer", "action": "del_header", "header": "Server"},
        "q": {"on": "answer", "action": "set_header", "header": "X-Server", "value": "hidden {status} {path}"},
        "r": {"on": "answer", "when": "status >= 400", "action": "add_header", "header": "X-Bad", "value": "{answer_header(X-Why)}"},
        "s": {"on": "answer", "when": "path under /static and answer_header(Cache-Control) is no", "action": "replace_header",
              "header": "cache-control", "pattern": "no", "value": "yes"}})
    own.answer = lambda q: http_answer(b"", "404 No" if q["target"] == "/bad" else "200 OK", "Server: secret", "X-Server: one",
                                       "X-Server: two", "X-Why: because", "Cache-Control: no")
    a = get(vip, "/x", {"X-Real": "forged", "X-Secret": "s", "X-Path": "/usr/lib", "User-Agent": "me"})
    assert field(own, "X-Real") == [f"127.0.0.1:{vip.port} GET me"]
    assert field(own, "X-More") == ["1", "2"] and not field(own, "X-Secret") and field(own, "X-End") == ["end"]
    assert field(own, "X-Path") == ["<usr><lib>"]
    assert a.headers.get_all("X-Server") == ["hidden 200 /x"] and "Server" not in a.headers and "X-Bad" not in a.headers
    a = get(vip, "/bad")
    assert a.headers["X-Bad"] == "because" and a.headers["X-Server"] == "hidden 404 /bad"
    assert get(vip, "/static/a").headers["Cache-Control"] == "yes" and get(vip, "/dynamic").headers["Cache-Control"] == "no"
    get(vip, "/host")
    assert field(own, "Host") == ["inner.example.org"]
    get(vip, "/last", {"X-More": "0"})
    assert field(own, "X-More") == ["only"] and not field(own, "X-End")
    # what a client sends cannot split a head
    raw = talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: a\tb\xff\r\nConnection: close\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 200 ")
    assert field(own, "X-Real") == [f"127.0.0.1:{vip.port} GET a b\xff"]


def test_rewrite(make):
    """A085: path, query and both; rules build on each other in their order, and last ends them."""
    vip, own = make({
        "a": {"order": 1, "action": "rewrite", "pattern": "^/one/(.*)", "value": "/two/{1}"},
        "b": {"order": 2, "when": "path under /two", "action": "rewrite", "pattern": "^/two", "value": "/three"},
        "c": {"order": 3, "when": "path is /q", "action": "rewrite", "part": "query", "value": "was={query}"},
        "d": {"order": 4, "when": "path is /u", "action": "rewrite", "part": "url", "value": "/v?host={host}&{query}"},
        "e": {"order": 5, "when": "path is /enc", "action": "rewrite", "value": "/{header(X-To)}"},
        "f": {"order": 6, "when": "path is /strip", "action": "rewrite", "part": "query", "value": ""},
        "g": {"order": 7, "when": "path is /stay", "action": "rewrite", "value": "/stayed", "last": True},
        "h": {"order": 8, "when": "path under /stayed", "action": "rewrite", "value": "/moved"}})

    def seen(path, **headers):
        get(vip, path, headers)
        return own.requests[-1]["target"]
    assert seen("/one/x/y?z=1") == "/three/x/y?z=1"
    assert seen("/two/x") == "/three/x"
    assert seen("/q?a=b") == "/q?was=a=b"
    assert seen("/q") == "/q?was="
    assert seen("/u?k=1", Host="h.example.org") == "/v?host=h.example.org&k=1"
    assert seen("/enc", **{"X-To": "a b?c#d"}) == "/a%20b%3Fc%23d"
    assert seen("/strip?secret=1") == "/strip"
    assert seen("/stay") == "/stayed"
    assert seen("/other?x") == "/other?x"
    with vip.connect() as s:
        s.sendall(b"GET http://x.example.org/one/abs HTTP/1.1\r\nHost: x.example.org\r\nConnection: close\r\n\r\n")
        Reader(s).rest()
    assert own.requests[-1]["target"] == "/three/abs"


def test_target_as_it_was_asked_for(make, origins):
    """asked.path and its like are what the client wrote, whatever rules have made of it: a pool of a prefix that is cut off, and for
    answers too."""
    api, = origins("api")
    vip, own = make({
        "a": {"order": 1, "when": "path starts /api/", "action": "rewrite", "pattern": "^/api/(.*)", "value": "/{1}?was={asked.path}",
              "part": "url"},
        "b": {"order": 2, "when": "path starts /api/", "action": "deny"},
        "c": {"order": 3, "when": "asked.path starts /api/ and asked.query exists and not asked.param(no) exists", "action": "use",
              "pool": "api"},
        "d": {"order": 4, "when": "asked.url is '/api/u' and path is /u", "action": "use", "pool": "api"},
        "e": {"order": 5, "when": "asked.path starts /api/", "action": "set_header", "on": "answer", "header": "X-Asked",
              "value": "{asked.url}|{asked.query}|{asked.param(x)}"}}, {"api": api})
    answer = get(vip, "/api/s?x=1")
    assert answer.server == "api" and answer.json["target"] == "/s?x=1?was=/api/s"
    assert answer.headers["X-Asked"] == "/api/s?x=1|x=1|1"
    assert get(vip, "/api/s?no=1").server == "own" and get(vip, "/api/s").server == "own"
    assert get(vip, "/api/u").server == "api"
    assert get(vip, "/u?x=1").headers.get("X-Asked") is None


def test_ports_and_servers(make, lb):
    """A053: the server learns the client's port and the address that it came to; the client, who answers."""
    vip, own = make({
        "a": {"action": "set_header", "header": "X-Client-Port", "value": "{src.port}"},
        "b": {"action": "set_header", "header": "X-ClientSide", "value": "{src}:{src.port} -> {dst}:{port}"},
        "c": {"on": "answer", "when": "server.address in 127.0.0.0/8 and server.port > 1", "action": "set_header", "header": "X-By",
              "value": "{server.address}:{server.port}"},
        "d": {"on": "answer", "when": "not src.port > 1023", "action": "set_header", "header": "X-Low", "value": "yes"}})
    with vip.connect() as s:
        source, port = s.getsockname()[:2]
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Client-Port: 1\r\n\r\n")
        head = Reader(s).head()
    assert ("x-by", f"{own.address}:{own.port}") in head[1] and "x-low" not in dict(head[1])
    assert field(own, "X-Client-Port") == [str(port)]
    assert field(own, "X-ClientSide") == [f"{source}:{port} -> {vip.address}:{vip.port}"]
    for word in ("server.address exists", "server.port is 80"):
        r = lb.ctl("create", "rule", f"{vip.name}/x", f"when={word}", "action=deny", check=False)
        assert r.returncode == 7 and "before there is an answer; allowed are rules with on=answer" in r.stderr, r.stderr


def test_body_of_a_rewritten_request_and_upgrades(make, origins):
    """A pool serves large bodies and upgraded connections as any service does."""
    def echo(c, origin):
        r = Reader(c)
        r.head()
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while data := c.recv(65536):
            c.sendall(data)
    pool, = origins("pool", handle=echo)
    vip, own = make({"w": {"when": "header(Upgrade) is echo", "action": "use", "pool": "p"}}, {"p": pool})
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        r = Reader(s)
        assert " 101 " in r.head()[0]
        for _ in range(3):
            s.sendall(b"ping")
            assert r.exactly(4) == b"ping"
    assert get(vip, method="PUT", body=b"x" * 1_000_000).json["body"] == 1_000_000


def test_limit_bandwidth(make):
    """A071: the body of an answer, and of a request, comes no faster than its rule says; the next one is free again."""
    vip, own = make({"down": {"when": "path is /down", "on": "answer", "action": "limit_bandwidth", "rate": 1_000_000},
                     "up": {"when": "path is /up", "action": "limit_bandwidth", "rate": 1_000_000}})
    own.answer = lambda q: http_answer(b"x" * (2_000_000 if q["method"] == "GET" else 1))
    with vip.connect(timeout=30) as s:
        r = Reader(s)

        def took(head, body=b""):
            start = time.monotonic()
            s.sendall(f"{head} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            line, got, _ = r.head()
            assert " 200 " in line
            r.body(got)
            return time.monotonic() - start
        assert took("GET /down") > 1.2
        assert took("POST /up", b"y" * 2_500_000) > 1.0
        slow = took("GET /down")
        assert took("GET /free") < slow / 2
        assert len(own.requests[1]["body"]) == 2_500_000


@pytest.mark.parametrize("mode", ("http", "tcp"))
@pytest.mark.parametrize("six", (False, True), ids=("ipv4", "ipv6"))
def test_drop_is_silent(tmp_path, closing, mode, six):
    """A086: a client elsewhere is not told that its connection is gone, and learns of it when it sends again."""
    far, node = closing(Netns()), closing(Netns())
    far.link(node, "far0", "near0")
    for ns, dev, last in ((far, "far0", 2), (node, "near0", 1)):
        ns.run("ip", "addr", "add", f"10.8.3.{last}/24", "dev", dev)
        ns.run("ip", "addr", "add", f"fd08:3::{last}/64", "dev", dev, "nodad")
    for net, way in (("10.8.4.0/24", "10.8.3.1"), ("fd08:4::/64", "fd08:3::1")):  # floating addresses
        node.run("ip", "route", "add", "local", net, "dev", "lo")
        far.run("ip", "route", "add", net, "via", way)
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy", netns=node)).start()
    with node.inside():
        o = closing(Origin("o"))
    vip = Vip("quiet", "fd08:4::1" if six else "10.8.4.1", free_port())
    row = {"address": vip.address, "ports": vip.port, "mode": mode, "rips": servers(o),
           "rules": {"x": {"when": "src in 10.8.3.2,fd08:3::2", "action": "drop"}}}
    lb.ctl("apply", "-f", "-", input=json.dumps({"vip": {"quiet": row}}))  # whoever finds it finds its rule
    wait_until(lambda: listens(vip.address, vip.port, node), what="it listens")
    with far.inside():
        s = closing(vip.connect())
    s.settimeout(1)
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    if mode == "http":  # else it is dropped before it has spoken
        s.sendall(ask)
    wait_until(lambda: lb.json("stats", "quiet")[0]["refused_total"] == 1, what="it was dropped")
    assert not lb.json("conns", "quiet")
    with pytest.raises(TimeoutError):
        s.recv(100)
    s.sendall(ask)
    with pytest.raises(ConnectionResetError):
        s.recv(100)


# ---- mode tcp -----------------------------------------------------------------------------------------------------------

def test_tcp_by_address(make, origins, lb):
    """Rules of mode tcp: by the client's address a pool, a reset, and an end without words."""
    pool, = origins("pool")
    vip, own = make({"p": {"when": "src is 127.0.0.21", "action": "use", "pool": "p"},
                     "d": {"when": "src is 127.0.0.22", "action": "deny"},
                     "x": {"when": "src is 127.0.0.23", "action": "drop"},
                     "y": {"when": "port is 1", "action": "deny"}}, {"p": pool}, mode="tcp")
    assert get(vip).server == "own"
    assert get(vip, source="127.0.0.21").server == "pool"
    with pytest.raises(ConnectionError), vip.connect(source="127.0.0.22") as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        if s.recv(100) == b"":
            pytest.fail("closed, and not reset")
    with pytest.raises(ConnectionResetError), vip.connect(source="127.0.0.23") as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        s.recv(100)
    assert lb.json("stats", vip.name)[0]["refused_total"] == 2


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory):
    d = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-keyout", d / "key", "-out", d / "pem", "-subj", "/CN=x"], check=True, capture_output=True)
    return d


def tls_origin(name, files, origins):
    """A server behind TLS that is passed on: says its name."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(files / "pem", files / "key")
    ctx.set_alpn_protocols(["h2", "http/1.1"])

    def serve(c, origin):
        with ctx.wrap_socket(c, server_side=True) as s:
            s.sendall(name.encode())
            s.recv(1)
    return origins(name, handle=serve)[0]


def tls_ask(vip, sni, alpn=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
    if alpn:
        ctx.set_alpn_protocols(alpn)
    with ctx.wrap_socket(vip.connect(), server_hostname=sni) as s:
        return s.recv(100).decode()


def test_tcp_by_sni(make, origins, tls_files):
    """Item 1: TLS is passed on, and the host that the client names chooses the pool; so does the protocol it offers."""
    a, b, h2 = (tls_origin(n, tls_files, origins) for n in ("a", "b", "h2"))
    vip, own = make({"a": {"when": "sni is a.example.org", "action": "use", "pool": "a", "order": 1},
                     "no": {"when": "sni is bad.example.org", "action": "deny", "order": 2},
                     "h2": {"when": "alpn is h2", "action": "use", "pool": "h2", "order": 3},
                     "b": {"when": "sni under example.org", "action": "use", "pool": "b", "order": 4}},
                    {"a": a, "b": b, "h2": h2}, mode="tcp")
    assert tls_ask(vip, "A.example.org") == "a"
    assert tls_ask(vip, "x.y.example.org") == "b"
    assert tls_ask(vip, "x.example.org", ["http/1.1", "h2"]) == "h2"
    with pytest.raises(OSError):
        tls_ask(vip, "bad.example.org")
    assert get(vip).server == "own"  # no TLS at all
    with vip.connect() as s:  # in pieces
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
        to, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        obj = ctx.wrap_bio(to, out, server_hostname="a.example.org")
        with pytest.raises(ssl.SSLWantReadError):
            obj.do_handshake()
        for b in out.read():
            s.sendall(bytes([b]))
        while True:
            to.write(s.recv(65536))
            try:
                obj.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(out.read())
        s.sendall(out.read())
        while True:
            try:
                assert obj.read(10) == b"a"
                break
            except ssl.SSLWantReadError:
                to.write(s.recv(65536))


def test_tcp_silent_client(make, origins):
    """A client that waits for the server to speak gets there when the time for its hello is over."""
    own_speaks = Origin("speaks", handle=lambda c, o: (c.sendall(b"220 hello\r\n"), c.recv(1)))
    vip, own = make({"a": {"when": "sni is a.example.org", "action": "deny"}}, mode="tcp", request_timeout="300ms")
    own.handle = own_speaks.handle
    with vip.connect() as s:
        assert s.recv(100) == b"220 hello\r\n"
    own_speaks.close()


# ---- what a commit refuses ----------------------------------------------------------------------------------------------

def test_refused(make, lb):
    """Each fault is named by rule, field, value and what is allowed; nothing is changed (the table is store_checks_rule_test.c)."""
    vip, _ = make({"a": {"when": "path is /", "action": "deny"}})
    before = lb.json("get", "rule", f"{vip.name}/")
    for args, words in (
            (["when=pth is /"], '"pth" is no field of a condition, perhaps path'),
            (["when=path matches ("], "column 14"),
            (["when=status is 404"], "status is not known before there is an answer"),
            (["action=use", f"pool={vip.name}"], "pool: is the virtual service of the rule"),
            (["action=use", "pool=nobody"], "nobody"),
            (["action=redirect"], "location: is required"),
            (["location=/x"], "location: is not looked at with action deny"),
            (["action=set_header", "header=Content-Length", "value=1"], "says how a message is sent")):
        r = lb.ctl("set", "rule", f"{vip.name}/a", *args, check=False)
        assert r.returncode != 0 and words in r.stderr, r.stderr
        assert f"rule {vip.name}/a" in r.stderr, r.stderr
    r = lb.ctl("create", "rule", f"{vip.name}/b", "when=path is /", "action=allow", check=False)
    assert r.returncode != 0 and "would never be looked at" in r.stderr
    r = lb.ctl("create", "rule", f"{vip.name}/c", "when=method is GET and path is /", "action=allow", check=False)
    assert r.returncode != 0 and f"rule {vip.name}/c: order: 100: the rule would never be looked at, as rule a before it" in r.stderr
    assert lb.json("get", "rule", f"{vip.name}/") == before


def test_pool_in_use_stays(make, origins, lb):
    """A pool that a rule leads to cannot be deleted; nor can its mode change."""
    pool, = origins("pool")
    vip, _ = make({"a": {"when": "path is /p", "action": "use", "pool": "p"}}, {"p": pool})
    r = lb.ctl("delete", "vip", f"{vip.name}-p", "--cascade", "-y", check=False)
    assert r.returncode != 0 and f"{vip.name}/a" in r.stderr, r.stderr
    r = lb.ctl("set", "vip", f"{vip.name}-p", "mode=tcp", check=False)
    assert r.returncode != 0 and "same mode" in r.stderr, r.stderr
    assert get(vip, "/p").server == "pool"


# ---- many, and while it runs --------------------------------------------------------------------------------------------

def test_two_thousand_rules(make, origins):
    """A084: more than 1,024 rules in one service."""
    pool, = origins("pool")
    rules = {f"r{i}": {"when": f"path is /r/{i}", "action": "return", "body": str(i), "order": i} for i in range(2000)}
    rules["z"] = {"when": "path is /z", "action": "use", "pool": "p", "order": 5000}
    vip, own = make(rules, {"p": pool})
    for i in (0, 7, 1023, 1024, 1999):
        assert get(vip, f"/r/{i}").body == str(i).encode()
    assert get(vip, "/z").server == "pool" and get(vip, "/").server == "own"


def test_live_edit_under_load(make, origins, lb):
    """Rules and pools come, change and go under load: no request fails."""
    pool, other = origins("pool", "other")
    vip, own = make({"no": {"when": "path is /none", "action": "deny", "order": 1}}, {"p": pool})
    with Load(vip, 6, 3) as load:
        load.wait(50)
        for i in range(4):
            lb.ctl("create", "rule", f"{vip.name}/all", f"pool={vip.name}-p", "order=5")
            load.wait(40)
            lb.ctl("set", "rule", f"{vip.name}/all", f"when=header(X-None) exists or port > {i}", "comment=changed")
            load.wait(40)
            lb.rip(f"{vip.name}-p", f"o{i}", other.port, address=f"127.0.0.{i + 1}")
            load.wait(20)
            lb.ctl("delete", "rule", f"{vip.name}/all", "-y")
            load.wait(40)
        r = load.stop()
    assert not r["failed"], (len(r["failed"]), r["failed"][:5])
    assert {"own", "pool"} <= set(r["servers"]), r["servers"]


def test_restart_keeps_rules(tmp_path, origins, closing):
    """Rules are in force from the first request after a restart."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy"))
    pool, = origins("pool")
    own, = origins("own")
    vip = lb.vip("web", own)
    lb.ctl("create", "vip", "p")
    lb.rip("p", "a", pool.port)
    lb.ctl("create", "rule", "web/all", "pool=p")
    for _ in range(2):
        lb.start()
        assert {get(vip).server for _ in range(4)} == {"pool"}
        lb.stop()


def test_pool_is_tested(tmp_path, origins, closing):
    """lbd-check tests the servers of a pool as any: one that is down gets nobody."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy", "lbd-check"))
    a, b, own = origins("a", "b", "own")
    vip = lb.vip("web", own)
    lb.ctl("create", "check", "fast", "interval=1s", "timeout=1s", "fall=1", "rise=1")
    lb.ctl("create", "vip", "p", "check=fast", "retries=0")
    lb.rip("p", "a", a.port)
    lb.rip("p", "b", b.port)
    lb.ctl("create", "rule", "web/all", "pool=p")
    lb.start()
    wait_until(lambda: {get(vip).server for _ in range(4)} == {"a", "b"}, what="both are up")
    a.close()

    def down():
        return next(r["status"]["state"] for r in lb.json("get", "rip", "p/") if r["name"] == "a") == "down"
    wait_until(down, what="a is down")
    wait_until(lambda: {get(vip).server for _ in range(6)} == {"b"}, what="a gets nobody")  # and nothing is tried again


def test_access_log(make, origins, lb):
    """Item 6: lines say which rule decided, and %b is the pool that it chose."""
    pool, = origins("pool")
    vip, own = make({"api": {"when": "path is /api", "action": "use", "pool": "p"},
                     "no": {"when": "path is /no", "action": "deny"}}, {"p": pool},
                    log="custom", log_format="%ft %b/%s %rule %ST")
    path = lb.root / "var/log/lbd/access.log"

    def lines():
        return [x for x in (path.read_text().splitlines() if path.exists() else []) if x.startswith(vip.name + " ")]
    for p in "/", "/api", "/no":
        get(vip, p)
    wait_until(lambda: len(lines()) == 3, what="three lines")
    assert sorted(lines()) == sorted([f"{vip.name} {vip.name}/own - 200", f"{vip.name} {vip.name}-p/pool api 200",
                                      f"{vip.name} {vip.name}/<NOSRV> no 403"])
    lb.ctl("delete", "rip", f"{vip.name}-p/pool", "-y")
    wait_until(lambda: get(vip, "/api").status == 503, what="no server in the pool")
    wait_until(lambda: f"{vip.name} {vip.name}-p/<NOSRV> api 503" in lines(), what="its line")


def test_lists_and_kills_know_pools(make, origins, lb):
    """A client that a rule led to a pool is among the connections of the pool, and can be reset by it."""
    pool, = origins("pool")
    vip, own = make({"p": {"when": "src is 127.0.0.31", "action": "use", "pool": "p"}}, {"p": pool}, mode="tcp")
    with vip.connect(source="127.0.0.31") as a, vip.connect(source="127.0.0.32") as b:
        for s in a, b:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in s.recv(65536)
        assert len(lb.json("conns", vip.name)) == 2
        mine, = lb.json("conns", f"{vip.name}-p")
        assert mine["client"].startswith("127.0.0.31:")
        lb.ctl("conns", "kill", f"{vip.name}-p", "-y")
        with pytest.raises(ConnectionResetError):
            if a.recv(100) == b"":
                pytest.fail("closed, and not reset")
        assert len(wait_until(lambda: lb.json("conns", vip.name), what="the other")) == 1


def test_a_stop_cuts_what_is_at_a_pool(tmp_path, origins, closing):
    """Told twice to end, lbd-proxy ends at once, with a tunnel and a request at a pool that was made before its front."""
    def mute(c, origin):
        origin.asked = True
        while c.recv(65536):
            pass
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy"))
    pool, = origins("pool", handle=mute)
    fronts = []
    for mode in "tcp", "http":
        lb.ctl("create", "vip", f"p-{mode}", f"mode={mode}")
        lb.rip(f"p-{mode}", "a", pool.port)
        fronts.append(lb.vip(f"web-{mode}", mode=mode))
        lb.ctl("create", "rule", f"web-{mode}/all", f"pool=p-{mode}")
    lb.start()
    held = []
    for vip in fronts:
        pool.asked = False
        held.append(vip.connect())
        held[-1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: pool.asked, what="it is at the pool")
    p = lb.process.pop("lbd-proxy")
    p.terminate()
    wait_until(lambda: not listens(fronts[0].address, fronts[0].port), what="it stops")
    p.terminate()
    assert p.wait(15) == 0
    for s in held:
        s.close()


def test_api(tmp_path, closing, origins):
    """The API has rules within their service, as it has servers."""
    web = closing(Web(tmp_path / "w", "lbd-proxy"))
    own, pool = origins("own", "pool")
    vip = web.vip("web", own)
    web.ctl("create", "vip", "p")
    web.rip("p", "a", pool.port)
    web.start()
    api = web.api()
    r = api("PUT", "/vips/web/rules/all", {"when": "path under /p", "action": "use", "pool": "p"})
    assert r.status == 201 and r.headers["Location"] == "/api/v1/vips/web/rules/all", r.body
    wait_until(lambda: get(vip, "/p").server == "pool", what="the rule")
    assert [x["name"] for x in api("GET", "/vips/web/rules").json["items"]] == ["all"]
    assert [x["name"] for x in api("GET", "/vips/web/rips").json["items"]] == ["own"]
    assert api("GET", "/vips/web/rules/all").json["pool"] == "p"
    bad = api("PATCH", "/vips/web/rules/all", {"when": "pth is /"})
    assert bad.status == 422 and "perhaps path" in bad.json["detail"], bad.body
    assert api("POST", "/vips/web/rules", {"name": "b", "order": 1, "when": "path is /no", "action": "deny"}).status == 201
    assert api("DELETE", "/vips/web/rules/all").status == 204
    wait_until(lambda: get(vip, "/p").server == "own", what="it is gone")
    assert api("GET", "/vips/p").json["address"] in ("", None)


def test_export_and_copy(tmp_path, closing):
    """Rules and pools go through a file and back, stand in it under their service, and are copied with it."""
    a, b = (closing(Lbd(tmp_path / n)) for n in "ab")
    for args in (("create", "vip", "p", "mode=http"), ("create", "rip", "p/x", "address=10.1.0.1", "port=80"),
                 ("create", "vip", "web", "address=10.0.0.1", "ports=80"), ("create", "rip", "web/x", "address=10.1.0.1"),
                 ("create", "rule", "web/a", "when=path matches '^/(a|b)\"'", "pool=p", "order=5"),
                 ("create", "rule", "web/b", "action=limit_bandwidth", "rate=10K", "on=answer")):
        a.ctl(*args)
    text = a.ctl("export").stdout
    assert text.index("rips:") < text.index("rules:")
    b.ctl("apply", "-f", "-", input=text)
    assert b.ctl("export").stdout == text
    b.ctl("copy", "vip", "web", "web2", "address=10.0.0.2")
    assert [r["name"] for r in b.json("get", "rule", "web2/")] == ["a", "b"]
    b.ctl("delete", "vip", "web", "--cascade", "-y")
    assert b.ctl("get", "rule", "web/", check=False).returncode == 3
    assert [r["name"] for r in b.json("get", "rule")] == ["a", "b"]  # those of the copy
