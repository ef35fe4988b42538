/* keepalived's virtual routers as ours: vrrp_instance, vrrp_sync_group, and the addresses and routes that move with them.
 *
 * An instance has addresses of its own there; here the floating addresses of a group on an interface move with the virtual
 * router of that group, family and interface. So the first instance of an interface and family gets group 1, the second
 * group 2, and a third is left out. keepalived speaks version 2 unless it is told otherwise, and with IPv6 version 3: that
 * is written down. What is only known at the end (addresses, family, version, priority) is put there.
 * Source of directives and defaults: keepalived.conf(5). */
#include "import/keepalived_vrrp.h"
#include "import/text.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define PASSWORD_LEN 8 /* of the field of an advertisement: keepalived sends no more */

static void
say(struct ka_vrrp *v, const struct ka_line *l, enum taken how, const char *why)
{
	import_say(v->im, l->at, how, l->what, "%s", why);
}

static bool
take(struct ka_vrrp *v, const struct ka_line *l, const char *field, const char *value,
    const char *difference)
{
	return import_take(v->im, v->instance->row, l->at, l->what, field, value, difference);
}

static const char *
word(const struct ka_line *l, unsigned i)
{
	return i < l->n ? l->word[i] : "";
}

void
ka_vrrp_init(struct ka_vrrp *v, struct import *im)
{
	*v = (struct ka_vrrp){ .im = im };
	v->last_instance = &v->instances;
	v->last_track = &v->tracks;
	v->last_use = &v->uses;
	v->last_member = &v->members;
}

static void
enter(struct ka_vrrp *v, enum ka_in in)
{
	must(v->depth < KA_VRRP_DEPTH); /* an instance, a list within it: two */
	v->in[v->depth++] = in;
}

/* ---- blocks at the top -------------------------------------------------------------------------------------------- */

static void
new_instance(struct ka_vrrp *v, const struct ka_line *l)
{
	struct ka_instance *i = arena_alloc(v->im->a, sizeof(*i));

	*i = (struct ka_instance){ .name = word(l, 1), .what = l->what };
	i->row = import_extra_new(v->im, KIND_vrouter, l->at);
	i->last_address = &i->addresses;
	i->last_route = &i->routes;
	i->priority_at = l->at;
	*v->last_instance = i;
	v->last_instance = &i->next;
	v->instance = i;
	v->group = NULL;
}

static bool
at_top(struct ka_vrrp *v, const struct ka_line *l)
{
	static const struct {
		const char *word;
		enum ka_in in;
	} defs[] = { { "vrrp_script", KA_SCRIPT }, { "vrrp_track_file", KA_FILE },
		{ "track_file", KA_FILE }, { "vrrp_track_process", KA_PROCESS },
		{ "track_process", KA_PROCESS } };

	if (!l->opens)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(defs); i++)
		if (strcmp(l->word[0], defs[i].word) == 0) {
			ka_track_define(v, defs[i].in, l);
			enter(v, defs[i].in);
			return true;
		}
	if (strcmp(l->word[0], "global_defs") == 0) {
		enter(v, KA_GLOBAL);
		return true;
	}
	if (l->n < 2)
		return false;
	if (strcmp(l->word[0], "vrrp_instance") == 0) {
		new_instance(v, l);
		enter(v, KA_INSTANCE);
		return true;
	}
	if (strcmp(l->word[0], "vrrp_sync_group") == 0) {
		v->instance = NULL;
		v->group = l->word[1];
		enter(v, KA_SYNC);
		return true;
	}
	return false;
}

static bool
global_line(struct ka_vrrp *v, const struct ka_line *l)
{
	uint32_t n;

	if (l->opens || strcmp(l->word[0], "vrrp_version") != 0)
		return false;
	if (text_number(word(l, 1), 3, &n) && n >= 2) {
		v->version = (uint8_t)n;
		say(v, l, TAKEN, "vrrp.version");
	} else {
		say(v, l, NOT_TAKEN, "vrrp.version: 2 or 3");
	}
	return true;
}

/* Blocks of an instance and of a sync group. False: none of those. */
static bool
block(struct ka_vrrp *v, const struct ka_line *l)
{
	static const struct {
		const char *word;
		enum ka_in in;
		bool of_instance, of_group;
	} rows[] = {
		{ "authentication", KA_AUTH, true, false },
		{ "virtual_ipaddress", KA_ADDRESSES, true, false },
		{ "virtual_ipaddress_excluded", KA_EXCLUDED, true, false },
		{ "unicast_peer", KA_PEERS, true, false },
		{ "virtual_routes", KA_ROUTES, true, false },
		{ "group", KA_MEMBERS, false, true },
		{ "track_interface", KA_USE_INTERFACE, true, true },
		{ "track_script", KA_USE_SCRIPT, true, true },
		{ "track_file", KA_USE_FILE, true, true },
		{ "track_process", KA_USE_PROCESS, true, true },
	};
	bool group = v->in[v->depth - 1] == KA_SYNC;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(l->word[0], rows[i].word) == 0 &&
		    (group ? rows[i].of_group : rows[i].of_instance)) {
			enter(v, rows[i].in);
			return true;
		}
	return false;
}

/* ---- an instance -------------------------------------------------------------------------------------------------- */

static void
on_interval(struct ka_vrrp *v, const struct ka_line *l, const char *field)
{
	char text[24] = "";
	uint32_t ms;

	if (text_ms(word(l, 1), &ms))
		(void)snprintf(text, sizeof(text), "%ums", ms);
	(void)take(v, l, field, text, NULL);
}

static void
on_priority(struct ka_vrrp *v, const struct ka_line *l)
{
	struct ka_instance *i = v->instance;
	struct err err;

	if (import_put(v->im, i->row, "priority", word(l, 1), &err) != 0) {
		say(v, l, NOT_TAKEN, err.text);
		return;
	}
	(void)text_number(word(l, 1), 255, &i->priority);
	i->priority_at = l->at;
	i->priority_what = l->what; /* said at the end */
}

static void
on_version(struct ka_vrrp *v, const struct ka_line *l)
{
	uint32_t n;

	if (take(v, l, "version", word(l, 1), NULL) && text_number(word(l, 1), 3, &n))
		v->instance->version = (uint8_t)n;
}

static void
on_state(struct ka_vrrp *v, const struct ka_line *l)
{
	if (strcmp(word(l, 1), "BACKUP") == 0)
		say(v, l, TAKEN, "vrrp: every one begins so");
	else
		say(v, l, TAKEN_OTHERWISE,
		    "vrrp.priority: the greatest is master; every one begins as backup");
}

static void
on_interface(struct ka_vrrp *v, const struct ka_line *l)
{
	if (take(v, l, "interface", word(l, 1), NULL))
		v->instance->interface = l->word[1];
}

static void
on_use(struct ka_vrrp *v, const struct ka_line *l, const char *field)
{
	(void)take(v, l, field, "yes",
	    l->n > 1 ? "the device has a name of lbd-ha's, and goes with it" : NULL);
}

/* field: it takes the first word, or the value. */
static const struct {
	const char *word, *field, *value, *difference;
} instance_fields[] = {
	{ "virtual_router_id", "vrid", NULL, NULL },
	{ "mcast_src_ip", "source", NULL, NULL },
	{ "unicast_src_ip", "source", NULL, NULL },
	{ "down_timer_adverts", "down_adverts", NULL, NULL },
	{ "nopreempt", "preempt", "no", NULL },
	{ "preempt", "preempt", "yes", NULL },
	{ "vmac_xmit_base", "base_transmit", "yes", NULL },
	{ "skip_check_adv_addr", "any_addresses", "yes",
	    "advertisements with other addresses count, whoever the master is" },
};
/* What is said without a field: it is so, or it is not. */
static const struct {
	const char *word;
	enum taken how;
	const char *why;
} instance_words[] = {
	{ "accept", TAKEN, "vrrp: the addresses are answered for in any case" },
	{ "check_unicast_src", TAKEN, "vrrp.peers: nobody else is listened to in any case" },
	{ "higher_prio_send_advert", TAKEN, "vrrp: who is superseded says so in any case" },
	{ "no_accept", NOT_TAKEN,
	    "vrrp: the addresses are answered for; a packet filter can refuse" },
	{ "dont_track_primary", NOT_TAKEN, "vrrp: an interface without a carrier is a fault" },
	{ "strict_mode", NOT_TAKEN, "vrrp: there is one mode" },
	{ "unicast_ttl", NOT_TAKEN,
	    "vrrp: advertisements leave with 255; min_ttl is what is taken" },
	{ "garp_master_delay", NOT_TAKEN,
	    "settings announce, announce_gap and ha_refresh are for all addresses" },
	{ "garp_master_repeat", NOT_TAKEN,
	    "settings announce, announce_gap and ha_refresh are for all addresses" },
	{ "garp_master_refresh", NOT_TAKEN,
	    "settings announce, announce_gap and ha_refresh are for all addresses" },
	{ "garp_master_refresh_repeat", NOT_TAKEN,
	    "settings announce, announce_gap and ha_refresh are for all addresses" },
	{ "notify", NOT_TAKEN, "programs are those of /etc/lbd/notify: lbctl create notify" },
	{ "notify_master", NOT_TAKEN,
	    "programs are those of /etc/lbd/notify: lbctl create notify NAME script=FILE on=active" },
	{ "notify_backup", NOT_TAKEN,
	    "programs are those of /etc/lbd/notify: lbctl create notify NAME script=FILE on=passive" },
	{ "notify_fault", NOT_TAKEN,
	    "programs are those of /etc/lbd/notify: lbctl create notify NAME script=FILE on=fault" },
	{ "notify_stop", NOT_TAKEN, "programs are those of /etc/lbd/notify: lbctl create notify" },
	{ "lvs_sync_daemon_interface", NOT_TAKEN,
	    "lbctl set node sync_interface=NAME, and setting sync_role=both" },
	{ "global_tracking", TAKEN, "track: it counts for every virtual router of this node" },
	{ "sync_group_tracking_weight", TAKEN,
	    "track: it counts for every virtual router of this node" },
};

static bool
said_word(struct ka_vrrp *v, const struct ka_line *l)
{
	for (unsigned i = 0; i < ARRAY_LEN(instance_words); i++)
		if (strcmp(l->word[0], instance_words[i].word) == 0) {
			say(v, l, instance_words[i].how, instance_words[i].why);
			return true;
		}
	return false;
}

static bool
instance_line(struct ka_vrrp *v, const struct ka_line *l)
{
	const char *w = l->word[0];

	if (l->opens)
		return block(v, l);
	if (strcmp(w, "state") == 0)
		on_state(v, l);
	else if (strcmp(w, "interface") == 0)
		on_interface(v, l);
	else if (strcmp(w, "priority") == 0)
		on_priority(v, l);
	else if (strcmp(w, "version") == 0)
		on_version(v, l);
	else if (strcmp(w, "advert_int") == 0)
		on_interval(v, l, "interval");
	else if (strcmp(w, "preempt_delay") == 0)
		on_interval(v, l, "preempt_delay");
	else if (strcmp(w, "use_vmac") == 0)
		on_use(v, l, "virtual_mac");
	else if (strcmp(w, "use_ipvlan") == 0)
		on_use(v, l, "ipvlan");
	else if (strcmp(w, "native_ipv6") == 0)
		v->instance->six = true, say(v, l, TAKEN, "vrrp.family");
	else {
		for (unsigned i = 0; i < ARRAY_LEN(instance_fields); i++)
			if (strcmp(w, instance_fields[i].word) == 0) {
				(void)take(v, l, instance_fields[i].field,
				    instance_fields[i].value != NULL ? instance_fields[i].value
								     : word(l, 1),
				    instance_fields[i].difference);
				return true;
			}
		return said_word(v, l);
	}
	return true;
}

/* ---- lists -------------------------------------------------------------------------------------------------------- */

/* A password is never repeated. */
static bool
auth_line(struct ka_vrrp *v, const struct ka_line *l)
{
	if (strcmp(l->word[0], "auth_type") == 0) {
		if (strcmp(word(l, 1), "PASS") == 0)
			say(v, l, TAKEN, "vrrp.password");
		else
			say(v, l, NOT_TAKEN,
			    "vrrp.password: no other kind is spoken: take it from all of the routers");
		return true;
	}
	if (strcmp(l->word[0], "auth_pass") != 0)
		return false;
	v->instance->password = arena_text(v->im->a, word(l, 1), strnlen(word(l, 1), PASSWORD_LEN));
	v->instance->password_at = l->at;
	return true;
}

/* "ADDRESS[/LENGTH] [dev IF] [brd A] [scope S] [label L] [no_track] [nodad]" */
static bool
address_line(struct ka_vrrp *v, const struct ka_line *l, bool excluded)
{
	struct ka_instance *i = v->instance;
	struct ka_address *a = arena_alloc(v->im->a, sizeof(*a));

	*a = (struct ka_address){ .at = l->at, .what = l->what, .excluded = excluded };
	if (addr_parse(l->word[0], ADDR_CIDR, &a->addr) != 0 || a->addr.family == 0) {
		say(v, l, NOT_TAKEN, "fip.address: an address, perhaps with a length, is needed");
		return true;
	}
	for (unsigned k = 1; k < l->n; k++) {
		if (strcmp(l->word[k], "dev") == 0 && k + 1 < l->n)
			a->dev = l->word[++k];
		else
			a->more = true;
	}
	*i->last_address = a;
	i->last_address = &a->next;
	return true; /* said at the end */
}

/* "ADDRESS [min_ttl N] [max_ttl N]"; all in one field. */
static bool
peer_line(struct ka_vrrp *v, const struct ka_line *l)
{
	const char *before = import_value(v->instance->row, "peers");
	char list[1100];

	(void)snprintf(list, sizeof(list), "%s%s%.100s", before != NULL ? before : "",
	    before != NULL ? "," : "", l->word[0]);
	if (!take(v, l, "peers", list, NULL))
		return true;
	v->instance->unicast = true;
	for (unsigned k = 1; k + 1 < l->n; k += 2)
		if (strcmp(l->word[k], "min_ttl") == 0)
			(void)take(v, l, "min_ttl", l->word[k + 1], "one for all peers");
	return true;
}

static bool
member_line(struct ka_vrrp *v, const struct ka_line *l)
{
	for (unsigned k = 0; k < l->n; k++) {
		struct ka_member *m = arena_alloc(v->im->a, sizeof(*m));

		*m = (struct ka_member){ .at = l->at, .what = l->word[k] };
		m->group = v->group;
		m->instance = l->word[k];
		*v->last_member = m;
		v->last_member = &m->next;
	}
	return true; /* said at the end */
}

/* "[src A] [to] NETWORK [via A] [dev IF] [metric N] [table N] [scope S]"; default is the network of all. */
static bool
route_fields(struct ka_vrrp *v, const struct ka_line *l, struct import_row *r, struct err *err)
{
	static const struct {
		const char *word, *field;
	} rows[] = { { "to", "destination" }, { "via", "gateway" }, { "gw", "gateway" },
		{ "dev", "interface" }, { "src", "source" }, { "metric", "metric" },
		{ "table", "table" } };
	const char *to = NULL;
	struct addr gateway = { 0 }, network;

	for (unsigned k = 0; k < l->n; k++) {
		const char *w = l->word[k];
		unsigned i = 0;

		while (i < ARRAY_LEN(rows) && strcmp(w, rows[i].word) != 0)
			i++;
		if (i == ARRAY_LEN(rows) && to == NULL &&
		    (strcmp(w, "default") == 0 || addr_parse(w, ADDR_CIDR, &network) == 0)) {
			to = w;
			continue;
		}
		if (i == ARRAY_LEN(rows) || k + 1 == l->n) {
			(void)err_set(err, ERR_INVALID, "\"%.60s\" is not known there", w);
			return false;
		}
		k++;
		if (i == 0)
			to = l->word[k];
		else if (import_put(v->im, r, rows[i].field, l->word[k], err) != 0)
			return false;
		if (strcmp(rows[i].field, "gateway") == 0)
			(void)text_host(l->word[k], &gateway);
	}
	if (to != NULL && strcmp(to, "default") == 0)
		to = gateway.family == 6 ? "::/0" : "0.0.0.0/0";
	return import_put(v->im, r, "destination", to != NULL ? to : "", err) == 0;
}

static bool
route_line(struct ka_vrrp *v, const struct ka_line *l)
{
	struct ka_route *k = arena_alloc(v->im->a, sizeof(*k));
	struct buf name = { 0 };
	struct err err = { 0 };
	struct import_row r = { .o = object_of(KIND_vroute), .at = l->at };

	if (!route_fields(v, l, &r, &err)) {
		import_say(v->im, l->at, NOT_TAKEN, l->what, "route: %s", err.text);
		return true;
	}
	k->row = import_extra_new(v->im, KIND_vroute, l->at);
	*k->row = r;
	k->row->with = v->instance->row;
	name_clean(import_value(&r, "destination"), 50, &name);
	import_name(v->im, k->row, "route ", buf_text(&name));
	buf_fini(&name);
	*v->instance->last_route = k;
	v->instance->last_route = &k->next;
	say(v, l, TAKEN, "route");
	return true;
}

/* ---- statements --------------------------------------------------------------------------------------------------- */

static bool
line_in(struct ka_vrrp *v, enum ka_in in, const struct ka_line *l)
{
	switch (in) {
	case KA_AUTH: return auth_line(v, l);
	case KA_ADDRESSES: return address_line(v, l, false);
	case KA_EXCLUDED: return address_line(v, l, true);
	case KA_PEERS: return peer_line(v, l);
	case KA_MEMBERS: return member_line(v, l);
	case KA_ROUTES: return route_line(v, l);
	case KA_SCRIPT:
	case KA_FILE:
	case KA_PROCESS: return ka_track_line(v, l);
	default: break;
	}
	ka_track_use(v, in, l);
	return true;
}

bool
ka_vrrp_line(struct ka_vrrp *v, const struct ka_line *l)
{
	enum ka_in in;

	if (v->depth == 0)
		return at_top(v, l);
	in = v->in[v->depth - 1];
	if (in == KA_GLOBAL)
		return global_line(v, l);
	if (in == KA_INSTANCE)
		return instance_line(v, l);
	if (in == KA_SYNC)
		return l->opens ? block(v, l) : said_word(v, l);
	return !l->opens && line_in(v, in, l);
}

void
ka_vrrp_close(struct ka_vrrp *v)
{
	must(v->depth > 0);
	v->depth--;
}
