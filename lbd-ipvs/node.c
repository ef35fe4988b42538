/* node.c - texts of /proc.
 *
 * Columns of /proc/net/route: interface, destination, gateway, flags, two counters, metric, mask; hexadecimal but for
 * the counters and the metric. Of /proc/net/ipv6_route: destination and its prefix length, source and its, next hop,
 * metric, two counters, flags, interface; all hexadecimal. Flags: linux/route.h. */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/route.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEMPLATES "/proc/sys/net/ipv4/vs/expire_quiescent_template"
#define ROUTES_MOST 65536 /* bytes: the default route stands at the top of long tables */

/* A line of an IPv4 default route: its interface and metric. */
static bool
default4(const char *line, char name[NODE_IFNAME], unsigned *metric)
{
	unsigned long to, gateway, mask;
	unsigned flags, refs, used;

	return sscanf(line, "%15s %lx %lx %x %u %u %u %lx", name, &to, &gateway, &flags, &refs,
		   &used, metric, &mask) == 8 &&
	       to == 0 && mask == 0 && (flags & RTF_UP) != 0 && (flags & RTF_REJECT) == 0;
}

static bool
default6(const char *line, char name[NODE_IFNAME], unsigned *metric)
{
	char to[33], from[33], hop[33];
	unsigned to_len, from_len, refs, used, flags;

	return sscanf(line, "%32s %x %32s %x %32s %x %x %x %x %15s", to, &to_len, from, &from_len,
		   hop, metric, &refs, &used, &flags, name) == 10 &&
	       to_len == 0 && strspn(to, "0") == 32 && (flags & RTF_UP) != 0 &&
	       (flags & RTF_REJECT) == 0 && strcmp(name, "lo") != 0;
}

static bool
best(const char *text, bool (*is)(const char *line, char *name, unsigned *metric),
    char out[NODE_IFNAME])
{
	char line[256], name[NODE_IFNAME];
	unsigned metric, least = 0;
	bool found = false;
	size_t n;

	for (; *text != '\0'; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		(void)snprintf(line, sizeof(line), "%.*s", (int)n, text);
		if (!is(line, name, &metric) || (found && metric >= least))
			continue;
		found = true;
		least = metric;
		(void)snprintf(out, NODE_IFNAME, "%s", name);
	}
	return found;
}

bool
node_route_default(const char *v4, const char *v6, char out[NODE_IFNAME])
{
	out[0] = '\0';
	return best(v4, default4, out) || best(v6, default6, out);
}

static void
read_text(const char *path, char *out, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	while (fd != -1 && n > 0 && len < room - 1) {
		n = read(fd, out + len, room - 1 - len);
		if (n > 0)
			len += (size_t)n;
	}
	out[len] = '\0';
	if (fd != -1)
		(void)close(fd);
}

bool
node_default_interface(char out[NODE_IFNAME])
{
	static char v4[ROUTES_MOST], v6[ROUTES_MOST];

	read_text("/proc/net/route", v4, sizeof(v4));
	read_text("/proc/net/ipv6_route", v6, sizeof(v6));
	return node_route_default(v4, v6, out);
}

int
node_templates(bool stay)
{
	int fd = open(TEMPLATES, O_WRONLY | O_CLOEXEC), code = 0;

	if (fd == -1)
		return -errno;
	if (write(fd, stay ? "0" : "1", 1) != 1)
		code = -errno;
	(void)close(fd);
	return code;
}
