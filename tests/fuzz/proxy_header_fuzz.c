/* PROXY headers from anybody: read within bounds; what is read can be written and means the same. */
#include "base/must.h"
#include "lbd-proxy/net/pp.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[PP_ROOM];
	struct pp_tls t = { .version = "TLSv1.2", .cipher = "A", .name = "x", .cn = "" };
	struct pp p, q;
	ssize_t n = pp_read(data, size, &p);
	size_t len;

	must(n <= (ssize_t)size);
	if (n <= 0 || !p.known)
		return 0;
	len = pp_write_v2(&p, &t, out);
	must(pp_read(out, len, &q) == (ssize_t)len);
	must(memcmp(&p.from, &q.from, sizeof(p.from)) == 0 && p.to_port == q.to_port);
	len = pp_write_v1(&p, out);
	must(pp_read(out, len, &q) == (ssize_t)len && q.known);
	must(memcmp(&p.to, &q.to, sizeof(p.to)) == 0 && p.from_port == q.from_port);
	return 0;
}
