/* frame.h - announcements of an address as Ethernet frames. Pure.
 * Source: RFC 826, RFC 5227 section 3; RFC 4861 sections 4.4, 4.6.1, 7.2.6; RFC 4443 section 2.3; RFC 2464. */
#ifndef HA_FRAME_H
#define HA_FRAME_H

#include "base/addr.h"

#define FRAME_MAX 86

/* frame_arp - gratuitous ARP to everyone: a request, or a reply. Padded to the least length of a frame. Some
 * neighbours learn from one kind, some from the other. Returns the length. */
size_t frame_arp(uint8_t out[FRAME_MAX], const uint8_t mac[6], const struct addr *a, bool reply);
/* frame_na - unsolicited neighbour advertisement to all nodes, with the override flag, from the address itself. */
size_t frame_na(uint8_t out[FRAME_MAX], const uint8_t mac[6], const struct addr *a, bool router);

#endif
