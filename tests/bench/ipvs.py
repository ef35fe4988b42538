#!/usr/bin/python3
"""What it costs to bring a table of IPVS into the kernel, to change it, and to read it: lbd against ipvsadm and keepalived.

    tests/kernel/run --limit 900 -- tests/bench/ipvs.py [--services 5000] [--servers 10] [--rounds 1] [--without keepalived]

All in one boot, in turn, of the same table: SERVICES services by address with SERVERS servers each, wlc, direct routing. One
line a figure: wall clock, user and system seconds of the process (keepalived: with its children), and the ratio lbd / peer of
user and system together and of wall clock; below 1 lbd costs less. With ipvs_kernel.c, which is apply/reconcile without a daemon;
--daemon measures lbd-ipvs itself too, from the start of the process until the kernel has all.

Each program starts from an empty kernel. keepalived counts as done when the kernel has all servers; the table is counted in
/proc/net/ip_vs, seldom, and by this process. Goals: at most half of either for programming, less than ipvsadm for reading."""
import argparse
import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
BIN = pathlib.Path(os.environ.get("LBD_BIN", BUILD / "bin"))
PEERS = "ipvsadm", "keepalived"


def address(first, i):
    return f"{first}.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


def table(services, servers):
    """(virtual address, its servers' addresses) for each service."""
    for i in range(services):
        yield address(100, i + 1), [address(10, i * servers + k + 1) for k in range(servers)]


def restore(services, servers):
    for vip, rips in table(services, servers):
        yield f"-A -t {vip}:80 -s wlc\n"
        for r in rips:
            yield f"-a -t {vip}:80 -r {r}:80 -g -w 100\n"


def keepalived_conf(services, servers):
    yield "global_defs {\n  router_id bench\n}\n"
    for vip, rips in table(services, servers):
        yield f"virtual_server {vip} 80 {{\n  lb_algo wlc\n  lb_kind DR\n  protocol TCP\n"
        for r in rips:
            yield f"  real_server {r} 80 {{\n    weight 100\n  }}\n"
        yield "}\n"


def stored(services, servers):
    """The same as a document for lbctl apply."""
    return json.dumps({"vip": {f"v{i}": {
        "address": vip, "ports": "80", "mode": "dr", "scheduler": "wlc",
        "rips": {f"r{k}": {"address": r, "weight": 100} for k, r in enumerate(rips)}}
        for i, (vip, rips) in enumerate(table(services, servers))}})


def there():
    """Services and servers in the kernel."""
    lines = pathlib.Path("/proc/net/ip_vs").read_text().splitlines()[3:]
    servers = sum(x.startswith("  ->") for x in lines)
    return len(lines) - servers, servers


class Clock:
    """with Clock() as c: ...; c.wall, c.user, c.system of the children that were waited for meanwhile."""

    def __enter__(self):
        self.wall, u = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        self.user, self.system = u.ru_utime, u.ru_stime
        return self

    def __exit__(self, *_):
        u = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.wall, self.user, self.system = (time.monotonic() - self.wall, u.ru_utime - self.user, u.ru_stime - self.system)

    def cost(self):
        return {"wall": self.wall, "user": self.user, "system": self.system}


def run(*cmd, **kw):
    with Clock() as c:
        subprocess.run([str(x) for x in cmd], check=True, stdout=subprocess.DEVNULL, **kw)
    return c.cost()


def tree_cost(pid):
    """User and system seconds of a process that runs, and of its children."""
    pids, total, tick = [pid], [0, 0], os.sysconf("SC_CLK_TCK")
    for p in pids:
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()
            total = [t + int(w) / tick for t, w in zip(total, words[11:13])]
            for t in os.listdir(f"/proc/{p}/task"):
                pids += map(int, pathlib.Path(f"/proc/{p}/task/{t}/children").read_text().split())
    return total


def until_full(process, size, limit=600):
    """Waits until the kernel has size = (services, servers); the cost so far. Looks seldom: looking costs too."""
    began = time.monotonic()
    while there() != size:
        if process.poll() is not None:
            sys.exit(f"bench: {process.args[0]} ended with {process.returncode}")
        if time.monotonic() - began > limit:
            sys.exit(f"bench: {process.args[0]}: {there()} of {size} after {limit} s")
        time.sleep(1)
    wall = time.monotonic() - began
    user, system = tree_cost(process.pid)
    return {"wall": wall, "user": user, "system": system}


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.figures = args, pathlib.Path(folder), {}
        self.size = args.services, args.services * args.servers

    def add(self, what, who, cost):
        self.figures.setdefault(what, {}).setdefault(who, []).append(cost)
        print(f"  {what:<22}{who:<12}" + "  ".join(f"{k} {v:9.3f}" for k, v in cost.items()), file=sys.stderr, flush=True)

    def lbd(self):
        for phases in ["program", "change", "change", "storm"], ["read"], ["adopt", "remove"]:
            out = subprocess.run([BUILD / "bench/ipvs_kernel", self.folder, str(self.args.services), str(self.args.servers), *phases],
                                 check=True, capture_output=True, text=True)
            for line in out.stdout.splitlines():
                c = json.loads(line)
                self.add(c.pop("phase"), "lbd", c)

    def daemon(self):
        root = self.folder / "root"
        if not root.exists():
            subprocess.run([BIN / "lbctl", "-q", "--root", root, "apply", "-f", "-"], check=True, text=True,
                           input=stored(self.args.services, self.args.servers))
        with open(self.folder / "daemon.log", "ab") as log:
            p = subprocess.Popen([BIN / "lbd-ipvs", "-f", "--root", root], stdout=log, stderr=log)
        try:
            self.add("program", "lbd-ipvs", until_full(p, self.size))
        finally:
            p.send_signal(signal.SIGTERM)
            p.wait(60)

    def ipvsadm(self):
        with open(self.folder / "restore") as f:
            self.add("program", "ipvsadm", run("ipvsadm", "--restore", stdin=f))
        assert there() == self.size
        self.add("change", "ipvsadm", run("ipvsadm", "-e", "-t", "100.0.0.1:80", "-r", "10.0.0.1:80", "-g", "-w", "7"))
        self.add("read", "ipvsadm", run("ipvsadm", "-Ln"))

    def keepalived(self):
        with open(self.folder / "keepalived.log", "ab") as log:
            p = subprocess.Popen(["keepalived", "-n", "-C", "-l", "-f", self.folder / "keepalived.conf", "-p", self.folder / "k.pid",
                                  "-c", self.folder / "kc.pid"], stdout=log, stderr=log)
        try:
            self.add("program", "keepalived", until_full(p, self.size))
        finally:
            p.send_signal(signal.SIGTERM)
            p.wait(120)

    def round(self):
        for name in "lbd", *(p for p in PEERS if p not in self.args.without), *(["daemon"] if self.args.daemon else []):
            subprocess.run(["ipvsadm", "-C"], check=True)
            getattr(self, name)()
        subprocess.run(["ipvsadm", "-C"], check=True)

    def report(self):
        def best(costs):
            return min(costs, key=lambda c: c["user"] + c["system"])
        print(f"{self.args.services} services x {self.args.servers} servers; seconds; ratio lbd / peer")
        print(f"{'':<12}{'':<12}{'wall':>9}{'user':>9}{'system':>9}{'ratio cpu':>11}{'ratio wall':>12}")
        for what, by in self.figures.items():
            lbd = best(by["lbd"])
            for who, costs in by.items():
                c = best(costs)
                line = f"{what:<12}{who:<12}" + "".join(f"{c[k]:9.3f}" for k in ("wall", "user", "system"))
                if who != "lbd":
                    cpu = c["user"] + c["system"]
                    line += f"{(lbd['user'] + lbd['system']) / cpu if cpu else 0:11.2f}{lbd['wall'] / c['wall']:12.2f}"
                print(line + "".join(f"  {k} {v}" for k, v in c.items() if k not in ("wall", "user", "system")))


def build():
    """ipvs_kernel, by make's own objects; on the host, because compiling in the guest takes long."""
    out = BUILD / "bench/ipvs_kernel"
    out.parent.mkdir(parents=True, exist_ok=True)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libnl-genl-3.0"], check=True, capture_output=True, text=True).stdout
    subprocess.run(["make", "-s", f"BUILD={BUILD}", f"{BUILD}/liblbd-ipvs.a", f"{BUILD}/liblbd.a"], cwd=ROOT, check=True)
    subprocess.run(["gcc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Icommon", "-iquote", "lbd-ipvs", "-o", out,
                    "tests/bench/ipvs_kernel.c", f"{BUILD}/liblbd-ipvs.a", f"{BUILD}/liblbd.a", *flags.split(),
                    "-levent_core", "-levent_pthreads", "-lpthread"], cwd=ROOT, check=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--services", type=int, default=5000)
    p.add_argument("--servers", type=int, default=10)
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--without", nargs="*", default=[], choices=PEERS)
    p.add_argument("--daemon", action="store_true", help="lbd-ipvs itself too")
    p.add_argument("--build", action="store_true", help="only compile what is measured")
    args = p.parse_args()
    if args.build:
        return build()
    if not (BUILD / "bench/ipvs_kernel").exists():
        sys.exit("bench: first, on the host: tests/bench/ipvs.py --build")
    subprocess.run(["modprobe", "-a", "ip_vs", "ip_vs_wlc"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, folder)
        for name, lines in ("restore", restore), ("keepalived.conf", keepalived_conf):
            (bench.folder / name).write_text("".join(lines(args.services, args.servers)))
        for _ in range(args.rounds):
            bench.round()
        bench.report()


main()
