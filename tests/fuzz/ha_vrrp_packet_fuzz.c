/* Advertisements of strangers. The first byte chooses family, unicast and TTL. What is taken comes out again as the
 * same bytes, but for the reserved bits and the checksum's two zeros. */
#include "vrrp/vrrp_packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct addr
host(const char *text)
{
	struct addr a;

	if (addr_parse(text, ADDR_HOST, &a) != 0)
		abort();
	return a;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vrrp_packet p, q;
	static uint8_t out[VRRP_BYTES_MAX];
	struct vrrp_ip ip = { .ttl = 255 };
	uint8_t *exact;
	size_t n;

	if (size == 0)
		return 0;
	ip.src = host(data[0] & 1 ? "fe80::1" : "10.0.0.1");
	ip.dst = host(data[0] & 1 ? (data[0] & 2 ? "fe80::2" : "ff02::12")
				  : (data[0] & 2 ? "10.0.0.2" : "224.0.0.18"));
	if (data[0] & 4)
		ip.ttl = 64;
	exact = malloc(size);
	memcpy(exact, data + 1, size - 1);
	if (vrrp_packet_parse(exact, size - 1, &ip, data[0] & 8 ? 1 : 255, &p) == VRRP_GOOD) {
		n = vrrp_packet_format(&p, &ip, out);
		if (n != size - 1 || memcmp(out, exact, 4) != 0 ||
		    memcmp(out + 8, exact + 8, n - 8) != 0)
			abort();
		if (vrrp_packet_parse(out, n, &ip, 1, &q) != VRRP_GOOD || q.n != p.n ||
		    q.sum != p.sum)
			abort();
	}
	free(exact);
	return 0;
}
