#!/usr/bin/env python3
"""scale: a store of N services with M servers each: import, one change until it is in force, memory.

    LBD_BIN=build/bin python3 tests/bench/scale.py [--vips 10000] [--rips 10] [--sets 20]

The services listen on 127.0.0.0/8; the servers do not exist and are not checked (check kind none), since what is
measured is the configuration. lbd-proxy gets one thread, so that a listener costs one descriptor."""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ.get("LBD_BIN", "build/bin")).resolve()


def yaml_of(vips, rips):
    out = ["check: {none: {kind: none}}", "setting: {threads: 1, https_port: 19443, http_port: 19080}", "vip:"]
    for v in range(vips):
        out.append(f"  v{v}:\n    address: 127.{64 + v // 250 // 250}.{v // 250 % 250}.{1 + v % 250}\n    ports: 8000\n"
                   f"    mode: tcp\n    check: none\n    rips:")
        out += [f"      r{r}: {{address: 10.{r}.{v // 250}.{1 + v % 250}, port: 80}}" for r in range(rips)]
    return "\n".join(out) + "\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--vips", type=int, default=10000)
    ap.add_argument("--rips", type=int, default=10)
    ap.add_argument("--sets", type=int, default=20)
    args = ap.parse_args()
    root = pathlib.Path(tempfile.mkdtemp(prefix="lbd-scale."))
    lbctl = [BIN / "lbctl", "--root", root]
    run = None

    def call(*words, check=True):
        start = time.monotonic()
        r = subprocess.run([*lbctl, *words], capture_output=True, text=True)
        if check and r.returncode != 0:
            raise SystemExit(f"scale: lbctl {' '.join(map(str, words))}: exit {r.returncode}: {r.stderr}")
        return time.monotonic() - start, r.stdout

    try:
        f = root / "big.yaml"
        f.write_text(yaml_of(args.vips, args.rips))
        print(f"{args.vips} services x {args.rips} servers, {f.stat().st_size / 1e6:.1f} MB of YAML")
        print(f"import (lbctl apply, whole process)        {call('apply', '-f', f)[0]:.2f} s")
        print(f"the same again (no difference)             {call('apply', '-f', f)[0]:.2f} s")
        took, text = call("export")
        print(f"export                                     {took:.2f} s, {len(text) / 1e6:.1f} MB")
        run = subprocess.Popen([*lbctl, "run"], stdout=subprocess.DEVNULL, stderr=open(root / "log", "wb"))
        def status():
            return json.loads(call("-o", "json", "status", check=False)[1])

        end = time.monotonic() + 120
        while True:
            now = status()  # lbd-web adds a revision of its own: the first user
            ready = [d for d in now["daemons"] if d.get("revision") == now["revision"]]
            if len(ready) == 4:
                break
            if time.monotonic() > end:
                raise SystemExit("scale: daemons did not come up: " + (root / "log").read_text()[-3000:])
            time.sleep(0.2)
        print(f"start until all four daemons have it        {120 - (end - time.monotonic()):.1f} s")
        whole = [call("set", "vip", "v17", f"tunnel_timeout={30 + i}s")[0] for i in range(args.sets)]
        print(f"lbctl set until in force in every daemon    {1000 * statistics.median(whole):.0f} ms median, "
              f"{1000 * max(whole):.0f} worst (whole process of lbctl, with loading and checking the store)")
        for d in status()["daemons"]:
            if d.get("pid"):
                rss = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{d['pid']}/status").read_text())[1])
                print(f"resident {d['name']:<10}                        {rss / 1024:.1f} MiB")
        print(f"config.db                                   "
              f"{(root / 'var/lib/lbd/config.db').stat().st_size / 1e6:.1f} MB")
    finally:
        if run is not None:
            run.send_signal(signal.SIGTERM)
            run.wait(60)
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
