/* cert.h - what the cert commands share: keys of lbd-proxy, the row of a certificate. */
#ifndef LBCTL_CERT_H
#define LBCTL_CERT_H

#include "ctl.h"

#include "store/x509.h"

/* cert_put_key - to lbd-proxy, which keeps it. ERR_AWAY: it does not run. */
int cert_put_key(struct ctl *c, struct evp_pkey_st *key, struct err *err);
/* cert_keys - names of the keys that lbd-proxy keeps, in the arena, one behind the other with a space after each; NULL:
 * it does not run, or does not say. */
const char *cert_keys(struct ctl *c);
/* cert_save - chain and key of a certificate as one commit: a new one, or new fields of one that is there. chain NULL:
 * as it is. */
int cert_save(struct ctl *c, const char *name, const char *chain, const char *key, struct err *err);
/* cert_check_name - before a key is kept for it. ERR_INVALID. */
int cert_check_name(const char *name, struct err *err);
/* cert_staples - what responders say (OCSP), of certificates whose TLS settings have stapling; a list in the arena, NULL: of none,
 * or lbd-proxy does not answer. cert_staple_of - that of one certificate; NULL none. */
struct cert_staple {
	const struct cert_staple *next;
	uint32_t cert;
	int64_t made, until;		 /* seconds since 1970; 0: there is no word yet */
	const char *state, *url, *fault; /* as in STAPLE_IS; "" none */
};
const struct cert_staple *cert_staples(struct ctl *c);
const struct cert_staple *cert_staple_of(const struct cert_staple *all, uint32_t cert);
const struct cert *cert_by_name(struct ctl *c, const char *name); /* NULL */
/* cert_use - the nth (from 0) that names it, as "tls base" or "sni base/a". false: there are fewer. */
#define CERT_USE 170
bool cert_use(struct ctl *c, uint32_t id, unsigned nth, char out[CERT_USE]);
/* cert_form - cert show as JSON or YAML. */
void cert_form(struct ctl *c, const struct cert *k, bool yaml, struct buf *out);
/* cert_ask_request - a request to an authority, signed by lbd-proxy with a key that it has. ERR_UNKNOWN: it has not. */
int cert_ask_request(
    struct ctl *c, const char *key, const struct x509_wish *w, struct buf *out, struct err *err);
/* cert_left - "in 29 days", "2 days ago"; out holds 40. */
void cert_left(int64_t until, int64_t now, char out[40]);

#endif
