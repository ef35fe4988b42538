/* Messages by descriptor: the second expansion of messages.def and payloads.def, and the walkers
 * over it.
 *
 * A packet is a header (type, flags, sequence, length of the rest) and fields (tag, length, bytes).
 * Optional fields that are zero are not sent. The decoder takes bytes from anybody: it reads
 * through struct rd only, wants each number in exactly its width, each known tag at most once, each
 * required one, and texts that are UTF-8. What it does not know it skips, so that a newer sender is
 * understood.
 *
 * Who may send what is not decided here (bus.c). */
#include "msg/msg.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdio.h>
#include <string.h>

enum {
	MT_U8,
	MT_U16,
	MT_U32,
	MT_U64,
	MT_I32,
	MT_BOOL,
	MT_DUR_US,
	MT_TIME,
	MT_TIME_MS,
	MT_TEXT,
	MT_BLOB
};
static const uint8_t width[] = { 1, 2, 4, 8, 4, 1, 8, 8, 8, 0, 0 };

#define REQ true
#define OPT false
/* clang-format off */
#define PAYLOAD(payload) static const struct msg_field payload##_fields[] = {
#define FIELD(payload, t, member, ty, req, h) \
	{ .tag = t, .offset = offsetof(struct msg_##payload, member), .type = MT_##ty, .required = req, \
	  .name = #member, .help = h },
#define END_PAYLOAD(payload) };
/* clang-format on */
#include "msg/payloads.def"
#undef PAYLOAD
#undef FIELD
#undef END_PAYLOAD

enum {
	CTL = PROG_CTL,
	WEB = PROG_WEB,
	CHECK = PROG_CHECK,
	IPVS = PROG_IPVS,
	PROXY = PROG_PROXY,
	HA = PROG_HA,
	ANY = PROG_ANY
};
/* clang-format off */
#define MSG(num, nm, pl, snd, rcv, acc, h) \
	{ .number = num, .size = sizeof(struct msg_##pl), .n = ARRAY_LEN(pl##_fields), .from = snd, .to = rcv, \
	  .access = ACCESS_##acc, .name = #nm, .payload = #pl, .help = h, .f = pl##_fields },
/* clang-format on */
#define RETIRED(num)
const struct msg_row msg_rows[] = {
#include "msg/messages.def"
};
#undef MSG
#undef RETIRED
const unsigned msg_rows_n = ARRAY_LEN(msg_rows);

const struct msg_row *
msg_row(unsigned number)
{
	for (unsigned i = 0; i < msg_rows_n; i++)
		if (msg_rows[i].number == number)
			return &msg_rows[i];
	return NULL;
}

bool
msg_is_key(unsigned number)
{
	return number == MSG_KEY_PUT || number == MSG_KEY_BYTES || number == MSG_PEER_KEY;
}

unsigned
msg_program(const char *name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} programs[] = {
		{ "lbctl", PROG_CTL },
		{ "lbd-web", PROG_WEB },
		{ "lbd-check", PROG_CHECK },
		{ "lbd-ipvs", PROG_IPVS },
		{ "lbd-proxy", PROG_PROXY },
		{ "lbd-ha", PROG_HA },
	};

	for (unsigned i = 0; i < ARRAY_LEN(programs); i++)
		if (strcmp(programs[i].name, name) == 0)
			return programs[i].bit;
	return 0;
}

/* Bytes of the character at p, 0 when there is none (RFC 3629 section 4: no surrogates, nothing
 * overlong). */
static unsigned
utf8_length(const uint8_t *p, size_t left)
{
	static const struct {
		uint8_t lo, hi, second_lo, second_hi, n;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		unsigned n = forms[i].n;

		if (p[0] < forms[i].lo || p[0] > forms[i].hi)
			continue;
		if (n > left || (n > 1 && (p[1] < forms[i].second_lo || p[1] > forms[i].second_hi)))
			return 0;
		for (unsigned k = 2; k < n; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return n;
	}
	return 0;
}

static bool
is_text(const uint8_t *p, size_t len)
{
	unsigned n;

	for (size_t at = 0; at < len; at += n)
		if ((n = utf8_length(p + at, len - at)) == 0)
			return false;
	return true;
}

static void
put_text(const struct span *s, struct buf *out)
{
	size_t start = out->len;
	unsigned n;

	buf_put(out, s->p, s->len);
	for (size_t at = 0; at < s->len; at += n) {
		n = utf8_length(s->p + at, s->len - at);
		if (n == 0) {
			out->p[start + at] = '?';
			n = 1;
		}
	}
}

/* The bits of a number of the given width in a struct. */
static uint64_t
number_at(const void *m, unsigned bytes)
{
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	switch (bytes) {
	case 1: return *(const uint8_t *)m;
	case 2: return memcpy(&two, m, sizeof(two)), two;
	case 4: return memcpy(&four, m, sizeof(four)), four;
	default: return memcpy(&eight, m, sizeof(eight)), eight;
	}
}

static void
number_to(void *m, unsigned bytes, uint64_t v)
{
	uint16_t two = (uint16_t)v;
	uint32_t four = (uint32_t)v;

	switch (bytes) {
	case 1: *(uint8_t *)m = (uint8_t)v; break;
	case 2: (void)memcpy(m, &two, sizeof(two)); break;
	case 4: (void)memcpy(m, &four, sizeof(four)); break;
	default: (void)memcpy(m, &v, sizeof(v)); break;
	}
}

static bool
is_absent(const struct msg_field *f, const void *m)
{
	const struct span *s = m;

	return width[f->type] > 0 ? number_at(m, width[f->type]) == 0 : s->p == NULL;
}

static void
put_field(const struct msg_field *f, const void *m, struct buf *out)
{
	const struct span *s = m;
	unsigned bytes = width[f->type];

	if (!f->required && is_absent(f, m))
		return;
	buf_put_be(out, f->tag, 2);
	if (bytes > 0) {
		buf_put_be(out, bytes, 2);
		buf_put_be(out, number_at(m, bytes), bytes);
		return;
	}
	must(s->len <= MSG_MAX - MSG_HEADER - 4);
	buf_put_be(out, s->len, 2);
	if (f->type == MT_TEXT)
		put_text(s, out);
	else
		buf_put(out, s->p, s->len);
}

void
msg_encode(unsigned number, uint32_t seq, const void *payload, struct buf *out)
{
	const struct msg_row *row = msg_row(number);
	size_t start = out->len;

	must(row != NULL);
	buf_put_be(out, number, 2);
	buf_put_be(out, 0, 2);
	buf_put_be(out, seq, 4);
	buf_put_be(out, 0, 4);
	for (unsigned i = 0; i < row->n; i++)
		put_field(&row->f[i], (const char *)payload + row->f[i].offset, out);
	must(out->len - start <= MSG_MAX);
	buf_patch_be(out, start + 8, out->len - start - MSG_HEADER, 4);
}

static int
take_field(
    const struct msg_row *row, const struct msg_field *f, struct rd *r, void *m, struct err *err)
{
	unsigned bytes = width[f->type];
	struct span *s = m;

	if (bytes > 0) {
		if (r->left != bytes)
			return err_set(err, ERR_PROTO, "%s: %s: %zu bytes instead of %u", row->name,
			    f->name, r->left, bytes);
		number_to(m, bytes, f->type == MT_BOOL ? rd_be(r, bytes) != 0 : rd_be(r, bytes));
		return 0;
	}
	if (f->type == MT_TEXT && !is_text(r->p, r->left))
		return err_set(err, ERR_PROTO, "%s: %s: not UTF-8", row->name, f->name);
	*s = (struct span){ .p = r->p, .len = r->left };
	return 0;
}

static int
take_fields(const struct msg_row *row, struct rd *r, union msg_any *out, struct err *err)
{
	uint64_t seen = 0;
	int code;

	while (r->left > 0) {
		unsigned tag = (unsigned)rd_be(r, 2), i;
		size_t len = (size_t)rd_be(r, 2);
		struct rd sub = rd_sub(r, len);

		if (r->bad)
			return err_set(
			    err, ERR_PROTO, "%s: ends in the middle of a field", row->name);
		for (i = 0; i < row->n && row->f[i].tag != tag; i++)
			;
		if (i == row->n)
			continue;
		if ((seen & (uint64_t)1 << i) != 0)
			return err_set(
			    err, ERR_PROTO, "%s: %s: there twice", row->name, row->f[i].name);
		seen |= (uint64_t)1 << i;
		code = take_field(row, &row->f[i], &sub, (char *)out + row->f[i].offset, err);
		if (code != 0)
			return code;
	}
	for (unsigned i = 0; i < row->n; i++)
		if (row->f[i].required && (seen & (uint64_t)1 << i) == 0)
			return err_set(
			    err, ERR_PROTO, "%s: %s: missing", row->name, row->f[i].name);
	return 0;
}

static bool
take_header(struct rd *r, unsigned *number_out, uint32_t *seq_out)
{
	uint32_t body;

	*number_out = (unsigned)rd_be(r, 2);
	(void)rd_be(r, 2); /* flags: none so far, and unknown ones mean nothing */
	*seq_out = (uint32_t)rd_be(r, 4);
	body = (uint32_t)rd_be(r, 4);
	return !r->bad && body == r->left && r->left <= MSG_MAX - MSG_HEADER;
}

bool
msg_peek(const void *packet, size_t len, unsigned *number_out, uint32_t *seq_out)
{
	struct rd r = { .p = packet, .left = len };

	return take_header(&r, number_out, seq_out);
}

int
msg_decode(const void *packet, size_t len, const struct msg_row **row_out, uint32_t *seq_out,
    union msg_any *out, struct err *err)
{
	struct rd r = { .p = packet, .left = len };
	const struct msg_row *row;
	unsigned number;
	uint32_t seq;
	int code;

	if (!take_header(&r, &number, &seq))
		return err_set(err, ERR_PROTO, "%zu bytes that are no message", len);
	row = msg_row(number);
	if (row == NULL)
		return err_set(err, ERR_PROTO, "message %u is not known", number);
	memset(out, 0, sizeof(*out));
	code = take_fields(row, &r, out, err);
	if (code == 0) {
		*row_out = row;
		*seq_out = seq;
	}
	return code;
}

static void
format_bytes(const struct msg_field *f, const struct span *s, struct buf *out)
{
	size_t n = s->len < 64 ? s->len : 64;

	if (f->type == MT_BLOB) {
		buf_printf(out, "%zu bytes", s->len);
		return;
	}
	buf_puts(out, "\"");
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < ' ' || s->p[i] == '"' || s->p[i] == '\\' || s->p[i] == 0x7f)
			buf_printf(out, "\\x%02x", s->p[i]);
		else
			buf_put(out, s->p + i, 1);
	}
	buf_puts(out, n < s->len ? "...\"" : "\"");
}

void
msg_format(const struct msg_row *row, const void *payload, struct buf *out)
{
	buf_puts(out, row->name);
	for (unsigned i = 0; i < row->n; i++) {
		const struct msg_field *f = &row->f[i];
		const void *m = (const char *)payload + f->offset;
		unsigned bytes = width[f->type];

		if (!f->required && is_absent(f, m))
			continue;
		buf_printf(out, " %s=", f->name);
		if (bytes == 0)
			format_bytes(f, m, out);
		else if (f->type == MT_I32)
			buf_printf(out, "%d", (int)(int32_t)number_at(m, bytes));
		else
			buf_printf(out, "%lld", (long long)number_at(m, bytes));
	}
}

char *
span_dup(struct span s)
{
	char *out = mem_alloc(s.len + 1);

	if (s.len > 0)
		memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return out;
}

void
span_text(struct span s, char *out, size_t room)
{
	size_t n = s.len < room ? s.len : room - 1;

	must(room > 0);
	/* Not in the middle of a character. */
	while (n > 0 && n < s.len && (s.p[n] & 0xc0) == 0x80)
		n--;
	if (n > 0)
		memcpy(out, s.p, n);
	out[n] = '\0';
}
