/* judge.c - from single results to a state, and from states to points.
 *
 * A state changes after as many results in a row as rise or fall says. What was never tried has no state to defend, so the
 * first result counts at once: a node that starts with a bad disk is not active for two intervals. A result has an age:
 * a script that was not run for long says nothing of now, and the row decides what nothing counts as.
 *
 * Points are taken away and not given: two nodes of which one has more tracks than the other are equally fit as long as
 * all is well. */
#include "judge.h"

#define PID_MOST 4194304 /* the kernel's PID_MAX_LIMIT */

const char *
judge_word(enum judge_state s)
{
	return s == JUDGE_GOOD ? "good" : s == JUDGE_BAD ? "bad" : "unknown";
}

void
judge_init(struct judge *j, mono_t now)
{
	*j = (struct judge){ .state = JUDGE_UNKNOWN, .since = now };
}

static bool
become(struct judge *j, enum judge_state s, mono_t now)
{
	j->streak = 0;
	if (j->state == s)
		return false;
	j->state = s;
	j->since = now;
	return true;
}

bool
judge_result(struct judge *j, const struct judge_rule *r, bool good, mono_t now)
{
	enum judge_state s = good != r->reverse ? JUDGE_GOOD : JUDGE_BAD;

	j->at = now;
	if (j->state == s) {
		j->streak = 0;
		return false;
	}
	j->streak++;
	if (j->state != JUDGE_UNKNOWN && j->streak < (s == JUDGE_GOOD ? r->rise : r->fall))
		return false;
	return become(j, s, now);
}

bool
judge_age(struct judge *j, const struct judge_rule *r, mono_t now)
{
	if (judge_deadline(j, r) > now)
		return false;
	return become(j, JUDGE_UNKNOWN, now);
}

bool
judge_forget(struct judge *j, mono_t now)
{
	return become(j, JUDGE_UNKNOWN, now);
}

mono_t
judge_deadline(const struct judge *j, const struct judge_rule *r)
{
	return j->state == JUDGE_UNKNOWN || r->age == 0 ? INT64_MAX : j->at + r->age;
}

void
judge_add(struct judge_sum *s, const struct judge *j, const struct judge_rule *r)
{
	if (j->state == JUDGE_GOOD || (j->state == JUDGE_UNKNOWN && !r->unknown_bad))
		return;
	s->fault = s->fault || r->weight == 0;
	s->lost += r->weight;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The number that is all of the text but spaces around it; -1: it is none. */
static long
number(const char *p, size_t len)
{
	long n = 0;

	while (len > 0 && is_space(p[len - 1]))
		len--;
	while (len > 0 && is_space(*p)) {
		p++;
		len--;
	}
	if (len == 0 || len > 9)
		return -1;
	for (; len > 0; p++, len--) {
		if (*p < '0' || *p > '9')
			return -1;
		n = 10 * n + (*p - '0');
	}
	return n;
}

bool
judge_file(const char *bytes, size_t len)
{
	return number(bytes, len) == 0;
}

int
judge_pid(const char *bytes, size_t len)
{
	long n;
	size_t line = 0;

	while (line < len && bytes[line] != '\n') /* some write more below it */
		line++;
	n = number(bytes, line);
	return n > 0 && n <= PID_MOST ? (int)n : 0;
}
