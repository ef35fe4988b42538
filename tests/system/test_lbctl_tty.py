"""lbctl on a terminal: prompts, colours, cutting, redrawing; none of it without one."""
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import fcntl

import pytest

from lbdtest import BIN, SLOW, Lbd


@pytest.fixture()
def c(tmp_path):
    lb = Lbd(tmp_path / "r")
    lb.ctl("create", "vip", "web", "address=192.0.2.10", "ports=80")
    lb.ctl("create", "rip", "web/a", "address=10.0.0.1", "comment=x")
    return lb


class Terminal:
    """A command on a pseudo-terminal of a given size; .text is what it showed."""

    def __init__(self, lb, *args, columns=80, rows=24, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | (env or {})
        self.p = subprocess.Popen([BIN / "lbctl", "--root", lb.root, *args], stdin=slave, stdout=slave, stderr=slave,
                                  env=env, start_new_session=True)
        os.close(slave)
        self.text = ""

    def until(self, words, timeout=10):
        end = time.monotonic() + timeout * SLOW
        while words not in self.text:
            assert time.monotonic() < end, f"{words!r} did not come: {self.text!r}"
            if not self.more():
                assert words in self.text, self.text
        return self

    def more(self):
        if not select.select([self.master], [], [], 0.2)[0]:
            return self.p.poll() is None
        try:
            got = os.read(self.master, 65536)
        except OSError:
            return False
        self.text += got.decode(errors="replace")
        return bool(got)

    def type(self, keys):
        os.write(self.master, keys.encode())
        return self

    def end(self):
        while self.more():
            pass
        code = self.p.wait(20 * SLOW)
        os.close(self.master)
        return code


def exists(c, kind, name):
    return c.ctl("get", kind, name, check=False).returncode == 0


def test_a_prompt_before_something_destructive(c):
    """Only y goes on; anything else changes nothing and is exit 2."""
    t = Terminal(c, "delete", "rip", "web/a").until("Delete rip web/a? [y/N]").type("n\n")
    assert t.end() == 2 and "nothing was changed" in t.text and exists(c, "rip", "web/a")
    t = Terminal(c, "delete", "rip", "web/a").until("[y/N]").type("\n")
    assert t.end() == 2 and exists(c, "rip", "web/a")
    t = Terminal(c, "delete", "rip", "web/a").until("[y/N]").type("y\n")
    assert t.end() == 0 and not exists(c, "rip", "web/a")
    t = Terminal(c, "delete", "vip", "web", "-y")
    assert t.end() == 0 and "[y/N]" not in t.text


def test_a_password_is_asked_twice_and_not_shown(c):
    t = Terminal(c, "user", "add", "eve", "--role", "admin")
    t.until("Password of eve:").type("correct horse\n").until("again:").type("correct house\n")
    assert t.end() == 2 and "differ" in t.text and "correct" not in t.text and not exists(c, "user", "eve")
    t = Terminal(c, "user", "add", "eve", "--role", "admin")
    t.until("Password of eve:").type("correct horse\n").until("again:").type("correct horse\n")
    assert t.end() == 0 and "correct" not in t.text and exists(c, "user", "eve")


def test_colours(c):
    """On a terminal, unless NO_COLOR, TERM=dumb or --color=never."""
    def coloured(*args, **env):
        t = Terminal(c, "get", "vip", *args, env=env)
        assert t.end() == 0 and "Unknown" in t.text
        return "\033[" in t.text
    assert coloured()
    assert not coloured(NO_COLOR="1")
    assert coloured(NO_COLOR="")
    assert not coloured(TERM="dumb")
    assert not coloured("--color=never")
    assert coloured("--color=always", NO_COLOR="1")


def test_tables_fit_the_terminal(c):
    c.ctl("set", "vip", "web", f"comment={'long ' * 30}")
    t = Terminal(c, "get", "vip", "--columns", "name,comment,ports", columns=60)
    assert t.end() == 0
    lines = re.sub(r"\033\[[0-9;]*m", "", t.text).splitlines()
    assert all(len(x) <= 60 for x in lines) and "…" in t.text
    assert "…" not in c.ctl("get", "vip", "--columns", "name,comment,ports").stdout


def test_watch_redraws_in_place_and_q_ends_it(c):
    t = Terminal(c, "get", "rip", "-w").until("web/a")
    c.ctl("drain", "web/a")
    t.until("drain")
    assert t.text.startswith("\033[2J\033[H") and t.text.count("\033[2J") == 1 and t.text.count("\033[H") >= 2
    t.type("q")
    assert t.end() == 0
    t = Terminal(c, "top", rows=10).until("web").type("q")
    assert t.end() == 0


def test_an_editor_that_is_refused_is_opened_again(c, tmp_path):
    """edit on a terminal: the second time the reason stands on top of the text."""
    editor = tmp_path / "ed"
    editor.write_text("#!/bin/sh\nif grep -q '^# refused' \"$1\"; then cp \"$1\" " + str(tmp_path / "seen") +
                      "; sed -i 's/retries: 99/retries: 9/' \"$1\"; else sed -i 's/ports: .*/&\\n    retries: 99/' \"$1\"; fi\n")
    editor.chmod(0o755)
    t = Terminal(c, "edit", "vip", "web", env={"EDITOR": str(editor), "VISUAL": "", "TMPDIR": str(tmp_path)})
    assert t.end() == 0, t.text
    assert c.json("get", "vip", "web")[0]["retries"] == 9
    assert (tmp_path / "seen").read_text().startswith("# refused: ") and "0 to 10" in (tmp_path / "seen").read_text()
