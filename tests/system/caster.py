"""Streams of an NTRIP caster: connections that live for hours and carry a few bytes a minute.

    with server.inside(): caster = closing(Caster())          # an Origin at port 2101
    with client.inside(): rovers = Rovers(vip).start()        # one that listens, one that tells its position now and then
    rovers.finish()

LBD_STREAM is how many seconds a stream takes (24). The listening rover gets a frame every 60th part of that and never says a word
after its request; the other says where it is every 10th part. Timeouts in use are to be LIMIT_S, a quarter, or shorter."""
import os
import socket
import threading
import time

from lbdtest import SLOW, Origin, Reader

STREAM_S = int(os.environ.get("LBD_STREAM", 24))
LIMIT_S = max(1, STREAM_S // 4)
FRAMES, POSITIONS, PORT = 60, 10, 2101


def frame(n):
    return b"\xd3\x00\x04%08d" % n


class Caster(Origin):
    """.seen: [(mount point, address of the client)], as it sees them."""

    def __init__(self, name="caster", address="::", port=PORT):
        self.seen = []
        super().__init__(name, Caster.serve, address, port)

    def serve(c, origin):
        r = Reader(c)
        line, fields, _ = r.head()
        mount = line.split()[1]
        origin.seen.append((mount, c.getpeername()[0].removeprefix("::ffff:")))
        c.sendall(b"ICY 200 OK\r\n\r\n")
        if mount == "/positions":
            while told := r.until(b"\r\n"):
                c.sendall(told)
            return
        for n in range(FRAMES):
            time.sleep(STREAM_S / FRAMES)
            c.sendall(frame(n))
        r.rest()  # until the rover leaves


def ask(address, port, mount, timeout=10):
    """A stream that has begun: (socket, Reader)."""
    s = socket.create_connection((address, port), timeout * SLOW)
    s.sendall(b"GET %s HTTP/1.0\r\nUser-Agent: NTRIP lbd\r\n\r\n" % mount.encode())
    r = Reader(s)
    head = r.head()
    assert head and head[0] == "ICY 200 OK", head
    return s, r


class Rovers:
    """Two clients of a caster at an address: start(), finish()."""

    def __init__(self, address, port=PORT):
        self.address, self.wrong = address, []
        self.open = [ask(address, port, mount) for mount in ("/frames", "/positions")]

    def _frames(self, s, r):
        s.settimeout(STREAM_S / FRAMES + 20 * SLOW)
        for n in range(FRAMES):
            assert r.exactly(len(frame(n))) == frame(n), f"frame {n}"

    def _positions(self, s, r):
        s.settimeout(20 * SLOW)
        for n in range(POSITIONS):
            time.sleep(STREAM_S / POSITIONS)
            told = b"$GPGGA,%06d\r\n" % n
            s.sendall(told)
            assert r.exactly(len(told)) == told, f"position {n}"

    def _guard(self, f, s, r):
        try:
            f(s, r)
        except (OSError, AssertionError) as e:
            self.wrong.append(f"{f.__name__} at {self.address}: {e!r} after {time.monotonic() - self.begin:.1f} s")
        s.close()

    def start(self):
        self.begin = time.monotonic()
        self.threads = [threading.Thread(target=self._guard, args=(f, *x), daemon=True)
                        for f, x in zip((self._frames, self._positions), self.open)]
        for t in self.threads:
            t.start()
        return self

    def finish(self):
        """Seconds that it took; fails with whatever broke."""
        for t in self.threads:
            t.join()
        assert not self.wrong, self.wrong
        return time.monotonic() - self.begin
