/* The second expansion of the rows: descriptors of objects, fields and words, and how they are found by name.
 *
 * A row of a .def file becomes a member of a struct in schema.h and a struct field here, with the offset of
 * that member; a row of objects.def becomes a struct object. Everything that walks configuration (values,
 * YAML, JSON, tables, command line, help) walks these arrays, so a new field is a new row and nothing else.
 *
 * The names that people type are matched exactly; for what matches nothing, the nearest known word is found
 * by the number of edits (a swap of neighbours counts as one) or by a common beginning.
 * Nothing here knows a value, a file format or a daemon. */
#include "schema/schema.h"
#include "base/must.h"

#include <string.h>
#include <strings.h>

#define ENUM_BEGIN(list) static const struct word list##_words[] = {
#define WORD(list, number, word, help) { number, #word, help },
#define ENUM_END(list) \
	}              \
	;
#include "schema/enums.def"
#undef ENUM_BEGIN
#undef WORD
#undef ENUM_END
#define ENUM_BEGIN(list) \
	const struct words list##_list = { #list, list##_words, ARRAY_LEN(list##_words) };
#define WORD(list, number, word, help)
#define ENUM_END(list)
#include "schema/enums.def"

#define KEY F_KEY
#define REQUIRED F_REQUIRED
#define PARENT F_PARENT
#define ADVANCED F_ADVANCED
#define HASH F_HASH
#define DIGEST F_DIGEST
#define L4 F_L4
#define L7 F_L7
#define HTTP (F_L7 | F_HTTP)
#define T_NAME .type = VT_NAME
#define T_TEXT .type = VT_TEXT
#define T_TCHAR .type = VT_TCHAR
#define T_LABELS .type = VT_LABELS
#define T_HOST .type = VT_HOST
#define T_ADDR .type = VT_ADDR
#define T_NET .type = VT_NET
#define T_CIDR .type = VT_CIDR
#define T_RANGES .type = VT_RANGES
#define T_ADDRS .type = VT_ADDRS
#define T_LINES .type = VT_LINES
#define T_PEM(what) .type = VT_PEM, .ref = PEM_##what
#define T_ENUM(list) .type = VT_ENUM, .words = &list##_list
#define T_U16 .type = VT_U16
#define T_U32 .type = VT_U32
#define T_I16 .type = VT_I16
#define T_DUR_MS .type = VT_DUR_MS
#define T_DUR_S .type = VT_DUR_S
#define T_BYTES .type = VT_BYTES
#define T_PCT .type = VT_PCT
#define T_SHARE .type = VT_SHARE
#define T_BOOL .type = VT_BOOL
#define T_TIME .type = VT_TIME
#define T_REF(object) .type = VT_REF, .ref = KIND_##object
#define T_SECRET .type = VT_SECRET
#define FIELD(t, n, ty, lo, hi, d, e, fl, s, l, h) \
	{ .tag = t,                                \
		.offset = offsetof(struct OBJ, n), \
		T_##ty,                            \
		.flags = fl,                       \
		.effect = EFFECT_##e,              \
		.since = s,                        \
		.name = #n,                        \
		.def = d,                          \
		.label = l,                        \
		.help = h,                         \
		.min = lo,                         \
		.max = hi },
#define RETIRED(tag)

static const struct field setting_fields[] = {
#define OBJ setting
#include "schema/setting.def"
#undef OBJ
};
static const struct field node_fields[] = {
#define OBJ node
#include "schema/node.def"
#undef OBJ
};
static const struct field iface_fields[] = {
#define OBJ iface
#include "schema/iface.def"
#undef OBJ
};
static const struct field check_fields[] = {
#define OBJ check
#include "schema/check.def"
#undef OBJ
};
static const struct field fip_fields[] = {
#define OBJ fip
#include "schema/fip.def"
#undef OBJ
};
static const struct field service_fields[] = {
#define OBJ service
#include "schema/service.def"
#undef OBJ
};
static const struct field server_fields[] = {
#define OBJ server
#include "schema/server.def"
#undef OBJ
};
static const struct field user_fields[] = {
#define OBJ user
#include "schema/user.def"
#undef OBJ
};
static const struct field token_fields[] = {
#define OBJ token
#include "schema/token.def"
#undef OBJ
};
static const struct field admin_fields[] = {
#define OBJ admin
#include "schema/admin.def"
#undef OBJ
};
static const struct field natrule_fields[] = {
#define OBJ natrule
#include "schema/natrule.def"
#undef OBJ
};
static const struct field ha_carrier_fields[] = {
#define OBJ ha_carrier
#include "schema/ha_carrier.def"
#undef OBJ
};
static const struct field pingnode_fields[] = {
#define OBJ pingnode
#include "schema/pingnode.def"
#undef OBJ
};
static const struct field track_fields[] = {
#define OBJ track
#include "schema/track.def"
#undef OBJ
};
static const struct field notify_fields[] = {
#define OBJ notify
#include "schema/notify.def"
#undef OBJ
};
static const struct field vroute_fields[] = {
#define OBJ vroute
#include "schema/vroute.def"
#undef OBJ
};
static const struct field vrouter_fields[] = {
#define OBJ vrouter
#include "schema/vrouter.def"
#undef OBJ
};
static const struct field cert_fields[] = {
#define OBJ cert
#include "schema/cert.def"
#undef OBJ
};
static const struct field ca_fields[] = {
#define OBJ ca
#include "schema/ca.def"
#undef OBJ
};
static const struct field tls_fields[] = {
#define OBJ tls
#include "schema/tls.def"
#undef OBJ
};
static const struct field itemlist_fields[] = {
#define OBJ itemlist
#include "schema/itemlist.def"
#undef OBJ
};
static const struct field sni_fields[] = {
#define OBJ sni
#include "schema/sni.def"
#undef OBJ
};
static const struct field error_page_fields[] = {
#define OBJ error_page
#include "schema/error_page.def"
#undef OBJ
};

static const struct field content_rule_fields[] = {
#define OBJ content_rule
#include "schema/rule.def"
#undef OBJ
};

/* Where in its fields a CHILD has the REF flagged PARENT: one byte for each row gives its place. An object with
 * the flag CHILD that has no block here does not compile. */
#undef FIELD
#define FIELD(t, n, ty, lo, hi, d, e, fl, s, l, h) char n;
struct server_places {
#include "schema/server.def"
};
struct sni_places {
#include "schema/sni.def"
};
struct content_rule_places {
#include "schema/rule.def"
};
#undef FIELD
#define FIELD(t, n, ty, lo, hi, d, e, fl, s, l, h) \
	+(((fl)&F_PARENT) != 0 ? offsetof(struct server_places, n) : 0)
enum {
	server_parent_ref = 0
#include "schema/server.def"
};
#undef FIELD
#define FIELD(t, n, ty, lo, hi, d, e, fl, s, l, h) \
	+(((fl)&F_PARENT) != 0 ? offsetof(struct sni_places, n) : 0)
enum {
	sni_parent_ref = 0
#include "schema/sni.def"
};
#undef FIELD
#define FIELD(t, n, ty, lo, hi, d, e, fl, s, l, h) \
	+(((fl)&F_PARENT) != 0 ? offsetof(struct content_rule_places, n) : 0)
enum {
	content_rule_parent_ref = 0
#include "schema/rule.def"
};
#undef FIELD

enum { KIND_0 = 0, O_0 = 0 };
#define PARENT_REF_0(c) 0
#define PARENT_REF_SINGLE(c) 0
#define PARENT_REF_NAMELESS(c) 0
#define PARENT_REF_CHILD(c) c##_parent_ref
#define OBJECT(number, c, n_, p, sc, fl, par, al, h) \
	[number - 1] = { .kind = number,             \
		.scope = SCOPE_##sc,                 \
		.flags = O_##fl,                     \
		.parent = KIND_##par,                \
		.parent_ref = PARENT_REF_##fl(c),    \
		.n = ARRAY_LEN(c##_fields),          \
		.size = sizeof(struct c),            \
		.f = c##_fields,                     \
		.cname = #c,                         \
		.name = n_,                          \
		.plural = p,                         \
		.aliases = al,                       \
		.help = h },
const struct object objects[KINDS] = {
#include "schema/objects.def"
};
#undef OBJECT
#define OBJECT(number, c, n_, p, sc, fl, par, al, h) number,
const uint8_t object_order[KINDS] = {
#include "schema/objects.def"
};

unsigned
schema_version(void)
{
	unsigned most = 0;

	for (unsigned k = 0; k < KINDS; k++)
		for (unsigned i = 0; i < objects[k].n; i++)
			most = objects[k].f[i].since > most ? objects[k].f[i].since : most;
	return most;
}

const struct object *
object_of(unsigned kind)
{
	return kind >= 1 && kind <= KINDS ? &objects[kind - 1] : NULL;
}

/* The next word of a comma separated list; its length, 0 at the end. */
static size_t
next_alias(const char **list)
{
	*list += strspn(*list, ",");
	return strcspn(*list, ",");
}

const struct object *
object_find(const char *word)
{
	size_t len = strlen(word), n;

	for (unsigned i = 0; i < KINDS; i++) {
		const char *alias = objects[i].aliases;

		if (strcmp(objects[i].name, word) == 0 || strcmp(objects[i].plural, word) == 0)
			return &objects[i];
		for (; (n = next_alias(&alias)) > 0; alias += n)
			if (n == len && memcmp(alias, word, n) == 0)
				return &objects[i];
	}
	return NULL;
}

const struct object *
object_child(const struct object *o, const struct object *after)
{
	for (unsigned i = after == NULL ? 0 : after->kind; i < KINDS; i++)
		if (objects[i].parent == o->kind && (objects[i].flags & O_CHILD) != 0)
			return &objects[i];
	return NULL;
}

const struct field *
field_find(const struct object *o, const char *name)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->f[i].name[0] == name[0] && strcmp(o->f[i].name, name) == 0)
			return &o->f[i];
	return NULL;
}

const struct field *
field_by_tag(const struct object *o, unsigned tag)
{
	/* Without retired rows the tag is the place. */
	if (tag >= 1 && tag <= o->n && o->f[tag - 1].tag == tag)
		return &o->f[tag - 1];
	for (unsigned i = 0; i < o->n; i++)
		if (o->f[i].tag == tag)
			return &o->f[i];
	return NULL;
}

bool
field_is_int(const struct field *f)
{
	return f->type >= VT_U16;
}

#define NEAR_LEN 40 /* longer words are like nothing */

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Edits that turn a into b, letters alike in both cases; a swap of two neighbours is one edit. */
static unsigned
distance(const char *a, size_t an, const char *b, size_t bn)
{
	unsigned row[3][NEAR_LEN + 1], *two = row[0], *one = row[1], *now = row[2], *spare;

	for (unsigned j = 0; j <= bn; j++)
		one[j] = j;
	for (unsigned i = 1; i <= an; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= bn; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);

			now[j] = least(least(one[j], now[j - 1]) + 1, one[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
				now[j] = least(now[j], two[j - 2] + 1);
		}
		spare = two;
		two = one;
		one = now;
		now = spare;
	}
	return one[bn];
}

/* How unlike two words are, 0 to 3; NOT_NEAR when they have nothing to do with each other: every third letter
 * may be wrong, and of a beginning of three letters the rest may be missing. */
#define NOT_NEAR 9
static unsigned
unlike(const char *text, const char *word, size_t wn)
{
	size_t n = strlen(text);
	unsigned most = least((unsigned)(n + 2) / 3, 3), d;

	if (n == 0 || n > NEAR_LEN || wn > NEAR_LEN)
		return NOT_NEAR;
	if (n >= 3 && n < wn && strncasecmp(text, word, n) == 0)
		return 1;
	d = distance(text, n, word, wn);
	return d <= most && d < n ? d : NOT_NEAR;
}

static unsigned
unlike_object(const struct object *o, const char *text)
{
	unsigned d = unlike(text, o->name, strlen(o->name));
	const char *alias = o->aliases;
	size_t n;

	d = least(d, unlike(text, o->plural, strlen(o->plural)));
	for (; (n = next_alias(&alias)) > 0; alias += n)
		d = least(d, unlike(text, alias, n));
	return d;
}

const char *
schema_nearest(const struct object *o, const char *text)
{
	unsigned n = o != NULL ? o->n : KINDS, best = NOT_NEAR, d;
	const char *found = NULL;

	for (unsigned i = 0; i < n; i++) {
		d = o != NULL ? unlike(text, o->f[i].name, strlen(o->f[i].name))
			      : unlike_object(&objects[i], text);
		if (d < best) {
			best = d;
			found = o != NULL ? o->f[i].name : objects[i].name;
		}
	}
	return found;
}

const char *
words_nearest(const char *const *words, unsigned n, const char *text)
{
	unsigned best = NOT_NEAR, d;
	const char *found = NULL;

	for (unsigned i = 0; i < n; i++) {
		d = unlike(text, words[i], strlen(words[i]));
		if (d < best) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

const char *
word_text(const struct words *w, int number)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->w[i].number == number)
			return w->w[i].text;
	return "?";
}

bool
ranges_contain(const struct ranges *r, unsigned n)
{
	for (unsigned i = 0; r != NULL && i < r->n; i++)
		if (n >= r->r[i].lo && n <= r->r[i].hi)
			return true;
	return false;
}
