/* What may stand next on a command line. The words before are read as options_parse would read them; then the name of the
 * argument in the row of the command (KIND, NAME, VIP/RIP, FIELD=VALUE ...) decides which values are offered. Names come
 * live from the store. Faults are silent: a shell that completes must not print errors. */
#include "complete.h"

#include "options.h"
#include "see/views.h"

#include "msg/client.h"

#include <stdio.h>
#include <string.h>

#define OFFER_MAX 2000 /* more would help nobody */

struct offer {
	struct ctl *c;
	const char *word; /* being typed */
	unsigned n;
	const struct object *kind; /* of the KIND argument; NULL */
	unsigned at;		   /* place of the word among the arguments */
};

/* One value, if it begins as the word does. front stands before it ("field="). */
static void
offer(struct offer *o, const char *front, const char *value, const char *help)
{
	size_t nf = strlen(front), nw = strlen(o->word);
	const char *end;
	char whole[400];

	(void)snprintf(whole, sizeof(whole), "%s%s", front, value);
	if (o->n >= OFFER_MAX || strncmp(whole, o->word, nw) != 0 ||
	    (nf > 0 && nw < nf && *value != '\0'))
		return;
	o->n++;
	help = help != NULL ? help : "";
	end = strstr(help, ". "); /* the first sentence */
	(void)printf(
	    "%s\t%.*s\n", whole, end != NULL ? (int)(end - help) + 1 : (int)strlen(help), help);
}

static void
offer_commands(struct offer *o, const char *group)
{
	char word[40], last[40] = "";
	unsigned i;
	size_t n;

	for (i = 0; i < commands_n; i++) {
		const struct command *cmd = &commands[i];
		const char *name = cmd->name;

		if (name == NULL)
			continue;
		if (group != NULL) {
			n = strlen(group);
			if (strncmp(name, group, n) == 0 && name[n] == ' ')
				offer(o, "", name + n + 1, cmd->help);
			continue;
		}
		(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, " "), name);
		if (strchr(name, ' ') != NULL && command_find(word, NULL) != NULL)
			continue; /* offered with the shorter command */
		if (strcmp(word, last) != 0)
			offer(o, "", word, strchr(name, ' ') != NULL ? "" : cmd->help);
		memcpy(last, word, sizeof(last));
	}
}

static void
offer_kinds(struct offer *o)
{
	unsigned i;

	for (i = 0; i < KINDS; i++)
		if (!(objects[i].flags & O_NAMELESS))
			offer(o, "", objects[i].name, objects[i].help);
}

/* Paths of a kind; with slashes "VIP/" for all of a service where that is taken. */
static void
offer_names(struct offer *o, unsigned kind)
{
	const struct object *k = object_of(kind);
	const struct field *f = k != NULL ? field_find(k, "comment") : NULL;
	const void *const *rows;
	char path[160];
	uint32_t n, i;

	if (k == NULL || ctl_load(o->c, NULL) != 0 || k->scope == SCOPE_OBSERVED)
		return;
	rows = snapshot_by_name(o->c->snap, kind, &n);
	for (i = 0; i < n && o->n < OFFER_MAX; i++) {
		(void)snapshot_path(o->c->snap, kind, *(const uint32_t *)rows[i], path);
		if (strncmp(path, o->word, strlen(o->word)) == 0)
			offer(o, "", path,
			    f != NULL ? views_field_text(o->c, o->c->snap, f, rows[i]) : "");
	}
}

static void
offer_values(struct offer *o, const struct field *f)
{
	char front[80];
	unsigned i;

	(void)snprintf(front, sizeof(front), "%s=", f->name);
	if (f->type == VT_ENUM) {
		for (i = 0; i < f->words->n; i++)
			offer(o, front, f->words->w[i].text, f->words->w[i].help);
	} else if (f->type == VT_BOOL) {
		offer(o, front, "yes", "");
		offer(o, front, "no", "");
	} else if (f->type == VT_REF && ctl_load(o->c, NULL) == 0) {
		const void *const *rows;
		char path[160];
		uint32_t n, k;

		rows = snapshot_by_name(o->c->snap, f->ref, &n);
		for (k = 0; k < n; k++)
			offer(o, front,
			    snapshot_path(o->c->snap, f->ref, *(const uint32_t *)rows[k], path),
			    "");
	} else if (f->def != NULL) {
		offer(o, front, f->def, "the default");
	}
}

static void
offer_fields(struct offer *o, bool with_value)
{
	const char *eq = strchr(o->word, '=');
	char name[64];
	unsigned i;

	for (i = 0; o->kind != NULL && i < o->kind->n; i++) {
		const struct field *f = &o->kind->f[i];

		if (f->flags & (F_KEY | F_PARENT))
			continue;
		if (with_value && eq != NULL && (size_t)(eq - o->word) == strlen(f->name) &&
		    strncmp(o->word, f->name, strlen(f->name)) == 0) {
			offer_values(o, f);
			return;
		}
		(void)snprintf(name, sizeof(name), "%s%s", f->name, with_value ? "=" : "");
		offer(o, "", name, f->help);
	}
}

static void
offer_path(struct offer *o)
{
	const char *dot = strchr(o->word, '.');
	const struct object *k;
	char front[64];
	unsigned i;

	if (dot == NULL) {
		offer_kinds(o);
		return;
	}
	(void)snprintf(front, sizeof(front), "%.*s", (int)(dot - o->word), o->word);
	k = object_find(front);
	(void)snprintf(front, sizeof(front), "%.*s.", (int)(dot - o->word), o->word);
	for (i = 0; k != NULL && i < k->n; i++)
		offer(o, front, k->f[i].name, k->f[i].help);
}

static int
on_revision(void *arg, const struct revision *r)
{
	struct offer *o = arg;
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", r->n);
	offer(o, "", text, r->why != NULL ? r->why : "");
	return 0;
}

static void
offer_condition(struct offer *o)
{
	static const char *const states[] = { "up", "degraded", "down", "offline", "drain", "halt",
		"idle", "away", "applied" };
	static const char *const fronts[] = { "vip/", "rip/", "daemon/", "revision/" };
	unsigned i, kind = strncmp(o->word, "vip/", 4) == 0 ? KIND_service : KIND_server;
	const void *const *rows;
	char path[160];
	uint32_t n, k;

	if (o->at > 0) {
		for (i = 0; i < 9; i++)
			offer(o, "", states[i], "");
		return;
	}
	for (i = 0; strchr(o->word, '/') == NULL && i < 4; i++)
		offer(o, "", fronts[i], "");
	for (i = 0; client_daemons[i] != NULL; i++)
		offer(o, "daemon/", client_daemons[i], "");
	if ((strncmp(o->word, "vip/", 4) != 0 && strncmp(o->word, "rip/", 4) != 0) ||
	    ctl_load(o->c, NULL) != 0)
		return;
	rows = snapshot_by_name(o->c->snap, kind, &n);
	for (k = 0; k < n; k++)
		offer(o, kind == KIND_service ? "vip/" : "rip/",
		    snapshot_path(o->c->snap, kind, *(const uint32_t *)rows[k], path), "");
}

static void
offer_choice(struct offer *o, const char *words)
{
	char word[32];

	while (*words != '\0') {
		size_t n = strcspn(words, "|");

		(void)snprintf(word, sizeof(word), "%.*s", (int)n, words);
		offer(o, "", word, "");
		words += n + (words[n] == '|');
	}
}

static void
offer_argument(struct offer *o, const char *name)
{
	unsigned i;

	if (strcmp(name, "KIND") == 0)
		offer_kinds(o);
	else if (strcmp(name, "NAME") == 0 && o->kind != NULL)
		offer_names(o, o->kind->kind);
	else if (strcmp(name, "VIP/RIP") == 0)
		offer_names(o, KIND_server);
	else if (strcmp(name, "VIP") == 0) /* where a server may stand too, it has a slash */
		offer_names(o, strchr(o->word, '/') != NULL ? KIND_server : KIND_service);
	else if (strcmp(name, "USER") == 0)
		offer_names(o, KIND_user);
	else if (strcmp(name, "TOKEN") == 0)
		offer_names(o, KIND_token);
	else if (strcmp(name, "FIP") == 0)
		offer_names(o, KIND_fip);
	else if (strcmp(name, "CERT") == 0)
		offer_names(o, KIND_cert);
	else if (strcmp(name, "LIST") == 0)
		offer_names(o, KIND_itemlist);
	else if (strcmp(name, "FIELD=VALUE") == 0 || strcmp(name, "FIELD") == 0)
		offer_fields(o, name[5] == '=');
	else if (strcmp(name, "PATH") == 0)
		offer_path(o);
	else if (strcmp(name, "REV") == 0 && ctl_store(o->c, false, NULL) == 0)
		(void)store_history(o->c->store, SCOPE_SHARED, 20, on_revision, o);
	else if (strcmp(name, "CONDITION") == 0 || strcmp(name, "STATE") == 0)
		offer_condition(o);
	else if (strcmp(name, "COMMAND") == 0)
		offer_commands(o, o->at > 0 ? o->c->argv[0] : NULL);
	else if (strchr(name, '|') != NULL || strcmp(name, "bash") == 0)
		offer_choice(o, name);
	for (i = 0; strcmp(name, "DAEMON") == 0 && client_daemons[i] != NULL; i++)
		offer(o, "", client_daemons[i] + 4, "");
}

static void
offer_options(struct offer *o)
{
	const struct command *cmd = o->c->cmd;
	char text[40];
	unsigned i;

	for (i = 0; i < OPTIONS; i++) {
		if (cmd != NULL ? !command_takes(cmd, i) : option_rows[i].scope == OWN)
			continue;
		(void)snprintf(text, sizeof(text), "--%s", option_rows[i].word);
		offer(o, "", text, option_rows[i].help);
	}
}

/* The value of an option. */
static void
offer_option_value(struct offer *o, int id)
{
	const char *keys[96];
	unsigned i, n;

	if (id == OPT_output)
		offer_choice(o, "table|wide|json|yaml|csv|name");
	else if (id == OPT_color)
		offer_choice(o, "auto|always|never");
	else if (id == OPT_role)
		offer_choice(o, "viewer|operator|admin");
	else if (id == OPT_priority)
		offer_choice(o, "err|warning|info|debug");
	if ((id == OPT_columns || id == OPT_sort) && o->kind != NULL) {
		n = views_columns(o->c, o->kind, keys, 96);
		for (i = 0; i < n; i++)
			offer(o, "", keys[i], "");
	}
}

/* The option that waits for a value at the end of the words; -1: none. */
static int
waiting_option(const struct ctl *c, const char *word)
{
	int id = -1;

	if (strncmp(word, "--", 2) == 0 && strchr(word, '=') == NULL)
		id = options_find_word(c->cmd, word + 2, strlen(word + 2));
	else if (word[0] == '-' && word[1] != '\0' && word[2] == '\0')
		id = options_find_letter(c->cmd, word[1]);
	return id >= 0 && option_rows[id].type != FLAG ? id : -1;
}

/* The argument at this place, knowing that a SINGLE has no name. */
static bool
argument_at(const struct offer *o, unsigned at, struct arg_row *out)
{
	if (o->kind != NULL && (o->kind->flags & O_SINGLE) && at > 0)
		at++;
	return command_arg(o->c->cmd, at, out);
}

int
complete_words(struct ctl *c, int argc, char **argv)
{
	struct offer o = { .c = c, .word = "" };
	struct arg_row a;
	int waits = -1;

	if (argc > 0 && strcmp(argv[0], "--") == 0) {
		argc--;
		argv++;
	}
	if (argc > 0)
		o.word = argv[--argc];
	if (argc > 0)
		waits = waiting_option(c, argv[argc - 1]);
	(void)options_parse(c, waits >= 0 ? argc - 1 : argc, argv, NULL);
	if (waits < 0 && argc > 0) /* a letter of the command itself */
		waits = waiting_option(c, argv[argc - 1]);
	if (paths_init(&c->paths, c->opt[OPT_root], NULL) != 0)
		return 0;
	if (c->cmd != NULL && c->argc > 0)
		o.kind = object_find(c->argv[0]);
	if (c->cmd != NULL && strcmp(c->cmd->name, "top") == 0)
		o.kind = object_of(
		    c->argc > 0 && strcmp(c->argv[0], "rip") == 0 ? KIND_server : KIND_service);
	o.at = (unsigned)c->argc;
	if (waits >= 0)
		offer_option_value(&o, waits);
	else if (o.word[0] == '-')
		offer_options(&o);
	else if (c->cmd == NULL && (c->first == NULL || command_is_group(c->first)))
		offer_commands(&o, c->first);
	else if (c->cmd != NULL && argument_at(&o, o.at, &a))
		offer_argument(&o, a.name);
	return 0;
}
