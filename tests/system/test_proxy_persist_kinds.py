"""Kinds of persistence beyond source, cookie and app_cookie, one test each; what a cookie is told; services that share; clients
that are forced or have none; servers that drain."""
import collections
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import urllib.request

import pytest

from lbdtest import Lbd, Origin, Reader, free_port, get, http_answer, wait_until
from test_ha_traffic import Farm
from test_proxy_persist import cookie_of, sticky
from test_proxy_tls import Authority, bring

ALL = {"a", "b", "c"}


def wait_all(condition, what):
    """Until it is so at every worker: many times in a row."""
    wait_until(lambda: all(condition() for _ in range(10)), what=what)


def spread(ask, keys):
    """{key: its one server}, asked three times each in turns; all servers have some."""
    first = {k: ask(k) for k in keys}
    for _ in range(2):
        assert {k: ask(k) for k in keys} == first
    assert set(first.values()) == ALL
    return first


def setting(o, *cookies):
    """An origin that sets these cookies; %s is its name."""
    o.answer = lambda r: http_answer(b"", "200 OK", f"X-Server: {o.name}",
                                     *(f"Set-Cookie: {c.replace('%s', o.name)}" for c in cookies if r["target"] == "/login"))


def fields(request, name):
    return [v for n, v in request["fields"] if n == name]


# ---- parts of a request --------------------------------------------------------------------------


def test_url_param(lb, origins):
    """S102, A077: a parameter of the query; requests without it are balanced."""
    vip = lb.vip("param", *origins(*ALL), persistence="url_param", persist_key="user", scheduler="wrr")
    got = spread(lambda n: get(vip, f"/x?a=b&user=u{n}&c").server, range(9))
    assert get(vip, "/other/path?user=u3", source="127.0.0.9").server == got[3]
    assert {get(vip, "/x?xuser=u3").server for _ in range(6)} == ALL


def test_header(lb, origins):
    """A077, A078: a field of the request by its name, in any case: Kemp's selected header, and its hash of all cookies."""
    vip = lb.vip("header", *origins(*ALL), persistence="header", persist_key="x-tenant", scheduler="wrr")
    got = spread(lambda n: get(vip, headers={"X-Tenant": f"t{n}"}).server, range(9))
    lb.ctl("set", "vip", "header", "persist_key=Host")
    wait_all(lambda: get(vip, headers={"X-Tenant": "t1", "Host": "h0.example.org"}).server
             == get(vip, headers={"X-Tenant": "t2", "Host": "h0.example.org"}).server
             == get(vip, headers={"X-Tenant": "t3", "Host": "h0.example.org"}).server, "the other field")
    spread(lambda n: get(vip, headers={"Host": f"h{n}.example.org"}).server, range(9))
    assert len(got) == 9


def test_forwarded_for(lb, origins):
    """A077: the last address in X-Forwarded-For, however it is written; what stands before it does not matter."""
    vip = lb.vip("xff", *origins(*ALL), persistence="forwarded_for", scheduler="wrr")
    ask = lambda text: get(vip, headers={"X-Forwarded-For": text}).server
    got = spread(lambda n: ask(f"198.51.100.{n}"), range(9))
    assert {ask(t) for t in ("10.0.0.1, 198.51.100.4", "198.51.100.4:1234", "x,198.51.100.4")} == {got[4]}
    assert "198.51.100.4" in {r["client"] for r in lb.json("persist", "list", "xff")}
    lb.ctl("set", "vip", "xff", "persist_mask=24")
    wait_until(lambda: len({ask(f"198.51.100.{n}") for n in range(100, 109)}) == 1, what="the mask counts")


def test_forwarded_for_of_proxies(lb, origins):
    """A077: proxies that are believed are passed over; whoever else says something is known by its own address."""
    vip = lb.vip("xfffrom", *origins(*ALL), persistence="forwarded_for", scheduler="wrr", forwarded_from="127.0.0.64/30,198.51.100.0/24")

    def ask(text, source):
        return get(vip, headers={"X-Forwarded-For": text}, source=source).server
    of = {n: ask(f"192.0.2.{n}", "127.0.0.65") for n in range(6)}
    assert len(set(of.values())) > 1
    for n, server in of.items():
        assert ask(f"203.0.113.9, 192.0.2.{n}, 198.51.100.7", "127.0.0.66") == server
    own = ask("192.0.2.0", "127.0.0.9")
    assert {ask(f"192.0.2.{n}", "127.0.0.9") for n in range(6)} == {own}
    keys = {r["client"] for r in lb.json("persist", "list", vip.name)}
    assert "127.0.0.9" in keys and "127.0.0.65" not in keys and "198.51.100.7" not in keys


def test_query(lb, origins):
    """A078: the whole query."""
    vip = lb.vip("query", *origins(*ALL), persistence="query", scheduler="wrr")
    got = spread(lambda n: get(vip, f"/x?doc={n}&v=1").server, range(9))
    assert get(vip, "/y?doc=5&v=1").server == got[5]


def test_browser(lb, origins):
    """A078: User-Agent and Authorization together (Super HTTP)."""
    vip = lb.vip("browser", *origins(*ALL), persistence="browser", scheduler="wrr")
    spread(lambda n: get(vip, headers={"User-Agent": f"ua{n % 3}", "Authorization": f"Basic {n // 3}"}).server, range(9))
    spread(lambda n: get(vip, headers={"User-Agent": f"only{n}"}).server, range(9))


def test_app_cookie_or_source(lb, origins):
    """A078: cookie, then source: a client without its cookie keeps the server by its address."""
    os_ = origins(*ALL)
    for o in os_:
        setting(o, "SID=s-%s")
    vip = lb.vip("either", *os_, persistence="app_cookie", cookie="SID", persist_or_source="yes", scheduler="wrr")
    a = get(vip, "/login", source="127.0.6.1")
    assert sticky(vip, source="127.0.6.1") == a.server  # by its address
    other = next(n for n in range(2, 30) if get(vip, source=f"127.0.6.{n}").server != a.server)
    assert get(vip, source=f"127.0.6.{other}", headers={"Cookie": cookie_of(a, "SID")}).server == a.server  # the cookie first
    # and now that address belongs there
    assert get(vip, source=f"127.0.6.{other}").server == a.server


def test_cookie_or_source(lb, origins):
    """A078: our cookie, then source; who comes without the cookie is given it."""
    vip = lb.vip("active", *origins(*ALL), persistence="cookie", persist_or_source="yes", scheduler="wrr")
    for n in range(1, 7):
        a = get(vip, source=f"127.0.6.{n + 100}")
        b = get(vip, source=f"127.0.6.{n + 100}")
        assert b.server == a.server and cookie_of(b) == cookie_of(a)
        assert get(vip, source="127.0.6.200", headers={"Cookie": cookie_of(a)}).server == a.server


def test_source_mask(lb, origins):
    """Clients of one network belong together, in HTTP and TCP."""
    for mode in ("http", "tcp"):
        vip = lb.vip(f"mask-{mode}", *origins(*ALL), persistence="source", persist_mask="28", mode=mode, scheduler="wrr")
        assert len({get(vip, source=f"127.0.7.{n}").server for n in range(1, 15)}) == 1
        assert {get(vip, source=f"127.0.7.{n}").server for n in (17, 33, 49, 65)} == ALL
        assert {r["client"] for r in lb.json("persist", "list", vip.name)} >= {"127.0.7.0", "127.0.7.16"}
        lb.ctl("persist", "clear", vip.name, "--client", "127.0.7.3", "-y")
        assert "127.0.7.0" not in {r["client"] for r in lb.json("persist", "list", vip.name)}


# ---- cookies of the server -----------------------------------------------------------------------


def test_rewrite(lb, origins):
    """A076: the server sets the cookie, its value becomes ours; a cookie of another name is left alone."""
    os_ = origins(*ALL)
    for o in os_:
        setting(o, "SRV=x; Path=/app; Secure", "OTHER=%s")
    vip = lb.vip("rewrite", *os_, persistence="rewrite", cookie="SRV", scheduler="wrr")
    assert get(vip).headers["Set-Cookie"] is None  # none of its own is inserted
    seen = {}
    for _ in range(6):
        a = get(vip, "/login")
        mine, other = a.headers.get_all("Set-Cookie")
        assert re.fullmatch(r"SRV=[a-z2-7]{13}; Path=/app; Secure", mine) and other == f"OTHER={a.server}"
        seen[a.server] = mine.split(";")[0]
    assert set(seen) == ALL and len(set(seen.values())) == 3
    for server, cookie in seen.items():
        assert sticky(vip, headers={"Cookie": f"a=b; {cookie}"}) == server


def test_prefix(lb, origins):
    """A076: ours stands before the server's value, and the server never sees it."""
    os_ = origins(*ALL)
    for o in os_:
        setting(o, "SID=session-of-%s; HttpOnly")
    vip = lb.vip("prefix", *os_, persistence="prefix", cookie="SID", scheduler="wrr")
    seen = {}
    for _ in range(6):
        a = get(vip, "/login")
        m = re.fullmatch(r"(SID=[a-z2-7]{13}~session-of-(.)); HttpOnly", a.headers["Set-Cookie"])
        assert m[2] == a.server
        seen[a.server] = m[1]
    assert set(seen) == ALL
    for o in os_:
        assert sticky(vip, headers={"Cookie": f"a=b; {seen[o.name]}; c=d"}, source="127.0.0.77") == o.name
        assert fields(o.requests[-1], "cookie") == [f"a=b; SID=session-of-{o.name}; c=d"]
    get(vip, headers={"Cookie": "SID=plain~value"})
    assert "SID=plain~value" in {c for o in os_ for c in fields(o.requests[-1], "cookie")}


def test_attributes(lb, origins):
    """A076: what browsers are told of the inserted cookie."""
    vip = lb.vip("attributes", *origins("a"), persistence="cookie")
    assert get(vip).headers["Set-Cookie"].split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Lax"]
    for text in ("Domain=example.org; Path=/shop; Secure; SameSite=None; Partitioned", "Max-Age=3600"):
        lb.ctl("set", "vip", "attributes", f"cookie_attributes={text}")
        wait_until(lambda: get(vip).headers["Set-Cookie"].split("; ", 1)[1:] == [text], what=text)
    lb.ctl("set", "vip", "attributes", "cookie_attributes=")
    wait_until(lambda: "; " not in get(vip).headers["Set-Cookie"], what="no attributes")


@pytest.mark.parametrize("limit", ["cookie_idle", "cookie_life"])
def test_limits_of_a_cookie(lb, origins, limit):
    """A076: a client that goes on keeps its server, and its date of idleness is renewed; after its idle time or its life it is
    balanced anew. A server that drains shows it: only who belongs to it comes back. A limit is made long, then short: no
    machine is too slow for that."""
    vip = lb.vip(limit.replace("_", "-"), *origins("a", "b"), persistence="cookie", scheduler="wrr", **{limit: "64s"})
    a = get(vip)
    cookie = cookie_of(a)
    assert re.fullmatch(r"LBDSRV=[a-z2-7]{40}", cookie)
    lb.ctl("drain", f"{vip.name}/{a.server}")
    wait_all(lambda: get(vip).server != a.server, "the drain")

    def visit():
        b = get(vip, headers={"Cookie": cookie})
        assert b.server == a.server
        return cookie_of(b)
    if limit == "cookie_idle":
        renewed = wait_until(visit, 30, "a new date")
        assert renewed[:20] == cookie[:20] and renewed != cookie
        cookie = renewed
    else:
        assert visit() is None
    lb.ctl("set", "vip", vip.name, f"{limit}=1s")
    wait_until(lambda: get(vip, headers={"Cookie": cookie}).server != a.server, what="the end of the cookie")


def test_dates_cannot_be_made_up(lb, origins):
    """A076: a date that was changed or left out is not taken."""
    vip = lb.vip("sealed", *origins(*ALL), persistence="cookie", cookie_life="1h", scheduler="wrr")
    a = get(vip)
    value = cookie_of(a)[7:]
    assert sticky(vip, headers={"Cookie": f"LBDSRV={value}"}) == a.server
    other = "b" if value[20] != "b" else "c"
    for bad in (value[:20] + other + value[21:], value[:13], value[:-1] + ("b" if value[-1] != "b" else "c")):
        got = [get(vip, headers={"Cookie": f"LBDSRV={bad}"}) for _ in range(6)]
        assert {g.server for g in got} == ALL and all(cookie_of(g) for g in got)


def test_server_and_our_cookie(lb, origins):
    """A076: hidden and shown: whether the server sees it; preserve: what it sets under that name counts."""
    os_ = origins("a", "b")
    for o in os_:
        setting(o, "LBDSRV=theirs")
    vip = lb.vip("preserve", *os_, persistence="cookie")
    a = get(vip, "/login")
    assert [c.split("=")[0] for c in a.headers.get_all("Set-Cookie")] == ["LBDSRV"] and "theirs" not in a.headers["Set-Cookie"]
    o = next(o for o in os_ if o.name == a.server)
    get(vip, headers={"Cookie": cookie_of(a)})
    assert fields(o.requests[-1], "cookie") == []
    lb.ctl("set", "vip", "preserve", "cookie_server=shown")
    wait_until(lambda: (get(vip, headers={"Cookie": cookie_of(a)}), fields(o.requests[-1], "cookie") == [cookie_of(a)])[1])
    lb.ctl("set", "vip", "preserve", "cookie_server=preserve")
    wait_until(lambda: get(vip, "/login").headers.get_all("Set-Cookie") == ["LBDSRV=theirs"])
    assert cookie_of(get(vip)) is not None


# ---- routes --------------------------------------------------------------------------------------


def test_route(lb, origins):
    """A078, S132: jvmRoute: the end of a session's name, in the cookie or in the path, names the server; names of none are counted."""
    os_ = origins(*ALL)
    vip = lb.vip("route", *os_, persistence="route", cookie="JSESSIONID", scheduler="wrr")
    for o in os_:
        assert sticky(vip, headers={"Cookie": f"x=y; JSESSIONID=0A1B2C.{o.name}"}) == o.name
        assert sticky(vip, path=f"/app;jsessionid=0A1B2C.{o.name}?x=y") == o.name
        assert sticky(vip, headers={"Cookie": f"JSESSIONID=0A1B2C.some.{o.name}"}) == o.name
    lb.ctl("set", "rip", "route/a", "route=tomcat1.site")
    wait_all(lambda: get(vip, headers={"Cookie": "JSESSIONID=X.tomcat1.site"}).server == "a", "the route")
    assert {get(vip, headers={"Cookie": "JSESSIONID=X.a"}).server for _ in range(6)} == ALL
    unknown = lambda: lb.json("stats", vip.name)[0]["unknown_routes"]
    wait_until(lambda: unknown() >= 6, what="sessions of no server are counted")
    before = unknown()
    for session in ("X.tomcat1.site", "X.b", "X"):
        get(vip, headers={"Cookie": f"JSESSIONID={session}"})
    assert unknown() == before
    r = lb.ctl("set", "rip", "route/b", "route=c", check=False)
    assert r.returncode == 7 and "route: \"c\" is that of rip" in r.stderr


TOMCAT = next((p for p in map(pathlib.Path, ("/usr/share/tomcat10", "/usr/share/tomcat9")) if (p / "bin/bootstrap.jar").exists()), None)


class Tomcat:
    """A Tomcat with one page that begins a session, and a route."""

    def __init__(self, home, name):
        self.name, self.address, self.port = name, "127.0.0.1", free_port("127.0.0.1")
        (home / "conf").mkdir(parents=True)
        for d in ("logs", "temp", "work", "webapps/ROOT/WEB-INF"):
            (home / d).mkdir(parents=True)
        (home / "conf/server.xml").write_text(
            f'<Server port="-1"><Service name="Catalina"><Connector port="{self.port}" address="127.0.0.1"/>'
            f'<Engine name="Catalina" defaultHost="localhost" jvmRoute="{name}"><Host name="localhost" appBase="webapps"/>'
            '</Engine></Service></Server>')
        shutil.copy(pathlib.Path("/etc", TOMCAT.name, "web.xml"), home / "conf/web.xml")
        (home / "webapps/ROOT/index.jsp").write_text(f"<%@page session=\"true\"%><%session.setAttribute(\"n\", 1);%>{name}")
        jars = ":".join(str(TOMCAT / "bin" / j) for j in ("bootstrap.jar", "tomcat-juli.jar"))
        self.process = subprocess.Popen(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", f"-Dcatalina.home={TOMCAT}", f"-Dcatalina.base={home}",
                                         f"-Djava.io.tmpdir={home}/temp", "-cp", jars, "org.apache.catalina.startup.Bootstrap", "start"],
                                        stdout=open(home / "logs/out", "wb"), stderr=subprocess.STDOUT)

    def up(self):
        """It has compiled its page."""
        assert self.process.poll() is None
        try:
            return urllib.request.urlopen(f"http://{self.address}:{self.port}/", timeout=90).status == 200
        except OSError:
            return False

    def close(self):
        self.process.kill()
        self.process.wait()


@pytest.mark.skipif(TOMCAT is None or shutil.which("java") is None, reason="needs Tomcat (package tomcat10)")
def test_route_of_tomcat(lb, closing, tmp_path):
    """A078: sessions of real Tomcats come back to where they began, by cookie and by path."""
    cats = [closing(Tomcat(tmp_path / n, n)) for n in ("tomcat1", "tomcat2")]
    for c in cats:
        wait_until(c.up, 90, f"{c.name} answers")
    vip = lb.vip("tomcat", *cats, persistence="route", cookie="JSESSIONID", scheduler="rr", server_timeout="120s")
    seen = set()
    for _ in range(4):
        a = get(vip)
        session = re.search(r"JSESSIONID=(([0-9A-F]+)\.(tomcat.))", a.headers["Set-Cookie"])
        assert a.body.decode().strip() == session[3]
        seen.add(session[3])
        for kw in ({"headers": {"Cookie": f"JSESSIONID={session[1]}"}}, {"path": f"/index.jsp;jsessionid={session[1]}"}):
            for _ in range(3):
                b = get(vip, **kw)
                assert b.body.decode().strip() == session[3] and b.headers["Set-Cookie"] is None
    assert seen == {"tomcat1", "tomcat2"}


# ---- TLS and RDP ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(lb, tmp_path_factory):
    ca = Authority(tmp_path_factory.mktemp("ca"))
    bring(lb, "kinds", *ca.sign("www.example.org", "DNS:www.example.org", "DNS:*.example.org"))
    lb.ctl("create", "tls", "kinds", "cert=kinds")
    return "kinds"


def ask_tls(vip, name="www.example.org", session=None, version=ssl.TLSVersion.TLSv1_3, context=None):
    """(server, session, whether it was resumed)."""
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
    with context.wrap_socket(vip.connect(), server_hostname=name, session=session) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head = Reader(s)
        _, got, _ = head.head()
        head.rest()
        return dict(got)["x-server"], s.session, s.session_reused, context


@pytest.mark.parametrize("mode", ["http", "tcp"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_session(lb, origins, tls, mode, version):
    """S106: a client that resumes its session keeps its server, with TLS 1.2 and 1.3; a new session is balanced."""
    vip = lb.vip(f"session-{mode}-{version.name[-1]}", *origins(*ALL), tls=tls, persistence="tls_session", scheduler="wrr", mode=mode)
    servers = collections.Counter()
    for _ in range(6):
        server, session, reused, context = ask_tls(vip, version=version)
        assert not reused
        servers[server] += 1
        for _ in range(3):
            again, session, reused, _ = ask_tls(vip, session=session, version=version, context=context)
            assert reused and again == server
    assert set(servers) == ALL


def test_server_name(lb, origins, tls):
    """A077: the name that clients ask for, in mode tcp."""
    vip = lb.vip("sni", *origins(*ALL), tls=tls, persistence="server_name", scheduler="wrr", mode="tcp")
    spread(lambda n: ask_tls(vip, f"h{n}.example.org")[0], range(6))


def test_tls_kinds_need_tls(lb, origins):
    """S106: refused where it cannot work, with the reason."""
    r = lb.ctl("create", "vip", "x", "address=127.0.0.2", "ports=1", "mode=tcp", "persistence=tls_session", check=False)
    assert r.returncode == 7 and "TLS that is passed on is not read" in r.stderr


def rdp(vip, user):
    body = b"Cookie: mstshash=%s\r\n" % user.encode() if user else b""
    x224 = bytes([6 + len(body), 0xe0, 0, 0, 0, 0, 0]) + body
    text = b"\x03\x00" + (4 + len(x224)).to_bytes(2, "big") + x224
    with vip.connect() as s:
        s.sendall(text)
        return Reader(s).until(b"\n").decode().strip()


def test_rdp_cookie(lb, origins):
    """S104: the user of an RDP connection keeps the server, whatever the scheduler is."""
    def handle(c, o):
        c.recv(4096)
        c.sendall(o.name.encode() + b"\n")
    vip = lb.vip("rdp", *origins(*ALL, handle=handle), persistence="rdp_cookie", scheduler="wrr", mode="tcp")
    spread(lambda n: rdp(vip, f"user{n}"), range(9))
    assert {rdp(vip, "") for _ in range(6)} == ALL


# ---- services that share, and clients apart ------------------------------------------------------


@pytest.mark.parametrize("kind", ["source", "cookie", "app_cookie"])
def test_shared(lb, closing, kind):
    """A064: 80 and 443 keep the same server: one table, one cookie; servers are the same by address."""
    machines = {f"127.0.20.{i}": n for i, n in enumerate("abc", 1)}
    plain = [closing(Origin(n, address=a)) for a, n in machines.items()]
    other = [closing(Origin(n, address=a)) for a, n in reversed(machines.items())]
    extra = closing(Origin("extra", address="127.0.20.9"))
    for o in plain + other:
        setting(o, *(["SID=%s-session"] if kind == "app_cookie" else []))
    kw = {"persistence": kind, "scheduler": "wrr", "cookie": "SID" if kind == "app_cookie" else "LBDSRV"}
    one = lb.vip(f"one-{kind}", *plain, **kw)
    two = lb.vip(f"two-{kind}", *other, persist_with=one.name, **kw)
    lb.rip(two, "extra", extra.port, extra.address, weight=0)
    seen = set()
    for n, (first, second) in enumerate([(one, two), (two, one)] * 6):
        client = {"source": f"127.0.21.{n + 1}"} if kind == "source" else {}
        a = get(first, "/login", **client)
        if kind != "source":
            client = {"headers": {"Cookie": cookie_of(a, kw["cookie"])}}
        assert sticky(second, 3, **client) == a.server
        assert sticky(first, 3, **client) == a.server
        seen.add(a.server)
    assert seen == ALL
    if kind == "cookie":
        return
    entries = lambda v: {(r["client"], r["rip"].split("/")[1]) for r in lb.json("persist", "list", v.name)}
    assert entries(one) == entries(two) != set()
    assert {r["rip"].split("/")[0] for r in lb.json("persist", "list", two.name)} == {two.name}
    lb.ctl("persist", "clear", f"{two.name}/a", "-y")
    assert {s for _, s in entries(one)} == {"b", "c"}


def test_shared_follows_the_other(lb, closing):
    """A064: servers that come to the service whose table it is are found; it cannot be deleted meanwhile."""
    plain = [closing(Origin(n, address=f"127.0.22.{i}")) for i, n in enumerate("ab", 1)]
    one = lb.vip("lead", plain[0], persistence="source")
    two = lb.vip("follow", plain[1], persistence="source", persist_with="lead")
    get(two, source="127.0.23.1")
    assert lb.json("persist", "list", "lead") == []  # its server has no counterpart
    lb.rip(one, plain[1].name, plain[1].port, plain[1].address)
    wait_all(lambda: (get(two, source="127.0.23.1"), lb.json("persist", "list", "lead"))[1], "the counterpart")
    assert sticky(one, source="127.0.23.1") == "b"
    r = lb.ctl("delete", "vip", "lead", "--cascade", "-y", check=False)
    assert r.returncode != 0 and "persist_with" in r.stderr
    lb.ctl("set", "vip", "follow", "persist_with=")
    lb.ctl("delete", "vip", "lead", "--cascade", "-y")


def test_force(lb, origins):
    """A080: an administrator reaches the halted and the failed server of the cookie; nobody else does."""
    os_ = {o.name: o for o in origins("a", "b")}
    vip = lb.vip("force", *os_.values(), persistence="cookie", persist_force="127.0.30.1,127.0.30.16/28")
    cookies = {}
    wait_until(lambda: cookies.update({(a := get(vip)).server: cookie_of(a)}) or len(cookies) == 2)
    lb.ctl("halt", "force/a", "-y")
    ask = lambda source: get(vip, source=source, headers={"Cookie": cookies["a"]}).server
    wait_all(lambda: ask("127.0.0.1") == "b", "the halt")
    for admin in ("127.0.30.1", "127.0.30.20"):
        assert {ask(admin) for _ in range(5)} == {"a"}
    assert {ask("127.0.30.2") for _ in range(5)} == {"b"}
    lb.ctl("online", "force/a")
    wait_until(lambda: ask("127.0.0.1") == "a", what="online again")


def test_ignore(lb, origins):
    """A080: clients without persistence: no cookie, no entry, each request anew."""
    vip = lb.vip("ignore", *origins(*ALL), persistence="cookie", persist_or_source="yes", persist_ignore="127.0.31.0/24", scheduler="wrr")
    known = get(vip, source="127.0.32.1")
    assert cookie_of(known)
    got = [get(vip, source="127.0.31.7", headers={"Cookie": cookie_of(known)}) for _ in range(6)]
    assert {g.server for g in got} == ALL and not any(cookie_of(g) for g in got)
    assert {r["client"] for r in lb.json("persist", "list", "ignore")} == {"127.0.32.1"}


def test_drain_keeps_or_leaves(lb, origins):
    """A082: until the end of its drain a server serves who belongs to it, or nobody."""
    vip = lb.vip("drain", *origins("a", "b"), persistence="cookie")
    a = get(vip)
    ask = lambda: get(vip, headers={"Cookie": cookie_of(a)}).server
    lb.ctl("drain", f"drain/{a.server}")
    wait_all(lambda: get(vip).server != a.server, "the drain")
    assert {ask() for _ in range(5)} == {a.server}
    lb.ctl("set", "vip", "drain", "persist_drain=leave")
    wait_all(lambda: ask() != a.server, "it leaves")


# ---- over the end of the process -----------------------------------------------------------------


def test_kinds_are_kept(tmp_path, closing, origins):
    """S164: entries of the new kinds, and sealed cookies, outlive a kill of lbd-proxy, and all processes."""
    node = closing(Lbd(tmp_path / "node", "lbd-ha", "lbd-proxy"))
    os_ = origins(*ALL)
    vips = {k: node.vip(k, *os_, persistence=k, scheduler="wrr", **kw) for k, kw in (
        ("url_param", {"persist_key": "u"}), ("header", {"persist_key": "X-T"}), ("forwarded_for", {}), ("query", {}), ("browser", {}))}
    dated = node.vip("dated", *os_, persistence="cookie", cookie_idle="1h", scheduler="wrr")
    node.start()

    def ask(kind, n):
        return get(vips[kind], f"/?u={n}", headers={"X-T": str(n), "X-Forwarded-For": f"192.0.2.{n}", "User-Agent": str(n)}).server
    before = {(k, n): ask(k, n) for k in vips for n in range(9)}
    a = get(dated)
    for end in (lambda: node.kill("lbd-proxy"), node.stop):
        wait_until(lambda: told(node) == len(before), what="lbd-ha has been told")
        end()
        node.start(*[d for d in node.daemons if d not in node.process])
        assert {(k, n): ask(k, n) for k, n in before} == before
        assert sticky(dated, headers={"Cookie": cookie_of(a)}) == a.server


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
def test_failover_keeps_kinds(tmp_path, closing):
    """S164, A081: the other node of a pair knows who belongs where by the new kinds, and takes the sealed cookies of this one."""
    farm = Farm(tmp_path, closing, persistence="header", persist_key="X-T", scheduler="wrr")

    def servers():
        with farm.client.inside():
            return {n: get(farm.vip, headers={"X-T": str(n)}).server for n in range(30)}
    before = servers()
    assert set(before.values()) == ALL
    farm.a.ctl("set", "vip", "web", "persistence=cookie", "cookie_idle=1h", "persist_key=")

    def cookies():
        with farm.client.inside():
            return [get(farm.vip) for _ in range(6)]
    wait_until(lambda: all(cookie_of(a) for a in cookies()), what="the cookie")
    given = {a.server: cookie_of(a) for a in cookies()}
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    with farm.client.inside():
        assert {get(farm.vip, headers={"Cookie": c}).server: c for c in given.values()} == given
    farm.b.ctl("set", "vip", "web", "persistence=header", "persist_key=X-T", "cookie_idle=0s")
    wait_until(lambda: not any(cookie_of(a) for a in cookies()), what="the header again")
    assert servers() == before


def told(node):
    from test_proxy_persist_kept import kept
    return len(kept(node))
