/* Questions and answers of the witness from anybody, as they are and with a right seal: what is taken reads back the same,
 * the table answers each question with a word of an answer, and the client takes none that it did not ask for. */
#include "lbd-ha/core/witness_client.h"
#include "lbd-ha/witness/witness.h"

#include "base/must.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct witness table;

static void
use(const struct note *n)
{
	struct witness_client c;
	struct note answer, q;
	mono_t now = DUR_S(100);

	if (n->kind == NOTE_ASK) {
		(void)witness_answer(&table, n, now, &answer);
		must(answer.word >= NOTE_GRANTED && answer.word <= NOTE_FULL);
		must(answer.kind == NOTE_ANSWER && answer.seq == n->seq);
		must(answer.word != NOTE_GRANTED || answer.lease_ms <= WITNESS_LEASE / 1000);
		return;
	}
	witness_client_init(&c, n->cluster, n->node, n->boot, n->group, DUR_MS(50), DUR_S(1));
	must(!witness_client_heard(&c, n, now) && c.strays == 1);
	witness_client_ask(&c, NOTE_TAKE, n->generation, 1000, now);
	c.seq = n->seq - 1;
	witness_client_make(&c, now, &q);
	(void)witness_client_heard(&c, n, now + 1);
	must(c.until == 0 || n->word == NOTE_GRANTED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[SEAL_SECRET] = { 1 };
	static struct seal seal;
	uint8_t bytes[NOTE_MAX + 64], again[NOTE_LEN];
	struct note n;

	if (!seal.key[0].set) {
		seal_init(&seal, SEAL_WITNESS);
		seal_set(&seal, 0, secret);
	}
	witness_init(&table, 0x6f6f6f6f6f6f6f6f, DUR_S(1));
	(void)note_decode(data, size, NOTE_ASK, &seal, &n);
	if (size < SEAL_TAG || size > sizeof(bytes))
		return 0;
	memcpy(bytes, data, size);
	if (size > 6)
		bytes[6] = seal_id(&seal);
	seal_put(&seal, bytes, size - SEAL_TAG, bytes + size - SEAL_TAG);
	for (int kind = NOTE_ASK; kind <= NOTE_ANSWER; kind++) {
		if (note_decode(bytes, size, (enum note_kind)kind, &seal, &n) != 0)
			continue;
		note_encode(&n, &seal, again);
		must(memcmp(again + 7, bytes + 7, NOTE_BODY - 8) == 0);
		use(&n);
	}
	return 0;
}
