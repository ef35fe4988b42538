/* paths.h - where things are, under --root DIR or in their places. Folders are made by the first
 * that needs them (0755; state folder 2775 with group lbd-admin when that group exists and we
 * are root). */
#ifndef SYS_PATHS_H
#define SYS_PATHS_H

#include "base/err.h"

struct paths {
	char root[200];	 /* "" is the machine */
	char etc[256];	 /* ROOT/etc/lbd */
	char state[256]; /* ROOT/var/lib/lbd: config.db, secrets.db */
	char run[256];	 /* ROOT/run/lbd: NAME.sock */
	char log[256];	 /* ROOT/var/log/lbd: access.log; made by lbd-proxy when it is needed */
};
/* paths_init - root may be NULL; then the environment's LBD_ROOT, then "". ERR_USAGE: too long. */
int paths_init(struct paths *p, const char *root, struct err *err);
int paths_make(const struct paths *p, struct err *err);
void paths_socket(const struct paths *p, const char *daemon, char out[280]);

#endif
