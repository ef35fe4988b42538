"""Content rules with lists and rates: who is in a list, who comes too often, who holds too many connections."""
from lbdtest import Load, Origin, Reader, client, get, http_answer, wait_until
from test_proxy_lists import MANY, held, lb, many  # lb: a proxy for each test


def status(vip, *args, **kw):
    return get(vip, *args, **kw).status


def rule(lb, name, when, action="deny", **fields):
    lb.ctl("create", "rule", name, f"when={when}", f"action={action}", *(f"{k}={v}" for k, v in fields.items()))


def ready(lb, vip):
    """All workers have the rules: each answers this one, to a client that nothing else looks at."""
    rule(lb, f"{vip.name}/ready", "path is /ready", "return", status=204, order=1)
    wait_until(lambda: all(status(vip, "/ready", source="127.0.0.99") == 204 for _ in range(12)), what="the rules")


def test_lists_decide(lb, closing):
    """A077, N08: addresses, hosts and paths by list; entries that change count from the next request on, without a restart."""
    vip = lb.vip("web", closing(Origin("a")))
    for name, kind in (("bad", "address"), ("hosts", "suffix"), ("paths", "prefix"), ("keys", "word")):
        lb.ctl("create", "list", name, f"kind={kind}")
    lb.ctl("list", "add", "hosts", "*.blocked.example")
    lb.ctl("list", "add", "paths", "/private", "/tmp/")
    lb.ctl("list", "add", "keys", "k1", "k2")
    rule(lb, "web/addresses", "src in @bad", status=410)
    rule(lb, "web/hosts", "host in @hosts", status=404)
    rule(lb, "web/paths", "path in @paths and not header(X-Key) in @keys")
    wait_until(lambda: status(vip, "/private/x") == 403, what="the rules")
    assert status(vip) == 200  # nothing is in an empty list
    assert status(vip, headers=[("Host", "A.Blocked.Example:80")]) == 404
    assert status(vip, headers=[("Host", "blocked.example")]) == 200
    assert status(vip, "/private/x", [("X-Key", "k2")]) == 200
    assert status(vip, "/private/x", [("X-Key", "K2")]) == 403
    lb.ctl("list", "add", "bad", "127.0.0.0/8")
    wait_until(lambda: status(vip) == 410, what="the list with this client")
    lb.ctl("list", "del", "bad", "127.0.0.0/8")
    wait_until(lambda: status(vip) == 200, what="the list without it")
    lb.ctl("list", "add", "bad", "127.0.0.0/8")
    wait_until(lambda: status(vip) == 410, what="it is back")
    lb.kill("lbd-proxy")
    lb.start("lbd-proxy")
    wait_until(lambda: status(vip) == 410, what="the list after a restart")


def test_a_list_is_replaced_under_load(lb, closing, tmp_path):
    """Rules look 100,000 entries up in every request while others take their place: none fails, none is denied that is in neither."""
    vip = lb.vip("web", closing(Origin("a")))
    lb.ctl("create", "list", "big", "kind=address")
    for name, first in (("one", 10), ("two", 11)):
        (tmp_path / name).write_text(many(MANY, first))
    lb.ctl("list", "load", "big", tmp_path / "one")
    rule(lb, "web/r", "src in @big")
    with Load(vip) as load:
        load.wait(50)
        for name in ("two", "one", "two"):
            lb.ctl("list", "load", "big", tmp_path / name)
            load.wait(20)
        result = load.stop()
    assert result["failed"] == [] and result["ok"] > 100, result
    assert held(lb, "big") == [str(MANY)] * 4
    lb.ctl("list", "add", "big", "127.0.0.1")
    wait_until(lambda: status(vip) == 403, what="this client in the list")


def test_requests_by_address(lb, closing):
    """A083: more than five requests in ten minutes from one address: 429 with Retry-After; another address is served."""
    vip = lb.vip("web", closing(Origin("a")))
    rule(lb, "web/limit", "rate(requests, src, 10m) > 5", status=429)
    ready(lb, vip)
    answers = [get(vip, source="127.0.0.2") for _ in range(8)]
    assert [a.status for a in answers] == [200] * 5 + [429] * 3
    assert answers[-1].headers["Retry-After"] == "600"
    assert status(vip, source="127.0.0.3") == 200
    lb.ctl("set", "rule", "web/limit", "comment=the counts go on")
    rule(lb, "web/other", "path is /never")
    assert status(vip, source="127.0.0.2") == 429
    lb.ctl("set", "rule", "web/limit", "when=rate(requests, src/24, 10m) > 3")
    wait_until(lambda: [status(vip, source="127.0.1.4") for _ in range(5)][-1] == 429, what="networks")
    assert status(vip, source="127.0.1.5") == 429


def test_requests_by_key(lb, closing):
    """A header, a host without case, each with its own count; who has none is not counted."""
    vip = lb.vip("web", closing(Origin("a")))
    rule(lb, "web/key", "rate(requests, header(X-Api-Key), 10m) > 2", status=429)
    rule(lb, "web/host", "rate(requests, host, 10m) > 3 and path is /h", status=404)
    ready(lb, vip)
    assert [status(vip, headers=[("Host", "x"), ("X-Api-Key", "a")]) for _ in range(4)] == [200, 200, 429, 429]
    assert [status(vip, headers=[("Host", "y"), ("X-Api-Key", "b")]) for _ in range(2)] == [200, 200]
    assert [status(vip, headers=[("Host", "z")]) for _ in range(5)] == [200] * 5
    assert status(vip, "/h", [("Host", "Z:80")]) == 404
    assert status(vip, "/h", [("Host", "other")]) == 200


def test_errors(lb, closing):
    """Answers 4xx and 5xx of servers count; the client is tarpitted or denied once there were three."""
    def serve(c, origin):
        r = Reader(c)
        while head := r.head():
            c.sendall(http_answer(b"", "404 Not Found" if "/bad" in head[0] else "200 OK"))
    vip = lb.vip("web", closing(Origin("a", serve)))
    rule(lb, "web/errors", "rate(errors, src, 10m) >= 3", status=403)
    ready(lb, vip)
    assert [status(vip) for _ in range(5)] == [200] * 5
    assert [status(vip, "/bad") for _ in range(3)] == [404] * 3
    wait_until(lambda: status(vip) == 403, what="the third error is counted")


def test_bytes_out(lb, closing):
    """Bytes to one client: once there were 100,000 it waits."""
    def serve(c, origin):
        r = Reader(c)
        while r.head():
            c.sendall(http_answer(b"x" * 60000))
    vip = lb.vip("web", closing(Origin("a", serve)))
    rule(lb, "web/bytes", "rate(bytes_out, src, 10m) > 100000", status=429)
    ready(lb, vip)
    assert [status(vip) for _ in range(2)] == [200, 200]
    wait_until(lambda: status(vip) == 429, what="the bytes")


def test_connections_now(lb, closing):
    """conns(src): who holds three connections gets no answer on the fourth; when one is closed another may come."""
    vip = lb.vip("web", closing(Origin("a")))
    rule(lb, "web/conns", "conns(src) > 3", status=429)
    ready(lb, vip)
    open_ones = [closing(client(vip)) for _ in range(3)]
    for c in open_ones:
        assert status(vip, connection=c) == 200
    wait_until(lambda: status(vip) == 429, what="the fourth")
    open_ones.pop().close()
    wait_until(lambda: status(vip) == 200, what="room again")


def test_connections_of_mode_tcp(lb, closing):
    """A087: connections in a while, and now, of mode tcp; a client over the limit is closed without a word."""
    def serve(c, origin):
        while data := c.recv(1000):
            c.sendall(data)
    vip = lb.vip("t", closing(Origin("a", serve)), mode="tcp")
    rule(lb, "t/often", "src is 127.0.0.2 and rate(connections, src, 10m) > 4", "drop")
    rule(lb, "t/many", "src is 127.0.0.3 and conns(src) > 2", "deny", order=50)

    def answered(source):
        try:
            with vip.connect(source=source) as c:
                c.sendall(b"hello")
                return c.recv(10)
        except OSError:
            return b""
    assert [answered("127.0.0.2") for _ in range(6)] == [b"hello"] * 4 + [b""] * 2
    two = [closing(vip.connect(source="127.0.0.3")) for _ in range(2)]
    for c in two:
        c.sendall(b"x")
        assert c.recv(1) == b"x"
    assert answered("127.0.0.3") == b""
    two.pop().close()
    wait_until(lambda: answered("127.0.0.3") == b"hello", what="room again")


def test_a_table_is_bounded(lb, closing):
    """More keys than a service may have: the process keeps its size, and who comes often is still seen."""
    vip = lb.vip("web", closing(Origin("a")))
    rule(lb, "web/key", "rate(requests, param(k), 10m) > 2", status=429)
    ready(lb, vip)
    c = closing(client(vip))
    for i in range(3000):
        assert status(vip, f"/?k={i}", connection=c) == 200
    assert [status(vip, "/?k=x") for _ in range(3)] == [200, 200, 429]


def test_maps_give_values(lb, closing):
    """A077: what a map has behind its entry goes into redirects and header fields; without an entry the rule does not hold."""
    origin = closing(Origin("a"))
    vip = lb.vip("web", origin)
    lb.ctl("create", "list", "moved", "kind=prefix")
    lb.ctl("create", "list", "owners", "kind=suffix")
    lb.ctl("list", "load", "moved", "-", input='/old https://new.example/x\n/old/deep https://deep.example\n/bare\n')
    lb.ctl("list", "add", "owners", 'shop.example "team a"', "bare.example")
    rule(lb, "web/moved", "path in @moved", "redirect", location="{value}{url}", status=308)
    rule(lb, "web/owner", "host in @owners", "set_header", header="X-Owner", value="<{value}>")
    rule(lb, "web/part", "host in @owners", "replace_header", header="X-Part", pattern="(.)-", value="{1}={value}")
    ready(lb, vip)
    assert get(vip, "/old/a?b=c").headers["Location"] == "https://new.example/x/old/a?b=c"
    assert get(vip, "/old/deep/1").headers["Location"] == "https://deep.example/old/deep/1"
    assert get(vip, "/bare").headers["Location"] == "/bare"

    def seen(host, name):
        assert status(vip, headers=[("Host", host), ("X-Part", "a-b")]) == 200
        return dict(origin.requests[-1]["fields"]).get(name)
    assert seen("www.Shop.example", "x-owner") == "<team a>" and seen("www.shop.example", "x-part") == "a=team ab"
    assert seen("bare.example", "x-owner") == "<>" and seen("other.example", "x-owner") is None
    r = lb.ctl("create", "rule", "web/bad", "when=path is /x", "action=redirect", "location={value}", check=False)
    assert r.returncode == 7 and "location: column 1: {value} is what a list has behind its entry" in r.stderr, r
