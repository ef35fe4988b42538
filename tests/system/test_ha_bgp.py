"""Floating addresses announced by BGP while they are served: two sites with FRR and BIRD, a router with FRR, and a pair."""
import os
import shutil
import subprocess
import time

import pytest

from bgplib import Bgp, Bird, Watch, have_bgp, hops
from lbdbus import HEALTH, Bus
from lbdtest import BIN, ROOT, SLOW, Lbd, Netns, die_with_parent, listens, wait_until
from test_ha_notify import check, script
from test_ha_roles import VIP as PAIR_VIP
from test_ha_roles import Duo

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces"),
              pytest.mark.skipif(not have_bgp(), reason="needs frr and bird2")]

VIP = "192.0.2.10"
CLIENT = "10.0.0.1"  # on the router's loopback: of two ways it would otherwise choose its source by one and send by the other
FETCH = f"""
import http.client
c = http.client.HTTPConnection("{VIP}", 80, timeout=5, source_address=("{CLIENT}", 0))
c.request("GET", "/")
print(c.getresponse().read().decode().strip())
"""


class Site:
    """A single node with its servers (on 127.0.0.1) and one service on VIP; its servers answer with its name."""

    def __init__(self, number, router, tmp_path, closing):
        self.number, self.name, self.dir = number, f"site{number}", tmp_path / f"site{number}"
        self.ns, self.closing, self.server = closing(Netns()), closing, None
        self.own, self.gate = f"10.{number}.0.2", f"10.{number}.0.1"
        self.ns.link(router, "eth0", f"s{number}")
        self.ns.run("ip", "addr", "add", f"{self.own}/24", "dev", "eth0")
        router.run("ip", "addr", "add", f"{self.gate}/24", "dev", f"s{number}")
        self.ns.run("ip", "route", "add", "default", "via", self.gate)
        self.lb = Lbd(self.dir / "lbd", "lbd-check", "lbd-proxy", "lbd-ha", netns=self.ns)
        for name in ("www", "sorry"):
            (self.dir / name).mkdir()
        (self.dir / "www/index.html").write_text(self.name)
        (self.dir / "sorry/index.html").write_text("sorry " + self.name)
        self.processes = {}
        closing(self)
        self.up(True)
        # Soon down and soon up, and no slow answer of a busy machine is a failure.
        self.ctl("create", "check", "page", "kind=http", "interval=1s", "fast=100ms", "slow=100ms", "timeout=1s", "fall=2", "rise=1",
                 "jitter=0")
        self.ctl("create", "vip", "web", f"address={VIP}", "ports=80", "mode=http", "check=page")
        self.ctl("create", "rip", "web/a", "address=127.0.0.1", "port=8080")

    def ctl(self, *args, **kw):
        return self.lb.ctl(*args, **kw)

    def serve(self, folder, port):
        self.processes[folder] = subprocess.Popen(
            [*self.ns.prefix, "python3", "-m", "http.server", "-d", self.dir / folder, str(port)],
            stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        wait_until(lambda: listens("0.0.0.0", port, self.ns), what=f"{folder} of {self.name}")

    def up(self, on):
        """The servers of the site."""
        if on:
            self.serve("www", 8080)
        else:
            p = self.processes.pop("www")
            p.kill()
            p.wait()

    def route(self):
        """(what routers are told, why) of VIP, as lbctl ha status shows it."""
        a = next((a for a in self.lb.json("ha", "status")["addresses"] if a["name"] == f"{VIP}/32"), {})
        return a.get("route"), a.get("route_cause")

    def tell(self, name, *words, **fields):
        """A row for routes, with the packaged script."""
        path = self.lb.root / "etc/lbd/notify"
        path.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "configs/notify" / name, path)
        self.ctl("create", "notify", "bgp", "on=route", f"script={' '.join(map(str, [name, *words]))}",
                 *(f"{k}={v}" for k, v in fields.items()))

    def has(self):
        return VIP in self.ns.run("ip", "-4", "addr", "show").stdout

    def release(self):
        subprocess.run([*self.ns.prefix, BIN / "lbd-ha", "--release", "--root", self.lb.root], check=True)

    def stop(self):
        self.lb.stop()
        print(self.lb.text())  # shown when a test fails
        self.release()
        for p in self.processes.values():
            p.kill()
            p.wait()


class Sites:
    """A router (AS 65000) between two sites: the first with FRR (65001), the second with BIRD (65002)."""

    def __init__(self, tmp_path, closing, prepend=0, **fields):
        self.router = closing(Netns())
        self.router.run("ip", "addr", "add", f"{CLIENT}/32", "dev", "lo")
        self.one, self.two = self.sites = [Site(i, self.router, tmp_path, closing) for i in (1, 2)]
        self.bgp = closing(Bgp(self.router, tmp_path, 65000, CLIENT, {"10.1.0.2": 65001, "10.2.0.2": 65002}, [
            " bgp bestpath as-path multipath-relax", " address-family ipv4 unicast", "  maximum-paths 2"]))
        self.frr = closing(Bgp(self.one.ns, tmp_path, 65001, "10.1.0.2", {"10.1.0.1": 65000}))
        self.bird = closing(Bird(self.two.ns, tmp_path, 65002, "10.2.0.2", "10.2.0.1", 65000, prepend))
        self.one.tell("route-frr", 65001, "--vty_socket", self.frr.dir, **fields)
        self.two.tell("route-table", 108)
        for s in self.sites:
            s.lb.start()

    def via(self, *sites, what=None):
        want = {s.own for s in sites}
        wait_until(lambda: hops(self.router, VIP) == want, 20,
                   what or f"routes via {want}: {hops(self.router, VIP)} {[s.route() for s in self.sites]}")

    def get(self):
        """What a client behind the router is answered; "": nothing."""
        return self.router.run("python3", "-c", FETCH, check=False).stdout.strip()


@pytest.fixture()
def anycast(tmp_path, closing):
    return Sites(tmp_path, closing, refresh="1s")


def test_anycast(anycast):
    """A023: each of two nodes announces the address while its servers are well: the router loses the way to one that has no
    quorum, and gets it back; the time of it is shown."""
    one, two = anycast.sites
    anycast.via(one, two, what="both")
    assert one.route() == two.route() == ("announced", "it is on this node, and served")
    assert check(one.lb, "notify")["bgp"] == ("good", "exit code 0")
    text = one.ctl("ha", "status").stdout
    assert "announced" in text and "BECAUSE" in text.upper()
    watch = one.closing(Watch(anycast.router, VIP))
    times = []
    for _ in range(3):
        with Bus(one.lb.root, "lbd-check") as bus:
            bus.subscribe(HEALTH)
            wait_until(lambda: [m for _, name, m in bus.read() if name == "QUORUM" and m["met"]], what="subscribed")
            one.up(False)
            lost = []

            def gone():
                lost.extend([time.monotonic()] if [1 for _, name, m in bus.read() if name == "QUORUM" and not m["met"]] else [])
                return watch.read() and watch.seen[-1][1] == {two.own}
            wait_until(gone, 10, "withdrawn")
            wait_until(lambda: lost or gone(), 1)
        times.append(1000 * (watch.seen[-1][0] - lost[0]))
        wait_until(lambda: one.route() == ("withdrawn", "vip web: no quorum: weight 0 of 1"), what=one.route)
        assert {anycast.get() for _ in range(5)} == {"site2"}
        one.up(True)
        anycast.via(one, two, what="back")
    print(f"from quorum loss to the withdrawal in the router's kernel: {', '.join(f'{t:.0f} ms' for t in times)}")
    assert min(times) < 1000 * SLOW


def test_daemons_come_and_go(anycast):
    """A023: what becomes of the route when lbd-ha or its routing daemon is killed, restarted or stopped."""
    one, two = anycast.sites
    anycast.via(one, two)
    # Killed: the route stays, with the address; what changed meanwhile is told at the next start.
    one.lb.kill("lbd-ha")
    one.up(False)
    with Bus(one.lb.root, "lbd-check") as bus:
        bus.subscribe(HEALTH)
        wait_until(lambda: [m for _, name, m in bus.read() if name == "QUORUM" and not m["met"]], what="no quorum")
    assert hops(anycast.router, VIP) == {one.own, two.own} and one.has()
    one.lb.start("lbd-ha")
    anycast.via(two, what="told at the start")
    one.up(True)
    anycast.via(one, two)
    # lbd-check and lbd-proxy are restarted: nobody is told anything.
    log = len(one.lb.text())
    for name in ("lbd-check", "lbd-proxy"):
        one.lb.kill(name)
        one.lb.start(name)
    wait_until(lambda: one.route()[0] == "announced" and anycast.get() in ("site1", "site2"))
    assert "fip" not in one.lb.text()[log:], one.lb.text()[log:]
    # lbd-proxy stays away: the address is not served.
    one.lb.kill("lbd-proxy")
    anycast.via(two, what="lbd-proxy is gone")
    wait_until(lambda: one.route() == ("withdrawn", "vip web: lbd-proxy does not run"), what=one.route)
    one.lb.start("lbd-proxy")
    anycast.via(one, two)
    # bgpd starts without the route, and is told again; while it is away that is shown.
    anycast.frr.stop_bgpd()
    anycast.via(two, what="no session")
    wait_until(lambda: check(one.lb, "notify")["bgp"][0] == "bad", what="shown")
    anycast.frr.start()
    anycast.via(one, two, what="told again")
    assert check(one.lb, "notify")["bgp"][0] == "good"
    # Stopped alone: the address stays for the next start, and the route with it. Released: both are gone, the route first.
    one.lb.kill("lbd-ha", 15)
    assert hops(anycast.router, VIP) == {one.own, two.own} and one.has()
    one.release()
    anycast.via(two, what="released")
    assert not one.has() and "network" not in anycast.frr.show("show running-config").stdout
    one.lb.start("lbd-ha")
    anycast.via(one, two)
    # A row that is taken out takes back what it told.
    one.ctl("delete", "notify", "bgp", "-y")
    anycast.via(two, what="the row is gone")
    assert one.route()[0] == ""
    wait_until(lambda: not (one.lb.root / "run/lbd/lbd-ha.routes-told").read_text(), what="nothing to take back any more")


def test_second_site(tmp_path, closing):
    """S180: a router prefers the first site; clients are at the second while the first has no servers, at the first again
    afterwards; at the page of the first when no site has servers. A bad track moves them too."""
    sites = Sites(tmp_path, closing, prepend=1)
    one, two = sites.sites
    one.serve("sorry", 8081)
    one.ctl("set", "vip", "web", "fallback=127.0.0.1", "fallback_port=8081")
    sites.via(one, what="the preferred one")
    assert sites.get() == "site1"
    one.up(False)
    sites.via(two, what="the second")
    assert sites.get() == "site2"
    wait_until(lambda: one.route() == ("last resort", "vip web: no quorum: weight 0 of 1"))
    wait_until(lambda: sites.bgp.path_of(VIP, one.own) == " ".join(["65001"] * 4), what="still known, as the last resort")
    two.up(False)
    sites.via(one, what="the page of the first")
    assert sites.get() == "sorry site1" and two.route() == ("withdrawn", "vip web: no quorum: weight 0 of 1")
    two.up(True)
    sites.via(two)
    one.up(True)
    sites.via(one, what="back at the first")
    assert sites.get() == "site1"
    (tmp_path / "state").write_text("1")
    one.ctl("create", "track", "works", "kind=file", f"target={tmp_path}/state")
    sites.via(two, what="a track is bad")
    assert one.route() == ("last resort", "a track of weight 0 is bad: this node is not fit")
    (tmp_path / "new").write_text("0")
    (tmp_path / "new").rename(tmp_path / "state")
    sites.via(one, what="it is good again")


def test_which_services_count(tmp_path, closing):
    """A023: any service of an address, a required one, and one that is ignored."""
    sites = Sites(tmp_path, closing)
    one, two = sites.sites
    sites.via(one, two)
    one.ctl("create", "vip", "mail", f"address={VIP}", "ports=25", "mode=tcp")  # no server
    wait_until(lambda: one.lb.json("get", "vip", "mail")[0], what="there")
    wait_until(lambda: listens("0.0.0.0", 25, one.ns) or listens(VIP, 25, one.ns), what="in force")
    sites.via(one, two, what="web serves")
    one.ctl("set", "vip", "mail", "advertise=required")
    sites.via(two, what="mail is required")
    assert one.route() == ("withdrawn", "vip mail: no quorum: weight 0 of 1")
    one.ctl("set", "vip", "mail", "advertise=ignored")
    sites.via(one, two, what="mail is ignored")
    one.up(False)
    sites.via(two)
    one.ctl("set", "vip", "web", "advertise=ignored")
    sites.via(one, two, what="nothing counts: the address is enough")
    one.ctl("disable", "web")
    one.ctl("disable", "mail")
    sites.via(two, what="the address is not one any more")


def test_pair(tmp_path, closing):
    """A023: in a pair the active node announces, the other does not; the route moves with the role, and is withdrawn when the
    active node is stopped or killed."""
    duo = Duo(tmp_path, closing)
    duo.a.ctl("set", "vip", "web", "advertise=ignored")  # it has no servers
    duo.a.ctl("set", "setting", "ha_dead=2s", "ha_interval=100ms")  # nothing moves because the machine is busy
    wait_until(lambda: "ha_dead: 2s" in duo.b.ctl("get", "setting", "-o", "yaml").stdout, what="times")
    router = closing(Bgp(duo.client, tmp_path, 65000, "10.9.0.9", {"10.9.0.1": 65001, "10.9.0.2": 65001}))
    for i, n in enumerate(duo.nodes):
        frr = closing(Bgp(duo.ns[i], tmp_path, 65001, f"10.9.0.{i + 1}", {"10.9.0.9": 65000}))
        script(n, "route-frr", (ROOT / "configs/notify/route-frr").read_text())
        n.ctl("create", "notify", "bgp", "on=route", f"script=route-frr 65001 --vty_socket {frr.dir}")

    def at(i):
        wait_until(lambda: router.show(f"show bgp ipv4 unicast {PAIR_VIP}/32").stdout.count("from 10.9.0.") == 1 and
                   hops(duo.client, PAIR_VIP) == {f"10.9.0.{i + 1}"}, 30, f"the route of node {i}")
    at(0)
    for i in (1, 0, 1):
        duo.a.ctl("ha", "failover")
        at(i)
    routes = [{a["name"]: (a["route"], a["route_cause"]) for a in n.json("ha", "status")["addresses"]} for n in duo.nodes]
    assert [r[f"{PAIR_VIP}/32"] for r in routes] == [("withdrawn", "it is not on this node"),
                                                     ("announced", "it is on this node, and no service counts")]
    # Killed whole: the kernel takes the address away, bgpd the route of what is not there.
    core = duo.core(1)
    duo.b.kill("lbd-ha")
    os.kill(core, 9)
    at(0)
    duo.b.start()
    duo.settle(["active", "passive"])
    duo.a.ctl("ha", "failover")
    at(1)
    duo.b.stop()  # the other takes over, and this one has told its router before it ends
    at(0)
    duo.a.stop()
    wait_until(lambda: hops(duo.client, PAIR_VIP) == set(), 1, "told before the end")


NOTE = """#!/bin/sh
echo "$LBD_VIP $LBD_PREFIX $LBD_FAMILY $LBD_OLD $LBD_NEW $LBD_PREFERENCE $LBD_GROUP $LBD_INTERFACE $LBD_CAUSE" >>"$1"
test -e "$2"
"""


def test_scripts(tmp_path, closing):
    """What a script is told; one that fails is shown and run again; each address is told, however many and however slow."""
    ns = closing(Netns())
    lb = closing(Lbd(tmp_path / "lbd", "lbd-ha", netns=ns))
    out, go = tmp_path / "told", tmp_path / "go"
    script(lb, "note", NOTE)
    lb.ctl("create", "fip", "four", "address=192.0.2.1")
    lb.ctl("create", "notify", "n", "on=route", f"script=note {out} {go}", "refresh=0")
    lb.start()
    wait_until(lambda: check(lb, "notify")["n"] == ("bad", "exit code 1"), what="it fails")
    go.write_text("")
    wait_until(lambda: check(lb, "notify")["n"] == ("good", "exit code 0"), what="and is tried again")
    cause = "it is on this node, and no service counts"
    assert set(out.read_text().splitlines()) == {f"192.0.2.1 192.0.2.1/32 4 none announce normal 1 lo {cause}"}
    # Many at once: none is left out.
    rows = "".join(f"  f{i}:\n    address: 192.0.2.{i}\n" for i in range(2, 200))
    lb.ctl("apply", "-f", "-", input="fip:\n" + rows)
    wait_until(lambda: {line.split()[0] for line in out.read_text().splitlines()} == {f"192.0.2.{i}" for i in range(1, 200)},
               20, "each of them")
    out.write_text("")
    lb.ctl("create", "fip", "six", "address=2001:db8::1")
    wait_until(lambda: f"2001:db8::1 2001:db8::1/128 6 none announce normal 1 lo {cause}\n" in out.read_text())
    lb.ctl("delete", "fip", "six", "-y")
    gone = "it is not a floating address any more"
    wait_until(lambda: f"2001:db8::1 2001:db8::1/128 6 announce withdraw normal 1 lo {gone}\n" in out.read_text())
    assert len(out.read_text().splitlines()) == 2  # nobody else was told anything


def test_words(tmp_path, closing):
    """What is refused, and what the packaged scripts say to wrong arguments."""
    lb = Lbd(tmp_path / "lbd")
    for words, why in (
            (["create", "notify", "n", "script=x", "on=routes"], '"routes" is not allowed: any, active, passive, fault, route'),
            (["create", "notify", "n", "script=x", "on=route", "refresh=10ms"],
             "notify n: refresh: 10 ms is not allowed: 0 (never), or 1 s to 1 h"),
            (["create", "vip", "v", "address=192.0.2.1", "ports=80", "advertise=all"], '"all" is not allowed: any, required, ignored')):
        r = lb.ctl(*words, check=False)
        assert r.returncode == 7 and why in r.stderr, r.stderr
    for name, args, why in (("route-frr", ["x"], 'AS: "x" is not allowed: a number'),
                            ("route-frr", ["65001"], 'LBD_NEW: "" is not allowed'),
                            ("route-table", [], 'TABLE: "" is not allowed: a number')):
        r = subprocess.run([ROOT / "configs/notify" / name, *args], capture_output=True, text=True)
        assert r.returncode == 64 and why in r.stderr, r
