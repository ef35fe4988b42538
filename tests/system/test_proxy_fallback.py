"""What lbd-proxy does when servers are not fit: the fallback server, the quorum, the fallback page, servers not yet proven."""
import http.client

import pytest

from lbdtest import Lbd, Origin, free_port, get, listens, wait_until

FAST = ("kind=tcp", "interval=100ms", "timeout=80ms", "rise=1", "fall=1")


@pytest.fixture()
def node(tmp_path, closing):
    lb = closing(Lbd(tmp_path / "lb", "lbd-check", "lbd-proxy"))
    lb.ctl("create", "check", "fast", *FAST)
    return lb


def test_fallback_server(node, closing):
    """A016: while no server is fit the fallback server answers, nobody is bound to it, and it rests when one is back."""
    a, last = closing(Origin("a")), closing(Origin("last"))
    vip = node.vip("web", a, check="fast", persistence="cookie", fallback="127.0.0.1", fallback_port=last.port)
    node.start()
    first = get(vip)
    assert first.server == "a" and "LBDSRV" in first.headers["Set-Cookie"]
    port = a.port
    a.close()
    wait_until(lambda: get(vip).server == "last", what="the fallback server answers")
    answer = get(vip, headers={"Cookie": first.headers["Set-Cookie"].split(";")[0]})
    assert answer.server == "last" and "Set-Cookie" not in answer.headers
    closing(Origin("a", port=port))
    wait_until(lambda: get(vip).server == "a", what="the server is used again")
    node.ctl("unset", "vip", "web", "fallback", "fallback_port")
    assert get(vip).server == "a"


def test_fallback_at_once(node, closing):
    """A016: a server that refuses is no reason for an error while lbd-check has not seen it."""
    last = closing(Origin("last"))
    vip = node.vip("web", fallback="127.0.0.1", fallback_port=last.port)
    node.rip(vip, "dead", free_port())
    node.start("lbd-proxy")
    assert get(vip).server == "last"


def test_quorum(node, closing):
    """A014: below the quorum new clients go to the fallback server, though a server is fit."""
    a, b, last = closing(Origin("a")), closing(Origin("b")), closing(Origin("last"))
    vip = node.vip("web", a, b, check="fast", quorum=150, fallback="127.0.0.1", fallback_port=last.port)
    node.start()
    wait_until(lambda: {get(vip).server for _ in range(4)} == {"a", "b"}, what="both are fit")
    b.close()
    wait_until(lambda: {get(vip).server for _ in range(4)} == {"last"}, what="too few are fit")
    node.ctl("set", "vip", "web", "quorum=100")
    wait_until(lambda: {get(vip).server for _ in range(4)} == {"a"}, what="one is enough")


def test_not_proven(node, closing):
    """A020: with assume=down a server takes nothing before its first good probe."""
    a = closing(Origin("a"))
    node.ctl("set", "check", "fast", "assume=down")
    vip = node.vip("web", a, check="fast")
    node.start("lbd-proxy")
    assert get(vip).status == 503 and not a.requests
    node.ctl("set", "check", "fast", "assume=up")
    wait_until(lambda: get(vip).server == "a", what="unknown counts as up")
    node.ctl("set", "check", "fast", "assume=down")
    wait_until(lambda: get(vip).status == 503, what="unknown counts as down again")
    node.start("lbd-check")
    wait_until(lambda: get(vip).server == "a", what="proven")


@pytest.mark.parametrize("host, any_host", [("127.0.0.1", "0.0.0.0"), ("::1", "::")])
def test_page(node, host, any_host):
    """A016: services of layer 4 may have the node's own page; it is served on the sorry port, with status 503."""
    port = free_port()
    node.start("lbd-proxy")
    node.ctl("set", "setting", f"sorry_port={port}")
    node.ctl("create", "vip", "four", "address=198.51.100.1", "ports=80", "mode=nat", "fallback_page=yes")
    wait_until(lambda: listens(any_host, port), what="the page is served")
    for method in ("GET", "HEAD"):
        c = http.client.HTTPConnection(host, port, timeout=5)
        c.request(method, "/anything")
        r = c.getresponse()
        body = r.read()
        assert r.status == 503 and r.getheader("content-type").startswith("text/html")
        assert (b"Service unavailable" in body) == (method == "GET")
        assert int(r.getheader("content-length")) > 300 and r.getheader("retry-after") == "60"
        c.close()
    node.ctl("disable", "four")
    wait_until(lambda: not listens(any_host, port), what="nobody needs it any more")
