/* Files of maps: a key and what belongs to it in each line. */
#include "import/haproxy_switch.h"

#include <ctype.h>
#include <string.h>

struct reading {
	struct hap *h;
	struct hap_map *map;
};

/* As HAProxy reads it: a key, spaces, and the rest of the line. */
static void
take_entry(struct reading *r, const char *p, const char *end)
{
	struct hap_entry *e;
	const char *key;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && isspace((unsigned char)end[-1]))
		end--;
	if (p == end)
		return;
	for (key = p; p < end && *p != ' ' && *p != '\t'; p++)
		;
	e = arena_alloc(r->h->im->a, sizeof(*e));
	*e = (struct hap_entry){ .key = arena_text(r->h->im->a, key, (size_t)(p - key)),
		.at = r->map->n++ };
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	e->value = arena_text(r->h->im->a, p, (size_t)(end - p));
	*r->map->last = e;
	r->map->last = &e->next;
}

static int
take_map(void *arg, const char *file, const char *text, size_t len, struct err *err)
{
	struct reading *r = arg;

	if (memchr(text, '\0', len) != NULL)
		return err_set(err, ERR_INVALID, "%s: a NUL has no place in a map", file);
	for (const char *p = text, *end = text + len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl != NULL ? nl : end;

		if (*p != '#')
			take_entry(r, p, stop);
		p = stop + (nl != NULL);
	}
	return 0;
}

const struct hap_map *
hap_map_of(struct hap *h, const char *path)
{
	struct hap_map *m = textmap_get(&h->maps, path);
	struct reading r = { h, NULL };
	struct err err = { 0 };

	if (m != NULL)
		return m;
	m = r.map = arena_alloc(h->im->a, sizeof(*m));
	*m = (struct hap_map){ .last = &m->first };
	(void)textmap_put(&h->maps, path, m);
	if (h->im->include == NULL)
		(void)err_set(&err, ERR_UNKNOWN, "%s: no such file", path);
	else
		(void)h->im->include(h->im->include_arg, path, NULL, take_map, &r, &err);
	if (err.code != 0)
		m->why = arena_text(h->im->a, err.text, strlen(err.text));
	return m;
}
