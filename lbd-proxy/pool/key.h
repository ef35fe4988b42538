/* key.h - what schedulers that hash look at: a part of a request, the client's address, the user of an RDP connection.
 * Pure; spans point into the caller's bytes. */
#ifndef LBD_PROXY_KEY_H
#define LBD_PROXY_KEY_H

#include "base/addr.h"
#include "http/h1_parse.h"

#define KEY_NAME_MAX 64 /* as schema/service.def says of hash_key */
#define KEY_RDP_MAX \
	4096 /* bytes of a first packet that are waited for; real ones have less than 100 */

struct key_span {
	const char *at;
	size_t len;
};

/* Whether a scheduler (enum scheduler) looks at a key. */
bool key_hashes(unsigned scheduler);

/* key_of_request - by scheduler path, uri, url_param or header, from a head at buf. name: of the parameter (compared byte by
 * byte, as it stands in the query) or field (letters of either case). The first one counts.
 * Returns false when the request has none, and for schedulers that look at something else. */
bool key_of_request(unsigned scheduler, const char *name, size_t name_len, const char *buf,
    const struct h1_head *h, struct key_span *out);

/* key_of_rdp - the user in "Cookie: mstshash=USER" of an X.224 connection request, which an RDP client sends first.
 *
 * Returns:  H1_DONE with the user; H1_MORE: len bytes may be the beginning of one; H1_BAD: it is something else, or
 *           names no user (a routing token or nothing is in its place), and no more bytes will change that.
 * Source:   RFC 1006 section 6 (TPKT), ITU-T X.224 section 13.3, [MS-RDPBCGR] section 2.2.1.1.
 */
enum h1_result key_of_rdp(const uint8_t *p, size_t len, struct key_span *out);

/* key_rdp_rest - what follows the header of that packet: a cookie or a token, and more. As key_of_rdp, with H1_DONE for every
 * whole packet. */
enum h1_result key_rdp_rest(const uint8_t *p, size_t len, struct key_span *out);

/* Equal keys of a service have equal hashes, on both nodes of a pair. */
uint64_t key_hash(uint32_t service, const void *p, size_t len);
uint64_t key_hash_addr(uint32_t service, const struct addr *a);

#endif
