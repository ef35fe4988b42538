/* Connections of clients that go on without OpenSSL's object, which takes fourteen times the memory of what they need.
 *
 * OpenSSL makes the handshake and tells the traffic secrets. When it is complete, nothing was read that it did not take, and
 * only tickets were written behind the server's Finished; so how many records went under each secret is known: none of the
 * client's, one of ours for each ticket. Then what the proxy still asks of the connection is copied, the object is freed, and
 * tls_record.c reads and writes. What is not as simple stays with OpenSSL: TLS 1.2, another suite, a client that
 * wants short records.
 *
 * Secrets are kept only where the context says so, and wiped when the connection ends, or when it stays with OpenSSL. */
#include "tls_ctx.h"
#include "tls_priv.h"

#include "net/conn.h"
#include "net/worker.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define MANY 256      /* objects of OpenSSL that went: their memory is worth to be given back */
#define ROOM_MORE 512 /* of the records that fill the caller's room, roughly */

static atomic_uint went; /* since tls_detach_tidy looked last */

/* A line of the key log: label, random of the client, secret; hex. */
static void
on_secret(const SSL *s, const char *line)
{
	static const char ours[] = "SERVER_TRAFFIC_SECRET_0 ",
			  theirs[] = "CLIENT_TRAFFIC_SECRET_0 ";
	struct tls_away *a = SSL_get_app_data(s);
	const char *hex = strrchr(line, ' ');
	bool out = strncmp(line, ours, sizeof(ours) - 1) == 0;

	if (a == NULL || hex == NULL || (!out && strncmp(line, theirs, sizeof(theirs) - 1) != 0))
		return;
	if (OPENSSL_hexstr2buf_ex(out ? a->rec.out.secret : a->rec.in.secret, RECORD_SECRET,
		out ? &a->n_out : &a->n_in, hex + 1, 0) != 1)
		a->n_out = a->n_in = 0;
}

void
tls_detach_use(SSL_CTX *x)
{
	SSL_CTX_set_keylog_callback(x, on_secret);
}

int
tls_detach_prepare(struct tls_conn *t)
{
	t->away = slab_get(&t->e->aways);
	return t->away != NULL && SSL_set_app_data(t->ssl, t->away) == 1 ? 0 : -ENOMEM;
}

void
tls_away_free(struct tls_conn *t)
{
	struct tls_away *a = t->away;

	if (a == NULL)
		return;
	record_end(&a->rec, t->e->gear);
	if (a->rest != NULL)
		OPENSSL_cleanse(a->rest->b, a->rest->len);
	free(a->rest);
	if (a->name != a->name_here)
		free(a->name);
	slab_put(&t->e->aways, a);
	t->away = NULL;
}

/* How many records there are, all of them encrypted; -1: something else. */
static int
count_records(const uint8_t *p, size_t n)
{
	int found = 0;

	while (n > 0) {
		size_t len = n < RECORD_HEAD ? n : RECORD_HEAD + ((size_t)p[3] << 8 | p[4]);

		if (n < RECORD_HEAD || len > n || p[0] != SSL3_RT_APPLICATION_DATA)
			return -1;
		p += len;
		n -= len;
		found++;
	}
	return found;
}

/* What is still asked of the connection. */
static bool
remember(struct tls_conn *t, struct tls_away *a)
{
	const char *name = tls_name(t);

	a->cipher = tls_cipher(t); /* OpenSSL's constant */
	a->resumed = tls_was_resumed(t);
	a->h2 = tls_is_h2(t);
	a->named = tls_session_key(t, a->session);
	if (name[0] != 0) {
		a->name =
		    strlen(name) < sizeof(a->name_here) ? strcpy(a->name_here, name) : strdup(name);
		if (a->name == NULL)
			return false;
	}
	if (SSL_get0_peer_certificate(t->ssl) == NULL)
		return true;
	t->lines = tls_peer_lines(t->ssl);
	return t->lines != NULL;
}

static bool
take_over(struct tls_conn *t)
{
	struct tls_engine *e = t->e;
	const struct record_suite *s =
	    record_suite(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(t->ssl)));
	struct tls_away *a = t->away;
	int n = count_records(e->out, e->out_len);

	if (SSL_version(t->ssl) != TLS1_3_VERSION || s == NULL || n < 0 ||
	    a->n_in != record_secret_len(s) || a->n_out != record_secret_len(s) ||
	    !SSL_is_init_finished(t->ssl) || SSL_has_pending(t->ssl) ||
	    SSL_get_early_data_status(t->ssl) == SSL_EARLY_DATA_ACCEPTED ||
	    SSL_SESSION_get_max_fragment_length(SSL_get_session(t->ssl)) !=
		TLSEXT_max_fragment_length_DISABLED)
		return false;
	if (e->gear == NULL && (e->gear = record_gear_new()) == NULL)
		return false;
	a->rec.out.seq = (uint64_t)n;
	return record_begin(&a->rec, e->gear, s) == 0 && remember(t, a);
}

void
tls_detach(struct tls_conn *t)
{
	if (!take_over(t)) {
		(void)SSL_set_app_data(t->ssl, NULL);
		tls_away_free(t);
		return;
	}
	SSL_set_shutdown(
	    t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* the session is good */
	SSL_free(t->ssl);
	t->ssl = NULL;
	atomic_fetch_add_explicit(&went, 1, memory_order_relaxed);
}

void
tls_detach_tidy(void)
{
	static bool busy;
	bool was = busy;

	busy = atomic_exchange_explicit(&went, 0, memory_order_relaxed) >= MANY;
	if (was && !busy)
		(void)malloc_trim(0);
}

/* An alert behind what is to be sent. */
static int
put_alert(struct tls_conn *t, enum record_alert what)
{
	uint8_t b[RECORD_ALERT];
	ssize_t n = record_say(&t->away->rec, t->e->gear, what, b);

	return n < 0 ? (int)n : tls_engine_put(t->e, b, (size_t)n);
}

int
tls_away_write(struct tls_conn *t, const void *p, size_t n)
{
	struct tls_engine *e = t->e;
	int code = tls_engine_reserve(e, record_room(n));
	ssize_t made;

	if (code != 0)
		return code;
	made = record_write(&t->away->rec, e->gear, p, n, e->out + e->out_len);
	if (made < 0)
		return (int)made;
	e->out_len += (size_t)made;
	return 0;
}

void
tls_away_end(struct tls_conn *t)
{
	if (t->away->said_end)
		return;
	t->away->said_end = true;
	(void)put_alert(t, ALERT_CLOSE_NOTIFY);
}

/* What was decrypted and not taken. */
static size_t
take_rest(struct tls_away *a, uint8_t *p, size_t room)
{
	struct chunk *k = a->rest;
	size_t n;

	if (k == NULL)
		return 0;
	n = k->len - k->off < room ? k->len - k->off : room;
	memcpy(p, k->b + k->off, n);
	k->off += (uint32_t)n;
	if (k->off == k->len) {
		OPENSSL_cleanse(k->b, k->len);
		free(k);
		a->rest = NULL;
	}
	return n;
}

/* Where the caller's bytes go. */
struct into {
	uint8_t *p;
	size_t room, got;
};

/* What a record brings. 0, -ENODATA at the end of the stream, else -errno. */
static int
use_record(struct conn *c, enum record_got kind, const struct record *r, struct into *to)
{
	struct tls_conn *t = c->tls;
	size_t n;

	switch (kind) {
	case RECORD_DATA:
		n = r->len < to->room - to->got ? r->len : to->room - to->got;
		memcpy(to->p + to->got, r->content, n);
		to->got += n;
		return n == r->len ? 0 : tls_append(&t->away->rest, r->content + n, r->len - n);
	case RECORD_CLOSED: t->end = true; return -ENODATA;
	case RECORD_BAD: (void)put_alert(t, (enum record_alert)r->alert); return -EPROTO;
	case RECORD_FATAL: return -EPROTO;
	default: return 0;
	}
}

/* Whole records of n bytes at p, while there is room. */
static int
open_some(struct conn *c, uint8_t *p, size_t n, size_t *used, struct into *to)
{
	struct tls_away *a = c->tls->away;
	int code = 0;

	*used = 0;
	while (code == 0 && to->got < to->room) {
		struct record r;
		enum record_got kind =
		    record_open(&a->rec, c->tls->e->gear, p + *used, n - *used, &r);

		if (kind == RECORD_PART)
			break;
		code = use_record(c, kind, &r, to);
		*used += r.used;
	}
	return code;
}

static bool
is_whole(const uint8_t *p, size_t n)
{
	return n >= RECORD_HEAD && n - RECORD_HEAD >= ((size_t)p[3] << 8 | p[4]);
}

static bool
waits_whole(const struct tls_conn *t)
{
	const struct chunk *k = t->left;

	return k != NULL && is_whole(k->b + k->off, k->len - k->off);
}

/* What was put aside and what came behind it, less what was used. */
static int
put_left(struct tls_conn *t, const uint8_t *raw, size_t had, size_t came, size_t used)
{
	struct chunk *k = t->left;

	if (used == 0)
		return came == 0 ? 0 : tls_append(&t->left, raw + had, came);
	if (came == 0) { /* more than raw may be there */
		k->off += (uint32_t)used;
		if (k->off < k->len)
			return 0;
	}
	free(k);
	t->left = NULL;
	return used == had + came ? 0 : tls_append(&t->left, raw + used, had + came - used);
}

/* Records that are here, and those that one recv brings if there is no whole one. Whether it is worth to go on: 1 or 0; else
 * as use_record. */
static int
turn(struct conn *c, struct into *to)
{
	struct tls_conn *t = c->tls;
	uint8_t *raw = c->w->tls->raw;
	struct chunk *k = t->left;
	size_t had = k == NULL ? 0 : k->len - k->off, used;
	ssize_t came = 0;
	int code, kept;

	if (had > sizeof(c->w->tls->raw))
		had = sizeof(c->w->tls->raw);
	if (had > 0)
		memcpy(raw, k->b + k->off, had);
	if (!is_whole(raw, had)) {
		size_t most = to->room - to->got + ROOM_MORE;

		if (most > sizeof(c->w->tls->raw) - had)
			most = sizeof(c->w->tls->raw) - had;
		came = tls_fetch(c, raw + had, most);
		if (came < 0)
			return (int)came;
	}
	code = open_some(c, raw, had + (size_t)came, &used, to);
	kept = code == 0 ? put_left(t, raw, had, (size_t)came, used) : 0;
	if (code == 0 && kept == 0)
		return came > 0 || used > 0;
	return code != 0 ? code : kept;
}

int
tls_away_recv(struct conn *c, void *p, size_t room, size_t *got)
{
	struct tls_conn *t = c->tls;
	struct into to = { .p = p, .room = room };
	int code = 1;

	to.got = take_rest(t->away, p, room);
	while (code == 1 && to.got == 0 && room > 0 && !t->end)
		code = turn(c, &to);
	*got = to.got;
	if (code >= 0) {
		if (t->away->rest != NULL || waits_whole(t))
			c->can_read = true; /* no edge will tell of it */
		return 0;
	}
	if (code == -EPROTO || code == -ENOMEM)
		t->bad = true;
	return code;
}
