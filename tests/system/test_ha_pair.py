"""Pairing: two lbd-ha in two network namespaces on one cable, a one-time code, and everything that can go wrong on the way."""
import contextlib
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from lbdbus import Bus
from lbdtest import BIN, SLOW, Lbd, Netns, wait_until
from test_lbctl_tty import Terminal

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")


class Pair:
    """Nodes alpha (10.9.0.1) and beta (10.9.0.2), each with one service."""

    def __init__(self, tmp_path, closing):
        ns = [closing(Netns()), closing(Netns())]
        ns[0].link(ns[1], "eth0", "eth0")
        self.nodes = []
        for i, name in enumerate(("alpha", "beta")):
            ns[i].run("ip", "addr", "add", f"10.9.0.{i + 1}/24", "dev", "eth0")
            ns[i].run("ip", "addr", "add", f"fd09::{i + 1}/64", "dev", "eth0", "nodad")
            lb = closing(Lbd(tmp_path / name, "lbd-ha", netns=ns[i]))
            lb.ctl("set", "node", f"hostname={name}")
            lb.ctl("create", "vip", f"of-{name}", f"address=10.9.0.{50 + i}", "ports=80")
            self.nodes.append(lb)
        self.a, self.b = self.nodes
        self.ns = ns

    def start(self):
        for n in self.nodes:
            n.start()
        return self

    def code(self):
        return self.b.ctl("ha", "code").stdout.strip()

    def pair(self, code, check=True, where="10.9.0.2", more=("-y",)):
        return self.a.ctl("ha", "pair", where, "--code-file", "-", *more, check=check, input=code + "\n")

    def up(self):
        wait_until(lambda: all(peer(n) and peer(n)["paired"] and peer(n)["up"] for n in self.nodes), 10, "channel up")


def peer(lb):
    return lb.json("ha", "status")["peer"]


def single(lb):
    return peer(lb) is None


@pytest.fixture()
def two(tmp_path, closing):
    return Pair(tmp_path, closing)


@pytest.mark.parametrize("before", ["copied", "paired"])
def test_whole_in_spite_of_a_common_past(two, before):
    """S151: what was confirmed is a replacement, also when one node is a copy of the other, or both were a pair before."""
    def vips(n):
        return sorted(v["name"] for v in n.json("get", "vip"))

    if before == "copied":
        for f in two.a.root.glob("var/lib/lbd/config.db*"):
            shutil.copy2(f, two.b.root / "var/lib/lbd" / f.name)
    two.start()
    if before == "paired":
        two.pair(two.code())
        two.up()
        wait_until(lambda: vips(two.b) == ["of-alpha"], 10, "alpha's configuration")
        two.a.ctl("ha", "unpair", "-y")
        wait_until(lambda: single(two.a) and single(two.b), 5, "single again")
    two.b.ctl("create", "vip", "mine", "address=10.9.0.60", "ports=80")
    two.a.ctl("create", "vip", "new", "address=10.9.0.61", "ports=80")
    two.pair(two.code())
    two.up()
    wait_until(lambda: vips(two.b) == ["new", "of-alpha"], 10, "alpha's configuration")
    assert vips(two.a) == ["new", "of-alpha"] and two.a.json("ha", "conflicts") == []
    two.b.ctl("create", "vip", "later", "address=10.9.0.62", "ports=80")
    wait_until(lambda: vips(two.a) == ["later", "new", "of-alpha"], 5, "one configuration")


def test_pair_step_by_step(two):
    """A one-time code, fingerprints on both sides, steps as they happen; afterwards a channel, and both say the same."""
    two.start()
    shown = subprocess.Popen([*two.ns[1].prefix, BIN / "lbctl", "--root", two.b.root, "ha", "code", "--wait"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    code = shown.stdout.readline().strip()
    assert len(code) == 19 and code.count("-") == 3
    r = two.pair(code.lower().replace("0", "o").replace("-", " "))
    lines = [line.split(None, 1) for line in r.stdout.splitlines()]
    assert [w for w, _ in lines] == ["connect", "code", "exchange", "fingerprint", "fingerprint", "confirm", "cluster",
                                     "prepare", "commit", "replace", "done"]
    text = dict(lines)
    assert "beta" in text["confirm"] and "services 1" in text["confirm"] and "node 1 (master)" in text["cluster"]
    out, notes = shown.communicate(timeout=20)
    assert shown.returncode == 0 and "paired with alpha" in out + notes and "node 2 (slave)" in out
    two.up()
    one, other = peer(two.a), peer(two.b)
    assert (one["name"], other["name"]) == ("beta", "alpha")
    assert one["fingerprint"] == other["own_fingerprint"] and other["fingerprint"] == one["own_fingerprint"]
    for print_ in (one["fingerprint"], other["fingerprint"]):
        assert print_ in r.stdout and print_ in notes + out and print_ in two.b.text()
    assert one["cluster"] == other["cluster"] and (one["node"], other["node"]) == (1, 2)
    wait_until(lambda: all(n.json("ha", "status")["link"] == "up" for n in two.nodes), what="carriers")
    assert [n.json("ha", "status")["role"] for n in two.nodes] == ["master", "slave"]
    assert "Link up" in two.b.ctl("ha", "status").stdout
    wait_until(lambda: [v["name"] for v in two.b.json("get", "vip")] == ["of-alpha"], what="alpha's configuration on beta")
    assert code not in two.a.text() + two.b.text()
    # The code is spent, and nobody of a pair pairs again.
    assert two.pair(code, check=False).returncode == 4
    assert two.b.ctl("ha", "code", check=False).returncode == 4
    for n in two.nodes:
        for name, mode in (("node.key", 0o600), ("cluster", 0o600)):
            assert (n.root / "var/lib/lbd/ha" / name).stat().st_mode & 0o777 == mode
        assert not (n.root / "var/lib/lbd/ha/cluster.prepared").exists()


def test_pair_asks_a_person(two):
    """The code is asked for on the terminal, and the other node's configuration is replaced only after a yes."""
    two.start()
    t = Terminal(two.a, "ha", "pair", "10.9.0.2")
    t.until("Code that the other node shows").type(two.code() + "\n")
    t.until("will be replaced by this node's").until("[y/N]").type("n\n").end()
    assert t.p.wait(10) == 2 and "not confirmed" in t.text
    assert single(two.a) and single(two.b)
    t = Terminal(two.a, "ha", "pair", "[fd09::2]:9444")
    t.until("Code that").type(two.code() + "\n")
    t.until("[y/N]").type("y\n").end()
    assert t.p.wait(10) == 0
    two.up()
    assert peer(two.a)["addresses"] == ["fd09::2"] and peer(two.b)["addresses"] == ["fd09::1"]


def test_no_confirmation_no_pair(two):
    """Without a terminal and without -y nothing happens; nor when who asked leaves at the question."""
    two.start()
    r = two.pair(two.code(), check=False, more=())
    assert r.returncode == 2 and "-y" in r.stderr
    assert single(two.a) and single(two.b)
    t = Terminal(two.a, "ha", "pair", "10.9.0.2")
    t.until("Code that").type(two.code() + "\n").until("[y/N]")
    t.p.kill()
    t.p.wait()
    wait_until(lambda: "has left" in two.b.text(), 5)
    assert single(two.a) and single(two.b)
    two.pair(two.code())
    two.up()


def test_wrong_code(two):
    """Each wrong code is refused in words; after five the right one is too, and nothing of a pair exists."""
    two.start()
    r = two.pair("0000-0000-0000-0000", check=False)
    assert r.returncode == 6 and "refused" in r.stderr and "lbctl ha code" in r.stderr
    assert two.pair("0000-0000", check=False).returncode == 7
    code = two.code()
    for i in range(5):
        r = two.pair("0000-0000-0000-0000", check=False)
        assert r.returncode == 5, r.stderr
        assert "the code is wrong or no longer valid; \"lbctl ha code\" on the other node shows a new one" in r.stderr
        wait_until(lambda: f"({i + 1} of 5)" in two.b.text())
    r = two.pair(code, check=False)
    assert r.returncode == 6 and "lbctl ha code" in r.stderr
    for n in two.nodes:
        assert single(n) and not (n.root / "var/lib/lbd/ha/cluster").exists()
        assert not (n.root / "var/lib/lbd/ha/cluster.prepared").exists()
    # Who connects and proves nothing uses up no try.
    code = two.code()
    with two.ns[0].inside():
        for _ in range(7):
            with contextlib.suppress(ConnectionResetError), socket.create_connection(("10.9.0.2", 9444), 5) as s:
                s.sendall(b"\x16\x03\x01\x00\x05hello" + os.urandom(100))
                s.settimeout(5)
                while s.recv(1000):
                    pass
    two.pair(code)
    two.up()


def test_code_ends(two):
    """A code that nobody used in its time is none any more, and who waits is told."""
    two.start()
    with Bus(two.b.root, "lbd-ha") as bus:
        began = time.monotonic()
        rows, result = bus.ask("HA_CODE", life=1, wait=1)
        assert 0.9 < time.monotonic() - began < 5 and result["code"] == -110 and "in time" in result["text"]
    code = rows[0][1]["code"].decode()
    r = two.pair(code, check=False)
    assert r.returncode == 6 and "lbctl ha code" in r.stderr
    # A new code takes the place of the one before.
    old, new = two.code(), two.code()
    assert two.pair(old, check=False).returncode == 5
    two.pair(new)
    two.up()


def test_port_of_a_node(two):
    """Another port than 9444: a field of the node."""
    two.b.ctl("set", "node", "ha_port=9555")
    two.start()
    code = two.code()
    assert two.pair(code, check=False).returncode == 6
    two.pair(code, where="10.9.0.2:9555")
    two.up()
    assert peer(two.a)["port"] == 9555
    # Changed while they are a pair: beta comes by itself, and alpha knows from then on.
    two.b.ctl("set", "node", "ha_port=9666")
    wait_until(lambda: peer(two.a)["port"] == 9666 and peer(two.a)["up"], 15)
    two.a.kill("lbd-ha")
    two.a.start()
    two.up()
    assert peer(two.a)["port"] == 9666
    assert two.pair(code, check=False, where="10.9.0.2:x").returncode == 2


def test_address_of_a_node_changes(two):
    """Beta gets another address: it comes to alpha by itself, and alpha remembers where it is."""
    two.start()
    two.pair(two.code())
    two.up()
    two.ns[1].run("ip", "addr", "del", "10.9.0.2/24", "dev", "eth0")
    two.ns[1].run("ip", "addr", "add", "10.9.0.7/24", "dev", "eth0")
    wait_until(lambda: peer(two.a)["up"] and peer(two.a)["addresses"][0] == "10.9.0.7", 25)
    two.a.kill("lbd-ha")
    two.a.start()
    two.up()


def test_itself(two):
    """A node does not pair with itself."""
    two.start()
    code = two.a.ctl("ha", "code").stdout.strip()
    r = two.pair(code, check=False, where="10.9.0.1")
    assert r.returncode != 0 and single(two.a)


def test_unpair_and_again(two):
    """Unpairing leaves both usable with what they have; with the other node gone --local does it; then they pair again."""
    two.start()
    two.pair(two.code())
    two.up()
    r = two.b.ctl("ha", "unpair", "-y")
    assert "both nodes keep" in r.stderr
    wait_until(lambda: single(two.a) and single(two.b))
    assert two.a.ctl("ha", "unpair", "-y", check=False).returncode == 3
    for i, n in enumerate(two.nodes):
        assert n.json("get", "vip")[0]["name"] == "of-alpha"
        assert n.json("ha", "status")["role"] == "master"
    two.pair(two.code())
    two.up()
    two.b.kill("lbd-ha")
    wait_until(lambda: not peer(two.a)["up"])
    r = two.a.ctl("ha", "unpair", "-y", check=False)
    assert r.returncode == 6 and "--local" in r.stderr and not single(two.a)
    two.a.ctl("ha", "unpair", "--local", "-y")
    assert single(two.a)
    two.b.start()
    wait_until(lambda: peer(two.b)["fault"], 10)
    two.b.ctl("ha", "unpair", "--local", "-y")
    two.pair(two.code())
    two.up()


def test_restart_brings_the_channel_back(two):
    """kill -9 of either side, and a cable that is silent for a while: the channel comes again by itself."""
    two.start()
    two.pair(two.code())
    two.up()
    for n in two.nodes:
        n.kill("lbd-ha")
        n.start()
        two.up()
    two.ns[0].run("ip", "link", "set", "eth0", "down")
    wait_until(lambda: not peer(two.a)["up"] and not peer(two.b)["up"], 15)
    assert two.b.json("ha", "status")["link"] == "down" and peer(two.b)["fault"]
    two.ns[0].run("ip", "link", "set", "eth0", "up")
    wait_until(lambda: all(peer(n)["up"] for n in two.nodes), 20)


def test_third_node_is_refused(two, tmp_path, closing):
    """A node with the files of the pair but another key is not let in, and says so."""
    two.start()
    two.pair(two.code())
    two.up()
    two.a.stop()
    c = closing(Lbd(tmp_path / "gamma", "lbd-ha", netns=two.ns[0]))
    c.ctl("set", "node", "hostname=gamma")
    shutil.copytree(two.a.root / "var/lib/lbd/ha", c.root / "var/lib/lbd/ha")
    for name in ("node.key", "node.crt"):
        (c.root / "var/lib/lbd/ha" / name).unlink()
    c.start()
    wait_until(lambda: "does not accept" in peer(c)["fault"])
    wait_until(lambda: "proved nothing" in two.b.text(), what="words about it")
    assert not peer(two.b)["up"]
    c.stop()
    two.a.start()
    two.up()


def test_other_ways_in_are_shut(two):
    """An older TLS, no certificate, or a certificate of one's own: nothing is said to them, and the pair goes on."""
    two.start()
    two.pair(two.code())
    two.up()
    own = two.a.root / "stranger"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", f"{own}.key", "-out", f"{own}.crt",
                    "-subj", "/CN=stranger"], check=True, capture_output=True)
    for old, certificate in ((True, False), (False, False), (False, True)):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if old:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            context.load_cert_chain(f"{own}.crt", f"{own}.key")
        with two.ns[0].inside(), socket.create_connection(("10.9.0.2", 9444), 5) as s, \
                pytest.raises((ssl.SSLError, ConnectionResetError)), context.wrap_socket(s) as t:
            assert t.recv(100) == b""
            raise ConnectionResetError  # closed without an alert is as good
    wait_until(lambda: two.b.text().count("proved nothing") == 3, what="three that proved nothing")
    assert peer(two.a)["up"] and peer(two.b)["up"]


def test_damaged_files(two):
    """Half a file is no pair and no crash: a fault in words, and the way back."""
    two.start()
    two.pair(two.code())
    two.up()
    two.b.stop()
    os.truncate(two.b.root / "var/lib/lbd/ha/cluster", 90)
    two.b.start()
    p = peer(two.b)
    assert not p["paired"] and "damaged" in p["fault"] and "unpair --local" in p["fault"]
    assert "unpair --local" in two.b.ctl("ha", "code", check=False).stderr
    wait_until(lambda: peer(two.a)["fault"])
    for n in two.nodes:
        n.ctl("ha", "unpair", "--local", "-y")
    two.pair(two.code())
    two.up()


def test_in_doubt(two):
    """What a crash at the moment of decision leaves, made by hand: who decides decides, and the other one follows."""
    two.start()
    two.pair(two.code())
    two.up()
    file = [n.root / "var/lib/lbd/ha/cluster" for n in two.nodes]

    def crash(*prepared):
        for n in two.nodes:
            n.stop()
        for i in prepared:
            file[i].rename(f"{file[i]}.prepared")
        two.start()
    # Beta had written down, alpha had committed: the next connection settles it.
    crash(1)
    two.up()
    assert file[1].exists() and "says that the pair counts" in two.b.text()
    # Neither had committed: alpha knows that it did not; beta cannot know.
    crash(0, 1)
    assert single(two.a) and not peer(two.b)["paired"] and peer(two.b)["doubt"]
    r = two.b.ctl("ha", "status")
    assert "unfinished" in r.stdout and "unpair --local" in r.stdout
    r = two.b.ctl("ha", "unpair", "-y", check=False)
    assert r.returncode == 6 and "--local" in r.stderr
    assert two.b.json("ha", "status")["role"] == "master"
    # A new code is as good as --local.
    two.pair(two.code())
    two.up()
    crash(0, 1)
    two.b.ctl("ha", "unpair", "--local", "-y")
    assert single(two.a) and single(two.b)


def test_port_is_taken(two):
    """Somebody else has the port: an error that says what to do, and no code."""
    two.start()
    with two.ns[1].inside(), socket.socket() as s:
        s.bind(("0.0.0.0", 9444))
        s.listen()
        r = two.b.ctl("ha", "code", check=False)
        assert r.returncode == 4 and "ha_port" in r.stderr and not r.stdout
    two.pair(two.code())
    two.up()


def outcome(n):
    p = peer(n)
    return "single" if p is None else "paired" if p["paired"] and not p["doubt"] else "doubt"


def test_killed_while_pairing(two):
    """SIGKILL of either node at any moment: both single, both paired, or one in doubt that a command ends."""
    seed = int(os.environ.get("LBD_SEED", time.time_ns() % 10 ** 9))
    print("seed", seed)
    rng, seen = random.Random(seed), []
    two.start()
    for i in range(20):
        code = two.code()
        victim = two.nodes[i % 2]
        p = subprocess.Popen([*two.ns[0].prefix, BIN / "lbctl", "--root", two.a.root, "ha", "pair", "10.9.0.2",
                              "--code-file", "-", "-y"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        p.stdin.write(code + "\n")
        p.stdin.close()
        steps = rng.choice((*range(11), 7, 7, 8))  # 7: the moment of decision is near
        for _ in range(steps):
            p.stdout.readline()
        time.sleep(rng.random() * 0.006)
        victim.kill("lbd-ha", signal.SIGKILL)
        p.stdout.read()
        said = p.stderr.read()
        code = p.wait(20 * SLOW)
        victim.start()
        allowed = {("single", "single"), ("paired", "paired"), ("single", "doubt")}

        def settled():
            now = outcome(two.a), outcome(two.b)
            return now if now in allowed and (now[0] != "paired" or all(peer(n)["up"] for n in two.nodes)) else None
        end = wait_until(settled, 15, f"{i}: {outcome(two.a)}, {outcome(two.b)}")
        seen.append((victim.root.name, steps, *end))
        if code == 0:
            assert end[0] == "paired"
        elif victim is two.b:
            assert said, "an error is said"
        if end == ("single", "doubt"):
            assert "unfinished" in two.b.ctl("ha", "status").stdout
            assert two.b.ctl("ha", "unpair", "-y", check=False).returncode == 6
            two.b.ctl("ha", "unpair", "--local", "-y")
        elif end[0] == "paired":
            two.a.ctl("ha", "unpair", "-y")
        wait_until(lambda: single(two.a) and single(two.b))
    print(seen)
    assert len({s[2:] for s in seen}) > 1, "the moments were too much alike"
    two.pair(two.code())
    two.up()
