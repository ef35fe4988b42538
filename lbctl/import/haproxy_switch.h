/* haproxy_switch.h - where requests go: use_backend while it is read; for haproxy_switch.c, haproxy_map.c and
 * haproxy_mapfile.c only. */
#ifndef LBCTL_IMPORT_HAPROXY_SWITCH_H
#define LBCTL_IMPORT_HAPROXY_SWITCH_H

#include "import/haproxy.h"

/* One use_backend, or a part of one. */
struct hap_use {
	struct hap_use *next;
	const struct hap_line *l;
	struct hap_proxy *back; /* NULL: pool_by says which */
	const char *pool_by;
	const char *when;
};
struct hap_uses {
	struct hap_use *first, **last;
};

/* hap_step - rules times services have an end too: n more were looked at. false: that was too many (h->rc). */
bool hap_step(struct hap *h, const struct hap_line *l, uint32_t n);
struct hap_use *hap_use_add(
    struct hap *h, struct hap_uses *to, const struct hap_line *l, const char *when);
/* hap_backend - by its name; NULL: there is none. */
struct hap_proxy *hap_backend(struct hap *h, const char *name);

/* haproxy_mapfile.c */
struct hap_entry {
	struct hap_entry *next;
	const char *key, *value;
	unsigned at; /* its number */
};
/* A file that was read; why: it cannot be. */
struct hap_map {
	struct hap_entry *first, **last;
	unsigned n;
	const char *why;
};

/* hap_map_of - the file, read once. */
const struct hap_map *hap_map_of(struct hap *h, const char *path);

/* haproxy_map.c */
/* hap_map_uses - a backend whose name is made of the request, when its condition holds. rest: the backend of all other
 * requests. NULL: good, with what is said of it (NULL: nothing); else why it cannot be taken. In the arena. */
const char *hap_map_uses(struct hap *h, const struct hap_proxy *front, struct hap_proxy *rest,
    const struct hap_line *l, const char *when, struct hap_uses *out, const char **difference_out);

#endif
