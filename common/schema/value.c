/* The types: how each is read from text, checked, shown, and laid into a struct.
 *
 * One row of ops for each type; the rows of text types are in value_text.c and value_addr.c, those whose cell
 * is a number are here. Quantities differ only in their units and are shown in the largest unit that divides
 * them. A reference is a name in text and a number in a cell; who knows the names is passed in. A secret is a
 * number that names a row of the secrets file: its text is never parsed, kept or shown here.
 *
 * Pure: no file, no clock, no log. A refused value gives one sentence with the value and what is allowed. */
#include "schema/value_priv.h"
#include "schema/utf8.h"
#include "base/must.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHOWN_MAX 80 /* bytes of a refused value that are repeated */
#define TIME_FORM "%Y-%m-%dT%H:%M:%SZ"

static const struct unit time_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	{ "h", 3600000 }, { "d", 86400000 }, { 0 } };
static const struct unit second_units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 },
	{ 0 } };
static const struct unit size_units[] = { { "", 1 }, { "K", 1LL << 10 }, { "M", 1LL << 20 },
	{ "G", 1LL << 30 }, { "T", 1LL << 40 }, { 0 } };
static const struct unit pct_units[] = { { "%", 1 }, { "", 1 }, { 0 } };
static const struct unit no_units[] = { { "", 1 }, { 0 } };

/* Digits at the start of text; their number, 0 when there are none or they do not fit. */
static size_t
scan_digits(const char *text, int64_t *out)
{
	size_t n = 0;

	for (*out = 0; text[n] >= '0' && text[n] <= '9'; n++)
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, text[n] - '0', out))
			return 0;
	return n;
}

static const char *
parse_quantity(const struct field *f, const char *text, const struct unit *u, struct cell *out)
{
	size_t sign = f->min < 0 && text[0] == '-' ? 1 : 0, n;
	int64_t v;

	text += sign;
	n = scan_digits(text, &v);
	if (n == 0)
		return "";
	for (; u->suffix != NULL; u++)
		if (strcmp(text + n, u->suffix) == 0)
			break;
	if (u->suffix == NULL && v == 0 && text[n] == '\0')
		u = no_units; /* nothing is nothing in every unit */
	if (u->suffix == NULL && text[n] == '\0')
		return f->type == VT_DUR_S ? "; it needs a unit: s, m, h or d"
					   : "; it needs a unit: ms, s, m, h or d";
	if (u->suffix == NULL || __builtin_mul_overflow(v, u->factor, &v))
		return "";
	v = sign > 0 ? -v : v;
	*out = (struct cell){ .i = v };
	return v >= f->min && v <= f->max ? NULL : "";
}

static void
format_quantity(int64_t v, const struct unit *units, struct buf *out)
{
	const struct unit *best = units;

	for (const struct unit *u = units; v != 0 && u->suffix != NULL; u++)
		if (v % u->factor == 0 && u->factor > best->factor)
			best = u;
	if (v == 0 && units == time_units)
		best = &time_units[1];
	buf_printf(out, "%" PRId64 "%s", v / best->factor, best->suffix);
}

/* Percent with up to two digits behind the point, as a number of hundredths; the sign may be left out. */
static const char *
parse_share(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	size_t n, digits = 0;
	int64_t v, part = 0;

	(void)a;
	n = scan_digits(text, &v);
	if (n == 0 || v > f->max)
		return "";
	text += n;
	if (*text == '.') {
		digits = scan_digits(++text, &part);
		if (digits == 0 || digits > 2)
			return "";
		text += digits;
	}
	if (*text != '\0' && strcmp(text, "%") != 0)
		return "";
	*out = (struct cell){ .i = v * 100 + (digits == 1 ? part * 10 : part) };
	return out->i >= f->min && out->i <= f->max ? NULL : "";
}

static void
put_share(int64_t v, struct buf *out)
{
	buf_printf(out, "%" PRId64, v / 100);
	if (v % 10 != 0)
		buf_printf(out, ".%02d", (int)(v % 100));
	else if (v % 100 != 0)
		buf_printf(out, ".%d", (int)(v % 100 / 10));
	buf_puts(out, "%");
}

static void
format_share(const struct cell *c, struct buf *out)
{
	put_share(c->i, out);
}

static void
allowed_share(const struct field *f, struct buf *out)
{
	put_share(f->min, out);
	buf_puts(out, " to ");
	put_share(f->max, out);
	buf_puts(out, ", in steps of 0.01%");
}

static const char *
parse_bool(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on" };

	(void)f, (void)a;
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], text) == 0) {
			*out = (struct cell){ .i = i % 2 };
			return NULL;
		}
	return "";
}

static void
format_bool(const struct cell *c, struct buf *out)
{
	buf_puts(out, c->i != 0 ? "yes" : "no");
}

static void
allowed_bool(const struct field *f, struct buf *out)
{
	(void)f;
	buf_puts(out, "yes, no");
}

/* ISO 8601 in UTC, to the second. The round trip refuses what timegm would put right: 31 February, 24:60. */
static const char *
parse_time(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	char again[24];
	struct tm tm = { 0 };
	const char *end;
	time_t t;

	(void)f, (void)a;
	*out = (struct cell){ 0 };
	if (text[0] == '\0')
		return NULL;
	end = strptime(text, TIME_FORM, &tm);
	if (end == NULL || *end != '\0')
		return "";
	t = timegm(&tm);
	if (t <= 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(again, sizeof(again), TIME_FORM, &tm) == 0 || strcmp(again, text) != 0)
		return "";
	out->i = t;
	return NULL;
}

static void
format_time(const struct cell *c, struct buf *out)
{
	time_t t = (time_t)c->i;
	char text[40];
	struct tm tm;

	if (t == 0)
		return;
	if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), TIME_FORM, &tm) == 0)
		buf_puts(out, "?");
	else
		buf_puts(out, text);
}

static void
allowed_time(const struct field *f, struct buf *out)
{
	(void)f;
	buf_puts(out, "a time in UTC, as 2027-01-31T00:00:00Z");
}

static void
allowed_ref(const struct field *f, struct buf *out)
{
	buf_printf(out, "the name of a %s", object_of(f->ref)->name);
}

/* "@N" names a row of the secrets file. */
static const char *
parse_secret(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	int64_t v;
	size_t n;

	(void)f, (void)a;
	*out = (struct cell){ 0 };
	if (text[0] == '\0')
		return NULL;
	n = text[0] == '@' ? scan_digits(text + 1, &v) : 0;
	if (n == 0 || text[1 + n] != '\0' || v == 0 || v > UINT32_MAX)
		return "";
	out->i = v;
	return NULL;
}

static void
format_secret(const struct cell *c, struct buf *out)
{
	if (c->i != 0)
		buf_printf(out, "@%" PRId64, c->i);
}

static void
allowed_secret(const struct field *f, struct buf *out)
{
	buf_printf(out, "%d to %d characters, or nothing", (int)f->min, (int)f->max);
}

static int
load_i16(const struct field *f, const struct cell *c, struct arena *a, void *member)
{
	(void)f, (void)a;
	if (c->i < INT16_MIN || c->i > INT16_MAX)
		return -EINVAL;
	*(int16_t *)member = (int16_t)c->i;
	return 0;
}

static void
save_i16(const struct field *f, const void *member, struct arena *a, struct cell *out)
{
	(void)f, (void)a;
	out->i = *(const int16_t *)member;
}

static const struct type_ops u16_ops = { .bytes = 2, .units = no_units };
static const struct type_ops u32_ops = { .bytes = 4, .units = no_units };
static const struct type_ops i16_ops = {
	.bytes = 2, .units = no_units, .load = load_i16, .save = save_i16
};
static const struct type_ops dur_ms_ops = { .bytes = 4, .units = time_units };
static const struct type_ops dur_s_ops = { .bytes = 4, .units = second_units };
static const struct type_ops bytes_ops = { .bytes = 8, .units = size_units };
static const struct type_ops pct_ops = { .bytes = 1, .units = pct_units };
static const struct type_ops share_ops = {
	.bytes = 2, .parse = parse_share, .format = format_share, .allowed = allowed_share
};
static const struct type_ops ref_ops = { .bytes = 4, .allowed = allowed_ref };
static const struct type_ops bool_ops = {
	.bytes = 1, .parse = parse_bool, .format = format_bool, .allowed = allowed_bool
};
static const struct type_ops time_ops = {
	.bytes = 8, .parse = parse_time, .format = format_time, .allowed = allowed_time
};
static const struct type_ops secret_ops = {
	.bytes = 4, .parse = parse_secret, .format = format_secret, .allowed = allowed_secret
};

static const struct type_ops *const types[] = {
	[VT_NAME] = &value_name_ops,
	[VT_TEXT] = &value_text_ops,
	[VT_TCHAR] = &value_tchar_ops,
	[VT_LABELS] = &value_labels_ops,
	[VT_HOST] = &value_host_ops,
	[VT_ADDR] = &value_addr_ops,
	[VT_NET] = &value_net_ops,
	[VT_CIDR] = &value_cidr_ops,
	[VT_RANGES] = &value_ranges_ops,
	[VT_ADDRS] = &value_addrs_ops,
	[VT_PEM] = &value_pem_ops,
	[VT_LINES] = &value_lines_ops,
	[VT_ENUM] = &value_enum_ops,
	[VT_U16] = &u16_ops,
	[VT_U32] = &u32_ops,
	[VT_I16] = &i16_ops,
	[VT_DUR_MS] = &dur_ms_ops,
	[VT_DUR_S] = &dur_s_ops,
	[VT_BYTES] = &bytes_ops,
	[VT_PCT] = &pct_ops,
	[VT_SHARE] = &share_ops,
	[VT_BOOL] = &bool_ops,
	[VT_TIME] = &time_ops,
	[VT_REF] = &ref_ops,
	[VT_SECRET] = &secret_ops,
};

void
value_allowed(const struct field *f, struct buf *out)
{
	const struct type_ops *t = types[f->type];

	if (t->units == NULL) {
		t->allowed(f, out);
		return;
	}
	format_quantity(f->min, t->units, out);
	buf_puts(out, " to ");
	format_quantity(f->max, t->units, out);
}

void
value_show(const char *text, struct buf *out)
{
	size_t n = strlen(text), at = 0;
	uint32_t ch;

	while (at < n && at < SHOWN_MAX) {
		unsigned len = utf8_next(text + at, n - at, &ch);

		if (len == 0 || ch < 0x20 || (ch >= 0x7f && ch < 0xa0)) {
			buf_printf(out, "\\x%02x", (unsigned char)text[at]);
			at++;
		} else {
			buf_put(out, text + at, len);
			at += len;
		}
	}
	if (at < n)
		buf_puts(out, "...");
}

static int
refuse(const struct field *f, const char *text, const char *why, struct err *err)
{
	struct buf shown = { 0 }, allowed = { 0 };
	const char *near = NULL;

	if (err == NULL)
		return ERR_INVALID;
	if (f->type == VT_SECRET)
		buf_puts(&shown, "***");
	else if (f->type == VT_PEM) /* it may be a private key */
		buf_printf(&shown, "... (%zu bytes)", strlen(text));
	else
		value_show(text, &shown);
	value_allowed(f, &allowed);
	if (f->type == VT_ENUM) {
		const char *words[UINT8_MAX];
		unsigned n = 0;

		for (; n < f->words->n && n < ARRAY_LEN(words); n++)
			words[n] = f->words->w[n].text;
		near = words_nearest(words, n, text);
	}
	if (f->type == VT_REF)
		(void)err_field(err, ERR_INVALID, NULL, f->name, "there is no %s \"%s\"",
		    object_of(f->ref)->name, buf_text(&shown));
	else
		(void)err_field(err, ERR_INVALID, NULL, f->name,
		    "\"%s\" is not allowed: %s%s%s%s%s", buf_text(&shown), buf_text(&allowed), why,
		    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
		    near != NULL ? "?" : "");
	buf_fini(&shown);
	buf_fini(&allowed);
	return ERR_INVALID;
}

static const char *
parse_ref(const struct field *f, const char *text, const struct names *names, struct cell *out)
{
	*out = (struct cell){ 0 };
	if (text[0] == '\0')
		return NULL;
	if (names != NULL && names->id != NULL)
		out->i = names->id(names->arg, f->ref, text);
	return out->i != 0 ? NULL : "";
}

int
value_parse(const struct field *f, const char *text, const struct names *names, struct arena *a,
    struct cell *out, struct err *err)
{
	const struct type_ops *t = types[f->type];
	struct cell c = { 0 };
	const char *why;

	if (text[0] == '\0' && (f->flags & (F_KEY | F_REQUIRED)) != 0)
		return err_field(err, ERR_INVALID, NULL, f->name, "is required");
	if (f->type == VT_REF)
		why = parse_ref(f, text, names, &c);
	else if (t->units != NULL)
		why = parse_quantity(f, text, t->units, &c);
	else
		why = t->parse(f, text, a, &c);
	if (why != NULL)
		return refuse(f, text, why, err);
	*out = c;
	return 0;
}

void
value_format(
    const struct field *f, const struct cell *c, const struct names *names, struct buf *out)
{
	const struct type_ops *t = types[f->type];
	const char *name = NULL;

	if (f->type == VT_REF) {
		if (c->i != 0 && names != NULL && names->name != NULL)
			name = names->name(names->arg, f->ref, (uint32_t)c->i);
		buf_puts(out, c->i == 0 ? "" : name != NULL ? name : "?");
	} else if (t->units != NULL) {
		format_quantity(c->i, t->units, out);
	} else if (t->format != NULL) {
		t->format(c, out);
	} else {
		buf_put(out, c->s, c->len);
	}
}

void
value_short(const struct field *f, const struct cell *c, const struct names *names, struct buf *out)
{
	unsigned n = 0;

	if (f->type == VT_LINES) {
		if (c->len > 0)
			buf_printf(out, "%u bytes", (unsigned)c->len);
		return;
	}
	if (f->type != VT_PEM) {
		value_format(f, c, names, out);
		return;
	}
	for (const char *p = c->s; (p = strstr(p, PEM_BEGIN)) != NULL; p += strlen(PEM_BEGIN))
		n++;
	if (n > 0)
		buf_printf(out, "%u %s%s", n, f->ref == PEM_crls ? "list" : "certificate",
		    n > 1 ? "s" : "");
}

void
value_default(const struct field *f, struct arena *a, struct cell *out)
{
	if (f->def != NULL && f->def[0] != '\0')
		must(value_parse(f, f->def, NULL, a, out, NULL) == 0);
	else
		*out = (struct cell){ .s = field_is_int(f) ? NULL : "" };
}

int
value_load(const struct field *f, const struct cell *c, struct arena *a, void *object)
{
	const struct type_ops *t = types[f->type];
	void *m = (char *)object + f->offset;

	if ((c->s == NULL) != field_is_int(f))
		return -EINVAL;
	if (t->load != NULL)
		return t->load(f, c, a, m);
	if (c->i < 0 || (t->bytes < 8 && c->i >> (8 * t->bytes) != 0) ||
	    (f->type == VT_BOOL && c->i > 1))
		return -EINVAL;
	switch (t->bytes) {
	case 1: *(uint8_t *)m = (uint8_t)c->i; break;
	case 2: *(uint16_t *)m = (uint16_t)c->i; break;
	case 4: *(uint32_t *)m = (uint32_t)c->i; break;
	default: *(int64_t *)m = c->i; break;
	}
	return 0;
}

void
value_save(const struct field *f, const void *object, struct arena *a, struct cell *out)
{
	const struct type_ops *t = types[f->type];
	const void *m = (const char *)object + f->offset;

	*out = (struct cell){ 0 };
	if (t->save != NULL) {
		t->save(f, m, a, out);
		return;
	}
	switch (t->bytes) {
	case 1: out->i = *(const uint8_t *)m; break;
	case 2: out->i = *(const uint16_t *)m; break;
	case 4: out->i = *(const uint32_t *)m; break;
	default: out->i = *(const int64_t *)m; break;
	}
}

bool
value_same(const struct field *f, const void *a, const void *b)
{
	const struct type_ops *t = types[f->type];
	const void *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;

	return t->same != NULL ? t->same(x, y) : memcmp(x, y, t->bytes) == 0;
}

void
object_defaults(const struct object *o, struct arena *a, void *object)
{
	struct cell c;

	for (unsigned i = 0; i < o->n; i++) {
		value_default(&o->f[i], a, &c);
		must(value_load(&o->f[i], &c, a, object) == 0 || o->f[i].def == NULL);
	}
}

bool
cell_same(const struct cell *a, const struct cell *b)
{
	if (a->s == NULL || b->s == NULL)
		return a->s == b->s && a->i == b->i;
	return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* On the wire: length with its NUL and the text, or length 0 and the number. A length of two bytes that are all
 * ones is followed by the true one. */
void
cell_put(struct buf *b, const struct cell *c)
{
	bool large = c->s != NULL && c->len + 1 >= UINT16_MAX;

	must(c->len < UINT32_MAX);
	buf_put_be(b, large ? UINT16_MAX : c->s != NULL ? c->len + 1 : 0, 2);
	if (large)
		buf_put_be(b, c->len + 1, 4);
	if (c->s != NULL) {
		buf_put(b, c->s, c->len);
		buf_put_be(b, 0, 1);
	} else {
		buf_put_be(b, (uint64_t)c->i, 8);
	}
}

/* Text carries its NUL on the wire, so that a cell can be used in place. */
void
cell_take(struct rd *r, struct cell *out)
{
	size_t n = (size_t)rd_be(r, 2);
	const char *s;

	*out = (struct cell){ 0 };
	if (n == 0) {
		out->i = (int64_t)rd_be(r, 8);
		return;
	}
	if (n == UINT16_MAX)
		n = (size_t)rd_be(r, 4);
	s = n > 0 ? rd_bytes(r, n) : NULL;
	if (s == NULL || s[n - 1] != '\0' || strlen(s) != n - 1)
		r->bad = true;
	else
		*out = (struct cell){ .s = s, .len = (uint32_t)(n - 1) };
}
