/* Packets, by ngtcp2, and the handshake in them by GnuTLS. Its callbacks hand on to nghttp3, and note what went wrong in x->why. */
#include "h3_priv.h"

#include "base/must.h"

#include "net/conn.h"
#include "net/worker.h"
#include "tls/tls.h"
#include "tls/tls_quic.h"

#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <string.h>
#include <sys/random.h>

#define NS(us) ((ngtcp2_tstamp)(us)*1000)
#define SUITES                                                                                    \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:" \
	"-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:%DISABLE_TLS13_COMPAT_MODE"

void
h3_random(void *p, size_t n)
{
	uint8_t *at = p;
	ssize_t got;

	while (n > 0) {
		got = getrandom(at, n, 0);
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}

static void
on_rand(uint8_t *p, size_t n, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	h3_random(p, n);
}

static int
on_new_cid(ngtcp2_conn *q, ngtcp2_cid *cid, uint8_t *token, size_t len, void *arg)
{
	struct h3_conn *x = arg;

	(void)q;
	h3_random(cid->data, len);
	cid->datalen = len;
	return ngtcp2_crypto_generate_stateless_reset_token(
		   token, x->secret, sizeof(x->secret), cid) == 0
		   ? 0
		   : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
on_tx_key(ngtcp2_conn *q, ngtcp2_crypto_level level, void *arg)
{
	(void)q;
	if (level != NGTCP2_CRYPTO_LEVEL_APPLICATION)
		return 0;
	return h3_http_begin(arg) == 0 ? 0 : h3_http_fail(arg, NGHTTP3_ERR_H3_INTERNAL_ERROR);
}

/* As OpenSSL names it. */
static const char *
cipher_of(gnutls_session_t s)
{
	switch (gnutls_cipher_get(s)) {
	case GNUTLS_CIPHER_AES_128_GCM: return "TLS_AES_128_GCM_SHA256";
	case GNUTLS_CIPHER_AES_256_GCM: return "TLS_AES_256_GCM_SHA384";
	default: return "TLS_CHACHA20_POLY1305_SHA256";
	}
}

static int
on_complete(ngtcp2_conn *q, void *arg)
{
	struct h3_conn *x = arg;

	(void)q;
	x->up = true;
	tls_quic_told(x->front.c->tls, cipher_of(x->tls), "");
	return 0;
}

static int
on_stream_data(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t offset, const uint8_t *p,
    size_t n, void *arg, void *at)
{
	struct h3_conn *x = arg;
	nghttp3_ssize used;

	(void)offset;
	(void)at;
	if (x->http == NULL)
		return h3_http_fail(x, NGHTTP3_ERR_H3_INTERNAL_ERROR);
	used =
	    nghttp3_conn_read_stream(x->http, id, p, n, (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
	if (used < 0)
		return h3_http_fail(x, (int)used);
	(void)ngtcp2_conn_extend_max_stream_offset(q, id, (uint64_t)used);
	ngtcp2_conn_extend_max_offset(q, (uint64_t)used);
	return 0;
}

static int
on_acked(ngtcp2_conn *q, int64_t id, uint64_t offset, uint64_t n, void *arg, void *at)
{
	struct h3_conn *x = arg;
	int code;

	(void)q;
	(void)offset;
	(void)at;
	code = x->http == NULL ? 0 : nghttp3_conn_add_ack_offset(x->http, id, n);
	return code == 0 || code == NGHTTP3_ERR_STREAM_NOT_FOUND ? 0 : h3_http_fail(x, code);
}

static int
on_stream_close(ngtcp2_conn *q, uint32_t flags, int64_t id, uint64_t error, void *arg, void *at)
{
	struct h3_conn *x = arg;
	int code = 0;

	(void)at;
	if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) == 0)
		error = NGHTTP3_H3_NO_ERROR;
	if (x->http != NULL)
		code = nghttp3_conn_close_stream(x->http, id, error);
	if (code != 0 && code != NGHTTP3_ERR_STREAM_NOT_FOUND)
		return h3_http_fail(x, code);
	if (ngtcp2_is_bidi_stream(id))
		ngtcp2_conn_extend_max_streams_bidi(q, 1);
	else
		ngtcp2_conn_extend_max_streams_uni(q, 1);
	return 0;
}

/* The client breaks a request off, or does not want the answer: its stream is over for who reads and writes it. */
static int
lost(struct h3_conn *x, int64_t id)
{
	struct h2_session *h = x->front.h;
	struct h2_stream *s = h3_http_stream(x, id);
	int code = x->http == NULL ? 0 : nghttp3_conn_shutdown_stream_read(x->http, id);

	if (code != 0 && code != NGHTTP3_ERR_STREAM_NOT_FOUND)
		return h3_http_fail(x, code);
	if (s == NULL || s->answered || s->lost)
		return 0;
	s->lost = s->reset = true;
	if (!h2_calm_reset(&h->calm, h->now))
		h->too_much = true;
	h2_stream_tell(s);
	return 0;
}

static int
on_stream_reset(ngtcp2_conn *q, int64_t id, uint64_t size, uint64_t error, void *arg, void *at)
{
	(void)q;
	(void)size;
	(void)error;
	(void)at;
	return lost(arg, id);
}

static int
on_stop_sending(ngtcp2_conn *q, int64_t id, uint64_t error, void *arg, void *at)
{
	(void)q;
	(void)error;
	(void)at;
	return lost(arg, id);
}

static int
on_stream_room(ngtcp2_conn *q, int64_t id, uint64_t most, void *arg, void *at)
{
	struct h3_conn *x = arg;

	(void)q;
	(void)most;
	(void)at;
	if (x->http != NULL && nghttp3_conn_unblock_stream(x->http, id) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

/* nghttp3 refuses priorities of streams that the client could not open. */
static int
on_more_streams(ngtcp2_conn *q, uint64_t most, void *arg)
{
	struct h3_conn *x = arg;

	(void)q;
	if (x->http != NULL)
		nghttp3_conn_set_max_client_streams_bidi(x->http, most);
	return 0;
}

static const ngtcp2_callbacks callbacks = {
	.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
	.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
	.handshake_completed = on_complete,
	.encrypt = ngtcp2_crypto_encrypt_cb,
	.decrypt = ngtcp2_crypto_decrypt_cb,
	.hp_mask = ngtcp2_crypto_hp_mask_cb,
	.recv_stream_data = on_stream_data,
	.acked_stream_data_offset = on_acked,
	.stream_close = on_stream_close,
	.rand = on_rand,
	.get_new_connection_id = on_new_cid,
	.update_key = ngtcp2_crypto_update_key_cb,
	.stream_reset = on_stream_reset,
	.extend_max_remote_streams_bidi = on_more_streams,
	.extend_max_stream_data = on_stream_room,
	.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
	.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
	.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
	.stream_stop_sending = on_stop_sending,
	.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
	.recv_tx_key = on_tx_key,
};

static ngtcp2_conn *
conn_of_ref(ngtcp2_crypto_conn_ref *ref)
{
	return ((struct h3_conn *)ref->user_data)->quic;
}

/* The certificate by the name that the client asks for. */
static int
on_hello(gnutls_session_t s)
{
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(s);
	struct h3_conn *x = ref->user_data;
	char name[256];
	size_t n = sizeof(name);
	unsigned type;
	void *creds;

	if (gnutls_server_name_get(s, name, &n, &type, 0) != 0 || type != GNUTLS_NAME_DNS)
		name[0] = 0;
	creds = tls_quic_creds(tls_ctx_of(x->front.c->tls), name);
	if (creds == NULL)
		return GNUTLS_E_UNRECOGNIZED_NAME;
	tls_quic_told(x->front.c->tls, "", name);
	return gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, creds);
}

static int
tls_new(struct h3_conn *x)
{
	static unsigned char h3[] = { 'h', '3' };
	static const gnutls_datum_t alpn = { h3, 2 };
	void *creds = tls_quic_creds(tls_ctx_of(x->front.c->tls), "");

	if (gnutls_init(&x->tls, GNUTLS_SERVER | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL) != 0)
		return -ENOMEM;
	if (gnutls_priority_set_direct(x->tls, SUITES, NULL) != 0 ||
	    ngtcp2_crypto_gnutls_configure_server_session(x->tls) != 0 ||
	    gnutls_alpn_set_protocols(x->tls, &alpn, 1, GNUTLS_ALPN_MANDATORY) != 0)
		return -EINVAL;
	if (creds != NULL && gnutls_credentials_set(x->tls, GNUTLS_CRD_CERTIFICATE, creds) != 0)
		return -EINVAL;
	x->ref = (ngtcp2_crypto_conn_ref){ conn_of_ref, x };
	gnutls_session_set_ptr(x->tls, &x->ref);
	gnutls_handshake_set_post_client_hello_function(x->tls, on_hello);
	return 0;
}

int
h3_quic_new(struct h3_conn *x, const ngtcp2_pkt_hd *hd, const ngtcp2_cid *odcid)
{
	const struct view *v = x->front.c->svc->view;
	ngtcp2_cid ours = { .datalen = H3_CID };
	ngtcp2_transport_params p;
	ngtcp2_settings s;
	int code = tls_new(x);

	if (code != 0)
		return code;
	h3_random(ours.data, ours.datalen);
	ngtcp2_settings_default(&s);
	s.initial_ts = NS(x->front.c->w->now);
	s.cc_algo =
	    v->quic_congestion == quic_congestion_reno ? NGTCP2_CC_ALGO_RENO : NGTCP2_CC_ALGO_CUBIC;
	if (odcid !=
	    NULL) /* one that was verified: ngtcp2 then takes the address for the client's */
		s.token = hd->token;
	s.max_tx_udp_payload_size = H3_PACKET;
	s.handshake_timeout = NS(v->request);
	ngtcp2_transport_params_default(&p);
	p.initial_max_stream_data_bidi_remote = H2_STREAM_WINDOW;
	p.initial_max_stream_data_uni = 64 * 1024;
	p.initial_max_data = H2_CONN_WINDOW;
	p.initial_max_streams_bidi = v->h2_streams;
	p.initial_max_streams_uni = 8;
	p.max_idle_timeout = NS(v->keep) + 30 * NGTCP2_SECONDS; /* ours comes first */
	p.active_connection_id_limit = 2;
	p.disable_active_migration = 1;
	p.stateless_reset_token_present = 1;
	p.original_dcid = odcid != NULL ? *odcid : hd->dcid;
	if (odcid != NULL) {
		p.retry_scid = hd->dcid;
		p.retry_scid_present = 1;
	}
	if (ngtcp2_crypto_generate_stateless_reset_token(
		p.stateless_reset_token, x->secret, sizeof(x->secret), &ours) != 0 ||
	    ngtcp2_conn_server_new(&x->quic, &hd->scid, &ours, &x->path, hd->version, &callbacks,
		&s, &p, NULL, x) != 0)
		return -ENOMEM;
	ngtcp2_conn_set_tls_native_handle(x->quic, x->tls);
	ngtcp2_connection_close_error_default(&x->why);
	return 0;
}

void
h3_quic_free(struct h3_conn *x)
{
	nghttp3_conn_del(x->http);
	ngtcp2_conn_del(x->quic);
	if (x->tls != NULL)
		gnutls_deinit(x->tls);
	x->http = NULL;
	x->quic = NULL;
	x->tls = NULL;
}

/* Which of the ways to end it is. */
static int
ended(struct h3_conn *x, int code)
{
	switch (code) {
	case NGTCP2_ERR_DRAINING:
	case NGTCP2_ERR_CLOSING:
	case NGTCP2_ERR_RETRY:
	case NGTCP2_ERR_DROP_CONN:
	case NGTCP2_ERR_IDLE_CLOSE:
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT: return -ECONNRESET;
	case NGTCP2_ERR_CRYPTO:
		if (!x->failed)
			ngtcp2_connection_close_error_set_transport_error_tls_alert(
			    &x->why, ngtcp2_conn_get_tls_alert(x->quic), NULL, 0);
		break;
	default:
		if (!x->failed)
			ngtcp2_connection_close_error_set_transport_error_liberr(
			    &x->why, code, NULL, 0);
		break;
	}
	x->failed = true;
	return -EPROTO;
}

int
h3_quic_in(struct h3_conn *x, const uint8_t *p, size_t n, mono_t now)
{
	ngtcp2_pkt_info pi = { 0 };
	int code;

	x->front.h->now = now;
	code = ngtcp2_conn_read_pkt(x->quic, &x->path, &pi, p, n, NS(now));
	if (code != 0)
		return ended(x, code);
	if (!x->front.h->too_much)
		return 0;
	ngtcp2_connection_close_error_set_application_error(
	    &x->why, NGHTTP3_H3_EXCESSIVE_LOAD, NULL, 0);
	x->failed = true;
	return -EPROTO;
}

int
h3_quic_expire(struct h3_conn *x, mono_t now)
{
	int code;

	if (ngtcp2_conn_get_expiry(x->quic) > NS(now))
		return 0;
	code = ngtcp2_conn_handle_expiry(x->quic, NS(now));
	return code == 0 ? 0 : ended(x, code);
}

/* The end of an answer has gone out. */
static void
answered(struct h3_conn *x, int64_t id)
{
	struct h2_stream *s = h3_http_stream(x, id);

	if (s == NULL)
		return;
	s->answered = true;
	h2_calm_answered(&x->front.h->calm);
	if (!s->ended && !h2_stream_goes_on(s))
		(void)ngtcp2_conn_shutdown_stream_read(x->quic, id, NGHTTP3_H3_NO_ERROR);
}

ssize_t
h3_quic_out(struct h3_conn *x, uint8_t *p, size_t room, mono_t now)
{
	nghttp3_vec vec[16];

	for (;;) {
		int64_t id = -1;
		int fin = 0;
		nghttp3_ssize n = 0;
		ngtcp2_ssize took = -1, made;
		uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE;

		if (x->http != NULL && ngtcp2_conn_get_max_data_left(x->quic) > 0)
			n = nghttp3_conn_writev_stream(x->http, &id, &fin, vec, ARRAY_LEN(vec));
		if (n < 0) {
			(void)h3_http_fail(x, (int)n);
			return -EPROTO;
		}
		if (fin)
			flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
		made = ngtcp2_conn_writev_stream(x->quic, NULL, NULL, p, room, &took, flags, id,
		    (const ngtcp2_vec *)vec, (size_t)n, NS(now));
		if (made == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
			nghttp3_conn_block_stream(x->http, id);
			continue;
		}
		if (made == NGTCP2_ERR_STREAM_SHUT_WR || made == NGTCP2_ERR_STREAM_NOT_FOUND) {
			nghttp3_conn_shutdown_stream_write(x->http, id);
			continue;
		}
		if (made < 0 && made != NGTCP2_ERR_WRITE_MORE)
			return ended(x, (int)made);
		if (took >= 0) {
			if (nghttp3_conn_add_write_offset(x->http, id, (size_t)took) != 0)
				return -EPROTO;
			if (fin && (uint64_t)took == nghttp3_vec_len(vec, (size_t)n))
				answered(x, id);
		}
		if (made >= 0)
			return made;
	}
}

ssize_t
h3_quic_bye(struct h3_conn *x, uint8_t *p, size_t room, mono_t now)
{
	return ngtcp2_conn_write_connection_close(x->quic, NULL, NULL, p, room, &x->why, NS(now));
}
