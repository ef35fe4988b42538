/* What names stood for, in a file: who starts without DNS goes on with what was known.
 *
 * The file is text: a first line, for each name a line with when DNS said so (seconds since 1970), and one for each place; a
 * last line that says that nothing is missing. It is written beside its place and moved there. A file with any line that is
 * not of this form counts for nothing. It is not synced: after a loss of power it may be old or unreadable, and then DNS is
 * asked as if there were none. */
#include "resolve_priv.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST "lbd names 1"
#define FILE_MOST (16 * 1024 * 1024)

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool
number(const char *text, uint64_t most, uint64_t *out)
{
	size_t n = text == NULL ? 0 : strspn(text, "0123456789");

	if (n == 0 || n > 18 || text[n] != '\0')
		return false;
	*out = strtoull(text, NULL, 10);
	return *out <= most;
}

static bool
number16(const char *text, uint16_t *out)
{
	uint64_t v;

	if (!number(text, UINT16_MAX, &v))
		return false;
	*out = (uint16_t)v;
	return true;
}

static bool
word(const char *text, char out[RESOLVE_HOST])
{
	size_t n = text == NULL ? 0 : strlen(text);

	if (n == 0 || n >= RESOLVE_HOST)
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] >= 127)
			return false;
	memcpy(out, text, n + 1);
	return true;
}

/* "name NAME SRV GOOD", without its first word. */
static bool
take_name(struct dns_kept *k, char *line)
{
	struct dns_kept_name *n;
	uint64_t srv, good;
	char name[RESOLVE_HOST];

	if (!word(strsep(&line, " "), name) || !number(strsep(&line, " "), 1, &srv) ||
	    !number(strsep(&line, " "), INT64_MAX, &good) || line != NULL || good == 0 ||
	    (k->n > 0 && k->name[k->n - 1].n == 0))
		return false;
	k->name = mem_grow(k->name, (k->n + 1) * sizeof(*k->name));
	n = &k->name[k->n++];
	*n = (struct dns_kept_name){ .srv = srv == 1, .good = (int64_t)good };
	memcpy(n->name, name, sizeof(name));
	return true;
}

/* "ADDRESS PORT WEIGHT PRIORITY HOST"; the host is "-" without SRV. */
static bool
take_row(struct dns_kept *k, char *line)
{
	struct dns_kept_name *n = k->n > 0 ? &k->name[k->n - 1] : NULL;
	struct dns_row row = { .port = 0 };
	const char *addr = strsep(&line, " ");

	if (n == NULL || n->n == DNS_ROWS || addr_parse(addr, ADDR_HOST, &row.addr) != 0 ||
	    row.addr.family == 0 || !number16(strsep(&line, " "), &row.port) ||
	    !number16(strsep(&line, " "), &row.weight) ||
	    !number16(strsep(&line, " "), &row.priority) || !word(strsep(&line, " "), row.host) ||
	    line != NULL || (strcmp(row.host, "-") == 0) == n->srv)
		return false;
	if (!n->srv)
		row.host[0] = '\0';
	n->row = mem_grow(n->row, (n->n + 1) * sizeof(*n->row));
	n->row[n->n++] = row;
	return true;
}

bool
dns_kept_parse(char *text, struct dns_kept *out)
{
	char *line = strsep(&text, "\n");
	bool good = line != NULL && strcmp(line, FIRST) == 0;

	while (good && (line = strsep(&text, "\n")) != NULL) {
		if (strcmp(line, "end") == 0)
			break;
		good =
		    strncmp(line, "name ", 5) == 0 ? take_name(out, line + 5) : take_row(out, line);
	}
	good = good && line != NULL && text != NULL && *text == '\0' &&
	       (out->n == 0 || out->name[out->n - 1].n > 0);
	if (!good)
		dns_kept_free(out);
	return good;
}

void
dns_kept_free(struct dns_kept *k)
{
	for (unsigned i = 0; i < k->n; i++)
		free(k->name[i].row);
	FREE(k->name);
	k->n = 0;
}

const struct dns_kept_name *
dns_kept_find(const struct dns_kept *k, const char *name, bool srv)
{
	for (unsigned i = 0; i < k->n; i++)
		if (k->name[i].srv == srv && strcmp(k->name[i].name, name) == 0)
			return &k->name[i];
	return NULL;
}

int
dns_kept_read(const char *path, struct dns_kept *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat sb;
	char *text;
	ssize_t n;
	int code = 0;

	if (fd == -1)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode) || sb.st_size > FILE_MOST) {
		(void)close(fd);
		return -EBADMSG;
	}
	text = mem_alloc((size_t)sb.st_size + 1);
	n = read(fd, text, (size_t)sb.st_size);
	if (n == -1)
		code = -errno;
	else if (n != sb.st_size || strlen(text) != (size_t)n || !dns_kept_parse(text, out))
		code = -EBADMSG;
	free(text);
	(void)close(fd);
	return code;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

void
dns_kept_begin(struct buf *b)
{
	buf_puts(b, FIRST "\n");
}

void
dns_kept_put(
    struct buf *b, const char *name, bool srv, int64_t good, const struct dns_row *row, unsigned n)
{
	char text[ADDR_TEXT];

	if (n == 0 || good <= 0)
		return;
	buf_printf(b, "name %s %d %lld\n", name, srv, (long long)good);
	for (unsigned i = 0; i < n; i++) {
		addr_format(&row[i].addr, ADDR_HOST, text);
		buf_printf(b, "%s %u %u %u %s\n", text, row[i].port, row[i].weight, row[i].priority,
		    srv ? row[i].host : "-");
	}
}

static int
put_file(const char *path, const char *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	ssize_t put;
	int code = 0;

	if (fd == -1)
		return -errno;
	put = write(fd, p, n);
	if (put != (ssize_t)n)
		code = put == -1 ? -errno : -ENOSPC;
	if (close(fd) == -1 && code == 0)
		code = -errno;
	return code;
}

int
dns_kept_write(const char *folder, const char *path, struct buf *b)
{
	char beside[DNS_KEPT_PATH + 8];
	const char *text;
	int code;

	buf_puts(b, "end\n");
	text = buf_text(b);
	if (mkdir(folder, 0700) == -1 && errno != EEXIST)
		return -errno;
	(void)snprintf(beside, sizeof(beside), "%s.%d", path, (int)getpid() % 100000);
	code = put_file(beside, text, strlen(text));
	if (code == 0 && rename(beside, path) == -1)
		code = -errno;
	if (code != 0)
		(void)unlink(beside); /* maybe it was never there */
	return code;
}
