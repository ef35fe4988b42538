/* The file of a pair, a code that somebody typed, and a certificate, from any bytes: what is taken is written again as the
 * same bytes. */
#include "base/must.h"
#include "pair/cluster_file.h"
#include "pair/tls_identity.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bits[PAIR_CODE_BYTES], again_bits[PAIR_CODE_BYTES], print[FINGERPRINT_BYTES];
	struct cluster c, again;
	struct buf one = { 0 }, two = { 0 };
	char text[PAIR_CODE_TEXT];

	if (cluster_parse(data, size, &c)) {
		must((c.node == 1 || c.node == 2) && c.peer_port != 0);
		must(c.addrs_n > 0 && c.addrs_n <= CLUSTER_ADDRS);
		cluster_format(&c, &one);
		must(cluster_parse(one.p, one.len, &again));
		cluster_format(&again, &two);
		must(one.len == two.len && memcmp(one.p, two.p, one.len) == 0);
	}
	if (pair_code_parse((const char *)data, size, bits)) {
		pair_code_format(bits, text);
		must(pair_code_parse(text, strlen(text), again_bits));
		must(memcmp(bits, again_bits, sizeof(bits)) == 0);
	}
	(void)tls_cert_print(data, size, print);
	buf_fini(&one);
	buf_fini(&two);
	return 0;
}
