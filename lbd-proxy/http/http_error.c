/* Answers of our own, as constant bytes: head and a one-line body. The lengths in them are written by hand and proved by
 * the compiler. They close the connection: after an error nobody can be sure where the next request begins. */
#include "base/must.h"
#include "http_msg.h"

/* status, words, length of the body */
#define ANSWERS                                         \
	ROW(400, "Bad Request", 16)                     \
	ROW(408, "Request Timeout", 20)                 \
	ROW(413, "Content Too Large", 22)               \
	ROW(414, "URI Too Long", 17)                    \
	ROW(417, "Expectation Failed", 23)              \
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

const char *
http_continue(size_t *len_out)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	*len_out = sizeof(text) - 1;
	return text;
}
