#!/usr/bin/env python3
"""churn: rolling drain of every server under load, then N configuration changes in a row under load.

    LBD_BIN=build/bin python3 tests/bench/churn.py [--changes 1000]

Three nginx as real servers, an HTTP and a TCP service, wrk on both the whole time. Prints requests, failed
requests and socket errors of both loads, process ids and resident memory before, between and after. Exit 1 when
anything failed, was reset or refused, when lbd-proxy's process id changed, or when its memory grew by 10 %."""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[2] / "packaging"))
import demo  # noqa: E402  the same three servers and two services that a person sees


class Load:
    """wrk on one service, 40 connections, until it is interrupted."""

    def __init__(self, url, *more):
        self.p = subprocess.Popen(["wrk", "-t1", "-c40", "-d3600s", "--timeout", "10s", *more, url],
                                  stdout=subprocess.PIPE, text=True)

    def finish(self):
        self.p.send_signal(signal.SIGINT)
        out = self.p.communicate()[0]
        self.requests = int(re.search(r"(\d+) requests in", out)[1])
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        self.bad = int(bad[1]) if bad else 0
        m = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
        self.errors = [int(x) for x in m.groups()] if m else [0, 0, 0, 0]
        return self.bad == 0 and sum(self.errors) == 0

    def text(self):
        return (f"{self.requests} requests, {self.bad} failed; connect, read, write, timeout errors: "
                f"{self.errors}")


def pid_and_rss(d, daemon):
    import json
    rows = json.loads(d.lbctl("-o", "json", "status", check=False))["daemons"]
    row = next(r for r in rows if r["name"] == daemon)
    status = pathlib.Path(f"/proc/{row['pid']}/status").read_text()
    return row["pid"], int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def rolling_drain(d):
    for name in demo.SERVERS:
        for vip in ("web", "tcp"):
            d.lbctl("drain", f"{vip}/{name}")
        time.sleep(0.3)
        for vip in ("web", "tcp"):
            d.lbctl("online", f"{vip}/{name}")


def change(d, i):
    """Eight kinds of change in turn; every eight of them end where they began."""
    port = demo.SERVERS["web1"]
    kind = i % 8
    vip = ("web", "tcp")[i // 8 % 2]
    if kind == 0:
        d.lbctl("create", "rip", f"{vip}/extra", "address=127.0.0.3", f"port={port}", "weight=50")
    elif kind == 1:
        d.lbctl("set", "rip", f"{vip}/extra", f"weight={1 + i % 200}")
    elif kind == 2:
        d.lbctl("set", "rip", f"{vip}/web2", f"weight={1 + i % 150}")
    elif kind == 3:
        d.lbctl("create", "vip", "other", "address=127.0.0.82", f"ports={20000 + i % 5000}", "mode=tcp")
    elif kind == 4:
        d.lbctl("create", "rip", "other/a", "address=127.0.0.1", f"port={port}")
    elif kind == 5:
        d.lbctl("set", "vip", vip, f"scheduler={'wlc' if i % 16 < 8 else 'wrr'}")
    elif kind == 6:
        d.lbctl("delete", "vip", "other", "--cascade", "-y")
    else:
        d.lbctl("delete", "rip", f"{vip}/extra", "-y")


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--changes", type=int, default=1000)
    args = ap.parse_args()
    d = demo.Demo()
    good = True
    try:
        d.start()
        pid, rss = pid_and_rss(d, "lbd-proxy")
        loads = [Load(f"http://{demo.WEB}:8080/"), Load(f"http://{demo.TCP}:8081/")]
        time.sleep(1)
        rolling_drain(d)
        warm = pid_and_rss(d, "lbd-proxy")[1]
        start = time.monotonic()
        for i in range(args.changes):
            change(d, i)
        took = time.monotonic() - start
        under_load = all(x.p.poll() is None for x in loads)
        end_pid, end_rss = pid_and_rss(d, "lbd-proxy")
        for name, load in zip(("http", "tcp"), loads):
            good &= load.finish()
            print(f"{name}: {load.text()}")
        flat = end_rss <= warm * 1.1
        good &= pid == end_pid and flat and under_load
        print(f"rolling drain of {len(demo.SERVERS)} servers, then {args.changes} changes in {took:.1f} s "
              f"({1000 * took / args.changes:.0f} ms each), load on all the time: {'yes' if under_load else 'NO'}")
        print(f"lbd-proxy: process {pid} -> {end_pid}; resident {rss} KiB at start, {warm} warm, {end_rss} after")
        print("churn: ok" if good else "churn: FAILED")
    finally:
        d.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
