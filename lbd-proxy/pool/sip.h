/* sip.h - the call that a SIP connection begins with (RFC 3261). Pure. */
#ifndef LBD_PROXY_SIP_H
#define LBD_PROXY_SIP_H

#include "key.h"

#define KEY_SIP_MAX \
	KEY_RDP_MAX /* bytes that are waited for; what names the call must be among them */

/* sip_call - the value of Call-ID, or i, of the first message.
 *
 * Returns:  H1_DONE with it; H1_MORE: it may still come; H1_BAD: it is no message of SIP, or names no call.
 * Source:   RFC 3261 sections 7.3.1, 7.3.3 (compact form), 7.5 and RFC 5626 3.5.1 (empty lines before a message). */
enum h1_result sip_call(const uint8_t *p, size_t len, struct key_span *out);

#endif
