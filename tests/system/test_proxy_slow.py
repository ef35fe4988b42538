"""Thousands of clients that hold what they have begun (A073): heads and bodies in drops."""
import contextlib
import resource
import selectors
import time

from lbdtest import Load, Origin, get, http_answer, wait_until

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: "
BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n"


class Slow:
    """n clients in one thread; each sends a few bytes a round."""

    def __init__(self, vip, n, first):
        self.poll, self.answers, self.n = selectors.DefaultSelector(), [], n
        for _ in range(n):
            s = vip.connect()
            s.setblocking(False)
            s.send(first)
            self.poll.register(s, selectors.EVENT_READ)

    def drip(self):
        """A byte of each; what was answered or closed goes."""
        for s in [k.fileobj for k in self.poll.get_map().values()]:
            with contextlib.suppress(OSError):
                s.send(b"x")
        for key, _ in self.poll.select(0):
            got = b""
            with contextlib.suppress(OSError):
                got = key.fileobj.recv(4096)
            self.answers.append(got)
            self.poll.unregister(key.fileobj)
            key.fileobj.close()
        return len(self.answers) == self.n

    def close(self):
        for s in [k.fileobj for k in self.poll.get_map().values()]:
            s.close()
        self.poll.close()


def rss_kb(pid):
    return int(next(x for x in open(f"/proc/{pid}/status") if x.startswith("VmRSS")).split()[1])


def test_five_thousand(lb, closing, request):
    """2,500 heads and 2,500 bodies in drops: the server, which takes four requests at once, sees none of them; a load on the
    same service loses nothing; each is answered with 408 once its time is over; memory stays below 16 KB for each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
    o = closing(Origin("a"))
    o.answer = lambda r: http_answer(b"ok", "200 OK", "X-Server: a")
    vip = lb.vip("crowd", wait_body="16K", request_timeout="15s")
    lb.rip(vip, "a", o.port, max_conns=4)
    get(vip)
    before = rss_kb(lb.pid())
    with Load(vip, clients=4, every_ms=10) as load:
        load.wait(50)
        start = time.monotonic()
        slow = [closing(Slow(vip, 2500, HEAD)), closing(Slow(vip, 2500, BODY))]
        assert not any(s.drip() for s in slow)
        load.wait(200)
        assert rss_kb(lb.pid()) - before < 5000 * 16
        wait_until(lambda: all([s.drip() for s in slow]), 60)
        assert time.monotonic() - start > 14
        load.wait(50)
        result = load.stop()
    assert not result["failed"] and result["ok"] >= 300
    for s in slow:
        assert all(a.startswith(b"HTTP/1.1 408 ") for a in s.answers), {a[:20] for a in s.answers}
    assert len([r for r in o.requests if r["method"] == "POST"]) == 0
    assert get(vip).status == 200
