/* carrier_serial.h - heartbeats by a serial line (null modem cable): no network can break it. */
#ifndef HA_CARRIER_SERIAL_H
#define HA_CARRIER_SERIAL_H

#include "core/beat.h"
#include "core/carrier.h"
#include "core/cobs.h"

#include "base/err.h"

struct carrier_serial {
	int fd;
	struct cobs in;
	uint8_t out[COBS_ROOM(COBS_MAX)]; /* what the line did not take yet */
	size_t out_at, out_len;
	unsigned
	    frame_bytes; /* more than this still in the kernel: the line is slower than we are */
};

/* carrier_serial_open - path: "/dev/ttyS0"; speed in bits a second: 9600, 19200, 38400, 57600, 115200, 230400, 460800,
 * 921600. 8 bits, no parity, no flow control, modem lines ignored; nobody else may open it. 0 or -errno with err. */
int carrier_serial_open(
    struct carrier_serial *s, const char *path, unsigned speed, struct err *err);
void carrier_serial_close(struct carrier_serial *s);
/* carrier_serial_interval - the shortest sensible one at this speed: a third of the line's time. 50 ms at 115200. */
dur_t carrier_serial_interval(unsigned speed);
/* carrier_serial_send - one frame, never waiting. -EAGAIN: the line has not taken the last one yet, this one is dropped
 * (a late heartbeat is worth nothing). 0 or -errno. */
int carrier_serial_send(struct carrier_serial *s, const void *bytes, size_t len);
/* carrier_serial_read - calls fn for each whole frame in what has come, at most 1,024 bytes of it; they have arrived
 * now. Returns the bytes taken (0: the line is empty), or -errno: -EIO, the other end or the device is gone. */
int carrier_serial_read(struct carrier_serial *s, carrier_in_fn *fn, void *arg);

#endif
