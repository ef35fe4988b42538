/* Transactions that live between two commands: edits kept as text lines until they are committed together. What
 * is added is checked against the configuration with all edits before it, and kept only when it would do. Texts
 * of secrets never stand here: they are put away first, and "@N" is kept. */
#include "base/must.h"
#include "store/store_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TX_MAX 64		/* open at once */
#define TX_BYTES_MAX (64 << 20) /* of one, as text */
#define TX_OLD_S 86400		/* abandoned ones go after a day */

static int
no_tx(uint32_t id, struct err *err)
{
	return err_set(err, ERR_UNKNOWN, "transaction %u does not exist", (unsigned)id);
}

int
store_tx_begin(struct store *st, const struct commit_info *info, uint32_t *id_out, struct err *err)
{
	uint32_t base = info->base != 0 ? info->base : store_head(st, SCOPE_SHARED);
	int64_t now = (int64_t)time(NULL);
	sqlite3_stmt *q;
	int rc;

	must(st->writer && info->who != NULL);
	rc = store_execf(st, err,
	    "DELETE FROM tx_edit WHERE tx IN (SELECT id FROM tx WHERE at<%lld); DELETE FROM tx WHERE at<%lld",
	    (long long)now - TX_OLD_S, (long long)now - TX_OLD_S);
	if (rc != 0)
		return rc;
	if (store_number(st, "SELECT count(*) FROM tx") >= TX_MAX)
		return err_set(
		    err, ERR_CONFLICT, "%d transactions are open already: end one first", TX_MAX);
	q = store_query(st, "INSERT INTO tx(at, who, base) VALUES(?1,?2,?3)");
	(void)sqlite3_bind_int64(q, 1, now);
	(void)sqlite3_bind_text(q, 2, info->who, -1, SQLITE_STATIC);
	(void)sqlite3_bind_int64(q, 3, base);
	rc = store_run(st, q, err);
	if (rc == 0)
		*id_out = (uint32_t)sqlite3_last_insert_rowid(st->db);
	return rc;
}

static int
load_edits(struct store *st, uint32_t id, struct doc *d, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "SELECT doc FROM tx_edit WHERE tx=?1 ORDER BY id");
	int rc = 0, step = SQLITE_DONE;

	if (q == NULL)
		return store_fault(st, err);
	(void)sqlite3_bind_int64(q, 1, id);
	while (rc == 0 && (step = sqlite3_step(q)) == SQLITE_ROW)
		rc = doc_load(d, (const char *)sqlite3_column_text(q, 0),
		    (size_t)sqlite3_column_bytes(q, 0), err);
	if (rc == 0 && step != SQLITE_DONE)
		rc = store_fault(st, err);
	(void)sqlite3_finalize(q);
	return rc;
}

int
store_tx_load(struct store *st, uint32_t id, struct doc *d, uint32_t *base_out, struct err *err)
{
	sqlite3_stmt *q = store_query(st, "SELECT base FROM tx WHERE id=?1");
	int step;

	if (q == NULL)
		return store_fault(st, err);
	(void)sqlite3_bind_int64(q, 1, id);
	step = sqlite3_step(q);
	if (step == SQLITE_ROW && base_out != NULL)
		*base_out = (uint32_t)sqlite3_column_int64(q, 0);
	(void)sqlite3_finalize(q);
	if (step == SQLITE_DONE)
		return no_tx(id, err);
	return step == SQLITE_ROW ? load_edits(st, id, d, err) : store_fault(st, err);
}

static int64_t
kept_bytes(struct store *st, uint32_t id)
{
	char sql[80];

	(void)snprintf(
	    sql, sizeof(sql), "SELECT sum(length(doc)) FROM tx_edit WHERE tx=%u", (unsigned)id);
	return store_number(st, sql);
}

int
store_tx_add(struct store *st, uint32_t id, const struct doc *d, struct err *err)
{
	const struct commit_info dry = { .who = "transaction", .dry_run = true, .trial_ms = 1 };
	struct buf text = { 0 };
	struct doc all;
	sqlite3_stmt *q;
	int rc;

	doc_init(&all);
	rc = store_tx_load(st, id, &all, NULL, err);
	if (rc == 0)
		rc = edit_seal(st, d, err);
	if (rc == 0) {
		doc_save(d, &text);
		rc = doc_load(&all, buf_text(&text), text.len, err);
	}
	if (rc == 0 && kept_bytes(st, id) + (int64_t)text.len > TX_BYTES_MAX)
		rc = err_set(err, ERR_INVALID, "transaction %u would be longer than %d bytes",
		    (unsigned)id, TX_BYTES_MAX);
	if (rc == 0)
		rc = store_edit(st, &all, &dry, NULL, err);
	if (rc == 0) {
		q = store_query(
		    st, "INSERT INTO tx_edit(tx, doc) SELECT id, ?2 FROM tx WHERE id=?1");
		(void)sqlite3_bind_int64(q, 1, id);
		(void)sqlite3_bind_text(q, 2, buf_text(&text), (int)text.len, SQLITE_STATIC);
		rc = store_run(st, q, err);
	}
	if (rc == 0 && sqlite3_changes(st->db) == 0)
		rc = no_tx(id, err); /* somebody ended it meanwhile */
	buf_fini(&text);
	doc_fini(&all);
	return rc;
}

int
store_tx_end(struct store *st, uint32_t id, struct err *err)
{
	int rc = store_execf(st, err, "DELETE FROM tx_edit WHERE tx=%u; DELETE FROM tx WHERE id=%u",
	    (unsigned)id, (unsigned)id);

	return rc == 0 && sqlite3_changes(st->db) == 0 ? no_tx(id, err) : rc;
}
