/* advice.c - advice for a server: which system's page, what is common to all, and the page as text.
 *
 * What the pages have in common stands here: names, ports, how the server is reached, the tunnel's size, the check of the
 * names that a person gave (they become part of commands), and the steps that are the same everywhere. The systems are
 * linux.c, unix.c and windows.c. */
#include "advice/advice_priv.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU 1500
#define NAME_MOST 120
#define ROWS_STEP 32

const char *const advice_os_word[ADVICE_SYSTEMS] = {
	[ADVICE_LINUX] = "linux",
	[ADVICE_BSD] = "bsd",
	[ADVICE_MACOS] = "macos",
	[ADVICE_SOLARIS] = "solaris",
	[ADVICE_WINDOWS] = "windows",
};
const char *const advice_method_word[ADVICE_METHODS] = {
	[ADVICE_SYSCTL] = "sysctl",
	[ADVICE_IPTABLES] = "iptables",
};

void
page_put(struct page *p, enum advice_kind kind, const char *fmt, ...)
{
	struct advice *o = p->out;
	va_list ap, again;
	char *text;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	must(n >= 0);
	text = arena_alloc(o->arena, (size_t)n + 1);
	(void)vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	if (o->n % ROWS_STEP == 0)
		o->rows = mem_grow(o->rows, (o->n + ROWS_STEP) * sizeof(*o->rows));
	o->rows[o->n++] = (struct advice_row){ .kind = kind, .text = text };
}

unsigned
advice_forward(const struct service *svc, const struct server *srv)
{
	if (srv && srv->forward != forward_service)
		return srv->forward;
	return svc->mode == mode_dr    ? forward_dr
	       : svc->mode == mode_tun ? forward_tun
				       : forward_nat;
}

void
advice_tunnel_of(const struct service *svc, const struct server *srv, struct advice_tunnel *out)
{
	bool own = srv && srv->forward == forward_tun;
	unsigned ip = srv && srv->address.addr.family == 6 ? 40 : 20;

	*out = (struct advice_tunnel){
		.kind = own ? srv->tunnel : svc->tunnel,
		.port = own ? srv->tunnel_port : svc->tunnel_port,
		.csum = (own ? srv->tunnel_csum : svc->tunnel_csum) != checksum_none,
	};
	out->overhead = ip + (out->kind == tunnel_gre	   ? (out->csum ? 8 : 4)
				 : out->kind == tunnel_gue ? (out->csum ? 20 : 12)
							   : 0);
}

static void add_range(const struct addr *lo, const struct addr *hi,
    void (*fn)(void *arg, const struct addr *prefix), void *arg);

/* Adds one to the bits before the prefix; false: there is nothing behind. */
static bool
next_prefix(struct addr *a)
{
	for (int bit = a->len - 1; bit >= 0; bit--) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		a->b[bit / 8] ^= mask;
		if (a->b[bit / 8] & mask)
			return true;
	}
	return false;
}

static bool
is_aligned(const struct addr *a, unsigned len)
{
	for (unsigned bit = len; bit < (a->family == 4 ? 32u : 128u); bit++)
		if (a->b[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

static struct addr
last_of(struct addr a)
{
	unsigned most = a.family == 4 ? 32 : 128;

	for (unsigned bit = a.len; bit < most; bit++)
		a.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	a.len = (uint8_t)most;
	return a;
}

/* The fewest prefixes that are exactly lo to hi. */
static void
add_range(const struct addr *lo, const struct addr *hi,
    void (*fn)(void *arg, const struct addr *prefix), void *arg)
{
	struct addr at = *lo;
	unsigned most = lo->family == 4 ? 32 : 128;

	do {
		struct addr wider = at, last;

		at.len = (uint8_t)most;
		for (wider = at; wider.len > 0; at = wider) {
			wider.len--;
			last = last_of(wider);
			if (!is_aligned(&wider, wider.len) ||
			    memcmp(last.b, hi->b, sizeof(last.b)) > 0)
				break;
		}
		fn(arg, &at);
		last = last_of(at);
		if (memcmp(last.b, hi->b, sizeof(last.b)) >= 0)
			return;
	} while (next_prefix(&at));
}

void
page_prefixes(const struct page *p, void (*fn)(void *arg, const struct addr *prefix), void *arg)
{
	const struct service *svc = p->a->svc;

	fn(arg, &svc->address);
	for (unsigned i = 0; svc->more_addresses && i < svc->more_addresses->n; i++)
		add_range(&svc->more_addresses->r[i].lo, &svc->more_addresses->r[i].hi, fn, arg);
}

const char *
page_protocol(const struct page *p)
{
	switch (p->a->svc->protocol) {
	case protocol_udp: return "UDP";
	case protocol_sctp: return "SCTP";
	case protocol_tcp_udp: return "TCP and UDP";
	default: return "TCP";
	}
}

void
page_listen(struct page *p, const char *command)
{
	TITLE(p, "Let the application listen at both addresses");
	SAY(p,
	    "It must listen at all addresses, or at the virtual one (%s: clients) and at the server's own (%s: tests of the "
	    "load balancer), port %s.",
	    p->vip, p->rip, p->ports);
	RUN(p, "%s", command);
	EXPECT(p, "all addresses (0.0.0.0, [::] or *), or both %s and %s, with port %s", p->vip,
	    p->rip, p->ports);
}

void
page_last(struct page *p)
{
	TITLE(p, "Look whether all is well");
	SAY(p, "On the load balancer: lbctl diagnose %s", p->name);
}

int
advice_no_tunnel(const struct page *p, const char *system, struct err *err)
{
	return err_set(err, ERR_INVALID,
	    "vip %s: %s has no tunnel of kind %s for this; allowed are servers with Linux, or modes dr, nat and snat",
	    p->name, system, word_text(&tunnel_list, p->tunnel.kind));
}

/* Names become words of commands, so nothing that a command line understands may stand in them. */
static int
check_name(const struct advice_ask *a, const char *what, const char *name, struct err *err)
{
	static const char inner[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	bool windows = a->os == ADVICE_WINDOWS;
	size_t n = name ? strlen(name) : 0, i;

	if (!name)
		return 0;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (strchr(inner, c) == NULL &&
		    !(windows ? strchr(" ()#*+", c) != NULL || c >= 0x80 : c == ':' || c == '@'))
			break;
	}
	if (n == 0 || i < n || name[0] == '-' || n > (windows ? NAME_MOST : 15))
		return err_set(err, ERR_INVALID,
		    "%s \"%s\" cannot be the name of an interface; allowed are 1 to %u letters, digits and %s",
		    what, name, windows ? NAME_MOST : 15u,
		    windows ? "blanks . _ - ( ) # * +" : ". _ - : @");
	return 0;
}

static void
ports_text(const struct page *p, char *out, size_t room)
{
	const struct ranges *r = p->a->svc->ports;
	size_t len = 0;

	if (p->forward == forward_nat && p->a->srv->port != 0) {
		(void)snprintf(out, room, "%u", p->a->srv->port);
		return;
	}
	out[0] = '\0';
	for (unsigned i = 0; i < r->n && len < room - 16; i++)
		len += (size_t)snprintf(out + len, room - len,
		    r->r[i].lo == r->r[i].hi ? "%s%u" : "%s%u-%u", i ? "," : "", r->r[i].lo,
		    r->r[i].hi);
}

static void
begin(struct page *p)
{
	const struct advice_ask *a = p->a;
	static const char *const ways[] = {
		[forward_dr] = "direct routing", [forward_nat] = "NAT", [forward_tun] = "tunnel"
	};
	unsigned heads;

	p->name = a->svc->name;
	p->forward = advice_forward(a->svc, a->srv);
	p->six = a->svc->address.family == 6;
	heads = p->six ? 60 : 40;
	addr_format(&a->svc->address, ADDR_HOST, p->vip);
	addr_format(&a->srv->address.addr, ADDR_HOST, p->rip);
	(void)snprintf(p->host, sizeof(p->host), p->six ? "/128" : "/32");
	ports_text(p, p->ports, sizeof(p->ports));
	advice_tunnel_of(a->svc, a->srv, &p->tunnel);
	p->mss = (a->mtu ? a->mtu : MTU) - p->tunnel.overhead - heads;
	SAY(p, "Server %s/%s (%s) of service %s: %s, %s port %s, %s.", p->name, a->srv->name,
	    p->rip, p->name, p->vip, page_protocol(p), p->ports, ways[p->forward]);
}

int
advice_server(const struct advice_ask *a, struct advice *out, struct err *err)
{
	static const advice_fn pages[ADVICE_SYSTEMS] = {
		[ADVICE_LINUX] = advice_linux,
		[ADVICE_BSD] = advice_bsd,
		[ADVICE_MACOS] = advice_macos,
		[ADVICE_SOLARIS] = advice_solaris,
		[ADVICE_WINDOWS] = advice_windows,
	};
	struct advice done = { 0 };
	struct page p = { .a = a, .out = &done };
	int rc = check_name(a, "interface", a->interface, err);

	must(a->os < ADVICE_SYSTEMS && a->method < ADVICE_METHODS);
	if (rc == 0)
		rc = check_name(a, "loopback", a->loopback, err);
	if (rc != 0)
		return rc;
	if (a->svc->mode == mode_snat || !service_asks_network(a->svc))
		return err_set(err, ERR_INVALID,
		    "vip %s: mode %s asks nothing of its servers: they see this node as their client",
		    a->svc->name, word_text(&mode_list, a->svc->mode));
	if (a->method == ADVICE_IPTABLES && a->os != ADVICE_LINUX)
		return err_set(err, ERR_INVALID,
		    "method iptables is not possible with %s; allowed is linux",
		    advice_os_word[a->os]);
	done.arena = arena_new(8192);
	begin(&p);
	rc = pages[a->os](&p, err);
	if (rc == 0) {
		page_last(&p);
		*out = done;
		return 0;
	}
	advice_fini(&done);
	return rc;
}

void
advice_fini(struct advice *a)
{
	free(a->rows);
	arena_unref(a->arena);
	*a = (struct advice){ 0 };
}

#define LINE 110

/* Wrapped at blanks, each line after the mark. */
static void
put_wrapped(struct buf *out, const char *mark, const char *text)
{
	while (*text != '\0') {
		size_t n = strlen(text), room = LINE - strlen(mark);

		if (n > room) {
			for (n = room; n > 0 && text[n] != ' ';)
				n--;
			if (n == 0)
				n = strcspn(text, " ");
		}
		buf_printf(out, "%s%.*s\n", mark, (int)n, text);
		text += n;
		text += strspn(text, " ");
		mark = "# ";
	}
}

void
advice_text(const struct advice *a, struct buf *out)
{
	char mark[20];
	unsigned step = 0;

	for (unsigned i = 0; i < a->n; i++) {
		const struct advice_row *r = &a->rows[i];

		if (r->kind == ADVICE_TITLE) {
			(void)snprintf(mark, sizeof(mark), "# %u. ", ++step);
			buf_puts(out, "\n");
			put_wrapped(out, mark, r->text);
		} else if (r->kind == ADVICE_COMMAND) {
			buf_printf(out, "%s\n", r->text);
		} else if (r->kind == ADVICE_OTHER) {
			buf_printf(out, "#     %s\n", r->text);
		} else {
			put_wrapped(out, r->kind == ADVICE_TEXT ? "# " : "# Expected: ", r->text);
		}
	}
}
