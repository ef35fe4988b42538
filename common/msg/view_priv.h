/* view_priv.h - the inside of a view, for view*.c only. */
#ifndef MSG_VIEW_PRIV_H
#define MSG_VIEW_PRIV_H

#include "msg/view.h"

struct view {
	struct snapshot *snap; /* NULL before view_use */
	mono_t now;
	uint32_t services_n, servers_n;
	struct view_service *services; /* in order of id, one for each row of snap */
	struct view_server *servers;
	struct view_role role;
	struct view_floating *floating; /* in order of address */
	struct view_daemon *daemons;	/* one for each of client_daemons[] */
	unsigned daemons_n;
	bool check_here, check_known; /* lbd-check is linked now; was ever */
	mono_t check_left_at;
};

#endif
