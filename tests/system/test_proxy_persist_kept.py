"""Persistence that outlives the processes: lbd-proxy killed, both daemons restarted, and everything stopped and started
again with only the files of lbd-ha in between (the power cycle of a node)."""
import os
import struct

import pytest

from lbdbus import Bus, encode
from lbdtest import Lbd, get, http_answer, wait_until

CLIENTS = [f"127.0.5.{n}" for n in range(1, 21)]


@pytest.fixture()
def node(tmp_path, closing):
    return closing(Lbd(tmp_path / "node", "lbd-ha", "lbd-proxy"))


def app(origins):
    """Applications that give each login a session of their own."""
    os_ = origins("a", "b", "c")
    for o in os_:
        o.answer = lambda r, o=o: http_answer(b"", "200 OK", f"X-Server: {o.name}", *(
            [f"Set-Cookie: SID={o.name}-{r['target'][7:]}; Path=/"] if r["target"].startswith("/login") else []))
    return os_


def kept(node):
    """{(service, key): server} in the mirror of lbd-ha, as it tells them to an lbd-proxy; what is gone is not in it."""
    out, synced = {}, False
    with Bus(node.root, "lbd-ha", "lbd-proxy") as bus:
        bus.s.send(encode("STICK_FOLLOW", 1))
        while not synced:
            name, _, m = bus._next()
            synced = m.get("synced", False)
            batch = m.get("batch", b"") if name == "STICK_SET" else b""
            for at in range(4, len(batch), 44):
                kind, key_kind, flags, service, key, server, _, _, _ = struct.unpack_from(">BBBxI16sIIIQ", batch, at)
                assert kind == 1 and (server == 0) == (flags == 1)
                if server:
                    out[service, key_kind, key] = server
    return out


class Sticky:
    """A service by source address and one by the application's cookie, and which server each client belongs to."""

    def __init__(self, node, origins):
        os_ = app(origins)
        self.node = node
        self.source = node.vip("source", *os_, persistence="source", scheduler="wrr")
        self.cookie = node.vip("cookie", *os_, persistence="app_cookie", cookie="SID", scheduler="wrr")
        node.start()
        self.by_source = {c: get(self.source, source=c).server for c in CLIENTS}
        self.by_cookie = {}
        for n in range(len(CLIENTS)):
            a = get(self.cookie, f"/login-{n}")
            self.by_cookie[a.headers["Set-Cookie"].split(";")[0]] = a.server
        assert set(self.by_source.values()) == set(self.by_cookie.values()) == {"a", "b", "c"}

    def told(self):
        """lbd-ha has been told; what it has."""
        wait_until(lambda: len(kept(self.node)) == 2 * len(CLIENTS))
        return kept(self.node)

    def entries(self):
        return self.node.json("persist", "list", "source") + self.node.json("persist", "list", "cookie")

    def check(self):
        assert {c: get(self.source, source=c).server for c in self.by_source} == self.by_source
        assert {c: get(self.cookie, headers={"Cookie": c}).server for c in self.by_cookie} == self.by_cookie


def test_kept_over_a_kill_of_lbd_proxy(node, origins):
    """S164: lbd-proxy killed: the next one knows each client before it takes the first."""
    s = Sticky(node, origins)
    s.told()
    for _ in range(2):
        node.kill("lbd-proxy")
        node.start("lbd-proxy")
        s.check()
    assert "40 entries from lbd-ha" in node.text()


def test_kept_over_a_restart_of_lbd_ha(node, origins):
    """S164: lbd-ha killed without having written anything gets the table from lbd-proxy, and has it for the next."""
    s = Sticky(node, origins)
    before = s.told()
    node.kill("lbd-ha")
    node.start("lbd-ha")
    s.check()
    wait_until(lambda: kept(node) == before)
    node.kill("lbd-proxy")
    node.start("lbd-proxy")
    s.check()


def test_kept_over_a_power_cycle(node, origins):
    """N07: everything ends, only the files stay: sticky clients return to the same servers."""
    s = Sticky(node, origins)
    s.told()
    state = node.root / "var/lib/lbd"
    for order in (("lbd-proxy", "lbd-ha"), ("lbd-ha", "lbd-proxy")):
        node.stop()
        for name in ("persist.db", "persist.seed"):
            assert (state / name).stat().st_mode & 0o777 == 0o600
        node.start(*order)
        wait_until(lambda: len(s.entries()) == 2 * len(CLIENTS))
        s.check()
        s.told()
    assert "nothing is known of before" not in node.text()


def test_kept_over_a_crash_of_everything(node, origins):
    """N07: killed without a warning, what is at least ten seconds old is there."""
    s = Sticky(node, origins)
    s.told()
    path = node.root / "var/lib/lbd/persist.db"
    wait_until(lambda: path.exists(), 15)
    wait_until(lambda: not list(path.parent.glob("persist.db.new")))
    for name in list(node.process):
        node.kill(name)
    node.start("lbd-ha", "lbd-proxy")
    s.check()


def test_cleared_is_kept_cleared(node, origins):
    """S164: what an operator clears does not come back, neither with the next lbd-proxy nor from the file."""
    s = Sticky(node, origins)
    s.told()
    node.ctl("persist", "clear", "source", "--client", CLIENTS[0], "-y")
    node.ctl("persist", "clear", "cookie", "-y")

    def cleared():
        left = {r["client"] for r in node.json("persist", "list", "source")}
        return left == set(CLIENTS[1:]) and not node.json("persist", "list", "cookie")
    assert cleared()
    wait_until(lambda: len(kept(node)) == len(CLIENTS) - 1)
    node.kill("lbd-proxy")
    node.start("lbd-proxy")
    assert cleared()
    node.stop()
    node.start("lbd-ha", "lbd-proxy")
    assert cleared()


def test_a_damaged_file_is_refused(node, origins):
    """N07: a file that was cut off is refused whole, with one warning, and service begins without it."""
    s = Sticky(node, origins)
    s.told()
    node.stop()
    path = node.root / "var/lib/lbd/persist.db"
    path.write_bytes(path.read_bytes()[:-30])
    node.start("lbd-ha", "lbd-proxy")
    assert s.entries() == []
    assert node.text().count("persist.db") == 1
    assert get(s.source, source=CLIENTS[0]).status == 200


def test_without_lbd_ha_and_then_with_it(node, origins):
    """S164: lbd-proxy serves without lbd-ha; what it learned meanwhile is kept as soon as lbd-ha is there."""
    os_ = app(origins)
    vip = node.vip("source", *os_, persistence="source", scheduler="wrr")
    node.start("lbd-proxy")
    before = {c: get(vip, source=c).server for c in CLIENTS}
    node.start("lbd-ha")
    wait_until(lambda: len(kept(node)) == len(CLIENTS))
    node.kill("lbd-proxy")
    node.start("lbd-proxy")
    assert {c: get(vip, source=c).server for c in CLIENTS} == before
    assert os.stat(node.root / "var/lib/lbd/persist.seed").st_size == 17
