/* Records of TLS 1.3 from a client that has the keys and does what it likes. The input is a list of what it sends: a byte that
 * says how, a length, and so many bytes. What is read is the same whether all comes at once or in pieces; content is what a
 * plain look at what was encrypted says, for as long as that is nothing but content; and what one side writes the other reads. */
#include "tests/unit/record_rig.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 65536
enum { RAW, INNER, CONTENT, BROKEN, UPDATE, LONG, HOWS };

static struct record_gear *gear;
struct seen {
	uint8_t content[MOST];
	size_t n;
	enum record_got end;
	uint8_t alert;
};
static struct seen whole, parts;
static uint8_t wire[MOST], want[MOST];

static void
begin(struct record_conn *r, unsigned suite, bool client)
{
	memset(r, 0, sizeof(*r));
	memset(client ? r->out.secret : r->in.secret, 'c', RECORD_SECRET);
	memset(client ? r->in.secret : r->out.secret, 's', RECORD_SECRET);
	if (record_begin(r, gear, record_suite(suite)) != 0)
		abort();
}

/* The content of an inner plaintext; -1: it has none, or another type. */
static long
plain_content(const uint8_t *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n > 0 && p[n - 1] == 23 ? (long)n - 1 : -1;
}

/* What the client sends. Bytes of it; *sure: so many bytes of content come of it at least, *exact: and no more. */
static size_t
send_all(const uint8_t *p, size_t size, unsigned suite, size_t *sure)
{
	struct record_conn client;
	unsigned blanks = 0;
	bool plain = true;
	size_t n = 0;

	*sure = 0;
	begin(&client, suite, true);
	while (size >= 2 && n + 20000 < MOST) {
		unsigned how = p[0] % HOWS;
		size_t len = p[1] < size - 2 ? p[1] : size - 2, all;
		const uint8_t *body = p + 2;
		long content = -1;
		static uint8_t inner[RECORD_CIPHER];

		switch (how) {
		case RAW:
			memcpy(wire + n, body, len);
			n += len;
			break;
		case CONTENT:
		case UPDATE:
			client.answer = how == UPDATE;
			client.ask = how == UPDATE && len % 2 == 1;
			n += (size_t)record_write(&client, gear, body, len, wire + n);
			content = len > 0 ? (long)len : -1;
			break;
		case LONG: /* padding, or zeros, up to the limit and over it */
			memset(inner, 0, sizeof(inner));
			memcpy(inner, body, len);
			all = RECORD_CONTENT - 2 + len % 8;
			inner[all - 1] = len % 2 == 0 ? 23 : 0;
			n += protect(&client, suite, inner, all, wire + n);
			break;
		default:
			content = how == INNER ? plain_content(body, len) : -1;
			n += protect(&client, suite, body, len, wire + n);
			if (how == BROKEN)
				wire[n - 1 - p[1] % 20] ^= 1;
		}
		blanks = content == 0 ? blanks + 1 : 0;
		plain = plain && content >= 0 && blanks < RECORD_BLANKS;
		if (plain) {
			memcpy(want + *sure, body, (size_t)content);
			*sure += (size_t)content;
		}
		p += 2 + len;
		size -= 2 + len;
	}
	record_end(&client, gear);
	return n;
}

/* Reads n bytes of the wire, at most `step` more at a time. */
static void
read_all(size_t n, size_t step, unsigned suite, struct seen *s)
{
	static uint8_t b[MOST];
	struct record_conn server;
	size_t at = 0, have = 0;
	struct record r;

	begin(&server, suite, false);
	memcpy(b, wire, n);
	*s = (struct seen){ .end = RECORD_PART };
	do {
		have = n - have < step ? n : have + step;
		for (;;) {
			enum record_got kind = record_open(&server, gear, b + at, have - at, &r);

			if (kind == RECORD_PART)
				break;
			if (kind != RECORD_BAD && (r.used < RECORD_HEAD || r.used > have - at))
				abort();
			if (kind == RECORD_DATA) {
				if (r.len == 0 || r.len > RECORD_CONTENT || r.content < b + at ||
				    r.content + r.len > b + at + r.used)
					abort();
				memcpy(s->content + s->n, r.content, r.len);
				s->n += r.len;
			} else if (kind != RECORD_NOTHING) {
				s->end = kind;
				s->alert = r.alert;
				record_end(&server, gear);
				return;
			}
			at += r.used;
		}
	} while (have < n);
	record_end(&server, gear);
}

/* What the server writes after all of that. */
static void
round_trip(const uint8_t *p, size_t n, unsigned suite)
{
	struct record_conn server, client;
	static uint8_t out[2 * MOST];
	size_t at = 0, got = 0;
	ssize_t made;

	if (n > MOST)
		n = MOST;
	begin(&server, suite, false);
	begin(&client, suite, true);
	server.answer = n % 2 == 1;
	made = record_write(&server, gear, p, n, out);
	if (made < 0 || (size_t)made > record_room(n))
		abort();
	while (at < (size_t)made) {
		struct record r;
		enum record_got kind = record_open(&client, gear, out + at, (size_t)made - at, &r);

		if ((kind != RECORD_DATA && kind != RECORD_NOTHING) ||
		    (kind == RECORD_DATA && memcmp(p + got, r.content, r.len) != 0))
			abort();
		got += kind == RECORD_DATA ? r.len : 0;
		at += r.used;
	}
	if (got != n)
		abort();
	record_end(&server, gear);
	record_end(&client, gear);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned suite;
	size_t n, sure;

	if (gear == NULL && (gear = record_gear_new()) == NULL)
		abort();
	if (size < 2)
		return 0;
	suite = AES128 + data[0] % 3;
	n = send_all(data + 2, size - 2, suite, &sure);
	read_all(n, n + 1, suite, &whole);
	read_all(n, data[1] + 1U, suite, &parts);
	if (whole.n != parts.n || whole.end != parts.end || whole.alert != parts.alert ||
	    memcmp(whole.content, parts.content, whole.n) != 0)
		abort();
	if (whole.n < sure || memcmp(whole.content, want, sure) != 0)
		abort();
	round_trip(data, size, suite);
	return 0;
}
