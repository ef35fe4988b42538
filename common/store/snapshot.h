/* snapshot.h - the whole configuration in memory, read-only once built, shared by reference.
 * Built whole from the store, or from the snapshot before and a delta: then old and new share all rows that
 * did not change, and only pointer arrays are copied. References may be taken and released by any thread. */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "base/err.h"
#include "schema/value.h"

struct snapshot;

struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL is fine */
uint32_t snapshot_revision(const struct snapshot *s, enum scope scope);
size_t snapshot_bytes(const struct snapshot *s);

/* Rows of a kind in rising order of id. at < snapshot_count. */
uint32_t snapshot_count(const struct snapshot *s, unsigned kind);
const void *snapshot_at(const struct snapshot *s, unsigned kind, uint32_t at);
const void *snapshot_find(const struct snapshot *s, unsigned kind, uint32_t id); /* NULL */
/* path: "web", "web/rip1"; for a SINGLE any path. Binary search. */
const void *snapshot_find_path(
    const struct snapshot *s, unsigned kind, const char *path); /* NULL */
/* "web/rip1" for a CHILD, else the name; buf holds 160 bytes, and is returned. "?" when unknown. */
const char *snapshot_path(const struct snapshot *s, unsigned kind, uint32_t id, char *buf);
/* Children of a row (servers of a service), in order of id; n_out is their number. Borrowed. */
const void *const *snapshot_children(
    const struct snapshot *s, unsigned child_kind, uint32_t parent, uint32_t *n_out);
/* Rows of a kind in order of path; for tables and export. Borrowed. */
const void *const *snapshot_by_name(const struct snapshot *s, unsigned kind, uint32_t *n_out);
void snapshot_names(
    const struct snapshot *s, struct names *out); /* for value_parse and value_format */

/* Shorthands. */
const struct setting *snapshot_setting(const struct snapshot *s);
const struct node *snapshot_node(const struct snapshot *s);
/* What was ordered for a server; never NULL: online and not weighted when nothing was. */
const struct admin *snapshot_admin(const struct snapshot *s, uint32_t server_id);
/* The check of a server: its own, its service's, or the defaults. Never NULL. */
const struct check *snapshot_check_of(const struct snapshot *s, const struct server *srv);
/* Weight in force: 0 while drained or halted, the run-time weight, else the configured one. */
uint32_t snapshot_weight(const struct snapshot *s, const struct server *srv);

/* snapshot_patch - base with one delta of one scope; revision becomes that scope's number.
 * ERR_CONFLICT: the delta does not fit this base. A tag or kind of a newer build is skipped. */
int snapshot_patch(struct snapshot *base, enum scope scope, uint32_t revision, const void *delta,
    size_t len, struct snapshot **out, struct err *err);
/* snapshot_check - is the whole allowed (object_checks.c)? Pure but for addresses: local may be NULL, else
 * these are the addresses of this node's interfaces, which no service may use (S060). */
struct iface_list;
int snapshot_check(const struct snapshot *s, const struct iface_list *local, struct err *err);
/* snapshot_check_change - of base into s: what local says against a value that base has too counts no more. */
int snapshot_check_change(const struct snapshot *base, const struct snapshot *s,
    const struct iface_list *local, struct err *err);

/* One difference: f NULL means the row was added (old NULL) or deleted (new NULL). Rows in order of kind, id. */
struct change {
	const struct object *o;
	const struct field *f;
	const void *old, *new;
};
typedef void (*change_fn)(void *arg, const struct change *c);
unsigned snapshot_diff(
    const struct snapshot *old, const struct snapshot *new, change_fn fn, void *arg);
/* For people: "vip web: scheduler: wlc -> wrr", one line a change; returns how many. */
unsigned snapshot_diff_text(
    const struct snapshot *old, const struct snapshot *new, struct buf *out);

/* export.c - canonical: kinds in order, rows by name, fields by tag, defaults left out, secrets as "@N".
 * kind 0 is everything but OPER; path NULL is all rows. full prints defaults too. */
enum export_form { EXPORT_YAML, EXPORT_JSON };
int snapshot_export(const struct snapshot *s, enum export_form form, unsigned kind,
    const char *path, bool full, struct buf *out, struct err *err);
/* One row as a JSON object with every field (the body of the REST API, without "status"). */
void snapshot_export_row(
    const struct snapshot *s, const struct object *o, const void *row, struct buf *out);

#endif
