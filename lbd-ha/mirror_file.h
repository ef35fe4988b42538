/* mirror_file.h - the mirror on disk: STATE/persist.db, and the seed of cookies' hashes, STATE/persist.seed. Both are
 * 0600 and replaced at once (rename).
 *
 * persist.db, big-endian: "LBDSTICK", version u32, zero u32, written u64 (milliseconds since 1970), stamp u64; then
 * batches (stick_batch.h), each after its length u32; a length of 0, and a checksum u64 of all before. */
#ifndef HA_MIRROR_FILE_H
#define HA_MIRROR_FILE_H

#include "mirror.h"

#include "base/err.h"

/* Pure. mirror_file_begin empties b; mirror_file_end may be called by another thread than the others. */
void mirror_file_begin(struct buf *b, int64_t wall_ms, uint64_t stamp);
void mirror_file_add(struct buf *b, const struct buf *batch);
void mirror_file_end(struct buf *b);
/* mirror_file_read - the whole file's bytes into the mirror: how many records counted. What would have expired since it
 * was written is left out; a clock that went back since is no time at all. ERR_PROTO with err: damaged or cut, and
 * nothing was taken. */
int mirror_file_read(
    const void *p, size_t len, struct mirror *m, mono_t now, int64_t wall_ms, struct err *err);

/* mirror_file_save - bytes as STATE/NAME: 0 or -errno; the file that was there stays until the new one is whole and on
 * disk. Blocks. mirror_file_load - at most most bytes; -ENOENT: there is none. out is the caller's to buf_fini. */
int mirror_file_save(const char *path, const void *p, size_t len);
int mirror_file_load(const char *path, size_t most, struct buf *out);
#define MIRROR_FILE_MOST (64u << 20)

#endif
