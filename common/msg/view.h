/* view.h - how services and servers stand now: what the daemons said, merged with the configuration and with
 * the orders of operators. lbctl fills one and prints it; lbd-web keeps one and feeds it from its links. The
 * "status" object of the API and of `lbctl get -o json` is written here, once.
 *
 * Everything is held by row id, so a new snapshot keeps what is known of the rows that stay. What a daemon
 * said counts until it has been away for VIEW_STALE; then verdicts are unknown. Not thread-safe. */
#ifndef MSG_VIEW_H
#define MSG_VIEW_H

#include "base/mono.h"
#include "msg/counters.h"
#include "msg/msg.h"
#include "store/snapshot.h"
#include "store/state.h"
#include "sys/paths.h"

#define VIEW_STALE DUR_S(10)
#define VIEW_HA_STALE DUR_S(2) /* lbd-ha tells its role each half second */

/* From one answer to the next, per second; 0 before the second one. */
struct phases;
struct view_rates {
	float conns, requests, bytes_in, bytes_out;
};
struct view_service {
	uint32_t id;
	bool counted;			 /* counts were heard */
	bool quorum_heard, quorum_met;	 /* as lbd-check said; see view_quorum */
	bool l4_heard, loaded, fallback; /* as lbd-ipvs said; see view_l4, view_fallback */
	uint16_t l4_turn;		 /* of the link by which it was heard */
	uint32_t mark;			 /* firewall mark; 0: by address */
	uint64_t quorum_weight;		 /* of fit servers */
	int64_t quorum_since;		 /* when met last changed; seconds since 1970 */
	char *fault;			 /* why the kernel has it not; NULL */
	mono_t counted_at;
	int64_t since; /* when the counters started at zero; 0 unknown */
	struct view_rates rate;
	struct service_counters counts;
	struct phases *phases; /* layer 7: how long requests took; NULL: not heard */
};
struct view_server {
	uint32_t id;
	bool heard, counted; /* a verdict, counts */
	uint8_t verdict;     /* enum verdict, as lbd-check said; see view_verdict */
	uint16_t reason;
	uint16_t hint; /* row of findings.def, as lbd-ipvs said; 0 none; see view_hint */
	uint16_t l4_turn;
	uint32_t turns;
	int64_t hint_since; /* seconds since 1970 */
	char *hint_text;    /* in words and figures; NULL */
	int64_t since,
	    at; /* seconds since 1970: last change of the verdict, end of the last probe */
	uint64_t latency_us, probes, failed;
	uint32_t downs;		     /* turns from up to down */
	uint64_t downtime_us;	     /* without what is since `since` */
	uint16_t status;	     /* HTTP, of the last probe; 0 none */
	char *text;		     /* reason in words; NULL */
	char *place, *resolve_fault; /* what its name stands for, why DNS says so no more; NULL */
	int64_t resolved;	     /* when DNS last said so; seconds since 1970 */
	mono_t counted_at;
	struct view_rates rate;
	struct server_counters counts;
};
struct view_floating {
	struct view_floating *next;
	char address[ADDR_TEXT], interface[16];
	bool held, manual;
	uint32_t services;
	char *fault; /* NULL: none */
	const char *
	    route; /* what routers are told: "announced", "last resort", "withdrawn", "open"; "": nobody tells them */
	char *cause; /* why; NULL: none */
};
struct view_daemon {
	const char *name; /* of client_daemons[] */
	bool running;
	char release[32], fault[200], head[200], why[200]; /* why: it is away */
	uint32_t pid, revision, local, oper;
	int64_t started;
	uint64_t rss, cpu, log_lines, log_dropped;
	uint32_t staples, staples_missing;
};
enum view_link { LINK_NONE, LINK_UP, LINK_DEGRADED, LINK_DOWN, LINK_ONE_WAY, LINKS };
struct view_role {
	bool heard, active, master, peer, addresses;
	bool outside; /* another program decides the role */
	bool in_sync, pending;
	uint32_t entries; /* of persistence */
	uint8_t link;	  /* enum view_link */
	int64_t since;
};
#define VIEW_GROUPS 2
#define VIEW_CARRIERS 8
struct view_group { /* group 0: not heard */
	uint8_t group;
	bool hold, conflict, answered, peer_whole;
	uint32_t addresses;
	uint64_t generation, changes, lease_us;
	uint64_t claim;
	int64_t since;
	char role[16], peer[16], why[100];
	char missing[160]; /* of the other node's, before this one may take over; "": nothing */
};
struct view_carrier { /* name "": there is none */
	char name[100], state[16], fault[80];
	uint16_t permille;
	int64_t since;
	uint64_t heard_us, sent, received, lost, rtt_us, worst_us; /* heard_us 0: never */
};

enum view_alarm_kind { VIEW_ALARM_OTHER, VIEW_ALARM_SAME, VIEW_ALARMS };
struct
    view_alarm { /* heartbeats of another pair (OTHER), or with our number and another key; frames 0: none */
	bool now;
	char from[64];
	uint64_t cluster, frames;
	int64_t at;
};
#define VIEW_CHECKS 124
struct view_check { /* a ping node, a track or a notify script; name "": there is none */
	char name[200], what[16], state[16], text[200];
	int64_t since;
};

#define VIEW_VRRPS 16
struct view_vrrp { /* a virtual router; name "": there is none */
	char name[64], state[16], interface[16], master[48], mac[20], fault[160], advice[200];
	char discarded[400]; /* "ttl=1,checksum=2" */
	uint8_t vrid, version, family, group, priority, master_priority;
	uint32_t addresses;
	int64_t since;
	uint64_t interval_us, sent, received, zero_sent, zero_received, masters, answers, equal,
	    stalls;
};

/* The other node of a pair; texts are "" when there is nothing to say. */
struct view_peer {
	bool heard, paired, up, doubt;
	char name[64], addresses[512], fingerprint[80], own[80], fault[600], release[32];
	uint16_t port;
	uint8_t node; /* of this node: 1 or 2; 0 single */
	uint64_t cluster, rtt_us;
	int64_t since; /* the channel came up, or was lost */
};

/* What lbd-proxy counted of a content rule. */
struct view_rule {
	uint64_t held, unknown; /* unknown: it named a pool that there is none of */
};

struct view;
struct view *view_new(void);
void view_free(struct view *v); /* NULL is fine */

/* view_use - from now on these rows; takes its own reference. */
void view_use(struct view *v, struct snapshot *s);
struct snapshot *view_snapshot(const struct view *v); /* borrowed */
/* view_clock - the time that "stale" and the rates are reckoned from; call it before view_row and reading. */
void view_clock(struct view *v, mono_t now);
/* view_row - one message: HEALTH, QUORUM, L4_SERVICE, L4_HINT, SERVICE_COUNTS, SERVER_COUNTS, ROLE, FLOATING, HA_PEER,
 * DAEMON; others are ignored. What is said of a row that the snapshot does not have yet counts when it has it. true when
 * something that is shown changed its state (a verdict, a quorum, a fallback, a hint, a role, a floating address, the
 * peer; not counters). */
bool view_row(struct view *v, const struct msg_row *row, const union msg_any *m);
/* view_here - a link came up (here) or went down. Nothing was heard from lbd-check yet: verdicts are unknown. */
void view_here(struct view *v, const char *daemon, bool here);
/* view_synced - the snapshot of a topic is complete: what lbd-ipvs said over an earlier link and did not repeat is not
 * so any more. */
void view_synced(struct view *v, const char *daemon);

/* By row id; NULL for an id that the snapshot does not have. Borrowed until view_use. */
const struct view_service *view_service(const struct view *v, uint32_t id);
const struct view_rule *view_rule(const struct view *v, uint32_t id); /* NULL: not heard */
const struct view_server *view_server(const struct view *v, uint32_t id);
/* view_role - heard is false when lbd-ha has not told it for VIEW_HA_STALE; view_role_age - since then, in ms. */
const struct view_role *view_role(const struct view *v);
int64_t view_role_age(const struct view *v);
const struct view_peer *view_peer(const struct view *v);
const struct view_floating *view_floating(
    const struct view *v); /* list in order of address; NULL: none */
/* Daemons of client_daemons[], in that order; *n_out of them. running is false before DAEMON was heard. */
const struct view_daemon *view_daemons(const struct view *v, unsigned *n_out);

/* The verdict that counts: unknown when lbd-check is away for too long. */
enum verdict view_verdict(const struct view *v, uint32_t server_id);
/* What counts of a service or server now; NULL: unknown, or (view_hint) nothing is the matter. The hint of a server
 * counts until lbd-ipvs has been away for too long, as do mark, loaded, fault and fallback of a service. */
const struct view_service *view_quorum(const struct view *v, uint32_t service_id);
const struct view_service *view_l4(const struct view *v, uint32_t service_id);
const struct view_server *view_hint(const struct view *v, uint32_t server_id);
/* Whether the fallback takes the clients: in layer 4 as lbd-ipvs says, in layer 7 while the quorum is not met. */
bool view_fallback(const struct view *v, const struct service *s);
/* view_note - what is out of the ordinary with a service, in one line: "fallback takes the clients; weight 100 of
 * quorum 200". false, and "", when nothing is. */
#define VIEW_NOTE 300
bool view_note(const struct view *v, const struct service *s, char out[VIEW_NOTE]);
enum server_state view_server_state(const struct view *v, const struct server *srv);
/* How a service stands; tally_out may be NULL. Servers in all: their sum. */
enum status view_service_status(
    const struct view *v, const struct service *s, struct service_view *tally_out);
/* Services per colour: ok, warn, down, off, unk; servers per state. */
struct view_totals {
	unsigned services[ST_UNK + 1], servers[SRV_UNKNOWN + 1];
	uint64_t conns, proxied; /* those of layer 7 */
	struct view_rates rate;
	double proxied_rate; /* new ones of layer 7 a second */
};
/* Of the connections that lbd-proxy may have (setting proxy_conns) four fifths are there. */
bool view_near_limit(const struct view_totals *t, uint32_t most);
void view_totals(const struct view *v, struct view_totals *out);
/* Drained or halted, and not one connection is left (S193). */
bool view_safe_to_power_off(const struct view *v, const struct server *srv);

/* view_collect - blocking, for lbctl: ask the daemons. what: VIEW_ bits. A daemon that is away is no error
 * (view_daemons and unknown verdicts tell). wait: for each daemon. Returns 0 or the first fault of one that answers. */
enum { VIEW_HEALTH = 1, VIEW_COUNTS = 2, VIEW_HA = 4, VIEW_DAEMONS = 8 }; /* HEALTH: layer 4 too */
int view_collect(struct view *v, const struct paths *p, unsigned what, dur_t wait, struct err *err);

/* view_json_live - the member of a row of this kind that tells how it stands now; NULL: there is none. */
const char *view_json_live(const struct object *o);
/* view_json_row - the body of the API for one row: every field of the configuration, and for vips and rips
 * "status": {...}, for rules "counts": {...}. No line end. view_json_status - only that object; false (nothing written) for other kinds.
 *
 * vip: {"state":"warn","colour":"yellow","word":"Degraded","note":"","servers":{"total":3,"up":2,"warning":0,
 *       "down":1,"drain":0,"halt":0,"unknown":0},
 *       "quorum":{"met":true,"weight":200,"needed":1,"since":"2026-...Z"},"fallback":false,
 *       "kernel":{"loaded":true,"mark":268435460,"fault":""},"counters":{"connections":0,...}}
 *       "quorum" is null while nobody knows; "kernel" in layer 7 and while lbd-ipvs does not say; "mark" 0: none.
 * rip: {"state":"down","colour":"red","word":"Down","weight":100,"safe_to_power_off":false,
 *       "check":{"verdict":"down","reason":"refused"...,"text":"...","since":"2026-...Z","at":"...Z",
 *       "latency_us":212,"probes":7,"failed":3,"turns":1,"by":"lbd-check"},
 *       "name":{"place":"10.0.0.7:8080","resolved":"...","fault":""} or null (no DNS name): place is where it was
 *       at resolved; fault: why DNS does not say so any more,
 *       "hint":{"what":"half_open","means":"connections to the server stay half open","text":"...",
 *       "since":"..."} or null (layer 4),
 *       "order":{"state":"drain","weight":null,"since":"...","until":"...","who":"eve","from":"cli","why":""},
 *       "counters":{...}}; "order" is null when nothing was ordered. Times are null when unknown.
 * Names in "counters" are those of /metrics without the prefix; it is null when nobody counted. */
void view_json_row(const struct view *v, const struct object *o, const void *row, struct buf *out);
bool view_json_status(
    const struct view *v, const struct object *o, const void *row, struct buf *out);
/* view_json_peer - the other node, as the API has it: {"name","up","node","cluster","addresses":[],"port","fingerprint",
 * "own_fingerprint","since","rtt_us","doubt","fault","release"}; null on a single node without a fault. */
void view_json_peer(struct buf *out, const struct view_peer *p);
/* view_groups, view_carriers, view_checks - VIEW_GROUPS, VIEW_CARRIERS and VIEW_CHECKS rows. view_link_word - "up", "degraded", ... */
const struct view_group *view_groups(const struct view *v);
const struct view_carrier *view_carriers(const struct view *v);
const struct view_check *view_checks(const struct view *v);
const struct view_vrrp *view_vrrps(const struct view *v);   /* VIEW_VRRPS rows */
const struct view_alarm *view_alarms(const struct view *v); /* VIEW_ALARMS of them */
/* view_alarm_words - what it means and what to do, in a sentence; "" when it is over. */
const char *view_alarm_words(const struct view *v, enum view_alarm_kind kind);
const char *view_link_word(uint8_t link);
/* view_role_words - the state of the pair in the words of its field, and what to do about it ("" nothing). */
void view_role_words(const struct view *v, char out[100], char advice[200]);
/* view_json_ha - the members "role", "state", "link", "words", "advice", "outside", "since", "groups", "carriers", "checks",
 * "alarms", "peer" of an
 * object. */
void view_json_ha(struct buf *out, const struct view *v);
/* view_json_text - a string with its quotes. view_json_time - "2026-11-21T13:00:00Z", or null for 0. */
void view_json_text(struct buf *out, const char *text);
void view_json_member(struct buf *out, const char *key, const char *text); /* ,"key":"text" */
void view_json_time(struct buf *out, int64_t seconds);
/* view_json_order - an operator's order as the API has it: {"state","weight","since","until","who","from","why"}. */
void view_json_order(struct buf *out, const struct admin *a);

#endif
