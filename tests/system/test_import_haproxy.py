"""A configuration that HAProxy takes, imported: both are asked the same things and answer alike."""
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from h2origin import H2Origin
from lbdtest import ADDRESS, BIN, Lbd, Vip, client, die_with_parent, free_port, get, listens, wait_until

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
            for line in says.stderr.splitlines():  # and so are entries of lists
                if "lbctl list load" in line:
                    lb.ctl(*line.split("lbctl ")[1].split())
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


GUARD = """
http-errors site
    errorfile 403 {tmp}/403.http
    errorfile 503 {tmp}/503.http

defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 5s
    timeout server 5s

frontend www
    bind {address}:{plain}
    errorfiles site
    http-error status 404 content-type text/plain string "no such place"
    stick-table type ip size 100k expire 10m store http_req_rate(600s)
    http-request track-sc0 src
    http-request track-sc1 req.hdr(X-Key) table keys
    acl often sc_http_req_rate(0) gt 6
    acl blocked src -f {tmp}/blocked.txt
    acl api_host hdr(host) -i -f {tmp}/hosts.txt
    acl hidden path_beg -f {tmp}/hidden.txt
    http-request deny deny_status 429 if often
    http-request deny deny_status 410 if {{ sc1_http_req_rate ge 3 }}
    http-request deny if blocked
    http-request deny deny_status 404 if hidden or {{ path /gone }}
    use_backend dead if {{ path /dead }}
    use_backend api if api_host
    default_backend app

backend app
    server a {a}
backend api
    server b {b}
backend dead
    server x {address}:1
backend keys
    stick-table type string len 32 size 10k expire 1h store http_req_rate(10m)
"""


def page(status, body, *fields):
    return "\r\n".join([f"HTTP/1.0 {status}", "Cache-Control: no-cache", "Connection: close", *fields, "", body])


@pytest.fixture()
def guard(tmp_path):
    """The files that GUARD names."""
    (tmp_path / "403.http").write_text(page("403 Forbidden", "<p>Not for you.\n", "Content-Type: text/html"))
    (tmp_path / "503.http").write_text(page("503 Service Unavailable", "Back soon\n", "Content-Type: text/plain", "Retry-After: 30"))
    (tmp_path / "blocked.txt").write_text("# scanners\n127.0.6.0/24\n192.0.2.1\n")
    (tmp_path / "hosts.txt").write_text("api.example.org\nAPI2.example.org\n")
    (tmp_path / "hidden.txt").write_text("/.git\n/.env\n")
    return tmp_path


def told(answer):
    """What a client sees of an answer of the proxy itself, or which server answered."""
    if answer.server:
        return answer.status, answer.server
    own = answer.status in (403, 404, 503)  # those with pages
    return answer.status, own and answer.body, own and answer.headers["Content-Type"], own and answer.headers["Retry-After"]


def test_same_limits_lists_and_pages(lb, closing, tmp_path, origins, guard):
    """Rates by address and by header, lists from files, error pages: status, body and server are the same, request by request."""
    sides, says = both(lb, closing, tmp_path, GUARD, origins("a", "b"), tmp=guard)
    assert "not supported" not in says.stderr.replace("0 not supported", ""), says.stderr
    wait_until(lambda: listens(ADDRESS, sides[1]["plain"].port), what="lbd listens")
    # those of this address are not counted with the ones below
    wait_until(lambda: get(sides[1]["plain"], source="127.0.6.9").status == 403, what="the lists of lbd")
    requests = [("127.0.5.1", "/", {})] * 9  # the seventh is one too many
    requests += [("127.0.6.1", "/", {}), ("127.0.6.255", "/.git/config", {}), ("127.0.7.1", "/.git/config", {}),
                 ("127.0.7.1", "/x/.git", {}), ("127.0.7.1", "/.envy", {}), ("127.0.7.1", "/gone", {}),
                 ("127.0.7.2", "/dead", {}), ("127.0.7.2", "/", {"Host": "api.EXAMPLE.org"}),
                 ("127.0.7.2", "/", {"Host": "api2.example.org"}), ("127.0.7.2", "/", {"Host": "api3.example.org"})]
    requests += [(f"127.0.8.{n}", "/", {"X-Key": key}) for n, key in enumerate("kklkkl")]  # three of k, from any address
    got = [[told(get(side["plain"], path, dict({"Host": "www.example.org"}, **fields), source=source))
            for source, path, fields in requests] for side in sides]
    for request, haproxy, lbd in zip(requests, *got):
        assert haproxy == lbd, request
    assert [g[0] for g in got[1]] == [200] * 6 + [429] * 3 + [403, 403, 404, 200, 404, 404, 503, 200, 200, 200] + [
        200, 200, 200, 410, 410, 200]


HTTP2 = """
defaults
    mode http
    timeout client 9s
    timeout server 9s
    timeout connect 9s

frontend edge
    bind {address}:{plain}
    use_backend agreed if {{ path_beg /agreed }}
    default_backend always
backend always
    server a {a} proto h2
backend agreed
    server b {b} ssl verify none alpn h2,http/1.1
"""


def test_servers_of_http2(lb, closing, tmp_path, pem):
    """proto h2 and alpn: servers are spoken to as HAProxy speaks to them."""
    a, b = closing(H2Origin("a")), closing(H2Origin("b", certs=(tmp_path / "c.pem", tmp_path / "k.pem"), alpn=["h2", "http/1.1"]))
    sides, says = both(lb, closing, tmp_path, HTTP2, [a, b])
    assert "not supported" not in says.stderr.replace(" 0 not supported", "")
    for side in sides:
        for path, o in (("/x", "a"), ("/agreed", "b")):
            wait_until(lambda: get(side["plain"], path).status == 200)
            r = get(side["plain"], path).json
            assert (r["origin"], r["target"]) == (o, path)
    assert set(b.protocols) == {"h2"} and not a.errors and not b.errors


EXAMPLES = [*sorted(Path("/usr/share/doc/haproxy/examples").glob("*.cfg")),
            *sorted((Path(__file__).parents[1] / "golden/import").glob("haproxy-*.cfg"))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_every_line_is_said(tmp_path, path):
    """Whatever the file: the report has each of its lines, and ends with the sums of what it says."""
    r = subprocess.run([BIN / "lbctl", "--root", tmp_path, "import", "haproxy", path, "--address", ADDRESS], capture_output=True,
                       text=True)
    assert r.returncode in (0, 1), r.stderr
    said = [int(m[1]) for m in re.finditer(r"^line (\d+): ", r.stderr, re.M)]
    lines = [n for n, text in enumerate(path.read_text().splitlines(), 1) if text.split("#")[0].strip()]
    assert set(lines) - set(said) == set()
    words = ("mapped", "mapped with a difference", "not supported")
    counts = [len(re.findall(rf"^(?:line \d+|[^:]+ line \d+|[^:\n]+): {w}: ", r.stderr, re.M)) for w in words]
    assert r.stderr.splitlines()[-1] == ", ".join(f"{n} {w}" for n, w in zip(counts, words))


def large(n):
    """A configuration as of a hoster: n sites with backends of their own, rules, checks and limits for each."""
    text = ["global", " maxconn 50000", "defaults", " mode http", " timeout connect 2s", " timeout client 30s",
            " timeout server 30s", " option httplog", "backend per_ip",
            " stick-table type ip size 1m expire 10m store http_req_rate(10s)", "frontend edge", f" bind {ADDRESS}:8080",
            " http-request track-sc0 src table per_ip", " http-request deny deny_status 429 if { sc_http_req_rate(0) gt 100 }"]
    for i in range(n):
        text += [f" acl site{i} hdr(host) -i s{i}.example.org www.s{i}.example.org",
                 f" http-request redirect scheme https code 301 if site{i} {{ path_beg /login }} !{{ ssl_fc }}",
                 f" use_backend b{i} if site{i}"]
    text.append(" default_backend b0")
    for i in range(n):
        text += [f"backend b{i}", " balance leastconn", " option httpchk GET /health", f" cookie S{i} insert indirect nocache",
                 " http-request set-header X-Site " + str(i),
                 f" server a 127.1.{i >> 8}.{i & 255}:80 check cookie a", f" server b 127.2.{i >> 8}.{i & 255}:80 check cookie b"]
    return "\n".join(text) + "\n"


def test_a_large_configuration(tmp_path):
    """300 sites: HAProxy takes the file, import takes each line, and what it prints is taken back."""
    (tmp_path / "large.cfg").write_text(large(300))
    assert subprocess.run(["haproxy", "-c", "-f", tmp_path / "large.cfg"], capture_output=True).returncode == 0
    ctl = [BIN / "lbctl", "--root", tmp_path / "r"]
    r = subprocess.run([*ctl, "import", "haproxy", tmp_path / "large.cfg"], capture_output=True, text=True)
    assert r.returncode == 0, [x for x in r.stderr.splitlines() if "not supported" in x][:5]
    said = [m[1] for m in re.finditer(r"^line (\d+): ", r.stderr, re.M)]
    assert len(set(said)) == len((tmp_path / "large.cfg").read_text().splitlines())
    (tmp_path / "site.yaml").write_text(r.stdout)
    subprocess.run([*ctl, "validate", "-f", tmp_path / "site.yaml"], check=True)
