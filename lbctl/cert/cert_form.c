/* cert show for programs: the same in JSON and in YAML, in which a JSON text is a text too. Times are RFC 3339. */
#include "cert.h"

#include "msg/view.h"

#include <string.h>

struct form {
	struct buf *out;
	bool yaml;
	bool first;	 /* member or item of what is open */
	bool item;	 /* YAML: the next member begins an item */
	unsigned indent; /* YAML */
};

static void
member(struct form *f, const char *name)
{
	if (f->yaml) {
		buf_printf(f->out, "%*s%s%s: ", f->item ? (int)f->indent - 2 : (int)f->indent, "",
		    f->item ? "- " : "", name);
	} else {
		buf_printf(f->out, "%s\"%s\":", f->first ? "" : ",", name);
	}
	f->first = f->item = false;
}

static void
line(struct form *f)
{
	if (f->yaml)
		buf_puts(f->out, "\n");
}

static void
text(struct form *f, const char *name, const char *value)
{
	member(f, name);
	if (value == NULL)
		buf_puts(f->out, "null");
	else
		view_json_text(f->out, value);
	line(f);
}

static void
instant(struct form *f, const char *name, int64_t s)
{
	member(f, name);
	view_json_time(f->out, s);
	line(f);
}

/* A list of n items, or a map (n 1). */
static void
begin(struct form *f, const char *name, char bracket, unsigned n)
{
	member(f, name);
	f->first = true;
	if (!f->yaml)
		buf_printf(f->out, "%c", bracket);
	else
		buf_puts(f->out, n == 0 ? "[]\n" : "\n");
	f->indent += 2;
}

static void
end(struct form *f, char bracket)
{
	if (!f->yaml)
		buf_printf(f->out, "%c", bracket);
	f->indent -= 2;
	f->first = false;
}

static void
item_begin(struct form *f)
{
	if (!f->yaml)
		buf_puts(f->out, f->first ? "{" : ",{");
	f->first = f->item = true;
	f->indent += 2;
}

static void
item_text(struct form *f, const char *value)
{
	buf_printf(f->out, "%*s%s", f->yaml ? (int)f->indent : 0, "",
	    f->yaml    ? "- "
	    : f->first ? ""
		       : ",");
	view_json_text(f->out, value);
	f->first = false;
	line(f);
}

static void
put_users(struct form *f, struct ctl *c, uint32_t id)
{
	char use[CERT_USE];
	unsigned n = 0;

	while (cert_use(c, id, n, use))
		n++;
	begin(f, "used_by", '[', n);
	for (unsigned i = 0; i < n && cert_use(c, id, i, use); i++)
		item_text(f, use);
	end(f, ']');
}

static void
put_staple(struct form *f, const struct cert_staple *s)
{
	if (s == NULL) {
		text(f, "ocsp", NULL);
		return;
	}
	begin(f, "ocsp", '{', 1);
	text(f, "state", s->state);
	instant(f, "said", s->made);
	instant(f, "until", s->until);
	text(f, "url", s->url);
	text(f, "fault", s->fault);
	end(f, '}');
}

static void
put_chain(struct form *f, const char *chain)
{
	struct x509_face x;
	unsigned n = 0;

	while (x509_face(chain, n, &x) == 0)
		n++;
	begin(f, "chain", '[', n);
	for (unsigned i = 0; i < n && x509_face(chain, i, &x) == 0; i++) {
		item_begin(f);
		text(f, "subject", x.subject);
		text(f, "issuer", x.issuer);
		text(f, "hosts", x.names);
		instant(f, "from", x.from);
		instant(f, "until", x.until);
		text(f, "kind", x.kind);
		text(f, "serial", x.serial);
		text(f, "sha256", x.digest);
		end(f, '}');
	}
	end(f, ']');
}

void
cert_form(struct ctl *c, const struct cert *k, bool yaml, struct buf *out)
{
	struct form f = { .out = out, .yaml = yaml, .first = true };
	const char *keys = cert_keys(c);

	if (!yaml)
		buf_puts(out, "{");
	text(&f, "name", k->name);
	text(&f, "comment", k->comment);
	text(&f, "key", k->key);
	member(&f, "key_here");
	buf_puts(out, keys == NULL ? "null" : strstr(keys, k->key) != NULL ? "true" : "false");
	line(&f);
	put_users(&f, c, k->id);
	put_staple(&f, cert_staple_of(cert_staples(c), k->id));
	put_chain(&f, k->chain);
	if (!yaml)
		buf_puts(out, "}\n");
}
