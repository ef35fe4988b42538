/* cookie_attributes.h - what browsers are told of a cookie, as in "Path=/; Secure; SameSite=Lax". Read for the check of a
 * commit. Pure. */
#ifndef SCHEMA_COOKIE_ATTRIBUTES_H
#define SCHEMA_COOKIE_ATTRIBUTES_H

#include "base/err.h"

/* cookie_attributes_check - whether a browser takes them.
 *
 * Each of Path, Domain, Secure, HttpOnly, SameSite, Partitioned and Max-Age at most once, names in any case, with
 * semicolons between them; SameSite=None and Partitioned need Secure, or browsers drop the cookie.
 *
 * Errors:   ERR_INVALID with the attribute, and what is allowed.
 * Source:   RFC 6265 section 4.1.1; RFC 6265bis section 5.6.7 (SameSite); CHIPS (Partitioned).
 */
int cookie_attributes_check(const char *text, struct err *err);

#endif
