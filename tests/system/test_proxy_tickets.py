"""A102: TLS sessions go on after a failover: both nodes of a pair make the keys of session tickets of one secret."""
import base64
import os
import ssl

import pytest

from lbdbus import Bus, encode
from lbdtest import Vip, wait_until
from test_ha_roles import VIP, same
from test_ha_traffic import CLIENTS, Farm

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def secret(node):
    """What lbd-ha gives to lbd-proxy."""
    with Bus(node.root, "lbd-ha", "lbd-proxy") as bus:
        bus.s.send(encode("STICK_FOLLOW", 1))
        while True:
            name, _, m = bus._next()
            if name == "STICK_SEED":
                return m["tickets"]


@pytest.fixture()
def farm(tmp_path, closing):
    f = Farm(tmp_path, closing)
    f.a.ctl("cert", "new", "web")
    f.a.ctl("create", "tls", "web", "cert=web")
    f.a.ctl("create", "vip", "safe", f"address={VIP}", "ports=443", "tls=web")
    for o in f.origins:
        f.a.rip("safe", o.name, o.port, "10.9.0.200")
    same(f)
    f.safe = Vip("safe", VIP, 443)
    f.context = {}
    for name, version in VERSIONS.items():
        c = f.context[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        c.minimum_version = c.maximum_version = version
    return f


def visit(farm, version, session=None):
    """(session for the next visit, whether this one went on with the last)."""
    with farm.client.inside(), farm.safe.connect(source=CLIENTS[0]) as plain:
        with farm.context[version].wrap_socket(plain, session=session) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
            return s.session, s.session_reused


def visits(farm, version, session=None):
    try:
        return visit(farm, version, session)
    except OSError:
        return None


def test_sessions_go_on_after_failover(farm):
    """On the other node, back again, and after lbd-proxy was killed on the way; by TLS 1.2 and 1.3."""
    kept = {v: wait_until(lambda: visits(farm, v), 20, "the service")[0] for v in VERSIONS}
    for v in VERSIONS:
        assert visit(farm, v, kept[v])[1], "on the same node"
    farm.a.ctl("ha", "failover")
    farm.takes_over(1, "hand-over")
    for v in VERSIONS:
        kept[v], again = wait_until(lambda: visits(farm, v, kept[v]), 20)
        assert again, f"TLS {v} on the other node"
    farm.a.kill("lbd-proxy")
    farm.a.start("lbd-proxy")
    farm.b.ctl("ha", "failover")
    farm.takes_over(0, "failback")
    for v in VERSIONS:
        assert wait_until(lambda: visits(farm, v, kept[v]), 20)[1], f"TLS {v} with a new process"


def test_secret_stays_in_memory(farm):
    """Both nodes have the same, made of the pair's; it is in no file, no export and no log of either."""
    a, b = (secret(n) for n in farm.nodes)
    assert a == b and len(a) == 32 and len(set(a)) > 8
    texts = [a, a.hex().encode(), a.hex().upper().encode(), base64.b64encode(a)]
    for n in farm.nodes:
        n.ctl("backup", n.root / "all.backup", check=False)
        files = [p for p in n.root.rglob("*") if p.is_file()]
        assert len(files) > 5
        for p in files:
            data = p.read_bytes()
            assert not any(t in data for t in texts), p
        assert not any(t.decode() in n.ctl("export").stdout for t in texts[1:])
