"""The pair at work: who is active, hand-over, take-over, faults of each part, and what a client sees of it.

Two nodes and a client on one bridge (class Duo). The nodes answer UDP probes to the floating address with their name,
whether they hold it or not (the socket is bound with IP_FREEBIND); the client asks each 2 ms (class Probes)."""
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

from lbdtest import BIN, SLOW, Lbd, Netns, alive, children, die_with_parent, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
VIP = "10.9.0.100"
PARTITIONS = int(os.environ.get("LBD_PARTITIONS", "20"))  # of test_witness; LBD_SEED: which
FEW = 2  # probes, one each 2 ms, that a busy machine loses by itself; tests/bench/ha counts without

# On a node: answers with its name, and tells each change of whether the address is local: from the first to the last time
# at which it surely was, however late a busy machine lets this look. arguments: name, address.
ECHO = """
import select, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_IP, 15, 1)
s.bind((sys.argv[2], 7))
s.setblocking(False)
held, last = None, 0
print("started", flush=True)
while True:
    select.select([s], [], [], 0.001)
    before = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as t:
        try:
            t.bind((sys.argv[2], 0))
            now = True
        except OSError:
            now = False
    if now != held:
        held = now
        print(time.monotonic() if held else last, int(held), flush=True)
    last = before
    try:
        data, peer = s.recvfrom(100)
        s.sendto(data + sys.argv[1].encode(), peer)
    except OSError:
        pass
"""
# The client: a probe each 2 ms; at the end of its input a line for each: when, and who answered.
PROBES = """
import select, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setblocking(False)
sent, by, due, stop = [], [], time.monotonic(), None
print("started", flush=True)
while stop is None or time.monotonic() < stop:
    now = time.monotonic()
    if stop is None and now >= due:
        try:
            s.sendto(b"%8d" % len(sent), (sys.argv[1], 7))
        except OSError:
            pass
        sent.append(now)
        by.append("")
        due = max(due + 0.002, now)
    r, _, _ = select.select([s] + ([] if stop else [sys.stdin]), [], [], max(0, due - time.monotonic()) if not stop else 0.01)
    if s in r:
        try:
            data = s.recv(100)
            by[int(data[:8])] += data[8:9].decode()
        except OSError:
            pass
    if sys.stdin in r:
        stop = now + 0.1
for t, b in zip(sent, by):
    print(t, b or "-")
"""


class Probes:
    """What a client sees. After stop(): .rows [(when, names)], lost(), outage() in ms, names()."""

    def __init__(self, netns, address=VIP):
        self.p = subprocess.Popen([*netns.prefix, "python3", "-c", PROBES, address], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        assert self.p.stdout.readline() == "started\n"
        self.rows = []

    def stop(self):
        if not self.rows:
            out, _ = self.p.communicate("")
            self.rows = [(float(t), b) for t, b in map(str.split, out.splitlines())]
        return self

    def __enter__(self):
        time.sleep(0.05)
        return self

    def __exit__(self, *_):
        time.sleep(0.1)
        self.stop()

    def lost(self):
        return sum(b == "-" for _, b in self.rows)

    def outage(self):
        """From the first unanswered probe of the longest run to the probe after it."""
        worst, begin = 0.0, None
        for t, b in [*self.rows, (self.rows[-1][0], "x")]:
            if b == "-":
                begin = begin or t
            elif begin:
                worst, begin = max(worst, t - begin), None
        return 1000 * worst

    def names(self):
        """Who answered, in order: "aba"."""
        return re.sub(r"(.)\1+", r"\1", "".join(b for _, b in self.rows if b != "-"))


class Echo:
    """A node's answers. After stop(): .spans [(from, to)] in which the address was local."""

    def __init__(self, netns, name):
        self.p = subprocess.Popen([*netns.prefix, "python3", "-c", ECHO, name, VIP], stdout=subprocess.PIPE, text=True,
                                  preexec_fn=die_with_parent)
        assert self.p.stdout.readline() == "started\n"
        self.spans = None

    def stop(self):
        if self.spans is not None:
            return
        self.p.terminate()
        out, _ = self.p.communicate()
        self.spans, since = [], None
        for t, held in map(str.split, out.splitlines()):
            if held == "1":
                since = float(t)
            elif since is not None:
                self.spans.append((since, float(t)))
                since = None
        if since is not None:
            self.spans.append((since, time.monotonic()))


def both(a, b, since=0.0, until=float("inf")):
    """Spans in which both nodes had the address, of two stopped Echos: [(from, length in ms)]."""
    out = []
    for x in a.spans:
        for y in b.spans:
            begin, end = max(x[0], y[0], since), min(x[1], y[1], until)
            if begin < end:
                out.append((begin, 1000 * (end - begin)))
    return out


class Duo:
    """Nodes alpha (10.9.0.1) and beta (10.9.0.2) with a client (10.9.0.9), paired; one service on VIP."""

    def __init__(self, tmp_path, closing, *daemons, pair=True):
        self.closing = closing
        self.switch, self.client = closing(Netns()), closing(Netns())
        self.ns = [closing(Netns()), closing(Netns())]
        self.switch.run("ip", "link", "add", "br0", "type", "bridge")
        self.switch.run("ip", "link", "set", "br0", "up")
        for i, n in enumerate([*self.ns, self.client]):
            n.link(self.switch, "eth0", f"p{i}")
            self.switch.run("ip", "link", "set", f"p{i}", "master", "br0")
            n.run("ip", "addr", "add", f"10.9.0.{(1, 2, 9)[i]}/24", "dev", "eth0")
        self.roots = [tmp_path / "alpha", tmp_path / "beta"]
        closing(self)
        self.nodes = []
        for i, name in enumerate(("alpha", "beta")):
            lb = closing(Lbd(self.roots[i], "lbd-ha", *daemons, netns=self.ns[i]))
            lb.ctl("set", "node", f"hostname={name}")
            self.nodes.append(lb)
        self.a, self.b = self.nodes
        self.a.ctl("create", "vip", "web", f"address={VIP}", "ports=80")
        self.a.start()
        self.b.start()
        if pair:
            code = self.b.ctl("ha", "code").stdout.strip()
            self.a.ctl("ha", "pair", "10.9.0.2", "--code-file", "-", "-y", input=code + "\n")
            self.settle(["active", "passive"], 4)

    def stop(self):
        """Nothing of the nodes outlives a test: a core that lost its side would go on for a minute."""
        for root, ns in zip(self.roots, self.ns):
            print((root / "log").read_text() if (root / "log").exists() else "")  # shown when a test fails
            subprocess.run([*ns.prefix, BIN / "lbd-ha", "--release", "--root", root], check=False)
        wait_until(lambda: self.left() == [], 5, "every process ends")

    def left(self):
        """Processes in the namespaces of the nodes that are not the test's own."""
        pids = [p for ns in self.ns for p in subprocess.run(["ip", "netns", "pids", ns.name], capture_output=True,
                                                            text=True).stdout.split()]
        return [p for p in pids if alive(int(p)) and b"lbd-ha" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes()]

    def states(self):
        out = []
        for n in self.nodes:
            r = n.ctl("ha", "status", "-o", "json", check=False)
            out.append(json.loads(r.stdout) if r.returncode == 0 else {})
        return out

    def roles(self):
        return [s.get("state") for s in self.states()]

    def settle(self, roles, timeout=10):
        """Until the roles are these, and the nodes hear each other."""
        wait_until(lambda: self.roles() == roles and self.holds() == [r == "active" for r in roles] and
                   all(s.get("link") == "up" for s in self.states()), timeout, f"roles {roles}, now {self.roles()}")

    def holds(self):
        return [VIP in ns.run("ip", "-4", "addr", "show").stdout for ns in self.ns]

    def core(self, i):
        """The process id of the core of node i."""
        pids = self.cores(i)
        assert len(pids) == 1, pids
        return pids[0]

    def cores(self, i):
        return [p for p in self.ns_pids(i) if pathlib.Path(f"/proc/{p}/comm").read_text() == "lbd-ha-core\n"]

    def pid_of(self, i):
        return self.nodes[i].pid("lbd-ha")

    def ns_pids(self, i):
        out = subprocess.run(["ip", "netns", "pids", self.ns[i].name], capture_output=True, text=True, check=True)
        return [int(p) for p in out.stdout.split() if alive(int(p))]

    def echoes(self):
        return [self.closing(Echo(ns, name)) for ns, name in zip(self.ns, "ab")]

    def probes(self):
        return self.closing(Probes(self.client))

    def cut(self, on):
        """The nodes cannot reach each other; the client reaches both."""
        for i in (0, 1):
            self.switch.run("bridge", "link", "set", "dev", f"p{i}", "isolated", "on" if on else "off")

    def port(self, i, up):
        """The carrier of node i."""
        self.switch.run("ip", "link", "set", f"p{i}", "up" if up else "down")


@pytest.fixture()
def duo(tmp_path, closing):
    return Duo(tmp_path, closing)


def test_roles(duo):
    """S157, S161: after pairing the master is active, the slave passive; both show the link; the address is on one of them."""
    assert duo.holds() == [True, False]
    s = [n.json("ha", "status") for n in duo.nodes]
    assert [x["role"] for x in s] == ["master", "slave"]
    text = duo.b.ctl("ha", "status").stdout
    assert text.startswith("Slave | Passive | Link up"), text


def test_failover_by_order(duo):
    """S159: the active gives, the passive takes, and back, by orders at either node; no probe is lost."""
    duo.echoes()
    with duo.probes() as p:
        duo.a.ctl("ha", "failover", "-m", "test")
        duo.settle(["passive", "active"], 5)
        duo.a.ctl("ha", "failover")
        duo.settle(["active", "passive"], 5)
        duo.b.ctl("ha", "failover")
        duo.settle(["passive", "active"], 5)
    assert p.names() == "abab" and p.lost() <= FEW


def test_core_runs_in_time(duo):
    """N06: the core is in the kernel's deadline class, where no task of others keeps it waiting, but for some seconds after long work;
    one that has needed more than its share is in real-time priority, in the way of one that was let in."""
    now = lambda: [os.sched_getscheduler(core) for i in (0, 1) for core in duo.cores(i)]
    wait_until(lambda: 6 in [p & 0xff for p in now()], 20, "SCHED_DEADLINE")
    assert len(now()) == 2 and all(p & os.SCHED_RESET_ON_FORK for p in now()), now()


def test_kill_core(duo):
    """S164: the core of the active node is killed: it is there again before its lease ends, and nothing moves."""
    duo.echoes()
    with duo.probes() as p:
        for _ in range(2):
            core = duo.core(0)
            os.kill(core, signal.SIGKILL)
            wait_until(lambda: not alive(core) and len(duo.cores(0)) == 1, 3)
            time.sleep(0.3)
            duo.settle(["active", "passive"])
    assert p.names() == "a" and p.lost() <= FEW
    assert duo.b.json("ha", "status")["state"] == "passive"


def test_kill_side(duo):
    """S164: the daemon is killed: the core goes on with its addresses, and the next start finds it."""
    duo.echoes()
    core = duo.core(0)
    with duo.probes() as p:
        duo.a.kill("lbd-ha")
        time.sleep(0.3)
        assert duo.holds() == [True, False] and duo.core(0) == core
        duo.a.start()
        duo.settle(["active", "passive"])
        time.sleep(0.2)
    assert duo.core(0) == core
    assert p.names() == "a" and p.lost() <= FEW


def test_kill_node(duo):
    """S158: both processes of the active are killed: the other takes over. A killed node leaves its address for some
    seconds; its next start takes it away as soon as it hears the other."""
    a, b = duo.echoes()
    with duo.probes() as p:
        core = duo.core(0)
        duo.a.kill("lbd-ha")
        t = time.monotonic()
        os.kill(core, signal.SIGKILL)
        wait_until(lambda: duo.holds()[1], 5)
        time.sleep(0.3)
        start = time.monotonic()
        duo.a.start()
        duo.settle(["passive", "active"])
        time.sleep(0.2)
    a.stop()
    b.stop()
    assert b.spans[0][0] - t < 0.9 * SLOW
    # The killed node's kernel has the address for some more seconds: a client may come back to it for a moment.
    assert p.outage() < 900 * SLOW and p.names().startswith("ab"), (p.names(), duo.a.text()[-2000:], duo.b.text()[-2000:])
    assert [x for x in both(a, b) if x[0] + x[1] / 1000 > start + 1 * SLOW] == []


def test_stop(duo):
    """S159: the active is stopped: it hands over first."""
    duo.echoes()
    with duo.probes() as p:
        t = time.monotonic()
        assert duo.a.kill("lbd-ha", signal.SIGTERM) == 0
        assert time.monotonic() - t < 1 * SLOW
        assert duo.holds() == [False, True]
        assert [x for x in duo.ns_pids(0) if b"lbd-ha" in pathlib.Path(f"/proc/{x}/cmdline").read_bytes()] == []
        time.sleep(0.2)
        duo.a.start()
        duo.settle(["passive", "active"])
        assert duo.b.kill("lbd-ha", signal.SIGTERM) == 0
        assert duo.holds() == [True, False]
    assert p.names() == "aba" and p.lost() <= FEW


def test_stop_alone(duo):
    """The only node that is left is stopped and started: its address stays."""
    duo.b.kill("lbd-ha", signal.SIGTERM)
    duo.echoes()
    time.sleep(0.2)
    with duo.probes() as p:
        t = time.monotonic()
        duo.a.kill("lbd-ha", signal.SIGTERM)
        assert time.monotonic() - t < 1 * SLOW
        duo.a.start()
        wait_until(lambda: duo.a.json("ha", "status")["state"] == "active", 5)
        time.sleep(0.2)
    assert p.names() == "a" and p.lost() <= FEW


def test_port_down(duo):
    """S160: the active node's port loses its carrier: the other takes over; the port comes again: nothing moves back."""
    a, b = duo.echoes()
    with duo.probes() as p:
        time.sleep(0.1)
        t = time.monotonic()
        duo.port(0, False)
        wait_until(lambda: duo.holds() == [False, True], 5)
        time.sleep(0.3)
        duo.port(0, True)
        duo.settle(["passive", "active"])
        time.sleep(0.2)
    b.stop()
    assert b.spans[0][0] - t < 0.3 * SLOW and len(b.spans) == 1
    assert p.outage() < 300 * SLOW and p.names() == "ab"


def test_cut_and_healed(duo):
    """S162: without a witness both are active while they cannot hear each other; when they can, one is left at once, and
    the client reaches it without an outage, wherever it was."""
    a, b = duo.echoes()
    macs = [ns.run("cat", "/sys/class/net/eth0/address").stdout.strip() for ns in duo.ns]
    for i in range(2):
        duo.cut(True)
        wait_until(lambda: duo.holds() == [True, True], 5)
        with duo.probes() as p:
            # The client may have learned from either.
            duo.client.run("ip", "neigh", "replace", VIP, "lladdr", macs[i % 2], "dev", "eth0", "nud", "stale")
            time.sleep(0.2)
            duo.cut(False)
            t = time.monotonic()
            wait_until(lambda: sum(duo.holds()) == 1, 5)
            assert time.monotonic() - t < 0.3 * SLOW
            time.sleep(0.3)
        assert p.outage() <= 10 * SLOW, i
        assert sum(duo.holds()) == 1
        wait_until(lambda: sorted(duo.roles()) == ["active", "passive"], 5)


def test_frozen(duo):
    """S163: the processes of the active stand still: its kernel goes on answering until the addresses' lease ends there;
    then the other takes over, at no time both, and after the thaw it stays so."""
    a, b = duo.echoes()
    pids = [duo.pid_of(0), duo.core(0)]
    with duo.probes() as p:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        t = time.monotonic()
        wait_until(lambda: duo.holds()[1], 5)
        time.sleep(0.5)
        thaw = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        duo.settle(["passive", "active"])
        time.sleep(0.2)
    a.stop()
    b.stop()
    assert b.spans[0][0] - t < 3.8 * SLOW and len(b.spans) == 1 and len(a.spans) == 1
    assert thaw > b.spans[0][0] > a.spans[0][1] - 0.005 and both(a, b) == []
    assert p.outage() < 700 * SLOW and p.names() == "ab"


def test_frozen_briefly(duo):
    """S163: it stands still for longer than its lease, and not so long that its addresses are gone: nobody else has taken
    over, it lets go all the same, and one of both is active a moment later."""
    a, b = duo.echoes()
    with duo.probes() as p:
        for _ in range(3):
            i = duo.holds().index(True)
            pids = [duo.pid_of(i), duo.core(i)]
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.3)
            assert sum(duo.holds()) == 1
    a.stop()
    b.stop()
    assert both(a, b) == []
    assert p.outage() < 60 * SLOW


def test_frozen_passive(duo):
    """The passive node stands still for a while: it does not take what it has missed for a death."""
    duo.echoes()
    pids = [duo.pid_of(1), duo.core(1)]
    with duo.probes() as p:
        for _ in range(2):
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.2)
            assert duo.holds() == [True, False]
    assert p.names() == "a" and p.lost() <= FEW


def test_reload(duo):
    """S165: changes of the configuration move nothing, and lose nothing."""
    duo.echoes()
    with duo.probes() as p:
        for i in range(5):
            n = duo.nodes[i % 2]
            n.ctl("create", "vip", f"more{i}", f"address=10.9.0.{110 + i}", "ports=80")
            n.ctl("set", "setting", f"ha_dead={80 + i}ms")
        wait_until(lambda: "10.9.0.114" in duo.ns[0].run("ip", "addr", "show").stdout, 5)
        duo.b.ctl("delete", "vip", "more2", "-y")
        wait_until(lambda: "10.9.0.112" not in duo.ns[0].run("ip", "addr", "show").stdout, 5)
        assert "10.9.0.11" not in duo.ns[1].run("ip", "addr", "show").stdout
    assert p.names() == "a" and p.lost() <= FEW


def test_unpair(duo):
    """S156: parted, each node goes on by itself."""
    duo.a.ctl("ha", "unpair", "-y")
    wait_until(lambda: duo.holds() == [True, True], 5)
    assert [n.json("ha", "status")["state"] for n in duo.nodes] == ["active", "active"]
    assert [duo.cores(i) for i in (0, 1)] == [[], []]


def test_boot(duo):
    """S158: a node that starts while the other is active stays passive; when both start at once, exactly one is active."""
    a, b = duo.echoes()
    for _ in range(2):
        duo.b.kill("lbd-ha", signal.SIGTERM)
        duo.b.start()
        duo.settle(["active", "passive"])
    begin = time.monotonic()
    for _ in range(2):
        for i, n in enumerate(duo.nodes):
            core = duo.core(i)
            n.kill("lbd-ha")
            os.kill(core, signal.SIGKILL)
        duo.a.start()
        duo.b.start()
        wait_until(lambda: sorted(map(str, duo.roles())) == ["active", "passive"], 5)
        time.sleep(0.5)
        assert sorted(duo.roles()) == ["active", "passive"] and sum(duo.holds()) == 1
    a.stop()
    b.stop()
    assert both(a, b, until=begin) == []


@pytest.fixture()
def witnessed(tmp_path, closing):
    """A Duo with a witness at 10.9.0.8, in a namespace of its own."""
    duo = Duo(tmp_path, closing)
    third = closing(Netns())
    third.link(duo.switch, "eth0", "p3")
    duo.switch.run("ip", "link", "set", "p3", "master", "br0")
    third.run("ip", "addr", "add", "10.9.0.8/24", "dev", "eth0")
    key = tmp_path / "witness.key"
    subprocess.run([BIN / "lbd-witness", "--make-key", "--key", key], check=True, capture_output=True)
    p = subprocess.Popen([*third.prefix, BIN / "lbd-witness", "--key", key], stderr=subprocess.PIPE, text=True,
                         preexec_fn=die_with_parent)
    for root in duo.roots:
        folder = wait_until(lambda: next(root.glob("**/ha"), None), 2, "the folder of the pair")
        (folder / "witness.key").write_text(key.read_text())
        (folder / "witness.key").chmod(0o600)
    duo.a.ctl("set", "setting", "witness=10.9.0.8")
    duo.third = third
    yield duo
    p.kill()
    p.wait()


def test_witness(witnessed):
    """S162: with a witness the nodes are cut from each other, from it, and from all, again and again: never two answer."""
    duo, chance = witnessed, random.Random(int(os.environ.get("LBD_SEED", "7")))
    time.sleep(0.5)
    assert "cannot be asked" not in duo.a.text() + duo.b.text()
    a, b = duo.echoes()
    with duo.probes() as p:
        for _ in range(PARTITIONS):
            what = chance.choice(["nodes", "nodes", "alpha", "beta"])
            if what == "nodes":
                duo.cut(True)
            else:
                duo.switch.run("ip", "link", "set", f"p{what == 'beta':d}", "nomaster")
            time.sleep(chance.uniform(0.02, 0.2))
            for i in (0, 1):
                duo.switch.run("ip", "link", "set", f"p{i}", "master", "br0")
            duo.cut(False)
            time.sleep(chance.uniform(0.02, 0.2))
        wait_until(lambda: sorted(map(str, duo.roles())) == ["active", "passive"], 5)
        time.sleep(0.3)
    a.stop()
    b.stop()
    assert both(a, b) == [], (a.spans, b.spans)
    assert p.names()[-1] == "ab"[duo.roles().index("active")]
    assert p.rows[-1][1] != "-"


def export(lb):
    """The shared configuration: all but this node's own."""
    c = lb.json("export")
    c.pop("node", None)
    return c


def same(duo):
    return wait_until(lambda: export(duo.a) == export(duo.b), 10, "one configuration")


def test_one_configuration(duo):
    """S072, S151: what is edited on either node is on the other a moment later; secrets and orders too."""
    same(duo)
    duo.a.ctl("create", "vip", "two", "address=10.9.0.101", "ports=80")
    duo.b.ctl("create", "rip", "web/x", "address=10.9.0.50", "port=80")
    duo.b.ctl("drain", "web/x", "-m", "by hand")
    same(duo)
    assert wait_until(lambda: "drain" in duo.a.ctl("get", "rip", "web/x", "-o", "json").stdout, 5, "the order")
    duo.a.ctl("user", "add", "eve", "--role", "admin")
    same(duo)


def test_edits_while_apart(duo):
    """S072, A150: edited on both while they do not see each other: joined field by field, what lost is kept and can be taken."""
    duo.a.ctl("create", "rip", "web/x", "address=10.9.0.50", "port=80")
    same(duo)
    duo.cut(True)
    wait_until(lambda: not duo.a.json("ha", "status")["peer"]["up"] and not duo.b.json("ha", "status")["peer"]["up"], 20, "apart")
    duo.a.ctl("set", "rip", "web/x", "weight=10", "comment=alpha")
    duo.b.ctl("set", "rip", "web/x", "weight=20", "port=81")
    duo.b.ctl("create", "rip", "web/y", "address=10.9.0.51", "port=80")
    duo.cut(False)
    wait_until(lambda: duo.a.json("ha", "status")["peer"]["up"], 20, "together")
    same(duo)
    x = duo.a.json("get", "rip", "web/x")
    x = x[0] if isinstance(x, list) else x
    y = duo.b.ctl("get", "rip", "web/y", check=False)
    assert x["comment"] == "alpha" and int(x["port"]) == 81 and y.returncode == 0
    lost = [n.json("ha", "conflicts") for n in duo.nodes]
    assert lost[0] and len(lost[0]) == len(lost[1]) == 1, lost
    stands, other = int(x["weight"]), int(lost[0][0]["lost"])
    assert {stands, other} == {10, 20} and lost[0][0]["field"] == "weight" and lost[0][0]["why"] == "both changed it"
    duo.b.ctl("ha", "take", lost[1][0]["id"])
    same(duo)
    assert f"{other}" in duo.a.ctl("get", "rip", "web/x", "-o", "json").stdout


def test_rest(duo, closing):
    """S161, S159 over REST: the same words as lbctl, and the hand-over."""
    from lbdweb import Web
    web = closing(Web(duo.a.root, netns=duo.ns[0]))
    with duo.ns[0].inside():
        web.start()
        api = web.api("operator")
        wait_until(lambda: api("GET", "/ha").status == 200 and api("GET", "/ha").json["link"] == "up", what="links")
        r = api("GET", "/ha").json
        assert r["words"] == "Master | Active | Link up" and r["peer"]["name"] == "beta" and r["carriers"][0]["state"] == "up"
        assert api("POST", "/ha/failover").status == 204
        wait_until(lambda: duo.holds() == [False, True], 5, "the other has it")
        assert api("GET", "/ha/conflicts").json == {"items": []}
