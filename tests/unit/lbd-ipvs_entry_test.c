/* Lines of /proc/net/ip_vs_conn as kernels 6.1 and 5.10 wrote them, and lines that no kernel writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lbd-ipvs/conns/entry.h"

#include <stdlib.h>
#include <string.h>

#define V6(a, b) a ":0000:0000:0000:0000:0000:0000:" b

static const struct {
	const char *why, *line, *shown; /* shown NULL: no entry */
} rows[] = {
	{ "TCP", "TCP 0A010203 04D2 0A090001 0050 0A09000B 1F90 ESTABLISHED     899",
	    "TCP 10.1.2.3:1234 10.9.0.1:80 10.9.0.11:8080 ESTABLISHED 899" },
	{ "UDP", "UDP 0A010203 04D2 0A090001 0035 0A09000B 0035 UDP             299",
	    "UDP 10.1.2.3:1234 10.9.0.1:53 10.9.0.11:53 UDP 299" },
	{ "a longer protocol",
	    "SCTP 0A010203 04D2 0A090001 0050 0A09000B 0050 SHUTDOWN_ACK_SENT       7",
	    "SCTP 10.1.2.3:1234 10.9.0.1:80 10.9.0.11:80 SHUTDOWN_ACK_SENT 7" },
	{ "IPv6",
	    "TCP " V6("fd01", "0002") " C350 " V6("fd09", "0001") " 0050 " V6(
		"fd09", "0011") " 0050 FIN_WAIT        119",
	    "TCP [fd01::2]:50000 [fd09::1]:80 [fd09::11]:80 FIN_WAIT 119" },
	{ "IPv6 in brackets, as others write it",
	    "TCP [" V6("fd01", "0002") "] C350 [" V6("fd09", "0001") "] 0050 0A09000B 0050 CLOSE 9",
	    "TCP [fd01::2]:50000 [fd09::1]:80 10.9.0.11:80 CLOSE 9" },
	{ "a server of the other family",
	    "TCP 0A010203 04D2 0A090001 0050 " V6("fd09", "0011") " 0050 ESTABLISHED     899",
	    "TCP 10.1.2.3:1234 10.9.0.1:80 [fd09::11]:80 ESTABLISHED 899" },
	{ "with its origin",
	    "TCP 0A010203 04D3 0A090001 0050 0A09000B 0050 SYN_RECV    SYNC        59",
	    "TCP 10.1.2.3:1235 10.9.0.1:80 10.9.0.11:80 SYN_RECV 59" },
	{ "its own", "TCP 0A010203 04D3 0A090001 0050 0A09000B 0050 SYN_RECV    LOCAL       59",
	    "TCP 10.1.2.3:1235 10.9.0.1:80 10.9.0.11:80 SYN_RECV 59" },
	{ "a template", "TCP 0A010200 0000 0A090001 0050 0A09000B 0050 NONE             49",
	    "TCP 10.1.2.0:0 10.9.0.1:80 10.9.0.11:80 NONE 49 template" },
	{ "of a mark", "IP  0A010200 0000 10000001 0000 0A09000B 0000 ASSURED          49",
	    "IP 10.1.2.0:0 16.0.0.1:0 10.9.0.11:0 ASSURED 49 template mark 268435457" },
	{ "of a mark, IPv6",
	    "IP  " V6("fd01", "0002") " 0000 1000:0002:0000:0000:0000:0000:0000:0000 0000 " V6(
		"fd09", "0011") " 0000 ASSURED          49",
	    "IP [fd01::2]:0 [1000:2::]:0 [fd09::11]:0 ASSURED 49 template mark 268435458" },
	{ "of a call",
	    "UDP 0A010203 0000 0A090001 13C4 0A09000B 13C4 UDP             170 sip abc@10.1.2.3",
	    "UDP 10.1.2.3:0 10.9.0.1:5060 10.9.0.11:5060 UDP 170 template sip=abc@10.1.2.3" },
	{ "FTP waits for it: no template",
	    "TCP 0A010203 0000 0A090001 C001 0A09000B C001 LISTEN          119",
	    "TCP 10.1.2.3:0 10.9.0.1:49153 10.9.0.11:49153 LISTEN 119" },
	{ "a protocol without a name", "IP_132 0A010203 0001 0A090001 0001 0A09000B 0001 NONE 3",
	    "SCTP 10.1.2.3:1 10.9.0.1:1 10.9.0.11:1 NONE 3" },
	{ "its timer runs just now",
	    "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE       18446744073709551",
	    "TCP 10.1.2.3:1234 10.9.0.1:80 10.9.0.11:80 CLOSE 0" },
	{ "a template that is void", "TCP 0A010203 0000 0A090001 FFFF 0A09000B FFFF NONE 49",
	    NULL },
	{ "the heading",
	    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData",
	    NULL },
	{ "nothing", "", NULL },
	{ "spaces", "      ", NULL },
	{ "half a line", "TCP 0A010203 04D2 0A090001 0050 0A0900", NULL },
	{ "no seconds", "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED", NULL },
	{ "no origin's seconds", "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED SYNC",
	    NULL },
	{ "seconds that are none", "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ESTABLISHED 8x9",
	    NULL },
	{ "too many digits",
	    "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE 184467440737095516160", NULL },
	{ "an address that is none", "TCP 0A01020G 04D2 0A090001 0050 0A09000B 0050 CLOSE 9",
	    NULL },
	{ "a port too long", "TCP 0A010203 004D2 0A090001 0050 0A09000B 0050 CLOSE 9", NULL },
	{ "a protocol that is none", "TCP6 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE 9",
	    NULL },
	{ "a number that is none", "IP_256 0A010203 04D2 0A090001 0050 0A09000B 0050 CLOSE 9",
	    NULL },
	{ "a state too long",
	    "TCP 0A010203 04D2 0A090001 0050 0A09000B 0050 ABCDEFGHIJKLMNOPQRSTUVWX 9", NULL },
	{ "an engine too long",
	    "UDP 0A010203 0000 0A090001 13C4 0A09000B 13C4 UDP 170 abcdefghijklmnop x", NULL },
};

static void
show(const struct entry *e, struct buf *out)
{
	char client[ENTRY_END], virtual[ENTRY_END], real[ENTRY_END];

	entry_end(&e->client, e->client_port, client);
	entry_end(&e->virtual, e->virtual_port, virtual);
	entry_end(&e->real, e->real_port, real);
	buf_printf(out, "%s %s %s %s %s %u", entry_protocol(e->protocol), client, virtual, real,
	    e->state, e->left_s);
	if (e->template)
		buf_puts(out, " template");
	if (e->mark != 0)
		buf_printf(out, " mark %u", e->mark);
	if (e->pe[0] != '\0')
		buf_printf(out, " %s=%s", e->pe, e->pe_data);
}

static void
test_entry_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].line);
		char *exact = malloc(len + 1); /* nothing after it, for the sanitizers */
		struct buf out = { 0 };
		struct entry e;
		bool is;

		memcpy(exact, rows[i].line, len + 1);
		exact = realloc(exact, len > 0 ? len : 1);
		is = entry_parse(exact, len, &e);
		if (is)
			show(&e, &out);
		if (is != (rows[i].shown != NULL) ||
		    (is && strcmp(buf_text(&out), rows[i].shown) != 0))
			fail_msg("%s: \"%s\"", rows[i].why, is ? buf_text(&out) : "no entry");
		buf_fini(&out);
		free(exact);
	}
}

/* A line that is cut anywhere is no entry, or one whose end is missing; never a fault. */
static void
test_entry_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 0; len < strlen(rows[i].line); len++) {
			char *part = malloc(len > 0 ? len : 1);
			struct entry e;

			memcpy(part, rows[i].line, len);
			(void)entry_parse(part, len, &e);
			free(part);
		}
	}
}

static void
test_entry_long(void **state)
{
	char line[ENTRY_LINE + 2];
	struct entry e;

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, rows[0].line, strlen(rows[0].line));
	assert_true(entry_parse(line, ENTRY_LINE, &e));
	assert_false(entry_parse(line, ENTRY_LINE + 1, &e));
	line[2] = '\0';
	assert_false(entry_parse(line, ENTRY_LINE, &e));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_rows),
		cmocka_unit_test(test_entry_cut),
		cmocka_unit_test(test_entry_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
