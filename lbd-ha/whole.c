/* whole.c - see whole.h. */
#include "whole.h"

#include <stdio.h>
#include <string.h>

static bool
has_limit(unsigned p)
{
	return p != WHOLE_CONFIG && p != WHOLE_PERSIST;
}

bool
whole_is_given_up(const struct whole *w, enum whole_part p, mono_t now)
{
	return w->part[p].missing && has_limit(p) && now - w->part[p].since >= WHOLE_WAIT;
}

static bool
is_waited_for(const struct whole *w, unsigned p, mono_t now)
{
	return w->part[p].missing && !whole_is_given_up(w, (enum whole_part)p, now);
}

bool
whole_set(struct whole *w, enum whole_part p, const char *why, mono_t now)
{
	if (why == NULL) {
		bool was = w->part[p].missing;

		w->part[p].missing = false;
		w->part[p].why[0] = '\0';
		return was;
	}
	if (w->part[p].missing && strncmp(w->part[p].why, why, WHOLE_TEXT - 1) == 0)
		return false;
	w->part[p].missing = true;
	w->part[p].since = now;
	(void)snprintf(w->part[p].why, WHOLE_TEXT, "%s", why);
	return true;
}

void
whole_meet(struct whole *w, mono_t now)
{
	for (unsigned p = 0; p < WHOLE_PARTS; p++)
		w->part[p].since = now;
}

bool
whole_is(const struct whole *w, mono_t now, mono_t *deadline_out)
{
	bool whole = true;

	*deadline_out = 0;
	for (unsigned p = 0; p < WHOLE_PARTS; p++) {
		mono_t end = w->part[p].since + WHOLE_WAIT;

		if (!is_waited_for(w, p, now))
			continue;
		whole = false;
		if (has_limit(p) && (*deadline_out == 0 || end < *deadline_out))
			*deadline_out = end;
	}
	return whole;
}

void
whole_why(const struct whole *w, mono_t now, char out[WHOLE_TEXT])
{
	size_t at = 0;

	out[0] = '\0';
	for (unsigned p = 0; p < WHOLE_PARTS && at < WHOLE_TEXT; p++)
		if (is_waited_for(w, p, now))
			at += (size_t)snprintf(
			    out + at, WHOLE_TEXT - at, "%s%s", at > 0 ? ", " : "", w->part[p].why);
}
