/* rdp.h - the server that a connection broker has chosen for a client of RDP. */
#ifndef LBD_PROXY_RDP_H
#define LBD_PROXY_RDP_H

#include "base/addr.h"
#include "http/h1_parse.h"

struct view;

/* rdp_token - address and port in "Cookie: msts=3640205228.15629.0000" of an X.224 connection request: both as decimal numbers
 * of their bytes in the order of the wire, read with the lowest byte first. IPv4 alone; port in host order. Pure.
 *
 * Returns:  H1_DONE; H1_MORE: len bytes may be the beginning of one; H1_BAD: it is something else.
 * Source:   [MS-RDPBCGR] sections 2.2.1.1 and 3.2.5.3.1; as key_of_rdp.
 */
enum h1_result rdp_token(const uint8_t *p, size_t len, struct addr *out, uint16_t *port_out);

/* rdp_server - the server of a service that a first packet names by its token; port: that the client came to. *id_out is its row,
 * 0 when it names none of them. As rdp_token. */
enum h1_result rdp_server(
    const struct view *v, uint16_t port, const uint8_t *p, size_t len, uint32_t *id_out);

#endif
