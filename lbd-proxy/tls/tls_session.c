/* Names of sessions, by which persistence knows a client again.
 *
 * The session id of TLS 1.2 is of no use for that: with tickets the client chooses it anew, and TLS 1.3 has none. So each
 * session is given a random name when its first ticket is made, and tickets carry it (SSL_SESSION_set1_ticket_appdata(3)):
 * whoever resumes the session has its name, and a ticket that is made anew keeps it. */
#include "tls_priv.h"

#include <openssl/rand.h>
#include <string.h>

static atomic_bool wanted;

void
tls_session_want(void)
{
	atomic_store_explicit(&wanted, true, memory_order_relaxed);
}

/* Before a ticket is made; as SSL_CTX_set_session_ticket_cb(3) wants it: 0 breaks off the handshake. */
static int
on_new(SSL *s, void *arg)
{
	SSL_SESSION *one = SSL_get_session(s);
	uint8_t name[TLS_SESSION_KEY];
	void *has;
	size_t n;

	(void)arg;
	if (!atomic_load_explicit(&wanted, memory_order_relaxed) || one == NULL)
		return 1;
	if (SSL_SESSION_get0_ticket_appdata(one, &has, &n) == 1 && n == sizeof(name))
		return 1;
	return RAND_bytes(name, sizeof(name)) != 1 ||
	       SSL_SESSION_set1_ticket_appdata(one, name, sizeof(name)) == 1;
}

int
tls_session_use(SSL_CTX *x)
{
	return SSL_CTX_set_session_ticket_cb(x, on_new, NULL, NULL) == 1 ? 0 : -1;
}

bool
tls_session_of(SSL *s, uint8_t out[TLS_SESSION_KEY])
{
	SSL_SESSION *one = SSL_get_session(s);
	void *has;
	size_t n;

	if (one == NULL || SSL_SESSION_get0_ticket_appdata(one, &has, &n) != 1 ||
	    n != TLS_SESSION_KEY)
		return false;
	memcpy(out, has, n);
	return true;
}
