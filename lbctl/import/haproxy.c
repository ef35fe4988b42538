/* An HAProxy configuration: lines, sections, and what a section has of its defaults.
 *
 * Sections are read one after the other; what refers to others (backends, acls, certificates) is understood at the end,
 * in haproxy_finish.c. Lines between .if and .endif are for some machines only, and a line with a variable of the
 * environment means what only that machine knows: both are said, and not followed. */
#include "import/haproxy.h"

#include <stdio.h>
#include <string.h>

#define LEFT_OUT "its section is left out"

struct reader {
	struct hap h;
	unsigned section; /* 0: none yet */
	struct hap_proxy *now, *defaults;
	const struct other *other; /* of HAP_OTHER; NULL: a section that is left out */
	unsigned ifs;		   /* .if within .if */
};

/* Sections without traffic. */
static const struct other {
	const char *word;
	enum taken how;
	const char *why;
} others[] = {
	{ "peers", TAKEN_OTHERWISE,
	    "the nodes of a pair share their persistence table by themselves: lbctl ha pair" },
	{ "resolvers", TAKEN_OTHERWISE,
	    "names are asked for at the resolvers of the system, again when their TTL has passed" },
	{ "mailers", NOT_TAKEN, "no mail is sent; lbctl events and the API tell of changes" },
	{ "userlist", NOT_TAKEN, "clients are not asked for passwords" },
	{ "cache", NOT_TAKEN, "nothing is cached" },
	{ "program", NOT_TAKEN, "systemd starts programs" },
	{ "ring", NOT_TAKEN, "setting.access_syslog says where the access log goes" },
	{ "log-forward", NOT_TAKEN, "logs of others are not passed on" },
	{ "log-profile", NOT_TAKEN, "vip.log_format says what is in a line" },
	{ "http-errors", TAKEN, "page, where errorfiles names it" },
	{ "fcgi-app", NOT_TAKEN, "servers speak HTTP or TCP; FastCGI needs a web server in front" },
	{ "crt-store", NOT_TAKEN, "certificates are known by the files that bind names" },
	{ "acme", NOT_TAKEN, "certificates are brought: lbctl cert import" },
	{ "traces", NOT_TAKEN, "the journal has what setting.log_level says" },
	{ "ruleset", NOT_TAKEN, "there is nothing like it" },
};

static void
say(struct reader *r, const struct hap_line *l, enum taken how, const char *why)
{
	import_say(r->h.im, l->at, how, l->what, "%s", why);
}

/* ---- sections ---------------------------------------------------------------------------------------------------- */

static unsigned
section_of(const char *word)
{
	if (strcmp(word, "global") == 0)
		return HAP_GLOBAL;
	if (strcmp(word, "defaults") == 0)
		return HAP_DEFAULTS;
	if (strcmp(word, "frontend") == 0)
		return HAP_FRONTEND;
	if (strcmp(word, "backend") == 0)
		return HAP_BACKEND;
	if (strcmp(word, "listen") == 0)
		return HAP_LISTEN;
	for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (strcmp(word, others[i].word) == 0)
			return HAP_OTHER;
	return 0;
}

static void
proxy_init(struct hap_proxy *p, const struct hap_proxy *defaults)
{
	if (defaults != NULL) {
		*p = *defaults;
	} else {
		*p = (struct hap_proxy){ 0 };
		p->vip.o = object_of(KIND_service);
		p->check.o = object_of(KIND_check);
		hap_server_init(&p->base);
		for (unsigned t = 0; t < HAP_TIMEOUTS; t++)
			p->timeout[t] = HAP_UNSAID;
	}
	p->next = NULL;
	p->from = defaults;
	p->binds = NULL;
	p->last_bind = &p->binds;
	p->servers = NULL;
	p->checked = p->expected = p->further = false;
	p->last_server = &p->servers;
	/* lists go on behind those of the defaults, which must not have them */
	p->acls = p->rules = p->uses = (struct hap_laters){ 0 };
}

static void
copy_laters(struct hap *h, struct hap_laters *to, const struct hap_laters *from)
{
	for (const struct hap_later *l = from->first; l != NULL; l = l->next)
		hap_later(h, to, &l->l);
}

/* "backend web" to the section, for those that servers can be in; "defaults x" and "frontend x" too. */
static void
know(struct reader *r, struct hap_proxy *p, const struct hap_line *l, const char *as)
{
	struct buf key = { 0 };

	buf_printf(&key, "%s %s", as, p->name);
	if (!textmap_put(&r->h.by_name, arena_text(r->h.im->a, buf_text(&key), key.len), p))
		import_say(r->h.im, l->at, NOT_TAKEN, l->what,
		    "there is one of that name already: what refers to it means the first");
	buf_fini(&key);
}

/* The defaults that a header names, else those that stand above. */
static const struct hap_proxy *
defaults_of(struct reader *r, const struct hap_line *l)
{
	const struct hap_proxy *p;
	struct buf key = { 0 };

	for (unsigned i = 1; i + 1 < l->n; i++)
		if (strcmp(l->w[i], "from") == 0) {
			buf_printf(&key, "defaults %s", l->w[i + 1]);
			p = textmap_get(&r->h.by_name, buf_text(&key));
			buf_fini(&key);
			if (p == NULL)
				say(r, l, NOT_TAKEN, "there are no such defaults");
			return p;
		}
	return l->w[0][0] == 'd' ? NULL : r->defaults;
}

static void
begin_proxy(struct reader *r, const struct hap_line *l)
{
	const struct hap_proxy *defaults = defaults_of(r, l);
	struct hap_proxy *p = arena_alloc(r->h.im->a, sizeof(*p));
	struct hap_line bind;

	proxy_init(p, defaults);
	if (defaults != NULL) {
		copy_laters(&r->h, &p->acls, &defaults->acls);
		copy_laters(&r->h, &p->rules, &defaults->rules);
	}
	p->section = r->section;
	p->at = p->vip.at = l->at;
	p->what = l->what;
	p->name = l->n > 1 && strcmp(l->w[1], "from") != 0 ? l->w[1] : "";
	r->now = p;
	if (r->section == HAP_DEFAULTS) {
		r->defaults = p;
		if (p->name[0] != '\0')
			know(r, p, l, "defaults");
		say(r, l, TAKEN, "in each section that follows");
		return;
	}
	if (r->section != HAP_BACKEND)
		know(r, p, l, "frontend");
	if (r->section != HAP_FRONTEND)
		know(r, p, l, "backend");
	*r->h.last_proxy = p;
	r->h.last_proxy = &p->next;
	if (r->section != HAP_BACKEND && strchr(l->w[2], ':') != NULL) { /* the older form */
		bind = *l;
		bind.w[0] = "bind";
		bind.w[1] = l->w[2];
		bind.n = 2;
		hap_bind(&r->h, p, &bind);
	}
}

static int
begin_section(struct reader *r, const struct hap_line *l, unsigned section)
{
	r->section = section;
	r->now = NULL;
	r->other = NULL;
	r->h.group = strcmp(l->w[0], "http-errors") == 0 ? l->w[1] : NULL;
	if ((section & HAP_PROXY) != 0 && section != HAP_DEFAULTS && l->n < 2)
		return err_set(
		    r->h.err, ERR_INVALID, "line %u: a %s without a name", l->at.line, l->w[0]);
	if (l->variable) {
		say(r, l, NOT_TAKEN,
		    "variables of the environment are not followed: write the value; the section is left out");
		r->section = HAP_OTHER;
	} else if (section == HAP_GLOBAL) {
		say(r, l, TAKEN, "setting");
	} else if (section == HAP_OTHER) {
		r->other = others;
		while (strcmp(r->other->word, l->w[0]) != 0)
			r->other++;
		say(r, l, r->other->how, r->other->why);
	} else {
		begin_proxy(r, l);
	}
	return 0;
}

/* ---- lines ---------------------------------------------------------------------------------------------------------- */

/* ".if", ".endif", ".notice": true when the line was one of these, or between them. */
static bool
on_condition(struct reader *r, const struct hap_line *l)
{
	bool dot = l->w[0][0] == '.';

	if (!dot && r->ifs == 0)
		return false;
	if (strcmp(l->w[0], ".if") == 0)
		r->ifs++;
	say(r, l, NOT_TAKEN,
	    dot ? "conditions on the machine are not followed: lines up to .endif are left out"
		: "left out: it stands between .if and .endif");
	if (strcmp(l->w[0], ".endif") == 0 && r->ifs > 0)
		r->ifs--;
	return true;
}

static int
on_line(struct reader *r, const struct hap_line *l)
{
	unsigned section;

	if (on_condition(r, l))
		return 0;
	section = section_of(l->w[0]);
	/* "traces" or "cache" may be directives too; a section begins without a space before it in practice, but need not */
	if (section != 0 && !(r->section == HAP_OTHER && section == HAP_OTHER && l->n != 2))
		return begin_section(r, l, section);
	if (r->section == 0)
		return err_set(r->h.err, ERR_INVALID,
		    "line %u: no section begins with \"%.40s\", as one of an HAProxy configuration would",
		    l->at.line, l->w[0]);
	if (l->variable)
		say(r, l, NOT_TAKEN,
		    "variables of the environment are not followed: write the value");
	else if (r->section == HAP_GLOBAL)
		hap_global(&r->h, l);
	else if (r->now != NULL)
		hap_directive(&r->h, r->now, l);
	else if (r->h.group != NULL && r->other != NULL)
		hap_errors_line(&r->h, r->h.group, l);
	else
		say(r, l, r->other != NULL ? r->other->how : NOT_TAKEN,
		    r->other != NULL ? r->other->why : LEFT_OUT);
	return r->h.rc;
}

static int
read_all(struct reader *r, const char *text, size_t len)
{
	struct place at = { 0 };
	struct hap_line l;
	int rc = 0;

	for (const char *p = text, *end = text + len; rc == 0 && p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);

		if (++at.line > IMPORT_LINES_MAX)
			return err_set(
			    r->h.err, ERR_INVALID, "more than %u lines", IMPORT_LINES_MAX);
		if (memchr(p, '\0', n) != NULL)
			return err_set(r->h.err, ERR_INVALID,
			    "line %u: a NUL has no place in a text", at.line);
		rc = hap_words(r->h.im, at, p, n, &l, r->h.err);
		if (rc == 0 && l.n > 0)
			rc = on_line(r, &l);
		p += n + (nl != NULL);
	}
	return rc;
}

int
import_haproxy(struct import *im, const char *text, size_t len, struct err *err)
{
	struct reader r = { .h = { .im = im, .err = err, .jitter = HAP_UNSAID } };
	int rc;

	r.h.last_proxy = &r.h.proxies;
	r.h.tls.o = object_of(KIND_tls);
	hap_rates_scan(&r.h, text, len);
	rc = read_all(&r, text, len);
	if (rc == 0)
		rc = hap_finish(&r.h);
	textmap_fini(&r.h.by_name);
	textmap_fini(&r.h.tls_by_text);
	textmap_fini(&r.h.certs);
	textmap_fini(&r.h.cas);
	textmap_fini(&r.h.lists);
	textmap_fini(&r.h.pages);
	textmap_fini(&r.h.maps);
	textmap_fini(&r.h.counted);
	return rc;
}
