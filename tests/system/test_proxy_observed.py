"""lbd-check and lbd-proxy together: what traffic shows of a server is passed on, and verdicts are of many servers at once."""
import json
import time

from lbdtest import ADDRESS, SLOW, Lbd, Origin, Vip, free_port, get, http_answer, wait_until


def state(lb, rip):
    vip, name = rip.split("/")
    return next(r["status"]["state"] for r in lb.json("get", "rip", f"{vip}/") if r["name"] == name)


def test_refused_connects_hasten_the_verdict(tmp_path, closing):
    """S199: with a check every 20 s a server that refuses under traffic is down within seconds, and no request fails."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-check", "lbd-proxy"))
    a, b = closing(Origin("a")), closing(Origin("b"))
    lb.ctl("create", "check", "rare", "kind=tcp", "interval=20s", "timeout=1s", "rise=1", "fall=2")
    vip = lb.vip("web", a, b, check="rare", scheduler="wrr", pool_timeout="0s")
    lb.start()
    wait_until(lambda: state(lb, "web/a") == "up", 25)
    start = time.monotonic()
    a.close()

    def down():
        assert get(vip).status == 200
        return state(lb, "web/a") == "down"
    wait_until(down, 15)
    assert time.monotonic() - start < 15 * SLOW


def test_256_servers_in_one_service(tmp_path, closing):
    """S076: all are checked, all have their turn, and those that fail are left out."""
    lb = closing(Lbd(tmp_path / "lb", "lbd-check", "lbd-proxy"))
    bad = set()

    def serve(c, o):
        """Every address of 127.40.0.0/24 is a server; bad ones answer 500."""
        me = c.getsockname()[0]
        held = b""
        while more := c.recv(4096):
            held += more
            while b"\r\n\r\n" in held:
                held = held.split(b"\r\n\r\n", 1)[1]
                c.sendall(http_answer(me.encode(), "500 Broken" if me in bad else "200 OK"))
    o = closing(Origin("all", handle=serve, address="0.0.0.0"))
    addresses = [f"127.40.0.{i}" for i in range(256)]
    port = free_port(ADDRESS)
    lb.ctl("apply", "-f", "-", input=json.dumps({
        "check": {"page": {"kind": "http", "path": "/", "interval": "1s", "timeout": "1s", "rise": 1, "fall": 1}},
        "vip": {"many": {"address": ADDRESS, "ports": port, "scheduler": "rr", "check": "page",
                         "rips": {f"s{i}": {"address": a, "port": o.port} for i, a in enumerate(addresses)}}}}))
    vip = Vip("many", ADDRESS, port)
    lb.start()

    def up():
        return {r["address"] for r in lb.json("get", "rip", "many/") if r["status"]["state"] == "up"}
    wait_until(lambda: len(up()) == 256, 30, "all are up")
    assert {get(vip).body.decode() for _ in range(512)} == set(addresses)
    bad.update(addresses[::4])
    wait_until(lambda: up() == set(addresses) - bad, 30, "64 are down")
    assert {get(vip).body.decode() for _ in range(384)} == set(addresses) - bad
