#!/usr/bin/python3
"""What a transaction costs the node in each way of forwarding (S082): direct routing, NAT, tunnel, layer 4 SNAT and layer 7, on one
network, with one kernel, in one run.

    tests/kernel/run --memory 1500 -- /usr/bin/python3 tests/bench/modes.py [--rounds 3] [--seconds 4]

Every machine of the network is a namespace of one kernel, so no clock tells the node's share alone. Hence the same transactions are
first made without the node (client, router, server): what a way costs more than that is the node's. A transaction is a connection
with one small HTTP request (close), or a request on a connection that stays (keep). Processor time is that of the whole kernel."""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in "tests/system", "tests/kernel":
    sys.path.insert(0, str(ROOT / folder))
from lab import VIP, Lab  # noqa: E402
from lbdtest import wait_until  # noqa: E402

NGINX = """daemon off; master_process off; pid {pid}; error_log stderr crit; events {{ worker_connections 512; }}
http {{ access_log off; keepalive_requests 1000000; {temp}
server {{ listen 80; location / {{ return 200 "{name}\\n"; }} }} }}
"""
WAYS = {  # how the service is made, and what the servers need
    "dr": (["mode=dr"], "dr"),
    "nat": (["mode=nat"], "nat"),
    "tun": (["mode=tun"], "tun"),
    "snat": (["mode=snat"], None),
    "tcp": (["mode=tcp"], None),
    "http": (["mode=http"], None),
}


def busy():
    """Processor seconds of everything so far."""
    f = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return (sum(f) - f[3] - f[4]) / os.sysconf("SC_CLK_TCK")


def nginx(host, folder):
    temp = " ".join(f"{k}_temp_path {folder}/{host.host}-{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = folder / f"{host.host}.conf"
    conf.write_text(NGINX.format(temp=temp, name=host.host, pid=folder / f"{host.host}.pid"))
    return subprocess.Popen([*host.prefix, "nginx", "-e", "stderr", "-p", folder, "-c", conf])


def load(client, target, seconds, keep):
    """Processor seconds per transaction and the number of transactions; errors end the bench."""
    head = [] if keep else ["-H", "Connection: close"]
    before = busy()
    out = subprocess.run([*client.prefix, "wrk", "-t1", "-c8", f"-d{seconds}s", *head, f"http://{target}/"], capture_output=True,
                         text=True, timeout=seconds + 60).stdout
    spent = busy() - before
    n = int(re.search(r"(\d+) requests in", out)[1])
    if n == 0 or re.search(r"Non-2xx|Socket errors: connect [1-9]", out):
        raise SystemExit(f"{target}: {out}")
    return spent / n, n


def prepare(lab, lb, way):
    """The one service, this way; the servers as that way needs them."""
    fields, server = WAYS[way]
    lb.ctl("delete", "vip", "web", "--cascade", "-y", check=False)
    for s in lab.servers:
        s.gateway("10.0.2.254", "fd00:2::254")
        s.run("ip", "addr", "del", f"{VIP}/32", "dev", "lo", check=False)
        if server:
            getattr(s, server)()
    lb.ctl("create", "vip", "web", f"address={VIP}", "ports=80", *fields)
    for s in lab.servers:
        lb.ctl("create", "rip", f"web/{s.host}", f"address={s.address}", "port=80")
    wait_until(lambda: lab.client.run("curl", "-sf", "-m", "2", f"http://{VIP}/", check=False).returncode == 0, 60, f"{way} serves")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--seconds", type=int, default=4)
    a = a.parse_args()
    cost = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        lab = Lab(servers=2)
        servers = [nginx(s, folder) for s in lab.servers]
        lb = lab.lbd(folder / "lbd", "lbd-ha", "lbd-ipvs", "lbd-proxy")
        try:
            lb.start()
            wait_until(lambda: lab.client.run("curl", "-sf", f"http://{lab.servers[0].address}/", check=False).returncode == 0, 30, "nginx serves")
            for _ in range(a.rounds):
                for keep in False, True:
                    cost.setdefault(("direct", keep), []).append(load(lab.client, lab.servers[0].address, a.seconds, keep)[0])
                for way in WAYS:
                    prepare(lab, lb, way)
                    for keep in False, True:
                        cost.setdefault((way, keep), []).append(load(lab.client, VIP, a.seconds, keep)[0])
        finally:
            lb.stop()
            for p in servers:
                p.terminate()
                p.wait()
            lab.close()
    show(cost, a)


def show(cost, a):
    middle = {k: statistics.median(v) for k, v in cost.items()}
    print(f"# {a.rounds} rounds of {a.seconds} s, 8 connections; medians; us of processor per transaction, spread in percent")
    print("way     close  spread   node's   per s     keep  spread   node's   per s")
    for way in ["direct", *WAYS]:
        line = f"{way:6s}"
        for keep in False, True:
            got, more = middle[way, keep], middle[way, keep] - middle["direct", keep]
            spread = (max(cost[way, keep]) - min(cost[way, keep])) / got * 100
            line += f" {got * 1e6:7.0f} {spread:6.0f}  " + (f"{more * 1e6:7.0f} {1 / more if more > 0 else 0:7.0f}  " if way != "direct" else " " * 17)
        print(line.rstrip())


if __name__ == "__main__":
    main()
