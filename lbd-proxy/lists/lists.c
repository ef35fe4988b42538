/* Lists and the configuration.
 *
 * A row names its entries by the digest of their text; the text is a file of this process (digest_dir.h). A commit that
 * names other entries gives the list another set at once, as a whole, and a set is never changed: whoever looks one up
 * holds the old or the new one. Entries that are not here are a fault that names the list, and lbd-ha fetches them from
 * the other node. What no kept revision names is taken away, but not before it is an hour old: it comes before the row. */
#include "lists.h"

#include "digest_tell.h"
#include "list_put.h"

#include "base/idmap.h"
#include "base/mem.h"
#include "store/store.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SWEEP_FIRST DUR_S(60)

struct slot_of {
	char name[64], have[X509_HEX];
	struct itemset *set; /* reference */
	bool used;	     /* scratch of one apply */
};
struct lists {
	struct daemon *d;
	struct digest_dir *store; /* NULL: it cannot be used */
	struct list_put *put;
	struct idmap slots; /* by row */
	struct loop_timer sweep;
	uint64_t now;	   /* counts changes */
	char missing[400]; /* "": nothing is */
	void (*came)(void *arg);
	void *came_arg;
	struct { /* the text that was asked for last, while its pieces are fetched */
		char name[X509_HEX];
		bool values; /* LIST_VALUES */
		struct buf text;
	} read;
	struct { /* entries that were put last, until a commit names them or the next sweep */
		char name[X509_HEX];
		struct itemset *set; /* reference */
	} last;
};

/* ---- the configuration -------------------------------------------------------------------------------------------- */

/* The text of some entries, as it was put; whatever else the file has is none. */
static int
read_text(const struct lists *l, const char *name, struct buf *out)
{
	char is[X509_HEX];
	int rc = l->store == NULL ? -ENOENT : digest_dir_read(l->store, name, ITEMS_TEXT_MOST, out);

	if (rc != 0)
		return rc;
	x509_digest(out->p, out->len, is);
	return strcmp(is, name) == 0 ? 0 : -EBADMSG;
}

static void
keep_last(struct lists *l, const char *name, struct itemset *s)
{
	itemset_unref(l->last.set);
	l->last.set = itemset_ref(s);
	(void)snprintf(l->last.name, sizeof(l->last.name), "%s", name);
}

/* Entries that are in memory: those of a list, or put just now. A reference; NULL: they are not. */
static struct itemset *
at_hand(const struct lists *l, const char *name)
{
	const struct slot_of *s;

	if (name[0] != '\0' && strcmp(l->last.name, name) == 0)
		return itemset_ref(l->last.set);
	for (uint32_t at = 0; (s = idmap_next(&l->slots, &at, NULL)) != NULL;)
		if (s->set != NULL && strcmp(s->have, name) == 0)
			return itemset_ref(s->set);
	return NULL;
}

static struct itemset *
load(const struct lists *l, const struct itemlist *row, char *why, size_t room)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	struct itemset *s = at_hand(l, row->content);
	int rc = s == NULL ? read_text(l, row->content, &text) : 0;

	if (rc == 0 && s == NULL)
		s = itemset_load((const char *)text.p, text.len, &err);
	buf_fini(&text);
	if (rc == -ENOENT)
		(void)snprintf(why, room,
		    "list %s: its entries (%s) are not on this node: load them, or wait for the other node",
		    row->name, row->content);
	else if (rc != 0)
		(void)snprintf(why, room, "list %s: its entries (%s) cannot be read: %s", row->name,
		    row->content, strerror(-rc));
	else if (s == NULL)
		(void)snprintf(why, room, "list %s: %.280s", row->name, err.text);
	else if (itemset_kind(s) == row->kind)
		return s;
	else
		(void)snprintf(why, room, "list %s: its entries are of kind %s: load others",
		    row->name, word_text(&list_kind_list, (int)itemset_kind(s)));
	itemset_unref(s);
	return NULL;
}

static struct slot_of *
slot_get(struct lists *l, const struct itemlist *row)
{
	struct slot_of *s = idmap_get(&l->slots, row->id);

	if (s == NULL) {
		s = mem_alloc(sizeof(*s));
		idmap_put(&l->slots, row->id, s);
	}
	(void)snprintf(s->name, sizeof(s->name), "%s", row->name);
	s->used = true;
	return s;
}

/* true: it has other entries now. */
static bool
follow(struct lists *l, const struct itemlist *row, char *why, size_t room)
{
	struct slot_of *s = slot_get(l, row);
	struct itemset *now = NULL;

	if (strcmp(s->have, row->content) == 0 &&
	    (s->set == NULL || itemset_kind(s->set) == row->kind))
		return false;
	if (row->content[0] != '\0') {
		now = load(l, row, why, room);
		if (now == NULL)
			return false;
		log_info("list %s: %u entries, %zu KiB", row->name, itemset_count(now),
		    itemset_bytes(now) / 1024);
	}
	itemset_unref(s->set);
	s->set = now;
	(void)snprintf(s->have, sizeof(s->have), "%s", row->content);
	return true;
}

static void
drop_gone(struct lists *l)
{
	struct slot_of *s;
	uint32_t at = 0, id;

	while ((s = idmap_next(&l->slots, &at, &id)) != NULL) {
		if (!s->used) {
			idmap_put(&l->slots, id, NULL);
			itemset_unref(s->set);
			free(s);
			at = 0;
		}
	}
	for (at = 0; (s = idmap_next(&l->slots, &at, NULL)) != NULL;)
		s->used = false;
}

bool
lists_apply(struct lists *l, const struct snapshot *now)
{
	char first[sizeof(l->missing)] = "", why[sizeof(l->missing)];
	unsigned faults = 0;
	bool changed = false;

	for (uint32_t i = 0; now != NULL && i < snapshot_count(now, KIND_itemlist); i++) {
		why[0] = '\0';
		changed =
		    follow(l, snapshot_at(now, KIND_itemlist, i), why, sizeof(why)) || changed;
		if (why[0] != '\0' && faults++ == 0)
			(void)snprintf(first, sizeof(first), "%.360s", why);
	}
	drop_gone(l);
	if (changed)
		keep_last(l, "", NULL);
	l->now += changed;
	if (faults > 1)
		(void)snprintf(first + strlen(first), sizeof(first) - strlen(first),
		    "; and %u more", faults - 1);
	if (strcmp(first, l->missing) != 0 && faults > 0)
		log_warn("%s", first);
	else if (strcmp(first, l->missing) != 0)
		log_info("lists: all entries are here");
	(void)snprintf(l->missing, sizeof(l->missing), "%s", first);
	return changed;
}

struct itemset *
lists_get(const struct lists *l, uint32_t id)
{
	const struct slot_of *s = idmap_get(&l->slots, id);

	return s != NULL ? s->set : NULL;
}

struct itemset *
lists_find(const struct lists *l, const char *name)
{
	const struct slot_of *s;

	for (uint32_t at = 0; (s = idmap_next(&l->slots, &at, NULL)) != NULL;)
		if (strcmp(s->name, name) == 0)
			return s->set;
	return NULL;
}

uint64_t
lists_now(const struct lists *l)
{
	return l->now;
}

void
lists_came(struct lists *l, void (*fn)(void *arg), void *arg)
{
	l->came = fn;
	l->came_arg = arg;
}

const char *
lists_fault(const struct lists *l)
{
	return l->missing[0] != '\0' ? l->missing : NULL;
}

/* ---- messages ----------------------------------------------------------------------------------------------------- */

static bool
need_store(const struct lists *l, const struct bus_request *rq)
{
	if (l->store == NULL)
		bus_result(rq, ERR_STORE, "the folder of lists cannot be used; the log says why");
	return l->store != NULL;
}

/* Entries that are here, for a change of them. */
static struct itemset *
base_of(void *arg, const char *name, struct err *err)
{
	struct lists *l = arg;
	struct buf text = { 0 };
	struct itemset *s = NULL;

	if (read_text(l, name, &text) != 0)
		(void)err_set(
		    err, ERR_UNKNOWN, "the entries that it has (%s) are not on this node", name);
	else
		s = itemset_load((const char *)text.p, text.len, err);
	buf_fini(&text);
	return s;
}

static int
keep(struct lists *l, const struct itemset *s, char name[X509_HEX], struct err *err)
{
	struct buf text = { 0 };
	int rc = 0;

	itemset_write(s, &text);
	x509_digest(text.p, text.len, name);
	if (text.len > ITEMS_TEXT_MOST)
		rc = err_set(err, ERR_INVALID,
		    "the text of the entries is %zu bytes long; allowed are at most %u", text.len,
		    ITEMS_TEXT_MOST);
	else if (digest_dir_has(l->store, name))
		digest_dir_touch(l->store, name);
	else
		rc = digest_dir_write(l->store, name, &text, err);
	buf_fini(&text);
	return rc;
}

void
lists_on_put(struct lists *l, const struct bus_request *rq, const struct msg_list_put *m)
{
	struct msg_list_is is = { 0 };
	char name[X509_HEX];
	struct itemset *s = NULL;
	struct err err = { 0 };
	int rc;

	if (!need_store(l, rq))
		return;
	rc = list_put_take(l->put, m, base_of, l, &s, &err);
	if (rc == 0 && s != NULL)
		rc = keep(l, s, name, &err);
	if (rc != 0 || s == NULL) {
		itemset_unref(s);
		bus_result(rq, rc, rc != 0 ? err.text : NULL);
		return;
	}
	log_info("lists: %s is here, %u entries", name, itemset_count(s));
	keep_last(l, name, s);
	is.name = SPAN(name);
	is.entries = itemset_count(s);
	itemset_unref(s);
	(void)bus_reply(rq, MSG_LIST_IS, &is);
	bus_result(rq, 0, NULL);
	if (l->came != NULL)
		l->came(l->came_arg);
}

/* What is told of some entries: their text, or their values. */
static int
read_for(struct lists *l, const char *name, bool values, struct buf *out)
{
	struct itemset *s;

	if (!values)
		return read_text(l, name, out);
	s = at_hand(l, name);
	if (s == NULL)
		s = base_of(l, name, NULL);
	if (s == NULL)
		return -ENOENT;
	itemset_values(s, out);
	itemset_unref(s);
	return 0;
}

static void
forget_read(struct lists *l)
{
	buf_fini(&l->read.text);
	l->read.text = (struct buf){ 0 };
	l->read.name[0] = '\0';
}

static void
give_piece(struct lists *l, const struct bus_request *rq, const struct msg_list_get *m, bool values)
{
	struct msg_list_text out = { 0 };
	char name[X509_HEX + 1];
	size_t left;
	int rc = 0;

	if (!need_store(l, rq))
		return;
	span_text(m->name, name, sizeof(name));
	if (strcmp(name, l->read.name) != 0 || values != l->read.values) {
		forget_read(l);
		rc = read_for(l, name, values, &l->read.text);
		l->read.values = values;
		(void)snprintf(l->read.name, sizeof(l->read.name), "%.64s", rc == 0 ? name : "");
	}
	if (rc != 0 || m->offset > l->read.text.len) {
		bus_result(rq, ERR_UNKNOWN, "those entries are not here");
		return;
	}
	left = l->read.text.len - m->offset;
	out.name = SPAN(name);
	out.offset = m->offset;
	out.total = l->read.text.len;
	out.text =
	    (struct span){ l->read.text.p + m->offset, left < LIST_PIECE ? left : LIST_PIECE };
	(void)bus_reply(rq, MSG_LIST_TEXT, &out);
	bus_result(rq, 0, NULL);
	if (left <= LIST_PIECE) /* that was the end */
		forget_read(l);
}

void
lists_on_get(struct lists *l, const struct bus_request *rq, const struct msg_list_get *m)
{
	give_piece(l, rq, m, false);
}

void
lists_on_values(struct lists *l, const struct bus_request *rq, const struct msg_list_get *m)
{
	give_piece(l, rq, m, true);
}

static bool
put_name(const struct bus_request *rq, const char *name, uint64_t age)
{
	const struct msg_list_is is = { .name = SPAN(name), .age = age };

	return bus_reply(rq, MSG_LIST_IS, &is);
}

void
lists_on_list(struct lists *l, const struct bus_request *rq)
{
	if (need_store(l, rq))
		digest_tell(l->store, rq, put_name);
}

/* ---- what nobody names -------------------------------------------------------------------------------------------- */

static void
on_sweep(void *arg)
{
	struct lists *l = arg;

	list_put_expire(l->put, mono_now());
	keep_last(l, "", NULL);
	digest_sweep(l->store, l->d, "lists");
	loop_timer_set(&l->sweep, DIGEST_SWEEP_EACH);
}

struct lists *
lists_start(struct daemon *d)
{
	struct lists *l = mem_alloc(sizeof(*l));
	struct err err = { 0 };

	l->d = d;
	l->put = list_put_new();
	loop_timer_init(&l->sweep, daemon_loop(d), on_sweep, l);
	if (digest_dir_open(daemon_paths(d)->state, "lists", ".list", "the entries of a list",
		&l->store, &err) != 0)
		log_err("lists: %s", err.text);
	else
		loop_timer_set(&l->sweep, SWEEP_FIRST);
	return l;
}

void
lists_stop(struct lists *l)
{
	if (l == NULL)
		return;
	loop_timer_fini(&l->sweep);
	(void)lists_apply(l, NULL); /* all rows are gone */
	keep_last(l, "", NULL);
	idmap_fini(&l->slots);
	list_put_free(l->put);
	buf_fini(&l->read.text);
	digest_dir_close(l->store);
	free(l);
}
