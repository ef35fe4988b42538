/* pair_code.c - eighty bits as sixteen letters of Crockford's alphabet, which leaves out the ones that are taken for
 * each other (I, L, O, U). Reading takes what people make of them: small letters, O for 0, I or L for 1, lines and
 * spaces anywhere. There is no check letter: a wrong code is found by the handshake, which tells the same, and a
 * letter that checks would be one random letter less.
 *
 * Does not make codes and does not know how long one is good (pairing.c). */
#include "pair_code.h"

#include <stdio.h>
#include <string.h>

#define LETTERS 16 /* of five bits */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void
pair_code_format(const uint8_t bits[PAIR_CODE_BYTES], char out[PAIR_CODE_TEXT])
{
	unsigned held = 0, have = 0, at = 0, n = 0;

	for (unsigned i = 0; i < LETTERS; i++) {
		if (have < 5) {
			held = held << 8 | bits[at++];
			have += 8;
		}
		have -= 5;
		if (i > 0 && i % 4 == 0)
			out[n++] = '-';
		out[n++] = alphabet[held >> have & 31];
	}
	out[n] = '\0';
}

/* -1: no letter of a code; -2: passed over. */
static int
value_of(char c)
{
	const char *at;

	if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return -2;
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	at = c == '\0' ? NULL : strchr(alphabet, c);
	return at == NULL ? -1 : (int)(at - alphabet);
}

bool
pair_code_parse(const char *text, size_t len, uint8_t out[PAIR_CODE_BYTES])
{
	uint8_t bits[PAIR_CODE_BYTES];
	unsigned held = 0, have = 0, letters = 0, at = 0;

	for (size_t i = 0; i < len; i++) {
		int v = value_of(text[i]);

		if (v == -2)
			continue;
		if (v == -1 || letters++ == LETTERS)
			return false;
		held = held << 5 | (unsigned)v;
		have += 5;
		if (have < 8)
			continue;
		have -= 8;
		bits[at++] = (uint8_t)(held >> have);
	}
	if (letters != LETTERS)
		return false;
	memcpy(out, bits, sizeof(bits));
	return true;
}

void
fingerprint_format(const uint8_t hash[FINGERPRINT_BYTES], char out[FINGERPRINT_TEXT])
{
	unsigned n = 0;

	for (unsigned i = 0; i < FINGERPRINT_BYTES; i++)
		n += (unsigned)snprintf(out + n, FINGERPRINT_TEXT - n, "%s%02x",
		    i > 0 && i % 2 == 0 ? " " : "", hash[i]);
}
