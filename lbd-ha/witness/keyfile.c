/* keyfile.c - reading and making a file of secrets.
 *
 * A file that others may read, or that the group may write, is refused rather than warned about: its secret is none. The
 * group may read it, since a supervisor that hands a credential to an unprivileged process does so by the group's bits.
 * What was read is overwritten in memory here; the caller does so with the secrets.
 *
 * A file is made with all its bytes before it has its name, and never replaces one. */
#include "witness/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 4096

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static bool
parse_hex(const char *s, uint8_t out[SEAL_SECRET])
{
	for (unsigned i = 0; i < SEAL_SECRET; i++) {
		int high = hex_digit(s[2 * i]), low = hex_digit(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* RFC 4648 section 4; also the letters of section 5. */
static int
base64_digit(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+' || c == '-' ? 62
	       : c == '/' || c == '_' ? 63
				      : -1;
}

/* 32 bytes are 43 digits; the last holds four bits of them and two zeros, and one = may follow. */
static bool
parse_base64(const char *s, uint8_t out[SEAL_SECRET])
{
	uint32_t bits = 0;
	unsigned have = 0, n = 0;

	for (unsigned i = 0; i < 43; i++) {
		int digit = base64_digit(s[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		out[n++] = (uint8_t)(bits >> have);
	}
	return (bits & 3) == 0;
}

static bool
parse_secret(const char *s, size_t len, uint8_t out[SEAL_SECRET])
{
	if (len == 2 * SEAL_SECRET)
		return parse_hex(s, out);
	return (len == 43 || (len == 44 && s[43] == '=')) && parse_base64(s, out);
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

int
keyfile_parse(const char *text, size_t len, struct keyfile *out, struct err *err)
{
	unsigned line = 0;

	memset(out, 0, sizeof(*out));
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end != NULL ? (size_t)(end - text) : len, whole = n + (end != NULL);
		const char *s = text;

		text += whole;
		len -= whole;
		line++;
		while (n > 0 && blank(*s))
			s++, n--;
		while (n > 0 && blank(s[n - 1]))
			n--;
		if (n == 0 || *s == '#')
			continue;
		if (out->n == SEAL_SLOTS)
			return err_set(
			    err, ERR_INVALID, "line %u: more than %u secrets", line, SEAL_SLOTS);
		if (!parse_secret(s, n, out->secret[out->n]))
			return err_set(err, ERR_INVALID,
			    "line %u: not 32 bytes as 64 hexadecimal digits or in base64", line);
		out->n++;
	}
	return out->n > 0 ? 0 : err_set(err, ERR_INVALID, "there is no secret in it");
}

static int
load_open(int fd, const char *path, struct keyfile *out, struct err *err)
{
	char text[FILE_MAX + 1];
	struct stat sb;
	ssize_t n;
	int rc;

	if (fstat(fd, &sb) == -1)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if ((sb.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return err_set(err, -EPERM,
		    "%s: its mode is %04o; others may have read it, 0600 is right", path,
		    sb.st_mode & 07777U);
	n = read(fd, text, sizeof(text));
	if (n == -1)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (n > FILE_MAX)
		rc = err_set(err, ERR_INVALID, "%s: longer than %d bytes", path, FILE_MAX);
	else if ((rc = keyfile_parse(text, (size_t)n, out, err)) != 0)
		(void)err_prefix(err, "%s: ", path);
	explicit_bzero(text, sizeof(text));
	return rc;
}

int
keyfile_load(const char *path, struct keyfile *out, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd == -1)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	rc = load_open(fd, path, out, err);
	(void)close(fd);
	if (rc != 0)
		explicit_bzero(out, sizeof(*out));
	return rc;
}

/* The secret as one line of hexadecimal digits. */
static void
make_line(char line[2 * SEAL_SECRET + 2])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t secret[SEAL_SECRET];

	while (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		; /* a signal */
	for (unsigned i = 0; i < SEAL_SECRET; i++) {
		line[2 * i] = digits[secret[i] >> 4];
		line[2 * i + 1] = digits[secret[i] & 15];
	}
	line[2 * SEAL_SECRET] = '\n';
	line[2 * SEAL_SECRET + 1] = '\0';
	explicit_bzero(secret, sizeof(secret));
}

static int
make_at(const char *fresh, const char *path)
{
	char line[2 * SEAL_SECRET + 2];
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;

	if (fd == -1)
		return -errno;
	make_line(line);
	if (write(fd, line, strlen(line)) != (ssize_t)strlen(line) || fsync(fd) == -1)
		rc = errno != 0 ? -errno : -EIO;
	explicit_bzero(line, sizeof(line));
	(void)close(fd);
	if (rc == 0 && link(fresh, path) == -1)
		rc = -errno;
	(void)unlink(fresh);
	return rc;
}

int
keyfile_make(const char *path, struct err *err)
{
	char fresh[512];
	int rc;

	if (snprintf(fresh, sizeof(fresh), "%s.%d", path, (int)getpid()) >= (int)sizeof(fresh))
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", path);
	rc = make_at(fresh, path);
	if (rc == -EEXIST)
		return err_set(err, rc, "%s: is there already; it was not changed", path);
	return rc == 0 ? 0 : err_set(err, rc, "%s: %s", path, strerror(-rc));
}
