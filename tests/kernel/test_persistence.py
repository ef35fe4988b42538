"""Persistence by source at layer 4: who counts as the same client, how long, and that the ports of a service share it."""
import pytest

from lbdtest import wait_until
from site_ import Site, v

EACH, NET, ALL, PORTS, SHORT = (v(n) for n in range(101, 106))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The client is at 10.0.9.11, and has a network of its own behind it: 10.0.8.0/24, fd00:8::/64."""
    with Site(tmp_path_factory.mktemp("persistence"), servers=3) as site:
        lab = site.lab
        for s in lab.servers:
            s.nat()
            for port in 80, 443, 8000:
                s.listen(port)
            s.listen(80, "udp")
        lab.client.hold("10.0.8.1", "10.0.8.2", "fd00:8::1", "fd00:8::2")
        lab.client.hold("10.0.9.99", "fd00:9::99", dev="eth0")
        lab.router.ip(f"route add 10.0.8.0/24 via {lab.client.address}", f"route add fd00:8::/64 via {lab.client.address6}")

        def service(vip, **more):
            return dict(address=vip, ports=80, mode="nat", scheduler="rr", persistence="source", rips=site.rips(vip, 1, 2, 3), **more)
        site.apply(dict(udp_timeout="1s"),
                   **{f"{name}{i}": service(vip[i], **more) for i in (0, 1) for name, vip, more in (
                       ("each", EACH, {}), ("net", NET, dict(persist_mask=(24, 64)[i])))},
                   all=service(ALL[0], persist_mask=0),
                   ports=dict(service(PORTS[0]), ports="80,443,8000-8010"), short=dict(service(SHORT[0]), protocol="udp", persist_timeout="3s"))
        yield site


def servers(lab, vip, *sources, port=80, n=3):
    """For each source the servers that n connections of it reach."""
    return [set(lab.spread(n, vip, port, source=a)) for a in sources]


@pytest.mark.parametrize("i", [0, 1])
def test_client_keeps_its_server(site, i):
    """S092: each address by itself; three of them get three servers, in turn."""
    near = site.lab.client.at(EACH[i])
    other = ("10.0.8.1", "fd00:8::1")[i], ("10.0.8.2", "fd00:8::2")[i]
    got = servers(site.lab, EACH[i], near, *other)
    assert [len(x) for x in got] == [1, 1, 1] and len(set.union(*got)) == 3
    assert servers(site.lab, EACH[i], near, *other) == got


@pytest.mark.parametrize("i", [0, 1])
def test_network_counts_as_one(site, i):
    """S092, A012: /24 and /64 are one client; another network is another."""
    near, beside = site.lab.client.at(NET[i]), ("10.0.9.99", "fd00:9::99")[i]
    other = ("10.0.8.1", "fd00:8::1")[i], ("10.0.8.2", "fd00:8::2")[i]
    a, b, c, d = servers(site.lab, NET[i], near, beside, *other)
    assert a == b and c == d and len(a) == len(c) == 1 and a != c


def test_mask_zero(site):
    """A012: without a bit of the address all clients are one. The kernel has that for IPv4 only."""
    assert len(set.union(*servers(site.lab, ALL[0], site.lab.client.address, "10.0.8.1", "10.0.8.2"))) == 1


def test_ports_share_it(site):
    """S065, S092, A003: a client has one server on all ports of the service; the mark comes from lbd's own rules."""
    sources = site.lab.client.address, "10.0.8.1", "10.0.8.2"
    got = [servers(site.lab, PORTS[0], *sources, port=port, n=2) for port in (80, 443, 8000)]
    assert got[0] == got[1] == got[2] and len(set.union(*got[0])) == 3


def test_it_ends(site):
    """S092: the template is forgotten when the timeout has passed without a connection, and not before. By UDP, whose entries do not
    outlive their client by two minutes."""
    lab, vip = site.lab, SHORT[0]
    first, = lab.spread(1, vip, protocol="udp")
    assert set(lab.spread(3, vip, protocol="udp")) == {first}

    def entries(template):
        return [c for c in lab.conns() if vip in c[4] and c[3].endswith(":0") == template]
    wait_until(lambda: not entries(False), 30, "the flows are over")
    assert entries(True)
    assert set(lab.spread(1, vip, protocol="udp")) == {first}
    wait_until(lambda: not entries(True), 30, "the template expires")
    assert first not in lab.spread(1, vip, protocol="udp")
