"""The REST API and the panel's doors: every object by the same code, every refusal in words (issue item 11, A168, A170)."""
import http.client
import json
import os
import re
import socket
import ssl
import stat
import subprocess

import pytest

from lbdtest import BIN, free_port, wait_until
from lbdweb import Api, Session, Web


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    w = Web(tmp_path_factory.mktemp("web"))
    w.start()
    yield w
    w.stop()


@pytest.fixture(scope="module")
def api(web):
    return web.api()


def problem(r, status, *words, pointer=None):
    """An RFC 9457 answer."""
    assert r.status == status, (r.status, r.body)
    assert r.headers["Content-Type"] == "application/problem+json"
    assert r.json["status"] == status and r.json["type"].startswith("urn:lbd:problem:") and r.json["request_id"]
    for w in words:
        assert w in r.json["detail"], r.json
    if pointer:
        assert r.json["errors"][0]["pointer"] == pointer, r.json
    return r


# Of openssl req -x509, for 100 years.
CERT = """\
-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUe/0Ci3kZqzknGtx2vXSQjk++1kEwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMzAwODUxMjZaGA8yMTI2MTEwNjA4NTEy
NlowDzENMAsGA1UEAwwEcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAPz
F+ZozNKZQeeuhMrwPX9VKJ7MdoED+Ay1Gu1sHDRTwIIZx9D/zmdE72Zri6wzdm+E
0P6EyhbZerwgJ5xYhByjUzBRMB0GA1UdDgQWBBTFlANfvQbhAPdL86LznsePbuQh
XTAfBgNVHSMEGDAWgBTFlANfvQbhAPdL86LznsePbuQhXTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQDorjZ7inNp+OW4jcYTQVIqXEWRwG/CncAu
Ti+/xCc6rAIgZhClto7J5fjDygyA3aC/Piy6m0ZGOpGiNMQ9p0TX8xM=
-----END CERTIFICATE-----
"""
OBJECTS = [
    ("checks", "c1", {"kind": "http", "path": "/health", "interval": "10s"}, {"interval": "500ms", "timeout": "400ms"}),
    ("fips", "gw", {"address": "192.0.2.254/24", "interface": "lo"}, {"comment": "gateway"}),
    ("vips", "v1", {"address": "127.0.0.9", "ports": "80,443"}, {"scheduler": "wrr"}),
    ("vips/base/rips", "r1", {"address": "127.0.0.1", "port": 8080}, {"weight": 50}),
    ("users", "eve", {"role": "operator", "password": "correct horse"}, {"enabled": False}),
    ("tokens", "ci", {"role": "viewer"}, {"comment": "for the build"}),
    ("pingnodes", "far", {"address": "192.0.2.9"}, {"interval": "200ms"}),
    ("carriers", "second", {"peer": "198.51.100.2"}, {"enabled": False}),
    ("tracks", "own", {"kind": "daemon", "target": "lbd-proxy"}, {"weight": 5}),
    ("notifies", "tell", {"script": "tell me"}, {"group": 1}),
    ("routes", "away", {"destination": "192.0.2.0/25", "gateway": "127.0.0.1"}, {"metric": 5}),
    ("nats", "out", {"kind": "masquerade", "inside": "10.5.0.0/24", "interface": "wan0"}, {"comment": "to the net"}),
    ("cas", "roots", {"certs": CERT}, {"comment": "ours"}),
    ("certs", "asked", {"key": "0123456789abcdef" * 4}, {"comment": "waits for its answer"}),
    ("tls", "site", {"hsts": "365d", "profile": "modern"}, {"session_timeout": "1h"}),
    ("vrrps", "out", {"interface": "wan0", "vrid": 51}, {"priority": 90}),
]


@pytest.mark.parametrize("plural,name,fields,change", OBJECTS, ids=[o[0] for o in OBJECTS])
def test_every_object(api, plural, name, fields, change):
    """Create, get, list, change, replace, rename, delete, and what is refused on the way; the same for every kind."""
    if "rips" in plural:
        assert api("PUT", "/vips/base", {"address": "127.0.0.9", "ports": "8888"}).status in (200, 201)
    at = f"/{plural}/{name}"
    problem(api("GET", at), 404, name, "does not exist")
    problem(api("PATCH", at, change), 404, name)
    made = api("PUT", at, fields, {"If-None-Match": "*"}, message="made by a test")
    assert made.status == 201 and made.headers["Location"] == f"/api/v1{at}", made.body
    assert made.headers["Lbd-Revision"]
    problem(api("PUT", at, fields, {"If-None-Match": "*"}), 412, "exists already")
    problem(api("POST", f"/{plural}", {"name": name, **fields}), 409, name)

    got = wait_until(lambda: (r := api("GET", at)).status == 200 and r)
    for key, value in fields.items():
        if key != "password":
            assert got.json[key] == value
    assert "correct horse" not in json.dumps(got.json) and ("key" in fields or "key" not in got.json)
    assert name in [i["name"] for i in api("GET", f"/{plural}").json["items"]]
    assert api("HEAD", at).status == 200

    same = api("PUT", at, got.json)  # what GET gave may be sent back, and changes nothing
    assert same.status == 200 and "Lbd-Revision" not in same.headers, same.body
    assert same.headers["ETag"] == got.headers["ETag"]

    dry = api("PATCH", at, change, dry_run="true")
    assert dry.status == 200 and dry.json["dry_run"] and dry.json["changes"], dry.body
    assert api("GET", at).headers["ETag"] == got.headers["ETag"]
    problem(api("PATCH", at, change, {"If-Match": '"stale"'}), 412, "meantime")
    changed = api("PATCH", at, change, {"If-Match": got.headers["ETag"]})
    assert changed.status == 200 and changed.headers["ETag"] != got.headers["ETag"], changed.body
    for key, value in change.items():
        assert changed.json[key] == value
    problem(api("PATCH", at, change, {"If-Match": got.headers["ETag"]}), 412)

    problem(api("PATCH", at, {"nonsense": 1}), 422, "nonsense", "unknown field", pointer="/nonsense")
    problem(api("PATCH", at, "{"), 400, "line 1: this is not JSON")
    problem(api("PATCH", at, "[]"), 400, "an object belongs here")
    problem(api("PATCH", at, '{"comment":"a","comment":"b"}'), 400, "duplicate")
    problem(api("PATCH", at, "comment=x", {"Content-Type": "text/plain"}), 415, "merge-patch")
    problem(api("PUT", at, {**fields, "name": "other"}), 422, "the path says", pointer="/name")
    refused = problem(api("POST", at, {}), 405, "allowed is")
    assert {"GET", "HEAD", "PUT", "PATCH", "DELETE"} <= set(refused.headers["Allow"].split(", "))
    assert api("OPTIONS", at).headers["Allow"] == refused.headers["Allow"]

    moved = api("PATCH", at, {"name": "moved"})
    assert moved.status == 200 and moved.json["name"] == "moved", moved.body
    at = f"/{plural}/moved"
    problem(api("DELETE", at, headers={"If-Match": '"stale"'}), 412)
    assert api("DELETE", at).status == 204
    problem(api("DELETE", at), 404)


def test_same_words_as_lbctl(web, api):
    """A refusal is the same sentence on both surfaces."""
    api("PUT", "/vips/words", {"address": "127.0.0.9", "ports": "90"})
    for field, value in (("ports", "70000"), ("scheduler", "best"), ("connect_timeout", "1h"), ("check", "none-such"),
                         ("adress", "x"), ("max_conns", "-1")):
        said = web.ctl("set", "vip", "words", f"{field}={value}", check=False)
        r = api("PATCH", "/vips/words", {field: value})
        assert r.status == 422 and said.returncode == 7, (r.body, said)
        assert r.json["detail"] in said.stderr, (r.json["detail"], said.stderr)
        assert r.json["errors"][0]["pointer"] == f"/{field}"
    said = web.ctl("create", "track", "words", "kind=bfd", "target=10.0.0.1:3784", check=False)
    r = problem(api("PUT", "/tracks/words", {"kind": "bfd", "target": "10.0.0.1:3784"}), 422, pointer="/target")
    assert r.json["detail"] in said.stderr and 'target: "10.0.0.1:3784" is not possible with kind bfd' in said.stderr


def test_singles_and_the_kernels_own(api):
    r = api("GET", "/settings")
    assert r.status == 200 and r.json["history"] == 1000
    assert api("PATCH", "/settings", {"history": 500}).json["history"] == 500
    assert api("PATCH", "/settings", {"history": None}).json["history"] == 1000
    problem(api("PATCH", "/settings", {"history": 1}), 422, "history", pointer="/history")
    problem(api("DELETE", "/settings/main"), 405)
    problem(api("POST", "/settings", {"name": "x"}), 405)
    assert api("PATCH", "/node", {"hostname": "lb1"}).json["hostname"] == "lb1"
    lo = [i for i in api("GET", "/interfaces").json["items"] if i["name"] == "lo"]
    assert "127.0.0.1/8" in [i["address"] for i in lo]
    problem(api("POST", "/interfaces", {"name": "x"}), 405, "read from the kernel")
    r = problem(api("PUT", "/checks", {}), 405, "/api/v1/checks/{name}")
    assert r.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    problem(api("GET", "/checks", headers={"Accept": "image/png"}), 406, "JSON")
    problem(api("GET", "/vpis"), 404, "did you mean vips")
    problem(api("GET", "/admin"), 404)
    problem(api("GET", "/nothing/at/all"), 404)
    problem(api("GET", "/vips/none/rips"), 404, "none")
    problem(api("PUT", "/rips/x", {}), 404, "within its vip")


def test_dependants_and_cascade(api):
    """A service with servers is not deleted by accident; a trial is refused a second one."""
    api("PUT", "/vips/dep", {"address": "127.0.0.9", "ports": "91"})
    api("PUT", "/vips/dep/rips/a", {"address": "127.0.0.1", "port": 1})
    problem(api("DELETE", "/vips/dep"), 409, "dep/a")
    problem(api("PUT", "/vips/dep/rips/b", {"address": "127.0.0.1", "vip": "other"}), 422, pointer="/vip")
    assert api("DELETE", "/vips/dep", cascade="true").status == 204


def test_lists_are_paged_and_narrowed(api):
    for i in range(7):
        api("PUT", f"/vips/page{i}", {"address": "127.0.0.10", "ports": str(100 + i), "labels": f"n={i % 2},all=yes"})
    wait_until(lambda: api("GET", "/vips/page6").status == 200)
    names, path = [], "/vips?limit=3&label=all%3Dyes"
    while path:
        r = api("GET", path)
        assert len(r.json["items"]) <= 3
        names += [i["name"] for i in r.json["items"]]
        link = r.headers.get("Link")
        path = link and re.match(r"</api/v1(.*)>; rel=\"next\"$", link)[1]
        assert ("next" in r.json) == bool(link)
    assert names == [f"page{i}" for i in range(7)]
    assert [i["name"] for i in api("GET", "/vips?label=n%3D1").json["items"]] == ["page1", "page3", "page5"]
    assert {i["status"]["state"] for i in api("GET", "/vips?state=unk").json["items"]} == {"unk"}
    for bad in ("0", "1001", "x", "-1", ""):
        problem(api("GET", f"/vips?limit={bad}"), 400, "limit", "1 to 1000")
    for i in range(7):
        assert api("DELETE", f"/vips/page{i}").status == 204


def test_orders(api):
    """S189, S190, S192: drain, halt, online, weight, attributed; one order for a server everywhere."""
    for vip, port in (("o1", "92"), ("o2", "93")):
        api("PUT", f"/vips/{vip}", {"address": "127.0.0.9", "ports": port})
        api("PUT", f"/vips/{vip}/rips/a", {"address": "127.0.0.1", "port": 1})
    wait_until(lambda: api("GET", "/vips/o2/rips/a").status == 200)
    at = "/vips/o1/rips/a/admin-state"
    r = api("PUT", at, {"state": "drain", "timeout": "30m", "message": "kernel"})
    assert r.status == 200 and r.json["state"] == "drain" and r.json["until"]
    got = wait_until(lambda: (g := api("GET", at).json)["state"] == "drain" and g)
    assert got["who"] == "token/t-admin" and got["from"] == "api 127.0.0.1" and got["why"] == "kernel"
    status = api("GET", "/vips/o1/rips/a").json["status"]
    assert status["state"] == "drain" and status["weight"] == 0
    assert api("PUT", "/vips/o1/rips/a/weight", {"weight": 7}).status == 200
    assert api("PUT", "/vips/*/rips/a/admin-state", {"state": "halt"}).json["servers"] == 2
    wait_until(lambda: api("GET", "/vips/o2/rips/a").json["status"]["state"] == "halt")
    assert api("PUT", "/vips/*/rips/a/admin-state", {"state": "online"}).json["servers"] == 2
    wait_until(lambda: api("GET", "/vips/o1/rips/a").json["status"]["weight"] == 7)
    assert api("PUT", "/vips/o1/rips/a/weight", {"weight": None}).status == 200
    wait_until(lambda: api("GET", "/vips/o1/rips/a").json["status"]["weight"] == 100)
    problem(api("PUT", at, {"state": "away"}), 422, "online, drain or halt", pointer="/state")
    problem(api("PUT", at, {"state": "drain", "timeout": "soon"}), 422, pointer="/timeout")
    problem(api("PUT", at, {"state": "drain", "why": "x"}), 422, "unknown", pointer="/why")
    problem(api("PUT", at, {}), 422)
    problem(api("PUT", "/vips/o1/rips/a/weight", {"weight": 65536}), 422, "0 to 65535", pointer="/weight")
    problem(api("PUT", "/vips/o1/rips/none/admin-state", {"state": "halt"}), 404, "o1/none")
    problem(api("POST", "/vips/o1/rips/a/check"), 503, "lbd-check does not run")


def test_revisions(api):
    """A172: who, when, why; diff, show, roll back, and a trial that is confirmed or reverted."""
    api("PUT", "/checks/rev", {"interval": "3s"}, message="first")
    before = api("GET", "/revisions?limit=1").json["items"][0]
    assert before["who"] == "token/t-admin" and before["message"] == "first" and before["from"] == "api 127.0.0.1"
    r = api("PATCH", "/checks/rev", {"interval": "4s"}, message="second")
    n = int(r.headers["Lbd-Revision"])
    assert n == before["revision"] + 1
    diff = api("GET", f"/revisions/{n}/diff").json
    assert diff["from"] == n - 1 and "3s -> 4s" in diff["diff"]
    assert api("GET", f"/revisions/{n - 1}").json["check"]["rev"]["interval"] == "3s"
    dry = api("POST", f"/revisions/{n - 1}/rollback", dry_run="true")
    assert any("4s -> 3s" in c for c in dry.json["changes"])
    assert api("POST", f"/revisions/{n - 1}/rollback", message="back").json["revision"] == n + 1
    wait_until(lambda: api("GET", "/checks/rev").json["interval"] == "3s")
    problem(api("GET", "/revisions/99999"), 404)
    problem(api("GET", "/revisions/x"), 400)

    problem(api("POST", "/confirm"), 409)
    r = api("PATCH", "/checks/rev", {"interval": "5s"}, confirm="60")
    assert r.status == 200 and r.headers["Lbd-Trial-Until"]
    assert api("GET", "/status").json["trial"]["who"] == "token/t-admin"
    assert api("POST", "/confirm").status == 204
    r = api("PATCH", "/checks/rev", {"interval": "6s"}, confirm="60")
    assert api("POST", "/revert").status == 204
    wait_until(lambda: api("GET", "/checks/rev").json["interval"] == "5s")
    assert api("GET", "/status").json["trial"] is None
    problem(api("PATCH", "/checks/rev", {"interval": "6s"}, confirm="5"), 400, "confirm", "10 to 86400")


def test_stale_base(web, api):
    """A170: a condition holds against the store itself, also for what lbctl changed a moment ago."""
    etag = api("GET", "/checks/rev").headers["ETag"]
    web.ctl("set", "check", "rev", "interval=9s")
    problem(api("PATCH", "/checks/rev", {"rise": 3}, {"If-Match": etag}), 412)


def test_roles(web, api):
    """viewer sees, operator orders, admin changes; nobody is told to log in."""
    viewer, operator, nobody = web.api("viewer"), web.api("operator"), Api(web)
    api("PUT", "/vips/role", {"address": "127.0.0.9", "ports": "94"})
    api("PUT", "/vips/role/rips/a", {"address": "127.0.0.1", "port": 1})
    wait_until(lambda: api("GET", "/vips/role/rips/a").status == 200)
    halt = {"state": "halt"}
    assert viewer("GET", "/vips/role").status == 200
    problem(viewer("PUT", "/vips/role/rips/a/admin-state", halt), 403, "operator", "viewer")
    problem(viewer("PATCH", "/vips/role", {"comment": "x"}), 403, "admin")
    problem(viewer("GET", "/users"), 403, "admin")
    problem(viewer("GET", "/tokens/t-admin"), 403)
    assert operator("PUT", "/vips/role/rips/a/admin-state", halt).status == 200
    problem(operator("DELETE", "/vips/role"), 403, "admin")
    r = problem(nobody("GET", "/vips"), 401)
    assert r.headers["WWW-Authenticate"].startswith("Bearer")
    problem(Api(web, "lbd_" + "x" * 40)("GET", "/vips"), 401)
    basic = web.raw("GET", "/api/v1/vips", headers={"Authorization": "Basic YWRtaW46YWRtaW4="})
    assert basic.status == 401


def test_token_ends(web, api):
    """A token outside of its network, after its end, or deleted, is none."""
    key = api("PUT", "/tokens/far", {"role": "viewer", "source": "198.51.100.0/24"}).json["key"]
    old = api("PUT", "/tokens/old", {"role": "viewer", "expires": "2020-01-01T00:00:00Z"}).json["key"]
    gone = api("PUT", "/tokens/gone", {"role": "viewer"}).json["key"]
    wait_until(lambda: Api(web, gone)("GET", "/status").status == 200)
    assert Api(web, key)("GET", "/status").status == 401
    assert Api(web, old)("GET", "/status").status == 401
    assert api("DELETE", "/tokens/gone").status == 204
    wait_until(lambda: Api(web, gone)("GET", "/status").status == 401)


def test_session_needs_its_token(web):
    """A cookie alone changes nothing, nor does another site."""
    s = Session(web)
    assert s("GET", "/vips").status == 200
    bare = dict(s.headers)
    del bare["X-CSRF-Token"]
    r = web.raw("PUT", "/api/v1/checks/csrf", "{}", {**bare, "Content-Type": "application/json"})
    assert r.status == 403 and b"X-CSRF-Token" in r.body
    for evil in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"X-CSRF-Token": "wrong"}):
        r = web.raw("PUT", "/api/v1/checks/csrf", "{}", {**s.headers, "Content-Type": "application/json", **evil})
        assert r.status == 403, evil
    assert s("PUT", "/checks/csrf", {}).status == 201
    assert s("DELETE", "/session").status == 204
    assert s("GET", "/vips").status == 401


def test_forms(web):
    """Log in, act, log out as a browser without script does; without the hidden token nothing happens."""
    assert web.raw("GET", "/").headers["Location"] == "/login"
    bad = web.login(password="wrong password")
    assert bad.first.status == 401 and b"is wrong" in bad.first.body and not bad.cookie
    f = web.login()
    assert f.first.status == 303 and f.first.headers["Location"] == "/"
    flags = f.first.headers["Set-Cookie"]
    assert "HttpOnly" in flags and "SameSite=Strict" in flags and "Secure" not in flags and flags.startswith("lbd=")
    assert f.get().status == 200
    assert f.post("/act", {"rip": "role/a", "online": "Online"}, csrf=False).status == 403
    assert f.post("/act", {"rip": "role/a", "online": "Online"}, {"Origin": "http://evil.example"}).status == 403
    assert f.post("/act", {"rip": "role/a", "online": "Online"}).status == 303
    assert f.post("/act", {"rip": "none/none", "online": "Online"}).status == 404
    assert f.post("/act", {"rip": "role/a"}).status == 422
    assert f.post("/act", {"rip": "role/a", "drain": "Drain", "view": "?q=x\r\nEvil: 1"}).headers["Location"] == \
        "/?q=x%0D%0AEvil:%201#role"
    assert web.raw("POST", "/login", "{}", {"Content-Type": "application/json"}).status == 415
    assert web.raw("POST", "/login", "user=%ff", {"Content-Type": "application/x-www-form-urlencoded"}).status == 400
    assert f.post("/logout", {}).status == 303
    assert f.get().status == 303


def test_https(web):
    """S042: the same over TLS, with a __Host- cookie, and nothing older than TLS 1.2."""
    f = web.login(tls=True)
    assert f.cookie.startswith("__Host-lbd=") and "Secure" in f.first.headers["Set-Cookie"]
    r = f.get()
    assert r.status == 200
    assert r.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    for name, value in (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
                        ("Cross-Origin-Opener-Policy", "same-origin"), ("Cache-Control", "no-store")):
        assert r.headers[name] == value
    assert not re.search(rb"<script(?![^>]* src=)|style=|onclick|javascript:", r.body)
    pem = ssl.get_server_certificate(("127.0.0.1", web.https))
    assert pem.strip() == (web.root / "var/lib/lbd/panel-cert.pem").read_text().strip()
    context = ssl.create_default_context(cafile=web.root / "var/lib/lbd/panel-cert.pem")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", web.https)), server_hostname="localhost") as s:
        assert s.version() in ("TLSv1.2", "TLSv1.3")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        old.wrap_socket(socket.create_connection(("127.0.0.1", web.https)), server_hostname="localhost")
    for name in ("panel-key.pem", "initial-password"):
        assert stat.S_IMODE((web.root / "var/lib/lbd" / name).stat().st_mode) == 0o600


def test_plain_http_is_for_this_machine(web, api):
    """S042: from elsewhere 9080 only leads to 9443, unless switched on."""
    here = next((i["address"].split("/")[0] for i in api("GET", "/interfaces").json["items"]
                 if i["name"] != "lo" and ":" not in i["address"]), None)
    if here is None:
        pytest.skip("this machine has no address but the loopback's")
    c = http.client.HTTPConnection(here, web.http, timeout=10, source_address=(here, 0))
    c.request("GET", "/?open=web", headers={"Host": f"{here}:{web.http}"})
    r = c.getresponse()
    assert r.status == 308 and r.headers["Location"] == f"https://{here}:{web.https}/?open=web"
    r.read()
    c.request("GET", "/", headers={"Host": "evil\" onload"})
    r = c.getresponse()
    assert r.status == 400
    r.read()
    assert api("PATCH", "/settings", {"http_open": True}).status == 200

    def open_():
        c2 = http.client.HTTPConnection(here, web.http, timeout=10, source_address=(here, 0))
        c2.request("GET", "/login")
        return c2.getresponse().status == 200
    wait_until(open_)
    assert api("PATCH", "/settings", {"http_open": None}).status == 200


def test_ports_change_live(web, api):
    """A port that is changed is answered at once, the other one goes on; one that is taken is refused in words."""
    https = web.https
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen(1)
        assert api("PATCH", "/settings", {"https_port": taken.getsockname()[1]}).status == 200
        wait_until(lambda: "cannot be listened on" in web.text())
        assert web.raw("GET", "/login", tls=True).status == 200  # the old one goes on
    web.https = free_port("127.0.0.1")
    assert api("PATCH", "/settings", {"https_port": web.https}).status == 200
    wait_until(lambda: web.raw("GET", "/login", tls=True).status == 200)
    assert api("GET", "/status").status == 200
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", https), 2).close()


def test_limits(web, api):
    """Long bodies, long paths and deep nesting are refused, and the connection count does not grow for ever."""
    r = web.raw("PUT", "/api/v1/vips/x", b"x", {**api.headers, "Content-Type": "application/json",
                                                 "Content-Length": str(9 << 20)})
    assert r.status == 413
    assert web.raw("POST", "/login", b"a=" + b"x" * 70000,
                   {"Content-Type": "application/x-www-form-urlencoded"}).status == 413
    problem(api("PUT", "/vips/x", '{"a":' + "[" * 40 + "]" * 40 + "}"), 400, "too deep")
    assert web.raw("GET", "/" + "a" * 9000).status in (0, 404, 414)
    problem(api("GET", "/vips/" + "a" * 70), 404, "63")
    for path in ("//", "/a//b", "/%00", "/%ff", "/../etc", "/?%zz"):
        assert web.raw("GET", path).status == 400, path
    assert web.raw("BREW", "/").status == 405
    with socket.create_connection(("127.0.0.1", web.http)) as s:
        s.sendall(b"GET /api/v1/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b""))
    assert b" 400 " in text.split(b"\r\n")[0]
    json.loads(text.split(b"\r\n\r\n", 1)[1])
    r = api("GET", "/checks", headers={"Accept": b"\xff"})
    assert r.status == 406 and r.json["detail"].endswith("?")


def test_log_is_not_forged(web, api):
    """What anybody types stays within its line of the log."""
    assert web.login("eve\n2026-01-01 lbd-web: forged", "x" * 9, source="127.0.0.67").first.status == 401
    api("PUT", "/checks/forge", {}, message="line\nforged too")
    assert not [line for line in web.text().splitlines() if line.startswith(("2026-01-01", "forged"))]


def test_brake(web, api):
    """Guessing grows slow, and says so; a token is not hindered."""
    assert api("PUT", "/users/mallory", {"password": "long enough 1"}).status == 201
    wait_until(lambda: api("GET", "/users/mallory").status == 200)
    there = "127.0.0.66"
    assert web.login("mallory", "wrong", source=there).first.status == 401

    def braked():
        """Each attempt that is looked at doubles the time: now for as long as a busy machine needs for the next two."""
        r = web.login("mallory", "wrong", source=there).first
        return r.status == 429 and int(r.headers["Retry-After"]) >= 2
    wait_until(braked, what="429 for two seconds")
    assert int(web.login("mallory", "long enough 1", source=there).first.headers["Retry-After"]) >= 1
    assert web.login(source=there).first.status == 429  # the source, whoever it says it is
    assert web.login().first.status == 303
    assert api("GET", "/status").status == 200
    assert re.search(r"log-in failed \(user mallory\)", web.text())


def test_events(web, api):
    """What happens is told as server-sent events; a stream goes on where it was, or is told that it cannot."""
    c = http.client.HTTPConnection("127.0.0.1", web.http, timeout=15)
    c.request("GET", "/api/v1/events", headers=api.headers)
    r = c.getresponse()
    assert r.status == 200 and r.headers["Content-Type"].startswith("text/event-stream")
    api("PUT", "/checks/told", {}, message="look here")
    text = b""
    while b"config.revision" not in text or not text.endswith(b"\n\n"):
        text += r.read1(4096)
    c.close()
    event = json.loads(re.search(rb"data: (\{.*config\.revision.*\})", text)[1])
    assert event["reason"] == "token/t-admin from api 127.0.0.1: look here"
    seq = int(re.search(rb"id: (\d+)\nevent: config.revision", text)[1])
    assert event["seq"] == seq

    def from_(last):
        c2 = http.client.HTTPConnection("127.0.0.1", web.http, timeout=15)
        c2.request("GET", "/api/v1/events", headers={**api.headers, "Last-Event-ID": str(last)})
        got, r2 = b"", c2.getresponse()
        while got.count(b"\n\n") < 2:
            got += r2.read1(65536)
        c2.close()
        return got
    assert f"id: {seq}\n".encode() in from_(seq - 1)
    assert b"event: reset" in from_(10 ** 9)
    kept = api("GET", "/events", headers={"Accept": "application/json"}).json["items"]
    assert kept[-1]["type"] == "config.revision" and [e["seq"] for e in kept] == sorted(e["seq"] for e in kept)
    lines = web.ctl("events", "-o", "json").stdout
    assert "look here" in lines


def test_stream_ends_with_its_right(web, api):
    """A stream does not outlive the token or the session that opened it."""
    key = api("PUT", "/tokens/brief", {"role": "viewer"}).json["key"]
    wait_until(lambda: Api(web, key)("GET", "/status").status == 200)
    form, streams = web.login(), []
    for headers in ({"Authorization": f"Bearer {key}"}, {"Cookie": form.cookie}):
        c = http.client.HTTPConnection("127.0.0.1", web.http, timeout=30)
        c.request("GET", "/api/v1/events", headers=headers)
        streams.append(c.getresponse())
    form.post("/logout", {})
    assert api("DELETE", "/tokens/brief").status == 204
    for r in streams:
        assert r.status == 200
        r.read()  # to its end


def test_stream_caps(web):
    """Four streams a session; more are refused for the moment."""
    f = web.login()
    open_ = []
    for i in range(5):
        c = http.client.HTTPConnection("127.0.0.1", web.http, timeout=15)
        c.request("GET", "/ui/events", headers={"Cookie": f.cookie})
        open_.append((c, c.getresponse()))
    assert [r.status for _, r in open_] == [200] * 4 + [503]
    assert open_[4][1].headers["Retry-After"] == "10"
    for c, _ in open_:
        c.close()


def test_openapi_is_what_there_is(web, api):
    """Every path that is described answers something else than 404 to its methods, and needs no log-in to be read."""
    doc = json.loads(web.raw("GET", "/api/v1/openapi.json").body)
    assert doc["openapi"] == "3.1.0"
    for path, item in doc["paths"].items():
        methods = {m.upper() for m in item if m != "parameters"}
        r = api("OPTIONS", path.replace("/api/v1", "", 1).replace("{", "").replace("}", "")) if path != "/metrics" else None
        if r is not None:
            assert methods <= set(r.headers["Allow"].split(", ")), (path, methods, r.headers["Allow"])
    vip = doc["components"]["schemas"]["vip"]
    assert vip["properties"]["max_conns"]["maximum"] == 10000000 and "address" in doc["components"]["schemas"]["rip"]["required"]
    assert api("PUT", "/vips/described", {"address": "127.0.0.9", "ports": "8090"}).status == 201
    wait_until(lambda: api("GET", "/vips/described").status == 200, what="the service")
    assert set(api("GET", "/vips/described").json) == set(vip["properties"])
    assert api("DELETE", "/vips/described").status == 204


def test_first_password(tmp_path):
    """One password is made for the first log-in, its place is logged, and the file goes when it changes."""
    w = Web(tmp_path / "w")
    w.start()
    try:
        first, file = w.password, w.root / "var/lib/lbd/initial-password"
        assert re.fullmatch(r"[0-9A-Za-z]{20}", first)
        assert first not in w.text() and str(file) in w.text()
        assert w.ctl("history").stdout.count("setup") == 1
        assert w.kill("lbd-web") != 0
        w.start("lbd-web")
        assert w.password == first and w.login().first.status == 303
        w.ctl("user", "passwd", "admin", "--stdin", input="another password\n")
        wait_until(lambda: not file.exists())
        assert w.login(password=first).first.status == 401
        assert w.login(password="another password").first.status == 303
        config = (w.root / "var/lib/lbd/config.db").read_bytes()
        assert first.encode() not in config and b"another password" not in config
    finally:
        w.stop()


def test_handed_sockets(tmp_path):
    """A socket of systemd (LISTEN_FDS) is answered beside the port of the settings."""
    w = Web(tmp_path / "w")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(16)
        port = s.getsockname()[1]

        # LISTEN_PID must be that of lbd-web: a launcher sets it and becomes lbd-web.
        launcher = tmp_path / "launch.py"
        launcher.write_text("import os, sys\nos.environ['LISTEN_PID'] = str(os.getpid())\nos.execv(sys.argv[1], sys.argv[1:])\n")
        p = subprocess.Popen(["python3", launcher, BIN / "lbd-web", "--root", w.root], pass_fds=(), close_fds=False,
                             preexec_fn=lambda: (os.dup2(s.fileno(), 3), os.set_inheritable(3, True)),
                             env=dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES="http"),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def answers():
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                c.request("GET", "/login")
                return c.getresponse().status == 200
            wait_until(lambda: w.raw("GET", "/login").status == 200)
            assert wait_until(answers)
        finally:
            p.terminate()
            assert p.wait(20) == 0
