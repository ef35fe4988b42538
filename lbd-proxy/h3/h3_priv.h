/* h3_priv.h - shared by h3_door.c (where connections begin), h3.c (how they live), h3_quic.c (packets, ngtcp2) and h3_http.c (streams,
 * nghttp3). */
#ifndef H3_PRIV_H
#define H3_PRIV_H

#include "h2/h2_front.h"
#include "h2/h2_priv.h"
#include "h3.h"
#include "net/io.h"

#include <gnutls/gnutls.h>
#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <sys/socket.h>

#define H3_CID 18      /* bytes of a connection id of ours */
#define H3_PACKET 1452 /* most of a datagram to a client: IPv6 and UDP in 1,500 */
#define H3_SECRET 32
#define H3_READS 64 /* datagrams of one socket in a turn */
#define H3_WRITES 64
#define H3_HALF_OPEN \
	64 /* handshakes of one door at once; beyond it addresses are verified first (Retry) */
#define H3_HALF_OPEN_MAX 1024 /* and no more are begun */
#define H3_BUCKETS 256

struct h3_door {
	struct io io;
	struct listener *l;
	unsigned half; /* handshakes that are not complete */
	struct list conns
	    [H3_BUCKETS]; /* by the client's address: what came before its own socket was there */
	uint8_t secret[H3_SECRET];
};

struct h3_conn {
	struct h2_conn front; /* first: conn.task */
	struct list link;     /* of the door; empty when that has gone */
	struct h3_door *door; /* NULL: it has gone */
	ngtcp2_conn *quic;
	nghttp3_conn *http; /* NULL: no keys yet */
	gnutls_session_t tls;
	ngtcp2_crypto_conn_ref ref;
	struct sockaddr_storage local, remote;
	ngtcp2_path path;
	ngtcp2_connection_close_error why;
	uint8_t secret[H3_SECRET];
	mono_t until;  /* of what it waits for; 0 */
	bool half;     /* counted in door->half */
	bool up;       /* the handshake is complete */
	bool failed;   /* why is to be told */
	uint16_t kept; /* bytes of a packet that the socket did not take */
	uint8_t packet[H3_PACKET];
};

/* h3_begin - a connection begins with that packet, which ngtcp2_accept took; odcid: after Retry. */
void h3_begin(struct h3_door *d, const ngtcp2_pkt_hd *hd, const uint8_t *p, size_t n,
    const struct sockaddr_storage *from, const ngtcp2_cid *odcid);
/* h3_packet - one more of its packets, that came to the door. */
void h3_packet(struct h3_conn *x, const uint8_t *p, size_t n);
/* h3_socket - bound as the door is, and connected to its client; counted among descriptors and clients. -errno: refused, and counted. */
int h3_socket(struct listener *l, const struct sockaddr_storage *from);
unsigned h3_bucket(const struct sockaddr_storage *from);

/* h3_quic_new - 0, -ENOMEM. h3_quic_in - 0; -ECONNRESET: it is over, nothing is to be said; -EPROTO: it is to be closed, x->why says
 * why. h3_quic_out - one packet into p: its length, 0: nothing now, -EPROTO. h3_quic_bye - the packet that closes it. */
int h3_quic_new(struct h3_conn *x, const ngtcp2_pkt_hd *hd, const ngtcp2_cid *odcid);
void h3_quic_free(struct h3_conn *x);
int h3_quic_in(struct h3_conn *x, const uint8_t *p, size_t n, mono_t now);
int h3_quic_expire(struct h3_conn *x, mono_t now);
ssize_t h3_quic_out(struct h3_conn *x, uint8_t *p, size_t room, mono_t now);
ssize_t h3_quic_bye(struct h3_conn *x, uint8_t *p, size_t room, mono_t now);
void h3_random(void *p, size_t n);

/* h3_http_begin - there are keys: streams of control are opened. 0 or -1. */
int h3_http_begin(struct h3_conn *x);
int h3_http_fail(
    struct h3_conn *x, int error); /* of nghttp3: x->why; NGTCP2_ERR_CALLBACK_FAILURE */
struct h2_stream *h3_http_stream(struct h3_conn *x, int64_t id);
extern const struct h2_wire h3_wire;

static inline struct h3_conn *
h3_of(const struct h2_session *h)
{
	return h2_session_host(h);
}
/* A stream's number here and there: 0 is none here. */
static inline int64_t
h3_id(const struct h2_stream *s)
{
	return ((int64_t)s->id - 1) * 4;
}

#endif
