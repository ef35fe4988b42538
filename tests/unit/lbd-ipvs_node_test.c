/* Where the default route goes, read from the kernel's texts. */
#include "lbd-ipvs/node.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD4 \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
#define NONE6                                                                      \
	"00000000000000000000000000000000 00 00000000000000000000000000000000 00 " \
	"00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
#define DEFAULT6                                                                   \
	"00000000000000000000000000000000 00 00000000000000000000000000000000 00 " \
	"fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth6\n"

static void
test_default_route(void **state)
{
	static const struct {
		const char *v4, *v6, *want;
	} rows[] = {
		{ "", "", "" },
		{ HEAD4, "", "" },
		{ HEAD4 "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0   \n", "",
		    "eth0" },
		{ HEAD4 "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0", DEFAULT6,
		    "eth0" },
		/* a network, half of all, one that is down, one that refuses */
		{ HEAD4 "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", "", "" },
		{ HEAD4 "eth0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n", "", "" },
		{ HEAD4 "eth0\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n", "", "" },
		{ HEAD4 "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n", "", "" },
		/* the lowest metric, then the first */
		{ HEAD4 "eth0\t00000000\t010200C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n"
			"eth1\t00000000\t010300C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
			"eth2\t00000000\t010400C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
		    "", "eth1" },
		{ HEAD4, NONE6, "" },
		{ HEAD4, NONE6 DEFAULT6 NONE6, "eth6" },
		{ "nonsense\n\n\n", "nonsense\n", "" },
	};
	char out[NODE_IFNAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    node_route_default(rows[i].v4, rows[i].v6, out), rows[i].want[0] != '\0');
		assert_string_equal(out, rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_default_route) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
