"""HTTP/2 to servers: python3-h2 as the server, clients of both versions (RFC 9113)."""
import json

import pytest
from h2lib import H2, ca, tls, vip_of
from h2origin import H2Origin
from lbdtest import get


@pytest.fixture()
def origin(closing):
    """origin(name, ...): a server of HTTP/2."""
    return lambda name="o", **kw: closing(H2Origin(name, **kw))


# ---- requests and answers, in clear ------------------------------------------------------------------------------------

def test_requests(lb, origin, request):
    """A048: requests of both versions of HTTP are streams of one connection to the server; what belongs to a hop stays there."""
    o = origin()
    vip = vip_of(lb, request, o, h2c="yes", server_http="2")
    a = get(vip, "/a?b=c", headers={"X-Mixed": "Case", "Connection": "close, x-hop", "X-Hop": "1", "TE": "trailers",
                                     "Cookie": "a=1; b=2"})
    assert a.status == 200 and a.json["target"] == "/a?b=c"
    q = o.asked[0]
    assert q.fields[:4] == [(":method", "GET"), (":scheme", "http"), (":path", "/a?b=c"), (":authority", q[":authority"])]
    assert [f for f in q.fields[4:] if f[0] != "x-forwarded-for"] == [("x-mixed", "Case"), ("cookie", "a=1; b=2"), ("te", "trailers")]
    assert q["x-forwarded-for"]
    assert get(vip, "/p", method="POST", body=b"hello").json["body"] == "hello"
    assert o.asked[1]["content-length"] == "5" and o.asked[1]["te"] is None
    with H2(vip) as h:
        assert json.loads(h.get("/h2").body)["target"] == "/h2"
        assert json.loads(h.get("/p2", "POST", body=b"world").body)["body"] == "world"
    assert len(o.asked) == 4 and not o.errors
