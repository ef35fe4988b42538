/* replacer.h - strings of a body become others on its way, wherever it is cut into pieces. Pure.
 *
 * Texts are found from the left and never overlap; what was put in is not looked at again by the same replacement, but by those
 * behind it. A stream holds a piece of REPLACER_PIECE bytes for each replacement, and never a body: of a beginning of a text
 * that is still open its length alone, as its bytes are the text's. */
#ifndef LBD_PROXY_REPLACER_H
#define LBD_PROXY_REPLACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLACER_MOST 16      /* replacements of one body */
#define REPLACER_PIECE 1024   /* bytes between two of them */
#define REPLACER_FIND_MAX 200 /* bytes that are looked for */

/* Borrowed until replacer_free. find_len: 1 to REPLACER_FIND_MAX. */
struct replacement {
	const char *find, *with;
	uint32_t find_len, with_len;
};

struct replacer;
/* replacer_new - n replacements, 1 to REPLACER_MOST, one after the other. NULL: no memory. */
struct replacer *replacer_new(const struct replacement *r, unsigned n);
void replacer_free(struct replacer *x); /* NULL is fine */

/* replacer_step - bytes in, bytes out.
 * in, n: moved on by what was taken. end: nothing comes behind them. out, room: where to; room > 0.
 * Returns how many bytes came out; when that is less than room, all of in was taken, and with end all is out. */
size_t replacer_step(
    struct replacer *x, const uint8_t **in, size_t *n, bool end, uint8_t *out, size_t room);

#endif
