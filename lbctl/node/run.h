/* run.h - one daemon of lbctl run: started, with its own user where that is right. */
#ifndef LBCTL_RUN_H
#define LBCTL_RUN_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct run_daemon {
	const char *name;
	uint64_t caps; /* capabilities it needs, as bits */
};
extern const struct run_daemon run_daemons[];
extern const unsigned run_daemons_n;

/* run_find - the program in our own folder, in PATH, or in /usr/sbin. out holds 512 bytes. */
bool run_find(const char *name, char *out);
/* run_users_exist - every daemon has its user, and group lbd exists. */
bool run_users_exist(void);
/* run_own_folder - give a folder to group lbd, so that each daemon may listen in it. */
int run_own_folder(const char *dir, struct err *err);
/* run_exec - in the child: drop to the daemon's user when drop, then become the program. Never returns. */
void run_exec(const struct run_daemon *d, const char *path, bool drop, const char *const *argv)
    __attribute__((noreturn));

#endif
