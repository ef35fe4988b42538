"""HTTP/3 of clients through lbd-proxy (RFC 9000, 9114), by the real browser."""
import base64
import hashlib
import os
import socket
import subprocess
import threading
import time

import pytest
from h2lib import HOST, ca, counters, tls, vip_of  # noqa: F401
from lbdtest import http_answer, wait_until
from test_proxy_tls import bring
from test_proxy_upgrade import px  # noqa: F401

BIG = os.urandom(3_000_000)
SCRIPT = """<html><body><script>
const spoken = performance.getEntriesByType('navigation')[0].nextHopProtocol;
async function run() { %s }
const tell = v => fetch('/told', {method: 'POST', body: spoken + ' ' + v});
run().then(tell, e => tell('failed: ' + e));
</script></body></html>"""


def page(script):
    """An origin's answers: the page that runs it, what /big and /echo are."""
    def answer(q):
        if q["target"].startswith("/big"):
            return http_answer(BIG)
        if q["target"].startswith("/echo"):
            return http_answer(q["body"].encode())
        if q["target"].startswith("/slow"):
            time.sleep(0.3)
        return http_answer((SCRIPT % script).encode(), "200 OK", "Content-Type: text/html")
    return answer


def spki(pem):
    der = subprocess.run(f"openssl x509 -in {pem} -pubkey -noout | openssl pkey -pubin -outform der", shell=True,
                         capture_output=True, check=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def leaf(vip, tmp_path):
    """The certificate that the service shows by TCP."""
    p = tmp_path / "leaf.pem"
    out = subprocess.run(["openssl", "s_client", "-connect", f"{vip.address}:{vip.port}", "-servername", HOST], input="",
                         capture_output=True, text=True, timeout=10).stdout
    p.write_text(out[out.index("-----BEGIN"):out.index("-----END")] + "-----END CERTIFICATE-----\n")
    return p


def browse(vip, o, tmp_path, force=True):
    """What the page tells: the protocol that it came by, and what its script returns."""
    args = ["/usr/bin/chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
            "--enable-quic", f"--host-resolver-rules=MAP {HOST} {vip.address}", "--remote-debugging-port=0",
            f"--ignore-certificate-errors-spki-list={spki(leaf(vip, tmp_path))}"]
    if force:
        args.append(f"--origin-to-force-quic-on={HOST}:{vip.port}")
    told = len([q for q in o.requests if q["target"] == "/told"])
    p = subprocess.Popen([*args, f"https://{HOST}:{vip.port}/"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len([q for q in o.requests if q["target"] == "/told"]) > told, 30)
    finally:
        p.terminate()
        p.wait()
    spoken, _, what = [q for q in o.requests if q["target"] == "/told"][-1]["body"].partition(" ")
    return spoken, what


def service(lb, request, origins, script="return 'nothing'", **fields):
    o, = origins("o")
    o.answer = page(script)
    return vip_of(lb, request, o, tls="base", http3="yes", **fields), o


def test_browser(lb, tls, origins, request, tmp_path):
    """A048: Chromium speaks HTTP/3; the server sees HTTP/1.1, the access log the client's version, conns a row for the connection."""
    vip, o = service(lb, request, origins, log="json", via="yes")
    assert browse(vip, o, tmp_path) == ("h3", "nothing")
    assert o.requests[0]["target"] == "/"
    n = counters(lb, vip)
    assert n["requests_total"] >= 1 and n["conns_total"] >= 1 and n["tls_handshakes"] >= 1
    wait_until(lambda: counters(lb, vip)["conns"] == 0)


def test_bodies(lb, tls, origins, request, tmp_path):
    """Large bodies both ways, and many requests at once."""
    vip, o = service(lb, request, origins, """
        const big = new Uint8Array(await (await fetch('/big')).arrayBuffer());
        const all = await Promise.all([...Array(150).keys()].map(async i => {
            const text = 'x'.repeat(1000 * i) + i;
            return await (await fetch('/echo?' + i, {method: 'POST', body: text})).text() === text;
        }));
        const sum = [...new Uint8Array(await crypto.subtle.digest('SHA-256', big))].map(b => b.toString(16).padStart(2, '0')).join('');
        return sum + ' ' + all.filter(x => x).length + ' ' + (await fetch('/big')).headers.get('alt-svc');""")
    assert browse(vip, o, tmp_path) == ("h3", f"{hashlib.sha256(BIG).hexdigest()} 150 h3=\":{vip.port}\"; ma=86400")


def test_abort(lb, tls, origins, request, tmp_path):
    """A request that the client gives up ends, and the connection goes on."""
    vip, o = service(lb, request, origins, """
        for (let i = 0; i < 5; i++) {
            const a = new AbortController();
            const f = fetch('/slow?' + i, {signal: a.signal});
            setTimeout(() => a.abort(), 30);
            try { await f; return 'not aborted'; } catch (e) { }
        }
        return await (await fetch('/echo', {method: 'POST', body: 'still here'})).text();""")
    assert browse(vip, o, tmp_path) == ("h3", "still here")


def test_garbage(lb, tls, origins, request, tmp_path):
    """What is no QUIC is passed over; an unknown version is told which there are; a packet of a connection that is no more is answered
    by a reset that is smaller."""
    vip, o = service(lb, request, origins)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.5)
    s.connect((vip.address, vip.port))
    for n in (1, 5, 20, 21, 43, 1200, 1452):
        for _ in range(50):
            s.send(os.urandom(n - 1)[:n - 1] + b"\0")
    while True:  # answers to those that look like packets of a connection
        try:
            assert len(s.recv(2000)) < 1300
        except TimeoutError:
            break
    s.send(b"\xc0\x0a\x0a\x0a\x0a\x08" + b"d" * 8 + b"\x08" + b"s" * 8 + bytes(1200))
    told = s.recv(2000)
    assert told[1:5] == bytes(4) and told[5:14] == b"\x08" + b"s" * 8 and told[14:23] == b"\x08" + b"d" * 8
    assert bytes.fromhex("00000001") in told[23:]
    s.send(b"\x40" + b"c" * 18 + bytes(100))
    assert len(s.recv(2000)) == 43
    s.send(b"\x40" + b"c" * 18 + bytes(20))
    with pytest.raises(TimeoutError):
        s.recv(2000)
    s.close()
    assert browse(vip, o, tmp_path) == ("h3", "nothing")


def test_only_where_wanted(lb, tls, origins, request, tmp_path):
    """Without http3 there is no socket and no Alt-Svc; it comes and goes with a commit, while the service is used."""
    o, = origins("o")
    o.answer = page("return 'nothing'")
    vip = vip_of(lb, request, o, tls="base")

    def listens():
        return f"{vip.address}:{vip.port} " in subprocess.run(["ss", "-Hlun"], capture_output=True, text=True).stdout + " "

    def tells():
        return b"alt-svc: h3" in subprocess.run(["curl", "-skiv", f"https://{vip.address}:{vip.port}/"], capture_output=True).stdout.lower()
    assert not listens() and not tells()
    lb.ctl("set", "vip", vip.name, "http3=yes")
    wait_until(listens)
    wait_until(tells)
    assert browse(vip, o, tmp_path) == ("h3", "nothing")
    lb.ctl("set", "vip", vip.name, "http3=no")
    wait_until(lambda: not listens() and not tells())
    for wrong in ({"mode": "tcp", "http3": "yes"}, {"http3": "yes"}):
        r = lb.ctl("create", "vip", "wrong", "address=127.9.9.9", "ports=80", *[f"{k}={v}" for k, v in wrong.items()], check=False)
        assert r.returncode != 0 and "http3" in r.stderr


def test_port_of_another(lb, tls, origins, request):
    """A UDP port that somebody has is told by name, and the service goes on by TCP."""
    o, = origins("o")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.9.8", 4433))
        taken = lb.vip("taken", o, address="127.0.9.8", port=4433, tls="base", http3="yes")
        wait_until(lambda: "vip taken: no HTTP/3 on UDP port 4433: Address already in use" in lb.text(), 10, "it is told")
        assert b"200" in subprocess.run(["curl", "-skI", "-X", "GET", f"https://{taken.address}:{taken.port}/"],
                                        capture_output=True, timeout=20).stdout.split(b"\n")[0]


def test_retry(lb, tls, origins, request, tmp_path):
    """A client shows that it has its address before anything is kept of it; and the other congestion control."""
    vip, o = service(lb, request, origins, "return (await (await fetch('/big')).arrayBuffer()).byteLength", http3_retry="always",
                     quic_congestion="reno")
    assert browse(vip, o, tmp_path) == ("h3", str(len(BIG)))


def test_upgrade(px, ca, origins, request, tmp_path):
    """A new process takes over while a client has a connection: its requests go on, and new connections come to the new one.
    One POST at most is asked again: that which the browser sends as its connection ends."""
    bring(px, "a", *ca.sign("a", f"DNS:{HOST}"))
    px.ctl("create", "tls", "base", "cert=a")
    vip, o = service(px, request, origins, """
        let n = 0, again = 0;
        const ask = (n) => fetch('/echo?' + n, {method: 'POST', body: 'x' + n});
        for (const end = Date.now() + 4000; Date.now() < end; n++) {
            const r = await ask(n).catch(() => (again++, ask(n)));
            if (await r.text() !== 'x' + n)
                return 'wrong at ' + n;
        }
        return again <= 1 ? 'all' : again + ' asked again';""")
    got = []
    t = threading.Thread(target=lambda: got.append(browse(vip, o, tmp_path)))
    t.start()
    wait_until(lambda: len(o.requests) > 50)
    px.upgrade()
    t.join()
    assert got == [("h3", "all")]
    assert browse(vip, o, tmp_path) == ("h3", "all")
