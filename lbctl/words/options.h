/* options.h - the command line to a command, its options and its arguments. */
#ifndef LBCTL_OPTIONS_H
#define LBCTL_OPTIONS_H

#include "ctl.h"

/* options_parse - fills c: cmd, argc, argv (a copy in the arena), opt, num. ERR_USAGE. cmd stays NULL when only
 * options or a group's first word were given; words_out then holds what was there. */
int options_parse(struct ctl *c, int argc, char *const *argv, struct err *err);
/* options_style - what the output options mean; looks at the terminal and the environment. */
int options_style(struct ctl *c, struct err *err);
/* The row of "--word" or 'letter' as the command would take it; -1: none. cmd may be NULL. */
int options_find_word(const struct command *cmd, const char *word, size_t len);
int options_find_letter(const struct command *cmd, char letter);
const char *options_nearest(const char *word); /* NULL: none is near */

#endif
