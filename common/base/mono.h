/* mono.h - instants and durations. Deadlines are instants of the monotonic clock; wall time is for display. */
#ifndef BASE_MONO_H
#define BASE_MONO_H

#include <stdint.h>

typedef int64_t mono_t; /* microseconds of CLOCK_MONOTONIC */
typedef int64_t dur_t;	/* microseconds */

#define DUR_MS(n) ((dur_t)(n)*1000)
#define DUR_S(n) ((dur_t)(n)*1000000)

mono_t mono_now(void);
int64_t mono_wall_ms(void);	/* milliseconds since 1970, UTC */
int64_t mono_wall_us(void);	/* the same, finer: to convert the kernel's time stamps */
int64_t mono_boottime_ms(void); /* CLOCK_BOOTTIME: goes on while the machine sleeps */
int64_t mono_cpu_us(void);	/* processor time of this process */

#endif
