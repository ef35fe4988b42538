"""Connections that an operator ends: exactly those, on both sides."""

from lbdtest import Origin, Reader, http_answer, wait_until


def ends(s, reset=True):
    """How the other side ended it; anything else fails."""
    s.settimeout(10)
    try:
        while s.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return not reset


def rows(lb, *args):
    return lb.json("conns", *args)


def row_of(lb, s, state):
    me = "%s:%d" % s.getsockname()
    found = wait_until(lambda: [r for r in rows(lb) if r["client"] == me and r["state"] == state], what=f"{me} {state}")
    return found[0]


def test_one_tcp_connection(lb, closing):
    """A166: the one that was named is reset for client and server; its neighbour lives on."""
    seen, broken = [], []

    def serve(c, origin):
        seen.append(c)
        try:
            while data := c.recv(4096):
                c.sendall(data)
        except ConnectionResetError:
            broken.append(c)
    vip = lb.vip("killtcp", closing(Origin("a", serve)), mode="tcp")
    one, two = vip.connect(), vip.connect()
    for s in (one, two):
        s.sendall(b"x")
        assert s.recv(1) == b"x"
    out = lb.ctl("conns", "kill", row_of(lb, one, "tunnel")["id"])
    assert "1 connection reset" in out.stderr
    assert ends(one)
    wait_until(lambda: len(broken) == 1, what="the server's side is reset")
    two.sendall(b"y")
    assert two.recv(1) == b"y"
    gone = lb.ctl("conns", "kill", "0:4294967295", check=False)
    assert gone.returncode != 0 and "connection 0:4294967295 does not exist" in gone.stderr
    assert "connections reset" not in gone.stderr
    two.close()


def test_idle(lb, closing):
    """A166: who has been silent, and for how long, is seen: of a tunnel, and of a connection that never said a word."""
    def serve(c, origin):
        while data := c.recv(4096):
            c.sendall(data)
    vip = lb.vip("idle", closing(Origin("a", serve)), mode="tcp")
    busy, quiet, mute = (closing(vip.connect()) for _ in range(3))

    def idle(s):
        return row_of(lb, s, "tunnel")["idle"]
    for s in (busy, quiet):
        s.sendall(b"x")
        assert s.recv(1) == b"x"

    def apart():
        busy.sendall(b"x")
        assert busy.recv(1) == b"x"
        return idle(quiet) >= 1500000 > idle(busy) and idle(mute) >= 1000000
    wait_until(apart, what="the two are told apart")


def test_http_in_every_state(lb, closing):
    """A166: idle, waiting for an answer, in the middle of one; the log says K where a request was under way."""
    broken = []

    def serve(c, origin):
        r = Reader(c)
        try:
            while head := r.head():
                if "/part" in head[0]:
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                if "/idle" in head[0]:
                    c.sendall(http_answer(b"ok"))
                    continue
                c.recv(1)
        except ConnectionResetError:
            broken.append(c)
    o = closing(Origin("a", serve))
    vip = lb.vip("killhttp", o, log="haproxy")
    conns = {}
    for path, state in (("/idle", "idle"), ("/wait", "wait"), ("/part", "answer")):
        s = conns[state] = vip.connect()
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        row_of(lb, s, state)
    other = lb.vip("killother", o)
    s = other.connect()
    s.sendall(b"GET /idle HTTP/1.1\r\nHost: x\r\n\r\n")
    row_of(lb, s, "idle")
    assert "3 connections reset" in lb.ctl("conns", "kill", "killhttp", "-y").stderr
    assert all(ends(x) for x in conns.values())
    wait_until(lambda: len(broken) == 2, what="the server's sides are reset")
    s.sendall(b"GET /idle HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in s.recv(1000)
    s.close()
    log = lb.root / "var/log/lbd/access.log"
    wait_until(lambda: sum(x in log.read_text() for x in (" KH-- ", " KD-- ")) == 2, what="the log says why")


def test_by_client_and_server(lb, origins):
    """A166: those of a client, of a network, of a server; in the kernel's services none can be."""
    a, b = origins("a", "b")
    vip = lb.vip("killby", a, b, persistence="source")
    near, far = vip.connect(source="127.81.0.1"), vip.connect(source="127.82.0.1")
    for s in (near, far):
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        row_of(lb, s, "idle")
    assert "0 connections" in lb.ctl("conns", "kill", "killby", "--client", "127.83.0.0/16").stderr
    assert "1 connection reset" in lb.ctl("conns", "kill", "--client", "127.81.0.0/16").stderr
    assert ends(near)
    row_of(lb, far, "idle")
    assert "0 connections" in lb.ctl("conns", "kill", "killby/a", "-y").stderr  # idle: at no server now
    assert "1 connection reset" in lb.ctl("conns", "kill", "killby", "--client", "127.82.0.1").stderr
    assert ends(far)
    lb.ctl("create", "vip", "killfour", "address=127.77.9.9", "ports=81", "mode=nat")
    r = lb.ctl("conns", "kill", "killfour", "-y", check=False)
    assert r.returncode != 0 and "cannot be reset" in r.stderr
    lb.ctl("delete", "vip", "killfour", "-y")
    r = lb.ctl("conns", "kill", "--client", "nobody", check=False)
    assert r.returncode == 7 and 'client: "nobody" is neither an address nor a network' in r.stderr
