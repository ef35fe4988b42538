/* Who may send what. The kernel says which user is at the other end; what the peer says of itself only chooses among
 * what that user may be:
 *
 *	root, or the user of this daemon	any program
 *	a user named like a daemon		that daemon
 *	everybody else				lbctl; with orders only when in group lbd-admin
 *
 * The rows of messages.def say which programs send a message and who is trusted with it. */
#include "msg/bus_priv.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ADMIN_GROUP "lbd-admin"
#define GROUPS_MAX 256
#define DB_ROOM 4096

static bool
in_admin_group(const char *user, unsigned gid)
{
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;
	char room[DB_ROOM];
	struct group g, *found = NULL;

	if (getgrnam_r(ADMIN_GROUP, &g, room, sizeof(room), &found) != 0 || found == NULL)
		return false;
	if (gid == g.gr_gid)
		return true;
	if (user[0] == '\0')
		return false;
	if (getgrouplist(user, (gid_t)gid, groups, &n) == -1)
		n = GROUPS_MAX; /* more groups than room: the first ones count */
	for (int i = 0; i < n; i++)
		if (groups[i] == g.gr_gid)
			return true;
	return false;
}

static void
user_name(unsigned uid, char *out, size_t size)
{
	char room[DB_ROOM];
	struct passwd pw, *found = NULL;

	if (getpwuid_r((uid_t)uid, &pw, room, sizeof(room), &found) != 0 || found == NULL)
		out[0] = '\0';
	else
		(void)snprintf(out, size, "%s", pw.pw_name);
}

int
rights_find(unsigned uid, unsigned gid, const char *program, struct rights *out, struct err *err)
{
	struct rights r = { .program = msg_program(program) };
	char user[64];

	if (r.program == 0)
		return err_set(err, ERR_PROTO, "HELLO: program %s is not known", program);
	if (uid == 0 || uid == geteuid()) {
		r.anyone = r.oper = true;
		*out = r;
		return 0;
	}
	user_name(uid, user, sizeof(user));
	r.daemon = r.program != PROG_CTL && strcmp(user, program) == 0;
	if (r.program != PROG_CTL && !r.daemon)
		return err_set(err, ERR_DENIED, "HELLO: user %s (%u) may not speak for %s",
		    user[0] != '\0' ? user : "without name", uid, program);
	r.oper = in_admin_group(user, gid);
	*out = r;
	return 0;
}

int
rights_check(const struct rights *r, const struct msg_row *row, struct err *err)
{
	if ((row->from & r->program) == 0)
		return err_set(err, ERR_DENIED, "%s: your program does not send it", row->name);
	if (row->access == ACCESS_OPERATOR && !r->oper && !r->daemon)
		return err_set(err, ERR_DENIED, "%s: needs root or group " ADMIN_GROUP, row->name);
	if (row->access == ACCESS_INTERNAL && !r->anyone && !r->daemon)
		return err_set(err, ERR_DENIED, "%s: only daemons of the suite send it", row->name);
	return 0;
}
