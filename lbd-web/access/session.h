/* session.h - who is logged in, and who tries too often. In memory: a restart of lbd-web logs everybody out. Takes
 * time as an argument. */
#ifndef SESSION_H
#define SESSION_H

#include "base/addr.h"
#include "base/mono.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_KEY 43	  /* characters of a key: 256 bits */
#define SESSIONS_MAX 1024 /* the one unused for longest makes room */
#define SESSION_STREAMS 4

struct session {
	bool used;
	uint8_t digest[32]; /* SHA-256 of the key; the key itself is only in the cookie */
	char user[64];
	uint32_t user_id, password; /* a changed password ends the session */
	char csrf[SESSION_KEY + 1];
	struct addr source;
	mono_t begun, last;
	unsigned streams; /* open event streams */
};
struct sessions;
struct sessions *sessions_new(void);
void sessions_free(struct sessions *s);

/* session_begin - key_out gets SESSION_KEY characters and a NUL. */
struct session *session_begin(struct sessions *s, const char *user, uint32_t user_id,
    uint32_t password, const struct addr *source, mono_t now, char *key_out);
/* session_find - by its key; NULL when there is none or it is over. Marks it as used now. */
struct session *session_find(
    struct sessions *s, const char *key, dur_t idle, dur_t most, mono_t now);
/* session_alive - the same question for one that is held: not ended, and neither idle nor there for too long. */
bool session_alive(const struct session *it, dur_t idle, dur_t most, mono_t now);
void session_end(struct sessions *s, struct session *it);
bool session_csrf_good(
    const struct session *it, const char *token); /* in constant time; NULL is wrong */

/* Delay after failed logins, per account and per source: doubled each time, up to a limit, never for ever. */
#define THROTTLE_FIRST DUR_MS(500)
#define THROTTLE_ACCOUNT_MAX DUR_S(8) /* short: nobody shall keep the last administrator out */
#define THROTTLE_SOURCE_MAX DUR_S(300)
#define THROTTLE_FORGET DUR_S(900)
/* session_wait - time until an attempt is looked at; 0 now. */
dur_t session_wait(
    const struct sessions *s, const char *account, const struct addr *source, mono_t now);
void session_failed(struct sessions *s, const char *account, const struct addr *source, mono_t now);
void session_succeeded(struct sessions *s, const char *account, const struct addr *source);

#endif
