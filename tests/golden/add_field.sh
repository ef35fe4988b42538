#!/bin/sh
# Adding a field is one row: a copy of the tree gets one row in server.def, and nothing else. Then the struct, the
# database of the older build, YAML, JSON, arguments, explain, completion, the range error and the manual know it.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"
cp -r "$top/Makefile" "$top/common" "$top/lbctl" "$dir/src/"
mkdir "$dir/r"
old="$build/bin/lbctl --root $dir/r"
$old -q create vip web address=198.51.100.1 ports=80 >/dev/null
$old -q create rip web/a address=10.0.0.1 >/dev/null
printf 'FIELD(99, rack, TEXT, 0, 12, "none", LIVE, 0, 2, "Rack", "Where the machine stands.")\n' >>"$dir/src/common/schema/server.def"
make -s -j2 -C "$dir/src" BUILD="$dir/b" V=0 lbctl >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
new="$dir/b/bin/lbctl --root $dir/r"
want() { # text, command...
	text=$1
	shift
	"$@" >"$dir/out" 2>&1 || true
	grep -qF -- "$text" "$dir/out" || { echo "add_field: '$*' does not say '$text':"; cat "$dir/out"; exit 1; }
}
# shellcheck disable=SC2086 # words on purpose
{
	want '"rack":"none"' sh -c "$new -o json get rip web/a | tr -d ' \n'"
	want '' $new set rip web/a rack=r12
	want 'rack: r12' $new export
	want 'Where the machine stands.' $new explain rip.rack
	want 'rack' $new __complete -- set rip web/a ra
	want 'rack' $new set rip web/a rack=abcdefghijklmn
	want '12' $new set rip web/a rack=abcdefghijklmn
	want 'did you mean rack' $new set rip web/a rak=x
	want 'Where the machine stands.' $new doc man-yaml
	want 'r12' sqlite3 "$dir/r/var/lib/lbd/config.db" 'SELECT rack FROM server'
	# And the older build goes on with the same database: it leaves the column alone.
	want '10.0.0.1' $old get rip web/
	want '' $old set rip web/a weight=7
	want 'rack: r12' $new export
}
