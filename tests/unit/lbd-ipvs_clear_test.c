/* S092: connections that are over, so that the persistence they hang on can be cleared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ipvs/conns/clear.h"

#include <string.h>

static void
test_clear_over(void **state)
{
	static const struct {
		const char *line;
		bool over;
	} rows[] = {
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 899", false },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 SYN_RECV 59", false },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE_WAIT 59", false },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 FIN_WAIT 119", false },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 FIN_WAIT 116", false },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 FIN_WAIT 115", true },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 TIME_WAIT 119", true },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE 9", true },
		{ "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 LAST_ACK 29", true },
		{ "UDP 0A010203 04D2 0A090001 0050 0A09000B 0050 UDP 299", true },
		{ "SCTP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 899", false },
		{ "SCTP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSED 9", true },
		{ "TCP 0A010200 0000 0A090001 0050 0A09000B 0050 NONE 49", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct entry e;

		assert_true(entry_parse(rows[i].line, strlen(rows[i].line), &e));
		if (clear_over(&e, 120) != rows[i].over)
			fail_msg("%s", rows[i].line);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clear_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
