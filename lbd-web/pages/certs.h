/* certs.h - the pages around certificates. */
#ifndef CERTS_H
#define CERTS_H

#include "web.h"

/* certs_request_page - a request to an authority, as PEM. */
void certs_request_page(struct call *c, const char *name, const char *pem);
void certs_delete_page(struct call *c, const struct cert *k); /* asks */

#endif
