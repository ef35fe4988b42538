/* Lines of the kernel's list of connections: whatever the bytes, nothing is read beyond them, texts end, and what was read
 * fits a message of the connection sync that says its own length. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-ipvs/conns/entry.h"
#include "lbd-ipvs/conns/segment.h"
#include "lbd-ipvs/conns/sync.h"

static void
want(bool ok)
{
	if (!ok)
		abort();
}

static void
use(const struct entry *e)
{
	struct buf b = { 0 };
	char text[ENTRY_END];

	want(memchr(e->state, '\0', sizeof(e->state)) != NULL && e->state[0] != '\0');
	want(memchr(e->pe, '\0', sizeof(e->pe)) != NULL);
	want(memchr(e->pe_data, '\0', sizeof(e->pe_data)) != NULL);
	want(e->client.family == 4 || e->client.family == 6);
	want(!e->template || e->client_port == 0);
	entry_end(&e->real, e->real_port, text);
	sync_begin(&b, 1);
	if (sync_put(&b, 0, e, 1))
		want(b.len <= SYNC_DATAGRAM && b.len == (size_t)(b.p[2] << 8 | b.p[3]) &&
		     b.len % 4 == 0);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct segment s;
	size_t at = 0;

	(void)segment_take(data, size, &s);
	while (at < size) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t len = end != NULL ? (size_t)(end - data) - at : size - at;
		char *line = malloc(len > 0 ? len : 1);
		struct entry e;

		memcpy(line, data + at, len);
		if (entry_parse(line, len, &e))
			use(&e);
		free(line);
		at += len + 1;
	}
	return 0;
}
