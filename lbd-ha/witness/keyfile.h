/* keyfile.h - secrets of 32 bytes in a file: one a line, as 64 hexadecimal digits or in base64; two at most, the first
 * seals. Empty lines and lines that begin with # say nothing. */
#ifndef HA_KEYFILE_H
#define HA_KEYFILE_H

#include "core/seal.h"

#include "base/err.h"

struct keyfile {
	unsigned n;
	uint8_t secret[SEAL_SLOTS][SEAL_SECRET];
};

/* keyfile_parse - pure. 0, or ERR_INVALID with err naming the line. */
int keyfile_parse(const char *text, size_t len, struct keyfile *out, struct err *err);
/* keyfile_load - a file that only its owner and group may read; -errno, -EPERM, ERR_INVALID. Overwrite *out after use. */
int keyfile_load(const char *path, struct keyfile *out, struct err *err);
/* keyfile_make - a new random secret into a new file of mode 0600; -EEXIST: it is there, and stays as it is. */
int keyfile_make(const char *path, struct err *err);

#endif
