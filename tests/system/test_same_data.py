"""The same files on every real server: what lbd(7) says about that, with two nginx and rsync."""
import hashlib
import os
import subprocess

from lbdtest import Lbd, Vip, die_with_parent, free_port, get, listens, wait_until

CONF = """daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/error; master_process off;
events {{ }}
http {{ access_log off; client_body_temp_path {dir}/t; proxy_temp_path {dir}/t; fastcgi_temp_path {dir}/t; uwsgi_temp_path {dir}/t;
scgi_temp_path {dir}/t; server {{ listen 127.0.0.1:{port}; root {dir}/www; add_header X-Server {name}; }} }}
"""


class Nginx:
    """A web server with its files in .www."""

    def __init__(self, folder, name):
        self.name, self.address, self.port, self.www = name, "127.0.0.1", free_port("127.0.0.1"), folder / name / "www"
        self.www.mkdir(parents=True)
        (folder / name / "conf").write_text(CONF.format(dir=folder / name, port=self.port, name=name))
        self.p = subprocess.Popen(["nginx", "-c", folder / name / "conf", "-e", folder / name / "error"], preexec_fn=die_with_parent)
        wait_until(lambda: listens(self.address, self.port), what="nginx")

    def close(self):
        self.p.terminate()
        self.p.wait(20)


def publish(server, release):
    (server.www / "release.txt").write_text(f"release {release}\n")
    (server.www / "data").write_bytes(os.urandom(300_000))


def copy(source, to):
    subprocess.run(["rsync", "-ac", "--delete", f"{source.www}/", f"{to.www}/"], check=True)


def digests(*places):
    """What is at each place: {server: digest of its file}."""
    answers = [get(p, "/data") for p in places]
    assert {a.status for a in answers} == {200}
    return {a.server: hashlib.sha256(a.body).hexdigest() for a in answers}


def test_same_file_everywhere(closing, tmp_path):
    """S126: both servers return the same file when it was copied; while the copy is late the check takes the one that lags out, and
    clients get the new file only."""
    lb = closing(Lbd(tmp_path, "lbd-proxy", "lbd-check"))
    lb.start()
    a, b = (closing(Nginx(tmp_path, name)) for name in "ab")
    publish(a, 1)
    copy(a, b)
    lb.ctl("create", "check", "copied", "kind=http", "path=/release.txt", "expect=release 1", "interval=200ms", "timeout=200ms")
    vip = lb.vip("files", a, b, check="copied", scheduler="wrr")
    each = [Vip(s.name, s.address, s.port) for s in (a, b)]

    def up(*names):
        return lambda: {r["name"] for r in lb.json("get", "rip", "files/") if r["status"]["check"]["verdict"] == "up"} == set(names)
    wait_until(up("a", "b"), what="both are fit")
    old = digests(*each)
    assert old["a"] == old["b"]
    wait_until(lambda: digests(*[vip] * 4) == old, what="clients get it from both")

    publish(a, 2)
    lb.ctl("set", "check", "copied", "expect=release 2")
    wait_until(up("a"), what="the one without the copy is out")
    new = digests(each[0])
    assert new["a"] != old["a"]
    wait_until(lambda: digests(*[vip] * 4) == new, what="clients get the new file only")

    copy(a, b)
    wait_until(up("a", "b"), what="the copy brings it back")
    assert digests(*each) == {"a": new["a"], "b": new["a"]}
    wait_until(lambda: digests(*[vip] * 4) == digests(*each), what="clients get it from both")
