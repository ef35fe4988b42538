/* "KIND [NAME] rest..." of create, set, delete and the like: the kind, the rows that the name means, the rest. */
#include "target.h"

#include "operate/glob.h"

#include <string.h>

static int
changeable(const struct object *o, struct err *err)
{
	if (o->scope == SCOPE_OBSERVED)
		return err_set(
		    err, ERR_USAGE, "%s: read from the kernel, not configured here", o->name);
	if (o->flags & O_NAMELESS)
		return err_set(
		    err, ERR_USAGE, "%s: given with drain, halt, online and weight", o->name);
	return 0;
}

static int
expand(struct ctl *c, struct target *t, char *name, struct err *err)
{
	struct picked rows;
	char path[160];
	uint32_t i;
	int rc = ctl_load(c, err);

	if (rc == 0)
		rc = pick_rows(c, t->o, 1, &name, &rows, err);
	if (rc != 0)
		return rc;
	t->n = rows.n;
	t->path = arena_alloc(c->arena, (rows.n + 1) * sizeof(*t->path));
	for (i = 0; i < rows.n; i++) {
		(void)snapshot_path(c->snap, t->o->kind, *(const uint32_t *)rows.row[i], path);
		t->path[i] = arena_text(c->arena, path, strlen(path));
	}
	return 0;
}

int
target_parse(struct ctl *c, bool globs, struct target *out, struct err *err)
{
	struct target t = { .argc = c->argc - 1, .argv = c->argv + 1 };
	size_t len;
	char *name;
	int rc = ctl_kind(c->argv[0], &t.o, err);

	if (rc == 0)
		rc = changeable(t.o, err);
	if (rc != 0)
		return rc;
	t.n = 1;
	t.path = arena_alloc(c->arena, sizeof(*t.path));
	if (t.o->flags & O_SINGLE) {
		t.path[0] = "main";
		if (t.argc > 0 && strcmp(t.argv[0], "main") == 0) {
			t.argc--;
			t.argv++;
		}
		*out = t;
		return 0;
	}
	if (t.argc < 1)
		return err_set(err, ERR_USAGE, "%s: NAME is missing (lbctl %s %s)", c->cmd->name,
		    c->cmd->name, c->cmd->args);
	name = t.argv[0];
	t.argc--;
	t.argv++;
	len = strlen(name);
	t.path[0] = name;
	if (globs && (glob_is(name) || (len > 1 && name[len - 1] == '/')))
		rc = expand(c, &t, name, err);
	if (rc == 0)
		*out = t;
	return rc;
}

int
target_secrets(const struct object *o, int argc, char *const *argv, struct err *err)
{
	char word[64];
	int i;

	for (i = 0; i < argc; i++) {
		size_t len = strcspn(argv[i], "=");
		const struct field *f;

		if (argv[i][len] != '=' || len >= sizeof(word))
			continue;
		memcpy(word, argv[i], len);
		word[len] = '\0';
		f = field_find(o, word);
		if (f != NULL && f->type == VT_SECRET && argv[i][len + 1] != '\0' &&
		    argv[i][len + 1] != '@')
			return err_set(err, ERR_USAGE,
			    "%s: not taken from the command line, where everybody can read it; see lbctl help "
			    "%s",
			    word, o->kind == KIND_user ? "user passwd" : "token create");
	}
	return 0;
}

static int
from_file(struct ctl *c, const char *word, size_t len, char **out, struct err *err)
{
	struct buf text = { 0 }, whole = { 0 };
	int rc = input_text(word + len + 2, &text, err);

	if (rc == 0) {
		buf_put(&whole, word, len + 1);
		buf_puts(&whole, buf_text(&text));
		*out = arena_text(c->arena, buf_text(&whole), whole.len);
	}
	buf_fini(&text);
	buf_fini(&whole);
	return rc;
}

int
target_files(struct ctl *c, const struct object *o, int argc, char **argv, char ***words_out,
    struct err *err)
{
	char **out = arena_alloc(c->arena, (size_t)(argc + 1) * sizeof(*out)), word[64];
	int rc = 0;

	for (int i = 0; rc == 0 && i < argc; i++) {
		size_t len = strcspn(argv[i], "=");
		const struct field *f = NULL;

		out[i] = argv[i];
		if (len < sizeof(word) && argv[i][len] == '=' && argv[i][len + 1] == '@') {
			memcpy(word, argv[i], len);
			word[len] = '\0';
			f = field_find(o, word);
		}
		if (f != NULL && (f->type == VT_PEM || f->type == VT_LINES))
			rc = from_file(c, argv[i], len, &out[i], err);
	}
	*words_out = out;
	return rc;
}
