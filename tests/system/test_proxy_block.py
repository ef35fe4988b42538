"""Blocked clients: a list for all services of layer 7, its exceptions, those of a service; drop and reset, before a byte is read."""
import json

import pytest

from lbdtest import ADDRESS, Lbd, Netns, Origin, Vip, free_port, listens, wait_until
from test_certs import refused
from test_proxy_header import FRONT, ask, v1

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture()
def lb(tmp_path, closing):
    lb = closing(Lbd(tmp_path / "r", "lbd-proxy"))
    lb.ctl("set", "node", "hostname=alpha")
    return lb.start()


def block(lb, text, action="reset"):
    lb.ctl("create", "list", "bad", "kind=address")
    lb.ctl("list", "load", "bad", "-", input=text)
    lb.ctl("set", "setting", "block=bad", f"block_action={action}")


def served(vip, source):
    """Whether a client from there gets an answer; a reset is none."""
    try:
        with vip.connect(source=source) as s:
            s.sendall(ASK)
            return s.recv(20).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def refusals(lb, vip):
    return lb.json("stats", vip.name)[0]["refused_total"]


def taken(lb, vip):
    return lb.json("stats", vip.name)[0]["conns_total"]


@pytest.mark.parametrize("mode", ("http", "tcp"))
def test_blocked_with_exceptions(lb, origins, mode):
    """A087: who is in the list is reset by every service; the narrowest entry counts; allow of a service goes before it; all of it live."""
    o, = origins("o")
    one = lb.vip(f"one-{mode}", o, mode=mode)
    two = lb.vip(f"two-{mode}", o, mode=mode, allow="127.0.3.64/26")
    assert served(one, "127.0.3.1")
    block(lb, "127.0.3.0/24\n127.0.3.7 allow\n127.0.3.128/25 \"the cellar\"\n")
    wait_until(lambda: not served(one, "127.0.3.1"), what="the list is in force")
    before, asked = taken(lb, one), len(o.requests)
    assert [served(one, f"127.0.3.{i}") for i in (1, 7, 65, 129)] == [False, True, False, False]
    assert [served(two, f"127.0.3.{i}") for i in (1, 7, 65, 129)] == [False, True, True, False]
    assert served(one, "127.0.4.1") and len(o.requests) == asked + 4
    assert refusals(lb, one) >= 4 and taken(lb, one) == before + 2  # of the others no connection was made
    lb.ctl("list", "add", "bad", "127.0.4.1")
    wait_until(lambda: not served(one, "127.0.4.1"), what="an entry more")
    lb.ctl("set", "vip", one.name, "allow=127.0.4.0/24")
    wait_until(lambda: served(one, "127.0.4.1") and not served(two, "127.0.4.1"), what="an exception of one service")
    lb.ctl("unset", "setting", "block")
    wait_until(lambda: served(two, "127.0.3.1"), what="nobody is blocked")


def test_open_connections_stay(lb, origins):
    """Who is served already goes on to be, and the next connection is turned away."""
    o, = origins("o")
    vip = lb.vip("stays", o)
    with vip.connect(source="127.0.3.1") as s:
        assert talk_on(s)
        block(lb, "127.0.3.1\n")
        wait_until(lambda: not served(vip, "127.0.3.1"), what="the list is in force")
        assert talk_on(s)


def talk_on(s):
    s.sendall(ASK)
    return s.recv(4096).startswith(b"HTTP/1.1 200")


def test_the_client_that_a_balancer_names(lb, origins):
    """Behind the PROXY protocol the client counts, and the balancer too."""
    o, = origins("o")
    vip = lb.vip("behind-block", o, proxy_from=FRONT)
    block(lb, "192.0.2.7\n")
    wait_until(lambda: ask(vip, v1()) is None, what="the client is blocked")
    assert ask(vip, v1("192.0.2.8")) == "HTTP/1.1 200 OK"
    assert refusals(lb, vip) >= 1
    lb.ctl("list", "add", "bad", FRONT)
    wait_until(lambda: ask(vip, v1("192.0.2.8")) is None, what="the balancer is")


@pytest.mark.parametrize("action", ("drop", "reset"))
def test_before_a_byte(tmp_path, closing, action):
    """A client elsewhere that says nothing is turned away: it is reset at once, or never told."""
    far, node = closing(Netns()), closing(Netns())
    far.link(node, "far0", "near0")
    far.run("ip", "addr", "add", "10.8.3.2/24", "dev", "far0")
    node.run("ip", "addr", "add", "10.8.3.1/24", "dev", "near0")
    node.run("ip", "route", "add", "local", "10.8.4.0/24", "dev", "lo")  # floating addresses
    far.run("ip", "route", "add", "10.8.4.0/24", "via", "10.8.3.1")
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy", netns=node)).start()
    with node.inside():
        o = closing(Origin("o"))
    block(lb, "10.8.3.2\n", action)
    vip = Vip("quiet", "10.8.4.1", free_port())
    lb.ctl("apply", "-f", "-", input=json.dumps({"vip": {"quiet": {
        "address": vip.address, "ports": vip.port, "mode": "tcp", "rips": {"o": {"address": o.address, "port": o.port}}}}}))
    wait_until(lambda: listens(vip.address, vip.port, node), what="it listens")
    with far.inside(), pytest.raises(ConnectionResetError if action == "reset" else TimeoutError):
        s = closing(vip.connect())  # whose own end may be there as soon
        wait_until(lambda: refusals(lb, vip) == 1, what="it was turned away")
        s.settimeout(1)
        s.recv(100)
    assert taken(lb, vip) == 0 and not lb.json("conns", "quiet")


def test_refused(lb, origins):
    """The list must be there, of addresses, and stays while it is named; layer 4 and pools have no exceptions of their own."""
    refused(lb, 7, "set", "setting", "block=bad", says='block: "bad": there is no list of that name')
    lb.ctl("create", "list", "bad", "kind=word")
    refused(lb, 7, "set", "setting", "block=bad", says='block: "bad" is a list of kind word; allowed are those of kind address')
    refused(lb, 7, "set", "setting", "block_action=bury", says="is not allowed: drop, reset")
    lb.ctl("set", "list", "bad", "kind=address")
    lb.ctl("set", "setting", "block=bad")
    refused(lb, 7, "delete", "list", "bad", "-y", says="there is no list of that name")
    refused(lb, 7, "create", "vip", "p", "mode=tcp", "allow=127.0.0.1", says="allow: is not possible without an address")
    refused(lb, 7, "create", "vip", "n", "mode=nat", f"address={ADDRESS}", "ports=99", "allow=127.0.0.1", says="allow")
