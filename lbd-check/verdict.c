/* verdict.c - from probe results to up and down.
 *
 * A standing counts the results that speak against its verdict: bad ones while the server is up or unknown,
 * good ones while it is down. The count reaches fall or rise and the verdict turns; one result that speaks
 * for the verdict sets the count to zero. A server nobody knows anything about is let in by the first good
 * probe, because waiting would only delay traffic, and is kept unknown (not down) until `fall` bad probes,
 * because one lost packet after a restart proves nothing.
 *
 * A changed check does not make a verdict void: traffic would flow to a server that was found dead a second
 * ago. The verdict stands, unproven, and the first good probe of the new check is enough to end a down.
 *
 * No I/O, no clock, no configuration but the row of the check that is handed in. */
#include "verdict.h"

#include "base/must.h"
#include "msg/msg.h"

#include <stdio.h>

enum worth
verdict_worth(const struct result *r)
{
	switch (r->reason) {
	case REASON_ok:
	case REASON_not_checked: return WORTH_GOOD;
	case REASON_none:
	case REASON_resources: return WORTH_VOID;
	default: return WORTH_BAD;
	}
}

static void
begin(struct standing *s, enum verdict to, int64_t wall)
{
	if (s->verdict == VERDICT_DOWN && wall > s->since)
		s->down_s += (uint64_t)(wall - s->since);
	s->verdict = to;
	s->since = wall;
}

static bool
turn(struct standing *s, enum verdict to, int64_t wall)
{
	if (s->verdict != VERDICT_UNKNOWN)
		s->turns++;
	if (s->verdict == VERDICT_UP)
		s->downs++;
	begin(s, to, wall);
	s->run = 0;
	s->proven = true;
	return true;
}

static bool
count(struct standing *s, uint16_t need, enum verdict to, int64_t wall)
{
	s->run++;
	s->shown = s->run;
	s->shown_of = need;
	return s->run >= need ? turn(s, to, wall) : false;
}

static bool
feed_good(struct standing *s, const struct check *rule, int64_t wall)
{
	if (s->verdict == VERDICT_DOWN && s->proven)
		return count(s, rule->rise, VERDICT_UP, wall);
	if (s->verdict != VERDICT_UP)
		return turn(s, VERDICT_UP, wall);
	s->proven = true;
	s->run = 0;
	return false;
}

static bool
feed_bad(struct standing *s, const struct check *rule, int64_t wall)
{
	if (s->verdict != VERDICT_DOWN)
		return count(s, rule->fall, VERDICT_DOWN, wall);
	s->proven = true;
	s->run = 0;
	return false;
}

bool
verdict_feed(struct standing *s, const struct check *rule, const struct result *r, int64_t wall)
{
	enum worth w = verdict_worth(r);

	if (w == WORTH_VOID)
		return false;
	s->last = *r;
	s->at = wall;
	s->shown = s->shown_of = 0;
	s->probes++;
	if (w == WORTH_GOOD)
		return feed_good(s, rule, wall);
	s->failed++;
	return feed_bad(s, rule, wall);
}

void
verdict_renew(struct standing *s)
{
	s->proven = false;
	s->run = 0;
}

bool
verdict_reset(struct standing *s, int64_t wall)
{
	bool changed = s->verdict != VERDICT_UNKNOWN;

	if (changed)
		begin(s, VERDICT_UNKNOWN, wall);
	s->proven = false;
	s->run = s->shown = s->shown_of = 0;
	s->last = (struct result){ .reason = REASON_none };
	s->at = 0;
	return changed;
}

dur_t
verdict_interval(const struct standing *s, const struct check *rule, uint32_t dice)
{
	uint32_t ms = rule->interval;
	dur_t whole, most;

	if (s->run > 0 && rule->fast > 0)
		ms = rule->fast;
	else if (s->run == 0 && s->verdict == VERDICT_DOWN && rule->slow > 0)
		ms = rule->slow;
	whole = DUR_MS(ms);
	most = whole * rule->jitter / 100;
	return whole - most * (dur_t)(dice % 1024) / 1024;
}

/* Below ten milliseconds with a digit after the point; never as no time at all. */
static void
format_latency(uint32_t us, char *out, size_t room)
{
	if (us < 50)
		us = 50;
	if (us < 9950)
		(void)snprintf(out, room, "%u.%u ms", (us + 50) / 1000, (us + 50) / 100 % 10);
	else if (us < 10000000)
		(void)snprintf(out, room, "%u ms", (us + 500) / 1000);
	else
		(void)snprintf(out, room, "%u s", us / 1000000);
}

void
result_format(const struct result *r, char *out, size_t room)
{
	const char *text = r->reason < REASONS ? reason_text[r->reason] : "?";
	char took[32], status[32] = "";

	format_latency(r->latency_us, took, sizeof(took));
	if (r->detail)
		(void)snprintf(status, sizeof(status), " %u", r->detail);
	switch (r->reason) {
	case REASON_none:
	case REASON_not_checked:
	case REASON_resolve:
	case REASON_resources: (void)snprintf(out, room, "%s", text); break;
	case REASON_ok:
		(void)snprintf(out, room, "%s%s in %s",
		    r->detail ? reason_text[REASON_status] : "connected", status, took);
		break;
	case REASON_status: (void)snprintf(out, room, "%s%s in %s", text, status, took); break;
	default: (void)snprintf(out, room, "%s after %s", text, took);
	}
}

void
verdict_format(const struct standing *s, char *out, size_t room)
{
	char one[VERDICT_TEXT];

	result_format(&s->last, one, sizeof(one));
	if (s->shown_of)
		(void)snprintf(out, room, "%s (%u of %u)", one, s->shown, s->shown_of);
	else
		(void)snprintf(out, room, "%s", one);
}

const char *
verdict_word(unsigned verdict)
{
	static const char *const words[] = {
		[VERDICT_UNKNOWN] = "unknown",
		[VERDICT_UP] = "up",
		[VERDICT_DOWN] = "down",
	};

	return verdict < ARRAY_LEN(words) ? words[verdict] : "?";
}
