/* The buffers through which OpenSSL reads and writes.
 *
 * All connections of a worker have the same BIO. Before a call its input is pointed at what one recv brought; after the
 * call its output goes out by one send. Only one connection is at work at a time, so they cannot meet. Input that a
 * record ends in the middle of stays in the connection's own SSL object; input that the caller had no room for is put
 * aside by tls.c. */
#include "tls_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
bio_read(BIO *b, char *p, int n)
{
	struct tls_engine *e = BIO_get_data(b);
	size_t most = (size_t)n < e->in_len ? (size_t)n : e->in_len;

	BIO_clear_retry_flags(b);
	if (most == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	memcpy(p, e->in, most);
	e->in += most;
	e->in_len -= most;
	return (int)most;
}

int
tls_engine_reserve(struct tls_engine *e, size_t n)
{
	size_t need = e->out_len + n;

	if (need > e->out_room) {
		size_t room = (need + need / 2 + 16383) & ~(size_t)16383;
		uint8_t *more = realloc(e->out, room);

		if (more == NULL)
			return -ENOMEM;
		e->out = more;
		e->out_room = room;
	}
	return 0;
}

int
tls_engine_put(struct tls_engine *e, const void *p, size_t n)
{
	int code = tls_engine_reserve(e, n);

	if (code != 0)
		return code;
	memcpy(e->out + e->out_len, p, n);
	e->out_len += n;
	return 0;
}

static int
bio_write(BIO *b, const char *p, int n)
{
	BIO_clear_retry_flags(b);
	return tls_engine_put(BIO_get_data(b), p, (size_t)n) == 0 ? n : -1;
}

static long
bio_ctrl(BIO *b, int cmd, long n, void *p)
{
	(void)b;
	(void)n;
	(void)p;
	return cmd == BIO_CTRL_FLUSH;
}

/* One for the process; it only holds the functions. */
static BIO_METHOD *
method(void)
{
	static BIO_METHOD *m;

	if (m != NULL)
		return m;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "lbd engine");
	if (m == NULL)
		return NULL;
	(void)BIO_meth_set_read(m, bio_read);
	(void)BIO_meth_set_write(m, bio_write);
	(void)BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}

struct tls_engine *
tls_engine_new(void)
{
	struct tls_engine *e = calloc(1, sizeof(*e));
	const BIO_METHOD *m = method();

	if (e == NULL || m == NULL || (e->bio = BIO_new(m)) == NULL) {
		free(e);
		return NULL;
	}
	slab_init(&e->conns, sizeof(struct tls_conn));
	slab_init(&e->aways, sizeof(struct tls_away));
	BIO_set_data(e->bio, e);
	BIO_set_init(e->bio, 1);
	return e;
}

void
tls_engine_free(struct tls_engine *e)
{
	if (e == NULL)
		return;
	BIO_free(e->bio);
	slab_fini(&e->conns);
	slab_fini(&e->aways);
	record_gear_free(e->gear);
	free(e->out);
	free(e);
}
