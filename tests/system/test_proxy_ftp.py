"""A067: FTP as a service of layer 7 (ftp=yes): data connections of passive mode go to the server of their control connection,
through the virtual address. Servers are vsftpd, and one that says what no good server says; clients are ftplib, curl and sockets."""
import contextlib
import ftplib
import io
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from lbdtest import ADDRESS, SLOW, Lbd, Netns, Origin, die_with_parent, free_port, listens, wait_until

LOW, HIGH = 50100, 50140
DATA = os.urandom(3_000_000)


class Server:
    """vsftpd at an address of its own; anybody may read who, and write in up."""

    def __init__(self, name, address, root, netns=None):
        self.name, self.address, self.port = name, address, free_port(address)
        self.up = root / name / "up"
        self.up.mkdir(parents=True)
        self.up.chmod(0o777)
        (root / name / "who").write_text(name)
        (root / name / "big").write_bytes(DATA)
        (root / "empty").mkdir(exist_ok=True)
        conf = root / f"{name}.conf"
        conf.write_text(f"""
listen=YES
background=NO
listen_address={address}
listen_port={self.port}
secure_chroot_dir={root}/empty
anonymous_enable=YES
no_anon_password=YES
ftp_username=daemon
anon_root={root}/{name}
anon_upload_enable=YES
anon_umask=022
write_enable=YES
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
ftpd_banner={name}
xferlog_enable=NO
""")
        self.p = subprocess.Popen([*(netns.prefix if netns else []), "vsftpd", conf], preexec_fn=die_with_parent)
        wait_until(lambda: listens(address, self.port, netns), what="vsftpd listens")

    def close(self):
        self.p.terminate()
        self.p.wait(20)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("vsftpd must be started by root")
    root = tmp_path_factory.mktemp("ftp")
    made = [Server(n, f"127.0.6.{i}", root) for i, n in enumerate(("one", "two"), 1)]
    yield made
    for s in made:
        s.close()


@pytest.fixture(scope="module")
def vip(lb, servers):
    return lb.vip("files", *servers, mode="tcp", ftp="yes", ftp_ports=f"{LOW}-{HIGH}", scheduler="rr")


@contextlib.contextmanager
def session(vip, source="127.0.0.1"):
    """A login; .server is the name in the greeting."""
    with contextlib.closing(ftplib.FTP(timeout=10 * SLOW)) as ftp:
        ftp.server = ftp.connect(vip.address, vip.port, source_address=(source, 0)).split()[1]
        ftp.login()
        yield ftp


def fetch(ftp, name):
    got = []
    ftp.retrbinary(f"RETR {name}", got.append)
    return b"".join(got)


def passive(ftp):
    """(address, port) in the reply to PASV."""
    *host, high, low = re.search(r"\(([\d,]+)\)", ftp.sendcmd("PASV"))[1].split(",")
    return ".".join(host), int(high) * 256 + int(low)


def test_files_of_the_server_of_the_session(vip, servers):
    """Both servers have their turn; each session stays at its own with every file, both ways."""
    seen = set()
    for i in range(4):
        with session(vip) as ftp:
            assert fetch(ftp, "who").decode() == ftp.server
            assert fetch(ftp, "big") == DATA
            ftp.storbinary(f"STOR up/{i}", io.BytesIO(DATA))
            assert ftp.nlst("up") == sorted(f"up/{n}" for n in os.listdir(next(s for s in servers if s.name == ftp.server).up))
            assert (next(s for s in servers if s.name == ftp.server).up / str(i)).read_bytes() == DATA
            seen.add(ftp.server)
    assert seen == {"one", "two"}


def test_what_the_client_is_told(vip):
    """The virtual address and a port of the range; another one each time; the extended form has the port alone."""
    with session(vip) as ftp:
        told = [passive(ftp) for _ in range(3)]
        assert {a for a, _ in told} == {vip.address} and all(LOW <= p <= HIGH for _, p in told)
        port = int(re.search(r"\(\|\|\|(\d+)\|\)", ftp.sendcmd("EPSV"))[1])
        assert LOW <= port <= HIGH and listens(vip.address, port) and not any(listens(vip.address, p) for _, p in told if p != port)
    wait_until(lambda: not listens(vip.address, port), 5, "nobody is waited for any more")


def test_other_clients(closing, tmp_path):
    """curl, which asks by EPSV, over IPv6, where the server has none."""
    ns = closing(Netns())
    ns.run("ip", "-6", "route", "add", "local", "fd00:21::/64", "dev", "lo")
    lb = closing(Lbd(tmp_path / "lbd", "lbd-proxy", netns=ns))
    server = closing(Server("one", "127.0.6.1", tmp_path, ns))
    lb.start()
    six = lb.vip("six", server, address="fd00:21::1", mode="tcp", ftp="yes")
    r = ns.run("curl", "-sS", "-m", str(20 * SLOW), f"ftp://[{six.address}]:{six.port}/who")
    assert r.stdout == "one"
    with ns.inside(), session(six, source="::1") as ftp:
        with pytest.raises(ftplib.error_temp, match="425"):
            ftp.sendcmd("PASV")  # cannot name an address of IPv6
        assert fetch(ftp, "who").decode() == ftp.server


def test_active_mode_and_encryption_are_refused(vip):
    """By the server, and the session goes on."""
    with session(vip) as ftp:
        ftp.set_pasv(False)
        with pytest.raises(ftplib.error_perm):
            fetch(ftp, "who")
        with pytest.raises(ftplib.error_perm):
            ftp.sendcmd("EPRT |1|127.0.0.1|50000|")
        with pytest.raises(ftplib.error_perm):
            ftp.sendcmd("AUTH TLS")
        ftp.set_pasv(True)
        assert fetch(ftp, "who").decode() == ftp.server


def test_nobody_else_gets_the_data(vip):
    """Who comes from another address is reset; the client is waited for still."""
    with session(vip) as ftp:
        at = passive(ftp)
        with pytest.raises(ConnectionResetError), socket.create_connection(at, 5, source_address=("127.0.0.77", 0)) as stranger:
            stranger.recv(1)
        with socket.create_connection(at, 5) as data:
            ftp.sendcmd("TYPE I")
            assert ftp.sendcmd("RETR who").startswith("150")
            assert data.makefile("rb").read().decode() == ftp.server
        assert ftp.voidresp().startswith("226")
        with pytest.raises(ConnectionRefusedError):  # good for one connection
            socket.create_connection(at, 5)


def test_a_full_range(lb, servers):
    """425 as long as no port is free."""
    port = free_port(ADDRESS)
    small = lb.vip("small", servers[0], mode="tcp", ftp="yes", ftp_ports=f"{port}")
    with session(small) as first, session(small) as second:
        assert passive(first) == (small.address, port)
        with pytest.raises(ftplib.error_temp, match="425"):
            passive(second)
        first.close()
        wait_until(lambda: not listens(small.address, port), 5)
        assert fetch(second, "who") == b"one"


def test_drain_and_halt(lb, vip):
    """A session at a server that is drained keeps its files; halt ends it, data connections too."""
    with session(vip) as ftp, session(vip) as other:
        lb.ctl("drain", f"files/{ftp.server}")
        assert fetch(ftp, "who").decode() == ftp.server
        with session(vip) as new:
            assert new.server != ftp.server == fetch(ftp, "who").decode()
        data = socket.create_connection(passive(ftp), 5)
        wait_until(lambda: sum(r["state"] == "tunnel" for r in lb.json("conns", "files")) >= 3, 5, "data connection")
        lb.ctl("halt", f"files/{ftp.server}")
        with data, pytest.raises(ConnectionResetError):
            data.recv(1)
        with pytest.raises((EOFError, OSError)):
            ftp.voidcmd("NOOP")
        assert other.voidcmd("NOOP")
        lb.ctl("online", f"files/{ftp.server}")


def speak(reply, pause=0.0):
    """A server that answers PASV with reply(port) and sends slowly."""
    def handle(c, o):
        wait = socket.create_server((o.address, 0))
        c.sendall(b"220-hello\r\n227 (1,2,3,4,5,6)\r\n220 there\r\n")
        for line in c.makefile("rb"):
            if line.startswith(b"PASV"):
                c.sendall(reply(wait.getsockname()[1]))
            elif line.startswith(b"RETR"):
                d, _ = wait.accept()
                for _ in range(4):
                    d.sendall(b"x")
                    time.sleep(pause)
                d.close()
                c.sendall(b"226 done\r\n")
            else:
                c.sendall(b"200 " + line)
    return handle


def dialogue(s, line, end=b"\r\n"):
    s.sendall(line)
    got = b""
    while not got.endswith(end):
        more = s.recv(4096)
        assert more, got
        got += more
    return got


def read_port(reply):
    high, low = re.search(rb",(\d+),(\d+)\)", reply).groups()
    return int(high) * 256 + int(low)


def test_a_server_that_leads_elsewhere(lb, closing):
    """Its word of another address does not count, nor what is said without being asked; a port of none is 425; long lines pass."""
    victim = closing(Origin("victim", lambda c, o: c.recv(1), address="127.0.6.9"))
    o = closing(Origin("o", speak(lambda port: b"227 (127,0,6,9,%d,%d)\r\n" % divmod(port, 256)), address="127.0.6.8"))
    bad = closing(Origin("bad", speak(lambda port: b"227 (127,0,6,8,0,0)\r\n"), address="127.0.6.8"))
    with lb.vip("lead", o, mode="tcp", ftp="yes").connect() as s:
        assert dialogue(s, b"", b"220 there\r\n") == b"220-hello\r\n227 (1,2,3,4,5,6)\r\n220 there\r\n"
        at = (ADDRESS, read_port(dialogue(s, b"PASV\r\n")))
        with socket.create_connection(at, 5) as data:
            assert dialogue(s, b"RETR x\r\n") == b"226 done\r\n" and data.makefile("rb").read() == b"xxxx"
        long = b"NOOP " + b"y" * 20000 + b"\r\n"
        assert dialogue(s, long) == b"200 " + long
    assert not victim.accepted
    with lb.vip("bad", bad, mode="tcp", ftp="yes").connect() as s:
        dialogue(s, b"", b"220 there\r\n")
        assert dialogue(s, b"PASV\r\n").startswith(b"425 ")


def test_the_control_connection_waits_for_its_data(lb, closing):
    """Longer than tunnel_timeout nothing is said, as data flows elsewhere; without data it ends by it."""
    o = closing(Origin("o", speak(lambda port: b"227 (127,0,6,8,%d,%d)\r\n" % divmod(port, 256), 0.7), address="127.0.6.8"))
    with lb.vip("slow", o, mode="tcp", ftp="yes", tunnel_timeout="1s").connect() as s:
        s.settimeout(10 * SLOW)
        dialogue(s, b"", b"220 there\r\n")
        with socket.create_connection((ADDRESS, read_port(dialogue(s, b"PASV\r\n"))), 5) as data:
            got = []
            reader = threading.Thread(target=lambda: got.append(data.makefile("rb").read()))
            reader.start()
            assert dialogue(s, b"RETR x\r\n") == b"226 done\r\n"
            reader.join(10)
            assert got == [b"xxxx"]
        assert s.recv(1) == b""


def test_nothing_is_left(lb, vip):
    """Sessions that are over leave no descriptor, whatever state they were in."""
    pid = lb.process["lbd-proxy"].pid

    def count():
        return len(os.listdir(f"/proc/{pid}/fd"))
    before = wait_until(lambda: not lb.json("conns", "files") and count(), 10)
    for _ in range(30):
        with session(vip) as ftp:
            passive(ftp)
            with socket.create_connection(passive(ftp), 5):
                pass
            passive(ftp)
    wait_until(lambda: count() <= before + 2, 10, "descriptors")
    assert not [p for p in range(LOW, HIGH + 1) if listens(vip.address, p)]


@pytest.mark.parametrize("words,field,text", [
    (["mode=http", "ftp=yes"], "ftp", 'is not possible in mode http; allowed is no, or mode tcp'),
    (["mode=nat", "ftp=yes"], "ftp", 'mode nat'),
    (["mode=tcp", "ftp=yes", "proxy_to=v1"], "ftp", "allowed is no, or proxy_to off"),
    (["mode=tcp", "ftp=yes", "server_tls=on"], "ftp", "allowed is no, or no server_tls"),
    (["mode=tcp", "ftp_ports=5000"], "ftp_ports", "unset ftp_ports, or set ftp=yes"),
    (["mode=tcp", "ftp=yes", "ftp_ports=5000,6000"], "ftp_ports", "has 2 ranges; allowed is one"),
    (["mode=tcp", "ftp=yes", "ftp_ports=21"], "ftp_ports", "1024"),
])
def test_refused(lb, words, field, text):
    """One clear error, and nothing is made."""
    r = lb.ctl("create", "vip", "no", f"address={ADDRESS}", "ports=2121", *words, check=False)
    assert r.returncode == 7 and f"vip no: {field}: " in r.stderr and text in r.stderr, r.stderr
    assert "no:" not in lb.ctl("export").stdout
