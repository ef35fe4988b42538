/* ADDRS: a list of addresses, networks and ranges, "10.0.0.2,10.0.1.0/28,10.0.2.1-10.0.2.9".
 *
 * Kept as ranges of hosts in the order in which they were written. A range that is exactly a network is written as
 * one, so equal lists have one text. Two items of a list never share an address. How many addresses a list may hold
 * in all is the field's range, since each of them is one that the node holds.
 *
 * Rows of ops only; value.c calls them. */
#include "schema/value_priv.h"

#include <errno.h>
#include <string.h>

struct addrs_list {
	unsigned n;
	uint64_t total;
	struct addr_range r[ADDRS_MAX];
};

static unsigned
bytes_of(const struct addr *a)
{
	return a->family == 4 ? 4 : 16;
}

/* Addresses of a range; UINT32_MAX when there are more than that. */
static uint64_t
count(const struct addr_range *r)
{
	unsigned n = bytes_of(&r->lo);
	uint64_t d = 0;

	for (unsigned i = 0; i < n; i++) {
		d = (d << 8) + r->hi.b[i] - r->lo.b[i];
		if (d >= UINT32_MAX)
			return UINT32_MAX;
	}
	return d + 1;
}

/* The last address of a network. */
static struct addr
last_of(const struct addr *net)
{
	struct addr a = *net;
	unsigned bits = 8 * bytes_of(net);

	for (unsigned bit = net->len; bit < bits; bit++)
		a.b[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	a.len = (uint8_t)bits;
	return a;
}

/* One item, without its comma. */
static bool
scan_item(const char *text, struct addr_range *out)
{
	char item[2 * ADDR_TEXT], *dash;

	if (strlen(text) >= sizeof(item))
		return false;
	memcpy(item, text, strlen(text) + 1);
	dash = strchr(item, '-');
	if (dash != NULL) {
		*dash = '\0';
		return addr_parse(item, ADDR_HOST, &out->lo) == 0 && out->lo.family != 0 &&
		       addr_parse(dash + 1, ADDR_HOST, &out->hi) == 0 &&
		       out->hi.family == out->lo.family &&
		       memcmp(out->lo.b, out->hi.b, sizeof(out->lo.b)) <= 0;
	}
	if (addr_parse(item, ADDR_NET, &out->lo) != 0 || out->lo.family == 0)
		return false;
	out->hi = last_of(&out->lo);
	out->lo.len = out->hi.len;
	return true;
}

static bool
overlap(const struct addr_range *a, const struct addr_range *b)
{
	return a->lo.family == b->lo.family && memcmp(a->lo.b, b->hi.b, sizeof(a->lo.b)) <= 0 &&
	       memcmp(b->lo.b, a->hi.b, sizeof(a->lo.b)) <= 0;
}

/* NULL, or what is wrong, as parse says it. */
static const char *
add(const struct field *f, const char *item, struct addrs_list *out)
{
	struct addr_range *r = &out->r[out->n];

	if (out->n == ADDRS_MAX)
		return "; there are too many items in the list";
	if (!scan_item(item, r))
		return "";
	for (unsigned i = 0; i < out->n; i++)
		if (overlap(&out->r[i], r))
			return "; no address may be in it twice";
	out->total += count(r);
	if (out->total > (uint64_t)f->max)
		return "; there are too many addresses in it";
	out->n++;
	return NULL;
}

static const char *
scan(const struct field *f, const char *s, struct addrs_list *out)
{
	char item[2 * ADDR_TEXT];
	const char *why;
	size_t n;

	for (*out = (struct addrs_list){ 0 }; *s != '\0';) {
		n = strcspn(s, ",");
		if (n == 0 || n >= sizeof(item))
			return "";
		memcpy(item, s, n);
		item[n] = '\0';
		why = add(f, item, out);
		if (why != NULL)
			return why;
		s += n;
		if (*s == ',') {
			s++;
			s += strspn(s, " ");
			if (*s == '\0')
				return "";
		}
	}
	return NULL;
}

static bool
bit_at(const struct addr *a, unsigned i)
{
	return (a->b[i / 8] & (0x80 >> (i % 8))) != 0;
}

/* The prefix length with which a range is a network: all bits behind it are 0 in the first address and 1 in the
 * last. -1 when it is none. */
static int
net_length(const struct addr_range *r)
{
	unsigned bits = 8 * bytes_of(&r->lo), len = bits;

	while (len > 0 && !bit_at(&r->lo, len - 1) && bit_at(&r->hi, len - 1))
		len--;
	for (unsigned i = 0; i < len; i++)
		if (bit_at(&r->lo, i) != bit_at(&r->hi, i))
			return -1;
	return len > 0 ? (int)len : -1;
}

static void
print(const struct addr_range *r, bool first, struct buf *out)
{
	char lo[ADDR_TEXT], hi[ADDR_TEXT];
	int len = net_length(r);

	addr_format(&r->lo, ADDR_HOST, lo);
	addr_format(&r->hi, ADDR_HOST, hi);
	buf_printf(out, "%s%s", first ? "" : ",", lo);
	if (len < 0)
		buf_printf(out, "-%s", hi);
	else if (len < r->lo.len)
		buf_printf(out, "/%d", len);
}

static const char *
parse_addrs(const struct field *f, const char *text, struct arena *a, struct cell *out)
{
	struct addrs_list l;
	struct buf b = { 0 };
	const char *why = scan(f, text, &l);

	if (why != NULL)
		return why;
	for (unsigned i = 0; i < l.n; i++)
		print(&l.r[i], i == 0, &b);
	value_text_cell(buf_text(&b), b.len, a, out);
	buf_fini(&b);
	return NULL;
}

static void
allowed_addrs(const struct field *f, struct buf *out)
{
	buf_printf(out,
	    "addresses, networks and ranges, %d addresses in all, as 10.0.0.2,10.0.1.0/28,10.0.2.1-10.0.2.9",
	    (int)f->max);
}

static int
load_addrs(const struct field *f, const struct cell *c, struct arena *a, void *member)
{
	struct addrs_list l;
	struct addrs *p;

	if (scan(f, c->s, &l) != NULL)
		return -EINVAL;
	p = arena_alloc(a, sizeof(*p) + l.n * sizeof(p->r[0]));
	p->n = (uint16_t)l.n;
	p->total = (uint32_t)l.total;
	memcpy(p->r, l.r, l.n * sizeof(p->r[0]));
	*(const struct addrs **)member = p;
	return 0;
}

static void
save_addrs(const struct field *f, const void *member, struct arena *a, struct cell *out)
{
	const struct addrs *p = *(const struct addrs *const *)member;
	struct buf b = { 0 };

	(void)f;
	for (unsigned i = 0; p != NULL && i < p->n; i++)
		print(&p->r[i], i == 0, &b);
	value_text_cell(buf_text(&b), b.len, a, out);
	buf_fini(&b);
}

static bool
same_addrs(const void *x, const void *y)
{
	const struct addrs *a = *(const struct addrs *const *)x,
			   *b = *(const struct addrs *const *)y;
	unsigned n = a != NULL ? a->n : 0;

	if (n != (b != NULL ? b->n : 0U))
		return false;
	return n == 0 || memcmp(a->r, b->r, n * sizeof(a->r[0])) == 0;
}

bool
addrs_contain(const struct addrs *l, const struct addr *host)
{
	for (unsigned i = 0; l != NULL && i < l->n; i++)
		if (l->r[i].lo.family == host->family &&
		    memcmp(l->r[i].lo.b, host->b, sizeof(host->b)) <= 0 &&
		    memcmp(host->b, l->r[i].hi.b, sizeof(host->b)) <= 0)
			return true;
	return false;
}

const struct type_ops value_addrs_ops = { .parse = parse_addrs,
	.allowed = allowed_addrs,
	.load = load_addrs,
	.save = save_addrs,
	.same = same_addrs };
