/* haproxy.h - an HAProxy configuration while it is read; for haproxy*.c only. All memory is the arena's of the import.
 * Source of words and defaults: HAProxy's configuration manual, versions 1.5 to 3.x. */
#ifndef LBCTL_IMPORT_HAPROXY_H
#define LBCTL_IMPORT_HAPROXY_H

#include "import/import.h"

#define HAP_UNSAID UINT32_MAX
#define HAP_STEPS_MAX 1000000 /* rules times services */

/* One line as words. */
struct hap_line {
	struct place at;
	const char *what; /* as it stands in the file, without what may be a password */
	unsigned n;
	const char *w[IMPORT_WORDS_MAX + 1]; /* "" behind the last */
	bool variable;			     /* has an environment variable */
	bool *said;			     /* of a hap_later: the report has told of it */
};

enum hap_timeout {
	HAP_connect,
	HAP_client,
	HAP_server,
	HAP_queue,
	HAP_request,
	HAP_keep,
	HAP_tunnel,
	HAP_check,
	HAP_TIMEOUTS
};
/* Sections, a bit each. */
enum {
	HAP_GLOBAL = 1,
	HAP_DEFAULTS = 2,
	HAP_FRONTEND = 4,
	HAP_BACKEND = 8,
	HAP_LISTEN = 16,
	HAP_OTHER = 32,	    /* peers, resolvers and what else there is */
	HAP_BIND_WORD = 64, /* these two for notes only */
	HAP_SERVER_WORD = 128,
	HAP_FRONT = HAP_FRONTEND | HAP_LISTEN | HAP_DEFAULTS,
	HAP_BACK = HAP_BACKEND | HAP_LISTEN | HAP_DEFAULTS,
	HAP_PROXY = HAP_FRONT | HAP_BACK,
};

/* ---- bind ---------------------------------------------------------------------------------------------------- */

struct hap_place {
	struct hap_place *next;
	struct addr addr; /* family 0: every address of IPv4; a wildcard is the one of --address */
	uint16_t lo, hi;
};
struct hap_file {
	struct hap_file *next;
	const char *path, *hosts; /* hosts "": those in the certificate */
};
struct hap_bind {
	struct hap_bind *next;
	struct place at;
	const char *what;
	struct hap_place *places;
	struct import_row tls;	/* without certificates */
	struct hap_file *certs; /* the first is for clients that name no host */
	const char *ca, *crl;
	bool ssl, alpn, h1_only, h2; /* alpn: is said; h1_only: in it; h2: prior knowledge */
};

/* ---- servers --------------------------------------------------------------------------------------------------- */

enum { HAP_VERIFY_UNSAID, HAP_VERIFY_NONE, HAP_VERIFY_REQUIRED };
struct hap_server {
	struct hap_server *next;
	struct place at;
	const char *what, *name, *host;
	unsigned first, last; /* numbers of a template; 0: it is none */
	uint16_t port;
	struct import_row row; /* of kind server; name and address come at the end */
	bool check, disabled, backup, weighted, tls, cut;
	bool h2, alpn_h2;      /* HTTP/2: always; where TLS agrees on it */
	uint8_t verify, proxy; /* proxy: version of its header, 0 none */
	const char *ca, *crl, *sni;
	uint32_t inter, fastinter, downinter, rise, fall, check_port, slow_start;
};

/* ---- a section that has traffic ----------------------------------------------------------------------------------- */

/* A line that is understood when the whole file is known. */
struct hap_later {
	struct hap_later *next;
	struct hap_line l;
};
struct hap_laters {
	struct hap_later *first, **last;
};
/* Rules of a section. */
struct hap_rule_row {
	struct hap_rule_row *next;
	const struct hap_line *l;
	struct import_row row; /* of kind rule; order, when and name come at the end */
	const char *when;
	bool answer;
};
struct hap_rule_rows {
	struct hap_rule_row *first, **last;
};
struct hap_proxy {
	struct hap_proxy *next;
	const struct hap_proxy *from; /* defaults; NULL */
	unsigned section;
	const char *name, *what; /* what: its header, for the report */
	struct place at;
	struct import_row vip; /* what was said, as fields of a service */
	struct import_row check;
	struct hap_server base; /* default-server */
	uint32_t timeout[HAP_TIMEOUTS];
	bool checked, expected,
	    further; /* http-check: of its own; an answer was judged; a second request */
	bool http, logs, http_log, tcp_log, forwardfor, forwarded, close, server_close, redispatch,
	    all_backups, disabled, used, stats, head_said,
	    counts; /* counts: has a stick table that does */
	struct hap_bind *binds, **last_bind;
	struct hap_server *servers, **last_server;
	struct hap_laters acls, rules,
	    uses;	     /* uses: use_backend, and default_backend alone in the next */
	struct hap_line *to; /* default_backend; NULL */
	struct hap_rule_rows rows;
	bool ruled;			    /* rows are there */
	const char *pool;		    /* the name of its pool; NULL: there is none yet */
	const struct hap_proxy *pool_front; /* the first that leads to it */
	bool pool_told; /* that others tell its servers something else was said */
	const char
	    *keeper; /* the first service with its servers, which keeps the clients of all; NULL */
};

struct hap {
	struct import *im;
	struct err *err;
	int rc; /* of a limit; the reader stops */
	struct hap_proxy *proxies, **last_proxy;
	struct textmap by_name; /* "frontend web", "backend web", "defaults web" */
	struct textmap tls_by_text, certs, cas, lists, pages, maps;
	struct textmap counted;		/* tables and rules that count */
	const struct hap_proxy *asking; /* whose condition is read */
	const char *group;		/* the section http-errors that is read; NULL */
	struct import_row *setting;
	const char *crt_base, *ca_base, *syslog;
	struct import_row tls;	/* ssl-default-bind-... */
	uint32_t jitter, steps; /* steps: rules that were looked at for services */
	bool verify_none;
	bool by_host; /* a test in braces of the condition that was read last is on the host */
};
typedef void (*hap_fn)(struct hap *h, struct hap_proxy *p, const struct hap_line *l);

/* haproxy_lex.c */
/* hap_words - one line of text into words, with quotes, escapes and the comment taken out. ERR_INVALID: a quote that does
 * not end, an escape that is none, too many words. */
int hap_words(struct import *im, struct place at, const char *text, size_t len,
    struct hap_line *out, struct err *err);
/* hap_time - "10", "10s", "5m"; a number alone is of scale milliseconds (1 or 1000). At most 49 days. */
bool hap_time(const char *s, unsigned scale, uint32_t *ms_out);
void hap_later(struct hap *h, struct hap_laters *to, const struct hap_line *l);
/* hap_join - words from the i-th on with spaces between, in the arena. */
const char *hap_join(struct hap *h, const struct hap_line *l, unsigned i);

/* haproxy_notes.c: what needs a word only. */
/* hap_note - the line of the report for a directive that becomes nothing of ours, or needs nothing. false: unknown. */
bool hap_note(struct hap *h, unsigned section, const struct hap_line *l);
/* A row of them: a directive in the sections of where, or a word of bind or server that args words follow. */
struct hap_note {
	const char *words;
	uint8_t where, args;
	enum taken how;
	const char *why; /* of a word that is TAKEN: NULL */
};
/* hap_note_word - where: HAP_BIND_WORD or HAP_SERVER_WORD. NULL: unknown. */
const struct hap_note *hap_note_word(unsigned where, const char *word);

/* haproxy_global.c */
void hap_global(struct hap *h, const struct hap_line *l);

/* haproxy_proxy.c: directives of defaults, frontend, listen, backend. */
void hap_directive(struct hap *h, struct hap_proxy *p, const struct hap_line *l);

/* haproxy_option.c: "option X" and what was before it; persistence. */
void hap_option(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_balance(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_hash_type(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_cookie(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_appsession(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_stick(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_stick_table(struct hap *h, struct hap_proxy *p, const struct hap_line *l);

/* haproxy_answer.c */
void hap_compression(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_errorloc(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
/* haproxy_pages.c */
void hap_errorfile(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_errorfiles(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_http_error(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
/* hap_errors_line - a line of a section http-errors. */
void hap_errors_line(struct hap *h, const char *group, const struct hap_line *l);
/* hap_errors_file - the file of a status in such a section; NULL. */
const char *hap_errors_file(struct hap *h, const char *group, const char *code);
/* hap_page_read - a file into status, content_type, retry_after and body of a page; type: of a body alone; NULL: the file is a whole
 * answer. more: set when it has further header fields. NULL: good; else why not. */
const char *hap_page_read(
    struct hap *h, const char *path, const char *type, struct import_row *page, bool *more);
/* hap_error_answer - what a section answers with for a status: a page, or a redirect; in place of what it had. */
int hap_error_answer(
    struct hap *h, struct hap_proxy *p, const char *code, const char *answer, struct err *err);

/* hap_error_merge - of a service: what its frontend and its backend answer with. */
void hap_error_merge(struct hap *h, struct import_row *r, const struct hap_proxy *front,
    const struct hap_proxy *back, bool first);

bool hap_strict_option(struct hap *h, struct hap_proxy *p, const struct hap_line *l);

/* haproxy_check.c */
/* hap_check_option - "option httpchk" and its like; false: no check at all. */
bool hap_check_option(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_http_check(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_tcp_check(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
/* hap_check_of - how a server of a section is tested. */
struct import_check *hap_check_of(struct hap *h, struct hap_proxy *p, const struct hap_server *s);

/* haproxy_bind.c */
void hap_bind(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
/* hap_tls_word - an argument of bind that is a setting of TLS. 0: it is none; else how many words it took. */
unsigned hap_tls_word(struct hap *h, struct import_row *tls, const struct hap_line *l, unsigned i);

/* haproxy_tls.c */
/* hap_tls_of - TLS settings with their certificates; NULL: no certificate can be read, which is said. */
struct import_row *hap_tls_of(struct hap *h, const struct hap_bind *b, const char *wanted);
/* hap_ca_of - name of the authorities in a file, with what they have revoked; NULL: cannot be read, which is said. */
const char *hap_ca_of(struct hap *h, struct place at, const char *ca, const char *crl);
void hap_crt(struct hap *h, struct hap_bind *b, const struct hap_line *l, const char *path);
void hap_crt_list(struct hap *h, struct hap_bind *b, const struct hap_line *l, const char *path);

/* hap_base_name - the file's name without folders and ending, as a name of the schema. */
void hap_base_name(const char *path, struct buf *out);

/* haproxy_lists.c: the name of the list that a file of values is; said when it is new. */
const char *hap_list_of(struct hap *h, struct place at, const char *path, enum list_kind kind);

/* haproxy_rate.c: counts of stick tables. hap_rates_scan - before all else. */
void hap_rates_scan(struct hap *h, const char *text, size_t len);
/* hap_rate_field - "sc_http_req_rate(0)" as "rate(requests, src, 10s)". false: not about counts. why_out: set when it is, and there
 * is nothing like it; NULL before. */
bool hap_rate_field(
    struct hap *h, const char *word, char *field, size_t room, const char **why_out);
void hap_rate_table(struct hap *h, const struct hap_line *l, const char *stores);
/* hap_rate_track - what is said of a track-sc rule. */
const char *hap_rate_track(struct hap *h, const struct hap_line *l, enum taken *how_out);

/* haproxy_server.c */
void hap_server(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_server_template(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_default_server(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_server_init(struct hap_server *s);

/* haproxy_cond.c: conditions, as the field when of a rule. "" is always; HAP_NEVER is never. */
#define HAP_NEVER "!"
#define HAP_WHEN_MAX 2000 /* of the field when */
#define HAP_BY_DOMAIN \
	"names that end in it, not those that have it in their middle; a host without its port"
#define HAP_BY_HOST "a host without its port, letters of either case alike"
void hap_acl(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
/* hap_when_at - where "if" or "unless" stands behind word from; the number of words: nowhere. */
unsigned hap_when_at(const struct hap_line *l, unsigned from);
/* hap_when - the condition that begins there. why_out: set when it cannot be taken, else left alone. */
const char *hap_when(struct hap *h, const struct hap_proxy *p, const struct hap_line *l,
    unsigned at, const char **why_out);
const char *hap_when_and(struct hap *h, const char *a, const char *b);
const char *hap_when_or(struct hap *h, const char *a, const char *b);
const char *hap_when_not(struct hap *h, const char *a);
/* hap_when_is_on_target - whether it looks at the path or query. hap_when_asked - the same condition on those that the client wrote,
 * whatever rules have made of them. */
bool hap_when_is_on_target(const char *when);
const char *hap_when_asked(struct hap *h, const char *when);

/* haproxy_when.c */
/* hap_when_test - one test, words i to before end, behind what out has. NULL, or why it cannot be taken. */
const char *hap_when_test(
    struct hap *h, const struct hap_line *l, unsigned i, unsigned end, struct buf *out);
void hap_when_value(const char *s, struct buf *out); /* quoted as far as it is needed */

/* haproxy_template.c: formats of HAProxy as templates of content rules. */
/* hap_template - in the arena; NULL: a part has no counterpart. */
const char *hap_template(struct hap *h, const char *format, bool answer);
/* hap_replacement - "\\1" of a regular expression too. */
const char *hap_replacement(struct hap *h, const char *format, bool answer);

/* haproxy_rule.c: lines as rules of ours. */
void hap_rule(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
void hap_use_backend(struct hap *h, struct hap_proxy *p, const struct hap_line *l);
/* hap_rules_of - the rules of a section, with what becomes of each line said; read when they are asked for first. */
const struct hap_rule_rows *hap_rules_of(struct hap *h, struct hap_proxy *p);
/* hap_rules_changed - why a condition behind all rules of a section means something else with us; NULL: it does not. */
const char *hap_rules_changed(struct hap *h, struct hap_proxy *p, const char *when);

/* haproxy_switch.c: rules of a frontend and of its backends as the rules of one service, and pools. */
void hap_rules_finish(struct hap *h, struct hap_proxy *front, struct hap_proxy *back,
    struct import_service *s, bool tls, bool first);

/* haproxy_finish.c */
int hap_finish(struct hap *h);
/* haproxy_pool.c */
/* hap_pool_of - the name of the pool that a backend is, to which a frontend leads; NULL: there are too many services (h->rc). */
const char *hap_pool_of(struct hap *h, const struct hap_proxy *front, struct hap_proxy *back);

#endif
