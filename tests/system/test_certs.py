"""Certificates through the front door: lbctl, lbd-proxy that keeps the keys, the pair, the API. Files are made by openssl(1)."""
import base64
import calendar
import json
import os
import shutil
import stat
import subprocess
import time

import pytest
import yaml

from lbdtest import SLOW, Lbd, wait_until
from lbdbus import Bus
from lbdweb import Web
from test_ha_roles import Duo

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
SECRET = "pass word"


def openssl(*args, cwd=None, input=None):
    return subprocess.run(["openssl", *map(str, args)], cwd=cwd, input=input, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """root -> middle -> www.example.org in files; the same as PKCS#12, DER, with an encrypted key; another key."""
    d = tmp_path_factory.mktemp("made")
    (d / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (d / "leaf.ext").write_text("basicConstraints=CA:FALSE\nsubjectAltName=DNS:www.example.org,DNS:*.example.org\n")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=root", "-days", "100",
            "-keyout", "root.key", "-out", "root.pem", cwd=d)
    for name, cn, by, ext in (("middle", "middle", "root", "ca.ext"), ("leaf", "www.example.org", "middle", "leaf.ext")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={cn}", "-keyout",
                f"{name}.key", "-out", f"{name}.csr", cwd=d)
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial", "-days", "20",
                "-extfile", ext, "-out", f"{name}.pem", cwd=d)
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "other.key", cwd=d)
    openssl("pkcs8", "-topk8", "-in", "leaf.key", "-out", "locked.key", "-passout", f"pass:{SECRET}", cwd=d)
    (d / "chain.pem").write_text((d / "root.pem").read_text() + (d / "middle.pem").read_text() + (d / "leaf.pem").read_text())
    openssl("pkcs12", "-export", "-in", "chain.pem", "-inkey", "leaf.key", "-out", "leaf.p12", "-passout", f"pass:{SECRET}", cwd=d)
    openssl("x509", "-in", "leaf.pem", "-outform", "DER", "-out", "leaf.der", cwd=d)
    (d / "pass").write_text(SECRET + "\n")
    (d / "wrong").write_text("another\n")
    return d


@pytest.fixture()
def lb(tmp_path, closing):
    lb = closing(Lbd(tmp_path / "r", "lbd-proxy"))
    lb.ctl("set", "node", "hostname=alpha")
    return lb.start()


def spki(pem):
    """What a key is known by, as openssl says it."""
    public = openssl("x509", "-pubkey", "-noout", input=pem.encode())
    der = openssl("pkey", "-pubin", "-outform", "DER", input=public)
    return openssl("dgst", "-sha256", "-r", input=der).split()[0].decode()


def spki_of_request(pem):
    public = openssl("req", "-pubkey", "-noout", input=pem.encode())
    der = openssl("pkey", "-pubin", "-outform", "DER", input=public)
    return openssl("dgst", "-sha256", "-r", input=der).split()[0].decode()


def row(lb, name):
    return lb.json("get", "cert", name)["items"][0] if "items" in lb.json("get", "cert", name) else lb.json("get", "cert", name)[0]


def status(lb):
    """Not all daemons run here, so it is never green."""
    return json.loads(lb.ctl("status", "-o", "json", check=False).stdout)


def keys(lb):
    return sorted(p.name for p in (lb.root / "var/lib/lbd/keys").iterdir())


def refused(lb, code, *args, says):
    head = lb.ctl("history", "-n", "1").stdout
    r = lb.ctl(*args, check=False, input="")
    assert r.returncode == code and says in r.stderr and r.stderr.count("\n") == 1, r
    assert lb.ctl("history", "-n", "1").stdout == head
    return r


def test_import_pem(lb, made):
    """S145: chain and key in two files; the chain in order, without the root, the key with lbd-proxy and nowhere else."""
    lb.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    c = row(lb, "web")
    assert c["chain"] == (made / "leaf.pem").read_text() + (made / "middle.pem").read_text()
    assert c["key"] == spki((made / "leaf.pem").read_text())
    assert keys(lb) == [c["key"] + ".key"]
    folder = lb.root / "var/lib/lbd/keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / keys(lb)[0]).stat().st_mode) == 0o600
    assert openssl("pkey", "-in", folder / keys(lb)[0], "-pubout") == openssl("pkey", "-in", made / "leaf.key", "-pubout")
    secret = "".join((folder / keys(lb)[0]).read_text().split("\n")[1:-2])[30:60].encode()
    for path in lb.root.rglob("*"):
        if path.is_file() and path.parent != folder:
            assert secret not in path.read_bytes() and b"PRIVATE KEY" not in path.read_bytes(), path


@pytest.mark.parametrize("args", [
    ("leaf.p12", "--password-file", "pass"), ("chain.pem", "--key", "locked.key", "--password-file", "pass"),
    ("leaf.der", "--key", "leaf.key")])
def test_import_forms(lb, made, args):
    """S144: PKCS#12, an encrypted key, DER; named after the first host."""
    lb.ctl("cert", "import", *(made / a if not a.startswith("--") else a for a in args))
    assert row(lb, "www.example.org")["key"] == spki((made / "leaf.pem").read_text())
    assert len(keys(lb)) == 1


@pytest.mark.skipif(not shutil.which("keytool"), reason="no Java on this machine")
def test_import_java(lb, made, tmp_path):
    """A Java keystore by way of keytool, as the manual says."""
    subprocess.run(["keytool", "-importkeystore", "-srckeystore", made / "leaf.p12", "-srcstoretype", "pkcs12", "-srcstorepass", SECRET,
                    "-destkeystore", tmp_path / "a.jks", "-deststoretype", "jks", "-deststorepass", SECRET], check=True,
                   capture_output=True)
    subprocess.run(["keytool", "-importkeystore", "-srckeystore", tmp_path / "a.jks", "-srcstorepass", SECRET, "-destkeystore",
                    tmp_path / "a.p12", "-deststoretype", "pkcs12", "-deststorepass", SECRET], check=True, capture_output=True)
    lb.ctl("cert", "import", tmp_path / "a.p12", "--password-file", made / "pass", "--name", "java")
    assert row(lb, "java")["key"] == spki((made / "leaf.pem").read_text())


def test_import_refused(lb, made):
    """One clear error, nothing changed, no byte of a key in it."""
    says = refused(lb, 7, "cert", "import", made / "leaf.pem", "--key", made / "other.key", says="does not belong to the certificate")
    assert spki((made / "leaf.pem").read_text()) in says.stderr
    refused(lb, 2, "cert", "import", made / "leaf.p12", says="--password-file FILE has the password")
    refused(lb, 7, "cert", "import", made / "leaf.p12", "--password-file", made / "wrong", says="the password is another")
    refused(lb, 7, "cert", "import", made / "leaf.pem", "--name", "x", says="neither in the file nor with lbd-proxy")
    refused(lb, 7, "cert", "import", made / "leaf.key", says="there is no certificate in it")
    refused(lb, 7, "cert", "import", made / "ca.ext", says="neither PEM nor DER nor PKCS#12; a Java keystore")
    refused(lb, 3, "cert", "import", made / "nothing", says="No such file")
    assert keys(lb) == []
    lb.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    refused(lb, 7, "set", "cert", "web", f"chain=@{made / 'leaf.key'}", says="it has a private key")
    refused(lb, 7, "set", "cert", "web", f"chain=@{made / 'middle.pem'}", says="is that of an authority")
    refused(lb, 7, "set", "cert", "web", "key=" + "0" * 64, says="is not the key of certificate 1 (CN=www.example.org)")
    lb.kill("lbd-proxy")
    refused(lb, 6, "cert", "new", "y", says="private keys are with lbd-proxy, which must run")


def test_show_for_programs(lb, made):
    """cert show as JSON and as YAML: the same, with all that the text has."""
    lb.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    lb.ctl("cert", "csr", "asked", "--cn", "www.example.org")
    lb.ctl("create", "tls", "site", "cert=web")
    lb.ctl("create", "sni", "site/web", "cert=web", "hosts=*.example.org")
    web = lb.json("cert", "show", "web")
    assert web["name"] == "web" and web["key"] == row(lb, "web")["key"] and web["key_here"] is True and web["ocsp"] is None
    assert web["used_by"] == ["tls site", "sni site/web"]
    leaf, middle = web["chain"]
    assert leaf["subject"] == "CN=www.example.org" and leaf["issuer"] == middle["subject"] == "CN=middle"
    assert leaf["hosts"] == "www.example.org,*.example.org" and leaf["from"] < leaf["until"] and leaf["until"].endswith("Z")
    assert lb.json("cert", "show", "asked")["chain"] == [] and lb.json("cert", "show", "asked")["used_by"] == []
    for name in "web", "asked":
        assert yaml.safe_load(lb.ctl("cert", "show", name, "-o", "yaml").stdout.replace("Z\"", " \"")) == json.loads(
            lb.ctl("cert", "show", name, "-o", "json").stdout.replace("Z\"", " \""))
    refused(lb, 2, "cert", "show", "web", "-o", "csv", says="cert show: prints text, json or yaml")
    refused(lb, 3, "cert", "show", "nobody", "-o", "json", says="nobody")


def test_renewal(lb, made, tmp_path):
    """A request for a certificate that is there: by its key, with its names; its answer takes its place. Nothing changes before."""
    lb.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    before, revision = row(lb, "web"), status(lb)["revision"]
    r = lb.ctl("cert", "csr", "web")
    (tmp_path / "r.csr").write_text(r.stdout)
    text = openssl("req", "-noout", "-text", "-verify", "-in", tmp_path / "r.csr").decode()
    assert "CN = www.example.org" in text and "DNS:www.example.org, DNS:*.example.org" in text and "lbctl cert import" in r.stderr
    assert row(lb, "web") == before and status(lb)["revision"] == revision and len(keys(lb)) == 1
    (tmp_path / "ext").write_text("basicConstraints=CA:FALSE\nsubjectAltName=DNS:www.example.org,DNS:*.example.org\n")
    openssl("x509", "-req", "-in", tmp_path / "r.csr", "-CA", made / "middle.pem", "-CAkey", made / "middle.key", "-CAcreateserial",
            "-days", "50", "-extfile", "ext", "-out", tmp_path / "answer.pem", cwd=tmp_path)
    lb.ctl("cert", "import", tmp_path / "answer.pem")
    assert row(lb, "web")["key"] == before["key"] and row(lb, "web")["chain"] == (tmp_path / "answer.pem").read_text()
    other = lb.ctl("cert", "csr", "web", "--cn", "new.example.org", "--san", "192.0.2.1", "--org", "Example").stdout
    text = openssl("req", "-noout", "-text", "-verify", input=other.encode()).decode()
    assert "O = Example, CN = new.example.org" in text and "IP Address:192.0.2.1" in text and "DNS:" not in text
    # a request whose answer has not come is printed again, by the same key
    lb.ctl("cert", "csr", "asked", "--cn", "a.example.org")
    key = row(lb, "asked")["key"]
    again = lb.ctl("cert", "csr", "asked", "--cn", "a.example.org").stdout
    assert spki_of_request(again) == key == row(lb, "asked")["key"] and len(keys(lb)) == 2
    refused(lb, 2, "cert", "csr", "web", "--key", "p384", says="cert web has a key already")
    refused(lb, 7, "cert", "csr", "web", "--san", "a b", says='cert csr: cert web: lbd-proxy: san: "a b" is not allowed')
    os.unlink(lb.root / "var/lib/lbd/keys" / (before["key"] + ".key"))
    refused(lb, 3, "cert", "csr", "web", says="cert csr: cert web: lbd-proxy: its key is not on this node")


def test_new_and_request(lb, made, tmp_path):
    """S143: a key with a certificate of its own; a request whose answer finds its key."""
    lb.ctl("cert", "new", "self", "--cn", "www.example.org", "--san", "www.example.org,192.0.2.10", "--days", "360", "--key", "rsa2048")
    text = openssl("x509", "-noout", "-text", input=row(lb, "self")["chain"].encode()).decode()
    assert "2048 bit" in text and "DNS:www.example.org, IP Address:192.0.2.10" in text and "CA:FALSE" in text
    refused(lb, 4, "cert", "new", "self", says="exists already")
    request = lb.ctl("cert", "csr", "asked", "--cn", "www.example.org", "--org", "Example").stdout
    (tmp_path / "r.csr").write_text(request)
    assert b"O = Example, CN = www.example.org" in openssl("req", "-noout", "-subject", "-verify", "-in", tmp_path / "r.csr")
    assert row(lb, "asked")["chain"] == "" and "requested" in lb.ctl("cert", "list").stdout
    refused(lb, 7, "create", "tls", "t", "cert=asked", says="waits for the answer to its request")
    openssl("x509", "-req", "-in", tmp_path / "r.csr", "-CA", made / "middle.pem", "-CAkey", made / "middle.key", "-CAcreateserial",
            "-days", "50", "-out", tmp_path / "answer.pem", cwd=tmp_path)
    lb.ctl("cert", "import", tmp_path / "answer.pem")  # its name is that of the request
    assert row(lb, "asked")["chain"] == (tmp_path / "answer.pem").read_text()
    assert len(keys(lb)) == 2


def test_who_may_have_a_key(lb, made):
    """Nobody but lbd-ha is given a key; what it names must be a name."""
    lb.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    name = row(lb, "web")["key"]
    with Bus(lb.root, "lbd-proxy") as bus:
        rows, result = bus.ask("KEY_GET", name=name)
        assert rows == [] and result["code"] == -1004 and "your program does not send it" in result["text"]
        assert [m["name"] for _, m in bus.ask("KEYS")[0]] == [name]
    with Bus(lb.root, "lbd-proxy", "lbd-ha") as bus:
        rows, result = bus.ask("KEY_GET", name=name)
        assert result["code"] == 0 and b"PRIVATE KEY" in rows[0][1]["key"]
        for other in ("0" * 64, "../../etc/passwd", "x" * 65):
            rows, result = bus.ask("KEY_GET", name=other)
            assert rows == [] and result["code"] == -1002


def test_list_and_show(lb, made):
    lb.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    lb.ctl("cert", "new", "long", "--days", "400")
    lb.ctl("create", "tls", "site", "cert=long")
    lb.ctl("create", "sni", "site/web", "cert=web", "hosts=*.example.org")
    assert lb.ctl("cert", "list").returncode == 0
    r = lb.ctl("cert", "list", "--expiring", "30d", "-o", "json", check=False)
    assert r.returncode == 1
    assert [(c["name"], c["status"], c["hosts"]) for c in json.loads(r.stdout)] == [("web", "ends", "www.example.org,*.example.org")]
    assert lb.ctl("cert", "list", "--expiring", "10d").returncode == 0
    text = lb.ctl("cert", "show", "web").stdout
    assert "(here)" in text and "used by     sni site/web" in text and "certificate 2" in text and "CN=middle" in text
    doctor = lb.ctl("doctor", check=False).stdout
    assert "cert web" in doctor and "cert long" not in doctor
    assert "cert web: ends in 19 days" in lb.ctl("status", check=False).stdout


def test_a_key_that_is_not_here(lb, made, tmp_path):
    """A certificate without its key is a fault that names it, until the key comes."""
    lb.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    text = lb.ctl("export").stdout
    assert "    chain: |\n      -----BEGIN CERTIFICATE-----\n" in text
    os.unlink(lb.root / "var/lib/lbd/keys" / keys(lb)[0])
    lb.ctl("set", "cert", "web", "comment=x")

    def fault():
        return next((d.get("fault") or "" for d in status(lb)["daemons"] if d["name"] == "lbd-proxy"), "")
    wait_until(lambda: "cert web: its key" in fault(), what="the fault")
    assert "no key" in lb.ctl("cert", "list").stdout
    lb.ctl("cert", "import", made / "leaf.pem", "--key", made / "leaf.key", "--name", "web")
    wait_until(lambda: fault() == "", what="no fault")


def test_many_certificates_in_a_bundle(lb, made, tmp_path):
    """A text longer than two bytes of length: through the store, YAML, the history and back."""
    (tmp_path / "bundle.pem").write_text((made / "root.pem").read_text() * 400)
    assert os.path.getsize(tmp_path / "bundle.pem") > 200_000
    lb.ctl("create", "ca", "large", f"certs=@{tmp_path / 'bundle.pem'}")
    assert "400 certificates" in lb.ctl("get", "ca").stdout
    text = lb.ctl("export", "ca").stdout
    lb.ctl("set", "ca", "large", f"certs=@{made / 'root.pem'}")
    lb.ctl("apply", "-f", "-", input=text)
    assert lb.ctl("export", "ca").stdout == text
    revision = status(lb)["revision"]
    lb.ctl("rollback", revision - 1, "-y")
    assert "1 certificate" in lb.ctl("get", "ca").stdout
    refused(lb, 7, "set", "ca", "large", f"certs=@{made / 'leaf.key'}", says="it has a private key")


# ---- the API ---------------------------------------------------------------------------------------------------------

def test_names_of_ciphers_and_curves(lb):
    """Each name of a list is asked for by itself: OpenSSL alone passes over those that it does not know."""
    lb.ctl("create", "tls", "good", "ciphers=ECDHE-RSA-AES128-GCM-SHA256:HIGH:!aNULL:-SHA:@STRENGTH", "curves=X25519:P-256:secp384r1")
    for field, text, name in (("ciphers", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA255", "ECDHE-RSA-AES128-GCM-SHA255"),
                              ("ciphers", "HIGH:!MD6", "!MD6"), ("ciphers", "ALL:@SECLEVEL=0", "@SECLEVEL=0"),
                              ("curves", "X25519:X25518", "X25518")):
        refused(lb, 7, "set", "tls", "good", f"{field}={text}", says=f'tls good: {field}: "{name}" is none that OpenSSL has')
    refused(lb, 7, "set", "tls", "good", "ciphers=AES128-SHA:!RSA", says='tls good: ciphers: "AES128-SHA:!RSA" leaves no cipher')


def b64(path):
    return base64.b64encode(path.read_bytes()).decode()


def test_api(tmp_path, closing, made):
    """What lbctl can, programs can: import, list, choice by host; when a certificate ends is a metric."""
    web = closing(Web(tmp_path / "w", "lbd-proxy"))
    web.start()
    api = web.api()
    wait_until(lambda: any(d["name"] == "lbd-proxy" and d["running"] for d in api("GET", "/daemons").json["items"]),
               what="the link to lbd-proxy")
    p12 = {"name": "web", "file": b64(made / "leaf.p12"), "password": SECRET}
    key = spki((made / "leaf.pem").read_text())

    def problem(body, status, says, **query):
        r = api("POST", "/certs/import", body, **query)
        assert r.status == status and says in r.json["detail"], r.body
        assert SECRET not in r.body.decode()
    problem({**p12, "password": "x"}, 422, "the password is another")
    problem({"name": "web", "file": b64(made / "leaf.p12")}, 422, "needs a password")
    problem({"name": "web", "file": b64(made / "leaf.pem")}, 422, "neither in the file nor with lbd-proxy")
    problem({"name": "web", "file": b64(made / "leaf.pem"), "key": b64(made / "other.key")}, 422, "does not belong")
    problem({"name": "web", "file": "*"}, 422, "are base64")
    problem({"name": "web"}, 422, "file: is required")
    problem({"name": "a b", **{k: p12[k] for k in ("file", "password")}}, 422, "letters, digits")
    assert api("POST", "/certs/import", p12, dry_run="true").json["dry_run"] and keys(web) == []
    made_now = api("POST", "/certs/import", p12, message="from the vault")
    assert made_now.status == 201 and made_now.headers["Location"] == "/api/v1/certs/web" and made_now.json["key"] == key
    assert keys(web) == [key + ".key"]
    again = api("POST", "/certs/import", {"name": "web", "file": b64(made / "leaf.der")})  # its key is there
    assert again.status == 200 and again.json["chain"] == (made / "leaf.pem").read_text()
    assert "from the vault" in web.ctl("history").stdout
    viewer = web.api("viewer")
    assert viewer("POST", "/certs/import", p12).status == 403

    assert api("PUT", "/tls/site", {"cert": "web", "hsts": "365d"}).status == 201
    r = api("PUT", "/tls/site/snis/a", {"cert": "web", "hosts": "*.example.org"})
    assert r.status == 201 and r.headers["Location"] == "/api/v1/tls/site/snis/a", r.body
    assert api("PATCH", "/tls/site/snis/a", {"hosts": "b..c"}).status == 422
    wait_until(lambda: [s["name"] for s in api("GET", "/tls/site/snis").json["items"]] == ["a"], what="the list")
    assert api("PUT", "/vips/s", {"address": "127.0.0.9", "ports": "8443", "tls": "site"}).status == 201
    assert api("DELETE", "/tls/site/snis/a").status == 204
    assert api("DELETE", "/certs/web").status == 409
    end = openssl("x509", "-noout", "-enddate", "-in", made / "leaf.pem").decode().split("=")[1].strip()
    until = calendar.timegm(time.strptime(end, "%b %d %H:%M:%S %Y GMT"))
    wait_until(lambda: f'lbd_cert_expiry_timestamp_seconds{{cert="web"}} {until}\n' in
               web.raw("GET", "/metrics").body.decode(), what="the metric")


def test_api_csr(tmp_path, closing, made):
    """A request by the key in use, as lbctl cert csr gives it: the same names, and what a program says instead. Nothing is changed, and
    no byte of the key comes along."""
    web = closing(Web(tmp_path / "w", "lbd-proxy"))
    web.start()
    api = web.api()
    web.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    web.ctl("cert", "csr", "asked", "--cn", "a.example.org")
    wait_until(lambda: api("GET", "/certs/asked").status == 200, what="the certificates")
    operator = web.api("operator")
    head, key = web.ctl("history", "-n", "1").stdout, spki((made / "leaf.pem").read_text())
    secret = "".join((web.root / "var/lib/lbd/keys" / (key + ".key")).read_text().split("\n")[1:-2])[30:60]

    def text(body=None, name="web"):
        r = api("POST", f"/certs/{name}/csr", body)
        assert r.status == 200 and set(r.json) == {"name", "key", "request"} and r.json["name"] == name, r.body
        assert spki_of_request(r.json["request"]) == r.json["key"] == row(web, name)["key"]
        assert secret not in r.body.decode() and "PRIVATE" not in r.body.decode()
        return openssl("req", "-noout", "-text", "-verify", input=r.json["request"].encode()).decode()
    wait_until(lambda: api("POST", "/certs/web/csr").status == 200, what="the link to lbd-proxy")
    by_lbctl = openssl("req", "-noout", "-text", input=web.ctl("cert", "csr", "web").stdout.encode()).decode()
    # all but the signature is the same
    assert text().split("Signature Algorithm")[0] == by_lbctl.split("Signature Algorithm")[0] == text({}).split("Signature Algorithm")[0]
    other = text({"cn": "new.example.org", "org": "Example"})
    assert "O = Example, CN = new.example.org" in other and "DNS:new.example.org\n" in other
    other = text({"san": "192.0.2.1,b.example.org"})
    assert "Subject: CN = www.example.org" in other and "IP Address:192.0.2.1, DNS:b.example.org" in other
    assert "Subject: CN = a.example.org" in text({"cn": "a.example.org"}, "asked")
    assert "Subject: CN = asked" in text(None, "asked")

    def problem(status, says, body=None, name="web", pointer=None):
        r = api("POST", f"/certs/{name}/csr", body)
        assert r.status == status and says in r.json["detail"], r.body
        assert [e["pointer"] for e in r.json.get("errors", [])] == ([pointer] if pointer else [])
    problem(404, "cert nobody does not exist", name="nobody")
    problem(422, "cert web: key: unknown; known are cn, san and org", {"key": "p384"}, pointer="/key")
    problem(422, "cert web: cn: a text of 1 to 64 bytes belongs here", {"cn": "a" * 65}, pointer="/cn")
    problem(422, "cert web: org: a text of 1 to 64 bytes belongs here", {"org": 1}, pointer="/org")
    problem(422, 'cert web: san: "a b" is not allowed', {"san": "a b"}, pointer="/san")
    problem(400, "", "[]")
    assert api("POST", "/certs/web/csr", "cn=x", {"Content-Type": "text/plain"}).status == 415
    assert operator("POST", "/certs/web/csr").status == 403
    os.unlink(web.root / "var/lib/lbd/keys" / (key + ".key"))
    problem(409, "cert web: its key is not on this node")
    assert web.ctl("history", "-n", "1").stdout == head
    web.kill("lbd-proxy")
    wait_until(lambda: api("POST", "/certs/web/csr").status == 503, what="that lbd-proxy is gone")
    operation = json.loads(web.raw("GET", "/api/v1/openapi.json").body)["paths"]["/api/v1/certs/{cert}/csr"]["post"]
    assert operation["x-role"] == "admin" and "signed by lbd-proxy" in operation["summary"]


# ---- the pair ----------------------------------------------------------------------------------------------------------

def same(duo, name):
    """Both have the certificate and its key, byte for byte."""
    try:
        rows = [row(n, name) for n in duo.nodes]
    except (AssertionError, IndexError):
        return False
    files = [n.root / "var/lib/lbd/keys" / (rows[0]["key"] + ".key") for n in duo.nodes]
    return rows[0] == rows[1] and all(f.exists() for f in files) and files[0].read_bytes() == files[1].read_bytes()


@ROOT_ONLY
def test_both_nodes_have_keys(tmp_path, closing, made):
    """S146: whatever node a certificate is imported on, and whatever node was away then, both have it and its key."""
    duo = Duo(tmp_path, closing, "lbd-proxy")
    duo.a.ctl("cert", "import", made / "chain.pem", "--key", made / "leaf.key", "--name", "web")
    wait_until(lambda: same(duo, "web"), 10, "the key on the other node")
    duo.b.ctl("cert", "new", "second")  # the passive one
    wait_until(lambda: same(duo, "second"), 10, "the key on the first node")
    assert "PRIVATE" not in duo.a.text() + duo.b.text()

    (tmp_path / "bundle.pem").write_text((made / "root.pem").read_text() * 400)  # longer than two bytes of length
    duo.a.ctl("create", "ca", "large", f"certs=@{tmp_path / 'bundle.pem'}")
    wait_until(lambda: duo.b.ctl("export", "ca").stdout == duo.a.ctl("export", "ca").stdout, 10, "the bundle")

    duo.b.kill("lbd-proxy")  # a key that comes later
    duo.a.ctl("cert", "new", "third")
    duo.b.start("lbd-proxy")
    wait_until(lambda: same(duo, "third"), 15, "the key that came later")

    for name in ("lbd-ha", "lbd-proxy"):  # a whole node that was off
        duo.b.kill(name)
    duo.a.ctl("cert", "new", "fourth")
    duo.b.start()
    wait_until(lambda: same(duo, "fourth"), 30, "what was made while it was off")
    wait_until(lambda: all(not d.get("fault") for n in duo.nodes for d in status(n)["daemons"] if d["name"] == "lbd-proxy"),
               10, "no fault")
