"""A067: the server that a connection broker has chosen for a client of RDP, by the routing token of its first packet."""
import socket
import struct

import pytest

from lbdtest import ADDRESS, Origin
from test_proxy_schedulers import connect_rdp, rdp, serve_rdp

NEGOTIATION = b"\x01\x00\x08\x00\x0b\x00\x00\x00"  # as mstsc and FreeRDP end the packet: TLS, CredSSP


def token(address, port):
    """As a broker makes it: the bytes of the wire, read with the lowest first."""
    host = struct.unpack("<I", socket.inet_aton(address))[0]
    return rdp(b"Cookie: msts=%d.%d.0000\r\n" % (host, socket.htons(port)) + NEGOTIATION)


@pytest.fixture(scope="module")
def farm(lb):
    made = [Origin(n, handle=serve_rdp, address=f"127.0.4.{i}") for i, n in enumerate("abc", 1)]
    yield made
    for o in made:
        o.close()


def test_example():
    """The token of [MS-RDPBCGR] 3.2.5.3.1."""
    assert b"msts=3640205228.15629.0000\r\n" in token("172.31.249.216", 3389)


@pytest.mark.parametrize("scheduler", ["wlc", "rdp_cookie", "sh"])
def test_token_decides(lb, farm, scheduler):
    """Whatever the scheduler, in one piece and in many; a token of nobody, none and other bytes are balanced."""
    vip = lb.vip(f"t-{scheduler.replace('_', '-')}", *farm, mode="tcp", scheduler=scheduler, rdp_token="yes")
    for o in (*farm, *reversed(farm)):
        packet = token(o.address, o.port)
        assert connect_rdp(vip, packet) == connect_rdp(vip, packet, 4) == o.name
    for other in (token("127.0.4.9", farm[0].port), token(farm[0].address, 1), rdp(b"Cookie: mstshash=anna\r\n" + NEGOTIATION),
                  rdp(NEGOTIATION)):
        assert connect_rdp(vip, other) in "abc"


def test_token_against_persistence_and_state(lb, farm):
    """The token counts more than where the client was before; a drained server is reached by it, one that is halted is not."""
    vip = lb.vip("state", *farm, mode="tcp", persistence="source", rdp_token="yes")
    plain = rdp(NEGOTIATION)
    home = connect_rdp(vip, plain)
    other = next(o for o in farm if o.name != home)
    assert connect_rdp(vip, token(other.address, other.port)) == other.name
    lb.ctl("drain", f"state/{other.name}")
    assert connect_rdp(vip, token(other.address, other.port)) == other.name
    lb.ctl("halt", f"state/{other.name}")
    assert connect_rdp(vip, token(other.address, other.port)) != other.name


def test_refused(lb):
    """Where no first packet of RDP can be read."""
    for more in (["mode=http"], ["mode=nat"]):
        r = lb.ctl("create", "vip", "no", f"address={ADDRESS}", "ports=1", "rdp_token=yes", *more, check=False)
        assert r.returncode == 7 and "rdp_token" in r.stderr and "allowed" in r.stderr, r.stderr
