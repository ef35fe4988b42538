/* help.h - help and manual, made from the rows. */
#ifndef LBCTL_HELP_H
#define LBCTL_HELP_H

#include "ctl.h"

int help_all(struct ctl *c);				    /* every command, one line each; 0 */
int help_command(struct ctl *c, const struct command *cmd); /* at most 40 lines; 0 */
int help_group(struct ctl *c, const char *word);	    /* commands that begin with a word; 0 */
void help_text(const struct command *cmd, struct buf *out);
void help_man_lbctl(struct buf *out); /* mdoc: the whole of lbctl(1) */
void help_man_yaml(struct buf *out);  /* mdoc: the whole of lbd.yaml(5) */

#endif
