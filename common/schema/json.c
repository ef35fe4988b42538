/* JSON into edits, and a doc kept as JSON lines: the adapter of jansson, which is included nowhere else.
 *
 * The shape is that of YAML (tree.c says what may stand where). Numbers, booleans and lists become the text that
 * a person would have written; null is "back to the default". Depth is bounded before jansson sees a byte, names
 * that are there twice are refused, and what jansson repeats of a faulty text is left out of the error: it may be
 * a password. Writing without a tree is json_writer.c. */
#include "schema/doc.h"
#include "schema/json.h"
#include "schema/tree.h"
#include "schema/value.h"
#include "base/must.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_words[] = {
	[DOC_REPLACE] = "replace",
	[DOC_CREATE] = "create",
	[DOC_MERGE] = "merge",
	[DOC_DELETE] = "delete",
	[DOC_RENAME] = "rename",
};

/* Brackets outside of strings; what is no JSON at all is left to the parser. */
static bool
is_too_deep(const char *text, size_t len)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '[') && ++depth > JSON_DEPTH_MAX)
			return true;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return false;
}

/* What stands near a fault may be a password; a name that is there twice is what the reader wants to know. */
static int
not_json(json_error_t *why, struct err *err)
{
	struct buf shown = { 0 };
	char *near = strstr(why->text, " near '");

	if (near != NULL && strncmp(why->text, "duplicate", strlen("duplicate")) != 0)
		*near = '\0';
	value_show(why->text, &shown);
	(void)err_set(err, ERR_INVALID, "line %d: this is not JSON: %s",
	    why->line > 0 ? why->line : 1, buf_text(&shown));
	buf_fini(&shown);
	return ERR_INVALID;
}

static int
load(const char *text, size_t len, json_t **out, struct err *err)
{
	json_error_t why;
	int rc = tree_size(len, err);

	if (rc != 0)
		return rc;
	if (is_too_deep(text, len)) {
		(void)err_set(err, ERR_INVALID, "nested too deep; at most %d levels are allowed",
		    JSON_DEPTH_MAX);
		return ERR_INVALID;
	}
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (*out == NULL)
		return not_json(&why, err);
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	(void)err_set(err, ERR_INVALID, "an object belongs here, as {\"name\": value}");
	return ERR_INVALID;
}

/* One plain value as text; false when it is no plain value. */
static bool
put_plain(const json_t *v, struct buf *out)
{
	if (json_is_string(v))
		buf_puts(out, json_string_value(v));
	else if (json_is_boolean(v))
		buf_puts(out, json_is_true(v) ? "yes" : "no");
	else if (json_is_integer(v))
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		return false;
	return true;
}

static int
set_list(struct tree *t, struct doc_item *it, const struct field *f, const json_t *v)
{
	struct buf text = { 0 };
	int rc = tree_list(t, it, f);

	for (size_t i = 0; rc == 0 && i < json_array_size(v); i++) {
		buf_puts(&text, i > 0 ? "," : "");
		if (!put_plain(json_array_get(v, i), &text))
			rc = tree_shape(
			    t, it->o, it, f->name, "a list of texts or numbers belongs here");
	}
	if (rc == 0)
		rc = tree_set(t, it, f, buf_text(&text));
	buf_fini(&text);
	return rc;
}

static int
set_field(struct tree *t, struct doc_item *it, const struct field *f, const json_t *v)
{
	struct buf text = { 0 };
	int rc;

	if (json_is_null(v))
		return tree_set(t, it, f, DOC_UNSET);
	if (json_is_array(v))
		return set_list(t, it, f, v);
	rc = put_plain(v, &text) ? tree_set(t, it, f, buf_text(&text))
				 : tree_shape(t, it->o, it, f->name,
				       "a text, a whole number, true, false or null belongs here");
	buf_fini(&text);
	return rc;
}

static int read_names(
    struct tree *t, const struct object *o, const struct doc_item *parent, json_t *v);

static int
read_fields(struct tree *t, struct doc_item *it, json_t *v)
{
	const struct object *child;
	uint32_t seen = 0; /* a bit for each kind of children */
	const struct field *f;
	const char *key;
	json_t *member;
	int rc = 0;

	if (!json_is_object(v))
		return tree_shape(t, it->o, it, NULL, "an object with its fields belongs here");
	json_object_foreach(v, key, member)
	{
		rc = tree_key(t, it, key, &f, &child);
		if (rc == 0 && child != NULL && (seen & 1U << child->kind) != 0)
			rc = tree_shape(t, it->o, it, key, "is there twice");
		if (rc == 0)
			rc = child != NULL ? read_names(t, child, it, member)
					   : set_field(t, it, f, member);
		if (rc != 0)
			break;
		seen |= child != NULL ? 1U << child->kind : 0;
	}
	return rc;
}

static int
read_names(struct tree *t, const struct object *o, const struct doc_item *parent, json_t *v)
{
	struct doc_item *it;
	const char *name;
	json_t *member;
	int rc = 0;

	if (!json_is_object(v))
		return tree_shape(t, parent != NULL ? parent->o : o, parent,
		    parent != NULL ? o->plural : NULL, "an object with names belongs here");
	json_object_foreach(v, name, member)
	{
		rc = tree_item(t, o, parent, name, 0, &it);
		if (rc == 0)
			rc = read_fields(t, it, member);
		if (rc != 0)
			break;
	}
	return rc;
}

static int
read_kind(struct tree *t, const char *word, json_t *v)
{
	const struct object *o;
	struct doc_item *it;
	int rc = tree_kind(t, word, &o);

	if (rc != 0)
		return rc;
	if ((o->flags & O_SINGLE) == 0)
		return read_names(t, o, NULL, v);
	rc = tree_item(t, o, NULL, NULL, 0, &it);
	return rc != 0 ? rc : read_fields(t, it, v);
}

int
json_parse(struct doc *d, enum doc_op op, const char *text, size_t len, struct err *err)
{
	const char *word;
	json_t *root = NULL, *kind;
	struct tree t;
	int rc = load(text, len, &root, err);

	if (rc != 0)
		return rc;
	tree_init(&t, d, op, err);
	json_object_foreach(root, word, kind)
	{
		rc = read_kind(&t, word, kind);
		if (rc != 0)
			break;
	}
	tree_fini(&t);
	json_decref(root);
	return rc;
}

int
json_parse_object(struct doc *d, struct doc_item *it, const char *text, size_t len, struct err *err)
{
	json_t *root = NULL;
	struct tree t;
	int rc = load(text, len, &root, err);

	if (rc != 0) {
		(void)doc_item_err(it, 0, err);
		return rc;
	}
	tree_init(&t, d, it->op, err);
	rc = read_fields(&t, it, root);
	tree_fini(&t);
	json_decref(root);
	return rc;
}

static void
save_item(const struct doc_item *it, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out, 0);
	jw_object(&w, NULL);
	jw_string(&w, "op", op_words[it->op]);
	jw_string(&w, "object", it->o->name);
	jw_string(&w, "path", it->path);
	if (it->line > 0)
		jw_uint(&w, "line", it->line);
	if (it->cascade)
		jw_bool(&w, "cascade", true);
	jw_object(&w, "set");
	for (unsigned i = 0; i < it->o->n; i++)
		if (it->text[i] != NULL)
			jw_string(
			    &w, it->o->f[i].name, it->text[i] == DOC_UNSET ? NULL : it->text[i]);
	jw_end(&w);
	jw_end(&w);
	jw_finish(&w);
	buf_puts(out, "\n");
}

void
doc_save(const struct doc *d, struct buf *out)
{
	for (const struct doc_item *it = d->first; it != NULL; it = it->next)
		save_item(it, out);
}

static int
load_item(struct doc *d, json_t *root, struct err *err)
{
	const char *op, *object, *path, *key;
	const struct object *o;
	struct doc_item *it;
	json_t *set, *v;
	int line = 0, cascade = 0, rc;
	unsigned n = 0;

	if (json_unpack(root, "{s:s, s:s, s:s, s?i, s?b, s:o}", "op", &op, "object", &object,
		"path", &path, "line", &line, "cascade", &cascade, "set", &set) != 0)
		return err_set(err, ERR_INVALID, "this is not an edit");
	while (n < ARRAY_LEN(op_words) && strcmp(op_words[n], op) != 0)
		n++;
	if (n == ARRAY_LEN(op_words) || !json_is_object(set))
		return err_set(err, ERR_INVALID, "this is not an edit");
	rc = doc_kind(object, &o, err);
	if (rc == 0)
		rc = doc_add(d, (enum doc_op)n, o, path, line > 0 ? (unsigned)line : 0, &it, err);
	if (rc != 0)
		return rc;
	it->cascade = cascade != 0;
	json_object_foreach(set, key, v)
	{
		if (!json_is_string(v) && !json_is_null(v))
			rc = err_set(err, ERR_INVALID, "this is not an edit");
		else
			rc = doc_set(
			    d, it, key, json_is_null(v) ? DOC_UNSET : json_string_value(v), err);
		if (rc != 0)
			break;
	}
	return rc;
}

int
doc_load(struct doc *d, const char *text, size_t len, struct err *err)
{
	const char *end;
	json_t *root = NULL;
	int rc = 0;

	for (unsigned line = 1; rc == 0 && len > 0; line++) {
		size_t n;

		end = memchr(text, '\n', len);
		n = end != NULL ? (size_t)(end - text) : len;
		rc = load(text, n, &root, err);
		if (rc == 0) {
			rc = load_item(d, root, err);
			json_decref(root);
		}
		if (rc != 0)
			(void)err_prefix(err, "edit %u: ", line);
		n += end != NULL;
		text += n;
		len -= n;
	}
	return rc;
}

static int
give_member(
    const char *name, json_t *v, int (*fn)(void *arg, const struct json_member *m), void *arg)
{
	static const enum json_type types[] = {
		[JSON_OBJECT] = JSON_T_OBJECT,
		[JSON_ARRAY] = JSON_T_ARRAY,
		[JSON_STRING] = JSON_T_STRING,
		[JSON_INTEGER] = JSON_T_NUMBER,
		[JSON_REAL] = JSON_T_NUMBER,
		[JSON_TRUE] = JSON_T_BOOL,
		[JSON_FALSE] = JSON_T_BOOL,
		[JSON_NULL] = JSON_T_NULL,
	};
	char *value = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	struct json_member m = { .name = name, .type = types[json_typeof(v)], .value = value };
	int rc;

	must(value != NULL);
	m.len = strlen(value);
	m.text = json_is_string(v) ? json_string_value(v) : value;
	rc = fn(arg, &m);
	free(value);
	return rc;
}

int
json_scan(const char *text, size_t len, int (*fn)(void *arg, const struct json_member *m),
    void *arg, struct err *err)
{
	json_t *root, *v;
	const char *name;
	int rc = load(text, len, &root, err);

	if (rc != 0) { /* for a caller of the API this is the form of the request, not a value */
		if (err != NULL)
			err->code = ERR_USAGE;
		return ERR_USAGE;
	}
	json_object_foreach(root, name, v)
	{
		if (rc == 0 && fn != NULL)
			rc = give_member(name, v, fn, arg);
	}
	json_decref(root);
	return rc;
}

int
json_text(const struct json_member *m, char *out, size_t room)
{
	size_t n = strlen(m->text);

	if (m->type == JSON_T_ARRAY || m->type == JSON_T_OBJECT || n >= room)
		return -EINVAL;
	memcpy(out, m->text, n + 1);
	return 0;
}
