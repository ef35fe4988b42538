/* packet.h - messages on a stream of bytes: the length as u32, big-endian, then the packet of msg.h. Pure. */
#ifndef HA_PACKET_H
#define HA_PACKET_H

#include "msg/msg.h"

#define PACKET_MAX MSG_MAX /* of the packet; the length before it comes on top */

/* packet_put - append one message with its length. */
void packet_put(unsigned number, const void *payload, struct buf *out);
/* packet_take - the next packet of a stream; borrowed from it.
 *
 * Returns: 1 a packet, r stands behind it; 0 not all of it is here yet, r is untouched; ERR_PROTO a length that no
 *          packet has: the stream is of no use any more. */
int packet_take(struct rd *r, const uint8_t **p_out, size_t *len_out);

#endif
