/* Answers of our own, as constant bytes: head and a one-line body. The lengths in them are written by hand and proved by
 * the compiler. They close the connection: after an error nobody can be sure where the next request begins. */
#include "base/must.h"
#include "http_msg.h"

#include <stdio.h>
#include <string.h>

/* status, words, length of the body */
#define ANSWERS                                         \
	ROW(400, "Bad Request", 16)                     \
	ROW(403, "Forbidden", 14)                       \
	ROW(404, "Not Found", 14)                       \
	ROW(405, "Method Not Allowed", 23)              \
	ROW(408, "Request Timeout", 20)                 \
	ROW(410, "Gone", 9)                             \
	ROW(413, "Content Too Large", 22)               \
	ROW(414, "URI Too Long", 17)                    \
	ROW(417, "Expectation Failed", 23)              \
	ROW(429, "Too Many Requests", 22)               \
	ROW(451, "Unavailable For Legal Reasons", 34)   \
	ROW(431, "Request Header Fields Too Large", 36) \
	ROW(500, "Internal Server Error", 26)           \
	ROW(501, "Not Implemented", 20)                 \
	ROW(502, "Bad Gateway", 16)                     \
	ROW(503, "Service Unavailable", 24)             \
	ROW(504, "Gateway Timeout", 20)                 \
	ROW(505, "HTTP Version Not Supported", 31)

#define BODY(status, words) #status " " words "\n"
#define HEAD(status, words, length)                                                              \
	"HTTP/1.1 " #status " " words "\r\nContent-Type: text/plain\r\nContent-Length: " #length \
	"\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"

#define ROW(status, words, length) \
	_Static_assert(            \
	    sizeof(BODY(status, words)) - 1 == (length), "length of the body of " #status);
ANSWERS
#undef ROW

#define ROW(status, words, length)                                 \
	{ status, sizeof(HEAD(status, words, length)) - 1, length, \
		HEAD(status, words, length) BODY(status, words) },
static const struct answer {
	uint16_t status, head_len, body_len;
	const char *text;
} answers[] = { ANSWERS };
#undef ROW

const char *
http_error_answer(unsigned status, bool head, size_t *len_out)
{
	const struct answer *a = NULL;

	for (unsigned i = 0; i < ARRAY_LEN(answers); i++)
		if (answers[i].status == status || (a == NULL && answers[i].status == 500))
			a = &answers[i];
	*len_out = a->head_len + (head ? 0u : a->body_len);
	return a->text;
}

/* Host without the port; an IPv6 address keeps its brackets. */
static unsigned
host_len(const char *host, unsigned n)
{
	const char *end = n > 0 && host[0] == '[' ? memchr(host, ']', n) : memchr(host, ':', n);

	if (end == NULL)
		return n;
	return (unsigned)(end - host) + (host[0] == '[');
}

size_t
http_redirect_answer(unsigned status, const char *buf, const struct h1_head *h, char *out)
{
	unsigned path = (unsigned)(h->target_off + h->target_len - h->path_off);
	const char *words = status == 301   ? "Moved Permanently"
			    : status == 302 ? "Found"
			    : status == 307 ? "Temporary Redirect"
					    : "Permanent Redirect";
	unsigned host = host_len(buf + h->host_off, h->host_len);
	bool asterisk = h->form == H1_ASTERISK;
	int n;

	if (host == 0 || host > 512)
		return 0;
	n = snprintf(out, HTTP_REDIRECT_MAX,
	    "HTTP/1.1 %u %s\r\nLocation: https://%.*s%s%.*s\r\nContent-Length: 0\r\n"
	    "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
	    status, words, (int)host, buf + h->host_off,
	    asterisk || path == 0 || buf[h->path_off] == '?' ? "/" : "", asterisk ? 0 : (int)path,
	    buf + h->path_off);
	must(n > 0 && n < HTTP_REDIRECT_MAX);
	return (size_t)n;
}

/* What people see of a service of layer 4 that has no server left. No script, no picture, nothing that is fetched. */
#define PAGE                                                                                             \
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"                            \
	"<meta name=\"viewport\" content=\"width=device-width\">"                                        \
	"<title>Service unavailable</title></head>\n"                                                    \
	"<body style=\"font-family: sans-serif; max-width: 32em; margin: 20vh auto; padding: 0 1em\">\n" \
	"<h1>Service unavailable</h1>\n"                                                                 \
	"<p>This service is being looked after. Please try again in a few minutes.</p>\n"                \
	"</body>\n</html>\n"
#define PAGE_LENGTH 368
#define PAGE_HEAD(length)                                                                \
	"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\n" \
	"Content-Length: " #length "\r\nRetry-After: 60\r\nCache-Control: no-store\r\n"  \
	"Connection: close\r\n\r\n"
#define PAGE_HEAD_OF(length) PAGE_HEAD(length)
_Static_assert(sizeof(PAGE) - 1 == PAGE_LENGTH, "length of the fallback page");

const char *
http_page_answer(bool head, size_t *len_out)
{
	static const char text[] = PAGE_HEAD_OF(PAGE_LENGTH) PAGE;

	*len_out = sizeof(text) - 1 - (head ? PAGE_LENGTH : 0);
	return text;
}

const char *
http_continue(size_t *len_out)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	*len_out = sizeof(text) - 1;
	return text;
}
