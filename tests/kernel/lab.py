"""The networks that the tests of layer 4 stand in: every machine is a network namespace, made and removed by the test.

                client 10.0.9.0/24            front 10.0.1.0/24          back 10.0.2.0/24
    c1, c2 ------------------------- router ------------------- node ------------------- s1, s2, ...  (two arms)
    .11 .12                     .254   | .254               .1                .1         .11 .12      (router: .254 here too)
                                       far 10.0.3.0/24 ------ servers made with far=True (.11 ...)
    One arm: the servers stand in front, beside the node. IPv6 is the same with fd00:N::/64 (fd00:2::11).

    lab = closing(Lab(servers=3))                  # arms=1 for one arm
    lab.hold()                                     # the node has the virtual addresses VIP and VIP6 (lbd-ha does it otherwise)
    for s in lab.servers: s.nat(); s.listen(8080)
    lab.ipvsadm("-A -t 10.0.1.100:80 -s rr", *(f"-a -t 10.0.1.100:80 -r {s.address}:8080 -m" for s in lab.servers))
    assert lab.spread(30) == {"s1": 10, "s2": 10, "s3": 10}
    assert lab.table()["TCP 10.0.1.100:80"].servers["10.0.2.11:8080"].forward == "Masq"
    lb = closing(lab.lbd(tmp_path, "lbd-ipvs", "lbd-check")); lb.vip("web", address=VIP, port=80, mode="nat", ...); lb.start()

Servers tell their name and the client's address that they see, and echo: echo.py. Captures of packets: wire.py."""
import contextlib
import dataclasses
import fcntl
import itertools
import os
import pathlib
import re
import socket
import subprocess

from echo import Echo, flows, spread
from lbdtest import Lbd, Netns
from wire import Capture

VIP, VIP6 = "10.0.1.100", "fd00:1::100"
TUNNELS = {"ipip": ["ipip", "ip6_tunnel", "sit"], "gre": ["ip_gre", "ip6_gre"], "gue": ["ipip", "ip6_tunnel", "sit", "fou", "fou6"]}
NETS = {"front": 1, "back": 2, "far": 3, "client": 9}


def address(net, host, family=4):
    return f"10.0.{NETS[net]}.{host}" if family == 4 else f"fd00:{NETS[net]}::{host}"


def is6(a):
    return ":" in a


class Host(Netns):
    """A machine. plugs: {network: interface}; address and address6: its first ones."""

    def __init__(self, name):
        self.name = f"lbdt{os.getpid()}x{next(Netns._number)}"
        self.prefix = ["ip", "netns", "exec", self.name]
        self.ip_command = ["ip", "-n", self.name]
        self.host, self.plugs, self.address, self.address6 = name, {}, None, None

    @staticmethod
    def batch(word, hosts):
        """All in one run of ip: with an emulated processor, starting a program is what takes time."""
        subprocess.run(["ip", "-force", "-batch", "-"], input="".join(f"netns {word} {h.name}\n" for h in hosts), text=True,
                       check=word == "add", capture_output=True)

    def first(self):
        """Settings that its interfaces inherit."""
        for family in "ipv4", "ipv6":
            for scope in "all", "default", "lo":
                self.sysctl(**{f"{family}/conf/{scope}/{'rp_filter' if family == 'ipv4' else 'accept_dad'}": 0})

    def sysctl(self, **values):
        """sysctl(**{"ipv4/conf/all/arp_ignore": 1}): below /proc/sys/net of this namespace."""
        with self.inside():
            for k, v in values.items():
                pathlib.Path("/proc/sys/net", k).write_text(str(v))

    def ip(self, *lines):
        """ip commands, one a line, in one run of ip."""
        r = subprocess.run([*self.ip_command, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True)
        if r.returncode != 0:
            raise AssertionError(f"ip on {self.host}: {r.stderr}\n" + "\n".join(lines))

    def mac(self, net="front"):
        with self.inside(), socket.socket() as s:  # /sys would show the namespace that mounted it
            return fcntl.ioctl(s, 0x8927, self.plugs[net].encode().ljust(40, b"\0"))[18:24].hex(":")  # SIOCGIFHWADDR

    def at(self, vip):
        """Its own address of the family of vip."""
        return self.address6 if is6(vip) else self.address

    def gateway(self, v4, v6):
        """The default routes go there from now on."""
        self.ip(f"route replace default via {v4}", f"route replace ::/0 via {v6}")

    def hold(self, *addresses, dev="lo"):
        """Has these addresses too (/32, /128), IPv6 not as a source: a server takes no tunnel from an address of its own."""
        self.ip(*(f"addr replace {a}/{128 if is6(a) else 32} dev {dev}" + (" nodad preferred_lft 0" if is6(a) else "") for a in addresses))

    def drop(self, *addresses, dev="lo"):
        self.ip(*(f"addr del {a}/{128 if is6(a) else 32} dev {dev}" for a in addresses))


class Machine(Host):
    """The machine that the test runs on, as the node: for the product as installed. In the guest only."""

    def __init__(self, name):
        assert os.environ.get("LBD_GUEST")
        super().__init__(name)
        self.name, self.prefix, self.ip_command = str(os.getpid()), [], ["ip"]

    @contextlib.contextmanager
    def inside(self):
        yield self


class Server(Host):
    """A real server in network net; .listen() makes it answer."""

    def __init__(self, name, net, echo):
        super().__init__(name)
        self.net, self.echo = net, echo

    def listen(self, port, protocol="tcp"):
        """Answers on every address of the machine; close() of what it returns ends that."""
        return self.echo.listen(self, port, protocol)

    def nat(self):
        """The node is the gateway, as NAT needs it."""
        self.gateway(address(self.net, 1), address(self.net, 1, 6))

    def silent(self):
        """Does not answer or tell ARP for what stands on lo (Linux method 2)."""
        self.sysctl(**{f"ipv4/conf/{c}/{k}": v for c in ("all", "lo") for k, v in (("arp_ignore", 1), ("arp_announce", 2))})

    def dr(self, *vips):
        """Takes packets for the virtual addresses and answers the client itself."""
        self.silent()
        self.hold(*(vips or (VIP, VIP6)))

    def tun(self, *vips, kind="ipip", port=6080):
        """The same behind a tunnel: ipip (with its kinds for IPv6, and one family in the other), gre or gue."""
        self.dr(*vips)
        devices = ["gre0", "ip6gre0"] if kind == "gre" else ["tunl0", "ip6tnl0", "sit0"]
        subprocess.run(["modprobe", "-a", *TUNNELS[kind]], check=True)
        self.ip(*(f"link set {d} up" for d in devices))
        if "ip6tnl0" in devices:  # as it is made it takes IPv6 only
            self.run("ip", "-6", "tunnel", "change", "ip6tnl0", "mode", "any")
        if kind == "gue":
            for family in [], ["-6"]:
                self.run("ip", "fou", "add", "port", port, "gue", *family)
        self.sysctl(**{f"ipv4/conf/{d}/rp_filter": 0 for d in devices})


@dataclasses.dataclass
class Dest:
    """A server's line of ipvsadm -Ln: forward is Masq, Route or Tunnel."""
    forward: str
    weight: int
    active: int
    inactive: int


@dataclasses.dataclass
class Service:
    """A service's line: flags is the rest of the line, "persistent 300 mask 255.255.255.0" for example."""
    scheduler: str
    flags: str
    servers: dict


def parse_table(text):
    """{"TCP 10.0.1.100:80": Service, "FWM 5": ..., "FWM 6 IPv6": ...} of the output of ipvsadm -Ln."""
    out = {}
    for line in text.splitlines()[3:]:
        if m := re.match(r"  -> (\S+)\s+(\S+)\s+(\d+)\s+(\d+)\s+(\d+)", line):
            service.servers[m[1]] = Dest(m[2], *map(int, m.groups()[2:]))
        elif m := re.match(r"(\w+)\s+(\S+(?: IPv6)?) (\S+) ?(.*?)\s*$", line):
            out[f"{m[1]} {m[2]}"] = service = Service(m[3], m[4], {})
    return out


class Lab:
    """The picture above. clients, servers: how many; far: which servers (numbers from 1) stand behind the router; here: the
    node is this machine."""

    def __init__(self, servers=2, clients=1, arms=2, far=(), here=False):
        self.here, self.arms, self.stack, self.echo = here, arms, contextlib.ExitStack(), Echo()
        self.stack.callback(self.echo.close)
        try:
            self._make(servers, clients, far)
        except BaseException:
            self.close()
            raise

    def _make(self, servers, clients, far):
        inner = "back" if self.arms == 2 else "front"
        self.wire, self.router, self.node = Host("wire"), Host("router"), (Machine if self.here else Host)("node")
        self.clients = [Host(f"c{i + 1}") for i in range(clients)]
        self.servers = [Server(f"s{i + 1}", "far" if i + 1 in far else inner, self.echo) for i in range(servers)]
        self.client = self.clients[0]
        hosts = [self.wire, self.router, self.node, *self.clients, *self.servers]
        made = [h for h in hosts if not isinstance(h, Machine)]
        self.stack.callback(Host.batch, "del", made)
        Host.batch("add", made)
        for h in hosts:
            h.first()
        nets = ["client", "front", *(["back"] if self.arms == 2 else []), *(["far"] if far else [])]
        self.wire.ip(*itertools.chain(*((f"link add {n} type bridge mcast_snooping 0", f"link set {n} up") for n in nets)))
        for h in self.router, self.node:
            h.sysctl(**{"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, "ipv4/conf/all/send_redirects": 0,
                        "ipv4/conf/default/send_redirects": 0})
        legs = [(self.router, n, 254) for n in nets] + [(self.node, n, 1) for n in nets if n in ("front", "back")]
        legs += [(c, "client", 11 + i) for i, c in enumerate(self.clients)]
        legs += [(s, s.net, 11 + i) for i, s in enumerate(self.servers)]
        self._plug(legs)

    def _plug(self, legs):
        """Gives each host its interfaces eth0, eth1, ... in the order of legs, and the router as its gateway."""
        lines = []
        for h, net, _ in legs:
            h.plugs[net] = f"eth{len(h.plugs)}"
            port = f"{h.host}-{net}"
            lines += [f"link add {port} type veth peer name {h.plugs[net]} netns {h.name}", f"link set {port} master {net} up"]
        self.wire.ip(*lines)
        for h in dict.fromkeys(h for h, _, _ in legs):
            lines = ["link set lo up"]
            for _, net, host in (x for x in legs if x[0] is h):
                h.address, h.address6 = h.address or address(net, host), h.address6 or address(net, host, 6)
                lines += [f"link set {h.plugs[net]} up", f"addr add {address(net, host)}/24 dev {h.plugs[net]}",
                          f"addr add {address(net, host, 6)}/64 dev {h.plugs[net]} nodad"]
            if h is not self.router:
                first = next(iter(h.plugs))
                lines += [f"route add default via {address(first, 254)}", f"route add ::/0 via {address(first, 254, 6)}"]
            h.ip(*lines)

    def hold(self, *vips):
        """The node has the virtual addresses on its front interface."""
        self.node.hold(*(vips or (VIP, VIP6)), dev=self.node.plugs["front"])

    def ipvsadm(self, *lines):
        """Rules for the node's kernel, one a line, in one run."""
        r = subprocess.run([*self.node.prefix, "ipvsadm", "-R"], input="\n".join(lines) + "\n", capture_output=True, text=True)
        assert r.returncode == 0 and not r.stderr, r.stderr

    def table(self):
        """The node's kernel table as ipvsadm reads it: parse_table()."""
        return parse_table(self.node.run("ipvsadm", "-Ln").stdout)

    def conns(self):
        """The kernel's connection entries: lists of protocol, expiry, state, client, virtual and real address."""
        return [x.split() for x in self.node.run("ipvsadm", "-Lnc").stdout.splitlines()[2:]]

    def lbd(self, root, *daemons):
        """Daemons on the node, not yet started."""
        return Lbd(root, *daemons, netns=self.node)

    def spread(self, n, vip=VIP, port=80, protocol="tcp", client=None, source=None):
        """n new connections (UDP: requests) of a client: Counter of who answered, None for nobody."""
        return spread(client or self.client, n, vip, port, protocol, source)

    def flows(self, n, vip=VIP, port=80, protocol="tcp", client=None, source=None):
        """n connections that stay open; each is a Flow with .server and .seen (the address that the server saw)."""
        return flows(client or self.client, n, vip, port, protocol, source)

    def capture(self, host, net="front"):
        """What the host's interface in that network sends and receives from now on."""
        tap = Capture(host, host.plugs[net])
        self.stack.callback(tap.close)
        return tap

    def close(self):
        self.stack.close()
