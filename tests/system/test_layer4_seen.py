"""What lbd-ipvs tells is seen everywhere: lbctl, API, panel, events and metrics. Here a stand-in tells it, so that each
state can be had; the daemon itself is tested where the kernel has IPVS."""
import contextlib
import os
import re
import socket
import struct
import threading
import time

import pytest

from lbdbus import decode, encode
from lbdtest import Origin, wait_until
from lbdweb import Web

HALF_OPEN = 9  # findings.def


class Ipvs:
    """Speaks as lbd-ipvs: what it holds is told to whoever subscribes, and each change to all."""

    def __init__(self, web):
        self.path = f"{web.root}/run/lbd/lbd-ipvs.sock"
        self.rows, self.counts, self.links, self.lock = {}, [], [], threading.Lock()
        self.start()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.bind(self.path)
        self.s.listen(16)
        threading.Thread(target=self._accept, args=(self.s,), daemon=True).start()

    def stop(self):
        """As killed: every link ends."""
        self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
        with self.lock:
            for c, _ in self.links:
                with contextlib.suppress(OSError):
                    c.shutdown(socket.SHUT_RDWR)
            self.links.clear()

    close = stop

    def _accept(self, s):
        while True:
            try:
                c, _ = s.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        me = {"program": "lbd-ipvs", "version": 1, "release": "test", "pid": os.getpid()}
        while True:
            try:
                packet = c.recv(65536)
            except OSError:
                return
            if not packet:
                return
            name, seq, m = decode(packet)
            if name == "HELLO":
                c.send(encode("HELLO", 0, **me))
            elif name == "STATUS":
                self._answer(c, seq, [("DAEMON", dict(me, started=int(time.time()), revision=0, local=0, oper=0))])
            elif name == "COUNTERS":
                self._answer(c, seq, self.counts)
            elif name == "SUBSCRIBE":
                with self.lock:
                    self._answer(c, seq, list(self.rows.values()))
                    self.links.append((c, m["topics"]))
            elif name == "REVISION":
                self._answer(c, seq, [("APPLIED", {"scope": m["scope"], "number": m["number"], "ok": 1})])

    def _answer(self, c, seq, rows):
        for name, m in rows:
            c.send(encode(name, seq, **m))
        c.send(encode("RESULT", seq, code=0, rows=len(rows)))

    def tell(self, name, key, **m):
        with self.lock:
            self.rows[name, key] = (name, m)
            for c, _ in self.links:
                with contextlib.suppress(OSError):  # lbctl asked once and left
                    c.send(encode(name, 0, **m))

    def forget(self, name, key):
        with self.lock:
            self.rows.pop((name, key), None)


def value(text, name, **labels):
    for m in re.finditer(rf"^{name}{{(.*)}} (\S+)$", text, re.M):
        have = dict(re.findall(r'(\w+)="([^"]*)"', m[1]))
        if all(have.get(k) == v for k, v in labels.items()):
            return float(m[2])
    return None


def blob(**counters):
    """Counters of layer 4 by the tags of counters.def."""
    tags = {"conns": 1, "conns_total": 2}
    return b"".join(struct.pack(">HQ", tags[k], v) for k, v in counters.items())


@pytest.fixture()
def seen(tmp_path, closing):
    """A service of layer 4 with two servers that are up, seen through lbd-web; and the stand-in."""
    web = closing(Web(tmp_path / "root", "lbd-check"))
    a, b = closing(Origin("a")), closing(Origin("b"))
    web.ctl("create", "check", "fast", "interval=300ms", "timeout=300ms", "fall=1", "rise=1")
    web.ctl("create", "vip", "four", "address=198.51.100.4", "ports=80", "mode=nat", "check=fast", "fallback=127.0.0.9",
            "more_addresses=198.51.100.8/30")
    for o in (a, b):
        web.rip("four", o.name, o.port)
    (web.root / "run/lbd").mkdir(parents=True, exist_ok=True)
    web.ipvs = closing(Ipvs(web))
    web.start()
    viewer, form = web.api("viewer"), web.login()
    web.vip_row = lambda: viewer("GET", "/vips/four").json["status"]
    web.rip_row = lambda n: viewer("GET", f"/vips/four/rips/{n}").json["status"]
    web.page = lambda: re.sub(r"<[^>]+>", "", form.get("/?open=four").body.decode())
    web.scrape = lambda: viewer.web.raw("GET", "/metrics", headers=viewer.headers).body.decode()
    web.events = lambda kind: [(e["from"], e["to"]) for e in web.json("events") if e["type"] == kind]
    web.id = {"four": 2, "a": 2, "b": 4}
    wait_until(lambda: web.vip_row()["state"] == "ok", what=lambda: web.vip_row())
    return web


def test_a_hint_is_yellow_everywhere(seen):
    """S203: a server of which connections stay half open is fit, and yellow with the reason, until that is over."""
    text = "14 of 15 connections half open for 20 s"
    seen.ipvs.tell("L4_HINT", "a", server=seen.id["a"], what=HALF_OPEN, since=1767225600, text=text)
    wait_until(lambda: seen.rip_row("a")["state"] == "warning")
    assert seen.rip_row("a")["colour"] == "yellow" and seen.rip_row("a")["hint"]["what"] == "half_open"
    assert seen.rip_row("a")["hint"]["text"] == text and seen.rip_row("b")["hint"] is None
    assert seen.vip_row()["word"] == "Degraded" and seen.vip_row()["servers"]["warning"] == 1
    status = seen.ctl("status", check=False).stdout
    assert "1 up, 0 down, 1 up with a warning" in status and f"rip four/a: {text}" in status
    assert re.search(r"^warning +four/a", seen.ctl("get", "rip").stdout, re.M)
    assert text in seen.ctl("get", "rip", "-o", "wide").stdout
    described = seen.ctl("describe", "rip", "four/a").stdout
    assert re.search(r"^status +Warning$", described, re.M) and text in described and "stay half open" in described
    assert text in seen.page() and "Warning" in seen.page()
    assert value(seen.scrape(), "lbd_rip_state", rip="a", state="warning") == 1
    assert value(seen.scrape(), "lbd_rip_hint", rip="a", hint="half_open") == 1
    seen.ctl("wait", "rip/four/a", "up", "--timeout", "5s")  # it is fit all the same
    seen.ipvs.tell("L4_HINT", "a", server=seen.id["a"], what=0)
    wait_until(lambda: seen.rip_row("a")["state"] == "up")
    assert seen.events("rip.state")[-2:] == [("up", "warning"), ("warning", "up")]


def test_fallback_quorum_and_fault(seen):
    """A014: who takes the clients, and that the kernel does not carry a service, is said by all of them."""
    seen.ipvs.tell("L4_SERVICE", "four", service=seen.id["four"], loaded=1, fallback=0, mark=268435458)
    wait_until(lambda: seen.vip_row()["kernel"] == {"loaded": True, "mark": 268435458, "fault": ""})
    assert "Firewall mark: 268435458" in seen.page() and "198.51.100.8–198.51.100.11" in seen.page()
    seen.ctl("set", "vip", "four", "quorum=250")
    wait_until(lambda: seen.vip_row()["quorum"]["met"] is False)
    assert seen.vip_row()["quorum"]["weight"] == 200 and seen.vip_row()["quorum"]["needed"] == 250
    assert seen.vip_row()["word"] == "No quorum"
    seen.ipvs.tell("L4_SERVICE", "four", service=seen.id["four"], loaded=1, fallback=1, mark=268435458)
    wait_until(lambda: seen.vip_row()["word"] == "Fallback")
    note = "the fallback 127.0.0.9 takes the clients; no quorum: weight 200 of 250"
    assert seen.vip_row()["note"] == note and note in seen.page()
    assert note in seen.ctl("status", check=False).stdout and note in seen.ctl("describe", "vip", "four").stdout
    wide = seen.ctl("get", "vip", "-o", "wide").stdout
    assert note in wide and "200/250" in wide
    text = seen.scrape()
    assert value(text, "lbd_vip_quorum_met", vip="four") == 0 and value(text, "lbd_vip_fit_weight", vip="four") == 200
    assert value(text, "lbd_vip_fallback", vip="four") == 1 and value(text, "lbd_vip_loaded", vip="four") == 1
    seen.ctl("set", "vip", "four", "quorum=1")
    wait_until(lambda: seen.vip_row()["quorum"]["met"])
    assert seen.events("vip.quorum") == [("met", "lost"), ("lost", "met")]
    seen.ipvs.tell("L4_SERVICE", "four", service=seen.id["four"], loaded=0, fallback=0, fault="no module ip_vs_wlc")
    wait_until(lambda: seen.vip_row()["colour"] == "red")
    assert seen.vip_row()["word"] == "Not in force" and "no module ip_vs_wlc" in seen.page()
    assert seen.ctl("status", check=False).returncode == 1
    assert value(seen.scrape(), "lbd_vip_loaded", vip="four") == 0
    assert seen.events("vip.fallback") == [("servers", "fallback"), ("fallback", "servers")]
    assert seen.events("vip.kernel") == [("in force", "not in force")]


def test_a_restart_forgets_what_is_over(seen):
    """What lbd-ipvs does not repeat after a restart is not so any more; one that is away is said to be."""
    for n in "ab":
        seen.ipvs.tell("L4_HINT", n, server=seen.id[n], what=HALF_OPEN, text="x")
    wait_until(lambda: seen.vip_row()["servers"]["warning"] == 2)
    seen.ipvs.stop()
    wait_until(lambda: "lbd-ipvs does not run" in seen.page())
    assert seen.vip_row()["servers"]["warning"] == 2, "known for a while yet"
    seen.ipvs.forget("L4_HINT", "a")
    seen.ipvs.start()
    wait_until(lambda: seen.vip_row()["servers"]["warning"] == 1)
    assert seen.rip_row("b")["state"] == "warning" and seen.rip_row("a")["state"] == "up"
    wait_until(lambda: "lbd-ipvs does not run" not in seen.page())


def test_counters_of_the_kernel(seen):
    """S069, S193: connections of layer 4 stand where those of layer 7 do."""
    seen.ipvs.counts = [("SERVICE_COUNTS", {"id": seen.id["four"], "since": 1767225600, "values": blob(conns=7)}),
                        ("SERVER_COUNTS", {"id": seen.id["a"], "since": 1767225600, "values": blob(conns=5)})]
    wait_until(lambda: value(seen.scrape(), "lbd_vip_connections", vip="four", layer="4") == 7)
    assert value(seen.scrape(), "lbd_rip_connections", vip="four", rip="a") == 5
    assert value(seen.scrape(), "lbd_vip_receive_packets_total", vip="four") == 0
    row = seen.json("get", "rip", "four/a")[0]["status"]
    assert row["counters"]["connections"] == 5 and row["counters"]["inactive_connections"] == 0
