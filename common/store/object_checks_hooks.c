/* What the pair asks of rows that name programs. Pure.
 *
 * Such a program is one of a folder that only root writes: who may change the configuration over the network chooses
 * among them and does not bring his own (lbd-ha/script.c looks at the folder before each run). */
#include "store/object_checks_priv.h"

#include <string.h>

#define NOTIFIES_MOST 16
#define WORDS_MOST 16 /* of a program and its arguments */

int
look_program(struct look *l, unsigned kind, const void *row, const char *field, const char *text,
    const char *folder)
{
	size_t name = strcspn(text, " ");
	unsigned words = 1;

	if (text[0] == '\0')
		return look_bad(l, kind, row, field, "is required");
	if (name == 0 || memchr(text, '/', name) != NULL || text[0] == '.')
		return look_bad(l, kind, row, field,
		    "\"%s\" does not begin with the name of a program in %s; allowed is a name "
		    "without slash that does not begin with a dot, then its arguments",
		    text, folder);
	for (const char *p = text; *p != '\0'; p++)
		words += *p == ' ' && p[1] != ' ' && p[1] != '\0';
	if (words > WORDS_MOST)
		return look_bad(l, kind, row, field,
		    "has %u words; allowed are a name and %d arguments", words, WORDS_MOST - 1);
	return 0;
}

static int
check_notifies(struct look *l)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < snapshot_count(l->s, KIND_notify); i++) {
		const struct notify *k = snapshot_at(l->s, KIND_notify, i);
		int rc = look_program(l, KIND_notify, k, "script", k->script, "/etc/lbd/notify");

		if (rc != 0)
			return rc;
		n += k->enabled;
		if (n > NOTIFIES_MOST)
			return look_bad(l, KIND_notify, k, "enabled",
			    "is one too many: allowed are %d enabled rows", NOTIFIES_MOST);
	}
	return 0;
}

int
check_hooks(struct look *l)
{
	const struct node *n = snapshot_node(l->s);
	int rc = check_notifies(l);

	if (rc == 0 && n->fence[0] != '\0')
		rc = look_program(l, KIND_node, n, "fence", n->fence, "/etc/lbd/fence");
	return rc;
}
