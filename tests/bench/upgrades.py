#!/usr/bin/env python3
"""upgrades: lbd-proxy is replaced again and again while the configuration changes, under load; or thousands of services come and go.

    LBD_BIN=build/bin python3 tests/bench/upgrades.py [--upgrades 100] [--changes 1000]
    LBD_BIN=build/bin python3 tests/bench/upgrades.py --services 5000

Three nginx as real servers, wrk on an HTTP and a TCP service the whole time (connections kept, and one for each request), beside them one TCP connection that is used after
each step and one download that is read a piece at a time: both last from the first step to the last. Prints requests, failed
requests and socket errors, how long one upgrade takes, and resident memory. Exit 1 when anything failed, was reset or refused,
when a counter went back, a stream broke, or memory grew by 10 %. With --services the process must be the same at the end, and
memory must not grow by 2 % in the second half."""
import argparse
import contextlib
import json
import pathlib
import socket
import statistics
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(HERE.parent))
from churn import Load, change, demo, pid_and_rss  # noqa: E402

HELD, DOWN, BATCH = "127.0.0.83", "127.0.0.84", 100
PIECE, PIECES = 65536, 4000


class Streams:
    """An echo server and one that sends a long answer, and a client of each through lbd-proxy."""

    def __init__(self, d):
        self.read = 0
        self.listeners = [self.serve(self.echo), self.serve(self.send)]
        for name, address, listener, mode in (("held", HELD, 0, "tcp"), ("down", DOWN, 1, "http")):
            more = ("client_timeout=1h", "server_timeout=1h") if mode == "http" else ("tunnel_timeout=1h",)
            d.lbctl("create", "vip", name, f"address={address}", "ports=8085", f"mode={mode}", *more)  # nothing moves for long
            d.lbctl("create", "rip", f"{name}/a", "address=127.0.0.1", f"port={self.listeners[listener].getsockname()[1]}")
        self.held, self.down = None, None
        end = time.monotonic() + 30
        while not self.begin() and time.monotonic() < end:  # the proxy hears of a service before it hears of its server
            time.sleep(0.05)

    def begin(self):
        """Both, served."""
        try:
            self.held, self.down = (socket.create_connection((a, 8085), 30) for a in (HELD, DOWN))
            self.answer()
            self.down.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.buf = b""
            while b"\r\n\r\n" not in self.buf:
                more = self.down.recv(4096)
                if not more:
                    return False
                self.buf += more
        except OSError:
            return False
        head, _, self.buf = self.buf.partition(b"\r\n\r\n")
        return b" 200 " in head

    @staticmethod
    def serve(handle):
        listener = socket.create_server(("127.0.0.1", 0))

        def run():
            while True:
                c, _ = listener.accept()
                threading.Thread(target=handle, args=(c,), daemon=True).start()
        threading.Thread(target=run, daemon=True).start()
        return listener

    @staticmethod
    def echo(c):
        with c, contextlib.suppress(OSError):
            while data := c.recv(65536):
                c.sendall(data)

    @staticmethod
    def send(c):
        with c, contextlib.suppress(OSError):  # probes leave at once
            c.recv(65536)
            c.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {PIECE * PIECES}\r\n\r\n".encode())
            for i in range(PIECES):
                c.sendall(bytes([i % 251]) * PIECE)

    def piece(self):
        """Reads the next one; OSError when it does not come whole and right."""
        while len(self.buf) < PIECE:
            got = self.down.recv(65536)
            if not got:
                raise OSError("the download ended")
            self.buf += got
        if self.buf[:PIECE] != bytes([self.read % 251]) * PIECE:
            raise OSError("other bytes")
        self.buf = self.buf[PIECE:]
        self.read += 1

    def answer(self):
        """The echo of the TCP connection; OSError when it does not come."""
        self.held.sendall(b"still here")
        got = b""
        while len(got) < 10:
            more = self.held.recv(100)
            if not more:
                raise OSError("the TCP connection ended")
            got += more
        if got != b"still here":
            raise OSError(f"the TCP connection answered {got[:40]}")

    def broken(self, pieces=1):
        """What does not go on, in words; None when both do."""
        try:
            self.answer()
            for _ in range(pieces):
                self.piece()
        except OSError as e:
            return f"{e or type(e).__name__} (after {self.read} pieces)"
        return None

    def finish(self):
        """What breaks in the rest of the download."""
        return self.broken(PIECES - self.read)


def counters(d):
    return {r["name"]: r["requests_total"] for r in json.loads(d.lbctl("-o", "json", "stats"))}


def proxies(root):
    """Resident KiB of all processes of lbd-proxy of this root folder."""
    out = {}
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (p / "comm").read_text() == "lbd-proxy\n" and str(root) in (p / "cmdline").read_text():
                out[int(p.name)] = int((p / "status").read_text().split("VmRSS:")[1].split()[0])
        except (OSError, IndexError):
            pass
    return out


def replace(d, args):
    """Changes, and an upgrade after each few of them."""
    streams, took, rss, before = Streams(d), [], [], {}
    rises, broken = True, None
    every = max(1, args.changes // args.upgrades)
    for i in range(max(args.changes, args.upgrades)):
        if i < args.changes:
            change(d, i)
        if i % every == 0 and len(took) < args.upgrades:
            start = time.monotonic()
            d.lbctl("upgrade")
            took.append(time.monotonic() - start)
            rss.append(pid_and_rss(d, "lbd-proxy")[1])
            now = counters(d)
            broken = broken or (w := streams.broken()) and f"{w} at upgrade {len(took)}"
            rises &= all(now.get(k, v) >= v for k, v in before.items() if k in ("web", "tcp", "held", "down"))
            before = now
    most = len(proxies(d.root))
    broken = broken or streams.finish()
    streams.held.close()
    streams.down.close()
    q = max(1, len(rss) // 4)
    first, last = statistics.mean(rss[:q]), statistics.mean(rss[-q:])
    print(f"{args.changes} changes, {len(took)} upgrades: {1000 * statistics.median(took):.0f} ms each (median; lbctl's start is in "
          f"it), {1000 * max(took):.0f} ms at most")
    print(f"one TCP connection and one download of {PIECE * PIECES >> 20} MB over all of them: "
          f"{f'BROKEN: {broken}' if broken else 'whole'}; counters never went back: {'yes' if rises else 'NO'}")
    print(f"resident KiB of a new process just after it took over: {first:.0f} (first quarter), {last:.0f} (last quarter); "
          f"{most} processes while streams and load last")
    return not broken and rises and last <= first * 1.1


def alone(d):
    """Old processes end once their clients have left."""
    end = time.monotonic() + 30
    while len(proxies(d.root)) > 1 and time.monotonic() < end:
        time.sleep(0.1)
    print(f"processes of lbd-proxy at the end: {len(proxies(d.root))}")
    if len(proxies(d.root)) > 1:
        print(d.lbctl("status", check=False))
    return len(proxies(d.root)) == 1


def come_and_go(d, args):
    """Services in batches: made, answered by, deleted."""
    pid, rss = pid_and_rss(d, "lbd-proxy")
    good, seen, done, port = True, [], 0, demo.SERVERS["web1"]
    file = d.dir / "batch.yaml"
    while done < args.services:
        names = [f"s{i}" for i in range(done, done + BATCH)]
        file.write_text("vip:\n" + "".join(
            f"  {n}:\n    address: 127.1.{i // 200}.{1 + i % 200}\n    ports: 8086\n    mode: {'http' if i % 2 else 'tcp'}\n"
            f"    rips:\n      a: {{address: 127.0.0.1, port: {port}}}\n" for i, n in enumerate(names)))
        d.lbctl("apply", "-f", file)
        for i in (0, BATCH // 2 + 1, BATCH - 1):
            with socket.create_connection((f"127.1.{i // 200}.{1 + i % 200}", 8086), 10) as s:
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                good &= b" 200 " in s.recv(1000)
        d.lbctl("delete", "vip", *names, "--cascade", "-y")
        done += BATCH
        seen.append(pid_and_rss(d, "lbd-proxy")[1])
    end = pid_and_rss(d, "lbd-proxy")
    half = seen[(len(seen) - 1) // 2]  # SQLite's cache is full by then
    print(f"{done} services made and deleted, {BATCH} at a time: process {pid} -> {end[0]}; resident {rss} KiB before, "
          f"{half} at half time, {seen[-1]} at the end; on the way {seen[::max(1, len(seen) // 8)]}")
    return good and end[0] == pid and seen[-1] <= half * 1.02


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--changes", type=int, default=1000)
    ap.add_argument("--upgrades", type=int, default=100)
    ap.add_argument("--services", type=int, default=0)
    args = ap.parse_args()
    if not args.services and (args.upgrades < 1 or args.changes < 0):
        ap.error("--upgrades: at least 1; --changes: at least 0")
    d = demo.Demo()
    good, loads = True, {}
    try:
        d.start()
        close = ("-H", "Connection: close")
        loads = {"http, kept": Load(f"http://{demo.WEB}:8080/"), "http, closed": Load(f"http://{demo.WEB}:8080/", *close),
                 "tcp, held": Load(f"http://{demo.TCP}:8081/"), "tcp, closed": Load(f"http://{demo.TCP}:8081/", *close)}
        start = time.monotonic()
        good &= come_and_go(d, args) if args.services else replace(d, args)
        under_load = all(x.p.poll() is None for x in loads.values())
        for name, load in loads.items():
            good &= load.finish()
            print(f"{name}: {load.text()}")
        good &= under_load and alone(d)
        print(f"{time.monotonic() - start:.0f} s, load on all the time: {'yes' if under_load else 'NO'}")
        print("upgrades: ok" if good else "upgrades: FAILED")
    finally:
        for load in loads.values():
            if load.p.poll() is None:
                load.p.kill()
        d.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
