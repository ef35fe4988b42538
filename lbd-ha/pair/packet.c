/* packet.c - where one message ends and the next begins. The bus has packets from the kernel (SOCK_SEQPACKET); a TLS
 * stream has none, so each is preceded by its length. The length is looked at as soon as its four bytes are here: one
 * that is too small for a header or too large for a packet ends the connection before anything is kept for it. */
#include "packet.h"

void
packet_put(unsigned number, const void *payload, struct buf *out)
{
	size_t start = out->len;

	buf_put_be(out, 0, 4);
	msg_encode(number, 0, payload, out);
	buf_patch_be(out, start, out->len - start - 4, 4);
}

int
packet_take(struct rd *r, const uint8_t **p_out, size_t *len_out)
{
	struct rd look = *r;
	uint32_t len = (uint32_t)rd_be(&look, 4);
	const uint8_t *p;

	if (look.bad)
		return 0;
	if (len < MSG_HEADER || len > PACKET_MAX)
		return ERR_PROTO;
	p = rd_bytes(&look, len);
	if (p == NULL)
		return 0;
	*r = look;
	*p_out = p;
	*len_out = len;
	return 1;
}
