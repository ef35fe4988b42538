"""The daemons' real users: data-plane daemons read the configuration and write nothing (A186).

Runs as root. Users that sysusers makes here and that were not there before are removed again."""
import grp
import json
import os
import pathlib
import pwd
import sqlite3
import subprocess
import sys
import textwrap

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("LBD_BIN", ROOT / "build/bin"))
DATA_PLANE = ("lbd-proxy", "lbd-check", "lbd-ipvs")
WRITERS = ("lbd-ha", "lbd-web")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")


@pytest.fixture(scope="module")
def users():
    """The users as packaging makes them."""
    before_users = {u.pw_name for u in pwd.getpwall()}
    before_groups = {g.gr_name for g in grp.getgrall()}
    subprocess.run(["systemd-sysusers", ROOT / "packaging/systemd/lbd.sysusers"], check=True, capture_output=True)
    yield
    for u in DATA_PLANE + WRITERS:
        if u not in before_users:
            subprocess.run(["userdel", u], check=True, capture_output=True)
    for g in ("lbd-admin", "lbd", *DATA_PLANE, *WRITERS):
        if g not in before_groups and g in {x.gr_name for x in grp.getgrall()}:
            subprocess.run(["groupdel", g], check=True, capture_output=True)


@pytest.fixture()
def root(users, tmp_path_factory):
    """A root folder whose state folder has the rights that tmpfiles gives it."""
    d = tmp_path_factory.mktemp("users")
    for p in [d, *d.parents][:3]:
        os.chmod(p, 0o755)
    state = d / "var/lib/lbd"
    state.mkdir(parents=True)
    os.chown(state, 0, grp.getgrnam("lbd-admin").gr_gid)
    os.chmod(state, 0o2775)
    lbctl = [BIN / "lbctl", "--root", d]
    subprocess.run([*lbctl, "create", "vip", "web", "address=192.0.2.1", "ports=80"], check=True, capture_output=True)
    subprocess.run([*lbctl, "user", "add", "eve", "--role", "admin"], check=True, capture_output=True,
                   input=b"a long password\n")
    return d


def as_user(user, code, *args):
    """Runs python code as that user, with its groups and no capabilities."""
    return subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--inh-caps=-all",
                           "/usr/bin/python3", "-c", textwrap.dedent(code), *map(str, args)],
                          capture_output=True, text=True)


READ = """
    import sqlite3, sys
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    print(db.execute("SELECT name FROM service").fetchone()[0])
"""
WRITE = """
    import sqlite3, sys
    db = sqlite3.connect(sys.argv[1])
    db.execute("UPDATE service SET comment='changed'")
    db.commit()
"""
MAKE = """
    import sys
    open(sys.argv[1], "w").close()
"""
OPEN = """
    import sys
    open(sys.argv[1], "rb").read(1)
"""


@pytest.mark.parametrize("user", DATA_PLANE)
def test_data_plane_reads_and_cannot_write(root, user):
    """A186: lbd-proxy and lbd-check read config.db; they change nothing and see no secret."""
    state = root / "var/lib/lbd"
    r = as_user(user, READ, state / "config.db")
    assert (r.returncode, r.stdout.strip()) == (0, "web"), r.stderr
    r = as_user(user, WRITE, state / "config.db")
    assert r.returncode != 0 and "readonly" in r.stderr, r.stderr
    for name in ("config.db", "config.db-wal", "config.db-shm"):
        r = as_user(user, "import sys; open(sys.argv[1], 'r+b')", state / name)
        assert r.returncode != 0 and "PermissionError" in r.stderr, (name, r.stderr)
    r = as_user(user, MAKE, state / "new-file")
    assert "PermissionError" in r.stderr
    r = as_user(user, OPEN, state / "secrets.db")
    assert "PermissionError" in r.stderr
    r = as_user(user, "import os, sys; os.unlink(sys.argv[1])", state / "config.db")
    assert "PermissionError" in r.stderr


@pytest.mark.parametrize("user", WRITERS)
def test_writers_can_write(root, user):
    """lbd-web and lbd-ha are of group lbd-admin: the counterpart that shows the test above can fail."""
    state = root / "var/lib/lbd"
    r = as_user(user, WRITE, state / "config.db")
    assert r.returncode == 0, r.stderr
    r = as_user(user, OPEN, state / "secrets.db")
    assert r.returncode == 0, r.stderr
    with sqlite3.connect(f"file:{state / 'config.db'}?mode=ro", uri=True) as db:
        assert db.execute("SELECT comment FROM service").fetchone()[0] == "changed"


@pytest.mark.parametrize("daemon", ["lbd-check", "lbd-proxy"])
def test_daemon_runs_as_its_user(root, daemon):
    """The daemon itself, as its user: it loads the configuration of a store that it may only read."""
    run = root / "run/lbd"
    run.mkdir(parents=True, exist_ok=True)
    os.chmod(run.parent, 0o755)
    os.chown(run, 0, grp.getgrnam("lbd").gr_gid)
    os.chmod(run, 0o1775)
    caps = ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"] if daemon == "lbd-proxy" else []
    p = subprocess.Popen(["setpriv", f"--reuid={daemon}", "--regid=lbd", "--init-groups", *caps,
                          BIN / daemon, "-f", "--root", root], stderr=subprocess.PIPE, text=True)
    try:
        out = ""
        for _ in range(100):
            r = subprocess.run([BIN / "lbctl", "--root", root, "-o", "json", "status"], capture_output=True, text=True)
            out = r.stdout + r.stderr
            if r.stdout and any(d["name"] == daemon and d["running"] for d in json.loads(r.stdout)["daemons"]):
                break
            assert p.poll() is None, p.stderr.read()
            subprocess.run(["sleep", "0.1"], check=True)
        else:
            pytest.fail(f"{daemon} never answered: {out}")
        status = pathlib.Path(f"/proc/{p.pid}/status").read_text()
        uid = pwd.getpwnam(daemon).pw_uid
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    finally:
        p.terminate()
        p.wait(40)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
