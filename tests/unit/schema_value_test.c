/* Values, type by type: what is taken and how it is shown then, what is refused and with which words. One file over 600 lines: its
 * rows are one table, and a type is compared with its neighbours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct words colours = { "colour",
	(const struct word[]){ { 3, "red", "Red." }, { 200, "green", "Green." } }, 2 };

/* A field of each type, as the rows have them. */
static const struct field fields[] = {
	[VT_NAME] = { .type = VT_NAME, .name = "f", .min = 1, .max = 8 },
	[VT_TEXT] = { .type = VT_TEXT, .name = "f", .min = 0, .max = 12 },
	[VT_TCHAR] = { .type = VT_TCHAR, .name = "f", .min = 1, .max = 8 },
	[VT_LABELS] = { .type = VT_LABELS, .name = "f", .min = 0, .max = 100 },
	[VT_HOST] = { .type = VT_HOST, .name = "f", .min = 1, .max = 253 },
	[VT_ADDR] = { .type = VT_ADDR, .name = "f" },
	[VT_NET] = { .type = VT_NET, .name = "f" },
	[VT_CIDR] = { .type = VT_CIDR, .name = "f" },
	[VT_RANGES] = { .type = VT_RANGES, .name = "f", .min = 1, .max = 65535 },
	[VT_ADDRS] = { .type = VT_ADDRS, .name = "f", .min = 1, .max = 1024 },
	[VT_PEM] = { .type = VT_PEM, .name = "f", .min = 0, .max = 200, .ref = PEM_certificates },
	[VT_LINES] = { .type = VT_LINES, .name = "f", .min = 0, .max = 12 },
	[VT_ENUM] = { .type = VT_ENUM, .name = "f", .words = &colours },
	[VT_U16] = { .type = VT_U16, .name = "f", .min = 1, .max = 65535 },
	[VT_U32] = { .type = VT_U32, .name = "f", .min = 0, .max = 4294967295 },
	[VT_I16] = { .type = VT_I16, .name = "f", .min = -2047, .max = 2047 },
	[VT_DUR_MS] = { .type = VT_DUR_MS, .name = "f", .min = 0, .max = 2592000000 },
	[VT_DUR_S] = { .type = VT_DUR_S, .name = "f", .min = 0, .max = 315360000 },
	[VT_BYTES] = { .type = VT_BYTES, .name = "f", .min = 0, .max = 1LL << 50 },
	[VT_PCT] = { .type = VT_PCT, .name = "f", .min = 0, .max = 100 },
	[VT_SHARE] = { .type = VT_SHARE, .name = "f", .min = 0, .max = 10000 },
	[VT_BOOL] = { .type = VT_BOOL, .name = "f", .min = 0, .max = 1 },
	[VT_TIME] = { .type = VT_TIME, .name = "f" },
	[VT_REF] = { .type = VT_REF, .name = "f", .ref = KIND_check },
	[VT_SECRET] = { .type = VT_SECRET, .name = "f", .min = 8, .max = 64 },
};

static uint32_t
name_to_id(void *arg, unsigned kind, const char *name)
{
	(void)arg;
	return kind == KIND_check && strcmp(name, "http") == 0 ? 77 : 0;
}

static const char *
id_to_name(void *arg, unsigned kind, uint32_t id)
{
	(void)arg;
	return kind == KIND_check && id == 77 ? "http" : NULL;
}

static const struct names names = { .id = name_to_id, .name = id_to_name };

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"
#define A16 "AAAAAAAAAAAAAAAA"

/* shown NULL: refused, and why stands in the reason. */
static const struct {
	enum vtype type;
	const char *text, *shown, *why;
} rows[] = {
	{ VT_NAME, "web-1.x_", "web-1.x_", "every character" },
	{ VT_NAME, "12345678", "12345678", "longest" },
	{ VT_NAME, "123456789", NULL, "1 to 8 letters" },
	{ VT_NAME, "-a", NULL, "first a letter or a digit" },
	{ VT_NAME, "a b", NULL, "\"a b\" is not allowed" },
	{ VT_NAME, "a/b", NULL, "letters, digits" },
	{ VT_NAME, "\xc3\xa4", NULL, "\"\xc3\xa4\" is not allowed" },
	{ VT_TEXT, "", "", "empty" },
	{ VT_TEXT, "\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80",
	    "3 and 4 bytes" },
	{ VT_TEXT, "1234567890123", NULL, "at most 12 bytes" },
	{ VT_TEXT, "a\nb", NULL, "\"a\\x0ab\" is not allowed" },
	{ VT_TEXT, "a\x7f", NULL, "control characters" },
	{ VT_TEXT, "a\xc2\x85", NULL, "control characters" },
	{ VT_TEXT, "\xc0\xaf", NULL, "not valid UTF-8" },
	{ VT_TEXT, "\xed\xa0\x80", NULL, "not valid UTF-8" },
	{ VT_TEXT, "\xf4\x90\x80\x80", NULL, "not valid UTF-8" },
	{ VT_TEXT, "\xe2\x82", NULL, "not valid UTF-8" },
	{ VT_TEXT, "\x80", NULL, "not valid UTF-8" },
	{ VT_TCHAR, "!#$%&'*+", "!#$%&'*+", "RFC 9110" },
	{ VT_TCHAR, "a;b", NULL, "letters, digits and" },
	{ VT_TCHAR, "a=b", NULL, "letters, digits and" },
	{ VT_LABELS, "", "", "none" },
	{ VT_LABELS, "b=2,a=1", "a=1,b=2", "sorted" },
	{ VT_LABELS, "ab=1, a=2", "a=2,ab=1", "a shorter key first; a space after a comma" },
	{ VT_LABELS, "a=", "a=", "empty value" },
	{ VT_LABELS, "a=1,a=2", NULL, "twice" },
	{ VT_LABELS, "a", NULL, "tier=front" },
	{ VT_LABELS, "a=1,", NULL, "tier=front" },
	{ VT_LABELS, "a=b=c", NULL, "tier=front" },
	{ VT_LABELS, "=1", NULL, "tier=front" },
	{ VT_LABELS,
	    "a=,b=,c=,d=,e=,f=,g=,h=,i=,j=,k=,l=,m=,n=,o=,p=,q=,r=,s=,t=,u=,v=,w=,x=,y=,z=,A=,B=,C=,"
	    "D=,E=,F=,G=",
	    NULL, "too many" },
	{ VT_LABELS, "a=0123456789012345678901234567890123456789012345678901234567890123", NULL,
	    "each at most 63 long" },
	{ VT_HOST, "", "", "none" },
	{ VT_HOST, "10.0.0.1", "10.0.0.1", "IPv4" },
	{ VT_HOST, "FD00:0::1", "fd00::1", "canonical IPv6" },
	{ VT_HOST, "Web1.Example.COM", "web1.example.com", "lower case" },
	{ VT_HOST, "a", "a", "one part" },
	{ VT_HOST, "3com.com", "3com.com", "a digit first, RFC 1123" },
	{ VT_HOST, "10.0.0.256", NULL, "or a DNS name" },
	{ VT_HOST, "10.0.0", NULL, "or a DNS name" },
	{ VT_HOST, "1.2.3.4/24", NULL, "or a DNS name" },
	{ VT_HOST, "a..b", NULL, "or a DNS name" },
	{ VT_HOST, "-a.b", NULL, "or a DNS name" },
	{ VT_HOST, "a_b", NULL, "or a DNS name" },
	{ VT_HOST, "_sip._tcp.Example.COM", "_sip._tcp.example.com", "of SRV records, RFC 8552" },
	{ VT_HOST, "_.b", NULL, "or a DNS name" },
	{ VT_HOST, "_a_.b", NULL, "or a DNS name" },
	{ VT_HOST, "a.", NULL, "or a DNS name" },
	{ VT_HOST, "::ffff:10.0.0.1", NULL, "write it as IPv4" },
	{ VT_ADDR, "192.0.2.1", "192.0.2.1", "IPv4" },
	{ VT_ADDR, "2001:DB8:0:0::0001", "2001:db8::1", "RFC 5952" },
	{ VT_ADDR, "192.0.2.1/32", NULL, "address" },
	{ VT_ADDR, "192.0.2.01", NULL, "address" },
	{ VT_ADDR, "fe80::1%eth0", NULL, "address" },
	{ VT_NET, "10.0.0.0/8", "10.0.0.0/8", "network" },
	{ VT_NET, "10.0.0.1", "10.0.0.1/32", "a single host has its length" },
	{ VT_NET, "10.0.0.1/8", NULL, "without bits after its length" },
	{ VT_NET, "10.0.0.0/33", NULL, "network" },
	{ VT_NET, "::/0", "::/0", "everything" },
	{ VT_CIDR, "10.0.0.1/24", "10.0.0.1/24", "bits after the prefix stay" },
	{ VT_CIDR, "10.0.0.1/", NULL, "prefix length" },
	{ VT_CIDR, "10.0.0.1/-1", NULL, "prefix length" },
	{ VT_RANGES, "80", "80", "one" },
	{ VT_RANGES, "080,443-443, 8000-8010", "80,443,8000-8010", "canonical" },
	{ VT_RANGES, "1-65535", "1-65535", "all" },
	{ VT_RANGES, "80,81", "80,81", "neighbours are not joined" },
	{ VT_RANGES, "70000", NULL, "numbers 1 to 65535, as 80,443,8000-8010" },
	{ VT_RANGES, "0", NULL, "numbers 1 to 65535" },
	{ VT_RANGES, "443,80", NULL, "must rise and not overlap" },
	{ VT_RANGES, "80-90,90", NULL, "must rise and not overlap" },
	{ VT_RANGES, "90-80", NULL, "must rise and not overlap" },
	{ VT_RANGES, "80,", NULL, "numbers 1 to" },
	{ VT_RANGES, ",80", NULL, "numbers 1 to" },
	{ VT_RANGES, "80-", NULL, "numbers 1 to" },
	{ VT_RANGES, "80-90-100", NULL, "numbers 1 to" },
	{ VT_RANGES, "99999999999999999999", NULL, "numbers 1 to" },
	{ VT_RANGES,
	    "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31,33,35,37,39,41,43,45,47,49,51,53,55,57,59,61,"
	    "63,65",
	    NULL, "too many" },
	{ VT_ENUM, "green", "green", "word" },
	{ VT_ENUM, "Green", NULL, "red, green; did you mean green?" },
	{ VT_ENUM, "blue", NULL, "allowed: red, green" },
	{ VT_U16, "65535", "65535", "largest" },
	{ VT_U16, "007", "7", "leading zeros" },
	{ VT_I16, "-2047", "-2047", "least" },
	{ VT_I16, "2047", "2047", "largest" },
	{ VT_I16, "-0", "0", "nothing" },
	{ VT_I16, "-2048", NULL, "-2047 to 2047" },
	{ VT_I16, "2048", NULL, "-2047 to 2047" },
	{ VT_I16, "--1", NULL, "-2047 to 2047" },
	{ VT_I16, "-", NULL, "-2047 to 2047" },
	{ VT_I16, "- 1", NULL, "-2047 to 2047" },
	{ VT_ADDRS, "", "", "none" },
	{ VT_ADDRS, "10.0.0.1", "10.0.0.1", "one" },
	{ VT_ADDRS, "10.0.0.9,10.0.0.1", "10.0.0.9,10.0.0.1",
	    "the order in which they were written" },
	{ VT_ADDRS, "10.0.0.1, fd00:0::1", "10.0.0.1,fd00::1", "a space; both families" },
	{ VT_ADDRS, "10.0.1.0/28", "10.0.1.0/28", "network" },
	{ VT_ADDRS, "10.0.1.0-10.0.1.15", "10.0.1.0/28", "a range that is a network" },
	{ VT_ADDRS, "10.0.1.1-10.0.1.15", "10.0.1.1-10.0.1.15", "one that begins later" },
	{ VT_ADDRS, "::1-::3", "::1-::3", "one that ends like a network" },
	{ VT_ADDRS, "::4-::7", "::4/126", "IPv6 network" },
	{ VT_ADDRS, "10.0.0.7-10.0.0.7", "10.0.0.7", "a range of one" },
	{ VT_ADDRS, "10.0.0.255-10.0.1.0", "10.0.0.255-10.0.1.0", "across a byte" },
	{ VT_ADDRS, "10.0.0.0/22", "10.0.0.0/22", "as many as are allowed" },
	{ VT_ADDRS, "10.0.0.0/22,10.1.0.0", NULL, "too many addresses in it" },
	{ VT_ADDRS, "fd00::/64", NULL, "1024 addresses in all" },
	{ VT_ADDRS, "::/0", NULL, "too many addresses" },
	{ VT_ADDRS, "10.0.0.0/24,10.0.0.7", NULL, "no address may be in it twice" },
	{ VT_ADDRS, "10.0.0.9-10.0.0.1", NULL, "addresses, networks and ranges" },
	{ VT_ADDRS, "10.0.0.1-fd00::1", NULL, "as 10.0.0.2,10.0.1.0/28" },
	{ VT_ADDRS, "10.0.0.1/24", NULL, "\"10.0.0.1/24\" is not allowed" },
	{ VT_ADDRS, "10.0.0.1,", NULL, "addresses, networks" },
	{ VT_ADDRS, ",10.0.0.1", NULL, "addresses, networks" },
	{ VT_ADDRS, "10.0.0.1,,10.0.0.2", NULL, "addresses, networks" },
	{ VT_ADDRS, "10.0.0.1-", NULL, "addresses, networks" },
	{ VT_ADDRS, "web.example", NULL, "addresses, networks" },
	{ VT_U16, "65536", NULL, "1 to 65535" },
	{ VT_U16, "0", NULL, "1 to 65535" },
	{ VT_U16, "-1", NULL, "1 to 65535" },
	{ VT_U16, "+1", NULL, "1 to 65535" },
	{ VT_U16, " 1", NULL, "1 to 65535" },
	{ VT_U16, "1.0", NULL, "1 to 65535" },
	{ VT_U16, "0x10", NULL, "1 to 65535" },
	{ VT_U16, "", NULL, "1 to 65535" },
	{ VT_U32, "4294967295", "4294967295", "largest" },
	{ VT_U32, "18446744073709551617", NULL, "0 to 4294967295" },
	{ VT_DUR_MS, "1500ms", "1500ms", "milliseconds" },
	{ VT_DUR_MS, "2000ms", "2s", "largest unit that divides" },
	{ VT_DUR_MS, "90s", "90s", "not minutes" },
	{ VT_DUR_MS, "60m", "1h", "hours" },
	{ VT_DUR_MS, "24h", "1d", "days" },
	{ VT_DUR_MS, "0", "0s", "nothing needs no unit" },
	{ VT_DUR_MS, "0ms", "0s", "nothing" },
	{ VT_DUR_MS, "5", NULL, "0s to 30d; it needs a unit" },
	{ VT_DUR_MS, "31d", NULL, "0s to 30d" },
	{ VT_DUR_MS, "106751991168d", NULL, "0s to 30d" },
	{ VT_DUR_MS, "5 s", NULL, "0s to 30d" },
	{ VT_BYTES, "1024", "1K", "largest unit that divides" },
	{ VT_BYTES, "1025", "1025", "bytes" },
	{ VT_BYTES, "2048M", "2G", "gigabytes" },
	{ VT_BYTES, "1024T", "1024T", "largest" },
	{ VT_BYTES, "1025T", NULL, "0 to 1024T" },
	{ VT_BYTES, "9999999999T", NULL, "0 to 1024T" },
	{ VT_BYTES, "1KB", NULL, "0 to 1024T" },
	{ VT_PCT, "10", "10%", "without a sign" },
	{ VT_PCT, "100%", "100%", "all" },
	{ VT_PCT, "101%", NULL, "0% to 100%" },
	{ VT_SHARE, "25", "25%", "without a sign" },
	{ VT_SHARE, "100.00%", "100%", "all" },
	{ VT_SHARE, "0.01%", "0.01%", "the smallest" },
	{ VT_SHARE, "0.5", "0.5%", "one digit" },
	{ VT_SHARE, "12.05%", "12.05%", "a nought within" },
	{ VT_SHARE, "0%", "0%", "nothing" },
	{ VT_SHARE, "100.01%", NULL, "0% to 100%, in steps of 0.01%" },
	{ VT_SHARE, "0.001%", NULL, "in steps of 0.01%" },
	{ VT_SHARE, "1.", NULL, "in steps of 0.01%" },
	{ VT_SHARE, ".5", NULL, "in steps of 0.01%" },
	{ VT_SHARE, "-1", NULL, "in steps of 0.01%" },
	{ VT_SHARE, "9223372036854775807", NULL, "in steps of 0.01%" },
	{ VT_SHARE, "1%%", NULL, "in steps of 0.01%" },
	{ VT_SHARE, "", NULL, "in steps of 0.01%" },
	{ VT_DUR_S, "3600s", "1h", "largest unit that divides" },
	{ VT_DUR_S, "0", "0s", "nothing" },
	{ VT_DUR_S, "365d", "365d", "longer than milliseconds can say" },
	{ VT_DUR_S, "3651d", NULL, "0s to 3650d" },
	{ VT_DUR_S, "5ms", NULL, "0s to 3650d" },
	{ VT_DUR_S, "5", NULL, "it needs a unit: s, m, h or d" },
	{ VT_LINES, "", "", "none" },
	{ VT_LINES, "a\r\nb\n\tc", "a\nb\n\tc", "line ends of another system" },
	{ VT_LINES, "a\rb", NULL, "it has control characters" },
	{ VT_LINES, "a\x1b[m", NULL, "it has control characters" },
	{ VT_LINES, "\xff", NULL, "it is not valid UTF-8" },
	{ VT_LINES, "1234567890123", NULL, "at most 12 bytes of UTF-8" },
	{ VT_LINES, "123456\r\n90123", "123456\n90123", "as long as what is kept" },
	{ VT_PEM, "", "", "none" },
	{ VT_PEM, " \r\n", "", "nothing but space" },
	{ VT_PEM, BEGIN "\nAAAA\n" END "\n", BEGIN "\nAAAA\n" END "\n", "strict already" },
	{ VT_PEM, BEGIN "\r\nAA\r\nAA\r\n" END, BEGIN "\nAAAA\n" END "\n", "another system's" },
	{ VT_PEM, "Bag Attributes\n  x: y\n" BEGIN "\n AA==\n" END "\nend",
	    BEGIN "\nAA==\n" END "\n", "words around it" },
	{ VT_PEM, BEGIN A16 A16 A16 A16 "AAAA" END, BEGIN "\n" A16 A16 A16 A16 "\nAAAA\n" END "\n",
	    "lines of 64" },
	{ VT_PEM, BEGIN "\n" A16 A16 A16 A16 "\n" END "\n",
	    BEGIN "\n" A16 A16 A16 A16 "\n" END "\n", "a full line" },
	{ VT_PEM, BEGIN "AAAA" END BEGIN "A+/=" END,
	    BEGIN "\nAAAA\n" END "\n" BEGIN "\nA+/=\n" END "\n", "two" },
	{ VT_PEM, BEGIN A16 A16 A16 A16 A16 A16 A16 A16 A16 END, NULL, "at most 200 bytes" },
	{ VT_PEM, "AAAA", NULL, "\"... (4 bytes)\" is not allowed: nothing, or PEM" },
	{ VT_PEM, "AAAA", NULL, "there is no block in it" },
	{ VT_PEM, BEGIN "AAAA", NULL, "a block has no end" },
	{ VT_PEM, BEGIN "AAA" END, NULL, "not whole" },
	{ VT_PEM, BEGIN END, NULL, "not whole" },
	{ VT_PEM, BEGIN "A===" END, NULL, "not whole" },
	{ VT_PEM, BEGIN "AA=A" END, NULL, "not base64" },
	{ VT_PEM, BEGIN "A*AA" END, NULL, "not base64" },
	{ VT_PEM, BEGIN "AAAA-----END X509 CRL-----", NULL, "another end" },
	{ VT_PEM, "-----BEGIN X509 CRL-----AAAA-----END X509 CRL-----", NULL, "another kind" },
	{ VT_PEM, "-----BEGIN \nX-----AAAA", NULL, "no label" },
	{ VT_PEM, BEGIN "AAAA" END "-----BEGIN EC PRIVATE KEY-----c2VjcmV0-----END", NULL,
	    "lbctl cert import takes them" },
	{ VT_BOOL, "true", "yes", "true" },
	{ VT_BOOL, "on", "yes", "on" },
	{ VT_BOOL, "off", "no", "off" },
	{ VT_BOOL, "no", "no", "no" },
	{ VT_BOOL, "1", NULL, "yes, no" },
	{ VT_BOOL, "", NULL, "yes, no" },
	{ VT_TIME, "2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z", "UTC" },
	{ VT_TIME, "", "", "none" },
	{ VT_TIME, "2027-02-29T00:00:00Z", NULL, "2027-01-31T00:00:00Z" },
	{ VT_TIME, "2028-02-29T23:59:59Z", "2028-02-29T23:59:59Z", "leap year" },
	{ VT_TIME, "2027-01-31T24:00:00Z", NULL, "UTC" },
	{ VT_TIME, "2027-01-31T00:00:00+01:00", NULL, "UTC" },
	{ VT_TIME, "2027-01-31", NULL, "UTC" },
	{ VT_TIME, "1970-01-01T00:00:00Z", NULL, "UTC" },
	{ VT_TIME, "99999-01-01T00:00:00Z", NULL, "UTC" },
	{ VT_REF, "", "", "none" },
	{ VT_REF, "http", "http", "name" },
	{ VT_REF, "htp", NULL, "f: there is no check \"htp\"" },
	{ VT_SECRET, "", "", "none" },
	{ VT_SECRET, "@1", "@1", "row of the secrets file" },
	{ VT_SECRET, "@4294967296", NULL, "\"***\" is not allowed: 8 to 64" },
	{ VT_SECRET, "@0", NULL, "***" },
	{ VT_SECRET, "@", NULL, "***" },
	{ VT_SECRET, "@1x", NULL, "***" },
};

static void
test_value_rows(void **state)
{
	struct arena *a = arena_new(4096);
	struct buf b = { 0 };
	struct err err;
	struct cell c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct field *f = &fields[rows[i].type];
		int rc = value_parse(f, rows[i].text, &names, a, &c, &err);

		if (rows[i].shown == NULL) {
			if (rc != ERR_INVALID)
				fail_msg("type %d: \"%s\" was taken", rows[i].type, rows[i].text);
			if (strstr(err.text, rows[i].why) == NULL)
				fail_msg("\"%s\": no \"%s\" in: %s", rows[i].text, rows[i].why,
				    err.text);
			continue;
		}
		if (rc != 0)
			fail_msg("%s (%s)", err.text, rows[i].why);
		assert_int_equal(c.s == NULL, field_is_int(f));
		assert_true(c.s == NULL || strlen(c.s) == c.len);
		b.len = 0;
		value_format(f, &c, &names, &b);
		assert_string_equal(buf_text(&b), rows[i].shown);
	}
	buf_fini(&b);
	arena_unref(a);
}

static void
test_value_required(void **state)
{
	struct field f = fields[VT_ADDR];
	struct arena *a = arena_new(4096);
	struct err err;
	struct cell c;

	(void)state;
	assert_int_equal(value_parse(&f, "", NULL, a, &c, &err), 0);
	f.flags = F_REQUIRED;
	assert_int_equal(value_parse(&f, "", NULL, a, &c, &err), ERR_INVALID);
	assert_string_equal(err.text, "f: is required");
	assert_int_equal(value_parse(&f, "", NULL, a, &c, NULL), ERR_INVALID);
	arena_unref(a);
}

static void
test_value_show_long(void **state)
{
	struct buf b = { 0 };
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	value_show(text, &b);
	assert_int_equal(b.len, 83);
	assert_string_equal(buf_text(&b) + 78, "xx...");
	buf_fini(&b);
}

/* Cells that a peer, an older database or a damaged one may hold. */
static const struct {
	enum vtype type;
	struct cell c;
	const char *why;
} bad_cells[] = {
	{ VT_U16, { .i = 65536 }, "does not fit the member" },
	{ VT_U16, { .i = -1 }, "negative" },
	{ VT_U16, { .s = "1", .len = 1 }, "text for a number" },
	{ VT_U32, { .i = 1LL << 32 }, "does not fit the member" },
	{ VT_I16, { .i = INT16_MIN - 1 }, "does not fit the member" },
	{ VT_I16, { .i = INT16_MAX + 1 }, "does not fit the member" },
	{ VT_PCT, { .i = 256 }, "does not fit the member" },
	{ VT_BOOL, { .i = 2 }, "neither" },
	{ VT_BYTES, { .i = -5 }, "negative" },
	{ VT_ENUM, { .s = "blue", .len = 4 }, "unknown word" },
	{ VT_ENUM, { .i = 3 }, "number for a word" },
	{ VT_ADDR, { .s = "10.0.0", .len = 6 }, "no address" },
	{ VT_NET, { .s = "10.0.0.1/8", .len = 10 }, "no network" },
	{ VT_RANGES, { .s = "9-1", .len = 3 }, "no ranges" },
	{ VT_ADDRS, { .s = "10.0.0.2-10.0.0.1", .len = 17 }, "no range of addresses" },
	{ VT_TEXT, { .i = 0 }, "number for a text" },
};

static void
test_value_load_bad(void **state)
{
	struct arena *a = arena_new(4096);
	uint64_t member[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_cells); i++)
		if (value_load(&fields[bad_cells[i].type], &bad_cells[i].c, a, member) != -EINVAL)
			fail_msg("type %d: %s", bad_cells[i].type, bad_cells[i].why);
	arena_unref(a);
}

static void
test_value_load_members(void **state)
{
	struct arena *a = arena_new(4096);
	const struct object *o = object_of(KIND_server), *vip = object_of(KIND_service);
	struct server srv = { 0 };
	struct service svc = { 0 };
	struct cell c;

	(void)state;
	object_defaults(o, a, &srv);
	object_defaults(vip, a, &svc);
	assert_int_equal(srv.weight, 100);
	assert_int_equal(svc.mode, mode_http);
	assert_int_equal(service_layer(&svc), 7);
	assert_int_equal(svc.connect_timeout, 5000);
	assert_string_equal(svc.cookie, "LBDSRV");
	assert_int_equal(svc.ports->n, 0);
	assert_string_equal(srv.address.text, "");
	assert_int_equal(value_parse(field_find(o, "address"), "a.example", NULL, a, &c, NULL), 0);
	assert_int_equal(value_load(field_find(o, "address"), &c, a, &srv), 0);
	assert_int_equal(srv.address.addr.family, 0);
	assert_int_equal(value_parse(field_find(o, "address"), "10.0.0.7", NULL, a, &c, NULL), 0);
	assert_int_equal(value_load(field_find(o, "address"), &c, a, &srv), 0);
	assert_int_equal(srv.address.addr.family, 4);
	assert_int_equal(srv.address.addr.b[3], 7);
	assert_int_equal(value_parse(field_find(vip, "ports"), "80,90-99", NULL, a, &c, NULL), 0);
	assert_int_equal(value_load(field_find(vip, "ports"), &c, a, &svc), 0);
	assert_true(ranges_contain(svc.ports, 80) && ranges_contain(svc.ports, 99));
	assert_false(ranges_contain(svc.ports, 81) || ranges_contain(svc.ports, 100));
	assert_false(ranges_contain(NULL, 0));
	arena_unref(a);
}

static void
test_value_addrs_contain(void **state)
{
	static const struct {
		const char *address;
		bool in;
	} asked[] = { { "10.0.0.4", false }, { "10.0.0.5", true }, { "10.0.1.2", true },
		{ "10.0.1.3", false }, { "fd00::ffff", true }, { "fd00::1:0", false },
		{ "::a00:5", false } };
	const struct field *f = field_find(object_of(KIND_service), "more_addresses");
	struct arena *a = arena_new(4096);
	struct service svc = { 0 }, other = { 0 };
	struct addr at;
	struct cell c;

	(void)state;
	assert_int_equal(value_parse(f, "fd00::fff0/124,10.0.0.5-10.0.1.2", NULL, a, &c, NULL), 0);
	assert_int_equal(value_load(f, &c, a, &svc), 0);
	assert_int_equal(svc.more_addresses->n, 2);
	assert_int_equal(svc.more_addresses->total, 16 + 254);
	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		assert_int_equal(addr_parse(asked[i].address, ADDR_HOST, &at), 0);
		if (addrs_contain(svc.more_addresses, &at) != asked[i].in)
			fail_msg("%s", asked[i].address);
	}
	assert_false(addrs_contain(NULL, &at));
	assert_false(value_same(f, &svc, &other));
	assert_int_equal(value_load(f, &c, a, &other), 0);
	assert_true(value_same(f, &svc, &other));
	arena_unref(a);
}

static void
test_value_same_zeroed(void **state)
{
	struct service x = { 0 }, y = { 0 };
	const struct object *o = object_of(KIND_service);
	struct arena *a = arena_new(4096);

	(void)state;
	object_defaults(o, a, &y);
	for (unsigned i = 0; i < o->n; i++) {
		struct cell c;

		assert_true(value_same(&o->f[i], &x, &x));
		assert_true(value_same(&o->f[i], &y, &y));
		value_save(&o->f[i], &x, a, &c); /* no text in it: saved as empty, not followed */
	}
	assert_false(value_same(field_find(o, "cookie"), &x, &y));
	assert_false(value_same(field_find(o, "connect_timeout"), &x, &y));
	x = y;
	assert_int_equal(
	    value_load(field_find(o, "ports"), &(struct cell){ .s = "80", .len = 2 }, a, &x), 0);
	assert_false(value_same(field_find(o, "ports"), &x, &y));
	assert_int_equal(
	    value_load(field_find(o, "ports"), &(struct cell){ .s = "81", .len = 2 }, a, &y), 0);
	assert_false(value_same(field_find(o, "ports"), &x, &y));
	arena_unref(a);
}

static void
test_cell_take_bad(void **state)
{
	static const struct {
		uint8_t bytes[12];
		size_t n;
		const char *why;
	} bad[] = {
		{ { 0 }, 0, "nothing" },
		{ { 0, 0, 1, 2, 3 }, 5, "half a number" },
		{ { 0, 4, 'a', 'b', 0 }, 5, "shorter than its length" },
		{ { 0, 3, 'a', 'b', 'c' }, 5, "no NUL" },
		{ { 0, 4, 'a', 0, 'b', 0 }, 6, "a NUL in the middle" },
		{ { 0xff, 0xff, 0, 0, 0, 0 }, 6, "a long one of length 0" },
		{ { 0xff, 0xff, 0, 0, 0 }, 5, "half a long length" },
	};
	struct cell c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct rd r = { .p = bad[i].bytes, .left = bad[i].n };

		cell_take(&r, &c);
		if (!r.bad)
			fail_msg("%s", bad[i].why);
	}
}

/* Text that is longer than two bytes can say. */
static void
test_cell_large(void **state)
{
	static const uint32_t lengths[] = { 65533, 65534, 65535, 65536, 1 << 20 };
	char *text = malloc((1 << 20) + 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct cell c = { .s = text, .len = lengths[i] }, back;
		struct buf b = { 0 };
		struct rd r;

		memset(text, 'x', lengths[i]);
		text[lengths[i]] = '\0';
		cell_put(&b, &c);
		r = (struct rd){ .p = b.p, .left = b.len };
		cell_take(&r, &back);
		assert_true(!r.bad && r.left == 0 && cell_same(&c, &back));
		r = (struct rd){ .p = b.p, .left = b.len - 1 };
		cell_take(&r, &back);
		assert_true(r.bad);
		buf_fini(&b);
	}
	free(text);
}

static void
test_value_short(void **state)
{
	static const struct {
		enum vtype type;
		const char *text, *shown;
	} shorts[] = {
		{ VT_PEM, "", "" },
		{ VT_PEM, BEGIN "AAAA" END, "1 certificate" },
		{ VT_PEM, BEGIN "AAAA" END BEGIN "AAAA" END, "2 certificates" },
		{ VT_TEXT, "as it is", "as it is" },
		{ VT_LINES, "", "" },
		{ VT_LINES, "a\nb\n", "4 bytes" },
	};
	struct arena *a = arena_new(4096);
	struct buf b = { 0 };
	struct cell c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shorts); i++) {
		const struct field *f = &fields[shorts[i].type];

		assert_int_equal(value_parse(f, shorts[i].text, NULL, a, &c, NULL), 0);
		b.len = 0;
		value_short(f, &c, NULL, &b);
		assert_string_equal(buf_text(&b), shorts[i].shown);
	}
	buf_fini(&b);
	arena_unref(a);
}

/* What is refused may be a private key: nothing of it is repeated. */
static void
test_value_key_is_not_shown(void **state)
{
	struct arena *a = arena_new(4096);
	struct err err;
	struct cell c;

	(void)state;
	assert_int_equal(
	    value_parse(&fields[VT_PEM], "-----BEGIN PRIVATE KEY-----c2VjcmV0", NULL, a, &c, &err),
	    ERR_INVALID);
	assert_null(strstr(err.text, "c2VjcmV0"));
	arena_unref(a);
}

static void
test_words_nearest(void **state)
{
	static const char *const verbs[] = { "drain", "halt", "online", "weight" };
	static const struct {
		const char *text, *near;
	} pairs[] = {
		{ "drian", "drain" },
		{ "HALT", "halt" },
		{ "onlin", "online" },
		{ "wei", "weight" },
		{ "wieght", "weight" },
		{ "", NULL },
		{ "x", NULL },
		{ "completely", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const char *near = words_nearest(verbs, ARRAY_LEN(verbs), pairs[i].text);

		if (pairs[i].near == NULL)
			assert_null(near);
		else
			assert_string_equal(near, pairs[i].near);
	}
	assert_string_equal(schema_nearest(NULL, "virtual"), "vip");
	assert_string_equal(schema_nearest(NULL, "servr"), "rip");
	assert_string_equal(schema_nearest(object_of(KIND_service), "schedular"), "scheduler");
	assert_null(schema_nearest(object_of(KIND_service), "zzzzz"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value_rows),
		cmocka_unit_test(test_value_required),
		cmocka_unit_test(test_value_show_long),
		cmocka_unit_test(test_value_load_bad),
		cmocka_unit_test(test_value_load_members),
		cmocka_unit_test(test_value_addrs_contain),
		cmocka_unit_test(test_value_same_zeroed),
		cmocka_unit_test(test_cell_take_bad),
		cmocka_unit_test(test_cell_large),
		cmocka_unit_test(test_value_short),
		cmocka_unit_test(test_value_key_is_not_shown),
		cmocka_unit_test(test_words_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
