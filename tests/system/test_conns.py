"""Connections and persistence over REST, as far as the proxy has them; what the kernel has is in tests/kernel/test_conns.py."""
import pytest

from lbdtest import ADDRESS, Origin, wait_until
from lbdweb import Web


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    w, o = Web(tmp_path_factory.mktemp("web"), "lbd-proxy"), Origin("a")
    w.start()
    w.bytes = w.vip("bytes", o, mode="tcp")
    ask = w.api("viewer")
    wait_until(lambda: ask("GET", "/connections").status == 200, what="the panel's link to lbd-proxy")
    yield w
    w.stop()
    o.close()


@pytest.fixture(scope="module")
def api(web):
    return web.api("operator")


def listed(api, **query):
    """The answer, once the panel has its links; one that broke comes again within two seconds."""
    return wait_until(lambda: (r := api("GET", "/connections", **query)).status == 200 and r, what="connections")


def test_connections(web, api):
    """S202: protocol, expire, state, source, virtual and destination of each, names of service and server, filters."""
    with web.bytes.connect() as s:
        me = "%s:%d" % s.getsockname()
        at = ADDRESS.rpartition(".")[0]
        row = wait_until(lambda: [r for r in listed(api).json["items"] if r["source"] == me and r["state"].upper() != "CONNECT"],
                         what="the connection, with its server")[0]
        assert (row["vip"], row["rip"], row["layer"], row["protocol"], row["expire_s"]) == ("bytes", "bytes/a", 7, "TCP", None)
        assert row["virtual"] == f"{web.bytes.address}:{web.bytes.port}" and row["destination"].startswith("127.")
        assert row["state"] and row["age_us"] >= 0
        host = me.partition(":")[0]
        for query, found in (({"vip": "bytes"}, 1), ({"rip": "bytes/a"}, 1), ({"client": host}, 1), ({"client": "10.77.0.0/16"}, 0),
                             ({"client": "127.0.0.0/8"}, 1), ({"state": row["state"].upper()}, 1), ({"state": "SYN_RECV"}, 0)):
            r = listed(api, **query)
            assert len([x for x in r.json["items"] if x["source"] == me]) == found, (query, r.json, at)
        with web.bytes.connect():
            r = wait_until(lambda: len(listed(api).json["items"]) >= 2 and listed(api, limit=1), what="two")
            assert len(r.json["items"]) == 1 and r.json["more"] is True
        assert listed(api).json["away"] == ["lbd-ipvs"]


def test_killed(web, api):
    """A166: the API resets one connection, those of a client, of a server; viewers may not, and nothing named is refused."""
    def mine(s):
        me = "%s:%d" % s.getsockname()
        return wait_until(lambda: [r for r in listed(api).json["items"] if r["source"] == me and r["state"] == "tunnel"], what=me)[0]

    def is_reset(s):
        try:
            return s.recv(1) is None
        except ConnectionResetError:
            return True
    with web.bytes.connect() as one, web.bytes.connect() as two:
        ids = mine(one)["id"], mine(two)["id"]
        assert web.api("viewer")("DELETE", "/connections", id=ids[0]).status == 403
        r = api("DELETE", "/connections", id=ids[0])
        assert r.status == 200 and r.json == {"killed": 1} and is_reset(one)
        assert mine(two)["id"] == ids[1]
        assert api("DELETE", "/connections", client="10.77.0.0/16").json == {"killed": 0}
        assert api("DELETE", "/connections", vip="bytes", client=two.getsockname()[0]).json["killed"] == 1 and is_reset(two)
    for query, status, words in (({}, 400, "must say which"), ({"id": "x"}, 422, "2:1234"),
                                 ({"client": "x"}, 400, "neither an address nor")):
        r = api("DELETE", "/connections", **query)
        assert r.status == status and words in r.json["detail"], r.json


def test_bad_questions(web, api):
    """Each names the word, the value and what is allowed."""
    for query, words in (({"vip": "nix"}, "vip: nix"), ({"rip": "bytes/z"}, "rip: bytes/z"), ({"client": "10.0.0.1/8"}, "client: 10.0.0.1/8"),
                         ({"limit": "0"}, "1 to 100000"), ({"state": "x" * 30}, "state")):
        r = api("GET", "/connections", **query)
        assert r.status == 400 and words in r.json["detail"], r.json
    assert web.api("viewer")("DELETE", "/persistence").status == 403


def test_persistence(web, api):
    """S092: who is kept where, and cleared for one client."""
    web.ctl("set", "vip", "bytes", "persistence=source")
    with web.bytes.connect() as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        s.recv(1000)
        host = s.getsockname()[0]
    row = wait_until(lambda: api("GET", "/persistence").json["items"], what="the entry")[0]
    assert (row["vip"], row["rip"], row["client"]) == ("bytes", "bytes/a", host) and 0 < row["expire_s"] <= 1800
    assert api("GET", "/persistence", client="10.77.0.1").json["items"] == []
    r = api("DELETE", "/persistence", vip="bytes", client="10.77.0.1")
    assert r.status == 404 and "client: 10.77.0.1 is kept at no server" in r.json["detail"]
    r = api("DELETE", "/persistence", vip="bytes", client=host)
    assert r.status == 200 and r.json == {"forgotten": 1}
    assert api("GET", "/persistence").json["items"] == []


def test_nobody_there(web, api):
    """Both daemons away: said, not an empty list."""
    web.kill("lbd-proxy")
    r = wait_until(lambda: (r := api("GET", "/connections")).status == 503 and r, what="503")
    assert "neither" in r.json["detail"]
    web.start("lbd-proxy")
