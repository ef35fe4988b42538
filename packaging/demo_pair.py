#!/usr/bin/env python3
"""demo_pair: two nodes of lbd as a pair, three web servers and a client that asks all the time, each in a network namespace.

    make demo PAIR=1          shows both nodes and what the client gets, until q or Ctrl-C; one key kills a node
    make demo PAIR=1 ONCE=1   without a terminal: failover by order and back, node 1 killed and started again; prints the
                              gaps; exit 0 when no request failed but at the kill, and that gap was below 3 s; else 1

Needs root, for the namespaces. Nothing outside of them and of one folder is changed; both go at the end.

A request is a GET on a connection of its own. One that is reset is sent once more on a new connection, as browsers do with
a GET: a node that is lost takes its connections with it. "again" counts these; a request has failed when the second try
was in vain too. Planned changes need neither.
"""
import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tty

import demo

VIP = "10.9.0.100"
NODES = (1, 2)
SERVERS = {"web1": "10.9.0.21", "web2": "10.9.0.22", "web3": "10.9.0.23"}
CLIENTS = ("10.9.0.9", "10.9.0.10", "10.9.0.11")
PATIENCE = 5.0  # seconds for the daemons to finish what clients have under way, at the end
GAP_MOST = 3.0  # seconds, of a node that is killed
KEYS = "k1 k2 kill a node (kill -9 of all its daemons)   s1 s2 start it again   f failover   q quit"

CONFIG = f"""
check:
  page: {{{{kind: http, path: /health, interval: 500ms, timeout: 400ms, rise: 2, fall: 2}}}}
vip:
  web:
    address: {VIP}
    ports: 80
    mode: http
    scheduler: wrr
    persistence: source
    check: page
    rips:
{{rips}}"""


class Client:
    """Threads in the client's namespace; each has an address of its own and asks a hundred times a second."""

    def __init__(self, netns):
        self.netns, self.lock, self.going = netns, threading.Lock(), True
        self.ok = self.failed = self.again = self.moved = 0
        self.server = {}
        self.last = time.monotonic()
        self.gap = 0.0  # longest time without an answer to anybody
        self.threads = [threading.Thread(target=self.ask_on, args=(a,), daemon=True) for a in CLIENTS]
        for t in self.threads:
            t.start()

    def mark(self):
        """What happened since the last mark; begins anew."""
        with self.lock:
            gap = max(self.gap, time.monotonic() - self.last)
            out = {"ok": self.ok, "failed": self.failed, "again": self.again, "moved": self.moved, "gap": gap}
            self.ok = self.failed = self.again = self.moved = 0
            self.gap = 0.0
        return out

    def stop(self):
        self.going = False
        for t in self.threads:
            t.join(2)  # one may hang on a request whose node went; it ends with the process

    def ask_on(self, source):
        with open(f"/run/netns/{self.netns}") as ns:
            if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
                raise OSError(ctypes.get_errno(), "setns")
        while self.going:
            try:
                server, first = self.get(source), True
            except OSError:
                first = False
                try:
                    server = self.get(source)
                except OSError:
                    server = None
            self.count(source, server, first)
            time.sleep(0.01)

    def count(self, source, server, first):
        now = time.monotonic()
        with self.lock:
            if server is None:
                self.failed += 1
                return
            self.ok += 1
            self.again += not first
            self.gap = max(self.gap, now - self.last)
            self.last = now
            self.moved += self.server.get(source, server) != server
            self.server[source] = server

    @staticmethod
    def get(source):
        """The name of the server that answered."""
        with socket.create_connection((VIP, 80), 0.5, (source, 0)) as s:
            s.sendall(f"GET / HTTP/1.1\r\nHost: {VIP}\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while more := s.recv(4096):
                data += more
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 ") or not body:
            raise OSError("not an answer")
        return body.split()[0].decode()


class Pair(demo.Stage):
    def __init__(self):
        super().__init__()
        self.client = None
        self.netns = []
        self.down = set()  # nodes that were killed
        self.roots = {i: self.dir / f"node{i}" for i in NODES}

    # ---- the network --------------------------------------------------------------------------------------

    def ns(self, who):
        return f"lbd-demo{os.getpid()}-{who}"

    def inside(self, who):
        return ["ip", "netns", "exec", self.ns(who)]

    def ip(self, who, *args):
        r = subprocess.run(["ip", "-n", self.ns(who), *args], capture_output=True, text=True)
        if r.returncode != 0:
            raise SystemExit(f"demo: ip {' '.join(args)} in {who}: {r.stderr.strip()}")
        return r.stdout

    def add_ns(self, who, *addresses):
        """A namespace, with a cable to the bridge in that of the switch."""
        self.netns.append(who)  # first: a signal may come at any moment
        r = subprocess.run(["ip", "netns", "add", self.ns(who)], capture_output=True, text=True)
        if r.returncode != 0:
            raise SystemExit(f"demo: a network namespace is needed: {r.stderr.strip()}")
        self.ip(who, "link", "set", "lo", "up")
        if not addresses:
            return
        self.ip(who, "link", "add", "eth0", "type", "veth", "peer", "name", who, "netns", self.ns("switch"))
        self.ip("switch", "link", "set", who, "master", "br0", "up")
        for a in addresses:
            self.ip(who, "addr", "add", f"{a}/24", "dev", "eth0")
        self.ip(who, "link", "set", "eth0", "up")

    def build_network(self):
        self.add_ns("switch")
        self.ip("switch", "link", "add", "br0", "type", "bridge")
        self.ip("switch", "link", "set", "br0", "up")
        for i in NODES:
            self.add_ns(f"node{i}", f"10.9.0.{i}")
        for name, address in SERVERS.items():
            self.add_ns(name, address)
        self.add_ns("client", *CLIENTS)

    # ---- the nodes ----------------------------------------------------------------------------------------

    def lbctl(self, node, *args, check=True, stdin=None):
        return self.lbctl_at(self.roots[node], *args, check=check, stdin=stdin)

    def daemons(self):
        return [f"lbctl run {i}" for i in NODES if i not in self.down and f"lbctl run {i}" in self.procs]

    def run_node(self, node):
        self.spawn(f"lbctl run {node}", *self.inside(f"node{node}"), demo.BIN / "lbctl", "--root", self.roots[node], "run",
                   log=self.log)
        self.down.discard(node)

    def kill_node(self, node):
        """kill -9 of everything of ours in its namespace. Who starts the others again stands still meanwhile; were it
        killed first, they would end in order."""
        self.down.add(node)
        run = self.procs[f"lbctl run {node}"]
        run.send_signal(signal.SIGSTOP)
        for pid in self.pids(f"node{node}"):
            try:
                if pid != run.pid and pathlib.Path(f"/proc/{pid}/exe").resolve().parent == demo.BIN:
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass  # it has ended
        run.kill()
        run.wait()

    def pids(self, who):
        out = subprocess.run(["ip", "netns", "pids", self.ns(who)], capture_output=True, text=True).stdout
        return [int(p) for p in out.split()]

    def status(self, node):
        """lbctl ha status as an object; empty when there is no answer."""
        try:
            return json.loads(self.lbctl(node, "-o", "json", "ha", "status", check=False))
        except ValueError:
            return {}

    def roles(self):
        return [self.status(i).get("state") for i in NODES]

    def holders(self):
        return [i for i in NODES if f" {VIP}/" in self.ip(f"node{i}", "-o", "-4", "addr", "show")]

    def servers_up(self, node):
        try:
            rips = json.loads(self.lbctl(node, "-o", "json", "get", "rip", "web/", check=False))
        except ValueError:
            return False
        return len(rips) == len(SERVERS) and all(r["status"]["state"] == "up" for r in rips)

    def pair(self):
        """As a person does it: a code from node 2, given to node 1."""
        for i in NODES:
            self.wait(f"node {i}", lambda n=i: self.status(n))
        code = self.lbctl(2, "ha", "code").strip()
        self.lbctl(1, "ha", "pair", "10.9.0.2", "--code-file", "-", "-y", stdin=code + "\n")
        self.wait("the pair", lambda: [self.status(i).get("role") for i in NODES] == ["master", "slave"])

    def start(self):
        config = self.dir / "demo.yaml"
        config.write_text(CONFIG.format(rips="".join(
            f"      {n}: {{address: {a}, port: 80}}\n" for n, a in SERVERS.items())))
        self.build_network()
        for name, address in SERVERS.items():
            self.start_server(name, f"{address}:80", prefix=self.inside(name))
        for i in NODES:
            self.roots[i].mkdir()
            self.lbctl(i, "set", "node", f"hostname=node{i}")
            self.run_node(i)
        self.lbctl(1, "apply", "-f", config, "-m", "demo: one service, three servers")
        self.pair()
        self.wait("node 2 to have the configuration", lambda: '"web"' in self.lbctl(
            2, "-o", "json", "get", "vip", check=False))
        for i in NODES:
            self.wait(f"all servers up on node {i}", lambda n=i: self.servers_up(n))
        self.wait("node 1 to be active", lambda: self.roles() == ["active", "passive"] and self.holders() == [1])
        self.client = Client(self.ns("client"))
        self.wait("answers", lambda: self.client.ok > 50)
        self.client.mark()

    def stop(self):
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
        if self.client:
            self.client.stop()
        for name in self.daemons():  # both at once: neither is to take over what the other leaves
            self.procs[name].send_signal(signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        for name in self.daemons():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.procs[name].wait(max(0.1, end - time.monotonic()))
        for who in self.netns:
            for pid in self.pids(who):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", self.ns(who)], capture_output=True)
        super().stop()

    # ---- for a person -------------------------------------------------------------------------------------

    def intro(self):
        print(f"""
Two nodes of lbd, a pair: what node 1 is told node 2 knows, and one of them has {VIP}. Three clients ask all the time.

In another terminal, as root:

  alias lb1='{demo.BIN}/lbctl --root {self.roots[1]}' lb2='{demo.BIN}/lbctl --root {self.roots[2]}'
  lb1 ha status                      role, heartbeats, addresses;  lb2 the same of the other node
  lb1 ha failover                    the other node takes over, no request fails
  lb2 get rip web/ -w                servers as node 2 sees them
  lb1 drain web/web2                 an order, on both nodes;  lb1 online web/web2
  ip netns exec {self.ns('client')} curl http://{VIP}/
  ip -n {self.ns('switch')} link set node1 down     pulls the cable of node 1;  "up" puts it back
""")

    def table(self, rate, total):
        held = self.holders()
        out = []
        for i in NODES:
            lines = self.lbctl(i, "--color=never", "ha", "status", check=False).splitlines()
            line = lines[0] if lines else "does not run" if i in self.down else "does not answer"
            out.append(f"node {i}   {line:<44} {'has ' + VIP if i in held else ''}".rstrip())
        out.append(f"clients  {rate:5.0f} requests/s, failed {total['failed']}, again {total['again']}, "
                   f"other server {total['moved']}, longest gap {total['gap'] * 1000:.0f} ms")
        return out

    def command(self, word):
        """What was typed; the text to show."""
        if word == "f":
            active = next((i for i in NODES if self.status(i).get("state") == "active"), None)
            if active is None:
                return "no node is active"
            r = subprocess.run([demo.BIN / "lbctl", "--root", self.roots[active], "ha", "failover", "-m", "demo"],
                               capture_output=True, text=True)
            return f"failover: node {active} gave" if r.returncode == 0 else r.stderr.strip()
        if word in ("k1", "k2") and int(word[1]) not in self.down:
            self.kill_node(int(word[1]))
            return f"node {word[1]} killed; s{word[1]} starts it again"
        if word in ("s1", "s2") and int(word[1]) in self.down:
            self.run_node(int(word[1]))
            return f"node {word[1]} started"
        return KEYS

    def live(self):
        """The table once a second: redrawn in a terminal with commands by key, else as lines with commands by line."""
        out, keys = sys.stdout.isatty(), sys.stdin.isatty()
        old = termios.tcgetattr(sys.stdin) if keys else None
        try:
            if keys:
                tty.setcbreak(sys.stdin)
            self.watch(out, keys)
        finally:
            if keys:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, old)

    def watch(self, out, keys):
        total = {"failed": 0, "again": 0, "moved": 0, "gap": 0.0}
        typed, said, lines, before, ears = "", KEYS, 0, time.monotonic(), [sys.stdin.fileno()]
        while True:
            took = time.monotonic() - before
            before += took
            now = self.client.mark()
            for k in ("failed", "again", "moved"):
                total[k] += now[k]
            total["gap"] = max(total["gap"], now["gap"])
            text = [*self.table(now["ok"] / max(took, 0.001), total), *([said, f"> {typed}"] if out else [])]
            print(f"\x1b[{lines}A\x1b[J" * (lines > 0 and out) + "\n".join(text), flush=True)
            lines = len(text)
            end = time.monotonic() + 1
            while (left := end - time.monotonic()) > 0:
                if not select.select(ears, [], [], left)[0]:
                    break
                got = os.read(ears[0], 64).decode(errors="replace")
                if not got:
                    ears = []  # nobody types; until a signal
                    continue
                typed = (typed + got)[-64:]
                words, typed = split(typed, keys)
                for word in words:
                    if word == "q":
                        return
                    said = self.command(word)
                    if not out:
                        print(said, flush=True)
                if words or keys:
                    break

    # ---- ONCE -------------------------------------------------------------------------------------------

    def phase(self, what, settle=1.0):
        """Lets what was done settle, tells what the clients saw of it."""
        time.sleep(settle)
        r = self.client.mark()
        print(f"{what:<34} {r['ok']:5} requests, failed {r['failed']}, again {r['again']}, other server {r['moved']}, "
              f"longest gap {r['gap'] * 1000:.0f} ms", flush=True)
        return r

    def once(self):
        calm = [self.phase("nothing happens")]
        for giver in NODES:
            self.lbctl(giver, "ha", "failover", "-m", "demo")
            self.wait(f"the address on node {3 - giver}", lambda n=3 - giver: self.holders() == [n])
            calm.append(self.phase(f"failover by order, {giver} to {3 - giver}"))
        self.kill_node(1)
        self.wait("node 2 to take over", lambda: self.status(2).get("state") == "active" and 2 in self.holders())
        self.wait("answers", lambda n=self.client.ok: self.client.ok > n + 50)
        killed = self.phase("node 1 killed")
        self.run_node(1)
        self.wait("node 1 to be there again", lambda: self.roles() == ["passive", "active"])
        self.wait("its servers", lambda: self.servers_up(1))
        calm.append(self.phase("node 1 started again"))
        failed = sum(r["failed"] for r in calm)
        good = failed == 0 and killed["gap"] < GAP_MOST and all(r["ok"] > 0 for r in (*calm, killed))
        print(f"failed in planned changes: {failed}")
        print(f"gap when node 1 was killed: {killed['gap'] * 1000:.0f} ms")
        print("demo: ok" if good else "demo: FAILED")
        return 0 if good else 1


def split(typed, keys):
    """(complete commands, what is left of it): by key k or s with a digit, or any other key; else by line."""
    words = []
    if not keys:
        *words, typed = typed.split("\n")
        return [w.strip() for w in words if w.strip()], typed
    while typed and (typed[0] not in "ks" or len(typed) > 1):
        n = 2 if typed[0] in "ks" else 1
        words.append(typed[:n])
        typed = typed[n:]
    return words, typed


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--once", action="store_true")
    args = ap.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("demo: a pair needs root, for its network namespaces; make demo without PAIR=1 does not")
    ends = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    for s in ends - {signal.SIGINT}:
        signal.signal(s, lambda *_: sys.exit(1))
    pair = Pair()
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
        pair.start()
        if args.once:
            return pair.once()
        pair.intro()
        pair.live()
        return 0
    except KeyboardInterrupt:
        return 0
    finally:
        pair.stop()


if __name__ == "__main__":
    sys.exit(main())
