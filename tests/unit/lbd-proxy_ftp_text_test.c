/* Lines of FTP that speak of data connections: RFC 959, RFC 1123 4.1.2.6, RFC 2428. */
#include "lbd-proxy/stream/ftp_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* In memory of just that size. */
static char *
only(const char *text, size_t n)
{
	char *p = malloc(n + 1);

	memcpy(p, text, n);
	return p;
}

static void
test_ports(void **state)
{
	static const struct {
		unsigned code;
		const char *line;
		uint16_t port;
	} row[] = {
		{ 227, "227 Entering Passive Mode (10,0,0,1,195,80).\r\n", 50000 },
		{ 227, "227 Entering Passive Mode. 10,0,0,1,195,80\r\n", 50000 },
		{ 227, "227 =10,0,0,1,195,80\n", 50000 },
		{ 227, "227 (0,0,0,0,0,21)\r\n", 21 },
		{ 227, "227 (255,255,255,255,255,255)\r\n", 65535 },
		{ 227, "227 (10,0,0,1,0,0)\r\n", 0 },
		{ 227, "227 (10,0,0,1,256,1)\r\n", 0 },
		{ 227, "227 (10,0,0,300,1,1)\r\n", 0 },
		{ 227, "227 (10,0,0,1,195)\r\n", 0 },
		{ 227, "227 (10, 0,0,1,195,80)\r\n", 0 },
		{ 227, "227 (10,0,0,1,195,8000000000000000000)\r\n", 0 },
		{ 227, "227 Entering Passive Mode\r\n", 0 },
		{ 227, "227\n", 0 },
		{ 229, "229 Entering Extended Passive Mode (|||50000|)\r\n", 50000 },
		{ 229, "229 (!!!1!)\n", 1 },
		{ 229, "229 (|||65535|)", 65535 },
		{ 229, "229 (|||65536|)", 0 },
		{ 229, "229 (|||0|)", 0 },
		{ 229, "229 (|||123456|)", 0 },
		{ 229, "229 (|||50000)", 0 },
		{ 229, "229 (|||50000!)", 0 },
		{ 229, "229 (||!50000|)", 0 },
		{ 229, "229 (1115000015)", 0 },
		{ 229, "229 (|1|10.0.0.1|50000|)", 0 },
		{ 229, "229 (|||", 0 },
		{ 229, "229 |||50000|", 0 },
		{ 150, "150 (10,0,0,1,195,80)\r\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = strlen(row[i].line);
		char *p = only(row[i].line, n);

		assert_int_equal(ftp_port(row[i].code, p, n), row[i].port);
		free(p);
	}
}

static void
test_replies(void **state)
{
	static const struct {
		const char *line;
		unsigned code;
	} row[] = {
		{ "220 hello\r\n", 220 },
		{ "211-Features:\r\n", 0 },
		{ " EPSV\r\n", 0 },
		{ "227 Entering Passive Mode (1,2,3,4,5,6)\r\n", 0 },
		{ "211- more\r\n", 0 },
		{ "211 End\r\n", 211 },
		{ "227 x\r\n", 227 },
		{ "22\n", 0 },
		{ "abc \n", 0 },
		{ "200\n", 200 },
	};
	struct ftp_replies r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		assert_int_equal(ftp_reply(&r, row[i].line, strlen(row[i].line)), row[i].code);
}

static void
test_commands(void **state)
{
	static const struct {
		const char *line;
		bool asks;
		const char *instead;
	} row[] = {
		{ "PASV\r\n", true, NULL },
		{ "pasv\n", true, NULL },
		{ "EPSV 2\r\n", true, NULL },
		{ "PASVX\r\n", false, NULL },
		{ "PASV", false, NULL },
		{ "PORT 10,0,0,1,1,1\r\n", false, "PORT 0,0,0,0,0,0\r\n" },
		{ "port\n", false, "PORT 0,0,0,0,0,0\r\n" },
		{ "EPRT |1|10.0.0.1|5000|\r\n", false, "EPRT |1|0.0.0.0|0|\r\n" },
		{ "AUTH TLS\r\n", false, "AUTH NONE\r\n" },
		{ "RETR PORT\r\n", false, NULL },
		{ "\n", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		size_t n = strlen(row[i].line);
		char *p = only(row[i].line, n);
		const char *instead = ftp_instead(p, n);

		assert_int_equal(ftp_asks(p, n), row[i].asks);
		assert_int_equal(instead != NULL, row[i].instead != NULL);
		if (instead != NULL)
			assert_string_equal(instead, row[i].instead);
		free(p);
	}
}

static void
test_what_we_say(void **state)
{
	static const struct {
		unsigned code;
		const char *at;
		uint16_t port;
		const char *line;
	} row[] = {
		{ 227, "192.0.2.10", 50000, "227 Entering Passive Mode (192,0,2,10,195,80)\r\n" },
		{ 227, "255.255.255.255", 65535,
		    "227 Entering Passive Mode (255,255,255,255,255,255)\r\n" },
		{ 229, "192.0.2.10", 65535, "229 Entering Extended Passive Mode (|||65535|)\r\n" },
		{ 229, "2001:db8::1", 1, "229 Entering Extended Passive Mode (|||1|)\r\n" },
		{ 227, "2001:db8::1", 1, "425 Cannot open data connection.\r\n" },
		{ 229, "192.0.2.10", 0, "425 Cannot open data connection.\r\n" },
	};
	char out[FTP_SAY_MAX + 1];
	struct addr at;

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_int_equal(addr_parse(row[i].at, ADDR_HOST, &at), 0);
		out[ftp_say(row[i].code, &at, row[i].port, out)] = '\0';
		assert_string_equal(out, row[i].line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_what_we_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
