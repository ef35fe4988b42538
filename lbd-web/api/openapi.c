/* The description of the API (OpenAPI 3.1), made from the rows of routes.def and of the schema: a new field or route
 * is described without a line here. Pure; the same bytes at every call. */
#include "api.h"
#include "base/must.h"

#include <stdio.h>
#include <string.h>

static void
quoted(struct buf *b, const char *key, const char *text)
{
	buf_printf(b, "\"%s\":", key);
	view_json_text(b, text);
}

/* ---- schemas ---- */

static void
put_enum(struct buf *b, const struct words *w)
{
	buf_puts(b, "\"type\":\"string\",\"enum\":[");
	for (unsigned i = 0; i < w->n; i++) {
		buf_puts(b, i > 0 ? "," : "");
		view_json_text(b, w->w[i].text);
	}
	buf_puts(b, "]");
}

static void
put_type(struct buf *b, const struct field *f)
{
	switch (f->type) {
	case VT_U16:
	case VT_U32:
	case VT_I16:
		buf_printf(b, "\"type\":\"integer\",\"minimum\":%lld,\"maximum\":%lld",
		    (long long)f->min, (long long)f->max);
		break;
	case VT_BOOL: buf_puts(b, "\"type\":\"boolean\""); break;
	case VT_ENUM: put_enum(b, f->words); break;
	case VT_NAME:
	case VT_TEXT:
	case VT_TCHAR:
	case VT_PEM:
	case VT_LINES:
	case VT_LABELS:
		buf_printf(b, "\"type\":\"string\",\"minLength\":%lld,\"maxLength\":%lld",
		    (long long)f->min, (long long)f->max);
		break;
	default: buf_puts(b, "\"type\":\"string\"");
	}
}

static void
put_field(struct buf *b, const struct field *f)
{
	struct buf help = { 0 };

	buf_printf(b, "\"%s\":{", f->name);
	put_type(b, f);
	buf_printf(&help, "%s", f->help);
	if (f->type == VT_DUR_S)
		buf_puts(&help, " A time such as 60s, 30m, 2h or 365d.");
	else if (f->type == VT_DUR_MS)
		buf_puts(&help, " A time such as 500ms, 5s, 30m or 2h.");
	else if (f->type == VT_BYTES)
		buf_puts(&help, " A size such as 512, 16K or 2M.");
	else if (f->type == VT_REF)
		buf_printf(&help, " Name of a %s.", object_of(f->ref)->name);
	else if (f->type == VT_SECRET)
		buf_puts(&help, " Never shown again: answers name it by a number, as @7.");
	buf_puts(b, ",");
	quoted(b, "description", buf_text(&help));
	if (f->def != NULL && f->def[0] != '\0') {
		buf_puts(b, ",\"default\":");
		if (f->type == VT_U16 || f->type == VT_U32 || f->type == VT_I16)
			buf_puts(b, f->def);
		else if (f->type == VT_BOOL)
			buf_puts(b, strcmp(f->def, "yes") == 0 ? "true" : "false");
		else
			view_json_text(b, f->def);
	}
	buf_puts(b, "}");
	buf_fini(&help);
}

static void
put_object(struct buf *b, const struct object *o)
{
	bool first = true;

	buf_printf(b, "\"%s\":{\"type\":\"object\",", o->name);
	quoted(b, "description", o->help);
	buf_puts(b, ",\"properties\":{");
	for (unsigned i = 0; i < o->n; i++) {
		buf_puts(b, i > 0 ? "," : "");
		put_field(b, &o->f[i]);
	}
	if (view_json_live(o) != NULL)
		buf_printf(b,
		    ",\"%s\":{\"type\":\"object\",\"readOnly\":true,\"description\":\"How it stands now.\"}",
		    view_json_live(o));
	buf_puts(b, "}");
	for (unsigned i = 0; i < o->n; i++) {
		if ((o->f[i].flags & F_REQUIRED) == 0 || (o->f[i].flags & F_PARENT) != 0)
			continue;
		buf_printf(b, "%s\"%s\"", first ? ",\"required\":[" : ",", o->f[i].name);
		first = false;
	}
	buf_puts(b, first ? "}" : "]}");
}

/* ---- paths ---- */

static const char *
lower(const char *method, char out[8])
{
	size_t n = 0;

	for (; method[n] != '\0' && n < 7; n++)
		out[n] = (char)(method[n] | 0x20);
	out[n] = '\0';
	return out;
}

/* {vip} and the like, as parameters. */
static void
put_params(struct buf *b, const char *pattern)
{
	bool first = true;

	buf_puts(b, "\"parameters\":[");
	for (const char *p = strchr(pattern, '{'); p != NULL; p = strchr(p + 1, '{')) {
		int n = (int)strcspn(p + 1, "}");

		if (strncmp(p, "{kind}", 6) == 0)
			continue;
		buf_printf(b,
		    "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}",
		    first ? "" : ",", n, p + 1);
		first = false;
	}
	buf_puts(b, "]");
}

static bool
changes(const struct route *r)
{
	return strcmp(r->method, "GET") != 0;
}

static void
put_body(struct buf *b, const struct route *r, const struct object *o)
{
	bool patch = strcmp(r->method, "PATCH") == 0;

	if (!changes(r) || strcmp(r->method, "DELETE") == 0)
		return;
	buf_printf(b, ",\"requestBody\":{\"content\":{\"%s\":{\"schema\":",
	    patch ? "application/merge-patch+json" : "application/json");
	if (o != NULL && !patch)
		buf_printf(b, "{\"$ref\":\"#/components/schemas/%s\"}", o->name);
	else if (o != NULL)
		buf_printf(b,
		    "{\"type\":\"object\",\"properties\":{\"revision\":{\"type\":\"integer\"},\"next\":{\"type\":"
		    "\"string\"},\"items\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/%s\"}}}}",
		    o->name);
	else
		buf_puts(b, "{\"type\":\"object\"}");
	buf_puts(b, "}}}");
}

static void
put_success(struct buf *b, const struct route *r, const struct object *o)
{
	bool named = strstr(r->pattern, "{name}") != NULL || strstr(r->pattern, "{rip}") != NULL;
	const char *type = strstr(r->pattern, "metrics") != NULL  ? "text/plain"
			   : strstr(r->pattern, ".csv") != NULL	  ? "text/csv"
			   : strstr(r->pattern, "events") != NULL ? "text/event-stream"
								  : "application/json";

	if ((strcmp(r->method, "DELETE") == 0 && strstr(r->pattern, "connections") == NULL &&
		strstr(r->pattern, "persistence") == NULL) ||
	    strstr(r->pattern, "confirm") != NULL || strstr(r->pattern, "revert") != NULL) {
		buf_puts(b, "\"204\":{\"description\":\"Done.\"}");
		return;
	}
	buf_printf(b, "\"%s\":{\"description\":\"%s\",\"content\":{\"%s\":{\"schema\":",
	    o != NULL && strcmp(r->method, "POST") == 0 ? "201" : "200",
	    o != NULL && strcmp(r->method, "POST") == 0 ? "Created; Location says where."
							: "As asked.",
	    type);
	if (o != NULL && (named || changes(r) || (o->flags & O_SINGLE) != 0))
		buf_printf(b, "{\"$ref\":\"#/components/schemas/%s\"}", o->name);
	else if (o != NULL)
		buf_printf(b,
		    "{\"type\":\"object\",\"properties\":{\"revision\":{\"type\":\"integer\"},\"next\":{"
		    "\"type\":\"string\"},\"items\":{\"type\":\"array\",\"items\":{\"$ref\":"
		    "\"#/components/schemas/%s\"}}}}",
		    o->name);
	else
		buf_puts(b, strcmp(type, "application/json") == 0 ? "{\"type\":\"object\"}"
								  : "{\"type\":\"string\"}");
	buf_puts(b, "}}}");
}

static void
put_operation(struct buf *b, const struct route *r, const struct object *o)
{
	char method[8], id[120];
	size_t n = 0;

	(void)lower(r->method, method);
	for (const char *p = r->pattern; *p != '\0' && n < sizeof(id) - 1; p++)
		id[n++] = strchr("/{}.-", *p) != NULL ? '_' : *p;
	id[n] = '\0';
	buf_printf(b, "\"%s\":{\"operationId\":\"%s%s%s%s\",", method, method, id,
	    o != NULL ? "_" : "", o != NULL ? o->plural : "");
	quoted(b, "summary", r->help);
	buf_printf(b, ",\"tags\":[\"%s\"]", o != NULL ? o->plural : "suite");
	if (r->access == ACCESS_R_PUBLIC)
		buf_puts(b, ",\"security\":[]");
	else
		buf_printf(b, ",\"x-role\":\"%s\"", route_access_word(r->access));
	put_body(b, r, o);
	buf_puts(b, ",\"responses\":{");
	put_success(b, r, o);
	buf_puts(b, ",\"4XX\":{\"$ref\":\"#/components/responses/problem\"},"
		    "\"5XX\":{\"$ref\":\"#/components/responses/problem\"}}}");
}

/* Whether a kind has the operation at all. */
static bool
has(const struct object *o, const struct route *r)
{
	bool named = strstr(r->pattern, "{name}") != NULL;

	if ((o->flags & (O_CHILD | O_NAMELESS)) != 0)
		return false;
	if (o->scope == SCOPE_OBSERVED)
		return !named && strcmp(r->method, "GET") == 0;
	if ((o->flags & O_SINGLE) != 0)
		return !named && strcmp(r->method, "POST") != 0;
	return named || strcmp(r->method, "GET") == 0 || strcmp(r->method, "POST") == 0;
}

static bool
first_of(unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (strcmp(routes[k].pattern, routes[i].pattern) == 0)
			return false;
	return true;
}

static const struct object *
object_in(const struct route *r)
{
	const char *tail = strrchr(r->pattern, '/');

	if (strcmp(tail, "/rips") == 0 || strcmp(tail, "/{rip}") == 0)
		return object_of(KIND_server);
	if (strcmp(tail, "/snis") == 0 || strcmp(tail, "/{sni}") == 0)
		return object_of(KIND_sni);
	if (strcmp(tail, "/rules") == 0 || strcmp(tail, "/{rule}") == 0)
		return object_of(KIND_content_rule);
	return NULL;
}

/* All methods of the pattern of routes[i], for a kind or for none. */
static void
put_path(struct buf *b, unsigned i, const struct object *o, unsigned *n)
{
	const char *pattern = routes[i].pattern, *at = strstr(pattern, "{kind}");
	bool any = false;

	must(at == NULL || o != NULL);
	for (unsigned k = i; k < routes_n; k++)
		any |= strcmp(routes[k].pattern, pattern) == 0 &&
		       (o == NULL || at == NULL || has(o, &routes[k]));
	if (!any)
		return;
	buf_printf(b, "%s\n\"", (*n)++ > 0 ? "," : "");
	if (at != NULL)
		buf_printf(
		    b, "%.*s%s%s", (int)(at - pattern), pattern, o->plural, at + strlen("{kind}"));
	else
		buf_puts(b, pattern);
	buf_puts(b, "\":{");
	put_params(b, pattern);
	for (unsigned k = i; k < routes_n; k++) {
		if (strcmp(routes[k].pattern, pattern) != 0 || (at != NULL && !has(o, &routes[k])))
			continue;
		buf_puts(b, ",");
		put_operation(b, &routes[k], o);
	}
	buf_puts(b, "}");
}

static void
put_paths(struct buf *b)
{
	unsigned n = 0;

	buf_puts(b, "\"paths\":{");
	for (unsigned i = 0; i < routes_n; i++) {
		const char *p = routes[i].pattern;

		if (!first_of(i) || (strncmp(p, "/api/", 5) != 0 && strcmp(p, "/metrics") != 0))
			continue;
		if (strstr(p, "{kind}") == NULL) {
			put_path(b, i, object_in(&routes[i]), &n);
			continue;
		}
		for (unsigned k = 1; k <= KINDS; k++)
			put_path(b, i, object_of(k), &n);
	}
	buf_puts(b, "}");
}

void
openapi_write(struct buf *b)
{
	buf_printf(b,
	    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"lbd\",\"version\":\"%s\",\"description\":\"Everything that lbctl "
	    "changes, over HTTP. Bodies of GET may be sent back by PUT. Changes take ?dry_run=true, ?confirm=SECONDS (a "
	    "trial that undoes itself) and ?message=TEXT, and honour If-Match and If-None-Match.\",\"license\":{\"name\":"
	    "\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},\"servers\":[{\"url\":\"/\"}],\"security\":[{\"token\":[]},"
	    "{\"session\":[]}],",
	    LBD_VERSION);
	put_paths(b);
	buf_puts(b,
	    ",\n\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
	    "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"__Host-lbd\"}},\"responses\":{\"problem\":{"
	    "\"description\":\"What is wrong, in the words of lbctl (RFC 9457).\",\"content\":{"
	    "\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/problem\"}}}}},\"schemas\":{"
	    "\"problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],\"properties\":{"
	    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},"
	    "\"detail\":{\"type\":\"string\"},\"instance\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\"},"
	    "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"pointer\":{\"type\":"
	    "\"string\"},\"code\":{\"type\":\"string\"},\"detail\":{\"type\":\"string\"}}}}}}");
	for (unsigned k = 1; k <= KINDS; k++) {
		if ((object_of(k)->flags & O_NAMELESS) != 0)
			continue;
		buf_puts(b, ",\n");
		put_object(b, object_of(k));
	}
	buf_puts(b, "}}}\n");
}

void
openapi_get(struct call *c)
{
	struct buf b = { 0 };

	openapi_write(&b);
	reply_json(c, 200, &b);
}
