"""VRRP of lbd-ha with keepalived and FRR as the other node, in network namespaces: the wire and the state machine."""
import concurrent.futures
import contextlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

from lbdtest import wait_until
from vrrplib import GROUP4, Frr, Keepalived, Lan, Ours, have_frr, judge, vmac, write_pcap

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces"),
              pytest.mark.skipif(not shutil.which("keepalived") or not have_frr(), reason="needs keepalived and frr")]

VIP4, VIP6 = "10.0.0.100", "2001:db8::100"
VIPS = {4: ["10.0.0.100/24"], 6: ["fe80::100/64", "2001:db8::100/64"]}
SPOKEN = []  # (plain, frame): every advertisement of ours in all tests, for the last one


@pytest.fixture()
def lan(closing):
    lan = closing(Lan())
    yield lan
    SPOKEN.extend((x.when, x.frame) for x in lan.seen(node="a"))


def words(family=4, **kw):
    out = [f"vip={v}" for v in VIPS[family]]
    return ",".join(out + [k if v is True else f"{k}={v}" for k, v in {"vrid": 51, "ms": 50, **kw}.items()])


def only(lan, node, timeout=5, ms=50, family=None):
    wait_until(lambda: lan.masters(51, ms, family) == {node}, timeout, f"{node} alone: {lan.masters(51, ms, family)}")


COMBOS = {
    "keepalived-v3-ipv4": (Keepalived, 4, {}, {}),
    "keepalived-v3-ipv6": (Keepalived, 6, {}, {}),
    "keepalived-v3-ipv4-unicast": (Keepalived, 4, {"src": "10.0.0.1", "peer": "10.0.0.2"}, {
        "more": [" unicast_src_ip 10.0.0.2", " unicast_peer {", " 10.0.0.1", " }"]}),
    # keepalived 2.2.7 leaves the hop limit of IPv6 unicast to the kernel: 64.
    "keepalived-v3-ipv6-unicast": (Keepalived, 6, {"peer": "fe80::2", "minttl": 64}, {
        "more": [" unicast_src_ip fe80::2", " unicast_peer {", " fe80::1", " }"]}),
    "keepalived-v3-ipv4-old-unicast-checksum": (Keepalived, 4, {"peer": "10.0.0.2"}, {
        "more": [" old_unicast_checksum", " unicast_src_ip 10.0.0.2", " unicast_peer {", " 10.0.0.1", " }"]}),
    "keepalived-v3-ipv4-vmac": (Keepalived, 4, {"vmac": True}, {"more": [" use_vmac"]}),
    "keepalived-v3-ipv6-vmac": (Keepalived, 6, {"vmac": True}, {"more": [" use_vmac"]}),
    "keepalived-v3-ipv4-vmac-base": (Keepalived, 4, {"vmac_base": True}, {"more": [" use_vmac", " vmac_xmit_base"]}),
    "frr-v3-ipv4-vmac": (Frr, 4, {"vmac": True}, {}),
    "frr-v3-ipv4": (Frr, 4, {}, {}),
    "frr-v3-ipv6-vmac": (Frr, 6, {"vmac": True}, {}),
}


@pytest.fixture(scope="module")
def roles(tmp_path_factory):
    """What waits most of its time, four at once, each on a LAN of its own."""
    plays = {"version-2": play_version_2, **dict.fromkeys(COMBOS, play_roles)}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {k: pool.submit(on_a_lan, play, k, tmp_path_factory.mktemp(k)) for k, play in plays.items()}


@pytest.mark.parametrize("name", COMBOS)
def test_both_roles(name, roles):
    """A137, A152, S171: preempts, hands over with priority 0, is preempted, is cut off and heals; both sides in turn."""
    roles[name].result()


def on_a_lan(play, name, path):
    with contextlib.ExitStack() as stack:
        def closing(x):
            stack.callback(x.stop if hasattr(x, "stop") else x.close)
            return x

        lan = closing(Lan())
        play(name, lan, closing, path)
        if "old" not in name:  # tshark does not know that form of the checksum
            SPOKEN.extend((x.when, x.frame) for x in lan.seen(node="a"))


def play_roles(name, lan, closing, tmp_path):
    peer_class, family, ours, peers = COMBOS[name]
    peer = closing(peer_class(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[family], **peers))
    only(lan, "b")
    # Ours is better: it preempts, and takes what the other had.
    me = closing(Ours(lan.a, words(family, prio=200, **ours)))
    me.until("master")
    only(lan, "a")
    heard = time.monotonic()
    # Stopped: priority 0, and the other is there after its skew, before an interval is over.
    me.stop()
    left = [x for x in lan.seen(heard, node="a") if x.prio == 0]
    assert len(left) == 1
    only(lan, "b")
    first = [x for x in lan.seen(left[0].when, node="b")][0]
    assert first.when - left[0].when < 0.5
    # Back: preempts again.
    me = closing(Ours(lan.a, words(family, prio=200, **ours)))
    only(lan, "a")
    # Cut off: both are master. Healed: one within two intervals, ours has announced itself to the LAN.
    lan.cut("a")
    wait_until(lambda: lan.masters(51) == {"a", "b"})
    time.sleep(0.1)
    lan.cut("a", False)
    healed = time.monotonic()
    only(lan, "a")
    assert all(x.when - healed < 0.5 for x in lan.seen(healed, node="b"))
    # Preempted by the other: ours says once more that it was there, and drops.
    me.do("weight -100")
    me.until("backup")
    only(lan, "b")
    wait_until(lambda: lan.owners(VIP6 if family == 6 else VIP4) <= {"b"})
    # Cut off as the lower one, and healed: the winner is made to announce itself.
    lan.cut("a")
    wait_until(lambda: lan.masters(51) == {"a", "b"})
    before = len(announced(lan, "b", family))
    lan.cut("a", False)
    me.until("backup")
    only(lan, "b")
    if peer_class is Keepalived:
        wait_until(lambda: len(announced(lan, "b", family)) > before, what="keepalived as winner announces itself")
    # The other stops: priority 0, ours after its skew. It comes back: preempts.
    peer.stop()
    me.until("master")
    zero = [x for x in lan.seen(node="b") if x.prio == 0]
    assert zero and me.at("master") - zero[-1].when < 0.5
    counts = me.counts()
    assert counts["zero"] >= 1 and not {"checksum", "length", "ttl", "other addresses", "source"} & set(counts), counts
    me.stop()


def play_version_2(_, lan, closing, tmp_path):
    lans = lan, closing(Lan())
    auth = {"auth": "1111"}, {}
    more = [" authentication {", " auth_type PASS", " auth_pass 1111", " }"]
    mine = [closing(Ours(x.a, words(version=2, ms=1000, prio=254, **y))) for x, y in zip(lans, auth)]
    closing(Keepalived(lans[0].b, tmp_path, vrid=51, prio=250, vips=VIPS[4], ms=1000, version=2, more=more))
    closing(Frr(lans[1].b, tmp_path, vrid=51, prio=250, vips=VIPS[4], ms=1000, version=2))
    for x in lans:
        only(x, "a", ms=1000)
    for x, me, y in zip(lans, mine, auth):
        me.stop()
        only(x, "b", ms=1000)
        zero, first = x.seen(node="a")[-1], x.seen(node="b")[-1]
        assert zero.prio == 0 and first.when - zero.when < 0.6
        assert {advert.version for advert in x.seen()} == {2}
        again = closing(Ours(x.a, words(version=2, ms=1000, prio=100, **y)))
        wait_until(lambda: again.counts()["received"] >= 1)
        assert again.state() == "backup"


def announced(lan, node, family):
    """Frames of the node that announce the address."""
    raw = socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, VIP4 if family == 4 else VIP6)
    if family == 4:
        return [f for f in lan.of(node) if f[12:14] == b"\x08\x06" and f[28:32] == raw and f[38:42] == raw]
    return [f for f in lan.of(node) if f[12:14] == b"\x86\xdd" and f[20] == 58 and f[54] == 136 and f[62:78] == raw]


def test_version_2(roles):
    """A137: version 2, with keepalived's password and FRR without: elected, handed over by priority 0."""
    roles["version-2"].result()


def test_hand_over_loses_nothing(lan, closing, tmp_path):
    """A152: stopped as master it answers until the other is heard; a client that asks each 2 ms misses nothing."""
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    me = closing(Ours(lan.a, words(prio=200)))
    me.until("master")
    ping = subprocess.Popen([*lan.sw.prefix, "ping", "-q", "-i", "0.002", "-c", "400", VIP4], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: lan.owners(VIP4) == {"a"})
    me.stop()
    only(lan, "b")
    out = ping.communicate(timeout=20)[0]
    got = int(out.split(" received")[0].split()[-1])
    assert got >= 398, out


def test_who_is_master(lan, closing, tmp_path):
    """A140, S171, S174: nopreempt on both sides; equal priority: the higher address; 255 at once; delays measured."""
    peer = closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4], more=[" nopreempt"]))
    only(lan, "b")
    me = closing(Ours(lan.a, words(prio=200, nopreempt=True)))
    wait_until(lambda: me.counts()["received"] >= 6)
    assert me.states() == ["backup"]
    peer.stop()
    me.until("master")
    peer.start()
    time.sleep(0.6)
    assert lan.masters(51) == {"a"}, "keepalived does not preempt"
    me.stop()
    only(lan, "b")
    # Equal priorities: the configuration is said to be wrong, the higher address wins.
    me = closing(Ours(lan.a, words(prio=150)))
    wait_until(lambda: me.counts()["equal"] >= 2)
    lan.cut("a")
    me.until("master")
    lan.cut("a", False)
    me.until("backup")
    me.stop()
    # Preempt delay: not before it is over, and then after the time of silence.
    me = closing(Ours(lan.a, words(prio=254, preempt_delay=400)))
    began = me.at("backup")
    me.until("master")
    assert 0.4 <= me.at("master") - began < 1.5
    me.stop()
    # The owner of the addresses does not wait; with a startup delay it does.
    me = closing(Ours(lan.a, words(prio=255, ms=1000)))  # three seconds, if it did
    me.until("master")
    assert me.at("master") - int(me.lines[0].split()[0]) / 1e6 < 1
    me.stop()
    me = closing(Ours(lan.a, words(prio=255, startup_delay=300)))
    me.until("master")
    assert 0.28 <= me.at("master") - me.at("backup") < 1.2


def advert(prio=100, vrid=51, n=1, version=3, interval=10, addrs=VIP4, tail=b""):
    """The bytes of an advertisement; interval in hundredths."""
    middle = struct.pack(">H", interval)
    return bytes([version << 4 | 1, vrid, prio, n]) + middle + b"\0\0" + socket.inet_aton(addrs) + tail


def test_wrong_packets_move_nothing(lan, closing):
    """S171: whatever is wrong is counted under its own name, and the master stays one."""
    me = closing(Ours(lan.a, words(prio=100)))
    me.until("master")
    carp = bytes([0x21, 51, 0, 7, 0, 1, 0, 0]) + bytes(28)
    wrong = {
        "ttl": (advert(200), {"ttl": 254}),
        "checksum": (advert(200)[:6] + b"\1\2" + socket.inet_aton(VIP4), {"sums": False}),
        "version": (advert(200, version=5), {}),
        "other version": (advert(200, version=2, interval=1, tail=bytes(8)), {"plain": True}),
        "unknown router": (advert(200, vrid=52), {}),
        "length": (advert(200, n=9), {}),
        "too long": (advert(200, tail=b"1234"), {}),
        "no addresses": (advert(200, n=0), {}),
        "short": (b"\x31\x33\xc8\x01", {"sums": False}),
        "type": (b"\x32" + advert(200)[1:], {}),
        "other addresses": (advert(200, addrs="10.0.0.101"), {}),
        "interval 0": (advert(200, interval=0), {}),
        "carp": (carp, {"plain": True}),
        "source": (advert(200), {"dst": "10.0.0.1"}),
    }
    for payload, how in wrong.values():
        for _ in range(3):
            lan.inject("a", payload, **how)
    wait_until(lambda: set(wrong) <= set(me.counts()), what=f"{set(wrong) - set(me.counts())}")
    counts = me.counts()
    assert {k: counts[k] for k in wrong} == dict.fromkeys(wrong, 3)
    assert me.states() == ["backup", "master"] and counts["received"] == 0
    # Right ones do: a lower master is answered at once, priority 0 too, a higher one wins and its interval is learned.
    for prio in (50, 0):
        now = time.monotonic()
        lan.inject("a", advert(prio))
        wait_until(lambda: [x for x in lan.seen(now, node="a")])
    assert me.counts()["answers"] == 1
    lan.inject("a", advert(200, interval=4095))
    me.until("backup")
    assert me.counts()["interval"] == 40950000
    # The form of the checksum is the peer's from now on.
    lan.inject("a", advert(200, interval=10), plain=True)
    wait_until(lambda: any(x.endswith(" sum 0 plain") for x in me.lines))
    me.until("master")


def test_wrong_packets_of_version_2_and_unicast(lan, closing):
    """A137: version 2 wants the same interval and password; unicast wants a peer and the TTL that was set."""
    me = closing(Ours(lan.a, words(version=2, ms=1000, auth="secret"), words(6, vrid=53),
                      "vrid=52,ms=50,vip=10.0.0.101/24,peer=10.0.0.2,minttl=250"))
    two = dict(version=2, interval=0x0101)
    lan.inject("a", advert(200, tail=b"secret\0\0", **two), plain=True)
    lan.inject("a", advert(200, tail=b"Secret\0\0", **two), plain=True)
    lan.inject("a", advert(200, version=2, interval=0x0102, tail=b"secret\0\0"), plain=True)
    one = dict(vrid=52, addrs="10.0.0.101")
    lan.inject("a", advert(200, **one), src="10.0.0.2", dst="10.0.0.1", ttl=250)
    lan.inject("a", advert(200, **one), src="10.0.0.2", dst="10.0.0.1", ttl=249)
    lan.inject("a", advert(200, **one), src="10.0.0.3", dst="10.0.0.1")
    lan.inject("a", advert(200, **one), src="10.0.0.2", dst=GROUP4)
    six = bytes([0x31, 53, 200, 1, 0, 10, 0, 0]) + socket.inet_pton(socket.AF_INET6, VIP6)
    lan.inject("a", six, src="fe80::7", dst="ff02::12")
    lan.inject("a", six, src="fe80::7", dst="ff02::12", ttl=64)
    wait_until(lambda: me.counts(2).get("source") == 2 and me.counts(1).get("ttl") == 1)
    first, second, third = me.counts(0), me.counts(1), me.counts(2)
    assert (first["received"], first["authentication"], first["other interval"]) == (1, 1, 1)
    assert (third["received"], third["ttl"], third["source"]) == (1, 1, 2)
    assert second["received"] == 0 and second["not link-local"] == 1 and second["ttl"] == 1


@pytest.mark.parametrize("ms", [10, 50])
def test_short_intervals(ms, lan, closing, tmp_path):
    """A137: below a second; a backup with another interval learns the master's, ours and keepalived alike."""
    peer = closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4], ms=300))
    me = closing(Ours(lan.a, words(prio=200, ms=ms)))
    me.until("master")
    time.sleep(0.5)
    now = time.monotonic()
    time.sleep(0.3)
    n = len(lan.seen(now, node="a"))
    assert 3 <= n <= 300 / ms + 2
    assert len(lan.seen(now, node="b")) <= 3  # a busy machine may make ours late for once
    me.kill()  # nobody says goodbye: after three of our intervals, not of its own
    gone = time.monotonic()
    only(lan, "b", ms=300)
    assert lan.seen(gone, node="b")[0].when - gone < 0.6
    me = closing(Ours(lan.a, words(prio=100, ms=ms)))
    wait_until(lambda: me.counts()["interval"] == 300000, what="learned")
    peer.stop()


def test_freeze_and_thaw(lan, closing, tmp_path):
    """Fault matrix: a stopped process loses its role; continued, there is one master within two intervals."""
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    me = closing(Ours(lan.a, words(prio=200)))
    only(lan, "a")
    for _ in range(2):
        me.signal(signal.SIGSTOP)
        only(lan, "b")
        me.signal(signal.SIGCONT)
        thawed = time.monotonic()
        only(lan, "a")
        assert all(x.when - thawed < 0.5 for x in lan.seen(thawed, node="b"))


def test_restart_storm(lan, closing, tmp_path):
    """Restarts of either side in random order: always exactly one master afterwards."""
    dice = random.Random(51)
    peer = closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    me = closing(Ours(lan.a, words(prio=200)))
    for _ in range(5):
        if dice.random() < 0.6:
            me.stop()
            me = closing(Ours(lan.a, words(prio=dice.choice([100, 200]))))
        else:
            peer.stop()
            peer.start()
        time.sleep(dice.random() * 0.2)
        wait_until(lambda: len(lan.masters(51)) == 1 and len(lan.owners(VIP4)) == 1)


def test_virtual_mac(lan, closing):
    """S166, A145: the client's neighbour entry stays through a fail-over; a backup sends nothing with the virtual MAC."""
    extra = ["net.ipv6.conf.eth0.accept_ra=0"]
    for ns in (lan.a, lan.b):
        ns.run("sysctl", "-qw", *extra)
    spec = (words(vmac=True), words(6, vmac=True))
    a = closing(Ours(lan.a, *(s + ",prio=200" for s in spec)))
    b = closing(Ours(lan.b, *(s + ",prio=150" for s in spec)))
    for k in (0, 1):
        a.until("master", k)

    def neighbour(vip):
        lan.sw.run("ping", "-c1", "-W2", vip)
        return lan.sw.run("ip", "neigh", "show", vip).stdout.split("lladdr")[1].split()[0]

    def entries():
        return neighbour(VIP4), neighbour(VIP6)

    def port(family):
        text = lan.sw.run("bridge", "fdb", "show", "br", "br0").stdout
        return [x.split()[2] for x in text.splitlines() if x.startswith(vmac(51, family).hex(":")) and "permanent" not in x]

    want = (vmac(51).hex(":"), vmac(51, 6).hex(":"))
    assert entries() == want and port(4) == ["pa"] == port(6)
    quiet = time.monotonic()
    for _ in range(2):  # flaps of the backup's port
        lan.b.run("ip", "link", "set", "eth0", "down")
        b.until("fault")
        lan.b.run("ip", "link", "set", "eth0", "up")
        Lan.address(lan.b, "eth0", 2)
        b.until("backup")
    time.sleep(0.3)
    sent = [f for f in lan.of("b", quiet) if f[6:12] in (vmac(51), vmac(51, 6))]
    assert sent == [], "a backup sent with the virtual MAC"
    assert b.states()[-1] == "backup"
    for loser, winner, there in ((a, b, "pb"), (b, a, "pa")):
        loser.do("0 weight -180" if loser is a else "0 weight 0")
        loser.do("1 weight -180" if loser is a else "1 weight 0")
        if loser is b:
            a.do("0 weight 0")
            a.do("1 weight 0")
        for k in (0, 1):
            winner.until("master", k)
            loser.until("backup", k)
        moved = time.monotonic()
        wait_until(lambda: port(4) == [there] == port(6), 2)
        assert entries() == want
        node = "a" if loser is a else "b"
        time.sleep(0.5)
        late = [f for f in lan.of(node, moved) if f[6:12] in (vmac(51), vmac(51, 6))]
        assert late == [], "the loser sent with the virtual MAC after it was told"
    # A process that died leaves the macvlan; the next takes it.
    a.kill()
    a = closing(Ours(lan.a, spec[0] + ",prio=200"))
    assert any(" adopted 0" in x for x in a.lines)
    a.until("master")
    a.stop()
    assert "lbd4." not in lan.a.run("ip", "-o", "link").stdout
    # Only its addresses use the other MAC, advertisements do not.
    now = time.monotonic()
    a = closing(Ours(lan.a, words(prio=254, vmac_base=True)))
    a.until("master")
    assert {x.mac for x in lan.seen(now, node="a", family=4)} == {lan.mac["a"]}


def test_preflight_of_a_second_mac(lan, closing):
    """S167: a switch that lets only one address of the port pass is found out before the virtual MAC is used."""
    me = closing(Ours(lan.a, words(prio=200)))

    def probe(target):
        n = len(me.lines)
        me.do(f"probe {target}")
        return wait_until(lambda: [x.split()[-1] for x in me.lines[n:] if " probe " in x])[0]

    assert probe("10.0.0.2") == "passes"
    assert probe("10.0.0.77") == "unknown"
    mac = lan.mac["a"].hex(":")
    if not lan.filter(f"iifname pa ether saddr != {mac}", "prerouting"):
        pytest.skip("no bridge filter in this kernel")
    assert probe("10.0.0.2") == "blocked"


def test_sync_group(lan, closing):
    """A138: a fault of one takes all of them to the other node; a deaf one alone takes nothing."""
    spec = [f"vrid={k},ms=50,vip=10.0.0.{100 + k}/24" for k in (1, 2, 3)]
    a = closing(Ours(lan.a, *(s + ",prio=200" for s in spec), sync=True))
    b = closing(Ours(lan.b, *(s + ",prio=150" for s in spec), sync=True))

    def until(node, state):
        for k in range(3):
            node.until(state, k)

    until(a, "master")
    until(b, "backup")
    a.do("1 down")
    until(b, "master")
    until(a, "fault")
    a.do("1 up")
    until(a, "master")
    until(b, "backup")
    # b no longer hears one of them: it stays backup for all.
    assert lan.filter("ether type ip ip protocol 112 @th,8,8 2")
    time.sleep(0.6)
    assert [b.state(k) for k in range(3)] == ["backup"] * 3
    b.stop()
    a.stop()


def test_broadcast(lan, closing):
    """A148: where multicast is filtered, to everybody."""
    assert lan.filter("ether daddr 01:00:5e:00:00:12")
    a = closing(Ours(lan.a, words(prio=200, broadcast=True)))
    b = closing(Ours(lan.b, words(prio=150, broadcast=True)))
    a.until("master")
    wait_until(lambda: b.counts()["received"] >= 6)
    assert b.states() == ["backup"] and {x.dst for x in lan.seen()} == {"255.255.255.255"}
    a.stop()
    b.until("master")


def test_tracked_weights(lan, closing, tmp_path):
    """A139, the weights' part: what is tracked moves the priority, and the other node takes over and back."""
    closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    me = closing(Ours(lan.a, words(prio=200)))
    only(lan, "a")
    me.do("weight -60")
    only(lan, "b")
    assert {x.prio for x in lan.seen(node="a")} == {200, 140}
    me.do("weight 20")
    only(lan, "a")
    assert me.counts()["priority"] == 220
    lan.sw.run("ip", "link", "set", "pa", "down")  # the interface itself
    me.until("fault")
    only(lan, "b")
    lan.sw.run("ip", "link", "set", "pa", "up")
    only(lan, "a")


def test_many(lan, closing):
    """A137: 250 virtual routers on an interface; 255 addresses in one advertisement; more that are not advertised."""
    many = closing(Ours(lan.a, *(f"vrid={k},prio=255,ms=1000,vip=10.1.{k}.1/32" for k in range(1, 251))))
    wait_until(lambda: len({x.vrid for x in lan.seen()}) == 250)
    many.stop()
    assert len([x for x in lan.seen() if x.prio == 0]) == 250
    vips = ",".join(f"vip=10.2.0.{k}/32" for k in range(255))
    one = closing(Ours(lan.a, f"vrid=251,prio=255,ms=100,{vips},extra=10.3.0.1/32"))
    one.until("master")
    wait_until(lambda: lan.seen(vrid=251))
    assert lan.owners("10.3.0.1") == lan.owners("10.2.0.254") == {"a"}
    other = closing(Ours(lan.b, f"vrid=251,prio=100,ms=100,{vips}"))
    wait_until(lambda: other.counts()["received"] >= 3)


def test_tshark_finds_nothing_wrong(tmp_path):
    """A137: every advertisement that ours sent in the tests above: checksum, TTL, length, addresses, no complaint."""
    if not SPOKEN:
        pytest.skip("alone")
    path = tmp_path / "spoken.pcap"
    write_pcap(path, SPOKEN)
    verdicts = [judge(path, plain) for plain in (False, True)]
    assert len(verdicts[0]) == len(SPOKEN) > 500
    for pseudo, plain in zip(*verdicts):
        row = f"{pseudo} {plain}"
        assert "1" in (pseudo["vrrp.checksum.status"], plain["vrrp.checksum.status"]), row
        assert "255" in (pseudo["ip.ttl"], pseudo["ipv6.hlim"]) and not pseudo["_ws.malformed"], row
        addrs = (pseudo["vrrp.ip_addr"] or pseudo["vrrp.ipv6_addr"]).split(",")
        assert len(addrs) == int(pseudo["vrrp.addr_count"]), row
        if pseudo["vrrp.ipv6_addr"]:
            assert addrs[0].startswith("fe80:"), row
