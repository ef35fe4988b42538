/* Whether anything that is kept still names a private key, or the entries of a list: then it may be wanted again, by a rollback, by a transaction
 * that is committed later, by a value that lost when the nodes joined and is taken after all. */
#include "base/must.h"
#include "store/store_priv.h"

#include <string.h>

bool
store_mentions(struct store *st, const char *text)
{
	static const char sql[] =
	    "SELECT EXISTS(SELECT 1 FROM cert WHERE key=?1)"
	    " OR EXISTS(SELECT 1 FROM itemlist WHERE content=?1)"
	    " OR EXISTS(SELECT 1 FROM revision WHERE delta IS NOT NULL AND instr(delta, CAST(?1 AS BLOB))>0)"
	    " OR EXISTS(SELECT 1 FROM superseded WHERE delta IS NOT NULL AND instr(delta, CAST(?1 AS BLOB))>0)"
	    " OR EXISTS(SELECT 1 FROM conflict WHERE instr(delta, CAST(?1 AS BLOB))>0)"
	    " OR EXISTS(SELECT 1 FROM tx_edit WHERE instr(doc, ?1)>0)";
	sqlite3_stmt *q;
	bool has = true;

	must(strlen(text) >= 8);
	q = store_query(st, sql);
	if (q != NULL && sqlite3_bind_text(q, 1, text, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_step(q) == SQLITE_ROW)
		has = sqlite3_column_int(q, 0) != 0;
	(void)sqlite3_finalize(q);
	return has;
}
