/* commands.h - the rows of commands.def and options.def, and how to find one. Pure. */
#ifndef LBCTL_COMMANDS_H
#define LBCTL_COMMANDS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct ctl;
/* 0 is done; a code of err.h, with err; or an exit code above 0 that needs no word on stderr. */
typedef int (*command_fn)(struct ctl *c, struct err *err);

#define OPTION(id, letter, word, type, arg, min, max, scope, help) OPT_##id,
enum option_id {
#include "options.def"
	OPTIONS
};
#undef OPTION
enum option_type { FLAG, WORD, WORDS, NUMBER, TIME };
enum option_scope { ALL, SOME, OWN };
struct option_row {
	char letter;
	uint8_t type, scope;
	const char *word, *arg, *help;
	int64_t min, max;
};
extern const struct option_row option_rows[OPTIONS];

struct command {
	uint8_t number;
	const char *section, *name, *args, *options;
	command_fn fn;
	const char *help, *examples;
};
extern const struct command commands[];
extern const unsigned commands_n;

#define SECTION(title)
#define COMMAND(number, name, args, options, fn, help, examples) \
	int fn(struct ctl *c, struct err *err);
#include "commands.def"
#undef SECTION
#undef COMMAND

/* command_find - by one or two words; NULL: none. */
const struct command *command_find(const char *first, const char *second);
/* command_longer - "conns" with "kill" is a command of its own; NULL: it is not. */
const struct command *command_longer(const struct command *c, const char *next);
bool command_is_group(const char *word);       /* "tx": the first of two words */
const char *command_nearest(const char *word); /* NULL: none is near */
/* Whether the command takes the option. ASKS: it is destructive. */
bool command_takes(const struct command *c, enum option_id o);
bool command_asks(const struct command *c);
/* The first sentence of help, with its period. */
int command_summary_len(const struct command *c);

#define ARG_NAME 48
struct arg_row {
	char name[ARG_NAME]; /* "VIP/RIP" */
	bool optional, repeats;
};
/* command_arg - the i-th argument of the row; false: there are not so many. The last that repeats is any later one. */
bool command_arg(const struct command *c, unsigned i, struct arg_row *out);
/* command_check_args - enough, not too many, and words out of a|b. ERR_USAGE. */
int command_check_args(const struct command *c, int argc, char *const *argv, struct err *err);

#endif
