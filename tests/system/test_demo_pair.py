"""make demo PAIR=1: both nodes of a pair with a client that asks all the time."""
import contextlib
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

import pytest

from lbdtest import SLOW, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture()
def short():
    """A folder with a short name: the paths of sockets have a limit."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="d."))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def start(short, *args, **kw):
    """As from a terminal: a shell that runs the tests in the background may have had SIGINT ignored."""
    kw.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    return subprocess.Popen([sys.executable, "-B", ROOT / "packaging/demo_pair.py", *args], text=True,
                            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": dict(os.environ, TMPDIR=str(short)), **kw})


def nothing_left(pid, short):
    """No namespace, folder or process of that demo."""
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"lbd-demo{pid}-" not in names and str(short / "lbd-demo.") not in left
    assert not list(short.iterdir())


def test_once_only_the_kill_is_seen(short):
    """S159, S160: failover by order, back and a return cost no request; a killed node costs less than three seconds."""
    p = start(short, "--once")
    out, _ = p.communicate(timeout=120 * SLOW)
    assert p.returncode == 0, out
    assert "failed in planned changes: 0\n" in out and re.search(r"gap when node 1 was killed: \d+ ms\ndemo: ok", out)
    nothing_left(p.pid, short)


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_commands_and_any_end_leaves_nothing(short, sig):
    """Without a terminal commands are lines; a killed node is shown and comes back; a signal ends it all."""
    p = start(short, stdin=subprocess.PIPE)
    lines = []
    os.set_blocking(p.stdout.fileno(), False)

    def seen(text):
        with contextlib.suppress(BlockingIOError):
            lines.append(os.read(p.stdout.fileno(), 65536).decode())
        return text in "".join(lines)

    wait_until(lambda: seen("clients "), 40, "the table")
    for word, text in (("k2\n", "node 2   does not run"), ("s2\n", "node 2   Slave | Passive"), ("f\n", "failover: node 1 gave")):
        lines.clear()
        for tries in range(6):  # a node that has just come may not be whole yet: then a person types it again
            p.stdin.write(word)
            p.stdin.flush()
            try:
                wait_until(lambda t=text: seen(t), 10, text)
                break
            except AssertionError as e:
                if tries == 5:
                    raise AssertionError(f"after {word!r}: {''.join(lines)[-3000:]}") from e
    p.send_signal(sig)
    assert p.wait(40 * SLOW) == (0 if sig == signal.SIGINT else 1)
    nothing_left(p.pid, short)


def test_keys_in_a_terminal(short):
    """In a terminal one table is drawn over and over, keys are commands, and the terminal is left as it was."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    p = subprocess.Popen([sys.executable, "-B", ROOT / "packaging/demo_pair.py"], stdin=slave, stdout=slave, stderr=slave,
                         env=dict(os.environ, TMPDIR=str(short)))
    os.set_blocking(master, False)
    out = bytearray()

    def seen(text):
        with contextlib.suppress(BlockingIOError):
            out.extend(os.read(master, 65536))
        return text in out.decode(errors="replace")

    wait_until(lambda: seen("\x1b[5A\x1b[J"), 40, "the table again")
    assert not termios.tcgetattr(slave)[3] & termios.ICANON
    os.write(master, b"k")
    wait_until(lambda: seen("> k"), 10, "half a command")
    os.write(master, b"1")
    wait_until(lambda: seen("node 1 killed; s1 starts it again"), 10, "the kill")
    wait_until(lambda: seen("node 2   Slave | Active"), 20, "the take-over")
    os.write(master, b"q")
    wait_until(lambda: seen("\0") or p.poll() is not None, 40, "the end")
    assert p.returncode == 0 and termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    nothing_left(p.pid, short)


def test_ended_while_it_starts(short):
    """Ctrl-C at any time of the start."""
    for after in (0.1, 0.2, 0.3, 0.4, 0.6, 1.5):
        p = start(short)
        time.sleep(after)
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=60 * SLOW)
        nothing_left(p.pid, short)
