"""Packets of an interface of the lab, taken apart as far as the tests ask: who sent the frame, who the packet, what is inside a tunnel.

    tap = lab.capture(lab.servers[0], "back")      # from now on
    ...
    assert [p for p in tap.packets() if p.dst == VIP and p.dport == 80 and p.to_mac == lab.servers[0].mac("back")]"""
import dataclasses
import ipaddress
import socket
import struct

TCP, UDP, SCTP, IPIP, IP6, GRE = 6, 17, 132, 4, 41, 47
FIN, SYN, RST, ACK = 1, 2, 4, 16


@dataclasses.dataclass
class Packet:
    """One frame, or (inner) one packet in a tunnel. out: this interface sent it. ARP: kind "arp", src and dst are the
    addresses it speaks of, arp is 1 for a request and 2 for a reply."""
    raw: bytes
    out: bool = False
    from_mac: str = ""
    to_mac: str = ""
    kind: str = ""
    arp: int = 0
    src: str = ""
    dst: str = ""
    ttl: int = 0
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    flags: int = 0
    payload: bytes = b""
    inner: "Packet" = None


def ip_packet(raw, p):
    """Fills p with the IPv4 or IPv6 packet in raw (extension headers are not followed)."""
    if raw[0] >> 4 == 4:
        head, p.kind = (raw[0] & 15) * 4, "ip"
        p.ttl, p.protocol = raw[8], raw[9]
        p.src, p.dst = (str(ipaddress.ip_address(raw[i:i + 4])) for i in (12, 16))
        body = raw[head:struct.unpack(">H", raw[2:4])[0] or None]
    else:
        p.kind, p.ttl, p.protocol = "ip6", raw[7], raw[6]
        p.src, p.dst = (str(ipaddress.ip_address(raw[i:i + 16])) for i in (8, 24))
        body = raw[40:40 + struct.unpack(">H", raw[4:6])[0]]
    if p.protocol in (TCP, UDP, SCTP) and len(body) >= 8:
        p.sport, p.dport = struct.unpack(">HH", body[:4])
        p.flags = body[13] if p.protocol == TCP else 0
        p.payload = body[(body[12] >> 4) * 4:] if p.protocol == TCP else body[8:] if p.protocol == UDP else body[12:]
    else:
        p.payload = body
    if p.protocol in (IPIP, IP6):
        p.inner = ip_packet(body, Packet(body))
    elif p.protocol == GRE:
        flags = struct.unpack(">H", body[:2])[0]
        inside = body[4 + 4 * bool(flags & 0x8000) + 4 * bool(flags & 0x2000) + 4 * bool(flags & 0x1000):]
        p.inner = ip_packet(inside, Packet(inside))
    return p


def gue(p):
    """The packet inside a UDP packet of GUE: version 0 has a header of four bytes and options, version 1 none."""
    start = 0 if p.payload[0] >> 6 == 1 else 4 + 4 * (p.payload[0] & 31)
    return ip_packet(p.payload[start:], Packet(p.payload[start:]))


def frame(raw, out=False):
    kind = struct.unpack(">H", raw[12:14])[0]
    p = Packet(raw, out, raw[6:12].hex(":"), raw[:6].hex(":"))
    if kind == 0x0806:
        p.kind, p.arp = "arp", raw[21]
        p.src, p.dst = (str(ipaddress.ip_address(raw[i:i + 4])) for i in (28, 38))
    elif kind in (0x0800, 0x86DD):
        ip_packet(raw[14:], p)
    return p


class Capture:
    """Everything that an interface sees; the kernel keeps it (up to 32 MiB) until packets() is called."""

    def __init__(self, ns, ifname):
        with ns.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        self.sock.bind((ifname, 3))  # ETH_P_ALL
        self.sock.setblocking(False)
        self.kept = []

    def packets(self):
        """All so far."""
        while True:
            try:
                raw, where = self.sock.recvfrom(65536)
            except BlockingIOError:
                return self.kept
            self.kept.append(frame(raw, where[2] == socket.PACKET_OUTGOING))

    def close(self):
        self.sock.close()
