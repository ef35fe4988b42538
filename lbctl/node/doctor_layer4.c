/* doctor, layer 4: the kernel (modules, forwarding, connection tracking), the networks of the servers (one arm, tunnels, off
 * the subnet), other programs that work on the same tables, and what lbd-ipvs and lbd-check find out about each service and
 * server. It reads only; the line that mends a finding comes from common/advice. */
#include "doctor.h"

#include "probes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define CONNTRACK_FULL_PCT 80
/* Of IPVS: each packet looks through half a bucket, each new connection through two whole ones. */
#define IN_A_BUCKET 4
#define TABLE_BITS 16 /* as packaging/systemd/lbd.modprobe has it */
#define TABLE_BITS_MOST 20
#define FTP 21
#define LINE_MOST 400

struct look {
	struct doctor *d;
	struct facts facts;
	const struct snapshot *s;
	bool any, nat[2]; /* services of layer 4; nat: IPv4, IPv6 */
};

/* A finding of ours with its own line. */
static void
found(struct look *l, enum status st, const char *what, enum finding finding, const char *where,
    const char *text)
{
	struct buf fix = { 0 };

	if (st != ST_OK)
		advice_fix(NULL, finding, where, &fix);
	doctor_finding(l->d, st, what, text, buf_text(&fix));
	buf_fini(&fix);
}

/* One of a service or server. */
static void
found_of(struct look *l, enum status st, const struct service *svc, const struct server *srv,
    enum finding finding, const char *text)
{
	struct advice_ask ask;
	struct buf fix = { 0 };
	char path[160];

	facts_ask(&l->facts, l->s, svc, srv, &ask);
	advice_fix(&ask, finding, "", &fix);
	doctor_finding(l->d, st, srv ? snapshot_path(l->s, KIND_server, srv->id, path) : svc->name,
	    text, buf_text(&fix));
	buf_fini(&fix);
}

/* Whether a line of a list of modules is about this one: ".../ip_vs_wrr.ko.xz:" or ".../ip_vs_wrr.ko". Both lists write
 * names with underscores or dashes. */
static bool
names_module(const char *line, const char *module)
{
	const char *at = strrchr(line, '/'), *colon = strchr(line, ':');
	size_t n = strlen(module);

	if (colon != NULL)
		for (at = colon; at > line && at[-1] != '/';)
			at--;
	else
		at = at != NULL ? at + 1 : line;
	for (size_t i = 0; i < n; i++)
		if (at[i] != module[i] && !(at[i] == '-' && module[i] == '_'))
			return false;
	return strncmp(at + n, ".ko", 3) == 0;
}

static bool
listed(const char *list, const char *module)
{
	struct utsname u;
	char path[400], line[LINE_MOST];
	bool found_it = false;
	FILE *f;

	if (uname(&u) == -1)
		return false;
	(void)snprintf(path, sizeof(path), "/lib/modules/%s/%s", u.release, list);
	f = fopen(path, "re");
	while (f != NULL && !found_it && fgets(line, sizeof(line), f) != NULL)
		found_it = names_module(line, module);
	if (f != NULL)
		(void)fclose(f);
	return found_it;
}

static bool
loaded(const char *module)
{
	char path[100];

	(void)snprintf(path, sizeof(path), "/sys/module/%s", module);
	return access(path, F_OK) == 0 || listed("modules.builtin", module);
}

/* by_itself: the kernel loads it when it is asked for. */
static void
need_module(struct look *l, const char *module, const char *why, bool by_itself)
{
	char text[200];

	if (loaded(module) || (by_itself && listed("modules.dep", module)))
		return;
	(void)snprintf(text, sizeof(text), "%s is not %s, and %s", module,
	    listed("modules.dep", module) ? "loaded" : "there", why);
	found(l, ST_DOWN, "module", FINDING_module, module, text);
}

static void
look_at_modules(struct look *l)
{
	char module[40], why[120];
	uint32_t asked = 0;
	bool sip = false, ftp = false;

	need_module(l, "ip_vs", "layer 4 needs it", true);
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_service); i++) {
		const struct service *s = snapshot_at(l->s, KIND_service, i);

		if (!s->enabled || service_layer(s) != 4)
			continue;
		if (!(asked & 1u << s->scheduler)) {
			(void)snprintf(module, sizeof(module), "ip_vs_%s",
			    word_text(&scheduler_list, s->scheduler));
			(void)snprintf(why, sizeof(why), "vip %s has scheduler %s", s->name,
			    word_text(&scheduler_list, s->scheduler));
			need_module(l, module, why, true);
		}
		asked |= 1u << s->scheduler;
		sip = sip || s->persistence == persistence_sip;
		ftp = ftp || (s->mode == mode_nat && ranges_contain(s->ports, FTP));
	}
	if (sip)
		need_module(l, "ip_vs_pe_sip", "persistence sip needs it", false);
	if (ftp)
		need_module(l, "ip_vs_ftp", "port 21 in mode nat needs it", false);
}

static void
look_at_forwarding(struct look *l)
{
	static const char *const names[2] = { "net.ipv4.ip_forward",
		"net.ipv6.conf.all.forwarding" };
	static const char *const files[2] = { "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/net/ipv6/conf/all/forwarding" };

	for (unsigned i = 0; i < 2; i++) {
		if (!l->nat[i])
			continue;
		if (facts_number(files[i]) == 1)
			found(l, ST_OK, "forwarding", FINDING_forwarding, names[i], "on");
		else
			found(l, ST_DOWN, "forwarding", FINDING_forwarding, names[i],
			    "off, and mode nat needs it");
	}
}

static void
look_at_conntrack(struct look *l)
{
	long have = facts_number("/proc/sys/net/netfilter/nf_conntrack_count");
	long most = facts_number("/proc/sys/net/netfilter/nf_conntrack_max");
	char text[120], more[32];

	if (have < 0 || most <= 0)
		return;
	(void)snprintf(text, sizeof(text), "%ld of %ld connections are tracked", have, most);
	(void)snprintf(more, sizeof(more), "%ld", 4 * most);
	found(l, have >= most / 100 * CONNTRACK_FULL_PCT ? ST_WARN : ST_OK, "conntrack",
	    FINDING_conntrack, more, text);
}

/* What the kernel keeps for services of layer 4, persistence and all; as lbd-ipvs counts it. */
static uint64_t
entries_of_all(struct look *l)
{
	struct err ignored;
	uint64_t sum = 0;

	if (ctl_look(l->d->c, VIEW_COUNTS, &ignored) != 0)
		return 0;
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_service); i++) {
		const struct service *s = snapshot_at(l->s, KIND_service, i);
		const struct view_service *v = view_service(l->d->c->view, s->id);

		if (v != NULL && v->counted && service_layer(s) == 4)
			sum += v->counts.conns + v->counts.inactive + v->counts.persist_entries;
	}
	return sum;
}

static void
look_at_conn_table(struct look *l)
{
	long bits = facts_number("/sys/module/ip_vs/parameters/conn_tab_bits");
	uint64_t have = bits > 0 && bits < 32 ? entries_of_all(l) : 0;
	unsigned need = TABLE_BITS;
	char text[160], more[32];
	bool many;

	if (have == 0)
		return;
	many = have > (uint64_t)IN_A_BUCKET << bits && bits < TABLE_BITS_MOST;
	while (need < TABLE_BITS_MOST && (uint64_t)2 << need < have)
		need++;
	(void)snprintf(text, sizeof(text), "%llu entries in the %llu buckets of the kernel's table",
	    (unsigned long long)have, 1ULL << bits);
	(void)snprintf(more, sizeof(more), "%u", need);
	found(l, many ? ST_WARN : ST_OK, "connections", FINDING_conn_table, more, text);
}

/* The network namespace of a process is the one that we are in. */
static bool
same_network(const char *pid)
{
	char path[300];
	struct stat mine, its;

	(void)snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	return stat("/proc/self/ns/net", &mine) == 0 && stat(path, &its) == 0 &&
	       mine.st_ino == its.st_ino;
}

/* Programs that make the same kernel services or hold the same addresses. */
static void
look_at_others(struct look *l)
{
	static const char *const others[] = { "keepalived", "ldirectord", "haproxy" };
	bool seen[3] = { false };
	struct dirent *e;
	DIR *dir = opendir("/proc");

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char path[300], name[32] = "", text[120];
		FILE *f;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%31[^\n]", name) != 1)
			name[0] = '\0';
		(void)fclose(f);
		for (unsigned i = 0; i < 3; i++) {
			if (seen[i] || strcmp(name, others[i]) != 0 || !same_network(e->d_name))
				continue;
			seen[i] = true;
			(void)snprintf(text, sizeof(text),
			    "runs (process %.20s), and may work against lbd", e->d_name);
			found(l, ST_WARN, name, FINDING_daemon, name, text);
		}
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/* Clients in the servers' own network get answers that bypass this node. */
static void
look_at_one_arm(struct look *l, const struct service *svc, const struct server *srv)
{
	const struct iface_addr *net = iface_list_subnet(&l->facts.ifaces, &srv->address.addr);
	char text[200], name[ADDR_TEXT];
	struct addr a;

	if (net == NULL || !addr_contains(&net->addr, &svc->address))
		return;
	a = net->addr;
	for (unsigned bit = a.len; bit < (a.family == 4 ? 32u : 128u); bit++)
		a.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	addr_format(&a, ADDR_NET, name);
	(void)snprintf(text, sizeof(text),
	    "one arm: clients in %s work only with routes on the servers", name);
	found_of(l, ST_WARN, svc, srv, FINDING_local_clients, text);
}

static void
look_at_server(struct look *l, const struct service *svc, const struct server *srv)
{
	unsigned forward = advice_forward(svc, srv);
	struct advice_tunnel t;
	struct advice_ask ask;
	char text[200];

	if (srv->address.addr.family == 0 || addr_is_loopback(&srv->address.addr) ||
	    iface_list_find(&l->facts.ifaces, &srv->address.addr, true) != NULL)
		return;
	if (forward == forward_dr && service_layer(svc) == 4 &&
	    iface_list_subnet(&l->facts.ifaces, &srv->address.addr) == NULL) {
		(void)snprintf(text, sizeof(text),
		    "%s is in no network of this node: direct routing cannot "
		    "reach it",
		    srv->address.text);
		found_of(l, ST_DOWN, svc, srv, FINDING_off_subnet, text);
	}
	if (forward != forward_tun || service_layer(svc) != 4)
		return;
	advice_tunnel_of(svc, srv, &t);
	facts_ask(&l->facts, l->s, svc, srv, &ask);
	(void)snprintf(text, sizeof(text), "packets above %u bytes do not fit into its tunnel",
	    (ask.mtu ? ask.mtu : 1500) - t.overhead);
	found_of(l, ST_UNK, svc, srv, FINDING_mtu, text);
}

/* Each service, and its servers; one arm is said once a service. */
static void
look_at_services(struct look *l)
{
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_service); i++) {
		const struct service *svc = snapshot_at(l->s, KIND_service, i);
		const void *const *rows;
		uint32_t n;

		if (!svc->enabled)
			continue;
		rows = snapshot_children(l->s, KIND_server, svc->id, &n);
		for (uint32_t k = 0; service_layer(svc) == 4 && k < n; k++)
			look_at_server(l, svc, rows[k]);
		for (uint32_t k = 0; (svc->mode == mode_nat || svc->transparent) && k < n; k++) {
			if (advice_forward(svc, rows[k]) != forward_nat)
				continue;
			look_at_one_arm(l, svc, rows[k]);
			break;
		}
	}
}

static void
on_finding(void *arg, const struct probe_finding *f)
{
	struct look *l = arg;
	char path[160];

	if (!f->svc->enabled && f->status != FOUND_RIGHT)
		return;
	doctor_finding(l->d, probe_status(f->status),
	    f->srv ? snapshot_path(l->s, KIND_server, f->srv->id, path) : f->svc->name, f->text,
	    f->fix);
}

/* What the daemons found out. Without lbd-ipvs nobody carries layer 4. */
static void
ask_daemons(struct look *l)
{
	struct err err = { 0 };
	char text[300];

	if (probes_kernel(l->d->c, &l->facts, 0, on_finding, l, &err) != 0) {
		for (uint32_t i = 0; i < snapshot_count(l->s, KIND_service); i++) {
			const struct service *svc = snapshot_at(l->s, KIND_service, i);

			if (!svc->enabled || service_layer(svc) != 4)
				continue;
			(void)snprintf(
			    text, sizeof(text), "layer 4: nobody carries it: %.200s", err.text);
			doctor_finding(l->d, ST_DOWN, svc->name, text, "systemctl start lbd-ipvs");
		}
	}
}

/* Also of transparent services of layer 7; without such servers nobody is asked. */
static void
ask_servers(struct look *l)
{
	struct err err = { 0 };

	if (probes_run(l->d->c, &l->facts, 0, on_finding, l, &err) != 0)
		doctor_finding(l->d, ST_UNK, "servers", err.text, "systemctl start lbd-check");
}

static void
survey(struct look *l)
{
	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_service); i++) {
		const struct service *s = snapshot_at(l->s, KIND_service, i);

		if (!s->enabled || service_layer(s) != 4)
			continue;
		l->any = true;
		if (s->mode == mode_nat || s->mode == mode_snat)
			l->nat[s->address.family == 6] = true;
	}
}

void
doctor_layer4(struct doctor *d)
{
	struct look l = { .d = d, .s = d->have_snapshot ? d->c->snap : NULL };

	if (l.s == NULL || facts_read(&l.facts, NULL) != 0)
		return;
	survey(&l);
	look_at_others(&l);
	look_at_services(&l);
	if (l.any) {
		look_at_modules(&l);
		look_at_forwarding(&l);
		look_at_conntrack(&l);
		look_at_conn_table(&l);
		ask_daemons(&l);
	}
	ask_servers(&l);
	facts_fini(&l.facts);
}
