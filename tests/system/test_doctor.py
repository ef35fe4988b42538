"""The doctor of layer 4: lbd-check's probes of real servers, lbctl diagnose, explain-server and doctor. Servers are network
namespaces that are broken on purpose; the scripts that are printed for them mend them. Nothing here needs ip_vs."""
import ctypes
import json
import socket
import subprocess

import pytest

from lbdtest import Lbd, Netns, Origin, wait_until

# Where two answer for one address, routers' errors go astray: those servers have services of their own.
SERVICES = {"web": ("10.77.0.100", "dr"), "arp": ("10.77.0.101", "dr"), "shop": ("10.77.0.102", "nat"), "seen": ("10.77.0.103", "tcp"),
            "web6": ("fd77::100", "dr"), "nd6": ("fd77::101", "dr")}
VIP, VIP6, VIPA, VIPN = (SERVICES[x][0] for x in ("web", "web6", "arp", "nd6"))
GATEWAY, PORT = "10.77.0.254", 8080
# Its own /etc over the machine's, so that what a script makes permanent is seen and gone afterwards.
PRIVATE_ETC = """mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w &&
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w none /etc && mkdir -p /etc/sysctl.d /etc/systemd/system && """


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    things = []
    try:
        yield Lab(lambda x: things.append(x) or x, tmp_path_factory.mktemp("lbd"))
    finally:
        for x in reversed(things):
            (x.stop if hasattr(x, "stop") else x.close)()


class Lab:
    """A switch; on it the node, a router to another network, and servers: 10.77.0.0/24, fd77::/64."""

    def __init__(self, closing, root):
        self.closing, self.hosts = closing, {}
        self.switch = closing(Netns())
        self.switch.run("ip", "link", "add", "br0", "type", "bridge")
        self.switch.run("ip", "link", "set", "br0", "up")
        self.node = self.host("node", 5)
        self.router = self.host("router", 1, gateway=None)
        # It has no way to other networks and says so, at once: Linux would send an error a second.
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                        "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        self.router.run("ip", "link", "add", "world", "type", "bridge")
        self.router.run("ip", "link", "set", "world", "up")
        for family, error in (("ip", "icmp type net-unreachable"), ("ip6", "icmpv6 type no-route")):
            self.router.run("ip", "-6" if family == "ip6" else "-4", "route", "add", "default", "dev", "world")
            self.router.run("nft", f"add table {family} t; add chain {family} t f {{ type filter hook forward priority 0; }}; "
                                   f"add rule {family} t f oif world reject with {error}")
        self.lb = closing(Lbd(root, "lbd-ha", "lbd-check", netns=self.node))
        for name, (vip, mode) in SERVICES.items():
            self.lb.ctl("create", "vip", name, f"address={vip}", f"ports={PORT}", f"mode={mode}")
        self.lb.ctl("fip", "add", f"{GATEWAY}/24")
        self.lb.start()
        self.server("web", "good", 11)
        self.server("web6", "good6", 21, listen="::")
        wait_until(lambda: all(s[0] in self.node.run("ip", "address").stdout for s in SERVICES.values()))

    def host(self, name, n, gateway="1"):
        ns = self.closing(Netns())
        ns.link(self.switch, "eth0", f"p{n}")
        self.switch.run("ip", "link", "set", f"p{n}", "master", "br0")
        ns.run("ip", "address", "add", f"10.77.0.{n}/24", "dev", "eth0")
        ns.run("ip", "address", "add", f"fd77::{n}/64", "dev", "eth0", "nodad")
        if gateway:
            ns.run("ip", "route", "add", "default", "via", f"10.77.0.{gateway}")
            ns.run("ip", "route", "add", "default", "via", f"fd77::{gateway}")
        self.hosts[name] = ns
        return ns

    def server(self, vip, name, n, *broken, listen="0.0.0.0", gateway="1"):
        """A server that does all that direct routing asks of it; then these commands break it."""
        ns = self.host(name, n, gateway)
        ns.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
        ns.run("ip", "address", "add", SERVICES[vip][0], "dev", "lo")
        with ns.inside():
            self.closing(Origin(name, address=listen, port=PORT))
        for command in broken:
            ns.run(*command.split())
        self.lb.rip(vip, name, 0, f"fd77::{n}" if "6" in vip else f"10.77.0.{n}")
        return ns

    def diagnose(self, vip):
        """{server: {finding: (status, text, fix)}}, the exit code, and the notes."""
        r = self.lb.ctl("diagnose", vip, "-o", "json", check=False)
        out = {}
        for f in json.loads(r.stdout):
            out.setdefault(f["server"], {})[f["finding"]] = (f["status"], f["text"], f["fix"])
        return out, r

    def wrong(self, vip):
        """{server: the findings that are wrong}; those of the other steps are no matter here."""
        r = self.lb.ctl("diagnose", vip, "-o", "json", check=False)
        out = {}
        for f in json.loads(r.stdout):
            if f["step"] == "probe":
                out.setdefault(f["server"], set()).update({f["finding"]} if f["status"] == "wrong" else ())
        return out

    def mend(self, vip, name, *options):
        """Runs what explain-server prints, twice; the files that it made."""
        text = self.lb.ctl("explain-server", f"{vip}/{name}", "--os", "linux", *options).stdout
        r = subprocess.run([*self.hosts[name].prefix, "sh", "-c", PRIVATE_ETC + "cat >/mnt/s; sh -e /mnt/s && sh -e /mnt/s; "
                            "echo exit $?; cd /mnt/u; find . -type f | while read f; do echo \"== $f\"; cat $f; done"],
                           input=text, capture_output=True, text=True, timeout=60)
        assert "\nexit 0\n" in "\n" + r.stdout, text + r.stdout + r.stderr
        files = dict(part.split("\n", 1) for part in r.stdout.split("exit 0\n", 1)[1].split("== ./")[1:])
        return files, text


BREAKS = [  # vip, server, number, what breaks it, what is named
    ("web", "good", 11, [], set(), {}),
    ("web", "novip", 12, [f"ip address del {VIP}/32 dev lo"], {"no_vip"}, {}),
    ("arp", "arp", 13, ["sysctl -qw net.ipv4.conf.all.arp_ignore=0"], {"arp_answers"}, {}),
    ("arp", "eth0", 14, [f"ip address del {VIPA}/32 dev lo", f"ip address add {VIPA}/24 dev eth0"], {"arp_answers"}, {}),
    ("web", "riponly", 15, [], {"vip_silent"}, {"listen": "10.77.0.15"}),
    ("web", "noway", 16, ["ip route del default"], {"return_path"}, {}),
    ("web", "dead", 17, ["ip route replace default via 10.77.0.99"], {"return_path"}, {}),
    ("web", "self", 18, ["ip route replace default via 10.77.0.5"], {"gateway_dr"}, {}),
    ("web6", "good6", 21, [], set(), {"listen": "::"}),
    ("web6", "novip6", 22, [f"ip address del {VIP6}/128 dev lo"], {"no_vip"}, {"listen": "::"}),
    ("nd6", "nd6", 23, [f"ip address del {VIPN}/128 dev lo", f"ip address add {VIPN}/128 dev eth0 nodad"], {"dad"},
     {"listen": "::"}),
    ("web6", "dup6", 24, [f"ip address del {VIP6}/128 dev lo", f"ip address add {VIP6}/128 dev eth0"], {"no_vip"},
     {"listen": "::"}),
    ("web6", "noway6", 25, ["ip -6 route del default"], {"return_path"}, {"listen": "::"}),
]


def test_each_break_is_named_and_mended(lab):
    """N11, S091, S218, S220, S221, S226, S228: a server that is right has nothing wrong; each that lacks one thing is told
    exactly that; what explain-server prints, run on the server, mends it."""
    for vip, name, n, commands, _, options in BREAKS:
        if name not in lab.hosts:
            lab.server(vip, name, n, *commands, **options)
    every = {}
    for vip in ("web6", "nd6", "arp", "web"):
        found, r = lab.diagnose(vip)
        every.update(found)
        found = {k: {w for w, f in v.items() if f[0] == "wrong"} for k, v in found.items() if k}
        assert found == {b[1]: b[4] for b in BREAKS if b[0] == vip}
    mac = lab.hosts["arp"].run("cat", "/sys/class/net/eth0/address").stdout.strip()
    assert f"{mac} answers ARP for {VIPA}" in every["arp"]["arp_answers"][1]
    assert every["good"]["return_path"] == ("right", "its answer to 198.18.71.68 went to router 10.77.0.1", "")
    assert r.returncode == 1 and "fails at step" in r.stderr
    for name, f in every.items():
        assert all(fix for status, _, fix in f.values() if name and status in ("wrong", "doubtful")), f
    assert "explain-server web/novip" in every["novip"]["no_vip"][2]
    assert "via 10.77.0.1;" in every["noway"]["return_path"][2]

    for vip, name, *_ in BREAKS:
        files, _ = lab.mend(vip, name, *(["--method", "iptables"] if name == "riponly" else []))
        assert f"systemd/system/lbd-{vip}.service" in files
        if name == "arp":
            assert "arp_ignore = 1" in files["sysctl.d/90-lbd-arp.conf"]
    for vip in ("web", "arp", "web6", "nd6"):
        assert not any(lab.wrong(vip).values())


def test_what_is_permanent(lab):
    """S220: the files that the script leaves do the same at the next start."""
    ns = lab.server("web", "boot", 31)
    files, _ = lab.mend("web", "boot")
    ns.run("ip", "address", "del", f"{VIP}/32", "dev", "lo")
    ns.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=0", "net.ipv4.conf.all.arp_announce=0")
    assert lab.wrong("web")["boot"] == {"no_vip"}
    for line in files["systemd/system/lbd-web.service"].splitlines():
        if line.startswith("ExecStart="):
            ns.run(*line.split("=", 1)[1].lstrip("-").split())
    for line in files["sysctl.d/90-lbd-arp.conf"].splitlines():
        ns.run("sysctl", "-qw", line.replace(" ", ""))
    assert not lab.wrong("web")["boot"]


def test_a_server_is_not_disturbed(lab):
    """The probes are a few packets, and leave no half-open connection behind."""
    def packets(ns):
        return int(ns.run("cat", "/sys/class/net/eth0/statistics/rx_packets").stdout)
    ns = lab.server("web", "quiet", 41)
    before = packets(ns)
    lab.wrong("web")
    others = len(lab.lb.json("get", "rip", "web/"))
    # Broadcasts for the others (two each at most, and their answers), checks, and 12 of its own.
    assert packets(ns) - before < 40 + 4 * others
    assert ns.run("ss", "-Hnt", "state", "syn-recv").stdout == ""


def test_who_is_not_there(lab):
    """S218, S228: nobody at the address; nothing at the port; a stranger that claims the virtual address."""
    lab.lb.rip("web", "gone", 0, "10.77.0.51")
    ns = lab.host("closed", 52)
    ns.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
    ns.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
    lab.lb.rip("web", "closed", 0, "10.77.0.52")
    stranger = lab.host("stranger", 53)
    stranger.run("ip", "address", "add", f"{VIP}/32", "dev", "eth0")
    found = lab.wrong("web")
    assert found["gone"] == {"unreachable"} and found["closed"] == {"rip_silent"} and found[None] == {"arp_answers"}
    stranger.run("ip", "address", "del", f"{VIP}/32", "dev", "eth0")
    assert lab.wrong("web")[None] == set()


def test_udp(lab):
    """S091: a port of UDP that nobody listens on is told by the server itself; silence proves nothing, but a reset from the virtual
    address proves that the server has it."""
    lab.lb.ctl("create", "vip", "dns", "address=10.77.0.103", "ports=53", "mode=dr", "protocol=udp")
    for name, n, has in (("nodns", 71, True), ("dns", 72, True), ("barens", 73, False)):
        ns = lab.host(name, n)
        ns.run("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")
        if has:
            ns.run("ip", "address", "add", "10.77.0.103/32", "dev", "lo")
        if name != "nodns":
            with ns.inside():
                s = lab.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                s.bind(("10.77.0.72" if has else "0.0.0.0", 53))
        lab.lb.rip("dns", name, 0, f"10.77.0.{n}")
    found, _ = lab.diagnose("dns")
    assert found["nodns"]["rip_silent"][0] == "wrong" and found["nodns"]["vip_silent"][0] == "wrong"
    assert found["dns"]["rip_silent"][0] == "unknown" and found["dns"]["vip_silent"][0] == "wrong"  # bound to its own address
    assert found["dns"]["no_vip"][0] == "right" and found["barens"]["no_vip"][0] == "wrong"


def test_gateway_of_nat(lab):
    """S227, S086: the default gateway of a NAT server is proved from outside; the script makes the floating address the
    gateway, and with one arm sends answers to clients of the servers' network through it too."""
    lab.server("shop", "right", 61, f"ip route replace default via {GATEWAY}")
    ns = lab.server("shop", "other", 62)
    found, _ = lab.diagnose("shop")
    assert found["right"]["gateway"][0] == "right" and found["other"]["gateway"][0] == "wrong"
    assert f"via {GATEWAY}" in found["other"]["gateway"][2] and "no_vip" not in found["other"]
    assert "via 10.77.0." not in ns.run("ip", "route", "get", "10.77.0.61").stdout
    _, text = lab.mend("shop", "other")
    assert not any(lab.wrong("shop").values()), text
    assert f"via {GATEWAY}" in ns.run("ip", "route", "get", "10.77.0.61").stdout
    assert f"via {GATEWAY}" not in ns.run("ip", "route", "get", GATEWAY).stdout


def test_gateway_of_transparent_services(lab):
    """S101: servers of layer 7 that see the client must have this node as gateway: the answer to a client from outside is awaited
    here, and the script mends what is not so. Others of layer 7 need nothing; a name is not probed."""
    lab.server("seen", "through", 63, f"ip route replace default via {GATEWAY}")
    lab.server("seen", "past", 64)
    lab.lb.ctl("create", "rip", "seen/named", "address=nobody.invalid", f"port={PORT}")
    assert not any(f["step"] == "probe" for f in json.loads(lab.lb.ctl("diagnose", "seen", "-o", "json", check=False).stdout))
    r = lab.lb.ctl("explain-server", "seen/past", "--os", "linux", check=False)
    assert r.returncode == 7 and "asks nothing of its servers" in r.stderr
    lab.lb.ctl("set", "vip", "seen", "transparent=yes")
    found, r = wait_until(lambda: (x := lab.diagnose("seen")) and "past" in x[0] and x)
    assert r.returncode == 1 and found["through"]["gateway"][0] == "right" and found["past"]["gateway"][0] == "wrong"
    assert "its answer to 198.18.71.68 did not come to this node" in found["past"]["gateway"][1]
    assert f"via {GATEWAY}" in found["past"]["gateway"][2] and "explain-server seen/past" in found["past"]["gateway"][2]
    assert found["named"]["not_probed"][0] == "unknown" and "DNS name" in found["named"]["not_probed"][1]
    doctor = json.loads(lab.lb.ctl("doctor", "-o", "json", check=False).stdout)
    assert any("did not come to this node" in json.dumps(f) for f in doctor)
    _, text = lab.mend("seen", "past")
    assert not any(lab.wrong("seen").values()), text


def test_without_the_right(lab):
    """Without CAP_NET_RAW lbd-check says so, for each server, and diagnose how to give it."""
    lab.lb.kill("lbd-check", 15)
    lab.lb.start("lbd-check", preexec=lambda: ctypes.CDLL(None).prctl(24, 13, 0, 0, 0))  # PR_CAPBSET_DROP CAP_NET_RAW
    try:
        found, _ = lab.diagnose("web")
        status, text, fix = found["good"]["not_probed"]
        assert status == "unknown" and "CAP_NET_RAW" in text and "lbd-check" in fix
    finally:
        lab.lb.kill("lbd-check", 15)
        lab.lb.start("lbd-check")


def test_steps(lab):
    """S218: device active, address up, servers up, connection state: the first step that fails is named."""
    found, r = lab.diagnose("web")
    assert found[None]["passive"][0] == "right" and found[None]["not_held"][:2] == ("right", f"{VIP} is on eth0")
    assert "fails at step connections" in r.stderr  # no lbd-ipvs here
    lab.lb.ctl("disable", "web6")
    found, r = lab.diagnose("web6")
    assert found[None]["disabled"][0] == "wrong" and "lbctl enable web6" in found[None]["disabled"][2]
    wait_until(lambda: lab.diagnose("web6")[0][None]["not_held"][0] == "wrong")
    assert "fails at step address" in lab.diagnose("web6")[1].stderr
    lab.lb.kill("lbd-ha", 15)
    assert "fails at step device" in lab.diagnose("web6")[1].stderr
    lab.lb.start("lbd-ha")
    lab.lb.ctl("diagnose", "nothing", check=False).returncode == 3


def test_bad_input(lab):
    """Each is refused, naming the option, the value and what is allowed."""
    for args, code, says in (
            (["explain-server", "web/good", "--os", "vms"], 2, "linux, bsd, macos, solaris and windows"),
            (["explain-server", "web/good", "--method", "magic"], 2, "sysctl and iptables"),
            (["explain-server", "web/good", "--interface", "eth0; reboot"], 7, "cannot be the name"),
            (["explain-server", "web/good", "--os", "windows", "--loopback", "a'b"], 7, "cannot be the name"),
            (["explain-server", "web/good", "--os", "bsd", "--method", "iptables"], 7, "allowed is linux"),
            (["explain-server", "web6/good6", "--method", "iptables"], 7, "not for IPv6"),
            (["explain-server", "web/nobody"], 3, "does not exist"),
            (["explain-server", "web/*"], 2, "one server")):
        r = lab.lb.ctl(*args, check=False)
        assert r.returncode == code and says in r.stderr and r.stdout == "", (args, r.stderr)
