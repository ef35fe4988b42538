"""What verdicts do in the kernel: failed servers, fallback, quorum, slow start, servers that are not proven yet, and how soon."""
import http.client
import json
import re
import socket
import struct
import threading
import time

import pytest

from lab import VIP, VIP6
from lbdtest import SLOW, wait_until
from played import DOWN, UP, Node

V80 = f"TCP {VIP}:80"


@pytest.fixture()
def node(lab, tmp_path, closing):
    """node(servers=2, daemons=()): two-arm lab with NAT."""
    def make(*daemons, servers=2):
        net = lab(servers=servers)
        for s in net.servers:
            s.nat()
        return closing(Node(net, tmp_path, *daemons))
    return make


def rips(lab, *only, **fields):
    return {s.host: dict(address=s.address, **fields) for s in lab.servers if not only or s.host in only}


def service(lab, port=80, servers=(), **fields):
    return dict(dict(address=VIP, ports=str(port), mode="nat", scheduler="rr", rips=rips(lab, *servers)), **fields)


def by_server(flows):
    return {f.server: f for f in flows}


def test_failed_server_is_quiesced_removed_or_cut(node):
    """A018, S194: the same failure in three services. Weight 0 keeps the sessions, removal loses them, and with drop_on_failure
    both ends are reset at once."""
    n = node()
    lab = n.lab
    n.apply(vip={"keep": service(lab, 80), "lose": service(lab, 81, on_failure="remove"),
                 "cut": service(lab, 82, drop_on_failure="yes")})
    listeners = {(s.host, port): s.listen(port) for s in lab.servers for port in (80, 81, 82)}
    n.start()
    for port in 80, 81, 82:
        n.until(f"TCP {VIP}:{port}", s1=100, s2=100)
    open_ = {port: by_server(lab.flows(2, port=port)) for port in (80, 81, 82)}
    assert all(set(f) == {"s1", "s2"} for f in open_.values())

    n.say(DOWN, "keep/s1", "lose/s1", "cut/s1")
    n.until(V80, s1=0, s2=100)
    n.until(f"TCP {VIP}:81", s2=100)
    n.until(f"TCP {VIP}:82", s1=0, s2=100)
    assert open_[80]["s1"].alive()
    wait_until(open_[82]["s1"].was_reset, what="the client is reset")
    wait_until(lambda: not listeners["s1", 82].open, what="the server is reset")
    n.until(f"TCP {VIP}:82", s2=100)
    assert not open_[81]["s1"].alive(timeout=1)
    for port in 80, 81, 82:
        assert open_[port]["s2"].alive()
        assert lab.spread(4, port=port) == {"s2": 4}
    text = n.lb.text()
    assert "rip keep/s1: weight 0: as tested" in text and "rip lose/s1: taken out: as tested" in text

    n.say(UP, "keep/s1", "lose/s1", "cut/s1")
    for port in 80, 81, 82:
        n.until(f"TCP {VIP}:{port}", s1=100, s2=100)
        assert lab.spread(4, port=port) == {"s1": 2, "s2": 2}
    assert "rip keep/s1: weight 100: as tested" in n.lb.text()


def test_persistent_clients_leave_a_failed_server(node):
    """A018: what persistence knows leads to no dead server, neither at weight 0 nor removed, and leads back to nobody else."""
    n = node()
    lab = n.lab
    keep = dict(persistence="source", persist_timeout="300s")
    n.apply(vip={"zero": service(lab, 80, **keep), "gone": service(lab, 81, on_failure="remove", **keep)})
    for s in lab.servers:
        s.listen(80), s.listen(81)
    n.start()
    n.until(V80, s1=100, s2=100)
    first = {port: lab.flows(1, port=port)[0] for port in (80, 81)}
    assert all(len(lab.spread(5, port=p)) == 1 for p in first)
    n.say(DOWN, f"zero/{first[80].server}", f"gone/{first[81].server}")
    for port, vip in (80, "zero"), (81, "gone"):
        other = {"s1": "s2", "s2": "s1"}[first[port].server]
        n.until(f"TCP {VIP}:{port}", **({first[port].server: 0, other: 100} if port == 80 else {other: 100}))
        assert lab.spread(5, port=port) == {other: 5}
    assert first[80].alive()


def test_fallback_and_quorum_with_hysteresis(node):
    """A014, A016: lbd-check weighs the servers. Below quorum less hysteresis the fallback takes the clients, once; sessions stay
    where they are; at quorum and hysteresis the servers have them again, once."""
    n = node("lbd-check", servers=4)
    lab, sorry = n.lab, n.lab.servers[3]
    n.apply(check={"side": dict(kind="tcp", port=9000, interval="500ms", timeout="500ms", fall=1, rise=1)},
            vip={"web": service(lab, servers=("s1", "s2", "s3"), check="side", quorum=200, quorum_hysteresis=50,
                                fallback=sorry.address)})
    for s in lab.servers:
        s.listen(80)
    side = {s.host: s.listen(9000) for s in lab.servers}
    n.start()
    n.until(V80, s1=100, s2=100, s3=100)
    held = by_server(lab.flows(3))
    side["s1"].close()
    n.until(V80, s1=0, s2=100, s3=100)  # 200 of 200, and down is below 150
    side["s2"].close()
    n.until(V80, s1=0, s2=0, s3=0, s4=1)
    assert lab.spread(4) == {"s4": 4}
    assert all(f.alive() for f in held.values())
    back = lab.servers[0].listen(9000)
    wait_until(lambda: "rip web/s1: weight 100" in n.lb.text(), what="s1 is up again")
    n.until(V80, s1=0, s2=0, s3=0, s4=1)  # 200, and up is from 250 on
    lab.servers[1].listen(9000)
    n.until(V80, s1=100, s2=100, s3=100)
    assert lab.spread(3) == {"s1": 1, "s2": 1, "s3": 1}
    text = n.lb.text()
    assert len(re.findall("vip web: the fallback .* takes the clients", text)) == 1
    assert len(re.findall("vip web: its servers take the clients again", text)) == 1
    assert back


def page(client, vip):
    with client.inside():
        c = http.client.HTTPConnection(vip, 80, timeout=5 * SLOW)
        c.request("GET", "/")
        r = c.getresponse()
        r.read()
        c.close()
    return r.status


def test_fallback_page_of_the_node(node):
    """A016: without a server the node answers itself, by lbd-proxy, whatever the mode and the family; then the servers again."""
    n = node("lbd-proxy")
    lab = n.lab
    one = lab.servers[0]
    n.apply(vip={"four": service(lab, servers=("s1",), fallback_page="yes", mode="dr"),
                 "six": dict(address=VIP6, ports="80", mode="nat", fallback_page="yes", rips={"s1": {"address": one.address6}})})
    one.listen(80)
    n.start()
    n.until(V80, s1=100)
    n.say(DOWN, "four/s1", "six/s1")
    n.until(V80, s1=0, **{f"{VIP}:9081": 1})
    wait_until(lambda: f"[{VIP6}]:9081" in str(lab.table()), 20)
    wait_until(lambda: page(lab.client, VIP) == 503, what="the page at IPv4")
    wait_until(lambda: page(lab.client, VIP6) == 503, what="the page at IPv6")
    n.say(UP, "six/s1")
    wait_until(lambda: "9081" not in str(lab.table()[f"TCP [{VIP6}]:80"]), 20)
    assert lab.spread(2, VIP6) == {"s1": 2}


def test_slow_start_and_servers_that_are_not_proven(node):
    """A020, S190: assume down takes no client before the first good probe, assume up takes them; a server that comes back grows
    to its weight in steps; a run-time weight counts meanwhile."""
    n = node()
    lab = n.lab
    n.apply(check={"late": dict(kind="tcp", assume="down")},
            vip={"web": service(lab, slow_start="8s"), "late": service(lab, 81, check="late")})
    n.start()
    n.until(V80, s1=100, s2=100)
    n.until(f"TCP {VIP}:81", s1=0, s2=0)
    n.say(UP, "late/s2")
    n.until(f"TCP {VIP}:81", s1=0, s2=100)
    n.lb.ctl("weight", "late/s2", "7")
    n.until(f"TCP {VIP}:81", s1=0, s2=7)
    n.say(DOWN, "web/s1")
    n.until(V80, s1=0, s2=100)
    n.say(UP, "web/s1")
    seen = []
    while not seen or seen[-1] < 100:
        seen.append(wait_until(lambda: n.weights(V80)["s1"]))
        assert len(seen) < 1000
    assert seen == sorted(seen) and seen[0] <= 50 and 4 <= len(set(seen)) <= 21


class Wiretap:
    """The netlink messages of the node to and from IPVS, with the kernel's time: what it is asked, and when it is done."""

    def __init__(self, lab):
        with lab.node.inside():
            lab.node.ip("link add tap type nlmon", "link set tap up")
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.sock.bind(("tap", 3))
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.sock.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        self.frames, self.ended = [], False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        self.sock.settimeout(0.5)
        while not self.ended:
            try:
                data, more, *_ = self.sock.recvmsg(1 << 17, 128)
            except TimeoutError:
                continue
            s, ns = struct.unpack("qq", more[0][2][:16])
            self.frames.append((s + ns / 1e9, data))

    def done(self):
        """{(server's address, port): [(time, weight)]}: edits of destinations, at the time of the kernel's acknowledgement."""
        self.ended = True
        self.thread.join()
        asked, out = {}, {}
        for at, data in self.frames:
            while len(data) >= 16:
                size, kind, _, seq, port = struct.unpack("=IHHII", data[:16])
                body, data = data[16:size], data[(size + 3) & ~3:]
                if kind == 2 and len(body) >= 20:  # NLMSG_ERROR: the header that it answers follows the code
                    acked, own = struct.unpack("=II", body[12:20])
                    for key in [k for k in asked if k[1] == own and k[0] <= acked]:  # of a batch only the last one is answered
                        dest, weight = asked.pop(key)
                        out.setdefault(dest, []).append((at, weight))
                elif kind > 16 and body and body[0] == 6:  # IPVS_CMD_SET_DEST
                    asked[seq, port] = self.dest(body[4:])
        return out

    @staticmethod
    def attributes(raw):
        out = {}
        while len(raw) >= 4:
            size, kind = struct.unpack("=HH", raw[:4])
            out[kind & 0x3fff], raw = raw[4:size], raw[(size + 3) & ~3:]
        return out

    @classmethod
    def dest(cls, raw):
        top = cls.attributes(raw)
        service, dest = cls.attributes(top[1]), cls.attributes(top[2])  # IPVS_CMD_ATTR_SERVICE, _DEST
        return (struct.unpack("!H", service[4])[0], socket.inet_ntoa(dest[1][:4])), struct.unpack("=I", dest[4])[0]


def test_a_thousand_verdicts_in_a_second(node):
    """A018: 100 services of 10 servers; every server changes once within a second. Prints how long after the verdict the kernel
    had the weight; that is limited by nothing but the test's patience."""
    n = node()
    lab = n.lab
    services = {f"v{i}": dict(address=VIP, ports=str(2000 + i), mode="nat",
                              rips={f"r{k}": {"address": f"10.0.2.{100 + k}"} for k in range(10)}) for i in range(100)}
    n.apply(vip=services)
    n.start()
    wait_until(lambda: len(lab.table()) == 100, 60)
    ids = {(2000 + i, f"10.0.2.{100 + k}"): n.id(f"v{i}/r{k}") for i in range(100) for k in range(10)}
    tap = Wiretap(lab)
    told, begin = {}, time.monotonic()
    for i, (place, server) in enumerate(ids.items()):
        time.sleep(max(0, begin + i / 1000 - time.monotonic()))
        told[place] = time.time()
        n.check.verdict(server, DOWN, "as tested")
    took = time.monotonic() - begin
    wait_until(lambda: all(d.weight == 0 for s in lab.table().values() for d in s.servers.values()), 60)
    done = tap.done()
    lag = sorted(done[place][0][0] - at for place, at in told.items())
    assert len(lag) == 1000 and lag[0] > 0
    assert all(edits[0][1] == 0 and len(edits) == 1 for edits in done.values())
    print("\nverdicts " + json.dumps({"changes": len(lag), "told_in_s": round(took, 2), "p50_ms": round(lag[500] * 1e3, 1),
                                      "p99_ms": round(lag[990] * 1e3, 1), "max_ms": round(lag[-1] * 1e3, 1)}))
