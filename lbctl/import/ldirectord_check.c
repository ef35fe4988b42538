/* What ldirectord tests, as a check of ours: a page of HTTP, a connection, or nothing.
 *
 * Which of them follows from checktype, service, port and protocol, with ldirectord's own defaults. A dialog that we
 * do not speak becomes a connection where there is one (TCP), and nothing for UDP; both are said. */
#include "import/ldirectord.h"
#include "import/text.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_S 5
#define NEGOTIATE_TIMEOUT_S 30
#define INTERVAL_S 10

/* The service that a port means when none is said. */
static const char *
service_of(const struct ld_virtual *v)
{
	static const struct {
		uint16_t port;
		const char *service;
	} rows[] = { { 21, "ftp" }, { 25, "smtp" }, { 53, "dns" }, { 80, "http" }, { 110, "pop" },
		{ 119, "nntp" }, { 143, "imap" }, { 389, "ldap" }, { 443, "https" },
		{ 587, "submission" }, { 993, "imaps" }, { 995, "pops" }, { 1521, "oracle" },
		{ 1812, "radius" }, { 3128, "http_proxy" }, { 3306, "mysql" }, { 5432, "pgsql" },
		{ 5060, "sip" } };

	if (v->service.value != NULL)
		return v->service.value;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].port == v->port)
			return rows[i].service;
	return "none";
}

/* What it comes to. why NULL: the same as there. */
struct test_kind {
	bool page, nothing; /* neither: a connection */
	bool lost;	    /* what the source tests is not tested */
	const char *why;
};

static bool
is_counted(const char *type)
{
	return type[0] >= '0' && type[0] <= '9';
}

static const char *
type_of(const struct ld_virtual *v)
{
	return v->checktype.value != NULL ? v->checktype.value : "negotiate";
}

static bool
is_negotiate(const struct ld_virtual *v)
{
	return strcmp(type_of(v), "negotiate") == 0 || is_counted(type_of(v));
}

static struct test_kind
kind_of(const struct ld_virtual *v)
{
	const char *type = type_of(v), *service = service_of(v);

	if (strcmp(type, "on") == 0 || (is_negotiate(v) && strcmp(service, "none") == 0))
		return (struct test_kind){ .nothing = true };
	if (strcmp(type, "off") == 0)
		return (struct test_kind){ .nothing = true,
			.why = "weight 0, since ldirectord activates no server with it" };
	if (v->port == 0 && v->checkport <= 0)
		return (struct test_kind){ .nothing = true,
			.lost = true,
			.why = "a mark has no port: say checkport; its servers count as fit" };
	if (strcmp(v->protocol, "udp") == 0)
		return (struct test_kind){ .nothing = true,
			.lost = true,
			.why = "UDP has no check yet: its servers count as fit" };
	if (is_negotiate(v) && strcmp(service, "http") == 0)
		return (struct test_kind){ .page = true,
			.why = is_counted(type) ? "the page is asked for each time" : NULL };
	if (strcmp(type, "connect") == 0)
		return (struct test_kind){ .page = false };
	return (struct test_kind){ .lost = true,
		.why = strncmp(type, "external", 8) == 0
			   ? "scripts are not run: a connection is tested instead"
		       : strcmp(type, "ping") == 0
			   ? "there is no ping: a connection is tested instead"
			   : "only a connection is tested, not the dialog" };
}

static int
first_said(int a, int b, int c, int d, int otherwise)
{
	return a > 0 ? a : b > 0 ? b : c > 0 ? c : d > 0 ? d : otherwise;
}

static int
interval_of(const struct ld_common *own, const struct ld_common *all)
{
	return first_said(own->interval, all->interval, -1, -1, INTERVAL_S);
}

static int
timeout_of(const struct ld_common *own, const struct ld_common *all, bool negotiate)
{
	if (negotiate)
		return first_said(
		    own->negotiatetimeout, all->negotiatetimeout, -1, -1, NEGOTIATE_TIMEOUT_S);
	return first_said(own->checktimeout, all->checktimeout, own->negotiatetimeout,
	    all->negotiatetimeout, CONNECT_TIMEOUT_S);
}

static void
put_times(struct import *im, struct import_row *r, const struct ld_common *own,
    const struct ld_common *all, bool negotiate)
{
	int interval = interval_of(own, all), timeout = timeout_of(own, all, negotiate);
	int failures = first_said(own->failures, all->failures, -1, -1, 1);

	if (timeout > interval)
		timeout = interval; /* said by ld_report */
	import_putf(im, r, "interval", "%ds", interval);
	import_putf(im, r, "timeout", "%ds", timeout > 600 ? 600 : timeout);
	import_putf(im, r, "rise", "1");
	import_putf(im, r, "fall", "%d", failures > 100 ? 100 : failures);
}

/* "http://HOST/PATH", "/PATH" or "PATH": the path, which begins with a slash. */
static int
put_request(struct import *im, struct import_row *r, const char *request, struct err *err)
{
	const char *slash;
	char path[1100];

	if (strncmp(request, "http://", 7) == 0) {
		slash = strchr(request + 7, '/');
		request = slash != NULL ? slash : "/";
	}
	(void)snprintf(path, sizeof(path), "%s%s", request[0] == '/' ? "" : "/", request);
	return import_put(im, r, "path", path, err);
}

static int
put_receive(struct import *im, struct import_row *r, const char *receive, struct err *err)
{
	char text[1100];

	if (!text_literal(receive, text, sizeof(text)))
		return err_set(err, ERR_INVALID,
		    "no regular expressions: choose a plain text with lbctl set check NAME expect=TEXT");
	return import_put(im, r, "expect", text, err);
}

static bool
is_head(const struct ld_virtual *v)
{
	return v->method.value != NULL && strcasecmp(v->method.value, "head") == 0;
}

struct import_check *
ld_check(struct import *im, const struct ld_virtual *v, const struct ld_common *global,
    const char *request, const char *receive, struct place at)
{
	struct import_row r = { .o = object_of(KIND_check), .at = at };
	struct test_kind k = kind_of(v);
	struct err err = { 0 };

	if (k.nothing)
		return import_untested(im, at);
	import_putf(im, &r, "kind", "%s", k.page ? "http" : "tcp");
	if (k.page && is_head(v))
		import_putf(im, &r, "method", "HEAD");
	if (k.page && v->host.value != NULL)
		(void)import_put(im, &r, "host", v->host.value, NULL); /* said by ld_report */
	if (k.page && request != NULL && put_request(im, &r, request, &err) != 0)
		import_say(im, at, NOT_TAKEN, request, "%s", err.text);
	else if (k.page && request == NULL && v->request.value != NULL)
		(void)put_request(im, &r, v->request.value, NULL);
	if (k.page && receive != NULL && put_receive(im, &r, receive, &err) != 0)
		import_say(im, at, NOT_TAKEN, receive, "%s", err.text);
	else if (k.page && receive == NULL && v->receive.value != NULL && !is_head(v))
		(void)put_receive(im, &r, v->receive.value, NULL);
	if ((request != NULL || receive != NULL) && !k.page)
		import_say(im, at, NOT_TAKEN, request != NULL ? request : receive,
		    "request and receive go with a page, and none is tested");
	put_times(im, &r, &v->own, global, is_negotiate(v));
	if (v->checkport > 0)
		import_putf(im, &r, "port", "%d", v->checkport);
	return import_check_intern(im, &r);
}

/* ---- the report ------------------------------------------------------------------------------------------------- */

static void
report_page(struct import *im, const struct ld_virtual *v, const struct test_kind *k,
    const struct ld_said *d, const char *field)
{
	struct import_row r = { .o = object_of(KIND_check) };
	struct err err = { 0 };
	int rc = 0;

	if (d->value == NULL)
		return;
	if (!k->page) {
		import_say(im, d->at, k->lost ? NOT_TAKEN : TAKEN, d->what, "%s",
		    k->lost ? "goes with a test that is not made"
			    : "not looked at with this checktype, there and here");
		return;
	}
	if (strcmp(field, "path") == 0)
		rc = put_request(im, &r, d->value, &err);
	else if (strcmp(field, "expect") == 0 && is_head(v))
		rc = err_set(&err, ERR_INVALID, "the answer to HEAD has no body");
	else if (strcmp(field, "expect") == 0)
		rc = put_receive(im, &r, d->value, &err);
	else
		rc = import_put(
		    im, &r, field, is_head(v) && d == &v->method ? "HEAD" : d->value, &err);
	if (rc != 0)
		import_say(im, d->at, NOT_TAKEN, d->what, "check.%s: %s", field, err.text);
	else if (d == &v->request && strncmp(d->value, "http://", 7) == 0)
		import_say(im, d->at, TAKEN_OTHERWISE, d->what,
		    "check.path: only the path: it is each server that is asked");
	else
		import_say(im, d->at, TAKEN, d->what, "check.%s", field);
}

void
ld_report(struct import *im, const struct ld_virtual *v, const struct ld_common *global)
{
	struct test_kind k = kind_of(v);
	bool negotiate = is_negotiate(v);
	const struct ld_said *by =
	    negotiate && v->service.value != NULL ? &v->service : &v->checktype;
	enum taken how = k.why == NULL ? TAKEN : k.nothing && k.lost ? NOT_TAKEN : TAKEN_OTHERWISE;
	int interval = interval_of(&v->own, global),
	    timeout = timeout_of(&v->own, global, negotiate);

	if (by->value != NULL)
		import_say(im, by->at, how, by->what, "check.kind%s%s", k.why != NULL ? ": " : "",
		    k.why != NULL ? k.why : "");
	else if (k.why != NULL)
		import_say(im, v->s->row.at, how, "checktype and service are not said",
		    "check.kind: %s", k.why);
	if (by != &v->checktype && v->checktype.value != NULL)
		import_say(im, v->checktype.at, TAKEN, v->checktype.what, "check.kind");
	if (by != &v->service && v->service.value != NULL)
		import_say(im, v->service.at, TAKEN, v->service.what,
		    "not looked at with this checktype, there and here");
	report_page(im, v, &k, &v->request, "path");
	report_page(im, v, &k, &v->receive, "expect");
	report_page(im, v, &k, &v->host, "host");
	report_page(im, v, &k, &v->method, "method");
	if (!k.nothing && timeout > interval)
		import_say(im, v->s->row.at, TAKEN_OTHERWISE,
		    negotiate ? "negotiatetimeout" : "checktimeout",
		    "check.timeout: %d s are longer than the interval of %d s, which it is instead",
		    timeout, interval);
}
