/* keepalived_vrrp.h - what keepalived.conf says of VRRP, while it is read: instances, sync groups, and what they track. For
 * keepalived*.c only. */
#ifndef LBCTL_IMPORT_KEEPALIVED_VRRP_H
#define LBCTL_IMPORT_KEEPALIVED_VRRP_H

#include "import/keepalived.h"

#define KA_VRRP_DEPTH 4

/* What a block is. */
enum ka_in {
	KA_GLOBAL,
	KA_INSTANCE,
	KA_SYNC,
	KA_SCRIPT, /* definitions of what can be tracked */
	KA_FILE,
	KA_PROCESS,
	KA_AUTH, /* lists within an instance or a sync group */
	KA_ADDRESSES,
	KA_EXCLUDED,
	KA_PEERS,
	KA_MEMBERS,
	KA_ROUTES,
	KA_USE_INTERFACE,
	KA_USE_SCRIPT,
	KA_USE_FILE,
	KA_USE_PROCESS,
};

struct ka_address {
	struct ka_address *next;
	struct import_row *row;
	struct place at;
	const char *what, *dev; /* dev: NULL: the instance's interface */
	struct addr addr;
	bool excluded, more; /* more: options that are not taken */
};
struct ka_route {
	struct ka_route *next;
	struct import_row *row;
};
struct ka_instance {
	struct ka_instance *next;
	struct import_row *row;
	const char *name, *what;
	const char *interface, *password; /* NULL: not said; password: its first 8 characters */
	struct place password_at, priority_at;
	const char *priority_what;
	uint32_t priority, raise; /* raise: of positive weights; it has them while all is well */
	uint8_t version, group;	  /* 0: not said; 0: none is free */
	bool six, unicast;
	struct ka_address *addresses, **last_address;
	struct ka_route *routes, **last_route;
};
/* A script, file or process, or an interface that is tracked. */
struct ka_track {
	struct ka_track *next;
	enum ka_in kind; /* KA_SCRIPT, KA_FILE, KA_PROCESS, KA_USE_INTERFACE */
	const char *name, *what, *target;
	struct place at, target_at;
	const char *target_what;
	struct import_row row; /* what was read; becomes one of the report's rows when it is used */
	int weight;
	bool weighted, reverse, used;
	unsigned instances; /* that are weighed by it */
};
struct ka_use {
	struct ka_use *next;
	enum ka_in kind;
	struct place at;
	const char *name, *what;
	int weight;
	bool weighted, reverse;
	struct ka_instance *instance; /* NULL: all of the sync group */
	const char *group;
};
struct ka_member {
	struct ka_member *next;
	struct place at;
	const char *what, *group, *instance;
};
struct ka_vrrp {
	struct import *im;
	enum ka_in in[KA_VRRP_DEPTH];
	unsigned depth;
	uint8_t version; /* of global_defs; 0: not said */
	struct ka_instance *instances, **last_instance, *instance;
	const char *group; /* that is being read */
	struct ka_track *tracks, **last_track, *track;
	struct ka_use *uses, **last_use;
	struct ka_member *members, **last_member;
};

void ka_vrrp_init(struct ka_vrrp *v, struct import *im);
/* ka_vrrp_line - a statement at the top, or within a block of these. False: it is not known there; the caller says so, with
 * its block. One that opens a block is entered when true: ka_vrrp_close at its end. */
bool ka_vrrp_line(struct ka_vrrp *v, const struct ka_line *l);
void ka_vrrp_close(struct ka_vrrp *v);
/* ka_vrrp_finish - rows with names, after the last line. Services on addresses of an instance get its group. */
void ka_vrrp_finish(struct ka_vrrp *v);
/* ka_vrrp_lacks - there are instances, and none of them has all addresses of the service. */
bool ka_vrrp_lacks(const struct ka_vrrp *v, const struct import_service *s);

/* keepalived_track.c. _define: a block that defines one. _line: within it; false: not known. _use: a line of a track_...
 * block. _finish: rows for those that are used; raises priorities. */
void ka_track_define(struct ka_vrrp *v, enum ka_in kind, const struct ka_line *l);
bool ka_track_line(struct ka_vrrp *v, const struct ka_line *l);
void ka_track_use(struct ka_vrrp *v, enum ka_in kind, const struct ka_line *l);
void ka_track_finish(struct ka_vrrp *v);
/* ka_is_member - whether the instance is in the sync group. */
bool ka_is_member(const struct ka_vrrp *v, const char *group, const struct ka_instance *i);

#endif
