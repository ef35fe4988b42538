#!/usr/bin/env python3
"""What a proxy costs: processor time per request, memory per idle connection, latency at one rate for all. See README.md.

lbd-proxy against Debian's HAProxy and nginx, each with one worker on one processor, origin and load on another. Turns are
short and interleaved (A B C A B C), so that a busy machine disturbs all alike. One line for each metric: lbd's value, and for each
peer its value with the ratio lbd / peer (below 1: lbd costs less). Never a pass or fail."""
import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

from benchlib import (ADDRESS, BIN, Scratch, accepts, build, certificates, lbd_store, lbd_tls, on_cpu, raise_files,
                      wait_for)

HAPROXY = """
global
  nbthread 1
  maxconn {maxconn}
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  option http-keep-alive
  http-reuse always
  option splice-auto
frontend f
  bind {address}:{http} defer-accept
  bind {address}:{tls} defer-accept ssl crt {dir}/ec.pem alpn h2,http/1.1
  bind {address}:{tlsrsa} defer-accept ssl crt {dir}/rsa.pem alpn h2,http/1.1
  http-request set-header X-Via lb
  default_backend b
backend b
  server s1 {origin}
frontend fc
  bind {address}:{cookie} defer-accept
  option forwardfor
  http-request set-header X-Via lb
  default_backend bc
backend bc
  cookie SRV insert indirect nocache
  server s1 {origin} cookie s1
frontend t
  mode tcp
  bind {address}:{tcp}
  default_backend bt
backend bt
  mode tcp
  server s1 {origin}
"""

NGINX = """
load_module {modules}/ngx_stream_module.so;
daemon off; master_process off; worker_processes 1;
pid {dir}/nginx.pid; error_log {dir}/nginx.err error;
events {{ worker_connections {nginx_conns}; multi_accept on; use epoll; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 300; tcp_nodelay on; reset_timedout_connection on;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
  upstream u {{ server {origin}; keepalive 512; keepalive_requests 1000000000; }}
  proxy_http_version 1.1; proxy_max_temp_file_size 0;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:S:10m; ssl_session_tickets on;
  server {{
    listen {address}:{http} backlog=4096 deferred;
    location / {{ proxy_pass http://u; proxy_set_header Connection ""; proxy_set_header X-Via lb; }} }}
  server {{
    listen {address}:{tls} ssl http2 backlog=4096 deferred; ssl_certificate {dir}/ec.pem; ssl_certificate_key {dir}/ec.pem;
    location / {{ proxy_pass http://u; proxy_set_header Connection ""; proxy_set_header X-Via lb; }} }}
  server {{
    listen {address}:{tlsrsa} ssl backlog=4096 deferred; ssl_certificate {dir}/rsa.pem; ssl_certificate_key {dir}/rsa.pem;
    location / {{ proxy_pass http://u; proxy_set_header Connection ""; proxy_set_header X-Via lb; }} }}
  server {{
    listen {address}:{cookie} backlog=4096 deferred;
    location / {{ proxy_pass http://u; proxy_set_header Connection ""; proxy_set_header X-Via lb;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; add_header Set-Cookie "SRV=s1; path=/"; }} }}
}}
stream {{
  upstream us {{ server {origin}; }}
  server {{ listen {address}:{tcp} backlog=4096; proxy_pass us; }}
}}
"""

# name: (unit, key of lg's answer, port, arguments of lg)
METRICS = {
    "h1_ka": ("us/req", "cpu_us", "http", "-m ka -c {conns}"),
    "h1_ka_rate": ("us/req", "cpu_us", "http", "-m ka -c {conns} -r {rate}"),
    "h1_close": ("us/conn", "cpu_us", "http", "-m close -c {conns} -s 16"),
    "h1_cookie": ("us/req", "cpu_us", "cookie", "-m ka -c {conns}"),
    "tcp_close": ("us/conn", "cpu_us", "tcp", "-m close -c {conns} -s 16"),
    "tcp_ka": ("us/req", "cpu_us", "tcp", "-m ka -c {conns}"),
    "h1_1m": ("s/GB", "cpu_s_per_GB", "http", "-c 8 -u /b/1000000"),
    "h1_100m": ("s/GB", "cpu_s_per_GB", "http", "-c 2 -u /b/100000000"),
    "tcp_1m": ("s/GB", "cpu_s_per_GB", "tcp", "-c 8 -u /b/1000000"),
    "tcp_100m": ("s/GB", "cpu_s_per_GB", "tcp", "-c 2 -u /b/100000000"),
    "tls_full_ec": ("us/conn", "cpu_us", "tls", "-t -m close -c 32 -s 16"),
    "tls_full_rsa": ("us/conn", "cpu_us", "tlsrsa", "-t -m close -c 32 -s 16"),
    "tls_resume": ("us/conn", "cpu_us", "tls", "-t -R -m close -c 32 -s 16"),
    "tls_ka": ("us/req", "cpu_us", "tls", "-t -m ka -c {conns}"),
    "tls_1m": ("s/GB", "cpu_s_per_GB", "tls", "-t -c 8 -u /b/1000000"),
    "h2": ("us/req", "cpu_us", "tls", "-c 16 -m 32"),
    "idle_tls": ("B/conn", "bytes_per_conn", "tls", "-t -m idle -c {idle} -s 32"),
    "idle": ("B/conn", "bytes_per_conn", "http", "-m idle -c {idle} -s 32"),
}


class Proxy:
    def __init__(self, bench, name, base):
        self.bench, self.name, self.base, self.p = bench, name, base, None

    def start(self, offset=0):
        """Listens on ports of its own; a second one for idle has an offset."""
        b, d = self.bench, self.bench.scratch.dir
        base = self.base + offset
        self.ports = {"http": base, "tcp": base + 1, "cookie": base + 2, "tls": base + 3, "tlsrsa": base + 4}
        if any(accepts(p) for p in self.ports.values()):  # it would take part of lbd's load: ports are shared
            sys.exit(f"bench: somebody listens on {ADDRESS} at one of {list(self.ports.values())}; use --port-base")
        words = dict(self.ports, address=ADDRESS, origin=b.origin, dir=d, maxconn=b.maxconn,
                     nginx_conns=b.maxconn * 2, modules=b.modules)
        config = d / f"{self.name}-{base}.cfg"
        if self.name == "haproxy":
            config.write_text(HAPROXY.format(**words))
            cmd = [b.find("haproxy"), "-db", "-f", config]
        elif self.name == "nginx":
            config.write_text(NGINX.format(**words))
            cmd = [b.find("nginx"), "-c", config, "-p", d]
        else:
            root = d / f"lbd-{base}"
            shutil.rmtree(root, ignore_errors=True)  # of an earlier metric that began anew
            root.mkdir()
            lbd_store(root, b.origin, *(self.ports[x] for x in ("http", "tcp", "cookie")))
            cmd = [BIN / "lbd-proxy", "-f", "--root", root]
        self.p = b.scratch.start([*on_cpu(b.args.proxy_cpu), *cmd], f"{self.name}.log")

        def ready(*names):
            if self.p.poll() is not None:
                sys.exit(f"bench: {self.name} did not start:\n" + (d / f"{self.name}.log").read_text()[-2000:])
            return all(accepts(self.ports[x]) for x in names or self.ports)
        if self.name == "lbd":
            wait_for(lambda: ready("http"), "lbd accepts")
            lbd_tls(root, b.origin, d, b.args.detach, **self.ports)
        wait_for(ready, f"{self.name} accepts")
        return self

    def stop(self):
        self.bench.scratch.end(self.p)


class Bench:
    def __init__(self, args, scratch):
        self.args, self.scratch = args, scratch
        hard = raise_files()
        self.maxconn = min(60000, int((hard - 800) / 2.5))
        self.idle = min(args.idle_conns, self.maxconn - 100)
        self.modules = next((d for d in ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules") if os.path.isdir(d)), "modules")
        self.origin = f"127.0.0.1:{args.port_base}"
        self.rate = args.rate or 8000
        build(scratch.dir)
        certificates(scratch.dir)
        self.server = scratch.start([*on_cpu(args.load_cpu), scratch.dir / "origin", args.port_base], "origin.log")
        wait_for(lambda: accepts(args.port_base, "127.0.0.1"), "origin")
        names = ["lbd"] + [n for n in ("haproxy", "nginx") if args.peers and self.find(n)]
        self.proxies = [Proxy(self, n, args.port_base + 10 + 40 * i).start() for i, n in enumerate(names)]

    @staticmethod
    def find(name):
        return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")

    def lg(self, proxy, metric):
        _, key, port, words = METRICS[metric]
        words = words.format(conns=self.args.conns, rate=self.rate, idle=self.idle).split()
        if self.args.detach and metric.startswith("idle"):
            words += ["-S", "12"]  # the memory of the handshakes is given back when it is calm
        cmd = [*on_cpu(self.args.load_cpu), self.scratch.dir / "lg", "-a", f"{ADDRESS}:{proxy.ports[port]}",
               "-P", proxy.p.pid, "-Q", self.server.pid, "-d", self.args.secs, "-w", self.args.warm, *words]
        r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=200)
        out = dict(x.split("=", 1) for x in r.stdout.split())
        if not out:
            raise RuntimeError(r.stderr)
        out = {k: float(v) for k, v in out.items() if k != "mode"}
        return dict(out, value=out[key])

    def h2load(self, proxy, metric):
        """HTTP/2 is loaded by h2load; the clock of the proxy's process stands for it, with the handshakes of the connections."""
        clock = ~proxy.p.pid << 3 | 2  # clock_getcpuclockid(3)
        cmd = [*on_cpu(self.args.load_cpu), "h2load", "-D", max(1, round(self.args.secs)), *METRICS[metric][3].split(),
               f"https://{ADDRESS}:{proxy.ports['tls']}/"]
        before, began = time.clock_gettime(clock), time.monotonic()
        r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=200)
        took, cpu = time.monotonic() - began, time.clock_gettime(clock) - before
        n = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", r.stdout)
        if n is None or "protocol: h2" not in r.stdout:
            raise RuntimeError(r.stdout + r.stderr)
        done = int(n[1]) or 1
        return {"value": cpu * 1e6 / done, "rps": done / took, "errors": float(n[2]) + float(n[3])}

    def once(self, proxy, metric):
        if metric == "h2":
            return self.h2load(proxy, metric)
        if not metric.startswith("idle"):
            return self.lg(proxy, metric)
        fresh = Proxy(self, proxy.name, proxy.base).start(20)  # memory that nobody has used before
        try:
            return self.lg(fresh, metric)
        finally:
            fresh.stop()

    def round(self, metric):
        """One answer of lg for each proxy. All have short turns, so that what disturbs the machine for a while disturbs all; an answer is the
        mean of its turns, of errors the sum."""
        turns = 1 if metric.startswith("idle") else self.args.turns
        got = {p.name: [] for p in self.proxies}
        for _ in range(turns):
            for p in self.proxies:
                got[p.name].append(self.once(p, metric))
        return {name: dict({k: statistics.mean(x[k] for x in v) for k in v[0]}, errors=sum(x["errors"] for x in v))
                for name, v in got.items()}

    def run(self, metric):
        """All rounds of one metric: name -> list of answers of lg."""
        got = {p.name: [] for p in self.proxies}
        for _ in range(1 if metric.startswith("idle") else self.args.rounds):
            for name, answer in self.round(metric).items():
                got[name].append(answer)
        if metric == "h1_ka" and not self.args.rate:  # half of what the slowest can do, for all
            self.rate = int(min(statistics.median(x["rps"] for x in v) for v in got.values()) / 2)
        return got


def line(metric, got):
    """One line: lbd, then each peer with the ratio to it."""
    def med(name, key="value"):
        return statistics.median(x.get(key, 0) for x in got[name])

    def spread(name):
        values = [x["value"] for x in got[name]]
        return (max(values) - min(values)) / (med(name) or 1) * 100
    unit = METRICS[metric][0]
    digits = 0 if unit == "B/conn" else 3 if unit == "s/GB" else 1
    def ratio(name):
        """Of each round by itself, since its turns were side by side: the median, and from which to which."""
        of = sorted(a["value"] / (b["value"] or 1) for a, b in zip(got["lbd"], got[name]))
        return f"{statistics.median(of):5.2f} ({of[0]:.2f}-{of[-1]:.2f})"
    words = [f"{metric:11s} lbd {med('lbd'):8.{digits}f} {unit:7s}"]
    for name in got:
        if name != "lbd":
            words.append(f"{name} {med(name):8.{digits}f} ratio {ratio(name)}")
    words.append(f"spread {max(map(spread, got)):3.0f} %")
    if metric == "h1_ka_rate":
        words.append("p99 us " + " ".join(f"{n} {med(n, 'p99'):.0f}" for n in got))
    words.append("errors " + " ".join(f"{sum(x['errors'] for x in v):.0f}" for v in got.values()))
    return "  ".join(words)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--metrics", default=",".join(METRICS))
    ap.add_argument("--rounds", type=int, default=2)
    ap.add_argument("--turns", type=int, default=2, help="of each proxy in a round, one after the other's")
    ap.add_argument("--secs", type=float, default=0.5, help="of a turn")
    ap.add_argument("--warm", type=float, default=0.2)
    ap.add_argument("--conns", type=int, default=64)
    ap.add_argument("--idle-conns", type=int, default=7500)
    ap.add_argument("--proxy-cpu", default="0")
    ap.add_argument("--load-cpu", default="1")
    ap.add_argument("--port-base", type=int, default=21000)
    ap.add_argument("--rate", type=int, default=0, help="requests/s of h1_ka_rate; 0: half of what the slowest did in h1_ka")
    ap.add_argument("--detach", action="store_true", help="lbd's services with TLS have tls_detach")
    ap.add_argument("--no-peers", dest="peers", action="store_false")
    ap.add_argument("--json", help="keep every run in this file")
    args = ap.parse_args()
    unknown = set(args.metrics.split(",")) - set(METRICS)
    if unknown:
        ap.error(f"unknown metric {', '.join(sorted(unknown))}; known are {', '.join(METRICS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    results = {}
    with Scratch() as scratch:
        bench = Bench(args, scratch)
        print(f"# {args.rounds} rounds of {args.turns} turns of {args.secs:g} s, {args.conns} connections, {bench.idle} idle; load "
              f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; errors and p99 in the order "
              f"{' '.join(p.name for p in bench.proxies)}", flush=True)
        for m in args.metrics.split(","):
            results[m] = bench.run(m)
            print(line(m, results[m]), flush=True)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(results, f)


if __name__ == "__main__":
    main()
