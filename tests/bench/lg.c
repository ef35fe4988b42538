/* Load generator for the benchmarks, which also reads the processor clocks of the processes that are measured. One file, because
 * bench.py compiles it by itself with one command; longer than others for that.
 *
 * One thread, one epoll. Connections cycle: connect, send one GET, read the answer, then either send the next (ka), close
 * and connect anew (close), or stay idle (idle). With -r requests start at fixed times, and latency counts from the time a
 * request was due. One line of key=value comes out. It checks only what keeps a broken run from looking
 * like a fast one: status 200 and the length of the body; everything else is an error, and errors are printed.
 *
 * lg -a IP:PORT [-m ka|close|idle] [-c CONNS] [-d SECONDS] [-w WARM-UP] [-r RATE] [-u PATH] [-s SOURCES] [-S SETTLE]
 *    [-n REQUESTS] [-t] [-R] [-P PID,PID] [-Q PID,PID]
 * -t: by TLS 1.3, the certificate is not looked at; -R: later connections resume the first one's session. -s: source addresses 127.0.1.2 on; -n: stop after so many; -P: the proxy's processes; -Q: the origin's. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUCKETS 40000
#define BATCH 200 /* connections opened at once in idle mode */

enum state { DEAD, CONNECTING, SHAKING, IDLE, HEAD, BODY };
enum mode { KA, CLOSE, HOLD };
struct conn {
	int fd;
	enum state state;
	uint32_t watched; /* epoll events in force */
	unsigned place;	  /* in idle[], while IDLE */
	SSL *ssl;	  /* NULL: plain */
	uint64_t t0;
	unsigned long left;
	bool until_close;
	unsigned have;
	char head[1024];
};

static enum mode mode;
static const char *path = "/", *pids = "", *other_pids = "";
static int conns = 64, sources = 1, poller;
static double seconds = 3, warm = 0.7, rate, settle = 2;
static unsigned long most; /* -n */
static struct sockaddr_in to;
static char request[4096];
static size_t request_len;
static struct conn *all, **idle;
static unsigned idles, alive, source;
static bool cycling, measuring;
static unsigned long requests, errors, bytes;
static bool tls, resume;
static SSL_CTX *context;
static SSL_SESSION *session; /* of the first connection, with -R */
static unsigned long resumed;
static unsigned hist[BUCKETS];
static char sink[1 << 18];

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Calls fn for each pid of a list like "1,2"; the sum of what it returns. */
static uint64_t
each_pid(const char *list, uint64_t (*fn)(int pid))
{
	uint64_t sum = 0;

	while (*list != '\0') {
		char *end;
		sum += fn((int)strtol(list, &end, 10));
		list = *end == ',' ? end + 1 : "";
	}
	return sum;
}

/* The processor clock of a process, in nanoseconds; the encoding of clockid_t is the kernel's (posix-timers.h). */
static uint64_t
cpu_of(int pid)
{
	struct timespec t;

	if (clock_gettime((clockid_t)((~(unsigned)pid << 3) | 2), &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t
rss_of(int pid)
{
	char name[64], line[256];
	unsigned long kb = 0;

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	FILE *f = fopen(name, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "VmRSS: %lu", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb * 1024;
}

/* Microseconds up to 10 ms exactly, then coarser, up to 2 s. */
static unsigned
bucket_of(uint64_t us)
{
	if (us < 10000)
		return (unsigned)us;
	if (us < 100000)
		return 10000 + (unsigned)(us - 10000) / 10;
	return us < 2000000 ? 19000 + (unsigned)(us - 100000) / 100 : BUCKETS - 1;
}

static double
percentile(double share)
{
	uint64_t sum = 0, at = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		sum += hist[i];
	for (unsigned i = 0; i < BUCKETS; i++) {
		at += hist[i];
		if (at > 0 && (double)at >= share * (double)sum)
			return i < 10000   ? i
			       : i < 19000 ? 10000 + (i - 10000) * 10
					   : 100000 + (i - 19000) * 100.0;
	}
	return 0;
}

static void
watch(struct conn *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (c->watched != events)
		epoll_ctl(poller, c->watched != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e);
	c->watched = events;
}

static void
rest(struct conn *c)
{
	c->state = IDLE;
	c->place = idles;
	idle[idles++] = c;
}

static void
wake(struct conn *c)
{
	idle[c->place] = idle[--idles];
	idle[c->place]->place = c->place;
}

/* As send and recv; -1 with EAGAIN, or another errno. */
static ssize_t
put(struct conn *c, const void *p, size_t n)
{
	size_t done;

	if (c->ssl == NULL)
		return send(c->fd, p, n, MSG_NOSIGNAL);
	if (SSL_write_ex(c->ssl, p, n, &done) == 1)
		return (ssize_t)done;
	errno = EIO;
	return -1;
}

static ssize_t
take(struct conn *c, void *p, size_t n, int flags)
{
	size_t done;

	if (c->ssl == NULL)
		return recv(c->fd, p, n, flags);
	if (SSL_read_ex(c->ssl, p, n, &done) == 1)
		return (ssize_t)done;
	switch (SSL_get_error(c->ssl, 0)) {
	case SSL_ERROR_WANT_READ: errno = EAGAIN; return -1;
	case SSL_ERROR_ZERO_RETURN: return 0;
	default: break;
	}
	ERR_clear_error();
	errno = EIO;
	return -1;
}

static int
on_session(SSL *s, SSL_SESSION *got)
{
	(void)s;
	if (session == NULL)
		session = SSL_SESSION_dup(got); /* one that is in use changes */
	return 0;
}

static void
set_tls(void)
{
	context = SSL_CTX_new(TLS_client_method());
	if (context == NULL)
		exit(1);
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_quiet_shutdown(context, 1);
	SSL_CTX_set_session_cache_mode(context,
	    resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
	if (resume)
		SSL_CTX_sess_set_new_cb(context, on_session);
}

static void begin(struct conn *c);

static void
end(struct conn *c)
{
	if (c->state == IDLE)
		wake(c);
	if (c->ssl != NULL) {
		SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	close(c->fd);
	c->state = DEAD;
	alive--;
	if (cycling)
		begin(c);
}

static void
fail(struct conn *c)
{
	if (measuring)
		errors++;
	end(c);
}

static void
fire(struct conn *c)
{
	c->have = 0;
	c->state = HEAD;
	if (put(c, request, request_len) != (ssize_t)request_len) {
		fail(c);
		return;
	}
	watch(c, EPOLLIN);
}

static void
begin(struct conn *c)
{
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0) {
		perror("lg: socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (sources > 1) {
		struct sockaddr_in s = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(0x7f000102 + source++ % (unsigned)sources) };
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(c->fd, (struct sockaddr *)&s, sizeof(s)) != 0)
			perror("lg: bind");
	}
	c->watched = 0;
	c->t0 = now();
	alive++;
	c->state = CONNECTING;
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
		perror("lg: connect");
		exit(1);
	}
	watch(c, EPOLLOUT);
}

static void
ready(struct conn *c)
{
	if (rate > 0) {
		watch(c, EPOLLIN);
		rest(c);
		return;
	}
	if (mode != CLOSE)
		c->t0 = now();
	fire(c);
}

static void
shake(struct conn *c)
{
	int r = SSL_do_handshake(c->ssl);

	if (r == 1) {
		if (measuring)
			resumed += (unsigned long)SSL_session_reused(c->ssl);
		ready(c);
	} else if (SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ) {
		watch(c, EPOLLIN);
	} else {
		ERR_clear_error();
		fail(c);
	}
}

static void
connected(struct conn *c)
{
	int code = 0;
	socklen_t len = sizeof(code);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &len);
	if (code != 0) {
		fail(c);
		return;
	}
	if (!tls) {
		ready(c);
		return;
	}
	c->ssl = SSL_new(context);
	if (c->ssl == NULL)
		exit(1);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	SSL_set_tlsext_host_name(c->ssl, "localhost");
	if (session != NULL) {
		SSL_SESSION *copy = SSL_SESSION_dup(session);
		SSL_set_session(c->ssl, copy);
		SSL_SESSION_free(copy);
	}
	c->state = SHAKING;
	shake(c);
}

static void
done(struct conn *c, bool closing)
{
	uint64_t t = now();

	if (measuring) {
		requests++;
		hist[bucket_of((t - c->t0) / 1000)]++;
	}
	if (mode == CLOSE || closing) {
		end(c);
	} else if (mode == HOLD || rate > 0) {
		rest(c);
	} else {
		c->t0 = t;
		fire(c);
	}
}

/* The head is there up to e: how long is the body? False when it is no 200. */
static bool
take_head(struct conn *c, const char *e)
{
	size_t len = (size_t)(e + 4 - c->head);
	unsigned long got = c->have - len, body;

	if (memcmp(c->head, "HTTP/1.", 7) != 0 || memcmp(c->head + 9, "200", 3) != 0)
		return false;
	const char *field = strcasestr(c->head, "content-length:");
	c->until_close = field == NULL || field > e;
	body = c->until_close ? ~0ul : strtoul(field + 15, NULL, 10);
	if (measuring)
		bytes += got;
	c->state = BODY;
	c->left = body > got ? body - got : 0;
	return true;
}

/* False when nothing more can be read now. */
static bool
input_head(struct conn *c)
{
	size_t room = sizeof(c->head) - 1 - c->have;
	ssize_t n = take(c, c->head + c->have, room, 0);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0 || c->state == IDLE) {
		if (c->state == IDLE && n == 0)
			end(c);
		else
			fail(c);
		return false;
	}
	c->have += (unsigned)n;
	c->head[c->have] = '\0';
	const char *e = memmem(c->head, c->have, "\r\n\r\n", 4);
	if (e == NULL) {
		if ((size_t)n == room)
			fail(c);
		return false;
	}
	if (!take_head(c, e)) {
		fail(c);
		return false;
	}
	if (c->left == 0)
		done(c, false);
	return c->state == BODY && (c->ssl != NULL || (size_t)n == room);
}

static bool
input_body(struct conn *c)
{
	size_t room = c->left < sizeof(sink) ? c->left : sizeof(sink);
	ssize_t n = take(c, sink, room, MSG_TRUNC); /* plain: counted, not copied */

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		if (n == 0 && c->until_close)
			done(c, true);
		else
			fail(c);
		return false;
	}
	if (measuring)
		bytes += (unsigned long)n;
	c->left -= (unsigned long)n;
	if (c->left == 0)
		done(c, false);
	return c->state == BODY && (c->ssl != NULL || (size_t)n == room);
}

static void
event(struct conn *c)
{
	if (c->state == CONNECTING)
		connected(c);
	else if (c->state == SHAKING)
		shake(c);
	else if (c->state != DEAD)
		while (c->state == BODY ? input_body(c) : input_head(c))
			;
}

/* Start what is due at a fixed rate; how long to sleep, in nanoseconds. */
static long
pace(void)
{
	static uint64_t due;
	uint64_t t = now(), step = (uint64_t)(1e9 / rate);

	if (due == 0)
		due = t;
	for (; due <= t && idles > 0; due += step) {
		struct conn *c = idle[idles - 1];
		wake(c);
		c->t0 = due;
		fire(c);
	}
	if (due > t)
		return due - t < 50000000 ? (long)(due - t) : 50000000;
	return idles > 0 ? 0 : 1000000;
}

static void
run(uint64_t until)
{
	struct epoll_event ev[512];

	while (now() < until && (most == 0 || requests < most)) {
		struct timespec ts = { .tv_nsec = rate > 0 ? pace() : 50000000 };
		int n = epoll_pwait2(poller, ev, 512, &ts, NULL);
		for (int i = 0; i < n; i++)
			event(ev[i].data.ptr);
		if (mode == HOLD && idles >= alive && n <= 0)
			return;
	}
}

/* Open all, one GET on each, hold them, and see how much the proxy has grown. */
static void
measure_idle(void)
{
	uint64_t until = now() + 60000000000u, before = each_pid(pids, rss_of);

	for (int opened = 0; opened < conns && now() < until;) {
		for (int n = 0; n < BATCH && opened < conns; n++)
			begin(&all[opened++]);
		run(now() + 20000000000u);
	}
	usleep((unsigned)(settle * 1e6));
	uint64_t after = each_pid(pids, rss_of), cpu = each_pid(pids, cpu_of);
	usleep(1000000);
	printf(
	    "mode=idle conns=%u errors=%lu rss0=%lu rss1=%lu bytes_per_conn=%.0f idle_cpu_ms_per_s=%.2f\n",
	    alive, errors, before, after, alive > 0 ? ((double)after - (double)before) / alive : 0,
	    (double)(each_pid(pids, cpu_of) - cpu) / 1e6);
}

static void
measure_load(void)
{
	cycling = true;
	for (int i = 0; i < conns; i++)
		begin(&all[i]);
	run(now() + (uint64_t)(warm * 1e9));
	measuring = true;
	uint64_t t0 = now(), c0 = each_pid(pids, cpu_of), o0 = each_pid(other_pids, cpu_of),
		 own0 = cpu_of(getpid());
	run(t0 + (uint64_t)(seconds * 1e9));
	double s = (double)(now() - t0) / 1e9, cpu = (double)(each_pid(pids, cpu_of) - c0);
	double sum =
	    cpu + (double)(each_pid(other_pids, cpu_of) - o0) + (double)(cpu_of(getpid()) - own0);
	double per = requests > 0 ? 1.0 / (double)requests : 0;

	printf(
	    "mode=%s reqs=%lu errors=%lu rps=%.0f cpu_us=%.3f busy=%.3f GBps=%.3f cpu_s_per_GB=%.4f p50=%.0f p99=%.0f "
	    "all_us=%.2f resumed=%lu\n",
	    mode == CLOSE ? "close" : "ka", requests, errors, (double)requests / s, cpu / 1e3 * per,
	    cpu / 1e9 / s, (double)bytes / s / 1e9, bytes > 0 ? cpu / (double)bytes : 0,
	    percentile(.5), percentile(.99), sum / 1e3 * per, resumed);
}

static void
usage(void)
{
	fprintf(stderr,
	    "lg -a IP:PORT [-m ka|close|idle] [-c conns] [-d s] [-w s] [-r rate] [-u path] [-s sources] "
	    "[-S s] [-n requests] [-t] [-R] [-P pid,..] [-Q pid,..]\n");
	exit(2);
}

static void
set_address(char *text)
{
	char *colon = strchr(text, ':');

	if (colon == NULL)
		usage();
	*colon = '\0';
	to.sin_family = AF_INET;
	to.sin_addr.s_addr = inet_addr(text);
	to.sin_port = htons((uint16_t)atoi(colon + 1));
}

static void
options(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "a:m:c:d:w:r:u:P:Q:s:S:n:tR")) > 0)
		switch (o) {
		case 'a': set_address(optarg); break;
		case 'm': mode = optarg[0] == 'c' ? CLOSE : optarg[0] == 'i' ? HOLD : KA; break;
		case 'c': conns = atoi(optarg); break;
		case 'd': seconds = atof(optarg); break;
		case 'w': warm = atof(optarg); break;
		case 'r': rate = atof(optarg); break;
		case 'u': path = optarg; break;
		case 'P': pids = optarg; break;
		case 'Q': other_pids = optarg; break;
		case 's': sources = atoi(optarg); break;
		case 'S': settle = atof(optarg); break;
		case 'n': most = strtoul(optarg, NULL, 10); break;
		case 't': tls = true; break;
		case 'R': resume = true; break;
		default: usage();
		}
	if (to.sin_port == 0 || conns < 1)
		usage();
}

int
main(int argc, char **argv)
{
	struct rlimit files;

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	request_len = (size_t)snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: lg/1\r\nAccept: */*\r\n%s\r\n", path,
	    mode == CLOSE ? "Connection: close\r\n" : "");
	if (tls)
		set_tls();
	poller = epoll_create1(EPOLL_CLOEXEC);
	all = calloc((size_t)conns, sizeof(*all));
	idle = calloc((size_t)conns + 1, sizeof(*idle));
	if (all == NULL || idle == NULL)
		return 1;
	if (mode == HOLD)
		measure_idle();
	else
		measure_load();
	return errors != 0;
}
