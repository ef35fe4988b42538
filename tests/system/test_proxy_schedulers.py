"""Ways to choose a server beyond wlc and wrr, one test each; slow start, backup servers, panic threshold, elastic limits."""
import collections
import contextlib
import os
import threading
import time

import pytest

from lbdtest import Lbd, Origin, Reader, free_port, get, http_answer, wait_until
from test_proxy_balance import near, shares

WORKERS = len(os.sched_getaffinity(0))
# Quick, and yet a busy machine does not make a server fail: two answers in a row would have to be a second late.
FAST = ("kind=http", "path=/check", "interval=1s", "fast=300ms", "slow=300ms", "timeout=1s",
        "rise=1", "fall=2")


class Held:
    """Origins that do not answer before the test is over, and requests that wait for them."""

    def __init__(self):
        self.stack, self.open = contextlib.ExitStack(), threading.Event()

    def origins(self, *names):
        made = [self.stack.enter_context(Origin(n)) for n in names]
        for o in made:
            o.answer = self.answer
        return made

    def answer(self, _):
        self.open.wait(120)
        return http_answer()

    def send(self, vip, path="/"):
        s = self.stack.enter_context(vip.connect())
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def close(self):
        self.open.set()
        self.stack.close()


@pytest.fixture()
def held(closing):
    return closing(Held())


def at(*origins):
    return [len(o.requests) for o in origins]


def fill(held, vip, origins, n, paths=lambda i: "/"):
    """Requests one after the other, each at its server before the next one comes."""
    for i in range(n):
        before = sum(at(*origins))
        held.send(vip, paths(i))
        wait_until(lambda: sum(at(*origins)) == before + 1, what="the request is at a server")
    return at(*origins)


# ---- by the servers alone -------------------------------------------------------------------


def test_rr(lb, origins):
    """A036: round robin looks at no weight but 0."""
    vip = lb.vip("rr", *origins("a", "b", "c"), scheduler="rr")
    lb.ctl("set", "rip", "rr/b", "weight=1")
    lb.ctl("set", "rip", "rr/c", "weight=0")
    wait_until(lambda: set(shares(vip, 6)) == {"a", "b"}, what="weight 0 takes nothing")
    assert near(shares(vip), a=30, b=30)


def test_lc(lb, held):
    """A036: least connections looks at no weight but 0: what is open is even."""
    made = held.origins("a", "b")
    vip = lb.vip("lc", *made, scheduler="lc", enabled="no", wait=False)
    lb.ctl("set", "rip", "lc/b", "weight=1")
    lb.ctl("enable", "lc")
    wait_until(lambda: can_connect(vip))
    assert fill(held, vip, made, 20) == [10, 10]


def can_connect(vip):
    try:
        vip.connect().close()
    except OSError:
        return False
    return True


def test_twos(lb, held):
    """A036: of two random servers the less loaded: nobody has much more than the others, weights count."""
    made = held.origins("a", "b", "c", "d")
    vip = lb.vip("twos", *made[:3], scheduler="twos", enabled="no", wait=False)
    lb.rip(vip, "d", made[3].port, weight=200)
    lb.ctl("enable", "twos")
    wait_until(lambda: can_connect(vip))
    got = fill(held, vip, made, 50)
    assert all(5 <= n <= 15 for n in got[:3]) and 15 <= got[3] <= 27, got


def test_first(lb, held):
    """A036: one server after the other is filled; who finds all full waits."""
    made = held.origins("a", "b", "c")
    vip = lb.vip("first", scheduler="first")
    for o, most in zip(made, (3, 2, 1)):
        lb.rip(vip, o.name, o.port, max_conns=most)
    assert fill(held, vip, made, 4) == [3, 1, 0]
    assert fill(held, vip, made, 2) == [3, 2, 1]
    held.send(vip)
    wait_until(lambda: lb.json("stats", "first")[0]["queue"] == 1, what="it waits")
    assert "max_conns" in lb.ctl("set", "rip", "first/b", "max_conns=0", check=False).stderr


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_least_time(lb, origins, mode):
    """A038: the slower server gets fewer requests; when it becomes the quicker one it gets more."""
    a, b = origins("a", "b")
    pause = {"a": 0.0, "b": 0.4}  # far from what a busy machine adds to both

    def slowly(request):
        time.sleep(pause[request["server"]])
        return http_answer(b"", "200 OK", f"X-Server: {request['server']}")
    a.answer = b.answer = slowly
    vip = lb.vip(f"time-{mode}", a, b, scheduler="least_time", mode=mode)
    got = shares(vip, 40)
    assert got["a"] > 3 * got["b"] > 0, got
    pause.update(a=0.6, b=0.0)
    wait_until(lambda: shares(vip, 5) == {"b": 5}, 30, what="the other one is quicker now")


# ---- by a key -------------------------------------------------------------------------------


def ask(path="/", headers=(), source=None):
    return lambda vip: get(vip, path, headers, source=source).server


KEYS = {  # scheduler: (fields, the request of key i with other parts by j, one without a key or None)
    "path": ({}, lambda i, j: ask(f"/p{i}?x={j}"), None),
    "uri": ({}, lambda i, j: ask(f"/p?x={i}", [("X-Other", str(j))]), None),
    "url_param": ({"hash_key": "id"}, lambda i, j: ask(f"/{j}?a={j}&id=k{i}&b={j}"), ask("/?idx=1")),
    "header": ({"hash_key": "X-User"}, lambda i, j: ask(f"/{j}", [("x-user", f"u{i}")]), ask("/")),
    "sh": ({}, lambda i, j: ask(f"/{j}", source=f"127.0.3.{i + 1}"), None),
}


@pytest.mark.parametrize("scheduler", KEYS)
def test_hash(lb, origins, scheduler):
    """A036: a key keeps its server whatever else a request has; keys are spread over all servers; when one goes only its keys
    move, and they come back with it; a request without the key is balanced by turns."""
    fields, key, without = KEYS[scheduler]
    made = origins("a", "b", "c", "d")
    vip = lb.vip(f"by-{scheduler}", *made, scheduler=scheduler, **fields)

    def where(j):
        return [key(i, j)(vip) for i in range(60)]
    first = where(1)
    assert where(2) == first
    count = collections.Counter(first)
    assert set(count) == set("abcd") and max(count.values()) < 35, count
    lb.ctl("halt", f"{vip.name}/b")
    wait_until(lambda: "b" not in where(3), what="b is halted")
    then = where(4)
    assert [x for x in zip(first, then) if x[0] != x[1] and x[0] != "b"] == []
    assert len({y for x, y in zip(first, then) if x == "b"}) > 1
    lb.ctl("online", f"{vip.name}/b")
    wait_until(lambda: where(5) == first, what="b has its keys again")
    if without:
        assert near(collections.Counter(without(vip) for _ in range(40)), a=10, b=10, c=10, d=10)


def test_hash_tcp_source(lb, origins):
    """A036: source hash of TCP connections."""
    vip = lb.vip("sh-tcp", *origins("a", "b", "c"), scheduler="sh", mode="tcp")
    first = [get(vip, source=f"127.0.4.{i + 1}").server for i in range(30)]
    assert set(first) == set("abc")
    assert [get(vip, source=f"127.0.4.{i + 1}").server for i in range(30)] == first


def test_bounded_load(lb, held):
    """A037: with a balance factor a hot key fills its server to that share, and the next in its order."""
    made = held.origins("a", "b", "c", "d")
    vip = lb.vip("hot", *made, scheduler="path", balance_factor=150)
    assert sorted(fill(held, vip, made, 16)) == [0, 4, 6, 6]
    lb.ctl("set", "vip", "hot", "balance_factor=0")

    def to_one_alone():
        before = at(*made)
        return [y - x for x, y in zip(before, fill(held, vip, made, 5))].count(5) == 1
    wait_until(to_one_alone, what="no bound any more")


# ---- RDP ------------------------------------------------------------------------------------


def rdp(variable):
    """A TPKT with an X.224 connection request."""
    n = 11 + len(variable)
    return bytes([3, 0, n >> 8, n & 255, n - 5, 0xe0, 0, 0, 0, 0, 0]) + variable


def serve_rdp(c, origin):
    """Sends back its name and the first packet that it got."""
    r = Reader(c)
    head = r.exactly(4)
    if head is None:
        return
    rest = r.exactly((head[2] << 8 | head[3]) - 4)
    c.sendall(origin.name.encode() + head + rest)


def connect_rdp(vip, data, pieces=1):
    with vip.connect() as s:
        step = -(-len(data) // pieces)
        for i in range(0, len(data), step):
            s.sendall(data[i:i + step])
        answer = Reader(s).exactly(1 + len(data))
    assert answer[1:] == data
    return chr(answer[0])


def test_rdp_cookie(lb, closing):
    """A036: the user of an RDP connection decides, however its first packet is cut; without a user it is balanced by turns."""
    made = [closing(Origin(n, handle=serve_rdp)) for n in "abc"]
    vip = lb.vip("rdp", *made, scheduler="rdp_cookie", mode="tcp")
    user = [rdp(f"Cookie: mstshash=user{i}\r\n\x01\x00\x08\x00\x03\x00\x00\x00".encode()) for i in range(30)]
    first = [connect_rdp(vip, u) for u in user]
    assert set(first) == set("abc")
    assert [connect_rdp(vip, u, 3) for u in user] == first
    none = rdp(b"Cookie: msts=3640205228.15629.0000\r\n")
    assert near(collections.Counter(connect_rdp(vip, none) for _ in range(30)), a=10, b=10, c=10)


def test_rdp_cookie_waits_no_longer_than(lb, closing):
    """A036: a client that sends no first packet holds no server, and is let go after the request timeout."""
    a = closing(Origin("a", handle=serve_rdp))
    vip = lb.vip("rdp-slow", a, scheduler="rdp_cookie", mode="tcp", request_timeout="300ms")
    for start in b"", rdp(b"Cookie: mstshash=x\r\n")[:9]:
        with vip.connect() as s:
            s.sendall(start)
            with contextlib.suppress(ConnectionError):
                assert s.recv(10) == b""
    assert a.accepted == 0
    assert connect_rdp(vip, rdp(b"Cookie: mstshash=x\r\n")) == "a"


# ---- who takes part -------------------------------------------------------------------------


@pytest.fixture()
def node(tmp_path, closing):
    """A node whose checks ask for /check, and origins that can be made to fail them while they serve."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-check", "lbd-proxy"))
    lb.ctl("create", "check", "fast", *FAST)
    lb.bad = set()

    def answer(request):
        name = request["server"]
        bad = request["target"] == "/check" and name in lb.bad
        return http_answer(b"", "500 Oh" if bad else "200 OK", f"X-Server: {name}")
    lb.made = {n: closing(Origin(n)) for n in "abcd"}
    for o in lb.made.values():
        o.answer = answer
    return lb


def until_shares(vip, names, n=12):
    wait_until(lambda: set(shares(vip, n)) == set(names), 20, what=f"all of {names} and nobody else")


def test_slow_start(node):
    """A039: a server that came back begins with next to nothing, and has its share after the time."""
    vip = node.vip("web", *list(node.made.values())[:2], check="fast", scheduler="wrr", slow_start="1h", enabled="no")
    node.ctl("enable", "web")
    node.start()
    wait_until(lambda: can_connect(vip))
    assert near(shares(vip, 20), a=10, b=10)  # at the start nobody came back
    node.bad.add("b")
    until_shares(vip, "a")
    node.bad.clear()
    wait_until(lambda: state(node, "web/b") == "up", what="b is fit again")
    got = shares(vip, 60)
    assert "rip web/a: down" not in node.text()  # else it would begin anew too
    assert got["b"] <= WORKERS, node.text()
    node.ctl("set", "vip", "web", "slow_start=1s")
    wait_until(lambda: near(shares(vip, 20), a=10, b=10), what="b has its share")


def state(lb, rip):
    vip, name = rip.split("/")
    return next(r["status"]["state"] for r in lb.json("get", "rip", f"{vip}/") if r["name"] == name)


def test_backup(node):
    """A042: backup servers take clients only while no other server is fit, then all of them."""
    vip = node.vip("web", check="fast", scheduler="wrr")
    for name, o in node.made.items():
        node.rip(vip, name, o.port, backup="yes" if name in "cd" else "no")
    node.start()
    until_shares(vip, "ab")
    node.bad.add("a")
    until_shares(vip, "b")
    node.bad.add("b")
    until_shares(vip, "cd")
    assert near(shares(vip, 20), c=10, d=10)
    node.bad.discard("a")
    until_shares(vip, "a")
    node.ctl("drain", "web/a")
    until_shares(vip, "cd")


def test_panic(node):
    """A045: when less than the threshold is fit, all servers are used; at the threshold only those that are fit."""
    vip = node.vip("web", *node.made.values(), check="fast", scheduler="wrr", panic="50%")
    node.start()
    until_shares(vip, "abcd")
    node.bad.update("ab")
    until_shares(vip, "cd")
    node.bad.add("c")
    wait_until(lambda: state(node, "web/c") == "down")
    until_shares(vip, "abcd")
    node.ctl("set", "vip", "web", "panic=25%")
    until_shares(vip, "d")
    node.bad.add("d")
    wait_until(lambda: state(node, "web/d") == "down")
    until_shares(vip, "abcd")


def test_zones(node):
    """A045: servers of the node's own zone are preferred while one is fit and has room; each node has its zone."""
    vip = node.vip("web", check="fast", scheduler="wrr")
    for name, o in node.made.items():
        node.rip(vip, name, o.port, zone={"a": "east", "b": "west", "c": "west", "d": ""}[name])
    node.start()
    until_shares(vip, "abcd")
    node.ctl("set", "node", "main", "zone=east")
    until_shares(vip, "ad")
    node.ctl("set", "node", "main", "zone=west")
    until_shares(vip, "bcd")
    node.bad.update("bd")
    until_shares(vip, "c")
    node.bad.add("c")
    until_shares(vip, "a")
    node.bad.clear()
    node.ctl("unset", "node", "main", "zone")
    until_shares(vip, "abcd")


def test_zone_is_full(lb, held):
    """A045: when the servers of the own zone are full those of others take the rest."""
    made = held.origins("a", "b")
    lb.ctl("set", "node", "main", "zone=here")
    try:
        vip = lb.vip("zones", scheduler="wlc")
        lb.rip(vip, "a", made[0].port, zone="here", max_conns=3)
        lb.rip(vip, "b", made[1].port, zone="there", max_conns=2)
        assert fill(held, vip, made, 3) == [3, 0]
        assert fill(held, vip, made, 2) == [3, 2]
    finally:
        lb.ctl("unset", "node", "main", "zone")


def test_retries_at_once(lb, held):
    """A044: more retries at once than retries_max are answered at once and counted; what is not retried is not affected."""
    b, = held.origins("b")
    vip = lb.vip("retry", scheduler="first", retries_max=1)
    lb.rip(vip, "dead", free_port(), max_conns=100)
    lb.rip(vip, "b", b.port, max_conns=100)
    fill(held, vip, [b], 1)  # refused by the first, and waits at the second
    assert get(vip).status == 503
    row = lb.json("stats", "retry")[0]
    assert (row["retries"], row["refused_total"]) == (1, 1)
    held.open.set()
    wait_until(lambda: get(vip).status == 200, what="the one that was retried is answered")


def test_min_conns(lb, held):
    """A040: with min_conns the limit of a server follows the load of its service, from the least to the most."""
    a, = held.origins("a")
    vip = lb.vip("elastic", queue_max=100)
    lb.rip(vip, "a", a.port, max_conns=20, min_conns=2)

    def settles(here, wait):
        wait_until(lambda: (at(a), lb.json("stats", "elastic")[0]["queue"]) == ([here], wait), what=f"{here} and {wait}")
    for _ in range(12):  # of 120 that would fit
        held.send(vip)
    settles(2, 10)
    for _ in range(48):
        held.send(vip)
    settles(10, 50)
    for _ in range(60):
        held.send(vip)
    settles(20, 100)
    assert get(vip).status == 503
    held.open.set()
    settles(120, 0)
