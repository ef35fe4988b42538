"""TLS through lbd-proxy: to clients, to servers, names, sessions, certificates of clients; against Python's and openssl's TLS."""
import base64
import hashlib
import json
import os
import select
import socket
import ssl
import subprocess
import threading
import time

import pytest

from lbdtest import ADDRESS, Origin, Reader, http_answer, serve_http, wait_until

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def openssl(*args, text=True, **kw):
    r = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=text, timeout=60, **kw)
    assert r.returncode == 0, r.stderr
    return r.stdout


class Authority:
    """A root, and what it signs: files NAME.pem and NAME.key in its folder."""

    def __init__(self, folder, name="root", made=False):
        """made: its certificate and key are there."""
        self.folder, self.name = folder, name
        made or openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-keyout",
                folder / f"{name}.key", "-out", folder / f"{name}.pem", "-subj", f"/CN={name}",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        (folder / f"{name}.index").touch()
        (folder / f"{name}.cnf").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/{name}.index\ndefault_md=sha256\ndefault_crl_days=30\n"
            f"certificate={folder}/{name}.pem\nprivate_key={folder}/{name}.key\n")

    @property
    def pem(self):
        return self.folder / f"{self.name}.pem"

    def sign(self, name, *alt, rsa=False, days=30, more="", ca=False):
        """(certificate, key) for the alternative names, as DNS:www.example.org. more: lines of extensions. ca: it may sign."""
        key, pem = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        csr = openssl("req", "-new", "-newkey", *kind, "-nodes", "-keyout", key, "-subj", f"/CN={name}")
        ext = self.folder / f"{name}.ext"
        ext.write_text(f"basicConstraints=CA:{'TRUE' if ca else 'FALSE'}\n" + (f"subjectAltName={','.join(alt)}\n" if alt else "") + more)
        pem.write_text(openssl("x509", "-req", "-CA", self.pem, "-CAkey", self.folder / f"{self.name}.key", "-CAcreateserial",
                               "-days", days, "-extfile", ext, input=csr))
        return pem, key

    def revoke(self, pem):
        openssl("ca", "-config", self.folder / f"{self.name}.cnf", "-revoke", pem)

    def crl(self):
        return openssl("ca", "-config", self.folder / f"{self.name}.cnf", "-gencrl")


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def bring(lb, name, pem, key):
    """A certificate with its key."""
    lb.ctl("cert", "import", pem, "--key", key, "--name", name)


def trust(lb, name, ca, **more):
    """An authority, as a row."""
    lb.ctl("apply", "-f", "-", input=json.dumps({"ca": {name: {"certs": ca.pem.read_text(), **more}}}))


@pytest.fixture(scope="module")
def certs(lb, ca):
    """Certificates a (EC), b (RSA), wild and plain in the store, with their keys; TLS settings "base" with a."""
    lb.vip("first")  # a configuration, so that lbd-proxy runs and can take keys
    for name, alt, rsa in (("a", ["DNS:a.example.org", f"IP:{ADDRESS}"], False), ("b", ["DNS:b.example.org"], True),
                           ("wild", ["DNS:*.w.example.org"], False)):
        pem, key = ca.sign(name, *alt, rsa=rsa)
        bring(lb, name, pem, key)
    lb.ctl("create", "tls", "base", "cert=a")
    return ca


def context(ca, version=None, cert=None):
    c = ssl.create_default_context(cafile=ca.pem)
    if version:
        c.minimum_version = c.maximum_version = version
    if cert:
        c.load_cert_chain(*cert)
    return c


def connect(vip, ctx, name="a.example.org", session=None, timeout=10):
    return ctx.wrap_socket(vip.connect(timeout), server_hostname=name, session=session)


def exchange(s, data):
    """Send data while as much is received: one thread, since OpenSSL's objects are not for two."""
    s.setblocking(False)
    got, sent, end = bytearray(), 0, time.monotonic() + 20
    while len(got) < len(data) and time.monotonic() < end:
        moved = False
        for step in ("send", "recv"):
            try:
                if step == "send":
                    n = s.send(data[sent:sent + 16384]) if sent < len(data) else 0
                    sent += n
                else:
                    n = len(chunk := s.recv(65536))
                    got += chunk
                    if n == 0:
                        return bytes(got)
                moved |= n > 0
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
        if not moved:
            select.select([s], [s] if sent < len(data) else [], [], 1)
    s.setblocking(True)
    return bytes(got)


def ask(s, path="/", *fields):
    s.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: a.example.org", *fields, "", ""]).encode())
    r = Reader(s)
    line, fields, _ = r.head()
    return line, fields, r.body(fields)


def serial(s):
    return ssl.DER_cert_to_PEM_cert(s.getpeercert(True))


def counters(lb, vip):
    return lb.json("stats", vip.name)[0]


class TlsOrigin(Origin):
    """An origin that speaks TLS; .names are those that clients asked for."""

    def __init__(self, name, cert, key, handle=serve_http, version=None):
        self.ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ctx.load_cert_chain(cert, key)
        if version:
            self.ctx.minimum_version = self.ctx.maximum_version = version
        self.names, self.inner = [], handle
        self.ctx.sni_callback = lambda s, n, c: self.names.append(n)
        super().__init__(name, handle=self.shake)

    def shake(self, c, origin):
        with self.ctx.wrap_socket(c, server_side=True) as s:
            self.inner(s, origin)


@pytest.fixture()
def one(lb, certs, origins, request):
    o, = origins("o")
    name = request.node.name.replace("test_", "").replace("[", "-").replace("]", "").replace("_", "-")[:60]
    return lb.vip(name, o, tls="base"), o


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_termination(one, ca, version):
    """S110: https to the service, plain at the server; many requests on one connection; the server's side is pooled."""
    vip, o = one
    with connect(vip, context(ca, version)) as s:
        for i in range(20):
            line, _, body = ask(s, f"/{i}")
            assert line == "HTTP/1.1 200 OK" and f'"target": "/{i}"' in body.decode()
    assert o.raw[0].startswith(b"GET /0 HTTP/1.1\r\n")
    assert o.accepted == 1


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_sessions_go_on(one, ca, lb, version):
    """A client that comes again with its ticket skips most of the handshake; the counters say how many did."""
    vip, _ = one
    ctx, session = context(ca, version), None
    for i in range(4):
        with connect(vip, ctx, session=session) as s:
            assert ask(s)[0] == "HTTP/1.1 200 OK"
            assert s.session_reused == (i > 0)
            session = s.session
    c = counters(lb, vip)
    assert (c["tls_handshakes"], c["tls_resumed"]) == (4, 3)


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_large_bodies(one, ca, version):
    """Megabytes both ways, whole, also for a client that reads late."""
    vip, o = one
    body = os.urandom(3_000_000)
    o.answer = lambda r: http_answer(r["body"].encode("latin-1"))
    with connect(vip, context(ca, version), timeout=30) as s:
        for _ in range(2):
            sender = threading.Thread(target=s.sendall, args=(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body,))
            sender.start()
            sender.join(30)
            r = Reader(s)
            line, fields, _ = r.head()
            assert line == "HTTP/1.1 200 OK" and r.body(fields) == body


def test_handshake_in_pieces(one, ca):
    """Every byte of the client in a packet of its own."""
    vip, _ = one
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context(ca).wrap_bio(into, out, server_hostname="a.example.org")
    with vip.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def until_done(step):
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                for b in out.read():
                    s.send(bytes([b]))
                if result is not None:
                    return result
                into.write(s.recv(65536))
        until_done(lambda: tls.do_handshake() or True)
        tls.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert until_done(lambda: tls.read(65536)).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_silent_client_is_told_goodbye(one, lb, ca, version):
    """Who asks for nothing is closed in order, with all records in their places, also those that waited for an answer."""
    vip, _ = one
    lb.ctl("set", "vip", vip.name, "request_timeout=2s")  # time for a handshake, and not for long
    with context(ca, version).wrap_socket(vip.connect(), server_hostname="a.example.org", suppress_ragged_eofs=False) as s:
        assert s.recv(10) == b""
        assert version == TLS12 or s.session.has_ticket


def test_names(lb, certs, origins):
    """A097: each name gets its certificate, a wildcard is one label; strict refuses what nobody has."""
    o, = origins("o")
    lb.ctl("create", "tls", "names", "cert=a", "strict=no")
    for cert in "b", "wild":
        lb.ctl("create", "sni", f"names/{cert}", f"cert={cert}")
    vip = lb.vip("names", o, tls="names")
    for name, cert in ("a.example.org", "a"), ("b.example.org", "b"), ("B.EXAMPLE.org", "b"), ("x.w.example.org", "wild"):
        with connect(vip, context(certs), name) as s:
            assert ask(s)[0] == "HTTP/1.1 200 OK"
            assert serial(s).strip() == (certs.folder / f"{cert}.pem").read_text().strip()
    for name in "x.y.w.example.org", "w.example.org", "other.example.org":
        with pytest.raises(ssl.SSLCertVerificationError):  # the default certificate is not for it
            connect(vip, context(certs), name)
    lb.ctl("set", "tls", "names", "strict=yes")
    wait_until(lambda: not _takes(vip, certs, "other.example.org"), what="strict")
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        connect(vip, context(certs), "other.example.org")
    with connect(vip, context(certs), "x.w.example.org") as s:
        assert ask(s)[0] == "HTTP/1.1 200 OK"
    # and then no choice has a certificate that is not for its hosts
    for hosts, ok in (("x.w.example.org,*.w.example.org", True), ("X.W.example.org", True), ("w.example.org", False), ("x.y.w.example.org", False),
                      ("x.w.example.org,b.example.org", False)):
        r = lb.ctl("set", "sni", "names/wild", f"hosts={hosts}", check=False)
        said = f'sni names/wild: hosts: "{hosts.split(",")[-1]}" is none that cert wild is for, and its tls is strict; allowed are *.w.example.org'
        assert r.returncode == 0 if ok else r.returncode == 7 and said in r.stderr, (hosts, r.stderr)
    lb.ctl("set", "tls", "names", "strict=no")
    lb.ctl("set", "sni", "names/wild", "hosts=c.example.org")
    assert lb.ctl("set", "tls", "names", "strict=yes", check=False).returncode == 7


def _takes(vip, ca, name):
    ctx = context(ca)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    try:
        connect(vip, ctx, name).close()
    except ssl.SSLError:
        return False
    return True


def test_profile(lb, certs, origins):
    """A096: modern is TLS 1.3 only; intermediate has no cipher without forward secrecy; older versions are refused."""
    o, = origins("o")
    lb.ctl("create", "tls", "new", "cert=b", "profile=modern")
    new, old = lb.vip("new", o, tls="new"), lb.vip("mid", o, tls="base")
    connect(new, context(certs, TLS13), "b.example.org").close()
    with pytest.raises(ssl.SSLError):
        connect(new, context(certs, TLS12), "b.example.org")
    for text, good in ("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("AES128-GCM-SHA256", False), ("ECDHE-ECDSA-AES128-SHA", False):
        ctx = context(certs, TLS12)
        ctx.set_ciphers(text)
        if good:
            connect(old, ctx).close()
        else:
            with pytest.raises(ssl.SSLError):
                connect(old, ctx)


def test_hot_swap(one, lb, ca, certs):
    """A099: a new certificate is in the next handshake; the connection that is open goes on, and nothing is started anew."""
    vip, _ = one
    pid, ctx = lb.pid(), context(ca)
    pem, key = certs.sign("a2", "DNS:a.example.org", f"IP:{ADDRESS}")
    with connect(vip, ctx) as open_one:
        before = serial(open_one)
        bring(lb, "a2", pem, key)
        lb.ctl("set", "tls", "base", "cert=a2")

        def new():
            with connect(vip, ctx) as s:
                return serial(s) != before
        wait_until(new, what="the new certificate")
        assert ask(open_one)[0] == "HTTP/1.1 200 OK"
    lb.ctl("set", "tls", "base", "cert=a")
    assert lb.pid() == pid


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_to_servers(lb, certs, closing, version):
    """S112: servers are spoken to by TLS; their connections are pooled; the name asked for is the one that is set."""
    o = closing(TlsOrigin("o", certs.folder / "b.pem", certs.folder / "b.key", version=version))
    vip = lb.vip(f"back-{version.name.lower().replace('_', '')}", o, server_tls="on", server_name="b.example.org")
    with vip.connect() as s:
        for i in range(10):
            assert ask(s, f"/{i}")[0] == "HTTP/1.1 200 OK"
    assert o.accepted == 1 and o.names == ["b.example.org"]
    body = os.urandom(1_000_000)
    o.answer = lambda r: http_answer(r["body"].encode("latin-1"))
    with vip.connect(30) as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        r = Reader(s)
        _, fields, _ = r.head()
        assert r.body(fields) == body


def test_servers_are_verified(lb, certs, closing, tmp_path):
    """A104: a server whose certificate is signed by nobody we know, or is for another name, gets no request."""
    other = Authority(tmp_path, "other")
    bad = closing(TlsOrigin("bad", *other.sign("bad", "DNS:b.example.org")))
    good = closing(TlsOrigin("good", certs.folder / "b.pem", certs.folder / "b.key"))
    trust(lb, "root", certs)
    vip = lb.vip("verify", bad, server_tls="verify", server_ca="root", server_name="b.example.org", retries=0)
    with vip.connect() as s:
        assert " 50" in ask(s)[0]
    assert bad.requests == []
    lb.ctl("delete", "rip", "verify/bad", "-y")
    lb.rip(vip, "good", good.port)
    wait_until(lambda: " 200 " in _status(vip), what="the good server answers")
    lb.ctl("set", "vip", "verify", "server_name=c.example.org")
    wait_until(lambda: " 50" in _status(vip), what="the wrong name is refused")


def _status(vip):
    with vip.connect() as s:
        return ask(s, "/", "Connection: close")[0]


def test_both_sides(lb, certs, closing):
    """S112: https in, https out."""
    o = closing(TlsOrigin("o", certs.folder / "b.pem", certs.folder / "b.key"))
    vip = lb.vip("both", o, tls="base", server_tls="on")
    with connect(vip, context(certs)) as s:
        for i in range(5):
            assert ask(s, f"/{i}")[0] == "HTTP/1.1 200 OK"


def test_a_server_that_cuts_its_answer_short(lb, certs, closing):
    """An answer until the end of the stream is whole only if the server said so by TLS; else the client is not told that it is."""
    def cut(c, o):
        Reader(c).head()
        c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npart")
        if o.fair:
            c.unwrap()

    o = closing(TlsOrigin("o", certs.folder / "b.pem", certs.folder / "b.key", handle=cut))
    vip = lb.vip("cut-short", o, server_tls="on")
    o.fair = True
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert Reader(s).rest().endswith(b"part")
    o.fair = False
    with vip.connect() as s, pytest.raises(ConnectionResetError):
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        Reader(s).rest()


def test_tcp(lb, certs, closing):
    """Mode tcp with TLS: bytes both ways, half-close passed on, a server that speaks first."""
    def echo(c, o):
        c.sendall(b"hello\n")
        while data := c.recv(65536):
            c.sendall(data)

    o = closing(Origin("o", handle=echo))
    vip = lb.vip("tcp-tls", o, mode="tcp", tls="base")
    with connect(vip, context(certs)) as s:
        assert s.recv(100) == b"hello\n"
        data = os.urandom(500_000)
        assert exchange(s, data) == data
        assert s.unwrap() is not None  # our end, and the server's


def test_upgrade(lb, certs, closing):
    """A connection that becomes something else goes on inside TLS."""
    def upgrade(c, o):
        Reader(c).head()
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while data := c.recv(65536):
            c.sendall(data)

    o = closing(Origin("o", handle=upgrade))
    vip = lb.vip("upgrade-tls", o, tls="base")
    with connect(vip, context(certs)) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        r = Reader(s)
        assert " 101 " in r.head()[0]
        s.sendall(b"x" * 100_000)
        assert r.exactly(100_000) == b"x" * 100_000


def test_client_certificates(lb, certs, origins, tmp_path):
    """A095: required, optional, revoked, of a stranger."""
    o, = origins("o")
    known, stranger = certs.sign("known"), Authority(tmp_path, "stranger").sign("friend")
    revoked = certs.sign("revoked")
    certs.revoke(revoked[0])
    trust(lb, "people", certs, crl=certs.crl())
    lb.ctl("create", "tls", "asks", "cert=a", "client_auth=required", "client_ca=people")
    vip = lb.vip("asks", o, tls="asks")

    def works(cert):
        try:
            with connect(vip, context(certs, TLS12, cert)) as s:
                return ask(s)[0] == "HTTP/1.1 200 OK"
        except (ssl.SSLError, ConnectionError):
            return False
    assert [works(c) for c in (known, stranger, revoked, None)] == [True, False, False, False]
    lb.ctl("set", "tls", "asks", "client_auth=optional", "client_headers=yes")
    wait_until(lambda: works(None), what="optional")
    assert [works(c) for c in (known, stranger, revoked)] == [True, False, False]

    def told(cert):
        with connect(vip, context(certs, TLS13, cert)) as s:
            assert ask(s, "/", "X-SSL-Client-Verify: SUCCESS", "x-ssl-client-subject: CN=forged",
                       "X_SSL_Client_Subject: CN=forged")[0] == "HTTP/1.1 200 OK"
        fields = [(n.lower(), v) for n, v in o.requests[-1]["fields"] if n.lower().replace("_", "-").startswith("x-ssl")]
        assert len(dict(fields)) == len(fields)
        return dict(fields)
    assert told(None) == {"x-ssl-client-verify": "NONE"}
    got = told(known)
    der = openssl("x509", "-in", known[0], "-outform", "DER", text=False)
    assert (got["x-ssl-client-verify"], got["x-ssl-client-subject"], got["x-ssl-client-issuer"]) == ("SUCCESS", "CN=known", "CN=root")
    assert got["x-ssl-client-sha256"] == hashlib.sha256(der).hexdigest() and base64.b64decode(got["x-ssl-client-cert"]) == der
    assert int(got["x-ssl-client-serial"], 16) and len(got["x-ssl-client-not-after"]) == 15


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_sessions_of_client_certificates(lb, certs, origins, tmp_path, version):
    """A095: who comes again with a session shows no certificate, so a session ends with what its handshake was checked by: without
    a certificate it does not get in where one is required since, and one that was revoked since is refused."""
    o, = origins("o")
    name = f"again-{version.name[-1]}"
    people = Authority(tmp_path, "people")
    cert = people.sign("member")
    trust(lb, name, people, crl=people.crl())
    lb.ctl("create", "tls", name, "cert=a")
    vip = lb.vip(name, o, tls=name)

    def first(ctx):
        with connect(vip, ctx) as s:
            assert ask(s)[0] == "HTTP/1.1 200 OK"
            return s.session

    def again(ctx, session):
        """None: refused. Else whether the session went on."""
        try:
            with connect(vip, ctx, session=session) as s:
                assert ask(s)[0] == "HTTP/1.1 200 OK"
                return s.session_reused
        except (ssl.SSLError, ConnectionError):
            return None
    nobody, member = context(certs, version), context(certs, version, cert)
    before = first(nobody)
    assert again(nobody, before) is True
    lb.ctl("set", "tls", name, "client_auth=required", f"client_ca={name}")
    wait_until(lambda: all(again(nobody, None) is None for _ in range(20)), what="required, with every worker")
    assert again(nobody, before) is None
    before = first(member)
    assert again(member, before) is True
    people.revoke(cert[0])
    trust(lb, name, people, crl=people.crl())
    wait_until(lambda: all(again(member, None) is None for _ in range(20)), what="revoked, with every worker")
    assert again(member, before) is None


def test_chain_of_client_certificates(lb, certs, origins, tmp_path):
    """A095: servers get what stands between the certificate and its root, also of a session that goes on, as far as it is known."""
    o, = origins("o")
    root = Authority(tmp_path, "top")
    middle = root.sign("middle", ca=True)
    leaf = Authority(tmp_path, "middle", made=True).sign("leaf")
    both = tmp_path / "both.pem"
    both.write_text(leaf[0].read_text() + middle[0].read_text())
    der = openssl("x509", "-in", middle[0], "-outform", "DER", text=False)
    lb.ctl("apply", "-f", "-", input=json.dumps({"ca": {"top": {"certs": root.pem.read_text()}}}))
    lb.ctl("create", "tls", "chain", "cert=a", "client_auth=required", "client_ca=top", "client_headers=yes")
    vip = lb.vip("chain", o, tls="chain")

    def told(ctx, session=None):
        with connect(vip, ctx, session=session) as s:
            assert ask(s, "/", "X-SSL-Client-Chain: forged")[0] == "HTTP/1.1 200 OK"
            return [v for n, v in o.requests[-1]["fields"] if n.lower() == "x-ssl-client-chain"], s.session, s.session_reused
    ctx = context(certs, TLS13, (both, leaf[1]))
    chain, session, _ = told(ctx)
    assert [base64.b64decode(c) for c in chain] == [der]
    assert told(ctx, session)[::2] == ([], True)
    lb.ctl("apply", "-f", "-", input=json.dumps({"ca": {"top": {"certs": root.pem.read_text() + middle[0].read_text()}}}))
    wait_until(lambda: not any(told(ctx, session)[2] for _ in range(20)), what="the other bundle, with every worker")
    chain, session, _ = told(ctx)
    assert told(ctx, session)[::2] == (chain, True) and [base64.b64decode(c) for c in chain] == [der]
    assert told(context(certs, TLS13, root.sign("direct")))[0] == []


def test_ciphers_with_dhe(lb, certs, origins):
    """A096: a cipher that is named can be used, also one that needs a Diffie-Hellman group."""
    o, = origins("o")
    lb.ctl("create", "tls", "dhe", "cert=b", "ciphers=DHE-RSA-AES128-GCM-SHA256")
    vip = lb.vip("dhe", o, tls="dhe")
    ctx = context(certs, TLS12)
    ctx.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    with connect(vip, ctx, "b.example.org") as s:
        assert ask(s)[0] == "HTTP/1.1 200 OK" and s.cipher()[0] == "DHE-RSA-AES128-GCM-SHA256"


def test_hsts_and_redirect(lb, certs, origins):
    """S114: plain requests go to the same place by https; answers over TLS tell browsers to stay there."""
    o, = origins("o")
    lb.ctl("create", "tls", "strictly", "cert=a", "hsts=1h", "hsts_subdomains=yes")
    secure = lb.vip("strictly", o, tls="strictly", request_id="replace", rules={
        "to": {"order": 1, "when": "path is /to", "action": "redirect", "location": "/b"},
        "no": {"order": 2, "when": "path is /no", "action": "deny"},
        "text": {"order": 3, "when": "path is /text", "action": "return", "body": "x"}})
    with connect(secure, context(certs)) as s:
        assert dict(ask(s)[1])["strict-transport-security"] == "max-age=3600; includeSubDomains"
        o.answer = lambda q: http_answer(b"", "200 OK", "strict-transport-Security: max-age=1", "X-A: b")
        fields = ask(s)[1]  # a browser takes the first, so the server's is not there beside it
        assert [v for n, v in fields if n == "strict-transport-security"] == ["max-age=3600; includeSubDomains"] and ("x-a", "b") in fields
    for path, status in ("/to", "302"), ("/no", "403"), ("/text", "200"), ("/bad\x01", "400"):
        with connect(secure, context(certs)) as s:  # answers of the proxy's own, with what names their request
            line, fields, _ = ask(s, path)
            assert line.split()[1] == status and ("strict-transport-security", "max-age=3600; includeSubDomains") in fields, (path, line, fields)
            assert dict(fields)["x-request-id"]
    plain = lb.vip("plainly", https_redirect=308)
    for path, host, to in (("/a?b=c", "a.example.org:8080", "https://a.example.org/a?b=c"), ("/", "[::1]:80", "https://[::1]/"),
                           ("http://a.example.org", "a.example.org", "https://a.example.org/")):
        with plain.connect() as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            line, fields, _ = Reader(s).head()
            assert line == "HTTP/1.1 308 Permanent Redirect" and dict(fields)["location"] == to
    with plain.connect() as s:
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert " 400 " in Reader(s).head()[0]


def test_bad_handshakes(one, lb, ca):
    """What is no TLS, stops in the middle, or is silent costs one connection, is counted, and holds nobody else up."""
    vip, _ = one
    lb.ctl("set", "vip", vip.name, "request_timeout=2s")  # time for a handshake, and not for long
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\n\r\n")
        Reader(s).rest()
    with vip.connect() as s:
        s.sendall(bytes.fromhex("1603010200010001fc0303"))
        s.shutdown(socket.SHUT_WR)
        Reader(s).rest()
    with vip.connect() as s:
        s.sendall(bytes.fromhex("16030102000100"))
        assert Reader(s).rest() == b""  # closed when the time is over
    with connect(vip, context(ca)) as s:
        assert ask(s)[0] == "HTTP/1.1 200 OK"
    wait_until(lambda: counters(lb, vip)["tls_failed"] == 3, what="three failed")


def test_the_check_speaks_tls_too(lb, certs, closing, tmp_path):
    """A page of a server that is spoken to by TLS is asked for by TLS; a certificate that does not count is a bad server."""
    other = Authority(tmp_path, "other")
    good = closing(TlsOrigin("good", certs.folder / "b.pem", certs.folder / "b.key"))
    bad = closing(TlsOrigin("bad", *other.sign("bad", "DNS:b.example.org")))
    trust(lb, "known", certs)
    lb.ctl("create", "check", "page", "kind=http", "interval=300ms", "timeout=300ms", "path=/health", "assume=down")
    vip = lb.vip("tls-checked", good, bad, server_tls="verify", server_ca="known", server_name="b.example.org", check="page")
    lb.start("lbd-check")
    try:
        wait_until(lambda: " 200 " in _status(vip), what="the good server is fit")
        assert [r["target"] for r in good.requests].count("/health") and good.names[0] == "b.example.org"
        assert not bad.requests
        said = lb.ctl("check", "run", "tls-checked/bad", check=False)
        assert "TLS" in said.stdout + said.stderr, said
        lb.ctl("set", "vip", "tls-checked", "server_tls=on", "server_ca=")
        wait_until(lambda: [r for r in bad.requests if r["target"] == "/health"], what="any certificate will do")
        # one that only connects shakes hands too, but at a port that may be of something else
        lb.ctl("create", "check", "touch", "interval=300ms", "timeout=300ms", "rise=1", "fall=1")
        lb.ctl("set", "vip", "tls-checked", "server_tls=verify", "server_ca=known", "check=touch")
        lb.ctl("wait", "rip/tls-checked/good", "up", "--timeout", "10s")
        lb.ctl("wait", "rip/tls-checked/bad", "down", "--timeout", "10s")
        assert lb.json("get", "rip", "tls-checked/bad")[0]["status"]["check"]["text"].startswith("no TLS with the server")
        lb.ctl("set", "check", "touch", f"port={bad.port}")
        lb.ctl("wait", "rip/tls-checked/bad", "up", "--timeout", "10s")
    finally:
        lb.kill("lbd-check", 15)
