/* pair_code.h - the texts of a pairing that people read to each other: the one-time code, and fingerprints. Pure. */
#ifndef HA_PAIR_CODE_H
#define HA_PAIR_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_CODE_BYTES 10   /* 80 random bits */
#define PAIR_CODE_TEXT 20    /* four groups of four, three lines between them, and a NUL */
#define FINGERPRINT_BYTES 32 /* SHA-256 of the certificate's public key */
#define FINGERPRINT_TEXT 80  /* sixteen groups of four, and a NUL */

/* pair_code_format - "7K2M-0QXD-3VB9-T1ZC". */
void pair_code_format(const uint8_t bits[PAIR_CODE_BYTES], char out[PAIR_CODE_TEXT]);
/* pair_code_parse - what a person types: small letters too, O for 0, I and L for 1, with or without lines and spaces.
 * text need not end with NUL. false: it is not sixteen such letters; out is then untouched. */
bool pair_code_parse(const char *text, size_t len, uint8_t out[PAIR_CODE_BYTES]);
/* fingerprint_format - "1f2e 3d4c ...", in groups of four hexadecimal digits. */
void fingerprint_format(const uint8_t hash[FINGERPRINT_BYTES], char out[FINGERPRINT_TEXT]);

#endif
