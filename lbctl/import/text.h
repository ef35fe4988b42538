/* text.h - words of foreign configurations as values. Pure, bounded, nothing is allocated. */
#ifndef LBCTL_IMPORT_TEXT_H
#define LBCTL_IMPORT_TEXT_H

#include "base/addr.h"

#include <stdbool.h>
#include <stdint.h>

/* text_number - decimal digits alone, at most max. */
bool text_number(const char *s, uint32_t max, uint32_t *out);
/* text_port - a port from 1, or the name of a service ("http") of the protocol "tcp", "udp" or "sctp". */
bool text_port(const char *s, const char *protocol, uint16_t *out);
/* text_host - the address of a host; false for a name. */
bool text_host(const char *s, struct addr *out);
/* text_endpoint - "10.0.0.1:80", "[fd00::1]:80", "10.0.0.1", "fd00::1". port_out 0: none is said, or it is 0. */
bool text_endpoint(const char *s, const char *protocol, struct addr *out, uint16_t *port_out);
/* text_mask - "255.255.255.0" or "24" as leading bits; -1: neither, or its bits do not lead. */
int text_mask(const char *s, unsigned family);
/* text_range - "10.0.0.1-9", "10.0.0.1-10.0.1.9", "10.0.0.0/28", or one host. IPv6: the last group of the second is
 * hexadecimal, as "fd00::1-9". */
bool text_range(const char *s, struct addr *lo, struct addr *hi);
/* text_ms - seconds, perhaps with a fraction, as milliseconds. */
bool text_ms(const char *s, uint32_t *out);
/* text_literal - whether a regular expression is a plain text; a backslash before punctuation is taken out. out holds
 * room bytes. */
bool text_literal(const char *regex, char *out, unsigned room);

#endif
