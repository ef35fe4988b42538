/* zlib and libbrotli behind one function. What they allocate is counted, so that a flood of compressed answers takes a named
 * amount of memory and no more. */
#include "coder.h"

#include "base/must.h"

#include <brotli/encode.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <zlib.h>

struct coder {
	enum coding coding;
	z_stream z;
	BrotliEncoderState *br;
};

static atomic_size_t used;

size_t
coder_used(void)
{
	return atomic_load_explicit(&used, memory_order_relaxed);
}

/* Each piece of memory knows its size. */
static void *
take(void *arg, size_t n)
{
	union {
		size_t n;
		max_align_t align;
	} * p;

	(void)arg;
	n += sizeof(*p);
	if (atomic_fetch_add_explicit(&used, n, memory_order_relaxed) + n > CODER_ROOM ||
	    (p = malloc(n)) == NULL) {
		atomic_fetch_sub_explicit(&used, n, memory_order_relaxed);
		return NULL;
	}
	p->n = n;
	return p + 1;
}

static void
give(void *arg, void *at)
{
	max_align_t *p = at;
	size_t n;

	(void)arg;
	if (at == NULL)
		return;
	n = *(size_t *)(void *)(p - 1);
	free(p - 1);
	atomic_fetch_sub_explicit(&used, n, memory_order_relaxed);
}

static void *
take_items(void *arg, unsigned items, unsigned size)
{
	return take(arg, (size_t)items * size);
}

/* log2 of the window that a body of this length has use of. */
static int
window(uint64_t length, int least, int most)
{
	int bits = least;

	while (bits < most && (UINT64_C(1) << bits) < length)
		bits++;
	return bits;
}

static bool
begin_gzip(struct coder *c, unsigned level, uint64_t length)
{
	int bits = window(length, 10, CODER_GZIP_WINDOW);

	c->z.zalloc = take_items;
	c->z.zfree = give;
	return deflateInit2(&c->z, (int)level, Z_DEFLATED, 16 + bits, bits > 13 ? 8 : bits - 6,
		   Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool
begin_br(struct coder *c, unsigned level, uint64_t length)
{
	uint32_t bits = (uint32_t)window(length, BROTLI_MIN_WINDOW_BITS, CODER_BR_WINDOW);

	if (coder_used() > CODER_ROOM / 2)
		level = 1;
	c->br = BrotliEncoderCreateInstance(take, give, NULL);
	return c->br != NULL && BrotliEncoderSetParameter(c->br, BROTLI_PARAM_QUALITY, level) &&
	       BrotliEncoderSetParameter(c->br, BROTLI_PARAM_LGWIN, bits);
}

struct coder *
coder_new(enum coding coding, unsigned level, uint64_t length)
{
	struct coder *c = calloc(1, sizeof(*c));
	bool good = false;

	if (c == NULL)
		return NULL;
	c->coding = coding;
	if (coding == CODING_GZIP)
		good = begin_gzip(c, level, length);
	else if (coding == CODING_BR)
		good = begin_br(c, level, length);
	if (good)
		return c;
	coder_free(c);
	return NULL;
}

void
coder_free(struct coder *c)
{
	if (c == NULL)
		return;
	if (c->coding == CODING_GZIP)
		(void)deflateEnd(&c->z);
	if (c->br != NULL)
		BrotliEncoderDestroyInstance(c->br);
	free(c);
}

static ssize_t
step_gzip(
    struct coder *c, enum coder_op op, const uint8_t **in, size_t *n, uint8_t *out, size_t room)
{
	static const int ops[] = {
		[CODER_GO] = Z_NO_FLUSH,
		[CODER_FLUSH] = Z_SYNC_FLUSH,
		[CODER_END] = Z_FINISH,
	};
	int code;

	must(*n <= UINT32_MAX && room <= UINT32_MAX);
	c->z.next_in = (uint8_t *)(uintptr_t)*in;
	c->z.avail_in = (unsigned)*n;
	c->z.next_out = out;
	c->z.avail_out = (unsigned)room;
	code = deflate(&c->z, ops[op]);
	if (*n > 0) /* in may be NULL else */
		*in += *n - c->z.avail_in;
	*n = c->z.avail_in;
	if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
		return -EIO;
	return (ssize_t)(room - c->z.avail_out);
}

static ssize_t
step_br(struct coder *c, enum coder_op op, const uint8_t **in, size_t *n, uint8_t *out, size_t room)
{
	static const BrotliEncoderOperation ops[] = {
		[CODER_GO] = BROTLI_OPERATION_PROCESS,
		[CODER_FLUSH] = BROTLI_OPERATION_FLUSH,
		[CODER_END] = BROTLI_OPERATION_FINISH,
	};
	size_t left = room;

	do {
		if (!BrotliEncoderCompressStream(c->br, ops[op], n, in, &left, &out, NULL))
			return -EIO;
	} while (left > 0 && (*n > 0 || BrotliEncoderHasMoreOutput(c->br) ||
				 (op == CODER_END && !BrotliEncoderIsFinished(c->br))));
	return (ssize_t)(room - left);
}

ssize_t
coder_step(
    struct coder *c, enum coder_op op, const uint8_t **in, size_t *n, uint8_t *out, size_t room)
{
	must(room > 0);
	return c->coding == CODING_GZIP ? step_gzip(c, op, in, n, out, room)
					: step_br(c, op, in, n, out, room);
}
