/* Entries of lists: what each kind finds, how text is read and written, additions, and what 100,000 of them cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mono.h"
#include "lbd-proxy/lists/itemset.h"
#include "schema/schema.h"

#define MANY 100000

static struct err err;

static struct itemset *
make(unsigned kind, const char *text)
{
	struct itemset *s = itemset_read(kind, text, strlen(text), &err);

	if (s == NULL)
		fail_msg("%s", err.text);
	return s;
}

/* "-": it is not in the list; else its value. */
static const char *
look(const struct itemset *s, const char *key)
{
	static char out[ITEM_MOST + 1];
	struct item_value v;
	struct addr a;
	bool has;

	if (itemset_kind(s) == list_kind_address) {
		assert_int_equal(addr_parse(key, ADDR_HOST, &a), 0);
		has = itemset_has_addr(s, &a, &v);
		assert_false(itemset_has(s, key, strlen(key), NULL));
	} else {
		has = itemset_has(s, key, strlen(key), &v);
	}
	if (!has)
		return "-";
	memcpy(out, v.at, v.len);
	out[v.len] = '\0';
	return out;
}

struct lookup {
	const char *key, *value;
};

static void
look_all(struct itemset *s, const struct lookup *l)
{
	for (; l->key != NULL; l++)
		assert_string_equal(look(s, l->key), l->value);
	itemset_unref(s);
}

static void
test_address(void **state)
{
	static const struct lookup in[] = { { "10.0.0.0", "ten" }, { "10.1.2.3", "one" },
		{ "10.1.2.4", "two" }, { "10.1.3.0", "sixteen" }, { "10.2.0.0", "ten" },
		{ "10.255.255.255", "ten" }, { "11.0.0.0", "-" }, { "9.255.255.255", "-" },
		{ "255.255.255.255", "end" }, { "255.255.255.254", "-" }, { "::", "-" },
		{ "2001:db8::1", "doc" }, { "2001:db8:0:1::", "sub" },
		{ "2001:db8:0:1:ffff:ffff:ffff:ffff", "sub" }, { "2001:db8:0:2::", "doc" },
		{ "2001:db9::", "-" }, { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "last" },
		{ NULL, NULL } };
	static const struct lookup every[] = { { "0.0.0.0", "all" }, { "255.255.255.255", "all" },
		{ "::", "six" }, { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "six" },
		{ NULL, NULL } };

	(void)state;
	look_all(
	    make(list_kind_address,
		"255.255.255.255 end\n10.0.0.0/8 ten # office\n10.1.2.3 one\n10.1.0.0/16 sixteen\n"
		"10.1.2.0/24 two\n2001:db8::/32 doc\n2001:db8:0:1::/64 sub\n"
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff last\n"),
	    in);
	look_all(make(list_kind_address, "0.0.0.0/0 all\n::/0 six\n"), every);
	look_all(make(list_kind_address, "# nothing\n\n"),
	    (const struct lookup[]){ { "10.0.0.1", "-" }, { "::1", "-" }, { NULL, NULL } });
}

/* What halving over flat stretches says is what looking at each network says. */
static void
test_address_like_all(void **state)
{
	struct addr net[64], a;
	struct itemset *s;
	struct buf text = { 0 };

	(void)state;
	for (unsigned seed = 1; seed < 200; seed++) {
		srand(seed);
		text.len = 0;
		for (unsigned i = 0; i < 64; i++) {
			char t[ADDR_TEXT];

			net[i] = (struct addr){ .family = 4, .len = (uint8_t)(24 + rand() % 9) };
			net[i].b[0] = 10;
			net[i].b[3] = (uint8_t)(rand() & ~((1 << (32 - net[i].len)) - 1));
			addr_format(&net[i], ADDR_NET, t);
			buf_printf(&text, "%s\n", t);
		}
		s = make(list_kind_address, buf_text(&text));
		for (unsigned h = 0; h < 256; h++) {
			bool in = false;

			a = (struct addr){ .family = 4, .len = 32, .b = { 10, 0, 0, (uint8_t)h } };
			for (unsigned i = 0; i < 64; i++)
				in = in || addr_contains(&net[i], &a);
			assert_int_equal(itemset_has_addr(s, &a, NULL), in);
		}
		itemset_unref(s);
	}
	buf_fini(&text);
}

static void
test_words(void **state)
{
	(void)state;
	look_all(
	    make(list_kind_word, "a\nB two words\n\"c d\" \"  x # \"\n\"q\\\"\\\\\" v\nplain\\n\n"),
	    (const struct lookup[]){ { "a", "" }, { "A", "-" }, { "B", "two words" }, { "b", "-" },
		{ "c d", "  x # " }, { "c", "-" }, { "q\"\\", "v" }, { "plain\\n", "" },
		{ "", "-" }, { NULL, NULL } });
	look_all(make(list_kind_word_nocase, "Alpha x\nBETA\n"),
	    (const struct lookup[]){ { "ALPHA", "x" }, { "alpha", "x" }, { "beta", "" },
		{ "gamma", "-" }, { NULL, NULL } });
}

static void
test_prefix(void **state)
{
	(void)state;
	look_all(
	    make(list_kind_prefix, "/ root\n/a one\n/a/b two\n/a/b/c three\n/ab four\n/z last\n"),
	    (const struct lookup[]){ { "/", "root" }, { "/a", "one" }, { "/a/", "one" },
		{ "/a/b", "two" }, { "/a/bz", "two" }, { "/a/b/c/d", "three" }, { "/abc", "four" },
		{ "/b", "root" }, { "/zz", "last" }, { "x", "-" }, { "", "-" }, { NULL, NULL } });
	look_all(make(list_kind_prefix, "b\nd\n"),
	    (const struct lookup[]){ { "a", "-" }, { "b", "" }, { "bz", "" }, { "c", "-" },
		{ "dz", "" }, { "e", "-" }, { NULL, NULL } });
}

static void
test_suffix(void **state)
{
	(void)state;
	look_all(
	    make(list_kind_suffix,
		"example.org e\n*.example.net below\nwww.Example.org w\n.www.example.org under\norg. o\n"),
	    (const struct lookup[]){ { "example.org", "e" }, { "EXAMPLE.ORG.", "e" },
		{ "a.example.org", "e" }, { "www.example.org", "w" },
		{ "x.www.example.org", "under" }, { "badexample.org", "o" }, { "example.net", "-" },
		{ "a.b.example.net", "below" }, { "org", "o" }, { "net", "-" }, { "", "-" },
		{ ".", "-" }, { NULL, NULL } });
}

static void
test_text(void **state)
{
	static const struct {
		unsigned kind;
		const char *in, *out;
	} t[] = {
		{ list_kind_address, "  10.1.2.3\r\n10.0.0.0/8\tx y \n::1/128\n10.1.2.3/32\n",
		    "# entries of kind address\n10.0.0.0/8 x y\n10.1.2.3\n::1\n" },
		{ list_kind_word, "b\n\"a#\" \"#v\"\nc#d e#f\n\"x y\" \"\"\n\"b\"",
		    "# entries of kind word\n\"a#\" \"#v\"\nb\n\"c#d\" \"e#f\"\n\"x y\"\n" },
		{ list_kind_suffix, "*.B.example\nA.example.\n",
		    "# entries of kind suffix\n.b.example\na.example\n" },
		{ list_kind_prefix, "", "# entries of kind prefix\n" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct itemset *s = make(t[i].kind, t[i].in), *again;

		out.len = 0;
		itemset_write(s, &out);
		assert_string_equal(buf_text(&out), t[i].out);
		again = itemset_load((const char *)out.p, out.len, &err);
		assert_non_null(again);
		assert_int_equal(itemset_kind(again), t[i].kind);
		assert_int_equal(itemset_count(again), itemset_count(s));
		out.len = 0;
		itemset_write(again, &out);
		assert_string_equal(buf_text(&out), t[i].out);
		itemset_unref(again);
		itemset_unref(s);
	}
	buf_fini(&out);
}

static void
test_bad(void **state)
{
	char longer[ITEM_MOST + 20];
	static const struct {
		unsigned kind;
		const char *in, *says;
	} t[] = {
		{ list_kind_address, "10.0.0.1\n10.0.0.300\n", "line 2: 10.0.0.300: allowed are" },
		{ list_kind_address, "10.0.0.1/8\n", "line 1: 10.0.0.1/8: allowed are" },
		{ list_kind_address, "\n\"\"\n", "line 2: the entry is empty" },
		{ list_kind_word, "a\na\nb\na x\n",
		    "line 4: the same entry has another value in line 1" },
		{ list_kind_word, "\"a\n", "line 1: the entry has a quote that is not closed" },
		{ list_kind_word, "\"a\"b\n", "line 1: the entry has something right behind" },
		{ list_kind_word, "\"a\\n\"\n", "line 1: the entry has a \\ within quotes" },
		{ list_kind_word, "\"a\tb\"\n", "line 1: the entry has a tab within quotes" },
		{ list_kind_word, "a \"b\" c\n", "line 1: something follows the value" },
		{ list_kind_word, "a\x01\n", "line 1: has a control character (01)" },
		{ list_kind_suffix, "a..b\n", "line 1: a..b: allowed are names" },
		{ list_kind_suffix, "*\n", "line 1: *: allowed are names" },
		{ list_kind_suffix, "a/b\n", "line 1: a/b: allowed are names" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_null(itemset_read(t[i].kind, t[i].in, strlen(t[i].in), &err));
		assert_int_equal(err.code, ERR_INVALID);
		if (strncmp(err.text, t[i].says, strlen(t[i].says)) != 0)
			fail_msg("%s: %s", t[i].in, err.text);
	}
	memset(longer, 'x', sizeof(longer));
	assert_null(itemset_read(list_kind_word, longer, sizeof(longer), &err));
	assert_string_equal(err.text, "line 1: the entry is longer than 1000 bytes");
	assert_null(itemset_load("a\nb\n", 4, &err));
	assert_null(itemset_load("# entries of kind words\n", 24, &err));
}

static void
test_change(void **state)
{
	struct itemset *base = make(list_kind_word, "a 1\nb 2\nc 3\n"),
		       *more = make(list_kind_word, "b 9\nd\n"), *both, *less, *rest;

	(void)state;
	both = itemset_add(base, more, &err);
	assert_string_equal(look(both, "b"), "9");
	assert_string_equal(look(both, "c"), "3");
	assert_string_equal(look(both, "d"), "");
	assert_int_equal(itemset_count(both), 4);
	less = make(list_kind_word, "a\nd\n");
	rest = itemset_take(both, less, &err);
	assert_int_equal(itemset_count(rest), 2);
	assert_string_equal(look(rest, "a"), "-");
	assert_null(itemset_take(rest, less, &err));
	assert_string_equal(err.text, "line 1: that entry is not in the list");
	assert_null(itemset_take(NULL, less, &err));
	itemset_unref(rest);
	rest = itemset_add(NULL, less, &err);
	assert_int_equal(itemset_count(rest), 2);
	itemset_unref(rest);
	itemset_unref(both);
	itemset_unref(less);
	itemset_unref(more);
	itemset_unref(base);
}

static uint32_t
step(uint32_t *x)
{
	return *x = *x * 1664525u + 1013904223u;
}

/* 100,000 of each kind: read, looked up. What it costs is printed; the bound is far off, for slow machines. */
static void
test_many(void **state)
{
	static const struct {
		const char *before, *after;
		char between;
	} form[] = { { "", "\n", '.' }, { "user-", "\n", '.' }, { "user-", "\n", '.' },
		{ "/path/", "\n", '/' }, { "h", ".example\n", '.' } };
	static char key[1000][64];

	(void)state;
	for (unsigned kind = 0; kind < 5; kind++) {
		struct buf text = { 0 };
		uint32_t x = 1, hits = 0;
		struct itemset *s;
		mono_t t0, t1, t2;

		for (unsigned i = 0; i < MANY; i++) {
			uint32_t r = step(&x) >> 4;
			char line[64];

			(void)snprintf(line, sizeof(line), "%s%u%c%u%c%u%c%u%s", form[kind].before,
			    r & 127, form[kind].between, r >> 7 & 255, form[kind].between,
			    r >> 15 & 255, form[kind].between, r >> 23 & 31, form[kind].after);
			buf_puts(&text, line);
			if (i % (MANY / 1000) == 0) {
				line[strlen(line) - 1] = '\0';
				memcpy(key[i / (MANY / 1000)], line, sizeof(line));
			}
		}
		t0 = mono_now();
		s = itemset_read(kind, (const char *)text.p, text.len, &err);
		t1 = mono_now();
		assert_non_null(s);
		for (unsigned i = 0; i < 1000; i++) {
			struct addr a;

			if (kind == 0)
				assert_int_equal(addr_parse(key[i], ADDR_HOST, &a), 0);
			hits += kind == 0 ? itemset_has_addr(s, &a, NULL)
					  : itemset_has(s, key[i], strlen(key[i]), NULL);
		}
		assert_int_equal(hits, 1000);
		t1 -= t0; /* reading */
		t0 = mono_now();
		for (unsigned n = 0; n < 100; n++)
			for (unsigned i = 0; i < 1000; i++) {
				struct addr a = { .family = 4, .len = 32 };

				memcpy(a.b, key[(i * 7 + n) % 1000], 4);
				hits += kind == 0 ? itemset_has_addr(s, &a, NULL)
						  : itemset_has(s, key[i], strlen(key[i]), NULL);
			}
		t2 = mono_now() - t0;
		print_message(
		    "kind %u: %u entries, %zu KiB, read in %lld ms, a lookup takes %lld ns\n", kind,
		    itemset_count(s), itemset_bytes(s) / 1024, (long long)t1 / 1000,
		    (long long)t2 / 100); /* 100,000 of them in microseconds */
		assert_true(t2 < DUR_S(5));
		itemset_unref(s);
		buf_fini(&text);
	}
}

static void
test_most(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (unsigned i = 0; i <= ITEMS_MOST; i++)
		buf_printf(&text, "%u\n", i);
	assert_null(itemset_read(list_kind_word, (const char *)text.p, text.len, &err));
	assert_string_equal(
	    err.text, "line 1000001: is one entry too many: a list has at most 1000000");
	buf_fini(&text);
	assert_null(itemset_read(list_kind_word, "", ITEMS_TEXT_MOST + 1, &err));
}

/* Each value once, with the key of the first entry in order that has it. */
static void
test_values(void **state)
{
	static const struct {
		unsigned kind;
		const char *text, *out; /* out: with | for each NUL */
	} rows[] = {
		{ list_kind_word, "", "" },
		{ list_kind_word, "a x\nb y\nc x\n", "a|x|b|y|" },
		{ list_kind_word, "a\nb\nc \"two words\"\n", "a||c|two words|" },
		{ list_kind_word, "\"a b\" x\n", "a b|x|" },
		{ list_kind_suffix, ".B.Example x\n", ".b.example|x|" },
		{ list_kind_prefix, "/a x\n/a/b x\n", "/a|x|" },
		{ list_kind_address, "192.0.2.1 x\n198.51.100.0/24 y\n2001:db8::/32 x\n",
		    "192.0.2.1|x|198.51.100.0/24|y|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct itemset *s = make(rows[i].kind, rows[i].text);
		struct buf b = { 0 };

		itemset_values(s, &b);
		for (size_t k = 0; k < b.len; k++)
			b.p[k] = b.p[k] == '\0' ? '|' : b.p[k];
		assert_string_equal(buf_text(&b), rows[i].out);
		buf_fini(&b);
		itemset_unref(s);
	}
}

/* Many, of which some are the same; and what is longer than any name. */
static void
test_values_many(void **state)
{
	struct buf text = { 0 }, b = { 0 };
	struct itemset *s;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		buf_printf(&text, "k%06u v%u\n", i, i % 7000);
	buf_printf(&text, "%0200d %0200d\n", 1, 2);
	s = make(list_kind_word, buf_text(&text));
	itemset_values(s, &b);
	for (size_t k = 0; k < b.len; k++)
		n += b.p[k] == '\0';
	assert_int_equal(n, 2 * 7001);
	assert_int_equal(strlen((const char *)b.p), 100);
	assert_int_equal(strlen((const char *)b.p + 101), 64);
	buf_fini(&b);
	itemset_unref(s);
	text.len = 0;
	for (unsigned i = 0; i < MANY + 5; i++)
		buf_printf(&text, "k%06u v%u\n", i, i);
	s = make(list_kind_word, buf_text(&text));
	b = (struct buf){ 0 };
	itemset_values(s, &b);
	n = 0;
	for (size_t k = 0; k < b.len; k++)
		n += b.p[k] == '\0';
	assert_int_equal(n, 2 * ITEMS_VALUES_MOST);
	buf_fini(&b);
	buf_fini(&text);
	itemset_unref(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_address_like_all),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_suffix),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_values_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
