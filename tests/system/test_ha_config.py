"""What the pair is configured with: carriers, ping nodes, tracks, and interfaces that do not count."""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import threading
import time

import pytest

from lbdtest import SLOW, Lbd, follows, wait_until
from test_ha_roles import VIP, Duo

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")

# What each node calls its carriers: so they are numbered otherwise on the two.
NAMES = [dict(main="main", direct="direct", group="group", line="line"), dict(main="x", direct="z", group="a", line="b")]


class Wired(Duo):
    """A second link (eth1, 10.8.0.1 and 10.8.0.2) by a switch of its own."""

    def __init__(self, tmp_path, closing):
        super().__init__(tmp_path, closing)
        self.switch.run("ip", "link", "add", "br1", "type", "bridge")
        self.switch.run("ip", "link", "set", "br1", "up")
        for i, n in enumerate(self.ns):
            n.link(self.switch, "eth1", f"q{i}")
            self.switch.run("ip", "link", "set", f"q{i}", "master", "br1")
            n.run("ip", "addr", "add", f"10.8.0.{i + 1}/24", "dev", "eth1")
        # What is tested here is not how soon: a machine that does much else must not be taken for a dead one.
        self.a.ctl("set", "setting", "ha_dead=600ms", "ha_interval=50ms")
        wait_until(lambda: "600ms" in self.b.ctl("get", "setting", "-o", "yaml").stdout, 5, "times")
        time.sleep(0.3)

    def status(self, i):
        return self.nodes[i].json("ha", "status")

    def carriers(self, i):
        """Their states by their names on the first node."""
        names = {v: k for k, v in NAMES[i].items()}
        return {names[c["name"].split(":")[0]]: c["state"] for c in self.status(i)["carriers"]}

    def checks(self, i):
        """Without the daemons of the suite, which do not run here."""
        return {c["name"].split(" ")[0]: c["state"] for c in self.status(i)["checks"] if not c["name"].startswith("suite ")}

    def claims(self):
        """Go up with each change of who is active."""
        return [self.status(i)["groups"][0]["claim"] for i in (0, 1)]

    def both(self, *args):
        for n in self.nodes:
            n.ctl(*args)

    def active_is(self, i, what):
        return wait_until(lambda: self.holds() == [i == 0, i == 1], 10, what)

    def stays(self, i, seconds=1.5):
        """The same node is active all the time."""
        claims, end = self.claims(), time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.holds() == [i == 0, i == 1]
        assert self.claims() == claims


@pytest.fixture()
def duo(tmp_path, closing):
    return Wired(tmp_path, closing)


class Cable:
    """A null modem cable: two pseudo terminals, what is written to one comes out of the other."""

    def __init__(self):
        self.ends = [os.openpty() for _ in (0, 1)]
        self.device = [os.ttyname(s) for _, s in self.ends]
        self.ended = False
        self.threads = [threading.Thread(target=self.carry, args=(i,), daemon=True) for i in (0, 1)]
        for t in self.threads:
            t.start()

    def carry(self, i):
        os.set_blocking(self.ends[i][0], False)
        while not self.ended:
            try:
                os.write(self.ends[1 - i][0], os.read(self.ends[i][0], 4096))
            except (BlockingIOError, OSError):
                time.sleep(0.001)

    def close(self):
        self.ended = True
        for t in self.threads:
            t.join()
        for pair in self.ends:
            for fd in pair:
                os.close(fd)


def test_carriers(duo, closing):
    """S153: by UDP, by a group and by a serial line; while one of them carries, the nodes know of each other and nothing moves."""
    cable = closing(Cable())
    for i, n in enumerate(duo.nodes):
        name = NAMES[i]
        n.ctl("create", "carrier", name["main"], f"address=10.9.0.{i + 1}", f"peer=10.9.0.{2 - i}")
        duo.stays(0, 0.3)
        n.ctl("create", "carrier", name["direct"], "interface=eth1", f"address=10.8.0.{i + 1}", f"peer=10.8.0.{2 - i}")
        n.ctl("create", "carrier", name["group"], "kind=multicast", "interface=eth1", "group=239.255.94.44", "port=9445")
        n.ctl("create", "carrier", name["line"], "kind=serial", f"device={cable.device[i]}")
        duo.stays(0, 0.3)
    all_up = dict.fromkeys(("main", "direct", "group", "line"), "up")
    for i in (0, 1):
        wait_until(lambda: duo.carriers(i) == all_up, 10, "all carriers")
        wait_until(lambda: duo.status(i)["link"] == "up", 5, "link up")
    text = duo.a.ctl("ha", "status").stdout
    assert "group: multicast 239.255.94.44: up" in text and f"line: serial {cable.device[0]}: up" in text

    duo.cut(True)  # main
    for i in (0, 1):
        wait_until(lambda: duo.carriers(i)["main"] != "up" and duo.status(i)["link"] == "degraded", 5, "main is cut")
    duo.stays(0)
    for i in (0, 1):  # and the second link: the serial line alone
        duo.switch.run("ip", "link", "set", f"q{i}", "down")
    for i in (0, 1):
        wait_until(lambda: [k for k, s in duo.carriers(i).items() if s == "up"] == ["line"], 10, "only the line")
    duo.stays(0)
    duo.cut(False)
    for i in (0, 1):
        duo.switch.run("ip", "link", "set", f"q{i}", "up")
    for i in (0, 1):
        wait_until(lambda: duo.carriers(i) == all_up, 10, "all carriers again")
    duo.stays(0, 0.3)
    for i, n in enumerate(duo.nodes):
        n.ctl("delete", "carrier", NAMES[i]["group"], NAMES[i]["line"], "-y")
    for i in (0, 1):
        assert wait_until(lambda: duo.carriers(i) == {"main": "up", "direct": "up"}, 5, "two are gone")
    duo.stays(0, 0.3)


def test_ping_nodes_and_interfaces(duo):
    """S155: lost on the active node only: failover; on both: none. S169: an interface without carrier counts, or is ignored."""
    def wall(i, on):
        duo.ns[i].run("ip", "route", "add" if on else "del", "blackhole", "10.7.0.1/32")

    duo.client.run("ip", "addr", "add", "10.7.0.1/32", "dev", "lo")
    for n in duo.ns:
        n.run("ip", "route", "add", "10.7.0.0/24", "via", "10.9.0.9")
    duo.a.ctl("create", "pingnode", "far", "address=10.7.0.1", "interval=50ms")
    for i in (0, 1):
        wait_until(lambda: duo.checks(i) == {"far": "good"}, 10, "the ping node answers")
    duo.stays(0, 1.2)
    wall(0, True)
    duo.active_is(1, "failover to who reaches it")
    assert duo.checks(0) == {"far": "bad"}
    assert "ping far 10.7.0.1: bad" in duo.a.ctl("ha", "status").stdout
    wall(1, True)
    wait_until(lambda: duo.checks(1) == {"far": "bad"}, 5, "lost on both")
    duo.stays(1, 2)
    wall(0, False)
    wall(1, False)
    duo.b.ctl("delete", "pingnode", "far", "-y")
    for i in (0, 1):
        wait_until(lambda: duo.checks(i) == {}, 5, "none is left")

    duo.a.ctl("create", "fip", "more", "address=10.8.0.50/24")
    wait_until(lambda: "10.8.0.50" in duo.ns[1].run("ip", "addr", "show", "eth1").stdout, 5, "on the second link")
    duo.switch.run("ip", "link", "set", "q1", "down")
    duo.active_is(0, "an interface without carrier")
    duo.switch.run("ip", "link", "set", "q1", "up")
    wait_until(lambda: duo.status(1)["groups"][0]["role"] == "passive", 5, "fit again")
    duo.a.ctl("set", "node", "ha_ignore=eth1")
    duo.switch.run("ip", "link", "set", "q0", "down")
    duo.stays(0)


class Clock:
    """When an address appears on a node, told by the kernel."""

    def __init__(self, ns):
        self.p = subprocess.Popen([*ns.prefix, "ip", "-o", "monitor", "address"], stdout=subprocess.PIPE, text=True)
        follows(self.p)

    def wait(self):
        for line in self.p.stdout:
            if VIP in line and "Deleted" not in line:
                return time.monotonic()

    def close(self):
        self.p.kill()
        self.p.wait()


def track(duo, i, kind, target, **fields):
    duo.nodes[i].ctl("create", "track", kind, f"kind={kind}", f"target={target}", *(f"{k}={v}" for k, v in fields.items()))
    wait_until(lambda: duo.checks(i).get(kind) == "good", 5, f"{kind} is good")


def back(duo, name):
    """All is well on the first node, and it is active again."""
    wait_until(lambda: duo.checks(0)[name] == "good" and duo.status(0)["groups"][0]["role"] == "passive", 5, "mended")
    duo.stays(1, 0.3)
    duo.a.ctl("ha", "failover")
    duo.active_is(0, "back")


def test_tracks(duo, tmp_path, closing):
    """A file, a process, a script, an interface: what is bad makes the other node active; so do points, after a second."""
    state = tmp_path / "state"
    state.write_text("0\n")
    track(duo, 0, "file", state)
    times = []
    for new in ("1\n", None) * 4:
        clock = closing(Clock(duo.ns[1]))
        at = time.monotonic()
        if new:
            state.write_text(new)
        else:
            state.unlink()
        times.append(clock.wait() - at)
        duo.active_is(1, "the file says so")
        state.write_text("0\n")
        back(duo, "file")
        if len(times) >= 2 and min(times) < 0.05 * SLOW:  # a busy machine is quick now and then; what polls never is
            break
    print("file to address, s:", times)
    assert min(times) < 0.05 * SLOW
    duo.a.ctl("delete", "track", "file", "-y")

    program = tmp_path / "lbdtracked"
    shutil.copy("/bin/sleep", program)
    lives = subprocess.Popen([program, "600"])
    track(duo, 0, "process", "lbdtracked", interval="100ms")
    clock = closing(Clock(duo.ns[1]))
    at = time.monotonic()
    lives.kill()
    lives.wait()
    print("process to address, s:", clock.wait() - at)
    duo.active_is(1, "the process has ended")
    lives = subprocess.Popen([program, "600"])
    back(duo, "process")
    duo.a.ctl("delete", "track", "process", "-y")
    lives.kill()
    lives.wait()

    folder = pathlib.Path(duo.a.root, "etc/lbd/track")
    folder.mkdir(parents=True, mode=0o755)
    script = folder / "test.sh"
    script.write_text(f'#!/bin/sh\n[ "$1" = a ] && [ "$2" = b ] || exit 9\n[ ! -e {state}.hang ] || sleep 100\n[ ! -e {state}.bad ]\n')
    script.chmod(0o755)
    track(duo, 0, "script", "test.sh a b", interval="200ms", timeout="1s", fall=2)
    pathlib.Path(f"{state}.bad").touch()
    duo.active_is(1, "the script failed twice")
    text = duo.a.ctl("ha", "status").stdout
    assert "script script test.sh a b: bad since" in text and "exit code 1" in text
    os.unlink(f"{state}.bad")
    back(duo, "script")
    pathlib.Path(f"{state}.hang").touch()
    duo.active_is(1, "the script hangs")
    assert "killed after 1000 ms" in duo.a.ctl("ha", "status").stdout
    os.unlink(f"{state}.hang")
    back(duo, "script")
    script.chmod(0o777)
    wait_until(lambda: duo.checks(0)["script"] == "unknown", 5, "a program that others can change is not run")
    duo.a.ctl("set", "track", "script", "unknown=bad")
    duo.active_is(1, "unknown counts as bad")
    script.chmod(0o755)
    back(duo, "script")
    duo.a.ctl("delete", "track", "script", "-y")

    state.write_text("0\n")
    track(duo, 0, "file", state, weight=10)
    state.write_text("1\n")
    duo.active_is(1, "points are lost")
    state.write_text("0\n")
    wait_until(lambda: duo.checks(0)["file"] == "good", 5, "good")
    duo.stays(1)


def test_refused(tmp_path):
    """What cannot be is refused with object, field, value, and what is allowed; nothing of it is kept."""
    lb = Lbd(tmp_path)
    for args, words in (
            (("carrier", "x", "kind=serial"), ("carrier x: device: is required", "/dev/ttyS0")),
            (("carrier", "x", "kind=multicast", "group=10.0.0.1", "interface=eth0"), ('carrier x: group: "10.0.0.1"', "224.0.0.0")),
            (("carrier", "x", "peer=10.0.0.2", "address=fd00::1"), ('carrier x: peer: "10.0.0.2" is IPv4', "allowed is IPv6")),
            (("carrier", "x", "peer=10.0.0.2", "dead=1s", "interval=300ms"), ("carrier x: dead: 1000 ms", "1200 ms and more")),
            (("carrier", "x", "kind=pigeon"), ("pigeon", "udp")),
            (("pingnode", "x", "address=224.0.0.1"), ('pingnode x: address: "224.0.0.1" is a multicast', "one host")),
            (("pingnode", "x", "address=10.0.0.1", "interval=1ms"), ("interval", "1ms", "20ms")),
            (("track", "x", "target=/bin/sh -c reboot"), ('track x: target: "/bin/sh -c reboot"', "/etc/lbd/track")),
            (("track", "x", "kind=file", "target=state"), ('track x: target: "state"', "whole path"))):
        r = lb.ctl("create", *args, check=False)
        assert r.returncode != 0 and all(w in r.stderr for w in words), r.stderr
    assert json.loads(lb.ctl("export", "-o", "json").stdout) == {"setting": {}, "node": {}}


def test_after_an_upgrade(tmp_path, closing):
    """S072: what an older version left out, because it did not know the field, is asked for once after its upgrade."""
    duo = Duo(tmp_path, closing)
    duo.a.ctl("create", "check", "page", "rise=7")
    rise = lambda n: int(n.json("get", "check", "page")[0]["rise"])
    wait_until(lambda: "page" in duo.b.ctl("get", "check").stdout, 5, "it is there")
    duo.b.kill("lbd-ha")
    db = sqlite3.connect(duo.roots[1] / "var/lib/lbd/config.db")
    with db:  # as if the version that took it had known neither the field nor what it is now
        db.execute('UPDATE "check" SET rise=2')
        db.execute("INSERT OR REPLACE INTO meta VALUES('skipped', 1)")
    db.close()
    assert (rise(duo.a), rise(duo.b)) == (7, 2)
    duo.b.start()
    wait_until(lambda: rise(duo.b) == 7, 15, "the whole")
    last = [n.json("history")[0] for n in duo.nodes]
    assert last[0] == last[1] and int(last[0]["changes"]) == 1, last
    assert "left out what it did not know" in duo.b.text()
    # Once.
    duo.b.kill("lbd-ha")
    duo.b.start()
    duo.settle(["active", "passive"])
    assert duo.b.text().count("left out what it did not know") == 1
