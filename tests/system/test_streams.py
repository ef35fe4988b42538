"""Connections that live for hours and carry a few bytes a minute, through lbd-proxy. LBD_STREAM=3600 makes it an hour."""
import json

from caster import LIMIT_S, PORT, STREAM_S, Caster, Rovers, ask
from lbdtest import Lbd, wait_until
from test_packet import CLIENT, INSIDE, SERVER, VIP, Net

SHORT = f"{STREAM_S * 1000 // 60}ms"
SEEN = {PORT: INSIDE, PORT + 1: CLIENT}  # what the server sees as the client's address


def reached(net, caster, port):
    """The client's address as the caster sees it; None: no answer."""
    try:
        with net.client.inside():
            ask(VIP, port, "/positions", 2)[0].close()
    except (OSError, AssertionError):
        return None
    return caster.seen.pop()[1]


def test_hour_of_few_bytes(tmp_path):
    """S127: streams in TCP mode outlive every timeout of their service by far, in silences longer than all but tunnel_timeout; no
    byte is lost, and with transparent=yes the server sees the client."""
    net = Net()
    with net.stack:
        lb = Lbd(tmp_path, "lbd-ipvs", "lbd-ha", "lbd-proxy", netns=net.node)
        net.stack.callback(lb.stop)
        lb.start()
        with net.server.inside():
            caster = net.stack.enter_context(Caster())
        how = dict(address=VIP, mode="tcp", tunnel_timeout=f"{LIMIT_S}s", connect_timeout=SHORT, queue_timeout=SHORT,
                   rips={"s": dict(address=SERVER, port=PORT)})
        lb.ctl("apply", "-f", "-", input=json.dumps({"vip": {"plain": dict(how, ports=PORT), "seen": dict(how, ports=PORT + 1, transparent="yes")}}))
        for port, address in SEEN.items():
            wait_until(lambda: reached(net, caster, port) == address, 20, f"{address} through port {port}")
        with net.client.inside():
            rovers = [Rovers(VIP, port).start() for port in SEEN]
        took = [r.finish() for r in rovers]
        print(f"\nstreams of {min(took):.0f} s; silence of {SHORT} and {LIMIT_S} s is a timeout")
        assert min(took) >= STREAM_S * 0.99 > LIMIT_S
        assert sorted(caster.seen) == sorted((m, a) for m in ("/frames", "/positions") for a in SEEN.values())
