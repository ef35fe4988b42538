/* http-request return and deny with an answer of their own, as action return: status, type and text of a rule.
 *
 * A file is read now, and its text stands in the rule. What is made of each request (lf-string, lf-file with %) cannot be; further
 * header fields are left out, which is said with their names, but for a Location, which makes it a redirect. */
#include "import/haproxy_rule.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const sources[] = { "string", "lf-string", "file", "lf-file", "errorfile",
	"errorfiles" };

bool
hap_answer_is_own(const struct hap_rule *r)
{
	for (unsigned i = 0; i < ARRAY_LEN(sources); i++)
		if (hap_rule_option(r, 0, sources[i]) != NULL)
			return true;
	return hap_rule_flag(r, 0, "hdr");
}

static bool
is_moved(const char *status)
{
	return status != NULL && (strcmp(status, "301") == 0 || strcmp(status, "302") == 0 ||
				     strcmp(status, "303") == 0 || strcmp(status, "307") == 0 ||
				     strcmp(status, "308") == 0);
}

/* Names of header fields, and the value of Location. */
static const char *
read_fields(const struct hap_rule *r, struct buf *names)
{
	const char *location = NULL;

	for (unsigned i = 0; r->from + i + 2 < r->end; i++) {
		if (strcmp(hap_rule_arg(r, i), "hdr") != 0)
			continue;
		buf_printf(names, "%s%s", names->len > 0 ? ", " : "", hap_rule_arg(r, i + 1));
		if (strcasecmp(hap_rule_arg(r, i + 1), "Location") == 0)
			location = hap_rule_arg(r, i + 2);
		i += 2;
	}
	return location;
}

/* The body of the answer into a page. status_out: of a whole answer. NULL: good. */
static const char *
read_body(struct hap_rule *r, const char *status, struct import_row *page, bool *more)
{
	const char *type = hap_rule_option(r, 0, "content-type"), *file, *text, *why, *group;
	struct err err = { 0 };

	if ((group = hap_rule_option(r, 0, "errorfiles")) != NULL) {
		file = hap_errors_file(r->h, group, status != NULL ? status : "200");
		return file == NULL ? "its section http-errors has no file for the status"
				    : hap_page_read(r->h, file, NULL, page, more);
	}
	if ((file = hap_rule_option(r, 0, "errorfile")) != NULL)
		return hap_page_read(r->h, file, NULL, page, more);
	file = hap_rule_option(r, 0, "file");
	if (file == NULL)
		file = hap_rule_option(r, 0, "lf-file");
	if (file != NULL) {
		why = hap_page_read(r->h, file, type != NULL ? type : "text/plain", page, more);
		text = import_value(page, "body");
		return why == NULL && hap_rule_option(r, 0, "lf-file") != NULL && text != NULL &&
			       strchr(text, '%') != NULL
			   ? "the text of action return is the same for all"
			   : why;
	}
	text = hap_rule_option(r, 0, "string");
	if (text == NULL && (text = hap_rule_option(r, 0, "lf-string")) != NULL &&
	    strchr(text, '%') != NULL)
		return "the text of action return is the same for all";
	if ((type != NULL && import_put(r->h->im, page, "content_type", type, &err) != 0) ||
	    (text != NULL && import_put(r->h->im, page, "body", text, &err) != 0))
		return arena_text(r->h->im->a, err.text, strlen(err.text));
	return NULL;
}

static const char *
put_page(struct hap_rule *r, const char *status, const struct import_row *page)
{
	const char *own = import_value(page, "status"), *type = import_value(page, "content_type");
	const char *body = import_value(page, "body"), *why = NULL;
	struct import_row *row = hap_rule_add(r, "return");

	status = own != NULL ? own : status;
	if (status != NULL && (strlen(status) != 3 || status[0] < '2'))
		return "status: allowed is 200 to 599";
	if (status != NULL)
		why = hap_rule_put(r, row, "status", status);
	if (why == NULL && type != NULL)
		why = hap_rule_put(r, row, "content_type", type);
	if (why == NULL && body != NULL && body[0] != '\0')
		why = hap_rule_put(r, row, "body", body);
	return why;
}

static void
say_fields(struct hap_rule *r, const char *names, bool more)
{
	struct buf b = { 0 };

	if (names[0] != '\0')
		buf_printf(&b, "action return: without %s", names);
	else if (more)
		buf_puts(&b, "action return: without further header fields of its file");
	if (b.len > 0)
		r->difference = arena_text(r->h->im->a, buf_text(&b), b.len);
	buf_fini(&b);
}

/* The proxy's own answer for a status, which its section may say. */
static const char *
own_error(struct hap_rule *r, const char *status)
{
	if (status == NULL || !hap_is_denial(status))
		return "an error has a status that action deny can have";
	return hap_rule_put(r, hap_rule_add(r, "deny"), "status", status);
}

const char *
hap_answer(struct hap_rule *r, const char *status)
{
	struct import_row page = { .o = object_of(KIND_error_page) }, *row;
	struct buf names = { 0 };
	const char *location = read_fields(r, &names), *why;
	bool more = false;

	if (hap_rule_flag(r, 0, "default-errorfiles")) {
		why = own_error(r, status);
	} else if (location != NULL && is_moved(status)) {
		row = hap_rule_add(r, "redirect");
		why = hap_rule_put(r, row, "status", status);
		if (why == NULL)
			why = hap_rule_put(r, row, "location", hap_template(r->h, location, false));
		if (strcasecmp(buf_text(&names), "Location") == 0)
			names.len = 0;
		more = false;
	} else {
		why = read_body(r, status, &page, &more);
		if (why == NULL)
			why = put_page(r, status, &page);
	}
	say_fields(r, names.len > 0 ? buf_text(&names) : "", more);
	buf_fini(&names);
	return why;
}
