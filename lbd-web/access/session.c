/* Sessions of the panel, and the brake on guessing passwords. A session is found by the SHA-256 of the key that the
 * browser holds, so that nothing that leaks from this process's memory dumps or logs is a valid cookie. The table
 * is small and fixed: no one who is not logged in can grow it.
 *
 * The brake remembers failed attempts by account name and by source address in one table of fixed size; entries
 * that were not touched for a while make room. It delays, it never locks. */
#include "session.h"
#include "base/mem.h"
#include "base/must.h"
#include "server/tls_cert.h"

#include <stdio.h>
#include <string.h>

#define TRIES_MAX 2048

struct tries {
	char key[80]; /* "u NAME" or "a ADDRESS"; "" is free */
	unsigned failed;
	mono_t last, until;
};
struct sessions {
	struct session v[SESSIONS_MAX];
	struct tries tries[TRIES_MAX];
};

struct sessions *
sessions_new(void)
{
	return mem_alloc(sizeof(struct sessions));
}

void
sessions_free(struct sessions *s)
{
	free(s);
}

/* 256 random bits in the alphabet of base64url, which no cookie or form needs to escape. */
static void
random_key(char *out)
{
	static const char digit[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t bits[33] = { 0 };

	tls_random(bits, 32);
	for (unsigned i = 0; i < SESSION_KEY; i++) {
		unsigned at = i * 6, two = (unsigned)bits[at / 8] << 8 | bits[at / 8 + 1];

		out[i] = digit[two >> (10 - at % 8) & 63];
	}
	out[SESSION_KEY] = '\0';
}

struct session *
session_begin(struct sessions *s, const char *user, uint32_t user_id, uint32_t password,
    const struct addr *source, mono_t now, char *key_out)
{
	struct session *it = &s->v[0];

	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		if (!s->v[i].used) {
			it = &s->v[i];
			break;
		}
		if (s->v[i].last < it->last)
			it = &s->v[i];
	}
	*it = (struct session){
		.used = true, .user_id = user_id, .password = password, .source = *source
	};
	it->begun = it->last = now;
	(void)snprintf(it->user, sizeof(it->user), "%s", user);
	random_key(key_out);
	random_key(it->csrf);
	tls_sha256(key_out, SESSION_KEY, it->digest);
	return it;
}

bool
session_alive(const struct session *it, dur_t idle, dur_t most, mono_t now)
{
	return it->used && now - it->last <= idle && now - it->begun <= most;
}

struct session *
session_find(struct sessions *s, const char *key, dur_t idle, dur_t most, mono_t now)
{
	uint8_t digest[SHA256_LEN];

	if (strlen(key) != SESSION_KEY)
		return NULL;
	tls_sha256(key, SESSION_KEY, digest);
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		struct session *it = &s->v[i];

		if (!it->used || !tls_same(it->digest, digest, sizeof(digest)))
			continue;
		if (!session_alive(it, idle, most, now)) {
			session_end(s, it);
			return NULL;
		}
		it->last = now;
		return it;
	}
	return NULL;
}

void
session_end(struct sessions *s, struct session *it)
{
	(void)s;
	*it = (struct session){ .streams = it->streams }; /* streams close by themselves */
}

bool
session_csrf_good(const struct session *it, const char *token)
{
	return token != NULL && strlen(token) == SESSION_KEY &&
	       tls_same(it->csrf, token, SESSION_KEY);
}

/* ---- the brake ---- */

static void
keys(const char *account, const struct addr *source, char out[2][80])
{
	char text[ADDR_TEXT];

	addr_format(source, ADDR_HOST, text);
	(void)snprintf(out[0], 80, "u %.70s", account);
	(void)snprintf(out[1], 80, "a %s", text);
}

static const struct tries *
tries_find(const struct sessions *s, const char *key)
{
	for (unsigned i = 0; i < TRIES_MAX; i++)
		if (strcmp(s->tries[i].key, key) == 0)
			return &s->tries[i];
	return NULL;
}

dur_t
session_wait(const struct sessions *s, const char *account, const struct addr *source, mono_t now)
{
	char key[2][80];
	dur_t wait = 0;

	keys(account, source, key);
	for (int i = 0; i < 2; i++) {
		const struct tries *t = tries_find(s, key[i]);

		if (t != NULL && t->until - now > wait)
			wait = t->until - now;
	}
	return wait;
}

static struct tries *
tries_take(struct sessions *s, const char *key, mono_t now)
{
	struct tries *oldest = &s->tries[0];

	for (unsigned i = 0; i < TRIES_MAX; i++) {
		struct tries *t = &s->tries[i];

		if (strcmp(t->key, key) == 0) {
			if (now - t->last > THROTTLE_FORGET)
				t->failed = 0;
			return t;
		}
		if (oldest->key[0] != '\0' && (t->key[0] == '\0' || t->last < oldest->last))
			oldest = t;
	}
	*oldest = (struct tries){ 0 };
	memcpy(oldest->key, key, strnlen(key, sizeof(oldest->key) - 1));
	return oldest;
}

void
session_failed(struct sessions *s, const char *account, const struct addr *source, mono_t now)
{
	const dur_t most[2] = { THROTTLE_ACCOUNT_MAX, THROTTLE_SOURCE_MAX };
	char key[2][80];

	keys(account, source, key);
	for (int i = 0; i < 2; i++) {
		struct tries *t = tries_take(s, key[i], now);
		dur_t wait = THROTTLE_FIRST << (t->failed < 12 ? t->failed : 12);

		t->failed++;
		t->last = now;
		/* One mistake is free: people mistype. */
		t->until = t->failed < 2 ? now : now + (wait < most[i] ? wait : most[i]);
	}
}

void
session_succeeded(struct sessions *s, const char *account, const struct addr *source)
{
	char key[2][80];

	keys(account, source, key);
	for (int i = 0; i < 2; i++)
		for (unsigned k = 0; k < TRIES_MAX; k++)
			if (strcmp(s->tries[k].key, key[i]) == 0)
				s->tries[k] = (struct tries){ 0 };
}
