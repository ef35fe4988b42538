/* Who asks, and what he may do. A program shows a token, a person a session cookie that a password bought. Roles are
 * looked up in the snapshot at every request, so a user who is disabled, demoted or given another password is so at
 * once. Basic authentication is not offered: it would send the password with every request.
 *
 * A wrong name costs the same time as a wrong password, and both are delayed more and more (session.c). */
#include "web.h"
#include "sys/log.h"
#include "server/tls_cert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TOKEN_PREFIX "token/" /* no user's name has a slash */

static enum route_access
access_of(int role)
{
	return role == role_admin      ? ACCESS_R_ADMIN
	       : role == role_operator ? ACCESS_R_OPERATOR
				       : ACCESS_R_VIEWER;
}

static bool
token_good(const struct call *c, const struct token *t)
{
	return (t->expires == 0 || t->expires > (int64_t)time(NULL)) &&
	       (t->source.family == 0 || addr_contains(&t->source, &c->rq->source));
}

static void
by_token(struct call *c, const char *text)
{
	struct snapshot *s = daemon_snapshot(c->w->d);
	uint32_t n = secret_find_digest(c->w->secrets, text), rows = snapshot_count(s, KIND_token);

	for (uint32_t i = 0; n != 0 && i < rows; i++) {
		const struct token *t = snapshot_at(s, KIND_token, i);

		if (t->secret != n || !token_good(c, t))
			continue;
		(void)snprintf(c->user, sizeof(c->user), TOKEN_PREFIX "%s", t->name);
		c->may = access_of(t->role);
		c->token = true;
		return;
	}
}

/* The user of a session, while he may be logged in with the password that began it. */
static const struct user *
user_of(const struct call *c, const struct session *s)
{
	const struct user *u = snapshot_find(daemon_snapshot(c->w->d), KIND_user, s->user_id);

	return u != NULL && u->enabled && u->password == s->password ? u : NULL;
}

static void
by_cookie(struct call *c)
{
	const struct setting *set = web_setting(c->w);
	const char *header = http_header(c->rq, "Cookie");
	struct session *s;
	const struct user *u;
	char key[128];

	if (header == NULL || !cookie_get(header, auth_cookie_name(c), key, sizeof(key)))
		return;
	s = session_find(
	    c->w->sessions, key, DUR_MS(set->session_idle), DUR_MS(set->session_max), mono_now());
	if (s == NULL)
		return;
	u = user_of(c, s);
	if (u == NULL) {
		session_end(c->w->sessions, s);
		return;
	}
	(void)snprintf(c->user, sizeof(c->user), "%s", u->name);
	c->may = access_of(u->role);
	c->session = s;
}

void
auth_identify(struct call *c)
{
	const char *header = http_header(c->rq, "Authorization");

	c->may = ACCESS_R_PUBLIC;
	if (header != NULL && strncasecmp(header, "Bearer ", 7) == 0)
		by_token(c, header + 7 + strspn(header + 7, " "));
	else if (header == NULL)
		by_cookie(c);
}

bool
auth_still(const struct call *c)
{
	const struct setting *set = web_setting(c->w);
	const struct token *t;

	if (c->session != NULL)
		return session_alive(c->session, DUR_MS(set->session_idle),
			   DUR_MS(set->session_max), mono_now()) &&
		       user_of(c, c->session) != NULL;
	t = snapshot_find_path(
	    daemon_snapshot(c->w->d), KIND_token, c->user + strlen(TOKEN_PREFIX));
	return c->token && t != NULL && token_good(c, t);
}

bool
auth_allowed(const struct call *c)
{
	if (c->route->access == ACCESS_R_METRICS)
		return c->loopback || c->may >= ACCESS_R_VIEWER;
	return c->may >= c->route->access;
}

bool
auth_same_site(const struct call *c, bool token, struct err *err)
{
	const char *site = http_header(c->rq, "Sec-Fetch-Site"),
		   *origin = http_header(c->rq, "Origin"), *sent;
	const char *host = http_header(c->rq, "Host"),
		   *scheme = c->rq->tls ? "https://" : "http://";

	if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return err_set(err, ERR_DENIED, "the request comes from another site") == 0;
	/* Our own referrer policy makes browsers say "null": then Sec-Fetch-Site and the token decide. */
	if (origin != NULL && strcmp(origin, "null") != 0 &&
	    (host == NULL || strncmp(origin, scheme, strlen(scheme)) != 0 ||
		strcasecmp(origin + strlen(scheme), host) != 0))
		return err_set(err, ERR_DENIED, "the request comes from another origin") == 0;
	if (!token)
		return true;
	sent = c->api ? http_header(c->rq, "X-CSRF-Token") : call_form(c, "csrf");
	if (!session_csrf_good(c->session, sent))
		return err_set(err, ERR_DENIED,
			   c->api
			       ? "a change with a session cookie must carry its token as X-CSRF-Token"
			       : "the form is too old: load the page again") == 0;
	return true;
}

static const struct user *
user_named(const struct call *c, const char *name)
{
	return snapshot_find_path(daemon_snapshot(c->w->d), KIND_user, name);
}

int
auth_login(struct call *c, const char *user, const char *password, char *key_out, dur_t *wait)
{
	const struct user *u = user_named(c, user);
	mono_t now = mono_now();
	bool good;

	*wait = session_wait(c->w->sessions, user, &c->rq->source, now);
	if (*wait > 0)
		return -EAGAIN;
	/* Number 0 costs as much as a wrong password. */
	good = secret_verify(c->w->secrets, u != NULL && u->enabled ? u->password : 0, password);
	if (!good || u == NULL || !u->enabled || u->password == 0) {
		session_failed(c->w->sessions, user, &c->rq->source, now);
		log_at(LOG_P_WARN, "LBD_EVENT=login.failed\n", "%s: log-in failed (user %.63s)",
		    c->origin, user);
		return ERR_DENIED;
	}
	session_succeeded(c->w->sessions, user, &c->rq->source);
	c->session = session_begin(
	    c->w->sessions, u->name, u->id, u->password, &c->rq->source, now, key_out);
	(void)snprintf(c->user, sizeof(c->user), "%s", u->name);
	c->may = access_of(u->role);
	log_at(LOG_P_INFO, "LBD_EVENT=login\n", "user %s: logged in from %s", u->name, c->origin);
	return 0;
}

const char *
auth_cookie_name(const struct call *c)
{
	return c->rq->tls ? "__Host-lbd" : "lbd";
}

void
auth_cookie_set(struct call *c, const char *key)
{
	char line[200];

	(void)snprintf(line, sizeof(line), "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s",
	    auth_cookie_name(c), key != NULL ? key : "", c->rq->tls ? "; Secure" : "",
	    key != NULL ? "" : "; Max-Age=0");
	http_set(c->rq, "Set-Cookie", line);
}
