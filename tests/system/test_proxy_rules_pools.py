"""Content rules beyond a pool of their own: pools that a map names, who goes first in a queue, what client certificates say, and what
rules do with connections of mode tcp."""
import json
import socket
import ssl
import threading
import time

import pytest

from lbdtest import get, http_answer, wait_until
from test_proxy_rules import make, servers  # noqa: F401 (make is a fixture)
from test_proxy_tls import TLS13, Authority, ask, bring, connect, context, trust


def status_of(lb, vip, rule):
    return next(r["counts"] for r in lb.json("get", "rule", f"{vip.name}/") if r["name"] == rule)


# ---- pools by name ----------------------------------------------------------------------------------------------------------

def test_pool_by_map(make, origins, lb):
    """A077: the pool is what a map says of the host; one that is off goes to the default, and is counted; pools come and go. What no
    map knows, as a name out of the request, is looked for when it comes."""
    a, b, late, other = origins("a", "b", "late", "other")
    lists = f"m{id(a)}"
    lb.ctl("create", "list", lists, "kind=suffix")
    vip, own = make({"m": {"when": f"host in @{lists}", "action": "use", "pool_by": "{value}", "pool": "other", "order": 1},
                     "p": {"when": "param(to) exists", "action": "use", "pool_by": "{param(to)}", "order": 2}},
                    {"a": a, "b": b, "other": other})
    lb.ctl("list", "add", lists, f"a.example {vip.name}-a", f".b.example {vip.name}-b")

    def server(host, path="/"):
        return get(vip, path, {"Host": host}).server
    wait_until(lambda: all(server("a.example") == "a" for _ in range(8)), what="the map")
    assert server("X.B.Example:80") == "b"
    assert server("none.example") == "own"  # not in the map
    # Without a default the rule does not hold.
    assert server("none.example", f"/?to={vip.name}-b") == "b"
    assert server("none.example", "/?to=nothing") == "own"
    assert status_of(lb, vip, "p") == {"hits": 1, "unknown_pools": 1}
    got = json.loads(lb.ctl("rule", "try", vip.name, "http://x.b.example/", "-o", "json").stdout)
    assert got["outcome"]["pool"] == f"{vip.name}-b"
    # A pool that comes, goes off and on, and goes.
    lb.ctl("apply", "-f", "-", input=json.dumps({"vip": {f"{vip.name}-late": {"mode": "http", "rips": servers(late)}}}))
    lb.ctl("list", "add", lists, f"late.example {vip.name}-late")
    wait_until(lambda: all(server("late.example") == "late" for _ in range(8)), what="the pool that came")
    lb.ctl("set", "vip", f"{vip.name}-late", "enabled=no")
    wait_until(lambda: all(server("late.example") == "other" for _ in range(8)), what="it is off")
    before = status_of(lb, vip, "m")
    assert [server("late.example") for _ in range(3)] == ["other"] * 3
    now = status_of(lb, vip, "m")
    assert (now["hits"] - before["hits"], now["unknown_pools"] - before["unknown_pools"]) == (3, 3)
    got = json.loads(lb.ctl("rule", "try", vip.name, "http://late.example/", "-o", "json").stdout)
    assert got["outcome"]["pool"] == f"{vip.name}-other" and "there is none of" in got["rules"][0]["does"]
    lb.ctl("set", "vip", f"{vip.name}-late", "enabled=yes")
    wait_until(lambda: all(server("late.example") == "late" for _ in range(8)), what="it is on")
    lb.ctl("list", "del", lists, "late.example")
    lb.ctl("delete", "vip", f"{vip.name}-late", "--cascade", "-y")
    wait_until(lambda: server("late.example") == "own", what="it is gone")


# ---- priorities -------------------------------------------------------------------------------------------------------------

class Busy:
    """A server that holds its first request until it is told; says in which order the others come."""

    def __init__(self, origin):
        self.gate, self.order = threading.Event(), []
        origin.answer = self.answer

    def answer(self, q):
        self.order.append(q["target"])
        if len(self.order) == 1:
            assert self.gate.wait(60)
        return http_answer(b"ok")


def waiting(lb, vip):
    return sum(c["state"] == "queue" for c in lb.json("conns", vip.name))


def queue_up(lb, vip, requests):
    """One after the other, each when the one before waits."""
    threads = []
    for i, r in enumerate(requests):
        threads.append(threading.Thread(target=r, daemon=True))
        threads[-1].start()
        wait_until(lambda: waiting(lb, vip) == i + 1, what=f"{i + 1} wait")
    return threads


def test_priority(make, lb):
    """Item 3: requests that wait for the server are served by their priority, those of one in the order in which they came."""
    vip, own = make({"lo": {"when": "path under /lo", "action": "set_priority", "priority": 100, "order": 1},
                     "hi": {"when": "path under /hi", "action": "set_priority", "priority": -2047, "order": 2}},
                    queue_timeout="60s")
    lb.ctl("set", "rip", f"{vip.name}/own", "max_conns=1")
    busy = Busy(own)
    first = threading.Thread(target=get, args=(vip, "/first"), daemon=True)
    first.start()
    wait_until(lambda: busy.order == ["/first"], what="the server is busy")
    paths = ["/lo/1", "/mid/1", "/hi/1", "/lo/2", "/mid/2", "/hi/2"]
    threads = queue_up(lb, vip, [lambda p=p: get(vip, p) for p in paths])
    busy.gate.set()
    for t in (first, *threads):
        t.join(60)
        assert not t.is_alive()
    level = [p.split("/")[1] for p in busy.order]
    assert level == ["first", "hi", "hi", "mid", "mid", "lo", "lo"], busy.order


def test_priority_of_one_who_leaves(make, lb):
    """A client that does not wait any longer is no hole in the queue."""
    vip, own = make({"hi": {"when": "path is /hi", "action": "set_priority", "priority": -1}}, queue_timeout="60s")
    lb.ctl("set", "rip", f"{vip.name}/own", "max_conns=1")
    busy = Busy(own)
    first = threading.Thread(target=get, args=(vip, "/first"), daemon=True)
    first.start()
    wait_until(lambda: busy.order == ["/first"], what="the server is busy")
    gone = vip.connect()
    gone.sendall(b"GET /hi HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: waiting(lb, vip) == 1, what="it waits")
    second = threading.Thread(target=get, args=(vip, "/second"), daemon=True)
    second.start()
    wait_until(lambda: waiting(lb, vip) == 2, what="both wait")
    gone.close()
    wait_until(lambda: waiting(lb, vip) == 1, what="it left")
    busy.gate.set()
    for t in (first, second):
        t.join(60)
        assert not t.is_alive()
    assert busy.order == ["/first", "/second"]


# ---- mode tcp ---------------------------------------------------------------------------------------------------------------

def test_tcp_tarpit(make, lb):
    """The client waits, nothing reaches a server, and then it is reset; one that leaves is let go."""
    vip, own = make({"t": {"when": "src is 127.0.0.22", "action": "tarpit", "time": "500ms"},
                     "l": {"when": "src is 127.0.0.23", "action": "tarpit", "time": "60s"}}, mode="tcp")
    start = time.monotonic()
    with vip.connect(source="127.0.0.22") as s, pytest.raises(ConnectionResetError):
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        s.recv(100)
        pytest.fail("it was answered or closed, and not reset")
    assert time.monotonic() - start >= 0.5
    s = vip.connect(source="127.0.0.23")
    wait_until(lambda: lb.json("conns", vip.name), what="it is there")
    s.close()
    wait_until(lambda: not lb.json("conns", vip.name), what="it is gone")
    assert not own.accepted and get(vip).status == 200


def test_tcp_bandwidth(make):
    """A071: what goes to the server, and what comes from it, each by a rule of its own."""
    vip, own = make({"up": {"when": "src in 127.0.0.21, 127.0.0.22", "action": "limit_bandwidth", "rate": 1_000_000},
                     "down": {"when": "src in 127.0.0.22, 127.0.0.23", "action": "limit_bandwidth", "rate": 1_000_000,
                              "on": "answer"}}, mode="tcp")

    def serve(c, origin):  # takes all, says so, then sends as much
        size = int.from_bytes(c.recv(4, socket.MSG_WAITALL), "big")
        left = size
        while left and (got := c.recv(min(left, 65536))):
            left -= len(got)
        c.sendall(b"!" + b"x" * size)
    own.handle = serve
    size = 2_000_000

    def took(source):
        with vip.connect(timeout=30, source=source) as s:
            start = time.monotonic()
            s.sendall(size.to_bytes(4, "big") + b"y" * size)
            assert s.recv(1) == b"!"
            up, left = time.monotonic() - start, size
            while left:
                left -= len(s.recv(65536))
            return up, time.monotonic() - start - up
    up, down = took("127.0.0.21")
    assert up > 1.0 and down < up
    up, down = took("127.0.0.23")
    assert down > 1.0 and up < down
    up, down = took("127.0.0.22")
    assert up > 1.0 and down > 1.0


def test_tcp_priority_and_names(make, origins, lb):
    """In mode tcp too a queue goes by priority, and a name of TLS that is passed on is the name of a pool."""
    pool, = origins("pool")
    vip, own = make({"n": {"when": "src is 127.0.0.21", "action": "use", "pool_by": "{src}"},
                     "hi": {"when": "src is 127.0.0.22", "action": "set_priority", "priority": -5}}, mode="tcp",
                    queue_timeout="60s")
    assert get(vip, source="127.0.0.21").server == "own"  # no pool is called so
    lb.ctl("set", "rip", f"{vip.name}/own", "max_conns=1")
    order = []

    def serve(c, origin):
        order.append(c.recv(1).decode())
        c.recv(1)
    own.handle = serve

    def client(name, source):
        s = vip.connect(source=source)
        s.sendall(name.encode())
        return s
    first = client("1", "127.0.0.23")
    wait_until(lambda: order == ["1"], what="the server is busy")
    waits = []
    for i, (name, source) in enumerate((("2", "127.0.0.23"), ("3", "127.0.0.22"))):
        waits.append(client(name, source))
        wait_until(lambda: waiting(lb, vip) == i + 1, what="it waits")
    first.close()
    wait_until(lambda: order == ["1", "3"], what="the one with priority")
    waits[1].close()
    wait_until(lambda: order == ["1", "3", "2"], what="the other")
    waits[0].close()


# ---- certificates of clients --------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("people"), "people-root")


def test_certificates_and_sni(lb, origins, people, tmp_path):
    """A084: whether a client showed a certificate, whose, by whom, and the host that it named, decide in mode http."""
    o, = origins("o")
    pem, key = people.sign("site", "DNS:a.example.org", "DNS:b.example.org")
    lb.vip("rules-first")  # a configuration, so that lbd-proxy runs and can take keys
    bring(lb, "rules-site", pem, key)
    trust(lb, "rules-people", people)
    alice, bob = people.sign("alice"), people.sign("bob")
    serial = ssl._ssl._test_decode_cert(str(alice[0]))["serialNumber"]
    lb.ctl("create", "tls", "rules-tls", "cert=rules-site", "client_auth=optional", "client_ca=rules-people")
    vip = lb.vip("rules-cert", o, tls="rules-tls")
    for name, when in (("yes", "cert is yes"), ("no", "cert is no"), ("subject", "cert.subject is CN=alice"), ("cn", "cert.cn is alice"),
                       ("issuer", "cert.issuer contains people-root"), ("serial", f"cert.serial is {serial.lower()}"),
                       ("sni", "sni is B.example.org"), ("https", "scheme is https"), ("other", "cert.cn is bob or sni is c.example.org")):
        lb.ctl("create", "rule", f"rules-cert/{name}", f"when={when}", "action=set_header", f"header=X-{name}", "value={cert.cn}/{sni}")
    lb.ctl("create", "rule", "rules-cert/zz", "when=path is /ready", "action=return", "status=204")

    def met(cert, host="a.example.org", path="/"):
        with connect(vip, context(people, TLS13, cert), host) as s:
            line = ask(s, path)[0]
        if path != "/":
            return line
        return {n[2:].lower(): v for n, v in o.requests[-1]["fields"] if n.lower().startswith("x-") and n.lower() != "x-forwarded-for"}
    wait_until(lambda: all(" 204 " in met(None, path="/ready") for _ in range(8)), what="the rules")
    assert set(met(alice)) == {"yes", "subject", "cn", "issuer", "serial", "https"}
    assert met(alice)["cn"] == "alice/a.example.org"
    assert set(met(bob, "b.example.org")) == {"yes", "issuer", "sni", "https", "other"}
    assert set(met(None)) == {"no", "https"}
    assert met(None)["no"] == "/a.example.org"
