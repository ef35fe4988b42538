# bash completion of lbctl; lbctl itself knows what may stand next, live names too.
_lbctl() {
	local line=${COMP_LINE:0:COMP_POINT} words value current front=
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	current=${words[-1]}
	# readline replaces only what follows the last = or :
	[[ $current == *[=:]* ]] && front=${current%"${current##*[=:]}"}
	COMPREPLY=()
	while IFS=$'\t' read -r value _; do
		COMPREPLY+=("${value#"$front"}")
	done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace
	return 0
}
complete -o default -F _lbctl lbctl
