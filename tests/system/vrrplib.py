"""A LAN of two nodes and a switch for VRRP, everything on its wires, and the speakers: ours (vrrp_try), keepalived, FRR.

    lan = closing(Lan())
    a = closing(Ours(lan.a, "vrid=51,prio=100,ms=50,vip=10.0.0.100/24"))
    b = closing(Keepalived(lan.b, tmp_path, vrid=51, prio=90, ms=50, vips=["10.0.0.100/24"]))
    wait_until(lambda: lan.masters(51) == {"a"})
"""
import contextlib
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from lbdtest import BIN, Netns, die_with_parent, wait_until

TRY = BIN.parent / "bench" / "vrrp_try"
GROUP4, GROUP6 = "224.0.0.18", "ff02::12"
ETH_ALL = 3


def punctual():
    """Of a process with intervals of 50 ms: what else the machine does must not make it late, as the core of lbd-ha is not."""
    die_with_parent()
    with contextlib.suppress(OSError):  # where the kernel does not let us
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f">{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def vmac(vrid, family=4):
    return bytes([0, 0, 0x5e, 0, 1 if family == 4 else 2, vrid])


class Advert:
    """One VRRP packet seen on a wire; None for other frames (Advert.of)."""

    @classmethod
    def of(cls, when, port, frame):
        kind = frame[12:14]
        if kind == b"\x08\x00" and frame[23] == 112:
            family, at, src, dst, ttl = 4, 14 + (frame[14] & 15) * 4, frame[26:30], frame[30:34], frame[22]
        elif kind == b"\x86\xdd" and frame[20] == 112:
            family, at, src, dst, ttl = 6, 54, frame[22:38], frame[38:54], frame[21]
        else:
            return None
        self = cls()
        af = socket.AF_INET if family == 4 else socket.AF_INET6
        self.when, self.port, self.family, self.ttl, self.frame = when, port, family, ttl, frame
        self.src, self.dst = socket.inet_ntop(af, src), socket.inet_ntop(af, dst)
        self.mac, self.vrid, self.prio = frame[6:12], frame[at + 1], frame[at + 2]
        self.version = frame[at] >> 4
        return self


class Lan:
    """Nodes a and b (NODES: names and last parts of their addresses), each on a port of a bridge in sw; sw is a client on it
    too (.9). Cut with cut("a")."""
    NODES = {"a": 1, "b": 2}

    def __init__(self):
        self.sw = Netns()
        # With an address of its own: else it has the least of its ports, and another one when that is cut.
        self.sw.run("ip", "link", "add", "br0", "address", "02:00:00:00:00:09", "type", "bridge", "forward_delay", "0",
                    "mcast_snooping", "0")
        self.frames, self.adverts, self.lock = [], [], threading.Lock()
        self.mac = {}
        for name, n in self.NODES.items():
            ns = Netns()
            setattr(self, name, ns)
            ns.link(self.sw, "eth0", "p" + name)
            self.sw.run("ip", "link", "set", "p" + name, "master", "br0")
            self.address(ns, "eth0", n)
            self.mac[name] = bytes.fromhex(
                ns.run("cat", "/sys/class/net/eth0/address").stdout.strip().replace(":", ""))
        self.sw.run("ip", "link", "set", "br0", "up")
        self.address(self.sw, "br0", 9)
        self.done = False
        self.readers = [threading.Thread(target=self._read, args=(n, self._tap(n)), daemon=True) for n in self.NODES]
        for t in self.readers:
            t.start()

    @staticmethod
    def address(ns, ifname, n):
        ns.run("sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{ifname}/addr_gen_mode;"
               f"ip addr flush dev {ifname} scope link; ip addr add 10.0.0.{n}/24 dev {ifname};"
               f"ip addr add fe80::{n}/64 dev {ifname} nodad; ip addr add 2001:db8::{n}/64 dev {ifname} nodad")

    def _tap(self, node):
        with self.sw.inside():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
            s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
            s.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS: when it was there, not when it was read
            s.bind(("p" + node, ETH_ALL))
        s.settimeout(0.2)
        return s

    def _read(self, node, s):
        while not self.done:
            try:
                frame, beside, _, where = s.recvmsg(4096, 64)
            except (TimeoutError, OSError):
                continue
            if where[2] == socket.PACKET_OUTGOING:
                continue  # what the node sent, not what it got
            seconds, ns = struct.unpack("qq", beside[0][2])
            when = seconds + ns / 1e9 - time.time() + time.monotonic()
            advert = Advert.of(when, node, frame)
            with self.lock:
                self.frames.append((when, node, frame))
                if advert:
                    self.adverts.append(advert)

    def seen(self, since=0.0, vrid=None, node=None, family=None):
        with self.lock:
            return [x for x in self.adverts if x.when >= since and vrid in (None, x.vrid)
                    and node in (None, x.port) and family in (None, x.family)]

    def of(self, node, since=0.0):
        """Frames that the node sent."""
        with self.lock:
            return [f for when, n, f in self.frames if n == node and when >= since]

    def masters(self, vrid, ms=50, family=None):
        """Who sent advertisements in the last two and a half intervals, and did not leave."""
        last = {}
        for x in self.seen(time.monotonic() - ms * 2.5 / 1000, vrid, family=family):
            last[x.port] = x.prio
        return {n for n, prio in last.items() if prio}

    def cut(self, node, on=True):
        """The carrier stays."""
        self.sw.run("ip", "link", "set", "p" + node, *(["nomaster"] if on else ["master", "br0"]))

    def filter(self, rule, hook="forward"):
        """The switch drops what matches; False when the kernel cannot."""
        return self.sw.run("nft", "add table bridge f; "
                           f"add chain bridge f c {{ type filter hook {hook} priority 0; }}; "
                           f"add rule bridge f c {rule} drop", check=False).returncode == 0

    def inject(self, node, payload, src="10.0.0.7", dst=GROUP4, ttl=255, plain=False, sums=True, mac=b"\2\0\0\0\0\7"):
        """A packet of protocol 112 to a node; its checksum is made, over the pseudo header unless plain."""
        with self.sw.inside():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind(("p" + node, 0))
        four = "." in src
        pack = (lambda x: socket.inet_aton(x)) if four else (lambda x: socket.inet_pton(socket.AF_INET6, x))
        if sums:
            pseudo = b"" if plain else pack(src) + pack(dst) + struct.pack(">II", len(payload), 112)
            payload = payload[:6] + b"\0\0" + payload[8:]
            payload = payload[:6] + struct.pack(">H", checksum(pseudo + payload)) + payload[8:]
        if four:
            ip = struct.pack(">BBHHHBBH", 0x45, 0xc0, 20 + len(payload), 1, 0, ttl, 112, 0) + pack(src) + pack(dst)
            ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
            to, kind = b"\1\0\x5e\0\0\x12", b"\x08\0"
        else:
            ip = struct.pack(">IHBB", 0x6c000000, len(payload), 112, ttl) + pack(src) + pack(dst)
            to, kind = b"\x33\x33\0\0\0\x12", b"\x86\xdd"
        if dst not in (GROUP4, GROUP6):
            to = self.mac[node]
        s.send(to + mac + kind + ip + payload)
        s.close()

    def owners(self, vip):
        """Nodes that have the address, by the kernel's lists."""
        out = set()
        for n in self.NODES:
            text = getattr(self, n).run("ip", "-o", "addr").stdout
            if f" {vip}/" in text:
                out.add(n)
        return out

    def close(self):
        self.done = True
        for t in self.readers:
            t.join()
        for ns in [getattr(self, n) for n in self.NODES] + [self.sw]:
            ns.close()


class Ours:
    """vrrp_try in a node's namespace. An instance without if= is on eth0."""

    def __init__(self, ns, *instances, sync=False):
        words = [i if "if=" in i else "if=eth0," + i for i in instances]
        self.lines, self.killed = [], False
        self.p = subprocess.Popen([*ns.prefix, str(TRY), *(["--sync"] if sync else []), *words], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  preexec_fn=punctual)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait_until(lambda: any(x.endswith(" ready") for x in self.lines), what=f"ready: {self.lines}")

    def _read(self):
        for line in self.p.stdout:
            self.lines.append(line.strip())

    def states(self, i=0):
        return [x.split()[3] for x in self.lines if x.split()[1:3] == ["state", str(i)]]

    def state(self, i=0):
        return self.states(i)[-1]

    def at(self, state, i=0):
        """When it last came into the state, in seconds of the monotonic clock."""
        return [int(x.split()[0]) for x in self.lines if x.split()[1:4] == ["state", str(i), state]][-1] / 1e6

    def until(self, state, i=0, timeout=10):
        wait_until(lambda: self.state(i) == state, timeout, f"{state}: {self.lines[-5:]}")

    def do(self, command):
        self.p.stdin.write(command + "\n")
        self.p.stdin.flush()

    def counts(self, i=0):
        n = len(self.lines)
        self.do(f"{i} show")
        wait_until(lambda: any(" show " in x for x in self.lines[n:]))
        text = [x for x in self.lines[n:] if " show " in x][-1].split(" ", 4)[3:]
        return self._fields(" ".join(text))

    @staticmethod
    def _fields(text):
        out = {}
        while "=" in text:
            key, rest = text.split("=", 1)
            value, _, text = rest.partition(" ")
            out[key.strip().strip('"')] = int(value) if value.isdigit() else value
        return out

    def signal(self, sig):
        self.p.send_signal(sig)

    def stop(self):
        """As a daemon is stopped: it must end by itself, well."""
        if self.p.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        assert self.killed or self.p.wait(10) == 0, self.lines[-5:]
        self.reader.join()
        assert self.killed or not [x for x in self.lines if " error " in x], self.lines

    def kill(self):
        self.p.kill()
        self.p.wait()
        self.killed = True


class Keepalived:
    def __init__(self, ns, path, vrid, prio, vips, ms=50, version=3, more=(), globals_=()):
        self.ns, self.pids = ns, [path / f"{ns.name}.{vrid}.{k}.pid" for k in "kv"]
        self.conf, self.log = path / f"{ns.name}.{vrid}.conf", path / f"{ns.name}.{vrid}.log"
        self.conf.write_text("\n".join([
            "global_defs {", " router_id x", f" vrrp_version {version}", *globals_, "}",
            "vrrp_instance V {", " state BACKUP", " interface eth0", f" virtual_router_id {vrid}", f" priority {prio}",
            f" advert_int {ms / 1000:g}", *more, " virtual_ipaddress {", *vips, " }", "}", ""]))
        self.p = None
        self.start()

    def start(self):
        self.p = subprocess.Popen(
            [*self.ns.prefix, "keepalived", "-n", "-l", "-P", "-D", "-f", self.conf, "-p", self.pids[0], "-r", self.pids[1]],
            stdout=open(self.log, "a"), stderr=subprocess.STDOUT, preexec_fn=punctual)

    def stop(self):
        if self.p and self.p.poll() is None:
            self.p.terminate()
            self.p.wait(10)
        self.p = None


class Frr:
    """zebra and vrrpd; the addresses are on a macvlan of its own, which is what vrrpd wants."""

    def __init__(self, ns, path, vrid, prio, vips, ms=50, version=3, more=()):
        self.ns, self.dir = ns, path / (ns.name + ".frr")
        self.dir.mkdir()
        shutil.chown(self.dir, "frr", "frr")
        for d in (path, *list(path.parents)[:2]):
            d.chmod(0o755)  # vrrpd gives up root before it reads its file
        six = ":" in vips[0]
        mac = vmac(vrid, 6 if six else 4).hex(":")
        ns.run("ip", "link", "add", "vr", "link", "eth0", "address", mac, "type", "macvlan", "mode", "bridge")
        for v in vips:
            ns.run("ip", "addr", "add", v, "dev", "vr", *(["nodad"] if six else []))
        ns.run("ip", "link", "set", "vr", "up")
        (self.dir / "f.conf").write_text("\n".join([
            "interface eth0", f" vrrp {vrid} version {version}", f" vrrp {vrid} priority {prio}",
            f" vrrp {vrid} advertisement-interval {ms}", *more,
            *(f" vrrp {vrid} {'ipv6' if six else 'ip'} {v.split('/')[0]}" for v in vips), ""]))
        self.processes = []
        self.start()

    def _run(self, name, short, conf, *more):
        return subprocess.Popen(
            [*self.ns.prefix, f"/usr/lib/frr/{name}", "-u", "frr", "-g", "frr", "-z", self.dir / "z.sock", "-i",
             self.dir / f"{short}.pid", *more, "--vty_socket", self.dir, "-f", conf, "--log", "stdout"],
            stdout=open(self.dir / f"{short}.log", "a"), stderr=subprocess.STDOUT, preexec_fn=punctual)

    def start(self):
        self.processes = [self._run("zebra", "z", "/dev/null", "-P", "0")]
        wait_until(lambda: (self.dir / "z.sock").exists())
        self.processes.append(self._run("vrrpd", "v", self.dir / "f.conf", "-P", "0"))

    def stop(self):
        """vrrpd first: it says goodbye."""
        while self.processes:
            p = self.processes.pop()
            p.terminate()
            p.wait(10)


def have_frr():
    try:
        pwd.getpwnam("frr")
    except KeyError:
        return False
    return os.path.exists("/usr/lib/frr/vrrpd")


def write_pcap(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for when, frame in frames:
            f.write(struct.pack("<IIII", int(when), int(when % 1 * 1e6), len(frame), len(frame)) + frame)


def judge(path, plain):
    """tshark's opinion of every packet: version, id, prio, count, checksum status, and expert complaints."""
    fields = ["vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.addr_count", "vrrp.checksum.status", "ip.ttl",
              "ipv6.hlim", "_ws.expert.message", "_ws.malformed", "frame.len", "ip.len", "vrrp.ip_addr", "vrrp.ipv6_addr"]
    args = ["tshark", "-n", "-r", str(path), "-o", f"vrrp.v3_checksum_as_in_v2:{'TRUE' if plain else 'FALSE'}",
            "-o", "ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=|"]
    for f in fields:
        args += ["-e", f]
    r = subprocess.run(args, capture_output=True, text=True, check=True)
    return [dict(zip(fields, line.split("|"))) for line in r.stdout.splitlines()]
