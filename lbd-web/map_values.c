/* What is behind the entries of lists, for commits that name pools by them (store/pool_names.h). lbd-proxy is asked within the commit,
 * which waits for it as it waits for the disk: it tells in milliseconds, and what it told of some entries is true for ever. */
#include "msg/list_fetch.h"
#include "sys/log.h"
#include "web.h"

#include <stdio.h>
#include <string.h>

#define KEPT 16
#define KEPT_BYTES (1u << 20) /* longest that is kept */
#define ANSWER DUR_S(1)

static struct {
	char of[72];
	struct buf values;
} kept[KEPT];
static unsigned next;

static void
keep(const char *content, const struct buf *values)
{
	if (values->len > KEPT_BYTES)
		return;
	(void)snprintf(kept[next].of, sizeof(kept[next].of), "%s", content);
	kept[next].values.len = 0;
	buf_put(&kept[next].values, values->p, values->len);
	next = (next + 1) % KEPT;
}

int
map_values(void *arg, const char *list, const char *content, struct buf *out)
{
	struct web *w = arg;
	struct err err = { 0 };
	int rc;

	for (unsigned i = 0; i < KEPT; i++) {
		if (strcmp(kept[i].of, content) != 0)
			continue;
		buf_put(out, kept[i].values.p, kept[i].values.len);
		return 0;
	}
	rc = list_fetch(daemon_paths(w->d), MSG_LIST_VALUES, content, ANSWER, out, &err);
	if (rc == 0)
		keep(content, out);
	else
		log_warn("list %s: names of pools in its entries were not looked at: %s", list,
		    err.text);
	return rc;
}

void
map_values_fini(void)
{
	for (unsigned i = 0; i < KEPT; i++) {
		buf_fini(&kept[i].values);
		kept[i].values = (struct buf){ 0 };
		kept[i].of[0] = '\0';
	}
}
