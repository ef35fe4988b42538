"""A client of HTTP/2 for the tests, by the library python3-h2; frames that no library would make are written by hand. And the
fixtures of the tests of HTTP/2: services with TLS and in clear."""
import re
import socket
import ssl
import struct

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from lbdtest import SLOW
from test_proxy_tls import Authority, bring

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR = 0, 1, 2
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


class Answer:
    """What came on one stream: .status, .fields (list), .body, .trailers, .interim (statuses), .ended, .reset (error code)."""

    def __init__(self):
        self.status, self.fields, self.body, self.trailers = None, [], b"", None
        self.interim, self.ended, self.reset = [], False, None

    def __getitem__(self, name):
        return dict(self.fields).get(name)


class Connection(h2.connection.H2Connection):
    """Streams that are open go on after GOAWAY (RFC 9113 section 6.8); the library would take no more frames."""

    def _receive_goaway_frame(self, frame):
        e = h2.events.ConnectionTerminated()
        e.error_code = frame.error_code
        return [], [e]


class H2:
    """One connection. ctx: TLS with ALPN h2; None: prior knowledge in clear. Windows are opened as data come unless hold."""

    def __init__(self, vip, ctx=None, name="a.example.org", hold=False, window=None, timeout=10, rcvbuf=None):
        if rcvbuf:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            s.settimeout(timeout * SLOW)
            s.connect((vip.address, vip.port))
        else:
            s = vip.connect(timeout)
        if ctx is not None:
            ctx.set_alpn_protocols(["h2"])
            s = ctx.wrap_socket(s, server_hostname=name)
            assert s.selected_alpn_protocol() == "h2"
        self.s, self.hold, self.vip, self.answers, self.goaway, self.closed = s, hold, vip, {}, None, False
        self.pings = 0
        self.h = Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False))
        if window is not None:
            self.h.local_settings = h2.settings.Settings(
                client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.h.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.s.close()

    def flush(self):
        self.s.sendall(self.h.data_to_send())

    def request(self, path="/", method="GET", *more, body=None, end=None, authority="a.example.org", now=True):
        """Sends a head (and a body, which must fit the windows); the stream's number."""
        n = self.h.get_next_available_stream_id()
        fields = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *more]
        end = body is None if end is None else end
        self.answers[n] = Answer()
        self.h.send_headers(n, fields, end_stream=end and body is None)
        if body is not None:
            self.data(n, body, end=end if body is None else True, now=False)
        if now:
            self.flush()
        return n

    def fields(self, fields, end=True):
        """A head of these fields alone, as they are."""
        n = self.h.get_next_available_stream_id()
        self.answers[n] = Answer()
        self.h.send_headers(n, fields, end_stream=end)
        self.flush()
        return n

    def data(self, n, body, end=False, now=True):
        at = 0
        while at < len(body):
            room = min(self.h.local_flow_control_window(n), self.h.max_outbound_frame_size)
            if room == 0:
                self.flush()
                assert self.step(), "closed in the middle of a body"
                if self.answers[n].reset is not None:
                    return
                continue
            piece = body[at:at + room]
            at += len(piece)
            self.h.send_data(n, piece)
        if end:
            self.h.end_stream(n)
        if now:
            self.flush()

    def raw(self, data):
        self.flush()
        self.s.sendall(data)

    def step(self):
        """Takes what one read brings; False: the connection was closed."""
        try:
            got = self.s.recv(65536)
        except (ConnectionError, ssl.SSLError):
            got = b""
        if not got:
            self.closed = True
            return False
        for e in self.h.receive_data(got):
            self.event(e)
        try:
            self.flush()
        except (ConnectionError, ssl.SSLError):
            pass
        return True

    def event(self, e):
        a = self.answers.get(getattr(e, "stream_id", None))
        if isinstance(e, h2.events.InformationalResponseReceived):
            a.interim.append(int(dict(e.headers)[":status"]))
        elif isinstance(e, h2.events.ResponseReceived):
            a.status, a.fields = int(dict(e.headers)[":status"]), e.headers
        elif isinstance(e, h2.events.TrailersReceived):
            a.trailers = dict(e.headers)
        elif isinstance(e, h2.events.DataReceived):
            a.body += e.data
            if not self.hold:
                self.h.acknowledge_received_data(e.flow_controlled_length, e.stream_id)
        elif isinstance(e, h2.events.StreamEnded):
            a.ended = True
        elif isinstance(e, h2.events.StreamReset):
            a.reset = e.error_code
        elif isinstance(e, h2.events.ConnectionTerminated):
            self.goaway = e.error_code
        elif isinstance(e, h2.events.PingAckReceived):
            self.pings += 1

    def until(self, condition):
        while not condition():
            if not self.step():
                raise AssertionError("the connection was closed")

    def answer(self, n):
        """The whole answer of a stream."""
        a = self.answers[n]
        self.until(lambda: a.ended or a.reset is not None)
        return a

    def get(self, path="/", method="GET", *more, **kw):
        return self.answer(self.request(path, method, *more, **kw))

    def ended(self):
        """Reads until the connection is closed; the error code of GOAWAY."""
        while self.step():
            pass
        return self.goaway


# ---- services --------------------------------------------------------------------------------------------------------

HOST = "a.example.org"
REQUEST = [(":method", "GET"), (":scheme", "http"), (":authority", HOST), (":path", "/")]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def tls(lb, ca):
    """TLS settings "base" with a certificate for HOST; the authority."""
    lb.vip("first")
    bring(lb, "a", *ca.sign("a", f"DNS:{HOST}"))
    lb.ctl("create", "tls", "base", "cert=a")
    return ca


def vip_of(lb, request, *origins, **fields):
    """A service with the name of the test."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_")).strip("-")
    return lb.vip(name, *origins, **fields)


@pytest.fixture()
def clear(lb, origins, request):
    """A service without TLS that takes HTTP/2, and its origin."""
    o, = origins("o")
    return vip_of(lb, request, o, h2c="yes"), o


@pytest.fixture()
def secure(lb, tls, origins, request):
    o, = origins("o")
    return vip_of(lb, request, o, tls="base"), o


def counters(lb, vip):
    return lb.json("stats", vip.name)[0]


def rows(lb, vip):
    return lb.json("conns", vip.name)
