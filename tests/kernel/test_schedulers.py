"""The kernel's schedulers: each is taken and seen, shares out as it should, and the hashes move few flows when a server goes."""
import collections
import subprocess

import pytest

from echo import flows
from site_ import Site, v, web

VIP, TEN, FLAGS = v(101)[0], v(102)[0], v(103)[0]
KNOWN = "wlc wrr rr lc lblc lblcr sh mh dh fo ovf sed nq twos".split()
NAMES = [n for n in KNOWN if subprocess.run(["modprobe", "-nq", f"ip_vs_{n}"], check=False).returncode == 0]  # Debian: without twos
PORT = {name: 1000 + i for i, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Three servers of weight 1, 2 and 3; a port for each scheduler. Modules beforehand: one after the other they take long."""
    subprocess.run(["modprobe", "-a", *(f"ip_vs_{n}" for n in NAMES)], check=True)
    with Site(tmp_path_factory.mktemp("schedulers"), servers=3) as site:
        lab = site.lab
        for s in lab.servers:
            s.nat()
            s.listen(80)
        lab.client.hold(*(f"10.0.9.{n}" for n in range(100, 200)))
        lab.servers[0].hold(*(f"10.0.2.{n}" for n in range(100, 110)))
        rips = {k: dict(r, weight=int(k[1])) for k, r in site.rips(VIP, 1, 2, 3, port=80).items()}
        ten = {f"r{n}": dict(address=f"10.0.2.{n}", port=80) for n in range(100, 110)}
        site.apply(**{name: dict(address=VIP, ports=PORT[name], mode="nat", scheduler=name, rips=rips) for name in NAMES},
                   ten_sh=dict(address=TEN, ports=80, mode="nat", scheduler="sh", rips=ten),
                   ten_mh=dict(address=TEN, ports=81, mode="nat", scheduler="mh", rips=ten),
                   port_mh=dict(address=FLAGS, ports=80, mode="nat", scheduler="mh", hash_port=True, hash_fallback=True, rips=rips),
                   port_sh=dict(address=FLAGS, ports=81, mode="nat", scheduler="sh", hash_port=True, hash_fallback=True, rips=rips))
        yield site


def held(site, name, n, source=None):
    """Who serves n connections that stay open."""
    opened = site.lab.flows(n, VIP, PORT[name], source=source)
    got = collections.Counter(f.server for f in opened)
    for f in opened:
        f.close()
    return got


def test_all_are_taken(site):
    """A001: the kernel has each by its name."""
    table = site.lab.table()
    assert {name: table[f"TCP {web(VIP, PORT[name])}"].scheduler for name in NAMES} == {name: name for name in NAMES}


@pytest.mark.parametrize("name, want", [
    ("rr", {"s1": 4, "s2": 4, "s3": 4}), ("wrr", {"s1": 2, "s2": 4, "s3": 6}), ("lc", {"s1": 4, "s2": 4, "s3": 4}),
    ("wlc", {"s1": 2, "s2": 4, "s3": 6}), ("sed", {"s1": 2, "s2": 4, "s3": 6}), ("nq", {"s1": 2, "s2": 4, "s3": 6}),
    ("fo", {"s3": 12})])
def test_shares(site, name, want):
    """A001: twelve connections that stay open, on weights 1, 2 and 3; one more or less where several servers are as good."""
    got = held(site, name, 12)
    assert sum(got.values()) == 12 and set(got) == set(want)
    assert all(abs(got[s] - n) <= (0 if name in ("rr", "wrr", "fo") else 1) for s, n in want.items()), got


def test_overflow(site):
    """A001: the server of highest weight until it has more connections than its weight, then the next; nobody beyond that."""
    opened = [site.lab.flows(1, VIP, PORT["ovf"])[0] for _ in range(10)]
    assert [f.server for f in opened] == ["s3"] * 4 + ["s2"] * 3 + ["s1"] * 2 + [None]
    for f in opened:
        f.close()


@pytest.mark.parametrize("name", ["sh", "mh", "dh", "lblc", "lblcr"])
def test_same_choice(site, name):
    """A001: by the client's address (sh, mh), or by the virtual address (dh, lblc, lblcr), the choice is the same each time."""
    n = 60 if name in ("sh", "mh") else 4
    got = collections.Counter()
    for i in range(4):
        got += held(site, name, 1, source="10.0.9.100")
    assert len(got) == 1
    for i in range(0, n, n // 4):  # never many at once: lblc and lblcr turn away from a server that is overloaded
        got += held(site, name, n // 4, source=lambda j, i=i: f"10.0.9.{100 + i + j}")
    assert len(got) == (3 if name in ("sh", "mh") else 1), got


def test_two_random(site):
    """A001: of two random servers the less loaded one: all take part. A kernel that lacks a scheduler: said, with what to do."""
    if "twos" in NAMES:
        assert set(held(site, "twos", 30)) == {"s1", "s2", "s3"}
        return
    r = site.lb.ctl("create", "vip", "lacks", f"address={VIP}", "ports=900", "mode=nat", "scheduler=twos", check=False)
    assert r.returncode == 1 and "vip lacks: " in r.stderr and "the kernel has no scheduler twos: modprobe ip_vs_twos" in r.stderr, r.stderr
    site.lb.ctl("delete", "vip", "lacks", "-y")


@pytest.mark.parametrize("port", [80, 81])
def test_flags(site, port):
    """A002: with hash_port the connections of one client spread; hash_fallback leaves out a server that is full of weight 0."""
    line = site.table(FLAGS, port=port).flags
    assert "port" in line and "fallback" in line, line
    assert set(site.lab.spread(40, FLAGS, port)) == {"s1", "s2", "s3"}
    site.lb.ctl("weight", f"port-{('mh', 'sh')[port - 80]}/s3", "0")
    site.until(lambda: site.table(FLAGS, port=port).servers["10.0.2.13:80"].weight == 0, "weight 0 in the kernel")
    assert set(site.lab.spread(40, FLAGS, port)) == {"s1", "s2"}


def where(site, port):
    """The server of each of a hundred clients."""
    return [f.own[0] for f in flows(site.lab.client, 100, TEN, port, source=lambda i: f"10.0.9.{100 + i}", keep=False)]


def test_few_flows_move(site):
    """A002: one of ten servers goes; of the clients of the others less than 15 in 100 move with mh."""
    before = {port: where(site, port) for port in (80, 81)}
    assert all(len(set(x)) > 5 for x in before.values())
    site.lb.ctl("delete", "rip", "ten-sh/r104", "ten-mh/r104", "-y")
    site.until(lambda: all(len(site.table(TEN, port=p).servers) == 9 for p in (80, 81)), "nine servers")
    moved = {}
    for port in 80, 81:
        stay = [(a, b) for a, b in zip(before[port], where(site, port)) if a != "10.0.2.104"]
        moved[port] = sum(a != b for a, b in stay) / len(stay)
    print(f"flows that move when one of ten servers goes: sh {moved[80]:.0%}, mh {moved[81]:.0%}")
    assert moved[81] < 0.15
