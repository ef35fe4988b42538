/* import_rig.h - a foreign text through a parser of lbctl/import, as rows { text, what must be in the YAML, what must be in
 * the report or the error }. */
#ifndef TESTS_IMPORT_RIG_H
#define TESTS_IMPORT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "lbctl/import/import.h"

#include <string.h>

typedef int (*parse_fn)(struct import *im, const char *text, size_t len, struct err *err);

struct row {
	const char *text;
	const char *
	    yaml; /* the whole behind the comment, or with "..." in front a part of it; NULL: an error */
	const char *report; /* lines that must be in it, or the error; NULL: any */
};

static inline void
has_lines(const char *text, const char *all)
{
	const char *p = text, *end;
	char line[400];

	for (; *p != '\0'; p = *end != '\0' ? end + 1 : end) {
		end = p + strcspn(p, "\n");
		assert_true((size_t)(end - p) < sizeof(line));
		memcpy(line, p, (size_t)(end - p));
		line[end - p] = '\0';
		if (strstr(all, line) == NULL)
			fail_msg("not in the report: %s\n%s", line, all);
	}
}

/* mark: the address that --address gives; NULL: none. */
static inline void
check_row(parse_fn parse, const struct row *row, const char *mark)
{
	struct buf yaml = { 0 }, report = { 0 };
	struct err err = { 0 };
	struct import im;
	int rc;

	import_init(&im);
	if (mark != NULL)
		assert_int_equal(addr_parse(mark, ADDR_HOST, &im.mark_address), 0);
	rc = parse(&im, row->text, strlen(row->text), &err);
	if (rc == 0)
		rc = import_finish(&im, &err);
	if (row->yaml == NULL) {
		assert_int_equal(rc, ERR_INVALID);
		assert_string_equal(err.text, row->report);
	} else {
		if (rc != 0)
			fail_msg("%s", err.text);
		import_write(&im, false, "", &yaml);
		import_report(&im, &report);
		if (strncmp(row->yaml, "...", 3) != 0)
			assert_string_equal(strchr(buf_text(&yaml), '\n') + 1, row->yaml);
		else if (strstr(buf_text(&yaml), row->yaml + 3) == NULL)
			fail_msg("not in the YAML: %s\n%s", row->yaml + 3, buf_text(&yaml));
		if (row->report != NULL)
			has_lines(row->report, buf_text(&report));
	}
	import_fini(&im);
	buf_fini(&yaml);
	buf_fini(&report);
}

#define CHECK_ROWS(parse, rows)                         \
	for (size_t i_ = 0; i_ < ARRAY_LEN(rows); i_++) \
	check_row(parse, &(rows)[i_], NULL)

#endif
