/* hello.h - the beginning of TLS as a client sends it, read without taking part: what it names and offers (RFC 8446 section 4.1.2, RFC 6066
 * section 3, RFC 7301). Pure; spans point into the caller's bytes. */
#ifndef LBD_PROXY_HELLO_H
#define LBD_PROXY_HELLO_H

#include "http/h1_parse.h"

#define HELLO_MAX (16 * 1024 + 2048) /* bytes that are waited for */
#define HELLO_ALPN_MAX 8

struct hello {
	const char *sni; /* NULL: it names no host */
	uint32_t sni_len;
	unsigned alpn_n;
	struct {
		const char *p;
		uint32_t len;
	} alpn[HELLO_ALPN_MAX];
};

/* hello_parse - work: HELLO_MAX bytes for a hello that comes in several records; out points there then.
 * Returns H1_DONE; H1_MORE: len bytes may be its beginning; H1_BAD: it is something else, or larger than HELLO_MAX. */
enum h1_result hello_parse(const uint8_t *p, size_t len, uint8_t *work, struct hello *out);

#endif
