"""What ipvsadm has in the kernel goes through lbctl import and apply, and lbd-ipvs makes the same of it."""
from lab import VIP, VIP6
from site_ import Site, v

OTHER = v(101)[0]


def saved(lab):
    return sorted(lab.node.run("ipvsadm-save", "-n").stdout.splitlines())


def test_round_trip(tmp_path):
    """ecosystem: ipvsadm-save -n | lbctl import ipvs - | lbctl apply -f -."""
    with Site(tmp_path, "lbd-ipvs", servers=2, far=(2,)) as site:
        lab, (s1, s2) = site.lab, site.lab.servers
        lab.ipvsadm(f"-A -t {VIP}:80 -s wlc -p 300 -M 255.255.255.0", f"-a -t {VIP}:80 -r {s1.address}:8080 -m -w 1",
                    f"-a -t {VIP}:80 -r {s1.address}:80 -m -w 3",
                    f"-A -t {VIP}:443 -s mh -b mh-fallback,mh-port", f"-a -t {VIP}:443 -r {s1.address}:443 -g -w 100",
                    f"-a -t {VIP}:443 -r {s2.address}:443 -i -w 100 --tun-type gue --tun-port 6080 --tun-csum",
                    f"-A -u [{VIP6}]:53 -s rr -o", f"-a -u [{VIP6}]:53 -r [{s1.address6}]:53 -g -w 0",
                    f"-A -t {OTHER}:25 -s lblc -p 60", f"-a -t {OTHER}:25 -r {s2.address}:25 -i -w 2 --tun-type gre",
                    "-A -f 5 -s sh -b sh-port -p 60", f"-a -f 5 -r {s1.address}:0 -g -w 1",
                    f"-A --sctp-service {VIP}:9 -s sed", f"-a --sctp-service {VIP}:9 -r {s1.address}:9 -m -w 2")
        before = saved(lab)
        assert len(before) == 14
        yaml = site.lb.ctl("import", "ipvs", "-", "--address", OTHER, "-q", input="\n".join(before))
        lab.node.run("ipvsadm", "-C")
        site.lb.ctl("apply", "-f", "-", input=yaml.stdout)
        site.until(lambda: saved(lab) == before, f"the same table as before: {before}")
