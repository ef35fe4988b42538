"""Clients that read slowly (A073): what the machine keeps for them is bounded, however fast the servers are."""
import re
import time

import pytest
from lbdtest import Lbd, Netns, Origin, Reader, wait_until

N, SIZE = 50, 100_000_000


def serve_bulk(c, origin):
    """SIZE bytes, as fast as they are taken."""
    r = Reader(c)
    piece = bytes(1 << 16)
    while r.head():
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(piece)):
            c.sendall(piece)
        c.sendall(bytes(SIZE % len(piece)))


def held(ns, side):
    """What the kernel holds for the sockets that a filter of ss names, in bytes: received and not read, taken and not acknowledged."""
    out = ns.run("ss", "-Htnm", "state", "established", side).stdout
    return sum(int(n) for pair in re.findall(r"skmem:\(r(\d+)|,w(\d+)", out) for n in pair if n)


def settled(look):
    """What look() says once it has said the same for a while."""
    seen = []

    def same():
        seen.append(look())
        time.sleep(0.05)
        return len(seen) > 8 and len(set(seen[-8:])) == 1
    wait_until(same, 60, "nothing moves any more")
    return seen[-1]


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """A proxy whose clients and servers are beyond wires with segments of 1,460 bytes: on loopback one has 64 KB."""
    with Netns() as here, Netns() as there:
        here.link(there, "eth0", "eth0")
        here.run("ip", "addr", "add", "10.77.0.1/24", "dev", "eth0")
        there.run("ip", "addr", "add", "10.77.0.2/24", "dev", "eth0")
        here.run("ip", "route", "add", "local", "10.77.0.9", "dev", "lo")
        lb = Lbd(tmp_path_factory.mktemp("far"), "lbd-proxy", netns=here).start()
        with there.inside():
            o = Origin("a", serve_bulk, "10.77.0.2")
        yield lb, o, here, there
        o.close()
        lb.stop()


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_memory(far, closing, mode):
    """50 clients ask for 100 MB each and read none of it: the kernel keeps less than 512 KB for each of them and less than 1 MB
    with what their servers have sent. Then they read, and nothing is missing."""
    lb, o, here, there = far
    vip = lb.vip(f"slow-{mode}", o, address="10.77.0.9", mode=mode)
    with there.inside():
        clients = [closing(vip.connect()) for _ in range(N)]
    for s in clients:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    to_clients = settled(lambda: held(here, f"( sport = :{vip.port} )"))
    from_servers = settled(lambda: held(here, f"( dport = :{o.port} )"))
    assert to_clients < N * 512 * 1024
    assert to_clients + from_servers < N * 1024 * 1024
    for s in clients[:4]:
        r = Reader(s)
        assert r.head() is not None
        left = SIZE - len(r.buf)
        while left > 0:
            got = len(s.recv(1 << 20))
            assert got > 0
            left -= got
        assert left == 0
