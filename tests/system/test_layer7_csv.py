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
    r = api("GET", "/layer7.csv", **query)
    assert r.status == 200 and r.headers["Content-Type"].startswith("text/csv")
    text = r.body.decode()
    assert text.startswith("# pxname,svname,")
    return list(csv.DictReader(text[2:].splitlines()))


def haproxy_columns(tmp_path):
    """Those of the HAProxy that is installed."""
    port = free_port()
    conf = tmp_path / "h.cfg"
    conf.write_text(f"defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n"
                    f"frontend f\n bind 127.0.0.1:{port}\n stats enable\n stats uri /s\n")
    p = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", conf])
    try:
        out = wait_until(lambda: subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/s;csv"], capture_output=True,
                                                text=True).stdout)
        return out.splitlines()[0][2:].split(",")
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
    assert columns == haproxy_columns(tmp_path)[:len(columns)]
    b.close()
    wait_until(lambda: look()["b"]["status"] == "DOWN")
    web.ctl("drain", "shop/a")
    wait_until(lambda: look()["a"]["status"] == "DRAIN")
    assert list(look(hide="down")) == ["FRONTEND", "a", "BACKEND"]
    assert api("GET", "/layer7.csv", hide="x").status == 400
    assert web.raw("GET", "/api/v1/layer7.csv").status == 401
