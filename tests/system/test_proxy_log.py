"""Access logs of lbd-proxy: what a line says of a known transaction, and that nobody waits for who reads it."""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from lbdtest import Lbd, Origin, Reader, client, get, http_answer, talk, wait_until
from test_proxy_limits import Gate, full_listener

HTTP = re.compile(
    r'(?P<ci>\S+):(?P<cp>\d+) \[(?P<tr>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\] (?P<ft>\S+) (?P<b>\S+)/(?P<s>\S+) '
    r'(?P<TR>-?\d+)/(?P<Tw>-?\d+)/(?P<Tc>-?\d+)/(?P<Tr>-?\d+)/(?P<Ta>\d+) (?P<ST>-?\d+) (?P<B>\d+) - - (?P<tsc>\S{4}) '
    r'(?P<ac>\d+)/(?P<fc>\d+)/(?P<bc>\d+)/(?P<sc>\d+)/(?P<rc>\+?\d+) (?P<sq>\d+)/(?P<bq>\d+) "(?P<r>.*)"')
TCP = re.compile(r'(?P<ci>\S+):(?P<cp>\d+) \[(?P<t>\S+)\] (?P<ft>\S+) (?P<b>\S+)/(?P<s>\S+) '
                 r'(?P<Tw>-?\d+)/(?P<Tc>-?\d+)/(?P<Tt>\d+) (?P<B>\d+) (?P<ts>\S{2}) \S+ \S+')


class Log:
    """Lines of access.log, from now on."""

    def __init__(self, lb):
        self.path = lb.root / "var/log/lbd/access.log"
        self.at = self.path.stat().st_size if self.path.exists() else 0

    def all(self):
        if not self.path.exists():
            return []
        with open(self.path, "rb") as f:
            f.seek(self.at)
            return [x.decode() for x in f.read().split(b"\n")[:-1]]

    def lines(self, n, vip):
        """The first n of a service, as they come."""
        def look():
            got = [x for x in self.all() if f" {vip.name} {vip.name}/" in x or f'"vip":"{vip.name}"' in x
                   or x.startswith(f"{vip.name} ")]
            return len(got) >= n and got
        return wait_until(look, what=f"{n} lines of {vip.name}")

    def one(self, vip):
        line, = self.lines(1, vip)
        m = HTTP.fullmatch(line)
        assert m, line
        return m.groupdict()


@pytest.fixture()
def log(lb):
    return Log(lb)


def reset(s):
    """Close with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def test_a_known_transaction(lb, origins, log):
    """A159: every field of the line, of one request that took a known time and had a known size."""
    o, = origins("a")
    vip = lb.vip("known", o, log="haproxy")

    def slow(r):
        time.sleep(1)  # the time that Tr has to show, and nothing else
        return http_answer(b"x" * 5000)
    o.answer = slow
    c = client(vip)
    body = get(vip, "/a?b=c", connection=c).body
    port = c.sock.getsockname()[1]
    c.close()
    f = log.one(vip)
    head = len(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    assert len(body) == 5000 and f["ST"] == "200" and f["B"] == str(5000 + head)
    assert f["ci"] == vip.address or f["ci"].startswith("127.") and f["cp"] == str(port)
    assert (f["ft"], f["s"], f["tsc"], f["r"]) == ("known", "a", "----", "GET /a?b=c HTTP/1.1")
    assert 0 <= int(f["TR"]) < 900 and f["Tw"] == "0" and 0 <= int(f["Tc"]) < 900
    assert 990 <= int(f["Tr"]) < 9000 and int(f["Ta"]) >= int(f["Tr"])
    assert (f["fc"], f["sc"], f["rc"], f["sq"], f["bq"]) == ("1", "1", "0", "0", "0")
    then = time.mktime(time.strptime(f["tr"][:-4], "%d/%b/%Y:%H:%M:%S"))
    assert abs(then - time.time()) < 30


def test_json_whatever_a_client_sends(lb, origins, log):
    """A159: one object a line, valid also for bytes that are no text; secrets are in none."""
    o, = origins("a")
    vip = lb.vip("json", o, log="json")
    o.answer = lambda r: http_answer(b"12345")
    head = (b'GET /q?"=%22\\ HTTP/1.1\r\nHost: x\r\nUser-Agent: a"b\\\xff\xfe\xc3\xa9\t\r\nReferer: http://y/"},{"\r\n'
            b"Authorization: Basic c2VjcmV0\r\nCookie: sid=geheim\r\nConnection: close\r\n\r\n")
    out = talk(vip, head)
    line, = log.lines(1, vip)
    d = json.loads(line)
    if b" 200 " in out:
        assert d["target"] == '/q?"=%22\\' and d["agent"].startswith('a"b\\') and d["referer"] == 'http://y/"},{"'
    else:  # refused by the parser: the line says so and is whole all the same
        assert d["status"] == 400 and d["state"] == "PR--"
    assert "geheim" not in line and "c2VjcmV0" not in line
    talk(vip, head.replace(b'"=%22\\', b"a=%22"))
    d = json.loads(log.lines(2, vip)[1])
    assert (d["vip"], d["rip"], d["status"], d["method"], d["target"]) == ("json", "a", 200, "GET", "/q?a=%22")
    assert d["agent"] == 'a"b\\\u00ff\u00fe\u00e9' and d["referer"] == 'http://y/"},{"' and d["bytes_out"] > 5
    assert d["server_port"] == o.port and d["total_ms"] >= d["answer_ms"] >= 0


def test_combined(lb, origins, log):
    """A159: what reads Apache's combined log reads this."""
    o, = origins("a")
    vip = lb.vip("combined", o, log="combined")
    o.answer = lambda r: http_answer(b"12345")
    get(vip, "/c", {"User-Agent": 'x "y" \\', "Referer": "http://r/"})
    form = re.compile(r'(\S+) - - \[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "GET /c HTTP/1.1" 200 5 "http://r/" "(.*)"')
    m = wait_until(lambda: next((m for m in map(form.fullmatch, log.all()) if m), None))
    assert m[3] == r"x \x22y\x22 \x5C"


def test_custom(lb, origins, log):
    """A159: a template of one's own; a word that does not exist is named at the commit."""
    o, = origins("a")
    vip = lb.vip("custom", o, log="custom", log_format="%ft %HM %HP %HQ %ST 100%% %{+Q}agent %sp")
    get(vip, "/d?e", {"User-Agent": "me"})
    assert log.lines(1, vip) == [f'custom GET /d ?e 200 100% "me" {o.port}']
    r = lb.ctl("set", "vip", "custom", "log_format=%ci %STT", check=False)
    assert r.returncode == 7 and "vip custom: log_format:" in r.stderr and "%STT" in r.stderr and "%ST;" in r.stderr
    r = lb.ctl("set", "vip", "custom", "log_format=", check=False)
    assert r.returncode == 7 and "log_format: is required with log custom" in r.stderr
    r = lb.ctl("set", "setting", "access_syslog=nowhere", check=False)
    assert r.returncode == 7 and 'access_syslog: "nowhere" is not allowed' in r.stderr


def test_how_it_ended(lb, closing, origins, log):
    """A159: who ended a request, and in which phase."""
    o, = origins("a")
    vip = lb.vip("ended", o, log="haproxy", server_timeout="1s", request_timeout="1s", client_timeout="1s", retries=0)
    expect, large = [], http_answer(b"x" * 20_000_000)

    def ends(tsc, status, server="a"):
        expect.append((tsc, str(status), server))
        got = [HTTP.fullmatch(x) for x in log.lines(len(expect), vip)]
        assert [(m["tsc"], m["ST"], m["s"]) for m in got] == expect

    assert b" 400 " in talk(vip, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
    ends("PR--", 400, "<NOSRV>")
    assert b" 408 " in talk(vip, b"GET / HTTP/1.1\r\nHo")
    ends("cR--", 408, "<NOSRV>")
    with vip.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHo")
        s.shutdown(socket.SHUT_WR)
        assert s.recv(100) == b""
    ends("CR--", -1, "<NOSRV>")
    o.answer = lambda r: time.sleep(2) or http_answer()
    assert get(vip, "/slow").status == 504
    ends("sH--", 504)
    o.answer = lambda r: b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    assert len(talk(vip, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").split(b"\r\n\r\n")[1]) == 4
    ends("sD--", 200)
    o.answer = lambda r: b"nonsense\r\n\r\n"
    assert get(vip).status == 502
    ends("PH--", 502)
    o.answer = lambda r: large
    s = vip.connect()
    s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    s.recv(100)
    reset(s)
    ends("CD--", 200)
    s = vip.connect()
    s.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    assert b" 408 " in s.recv(1000)
    s.close()
    ends("cH--", 408)
    o.close()
    assert get(vip).status == 503
    ends("SC--", 503)


def test_how_rules_end_it(lb, origins, log):
    """A159: what rules answer themselves, with the letters that HAProxy has for it."""
    vip = lb.vip("ruled", *origins("a"), log="haproxy")
    for i, (action, more) in enumerate({"redirect": ["location=/"], "return": ["body=x"], "deny": [], "tarpit": ["time=100ms"]}.items()):
        lb.ctl("create", "rule", f"ruled/{action}", f"order={10 * i + 10}", f"when=path is /{action}", f"action={action}", *more)
    got = [get(vip, path).status for path in ("/redirect", "/return", "/deny", "/tarpit", "/")]
    assert sorted((m["tsc"], int(m["ST"])) for m in map(HTTP.fullmatch, log.lines(5, vip))) == sorted(
        zip(("LR--", "LR--", "PR--", "PT--", "----"), got))  # each worker writes its own


def test_queue_and_connect_timeouts(lb, closing, log):
    """A159: too long in the queue, and a server that does not accept in time."""
    o = closing(Gate("a"))
    vip = lb.vip("waits", log="haproxy", queue_timeout="200ms", connect_timeout="200ms", retries=0)
    lb.rip(vip, "a", o.port, max_conns=1)
    first = []
    t = threading.Thread(target=lambda: first.append(get(vip, "/first").status))
    t.start()
    wait_until(lambda: o.waiting == 1)
    assert get(vip, "/second").status == 503
    o.gate.set()
    t.join()
    lines = {f["r"].split()[1]: f for f in (HTTP.fullmatch(x).groupdict() for x in log.lines(2, vip))}
    late, early = lines["/second"], lines["/first"]
    assert (late["tsc"], late["s"], late["Tw"], late["Tr"], late["r"]) == (
        "sQ--", "<NOSRV>", "-1", "-1", "GET /second HTTP/1.1")
    assert int(late["Ta"]) >= 190 and (early["tsc"], early["ST"], first) == ("----", "200", [200])
    hangs = lb.vip("hangs", log="haproxy", connect_timeout="200ms", retries=0)
    lb.rip(hangs, "b", full_listener(closing))
    assert get(hangs).status == 503
    f = log.one(hangs)
    assert (f["tsc"], f["s"], f["Tc"]) == ("sC--", "b", "-1") and int(f["Ta"]) >= 190


def test_retries_and_cookie(lb, closing, origins, log):
    """A159: another server was tried; what became of the cookie."""
    good, gone = origins("good", "gone")
    gone.close()
    vip = lb.vip("again", good, gone, log="haproxy", persistence="cookie", scheduler="wrr")
    for _ in range(4):
        assert get(vip).status == 200
    got = [HTTP.fullmatch(x).groupdict() for x in log.lines(4, vip)]
    assert {f["rc"] for f in got} >= {"+1"} and all(f["s"] == "good" and f["tsc"] == "--NI" for f in got)
    cookie = get(vip).headers["Set-Cookie"].split(";")[0]
    get(vip, "/known", {"Cookie": cookie})
    known, = (x for x in log.lines(6, vip) if '"GET /known' in x)
    assert HTTP.fullmatch(known)["tsc"] == "--VN"


def test_tcp_and_upgrade(lb, closing, log):
    """A159: one line for a TCP connection, and for a tunnel one when it ends, with all its bytes."""
    def echo(c, origin):
        while data := c.recv(4096):
            c.sendall(data)
    o = closing(Origin("a", echo))
    vip = lb.vip("stream", o, mode="tcp", log="haproxy")
    assert talk(vip, b"hello", half_close=True) == b"hello"
    f = TCP.fullmatch(log.lines(1, vip)[0]).groupdict()
    assert (f["s"], f["B"], f["ts"]) == ("a", "5", "--")

    def switch(c, origin):
        Reader(c).head()
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        echo(c, origin)
    u = closing(Origin("a", switch))
    vip = lb.vip("tunnel", u, log="json")
    with vip.connect() as s:
        r = Reader(s)
        s.sendall(b"GET /t HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        assert " 101 " in r.head()[0]
        s.sendall(b"ping")
        assert r.exactly(4) == b"ping"
        assert not [x for x in log.all() if '"vip":"tunnel"' in x]
    d = json.loads(log.lines(1, vip)[0])
    assert d["status"] == 101 and d["target"] == "/t" and d["state"] == "----" and d["bytes_out"] > 4


def test_sampling_and_switching(lb, origins, log):
    """A159: one of N; and a log that is switched on and off while traffic flows."""
    o, = origins("a")
    vip = lb.vip("some", o, log="haproxy", log_sample=5)
    c = client(vip)
    for _ in range(50):
        get(vip, connection=c)
    lb.ctl("set", "vip", "some", "log=off")
    get(vip, "/unseen", connection=c)
    lb.ctl("set", "vip", "some", "log=haproxy", "log_sample=1")
    wait_until(lambda: get(vip, "/seen", connection=c) and any("/seen" in x for x in log.all()))
    c.close()
    got = log.lines(11, vip)
    assert sum('"GET / HTTP' in x for x in got) == 10 and not any("/unseen" in x for x in got)


def test_the_file_is_reopened(lb, origins, log):
    """A159: after it was moved away, SIGHUP begins a new one; no line is lost."""
    o, = origins("a")
    vip = lb.vip("rotate", o, log="haproxy")
    get(vip, "/before")
    log.lines(1, vip)
    old = log.path.with_suffix(".log.1")
    log.path.rename(old)
    get(vip, "/between")
    wait_until(lambda: "/between" in old.read_text(errors="replace"))
    os.kill(lb.pid(), signal.SIGHUP)
    wait_until(lambda: get(vip, "/after").status == 200 and log.path.exists())
    log.at = 0
    wait_until(lambda: any("/after" in x for x in log.lines(1, vip)))
    assert oct(log.path.stat().st_mode & 0o777) == "0o640"


def test_request_id(lb, origins, log):
    """A161: each request has an id of its own, the same for the server and in the log; what a client sent counts by policy."""
    o, = origins("a")
    vip = lb.vip("ids", o, log="json", request_id="replace")
    c = client(vip)
    for _ in range(20):
        get(vip, headers={"X-Request-ID": "forged-id"}, connection=c)
    c.close()
    seen = [dict(r["fields"])["x-request-id"] for r in o.requests]
    assert len(set(seen)) == 20 and all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", x)
                                        for x in seen)
    assert [json.loads(x)["request_id"] for x in log.lines(20, vip)] == seen
    lb.ctl("set", "vip", "ids", "request_id=keep")
    kept = wait_until(lambda: get(vip, headers={"X-Request-ID": "trusted.id:1"}) and dict(
        o.requests[-1]["fields"])["x-request-id"] == "trusted.id:1" and o.requests)
    assert "trusted.id:1" in [json.loads(x)["request_id"] for x in log.lines(len(kept), vip)]
    get(vip, headers={"X-Request-ID": "bad id\t!"})
    assert len(dict(o.requests[-1]["fields"])["x-request-id"]) == 36


def test_request_id_of_own_answers(lb, origins, log):
    """A161: what the proxy answers by itself tells the id too, as X-Request-ID, and the log has the same: rules, errors, heads
    that cannot be read, HTTP/2. A client's own counts by policy, here too."""
    o, = origins("a")
    vip = lb.vip("own", o, log="json", request_id="replace", body_max=10, h2c="yes")
    for name, *how in (("deny", "action=deny"), ("gone", "action=deny", "status=410"), ("return", "action=return", "status=200", "body=hello"),
                       ("go", "action=redirect", "status=302", "location=/there"), ("slow", "action=tarpit", "status=403", "time=100ms")):
        lb.ctl("create", "rule", f"own/{name}", f"when=path is /{name}", *how)
    shape = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    said = {}

    def ask(path, status, **how):
        r = get(vip, path, headers={"X-Request-ID": "forged-id"}, **how)
        assert r.status == status and re.fullmatch(shape, r.headers["x-request-id"]), (path, r.status, r.headers)
        said[r.headers["x-request-id"]] = status
        return r
    wait_until(lambda: get(vip, "/slow").status == 403)
    c = client(vip)
    assert ask("/return", 200, connection=c).body == b"hello" and ask("/return", 200, connection=c).body == b"hello"
    c.close()
    ask("/deny", 403)
    ask("/gone", 410)
    assert ask("/go", 302).headers["location"] == "/there"
    ask("/slow", 403)
    ask("/post", 413, method="POST", body=b"x" * 11)
    bad = talk(vip, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert bad.startswith(b"HTTP/1.1 400 ")
    said[re.search(rb"X-Request-ID: (\S+)\r\n", bad)[1].decode()] = 400
    by_h2 = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-D", "-", f"http://{vip.address}:{vip.port}/deny"], capture_output=True,
                           text=True, check=True).stdout
    assert by_h2.startswith("HTTP/2 403")
    said[re.search(r"^x-request-id: (\S+)", by_h2, re.M)[1]] = 403
    o.close()
    said[wait_until(lambda: (r := get(vip, "/")).status in (502, 503) and r.headers["x-request-id"])] = 503
    assert len(said) == 10

    def logged():
        lines = {x["request_id"]: x["status"] for x in map(json.loads, log.lines(1, vip))}
        return all(lines.get(i) in (status, 502) for i, status in said.items())
    wait_until(logged, what="each id in the log")
    lb.ctl("set", "vip", "own", "request_id=keep")
    wait_until(lambda: get(vip, "/return", headers={"X-Request-ID": "trusted.id:1"}).headers["x-request-id"] == "trusted.id:1")
    assert b"X-Request-ID: trusted.id:2\r\n" in talk(vip, b"GET /deny HTTP/1.1\r\nHost: x\r\nX-Request-ID: trusted.id:2\r\n\r\n")
    lb.ctl("set", "vip", "own", "request_id=off")
    wait_until(lambda: "x-request-id" not in get(vip, "/deny").headers)


def test_what_servers_are_told(lb, origins):
    """A053: X-Forwarded-Proto, -Host and -Port, Forwarded and Via, with each policy for what clients forged."""
    o, = origins("a")
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil", "X-Forwarded-Port": "1", "Forwarded": "for=_evil",
              "Via": "1.0 before"}
    vip = lb.vip("told", o, x_forwarded="yes", forwarded="yes", via="yes")
    client_ip = "127.77.0.9"

    def told():
        get(vip, headers=forged, source=client_ip)
        f = o.requests[-1]["fields"]
        return {n: ", ".join(v for k, v in f if k == n) for n in map(str.lower, forged)}
    host = f"{vip.address}:{vip.port}"
    element = f'for={client_ip};by={vip.address};proto=http;host="{host}"'
    assert told() == {"x-forwarded-proto": "http", "x-forwarded-host": host, "x-forwarded-port": str(vip.port),
                      "forwarded": element, "via": "1.0 before, 1.1 lbd"}
    lb.ctl("set", "vip", "told", "forwarded_for=append")
    wait_until(lambda: told() == {"x-forwarded-proto": "https", "x-forwarded-host": "evil", "x-forwarded-port": "1",
                                  "forwarded": f"for=_evil, {element}", "via": "1.0 before, 1.1 lbd"})
    r = lb.ctl("set", "vip", "told", "forwarded_for=off", check=False)
    assert r.returncode == 7 and "vip told: x_forwarded: " in r.stderr
    lb.ctl("set", "vip", "told", "forwarded_for=off", "x_forwarded=no", "forwarded=no", "via=no")
    wait_until(lambda: told() == {k.lower(): v for k, v in forged.items()})


def collector(closing, path=None):
    """A datagram socket that keeps what it gets in .got."""
    s = closing(socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM))
    s.bind(str(path) if path else ("127.0.0.1", 0))
    return s


FRAME = re.compile(rb"<134>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ lbd-proxy \d+ access - (.*)", re.S)


def test_syslog(lb, closing, origins, tmp_path):
    """A159: RFC 5424 by UDP and to a local socket; a collector that comes later gets what waited."""
    o, = origins("a")
    vip = lb.vip("sys", o, log="haproxy")
    udp = collector(closing)
    lb.ctl("set", "setting", f"access_syslog=127.0.0.1:{udp.getsockname()[1]}", "access_file=no")
    try:
        def sent(s, path):
            s.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                while m := FRAME.fullmatch(s.recv(20000)):
                    if path in m[1]:
                        return HTTP.fullmatch(m[1].decode())
        wait_until(lambda: get(vip, "/udp").status == 200 and sent(udp, b"/udp"))
        path = tmp_path / "log.sock"
        lb.ctl("set", "setting", f"access_syslog={path}")
        wait_until(lambda: get(vip, "/gone").status == 200 and f"syslog {path}: No such file" in lb.text())
        unix = collector(closing, path)
        wait_until(lambda: sent(unix, b"/gone"))
        wait_until(lambda: "takes lines again" in lb.text())
    finally:
        lb.ctl("set", "setting", "access_syslog=", "access_file=yes")


def test_a_stuck_collector_blocks_nobody(tmp_path, closing):
    """A159: a collector that takes nothing, and a file on a full device: clients notice nothing, and the loss is counted."""
    lb = closing(Lbd(tmp_path / "lbd", "lbd-proxy"))
    lb.start()
    o = closing(Origin("a"))
    o.answer = lambda r: http_answer(b"ok")
    folder = lb.root / "var/log/lbd"
    folder.mkdir(parents=True)
    (folder / "access.log").symlink_to("/dev/full")
    path = tmp_path / "stuck.sock"
    collector(closing, path)  # never read
    lb.ctl("set", "setting", f"access_syslog={path}")
    vip = lb.vip("stuck", o, log="custom", log_format="%ft " + "x" * 900)
    c = client(vip)
    start = time.monotonic()
    for _ in range(3000):  # 2.7 MB: more than the queue holds
        assert get(vip, connection=c).body == b"ok"
    assert time.monotonic() - start < 60
    c.close()
    wait_until(lambda: "No space left on device; lines are lost" in lb.text())


    def lost():
        daemons = json.loads(lb.ctl("status", "-o", "json", check=False).stdout)["daemons"]
        return next(d for d in daemons if d["name"] == "lbd-proxy")["log_dropped"] > 3000  # the file's, and more
    wait_until(lost)
