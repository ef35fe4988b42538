/* What one node tells another of its connections, as bytes.
 *
 * The kernel has no call to end a connection or a persistence template before its time. What it takes from the other
 * node of a pair, though, sets the time left of an entry that it has already; so a message that says "one second" to the
 * kernel's own receiver is such a call (conns/forget.c). Of an entry that is there only state, time left and whether it
 * counts as active are taken over; one that is gone meanwhile comes back for that second.
 *
 * Numbers are in network order; sizes count a connection with its options, without the padding to four bytes after it. */
#include "conns/sync.h"

#include "base/must.h"

#include <netinet/in.h>
#include <string.h>

#define HEAD 8
#define FIXED 24 /* of a connection, before the addresses */
#define VERSION 1
#define TYPE_V6 1
#define OPTION_PE_DATA 2
#define OPTION_PE_NAME 3
#define FLAG_INACTIVE 0x0100u /* IP_VS_CONN_F_INACTIVE */
#define FLAG_TEMPLATE 0x1000u /* IP_VS_CONN_F_TEMPLATE */
#define TCP_CLOSE 6	      /* enum of include/net/ip_vs.h */

void
sync_begin(struct buf *out, uint8_t id)
{
	buf_put_be(out, 0, 1); /* old receivers read a count of connections here */
	buf_put_be(out, id, 1);
	buf_put_be(out, HEAD, 2);
	buf_put_be(out, 0, 1);
	buf_put_be(out, VERSION, 1);
	buf_put_be(out, 0, 2);
}

static void
put_option(struct buf *out, unsigned type, const char *text)
{
	buf_put_be(out, type, 1);
	buf_put_be(out, strlen(text), 1);
	buf_puts(out, text);
}

static size_t
options_size(const struct entry *e)
{
	return e->pe_data[0] == '\0' ? 0 : 4 + strlen(e->pe) + strlen(e->pe_data);
}

static unsigned
state_of(const struct entry *e)
{
	if (e->template)
		return strcmp(e->state, "ASSURED") == 0;
	return e->protocol == IPPROTO_TCP ? TCP_CLOSE : 0;
}

bool
sync_put(struct buf *out, size_t start, const struct entry *e, uint32_t left_s)
{
	size_t bytes = e->client.family == 6 ? 16 : 4;
	size_t size = FIXED + 3 * bytes + options_size(e), padded = (size + 3) & ~(size_t)3;
	size_t len = out->len - start;
	unsigned n = out->p[start + 4];

	/* Connections between families are not synchronised by the kernel (ip_vs_sync_conn). */
	if (e->real.family != e->client.family || n == SYNC_MOST || len + padded > SYNC_DATAGRAM)
		return false;
	buf_put_be(out, e->client.family == 6 ? TYPE_V6 : 0, 1);
	buf_put_be(out, e->protocol, 1);
	buf_put_be(out, size, 2); /* version 0 of the entry in the upper four bits */
	buf_put_be(out, e->template ? FLAG_TEMPLATE : FLAG_INACTIVE, 4);
	buf_put_be(out, state_of(e), 2);
	buf_put_be(out, e->client_port, 2);
	buf_put_be(out, e->virtual_port, 2);
	buf_put_be(out, e->real_port, 2);
	buf_put_be(out, 0, 4);
	buf_put_be(out, left_s > 0 ? left_s : 1, 4);
	buf_put(out, e->client.b, bytes);
	buf_put(out, e->virtual.b, bytes);
	buf_put(out, e->real.b, bytes);
	if (options_size(e) > 0) {
		put_option(out, OPTION_PE_DATA, e->pe_data);
		put_option(out, OPTION_PE_NAME, e->pe);
	}
	buf_put_be(out, 0, (unsigned)(padded - size));
	buf_patch_be(out, start + 2, len + padded, 2);
	buf_patch_be(out, start + 4, n + 1, 1);
	return true;
}

bool
sync_add(struct sync_list *l, const struct entry *e, uint32_t left_s)
{
	size_t end = l->b.len;

	if (end > 0 && sync_put(&l->b, l->last, e, left_s))
		return true;
	sync_begin(&l->b, 0);
	if (!sync_put(&l->b, end, e, left_s)) {
		l->b.len = end;
		return false;
	}
	l->last = end;
	return true;
}

const uint8_t *
sync_message(struct sync_list *l, size_t *at, uint8_t id, size_t *len_out)
{
	uint8_t *p = l->b.p + *at;
	struct rd size = { l->b.p + *at + 2, 2, false };

	if (*at == l->b.len)
		return NULL;
	p[1] = id;
	*len_out = rd_be(&size, 2);
	*at += *len_out;
	must(*at <= l->b.len);
	return p;
}

void
sync_list_fini(struct sync_list *l)
{
	buf_fini(&l->b);
	*l = (struct sync_list){ 0 };
}
