/* errorfile, errorfiles, http-errors and http-error as pages.
 *
 * A file is a whole answer: its status, type and time to come back become fields of a page, its body the page's, and what other
 * header fields it has is left out. A later line for the same status counts, as it does with HAProxy. */
#include "import/haproxy.h"

#include "base/must.h"
#include "schema/error_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What was read of one file; row NULL: it cannot be used, and why. */
struct held {
	struct import_row *row;
	const char *why;
	bool more; /* has header fields that are left out */
};
struct reading {
	struct hap *h;
	struct import_row *row;
	const char *type; /* of a body alone; NULL: the file is a whole answer */
	bool *more;
	bool read;
};

/* ---- files ------------------------------------------------------------------------------------------------------------- */

static const char *
keep(struct hap *h, const struct err *err)
{
	return arena_text(h->im->a, err->text, strlen(err->text));
}

/* One header field of the file. */
static int
take_field(struct reading *r, const char *p, size_t n, struct err *err)
{
	static const char *const implied[] = { "Cache-Control", "Connection", "Content-Length",
		"Pragma", "Date", "Server", "Expires" };
	const char *colon = memchr(p, ':', n);
	size_t name = colon != NULL ? (size_t)(colon - p) : 0, skip;
	char value[200];

	if (colon == NULL)
		return err_set(err, ERR_INVALID, "a line of its head is no header field");
	skip = name + 1;
	while (skip < n && (p[skip] == ' ' || p[skip] == '\t'))
		skip++;
	(void)snprintf(value, sizeof(value), "%.*s", (int)(n - skip), p + skip);
	if (name == 12 && strncasecmp(p, "Content-Type", name) == 0)
		return import_put(r->h->im, r->row, "content_type", value, err);
	if (name == 11 && strncasecmp(p, "Retry-After", name) == 0 && value[0] != '\0' &&
	    value[strspn(value, "0123456789")] == '\0' && strlen(value) < 9) {
		import_putf(r->h->im, r->row, "retry_after", "%ss", value);
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_LEN(implied); i++)
		if (strlen(implied[i]) == name && strncasecmp(p, implied[i], name) == 0)
			return 0;
	*r->more = true;
	return 0;
}

/* Its head; *body_out: where the rest begins. */
static int
take_head(struct reading *r, const char *p, const char *end, const char **body_out, struct err *err)
{
	unsigned long status;

	if (end - p < 12 || strncmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ')
		return err_set(err, ERR_INVALID, "it does not begin with a status line of HTTP/1");
	status = strtoul(p + 9, NULL, 10);
	if (status < 200 || status > 599)
		return err_set(err, ERR_INVALID, "its status is not one of 200 to 599");
	import_putf(r->h->im, r->row, "status", "%lu", status);
	for (bool first = true; p < end; first = false) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);
		int rc;

		if (nl == NULL)
			break;
		if (n > 0 && p[n - 1] == '\r')
			n--;
		*body_out = nl + 1;
		if (n == 0)
			return 0;
		rc = first ? 0 : take_field(r, p, n, err);
		if (rc != 0)
			return rc;
		p = nl + 1;
	}
	return err_set(err, ERR_INVALID, "its head has no end");
}

static int
take_page(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	struct reading *r = arg;
	const char *body = text;
	int rc = 0;

	(void)file;
	r->read = true;
	if (r->type == NULL)
		rc = take_head(r, text, text + len, &body, err);
	else
		rc = import_put(r->h->im, r->row, "content_type", r->type, err);
	if (rc == 0 && memchr(body, '\0', (size_t)(text + len - body)) != NULL)
		rc = err_set(err, ERR_INVALID, "a NUL has no place in a page");
	if (rc == 0)
		rc = import_put(r->h->im, r->row, "body",
		    arena_text(r->h->im->a, body, (size_t)(text + len - body)), err);
	return rc;
}

const char *
hap_page_read(
    struct hap *h, const char *path, const char *type, struct import_row *page, bool *more)
{
	struct reading r = { .h = h, .row = page, .type = type, .more = more };
	struct err err = { 0 };
	int rc = h->im->include == NULL
		     ? err_set(&err, ERR_UNKNOWN, "%s: no such file", path)
		     : h->im->include(h->im->include_arg, path, NULL, take_page, &r, &err);

	if (rc == 0 && !r.read)
		(void)err_set(&err, ERR_UNKNOWN, "%s: no such file", path);
	return rc == 0 && r.read ? NULL : keep(h, &err);
}

/* type NULL: the file is a whole answer. */
static const struct held *
page_of_file(struct hap *h, const char *path, const char *type)
{
	struct buf key = { 0 }, name = { 0 };
	struct held *p;

	buf_printf(&key, "%s %s", path, type != NULL ? type : "");
	p = textmap_get(&h->pages, buf_text(&key));
	if (p == NULL) {
		p = arena_alloc(h->im->a, sizeof(*p));
		*p = (struct held){ .row = import_extra_new(
					h->im, KIND_error_page, (struct place){ 0 }) };
		(void)textmap_put(&h->pages, arena_text(h->im->a, buf_text(&key), key.len), p);
		p->why = hap_page_read(h, path, type, p->row, &p->more);
		if (p->why != NULL) {
			p->row->left_out = true;
			p->row = NULL;
		} else {
			hap_base_name(path, &name);
			import_name(h->im, p->row, "page ", buf_text(&name));
			buf_fini(&name);
		}
	}
	buf_fini(&key);
	return p;
}

/* ---- what is said of a status -------------------------------------------------------------------------------------------- */

/* The text without the item of a status. */
static void
without(const char *text, const char *code, struct buf *out)
{
	while (text != NULL && *text != '\0') {
		size_t n = strcspn(text, ",");

		if (strncmp(text, code, strlen(code)) != 0 || text[strlen(code)] != '=')
			buf_printf(out, "%s%.*s", out->len > 0 ? "," : "", (int)n, text);
		text += n + (text[n] == ',');
	}
}

int
hap_error_answer(
    struct hap *h, struct hap_proxy *p, const char *code, const char *answer, struct err *err)
{
	struct error_rule rules[ERROR_RULES_MAX];
	struct buf b = { 0 };
	int rc;

	without(import_value(&p->vip, "error_pages"), code, &b);
	buf_printf(&b, "%s%s=%s", b.len > 0 ? "," : "", code, answer);
	rc = error_rules_parse(buf_text(&b), rules, err);
	if (rc >= 0)
		rc = import_put(h->im, &p->vip, "error_pages", buf_text(&b), err);
	buf_fini(&b);
	return rc;
}

/* The item of a status; 0: there is none. */
static size_t
item_of(const char *text, const char *code, const char **at_out)
{
	while (*text != '\0') {
		size_t n = strcspn(text, ",");

		if (strncmp(text, code, 4) == 0) {
			*at_out = text;
			return n;
		}
		text += n + (text[n] == ',');
	}
	return 0;
}

/* Items of a text that the other does not have, and those that it has too, when their status begins with mine. */
static bool
merge_items(const char *text, const char *other, char mine, struct buf *out)
{
	bool differ = false;

	while (*text != '\0') {
		size_t n = strcspn(text, ","), m;
		const char *at = "";

		m = item_of(other, text, &at);
		if (m == 0 || text[0] == mine)
			buf_printf(out, "%s%.*s", out->len > 0 ? "," : "", (int)n, text);
		differ |= m != 0 && (m != n || memcmp(at, text, n) != 0);
		text += n + (text[n] == ',');
	}
	return differ;
}

/* With HAProxy a request has the pages of its frontend until it has a backend, whose own come first from then on. Answers 4xx are
 * mostly from before, 5xx from behind. */
void
hap_error_merge(struct hap *h, struct import_row *r, const struct hap_proxy *front,
    const struct hap_proxy *back, bool first)
{
	const char *f = import_value(&front->vip, "error_pages");
	const char *b = import_value(&back->vip, "error_pages");
	struct buf out = { 0 };

	if (f == NULL || b == NULL || front == back)
		return;
	(void)merge_items(f, b, '4', &out);
	if (merge_items(b, f, '5', &out) && first)
		import_say(h->im, front->at, TAKEN_OTHERWISE, front->what,
		    "vip.error_pages: 4xx of the frontend, 5xx of its backend, where both have pages");
	(void)import_put(h->im, r, "error_pages", buf_text(&out), NULL);
	buf_fini(&out);
}

/* One status gets the page of a file. NULL: it has; else why not. */
static const char *
take_file(struct hap *h, struct hap_proxy *p, const char *code, const char *path, const char *type,
    bool *more)
{
	const struct held *held = page_of_file(h, path, type);
	struct err err = { 0 };

	if (held->row == NULL)
		return held->why;
	*more |= held->more;
	return hap_error_answer(h, p, code, held->row->name, &err) == 0 ? NULL : keep(h, &err);
}

static void
say_page(struct hap *h, const struct hap_line *l, const char *why, bool more)
{
	if (why != NULL)
		import_say(h->im, l->at, NOT_TAKEN, l->what, "vip.error_pages: %s", why);
	else
		import_say(h->im, l->at, more ? TAKEN_OTHERWISE : TAKEN, l->what,
		    "vip.error_pages, page%s", more ? ": without further header fields" : "");
}

void
hap_errorfile(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	bool more = false;
	const char *why = l->n < 3 ? "a status and a file are needed"
				   : take_file(h, p, l->w[1], l->w[2], NULL, &more);

	say_page(h, l, why, more);
}

/* ---- groups: http-errors, errorfiles ---------------------------------------------------------------------------------------- */

static const char *const codes[] = { "200", "400", "401", "403", "404", "405", "407", "408", "410",
	"413", "414", "425", "429", "431", "500", "501", "502", "503", "504" };

void
hap_errors_line(struct hap *h, const char *group, const struct hap_line *l)
{
	struct buf key = { 0 };

	if (strcmp(l->w[0], "errorfile") != 0 || l->n < 3) {
		import_say(h->im, l->at, NOT_TAKEN, l->what, "pages are named by errorfile");
		return;
	}
	buf_printf(&key, "errors %s %s", group, l->w[1]);
	(void)textmap_put(
	    &h->by_name, arena_text(h->im->a, buf_text(&key), key.len), (void *)(uintptr_t)l->w[2]);
	import_say(h->im, l->at, TAKEN, l->what, "where errorfiles names its section");
	buf_fini(&key);
}

const char *
hap_errors_file(struct hap *h, const char *group, const char *code)
{
	struct buf key = { 0 };
	const char *path;

	buf_printf(&key, "errors %s %s", group, code);
	path = textmap_get(&h->by_name, buf_text(&key));
	buf_fini(&key);
	return path;
}

void
hap_errorfiles(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	const char *why = NULL, *path;
	bool more = false;
	unsigned n = 0;

	for (unsigned i = 0; i < (l->n > 2 ? l->n - 2 : ARRAY_LEN(codes)); i++) {
		const char *code = l->n > 2 ? l->w[i + 2] : codes[i], *one;

		path = hap_errors_file(h, l->w[1], code);
		one = path == NULL ? NULL : take_file(h, p, code, path, NULL, &more);
		n += path != NULL;
		why = one != NULL ? one : why;
	}
	if (n == 0)
		why = "no section http-errors above it has these";
	say_page(h, l, why, more);
}

/* ---- http-error ----------------------------------------------------------------------------------------------------------- */

static const char *
word_after(const struct hap_line *l, const char *word)
{
	for (unsigned i = 1; i + 1 < l->n; i++)
		if (strcmp(l->w[i], word) == 0)
			return l->w[i + 1];
	return NULL;
}

/* A page whose body stands in the line. */
static const char *
take_text(struct hap *h, struct hap_proxy *p, const char *code, const char *type, const char *body)
{
	struct import_row *row = import_extra_new(h->im, KIND_error_page, (struct place){ 0 });
	struct err err = { 0 };
	char name[20];

	(void)snprintf(name, sizeof(name), "error-%.8s", code);
	if ((type != NULL && import_put(h->im, row, "content_type", type, &err) != 0) ||
	    import_put(h->im, row, "body", body, &err) != 0) {
		row->left_out = true;
		return keep(h, &err);
	}
	import_name(h->im, row, "page ", name);
	return hap_error_answer(h, p, code, row->name, &err) == 0 ? NULL : keep(h, &err);
}

void
hap_http_error(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	const char *code = word_after(l, "status"), *type = word_after(l, "content-type");
	const char *file = word_after(l, "errorfile"), *raw = word_after(l, "file");
	const char *text = word_after(l, "string"), *why;
	const char *group = word_after(l, "errorfiles");
	const char *format = word_after(l, "lf-string");
	bool more = word_after(l, "hdr") != NULL;

	if (text == NULL && format != NULL && strchr(format, '%') == NULL)
		text = format;
	if (group != NULL && code != NULL)
		file = hap_errors_file(h, group, code);
	if (code == NULL)
		why = "a status is needed";
	else if (file != NULL)
		why = take_file(h, p, code, file, NULL, &more);
	else if (raw != NULL)
		why = take_file(h, p, code, raw, type != NULL ? type : "text/html", &more);
	else if (text != NULL)
		why = take_text(h, p, code, type != NULL ? type : "text/plain", text);
	else
		why = "the body of a page is a text or a file, and the same for all";
	say_page(h, l, why, more);
}
