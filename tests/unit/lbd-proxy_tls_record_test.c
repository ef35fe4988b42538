/* Records of TLS 1.3: the bytes of RFC 8448, bad ones, changes of keys, and OpenSSL as the other side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/record_rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct record_gear *gear;

static int
set_up(void **state)
{
	(void)state;
	gear = record_gear_new();
	return gear == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	record_gear_free(gear);
	return 0;
}

static size_t
hex(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;

	assert_int_equal(strlen(text) % 2, 0);
	for (; *text != 0; text += 2, n++) {
		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		out[n] = (uint8_t)byte;
	}
	return n;
}

static void
assert_hex(const uint8_t *p, size_t n, const char *text)
{
	uint8_t want[1024];

	assert_int_equal(hex(text, want), n);
	assert_memory_equal(p, want, n);
}

/* RFC 8448 section 3, the server's side of the connection, behind its handshake. */
#define CLIENT_SECRET "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_SECRET "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"
#define CLIENT_DATA                                                        \
	"1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f" \
	"2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae6" \
	"3aeebb21694915e4"
#define SERVER_DATA                                                        \
	"17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36" \
	"e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf33254" \
	"0dd032e167c2955d"
#define CLIENT_END "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"
#define SERVER_END "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"

static void
begin(struct record_conn *r, unsigned suite)
{
	memset(r, 0, sizeof(*r));
	(void)hex(CLIENT_SECRET, r->in.secret);
	(void)hex(SERVER_SECRET, r->out.secret);
	assert_int_equal(record_begin(r, gear, record_suite(suite)), 0);
}

/* The client of the same connection: what one writes the other reads. */
static void
begin_client(struct record_conn *r, unsigned suite)
{
	memset(r, 0, sizeof(*r));
	(void)hex(SERVER_SECRET, r->in.secret);
	(void)hex(CLIENT_SECRET, r->out.secret);
	assert_int_equal(record_begin(r, gear, record_suite(suite)), 0);
}

static void
test_rfc8448(void **state)
{
	struct record_conn r;
	struct record got;
	uint8_t b[1024], content[50];
	size_t n, i;

	(void)state;
	for (i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)i;
	begin(&r, AES128);
	assert_hex(r.out.key, 16, "9f02283b6c9c07efc26bb9f2ac92e356");
	assert_hex(r.out.iv, 12, "cf782b88dd83549aadf1e984");
	assert_hex(r.in.key, 16, "17422dda596ed5d9acd890e3c63f5051");
	assert_hex(r.in.iv, 12, "5b78923dee08579033e523d9");
	r.out.seq = 1; /* the ticket */

	n = hex(CLIENT_DATA, b);
	assert_int_equal(record_open(&r, gear, b, n, &got), RECORD_DATA);
	assert_int_equal(got.used, n);
	assert_int_equal(got.len, sizeof(content));
	assert_memory_equal(got.content, content, sizeof(content));
	n = (size_t)record_write(&r, gear, content, sizeof(content), b);
	assert_hex(b, n, SERVER_DATA);

	n = hex(CLIENT_END, b);
	assert_int_equal(record_open(&r, gear, b, n, &got), RECORD_CLOSED);
	assert_int_equal(got.used, n);
	n = (size_t)record_say(&r, gear, ALERT_CLOSE_NOTIFY, b);
	assert_int_equal(n, RECORD_ALERT);
	assert_hex(b, n, SERVER_END);

	record_end(&r, gear);
	for (i = 0; i < sizeof(r); i++)
		assert_int_equal(((const uint8_t *)&r)[i], 0);
}

/* What comes of records of these inner plaintexts (content, type, padding), which are separated by spaces. */
static const struct inner {
	const char *records;
	enum record_got got; /* of the last one; those before bring nothing */
	uint8_t alert;
	const char *why;
} inners[] = {
	{ "6117", RECORD_DATA, 0, "content" },
	{ "611700000000", RECORD_DATA, 0, "with padding" },
	{ "00000017", RECORD_DATA, 0, "zeros before the type are content" },
	{ "17", RECORD_NOTHING, 0, "none" },
	{ "170000", RECORD_NOTHING, 0, "none but padding" },
	{ "", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "not even a type" },
	{ "000000", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "padding alone" },
	{ "6114", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "ChangeCipherSpec within a record" },
	{ "6118", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "a heartbeat" },
	{ "61ff", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "no type there is" },
	{ "010015", RECORD_CLOSED, 0, "close_notify" },
	{ "020015", RECORD_CLOSED, 0, "the level is of no matter" },
	{ "01001500", RECORD_CLOSED, 0, "with padding" },
	{ "015a15", RECORD_NOTHING, ALERT_USER_CANCELED, "user_canceled, close_notify comes next" },
	{ "022815", RECORD_FATAL, 40, "handshake_failure" },
	{ "016e15", RECORD_FATAL, 110, "all else is fatal, whatever the level" },
	{ "15", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "an empty alert" },
	{ "0115", RECORD_BAD, ALERT_DECODE_ERROR, "a half one" },
	{ "0100010015", RECORD_BAD, ALERT_DECODE_ERROR, "two of them" },
	{ "180000010016", RECORD_NOTHING, 0, "KeyUpdate" },
	{ "180000010116", RECORD_NOTHING, 0, "that is to be answered" },
	{ "180000010216", RECORD_BAD, ALERT_ILLEGAL_PARAMETER, "a value that there is not" },
	{ "18000001ff16", RECORD_BAD, ALERT_ILLEGAL_PARAMETER, "nor this" },
	{ "18000001000016", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "more behind the change" },
	{ "1800000100180000010016", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "two in one record" },
	{ "18000002000016", RECORD_BAD, ALERT_DECODE_ERROR, "too long" },
	{ "1800000016", RECORD_BAD, ALERT_DECODE_ERROR, "too short" },
	{ "180100010016", RECORD_BAD, ALERT_DECODE_ERROR, "much too long" },
	{ "16", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "an empty handshake record" },
	{ "0100000016", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "ClientHello: renegotiation" },
	{ "0b00000016", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "a certificate nobody asked for" },
	{ "1400002016", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "Finished again" },
	{ "0400000016", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "a ticket from a client" },
	{ "18000016 010016", RECORD_NOTHING, 0, "KeyUpdate in two records" },
	{ "1816 0016 0016 0116 0116", RECORD_NOTHING, 0, "in five" },
	{ "18000016 01000016", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "in two, and more behind it" },
	{ "180016 16", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "an empty piece" },
	{ "180016 6117", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "content between its pieces" },
	{ "180016 17", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "or none" },
	{ "180016 010015", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "or an alert" },
	{ "180000010016 6117", RECORD_BAD, ALERT_BAD_RECORD_MAC, "the old keys after KeyUpdate" },
};

static size_t
one_inner(const char **at, uint8_t *out)
{
	char text[64];
	size_t n = strcspn(*at, " ");

	(void)snprintf(text, sizeof(text), "%.*s", (int)n, *at);
	*at += n + ((*at)[n] == ' ');
	return hex(text, out);
}

static void
test_inner(void **state)
{
	static const unsigned suite[] = { AES128, AES256, CHACHA };

	(void)state;
	for (size_t i = 0; i < sizeof(inners) / sizeof(inners[0]) * 3; i++) {
		const struct inner *x = &inners[i / 3];
		const char *at = x->records;
		struct record_conn client, server;
		enum record_got kind;
		uint8_t in[64], b[128];
		struct record got;
		size_t n;

		begin_client(&client, suite[i % 3]);
		begin(&server, suite[i % 3]);
		do {
			n = protect(&client, suite[i % 3], in, one_inner(&at, in), b);
			kind = record_open(&server, gear, b, n, &got);
			if (*at != 0 && kind != RECORD_NOTHING)
				fail_msg("%s: %s: ended early", x->records, x->why);
		} while (*at != 0);
		if (kind != x->got || got.alert != x->alert)
			fail_msg("%s: %s: %d, alert %u", x->records, x->why, kind, got.alert);
		if (kind != RECORD_BAD)
			assert_int_equal(got.used, n);
		record_end(&server, gear);
		record_end(&client, gear);
	}
}

/* Bytes as they come from the socket. */
static const struct wire {
	const char *bytes;
	enum record_got got;
	uint8_t alert;
	const char *why;
} wires[] = {
	{ "", RECORD_PART, 0, "nothing" },
	{ "17030300", RECORD_PART, 0, "a part of the head" },
	{ "1703030043", RECORD_PART, 0, "the head" },
	{ "1703034100", RECORD_PART, 0, "the longest record there is" },
	{ "1703034101", RECORD_BAD, ALERT_RECORD_OVERFLOW, "one byte more" },
	{ "170303ffff", RECORD_BAD, ALERT_RECORD_OVERFLOW, "as long as can be said" },
	{ "170303000f", RECORD_BAD, ALERT_BAD_RECORD_MAC, "no room for a tag" },
	{ "1703030000", RECORD_BAD, ALERT_BAD_RECORD_MAC, "nothing at all" },
	{ "170303001000000000000000000000000000000000", RECORD_BAD, ALERT_BAD_RECORD_MAC,
	    "a false tag" },
	{ "140303000101", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE,
	    "ChangeCipherSpec after the handshake" },
	{ "15030300020100", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "an alert in the clear" },
	{ "1603010005", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "a handshake in the clear" },
	{ "474554202f", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "HTTP in the clear" },
	{ "1603ffffff", RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, "the type is looked at first" },
};

static void
test_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
		struct record_conn r;
		struct record got;
		uint8_t b[64];
		enum record_got kind;
		size_t n = hex(wires[i].bytes, b);

		begin(&r, AES128);
		kind = record_open(&r, gear, b, n, &got);
		if (kind != wires[i].got || got.alert != wires[i].alert)
			fail_msg("%s: %d, alert %u", wires[i].why, kind, got.alert);
		record_end(&r, gear);
	}
}

/* No bit of a record can be changed, no record left out, twice or elsewhere; a part of it changes nothing. */
static void
test_integrity(void **state)
{
	struct record_conn r;
	struct record got;
	uint8_t first[1024], b[1024];
	size_t n = hex(CLIENT_DATA, first);

	(void)state;
	for (size_t bit = 0; bit < n * 8; bit++) {
		begin(&r, AES128);
		memcpy(b, first, n);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		switch (record_open(&r, gear, b, n, &got)) {
		case RECORD_BAD: break;
		case RECORD_PART: assert_in_range(bit, 3 * 8, 5 * 8 - 1); break; /* the length */
		default: fail_msg("bit %zu", bit);
		}
		record_end(&r, gear);
	}
	begin(&r, AES128);
	for (size_t some = 0; some < n; some++) {
		memcpy(b, first, some);
		assert_int_equal(record_open(&r, gear, b, some, &got), RECORD_PART);
		assert_memory_equal(b, first, some);
	}
	memcpy(b, first, n);
	assert_int_equal(record_open(&r, gear, b, n, &got), RECORD_DATA);
	memcpy(b, first, n);
	assert_int_equal(record_open(&r, gear, b, n, &got), RECORD_BAD);
	assert_int_equal(got.alert, ALERT_BAD_RECORD_MAC);
	record_end(&r, gear);
	begin(&r, AES128);
	n = hex(CLIENT_END, b);
	assert_int_equal(record_open(&r, gear, b, n, &got), RECORD_BAD);
	record_end(&r, gear);
}

/* The longest content, and one byte more, with and without padding. */
static void
test_length(void **state)
{
	static uint8_t in[RECORD_CIPHER], b[RECORD_HEAD + RECORD_CIPHER];
	static const struct {
		size_t content, all;
		enum record_got got;
	} rows[] = {
		{ RECORD_CONTENT, RECORD_CONTENT + 1, RECORD_DATA },
		{ RECORD_CONTENT - 1, RECORD_CONTENT + 1, RECORD_DATA },
		{ 1, RECORD_CONTENT + 1, RECORD_DATA },
		{ 0, RECORD_CONTENT + 1, RECORD_NOTHING },
		{ RECORD_CONTENT, RECORD_CONTENT + 2, RECORD_BAD },
		{ RECORD_CONTENT + 1, RECORD_CONTENT + 2, RECORD_BAD },
		{ 1, RECORD_CIPHER - RECORD_TAG, RECORD_BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct record_conn client, server;
		struct record got;
		size_t n;

		memset(in, 0, sizeof(in));
		memset(in, 'x', rows[i].content);
		in[rows[i].content] = 23;
		begin_client(&client, AES128);
		begin(&server, AES128);
		n = protect(&client, AES128, in, rows[i].all, b);
		assert_int_equal(record_open(&server, gear, b, n, &got), rows[i].got);
		if (rows[i].got == RECORD_BAD)
			assert_int_equal(got.alert, ALERT_RECORD_OVERFLOW);
		else
			assert_int_equal(got.len, rows[i].content);
		record_end(&server, gear);
		record_end(&client, gear);
	}
}

/* Everything that `from` wrote, read by `to`: bytes of content. */
static size_t
read_all(struct record_conn *to, uint8_t *p, size_t n, uint8_t *out)
{
	size_t got = 0;
	struct record r;

	while (n > 0) {
		enum record_got kind = record_open(to, gear, p, n, &r);

		assert_true(kind == RECORD_DATA || kind == RECORD_NOTHING);
		memcpy(out + got, r.content, kind == RECORD_DATA ? r.len : 0);
		got += kind == RECORD_DATA ? r.len : 0;
		p += r.used;
		n -= r.used;
	}
	return got;
}

static void
pass(struct record_conn *from, struct record_conn *to, const uint8_t *p, size_t n)
{
	static uint8_t b[400000], out[300000];
	ssize_t made = record_write(from, gear, p, n, b);

	assert_true(made >= (ssize_t)n && (size_t)made <= record_room(n));
	assert_int_equal(read_all(to, b, (size_t)made, out), n);
	assert_memory_equal(out, p, n);
}

/* Lengths, suites, two connections that take turns with the worker's ciphers. */
static void
test_round(void **state)
{
	static const size_t lengths[] = { 0, 1, 16383, 16384, 16385, 32768, 262144 };
	static uint8_t text[262144];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
	for (unsigned suite = AES128; suite <= CHACHA; suite++) {
		struct record_conn client[2], server[2];

		for (int i = 0; i < 2; i++) {
			begin_client(&client[i], suite);
			begin(&server[i], suite);
		}
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]) * 2; i++) {
			pass(&client[i % 2], &server[i % 2], text, lengths[i / 2]);
			pass(&server[i % 2], &client[i % 2], text, lengths[i / 2]);
		}
		for (int i = 0; i < 2; i++) {
			record_end(&client[i], gear);
			record_end(&server[i], gear);
		}
	}
	assert_null(record_suite(0x1304)); /* CCM */
	assert_null(record_suite(0xc02f));
}

/* One that ends takes its keys out of the worker's ciphers: an object at the same place has its own. */
static void
test_same_place(void **state)
{
	struct record_conn server, client;
	uint8_t text[100] = "a", other = 1;

	(void)state;
	begin(&server, CHACHA);
	begin_client(&client, CHACHA);
	pass(&server, &client, text, sizeof(text));
	pass(&client, &server, text, sizeof(text));
	record_end(&server, gear);
	record_end(&client, gear);
	server.in.secret[0] = client.out.secret[0] = other;
	assert_int_equal(record_begin(&server, gear, record_suite(CHACHA)), 0);
	assert_int_equal(record_begin(&client, gear, record_suite(CHACHA)), 0);
	pass(&server, &client, text, sizeof(text));
	pass(&client, &server, text, sizeof(text));
	record_end(&server, gear);
	record_end(&client, gear);
}

/* The other side's wish is granted once, however often it is said, before the next content. */
static void
test_answer(void **state)
{
	static const uint8_t wish[] = { 24, 0, 0, 1, 1, 22 };
	struct record_conn server, client;
	uint8_t b[128], text[] = "hello";
	struct record got;

	(void)state;
	begin(&server, AES256);
	begin_client(&client, AES256);
	pass(&server, &client, text, sizeof(text));
	for (int i = 0; i < 3; i++) {
		size_t n = protect(&client, AES256, wish, sizeof(wish), b);
		uint8_t before[RECORD_SECRET];

		memcpy(before, server.in.secret, sizeof(before));
		assert_int_equal(record_open(&server, gear, b, n, &got), RECORD_NOTHING);
		assert_memory_not_equal(before, server.in.secret, sizeof(before));
		assert_int_equal(server.in.seq, 0);
		client.out = server.in; /* as the client would */
	}
	assert_true(server.answer);
	assert_int_equal(server.out.seq, 1);
	pass(&server, &client, text, sizeof(text));
	assert_int_equal(server.out.seq, 1); /* a new key, with one record */
	assert_false(server.answer || client.answer);
	pass(&server, &client, text, sizeof(text));
	assert_int_equal(server.out.seq, 2);
	record_end(&server, gear);
	record_end(&client, gear);
}

/* Keys change before they have been used too often; theirs are asked for; numbers never wrap. */
static void
test_key_life(void **state)
{
	static uint8_t text[3 * RECORD_CONTENT], b[100000];
	struct record_conn server, client;
	struct record got;

	(void)state;
	begin(&server, AES128);
	begin_client(&client, AES128);
	server.out.seq = client.in.seq = RECORD_KEY_LIFE - 1;
	pass(&server, &client, text, sizeof(text)); /* in the middle of one write */
	assert_int_equal(server.out.seq, 2);
	assert_int_equal(client.in.seq, 2);
	/* the one that reads saw its record of that number, and asks for what it got already: once */
	assert_true(client.ask);
	pass(&client, &server, text, 1);
	assert_true(server.answer && !client.ask);
	assert_int_equal(client.out.seq, 1);
	pass(&server, &client, text, 1);
	assert_false(server.answer || client.answer || client.ask);

	server.out.seq = UINT64_MAX;
	assert_int_equal(record_say(&server, gear, ALERT_CLOSE_NOTIFY, b), -EIO);
	assert_int_equal(record_write(&server, gear, text, 1, b), -EIO);
	assert_true(record_say(&client, gear, ALERT_CLOSE_NOTIFY, b) == RECORD_ALERT);
	server.in.seq = UINT64_MAX;
	assert_int_equal(record_open(&server, gear, b, RECORD_ALERT, &got), RECORD_BAD);
	record_end(&server, gear);
	record_end(&client, gear);
}

/* Records that bring nothing, in a row: of each kind; content in between begins anew. */
static void
test_blanks(void **state)
{
	static const uint8_t empty[] = { 23 }, content[] = { 'x', 23 };
	struct record_conn server, client;
	uint8_t b[128];
	struct record got;

	(void)state;
	begin(&server, AES128);
	begin_client(&client, AES128);
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < RECORD_BLANKS; i++) {
			size_t n = protect(&client, AES128, empty, sizeof(empty), b);

			assert_int_equal(record_open(&server, gear, b, n, &got), RECORD_NOTHING);
		}
		if (turn == 0)
			assert_int_equal(
			    record_open(&server, gear, b,
				protect(&client, AES128, content, sizeof(content), b), &got),
			    RECORD_DATA);
	}
	assert_int_equal(
	    record_open(&server, gear, b, protect(&client, AES128, empty, sizeof(empty), b), &got),
	    RECORD_BAD);
	assert_int_equal(got.alert, ALERT_UNEXPECTED_MESSAGE);
	record_end(&server, gear);
	record_end(&client, gear);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8448),
		cmocka_unit_test(test_inner),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_integrity),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_same_place),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_key_life),
		cmocka_unit_test(test_blanks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
