"""The status of layer 7 as HAProxy's CSV."""
import csv
import subprocess

import pytest

from lbdtest import Origin, free_port, get, wait_until
from lbdweb import Web


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    w = Web(tmp_path_factory.mktemp("web"), "lbd-proxy", "lbd-check")
    w.start()
    yield w
    w.stop()


def rows(api, **query):
    """Each row has a field for each column: text with a comma in it is in quotes (RFC 4180)."""
    r = api("GET", "/layer7.csv", **query)
    assert r.status == 200 and r.headers["Content-Type"].startswith("text/csv")
    text = r.body.decode()
    assert text.startswith("# pxname,svname,")
    got = list(csv.DictReader(text[2:].splitlines()))
    assert all(None not in r and None not in r.values() for r in got)
    return got


def haproxy_columns(tmp_path):
    """Those of the HAProxy that is installed, without what modules add behind "-"."""
    port = free_port()
    conf = tmp_path / "h.cfg"
    conf.write_text(f"defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n"
                    f"frontend f\n bind 127.0.0.1:{port}\n stats enable\n stats uri /s\n")
    p = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", conf])
    try:
        out = wait_until(lambda: subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/s;csv"], capture_output=True,
                                                text=True).stdout)
        names = out.splitlines()[0][2:].split(",")
        return names[:names.index("-")]
    finally:
        p.terminate()
        p.wait(20)


def test_rows_and_numbers(web, closing, tmp_path):
    """S205, S206: HAProxy's columns in HAProxy's order; frontend, servers and backend with the numbers of the traffic; servers that
    are down can be left out."""
    a, b = closing(Origin("a")), closing(Origin("b"))
    web.ctl("create", "check", "fast", "interval=200ms", "timeout=150ms", "rise=1", "fall=1")
    vip = web.vip("shop", a, b, check="fast", scheduler="wrr", max_conns=77)
    api = web.api("viewer")
    for _ in range(6):
        assert get(vip).status == 200

    def look(**query):
        return {r["svname"]: r for r in rows(api, **query) if r["pxname"] == "shop"}
    got = wait_until(lambda: (g := look())["FRONTEND"]["hrsp_2xx"] == "6" and g["b"]["status"] == g["a"]["status"] == "UP" and g)
    assert list(got) == ["FRONTEND", "a", "b", "BACKEND"] and [r["type"] for r in got.values()] == ["0", "2", "2", "1"]
    assert (got["FRONTEND"]["status"], got["FRONTEND"]["slim"], got["FRONTEND"]["req_tot"]) == ("OPEN", "77", "6")
    assert int(got["a"]["stot"]) + int(got["b"]["stot"]) == 6 == int(got["BACKEND"]["stot"])
    assert got["a"]["weight"] == "100" and got["BACKEND"]["act"] == "2" and int(got["BACKEND"]["ttime"]) >= 0
    assert got["a"]["pid"] == str(web.pid())
    columns = [c for c in got["a"] if c]
    assert columns == haproxy_columns(tmp_path)
    b.close()
    wait_until(lambda: look()["b"]["status"] == "DOWN")
    web.ctl("drain", "shop/a")
    wait_until(lambda: look()["a"]["status"] == "DRAIN")
    assert list(look(hide="down")) == ["FRONTEND", "a", "BACKEND"]
    assert api("GET", "/layer7.csv", hide="x").status == 400
    assert web.raw("GET", "/api/v1/layer7.csv").status == 401


def table(web, name):
    return {r["svname"]: r for r in rows(web.api("viewer")) if r["pxname"] == name}


def test_peaks_and_rates(web, closing):
    """S206: peaks stay when the load is over and are forgotten by a flush; rates are of one second, and the highest stays; a server
    says when it had a request last."""
    origin = closing(Origin("o"))
    vip = web.vip("peaks", origin)
    held = [vip.connect() for _ in range(5)]
    try:
        for s in held:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for s in held:
            assert s.recv(100).startswith(b"HTTP/1.1 200")
        now = wait_until(lambda: (t := table(web, "peaks"))["FRONTEND"]["scur"] == "5" and t["FRONTEND"]["req_rate_max"] != "0" and t)
        assert int(now["FRONTEND"]["smax"]) == 5 and 1 <= int(now["o"]["smax"]) <= 5
        assert now["FRONTEND"]["stot"] == now["FRONTEND"]["conn_tot"] == now["o"]["stot"] == "5"
        # All five within one look of the clock, or five spread over two.
        assert 2 <= int(now["FRONTEND"]["req_rate_max"]) <= 5 and 2 <= int(now["FRONTEND"]["conn_rate_max"]) <= 5
        assert 2 <= int(now["o"]["rate_max"]) <= 5 and 2 <= int(now["BACKEND"]["rate_max"]) <= 5
        assert 0 <= int(now["o"]["lastsess"]) < 30 and now["BACKEND"]["lastsess"] == now["o"]["lastsess"]
    finally:
        for s in held:
            s.close()
    over = wait_until(lambda: (t := table(web, "peaks"))["FRONTEND"]["scur"] == "0" and t["FRONTEND"]["rate"] == "0" and t)
    assert over["FRONTEND"]["smax"] == "5" and over["FRONTEND"]["req_rate"] == "0" and int(over["FRONTEND"]["req_rate_max"]) >= 2
    web.ctl("flush", "stats", "peaks")
    assert wait_until(lambda: (t := table(web, "peaks"))["FRONTEND"]["smax"] == "0" and t)["o"]["rate_max"] == "0"
    assert table(web, "peaks")["o"]["lastsess"] == ""


def test_checks(web, closing):
    """S206: what a check found is told in HAProxy's words, with its count of falls and the time that a server was down."""
    good, bad = closing(Origin("good")), free_port()
    web.ctl("create", "check", "page", "kind=http", "path=/", "interval=200ms", "timeout=150ms", "rise=1", "fall=1")
    web.ctl("create", "check", "port", "interval=200ms", "timeout=150ms", "rise=1", "fall=2")
    web.vip("checked", good, check="page")
    web.ctl("create", "rip", "checked/away", "address=127.0.0.1", f"port={bad}", "check=port")
    got = wait_until(lambda: (t := table(web, "checked"))["away"]["status"] == "DOWN" and t["good"]["check_code"] == "200" and t)
    assert (got["good"]["check_status"], got["away"]["check_status"], got["away"]["check_code"]) == ("L7OK", "L4CON", "")
    assert (got["away"]["check_rise"], got["away"]["check_fall"]) == ("1", "2") and got["away"]["chkdown"] == "0"
    assert got["away"]["last_chk"].startswith("connection refused") and got["away"]["addr"] == f"127.0.0.1:{bad}"
    assert int(wait_until(lambda: (d := table(web, "checked")["away"]["downtime"]) != "0" and d)) >= 1
    good.close()
    assert wait_until(lambda: (r := table(web, "checked")["good"])["status"] == "DOWN" and r)["chkdown"] == "1"
