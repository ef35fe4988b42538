/* What the kernel should hold for a service: rows of configuration, orders,
 * verdicts and time against services of the kernel, told in one line. Every
 * word of the configuration that layer 4 knows stands in some row. */
#include "lbd-ipvs/plan/want.h"
#include "store_help.h"

#include <linux/ip_vs.h>
#include <netinet/in.h>

#define SERVERS 8
#define NOW_S \
	2000000000 /* wall clock of the rows; orders are given at the time of the    \
                test */

static struct buf told;

static void
put_addr(const struct addr *a)
{
	char text[ADDR_TEXT];

	addr_format(a, ADDR_HOST, text);
	buf_printf(&told, a->family == 6 ? "[%s]" : "%s", text);
}

static void
put_dest(const struct ipvs_dest *d)
{
	static const char *const forward[] = { "nat", "local", "tun", "dr" };
	static const char *const tunnel[] = { "ipip", "gue", "gre" };

	buf_puts(&told, " | ");
	put_addr(&d->addr);
	buf_printf(&told, ":%u %s", d->port, forward[d->forward]);
	if (d->forward == IPVS_TUN) {
		buf_printf(&told, " %s", tunnel[d->tunnel]);
		if (d->tunnel_port != 0)
			buf_printf(&told, ":%u", d->tunnel_port);
		if (d->tunnel_flags != 0)
			buf_printf(&told, "+%u", d->tunnel_flags);
	} else {
		assert_int_equal(d->tunnel + d->tunnel_port + d->tunnel_flags, 0);
	}
	buf_printf(&told, " %u", d->weight);
	if (d->upper != 0 || d->lower != 0)
		buf_printf(&told, " %u-%u", d->lower, d->upper);
	if (d->server == 0)
		buf_puts(&told, " fallback");
	assert_int_equal(d->active + d->inactive + d->persistent, 0);
}

static void
put_service(const struct ipvs_service *s, const struct service *row)
{
	const struct ipvs_key *k = &s->key;

	if (told.len > 0)
		buf_puts(&told, " || ");
	assert_int_equal(s->service, row->id);
	assert_int_equal(k->mark, want_mark(row));
	if (k->mark != 0) {
		assert_int_equal(k->addr.family + k->port + k->protocol, 0);
		if (k->mark == MARK_BASE + row->id)
			buf_printf(&told, "mark%u", k->family);
		else
			buf_printf(&told, "mark%u=%u", k->family, k->mark);
	} else {
		assert_int_equal(k->family, k->addr.family);
		buf_printf(&told, "%s ",
		    k->protocol == IPPROTO_TCP	 ? "tcp"
		    : k->protocol == IPPROTO_UDP ? "udp"
						 : "sctp");
		put_addr(&k->addr);
		buf_printf(&told, ":%u", k->port);
	}
	buf_printf(&told, " %s", s->scheduler);
	if (s->flags & IP_VS_SVC_F_PERSISTENT)
		buf_printf(&told, " keep %us/%u", s->timeout_s, s->netmask);
	else
		assert_int_equal(s->netmask, k->family == 4 ? 32 : 128);
	if (s->pe[0] != '\0')
		buf_printf(&told, " pe=%s", s->pe);
	if (s->flags & IP_VS_SVC_F_ONEPACKET)
		buf_puts(&told, " one");
	if (s->flags & IP_VS_SVC_F_SCHED1)
		buf_puts(&told, " +1");
	if (s->flags & IP_VS_SVC_F_SCHED2)
		buf_puts(&told, " +2");
	assert_int_equal(s->flags & IP_VS_SVC_F_SCHED3, 0);
	for (uint32_t i = 0; i < s->n; i++)
		put_dest(&s->dest[i]);
}

/* "a=down b=up c=up@1500": verdicts; since when it is up, milliseconds before
 * now. */
struct fits {
	struct snapshot *s;
	const char *words;
	struct want_fit fit[SERVERS];
	unsigned used;
};

static const struct want_fit *
fit_of(void *arg, uint32_t server)
{
	struct fits *f = arg;
	const struct server *srv = snapshot_find(f->s, KIND_server, server);
	struct want_fit *out = &f->fit[f->used++];
	size_t n = strlen(srv->name);

	assert_true(f->used <= SERVERS);
	for (const char *p = f->words; p != NULL && *p != '\0'; p += strspn(p, " ")) {
		if (strncmp(p, srv->name, n) == 0 && p[n] == '=') {
			p += n + 1;
			out->verdict = *p == 'u' ? VERDICT_UP : VERDICT_DOWN;
			p += strcspn(p, " @!");
			if (*p == '@')
				out->up_ms = (int64_t)NOW_S * 1000 - atoi(p + 1);
			if (*p == '!')
				out->cut_ms = (int64_t)NOW_S * 1000 - atoi(p + 1);
			return out;
		}
		p += strcspn(p, " ");
	}
	return NULL;
}

/* "a drain 60, b halt 0, c weight 5": what was ordered; seconds from NOW_S
 * until its end, or "-" for none. */
static void
give_orders(const char *text)
{
	char word[4][20];

	while (text != NULL && *text != '\0') {
		struct order o = { .state = admin_state_online, .weight = -1 };
		struct snapshot *s = look();
		char path[40];

		word[2][0] = '\0';
		assert_true(sscanf(text, "%19s %19s %19[-0-9]", word[0], word[1], word[2]) >= 2);
		(void)snprintf(path, sizeof(path), "web/%s", word[0]);
		o.server = ((const struct server *)snapshot_find_path(s, KIND_server, path))->id;
		if (strcmp(word[1], "weight") == 0)
			o.weight = atoi(word[2]);
		else if (strcmp(word[2], "-") != 0)
			o.until = NOW_S + atoi(word[2]);
		if (strcmp(word[1], "drain") == 0)
			o.state = admin_state_drain;
		if (strcmp(word[1], "halt") == 0)
			o.state = admin_state_halt;
		assert_good(store_order(st, &o, 1, &by_test, NULL, &err));
		snapshot_unref(s);
		text += strcspn(text, ",");
		text += strspn(text, ", ");
	}
}

struct row {
	const char *svc;     /* fields of vip web beside name; further edits after "; " */
	const char *servers; /* "a 10.0.0.11; b 10.0.0.12 weight=5": rips of web */
	const char *verdicts, *orders;
	const char *want; /* the kernel's services, then "cut a b", "next 500",
                       "fallback", "keeps" */
	char quorum;	  /* 'y' met, 'n' not, 0 not known */
	bool stay;	  /* templates stay */
};

static void
make(const struct row *r)
{
	char line[1200], *text = mem_text(r->servers), *next = text, *end;

	(void)snprintf(line, sizeof(line), "create vip web %s", r->svc);
	while (next != NULL && *next != '\0') {
		end = strstr(next, "; ");
		if (end != NULL)
			*end = '\0';
		(void)snprintf(line + strlen(line), sizeof(line) - strlen(line),
		    "; create rip web/%.1s address=%s", next, next + 2);
		next = end != NULL ? end + 2 : NULL;
	}
	free(text);
	assert_good(edit(line));
	give_orders(r->orders);
}

static void
run(const struct row *r)
{
	struct fits f = { .words = r->verdicts };
	struct want_input in = { .now_ms = (int64_t)NOW_S * 1000,
		.quorum_known = r->quorum != 0,
		.quorum_met = r->quorum == 'y',
		.templates_stay = r->stay,
		.fit = fit_of,
		.arg = &f };
	struct want_output out;

	make(r);
	in.s = f.s = look();
	in.svc = snapshot_find_path(f.s, KIND_service, "web");
	want_service(&in, &out);
	told.len = 0;
	for (uint32_t i = 0; i < out.table.n; i++)
		put_service(&out.table.service[i], in.svc);
	for (uint32_t i = 0; i < out.cut_n; i++)
		buf_printf(&told, "%s%s", i == 0 ? " ; cut " : " ",
		    ((const struct server *)snapshot_find(f.s, KIND_server, out.cut[i]))->name);
	if (out.next_ms != 0)
		buf_printf(&told, " ; next %lld", (long long)(out.next_ms - in.now_ms));
	if (out.fallback)
		buf_puts(&told, " ; fallback");
	if (out.keeps)
		buf_puts(&told, " ; keeps");
	want_output_fini(&out);
	snapshot_unref(f.s);
}

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(open_store(NULL), 0);
		run(&rows[i]);
		if (strcmp(buf_text(&told), rows[i].want) != 0)
			fail_msg("%s / %s / %s / %s:\n got %s\nwant %s", rows[i].svc,
			    rows[i].servers, rows[i].verdicts, rows[i].orders, buf_text(&told),
			    rows[i].want);
		(void)drop_dir(NULL);
	}
}

#define V4 "address=10.0.0.1 ports=80 "
#define V6 "address=fd00::1 ports=80 "
#define AB "a 10.0.0.11; b 10.0.0.12"

/* S064, S066, S079, S085, A003, A005, A007, A008, A033 */
static const struct row keys[] = {
	{ V4 "mode=nat", AB, NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=dr", AB, NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 dr 100 | 10.0.0.12:80 dr 100", 0, 0 },
	{ V4 "mode=tun protocol=udp", AB, NULL, NULL,
	    "udp 10.0.0.1:80 wlc | 10.0.0.11:80 tun ipip 100 | 10.0.0.12:80 tun ipip "
	    "100",
	    0, 0 },
	{ V4 "mode=nat protocol=sctp", "a 10.0.0.11", NULL, NULL,
	    "sctp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100", 0, 0 },
	{ V6 "mode=nat", "a fd00::11 port=8080", NULL, NULL,
	    "tcp [fd00::1]:80 wlc | [fd00::11]:8080 nat 100", 0, 0 },
	{ V4 "mode=nat", "a 10.0.0.11 port=8080; b 10.0.0.11 port=8081", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:8080 nat 100 | 10.0.0.11:8081 nat 100", 0, 0 },
	/* not one address, port and protocol: a mark */
	{ "address=10.0.0.1 ports=80,443 mode=nat", "a 10.0.0.11", NULL, NULL,
	    "mark4 wlc | 10.0.0.11:0 nat 100", 0, 0 },
	{ "address=10.0.0.1 ports=8000-8010 mode=dr", "a 10.0.0.11", NULL, NULL,
	    "mark4 wlc | 10.0.0.11:0 dr 100", 0, 0 },
	{ "address=10.0.0.1 ports=80,443 mode=nat", "a 10.0.0.11 port=8080", NULL, NULL,
	    "mark4 wlc | 10.0.0.11:8080 nat 100", 0, 0 },
	{ V4 "mode=dr more_addresses=10.0.1.0/28", "a 10.0.0.11", NULL, NULL,
	    "mark4 wlc | 10.0.0.11:0 dr 100", 0, 0 },
	{ "address=10.0.0.1 ports=53 mode=nat protocol=tcp_udp", "a 10.0.0.11", NULL, NULL,
	    "mark4 wlc | 10.0.0.11:0 nat 100", 0, 0 },
	{ V4 "mode=snat", "a 10.0.0.11 port=8080", NULL, NULL, "mark4 wlc | 10.0.0.11:8080 nat 100",
	    0, 0 },
	{ V4 "mode=dr mark=7", "a 10.0.0.11", NULL, NULL, "mark4=7 wlc | 10.0.0.11:0 dr 100", 0,
	    0 },
	{ V4 "mode=nat more_addresses=fd00::1", "a 10.0.0.11; b fd00::11", NULL, NULL,
	    "mark4 wlc | 10.0.0.11:0 nat 100 || mark6 wlc | [fd00::11]:0 nat 100", 0, 0 },
	/* another family inside a tunnel only */
	{ V4 "mode=tun more_addresses=fd00::1", "a 10.0.0.11", NULL, NULL,
	    "mark4 wlc | 10.0.0.11:0 tun ipip 100 || mark6 wlc | 10.0.0.11:0 tun ipip "
	    "100",
	    0, 0 },
	{ V4 "mode=tun", "a fd00::11", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | [fd00::11]:80 tun ipip 100", 0, 0 },
	/* not of layer 4, or switched off */
	{ V4 "mode=http", "a 10.0.0.11", NULL, NULL, "", 0, 0 },
	{ V4 "mode=nat enabled=no", "a 10.0.0.11", NULL, NULL, "", 0, 0 },
	{ V4 "mode=nat", "", NULL, NULL, "tcp 10.0.0.1:80 wlc", 0, 0 },
};

/* A006, A007, S069 */
static const struct row forwards[] = {
	{ V4 "mode=dr", "a 10.0.0.11 forward=nat port=8080; b 10.0.0.12 forward=tun; c 10.0.0.13",
	    NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:8080 nat 100 | 10.0.0.12:80 tun ipip 100 "
	    "| "
	    "10.0.0.13:80 dr 100",
	    0, 0 },
	{ V4 "mode=nat", "a 10.0.0.11 forward=dr", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 dr 100", 0, 0 },
	{ V4 "mode=tun tunnel=gre", "a 10.0.0.11", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 tun gre 100", 0, 0 },
	{ V4 "mode=tun tunnel=gre tunnel_csum=full", "a 10.0.0.11", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 tun gre+1 100", 0, 0 },
	{ V4 "mode=tun tunnel=gue", "a 10.0.0.11", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 tun gue:6080 100", 0, 0 },
	{ V4 "mode=tun tunnel=gue tunnel_port=5555 tunnel_csum=remote", "a 10.0.0.11", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 tun gue:5555+2 100", 0, 0 },
	{ V4 "mode=tun tunnel=gue tunnel_csum=full", "a 10.0.0.11", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 tun gue:6080+1 100", 0, 0 },
	/* a server with a word of its own has a tunnel of its own */
	{ V4 "mode=tun tunnel=gre",
	    "a 10.0.0.11 forward=tun tunnel=gue tunnel_port=7000 tunnel_csum=full; b "
	    "10.0.0.12",
	    NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 tun gue:7000+1 100 | 10.0.0.12:80 tun "
	    "gre 100",
	    0, 0 },
	{ V4 "mode=nat", "a 10.0.0.11 max_conns=100", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100 75-100", 0, 0 },
	{ V4 "mode=nat", "a 10.0.0.11 max_conns=1; b 10.0.0.12 max_conns=1000000", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100 1-1 | 10.0.0.12:80 nat 100 "
	    "750000-1000000",
	    0, 0 },
	{ V4 "mode=nat", "a 10.0.0.11 max_conns=100 min_conns=40", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100 40-100", 0, 0 },
	{ V4 "mode=nat", "a 10.0.0.11 weight=0; b 10.0.0.12 weight=65535", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 65535", 0, 0 },
};

/* A001, A002, A004, A011, A012, S092 */
static const struct row kinds[] = {
	{ V4 "mode=nat scheduler=rr", "", NULL, NULL, "tcp 10.0.0.1:80 rr", 0, 0 },
	{ V4 "mode=nat scheduler=wrr", "", NULL, NULL, "tcp 10.0.0.1:80 wrr", 0, 0 },
	{ V4 "mode=nat scheduler=lc", "", NULL, NULL, "tcp 10.0.0.1:80 lc", 0, 0 },
	{ V4 "mode=nat scheduler=lblc", "", NULL, NULL, "tcp 10.0.0.1:80 lblc", 0, 0 },
	{ V4 "mode=nat scheduler=lblcr", "", NULL, NULL, "tcp 10.0.0.1:80 lblcr", 0, 0 },
	{ V4 "mode=nat scheduler=dh", "", NULL, NULL, "tcp 10.0.0.1:80 dh", 0, 0 },
	{ V4 "mode=nat scheduler=fo", "", NULL, NULL, "tcp 10.0.0.1:80 fo", 0, 0 },
	{ V4 "mode=nat scheduler=ovf", "", NULL, NULL, "tcp 10.0.0.1:80 ovf", 0, 0 },
	{ V4 "mode=nat scheduler=sed", "", NULL, NULL, "tcp 10.0.0.1:80 sed", 0, 0 },
	{ V4 "mode=nat scheduler=nq", "", NULL, NULL, "tcp 10.0.0.1:80 nq", 0, 0 },
	{ V4 "mode=nat scheduler=twos", "", NULL, NULL, "tcp 10.0.0.1:80 twos", 0, 0 },
	{ V4 "mode=nat scheduler=sh", "", NULL, NULL, "tcp 10.0.0.1:80 sh", 0, 0 },
	{ V4 "mode=nat scheduler=sh hash_fallback=yes", "", NULL, NULL, "tcp 10.0.0.1:80 sh +1", 0,
	    0 },
	{ V4 "mode=nat scheduler=mh hash_port=yes", "", NULL, NULL, "tcp 10.0.0.1:80 mh +2", 0, 0 },
	{ V4 "mode=nat scheduler=mh hash_port=yes hash_fallback=yes", "", NULL, NULL,
	    "tcp 10.0.0.1:80 mh +1 +2", 0, 0 },
	{ V4 "mode=nat protocol=udp one_packet=yes", "", NULL, NULL, "udp 10.0.0.1:80 wlc one", 0,
	    0 },
	{ V4 "mode=nat persistence=source", "", NULL, NULL, "tcp 10.0.0.1:80 wlc keep 1800s/32", 0,
	    0 },
	{ V4 "mode=nat persistence=source persist_timeout=2s persist_mask=24", "", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc keep 2s/24", 0, 0 },
	{ V4 "mode=nat persistence=source persist_mask=0", "", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc keep 1800s/0", 0, 0 },
	{ V6 "mode=nat persistence=source persist_mask=64", "", NULL, NULL,
	    "tcp [fd00::1]:80 wlc keep 1800s/64", 0, 0 },
	{ V6 "mode=nat persistence=source", "", NULL, NULL, "tcp [fd00::1]:80 wlc keep 1800s/128",
	    0, 0 },
	{ "address=10.0.0.1 ports=5060 mode=nat protocol=udp persistence=sip "
	  "persist_timeout=60s "
	  "one_packet=yes",
	    "", NULL, NULL, "udp 10.0.0.1:5060 wlc keep 60s/32 pe=sip one", 0, 0 },
	{ "address=10.0.0.1 ports=5060 mode=nat protocol=udp persistence=sip persist_mask=0", "",
	    NULL, NULL, "udp 10.0.0.1:5060 wlc keep 1800s/0 pe=sip", 0, 0 },
};

/* A001: sh has 256 places; each server gets as many as its weight. */
static const struct row hashes[] = {
	{ V4 "mode=nat scheduler=sh", AB, NULL, NULL,
	    "tcp 10.0.0.1:80 sh | 10.0.0.11:80 nat 1 | 10.0.0.12:80 nat 1", 0, 0 },
	{ V4 "mode=nat scheduler=sh", "a 10.0.0.11 weight=50; b 10.0.0.12", NULL, NULL,
	    "tcp 10.0.0.1:80 sh | 10.0.0.11:80 nat 1 | 10.0.0.12:80 nat 2", 0, 0 },
	{ V4 "mode=nat scheduler=sh", "a 10.0.0.11 weight=1; b 10.0.0.12 weight=1000", NULL, NULL,
	    "tcp 10.0.0.1:80 sh | 10.0.0.11:80 nat 1 | 10.0.0.12:80 nat 255", 0, 0 },
	{ V4 "mode=nat scheduler=sh", "a 10.0.0.11 weight=0; b 10.0.0.12", NULL, NULL,
	    "tcp 10.0.0.1:80 sh | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 1", 0, 0 },
	{ V4 "mode=nat scheduler=mh", AB, NULL, NULL,
	    "tcp 10.0.0.1:80 mh | 10.0.0.11:80 nat 100 | 10.0.0.12:80 nat 100", 0, 0 },
};

/* A018, S194, A020 */
static const struct row failures[] = {
	{ V4 "mode=nat", AB, "a=down b=up", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat on_failure=remove", AB, "a=down b=up", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat drop_on_failure=yes", AB, "a=down b=up", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100 ; cut a ; next 10000",
	    0, 0 },
	{ V4 "mode=nat drop_on_failure=yes", AB, "a=down!9999 b=up", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100 ; cut a ; next 1", 0,
	    0 },
	{ V4 "mode=nat drop_on_failure=yes", AB, "a=down!10000 b=up", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.12:80 nat 100 ; cut a", 0, 0 },
	{ V4 "mode=nat drop_on_failure=yes", AB, "a=down!20000 b=down!4000", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.12:80 nat 0 ; cut a b ; next 6000", 0, 0 },
	/* persistence would bring clients to a dead server */
	{ V4 "mode=nat persistence=source", AB, "a=down", NULL,
	    "tcp 10.0.0.1:80 wlc keep 1800s/32 | 10.0.0.11:80 nat 0 | 10.0.0.12:80 "
	    "nat 100",
	    0, 0 },
	{ V4 "mode=nat persistence=source", AB, "a=down", NULL,
	    "tcp 10.0.0.1:80 wlc keep 1800s/32 | 10.0.0.12:80 nat 100", 0, 1 },
	{ V4 "mode=nat", AB, "a=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 0, 1 },
	/* not proven yet; drop is for those that failed */
	{ V4 "mode=nat check=late; create check late assume=down", AB, "b=up", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat check=late drop_on_failure=yes; create check late assume=down", AB, "b=up",
	    NULL, "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 0, 0 },
};

/* S190, A019 */
static const struct row orders[] = {
	{ V4 "mode=nat", AB, NULL, "a weight 5",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 5 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat", AB, NULL, "a drain -",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat", AB, NULL, "a drain 60",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100 ; next "
	    "60000",
	    0, 0 },
	{ V4 "mode=nat", AB, NULL, "a drain 0",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100 ; cut a ; next 10000",
	    0, 0 },
	{ V4 "mode=nat", AB, "a=up!10000", "a drain 0",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.12:80 nat 100 ; cut a", 0, 0 },
	{ V4 "mode=nat drain_cut=no", AB, NULL, "a drain 0",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat", AB, NULL, "a halt 30",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100 ; next "
	    "30000",
	    0, 0 },
	{ V4 "mode=nat", AB, NULL, "a halt -",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100 ; cut a ; next 10000",
	    0, 0 },
	{ V4 "mode=nat", AB, "a=up!12000", "a halt -",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.12:80 nat 100 ; cut a", 0, 0 },
	{ V4 "mode=nat", AB, NULL, "a halt 30, b drain 20",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 0 ; next "
	    "20000",
	    0, 0 },
	/* clients that persistence knows go on while it drains, not when it is
       halted */
	{ V4 "mode=nat persistence=source", AB, NULL, "a drain -",
	    "tcp 10.0.0.1:80 wlc keep 1800s/32 | 10.0.0.11:80 nat 0 | 10.0.0.12:80 "
	    "nat 100 ; keeps",
	    0, 0 },
	{ V4 "mode=nat persistence=source", AB, NULL, "a drain -",
	    "tcp 10.0.0.1:80 wlc keep 1800s/32 | 10.0.0.11:80 nat 0 | 10.0.0.12:80 "
	    "nat 100 ; keeps",
	    0, 1 },
	{ V4 "mode=nat persistence=source", AB, NULL, "a halt 30",
	    "tcp 10.0.0.1:80 wlc keep 1800s/32 | 10.0.0.11:80 nat 0 | 10.0.0.12:80 "
	    "nat 100 ; next "
	    "30000",
	    0, 0 },
	/* an order and a verdict */
	{ V4 "mode=nat drop_on_failure=yes", AB, "a=down", "a drain 60",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100 ; cut a ; next 10000",
	    0, 0 },
};

/* A016, A014 */
#define SORRY "fallback=10.0.0.99 "
static const struct row fallbacks[] = {
	{ V4 SORRY "mode=nat", AB, NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 SORRY "mode=nat fallback_port=8080", AB, "a=down b=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 0 | "
	    "10.0.0.99:8080 nat 1 "
	    "fallback ; fallback",
	    0, 0 },
	{ V4 SORRY "mode=dr fallback_port=80", AB, "a=down b=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 dr 0 | 10.0.0.12:80 dr 0 | "
	    "10.0.0.99:80 dr 1 fallback "
	    "; fallback",
	    0, 0 },
	{ V4 SORRY "mode=dr fallback_forward=nat fallback_port=8080", AB, "a=down b=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 dr 0 | 10.0.0.12:80 dr 0 | "
	    "10.0.0.99:8080 nat 1 "
	    "fallback ; fallback",
	    0, 0 },
	{ V4 SORRY "mode=tun tunnel=gre", "a 10.0.0.11", "a=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 tun gre 0 | 10.0.0.99:80 tun gre 1 "
	    "fallback ; "
	    "fallback",
	    0, 0 },
	{ V4 SORRY "mode=nat", "", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.99:80 nat 1 fallback ; fallback", 0, 0 },
	/* the quorum decides when it is known, but nobody serves without a server
     */
	{ V4 SORRY "mode=nat", AB, NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 0 | "
	    "10.0.0.99:80 nat 1 "
	    "fallback ; fallback",
	    'n', 0 },
	{ V4 SORRY "mode=nat", AB, "a=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 'y', 0 },
	{ V4 SORRY "mode=nat", AB, "a=down", "b drain -",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 0 | "
	    "10.0.0.99:80 nat 1 "
	    "fallback ; fallback",
	    'y', 0 },
	/* one of its own servers as fallback */
	{ V4 "mode=nat fallback=10.0.0.12", AB, "a=down b=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 1 ; fallback", 0, 0 },
	/* without a fallback, those that are fit go on */
	{ V4 "mode=nat", AB, "a=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.12:80 nat 100", 'n', 0 },
	/* the page of this node */
	{ V4 "mode=dr fallback_page=yes", AB, "a=down b=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.1:9081 nat 1 fallback | 10.0.0.11:80 dr 0 | "
	    "10.0.0.12:80 dr "
	    "0 ; fallback",
	    0, 0 },
	{ V4 "mode=nat fallback_page=yes; set setting main sorry_port=9999", "", NULL, NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.1:9999 nat 1 fallback ; fallback", 0, 0 },
	{ V4 "mode=nat more_addresses=fd00::1 fallback_page=yes", "", NULL, NULL,
	    "mark4 wlc | 10.0.0.1:9081 nat 1 fallback || mark6 wlc | [fd00::1]:9081 "
	    "nat 1 fallback ; "
	    "fallback",
	    0, 0 },
	/* schedulers that would look for it in vain */
	{ V4 SORRY "mode=nat scheduler=sh hash_fallback=yes hash_port=yes", "a 10.0.0.11", "a=down",
	    NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.99:80 nat 1 fallback ; "
	    "fallback",
	    0, 0 },
	{ V4 SORRY "mode=nat scheduler=ovf", "a 10.0.0.11", "a=down", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 0 | 10.0.0.99:80 nat 1 fallback ; "
	    "fallback",
	    0, 0 },
	{ V4 SORRY "mode=nat scheduler=dh", "a 10.0.0.11", "a=up", NULL,
	    "tcp 10.0.0.1:80 dh | 10.0.0.11:80 nat 100", 0, 0 },
	{ V4 SORRY "mode=nat scheduler=fo", "a 10.0.0.11", "a=down", NULL,
	    "tcp 10.0.0.1:80 fo | 10.0.0.11:80 nat 0 | 10.0.0.99:80 nat 1 fallback ; "
	    "fallback",
	    0, 0 },
	/* it reaches one of two families */
	{ V4 SORRY "mode=nat more_addresses=fd00::1", "a fd00::11", NULL, NULL,
	    "mark4 wlc | 10.0.0.99:0 nat 1 fallback || mark6 wlc | [fd00::11]:0 nat "
	    "100 ; fallback",
	    'n', 0 },
};

static const struct row slow[] = {
	{ V4 "mode=nat slow_start=10s", AB, "a=up@0 b=up", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 1 | 10.0.0.12:80 nat 100 ; next "
	    "500",
	    0, 0 },
	{ V4 "mode=nat slow_start=10s", AB, "a=up@5200 b=up@9990", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 50 | 10.0.0.12:80 nat 95 ; next "
	    "10",
	    0, 0 },
	{ V4 "mode=nat slow_start=10s", AB, "a=up@10000", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat", AB, "a=up@1", NULL,
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 100 | 10.0.0.12:80 nat 100", 0, 0 },
	{ V4 "mode=nat slow_start=10s", AB, "a=up@5000", "a weight 40",
	    "tcp 10.0.0.1:80 wlc | 10.0.0.11:80 nat 20 | 10.0.0.12:80 nat 100 ; next "
	    "500",
	    0, 0 },
};

static void
test_keys(void **state)
{
	(void)state;
	check_rows(keys, ARRAY_LEN(keys));
}

static void
test_forwards(void **state)
{
	(void)state;
	check_rows(forwards, ARRAY_LEN(forwards));
}

static void
test_kinds(void **state)
{
	(void)state;
	check_rows(kinds, ARRAY_LEN(kinds));
}

static void
test_hashes(void **state)
{
	(void)state;
	check_rows(hashes, ARRAY_LEN(hashes));
}

static void
test_failures(void **state)
{
	(void)state;
	check_rows(failures, ARRAY_LEN(failures));
}

static void
test_orders(void **state)
{
	(void)state;
	check_rows(orders, ARRAY_LEN(orders));
}

static void
test_fallbacks(void **state)
{
	(void)state;
	check_rows(fallbacks, ARRAY_LEN(fallbacks));
}

static void
test_slow_start(void **state)
{
	(void)state;
	check_rows(slow, ARRAY_LEN(slow));
}

/* From 1 to the weight, never down, in no more steps than promised, and each
 * step at the time that was said. */
static void
test_slow_start_steps(void **state)
{
	static const uint32_t weights[] = { 0, 1, 2, 3, 19, 20, 21, 100, 65535 };
	static const uint32_t spans[] = { 0, 1, 7, 1000, 3600000 };

	(void)state;
	for (size_t w = 0; w < ARRAY_LEN(weights); w++) {
		for (size_t m = 0; m < ARRAY_LEN(spans); m++) {
			int64_t at = 0, next;
			uint32_t got = want_slow_start(weights[w], spans[m], 0, &next), was = got;
			unsigned steps = 0;

			if (spans[m] > 0 && weights[w] > 0)
				assert_int_equal(got, 1);
			for (; next != 0; steps++) {
				assert_true(next > 0);
				if (next > 1)
					assert_int_equal(want_slow_start(weights[w], spans[m],
							     at + next - 1, &(int64_t){ 0 }),
					    was);
				at += next;
				got = want_slow_start(weights[w], spans[m], at, &next);
				assert_true(got >= was);
				was = got;
			}
			assert_true(steps <= SLOW_STEPS);
			assert_true(at <= spans[m]);
			assert_int_equal(got, weights[w]);
		}
	}
	/* The clock was set back. */
	assert_int_equal(want_slow_start(100, 1000, -5, &(int64_t){ 0 }), 1);
	assert_int_equal(want_slow_start(100, 0, -5, &(int64_t){ 0 }), 100);
}

/* S190: a drain that the service ends; its time runs from the order on. */
static void
test_drain_timeout_of_the_service(void **state)
{
	struct fits f = { 0 };
	struct want_input in = { .fit = fit_of, .arg = &f };
	const struct row r = { V4 "mode=nat drain_timeout=60s", AB, NULL, "a drain -", "", 0, 0 };
	struct want_output out;
	const struct admin *a;

	(void)state;
	assert_int_equal(open_store(NULL), 0);
	make(&r);
	in.s = f.s = look();
	in.svc = snapshot_find_path(f.s, KIND_service, "web");
	a = snapshot_at(f.s, KIND_admin, 0);
	in.now_ms = (a->since + 59) * 1000 + 999;
	want_service(&in, &out);
	assert_int_equal(out.next_ms, (a->since + 60) * 1000);
	assert_int_equal(out.cut_n, 0);
	assert_int_equal(out.table.service[0].n, 2);
	want_output_fini(&out);
	in.now_ms = out.next_ms;
	want_service(&in, &out);
	assert_int_equal(out.next_ms, in.now_ms + WANT_CUT_MS);
	assert_int_equal(out.cut_n, 1);
	assert_int_equal(out.cut[0], a->id);
	want_output_fini(&out);
	snapshot_unref(f.s);
	(void)drop_dir(NULL);
}

/* A013 */
static void
test_timeouts(void **state)
{
	struct ipvs_timeouts t;
	struct snapshot *s;

	(void)state;
	assert_int_equal(open_store(NULL), 0);
	s = look();
	want_timeouts(s, &t);
	assert_int_equal(t.tcp_s + t.fin_s + t.udp_s, 0);
	snapshot_unref(s);
	assert_good(edit("set setting main tcp_timeout=90s fin_timeout=2s udp_timeout=1s"));
	s = look();
	want_timeouts(s, &t);
	assert_int_equal(t.tcp_s, 90);
	assert_int_equal(t.fin_s, 2);
	assert_int_equal(t.udp_s, 1);
	snapshot_unref(s);
	(void)drop_dir(NULL);
}

/* A027 */
static void
test_sync(void **state)
{
	static const struct {
		const char *edits, *found;
		bool master, backup;
		const char *interface;
		uint64_t cluster;
	} rows[] = {
		{ "set setting main sync_id=1", "eth0", false, false, "eth0", 0 },
		{ "set setting main sync_id=1", "eth0", true, true, "eth0", 300 },
		{ "set setting main sync_role=off", "eth0", false, false, "eth0", 300 },
		{ "create vip t address=192.0.2.1 ports=80 mode=tun; create rip t/a address=fd00::1",
		    "eth0", false, false, "eth0", 300 },
		{ "set setting main sync_role=off sync_id=1", "eth0", false, false, "eth0", 0 },
		{ "set setting main sync_role=master", "eth0", true, false, "eth0", 0 },
		{ "set setting main sync_role=backup", "eth0", false, true, "eth0", 0 },
		{ "set setting main sync_role=both", "eth0", true, true, "eth0", 0 },
		{ "set node main sync_interface=eth1; set setting main sync_role=both", "eth0",
		    true, true, "eth1", 0 },
		{ "set setting main sync_role=both", "", false, false, "", 0 },
	};
	struct ipvs_sync m, b;
	struct snapshot *s;
	char text[ADDR_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(open_store(NULL), 0);
		assert_good(edit(rows[i].edits));
		s = look();
		want_sync(s, rows[i].cluster, rows[i].found, &m, &b);
		assert_int_equal(m.on, rows[i].master);
		assert_int_equal(b.on, rows[i].backup);
		assert_string_equal(m.interface, rows[i].interface);
		assert_int_equal(m.port, 8848);
		assert_int_equal(m.ttl, 1);
		assert_int_equal(m.maxlen, 0);
		assert_int_equal(m.group.family, 0);
		snapshot_unref(s);
		(void)drop_dir(NULL);
	}
	/* Both nodes of a pair come to the same number, which is not 0. */
	assert_int_equal(open_store(NULL), 0);
	s = look();
	want_sync(s, 255, "eth0", &m, &b);
	assert_int_equal(m.id, 1);
	want_sync(s, 254, "eth0", &m, &b);
	assert_int_equal(b.id, 255);
	snapshot_unref(s);
	(void)drop_dir(NULL);
	assert_int_equal(open_store(NULL), 0);
	assert_good(edit("set setting main sync_role=both sync_id=17 sync_group=239.1.2.3 "
			 "sync_port=9000 sync_ttl=4 sync_maxlen=1400"));
	s = look();
	want_sync(s, 0, "eth0", &m, &b);
	addr_format(&b.group, ADDR_HOST, text);
	assert_string_equal(text, "239.1.2.3");
	assert_int_equal(b.id, 17);
	assert_int_equal(b.port, 9000);
	assert_int_equal(b.ttl, 4);
	assert_int_equal(b.maxlen, 1400);
	snapshot_unref(s);
	(void)drop_dir(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_fallbacks),
		cmocka_unit_test(test_slow_start),
		cmocka_unit_test(test_slow_start_steps),
		cmocka_unit_test(test_drain_timeout_of_the_service),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_sync),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_fini(&told);
	return rc;
}
