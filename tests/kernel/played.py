"""lbd-ipvs on the lab's node, and lbd-check played by the test: verdicts come when the test says so.

    node = closing(Node(lab, tmp_path))            # Node(lab, tmp_path, "lbd-check") for the real one
    node.apply(vip={"web": {...}})                 # as lbctl apply takes it
    node.start()
    node.check.verdict(node.id("web/s1"), DOWN, "refused")
    node.until("TCP 10.0.1.100:80", s1=0, s2=100)  # weights in the kernel"""
import contextlib
import json
import pathlib
import re
import socket
import sqlite3
import struct
import threading

from lbdbus import decode, encode
from lbdtest import wait_until

UNKNOWN, UP, DOWN = 0, 1, 2
OK, REFUSED = 1, 2  # rows of reasons.def


def counter_values(owner, blob):
    """{name: value} of a blob of COUNTERS; owner: service or server (counters.def)."""
    text = pathlib.Path(__file__).parents[2].joinpath("common/msg/counters.def").read_text()
    names = {int(number): name for kind, number, name in re.findall(r"COUNTER\((\w+),\s*(\d+),\s*(\w+)", text) if kind == owner}
    return {names[number]: value for number, value in struct.iter_unpack(">HQ", blob)}


class Check:
    """The socket of lbd-check. Who links to it is given the state so far, then every change; .observed: what it was told."""

    def __init__(self, root):
        self.path = pathlib.Path(root, "run/lbd/lbd-check.sock")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.lock, self.links, self.state, self.observed = threading.Lock(), [], {}, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(self.path))
        self.listener.listen(8)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                s, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        s.send(encode("HELLO", 0, program="lbd-check", version=1))
        with contextlib.suppress(OSError):
            while raw := s.recv(65536):
                name, seq, m = decode(raw)
                if name == "SUBSCRIBE":
                    with self.lock:
                        for kind, row in self.state.values():
                            s.send(encode(kind, seq, **row))
                        s.send(encode("RESULT", seq, code=0))
                        self.links.append(s)
                elif name != "HELLO" and name != "CREDIT":
                    self.observed.append((name, m))
                    s.send(encode("RESULT", seq, code=0))
        with self.lock:
            if s in self.links:
                self.links.remove(s)
        s.close()

    def tell(self, name, key, row):
        """A row of topic HEALTH, kept as the state."""
        with self.lock:
            self.state[name, key] = name, row
            raw = encode(name, 0, **row)
            for s in self.links:
                s.send(raw)

    def verdict(self, server, verdict, text=""):
        self.tell("HEALTH", server, dict(server=server, verdict=verdict, reason=OK if verdict == UP else REFUSED, text=text))

    def quorum(self, service, met):
        self.tell("QUORUM", service, dict(service=service, met=met))

    def close(self):
        self.listener.close()
        self.path.unlink(missing_ok=True)
        with self.lock:
            for s in self.links:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)


class Node:
    """Daemons on the lab's node; lbd-ha holds the addresses. Without "lbd-check" among them it is played: .check."""

    def __init__(self, lab, root, *daemons):
        self.lab, self.lb = lab, lab.lbd(root, "lbd-ha", "lbd-ipvs", *daemons)
        self.check = None if "lbd-check" in daemons else Check(root)
        self.ids = {}
        self.names = {s.address: s.host for s in lab.servers}

    def start(self, *names):
        self.lb.start(*names)
        if self.check:
            wait_until(lambda: self.check.links, what="lbd-ipvs is linked to lbd-check")
        return self

    def apply(self, **objects):
        self.lb.ctl("apply", "-f", "-", input=json.dumps(objects))

    def id(self, path):
        """Row id of VIP or VIP/RIP."""
        if path not in self.ids:
            with contextlib.closing(sqlite3.connect(f"file:{self.lb.root}/var/lib/lbd/config.db?mode=ro", uri=True)) as db:
                self.ids = dict(db.execute("SELECT name, id FROM service UNION SELECT service.name || '/' || server.name, server.id "
                                           "FROM server JOIN service ON server.vip = service.id"))
        return self.ids[path]

    def say(self, verdict, *paths):
        for p in paths:
            self.check.verdict(self.id(p), verdict, "as tested")

    def weights(self, key):
        """{server: weight} of a service in the kernel, servers of the lab by name, others by address; None: no such service."""
        service = self.lab.table().get(key)
        return service and {self.names.get(a.rpartition(":")[0].strip("[]"), a): d.weight for a, d in service.servers.items()}

    def until(self, key, **want):
        wait_until(lambda: self.weights(key) == want, 20, f"{key} {want}, not {self.weights(key)}\n{self.lb.text()[-2000:]}")

    def stop(self):
        print(self.lb.text()[-6000:])  # pytest shows it of a test that failed
        if self.check:
            self.check.close()
        self.lb.stop()
