/* record.c - one line a kernel service, as people see it ("TCP 10.0.0.1:80", "FWM 12 IPv4"); "-" before it takes it back;
 * "SYNC master" or "SYNC backup" stands for a daemon. Additions are appended in one write, because thousands of
 * services must not be written again for the sake of one; when the file has become twice as long as it need be it is
 * replaced at once (rename). A damaged line costs one entry that is then foreign, never one of somebody else's.
 *
 * The run-time folder is memory that ends with the machine, as the kernel's table does; so nothing is synced. */
#include "apply/record.h"

#include "plan/want.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLACK_LINES 64

static bool
parse_number(const char *text, uint32_t max, char last, const char **end_out, uint32_t *out)
{
	uint64_t v = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		v = v * 10 + (uint64_t)(*text - '0');
		if (v > max)
			return false;
	}
	if (*text != last)
		return false;
	*end_out = text;
	*out = (uint32_t)v;
	return true;
}

static bool
parse_mark(const char *text, struct ipvs_key *out)
{
	const char *rest;

	if (!parse_number(text, UINT32_MAX, ' ', &rest, &out->mark) || out->mark == 0)
		return false;
	if (strcmp(rest, " IPv4") == 0)
		out->family = 4;
	else if (strcmp(rest, " IPv6") == 0)
		out->family = 6;
	return out->family != 0;
}

static bool
parse_end(const char *text, struct ipvs_key *out)
{
	const char *colon = strrchr(text, ':'), *rest;
	char host[ADDR_TEXT];
	uint32_t port;
	size_t n;

	if (colon == NULL || !parse_number(colon + 1, UINT16_MAX, '\0', &rest, &port))
		return false;
	n = (size_t)(colon - text);
	if (text[0] == '[' && n >= 2 && colon[-1] == ']') {
		text++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (addr_parse(host, ADDR_HOST, &out->addr) != 0)
		return false;
	out->family = out->addr.family;
	out->port = (uint16_t)port;
	return out->family != 0;
}

bool
record_key_parse(const char *text, struct ipvs_key *out)
{
	static const struct {
		const char *word;
		uint8_t protocol;
	} kinds[] = { { "TCP ", IPPROTO_TCP }, { "UDP ", IPPROTO_UDP }, { "SCTP ", IPPROTO_SCTP } };

	*out = (struct ipvs_key){ 0 };
	if (strncmp(text, "FWM ", 4) == 0)
		return parse_mark(text + 4, out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].word);

		if (strncmp(text, kinds[i].word, n) != 0)
			continue;
		out->protocol = kinds[i].protocol;
		return parse_end(text + n, out);
	}
	return false;
}

static bool
by_definition(const struct ipvs_key *k)
{
	return k->mark >= MARK_BASE;
}

static void
take_line(struct record *r, const char *line)
{
	bool off = line[0] == '-';
	struct ipvs_key k;

	line += off;
	if (strcmp(line, "SYNC master") == 0)
		r->sync[0] = !off;
	else if (strcmp(line, "SYNC backup") == 0)
		r->sync[1] = !off;
	else if (record_key_parse(line, &k) && !by_definition(&k)) {
		if (off)
			(void)owned_drop(&r->keys, &k);
		else
			(void)owned_put(&r->keys, &k, 0);
	}
}

void
record_init(struct record *r, const struct paths *p)
{
	char line[KEY_TEXT + 16];
	FILE *f;

	*r = (struct record){ .whole = true };
	(void)snprintf(r->path, sizeof(r->path), "%s/lbd-ipvs.made", p->run);
	f = fopen(r->path, "re");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		r->lines++;
		/* The last line without an end: cut off in the middle. The next save writes all. */
		r->whole = strchr(line, '\n') == NULL;
		line[strcspn(line, "\n")] = '\0';
		if (!r->whole)
			take_line(r, line);
	}
	r->whole |= ferror(f) != 0 || r->lines == 0;
	(void)fclose(f);
}

void
record_fini(struct record *r)
{
	owned_fini(&r->keys);
	buf_fini(&r->more);
}

static void
add_line(struct record *r, const char *off, const struct ipvs_key *k)
{
	char text[KEY_TEXT];

	if (by_definition(k))
		return;
	key_format(k, text);
	buf_printf(&r->more, "%s%s\n", off, text);
	r->more_n++;
}

void
record_put(struct record *r, const struct ipvs_key *k, uint32_t service)
{
	if (owned_put(&r->keys, k, service))
		add_line(r, "", k);
}

void
record_drop(struct record *r, const struct ipvs_key *k)
{
	if (owned_drop(&r->keys, k))
		add_line(r, "-", k);
}

void
record_sync(struct record *r, unsigned state, bool on)
{
	bool *mine = &r->sync[state == IPVS_SYNC_MASTER ? 0 : 1];

	if (*mine == on)
		return;
	*mine = on;
	buf_printf(&r->more, "%sSYNC %s\n", on ? "" : "-",
	    state == IPVS_SYNC_MASTER ? "master" : "backup");
	r->more_n++;
}

static int
write_all(int fd, const struct buf *b)
{
	size_t at = 0;

	while (at < b->len) {
		ssize_t n = write(fd, b->p + at, b->len - at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		at += (size_t)n;
	}
	return 0;
}

static int
put_file(const char *path, int flags, const struct buf *b)
{
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0644), code;

	if (fd == -1)
		return -errno;
	code = write_all(fd, b);
	if (close(fd) == -1 && code == 0)
		code = -errno;
	return code;
}

static int
rewrite(struct record *r)
{
	const struct ipvs_key *k;
	struct buf all = { 0 };
	char part[330], text[KEY_TEXT];
	uint32_t at = 0, lines = 0;
	int code;

	while ((k = owned_next(&r->keys, &at, NULL)) != NULL) {
		if (by_definition(k))
			continue;
		key_format(k, text);
		buf_printf(&all, "%s\n", text);
		lines++;
	}
	if (r->sync[0])
		buf_puts(&all, "SYNC master\n");
	if (r->sync[1])
		buf_puts(&all, "SYNC backup\n");
	(void)snprintf(part, sizeof(part), "%s.new", r->path);
	(void)unlink(part);
	code = put_file(part, O_CREAT | O_EXCL, &all);
	if (code == 0 && rename(part, r->path) == -1)
		code = -errno;
	if (code != 0)
		(void)unlink(part);
	else
		r->lines = lines + r->sync[0] + r->sync[1];
	buf_fini(&all);
	return code;
}

int
record_save(struct record *r)
{
	int code = -EINVAL;

	if (r->more_n == 0)
		return 0;
	if (!r->whole && r->lines + r->more_n <= 2 * r->keys.n + SLACK_LINES) {
		code = put_file(r->path, O_APPEND, &r->more);
		if (code == 0)
			r->lines += r->more_n;
	}
	if (code != 0)
		code = rewrite(r);
	r->whole = code != 0;
	if (code != 0)
		return code;
	r->more.len = 0;
	r->more_n = 0;
	return 0;
}

void
record_remove(struct record *r)
{
	owned_fini(&r->keys);
	r->sync[0] = r->sync[1] = false;
	r->more.len = 0;
	r->more_n = 0;
	r->lines = 0;
	r->whole = true;
	(void)unlink(r->path);
}
