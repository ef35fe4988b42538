"""slowhttptest: its four attacks hold hundreds of connections to a service while other clients of the same service lose nothing."""
import csv
import subprocess

from lbdtest import Load, Origin, die_with_parent, http_answer, wait_until

CONNS, SECS = 150, 8
# Heads in drops, bodies in drops, Range with a thousand parts (answered at once, so it holds nothing), answers read in drops.
ATTACKS = {
    "headers": ("-H", "-i", "1"),
    "body": ("-B", "-i", "1", "-s", "8000", "-x", "2"),
    "range": ("-R", "-a", "1", "-b", "1000"),
    "read": ("-X", "-n", "1", "-w", "10", "-y", "20", "-z", "5", "-k", "2"),
}


def attack(folder, name, vip):
    """One slowhttptest; its own probe must be answered too."""
    return subprocess.Popen(["slowhttptest", *ATTACKS[name], "-c", str(CONNS), "-r", str(CONNS), "-l", str(SECS), "-p", "30",
                             "-g", "-o", str(folder / name), "-u", f"http://{vip.address}:{vip.port}/large"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=die_with_parent)


def seconds(folder, name):
    """What it saw each second: connections that were open, and whether the service was there for its probe."""
    rows = list(csv.reader((folder / f"{name}.csv").read_text().splitlines()))
    at = {word: i for i, word in enumerate(rows[0])}
    return [(int(r[at["Connected"]]), int(r[at["Service Available"]])) for r in rows[1:]]


def conns(lb, *vips):
    return sum(lb.json("stats", v.name)[0]["conns"] for v in vips)


def test_attacks(lb, closing, tmp_path):
    """A073: a load on the same services has not one failed request; heads and bodies in drops never have one of the server's
    four places; what waited for its time is closed when that is over, and nothing of the attacks stays."""
    o = closing(Origin("a"))
    o.answer = lambda r: http_answer(b"x" * (200_000 if r["target"] == "/large" else 2), "200 OK", "X-Server: a")
    drops = lb.vip("drops", wait_body="16K", request_timeout="4s", keep_timeout="4s")
    lb.rip(drops, "a", o.port, max_conns=4)
    takes = lb.vip("takes", o, client_timeout="4s", keep_timeout="4s")
    on = {"headers": drops, "body": drops, "range": takes, "read": takes}
    with Load(drops, clients=3, every_ms=10) as first, Load(takes, clients=3, every_ms=10) as second:
        for load in (first, second):
            load.wait(20)
        running = {name: attack(tmp_path, name, vip) for name, vip in on.items()}
        wait_until(lambda: conns(lb, *set(on.values())) > CONNS, 30, "attacks hold connections")
        for load in (first, second):
            load.wait(50)
        out = {name: p.communicate()[0] for name, p in running.items()}
        for load in (first, second):
            load.wait(20)
        results = [first.stop(), second.stop()]
    assert [r["failed"] for r in results] == [[], []]
    for name, vip in on.items():
        assert running[name].returncode == 0, out[name]
        seen = seconds(tmp_path, name)
        assert name == "range" or max(n for n, _ in seen) > CONNS // 2, (name, seen)
        assert all(there for n, there in seen if n), (name, seen)
    assert not [r for r in o.requests if r["method"] == "POST"]
    assert len([r for r in o.requests if dict(r["fields"]).get("range", "").count(",") > 900]) >= CONNS
    wait_until(lambda: conns(lb, *set(on.values())) == 0, 30, "nothing of it stays")
