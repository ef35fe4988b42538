/* digest_dir.h - a folder below the state folder whose files are each known by a SHA-256 in hex: private keys (tls/), entries
 * of lists (lists/). Nobody but this process reads it. Not thread-safe: the control thread's. */
#ifndef LBD_PROXY_DIGEST_DIR_H
#define LBD_PROXY_DIGEST_DIR_H

#include "store/x509.h"

struct digest_dir;

/* digest_dir_open - STATE/FOLDER with files NAME.SUFFIX; made when it is missing (0700). folder, suffix (".key") and what (in
 * errors: "a key") are borrowed. -errno, with err: it cannot be, or others can read it. */
int digest_dir_open(const char *state, const char *folder, const char *suffix, const char *what,
    struct digest_dir **out, struct err *err);
void digest_dir_close(struct digest_dir *k); /* NULL is fine */

bool digest_dir_has(const struct digest_dir *k, const char *name);
/* digest_dir_write - whole or not at all, also after a loss of power. -errno, with err. */
int digest_dir_write(
    struct digest_dir *k, const char *name, const struct buf *bytes, struct err *err);
/* digest_dir_read - at most most bytes, as they are on disk: the caller looks whether they belong to the name. -ENOENT,
 * -EFBIG, -errno. */
int digest_dir_read(const struct digest_dir *k, const char *name, size_t most, struct buf *out);
/* digest_dir_each - age: seconds since it was put. Stops when fn gives false. fn may forget it. */
void digest_dir_each(
    const struct digest_dir *k, bool (*fn)(void *arg, const char *name, int64_t age), void *arg);
void digest_dir_forget(struct digest_dir *k, const char *name);
/* digest_dir_touch - it is put again: its age begins anew. */
void digest_dir_touch(struct digest_dir *k, const char *name);

#endif
