/* web.h - one request on its way through the program, and what every handler may use. */
#ifndef WEB_H
#define WEB_H

#include "daemon/daemon.h"
#include "server/decode.h"
#include "server/http_srv.h"
#include "server/route.h"
#include "access/session.h"
#include "msg/view.h"
#include "store/secret.h"
#include "store/store.h"

#define WEB_FORM_MAX ((size_t)64 << 10)
#define WEB_API_MAX ((size_t)8 << 20)
#define WEB_LIST_MAX ((size_t)16 << 20) /* entries of a list */

struct events;
struct follow;
struct history;
struct panel_cert;
struct streams;

/* The program. */
struct web {
	struct daemon *d;
	struct http_srv *http;
	struct sessions *sessions;
	struct secrets *secrets;
	struct follow *follow;
	struct events *events;
	struct history *history;
	struct streams *streams;
	struct panel_cert *cert;
	char hostname[254];
	char boot[9]; /* first part of request ids */
	uint64_t requests;
	uint64_t version;	   /* rises whenever something that is shown changed */
	struct view_totals totals; /* as of totals_version: see web_totals */
	uint64_t totals_version;
	struct trial trial; /* as of trial_at: see web_trial */
	mono_t trial_at;
};

/* One request. Made by web.c, freed when it is answered. */
struct call {
	struct web *w;
	struct http_rq *rq;
	const struct route *route;
	struct segs path;
	struct pairs query, form;
	bool api;      /* answers are JSON, and faults are problem+json */
	bool loopback; /* the client is on this machine */
	bool later;    /* the handler answers after its return, and calls call_free */
	/* who; filled by auth.c. user is "" for nobody. */
	char user[80];	       /* "eve", or "token/ci" */
	enum route_access may; /* ACCESS_R_PUBLIC when nobody is logged in */
	struct session *session;
	bool token;
	char origin[80]; /* "panel 10.0.0.9" */
	char id[32];
};

struct view *web_view(const struct call *c); /* with the clock set to now */
const struct setting *web_setting(const struct web *w);

const struct view_totals *web_totals(struct web *w); /* reckoned once per version */
const struct trial *web_trial(struct web *w); /* looked up once a second, and after changes */

/* web.c */
void web_request(void *arg, struct http_rq *rq); /* arg is struct web */
size_t web_body_max(void *arg, const struct http_rq *rq);
void call_free(struct call *c);
const char *call_param(const struct call *c, const char *word); /* of the path; never NULL */
const char *call_query(const struct call *c, const char *name); /* NULL */
const char *call_form(const struct call *c, const char *name);	/* "" when absent */

/* auth.c - who asks, and whether he may. */
void auth_identify(struct call *c);
bool auth_allowed(const struct call *c);
/* auth_still - for answers that last: is what he showed still good? */
bool auth_still(const struct call *c);
/* auth_same_site - a change by cookie must come from our own page: Sec-Fetch-Site, Origin, and the token of the
 * session. Fills err. */
bool auth_same_site(const struct call *c, bool token, struct err *err);
/* auth_login - 0 and the key of a new session; ERR_DENIED, or -EAGAIN: too many failures, try after *wait. */
int auth_login(struct call *c, const char *user, const char *password, char *key_out, dur_t *wait);
const char *auth_cookie_name(const struct call *c);
void auth_cookie_set(struct call *c, const char *key); /* NULL: forget it */

/* reply.c - answers. Each of them ends the call's request. */
void reply_json(struct call *c, unsigned status, struct buf *body);
void reply_text(struct call *c, unsigned status, const char *type, struct buf *body);
void reply_page(struct call *c, unsigned status, struct buf *body);
void reply_redirect(struct call *c, const char *where); /* 303 */
/* reply_overview - 303 to the overview with this query ("?open=web", or anything else for none). anchor may be NULL. */
void reply_overview(struct call *c, const char *query, const char *anchor);
/* reply_error - err as problem+json, or as a page for people. 0 status: the one that fits err->code. */
void reply_error(struct call *c, unsigned status, const struct err *err);
void reply_fail(struct call *c, unsigned status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void reply_headers(struct call *c); /* the security headers; called by all of the above */
unsigned reply_status_of(const struct err *err);
/* problem_json - RFC 9457; pure. */
void problem_json(
    struct buf *b, unsigned status, const struct err *err, const char *instance, const char *id);

/* map_values.c - what is behind the entries of lists; a map_values_fn with struct web as arg. */
int map_values(void *arg, const char *list, const char *content, struct buf *out);
void map_values_fini(void);

/* commit.c - changes of the store on behalf of a user. */
struct commit_how {
	uint32_t base;	   /* expected revision; 0 any */
	const char *why;   /* message; NULL */
	uint32_t trial_ms; /* 0 none */
	bool dry_run;
};
int commit_doc(struct call *c, struct doc *d, const struct commit_how *how, struct commit_result *r,
    struct err *err);
int commit_orders(struct call *c, const struct order *o, unsigned n, const char *why,
    struct commit_result *r, struct err *err);
int commit_rollback(struct call *c, uint32_t revision, const struct commit_how *how,
    struct commit_result *r, struct err *err);
/* commit_confirm - fn is called once, with a code and its reason: at once, or when both nodes of the pair keep it. */
typedef void (*commit_done_fn)(struct call *c, int rc, const struct err *err);
void commit_confirm(struct call *c, commit_done_fn fn);
int commit_revert(struct call *c, struct err *err);
/* commit_order - one server, or with vip "*" every server of that name. until_ms 0 none. Returns how many, or a code. */
int commit_order(struct call *c, const char *vip, const char *rip, struct order how,
    const char *why, struct err *err);

/* frame.c - the page around the content. */
struct frame {
	const char *title;
	bool lone;	    /* no menu and no bars: log in */
	unsigned refresh_s; /* without script; 0 never */
};
void frame_begin(struct call *c, struct buf *b, const struct frame *f);
void frame_end(struct call *c, struct buf *b, const struct frame *f);
void frame_csrf(
    struct call *c, struct buf *b); /* the hidden field of every form that changes something */
void frame_bar(struct call *c, struct buf *b); /* role, state, link: replaced live */
unsigned frame_refresh(const struct call *c);  /* seconds that the user chose; 0 is paused */

/* panel_cert.c - the certificate of the panel: made or read at the start, renewed, and another one taken. */
int panel_cert_start(struct web *w, struct err *err);
void panel_cert_look(struct web *w); /* whether it is due, or another is there */
void panel_cert_stop(struct web *w);

/* setup.c - the first user. */
int setup_first_user(struct web *w, struct err *err);
void setup_password_seen(
    struct web *w, const struct snapshot *now); /* removes the file of a password that changed */

/* assets.c */
void assets_init(void);
const char *assets_path(const char *name); /* "/assets/app-1a2b3c4d.css" of "app.css" */

#endif
