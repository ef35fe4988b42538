/* carrier_serial.c - a serial line as a carrier.
 *
 * The line is raw: cobs.c makes frames of it and finds them again after noise. Heartbeats are worth something only while
 * they are new, and a line may stand still without an error (cable pulled, peer off, flow control in between). So a frame
 * goes to the kernel only while at most one is waiting there; else it is dropped and counted by the caller as not sent.
 *
 * A terminal that hangs up reads as end of file, and reading must not wait: so VMIN is 1, which makes "nothing there"
 * an EAGAIN and a zero the end. */
#include "core/carrier_serial.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const struct {
	unsigned bits;
	speed_t code;
} speeds[] = {
	{ 9600, B9600 },
	{ 19200, B19200 },
	{ 38400, B38400 },
	{ 57600, B57600 },
	{ 115200, B115200 },
	{ 230400, B230400 },
	{ 460800, B460800 },
	{ 921600, B921600 },
};

static int
set_line(int fd, speed_t speed)
{
	struct termios t;

	if (tcgetattr(fd, &t) == -1)
		return -errno;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= ~(tcflag_t)(CRTSCTS | CSTOPB | PARENB);
	t.c_iflag |= IGNBRK;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (cfsetspeed(&t, speed) == -1 || tcsetattr(fd, TCSANOW, &t) == -1)
		return -errno;
	(void)tcflush(fd, TCIOFLUSH);
	return 0;
}

static int
line_fault(const char *path, int code, struct err *err)
{
	return err_set(err, code, "carrier on %s: %s", path, strerror(-code));
}

int
carrier_serial_open(struct carrier_serial *s, const char *path, unsigned speed, struct err *err)
{
	unsigned i = 0;
	int rc;

	memset(s, 0, sizeof(*s));
	s->fd = -1;
	s->frame_bytes = COBS_ROOM(BEAT_LEN);
	while (i < ARRAY_LEN(speeds) && speeds[i].bits != speed)
		i++;
	if (i == ARRAY_LEN(speeds))
		return err_set(err, -EINVAL,
		    "carrier on %s: %u is no speed of a line; 9600 to 921600", path, speed);
	s->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (s->fd == -1)
		return line_fault(path, -errno, err);
	rc = set_line(s->fd, speeds[i].code);
	if (rc == 0 && ioctl(s->fd, TIOCEXCL) == -1)
		rc = -errno;
	if (rc == 0)
		return 0;
	carrier_serial_close(s);
	return line_fault(path, rc, err);
}

void
carrier_serial_close(struct carrier_serial *s)
{
	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
}

dur_t
carrier_serial_interval(unsigned speed)
{
	/* Ten bits on the line for each byte. */
	dur_t frame = DUR_S(10 * (dur_t)COBS_ROOM(BEAT_LEN)) / (speed > 0 ? speed : 1);

	return 3 * frame;
}

/* What the line has not taken of the last frame. */
static int
push(struct carrier_serial *s)
{
	while (s->out_at < s->out_len) {
		ssize_t n = write(s->fd, s->out + s->out_at, s->out_len - s->out_at);

		if (n == -1)
			return errno == EINTR ? -EAGAIN : -errno;
		s->out_at += (size_t)n;
	}
	return 0;
}

int
carrier_serial_send(struct carrier_serial *s, const void *bytes, size_t len)
{
	int waiting = 0, rc;

	if (len == 0 || len > COBS_MAX)
		return -EMSGSIZE;
	rc = push(s);
	if (rc != 0)
		return rc;
	if (ioctl(s->fd, TIOCOUTQ, &waiting) == 0 && waiting > (int)s->frame_bytes)
		return -EAGAIN;
	s->out_len = cobs_encode(bytes, len, s->out);
	s->out_at = 0;
	rc = push(s);
	if (s->out_at > 0)
		return rc == -EAGAIN ? 0 : rc; /* begun: the rest goes before the next */
	s->out_len = 0;
	return rc;
}

int
carrier_serial_read(struct carrier_serial *s, carrier_in_fn *fn, void *arg)
{
	struct carrier_in in = { .at = mono_now() };
	uint8_t bytes[1024];
	ssize_t n = read(s->fd, bytes, sizeof(bytes));

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EIO;
	for (ssize_t i = 0; i < n; i++) {
		in.len = cobs_push(&s->in, bytes[i]);
		in.bytes = s->in.raw;
		if (in.len > 0)
			fn(arg, &in);
	}
	return (int)n;
}
