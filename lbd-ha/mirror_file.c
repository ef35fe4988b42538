/* The mirror on disk.
 *
 * A file is taken whole or not at all: the checksum is looked at first, then every batch, and only then the first
 * record counts. Lives are kept as what was left of them when the file was written, together with the instant of the
 * wall clock, so an entry also grows old while the machine is off. That is the only use of the wall clock: which of two
 * records is right is decided by their stamps.
 *
 * When a file is written, and by whom, is stick.c. */
#include "mirror_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "LBDSTICK"
#define VERSION 1
#define SUM 8

/* FNV-1a: finds what a disk or a crash did to a file; somebody who may write the folder is not kept out by it. */
static uint64_t
checksum(const uint8_t *p, size_t len)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}

void
mirror_file_begin(struct buf *b, int64_t wall_ms, uint64_t stamp)
{
	b->len = 0;
	buf_put(b, MAGIC, sizeof(MAGIC) - 1);
	buf_put_be(b, VERSION, 4);
	buf_put_be(b, 0, 4);
	buf_put_be(b, (uint64_t)wall_ms, 8);
	buf_put_be(b, stamp, 8);
}

void
mirror_file_add(struct buf *b, const struct buf *batch)
{
	buf_put_be(b, batch->len, 4);
	buf_put(b, batch->p, batch->len);
}

void
mirror_file_end(struct buf *b)
{
	buf_put_be(b, 0, 4);
	buf_put_be(b, checksum(b->p, b->len), SUM);
}

/* The next batch; len 0 at the end. false: there is none. */
static bool
next_batch(struct rd *r, struct rd *out)
{
	*out = rd_sub(r, rd_be(r, 4));
	return !r->bad;
}

/* Frame and every batch: before anything counts. */
static int
check(struct rd r, struct err *err)
{
	struct stick_batch in;
	struct rd one;

	while (next_batch(&r, &one)) {
		if (one.left == 0)
			return r.left == 0 ? 0 : err_set(err, ERR_PROTO, "bytes behind its end");
		if (stick_batch_open(one.p, one.left, &in) != 0)
			return err_set(err, ERR_PROTO, "a batch that is none");
	}
	return err_set(err, ERR_PROTO, "cut off");
}

struct head {
	int64_t written;
	uint64_t stamp;
};

static int
take_head(struct rd *r, const uint8_t *p, size_t len, struct head *out, struct err *err)
{
	const void *magic = rd_bytes(r, sizeof(MAGIC) - 1);
	uint64_t version = rd_be(r, 4);
	struct rd sum = { .p = p + len - SUM, .left = SUM };

	(void)rd_be(r, 4);
	out->written = (int64_t)rd_be(r, 8);
	out->stamp = rd_be(r, 8);
	if (r->bad || memcmp(magic, MAGIC, sizeof(MAGIC) - 1) != 0)
		return err_set(err, ERR_PROTO, "no file of ours");
	if (version != VERSION)
		return err_set(err, ERR_PROTO, "version %u, not %u", (unsigned)version, VERSION);
	if (rd_be(&sum, SUM) != checksum(p, len - SUM))
		return err_set(err, ERR_PROTO, "its checksum is wrong: damaged or cut off");
	return check(*r, err);
}

static int
take_batch(struct rd one, uint64_t off_ms, struct mirror *m, mono_t now)
{
	struct stick_record r;
	struct stick_batch in;
	int n = 0;

	if (stick_batch_open(one.p, one.left, &in) != 0)
		return 0;
	while (stick_batch_next(&in, &r)) {
		if (r.left_ms <= off_ms)
			continue;
		r.left_ms -= (uint32_t)off_ms;
		n += mirror_put(m, &r, MIRROR_FILE, now);
	}
	return n;
}

int
mirror_file_read(
    const void *p, size_t len, struct mirror *m, mono_t now, int64_t wall_ms, struct err *err)
{
	struct rd r = { .p = p, .left = len < SUM ? 0 : len - SUM }, one;
	struct head h;
	uint64_t off;
	int n = 0, code;

	if (len < SUM)
		return err_set(err, ERR_PROTO, "cut off");
	code = take_head(&r, p, len, &h, err);
	if (code != 0)
		return code;
	mirror_saw(m, h.stamp);
	off = wall_ms > h.written ? (uint64_t)wall_ms - (uint64_t)h.written : 0;
	while (next_batch(&r, &one) && one.left > 0)
		n += take_batch(one, off, m, now);
	return n;
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return fsync(fd) == -1 ? -errno : 0;
}

int
mirror_file_save(const char *path, const void *p, size_t len)
{
	char part[320];
	int fd, code;

	(void)snprintf(part, sizeof(part), "%s.new", path);
	(void)unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -errno;
	code = write_all(fd, p, len);
	if (close(fd) == -1 && code == 0)
		code = -errno;
	if (code == 0 && rename(part, path) == -1)
		code = -errno;
	if (code != 0)
		(void)unlink(part);
	return code;
}

static int
read_all(int fd, struct buf *out)
{
	uint8_t piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n == -1 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_put(out, piece, (size_t)n);
	}
	return 0;
}

int
mirror_file_load(const char *path, size_t most, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), code = 0;
	struct stat st;

	if (fd == -1)
		return -errno;
	if (fstat(fd, &st) == -1)
		code = -errno;
	else if (!S_ISREG(st.st_mode))
		code = -EINVAL;
	else if ((uint64_t)st.st_size > most)
		code = -EFBIG;
	if (code == 0)
		code = read_all(fd, out);
	(void)close(fd);
	return code;
}
