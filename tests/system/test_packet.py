"""Rules for packets without IPVS: a client, the node and a server behind it, each a namespace. lbd-ipvs runs on a kernel that may
have no ip_vs, and does what it can."""
import contextlib
import json
import os
import signal
import socket
import subprocess

import pytest

from lbdtest import Lbd, Netns, Origin, Reader, wait_until

CLIENT, NODE, INSIDE, SERVER, VIP, OUT = "10.71.1.2", "10.71.1.1", "10.71.2.1", "10.71.2.2", "10.71.1.50", "10.71.1.60"
CLIENT6, NODE6, INSIDE6, SERVER6, VIP6, OUT6 = (f"fd71:{n}" for n in ("1::2", "1::1", "2::1", "2::2", "1::50", "1::60"))


def tell(c, origin):
    """Who the other side is, then whatever it sends."""
    c.sendall(f"{c.getpeername()[0]}\n".encode())
    while data := c.recv(65536):
        c.sendall(data)


class Net:
    """The three, joined; the server's gateway is the node."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.client, self.node, self.server = (self.stack.enter_context(Netns()) for _ in range(3))
        self.client.link(self.node, "eth0", "eth0")
        self.server.link(self.node, "eth0", "eth1")
        for ns, dev, *addresses in ((self.client, "eth0", f"{CLIENT}/24", f"{CLIENT6}/64"), (self.server, "eth0", f"{SERVER}/24", f"{SERVER6}/64"),
                                    (self.node, "eth0", f"{NODE}/24", f"{NODE6}/64"), (self.node, "eth1", f"{INSIDE}/24", f"{INSIDE6}/64")):
            for a in addresses:
                ns.run("ip", "addr", "add", a, "dev", dev, *(["nodad"] if ":" in a else []))
        for ns, v4, v6 in (self.client, NODE, NODE6), (self.server, INSIDE, INSIDE6):
            ns.run("ip", "route", "add", "default", "via", v4)
            ns.run("ip", "-6", "route", "add", "default", "via", v6)
        self.node.run("sysctl", "-qw", "net.ipv4.ip_forward=0")  # else as it is outside
        self.node.run("nft", "add table inet mine; add set inet mine s { type ipv4_addr; elements = { 192.0.2.1 } }")

    def origin(self, ns, address, port=0, handle=tell):
        with ns.inside():
            return self.stack.enter_context(Origin("o", handle, address, port))

    def seen(self, ns, address, port, timeout=2, sent=0):
        """What a listener sees when ns connects; None: it cannot. sent: so many bytes must come back."""
        try:
            with ns.inside(), socket.create_connection((address, port), timeout) as s:
                r = Reader(s)
                who = r.until(b"\n").decode().strip().removeprefix("::ffff:")
                data = os.urandom(sent)
                s.sendall(data)
                assert r.exactly(sent) == data
                return who
        except OSError:
            return None

    def rules(self):
        return self.node.run("nft", "list", "ruleset").stdout

    def value(self, path):
        return self.node.run("cat", f"/proc/sys/net/{path}").stdout.strip()


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    net = Net()
    with net.stack:
        net.lb = Lbd(tmp_path_factory.mktemp("packet"), "lbd-ipvs", "lbd-ha", "lbd-proxy", netns=net.node)
        net.lb.start()
        net.outside, net.inside = (net.origin(net.client, "::", 9000), net.origin(net.server, "::", 9000))
        yield net
        net.lb.stop()


def change(net, check=True, **doc):
    net.lb.ctl("apply", "-f", "-", input=json.dumps(doc), check=check)


def becomes(net, wanted, what, *args):
    wait_until(lambda: net.seen(*args) == wanted, 20, f"{what}: {wanted} is seen")


def test_translation(net):
    """S041, S087, S088, S089: autonat, masquerade, dnat and both; forwarding is switched on when something needs it."""
    assert net.value("ipv4/ip_forward") == "0" and "inet lbd" not in net.rules()
    change(net, node={"autonat": "eth0"})
    becomes(net, NODE, "autonat", net.server, CLIENT, 9000)
    assert net.value("ipv4/ip_forward") == "1"
    net.lb.ctl("unset", "node", "main", "autonat")
    becomes(net, SERVER, "off again", net.server, CLIENT, 9000)
    wait_until(lambda: "inet lbd" not in net.rules(), 20, "nothing needs the table")
    change(net, nat={"web": dict(kind="dnat", outside=OUT, inside=SERVER, protocol="tcp", ports="80", inside_port=9000),
                     "hide": dict(kind="masquerade", inside="10.71.2.0/24", interface="eth0")})
    becomes(net, CLIENT, "dnat", net.client, OUT, 80)
    becomes(net, NODE, "masquerade", net.server, CLIENT, 9000)
    net.lb.ctl("delete", "nat", "web", "hide", "-y")
    change(net, nat={"one": dict(kind="both", outside=OUT, inside=SERVER), "six": dict(kind="both", outside=OUT6, inside=SERVER6)})
    becomes(net, OUT, "both, out", net.server, CLIENT, 9000)
    becomes(net, OUT6, "IPv6, out", net.server, CLIENT6, 9000)
    becomes(net, CLIENT6, "IPv6, in", net.client, OUT6, 9000)
    assert net.seen(net.client, OUT, 9000, sent=100_000) == CLIENT
    change(net, setting={"packet_filter": "yes"})
    becomes(net, None, "the filter", net.client, SERVER, 9000)
    assert net.seen(net.server, CLIENT, 9000) == OUT and net.seen(net.client, OUT, 9000) == CLIENT
    assert net.seen(net.client, NODE, 9000) is None  # nobody listens there: the filter is for what passes
    net.lb.ctl("delete", "nat", "one", "six", "-y")
    becomes(net, None, "no rule translates", net.server, CLIENT, 9000)
    net.lb.ctl("unset", "setting", "main", "packet_filter")
    becomes(net, SERVER, "it routes again", net.server, CLIENT, 9000)


def test_transparent(net):
    """S098: the server sees the client's address, and its answers find their way to lbd-proxy, in both families
    and beside connections that are routed."""
    change(net, vip={name: dict(address=vip, ports="80", mode="tcp", transparent="yes", rips={"s": dict(address=server, port=9000)})
                     for name, vip, server in (("four", VIP, SERVER), ("six", VIP6, SERVER6))})
    for vip, client in (VIP, CLIENT), (VIP6, CLIENT6):
        wait_until(lambda: net.seen(net.client, vip, 80, sent=1_000_000) == client, 20, f"{client} through {vip}")
    assert net.seen(net.client, SERVER, 9000) == CLIENT and net.seen(net.server, CLIENT, 9000) == SERVER
    assert "lookup 27746" in net.node.run("ip", "rule").stdout
    net.lb.ctl("delete", "vip", "four", "six", "--cascade", "-y")
    wait_until(lambda: "27746" not in net.node.run("ip", "rule").stdout + net.node.run("ip", "-6", "rule").stdout, 20, "the rule is gone")
    assert net.node.run("ip", "route", "show", "table", "27746", check=False).stdout == ""


def test_rate_of_a_client(net):
    """A106: new connections of one client address at a service of layer 7; another client is not held off."""
    change(net, vip={"web": dict(address=VIP, ports="80", mode="tcp", syn_rate=5, rips={"s": dict(address=SERVER, port=9000)})})
    becomes(net, INSIDE, "the service", net.client, VIP, 80)
    wait_until(lambda: "seen4_" in net.rules(), 20, "the limit")
    held = 0
    with contextlib.ExitStack() as stack, net.client.inside():
        for _ in range(30):
            s = stack.enter_context(socket.socket())
            s.settimeout(0.05)
            try:
                s.connect((VIP, 80))
            except OSError:
                held += 1
    assert held > 15, held
    assert net.seen(net.server, VIP, 80) is not None
    wait_until(lambda: net.seen(net.client, VIP, 80), 20, "the allowance is back")
    net.lb.ctl("delete", "vip", "web", "--cascade", "-y")


def test_another_program(net):
    """Somebody flushes all rules: ours come back by themselves. Nobody else's are ours to touch."""
    mine = net.node.run("nft", "list", "table", "inet", "mine").stdout
    change(net, check=False, vip={"l4": dict(address=VIP, ports="80,81", mode="dr", rips={"s": dict(address=SERVER)})})
    wait_until(lambda: f"{VIP} . tcp . 81" in net.rules(), 20, "the rules")
    assert net.node.run("nft", "list", "table", "inet", "mine").stdout == mine
    net.node.run("nft", "flush", "ruleset")
    wait_until(lambda: f"{VIP} . tcp . 81" in net.rules(), 20, "the rules are back")
    assert "was changed by somebody else" in net.lb.text()


def test_stop(net):
    """S019: stopped or killed, the rules stay; with ipvs_stop clear they go, and come back at the next start."""
    assert f"{VIP} . tcp . 81" in net.rules()
    for how in signal.SIGTERM, signal.SIGKILL:
        net.lb.kill("lbd-ipvs", how)
        assert f"{VIP} . tcp . 81" in net.rules()
        net.lb.start("lbd-ipvs")
    change(net, check=False, setting={"ipvs_stop": "clear"})
    net.lb.kill("lbd-ipvs", signal.SIGTERM)
    assert "inet lbd" not in net.rules()
    net.lb.start("lbd-ipvs")
    wait_until(lambda: f"{VIP} . tcp . 81" in net.rules(), 20, "the rules are back")


def test_fault(net, tmp_path):
    """Without nft the daemon says so, in its state and its log, and puts it right when there is one."""
    lb = Lbd(tmp_path / "lbd", "lbd-ipvs", netns=net.node)
    (tmp_path / "nft").write_text("#!/bin/sh\necho 'x: Error: Could not process rule: Not supported' >&2\nexit 1\n")
    (tmp_path / "nft").chmod(0o755)
    lb.ctl("create", "nat", "web", "kind=dnat", f"outside={OUT}", f"inside={SERVER}")
    net.lb.kill("lbd-ipvs")
    lb.start(env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    wait_until(lambda: "nft: Could not process rule: Not supported" in lb.ctl("status", check=False).stdout + lb.text(), 20, "the fault")
    (tmp_path / "nft").unlink()
    wait_until(lambda: f"dnat ip to {SERVER}" in net.rules() and "Not supported" not in lb.ctl("status", check=False).stdout, 20, "mended")
    lb.stop()
    net.lb.start("lbd-ipvs")


def test_as_an_ordinary_user(net):
    """The unit's rights are enough: CAP_NET_ADMIN, and no other, for nft, the routing rule and the kernel's switches."""
    caps = "-all,+net_admin"
    r = net.node.run("setpriv", "--reuid", 65534, "--regid", 65534, "--clear-groups", f"--inh-caps={caps}", f"--ambient-caps={caps}",
                     "sh", "-c", "nft add table inet lbdt && nft delete table inet lbdt && ip rule add fwmark 5 lookup 5 && "
                     "ip rule del fwmark 5 lookup 5 && cat /proc/sys/net/ipv4/ip_forward > /proc/sys/net/ipv4/ip_forward", check=False)
    assert r.returncode == 0, r.stderr
