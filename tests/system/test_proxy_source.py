"""A054, A055: the address with which lbd-proxy reaches servers; and that ports are no limit."""
import collections
import contextlib
import resource
import socket

import pytest

from lbdtest import SLOW, Lbd, Netns, Origin, get, listens, wait_until

VIP, SERVER = "127.80.9.1", "10.8.1.9"


class Net:
    """A node with feet in two networks, a server with an address in each."""

    def __init__(self, closing, tmp_path):
        self.node, self.server = closing(Netns()), closing(Netns())
        for i in (1, 2):
            self.node.link(self.server, f"n{i}", f"s{i}")
            self.node.run("ip", "addr", "add", f"10.8.{i}.1/24", "dev", f"n{i}")
            self.node.run("ip", "addr", "add", f"fd08:{i}::1/64", "dev", f"n{i}", "nodad")
            self.server.run("ip", "addr", "add", f"10.8.{i}.9/24", "dev", f"s{i}")
            self.server.run("ip", "addr", "add", f"fd08:{i}::9/64", "dev", f"s{i}", "nodad")
        for last in (21, 22, 23):
            self.node.run("ip", "addr", "add", f"10.8.1.{last}/24", "dev", "n1")
        self.lb = closing(Lbd(tmp_path / "lb", "lbd-proxy", netns=self.node)).start()

    def origin(self, closing, name, address, handle=None):
        with self.server.inside():
            return closing(Origin(name, handle=handle, address=address))


@pytest.fixture()
def net(tmp_path, closing):
    return Net(closing, tmp_path)


def peer(c, origin):
    """Says who it speaks with."""
    c.recv(65536)
    text = c.getpeername()[0].encode()
    c.sendall(b"HTTP/1.1 200 OK\r\nX-Server: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % text)


def peers(net, vip, n=12):
    with net.node.inside():
        return collections.Counter(get(vip).server for _ in range(n))


def test_which_address(net, closing):
    """By default each subnet is entered with its own address; else the fixed one, or several in turn; changed while it runs."""
    a, b, six = (net.origin(closing, n, where, peer) for n, where in (("a", "10.8.1.9"), ("b", "10.8.2.9"), ("six", "fd08:1::9")))
    vip = net.lb.vip("web", a, b, six, address=VIP, scheduler="rr")
    assert set(peers(net, vip, 30)) == {"10.8.1.1", "10.8.2.1", "fd08:1::1"}
    net.lb.ctl("delete", "-y", "rip", "web/six")
    net.lb.ctl("set", "vip", "web", "source=10.8.1.21")
    wait_until(lambda: peers(net, vip) == {"10.8.1.21": 12}, 10)
    net.lb.ctl("set", "vip", "web", "more_sources=10.8.1.22-10.8.1.23")
    wait_until(lambda: set(peers(net, vip)) == {"10.8.1.21", "10.8.1.22", "10.8.1.23"}, 10)
    got = peers(net, vip, 60)
    assert min(got.values()) >= 10, got
    net.lb.ctl("unset", "vip", "web", "source", "more_sources")
    wait_until(lambda: set(peers(net, vip)) == {"10.8.1.1", "10.8.2.1"}, 10)


def test_an_address_that_went_away(net, closing):
    """What one address cannot give, the next one does."""
    a = net.origin(closing, "a", SERVER, peer)
    vip = net.lb.vip("web", a, address=VIP, source="10.8.1.21", more_sources="10.8.1.22")
    assert set(peers(net, vip)) == {"10.8.1.21", "10.8.1.22"}
    net.node.run("ip", "addr", "del", "10.8.1.21/24", "dev", "n1")
    assert peers(net, vip) == {"10.8.1.22": 12}


def test_refused(net, closing):
    """An address that is nowhere, of another family than the server, or with transparent, where there is no choice."""
    def no(*args):
        r = net.lb.ctl(*args, check=False)
        assert r.returncode == 7, r.stdout
        return r.stderr
    net.lb.vip("web", net.origin(closing, "a", SERVER), address=VIP)
    assert "source: \"10.8.1.77\" is no address of this node" in no("set", "vip", "web", "source=10.8.1.77")
    assert "more_sources: \"10.8.1.24\" is no address" in no("set", "vip", "web", "more_sources=10.8.1.22-10.8.1.24")
    assert "not possible with transparent" in no("set", "vip", "web", "source=10.8.1.21", "transparent=yes")
    assert "IPv4" in no("set", "vip", "web", "source=fd08:1::1")
    net.lb.ctl("create", "vip", "other", "address=10.8.1.100", "ports=80")
    net.lb.ctl("set", "vip", "web", "source=10.8.1.100")  # one that floats


def test_ports_are_no_limit(net, closing):
    """IP_BIND_ADDRESS_NO_PORT: each source has all ports for each server, and more sources give more: with 100 ports a source, 250
    connections to one server at once need three, and two servers need no more of them."""
    net.node.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=30000 30099")
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

    def hold(c, origin):
        c.sendall(origin.name.encode())
        c.recv(1)
    a, b = (net.origin(closing, n, SERVER, hold) for n in "ab")

    def open_some(vip, n):
        """How many of n connections reach a server."""
        ok = 0
        for i in range(n):
            s = socket.socket()
            held.append(s)
            s.settimeout(10 * SLOW)
            try:
                s.connect((vip.address, vip.port + i // 60))  # clients do not run out of ports either
                ok += s.recv(1) != b""
            except OSError:
                pass
        return ok

    def close_all():
        for c in (*a.open, *b.open):  # the servers first, so that no port of the node has to wait
            c.shutdown(socket.SHUT_RDWR)
        for s in held:
            with contextlib.suppress(OSError):
                s.recv(1)
            s.close()
        held.clear()
        wait_until(lambda: not a.open and not b.open and not net.lb.json("conns", "web"), 20)

    vip = net.lb.vip("web", a, address=VIP, port=7001, mode="tcp", source="10.8.1.21", retries=0)
    net.lb.ctl("set", "vip", "web", "ports=7001-7005")
    wait_until(lambda: listens(VIP, 7005, net.node))
    with net.node.inside():
        assert open_some(vip, 120) == 100  # one address, one server
        shown = [c["source"] for c in net.lb.json("conns", "web") if c.get("source")]
        assert len(shown) == len(set(shown)) == 100 and all(s.startswith("10.8.1.21:") for s in shown)
        close_all()
    net.lb.rip(vip, "b", b.port, SERVER)
    with net.node.inside():
        assert open_some(vip, 190) == 190  # the same ports for another server
        close_all()
    net.lb.ctl("delete", "-y", "rip", "web/b")
    net.lb.ctl("set", "vip", "web", "more_sources=10.8.1.22-10.8.1.23")
    with net.node.inside():
        assert open_some(vip, 250) == 250
        close_all()
