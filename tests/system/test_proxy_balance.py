"""How requests are shared among servers."""
import collections
import os

import pytest

from lbdtest import ADDRESS, Lbd, Netns, Origin, Vip, free_port, get, listens, talk, wait_until


def shares(vip, n=60, **kw):
    return collections.Counter(get(vip, **kw).server for _ in range(n))


def near(got, scheduler="wrr", **want):
    """Every worker thread keeps its own turn: a share may be off by one for each. By least connections the client before may still
    count on a busy machine, and then the other server is right."""
    slack = len(os.sched_getaffinity(0)) + (6 if scheduler == "wlc" else 0)
    return set(got) == set(want) and all(abs(got[k] - want[k]) <= slack for k in want)


@pytest.mark.parametrize("scheduler", ["wrr", "wlc"])
def test_equal_weights(lb, origins, scheduler):
    """S070: servers of equal weight are used equally."""
    vip = lb.vip(f"eq-{scheduler}", *origins("a", "b", "c"), scheduler=scheduler)
    assert near(shares(vip), scheduler, a=20, b=20, c=20)


@pytest.mark.parametrize("scheduler", ["wrr", "wlc"])
def test_weights_100_50(lb, origins, scheduler):
    """S070: weights 100 and 50 give 2:1; a changed weight is followed, weight 0 takes nothing."""
    name = f"w-{scheduler}"
    vip = lb.vip(name, *origins("a", "b"), scheduler=scheduler)
    lb.ctl("set", "rip", f"{name}/b", "weight=50")
    wait_until(lambda: near(shares(vip, 30), scheduler, a=20, b=10), what="2:1")
    assert near(shares(vip, 90), scheduler, a=60, b=30)
    lb.ctl("set", "rip", f"{name}/b", "weight=0")
    wait_until(lambda: shares(vip, 10) == {"a": 10}, what="weight 0 takes nothing")
    lb.ctl("weight", f"{name}/b", "200")
    wait_until(lambda: near(shares(vip, 30), scheduler, a=10, b=20), what="run-time weight")
    lb.ctl("weight", f"{name}/b", "default")
    wait_until(lambda: shares(vip, 10) == {"a": 10}, what="the configured weight again")


def test_least_connections(lb, origins):
    """S070: connections that stay are spread by weight, and a server that lost its own catches up."""
    a, b = origins("a", "b")
    vip = lb.vip("least", a, b, mode="tcp", scheduler="wlc")
    held = [vip.connect() for _ in range(40)]
    for s in held:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    names = [b"X-Server: a" in s.recv(65536) for s in held]
    assert 18 <= sum(names) <= 22
    for s, is_a in zip(held, names):
        if is_a:
            s.close()
    wait_until(lambda: not a.open, what="a lost its connections")
    more = [vip.connect() for _ in range(10)]
    for s in more:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert all(b"X-Server: a" in s.recv(65536) for s in more)
    for s in held + more:
        s.close()


def test_several_services_on_one_address(lb, origins):
    """S063: services share an address on different ports; deleting one leaves the other alone."""
    a, b = origins("a", "b")
    one, two = lb.vip("share1", a), lb.vip("share2", b, mode="tcp")
    assert one.address == two.address
    assert (get(one).server, get(two).server) == ("a", "b")
    lb.ctl("delete", "vip", "share1", "--cascade", "-y")
    wait_until(lambda: not listens(one.address, one.port), what="the port is closed")
    assert get(two).server == "b"


def test_several_ports_of_one_service(lb, origins):
    """S063: a service may have several ports and ranges; port 0 of a server is the port the client used."""
    a, = origins("a")
    ports = sorted(free_port() for _ in range(3))
    lb.ctl("create", "vip", "ports", f"address={ADDRESS}", f"ports={ports[0]},{ports[1]}-{ports[2]}")
    lb.rip("ports", "a", a.port)
    wait_until(lambda: all(listens(ADDRESS, p) for p in ports))
    vip = lb.vip("ports0")
    same = Origin("same", port=vip.port)
    try:
        lb.rip("ports0", "same", 0)
        wait_until(lambda: get(vip).server == "same", what="port 0")
    finally:
        same.close()
    assert [get(Vip("x", ADDRESS, p)).server for p in ports] == ["a"] * 3


def test_ipv6(tmp_path, closing):
    """S030: an IPv6 service with an IPv6 server, and both mixtures of the families, in both modes."""
    ns = closing(Netns())
    ns.run("ip", "-6", "route", "add", "local", "fd00:80::/64", "dev", "lo")
    ns.run("ip", "route", "add", "local", "192.0.2.0/24", "dev", "lo")
    with ns.inside():
        six, four = closing(Origin("six", address="::1")), closing(Origin("four"))
        lb = closing(Lbd(tmp_path / "lb", "lbd-proxy", netns=ns)).start()
        made = [lb.vip(f"{mode}{n}", o, address=address, port=80 + n, mode=mode) for mode, n, o, address in (
            ("http", 0, six, "fd00:80::1"), ("http", 1, four, "fd00:80::1"), ("http", 2, six, "192.0.2.1"),
            ("tcp", 3, six, "fd00:80::1"), ("tcp", 4, four, "fd00:80::1"), ("tcp", 5, six, "192.0.2.1"))]
        got = [get(v) for v in made]
        assert [a.server for a in got] == ["six", "four", "six"] * 2
        assert dict(got[0].json["fields"])["x-forwarded-for"] == "::1"


def test_server_by_name(lb, origins):
    """S096: a server may be given by its DNS name."""
    a, = origins("a")
    vip = lb.vip("dns")
    lb.rip(vip, "a", a.port, address="localhost")
    wait_until(lambda: get(vip).status == 200, what="localhost is resolved")
    assert get(vip).server == "a"


def test_no_server(lb):
    """A service without any fit server answers 503; in TCP mode it closes."""
    http, tcp = lb.vip("none-http"), lb.vip("none-tcp", mode="tcp")
    assert get(http).status == 503
    assert talk(tcp, b"hello") == b""


def test_disabled(lb, origins):
    """A disabled service takes no traffic, and takes it again when enabled."""
    vip = lb.vip("off", *origins("a"))
    lb.ctl("disable", "off")
    wait_until(lambda: not listens(vip.address, vip.port))
    lb.ctl("enable", "off")
    wait_until(lambda: listens(vip.address, vip.port))
    assert get(vip).server == "a"


def test_nonlocal_bind(tmp_path, closing):
    """S139: a service listens on an address that the node does not have yet, and serves as soon as it comes."""
    ns = closing(Netns())
    lb = closing(Lbd(tmp_path / "lb", "lbd-proxy", netns=ns))
    vip = lb.vip("web", address="192.0.2.80", port=80)
    tcp = lb.vip("tcp", address="2001:db8::80", port=80)
    lb.start()
    wait_until(lambda: listens("192.0.2.80", 80, ns) and listens("2001:db8::80", 80, ns))
    curl = "curl -sS -o /dev/null -w %{http_code} --max-time 5".split()
    assert ns.run(*curl, "http://192.0.2.80/", check=False).stdout == "000"
    ns.run("ip", "addr", "add", "192.0.2.80/32", "dev", "lo")
    ns.run("ip", "addr", "add", "2001:db8::80/128", "dev", "lo")
    assert ns.run(*curl, f"http://{vip.address}/").stdout == "503"
    assert ns.run(*curl, f"http://[{tcp.address}]/").stdout == "503"
