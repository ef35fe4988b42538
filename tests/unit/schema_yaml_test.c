/* YAML: what is read, where a fault is, and that what is written is read back as the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/doc.h"
#include "schema/yaml.h"

#include <string.h>

static int
parse(struct doc *d, const char *text, struct err *err)
{
	*err = (struct err){ 0 };
	doc_init(d);
	return yaml_parse(d, DOC_REPLACE, text, strlen(text), err);
}

static const struct {
	const char *text, *saved; /* as doc_save has it, lines joined by a space */
} good[] = {
	{ "", "" },
	{ "# nothing\n", "" },
	{ "{}", "" },
	{ "---\n...\n", "" },
	{ "vips: {}\nchecks:\nfips: ~\nusers: null\n", "" },
	{ "vip: {web: {address: 10.0.0.1, ports: 80}}",
	    "replace vip web address=10.0.0.1 ports=80" },
	{ "vip:\n  web:\n    ports: [80, 443, 8000-8010]\n",
	    "replace vip web ports=80,443,8000-8010" },
	{ "vip:\n  web:\n    ports:\n    - 80\n    - '443'\n    labels: [a=b, c=d]\n",
	    "replace vip web labels=a=b,c=d ports=80,443" },
	{ "virtual-service: {web: {rips: {r1: {address: fd00::1}, r2: }}}",
	    "replace vip web | replace rip web/r1 address=fd00::1 | replace rip web/r2" },
	{ "vip: {web: {server: {r1: {}}}}", "replace vip web | replace rip web/r1" },
	{ "vip: {web: {rips: {r1: {}}, rules: {x: {order: 5}}}}",
	    "replace vip web | replace rip web/r1 | replace rule web/x order=5" },
	{ "rips: {web/r1: {weight: 5}}", "replace rip web/r1 weight=5" },
	{ "setting: {threads: 2}\nnode:\n", "replace setting main threads=2 | replace node main" },
	{ "setting: {name: main}", "replace setting main" },
	{ "vip: {web: {name: web, comment: }}", "replace vip web comment=" },
	{ "vip: {web: {comment: \"a: b # c\", enabled: true, retries: 0x1}}",
	    "replace vip web comment=a: b # c enabled=true retries=0x1" },
	{ "vip: {web: {comment: ~, check: null}}", "replace vip web comment=~ check=null" },
	{ "\xef\xbb\xbfvip: {web: {}}", "replace vip web" },
};

static void
put_item(const struct doc_item *it, struct buf *out)
{
	buf_printf(out, "%sreplace %s %s", out->len > 0 ? " | " : "", it->o->name, it->path);
	for (unsigned i = 0; i < it->o->n; i++)
		if (it->text[i] != NULL)
			buf_printf(out, " %s=%s", it->o->f[i].name, it->text[i]);
}

static void
test_yaml_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct buf b = { 0 };
		struct err err;
		struct doc d;

		if (parse(&d, good[i].text, &err) != 0)
			fail_msg("%s\n%s", err.text, good[i].text);
		for (const struct doc_item *it = d.first; it != NULL; it = it->next) {
			assert_int_equal(it->op, DOC_REPLACE);
			put_item(it, &b);
		}
		assert_string_equal(buf_text(&b), good[i].saved);
		buf_fini(&b);
		doc_fini(&d);
	}
}

static const struct {
	const char *text, *why;
} bad[] = {
	{ "vip:\n  web:\n    schedular: wrr\n",
	    "line 3: vip web: schedular: unknown field; did you mean scheduler?" },
	{ "virtual: {}\n", "line 1: virtual: unknown object; did you mean vip?" },
	{ "vip:\n  web: {}\n  web: {}\n", "line 3: vip web: is there twice" },
	{ "vip:\n  web:\n    ports: 80\n    ports: 81\n",
	    "line 4: vip web: ports: is there twice" },
	{ "vip: {}\nvips: {}\n", "line 2: vip: is there twice" },
	{ "vip:\n  web:\n    rips: {}\n    rip: {}\n", "line 4: vip web: rip: is there twice" },
	{ "vip:\n  web:\n    rips: {}\n    rules: {}\n    rip: {}\n",
	    "line 5: vip web: rip: is there twice" },
	{ "vip: {web: {rips: {a: {}}}}\nrip: {web/a: {}}\n", "line 2: rip web/a: is there twice" },
	{ "vip:\n  'we b': {}\n", "line 2: vip: name: \"we b\" is not allowed" },
	{ "vip: {web: {rips: {a/b: {}}}}\n", "line 1: rip: name: \"a/b\" is not allowed" },
	{ "rip: {a: {}}", "line 1: rip: name: \"a\" is not allowed: it needs" },
	{ "interface: {lo: {}}", "line 1: interface: is not part of the configuration" },
	{ "admin: {}", "line 1: admin: is not part" },
	{ "vip: &x {}\nfip: *x\n", "line 2: aliases have no place here" },
	{ "vip: {web: {ports: *x}}", "line 1: aliases have no place here" },
	{ "{}\n---\n{}\n", "line 2: a second document has no place here" },
	{ "[1, 2]", "line 1: a list has no place here" },
	{ "text", "line 1: a value stands where kinds of objects belong" },
	{ "vip: [web]", "line 1: a list has no place here" },
	{ "vip: web", "line 1: vip: a value stands where names belong" },
	{ "vip: {web: x}", "line 1: vip: web: a value stands where fields belong" },
	{ "vip: {web: {rips: x}}", "line 1: vip web: rips: a value stands where names belong" },
	{ "setting: x", "line 1: setting: a value stands where fields belong" },
	{ "vip: {web: {ports: {a: b}}}", "line 1: vip web: ports: a mapping stands where" },
	{ "vip: {web: {ports: [[1]]}}", "line 1: a list has no place here" },
	{ "vip: {web: {ports: [{a: b}]}}", "line 1: a mapping has no place here" },
	{ "vip: {web: {mode: [http]}}", "line 1: vip web: mode: a list has no place here" },
	{ "? {a: b}\n: c\n", "line 1: a mapping has no place here" },
	{ "? [a]\n: c\n", "line 1: a list has no place here" },
	{ "vip: {web: {comment: \"a\\0b\"}}", "line 1: a NUL has no place" },
	{ "vip: {web: {", "line 2: this is not YAML: " },
	{ "vip:\n\tweb: {}\n", "line 2: this is not YAML: " },
	{ "vip: {web: {comment: \xff}}", "line 1: this is not YAML: " },
	{ "vip: {a: {rips: {b: {vip: {c: {rips: {d: {e: f}}}}}}}}",
	    "line 1: rip a/b: vip: a mapping" },
};

static void
test_yaml_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err;
		struct doc d;

		if (parse(&d, bad[i].text, &err) != ERR_INVALID)
			fail_msg("taken: %s", bad[i].text);
		if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
			fail_msg("%s\n%s", err.text, bad[i].text);
		doc_fini(&d);
		doc_init(&d);
		assert_int_equal(
		    yaml_parse(&d, DOC_REPLACE, bad[i].text, strlen(bad[i].text), NULL),
		    ERR_INVALID);
		doc_fini(&d);
	}
}

static void
test_yaml_error_names(void **state)
{
	struct err err;
	struct doc d;

	(void)state;
	assert_int_equal(parse(&d, "vip: {web: {rips: {r1: {wieght: 1}}}}", &err), ERR_INVALID);
	assert_string_equal(err.object, "rip web/r1");
	assert_string_equal(err.field, "wieght");
	doc_fini(&d);
	assert_int_equal(parse(&d, "user: {joe: {password: [hunter2]}}", &err), ERR_INVALID);
	assert_null(strstr(err.text, "hunter2"));
	doc_fini(&d);
}

static void
test_yaml_lines(void **state)
{
	struct err err;
	struct doc d;

	(void)state;
	assert_int_equal(
	    parse(&d, "vip:\n  web:\n    ports: 80\n    rips:\n      a: {}\n", &err), 0);
	assert_int_equal(d.first->line, 2);
	assert_int_equal(d.first->next->line, 5);
	/* an error about a value that is found later has the line of its field */
	(void)err_field(&err, ERR_INVALID, NULL, "ports", "bad");
	(void)doc_item_err(d.first, d.first->line, &err);
	assert_string_equal(err.text, "line 3: vip web: ports: bad");
	(void)err_field(&err, ERR_INVALID, NULL, "address", "is required");
	(void)doc_item_err(d.first, d.first->line, &err);
	assert_string_equal(err.text, "line 2: vip web: address: is required");
	doc_fini(&d);
}

static void
test_yaml_twice_among_many(void **state)
{
	struct buf b = { 0 };
	struct err err;
	struct doc d;

	(void)state;
	buf_puts(&b, "vip:\n");
	for (unsigned i = 0; i < 2000; i++)
		buf_printf(&b, "  v%u: {rips: {a: {}, b%u: {}}}\n", i, i);
	assert_int_equal(parse(&d, buf_text(&b), &err), 0);
	assert_int_equal(d.n, 6000);
	doc_fini(&d);
	buf_puts(&b, "  v77: {}\n");
	assert_int_equal(parse(&d, buf_text(&b), &err), ERR_INVALID);
	assert_string_equal(err.text, "line 2002: vip v77: is there twice");
	doc_fini(&d);
	buf_fini(&b);
}

static void
test_yaml_too_large(void **state)
{
	struct err err;
	struct doc d;

	(void)state;
	doc_init(&d);
	/* the bytes are not looked at */
	assert_int_equal(yaml_parse(&d, DOC_REPLACE, "", (64U << 20) + 1, &err), ERR_INVALID);
	assert_string_equal(err.text, "the text has 67108865 bytes; at most 67108864 are allowed");
	doc_fini(&d);
}

/* free: of a name, a text or a word; else of a number, a duration or a boolean. */
static const struct {
	const char *text;
	bool free;
	const char *written;
} scalars[] = {
	{ "web", true, "web" },
	{ "web 1, and 2", true, "web 1, and 2" },
	{ "", true, "\"\"" },
	{ " a", true, "\" a\"" },
	{ "a ", true, "\"a \"" },
	{ "off", true, "\"off\"" },
	{ "Yes", true, "\"Yes\"" },
	{ "no", false, "no" },
	{ "null", true, "\"null\"" },
	{ "~", true, "\"~\"" },
	{ "80", true, "\"80\"" },
	{ "80", false, "80" },
	{ "80,443", false, "80,443" },
	{ "1.5", true, "\"1.5\"" },
	{ "1e5", true, "\"1e5\"" },
	{ "1_000", true, "\"1_000\"" },
	{ "0x1f", true, "\"0x1f\"" },
	{ "0b11", true, "\"0b11\"" },
	{ "0xyz", true, "0xyz" },
	{ "1a", true, "1a" },
	{ "2027-01-31", true, "\"2027-01-31\"" },
	{ "2027-01", true, "2027-01" },
	{ "10.0.0.1", true, "10.0.0.1" },
	{ "10.0.0.0/8", true, "10.0.0.0/8" },
	{ "::1", true, "\"::1\"" },
	{ "1:30", true, "\"1:30\"" },
	{ "5s", false, "5s" },
	{ "10%", false, "10%" },
	{ "@5", true, "\"@5\"" },
	{ "a: b", true, "\"a: b\"" },
	{ "a #b", true, "\"a #b\"" },
	{ "a\"b\\c", true, "a\"b\\c" },
	{ "\"b\\", true, "\"\\\"b\\\\\"" },
	{ "- a", true, "\"- a\"" },
	{ "<<", true, "\"<<\"" },
	{ "/", true, "/" },
	{ "K\xc3\xa4se", true, "K\xc3\xa4se" },
	{ "a\xe2\x80\xa8", true, "\"a\\u2028\"" },
	{ "\xef\xbb\xbf", true, "\"\\uFEFF\"" },
	{ "a\nb", true, "\"a\\u000Ab\"" },
	{ "\xff", true, "\"\xef\xbf\xbd\"" },
};

static void
test_yaml_scalars(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		struct buf b = { 0 }, doc = { 0 };
		const char *got;
		struct err err;
		struct doc d;

		yaml_quote(&b, scalars[i].text, scalars[i].free);
		assert_string_equal(buf_text(&b), scalars[i].written);
		/* and it is read back as the same text */
		buf_printf(&doc, "vip:\n  w:\n    comment: %s\n", buf_text(&b));
		assert_int_equal(parse(&d, buf_text(&doc), &err), 0);
		got = d.first->text[field_find(d.first->o, "comment") - d.first->o->f];
		if (scalars[i].text[0] != '\xff')
			assert_string_equal(got, scalars[i].text);
		doc_fini(&d);
		buf_fini(&b);
		buf_fini(&doc);
	}
}

static void
test_yaml_writer(void **state)
{
	const struct object *vip = object_of(KIND_service);
	struct yaml_writer w;
	struct buf b = { 0 };

	(void)state;
	yaml_writer_init(&w, &b);
	yaml_comment(&w, "lbd");
	yaml_map_begin(&w, "setting");
	yaml_map_end(&w);
	yaml_map_begin(&w, "vip");
	yaml_map_begin(&w, "on");
	yaml_scalar(&w, "comment", field_find(vip, "comment"), "5");
	yaml_scalar(&w, "retries", field_find(vip, "retries"), "5");
	yaml_scalar(&w, "enabled", field_find(vip, "enabled"), "no");
	yaml_scalar(&w, "check", field_find(vip, "check"), "1");
	yaml_map_begin(&w, "rips");
	yaml_map_begin(&w, "r1");
	yaml_map_end(&w);
	yaml_map_end(&w);
	yaml_map_end(&w);
	yaml_map_end(&w);
	yaml_writer_finish(&w);
	assert_string_equal(buf_text(&b), "# lbd\n"
					  "setting: {}\n"
					  "vip:\n"
					  "  \"on\":\n"
					  "    comment: \"5\"\n"
					  "    retries: 5\n"
					  "    enabled: no\n"
					  "    check: \"1\"\n"
					  "    rips:\n"
					  "      r1: {}\n");
	b.len = 0;
	yaml_writer_init(&w, &b);
	yaml_writer_finish(&w);
	assert_string_equal(buf_text(&b), "{}\n");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_good),
		cmocka_unit_test(test_yaml_bad),
		cmocka_unit_test(test_yaml_error_names),
		cmocka_unit_test(test_yaml_lines),
		cmocka_unit_test(test_yaml_twice_among_many),
		cmocka_unit_test(test_yaml_too_large),
		cmocka_unit_test(test_yaml_scalars),
		cmocka_unit_test(test_yaml_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
