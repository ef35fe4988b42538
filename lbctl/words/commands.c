/* The command table: the rows of commands.def and options.def as arrays, and the pure questions about them: which
 * command do these words name, which options does it take, how many arguments. Neither prints nor runs anything. */
#include "commands.h"

#include "base/must.h"
#include "schema/schema.h"

#include <stdio.h>
#include <string.h>

#define EDIT "dry-run message confirm tx base "
#define ORDER "dry-run message "
#define ASKS "ASKS "
#define ASKS_PRUNE "ASKS-PRUNE "

/* clang-format off */
#define OPTION(id, letter, word, type, arg, min, max, scope, help) \
	[OPT_##id] = { letter, type, scope, word, arg, help, min, max },
const struct option_row option_rows[OPTIONS] = {
#include "options.def"
};
#undef OPTION

#define SECTION(title) { .section = title },
#define COMMAND(number, name, args, options, fn, help, examples) \
	{ number, NULL, name, args, options, fn, help, examples },
const struct command commands[] = {
#include "commands.def"
};
/* clang-format on */
const unsigned commands_n = ARRAY_LEN(commands);

#define WORDS_MAX 128

const struct command *
command_find(const char *first, const char *second)
{
	char both[80];
	unsigned i;

	(void)snprintf(both, sizeof(both), "%s %s", first, second != NULL ? second : "");
	for (i = 0; i < commands_n; i++)
		if (commands[i].name != NULL &&
		    (strcmp(commands[i].name, first) == 0 || strcmp(commands[i].name, both) == 0))
			return &commands[i];
	return NULL;
}

const struct command *
command_longer(const struct command *c, const char *next)
{
	char both[80];

	(void)snprintf(both, sizeof(both), "%s %s", c->name, next);
	for (unsigned i = 0; i < commands_n; i++)
		if (commands[i].name != NULL && strcmp(commands[i].name, both) == 0)
			return &commands[i];
	return NULL;
}

bool
command_is_group(const char *word)
{
	size_t n = strlen(word);
	unsigned i;

	for (i = 0; n > 0 && i < commands_n; i++)
		if (commands[i].name != NULL && strncmp(commands[i].name, word, n) == 0 &&
		    commands[i].name[n] == ' ')
			return true;
	return false;
}

const char *
command_nearest(const char *word)
{
	const char *names[WORDS_MAX];
	unsigned i, n = 0;

	for (i = 0; i < commands_n && n < WORDS_MAX; i++)
		if (commands[i].name != NULL)
			names[n++] = commands[i].name;
	return words_nearest(names, n, word);
}

/* Is word one of the words of a list that is separated by blanks? */
static bool
listed(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *p = list;

	while ((p = strstr(p, word)) != NULL) {
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
		p += n;
	}
	return false;
}

bool
command_takes(const struct command *c, enum option_id o)
{
	return option_rows[o].scope == ALL || listed(c->options, option_rows[o].word);
}

bool
command_asks(const struct command *c)
{
	return listed(c->options, "ASKS");
}

int
command_summary_len(const struct command *c)
{
	const char *end = strstr(c->help, ". ");

	return end != NULL ? (int)(end - c->help) + 1 : (int)strlen(c->help);
}

bool
command_arg(const struct command *c, unsigned i, struct arg_row *out)
{
	const char *p = c->args, *end;
	size_t n;

	for (;;) {
		while (*p == ' ')
			p++;
		if (*p == '\0')
			return false;
		end = p + strcspn(p, " ");
		*out = (struct arg_row){ .optional = *p == '[' };
		p += out->optional;
		n = (size_t)(end - p) - out->optional;
		out->repeats = n > 3 && strncmp(p + n - 3, "...", 3) == 0;
		n -= out->repeats ? 3 : 0;
		must(n < ARG_NAME);
		memcpy(out->name, p, n);
		if (i == 0 || (out->repeats && *end == '\0'))
			return true;
		i--;
		p = end;
	}
}

static int
check_choice(const struct arg_row *a, const char *given, struct err *err)
{
	size_t n = strlen(given);
	const char *p = a->name;

	if (strchr(a->name, '|') == NULL)
		return 0;
	while (n > 0 && (p = strstr(p, given)) != NULL) {
		if ((p == a->name || p[-1] == '|') && (p[n] == '|' || p[n] == '\0'))
			return 0;
		p++;
	}
	return err_set(err, ERR_USAGE, "\"%s\" is not one of %s", given, a->name);
}

int
command_check_args(const struct command *c, int argc, char *const *argv, struct err *err)
{
	struct arg_row a;
	int i, needed = 0, rc;

	for (i = 0; i < argc; i++) {
		if (!command_arg(c, (unsigned)i, &a))
			return err_set(err, ERR_USAGE,
			    "%s: \"%s\" is one argument too many (lbctl %s%s%s)", c->name, argv[i],
			    c->name, c->args[0] != '\0' ? " " : "", c->args);
		rc = check_choice(&a, argv[i], err);
		if (rc != 0) {
			(void)err_prefix(err, "%s: ", c->name);
			return rc;
		}
	}
	for (i = 0; command_arg(c, (unsigned)i, &a); i++) {
		if (!a.optional && ++needed > argc)
			return err_set(err, ERR_USAGE, "%s: %s is missing (lbctl %s %s)", c->name,
			    a.name, c->name, c->args);
		if (a.repeats)
			break;
	}
	return 0;
}
