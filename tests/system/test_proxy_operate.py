"""Servers and services that come, change and go while traffic flows."""
import contextlib
import pathlib
import subprocess
import sys
import time

import pytest

from lbdtest import (ADDRESS, SLOW, Lbd, Load, Origin, Reader, Vip, client, die_with_parent, free_port, get, http_answer, listens,
                     talk, wait_until)


def state(lb, rip):
    """What lbctl says of a server: up, down, drain, halt or unknown."""
    vip, name = rip.split("/")
    return next(r["status"]["state"] for r in lb.json("get", "rip", f"{vip}/") if r["name"] == name)


def clean(load):
    """A load that ran without a single failure; its servers."""
    r = load.stop()
    assert not r["failed"], (len(r["failed"]), r["failed"][:5])
    return r["servers"]


def test_drain(lb, origins):
    """S191: a draining server gets no new clients, keeps those it has, and comes back with online."""
    a, b = origins("a", "b")
    vip = lb.vip("drain", a, b, mode="tcp")
    held = [vip.connect() for _ in range(4)]
    for s in held:
        s.sendall(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
    names = [s.recv(65536) for s in held]
    lb.ctl("drain", "drain/a")
    wait_until(lambda: [get(vip).server for _ in range(6)] == ["b"] * 6)
    for s, first in zip(held, names):
        s.sendall(b"GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        again = s.recv(65536)
        assert (b"X-Server: a" in again) == (b"X-Server: a" in first)
    for s in held:
        s.close()
    lb.ctl("online", "drain/a")
    wait_until(lambda: {get(vip).server for _ in range(6)} == {"a", "b"})


def test_drain_keeps_known_clients(lb, origins):
    """S191: clients that belong to a draining server by their cookie still reach it; new ones do not."""
    vip = lb.vip("drain-cookie", *origins("a", "b"), persistence="cookie")
    known = wait_until(lambda: (lambda x: x if x.server == "a" else None)(get(vip)))
    cookie = known.headers["Set-Cookie"].split(";")[0]
    lb.ctl("drain", "drain-cookie/a")
    wait_until(lambda: {get(vip).server for _ in range(6)} == {"b"})
    assert {get(vip, headers={"Cookie": cookie}).server for _ in range(6)} == {"a"}


def test_drain_timeout_cuts(lb, origins):
    """S192: after the drain timeout what is left is cut."""
    a, = origins("a")
    vip = lb.vip("drain-cut", a, mode="tcp")
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in s.recv(65536)
        start = time.monotonic()
        lb.ctl("drain", "drain-cut/a", "--timeout", "1s")
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100) == b""
        assert 0.9 < time.monotonic() - start < 5 * SLOW
    lb.ctl("online", "drain-cut/a")


def test_halt(lb, origins):
    """S193: halt cuts what a server has at once, and sends it nobody; online undoes it."""
    a, b = origins("a", "b")
    vip = lb.vip("halt", a, b, mode="tcp", scheduler="wrr")
    held = [vip.connect() for _ in range(4)]
    for s in held:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    mine = [s for s in held if b"X-Server: a" in s.recv(65536)]
    assert mine
    lb.ctl("halt", "halt/a")
    for s in mine:
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100) == b""
    assert {get(vip).server for _ in range(6)} == {"b"}
    lb.ctl("online", "halt/a")
    wait_until(lambda: {get(vip).server for _ in range(6)} == {"a", "b"})
    for s in held:
        s.close()


def test_halt_grace(lb, origins):
    """S193: with a grace connections end only after it."""
    vip = lb.vip("grace", *origins("a"), mode="tcp")
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in s.recv(65536)
        start = time.monotonic()
        lb.ctl("halt", "grace/a", "--grace", "1s")
        assert talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100) == b""
        assert time.monotonic() - start > 0.7


def test_orders_survive_restart(tmp_path, origins, closing):
    """S190: drain and halt are kept over a restart of lbd-proxy."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy"))
    vip = lb.vip("web", *origins("a", "b", "c"))
    lb.start()
    lb.ctl("drain", "web/a")
    lb.ctl("halt", "web/b")
    wait_until(lambda: {get(vip).server for _ in range(6)} == {"c"})
    lb.stop()
    lb.start()
    assert {get(vip).server for _ in range(6)} == {"c"}


@pytest.mark.parametrize("drop", ["yes", "no"])
def test_drop_on_failure(tmp_path, closing, drop):
    """S194: with drop_on_failure the open connections of a server whose check fails are reset at once; without it
    they stay."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-check", "lbd-proxy"))
    fit = [True]

    def serve(c, origin):
        r = Reader(c)
        while head := r.head():
            if "/check" in head[0]:
                c.sendall(http_answer(b"", "200 OK" if fit[0] else "500 Out"))
            else:
                c.sendall(http_answer(b"hello"))
    o = closing(Origin("a", serve))
    lb.ctl("create", "check", "page", "kind=http", "path=/check", "status=200", "interval=500ms", "timeout=500ms",
           "rise=1", "fall=2")
    vip = lb.vip("web", o, mode="tcp", drop_on_failure=drop, check="page")
    lb.start()
    wait_until(lambda: b" 200 " in talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True))
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        r.head()
        fit[0] = False
        wait_until(lambda: talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True) == b"", what="no new connections")
        if drop == "yes":
            s.settimeout(5)
            try:
                assert r.rest() in (b"", b"hello")
            except ConnectionResetError:
                pass
        else:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            r.buf = b""
            assert wait_until(lambda: r.head(), 5)


def test_failed_server_leaves_and_returns(tmp_path, closing):
    """S199: a server that fails its check gets nothing within fall checks, and is used again after rise; no request fails."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-check", "lbd-proxy"))
    a, b = closing(Origin("a")), closing(Origin("b"))
    lb.ctl("create", "check", "fast", "kind=tcp", "interval=100ms", "timeout=80ms", "rise=2", "fall=2")
    vip = lb.vip("web", a, b, check="fast")
    lb.start()
    with Load(vip, 6, 3) as load:
        load.wait(100)
        port = a.port
        a.close()
        wait_until(lambda: state(lb, "web/a") == "down", 5)
        load.wait(50)
        again = closing(Origin("a", port=port))
        wait_until(lambda: again.requests, 5, "it is used again")
        clean(load)


def test_rolling_maintenance(lb, origins):
    """S200: every server is drained and brought back in turn under load: no failed request, one process."""
    os = origins("a", "b", "c")
    vip = lb.vip("rolling", *os)
    pid = lb.pid()
    with Load(vip, 8, 3) as load:
        for o in os:
            lb.ctl("drain", f"rolling/{o.name}")
            load.wait(60)
            lb.ctl("halt", f"rolling/{o.name}")
            load.wait(30)
            n = len(o.requests)
            load.wait(60)
            assert len(o.requests) == n
            lb.ctl("online", f"rolling/{o.name}")
            load.wait(60)
        assert set(clean(load)) == {"a", "b", "c"}
    assert lb.pid() == pid and lb.process["lbd-proxy"].poll() is None


def test_servers_change_under_load(lb, origins):
    """A057: servers are added, re-weighted and deleted under load without an error or a reset."""
    os = origins("a", "b", "c", "d")
    vip = lb.vip("changing", os[0])
    with Load(vip, 8, 3) as load:
        for turn in range(8):
            for o in os[1:]:
                lb.rip(vip, o.name, o.port)
            lb.ctl("set", "rip", "changing/a", f"weight={turn * 30}")
            load.wait(40)
            for o in os[1:]:
                lb.ctl("delete", "rip", f"changing/{o.name}", "-y")
                if turn * 30 == 0:
                    lb.ctl("set", "rip", "changing/a", "weight=100")
            load.wait(20)
        assert set(clean(load)) == {"a", "b", "c", "d"}


def test_services_change_under_load(lb, origins):
    """A059: services come and go, and every field of a served one changes, while another carries traffic: no error, one
    process, descriptors and memory as before."""
    a, b = origins("a", "b")
    vip = lb.vip("steady", a, pool_timeout="1s")  # idle connections to the server do not count for long
    fds = pathlib.Path(f"/proc/{lb.pid()}/fd")

    def rss():
        with open(f"/proc/{lb.pid()}/status") as f:
            return int(next(x for x in f if x.startswith("VmRSS")).split()[1])
    get(vip)
    with Load(vip, 6, 3) as load:
        load.wait(100)
        before, memory = len(list(fds.iterdir())), rss()
        for n in range(25):
            other = lb.vip(f"come{n}", b, mode="tcp" if n % 2 else "http")
            assert get(other).server == "b"
            lb.ctl("set", "vip", "steady", f"scheduler={('wrr', 'wlc')[n % 2]}", f"keep_timeout={10 + n}s",
                   f"forwarded_for={('append', 'replace', 'off')[n % 3]}",
                   f"persistence={('none', 'cookie', 'source')[n % 3]}", f"retries={n % 5}")
            lb.ctl("delete", "vip", f"come{n}", "--cascade", "-y")
            wait_until(lambda: not listens(other.address, other.port))
        load.wait(100)
        assert set(clean(load)) == {"a"}
    wait_until(lambda: len(list(fds.iterdir())) <= before + 2, what="descriptors as before")
    assert rss() - memory < 8192  # sanitizers keep what is freed for a while


def test_service_moves(lb, origins):
    """A059: the address, ports or mode of a service change; connections that were there may finish."""
    a, = origins("a")
    vip = lb.vip("moving", a, keep_timeout="30s")
    c = client(vip)
    assert get(vip, connection=c).status == 200
    other = ADDRESS[:-1] + "3"
    new = Vip("moving", other, free_port(other))
    lb.ctl("set", "vip", "moving", f"address={other}", f"ports={new.port}")
    wait_until(lambda: listens(new.address, new.port) and not listens(vip.address, vip.port))
    assert get(new).server == "a"
    with contextlib.suppress(ConnectionError, OSError):
        assert get(vip, connection=c).status == 200  # it may also have been closed while it was idle
    lb.ctl("set", "vip", "moving", "mode=tcp", "keep_timeout=15s")
    wait_until(lambda: b" 200 " in talk(new, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True))


def test_deleted_service_ends_its_connections_well(lb, origins, closing):
    """A059: a request that is under way when its service is deleted is still answered."""
    def slow(c, origin):
        Reader(c).head()
        origin.asked = True
        time.sleep(0.7)
        c.sendall(http_answer(b"late"))
    o = closing(Origin("a", slow))
    vip = lb.vip("deleted", o)
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: getattr(o, "asked", False))
        lb.ctl("delete", "vip", "deleted", "--cascade", "-y")
        assert Reader(s).rest().endswith(b"late")


def test_counters(lb, origins):
    """S189: requests, bytes and connections are counted for each service and server."""
    a, b = origins("a", "b")
    vip = lb.vip("counted", a, b, scheduler="wrr")
    for _ in range(10):
        get(vip)
    a.answer = b.answer = lambda r: http_answer(b"", "404 Not Found")
    assert get(vip, "/" + "x" * 5000).status == 404
    talk(vip, b"GET / HTTP/1.1\r\n\r\n")

    def counted():
        r = lb.json("stats", "counted")[0]
        return (r["requests_total"], r["http_2xx"], r["http_4xx"], r["bad_requests"], r["conns"])
    wait_until(lambda: counted() == (11, 10, 2, 1, 0) or counted() == (12, 10, 2, 1, 0), 5, "the service's counters")
    row = lb.json("stats", "counted")[0]
    assert row["conns_total"] == 12 and row["bytes_in"] > 5000 and row["bytes_out"] > 1000
    rips = [r["status"]["counters"] for r in lb.json("get", "rip", "counted/")]
    assert sum(r["requests_total"] for r in rips) == 11 and all(r["requests_total"] >= 3 for r in rips)
    assert sum(r["http_2xx_total"] for r in rips) == 10 and sum(r["http_4xx_total"] for r in rips) == 1


def test_stop_lets_requests_finish(tmp_path, closing):
    """A stop waits for requests that are under way, and closes idle connections."""
    def slow(c, origin):
        r = Reader(c)
        while r.head():
            origin.asked = True
            time.sleep(0.7)
            c.sendall(http_answer(b"late"))
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy"))
    o = closing(Origin("a", slow))
    vip = lb.vip("web", o)
    lb.start()
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: getattr(o, "asked", False))
        lb.process["lbd-proxy"].terminate()
        out = Reader(s).rest()
        assert out.endswith(b"late")
    lb.process.pop("lbd-proxy").wait(20)


def test_in_force_for_who_comes_after(lb, closing):
    """A service that listens, then gets its server: who comes after the commit has it, however busy the machine is."""
    def echo(c, o):
        while data := c.recv(100):
            c.sendall(data)
    o = closing(Origin("a", echo))
    burn = [subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=die_with_parent) for _ in range(4)]
    try:
        for i in range(60):
            vip = lb.vip(f"after{i}", mode="tcp")
            lb.rip(vip, "a", o.port)
            with vip.connect() as s:
                s.sendall(b"x")
                assert s.recv(1) == b"x"
    finally:
        for p in burn:
            p.kill()
            p.wait()
