/* What one node tells another of its connections, as bytes: what the kernel shall know (sync_keep), and what it shall forget.
 *
 * The kernel has no call to end a connection or a persistence template before its time. What it takes from the other
 * node of a pair, though, sets the time left of an entry that it has already; so a message that says "one second" to the
 * kernel's own receiver is such a call (conns/forget.c). Of an entry that is there only state, time left and whether it
 * counts as active are taken over; one that is gone meanwhile comes back for that second.
 *
 * The kernel shows a connection's time left and not its whole timeout; the first packet that follows sets that anew, and
 * of a template the next connection does. It shows nothing of the shift of sequence numbers that FTP through NAT has.
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
#define FLAG_NO_CPORT 0x0800u /* IP_VS_CONN_F_NO_CPORT: FTP expects it */
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

struct sync_as { /* what the kernel shall take it for */
	uint32_t flags, mark, left_s;
	unsigned state;
};

static unsigned
state_of(const struct entry *e)
{
	if (e->template)
		return strcmp(e->state, "ASSURED") == 0;
	return e->protocol == IPPROTO_TCP ? TCP_CLOSE : 0;
}

static void
put_fixed(struct buf *out, const struct entry *e, const struct sync_as *as, size_t size)
{
	buf_put_be(out, e->client.family == 6 ? TYPE_V6 : 0, 1);
	buf_put_be(out, e->protocol, 1);
	buf_put_be(out, size, 2); /* version 0 of the entry in the upper four bits */
	buf_put_be(out, as->flags, 4);
	buf_put_be(out, as->state, 2);
	buf_put_be(out, e->client_port, 2);
	buf_put_be(out, e->virtual_port, 2);
	buf_put_be(out, e->real_port, 2);
	buf_put_be(out, as->mark, 4);
	buf_put_be(out, as->left_s > 0 ? as->left_s : 1, 4);
}

static bool
put_entry(struct buf *out, size_t start, const struct entry *e, const struct sync_as *as)
{
	size_t bytes = e->client.family == 6 ? 16 : 4;
	size_t size = FIXED + 3 * bytes + options_size(e), padded = (size + 3) & ~(size_t)3;
	size_t len = out->len - start;
	unsigned n = out->p[start + 4];

	/* Connections between families are not synchronised by the kernel (ip_vs_sync_conn). */
	if (!sync_can(e) || n == SYNC_MOST || len + padded > SYNC_DATAGRAM)
		return false;
	put_fixed(out, e, as, size);
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
sync_can(const struct entry *e)
{
	return e->real.family == e->client.family;
}

bool
sync_put(struct buf *out, size_t start, const struct entry *e, uint32_t left_s)
{
	const struct sync_as as = { .flags = e->template ? FLAG_TEMPLATE : FLAG_INACTIVE,
		.state = state_of(e),
		.left_s = left_s };

	return put_entry(out, start, e, &as);
}

/* Numbers of the states, enum of include/net/ip_vs.h; their names as the kernel shows them. */
static const char *const tcp_states[] = { "NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT",
	"TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "SYNACK" };
static const char *const sctp_states[] = { "NONE", "INIT1", "INIT", "COOKIE_SENT", "COOKIE_REPLIED",
	"COOKIE_WAIT", "COOKIE", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT",
	"SHUTDOWN_RECEIVED", "SHUTDOWN_ACK_SENT", "REJECTED", "CLOSED" };

/* -1: a name that no kernel known has. */
static int
number_of(const char *const *names, size_t n, const char *state)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], state) == 0)
			return (int)i;
	return -1;
}

static int
state_number(const struct entry *e)
{
	if (e->protocol == IPPROTO_TCP)
		return number_of(tcp_states, ARRAY_LEN(tcp_states), e->state);
	if (e->protocol == IPPROTO_SCTP)
		return number_of(sctp_states, ARRAY_LEN(sctp_states), e->state);
	return 0;
}

bool
sync_worth(const struct entry *e)
{
	static const char *const under_way[] = { "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT",
		"LAST_ACK", "LISTEN", "SHUTDOWN_SENT", "SHUTDOWN_RECEIVED", "SHUTDOWN_ACK_SENT" };

	if (!sync_can(e))
		return false;
	if (e->template || (e->protocol != IPPROTO_TCP && e->protocol != IPPROTO_SCTP))
		return true;
	return number_of(under_way, ARRAY_LEN(under_way), e->state) != -1;
}

bool
sync_keep(
    struct buf *out, size_t start, const struct entry *e, uint32_t mark, enum ipvs_forward forward)
{
	struct sync_as as = { .flags = (uint32_t)forward, .mark = mark, .left_s = e->left_s };

	if (e->template) {
		as.flags |= FLAG_TEMPLATE;
		as.state = state_of(e);
		return put_entry(out, start, e, &as);
	}
	as.state = (unsigned)state_number(e);
	/* Of UDP the kernel counts none as active; of the others those that are established. */
	if (strcmp(e->state, "ESTABLISHED") != 0)
		as.flags |= FLAG_INACTIVE;
	if (e->client_port == 0)
		as.flags |= FLAG_NO_CPORT;
	return put_entry(out, start, e, &as);
}

bool
sync_next(struct rd *from, const uint8_t **p_out, size_t *len_out, unsigned *entries_out)
{
	struct rd head = *from;

	(void)rd_be(&head, 2);
	*len_out = (size_t)rd_be(&head, 2);
	*entries_out = (unsigned)rd_be(&head, 1);
	if (head.bad || *len_out < HEAD || *len_out > SYNC_DATAGRAM)
		return false;
	*p_out = rd_bytes(from, *len_out);
	return *p_out != NULL;
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
