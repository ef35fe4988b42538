"""Orders and the life of the daemon, in the kernel: drain, halt, weight; what is shown; stop, kill and a foreign hand."""
import signal

import pytest

from lab import VIP
from lbdbus import Bus
from lbdtest import SLOW, wait_until
from played import Node, counter_values

V80 = f"TCP {VIP}:80"
L4 = 4


@pytest.fixture()
def node(lab, tmp_path, closing):
    """vip web with s1, s2 and so on behind NAT; fields are the service's."""
    def make(servers=2, **fields):
        net = lab(servers=servers)
        for s in net.servers:
            s.nat()
            s.listen(80)
        n = closing(Node(net, tmp_path))
        n.apply(vip={"web": dict(dict(address=VIP, ports="80", mode="nat", scheduler="rr",
                                      rips={s.host: {"address": s.address} for s in net.servers}), **fields)})
        n.start()
        n.until(V80, **{s.host: 100 for s in net.servers})
        return n
    return make


def counters(n):
    """{"web": {...}, "s1": {...}} as the kernel's table was last read."""
    with Bus(n.lb.root, "lbd-ipvs") as bus:
        rows, result = bus.ask("COUNTERS")
    assert result["code"] == 0
    names = {("SERVICE_COUNTS", n.id("web")): "web"} | {("SERVER_COUNTS", n.id(f"web/{s}")): s for s in n.names.values()}
    return {names[kind, m["id"]]: counter_values(kind[:-7].lower(), m["values"]) for kind, m in rows}


def counted(n, who, **want):
    wait_until(lambda: all(counters(n)[who].get(k, 0) == v for k, v in want.items()), 20, f"{who} {want}, not {counters(n)}")


def test_drain_halt_and_weight(node):
    """S190, A019: a drained server keeps its session until that ends by itself; the end of a drain, and of the grace of a halt,
    cuts what is left, both ways."""
    n = node(servers=3)
    lab = n.lab
    one = {f.server: f for f in lab.flows(3)}
    counted(n, "s1", conns=1)
    n.lb.ctl("drain", "web/s1")
    n.until(V80, s1=0, s2=100, s3=100)
    assert lab.spread(4) == {"s2": 2, "s3": 2}
    assert one["s1"].alive()
    one["s1"].close()
    counted(n, "s1", conns=0)
    n.lb.ctl("online", "web/s1")
    n.until(V80, s1=100, s2=100, s3=100)

    left = {f.server: f for f in lab.flows(3)}
    last = f"{int(4 * SLOW)}s"
    n.lb.ctl("drain", "web/s1", "--timeout", last)
    n.lb.ctl("halt", "web/s2", "--grace", last)
    assert left["s1"].alive() and left["s2"].alive()
    n.until(V80, s3=100)
    assert left["s1"].was_reset(), "the end of the drain cuts"
    assert left["s2"].was_reset(), "the end of the grace cuts"
    assert left["s3"].alive() and one["s3"].alive()
    n.lb.ctl("online", "web/s2")
    n.lb.ctl("online", "web/s1")
    n.lb.ctl("weight", "web/s1", "7")
    n.until(V80, s1=7, s2=100, s3=100)
    n.lb.ctl("weight", "web/s1", "default")
    n.until(V80, s1=100, s2=100, s3=100)
    assert counters(n)["s1"]["cut"] >= 1 and counters(n)["s2"]["cut"] >= 1


def test_drain_keeps_persistent_clients(node):
    """S190, A018: clients that persistence knows come back to a server that drains; others do not."""
    n = node(persistence="source", persist_timeout="300s")
    lab = n.lab
    at = lab.flows(1)[0].server
    other = {"s1": "s2", "s2": "s1"}[at]
    n.lb.ctl("drain", f"web/{at}")
    n.until(V80, **{at: 0, other: 100})
    assert lab.spread(3) == {at: 3}
    n.lb.ctl("halt", f"web/{at}", "--grace", "60s")
    wait_until(lambda: lab.spread(1) == {other: 1}, what="halted: known clients go too")


def test_seen_and_put_right(node):
    """S064, S071, A019: the kernel's table as rows, ours and another's; counters that start at zero again; what a foreign hand
    changes is put right, what is foreign stays."""
    n = node()
    lab = n.lab
    lab.ipvsadm("-A -u 10.0.1.200:53 -s rr", "-a -u 10.0.1.200:53 -r 10.0.2.11:53 -m")
    lab.ipvsadm(f"-e -t {VIP}:80 -r {lab.servers[0].address}:80 -m -w 3")
    n.until(V80, s1=100, s2=100)
    with Bus(n.lb.root, "lbd-ipvs") as bus:
        def table():
            return {m["key"]: m for _, m in bus.ask("KERNEL_TABLE")[0]}
        wait_until(lambda: "UDP 10.0.1.200:53" in table(), what="the foreign service is shown")
        rows = table()
        assert rows[V80]["service"] == n.id("web") and rows[V80]["scheduler"] == "rr"
        own = rows[f"{lab.servers[0].address}:80"]
        assert own["server"] == n.id("web/s1") and own["weight"] == 100 and own["real"] and own["forward"] == "Masq"
        assert rows["UDP 10.0.1.200:53"].get("service", 0) == 0
        assert [m["key"] for _, m in bus.ask("KERNEL_TABLE", service=n.id("web"))[0]] == \
            [V80, *(f"{s.address}:80" for s in lab.servers)]
        bus.subscribe(L4)
        assert bus.last("L4_SERVICE", service=n.id("web"))["loaded"]
    assert lab.spread(10) == {"s1": 5, "s2": 5}
    counted(n, "web", conns_total=10)
    counted(n, "s1", conns_total=5)
    seen = counters(n)["web"]
    assert seen["packets_in"] > 30 and seen["bytes_out"] > 300
    n.lb.ctl("flush", "stats", "web")
    counted(n, "web", conns_total=0)
    assert lab.table()["UDP 10.0.1.200:53"].servers


def test_kernel_goes_on_without_the_daemon(node):
    """A019: killed and started again no session is lost and nothing is made anew; stopped it leaves the kernel as it is, or
    clears what is lbd's and nothing else, as set."""
    n = node()
    lab = n.lab
    flows = lab.flows(6)
    before = lab.table()
    n.lb.kill("lbd-ipvs", signal.SIGKILL)
    assert all(f.alive() for f in flows) and lab.spread(2) == {"s1": 1, "s2": 1}
    n.lb.ctl("set", "rip", "web/s2", "weight=50")
    n.lb.start("lbd-ipvs")
    n.until(V80, s1=100, s2=50)
    assert all(f.alive() for f in flows)
    assert lab.table()[V80].scheduler == before[V80].scheduler
    lab.ipvsadm("-A -u 10.0.1.200:53 -s rr")

    n.lb.kill("lbd-ipvs", signal.SIGTERM)
    assert n.weights(V80) == {"s1": 100, "s2": 50}
    n.lb.start("lbd-ipvs")
    n.lb.ctl("set", "setting", "ipvs_stop=clear")
    wait_until(lambda: n.weights(V80) == {"s1": 100, "s2": 50})
    n.lb.kill("lbd-ipvs", signal.SIGTERM)
    assert set(lab.table()) == {"UDP 10.0.1.200:53"}
