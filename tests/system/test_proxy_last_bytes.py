"""The end of a connection goes in one segment with the last bytes, and loses none of them whatever the client does."""
import contextlib
import socket
import struct
import threading
import time

import pytest

from lbdtest import SLOW, Origin, Reader, http_answer, wait_until

FIN = 1
ANSWERS = {
    "length": http_answer(b"some"),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n0\r\n\r\n",
    "close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome",
}
REQUESTS = {
    "body": b"POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
    "http10": b"GET /x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
}


class Wire:
    """What a port sends over the loopback interface: .ends, the bytes of each segment that bears a FIN."""

    def __init__(self, port):
        self.port, self.ends, self.done = port, [], False
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.sock.bind(("lo", 0x0800))
        self.sock.settimeout(0.1)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while not self.done:
            with contextlib.suppress(TimeoutError):
                p, how = self.sock.recvfrom(65536)
                if how[2] != socket.PACKET_OUTGOING:  # each is seen as it goes out and as it comes in
                    self._look(p)

    def _look(self, p):
        ip = (p[0] & 15) * 4
        if p[9] != socket.IPPROTO_TCP or struct.unpack_from("!H", p, ip)[0] != self.port:
            return
        if p[ip + 13] & FIN:
            self.ends.append(p[ip + (p[ip + 12] >> 4) * 4:struct.unpack_from("!H", p, 2)[0]])

    def close(self):
        self.done = True
        self.reader.join()
        self.sock.close()


@pytest.fixture()
def wire(closing):
    return lambda vip: closing(Wire(vip.port))


def last(wire):
    """The bytes that the only end came with."""
    wait_until(lambda: wire.ends, what="the end is on the wire")
    assert len(wire.ends) == 1
    return wire.ends[0]


def whole(vip, request):
    with vip.connect() as s:
        s.sendall(request)
        return Reader(s).rest()


ASKED = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer(lb, closing, wire, kind):
    """The last segment of an answer is the end too, however its length is known. A server that ends by closing sends both in one itself."""
    answer = ANSWERS[kind]

    def handle(c, origin):
        Reader(c).head()
        c.send(answer, socket.MSG_MORE)
        c.shutdown(socket.SHUT_WR)
    vip = lb.vip("last-" + kind, closing(Origin("o", handle)))
    w = wire(vip)
    got = whole(vip, ASKED)
    assert got.split(b"\r\n\r\n", 1)[1] == answer.split(b"\r\n\r\n", 1)[1]
    assert got.endswith(last(w)) and len(last(w)) > 4


def test_an_answer_of_its_own(lb, wire):
    """Nobody is there to answer: the page and the end are one segment."""
    vip = lb.vip("last-own", wait=False)
    w = wire(vip)
    got = whole(vip, ASKED)
    assert got.startswith(b"HTTP/1.1 503 ") and last(w) == got


def test_what_a_server_sent_last(lb, closing, wire):
    """Mode tcp: what came in one segment goes on in one."""
    def handle(c, origin):
        c.recv(100)
        c.send(b"and good bye", socket.MSG_MORE)
    vip = lb.vip("last-tcp", closing(Origin("o", handle)), mode="tcp")
    w = wire(vip)
    assert whole(vip, b"hello") == b"and good bye"
    assert last(w) == b"and good bye"


@pytest.mark.parametrize("kind", REQUESTS)
def test_something_comes_that_nobody_reads(lb, closing, kind):
    """A client that sends more while it is answered gets all of the answer: the reset comes after it."""
    go = threading.Event()

    def handle(c, origin):
        Reader(c).until(b"\r\n\r\n")
        go.wait(10 * SLOW)
        c.sendall(ANSWERS["close"])
    vip = lb.vip("last-more-" + kind, closing(Origin("o", handle)))
    with vip.connect() as s:
        s.sendall(REQUESTS[kind])
        wait_until(lambda: lb.json("conns", vip.name), what="the request is known")
        s.sendall(b"\r\n\r\n")
        go.set()
        time.sleep(0.2)  # what is to be lost would be lost by now
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while data := s.recv(1000):
                got += data
    assert got.endswith(b"\r\n\r\nsome")


def test_an_upgrade_is_no_end(lb, closing):
    """101 on a connection that will be the last one is sent at once, and what follows too."""
    def handle(c, origin):
        Reader(c).until(b"\r\n\r\n")
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
        while data := c.recv(100):
            c.sendall(data)
    vip = lb.vip("last-101", closing(Origin("o", handle)), keep_timeout="0")
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
        assert r.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        took = []
        for i in range(5):
            began = time.monotonic()
            s.sendall(b"x")
            assert r.exactly(1) == b"x"
            took.append(time.monotonic() - began)
    assert min(took) < 0.1  # what is held back by the kernel goes after 200 ms
