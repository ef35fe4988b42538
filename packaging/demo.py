#!/usr/bin/env python3
"""demo: the real daemons on this machine, with three demo real servers, on loopback, in a folder of its own.

    make demo          starts everything, prints what to try, shows it live until Ctrl-C, leaves nothing behind
    make demo ONCE=1   without a terminal: 3,000 requests over 50 connections, one server killed in the middle,
                       another drained; prints what happened; exit 0 when no request failed, else 1
    make demo PAIR=1   two nodes instead, paired: demo_pair.py

Nothing outside of the folder is changed: no users, no files, no units. Without the right to add addresses
(a plain container) the virtual addresses are those of 127.0.0.0/8, which answer anyway.
"""
import argparse
import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

BIN = pathlib.Path(os.environ.get("LBD_BIN", "build/bin")).resolve()
WEB, TCP = "127.0.0.80", "127.0.0.81"  # the two virtual addresses
SERVERS = {"web1": 9101, "web2": 9102, "web3": 9103}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/{name}.pid; error_log {dir}/{name}.log error;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {dir}/{name}.t; proxy_temp_path {dir}/{name}.t; fastcgi_temp_path {dir}/{name}.t;
  uwsgi_temp_path {dir}/{name}.t; scgi_temp_path {dir}/{name}.t;
  server {{
    {listen}
    default_type text/plain;
    location = /health {{ return 200 "ok\\n"; }}
    location / {{ return 200 "{name} saw $http_x_forwarded_for\\n"; }}
  }}
}}
"""


class Stage:
    """A folder and the processes that were started for a demo; stop() ends and removes them."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lbd-demo."))
        self.procs = {}
        self.log = self.dir / "daemons.log"

    @staticmethod
    def lbctl_at(root, *args, check=True, stdin=None):
        r = subprocess.run([BIN / "lbctl", "--root", root, *args], capture_output=True, text=True, input=stdin)
        if check and r.returncode != 0:
            raise SystemExit(f"demo: lbctl {' '.join(map(str, args))}: exit {r.returncode}: {r.stderr.strip()}")
        return r.stdout

    def spawn(self, name, *cmd, log=None):
        with open(log or os.devnull, "ab") as out:
            self.procs[name] = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def start_server(self, name, *listen, prefix=()):
        """nginx as a real server; listen: its addresses with ports."""
        conf = self.dir / f"{name}.conf"
        conf.write_text(NGINX.format(dir=self.dir, name=name, listen=" ".join(f"listen {x};" for x in listen)))
        self.spawn(name, *prefix, "nginx", "-p", self.dir, "-c", conf, "-e", self.dir / f"{name}.log")

    def daemons(self):
        """Names of the processes of which none may end while something is waited for."""
        return [n for n in self.procs if n.startswith("lbctl run")]

    def wait(self, what, cond, most=30):
        end = time.monotonic() + most
        while not cond():
            if time.monotonic() > end or any(self.procs[n].poll() is not None for n in self.daemons()):
                sys.stderr.write(self.log.read_text(errors="replace")[-4000:])
                raise SystemExit(f"demo: waited {most} s in vain for {what}")
            time.sleep(0.05)

    def stop(self):
        """Ends what was started, by its pid, and removes the folder."""
        for name in (*self.daemons(), *(n for n in self.procs if n not in self.daemons())):
            self.end(name)
        shutil.rmtree(self.dir, ignore_errors=True)

    def end(self, name):
        p = self.procs[name]
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
        try:
            p.wait(40)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


class Demo(Stage):
    def __init__(self):
        super().__init__()
        self.root = self.dir / "root"
        self.root.mkdir()
        self.ports = self.free_ports((9443, 9080))

    @staticmethod
    def free_ports(wanted):
        """The panel's own ports, or others when something has them."""
        out = []
        for port in wanted:
            with socket.socket() as s:
                try:
                    s.bind(("0.0.0.0", port))
                except OSError:
                    s.bind(("0.0.0.0", 0))
                out.append(s.getsockname()[1])
        return out

    def lbctl(self, *args, check=True):
        return self.lbctl_at(self.root, *args, check=check)

    def start(self):
        for name, port in SERVERS.items():
            self.start_server(name, f"127.0.0.1:{port}", f"127.0.0.3:{port}")
        https, http = self.ports
        self.lbctl("set", "setting", f"https_port={https}", f"http_port={http}", "-m", "demo: ports of the panel")
        config = self.dir / "demo.yaml"
        rips = "".join(f"      {n}: {{address: 127.0.0.1, port: {p}}}\n" for n, p in SERVERS.items())
        config.write_text(f"""
check:
  page: {{kind: http, path: /health, interval: 500ms, timeout: 400ms, rise: 2, fall: 2}}
  port: {{kind: tcp, interval: 500ms, timeout: 400ms, rise: 2, fall: 2}}
vip:
  web:
    address: {WEB}
    ports: 8080
    mode: http
    scheduler: wrr
    check: page
    rips:
{rips}  tcp:
    address: {TCP}
    ports: 8081
    mode: tcp
    check: port
    rips:
{rips}""")
        self.lbctl("apply", "-f", config, "-m", "demo: two services, three servers")
        self.spawn("lbctl run", BIN / "lbctl", "--root", self.root, "run", log=self.log)
        self.wait("all servers to be up", lambda: all(
            r["status"]["state"] == "up" for v in ("web", "tcp") for r in self.rips(v)))
        self.wait("the panel", lambda: self.answers("127.0.0.1", self.ports[0]))
        self.wait("every daemon at the newest revision", lambda: len(
            {d.get("revision") for d in json.loads(self.lbctl("-o", "json", "status", check=False))["daemons"]
             if d["running"]}) == 1)

    def rips(self, vip):
        out = self.lbctl("-o", "json", "get", "rip", f"{vip}/", check=False)
        try:
            return json.loads(out)
        except ValueError:
            return [{"status": {"state": "unknown"}}]

    @staticmethod
    def answers(host, port):
        try:
            with socket.create_connection((host, port), 1):
                return True
        except OSError:
            return False

    def password(self):
        f = self.root / "var/lib/lbd/initial-password"
        return f.read_text().strip() if f.exists() else "(see the log)"

    def intro(self):
        https, http = self.ports
        print(f"""
lbd runs. Everything is in {self.root}; three servers (nginx) listen on 127.0.0.1:{', :'.join(map(str, SERVERS.values()))}.

  HTTP service   curl http://{WEB}:8080/            each request is balanced
  TCP service    curl http://{TCP}:8081/            each connection is balanced
  Panel          https://127.0.0.1:{https}/           or http://127.0.0.1:{http}/ from this machine
                 user admin, password {self.password()}

In another terminal, as this user:

  alias lbctl='{BIN}/lbctl --root {self.root}'
  lbctl status                      one screen
  lbctl get rip web/ -w             live
  kill {self.procs['web1'].pid:<28} web1 fails: red within a second, nobody notices
  lbctl drain web/web2              no new clients;  lbctl online web/web2 takes it back
  lbctl set vip web scheduler=wlc   a change is a revision:
  lbctl history                     who, when, why;  lbctl rollback 2  undoes
  lbctl set vip web enabled=no --confirm 20s         undoes itself unless: lbctl confirm
""")

    def live(self):
        """Redraws the state below the introduction once a second, so that what to try stays in sight."""
        tty = sys.stdout.isatty()
        lines = 0
        while self.procs["lbctl run"].poll() is None:
            color = "--color=always" if tty else "--color=never"
            out = (self.lbctl(color, "status", check=False) + "\n" +
                   self.lbctl(color, "get", "rip", check=False) + "\nCtrl-C ends the demo.\n")
            print(f"\x1b[{lines}A\x1b[J" * (lines > 0) + out, end="", flush=True)
            if not tty:
                self.procs["lbctl run"].wait()
            lines = out.count("\n")
            time.sleep(1)

    # ---- ONCE -------------------------------------------------------------------------------------------

    def client(self, jobs, results, barrier):
        """One keep-alive connection; a job is one GET. What arrives is counted by server, or as failed."""
        s = None
        barrier.wait()
        while True:
            try:
                jobs.get_nowait()
            except queue.Empty:
                break
            try:
                if s is None:
                    s = socket.create_connection((WEB, 8080), 10)
                    s.settimeout(10)
                s.sendall(f"GET / HTTP/1.1\r\nHost: {WEB}\r\n\r\n".encode())
                data = b""
                while b"\r\n\r\n" not in data:
                    more = s.recv(4096)
                    if not more:
                        raise OSError("closed")
                    data += more
                head, body = data.split(b"\r\n\r\n", 1)
                lines = head.decode("latin-1").split("\r\n")
                length = int(next(x.split(":")[1] for x in lines if x.lower().startswith("content-length:")))
                while len(body) < length:
                    more = s.recv(4096)
                    if not more:
                        raise OSError("closed")
                    body += more
                ok = lines[0].split()[1] == "200"
                results.put(body.split()[0].decode() if ok else f"failed: {lines[0]}")
                if any(x.lower() == "connection: close" for x in lines):
                    s.close()
                    s = None
            except OSError as e:
                results.put(f"failed: {e}")
                if s is not None:
                    s.close()
                s = None
            time.sleep(0.02)  # 50 connections, about 2,000 requests a second: lasts past kill and drain

    def once(self, total=3000, clients=50):
        jobs, results = queue.Queue(), queue.Queue()
        for i in range(total):
            jobs.put(i)
        barrier = threading.Barrier(clients + 1)
        threads = [threading.Thread(target=self.client, args=(jobs, results, barrier)) for _ in range(clients)]
        for t in threads:
            t.start()
        barrier.wait()
        self.wait("a third of the requests", lambda: results.qsize() > total / 3)
        killed = time.monotonic()
        self.procs["web1"].kill()
        self.procs["web1"].wait()
        drained_at = results.qsize()
        self.lbctl("drain", "web/web2", "-m", "demo")
        self.wait("web1 to be seen down", lambda: any(
            r["name"] == "web1" and r["status"]["state"] == "down" for r in self.rips("web")), 20)
        detect = time.monotonic() - killed
        for t in threads:
            t.join()
        count = {}
        while not results.empty():
            r = results.get()
            count[r] = count.get(r, 0) + 1
        failed = sum(n for r, n in count.items() if r.startswith("failed"))
        print(f"requests {total} over {clients} connections; web1 killed and web2 drained after about {drained_at}")
        for name in SERVERS:
            state = next(r["status"]["state"] for r in self.rips("web") if r["name"] == name)
            print(f"  {name}: {count.get(name, 0)} requests, now {state}")
        for r, n in sorted(count.items()):
            if r not in SERVERS:
                print(f"  {n} x {r}")
        print(f"failed: {failed}")
        print(f"web1 seen down {detect * 1000:.0f} ms after the kill")
        good = failed == 0 and sum(count.values()) == total and all(count.get(n, 0) > 0 for n in SERVERS)
        print("demo: ok" if good else "demo: FAILED")
        return 0 if good else 1


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--once", action="store_true")
    args = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    demo = Demo()
    try:
        demo.start()
        if args.once:
            return demo.once()
        demo.intro()
        demo.live()
        return 0
    except KeyboardInterrupt:
        return 0
    finally:
        demo.stop()


if __name__ == "__main__":
    sys.exit(main())
