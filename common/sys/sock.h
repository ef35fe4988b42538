/* sock.h - sockets, wrapped once. All descriptors are close-on-exec and non-blocking. */
#ifndef SYS_SOCK_H
#define SYS_SOCK_H

#include "base/addr.h"
#include "base/err.h"

/* sock_listen_tcp - SO_REUSEADDR, SO_REUSEPORT, IP_FREEBIND (S139: the address may not be here
 * yet), IPV6_V6ONLY, TCP_NODELAY inherited; defer_s > 0 sets TCP_DEFER_ACCEPT. Returns fd, or
 * code with err filled. */
int sock_listen_tcp(const struct addr *a, uint16_t port, int backlog, int defer_s, struct err *err);
/* sock_listen_free - one that nobody shares, for a single client: on the first free port from low to high, tried from turn on; low
 * 0: on any. IP_FREEBIND, IPV6_V6ONLY, TCP_NODELAY inherited. fd, or -errno; -EADDRINUSE: none is free. */
int sock_listen_free(
    const struct addr *a, uint16_t low, uint16_t high, unsigned turn, uint16_t *port_out);
/* sock_bind_udp - one of several on the same port (SO_REUSEPORT), IP_FREEBIND, IPV6_V6ONLY; datagrams are not fragmented. fd or -errno. */
int sock_bind_udp(const struct addr *a, uint16_t port);
/* sock_transparent - a socket, and those that it accepts, may send with an address that is not here: IP_TRANSPARENT, ip(7).
 * family 4 or 6. 0, or -EPERM without CAP_NET_ADMIN or CAP_NET_RAW. */
int sock_transparent(int fd, unsigned family);
/* sock_connect_tcp - starts; -EINPROGRESS is not an error here: returns fd, or -errno. */
int sock_connect_tcp(const struct addr *a, uint16_t port);
/* sock_connect_as - the same with another's address as source (IP_TRANSPARENT; the answers must be routed to this node
 * and diverted to local sockets). Any port. -EPERM without CAP_NET_ADMIN or CAP_NET_RAW. */
int sock_connect_as(const struct addr *a, uint16_t port, const struct addr *source);
/* sock_connect_from - the same with an address of this node as source; the port is chosen with the connection, so each server
 * has all of them (IP_BIND_ADDRESS_NO_PORT). -EADDRNOTAVAIL: it is not here, or has no port left towards that server. */
int sock_connect_from(const struct addr *a, uint16_t port, const struct addr *source);
/* sock_name - the address and port that a socket has here. 0 or -errno. */
int sock_name(int fd, struct addr *out, uint16_t *port_out);
int sock_error(int fd); /* SO_ERROR as 0 or -errno */
/* sock_quiet_ms - milliseconds since a TCP socket sent or received data, by the kernel; of one that never did any number. 0 or -errno. */
int sock_quiet_ms(int fd, uint32_t *ms_out);

/* Unix seqpacket sockets; path must fit sun_path (err says so).
 * A socket that a dead process left is taken over; of two processes that start at once one gets the
 * path and the other -EADDRINUSE. Who stops unlinks his path while he still listens. In a sticky
 * folder only its owner and root can remove a socket of another user: -EPERM, and err says so. */
int sock_listen_unix(const char *path, unsigned mode, struct err *err);
/* sock_connect_unix - fd or -errno; -EAGAIN: nobody accepts there at the moment */
int sock_connect_unix(const char *path);
struct sock_peer {
	unsigned uid, gid;
	int pid;
};
int sock_accept_unix(int fd, struct sock_peer *out); /* fd or -errno; identity by SO_PEERCRED */

unsigned sock_fd_limit(void); /* RLIMIT_NOFILE, raised to the hard limit */

/* sock_pace - TCP: the kernel sends no more than so many bytes a second, and takes not much more than it sends; 0: as fast as it can. 0 or -errno. */
int sock_pace(int fd, uint64_t bytes_s);
/* sock_unsent - TCP: the kernel takes about so many bytes more than it could send; 0: the system's own limits alone. A listener's
 * is that of what it accepts. 0 or -errno. */
int sock_unsent(int fd, int bytes);
/* sock_freeze - TCP: the buffer for what comes stays as large as it is now, or grows again with what is read. 0 or -errno (before Linux 5.14). */
int sock_freeze(int fd, bool on);
/* sock_receive - TCP: the buffer for what comes, twice as many bytes as the kernel counts itself; it does not grow until sock_freeze. 0 or -errno. */
int sock_receive(int fd, int bytes);

#endif
