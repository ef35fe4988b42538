/* Response times of a server, averaged. Two workers that learn something at the same time may lose one of both: the
 * next answer brings it again. */
#include "latency.h"

/* Seconds since it was learned; a reader may be a little behind the writer. */
static uint32_t
age(uint64_t latency, mono_t now)
{
	uint32_t now_s = (uint32_t)(now / 1000000), then = (uint32_t)(latency >> 32);

	return now_s > then ? now_s - then : 0;
}

uint32_t
latency_now(uint64_t latency, mono_t now)
{
	uint32_t us = (uint32_t)latency, halves = age(latency, now) / LATENCY_HALF;

	if (us == 0)
		return 0;
	us = halves < 31 ? us >> halves : 0;
	return us > 0 ? us : 1;
}

uint64_t
latency_after(uint64_t latency, mono_t now, dur_t took)
{
	uint32_t us = took < 1 ? 1 : took > LATENCY_MOST ? (uint32_t)LATENCY_MOST : (uint32_t)took;
	uint32_t was = (uint32_t)latency;

	if (was > 0 && age(latency, now) < LATENCY_HALF)
		us = (uint32_t)(((uint64_t)was * 7 + us + 7) / 8);
	return (uint64_t)(now / 1000000) << 32 | us;
}
