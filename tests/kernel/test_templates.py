"""Source persistence of a great many clients. LBD_TEMPLATES=1000000 needs a guest of 2 GB (run --memory 2000), and a minute to
fill; what reads the whole list then takes an hour in a guest, and is left out above ALL_READ."""
import ipaddress
import json
import os
import pathlib
import time

import pytest

from inject import TEMPLATE, Inject
from lab import VIP
from lbdtest import wait_until

N = int(os.environ.get("LBD_TEMPLATES", 20000))
ALL_READ = int(os.environ.get("LBD_TEMPLATES_READ", 100000))
BYTES_MOST = 1024  # of the kernel's memory for a client
GROWS_MOST = (8 << 20) + 80 * N  # of lbd-ipvs while it clears: the entries as messages of 36 bytes, in a buffer that doubles
IN_A_BUCKET = 4  # above it doctor says that the table is small


def memory(path, what):
    """Bytes that a line of /proc tells."""
    return next(int(x.split()[1]) << 10 for x in pathlib.Path(path).read_text().splitlines() if x.startswith(what + ":"))


def timed(what, f):
    begin = time.monotonic()
    got = f()
    print(f"{what}: {time.monotonic() - begin:.1f} s", flush=True)
    return got


class Kept:
    """A service with persistence whose kernel keeps N clients at two servers, and those of the lab's own two clients."""

    def __init__(self, lab, lb, inject):
        self.lab, self.lb, self.inject = lab, lb, inject
        for s in lab.servers:
            s.dr()
            s.listen(80)
        lb.ctl("create", "vip", "web", f"address={VIP}", "ports=80", "mode=dr", "scheduler=rr", "persistence=source", "persist_timeout=2h")
        for s in lab.servers:
            lb.ctl("create", "rip", f"web/{s.host}", f"address={s.address}")
        wait_until(lambda: None not in lab.spread(2), 20, "the service")
        first, second = lab.clients
        own = next(iter(lab.spread(1, client=first)))  # by a connection, the other by what was injected
        other = next(s for s in lab.servers if s.host != own)
        self.send(1, other, int(ipaddress.ip_address(second.address)))
        self.where = {first: own, second: other.host}

    def send(self, n, server, first):
        self.inject.send(n, VIP, server.address, flags=TEMPLATE, state=0, left=7000, cport=0, first=first)

    def fill(self):
        """Bytes of the kernel for each."""
        slab, part = memory("/proc/meminfo", "Slab"), N // 10
        for tenth in range(10):
            begin = time.monotonic()
            self.send(part, self.lab.servers[tenth % 2], 0x14000000 + tenth * part)
            if tenth in (0, 9):
                print(f"\ntenth {tenth + 1}: {part / (time.monotonic() - begin):.0f} templates a second", flush=True)
        wait_until(lambda: self.count() == N + 2, 60, "the kernel has all")
        return (memory("/proc/meminfo", "Slab") - slab) / N

    def count(self):
        """As the kernel counts them."""
        lines = self.lab.node.run("ipvsadm", "-Ln", "--persistent-conn").stdout.splitlines()
        return sum(int(x.split()[3]) for x in lines if x.startswith("  -> 10."))

    def rows(self, *args):
        return self.lb.json("persist", "list", "web", *args, "--timeout", "1h")


@pytest.fixture()
def kept(lab, closing, tmp_path):
    lab = lab(servers=2, clients=2)
    lb = closing(lab.lbd(tmp_path, "lbd-ipvs", "lbd-ha"))
    lb.start()
    return Kept(lab, lb, closing(Inject(lab.node)))


def test_many_clients(kept):
    """S092: the kernel keeps many clients at their servers in bounded memory each; clients of the network find theirs among them;
    lbd-ipvs shows and clears them without growing; doctor tells when the kernel's table is small for them."""
    each = kept.fill()
    bits = int(pathlib.Path("/sys/module/ip_vs/parameters/conn_tab_bits").read_text())
    print(f"{N} templates: {each:.0f} bytes each, {N / (1 << bits):.1f} in a bucket")
    assert 100 < each < BYTES_MOST
    for client, server in kept.where.items():  # without what is kept they would go to both
        assert set(kept.lab.spread(4, client=client)) == {server}

    def finding():
        found = json.loads(kept.lb.ctl("doctor", "-v", "-o", "json", check=False).stdout)
        return next((f for f in found if f["name"] == "connections" and int(f["finding"].split()[0]) >= N), None)
    # lbd-ipvs counts now and then: what it says may be of the time before they came in, or while they did
    table = wait_until(finding, 60, "all are counted")
    assert (table["status"] == "warning") == (N + 2 > IN_A_BUCKET << bits) == ("conn_tab_bits=" in (table["fix"] or "")), table

    status = f"/proc/{kept.lb.pid('lbd-ipvs')}/status"
    pathlib.Path(status).with_name("clear_refs").write_text("5")  # VmHWM begins anew
    before = memory(status, "VmRSS")
    some = timed("1000 rows", lambda: kept.rows("-n", "1000"))
    assert len(some) == 1000 and {r["rip"] for r in some} <= {"web/s1", "web/s2"}
    if N <= ALL_READ:
        client, server = list(kept.where.items())[1]
        one, = timed("one client found", lambda: kept.rows("--client", client.address))
        assert (one["rip"], one["client"]) == (f"web/{server}", client.address)
        assert len(timed("all rows", lambda: kept.rows("-n", "1000000"))) == N + 2
        # the lab's clients may have connections open; then theirs stay, and it says so
        timed("all cleared", lambda: kept.lb.ctl("persist", "clear", "web", "-y", "--timeout", "1h", check=False))
        wait_until(lambda: kept.count() <= 2, 30, f"they go, {kept.count()} are left")
    grown = memory(status, "VmHWM") - before
    print(f"lbd-ipvs has {before >> 10} KiB, at most {grown >> 10} KiB more meanwhile, {memory(status, 'VmRSS') - before >> 10} KiB more after it")
    assert grown < GROWS_MOST
