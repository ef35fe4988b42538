/* seal.h - who has the secret: a short code under each datagram between the nodes and to the witness.
 *
 * HMAC-SHA-256 cut to 16 bytes (RFC 2104 section 5; NIST SP 800-107 section 5.3.4), with a key that is derived from
 * the secret and a label (HKDF, RFC 5869), so that no datagram of one use is one of another. Nothing here allocates.
 *
 * Two secrets may be good at once, so that a pair can change its secret one node after the other: the new one into
 * slot 1 of both nodes, then both slots exchanged on both, then slot 1 cleared. Which of them sealed is one byte of the
 * frame, derived as well: nobody has to number secrets. */
#ifndef HA_SEAL_H
#define HA_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_SECRET 32 /* bytes of a secret */
#define SEAL_TAG 16    /* bytes under a frame */
#define SEAL_SLOTS 2   /* 0 seals; both check */

#define SEAL_BEAT "lbd beat"
#define SEAL_WITNESS "lbd witness"

/* The hash after the first block: what is the same for each frame is reckoned once. */
struct seal_key {
	bool set;
	uint8_t id;
	uint64_t inner[14], outer[14];
};

struct seal {
	char label[16];
	struct seal_key key[SEAL_SLOTS];
};

/* seal_init - no secret yet: nothing can be sealed, and no seal is right. label: at most 15 bytes. */
void seal_init(struct seal *s, const char *label);
/* seal_fini - forgets the keys; the memory is overwritten. */
void seal_fini(struct seal *s);
/* seal_set - secret (SEAL_SECRET bytes, copied in derived form) for a slot; NULL clears it. */
void seal_set(struct seal *s, unsigned slot, const uint8_t *secret);
bool seal_ready(const struct seal *s); /* there is a key that seals */
uint8_t seal_id(const struct seal *s); /* of that key; 0 without one */

/* seal_put - the code over len bytes. The caller has looked at seal_ready. */
void seal_put(const struct seal *s, const void *bytes, size_t len, uint8_t tag_out[SEAL_TAG]);
/* seal_known - some key has this id; who has none of it need not reckon. */
bool seal_known(const struct seal *s, uint8_t id);
/* seal_check - in a time that does not depend on how much of the code is right. */
bool seal_check(
    const struct seal *s, uint8_t id, const void *bytes, size_t len, const uint8_t tag[SEAL_TAG]);

/* The two standards alone, for who derives other things from the secret, and for their tests.
 * seal_hmac: RFC 2104 with SHA-256, whole. seal_derive: RFC 5869, the first 32 bytes. out may be one of the inputs. */
struct seal_bytes {
	const void *p;
	size_t len;
};
void seal_hmac(struct seal_bytes key, struct seal_bytes text, uint8_t out[32]);
void seal_derive(
    struct seal_bytes salt, struct seal_bytes secret, struct seal_bytes info, uint8_t out[32]);

#endif
