/* record.c - the list of addresses held, one "INTERFACE ADDRESS/LENGTH" a line. Parsing is bounded and forgiving:
 * a line that is damaged means one address that is not cleaned up, never one of somebody else's that is. */
#include "record.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
path_of(const struct paths *p, const char *end, char out[320])
{
	(void)snprintf(out, 320, "%s/lbd-ha.held%s", p->run, end);
}

static bool
parse_line(char *line, struct place *out)
{
	char *space = strchr(line, ' ');

	*out = (struct place){ 0 };
	if (!space || space == line || space - line >= IFNAME_MAX)
		return false;
	memcpy(out->ifname, line, (size_t)(space - line));
	space[1 + strcspn(space + 1, "\n")] = '\0';
	return addr_parse(space + 1, ADDR_CIDR, &out->addr) == 0 && out->addr.family != 0;
}

void
record_read(const struct paths *p, struct places *out)
{
	char path[320], line[128];
	struct place one;
	FILE *f;

	*out = (struct places){ 0 };
	path_of(p, "", path);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (!parse_line(line, &one))
			continue;
		out->a = mem_grow(out->a, (out->n + 1) * sizeof(*out->a));
		out->a[out->n++] = one;
	}
	(void)fclose(f);
	if (out->n)
		qsort(out->a, out->n, sizeof(*out->a), place_compare);
}

int
record_write(const struct paths *p, const struct places *held)
{
	char path[320], part[320], text[ADDR_TEXT];
	int fd, code = 0;
	FILE *f;

	path_of(p, "", path);
	path_of(p, ".new", part);
	(void)unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return -errno;
	f = fdopen(fd, "w");
	for (uint32_t i = 0; i < held->n; i++) {
		addr_format(&held->a[i].addr, ADDR_CIDR, text);
		(void)fprintf(f, "%s %s\n", held->a[i].ifname, text);
	}
	if (ferror(f))
		code = -EIO;
	if (fclose(f) == EOF && code == 0)
		code = -errno;
	if (code == 0 && rename(part, path) == -1)
		code = -errno;
	if (code != 0)
		(void)unlink(part);
	return code;
}

void
record_remove(const struct paths *p)
{
	char path[320];

	path_of(p, "", path);
	(void)unlink(path);
}
