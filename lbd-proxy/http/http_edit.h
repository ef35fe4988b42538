/* http_edit.h - what content rules change in a head, beside what a proxy changes anyway: applied by http_plan_request and
 * http_plan_answer. Text is borrowed until the plan was written. */
#ifndef HTTP_EDIT_H
#define HTTP_EDIT_H

#include "h1_parse.h"

#define HTTP_CHANGES_MAX 32 /* values that are replaced; more is as it came */
#define HTTP_ADDED_MAX 32   /* field lines that are added */

struct http_edits {
	uint64_t cut[H1_HEADERS_MAX / 64]; /* a bit for each field line that is left out */
	uint8_t changed_n, added_n;
	struct http_change {
		uint8_t line;
		uint32_t len;
		const char *text; /* the new value */
	} changed[HTTP_CHANGES_MAX];
	struct http_added {
		uint32_t name_len, len;
		const char *text; /* complete, with CRLF */
	} added[HTTP_ADDED_MAX];
	const char *target; /* path and query of a request; NULL: as it came */
	uint32_t target_len;
};

static inline bool
http_edit_cuts(const struct http_edits *e, unsigned line)
{
	return (e->cut[line / 64] >> line % 64 & 1) != 0;
}

#endif
