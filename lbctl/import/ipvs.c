/* What ipvsadm-save -n prints: one command of ipvsadm a line, -A for a service, -a for a server of it.
 *
 * Every option is one of the short or long words below; a word that is none of them is said, and the rest of the line
 * is taken all the same. The list that ipvsadm -L prints is refused with a hint: it leaves out what a service is made
 * of. A table says nothing of tests, so its servers get the check that tests nothing.
 * Source of the words and their defaults: ipvsadm(8). */
#include "import/import.h"
#include "import/text.h"

#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define PERSIST_DEFAULT_S "300"

enum opt {
	W_SERVICE,
	W_SERVER,
	W_TCP,
	W_UDP,
	W_SCTP,
	W_MARK,
	W_IPV6,
	W_SCHEDULER,
	W_PERSISTENT,
	W_NETMASK,
	W_ENGINE,
	W_FLAGS,
	W_OPS,
	W_REAL,
	W_DR,
	W_TUN,
	W_NAT,
	W_WEIGHT,
	W_UPPER,
	W_LOWER,
	W_TUN_TYPE,
	W_TUN_PORT,
	W_TUN_NOCSUM,
	W_TUN_CSUM,
	W_TUN_REMCSUM,
	WORDS
};
/* How many values: 1, or -1 for one that may be absent. */
static const struct {
	const char *letter, *word;
	int values;
} words[WORDS] = {
	[W_SERVICE] = { "-A", "--add-service", 0 },
	[W_SERVER] = { "-a", "--add-server", 0 },
	[W_TCP] = { "-t", "--tcp-service", 1 },
	[W_UDP] = { "-u", "--udp-service", 1 },
	[W_SCTP] = { "--sctp-service", "--sctp-service", 1 },
	[W_MARK] = { "-f", "--fwmark-service", 1 },
	[W_IPV6] = { "-6", "--ipv6", 0 },
	[W_SCHEDULER] = { "-s", "--scheduler", 1 },
	[W_PERSISTENT] = { "-p", "--persistent", -1 },
	[W_NETMASK] = { "-M", "--netmask", 1 },
	[W_ENGINE] = { "--pe", "--pe", 1 },
	[W_FLAGS] = { "-b", "--sched-flags", 1 },
	[W_OPS] = { "-o", "--ops", 0 },
	[W_REAL] = { "-r", "--real-server", 1 },
	[W_DR] = { "-g", "--gatewaying", 0 },
	[W_TUN] = { "-i", "--ipip", 0 },
	[W_NAT] = { "-m", "--masquerading", 0 },
	[W_WEIGHT] = { "-w", "--weight", 1 },
	[W_UPPER] = { "-x", "--u-threshold", 1 },
	[W_LOWER] = { "-y", "--l-threshold", 1 },
	[W_TUN_TYPE] = { "--tun-type", "--tun-type", 1 },
	[W_TUN_PORT] = { "--tun-port", "--tun-port", 1 },
	[W_TUN_NOCSUM] = { "--tun-nocsum", "--tun-nocsum", 0 },
	[W_TUN_CSUM] = { "--tun-csum", "--tun-csum", 0 },
	[W_TUN_REMCSUM] = { "--tun-remcsum", "--tun-remcsum", 0 },
};

/* One line, taken apart. */
struct line {
	struct place at;
	const char *text;
	const char *given[WORDS]; /* NULL: absent; "" for a word without a value */
	unsigned faults;	  /* lines of the report that say what could not be taken */
};
struct reader {
	struct import *im;
	struct err *err;
	struct textmap services; /* "tcp 10.0.0.1:80" to the service */
};

static enum opt
find_word(const char *text)
{
	enum opt w;

	for (w = 0; w < WORDS; w++)
		if (strcmp(text, words[w].letter) == 0 || strcmp(text, words[w].word) == 0)
			break;
	return w;
}

static void
fault(struct reader *r, struct line *l, const char *what, const char *why)
{
	l->faults++;
	import_say(r->im, l->at, NOT_TAKEN, what, "%s", why);
}

/* The words of a line; they stay in the copy that is cut up. */
static int
split(struct reader *r, struct line *l, char *copy)
{
	char *save = NULL, *next, *t = strtok_r(copy, " \t\r", &save);
	unsigned n = 0;

	if (t != NULL && strcmp(t, "ipvsadm") == 0)
		t = strtok_r(NULL, " \t\r", &save);
	for (; t != NULL; t = next) {
		enum opt w = find_word(t);

		if (++n > IMPORT_WORDS_MAX)
			return err_set(r->err, ERR_INVALID, "line %u: more than %u words",
			    l->at.line, IMPORT_WORDS_MAX);
		next = strtok_r(NULL, " \t\r", &save);
		if (w == WORDS) {
			fault(r, l, t, "ipvsadm(8) does not know it for a service or a server");
			continue;
		}
		l->given[w] = "";
		if (words[w].values == 0 ||
		    (words[w].values < 0 && (next == NULL || next[0] == '-')))
			continue;
		if (next == NULL)
			return err_set(
			    r->err, ERR_INVALID, "line %u: %s needs a value", l->at.line, t);
		l->given[w] = next;
		next = strtok_r(NULL, " \t\r", &save);
	}
	return 0;
}

/* What a service is known by, as a key and as an end. */
struct known {
	char key[120];
	const char *protocol;
	struct import_end end;
	uint32_t mark;
	uint8_t family;
};

static int
known_of(struct reader *r, const struct line *l, struct known *k)
{
	static const struct {
		enum opt w;
		const char *protocol;
	} kinds[] = { { W_TCP, "tcp" }, { W_UDP, "udp" }, { W_SCTP, "sctp" } };
	char host[ADDR_TEXT];

	*k = (struct known){ .end.at = l->at };
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *where = l->given[kinds[i].w];

		if (where == NULL)
			continue;
		k->protocol = kinds[i].protocol;
		if (!text_endpoint(where, k->protocol, &k->end.lo, &k->end.port))
			return err_set(r->err, ERR_INVALID,
			    "line %u: \"%.80s\" is not ADDRESS:PORT; ipvsadm-save -n gives numbers",
			    l->at.line, where);
		k->end.hi = k->end.lo;
		addr_format(&k->end.lo, ADDR_HOST, host);
		(void)snprintf(
		    k->key, sizeof(k->key), "%s [%s]:%u", k->protocol, host, k->end.port);
		return 0;
	}
	if (l->given[W_MARK] == NULL)
		return err_set(r->err, ERR_INVALID,
		    "line %u: neither -t, -u, --sctp-service nor -f: no service", l->at.line);
	if (!text_number(l->given[W_MARK], UINT32_MAX, &k->mark) || k->mark == 0)
		return err_set(r->err, ERR_INVALID, "line %u: -f: \"%.80s\" is not a mark from 1",
		    l->at.line, l->given[W_MARK]);
	k->family = l->given[W_IPV6] != NULL ? 6 : 4;
	(void)snprintf(k->key, sizeof(k->key), "mark %u %u", k->mark, k->family);
	return 0;
}

static void
put(struct reader *r, struct line *l, struct import_row *row, const char *what, const char *field,
    const char *value)
{
	struct err err = { 0 };

	if (import_put(r->im, row, field, value, &err) != 0)
		fault(r, l, what, err.text);
}

/* -b: a list of flags; 1 and 2 are fallback and port of the two hashes, and mean nothing to other schedulers. */
static void
put_flags(struct reader *r, struct line *l, struct import_row *row)
{
	const char *scheduler = import_value(row, "scheduler");
	bool hash =
	    scheduler != NULL && (strcmp(scheduler, "sh") == 0 || strcmp(scheduler, "mh") == 0);
	char copy[200], *save = NULL, *t;

	(void)snprintf(copy, sizeof(copy), "%s", l->given[W_FLAGS]);
	for (t = strtok_r(copy, ",", &save); t != NULL; t = strtok_r(NULL, ",", &save)) {
		const char *flag =
		    strncmp(t, "sh-", 3) == 0 || strncmp(t, "mh-", 3) == 0 ? t + 3 : t;

		if (!hash)
			fault(r, l, t, "only the schedulers sh and mh have flags");
		else if (strcmp(flag, "fallback") == 0 || strcmp(flag, "flag-1") == 0)
			put(r, l, row, t, "hash_fallback", "yes");
		else if (strcmp(flag, "port") == 0 || strcmp(flag, "flag-2") == 0)
			put(r, l, row, t, "hash_port", "yes");
		else
			fault(r, l, t, "the scheduler has no such flag");
	}
}

static void
put_persistence(struct reader *r, struct line *l, struct import_row *row, unsigned family)
{
	const char *s = l->given[W_PERSISTENT], *mask = l->given[W_NETMASK];
	char text[32];
	int bits;

	put(r, l, row, "--pe", "persistence",
	    l->given[W_ENGINE] != NULL ? l->given[W_ENGINE] : "source");
	(void)snprintf(text, sizeof(text), "%.20ss", *s != '\0' ? s : PERSIST_DEFAULT_S);
	put(r, l, row, "-p", "persist_timeout", text);
	if (mask == NULL)
		return;
	bits = text_mask(mask, family);
	if (bits < 0) {
		fault(r, l, "-M", "the bits of a mask must lead, as 255.255.255.0 or 64");
		return;
	}
	if (bits < (family == 6 ? 128 : 32))
		import_putf(r->im, row, "persist_mask", "%d", bits);
}

static int
add_service(struct reader *r, struct line *l)
{
	struct import_service *s;
	struct import_row *row;
	struct known k;
	int rc = known_of(r, l, &k);

	if (rc != 0)
		return rc;
	s = import_service_new(r->im, l->at, r->err);
	if (s == NULL)
		return ERR_INVALID;
	if (!textmap_put(&r->services, arena_text(r->im->a, k.key, strlen(k.key)), s))
		return err_set(
		    r->err, ERR_INVALID, "line %u: this service was there before", l->at.line);
	row = &s->row;
	s->mark = k.mark;
	s->family = k.family;
	if (k.mark == 0) {
		rc = import_end_add(r->im, s, &k.end, r->err);
		import_putf(r->im, row, "protocol", "%s", k.protocol);
	}
	put(r, l, row, "-s", "scheduler",
	    l->given[W_SCHEDULER] != NULL ? l->given[W_SCHEDULER] : "wlc");
	if (l->given[W_FLAGS] != NULL)
		put_flags(r, l, row);
	if (l->given[W_PERSISTENT] != NULL)
		put_persistence(r, l, row, k.mark != 0 ? k.family : k.end.lo.family);
	if (l->given[W_OPS] != NULL)
		import_putf(r->im, row, "one_packet", "yes");
	if (l->faults > 0 || k.mark != 0)
		return rc; /* what becomes of a mark is said at the end */
	if (k.end.port == 0)
		import_say(r->im, l->at, TAKEN_OTHERWISE, l->text,
		    "vip: every port is the range 1-65535, by a firewall mark of lbd");
	else
		import_say(r->im, l->at, TAKEN, l->text, "vip");
	return rc;
}

static void
read_tunnel(struct reader *r, struct line *l, struct import_server *s)
{
	const char *type = l->given[W_TUN_TYPE];
	uint32_t port = 0;

	s->tunnel = (struct import_tunnel){ 0 };
	if (type != NULL && strcmp(type, "gre") == 0)
		s->tunnel.type = tunnel_gre;
	else if (type != NULL && strcmp(type, "gue") == 0)
		s->tunnel.type = tunnel_gue;
	else if (type != NULL && strcmp(type, "ipip") != 0)
		fault(r, l, "--tun-type", "allowed are ipip, gre and gue");
	if (l->given[W_TUN_PORT] != NULL &&
	    (!text_number(l->given[W_TUN_PORT], UINT16_MAX, &port) || port == 0))
		fault(r, l, "--tun-port", "allowed is 1 to 65535");
	s->tunnel.port = (uint16_t)port;
	s->tunnel.csum = l->given[W_TUN_REMCSUM] != NULL ? checksum_remote
			 : l->given[W_TUN_CSUM] != NULL	 ? checksum_full
							 : checksum_none;
}

static int
add_server(struct reader *r, struct line *l)
{
	const char *where = l->given[W_REAL];
	struct import_service *s;
	struct import_server *own;
	struct known k;
	int rc = known_of(r, l, &k);

	if (rc != 0)
		return rc;
	s = textmap_get(&r->services, k.key);
	if (s == NULL)
		return err_set(
		    r->err, ERR_INVALID, "line %u: no line before it adds the service", l->at.line);
	own = import_server_new(r->im, s, l->at, r->err);
	if (own == NULL)
		return ERR_INVALID;
	if (where == NULL || !text_endpoint(where, k.protocol, &own->addr, &own->port))
		return err_set(r->err, ERR_INVALID,
		    "line %u: -r: \"%.80s\" is not ADDRESS:PORT; ipvsadm-save -n gives numbers",
		    l->at.line, where != NULL ? where : "");
	own->forward = l->given[W_NAT] != NULL	 ? forward_nat
		       : l->given[W_TUN] != NULL ? forward_tun
						 : forward_dr;
	read_tunnel(r, l, own);
	put(r, l, &own->row, "-w", "weight", l->given[W_WEIGHT] != NULL ? l->given[W_WEIGHT] : "1");
	if (l->given[W_UPPER] != NULL)
		put(r, l, &own->row, "-x", "max_conns", l->given[W_UPPER]);
	if (l->given[W_LOWER] != NULL)
		put(r, l, &own->row, "-y", "min_conns", l->given[W_LOWER]);
	if (s->mark != 0 && r->im->mark_address.family != s->family)
		import_say(r->im, l->at, NOT_TAKEN, l->text, "rip: its service is left out");
	else if (l->faults == 0)
		import_say(r->im, l->at, TAKEN, l->text, "rip");
	return 0;
}

/* What stands at the beginning of lines that ipvsadm -L prints. */
static bool
is_list(const char *text)
{
	static const char *const begins[] = { "IP Virtual Server", "Prot ", "  -> ", "TCP ", "UDP ",
		"SCTP ", "FWM " };

	for (unsigned i = 0; i < ARRAY_LEN(begins); i++)
		if (strncmp(text, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

/* Commands of ipvsadm that make no service; what does the same here. */
static bool
other_command(struct reader *r, struct line *l, const char *first)
{
	static const struct {
		const char *word, *why;
	} rows[] = {
		{ "-C", "the table is not cleared: what lbd did not make is left alone" },
		{ "--clear", "the table is not cleared: what lbd did not make is left alone" },
		{ "--set", "timeouts are settings of the whole: lbctl set setting tcp_timeout=..s "
			   "fin_timeout=..s udp_timeout=..s" },
		{ "--start-daemon", "connection sync is a setting of the whole: lbctl set setting "
				    "sync_role=.. sync_id=.." },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (strcmp(first, rows[i].word) == 0) {
			fault(r, l, l->text, rows[i].why);
			return true;
		}
	}
	return false;
}

static int
read_line(struct reader *r, struct place at, char *copy)
{
	struct line l = { .at = at };
	char first[40] = "";
	int rc;

	if (is_list(copy))
		return err_set(r->err, ERR_INVALID,
		    "line %u: this is what ipvsadm -L prints; give what \"ipvsadm-save -n\" prints",
		    at.line);
	copy += strspn(copy, " \t\r");
	if (*copy == '\0' || *copy == '#')
		return 0;
	l.text = arena_text(r->im->a, copy, strcspn(copy, "\r"));
	(void)sscanf(strncmp(copy, "ipvsadm ", 8) == 0 ? copy + 8 : copy, "%39s", first);
	if (other_command(r, &l, first))
		return 0;
	if (first[0] != '-')
		return err_set(r->err, ERR_INVALID,
		    "line %u: not a command of ipvsadm; give what \"ipvsadm-save -n\" prints",
		    at.line);
	rc = split(r, &l, copy);
	if (rc != 0)
		return rc;
	if (l.given[W_SERVICE] != NULL)
		return add_service(r, &l);
	if (l.given[W_SERVER] != NULL)
		return add_server(r, &l);
	return err_set(
	    r->err, ERR_INVALID, "line %u: neither -A nor -a: only these are imported", at.line);
}

int
import_ipvs(struct import *im, const char *text, size_t len, struct err *err)
{
	struct reader r = { .im = im, .err = err };
	struct place at = { 0 };
	const char *p = text, *end = text + len;
	int rc = 0;

	while (rc == 0 && p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);

		if (++at.line > IMPORT_LINES_MAX)
			rc = err_set(err, ERR_INVALID, "more than %u lines", IMPORT_LINES_MAX);
		else if (memchr(p, '\0', n) != NULL)
			rc = err_set(
			    err, ERR_INVALID, "line %u: a NUL has no place in a text", at.line);
		else
			rc = read_line(&r, at, arena_text(im->a, p, n));
		p = nl != NULL ? nl + 1 : end;
	}
	textmap_fini(&r.services);
	if (rc == 0 && im->services != NULL)
		import_say(im, (struct place){ 0 }, TAKEN_OTHERWISE, "health checks",
		    "check untested: the kernel's table has none, so every server counts as fit; for a "
		    "connection test of vip NAME: lbctl unset vip NAME check");
	return rc;
}
