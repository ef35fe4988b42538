/* The bytes of a hand-over, and the two system calls that carry them. What comes in is from a process of our own user, and
 * yet read as if it were anybody's: it may be of another version. */
#include "parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
parcel_hello(struct buf *out)
{
	buf_put_be(out, PARCEL_HELLO, 1);
	buf_put_be(out, PARCEL_VERSION, 2);
	buf_puts(out, LBD_VERSION);
}

int
parcel_hello_take(struct rd *r, struct parcel_hello *out)
{
	const char *text;
	size_t n;

	if (rd_be(r, 1) != PARCEL_HELLO)
		return -EBADMSG;
	out->version = (unsigned)rd_be(r, 2);
	n = r->left < sizeof(out->release) ? r->left : sizeof(out->release) - 1;
	text = rd_bytes(r, n);
	if (r->bad || text == NULL)
		return -EBADMSG;
	memcpy(out->release, text, n);
	out->release[n] = '\0';
	return 0;
}

void
parcel_socket(struct buf *out, const struct addr *a, uint16_t port)
{
	if (out->len == 0)
		buf_put_be(out, PARCEL_SOCKETS, 1);
	buf_put_be(out, a->family, 1);
	buf_put(out, a->b, sizeof(a->b));
	buf_put_be(out, port, 2);
}

bool
parcel_socket_take(struct rd *r, struct addr *a, uint16_t *port)
{
	const void *bytes;

	*a = (struct addr){ .family = (uint8_t)rd_be(r, 1) };
	bytes = rd_bytes(r, sizeof(a->b));
	*port = (uint16_t)rd_be(r, 2);
	if (r->bad || bytes == NULL || (a->family != 4 && a->family != 6))
		return false;
	memcpy(a->b, bytes, sizeof(a->b));
	a->len = a->family == 4 ? 32 : 128;
	return true;
}

void
parcel_count(struct buf *out, const struct parcel_count *c)
{
	struct buf blob = { 0 };

	buf_put_be(out, PARCEL_COUNT, 1);
	buf_put_be(out, c->server, 1);
	buf_put_be(out, c->id, 4);
	buf_put_be(out, (uint64_t)c->since, 8);
	if (c->server)
		counters_put(server_counters, server_counters_n, &c->n.of_server, &blob);
	else
		counters_put(service_counters, service_counters_n, &c->n.of_service, &blob);
	buf_put_be(out, blob.len, 2);
	buf_put(out, blob.p, blob.len);
	blob.len = 0;
	if (!c->server)
		phases_put(&c->times, &blob);
	buf_put(out, blob.p, blob.len);
	buf_fini(&blob);
}

int
parcel_count_take(struct rd *r, struct parcel_count *out)
{
	const void *blob;
	size_t n;

	*out = (struct parcel_count){ 0 };
	if (rd_be(r, 1) != PARCEL_COUNT)
		return -EBADMSG;
	out->server = rd_be(r, 1) != 0;
	out->id = (uint32_t)rd_be(r, 4);
	out->since = (int64_t)rd_be(r, 8);
	n = (size_t)rd_be(r, 2);
	blob = rd_bytes(r, n);
	if (r->bad || out->id == 0)
		return -EBADMSG;
	if (out->server && counters_take(server_counters, server_counters_n, blob, n, &out->n) != 0)
		return -EBADMSG;
	if (!out->server &&
	    counters_take(service_counters, service_counters_n, blob, n, &out->n) != 0)
		return -EBADMSG;
	n = r->left;
	blob = rd_bytes(r, n);
	return phases_take(blob, n, &out->times) == 0 ? 0 : -EBADMSG;
}

int
parcel_send(int fd, const void *p, size_t n, const int *fds, unsigned n_fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * PARCEL_FDS)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * n_fds);
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) == -1 ? -errno : 0;
}

/* Descriptors beyond the room that the caller has cannot come: PARCEL_FDS is all that the control buffer holds. */
ssize_t
parcel_recv(int fd, void *p, size_t room, int *fds, unsigned *n_fds_out, int *pid_out)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * PARCEL_FDS) + CMSG_SPACE(sizeof(struct ucred))];
	} control = { 0 };
	struct iovec iov = { .iov_base = p, .iov_len = room };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred who;
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

	*n_fds_out = 0;
	if (pid_out != NULL)
		*pid_out = 0;
	if (n == -1)
		return -errno;
	for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS && bytes <= sizeof(int) * PARCEL_FDS) {
			memcpy(fds, CMSG_DATA(c), bytes);
			*n_fds_out = (unsigned)(bytes / sizeof(int));
		} else if (c->cmsg_type == SCM_CREDENTIALS && bytes >= sizeof(who)) {
			memcpy(&who, CMSG_DATA(c), sizeof(who));
			if (pid_out != NULL)
				*pid_out = who.pid;
		}
	}
	return n;
}
