/* doctor: looks at the machine and says what is wrong and how to mend it. It reads only, and every finding carries the line
 * that mends it. Nothing is repaired here. */
#include "doctor.h"

#include "cert/cert.h"

#include "msg/client.h"
#include "sys/netlink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { D_STATUS, D_WHAT, D_FINDING, D_FIX };
static const struct column doctor_columns[] = {
	[D_STATUS] = { "status", NULL, COL_STATUS, COL_SHOW },
	[D_WHAT] = { "name", "check", COL_TEXT, COL_SHOW },
	[D_FINDING] = { "finding", NULL, COL_TEXT, COL_SHOW },
	[D_FIX] = { "fix", NULL, COL_TEXT, COL_SHOW },
};

void
doctor_finding(
    struct doctor *d, enum status st, const char *what, const char *text, const char *fix)
{
	static const char *const words[] = { [ST_OK] = "ok",
		[ST_WARN] = "warning",
		[ST_DOWN] = "wrong",
		[ST_OFF] = "off",
		[ST_UNK] = "remark" };

	d->bad += st == ST_WARN || st == ST_DOWN;
	if ((st == ST_OK || st == ST_UNK) && !GIVEN(d->c, verbose) && d->c->style.form != FORM_JSON)
		return;
	table_row(d->t);
	table_status(d->t, D_STATUS, st, words[st]);
	table_text(d->t, D_WHAT, what);
	table_text(d->t, D_FINDING, text);
	table_text(d->t, D_FIX, fix);
}

static void
look_at_store(struct doctor *d)
{
	struct iface_list l = { 0 };
	struct err err = { 0 };
	int rc = ctl_load(d->c, &err);

	d->have_snapshot = rc == 0;
	if (rc == 0 && netlink_addresses(&l, NULL) == 0)
		rc = snapshot_check(d->c->snap, &l, &err);
	iface_list_fini(&l);
	if (rc == 0)
		doctor_finding(d, ST_OK, "store", "readable, whole and allowed", "");
	else if (rc == ERR_UNKNOWN)
		doctor_finding(d, ST_WARN, "store", err.text, "lbctl config check");
	else
		doctor_finding(d, ST_DOWN, "store", err.text,
		    rc == ERR_INVALID ? "lbctl describe, then lbctl set" : "lbctl config restore");
}

static void
look_at_disk(struct doctor *d)
{
	char path[300];
	struct stat sb;

	(void)snprintf(path, sizeof(path), "%s/secrets.db", d->c->paths.state);
	if (stat(path, &sb) == 0 && (sb.st_mode & S_IRWXO) != 0)
		doctor_finding(d, ST_DOWN, "secrets", "everybody may read the file with secrets",
		    "chmod o= secrets.db");
	else
		doctor_finding(d, ST_OK, "secrets", "closed to others", "");
}

static void
look_at_daemons(struct doctor *d)
{
	struct view *v = view_new();
	const struct view_daemon *a;
	char text[300];
	unsigned n, i;

	(void)view_collect(v, &d->c->paths, VIEW_DAEMONS, CTL_ANSWER, NULL);
	a = view_daemons(v, &n);
	for (i = 0; i < n; i++) {
		if (!a[i].running)
			doctor_finding(d, ST_DOWN, a[i].name, "does not run",
			    "systemctl start lbd.target, or lbctl run");
		else if (a[i].fault[0] != '\0')
			doctor_finding(d, ST_WARN, a[i].name, a[i].fault, "lbctl log");
		else if (d->have_snapshot &&
			 a[i].revision != snapshot_revision(d->c->snap, SCOPE_SHARED)) {
			(void)snprintf(text, sizeof(text),
			    "has revision %" PRIu32 " in force, not %" PRIu32, a[i].revision,
			    snapshot_revision(d->c->snap, SCOPE_SHARED));
			doctor_finding(d, ST_WARN, a[i].name, text, "lbctl log");
		} else {
			doctor_finding(d, ST_OK, a[i].name, "runs", "");
		}
	}
	view_free(v);
}

static void
look_at_limits(struct doctor *d)
{
	const struct setting *s = d->have_snapshot ? snapshot_setting(d->c->snap) : NULL;
	struct rlimit r;
	char text[200];

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	/* A client and its server are two descriptors. */
	if (s != NULL && r.rlim_max != RLIM_INFINITY && r.rlim_max < 2 * (rlim_t)s->proxy_conns) {
		(void)snprintf(text, sizeof(text), "%llu files at most: %llu connections, not %u",
		    (unsigned long long)r.rlim_max, (unsigned long long)r.rlim_max / 2,
		    s->proxy_conns);
		doctor_finding(d, ST_UNK, "file limit", text,
		    "without systemd: ulimit -Hn; the units ask for 1048576 themselves");
	} else {
		doctor_finding(d, ST_OK, "file limit", "enough", "");
	}
}

/* Strict reverse path filtering drops answers that leave by another interface than the request came by. */
static void
look_at_rp_filter(struct doctor *d)
{
	struct iface_list l = { 0 };
	char path[100], text[200], last[IFNAME_MAX] = "";
	long all = facts_number("/proc/sys/net/ipv4/conf/all/rp_filter"), one;
	unsigned i;
	bool bad = false;

	if (netlink_addresses(&l, NULL) != 0)
		return;
	for (i = 0; i < l.n; i++) {
		if (l.a[i].loopback || strcmp(l.a[i].name, last) == 0)
			continue;
		(void)snprintf(last, sizeof(last), "%s", l.a[i].name);
		(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", last);
		one = facts_number(path);
		if ((one > all ? one : all) != 1)
			continue;
		bad = true;
		(void)snprintf(
		    text, sizeof(text), "strict on %s: answers by another way are dropped", last);
		(void)snprintf(path, sizeof(path), "sysctl -w net.ipv4.conf.%s.rp_filter=2", last);
		doctor_finding(d, ST_WARN, "rp_filter", text, path);
	}
	if (!bad)
		doctor_finding(d, ST_OK, "rp_filter", "not strict", "");
	iface_list_fini(&l);
}

static void
look_at_ports(struct doctor *d)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned lo = 0, hi = 0;
	char text[120];

	if (f == NULL)
		return;
	if (fscanf(f, "%u %u", &lo, &hi) == 2 && hi > lo && hi - lo < 20000) {
		(void)snprintf(
		    text, sizeof(text), "%u ports for connections to one server", hi - lo + 1);
		doctor_finding(d, ST_WARN, "local ports", text,
		    "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
	} else {
		doctor_finding(d, ST_OK, "local ports", "enough", "");
	}
	(void)fclose(f);
}

static void
look_at_backlog(struct doctor *d)
{
	long n = facts_number("/proc/sys/net/core/somaxconn");
	char text[120];

	if (n > 0 && n < 4096) {
		(void)snprintf(text, sizeof(text), "%ld connections may wait to be accepted", n);
		doctor_finding(d, ST_WARN, "backlog", text, "sysctl -w net.core.somaxconn=65535");
	} else {
		doctor_finding(d, ST_OK, "backlog", "enough", "");
	}
}

/* Certificates that end: in a month a warning, in a week it is urgent. */
static void
look_at_certs(struct doctor *d)
{
	int64_t now = (int64_t)time(NULL);
	uint32_t n = d->have_snapshot ? snapshot_count(d->c->snap, KIND_cert) : 0;
	char what[80], text[100], left[40];

	for (uint32_t i = 0; i < n; i++) {
		const struct cert *k = snapshot_at(d->c->snap, KIND_cert, i);
		int64_t until = x509_until(k->chain);
		enum x509_end end = x509_ends(until, now);

		if (k->chain[0] == '\0')
			continue;
		(void)snprintf(what, sizeof(what), "cert %s", k->name);
		cert_left(until, now, left);
		(void)snprintf(text, sizeof(text), "%s %s",
		    end == X509_EXPIRED ? "has expired" : "ends", left);
		doctor_finding(d,
		    end >= X509_WEEK	? ST_DOWN
		    : end == X509_MONTH ? ST_WARN
					: ST_OK,
		    what, text, end != X509_FAR ? "lbctl cert import FILE, or lbctl cert csr" : "");
	}
}

/* A machine whose clock stands before this program was made has none. */
static void
look_at_clock(struct doctor *d)
{
	if (time(NULL) < 1767225600) /* 2026-01-01 */
		doctor_finding(
		    d, ST_DOWN, "clock", "the time of day is wrong", "timedatectl set-ntp true");
	else
		doctor_finding(d, ST_OK, "clock", "plausible", "");
}

int
cmd_doctor(struct ctl *c, struct err *err)
{
	struct doctor d = { .c = c, .t = table_new(doctor_columns, 4) };
	int rc;

	look_at_store(&d);
	look_at_disk(&d);
	look_at_daemons(&d);
	doctor_layer4(&d);
	look_at_limits(&d);
	look_at_rp_filter(&d);
	look_at_ports(&d);
	look_at_backlog(&d);
	look_at_clock(&d);
	look_at_certs(&d);
	if (table_rows(d.t) > 0 || c->style.form == FORM_JSON)
		rc = ctl_table(c, d.t, err);
	else
		table_free(d.t), rc = 0;
	if (rc == 0 && d.bad == 0)
		ctl_note(c, "nothing is wrong");
	return rc == 0 ? (d.bad > 0 ? EXIT_DIFFERS : 0) : rc;
}
