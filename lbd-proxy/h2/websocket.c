/* Which requests ask for a WebSocket, and the proof that a server of HTTP/1.1 would give: one of HTTP/2 gives none, and the client
 * wants it. */
#include "websocket.h"

#include "http/h1_parse.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static bool
name_is(const char *buf, const struct h1_header *f, const char *name)
{
	return f->name_len == strlen(name) &&
	       strncasecmp(buf + f->name_off, name, f->name_len) == 0;
}

bool
websocket_asked(const char *buf, const struct h1_head *h)
{
	unsigned upgrades = 0, keys = 0;

	if (!h->upgrade || h->method != H1_M_GET || h->has_length || h->chunked)
		return false;
	for (unsigned i = 0; i < h->n; i++) {
		const struct h1_header *f = &h->header[i];

		if (f->id == H1_UPGRADE) {
			upgrades++;
			if (f->value_len != 9 ||
			    strncasecmp(buf + f->value_off, "websocket", 9) != 0)
				return false;
		} else if (name_is(buf, f, "sec-websocket-key")) {
			keys++;
			if (f->value_len != WEBSOCKET_KEY)
				return false;
		}
	}
	return upgrades == 1 && keys == 1;
}

void
websocket_accept(const char *key, size_t n, char out[WEBSOCKET_ACCEPT_ROOM])
{
	unsigned char text[WEBSOCKET_KEY + sizeof(GUID) - 1], digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	out[0] = '\0';
	if (n != WEBSOCKET_KEY)
		return;
	memcpy(text, key, n);
	memcpy(text + n, GUID, sizeof(GUID) - 1);
	if (EVP_Digest(text, sizeof(text), digest, &len, EVP_sha1(), NULL) == 1 && len == 20)
		(void)EVP_EncodeBlock((unsigned char *)out, digest, (int)len);
}
