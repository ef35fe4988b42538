"""Who is over a limit stays over it: after a restart of lbd-proxy, and on the node that takes over."""
import os
import struct

import pytest

from lbdbus import Bus, encode
from lbdtest import Lbd, Origin, get, wait_until
from test_ha_traffic import CLIENTS, Farm, same
from test_proxy_rates import ready, rule


@pytest.fixture()
def node(tmp_path, closing):
    return closing(Lbd(tmp_path / "node", "lbd-ha", "lbd-proxy"))


def told(node):
    """Values of what content rules count, as lbd-ha has them."""
    out, synced = [], False
    with Bus(node.root, "lbd-ha", "lbd-proxy") as bus:
        bus.s.send(encode("STICK_FOLLOW", 1))
        while not synced:
            name, _, m = bus._next()
            synced = m.get("synced", False)
            batch = m.get("batch", b"") if name == "STICK_SET" else b""
            for at in range(4, len(batch), 44):
                kind, _, _, _, _, value, _, _, _ = struct.unpack_from(">BBBxI16sIIIQ", batch, at)
                out += [value] if kind == 2 else []
    return out


def values(node, vip):
    return sorted(r["value"] for r in node.json("rates", "list", vip.name))


def test_kept_over_a_restart(node, closing):
    """lbd-proxy killed: a client that was over the limit is denied by the next one; one that was not, and one who is new, are not."""
    vip = node.vip("web", closing(Origin("a")))
    node.start()
    rule(node, "web/limit", "rate(requests, src, 10m) > 5", status=429)
    ready(node, vip)
    node.ctl("rates", "clear", "web", "-y")
    assert [get(vip, source="127.0.0.2").status for _ in range(9)] == [200] * 5 + [429] * 4
    assert [get(vip, source="127.0.0.3").status for _ in range(3)] == [200] * 3
    wait_until(lambda: any(v >= 6 for v in told(node)), 20, what="lbd-ha has it")
    for _ in range(2):
        node.kill("lbd-proxy")
        node.start("lbd-proxy")
        wait_until(lambda: any(v >= 6 for v in values(node, vip)), 20, what="it is back")
        assert get(vip, source="127.0.0.2").status == 429
        assert [get(vip, source=f"127.0.0.{n}").status for n in (3, 4)] == [200, 200]
    node.ctl("rates", "clear", "web", "--client", "nobody")
    assert get(vip, source="127.0.0.2").status == 429
    node.ctl("rates", "clear", "web", "-y")
    assert get(vip, source="127.0.0.2").status == 200
    wait_until(lambda: not any(v >= 6 for v in told(node)), 20, what="lbd-ha has forgotten it")
    node.kill("lbd-proxy")
    node.start("lbd-proxy")
    assert get(vip, source="127.0.0.2").status == 200


def test_only_what_is_over_is_told(node, closing):
    """Keys below their limit stay here: lbd-ha hears of one of a thousand."""
    vip = node.vip("web", closing(Origin("a")))
    node.start()
    rule(node, "web/key", "rate(requests, header(X-Key), 10m) > 5", status=429)
    ready(node, vip)
    for n in range(300):
        get(vip, headers={"X-Key": f"k{n}"})
    assert [get(vip, headers={"X-Key": "loud"}).status for _ in range(7)] == [200] * 5 + [429] * 2
    wait_until(lambda: told(node), 20, what="lbd-ha has it")
    assert len(told(node)) == 1 and len(values(node, vip)) == 301


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
def test_kept_over_a_failover(tmp_path, closing):
    """N07: the other node of the pair takes over: who was over the limit is denied there, others are served."""
    farm = Farm(tmp_path, closing)
    farm.a.ctl("create", "rule", "web/limit", "when=rate(requests, src, 10m) > 8", "action=deny", "status=429")
    same(farm)

    def status(client):
        with farm.client.inside():
            return get(farm.vip, source=client).status
    loud, calm = CLIENTS[1:3]
    wait_until(lambda: status(loud) == 429, 20, what="the rule, and more than it allows")
    assert status(calm) == 200
    wait_until(lambda: any(v >= 9 for v in values(farm.b, farm.vip)), 20, what="the other node knows")

    def moved():  # asked for again where the other node was too busy
        if not farm.holds()[1]:
            farm.a.ctl("ha", "failover", check=False)
        return farm.holds()[1] and farm.ask(CLIENTS[0])
    wait_until(moved, 60, what="the service on the other node")
    assert status(loud) == 429 and status(calm) == 200
    assert any(v >= 9 for v in values(farm.b, farm.vip))
    farm.b.ctl("rates", "clear", "web", "-y")
    wait_until(lambda: not any(v >= 9 for v in values(farm.a, farm.vip)), 20, what="forgotten on both nodes")
    assert status(loud) == 200
