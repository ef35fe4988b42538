/* The value is text of one length: the token, the two dates and the seal, each as base32 from the highest bits on. The seal
 * is a keyed hash of what stands before it. */
#include "cookie_date.h"

#include "siphash.h"

#include <errno.h>

#define SEALED (COOKIE_DATED_LEN - COOKIE_TOKEN_LEN)

static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

static void
put_date(uint32_t date, char out[COOKIE_DATE_LEN])
{
	for (unsigned i = 0; i < COOKIE_DATE_LEN; i++)
		out[i] = base32[(uint64_t)date >> (5 * (COOKIE_DATE_LEN - 1 - i)) & 31];
}

static int
read_date(const char *s, uint32_t *out)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < COOKIE_DATE_LEN; i++) {
		if (s[i] >= 'a' && s[i] <= 'z')
			v = v << 5 | (uint64_t)(s[i] - 'a');
		else if (s[i] >= '2' && s[i] <= '7')
			v = v << 5 | (uint64_t)(s[i] - '2' + 26);
		else
			return -EINVAL;
	}
	if (v > UINT32_MAX)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static uint64_t
seal_of(const char *s, uint64_t secret)
{
	const uint64_t key[2] = { secret, UINT64_C(0x6c62642064617465) };

	return siphash(s, SEALED, key);
}

void
cookie_dated_format(
    uint64_t token, struct cookie_dates dates, uint64_t secret, char out[COOKIE_DATED_LEN])
{
	cookie_token_format(token, out);
	put_date(dates.seen_s, out + COOKIE_TOKEN_LEN);
	put_date(dates.first_s, out + COOKIE_TOKEN_LEN + COOKIE_DATE_LEN);
	cookie_token_format(seal_of(out, secret), out + SEALED);
}

int
cookie_dated_parse(
    const char *s, size_t len, uint64_t secret, uint64_t *token_out, struct cookie_dates *dates_out)
{
	struct cookie_dates dates;
	uint64_t token, seal;

	if (len != COOKIE_DATED_LEN || cookie_token_parse(s, COOKIE_TOKEN_LEN, &token) != 0 ||
	    read_date(s + COOKIE_TOKEN_LEN, &dates.seen_s) != 0 ||
	    read_date(s + COOKIE_TOKEN_LEN + COOKIE_DATE_LEN, &dates.first_s) != 0 ||
	    cookie_token_parse(s + SEALED, COOKIE_TOKEN_LEN, &seal) != 0 ||
	    seal != seal_of(s, secret))
		return -EINVAL;
	*token_out = token;
	*dates_out = dates;
	return 0;
}

static uint32_t
since(uint32_t date, uint32_t now)
{
	return date < now ? now - date : 0;
}

enum cookie_age
cookie_age_of(struct cookie_dates dates, uint32_t now_s, uint32_t idle_s, uint32_t life_s)
{
	uint32_t idle = since(dates.seen_s, now_s), step = idle_s / 16;

	if (life_s > 0 && since(dates.first_s, now_s) >= life_s)
		return COOKIE_OLD;
	if (idle_s > 0 && idle >= idle_s)
		return COOKIE_IDLE;
	return idle_s > 0 && idle >= (step > 0 ? step : 1) ? COOKIE_RENEW : COOKIE_GOOD;
}
