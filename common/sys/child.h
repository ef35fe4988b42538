/* child.h - a program run beside the loop: arguments without a shell, its input fed, its output collected up to a limit,
 * a deadline, and one call when it has ended. For nft, and for scripts of users. The process ignores SIGPIPE, as
 * every daemon does. */
#ifndef SYS_CHILD_H
#define SYS_CHILD_H

#include "base/err.h"
#include "sys/loop.h"

#include <stddef.h>

struct child_result {
	int code;	       /* exit code; -1: a signal or the deadline ended it */
	int signo;	       /* that ended it; 0: it exited */
	bool late;	       /* the deadline ended it */
	const char *out, *err; /* what it wrote; ends with NUL; borrowed until done returns */
	size_t out_len, err_len;
	bool cut; /* it wrote more than output_max to one of them; the rest was read and dropped */
};

struct child_spec {
	/* Ends with NULL. argv[0] with a slash is the file; else it is looked for in PATH of this process, or in
	 * CHILD_PATH when there is none. */
	const char *const *argv;
	const char *const
	    *env; /* whole environment, ends with NULL; NULL: that of this process with LC_ALL=C */
	const void *input; /* copied; then its standard input ends */
	size_t input_len;
	size_t output_max; /* bytes kept of each, standard output and standard error */
	dur_t limit;	   /* then it and its descendants are killed; must be set */
	/* Once, from the loop, never from within child_start. The child is gone then, also its pointer. */
	void (*done)(void *arg, const struct child_result *r);
	void *arg;
};
#define CHILD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct child;
/* child_start - runs it in a process group of its own, with no signal blocked or ignored, the root folder as working
 * folder, and no descriptor of ours. Its output counts until it ends; what its descendants write later is lost,
 * and they are killed.
 * 0, or -errno (-ENOENT: there is no such program), err names it; then done is never called. */
int child_start(struct child **out, struct loop *l, const struct child_spec *spec, struct err *err);
/* child_stop - killed now, done is never called; NULL is fine. Not from within done. */
void child_stop(struct child *c);
int child_pid(const struct child *c);
/* child_run - the same and wait, with a loop of its own; done is called before it returns. Blocks up to limit. */
int child_run(const struct child_spec *spec, struct err *err);

#endif
