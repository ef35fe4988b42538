/* outside.c - keepalived, or another program, holds the floating addresses; lbctl ha role tells what it has decided.
 *
 * That is kept in RUN/lbd-ha.role, a line for each group with its role and since when, so that a restart of this process
 * changes nothing; after a start of the machine this node is passive until it is told otherwise. */
#include "outside.h"

#include "sys/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
outside_role(const char *word, uint8_t *role)
{
	static const uint8_t roles[] = { FSM_ACTIVE, FSM_PASSIVE, FSM_FAULT };

	for (unsigned i = 0; i < sizeof(roles); i++)
		if (strcmp(fsm_role_word[roles[i]], word) == 0) {
			*role = roles[i];
			return true;
		}
	return false;
}

void
outside_read(struct outside *o, const struct paths *p)
{
	FILE *f;
	char word[20];
	int64_t since;

	*o = (struct outside){ 0 };
	(void)snprintf(o->path, sizeof(o->path), "%s/lbd-ha.role", p->run);
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		o->role[g] = FSM_PASSIVE;
	f = fopen(o->path, "re");
	if (f == NULL)
		return;
	for (unsigned g = 0; g < SHARED_GROUPS; g++) {
		if (fscanf(f, "%19s %" SCNd64, word, &since) != 2 ||
		    !outside_role(word, &o->role[g]))
			break;
		o->since[g] = since;
	}
	(void)fclose(f);
}

static int
write_down(const struct outside *o)
{
	char next[320];
	FILE *f;
	int code = 0;

	(void)snprintf(next, sizeof(next), "%s.new", o->path);
	f = fopen(next, "we");
	if (f == NULL)
		return -errno;
	for (unsigned g = 0; g < SHARED_GROUPS; g++)
		if (fprintf(f, "%s %" PRId64 "\n", fsm_role_word[o->role[g]], o->since[g]) < 0)
			code = -errno;
	if (fclose(f) != 0 && code == 0)
		code = -errno;
	if (code == 0 && rename(next, o->path) == -1)
		code = -errno;
	return code;
}

bool
outside_is_late(struct outside *o, unsigned group, uint64_t began)
{
	if (began == 0)
		return false;
	if (began < o->began[group])
		return true;
	o->began[group] = began;
	return false;
}

bool
outside_say(struct outside *o, unsigned group, uint8_t role)
{
	bool other = o->role[group] != role;
	int code;

	if (!other && o->since[group] != 0)
		return false;
	o->role[group] = role;
	o->since[group] = mono_wall_ms() / 1000;
	code = write_down(o);
	if (code != 0)
		log_warn("%s: cannot be written: %s; a restart of lbd-ha forgets the role", o->path,
		    strerror(-code));
	return other;
}
