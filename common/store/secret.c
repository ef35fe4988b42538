/* The secrets file: numbered rows that are written once, never changed, and forgotten when nobody names them.
 * Passwords are kept as yescrypt hashes, keys of full entropy as SHA-256, the rest as it is. The file is made
 * under a lock and put in place whole; its journal is a rollback journal, since nobody but its few writers reads
 * it. What is compared is compared in constant time, and an unknown user costs as much as a wrong password. */
#include "store/secret.h"
#include "base/mem.h"
#include "base/must.h"
#include "store/store_priv.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIGEST_HEX 65 /* SHA-256 as text, and a NUL */
#define VALUE_MAX 512 /* of a value, with its NUL: longest is a hash (CRYPT_OUTPUT_SIZE) */

struct secrets {
	sqlite3 *db;
	unsigned node; /* of the pair; 0: numbers are not shared with anybody */
	char path[STORE_PATH_MAX];
};

static int
fault(struct secrets *s, struct err *err)
{
	return err_set(err, ERR_STORE, "%s: %s; nothing was changed", s->path,
	    s->db != NULL ? sqlite3_errmsg(s->db) : "cannot be opened");
}

static int
make_file(const char *path, struct err *err)
{
	static const char sql[] =
	    "CREATE TABLE secret(n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
	    " form TEXT NOT NULL, value TEXT NOT NULL) STRICT;"
	    "CREATE INDEX secret_value ON secret(form, value); PRAGMA user_version=1";
	char fresh[STORE_PATH_MAX + 8];
	sqlite3 *db = NULL;
	int rc = 0, fd;

	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	(void)unlink(fresh);
	fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (fd == -1)
		return err_set(err, ERR_STORE, "%s: %s", fresh, strerror(errno));
	(void)close(fd);
	file_rights(fresh, 0660);
	if (sqlite3_open_v2(fresh, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
	    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = err_set(err, ERR_STORE, "%s: %s", fresh, sqlite3_errmsg(db));
	(void)sqlite3_close(db);
	if (rc == 0)
		rc = file_install(fresh, path, err);
	if (rc != 0)
		(void)unlink(fresh);
	return rc;
}

static int
need_file(const char *dir, const char *path, bool write, struct err *err)
{
	struct stat sb;
	int lock, rc = 0;

	if (stat(path, &sb) == 0)
		return sb.st_size > 0
			   ? 0
			   : err_set(err, ERR_STORE,
				 "%s: is empty (0 bytes); put a backup in its place, or delete "
				 "it and set all passwords anew",
				 path);
	if (errno != ENOENT)
		return err_set(err, ERR_STORE, "%s: %s", path, strerror(errno));
	if (!write)
		return err_set(err, -ENOENT, "%s: there are no secrets yet", path);
	lock = file_lock(dir, err);
	if (lock < 0)
		return lock;
	if (stat(path, &sb) == -1)
		rc = make_file(path, err);
	file_unlock(lock);
	return rc;
}

int
secrets_open(const char *dir, bool write, struct secrets **out, struct err *err)
{
	struct secrets *s = mem_alloc(sizeof(*s));
	int rc = 0;

	if (snprintf(s->path, sizeof(s->path), "%s/secrets.db", dir) >= (int)sizeof(s->path) - 8)
		rc = err_set(err, ERR_STORE, "%s: the path is too long", dir);
	if (rc == 0)
		rc = need_file(dir, s->path, write, err);
	if (rc == 0 && sqlite3_open_v2(s->path, &s->db,
			   write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		rc = fault(s, err);
	if (rc == 0) {
		(void)sqlite3_busy_timeout(s->db, BUSY_MS);
		if (sqlite3_exec(s->db,
			"PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
			"SELECT count(*) FROM secret WHERE n<0",
			NULL, NULL, NULL) != SQLITE_OK)
			rc = fault(s, err);
	}
	if (rc == 0)
		*out = s;
	else
		secrets_close(s);
	return rc;
}

void
secrets_close(struct secrets *s)
{
	if (s == NULL)
		return;
	(void)sqlite3_close(s->db);
	free(s);
}

static const char *
form_of(const struct field *f)
{
	return (f->flags & F_HASH) != 0 ? "hash" : (f->flags & F_DIGEST) != 0 ? "digest" : "text";
}

static void
digest(const char *text, char out[DIGEST_HEX])
{
	unsigned char d[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	must(EVP_Digest(text, strlen(text), d, &n, EVP_sha256(), NULL) == 1 && n == 32);
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(out + (size_t)2 * i, 3, "%02x", d[i]);
}

/* yescrypt with the cost that libxcrypt recommends. The big struct is cleared, since it held the text. */
static bool
hash(const char *text, const char *setting, char *out, size_t room)
{
	struct crypt_data *c = mem_alloc(sizeof(*c));
	const char *h = crypt_r(text, setting, c);
	bool good = h != NULL && h[0] != '*' && strlen(h) < room;

	if (good)
		(void)snprintf(out, room, "%s", h);
	OPENSSL_cleanse(c, sizeof(*c));
	free(c);
	return good;
}

/* Under number n, or with n 0 under the next of this node that nobody had. */
static int
put_row_as(struct secrets *s, uint32_t n, const char *form, const char *value, uint32_t *out,
    struct err *err)
{
	static const char sql[] =
	    "WITH last(n) AS (SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name='secret')"
	    "INSERT INTO secret(n, at, form, value) SELECT CASE WHEN ?4>0 THEN ?4"
	    " WHEN ?5=0 OR (n+1)%2=?5-1 THEN n+1 ELSE n+2 END, ?1, ?2, ?3 FROM last";
	sqlite3_stmt *q = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK)
		return fault(s, err);
	(void)sqlite3_bind_int64(q, 1, (int64_t)time(NULL));
	(void)sqlite3_bind_text(q, 2, form, -1, SQLITE_STATIC);
	(void)sqlite3_bind_text(q, 3, value, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 4, n);
	(void)sqlite3_bind_int(q, 5, (int)s->node);
	if (sqlite3_step(q) != SQLITE_DONE)
		rc = fault(s, err);
	else
		*out = (uint32_t)sqlite3_last_insert_rowid(s->db);
	(void)sqlite3_finalize(q);
	return rc;
}

static int
put_row(struct secrets *s, const char *form, const char *value, uint32_t *out, struct err *err)
{
	return put_row_as(s, 0, form, value, out, err);
}

int
secret_put(
    struct secrets *s, const struct field *f, const char *text, uint32_t *out, struct err *err)
{
	char kept[CRYPT_OUTPUT_SIZE], setting[CRYPT_GENSALT_OUTPUT_SIZE];

	must(f->type == VT_SECRET);
	if ((f->flags & F_HASH) != 0) {
		if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) == NULL ||
		    !hash(text, setting, kept, sizeof(kept)))
			return err_field(err, ERR_INVALID, NULL, f->name, "cannot be hashed");
		return put_row(s, form_of(f), kept, out, err);
	}
	if ((f->flags & F_DIGEST) != 0) {
		digest(text, kept);
		return put_row(s, form_of(f), kept, out, err);
	}
	return put_row(s, form_of(f), text, out, err);
}

/* The row's form and value; "" and false when there is none. */
static bool
get_row(struct secrets *s, uint32_t n, char form[8], char *value, size_t room)
{
	sqlite3_stmt *q = NULL;
	bool found = false;

	form[0] = value[0] = '\0';
	if (sqlite3_prepare_v2(s->db, "SELECT form, value FROM secret WHERE n=?1", -1, &q, NULL) ==
	    SQLITE_OK) {
		(void)sqlite3_bind_int64(q, 1, n);
		found = sqlite3_step(q) == SQLITE_ROW;
	}
	if (found) {
		(void)snprintf(form, 8, "%s", (const char *)sqlite3_column_text(q, 0));
		(void)snprintf(value, room, "%s", (const char *)sqlite3_column_text(q, 1));
	}
	(void)sqlite3_finalize(q);
	return found;
}

bool
secret_exists(struct secrets *s, uint32_t n)
{
	char form[8], value[VALUE_MAX];
	bool found = get_row(s, n, form, value, sizeof(value));

	OPENSSL_cleanse(value, sizeof(value));
	return found;
}

static bool
same_text(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == strlen(b) && CRYPTO_memcmp(a, b, n) == 0;
}

/* A hash that no text has, with the cost of a real one. */
static const char *
nobody(void)
{
	static _Thread_local char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (setting[0] == '\0')
		must(crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) != NULL);
	return setting;
}

bool
secret_verify(struct secrets *s, uint32_t n, const char *text)
{
	char form[8], value[VALUE_MAX], mine[CRYPT_OUTPUT_SIZE] = "";
	bool good = false;

	(void)get_row(s, n, form, value, sizeof(value));
	if (strcmp(form, "digest") == 0) {
		digest(text, mine);
		good = same_text(mine, value);
	} else if (strcmp(form, "text") == 0) {
		good = same_text(text, value);
	} else {
		bool known = strcmp(form, "hash") == 0;

		good = hash(text, known ? value : nobody(), mine, sizeof(mine)) && known &&
		       same_text(mine, value);
	}
	OPENSSL_cleanse(value, sizeof(value));
	OPENSSL_cleanse(mine, sizeof(mine));
	return good;
}

uint32_t
secret_find_digest(struct secrets *s, const char *text)
{
	char mine[DIGEST_HEX];
	sqlite3_stmt *q = NULL;
	uint32_t n = 0;

	digest(text, mine);
	if (sqlite3_prepare_v2(s->db,
		"SELECT n FROM secret WHERE form='digest' AND value=?1 ORDER BY n DESC LIMIT 1", -1,
		&q, NULL) == SQLITE_OK) {
		(void)sqlite3_bind_text(q, 1, mine, -1, SQLITE_STATIC);
		if (sqlite3_step(q) == SQLITE_ROW)
			n = (uint32_t)sqlite3_column_int64(q, 0);
	}
	(void)sqlite3_finalize(q);
	return n;
}

static bool
kept(const uint32_t *keep, size_t n, uint32_t number)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (keep[mid] < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && keep[lo] == number;
}

int
secret_collect(struct secrets *s, const uint32_t *keep, size_t n, int64_t older_than_s)
{
	sqlite3_stmt *q = NULL, *del = NULL;
	int gone = 0;

	if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return ERR_STORE;
	if (sqlite3_prepare_v2(s->db, "SELECT n FROM secret WHERE at<=?1", -1, &q, NULL) ==
		SQLITE_OK &&
	    sqlite3_prepare_v2(s->db, "DELETE FROM secret WHERE n=?1", -1, &del, NULL) ==
		SQLITE_OK) {
		(void)sqlite3_bind_int64(q, 1, (int64_t)time(NULL) - older_than_s);
		while (sqlite3_step(q) == SQLITE_ROW) {
			uint32_t number = (uint32_t)sqlite3_column_int64(q, 0);

			if (kept(keep, n, number))
				continue;
			(void)sqlite3_bind_int64(del, 1, number);
			gone += sqlite3_step(del) == SQLITE_DONE;
			(void)sqlite3_reset(del);
		}
	}
	(void)sqlite3_finalize(q);
	(void)sqlite3_finalize(del);
	if (sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		return ERR_STORE;
	}
	return gone;
}

void
secrets_set_node(struct secrets *s, unsigned node)
{
	s->node = node;
}

static int
unknown(const struct secrets *s, uint32_t n, struct err *err)
{
	return err_set(err, ERR_UNKNOWN, "%s: there is no secret %u", s->path, (unsigned)n);
}

int
secret_export(struct secrets *s, uint32_t n, struct buf *out, struct err *err)
{
	char form[8], value[VALUE_MAX];

	if (!get_row(s, n, form, value, sizeof(value)))
		return unknown(s, n, err);
	buf_put_be(out, n, 4);
	buf_put_be(out, strlen(form), 1);
	buf_put(out, form, strlen(form));
	buf_put_be(out, strlen(value), 2);
	buf_put(out, value, strlen(value));
	OPENSSL_cleanse(value, sizeof(value));
	return 0;
}

/* A text of at most room - 1 bytes, none of them 0, after its length. */
static void
take_text(struct rd *r, unsigned length_bytes, char *out, size_t room)
{
	size_t n = (size_t)rd_be(r, length_bytes);
	const char *text = n < room ? rd_bytes(r, n) : NULL;

	out[0] = '\0';
	if (text == NULL || memchr(text, '\0', n) != NULL) {
		r->bad = true;
		return;
	}
	memcpy(out, text, n);
	out[n] = '\0';
}

static bool
is_form(const char *form)
{
	return strcmp(form, "hash") == 0 || strcmp(form, "digest") == 0 ||
	       strcmp(form, "text") == 0;
}

static int
import_row(struct secrets *s, uint32_t n, const char *form, const char *value, struct err *err)
{
	char my_form[8], mine[VALUE_MAX];
	uint32_t kept_as;
	int rc = 0;

	if (!get_row(s, n, my_form, mine, sizeof(mine)))
		return put_row_as(s, n, form, value, &kept_as, err);
	if (strcmp(form, my_form) != 0 || !same_text(value, mine))
		rc = err_set(
		    err, ERR_CONFLICT, "%s: secret %u is another one here", s->path, (unsigned)n);
	OPENSSL_cleanse(mine, sizeof(mine));
	return rc;
}

int
secret_import(struct secrets *s, const void *bytes, size_t len, uint32_t *n_out, struct err *err)
{
	struct rd r = { .p = bytes, .left = len };
	char form[8], value[VALUE_MAX];
	uint32_t n = (uint32_t)rd_be(&r, 4);
	int rc;

	take_text(&r, 1, form, sizeof(form));
	take_text(&r, 2, value, sizeof(value));
	if (r.bad || r.left > 0 || n == 0 || n > INT32_MAX || !is_form(form))
		rc = err_set(err, ERR_PROTO, "a secret that cannot be read");
	else
		rc = import_row(s, n, form, value, err);
	if (rc == 0 && n_out != NULL)
		*n_out = n;
	OPENSSL_cleanse(value, sizeof(value));
	return rc;
}

uint32_t
secret_last(struct secrets *s)
{
	sqlite3_stmt *q = NULL;
	uint32_t n = 0;

	if (sqlite3_prepare_v2(s->db, "SELECT seq FROM sqlite_sequence WHERE name='secret'", -1, &q,
		NULL) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		n = (uint32_t)sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	return n;
}

/* A row that goes at once leaves its number behind. */
int
secret_raise(struct secrets *s, uint32_t n, struct err *err)
{
	char sql[160];

	if (n <= secret_last(s) || n > INT32_MAX)
		return 0;
	(void)snprintf(sql, sizeof(sql),
	    "BEGIN IMMEDIATE; INSERT INTO secret VALUES(%u, 0, 'text', ''); DELETE FROM secret WHERE n=%u; COMMIT",
	    (unsigned)n, (unsigned)n);
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return fault(s, err);
}

int
secret_again(struct secrets *s, uint32_t n, uint32_t *out, struct err *err)
{
	char form[8], value[VALUE_MAX];
	int rc;

	if (!get_row(s, n, form, value, sizeof(value)))
		return unknown(s, n, err);
	rc = put_row(s, form, value, out, err);
	OPENSSL_cleanse(value, sizeof(value));
	return rc;
}

int
secret_forget(struct secrets *s, uint32_t n, struct err *err)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "DELETE FROM secret WHERE n=%u", (unsigned)n);
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fault(s, err);
}

uint64_t
secret_sum64(const void *a, size_t a_len, const void *b, size_t b_len)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char d[EVP_MAX_MD_SIZE];
	struct rd r = { .p = d, .left = 8 };
	unsigned n = 0;

	must(c != NULL && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(c, a, a_len) == 1 &&
	     (b_len == 0 || EVP_DigestUpdate(c, b, b_len) == 1) &&
	     EVP_DigestFinal_ex(c, d, &n) == 1 && n == 32);
	EVP_MD_CTX_free(c);
	return rd_be(&r, 8);
}

void
secret_random(char *out, size_t n)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char b;

	for (size_t i = 0; i < n;) {
		if (getrandom(&b, 1, 0) != 1)
			continue; /* a signal */
		if (b < 248)	  /* 4 * 62: each letter as likely as the others */
			out[i++] = letters[b % 62];
	}
	out[n] = '\0';
}
