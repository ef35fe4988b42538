"""FTP through one virtual address, with vsftpd and Python's ftplib: active and passive, translated (ip_vs_ftp rewrites what the
control connection says) and direct (persistence over a range of ports), explicit TLS, users, and a server that is taken out."""
import contextlib
import ftplib
import io
import os
import pathlib
import ssl
import subprocess

import pytest

from lbdtest import SLOW, die_with_parent, listens, wait_until
from site_ import Site, v

NAT, DR = (v(n)[0] for n in (101, 102))
RANGE = "50000-50010"
USERS = {"alice": "word1", "bob": "word1"}
HASH = "$5$salt$TvavIlmZSz3HbLTqHGLfOGD/LHG4pZv3ng5Z3Ri52L3"  # openssl passwd -5 -salt salt word1


def accounts(root, stack):
    """Two accounts, over the machine's own lists of them for as long as the tests run."""
    for name, line in ("passwd", "{0}:x:{1}:65534::/tmp:/bin/sh"), ("shadow", "{0}:{2}:19000:0:99999:7:::"):
        path = root / name
        own = pathlib.Path("/etc", name).read_text()
        path.write_text(own + "".join(line.format(u, 7001 + i, HASH) + "\n" for i, u in enumerate(USERS)))
        subprocess.run(["mount", "--bind", path, f"/etc/{name}"], check=True)
        stack.callback(subprocess.run, ["umount", f"/etc/{name}"], check=True)


def vsftpd(server, root, stack, passive=None):
    """A server whose files tell its name; each user has a folder of its own, anybody may read pub."""
    home = root / server.host
    for i, user in enumerate(USERS):
        (home / user).mkdir(parents=True)
        os.chown(home / user, 7001 + i, 65534)
    (home / "pub").mkdir()
    (home / "pub" / "who").write_text(server.host)
    conf = root / f"{server.host}.conf"
    conf.write_text(f"""
listen=YES
secure_chroot_dir={root}/empty
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={home}/pub
local_enable=YES
write_enable=YES
user_sub_token=$USER
local_root={home}/$USER
chroot_local_user=YES
allow_writeable_chroot=YES
pam_service_name=vsftpd
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
connect_from_port_20=YES
ftpd_banner={server.host}
rsa_cert_file={root}/cert.pem
ssl_enable=YES
force_local_data_ssl=NO
force_local_logins_ssl=NO
require_ssl_reuse=NO
xferlog_enable=NO
pasv_min_port=50000
pasv_max_port=50010
{f"pasv_address={passive}" if passive else ""}
""")
    p = subprocess.Popen([*server.prefix, "vsftpd", conf], preexec_fn=die_with_parent)
    stack.callback(lambda: (p.terminate(), p.wait(20)))
    wait_until(lambda: listens("0.0.0.0", 21, server), what="vsftpd listens")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Servers 1 and 2 translated, 3 and 4 direct."""
    root = tmp_path_factory.mktemp("ftp")
    root.chmod(0o755)
    (root / "empty").mkdir()
    for p in root.parents:
        with contextlib.suppress(PermissionError):
            p.chmod(p.stat().st_mode | 0o005)
    subprocess.run(["modprobe", "ip_vs_ftp"], check=True)
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj",
                    "/CN=ftp", "-keyout", root / "cert.pem", "-out", root / "c"], check=True, capture_output=True)
    with open(root / "cert.pem", "a") as f:
        f.write((root / "c").read_text())
    with contextlib.ExitStack() as stack:
        accounts(root, stack)
        site = stack.enter_context(Site(root / "lbd", "lbd-ipvs", "lbd-ha", servers=4))
        for s in site.lab.servers:
            if s.host in ("s3", "s4"):
                s.dr(DR)
            else:
                s.nat()
            vsftpd(s, root, stack, {"s3": DR, "s4": DR}.get(s.host))
        site.lab.client.hold("10.0.8.1", "10.0.8.2")
        site.lab.router.ip(f"route add 10.0.8.0/24 via {site.lab.client.address}")
        site.apply(nat=dict(address=NAT, ports=21, mode="nat", scheduler="rr", rips=site.rips(NAT, 1, 2)),
                   direct=dict(address=DR, ports=f"20,21,{RANGE}", mode="dr", scheduler="rr",
                               persistence="source", rips=site.rips(DR, 3, 4)))
        site.root = root
        yield site


@contextlib.contextmanager
def session(site, vip, user="anonymous", passive=True, source=None, tls=False):
    """A login; .server is the name in the greeting. In the client's namespace, data connections too."""
    with site.lab.client.inside():
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            ftp = ftplib.FTP_TLS(context=context, timeout=10 * SLOW)
        else:
            ftp = ftplib.FTP(timeout=10 * SLOW)
        greeting = ftp.connect(vip, source_address=(source, 0) if source else None)
        ftp.server = greeting.split()[1]
        ftp.login(user, USERS.get(user, ""))
        ftp.set_pasv(passive)
        if tls:
            ftp.prot_p()
        yield ftp
        ftp.close()


def fetch(ftp, name):
    got = []
    ftp.retrbinary(f"RETR {name}", got.append)
    return b"".join(got)


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
@pytest.mark.parametrize("vip, servers", [(NAT, {"s1", "s2"}), (DR, {"s3", "s4"})], ids=["nat", "dr"])
def test_both_ways(site, vip, servers, passive):
    """S122: up and down, through either of two servers; the data went to the server that the session is with."""
    seen = set()
    for source in "10.0.8.1", "10.0.8.2":
        with session(site, vip, "alice", passive, source) as ftp:
            data = os.urandom(40000)
            ftp.storbinary("STOR up", io.BytesIO(data))
            assert (site.root / ftp.server / "alice" / "up").read_bytes() == data
            assert fetch(ftp, "up") == data
            seen.add(ftp.server)
    assert seen == servers


def test_explicit_tls(site):
    """S123: nobody between can read the control connection, so the passive range is part of the service."""
    seen = set()
    for source in "10.0.8.1", "10.0.8.2":
        with session(site, DR, "alice", source=source, tls=True) as ftp:
            ftp.storbinary("STOR secret", io.BytesIO(b"z" * 40000))
            assert fetch(ftp, "secret") == b"z" * 40000
            assert (site.root / ftp.server / "alice" / "secret").stat().st_size == 40000
            seen.add(ftp.server)
    assert seen == {"s3", "s4"}


def test_users(site):
    """S124: two accounts and an anonymous reader at the same time on one address, each with what is its own."""
    with session(site, DR, "alice") as alice, session(site, DR, "bob") as bob, session(site, DR) as anybody:
        alice.storbinary("STOR mine", io.BytesIO(b"a"))
        bob.storbinary("STOR mine", io.BytesIO(b"b"))
        assert fetch(alice, "mine") == b"a" and fetch(bob, "mine") == b"b"
        assert fetch(anybody, "who").decode() == anybody.server
        with pytest.raises(ftplib.error_perm):
            anybody.storbinary("STOR x", io.BytesIO(b"x"))


def greeted(site):
    """Who serves a new session; None: nobody."""
    try:
        with session(site, DR) as ftp:
            return ftp.server
    except (OSError, EOFError):
        return None


def test_one_server_is_taken_out(site):
    """S125: of a halted server the next session, and its upload, land on the other."""
    gone = greeted(site)
    other, = {"s3", "s4"} - {gone}
    site.lb.ctl("halt", f"direct/{gone}", "--grace", "1ms")
    site.until(lambda: greeted(site) == other, "new sessions at the other")
    with session(site, DR, "alice") as ftp:
        ftp.storbinary("STOR after", io.BytesIO(b"after"))
        assert (site.root / other / "alice" / "after").read_bytes() == b"after"
    site.lb.ctl("online", f"direct/{gone}")
