/* The checks of keepalived as a check of ours.
 *
 * What a check does not say, its server says, then its service, then keepalived's default. Of several checks of one
 * server the one that proves most is taken: a page before a connection. One dead probe and retries after it are fall,
 * the time between them is the fast interval; one good probe brings a server back. */
#include "import/keepalived.h"
#include "import/text.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_MS 60000
#define TIMEOUT_MS 5000
#define BEFORE_RETRY_MS 1000
#define BEFORE_RETRY_HTTP_MS 3000
#define RETRY 1
#define LEAVE_FROM "the system chooses where probes leave from"

void
ka_params_init(struct ka_params *p)
{
	*p = (struct ka_params){ .interval = -1,
		.timeout = -1,
		.before_retry = -1,
		.retry = -1,
		.alpha = -1,
		.inhibit = -1 };
}

/* A flag: alone it is yes. -1: neither yes nor no. */
static int
flag_of(const struct ka_line *l)
{
	static const char *const yes[] = { "true", "on", "yes" }, *const no[] = { "false", "off",
		"no" };

	if (l->n < 2)
		return 1;
	for (unsigned i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(l->word[1], yes[i]) == 0)
			return 1;
		if (strcmp(l->word[1], no[i]) == 0)
			return 0;
	}
	return -1;
}

static void
take_ms(struct import *im, const struct ka_line *l, int64_t *at, const char *field)
{
	uint32_t ms;

	if (l->n < 2 || !text_ms(l->word[1], &ms) || ms == 0 || ms > 86400000) {
		import_say(im, l->at, NOT_TAKEN, l->what, "check.%s: seconds, up to a day", field);
		return;
	}
	*at = ms;
	import_say(im, l->at, TAKEN, l->what, "check.%s", field);
}

static void
take_flag(struct import *im, const struct ka_line *l, int *at, const char *field)
{
	int v = flag_of(l);

	if (v < 0) {
		import_say(im, l->at, NOT_TAKEN, l->what, "%s: true or false", field);
		return;
	}
	*at = v;
	if (field[0] != '\0')
		import_say(im, l->at, TAKEN, l->what, "%s", field);
}

static void
take_retry(struct import *im, const struct ka_line *l, struct ka_params *p)
{
	uint32_t v;

	if (l->n < 2 || !text_number(l->word[1], 99, &v)) {
		import_say(im, l->at, NOT_TAKEN, l->what, "check.fall: 0 to 99 retries");
		return;
	}
	p->retry = (int)v;
	import_say(im, l->at, TAKEN, l->what, "check.fall: %u, the first probe counts too", v + 1);
}

bool
ka_param(struct import *im, const struct ka_line *l, struct ka_params *p)
{
	const char *w = l->word[0];

	if (strcmp(w, "delay_loop") == 0)
		take_ms(im, l, &p->interval, "interval");
	else if (strcmp(w, "connect_timeout") == 0)
		take_ms(im, l, &p->timeout, "timeout");
	else if (strcmp(w, "delay_before_retry") == 0)
		take_ms(im, l, &p->before_retry, "fast");
	else if (strcmp(w, "retry") == 0 || strcmp(w, "nb_get_retry") == 0)
		take_retry(im, l, p);
	else if (strcmp(w, "alpha") == 0)
		take_flag(im, l, &p->alpha, "check.assume");
	else if (strcmp(w, "inhibit_on_failure") == 0) {
		take_flag(im, l, &p->inhibit, ""); /* what becomes of it is known at the end */
		p->inhibit_at = l->at;
		p->inhibit_what = l->what;
	} else if (strcmp(w, "warmup") == 0)
		import_say(im, l->at, TAKEN_OTHERWISE, l->what,
		    "check.jitter: probes are spread by shortening each interval at random");
	else if (strcmp(w, "virtualhost") == 0 && l->n > 1) {
		p->host = l->word[1];
		import_say(im, l->at, TAKEN, l->what, "check.host");
	} else
		return false;
	return true;
}

/* ---- within a check ------------------------------------------------------------------------------------------- */

static bool
is_page(const struct ka_check *c)
{
	return strcmp(c->word, "HTTP_GET") == 0;
}

static void
take_status(struct import *im, struct ka_check *c, const struct ka_line *l)
{
	struct buf b = { 0 };

	for (unsigned i = 1; i < l->n; i++)
		buf_printf(&b, "%s%s", i > 1 ? "," : "", l->word[i]);
	(void)import_take(im, &c->row, l->at, l->what, "status", buf_text(&b), NULL);
	buf_fini(&b);
}

/* Statements of a page; false: none of them. */
static bool
page_line(struct import *im, struct ka_check *c, const struct ka_line *l)
{
	const char *w = l->word[0], *v = l->n > 1 ? l->word[1] : "";

	if (strcmp(w, "path") == 0) {
		(void)import_take(im, &c->row, l->at, l->what, "path", v, NULL);
	} else if (strcmp(w, "status_code") == 0) {
		take_status(im, c, l);
	} else if (strcmp(w, "digest") == 0) {
		import_say(im, l->at, NOT_TAKEN, l->what,
		    "check.expect: no sum of the page; choose a text of it: lbctl set check NAME expect=TEXT");
	} else if (strcmp(w, "regex") == 0) {
		c->regex = v;
		c->regex_at = l->at;
		c->regex_what = l->what;
	} else if (strcmp(w, "regex_no_match") == 0) {
		c->no_match = true;
		import_say(im, l->at, TAKEN, l->what, "check.reject");
	} else if (strcmp(w, "http_protocol") == 0) {
		import_say(im, l->at, strncmp(v, "1.1", 3) == 0 ? TAKEN : TAKEN_OTHERWISE, l->what,
		    "check: probes speak HTTP/1.1");
	} else if (strcmp(w, "fast_recovery") == 0) {
		import_say(im, l->at, TAKEN, l->what, "check.rise");
	} else {
		return false;
	}
	return true;
}

static void
other_line(struct import *im, const struct ka_check *c, const struct ka_line *l)
{
	static const struct {
		const char *word, *why;
	} rows[] = {
		{ "bindto", LEAVE_FROM },
		{ "bind_if", LEAVE_FROM },
		{ "bind_port", LEAVE_FROM },
		{ "fwmark", "probes carry no mark" },
		{ "log_all_failures", "each probe can be seen with: lbctl check run VIP/RIP" },
	};
	const char *why =
	    is_page(c) ? "no check of ours has it" : "goes with a test that is not made";

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(l->word[0], rows[i].word) == 0)
			why = rows[i].why;
	import_say(im, l->at, NOT_TAKEN, l->what, "check: %s", why);
}

void
ka_check_line(
    struct import *im, struct ka_check *c, const struct ka_line *l, const struct addr *server)
{
	struct addr a;

	if (ka_param(im, l, &c->own))
		return;
	if (strcmp(l->word[0], "connect_port") == 0 && l->n > 1) {
		(void)import_take(im, &c->row, l->at, l->what, "port", l->word[1], NULL);
	} else if (strcmp(l->word[0], "connect_ip") == 0 && l->n > 1) {
		if (text_host(l->word[1], &a) && addr_same_host(&a, server))
			import_say(im, l->at, TAKEN, l->what, "rip.address");
		else
			import_say(
			    im, l->at, NOT_TAKEN, l->what, "check: the server itself is tested");
	} else if (!is_page(c) || !page_line(im, c, l)) {
		other_line(im, c, l);
	}
}

/* ---- a check of ours -------------------------------------------------------------------------------------------- */

static int64_t
inner(int64_t check, int64_t server, int64_t service, int64_t otherwise)
{
	return check >= 0 ? check : server >= 0 ? server : service >= 0 ? service : otherwise;
}

static void
put_regex(struct import *im, struct ka_check *c)
{
	char text[1100];

	if (c->regex == NULL)
		return;
	if (!text_literal(c->regex, text, sizeof(text)))
		import_say(im, c->regex_at, NOT_TAKEN, c->regex_what,
		    "check: no regular expressions; choose a plain text: lbctl set check NAME expect=TEXT");
	else
		(void)import_take(im, &c->row, c->regex_at, c->regex_what,
		    c->no_match ? "reject" : "expect", text, NULL);
}

static void
put_times(
    struct import *im, struct ka_check *c, const struct ka_params *vs, const struct ka_params *rs)
{
	const struct ka_params *own = &c->own;
	bool page = is_page(c) || strcmp(c->word, "SSL_GET") == 0;
	int64_t interval = inner(own->interval, rs->interval, vs->interval, INTERVAL_MS);
	int64_t timeout = inner(own->timeout, rs->timeout, vs->timeout, TIMEOUT_MS);
	int64_t fast = inner(own->before_retry, rs->before_retry, vs->before_retry,
	    page ? BEFORE_RETRY_HTTP_MS : BEFORE_RETRY_MS);
	int64_t retry = inner(own->retry, rs->retry, vs->retry, RETRY);

	interval = interval < 100 ? 100 : interval;
	if (timeout > interval || timeout > 600000) {
		import_say(im, c->at, TAKEN_OTHERWISE, c->what,
		    "check.timeout: %" PRId64 " ms would be longer than the interval of %" PRId64
		    " ms, which it is instead",
		    timeout, interval);
		timeout = interval > 600000 ? 600000 : interval;
	}
	import_putf(im, &c->row, "interval", "%" PRId64 "ms", interval);
	import_putf(im, &c->row, "timeout", "%" PRId64 "ms", timeout < 50 ? 50 : timeout);
	import_putf(im, &c->row, "rise", "1");
	import_putf(im, &c->row, "fall", "%" PRId64, retry + 1);
	if (fast < interval && retry > 0)
		import_putf(im, &c->row, "fast", "%" PRId64 "ms", fast);
	if (inner(own->alpha, rs->alpha, vs->alpha, 0) == 1)
		import_putf(im, &c->row, "assume", "down");
}

static void
put_host(
    struct import *im, struct ka_check *c, const struct ka_params *vs, const struct ka_params *rs)
{
	const char *host = c->own.host != NULL ? c->own.host
			   : rs->host != NULL  ? rs->host
					       : vs->host;

	if (host != NULL && import_put(im, &c->row, "host", host, NULL) != 0)
		import_say(im, c->at, NOT_TAKEN, host, "check.host: at most 253 characters");
}

static struct ka_check *
best_of(struct ka_check *checks)
{
	for (struct ka_check *c = checks; c != NULL; c = c->next)
		if (is_page(c))
			return c;
	return checks;
}

struct import_check *
ka_check_finish(struct import *im, struct ka_check *checks, const struct ka_params *service,
    const struct ka_params *server, struct place at)
{
	struct ka_check *best = best_of(checks);

	if (best == NULL)
		return import_untested(im, at); /* keepalived does not test it either */
	for (const struct ka_check *c = checks; c != NULL; c = c->next) {
		if (c == best)
			continue;
		if (strcmp(c->word, "TCP_CHECK") == 0)
			import_say(im, c->at, TAKEN_OTHERWISE, c->what,
			    "check: a server has one, and %s on line %u needs the connection too",
			    best->word, best->at.line);
		else
			import_say(im, c->at, NOT_TAKEN, c->what,
			    "check: a server has one, %s on line %u", best->word, best->at.line);
	}
	import_putf(im, &best->row, "kind", "%s", is_page(best) ? "http" : "tcp");
	if (is_page(best)) {
		put_regex(im, best);
		put_host(im, best, service, server);
		if (import_value(&best->row, "status") == NULL)
			import_putf(im, &best->row, "status", "200-299");
	}
	put_times(im, best, service, server);
	return import_check_intern(im, &best->row);
}
