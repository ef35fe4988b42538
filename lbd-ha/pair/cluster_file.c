/* cluster_file.c - the files of a pair, so that a loss of power at any moment leaves a node that is single, prepared or
 * paired, and never half of it.
 *
 * Each file is written beside its place, brought to disk and renamed. A pairing is prepared under another name, and
 * counts by one rename: that is the moment of decision. Unpairing removes the file that counts first, so what may
 * stay behind (certificate, prepared file) means nothing. The file ends with the word "end": a shorter one, on a disk
 * that lied, is damaged and said to be so rather than taken.
 *
 * The text is strict: each line once, in order, nothing else. Nobody edits it by hand, and a newer build that needs
 * more writes another version in the first line. Does not know certificates: whether peer.crt has the key that the
 * file names is looked at by who loads it (pairing.c). */
#include "cluster_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST 4096
#define PATH_ROOM 320

static const char *const names[] = { "cluster", "cluster.prepared" };

/* ---- the text -------------------------------------------------------------------------------------------------- */

/* The rest of the next line when it begins with word and a space (or is word); copied. */
static bool
take_line(struct rd *r, const char *word, char *out, size_t room)
{
	size_t n = strlen(word), len;
	const uint8_t *end = r->left > 0 ? memchr(r->p, '\n', r->left) : NULL;
	const char *p;

	if (end == NULL || (size_t)(end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	len = (size_t)(end - r->p);
	p = rd_bytes(r, len + 1);
	if (p == NULL || (len > n && p[n] != ' '))
		return false;
	len -= n + (len > n);
	if (len >= room)
		return false;
	memcpy(out, p + n + 1, len);
	out[len] = '\0';
	return strlen(out) == len;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
take_hex(struct rd *r, const char *word, uint8_t *out, size_t n)
{
	char text[2 * CLUSTER_SECRET + 2];

	if (!take_line(r, word, text, sizeof(text)) || strlen(text) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = digit(text[2 * i]), lo = digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	explicit_bzero(text, sizeof(text));
	return true;
}

static bool
take_number(struct rd *r, const char *word, unsigned most, unsigned *out)
{
	char text[8];
	unsigned v = 0;

	if (!take_line(r, word, text, sizeof(text)) || text[0] == '\0' || text[0] == '0')
		return false;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (unsigned)(*p - '0');
	}
	*out = v;
	return v <= most;
}

static bool
is_name(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < '!' || *s > '~')
			return false;
	return true;
}

static bool
take_addrs(struct rd *r, struct cluster *c)
{
	char text[ADDR_TEXT];

	while (c->addrs_n < CLUSTER_ADDRS && take_line(r, "peer-address", text, sizeof(text))) {
		struct addr *a = &c->addrs[c->addrs_n++];

		if (addr_parse(text, ADDR_HOST, a) != 0 || a->family == 0)
			return false;
	}
	return c->addrs_n > 0;
}

bool
cluster_parse(const void *text, size_t len, struct cluster *out)
{
	struct rd r = { .p = text, .left = len };
	unsigned node = 0, port = 0;
	uint8_t id[8];
	char none[2];

	*out = (struct cluster){ 0 };
	if (!take_line(&r, "lbd-cluster 1", none, sizeof(none)) || none[0] != '\0' ||
	    !take_hex(&r, "id", id, sizeof(id)) ||
	    !take_hex(&r, "secret", out->secret, sizeof(out->secret)) ||
	    !take_number(&r, "node", 2, &node) ||
	    !take_line(&r, "peer-name", out->peer_name, sizeof(out->peer_name)) ||
	    !is_name(out->peer_name) ||
	    !take_hex(&r, "peer-key", out->peer_key, sizeof(out->peer_key)) ||
	    !take_number(&r, "peer-port", UINT16_MAX, &port) || !take_addrs(&r, out) ||
	    !take_line(&r, "end", none, sizeof(none)) || none[0] != '\0' || r.left > 0)
		return false;
	for (unsigned i = 0; i < sizeof(id); i++)
		out->id = out->id << 8 | id[i];
	out->node = (uint8_t)node;
	out->peer_port = (uint16_t)port;
	return true;
}

static void
put_hex(struct buf *out, const char *word, const uint8_t *p, size_t n)
{
	buf_printf(out, "%s ", word);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%02x", p[i]);
	buf_puts(out, "\n");
}

void
cluster_format(const struct cluster *c, struct buf *out)
{
	char text[ADDR_TEXT];

	buf_printf(out, "lbd-cluster 1\nid %016llx\n", (unsigned long long)c->id);
	put_hex(out, "secret", c->secret, sizeof(c->secret));
	buf_printf(out, "node %u\npeer-name %s\n", c->node, c->peer_name);
	put_hex(out, "peer-key", c->peer_key, sizeof(c->peer_key));
	buf_printf(out, "peer-port %u\n", c->peer_port);
	for (unsigned i = 0; i < c->addrs_n; i++) {
		addr_format(&c->addrs[i], ADDR_HOST, text);
		buf_printf(out, "peer-address %s\n", text);
	}
	buf_puts(out, "end\n");
}

void
cluster_name(const char *text, char out[CLUSTER_NAME])
{
	(void)snprintf(out, CLUSTER_NAME, "%s", text[0] != '\0' ? text : "peer");
	for (char *p = out; *p != '\0'; p++)
		if (*p < '!' || *p > '~')
			*p = '?';
}

/* In front of the list, once; the oldest one goes when there is no room. */
static bool
put_first(struct cluster *c, const struct addr *a)
{
	unsigned i = 0;

	if (c->addrs_n > 0 && addr_same_host(&c->addrs[0], a))
		return false;
	while (i < c->addrs_n && !addr_same_host(&c->addrs[i], a))
		i++;
	if (i == c->addrs_n && c->addrs_n < CLUSTER_ADDRS)
		c->addrs_n++;
	if (i == CLUSTER_ADDRS)
		i--;
	memmove(&c->addrs[1], &c->addrs[0], i * sizeof(c->addrs[0]));
	c->addrs[0] = *a;
	return true;
}

bool
cluster_learn(struct cluster *c, const struct addr *a, uint16_t port, const char *name)
{
	char clean[CLUSTER_NAME];
	bool news = false;

	cluster_name(name, clean);
	if (name[0] != '\0' && strcmp(c->peer_name, clean) != 0) {
		memcpy(c->peer_name, clean, sizeof(clean));
		news = true;
	}
	/* Where it was reached is right as it is: the port may lead to it by way of another. */
	if (a->family == 0)
		return news;
	news |= put_first(c, a);
	if (port != 0 && port != c->peer_port) {
		c->peer_port = port;
		news = true;
	}
	return news;
}

/* ---- the files ------------------------------------------------------------------------------------------------- */

static int
store_fault(struct err *err, const char *path)
{
	return err_set(err, ERR_STORE, "%s: %s", path, strerror(errno));
}

static int
sync_folder(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), code = 0;

	if (fd == -1 || fsync(fd) == -1)
		code = store_fault(err, dir);
	if (fd != -1)
		(void)close(fd);
	return code;
}

static bool
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

int
file_put(const char *dir, const char *name, const void *p, size_t len, struct err *err)
{
	char path[PATH_ROOM], part[PATH_ROOM];
	int fd, code = 0;

	if (mkdir(dir, 0700) == -1 && errno != EEXIST)
		return store_fault(err, dir);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(part, sizeof(part), "%s/%s.new", dir, name);
	(void)unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return store_fault(err, part);
	if (!write_all(fd, p, len) || fsync(fd) == -1)
		code = store_fault(err, part);
	(void)close(fd);
	if (code == 0 && rename(part, path) == -1)
		code = store_fault(err, path);
	if (code == 0)
		code = sync_folder(dir, err);
	else
		(void)unlink(part);
	return code;
}

int
file_get(const char *dir, const char *name, size_t most, struct buf *out, struct err *err)
{
	char path[PATH_ROOM];
	uint8_t piece[1024];
	ssize_t n = 0;
	int fd, code = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? -ENOENT : store_fault(err, path);
	while (out->len <= most && (n = read(fd, piece, sizeof(piece))) > 0)
		buf_put(out, piece, (size_t)n);
	if (n == -1)
		code = store_fault(err, path);
	else if (out->len > most)
		code = err_set(err, ERR_STORE, "%s: longer than %zu bytes", path, most);
	explicit_bzero(piece, sizeof(piece));
	(void)close(fd);
	return code;
}

static void
wipe(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->len);
	buf_fini(b);
}

int
cluster_read(
    const char *dir, enum cluster_form form, struct cluster *out, struct buf *cert, struct err *err)
{
	struct buf text = { 0 };
	int code = file_get(dir, names[form], FILE_MOST, &text, err);

	if (code == 0 && !cluster_parse(text.p, text.len, out))
		code = err_set(err, ERR_STORE,
		    "%s/%s: damaged; \"lbctl ha unpair --local\" removes it, then pair again", dir,
		    names[form]);
	if (code == 0)
		code = file_get(dir, "peer.crt", CLUSTER_CERT, cert, err);
	if (code == -ENOENT && text.len > 0)
		code = err_set(err, ERR_STORE,
		    "%s/peer.crt: is missing; \"lbctl ha unpair --local\" ends the pair, then pair again",
		    dir);
	wipe(&text);
	return code;
}

static int
put_cluster(const char *dir, enum cluster_form form, const struct cluster *c, struct err *err)
{
	struct buf text = { 0 };
	int code;

	cluster_format(c, &text);
	code = file_put(dir, names[form], text.p, text.len, err);
	wipe(&text);
	return code;
}

int
cluster_prepare(
    const char *dir, const struct cluster *c, const void *cert, size_t len, struct err *err)
{
	int code = file_put(dir, "peer.crt", cert, len, err);

	return code == 0 ? put_cluster(dir, CLUSTER_PREPARED, c, err) : code;
}

int
cluster_update(const char *dir, const struct cluster *c, struct err *err)
{
	return put_cluster(dir, CLUSTER_COUNTS, c, err);
}

int
cluster_commit(const char *dir, struct err *err)
{
	char path[PATH_ROOM], prepared[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, names[CLUSTER_COUNTS]);
	(void)snprintf(prepared, sizeof(prepared), "%s/%s", dir, names[CLUSTER_PREPARED]);
	if (rename(prepared, path) == -1)
		return store_fault(err, prepared);
	return sync_folder(dir, err);
}

static int
remove_one(const char *dir, const char *name, struct err *err)
{
	char path[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (unlink(path) == -1 && errno != ENOENT)
		return store_fault(err, path);
	return 0;
}

int
cluster_forget(const char *dir, struct err *err)
{
	int code = remove_one(dir, names[CLUSTER_COUNTS], err);

	if (code == 0)
		code = remove_one(dir, names[CLUSTER_PREPARED], err);
	if (code == 0)
		code = remove_one(dir, "peer.crt", err);
	if (code == 0 && access(dir, F_OK) == 0)
		code = sync_folder(dir, err);
	return code;
}

void
cluster_drop_prepared(const char *dir)
{
	(void)remove_one(dir, names[CLUSTER_PREPARED], NULL);
}
