"""A067: SIP over TCP: the call with which a connection begins keeps its server."""
import pytest

from lbdtest import ADDRESS, Origin


def serve(c, o):
    """Answers each message with the server's name."""
    held = b""
    while more := c.recv(4096):
        held = (held + more).lstrip(b"\r\n")
        while b"\r\n\r\n" in held:
            held = held.split(b"\r\n\r\n", 1)[1].lstrip(b"\r\n")
            c.sendall(b"SIP/2.0 200 " + o.name.encode() + b"\r\n\r\n")


def message(call, name="Call-ID"):
    return (f"INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1\r\n{name}: {call}\r\nCSeq: 1 INVITE\r\n"
            "Content-Length: 0\r\n\r\n").encode()


def ask(vip, data, step=None):
    """Who answers a connection that begins with data, sent in steps of so many bytes."""
    with vip.connect() as s:
        for i in range(0, len(data), step or len(data)):
            s.sendall(data[i:i + (step or len(data))])
        got = b""
        while not got.endswith(b"\r\n\r\n"):
            more = s.recv(4096)
            assert more, got
            got += more
    return got.split()[2].decode()


@pytest.fixture(scope="module")
def farm(lb):
    made = [Origin(n, handle=serve) for n in "abc"]
    yield made
    for o in made:
        o.close()


def test_a_call_keeps_its_server(lb, farm):
    """Whatever client it comes from, in the long and the short form, in one piece and in many; other calls are balanced."""
    vip = lb.vip("calls", *farm, mode="tcp", persistence="sip", scheduler="rr")
    homes = {n: ask(vip, message(f"call{n}@host")) for n in range(9)}
    assert set(homes.values()) == set("abc")
    for n, home in homes.items():
        assert ask(vip, message(f"call{n}@host", "i")) == ask(vip, b"\r\n\r\n" + message(f" call{n}@host ", "call-id "), 7) == home
    assert len(lb.json("persist", "list", "calls")) == 9
    assert {ask(vip, message("", "X")) for _ in range(6)} == set("abc")  # names no call


def test_a_server_that_is_halted(lb, farm):
    vip = lb.vip("halted", *farm, mode="tcp", persistence="sip", scheduler="rr")
    home = ask(vip, message("x"))
    lb.ctl("drain", f"halted/{home}")
    assert ask(vip, message("x")) == home
    lb.ctl("halt", f"halted/{home}")
    other = ask(vip, message("x"))
    assert other != home
    lb.ctl("online", f"halted/{home}")
    assert ask(vip, message("x")) == other


@pytest.mark.parametrize("words,text", [
    (["mode=http"], "mode tcp"), (["mode=nat", "protocol=tcp"], "protocol udp"),
    (["mode=tcp", "scheduler=rdp_cookie"], "another scheduler"), (["mode=tcp", "rdp_token=yes"], "rdp_token no")])
def test_refused(lb, words, text):
    """Where no call can be read."""
    r = lb.ctl("create", "vip", "no", f"address={ADDRESS}", "ports=5060", "persistence=sip", *words, check=False)
    assert r.returncode == 7 and "vip no: persistence: \"sip\" is not possible" in r.stderr and text in r.stderr, r.stderr
