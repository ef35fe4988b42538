/* Heartbeats that do not count: which of them say that another pair is here. */
#include "core/strange.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#define OURS 0x1122334455667788u

enum how { GOOD, CHANGED, OTHER_SECRET, CUT, JUNK };
static const struct {
	uint64_t cluster;
	uint8_t node; /* of the sender; we are 2 */
	enum how how;
	enum beat_fault fault;
	unsigned other, same;
	const char *why;
} rows[] = {
	{ OURS, 1, GOOD, BEAT_GOOD, 0, 0, "the peer" },
	{ OURS + 1, 1, OTHER_SECRET, BEAT_CLUSTER, 1, 0, "another pair, another number" },
	{ OURS + 1, 2, OTHER_SECRET, BEAT_CLUSTER, 1, 0, "its second node" },
	{ OURS, 1, OTHER_SECRET, BEAT_KEY, 0, 1, "another pair of our number" },
	{ OURS, 2, OTHER_SECRET, BEAT_OWN, 0, 1, "its node that has our number" },
	{ OURS, 1, CHANGED, BEAT_SEAL, 0, 1, "forged with the number of our key" },
	{ OURS, 2, GOOD, BEAT_OWN, 0, 0, "our own frame: a loop in the network" },
	{ OURS, 1, CUT, BEAT_SHORT, 0, 0, "too short to say anything" },
	{ OURS, 1, JUNK, BEAT_MAGIC, 0, 0, "something else" },
};

static void
test_kinds(void **state)
{
	static const struct beat_self self = { .cluster = OURS, .node = 2 };
	const uint8_t ours[SEAL_SECRET] = { 1 }, theirs[SEAL_SECRET] = { 2 };
	struct seal mine, others;

	(void)state;
	seal_init(&mine, SEAL_BEAT);
	seal_set(&mine, 0, ours);
	seal_init(&others, SEAL_BEAT);
	seal_set(&others, 0, theirs);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct beat b = {
			.node = rows[i].node, .cluster = rows[i].cluster, .boot = 1, .seq = 1
		};
		struct strange s[STRANGES] = { 0 };
		uint8_t bytes[BEAT_LEN];
		struct carrier_in in = { .bytes = bytes, .len = BEAT_LEN, .at = 77 };
		enum beat_fault f;
		struct beat out;

		in.from.family = 4;
		in.from.b[0] = 10;
		beat_encode(&b, rows[i].how == OTHER_SECRET ? &others : &mine, bytes);
		if (rows[i].how == CHANGED)
			bytes[100] ^= 1;
		if (rows[i].how == JUNK)
			bytes[0] ^= 1;
		if (rows[i].how == CUT)
			in.len = 30;
		f = beat_decode(in.bytes, in.len, &self, &mine, &out);
		if (f != rows[i].fault)
			fail_msg("row %u (%s): decoded as %s", i, rows[i].why, beat_fault_word(f));
		strange_note(s, f, &mine, &in);
		if (s[STRANGE_OTHER].frames != rows[i].other ||
		    s[STRANGE_SAME].frames != rows[i].same)
			fail_msg("row %u: %s", i, rows[i].why);
		for (unsigned k = 0; k < STRANGES; k++)
			if (s[k].frames > 0)
				assert_true(s[k].cluster == rows[i].cluster && s[k].at == 77 &&
					    s[k].from.b[0] == 10);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
