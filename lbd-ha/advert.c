/* advert.c - from how the services of an address stand to what routers are told of it. Pure.
 *
 * Anycast and a second site need more than the role: an address is on each of several nodes, and routers choose among
 * those that tell of it. A node whose servers are gone must not be chosen, so it takes its word back. Which services of
 * an address count, and how much, is their field advertise. A fallback is better than nothing and worse than another
 * node: it is told as the last resort, so that both comes out right without a node knowing of the others. A node that is not
 * fit (a track is bad) does the same: its traffic goes to another one if there is one, and stays when there is none.
 *
 * Nothing here waits or smooths: check and quorum have their own hysteresis (rise, fall, quorum_hysteresis). What is not
 * known changes nothing: a daemon that restarts disturbs no route. */
#include "advert.h"

#include "role_turn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
advert_uses(const struct service *s, const struct addr *a)
{
	return addr_same_host(&s->address, a) || addrs_contain(s->more_addresses, a);
}

static bool
has_fallback(const struct service *s)
{
	return s->fallback.text[0] != '\0' || s->fallback_page;
}

static enum serving
say(enum serving how, char why[ADVERT_WHY], const char *text)
{
	(void)snprintf(why, ADVERT_WHY, "%s", text);
	return how;
}

enum serving
advert_serving(const struct service *s, const struct advert_facts *f, char why[ADVERT_WHY])
{
	if (service_layer(s) == 7 && !f->proxy_known)
		return say(SERVING_UNKNOWN, why, "lbd-proxy was not heard yet");
	if (service_layer(s) == 7 && !f->proxy_there)
		return say(SERVING_NO, why, "lbd-proxy does not run");
	if (service_layer(s) == 4 && !f->kernel_known)
		return say(SERVING_UNKNOWN, why, "lbd-ipvs was not heard yet");
	if (service_layer(s) == 4 && !f->loaded)
		return say(SERVING_NO, why, "the kernel does not have it");
	if (!f->quorum_known)
		return say(SERVING_UNKNOWN, why, "lbd-check has no verdict yet");
	if (f->met)
		return say(SERVING_YES, why, "");
	(void)snprintf(
	    why, ADVERT_WHY, "no quorum: weight %" PRIu64 " of %" PRIu32, f->weight, s->quorum);
	return has_fallback(s) ? SERVING_FALLBACK : SERVING_NO;
}

static void
keep_first(char to[ADVERT_WHY], const struct service *s, const char *why)
{
	if (to[0] == '\0')
		(void)snprintf(to, ADVERT_WHY, "vip %.63s: %.80s", s->name, why);
}

void
advert_add(struct advert_sum *sum, const struct service *s, enum serving how, const char *why)
{
	if (s->advertise == advertise_ignored)
		return;
	sum->counted++;
	if (how > sum->best)
		sum->best = how;
	if (how == SERVING_UNKNOWN) {
		sum->open++;
		keep_first(sum->why_open, s, why);
	} else if (how != SERVING_YES) {
		keep_first(sum->why_down, s, why);
	}
	if (s->advertise != advertise_required)
		return;
	if (how == SERVING_UNKNOWN)
		sum->required_open = true;
	else if (sum->least_required == SERVING_UNKNOWN || how < sum->least_required) {
		sum->least_required = how;
		sum->why_required[0] = '\0';
		keep_first(sum->why_required, s, why);
	}
}

static enum advert
decide(enum advert what, char why[ADVERT_WHY], const char *text)
{
	(void)snprintf(why, ADVERT_WHY, "%s", text);
	return what;
}

enum advert
advert_decide(const struct advert_sum *sum, bool held, const char *unfit, char why[ADVERT_WHY])
{
	enum serving best = sum->best;

	if (!held)
		return decide(ADVERT_WITHDRAW, why, "it is not on this node");
	if (sum->least_required == SERVING_NO)
		return decide(ADVERT_WITHDRAW, why, sum->why_required);
	if (sum->required_open || (sum->open > 0 && best != SERVING_YES))
		return decide(ADVERT_OPEN, why, sum->why_open);
	if (sum->counted > 0 && best == SERVING_NO)
		return decide(ADVERT_WITHDRAW, why, sum->why_down);
	if (unfit[0] != '\0')
		return decide(ADVERT_LAST, why, unfit);
	if (sum->counted == 0)
		return decide(ADVERT_ANNOUNCE, why, "it is on this node, and no service counts");
	if (sum->least_required == SERVING_FALLBACK)
		return decide(ADVERT_LAST, why, sum->why_required);
	if (best == SERVING_FALLBACK)
		return decide(ADVERT_LAST, why, sum->why_down);
	return decide(ADVERT_ANNOUNCE, why, "it is on this node, and served");
}

/* ---- words --------------------------------------------------------------------------------------------------- */

static const char *
word(enum advert what)
{
	return what == ADVERT_OPEN ? "none" : what == ADVERT_WITHDRAW ? "withdraw" : "announce";
}

void
advert_vars(const struct advert_word *w, char out[ADVERT_VARS][ADVERT_VAR])
{
	char at[TURN_TIME], host[ADDR_TEXT];
	unsigned n = 0;

	turn_time(w->at_ms, at);
	addr_format(&w->addr, ADDR_HOST, host);
	(void)snprintf(out[n++], ADVERT_VAR, "LBD_TIME=%s", at);
	(void)snprintf(out[n++], ADVERT_VAR, "LBD_GROUP=%u", w->group);
	(void)snprintf(out[n++], ADVERT_VAR, "LBD_OLD=%s", word(w->was));
	(void)snprintf(out[n++], ADVERT_VAR, "LBD_NEW=%s", word(w->now));
	(void)snprintf(
	    out[n++], ADVERT_VAR, "LBD_PREFERENCE=%s", w->now == ADVERT_LAST ? "last" : "normal");
	(void)snprintf(out[n++], ADVERT_VAR, "LBD_VIP=%s", host);
	(void)snprintf(
	    out[n++], ADVERT_VAR, "LBD_PREFIX=%s/%d", host, w->addr.family == 4 ? 32 : 128);
	(void)snprintf(out[n++], ADVERT_VAR, "LBD_FAMILY=%d", w->addr.family);
	(void)snprintf(out[n++], ADVERT_VAR, "LBD_INTERFACE=%s", w->ifname);
	(void)snprintf(out[n], ADVERT_VAR, "LBD_CAUSE=%.180s", w->why);
}
