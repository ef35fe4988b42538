/* What the lines of FTP say. A number has at most five digits; whatever is no such line is passed on by the caller. */
#include "ftp_text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
is_verb(const char *line, size_t n, const char *verb)
{
	size_t len = strlen(verb);

	return n > len && strncasecmp(line, verb, len) == 0 &&
	       (line[len] == ' ' || line[len] == '\r' || line[len] == '\n');
}

bool
ftp_asks(const char *line, size_t n)
{
	return is_verb(line, n, "PASV") || is_verb(line, n, "EPSV");
}

const char *
ftp_instead(const char *line, size_t n)
{
	if (is_verb(line, n, "PORT"))
		return "PORT 0,0,0,0,0,0\r\n";
	if (is_verb(line, n, "EPRT"))
		return "EPRT |1|0.0.0.0|0|\r\n";
	if (is_verb(line, n, "AUTH"))
		return "AUTH NONE\r\n";
	return NULL;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

unsigned
ftp_reply(struct ftp_replies *r, const char *line, size_t n)
{
	if (n < 4 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]))
		return 0;
	if (r->more) {
		if (line[3] != ' ' || memcmp(line, r->code, 3) != 0)
			return 0;
		r->more = false;
	} else if (line[3] == '-') {
		r->more = true;
		memcpy(r->code, line, 3);
		return 0;
	}
	return (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 +
	       (unsigned)(line[2] - '0');
}

/* A number at *p, which moves behind it; -1: none up to most. */
static long
number(const char **p, const char *end, long most)
{
	const char *q = *p;
	long v = 0;

	while (q < end && is_digit(*q) && q - *p < 5)
		v = v * 10 + (*q++ - '0');
	if (q == *p || v > most || (q < end && is_digit(*q)))
		return -1;
	*p = q;
	return v;
}

/* Six numbers with commas between, at p. */
static uint16_t
six(const char *p, const char *end)
{
	long v[6];

	for (unsigned i = 0; i < 6; i++) {
		v[i] = number(&p, end, 255);
		if (v[i] < 0 || (i < 5 && (p == end || *p++ != ',')))
			return 0;
	}
	return (uint16_t)(v[4] << 8 | v[5]);
}

/* (|||port|), with any delimiter. */
static uint16_t
extended(const char *p, const char *end)
{
	const char *open = memchr(p, '(', (size_t)(end - p));
	long v;

	if (open == NULL || end - open < 7)
		return 0;
	p = open + 1;
	if (p[0] < 33 || p[0] > 126 || is_digit(p[0]) || p[1] != p[0] || p[2] != p[0])
		return 0;
	open = p;
	p += 3;
	v = number(&p, end, 65535);
	return v > 0 && end - p >= 2 && p[0] == open[0] && p[1] == ')' ? (uint16_t)v : 0;
}

uint16_t
ftp_port(unsigned code, const char *line, size_t n)
{
	const char *end = line + n, *p = line + (n < 4 ? n : 4);

	if (code == 229)
		return extended(p, end);
	if (code != 227)
		return 0;
	/* RFC 1123 4.1.2.6: brackets or not, the first digit begins the address. */
	while (p < end && !is_digit(*p))
		p++;
	return six(p, end);
}

size_t
ftp_say(unsigned code, const struct addr *at, uint16_t port, char out[FTP_SAY_MAX])
{
	int n;

	if (port != 0 && code == 229)
		n = snprintf(
		    out, FTP_SAY_MAX, "229 Entering Extended Passive Mode (|||%u|)\r\n", port);
	else if (port != 0 && code == 227 && at->family == 4)
		n = snprintf(out, FTP_SAY_MAX, "227 Entering Passive Mode (%u,%u,%u,%u,%u,%u)\r\n",
		    at->b[0], at->b[1], at->b[2], at->b[3], port >> 8, port & 255u);
	else
		n = snprintf(out, FTP_SAY_MAX, "425 Cannot open data connection.\r\n");
	return (size_t)n;
}
