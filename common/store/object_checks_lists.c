/* Rules of lists. What is in the entries was looked at by lbd-proxy when they were loaded; the row only names them. Pure. */
#include "store/object_checks_priv.h"

#include "store/x509.h"

#include <string.h>

static int
check_list(struct look *l, const struct itemlist *r)
{
	const struct itemlist *old =
	    l->base != NULL ? snapshot_find(l->base, KIND_itemlist, r->id) : NULL;

	if (r->content[0] != '\0' && !x509_key_is_name(r->content))
		return look_bad(l, KIND_itemlist, r, "content",
		    "\"%.70s\" is no SHA-256: allowed are 64 hex digits in lower case, or nothing; "
		    "lbctl list load fills it in",
		    r->content);
	if (r->content[0] == '\0' && r->entries != 0)
		return look_bad(l, KIND_itemlist, r, "entries",
		    "%u is not allowed while content is empty: allowed is 0", r->entries);
	if (old != NULL && old->kind != r->kind && r->content[0] != '\0' &&
	    strcmp(old->content, r->content) == 0)
		return look_bad(l, KIND_itemlist, r, "kind",
		    "the entries are of kind %s: allowed is that one, or another with content and "
		    "entries unset in the same change",
		    word_text(&list_kind_list, old->kind));
	return 0;
}

int
check_lists(struct look *l)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < snapshot_count(l->s, KIND_itemlist); i++)
		rc = check_list(l, snapshot_at(l->s, KIND_itemlist, i));
	return rc;
}
