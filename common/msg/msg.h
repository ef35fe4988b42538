/* msg.h - typed, tagged messages made from the rows: structs, encode, decode, names. Pure.
 *
 * Wire, big-endian: type u16, flags u16, sequence u32, length u32, then fields: tag u16, length
 * u16, bytes. Unknown tags are skipped, a missing optional field is zero, a missing required one
 * is ERR_PROTO: so two versions of the suite run side by side. A request carries a sequence of
 * the sender's choice; every message of its answer repeats it. Changes that were subscribed to
 * carry sequence 0. */
#ifndef MSG_MSG_H
#define MSG_MSG_H

#include "base/buf.h"
#include "base/err.h"

#include <errno.h>

/* Code of RESULT: another process of the same daemon answers now; nothing was done, ask again over a new connection. */
#define MSG_MOVED (-ESTALE)

#define MSG_VERSION 1
#define MSG_MAX 65536
#define MSG_HEADER 12

struct span {
	const uint8_t *p; /* borrowed from the packet; NULL when absent */
	size_t len;
};
#define SPAN(text) ((struct span){ (const uint8_t *)(text), strlen(text) })

#define M_U8 uint8_t
#define M_U16 uint16_t
#define M_U32 uint32_t
#define M_U64 uint64_t
#define M_I32 int32_t
#define M_BOOL bool
#define M_DUR_US uint64_t
#define M_TIME int64_t	   /* seconds since 1970 */
#define M_TIME_MS int64_t  /* milliseconds since 1970 */
#define M_TEXT struct span /* UTF-8, no NUL */
#define M_BLOB struct span
#define PAYLOAD(payload) struct msg_##payload {
#define FIELD(payload, tag, name, type, required, help) \
	M_##type name;                                  \
	char tag_##tag[0];
#define END_PAYLOAD(payload) \
	}                    \
	;
#include "msg/payloads.def"
#undef PAYLOAD
#undef FIELD
#undef END_PAYLOAD

/* Room for any decoded payload. */
union msg_any {
#define PAYLOAD(payload) struct msg_##payload payload;
#define FIELD(payload, tag, name, type, required, help)
#define END_PAYLOAD(payload)
#include "msg/payloads.def"
#undef PAYLOAD
#undef FIELD
#undef END_PAYLOAD
};

#define MSG(number, name, payload, from, to, access, help) char number_##number[0];
#define RETIRED(number) char number_##number[0];
struct msg_numbers { /* a repeated number does not compile */
#include "msg/messages.def"
};
#undef MSG
#undef RETIRED
#define MSG(number, name, payload, from, to, access, help) MSG_##name = number,
#define RETIRED(number)
enum msg_type {
#include "msg/messages.def"
	MSG_NONE = 0
};
#undef MSG
#undef RETIRED

enum {
	PROG_CTL = 1,
	PROG_WEB = 2,
	PROG_CHECK = 4,
	PROG_IPVS = 8,
	PROG_PROXY = 16,
	PROG_HA = 32,
	PROG_ANY = 63
};
enum msg_access { ACCESS_PUBLIC, ACCESS_OPERATOR, ACCESS_INTERNAL };
enum { TOPIC_HEALTH = 1, TOPIC_HA = 2, TOPIC_L4 = 4 };

struct msg_field {
	uint16_t tag, offset;
	uint8_t type;
	bool required;
	const char *name, *help;
};
struct msg_row {
	uint16_t number, size, n;
	uint8_t from, to, access;
	const char *name, *payload, *help;
	const struct msg_field *f;
};
extern const struct msg_row msg_rows[];
extern const unsigned msg_rows_n;

const struct msg_row *msg_row(unsigned number); /* NULL: unknown */
unsigned msg_program(const char *name);		/* PROG_ bit of "lbd-check" or "lbctl"; 0 */
/* msg_encode - append one packet. Must fit MSG_MAX (callers bound what they send). Bytes of a
 * TEXT that are not UTF-8 are sent as '?': texts may quote what a server answered. */
void msg_encode(unsigned number, uint32_t seq, const void *payload, struct buf *out);
/* msg_decode - out needs sizeof(union msg_any); texts point into the packet. 0 or ERR_PROTO: err
 * says what. */
int msg_decode(const void *packet, size_t len, const struct msg_row **row_out, uint32_t *seq_out,
    union msg_any *out, struct err *err);
/* msg_peek - type and sequence of a packet whose frame is right, whatever its type; false: it is
 * not. */
bool msg_peek(const void *packet, size_t len, unsigned *number_out, uint32_t *seq_out);
/* msg_is_key - whether it carries a private key or its password: what held it is wiped. */
bool msg_is_key(unsigned number);
/* msg_format - for traces: NAME field=value ... */
void msg_format(const struct msg_row *row, const void *payload, struct buf *out);
void span_text(struct span s, char *out, size_t room); /* copied, cut, ends with NUL */
char *span_dup(struct span s);			       /* all of it, ends with NUL; free() it */

extern const char *const reason_text[];
#define REASON(number, name, text) REASON_##name = number,
enum reason {
#include "msg/reasons.def"
	REASONS
};
#undef REASON

extern const char *const finding_text[], *const finding_name[];
#define FINDING(number, name, text) FINDING_##name = number,
enum finding {
#include "msg/findings.def"
	FINDINGS
};
#undef FINDING
/* How far a finding goes: status of FINDING. */
enum found { FOUND_RIGHT, FOUND_DOUBTFUL, FOUND_WRONG, FOUND_UNKNOWN, FOUND_END };
extern const char *const found_word[FOUND_END];

#endif
