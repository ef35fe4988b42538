/* Lists and meters in conditions of content rules: what is read, what it means, how the rest is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "schema/rule_text.h"

static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(4096);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_unref(arena);
	return 0;
}

static void
read_as(const char *text, unsigned where, struct when *w)
{
	struct err err;

	if (when_parse(text, where, false, arena, w, &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

static void
test_meters(void **state)
{
	static const struct {
		const char *text;
		unsigned where;
		struct when_meter m;
	} rows[] = {
		{ "rate(requests, src, 10s) > 100", W_REQUEST,
		    { METER_REQUESTS, WHEN_src, 32, 64, 0, 0, NULL, 10000 } },
		{ "rate( errors ,header(X-Api-Key),1m )>=20", W_REQUEST,
		    { METER_ERRORS, WHEN_header, 0, 0, 0, 9, "X-Api-Key", 60000 } },
		{ "rate(requests,src/24/48,1h) is 5", W_REQUEST,
		    { METER_REQUESTS, WHEN_src, 24, 48, 0, 0, NULL, 3600000 } },
		{ "rate(requests,src/0,1d) < 5", W_REQUEST,
		    { METER_REQUESTS, WHEN_src, 0, 64, 0, 0, NULL, 86400000 } },
		{ "rate(bytes_out, host, 1s) > 1000000", W_REQUEST,
		    { METER_BYTES_OUT, WHEN_host, 0, 0, 0, 0, NULL, 1000 } },
		{ "rate(bytes_in, cert.subject, 5m) > 1", W_REQUEST,
		    { METER_BYTES_IN, WHEN_cert_subject, 0, 0, 0, 0, NULL, 300000 } },
		{ "rate(connections, src, 10s) > 5", W_TCP,
		    { METER_CONNECTIONS, WHEN_src, 32, 64, 0, 0, NULL, 10000 } },
		{ "conns(src) > 50", W_REQUEST, { METER_CONNS, WHEN_src, 32, 64, 0, 0, NULL, 0 } },
		{ "conns( src/16 ) > 50", W_TCP, { METER_CONNS, WHEN_src, 16, 64, 0, 0, NULL, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct when w;

		read_as(rows[i].text, rows[i].where, &w);
		assert_int_equal(w.n, 1);
		assert_non_null(w.term[0].meter);
		if (!rule_meter_same(w.term[0].meter, &rows[i].m))
			fail_msg("%s", rows[i].text);
		when_fini(&w);
	}
}

/* As it is shown is as it can be written, in the shortest form. */
static void
test_meters_shown(void **state)
{
	static const struct {
		const char *text, *shown;
		unsigned where;
	} rows[] = {
		{ "rate( requests ,src/32/64, 10s) > 1", "rate(requests, src, 10s)", W_REQUEST },
		{ "rate(bytes_out,src/24,90s) > 1", "rate(bytes_out, src/24, 90s)", W_REQUEST },
		{ "rate(errors,src/32/128,120s) > 1", "rate(errors, src/32/128, 2m)", W_REQUEST },
		{ "rate(bytes_in,header(X-Key),3600s) > 1", "rate(bytes_in, header(X-Key), 1h)",
		    W_REQUEST },
		{ "rate(connections,src,24h) > 1", "rate(connections, src, 1d)", W_TCP },
		{ "conns(src/0/0) > 1", "conns(src/0/0)", W_TCP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = { 0 };
		struct when w, again;

		read_as(rows[i].text, rows[i].where, &w);
		rule_meter_format(w.term[0].meter, &b);
		assert_string_equal(buf_text(&b), rows[i].shown);
		buf_puts(&b, " > 1");
		read_as(buf_text(&b), rows[i].where, &again);
		assert_true(rule_meter_same(w.term[0].meter, again.term[0].meter));
		when_fini(&w);
		when_fini(&again);
		buf_fini(&b);
	}
}

static const char *const set_of[] = { "office", "names" };

static bool
has(const void *set, unsigned type, const struct when_found *f, const char **value, uint32_t *len)
{
	*value = set;
	*len = (uint32_t)strlen(set);
	if (type == WHEN_ADDR)
		return set == set_of[0] && f->addr->b[0] == 10;
	return set == set_of[1] && f->len == 1 && f->text[0] == 'a';
}

static bool
get(void *arg, unsigned source, const char *name, unsigned name_len, unsigned nth,
    struct when_found *out)
{
	static const struct addr src = { .family = 4, .len = 32, .b = { 10, 1, 2, 3 } };

	(void)arg;
	(void)name_len;
	out->text = "a";
	out->len = 1;
	out->addr = &src;
	if (source == WHEN_rate) {
		const struct when_meter *m = (const void *)name;

		out->number = m->window_ms / 1000;
	}
	return nth == 0 && source != WHEN_header;
}

static void
test_holds(void **state)
{
	static const struct {
		const char *text;
		bool bound, yes;
	} rows[] = {
		{ "src in @office", true, true },
		{ "src in @office", false, false }, /* its entries are not here */
		{ "not src in @office", true, false },
		{ "src in 192.0.2.1, @office", true, true },
		{ "src in @office, 192.0.2.1", true, true },
		{ "src in 10.1.2.3, @names", true, true },
		{ "host in @names", true, true },
		{ "host in @office", true, false },
		{ "header(X) in @names", true, false },
		{ "host is '@names'", true, false },
		{ "path starts @names", true, false },
		{ "rate(requests, src, 7s) > 6", true, true },
		{ "rate(requests, src, 7s) > 7", true, false },
		{ "src in @office and rate(requests, src, 7s) in 5, 7", true, true },
		{ "rate(requests, src, 7s) exists", true, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct when w;

		read_as(rows[i].text, W_REQUEST, &w);
		for (unsigned t = 0; t < w.n; t++)
			for (unsigned k = 0; k < w.term[t].n; k++) {
				struct when_value *v = &w.term[t].value[k];

				for (unsigned s = 0; v->list != NULL && rows[i].bound && s < 2; s++)
					if (strcmp(v->list, set_of[s]) == 0)
						v->set = set_of[s];
				v->has = has;
			}
		if (when_test(&w, get, NULL, NULL, NULL) != rows[i].yes)
			fail_msg("%s", rows[i].text);
		when_fini(&w);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned where;
		const char *says;
	} rows[] = {
		{ "src in @", W_REQUEST,
		    "column 8: \"@\" has no place here; allowed is the name of a list" },
		{ "port in @ports", W_REQUEST, "column 9: port is looked up in no list" },
		{ "scheme is @s", W_REQUEST, "column 11: scheme is looked up in no list" },
		{ "rate > 5", W_REQUEST,
		    "column 6: \">\" has no place here; allowed is rate(WHAT, KEY, TIME)" },
		{ "rate", W_REQUEST, "column 5: it ends here; allowed is rate(WHAT" },
		{ "rate(request, src, 10s) > 5", W_REQUEST,
		    "column 6: \"request\" has no place here; allowed is requests, connections, errors" },
		{ "rate(requests, src, 10s) > 5", W_TCP,
		    "column 6: \"requests\" has no place here; allowed is connections, bytes_in or bytes_out" },
		{ "rate(requests src, 10s) > 5", W_REQUEST,
		    "column 15: \"src\" has no place here; allowed is a comma" },
		{ "rate(requests, port, 10s) > 5", W_REQUEST,
		    "column 16: \"port\" has no place here; allowed is src" },
		{ "rate(requests, body, 10s) > 5", W_REQUEST,
		    "column 16: \"body\" has no place here" },
		{ "rate(requests, header, 10s) > 5", W_REQUEST,
		    "column 22: \",\" has no place here; allowed is a name in parentheses" },
		{ "rate(connections, host, 10s) > 5", W_REQUEST,
		    "column 19: \"host\" has no place here; allowed is src, src/BITS" },
		{ "rate(bytes_in, sni, 10s) > 5", W_TCP,
		    "column 16: \"sni\" has no place here; allowed is src, src/BITS" },
		{ "rate(requests, src/33, 10s) > 5", W_REQUEST,
		    "column 20: \"33\" has no place here; allowed is bits of IPv4 from 0 to 32" },
		{ "rate(requests, src/8/129, 10s) > 5", W_REQUEST,
		    "allowed is bits of IPv6 from 0 to 128" },
		{ "rate(requests, src) > 5", W_REQUEST, "allowed is a comma and a time" },
		{ "rate(requests, src, 10) > 5", W_REQUEST,
		    "column 21: \"10\" has no place here; allowed is a time from 1s to 1d" },
		{ "rate(requests, src, 0s) > 5", W_REQUEST, "allowed is a time from 1s to 1d" },
		{ "rate(requests, src, 2d) > 5", W_REQUEST, "allowed is a time from 1s to 1d" },
		{ "rate(requests, src, 99999999d) > 5", W_REQUEST,
		    "allowed is a time from 1s to 1d" },
		{ "rate(requests, src, 10s > 5", W_REQUEST,
		    "allowed is a parenthesis that closes" },
		{ "rate(requests, src, 10s) contains 5", W_REQUEST,
		    "\"contains\" is no operator of rate" },
		{ "rate(requests, src, 10s) > x", W_REQUEST, "\"x\" is no number" },
		{ "rate(requests, src, 10s) > 5", W_REQUEST | W_ANSWER,
		    "column 1: rate is not known any more when the answer comes" },
		{ "conns > 5", W_REQUEST, "allowed is conns(KEY), as conns(src)" },
		{ "conns(host) > 5", W_REQUEST,
		    "column 7: \"host\" has no place here; allowed is src" },
		{ "conns(src, 5s) > 5", W_REQUEST,
		    "column 10: \",\" has no place here; allowed is a parenthesis that closes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { 0 };
		struct when w;

		assert_int_equal(
		    when_parse(rows[i].text, rows[i].where, false, arena, &w, &err), ERR_INVALID);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

static void
test_templates(void **state)
{
	struct rule_text t;
	struct err err;

	(void)state;
	assert_int_equal(
	    rule_text_parse("{rate(requests, src, 10s)}", W_REQUEST, 0, arena, &t, &err),
	    ERR_INVALID);
	assert_int_equal(
	    rule_text_parse("{conns(src)}", W_REQUEST, 0, arena, &t, &err), ERR_INVALID);
	assert_int_equal(rule_text_parse("{value}", W_REQUEST, 0, arena, &t, &err), ERR_INVALID);
	assert_non_null(strstr(err.text, "column 1: {value} is what a list has behind its entry"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_meters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_meters_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_templates, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
