/* script.h - programs of a folder that only root writes: tracks, notify scripts and fencing name one of them. */
#ifndef HA_SCRIPT_H
#define HA_SCRIPT_H

#include "sys/child.h"

#include <stdbool.h>
#include <stddef.h>

#define SCRIPT_WORDS 18 /* a name, its arguments (object_checks_hooks.c says how many), and NULL */
#define SCRIPT_TEXT 560 /* of a folder and a row's text */
#define SCRIPT_WHY 400
#define SCRIPT_RESULT 120

struct script {
	char words[SCRIPT_TEXT];
	const char *argv[SCRIPT_WORDS]; /* into words: a script does not move */
};

/* script_set - text: the name of a program in the folder, then its arguments, with spaces; looked at by common/store. */
void script_set(struct script *s, const char *folder, const char *text);
/* script_may_run - neither the folder nor the program can be changed by others than root (or who we are): whoever may
 * change the configuration over the network chooses among them and does not bring his own. false: why says which. */
bool script_may_run(const struct script *s, const char *folder, char why[SCRIPT_WHY]);
/* script_result - how a run ended, in words; limit_ms is the time that it had. true: as it should. A failed one is quoted:
 * the first line that it wrote to standard error, printable characters only. */
bool script_result(const struct child_result *r, unsigned limit_ms, char out[SCRIPT_RESULT]);

#endif
