/* lbd_witness.c - the witness as a program: for any third machine that both nodes of a pair reach.
 *
 * One process, one UDP socket, no files but its key, no state on disk. A datagram comes, is checked (note.c), decided
 * about (witness.c) and answered from the address it was sent to. What has no right seal is counted and gets no answer.
 *
 * It shares seal.c with lbd-ha, and nothing with the daemons' skeleton: a third machine has no store. Options are read
 * by hand in the manner of the daemons. The whole table is in this process's data, so nothing is allocated. */
#include "witness/keyfile.h"
#include "witness/witness.h"

#include "base/addr.h"
#include "base/must.h"
#include "sys/log.h"
#include "sys/notify.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY_PATH "/etc/lbd/witness.key"
#define BATCH 64 /* questions between two looks at the clock and the signals */

static struct {
	const char *key;
	struct addr listen; /* family 0: all */
	unsigned port;
	struct seal seal;
	struct witness table;
	int fd, signals;
	uint64_t foreign, unsealed;
} app = { .key = KEY_PATH, .port = NOTE_PORT };

static int
fault(int code, const char *what, struct err *err)
{
	return err_set(err, code, "port %u: %s: %s", app.port, what, strerror(-code));
}

static int
set(int level, int option, int value)
{
	return setsockopt(app.fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* Both families by one socket where there is IPv6, else IPv4 alone. */
static int
open_socket(struct err *err)
{
	struct addr any = { .family = 6, .len = 128 };
	bool all = app.listen.family == 0;
	struct sockaddr_storage ss;
	socklen_t len;

	app.fd = socket(app.listen.family == 4 ? AF_INET : AF_INET6,
	    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (app.fd == -1 && all && errno == EAFNOSUPPORT) {
		any = (struct addr){ .family = 4, .len = 32 };
		app.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	if (app.fd == -1)
		return fault(-errno, "socket", err);
	len = addr_sockaddr(all ? &any : &app.listen, (uint16_t)app.port, &ss);
	if (ss.ss_family == AF_INET6) {
		if (set(IPPROTO_IPV6, IPV6_V6ONLY, !all) != 0 ||
		    set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) != 0)
			return fault(-errno, "socket options", err);
	} else if (set(IPPROTO_IP, IP_PKTINFO, 1) != 0) {
		return fault(-errno, "socket options", err);
	}
	if (bind(app.fd, (struct sockaddr *)&ss, len) == -1)
		return fault(-errno, "cannot be listened at", err);
	return 0;
}

/* A change is worth a line: who holds what since now. */
static void
tell(const struct note *a)
{
	log_info("cluster %016llx group %u: node %u holds it with generation %llu for %u ms",
	    (unsigned long long)a->cluster, a->group, a->holder, (unsigned long long)a->generation,
	    a->lease_ms);
}

/* The answer goes out from the address that the question came to: the control message is the same both ways. By which
 * interface is left to the routes. */
static void
any_interface(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memset(CMSG_DATA(c) + offsetof(struct in6_pktinfo, ipi6_ifindex), 0,
			    sizeof(int));
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			memset(CMSG_DATA(c) + offsetof(struct in_pktinfo, ipi_ifindex), 0,
			    sizeof(int));
	}
}

static void
answer(struct msghdr *m, const struct note *ask)
{
	uint8_t bytes[NOTE_LEN];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct note a;

	if (witness_answer(&app.table, ask, mono_now(), &a))
		tell(&a);
	note_encode(&a, &app.seal, bytes);
	m->msg_iov = &iov;
	any_interface(m);
	if (sendmsg(app.fd, m, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("an answer was not sent: %m");
}

/* False: nothing is there. */
static bool
serve_one(void)
{
	uint8_t bytes[NOTE_MAX];
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	struct sockaddr_storage from;
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct note ask;
	ssize_t n = recvmsg(app.fd, &m, MSG_DONTWAIT);
	int rc;

	if (n == -1)
		return errno == EINTR;
	rc = (m.msg_flags & MSG_TRUNC) != 0
		 ? -EBADMSG
		 : note_decode(bytes, (size_t)n, NOTE_ASK, &app.seal, &ask);
	if (rc == 0)
		answer(&m, &ask);
	else if (rc == -EACCES || rc == -ENOKEY)
		app.unsealed++;
	else
		app.foreign++;
	return true;
}

static void
report(void)
{
	const uint64_t *c = app.table.counter;
	uint64_t answers = 0;

	for (unsigned i = 0; i < ARRAY_LEN(app.table.counter); i++)
		answers += c[i];
	notify_status(
	    "%u clusters; %llu answers, %llu granted, %llu held; %llu without our seal, %llu "
	    "of something else",
	    app.table.clusters, (unsigned long long)answers, (unsigned long long)c[NOTE_GRANTED],
	    (unsigned long long)c[NOTE_HELD], (unsigned long long)app.unsealed,
	    (unsigned long long)app.foreign);
	log_flush();
}

static int
load_key(struct err *err)
{
	struct keyfile k;
	int rc = keyfile_load(app.key, &k, err);

	if (rc != 0)
		return rc;
	seal_init(&app.seal, SEAL_WITNESS);
	for (unsigned i = 0; i < k.n; i++)
		seal_set(&app.seal, i, k.secret[i]);
	explicit_bzero(&k, sizeof(k));
	return 0;
}

/* SIGHUP: the key file was changed. One that cannot be used leaves the keys as they are. */
static void
reload(void)
{
	struct err err = { 0 };

	if (load_key(&err) != 0)
		log_err("%s; the secrets stay as they were", err.text);
	else
		log_info("has read %s again", app.key);
}

/* False: it was asked to end. */
static bool
take_signal(void)
{
	struct signalfd_siginfo info;

	if (read(app.signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return true;
	if (info.ssi_signo != SIGHUP)
		return false;
	reload();
	return true;
}

static void
serve(void)
{
	struct pollfd p[] = { { .fd = app.fd, .events = POLLIN },
		{ .fd = app.signals, .events = POLLIN } };
	mono_t next = mono_now();

	for (;;) {
		mono_t now = mono_now();

		if (now >= next) {
			notify_watchdog();
			report();
			next = now + DUR_S(1);
		}
		(void)poll(p, ARRAY_LEN(p), (int)((next - now) / 1000) + 1);
		if (p[1].revents != 0 && !take_signal())
			return;
		for (unsigned i = 0; i < BATCH && serve_one(); i++)
			;
	}
}

static void
block_signals(void)
{
	sigset_t set_of;

	(void)sigemptyset(&set_of);
	(void)sigaddset(&set_of, SIGTERM);
	(void)sigaddset(&set_of, SIGINT);
	(void)sigaddset(&set_of, SIGHUP);
	must(sigprocmask(SIG_BLOCK, &set_of, NULL) == 0);
	app.signals = signalfd(-1, &set_of, SFD_CLOEXEC | SFD_NONBLOCK);
	must(app.signals != -1);
}

static int
run(void)
{
	uint64_t boot = 0;
	struct err err = { 0 };

	log_init("lbd-witness");
	if (load_key(&err) != 0) {
		log_err("%s", err.text);
		return 78;
	}
	if (open_socket(&err) != 0) {
		log_err("%s", err.text);
		return 75;
	}
	while (boot == 0)
		if (getrandom(&boot, sizeof(boot), 0) != (ssize_t)sizeof(boot))
			boot = 0;
	block_signals();
	witness_init(&app.table, boot, mono_now());
	log_info("listens at port %u; grants nothing for the first %d s", app.port,
	    (int)(WITNESS_LEASE / DUR_S(1)));
	notify_ready();
	serve();
	notify_stopping();
	log_info("ends");
	log_flush();
	seal_fini(&app.seal);
	return 0;
}

static int
make_key(void)
{
	struct err err = { 0 };

	if (keyfile_make(app.key, &err) != 0) {
		(void)fprintf(stderr, "lbd-witness: %s\n", err.text);
		return 70;
	}
	(void)printf("%s: made; both nodes need the same\n", app.key);
	return 0;
}

static void
help(FILE *to)
{
	(void)fprintf(to,
	    "usage: lbd-witness [-fvVh] [--key FILE] [--listen ADDRESS] [--port N] [--make-key]\n"
	    "tells two nodes which of them may be active\n"
	    "  -f                stay in the foreground (always so)\n"
	    "  -v                log every message\n"
	    "  -V                print the version and leave\n"
	    "  -h                print this and leave\n"
	    "  --key FILE        the secret shared with the nodes; " KEY_PATH "\n"
	    "  --listen ADDRESS  one address of this machine; all\n"
	    "  --port N          UDP port; %d\n"
	    "  --make-key        write a new secret into a new key file and leave\n",
	    NOTE_PORT);
}

static bool
parse_port(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	app.port = (unsigned)n;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= 1 && n <= 65535;
}

static int
wrong(const char *what, const char *value, const char *allowed)
{
	(void)fprintf(stderr, "lbd-witness: %s %s: %s\n", what, value, allowed);
	return 64;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "key", required_argument, NULL, 'k' },
		{ "listen", required_argument, NULL, 'l' },
		{ "port", required_argument, NULL, 'p' }, { "make-key", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	bool make = false;
	int c;

	while ((c = getopt_long(argc, argv, "fvVh", options, NULL)) != -1) {
		if (c == 'V')
			return printf("lbd-witness %s\n", LBD_VERSION) > 0 ? 0 : 70;
		if (c == 'h' || c == '?') {
			help(c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 64;
		}
		if (c == 'v')
			log_set_level(LOG_P_DEBUG);
		if (c == 'k')
			app.key = optarg;
		if (c == 'm')
			make = true;
		if (c == 'p' && !parse_port(optarg))
			return wrong("--port", optarg, "a number from 1 to 65535");
		if (c == 'l' &&
		    (addr_parse(optarg, ADDR_HOST, &app.listen) != 0 || app.listen.family == 0))
			return wrong("--listen", optarg, "an address of IPv4 or IPv6");
	}
	if (optind < argc)
		return wrong("argument", argv[optind], "there are none");
	return make ? make_key() : run();
}
