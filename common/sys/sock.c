/* Sockets of the two kinds the suite uses, made the same way everywhere: TCP listeners and
 * connections of the data plane, and Unix sockets that keep message borders for the bus. Nothing
 * here reads or writes. */
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_BACKLOG 64
#define PACED_UNSENT (16 * 1024) /* so that a slow socket is heard of before timeouts are over */
#define LOCK_PATH (sizeof(((struct sockaddr_un *)NULL)->sun_path) + sizeof(".lock"))

static int
set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == -1 ? -errno : 0;
}

/* The descriptor, or the code that made it useless. */
static int
fd_or(int fd, int code)
{
	if (code == 0)
		return fd;
	(void)close(fd);
	return code;
}

/* shared: several sockets have the same port, and clients in turn. */
static int
listener_options(int fd, const struct addr *a, bool shared, int defer_s)
{
	int code = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (code == 0 && shared)
		code = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (code == 0)
		code = set(
		    fd, IPPROTO_IP, IP_FREEBIND, 1); /* for IPv6 sockets too: ip(7), same flag */
	if (code == 0 && a->family == 6)
		code = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (code == 0)
		code = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (code == 0 && defer_s > 0)
		code = set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, defer_s);
	return code;
}

static int
listen_at(const struct addr *a, uint16_t port, int backlog, bool shared, int defer_s)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(a, port, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code;

	if (fd == -1)
		return -errno;
	code = listener_options(fd, a, shared, defer_s);
	if (code == 0 && (bind(fd, (struct sockaddr *)&ss, len) == -1 || listen(fd, backlog) == -1))
		code = -errno;
	return fd_or(fd, code);
}

int
sock_listen_tcp(const struct addr *a, uint16_t port, int backlog, int defer_s, struct err *err)
{
	char text[ADDR_TEXT];
	int fd = listen_at(a, port, backlog, true, defer_s);

	addr_format(a, ADDR_HOST, text);
	if (fd < 0)
		return err_set(
		    err, fd, "cannot listen on %s port %u: %s", text, port, strerror(-fd));
	return fd;
}

int
sock_listen_free(
    const struct addr *a, uint16_t low, uint16_t high, unsigned turn, uint16_t *port_out)
{
	unsigned n = low == 0 ? 1 : high - low + 1u;
	int fd = -EADDRINUSE;
	struct addr at;

	for (unsigned i = 0; i < n && fd == -EADDRINUSE; i++)
		fd = listen_at(a, (uint16_t)(low + (turn + i) % n), 1, false, 0);
	return fd < 0 ? fd : fd_or(fd, sock_name(fd, &at, port_out));
}

int
sock_bind_udp(const struct addr *a, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(a, port, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code;

	if (fd == -1)
		return -errno;
	code = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (code == 0)
		code = set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	if (code == 0 && a->family == 6)
		code = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (code == 0)
		(void)sock_transparent(fd, a->family); /* as those of TCP */
	if (code == 0)
		code = a->family == 4
			   ? set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
			   : set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	if (code == 0 && bind(fd, (struct sockaddr *)&ss, len) == -1)
		code = -errno;
	return fd_or(fd, code);
}

int
sock_transparent(int fd, unsigned family)
{
	return family == 4 ? set(fd, IPPROTO_IP, IP_TRANSPARENT, 1)
			   : set(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
}

/* Bound to an address; foreign: it need not be here. */
static int
bind_as(int fd, const struct addr *source, bool foreign)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(source, 0, &ss);
	int code = foreign ? sock_transparent(fd, source->family) : 0;

	if (code == 0)
		code = set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (code == 0 && bind(fd, (struct sockaddr *)&ss, len) == -1)
		code = -errno;
	return code;
}

/* source NULL: the node's own. */
static int
start_connect(const struct addr *a, uint16_t port, const struct addr *source, bool foreign)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_sockaddr(a, port, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code;

	if (fd == -1)
		return -errno;
	code = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (code == 0 && source != NULL)
		code = bind_as(fd, source, foreign);
	if (code == 0 && connect(fd, (struct sockaddr *)&ss, len) == -1 && errno != EINPROGRESS)
		code = -errno;
	return fd_or(fd, code);
}

int
sock_connect_tcp(const struct addr *a, uint16_t port)
{
	return start_connect(a, port, NULL, false);
}

int
sock_connect_as(const struct addr *a, uint16_t port, const struct addr *source)
{
	return start_connect(a, port, source, true);
}

int
sock_connect_from(const struct addr *a, uint16_t port, const struct addr *source)
{
	return start_connect(a, port, source, false);
}

int
sock_name(int fd, struct addr *out, uint16_t *port_out)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		return -errno;
	return addr_from_sockaddr((struct sockaddr *)&ss, out, port_out);
}

int
sock_error(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return -errno;
	return -error;
}

int
sock_quiet_ms(int fd, uint32_t *ms_out)
{
	struct tcp_info t = { 0 };
	socklen_t len = sizeof(t);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &t, &len) == -1)
		return -errno;
	*ms_out = t.tcpi_last_data_sent < t.tcpi_last_data_recv ? t.tcpi_last_data_sent
								: t.tcpi_last_data_recv;
	return 0;
}

/* A socket of the bus and its address. */
static int
open_unix(const char *path, int flags, struct sockaddr_un *sa)
{
	int fd;

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, strlen(path)); /* shorter: it ends with NUL */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
	return fd == -1 ? -errno : fd;
}

int
sock_connect_unix(const char *path)
{
	struct sockaddr_un sa;
	int fd = open_unix(path, SOCK_NONBLOCK, &sa), code;

	if (fd < 0)
		return fd;
	code = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 ? -errno : 0;
	return fd_or(fd, code);
}

/* A socket file that nobody listens on is left over from a process that died. */
static int
remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = sock_connect_unix(path);
	if (fd >= 0)
		(void)close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return -EADDRINUSE;
	return fd == -ECONNREFUSED && unlink(path) == -1 && errno != ENOENT ? -errno : 0;
}

/* The right to take a socket's path: PATH.lock, which exists while somebody looks whether the path is
 * free and takes it, so of two that start at once only one does. Who finds it locked gives up: the
 * other is here. Without O_CREAT at first, as the kernel refuses that on a file of another user in a
 * sticky folder (fs.protected_regular). */
static int
lock_path(const char *path, char lock[LOCK_PATH])
{
	(void)snprintf(lock, LOCK_PATH, "%s.lock", path);
	for (;;) {
		struct stat st = { .st_nlink = 0 };
		int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), code = 0;

		if (fd == -1 && errno == ENOENT)
			fd = open(lock, O_RDONLY | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
		if (fd == -1 && errno == EEXIST)
			continue; /* made this moment */
		if (fd == -1)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) == -1)
			code = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
		else if (fstat(fd, &st) == -1)
			code = -errno;
		if (code == 0 && st.st_nlink > 0)
			return fd;
		(void)close(fd);
		if (code != 0)
			return code;
		/* The one who had it is done and has removed it: from the start. */
	}
}

/* Nobody can connect before listen, so the mode is right from the start. */
static int
take_path(int fd, const struct sockaddr_un *sa, unsigned mode)
{
	char lock[LOCK_PATH];
	int held = lock_path(sa->sun_path, lock), code;

	if (held < 0)
		return held;
	code = remove_stale(sa->sun_path);
	if (code == 0 && (bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) == -1 ||
			     chmod(sa->sun_path, mode) == -1 || listen(fd, UNIX_BACKLOG) == -1))
		code = -errno;
	(void)unlink(lock); /* while it is held; one that stays is taken over */
	(void)close(held);
	return code;
}

static int
listen_unix(const char *path, unsigned mode)
{
	struct sockaddr_un sa;
	int fd = open_unix(path, SOCK_NONBLOCK, &sa), code;

	if (fd < 0)
		return fd;
	code = take_path(fd, &sa, mode);
	return fd_or(fd, code);
}

int
sock_listen_unix(const char *path, unsigned mode, struct err *err)
{
	int fd = listen_unix(path, mode);

	if (fd == -ENAMETOOLONG)
		return err_set(err, fd, "socket %s: the path is longer than %zu bytes", path,
		    sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);
	if (fd == -EADDRINUSE)
		return err_set(err, fd, "socket %s: another process already serves it", path);
	if (fd == -EPERM || fd == -EACCES)
		return err_set(err, fd,
		    "socket %s: %s; if another user's process left it, remove it as root", path,
		    strerror(-fd));
	if (fd < 0)
		return err_set(err, fd, "socket %s: %s", path, strerror(-fd));
	return fd;
}

int
sock_accept_unix(int fd, struct sock_peer *out)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), code;

	if (peer == -1)
		return -errno;
	if (getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &len) == -1) {
		code = -errno;
		(void)close(peer);
		return code;
	}
	*out = (struct sock_peer){ .uid = who.uid, .gid = who.gid, .pid = who.pid };
	return peer;
}

unsigned
sock_fd_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return 1024;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl); /* what is in force is read again */
		(void)getrlimit(RLIMIT_NOFILE, &rl);
	}
	return rl.rlim_cur > 0x40000000 ? 0x40000000 : (unsigned)rl.rlim_cur;
}

int
sock_pace(int fd, uint64_t bytes_s)
{
	unsigned long rate = bytes_s == 0 ? ~0ul : (unsigned long)bytes_s;

	if (setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)) == -1)
		return -errno;
	return sock_unsent(fd, bytes_s == 0 ? 0 : PACED_UNSENT);
}

int
sock_unsent(int fd, int bytes)
{
	return set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

#ifndef SO_BUF_LOCK /* linux/asm-generic/socket.h, since 5.14 */
#define SO_BUF_LOCK 72
#endif
#define RECEIVE_LOCK 2 /* SOCK_RCVBUF_LOCK */

int
sock_freeze(int fd, bool on)
{
	return set(fd, SOL_SOCKET, SO_BUF_LOCK, on ? RECEIVE_LOCK : 0);
}

int
sock_receive(int fd, int bytes)
{
	return set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}
