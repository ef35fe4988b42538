"""Content rules as people see them: how often each held, and what they would do with a request that is not sent."""
import http.client
import json

import pytest

from lbdtest import Reader, get, listens, wait_until
from lbdweb import Web
from test_proxy_rules import field, make  # noqa: F401 (make is a fixture)
from test_proxy_upgrade import px  # noqa: F401 (a fixture)


def hits(lb, vip):
    return {r["name"]: r["counts"]["hits"] for r in lb.json("get", "rule", f"{vip.name}/")}


def tried(lb, vip, *args):
    return json.loads(lb.ctl("rule", "try", vip.name, *args, "-o", "json").stdout)


def held(answer):
    return [r["rule"] for r in answer["rules"]]


# ---- counts ---------------------------------------------------------------------------------------------------------------

def test_hits(make, origins, lb):
    """Each rule counts how often it held, on requests and on answers; a change of others keeps it, flush stats begins anew."""
    pool, = origins("pool")
    vip, own = make({"api": {"when": "path under /api", "action": "use", "pool": "p", "order": 1},
                     "tag": {"when": "path under /t", "action": "set_header", "header": "X-T", "value": "1", "order": 2},
                     "no": {"when": "path is /no", "action": "deny", "order": 3},
                     "back": {"when": "status is 200", "on": "answer", "action": "set_header", "header": "X-B", "value": "1"}},
                    {"p": pool})
    for path, n in (("/api/1", 3), ("/t", 2), ("/no", 4), ("/", 1)):
        for _ in range(n):
            get(vip, path)
    assert hits(lb, vip) == {"api": 3, "tag": 2, "no": 4, "back": 6}
    line = next(x for x in lb.ctl("get", "rule", f"{vip.name}/").stdout.splitlines() if f"{vip.name}/no" in x)
    assert line.split()[-1] == "4" and "hits" in lb.ctl("describe", "rule", f"{vip.name}/no").stdout
    lb.ctl("create", "rule", f"{vip.name}/new", "when=path is /new", "action=return", "status=204", "order=0")
    wait_until(lambda: all(get(vip, "/new").status == 204 for _ in range(8)), what="the new rule")
    got = hits(lb, vip)
    assert got.pop("new") >= 8 and got.pop("back") >= 6  # the server answered until it came
    assert got == {"api": 3, "tag": 2, "no": 4}
    get(vip, "/no")
    assert hits(lb, vip)["no"] == 5
    lb.ctl("flush", "stats", vip.name)
    assert set(hits(lb, vip).values()) == {0}
    get(vip, "/no")
    assert hits(lb, vip)["no"] == 1


def test_hits_tcp(make, lb):
    """The same for connections of mode tcp."""
    vip, own = make({"d": {"when": "src is 127.0.0.22", "action": "deny"},
                     "a": {"when": "src is 127.0.0.23", "action": "allow"}}, mode="tcp")
    for source, n in (("127.0.0.22", 2), ("127.0.0.23", 1), ("127.0.0.24", 3)):
        for _ in range(n):
            if source.endswith("22"):
                with pytest.raises((ConnectionError, http.client.HTTPException)):
                    get(vip, source=source)
            else:
                assert get(vip, source=source).status == 200
    assert hits(lb, vip) == {"d": 2, "a": 1}


def test_hits_over_an_upgrade(px, origins):
    """The next process goes on where the one before was, and is told what that one still counts."""
    own, = origins("own")
    vip = px.vip("web", own)
    for name, when in (("all", ""), ("a", "path under /a"), ("never", "path is /never")):
        px.ctl("create", "rule", f"web/{name}", f"when={when}", "action=set_header", f"header=X-{name}", "value=1")
    wait_until(lambda: all(get(vip, "/a") and field(own, "x-a") for _ in range(8)), what="the rules")
    before = hits(px, vip)
    with vip.connect() as s:
        def more():
            s.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            r = Reader(s)
            line, got, _ = r.head()
            r.body(got)
        more()
        s.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        wait_until(lambda: hits(px, vip)["a"] == before["a"] + 2, what="both counted")
        px.upgrade()
        assert hits(px, vip) == {"all": before["all"] + 2, "a": before["a"] + 2, "never": 0}
        s.sendall(b"x")
        Reader(s).head()
    assert get(vip, "/a").status == 200
    wait_until(lambda: hits(px, vip) == {"all": before["all"] + 3, "a": before["a"] + 3, "never": 0}, what="one more")


# ---- trials ---------------------------------------------------------------------------------------------------------------

def test_try(make, origins, lb):
    """What would be done is told, rule by rule, and nothing is sent or counted; the decision is that of a request."""
    api, = origins("api")
    vip, own = make({"a": {"when": "header(X-Key) exists", "action": "set_header", "header": "X-Key", "value": "<{src}>", "order": 1},
                     "b": {"when": "path starts /v1/", "action": "rewrite", "pattern": "^/v1/", "value": "/api/", "order": 2},
                     "c": {"action": "del_header", "header": "X-Gone", "order": 3},
                     "d": {"when": "path under /api", "action": "use", "pool": "api", "order": 4},
                     "e": {"when": "path is /old", "action": "redirect", "location": "https://{host}/new{query}", "status": 308,
                           "order": 5},
                     "f": {"when": "method is POST and body contains bad", "action": "deny", "status": 451, "order": 6},
                     "g": {"when": "rate(requests, src, 60s) > 1", "action": "deny", "status": 429, "order": 7},
                     "h": {"when": "sni is a.example.org and scheme is https", "action": "return", "status": 204, "order": 8}},
                    {"api": api})
    got = tried(lb, vip, "/v1/x?y", "-H", "X-Key: k", "-H", "x-gone: 1", "--client", "192.0.2.7")
    assert held(got) == ["a", "b", "c", "d"]
    assert [r["does"] for r in got["rules"]] == ["X-Key: <192.0.2.7>", "/api/x?y", "X-Gone", f"{vip.name}-api"]
    assert got["outcome"] == {"action": "use", "pool": f"{vip.name}-api", "target": "/api/x?y", "headers": ["X-Key: <192.0.2.7>"],
                              "cut": ["X-Key: k", "x-gone: 1"]}
    got = tried(lb, vip, "http://shop.example.org/old?q")
    assert held(got) == ["c", "e"]
    assert got["outcome"] == {"action": "redirect", "status": 308, "location": "https://shop.example.org/newq"}
    got = tried(lb, vip, "/", "--method", "POST", "--body", "so bad")
    assert held(got)[-1] == "f" and got["outcome"] == {"action": "deny", "status": 451}
    assert tried(lb, vip, "/", "--method", "POST")["outcome"]["pool"] == vip.name
    assert tried(lb, vip, "https://a.example.org/")["outcome"] == {"action": "return", "status": 204}
    assert tried(lb, vip, "/", "--sni", "a.example.org")["outcome"] == {"action": "return", "status": 204}
    for _ in range(3):  # trials do not count
        assert tried(lb, vip, "/", "--client", "127.0.0.1")["outcome"]["action"] == "allow"
    assert set(hits(lb, vip).values()) == {0} and not own.requests and not api.requests
    assert get(vip).status == 200
    assert tried(lb, vip, "/", "--client", "127.0.0.1")["outcome"] == {"action": "deny", "status": 429}  # the next one would
    assert get(vip).status == 429
    out = lb.ctl("rule", "try", vip.name, "/v1/x").stdout
    assert "rewrite" in out and f"pool      {vip.name}-api" in out


def test_try_refused(make, lb):
    """What is no request is refused with what it is; so is a service that is not served."""
    vip, own = make({"d": {"when": "path is /x", "action": "deny"}})

    def why(*args, code=7):
        r = lb.ctl("rule", "try", *args, check=False)
        assert r.returncode == code, r
        return r.stderr
    assert "vip nothere: does not exist" in why("nothere", code=3)
    assert "client: \"10.0.0\" is no address" in why(vip.name, "--client", "10.0.0")
    assert "the request would be refused" in why(vip.name, "/", "-H", "Bad Name: x")
    assert "url: \"/a b\" has spaces" in why(vip.name, "/a b")
    assert "method: \"G T\" has spaces" in why(vip.name, "--method", "G T")
    lb.ctl("set", "vip", vip.name, "enabled=no")
    wait_until(lambda: not listens(vip.address, vip.port), what="it is off")
    assert "not served by lbd-proxy now" in why(vip.name)


def test_try_tcp(make, origins, lb):
    """Of a connection: by address, port and the names at the beginning of TLS that is passed on."""
    pool, = origins("pool")
    vip, own = make({"s": {"when": "sni under example.org and alpn is h2", "action": "use", "pool": "p", "order": 1},
                     "q": {"when": "src in 10.0.0.0/8", "action": "set_priority", "priority": -7, "order": 2},
                     "u": {"when": "src in 10.0.0.0/8", "action": "limit_bandwidth", "rate": 20000, "order": 3},
                     "t": {"when": "port is 1", "action": "tarpit", "time": "2s", "order": 4},
                     "w": {"when": "src in 10.0.0.0/8", "action": "limit_bandwidth", "rate": 30000, "on": "answer"}},
                    {"p": pool}, mode="tcp")
    got = tried(lb, vip, "--sni", "a.example.org", "--alpn", "http/1.1,h2")
    assert held(got) == ["s"] and got["outcome"] == {"action": "use", "pool": f"{vip.name}-p"}
    got = tried(lb, vip, "--client", "10.1.1.1")
    assert held(got) == ["q", "u", "w"]
    assert got["outcome"] == {"action": "allow", "pool": vip.name, "priority": -7, "rate": 20000, "rate_down": 30000}
    assert tried(lb, vip, "--port", "1")["outcome"] == {"action": "tarpit"}


def test_api_and_metrics(tmp_path, closing, origins):
    """Counts stand in the API and in /metrics; a trial is a POST of operators. A rule has a status of its own."""
    web = closing(Web(tmp_path / "w", "lbd-proxy"))
    own, pool = origins("own", "pool")
    vip = web.vip("web", own)
    web.ctl("create", "vip", "p")
    web.rip("p", "a", pool.port)
    web.ctl("create", "rule", "web/all", "when=path under /p", "action=use", "pool=p")
    web.start()
    wait_until(lambda: get(vip, "/p").server == "pool", what="the rule")
    api = web.api("operator")
    assert web.api("viewer")("POST", "/vips/web/try", {}).status == 403
    before = wait_until(lambda: api("GET", "/vips/web/rules/all").json["counts"]["hits"], what="counted")
    get(vip, "/p")
    wait_until(lambda: api("GET", "/vips/web/rules/all").json["counts"]["hits"] == before + 1, what="one more")
    want = f'lbd_rule_hits_total{{vip="web",rule="all"}} {before + 1}\n'
    wait_until(lambda: want in web.raw("GET", "/metrics").body.decode(), what="in /metrics")
    r = api("POST", "/vips/web/try", {"url": "http://x.example/p/1", "headers": {"X-A": "b"}, "client": "192.0.2.1"})
    assert r.status == 200, r.body
    assert r.json == {"rules": [{"rule": "all", "order": 100, "action": "use", "does": "p"}],
                      "outcome": {"action": "use", "pool": "p"}}
    assert api("POST", "/vips/web/try", {}).json["outcome"] == {"action": "allow", "pool": "web"}
    for body, words in (({"hedaers": {}}, "known are method, url"), ({"client": "x"}, 'client: "x" is no address'),
                        ({"port": 70000}, "allowed is 1 to 65535"), ({"headers": {"A": "b\nc"}}, "names with texts of one line"),
                        ({"headers": "A: b"}, "an object of names"), ({"url": 5}, "a text of at most")):
        r = api("POST", "/vips/web/try", body)
        assert r.status == 422 and words in r.json["detail"], r.body
    assert api("POST", "/vips/none/try", {}).status == 404
    admin = web.api("admin")
    assert admin("POST", "/vips/web/rules", {"name": "law", "when": "path is /l", "action": "deny", "status": 451}).status == 201
    law = admin("GET", "/vips/web/rules/law").json
    assert law["status"] == 451 and set(law["counts"]) == {"hits", "unknown_pools"}
    assert admin("PUT", "/vips/web/rules/law", law).status == 200 and admin("GET", "/vips/web/rules/law").json["status"] == 451
    assert admin("DELETE", "/vips/web/rules/law").status < 300
    assert api("GET", "/vips/web/rules/all").json["counts"]["hits"] == before + 1
    web.kill("lbd-proxy")
    wait_until(lambda: api("POST", "/vips/web/try", {}).status == 503, what="it is away")
