/* Lines of FTP: nothing is read behind a line, a port comes from a 227 or 229 alone, and what is said instead is said so again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lbd-proxy/stream/ftp_text.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ftp_replies replies = { 0 };
	struct addr at = { .family = 4, .len = 32 };

	while (size > 0) {
		const uint8_t *lf = memchr(data, '\n', size);
		size_t n = lf != NULL ? (size_t)(lf - data) + 1 : size;
		char *line = malloc(n), ours[FTP_SAY_MAX];
		unsigned code;
		uint16_t port;

		memcpy(line, data, n);
		if (ftp_asks(line, n) && ftp_instead(line, n) != NULL)
			abort();
		code = ftp_reply(&replies, line, n);
		port = ftp_port(code, line, n);
		if (port != 0) {
			size_t len = ftp_say(code, &at, port, ours);

			if ((code != 227 && code != 229) || len > FTP_SAY_MAX ||
			    ftp_port(code, ours, len) != port)
				abort();
		}
		free(line);
		data += n;
		size -= n;
	}
	return 0;
}
