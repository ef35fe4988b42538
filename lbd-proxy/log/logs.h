/* logs.h - access logs: from workers, each with a ring of its own, to one thread that writes. No worker ever waits for it: a
 * line that finds its ring full is dropped and counted. */
#ifndef LBD_PROXY_LOGS_H
#define LBD_PROXY_LOGS_H

#include "base/mono.h"
#include "line.h"
#include "request_id.h"
#include "ring.h"
#include "schema/log_format.h"

#include <stdatomic.h>
#include <string.h>

struct worker;
/* What is remembered of a request until its line is written; from the worker's spare ones, or malloc. */
enum {
	NOTE_METHOD,
	NOTE_TARGET,
	NOTE_VERSION,
	NOTE_HOST,
	NOTE_REFERER,
	NOTE_AGENT,
	NOTE_ID,
	NOTE_SERVER,
	NOTES
};
struct log_notes {
	struct log_notes *spare;
	uint16_t end[NOTES]; /* in text; each note begins where the one before ends */
	struct addr real;    /* family 0: no server */
	uint16_t real_port;
	uint32_t server_conns, server_queue;
	uint8_t rule_len, pool_len;
	char text[LINE_TARGET + 6 * LINE_TEXT];
	char rule[64], pool[64]; /* content rule that decided, and where it led */
};

/* A worker's side. */
struct log_seat {
	struct ring ring;
	struct line_clock clock;
	struct log_notes *spare;
	unsigned spares;
	uint32_t turn; /* of sampling */
	uint32_t ids;  /* that were made */
	uint64_t id_seed;
	int64_t wall_ms; /* of the wall clock at the monotonic time wall_at */
	mono_t wall_at;	 /* 0: not looked at yet */
	_Atomic uint64_t dropped;
} __attribute__((aligned(64)));

struct logs;
/* logs_new - folder: of access.log; borrowed until logs_free. No thread runs until logs_set says that lines may come.
 * logs_free waits a moment for what is left to be written. Control thread. */
struct logs *logs_new(unsigned workers, const char *folder);
void logs_free(struct logs *l); /* NULL is fine */
void logs_set(struct logs *l, const struct log_target *syslog, bool file, bool used);
void logs_reopen(struct logs *l); /* the file, at the next line */
/* So far: lines that were given to a target, and that were not; a line for two targets counts for each. Any thread. */
void logs_counts(const struct logs *l, uint64_t *written_out, uint64_t *dropped_out);

/* In the worker. logs_notes: NULL without memory. logs_note: the next note, in their order, cut to most bytes; a later one
 * may be written again. logs_sampled - whether this one of n is to be logged. */
struct log_notes *logs_notes(struct worker *w);
void logs_notes_free(struct worker *w, struct log_notes *n); /* NULL is fine */
void logs_free_spares(struct worker *w);
bool logs_sampled(struct worker *w, uint32_t n);
void logs_request_id(struct worker *w, char out[REQUEST_ID]);
int64_t logs_wall_ms(struct worker *w, mono_t at);
void logs_line(struct worker *w, const struct line_format *f, const struct line_record *r);

static inline void
logs_note(struct log_notes *n, unsigned which, const char *p, size_t len, size_t most)
{
	unsigned at = which == 0 ? 0 : n->end[which - 1];

	if (len > most)
		len = most;
	line_copy(n->text + at, p, len);
	n->end[which] = (uint16_t)(at + len);
}
/* logs_rule - a content rule decided; pool: where it led, NULL nowhere. */
void logs_rule(struct log_notes *n, const char *rule, const char *pool);
static inline struct line_text
logs_noted(const struct log_notes *n, unsigned which)
{
	unsigned at = which == 0 ? 0 : n->end[which - 1];

	return (struct line_text){ n->text + at, n->end[which] - at };
}

#endif
