/* JSON: what is read, which words a fault gets, and what the writer writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/doc.h"
#include "schema/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void
put_items(const struct doc *d, struct buf *out)
{
	for (const struct doc_item *it = d->first; it != NULL; it = it->next) {
		buf_printf(out, "%s%s %s", out->len > 0 ? " | " : "", it->o->name, it->path);
		for (unsigned i = 0; i < it->o->n; i++)
			if (it->text[i] != NULL)
				buf_printf(out, " %s=%s", it->o->f[i].name,
				    it->text[i] == DOC_UNSET ? "UNSET" : it->text[i]);
	}
}

static const struct {
	const char *text, *items;
} good[] = {
	{ "{}", "" },
	{ "{\"vip\":{},\"checks\":{}}", "" },
	{ "{\"vips\":{\"web\":{\"ports\":\"80\",\"retries\":3,\"enabled\":false}}}",
	    "vip web enabled=no ports=80 retries=3" },
	{ "{\"vip\":{\"web\":{\"ports\":80}}}", "vip web ports=80" },
	{ "{\"vip\":{\"web\":{\"ports\":[80,\"443\",\"8000-8010\"]}}}",
	    "vip web ports=80,443,8000-8010" },
	{ "{\"vip\":{\"web\":{\"labels\":[\"a=b\",\"c=d\"],\"ports\":[]}}}",
	    "vip web labels=a=b,c=d ports=" },
	{ "{\"vip\":{\"web\":{\"comment\":null,\"rips\":{\"r1\":{\"weight\":5}}}}}",
	    "vip web comment=UNSET | rip web/r1 weight=5" },
	{ "{\"vip\":{\"web\":{\"rips\":{\"r1\":{}},\"rules\":{\"x\":{\"order\":5}}}}}",
	    "vip web | rip web/r1 | rule web/x order=5" },
	{ "{\"setting\":{\"threads\":2}}", "setting main threads=2" },
	{ "{\"vip\":{\"web\":{\"comment\":\"\\u20ac\\n\"}}}", "vip web comment=\xe2\x82\xac\n" },
};

static void
test_json_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct buf b = { 0 };
		struct err err;
		struct doc d;

		doc_init(&d);
		if (json_parse(&d, DOC_MERGE, good[i].text, strlen(good[i].text), &err) != 0)
			fail_msg("%s\n%s", err.text, good[i].text);
		put_items(&d, &b);
		assert_string_equal(buf_text(&b), good[i].items);
		buf_fini(&b);
		doc_fini(&d);
	}
}

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "line 1: this is not JSON: " },
	{ "{\n\"vip\": {\"web\": }}", "line 2: this is not JSON: " },
	{ "[]", "an object belongs here" },
	{ "5", "line 1: this is not JSON: " },
	{ "{} {}", "line 1: this is not JSON: " },
	{ "{\"virtual\":{}}", "virtual: unknown object; did you mean vip?" },
	{ "{\"vip\":{\"web\":{\"schedular\":1}}}",
	    "vip web: schedular: unknown field; did you mean scheduler?" },
	{ "{\"vip\":{\"web\":{},\"web\":{}}}",
	    "line 1: this is not JSON: duplicate object key near '\"web\"'" },
	{ "{\"vip\":{},\"vips\":{}}", "vip: is there twice" },
	{ "{\"vip\":{\"web\":{\"rips\":{},\"rip\":{}}}}", "vip web: rip: is there twice" },
	{ "{\"vip\":{\"web\":{\"rips\":{},\"rules\":{},\"rip\":{}}}}",
	    "vip web: rip: is there twice" },
	{ "{\"vip\":5}", "vip: an object with names belongs here" },
	{ "{\"vip\":{\"web\":null}}", "vip web: an object with its fields belongs here" },
	{ "{\"vip\":{\"web\":{\"rips\":[]}}}", "vip web: rips: an object with names belongs here" },
	{ "{\"setting\":5}", "setting: an object with its fields belongs here" },
	{ "{\"vip\":{\"web\":{\"retries\":1.5}}}", "vip web: retries: a text, a whole number" },
	{ "{\"vip\":{\"web\":{\"retries\":{}}}}", "vip web: retries: a text, a whole number" },
	{ "{\"vip\":{\"web\":{\"retries\":[1]}}}", "vip web: retries: a list has no place here" },
	{ "{\"vip\":{\"web\":{\"ports\":[[1]]}}}", "vip web: ports: a list of texts or numbers" },
	{ "{\"vip\":{\"web\":{\"rips\":{\"a\":{\"address\":null}}}}}",
	    "rip web/a: address: is required" },
	{ "{\"vip\":{\"web\":{\"comment\":\"a\\u0000b\"}}}", "line 1: this is not JSON: " },
	{ "{\"vip\":{\"web\":{\"comment\":\"\xff\"}}}", "line 1: this is not JSON: " },
	{ "{\"user\":{\"joe\":{\"password\":\"hunter2\" hunter2", "line 1: this is not JSON: " },
	{ "{\"user\":{\"joe\":{\"password\":{\"hunter2\":1}}}}", "user joe: password: a text" },
};

static void
test_json_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { 0 };
		struct doc d;

		doc_init(&d);
		if (json_parse(&d, DOC_REPLACE, bad[i].text, strlen(bad[i].text), &err) !=
		    ERR_INVALID)
			fail_msg("taken: %s", bad[i].text);
		if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
			fail_msg("%s\n%s", err.text, bad[i].text);
		assert_null(strstr(err.text, "hunter2"));
		assert_int_equal(
		    json_parse(&d, DOC_REPLACE, bad[i].text, strlen(bad[i].text), NULL),
		    ERR_INVALID);
		doc_fini(&d);
	}
}

static void
test_json_depth(void **state)
{
	char text[400];
	struct err err;
	struct doc d;

	(void)state;
	doc_init(&d);
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	assert_int_equal(json_parse(&d, DOC_REPLACE, text, 66, &err), ERR_INVALID);
	assert_string_equal(err.text, "nested too deep; at most 32 levels are allowed");
	assert_int_equal(json_parse(&d, DOC_REPLACE, text + 1, 64, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "an object belongs here"));
	/* brackets in a text do not count */
	(void)snprintf(text, sizeof(text), "{\"vip\":{\"web\":{\"comment\":\"\\\"%s\"}}}",
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
	assert_int_equal(json_parse(&d, DOC_REPLACE, text, strlen(text), &err), 0);
	doc_fini(&d);
}

static void
test_json_parse_object(void **state)
{
	static const char body[] =
	    "{\"name\":\"web\",\"retries\":4,\"scheduler\":null,\"rips\":{\"r1\":{\"name\":\"r1\",\"vip\":\"web\"}}}";
	static const char other[] = "{\"name\":\"other\"}";
	struct buf b = { 0 };
	struct doc_item *it;
	struct err err;
	struct doc d;

	(void)state;
	doc_init(&d);
	assert_int_equal(doc_add(&d, DOC_MERGE, object_of(KIND_service), "web", 0, &it, &err), 0);
	if (json_parse_object(&d, it, body, strlen(body), &err) != 0)
		fail_msg("%s", err.text);
	put_items(&d, &b);
	assert_string_equal(buf_text(&b), "vip web scheduler=UNSET retries=4 | rip web/r1");
	assert_int_equal(d.first->next->op, DOC_MERGE);
	assert_int_equal(json_parse_object(&d, it, other, strlen(other), &err), ERR_INVALID);
	assert_string_equal(err.text, "vip web: name: is \"web\"; only a rename changes it");
	assert_int_equal(json_parse_object(&d, it, "[", 1, &err), ERR_INVALID);
	assert_string_equal(err.object, "vip web");
	buf_fini(&b);
	doc_fini(&d);
}

static const struct {
	const char *text;
	size_t len;
	const char *quoted;
} strings[] = {
	{ "", 0, "\"\"" },
	{ "web 1", 5, "\"web 1\"" },
	{ "a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"" },
	{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
	{ "\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"" },
	{ "</script>", 9, "\"<\\/script>\"" },
	{ "\xc3\xa4\xf0\x9f\x98\x80", 6, "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
	{ "\xc2\x85\xe2\x80\xa8", 5, "\"\\u0085\\u2028\"" },
	{ "a\xff"
	  "b\xc3",
	    4,
	    "\"a\xef\xbf\xbd"
	    "b\xef\xbf\xbd\"" },
	{ "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
};

static void
test_json_quote(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct buf b = { 0 };

		json_quote(&b, strings[i].text, strings[i].len);
		assert_string_equal(buf_text(&b), strings[i].quoted);
		buf_fini(&b);
	}
}

static void
write_all(struct json_writer *w)
{
	const struct object *vip = object_of(KIND_service);
	struct cell yes = { .i = 1 }, five = { .i = 5000 }, text = { .s = "80,443", .len = 6 };

	jw_object(w, NULL);
	jw_object(w, "empty");
	jw_end(w);
	jw_array(w, "list");
	jw_int(w, NULL, -1);
	jw_uint(w, NULL, UINT64_MAX);
	jw_real(w, NULL, 1.25, 1);
	jw_real(w, NULL, NAN, 1);
	jw_array(w, NULL);
	jw_end(w);
	jw_object(w, NULL);
	jw_bool(w, "a\"", true);
	jw_end(w);
	jw_end(w);
	jw_string(w, "none", NULL);
	jw_raw(w, "raw", "[1]", 3);
	jw_cell(w, "enabled", field_find(vip, "enabled"), &yes, NULL);
	jw_cell(w, "max_conns", field_find(vip, "max_conns"), &five, NULL);
	jw_cell(w, "connect_timeout", field_find(vip, "connect_timeout"), &five, NULL);
	jw_cell(w, "ports", field_find(vip, "ports"), &text, NULL);
	jw_end(w);
	jw_finish(w);
}

static void
test_json_writer(void **state)
{
	struct json_writer w;
	struct buf b = { 0 };

	(void)state;
	jw_init(&w, &b, 0);
	write_all(&w);
	assert_string_equal(buf_text(&b),
	    "{\"empty\":{},\"list\":[-1,18446744073709551615,1.2,null,[],{\"a\\\"\":true}],\"none\":null,"
	    "\"raw\":[1],\"enabled\":true,\"max_conns\":5000,\"connect_timeout\":\"5s\",\"ports\":\"80,443\"}");
	b.len = 0;
	jw_init(&w, &b, 2);
	jw_object(&w, NULL);
	jw_array(&w, "list");
	jw_int(&w, NULL, 1);
	jw_object(&w, NULL);
	jw_end(&w);
	jw_end(&w);
	jw_end(&w);
	jw_finish(&w);
	assert_string_equal(buf_text(&b), "{\n  \"list\": [\n    1,\n    {}\n  ]\n}\n");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_good),
		cmocka_unit_test(test_json_bad),
		cmocka_unit_test(test_json_depth),
		cmocka_unit_test(test_json_parse_object),
		cmocka_unit_test(test_json_quote),
		cmocka_unit_test(test_json_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
