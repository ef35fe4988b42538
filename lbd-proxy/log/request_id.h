/* request_id.h - names of requests: UUIDs of version 7 (RFC 9562 section 5.7), so they sort by time. */
#ifndef LBD_PROXY_REQUEST_ID_H
#define LBD_PROXY_REQUEST_ID_H

#include <stdint.h>

#define REQUEST_ID 36 /* characters */

/* request_id_format - wall_ms since 1970; worker and number tell apart those of a process, seed (random) those of two. Pure. */
void request_id_format(
    int64_t wall_ms, unsigned worker, uint32_t number, uint64_t seed, char out[REQUEST_ID]);

#endif
