/* ldirectord.cf: "name = value" lines; those below virtual= that are indented belong to that service.
 *
 * Services are read first; what is said for all of them (which may stand below them) is known at the end, and only
 * then are checks and the fallback made. A password is never repeated.
 * Source of directives and defaults: ldirectord(8) and what its read_config takes. */
#include "import/ldirectord.h"
#include "import/text.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REALS_MAX 256 /* addresses of one range of real servers */

/* A real= line that waits for the end of its service. */
struct real {
	struct real *next;
	struct place at;
	const char *request, *receive;
	struct import_server *first; /* and all after it, n in all */
	unsigned n;
};
struct vs {
	struct vs *next;
	struct ld_virtual v;
	struct real *reals, **last_real;
};
struct reader {
	struct import *im;
	struct err *err;
	struct place at;
	struct ld_common global;
	struct vs *first, **last, *now; /* now: NULL outside of a service */
	bool skip; /* the service could not be taken: nor is what belongs to it */
};

/* One directive. */
struct dir {
	const char *name, *value; /* without quotes */
	bool quoted;
	const char *what; /* as it stands in the file, for the report */
};

static const struct ld_common nothing_said = {
	.checktimeout = -1, .negotiatetimeout = -1, .interval = -1, .failures = -1, .quiescent = -1
};

static void
say(struct reader *r, const struct dir *d, enum taken how, const char *why)
{
	import_say(r->im, r->at, how, d->what, "%s", why);
}

static void
take(struct reader *r, const struct dir *d, const char *field, const char *value)
{
	(void)import_take(r->im, &r->now->v.s->row, r->at, d->what, field, value, NULL);
}

/* ---- services and servers ----------------------------------------------------------------------------------- */

static int
on_virtual(struct reader *r, const struct dir *d)
{
	struct vs *vs = arena_alloc(r->im->a, sizeof(*vs));
	struct import_end end = { .at = r->at };
	uint32_t mark = 0;

	r->skip = true;
	r->now = NULL;
	if (!text_number(d->value, UINT32_MAX, &mark) &&
	    (!text_endpoint(d->value, "tcp", &end.lo, &end.port) || end.port == 0)) {
		say(r, d, NOT_TAKEN,
		    "vip.address: an address with a port, or a mark, is needed; names are not resolved. The "
		    "whole service is left out");
		return 0;
	}
	vs->v.s = import_service_new(r->im, r->at, r->err);
	if (vs->v.s == NULL)
		return ERR_INVALID;
	r->skip = false;
	end.hi = end.lo;
	vs->last_real = &vs->reals;
	vs->v.own = nothing_said;
	vs->v.port = end.port;
	vs->v.protocol = end.port == 53 ? "udp" : "tcp";
	vs->v.s->mark = mark;
	vs->v.s->family = mark != 0 ? (strcmp(d->name, "virtual6") == 0 ? 6 : 4) : 0;
	import_putf(r->im, &vs->v.s->row, "scheduler", "wrr");
	*r->last = vs;
	r->last = &vs->next;
	r->now = vs;
	say(r, d, TAKEN, "vip.address, vip.ports");
	return mark == 0 ? import_end_add(r->im, vs->v.s, &end, r->err) : 0;
}

/* The next word of a value, quoted or not; NULL at its end. Cuts the text up. */
static char *
next_word(char **at, bool *quoted)
{
	char *p = *at + strspn(*at, " \t,"), *end;

	*quoted = *p == '"';
	if (*p == '\0')
		return NULL;
	p += *quoted;
	end = p + strcspn(p, *quoted ? "\"" : " \t,");
	*at = *end != '\0' ? end + 1 : end;
	*end = '\0';
	return p;
}

static bool
forward_word(const char *word, uint8_t *out)
{
	if (strcmp(word, "gate") == 0)
		*out = forward_dr;
	else if (strcmp(word, "masq") == 0)
		*out = forward_nat;
	else if (strcmp(word, "ipip") == 0)
		*out = forward_tun;
	else
		return false;
	return true;
}

/* "A:PORT" or "A->B:PORT". */
static bool
real_range(char *text, const char *protocol, struct addr *lo, struct addr *hi, uint16_t *port)
{
	char *arrow = strstr(text, "->");
	uint16_t none;

	if (arrow == NULL) {
		if (!text_endpoint(text, protocol, lo, port))
			return false;
		*hi = *lo;
		return true;
	}
	*arrow = '\0';
	return text_endpoint(text, protocol, lo, &none) && none == 0 &&
	       text_endpoint(arrow + 2, protocol, hi, port) && lo->family == 4 && hi->family == 4 &&
	       memcmp(lo->b, hi->b, sizeof(lo->b)) <= 0;
}

static uint32_t
v4_number(const struct addr *a)
{
	return (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 | (uint32_t)a->b[2] << 8 | a->b[3];
}

static struct addr
next_address(struct addr a)
{
	for (unsigned i = 4; i-- > 0;)
		if (++a.b[i] != 0)
			break;
	return a;
}

static int
add_reals(struct reader *r, struct real *real, struct addr a, const struct addr *hi, uint16_t port,
    uint8_t forward)
{
	struct import_server *s;

	for (;; a = next_address(a)) {
		s = import_server_new(r->im, r->now->v.s, r->at, r->err);
		if (s == NULL)
			return ERR_INVALID;
		s->addr = a;
		s->port = port;
		s->forward = forward;
		if (real->n++ == 0)
			real->first = s;
		if (memcmp(a.b, hi->b, sizeof(a.b)) == 0)
			return 0;
	}
}

/* The words behind the forwarding method: a weight, and a pair of request and receive. */
static void
real_options(
    struct reader *r, const struct dir *d, struct real *real, char *rest, const char **weight)
{
	bool quoted;
	char *w;

	while ((w = next_word(&rest, &quoted)) != NULL) {
		if (!quoted)
			*weight = w;
		else if (real->request == NULL)
			real->request = arena_text(r->im->a, w, strlen(w));
		else if (real->receive == NULL)
			real->receive = arena_text(r->im->a, w, strlen(w));
		else
			say(r, d, NOT_TAKEN, "rip: there is one pair of request and receive");
	}
}

static int
on_real(struct reader *r, const struct dir *d)
{
	char *rest = arena_text(r->im->a, d->value, strlen(d->value)), *where, *method;
	struct real *real = arena_alloc(r->im->a, sizeof(*real));
	uint8_t forward = forward_nat;
	const char *weight = "1";
	struct err err = { 0 };
	struct addr lo, hi;
	bool quoted;
	uint16_t port;
	int rc;

	where = next_word(&rest, &quoted);
	method = next_word(&rest, &quoted);
	if (where == NULL || !real_range(where, r->now->v.protocol, &lo, &hi, &port)) {
		say(r, d, NOT_TAKEN, "rip.address: an address is needed; names are not resolved");
		return 0;
	}
	if (lo.family == 4 && v4_number(&hi) - v4_number(&lo) >= REALS_MAX) {
		say(r, d, NOT_TAKEN, "rip: a range of more than 256 servers");
		return 0;
	}
	if (method == NULL || !forward_word(method, &forward)) {
		say(r, d, NOT_TAKEN, "rip.forward: gate, masq or ipip is needed");
		return 0;
	}
	*real = (struct real){ .at = r->at };
	real_options(r, d, real, rest, &weight);
	rc = add_reals(r, real, lo, &hi, port, forward);
	for (struct import_server *s = real->first; rc == 0 && s != NULL; s = s->next)
		if (import_put(r->im, &s->row, "weight", weight, &err) != 0)
			break;
	if (err.code != 0)
		import_say(r->im, r->at, NOT_TAKEN, d->what, "rip %s", err.text);
	else if (rc == 0)
		say(r, d, TAKEN, "rip");
	*r->now->last_real = real;
	r->now->last_real = &real->next;
	return rc;
}

/* ---- directives of a service --------------------------------------------------------------------------------- */

static void
on_netmask(struct reader *r, const struct dir *d)
{
	const struct import_service *s = r->now->v.s;
	unsigned family = s->ends != NULL ? s->ends->lo.family : s->family;
	int bits = text_mask(d->value, family);
	char text[16];

	if (bits < 0) {
		say(r, d, NOT_TAKEN,
		    "vip.persist_mask: its bits must lead, as 255.255.255.0 or 64");
		return;
	}
	(void)snprintf(text, sizeof(text), "%d", bits == (family == 6 ? 128 : 32) ? 128 : bits);
	take(r, d, "persist_mask", text);
}

static void
on_protocol(struct reader *r, const struct dir *d)
{
	bool udp = strcmp(d->value, "udp") == 0;

	if (strcmp(d->value, "fwm") == 0 && r->now->v.port == 0) {
		say(r, d, TAKEN, "vip.mark");
		return;
	}
	if (!udp && strcmp(d->value, "tcp") != 0) {
		say(r, d, NOT_TAKEN, "vip.protocol: tcp or udp; fwm with a mark");
		return;
	}
	r->now->v.protocol = udp ? "udp" : "tcp";
	say(r, d, TAKEN, "vip.protocol");
}

static void
on_persistent(struct reader *r, const struct dir *d)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "%.20ss", d->value);
	import_putf(r->im, &r->now->v.s->row, "persistence", "source");
	take(r, d, "persist_timeout", text);
}

static void
on_ops(struct reader *r, const struct dir *d)
{
	take(r, d, "one_packet", d->value);
}

static void
on_scheduler(struct reader *r, const struct dir *d)
{
	take(r, d, "scheduler", d->value);
}

static void
on_checkport(struct reader *r, const struct dir *d)
{
	uint32_t port;

	if (!text_number(d->value, UINT16_MAX, &port) || port == 0) {
		say(r, d, NOT_TAKEN, "check.port: 1 to 65535");
		return;
	}
	r->now->v.checkport = (int)port;
	say(r, d, TAKEN, "check.port");
}

/* What is said about a test is judged together, at the end (ld_report). The last one counts, as there. */
static bool
on_test(struct reader *r, const struct dir *d)
{
	struct ld_virtual *v = &r->now->v;
	const struct {
		const char *name;
		struct ld_said *at;
	} rows[] = { { "checktype", &v->checktype }, { "service", &v->service },
		{ "request", &v->request }, { "receive", &v->receive }, { "virtualhost", &v->host },
		{ "httpmethod", &v->method } };

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(d->name, rows[i].name) != 0)
			continue;
		if (rows[i].at->value != NULL)
			import_say(r->im, rows[i].at->at, TAKEN_OTHERWISE, rows[i].at->what,
			    "said again on line %u, which counts", r->at.line);
		*rows[i].at = (struct ld_said){ d->value, d->what, r->at };
		return true;
	}
	return false;
}

static const struct {
	const char *name;
	void (*fn)(struct reader *r, const struct dir *d);
} of_service[] = {
	{ "scheduler", on_scheduler },
	{ "persistent", on_persistent },
	{ "netmask", on_netmask },
	{ "protocol", on_protocol },
	{ "ops", on_ops },
	{ "checkport", on_checkport },
};

/* ---- directives of both --------------------------------------------------------------------------------------- */

static void
on_number(struct reader *r, const struct dir *d, int *at, const char *field)
{
	uint32_t v;

	if (!text_number(d->value, 86400, &v) || v == 0) {
		say(r, d, NOT_TAKEN, "a number from 1 to 86400 is needed");
		return;
	}
	*at = (int)v;
	say(r, d, TAKEN, field);
}

static bool
on_common(struct reader *r, const struct dir *d, struct ld_common *c)
{
	const char *n = d->name;

	if (strcmp(n, "checktimeout") == 0)
		on_number(r, d, &c->checktimeout, "check.timeout");
	else if (strcmp(n, "negotiatetimeout") == 0)
		on_number(r, d, &c->negotiatetimeout, "check.timeout");
	else if (strcmp(n, "checkinterval") == 0)
		on_number(r, d, &c->interval, "check.interval");
	else if (strcmp(n, "failurecount") == 0)
		on_number(r, d, &c->failures, "check.fall");
	else if (strcmp(n, "quiescent") == 0) {
		c->quiescent = strcmp(d->value, "yes") == 0;
		say(r, d, TAKEN, "vip.on_failure");
	} else if (strcmp(n, "fallback") == 0 || strcmp(n, "fallback6") == 0) {
		c->fallback[n[8] == '6'] = (struct ld_said){ d->value, d->what, r->at };
		say(r, d, TAKEN, "vip.fallback");
	} else
		return false;
	return true;
}

/* What is known of ldirectord and has no field here: why, and what to do. */
static const struct {
	const char *name, *why;
	bool secret; /* its value is never repeated */
} unsupported[] = {
	{ "checkcount", "only counts pings; for failed checks it is fall of the check", false },
	{ "checkcommand", "scripts are not run; choose a check of kind http or tcp", false },
	{ "autoreload", "a change is made with lbctl or the panel and is in force at once", false },
	{ "callback", "scripts are not run; nodes of a pair tell each other", false },
	{ "fallbackcommand", "scripts are not run; lbctl events -f tells of changes", false },
	{ "logfile", "changes of state are in the journal: lbctl log", false },
	{ "emailalert", "no mail is sent; lbctl events -f tells of changes", false },
	{ "emailalertfrom", "no mail is sent; lbctl events -f tells of changes", false },
	{ "emailalertfreq", "no mail is sent; lbctl events -f tells of changes", false },
	{ "emailalertstatus", "no mail is sent; lbctl events -f tells of changes", false },
	{ "smtp", "no mail is sent; lbctl events -f tells of changes", false },
	{ "execute", "name that file in an import of its own", false },
	{ "supervised", "daemons are kept by systemd, or by lbctl run", false },
	{ "fork", "one daemon tests all servers, without waiting for slow ones", false },
	{ "readdquiescent", "what becomes of a server that fails is on_failure of its vip", false },
	{ "cleanstop", "is a setting of the whole: lbctl set setting ipvs_stop=leave or clear",
	    false },
	{ "maintenancedir", "a server is taken out with: lbctl halt VIP/RIP", false },
	{ "monitorfile", "each probe can be seen with: lbctl check run VIP/RIP", false },
	{ "load", "the scheduler decides without it", false },
	{ "login", "no check logs in; choose a check of kind http or tcp", false },
	{ "passwd", "no check logs in; choose a check of kind http or tcp", true },
	{ "database", "no check logs in; choose a check of kind http or tcp", false },
	{ "secret", "no check logs in; choose a check of kind http or tcp", true },
};

static void
on_unsupported(struct reader *r, const struct dir *d)
{
	for (unsigned i = 0; i < ARRAY_LEN(unsupported); i++) {
		if (strcmp(d->name, unsupported[i].name) != 0)
			continue;
		import_say(r->im, r->at, NOT_TAKEN, unsupported[i].secret ? d->name : d->what, "%s",
		    unsupported[i].why);
		return;
	}
	say(r, d, NOT_TAKEN, "ldirectord does not know it");
}

static int
on_directive(struct reader *r, const struct dir *d, bool indented)
{
	const char *n = d->name;

	if (strcmp(n, "virtual") == 0 || strcmp(n, "virtual6") == 0)
		return on_virtual(r, d);
	if (!indented) {
		r->now = NULL;
		r->skip = false;
	}
	if (r->skip) {
		say(r, d, NOT_TAKEN, "its service is left out");
		return 0;
	}
	if (r->now != NULL && (strcmp(n, "real") == 0 || strcmp(n, "real6") == 0))
		return on_real(r, d);
	for (unsigned i = 0; r->now != NULL && i < ARRAY_LEN(of_service); i++) {
		if (strcmp(n, of_service[i].name) == 0) {
			of_service[i].fn(r, d);
			return 0;
		}
	}
	if (r->now != NULL && on_test(r, d))
		return 0;
	if (!on_common(r, d, r->now != NULL ? &r->now->v.own : &r->global))
		on_unsupported(r, d);
	return 0;
}

/* ---- lines ---------------------------------------------------------------------------------------------------- */

/* "name = value", "name => value"; quotes around the whole value are taken off. */
static int
read_line(struct reader *r, char *line)
{
	bool indented = *line == ' ' || *line == '\t';
	struct dir d = { 0 };
	char *name, *eq, *value, *end;

	if (indented)
		line[strcspn(line, "#")] = '\0'; /* within quotes too, as there */
	for (end = line + strlen(line); end > line && strchr(" \t\r", end[-1]) != NULL; end--)
		;
	*end = '\0';
	name = line + strspn(line, " \t");
	if (*name == '\0' || *name == '#')
		return 0;
	d.what = arena_text(r->im->a, name, strlen(name));
	eq = name + strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");
	value = eq + strspn(eq, " \t");
	if (eq == name || *value != '=')
		return err_set(r->err, ERR_INVALID,
		    "line %u: not of the form name = value, as ldirectord.cf has it", r->at.line);
	value += value[1] == '>' ? 2 : 1;
	value += strspn(value, " \t");
	*eq = '\0';
	d.quoted =
	    *value == '"' && end > value + 1 && end[-1] == '"' && strchr(value + 1, '"') == end - 1;
	if (d.quoted) {
		end[-1] = '\0';
		value++;
	}
	d.name = name;
	d.value = value;
	return on_directive(r, &d, indented);
}

/* ---- the end --------------------------------------------------------------------------------------------------- */

static void
put_fallback(struct reader *r, struct vs *vs)
{
	const struct import_service *s = vs->v.s;
	bool v6 = s->ends != NULL ? s->ends->lo.family == 6 : s->family == 6;
	const struct ld_said *d = vs->v.own.fallback[v6].value != NULL ? &vs->v.own.fallback[v6]
								       : &r->global.fallback[v6];
	uint8_t forward = forward_service;
	char *rest, *where, *method, host[ADDR_TEXT];
	struct addr a;
	uint16_t port;
	bool quoted;

	if (d->value == NULL)
		return;
	rest = arena_text(r->im->a, d->value, strlen(d->value));
	where = next_word(&rest, &quoted);
	method = next_word(&rest, &quoted);
	if (where == NULL || !text_endpoint(where, vs->v.protocol, &a, &port) ||
	    (method != NULL && !forward_word(method, &forward))) {
		import_say(r->im, d->at, NOT_TAKEN, d->what,
		    "vip.fallback: ADDRESS:PORT and gate, masq or ipip; names are not resolved");
		return;
	}
	addr_format(&a, ADDR_HOST, host);
	import_putf(r->im, &vs->v.s->row, "fallback", "%s", host);
	if (port != 0 && port != vs->v.port)
		import_putf(r->im, &vs->v.s->row, "fallback_port", "%u", port);
	if (forward != forward_service)
		import_putf(r->im, &vs->v.s->row, "fallback_forward", "%s",
		    word_text(&forward_list, forward));
}

static void
put_failure(struct reader *r, struct vs *vs)
{
	int quiescent = vs->v.own.quiescent >= 0 ? vs->v.own.quiescent : r->global.quiescent;

	if (quiescent < 0)
		import_say(r->im, vs->v.s->row.at, TAKEN_OTHERWISE, "quiescent is not said",
		    "vip.on_failure: remove, as ldirectord does today; older ones meant quiesce");
	import_putf(
	    r->im, &vs->v.s->row, "on_failure", "%s", quiescent == 1 ? "quiesce" : "remove");
}

static void
finish_service(struct reader *r, struct vs *vs)
{
	bool off = vs->v.checktype.value != NULL && strcmp(vs->v.checktype.value, "off") == 0;

	if (vs->v.s->mark == 0)
		import_putf(r->im, &vs->v.s->row, "protocol", "%s", vs->v.protocol);
	put_fallback(r, vs);
	put_failure(r, vs);
	ld_report(r->im, &vs->v, &r->global);
	for (struct real *real = vs->reals; real != NULL; real = real->next) {
		struct import_server *s = real->first;

		for (unsigned i = 0; i < real->n; i++, s = s->next) {
			s->check = i > 0 ? real->first->check
					 : ld_check(r->im, &vs->v, &r->global, real->request,
					       real->receive, real->at);
			if (off)
				import_putf(r->im, &s->row, "weight", "0");
		}
	}
}

int
import_ldirectord(struct import *im, const char *text, size_t len, struct err *err)
{
	struct reader r = { .im = im, .err = err };
	const char *p = text, *end = text + len;
	int rc = 0;

	r.last = &r.first;
	r.global = nothing_said;
	while (rc == 0 && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);

		if (++r.at.line > IMPORT_LINES_MAX)
			rc = err_set(err, ERR_INVALID, "more than %u lines", IMPORT_LINES_MAX);
		else if (memchr(p, '\0', n) != NULL)
			rc = err_set(
			    err, ERR_INVALID, "line %u: a NUL has no place in a text", r.at.line);
		else
			rc = read_line(&r, arena_text(im->a, p, n));
		p = nl != NULL ? nl + 1 : end;
	}
	for (struct vs *vs = r.first; rc == 0 && vs != NULL; vs = vs->next)
		finish_service(&r, vs);
	return rc;
}
