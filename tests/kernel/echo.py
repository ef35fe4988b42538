"""Servers and clients of the lab, all in the test's own process: sockets that belong to the lab's namespaces, served by one thread.
An interpreter for each would take seconds under an emulated processor.

A server says at once (UDP: in front of each answer) one line, "NAME CLIENT PORT ADDRESS PORT": its name, and the two ends as it
sees them; then it echoes. A client that has read the line knows who answered and what the server saw."""
import collections
import contextlib
import dataclasses
import ipaddress
import os
import selectors
import socket
import threading
import time

from lbdtest import SLOW

IPPROTO_SCTP = 132
IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50
AT_ONCE = 200  # connections that a client has under way


def plain(a):
    """The address without the ::ffff: of IPv4."""
    a = ipaddress.ip_address(a.partition("%")[0])
    return str(getattr(a, "ipv4_mapped", None) or a)


def line(name, client, own):
    return f"{name} {plain(client[0])} {client[1]} {plain(own[0])} {own[1]}\n".encode()


class Listener:
    """One port of one server; close() refuses from then on and drops what is open."""

    def __init__(self, echo, server, port, protocol):
        self.echo, self.name, self.port, self.protocol = echo, server.host, port, protocol
        self.open, self.accepted, self.clients = set(), 0, []
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        with server.inside():
            self.sock = socket.socket(socket.AF_INET6, kind, IPPROTO_SCTP if protocol == "sctp" else 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if protocol == "udp":
            self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.bind(("::", port))
        if protocol != "udp":
            self.sock.listen(1024)
        self.sock.setblocking(False)

    def ready(self):
        self.datagram() if self.protocol == "udp" else self.accept()

    def accept(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                c, client = self.sock.accept()
                c.setblocking(False)
                self.accepted += 1
                self.clients.append(plain(client[0]))
                with contextlib.suppress(OSError):
                    c.send(line(self.name, client, c.getsockname()))
                    self.open.add(c)
                    self.echo.wait.register(c, selectors.EVENT_READ, lambda c=c: self.echoed(c))
                    continue
                c.close()

    def echoed(self, c):
        try:
            data = c.recv(65536)
            if data:
                c.send(data)
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.forget(c)

    def forget(self, c):
        self.echo.wait.unregister(c)
        self.open.discard(c)
        c.close()

    def datagram(self):
        """Answers from the address that was asked: a virtual address on lo, with direct routing."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data, more, _, client = self.sock.recvmsg(65536, 128)
                info = next(v for level, kind, v in more if kind == IPV6_PKTINFO)
                own = info[:16] + bytes(4)  # any interface
                self.accepted += 1
                self.clients.append(plain(client[0]))
                head = line(self.name, client, (str(ipaddress.IPv6Address(info[:16])), self.port))
                with contextlib.suppress(OSError):
                    self.sock.sendmsg([head + data], [(socket.IPPROTO_IPV6, IPV6_PKTINFO, own)], 0, client)

    def close(self):
        self.echo.call(self._close)

    def _close(self):
        if self.sock.fileno() != -1:
            self.echo.wait.unregister(self.sock)
            self.sock.close()
            for c in list(self.open):
                self.forget(c)


class Echo:
    """The thread that serves every listener of a lab."""

    def __init__(self):
        self.wait, self.todo, self.ended = selectors.DefaultSelector(), collections.deque(), False
        self.listeners = []
        self.wake = os.eventfd(0, os.EFD_NONBLOCK)
        self.wait.register(self.wake, selectors.EVENT_READ, lambda: os.eventfd_read(self.wake))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ended:
            for key, _ in self.wait.select():
                if key.fileobj in self.wait.get_map():  # an earlier one of this round may have closed it
                    key.data()
            while self.todo:
                f, done = self.todo.popleft()
                f()
                done.set()

    def call(self, f):
        """Runs f in the thread: the selector is its own."""
        done = threading.Event()
        self.todo.append((f, done))
        os.eventfd_write(self.wake, 1)
        assert done.wait(30 * SLOW)

    def listen(self, server, port, protocol):
        x = Listener(self, server, port, protocol)
        self.listeners.append(x)
        self.call(lambda: self.wait.register(x.sock, selectors.EVENT_READ, x.ready))
        return x

    def close(self):
        for x in self.listeners:
            x.close()

        def end():
            self.ended = True
        self.call(end)
        self.thread.join(30)


@dataclasses.dataclass(eq=False)
class Flow:
    """An open connection. server: who answered, None for nobody; seen: the client's address as the server saw it, own: the
    address that the server was reached at (host, port each)."""
    sock: socket.socket
    server: str = None
    seen: tuple = None
    own: tuple = None

    def told(self, raw):
        name, host, port, own, own_port = raw.split(b"\n")[0].decode().split()
        self.server, self.seen, self.own = name, (host, int(port)), (own, int(own_port))

    def echo(self, data=b"x", timeout=5):
        """Sends, and demands the same back: the connection lives and goes to whom it went."""
        self.sock.settimeout(timeout * SLOW)
        self.sock.sendall(data)
        got = b""
        while len(got) < len(data):
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionResetError("closed")
            got += more
        assert got == data

    def alive(self, timeout=5):
        try:
            self.echo(timeout=timeout)
            return True
        except OSError:
            return False

    def was_reset(self):
        """The other side ended it already, without our sending anything."""
        self.sock.setblocking(False)
        try:
            return self.sock.recv(65536) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self):
        if self.sock:
            self.sock.close()


def _connect(vip, port, protocol, source):
    """A socket on its way; call it in the client's namespace. source: an address, or an address and a port."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    s = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, kind, IPPROTO_SCTP if protocol == "sctp" else 0)
    s.setblocking(False)
    if source:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(source if isinstance(source, tuple) else (source, 0))
    with contextlib.suppress(BlockingIOError):
        s.connect((vip, port))
    if protocol == "udp":
        s.send(b"x")
    return s


def _told(f):
    """Takes the server's line when there is one; True: nothing more is to come."""
    try:
        raw = f.sock.recv(65536)
    except BlockingIOError:
        return False
    except OSError:  # refused, reset, unreachable
        return True
    if raw:
        f.told(raw)
    return True


def flows(client, n, vip, port=80, protocol="tcp", source=None, timeout=5, keep=True):
    """n connections of the client's, AT_ONCE under way at a time. Those without an answer after timeout seconds have
    server None. source: its address, (address, port), or a function of the number of the connection."""
    out, waiting, end = [], set(), 0
    with selectors.DefaultSelector() as wait:
        while len(out) < n or waiting:
            with client.inside():
                while len(out) < n and len(waiting) < AT_ONCE:
                    try:
                        f = Flow(_connect(vip, port, protocol, source(len(out)) if callable(source) else source))
                    except ConnectionError:  # refused at once
                        out.append(Flow(None))
                        continue
                    out.append(f)
                    waiting.add(f)
                    wait.register(f.sock, selectors.EVENT_READ, f)
                    end = time.monotonic() + timeout * SLOW
            for key, _ in wait.select(max(0, end - time.monotonic())):
                if _told(key.data):
                    wait.unregister(key.fileobj)
                    waiting.discard(key.data)
                    if not keep:
                        key.data.close()
            if time.monotonic() > end:
                break
    for f in waiting if not keep else ():
        f.close()
    return out


def spread(client, n, vip, port=80, protocol="tcp", source=None, timeout=5):
    """Counter of the servers' names over n new connections (UDP: requests from n ports)."""
    return collections.Counter(f.server for f in flows(client, n, vip, port, protocol, source, timeout, keep=False))
