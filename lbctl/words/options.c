/* The command line: options anywhere, the command in one or two words, its arguments. Every option is a row of
 * options.def; one that the command does not take is refused, so --dry-run is never silently ignored. */
#include "options.h"

#include "schema/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

int
options_find_word(const struct command *cmd, const char *word, size_t len)
{
	int i;

	for (i = 0; i < OPTIONS; i++)
		if (strlen(option_rows[i].word) == len &&
		    memcmp(option_rows[i].word, word, len) == 0 &&
		    (cmd != NULL || option_rows[i].scope != OWN))
			return i;
	return -1;
}

int
options_find_letter(const struct command *cmd, char letter)
{
	int i, found = -1;

	for (i = 0; i < OPTIONS; i++) {
		const struct option_row *o = &option_rows[i];

		if (o->letter != letter)
			continue;
		if (o->scope != OWN || (cmd != NULL && command_takes(cmd, i)))
			return i;
		found = i; /* of another command: named in the error */
	}
	return cmd != NULL ? found : -1;
}

const char *
options_nearest(const char *word)
{
	const char *words[OPTIONS];
	unsigned i;

	for (i = 0; i < OPTIONS; i++)
		words[i] = option_rows[i].word;
	return words_nearest(words, OPTIONS, word);
}

static int
parse_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
	long long v;
	char *end;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v < min || v > max)
		return ERR_USAGE;
	*out = v;
	return 0;
}

static int
store_option(struct ctl *c, int id, const char *value, struct err *err)
{
	const struct option_row *o = &option_rows[id];
	struct cell cell;
	struct field f = { .type = VT_DUR_MS, .min = o->min, .max = o->max, .name = o->word };

	if (o->type == WORDS && c->opt[id] != NULL) { /* one a line */
		size_t n = strlen(c->opt[id]) + strlen(value) + 2;
		char *all = arena_alloc(c->arena, n);

		(void)snprintf(all, n, "%s\n%s", c->opt[id], value);
		c->opt[id] = all;
		return 0;
	}
	if (c->opt[id] != NULL && o->type != FLAG)
		return err_set(err, ERR_USAGE, "--%s is given twice", o->word);
	c->opt[id] = value;
	if (o->type == NUMBER && parse_number(value, o->min, o->max, &c->num[id]) != 0)
		return err_set(err, ERR_USAGE, "--%s: \"%s\" is not a number from %lld to %lld",
		    o->word, value, (long long)o->min, (long long)o->max);
	if (o->type == TIME) {
		if (value_parse(&f, value, NULL, c->arena, &cell, err) != 0) {
			if (err != NULL)
				err->code = ERR_USAGE;
			(void)err_prefix(err, "--");
			return ERR_USAGE;
		}
		c->num[id] = cell.i;
	}
	return 0;
}

struct scan {
	struct ctl *c;
	int argc, at;
	char *const *argv;
	const char *group; /* first word of two; NULL */
};

static int
unknown_option(const char *text, struct err *err)
{
	const char *near = strncmp(text, "--", 2) == 0 ? options_nearest(text + 2) : NULL;

	if (near != NULL)
		return err_set(
		    err, ERR_USAGE, "unknown option \"%s\"; did you mean --%s?", text, near);
	return err_set(err, ERR_USAGE, "unknown option \"%s\"; see lbctl help", text);
}

static int
take_value(struct scan *s, int id, const char *joined, struct err *err)
{
	const struct option_row *o = &option_rows[id];

	if (o->type == FLAG) {
		if (joined != NULL)
			return err_set(err, ERR_USAGE, "--%s takes no value", o->word);
		return store_option(s->c, id, "", err);
	}
	if (joined == NULL && s->at + 1 >= s->argc)
		return err_set(err, ERR_USAGE, "--%s: %s is missing", o->word, o->arg);
	return store_option(s->c, id, joined != NULL ? joined : s->argv[++s->at], err);
}

static int
long_option(struct scan *s, const char *text, struct err *err)
{
	size_t len = strcspn(text + 2, "=");
	int id = options_find_word(s->c->cmd, text + 2, len);

	if (id < 0)
		return unknown_option(text, err);
	return take_value(s, id, text[2 + len] == '=' ? text + 3 + len : NULL, err);
}

static int
short_options(struct scan *s, const char *text, struct err *err)
{
	const char *p = text + 1;
	char word[3] = "-x";
	int id, rc = 0;

	while (rc == 0 && *p != '\0') {
		id = options_find_letter(s->c->cmd, *p);
		if (id < 0) {
			word[1] = *p;
			return unknown_option(word, err);
		}
		if (option_rows[id].type == FLAG) {
			rc = take_value(s, id, NULL, err);
			p++;
			continue;
		}
		return take_value(s, id, p[1] != '\0' ? p + 1 : NULL, err);
	}
	return rc;
}

static int
unknown_command(const char *first, const char *second, struct err *err)
{
	char both[128];
	const char *near;

	(void)snprintf(both, sizeof(both), "%s%s%s", first, second != NULL ? " " : "",
	    second != NULL ? second : "");
	near = command_nearest(both);
	if (near != NULL)
		return err_set(
		    err, ERR_USAGE, "unknown command \"%s\"; did you mean \"%s\"?", both, near);
	return err_set(err, ERR_USAGE, "unknown command \"%s\"; see lbctl help", both);
}

static int
take_word(struct scan *s, char *word, struct err *err)
{
	struct ctl *c = s->c;

	if (c->cmd != NULL) {
		const struct command *longer = c->argc == 0 ? command_longer(c->cmd, word) : NULL;

		if (longer != NULL) { /* "conns", then "conns kill" */
			c->cmd = longer;
			return 0;
		}
		c->argv[c->argc++] = word;
		return 0;
	}
	if (c->first == NULL)
		c->first = word;
	if (s->group != NULL) {
		c->cmd = command_find(s->group, word);
		if (c->cmd == NULL)
			return unknown_command(s->group, word, err);
		return 0;
	}
	c->cmd = command_find(word, NULL);
	if (c->cmd == NULL && command_is_group(word))
		s->group = word;
	else if (c->cmd == NULL)
		return unknown_command(word, NULL, err);
	return 0;
}

/* Options of other commands are refused once the command is known. */
static int
check_taken(const struct ctl *c, struct err *err)
{
	int i;

	for (i = 0; i < OPTIONS; i++)
		if (c->opt[i] != NULL && !command_takes(c->cmd, i))
			return err_set(err, ERR_USAGE, "%s does not take --%s", c->cmd->name,
			    option_rows[i].word);
	return 0;
}

int
options_parse(struct ctl *c, int argc, char *const *argv, struct err *err)
{
	struct scan s = { .c = c, .argc = argc, .argv = argv };
	bool words_only = false;
	int rc = 0;

	c->argv = arena_alloc(c->arena, ((size_t)argc + 1) * sizeof(*c->argv));
	for (s.at = 0; s.at < argc && rc == 0; s.at++) {
		char *word = argv[s.at];

		if (words_only || word[0] != '-' || word[1] == '\0')
			rc = take_word(&s, word, err);
		else if (strcmp(word, "--") == 0)
			words_only = true;
		else if (word[1] == '-')
			rc = long_option(&s, word, err);
		else
			rc = short_options(&s, word, err);
	}
	if (rc != 0 || GIVEN(c, help))
		return rc;
	if (c->cmd == NULL && s.group != NULL)
		return err_set(err, ERR_USAGE, "\"%s\" needs another word; see lbctl help %s",
		    s.group, s.group);
	if (c->cmd == NULL)
		return err_set(err, ERR_USAGE, "a command is missing; see lbctl help");
	rc = check_taken(c, err);
	return rc != 0 ? rc : command_check_args(c->cmd, c->argc, c->argv, err);
}

/* One of the words of a list, as its place; ERR_USAGE names the nearest. */
static int
one_of(const char *option, const char *word, const char *const *words, unsigned n, int *out,
    struct err *err)
{
	const char *near;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (strcmp(words[i], word) == 0) {
			*out = (int)i;
			return 0;
		}
	}
	near = words_nearest(words, n, word);
	return err_set(err, ERR_USAGE, "--%s: \"%s\" is not known%s%s%s", option, word,
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}

static bool
colour_wanted(const struct ctl *c, int when)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when != 0)
		return when == 1;
	return c->tty_out && (no == NULL || *no == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

int
options_style(struct ctl *c, struct err *err)
{
	static const char *const forms[] = { "table", "wide", "json", "yaml", "csv", "name" },
				 *const whens[] = { "auto", "always", "never" };
	struct winsize ws = { 0 };
	int form = FORM_TABLE, when = 0, rc = 0;

	if (GIVEN(c, output))
		rc = one_of("output", c->opt[OPT_output], forms, 6, &form, err);
	if (rc == 0 && GIVEN(c, color))
		rc = one_of("color", c->opt[OPT_color], whens, 3, &when, err);
	if (rc != 0)
		return rc;
	c->form_given = GIVEN(c, output);
	c->style = (struct table_style){
		.form = (enum table_form)form,
		.no_headers = GIVEN(c, no_headers),
		.columns = c->opt[OPT_columns],
		.sort = c->opt[OPT_sort],
		.colour = colour_wanted(c, when),
	};
	if (c->tty_out) {
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
			c->style.width = ws.ws_col;
		c->style.now = time(NULL);
	}
	return 0;
}
