/* import.h - what was read of a foreign configuration, before it becomes rows of ours; and the report on each of its
 * directives. Parsers are pure: text in, services and report out. All memory is the arena's. */
#ifndef LBCTL_IMPORT_IMPORT_H
#define LBCTL_IMPORT_IMPORT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "schema/schema.h"

#define IMPORT_BYTES_MAX (16U << 20)
#define IMPORT_LINES_MAX 500000
#define IMPORT_SERVICES_MAX 20000
#define IMPORT_SERVERS_MAX 200000
#define IMPORT_ENDS_MAX 1024 /* addresses and ranges of one service */
#define IMPORT_WORDS_MAX 64  /* of one directive */
#define IMPORT_DEPTH_MAX 16  /* blocks within blocks */

struct place {
	const char *file; /* an included one; NULL: the file itself */
	unsigned line;	  /* from 1; 0: nowhere */
};

/* What became of a directive. */
enum taken { TAKEN, TAKEN_OTHERWISE, NOT_TAKEN, TAKEN_KINDS };
struct report_line {
	struct report_line *next;
	struct place at;
	enum taken how;
	const char *what, *why; /* why "": nothing to say */
};

/* A row of ours in the making: texts as value_format writes them, by the index of the field; NULL: the default. */
struct import_row {
	const struct object *o;
	struct place at;
	const char *name;	       /* NULL until import_finish */
	const struct import_row *with; /* it is written with that one alone; NULL: for itself */
	bool left_out, hidden;	       /* refused by the rules; refused on this node only */
	struct import_extra *kids,
	    *last_kid; /* of one kind that is CHILD of this one; not servers */
	const char *text[FIELDS_MAX];
};
struct import_check {
	struct import_check *next;
	struct import_row row;
	bool used;
};
/* A row of a kind that belongs to no service (fip, route, vrrp, track, tls), or within another row. */
struct import_extra {
	struct import_extra *next;
	struct import_row row;
};
struct import_tunnel {
	uint8_t type;  /* enum tunnel */
	uint8_t csum;  /* enum checksum */
	uint16_t port; /* 0: not said */
};
struct import_server {
	struct import_server *next;
	struct import_row row;
	struct addr addr;
	uint16_t port;	 /* 0: that of the service */
	uint8_t forward; /* enum forward; forward_service: as the service */
	struct import_tunnel tunnel;
	struct import_check *check; /* NULL: not tested */
};
/* Addresses lo to hi at one port; 0 is every port. */
struct import_end {
	struct import_end *next;
	struct place at;
	struct addr lo, hi;
	uint16_t port;
};
struct import_service {
	struct import_service *next;
	struct import_row row;
	const char *label; /* a name that the source gives it; NULL: none */
	struct import_end *ends, **last_end;
	unsigned ends_n;
	uint32_t mark;	 /* 0: by address */
	uint8_t family;	 /* of a mark: 4, 6, or 0: that of its servers */
	uint8_t forward; /* of servers that do not say; enum forward, not forward_service */
	struct import_tunnel tunnel;
	struct import_server *servers, **last_server;
};

struct textmap_slot {
	const char *key;
	void *value;
};
struct textmap { /* texts to pointers; { 0 } is empty */
	struct textmap_slot *slot;
	unsigned n, cap;
};
void textmap_fini(struct textmap *m);
void *textmap_get(const struct textmap *m, const char *key); /* NULL */
/* textmap_put - key is borrowed; false: it was there, and stays as it was. */
bool textmap_put(struct textmap *m, const char *key, void *value);

/* Asked for the text of files that are included; each is called for every file, in order. -errno or a code, with err. */
typedef int (*import_each_fn)(
    void *arg, const char *file, const char *text, size_t len, struct err *err);
typedef int (*import_include_fn)(void *arg, const char *pattern, const char *from,
    import_each_fn each, void *each_arg, struct err *err);

struct import {
	struct arena *a;
	struct addr mark_address;  /* for services that are known by a mark only; family 0: none */
	import_include_fn include; /* NULL: files are not included */
	void *include_arg;
	/* Filled by a parser. */
	struct import_service *services, **last_service;
	unsigned services_n, servers_n;
	struct import_check *checks, **last_check;
	struct import_extra *extras, **last_extra;
	struct textmap check_by_text;
	/* Filled by import_finish. */
	struct import_service *out, **last_out;
	unsigned out_services_n, out_servers_n;
	struct textmap by_path; /* "vip web", "rip web/a", "check web" to the row */
	struct textmap
	    numbers; /* a name that was wanted more than once to the number that it had last */
	/* The report. */
	struct report_line *report, **last_line;
	unsigned count[TAKEN_KINDS];
};
void import_init(struct import *im);
void import_fini(struct import *im);

/* The parsers. ERR_INVALID, with the line, when the text is not of that form at all; a directive that means nothing to
 * us is a line of the report instead. text ends with NUL. */
int import_ipvs(struct import *im, const char *text, size_t len, struct err *err);
int import_ldirectord(struct import *im, const char *text, size_t len, struct err *err);
int import_keepalived(struct import *im, const char *text, size_t len, struct err *err);
int import_haproxy(struct import *im, const char *text, size_t len, struct err *err);

/* import_finish - services as rows with names: one of ours for each service that was read, or several where a group
 * means more than one of ours can. Adds to the report. Once, after the parser. ERR_INVALID: more than the limits. */
int import_finish(struct import *im, struct err *err);
/* import_reach - this rule is refused for its order: it and its neighbours that are never reached are left out, and said. false: none
 * is. */
bool import_reach(struct import *im, const struct import_row *rule);
/* import_write - all rows that are neither left out nor (with hide) hidden, as YAML below a comment. */
void import_write(struct import *im, bool hide, const char *title, struct buf *out);
/* import_output_new - a service as it will be written, for parsers that know all of it; NULL: the limit. */
struct import_service *import_output_new(struct import *im, struct place at, struct err *err);
/* import_output_server - one of its servers; NULL: the limit. import_output_checks - checks are named, and named by them. */
struct import_server *import_output_server(
    struct import *im, struct import_service *s, struct place at, struct err *err);
void import_output_checks(struct import *im, struct import_service *s);
/* import_find - the row that an error calls "rip web/a"; NULL. */
struct import_row *import_find(const struct import *im, const char *object);

/* row.c: rows, and the report. */
struct import_service *import_service_new(struct import *im, struct place at, struct err *err);
struct import_server *import_server_new(
    struct import *im, struct import_service *s, struct place at, struct err *err);
/* import_service_like - another service, with the fields and the servers of one, at no address. */
struct import_service *import_service_like(
    struct import *im, const struct import_service *s, struct err *err);
int import_end_add(
    struct import *im, struct import_service *s, const struct import_end *e, struct err *err);
/* import_extra_new - one of a kind that is not CHILD, without a name. import_name - the name, or that with a number, when it
 * is another row's. prefix: "vip ", "rip web/", "fip ". */
struct import_row *import_extra_new(struct import *im, enum kind kind, struct place at);
/* import_kid_new - a row within that one; import_kid_name - the same as import_name, when its parent has its name. */
struct import_row *import_kid_new(
    struct import *im, struct import_row *parent, enum kind kind, struct place at);
void import_kid_name(
    struct import *im, struct import_row *r, const struct import_row *parent, const char *wanted);
void import_name(struct import *im, struct import_row *r, const char *prefix, const char *wanted);
/* import_put - the value into the field, in canonical form. ERR_INVALID with the field and what is allowed. */
int import_put(
    struct import *im, struct import_row *r, const char *field, const char *value, struct err *err);
void import_putf(struct import *im, struct import_row *r, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5))); /* a value that is allowed for certain */
/* import_take - import_put, and its line of the report: the difference (NULL: none), or why it cannot be taken. */
bool import_take(struct import *im, struct import_row *r, struct place at, const char *what,
    const char *field, const char *value, const char *difference);
/* import_say - a line of the report; what is shown with value_show. */
void import_say(struct import *im, struct place at, enum taken how, const char *what,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* import_check_intern - the check with these texts: one that is there already, or r as a new one. */
struct import_check *import_check_intern(struct import *im, const struct import_row *r);
/* import_untested - the check that tests nothing. */
struct import_check *import_untested(struct import *im, struct place at);
const char *import_value(const struct import_row *r, const char *field); /* NULL: not set */
/* import_text - where its text is, to be set as value_format writes it, or to NULL. */
const char **import_text(struct import_row *r, const char *field);
/* import_report - all lines and the sums, as text. sorted by place in the source. */
void import_report(const struct import *im, struct buf *out);

/* name.c: pure. */
/* name_host - an address as part of a name: "10.0.0.1", "fd00--1". */
void name_host(const struct addr *a, struct buf *out);
/* name_clean - any text as a name of the schema: other characters become "-", at most max characters. */
void name_clean(const char *text, unsigned max, struct buf *out);

#endif
