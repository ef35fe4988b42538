"""testssl.sh scans what speaks TLS: services of both profiles with both kinds of keys, and the panel. Nothing above LOW may be
found; certificates are signed by an authority that the scanner is told of, and name a CRL, so that none of it is theirs.
Groups: protocols, ciphers, server defaults, vulnerabilities; the second key of a profile is scanned for what depends on keys."""
import concurrent.futures
import json
import shutil
import subprocess

import pytest

from lbdtest import SLOW
from lbdweb import Web
from test_proxy_tls import Authority, bring

HOST = "a.example.org"
CRL = "crlDistributionPoints=URI:http://crl.example.org/root.crl\n"
ALL, KEY = ("-p", "-s", "-S", "-U"), ("-p", "-S")
# profile, RSA key, groups, days that the certificate is valid, what is found
SERVICES = {
    "modern-ec": ("modern", False, ALL, 90, set()),
    "modern-rsa": ("modern", True, KEY, 90, set()),
    "intermediate-rsa": ("intermediate", True, ALL, 90, set()),
    # a fault on purpose, so that it is seen that faults are found
    "intermediate-ec": ("intermediate", False, KEY, 29, {"cert_expirationStatus", "cert_notAfter"}),
}
DETACHED = ("modern-ec", "intermediate-rsa")  # the others stay with OpenSSL after the handshake
# The panel (GnuTLS) answers a client that wants to renegotiate by closing; the scanner takes the orderly end for consent when
# it comes first. test_panel_renegotiates_nothing looks at the bytes instead.
PANEL = {"secure_client_renego"}
SEEN = {"cert_chain_of_trust": "OK", "cert_trust": "OK", "TLS1_3": "OK"}
VULNERABLE = {"heartbleed", "CCS", "ticketbleed", "ROBOT", "CRIME_TLS", "POODLE_SSL", "FREAK", "DROWN", "LOGJAM", "BEAST",
              "RC4"}


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def panel(tmp_path_factory, ca):
    """A panel with a certificate that was brought to it."""
    web = Web(tmp_path_factory.mktemp("panel"))
    state = web.root / "var/lib/lbd"
    for path, name in zip(ca.sign("panel", "DNS:localhost", days=90, more=CRL), ("panel-cert.pem", "panel-key.pem")):
        shutil.copyfile(path, state / name)
        (state / name).chmod(0o600)
    web.start()
    yield web
    web.stop()


def scan(folder, trusted, name, address, port, groups, host=HOST):
    """What testssl.sh says: {id: severity}. trusted: the authority's certificate."""
    out = folder / f"{name}.json"
    r = subprocess.run(["testssl", "--quiet", "--color=0", "--warnings=off", "--nodns=none", f"--ip={address}",
                        f"--add-ca={trusted}", *groups, "-oj", out, f"https://{host}:{port}"], capture_output=True, text=True, timeout=500 * SLOW)
    assert out.exists(), r.stdout + r.stderr
    # engine_problem: this machine's openssl has no GOST, which is nothing about what was scanned
    return {x["id"]: x["severity"] for x in json.loads(out.read_text()) if x["id"] != "engine_problem"}


def wrong(found):
    return {i for i, severity in found.items() if severity not in ("OK", "INFO", "LOW")}


def test_scan(lb, ca, panel, origins, tmp_path):
    """A043: modern and intermediate, ECDSA and RSA, and the panel."""
    o, = origins("o")
    lb.vip("first")
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for name, (profile, rsa, groups, days, _) in SERVICES.items():
            bring(lb, name, *ca.sign(name, f"DNS:{HOST}", rsa=rsa, days=days, more=CRL))
            lb.ctl("create", "tls", name, f"cert={name}", f"profile={profile}")
            vip = lb.vip(name, o, tls=name, tls_detach="yes" if name in DETACHED else "no")
            jobs[name] = pool.submit(scan, tmp_path, ca.pem, name, vip.address, vip.port, groups)
        jobs["panel"] = pool.submit(scan, tmp_path, ca.pem, "panel", "127.0.0.1", panel.https, ALL, "localhost")
    found = {name: job.result() for name, job in jobs.items()}
    assert {n: wrong(f) for n, f in found.items() if n != "panel"} == {n: s[4] for n, s in SERVICES.items()}
    assert wrong(found["panel"]) <= PANEL
    for name, f in found.items():
        assert SEEN.items() <= f.items(), name
        assert f["TLS1_2"] == ("INFO" if name.startswith("modern") else "OK"), name
    for name in ("modern-ec", "intermediate-rsa", "panel"):
        assert VULNERABLE <= found[name].keys(), name


def test_self_made_certificate(closing, tmp_path):
    """A043: the certificate that the panel makes itself lasts no longer than browsers take. Nobody can revoke it, and it names nobody."""
    web = closing(Web(tmp_path / "w")).start()
    found = scan(tmp_path, web.root / "var/lib/lbd/panel-cert.pem", "self", "127.0.0.1", web.https, ("-S",), "localhost")
    assert wrong(found) == {"cert_revocation"} and found["cert_validityPeriod"] == "INFO" and found["cert_chain_of_trust"] == "OK"


def test_panel_renegotiates_nothing(panel):
    """A second handshake that a client begins is answered by the end of the connection, and by nothing else."""
    with subprocess.Popen(["timeout", str(20 * SLOW), "openssl", "s_client", "-tls1_2", "-msg", "-connect",
                           f"127.0.0.1:{panel.https}"], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as p:
        out = []
        for line in p.stdout:
            out.append(line)
            if line.startswith("---") and "    Verify return code" in out[-3]:
                p.stdin.write("R\n")
                p.stdin.flush()
    text = "".join(out)
    before, _, after = text.partition("RENEGOTIATING")
    assert "<<< TLS 1.2, Handshake" in before and ">>> TLS 1.2, Handshake" in after and "ClientHello" in after
    assert "<<< TLS 1.2, Alert" in after and "<<< TLS 1.2, Handshake" not in after
