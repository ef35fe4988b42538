/* ocsp.h - what is asked of a responder about a certificate, and what its answer is worth. Pure, but for reading certificates. */
#ifndef LBD_PROXY_OCSP_H
#define LBD_PROXY_OCSP_H

#include <stddef.h>
#include <stdint.h>

/* ocsp_new - of a chain (PEM, leaf first). NULL with *why_out, constant: it cannot be asked. Control plane: memory ends the
 * process. ocsp_url - the responder that the certificate names; ocsp_request - the bytes to send; both borrowed. */
struct ocsp;
struct ocsp *ocsp_new(const char *chain, const char **why_out);
void ocsp_free(struct ocsp *o); /* NULL is fine */
const char *ocsp_url(const struct ocsp *o);
const uint8_t *ocsp_request(const struct ocsp *o, size_t *len_out);

enum ocsp_state { OCSP_NONE, OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };
struct ocsp_word {
	enum ocsp_state state; /* NONE: the answer does not count */
	int64_t made,
	    until;	 /* seconds since 1970; an answer that names no end counts for an hour */
	const char *why; /* of NONE; constant */
};
/* ocsp_read - an answer: signed by the issuer or by whom it lets sign, of this certificate, and of now (five minutes of
 * difference between clocks are allowed). Source: RFC 6960 sections 3.2, 4.2.2.2. */
void ocsp_read(
    const struct ocsp *o, const uint8_t *p, size_t len, int64_t now_s, struct ocsp_word *out);

#endif
