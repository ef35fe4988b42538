"""lbctl on the store, with every daemon stopped: each command of "Change", "Revisions" and "Node", every exit code that
needs no daemon, and bad input everywhere: one clear error, nothing changed."""
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile

import pytest

from lbdtest import BIN, ROOT, Lbd

FARM = """\
check:
  page: {kind: http, path: /health}
vip:
  web:
    address: 192.0.2.10
    ports: "80,8000-8010"
    labels: owner=eve,tier=front
    check: page
    rips:
      rip1: {address: 10.0.0.11, port: 8080}
      rip2: {address: 10.0.0.12, port: 8080, weight: 50}
  mail: {address: 192.0.2.11, ports: "25", mode: tcp, labels: owner=eve}
  old: {address: 192.0.2.12, ports: "80"}
"""


@pytest.fixture()
def c(tmp_path):
    """lbctl on a root of its own that holds FARM as revision 2."""
    lb = Lbd(tmp_path / "r")
    lb.ctl("apply", "-f", "-", input=FARM)
    return lb


def everything(lb):
    """All that may not change when a command is refused."""
    return (lb.ctl("export").stdout, lb.ctl("history", "-n", "1000").stdout, lb.ctl("get", "rip", "-o", "json").stdout)


def names(lb, kind, *args):
    return lb.ctl("get", kind, *args, "-o", "name").stdout.split()


def fails(lb, code, *args, says="", input=None):
    r = lb.ctl(*args, check=False, input=input)
    assert r.returncode == code, (args, r)
    assert r.stderr.startswith("lbctl: ") and r.stderr.count("\n") == 1 and not r.stdout, r
    assert says in r.stderr, r.stderr
    return r


# ---- change -----------------------------------------------------------------------------------------------------------

def test_create_set_unset_delete(c):
    """S059, A168: objects are created, changed and deleted; an address and its logical service are one object with both."""
    c.ctl("create", "vip", "app", "address=192.0.2.20", "ports=443", "mode=tcp", "-m", "for eve")
    c.ctl("create", "rip", "app/a", "address=app.example.net", "weight=7")
    vip = c.json("get", "vip", "app")[0]
    assert (vip["address"], vip["ports"], vip["mode"], vip["name"]) == ("192.0.2.20", "443", "tcp", "app")
    c.ctl("set", "vip", "app", "retries=1", "scheduler=wrr")
    assert c.json("get", "vip", "app")[0]["scheduler"] == "wrr"
    c.ctl("unset", "vip", "app", "retries", "scheduler")
    vip = c.json("get", "vip", "app")[0]
    assert (vip["retries"], vip["scheduler"]) == (3, "wlc")
    c.ctl("set", "setting", "history=50")
    assert c.json("get", "setting")[0]["history"] == 50
    c.ctl("unset", "setting", "history")
    assert c.json("get", "setting")[0]["history"] == 1000
    fails(c, 4, "delete", "vip", "app", "-y", says="app/a")  # it has servers
    c.ctl("delete", "vip", "app", "--cascade", "-y")
    assert "app" not in names(c, "vip") and "app/a" not in names(c, "rip")
    last = c.json("history", "-n", "7")
    assert last[-1]["message"] == "for eve" and last[0]["user"] == pwd.getpwuid(os.getuid()).pw_name
    assert last[0]["from"] == "cli"


def test_nothing_to_change_is_no_revision(c):
    before = everything(c)
    assert "nothing to change" in c.ctl("set", "vip", "web", "scheduler=wlc").stderr
    assert "nothing to change" in c.ctl("apply", "-f", "-", input=FARM).stderr
    assert everything(c) == before


def test_who_and_from_where(c):
    """A172: the author is the one before sudo, the origin holds the address of an SSH session."""
    env = dict(os.environ, SUDO_USER="daemon", SSH_CONNECTION="198.51.100.7 50000 10.0.0.1 22")
    subprocess.run([BIN / "lbctl", "--root", c.root, "set", "vip", "web", "retries=1"], env=env, check=True,
                   capture_output=True)
    last = c.json("history", "-n", "1")[0]
    assert last["from"] == "cli 198.51.100.7"
    assert last["user"] == ("daemon" if os.geteuid() == 0 else pwd.getpwuid(os.getuid()).pw_name)


def test_globs(c):
    """One host out of every service; one field of every service."""
    c.ctl("create", "rip", "mail/rip1", "address=10.0.0.11", "port=25")
    c.ctl("halt", "*/rip1")
    state = {r["vip"] + "/" + r["name"]: r["status"]["state"] for r in c.json("get", "rip")}
    assert state == {"web/rip1": "halt", "mail/rip1": "halt", "web/rip2": "unknown"}
    c.ctl("set", "vip", "*", "retries=2")
    assert {v["retries"] for v in c.json("get", "vip")} == {2}
    assert c.ctl("history", "-n", "1", "-o", "json").stdout.count('"changes":3') == 1
    fails(c, 3, "halt", "*/rip9", says="*/rip9")
    fails(c, 3, "set", "vip", "x*", "retries=2", says="x*")


def test_rename_copy_label_patch(c):
    c.ctl("rename", "vip", "web", "www")
    assert names(c, "rip", "www/") == ["www/rip1", "www/rip2"]
    c.ctl("rename", "rip", "www/rip1", "blade1")
    assert "www/blade1" in names(c, "rip")
    c.ctl("rename", "check", "page", "front")
    assert c.json("get", "vip", "www")[0]["check"] == "front"
    fails(c, 4, "rename", "vip", "www", "mail", says="mail")
    c.ctl("copy", "vip", "www", "new", "address=192.0.2.30")
    assert names(c, "rip", "new/") == ["new/blade1", "new/rip2"]
    assert c.json("get", "rip", "new/rip2")[0]["weight"] == 50
    assert c.json("get", "vip", "new")[0]["ports"] == "80,8000-8010"
    c.ctl("copy", "rip", "new/rip2", "new/rip3", "address=10.0.0.13")
    assert c.json("get", "rip", "new/rip3")[0]["weight"] == 50
    c.ctl("label", "vip", "www", "tier-", "site=a", "owner=bob")
    assert c.json("get", "vip", "www")[0]["labels"] == "owner=bob,site=a"
    assert names(c, "vip", "-l", "site=a") == ["www"]
    assert names(c, "rip", "-l", "site=a") == ["www/blade1", "www/rip2"]
    fails(c, 2, "label", "vip", "www", "nonsense", says="A=B")
    fails(c, 2, "label", "check", "front", "a=b", says="no labels")
    c.ctl("patch", "rip", "www/rip2", "--merge", '{"weight": null, "max_conns": 9}')
    rip = c.json("get", "rip", "www/rip2")[0]
    assert (rip["weight"], rip["max_conns"]) == (100, 9)
    fails(c, 7, "patch", "rip", "www/rip2", "--merge", "{", says="")


def test_enable_disable(c):
    c.ctl("disable", "web", "mail")
    assert {v["name"]: v["enabled"] for v in c.json("get", "vip")} == {"web": False, "mail": False, "old": True}
    assert c.json("get", "vip", "web")[0]["status"]["colour"] == "blue"
    c.ctl("enable", "*")
    assert all(v["enabled"] for v in c.json("get", "vip"))


def test_dry_run_shows_and_changes_nothing(c):
    before = everything(c)
    assert "retries: 3 -> 9" in c.ctl("set", "vip", "web", "retries=9", "--dry-run").stdout
    assert "rip2: deleted" in c.ctl("delete", "rip", "web/rip2", "--dry-run").stdout
    assert "web/rip1" in c.ctl("drain", "web/rip1", "--dry-run").stdout
    assert c.ctl("rollback", "1", "--dry-run").stdout.count("deleted") == 6
    assert everything(c) == before


# ---- files ------------------------------------------------------------------------------------------------------------

def test_export_is_byte_stable(c, tmp_path):
    """A171: export, import and export again give the same bytes, as YAML and as JSON."""
    for form in ("yaml", "json"):
        text = c.ctl("export", "-o", form).stdout
        other = Lbd(tmp_path / form)
        other.ctl("apply", "-f", "-", input=text)
        assert other.ctl("export", "-o", form).stdout == text
        assert other.ctl("export", "-o", "yaml").stdout == c.ctl("export").stdout
    some = c.ctl("get", "rip", "web/rip1", "web/rip2", "-o", "yaml").stdout
    assert "nothing to change" in c.ctl("apply", "-f", "-", input=some).stderr
    assert "nothing to change" in c.ctl("apply", "-f", "-", input=c.ctl("get", "vip", "w*", "-o", "yaml").stdout).stderr
    assert "nothing to change" in c.ctl("apply", "-f", "-", input=c.ctl("export", "vip", "web").stdout).stderr


def test_apply_folder_prune_and_defaults(c, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.yaml").write_text("vip:\n  web: {address: 192.0.2.10, ports: \"80\", labels: owner=eve, "
                                   "rips: {rip1: {address: 10.0.0.11}}}\n")
    (folder / "b.json").write_text('{"vip": {"more": {"address": "192.0.2.40", "ports": "80"}}}')
    (folder / "README").write_text("not read")
    c.ctl("apply", "-f", folder)
    assert names(c, "vip") == ["mail", "more", "old", "web"]
    assert c.json("get", "rip", "web/rip1")[0]["port"] == 0  # what is absent goes back to its default
    assert "web/rip2" in names(c, "rip")
    fails(c, 2, "apply", "-f", folder, "--prune", says="-y")
    assert c.ctl("diff", "-f", folder, "--prune", check=False).stdout.count("deleted") == 2
    c.ctl("apply", "-f", folder, "--prune", "-y")
    assert names(c, "vip") == ["more", "old", "web"]  # mail had the label, old had not
    assert names(c, "rip") == ["web/rip1"]


def test_diff_and_validate(c, tmp_path):
    f = tmp_path / "f.yaml"
    f.write_text(FARM)
    assert c.ctl("diff", "-f", f).returncode == 0
    f.write_text(FARM.replace("weight: 50", "weight: 51"))
    r = c.ctl("diff", "-f", f, check=False)
    assert (r.returncode, r.stdout) == (1, "rip web/rip2: weight: 50 -> 51\n")
    assert c.ctl("diff", "-f", f, "--summary", check=False).stdout == "0 added, 0 deleted, 1 changed\n"
    c.ctl("apply", "-f", f)
    assert c.ctl("diff", "2", "3", check=False).stdout == "rip web/rip2: weight: 50 -> 51\n"
    assert c.ctl("diff", "3", "2", check=False).stdout == "rip web/rip2: weight: 51 -> 50\n"
    assert c.ctl("diff", "3").returncode == 0
    fails(c, 3, "diff", "99", says="99")
    fails(c, 2, "diff", says="-f FILE")
    lonely = Lbd(tmp_path / "nothing")
    assert lonely.ctl("validate", "-f", f).returncode == 0
    assert not any(p.name == "var" for p in lonely.root.iterdir())  # no store was made
    fails(lonely, 3, "get", "vip", says="no configuration")


def test_edit(c, tmp_path):
    """edit: the editor's text is a revision; a bad one changes nothing and is not lost."""
    def edit(script, *args, check=True):
        editor = tmp_path / "ed"
        editor.write_text(f"#!/bin/sh\n{script}\n")
        editor.chmod(0o755)
        r = subprocess.run([BIN / "lbctl", "--root", c.root, "edit", *args], capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, env=dict(os.environ, VISUAL="", EDITOR=str(editor), TMPDIR=str(tmp_path)))
        assert not check or r.returncode == 0, r
        return r
    edit("sed -i 's/weight: 50/weight: 60/' \"$1\"", "vip", "web")
    assert c.json("get", "rip", "web/rip2")[0]["weight"] == 60
    assert "not changed" in edit("true", "vip", "web").stderr
    edit("sed -i '/rip2:/,$d' \"$1\"", "vip", "web")
    assert names(c, "rip") == ["web/rip1"]
    edit("sed -i '/^  old:/,/ports/d' \"$1\"", "all")
    assert names(c, "vip") == ["mail", "web"]
    before = everything(c)
    r = edit("sed -i 's/port: 8080/port: 808080/' \"$1\"", "vip", "web", check=False)
    assert r.returncode == 7 and "808080" in r.stderr and everything(c) == before
    kept = re.search(r"kept in (\S+):", r.stderr).group(1)
    assert "808080" in pathlib.Path(kept).read_text()
    assert edit("false", "vip", "web", check=False).returncode == 2
    assert edit("true", "vip", "nix", check=False).returncode == 3


# ---- bad input --------------------------------------------------------------------------------------------------------

BAD = [
    (2, ["gte", "vip"], 'did you mean "get"'),
    (2, ["get", "vpi"], "did you mean vip"),
    (2, ["get", "vip", "--colums", "name"], "--columns"),
    (2, ["get", "vip", "-o", "jsn"], 'did you mean "json"'),
    (2, ["get", "vip", "--sort", "nmae"], 'did you mean "name"'),
    (2, ["create", "vip"], "NAME is missing"),
    (2, ["set", "vip", "web"], "FIELD=VALUE is missing"),
    (2, ["set", "interface", "lo", "up=no"], "kernel"),
    (2, ["set", "admin", "x", "y=z"], "drain"),
    (2, ["delete", "setting", "-y"], "NAME is missing"),
    (2, ["delete", "setting", "main", "-y"], "cannot be deleted"),
    (2, ["delete", "vip", "web", "--cascade"], "-y"),
    (2, ["rollback", "1"], "-y"),
    (2, ["rollback", "one", "-y"], "number of a revision"),
    (2, ["create", "user", "eve", "password=secret123"], "command line"),
    (2, ["set", "vip", "web", "retries=1", "--tx", "0"], "--tx"),
    (2, ["drain", "web/rip1", "--timeout", "5"], "timeout"),
    (2, ["wait", "vip/web", "blue"], "blue"),
    (2, ["wait", "web", "up"], "vip/NAME"),
    (2, ["apply"], "-f FILE"),
    (2, ["log", "-p", "loud"], "warning"),
    (3, ["log", "nix"], "nix"),
    (3, ["get", "vip", "wbe"], 'did you mean "web"'),
    (3, ["get", "rip", "wbe/"], "wbe"),
    (3, ["set", "vip", "nix", "retries=1"], "nix"),
    (3, ["set", "rip", "web/nix", "weight=1"], "web/nix"),
    (3, ["create", "rip", "nix/a", "address=10.0.0.1"], "nix"),
    (3, ["delete", "vip", "nix", "-y"], "nix"),
    (3, ["drain", "web/nix"], "web/nix"),
    (3, ["weight", "nix/a", "5"], "nix"),
    (3, ["show", "99"], "99"),
    (3, ["rollback", "99", "-y"], "99"),
    (3, ["rollback"], "nothing is on trial"),
    (3, ["tx", "show", "99"], "99"),
    (3, ["confirm"], ""),
    (3, ["apply", "-f", "/nonexistent.yaml"], "/nonexistent.yaml"),
    (3, ["user", "passwd", "nix", "--stdin"], "nix"),
    (3, ["fip", "del", "192.0.2.99", "-y"], "192.0.2.99"),
    (3, ["backup", "restore", "/nonexistent.db", "-y"], "/nonexistent.db"),
    (4, ["create", "vip", "web", "address=192.0.2.99", "ports=80"], "web"),
    (4, ["create", "setting", "main"], "set"),
    (4, ["delete", "check", "page", "-y"], "vip web"),
    (4, ["set", "vip", "web", "retries=1", "--base", "1"], "2"),
    (6, ["set", "vip", "web", "retries=1", "--confirm", "1m"], "lbd-ha"),
    (6, ["check", "run", "web/rip1"], "lbd-check"),
    (6, ["conns"], "lbd-proxy"),
    (6, ["events"], "lbd-web"),
    (6, ["ha", "status"], "lbd-ha"),
    (6, ["persist", "clear", "web", "-y"], "lbd-proxy"),
    (7, ["set", "vip", "web", "prots=80"], "did you mean ports"),
    (7, ["set", "vip", "web", "ports=70000"], "70000"),
    (7, ["set", "vip", "web", "ports="], "ports"),
    (7, ["set", "vip", "web", "scheduler=wlcc"], "wlc"),
    (7, ["set", "vip", "web", "keep_timeout=15"], "keep_timeout"),
    (7, ["set", "vip", "web", "check=nix"], "nix"),
    (7, ["set", "vip", "web", "address=192.0.2.300"], "192.0.2.300"),
    (7, ["create", "vip", "b ad", "address=192.0.2.1", "ports=80"], "b ad"),
    (7, ["create", "vip", "app", "ports=80"], "address"),
    (7, ["create", "vip", "app", "address=192.0.2.10", "ports=8005"], "8005"),  # web has it
    (7, ["create", "rip", "slashless", "address=10.0.0.1"], "slashless"),
    (7, ["set", "rip", "web/rip1", "weight=65536"], "0 to 65535"),
    (7, ["weight", "web/rip1", "65536"], "0 to 65535"),
    (7, ["weight", "web/rip1", "heavy"], "heavy"),
    (7, ["fip", "add", "10.0.0.1/33"], "10.0.0.1/33"),
    (7, ["token", "create", "t", "--source", "10.0.0.1/8"], "10.0.0.1/8"),
    (7, ["user", "add", "eve", "--role", "god"], "god"),
]


@pytest.mark.parametrize("code,args,says", BAD, ids=[" ".join(b[1]) for b in BAD])
def test_bad_arguments_change_nothing(c, code, args, says):
    """One clear error with its exit code; nothing was changed."""
    before = everything(c)
    fails(c, code, *args, says=says, input="")
    assert everything(c) == before


BAD_TEXT = [
    ("vip:\n  web:\n    address: 192.0.2.10\n    ports: \"80\"\n    shceduler: wrr\n", "line 5", "scheduler"),
    ("vip:\n  a: {address: 192.0.2.50, ports: \"80\"}\n  a: {address: 192.0.2.51, ports: \"80\"}\n", "line 3", "a"),
    ("vip:\n  a: {address: 192.0.2.50, ports: \"80\"\n", "line", ""),
    ("vip:\n  a: &x {address: 192.0.2.50}\n  b: *x\n", "line", "alias"),
    ("vips:\n  - a\n", "line", ""),
    ("vpi:\n  a: {}\n", "line 1", "vip"),
    ("vip:\n  a: {address: 192.0.2.50, ports: \"80\", retries: 11}\n", "line 2", "0 to 10"),
    ("vip:\n  good: {address: 192.0.2.60, ports: \"80\"}\n  bad: {address: 192.0.2.60, ports: \"80\"}\n", "", "80"),
    ("interface:\n  lo: {up: no}\n", "line", "interface"),
    ("{\"vip\": {\"a\": {\"address\": \"192.0.2.50\", \"ports\": \"80\", \"retreis\": 1}}}", "", "retries"),
    ("{\"vip\": {\"a\": ", "", ""),
    ("{\"vip\": {\"a\": {\"ports\": \"80\", \"ports\": \"81\"}}}", "", "ports"),
    ("{\"vip\": [1]}", "", ""),
    ("\0\1\2", "", ""),
    ("vip:\n  \u202e: {}\n", "", ""),
]


@pytest.mark.parametrize("text,where,says", BAD_TEXT, ids=range(len(BAD_TEXT)))
def test_bad_files_change_nothing(c, text, where, says):
    """YAML and JSON: the error names place, object, field; apply, diff and validate agree; nothing half-applied."""
    before = everything(c)
    errors = set()
    for verb in ("apply", "diff", "validate"):
        r = fails(c, 7, verb, "-f", "-", says=says, input=text)
        assert where in r.stderr, r.stderr
        errors.add(r.stderr)
    assert everything(c) == before


def test_errors_as_json(c):
    r = c.ctl("set", "rip", "web/rip1", "weight=70000", "-o", "json", check=False)
    e = json.loads(r.stderr)
    assert r.returncode == 7 and r.stdout == "" and e["field"] == "weight" and e["object"] == "rip web/rip1"
    assert "0 to 65535" in e["detail"] and e["status"] == 7


def test_vip_on_an_interface_is_refused(c):
    """S060: an address of an interface is no virtual address; the error names the interface."""
    own = [i for i in c.json("get", "interface") if i["name"] != "lo" and not i["floating"] and ":" not in i["address"]]
    if not own:
        pytest.skip("this machine has no interface beside the loopback")
    before = everything(c)
    address = own[0]["address"].split("/")[0]
    fails(c, 7, "create", "vip", "mine", f"address={address}", "ports=80", says=own[0]["name"])
    assert everything(c) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_others_may_look_but_not_change():
    """Exit 5: who is neither root nor in lbd-admin reads everything and changes nothing."""
    d = tempfile.mkdtemp(prefix="lbctl-")
    try:
        os.chmod(d, 0o755)
        lb = Lbd(pathlib.Path(d) / "r")
        lb.ctl("apply", "-f", "-", input=FARM)
        before = everything(lb)

        def other(*args):
            return subprocess.run([bin / "lbctl", "--root", lb.root, *args], capture_output=True, text=True,
                                  preexec_fn=lambda: (os.setgroups([]), os.setgid(65534), os.setuid(65534)))
        bin = pathlib.Path(shutil.copytree(BIN, f"{d}/bin", ignore=lambda _, n: [x for x in n if x != "lbctl"]))
        assert other("get", "vip", "-o", "name").stdout.split() == ["mail", "old", "web"]
        for args in (["set", "vip", "web", "retries=1"], ["drain", "web/rip1"], ["rollback", "1", "-y"], ["tx", "begin"]):
            r = other(*args)
            assert r.returncode == 5 and "lbd-admin" in r.stderr, r
        assert everything(lb) == before
    finally:
        shutil.rmtree(d)


# ---- orders -----------------------------------------------------------------------------------------------------------

def test_orders_survive_rollback(c):
    """S189-S192, N06: an order has author, time and reason, and no rollback takes it back."""
    c.ctl("set", "vip", "web", "retries=1")
    c.ctl("drain", "web/rip1", "--timeout", "30m", "-m", "new disk")
    c.ctl("halt", "web/rip2", "--grace", "10s")
    c.ctl("weight", "web/rip1", "5")
    c.ctl("rollback", "2", "-y")
    one, two = c.json("get", "rip", "web/")
    assert c.json("get", "vip", "web")[0]["retries"] == 3
    o = one["status"]["order"]
    assert (one["status"]["state"], o["state"], o["weight"], o["from"]) == ("drain", "drain", 5, "cli")
    assert o["since"] and o["until"] > o["since"]
    assert (two["status"]["state"], two["status"]["weight"], two["weight"]) == ("halt", 0, 50)
    c.ctl("online", "web/*")
    c.ctl("weight", "web/rip1", "default")
    one, two = c.json("get", "rip", "web/")
    assert one["status"]["order"] is None and one["status"]["weight"] == 100
    assert two["status"]["weight"] == 50


# ---- revisions --------------------------------------------------------------------------------------------------------

def test_transactions(c):
    """A170: several edits are one revision; nothing counts before; a base that moved is refused."""
    t = c.ctl("tx", "begin").stdout.strip()
    before = everything(c)
    c.ctl("--tx", t, "create", "vip", "app", "address=192.0.2.20", "ports=80")
    c.ctl("--tx", t, "create", "rip", "app/a", "address=10.0.0.1")
    c.ctl("set", "vip", "web", "retries=1", "--tx", t)
    assert everything(c) == before
    assert len(c.ctl("tx", "show", t).stdout.splitlines()) == 3
    r = c.ctl("tx", "diff", t, check=False)
    assert r.returncode == 1 and "vip app: added" in r.stdout and "retries: 3 -> 1" in r.stdout
    fails(c, 7, "--tx", t, "set", "vip", "web", "retries=99", says="0 to 10")
    fails(c, 2, "--tx", t, "set", "vip", "web", "retries=9", "--dry-run", says="tx commit")
    c.ctl("tx", "commit", t, "-m", "together")
    assert c.json("history", "-n", "1")[0]["message"] == "together"
    assert "app/a" in names(c, "rip") and c.json("get", "vip", "web")[0]["retries"] == 1
    fails(c, 3, "tx", "commit", t, says=t)
    t = c.ctl("tx", "begin").stdout.strip()
    c.ctl("--tx", t, "set", "vip", "web", "retries=2")
    c.ctl("set", "vip", "mail", "retries=2")
    before = everything(c)
    fails(c, 4, "tx", "commit", t)
    assert everything(c) == before
    c.ctl("tx", "abort", t)
    fails(c, 3, "tx", "show", t, says=t)


def test_history_show_rollback(c):
    """A172: any version comes back, as a new one; history is never rewritten."""
    two = c.ctl("export").stdout
    c.ctl("delete", "vip", "web", "--cascade", "-y", "-m", "away with it")
    c.ctl("set", "setting", "history=70")
    assert c.ctl("show", "2").stdout == two
    assert "away" not in c.ctl("show", "3").stdout
    c.ctl("rollback", "2", "-y")
    assert c.ctl("export").stdout == two
    assert [h["revision"] for h in c.json("history")] == [5, 4, 3, 2, 1]
    assert json.loads(c.ctl("show", "2", "-o", "json").stdout)["vip"]["web"]["ports"] == "80,8000-8010"
    c.ctl("set", "node", "hostname=lb1")
    assert c.json("history", "--local", "-n", "1")[0]["changes"] == 1
    assert "lb1" in c.ctl("show", str(c.json("history", "--local")[0]["revision"]), "--local").stdout


# ---- node -------------------------------------------------------------------------------------------------------------

def test_users_and_tokens(c):
    """A secret is printed once and is nowhere in configuration, history or the configuration's file."""
    fails(c, 7, "user", "add", "eve", "--role", "operator", says="admin", input="")  # nobody could change anything
    made = c.ctl("user", "add", "eve", "--role", "admin", input="").stdout.strip()
    assert len(made) == 20
    c.ctl("user", "add", "bob", "--role", "admin", "--stdin", input="correct horse\n")
    key = c.ctl("token", "create", "ci", "--role", "operator", "--ttl", "90d", "--source", "10.0.0.0/8").stdout.strip()
    assert re.fullmatch(r"lbd_[A-Za-z0-9]{40}", key)
    t = c.json("token", "list")[0]
    assert (t["name"], t["role"], t["source"]) == ("ci", "operator", "10.0.0.0/8") and t["expires"]
    c.ctl("user", "passwd", "bob", "--stdin", input="battery staple\n")
    raw = (c.root / "var/lib/lbd/config.db").read_bytes() + (c.root / "var/lib/lbd/config.db-wal").read_bytes()
    shown = everything(c)[0] + everything(c)[1] + c.ctl("get", "user", "-o", "wide").stdout + c.ctl("show", "4").stdout
    for secret in (made, key, "correct horse", "battery staple"):
        assert secret.encode() not in raw and secret not in shown
        assert secret.encode() not in (c.root / "var/lib/lbd/secrets.db").read_bytes()
    fails(c, 7, "user", "add", "kim", "--stdin", says="password", input="short\n")
    text = c.ctl("export").stdout
    assert 'password: "@' in text and "nothing to change" in c.ctl("apply", "-f", "-", input=text).stderr
    c.ctl("validate", "-f", "-", input=text)  # references need no store
    fails(c, 7, "validate", "-f", "-", says="password", input=text.replace('"@', '"@x'))
    fails(c, 7, "apply", "-f", "-", says="secret", input=re.sub('"@[0-9]+"', '"@999"', text))
    c.ctl("token", "revoke", "ci", "-y")
    c.ctl("user", "del", "eve", "-y")
    assert names(c, "user") == ["bob"] and c.json("token", "list") == []


def test_floating_addresses(c):
    c.ctl("fip", "add", "198.51.100.1/24")
    c.ctl("fip", "add", "2001:db8::1/64", "--name", "six", "--interface", "eth9")
    assert names(c, "fip") == ["fip-198.51.100.1", "six"]
    assert c.json("get", "fip", "six")[0]["interface"] == "eth9"
    assert [f["name"] for f in c.json("fip", "list")] == ["198.51.100.1/24", "2001:db8::1/64"]
    c.ctl("fip", "del", "198.51.100.1", "-y")
    c.ctl("fip", "del", "six", "-y")
    assert names(c, "fip") == []


def test_backup(c, tmp_path):
    """A copy comes back as a revision that can be undone; orders stay."""
    copy = tmp_path / "copy.db"
    assert c.ctl("backup", "create", copy).stdout.strip() == str(copy)
    fails(c, 4, "backup", "create", copy, says=str(copy))
    text = c.ctl("export").stdout
    c.ctl("delete", "vip", "web", "--cascade", "-y")
    c.ctl("create", "vip", "extra", "address=192.0.2.77", "ports=80")
    assert "web: added" in c.ctl("backup", "restore", copy, "--dry-run").stdout
    c.ctl("backup", "restore", copy, "-y", "-m", "as it was")
    assert c.ctl("export").stdout == text
    assert c.json("history", "-n", "1")[0]["message"] == "as it was"
    made = c.ctl("backup", "create").stdout.strip()
    assert made in [b["name"] for b in c.json("backup", "list")]
    (tmp_path / "bad.db").write_bytes(b"hello " * 2000)
    before = everything(c)
    r = c.ctl("backup", "restore", tmp_path / "bad.db", "-y", check=False)
    assert r.returncode == 1 and "bad.db" in r.stderr and everything(c) == before


def test_config_check(c, tmp_path):
    """S236: config check is 0 on a good store, and not on a bad one."""
    assert "whole and allowed" in c.ctl("config", "check").stderr
    new = Lbd(tmp_path / "new")
    new.ctl("config", "check")
    assert names(new, "vip") == []
    (c.root / "var/lib/lbd/config.db").write_bytes(b"garbage " * 1000)
    r = c.ctl("config", "check", check=False)
    assert r.returncode == 1 and "config.db" in r.stderr


# ---- see --------------------------------------------------------------------------------------------------------------

def test_output_forms(c):
    """A168: the same rows as table, CSV, names, YAML and JSON; pipes get no colour and no cut."""
    table = c.ctl("get", "rip", "web/").stdout
    assert table.splitlines()[0].split() == ["STATUS", "NAME", "ADDRESS", "PORT", "WEIGHT", "CONNS", "CONN/S", "CHECK"]
    assert "\033" not in table and "…" not in table
    assert "\033[" in c.ctl("get", "rip", "--color", "always").stdout
    rows = c.ctl("get", "rip", "-o", "csv", "--columns", "name,port,weight").stdout.splitlines()
    assert rows == ["name,port,weight", "web/rip1,8080,100", "web/rip2,8080,50"]
    assert [r["name"] for r in c.json("get", "rip", "--columns", "name", "--sort", "-weight")] == ["web/rip1", "web/rip2"]
    assert c.json("describe", "rip", "web/rip1") == c.json("get", "rip", "web/rip1")[0]
    assert c.ctl("get", "vip", "--columns", "name,retries,queue_max", "--no-headers").stdout.split()[:3] == ["mail", "3", "1000"]
    assert "drain" in c.ctl("describe", "vip", "web").stdout and "10.0.0.11" in c.ctl("describe", "vip", "web").stdout


def test_status_without_daemons(c):
    r = c.ctl("status", check=False)
    assert r.returncode == 1 and "lbd-proxy" in r.stdout and "away" in r.stdout
    s = json.loads(c.ctl("status", "-o", "json", check=False).stdout)
    assert s["green"] is False and s["services"]["grey"] == 3 and s["revision"] == 2
    assert [d["name"] for d in s["daemons"]] == ["lbd-check", "lbd-proxy", "lbd-ipvs", "lbd-ha", "lbd-web"]


def test_explain_help_version_doctor(c):
    assert "1s to 30d" in c.ctl("explain", "vip.persist_timeout").stdout
    assert "head_max" not in c.ctl("explain", "vip").stdout
    assert "head_max" in c.ctl("explain", "vip", "--advanced").stdout
    fails(c, 3, "explain", "vip.schduler", says="scheduler")
    commands = [line.split()[0] for line in c.ctl("help").stdout.splitlines() if line.startswith("  ") and line[2] != "-"]
    assert len(commands) > 60
    for words in ("get", "tx commit", "drain", "config check"):
        text = c.ctl("help", *words.split()).stdout
        assert text.startswith(f"lbctl {words}") and len(text.splitlines()) <= 40
        assert c.ctl(*words.split(), "-h").stdout == text
    assert c.ctl("tx", "-h").stdout == c.ctl("help", "tx").stdout != c.ctl("-h").stdout == c.ctl("help").stdout
    version = {v["name"]: v for v in c.json("version")}
    assert version["lbctl"]["version"] and version["lbd-proxy"]["note"] == "does not run"
    r = c.ctl("doctor", "-o", "json", check=False)
    found = {f["name"]: f for f in json.loads(r.stdout)}
    assert r.returncode == 1 and found["lbd-proxy"]["status"] == "wrong" and found["store"]["status"] == "ok"
    assert all(f["fix"] for f in found.values() if f["status"] == "wrong")
    c.ctl("create", "vip", "packets", "address=192.0.2.99", "ports=80", "mode=nat")
    found = {f["name"]: f for f in json.loads(c.ctl("doctor", "-o", "json", check=False).stdout)}
    assert found["packets"]["status"] == "wrong" and "layer 4" in found["packets"]["finding"]


def test_manual_and_completion_script(c, tmp_path):
    """The manual pages are whole; the packaged script is the one that lbctl prints."""
    assert c.ctl("completion", "bash").stdout == (ROOT / "packaging/completion/lbctl.bash").read_text()
    for page, words in (("man-lbctl", "EXIT STATUS"), ("man-yaml", "persist_timeout")):
        text = c.ctl("doc", page).stdout
        assert words in text
        if shutil.which("mandoc"):
            (tmp_path / page).write_text(text)
            r = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", tmp_path / page], capture_output=True, text=True)
            assert r.returncode == 0, r.stdout
    assert "HEALTH" in c.ctl("doc", "messages").stdout


COMPLETE = [
    (["dr"], ["drain"]),
    (["tx", ""], ["begin", "show", "diff", "commit", "abort"]),
    (["tx", "c"], ["commit"]),
    (["get", "v"], ["vip", "vrrp"]),
    (["get", "vip", ""], ["mail", "old", "web"]),
    (["get", "rip", "web/"], ["web/rip1", "web/rip2"]),
    (["drain", "web/rip1", "web/"], ["web/rip1", "web/rip2"]),
    (["set", "vip", "web", "sch"], ["scheduler="]),
    (["persist", "clear", "web/"], ["web/rip1", "web/rip2"]),
    (["create", "nat", "n", "ki"], ["kind="]),
    (["create", "nat", "n", "kind=ma"], ["kind=masquerade"]),
    (["set", "vip", "web", "scheduler=w"], ["scheduler=wlc", "scheduler=wrr"]),
    (["set", "vip", "web", "check="], ["check=page"]),
    (["set", "vip", "web", "enabled=n"], ["enabled=no"]),
    (["set", "setting", "https"], ["https_port="]),
    (["unset", "vip", "web", "persistence"], ["persistence"]),
    (["-o", "j"], ["json"]),
    (["get", "vip", "-o", ""], ["table", "wide", "json", "yaml", "csv", "name"]),
    (["get", "vip", "--sort", "que"], ["queue", "queue_timeout", "queue_max"]),
    (["get", "vip", "--no"], ["--no-headers"]),
    (["drain", "--tx"], []),
    (["set", "--tx"], ["--tx"]),
    (["explain", "vip.sched"], ["vip.scheduler"]),
    (["wait", "vip/"], ["vip/mail", "vip/old", "vip/web"]),
    (["wait", "vip/web", "deg"], ["degraded"]),
    (["rollback", ""], ["2", "1"]),
    (["help", "tx", "b"], ["begin"]),
    (["log", "pro"], ["proxy"]),
    (["completion", ""], ["bash"]),
    (["nonsense", ""], []),
]


@pytest.mark.parametrize("words,values", COMPLETE, ids=[" ".join(w) for w, _ in COMPLETE])
def test_completion(c, words, values):
    """A168: kinds, live names, fields, values and options complete; each with its help."""
    r = subprocess.run([BIN / "lbctl", "__complete", "--", "--root", c.root, *words], capture_output=True, text=True)
    assert r.returncode == 0 and r.stderr == ""
    assert [line.split("\t")[0] for line in r.stdout.splitlines()] == values


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_completion_in_bash(c):
    """The script in a real bash: what follows an equals sign is completed alone."""
    def ask(line):
        script = (f"source {ROOT}/packaging/completion/lbctl.bash\nlbctl() {{ :; }}\nCOMP_LINE={line!r}\n"
                  "COMP_POINT=${#COMP_LINE}\ncompopt() { :; }\n_lbctl\nprintf '%s\\n' \"${COMPREPLY[@]}\"")
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout.split()
    prog = f"{BIN}/lbctl --root {c.root}"
    assert ask(f"{prog} get vip ") == ["mail", "old", "web"]
    assert ask(f"{prog} set vip web scheduler=w") == ["wlc", "wrr"]
    assert ask(f"{prog} dra") == ["drain"]
