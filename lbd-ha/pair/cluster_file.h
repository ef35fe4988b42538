/* cluster_file.h - what a node knows of the pair it belongs to, and the files that say so.
 *
 *	STATE/ha/cluster           the pair: its number and secret, this node's number, the other node
 *	STATE/ha/cluster.prepared  the same, of a pairing that does not count (yet)
 *	STATE/ha/peer.crt          certificate of the other node, DER
 *
 * A node is one of a pair when "cluster" is there and whole, and peer.crt has the key that it names. */
#ifndef HA_CLUSTER_FILE_H
#define HA_CLUSTER_FILE_H

#include "pair_code.h"

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"

#define CLUSTER_ADDRS 8
#define CLUSTER_NAME 64
#define CLUSTER_SECRET 32
#define CLUSTER_CERT 4096 /* longest certificate that is taken */

struct cluster {
	uint64_t id;
	uint8_t secret[CLUSTER_SECRET];
	uint8_t node;		      /* of this node: 1 or 2 */
	char peer_name[CLUSTER_NAME]; /* printable */
	uint8_t peer_key[FINGERPRINT_BYTES];
	uint16_t peer_port;
	unsigned addrs_n;
	struct addr
	    addrs[CLUSTER_ADDRS]; /* of the other node, in the order in which they are tried */
};

/* cluster_parse - the text of the file. false: anything is missing, twice, out of range or unknown to this build's
 * version of the file; out is then undefined. Pure. */
bool cluster_parse(const void *text, size_t len, struct cluster *out);
void cluster_format(const struct cluster *c, struct buf *out); /* holds the secret: wipe it */

/* cluster_learn - the other node came from a (family 0: it did not come, it was reached), calls itself name and listens on
 * port. true: that is news, and c says so now; the newest address is the first. Pure. */
bool cluster_learn(struct cluster *c, const struct addr *a, uint16_t port, const char *name);
/* cluster_name - a name as it is kept: printable, not "". Pure. */
void cluster_name(const char *text, char out[CLUSTER_NAME]);

/* The files. dir is STATE/ha; it is made (0700) by the first that writes. */
enum cluster_form { CLUSTER_COUNTS, CLUSTER_PREPARED };
/* cluster_read - with the certificate. -ENOENT: there is none; ERR_STORE: damaged, err says which file and the way
 * back. */
int cluster_read(const char *dir, enum cluster_form form, struct cluster *out, struct buf *cert,
    struct err *err);
/* cluster_prepare - both files, on disk when it returns 0. Nothing counts yet. */
int cluster_prepare(
    const char *dir, const struct cluster *c, const void *cert, size_t len, struct err *err);
/* cluster_commit - what was prepared counts from now on, also after a loss of power. */
int cluster_commit(const char *dir, struct err *err);
/* cluster_update - another address or name of the same peer: replaces "cluster" at once. */
int cluster_update(const char *dir, const struct cluster *c, struct err *err);
/* cluster_forget - a single node again; fine when it is one. What counts goes first. */
int cluster_forget(const char *dir, struct err *err);
/* cluster_drop_prepared - a pairing that did not come about. */
void cluster_drop_prepared(const char *dir);

/* file_put - for the identity too: write beside, fsync, rename, fsync the folder. Mode 0600. */
int file_put(const char *dir, const char *name, const void *p, size_t len, struct err *err);
/* file_get - at most most bytes. -ENOENT, or ERR_STORE with err. */
int file_get(const char *dir, const char *name, size_t most, struct buf *out, struct err *err);

#endif
