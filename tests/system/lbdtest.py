"""What the system tests share: daemons under a root folder of their own, origins, clients, namespaces.

    lb = Lbd(tmp_path, "lbd-proxy")             # nothing runs yet
    a = Origin("a")                             # a server that answers with its name
    vip = lb.vip("web", a, mode="http")         # lbctl create vip + create rip web/a
    lb.start()                                  # waits until the daemons say that they are ready
    assert get(vip).server == "a"
    lb.stop(); a.close()                        # also done at the end of each test by the fixtures of conftest.py

Waiting is wait_until(condition). Only processes started here are ended, by pid."""
import contextlib
import ctypes
import http.client
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("LBD_BIN", ROOT / "build/bin"))
# Virtual services; origins are on 127.0.0.1. Each test process has its own, so that nobody else's addresses matter.
ADDRESS = f"127.{80 + os.getpid() % 100}.{os.getpid() // 100 % 250}.2"
SLOW = float(os.environ.get("LBD_SLOW", "1"))  # sanitizer builds and busy machines: wait longer

_ports = itertools.count(20000 + os.getpid() % 500 * 20)


def wait_until(condition, timeout=10, what=None):
    """The first true value of condition(); fails after timeout seconds. One that runs programs leaves the processor to others for as
    long as it took."""
    end = time.monotonic() + timeout * SLOW
    while True:
        asked = time.monotonic()
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now > end:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(min(max(0.01, now - asked), 0.2))


def free_port(address=ADDRESS):
    """A port below the ephemeral ones that nobody listens on."""
    for port in _ports:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
                return port
            except OSError as e:
                if e.errno == 99:  # not an address of ours: nobody listens there
                    return port


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def alive(pid):
    """Runs, and is no zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def follows(process):
    """Waits until `ip monitor`, started as this process, has joined its groups: it misses nothing from now on."""
    def joined():
        with open(f"/proc/{process.pid}/net/netlink") as table:
            rows = [line.split() for line in table][1:]
        return any(row[2] == str(process.pid) and int(row[3], 16) for row in rows)
    wait_until(joined, what="ip monitor has begun")


class Vip:
    """Where a virtual service listens."""

    def __init__(self, name, address, port):
        self.name, self.address, self.port = name, address, port

    def connect(self, timeout=10, source=None):
        return socket.create_connection((self.address, self.port), timeout * SLOW, source and (source, 0))


class Lbd:
    """Daemons under one root folder; netns: the namespace they run in."""

    def __init__(self, root, *daemons, netns=None):
        self.root, self.daemons, self.netns = pathlib.Path(root), daemons, netns
        self.process, self.log, self.bin = {}, self.root / "log", BIN
        self.root.mkdir(parents=True, exist_ok=True)

    def _prefix(self):
        return self.netns.prefix if self.netns else []

    def ctl(self, *args, check=True, input=None):
        """lbctl ARGS; the completed process. check: exit code 0 is demanded."""
        r = subprocess.run([*self._prefix(), BIN / "lbctl", "--root", self.root, *map(str, args)], input=input,
                           capture_output=True, text=True, timeout=60 * SLOW)
        if check and r.returncode != 0:
            raise AssertionError(f"lbctl {' '.join(map(str, args))}: exit {r.returncode}\n{r.stdout}{r.stderr}")
        return r

    def json(self, *args):
        return json.loads(self.ctl(*args, "-o", "json").stdout)

    def rip(self, vip, name, port, address="127.0.0.1", **fields):
        """Creates a real server; vip is a Vip or a name."""
        vip = getattr(vip, "name", vip)
        self.ctl("create", "rip", f"{vip}/{name}", f"address={address}", f"port={port}",
                 *(f"{k}={v}" for k, v in fields.items()))

    def vip(self, name, *origins, address=ADDRESS, port=None, wait=True, **fields):
        """Creates a virtual service with a real server for each origin, in one commit, so that who comes as soon as it listens
        finds its servers; waits until it listens, if lbd-proxy runs."""
        vip = Vip(name, address, port or free_port(address))
        rips = {o.name: {"address": o.address, "port": o.port} for o in origins}
        row = {"address": address, "ports": vip.port, "rips": rips, **fields}
        self.ctl("apply", "-f", "-", input=json.dumps({"vip": {name: row}}))
        if wait and "lbd-proxy" in self.process:
            wait_until(lambda: listens(vip.address, vip.port, self.netns), what=f"vip {name} listens")
        return vip

    def start(self, *names, env=None, preexec=None):
        """Starts daemons (all of this node without names) and waits until each says READY=1. One that says "try again" (75), as
        when a killed process has not quite left, is started again, as systemd and lbctl run do."""
        for name in names or self.daemons:
            for tries in range(10):
                if self._start(name, env, preexec):
                    break
                time.sleep(0.2)
            else:
                raise AssertionError(f"{name} did not start: it says again and again to try again\n{self.text()}")
        return self

    def _start(self, name, env, preexec):
        """False: it ended with 75."""
        path = f"{self.root}/notify.{name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.log, "ab") as log:
            notify.bind(path)
            notify.settimeout(20 * SLOW)

            def before():
                die_with_parent()
                if preexec:
                    preexec()
            p = subprocess.Popen([*self._prefix(), self.bin / name, "-f", "--root", self.root], stderr=log, stdout=log,
                                 env=dict(os.environ, NOTIFY_SOCKET=path, **(env or {})), preexec_fn=before)
            self.process[name] = p
            try:
                while b"READY=1" not in self._notified(notify, name):
                    pass
            except AssertionError:
                if p.poll() == 75:
                    return False
                raise
        return True

    def _notified(self, notify, name):
        notify.settimeout(0.2)
        end = time.monotonic() + 20 * SLOW
        while time.monotonic() < end:
            try:
                return notify.recv(4096)
            except TimeoutError:
                if self.process[name].poll() is not None:
                    break
        raise AssertionError(f"{name} did not start: exit {self.process[name].poll()}\n{self.text()}")

    def text(self):
        """Everything that the daemons logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def pid(self, name="lbd-proxy"):
        """The daemon's own process id (ip netns exec replaces itself, so there is none in between)."""
        return self.process[name].pid

    def kill(self, name, sig=signal.SIGKILL):
        p = self.process.pop(name)
        p.send_signal(sig)
        return p.wait(20)

    def stop(self):
        """Ends what runs; a daemon that had died, does not end, or does not end well, is a failure."""
        wrong, held = [], "lbd-ha" in self.process and self.netns is None
        for name in list(self.process):
            p = self.process.pop(name)
            died = p.poll()
            p.terminate()
            try:
                p.wait(20 * SLOW)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            if died is not None or p.returncode != 0:
                wrong.append(f"{name}: {'died' if died is not None else 'ended'} with {p.returncode}")
        if held:  # a stopped lbd-ha leaves its addresses to the next; on the machine itself there is none
            subprocess.run([BIN / "lbd-ha", "--release", "--root", self.root], check=True)
        if wrong:
            raise AssertionError("; ".join(wrong) + "\n" + self.text()[-4000:])


def listens(address, port, netns=None):
    """Is there a listening TCP socket? Reads the kernel's table, so no connection is made."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    raw = socket.inet_pton(family, address)
    words = [raw[i:i + 4][::-1].hex().upper() for i in range(0, len(raw), 4)]
    want = f"{''.join(words)}:{port:04X}"
    path = "/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp"
    text = netns.run("cat", path).stdout if netns else pathlib.Path(path).read_text()
    return any(f.split()[1] == want and f.split()[3] == "0A" for f in text.splitlines()[1:])


class Origin:
    """A server in threads. handle(connection, origin) serves one connection; the default speaks HTTP and answers each
    request with JSON about it. Keeps what it received: .raw (bytes of each connection), .requests (dicts)."""

    def __init__(self, name, handle=None, address="127.0.0.1", port=0, backlog=512):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.name, self.address, self.handle = name, address, handle or serve_http
        self.raw, self.requests, self.open, self.accepted = [], [], set(), 0
        self.answer = None  # serve_http: a function (request) -> bytes instead of the JSON
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.accepted += 1
            self.open.add(c)
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            self.handle(c, self)
        except OSError:
            pass
        finally:
            self.open.discard(c)
            c.close()

    def close(self):
        """Refuses from now on and drops every connection."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for c in list(self.open):
            with contextlib.suppress(OSError):
                c.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Reader:
    """Bytes of a socket, by line or by number; keeps all it read in .raw."""

    def __init__(self, sock):
        self.sock, self.buf, self.raw = sock, b"", bytearray()

    def more(self):
        got = self.sock.recv(65536)
        self.raw += got
        self.buf += got
        return bool(got)

    def until(self, mark):
        """Up to and with mark; None at the end of the stream."""
        while mark not in self.buf:
            if not self.more():
                return None
        out, _, self.buf = self.buf.partition(mark)
        return out + mark

    def exactly(self, n):
        while len(self.buf) < n:
            if not self.more():
                return None
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def rest(self):
        while self.more():
            pass
        out, self.buf = self.buf, b""
        return out

    def head(self):
        """(start line, [(lower-case name, value)], bytes), or None."""
        raw = self.until(b"\r\n\r\n")
        if raw is None:
            return None
        lines = raw.decode("latin-1").split("\r\n")
        fields = [(n.lower(), v.strip()) for n, _, v in (x.partition(":") for x in lines[1:] if x)]
        return lines[0], fields, raw

    def chunks(self):
        """The data of a chunked body; None when the stream ends before it."""
        out = b""
        while (line := self.until(b"\r\n")) is not None:
            size = int(line.split(b";")[0], 16)
            if size == 0:
                while (line := self.until(b"\r\n")) not in (b"\r\n", None):
                    pass
                return out if line else None
            piece = self.exactly(size + 2)
            if piece is None:
                return None
            assert piece[size:] == b"\r\n"
            out += piece[:size]
        return None

    def body(self, fields):
        f = dict(fields)
        if f.get("transfer-encoding", "").lower() == "chunked":
            return self.chunks()
        return self.exactly(int(f.get("content-length", 0)))


def http_answer(body=b"", status="200 OK", *fields):
    """Bytes of an answer with Content-Length."""
    extra = "".join(f + "\r\n" for f in fields)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


def serve_http(c, origin):
    r = Reader(c)
    origin.raw.append(r.raw)
    while True:
        head = r.head()
        if head is None:
            return
        method, target, version = head[0].split(" ")
        if ("expect", "100-continue") in head[1]:
            c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = r.body(head[1])
        if body is None:
            return
        request = {"server": origin.name, "method": method, "target": target, "version": version, "fields": head[1],
                   "body": body.decode("latin-1"), "connection": id(r)}
        origin.requests.append(request)
        if origin.answer:
            out = origin.answer(request)
        else:
            show = dict(request, body=len(body))
            out = http_answer(json.dumps(show).encode(), "200 OK", f"X-Server: {origin.name}")
        if method == "HEAD":
            out = out[:out.index(b"\r\n\r\n") + 4]
        c.sendall(out)
        if ("connection", "close") in head[1] or version == "HTTP/1.0":
            return


class Answer:
    """An HTTP answer: .status, .headers (http.client), .body, .server (of serve_http), .json."""

    def __init__(self, r):
        self.status, self.headers, self.body = r.status, r.headers, r.read()
        self.server = r.headers.get("X-Server")

    @property
    def json(self):
        return json.loads(self.body)


def get(vip, path="/", headers=(), method="GET", body=None, source=None, connection=None):
    """One request; on a connection of its own unless an http.client connection is given."""
    c = connection or client(vip, source)
    try:
        c.request(method, path, body, dict(headers), encode_chunked="Transfer-Encoding" in dict(headers))
        return Answer(c.getresponse())
    finally:
        if connection is None:
            c.close()


def client(vip, source=None, timeout=10):
    return http.client.HTTPConnection(vip.address, vip.port, timeout=timeout * SLOW,
                                      source_address=source and (source, 0))


def talk(vip, data, timeout=10, half_close=False):
    """Sends bytes, returns all bytes until the proxy closes (b"" also for a reset)."""
    out = b""
    with contextlib.suppress(ConnectionError), vip.connect(timeout) as s:
        with contextlib.suppress(ConnectionError):
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
        while got := s.recv(65536):
            out += got
    return out


class Load:
    """Clients in a process of their own, so that they do not share an interpreter with the origins: keep-alive GETs until
    stop(). .result: {"ok": n, "failed": [text...], "servers": {name: n}}. See load.py."""

    def __init__(self, vip, clients=8, every_ms=5, close_every=20, netns=None):
        cmd = [*(netns.prefix if netns else []), "python3", ROOT / "tests/system/load.py", vip.address, str(vip.port),
               str(clients), str(every_ms), str(close_every)]
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        assert self.p.stdout.readline() == "started\n"

    def count(self):
        """Requests answered so far."""
        self.p.stdin.write("count\n")
        self.p.stdin.flush()
        return int(self.p.stdout.readline())

    def wait(self, n):
        """Until n more requests were answered."""
        end = self.count() + n
        wait_until(lambda: self.count() >= end, 60, f"{n} more requests")

    def stop(self):
        if self.p.poll() is None:
            self.p.stdin.write("stop\n")
            self.p.stdin.close()
        self.result = json.loads(self.p.stdout.readline())
        self.p.wait(30)
        return self.result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()


class Netns:
    """A network namespace with loopback up; removed by close()."""
    _number = itertools.count()

    def __init__(self):
        self.name = f"lbdt{os.getpid()}x{next(self._number)}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.prefix = ["ip", "netns", "exec", self.name]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *cmd, check=True):
        return subprocess.run([*self.prefix, *map(str, cmd)], capture_output=True, text=True, check=check)

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread makes meanwhile belong to the namespace (clients, listeners of origins)."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as old, open(f"/run/netns/{self.name}") as new:
            assert libc.setns(new.fileno(), 0x40000000) == 0  # CLONE_NEWNET
            try:
                yield self
            finally:
                assert libc.setns(old.fileno(), 0x40000000) == 0

    def link(self, other, here, there):
        """A veth pair between two namespaces; here and there are the interfaces' names."""
        self.run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", other.name)
        self.run("ip", "link", "set", here, "up")
        other.run("ip", "link", "set", there, "up")

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
