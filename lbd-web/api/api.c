/* The parts of the REST API that its handlers have in common: what a path names, which body is taken, the query
 * members of every change, and the answers that say what a change did. */
#include "api.h"
#include "base/must.h"
#include "pages/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const api_json_types[] = { "application/json", NULL };
const char *const api_patch_types[] = { "application/merge-patch+json", "application/json", NULL };

static bool
secret_kind(const struct object *o)
{
	return o->kind == KIND_user || o->kind == KIND_token;
}

static void
no_kind(struct call *c, const char *word)
{
	const char *near = schema_nearest(NULL, word);
	const struct object *o = near != NULL ? object_find(near) : NULL;

	if (o != NULL && (o->flags & O_NAMELESS) == 0)
		reply_fail(c, 404, "there is no collection %s; did you mean %s?", word, o->plural);
	else
		reply_fail(c, 404, "there is no collection %s", word);
}

/* Kinds that are named within another: /api/v1/vips/{vip}/rips/{rip}. */
static const struct {
	unsigned kind;
	const char *parent, *own, *in; /* words of the path */
} within[] = { { KIND_server, "vip", "rip", "/{vip}/rips" },
	{ KIND_sni, "tls", "sni", "/{tls}/snis" },
	{ KIND_content_rule, "vip", "rule", "/{vip}/rules" } };

bool
api_where(struct call *c, struct api_where *out)
{
	const char *kind = call_param(c, "kind"), *parent = "", *own = "";
	const char *name = call_param(c, "name");

	*out = (struct api_where){ .o = object_find(kind) };
	for (unsigned i = 0; i < ARRAY_LEN(within); i++) {
		if (strstr(c->route->pattern, within[i].in) == NULL)
			continue;
		parent = call_param(c, within[i].parent);
		own = call_param(c, within[i].own);
		out->o = object_of(within[i].kind);
	}
	if (out->o == NULL || (out->o->flags & O_NAMELESS) != 0) {
		no_kind(c, kind);
		return false;
	}
	if (secret_kind(out->o) && c->may < ACCESS_R_ADMIN) {
		reply_fail(c, 403, "%s need the role admin; %s has the role %s", out->o->plural,
		    c->user, route_access_word(c->may));
		return false;
	}
	if (strlen(name) > 63 || strlen(parent) > 63 || strlen(own) > 63) {
		reply_fail(c, 404, "no name is longer than 63 characters");
		return false;
	}
	if ((out->o->flags & O_CHILD) != 0 && name[0] != '\0') {
		reply_fail(c, 404, "a %s is named within its %s: /api/v1/%s/{%s}/%s/%s",
		    out->o->name, object_of(out->o->parent)->name,
		    object_of(out->o->parent)->plural, object_of(out->o->parent)->name,
		    out->o->plural, name);
		return false;
	}
	(void)snprintf(out->parent, sizeof(out->parent), "%s", parent);
	if (own[0] != '\0')
		(void)snprintf(out->path, sizeof(out->path), "%s/%s", parent, own);
	else if ((out->o->flags & O_SINGLE) != 0)
		(void)snprintf(out->path, sizeof(out->path), "%s", name[0] != '\0' ? name : "main");
	else
		(void)snprintf(out->path, sizeof(out->path), "%s", name);
	return true;
}

bool
api_body_is(struct call *c, const char *const *types)
{
	const char *type = http_header(c->rq, "Content-Type");
	struct buf all = { 0 };
	bool good = false;

	for (const char *const *t = types; *t != NULL; t++) {
		size_t n = strlen(*t);

		good |= type != NULL && strncasecmp(type, *t, n) == 0 &&
			strchr("; \t", type[n]) != NULL;
		buf_printf(&all, "%s%s", all.len > 0 ? " or " : "", *t);
	}
	if (!good)
		reply_fail(c, 415, "the body must be %s", buf_text(&all));
	buf_fini(&all);
	return good;
}

bool
api_number(
    struct call *c, const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long v;

	v = text[0] >= '0' && text[0] <= '9' && strlen(text) < 19 ? strtoull(text, &end, 10) : 0;
	if (text[0] < '0' || text[0] > '9' || strlen(text) >= 19 || *end != '\0' || v < min ||
	    v > max) {
		reply_fail(c, 400, "%s: %s: allowed is %llu to %llu", name, text,
		    (unsigned long long)min, (unsigned long long)max);
		return false;
	}
	*out = v;
	return true;
}

bool
api_how(struct call *c, struct commit_how *out)
{
	const char *dry = call_query(c, "dry_run"), *confirm = call_query(c, "confirm");
	uint64_t s;

	*out = (struct commit_how){ .why = call_query(c, "message") };
	if (dry != NULL && strcmp(dry, "true") != 0 && strcmp(dry, "false") != 0) {
		reply_fail(c, 400, "dry_run: %s: allowed is true or false", dry);
		return false;
	}
	out->dry_run = dry != NULL && strcmp(dry, "true") == 0;
	if (out->why != NULL && strlen(out->why) > 200) {
		reply_fail(c, 400, "message: longer than 200 bytes");
		return false;
	}
	if (confirm == NULL)
		return true;
	if (!api_number(c, "confirm", confirm, 10, 86400, &s))
		return false;
	out->trial_ms = (uint32_t)s * 1000;
	return true;
}

void
api_committed(struct call *c, const struct commit_how *how, const struct commit_result *r)
{
	char text[40];
	time_t until = time(NULL) + how->trial_ms / 1000;
	struct tm tm;

	if (r->revision[SCOPE_SHARED] != 0) {
		(void)snprintf(text, sizeof(text), "%u", r->revision[SCOPE_SHARED]);
		http_set(c->rq, "Lbd-Revision", text);
	} else if (r->revision[SCOPE_LOCAL] != 0) {
		(void)snprintf(text, sizeof(text), "local %u", r->revision[SCOPE_LOCAL]);
		http_set(c->rq, "Lbd-Revision", text);
	}
	if (how->trial_ms != 0 && gmtime_r(&until, &tm) != NULL) {
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
		http_set(c->rq, "Lbd-Trial-Until", text);
	}
}

static void
put_lines(struct buf *b, const char *text)
{
	char line[1024];

	for (bool first = true; *text != '\0'; first = false) {
		size_t n = strcspn(text, "\n"), len = n < sizeof(line) - 1 ? n : sizeof(line) - 1;

		memcpy(line, text, len);
		line[len] = '\0';
		buf_puts(b, first ? "" : ",");
		view_json_text(b, line);
		text += n + (text[n] == '\n');
	}
}

void
api_dry(struct call *c, const struct commit_result *r)
{
	struct buf b = { 0 }, text = { 0 };

	if (r->old != NULL && r->now != NULL)
		(void)snapshot_diff_text(r->old, r->now, &text);
	buf_puts(&b, "{\"dry_run\":true,\"changes\":[");
	put_lines(&b, buf_text(&text));
	buf_puts(&b, "]}\n");
	buf_fini(&text);
	reply_json(c, 200, &b);
}

void
api_etag(const struct snapshot *s, const struct object *o, const void *row, char *out)
{
	struct buf b = { 0 };
	uint64_t h = 14695981039346656037u; /* FNV-1a: no secret, only a name for what was seen */

	snapshot_export_row(s, o, row, &b);
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ b.p[i]) * 1099511628211u;
	(void)snprintf(out, 24, "\"%016llx\"", (unsigned long long)h);
	buf_fini(&b);
}
