/* Every row of messages.def, made from the rows: round trip, every truncation, every unknown
 * tag, doubled tags, wrong widths, missing fields. A new message needs no new case here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "msg/msg.h"

#include <stdlib.h>
#include <string.h>

/* How a field is written, found out from the encoding itself: its length in a packet with all
 * fields. */
struct place {
	size_t at, len; /* of the whole field, tag and length included */
	unsigned tag;
};

static uint64_t next_random = 88172645463325252u;

static uint64_t
random_bits(void)
{
	next_random ^= next_random << 13;
	next_random ^= next_random >> 7;
	next_random ^= next_random << 17;
	return next_random;
}

/* A packet of the row with every field present and no number zero. The struct's bytes are not
 * the test's business: fields are put in by tag, with the width that an encoded zero of it has. */
static void
zero_packet(const struct msg_row *row, struct buf *out)
{
	union msg_any m;

	memset(&m, 0, sizeof(m));
	msg_encode(row->number, 7, &m, out);
}

enum { T_U8, T_U16, T_U32, T_U64, T_I32, T_BOOL, T_DUR_US, T_TIME, T_TIME_MS, T_TEXT, T_BLOB };
static const uint8_t widths[] = { 1, 2, 4, 8, 4, 1, 8, 8, 8, 0, 0 };

static void
put_value(const struct msg_field *f, struct buf *out)
{
	static const char *const texts[] = { "", "web/rip1",
		"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" };
	const char *text = texts[random_bits() % ARRAY_LEN(texts)];
	unsigned bytes = widths[f->type];

	buf_put_be(out, f->tag, 2);
	if (bytes == 0) {
		buf_put_be(out, strlen(text), 2);
		buf_puts(out, text);
		return;
	}
	buf_put_be(out, bytes, 2);
	buf_put_be(out, f->type == T_BOOL ? 1 : (random_bits() | 1), bytes);
}

static void
begin(const struct msg_row *row, struct buf *out)
{
	out->len = 0;
	buf_put_be(out, row->number, 2);
	buf_put_be(out, 0, 2);
	buf_put_be(out, 7, 4);
	buf_put_be(out, 0, 4);
}

static void
finish(struct buf *out)
{
	buf_patch_be(out, 8, out->len - MSG_HEADER, 4);
}

static unsigned
full_packet(const struct msg_row *row, struct buf *out, struct place *places)
{
	begin(row, out);
	for (unsigned i = 0; i < row->n; i++) {
		places[i].at = out->len;
		places[i].tag = row->f[i].tag;
		put_value(&row->f[i], out);
		places[i].len = out->len - places[i].at;
	}
	finish(out);
	return row->n;
}

static int
decode(const struct buf *b, union msg_any *m, struct err *err)
{
	const struct msg_row *row = NULL;
	uint32_t seq = 0;
	/* At the end of its own memory, so that a read too far is seen. */
	uint8_t *copy = malloc(b->len > 0 ? b->len : 1);
	int code;

	if (b->len > 0)
		memcpy(copy, b->p, b->len);
	code = msg_decode(copy, b->len, &row, &seq, m, err);
	if (code == 0) {
		assert_non_null(row);
		assert_int_equal(seq, 7);
	} else {
		assert_int_equal(code, ERR_PROTO);
		assert_true(err->text[0] != '\0');
	}
	free(copy);
	return code;
}

static void
test_rows_are_sound(void **state)
{
	(void)state;
	for (unsigned i = 0; i < msg_rows_n; i++) {
		const struct msg_row *row = &msg_rows[i];

		assert_ptr_equal(msg_row(row->number), row);
		assert_true(row->from != 0 && row->to != 0 && row->n > 0 && row->n <= 64);
		assert_true(row->size <= sizeof(union msg_any));
		assert_int_equal(row->help[strlen(row->help) - 1], '.');
		if (i > 0)
			assert_true(row->number > msg_rows[i - 1].number);
		for (unsigned k = 0; k < row->n; k++) {
			assert_int_equal(row->f[k].help[strlen(row->f[k].help) - 1], '.');
			if (k > 0)
				assert_true(row->f[k].tag > row->f[k - 1].tag);
		}
	}
	assert_null(msg_row(MSG_NONE));
	assert_null(msg_row(65535));
}

static void
test_round_trip(void **state)
{
	struct place places[64];
	struct buf in = { 0 }, out = { 0 };
	union msg_any m;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < msg_rows_n * 20; i++) {
		const struct msg_row *row = &msg_rows[i % msg_rows_n], *got;
		uint32_t seq;

		(void)full_packet(row, &in, places);
		assert_int_equal(msg_decode(in.p, in.len, &got, &seq, &m, &err), 0);
		assert_ptr_equal(got, row);
		out.len = 0;
		msg_encode(row->number, seq, &m, &out);
		assert_int_equal(in.len, out.len);
		assert_memory_equal(in.p, out.p, in.len);
		/* Zero: only what is required travels, and comes back as zero. */
		out.len = 0;
		zero_packet(row, &out);
		assert_int_equal(decode(&out, &m, &err), 0);
	}
	buf_fini(&in);
	buf_fini(&out);
}

static void
test_every_truncation_is_refused(void **state)
{
	struct place places[64];
	struct buf b = { 0 }, cut = { 0 };
	union msg_any m;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < msg_rows_n; i++) {
		unsigned n = full_packet(&msg_rows[i], &b, places);

		for (size_t len = 0; len < b.len; len++) {
			bool whole = false, required = false;

			cut.len = 0;
			buf_put(&cut, b.p, len);
			assert_int_equal(
			    decode(&cut, &m, &err), ERR_PROTO); /* the header says more */
			if (len < MSG_HEADER)
				continue;
			/* With a header that fits, only a cut between fields can be right. */
			finish(&cut);
			for (unsigned k = 0; k <= n; k++)
				whole |= len == (k < n ? places[k].at : b.len);
			for (unsigned k = 0; k < n; k++)
				required |= msg_rows[i].f[k].required && places[k].at >= len;
			assert_int_equal(
			    decode(&cut, &m, &err), whole && !required ? 0 : ERR_PROTO);
		}
	}
	buf_fini(&b);
	buf_fini(&cut);
}

static void
test_every_unknown_tag_is_skipped(void **state)
{
	struct place places[64];
	struct buf b = { 0 }, more = { 0 };
	union msg_any m;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < msg_rows_n; i++) {
		const struct msg_row *row = &msg_rows[i];
		unsigned n = full_packet(row, &b, places), last = places[n - 1].tag;

		for (unsigned tag = 0; tag <= 65535; tag += tag < last + 3 ? 1 : 9973) {
			bool known = false;

			for (unsigned k = 0; k < n; k++)
				known |= places[k].tag == tag;
			if (known)
				continue;
			for (unsigned k = 0; k <= n; k++) { /* between any two fields */
				size_t at = k < n ? places[k].at : b.len;

				more.len = 0;
				buf_put(&more, b.p, at);
				buf_put_be(&more, tag, 2);
				buf_put_be(&more, 5, 2);
				buf_puts(&more, "later");
				buf_put(&more, b.p + at, b.len - at);
				finish(&more);
				assert_int_equal(decode(&more, &m, &err), 0);
			}
		}
	}
	buf_fini(&b);
	buf_fini(&more);
}

static void
test_doubled_missing_and_wrong_fields_are_named(void **state)
{
	struct place places[64];
	struct buf b = { 0 }, bad = { 0 };
	union msg_any m;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < msg_rows_n; i++) {
		const struct msg_row *row = &msg_rows[i];
		unsigned n = full_packet(row, &b, places);

		for (unsigned k = 0; k < n; k++) {
			size_t end = places[k].at + places[k].len;

			/* twice */
			bad.len = 0;
			buf_put(&bad, b.p, b.len);
			buf_put(&bad, b.p + places[k].at, places[k].len);
			finish(&bad);
			assert_int_equal(decode(&bad, &m, &err), ERR_PROTO);
			assert_non_null(strstr(err.text, row->f[k].name));
			/* missing */
			bad.len = 0;
			buf_put(&bad, b.p, places[k].at);
			buf_put(&bad, b.p + end, b.len - end);
			finish(&bad);
			assert_int_equal(
			    decode(&bad, &m, &err), row->f[k].required ? ERR_PROTO : 0);
			if (row->f[k].required)
				assert_non_null(strstr(err.text, row->f[k].name));
			/* wider and narrower */
			for (unsigned width = 0; widths[row->f[k].type] > 0 && width < 12;
			     width++) {
				bad.len = 0;
				buf_put(&bad, b.p, places[k].at);
				buf_put_be(&bad, places[k].tag, 2);
				buf_put_be(&bad, width, 2);
				buf_put(&bad, "\0\0\0\0\0\0\0\0\0\0\0\1", width);
				buf_put(&bad, b.p + end, b.len - end);
				finish(&bad);
				assert_int_equal(decode(&bad, &m, &err),
				    width == widths[row->f[k].type] ? 0 : ERR_PROTO);
			}
		}
	}
	buf_fini(&b);
	buf_fini(&bad);
}

static void
test_texts_are_utf8(void **state)
{
	static const struct {
		const char *text, *sent;
	} rows[] = {
		{ "plain", "plain" },
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xff", "?" },
		{ "a\xc3", "a?" },
		{ "\xc0\x80", "??" },		/* overlong */
		{ "\xed\xa0\x80", "???" },	/* surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* beyond */
		{ "\xe2\x82x", "??x" },
	};
	struct buf b = { 0 };
	union msg_any m;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct msg_result r = { .text = SPAN(rows[i].text) };
		const struct msg_row *row;
		uint32_t seq;
		size_t at;

		b.len = 0;
		msg_encode(MSG_RESULT, 7, &r, &b);
		assert_int_equal(msg_decode(b.p, b.len, &row, &seq, &m, &err), 0);
		assert_int_equal(m.result.text.len, strlen(rows[i].sent));
		assert_memory_equal(m.result.text.p, rows[i].sent, m.result.text.len);
		/* The decoder does not trust the encoder. */
		at = (size_t)(m.result.text.p - b.p);
		memcpy(b.p + at, rows[i].text, strlen(rows[i].text));
		assert_int_equal(msg_decode(b.p, b.len, &row, &seq, &m, &err),
		    strcmp(rows[i].text, rows[i].sent) == 0 ? 0 : ERR_PROTO);
	}
	b.len = 0;
	msg_encode(
	    MSG_RESULT, 7, &(struct msg_result){ .text = { (const uint8_t *)"a\0b", 3 } }, &b);
	assert_int_equal(b.p[b.len - 2], '?');
	buf_fini(&b);
}

static void
test_unknown_types_and_rubbish(void **state)
{
	const uint8_t newer[] = { 0xff, 0xfe, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2, 1, 2 };
	const struct msg_row *row;
	union msg_any m;
	struct err err;
	unsigned number;
	uint32_t seq;

	(void)state;
	assert_true(msg_peek(newer, sizeof(newer), &number, &seq));
	assert_int_equal(number, 0xfffe);
	assert_int_equal(seq, 9);
	assert_int_equal(msg_decode(newer, sizeof(newer), &row, &seq, &m, &err), ERR_PROTO);
	assert_string_equal(err.text, "message 65534 is not known");
	for (size_t len = 0; len < sizeof(newer); len++)
		assert_false(msg_peek(newer, len, &number, &seq));
	assert_int_equal(msg_decode("rubbish", 7, &row, &seq, &m, &err), ERR_PROTO);
	assert_string_equal(err.text, "7 bytes that are no message");
}

static void
test_format_and_span(void **state)
{
	struct msg_health h = {
		.server = 5, .verdict = 2, .reason = 8, .text = SPAN("http \"500\"\n")
	};
	struct msg_result r = { .code = -5 };
	struct buf b = { 0 };
	char cut[6];

	(void)state;
	msg_format(msg_row(MSG_HEALTH), &h, &b);
	assert_string_equal(
	    buf_text(&b), "HEALTH server=5 verdict=2 reason=8 text=\"http \\x22500\\x22\\x0a\"");
	b.len = 0;
	msg_format(msg_row(MSG_RESULT), &r, &b);
	assert_string_equal(buf_text(&b), "RESULT code=-5");
	buf_fini(&b);
	span_text(SPAN("abcdefgh"), cut, sizeof(cut));
	assert_string_equal(cut, "abcde");
	span_text(SPAN("abcd\xc3\xa4"), cut, sizeof(cut)); /* not half a character */
	assert_string_equal(cut, "abcd");
	span_text((struct span){ 0 }, cut, sizeof(cut));
	assert_string_equal(cut, "");
}

static void
test_programs_and_reasons(void **state)
{
	static const char *const names[] = { "lbctl", "lbd-web", "lbd-check", "lbd-ipvs",
		"lbd-proxy", "lbd-ha" };
	unsigned all = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		unsigned bit = msg_program(names[i]);

		assert_true(bit != 0 && (all & bit) == 0);
		all |= bit;
	}
	assert_int_equal(all, PROG_ANY);
	assert_int_equal(msg_program("lbd"), 0);
	assert_int_equal(msg_program(""), 0);
	assert_string_equal(reason_text[REASON_refused], "connection refused");
	assert_non_null(reason_text[REASONS - 1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_sound),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_every_unknown_tag_is_skipped),
		cmocka_unit_test(test_doubled_missing_and_wrong_fields_are_named),
		cmocka_unit_test(test_texts_are_utf8),
		cmocka_unit_test(test_unknown_types_and_rubbish),
		cmocka_unit_test(test_format_and_span),
		cmocka_unit_test(test_programs_and_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
