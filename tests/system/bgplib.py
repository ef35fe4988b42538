"""Routing daemons for tests, each in a network namespace: FRR (zebra, bgpd) and BIRD, and what a router has heard."""
import json
import os
import shutil
import subprocess
import time

from lbdtest import die_with_parent, follows, wait_until

AT_ONCE = "timers bgp 1 3"  # keepalive, hold time: seconds


def have_bgp():
    return os.path.exists("/usr/lib/frr/bgpd") and shutil.which("vtysh") and shutil.which("bird")


class Bgp:
    """zebra and bgpd. peers: {address: AS}; more: lines of "router bgp"."""

    def __init__(self, ns, path, asn, router_id, peers, more=()):
        self.ns, self.asn, self.dir = ns, asn, path / f"{ns.name}.bgp"
        self.dir.mkdir()
        shutil.chown(self.dir, "frr", "frr")
        for d in (path, *list(path.parents)[:2]):
            d.chmod(0o755)  # the daemons give up root before they read their files
        (self.dir / "b.conf").write_text("\n".join([
            f"router bgp {asn}", f" bgp router-id {router_id}", " no bgp ebgp-requires-policy", f" {AT_ONCE}",
            *(line for p, a in peers.items() for line in (
                f" neighbor {p} remote-as {a}", f" neighbor {p} timers connect 1", f" neighbor {p} advertisement-interval 0")),
            *more, ""]))
        self.processes = []
        self.start()

    def _run(self, name, conf):
        return subprocess.Popen(
            [*self.ns.prefix, f"/usr/lib/frr/{name}", "-u", "frr", "-g", "frr", "-z", self.dir / "z.sock", "-i",
             self.dir / f"{name}.pid", "--vty_socket", self.dir, "-f", conf, "--log", "stdout", "-P", "0",
             *(["-p", "179"] if name == "bgpd" else [])],
            stdout=open(self.dir / f"{name}.log", "a"), stderr=subprocess.STDOUT, preexec_fn=die_with_parent)

    def start(self):
        """What is not running."""
        if not self.processes:
            self.processes = [self._run("zebra", "/dev/null")]
            wait_until(lambda: (self.dir / "z.sock").exists(), what="zebra")
        self.processes.append(self._run("bgpd", self.dir / "b.conf"))
        wait_until(lambda: self.show("show bgp summary", check=False).returncode == 0, 30, "bgpd answers")

    def stop_bgpd(self):
        p = self.processes.pop()
        p.terminate()
        p.wait(10)

    def stop(self):
        while self.processes:
            self.stop_bgpd()

    def show(self, *commands, check=True):
        return self.ns.run("vtysh", "--vty_socket", self.dir, "-d", "bgpd", *[w for c in commands for w in ("-c", c)], check=check)

    def path_of(self, prefix, hop):
        """The AS path that a neighbour gave with a prefix: "65001 65001"; None: it has not."""
        paths = json.loads(self.show(f"show bgp ipv4 unicast {prefix} json").stdout or "{}").get("paths", [])
        return next((p["aspath"]["string"] for p in paths if p["nexthops"][0]["ip"] == hop), None)


class Bird:
    """BIRD, which announces table 108 (configs/notify/route-table) to one neighbour; prepend: its own AS so often more."""

    def __init__(self, ns, path, asn, own, peer, peer_asn, prepend=0):
        self.ns, self.conf, self.sock = ns, path / f"{ns.name}.bird", path / f"{ns.name}.ctl"
        more = f"bgp_path.prepend({asn}); "
        self.conf.write_text(f"""
router id {own};
protocol device {{ scan time 1; }}
protocol kernel lbd {{
    kernel table 108;
    learn;
    ipv4 {{ import all; export none; }};
}}
filter to_routers {{
    if proto != "lbd" then reject;
    {more * prepend}
    if krt_metric = 1000 then {{ {more * 3}}}
    accept;
}}
protocol bgp up {{
    local {own} as {asn};
    neighbor {peer} as {peer_asn};
    connect retry time 1;
    hold time 3;
    keepalive time 1;
    ipv4 {{ import none; export filter to_routers; }};
}}
""")
        self.p = None
        self.start()

    def start(self):
        self.p = subprocess.Popen([*self.ns.prefix, "bird", "-f", "-c", self.conf, "-s", self.sock],
                                  stdout=open(str(self.conf) + ".log", "a"), stderr=subprocess.STDOUT, preexec_fn=die_with_parent)

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            self.p.wait(10)


class Watch:
    """Follows a router's kernel table: .seen [(monotonic, next hops)] of one address, told by the kernel."""

    def __init__(self, ns, address):
        self.ns, self.address, self.seen = ns, address, []
        self.p = subprocess.Popen([*ns.prefix, "ip", "-o", "monitor", "route"], stdout=subprocess.PIPE, text=True,
                                  preexec_fn=die_with_parent)
        os.set_blocking(self.p.stdout.fileno(), False)
        follows(self.p)

    def read(self):
        """True: something about the address was told since the last call."""
        lines = []
        while line := self.p.stdout.readline():
            if f"{self.address} " in line:
                lines.append(line)
        if lines:
            self.seen.append((time.monotonic(), hops(self.ns, self.address)))
        return bool(lines)

    def stop(self):
        self.p.kill()
        self.p.wait()


def hops(ns, address):
    """Next hops of the route of one host, learned by BGP."""
    words = ns.run("ip", "-4", "route", "show", f"{address}/32", "proto", "bgp").stdout.split()
    return {words[i + 1] for i, w in enumerate(words) if w == "via"}
