/* Staples: one for each chain, however many contexts present it. The answer is behind a lock that handshakes take to read;
 * only those of clients that ask for it do. An answer that is over is not handed out. */
#include "staple.h"

#include "base/list.h"
#include "base/mem.h"

#include "hash.h"
#include "tls_priv.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct staple {
	atomic_uint refs;
	struct list link;
	uint8_t of[16]; /* hash of the chain */
	struct staple_job job;
	pthread_rwlock_t lock; /* of what follows */
	uint8_t *p;
	size_t len;
	int64_t until;
};
static struct list all = { &all, &all };

struct staple *
staple_find(const char *chain)
{
	uint8_t of[16];
	struct list *it;

	hash128(chain, strlen(chain), 0, of);
	list_each(it, &all)
	{
		struct staple *s = container_of(it, struct staple, link);

		if (memcmp(s->of, of, sizeof(of)) == 0 && atomic_load(&s->refs) > 0)
			return s;
	}
	return NULL;
}

struct staple *
staple_of(const char *chain)
{
	struct staple *s = staple_find(chain);
	const char *why;

	if (s != NULL)
		return staple_ref(s);
	s = mem_alloc(sizeof(*s));
	atomic_init(&s->refs, 1);
	(void)pthread_rwlock_init(&s->lock, NULL);
	hash128(chain, strlen(chain), 0, s->of);
	s->job.ocsp = ocsp_new(chain, &why);
	if (s->job.ocsp == NULL)
		(void)snprintf(s->job.fault, sizeof(s->job.fault), "%s", why);
	list_push(&all, &s->link);
	return s;
}

struct staple *
staple_ref(struct staple *s)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
staple_unref(struct staple *s)
{
	if (s != NULL)
		atomic_fetch_sub_explicit(&s->refs, 1, memory_order_release);
}

struct staple_job *
staple_job(struct staple *s)
{
	return &s->job;
}

static void
free_staple(struct staple *s)
{
	list_del(&s->link);
	ocsp_free(s->job.ocsp);
	(void)pthread_rwlock_destroy(&s->lock);
	free(s->p);
	free(s);
}

void
staple_each(void (*fn)(void *arg, struct staple *s), void *arg)
{
	struct list *it, *next;

	list_each_safe(it, next, &all)
	{
		struct staple *s = container_of(it, struct staple, link);

		if (atomic_load_explicit(&s->refs, memory_order_acquire) > 0)
			fn(arg, s);
		else if (s->job.fetch == NULL)
			free_staple(s);
	}
}

void
staple_put(struct staple *s, const uint8_t *p, size_t len, int64_t until_s)
{
	uint8_t *copy = mem_alloc(len + 1), *old;

	if (len > 0)
		memcpy(copy, p, len);
	(void)pthread_rwlock_wrlock(&s->lock);
	old = s->p;
	s->p = copy;
	s->len = len;
	s->until = until_s;
	(void)pthread_rwlock_unlock(&s->lock);
	free(old);
}

/* As SSL_CTX_set_tlsext_status_cb(3) wants it. */
static int
on_status(SSL *ssl, void *arg)
{
	struct staple *s = arg;
	unsigned char *copy = NULL;
	size_t n = 0;

	(void)pthread_rwlock_rdlock(&s->lock);
	if (s->len > 0 && s->until > mono_wall_ms() / 1000)
		copy = OPENSSL_memdup(s->p, n = s->len);
	(void)pthread_rwlock_unlock(&s->lock);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	(void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)n); /* takes it */
	return SSL_TLSEXT_ERR_OK;
}

void
staple_use(struct staple *s, SSL_CTX *x)
{
	(void)SSL_CTX_set_tlsext_status_cb(x, on_status);
	(void)SSL_CTX_set_tlsext_status_arg(x, s);
}
