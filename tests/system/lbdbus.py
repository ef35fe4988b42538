"""A small client of the daemons' sockets, for tests that look at messages themselves (common/msg/msg.h).

    with Bus(lb.root, "lbd-check") as bus:
        for number, m in bus.ask(HEALTH...): ...
Numbers and tags are read from the rows, so nothing is written twice."""
import pathlib
import re
import socket
import struct
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NUMBERS = {"U8", "U16", "U32", "U64", "I32", "BOOL", "DUR_US", "TIME", "TIME_MS"}
SIGNED = {"I32", "TIME", "TIME_MS"}


def _rows(name, word):
    text = (ROOT / "common/msg" / name).read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return [[c.strip() for c in m.split(",", 5)] for m in re.findall(rf"^{word}\((.*?)\)\s*$", text, re.M)]


MSG = {r[1]: (int(r[0]), r[2]) for r in _rows("messages.def", "MSG")}
FIELDS = {}
for _payload, _tag, _name, _type, *_ in _rows("payloads.def", "FIELD"):
    FIELDS.setdefault(_payload, {})[int(_tag)] = (_name, _type)
BY_NUMBER = {n: (name, payload) for name, (n, payload) in MSG.items()}
SIZE = {"U8": 1, "BOOL": 1, "U16": 2, "U32": 4, "I32": 4}
HEALTH, HA = 1, 2
UNKNOWN, UP, DOWN = 0, 1, 2


def encode(name, seq, /, **values):
    number, payload = MSG[name]
    body = b""
    for tag, (field, kind) in FIELDS[payload].items():
        if field not in values:
            continue
        v = values[field]
        raw = v.encode() if isinstance(v, str) else v if isinstance(v, bytes) else \
            int(v).to_bytes(SIZE.get(kind, 8), "big", signed=kind in SIGNED)
        body += struct.pack(">HH", tag, len(raw)) + raw
    return struct.pack(">HHII", number, 0, seq, len(body)) + body


def decode(packet):
    """(name, sequence, fields); texts are str, blobs bytes."""
    number, _, seq, length = struct.unpack(">HHII", packet[:12])
    name, payload = BY_NUMBER[number]
    out, at = {}, 12
    while at < 12 + length:
        tag, n = struct.unpack(">HH", packet[at:at + 4])
        raw, at = packet[at + 4:at + 4 + n], at + 4 + n
        field, kind = FIELDS[payload].get(tag, (tag, "BLOB"))
        out[field] = (int.from_bytes(raw, "big", signed=kind in SIGNED) if kind in NUMBERS
                      else raw.decode(errors="replace") if kind == "TEXT" else raw)
    return name, seq, out


class Bus:
    """A connection to one daemon as lbctl; a subscriber also keeps what it was told in .told."""

    def __init__(self, root, daemon, program="lbctl"):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(10)
        self.s.connect(f"{root}/run/lbd/{daemon}.sock")
        self.s.send(encode("HELLO", 0, program=program, version=1))
        self.seq = 0
        self.told = []  # (time, name, fields), in the order they came

    def _next(self):
        while True:
            packet = self.s.recv(65536)
            if not packet:
                raise ConnectionError("closed")
            name, seq, m = decode(packet)
            if name != "HELLO":
                return name, seq, m

    def ask(self, request, **values):
        """(rows, result); rows are (name, fields)."""
        self.seq += 1
        self.s.send(encode(request, self.seq, **values))
        rows = []
        while True:
            name, seq, m = self._next()
            if seq != self.seq:
                self.told.append((time.monotonic(), name, m))
            elif name == "RESULT":
                return rows, m
            else:
                rows.append((name, m))
                self.s.send(encode("CREDIT", self.seq, rows=1))

    def subscribe(self, topics):
        """The state now, as rows; changes are collected by read()."""
        rows, result = self.ask("SUBSCRIBE", topics=topics)
        assert result["code"] == 0, result
        now = time.monotonic()
        self.told += [(now, name, m) for name, m in rows]
        return rows

    def read(self, seconds=0.0):
        """Changes that are there, or come within that time; all that was told so far."""
        self.s.settimeout(max(seconds, 0.001))
        try:
            while True:
                name, _, m = self._next()
                self.told.append((time.monotonic(), name, m))
                self.s.settimeout(0.001)
        except TimeoutError:
            pass
        self.s.settimeout(10)
        return self.told

    def last(self, name, **match):
        """The newest row of that message whose fields are these; None."""
        self.read()
        for _, n, m in reversed(self.told):
            if n == name and all(m.get(k) == v for k, v in match.items()):
                return m
        return None

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
