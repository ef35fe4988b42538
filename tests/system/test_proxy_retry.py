"""A041: what a server failed goes to another one, as retry_on says."""
import threading
import time

import pytest

from h2lib import H2
from lbdtest import Origin, Reader, get, http_answer, wait_until


def failing(kind):
    """Serves one request for each connection, badly."""
    def serve(c, origin):
        r = Reader(c)
        head = r.head()
        if head is None:
            return
        origin.requests.append(r.body(head[1]))
        if kind == "junk":
            c.sendall(b"HELLO\r\n\r\n")
        elif kind == "half":
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-")
        elif kind == "timeout":
            time.sleep(3)
        elif kind == "cut":
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        elif kind.isdigit():
            c.sendall(http_answer(b"bad", kind + " Bad", "X-Server: a"))
    return serve


def vip_of(lb, name, *origins, **fields):
    """A service that asks them in this order."""
    rips = {o.name: {"address": o.address, "port": o.port, "max_conns": 100} for o in origins}
    return lb.vip(name, rips=rips, scheduler="first", **fields)


def pair(lb, closing, kind, name, **fields):
    a, b = closing(Origin("a", failing(kind))), closing(Origin("b"))
    return a, b, vip_of(lb, name, a, b, **fields)


CASES = (("junk", "junk", 502), ("half", "junk", 502), ("timeout", "timeout", 504), ("503", "503", 503), ("429", "429,500", 429),
         ("empty", "empty", 502))


@pytest.mark.parametrize("kind,on,without", CASES)
def test_tried_again(lb, closing, kind, on, without):
    """Where retry_on names the failure another server answers; where it does not, and for a POST, the failure is told."""
    a, b, vip = pair(lb, closing, kind, f"r-{kind}", retry_on=on, server_timeout="400ms", wait_body="8K")
    assert get(vip).server == "b"
    assert get(vip, method="PUT", body=b"x" * 1000).server == "b"
    assert [len(o.requests) for o in (a, b)] == [2, 2] and b.requests[1]["body"] == "x" * 1000
    row = lb.json("stats", vip.name)[0]
    assert (row["retries"], row["http_2xx"], row["http_5xx"], row["http_4xx"]) == (2, 2, 0, 0)
    assert get(vip, method="POST", body=b"order").status == without
    assert len(b.requests) == 2
    lb.ctl("set", "vip", vip.name, "retry_on=connect")
    wait_until(lambda: get(vip).status == without, what="it is not tried again any more")


def test_by_http2(lb, closing):
    """The same for clients of HTTP/2."""
    _, b, vip = pair(lb, closing, "503", "two", retry_on="503", h2c="yes")
    with H2(vip) as c:
        assert [c.get().status for _ in range(3)] == [200] * 3
    assert len(b.requests) == 3


def test_last_answer_counts(lb, closing):
    """When no other server is left, or no try, the client has the server's own answer."""
    made = [closing(Origin(n, failing("503"))) for n in "abc"]
    vip = vip_of(lb, "last", *made, retry_on="503", retries=5)
    r = get(vip)
    assert (r.status, r.body, [len(o.requests) for o in made]) == (503, b"bad", [1, 1, 1])
    lb.ctl("set", "vip", "last", "retries=1")
    wait_until(lambda: get(vip).status == 503 and len(made[2].requests) == 1)
    before = len(made[1].requests)
    assert get(vip).body == b"bad"
    assert (len(made[1].requests) - before, len(made[2].requests)) == (1, 1)


def test_not_once_it_was_told(lb, closing):
    """A server that breaks off in the middle of an answer: the client sees that, and no other server is asked."""
    _, b, vip = pair(lb, closing, "cut", "told", retry_on="connect,empty,junk,timeout,500,502,503,504")
    with pytest.raises(Exception):
        assert get(vip).body == b"hello" * 2
    assert not b.requests


def test_retries_at_once(lb, closing):
    """retries_max holds for these too: one more has the server's answer."""
    gate = threading.Event()
    a, b, vip = pair(lb, closing, "503", "few", retry_on="503", retries_max=1)
    b.answer = lambda _: (gate.wait(20), http_answer())[1]
    first = []
    t = threading.Thread(target=lambda: first.append(get(vip).status))
    t.start()
    try:
        wait_until(lambda: len(b.requests) == 1, what="the first is at the other server")
        assert get(vip).status == 503 and len(a.requests) == 2
    finally:
        gate.set()
        t.join()
    assert first == [200]
