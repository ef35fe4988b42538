"""Servers that speak HTTP/2 for the tests, by the library python3-h2: one thread a connection, which alone touches it."""
import collections
import json
import select
import socket
import ssl

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from lbdtest import Origin

MAX_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
CONNECT_PROTOCOL = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


class Asked:
    """A request: .stream, .fields (as they came), .body, .trailers, .ended, .reset (error code)."""

    def __init__(self, conn, stream, fields):
        self.conn, self.stream, self.fields = conn, stream, fields
        self.body, self.trailers, self.ended, self.reset = b"", None, False, None

    def __getitem__(self, name):
        return dict(self.fields).get(name)

    def head(self, status, *fields, end=False):
        self.conn.h.send_headers(self.stream, [(":status", str(status)), *fields], end_stream=end)

    def data(self, body, end=False, trailers=None):
        """What the windows allow now, the rest as they open."""
        self.conn.left[self.stream] += body
        if end or trailers is not None:
            self.conn.ends[self.stream] = trailers
        self.conn.pump(self.stream)

    def answer(self, status=200, body=b"", *fields, trailers=None):
        self.head(status, *fields, end=not body and trailers is None)
        if body or trailers is not None:
            self.data(body, end=True, trailers=trailers)


class Connection:
    def __init__(self, s, origin):
        self.s, self.origin, self.asked, self.goaway, self.pings = s, origin, {}, None, 0
        self.left, self.ends, self.calls = collections.defaultdict(bytes), {}, collections.deque()
        self.wake, self.bell = socket.socketpair()
        self.h = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False,
            validate_inbound_headers=True))
        if origin.settings:
            self.h.local_settings = h2.settings.Settings(client=False, initial_values=origin.settings)
        self.over = False

    def call(self, fn, *args):
        """fn(*args) in the thread of this connection."""
        self.calls.append((fn, args))
        self.bell.send(b"!")

    def flush(self):
        out = self.h.data_to_send()
        if out:
            self.s.sendall(out)

    def raw(self, data):
        self.flush()
        self.s.sendall(data)

    def close(self):
        """Without another word."""
        self.over = True

    def pump(self, n):
        while self.left[n]:
            room = min(self.h.local_flow_control_window(n), self.h.max_outbound_frame_size)
            if room <= 0:
                return
            self.h.send_data(n, self.left[n][:room])
            self.left[n] = self.left[n][room:]
        if n in self.ends:
            trailers = self.ends.pop(n)
            if trailers is None:
                self.h.end_stream(n)
            else:
                self.h.send_headers(n, trailers, end_stream=True)

    def event(self, e):
        q = self.asked.get(getattr(e, "stream_id", None))
        if isinstance(e, h2.events.RequestReceived):
            q = self.asked[e.stream_id] = Asked(self, e.stream_id, e.headers)
            self.origin.asked.append(q)
            if self.origin.early:
                self.origin.early(q)
        elif isinstance(e, h2.events.DataReceived):
            q.body += e.data
            self.origin.most = max(self.origin.most, len(q.body))
            if not self.origin.hold:
                self.h.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
            if self.origin.piece:
                self.origin.piece(q, e.data)
        elif isinstance(e, h2.events.TrailersReceived):
            q.trailers = dict(e.headers)
        elif isinstance(e, h2.events.StreamEnded):
            q.ended = True
            if self.origin.respond:
                self.origin.respond(q)
        elif isinstance(e, h2.events.StreamReset):
            q.reset = e.error_code
            self.left.pop(e.stream_id, None)
            self.ends.pop(e.stream_id, None)
        elif isinstance(e, h2.events.WindowUpdated):
            for n in [e.stream_id] if e.stream_id else list(self.left):
                self.pump(n)
        elif isinstance(e, h2.events.PingReceived):
            self.pings += 1
        elif isinstance(e, h2.events.ConnectionTerminated):
            self.goaway = e.error_code

    def run(self):
        if self.origin.greets:
            self.h.initiate_connection()
            self.flush()
        while not self.over:
            pending = isinstance(self.s, ssl.SSLSocket) and self.s.pending() > 0
            ready = [self.s] if pending else select.select([self.s, self.wake], [], [])[0]
            if self.wake in ready:
                self.wake.recv(100)
                while self.calls:
                    fn, args = self.calls.popleft()
                    fn(*args)
            if self.s in ready:
                got = self.s.recv(65536)
                if not got:
                    return
                if self.origin.deaf:
                    continue
                for e in self.h.receive_data(got):
                    self.event(e)
            self.flush()


def echo(q):
    """What serve_http answers: JSON about the request."""
    q.answer(200, json.dumps({"origin": q.conn.origin.name, "method": q[":method"], "target": q[":path"], "fields": q.fields,
                              "body": q.body.decode("latin-1")}).encode(), ("content-type", "application/json"))


def serve_h2(c, origin):
    if origin.ctx is not None:
        c = origin.ctx.wrap_socket(c, server_side=True)
        origin.protocols.append(c.selected_alpn_protocol())
        if c.selected_alpn_protocol() == "http/1.1" or (c.selected_alpn_protocol() is None and origin.h1):
            origin.h1(c, origin)
            return
    conn = Connection(c, origin)
    origin.conns.append(conn)
    try:
        conn.run()
    except h2.exceptions.ProtocolError as e:
        origin.errors.append(repr(e))
    finally:
        conn.over = True
        c.close()


class H2Origin(Origin):
    """.respond(q): called when a request has ended; .early(q): with its head; .piece(q, data): with data. .conns, .asked: all there were.
    certs: (pem, key) for TLS, alpn: what it takes. h1(connection, origin): serves a connection for which that is HTTP/1.1."""

    def __init__(self, name, certs=None, alpn=("h2",), h1=None, settings=None, **kw):
        self.respond, self.early, self.piece, self.hold, self.deaf, self.greets = echo, None, None, False, False, True
        self.conns, self.asked, self.errors, self.protocols, self.most = [], [], [], [], 0
        self.settings, self.h1, self.ctx = settings, h1, None
        if certs:
            self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.ctx.load_cert_chain(*certs)
            if alpn:
                self.ctx.set_alpn_protocols(list(alpn))
        super().__init__(name, handle=serve_h2, **kw)
