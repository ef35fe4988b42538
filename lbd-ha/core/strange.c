/* strange.c - sorts heartbeats that do not count by what an administrator should know of them: a second pair on the same
 * port or group. Its number tells the two apart; with the same number only the seal does, and then somebody must look.
 * Source: beat.h for the places of the fields. */
#include "core/strange.h"

#define KEY_AT 7
#define CLUSTER_AT 12

static bool
is_sealed(const struct seal *seal, const struct carrier_in *in)
{
	uint8_t key = in->bytes[KEY_AT];

	return seal_known(seal, key) &&
	       seal_check(seal, key, in->bytes, in->len - SEAL_TAG, in->bytes + in->len - SEAL_TAG);
}

void
strange_note(struct strange s[STRANGES], enum beat_fault f, const struct seal *seal,
    const struct carrier_in *in)
{
	struct strange *one;

	if (in->len < BEAT_LEN)
		return;
	if (f == BEAT_CLUSTER)
		one = &s[STRANGE_OTHER];
	else if (f == BEAT_KEY || f == BEAT_SEAL || (f == BEAT_OWN && !is_sealed(seal, in)))
		one = &s[STRANGE_SAME];
	else
		return;
	one->frames++;
	one->at = in->at;
	one->from = in->from;
	one->cluster = 0;
	for (unsigned i = 0; i < 8; i++)
		one->cluster = one->cluster << 8 | in->bytes[CLUSTER_AT + i];
}
