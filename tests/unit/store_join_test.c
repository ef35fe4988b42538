/* Two nodes edited apart and joined: a table of every kind of conflict, what is done with the records, and thousands
 * of random edits in random partitions, after each of which both are equal and no edit is lost unseen. */
#include "store_pair.h"
#include "store/store_priv.h"

#include <errno.h>

static int
put_conflict(void *arg, const struct conflict *c)
{
	static const char *const what[] = { "?", "field", "gone", "kept", "name", "reference",
		"refused", "foreign" };
	const struct object *o = object_of(c->kind);
	const struct field *f = o != NULL ? field_by_tag(o, c->tag) : NULL;

	buf_printf(arg, "%s %s %s %s: %s | %s\n", what[c->what], o != NULL ? o->name : "?", c->name,
	    f != NULL ? f->name : "-", c->losing, c->standing);
	assert_int_equal(c->node, 2);
	assert_string_equal(c->who, "test");
	return 0;
}

static char *
conflicts_of(struct store *s)
{
	struct buf out = { 0 };

	assert_int_equal(replica_conflicts(s, put_conflict, &out), 0);
	(void)buf_text(&out);
	return (char *)out.p;
}

#define BASE                                                                                       \
	"create check c; create check d; create vip web address=192.0.2.1 ports=80 check=c; "      \
	"create vip mail address=192.0.2.2 ports=25; create rip web/a address=10.0.0.1 weight=1; " \
	"create rip web/b address=10.0.0.2; create user ada role=admin password=correct-horse"

/* Lines are commits, separated by "\n"; "back" is a rollback to where both began. want are words of the export that must be there, between "&"; not must not. */
struct join_case {
	const char *name, *active, *other, *conflicts, *want, *not ;
};
static const struct join_case cases[] = {
	{ "nothing on the other", "set rip web/a weight=7", "", "", "weight: 7", "weight: 9" },
	{ "different fields of one row", "set rip web/a weight=7",
	    "set rip web/a max_conns=9 comment=x", "", "comment: x&weight: 7&max_conns: 9", NULL },
	{ "one field", "set rip web/a weight=7", "set rip web/a weight=9 max_conns=5",
	    "field rip web/a weight: 9 | 7\n", "weight: 7&max_conns: 5", "weight: 9" },
	{ "one field, twice on the other", "set rip web/a weight=7",
	    "set rip web/a weight=8\nset rip web/a weight=9",
	    "field rip web/a weight: 8 | 7\nfield rip web/a weight: 9 | 7\n", "weight: 7", NULL },
	{ "twice on the other, not here", "set rip web/b weight=7",
	    "set rip web/a weight=8\nset rip web/a weight=9", "", "weight: 9", "weight: 8" },
	{ "there and back here", "set rip web/a weight=7\nset rip web/a weight=1",
	    "set rip web/a weight=9", "", "weight: 9", NULL },
	{ "both to one value, and on from it there", "set rip web/a weight=7",
	    "set rip web/a weight=7\nset rip web/a weight=9", "field rip web/a weight: 9 | 7\n",
	    "weight: 7", NULL },
	{ "both to one value, and back there", "set rip web/a weight=7",
	    "set rip web/a weight=7\nset rip web/a weight=1", "field rip web/a weight: 1 | 7\n",
	    "weight: 7", NULL },
	{ "through the value of here, there", "set rip web/a weight=7",
	    "set rip web/a weight=8\nset rip web/a weight=7\nset rip web/a weight=9",
	    "field rip web/a weight: 8 | 7\nfield rip web/a weight: 9 | 7\n", "weight: 7", NULL },
	{ "both to one value, and deleted there", "set rip web/a weight=7",
	    "set rip web/a weight=7\ndelete rip web/a", "kept rip web/a -: deleted | weight=7\n",
	    "weight: 7", NULL },
	{ "deleted on both, and brought back there", "delete rip web/a", "delete rip web/a\nback",
	    "gone rip web/a -: name=a vip=web address=10.0.0.1 weight=1 | deleted\n", NULL,
	    "10.0.0.1" },
	{ "brought back on both, and deleted there", "delete rip web/b\nback",
	    "delete rip web/b\nback\ndelete rip web/b", "", NULL, "10.0.0.2" },
	{ "the same value on both", "set rip web/a weight=7", "set rip web/a weight=7", "",
	    "weight: 7", NULL },
	{ "deleted here, changed there", "delete rip web/a", "set rip web/a weight=9 comment=x",
	    "gone rip web/a comment: x | deleted\ngone rip web/a weight: 9 | deleted\n", "10.0.0.2",
	    "10.0.0.1" },
	{ "changed here, deleted there", "set rip web/a weight=7", "delete rip web/a",
	    "kept rip web/a -: deleted | weight=7\n", "weight: 7", NULL },
	{ "deleted on both", "delete rip web/a", "delete rip web/a", "", NULL, "10.0.0.1" },
	{ "deleted with its children there, a child changed here", "set rip web/a weight=7",
	    "cascade vip web",
	    "kept rip web/a -: deleted | weight=7\nkept vip web -: deleted | web\n", "weight: 7",
	    "10.0.0.2" },
	{ "deleted there, used here", "set vip mail check=d", "delete check d",
	    "kept check d -: deleted | d\n", "check: d", NULL },
	{ "deleted here, used there", "delete check d", "set vip mail check=d ports=26",
	    "reference vip mail check: d | none\n", "ports: 26", "check: d" },
	{ "deleted here, used by a new one there", "delete check d",
	    "create vip new address=192.0.2.3 ports=1 check=d",
	    "reference vip new check: d | none\n", "  new:", NULL },
	{ "parent deleted here, child added there", "cascade vip web",
	    "create rip web/n address=10.0.0.9",
	    "reference rip web/n -: name=n vip=web address=10.0.0.9 | not added\n", "mail",
	    "10.0.0.9" },
	{ "child added here, parent deleted there", "create rip web/n address=10.0.0.9",
	    "cascade vip web", "kept vip web -: deleted | web\n", "10.0.0.9", "10.0.0.1" },
	{ "one name on both", "create check new rise=3", "create check new rise=4",
	    "name check new-2 name: new | new-2\n", "  new-2:", NULL },
	{ "one name on both, and it is used there", "create check new rise=3",
	    "create check new rise=4; set vip mail check=new",
	    "name check new-2 name: new | new-2\n", "check: new-2", NULL },
	{ "name-2 is taken too", "create check new; create check new-2", "create check new rise=4",
	    "name check new-3 name: new | new-3\n", "  new-3:", NULL },
	{ "one name of a child on both", "create rip web/n address=10.0.0.8",
	    "create rip web/n address=10.0.0.9", "name rip web/n-2 name: n | n-2\n", "10.0.0.9",
	    NULL },
	{ "renamed to a name that is taken here", "create check x", "rename check c x",
	    "name check c name: x | c\n", "check: c", NULL },
	{ "renamed on both", "rename check c here", "rename check c there",
	    "field check here name: there | here\n", "check: here", NULL },
	{ "renamed there, and the name given again", "set check c rise=5",
	    "rename check c e; create check c", "", "  e:&  c:&rise: 5", NULL },
	{ "names exchanged there, changed here", "set check c rise=5",
	    "rename check c t; rename check d c; rename check t d", "", "check: d", NULL },
	{ "a name exchanged that is taken here", "create check t",
	    "rename check c t; rename check d c",
	    "name check c name: t | c\nname check d name: c | d\n", "check: c", NULL },
	{ "a name passed on, and the first cannot have its own", "create check t",
	    "rename check d t; rename check c d", "name check d-2 name: t | d-2\n",
	    "check: d&d-2:", NULL },
	{ "deleted there and the name given again", "set rip web/b weight=3",
	    "delete rip web/a; create rip web/a address=10.0.0.7", "", "10.0.0.7", "10.0.0.1" },
	{ "kept here, and the name given again there", "set rip web/a weight=7",
	    "delete rip web/a; create rip web/a address=10.0.0.7",
	    "kept rip web/a -: deleted | weight=7\nname rip web/a-2 name: a | a-2\n", "10.0.0.7",
	    NULL },
	{ "a password on both", "set user ada password=battery-staple",
	    "set user ada password=other-secret", "field user ada password: (secret) | (secret)\n",
	    "ada", NULL },
	{ "a password there", "set check c rise=4", "set user ada password=other-secret", "", "ada",
	    NULL },
	{ "one port on both", "create vip one address=192.0.2.9 ports=81",
	    "create vip two address=192.0.2.9 ports=81; set rip web/a weight=9",
	    "refused vip two -: name=two address=192.0.2.9 ports=81 | not added\n"
	    "refused rip web/a weight: 9 | 1\n",
	    "  one:", "  two:" },
	{ "refused, and what came after stands", "create vip one address=192.0.2.9 ports=81",
	    "create vip two address=192.0.2.9 ports=81\nset rip web/a weight=9\nset vip two comment=x",
	    "refused vip two -: name=two address=192.0.2.9 ports=81 | not added\n"
	    "gone vip with id 5 comment: x | deleted\n",
	    "weight: 9", "  two:" },
	{ "a deletion in what is refused", "create vip one address=192.0.2.9 ports=81",
	    "create vip two address=192.0.2.9 ports=81; delete rip web/b", NULL, "10.0.0.2",
	    "  two:" },
	{ "settings", "set setting main threads=3", "set setting main threads=4 history=99",
	    "field setting main threads: 4 | 3\n", "threads: 3&history: 99", NULL },
	{ "local fields never come", "set node main hostname=here", "set node main hostname=there",
	    "", "web", NULL },
};

static void
edit_all(unsigned i, const char *lines)
{
	char *text = mem_text(lines), *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		assert_good(strcmp(line, "back") != 0
				? on(i, line)
				: store_rollback(node[i], SCOPE_SHARED, 2, &by_test, NULL, &err));
	free(text);
}

static void
want_all(const struct join_case *c, const char *text)
{
	char *words = mem_text(c->want != NULL ? c->want : ""), *save = NULL;

	for (char *w = strtok_r(words, "&", &save); w != NULL; w = strtok_r(NULL, "&", &save))
		if (strstr(text, w) == NULL)
			fail_msg("%s: \"%s\" is not in\n%s", c->name, w, text);
	free(words);
}

static void
play(const struct join_case *c)
{
	char *text, *there, *list;

	assert_int_equal(open_paired(NULL), 0);
	assert_good(on(0, BASE));
	follow(0, 1);
	edit_all(0, c->active);
	edit_all(1, c->other);
	(void)heal();
	text = text_of(node[0], false);
	list = conflicts_of(node[0]);
	there = conflicts_of(node[1]);
	assert_string_equal(list, there);
	if (c->conflicts != NULL && strcmp(list, c->conflicts) != 0)
		fail_msg("%s: conflicts are\n%snot\n%s", c->name, list, c->conflicts);
	want_all(c, text);
	if (c->not != NULL && strstr(text, c->not ) != NULL)
		fail_msg("%s: \"%s\" is in\n%s", c->name, c->not, text);
	/* Doing all of it again changes nothing. */
	assert_int_equal(heal(), 0);
	free(text);
	free(there);
	free(list);
	assert_int_equal(drop_pair(NULL), 0);
}

static void
test_cases(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		play(&cases[i]);
}

/* ---- orders ------------------------------------------------------------------------------------- */

static int
order(unsigned i, uint32_t server, int admin_state, int64_t weight)
{
	const struct order o = { .server = server, .state = admin_state, .weight = weight };

	return store_order(node[i], &o, 1, &by_test, NULL, &err);
}

static void
test_orders(void **state)
{
	struct snapshot *s;
	uint32_t a, b;
	char *list;

	(void)state;
	assert_good(on(0, BASE));
	follow(0, 1);
	assert_good(store_snapshot(node[0], &s, &err));
	a = ((const struct server *)snapshot_find_path(s, KIND_server, "web/a"))->id;
	b = ((const struct server *)snapshot_find_path(s, KIND_server, "web/b"))->id;
	snapshot_unref(s);
	assert_good(order(0, a, admin_state_drain, -1));
	assert_good(order(1, a, admin_state_halt, 5));
	assert_good(order(1, b, admin_state_halt, -1));
	assert_true(heal() >= 1);
	assert_good(store_snapshot(node[1], &s, &err));
	assert_int_equal(snapshot_admin(s, a)->state, admin_state_drain);
	assert_int_equal(snapshot_admin(s, b)->state, admin_state_halt);
	snapshot_unref(s);
	list = conflicts_of(node[1]);
	assert_non_null(strstr(list, "field admin web/a state: halt | drain\n"));
	free(list);
	/* The same server brought back on both sides is one server, since an order remembers it. */
	assert_good(on(0, "delete rip web/b"));
	follow(0, 1);
	assert_good(on(0, "create rip web/b address=10.0.0.22 weight=3"));
	assert_good(on(1, "create rip web/b address=10.0.0.23 weight=3"));
	assert_int_equal(heal(), 1);
	list = conflicts_of(node[0]);
	assert_non_null(strstr(list, "field rip web/b address: 10.0.0.23 | 10.0.0.22\n"));
	free(list);
}

/* ---- what is done with records ------------------------------------------------------------------ */

struct wanted {
	const char *field;
	uint64_t id;
	unsigned n;
};

static int
find_one(void *arg, const struct conflict *c)
{
	struct wanted *w = arg;
	const struct field *f = field_by_tag(object_of(c->kind), c->tag);

	w->n++;
	if (w->field == NULL || (f != NULL && strcmp(f->name, w->field) == 0))
		w->id = c->id;
	return 0;
}

static uint64_t
conflict_id(const char *field)
{
	struct wanted w = { .field = field };

	assert_int_equal(replica_conflicts(node[0], find_one, &w), 0);
	assert_true(w.id != 0);
	return w.id;
}

static unsigned
conflict_count(unsigned i)
{
	struct wanted w = { 0 };

	assert_int_equal(replica_conflicts(node[i], find_one, &w), 0);
	return w.n;
}

static const void *
row(const struct snapshot *s, unsigned kind, const char *path)
{
	return snapshot_find_path(s, kind, path);
}

static void
test_take(void **state)
{
	struct commit_result r;
	struct snapshot *s;
	uint64_t id;

	(void)state;
	assert_good(on(0, BASE));
	follow(0, 1);
	assert_good(on(0,
	    "set rip web/a weight=7; delete rip web/b; create check n rise=2; set vip mail comment=x"));
	assert_good(on(1, "set rip web/a weight=9"));
	assert_good(on(1, "set rip web/b weight=9"));
	assert_good(on(1, "create check n rise=3"));
	assert_good(on(1, "delete vip mail"));
	assert_int_equal(heal(), 4);
	id = conflict_id("name");
	assert_bad(replica_conflict_take(node[0], id, &by_test, NULL, &err), ERR_CONFLICT,
	    "exists already");
	assert_int_equal(conflict_count(0), 4);
	assert_good(on(0, "rename check n other"));
	assert_good(replica_conflict_take(node[0], id, &by_test, NULL, &err));
	assert_bad(replica_conflict_take(node[0], id, &by_test, NULL, &err), ERR_UNKNOWN,
	    "there is no conflict");
	assert_int_equal(conflict_count(0), 3);
	assert_int_equal(conflict_count(1), 4);
	assert_good(replica_conflict_drop(node[1], id, &err));
	assert_bad(replica_conflict_drop(node[1], id, &err), ERR_UNKNOWN, "there is no conflict");
	/* web/a takes its weight, mail is deleted after all, and web/b is gone. */
	for (unsigned i = 0; i < 3; i++) {
		int rc;

		id = conflict_id(NULL);
		rc = replica_conflict_take(node[0], id, &by_test, &r, &err);
		if (rc == ERR_UNKNOWN) {
			assert_non_null(strstr(err.text, "is deleted"));
			assert_good(replica_conflict_drop(node[0], id, &err));
			continue;
		}
		assert_int_equal(rc, 0);
		assert_true(r.revision[SCOPE_SHARED] > 0);
		commit_result_fini(&r);
	}
	assert_int_equal(conflict_count(0), 0);
	assert_good(store_snapshot(node[0], &s, &err));
	assert_int_equal(((const struct server *)row(s, KIND_server, "web/a"))->weight, 9);
	assert_null(row(s, KIND_service, "mail"));
	assert_int_equal(((const struct check *)row(s, KIND_check, "n"))->rise, 3);
	assert_int_equal(((const struct check *)row(s, KIND_check, "other"))->rise, 2);
	snapshot_unref(s);
	follow(0, 1);
	assert_equal_nodes();
}

/* A revision that was refused whole can be taken when its reason is gone; an addition comes with its own id. */
static void
test_take_what_was_refused(void **state)
{
	struct commit_result r;
	struct snapshot *s;
	uint64_t id;

	(void)state;
	assert_good(on(0, BASE));
	follow(0, 1);
	assert_good(on(0, "create vip one address=192.0.2.9 ports=81"));
	assert_good(on(1, "create vip two address=192.0.2.9 ports=81"));
	assert_int_equal(heal(), 1);
	id = conflict_id(NULL);
	assert_bad(replica_conflict_take(node[0], id, &by_test, NULL, &err), ERR_INVALID, "81");
	assert_int_equal(conflict_count(0), 1);
	assert_good(on(0, "delete vip one"));
	assert_good(replica_conflict_take(node[0], id, &by_test, &r, &err));
	commit_result_fini(&r);
	assert_good(store_snapshot(node[0], &s, &err));
	assert_int_equal(((const struct service *)row(s, KIND_service, "two"))->id % 2, 1);
	snapshot_unref(s);
	follow(0, 1);
	assert_equal_nodes();
	/* Taking what stands already is no revision, and the record goes. */
	assert_good(on(0, "set rip web/a weight=7"));
	assert_good(on(1, "set rip web/a weight=9"));
	assert_int_equal(heal(), 1);
	assert_good(on(0, "set rip web/a weight=9"));
	assert_good(replica_conflict_take(node[0], conflict_id("weight"), &by_test, &r, &err));
	assert_int_equal(r.revision[SCOPE_SHARED], 0);
	commit_result_fini(&r);
	assert_int_equal(conflict_count(0), 0);
}

/* What this build does not know is in a record, not lost. */
static void
test_a_newer_loser(void **state)
{
	struct delta_row d = { .kind = KIND_check, .op = DELTA_EDIT, .id = 2, .n = 2 };
	struct replica_revision r = {
		.scope = SCOPE_SHARED, .n = 3, .node = 2, .who = "test", .origin = "cli", .why = ""
	};
	struct buf delta = { 0 };
	struct snapshot *s;
	unsigned n = 0;
	char *list;

	(void)state;
	assert_good(on(0, "create check c rise=2"));
	d.f[0] = (struct delta_field){ .tag = field_find(object_of(KIND_check), "rise")->tag,
		.old = { .i = 2 },
		.new = { .i = 4 } };
	d.f[1] = (struct delta_field){ .tag = 999, .old = { .i = 1 }, .new = { .i = 17 } };
	delta_put(&delta, &d);
	d.kind = 77;
	delta_put(&delta, &d);
	r.delta = delta.p;
	r.len = delta.len;
	assert_good(replica_join(node[0], 2, &r, NULL, &n, &err));
	assert_int_equal(n, 2);
	list = conflicts_of(node[0]);
	assert_string_equal(list, "foreign ? with id 2 -:  | \nforeign check c -: 17 | \n");
	free(list);
	assert_good(store_snapshot(node[0], &s, &err));
	assert_int_equal(((const struct check *)row(s, KIND_check, "c"))->rise, 4);
	snapshot_unref(s);
	/* A value that is not known here: the revision is refused, and the value is in the record. */
	delta.len = 0;
	d = (struct delta_row){ .kind = KIND_check, .op = DELTA_EDIT, .id = 2, .n = 1 };
	d.f[0] = (struct delta_field){ .tag = field_find(object_of(KIND_check), "kind")->tag,
		.old = { .s = "tcp", .len = 3 },
		.new = { .s = "moon", .len = 4 } };
	delta_put(&delta, &d);
	r.delta = delta.p;
	r.len = delta.len;
	r.hash = 5;
	assert_good(replica_join(node[0], 2, &r, NULL, &n, &err));
	assert_int_equal(n, 1);
	list = conflicts_of(node[0]);
	assert_non_null(strstr(list, "refused check c kind: moon | tcp\n"));
	free(list);
	buf_fini(&delta);
}

/* Interrupted after some revisions: joining from the start again records nothing twice and takes nothing twice. */
static void
test_interrupted(void **state)
{
	struct replica_revision r;
	unsigned n;

	(void)state;
	assert_good(on(0, BASE));
	follow(0, 1);
	assert_good(on(0, "set rip web/b weight=3"));
	assert_good(on(1, "set rip web/a weight=8; set rip web/b weight=4"));
	assert_good(on(1, "set rip web/a weight=9"));
	for (uint32_t v = 3; v <= 4; v++) {
		carry(node[1], SCOPE_SHARED, v, &r);
		assert_good(replica_join(node[0], 2, &r, NULL, &n, &err));
		replica_revision_fini(&r);
	}
	assert_int_equal(heal(), 0);
	assert_int_equal(conflict_count(0), 1);
	assert_int_equal(conflict_count(1), 1);
}

/* ---- thousands ---------------------------------------------------------------------------------- */

#define ROUNDS 40
#define NAMES 5

static unsigned
any(unsigned n)
{
	return (unsigned)random() % n;
}

static void
random_line(char *out, size_t room)
{
	unsigned a = any(NAMES), b = any(NAMES), v = any(9) + 1;

	switch (any(17)) {
	case 0: (void)snprintf(out, room, "create check c%u rise=%u", a, v); break;
	case 1: (void)snprintf(out, room, "set check c%u rise=%u fall=%u", a, v, any(3) + 2); break;
	case 2: (void)snprintf(out, room, "delete check c%u", a); break;
	case 3: (void)snprintf(out, room, "rename check c%u c%u", a, b); break;
	case 4:
		(void)snprintf(
		    out, room, "create vip v%u address=192.0.2.%u ports=%u", a, any(3) + 1, v);
		break;
	case 5: (void)snprintf(out, room, "set vip v%u check=c%u comment=x%u", a, b, v); break;
	case 6: (void)snprintf(out, room, "%s vip v%u", any(2) ? "cascade" : "delete", a); break;
	case 7: (void)snprintf(out, room, "rename vip v%u v%u", a, b); break;
	case 8:
		(void)snprintf(
		    out, room, "create rip v%u/r%u address=10.0.0.%u weight=%u", a, b, v, any(4));
		break;
	case 9: (void)snprintf(out, room, "set rip v%u/r%u weight=%u", a, b, v); break;
	case 10: (void)snprintf(out, room, "set rip v%u/r%u check=c%u", a, b, any(NAMES)); break;
	case 11: (void)snprintf(out, room, "delete rip v%u/r%u", a, b); break;
	case 12: (void)snprintf(out, room, "rename rip v%u/r%u r%u", a, b, any(NAMES)); break;
	case 13:
		(void)snprintf(
		    out, room, "set vip v%u ports=%u address=192.0.2.%u", a, v, any(3) + 1);
		break;
	case 14: (void)snprintf(out, room, "set setting main threads=%u", v); break;
	case 15:
		(void)snprintf(
		    out, room, "unset vip v%u check; set vip v%u retries=%u", a, a, any(5));
		break;
	default: (void)snprintf(out, room, "set node main hostname=h%u", v); break;
	}
}

/* Edits that are not possible are refused; that is part of the game. Returns how many were done. */
static unsigned
random_edits(unsigned i, unsigned n)
{
	char line[400], one[100];
	unsigned done = 0;

	while (n-- > 0) {
		line[0] = '\0';
		for (unsigned k = 0; k <= (any(4) == 0 ? any(4) : 0); k++) {
			size_t at = strlen(line);

			random_line(one, sizeof(one));
			(void)snprintf(
			    line + at, sizeof(line) - at, "%s%s", at > 0 ? "; " : "", one);
		}
		if (any(12) == 0 && store_head(node[i], SCOPE_SHARED) > 4)
			done += store_rollback(node[i], SCOPE_SHARED,
				    store_head(node[i], SCOPE_SHARED) - any(3), &by_test, NULL,
				    &err) == 0;
		else
			done += on(i, line) == 0;
	}
	return done;
}

static void
random_orders(unsigned i, unsigned n)
{
	static const int states[] = { admin_state_online, admin_state_drain, admin_state_halt, -1 };
	struct snapshot *s;

	assert_good(store_snapshot(node[i], &s, &err));
	while (n-- > 0 && snapshot_count(s, KIND_server) > 0) {
		const uint32_t *id =
		    snapshot_at(s, KIND_server, any(snapshot_count(s, KIND_server)));

		assert_good(order(i, *id, states[any(4)], any(2) ? (int64_t)any(5) : -1));
	}
	snapshot_unref(s);
}

/* What one side did, by kind, id and field, and whether it can be seen afterwards. */
struct witness {
	const struct snapshot *before, *after; /* of the other side's own edits */
	const struct snapshot *active, *joined;
	unsigned seen, lost;
	const struct change *c;
	bool found;
};

/* A record of this row: of this field with this value, or of the whole row. */
static int
is_recorded(void *arg, const struct conflict *k)
{
	struct witness *w = arg;
	const void *r = w->c->new != NULL ? w->c->new : w->c->old;
	struct rd rd = { .p = k->delta, .left = k->len };
	struct arena *a = arena_new(256);
	struct delta_row d;
	struct cell cell;

	if (k->kind == w->c->o->kind && k->object == *(const uint32_t *)r) {
		assert_true(delta_next(&rd, &d));
		if (k->tag == 0) {
			w->found = w->found || d.op == DELTA_ADD || w->c->new == NULL;
		} else if (w->c->f != NULL && w->c->f->tag == k->tag) {
			value_save(w->c->f, w->c->new, a, &cell);
			w->found = w->found || cell_same(&cell, &d.f[0].new);
		}
	}
	arena_unref(a);
	return 0;
}

/* A difference that the other side made is there after the join, or in a record. */
static void
look_for(void *arg, const struct change *c)
{
	struct witness *w = arg;
	uint32_t id = *(const uint32_t *)(c->new != NULL ? c->new : c->old);
	const void *now = snapshot_find(w->joined, c->o->kind, id);
	char path[160];

	if (c->o->scope != SCOPE_SHARED && c->o->scope != SCOPE_OPER)
		return;
	w->c = c;
	w->found = c->new == NULL ? now == NULL
		   : now == NULL  ? false
		   : c->f == NULL ? true
				  : value_same(c->f, now, c->new);
	w->seen += w->found;
	if (!w->found) {
		(void)replica_conflicts(node[0], is_recorded, w);
		w->lost += w->found;
	}
	if (!w->found && c->f == NULL &&
	    c->new != NULL) { /* added: all of its fields are in records, or the row was lost */
		fail_msg("%s %s was added and is neither there nor recorded", c->o->name,
		    snapshot_path(w->after, c->o->kind, id, path));
	}
	if (!w->found)
		fail_msg("%s %s: %s: neither there nor recorded", c->o->name,
		    snapshot_path(c->new != NULL ? w->after : w->before, c->o->kind, id, path),
		    c->f != NULL ? c->f->name : "deletion");
}

/* What the active node did stands. */
static void
look_standing(void *arg, const struct change *c)
{
	struct witness *w = arg;
	uint32_t id = *(const uint32_t *)(c->new != NULL ? c->new : c->old);
	const void *now = snapshot_find(w->joined, c->o->kind, id);
	char path[160];
	bool stands;

	if (c->o->scope != SCOPE_SHARED && c->o->scope != SCOPE_OPER)
		return;
	stands = c->new == NULL ? now == NULL
				: now != NULL && (c->f == NULL || value_same(c->f, now, c->new));
	if (!stands)
		fail_msg("%s %s: %s: does not stand", c->o->name,
		    snapshot_path(c->new != NULL ? w->active : w->before, c->o->kind, id, path),
		    c->f != NULL ? c->f->name : "the whole");
}

static struct snapshot *
snap(unsigned i)
{
	struct snapshot *s = NULL;

	assert_good(store_snapshot(node[i], &s, &err));
	return s;
}

/* One separation: both go on, they meet, the active joins, both are equal. */
static unsigned
part_and_meet(unsigned edits)
{
	struct witness w = { .before = snap(1) };
	unsigned done = 0, turns = 1 + any(3);

	for (unsigned i = 0; i < turns; i++) {
		done += random_edits(0, edits / turns);
		done += random_edits(1, edits / turns);
		random_orders(0, any(4));
		random_orders(1, any(4));
	}
	w.after = snap(1);
	w.active = snap(0);
	(void)heal();
	w.joined = snap(0);
	assert_good(snapshot_check(w.joined, NULL, &err));
	(void)snapshot_diff(w.before, w.after, look_for, &w);
	(void)snapshot_diff(w.before, w.active, look_standing, &w);
	for (unsigned i = 0; i < 4; i++)
		snapshot_unref((struct snapshot *)(uintptr_t)(i == 0   ? w.before
							      : i == 1 ? w.after
							      : i == 2 ? w.active
								       : w.joined));
	return done;
}

static void
swap_roles(void)
{
	struct store *s = node[0];
	char path[200];

	node[0] = node[1];
	node[1] = s;
	memcpy(path, dirs[0], sizeof(path));
	memcpy(dirs[0], dirs[1], sizeof(path));
	memcpy(dirs[1], path, sizeof(path));
}

static void
test_random(void **state)
{
	unsigned done = 0;

	(void)state;
	srandom(seed_of("join"));
	assert_good(on(0, "set setting main history=10000"));
	follow(0, 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (any(2) == 0)
			swap_roles(); /* who is active when they meet */
		done += part_and_meet(20 + any(80));
		if (any(3) == 0) { /* a while together */
			(void)random_edits(0, any(20));
			follow(0, 1);
			assert_equal_nodes();
		}
	}
	(void)printf("%u edits, %u conflicts kept\n", done, conflict_count(0));
	assert_int_equal(conflict_count(0), conflict_count(1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_paired, drop_pair)
		cmocka_unit_test(test_cases),
		T(test_orders),
		T(test_take),
		T(test_take_what_was_refused),
		T(test_a_newer_loser),
		T(test_interrupted),
		T(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
