/* store_help.h - a store in a folder of its own, edits in one line, and a seed that is printed; for the tests of
 * common/store. */
#ifndef STORE_HELP_H
#define STORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/must.h"
#include "schema/yaml.h"
#include "store/secret.h"
#include "store/store.h"
#include "sys/netlink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <time.h>
#include <unistd.h>

static char dir[200];
static struct store *st;
static struct err err;

static inline int
remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
	(void)sb, (void)flag, (void)ftw;
	return remove(path);
}

static inline void
remove_dir(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* In memory when there is room for it: hundreds of commits wait for no disk. */
static inline int
make_dir(void **state)
{
	const char *top = getenv("TMPDIR");

	(void)state;
	if (top == NULL)
		top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(dir, sizeof(dir), "%s/lbd-store-XXXXXX", top);
	st = NULL;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static inline int
drop_dir(void **state)
{
	(void)state;
	store_close(st);
	st = NULL;
	remove_dir(dir);
	return 0;
}

#define assert_good(call)                                                 \
	do {                                                              \
		err = (struct err){ 0 };                                  \
		int good_rc = (call);                                     \
		if (good_rc != 0)                                         \
			fail_msg("%s: %d: %s", #call, good_rc, err.text); \
	} while (0)
/* call fails with code, and the text has the words */
#define assert_bad(call, wanted, words)                                                     \
	do {                                                                                \
		err = (struct err){ 0 };                                                    \
		int bad_rc = (call);                                                        \
		if (bad_rc != (wanted) || strstr(err.text, words) == NULL)                  \
			fail_msg("%s: %d: \"%s\", not %d: \"%s\"", #call, bad_rc, err.text, \
			    (wanted), words);                                               \
	} while (0)

static inline int
open_store(void **state)
{
	if (make_dir(state) != 0)
		return -1;
	if (store_open(dir, STORE_WRITE, &st, &err) != 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	return 0;
}

static inline const char *
file_in(const char *name)
{
	static char path[4][320];
	static unsigned at;

	at = (at + 1) % 4;
	(void)snprintf(path[at], sizeof(path[at]), "%s/%s", dir, name);
	return path[at];
}

static const struct commit_info by_test = { .who = "test", .origin = "cli" };

static inline char *
with_spaces(char *word)
{
	for (char *p = word; *p != '\0'; p++)
		if (*p == '~')
			*p = ' ';
	return word;
}

/* One line: "create vip web address=10.0.0.1 ports=80"; several, separated by "; ", are one commit. ~ is a space inside of
 * a word. */
static inline int
parse_line(struct doc *d, char *line)
{
	static const struct {
		const char *word;
		enum doc_op op;
	} ops[] = { { "replace", DOC_REPLACE }, { "create", DOC_CREATE }, { "set", DOC_MERGE },
		{ "unset", DOC_MERGE }, { "delete", DOC_DELETE }, { "cascade", DOC_DELETE },
		{ "rename", DOC_RENAME } };
	char *word[64], *save = NULL;
	const struct object *o;
	struct doc_item *it;
	int n = 0, rc;
	unsigned i = 0;

	for (char *w = strtok_r(line, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		word[n++] = with_spaces(w);
	while (strcmp(ops[i].word, word[0]) != 0)
		i++;
	rc = doc_kind(word[1], &o, &err);
	if (rc == 0)
		rc = doc_add(d, ops[i].op, o, n > 2 ? word[2] : NULL, 0, &it, &err);
	if (rc != 0)
		return rc;
	it->cascade = strcmp(word[0], "cascade") == 0;
	if (ops[i].op == DOC_RENAME)
		return doc_set(d, it, "name", word[3], &err);
	return doc_args(d, it, strcmp(word[0], "unset") == 0, n - 3, word + 3, &err);
}

static inline int
edit_with(
    struct store *s, const char *lines, const struct commit_info *info, struct commit_result *r)
{
	char *text = mem_text(lines), *next = text, *end;
	struct doc d;
	int rc = 0;

	doc_init(&d);
	while (rc == 0 && next != NULL) {
		end = strstr(next, "; ");
		if (end != NULL)
			*end = '\0';
		rc = parse_line(&d, next);
		next = end != NULL ? end + 2 : NULL;
	}
	if (rc == 0)
		rc = store_edit(s, &d, info, r, &err);
	doc_fini(&d);
	free(text);
	return rc;
}

static inline int
edit(const char *lines)
{
	return edit_with(st, lines, &by_test, NULL);
}

static inline struct snapshot *
look(void)
{
	struct snapshot *s = NULL;

	assert_good(store_snapshot(st, &s, &err));
	return s;
}

/* A snapshot of that YAML, through a store of its own, on a machine without interfaces. */
static inline struct snapshot *
snapshot_of(const char *yaml)
{
	struct snapshot *s = NULL;
	struct doc d;

	assert_int_equal(open_store(NULL), 0);
	store_set_local(st, &(struct iface_list){ 0 });
	doc_init(&d);
	if (yaml_parse(&d, DOC_REPLACE, yaml, strlen(yaml), &err) != 0 ||
	    store_edit(st, &d, &by_test, NULL, &err) != 0)
		fail_msg("%s\n%s", err.text, yaml);
	doc_fini(&d);
	s = look();
	(void)drop_dir(NULL);
	return s;
}

static inline unsigned
seed_of(const char *what)
{
	const char *given = getenv("SEED");
	unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 0)
				      : (unsigned)time(NULL) ^ (unsigned)getpid() << 12;

	(void)printf("%s: SEED=%u\n", what, seed);
	return seed;
}

#endif
