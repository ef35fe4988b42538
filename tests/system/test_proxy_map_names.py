"""Names of pools in maps (A077): a commit that would leave one without its pool is refused, with rule, list, key and name, on every
way in; what was there stays, in force too."""
import json

import pytest

from lbdtest import Lbd, wait_until
from lbdweb import Web
from test_certs import refused
from test_proxy_lists import row

MANY = 100_000


def configure(lb, *pools, by="{value}", when="host in @m"):
    """Pools without address, an empty map, and a service whose rule chooses by it."""
    for name in pools:
        lb.ctl("create", "vip", name)
    lb.ctl("create", "list", "m", "kind=suffix")
    lb.ctl("create", "vip", "front", "address=127.0.0.9", "ports=8199")
    lb.ctl("create", "rule", "front/hosts", f"when={when}", "action=use", f"pool_by={by}")


@pytest.fixture()
def lb(tmp_path, closing):
    return closing(Lbd(tmp_path / "r", "lbd-proxy")).start()


def shown(lb):
    return lb.ctl("list", "show", "m").stdout


MODE = "allowed are names of virtual services without address of mode http"


def test_entries(lb, tmp_path):
    """By list load, add and set: the first wrong name is told, and how many there are; the old entries stay."""
    configure(lb, "a", "b")
    lb.ctl("list", "add", "m", "a.example a", ".b.example b")
    before = shown(lb)
    (tmp_path / "m").write_text("a.example a\nc.example webb\nd.example webb\ne.example other\n")
    refused(lb, 7, "list", "load", "m", tmp_path / "m",
            says='list m: content: entry c.example of list m has "webb", by which rule front/hosts chooses a pool, and 1 more: ' + MODE)
    refused(lb, 7, "list", "load", "m", tmp_path / "m", "--dry-run", says='entry c.example of list m has "webb"')
    refused(lb, 7, "list", "add", "m", "c.example front", says='entry c.example of list m has "front"')  # not a pool: it has an address
    refused(lb, 7, "list", "add", "m", "c.example", says="entry c.example of list m has no name, by which rule front/hosts")
    refused(lb, 7, "list", "add", "m", "c.example " + "x" * 300, says='entry c.example of list m has "' + "x" * 64 + '"')
    assert shown(lb) == before
    # a list that no rule chooses by may have anything
    lb.ctl("create", "list", "free", "kind=suffix")
    lb.ctl("list", "add", "free", "x nothing")
    refused(lb, 7, "set", "list", "m", f"content={row(lb, 'free')['content']}", "entries=1", says='list m: content: entry x of list m has "nothing"')
    lb.ctl("list", "del", "m", "a.example")
    lb.ctl("delete", "vip", "a", "-y")  # nobody names it any more
    assert shown(lb) == "# entries of kind suffix\n.b.example b\n"


def test_rules(lb):
    """A rule that begins to choose by a map, or by another text or list; one that takes the value of another list than it seems."""
    configure(lb, "a", "pool-a", by="{host}")
    lb.ctl("create", "list", "office", "kind=address")
    lb.ctl("list", "add", "m", "a.example a", "x.example x")
    lb.ctl("list", "add", "office", "192.0.2.0/24")
    refused(lb, 7, "set", "rule", "front/hosts", "pool_by={value}",
            says='rule front/hosts: pool_by: entry x.example of list m has "x", by which rule front/hosts chooses a pool: ' + MODE)
    lb.ctl("list", "del", "m", "x.example")
    lb.ctl("set", "rule", "front/hosts", "pool_by={value}")
    lb.ctl("set", "rule", "front/hosts", "pool_by=pool-{value}")
    refused(lb, 7, "set", "rule", "front/hosts", "pool_by=pool_{value}", says='has "pool_a"')
    lb.ctl("set", "rule", "front/hosts", "pool_by={value}", "when=src in @office and host in @m")
    lb.ctl("set", "rule", "front/hosts", "when=host in @m and not src in @office")
    refused(lb, 7, "set", "rule", "front/hosts", "when=host in @m and src in @office",
            says="rule front/hosts: pool_by: entry 192.0.2.0/24 of list office has no name")
    refused(lb, 7, "set", "rule", "front/hosts", "when=host in @m or src in @office", says="entry 192.0.2.0/24 of list office has no name")
    refused(lb, 7, "create", "rule", "front/second", "order=900", "when=src in @office", "action=use", "pool_by={value}",
            says="rule front/second: pool_by: entry 192.0.2.0/24")
    lb.ctl("set", "rule", "front/hosts", "pool_by={host}-{value}", "when=src in @office")  # who knows


def test_pools(lb):
    """A pool that a map names is not deleted, renamed, or given an address; in one change with the rule it is."""
    configure(lb, "a", "b")
    lb.ctl("list", "add", "m", "a.example a", "b.example b")
    for args in (("delete", "vip", "a", "-y"), ("rename", "vip", "a", "c"), ("set", "vip", "a", "address=127.0.0.8", "ports=8198")):
        refused(lb, 7, *args, says='rule front/hosts: pool_by: entry a.example of list m has "a", by which rule front/hosts chooses a pool: ')
    lb.ctl("set", "vip", "a", "enabled=no")
    revision = int(lb.json("history", "-n", "1")[0]["revision"])
    lb.ctl("delete", "rule", "front/hosts", "-y")
    lb.ctl("delete", "vip", "a", "-y")
    lb.ctl("rollback", revision, "-y")  # all of it is there again
    lb.ctl("list", "add", "m", "c.example b")
    lb.ctl("set", "list", "m", "content=", "entries=0")
    lb.ctl("delete", "vip", "b", "-y")


def test_many(lb, tmp_path):
    """100,000 entries with 3,000 pools behind them: one that is wrong is found; all right, they are in force."""
    names = [f"p{i}" for i in range(3000)]
    lb.ctl("apply", "-f", "-", input=json.dumps({"vip": {n: {} for n in names}}))
    configure(lb)
    text = "".join(f"h{i}.example p{i % 3000}\n" for i in range(MANY))
    (tmp_path / "good").write_text(text)
    (tmp_path / "bad").write_text(text + "zzz.example p3000\n")
    lb.ctl("list", "load", "m", tmp_path / "good")
    refused(lb, 7, "list", "load", "m", tmp_path / "bad", says='entry zzz.example of list m has "p3000"')
    wait_until(lambda: f"list m: {MANY} entries" in lb.text(), what="the map in force")
    refused(lb, 7, "delete", "vip", "p1234", "-y", says='.example of list m has "p1234", by which rule front/hosts')


def test_without_lbd_proxy(lb):
    """lbctl changes the store while no daemon runs: it says that nobody has looked."""
    configure(lb, "a", "b")
    lb.ctl("list", "add", "m", "a.example a")
    lb.kill("lbd-proxy")
    r = lb.ctl("delete", "vip", "a", "-y")
    assert "warning: list m: names of pools in its entries were not looked at: lbd-proxy does not run" in r.stderr, r
    assert lb.ctl("delete", "vip", "b", "-y").stderr.count("were not looked at") == 1
    assert "were not looked at" not in lb.ctl("create", "vip", "c").stderr  # no need to


def test_api(tmp_path, closing):
    """The same by the API: 422 with the sentence of lbctl and a pointer; the entries stay."""
    web = closing(Web(tmp_path / "w", "lbd-proxy"))
    web.start()
    configure(web, "a", "b")
    api = web.api()
    text = {"Content-Type": "text/plain"}
    wait_until(lambda: api("PUT", "/lists/m/entries", "a.example a\n", text).status == 200, what="the list")
    sentence = 'entry c.example of list m has "webb", by which rule front/hosts chooses a pool: ' + MODE

    def problem(r, says, pointer):
        assert r.status == 422 and says in r.json["detail"] and r.json["errors"][0]["pointer"] == pointer, r.body
    for method, path in (("PUT", "/lists/m/entries"), ("POST", "/lists/m/entries")):
        for query in ({}, {"dry_run": "true"}):
            problem(api(method, path, "c.example webb\n", text, **query), "list m: content: " + sentence, "/content")
    problem(api("DELETE", "/vips/a"), 'rule front/hosts: pool_by: entry a.example of list m has "a"', "/pool_by")
    problem(api("PATCH", "/vips/a", {"name": "c"}, {"Content-Type": "application/merge-patch+json"}), 'entry a.example of list m has "a"', "/pool_by")
    problem(api("PATCH", "/vips/front/rules/hosts", {"pool_by": "x{value}"}, {"Content-Type": "application/merge-patch+json"}),
            'rule front/hosts: pool_by: entry a.example of list m has "xa"', "/pool_by")
    assert api("GET", "/lists/m/entries").body == b"# entries of kind suffix\na.example a\n"
    assert api("POST", "/lists/m/entries", "b.example b\n", text).status == 200
    web.kill("lbd-proxy")  # what it told once is known
    problem(api("DELETE", "/vips/b"), 'entry b.example of list m has "b"', "/pool_by")
    web.kill("lbd-web")
    web.start("lbd-web")
    assert api("DELETE", "/vips/b").status == 204
    assert "list m: names of pools in its entries were not looked at: lbd-proxy does not run" in web.text()
