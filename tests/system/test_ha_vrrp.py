"""lbd-ha with routers of other makes: keepalived and FRR, in network namespaces, by VRRP.

One node is lbd-ha, the other a peer of another make, both on a bridge with a client (class Lan of vrrplib)."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from lbdtest import BIN, Lbd, alive, children, wait_until
from vrrplib import Frr, Keepalived, Lan, have_frr, vmac

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces"),
              pytest.mark.skipif(not shutil.which("keepalived") or not have_frr(), reason="needs keepalived and frr")]

VIP = {4: "10.0.0.100", 6: "2001:db8::100"}
VIPS = {4: ["10.0.0.100/24"], 6: ["fe80::100/64", "2001:db8::100/64"]}


class Node:
    """lbd-ha in a node's namespace, with floating addresses and virtual routers. fields: {name: {field: value}}."""

    def __init__(self, ns, root, routers, fips):
        self.ns = ns
        self.lb = Lbd(root, "lbd-ha", netns=ns)
        for i, (address, fields) in enumerate(fips.items()):
            self.lb.ctl("create", "fip", f"f{i}", f"address={address}", *words(fields))
        for name, fields in routers.items():
            self.lb.ctl("create", "vrrp", name, *words({"interface": "eth0", **fields}))
        self.start()

    def start(self):
        self.lb.start()

    def set(self, name="v", **fields):
        self.lb.ctl("set", "vrrp", name, *words(fields))

    def status(self):
        return self.lb.json("ha", "status")

    def router(self, name="v"):
        return next((x for x in self.status()["vrrps"] if x["name"] == name), None)

    def state(self, name="v"):
        return (self.router(name) or {}).get("state")

    def until(self, state, name="v", timeout=10):
        wait_until(lambda: self.state(name) == state, timeout, f"{state}: {self.router(name)}")

    def core(self):
        pids = subprocess.run(["ip", "netns", "pids", self.ns.name], capture_output=True, text=True).stdout.split()
        return [int(p) for p in pids if alive(int(p)) and b"--core" in open(f"/proc/{p}/cmdline", "rb").read()]

    def leave(self):
        """As systemd stops it."""
        self.lb.stop()
        wait_until(lambda: not self.core(), what="the core ends")

    def stop(self):
        self.lb.stop()
        print(self.lb.text())  # shown when a test fails
        subprocess.run([*self.ns.prefix, BIN / "lbd-ha", "--release", "--root", self.lb.root], check=True)
        assert not self.core()
        assert " lbd4." not in self.ns.run("ip", "-o", "link").stdout


def words(fields):
    return [f"{k}={v}" for k, v in fields.items()]


@pytest.fixture()
def lan(closing):
    return closing(Lan())


def only(lan, node, ms=50, vrid=51, family=None, timeout=10):
    wait_until(lambda: lan.masters(vrid, ms, family) == {node}, timeout, f"{node} alone: {lan.masters(vrid, ms, family)}")


def node(lan, path, family=4, fips=None, **fields):
    routers = {"v": {"vrid": 51, "interval": "50ms", "priority": 200, "family": f"ipv{family}", **fields}}
    return Node(lan.a, path / "lbd", routers, fips or {a: {"interface": "eth0"} for a in VIPS[family]})


def test_first(lan, closing, tmp_path):
    peer = closing(Keepalived(lan.b, tmp_path, vrid=51, prio=150, vips=VIPS[4]))
    only(lan, "b")
    me = closing(node(lan, tmp_path))
    me.until("master")
    only(lan, "a")
    wait_until(lambda: lan.owners(VIP[4]) == {"a"})
    print(me.lb.ctl("ha", "status").stdout)
    me.leave()
    only(lan, "b")
    wait_until(lambda: lan.owners(VIP[4]) == {"b"})
    print(me.lb.text())
    assert 0
