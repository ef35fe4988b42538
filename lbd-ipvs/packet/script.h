/* script.h - scripts for nft as text: from one that is in force to the next, and what nft says of them. Pure.
 *
 * A script is what packet_rules writes: a line that begins with "add" for each object and rule, and a block of lines
 * "add element inet lbd NAME {", an element each, "}" for the content of a set. Names of sets with content are never
 * those of sets that packets fill. */
#ifndef IPVS_PACKET_SCRIPT_H
#define IPVS_PACKET_SCRIPT_H

#include "base/buf.h"

/* Nothing of ours is there afterwards. */
#define SCRIPT_NO_TABLE                               \
	"add table inet lbd\ndelete table inet lbd\n" \
	"add table ip lbd\ndelete table ip lbd\n"     \
	"add table ip6 lbd\ndelete table ip6 lbd\n"
/* script_next - what nft is to run.
 * text: what is wanted; "": no table.
 * have: names of what the table has (script_names), sorted; NULL: not known, so the table is made anew.
 * prev: the script that is in force; NULL: not known, so sets are filled anew and only those that packets fill stay.
 *       Else only elements that differ are touched, and rules only when they differ. */
void script_next(const char *text, const char *have, const char *prev, struct buf *out);
/* script_names - the objects that a script adds, or that a listing of the table shows: "chain x", "map y", sorted, a line
 * each. */
void script_names(const char *text, struct buf *out);
/* script_fault - one line of what nft wrote to its standard error. */
void script_fault(const char *text, char *out, size_t room);

#endif
