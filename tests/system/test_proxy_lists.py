"""Lists and maps: loaded, shown, changed, kept over a restart, taken back, on both nodes of a pair; 100,000 entries, with traffic."""
import hashlib
import json
import os
import stat

import pytest

from lbdtest import Lbd, Load, Origin, wait_until
from lbdweb import Web
from test_certs import refused, status
from test_ha_roles import Duo

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for network namespaces")
MANY = 100_000


@pytest.fixture()
def lb(tmp_path, closing):
    lb = closing(Lbd(tmp_path / "r", "lbd-proxy"))
    lb.ctl("set", "node", "hostname=alpha")
    return lb.start()


def row(lb, name):
    got = lb.json("get", "list", name)
    return (got["items"] if "items" in got else got)[0]


def files(lb):
    return sorted(p.name for p in (lb.root / "var/lib/lbd/lists").iterdir())


def entries(lb, name):
    return json.loads(lb.ctl("list", "show", name, "-o", "json").stdout)["entries"]


def fault(lb):
    return next((d.get("fault") or "" for d in status(lb)["daemons"] if d["name"] == "lbd-proxy"), "")


def held(lb, name):
    """What lbd-proxy says that it has put in force."""
    return [line.split(f"list {name}: ")[1].split(" entries")[0] for line in lb.text().splitlines() if f"list {name}: " in line
            and " entries, " in line]


def many(n, first=10):
    return "".join(f"{first}.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}\n" for i in range(n))


def test_load_and_change(lb, tmp_path):
    """A map: from a file, shown in its one form, added to, taken from; each a revision that can be taken back."""
    lb.ctl("create", "list", "office", "kind=address")
    assert lb.ctl("list", "show", "office").stdout == "" and row(lb, "office")["content"] == ""
    (tmp_path / "in").write_text("# ours\n192.0.2.7   desk # Eve\n192.0.2.0/24 \"a # b\"\n\n2001:db8::/32\n")
    lb.ctl("list", "load", "office", tmp_path / "in", "-m", "from the vault")
    text = lb.ctl("list", "show", "office").stdout
    assert text == '# entries of kind address\n192.0.2.0/24 "a # b"\n192.0.2.7 desk\n2001:db8::/32\n'
    first = row(lb, "office")
    assert first["content"] == hashlib.sha256(text.encode()).hexdigest() and first["entries"] == 3
    assert files(lb) == [first["content"] + ".list"]
    folder = lb.root / "var/lib/lbd/lists"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE((folder / files(lb)[0]).stat().st_mode) == 0o600
    assert "from the vault" in lb.ctl("history").stdout

    lb.ctl("list", "load", "office", "-", input=text)  # the same entries are the same content
    assert row(lb, "office")["content"] == first["content"]
    lb.ctl("list", "add", "office", "198.51.100.1 guest", "192.0.2.7 chair")
    assert entries(lb, "office") == ['192.0.2.0/24 "a # b"', "192.0.2.7 chair", "198.51.100.1 guest", "2001:db8::/32"]
    lb.ctl("list", "del", "office", "192.0.2.0/24", "2001:db8::/32")
    assert entries(lb, "office") == ["192.0.2.7 chair", "198.51.100.1 guest"]
    wait_until(lambda: held(lb, "office") == ["3", "4", "2"], what="three sets, one after the other")
    lb.ctl("rollback", status(lb)["revision"] - 2, "-y")
    assert entries(lb, "office") == ['192.0.2.0/24 "a # b"', "192.0.2.7 desk", "2001:db8::/32"]

    yaml = lb.ctl("export", "list").stdout
    assert first["content"] in yaml and "entries: 3" in yaml
    lb.ctl("unset", "list", "office", "content", "entries")
    assert lb.ctl("list", "show", "office").stdout == ""
    lb.ctl("apply", "-f", "-", input=yaml)  # what is named is still here
    assert entries(lb, "office")[1] == "192.0.2.7 desk"
    lb.ctl("list", "load", "office", "-", "--dry-run", input="203.0.113.1\n", check=False)
    assert len(entries(lb, "office")) == 3
    assert lb.ctl("get", "map", "office", "-o", "name").stdout.strip() == "office"


@pytest.mark.parametrize("kind, text, says", [
    ("address", "10.0.0.1\n10.0.0.1/8\n", "list x: line 2: 10.0.0.1/8: allowed are addresses and networks"),
    ("address", "10.0.0.1\nexample.org\n", "line 2: example.org: allowed are addresses"),
    ("word", "a 1\n# c\na 2\n", "line 3: the same entry has another value in line 1"),
    ("word_nocase", 'A\n"b\n', "line 2: the entry has a quote that is not closed"),
    ("suffix", "a..b\n", "line 1: a..b: allowed are names as example.org"),
    ("prefix", "x" * 1001, "line 1: the entry is longer than 1000 bytes"),
])
def test_refused(lb, kind, text, says, tmp_path):
    """One error with the line and what is allowed; nothing is changed, nothing is kept."""
    lb.ctl("create", "list", "x", f"kind={kind}")
    (tmp_path / "in").write_text(text)
    refused(lb, 7, "list", "load", "x", tmp_path / "in", says=says)
    assert files(lb) == [] and row(lb, "x")["content"] == ""


def test_refused_rows(lb):
    refused(lb, 3, "list", "load", "x", "/dev/null", says="list x: does not exist; lbctl create list x kind=KIND")
    lb.ctl("create", "list", "x", "kind=word")
    refused(lb, 7, "set", "list", "x", "content=abc", says='content: "abc" is no SHA-256')
    refused(lb, 7, "set", "list", "x", "entries=5", says="entries: 5 is not allowed while content is empty")
    refused(lb, 7, "set", "list", "x", "kind=words", says="kind")
    lb.ctl("list", "add", "x", "a", "b")
    refused(lb, 7, "list", "del", "x", "b", "c", says="list x: line 2: that entry is not in the list")
    refused(lb, 7, "set", "list", "x", "kind=prefix", says="kind: the entries are of kind word")
    refused(lb, 2, "--tx", "1", "list", "add", "x", "c", says="list load may be part of a transaction")
    lb.kill("lbd-proxy")
    refused(lb, 6, "list", "add", "x", "c", says="entries of lists are with lbd-proxy, which must run")


def test_entries_that_are_not_here(lb):
    """A list keeps what it had, and the fault names it, until the entries come."""
    lb.ctl("create", "list", "x", "kind=word")
    lb.ctl("list", "add", "x", "a", "b", "c")
    wait_until(lambda: held(lb, "x") == ["3"], what="the first entries")
    other = "# entries of kind word\nd\n"
    digest = hashlib.sha256(other.encode()).hexdigest()
    lb.ctl("set", "list", "x", f"content={digest}", "entries=1", check=False)
    wait_until(lambda: f"list x: its entries ({digest}) are not on this node" in fault(lb), what="the fault")
    assert held(lb, "x") == ["3"]
    refused(lb, 3, "list", "show", "x", says="list x: those entries are not here")
    lb.ctl("create", "list", "y", "kind=word")
    lb.ctl("list", "load", "y", "-", input="d\n", check=False)
    wait_until(lambda: fault(lb) == "", what="no fault")
    wait_until(lambda: held(lb, "x") == ["3", "1"], what="the other entries")


def test_a_damaged_file(lb):
    lb.ctl("create", "list", "x", "kind=word")
    lb.ctl("list", "add", "x", "a", "b")
    path = lb.root / "var/lib/lbd/lists" / files(lb)[0]
    lb.kill("lbd-proxy")
    path.write_text("# entries of kind word\nz\n")
    lb.start("lbd-proxy")
    wait_until(lambda: "list x: its entries" in fault(lb) and "cannot be read" in fault(lb), what="the fault")


def test_many_with_traffic(lb, closing, tmp_path):
    """100,000 entries take the place of 100,000 others, over and over, and no request fails; a restart has them again."""
    origin = closing(Origin("a"))
    vip = lb.vip("web", origin)
    lb.ctl("create", "list", "big", "kind=address")
    for name, first in (("one", 10), ("two", 11)):
        (tmp_path / name).write_text(many(MANY, first))
    with Load(vip) as load:
        load.wait(50)
        for name in ("one", "two", "one", "two"):
            lb.ctl("list", "load", "big", tmp_path / name)
        lb.ctl("list", "add", "big", "12.0.0.1")
        load.wait(50)
        assert load.stop()["failed"] == [], load.result
    assert held(lb, "big") == [str(MANY)] * 4 + [str(MANY + 1)]
    assert row(lb, "big")["entries"] == MANY + 1 and len(files(lb)) == 3
    lb.kill("lbd-proxy")
    lb.start("lbd-proxy")
    wait_until(lambda: held(lb, "big")[-1:] == [str(MANY + 1)], what="the entries after a restart")
    shown = lb.ctl("list", "show", "big").stdout.splitlines()
    assert len(shown) == MANY + 2 and shown[-1] == "12.0.0.1" and shown[1] == "11.0.0.0"


def test_api(tmp_path, closing):
    """What lbctl can, programs can; errors are the same words."""
    web = closing(Web(tmp_path / "w", "lbd-proxy"))
    web.start()
    api, viewer = web.api(), web.api("viewer")
    wait_until(lambda: any(d["name"] == "lbd-proxy" and d["running"] for d in api("GET", "/daemons").json["items"]),
               what="the link to lbd-proxy")
    text = {"Content-Type": "text/plain"}
    assert api("PUT", "/lists/names", {"kind": "suffix"}).status == 201
    wait_until(lambda: api("GET", "/lists/names/entries").status == 200, what="the list")
    r = api("PUT", "/lists/names/entries", "example.org web\n*.Example.net\n", headers=text, message="by program")
    assert r.status == 200 and r.json["entries"] == 2, r.body
    wait_until(lambda: api("GET", "/lists/names/entries").body.decode() ==
               "# entries of kind suffix\n.example.net\nexample.org web\n", what="the entries")
    assert api("POST", "/lists/names/entries", "b.example\n", headers=text).json["entries"] == 3
    wait_until(lambda: b"b.example\n" in api("GET", "/lists/names/entries").body, what="the third")
    assert api("POST", "/lists/names/entries/remove", "b.example\n", headers=text).json["entries"] == 2
    assert web.ctl("list", "show", "names").stdout == "# entries of kind suffix\n.example.net\nexample.org web\n"
    bad = api("PUT", "/lists/names/entries", "a\nb/c\n", headers=text)
    assert bad.status == 422 and "list names: line 2: b/c: allowed are names" in bad.json["detail"], bad.body
    assert api("PUT", "/lists/names/entries", {"a": 1}).status == 415
    assert api("PUT", "/lists/none/entries", "a\n", headers=text).status == 404
    assert viewer("PUT", "/lists/names/entries", "a\n", headers=text).status == 403
    assert viewer("GET", "/lists/names/entries").status == 200
    wait_until(lambda: api("GET", "/lists").json["items"][0]["entries"] == 2, what="the row")
    big = "".join(f"h{i}.example\n" for i in range(MANY))
    assert api("PUT", "/lists/names/entries", big, headers=text).json["entries"] == MANY
    wait_until(lambda: api("GET", "/lists/names/entries").body.count(b"\n") == MANY + 1, what="all of them")
    assert "by program" in web.ctl("history").stdout


def same(duo, name):
    """Both have the row and its entries, byte for byte."""
    try:
        rows = [row(n, name) for n in duo.nodes]
    except (AssertionError, IndexError):
        return False
    paths = [n.root / "var/lib/lbd/lists" / (rows[0]["content"] + ".list") for n in duo.nodes]
    return rows[0] == rows[1] and all(p.exists() for p in paths) and paths[0].read_bytes() == paths[1].read_bytes()


@ROOT_ONLY
def test_both_nodes_have_entries(tmp_path, closing):
    """N06: whatever node entries are loaded on, and whatever node was away then, both have them; also 100,000, in pieces."""
    duo = Duo(tmp_path, closing, "lbd-proxy")
    duo.a.ctl("create", "list", "one", "kind=address")
    (tmp_path / "many").write_text(many(MANY))
    duo.a.ctl("list", "load", "one", tmp_path / "many")
    wait_until(lambda: same(duo, "one"), 20, "the entries on the other node")
    wait_until(lambda: held(duo.b, "one")[-1:] == [str(MANY)], 10, "them in force there")
    duo.b.ctl("create", "list", "two", "kind=word")  # on the passive one
    duo.b.ctl("list", "add", "two", "a", "b")
    wait_until(lambda: same(duo, "two"), 10, "the entries on the first node")

    for name in ("lbd-ha", "lbd-proxy"):  # a whole node that was off
        duo.b.kill(name)
    duo.a.ctl("list", "add", "one", "11.0.0.1")
    duo.a.ctl("list", "del", "two", "a")
    duo.b.start()
    wait_until(lambda: same(duo, "one") and same(duo, "two"), 40, "what was changed while it was off")
    wait_until(lambda: all(fault(n) == "" for n in duo.nodes), 10, "no fault")
