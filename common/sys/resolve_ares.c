/* c-ares behind one function: addresses of a name (hosts file, "localhost" and DNS, as the machine is set up), or its SRV
 * records (RFC 2782) with the addresses of their targets, one after the other. Its sockets and its clock hang on our loop. */
#include "resolve_priv.h"

#include "base/mem.h"
#include "base/must.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DNS_MAGIC 0x4e501e03
#define QUESTIONS_MOST 64 /* at once; the others wait a little */
#define SOCKETS_MOST 64
#define SRV_MOST 64 /* records of one answer; more are left out */
#define TIMEOUT_MS 2000
#define TRIES 3
#define CONF "/etc/resolv.conf"

struct dns_fd {
	bool used;
	struct loop_fd io;
	struct dns *d;
};
struct dns {
	uint32_t magic;
	struct loop *loop;
	ares_channel channel; /* NULL: could not be made; tried again */
	struct timespec conf; /* of CONF when the channel was made */
	struct loop_timer timer;
	struct dns_fd fds[SOCKETS_MOST];
	unsigned questions;
};
struct srv_record {
	char host[RESOLVE_HOST];
	uint16_t port, weight, priority;
};
struct question {
	struct dns *d;
	dns_fn fn;
	void *arg;
	struct dns_answer a;
	unsigned records, at; /* of SRV; the one whose host is looked up */
	struct srv_record record[SRV_MOST];
};

static void
set_timer(struct dns *d)
{
	struct timeval tv, *left = d->channel != NULL ? ares_timeout(d->channel, NULL, &tv) : NULL;

	if (left == NULL)
		loop_timer_cancel(&d->timer);
	else
		loop_timer_set(&d->timer, DUR_S(left->tv_sec) + left->tv_usec);
}

static void
on_timer(void *arg)
{
	struct dns *d = arg;

	must_obj(d, DNS_MAGIC);
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(d);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct dns_fd *f = arg;
	struct dns *d = f->d;
	int fd = f->io.fd;

	must_obj(d, DNS_MAGIC);
	ares_process_fd(d->channel, (ready & LOOP_READ) != 0 ? fd : ARES_SOCKET_BAD,
	    (ready & LOOP_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
	set_timer(d);
}

static struct dns_fd *
slot_of(struct dns *d, ares_socket_t fd)
{
	struct dns_fd *none = NULL;

	for (unsigned i = 0; i < SOCKETS_MOST; i++) {
		if (d->fds[i].used && d->fds[i].io.fd == fd)
			return &d->fds[i];
		if (!d->fds[i].used && none == NULL)
			none = &d->fds[i];
	}
	return none;
}

/* c-ares opens, closes, or wants something else of a socket. Without a slot its own clock still
 * ends the query. */
static void
on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = arg;
	struct dns_fd *f = slot_of(d, fd);
	unsigned want = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);

	if (f == NULL)
		return;
	if (!f->used && want != 0) {
		*f = (struct dns_fd){ .used = true, .d = d };
		loop_fd_init(&f->io, d->loop, fd, on_ready, f);
	}
	if (f->used)
		loop_fd_want(&f->io, want);
	if (f->used && want == 0) {
		loop_fd_fini(&f->io);
		f->used = false;
	}
}

static void
conf_time(struct timespec *out)
{
	struct stat st;

	*out = stat(CONF, &st) == 0 ? st.st_mtim : (struct timespec){ 0 };
}

/* The channel as the machine is set up now. Made anew when resolv.conf changed and no query is
 * out. */
static bool
open_channel(struct dns *d)
{
	struct ares_options o = {
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = d,
	};
	struct timespec now;

	conf_time(&now);
	if (d->channel != NULL && d->questions == 0 &&
	    (now.tv_sec != d->conf.tv_sec || now.tv_nsec != d->conf.tv_nsec)) {
		ares_destroy(d->channel);
		d->channel = NULL;
	}
	if (d->channel != NULL)
		return true;
	d->conf = now;
	if (ares_init_options(&d->channel, &o,
		ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS)
		d->channel = NULL;
	return d->channel != NULL;
}

static void
ended(struct question *q, const char *why)
{
	q->a.why = why;
	q->d->questions--;
	q->fn(q->arg, &q->a);
	free(q);
}

static bool
is_there(const struct dns_answer *a, const struct addr *at, uint16_t port)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->row[i].port == port && addr_same_host(&a->row[i].addr, at))
			return true;
	return false;
}

static void
put_row(struct dns_answer *a, const struct addr *at, const struct srv_record *of)
{
	struct dns_row *row = &a->row[a->n];

	if (a->n == DNS_ROWS || (at->family != 0 && is_there(a, at, of != NULL ? of->port : 0)))
		return;
	*row = (struct dns_row){ .addr = *at };
	if (of != NULL) {
		row->port = of->port;
		row->weight = of->weight;
		row->priority = of->priority;
		memcpy(row->host, of->host, sizeof(row->host));
	}
	a->n++;
}

static void
put_addresses(struct dns_answer *a, const struct ares_addrinfo *ai, const struct srv_record *of)
{
	struct addr at;
	uint16_t port;

	for (const struct ares_addrinfo_node *n = ai->nodes; n != NULL; n = n->ai_next) {
		if (addr_from_sockaddr(n->ai_addr, &at, &port) != 0)
			continue;
		if (DUR_S(n->ai_ttl) < a->ttl)
			a->ttl = DUR_S(n->ai_ttl);
		put_row(a, &at, of);
	}
}

static const struct ares_addrinfo_hints any_family = { .ai_family = AF_UNSPEC };

static void
on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct question *q = arg;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		put_addresses(&q->a, ai, NULL);
	ares_freeaddrinfo(ai);
	ended(q, status == ARES_SUCCESS ? NULL : ares_strerror(status));
}

static void look_up_target(struct question *q);

static void
on_target(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct question *q = arg;
	const struct srv_record *r = &q->record[q->at];

	(void)timeouts;
	if (status == ARES_SUCCESS)
		put_addresses(&q->a, ai, r);
	else if (status != ARES_ENOTFOUND && status != ARES_ENODATA)
		put_row(&q->a, &(struct addr){ 0 }, r);
	ares_freeaddrinfo(ai);
	if (status == ARES_EDESTRUCTION) {
		ended(q, ares_strerror(status));
		return;
	}
	q->at++;
	look_up_target(q);
}

static void
look_up_target(struct question *q)
{
	if (q->at == q->records) {
		ended(q, NULL);
		return;
	}
	ares_getaddrinfo(q->d->channel, q->record[q->at].host, NULL, &any_family, on_target, q);
}

/* The shortest TTL of an answer, which c-ares does not tell of SRV records (RFC 1035 section 4.1). */
static dur_t
least_ttl(const unsigned char *p, int len)
{
	const unsigned char *at = p + HFIXEDSZ, *end = p + len;
	unsigned questions, records;
	uint32_t least = UINT32_MAX;

	if (len < HFIXEDSZ)
		return 0;
	questions = (unsigned)p[4] << 8 | p[5];
	records = (unsigned)p[6] << 8 | p[7];
	for (unsigned i = 0; i < questions + records; i++) {
		char *name;
		long n;
		int code = ares_expand_name(at, p, len, &name, &n);
		uint32_t ttl;

		if (code != ARES_SUCCESS)
			return 0;
		ares_free_string(name);
		at += n;
		if (end - at < (i < questions ? QFIXEDSZ : RRFIXEDSZ))
			return 0;
		if (i < questions) {
			at += QFIXEDSZ;
			continue;
		}
		ttl = (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7];
		least = ttl < least ? ttl : least;
		n = (long)at[8] << 8 | at[9];
		if (end - at - RRFIXEDSZ < n)
			return 0;
		at += RRFIXEDSZ + n;
	}
	return DUR_S(least);
}

static void
on_records(void *arg, int status, int timeouts, unsigned char *p, int len)
{
	struct question *q = arg;
	struct ares_srv_reply *list = NULL;

	(void)timeouts;
	if (status == ARES_SUCCESS)
		status = ares_parse_srv_reply(p, len, &list);
	if (status != ARES_SUCCESS) {
		ended(q, ares_strerror(status));
		return;
	}
	q->a.ttl = least_ttl(p, len);
	for (struct ares_srv_reply *r = list; r != NULL && q->records < SRV_MOST; r = r->next) {
		struct srv_record *to = &q->record[q->records];

		if (r->host[0] == '\0' || strlen(r->host) >= sizeof(to->host))
			continue; /* "." says that there is no such service */
		*to = (struct srv_record){
			.port = r->port, .weight = r->weight, .priority = r->priority
		};
		memcpy(to->host, r->host, strlen(r->host) + 1);
		q->records++;
	}
	ares_free_data(list);
	look_up_target(q);
}

int
dns_ask(struct dns *d, const char *name, bool srv, dns_fn fn, void *arg)
{
	struct question *q;

	must_obj(d, DNS_MAGIC);
	if (d->questions >= QUESTIONS_MOST)
		return -EAGAIN;
	if (!open_channel(d))
		return -ENODEV;
	q = mem_alloc(sizeof(*q));
	q->d = d;
	q->fn = fn;
	q->arg = arg;
	q->a.ttl = DUR_S(UINT32_MAX);
	d->questions++;
	if (srv)
		ares_query(d->channel, name, ns_c_in, ns_t_srv, on_records, q);
	else
		ares_getaddrinfo(d->channel, name, NULL, &any_family, on_addresses, q);
	set_timer(d); /* the question may have been answered at once */
	return 0;
}

struct dns *
dns_new(struct loop *l)
{
	struct dns *d = mem_alloc(sizeof(*d));

	(void)ares_library_init(
	    ARES_LIB_INIT_ALL); /* nothing to do on Linux, and wanted by its manual */
	*d = (struct dns){ .magic = DNS_MAGIC, .loop = l };
	loop_timer_init(&d->timer, l, on_timer, d);
	return d;
}

void
dns_free(struct dns *d)
{
	must_obj(d, DNS_MAGIC);
	if (d->channel != NULL)
		ares_destroy(d->channel);
	loop_timer_fini(&d->timer);
	d->magic = 0;
	free(d);
}
