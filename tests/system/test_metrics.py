"""/metrics: what promtool accepts, and numbers that are true (issue item 11)."""
import re
import subprocess
import time

import pytest

from lbdtest import ADDRESS, Origin, get, http_answer, wait_until
from lbdweb import Api, Web

FAST = {"interval": "200ms", "timeout": "150ms", "rise": 1, "fall": 1}


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    w = Web(tmp_path_factory.mktemp("metrics"), "lbd-check", "lbd-proxy", "lbd-ipvs", "lbd-ha")
    w.start()
    yield w
    w.stop()


def scrape(web, query=""):
    r = web.raw("GET", "/metrics" + query)
    assert r.status == 200 and r.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return r.body.decode()


def value(text, name, **labels):
    """The one sample with these labels; None."""
    found = []
    for line in text.splitlines():
        m = re.fullmatch(r'(\w+)(?:\{(.*)\})? ([0-9.e+-]+)', line)
        if m and m[1] == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', m[2] or "")).items():
            found.append(float(m[3]))
    assert len(found) <= 1, (name, labels, found)
    return found[0] if found else None


def test_promtool_and_numbers(web):
    """Every family has help, type and a good name; states and counters are those of the traffic."""
    with Origin("a") as a, Origin("b") as b:
        api = web.api()
        api("PUT", "/checks/fast", FAST)
        web.ctl("set", "setting", "history=999")
        vip = web.vip("shop", a, b, mode="http", scheduler="wrr", check="fast")
        wait_until(lambda: value(scrape(web), "lbd_vip_state", vip="shop", state="healthy") == 1)
        for _ in range(10):
            assert get(vip).status == 200

        def counted():
            t = scrape(web)
            return value(t, "lbd_http_responses_total", vip="shop", code="2xx") == 10 and t
        text = wait_until(counted)
        assert value(text, "lbd_vip_requests_total", vip="shop", layer="7") == 10
        a_got, b_got = (value(text, "lbd_rip_requests_total", vip="shop", rip=r) for r in "ab")
        assert a_got + b_got == 10 and a_got == len(a.requests) and b_got == len(b.requests)
        assert value(text, "lbd_rip_http_responses_total", vip="shop", rip="b", code="2xx") == b_got
        assert value(text, "lbd_vip_rips", vip="shop", state="up") == 2
        assert value(text, "lbd_rip_state", vip="shop", rip="a", state="up") == 1
        assert value(text, "lbd_rip_state", vip="shop", rip="a", state="down") == 0
        assert value(text, "lbd_check_success", vip="shop", rip="a") == 1
        assert 0 < value(text, "lbd_check_duration_seconds", vip="shop", rip="a") < 1
        assert value(text, "lbd_rip_weight", vip="shop", rip="a") == 100
        assert value(text, "lbd_config_pending_confirm") == 0
        assert value(text, "lbd_proxy_connections_limit") == 1_000_000 and value(text, "lbd_proxy_connections") == 0
        assert value(text, "lbd_config_revision", scope="shared") >= 3
        assert value(text, "lbd_ha_role", role="active") == 1
        wait_until(lambda: value(scrape(web), "lbd_fip_held", address=f"{ADDRESS}/32") == 1)
        for daemon in ("lbd-check", "lbd-proxy", "lbd-ipvs", "lbd-ha", "lbd-web"):
            wait_until(lambda: value(scrape(web), "lbd_daemon_up", daemon=daemon) == 1)
            assert value(scrape(web), "lbd_process_resident_memory_bytes", daemon=daemon) > 1e6
        r = subprocess.run(["promtool", "check", "metrics"], input=scrape(web), capture_output=True, text=True)
        assert r.returncode == 0 and not r.stdout + r.stderr, r.stdout + r.stderr
        families = re.findall(r"^# TYPE (\w+) ", scrape(web), re.M)
        assert len(families) == len(set(families))

        web.ctl("drain", "shop/a")
        wait_until(lambda: value(scrape(web), "lbd_rip_state", vip="shop", rip="a", state="drain") == 1)
        assert value(scrape(web), "lbd_rip_weight", vip="shop", rip="a") == 0
        b.close()
        wait_until(lambda: value(scrape(web), "lbd_vip_state", vip="shop", state="down") == 1)
        assert value(scrape(web), "lbd_check_failures_total", vip="shop", rip="b") >= 1
        assert value(scrape(web), "lbd_rip_transitions_total", vip="shop", rip="b") >= 1


def test_phases_and_logs(web):
    """A159: how long each phase of requests took, as histograms and as quantiles of lbctl stats; lines of access logs, written and
    lost."""
    def slow(r):
        time.sleep(0.15)  # what the histogram has to show
        return http_answer(b"x")
    with Origin("slow") as o:
        o.answer = slow
        vip = web.vip("slow", o, log="json")
        before = value(scrape(web), "lbd_log_lines_total", daemon="lbd-proxy") or 0
        for _ in range(4):
            assert get(vip).status == 200

        def counted():
            t = scrape(web)
            return value(t, "lbd_request_duration_seconds_count", vip="slow", phase="total") == 4 and t
        text = wait_until(counted)

        def below(phase, le):
            return value(text, "lbd_request_duration_seconds_bucket", vip="slow", phase=phase, le=le)
        assert below("answer", "0.131072") == 0 and below("answer", "67.108864") == 4
        assert value(text, "lbd_request_duration_seconds_bucket", vip="slow", phase="queue", le="0.131072") == 4
        assert 0.6 <= value(text, "lbd_request_duration_seconds_sum", vip="slow", phase="answer") < 60
        assert f'phase="total",le="+Inf"}} 4\n' in text
        row, = web.json("stats", "slow")
        assert 150_000 < row["answer_p50"] <= row["answer_p99"] <= row["total_p99"] and row["queue_p99"] < 150_000
        wait_until(lambda: value(scrape(web), "lbd_log_lines_total", daemon="lbd-proxy") >= before + 4)
        assert value(scrape(web), "lbd_log_dropped_total", daemon="lbd-proxy") == 0
        web.ctl("flush", "stats", "slow")
        wait_until(lambda: value(scrape(web), "lbd_request_duration_seconds_count", vip="slow", phase="total") == 0)


def test_check_now(web):
    """A probe on demand, with its steps and what it came to (S199)."""
    operator = web.api("operator")
    with Origin("now") as o:
        web.vip("now", o, mode="http", check="fast")
        wait_until(lambda: operator("GET", "/vips/now/rips/now").status == 200)
        r = operator("POST", "/vips/now/rips/now/check")
        assert r.status == 200 and r.json["good"] and r.json["steps"][0]["text"], r.body
    r = operator("POST", "/vips/now/rips/now/check")
    assert r.status == 200 and not r.json["good"] and "refused" in r.json["result"], r.body
    assert web.api("viewer")("POST", "/vips/now/rips/now/check").status == 403
    assert operator("POST", "/vips/now/rips/none/check").status == 404


def test_scope(web):
    """?scope= narrows the answer; another word is refused."""
    assert "lbd_vip_" not in scrape(web, "?scope=node") and "lbd_build_info" in scrape(web, "?scope=node")
    assert "lbd_rip_" not in scrape(web, "?scope=vip")
    assert web.raw("GET", "/metrics?scope=all").status == 400


def test_who_may(web):
    """This machine without log-in, anybody else with a viewer's token."""
    viewer = web.api("viewer")
    assert web.raw("GET", "/metrics", tls=True).status == 200
    web.ctl("set", "setting", "http_open=yes")
    here = next((i["address"].split("/")[0] for i in viewer("GET", "/interfaces").json["items"]
                 if i["name"] != "lo" and ":" not in i["address"]), None)
    if here is None:
        pytest.skip("this machine has no address but the loopback's")
    url = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--interface", here, f"http://{here}:{web.http}/metrics"]
    wait_until(lambda: subprocess.run(url, capture_output=True, text=True).stdout == "401")
    token = f"Authorization: {viewer.headers['Authorization']}"
    assert subprocess.run([*url, "-H", token], capture_output=True, text=True).stdout == "200"


def test_history_of_a_service(web):
    """The last hour of a service, for the API and for lbctl."""
    viewer = web.api("viewer")
    r = wait_until(lambda: (h := viewer("GET", "/history/shop").json)["items"] and h, 25)
    assert r["step_s"] == 10 and set(r["items"][0]) == {"at", "connections", "new_connections", "requests",
                                                        "receive_bytes", "transmit_bytes"}
    assert viewer("GET", "/history/none").status == 404
    assert Api(web)("GET", "/history/shop").status == 401


def test_ten_thousand(tmp_path):
    """A store of 10,000 services: pages of 100, lists of 500, metrics in pieces; the memory stays small."""
    w = Web(tmp_path / "w")
    vips = "".join(f"  v{i:05}: {{address: 10.{i >> 16}.{i >> 8 & 255}.{i & 255}, ports: 80, rips: {{a: {{address: "
                   f"10.200.0.1, port: {i % 60000 + 1}}}, b: {{address: 10.200.0.2}}}}}}\n" for i in range(10000))
    (w.root / "big.yaml").write_text("vip:\n" + vips)
    w.ctl("apply", "-f", w.root / "big.yaml")
    w.start()
    try:
        form = w.login()
        page = form.get("/?page=7").body
        assert page.count(b"<tbody id=") == 100 and b"v00600" in page and b"Page 7 of 100" in page
        assert form.get("/?page=100000").body.count(b"<tbody id=") == 100
        assert form.get("/?q=v0001&sort=-conns").body.count(b"<tbody id=") == 10
        api = w.api("viewer")
        r = api("GET", "/vips")
        assert len(r.json["items"]) == 500 and r.json["next"] == "v00499"
        assert len(api("GET", "/rips?limit=1000").json["items"]) == 1000
        text = scrape(w)
        assert text.count("\nlbd_vip_state{") == 50000 and text.count("\nlbd_rip_weight{") == 20000
        rss = int(re.search(r"VmHWM:\s+(\d+)", (tmp_path.__class__(f"/proc/{w.pid('lbd-web')}/status")).read_text())[1])
        print(f"lbd-web with 10,000 services and 20,000 servers: {rss // 1024} MiB at most")
        assert rss < 150 * 1024
    finally:
        w.stop()
