/* pieces.h - entries of lists to lbd-proxy and back. */
#ifndef LBCTL_PIECES_H
#define LBCTL_PIECES_H

#include "ctl.h"

#include "store/x509.h"

struct pieces_kept {
	char name[X509_HEX]; /* SHA-256 of their text */
	uint32_t entries;
};
/* pieces_put - a text of one entry a line. kind: enum list_kind. change: of the message LIST_PUT; base: what is changed, ""
 * none. ERR_AWAY: lbd-proxy does not run; ERR_INVALID, ERR_UNKNOWN: what it says. */
int pieces_put(struct ctl *c, unsigned kind, unsigned change, const char *base, const void *text,
    size_t len, struct pieces_kept *out, struct err *err);
/* pieces_get - the text. ERR_AWAY, ERR_UNKNOWN: its entries are not on this node. */
int pieces_get(struct ctl *c, const char *name, struct buf *out, struct err *err);

#endif
