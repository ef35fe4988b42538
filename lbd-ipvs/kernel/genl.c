/* genl.c - the one file that knows libnl: it opens the socket and finds the family. Bytes then go in and out by the
 * system's own calls, many datagrams each, because libnl's way (one allocation, one call and one wait for each
 * message) costs more than what the kernel does with them.
 *
 * The receive buffer is made large enough that a whole batch of refusals fits; whoever sends keeps to that size. What
 * does not come from the kernel is dropped. Does not know what the bytes mean. */
#include "kernel/genl.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/time.h>

#define RECEIVE_BYTES (2 << 20)
#define SEND_BYTES (512 << 10)

struct genl {
	struct nl_sock *nl;
	int fd;
	uint8_t *room; /* GENL_AT_ONCE datagrams */
};

/* What libnl makes of the kernel's errno, undone as far as it matters here. */
static int
code_of(int nle)
{
	switch (-nle) {
	case NLE_OBJ_NOTFOUND: return -ENOENT;
	case NLE_PERM:
	case NLE_NOACCESS: return -EPERM;
	case NLE_NOMEM: return -ENOMEM;
	case NLE_AF_NOSUPPORT:
	case NLE_PROTO_MISMATCH: return -EPROTONOSUPPORT;
	default: return -EIO;
	}
}

/* Above the system's limit only with CAP_NET_ADMIN, which whoever changes IPVS has. */
static void
enlarge(int fd)
{
	static const struct timeval wait = { .tv_sec = GENL_WAIT_S };
	int bytes = RECEIVE_BYTES, one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == -1)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	bytes = SEND_BYTES;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) == -1)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	/* Refusals without a copy of the request; older kernels copy it, and it is passed over. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
}

int
genl_open(struct genl **out, const char *family, uint16_t *family_out)
{
	struct genl *g = mem_alloc(sizeof(*g));
	int rc;

	g->nl = nl_socket_alloc();
	if (g->nl == NULL) {
		free(g);
		return -ENOMEM;
	}
	rc = genl_connect(g->nl);
	if (rc == 0)
		rc = genl_ctrl_resolve(g->nl, family);
	if (rc < 0) {
		nl_socket_free(g->nl);
		free(g);
		return code_of(rc);
	}
	*family_out = (uint16_t)rc;
	g->fd = nl_socket_get_fd(g->nl);
	enlarge(g->fd);
	g->room = mem_alloc(GENL_AT_ONCE * GENL_DATAGRAM);
	*out = g;
	return 0;
}

void
genl_close(struct genl *g)
{
	if (g == NULL)
		return;
	nl_socket_free(g->nl);
	free(g->room);
	free(g);
}

int
genl_send(struct genl *g, const struct buf *requests)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov = { .iov_base = requests->p, .iov_len = requests->len };
	struct msghdr m = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	while (sendmsg(g->fd, &m, MSG_NOSIGNAL) == -1)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Number of datagrams, or -errno. */
static int
receive(struct genl *g, struct mmsghdr *m, struct iovec *iov, struct sockaddr_nl *from)
{
	int n;

	for (unsigned i = 0; i < GENL_AT_ONCE; i++) {
		iov[i] = (struct iovec){ .iov_base = g->room + i * GENL_DATAGRAM,
			.iov_len = GENL_DATAGRAM };
		m[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &from[i],
					     .msg_namelen = sizeof(from[i]),
					     .msg_iov = &iov[i],
					     .msg_iovlen = 1 } };
	}
	do
		n = recvmmsg(g->fd, m, GENL_AT_ONCE, MSG_WAITFORONE, NULL);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return n;
}

int
genl_receive(struct genl *g, int (*on_data)(void *arg, struct rd *data), void *arg)
{
	struct mmsghdr m[GENL_AT_ONCE];
	struct iovec iov[GENL_AT_ONCE];
	struct sockaddr_nl from[GENL_AT_ONCE];
	int n, code = 0;

	do {
		n = receive(g, m, iov, from);
		if (n < 0)
			return n;
		for (int i = 0; i < n && code == 0; i++) {
			struct rd data = { .p = iov[i].iov_base, .left = m[i].msg_len };

			if (from[i].nl_pid != 0)
				continue;
			code = m[i].msg_hdr.msg_flags & MSG_TRUNC ? -EMSGSIZE : on_data(arg, &data);
		}
	} while (code == 0);
	return code;
}
