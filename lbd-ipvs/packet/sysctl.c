/* sysctl.c - which switches of the kernel a configuration needs, and setting them.
 *
 * A switch that is as needed is not written; one that is not needed is not touched; nothing is remembered and nothing
 * put back, because the administrator's own configuration may say the same. The reasons:
 *
 * ip_forward, forwarding       answers of servers in modes nat and snat, translated and routed packets pass this node.
 *   The unit routes between its networks unless the packet filter is on. Forwarding makes an IPv6 host a router, which
 *   ignores router advertisements: where it listened to them until now it goes on (accept_ra 2).
 * send_redirects               one-arm nat: a server that is told of a shorter way would answer around this node.
 * vs/conntrack                 mode snat: what IPVS sends to a server is then translated by nftables.
 * vs/expire_nodest_conn        a server that was taken out: its connections end with a reset at their next packet,
 *   instead of hanging until the kernel forgets them.
 * vs/drop_entry, vs/secure_tcp when memory runs out (mode 1: automatic), half-open connections are dropped first.
 *   tcp_syncookies does the same for what this node accepts itself.
 *
 * tcp_fwmark_accept            of a pair: by its mark a connection that lbd-proxy has is known to be here (rules_keep.c).
 *
 * vs/expire_quiescent_template follows from the state of servers, not from the configuration: services.c sets it.
 * Left at the kernel's defaults, which are right here: vs/pmtu_disc (1), vs/schedule_icmp and vs/ignore_tunneled (0:
 * ICMP that belongs to a connection finds its server by the connection), vs/snat_reroute and vs/conn_reuse_mode (1).
 * Source: Documentation/networking/ipvs-sysctl.rst, ip-sysctl.rst. */
#include "packet/sysctl.h"

#include "base/must.h"
#include "sys/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct row {
	unsigned need;
	const char *path;
	int least; /* as needed when it is at least this */
	int off;   /* what NEED_DEFENSE gives back; -1: nothing */
};
static const struct row rows[] = {
	{ NEED_FORWARD4, "net/ipv4/ip_forward", 1, -1 },
	{ NEED_FORWARD6, "net/ipv6/conf/all/forwarding", 1, -1 },
	{ NEED_CONNTRACK, "net/ipv4/vs/conntrack", 1, -1 },
	{ NEED_IPVS, "net/ipv4/vs/expire_nodest_conn", 1, -1 },
	{ NEED_DEFENSE, "net/ipv4/vs/drop_entry", 1, 0 },
	{ NEED_DEFENSE, "net/ipv4/vs/secure_tcp", 1, 0 },
	{ NEED_DEFENSE, "net/ipv4/tcp_syncookies", 1, -1 },
	{ NEED_ACCEPT_MARK, "net/ipv4/tcp_fwmark_accept", 1, -1 },
};

static unsigned
families_of(const struct service *s)
{
	unsigned bits = s->address.family == 4 ? NEED_FORWARD4 : NEED_FORWARD6;

	for (unsigned i = 0; s->more_addresses != NULL && i < s->more_addresses->n; i++)
		bits |= s->more_addresses->r[i].lo.family == 4 ? NEED_FORWARD4 : NEED_FORWARD6;
	return bits;
}

static bool
rewrites(const struct snapshot *s, const struct service *v)
{
	const void *const *servers;
	uint32_t n;

	if (v->mode == mode_nat || v->mode == mode_snat)
		return true;
	servers = snapshot_children(s, KIND_server, v->id, &n);
	for (uint32_t i = 0; i < n; i++)
		if (((const struct server *)servers[i])->forward == forward_nat)
			return true;
	return false;
}

static unsigned
needs_of_service(const struct snapshot *s, const struct service *v, bool routes)
{
	unsigned needs = 0;

	if (service_layer(v) == 7)
		return v->transparent ? families_of(v) | NEED_NO_REDIRECTS : 0;
	needs |= NEED_IPVS;
	if (routes)
		needs |= families_of(v);
	if (rewrites(s, v))
		needs |= families_of(v) | NEED_NO_REDIRECTS;
	if (v->mode == mode_snat)
		needs |= NEED_CONNTRACK;
	return needs;
}

unsigned
sysctl_needs(const struct snapshot *s)
{
	bool routes = !snapshot_setting(s)->packet_filter;
	unsigned needs = 0;

	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *v = snapshot_at(s, KIND_service, i);

		if (v->enabled)
			needs |= needs_of_service(s, v, routes);
	}
	for (uint32_t i = 0; i < snapshot_count(s, KIND_natrule); i++) {
		const struct natrule *r = snapshot_at(s, KIND_natrule, i);

		if (r->enabled)
			needs |= r->inside.family == 4 ? NEED_FORWARD4 : NEED_FORWARD6;
	}
	if (snapshot_node(s)->autonat[0] != '\0')
		needs |= NEED_FORWARD4;
	if (snapshot_setting(s)->syn_defense && (needs & NEED_IPVS) != 0)
		needs |= NEED_DEFENSE;
	return needs;
}

/* ---- the effect --------------------------------------------------------------------------- */

/* The number in a file; -errno. */
static int
get(const char *dir, const char *path, int *out)
{
	char file[300], text[40] = "";
	int fd;
	ssize_t n;

	(void)snprintf(file, sizeof(file), "%s/%s", dir, path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n == -1)
		return -errno;
	*out = (int)strtol(text, NULL, 10);
	return 0;
}

/* 0, -ENOENT: there is no such file; -errno with err. */
static int
set(const char *dir, const char *path, int old, int value, struct err *err)
{
	char file[300], text[16], name[200];
	int fd, rc = 0;

	(void)snprintf(file, sizeof(file), "%s/%s", dir, path);
	(void)snprintf(text, sizeof(text), "%d\n", value);
	(void)snprintf(name, sizeof(name), "%s", path);
	for (char *p = name; *p != '\0'; p++)
		*p = *p == '/' ? '.' : *p == '.' ? '/' : *p; /* as sysctl(8) writes it */
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd == -1 || write(fd, text, strlen(text)) == -1)
		rc = -errno;
	if (fd != -1)
		(void)close(fd);
	if (rc == -ENOENT)
		return rc;
	if (rc != 0)
		return err_set(
		    err, rc, "sysctl %s cannot be set to %d: %s", name, value, strerror(-rc));
	log_info("sysctl %s: %d -> %d", name, old, value);
	return 0;
}

/* Every interface's switch of a name, where it has the value from. Those that come later follow "default". */
static int
set_each(const char *dir, const char *folder, const char *name, int from, int to, struct err *err)
{
	char path[300];
	struct dirent *e;
	int rc = 0, now = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, folder);
	d = opendir(path);
	while (rc == 0 && d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%.60s/%s", folder, e->d_name, name);
		if (get(dir, path, &now) == 0 && now == from)
			rc = set(dir, path, now, to, err);
		if (rc == -ENOENT)
			rc = 0; /* the interface went */
	}
	if (d != NULL)
		(void)closedir(d);
	return rc;
}

static int
apply_row(const char *dir, const struct row *r, unsigned needs, unsigned before, struct err *err)
{
	bool on = (needs & r->need) != 0, off = !on && (before & r->need) != 0 && r->off >= 0;
	int now = 0, rc;

	if (!on && !off)
		return 0;
	rc = get(dir, r->path, &now);
	if (rc == -ENOENT)
		return on && strstr(r->path, "/vs/") != NULL ? 1 : 0;
	if (rc != 0)
		return err_set(err, rc, "%s/%s cannot be read: %s", dir, r->path, strerror(-rc));
	if (on ? now >= r->least : now == r->off)
		return 0;
	if (r->need == NEED_FORWARD6) {
		rc = set_each(dir, "net/ipv6/conf", "accept_ra", 1, 2, err);
		if (rc != 0)
			return rc;
	}
	rc = set(dir, r->path, now, on ? r->least : r->off, err);
	return rc == -ENOENT ? 0 : rc;
}

int
sysctl_apply(const char *dir, unsigned needs, unsigned before, struct err *err)
{
	bool missing = false;
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < ARRAY_LEN(rows); i++) {
		rc = apply_row(dir, &rows[i], needs, before, err);
		missing |= rc == 1;
	}
	if (rc >= 0 && (needs & NEED_NO_REDIRECTS) != 0)
		rc = set_each(dir, "net/ipv4/conf", "send_redirects", 1, 0, err);
	return rc < 0 ? rc : missing;
}
