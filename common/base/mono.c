/* Clocks. The only place that names a clock id. */
#include "base/mono.h"
#include "base/must.h"

#include <time.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

mono_t
mono_now(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
mono_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t
mono_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
mono_boottime_ms(void)
{
	return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t
mono_cpu_us(void)
{
	return read_us(CLOCK_PROCESS_CPUTIME_ID);
}
