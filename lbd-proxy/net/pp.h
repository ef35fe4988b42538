/* pp.h - the PROXY protocol, versions 1 and 2: what a balancer says of the client that it brings, before the client's bytes.
 * Pure. Source: "The PROXY protocol", HAProxy Technologies, 2020, sections 2.1 and 2.2. */
#ifndef LBD_PROXY_PP_H
#define LBD_PROXY_PP_H

#include "base/addr.h"

#include <sys/types.h>

#define PP_MAX 2048 /* bytes of a header that is read; its addresses and TLVs */
#define PP_ROOM 800 /* and of one that is written */
#define PP_WORD 255 /* of a name that is written; longer ones are left out */

struct pp {
	bool
	    known; /* false: the sender speaks for itself (LOCAL, UNKNOWN); keep the addresses of the connection */
	struct addr from, to;
	uint16_t from_port, to_port;
};

/* pp_read - bytes from the first one of a connection on. > 0: length of the header; 0: more are needed; -EPROTO: it is none.
 * The checksum is checked when there is one. */
ssize_t pp_read(const uint8_t *p, size_t n, struct pp *out);

/* The client's TLS, for version 2. Borrowed. */
struct pp_tls {
	const char *version, *cipher; /* "TLSv1.3", "TLS_AES_128_GCM_SHA256" */
	const char *name;	      /* that it asked for; "": none */
	bool cert,
	    resumed; /* it has shown a good certificate; the session goes on, so that was earlier */
	const char *cn; /* common name in it; "": none */
};

/* pp_write_v1, pp_write_v2 - the header for p; its length, at most PP_ROOM. tls: NULL plain. */
size_t pp_write_v1(const struct pp *p, uint8_t *out);
size_t pp_write_v2(const struct pp *p, const struct pp_tls *tls, uint8_t *out);

#endif
