"""lbd-witness as built, asked by a client that was written from its page of the protocol and from the standards alone."""
import hashlib
import hmac
import os
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from lbdtest import BIN, wait_until

LOOK, TAKE, GIVE = 1, 2, 3
GRANTED, HELD, FREE, STALE, WAIT, PROVE, FULL = range(16, 23)
FORM = ">4sBBBBQQQQQQIBBBB"


def hkdf(secret, info):
    """RFC 5869 without salt, the first 32 bytes."""
    prk = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


def free_port():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.bind(("::", 0))
        return s.getsockname()[1]


class Witness:
    def __init__(self, folder):
        self.key = folder / "witness.key"
        self.port = free_port()
        self.log = folder / "log"
        done = subprocess.run([BIN / "lbd-witness", "--make-key", "--key", self.key], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert self.key.stat().st_mode & 0o7777 == 0o600
        self.since = time.monotonic()  # no later than its own start
        self.p = subprocess.Popen([BIN / "lbd-witness", "-v", "--key", self.key, "--port", str(self.port)],
                                  stderr=self.log.open("w"))
        wait_until(lambda: "listens at" in self.text())

    def text(self):
        return self.log.read_text()

    def stop(self):
        self.p.terminate()
        assert self.p.wait(5) == 0


class Node:
    """A node that asks. Sequence and stamps as the protocol wants them, unless a call says otherwise."""

    def __init__(self, witness, number, at="127.0.0.1", secret=None):
        self.secret = secret or bytes.fromhex(witness.key.read_text().strip())
        self.number, self.seq, self.boot = number, 0, os.getpid() * 10 + number
        self.witness = self.stamp = 0
        self.s = socket.socket(socket.AF_INET6 if ":" in at else socket.AF_INET, socket.SOCK_DGRAM)
        self.s.connect((at, witness.port))
        self.s.settimeout(2)

    def seal(self, body):
        return hmac.new(hkdf(self.secret, b"lbd witness"), body, hashlib.sha256).digest()[:16]

    def note(self, word, generation=0, lease_ms=0, cluster=0xabc, group=0):
        self.seq += 1
        body = struct.pack(FORM, b"lbdw", 1, 1, hkdf(self.secret, b"lbd key id")[0], self.number, cluster, self.boot,
                           self.seq, self.witness, self.stamp, generation, lease_ms, group, word, 0, 0)
        return body + self.seal(body)

    def exchange(self, packet):
        self.s.send(packet)
        answer = self.s.recv(512)
        assert len(answer) == 80 and answer[64:] == self.seal(answer[:64])
        f = struct.unpack(FORM, answer[:64])
        assert f[2] == 2 and f[4] == self.number and f[6] == self.boot
        self.witness, self.stamp = f[8], f[9]
        return {"seq": f[7], "generation": f[10], "lease_ms": f[11], "word": f[13], "holder": f[14]}

    def ask(self, word, *args, **kw):
        a = self.exchange(self.note(word, *args, **kw))
        if a["word"] == PROVE:
            a = self.exchange(self.note(word, *args, **kw))
        return a

    def silence(self, packet):
        self.s.send(packet)
        self.s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            self.s.recv(512)
        self.s.settimeout(2)


@pytest.fixture(scope="module")
def witness(tmp_path_factory):
    w = Witness(tmp_path_factory.mktemp("witness"))
    yield w
    w.stop()


def test_nobody_without_the_secret_is_answered(witness):
    """Junk, a wrong secret, a changed byte: silence; the right one is answered over both families, at the address asked."""
    good = Node(witness, 1)
    other = Node(witness, 1, secret=bytes(32))
    for packet in (b"", b"x", bytes(80), good.note(LOOK)[:-1], good.note(LOOK)[:-1] + b"?", other.note(LOOK)):
        good.silence(packet)
    for at in ("127.0.0.1", "127.0.0.9", "::1"):
        assert Node(witness, 1, at).ask(LOOK)["word"] == FREE


def test_it_grants_to_one_of_two(witness):
    """Nothing for the longest lease after its start; then to one node, until its lease is over."""
    a, b = Node(witness, 1), Node(witness, 2, "::1")
    first = a.ask(TAKE, 1, 1500)
    if time.monotonic() - witness.since < 9:
        assert first["word"] == WAIT and 0 < first["lease_ms"] <= 10000
    wait_until(lambda: a.ask(TAKE, 1, 1500)["word"] == GRANTED, 15)
    assert time.monotonic() - witness.since > 9.5
    begin = time.monotonic()
    packet = a.note(TAKE, 1, 1500)
    assert a.exchange(packet)["word"] == GRANTED
    assert a.exchange(packet)["word"] == PROVE  # a recording
    refused = b.ask(TAKE, 2, 1500)
    assert (refused["word"], refused["holder"], refused["generation"]) == (HELD, 1, 1)
    assert b.ask(TAKE, 2, 1500, group=1)["word"] == GRANTED
    assert b.ask(TAKE, 2, 1500, cluster=0xdef)["word"] == GRANTED
    wait_until(lambda: b.ask(TAKE, 2, 1500)["word"] == GRANTED, 5)
    assert time.monotonic() - begin >= 1.5
    assert a.ask(TAKE, 2, 1500)["word"] == HELD
    assert b.ask(GIVE, 2)["word"] == FREE
    assert a.ask(TAKE, 2, 1500)["word"] == STALE
    assert a.ask(TAKE, 3, 100)["word"] == GRANTED
    assert re.search(r"cluster 0000000000000abc group 0: node 1 holds it with generation 3", witness.text())


def test_the_secret_is_changed_without_a_restart(witness):
    """The new secret as the second line, then as the first, then alone; a file that is wrong changes nothing."""
    old, new = witness.key.read_text().strip(), "11" * 32
    fresh = Node(witness, 1, secret=bytes.fromhex(new))
    before = Node(witness, 1)
    fresh.silence(fresh.note(LOOK))

    def reread(text, said="has read"):
        n = witness.text().count(said)
        witness.key.write_text(text)
        witness.p.send_signal(signal.SIGHUP)
        wait_until(lambda: witness.text().count(said) > n)

    reread(f"{new}\n{old}\n")
    assert fresh.ask(LOOK)["word"] in (FREE, HELD)
    before.s.send(before.note(LOOK))
    assert before.s.recv(512)[6] == hkdf(bytes.fromhex(new), b"lbd key id")[0]  # taken, and answered with the first
    reread("nonsense\n", "stay as they were")
    assert fresh.ask(LOOK)["word"] in (FREE, HELD)
    reread(f"{old}\n")
    fresh.silence(fresh.note(LOOK))
    assert before.ask(LOOK)["word"] in (FREE, HELD)


@pytest.mark.parametrize("args,code,words", [
    (["--port", "0"], 64, "from 1 to 65535"),
    (["--listen", "nowhere"], 64, "an address"),
    (["more"], 64, "there are none"),
    (["--key", "/nonexistent"], 78, "No such file"),
    (["-V"], 0, "lbd-witness"),
    (["-h"], 0, "usage"),
])
def test_options(args, code, words):
    """What is wrong is named; version and help are there."""
    done = subprocess.run([BIN / "lbd-witness", *args], capture_output=True, text=True, timeout=10)
    assert done.returncode == code and words in done.stdout + done.stderr
