"""What somebody else does to the kernel's table while lbd-ipvs runs, and what lbd-ipvs does to it when it is killed, started again
or stopped: it ends as stored, nobody's connection is cut, and what is not lbd's stays."""
import json
import signal
import time

from lab import VIP, Dest, Service
from lbdtest import SLOW, wait_until

WEB = f"TCP {VIP}:80"
FOREIGN = "TCP 10.0.1.77:80"
AGAIN = 5 * SLOW  # a reading is due each second; more is the emulated processor's


def web(lab, **weights):
    """The servers of the service as they should be."""
    return {f"{s.address}:80": Dest("Masq", weights.get(s.host, 100), 0, 0) for s in lab.servers}


def plain(servers):
    """Without what traffic counts."""
    return {k: Dest(d.forward, d.weight, 0, 0) for k, d in servers.items()}


def serving(lab, closing, tmp_path, *more, **setting):
    lab = lab(servers=3)
    for s in lab.servers:
        s.nat()
        s.listen(80)
    lb = closing(lab.lbd(tmp_path, "lbd-check", "lbd-ha", "lbd-ipvs"))
    lb.ctl("apply", "-f", "-", input=json.dumps({"setting": setting, "vip": {
        "web": {"address": VIP, "ports": "80", "mode": "nat", "scheduler": "rr",
                "rips": {s.host: {"address": s.address} for s in lab.servers}}}}))
    lb.start()
    until(lab, web(lab))
    return lab, lb


def until(lab, want, seconds=AGAIN):
    """Waits until the service has these servers; how long that took."""
    began = time.monotonic()
    wait_until(lambda: plain(lab.table().get(WEB, Service("", "", {})).servers) == want, seconds, f"{want} in the kernel")
    return time.monotonic() - began


def test_edits(lab, closing, tmp_path):
    """S089: what ipvsadm changes of lbd's is put right within about a second and logged by name; what is not lbd's is shown and
    left alone, also when the table was flushed."""
    lab, lb = serving(lab, closing, tmp_path)
    s1, s2 = (s.address for s in lab.servers[:2])
    for edit, words in {
        f"-e -t {VIP}:80 -r {s1}:80 -m -w 1": f"{s1}:80 had weight 1, not 100",
        f"-d -t {VIP}:80 -r {s2}:80": f"{s2}:80 was missing",
        f"-a -t {VIP}:80 -r 10.0.2.99:80 -m -w 9": "10.0.2.99:80 was added",
        f"-E -t {VIP}:80 -s wlc -p 60": "scheduler was wlc, not rr",
        f"-D -t {VIP}:80": "it was missing",
    }.items():
        lab.ipvsadm(edit)
        wait_until(lambda: f"{WEB}: changed by somebody else: {words}" in lb.text(), AGAIN, words)
        until(lab, web(lab))
    service = lab.table()[WEB]
    assert (service.scheduler, service.flags) == ("rr", "")
    foreign = Service("wlc", "", {f"{s1}:81": Dest("Masq", 3, 0, 0)})
    lab.node.run("ipvsadm", "-C")
    lab.ipvsadm(f"-A -t {FOREIGN.split()[1]} -s wlc", f"-a -t {FOREIGN.split()[1]} -r {s1}:81 -m -w 3")
    until(lab, web(lab))
    wait_until(lambda: "10.0.1.77:80" in lb.ctl("ipvs").stdout, AGAIN, "shown")
    # A change of lbd's own beside it, and the end of all that is lbd's.
    lb.ctl("set", "rip", "web/s1", "weight=7")
    until(lab, web(lab, s1=7))
    lb.ctl("set", "vip", "web", "enabled=no")
    wait_until(lambda: set(lab.table()) == {FOREIGN}, AGAIN, "only what is not lbd's")
    assert lab.table()[FOREIGN] == foreign


def test_killed(lab, closing, tmp_path):
    """S090, A106: kill -9 under traffic cuts no connection; the next start finds its own and makes only the difference, also what was
    changed while nobody was there. A stop leaves the table; with ipvs_stop clear it takes away what is lbd's and nothing else."""
    lab, lb = serving(lab, closing, tmp_path)
    lab.ipvsadm(f"-A -t {FOREIGN.split()[1]} -s rr")
    flows = lab.flows(6)
    assert {f.server for f in flows} == {"s1", "s2", "s3"}
    lb.kill("lbd-ipvs")
    assert all(f.alive() for f in flows)
    assert set(lab.spread(3)) == {"s1", "s2", "s3"}
    at = len(lb.text())
    lb.start("lbd-ipvs")
    wait_until(lambda: "services found" in lb.text()[at:], AGAIN, "the start is done")
    assert "2 services found, 0 changes made" in lb.text()[at:]
    lb.kill("lbd-ipvs")
    lab.ipvsadm(f"-a -t {VIP}:80 -r 10.0.2.99:80 -m -w 0", f"-e -t {VIP}:80 -r {lab.servers[1].address}:80 -m -w 1")
    at = len(lb.text())
    lb.start("lbd-ipvs")
    wait_until(lambda: "2 services found, 2 changes made" in lb.text()[at:], AGAIN, "two changes")
    until(lab, web(lab))
    assert all(f.alive() for f in flows)
    assert lb.kill("lbd-ipvs", signal.SIGTERM) == 0
    assert plain(lab.table()[WEB].servers) == web(lab)
    assert all(f.alive() for f in flows)
    lb.start("lbd-ipvs")
    lb.ctl("set", "setting", "ipvs_stop=clear")
    assert lb.kill("lbd-ipvs", signal.SIGTERM) == 0
    assert set(lab.table()) == {FOREIGN}
