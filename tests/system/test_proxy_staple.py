"""A098: OCSP stapling; the responder is `openssl ocsp`, the client `openssl s_client -status`."""
import datetime
import re
import subprocess
import zlib

import pytest

from lbdtest import SLOW, Origin, die_with_parent, free_port, wait_until
from test_proxy_tls import openssl

LOCAL = "127.0.0.1"


class Pki:
    """A root, an intermediate authority that issues, a certificate for its answers, and a responder."""

    def __init__(self, folder):
        self.f, self.port, self.process = folder, free_port(LOCAL), None
        self.cnf = folder / "ca.cnf"
        (folder / "index").touch()
        (folder / "index.attr").write_text("unique_subject=no\n")
        (folder / "serial").write_text("1000\n")
        self.cnf.write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index\nserial={folder}/serial\nnew_certs_dir={folder}\ndefault_md=sha256\n"
            f"default_days=30\npolicy=p\ncertificate={folder}/sub.pem\nprivate_key={folder}/sub.key\n[p]\ncommonName=supplied\n"
            "[sub]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
            f"[leaf]\nsubjectAltName=DNS:a.example.org\nauthorityInfoAccess=OCSP;URI:http://localhost:{self.port}/word\n"
            "[plain]\nsubjectAltName=DNS:b.example.org\n"
            "[https]\nsubjectAltName=DNS:c.example.org\nauthorityInfoAccess=OCSP;URI:https://ocsp.example.org/word\n"
            "[signer]\nextendedKeyUsage=critical,OCSPSigning\n[other]\nextendedKeyUsage=clientAuth\n")
        self._root("root")
        self._root("strange")
        self._csr("sub")
        openssl("x509", "-req", "-in", folder / "sub.csr", "-CA", folder / "root.pem", "-CAkey", folder / "root.key", "-CAcreateserial",
                "-days", 30, "-extfile", self.cnf, "-extensions", "sub", "-out", folder / "sub.pem")
        for name, ext in (("leaf", "leaf"), ("plain", "plain"), ("https", "https"), ("signer", "signer"), ("other", "other")):
            self.issue(name, ext)

    def _root(self, name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-keyout",
                self.f / f"{name}.key", "-out", self.f / f"{name}.pem", "-subj", f"/CN={name}")

    def _csr(self, name):
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.f / f"{name}.key",
                "-out", self.f / f"{name}.csr", "-subj", f"/CN={name}")

    def issue(self, name, ext):
        self._csr(name)
        openssl("ca", "-batch", "-config", self.cnf, "-in", self.f / f"{name}.csr", "-extensions", ext, "-notext",
                "-out", self.f / f"{name}.pem")
        (self.f / f"{name}.chain").write_text((self.f / f"{name}.pem").read_text() + (self.f / "sub.pem").read_text())

    def revoke(self, name):
        openssl("ca", "-config", self.cnf, "-revoke", self.f / f"{name}.pem")

    def answer(self, signer="signer", ca="sub", *more):
        """Starts the responder; its answers are good for a minute."""
        self.stop()
        self.process = subprocess.Popen(
            ["openssl", "ocsp", "-index", self.f / "index", "-port", str(self.port), "-rsigner", self.f / f"{signer}.pem", "-rkey",
             self.f / f"{signer}.key", "-CA", self.f / f"{ca}.pem", "-nmin", "1", *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
        self.process = None


@pytest.fixture(scope="module", autouse=True)
def first(lb):
    """A configuration, so that lbd-proxy takes keys."""
    return lb.vip("first")


@pytest.fixture()
def pki(tmp_path, closing):
    return closing(Pki(tmp_path))


def words(vip, name="a.example.org", version="-tls1_3"):
    """(status, when it was said, end) as a client reads it; None: there is no staple."""
    r = subprocess.run(["openssl", "s_client", "-connect", f"{vip.address}:{vip.port}", "-servername", name, "-status", version],
                       stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30 * SLOW)
    if "OCSP response: no response sent" in r.stdout:
        return None
    got = re.search(r"Cert Status: (\w+)\s+This Update: (.*)\n\s+Next Update: (.*)\n", r.stdout)
    assert got, r.stdout + r.stderr
    return got[1], *(datetime.datetime.strptime(t, "%b %d %H:%M:%S %Y GMT") for t in got.group(2, 3))


@pytest.fixture()
def vip(lb, pki, origins, request):
    """A service with TLS, a certificate with a responder, and stapling."""
    name = f"t{zlib.crc32(request.node.name.encode())}"
    lb.ctl("cert", "import", pki.f / "leaf.chain", "--key", pki.f / "leaf.key", "--name", name)
    lb.ctl("create", "tls", name, f"cert={name}", "stapling=yes")
    return lb.vip(name, *origins("o"), tls=name)


def shown(lb, name):
    """The lines of lbctl cert show about the responder."""
    text = lb.ctl("cert", "show", name).stdout
    return text[text.find("\nocsp ") + 1:].split("\n\n")[0]


@pytest.mark.parametrize("signer", ["signer", "sub"])
def test_stapled_and_fresh(lb, pki, vip, signer):
    """Both versions of TLS; an answer of the issuer itself, and of whom it lets sign; asked again before it ends."""
    assert words(vip) is None
    pki.answer(signer)
    first = wait_until(lambda: words(vip), 30, "a staple")
    assert first[0] == "good" and first[2] - first[1] == datetime.timedelta(minutes=1)
    assert words(vip, version="-tls1_2")[0] == "good"
    text = shown(lb, vip.name)
    assert text.startswith("ocsp        good, said ") and f"http://localhost:{pki.port}/word" in text, text
    row = next(r for r in lb.json("cert", "list") if r["name"] == vip.name)
    assert row["ocsp"] == "good" and row["ocsp_until"]
    if signer == "signer":
        again = wait_until(lambda: (w := words(vip)) and w[1] > first[1] and w, 60, "a fresh one")
        assert again[1] < first[2], "before the first one ended"


def test_last_good_one_is_kept_to_its_end(lb, pki, vip):
    """The responder goes away: the last answer goes out as long as it counts, and no longer; the fault is shown."""
    pki.answer()
    first = wait_until(lambda: words(vip), 30)
    pki.stop()
    wait_until(lambda: "refused" in shown(lb, vip.name), 60, "the fault")
    assert words(vip) == first
    wait_until(lambda: words(vip) is None, 60, "the end")
    assert datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) >= first[2]
    assert shown(lb, vip.name).startswith("ocsp        none")


def test_revoked(lb, pki, vip):
    """Clients are not told by their own server; people are."""
    pki.revoke("leaf")
    pki.answer()
    wait_until(lambda: shown(lb, vip.name).startswith("ocsp        revoked"), 30)
    assert words(vip) is None and "says that it is revoked" in lb.text()


@pytest.mark.parametrize("signer, ca", [("other", "sub"), ("strange", "sub"), ("strange", "strange")])
def test_answers_that_do_not_count(lb, pki, vip, signer, ca):
    """Signed by one whom the issuer certified for something else, by a stranger, by another authority."""
    pki.answer(signer, ca)
    wait_until(lambda: "not signed by the issuer" in shown(lb, vip.name), 40)
    assert words(vip) is None


def test_answer_of_another_certificate(lb, pki, vip):
    """Well signed, but not what was asked for."""
    how = ("-index", pki.f / "index", "-CA", pki.f / "sub.pem", "-rsigner", pki.f / "signer.pem", "-rkey", pki.f / "signer.key", "-nmin", 9)
    openssl("ocsp", "-issuer", pki.f / "sub.pem", "-cert", pki.f / "plain.pem", "-no_nonce", "-reqout", pki.f / "req")
    openssl("ocsp", *how, "-reqin", pki.f / "req", "-respout", pki.f / "resp")

    def handle(c, origin):
        c.settimeout(5 * SLOW)
        c.recv(65536)
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + (pki.f / "resp").read_bytes())
    with Origin("r", handle=handle, address=LOCAL, port=pki.port):
        wait_until(lambda: "of another certificate" in shown(lb, vip.name), 40)
    assert words(vip) is None


def test_what_is_sent(lb, pki, vip):
    """The question as RFC 6960 has it; a status that is no answer is named (what else may come: tests/unit/lbd-proxy_fetch_test.c)."""
    got = []

    def handle(c, origin):
        c.settimeout(5 * SLOW)
        got.append(c.recv(65536))
        c.sendall(b"HTTP/1.0 503 No\r\n\r\n")
    with Origin("r", handle=handle, address=LOCAL, port=pki.port):
        wait_until(lambda: "status 503" in shown(lb, vip.name), 60)
    assert got[0].startswith(b"POST /word HTTP/1.0\r\nHost: localhost:%d\r\nContent-Type: application/ocsp-request\r\n" % pki.port)
    request = pki.f / "request"
    request.write_bytes(got[0].partition(b"\r\n\r\n")[2])
    assert "Serial Number: 1000" in openssl("ocsp", "-reqin", request, "-req_text")
    assert words(vip) is None


def test_responder_by_https(lb, pki, origins):
    """It is not asked (RFC 6960 appendix A.1): said when the certificate is imported, and shown where the word is missed."""
    r = lb.ctl("cert", "import", pki.f / "https.chain", "--key", pki.f / "https.key", "--name", "https")
    assert "warning: cert https: its responder (OCSP) is not asked: https://ocsp.example.org/word is not http" in r.stderr
    assert "OCSP" not in lb.ctl("cert", "import", pki.f / "leaf.chain", "--key", pki.f / "leaf.key", "--name", "http").stderr
    lb.ctl("create", "tls", "https", "cert=https", "stapling=yes")
    vip = lb.vip("https", *origins("o"), tls="https")
    assert words(vip, "c.example.org") is None
    assert "names no responder by http, which is how they are asked" in shown(lb, "https")


def test_what_cannot_be_asked(lb, pki, origins):
    """A certificate without a responder, and one without its issuer: said, and everything else works; by name each has its own."""
    (pki.f / "alone.chain").write_text((pki.f / "leaf.pem").read_text())
    for name, key in (("plain", "plain"), ("alone", "leaf")):
        lb.ctl("cert", "import", pki.f / f"{name}.chain", "--key", pki.f / f"{key}.key", "--name", name)
    lb.ctl("cert", "import", pki.f / "leaf.chain", "--key", pki.f / "leaf.key", "--name", "both")
    lb.ctl("create", "tls", "mixed", "cert=plain", "stapling=yes")
    lb.ctl("create", "sni", "mixed/a", "cert=both")
    vip = lb.vip("mixed", *origins("o"), tls="mixed")
    pki.answer()
    wait_until(lambda: (words(vip) or " ")[0] == "good", 30)
    assert words(vip, "b.example.org") is None
    assert "names no responder" in shown(lb, "plain")
    lb.ctl("set", "sni", "mixed/a", "cert=alone")
    wait_until(lambda: "lacks the certificate of the issuer" in shown(lb, "alone"), 10)
    lb.ctl("set", "tls", "mixed", "stapling=no")
    wait_until(lambda: "ocsp" not in lb.ctl("cert", "show", "plain").stdout, 10)
