/* core_witness.c - the questions to the witness: for a group that is active, again and again before its grant ends; for one
 * that suspects, until it is granted. What is not needed any more is given back, so that the other need not wait. */
#include "core/core_priv.h"

#include <sys/socket.h>
#include <unistd.h>

static void
wish(struct core *c, unsigned group, mono_t now)
{
	struct core_group *g = &c->g[group];
	struct witness_client *k = &g->witness;
	dur_t lease = c->want->group[group].lease;

	if (!g->out.ask) {
		if (k->ask == NOTE_TAKE)
			witness_client_ask(k, NOTE_GIVE, k->generation, 0, now);
		return;
	}
	if (k->ask == NOTE_TAKE && k->generation == g->out.wish && now - k->asked_at < lease / 3)
		return;
	/* An answer may be on its way; a new question would not hear it. */
	if (k->ask == NOTE_TAKE && k->generation == g->out.wish && k->state == WITNESS_ASKING &&
	    now - k->asked_at < lease)
		return;
	witness_client_ask(k, NOTE_TAKE, g->out.wish, (uint32_t)(lease / 1000), now);
}

void
core_witness_turn(struct core *c, mono_t now)
{
	uint8_t bytes[NOTE_LEN];
	struct note n;

	for (unsigned i = 0; c->witness_fd != -1 && i < SHARED_GROUPS; i++) {
		struct witness_client *k = &c->g[i].witness;

		wish(c, i, now);
		(void)witness_client_tick(k, now);
		if (now < k->next)
			continue;
		witness_client_make(k, now, &n);
		note_encode(&n, &c->witness_seal, bytes);
		(void)send(c->witness_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
}

void
core_witness_read(struct core *c, mono_t now)
{
	uint8_t bytes[NOTE_MAX];
	struct note note;
	ssize_t n;

	while (c->witness_fd != -1 &&
	       (n = recv(c->witness_fd, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0)
		if (note_decode(bytes, (size_t)n, NOTE_ANSWER, &c->witness_seal, &note) == 0 &&
		    note.group < SHARED_GROUPS)
			(void)witness_client_heard(&c->g[note.group].witness, &note, now);
}

mono_t
core_witness_deadline(const struct core *c)
{
	mono_t at = INT64_MAX;

	for (unsigned i = 0; c->witness_fd != -1 && i < SHARED_GROUPS; i++) {
		const struct witness_client *k = &c->g[i].witness;
		mono_t one = witness_client_deadline(k);

		if (c->g[i].out.ask && k->state != WITNESS_ASKING) {
			mono_t again = k->asked_at + c->want->group[i].lease / 3;

			one = again < one ? again : one;
		}
		at = one < at ? one : at;
	}
	return at;
}
