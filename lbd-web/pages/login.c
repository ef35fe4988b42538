/* Logging in and out, and the one thing that an account may do to itself here: another password. */
#include "schema/json.h"
#include "page.h"
#include "sys/log.h"
#include "web.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
login_form(struct call *c, unsigned status, const char *why, const char *user, const char *next)
{
	struct frame f = { .title = "Log in", .lone = true };
	const struct view_role *r = view_role(web_view(c));
	bool heard = r != NULL && r->heard;
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b,
	    " <form class=\"box pad stack\" method=\"post\" action=\"/login\">\n  <h1>Log in</h1>\n");
	if (why[0] != '\0')
		page_add(&b,
		    "  <section class=\"note e\" role=\"alert\"><p><span class=\"st down\">%s</span></p></section>\n",
		    why);
	page_add(&b, "  <p class=\"row\"><span>%s</span> <span class=\"st %s\">%s</span></p>\n",
	    !heard	? "Role unknown"
	    : r->master ? "Master"
			: "Slave",
	    !heard ? "unk" : "ok",
	    !heard	? "Unknown"
	    : r->active ? "Active"
			: "Passive");
	page_add(&b,
	    "  <input type=\"hidden\" name=\"next\" value=\"%s\">\n"
	    "  <div class=\"f\"><label for=\"u\">User name</label><input id=\"u\" name=\"user\" value=\"%s\" "
	    "autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" required></div>\n"
	    "  <div class=\"f\"><label for=\"p\">Password</label><input id=\"p\" name=\"password\" "
	    "type=\"password\" autocomplete=\"current-password\" required></div>\n"
	    "  <input type=\"submit\" class=\"btn pri\" value=\"Log in\">\n </form>\n"
	    " <p class=\"small mute\">First login? The password of user admin is in the file initial-password of the "
	    "state folder. To set a new one: <code>lbctl user passwd admin</code> as root.</p>\n",
	    next, user);
	frame_end(c, &b, &f);
	reply_page(c, status, &b);
}

void
login_get(struct call *c)
{
	const char *next = call_query(c, "next");

	if (c->session != NULL)
		reply_redirect(c, "/");
	else
		login_form(c, 200, "", "", next != NULL ? next : "");
}

static void
wait_text(char *out, size_t room, dur_t wait)
{
	(void)snprintf(out, room, "Too many failed attempts: try again in %lld s.",
	    (long long)(wait / 1000000 + 1));
}

static void
retry_after(struct call *c, dur_t wait)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)(wait / 1000000 + 1));
	http_set(c->rq, "Retry-After", text);
}

void
login_post(struct call *c)
{
	const char *user = call_form(c, "user"), *next = call_form(c, "next");
	char key[SESSION_KEY + 1], why[100];
	dur_t wait;
	int rc;

	if (c->session != NULL) /* a new login is a new session */
		session_end(c->w->sessions, c->session);
	c->session = NULL;
	rc = auth_login(c, user, call_form(c, "password"), key, &wait);
	if (rc == 0) {
		auth_cookie_set(c, key);
		reply_overview(c, next, NULL);
	} else if (rc == -EAGAIN) {
		wait_text(why, sizeof(why), wait);
		retry_after(c, wait);
		login_form(c, 429, why, user, next);
	} else {
		login_form(c, 401, "The user name or the password is wrong.", user, next);
	}
}

void
logout_post(struct call *c)
{
	if (c->session != NULL)
		session_end(c->w->sessions, c->session);
	c->session = NULL;
	auth_cookie_set(c, NULL);
	reply_redirect(c, "/login");
}

/* ---- the same for programs that have a password rather than a token ---- */

struct credentials {
	char user[64], password[260];
};

static int
take_credentials(void *arg, const struct json_member *m)
{
	struct credentials *k = arg;

	if (strcmp(m->name, "user") == 0)
		return json_text(m, k->user, sizeof(k->user));
	if (strcmp(m->name, "password") == 0)
		return json_text(m, k->password, sizeof(k->password));
	return -EINVAL;
}

void
api_session_post(struct call *c)
{
	struct credentials k = { 0 };
	char key[SESSION_KEY + 1], why[100];
	struct err err = { 0 };
	struct buf b = { 0 };
	dur_t wait;
	int rc =
	    json_scan((const char *)c->rq->body.p, c->rq->body.len, take_credentials, &k, &err);

	if (rc != 0 || k.user[0] == '\0' || k.password[0] == '\0') {
		reply_fail(c, 400, "%s",
		    rc != 0 && err.text[0] != '\0'
			? err.text
			: "the body is {\"user\": ..., \"password\": ...}");
		return;
	}
	rc = auth_login(c, k.user, k.password, key, &wait);
	explicit_bzero(&k.password, sizeof(k.password));
	if (rc == -EAGAIN) {
		wait_text(why, sizeof(why), wait);
		retry_after(c, wait);
		reply_fail(c, 429, "%s", why);
	} else if (rc != 0) {
		reply_fail(c, 401, "the user name or the password is wrong");
	} else {
		auth_cookie_set(c, key);
		buf_puts(&b, "{\"user\":");
		view_json_text(&b, c->user);
		buf_printf(&b, ",\"role\":\"%s\",\"csrf\":\"%s\"}\n", route_access_word(c->may),
		    c->session->csrf);
		reply_json(c, 200, &b);
	}
}

void
api_session_end(struct call *c)
{
	struct buf none = { 0 };

	if (c->session != NULL)
		session_end(c->w->sessions, c->session);
	c->session = NULL;
	auth_cookie_set(c, NULL);
	reply_text(c, 204, NULL, &none);
}

/* ---- account ---- */

static void
account_page(struct call *c, unsigned status, const char *why, bool done)
{
	struct frame f = { .title = "Account" };
	struct buf b = { 0 };

	frame_begin(c, &b, &f);
	page_add(&b,
	    "<div class=\"mid stack\">\n<div class=\"head\"><div><h1>Account</h1><p>User %s, role %s.</p></div></div>\n",
	    c->user, route_access_word(c->may));
	if (done)
		page_add(&b,
		    "<section class=\"note\" role=\"status\"><p>The password was changed. All other sessions of "
		    "this user have ended.</p></section>\n");
	page_add(&b,
	    "<form class=\"box pad stack\" method=\"post\" action=\"/account\">\n<h2>Password</h2>\n");
	frame_csrf(c, &b);
	page_add(&b,
	    "<div class=\"f\"><label for=\"old\">Current password</label><input id=\"old\" name=\"old\" "
	    "type=\"password\" autocomplete=\"current-password\" required></div>\n"
	    "<div class=\"f\"><label for=\"new\">New password</label><input id=\"new\" name=\"new\" "
	    "type=\"password\" autocomplete=\"new-password\" required aria-describedby=\"new-h%s\"%s>\n",
	    why[0] != '\0' ? " new-e" : "", why[0] != '\0' ? " aria-invalid=\"true\"" : "");
	if (why[0] != '\0')
		page_add(
		    &b, "<p class=\"err\" id=\"new-e\"><span class=\"st down\">%s</span></p>", why);
	page_add(&b,
	    "<p class=\"help\" id=\"new-h\">8 to 256 characters.</p></div>\n<div class=\"row\"><input "
	    "type=\"submit\" class=\"btn pri\" value=\"Change password\"></div>\n</form>\n");
	page_add(&b,
	    "<form class=\"box pad stack\" method=\"post\" action=\"/logout\">\n<h2>Session</h2>\n");
	frame_csrf(c, &b);
	page_add(&b,
	    "<div class=\"row\"><input type=\"submit\" class=\"btn\" name=\"logout\" value=\"Log "
	    "out\"></div>\n</form>\n</div>\n");
	frame_end(c, &b, &f);
	reply_page(c, status, &b);
}

void
account_get(struct call *c)
{
	if (c->session == NULL)
		reply_fail(c, 403, "a token has no account");
	else
		account_page(c, 200, "", false);
}

static int
change_password(struct call *c, const char *text, struct err *err)
{
	struct commit_how how = { .why = "password changed in the panel" };
	struct commit_result r = { 0 };
	struct doc_item *it;
	struct doc d;
	int rc;

	doc_init(&d);
	rc = doc_add(&d, DOC_MERGE, object_of(KIND_user), c->user, 0, &it, err);
	if (rc == 0)
		rc = doc_set(&d, it, "password", text, err);
	if (rc == 0)
		rc = commit_doc(c, &d, &how, &r, err);
	if (rc == 0 && r.now != NULL) {
		const struct user *u = snapshot_find(r.now, KIND_user, c->session->user_id);

		c->session->password = u != NULL ? u->password : 0; /* this session goes on */
	}
	commit_result_fini(&r);
	doc_fini(&d);
	return rc;
}

void
account_post(struct call *c)
{
	const struct user *u;
	struct err err = { 0 };
	mono_t now = mono_now();

	if (c->session == NULL) {
		reply_fail(c, 403, "a token has no account");
		return;
	}
	u = snapshot_find(daemon_snapshot(c->w->d), KIND_user, c->session->user_id);
	if (session_wait(c->w->sessions, c->user, &c->rq->source, now) > 0) {
		account_page(c, 429, "Too many failed attempts: try again later.", false);
	} else if (u == NULL || !secret_verify(c->w->secrets, u->password, call_form(c, "old"))) {
		session_failed(c->w->sessions, c->user, &c->rq->source, now);
		account_page(c, 403, "The current password is wrong.", false);
	} else if (change_password(c, call_form(c, "new"), &err) != 0) {
		account_page(c, 422, err.text, false);
	} else {
		account_page(c, 200, "", true);
	}
}
