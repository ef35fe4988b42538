"""Servers of HTTP/2 that others made, as processes for the tests: nghttpd, nginx and HAProxy."""
import subprocess

from lbdtest import ADDRESS, die_with_parent, free_port, listens, wait_until


class Peer:
    """A process that listens: .name, .address, .port. words(port) is its command."""

    def __init__(self, name, words):
        self.name, self.address, self.port = name, ADDRESS, free_port()
        self.p = subprocess.Popen([str(w) for w in words(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  preexec_fn=die_with_parent)
        wait_until(lambda: self.p.poll() is None and listens(ADDRESS, self.port), what=f"{name} listens")

    def close(self):
        self.p.kill()
        self.p.wait()


def nghttpd(root, *options, certs=None, name="nghttpd"):
    """Serves the files of a folder, and what it was sent. certs: (certificate, key) for TLS."""
    end = [certs[1], certs[0]] if certs else []
    return Peer(name, lambda port: ["nghttpd", "-a", ADDRESS, "-d", root, "--echo-upload", *options, *([] if certs else ["--no-tls"]),
                                    port, *end])


def haproxy(folder, *servers, name="haproxy", certs=None, more=""):
    """Stands before servers of HTTP/1.1: Origin."""
    bind = "proto h2"
    if certs:
        (folder / f"{name}.crt").write_text(certs[0].read_text() + certs[1].read_text())
        bind = f"ssl crt {folder}/{name}.crt alpn h2"

    def words(port):
        conf = folder / f"{name}.cfg"
        conf.write_text(
            f"defaults\n mode http\n timeout client 60s\n timeout server 60s\n timeout connect 9s\n timeout tunnel 60s\n{more}\n"
            f"frontend f\n bind {ADDRESS}:{port} {bind}\n default_backend b\nbackend b\n"
            + "".join(f" server {o.name} {o.address}:{o.port}\n" for o in servers))
        r = subprocess.run(["haproxy", "-c", "-f", conf], capture_output=True, text=True)
        assert r.returncode == 0, r.stderr
        return "haproxy", "-db", "-f", conf
    return Peer(name, words)


def nginx(folder, root, certs, requests=1000, name="nginx"):
    """Serves the files of a folder by TLS, with HTTP/2 where it is offered (ALPN); a connection ends after so many requests."""
    def words(port):
        conf = folder / f"{name}.conf"
        conf.write_text(
            f"daemon off;\nmaster_process off;\nuser root;\npid {folder}/{name}.pid;\nerror_log stderr crit;\nevents {{ worker_connections 500; }}\n"
            "http {\n access_log off; client_max_body_size 0; client_body_temp_path " + f"{folder}/{name}.body;\n server {{\n"
            f"  listen {ADDRESS}:{port} ssl http2; ssl_certificate {certs[0]}; ssl_certificate_key {certs[1]};\n"
            f"  keepalive_requests {requests}; root {root}; error_page 405 =200 $uri;\n }}\n}}\n")
        return "nginx", "-c", conf
    return Peer(name, words)
