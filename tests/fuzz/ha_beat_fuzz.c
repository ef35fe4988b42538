/* Heartbeats from anybody, as they are and with a right seal: what is taken reads back the same, and nothing that follows
 * (windows, echoes, carriers) minds what is in it. */
#include "lbd-ha/core/carrier.h"
#include "lbd-ha/core/replay.h"

#include "base/must.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct beat_self self = { .cluster = 0x6363636363636363, .node = 2 };

static void
use(const struct beat *b)
{
	static const struct carrier_conf conf = { .interval = DUR_MS(20), .dead = DUR_MS(80) };
	struct carrier_set set;
	struct replay r;
	struct beat twice = *b;
	unsigned expected;

	replay_init(&r, 0x6f6f6f6f6f6f6f6f);
	for (mono_t now = DUR_S(1); now < DUR_S(1) + 8; now++, twice.seq++) {
		enum beat_fault f = twice.seq == 0 ? BEAT_VALUE : replay_judge(&r, &twice, now);

		must(f != BEAT_GOOD || r.boot == b->boot);
		must(twice.seq == 0 || replay_judge(&r, &twice, now) == BEAT_REPLAYED);
		must(replay_echo(&r, b->carrier, now).boot == b->boot);
	}
	carriers_init(&set);
	carrier_init(&set.c[0], &conf, DUR_S(1));
	for (unsigned i = 0; i < 3; i++) {
		carrier_heard(
		    &set.c[0], &(struct carrier_frame){ .at = DUR_S(1) + i,
				   .boot = b->boot,
				   .seq = b->seq ^ (i == 1 ? b->echo.seq : 0),
				   .echo_sent = (mono_t)(b->echo.sent_us % (uint64_t)DUR_S(1)),
				   .echo_age = b->echo.age_us });
		(void)carriers_tick(&set, DUR_S(1) + i, 1);
		(void)carriers_deadline(&set, DUR_S(1) + i, 1);
	}
	must(carrier_lost_recent(&set.c[0], &expected) <= expected && expected <= CARRIER_RECENT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[SEAL_SECRET] = { 1 };
	static struct seal seal;
	uint8_t bytes[BEAT_MAX + 64], again[BEAT_LEN];
	struct beat b, c;

	if (!seal.key[0].set) {
		seal_init(&seal, SEAL_BEAT);
		seal_set(&seal, 0, secret);
	}
	(void)beat_decode(data, size, &self, &seal, &b);
	if (size < SEAL_TAG || size > sizeof(bytes))
		return 0;
	memcpy(bytes, data, size);
	if (size > 7)
		bytes[7] = seal_id(&seal);
	seal_put(&seal, bytes, size - SEAL_TAG, bytes + size - SEAL_TAG);
	if (beat_decode(bytes, size, &self, &seal, &b) != BEAT_GOOD)
		return 0;
	must(size >= BEAT_LEN && size <= BEAT_MAX && b.node == 1 && b.carrier < BEAT_CARRIERS);
	beat_encode(&b, &seal, again);
	must(beat_decode(again, sizeof(again), &self, &seal, &c) == BEAT_GOOD);
	must(memcmp(again + 12, bytes + 12, 65) == 0 && memcmp(again + 78, bytes + 78, 94) == 0);
	use(&b);
	return 0;
}
