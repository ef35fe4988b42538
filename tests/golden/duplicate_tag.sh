#!/bin/sh
# A tag or number that was used before must not compile: each row below is added to a copy of its file alone.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
compiles() { # source
	${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -I"$dir/common" -fsyntax-only "$dir/common/$1" 2>"$dir/why"
}
refused() { # rows-file source row
	rm -rf "$dir/common"
	cp -r "$top/common" "$dir/"
	compiles "$2" || { echo "$2 does not compile as it is:"; cat "$dir/why"; exit 1; }
	printf '%s\n' "$3" >>"$dir/common/$1"
	if compiles "$2"; then
		echo "$1: this row compiled: $3"
		exit 1
	fi
	grep -q 'duplicate\|redefinition\|redeclar' "$dir/why" || { echo "$1: another fault:"; cat "$dir/why"; exit 1; }
}
refused schema/server.def schema/schema.c 'FIELD(5, again, U16, 0, 1, "0", LIVE, 0, 1, "Again", "Again.")'
refused schema/server.def schema/schema.c 'RETIRED(6)'
refused schema/service.def schema/schema.c 'FIELD(99, comment, TEXT, 0, 1, "", LIVE, 0, 1, "Again", "Again.")'
refused schema/enums.def schema/schema.c 'ENUM_BEGIN(again) WORD(again, 0, one, "One.") WORD(again, 1, one, "Two.") ENUM_END(again)'
