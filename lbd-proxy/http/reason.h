/* reason.h - the words beside a status. */
#ifndef LBD_PROXY_REASON_H
#define LBD_PROXY_REASON_H

/* http_reason - reason phrase of a status (RFC 9110 section 15); one that is not known gets the words of its class. */
const char *http_reason(unsigned status);

#endif
