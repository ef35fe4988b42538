/* object_checks_priv.h - what the files object_checks*.c share. */
#ifndef STORE_OBJECT_CHECKS_PRIV_H
#define STORE_OBJECT_CHECKS_PRIV_H

#include "schema/rule_when.h"
#include "store/snapshot_priv.h"
#include "sys/netlink.h"

/* Fields of one layer of a kind. */
struct layer_fields {
	unsigned n;
	const struct field *f[FIELDS_MAX];
};
struct look {
	const struct snapshot *s;
	const struct snapshot *base; /* what is in force; NULL: unknown */
	const struct iface_list *local;
	struct err *err;
	struct arena *a;
	/* Of local, without lbd-ha's: sorted by address; and the networks that they are in, each once. */
	unsigned own_n, nets_n;
	const struct iface_addr **own;
	struct addr *nets;
	struct service service; /* defaults */
	struct server server;
	struct layer_fields of_service[2], of_server[2]; /* [0]: layer 4 only, [1]: layer 7 only */
	struct layer_fields of_http;			 /* of a service: mode http only */
};

/* An error about a field of a row; returns its code. */
int look_bad(struct look *l, unsigned kind, const void *row, const char *field, const char *fmt,
    ...) __attribute__((format(printf, 5, 6)));
/* By family, then bytes; the prefix does not count. */
int look_by_address(const struct addr *a, const struct addr *b);
/* It is there, and of one host. */
int look_address(struct look *l, unsigned kind, const void *row, const struct addr *a);
/* Why no one can be served at, or be a server at, this address; NULL when it is an ordinary one. */
const char *look_no_host(const struct addr *a);
/* Whether a field is the same in base: then what this node's interfaces say against it is no fault of this change. */
bool look_unchanged(const struct look *l, unsigned kind, const void *row, const char *field);
/* S060: a floating address must be able to leave the node, so no interface may have it by itself. */
int look_own_address(struct look *l, unsigned kind, const void *row, const char *field,
    const struct addr *lo, const struct addr *hi);
/* An interface's name as the kernel takes it; "" is none. */
int look_interface(
    struct look *l, unsigned kind, const void *row, const char *field, const char *name);

/* object_checks_service.c */
int check_services(struct look *l);
int check_groups(struct look *l); /* an address is on one node, so its services move together */

/* object_checks_l4.c. Fields of the other layer, and all that layer 4 asks of a service, a server, the settings and
 * the rules of translation. */
int check_l4_service(struct look *l, const struct service *s);
int check_l4_server(struct look *l, const struct service *s, const struct server *r);
int check_l4_setting(struct look *l, const struct setting *g);
int check_natrule(struct look *l, const struct natrule *r);
/* Port by which the kernel tells servers of one address apart. */
uint16_t check_l4_port(const struct service *s, const struct server *r);

/* object_checks_source.c: addresses with which layer 7 reaches servers. */
int check_l7_source(struct look *l, const struct service *s);
int check_l7_source_server(struct look *l, const struct service *s, const struct server *r);

/* object_checks_log.c: access logs, and what servers are told of clients. */
int check_log_service(struct look *l, const struct service *s);
int check_log_setting(struct look *l, const struct setting *g);

/* object_checks_persist.c: what keeps a client at its server. */
int check_persist(struct look *l, const struct service *s);
int check_session_routes(struct look *l, const struct service *s, const struct kids *k);
/* object_checks_answers.c: pages, and what services do with answers. */
int check_answers_service(struct look *l, const struct service *s);
int check_pages(struct look *l);

/* object_checks_mirror.c: who gets copies of requests. */
int check_mirror(struct look *l, const struct service *s);

/* object_checks_places.c: no two services, rules or fallback pages at one place; no mark twice. */
int check_places(struct look *l);
/* object_checks_ha.c: carriers, ping nodes, tracks, interfaces that do not count. */
int check_ha(struct look *l);
/* object_checks_vrrp.c: virtual routers. */
int check_vrrp(struct look *l);
/* object_checks_tls.c: TLS settings, and what services do with them. */
int check_tls(struct look *l);
/* object_checks_lists.c: lists and maps. */
int check_lists(struct look *l);
int check_block(struct look *l, const struct setting *g);
/* What conditions of the rules of a service count, each once. check_operands - lists and meters of a condition. */
struct meters_seen {
	unsigned n;
	struct when_meter of[METERS_OF_SERVICE];
};
int check_operands(
    struct look *l, const struct content_rule *r, const struct when *w, struct meters_seen *seen);
/* object_checks_rule.c: content rules. */
int check_rules(struct look *l);
/* object_checks_hooks.c: programs that the pair runs, and routes. look_program - text is the name of a program in a folder and its
 * arguments. */
int look_program(struct look *l, unsigned kind, const void *row, const char *field,
    const char *text, const char *folder);
int check_hooks(struct look *l);

#endif
