"""Connections and persistence templates that nobody made, by the kernel's own connection sync: quick, where a packet each would take
minutes.

    inject = closing(Inject(lab.node))
    inject.send(1000, VIP, lab.servers[0].address)            # half-open connections of 1000 clients from 20.0.0.0 on
    inject.send(1000, VIP, rip, flags=TEMPLATE, state=0, left=300, cport=0)"""
import socket
import struct

from lbdtest import wait_until

TEMPLATE = 0x1003  # by direct routing


class Inject:
    """Connections that never were, by the kernel's own connection sync: quick, where a packet each would take minutes."""

    def __init__(self, node, interface="lo", syncid=9):
        """interface lo: a receiver of our own; else the one that runs there."""
        self.node, self.port, self.id, self.own = node, 8848, syncid, interface == "lo"
        if self.own:
            node.run("ipvsadm", "--start-daemon", "backup", "--mcast-interface", "lo", "--syncid", syncid)
        with node.inside():
            self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex(interface)))
            self.s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)

    def send(self, n, vip, rip, port=80, state=1, left=900, first=0x14000000, flags=3, cport=5000):
        """n TCP connections of n clients; flags 3 is direct routing."""
        head = struct.pack(">BBHIHHHHII", 0, 6, 36, flags, state, cport, port, port, 0, left)
        tail = socket.inet_aton(vip) + socket.inet_aton(rip)
        for at in range(first, first + n, 200):
            many = min(200, first + n - at)
            body = b"".join(head + struct.pack(">I", at + i) + tail for i in range(many))
            self.s.sendto(struct.pack(">BBHBbH", 0, self.id, 8 + len(body), many, 1, 0) + body, ("224.0.0.81", self.port))
            self._drain()

    def _drain(self):
        """The receiver's queue is short, and it says nothing of what it lost."""
        def empty():
            with self.node.inside(), open("/proc/net/udp") as f:
                return all(int(line.split()[4].split(":")[1], 16) < 100000 for line in f.readlines()[1:])
        wait_until(empty, timeout=60, what="the receiver has read")

    def close(self):
        self.s.close()
        if self.own:
            self.node.run("ipvsadm", "--stop-daemon", "backup")
