"""Direct routing, translation and layer 7 on one node at once, and services for two networks."""
import pytest

from lbdtest import client
from site_ import Site, v

DR, NAT, PROXY, FRONT7 = (v(n)[0] for n in (101, 102, 103, 104))
INSIDE = "10.0.2.100"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("together"), "lbd-ipvs", "lbd-ha", "lbd-proxy", servers=3) as site:
        s1, s2, s3 = site.lab.servers
        s1.nat()
        s2.dr(DR)
        for s in site.lab.servers:
            s.listen(80)
        yield site


def test_all_at_once(site):
    """S071: connections of all three live at the same time; each server sees the client, but for layer 7."""
    lab = site.lab
    site.apply(dr=dict(address=DR, ports=80, mode="dr", rips=site.rips(DR, 2)),
               nat=dict(address=NAT, ports=80, mode="nat", rips=site.rips(NAT, 1)))
    site.apply(wait=False, proxy=dict(address=PROXY, ports=80, mode="tcp", rips=site.rips(PROXY, 3, port=80)))
    site.until(lambda: set(lab.spread(1, PROXY)) == {"s3"}, "layer 7 serves")
    opened = {vip: lab.flows(3, vip) for vip in (DR, NAT, PROXY)}
    for _ in range(3):
        for vip, server in (DR, "s2"), (NAT, "s1"), (PROXY, "s3"):
            for f in opened[vip]:
                assert f.server == server
                f.echo(b"x" * 2000)
    assert {f.seen[0] for vip in (DR, NAT) for f in opened[vip]} == {lab.client.address}
    assert {f.seen[0] for f in opened[PROXY]} == {"10.0.2.1"}


def test_two_networks(site):
    """S038: an address on the servers' side serves them, while the one outside serves the world."""
    lab, (s1, _, s3) = site.lab, site.lab.servers
    site.apply(outside=dict(address=FRONT7, ports=80, mode="nat", rips=site.rips(FRONT7, 1)),
               inside=dict(address=INSIDE, ports=80, mode="dr", rips=site.rips(INSIDE, 1)))
    s1.dr(INSIDE)
    assert lab.spread(2, FRONT7) == {"s1": 2}
    assert lab.spread(2, INSIDE, client=s3) == {"s1": 2}
    addresses = lab.node.run("ip", "-4", "-o", "addr").stdout
    assert any(f" {INSIDE}/" in x and " eth1" in x for x in addresses.splitlines())
    assert any(f" {FRONT7}/" in x and " eth0" in x for x in addresses.splitlines())
