/* pp.h - the PROXY protocol, versions 1 and 2: what a balancer says of the client that it brings, before the client's bytes.
 * Pure. Source: "The PROXY protocol", HAProxy Technologies, 2020, sections 2.1 and 2.2. */
#ifndef LBD_PROXY_PP_H
#define LBD_PROXY_PP_H

#include "base/addr.h"

#include <sys/types.h>

#define PP_MAX 2048 /* bytes of a header that is read; its addresses and TLVs */
#define PP_ROOM 640 /* and of one that is written */

struct pp {
	bool
	    known; /* false: the sender speaks for itself (LOCAL, UNKNOWN); keep the addresses of the connection */
	struct addr from, to;
	uint16_t from_port, to_port;
};

/* pp_read - bytes from the first one of a connection on. > 0: length of the header; 0: more are needed; -EPROTO: it is none.
 * The checksum is checked when there is one. */
ssize_t pp_read(const uint8_t *p, size_t n, struct pp *out);

/* pp_write_v1, pp_write_v2 - the header for p; its length, at most PP_ROOM. Version 2 also tells of the client's TLS: version
 * as "TLSv1.3", NULL plain; name it asked for, "" none. */
size_t pp_write_v1(const struct pp *p, uint8_t *out);
size_t pp_write_v2(const struct pp *p, const char *tls, const char *name, uint8_t *out);

#endif
