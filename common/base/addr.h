/* addr.h - IP addresses and networks as values. Equal addresses are equal bytes (memcmp). */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT 64 /* room for any address with prefix */

struct addr {
	uint8_t family; /* 0 none, 4 or 6 */
	uint8_t len;	/* prefix length in bits: 32 or 128 for a host */
	uint8_t b[16];	/* network order */
};

enum addr_form {
	ADDR_HOST, /* 10.0.0.1, fd00::1 */
	ADDR_NET,  /* 10.0.0.0/8: bits after the prefix must be zero; no prefix means a host */
	ADDR_CIDR, /* 10.0.0.1/24: an interface's address; no prefix means a host */
};

/* addr_parse - text to address; pure. "" gives family 0. Returns 0 or -EINVAL. */
int addr_parse(const char *text, enum addr_form form, struct addr *out);
/* addr_parse_link - a neighbour: "10.0.0.1", or "fe80::1 interface eth0" where the interface must be told (else ifname is
 * ""). Whether an interface can have that name is not looked at. 0 or -EINVAL, also without an address. */
#define ADDR_IFNAME 16
int addr_parse_link(const char *text, struct addr *out, char ifname[ADDR_IFNAME]);
/* addr_format - canonical text; always prints a prefix for NET and CIDR. out holds ADDR_TEXT bytes. */
void addr_format(const struct addr *a, enum addr_form form, char *out);
/* addr_put4 - the text of an IPv4 address, fast: returns the place behind it. Not terminated; 17 bytes from p on may be touched. */
#define ADDR_PUT4 17
char *addr_put4(const uint8_t b[4], char *p);
/* addr_sockaddr - fill a socket address; port in host order. Returns its length. family must be 4 or 6. */
socklen_t addr_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out);
/* addr_from_sockaddr - host address (full prefix) and port; IPv4-mapped IPv6 becomes IPv4. 0 or -EAFNOSUPPORT. */
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port_out);
bool addr_contains(const struct addr *net, const struct addr *host);
bool addr_same_host(const struct addr *a, const struct addr *b); /* prefix ignored */
bool addr_is_loopback(const struct addr *a);

#endif
