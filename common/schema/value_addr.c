/* Types of the network: HOST, ADDR, NET, CIDR and RANGES.
 *
 * Addresses are written in their canonical form (RFC 5952 for IPv6), networks always with their length. An IPv4
 * address in the clothes of IPv6 (::ffff:10.0.0.1) is refused: it would be another value for the same thing. A
 * DNS name is one of RFC 1123 in lower case; one whose last part is a number is refused, since everybody would
 * read it as an address that somebody mistyped; a part may begin with "_" (RFC 8552), as names of SRV records do. Ranges rise and do not overlap; they are not joined, so what was
 * written is what is shown.
 *
 * Rows of ops only; value.c calls them. Names are not resolved here. */
#include "schema/value_priv.h"

#include <errno.h>
#include <string.h>

#define DNS_LABEL_MAX 63

/* ADDR, NET, CIDR: the form follows from the type. */

static enum addr_form
form_of(const struct field *f)
{
	return f->type == VT_NET ? ADDR_NET : f->type == VT_CIDR ? ADDR_CIDR : ADDR_HOST;
}

static bool
is_mapped(const struct addr *v)
{
	static const uint8_t front[12] = { [10] = 0xff, [11] = 0xff };

	return v->family == 6 && memcmp(v->b, front, sizeof(front)) == 0;
}

static const char *
parse_addr(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	char canon[ADDR_TEXT];
	struct addr v;

	if (addr_parse(text, form_of(f), &v) != 0)
		return "";
	if (is_mapped(&v))
		return "; write it as IPv4";
	addr_format(&v, form_of(f), canon);
	value_text_cell(canon, strlen(canon), a, out);
	return NULL;
}

static void
allowed_addr(const struct field *f, struct buf *out)
{
	buf_puts(out, "an IPv4 or IPv6 address");
	(void)f;
}

static void
allowed_net(const struct field *f, struct buf *out)
{
	buf_puts(out,
	    "an IPv4 or IPv6 network, as 10.0.0.0/8 or fd00::/64, without bits after its length");
	(void)f;
}

static void
allowed_cidr(const struct field *f, struct buf *out)
{
	buf_puts(out, "an IPv4 or IPv6 address, with or without a prefix length, as 10.0.0.1/24");
	(void)f;
}

static int
load_addr(const struct field *f, const struct cell *c, struct arena *a, void *member)
{
	(void)a;
	return addr_parse(c->s, form_of(f), member);
}

static void
save_addr(const struct field *f, const void *member, struct arena *a, struct cell *out)
{
	char canon[ADDR_TEXT];

	addr_format(member, form_of(f), canon);
	value_text_cell(canon, strlen(canon), a, out);
}

static bool
same_addr(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct addr)) == 0;
}

const struct type_ops value_addr_ops = { .parse = parse_addr,
	.allowed = allowed_addr,
	.load = load_addr,
	.save = save_addr,
	.same = same_addr };
const struct type_ops value_net_ops = { .parse = parse_addr,
	.allowed = allowed_net,
	.load = load_addr,
	.save = save_addr,
	.same = same_addr };
const struct type_ops value_cidr_ops = { .parse = parse_addr,
	.allowed = allowed_cidr,
	.load = load_addr,
	.save = save_addr,
	.same = same_addr };

/* HOST */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One part of a DNS name (RFC 1123 section 2.1, RFC 8552); its length, 0 when it is none. */
static size_t
scan_part(const char *s, bool *number_out)
{
	size_t n = s[0] == '_' ? 1 : 0;

	*number_out = n == 0;
	for (; is_digit(s[n]) || is_letter(s[n]) || s[n] == '-'; n++)
		*number_out = *number_out && is_digit(s[n]);
	return n > 0 && n <= DNS_LABEL_MAX && s[0] != '-' && s[n - 1] != '-' && s[n - 1] != '_' ? n
												: 0;
}

static bool
is_dns_name(const char *s)
{
	bool number;
	size_t n;

	for (;; s += n + 1) {
		n = scan_part(s, &number);
		if (n == 0)
			return false;
		if (s[n] == '\0')
			return !number;
		if (s[n] != '.')
			return false;
	}
}

static const char *
parse_host(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	size_t n = strlen(text);
	char *p;

	if (n == 0) {
		*out = (struct cell){ .s = "" };
		return NULL;
	}
	if (strchr(text, ':') != NULL || (is_digit(text[n - 1]) && !is_dns_name(text)))
		return parse_addr(f, text, a, out);
	if (!value_length_ok(f, n) || !is_dns_name(text))
		return "";
	p = arena_text(a, text, n);
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + 32);
	*out = (struct cell){ .s = p, .len = (uint32_t)n };
	return NULL;
}

static void
allowed_host(const struct field *f, struct buf *out)
{
	buf_puts(out, "an IPv4 or IPv6 address, or a DNS name");
	(void)f;
}

static int
load_host(const struct field *f, const struct cell *c, struct arena *a, void *member)
{
	struct host *h = member;

	(void)f;
	h->text = c->len > 0 ? arena_text(a, c->s, c->len) : "";
	(void)addr_parse(c->s, ADDR_HOST, &h->addr); /* family 0: a name */
	return 0;
}

static void
save_host(const struct field *f, const void *member, struct arena *a, struct cell *out)
{
	const struct host *h = member;

	(void)f, (void)a;
	*out = (struct cell){ .s = h->text != NULL ? h->text : "" };
	out->len = (uint32_t)strlen(out->s);
}

static bool
same_host(const void *x, const void *y)
{
	const struct host *a = x, *b = y;

	return a->text == b->text ||
	       (a->text != NULL && b->text != NULL && strcmp(a->text, b->text) == 0);
}

const struct type_ops value_host_ops = { .parse = parse_host,
	.allowed = allowed_host,
	.load = load_host,
	.save = save_host,
	.same = same_host };

/* RANGES */

struct range_list {
	unsigned n;
	struct {
		uint16_t lo, hi;
	} r[RANGES_MAX];
};

static bool
scan_number(const char **s, uint32_t *out)
{
	uint32_t v = 0;

	if (!is_digit(**s))
		return false;
	for (; is_digit(**s); (*s)++) {
		v = v * 10 + (uint32_t)(**s - '0');
		if (v > UINT16_MAX)
			return false;
	}
	*out = v;
	return true;
}

/* NULL, or what is wrong, as parse says it. */
static const char *
scan_ranges(const struct field *f, const char *s, struct range_list *out)
{
	uint32_t lo, hi;

	for (out->n = 0; *s != '\0'; out->n++) {
		if (out->n == RANGES_MAX)
			return "; there are too many of them";
		if (!scan_number(&s, &lo))
			return "";
		hi = lo;
		if (*s == '-') {
			s++;
			if (!scan_number(&s, &hi))
				return "";
		}
		if (lo < f->min || hi > f->max)
			return "";
		if (hi < lo || (out->n > 0 && lo <= out->r[out->n - 1].hi))
			return "; they must rise and not overlap";
		out->r[out->n].lo = (uint16_t)lo;
		out->r[out->n].hi = (uint16_t)hi;
		if (*s == ',') {
			s++;
			s += strspn(s, " ");
			if (*s == '\0')
				return "";
		} else if (*s != '\0') {
			return "";
		}
	}
	return NULL;
}

static void
print_range(unsigned lo, unsigned hi, bool first, struct buf *out)
{
	buf_printf(out, "%s%u", first ? "" : ",", lo);
	if (hi != lo)
		buf_printf(out, "-%u", hi);
}

static const char *
parse_ranges(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	struct range_list l;
	struct buf b = { 0 };
	const char *why = scan_ranges(f, text, &l);

	if (why != NULL)
		return why;
	for (unsigned i = 0; i < l.n; i++)
		print_range(l.r[i].lo, l.r[i].hi, i == 0, &b);
	value_text_cell(buf_text(&b), b.len, a, out);
	buf_fini(&b);
	return NULL;
}

static void
allowed_ranges(const struct field *f, struct buf *out)
{
	int lo = (int)f->min;

	if (f->max == UINT16_MAX)
		buf_printf(out, "numbers %d to %d, as 80,443,8000-8010", lo, (int)f->max);
	else
		buf_printf(
		    out, "numbers %d to %d, as %d,%d-%d", lo, (int)f->max, lo, lo + 2, lo + 9);
}

static int
load_ranges(const struct field *f, const struct cell *c, struct arena *a, void *member)
{
	struct range_list l;
	struct ranges *p;

	if (scan_ranges(f, c->s, &l) != NULL)
		return -EINVAL;
	p = arena_alloc(a, sizeof(*p) + l.n * sizeof(p->r[0]));
	p->n = (uint16_t)l.n;
	for (unsigned i = 0; i < l.n; i++) {
		p->r[i].lo = l.r[i].lo;
		p->r[i].hi = l.r[i].hi;
	}
	*(const struct ranges **)member = p;
	return 0;
}

static void
save_ranges(const struct field *f, const void *member, struct arena *a, struct cell *out)
{
	const struct ranges *p = *(const struct ranges *const *)member;
	struct buf b = { 0 };

	(void)f;
	for (unsigned i = 0; p != NULL && i < p->n; i++)
		print_range(p->r[i].lo, p->r[i].hi, i == 0, &b);
	value_text_cell(buf_text(&b), b.len, a, out);
	buf_fini(&b);
}

static bool
same_ranges(const void *x, const void *y)
{
	const struct ranges *a = *(const struct ranges *const *)x,
			    *b = *(const struct ranges *const *)y;
	unsigned n = a != NULL ? a->n : 0;

	if (n != (b != NULL ? b->n : 0U))
		return false;
	return n == 0 || memcmp(a->r, b->r, n * sizeof(a->r[0])) == 0;
}

const struct type_ops value_ranges_ops = { .parse = parse_ranges,
	.allowed = allowed_ranges,
	.load = load_ranges,
	.save = save_ranges,
	.same = same_ranges };
