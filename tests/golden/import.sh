#!/bin/sh
# golden/import.sh: what import makes of a real configuration of each form, YAML and report, against import/NAME.ok. In a
# network namespace that has one network of its own, since the report says what this node would refuse.
# GOLDEN_UPDATE=1 writes the .ok files anew.
here=tests/golden/import
lbctl=${BUILD:-build}/bin/lbctl
if [ "${1:-}" != inside ]; then
	exec unshare -rn sh "$0" inside
fi
ip link set lo up && ip link add v0 type veth peer name v1 && ip addr add 10.0.0.250/24 dev v0 &&
	ip addr add fd00::250/64 dev v0 nodad && ip link set v0 up && ip link set v1 up || exit 1
out=$(mktemp)
trap 'rm -f "$out"' EXIT
fail=0
for in in ipvs.rules ldirectord.cf keepalived.conf haproxy-site.cfg haproxy-api.cfg haproxy-tcp.cfg haproxy-old.cfg haproxy-guard.cfg haproxy-h2.cfg; do
	name=${in%.*}
	form=${name%%-*}
	"$lbctl" import "$form" "$here/$in" --address 10.0.0.9 --report "$out.r" >"$out" 2>&1
	code=$?
	cat "$out.r" >>"$out"
	rm -f "$out.r"
	echo "exit $code" >>"$out"
	if [ -n "${GOLDEN_UPDATE:-}" ]; then
		cp "$out" "$here/$name.ok"
	elif ! diff -u "$here/$name.ok" "$out"; then
		fail=1
	fi
done
exit $fail
