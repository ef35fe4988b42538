"""A lab with daemons on its node, and services as plain dicts: what a test of layer 4 configures, in one revision.

    with Site(tmp_path, servers=2) as site:          # lbd-ipvs programs the kernel, lbd-ha holds the virtual addresses
        site.apply(web=dict(address=VIP, ports=80, mode="nat", scheduler="rr", rips=site.rips(VIP, 1, 2, port=8080)))
        assert site.lab.spread(6) == {"s1": 3, "s2": 3}

apply() comes back when the kernel has the services with their servers, and the node their addresses. Services of earlier
tests stay: give each test addresses of its own, v(101) and so on."""
import contextlib
import json
import socket

from lab import Lab, is6
from lbdtest import wait_until


def v(n):
    """The n-th virtual address of the front network: IPv4 and IPv6."""
    return f"10.0.1.{n}", f"fd00:1::{n}"


def web(address, port=80):
    """As the kernel's table has it: 10.0.1.100:80, [fd00:1::100]:80."""
    return f"[{address}]:{port}" if is6(address) else f"{address}:{port}"


class Site:
    def __init__(self, root, *daemons, **lab):
        self.stack = contextlib.ExitStack()
        self.lab = Lab(**lab)
        self.stack.callback(self.lab.close)
        try:
            self.lb = self.lab.lbd(root, *(daemons or ("lbd-ipvs", "lbd-ha")))
            self.lb.ctl("config", "check", "-q")
            self.stack.callback(self.lb.stop)
            self.lb.start()
        except BaseException:
            self.stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def rips(self, vip, *numbers, **fields):
        """Servers by number, with their address of the family of vip."""
        return {f"s{n}": dict(address=self.lab.servers[n - 1].at(vip), **fields) for n in numbers}

    def apply(self, setting=None, check=None, wait=True, **vips):
        """One revision; names may have _ for -."""
        vips = {name.replace("_", "-"): vip for name, vip in vips.items()}
        doc = {"vip": vips, "check": check or {}, **({"setting": setting} if setting else {})}
        self.lb.ctl("apply", "-f", "-", input=json.dumps(doc))
        if wait:
            self.until(lambda: all(self.there(x) for x in vips.values()), f"{', '.join(vips)} in the kernel")

    def until(self, condition, what):
        """wait_until; a failure shows the kernel's table and what the daemons said."""
        try:
            wait_until(condition, 20, what)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.lab.node.run('ipvsadm', '-Ln').stdout}{self.lb.text()[-3000:]}") from None

    def there(self, vip):
        with self.lab.node.inside(), socket.socket(socket.AF_INET6 if is6(vip["address"]) else socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind((vip["address"], 0))
            except OSError:
                return False
        table = self.lab.table()
        by_address = [x for name, x in table.items() if name.endswith(" " + web(vip["address"], vip["ports"]))]
        if not by_address and not vip.get("mark") and vip["address"] not in self.lab.node.run("nft", "list", "table", "inet", "lbd", check=False).stdout:
            return False  # the rules that mark its packets are not in force
        want = {r["address"] for r in vip.get("rips", {}).values()}
        return any(want <= {d.strip("[").partition("]" if d[0] == "[" else ":")[0] for d in x.servers}
                   for x in by_address or [x for name, x in table.items() if name.startswith("FWM")])

    def table(self, vip, protocol="TCP", port=80):
        """The kernel's service at an address."""
        return self.lab.table()[f"{protocol} {web(vip, port)}"]
