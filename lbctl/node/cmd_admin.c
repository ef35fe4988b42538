/* People, keys and floating addresses: user, token, fip. Secrets are asked for or made, never taken from the command line;
 * what is made is printed once, on standard output, so that a script can catch it. */
#include "ctl.h"

#include "store/secret.h"

#include <stdio.h>
#include <string.h>

#define TOKEN_PREFIX "lbd_"
#define TOKEN_RANDOM 40

static void
print_secret(struct ctl *c, const char *kind, const char *name, const char *secret)
{
	struct buf b = { 0 };

	if (c->style.form == FORM_JSON) {
		buf_printf(&b, "{\"%s\":", kind);
		view_json_text(&b, name);
		buf_puts(&b, ",\"secret\":");
		view_json_text(&b, secret);
		buf_puts(&b, "}\n");
	} else {
		buf_printf(&b, "%s\n", secret);
	}
	ctl_print(&b);
	explicit_bzero(b.p, b.len);
	buf_fini(&b);
}

/* One edit with up to four fields, committed. */
struct setting_of {
	const char *field, *value; /* value NULL: not set */
};

static int
edit_one(struct ctl *c, enum doc_op op, unsigned kind, const char *name,
    const struct setting_of *set, unsigned n, struct err *err)
{
	struct doc_item *it;
	struct doc d;
	unsigned i;
	int rc;

	doc_init(&d);
	rc = doc_add(&d, op, object_of(kind), name, 0, &it, err);
	for (i = 0; i < n && rc == 0; i++)
		if (set[i].value != NULL)
			rc = doc_set(&d, it, set[i].field, set[i].value, err);
	if (rc == 0)
		rc = ctl_commit(c, &d, NULL, err);
	doc_fini(&d);
	return rc;
}

static int
delete_one(struct ctl *c, unsigned kind, const char *name, struct err *err)
{
	int rc = ctl_ask(c, err, "Delete %s %s", object_of(kind)->name, name);

	return rc == 0 ? edit_one(c, DOC_DELETE, kind, name, NULL, 0, err) : rc;
}

/* ---- users ------------------------------------------------------------------------------------------------------------ */

static int
with_password(struct ctl *c, enum doc_op op, const char *role, struct err *err)
{
	const char *name = c->argv[0];
	char password[300];
	bool made = false;
	struct setting_of set[] = { { "password", password }, { "role", role } };
	int rc = input_password(c, name, password, &made, err);

	if (rc == 0)
		rc = edit_one(c, op, KIND_user, name, set, 2, err);
	if (rc >= 0 && made && !GIVEN(c, dry_run))
		print_secret(c, "user", name, password);
	explicit_bzero(password, sizeof(password));
	return rc;
}

int
cmd_user_add(struct ctl *c, struct err *err)
{
	return with_password(c, DOC_CREATE, c->opt[OPT_role], err);
}

int
cmd_user_passwd(struct ctl *c, struct err *err)
{
	int rc = ctl_load(c, err);

	/* Before asking twice for nothing. */
	if (rc == 0 && snapshot_find_path(c->snap, KIND_user, c->argv[0]) == NULL)
		return err_set(err, ERR_UNKNOWN, "user \"%s\" does not exist", c->argv[0]);
	return rc == 0 ? with_password(c, DOC_MERGE, NULL, err) : rc;
}

int
cmd_user_del(struct ctl *c, struct err *err)
{
	return delete_one(c, KIND_user, c->argv[0], err);
}

/* ---- tokens ----------------------------------------------------------------------------------------------------------- */

int
cmd_token_create(struct ctl *c, struct err *err)
{
	char key[sizeof(TOKEN_PREFIX) + TOKEN_RANDOM + 1] = TOKEN_PREFIX, expires[24];
	struct setting_of set[] = { { "secret", key }, { "role", c->opt[OPT_role] },
		{ "source", c->opt[OPT_source] }, { "expires", GIVEN(c, ttl) ? expires : NULL } };
	int rc;

	human_time((mono_wall_ms() + c->num[OPT_ttl]) / 1000, expires);
	secret_random(key + strlen(TOKEN_PREFIX), TOKEN_RANDOM);
	rc = edit_one(c, DOC_CREATE, KIND_token, c->argv[0], set, 4, err);
	if (rc >= 0)
		print_secret(c, "token", c->argv[0], key);
	explicit_bzero(key, sizeof(key));
	return rc;
}

enum { T_NAME, T_ROLE, T_EXPIRES, T_SOURCE, T_COMMENT };
static const struct column token_columns[] = {
	[T_NAME] = { "name", NULL, COL_TEXT, COL_SHOW },
	[T_ROLE] = { "role", NULL, COL_TEXT, COL_SHOW },
	[T_EXPIRES] = { "expires", NULL, COL_TIME, COL_SHOW },
	[T_SOURCE] = { "source", NULL, COL_TEXT, COL_SHOW },
	[T_COMMENT] = { "comment", NULL, COL_TEXT, COL_SHOW },
};

int
cmd_token_list(struct ctl *c, struct err *err)
{
	const void *const *rows;
	struct table *t;
	char net[ADDR_TEXT];
	uint32_t n, i;
	int rc = ctl_load(c, err);

	if (rc != 0)
		return rc;
	c->style.now = 0; /* an end is a time, not an age */
	t = table_new(token_columns, 5);
	rows = snapshot_by_name(c->snap, KIND_token, &n);
	for (i = 0; i < n; i++) {
		const struct token *k = rows[i];

		table_row(t);
		table_text(t, T_NAME, k->name);
		table_text(t, T_ROLE, word_text(&role_list, k->role));
		if (k->expires != 0)
			table_num(t, T_EXPIRES, (double)k->expires);
		addr_format(&k->source, ADDR_NET, net);
		table_text(t, T_SOURCE, k->source.family != 0 ? net : "");
		table_text(t, T_COMMENT, k->comment);
	}
	return ctl_table(c, t, err);
}

int
cmd_token_revoke(struct ctl *c, struct err *err)
{
	return delete_one(c, KIND_token, c->argv[0], err);
}

/* ---- floating addresses ------------------------------------------------------------------------------------------------- */

/* A name made from the address: "fip-10.0.0.254", "fip-fd00--1". */
static void
name_of(const char *address, char out[80])
{
	char *p;

	(void)snprintf(out, 80, "fip-%.*s", (int)strcspn(address, "/"), address);
	for (p = out; *p != '\0'; p++)
		if (*p == ':')
			*p = '-';
}

int
cmd_fip_add(struct ctl *c, struct err *err)
{
	struct setting_of set[] = { { "address", c->argv[0] },
		{ "interface", c->opt[OPT_interface] } };
	char name[80];
	struct addr a;

	if (addr_parse(c->argv[0], ADDR_CIDR, &a) != 0 || a.family == 0)
		return err_set(err, ERR_INVALID,
		    "fip add: \"%s\" is not an address, with or without a prefix length",
		    c->argv[0]);
	name_of(c->argv[0], name);
	return edit_one(
	    c, DOC_CREATE, KIND_fip, GIVEN(c, name) ? c->opt[OPT_name] : name, set, 2, err);
}

int
cmd_fip_del(struct ctl *c, struct err *err)
{
	const char *name = c->argv[0];
	const void *const *rows;
	struct addr a;
	uint32_t n, i;
	int rc = ctl_load(c, err);

	if (rc != 0)
		return rc;
	if (addr_parse(name, ADDR_CIDR, &a) == 0 && a.family != 0) {
		rows = snapshot_by_name(c->snap, KIND_fip, &n);
		for (i = 0; i < n; i++) {
			const struct fip *f = rows[i];

			if (addr_same_host(&f->address, &a))
				break;
		}
		if (i == n)
			return err_set(err, ERR_UNKNOWN,
			    "%s was not added by hand; the address of a service goes with its last service",
			    name);
		name = arena_text(c->arena, ((const struct fip *)rows[i])->name,
		    strlen(((const struct fip *)rows[i])->name));
	}
	return delete_one(c, KIND_fip, name, err);
}
