"""lbd-ha with routers of other makes: keepalived and FRR, in network namespaces, by VRRP.

One node is lbd-ha, the other a peer of another make, both on a bridge with a client (class Lan of vrrplib)."""
import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from lbdtest import BIN, Lbd, alive, wait_until
from test_ha_roles import Duo
from vrrplib import Frr, Keepalived, Lan, have_frr, vmac

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces"),
              pytest.mark.skipif(not shutil.which("keepalived") or not have_frr(), reason="needs keepalived and frr")]

VIP = {4: "10.0.0.100", 6: "2001:db8::100"}
ADVERT = b"\x31\x33\xc8\x01\x00\x0a\x00\x00" + bytes([10, 0, 0, 100])  # number 51, priority 200, 100 ms
VIPS = {4: ["10.0.0.100/24"], 6: ["fe80::100/64", "2001:db8::100/64"]}


class Node:
    """lbd-ha in a node's namespace, with floating addresses and virtual routers. fields: {name: {field: value}}. site: more
    of the configuration, for other daemons beside it."""

    def __init__(self, ns, root, routers, fips, daemons=("lbd-ha",), site=None):
        self.ns = ns
        self.lb = Lbd(root, *daemons, netns=ns)
        if site:
            self.lb.ctl("apply", "-f", "-", input=json.dumps(site))
        for i, (address, fields) in enumerate(fips.items()):
            self.lb.ctl("create", "fip", f"f{i}", f"address={address}", *words(fields))
        for name, fields in routers.items():
            self.lb.ctl("create", "vrrp", name, *words({"interface": "eth0", **fields}))
        self.start()

    def start(self):
        self.lb.start()

    def set(self, name="v", **fields):
        self.lb.ctl("set", "vrrp", name, *words(fields))

    def status(self):
        return self.lb.json("ha", "status")

    def router(self, name="v"):
        return next((x for x in self.status()["vrrps"] if x["name"] == name), None)

    def state(self, name="v"):
        return (self.router(name) or {}).get("state")

    def until(self, state, name="v", timeout=10):
        wait_until(lambda: self.state(name) == state, timeout, f"{state}: {self.router(name)}")

    def core(self):
        pids = subprocess.run(["ip", "netns", "pids", self.ns.name], capture_output=True, text=True).stdout.split()
        return [int(p) for p in pids if alive(int(p)) and b"--core" in open(f"/proc/{p}/cmdline", "rb").read()]

    def leave(self):
        """As systemd stops it."""
        self.lb.stop()
        wait_until(lambda: not self.core(), what="the core ends")

    def stop(self):
        self.lb.stop()
        print(self.lb.text())  # shown when a test fails
        subprocess.run([*self.ns.prefix, BIN / "lbd-ha", "--release", "--root", self.lb.root], check=True)
        assert not self.core()
        assert not self.devices()

    def devices(self):
        """Names of macvlans and ipvlans of ours."""
        return [x["ifname"] for x in json.loads(self.ns.run("ip", "-j", "link").stdout)
                if x["ifname"].startswith(("lbd4.", "lbd6.", "lbi4.", "lbi6."))]


def words(fields):
    return [f"{k}={v}" for k, v in fields.items()]


@pytest.fixture()
def lan(closing):
    return closing(Lan())


def only(lan, node, ms=50, vrid=51, family=None, timeout=10):
    wait_until(lambda: lan.masters(vrid, ms, family) == {node}, timeout, f"{node} alone: {lan.masters(vrid, ms, family)}")


def node(lan, path, family=4, fips=None, **fields):
    routers = {"v": {"vrid": 51, "interval": "50ms", "priority": 200, "family": f"ipv{family}", **fields}}
    return Node(lan.a, path / "lbd", routers, fips or {a: {"interface": "eth0"} for a in VIPS[family]})


# ours, and what the peer is given beside number, priority and addresses
COMBOS = {
    "keepalived-v3-ipv4": (Keepalived, 4, {}, {}),
    "keepalived-v3-ipv6": (Keepalived, 6, {}, {}),
    "keepalived-v3-ipv4-unicast": (Keepalived, 4, {"way": "unicast", "source": "10.0.0.1", "peers": "10.0.0.2"}, {
        "more": [" unicast_src_ip 10.0.0.2", " unicast_peer {", " 10.0.0.1", " }"]}),
    "keepalived-v3-ipv4-mac": (Keepalived, 4, {"virtual_mac": "yes"}, {"more": [" use_vmac"]}),
    "keepalived-v3-ipv6-mac": (Keepalived, 6, {"virtual_mac": "yes"}, {"more": [" use_vmac"]}),
    "keepalived-v3-ipv4-mac-base": (Keepalived, 4, {"virtual_mac": "yes", "base_transmit": "yes"}, {
        "more": [" use_vmac", " vmac_xmit_base"]}),
    "keepalived-v2-ipv4": (Keepalived, 4, {"version": 2, "interval": "1s", "password": "1111"}, {
        "version": 2, "ms": 1000, "more": [" authentication {", " auth_type PASS", " auth_pass 1111", " }"]}),
    "frr-v3-ipv4-mac": (Frr, 4, {"virtual_mac": "yes"}, {}),
    "frr-v3-ipv6-mac": (Frr, 6, {"virtual_mac": "yes"}, {}),
    "frr-v2-ipv4-mac": (Frr, 4, {"version": 2, "interval": "1s", "virtual_mac": "yes"}, {"version": 2, "ms": 1000}),
}


@pytest.fixture(scope="module")
def roles(tmp_path_factory):
    """What waits most of its time, three at once, each on a LAN of its own."""
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        yield {k: pool.submit(on_a_lan, k, tmp_path_factory.mktemp(k)) for k in COMBOS}


def on_a_lan(name, path):
    with contextlib.ExitStack() as stack:
        def closing(x):
            stack.callback(x.stop if hasattr(x, "stop") else x.close)
            return x

        play_roles(name, closing(Lan()), closing, path)


@pytest.mark.parametrize("name", COMBOS)
def test_both_roles(name, roles):
    """S171, A137, A145: takes over from the peer, hands over with priority 0, takes over again, is cut off and heals, and is
    taken over from; versions, families, ways, with and without virtual MAC."""
    roles[name].result()


def play_roles(name, lan, closing, tmp_path):
    peer_class, family, ours, peers = COMBOS[name]
    ms = peers.get("ms", 50)
    second = ms / 1000
    peer = closing(peer_class(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[family], **peers))
    only(lan, "b", ms)
    # Ours is better: it preempts, and takes what the other had.
    me = closing(node(lan, tmp_path, family, **ours))
    only(lan, "a", ms)
    me.until("master")
    if peer_class is Keepalived:  # FRR's addresses are always on its macvlan
        wait_until(lambda: lan.owners(VIP[family]) == {"a"})
    # Stopped: priority 0, and the other is there after its skew, before an interval is over.
    heard = time.monotonic()
    me.leave()
    left = [x for x in lan.seen(heard, node="a") if x.prio == 0]
    assert len(left) == 1
    only(lan, "b", ms)
    first = [x for x in lan.seen(left[0].when, node="b")][0]
    assert first.when - left[0].when < max(0.5, second)
    wait_until(lambda: "a" not in lan.owners(VIP[family]))
    # Back: preempts again.
    me.start()
    only(lan, "a", ms)
    me.until("master")
    # Cut off: both are master. Healed: one within two intervals.
    lan.cut("a")
    wait_until(lambda: lan.masters(51, ms) == {"a", "b"})
    lan.cut("a", False)
    healed = time.monotonic()
    only(lan, "a", ms)
    assert all(x.when - healed < max(0.5, 2 * second) for x in lan.seen(healed, node="b"))
    # Less than the other from now on: the addresses go there.
    me.set(priority=100)
    me.until("backup")
    only(lan, "b", ms)
    wait_until(lambda: "a" not in lan.owners(VIP[family]))
    # The other stops: priority 0, ours after its skew. It comes back: preempts.
    peer.stop()
    me.until("master")
    zero = [x for x in lan.seen(node="b") if x.prio == 0]
    ours_after = [x for x in lan.seen(zero[-1].when, node="a")]
    assert ours_after[0].when - zero[-1].when < max(0.5, second)
    router = me.router()
    assert router["zero_received"] >= 1 and router["advice"] == "" and not router["discarded"], router
    if peer_class is Keepalived:  # vrrpd does not find its macvlan a second time
        peer.start()
        me.until("backup")
        only(lan, "b", ms)
    assert {x.version for x in lan.seen()} == {ours.get("version", 3)}


def test_shown(lan, closing, tmp_path):
    """S171, S174: state, master, priority and each kind of discarded packet, by ha status and get; settings that do not fit."""
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=200, vips=VIPS[4]))
    only(lan, "b")
    me = closing(node(lan, tmp_path))
    me.until("backup")
    wait_until(lambda: me.router()["master"] == "10.0.0.2")
    wait_until(lambda: me.router()["advice"] == "Another router has priority 200 too: give the preferred one more.")
    for _ in range(3):
        lan.inject("a", ADVERT, ttl=254)
        lan.inject("a", ADVERT[:6] + b"\1\2" + ADVERT[8:], sums=False)
        lan.inject("a", ADVERT[:1] + b"\x63" + ADVERT[2:])
        lan.inject("a", ADVERT[:8] + socket.inet_aton("10.0.0.101"))
    want = {"ttl": 3, "checksum": 3, "unknown router": 3, "other addresses": 3}
    wait_until(lambda: me.router()["discarded"] == want, what=f"{me.router()}")
    assert "other addresses" in me.router()["advice"]
    row = me.lb.json("get", "vrrp", "v")[0]
    assert row["vrid"] == 51 and row["status"]["state"] == "backup" and row["status"]["discarded"] == want
    table = me.lb.ctl("get", "vrrps", "-o", "wide").stdout.splitlines()
    assert "STATUS" in table[0] and "backup" in table[1] and "10.0.0.2" in table[1] and "ttl=3" in table[1]
    status = me.status()
    assert status["state"] == "passive" and status["words"] == "VRRP | Passive | Master of 0 of 1 virtual routers"
    text = me.lb.ctl("ha", "status").stdout
    assert "v: backup since" in text and "discarded ttl=3,checksum=3" in text
    assert me.state() == "backup"
    # What cannot take part says why, and takes part when it can.
    me.lb.ctl("create", "vrrp", "w", "interface=eth9", "vrid=52")
    me.until("fault", "w")
    assert me.router("w")["fault"] == "interface eth9 does not exist, or has no address"
    me.lb.ctl("set", "vrrp", "w", "interface=eth0", "group=2")
    wait_until(lambda: me.router("w")["fault"] == "no floating IPv4 address of group 2 is on eth0")
    me.lb.ctl("create", "fip", "g", "address=10.0.0.102", "group=2")
    me.until("master", "w")
    wait_until(lambda: lan.owners("10.0.0.102") == {"a"})
    me.lb.ctl("delete", "vrrp", "w", "-y")
    wait_until(lambda: me.router("w") is None)
    wait_until(lambda: [x for x in lan.seen(vrid=52) if x.prio == 0], what="it said goodbye")
    wait_until(lambda: "forever" in me.ns.run("ip", "addr", "show", "to", "10.0.0.102").stdout, what="this node's for good")


def test_who_is_master(lan, closing, tmp_path):
    """A140: no preemption on either side; preempt delay and startup delay, measured."""
    peer = closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4], more=[" nopreempt"]))
    only(lan, "b")
    me = closing(node(lan, tmp_path, preempt="no"))
    wait_until(lambda: (me.router() or {"received": 0})["received"] >= 8)
    assert me.state() == "backup"
    peer.stop()
    me.until("master")
    peer.start()
    came = time.monotonic()
    wait_until(lambda: len(lan.seen(came, node="a")) > 30)
    assert lan.masters(51) == {"a"}, "keepalived does not preempt"
    me.leave()
    only(lan, "b")
    peer.stop()
    peer = closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    only(lan, "b")
    me.set(preempt="yes", preempt_delay="1s")
    began = time.monotonic()
    me.start()
    only(lan, "a")
    assert lan.seen(began, node="a")[0].when - began > 1
    me.leave()
    only(lan, "b")
    me.set(preempt_delay="0s", startup_delay="1500ms")
    before = time.monotonic()
    me.start()
    only(lan, "a")
    assert lan.seen(before, node="a")[0].when - before > 1.5


def test_faults_of_this_node(lan, closing, tmp_path):
    """A139, S172: no carrier, a track of weight 0: fault, and the other node at once; another weight lowers the priority."""
    hand = tmp_path / "hand"
    hand.write_text("0\n")
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    me = closing(node(lan, tmp_path))
    only(lan, "a")
    lan.sw.run("ip", "link", "set", "pa", "down")
    me.until("fault")
    only(lan, "b")
    wait_until(lambda: lan.owners(VIP[4]) == {"b"})
    lan.sw.run("ip", "link", "set", "pa", "up")
    only(lan, "a")
    me.until("master")
    me.lb.ctl("create", "track", "hand", "kind=file", f"target={hand}", "weight=60")
    hand.write_text("1\n")
    wait_until(lambda: me.router()["priority"] == 140)
    only(lan, "b")
    me.until("backup")
    me.lb.ctl("set", "track", "hand", "weight=0")
    me.until("fault")
    hand.write_text("0\n")
    me.until("master")
    only(lan, "a")


def test_core_and_side_die(lan, closing, tmp_path):
    """Fault matrix: the core killed goes on as master, unnoticed; the side killed or frozen too; both killed: the addresses go
    by themselves, and the other node has them."""
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4], ms=1000))
    me = closing(node(lan, tmp_path, interval="1s"))
    me.until("master")
    only(lan, "a", 1000)
    began = time.monotonic()
    old = me.core()
    os.kill(old[0], signal.SIGKILL)
    wait_until(lambda: me.core() not in ([], old))
    me.until("master")
    assert me.router()["masters"] == 1  # of this core
    me.lb.kill("lbd-ha")
    killed = time.monotonic()
    wait_until(lambda: len(lan.seen(killed, node="a")) >= 3, what="the core goes on alone")
    me.start()
    me.until("master")
    os.kill(me.lb.pid("lbd-ha"), signal.SIGSTOP)
    frozen = time.monotonic()
    wait_until(lambda: len(lan.seen(frozen, node="a")) >= 3, what="the core does not wait for the side")
    os.kill(me.lb.pid("lbd-ha"), signal.SIGCONT)
    assert not lan.seen(began, node="b"), "the other node has noticed something"
    assert not [x for x in lan.seen(began, node="a") if x.prio == 0]
    os.kill(me.lb.pid("lbd-ha"), signal.SIGSTOP)
    for pid in [*me.core(), me.lb.pid("lbd-ha")]:
        os.kill(pid, signal.SIGKILL)
    me.lb.process.pop("lbd-ha").wait()
    wait_until(lambda: lan.owners(VIP[4]) == {"b"}, what="the lease ends")


def test_frozen_core(lan, closing, tmp_path):
    """Fault matrix: a core that stands still loses the addresses; continued, there is one master."""
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    me = closing(node(lan, tmp_path))
    only(lan, "a")
    os.kill(me.core()[0], signal.SIGSTOP)
    only(lan, "b")
    wait_until(lambda: lan.owners(VIP[4]) == {"b"})
    os.kill(me.core()[0], signal.SIGCONT)
    thawed = time.monotonic()
    only(lan, "a")
    wait_until(lambda: lan.owners(VIP[4]) == {"a"})
    assert all(x.when - thawed < 0.5 for x in lan.seen(thawed, node="b"))


def test_settings_change_under_way(lan, closing, tmp_path):
    """Goal 20: priority, addresses, commits of other things: the master stays, and misses no advertisement."""
    # It must not take who advertises one address more for nobody, however long that one is there.
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4], ms=1000, globals_=[" vrrp_skip_check_adv_addr"]))
    me = closing(node(lan, tmp_path, interval="1s", any_addresses="yes"))
    only(lan, "a", 1000)
    began = time.monotonic()
    me.set(priority=210)
    me.lb.ctl("create", "fip", "more", "address=10.0.0.103")
    wait_until(lambda: "a" in lan.owners("10.0.0.103"))
    for i in range(20):
        me.set(comment=f"{i}")
    wait_until(lambda: [x for x in lan.seen(began, node="a") if x.prio == 210])
    me.lb.ctl("delete", "fip", "more", "-y")
    wait_until(lambda: not lan.owners("10.0.0.103"))
    assert me.router()["masters"] == 1 and not [x for x in lan.seen(began) if x.prio == 0 or x.port == "b"]


def test_sync_group(lan, closing, tmp_path):
    """A138: two virtual routers on two networks, one goes: both go, and come back together."""
    lan.sw.run("ip", "link", "add", "br1", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    lan.sw.run("ip", "link", "set", "br1", "up")
    for n, ns in (("a", lan.a), ("b", lan.b)):
        ns.link(lan.sw, "eth1", "q" + n)
        lan.sw.run("ip", "link", "set", "q" + n, "master", "br1")
        ns.run("ip", "addr", "add", f"10.1.0.{lan.NODES[n]}/24", "dev", "eth1")
    both = {"front": {"vrid": 51, "interval": "50ms", "sync": "both"},
            "back": {"vrid": 52, "interval": "50ms", "sync": "both", "interface": "eth1", "group": 2}}
    fips = {"10.0.0.100": {}, "10.1.0.100": {"group": 2}}
    a, b = (closing(Node(ns, tmp_path / n, {k: {**v, "priority": prio} for k, v in both.items()}, fips))
            for n, ns, prio in (("a", lan.a, 200), ("b", lan.b, 150)))

    def until(node, state):
        for name in both:
            node.until(state, name)

    def owned(name):
        wait_until(lambda: lan.owners("10.0.0.100") == lan.owners("10.1.0.100") == {name},
                   what=f"{lan.owners('10.0.0.100')} {lan.owners('10.1.0.100')}")

    until(a, "master")
    until(b, "backup")
    owned("a")
    lan.sw.run("ip", "link", "set", "qa", "down")
    until(b, "master")
    until(a, "fault")
    owned("b")
    lan.sw.run("ip", "link", "set", "qa", "up")
    until(a, "master")
    until(b, "backup")
    owned("a")
    a.leave()
    until(b, "master")
    owned("b")


@pytest.mark.parametrize("peer_class", [Keepalived, Frr])
def test_virtual_mac(peer_class, lan, closing, tmp_path):
    """S166, A145: the client's neighbour entry is the same before and after each failover; the switch follows; a backup sends
    nothing with the virtual MAC."""
    more = {"more": [" use_vmac"]} if peer_class is Keepalived else {}
    if peer_class is Frr:  # it leaves to its user that eth0 does not answer for its macvlan
        lan.b.run("sh", "-c", "cd /proc/sys/net/ipv4/conf/eth0; echo 1 >arp_ignore; echo 2 >arp_announce")
    peer = closing(peer_class(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4], **more))
    only(lan, "b")
    mac = vmac(51).hex(":")

    def reached(port):
        lan.sw.run("ping", "-c", "1", "-W", "1", VIP[4], check=False)
        fdb = [x for x in lan.sw.run("bridge", "fdb", "show", "br", "br0").stdout.splitlines() if x.startswith(mac)]
        neighbour = lan.sw.run("ip", "neigh", "show", VIP[4]).stdout
        return any(f"dev {port} " in x for x in fdb) and f"lladdr {mac}" in neighbour

    wait_until(lambda: reached("pb"))
    me = closing(node(lan, tmp_path, virtual_mac="yes"))
    me.until("master")
    only(lan, "a")
    wait_until(lambda: reached("pa"))
    assert me.router()["mac"] == mac
    lan.sw.run("ping", "-c", "2", "-W", "1", "-i", "0.2", VIP[4])
    me.set(priority=100)
    me.until("backup")
    only(lan, "b")
    quiet = time.monotonic()
    wait_until(lambda: reached("pb"))
    lan.sw.run("ping", "-c", "2", "-W", "1", "-i", "0.2", VIP[4])
    assert "state UP" not in me.ns.run("ip", "-o", "link", "show", "type", "macvlan").stdout
    peer.stop()
    me.until("master")
    assert not [f for f in lan.of("a", quiet) if f[6:12] == vmac(51)
                and f[12:14] not in (b"\x08\x00", b"\x08\x06")], "more than IPv4 and ARP with the virtual MAC"
    wait_until(lambda: reached("pa"))
    me.set(virtual_mac="no")
    wait_until(lambda: not me.devices(), what="the macvlan is gone")
    me.until("master")


def test_preflight(lan, closing, tmp_path):
    """S167: a switch that lets only one hardware address of the port pass is found out, and said, before it matters; a ping node
    on the network is asked, else the master that is heard."""
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=200, vips=VIPS[4], more=[" use_vmac", " vmac_xmit_base"]))
    only(lan, "b")
    mac = lan.mac["a"].hex(":")
    if not lan.filter(f"iifname pa ether saddr != {mac}", "prerouting"):
        pytest.skip("no bridge filter in this kernel")
    me = closing(node(lan, tmp_path, priority=100, virtual_mac="yes"))
    wait_until(lambda: "lets no second hardware address pass" in (me.router() or {"advice": ""})["advice"])
    assert "interface eth0: no second hardware address passes the switch" in me.lb.text()
    me.leave()
    lan.sw.run("nft", "flush", "ruleset")
    asked = time.monotonic()
    me.lb.ctl("create", "pingnode", "client", "address=10.0.0.9")
    me.start()

    def probed():
        """Hardware addresses from which somebody without an address asks for the ping node's."""
        return {f[6:12] for f in lan.of("a", asked) if f[12:14] == b"\x08\x06" and f[28:32] == bytes(4)
                and f[38:42] == socket.inet_aton("10.0.0.9")}

    wait_until(lambda: len(probed()) == 2)
    assert lan.mac["a"] in probed() and me.router()["advice"] == ""


def test_face_of_a_pair(closing, tmp_path):
    """S166, section 4.2: in a pair the pair decides; the virtual MAC moves with the role, a client's neighbour entry stays; a
    router outside hears one master all the time, and takes over when the whole pair is gone."""
    duo = Duo(tmp_path, closing)
    (tmp_path / "k").mkdir()
    for lb, prio in zip(duo.nodes, (200, 190)):
        lb.ctl("create", "vrrp", "v", "interface=eth0", "vrid=51", "virtual_mac=yes", f"priority={prio}")
    closing(Keepalived(duo.client, tmp_path / "k", vrid=51, prio=100, vips=["10.9.0.100/32"], ms=1000))
    mac = vmac(51).hex(":")

    def entry():
        return duo.client.run("ip", "neigh", "show", "10.9.0.100").stdout

    def routers():
        return [x["vrrps"][0]["state"] if x.get("vrrps") else "none" for x in duo.states()]

    def outside():
        return "10.9.0.100" in duo.client.run("ip", "-4", "addr", "show").stdout

    duo.echoes()
    wait_until(lambda: routers() == ["master", "backup"] and not outside(), what=f"{routers()}")
    with duo.probes():
        wait_until(lambda: f"lladdr {mac}" in entry(), what=entry)
    outages = []
    for roles in (["passive", "active"], ["active", "passive"]):
        with duo.probes() as p:
            duo.nodes[roles.index("passive")].ctl("ha", "failover")
            duo.settle(roles)
            wait_until(lambda: routers() == [{"active": "master", "passive": "backup"}[x] for x in roles])
            assert f"lladdr {mac}" in entry() and not outside()
        outages.append(p.outage())
    with duo.probes() as p:
        os.kill(duo.core(0), signal.SIGSTOP)
        wait_until(lambda: duo.holds()[1])
        assert f"lladdr {mac}" in entry() and not outside()
        wait_until(lambda: not duo.holds()[0], what="the lease ends")
    os.kill(duo.core(0), signal.SIGCONT)
    duo.settle(["passive", "active"])
    outages.append(p.outage())
    print(outages)
    assert max(outages) < 500
    for lb in duo.nodes:
        lb.stop()
    wait_until(outside, what="the router outside has the address")
