/* target.h - "KIND [NAME] rest...": what an edit is about. */
#ifndef LBCTL_TARGET_H
#define LBCTL_TARGET_H

#include "ctl.h"

struct target {
	const struct object *o;
	uint32_t n;
	const char **path; /* in the arena */
	int argc;	   /* words after the name */
	char **argv;
};
/* target_parse - kind and name of the command's arguments. A SINGLE needs no name. ERR_USAGE: no name, or a kind that
 * nobody may change. globs: a name with * or ? means all rows that fit (the snapshot is loaded). */
int target_parse(struct ctl *c, bool globs, struct target *out, struct err *err);
/* target_secrets - "field=value" of a SECRET is refused: everybody can read a command line. */
int target_secrets(const struct object *o, int argc, char *const *argv, struct err *err);
/* target_files - "field=@FILE" of a PEM: the words with what is in the file. words_out is in the arena. */
int target_files(struct ctl *c, const struct object *o, int argc, char **argv, char ***words_out,
    struct err *err);

#endif
