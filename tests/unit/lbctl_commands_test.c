/* The rows of commands and options hold together, and a command line is read as they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbctl/words/help.h"
#include "lbctl/words/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
test_rows_are_whole(void **state)
{
	unsigned i, k, last = 0;

	(void)state;
	for (i = 0; i < commands_n; i++) {
		const struct command *c = &commands[i];
		char options[300], *word, *save = NULL;
		unsigned examples = 1, lines = 0;
		struct buf help = { 0 };
		struct arg_row a;

		if (c->section != NULL)
			continue;
		if (c->number <= last)
			fail_msg("%s: its number does not rise", c->name);
		last = c->number;
		if (c->help[strlen(c->help) - 1] != '.')
			fail_msg("%s: help ends without a period", c->name);
		for (k = 0; c->examples[k] != '\0'; k++)
			examples += c->examples[k] == '\n';
		if (examples < 3 || examples > 4)
			fail_msg("%s: %u examples", c->name, examples);
		for (k = 0; command_arg(c, k, &a) && k < 9; k++)
			assert_true(a.name[0] != '\0');
		(void)snprintf(options, sizeof(options), "%s", c->options);
		for (word = strtok_r(options, " ", &save); word != NULL;
		     word = strtok_r(NULL, " ", &save))
			if (strncmp(word, "ASKS", 4) != 0 &&
			    options_find_word(c, word, strlen(word)) < 0)
				fail_msg("%s: no option \"%s\"", c->name, word);
		help_text(c, &help);
		for (k = 0; k < help.len; k++)
			lines += help.p[k] == '\n';
		if (lines > 40)
			fail_msg("%s: help of %u lines", c->name, lines);
		buf_fini(&help);
	}
}

/* Within one command no letter means two options. */
static void
test_letters_are_single(void **state)
{
	unsigned i, a, b;

	(void)state;
	for (i = 0; i < commands_n; i++)
		for (a = 0; commands[i].name != NULL && a < OPTIONS; a++)
			for (b = a + 1; b < OPTIONS; b++)
				if (option_rows[a].letter != 0 &&
				    option_rows[a].letter == option_rows[b].letter &&
				    command_takes(&commands[i], a) &&
				    command_takes(&commands[i], b))
					fail_msg("%s: -%c is --%s and --%s", commands[i].name,
					    option_rows[a].letter, option_rows[a].word,
					    option_rows[b].word);
}

/* Every option is taken by somebody. */
static void
test_options_are_used(void **state)
{
	unsigned i, o;
	bool used;

	(void)state;
	for (o = 0; o < OPTIONS; o++) {
		for (used = false, i = 0; i < commands_n; i++)
			used = used || (commands[i].name != NULL && command_takes(&commands[i], o));
		if (!used)
			fail_msg("--%s is taken by nobody", option_rows[o].word);
		assert_true(option_rows[o].help[strlen(option_rows[o].help) - 1] == '.');
	}
}

static int
parse(struct ctl *c, struct err *err, const char *line)
{
	static char words[500];
	char *argv[40], *p, *save = NULL;
	int argc = 0, rc;

	(void)snprintf(words, sizeof(words), "%s", line);
	for (p = strtok_r(words, " ", &save); p != NULL; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	ctl_init(c);
	rc = options_parse(c, argc, argv, err);
	return rc;
}

static void
test_good_lines(void **state)
{
	struct err err = { 0 };
	struct ctl c;

	(void)state;
	assert_int_equal(parse(&c, &err, "-o json get vip web -w"), 0);
	assert_string_equal(c.cmd->name, "get");
	assert_int_equal(c.argc, 2);
	assert_string_equal(c.argv[1], "web");
	assert_string_equal(c.opt[OPT_output], "json");
	assert_true(GIVEN(&c, watch));
	ctl_fini(&c);
	assert_int_equal(
	    parse(&c, &err, "--tx=3 create vip web -mwhy address=10.0.0.1 -- ports=80"), 0);
	assert_int_equal(c.num[OPT_tx], 3);
	assert_string_equal(c.opt[OPT_message], "why");
	assert_int_equal(c.argc, 4);
	ctl_fini(&c);
	assert_int_equal(parse(&c, &err, "tx commit 7 --confirm 5m"), 0);
	assert_string_equal(c.cmd->name, "tx commit");
	assert_int_equal(c.num[OPT_confirm], 300000);
	ctl_fini(&c);
	assert_int_equal(parse(&c, &err, "events -qf"), 0);
	assert_true(GIVEN(&c, follow) && GIVEN(&c, quiet));
	ctl_fini(&c);
	assert_int_equal(parse(&c, &err, "apply -f -"), 0);
	assert_string_equal(c.opt[OPT_file], "-");
	ctl_fini(&c);
	assert_int_equal(parse(&c, &err, "drain -h"), 0);
	assert_string_equal(c.cmd->name, "drain");
	ctl_fini(&c);
}

static void
test_bad_lines(void **state)
{
	static const struct {
		const char *line, *words;
	} rows[] = {
		{ "gte vip", "did you mean \"get\"" },
		{ "tx begn", "did you mean \"tx begin\"" },
		{ "tx", "needs another word" },
		{ "-q", "a command is missing" },
		{ "get", "KIND is missing" },
		{ "drain", "VIP/RIP is missing" },
		{ "set vip", "FIELD=VALUE is missing" },
		{ "confirm now", "one argument too many" },
		{ "upgrade now", "\"now\" is one argument too many (lbctl upgrade)" },
		{ "top fip", "not one of vip|rip" },
		{ "get vip -o", "FORM is missing" },
		{ "get vip --output", "FORM is missing" },
		{ "get vip --quiet=yes", "takes no value" },
		{ "get vip --wach", "did you mean --watch" },
		{ "get vip -x", "unknown option \"-x\"" },
		{ "drain a/b --tx 3", "drain does not take --tx" },
		{ "--confirm 1m drain a/b", "drain does not take --confirm" },
		{ "get vip --timeout 5", "timeout" },
		{ "get vip --timeout soon", "timeout" },
		{ "set vip a b=c --confirm 1s", "confirm" },
		{ "set vip a b=c --base x", "not a number" },
		{ "history -n 0", "from 1 to 1000000" },
		{ "history -n 3 -n 4", "given twice" },
	};
	struct err err;
	struct ctl c;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		err = (struct err){ 0 };
		if (parse(&c, &err, rows[i].line) != ERR_USAGE ||
		    strstr(err.text, rows[i].words) == NULL)
			fail_msg(
			    "\"%s\": \"%s\", not \"%s\"", rows[i].line, err.text, rows[i].words);
		ctl_fini(&c);
	}
}

static void
test_exit_codes(void **state)
{
	static const struct {
		int code, exit;
	} rows[] = { { 0, 0 }, { 1, 1 }, { ERR_STORE, 1 }, { ERR_USAGE, 2 }, { ERR_UNKNOWN, 3 },
		{ ERR_CONFLICT, 4 }, { ERR_DENIED, 5 }, { ERR_AWAY, 6 }, { ERR_INVALID, 7 },
		{ -110, 8 }, { ERR_REVERTED, 9 } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(ctl_exit_code(rows[i].code), rows[i].exit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_whole),
		cmocka_unit_test(test_letters_are_single),
		cmocka_unit_test(test_options_are_used),
		cmocka_unit_test(test_good_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_exit_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
