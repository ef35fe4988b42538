"""Source addresses that a header names: transparent services behind proxies that are believed."""
import pytest

from lbdtest import Lbd, Netns, Origin, Reader, listens, wait_until

VIP, SERVER = "10.8.4.1", "10.8.2.9"
NEAR, STRANGER = "10.8.1.2", "10.8.1.3"  # the proxy in front, and somebody else


class Net:
    """Clients on one side, a server on the other, whose way back to everybody is the node."""

    def __init__(self, closing, tmp_path):
        self.far, self.node, self.server = closing(Netns()), closing(Netns()), closing(Netns())
        for ns, dev, i, others in ((self.far, "c0", 1, (NEAR, STRANGER)), (self.server, "s0", 2, (SERVER,))):
            self.node.link(ns, f"n{i}", dev)
            self.node.run("ip", "addr", "add", f"10.8.{i}.1/24", "dev", f"n{i}")
            for a in others:
                ns.run("ip", "addr", "add", f"{a}/24", "dev", dev)
            ns.run("ip", "route", "add", "default", "via", f"10.8.{i}.1")
        self.node.run("ip", "route", "add", "local", "10.8.4.0/24", "dev", "lo")  # floating addresses
        self.node.run("ip", "rule", "add", "iif", "n2", "lookup", "77")  # answers of servers come to the proxy
        self.node.run("ip", "route", "add", "local", "default", "dev", "lo", "table", "77")
        for name in ("all", "n2"):
            self.node.run("sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
        self.lb = closing(Lbd(tmp_path / "lb", "lbd-proxy", netns=self.node)).start()
        with self.server.inside():
            self.origin = closing(Origin("o", handle=peer, address=SERVER))

    def vip(self, name="web", **words):
        with self.node.inside():
            vip = self.lb.vip(name, self.origin, address=VIP, **words)
        wait_until(lambda: listens(vip.address, vip.port, self.node), what="it listens")
        return vip

    def seen(self, vip, *fields, source=NEAR):
        """Whom the server sees, for requests on one connection, a tuple of field lines each."""
        out = []
        with self.far.inside(), vip.connect(source=source) as s:
            r = Reader(s)
            for lines in fields:
                s.sendall("\r\n".join(["GET / HTTP/1.1", "Host: x", *lines, "", ""]).encode())
                out.append(dict(r.head()[1])["x-peer"])
        return out


def peer(c, origin):
    """Answers with whom it speaks with, for as long as requests come."""
    while c.recv(65536):
        c.sendall(b"HTTP/1.1 200 OK\r\nX-Peer: %s\r\nContent-Length: 0\r\n\r\n" % c.getpeername()[0].encode())


@pytest.fixture()
def net(tmp_path, closing):
    return Net(closing, tmp_path)


@pytest.mark.parametrize("field", ("X-Forwarded-For", "X-Real-IP"))
def test_the_server_sees_whom_the_header_names(net, field):
    """A054: each request by its own client on one connection of the proxy in front; no connection is of two clients."""
    vip = net.vip(transparent="yes", source_header=field, forwarded_from=f"{NEAR},10.9.0.0/24", forwarded_for="append")
    low = field.lower()
    assert net.seen(vip, (f"{field}: 192.0.2.7",), (f"{low}: 192.0.2.8",), (), (f"{field}: 192.0.2.7",)) == [
        "192.0.2.7", "192.0.2.8", NEAR, "192.0.2.7"]
    assert net.seen(vip, (f"{field}: 198.51.100.1, 192.0.2.7, 10.9.0.4",),  # a proxy that is believed is passed over
                    (f"{field}: 198.51.100.1", f"{field}: 192.0.2.9"), (f"{field}: 192.0.2.7:4711",)) == [
        "192.0.2.7", "192.0.2.9", "192.0.2.7"]


def test_what_is_no_client(net):
    """Words, other families, and addresses that nobody has or that are the server's own: the connection's address stands."""
    vip = net.vip(transparent="yes", source_header="X-Real-IP", forwarded_from=NEAR, forwarded_for="append")
    for bad in ("unknown", "", "2001:db8::1", "127.0.0.1", "0.0.0.0", "224.0.0.5", "255.255.255.255", "192.0.2.0/24", "1" * 100):
        assert net.seen(vip, (f"X-Real-IP: {bad}",)) == [NEAR], bad


def test_strangers_are_not_believed(net):
    vip = net.vip(transparent="yes", source_header="X-Forwarded-For", forwarded_from=NEAR, forwarded_for="append")
    assert net.seen(vip, ("X-Forwarded-For: 192.0.2.7",), source=STRANGER) == [STRANGER]


def test_live(net):
    """Taken away and set while clients are served."""
    vip = net.vip(transparent="yes", forwarded_from=NEAR, forwarded_for="append")
    head = ("X-Real-IP: 192.0.2.7",)
    assert net.seen(vip, head) == [NEAR]
    net.lb.ctl("set", "vip", "web", "source_header=X-Real-IP")
    wait_until(lambda: net.seen(vip, head) == ["192.0.2.7"], what="the header counts")
    net.lb.ctl("unset", "vip", "web", "source_header")
    wait_until(lambda: net.seen(vip, head) == [NEAR], what="it does not any more")
