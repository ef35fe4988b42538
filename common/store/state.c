/* How servers and services stand: orders of operators and verdicts of checks folded into one word and one
 * colour. Rows of words only, no I/O, no time: whether a verdict is stale is known to the caller, who says
 * VERDICT_UNKNOWN then. Every surface (panel, lbctl, API, metrics) takes its words from here. */
#include "store/state.h"
#include "base/must.h"

struct status_row {
	const char *class, *colour, *word;
};
static const struct status_row status_rows[] = {
	[ST_OK] = { "ok", "green", "Healthy" },
	[ST_WARN] = { "warn", "yellow", "Degraded" },
	[ST_DOWN] = { "down", "red", "Down" },
	[ST_OFF] = { "off", "blue", "Offline" },
	[ST_UNK] = { "unk", "grey", "Unknown" },
};

struct server_row {
	const char *token, *word;
	enum status status;
};
static const struct server_row server_rows[] = {
	[SRV_UP] = { "up", "Healthy", ST_OK },
	[SRV_WARN] = { "warning", "Warning", ST_WARN },
	[SRV_DOWN] = { "down", "Down", ST_DOWN },
	[SRV_DRAIN] = { "drain", "Offline (drain)", ST_OFF },
	[SRV_HALT] = { "halt", "Offline (halt)", ST_OFF },
	[SRV_UNKNOWN] = { "unknown", "Unknown", ST_UNK },
};

static const struct status_row *
status_row(enum status s)
{
	must((unsigned)s < ARRAY_LEN(status_rows));
	return &status_rows[s];
}

static const struct server_row *
server_row(enum server_state s)
{
	must((unsigned)s < ARRAY_LEN(server_rows));
	return &server_rows[s];
}

enum server_state
server_state(const struct admin *a, enum verdict v, bool hint)
{
	if (a != NULL && a->state == admin_state_halt)
		return SRV_HALT;
	if (a != NULL && a->state == admin_state_drain)
		return SRV_DRAIN;
	if (v == VERDICT_UP)
		return hint ? SRV_WARN : SRV_UP;
	return v == VERDICT_DOWN ? SRV_DOWN : SRV_UNKNOWN;
}

/* Servers that no operator took out. */
static unsigned
in_service(const struct service_view *v)
{
	return v->up + v->warn + v->down + v->unknown;
}

unsigned
service_servers(const struct service_view *v)
{
	return in_service(v) + v->drain + v->halt;
}

/* Only servers that no operator took out decide between green, yellow and red. */
static enum status
status_by_servers(const struct service_view *v)
{
	unsigned in = in_service(v);

	if (in == 0)
		return v->drain + v->halt > 0 ? ST_OFF : ST_UNK;
	if (v->down == in)
		return ST_DOWN;
	if (v->down + v->warn > 0)
		return ST_WARN;
	return v->unknown > 0 ? ST_UNK : ST_OK;
}

enum status
service_status(bool enabled, const struct service_view *v)
{
	enum status st;

	if (!enabled)
		return ST_OFF;
	if (v->fault)
		return ST_DOWN;
	st = status_by_servers(v);
	if ((v->no_quorum || v->fallback) && in_service(v) > 0 && (st == ST_OK || st == ST_UNK))
		return ST_WARN;
	return st;
}

enum status
server_status(enum server_state s)
{
	return server_row(s)->status;
}

const char *
status_class(enum status s)
{
	return status_row(s)->class;
}

const char *
status_colour(enum status s)
{
	return status_row(s)->colour;
}

static const char *
off_word(const struct service_view *v)
{
	if (in_service(v) == 0 && v->drain > 0 && v->halt == 0)
		return server_rows[SRV_DRAIN].word;
	if (in_service(v) == 0 && v->halt > 0 && v->drain == 0)
		return server_rows[SRV_HALT].word;
	return status_row(ST_OFF)->word;
}

const char *
status_word(enum status s, const struct service_view *v)
{
	if (v == NULL)
		return status_row(s)->word;
	if (s == ST_OFF)
		return off_word(v);
	if (s == ST_DOWN && v->fault)
		return "Not in force";
	if (s == ST_DOWN && v->fallback)
		return "Down (fallback)";
	if (s == ST_WARN && v->fallback)
		return "Fallback";
	if (s == ST_WARN && v->no_quorum)
		return "No quorum";
	return status_row(s)->word;
}

const char *
server_word(enum server_state s)
{
	return server_row(s)->word;
}

const char *
server_token(enum server_state s)
{
	return server_row(s)->token;
}

void
admission_of(const struct admin *a, const struct service *s, uint32_t weight, int64_t now_s,
    struct admission *out)
{
	int64_t end = a->until;

	*out = (struct admission){ 0 };
	switch (a->state) {
	case admin_state_online:
		out->fresh = weight > 0;
		out->known = true;
		return;
	case admin_state_drain:
		if (end == 0 && s->drain_timeout > 0)
			end = a->since + (s->drain_timeout + 999) / 1000;
		out->known = end == 0 || now_s < end;
		out->cut = !out->known && s->drain_cut;
		break;
	default: out->cut = now_s >= end; break;
	}
	out->next = end > now_s ? end : 0;
}

bool
server_fit(const struct check *c, enum verdict v)
{
	return v == VERDICT_UP || (v == VERDICT_UNKNOWN && c->assume == assume_up);
}
