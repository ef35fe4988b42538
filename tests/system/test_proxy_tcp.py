"""TCP mode: bytes pass, whatever they are."""
import contextlib
import hashlib
import random
import signal
import socket
import struct
import threading
import time

from lbdtest import Origin, Reader, wait_until


def echo(c, origin):
    while data := c.recv(65536):
        c.sendall(data)


def test_any_bytes(lb, closing):
    """S067: every byte value passes both ways, in any pieces."""
    vip = lb.vip("bytes", closing(Origin("a", echo)), mode="tcp")
    data = bytes(range(256)) * 40
    with vip.connect() as s:
        r = Reader(s)
        for n in (1, 7, 255, 4096, len(data)):
            s.sendall(data[:n])
            assert r.exactly(n) == data[:n]


def test_server_speaks_first(lb, closing):
    """S067: a server that greets before the client has said a word (SMTP, SSH, MySQL)."""
    def greet(c, origin):
        c.sendall(b"220 hello\r\n")
        echo(c, origin)
    vip = lb.vip("first", closing(Origin("a", greet)), mode="tcp")
    with vip.connect() as s:
        assert Reader(s).until(b"\r\n") == b"220 hello\r\n"


def test_idle_timeout(lb, closing):
    """S074: an idle connection lives as long as its own service says, and no longer; a byte either way begins it anew."""
    o = closing(Origin("a", echo))
    short, long = (lb.vip(n, o, mode="tcp", tunnel_timeout=t) for n, t in (("short", "1s"), ("long", "1h")))
    with short.connect() as ends, short.connect() as speaks, long.connect() as lives:
        start = time.monotonic()
        r = Reader(speaks)
        while time.monotonic() < start + 2:
            speaks.sendall(b"x")
            assert r.exactly(1) == b"x"
            time.sleep(0.2)
        assert ends.recv(1) == b""
        lives.sendall(b"y")
        assert lives.recv(1) == b"y"


def test_half_close(lb, closing):
    """S067: either side may end its direction; the other goes on until it ends too."""
    def count(c, origin):
        n = 0
        while data := c.recv(65536):
            n += len(data)
        c.sendall(b"%d" % n)
    vip = lb.vip("half", closing(Origin("a", count)), mode="tcp")
    with vip.connect() as s:
        s.sendall(b"x" * 100_000)
        s.shutdown(socket.SHUT_WR)
        assert Reader(s).rest() == b"100000"

    def server_ends(c, origin):
        c.sendall(b"over")
        c.shutdown(socket.SHUT_WR)
        origin.got = Reader(c).rest()
    o = closing(Origin("b", server_ends))
    vip = lb.vip("half2", o, mode="tcp")
    with vip.connect() as s:
        assert Reader(s).rest() == b"over"
        s.sendall(b"and I go on")
        s.shutdown(socket.SHUT_WR)
        wait_until(lambda: getattr(o, "got", None) == b"and I go on")


def test_reset_is_passed_on(lb, closing):
    """S067: a reset of the server reaches the client, a reset of the client reaches the server."""
    seen = []

    def reset(c, origin):
        data = c.recv(100)
        if data == b"reset me":
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        try:
            c.sendall(b"ready")
            while c.recv(100):
                pass
            seen.append("end")
        except ConnectionResetError:
            seen.append("reset")
    vip = lb.vip("reset", closing(Origin("a", reset)), mode="tcp")
    with vip.connect() as s:
        s.sendall(b"reset me")
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(100) == b""
    s = vip.connect()
    s.sendall(b"hello")
    assert s.recv(100) == b"ready"
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
    wait_until(lambda: seen, what="the server learns of it")


def test_bulk_both_ways(lb, closing):
    """S067: 50 MB each way at once, unchanged."""
    vip = lb.vip("bulk", closing(Origin("a", echo)), mode="tcp")
    total, block = 50_000_000, random.Random(1).randbytes(1 << 20)
    sent, got = hashlib.md5(), hashlib.md5()
    with vip.connect(60) as s:
        def send():
            left = total
            while left:
                piece = block[:left]
                sent.update(piece)
                s.sendall(piece)
                left -= len(piece)
            s.shutdown(socket.SHUT_WR)
        t = threading.Thread(target=send)
        t.start()
        n = 0
        while data := s.recv(1 << 20):
            got.update(data)
            n += len(data)
        t.join()
    assert n == total and got.digest() == sent.digest()


def test_slow_reader_holds_back_the_sender(lb, closing):
    """A client that does not read makes the server wait instead of filling our memory."""
    sent = []

    def pour(c, origin):
        c.settimeout(2)
        n = 0
        with contextlib.suppress(TimeoutError):
            while True:
                n += c.send(b"x" * 65536)
        sent.append(n)
    vip = lb.vip("pour", closing(Origin("a", pour)), mode="tcp")

    def rss():
        with open(f"/proc/{lb.pid()}/status") as f:
            return int(next(x for x in f if x.startswith("VmRSS")).split()[1])
    before = rss()
    with vip.connect():
        wait_until(lambda: sent, 20)
    assert sent[0] < 64_000_000
    assert rss() - before < 8192


def test_last_bytes_and_a_reset(lb, closing):
    """Both in one packet's time: the client's end comes soon, not with the tunnel timeout."""
    def leave(c, o):
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.recv(1)
        c.sendall(b"bye")

    vip = lb.vip("leaves", closing(Origin("o", handle=leave)), mode="tcp")
    for _ in range(100):
        with vip.connect() as s:
            s.sendall(b"x")
            try:
                while s.recv(100):
                    pass
            except ConnectionResetError:
                pass


def test_urgent_bytes_and_the_end(lb, closing):
    """A read ends before urgent data: what is behind it passes too when all of it and the end came together."""
    def take(c, origin):
        c.sendall(b"ready")
        origin.got = Reader(c).rest()

    o = closing(Origin("urgent", take))
    vip = lb.vip("urgent", o, mode="tcp")
    with vip.connect() as s:
        assert Reader(s).exactly(5) == b"ready"
        proxy = lb.process["lbd-proxy"]
        proxy.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: open(f"/proc/{proxy.pid}/stat").read().rpartition(")")[2].split()[0] == "T")
            s.sendall(b"before ")
            s.send(b"!", socket.MSG_OOB)
            s.sendall(b"behind")
            s.shutdown(socket.SHUT_WR)
        finally:
            proxy.send_signal(signal.SIGCONT)
        wait_until(lambda: getattr(o, "got", None) is not None)
        assert o.got == b"before behind"
