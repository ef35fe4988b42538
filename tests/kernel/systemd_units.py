"""The product as installed, under a real systemd: the guest is the node, its clients and servers are namespaces (tests/kernel/run
--systemd; LBD_STAGE is what make install put into a folder).

One service of layer 7 and one of layer 4 take clients all the time; a client that fails fails the test. The tests stand in the
order of a machine's life, and each leaves everything running."""
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

import pytest

from lab import Lab
from lbdbus import Bus
from lbdtest import Lbd, Load, Origin, Vip, alive, wait_until

STAGE = os.environ.get("LBD_STAGE")
WEB, FAST = "10.0.1.100", "10.0.1.101"
DAEMONS = ["lbd-check", "lbd-ipvs", "lbd-proxy", "lbd-ha", "lbd-web"]
SCHED_DEADLINE = 6  # linux/sched.h
PATIENT, QUICK = 30, 5  # watchdogs, seconds: a slow machine is no fault; the one whose watchdog is to fire


def run(*cmd, check=True, **kw):
    r = subprocess.run(list(map(str, cmd)), capture_output=True, text=True, **kw)
    if check and r.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, cmd))}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


def ctl(*args, check=True):
    return run("lbctl", *args, check=check)


def show(unit, *properties):
    """Values of a unit's properties."""
    lines = run("systemctl", "show", unit, "-p", ",".join(properties)).splitlines()
    found = dict(x.split("=", 1) for x in lines)
    return [found[p] for p in properties]


def pids():
    """{daemon: process, 0 while there is none}; read from the control groups, so that waiting costs the guest little."""
    out = dict.fromkeys(DAEMONS, 0)
    for d in DAEMONS:
        with contextlib.suppress(OSError):
            for p in pathlib.Path(f"/sys/fs/cgroup/system.slice/{d}.service/cgroup.procs").read_text().split():
                if pathlib.Path(f"/proc/{p}/comm").read_text() == d + "\n":
                    out[d] = int(p)
    return out


def journal(*match):
    return [json.loads(x) for x in run("journalctl", "-b", "-q", "-o", "json", "--output-fields", "MESSAGE,LBD_VIP,LBD_RIP",
                                       *match).splitlines()]


def status():
    return json.loads(ctl("status", "-o", "json", check=False))


def holds(name, revision):
    """The daemon answers, has that revision, and no fault."""
    with contextlib.suppress(OSError), Bus("", name) as bus:
        (_, m), = bus.ask("STATUS")[0]
        return m["revision"] == revision and not m.get("fault")
    return False


def all_well():
    """Waits until every daemon holds the last revision and has no fault."""
    revision = status()["revision"]
    for d in DAEMONS:
        wait_until(lambda d=d: holds(d, revision), 20, f"{d} is well with revision {revision}")


def addresses():
    rows = json.loads(run("ip", "-j", "addr", "show"))
    return {a["local"] for r in rows for a in r["addr_info"]}


def watchdog(name, seconds):
    """In force from the daemon's next start after a daemon-reload."""
    folder = pathlib.Path(f"/etc/systemd/system/{name}.service.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "watchdog.conf").write_text(f"[Service]\nWatchdogSec={seconds}\n")


def install():
    """What a package does: the files, then users, folders, modules and units."""
    for top in pathlib.Path(STAGE).iterdir():  # /lib may be a link
        run("cp", "-a", "--no-preserve=ownership", f"{top}/.", f"/{top.name}/")
    for d in DAEMONS:
        watchdog(d, PATIENT)
    run("systemd-sysusers", "/usr/lib/sysusers.d/lbd.conf")
    run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/lbd.conf")
    run("systemctl", "daemon-reload")
    run("modprobe", "-r", "ip_vs")  # the guest has it already, without what is installed
    run("systemctl", "restart", "systemd-modules-load.service")


class Node:
    """The installed suite with its lab. The kernel takes servers in turn: by wlc one that was away would get all new connections
    until it has had as many as the others."""

    def __init__(self):
        install()
        self.lab = Lab(servers=2, here=True)
        self.origins = []
        for s in self.lab.servers:
            s.nat()
            with s.inside():
                self.origins.append(Origin(s.host, address="0.0.0.0", port=8080))
        self.web, self.fast = Vip("web", WEB, 80), Vip("fast", FAST, 80)
        run("systemctl", "start", "lbd.target")
        rips = {s.host: {"address": s.address, "port": 8080} for s in self.lab.servers}
        run("lbctl", "apply", "-f", "-", input=json.dumps({
            "check": {"quick": {"kind": "tcp", "interval": "2s", "timeout": "2s"}},
            "vip": {v.name: {"address": v.address, "ports": "80", "check": "quick", "rips": rips, **more}
                    for v, more in ((self.web, {"mode": "http"}), (self.fast, {"mode": "nat", "scheduler": "rr"}))}}))

    def loads(self):
        """Clients of both services: the first opens connections now and then, the other for each request."""
        return (Load(self.web, clients=1, every_ms=150, close_every=10, netns=self.lab.client),
                Load(self.fast, clients=1, every_ms=150, close_every=1, netns=self.lab.client))

    def close(self):
        for o in self.origins:
            o.close()
        self.lab.close()


@pytest.fixture(scope="module")
def node():
    n = Node()
    yield n
    n.close()


class Under:
    """Both loads for as long as the block lasts; forgives: the service that may fail meanwhile, and must recover."""

    def __init__(self, node, forgives=None):
        self.node, self.forgives = node, forgives

    def __enter__(self):
        self.web, self.fast = self.node.loads()
        self.both()
        return self

    def both(self):
        """Both services answer some more."""
        self.web.wait(5)
        self.fast.wait(5)

    def __exit__(self, kind, *_):
        results = {"web": self.web.stop(), "fast": self.fast.stop()}
        if kind is None:
            for name, r in results.items():
                assert r["ok"] and set(r["servers"]) == {"s1", "s2"}, (name, r)
                assert name == self.forgives or not r["failed"], (name, r)


def test_start(node):
    """One start brings all up, none of them started twice, addresses are held, both layers serve. The kernel's table of
    connections has the size that was installed for it."""
    all_well()
    assert pathlib.Path("/sys/module/ip_vs/parameters/conn_tab_bits").read_text() == "16\n"
    for d in DAEMONS:
        assert show(d, "ActiveState", "NRestarts", "NotifyAccess") == ["active", "0", "main"], run("systemctl", "status", d)
    assert show("lbd-store", "ActiveState") == show("lbd-addresses", "ActiveState") == ["active"]
    wait_until(lambda: {WEB, FAST} <= addresses(), what="the floating addresses")
    with Under(node):
        pass


def test_users(node):
    """Each runs as a user of its own with the rights that its unit gives, and no more."""
    wanted = {"lbd-check": 0x2000, "lbd-ipvs": 0x3000, "lbd-proxy": 0x2400, "lbd-ha": 0x803000, "lbd-web": 0}
    for d, pid in pids().items():
        text = dict(x.split(":\t", 1) for x in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in x)
        assert run("stat", "-c", "%U %G", f"/proc/{pid}").split() == [d, "lbd"]
        assert {int(text[c], 16) for c in ("CapBnd", "CapEff", "CapPrm")} == {wanted[d]}, d
        assert text["NoNewPrivs"] == "1" and text["Seccomp"] == "2"


def test_rights_of_lbd_ipvs(node):
    """What its unit leaves it is enough: nft for a service of two ports, settings of the kernel's network, the list of
    connections."""
    ctl("set", "vip", "fast", "ports=80,8080")
    all_well()
    wait_until(lambda: run("nft", "list", "tables").count("table inet lbd"), 10, "the table")
    wait_until(lambda: not [k for k in node.lab.table() if k.startswith("TCP")], 10, "one service by mark")
    with Under(node) as under:
        under.both()
        assert {x["virtual"] for x in json.loads(ctl("conns", "-o", "json"))} >= {f"{FAST}:80"}
    ctl("set", "vip", "fast", "ports=80")
    all_well()
    assert pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
    assert not [x for x in journal("_SYSTEMD_UNIT=lbd-ipvs.service") if "ermission" in x["MESSAGE"] or "ermitted" in x["MESSAGE"]]


def again(name, before):
    """Waits until the daemon runs anew, and all is well."""
    wait_until(lambda: pids()[name] not in (0, before), 20, f"{name} is started again")
    all_well()


@pytest.mark.parametrize("name", DAEMONS)
def test_one_daemon(node, name):
    """One daemon is killed, while it is away the configuration changes; then it is stopped and started; then it hangs until its
    watchdog ends it. Each time it comes back to what the store says, and the others and their clients are undisturbed.
    Only what is inside lbd-proxy is lost with it."""
    before, weight = pids(), 50 + DAEMONS.index(name)
    with Under(node, "web" if name == "lbd-proxy" else None) as under:
        os.kill(before[name], signal.SIGKILL)
        for v in "web", "fast":
            ctl("set", "rip", f"{v}/s1", f"weight={weight}")
        again(name, before[name])
        under.both()
        assert {WEB, FAST} <= addresses()
        if name == "lbd-ipvs":
            wait_until(lambda: node.lab.table()[f"TCP {FAST}:80"].servers["10.0.2.11:8080"].weight == weight, 5, "the new weight")

        run("systemctl", "stop", name)
        assert show(name, "ActiveState", "Result", "ExecMainStatus") == ["inactive", "success", "0"]
        assert {WEB, FAST} <= addresses()
        under.fast.wait(5)
        if name != "lbd-proxy":
            under.web.wait(5)
        watchdog(name, QUICK)
        run("systemctl", "daemon-reload")
        run("systemctl", "start", name)
        again(name, 0)
        under.both()

        hung = pids()[name]
        os.kill(hung, signal.SIGSTOP)
        watchdog(name, PATIENT)
        run("systemctl", "daemon-reload")
        again(name, hung)
        under.both()
    assert any("atchdog" in x["MESSAGE"] for x in journal("_PID=1", f"UNIT={name}.service"))
    assert {d: p for d, p in pids().items() if d != name} == {d: p for d, p in before.items() if d != name}


def test_reload(node):
    """SIGHUP by systemctl: the same processes go on, no client notices."""
    others, before = [d for d in DAEMONS if d != "lbd-proxy"], pids()
    with Under(node) as under:
        run("systemctl", "reload", *others)
        under.both()
    assert pids() == before


def test_upgrade_of_lbd_proxy(node):
    """A061: systemctl reload lbd-proxy, as after an upgrade of the package: no client notices, systemd knows the new process, its
    watchdog goes on, and it is started again when it dies. A program that does not start is said, and changes nothing."""
    def main():
        return int(show("lbd-proxy", "MainPID")[0])
    file, kept = pathlib.Path("/usr/sbin/lbd-proxy"), pathlib.Path("/root/lbd-proxy.kept")
    first = main()
    with Under(node) as under:
        shutil.copy(file, kept)
        for _ in range(3):
            shutil.copy(kept, "/usr/sbin/new")
            os.rename("/usr/sbin/new", file)  # as dpkg does it
            old = main()
            r = subprocess.run(["systemctl", "reload", "lbd-proxy"], capture_output=True, text=True)
            assert r.returncode == 0, r.stderr + run("journalctl", "-b", "-q", "-u", "lbd-proxy", "-n", "40")
            wait_until(lambda: main() not in (0, old), 20, "systemd knows the new process")
            assert show("lbd-proxy", "ActiveState", "NRestarts")[0] == "active"
            under.both()
        shutil.copy("/bin/false", "/usr/sbin/new")
        os.rename("/usr/sbin/new", file)
        old = main()
        r = subprocess.run(["systemctl", "reload", "lbd-proxy"], capture_output=True, text=True)
        assert r.returncode != 0 and main() == old
        assert any("goes on" in x["MESSAGE"] for x in journal("-u", "lbd-proxy"))
        under.both()
        shutil.copy(kept, "/usr/sbin/new")
        os.rename("/usr/sbin/new", file)
        run("systemctl", "reload", "lbd-proxy")
        wait_until(lambda: main() not in (0, old), 20, "systemd knows the new process")
        wait_until(lambda: not alive(first), 20, "the first one has finished")
        under.both()
    uid = pwd.getpwnam("lbd-proxy").pw_uid
    fields = dict(x.split(":\t", 1) for x in pathlib.Path(f"/proc/{main()}/status").read_text().splitlines())
    assert fields["Uid"].split() == [str(uid)] * 4 and int(fields["CapEff"], 16) == 1 << 10 | 1 << 13 and fields["NoNewPrivs"] == "1"
    told = int(show("lbd-proxy", "WatchdogTimestampMonotonic")[0])
    wait_until(lambda: int(show("lbd-proxy", "WatchdogTimestampMonotonic")[0]) > told, PATIENT, "it tells the watchdog")
    old = main()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: main() not in (0, old), 20, "it is started again")
    all_well()


def test_journal(node):
    """Lines about a server carry its names as fields, so that they can be asked for."""
    ctl("drain", "web/s2")
    ctl("online", "web/s2")
    node.origins[1].close()
    wait_until(lambda: any("down" in x["MESSAGE"] for x in journal("LBD_VIP=web", "LBD_RIP=s2")), 20, "the verdict, by its fields")
    with node.lab.servers[1].inside():
        node.origins[1] = Origin("s2", address="0.0.0.0", port=8080)
    wait_until(lambda: status()["servers"]["down"] == 0, 20, "both are up again")


def test_core_of_a_pair(node, tmp_path):
    """In a pair the core is a process of its own, and its unit lets it into the kernel's deadline class. Unpaired, all is as before."""
    def cores():
        found = pathlib.Path("/sys/fs/cgroup/system.slice/lbd-ha.service/cgroup.procs").read_text().split()
        return [int(p) for p in found if pathlib.Path(f"/proc/{p}/comm").read_text() == "lbd-ha-core\n"]

    other = Lbd(tmp_path, "lbd-ha", netns=node.lab.servers[1])
    try:
        other.start()
        code = node.lab.servers[1].run("lbctl", "--root", tmp_path, "ha", "code").stdout.strip()  # lbctl is in another folder
        run("lbctl", "ha", "pair", node.lab.servers[1].address, "--code-file", "-", "-y", input=code + "\n")
        wait_until(cores, 20, "the core")
        wait_until(lambda: {WEB, FAST} <= addresses(), what="the addresses, held by the core")
        # On a machine as slow as this one it soon leaves the class, and asks for real-time priority in the way of one that was let in.
        policy = os.sched_getscheduler(cores()[0])
        assert policy & os.SCHED_RESET_ON_FORK and policy & 0xff in (SCHED_DEADLINE, os.SCHED_FIFO), hex(policy)
        ctl("ha", "unpair", "-y")
        wait_until(lambda: not cores(), 20, "no core")
    finally:
        other.stop()
    all_well()
    with Under(node):
        pass


def test_stop_and_start_of_all(node):
    """A stop of the target ends all in order and gives the addresses back; a start finds everything again."""
    run("systemctl", "stop", "lbd.target")
    for d in DAEMONS + ["lbd-addresses"]:
        # The target's own stop is what was waited for.
        wait_until(lambda d=d: show(d, "ActiveState")[0] in ("inactive", "failed"), 20, f"{d} has stopped")
        assert show(d, "Result")[0] == "success", run("systemctl", "status", d, check=False)
    assert not {WEB, FAST} & addresses()
    assert not run("systemctl", "--failed", "--no-legend")
    run("systemctl", "start", "lbd.target")
    all_well()
    wait_until(lambda: {WEB, FAST} <= addresses(), what="the floating addresses")
    with Under(node):
        pass
