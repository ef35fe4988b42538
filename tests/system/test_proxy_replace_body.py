"""A084: rules that replace texts in the bodies of answers: framings, pieces, codings, growth, both versions of HTTP, what is left alone."""
import gzip
import json
import subprocess
import time

import brotli
import pytest
from h2origin import H2Origin
from lbdtest import ADDRESS, Origin, Reader, Vip, client, free_port, get, http_answer, listens, talk, wait_until

HTML = "Content-Type: text/html; charset=utf-8"
SWAP = {"find": "old.example", "replace": "new.example.net"}


class Server:
    """One that is not of ours."""

    def __init__(self, address, port):
        self.address, self.port = address, port


def serve_pieces(c, origin):
    """Answers with the pieces of origin.pieces, each sent for itself; the last connection of an answer without length."""
    r = Reader(c)
    while (head := r.head()):
        r.body(head[1])
        origin.heads.append((head[0], dict(head[1])))
        for p in origin.pieces:
            c.sendall(p)
            time.sleep(origin.wait)
        if origin.last:
            return


@pytest.fixture()
def make(lb, closing):
    """make({rule: fields}, **fields of the service): (vip, origin); all in one commit."""
    def build(rules, origin=None, **words):
        o = origin or closing(Origin("a", serve_pieces))
        o.heads, o.pieces, o.wait, o.last = [], [], 0, False
        name = "b" + str(free_port())
        vip = Vip(name, ADDRESS, free_port())
        rules = {n: {"action": "replace_body", "on": "answer", **r} for n, r in rules.items()}
        row = {"address": ADDRESS, "ports": vip.port, "rips": {"a": {"address": o.address, "port": o.port}}, "rules": rules, **words}
        lb.ctl("apply", "-f", "-", input=json.dumps({"vip": {name: row}}))
        wait_until(lambda: listens(vip.address, vip.port), what="the service listens")
        return vip, o
    return build


def chunked(body, size):
    cut = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in cut) + b"0\r\n\r\n"


def head(*fields):
    return "\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode()


def hits(lb, vip):
    return {r["name"]: r["counts"]["hits"] for r in lb.json("get", "rule", f"{vip.name}/")}


BODY = (b"<a href=https://old.example/x>old.exampl old.example</a>\n" * 3000)
WANT = BODY.replace(b"old.example", b"new.example.net")


@pytest.mark.parametrize("form", ["length", "chunked", "close"])
@pytest.mark.parametrize("size", [1, 7, 997, 100_000])
def test_framings(make, form, size):
    """Whatever the server's framing and pieces, the client gets chunks, and the connection stays; ETag is weak, ranges are not offered."""
    vip, o = make({"r": SWAP})
    body = BODY if size > 100 else BODY[:600]
    want = body.replace(b"old.example", b"new.example.net")
    fields = [HTML, 'ETag: "1"', "Accept-Ranges: bytes", "Content-MD5: x", "Repr-Digest: x"]
    o.last = form == "close"
    if form == "length":
        whole = head(*fields, f"Content-Length: {len(body)}") + body
    elif form == "chunked":
        whole = head(*fields, "Transfer-Encoding: chunked") + chunked(body, size)
    else:
        whole = head(*fields, "Connection: close") + body
    o.pieces = [whole[i:i + size] for i in range(0, len(whole), size)]
    a = get(vip, headers={"Accept-Encoding": "gzip, br"})
    assert a.body == want
    assert a.headers["Transfer-Encoding"] == "chunked" and a.headers["Content-Length"] is None
    assert a.headers["ETag"] == 'W/"1"' and a.headers["Connection"] is None
    assert [a.headers[n] for n in ("Accept-Ranges", "Content-MD5", "Repr-Digest", "Vary")] == [None] * 4
    assert "accept-encoding" not in o.heads[0][1]
    if form == "chunked":  # no answer to HTTP/1.0
        return
    raw = talk(vip, b"GET / HTTP/1.0\r\n\r\n")
    assert raw.endswith(b"\r\n\r\n" + want) and b"Content-Length" not in raw and b"chunked" not in raw


def test_no_rule_no_change(make):
    """Of a service without such a rule nothing changes: its codings are asked for, its length stays."""
    vip, o = make({"r": {"action": "set_header", "header": "X-A", "value": "b"}})
    o.pieces = [http_answer(BODY, "200 OK", HTML)]
    a = get(vip, headers={"Accept-Encoding": "gzip"})
    assert a.body == BODY and a.headers["Content-Length"] == str(len(BODY)) and a.headers["X-A"] == "b"
    assert o.heads[0][1]["accept-encoding"] == "gzip"


def test_order(make):
    """Several, one after the other; one whose condition does not hold, and what is behind a last one, do nothing."""
    vip, o = make({"a": {"find": "one", "replace": "two", "order": 1},
                   "b": {"find": "two", "replace": "3", "order": 2, "when": "path under /x or path is /y"},
                   "c": {"find": "3", "replace": "", "order": 3, "last": True, "when": "path is /y"},
                   "d": {"find": "s", "replace": "[line\n]", "order": 4},
                   "h": {"action": "set_header", "header": "X-A", "value": "b", "order": 5}})
    o.pieces = [http_answer(b"one two stone", "200 OK", HTML)]
    assert get(vip).body == b"two two [line\n]ttwo"
    a = get(vip, "/x")
    assert a.body == b"3 3 [line\n]t3" and a.headers["X-A"] == "b"
    a = get(vip, "/y")
    assert a.body == b"  st" and a.headers["X-A"] is None


def test_left_alone(lb, make):
    """What is in a coding, of another type, a part, without a body, or not to be transformed; such a rule does not hold, and is not counted."""
    vip, o = make({"r": SWAP})
    packed = gzip.compress(BODY)
    same = [http_answer(packed, "200 OK", HTML, "Content-Encoding: gzip"), http_answer(BODY, "200 OK", "Content-Type: image/png"),
            http_answer(BODY, "206 Partial Content", HTML, f"Content-Range: bytes 0-{len(BODY) - 1}/999999"),
            http_answer(BODY, "200 OK", HTML, "Cache-Control: no-transform"), http_answer(BODY), http_answer(b"", "200 OK", HTML)]
    for answer in same:
        o.pieces = [answer]
        a = get(vip)
        sent, _, body = answer.partition(b"\r\n\r\n")
        assert a.body == body and a.headers["Content-Length"] == str(len(body)), sent
    o.pieces = [head(HTML, "Content-Length: 5000", 'ETag: "1"')]
    a = get(vip, method="HEAD")
    assert a.headers["ETag"] == '"1"' and a.body == b""
    o.pieces = [b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n']
    assert get(vip).headers["ETag"] == '"1"'
    assert hits(lb, vip)["r"] == 0
    o.pieces = [http_answer(BODY, "404 Not Found", HTML)]
    assert get(vip).body == WANT
    wait_until(lambda: hits(lb, vip)["r"] == 1)


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_compressed(make, coding):
    """It is replaced, and then compressed for who takes that; the server is not asked for a coding."""
    vip, o = make({"r": SWAP}, compress="plain")
    o.pieces = [http_answer(BODY, "200 OK", HTML)]
    a = get(vip, headers={"Accept-Encoding": coding})
    assert a.headers["Content-Encoding"] == coding and a.headers["Vary"] == "Accept-Encoding"
    assert {"br": brotli.decompress, "gzip": gzip.decompress}[coding](a.body) == WANT
    assert "accept-encoding" not in o.heads[0][1]
    assert get(vip).body == WANT


def test_types(make):
    vip, o = make({"r": {**SWAP, "types": "application/x-a,image/*"}})
    for kind, want in (("application/x-a", WANT), ("image/svg+xml", WANT), ("text/html", BODY)):
        o.pieces = [http_answer(BODY, "200 OK", f"Content-Type: {kind}")]
        assert get(vip).body == want


def memory(lb):
    text = open(f"/proc/{lb.pid()}/status").read()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


def test_growth(lb, make):
    """A body that grows a thousandfold, to a client that does not read: it waits in the server's form, and is whole in the end."""
    vip, o = make({"a": {"find": "a", "replace": "b" * 1000, "order": 1}, "b": {"find": "bb", "replace": "c", "order": 2}})
    body = b"a" * 40_000
    o.pieces = [http_answer(body, "200 OK", HTML)]
    get(vip)
    before = memory(lb)
    c = client(vip, timeout=60)
    c.request("GET", "/")
    time.sleep(1)
    assert memory(lb) - before < 8_000_000
    assert c.getresponse().read() == b"c" * 20_000_000
    c.close()


def test_slow_server(make):
    """What cannot be the beginning of a text goes on at once."""
    vip, o = make({"r": SWAP})
    o.wait = 0.5
    o.pieces = [head(HTML, "Transfer-Encoding: chunked") + b"9\r\nfirst old\r\n", b"8\r\n.example\r\n", b"0\r\n\r\n"]
    with vip.connect() as s:
        start = time.monotonic()
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        r = Reader(s)
        r.head()
        assert r.exactly(11) == b"0006\r\nfirst" and time.monotonic() - start < 0.4
        assert b"new.example.net" in r.until(b"\r\n0\r\n\r\n")


def test_broken_off(make):
    """An answer that breaks off does not look complete, whatever the client's version."""
    vip, o = make({"r": SWAP})
    o.last = True
    o.pieces = [head(HTML, "Content-Length: 99999") + b"old.example " * 100]
    raw = talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not raw.endswith(b"0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        with vip.connect() as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while s.recv(65536):
                pass


def test_http2_client(make):
    vip, o = make({"r": SWAP}, h2c=True)
    o.pieces = [http_answer(BODY, "200 OK", HTML)]
    r = subprocess.run(["curl", "-sSi", "--http2-prior-knowledge", f"http://{vip.address}:{vip.port}/"], capture_output=True, timeout=60)
    fields, _, body = r.stdout.partition(b"\r\n\r\n")
    assert r.returncode == 0 and fields.startswith(b"HTTP/2 200") and body == WANT
    assert b"content-length" not in fields and b"transfer-encoding" not in fields


def test_http2_server(make, closing):
    o = closing(H2Origin("h"))
    o.respond = lambda q: q.answer(200, BODY, ("content-type", "text/html"))
    vip, _ = make({"r": SWAP}, origin=o, h2c=True, server_http="2")
    a = get(vip, headers={"Accept-Encoding": "gzip"})
    assert a.body == WANT and a.headers["Transfer-Encoding"] == "chunked"
    r = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", f"http://{vip.address}:{vip.port}/"], capture_output=True, timeout=60)
    assert r.stdout == WANT


def test_live(make, lb):
    """A change is for answers whose requests come after it, without a restart."""
    vip, o = make({"r": SWAP})
    o.pieces = [http_answer(b"old.example", "200 OK", HTML)]
    assert get(vip).body == b"new.example.net"
    lb.ctl("set", "rule", f"{vip.name}/r", "replace=z")
    wait_until(lambda: get(vip).body == b"z")
    lb.ctl("set", "rule", f"{vip.name}/r", "enabled=no")
    wait_until(lambda: get(vip).body == b"old.example")


def test_try(make, lb):
    """lbctl rule try tells which texts would be replaced in an answer, where the request alone says so."""
    vip, o = make({"r": {**SWAP, "when": "path under /a", "order": 1}, "s": {"find": "x", "when": "status is 200", "order": 2},
                   "t": {"find": "y", "order": 3}, "d": {"action": "deny", "on": "request", "when": "path is /a/no"}})

    def tried(path):
        return [(r["rule"], r["action"], r["does"]) for r in lb.json("rule", "try", vip.name, path)["rules"]]
    assert tried("/a") == [("r", "replace_body", "old.example"), ("t", "replace_body", "y")]
    assert tried("/b") == [("t", "replace_body", "y")]
    assert [r[0] for r in tried("/a/no")] == ["d"]
    assert hits(lb, vip) == {"r": 0, "s": 0, "t": 0, "d": 0}


def test_nginx(make, tmp_path, closing):
    """nginx that compresses for who takes it: it is not asked to, and a client gets what was replaced, compressed by the proxy."""
    page = b"<p>from old.example to you</p>\n" * 2000
    (tmp_path / "page.html").write_bytes(page)
    port = free_port()
    (tmp_path / "n.conf").write_text(f"""daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/e;
events {{ }}
http {{ types {{ text/html html; }} access_log off; gzip on; gzip_min_length 1; client_body_temp_path {tmp_path}/1;
proxy_temp_path {tmp_path}/2; fastcgi_temp_path {tmp_path}/3; uwsgi_temp_path {tmp_path}/4; scgi_temp_path {tmp_path}/5;
server {{ listen 127.0.0.1:{port}; root {tmp_path}; }} }}""")
    with subprocess.Popen(["nginx", "-c", tmp_path / "n.conf", "-e", tmp_path / "e"]) as p:
        try:
            wait_until(lambda: listens("127.0.0.1", port), what="nginx")
            assert get(Vip("nginx", "127.0.0.1", port), "/page.html", {"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
            vip, _ = make({"r": SWAP}, origin=Server("127.0.0.1", port), compress="plain")
            want = page.replace(b"old.example", b"new.example.net")
            a = get(vip, "/page.html", {"Accept-Encoding": "gzip"})
            assert gzip.decompress(a.body) == want and a.headers["ETag"].startswith('W/"')
            a = get(vip, "/page.html")
            assert a.body == want and a.headers["Accept-Ranges"] is None
            tag = a.headers["ETag"]
            assert get(vip, "/page.html", {"If-None-Match": tag}).status == 304
            a = get(vip, "/page.html", {"Range": "bytes=0-9"})
            assert a.status == 206 and a.body == page[:10]
        finally:
            p.terminate()
