/* tls_record.h - records of TLS 1.3 after the handshake, for connections that go on without OpenSSL's object (tls_detach.c):
 * bytes in, content and alerts out. No sockets, no clock. RFC 8446 sections 4.6.3, 5, 6, 7.2, 7.3. */
#ifndef LBD_PROXY_TLS_RECORD_H
#define LBD_PROXY_TLS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_HEAD 5
#define RECORD_TAG 16
#define RECORD_CONTENT 16384			    /* most bytes of content (section 5.1) */
#define RECORD_CIPHER (RECORD_CONTENT + 256)	    /* most bytes behind the head (section 5.2) */
#define RECORD_ALERT (RECORD_HEAD + 3 + RECORD_TAG) /* bytes of an alert */
#define RECORD_SECRET 48			    /* bytes, with SHA-384 */
/* Records under one key, then it is changed: section 5.5 allows 2^24.5 of full size with AES-GCM. */
#define RECORD_KEY_LIFE (UINT64_C(1) << 24)
#define RECORD_BLANKS 32 /* most records in a row that bring nothing */

enum record_alert {
	ALERT_CLOSE_NOTIFY = 0,
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_RECORD_MAC = 20,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_DECODE_ERROR = 50,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_USER_CANCELED = 90,
};

/* The ciphers of a worker, which all its connections use in turn. NULL: no memory. */
struct record_gear;
struct record_gear *record_gear_new(void);
void record_gear_free(struct record_gear *g); /* NULL is fine; all its connections have ended */

/* Cipher and hash. NULL: a suite that is not known here. id: as on the wire, 0x1301. */
struct record_suite;
const struct record_suite *record_suite(unsigned id);
size_t record_secret_len(const struct record_suite *s); /* bytes of its traffic secrets */

struct record_keys { /* of one direction */
	uint64_t seq;
	uint8_t secret[RECORD_SECRET], key[32], iv[12];
};
struct record_conn {
	const struct record_suite *suite;
	struct record_keys in, out;
	uint8_t part;	 /* bytes of a KeyUpdate whose rest is in the next record */
	uint8_t blanks;	 /* records in a row that brought nothing */
	bool answer : 1; /* the other side wants new keys of us */
	bool ask : 1;	 /* and we of it */
};
/* record_begin - in.secret and out.secret are set, and seq of both: how many records went under them. -EIO: no keys. */
int record_begin(struct record_conn *r, struct record_gear *g, const struct record_suite *s);
/* record_end - secrets are wiped; also of one that did not begin. g NULL: nothing was read or written. */
void record_end(struct record_conn *r, struct record_gear *g);

enum record_got {
	RECORD_PART,	/* it goes on in what did not come yet; n bytes are not enough */
	RECORD_DATA,	/* content, at least a byte */
	RECORD_NOTHING, /* of no matter for the stream */
	RECORD_CLOSED,	/* close_notify: what follows is to be ignored */
	RECORD_FATAL,	/* the other side's alert: nothing more can be said */
	RECORD_BAD,	/* alert is to be sent, nothing more read */
};
struct record {
	size_t used;		/* bytes of the record; not of RECORD_PART and RECORD_BAD */
	const uint8_t *content; /* in p, as long as p */
	size_t len;
	uint8_t alert; /* RECORD_BAD: ours; RECORD_FATAL: theirs */
};
/* record_open - the record that begins at p, which is decrypted in its place; after RECORD_PART p is as it was. */
enum record_got record_open(
    struct record_conn *r, struct record_gear *g, uint8_t *p, size_t n, struct record *out);

/* record_room - most bytes that n bytes of content become. */
size_t record_room(size_t n);
/* record_write - content to out, with a change of keys before it if one is due. Bytes, at most record_room(n); or -EIO, and
 * nothing may be written any more. */
ssize_t record_write(
    struct record_conn *r, struct record_gear *g, const void *p, size_t n, uint8_t *out);
/* record_say - an alert, RECORD_ALERT bytes, or -EIO. Nothing may be written after it. */
ssize_t record_say(
    struct record_conn *r, struct record_gear *g, enum record_alert what, uint8_t *out);

#endif
