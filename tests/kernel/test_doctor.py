"""The doctor beside a real IPVS: what half-open connections betray, servers that are mended by what is printed for them until
clients are served, tunnels, and packets of full size. What needs no IPVS is tests/system/test_doctor.py."""
import contextlib
import http.client
import json
import socket
import subprocess

import pytest

from lab import VIP, Lab
from lbdtest import Origin, wait_until

NAT, TUN = "10.0.1.101", {"ipip": "10.0.1.111", "gre": "10.0.1.112", "gue": "10.0.1.113"}
GATEWAY = "10.0.1.200"
# Its own /etc over the machine's, so that what a script makes permanent is gone afterwards.
PRIVATE_ETC = """mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w &&
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w none /etc && mkdir -p /etc/sysctl.d /etc/systemd/system && """


class Doctor:
    """One arm: s1, s2 (dr, nat) and a client of their own network beside the node; s3 (tunnels) behind the router."""

    def __init__(self, closing, root):
        self.lab = closing(Lab(servers=4, arms=1, far=(3,)))
        self.neighbour = self.lab.servers[3]
        for s in self.lab.servers:
            with s.inside():
                closing(Origin(s.host, address="0.0.0.0", port=80))
        self.lb = closing(self.lab.lbd(root, "lbd-ipvs", "lbd-check", "lbd-ha"))
        s = self.lab.servers
        vips = {"web": dict(address=VIP, ports=80, mode="dr", rips={"s1": dict(address=s[0].address)}),
                "shop": dict(address=NAT, ports=80, mode="nat", rips={"s2": dict(address=s[1].address)}),
                **{k: dict(address=a, ports=80, mode="tun", tunnel=k, rips={"s3": dict(address=s[2].address)})
                   for k, a in TUN.items()}}
        self.lb.ctl("apply", "-f", "-", input=json.dumps({"vip": vips}))
        self.lb.ctl("fip", "add", f"{GATEWAY}/24")
        self.lb.start()
        self.until(lambda: len(self.lab.table()) == 5 and all(x.servers for x in self.lab.table().values()), "kernel")

    def until(self, condition, what):
        wait_until(condition, 20, what)

    def found(self, vip):
        """{finding: (status, text, fix)} of all steps, the worst of each; exit code, notes."""
        r, worst = self.lb.ctl("diagnose", vip, "-o", "json", check=False), ["right", "unknown", "doubtful", "wrong"]
        out = {}
        for f in json.loads(r.stdout):
            if f["finding"] not in out or worst.index(f["status"]) > worst.index(out[f["finding"]][0]):
                out[f["finding"]] = (f["status"], f["text"], f["fix"])
        return out, r.returncode, r.stderr

    def doctor(self):
        """{name: its rows} of lbctl doctor."""
        out = {}
        for f in json.loads(self.lb.ctl("doctor", "-v", "-o", "json", check=False).stdout):
            out.setdefault(f["name"], []).append(f)
        return out

    def mend(self, vip, server):
        text = self.lb.ctl("explain-server", f"{vip}/{server.host}", "--os", "linux").stdout
        r = subprocess.run([*server.prefix, "sh", "-c", PRIVATE_ETC + "cat >/mnt/s && sh -e /mnt/s && echo done"], input=text,
                           capture_output=True, text=True, timeout=120)
        assert r.stdout.endswith("done\n"), text + r.stdout + r.stderr
        return text

    def get(self, address, client=None, body=None, timeout=20):
        """The server that answered; None: nobody did."""
        with (client or self.lab.client).inside():
            c = http.client.HTTPConnection(address, 80, timeout=timeout)
            with contextlib.suppress(OSError):
                c.connect()
        try:
            if c.sock:
                c.request("POST" if body else "GET", "/", body)
                return c.getresponse().headers["X-Server"]
        except OSError:
            pass
        finally:
            c.close()
        return None

    def half_open(self, address, n=8):
        """Clients that begin connections and get no answer."""
        with self.lab.client.inside():
            socks = [socket.socket() for _ in range(n)]
            for s in socks:
                s.setblocking(False)
                s.connect_ex((address, 80))
        return socks


@pytest.fixture(scope="module")
def doctor(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        def closing(x):
            stack.callback(x.stop if hasattr(x, "stop") else x.close)
            return x
        yield Doctor(closing, tmp_path_factory.mktemp("lbd"))


def wrong(rows):
    return [f["finding"] for f in rows if f["status"] == "wrong"]


def test_bare_servers(doctor):
    """N11, S203, S204, S218, S227: servers to which nothing was done leave connections half open. diagnose says so, with the cause
    that the way of forwarding suggests, and proves the true one; doctor names all of them."""
    d = doctor
    socks = d.half_open(VIP) + d.half_open(NAT)
    for vip in VIP, NAT:
        d.until(lambda: sum(c[2] == "SYN_RECV" and c[4].startswith(vip) for c in d.lab.conns()) >= 8, "half-open connections")
    found, code, note = d.found("web")
    assert code == 1 and found["no_vip"][0] == "wrong" and "explain-server web/s1" in found["no_vip"][2], found
    assert found["half_open"][0] == "doubtful" and "8 of 8" in found["half_open"][1] and "ARP" in found["half_open"][1]
    assert {found[x][0] for x in ("passive", "not_held", "not_loaded")} == {"right"} and "step probe" in note, (found, note)
    found, code, _ = d.found("shop")
    assert code == 1 and found["gateway"][0] == "wrong" and f"via {GATEWAY}" in found["gateway"][2], found
    assert "default gateway" in found["half_open"][1] and "ARP" not in found["half_open"][1]
    for s in socks:
        s.close()
    rows = {}

    def refused():  # a kernel limits how often it says so: six times at once, then once a second (icmp(7), icmp_ratelimit)
        rows.update(d.doctor())
        return all(wrong(rows[f"{kind}/s3"]) == ["10.0.3.13 refuses packets of the tunnel"] for kind in TUN)
    d.until(refused, "the tunnels' packets are refused")
    one_arm = [f for f in rows["shop/s2"] if "one arm" in f["finding"]]
    assert one_arm[0]["status"] == "warning" and "explain-server shop/s2" in one_arm[0]["fix"]
    assert "module" not in rows and rows["forwarding"][0]["status"] == "ok" and rows["lbd-ipvs"][0]["status"] == "ok"


def test_mended_servers(doctor):
    """N11, S086, S220, A032: the scripts that are printed make every server serve, through each kind of tunnel with strict reverse
    path filtering too, clients of the servers' own network behind NAT with one arm, and nothing is wrong any more."""
    d, (s1, s2, s3, _) = doctor, doctor.lab.servers
    s3.sysctl(**{"ipv4/conf/all/rp_filter": 1})
    for vip, s in ("web", s1), *((k, s3) for k in TUN):
        d.mend(vip, s)
    s2.run("ip", "route", "replace", "default", "via", GATEWAY)
    assert d.get(NAT) == "s2" and d.get(NAT, d.neighbour, timeout=2) is None  # s2 answers its neighbour past the node
    d.mend("shop", s2)
    assert d.get(NAT) == "s2" and d.get(NAT, d.neighbour) == "s2"
    assert d.get(VIP) == "s1" and [d.get(v) for v in TUN.values()] == ["s3"] * 3
    rows = d.doctor()
    for name in ("web/s1", "shop/s2", *(f"{k}/s3" for k in TUN)):
        assert wrong(rows[name]) == [], rows[name]
    for kind in TUN:
        assert any("fit into the tunnel" in f["finding"] and f["status"] == "ok" for f in rows[f"{kind}/s3"]), rows[f"{kind}/s3"]


def test_large_requests_in_tunnels(doctor):
    """A032: with the segment size that the script sets large requests fit, though no router tells the client of the tunnel's size;
    without it that is doubtful, with the numbers."""
    d, s3 = doctor, doctor.lab.servers[2]
    for h in d.lab.router, d.lab.node:
        for chain in "input", "forward", "output":
            h.run("nft", f"add table ip quiet; add chain ip quiet {chain} {{ type filter hook {chain} priority 0; }}; "
                         f"add rule ip quiet {chain} icmp type destination-unreachable icmp code frag-needed drop")
    try:
        for kind, vip in TUN.items():
            assert d.get(vip, body=b"x" * 100000) == "s3", kind
        s3.run("nft", "delete", "table", "inet", "lbd-ipip")
        found, code, _ = d.found("ipip")
        assert code == 0 and found["mtu"][0] == "doubtful" and "1460" in found["mtu"][1] and "1440" in found["mtu"][1], found
    finally:
        for h in d.lab.router, d.lab.node:
            h.run("nft", "delete", "table", "ip", "quiet")


def test_path_mtu_of_clients(doctor):
    """A031: "fragmentation needed" that a router on the way to the client sends to the virtual address reaches the server, with
    direct routing and in a tunnel."""
    d, c = doctor, doctor.lab.client
    for h in d.lab.router, c:
        h.run("ip", "link", "set", h.plugs["client"], "mtu", "1300")
    c.run("ip", "route", "replace", "default", "via", "10.0.9.254", "advmss", "1460")  # the client knows nothing of it
    for vip in VIP, TUN["ipip"]:
        with c.inside():
            k = http.client.HTTPConnection(vip, 80, timeout=20)
            k.connect()
        k.request("GET", "/" + "z" * 20000)  # the answer quotes the target
        assert len(k.getresponse().read()) > 20000, vip
        k.close()


def test_modules(doctor):
    """doctor: FTP with NAT needs a module that the kernel does not load by itself."""
    d = doctor
    d.lb.ctl("create", "vip", "files", "address=10.0.1.120", "ports=21", "mode=nat", "scheduler=sed")
    loaded = "ip_vs_ftp" in open("/proc/modules").read()
    assert [f["fix"].split(";")[0] for f in d.doctor().get("module", [])] == ([] if loaded else ["modprobe ip_vs_ftp"])
