/* persist.db from anybody: as it is, and with the checksum made right, so that what is behind it is reached too. What was
 * taken is written again, and read again as the same number of entries. */
#include "base/err.h"
#include "base/must.h"
#include "lbd-ha/mirror_file.h"

#define NOW DUR_S(1000)
#define WALL INT64_C(1700000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mirror *
take(const void *p, size_t len, int *n)
{
	static const uint64_t lot[2] = { 1, 2 };
	struct mirror *m = mirror_new(64, lot, NOW);
	struct err err = { 0 };

	*n = mirror_file_read(p, len, m, NOW, WALL, &err);
	must((*n < 0) == (err.text[0] != '\0'));
	must(*n >= 0 || mirror_count(m) == 0);
	return m;
}

static void
again(struct mirror *m)
{
	struct mirror_cursor c;
	struct mirror *other;
	struct buf b = { 0 }, batch = { 0 };
	unsigned told = 0;
	int n;

	mirror_follow(m, &c, 0, 0);
	mirror_file_begin(&b, WALL, mirror_stamp(m));
	while (mirror_behind(m, &c)) {
		told += mirror_read(m, &c, 10, NOW, &batch);
		mirror_file_add(&b, &batch);
	}
	mirror_file_end(&b);
	other = take(b.p, b.len, &n);
	must(n >= 0 && (unsigned)n <= told && mirror_count(other) <= mirror_count(m));
	must(mirror_stamp(other) == mirror_stamp(m));
	mirror_leave(&c);
	mirror_free(other);
	buf_fini(&b);
	buf_fini(&batch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = { 0 };
	struct mirror *m;
	int n;

	m = take(data, size, &n);
	mirror_free(m);
	buf_put(&b, data, size);
	mirror_file_end(&b);
	m = take(b.p, b.len, &n);
	if (n >= 0)
		again(m);
	mirror_free(m);
	buf_fini(&b);
	return 0;
}
