/* import: the files in, our YAML and the report out. Nothing is applied.
 *
 * What is printed was read back and put through all rules of the configuration in a store that is thrown away. A row
 * that these refuse is left out; then the same with the addresses of this node, and a row that only this node refuses
 * (its address is still held by the program that is replaced, say) is kept, and said. */
#include "change/scratch.h"
#include "ctl.h"
#include "import/import.h"

#include "store/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INCLUDE_DEPTH_MAX 8
#define INCLUDE_FILES_MAX 1000
#define REFUSED_MAX 20	   /* rows that are looked for one after the other */
#define REFUSED_HERE_MAX 5 /* those that only this node refuses */

static const struct {
	const char *word;
	int (*parse)(struct import *im, const char *text, size_t len, struct err *err);
} forms[] = {
	{ "ipvs", import_ipvs },
	{ "ldirectord", import_ldirectord },
	{ "keepalived", import_keepalived },
	{ "haproxy", import_haproxy },
};

/* ---- files -------------------------------------------------------------------------------------------------- */

struct files {
	const char *main; /* the file itself; "-" is standard input */
	unsigned depth, n;
	size_t bytes;
};

static int
read_text(struct files *f, const char *path, struct buf *text, struct err *err)
{
	int rc = input_text(path, text, err);

	f->bytes += text->len;
	if (rc == 0 && f->bytes > IMPORT_BYTES_MAX)
		rc = err_set(err, ERR_INVALID, "%s: longer than %u MiB, with all that it includes",
		    path, IMPORT_BYTES_MAX >> 20);
	return rc;
}

/* A relative pattern is relative to the folder of the file that names it. */
static void
pattern_path(const struct files *f, const char *pattern, const char *from, char *out, size_t room)
{
	char dir[PATH_MAX];

	(void)snprintf(dir, sizeof(dir), "%s", from != NULL ? from : f->main);
	if (pattern[0] == '/' || strcmp(dir, "-") == 0)
		(void)snprintf(out, room, "%s", pattern);
	else
		(void)snprintf(out, room, "%s/%s", dirname(dir), pattern);
}

static int
include_one(struct files *f, const char *path, import_each_fn each, void *arg, struct err *err)
{
	struct buf text = { 0 };
	int rc;

	if (++f->n > INCLUDE_FILES_MAX)
		return err_set(
		    err, ERR_INVALID, "more than %d files are included", INCLUDE_FILES_MAX);
	if (f->depth == INCLUDE_DEPTH_MAX)
		return err_set(err, ERR_INVALID, "%s: files include each other more than %d deep",
		    path, INCLUDE_DEPTH_MAX);
	f->depth++;
	rc = read_text(f, path, &text, err);
	if (rc == 0)
		rc = each(arg, path, buf_text(&text), text.len, err);
	f->depth--;
	x509_wipe(&text); /* it may have had a private key */
	return rc;
}

static int
include(void *arg, const char *pattern, const char *from, import_each_fn each, void *each_arg,
    struct err *err)
{
	struct files *f = arg;
	char path[2 * PATH_MAX];
	glob_t g = { 0 };
	int rc;

	pattern_path(f, pattern, from, path, sizeof(path));
	rc = glob(path, GLOB_BRACE | GLOB_MARK, NULL, &g);
	if (rc != 0) {
		globfree(&g);
		return err_set(err, ERR_UNKNOWN, "%s: no such file", path);
	}
	for (size_t i = 0; rc == 0 && i < g.gl_pathc; i++) {
		size_t n = strlen(g.gl_pathv[i]);

		if (n > 0 && g.gl_pathv[i][n - 1] != '/')
			rc = include_one(f, g.gl_pathv[i], each, each_arg, err);
	}
	globfree(&g);
	return rc;
}

/* ---- what the rules say ------------------------------------------------------------------------------------- */

static int
check_once(struct import *im, const struct iface_list *local, struct err *err)
{
	struct buf text = { 0 };
	struct doc d;
	int rc;

	import_write(im, true, "", &text);
	doc_init(&d);
	rc = yaml_parse(&d, DOC_REPLACE, buf_text(&text), text.len, err);
	if (rc == 0)
		rc = scratch_check(&d, local, err);
	doc_fini(&d);
	buf_fini(&text);
	return rc;
}

/* The sentence without the line of our own YAML and without the object, which stand before it in the report. */
static const char *
reason(const struct err *err)
{
	const char *at = strstr(err->text, err->object);

	at = at != NULL ? at + strlen(err->object) : err->text;
	return at + strspn(at, ": ");
}

/* Rows that are refused are marked, each with its line of the report. ERR_INVALID: too many of them. */
static int
check_rules(struct import *im, struct err *err)
{
	struct err why = { 0 };

	for (unsigned n = 0; check_once(im, NULL, &why) != 0; why = (struct err){ 0 }) {
		struct import_row *r = import_find(im, why.object);

		if (r != NULL && r->o == object_of(KIND_content_rule) &&
		    strcmp(why.field, "order") == 0 && import_reach(im, r))
			continue;
		if (n == REFUSED_MAX || r == NULL || r->left_out) {
			*err = why;
			if (n == REFUSED_MAX)
				(void)err_prefix(
				    err, "more than %d rows are refused, the last: ", REFUSED_MAX);
			return err->code;
		}
		import_say(im, r->at, NOT_TAKEN, why.object, "left out%s: %s",
		    r->o == object_of(KIND_vrouter) ? ", with its addresses" : "", reason(&why));
		r->left_out = true;
		n++;
	}
	return 0;
}

/* The same with the addresses of this node, where the file may be meant for another one: said, and kept. */
static void
check_here(struct import *im, const struct iface_list *local)
{
	struct err why = { 0 };

	for (unsigned n = 0; check_once(im, local, &why) != 0; n++, why = (struct err){ 0 }) {
		struct import_row *r = import_find(im, why.object);

		if (r == NULL || r->hidden)
			return;
		if (n == REFUSED_HERE_MAX) {
			import_say(im, (struct place){ 0 }, TAKEN_OTHERWISE, "this node",
			    "it would refuse more rows now, which are not looked for");
			return;
		}
		import_say(im, r->at, TAKEN_OTHERWISE, why.object,
		    "it is in the YAML, but this node would refuse it now: %s", reason(&why));
		r->hidden = true;
	}
}

static int
check_all(struct import *im, struct err *err)
{
	struct iface_list local = { 0 };
	int rc = check_rules(im, err);

	if (rc == 0 && netlink_addresses(&local, NULL) == 0)
		check_here(im, &local);
	iface_list_fini(&local);
	return rc;
}

/* ---- out ---------------------------------------------------------------------------------------------------- */

static int
write_file(const char *path, const struct buf *b, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t at = 0;
	ssize_t n = 0;

	if (fd == -1)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	while (at < b->len && (n = write(fd, b->p + at, b->len - at)) > 0)
		at += (size_t)n;
	if (close(fd) != 0 || at < b->len)
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

static int
print_all(struct ctl *c, struct import *im, struct err *err)
{
	struct buf yaml = { 0 }, report = { 0 };
	char title[80];
	int rc = 0;

	(void)snprintf(
	    title, sizeof(title), "Imported by lbctl import %s; nothing was applied.", c->argv[0]);
	import_report(im, &report);
	if (GIVEN(c, report))
		rc = write_file(c->opt[OPT_report], &report, err);
	else if (!GIVEN(c, quiet))
		(void)fwrite(report.p, 1, report.len, stderr);
	if (rc == 0) {
		import_write(im, false, title, &yaml);
		ctl_print(&yaml);
	}
	buf_fini(&yaml);
	buf_fini(&report);
	return rc;
}

static int
mark_address(const struct ctl *c, struct import *im, struct err *err)
{
	const char *text = c->opt[OPT_address];

	if (text == NULL)
		return 0;
	if (addr_parse(text, ADDR_HOST, &im->mark_address) != 0 || im->mark_address.family == 0)
		return err_set(
		    err, ERR_USAGE, "--address: \"%s\" is not an IPv4 or IPv6 address", text);
	return 0;
}

int
cmd_import(struct ctl *c, struct err *err)
{
	struct files files = { .main = c->argv[1] };
	struct buf text = { 0 };
	struct import im;
	unsigned form = 0;
	int rc;

	import_init(&im);
	im.include = include;
	im.include_arg = &files;
	while (strcmp(forms[form].word, c->argv[0]) != 0)
		form++; /* one of them: commands.def says so */
	rc = mark_address(c, &im, err);
	if (rc == 0)
		rc = read_text(&files, files.main, &text, err);
	if (rc == 0) {
		rc = forms[form].parse(&im, buf_text(&text), text.len, err);
		if (rc == 0)
			rc = import_finish(&im, err);
		if (rc != 0)
			(void)err_prefix(err,
			    "%s: ", strcmp(files.main, "-") == 0 ? "standard input" : files.main);
	}
	if (rc == 0)
		rc = check_all(&im, err);
	if (rc == 0)
		rc = print_all(c, &im, err);
	if (rc == 0 && im.count[NOT_TAKEN] > 0)
		rc = EXIT_DIFFERS;
	import_fini(&im);
	buf_fini(&text);
	return rc;
}
