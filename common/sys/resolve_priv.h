/* resolve_priv.h - what the files resolve*.c share: c-ares behind one function, and who gets which place. */
#ifndef SYS_RESOLVE_PRIV_H
#define SYS_RESOLVE_PRIV_H

#include "resolve.h"

#define DNS_ROWS \
	256 /* addresses, or records of SRV times their addresses, of one answer; more are left out */

struct dns_row {
	struct addr addr; /* family 0: the host of an SRV record could not be looked up this time */
	uint16_t port, weight, priority; /* of SRV; else 0 */
	char host[RESOLVE_HOST];	 /* target of SRV; else "" */
};
struct dns_answer {
	const char *why; /* NULL: it is one; else nothing below counts */
	dur_t ttl;	 /* shortest of all that took part */
	unsigned n;
	struct dns_row row[DNS_ROWS]; /* no two with the same address and port */
};

struct dns;
struct dns *dns_new(struct loop *l);
void dns_free(struct dns *d); /* questions that are out end with a reason */
/* dns_ask - addresses of a name, or the places of its SRV records. fn is called once, maybe from within; the answer is
 * borrowed. 0; -EAGAIN: too many questions are out; -ENODEV: the resolver cannot be set up. */
typedef void (*dns_fn)(void *arg, const struct dns_answer *a);
int dns_ask(struct dns *d, const char *name, bool srv, dns_fn fn, void *arg);

/* resolve_share - n places among m keys, each to one at most: out[i] is the place of key[i], -1 none. Follows from keys and
 * places alone, whatever their order, so all who get the same answer share it in the same way; another place in the answer
 * moves few keys. Pure. */
void resolve_share(
    const uint32_t *key, unsigned m, const struct dns_row *place, unsigned n, int *out);

/* resolve_keep.c: what names stood for, in a file. */
struct dns_kept_name {
	char name[RESOLVE_HOST];
	bool srv;
	int64_t good; /* seconds since 1970 */
	unsigned n;
	struct dns_row *row;
};
struct dns_kept {
	unsigned n;
	struct dns_kept_name *name;
};
#define DNS_KEPT_PATH 320
/* dns_kept_read - into a zeroed one; without a file it stays empty. 0; -EBADMSG: it is damaged; or -errno. */
int dns_kept_read(const char *path, struct dns_kept *out);
/* dns_kept_parse - the same of text, which is changed. False: damaged, out is empty. */
bool dns_kept_parse(char *text, struct dns_kept *out);
const struct dns_kept_name *dns_kept_find(const struct dns_kept *k, const char *name, bool srv);
void dns_kept_free(struct dns_kept *k);
/* dns_kept_begin, _put for each name, _write: adds the end, makes the folder (0700), replaces the file. 0 or -errno. */
struct buf;
void dns_kept_begin(struct buf *b);
void dns_kept_put(
    struct buf *b, const char *name, bool srv, int64_t good, const struct dns_row *row, unsigned n);
int dns_kept_write(const char *folder, const char *path, struct buf *b);

#endif
