/* The way of a request: read its path and query, find the row of routes.def, find out who asks, check that he may
 * and that a change comes from our own page, read the form, call the handler. Every refusal on that way is made
 * here, in the form the caller can read: problem+json for programs, a page or the log-in form for people.
 *
 * Plain HTTP serves this machine only, unless a setting opens it; everybody else is sent to HTTPS. */
#include "web.h"
#include "base/mem.h"
#include "live/follow.h"

#include <stdio.h>
#include <string.h>

const struct setting *
web_setting(const struct web *w)
{
	return snapshot_setting(daemon_snapshot(w->d));
}

struct view *
web_view(const struct call *c)
{
	return follow_view(c->w->follow);
}

const struct view_totals *
web_totals(struct web *w)
{
	if (w->totals_version != w->version) {
		view_totals(follow_view(w->follow), &w->totals);
		w->totals_version = w->version;
	}
	return &w->totals;
}

const struct trial *
web_trial(struct web *w)
{
	mono_t now = mono_now();

	if (w->trial_at == 0 || now - w->trial_at > DUR_S(1)) {
		if (store_trial(daemon_store(w->d), &w->trial, NULL) != 0)
			w->trial.pending = false;
		w->trial_at = now;
	}
	return &w->trial;
}

const char *
call_param(const struct call *c, const char *word)
{
	const char *v = route_param(c->route, &c->path, word);

	return v != NULL ? v : "";
}

const char *
call_query(const struct call *c, const char *name)
{
	return pairs_get(&c->query, name);
}

const char *
call_form(const struct call *c, const char *name)
{
	const char *v = pairs_get(&c->form, name);

	return v != NULL ? v : "";
}

void
call_free(struct call *c)
{
	segs_fini(&c->path);
	pairs_fini(&c->query);
	pairs_fini(&c->form);
	free(c);
}

static bool
is_api(const char *path)
{
	return strncmp(path, "/api/", 5) == 0 || strcmp(path, "/metrics") == 0;
}

size_t
web_body_max(void *arg, const struct http_rq *rq)
{
	(void)arg;
	if (strncmp(rq->path, "/api/v1/lists/", 14) == 0)
		return WEB_LIST_MAX;
	return is_api(rq->path) ? WEB_API_MAX : WEB_FORM_MAX;
}

/* The host of the request without its port, when it is made of plain characters. */
static bool
plain_host(const char *host, char *out, size_t room)
{
	size_t n = host == NULL ? 0 : host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	static const char good[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

	if (n == 0 || n >= room || strspn(host, good) < n)
		return false;
	memcpy(out, host, n);
	out[n] = '\0';
	return true;
}

static void
to_https(struct call *c)
{
	struct buf url = { 0 }, body = { 0 };
	char host[256];

	if (!plain_host(http_header(c->rq, "Host"), host, sizeof(host))) {
		reply_fail(c, 400, "the Host header is missing or not plain");
		return;
	}
	buf_printf(&url, "https://%s:%u%s%s%s", host, web_setting(c->w)->https_port, c->rq->path,
	    c->rq->query[0] != '\0' ? "?" : "", c->rq->query);
	http_set(c->rq, "Location", buf_text(&url));
	buf_printf(&body, "%s\n", buf_text(&url));
	reply_text(c, 308, "text/plain; charset=utf-8", &body);
	buf_fini(&url);
}

static void
to_login(struct call *c)
{
	struct buf url = { 0 };

	buf_puts(&url, "/login");
	if (strcmp(c->rq->method, "GET") == 0 && strcmp(c->rq->path, "/") == 0 &&
	    c->rq->query[0] != '\0') {
		buf_puts(&url, "?next=");
		buf_printf(&url, "%%3F");
		for (const char *p = c->rq->query; *p != '\0'; p++)
			buf_printf(&url, strchr("&=+%#", *p) != NULL ? "%%%02X" : "%c", *p);
	}
	reply_redirect(c, buf_text(&url));
	buf_fini(&url);
}

static void
refuse(struct call *c)
{
	if (c->may == ACCESS_R_PUBLIC && !c->api) {
		to_login(c);
	} else if (c->may == ACCESS_R_PUBLIC) {
		http_set(c->rq, "WWW-Authenticate", "Bearer realm=\"lbd\"");
		reply_fail(
		    c, 401, "log in first: send a token as \"Authorization: Bearer lbd_...\"");
	} else {
		reply_fail(c, 403, "%s needs the role %s; %s has the role %s", c->rq->path,
		    route_access_word(c->route->access), c->user, route_access_word(c->may));
	}
}

static bool
read_form(struct call *c, struct err *err)
{
	const char *type = http_header(c->rq, "Content-Type");
	static const char form[] = "application/x-www-form-urlencoded";

	if (c->api || strcmp(c->rq->method, "POST") != 0)
		return true;
	if (c->rq->body.len > 0 && (type == NULL || strncasecmp(type, form, strlen(form)) != 0)) {
		reply_fail(c, 415, "forms are read as %s", form);
		return false;
	}
	if (pairs_parse((const char *)c->rq->body.p, c->rq->body.len, &c->form, err) != 0) {
		reply_error(c, 400, err);
		return false;
	}
	return true;
}

static bool
changes(const struct call *c)
{
	return strcmp(c->rq->method, "GET") != 0 && strcmp(c->rq->method, "HEAD") != 0 &&
	       strcmp(c->rq->method, "OPTIONS") != 0;
}

/* RFC 9110 section 12.5.1, as far as it can matter: the API speaks JSON, events and plain text. */
static bool
acceptable(const struct call *c)
{
	static const char *const ours[] = { "*/*", "json", "application/*", "text/event-stream",
		"text/plain" };
	const char *accept = http_header(c->rq, "Accept");

	for (size_t i = 0; c->api && accept != NULL && i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strstr(accept, ours[i]) != NULL)
			return true;
	return !c->api || accept == NULL;
}

static void
no_route(struct call *c, struct buf *allow)
{
	struct buf none = { 0 };

	if (allow->len == 0) {
		reply_fail(c, 404, "there is nothing at %s", c->rq->path);
		return;
	}
	http_set(c->rq, "Allow", buf_text(allow));
	if (strcmp(c->rq->method, "OPTIONS") == 0)
		reply_text(c, 204, NULL, &none);
	else
		reply_fail(c, 405, "%s is not possible here; allowed is %s", c->rq->method,
		    buf_text(allow));
}

static void
dispatch(struct call *c, struct err *err)
{
	struct buf allow = { 0 };

	if (!c->rq->tls && !c->loopback && !web_setting(c->w)->http_open) {
		to_https(c);
		return;
	}
	if (c->rq->too_large) {
		reply_fail(c, 413, "the body is longer than %zu bytes", web_body_max(c->w, c->rq));
		return;
	}
	if (segs_parse(c->rq->path, &c->path, err) != 0 ||
	    pairs_parse(c->rq->query, strlen(c->rq->query), &c->query, err) != 0) {
		reply_error(c, 400, err);
		return;
	}
	c->route = route_find(c->rq->method, &c->path, &allow);
	auth_identify(c);
	if (c->route == NULL)
		no_route(c, &allow);
	else if (!auth_allowed(c))
		refuse(c);
	else if (!acceptable(c))
		reply_fail(c, 406, "the API answers with JSON; Accept allows only %s",
		    http_header(c->rq, "Accept"));
	else if (read_form(c, err)) {
		if (changes(c) && !c->token && !auth_same_site(c, c->session != NULL, err))
			reply_error(c, 403, err);
		else
			c->route->fn(c);
	}
	buf_fini(&allow);
}

void
web_request(void *arg, struct http_rq *rq)
{
	struct call *c = mem_alloc(sizeof(*c));
	struct err err = { 0 };
	char from[ADDR_TEXT] = "?";

	c->w = arg;
	c->rq = rq;
	c->api = is_api(rq->path);
	c->loopback = rq->source.family != 0 && addr_is_loopback(&rq->source);
	if (rq->source.family != 0)
		addr_format(&rq->source, ADDR_HOST, from);
	(void)snprintf(c->origin, sizeof(c->origin), "%s %s", c->api ? "api" : "panel", from);
	(void)snprintf(
	    c->id, sizeof(c->id), "%s-%llx", c->w->boot, (unsigned long long)++c->w->requests);
	dispatch(c, &err);
	if (!c->later)
		call_free(c);
}
