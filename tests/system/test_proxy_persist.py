"""What keeps a client at its server."""
import itertools
import re

from lbdtest import get, http_answer, wait_until


def sticky(vip, n=10, **kw):
    """The one server that n requests reach."""
    names = {get(vip, **kw).server for _ in range(n)}
    assert len(names) == 1, names
    return names.pop()


def cookie_of(a, name="LBDSRV"):
    m = re.search(name + r"=([^;]*)", a.headers.get("Set-Cookie", ""))
    return m and f"{name}={m[1]}"


def test_cookie_inserted(lb, origins):
    """S102: the first answer sets our cookie, those that follow stick; the server never sees it, and a client that has it is
    not given it again."""
    os = origins("a", "b", "c")
    vip = lb.vip("cookie", *os, persistence="cookie")
    seen = {}
    for _ in range(6):
        a = get(vip)
        seen[a.server] = cookie_of(a)
        assert a.headers["Cache-Control"] == "private"
    assert len(seen) == 3 and len(set(seen.values())) == 3
    for server, cookie in seen.items():
        assert sticky(vip, headers={"Cookie": f"x=1; {cookie}; y=2"}) == server
        a = get(vip, headers={"Cookie": f"x=1; {cookie}; y=2"})
        assert dict(a.json["fields"])["cookie"] == "x=1; y=2"
        assert a.headers["Set-Cookie"] is None


def test_cookie_survives_changing_addresses(lb, origins):
    """S103: the same cookie from other addresses reaches the same server."""
    vip = lb.vip("mega", *origins("a", "b", "c"), persistence="cookie")
    a = get(vip)
    for n in range(10, 20):
        assert get(vip, headers={"Cookie": cookie_of(a)}, source=f"127.0.0.{n}").server == a.server


def test_cookie_forged_or_stale(lb, origins):
    """S102: an unknown token is balanced anew and replaced; a deleted server's too."""
    vip = lb.vip("stale", *origins("a", "b"), persistence="cookie")
    for bad in ("x", "", "aaaaaaaaaaaaa", "a" * 3000):
        a = get(vip, headers={"Cookie": f"LBDSRV={bad}"})
        assert a.status == 200 and cookie_of(a)
    cookie = cookie_of(a)
    lb.ctl("delete", "rip", f"stale/{a.server}", "-y")
    wait_until(lambda: get(vip, headers={"Cookie": cookie}).server != a.server)
    b = get(vip, headers={"Cookie": cookie})
    assert cookie_of(b) not in (None, cookie)


def test_cookie_name_and_restart(lb, origins, tmp_path, closing):
    """S102: the cookie has the name that was configured, and a client keeps its server over a restart of lbd-proxy."""
    from lbdtest import Lbd
    own = closing(Lbd(tmp_path / "own", "lbd-proxy"))
    vip = own.vip("named", *origins("a", "b", "c"), persistence="cookie", cookie="SRVID")
    own.start()
    a = get(vip)
    cookie = cookie_of(a, "SRVID")
    assert cookie
    own.stop()
    own.start()
    assert sticky(vip, headers={"Cookie": cookie}) == a.server


def test_cookie_of_a_failed_server(lb, origins):
    """S102: when the cookie's server cannot be reached another one answers, and the cookie follows."""
    os = {o.name: o for o in origins("a", "b")}
    vip = lb.vip("gone", *os.values(), persistence="cookie")
    a = get(vip)
    os[a.server].close()
    b = get(vip, headers={"Cookie": cookie_of(a)})
    assert b.status == 200 and b.server != a.server
    assert cookie_of(b) not in (None, cookie_of(a))


def test_passive_cookie(lb, origins):
    """S102: an application's own cookie is learnt from its answer, and keys the server."""
    os = origins("a", "b", "c")
    for o in os:
        o.answer = lambda r, o=o: http_answer(b"", "200 OK", f"X-Server: {o.name}", *(
            [f"Set-Cookie: SID=session-of-{o.name}; Path=/"] if r["target"] == "/login" else []))
    vip = lb.vip("passive", *os, persistence="app_cookie", cookie="SID")
    for _ in range(6):
        a = get(vip, "/login")
        cookie = cookie_of(a, "SID")
        assert cookie == f"SID=session-of-{a.server}"
        assert sticky(vip, headers={"Cookie": cookie}) == a.server
        assert get(vip, headers={"Cookie": f"b=c; {cookie}"}, source="127.0.0.77").server == a.server
    assert dict(os[0].requests[-1]["fields"]).get("cookie", "").find("SID=") >= 0  # it is the application's: not taken out


def test_source(lb, origins):
    """A client address keeps its server, in HTTP and in TCP mode; other addresses are spread."""
    os = origins("a", "b", "c")
    for mode in ("http", "tcp"):
        vip = lb.vip(f"source-{mode}", *os, persistence="source", mode=mode)
        got = {sticky(vip, 5, source=f"127.0.1.{n}") for n in range(1, 13)}
        assert got == {"a", "b", "c"}


def test_source_expires(lb, origins):
    """After persist_timeout without traffic a client is forgotten. A draining server shows it: who is known comes back, who is
    not goes elsewhere."""
    vip = lb.vip("expire", *origins("a", "b"), persistence="source", persist_timeout="5s", scheduler="wrr")
    first = sticky(vip, source="127.0.2.1")
    lb.ctl("drain", f"expire/{first}")
    strangers = itertools.count(2)  # one that met the server before the drain would be known
    wait_until(lambda: get(vip, source="127.0.2.1").server == first != get(vip, source=f"127.0.2.{next(strangers)}").server,
               what="the drain")
    wait_until(lambda: "127.0.2.1" not in lb.ctl("persist", "list", "expire", "-o", "json").stdout, what="forgotten")
    assert get(vip, source="127.0.2.1").server != first


def test_persist_list_and_clear(lb, origins):
    """Entries can be listed and cleared."""
    vip = lb.vip("listed", *origins("a", "b"), persistence="source")
    server = get(vip, source="127.0.3.9").server
    rows = lb.json("persist", "list", "listed")
    assert any("127.0.3.9" in str(r) and server in str(r) for r in rows), rows
    assert "1 client forgotten" in lb.ctl("persist", "clear", "listed", "--client", "127.0.3.9", "-y").stderr
    assert not any("127.0.3.9" in str(r) for r in lb.json("persist", "list", "listed"))
    r = lb.ctl("persist", "clear", "listed", "--client", "127.0.3.9", "-y", check=False)
    assert r.returncode == 3 and "client 127.0.3.9 is kept at no server of listed" in r.stderr
    for i in range(3):
        get(vip, source=f"127.0.3.{10 + i}")
    assert "3 clients forgotten" in lb.ctl("persist", "clear", "listed", "-y").stderr
    assert "0 clients forgotten" in lb.ctl("persist", "clear", "listed", "-y").stderr


def test_persist_clear_by_server(lb, origins):
    """The clients of one server are forgotten, those of the others stay."""
    vip = lb.vip("byserver", *origins("a", "b"), persistence="source", scheduler="wrr")
    for i in range(8):
        get(vip, source=f"127.0.3.{20 + i}")
    servers = lambda: {r["rip"].split("/")[-1] for r in lb.json("persist", "list", "byserver")}
    assert servers() == {"a", "b"}
    lb.ctl("persist", "clear", "byserver/a", "-y")
    assert servers() == {"b"}
