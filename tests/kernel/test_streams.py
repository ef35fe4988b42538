"""Connections that live for hours and carry a few bytes a minute, through layer 4. LBD_STREAM=3600 makes it an hour."""
import pytest

from caster import LIMIT_S, PORT, STREAM_S, Caster, Rovers
from site_ import Site, v

NAT, DR = v(101)[0], v(102)[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("streams"), servers=2) as site:
        site.lab.servers[0].nat()
        site.lab.servers[1].dr(DR)
        yield site


def test_hour_of_few_bytes(site, closing):
    """S127: streams outlive the timeout by far, also one whose client only acknowledges; no byte is lost, and the server sees the
    client. By NAT and by direct routing."""
    casters = {}
    for vip, s in (NAT, site.lab.servers[0]), (DR, site.lab.servers[1]):
        with s.inside():
            casters[vip] = closing(Caster())
    site.apply(dict(tcp_timeout=f"{LIMIT_S}s", fin_timeout="2s"),
               nat=dict(address=NAT, ports=PORT, mode="nat", rips=site.rips(NAT, 1)),
               dr=dict(address=DR, ports=PORT, mode="dr", rips=site.rips(DR, 2)))
    assert site.lab.node.run("ipvsadm", "-L", "--timeout").stdout.split(":")[1].split()[0] == str(LIMIT_S)
    with site.lab.client.inside():
        rovers = [Rovers(vip).start() for vip in casters]
    took = [r.finish() for r in rovers]
    print(f"\nstreams of {min(took):.0f} s, timeout {LIMIT_S} s")
    assert min(took) >= STREAM_S * 0.99 > LIMIT_S
    for caster in casters.values():
        assert sorted(caster.seen) == [("/frames", site.lab.client.address), ("/positions", site.lab.client.address)]
