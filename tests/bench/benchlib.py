"""What the benchmarks share: build the load generator and origin, make a store for lbd, start and stop processes."""
import ctypes
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("LBD_BIN", HERE.parents[1] / "build/bin"))
ADDRESS = "127.0.0.2"  # of every proxy: a virtual service may not have an interface's own address


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def on_cpu(cpu):
    """Words that put a command on one processor, if there is more than one."""
    return ["taskset", "-c", cpu] if os.cpu_count() > 1 else []


def raise_files():
    """As many open files as the hard limit allows; the number."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def build(folder):
    """lg and origin, compiled into folder."""
    for name in ("lg", "origin"):
        subprocess.run(["gcc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-o", f"{folder}/{name}", HERE / f"{name}.c",
                        "-lssl", "-lcrypto"], check=True)


def wait_for(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"bench: {what}: not within {seconds} s")
        time.sleep(0.02)


def accepts(port, address=ADDRESS):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((address, port)) == 0


def certificates(folder):
    """ec.pem and rsa.pem in folder: certificate and key in one file, as the peers want them."""
    for name, kind in ("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]), ("rsa", ["rsa:2048"]):
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-newkey", *kind, "-keyout", f"{folder}/{name}.key", "-out",
                        f"{folder}/{name}.crt"], check=True, capture_output=True)
        with open(f"{folder}/{name}.pem", "w") as out:
            for part in "crt", "key":
                with open(f"{folder}/{name}.{part}") as f:
                    out.write(f.read())


def lbd_store(root, origin, http, tcp, cookie, log="off", routed=False):
    """A store below root: one worker thread, an HTTP, a TCP and a cookie service with one server each; log: of the last.
    routed: a content rule by Host sends the last one's requests to a pool with the same server."""
    def lbctl(*words):
        r = subprocess.run([BIN / "lbctl", "-q", "--root", root, *words], capture_output=True, text=True)
        if r.returncode != 0:
            sys.exit(f"bench: lbctl {' '.join(words)}: {r.stdout}{r.stderr}")
    address, port = origin.split(":")
    lbctl("set", "setting", "threads=1")
    times = ["keep_timeout=5m", "client_timeout=5m", "server_timeout=5m", "pool_timeout=5m"]
    for name, at, extra in (("http", http, ["mode=http", *times]), ("tcp", tcp, ["mode=tcp"]),
                            ("cookie", cookie, ["mode=http", "persistence=cookie", f"log={log}", *times])):
        lbctl("create", "vip", name, f"address={ADDRESS}", f"ports={at}", *extra)
        lbctl("create", "rip", f"{name}/s1", f"address={address}", f"port={port}")
    if routed:
        lbctl("create", "vip", "pool", "mode=http", "persistence=cookie", "server_timeout=5m", "pool_timeout=5m")
        lbctl("create", "rip", "pool/s1", f"address={address}", f"port={port}")
        lbctl("create", "rule", "cookie/host", "when=host is localhost", "action=use", "pool=pool")


def lbd_tls(root, origin, certs, detach=False, **ports):
    """The services tls and tlsrsa, on a running lbd-proxy, which takes the keys; detach: with tls_detach."""
    def lbctl(*words):
        r = subprocess.run([BIN / "lbctl", "-q", "--root", root, *words], capture_output=True, text=True)
        if r.returncode != 0:
            sys.exit(f"bench: lbctl {' '.join(map(str, words))}: {r.stdout}{r.stderr}")
    address, port = origin.split(":")
    for name, cert in ("tls", "ec"), ("tlsrsa", "rsa"):
        lbctl("cert", "import", f"{certs}/{cert}.crt", "--key", f"{certs}/{cert}.key", "--name", cert)
        lbctl("create", "tls", cert, f"cert={cert}")
        lbctl("create", "vip", name, f"address={ADDRESS}", f"ports={ports[name]}", f"tls={cert}", "keep_timeout=5m",
              "client_timeout=5m", "server_timeout=5m", "pool_timeout=5m", *(["tls_detach=yes"] if detach else []))
        lbctl("create", "rip", f"{name}/s1", f"address={address}", f"port={port}")


class Scratch:
    """A temporary folder, and processes that end with it."""

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lbd-bench."))
        self.processes = []
        return self

    def start(self, cmd, log, **kw):
        with open(self.dir / log, "ab") as f:
            p = subprocess.Popen([str(c) for c in cmd], stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                                 preexec_fn=die_with_parent, **kw)
        self.processes.append(p)
        return p

    def end(self, p, seconds=10):
        if p.poll() is None:
            p.terminate()
            try:
                p.wait(seconds)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if p in self.processes:
            self.processes.remove(p)

    def __exit__(self, *_):
        for p in reversed(list(self.processes)):
            self.end(p)
        shutil.rmtree(self.dir, ignore_errors=True)
