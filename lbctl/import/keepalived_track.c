/* What instances of keepalived track, as tracks of ours.
 *
 * There a weight belongs to an instance; here a track counts for all virtual routers of the node, which is said where there
 * are others. A positive weight is added there while all is well; here the priority has it from the start and loses it.
 * Scripts have no shell here, and are files of one folder; the usual ways of asking for a process become one that is
 * watched. Source: keepalived.conf(5), "VRRP track". */
#include "import/keepalived_vrrp.h"
#include "import/text.h"

#include "base/must.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPTS "/etc/lbd/track"
#define WEIGHT_MOST 1000

static void
say(struct ka_vrrp *v, const struct ka_line *l, enum taken how, const char *why)
{
	import_say(v->im, l->at, how, l->what, "%s", why);
}

/* ---- definitions ------------------------------------------------------------------------------------------------ */

static struct ka_track *
new_track(struct ka_vrrp *v, enum ka_in kind, const char *name, struct place at, const char *what)
{
	struct ka_track *t = arena_alloc(v->im->a, sizeof(*t));

	*t = (struct ka_track){ .kind = kind, .name = name, .at = at, .what = what };
	t->row = (struct import_row){ .o = object_of(KIND_track), .at = at };
	*v->last_track = t;
	v->last_track = &t->next;
	return t;
}

void
ka_track_define(struct ka_vrrp *v, enum ka_in kind, const struct ka_line *l)
{
	v->track = new_track(v, kind, l->n > 1 ? l->word[1] : "", l->at, l->what);
}

/* "-20", "5", perhaps "reverse" behind it, from word i on. */
static bool
weight_of(const struct ka_line *l, unsigned i, int *weight, bool *reverse)
{
	const char *w = i < l->n ? l->word[i] : "";
	uint32_t n;

	if (!text_number(w + (w[0] == '-' || w[0] == '+'), WEIGHT_MOST, &n))
		return false;
	*weight = w[0] == '-' ? -(int)n : (int)n;
	*reverse = i + 1 < l->n && strcmp(l->word[i + 1], "reverse") == 0;
	return true;
}

static void
on_time(struct ka_vrrp *v, const struct ka_line *l, const char *field)
{
	char text[24] = "";
	uint32_t ms;

	if (l->n > 1 && text_ms(l->word[1], &ms))
		(void)snprintf(text, sizeof(text), "%ums", ms);
	(void)import_take(v->im, &v->track->row, l->at, l->what, field, text, NULL);
}

/* "script A B", "script "A B"": the words as one text. */
static const char *
rest_of(struct import *im, const struct ka_line *l)
{
	struct buf b = { 0 };
	const char *out;

	for (unsigned i = 1; i < l->n; i++)
		buf_printf(&b, "%s%s", i > 1 ? " " : "", l->word[i]);
	out = arena_text(im->a, buf_text(&b), b.len);
	buf_fini(&b);
	return out;
}

bool
ka_track_line(struct ka_vrrp *v, const struct ka_line *l)
{
	static const struct {
		const char *word, *field;
	} plain[] = { { "rise", "rise" }, { "fall", "fall" } },
	  times[] = { { "interval", "interval" }, { "timeout", "timeout" } };
	static const char *const targets[] = { "script", "file", "process" };
	struct ka_track *t = v->track;
	const char *w = l->word[0];

	if (strcmp(w, "weight") == 0) {
		t->weighted = weight_of(l, 1, &t->weight, &t->reverse);
		say(v, l, t->weighted ? TAKEN : NOT_TAKEN, "track.weight");
		return true;
	}
	for (unsigned i = 0; i < ARRAY_LEN(targets); i++)
		if (strcmp(w, targets[i]) == 0) {
			t->target = rest_of(v->im, l);
			t->target_at = l->at;
			t->target_what = l->what;
			return true; /* said at the end */
		}
	for (unsigned i = 0; t->kind == KA_SCRIPT && i < ARRAY_LEN(plain); i++)
		if (strcmp(w, plain[i].word) == 0) {
			(void)import_take(v->im, &t->row, l->at, l->what, plain[i].field,
			    l->n > 1 ? l->word[1] : "", NULL);
			return true;
		}
	for (unsigned i = 0; t->kind == KA_SCRIPT && i < ARRAY_LEN(times); i++)
		if (strcmp(w, times[i].word) == 0) {
			on_time(v, l, times[i].field);
			return true;
		}
	if (t->kind == KA_SCRIPT && strcmp(w, "init_fail") == 0) {
		(void)import_take(v->im, &t->row, l->at, l->what, "unknown", "bad", NULL);
		return true;
	}
	if (strcmp(w, "user") == 0) {
		say(v, l, NOT_TAKEN, "track: programs run as the user of lbd-ha");
		return true;
	}
	return false;
}

/* ---- uses --------------------------------------------------------------------------------------------------------- */

void
ka_track_use(struct ka_vrrp *v, enum ka_in kind, const struct ka_line *l)
{
	struct ka_use *u = arena_alloc(v->im->a, sizeof(*u));

	*u = (struct ka_use){ .kind = kind, .at = l->at, .name = l->word[0], .what = l->what };
	u->instance = v->instance;
	u->group = v->group;
	if (l->n > 2 && strcmp(l->word[1], "weight") == 0)
		u->weighted = weight_of(l, 2, &u->weight, &u->reverse);
	if (l->n > 1 && !u->weighted) {
		say(v, l, NOT_TAKEN, "track.weight: NAME [weight N [reverse]], N up to 1000");
		return;
	}
	*v->last_use = u;
	v->last_use = &u->next;
}

static struct ka_track *
find_track(struct ka_vrrp *v, const struct ka_use *u)
{
	static const struct {
		enum ka_in use, kind;
	} pairs[] = { { KA_USE_SCRIPT, KA_SCRIPT }, { KA_USE_FILE, KA_FILE },
		{ KA_USE_PROCESS, KA_PROCESS }, { KA_USE_INTERFACE, KA_USE_INTERFACE } };
	struct ka_track *t;
	unsigned k = 0;

	while (pairs[k].use != u->kind)
		k++; /* one of them: keepalived_vrrp.c */
	for (t = v->tracks; t != NULL; t = t->next)
		if (t->kind == pairs[k].kind && strcmp(t->name, u->name) == 0)
			return t;
	if (u->kind != KA_USE_INTERFACE)
		return NULL;
	t = new_track(v, KA_USE_INTERFACE, u->name, u->at, u->what);
	t->target = u->name;
	return t;
}

/* The instance's own interface without a weight is watched in any case. */
static bool
is_own_interface(const struct ka_vrrp *v, const struct ka_use *u)
{
	if (u->kind != KA_USE_INTERFACE || (u->weighted && u->weight != 0))
		return false;
	for (const struct ka_instance *i = v->instances; i != NULL; i = i->next)
		if (i->interface != NULL && strcmp(i->interface, u->name) == 0 &&
		    (u->instance == i || u->instance == NULL))
			return true;
	return false;
}

static void
weigh(struct ka_vrrp *v, const struct ka_use *u, struct ka_track *t)
{
	for (struct ka_instance *i = v->instances; i != NULL; i = i->next) {
		if (u->instance != i && !(u->instance == NULL && ka_is_member(v, u->group, i)))
			continue;
		t->instances++;
		if (t->weight > 0)
			i->raise += (uint32_t)t->weight;
	}
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* "killall -0 haproxy", "/usr/bin/pidof nginx": the name of the process. NULL: something else. */
static const char *
process_asked(struct import *im, const char *command)
{
	static const char *const askers[] = { "killall", "pidof", "pgrep" };
	char first[64] = "";
	const char *last = strrchr(command, ' ');
	size_t n = strcspn(command, " ");

	if (last == NULL || n >= sizeof(first) || last[1] == '-' || last[1] == '\0')
		return NULL;
	memcpy(first, command, n);
	for (const char *p = command + n; p < last; p += 1 + strcspn(p + 1, " "))
		if (p[1] != '-')
			return NULL; /* more than options between */
	for (unsigned i = 0; i < ARRAY_LEN(askers); i++)
		if (strcmp(base_name(first), askers[i]) == 0)
			return arena_text(im->a, last + 1, strlen(last + 1));
	return NULL;
}

/* Something that can be watched without a shell. */
static bool
is_possible(struct ka_vrrp *v, const struct ka_track *t)
{
	return t->target != NULL && t->target[0] != '\0' &&
	       (t->kind != KA_SCRIPT || process_asked(v->im, t->target) != NULL ||
		   strpbrk(t->target, "|&;<>$`(){}\"'\\*?") == NULL);
}

static void
use_one(struct ka_vrrp *v, const struct ka_use *u)
{
	struct ka_track *t;
	int weight;

	if (is_own_interface(v, u)) {
		import_say(v->im, u->at, TAKEN, u->what,
		    "vrrp.interface: its carrier is watched in any case");
		return;
	}
	t = find_track(v, u);
	if (t == NULL) {
		import_say(v->im, u->at, NOT_TAKEN, u->what, "nothing of that name is defined");
		return;
	}
	weight = u->weighted ? u->weight : t->weighted ? t->weight : 0;
	if (t->used && weight != t->weight) {
		import_say(v->im, u->at, TAKEN_OTHERWISE, u->what,
		    "track.weight: %d, as for its first user: a track has one", abs(t->weight));
	} else {
		t->weight = weight;
		t->reverse = u->weighted ? u->reverse : t->reverse;
		if (!is_possible(v, t))
			import_say(v->im, u->at, NOT_TAKEN, u->what,
			    "track: it is left out, as line %u says", t->at.line);
		else if (t->used || u->kind != KA_USE_INTERFACE) /* or its own line says so */
			import_say(v->im, u->at, TAKEN, u->what, "track.weight");
	}
	t->used = true;
	if (is_possible(v, t))
		weigh(v, u, t);
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static bool
put_target(struct ka_vrrp *v, struct ka_track *t, struct import_row *r, const char *kind,
    const char *target, const char *difference)
{
	struct place at = t->target_what != NULL ? t->target_at : t->at;
	const char *what = t->target_what != NULL ? t->target_what : t->what;

	import_putf(v->im, r, "kind", "%s", kind);
	return import_take(v->im, r, at, what, "target", target, difference);
}

static bool
put_script(struct ka_vrrp *v, struct ka_track *t, struct import_row *r)
{
	const char *process = process_asked(v->im, t->target);
	size_t n = strcspn(t->target, " ");
	char target[300], why[400], path[300];

	if (process != NULL)
		return put_target(v, t, r, "process", process,
		    "a process of that name is watched by the kernel; nothing is run");
	if (!is_possible(v, t)) {
		import_say(v->im, t->target_at, NOT_TAKEN, t->target_what,
		    "track.target: there is no shell: write it as a file in " SCRIPTS
		    ", and lbctl create track");
		return false;
	}
	(void)snprintf(path, sizeof(path), "%.*s", (int)(n < 250 ? n : 250), t->target);
	(void)snprintf(target, sizeof(target), "%s%s", base_name(path), t->target + n);
	(void)snprintf(why, sizeof(why), "programs are those of " SCRIPTS ": copy %s there", path);
	return put_target(v, t, r, "script", target, why);
}

static bool
put_kind(struct ka_vrrp *v, struct ka_track *t, struct import_row *r)
{
	if (t->target == NULL || t->target[0] == '\0') {
		import_say(v->im, t->at, NOT_TAKEN, t->what, "track.target: nothing is named");
		return false;
	}
	switch (t->kind) {
	case KA_SCRIPT: return put_script(v, t, r);
	case KA_FILE:
		return put_target(v, t, r, "file", t->target,
		    "0 is good and all else is bad; the number is not multiplied with the weight");
	case KA_PROCESS: return put_target(v, t, r, "process", t->target, NULL);
	default: break;
	}
	import_putf(v->im, r, "kind", "interface");
	return import_put(v->im, r, "target", t->target, NULL) == 0;
}

static void
put_row(struct ka_vrrp *v, struct ka_track *t, unsigned instances)
{
	struct import_row *r = import_extra_new(v->im, KIND_track, t->at);
	struct buf name = { 0 };

	*r = t->row;
	if (!put_kind(v, t, r)) {
		import_say(v->im, t->at, NOT_TAKEN, t->what,
		    "it is left out: what it weighs is not watched here");
		return;
	}
	import_putf(v->im, r, "weight", "%d", abs(t->weight));
	if (t->reverse)
		import_putf(v->im, r, "reverse", "yes");
	if (t->instances < instances)
		import_say(v->im, t->at, TAKEN_OTHERWISE, t->what,
		    "track: it counts for every virtual router of this node");
	else
		import_say(v->im, t->at, TAKEN, t->what, "track");
	name_clean(t->name, 50, &name);
	import_name(v->im, r, "track ", buf_text(&name));
	buf_fini(&name);
}

void
ka_track_finish(struct ka_vrrp *v)
{
	unsigned instances = 0;

	for (const struct ka_instance *i = v->instances; i != NULL; i = i->next)
		instances++;
	for (const struct ka_use *u = v->uses; u != NULL; u = u->next)
		use_one(v, u);
	for (struct ka_track *t = v->tracks; t != NULL; t = t->next) {
		if (t->used)
			put_row(v, t, instances);
		else
			import_say(v->im, t->at, NOT_TAKEN, t->what, "no vrrp_instance uses it");
	}
}
