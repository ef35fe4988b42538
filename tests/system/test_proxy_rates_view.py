"""What content rules count can be seen, filtered and forgotten: lbctl, API, /metrics."""
import pytest

from lbdtest import Load, Origin, get, wait_until
from lbdweb import Web
from test_metrics import scrape, value
from test_proxy_rates import ready, rule

MANY = 100000


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    w = Web(tmp_path_factory.mktemp("rates"), "lbd-proxy")
    w.start()
    yield w
    w.stop()


@pytest.fixture()
def shop(web, closing):
    """A service, gone at the end."""
    yield web.vip("shop", closing(Origin("a")))
    web.ctl("delete", "vip", "shop", "--cascade", "-y")


def rates(web, vip, *args):
    return [(r["meter"], r["client"], r["value"]) for r in web.json("rates", "list", vip.name, *args)]


def test_list_filter_clear(web, shop):
    """A083: keys with what was counted, the highest first; by network; one forgotten begins anew, the others go on."""
    by_net, by_src = "rate(requests, src/24, 10m)", "rate(requests, src, 10m)"
    rule(web, f"{shop.name}/net", f"{by_net} > 1000")
    rule(web, f"{shop.name}/src", f"{by_src} > 3", status=429)
    ready(web, shop)
    web.ctl("rates", "clear", shop.name, "-y")
    for n, times in ((2, 4), (3, 2), (4, 1)):
        assert [get(shop, source=f"127.0.7.{n}").status for _ in range(times)][:3] == [200] * min(times, 3)
    assert rates(web, shop) == [(by_net, "127.0.7.0/24", 7), (by_src, "127.0.7.2", 4), (by_src, "127.0.7.3", 2),
                                (by_src, "127.0.7.4", 1)]
    assert rates(web, shop, "-n", "2") == [(by_net, "127.0.7.0/24", 7), (by_src, "127.0.7.2", 4)]
    assert rates(web, shop, "--client", "127.0.7.3") == [(by_net, "127.0.7.0/24", 7), (by_src, "127.0.7.3", 2)]
    assert rates(web, shop, "--client", "192.0.2.0/24") == rates(web, shop, "--client", "nobody") == []
    assert 0 <= web.json("rates", "list", shop.name)[0]["age"] < 60e6
    assert get(shop, source="127.0.7.2").status == 429
    assert "2 keys forgotten" in web.ctl("rates", "clear", shop.name, "--client", "127.0.7.2").stderr  # its network too
    assert get(shop, source="127.0.7.2").status == 200
    assert (by_src, "127.0.7.3", 2) in rates(web, shop)
    refused = web.ctl("rates", "clear", shop.name, check=False)
    assert refused.returncode == 2 and "-y" in refused.stderr
    web.ctl("create", "vip", "four", "address=192.0.2.9", "ports=9", "mode=nat")
    assert "layer 4" in web.ctl("rates", "list", "four", check=False).stderr
    web.ctl("delete", "vip", "four", "-y")


def test_values_are_hidden_or_shown(web, shop):
    """A host is shown; of what may let a client in there is a hash, and whoever knows the value finds it."""
    rule(web, f"{shop.name}/host", "rate(requests, host, 10m) > 1000")
    rule(web, f"{shop.name}/key", "rate(requests, header(X-Key), 10m) > 2", status=429)
    rule(web, f"{shop.name}/bad", "rate(errors, cookie(SID), 10m) > 1000")
    rule(web, f"{shop.name}/no", "path is /no", status=404)
    ready(web, shop)
    long = "a" * 60 + ".example"
    for host, path in (("b.example", "/"), ("b.example", "/no"), ("b.example", "/"), (long, "/")):
        get(shop, path, [("Host", host), ("X-Key", "open sesame"), ("Cookie", "SID=s3cret")])
    # errors are counted when the answer is over: /no, and two above the limit
    sid, = wait_until(lambda: [k for m, k, v in rates(web, shop) if "cookie(SID)" in m and v == 3], what="the errors")
    got = {k: (m, v) for m, k, v in rates(web, shop)}
    assert got["b.example"] == ("rate(requests, host, 10m)", 3)
    assert got["a" * 29 + "..."] == ("rate(requests, host, 10m)", 1)
    assert "sesame" not in str(got) and "s3cret" not in str(got)
    (hidden, _), = [(k, v) for k, (m, v) in got.items() if m == "rate(requests, header(X-Key), 10m)"]
    assert len(hidden) == 32 and set(hidden) <= set("0123456789abcdef")
    assert rates(web, shop, "--client", "open sesame") == rates(web, shop, "--client", hidden) == [
        ("rate(requests, header(X-Key), 10m)", hidden, 4)]
    assert rates(web, shop, "--client", "s3cret") == [("rate(errors, cookie(SID), 10m)", sid, 3)]
    assert get(shop, headers=[("X-Key", "open sesame")]).status == 429
    web.ctl("rates", "clear", shop.name, "--client", hidden)
    assert get(shop, headers=[("X-Key", "open sesame")]).status == 200


def test_connections_stay_counted(web, shop):
    """conns: what is there now; forgetting does not lose a connection that is still open."""
    rule(web, f"{shop.name}/conns", "conns(src) > 2")
    ready(web, shop)
    held = [shop.connect(source="127.0.8.1") for _ in range(2)]
    one = lambda: [v for m, k, v in rates(web, shop) if (m, k) == ("conns(src)", "127.0.8.1")]
    wait_until(lambda: one() == [2], what="both are counted")
    web.ctl("rates", "clear", shop.name, "--client", "127.0.8.1")
    assert one() == [2]
    for c in held:
        c.close()
    wait_until(lambda: one() == [], what="they are gone")


def test_api_and_metrics(web, shop):
    """The same over REST, by role; how many keys there are is in /metrics, not which."""
    rule(web, f"{shop.name}/src", "rate(requests, src, 10m) > 100")
    ready(web, shop)
    api = web.api()
    for n in range(1, 6):
        for _ in range(n):
            get(shop, source=f"127.0.9.{n}")
    r = api("GET", "/rates", vip=shop.name, client="127.0.9.0/24", limit=2)
    assert r.status == 200 and r.json["more"] is True
    items = [(i["vip"], i["meter"], i["client"], i["value"]) for i in r.json["items"]]
    assert items == [(shop.name, "rate(requests, src, 10m)", f"127.0.9.{n}", n) for n in (5, 4)]
    assert all(i["age_s"] < 60 for i in r.json["items"])
    keys = lambda: value(scrape(web), "lbd_vip_rate_keys", vip=shop.name)
    wait_until(lambda: keys() == 6, 30, what="the keys, with that of ready()")
    assert web.api("viewer")("GET", "/rates").status == 200
    assert web.api("viewer")("DELETE", "/rates").status == 403
    assert api("GET", "/rates", vip="nobody").status == 400
    assert api("DELETE", "/rates", vip=shop.name, client="127.0.9.0/24").status == 204
    assert api("GET", "/rates", vip=shop.name, client="127.0.9.0/24").json["items"] == []
    wait_until(lambda: keys() == 1, 30, what="that of ready() alone")


def test_many_keys_while_requests_come(web, shop):
    """Lists of many keys one after the other: requests go on meanwhile, and none fails."""
    rule(web, f"{shop.name}/key", "rate(requests, path, 1h) > 1000000")
    rule(web, f"{shop.name}/quick", "path starts /key/", "return", status=204)
    ready(web, shop)
    with shop.connect() as c:  # on one connection, some at a time
        for first in range(0, MANY, 500):
            c.sendall(b"".join(b"GET /key/%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(first, first + 500)))
            got = b""
            while got.count(b"\r\n\r\n") < 500:
                got += c.recv(1 << 20)
    with Load(shop) as load:
        load.wait(20)
        for _ in range(3):
            assert len(rates(web, shop)) >= MANY
        assert len(rates(web, shop, "-n", "7")) == 7
        load.wait(20)
        result = load.stop()
    assert result["failed"] == [] and result["ok"] > 40, result
    assert "keys forgotten" in web.ctl("rates", "clear", shop.name, "-y").stderr
    assert len(rates(web, shop)) < 10
