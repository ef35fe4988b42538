/* schema.h - the rows of the .def files as C structs, and as descriptors for the walkers.
 * This is the first of the two expansions; schema.c holds the second. Nobody writes a third. */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vtype {
	VT_NAME,   /* [A-Za-z0-9][A-Za-z0-9._-]*: never needs quoting */
	VT_TEXT,   /* UTF-8 without control characters; min and max in bytes */
	VT_TCHAR,  /* token of RFC 9110 section 5.6.2 */
	VT_LABELS, /* "a=b,c=d", sorted by key */
	VT_HOST,   /* address or DNS name */
	VT_ADDR,   /* host address */
	VT_NET,	   /* network */
	VT_CIDR,   /* interface address with prefix length */
	VT_RANGES, /* "80,443,8000-8010", rising; min and max are those of a number */
	VT_ADDRS,  /* "10.0.0.2,10.0.1.0/28,10.0.2.1-10.0.2.9"; max is how many addresses in all */
	VT_PEM,	   /* PEM blocks (RFC 7468) of one kind in strict form; max is bytes in all */
	VT_LINES,  /* TEXT with line ends (LF) and tabs */
	VT_ENUM,
	VT_U16, /* from here on a cell is a number */
	VT_U32,
	VT_I16,	   /* may be below 0 */
	VT_DUR_MS, /* milliseconds */
	VT_DUR_S,  /* seconds */
	VT_BYTES,
	VT_PCT,
	VT_SHARE, /* hundredths of a percent */
	VT_BOOL,
	VT_TIME,   /* seconds since 1970, UTC; 0 is none */
	VT_REF,	   /* id of another row; 0 is none */
	VT_SECRET, /* number of a row in the secrets file; 0 is none */
};

enum {
	F_KEY = 1,
	F_REQUIRED = 2,
	F_PARENT = 4, /* the REF that a CHILD is named within */
	F_ADVANCED = 8,
	F_HASH = 16,   /* SECRET: kept as a yescrypt hash (passwords) */
	F_DIGEST = 32, /* SECRET: kept as SHA-256 (keys made by us, of full entropy) */
	F_L4 = 64,     /* of a service or server: only in the modes of layer 4 */
	F_L7 = 128,    /* only in the modes of layer 7 */
	F_HTTP = 256,  /* of those only in mode http */
};
enum { O_CHILD = 1, O_SINGLE = 2, O_NAMELESS = 4 };
enum effect { EFFECT_LIVE, EFFECT_PART, EFFECT_DAEMON };
enum scope { SCOPE_SHARED, SCOPE_LOCAL, SCOPE_OPER, SCOPE_OBSERVED };
#define SCOPES 3 /* that are stored */

enum pem_blocks { PEM_certificates, PEM_crls };

#define RANGES_MAX 32
struct ranges {
	uint16_t n;
	struct {
		uint16_t lo, hi;
	} r[];
};
#define ADDRS_MAX 64 /* items of one list */
struct addr_range {
	struct addr lo, hi; /* hosts of one family, lo <= hi */
};
struct addrs {
	uint16_t n;
	uint32_t total; /* addresses in all */
	struct addr_range r[];
};
struct host {
	const char *text; /* as written */
	struct addr addr; /* family 0: text is a DNS name */
};

struct word {
	int number;
	const char *text, *help;
};
struct words {
	const char *name;
	const struct word *w;
	unsigned n;
};

#define ENUM_BEGIN(list) enum list {
#define WORD(list, number, word, help) list##_##word = number,
#define ENUM_END(list) \
	}              \
	;
#include "schema/enums.def"
#undef ENUM_BEGIN
#undef WORD
#undef ENUM_END

#define OBJECT(number, cname, name, plural, scope, flags, parent, aliases, help) \
	KIND_##cname = number,
enum kind {
#include "schema/objects.def"
};
#undef OBJECT
#define OBJECT(number, cname, name, plural, scope, flags, parent, aliases, help) +1
enum {
	KINDS = 0
#include "schema/objects.def"
};
#undef OBJECT
#define FIELDS_MAX 128

/* The structs. The empty member named after the tag makes a repeated tag an error. */
#define C_NAME const char *
#define C_TEXT const char *
#define C_TCHAR const char *
#define C_LABELS const char *
#define C_HOST struct host
#define C_ADDR struct addr
#define C_NET struct addr
#define C_CIDR struct addr
#define C_RANGES const struct ranges *
#define C_ADDRS const struct addrs *
#define C_PEM(what) const char *
#define C_LINES const char *
#define C_ENUM(list) uint8_t
#define C_U16 uint16_t
#define C_U32 uint32_t
#define C_I16 int16_t
#define C_DUR_MS uint32_t
#define C_DUR_S uint32_t
#define C_BYTES uint64_t
#define C_PCT uint8_t
#define C_SHARE uint16_t
#define C_BOOL bool
#define C_TIME int64_t
#define C_REF(object) uint32_t
#define C_SECRET uint32_t
#define FIELD(tag, name, type, min, max, def, effect, flags, since, label, help) \
	C_##type name;                                                           \
	char tag_##tag[0];
#define RETIRED(tag) char tag_##tag[0];
struct setting {
	uint32_t id;
#include "schema/setting.def"
};
struct node {
	uint32_t id;
#include "schema/node.def"
};
struct iface {
	uint32_t id;
#include "schema/iface.def"
};
struct check {
	uint32_t id;
#include "schema/check.def"
};
struct fip {
	uint32_t id;
#include "schema/fip.def"
};
struct service {
	uint32_t id;
#include "schema/service.def"
};
struct server {
	uint32_t id;
#include "schema/server.def"
};
struct user {
	uint32_t id;
#include "schema/user.def"
};
struct token {
	uint32_t id;
#include "schema/token.def"
};
struct admin {
	uint32_t id;
#include "schema/admin.def"
};
struct natrule {
	uint32_t id;
#include "schema/natrule.def"
};
struct ha_carrier {
	uint32_t id;
#include "schema/ha_carrier.def"
};
struct pingnode {
	uint32_t id;
#include "schema/pingnode.def"
};
struct track {
	uint32_t id;
#include "schema/track.def"
};
struct notify {
	uint32_t id;
#include "schema/notify.def"
};
struct vroute {
	uint32_t id;
#include "schema/vroute.def"
};
struct vrouter {
	uint32_t id;
#include "schema/vrouter.def"
};
struct cert {
	uint32_t id;
#include "schema/cert.def"
};
struct ca {
	uint32_t id;
#include "schema/ca.def"
};
struct tls {
	uint32_t id;
#include "schema/tls.def"
};
struct itemlist {
	uint32_t id;
#include "schema/itemlist.def"
};
struct sni {
	uint32_t id;
#include "schema/sni.def"
};
struct content_rule {
	uint32_t id;
#include "schema/rule.def"
};
struct error_page {
	uint32_t id;
#include "schema/error_page.def"
};
#undef FIELD
#undef RETIRED

struct field {
	uint16_t tag, offset, flags;
	uint8_t type, effect, since;
	uint8_t ref;		   /* kind that a REF names; enum pem_blocks of a PEM */
	const struct words *words; /* words of an ENUM */
	const char *name, *def, *label, *help;
	int64_t min, max;
};
struct object {
	uint8_t kind, scope, flags;
	uint8_t parent;	    /* kind that a CHILD is named within; 0 */
	uint8_t parent_ref; /* index in f of the REF to it */
	uint8_t n;
	uint16_t size;
	const struct field *f; /* f[0] is the KEY; sorted by tag */
	const char *cname, *name, *plural, *aliases, *help;
};
extern const struct object objects[KINDS]; /* kind k is objects[k - 1] */
extern const uint8_t
    object_order[KINDS]; /* kinds in the order of their rows: each refers only to earlier ones */

unsigned schema_version(void);			    /* the newest of its rows (column since) */
const struct object *object_of(unsigned kind);	    /* NULL when unknown */
const struct object *object_find(const char *word); /* by name, plural or alias; NULL */
/* A kind named within o, the one behind after (NULL: the first); NULL. */
const struct object *object_child(const struct object *o, const struct object *after);
const struct field *field_find(const struct object *o, const char *name);
const struct field *field_by_tag(const struct object *o, unsigned tag);
/* The known field of o (or the object, with o NULL) that looks most like text; NULL when none is near. */
const char *schema_nearest(const struct object *o, const char *text);
/* The same among any words, for verbs and enum words. */
const char *words_nearest(const char *const *words, unsigned n, const char *text);
const char *word_text(const struct words *w, int number); /* "?" when unknown */
extern const struct words protocol_list, mode_list, scheduler_list, persistence_list,
    forwarded_list, probe_list, method_list, role_list, admin_state_list, log_level_list,
    forward_list, tunnel_list, checksum_list, failure_list, stop_action_list, sync_role_list,
    assume_list, nat_kind_list, nat_protocol_list, ha_mode_list, carrier_kind_list, track_kind_list,
    track_unknown_list, notify_on_list, advertise_list, ha_roles_list, fence_mode_list,
    vrouter_family_list, vrouter_way_list, vrouter_checksum_list, tls_profile_list,
    client_auth_list, server_tls_list, server_http_list, https_redirect_list, proxy_to_list,
    access_log_list, request_id_list, rule_action_list, rule_on_list, rule_part_list,
    cookie_server_list, persist_drain_list, compress_list, uri_check_list, header_names_list,
    resolution_list, list_kind_list;
bool field_is_int(const struct field *f);

bool ranges_contain(const struct ranges *r, unsigned n);
bool addrs_contain(const struct addrs *l, const struct addr *host); /* l may be NULL */
/* 4 or 7: the layer of a service follows from its mode. */
static inline unsigned
service_layer(const struct service *s)
{
	return s->mode == mode_http || s->mode == mode_tcp ? 7 : 4;
}
/* The network of its servers matters, not only that they can be reached: they get packets of clients, or from clients' addresses. */
static inline bool
service_asks_network(const struct service *s)
{
	return service_layer(s) == 4 || s->transparent;
}

#endif
