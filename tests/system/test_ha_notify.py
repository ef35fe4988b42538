"""Who is told of the roles: the pipe, notify scripts; who tells them: another program than lbd-ha; other pairs
nearby; and the program that switches the other node off."""
import os
import pathlib
import select
import signal
import subprocess
import time

import pytest

from lbdtest import BIN, die_with_parent, wait_until
from test_ha_roles import VIP, Duo
from vrrplib import Keepalived

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")

MAGIC = 0x6c626462  # of a heartbeat, lbd-ha/core/beat.c
# Writes what it is told into a file named by its first argument.
NOTE = """#!/bin/sh
echo "$LBD_GROUP $LBD_OLD $LBD_NEW $LBD_STATE $LBD_GENERATION $LBD_LOST $LBD_CAUSE" >>"$1"
"""


class Pipe:
    """Reads RUN/ha.events of a node: .lines, each split into its six fields."""

    def __init__(self, node):
        self.fd = os.open(pathlib.Path(node.root, "run/lbd/ha.events"), os.O_RDONLY | os.O_NONBLOCK)
        self.text = ""

    @property
    def lines(self):
        while select.select([self.fd], [], [], 0)[0]:
            data = os.read(self.fd, 65536)
            if not data:
                break
            self.text += data.decode()
        return [x.split(" ", 5) for x in self.text.splitlines()]

    def group(self, n):
        """(old, new) of each change of a group, in order."""
        return [tuple(x[2:4]) for x in self.lines if x[1] == str(n)]

    def close(self):
        if self.fd != -1:
            os.close(self.fd)
        self.fd = -1


def script(node, name, text, folder="notify"):
    path = pathlib.Path(node.root, "etc/lbd", folder)
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(text)
    (path / name).chmod(0o755)


def check(node, what):
    """The rows of lbctl ha status of one kind: name: (state, text)."""
    return {c["name"].split()[0]: (c["state"], c["text"]) for c in node.json("ha", "status")["checks"] if c["what"] == what}


@pytest.fixture()
def duo(tmp_path, closing):
    d = Duo(tmp_path, closing)
    d.a.ctl("set", "setting", "ha_dead=600ms", "ha_interval=50ms")
    wait_until(lambda: "600ms" in d.b.ctl("get", "setting", "-o", "yaml").stdout, 5, "times")
    return d


def test_pipe(duo, closing):
    """A144: the pipe gets every change in order, also those of a time without a reader or without the side process."""
    pipes = [closing(Pipe(n)) for n in duo.nodes]
    wait_until(lambda: pipes[1].group(1) == [("listening", "passive")], 5, "since the start")
    assert pipes[0].group(1) == [("listening", "active")]
    duo.a.ctl("ha", "failover")
    duo.settle(["passive", "active"])
    wait_until(lambda: pipes[0].group(1)[1:] == [("active", "leaving"), ("leaving", "passive")], 5, "gave")
    wait_until(lambda: pipes[1].group(1)[1:] == [("passive", "active")], 5, "took")
    line = [x for x in pipes[1].lines if x[1] == "1"][-1]
    assert line[1:5] == ["1", "passive", "active", str(duo.states()[1]["groups"][0]["claim"])]
    assert line[0].endswith("Z") and line[5] == "the peer asked for it"

    # Nobody reads, and the side process is killed: the core goes on, and its changes are told afterwards.
    pipes[0].close()
    os.kill(duo.pid_of(0), signal.SIGSTOP)
    duo.cut(True)  # both are active: they see the service network, and not each other
    wait_until(lambda: duo.holds() == [True, True], 10, "both")
    duo.cut(False)
    wait_until(lambda: sum(duo.holds()) == 1, 10, "one again")
    duo.a.kill("lbd-ha")
    duo.a.start()
    again = closing(Pipe(duo.a))
    wait_until(lambda: [x for x in again.group(1) if "active" in x] != [], 10, "told afterwards")
    told = again.group(1)
    assert told[0][0] == "passive" and [a for a, b in told if b == "active"]
    assert all(a[1] == b[0] for a, b in zip(told, told[1:])), told  # nothing is missing between


def test_scripts(duo, tmp_path):
    """A144: scripts are told of the changes they ask for, one at a time, in order; one that hangs is killed, and the next
    change goes on."""
    told = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for n, path in zip(duo.nodes, told):
        script(n, "note", NOTE)
        n.ctl("create", "notify", "all", f"script=note {path}")
    script(duo.b, "up", '#!/bin/sh\necho up >>"$1"\n')
    duo.b.ctl("create", "notify", "up", f"script=up {tmp_path}/up.txt", "on=active")
    script(duo.b, "hang", '#!/bin/sh\necho >>"$1"\nsleep 100\n')
    duo.b.ctl("create", "notify", "hang", f"script=hang {tmp_path}/hang.txt", "timeout=300ms", "on=any")
    assert check(duo.b, "notify")["up"] == ("unknown", "")
    for roles in (["passive", "active"], ["active", "passive"]):
        duo.a.ctl("ha", "failover")
        duo.settle(roles)

    def lines(i):
        return [x.split()[1:4] for x in told[i].read_text().splitlines() if x[0] == "1"] if told[i].exists() else []
    give = [["active", "leaving", "active"], ["leaving", "passive", "passive"]]
    take = [["passive", "active", "active"]]
    taken = [["active", "passive", "passive"]]  # the first node orders the second time too: it takes
    wait_until(lambda: lines(0) == give + take and lines(1) == take + taken, 10, "both were told everything, in order")
    assert (tmp_path / "up.txt").read_text() == "up\n"
    wait_until(lambda: check(duo.b, "notify")["hang"] == ("bad", "killed after 300 ms without an end"), 10, "it is shown")
    assert check(duo.b, "notify")["all"] == ("good", "exit code 0")
    wait_until(lambda: (tmp_path / "hang.txt").read_text() == "\n\n", 10, "one run for each change")
    assert "notify hang: hang" in duo.b.text()


def test_slow_script(duo, tmp_path, closing):
    """A144: a script that is too slow loses the oldest of what waits, knows how many, and holds up nobody."""
    out = tmp_path / "slow.txt"
    script(duo.b, "slow", NOTE + "while ! test -e \"$2\"; do sleep 0.05; done\n")
    duo.b.ctl("create", "notify", "slow", f"script=slow {out} {tmp_path}/go", "timeout=10m", "group=1")
    pipe = closing(Pipe(duo.b))
    before = len(pipe.group(1)) + 1
    duo.b.ctl("create", "track", "f", "kind=file", f"target={tmp_path}/state")
    wait_until(lambda: len(pipe.group(1)) == before, 5, "no file yet: unfit")
    for i in range(75):  # each turn is one change: fit and unfit
        (tmp_path / "new").write_text(str(i % 2))
        (tmp_path / "new").rename(tmp_path / "state")
        wait_until(lambda: len(pipe.group(1)) > before + i, 5, f"change {i}")
    assert len(out.read_text().splitlines()) == 1
    assert "notify slow: slow" in duo.b.text() and "is too slow" in duo.b.text()
    (tmp_path / "go").write_text("")
    wait_until(lambda: len(out.read_text().splitlines()) == 65, 30, "the last 64 come")
    rows = [x.split() for x in out.read_text().splitlines()]
    changes = len(pipe.group(1)) - before + 1
    assert [int(x[5]) for x in rows if x[5] != "0"] == [changes - 65]
    assert [tuple(x[1:3]) for x in rows[1:]] == pipe.group(1)[-64:]


def test_who_may_write(duo, tmp_path):
    """A script that others than root can change is not run, and says so; nor is one outside of the folder a name."""
    script(duo.b, "note", NOTE)
    pathlib.Path(duo.b.root, "etc/lbd/notify/note").chmod(0o777)
    duo.b.ctl("create", "notify", "n", f"script=note {tmp_path}/x")
    duo.a.ctl("ha", "failover")
    duo.settle(["passive", "active"])
    wait_until(lambda: check(duo.b, "notify")["n"][0] == "bad", 5, "refused")
    assert "others than root can change it" in check(duo.b, "notify")["n"][1]
    assert not (tmp_path / "x").exists()
    r = duo.b.ctl("create", "notify", "m", "script=../track/x", check=False)
    assert r.returncode == 7 and 'notify m: script: "../track/x" does not begin with the name of a program' in r.stderr


class Kept(Duo):
    """keepalived holds the address and tells lbd-ha who is active; a web server (10.9.0.9:8080) behind lbd-proxy on both."""

    def __init__(self, tmp_path, closing):
        super().__init__(tmp_path, closing, "lbd-proxy")
        self.a.ctl("set", "setting", "ha_roles=outside")
        self.a.ctl("create", "rip", "web/r", "address=10.9.0.9", "port=8080")
        (tmp_path / "www").mkdir()
        (tmp_path / "www/index.html").write_text("here")
        server = subprocess.Popen([*self.client.prefix, "python3", "-m", "http.server", "-d", tmp_path / "www", "8080"],
                                  stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        closing(type("Server", (), {"stop": staticmethod(server.kill)}))
        wait_until(lambda: self.holds() == [False, False], 10, "lbd-ha lets go")
        wait_until(lambda: "web/r" in self.b.ctl("get", "rip", "-o", "name").stdout, 10, "replicated")
        self.keepers = []
        for i, n in enumerate(self.nodes):
            path = tmp_path / f"keepalived{i}"
            path.mkdir()
            tell = f"{BIN.resolve()}/lbctl --root {n.root} ha role"
            self.keepers.append(closing(Keepalived(
                self.ns[i], path, 51, 100 - i, [f"{VIP}/24 dev eth0"], globals_=["script_user root", "enable_script_security"],
                more=[f'{k} "{tell} {word}"' for k, word in (("notify_master", "active"), ("notify_backup", "passive"),
                                                             ("notify_fault", "fault"), ("notify_stop", "passive"))])))

    def roles_are(self, *roles):
        """What lbd-ha says of group 1, and that the addresses are where it says."""
        def are():
            s = self.states()
            return [x["groups"][0]["role"] for x in s if x] == list(roles) and self.holds() == [r == "active" for r in roles]
        wait_until(are, 20, f"{roles}, now {self.states()}")

    def get(self):
        return self.client.run("python3", "-c", "import urllib.request as u; print(u.urlopen('http://%s/', timeout=3).read())" % VIP).stdout


def test_keepalived_in_place(tmp_path, closing):
    """S175: keepalived drives the addresses; its notify scripts tell lbd-ha, which shows it, tells others and takes none."""
    kept = Kept(tmp_path, closing)
    kept.roles_are("active", "passive")
    assert "here" in kept.get()
    s = kept.a.json("ha", "status")
    assert s["outside"] and s["state"] == "active" and s["words"].startswith("Master | Active")
    assert s["link"] == "up" and s["peer"]["up"]  # the nodes are a pair for their configuration
    r = kept.a.ctl("ha", "failover", check=False)
    assert r.returncode != 0 and "another program decides who is active" in r.stderr
    # A commit on the node that has the address: it is nobody's mistake that an interface has it.
    kept.a.ctl("create", "vip", "more", f"address={VIP}", "ports=81")

    pipe = closing(Pipe(kept.b))
    kept.keepers[0].stop()
    kept.roles_are("passive", "active")
    assert "here" in kept.get()
    wait_until(lambda: pipe.group(1)[-1:] == [("passive", "active")], 5, "told to others")
    kept.b.kill("lbd-ha")  # a restart of lbd-ha changes nothing
    kept.b.start("lbd-ha")
    kept.roles_are("passive", "active")
    kept.keepers[0].start()
    kept.roles_are("active", "passive")
    kept.port(0, False)  # keepalived calls it a fault
    wait_until(lambda: kept.states()[0]["groups"][0]["role"] == "fault", 10, "fault")
    wait_until(lambda: kept.states()[1]["state"] == "active", 10, "the other one")


def test_role_words(tmp_path, closing):
    """What lbctl ha role refuses: words that are none, and any while lbd-ha decides itself."""
    duo = Duo(tmp_path, closing, pair=False)
    r = duo.a.ctl("ha", "role", "active", check=False)
    assert r.returncode != 0 and "setting ha_roles is own" in r.stderr
    duo.a.ctl("set", "setting", "ha_roles=outside")
    wait_until(lambda: not duo.holds()[0], 5, "a single node lets go too")
    assert duo.a.json("ha", "status")["state"] == "passive"
    r = duo.a.ctl("ha", "role", "master", check=False)
    assert r.returncode != 0 and '"master" is not one of active|passive|fault' in r.stderr
    r = duo.a.ctl("ha", "role", "active", "3", check=False)
    assert r.returncode != 0 and 'group: "3" is not allowed: 1 or 2' in r.stderr
    duo.a.ctl("ha", "role", "active", "2")
    groups = {g["group"]: g["role"] for g in duo.a.json("ha", "status")["groups"]}
    assert groups == {1: "passive", 2: "active"}
    # Two changes of keepalived, whose scripts get through in the wrong order: who was started last has the last word.
    early = subprocess.Popen([*duo.ns[0].prefix, "sh", "-c", 'kill -STOP $$; exec "$@"', "early", BIN / "lbctl", "--root", duo.a.root,
                              "ha", "role", "active", "1"], preexec_fn=die_with_parent)
    wait_until(lambda: pathlib.Path(f"/proc/{early.pid}/stat").read_text().split()[2] == "T", what="it waits")
    time.sleep(0.05)  # the kernel counts starts in steps of 10 ms
    duo.a.ctl("ha", "role", "fault", "1")
    early.send_signal(signal.SIGCONT)
    assert early.wait(10) == 0
    assert duo.a.json("ha", "status")["groups"][0]["role"] == "fault"
    duo.a.ctl("ha", "role", "passive", "1")
    duo.a.ctl("set", "setting", "ha_roles=own")
    wait_until(lambda: duo.holds()[0], 5, "and takes it again")


# Sends heartbeats of another pair to an address. Arguments: the pair's number in hex, the node's, the address, how many.
STRANGER = """
import socket, struct, sys
frame = struct.pack(">IBBBBHHQ", MAGIC, 1, int(sys.argv[2]), 0, 99, 0, 188, int(sys.argv[1], 16)).ljust(188, b"\\1")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.9.0.9"))
for i in range(int(sys.argv[4])):
    s.sendto(frame, (sys.argv[3], PORT))
"""


def test_another_pair(duo):
    """S168: a second pair on this one's port or group is shown, once in the log; with the same number it is an alarm; nothing
    else comes of it."""
    for i, n in enumerate(duo.nodes):
        n.ctl("create", "carrier", "main", f"address=10.9.0.{i + 1}", f"peer=10.9.0.{2 - i}")
        n.ctl("create", "carrier", "group", "kind=multicast", "interface=eth0", "group=239.255.94.44", "port=9445")

    def send(cluster, node, to, port, count=3):
        text = STRANGER.replace("MAGIC", hex(MAGIC)).replace("PORT", str(port))
        duo.client.run("python3", "-c", text, cluster, str(node), to, str(count))

    def alarms(i):
        return {a["kind"]: a for a in duo.states()[i]["alarms"]}
    own = duo.states()[0]["peer"]["cluster"]
    claims = [s["groups"][0]["claim"] for s in duo.states()]
    assert int(own, 16) > 2**32  # random, as proposed at the pairing
    assert alarms(0) == alarms(1) == {}
    wait_until(lambda: len(duo.states()[1]["carriers"]) == 2 and duo.states()[1]["link"] == "up", 10, "both carriers")
    other = f"{int(own, 16) ^ 1:016x}"
    send(other, 1, "239.255.94.44", 9445)
    for i in (0, 1):
        wait_until(lambda: alarms(i).get("other_cluster", {}).get("frames") == 3, 5, "the group is shared")
        a = alarms(i)["other_cluster"]
        assert (a["from"], a["cluster"], a["now"]) == ("10.9.0.9", other, True) and "same_cluster" not in alarms(i)
    send(own, 1, "10.9.0.2", 9444, 1)  # not the other node's address, its number
    wait_until(lambda: alarms(1).get("same_cluster", {}).get("frames") == 1, 5, "same number")
    send(own, 2, "239.255.94.44", 9445)
    for i in (0, 1):
        wait_until(lambda: "same_cluster" in alarms(i), 5, "same number, by the group")
    text = duo.b.ctl("ha", "status").stdout
    assert "ALARM        number of this pair, another key" in text and "from 10.9.0.9" in text and "notice       another pair" in text
    wait_until(lambda: duo.b.text().count("heartbeats with the number of this pair and another key, from 10.9.0.9") == 1, 5, "logged")
    assert [s["groups"][0]["claim"] for s in duo.states()] == claims and duo.roles() == ["active", "passive"]


# "Switches off" a node of the test: its network. Arguments: its namespace, a file that must be there, where to say that it ran.
OFF = """#!/bin/sh
echo "$LBD_MODE $LBD_PEER $LBD_PEER_ADDRESSES" >>"$3"
test -e "$2" || exit 3
ip -n "$1" link set eth0 down
"""


def test_fencing_required(duo, tmp_path):
    """Issue 4, 7: the nodes do not hear each other and both see the network; with fencing required the passive one takes
    over only after the script has switched the other off, and shows why it waits."""
    ran, go = tmp_path / "ran", tmp_path / "go"
    script(duo.b, "off", OFF, folder="fence")
    duo.b.ctl("set", "node", f"fence=off {duo.ns[0].name} {go} {ran}", "fence_timeout=5s")
    wait_until(lambda: check(duo.b, "fence") != {}, 5, "shown")
    claims = [s["groups"][0]["claim"] for s in duo.states()]
    duo.cut(True)
    wait_until(lambda: check(duo.b, "fence").get("off") == ("bad", "exit code 3"), 10, "it has failed")
    wait_until(lambda: len(ran.read_text().splitlines()) >= 2, 10, "it is tried again")
    assert duo.holds() == [True, False] and [s["groups"][0]["claim"] for s in duo.states()] == claims
    assert ran.read_text().splitlines()[0] == "required alpha 10.9.0.1"
    go.write_text("")
    wait_until(lambda: duo.holds()[1], 10, "the other one is off")
    assert check(duo.b, "fence")["off"] == ("good", "exit code 0: the other node is off")
    assert "DOWN" in duo.ns[0].run("ip", "link", "show", "eth0").stdout
    assert "fence off" in duo.b.text() and "exit code 0" in duo.b.text()


def test_fencing_and_heard_again(duo, tmp_path):
    """A node that is heard again while the script runs is not replaced, whatever the script says in the end."""
    ran, go = tmp_path / "ran", tmp_path / "go"
    script(duo.b, "slow", f"#!/bin/sh\necho >>{ran}\nwhile ! test -e {go}; do sleep 0.05; done\n", folder="fence")
    duo.b.ctl("set", "node", "fence=slow")
    wait_until(lambda: check(duo.b, "fence") != {}, 5, "shown")
    duo.cut(True)
    wait_until(ran.exists, 10, "it runs")
    duo.cut(False)
    wait_until(lambda: duo.states()[1]["groups"][0]["role"] == "passive", 10, "heard again")
    go.write_text("")
    wait_until(lambda: check(duo.b, "fence")["slow"][0] == "good", 10, "it has ended")
    assert duo.holds() == [True, False]
    go.unlink()
    duo.cut(True)  # what was done before does not count any more
    wait_until(lambda: ran.read_text() == "\n\n", 10, "another run")
    assert duo.holds() == [True, False]
    duo.b.ctl("ha", "failover", check=False)  # somebody looked, and answers for it
    wait_until(lambda: duo.holds()[1], 10, "by order")


def test_fencing_beside(duo, tmp_path):
    """Advisory: the take-over does not wait; the result is shown all the same."""
    ran, go = tmp_path / "ran", tmp_path / "go"
    script(duo.b, "slow", f'#!/bin/sh\necho "$LBD_MODE" >>{ran}\nwhile ! test -e {go}; do sleep 0.05; done\nexit 1\n', folder="fence")
    duo.b.ctl("set", "node", "fence=slow", "fence_mode=advisory")
    wait_until(lambda: check(duo.b, "fence") != {}, 5, "shown")
    duo.cut(True)
    wait_until(lambda: duo.holds()[1], 10, "taken over")
    wait_until(lambda: check(duo.b, "fence")["slow"][0] == "running", 10, "it runs meanwhile")
    go.write_text("")
    wait_until(lambda: check(duo.b, "fence")["slow"] == ("bad", "exit code 1"), 10, "how it ended")
    assert ran.read_text() == "advisory\n"
