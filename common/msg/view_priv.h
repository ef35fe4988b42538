/* view_priv.h - the inside of a view, for view*.c only. */
#ifndef MSG_VIEW_PRIV_H
#define MSG_VIEW_PRIV_H

#include "base/idmap.h"
#include "msg/view.h"

#define EARLY_KINDS 4 /* messages about rows: HEALTH, QUORUM, L4_SERVICE, L4_HINT */

/* A daemon whose words count only while it is there. */
struct view_source {
	bool here, known; /* linked now; was ever */
	mono_t left_at;
};
struct view {
	struct snapshot *snap; /* NULL before view_use */
	mono_t now, role_at;
	uint32_t services_n, servers_n;
	struct view_service *services; /* in order of id, one for each row of snap */
	struct view_server *servers;
	struct view_role role;
	struct view_peer peer;
	struct view_group groups[VIEW_GROUPS];
	struct view_carrier carriers[VIEW_CARRIERS];
	struct view_check checks[VIEW_CHECKS];
	struct view_vrrp vrrps[VIEW_VRRPS];
	struct view_alarm alarms[VIEW_ALARMS];
	struct view_floating *floating; /* in order of address */
	struct view_daemon *daemons;	/* one for each of client_daemons[] */
	unsigned daemons_n;
	struct view_source check, ipvs;
	struct idmap rules; /* what was counted of content rules, by id: struct view_rule */
	struct idmap early[EARLY_KINDS]; /* said of rows that snap does not have yet, by id */
	uint16_t l4_turn;		 /* goes up with each link to lbd-ipvs */
};

bool view_fresh(const struct view *v, const struct view_source *s);
/* view_early.c. keep: true when the message is about a row that is not there (yet); it is kept for later then. */
bool view_early_keep(struct view *v, const struct msg_row *row, const union msg_any *m);
void view_early_use(struct view *v);			    /* snap is another */
void view_early_forget(struct view *v, const char *daemon); /* it comes anew; NULL: all */
/* view_l4.c */
bool view_on_quorum(struct view *v, const struct msg_quorum *m);
bool view_on_l4_service(struct view *v, const struct msg_l4_service *m);
bool view_on_l4_hint(struct view *v, const struct msg_l4_hint *m);
/* text of a message kept: *slot is freed and set; NULL for "" */
void view_keep_text(char **slot, struct span text);

/* view_rules.c */
void view_on_rules(struct view *v, const struct msg_rule_is *m);
void view_rules_use(struct view *v); /* snap is another */
void view_rules_free(struct view *v);
void view_json_rule(struct buf *out, const struct view *v, uint32_t id);

/* view_pair.c */
bool view_on_group(struct view *v, const struct msg_ha_group *m);
bool view_on_carrier(struct view *v, const struct msg_ha_carrier *m);
bool view_on_alarm(struct view *v, const struct msg_ha_alarm *m);
bool view_on_check(struct view *v, const struct msg_ha_check *m);
bool view_on_vrrp(struct view *v, const struct msg_ha_vrrp *m);
void view_json_vrrps(struct buf *out, const struct view *v);
bool view_json_vrrp(struct buf *out, const struct view *v, const char *name); /* false: none */
/* view_vrrp_masters - how many are, of all_out. */
unsigned view_vrrp_masters(const struct view *v, unsigned *all_out);
/* view_peer.c */
bool view_on_peer(struct view *v, const struct msg_ha_peer *m);

#endif
