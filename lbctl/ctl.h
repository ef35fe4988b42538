/* ctl.h - one run of lbctl: its options, and what every command needs (store, live view, output, prompts). */
#ifndef LBCTL_CTL_H
#define LBCTL_CTL_H

#include "base/arena.h"
#include "words/commands.h"
#include "msg/view.h"
#include "store/store.h"
#include "sys/paths.h"
#include "out/table.h"

enum { EXIT_OK = 0, EXIT_DIFFERS = 1, EXIT_FAULT = 1 };

struct ctl {
	const struct command *cmd;
	const char *first; /* first word of the line; NULL: there was none */
	int argc;	   /* arguments of the command */
	char **argv;
	const char *opt[OPTIONS]; /* NULL: not given; "" for a flag */
	int64_t num[OPTIONS];	  /* of NUMBER and TIME (milliseconds) */
	struct paths paths;
	struct table_style style;
	bool form_given; /* -o was given */
	bool tty_out;
	struct arena *arena; /* texts that live as long as the run */
	struct store *store; /* NULL: not opened */
	bool store_writes;
	struct snapshot *snap; /* NULL: not loaded */
	struct view *view;     /* NULL: not collected */
};

#define GIVEN(c, name) ((c)->opt[OPT_##name] != NULL)
/* How long a daemon may take to answer. */
#define CTL_ANSWER DUR_S(5)
/* How long daemons may take to put a revision in force. */
#define CTL_APPLY DUR_S(30)

void ctl_init(struct ctl *c);
void ctl_fini(struct ctl *c);
/* ctl_exit_code - of ecosystem 1.3, for a code of err.h. */
int ctl_exit_code(int code);

/* ctl_store - open it; writing also creates, upgrades and knows this machine's addresses (S060). */
int ctl_store(struct ctl *c, bool write, struct err *err);
/* ctl_load - the snapshot of now into c->snap. ctl_reload - again, when somebody committed. */
int ctl_load(struct ctl *c, struct err *err);
int ctl_reload(struct ctl *c, struct err *err);
/* ctl_look - c->view, with these parts asked for (VIEW_ bits). */
int ctl_look(struct ctl *c, unsigned what, struct err *err);

/* ctl_kind - the object that a word of the command line names; ERR_USAGE naming the nearest. */
int ctl_kind(const char *word, const struct object **out, struct err *err);
/* Notes: to standard error, unless -q. */
void ctl_note(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* ctl_ask - before something destructive. 0: go on; ERR_USAGE: no terminal and no -y, or the answer was no. */
int ctl_ask(struct ctl *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ctl_print(const struct buf *b); /* all of it to standard output */
/* ctl_table - print a table as the options say, and free it. */
int ctl_table(struct ctl *c, struct table *t, struct err *err);

/* Who and from where, for commit_info. Borrowed. */
const char *ctl_who(struct ctl *c);
const char *ctl_origin(struct ctl *c);

/* commit.c */
struct commit_plan {
	uint32_t base; /* expected head; 0 any */
	bool quiet;    /* no note about the revision */
};
void ctl_commit_info(struct ctl *c, struct commit_info *out);
/* ctl_commit - the edits as a revision; or into --tx; or only shown (--dry-run). Tells the daemons, and prints what
 * came of it. Returns 0, a code, or EXIT_FAULT when a daemon refused (already reported). */
int ctl_commit(struct ctl *c, const struct doc *d, const struct commit_plan *plan, struct err *err);
/* ctl_committed - the second half, for rollback and orders: print and announce. */
int ctl_committed(struct ctl *c, const struct commit_result *r, bool quiet, struct err *err);
/* ctl_trial_keeper - with --confirm: lbd-ha must run, because it undoes the trial. ERR_AWAY. */
int ctl_trial_keeper(struct ctl *c, struct err *err);
int ctl_show_difference(struct ctl *c, const struct commit_result *r); /* 0, or EXIT_DIFFERS */

/* input.c */
/* input_text - a whole file, or standard input for "-". ERR_INVALID when it is too long or unreadable. */
int input_text(const char *path, struct buf *out, struct err *err);
/* input_doc - -f FILE, folder or "-" as edits; YAML or JSON by its first letter. */
int input_doc(struct ctl *c, enum doc_op op, struct doc *d, struct err *err);
/* input_password - from the terminal, twice, or one line of standard input. Made one when made_out comes true. */
int input_password(
    struct ctl *c, const char *whose, char out[300], bool *made_out, struct err *err);
/* input_one_password - from the terminal, once; input_can_ask: there is one. */
bool input_can_ask(void);
int input_one_password(const char *whose, char out[300], struct err *err);

/* cmd_apply.c */
int ctl_revision(const char *text, uint32_t *out, struct err *err); /* ERR_USAGE */
/* ctl_export - yaml or json of a snapshot, to standard output. */
int ctl_export(
    struct ctl *c, const struct snapshot *s, unsigned kind, const char *path, struct err *err);

/* select.c: names with globs to rows. */
struct picked {
	uint32_t n;
	const void **row; /* in order of path, none twice; in the arena */
};
/* pick_rows - each argument is a name, a glob or "VIP/"; no argument is all rows. A plain name that does not exist,
 * and a glob that finds nothing (unless there is no argument), is ERR_UNKNOWN. */
int pick_rows(struct ctl *c, const struct object *o, int argc, char *const *argv,
    struct picked *out, struct err *err);
/* pick_selected - whether the row fits --selector. */
bool pick_selected(const struct ctl *c, const struct object *o, const void *row);

#endif
