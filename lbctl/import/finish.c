/* Services that were read become rows of ours.
 *
 * A service at one address and port is one of ours. A group of addresses, ranges and ports is one of ours as far as
 * that means the same: addresses that have the same ports are one service, so a group is as many services as there
 * are different lists of ports (and families of addresses). The mode is that of most of its servers; the others say
 * their own. With direct routing and tunnels the kernel does not look at a server's port, so it is left out. A server
 * whose source has no test gets the check that tests nothing. Names follow from addresses and ports. */
#include "import/import.h"

#include "base/must.h"
#include "schema/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 63
#define LABEL_LEN 36 /* leaves room for ports and a number */
#define PORTS_LEN 16

/* Addresses that have the same ports. */
struct class
{
	struct class *next;
	uint8_t family;
	const char *ports;
	bool every, single; /* every port; one port alone */
	uint16_t port;	    /* of a single */
	struct addr first;
	struct place at;
	struct buf more; /* further addresses */
};

static int
by_range(const void *a, const void *b)
{
	const struct import_end *x = *(const struct import_end *const *)a,
				*y = *(const struct import_end *const *)b;
	int cmp = memcmp(&x->lo, &y->lo, sizeof(x->lo));

	if (cmp == 0)
		cmp = memcmp(&x->hi, &y->hi, sizeof(x->hi));
	return cmp != 0 ? cmp : (int)x->port - (int)y->port;
}

/* Ports of n ends of one range, rising, as the text of a RANGES. */
static void
ports_text(struct import_end *const *e, unsigned n, struct buf *out)
{
	for (unsigned i = 0; i < n;) {
		unsigned lo = e[i]->port, hi = lo;

		for (i++; i < n && e[i]->port <= hi + 1; i++)
			hi = e[i]->port;
		buf_printf(out, hi == lo ? "%s%u" : "%s%u-%u", out->len > 0 ? "," : "", lo, hi);
	}
}

/* The last address but one half: lo + 1 of a range that has more than one. */
static struct addr
after(struct addr a)
{
	for (unsigned i = a.family == 4 ? 4 : 16; i-- > 0;)
		if (++a.b[i] != 0)
			break;
	return a;
}

static void
add_more(struct class *c, const struct addr *lo, const struct addr *hi)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];

	addr_format(lo, ADDR_HOST, from);
	addr_format(hi, ADDR_HOST, to);
	buf_printf(&c->more, "%s%s", c->more.len > 0 ? "," : "", from);
	if (strcmp(from, to) != 0)
		buf_printf(&c->more, "-%s", to);
}

static void
add_range(struct class *c, const struct import_end *e, bool fresh)
{
	struct addr from = e->lo;

	if (fresh) {
		c->first = e->lo;
		c->at = e->at;
		if (memcmp(&e->lo, &e->hi, sizeof(e->lo)) == 0)
			return;
		from = after(e->lo);
	}
	add_more(c, &from, &e->hi);
}

/* All ends of a service as classes, in the order of their first address. */
static struct class *
classes_of(struct import *im, const struct import_service *s)
{
	struct import_end **e = arena_alloc(im->a, (s->ends_n + 1) * sizeof(*e));
	struct class *first = NULL, **last = &first, *c;
	struct textmap seen = { 0 };
	unsigned n = 0, i, k;

	for (struct import_end *at = s->ends; at != NULL; at = at->next)
		e[n++] = at;
	qsort(e, n, sizeof(*e), by_range);
	for (i = 0; i < n; i = k) {
		struct buf key = { 0 }, ports = { 0 };

		for (k = i + 1; k < n && memcmp(&e[i]->lo, &e[k]->lo, sizeof(e[i]->lo)) == 0 &&
				memcmp(&e[i]->hi, &e[k]->hi, sizeof(e[i]->hi)) == 0;
		     k++)
			;
		if (e[i]->port == 0)
			buf_puts(&ports, "1-65535");
		else
			ports_text(e + i, k - i, &ports);
		buf_printf(&key, "%u %s", e[i]->lo.family, buf_text(&ports));
		c = textmap_get(&seen, buf_text(&key));
		if (c == NULL) {
			c = arena_alloc(im->a, sizeof(*c));
			*c = (struct class){ .family = e[i]->lo.family, .every = e[i]->port == 0 };
			c->ports = arena_text(im->a, buf_text(&ports), ports.len);
			c->single = strpbrk(c->ports, ",-") == NULL;
			c->port = e[i]->port;
			(void)textmap_put(&seen, arena_text(im->a, buf_text(&key), key.len), c);
			*last = c;
			last = &c->next;
		}
		add_range(c, e[i], c->first.family == 0);
		buf_fini(&key);
		buf_fini(&ports);
	}
	textmap_fini(&seen);
	return first;
}

/* ---- names -------------------------------------------------------------------------------------------------- */

void
import_name(struct import *im, struct import_row *r, const char *prefix, const char *wanted)
{
	char key[200];
	unsigned *number;

	(void)snprintf(key, sizeof(key), "%s%s", prefix, wanted);
	number = textmap_get(&im->numbers, key);
	if (number == NULL && textmap_get(&im->by_path, key) != NULL) {
		number = arena_alloc(im->a, sizeof(*number));
		*number = 1;
		(void)textmap_put(&im->numbers, arena_text(im->a, key, strlen(key)), number);
	}
	while (number != NULL && textmap_get(&im->by_path, key) != NULL)
		(void)snprintf(
		    key, sizeof(key), "%s%.*s-%u", prefix, NAME_MAX_LEN - 8, wanted, ++*number);
	must(textmap_put(&im->by_path, arena_text(im->a, key, strlen(key)), r));
	r->name = arena_text(im->a, key + strlen(prefix), strlen(key) - strlen(prefix));
}

static void
name_service(struct import *im, struct import_service *s, const struct class *c, bool alone)
{
	const char *protocol = import_value(&s->row, "protocol");
	struct buf b = { 0 };

	if (s->mark != 0) {
		buf_printf(&b, "mark-%u%s", s->mark, c->family == 6 ? "-v6" : "");
	} else {
		if (s->label != NULL)
			name_clean(s->label, LABEL_LEN, &b);
		else
			name_host(&c->first, &b);
		if (s->label == NULL || !alone) {
			buf_puts(&b, "-");
			name_clean(c->every ? "all" : c->ports, PORTS_LEN, &b);
		}
		if (protocol != NULL && strcmp(protocol, "tcp") != 0)
			buf_printf(&b, "-%s", protocol);
	}
	import_name(im, &s->row, "vip ", buf_text(&b));
	buf_fini(&b);
}

static void
name_server(struct import *im, const struct import_service *s, struct import_server *r)
{
	const char *port = import_value(&r->row, "port");
	struct buf b = { 0 };
	char prefix[NAME_MAX_LEN + 8];

	name_host(&r->addr, &b);
	if (port != NULL && strcmp(port, "0") != 0)
		buf_printf(&b, "-%s", port);
	(void)snprintf(prefix, sizeof(prefix), "rip %s/", s->row.name);
	import_name(im, &r->row, prefix, buf_text(&b));
	buf_fini(&b);
}

/* ---- forwarding --------------------------------------------------------------------------------------------- */

static uint8_t
forward_of(const struct import_service *s, const struct import_server *r)
{
	return r->forward != forward_service ? r->forward : s->forward;
}

/* That of most servers; the first one's when two have as many. */
static uint8_t
forward_of_most(const struct import_service *s)
{
	unsigned count[4] = { 0 };
	uint8_t best = s->servers != NULL ? forward_of(s, s->servers) : s->forward;

	for (const struct import_server *r = s->servers; r != NULL; r = r->next)
		count[forward_of(s, r)]++;
	for (uint8_t f = forward_dr; f <= forward_tun; f++)
		if (count[f] > count[best])
			best = f;
	return best;
}

static void
put_tunnel(struct import *im, struct import_row *r, const struct import_tunnel *t)
{
	if (t->type != tunnel_ipip)
		import_putf(im, r, "tunnel", "%s", word_text(&tunnel_list, t->type));
	if (t->type == tunnel_gue && t->port != 0)
		import_putf(im, r, "tunnel_port", "%u", t->port);
	if (t->type != tunnel_ipip && t->csum != checksum_none)
		import_putf(im, r, "tunnel_csum", "%s", word_text(&checksum_list, t->csum));
}

static bool
same_tunnel(const struct import_tunnel *a, const struct import_tunnel *b)
{
	return a->type == b->type &&
	       (a->type == tunnel_ipip ||
		   (a->csum == b->csum && (a->type != tunnel_gue || a->port == b->port)));
}

static void
put_forwarding(struct import *im, struct import_service *s)
{
	uint8_t mode = forward_of_most(s);
	struct import_tunnel tunnel = s->tunnel;
	const char *word = word_text(&forward_list, mode);
	struct import_server *r;

	for (r = s->servers; r != NULL && forward_of(s, r) != forward_tun; r = r->next)
		;
	if (r != NULL && r->forward == forward_tun)
		tunnel = r->tunnel;
	import_putf(im, &s->row, "mode", "%s", word);
	if (mode == forward_tun)
		put_tunnel(im, &s->row, &tunnel);
	for (r = s->servers; r != NULL; r = r->next) {
		uint8_t f = forward_of(s, r);
		const struct import_tunnel *own =
		    r->forward == forward_tun ? &r->tunnel : &s->tunnel;

		if (f == mode && (f != forward_tun || same_tunnel(own, &tunnel)))
			continue;
		import_putf(im, &r->row, "forward", "%s", word_text(&forward_list, f));
		if (f == forward_tun)
			put_tunnel(im, &r->row, own);
	}
}

static void
put_port(struct import *im, const struct import_service *s, const struct class *c,
    struct import_server *r, bool report)
{
	char what[ADDR_TEXT + 16], host[ADDR_TEXT];

	if (r->port == 0 || (c->single && r->port == c->port))
		return;
	if (forward_of(s, r) == forward_nat) {
		import_putf(im, &r->row, "port", "%u", r->port);
		return;
	}
	addr_format(&r->addr, ADDR_HOST, host);
	(void)snprintf(what, sizeof(what), "%s port %u", host, r->port);
	if (report)
		import_say(im, r->row.at, TAKEN_OTHERWISE, what,
		    "rip.port: left out: with direct routing and tunnels clients reach the port of the "
		    "virtual service");
}

/* The kernel looks at the port of a fallback as little as at that of a server. */
static void
put_fallback_port(struct import *im, struct import_service *s, bool report)
{
	const struct field *f = field_find(s->row.o, "fallback_port");
	const char *forward = import_value(&s->row, "fallback_forward");
	const char **port = &s->row.text[f - s->row.o->f], *mode = import_value(&s->row, "mode");
	char what[40];

	if (forward == NULL || strcmp(forward, "service") == 0)
		forward = mode;
	if (*port == NULL || strcmp(*port, "0") == 0 || strcmp(forward, "nat") == 0)
		return;
	(void)snprintf(what, sizeof(what), "fallback port %s", *port);
	if (report && strcmp(*port, import_value(&s->row, "ports")) != 0)
		import_say(im, s->row.at, TAKEN_OTHERWISE, what,
		    "vip.fallback_port: left out: forwarding %s leaves the port as the client sent it",
		    forward);
	*port = NULL;
}

/* ---- checks ------------------------------------------------------------------------------------------------- */

static void
set_check(
    struct import *im, struct import_row *r, const struct import_service *s, struct import_check *c)
{
	const struct field *f = field_find(r->o, "check");
	const char *kind = import_value(&c->row, "kind");

	if (c->row.name == NULL)
		import_name(im, &c->row, "check ",
		    kind != NULL && strcmp(kind, "none") == 0 ? "untested" : s->row.name);
	must(f != NULL);
	r->text[f - r->o->f] = c->row.name;
}

void
import_output_checks(struct import *im, struct import_service *s)
{
	struct import_check *common = NULL;

	for (struct import_server *r = s->servers; r != NULL; r = r->next) {
		if (r->check == NULL)
			r->check = import_untested(im, r->row.at);
		if (common == NULL) {
			common = r->check;
			set_check(im, &s->row, s, common);
		} else if (r->check != common) {
			set_check(im, &r->row, s, r->check);
		}
	}
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

struct import_service *
import_output_new(struct import *im, struct place at, struct err *err)
{
	struct import_service *s;

	if (++im->out_services_n > IMPORT_SERVICES_MAX) {
		(void)err_set(err, ERR_INVALID, "line %u: more than %u services", at.line,
		    IMPORT_SERVICES_MAX);
		return NULL;
	}
	s = arena_alloc(im->a, sizeof(*s));
	s->row = (struct import_row){ .o = object_of(KIND_service), .at = at };
	s->last_server = &s->servers;
	*im->last_out = s;
	im->last_out = &s->next;
	return s;
}

struct import_server *
import_output_server(struct import *im, struct import_service *s, struct place at, struct err *err)
{
	struct import_server *r;

	if (++im->out_servers_n > IMPORT_SERVERS_MAX) {
		(void)err_set(
		    err, ERR_INVALID, "line %u: more than %u servers", at.line, IMPORT_SERVERS_MAX);
		return NULL;
	}
	r = arena_alloc(im->a, sizeof(*r));
	r->row = (struct import_row){ .o = object_of(KIND_server), .at = at };
	*s->last_server = r;
	s->last_server = &r->next;
	return r;
}

/* A service and its servers, as they were read, once more: for one class. */
static struct import_service *
new_output(struct import *im, const struct import_service *from, struct err *err)
{
	struct import_service *s = import_output_new(im, from->row.at, err), *next;
	struct import_server *own;

	if (s == NULL)
		return NULL;
	next = s->next;
	*s = *from;
	s->next = next;
	s->servers = NULL;
	s->last_server = &s->servers;
	for (const struct import_server *r = from->servers; r != NULL; r = r->next) {
		own = import_output_server(im, s, r->row.at, err);
		if (own == NULL)
			return NULL;
		*own = *r;
		own->next = NULL;
	}
	return s;
}

/* Address and ports of the row; false: they are not allowed, which is said. */
static bool
put_place(struct import *im, struct import_service *s, struct class *c)
{
	char host[ADDR_TEXT], mark[16];
	struct err err = { 0 };
	int rc;

	addr_format(&c->first, ADDR_HOST, host);
	(void)snprintf(mark, sizeof(mark), "%u", s->mark);
	rc = import_put(im, &s->row, "address", host, &err);
	if (rc == 0 && s->mark != 0)
		rc = import_put(im, &s->row, "mark", mark, &err);
	if (rc == 0)
		rc = import_put(im, &s->row, "ports", c->ports, &err);
	if (rc == 0 && c->more.len > 0)
		rc = import_put(im, &s->row, "more_addresses", buf_text(&c->more), &err);
	if (rc != 0)
		import_say(im, s->row.at, NOT_TAKEN, s->label != NULL ? s->label : host,
		    "vip %s: the service is left out", err.text);
	return rc == 0;
}

static int
finish_class(struct import *im, const struct import_service *from, struct class *c, bool first,
    bool alone, struct err *err)
{
	struct import_service *s = new_output(im, from, err);
	char host[ADDR_TEXT];

	if (s == NULL)
		return ERR_INVALID;
	if (!put_place(im, s, c)) {
		s->row.left_out = true;
		s->row.name = "";
		return 0;
	}
	name_service(im, s, c, alone);
	for (struct import_server *r = s->servers; r != NULL; r = r->next) {
		addr_format(&r->addr, ADDR_HOST, host);
		import_putf(im, &r->row, "address", "%s", host);
		put_port(im, s, c, r, first);
	}
	put_forwarding(im, s);
	put_fallback_port(im, s, first);
	import_output_checks(im, s);
	for (struct import_server *r = s->servers; r != NULL; r = r->next)
		name_server(im, s, r);
	return 0;
}

/* A mark has no address, and a service of ours needs one that floats: the one that was given for it. */
static int
finish_mark(struct import *im, struct import_service *s, struct err *err)
{
	struct class c = { .family = s->family, .ports = "1-65535", .every = true };
	char what[32];

	(void)snprintf(what, sizeof(what), "mark %u", s->mark);
	if (c.family == 0)
		c.family = s->servers != NULL ? s->servers->addr.family : 4;
	if (im->mark_address.family != c.family) {
		import_say(im, s->row.at, NOT_TAKEN, what,
		    "the whole service is left out: a mark has no address, and a vip needs the one that its "
		    "clients use; say it with --address%s",
		    im->mark_address.family != 0 ? " (of the family of its servers)" : "");
		return 0;
	}
	c.first = im->mark_address;
	import_say(im, s->row.at, TAKEN_OTHERWISE, what,
	    "vip.mark: the mark comes from firewall rules of your own, which stay as they are; its address is "
	    "that of --address");
	return finish_class(im, s, &c, true, true, err);
}

int
import_finish(struct import *im, struct err *err)
{
	int rc = 0;

	for (struct import_service *s = im->services; rc == 0 && s != NULL; s = s->next) {
		struct class *all, *c;

		if (s->mark != 0) {
			rc = finish_mark(im, s, err);
			continue;
		}
		all = classes_of(im, s);
		for (c = all; c != NULL; c = c->next) {
			if (rc == 0)
				rc = finish_class(im, s, c, c == all, all->next == NULL, err);
			buf_fini(&c->more);
		}
	}
	return rc;
}

struct import_row *
import_find(const struct import *im, const char *object)
{
	return textmap_get(&im->by_path, object);
}
