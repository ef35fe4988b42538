"""A configuration that HAProxy takes, imported: both are asked the same things and answer alike."""
import shutil
import ssl
import subprocess

import pytest

from lbdtest import ADDRESS, Lbd, Vip, client, die_with_parent, free_port, get, listens, wait_until

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")

SITE = """
global
    maxconn 1000

defaults
    mode http
    option forwardfor
    timeout connect 2s
    timeout client 5s
    timeout server 5s

frontend www
    bind {address}:{plain}
    bind {address}:{secure} ssl crt {pem}
    acl is_api path_beg /api/
    acl is_api hdr(host) -i api.example.org
    acl static path_end -i .css .png
    acl writes method POST PUT
    acl bad path_reg ^/(admin|console)$
    acl docs hdr(host) -i docs.example.org
    http-request deny deny_status 404 if bad !{{ src 192.0.2.0/24 }}
    http-request return status 200 content-type text/plain string "nothing here" if {{ path /robots.txt }}
    http-request redirect location https://docs.example.net%[path] code 302 if docs
    http-request redirect prefix https://new.example.org code 308 if {{ path_dir old }}
    http-request redirect scheme https code 301 if {{ path_beg /login }} !{{ ssl_fc }}
    http-request set-header X-Proto https if {{ ssl_fc }}
    http-request add-header X-Client "from %[src]"
    http-request del-header X-Internal
    http-request replace-path /shop/(.*) /store/\\1
    http-response set-header X-Frame-Options DENY
    http-response del-header X-Secret
    use_backend static if static !writes
    use_backend api if is_api or {{ hdr(X-Key) -m found }}
    default_backend app

backend app
    balance roundrobin
    cookie SRV insert indirect nocache
    server a {a} cookie a
    server b {b} cookie b

backend api
    http-request set-header X-Backend api
    http-response set-header X-Served-By api
    server c {c}

backend static
    server d {d}
"""
STREAM = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 5s
    timeout server 5s

frontend tls
    bind {address}:{plain}
    tcp-request inspect-delay 5s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    use_backend mail if {{ req.ssl_sni -i mail.example.org }}
    use_backend shop if {{ req.ssl_sni -m end .shop.example.org }}
    default_backend web

backend web
    server a {a}
backend mail
    server b {b}
backend shop
    server c {c}
"""


@pytest.fixture()
def lb(tmp_path, closing):
    lb = closing(Lbd(tmp_path / "r", "lbd-proxy"))
    lb.ctl("set", "node", "hostname=alpha")  # keys are taken once there is a configuration
    return lb.start()


class Haproxy:
    def __init__(self, path, *ports):
        check = subprocess.run(["haproxy", "-c", "-f", path], capture_output=True, text=True)
        assert check.returncode == 0, check.stderr
        self.p = subprocess.Popen(["haproxy", "-db", "-f", path], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        for port in ports:
            wait_until(lambda: listens(ADDRESS, port), what="haproxy listens")

    def close(self):
        self.p.kill()
        self.p.wait()


def both(lb, closing, tmp_path, text, origins, **more):
    """HAProxy and lbd with one configuration at ports of their own: [{"plain": Vip, "secure": Vip}, ...]; what import says."""
    sides, says = [], None
    servers = {o.name: f"{o.address}:{o.port}" for o in origins}
    for name in ("haproxy", "lbd"):
        ports = {"plain": free_port(), "secure": free_port()}
        path = tmp_path / f"{name}.cfg"
        path.write_text(text.format(address=ADDRESS, **ports, **servers, **more))
        if name == "haproxy":
            used = [p for k, p in ports.items() if "{" + k + "}" in text]
            closing(Haproxy(path, *used))
        else:
            says = lb.ctl("import", "haproxy", path, check=False)
            for line in says.stderr.splitlines():  # keys are brought as the report says
                if "lbctl cert import" in line:
                    lb.ctl(*line.split("lbctl ")[1].split())
            (tmp_path / "site.yaml").write_text(says.stdout)
            lb.ctl("apply", "-f", tmp_path / "site.yaml")
        sides.append({k: Vip(name, ADDRESS, p) for k, p in ports.items()})
    return sides, says


def seen(answer):
    """What matters of an answer, and what the server had seen of the request."""
    out = {"status": answer.status, "server": answer.server}
    for name in ("Location", "X-Frame-Options", "X-Served-By", "X-Secret"):
        out[name] = answer.headers.get(name)
    if answer.body and answer.server:
        out["target"] = answer.json["target"]
        fields = {}  # two lines and one line with a comma are the same (RFC 9110, 5.3)
        for n, v in answer.json["fields"]:
            fields[n] = f"{fields[n]}, {v}" if n in fields else v
        fields.pop("connection", None)
        out["fields"] = fields
    return out


@pytest.fixture()
def pem(tmp_path):
    """A certificate with its key, as HAProxy wants them: in one file."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                    "-subj", "/CN=www.example.org", "-addext", "subjectAltName=DNS:www.example.org", "-keyout", "k.pem",
                    "-out", "c.pem"], cwd=tmp_path, check=True, capture_output=True)
    path = tmp_path / "www.example.org.pem"
    path.write_text((tmp_path / "c.pem").read_text() + (tmp_path / "k.pem").read_text())
    return path


REQUESTS = [
    ("GET", "/", {}),
    ("GET", "/api/x?a=1", {}),
    ("POST", "/api/x", {}),
    ("GET", "/", {"Host": "API.example.org"}),
    ("GET", "/", {"X-Key": "1"}),
    ("GET", "/a.CSS", {}),
    ("POST", "/a.css", {}),
    ("GET", "/admin", {}),
    ("GET", "/admin/x", {"X-Internal": "1"}),
    ("GET", "/robots.txt", {}),
    ("GET", "/some/page?q=1", {"Host": "docs.example.org"}),
    ("GET", "/very/old/page?q=1", {}),
    ("GET", "/login?x=1", {"Host": "www.example.org"}),
    ("GET", "/shop/a/b?q=1", {}),
    ("HEAD", "/api/", {}),
    ("GET", "/x", {"X-Forwarded-For": "198.51.100.1"}),
]


def test_same_answers(lb, closing, tmp_path, origins, pem):
    """Each request has the same status, place to go, server and header fields with both."""
    sides, says = both(lb, closing, tmp_path, SITE, origins("a", "b", "c", "d"), pem=pem)
    assert "not supported" not in says.stderr.replace("0 not supported", ""), says.stderr
    assert says.returncode == 0
    wait_until(lambda: listens(ADDRESS, sides[1]["plain"].port), what="lbd listens")
    for method, path, fields in REQUESTS:
        got = []
        for side in sides:
            answer = seen(get(side["plain"], path, dict({"Host": "www.example.org"}, **fields), method))
            if answer["server"] in ("a", "b"):  # whichever of the two
                answer["server"] = "app"
            got.append(answer)
        assert got[0] == got[1], (method, path, fields)


def test_same_cookie(lb, closing, tmp_path, origins, pem):
    """With both a client keeps the server that its cookie names, and the server never sees it."""
    sides, _ = both(lb, closing, tmp_path, SITE, origins("a", "b", "c", "d"), pem=pem)
    wait_until(lambda: listens(ADDRESS, sides[1]["plain"].port), what="lbd listens")
    for side in sides:
        vip, kept = side["plain"], {}
        for _ in range(6):
            answer = get(vip)
            cookie = answer.headers["Set-Cookie"].split(";")[0]
            assert cookie.startswith("SRV=")
            kept[answer.server] = cookie
        assert sorted(kept) == ["a", "b"]
        for server, cookie in kept.items():
            for _ in range(4):
                answer = get(vip, headers={"Cookie": f"x=1; {cookie}"})
                assert answer.server == server and answer.headers.get("Set-Cookie") is None
                assert "SRV" not in dict(answer.json["fields"]).get("cookie", "")


def over_tls(vip, name, path="/"):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    c = client(vip)
    c.connect()
    c.sock = context.wrap_socket(c.sock, server_hostname=name)
    der = c.sock.getpeercert(binary_form=True)
    return get(vip, path, {"Host": "www.example.org"}, connection=c), der


def test_same_tls(lb, closing, tmp_path, origins, pem):
    """The report says how the key is brought; then both show the same certificate, and servers learn of TLS."""
    sides, says = both(lb, closing, tmp_path, SITE, origins("a", "b", "c", "d"), pem=pem)
    assert f"lbctl cert import {pem} --name www.example.org\n" in says.stderr
    wait_until(lambda: listens(ADDRESS, sides[1]["secure"].port), what="lbd listens with TLS")
    got = []
    for side in sides:
        answer, der = over_tls(side["secure"], "www.example.org", "/api/")
        assert answer.server == "c" and ("x-proto", "https") in [tuple(x) for x in answer.json["fields"]]
        assert over_tls(side["secure"], "www.example.org", "/login")[0].status == 200
        got.append(der)
    assert got[0] == got[1]
    assert "PRIVATE KEY" not in says.stdout


def test_same_stream(lb, closing, tmp_path, origins):
    """TLS that is passed on reaches the server of its name."""
    def by_name(c, o):
        assert c.recv(10)
        c.sendall(o.name.encode())
    sides, says = both(lb, closing, tmp_path, STREAM, origins("a", "b", "c", handle=by_name))
    assert says.returncode == 0, says.stderr
    wait_until(lambda: listens(ADDRESS, sides[1]["plain"].port), what="lbd listens")
    for name, server in (("www.example.org", b"a"), ("mail.example.org", b"b"), ("MAIL.example.org", b"b"),
                         ("x.shop.example.org", b"c"), ("shop.example.org", b"a")):
        for side in sides:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context()
            hello = context.wrap_bio(incoming, outgoing, server_hostname=name)
            with pytest.raises(ssl.SSLWantReadError):
                hello.do_handshake()
            with side["plain"].connect() as s:
                s.sendall(outgoing.read())
                assert s.recv(10) == server, (name, side["plain"].name)
