/* receiver.c - a socket to the kernel's receiver of the connection sync, and a look at its queue.
 *
 * The receiver's sockets are ordinary UDP sockets in the kernel's list (net/ipv4/udp.c: udp4_seq_show), bound to the group:
 *
 *   sl  local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref pointer drops
 *   1: 510000E0:2290 00000000:0000 07 00000000:00000900 00:00000000 00000000 0 0 1234 2 0000000000000000 0
 *
 * An address is shown as 32-bit numbers of the machine's own byte order. With sysctl sync_ports beyond 1 there is one socket
 * for each port from the set one on; what is sent from here goes to the first, the others take the same messages. */
#include "conns/receiver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define KERNEL_PORT 8848 /* IP_VS_SYNC_PORT */

static const struct addr kernel_group = { .family = 4, .len = 32, .b = { 224, 0, 0, 81 } };

static int
set_options(int fd, bool v6, int index)
{
	int zero = 0, one = 1;
	struct ip_mreqn from = { .imr_ifindex = index };

	if (v6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)) ||
		       setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &zero, sizeof(zero)) ||
		       setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &one, sizeof(one));
	return setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof(from)) ||
	       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &zero, sizeof(zero)) ||
	       setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof(one));
}

int
receiver_open(struct ipvs_sync *r, int *fd_out, struct err *err)
{
	struct sockaddr_storage to;
	socklen_t len;
	int index = (int)if_nametoindex(r->interface);
	bool v6;

	if (r->group.family == 0)
		r->group = kernel_group;
	if (r->port == 0)
		r->port = KERNEL_PORT;
	v6 = r->group.family == 6;
	len = addr_sockaddr(&r->group, r->port, &to);
	*fd_out = index == 0 ? -1
			     : socket(v6 ? AF_INET6 : AF_INET,
				   SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd_out == -1 || set_options(*fd_out, v6, index) != 0 ||
	    connect(*fd_out, (struct sockaddr *)&to, len) == -1)
		return err_set(
		    err, -errno, "connection sync on %s: %s", r->interface, strerror(errno));
	return 0;
}

/* The group as the list shows it. */
static void
group_text(const struct addr *a, char out[40])
{
	size_t bytes = a->family == 6 ? 16 : 4;

	for (size_t i = 0; i < bytes; i += 4) {
		uint32_t v;

		memcpy(&v, a->b + i, sizeof(v));
		(void)snprintf(out + 2 * i, 9, "%08" PRIX32, v);
	}
}

static void
take_line(const char *line, const char *local, struct receiver_queue *out)
{
	char at[48];
	uint64_t waits, drops;

	if (sscanf(line,
		" %*[^ ] %47s %*s %*s %*[^:]:%" SCNx64 " %*s %*s %*s %*s %*s %*s %*s %" SCNu64, at,
		&waits, &drops) != 3 ||
	    strcmp(at, local) != 0)
		return;
	out->bytes += waits;
	out->drops += drops;
	out->sockets++;
}

int
receiver_look(const char *path, const struct ipvs_sync *r, struct receiver_queue *out)
{
	FILE *f = fopen(path, "re");
	char line[400], local[48];

	*out = (struct receiver_queue){ 0 };
	if (f == NULL)
		return -errno;
	group_text(&r->group, local);
	(void)snprintf(local + strlen(local), 6, ":%04X", r->port);
	while (fgets(line, sizeof(line), f) != NULL)
		take_line(line, local, out);
	(void)fclose(f);
	return 0;
}
