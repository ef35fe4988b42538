/* ICMP from anybody: only what brings back all that the question had is an answer, and once. */
#include "lbd-ha/core/ping.h"

#include "base/must.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ping_conf conf = { .addr = { .family = 4, .len = 32, .b = { 192, 0, 2, 1 } },
		.interval = DUR_MS(100),
		.rise = 1,
		.fall = 1 };
	struct ping p;
	uint8_t question[PING_LEN];

	ping_init(&p, 0x6f6f6f6f6f6f6f6f);
	ping_set(&p, 2, &conf, DUR_S(1));
	ping_packet(&p, 2, question);
	ping_sent(&p, 2, DUR_S(1), 0);
	if (ping_answer(&p, data, size, &conf.addr, DUR_S(1) + 1) < 0)
		return 0;
	must(size >= 28 && memcmp(data + 8, question + 8, 20) == 0 && ping_reachable(&p) == 4);
	must(ping_answer(&p, data, size, &conf.addr, DUR_S(1) + 2) == -1);
	return 0;
}
