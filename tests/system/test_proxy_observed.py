"""What traffic shows of a server is passed on to lbd-check, which then looks sooner."""
import time

from lbdtest import SLOW, Lbd, Origin, get, wait_until


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
