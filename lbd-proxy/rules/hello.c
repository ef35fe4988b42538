/* A ClientHello in its records. Everything is read through the bounded reader; what is cut short, or says lengths that do not fit, is
 * no hello. */
#include "hello.h"

#include "base/buf.h"

#include <string.h>

#define HANDSHAKE 22
#define CLIENT_HELLO 1
#define RECORD_MAX 16384
#define EXT_SNI 0
#define EXT_ALPN 16
#define NAME_MAX_LEN 255

static void
read_sni(struct rd r, struct hello *out)
{
	struct rd list = rd_sub(&r, rd_be(&r, 2));

	while (list.left > 0 && !list.bad) {
		uint64_t type = rd_be(&list, 1);
		size_t n = rd_be(&list, 2);
		const char *name = rd_bytes(&list, n);

		if (name == NULL || type != 0 || n == 0 || n > NAME_MAX_LEN)
			continue;
		out->sni = name;
		out->sni_len = (uint32_t)n;
		return;
	}
}

static void
read_alpn(struct rd r, struct hello *out)
{
	struct rd list = rd_sub(&r, rd_be(&r, 2));

	while (list.left > 0 && !list.bad && out->alpn_n < HELLO_ALPN_MAX) {
		size_t n = rd_be(&list, 1);
		const char *name = rd_bytes(&list, n);

		if (name == NULL || n == 0)
			return;
		out->alpn[out->alpn_n].p = name;
		out->alpn[out->alpn_n++].len = (uint32_t)n;
	}
}

/* The message, without its type and length. */
static bool
read_hello(struct rd r, struct hello *out)
{
	struct rd all;

	(void)rd_bytes(&r, 2 + 32);	  /* version, random */
	(void)rd_bytes(&r, rd_be(&r, 1)); /* session */
	(void)rd_bytes(&r, rd_be(&r, 2)); /* ciphers */
	(void)rd_bytes(&r, rd_be(&r, 1)); /* compression */
	if (r.bad)
		return false;
	if (r.left == 0)
		return true;
	all = rd_sub(&r, rd_be(&r, 2));
	while (all.left > 0 && !all.bad) {
		uint64_t type = rd_be(&all, 2);
		struct rd one = rd_sub(&all, rd_be(&all, 2));

		if (type == EXT_SNI && !one.bad && out->sni == NULL)
			read_sni(one, out);
		else if (type == EXT_ALPN && !one.bad && out->alpn_n == 0)
			read_alpn(one, out);
	}
	return !all.bad;
}

enum h1_result
hello_parse(const uint8_t *p, size_t len, uint8_t *work, struct hello *out)
{
	size_t have = 0, at = 0, need;

	*out = (struct hello){ 0 };
	while (at < len) { /* records, put together */
		size_t n;

		if (p[at] != HANDSHAKE || (at + 1 < len && p[at + 1] != 3))
			return H1_BAD;
		if (len - at < 5)
			return H1_MORE;
		n = (size_t)p[at + 3] << 8 | p[at + 4];
		if (n == 0 || n > RECORD_MAX || have + n > HELLO_MAX)
			return H1_BAD;
		if (n > len - at - 5)
			n = len - at - 5;
		memcpy(work + have, p + at + 5, n);
		have += n;
		at += 5 + n;
		if (have < 4)
			continue;
		need = 4 + ((size_t)work[1] << 16 | (size_t)work[2] << 8 | work[3]);
		if (work[0] != CLIENT_HELLO || need > HELLO_MAX)
			return H1_BAD;
		if (have >= need)
			return read_hello((struct rd){ work + 4, need - 4, false }, out) ? H1_DONE
											 : H1_BAD;
	}
	return have > 0 && work[0] != CLIENT_HELLO ? H1_BAD : H1_MORE;
}
