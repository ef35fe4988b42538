"""Limits of servers, timeouts, connection sync and weights: set with lbctl, read back from the kernel, and felt by clients."""
import socket
import struct

import pytest

from lbdtest import wait_until
from site_ import Site, v

FULL, IDLE, WEIGH = (v(n)[0] for n in (101, 102, 103))
TCP_S, FIN_S, UDP_S = 6, 2, 3


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("limits"), servers=2) as site:
        for s in site.lab.servers:
            s.nat()
            s.listen(80)

        def service(vip, **first):
            rips = site.rips(vip, 1, 2)
            rips["s1"].update(first)
            return dict(address=vip, ports=80, mode="nat", scheduler="rr", rips=rips)
        site.apply(dict(tcp_timeout=f"{TCP_S}s", fin_timeout=f"{FIN_S}s", udp_timeout=f"{UDP_S}s"),
                   full=service(FULL, max_conns=3, min_conns=2), idle=service(IDLE), weigh=service(WEIGH))
        yield site


def entries(lab, vip):
    """Seconds that the kernel still remembers each connection to a service."""
    return [sum(int(x) * n for x, n in zip(c[1].split(":"), (60, 1))) for c in lab.conns() if c[4] == f"{vip}:80"]


def abort(flow):
    """Ends by a reset: the kernel forgets that in ten seconds, an orderly end in two minutes."""
    flow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    flow.close()


def test_most_connections(site):
    """S069: a server with its most connections gets no new ones until it is below its least."""
    lab = site.lab
    limits = lab.node.run("ipvsadm", "-Ln", "--thresholds").stdout
    assert [x.split()[2:4] for x in limits.splitlines() if "10.0.2.11:80" in x and "->" in x][0] == ["3", "2"], limits
    opened = lab.flows(8, FULL)
    assert sorted(f.server for f in opened) == ["s1"] * 3 + ["s2"] * 5
    of_s1 = [f for f in opened if f.server == "s1"]
    assert set(lab.spread(3, FULL)) == {"s2"}
    abort(of_s1[0])

    def only_two():
        s1 = site.table(FULL).servers["10.0.2.11:80"]
        return all(f.alive() for f in of_s1[1:]) and (s1.active, s1.inactive) == (2, 0)
    wait_until(only_two, 30, "two connections are left")  # not yet below the least
    assert set(lab.spread(3, FULL)) == {"s2"}
    abort(of_s1[1])
    wait_until(lambda: of_s1[2].alive() and "s1" in lab.spread(2, FULL), 30, "the server takes clients again")


def test_timeouts(site):
    """A013: the kernel has the three values."""
    text = site.lab.node.run("ipvsadm", "-L", "--timeout").stdout
    assert text.split(":")[1].split() == [str(TCP_S), str(FIN_S), str(UDP_S)]


def test_sparse_stream(site):
    """S127, A013: a stream that sends a byte now and then lives longer than the timeout, the server sees the client; one that is
    silent is forgotten on time, and then its packets are refused."""
    lab = site.lab
    f, = lab.flows(1, IDLE)
    assert f.seen[0] == lab.client.address
    for _ in range(3):  # together well above the timeout
        wait_until(lambda: entries(lab, IDLE)[0] <= TCP_S - 3, 30, "silence")
        f.echo()
        assert entries(lab, IDLE)[0] > TCP_S - 3
    wait_until(lambda: not entries(lab, IDLE), 30, "the entry expires")
    assert not f.alive()


def test_weights(site):
    """S069: run-time weight, and the configured one."""
    lab = site.lab

    def weight(n):
        site.until(lambda: site.table(WEIGH).servers["10.0.2.11:80"].weight == n, f"weight {n}")
    weight(100)
    site.lb.ctl("weight", "weigh/s1", "0")
    weight(0)
    assert lab.spread(4, WEIGH) == {"s2": 4}
    site.lb.ctl("weight", "weigh/s1", "default")
    site.lb.ctl("set", "rip", "weigh/s1", "weight=65535")
    weight(65535)
    assert lab.spread(4, WEIGH) == {"s1": 2, "s2": 2}  # rr


def test_sync_daemons(site):
    """A027: both roles with id, interface, group, port, ttl and length, changed and ended again."""
    site.lb.ctl("set", "node", "sync_interface=eth1")

    def said():
        return sorted(site.lab.node.run("ipvsadm", "-L", "--daemon").stdout.splitlines())

    def want(role, words):
        site.lb.ctl("set", "setting", f"sync_role={role}", "sync_id=7", "sync_group=239.1.2.3", "sync_port=8850", "sync_ttl=3",
                    "sync_maxlen=1400")
        site.until(lambda: [x.split()[0] for x in said()] == words, f"sync daemons {words}")
        for line in said():
            assert all(w in line for w in ("mcast=eth1", "syncid=7", "maxlen=1400", "group=239.1.2.3", "port=8850", "ttl=3")), line
    want("both", ["backup", "master"])
    want("backup", ["backup"])
    want("off", [])
