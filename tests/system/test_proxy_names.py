"""A056: servers by name, followed without a commit: a real name server (dnsmasq), lbd-check and lbd-proxy in a namespace."""
import collections
import json
import pathlib
import shutil
import subprocess

import pytest

from lbdtest import Lbd, Load, Netns, Origin, die_with_parent, get, wait_until

pytestmark = pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="no dnsmasq")
DNS, NAME, SRV = "127.0.0.53", "app.lbd.test", "_http._tcp.app.lbd.test"


class Dns:
    """dnsmasq in a namespace; say(LINES) replaces what it knows."""

    def __init__(self, ns, folder):
        self.ns, self.conf, self.process = ns, folder / "dnsmasq.conf", None
        self.etc = pathlib.Path(f"/etc/netns/{ns.name}")
        self.etc.mkdir(parents=True)
        (self.etc / "resolv.conf").write_text(f"nameserver {DNS}\n")

    def say(self, *lines):
        self.stop()
        self.conf.write_text("\n".join(("no-resolv", "no-hosts", "local=/test/", "local-ttl=1", f"listen-address={DNS}",
                                        "bind-interfaces", "user=root", *lines)) + "\n")
        self.process = subprocess.Popen([*self.ns.prefix, "dnsmasq", "--keep-in-foreground", f"--conf-file={self.conf}", "--pid-file="],
                                        stderr=subprocess.PIPE, preexec_fn=die_with_parent)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process.stderr.close()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.etc)


@pytest.fixture()
def world(tmp_path, closing):
    ns = closing(Netns())
    dns = closing(Dns(ns, tmp_path))
    lb = closing(Lbd(tmp_path / "lb", "lbd-check", "lbd-proxy", netns=ns))
    lb.start()
    lb.ctl("create", "check", "fast", "kind=tcp", "interval=300ms", "rise=1", "fall=1", "timeout=300ms")
    return ns, dns, lb


def origin(ns, closing, name, address, port=8000):
    with ns.inside():
        return closing(Origin(name, address=address, port=port))


def seen(ns, vip, n=24):
    """How often each origin answered; a refusal of the proxy counts as its status."""
    with ns.inside():
        return collections.Counter(a.server or a.status for a in (get(vip) for _ in range(n)))


def revision_of(lb):
    return json.loads(lb.ctl("status", "-o", "json", check=False).stdout)["revision"]


def names(lb, vip="web"):
    """rip -> (state, what DNS says of its name)."""
    return {r["name"].split("/")[-1]: (r["status"]["state"], r["status"]["name"] or {}) for r in lb.json("get", "rip", f"{vip}/")}


def test_each(world, closing):
    """Servers of one name share its addresses; the answer changes, the pool follows, no request fails, no revision is made."""
    ns, dns, lb = world
    for i in range(1, 6):
        origin(ns, closing, f"o{i}", f"127.0.1.{i}")
    dns.say(*(f"host-record={NAME},127.0.1.{i}" for i in (1, 2, 3)))
    vip = lb.vip("web", scheduler="rr", check="fast")
    for r in "abcd":
        lb.rip(vip, r, 8000, NAME, resolve="each")
    wait_until(lambda: set(seen(ns, vip)) == {"o1", "o2", "o3"}, 30, "three addresses, three servers")
    wait_until(lambda: sorted(s for s, _ in names(lb).values()) == ["down", "up", "up", "up"], 30, "one has no address")
    before = names(lb)
    assert sorted(n.get("place") for _, n in before.values()) == ["", "127.0.1.1", "127.0.1.2", "127.0.1.3"]
    revision = revision_of(lb)
    with Load(vip, clients=2, netns=ns) as load:
        load.wait(20)
        dns.say(*(f"host-record={NAME},127.0.1.{i}" for i in (1, 3, 4, 5)))
        wait_until(lambda: set(seen(ns, vip)) == {"o1", "o3", "o4", "o5"}, 60, "the new answer")
        load.wait(20)
        assert load.stop()["failed"] == []
    wait_until(lambda: all(s == "up" for s, _ in names(lb).values()), 30)
    # lbd-check and lbd-proxy took the same server for the same place
    place = {r: n["place"] for r, (_, n) in names(lb).items()}
    assert sorted(place.values()) == [f"127.0.1.{i}" for i in (1, 3, 4, 5)]
    for r in "abcd":
        lb.ctl("halt", *(f"web/{x}" for x in "abcd" if x != r))
        wait_until(lambda: set(seen(ns, vip, 4)) == {"o" + place[r][-1]}, 20, f"{r} is {place[r]}")
        lb.ctl("online", *(f"web/{x}" for x in "abcd" if x != r))
    assert revision_of(lb) == revision


def test_srv(world, closing):
    """SRV gives address, port, weight and who is a backup; tests and traffic both follow."""
    ns, dns, lb = world
    for name, port in (("a", 8101), ("b", 8102), ("late", 8103), ("spare", 8104)):
        origin(ns, closing, name, "127.0.2.1", port)
    host = "host-record=h1.lbd.test,127.0.2.1"
    dns.say(host, f"srv-host={SRV},h1.lbd.test,8101,0,10", f"srv-host={SRV},h1.lbd.test,8102,0,30",
            f"srv-host={SRV},h1.lbd.test,8104,9,10")
    vip = lb.vip("web", scheduler="wrr", check="fast")
    for r in "xyz":
        lb.rip(vip, r, 0, SRV, resolve="srv")
    wait_until(lambda: set(seen(ns, vip)) == {"a", "b"}, 30, "the backup has none")
    got = seen(ns, vip, 200)
    assert set(got) == {"a", "b"} and 2 < got["b"] / got["a"] < 4, f"weights 1 to 3: {got}"
    wait_until(lambda: {n.get("place") for s, n in names(lb).values() if s == "up"} ==
               {"127.0.2.1:8101", "127.0.2.1:8102", "127.0.2.1:8104"}, 30)
    dns.say(host, f"srv-host={SRV},h1.lbd.test,8103,0,10")
    wait_until(lambda: set(seen(ns, vip)) == {"late"}, 60, "another port")
    # a target that is looked up anew
    origin(ns, closing, "moved", "127.0.2.9", 8103)
    dns.say("host-record=h1.lbd.test,127.0.2.9", f"srv-host={SRV},h1.lbd.test,8103,0,10")
    wait_until(lambda: set(seen(ns, vip)) == {"moved"}, 60, "another address")


def test_dns_fails(world, closing):
    """The last answer counts while DNS fails, and it is shown how old it is; a stable address stays in a rotating answer."""
    ns, dns, lb = world
    origin(ns, closing, "one", "127.0.3.1")
    dns.say(f"host-record={NAME},127.0.3.1")
    vip = lb.vip("web", check="fast")
    lb.rip(vip, "a", 8000, NAME)
    wait_until(lambda: set(seen(ns, vip, 2)) == {"one"}, 30)
    dns.say(f"host-record={NAME},127.0.3.2", f"host-record={NAME},127.0.3.1")
    since = wait_until(lambda: names(lb)["a"][1].get("resolved"), 30)
    wait_until(lambda: names(lb)["a"][1]["resolved"] > since, 40, "asked again")
    assert set(seen(ns, vip, 2)) == {"one"}
    dns.stop()
    wait_until(lambda: names(lb)["a"][1]["fault"], 60, "a fault is shown")
    state, name = names(lb)["a"]
    assert state == "up" and name["place"] == "127.0.3.1" and name["resolved"] and set(seen(ns, vip, 2)) == {"one"}
    assert "127.0.3.1" in lb.ctl("get", "rip", "--columns", "name,stands_for,resolved,dns_fault").stdout


def test_start_without_dns(world, closing):
    """What names stood for lasts over a restart of both daemons while DNS is silent; then DNS counts again."""
    ns, dns, lb = world
    for i in (1, 2):
        origin(ns, closing, f"o{i}", f"127.0.4.{i}")
    dns.say(f"host-record={NAME},127.0.4.1", "host-record=h1.lbd.test,127.0.4.2", f"srv-host={SRV},h1.lbd.test,8000,0,10")
    vip = lb.vip("web", check="fast", scheduler="rr")
    lb.rip(vip, "a", 8000, NAME)
    lb.rip(vip, "s", 0, SRV, resolve="srv")
    wait_until(lambda: set(seen(ns, vip)) == {"o1", "o2"}, 30)
    files = [lb.root / "var/lib/lbd" / d / "names" for d in ("lbd-check", "lbd-proxy")]
    wait_until(lambda: all(f.exists() and "127.0.4.1 " in f.read_text() and "127.0.4.2 8000 " in f.read_text() for f in files), 20)
    known = names(lb)["a"][1]["resolved"]
    dns.stop()
    for kill in (("lbd-proxy",), ("lbd-check", "lbd-proxy")):
        for d in kill:
            lb.kill(d)
        lb.start(*kill)
        wait_until(lambda: set(seen(ns, vip, 8)) == {"o1", "o2"}, 30, f"served after the death of {kill}")
    wait_until(lambda: names(lb)["a"][1].get("fault"), 60, "it is told that DNS fails")
    assert names(lb)["a"][1]["place"] == "127.0.4.1" and names(lb)["a"][1]["resolved"] >= known
    # a damaged file is as good as none
    for d, f in zip(("lbd-check", "lbd-proxy"), files):
        lb.kill(d)
        f.write_text(f.read_text().replace("end\n", ""))
        lb.start(d)
        wait_until(lambda: f"{f}: is damaged" in lb.text(), 20)
    assert set(seen(ns, vip, 4)) == {503}
    dns.say(f"host-record={NAME},127.0.4.2", "host-record=h1.lbd.test,127.0.4.2", f"srv-host={SRV},h1.lbd.test,8000,0,10")
    wait_until(lambda: set(seen(ns, vip, 4)) == {"o2"}, 90, "DNS is asked again")
    wait_until(lambda: all("127.0.4.1" not in f.read_text() for f in files), 20, "and kept")
