/* media.h - media types (RFC 9110 section 8.3.1) against a list of patterns: field compress_types. Pure. */
#ifndef SCHEMA_MEDIA_H
#define SCHEMA_MEDIA_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* media_list_check - text, as text/plain,application/x+json, where a star stands for any characters. 0, or ERR_INVALID with a
 * reason; err may be NULL. */
int media_list_check(const char *list, struct err *err);
/* media_list_match - whether a Content-Type, with or without parameters, is one of the list; letters are alike in both cases. */
bool media_list_match(const char *list, const char *type, size_t len);
/* media_is_type - whether text is a media type, with or without parameters. */
bool media_is_type(const char *text);

#endif
