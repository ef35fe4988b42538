/* Routing tokens of RDP, as brokers make them and as nobody does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-proxy/pool/rdp.h"

#include <stdlib.h>
#include <string.h>

/* A connection request with this behind its header. */
static size_t
packet(uint8_t *p, const char *text)
{
	size_t n = strlen(text), all = 11 + n;
	const uint8_t head[11] = { 3, 0, (uint8_t)(all >> 8), (uint8_t)all, (uint8_t)(6 + n),
		0xe0 };

	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), text, n);
	return all;
}

static void
test_token(void **state)
{
	static const struct {
		const char *text, *addr; /* addr NULL: no token */
		uint16_t port;
	} row[] = {
		/* the example of [MS-RDPBCGR] 3.2.5.3.1, alone and with a negotiation behind it */
		{ "Cookie: msts=3640205228.15629.0000\r\n", "172.31.249.216", 3389 },
		{ "Cookie: msts=3640205228.15629.0000\r\n\x01\x01\x08\x01\x03\x01\x01\x01",
		    "172.31.249.216", 3389 },
		{ "Cookie: msts=16777343.15629.0000\r\n", "127.0.0.1", 3389 },
		{ "Cookie: msts=4294967295.65535.0000\r\n", "255.255.255.255", 65535 },
		{ "Cookie: msts=4294967296.15629.0000\r\n", NULL, 0 },
		{ "Cookie: msts=99999999999999999999999.15629.0000\r\n", NULL, 0 },
		{ "Cookie: msts=3640205228.65536.0000\r\n", NULL, 0 },
		{ "Cookie: msts=3640205228.15629.0001\r\n", NULL, 0 },
		{ "Cookie: msts=3640205228.15629.\r\n", NULL, 0 },
		{ "Cookie: msts=3640205228.15629.0000\r", NULL, 0 },
		{ "Cookie: msts=3640205228.15629.0000\n", NULL, 0 },
		{ "Cookie: msts=3640205228.15629.0000", NULL, 0 },
		{ "Cookie: msts=3640205228.15629\r\n", NULL, 0 },
		{ "Cookie: msts=3640205228..0000\r\n", NULL, 0 },
		{ "Cookie: msts=.15629.0000\r\n", NULL, 0 },
		{ "Cookie: msts=-1.15629.0000\r\n", NULL, 0 },
		{ "Cookie: msts= 3640205228.15629.0000\r\n", NULL, 0 },
		{ "Cookie: msts=\r\n", NULL, 0 },
		{ "Cookie: mstshash=anna\r\n", NULL, 0 },
		{ "Cookie: ms", NULL, 0 },
		{ "", NULL, 0 },
	};
	uint8_t p[256];

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = packet(p, row[i].text), k;
		struct addr got = { 0 };
		char text[ADDR_TEXT];
		uint16_t port = 0;

		for (k = 0; k < n; k++) { /* byte by byte, in memory of just that size */
			uint8_t *part = malloc(k + 1);

			memcpy(part, p, k);
			assert_int_equal(rdp_token(part, k, &got, &port), H1_MORE);
			free(part);
		}
		assert_int_equal(
		    rdp_token(p, n, &got, &port), row[i].addr != NULL ? H1_DONE : H1_BAD);
		if (row[i].addr == NULL)
			continue;
		addr_format(&got, ADDR_HOST, text);
		assert_string_equal(text, row[i].addr);
		assert_int_equal(port, row[i].port);
	}
}

static void
test_other_protocols(void **state)
{
	struct addr a;
	uint16_t port;

	(void)state;
	assert_int_equal(rdp_token((const uint8_t *)"GET", 3, &a, &port), H1_BAD);
	assert_int_equal(rdp_token((const uint8_t *)"\x16\x03\x01", 3, &a, &port), H1_BAD);
	assert_int_equal(rdp_token((const uint8_t *)"", 0, &a, &port), H1_MORE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_other_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
