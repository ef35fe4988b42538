"""Services with tls_detach: connections of TLS 1.3 go on with a record layer of our own, and their clients notice nothing. What
holds for TLS at all is tried again with it (tests of test_proxy_tls.py); then what only records can do: changes of keys,
alerts, bytes that are no record; HTTP/2; and what an idle connection costs."""
import os
import socket
import ssl
import subprocess

import pytest

from lbdtest import BIN, SLOW, Lbd, Origin, http_answer
# the same again: pytest finds them here, and they find the fixtures of this file
from test_proxy_tls import (TLS13, ask, ca, certs, connect, context, exchange, one, test_a_silent_client_is_told_goodbye,  # noqa: F401
                            test_both_sides, test_client_certificates, test_handshake_in_pieces, test_hot_swap, test_large_bodies,
                            test_names, test_sessions_go_on, test_tcp, test_termination, test_upgrade)


class Detached(Lbd):
    """All services with TLS have the option."""

    def vip(self, name, *origins, **fields):
        if "tls" in fields:
            fields.setdefault("tls_detach", "yes")
        return super().vip(name, *origins, **fields)


@pytest.fixture(scope="module")
def lb(tmp_path_factory):
    lb = Detached(tmp_path_factory.mktemp("lbd"), "lbd-proxy")
    lb.start()
    yield lb
    lb.stop()


def echo(c, o):
    while data := c.recv(65536):
        c.sendall(data)


@pytest.fixture()
def mirror(lb, certs, closing, request):
    """A service that sends everything back."""
    name = request.node.name.replace("test_", "").replace("[", "-").replace("]", "").replace("_", "-")[:60]
    return lb.vip(name, closing(Origin("o", handle=echo)), mode="tcp", tls="base")


def growth(lb, vip, ca, closing, n):
    """Bytes of memory for each of n idle connections, one after the other."""
    def rss():
        with open(f"/proc/{lb.pid()}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    ctx = context(ca, TLS13)

    def one():
        s = closing(connect(vip, ctx))
        assert ask(s)[0] == "HTTP/1.1 200 OK"
    for _ in range(50):  # what is made once
        one()
    before = rss()
    for _ in range(n):
        one()
    return (rss() - before) / n


@pytest.mark.skipif("address" in BIN.parent.name, reason="with a sanitizer memory has another price")
def test_memory(lb, certs, origins, closing):
    """An idle connection costs a tenth. The sum of all the daemon's memory is looked at, so the limits leave room."""
    o, = origins("o")
    lb.ctl("set", "setting", "threads=1")
    with_it = lb.vip("small", o, tls="base", keep_timeout="5m", client_timeout="5m")
    without = lb.vip("large", o, tls="base", tls_detach="no", keep_timeout="5m", client_timeout="5m")
    assert growth(lb, with_it, certs, closing, 600) < 3000
    assert growth(lb, without, certs, closing, 600) > 9000


def s_client(vip, ca, *args):
    return subprocess.Popen(["openssl", "s_client", "-connect", f"{vip.address}:{vip.port}", "-servername", "a.example.org",
                             "-CAfile", str(ca.pem), "-verify_return_error", "-tls1_3", *args], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
def test_changes_of_keys(mirror, certs, suite):
    """RFC 8446 4.6.3: the client changes its keys, and wants ours changed; bytes before and after come back."""
    with s_client(mirror, certs, "-ciphersuites", suite, "-msg") as p:
        seen = []

        def until(text):
            for line in p.stdout:
                seen.append(line)
                if text in line:
                    return
            raise AssertionError("".join(seen))
        until("Verify return code: 0 (ok)")  # then the ticket waits for the first answer
        for i, command in enumerate(("k", "K", "K", "k", "K")):
            p.stdin.write(f"before {i}\n")
            p.stdin.flush()
            until(f"before {i}")
            p.stdin.write(f"{command}\n")
            p.stdin.flush()
            until("KEYUPDATE")
            p.stdin.write(f"after {i}\n")
            p.stdin.flush()
            until(f"after {i}")
        p.stdin.close()
        rest = p.stdout.read()
        assert p.wait(20 * SLOW) == 0
    text = "".join(seen)
    assert f"New, TLSv1.3, Cipher is {suite}" in text
    assert text.count(">>> TLS 1.3, Handshake [length 0005], KeyUpdate") == 5
    assert text.count("<<< TLS 1.3, Handshake [length 0005], KeyUpdate") == 3  # answers to K
    assert "error" not in (text + rest).lower().replace("verify error", "")


def test_transfer(mirror, certs):
    """Megabytes there and back while both sides send."""
    data = os.urandom(8_000_000)
    with connect(mirror, context(certs, TLS13), timeout=60) as s:
        assert exchange(s, data) == data


def test_half_close(mirror, certs):
    """RFC 8446 6.1: a client that has said its end still gets what comes; then it is told ours."""
    into, out, s = shake(mirror, certs)
    with s:
        tls = s.tls
        tls.write(b"x" * 50_000)
        data = out.read()
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        s.sendall(data + out.read())
        got = b""
        with pytest.raises(ssl.SSLZeroReturnError):
            while chunk := s.recv(65536):
                into.write(chunk)
                try:
                    while chunk := tls.read(65536):
                        got += chunk
                    raise ssl.SSLZeroReturnError
                except ssl.SSLWantReadError:
                    pass
        assert got == b"x" * 50_000


class Raw(socket.socket):
    """A socket beneath a handshake that was made: .tls says what the client would send."""


def shake(vip, ca):
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(ca, TLS13).wrap_bio(into, out, server_hostname="a.example.org")
    s = Raw(fileno=vip.connect(10).detach())
    s.settimeout(10 * SLOW)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            s.sendall(out.read())
            into.write(s.recv(65536))
    s.sendall(out.read())
    s.tls = tls
    return into, out, s


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


# what a client sends instead of the good record that it made, and what it is told
BAD = {
    "a byte of the content is another": (lambda good: flipped(good, 7), "BAD_RECORD_MAC"),
    "a byte of the tag": (lambda good: flipped(good, len(good) - 1), "BAD_RECORD_MAC"),
    "twice": (lambda good: good + good, "BAD_RECORD_MAC"),
    "nothing in it": (lambda good: bytes.fromhex("1703030000"), "BAD_RECORD_MAC"),
    "too long": (lambda good: bytes.fromhex("1703034101"), "RECORD_OVERFLOW"),
    "ChangeCipherSpec": (lambda good: bytes.fromhex("140303000101"), "UNEXPECTED_MESSAGE"),
    "an alert in the clear behind it": (lambda good: good + bytes.fromhex("15030300020100"), "UNEXPECTED_MESSAGE"),
    "HTTP in the clear": (lambda good: b"GET / HTTP/1.1\r\n\r\n", "UNEXPECTED_MESSAGE"),
}


def test_bad_records(one, certs):
    """What is no record of this client ends its connection with the alert that RFC 8446 has for it, and no other connection."""
    vip, _ = one
    with connect(vip, context(certs, TLS13)) as other:
        for what, (send, alert) in BAD.items():
            assert ask(other)[0] == "HTTP/1.1 200 OK"
            into, out, s = shake(vip, certs)
            with s:
                s.tls.write(b"GET / HTTP/1.1\r\nHost: a\r\n")  # no whole head: nothing is answered but by the alert
                s.sendall(send(out.read()))
                with pytest.raises(ssl.SSLError, match=alert):
                    while data := s.recv(65536):
                        into.write(data)
                        try:
                            s.tls.read(65536)
                        except ssl.SSLWantReadError:
                            pass
                    raise AssertionError(what)
        assert ask(other)[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("step", [1, 7, 5000])
def test_records_in_pieces(one, certs, step):
    """Records that come in pieces, and many at once."""
    vip, o = one
    body = os.urandom(40_000 if step > 1 else 4_000)
    o.answer = lambda r: http_answer(r["body"].encode("latin-1"))
    into, out, s = shake(vip, certs)
    with s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.tls.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
        for i in range(0, len(body), 1000):
            s.tls.write(body[i:i + 1000])
        data, got = out.read(), b""
        for i in range(0, len(data), step):
            s.send(data[i:i + step])
        while not got.endswith(body):
            into.write(s.recv(65536))
            try:
                while chunk := s.tls.read(65536):
                    got += chunk
            except ssl.SSLWantReadError:
                pass
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_client_that_goes_without_a_word(one, certs):
    """The end of TCP alone ends the connection too."""
    vip, _ = one
    _, _, s = shake(vip, certs)
    with s:
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass


def test_short_records_stay(one, certs):
    """A client that wants records of 512 bytes gets them: its connection stays with OpenSSL."""
    vip, _ = one
    with s_client(vip, certs, "-maxfraglen", "512", "-quiet", "-crlf") as p:
        out, _ = p.communicate("GET / HTTP/1.1\nHost: a\nConnection: close\n\n", 20 * SLOW)
    assert "HTTP/1.1 200 OK" in out


def test_http2(lb, certs, origins, tmp_path):
    """Streams of HTTP/2: many at once, large both ways; by ALPN as before."""
    o, = origins("o")
    vip = lb.vip("two", o, tls="base", http2_streams=200)
    r = subprocess.run(["h2load", "-n", "2000", "-c", "8", "-m", "50", f"https://{vip.address}:{vip.port}/"], capture_output=True,
                       text=True, timeout=100 * SLOW)
    assert "2000 succeeded, 0 failed, 0 errored" in r.stdout and "protocol: h2" in r.stdout, r.stdout
    body = tmp_path / "body"
    body.write_bytes(os.urandom(3_000_000))
    o.answer = lambda r: http_answer(r["body"].encode("latin-1"))
    for version in "--http2", "--http1.1":
        r = subprocess.run(["curl", "-sS", version, "--tlsv1.3", "--cacert", certs.pem, "--data-binary", f"@{body}", "-o",
                            tmp_path / "back", "-w", "%{http_version} %{http_code}", "--resolve",
                            f"a.example.org:{vip.port}:{vip.address}", f"https://a.example.org:{vip.port}/"],
                           capture_output=True, text=True, timeout=60 * SLOW)
        assert r.stdout == f"{version[6:]} 200", r.stderr
        assert (tmp_path / "back").read_bytes() == body.read_bytes()


def test_proxy_header_and_name(lb, certs, closing):
    """What is known of the handshake outlives it: the PROXY header names protocol and host."""
    heads = []

    def note(c, o):
        heads.append(c.recv(4096))
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    vip = lb.vip("named", closing(Origin("o", handle=note)), tls="base", proxy_to="v2")
    with connect(vip, context(certs, TLS13)) as s:
        assert ask(s)[0] == "HTTP/1.1 200 OK"
    assert b"TLSv1.3" in heads[0] and b"a.example.org" in heads[0]


def test_option_by_commit(lb, certs, origins):
    """It comes and goes with a commit; connections that are open stay as they are."""
    o, = origins("o")
    vip = lb.vip("turns", o, tls="base", tls_detach="no")
    ctx = context(certs, TLS13)
    with connect(vip, ctx) as a:
        for value in "yes", "no", "yes":
            assert ask(a)[0] == "HTTP/1.1 200 OK"
            lb.ctl("set", "vip", "turns", f"tls_detach={value}")
            with connect(vip, ctx) as b:
                assert ask(b)[0] == ask(a)[0] == "HTTP/1.1 200 OK"
    r = lb.ctl("set", "vip", "turns", "tls_detach=perhaps", check=False)
    assert r.returncode == 7 and 'vip turns: tls_detach: "perhaps" is not allowed' in r.stderr, r.stderr
