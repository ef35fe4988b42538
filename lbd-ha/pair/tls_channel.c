/* tls_channel.c - one connection of TLS 1.3 between two nodes, non-blocking on the loop.
 *
 * There are two proofs and no third. By certificate: both sides present theirs, and each compares the other's, byte for
 * byte, with the one it has pinned; chains, names and dates are not looked at, so no authority and no clock can open
 * the door. By code: an external pre-shared key made from the one-time code (RFC 8446 section 4.2.11) with a
 * Diffie-Hellman exchange, so who records it learns nothing when the code is known later, and who guesses has one try
 * a connection. A client that offers a code accepts no certificate. Renegotiation, tickets, early data and older
 * versions do not exist here.
 *
 * On the stream there are packets (packet.c). Reading takes at most READ_TURN records a turn, so one end cannot starve
 * the loop. Little waits in the kernel (TCP_NOTSENT_LOWAT), so that what is urgent can still be put in front of what is
 * not by who owns the queues (peer_channel.c). Decoding, queues of their own, pings and reconnecting are not here. */
#include "tls_channel.h"

#include "cluster_file.h"

#include "base/addr.h"
#include "base/mem.h"
#include "base/must.h"
#include "sys/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TLS_MAGIC 0x7150c4a1
#define TLS_FINISH DUR_S(2)
#define READ_TURN 32	      /* records read in one turn */
#define RECORD 16384	      /* most plain bytes of a record (RFC 8446 section 5.1) */
#define LOW_WATER (64 * 1024) /* bytes that wait in the kernel, beside those that are under way */
#define SUITE "TLS_AES_256_GCM_SHA384"

static const uint8_t suite_id[] = { 0x13, 0x02 }, code_name[] = "lbd-pair-1";

struct tls_channel {
	uint32_t magic;
	struct loop *loop;
	struct tls_proof proof;
	const struct tls_channel_ops *ops;
	void *arg;
	int fd;
	bool server, connecting, up, tried, ended, freed;
	bool write_waits; /* writing goes on when something was read */
	SSL_CTX *ctx;
	SSL *ssl;
	struct loop_fd io;
	struct loop_timer shake;
	struct loop_last last; /* of one that only finishes: it has no owner */
	struct buf in, out;
	size_t sent;
	uint8_t key[TLS_CODE_KEY];
	uint8_t pin[CLUSTER_CERT];
};

static void
free_later(void *arg)
{
	struct tls_channel *t = arg;

	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	buf_fini(&t->in);
	if (t->out.p != NULL)
		OPENSSL_cleanse(t->out.p, t->out.len);
	buf_fini(&t->out);
	OPENSSL_cleanse(t->key, sizeof(t->key));
	t->magic = 0;
	free(t);
}

static void
shut(struct tls_channel *t)
{
	if (t->fd == -1)
		return;
	loop_timer_fini(&t->shake);
	loop_fd_fini(&t->io);
	(void)close(t->fd);
	t->fd = -1;
}

static void
ended(struct tls_channel *t, enum tls_end end, const char *text)
{
	if (t->ended || t->freed)
		return;
	t->ended = true;
	shut(t);
	t->ops->closed(t->arg, end, text);
}

/* ---- proofs ---------------------------------------------------------------------------------------------------- */

/* All of the verification: is it the one certificate? */
static int
on_verify(X509_STORE_CTX *store, void *arg)
{
	const struct tls_channel *t = arg;
	X509 *x = X509_STORE_CTX_get0_cert(store);
	uint8_t *der = NULL;
	int len = x != NULL ? i2d_X509(x, &der) : 0, same;

	same = t->proof.pin != NULL && len > 0 && (size_t)len == t->proof.pin_len &&
	       CRYPTO_memcmp(der, t->pin, (size_t)len) == 0;
	OPENSSL_free(der);
	if (!same)
		X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return same;
}

static SSL_SESSION *
code_session(struct tls_channel *t, SSL *ssl)
{
	const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, suite_id);
	SSL_SESSION *s = SSL_SESSION_new();

	must(suite != NULL && s != NULL);
	must(SSL_SESSION_set1_master_key(s, t->key, sizeof(t->key)) == 1 &&
	     SSL_SESSION_set_cipher(s, suite) == 1 &&
	     SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1);
	return s;
}

static int
on_code_use(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len, SSL_SESSION **out)
{
	struct tls_channel *t = SSL_get_app_data(ssl);

	*out = NULL;
	if (md != NULL && EVP_MD_get_type(md) != NID_sha384)
		return 0; /* not after a retry that wants another suite */
	*id = code_name;
	*id_len = sizeof(code_name) - 1;
	*out = code_session(t, ssl);
	return 1;
}

static int
on_code_find(SSL *ssl, const unsigned char *id, size_t len, SSL_SESSION **out)
{
	struct tls_channel *t = SSL_get_app_data(ssl);

	*out = NULL;
	if (t->proof.code_key == NULL || len != sizeof(code_name) - 1 ||
	    memcmp(id, code_name, len) != 0)
		return 1; /* go on without it: by certificate */
	t->tried = true;
	*out = code_session(t, ssl);
	return 1;
}

static void
make_session(struct tls_channel *t)
{
	char groups[] = "X25519:P-256"; /* not const: the macro casts it */
	SSL_CTX *c = SSL_CTX_new(t->server ? TLS_server_method() : TLS_client_method());

	must(c != NULL && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
	     SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
	     SSL_CTX_set_ciphersuites(c, SUITE) == 1 && SSL_CTX_set1_groups_list(c, groups) == 1 &&
	     SSL_CTX_use_certificate(c, tls_identity_x509(t->proof.me)) == 1 &&
	     SSL_CTX_use_PrivateKey(c, tls_identity_key(t->proof.me)) == 1);
	(void)SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_num_tickets(c, 0);
	(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(c, on_verify, t);
	/* A server that asks for certificates takes a pre-shared key only with such a name; a client must have none. */
	if (t->server)
		(void)SSL_CTX_set_session_id_context(c, code_name, sizeof(code_name) - 1);
	if (t->server)
		SSL_CTX_set_psk_find_session_callback(c, on_code_find);
	else if (t->proof.code_key != NULL)
		SSL_CTX_set_psk_use_session_callback(c, on_code_use);
	t->ctx = c;
	t->ssl = SSL_new(c);
	must(t->ssl != NULL && SSL_set_app_data(t->ssl, t) == 1 && SSL_set_fd(t->ssl, t->fd) == 1);
	if (t->server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void
want(struct tls_channel *t, bool write)
{
	if (t->fd != -1)
		loop_fd_want(&t->io, LOOP_READ | (write ? LOOP_WRITE : 0));
}

/* It was us who refused. */
static bool
is_stranger(int reason)
{
	return reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
	       reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
}

/* What OpenSSL said: true, it only waits; false, this was the end, and the owner knows. */
static bool
waits(struct tls_channel *t, int result, bool writing)
{
	int why = SSL_get_error(t->ssl, result), fault = errno;
	unsigned long code = ERR_peek_error();
	const char *text;

	ERR_clear_error();
	switch (why) {
	case SSL_ERROR_WANT_READ:
		t->write_waits |= writing;
		if (writing || !t->up)
			want(t, false);
		return true;
	case SSL_ERROR_WANT_WRITE: want(t, true); return true;
	case SSL_ERROR_ZERO_RETURN:
		ended(t, TLS_END_LOST, "closed by the other node");
		return false;
	case SSL_ERROR_SSL:
		if (ERR_GET_REASON(code) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			text = ERR_reason_error_string(code);
			ended(t,
			    is_stranger(ERR_GET_REASON(code)) ? TLS_END_STRANGER : TLS_END_REFUSED,
			    text != NULL ? text : "refused");
			return false;
		}
		fault = 0;
		/* fallthrough */
	default:
		ended(t, TLS_END_LOST, fault != 0 ? strerror(fault) : "closed by the other node");
		return false;
	}
}

static void
flush(struct tls_channel *t)
{
	bool had = t->sent < t->out.len;

	while (t->fd != -1 && t->sent < t->out.len) {
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_write(t->ssl, t->out.p + t->sent, (int)(t->out.len - t->sent));
		if (n <= 0) {
			if (waits(t, n, true) && t->sent > RECORD * 4) {
				memmove(t->out.p, t->out.p + t->sent, t->out.len - t->sent);
				t->out.len -= t->sent;
				t->sent = 0;
			}
			return;
		}
		t->sent += (size_t)n;
	}
	if (t->fd == -1)
		return;
	t->out.len = t->sent = 0;
	want(t, false);
	if (had && t->ops->drained != NULL)
		t->ops->drained(t->arg);
}

/* Whole packets of what has come; the owner may free the channel in any of them. */
static void
hand_out(struct tls_channel *t)
{
	struct rd r = { .p = t->in.p, .left = t->in.len };
	const uint8_t *p;
	size_t len;
	int got = 0;

	while (t->fd != -1 && !t->freed && (got = packet_take(&r, &p, &len)) == 1)
		t->ops->packet(t->arg, p, len);
	if (t->fd == -1 || t->freed)
		return;
	if (got == ERR_PROTO) {
		ended(t, TLS_END_BROKEN, "a length that no packet has");
		return;
	}
	memmove(t->in.p, r.p, r.left);
	t->in.len = r.left;
}

static void
read_some(struct tls_channel *t)
{
	uint8_t record[RECORD];

	for (int i = 0; i < READ_TURN && t->fd != -1 && !t->freed; i++) {
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_read(t->ssl, record, sizeof(record));
		if (n <= 0) {
			(void)waits(t, n, false);
			return;
		}
		buf_put(&t->in, record, (size_t)n);
		hand_out(t);
	}
}

static void
shake_hands(struct tls_channel *t)
{
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(t->ssl);
	if (n != 1) {
		(void)waits(t, n, false);
		return;
	}
	t->up = true;
	loop_timer_cancel(&t->shake);
	want(t, false);
	/* Only an external key can have been resumed: there are no tickets. */
	t->ops->up(t->arg, SSL_session_reused(t->ssl) == 1);
	if (t->fd != -1 && !t->freed)
		flush(t);
}

static void
on_io(void *arg, unsigned ready)
{
	struct tls_channel *t = arg;
	int code;

	must_obj(t, TLS_MAGIC);
	if (t->connecting) {
		code = sock_error(t->fd);
		if (code != 0) {
			ended(t, TLS_END_LOST, strerror(-code));
			return;
		}
		t->connecting = false;
		if (t->ops->reached != NULL)
			t->ops->reached(t->arg);
		if (t->fd == -1 || t->freed)
			return;
	}
	if (!t->up) {
		shake_hands(t);
		if (!t->up || t->fd == -1 || t->freed)
			return;
		ready |=
		    LOOP_READ; /* what came with the end of the handshake is inside OpenSSL already */
	}
	if ((ready & LOOP_READ) != 0)
		read_some(t);
	if (t->fd != -1 && !t->freed && ((ready & LOOP_WRITE) != 0 || t->write_waits)) {
		t->write_waits = false;
		flush(t);
	}
}

static void
on_late(void *arg)
{
	struct tls_channel *t = arg;
	char text[64];

	must_obj(t, TLS_MAGIC);
	(void)snprintf(text, sizeof(text), "no answer in %d s", (int)(TLS_SHAKE / DUR_S(1)));
	ended(t, TLS_END_LOST, text);
}

/* ---- a channel that only has to get rid of what was given to it ---- */

static void
finish_packet(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
}

static void
finish_drained(void *arg)
{
	tls_channel_free(arg);
}

static void
finish_closed(void *arg, enum tls_end end, const char *text)
{
	(void)end;
	(void)text;
	tls_channel_free(arg);
}

void
tls_channel_finish(struct tls_channel *t)
{
	static const struct tls_channel_ops ops = {
		.packet = finish_packet, .drained = finish_drained, .closed = finish_closed
	};

	if (t == NULL)
		return;
	must_obj(t, TLS_MAGIC);
	if (!t->up || t->fd == -1 || t->freed || t->sent == t->out.len) {
		tls_channel_free(t);
		return;
	}
	tls_channel_own(t, &ops, t);
	loop_last(&t->last, t->loop, finish_drained, t);
	loop_timer_set(&t->shake, TLS_FINISH);
}

static void
set(int fd, int level, int name, int value)
{
	/* Without one of these a dead node is noticed by the pings, only later. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

struct tls_channel *
tls_channel_start(struct loop *l, int fd, bool server, const struct tls_proof *proof,
    const struct tls_channel_ops *ops, void *arg)
{
	struct tls_channel *t = mem_alloc(sizeof(*t));

	*t = (struct tls_channel){ .magic = TLS_MAGIC, .loop = l, .proof = *proof, .ops = ops };
	t->arg = arg;
	t->fd = fd;
	t->server = server;
	t->connecting = !server;
	must(proof->pin_len <= sizeof(t->pin));
	if (proof->pin != NULL)
		memcpy(t->pin, proof->pin, proof->pin_len);
	if (proof->code_key != NULL)
		memcpy(t->key, proof->code_key, sizeof(t->key));
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 2);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TLS_SILENT_MS);
	set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, LOW_WATER);
	make_session(t);
	loop_fd_init(&t->io, l, fd, on_io, t);
	loop_timer_init(&t->shake, l, on_late, t);
	loop_timer_set(&t->shake, TLS_SHAKE);
	loop_fd_want(&t->io, server ? LOOP_READ : LOOP_WRITE);
	return t;
}

void
tls_channel_free(struct tls_channel *t)
{
	if (t == NULL)
		return;
	must_obj(t, TLS_MAGIC);
	if (t->freed)
		return;
	if (t->up && t->fd != -1) {
		ERR_clear_error();
		(void)SSL_shutdown(
		    t->ssl); /* says that this is the end; the answer is not waited for */
		ERR_clear_error();
	}
	t->freed = true;
	loop_last_not(&t->last);
	shut(t);
	loop_defer(t->loop, free_later, t);
}

void
tls_channel_own(struct tls_channel *t, const struct tls_channel_ops *ops, void *arg)
{
	must_obj(t, TLS_MAGIC);
	t->ops = ops;
	t->arg = arg;
}

void
tls_channel_put(struct tls_channel *t, const void *p, size_t len)
{
	bool idle = t->sent == t->out.len;

	must_obj(t, TLS_MAGIC);
	if (t->fd == -1)
		return;
	buf_put(&t->out, p, len);
	if (idle && t->up)
		want(t, true); /* from the loop: the owner is never called back from within */
}

void
tls_channel_send(struct tls_channel *t, unsigned number, const void *payload)
{
	struct buf b = { 0 };

	packet_put(number, payload, &b);
	tls_channel_put(t, b.p, b.len);
	OPENSSL_cleanse(b.p, b.len);
	buf_fini(&b);
}

size_t
tls_channel_backlog(const struct tls_channel *t)
{
	return t->out.len - t->sent;
}

bool
tls_channel_tried(const struct tls_channel *t)
{
	return t->tried;
}

bool
tls_channel_peer(const struct tls_channel *t, struct addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	uint16_t port;

	return t->fd != -1 && getpeername(t->fd, (struct sockaddr *)&ss, &len) == 0 &&
	       addr_from_sockaddr((struct sockaddr *)&ss, out, &port) == 0;
}
