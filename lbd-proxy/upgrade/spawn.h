/* spawn.h - the program as it is installed now, started beside this process. */
#ifndef SPAWN_H
#define SPAWN_H

#include "base/err.h"

#define SPAWN_VARIABLE \
	"LBD_UPGRADE" /* names the descriptor of the pair in the new process's environment */

/* spawn_remember - at the start, with the arguments of main: how this process was started, and from which file. Borrowed. */
void spawn_remember(char **argv);
/* spawn_start - the same file and arguments again, as a child of this process's parent, with one end of a pair of sockets and
 * no other descriptor of ours. 0 with the other end and a pidfd, both the caller's; or -errno, err names the file. */
int spawn_start(int *pair_out, int *pidfd_out, int *pid_out, struct err *err);
void spawn_kill(int pidfd);

#endif
