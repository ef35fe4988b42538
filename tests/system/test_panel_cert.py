"""The panel's certificate (A043): one of its own making lasts 397 days at most and is made anew in time, at the start and while the panel
runs; sessions notice nothing. What somebody else put there is shown as it is, to its end and after it."""
import calendar
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from lbdtest import SLOW, wait_until
from lbdweb import Web
from test_proxy_tls import Authority

DAY = 86400


def openssl(*args, input=None):
    return subprocess.run(["openssl", *map(str, args)], input=input, capture_output=True, check=True).stdout.decode()


def look(pem):
    """Key and times of a certificate: (public key, from, until)."""
    def at(which):
        text = openssl("x509", "-noout", which, input=pem.encode()).split("=")[1].strip()
        return calendar.timegm(time.strptime(text, "%b %d %H:%M:%S %Y GMT"))
    return openssl("x509", "-noout", "-pubkey", input=pem.encode()), at("-startdate"), at("-enddate")


class Panel(Web):
    @property
    def files(self):
        state = self.root / "var/lib/lbd"
        return state / "panel-cert.pem", state / "panel-key.pem"

    def shown(self):
        """What a handshake shows."""
        return ssl.get_server_certificate(("127.0.0.1", self.https), timeout=10 * SLOW).strip()

    def put_near_end(self, days):
        """The self-made certificate as it will be before its end: the same key, names and subject, other days."""
        cert, key = self.files
        fresh = openssl("x509", "-in", cert, "-signkey", key, "-days", days)
        cert.write_text(fresh)
        return fresh.strip()

    def bring(self, cert, key):
        for source, target in zip((cert, key), self.files):
            shutil.copyfile(source, target)
            target.chmod(0o600)

    def renewals(self):
        return self.text().count("its certificate was made anew, by the same key")


@pytest.fixture()
def panel(tmp_path, closing):
    return closing(Panel(tmp_path / "w"))



def test_lifetime(panel):
    """397 days at most, as browsers want it, from the start on; nothing is made anew when nothing is due."""
    panel.start()
    first = panel.shown()
    _, begin, end = look(first)
    assert 396 * DAY < end - begin <= 397 * DAY and begin <= time.time() < end
    assert first == panel.files[0].read_text().strip()
    panel.kill("lbd-web")
    panel.start("lbd-web")
    assert panel.shown() == first and panel.renewals() == 0
    assert panel.text().count("a certificate was made:") == 1


@pytest.mark.parametrize("days", [29, 3650])
def test_renewed_at_the_start(panel, days):
    """One that ends soon, and one of ten years as they were made before."""
    panel.start()
    key = look(panel.shown())[0]
    panel.kill("lbd-web")
    old = panel.put_near_end(days)
    panel.start("lbd-web")
    now = panel.shown()
    k, begin, end = look(now)
    assert now != old and k == key and 396 * DAY < end - begin <= 397 * DAY
    assert panel.files[0].read_text().strip() == now and panel.renewals() == 1
    panel.kill("lbd-web")
    panel.start("lbd-web")
    assert panel.shown() == now and panel.renewals() == 1


def test_renewed_while_it_runs(panel):
    """Handshakes from then on see the new one; a connection that is open, and a stream of events on another, go on."""
    panel.start()
    api = panel.api()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connect():
        c = http.client.HTTPSConnection("127.0.0.1", panel.https, timeout=20 * SLOW, context=context)
        c.connect()
        return c
    kept, stream = connect(), connect()

    def ask():
        kept.request("GET", "/api/v1/status", headers=api.headers)
        r = kept.getresponse()
        r.read()
        return r.status
    before, sock = panel.shown(), kept.sock
    assert ask() == 200
    stream.request("GET", "/api/v1/events", headers={**api.headers, "Accept": "text/event-stream"})
    events = stream.getresponse()
    assert events.status == 200
    old = panel.put_near_end(20)
    assert panel.shown() == before  # a file alone changes nothing yet
    panel.ctl("create", "check", "first", "kind=tcp")
    wait_until(lambda: panel.shown() not in (before, old), what="the new certificate")
    now = panel.shown()
    assert look(now)[0] == look(before)[0] and look(now)[2] - time.time() > 395 * DAY
    assert ask() == 200 and kept.sock is sock
    panel.ctl("create", "check", "second", "kind=tcp")
    seen = b""
    while seen.count(b"config.revision") < 2 and b"second" not in seen:
        line = events.readline()
        assert line, seen
        seen += line
    assert panel.renewals() == 1 and panel.files[0].read_text().strip() == now
    trusted = ssl.create_default_context(cafile=panel.files[0])
    with trusted.wrap_socket(socket.create_connection(("127.0.0.1", panel.https)), server_hostname="localhost") as s:
        assert s.version() == "TLSv1.3"
    kept.close()
    stream.close()


def test_brought_certificates_stay(panel, tmp_path):
    """An authority's and a self-signed one of somebody's own, both close to their end: shown as they are; taken while the panel runs, as
    soon as certificate and key belong together."""
    panel.start()
    panel.ctl("create", "check", "first", "kind=tcp")
    ca = Authority(tmp_path)
    cert, key = ca.sign("panel", "DNS:localhost", days=3)
    before = panel.shown()
    shutil.copyfile(cert, panel.files[0])  # half of it
    panel.ctl("create", "check", "second", "kind=tcp")
    panel.ctl("create", "check", "third", "kind=tcp")
    wait_until(lambda: "certificate and key of the panel cannot be used" in panel.text(), what="the complaint")
    assert panel.shown() == before
    panel.bring(cert, key)
    os.kill(panel.pid("lbd-web"), signal.SIGHUP)
    leaf = cert.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----"
    wait_until(lambda: panel.shown() == leaf.strip(), what="the certificate that was brought")
    panel.kill("lbd-web")
    panel.start("lbd-web")
    assert panel.shown() == leaf.strip() and panel.files[0].read_text() == cert.read_text()

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=lbd/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost", "-days", "2", "-keyout", tmp_path / "own.key", "-out", tmp_path / "own.pem")
    panel.bring(tmp_path / "own.pem", tmp_path / "own.key")
    panel.kill("lbd-web")
    panel.start("lbd-web")
    assert panel.shown() == (tmp_path / "own.pem").read_text().strip() == panel.files[0].read_text().strip()
    assert panel.renewals() == 0 and panel.text().count("certificate and key of the panel cannot be used") == 1


def test_another_key(panel):
    """Without both files another pair is made, while the panel runs too."""
    panel.start()
    before = look(panel.shown())[0]
    for path in panel.files:
        path.unlink()
    panel.ctl("create", "check", "first", "kind=tcp")
    wait_until(lambda: look(panel.shown())[0] != before, what="another key")
    assert panel.files[0].read_text().strip() == panel.shown() and panel.renewals() == 0
