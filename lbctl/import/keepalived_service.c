/* Statements of a virtual server of keepalived: each is a field of the service, or something that lbd does not have, with
 * the reason and what to do. Blocks within it are keepalived.c's. */
#include "import/keepalived.h"
#include "import/text.h"

#include "base/must.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PERSIST_DEFAULT_S "360"

static void
say(struct import *im, const struct ka_line *l, enum taken how, const char *why)
{
	import_say(im, l->at, how, l->what, "%s", why);
}

static void
take(struct import *im, struct ka_service *v, const struct ka_line *l, const char *field,
    const char *value)
{
	(void)import_take(im, &v->s->row, l->at, l->what, field, value, NULL);
}

bool
ka_place(const struct ka_line *l, unsigned i, struct addr *a, uint16_t *port)
{
	uint32_t v = 0;

	if (i >= l->n || !text_host(l->word[i], a))
		return false;
	if (i + 1 < l->n && !text_number(l->word[i + 1], UINT16_MAX, &v))
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool
same_word(const char *a, const char *upper)
{
	for (; *a != '\0' && toupper((unsigned char)*a) == *upper; a++, upper++)
		;
	return *a == '\0' && *upper == '\0';
}

/* "NAT", "DR", "TUN [type gue port N] [csum]" from word 1 on. */
bool
ka_method(const struct ka_line *l, uint8_t *forward, struct import_tunnel *t)
{
	const char *w = l->n > 1 ? l->word[1] : "";
	uint32_t port;

	*t = (struct import_tunnel){ 0 };
	*forward = same_word(w, "NAT")	? forward_nat
		   : same_word(w, "DR") ? forward_dr
					: forward_tun;
	if (*forward == forward_tun && !same_word(w, "TUN"))
		return false;
	for (unsigned i = 2; i < l->n; i++) {
		w = l->word[i];
		if (strcmp(w, "type") == 0 || strcmp(w, "ipip") == 0 || strcmp(w, "nocsum") == 0)
			continue;
		if (strcmp(w, "gre") == 0)
			t->type = tunnel_gre;
		else if (strcmp(w, "gue") == 0)
			t->type = tunnel_gue;
		else if (strcmp(w, "csum") == 0)
			t->csum = checksum_full;
		else if (strcmp(w, "remcsum") == 0)
			t->csum = checksum_remote;
		else if (strcmp(w, "port") == 0 && i + 1 < l->n &&
			 text_number(l->word[i + 1], UINT16_MAX, &port) && port > 0)
			t->port = (uint16_t)port, i++;
		else
			return false;
	}
	return true;
}

static void
on_method(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	uint8_t forward;
	struct import_tunnel t;

	if (!ka_method(l, &forward, &t)) {
		say(im, l, NOT_TAKEN, "vip.mode: NAT, DR or TUN");
		return;
	}
	v->s->forward = forward;
	v->s->tunnel = t;
	say(im, l, TAKEN, "vip.mode");
}

static void
on_persistence(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	char text[40];

	(void)snprintf(text, sizeof(text), "%.20ss", l->n > 1 ? l->word[1] : PERSIST_DEFAULT_S);
	if (strcmp(text, "0s") == 0) {
		say(im, l, TAKEN, "vip.persistence");
		return;
	}
	v->persists = true;
	take(im, v, l, "persist_timeout", text);
}

static void
on_granularity(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	const char *w = l->n > 1 ? l->word[1] : "";
	bool dotted = strchr(w, '.') != NULL;
	int bits = text_mask(w, dotted ? 4 : 6);
	char text[16];

	if (bits < 0) {
		say(im, l, NOT_TAKEN,
		    "vip.persist_mask: its bits must lead, as 255.255.255.0 or 64");
		return;
	}
	(void)snprintf(text, sizeof(text), "%d", dotted && bits == 32 ? 128 : bits);
	take(im, v, l, "persist_mask", text);
}

static void
on_protocol(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	const char *w = l->n > 1 ? l->word[1] : "";

	take(im, v, l, "protocol",
	    same_word(w, "UDP")	   ? "udp"
	    : same_word(w, "SCTP") ? "sctp"
	    : same_word(w, "TCP")  ? "tcp"
				   : w);
}

static void
on_engine(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	v->engine = true;
	take(im, v, l, "persistence", l->n > 1 ? l->word[1] : "");
}

static void
on_sorry(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	struct import_row *row = &v->s->row;
	char host[ADDR_TEXT];
	struct addr a;
	uint16_t port;

	if (!ka_place(l, 1, &a, &port)) {
		say(im, l, NOT_TAKEN, "vip.fallback: an address and a port are needed");
		return;
	}
	addr_format(&a, ADDR_HOST, host);
	import_putf(im, row, "fallback", "%s", host);
	if (port != 0)
		import_putf(im, row, "fallback_port", "%u", port);
	say(im, l, TAKEN, "vip.fallback");
}

static void
on_sorry_method(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	struct import_tunnel t;
	uint8_t forward;

	if (ka_method(l, &forward, &t))
		take(im, v, l, "fallback_forward", word_text(&forward_list, forward));
	else
		say(im, l, NOT_TAKEN, "vip.fallback_forward: NAT, DR or TUN");
}

static void
on_family(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	v->s->family = l->n > 1 && strcmp(l->word[1], "inet6") == 0 ? 6 : 4;
	say(im, l, TAKEN, "vip.mark");
}

/* A field of the service that takes the word as it is (value NULL), or that the statement alone sets. */
static const struct {
	const char *word, *field, *value;
} fields[] = {
	{ "lb_algo", "scheduler", NULL },
	{ "lvs_sched", "scheduler", NULL },
	{ "quorum", "quorum", NULL },
	{ "hysteresis", "quorum_hysteresis", NULL },
	{ "ops", "one_packet", "yes" },
	{ "flag-1", "hash_fallback", "yes" },
	{ "sh-fallback", "hash_fallback", "yes" },
	{ "mh-fallback", "hash_fallback", "yes" },
	{ "flag-2", "hash_port", "yes" },
	{ "sh-port", "hash_port", "yes" },
	{ "mh-port", "hash_port", "yes" },
	{ "snmp_name", "comment", NULL },
};
static const struct {
	const char *word;
	void (*fn)(struct import *im, struct ka_service *v, const struct ka_line *l);
} handlers[] = {
	{ "lb_kind", on_method },
	{ "lvs_method", on_method },
	{ "persistence_timeout", on_persistence },
	{ "persistence_granularity", on_granularity },
	{ "persistence_engine", on_engine },
	{ "protocol", on_protocol },
	{ "sorry_server", on_sorry },
	{ "sorry_server_lvs_method", on_sorry_method },
	{ "ip_family", on_family },
};
/* Known of keepalived, and not here. */
static const struct {
	const char *word, *why;
} unsupported[] = {
	{ "flag-3", "the kernel's schedulers have no third flag" },
	{ "ha_suspend", "servers are tested on both nodes, so that a failover finds the verdicts" },
	{ "omega", "nothing is run when a daemon stops" },
	{ "quorum_up", "scripts are not run; lbctl events -f tells of changes" },
	{ "quorum_down", "scripts are not run; lbctl events -f tells of changes" },
	{ "notify_up", "scripts are not run; lbctl events -f tells of changes" },
	{ "notify_down", "scripts are not run; lbctl events -f tells of changes" },
	{ "smtp_alert", "no mail is sent; lbctl events -f tells of changes" },
	{ "sorry_server_inhibit", "the fallback server is there only while it is needed" },
	{ "hashed", "nothing needs it" },
	/* At the top. */
	{ "notification_email", "no mail is sent; lbctl events -f tells of changes" },
	{ "router_id", "a node is known by its host name" },
	{ "vrrp_instance", "a name, and a block behind it, are needed" },
	{ "vrrp_sync_group", "a name, and a block behind it, are needed" },
	{ "bfd_instance", "lbctl create track, with kind=bfd and the neighbour as its target" },
	{ "virtual_rules", "there are routes (lbctl create route), no rules" },
	{ "track_bfd", "lbctl create track, with kind=bfd and the neighbour as its target" },
	{ "static_ipaddress", "addresses of the machine are its own network configuration" },
	{ "static_routes", "routes of the machine are its own network configuration" },
	{ "static_rules", "rules of the machine are its own network configuration" },
	{ "SSL", "no check speaks TLS yet" },
};

const char *
ka_why_not(const char *word)
{
	for (unsigned i = 0; i < ARRAY_LEN(unsupported); i++)
		if (strcmp(word, unsupported[i].word) == 0)
			return unsupported[i].why;
	return word[0] == '@'
		   ? "lines for one machine among several are not followed: take the ones of this"
	       : word[0] == '$' ? "parameters are not followed: write their value where they stand"
				: "lbd has nothing like it";
}

void
ka_service_line(struct import *im, struct ka_service *v, const struct ka_line *l)
{
	const char *w = l->word[0];

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		if (strcmp(w, fields[i].word) == 0) {
			take(im, v, l, fields[i].field,
			    fields[i].value != NULL ? fields[i].value
			    : l->n > 1		    ? l->word[1]
						    : "");
			return;
		}
	}
	for (unsigned i = 0; i < ARRAY_LEN(handlers); i++) {
		if (strcmp(w, handlers[i].word) == 0) {
			handlers[i].fn(im, v, l);
			return;
		}
	}
	if (!ka_param(im, l, &v->own))
		say(im, l, NOT_TAKEN, ka_why_not(w));
}
