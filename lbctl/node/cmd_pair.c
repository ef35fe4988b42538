/* The pair of nodes: a one-time code shown by one, typed at the other. The work is lbd-ha's; here its steps are printed as
 * they come, the question is put to the person, and the code is read from where it can be kept from other users: the
 * terminal, a file or standard input, never the command line. */
#include "ctl.h"

#include "msg/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CODE_ROOM 64
#define CODE_WAIT DUR_S(900) /* longer than a code lasts and a pairing takes */
#define PAIR_WAIT DUR_S(200) /* longer than its longest step */

struct steps {
	struct ctl *c;
	bool refused;
	struct err *err;
};

/* ---- steps, as they happen -------------------------------------------------------------------------------------------- */

static void
print_step(struct ctl *c, const struct msg_ha_step *m)
{
	struct buf out = { 0 };
	char word[24], text[500];

	span_text(m->step, word, sizeof(word));
	span_text(m->text, text, sizeof(text));
	if (c->style.form == FORM_JSON) {
		buf_puts(&out, "{\"step\":");
		view_json_text(&out, word);
		buf_printf(&out, ",\"at_us\":%llu,\"text\":", (unsigned long long)m->at);
		view_json_text(&out, text);
		buf_puts(&out, "}\n");
	} else {
		buf_printf(&out, "%-12s %s\n", word, text);
	}
	ctl_print(&out);
	(void)fflush(stdout);
	buf_fini(&out);
}

/* The person's answer, over a connection of its own: this one is in the middle of the steps. */
static int
answer(struct ctl *c, bool yes, struct err *err)
{
	const struct msg_ha_confirm m = { .yes = yes };
	struct client *k;
	int rc = client_open(&c->paths, "lbd-ha", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_HA_CONFIRM, &m, NULL, NULL, CTL_ANSWER, err);
	client_close(k);
	return rc;
}

static int
on_step(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct steps *s = arg;
	struct err no = { 0 };
	int rc;

	if (row->number != MSG_HA_STEP)
		return 0;
	print_step(s->c, &m->ha_step);
	if (!m->ha_step.ask)
		return 0;
	rc = ctl_ask(s->c, &no, "Replace it");
	s->refused = rc != 0;
	rc = answer(s->c, rc == 0, s->err);
	if (s->refused)
		*s->err = no;
	return rc;
}

/* ---- ha code --------------------------------------------------------------------------------------------------------- */

static int
on_code(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct steps *s = arg;
	struct ctl *c = s->c;
	struct buf out = { 0 };
	char code[CODE_ROOM], print[100], until[24];

	if (row->number != MSG_HA_CODE_IS)
		return on_step(arg, row, m);
	span_text(m->ha_code_is.code, code, sizeof(code));
	span_text(m->ha_code_is.fingerprint, print, sizeof(print));
	human_time(m->ha_code_is.until, until);
	if (c->style.form == FORM_JSON) {
		buf_puts(&out, "{\"code\":");
		view_json_text(&out, code);
		buf_puts(&out, ",\"fingerprint\":");
		view_json_text(&out, print);
		buf_puts(&out, ",\"until\":");
		view_json_time(&out, m->ha_code_is.until);
		buf_printf(&out, ",\"port\":%u}\n", m->ha_code_is.port);
	} else {
		buf_printf(&out, "%s\n", code);
	}
	ctl_print(&out);
	(void)fflush(stdout);
	ctl_note(c, "good once, until %s, for five tries; this node waits on port %u", until,
	    m->ha_code_is.port);
	ctl_note(c, "fingerprint of this node: %s", print);
	ctl_note(c, "on the other node: lbctl ha pair ADDRESS-OF-THIS-NODE");
	explicit_bzero(code, sizeof(code));
	explicit_bzero(out.p, out.len);
	buf_fini(&out);
	return 0;
}

int
cmd_ha_code(struct ctl *c, struct err *err)
{
	const struct msg_ha_code ask = { .wait = GIVEN(c, wait),
		.life = GIVEN(c, ttl) ? (uint32_t)(c->num[OPT_ttl] / 1000) : 0 };
	struct steps s = { .c = c, .err = err };
	struct client *k;
	int rc = client_open(&c->paths, "lbd-ha", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_HA_CODE, &ask, on_code, &s,
	    !ask.wait		? CTL_ANSWER
	    : GIVEN(c, timeout) ? DUR_MS(c->num[OPT_timeout])
				: CODE_WAIT,
	    err);
	client_close(k);
	if (rc == 0 && ask.wait && err->text[0] != '\0')
		ctl_note(c, "%s", err->text);
	return rc;
}

/* ---- ha pair ---------------------------------------------------------------------------------------------------------- */

/* "10.0.0.2", "10.0.0.2:9444", "fd00::2", "[fd00::2]:9444". */
static int
parse_where(const char *text, char host[ADDR_TEXT], uint16_t *port_out, struct err *err)
{
	const char *end = NULL, *colon = strchr(text, ':');
	struct addr a;
	unsigned long port = 0;
	char *rest;
	size_t n = strlen(text);

	if (text[0] == '[') {
		end = strchr(text, ']');
		n = end != NULL ? (size_t)(end - text - 1) : n;
		end = end != NULL && end[1] == ':'    ? end + 2
		      : end != NULL && end[1] == '\0' ? NULL
						      : text;
		text++;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		n = (size_t)(colon - text);
		end = colon + 1;
	}
	if (n < ADDR_TEXT)
		(void)snprintf(host, ADDR_TEXT, "%.*s", (int)n, text);
	if (n >= ADDR_TEXT || addr_parse(host, ADDR_HOST, &a) != 0 || a.family == 0)
		return err_set(err, ERR_USAGE,
		    "ha pair: \"%s\" is not an address, as 10.0.0.2, 10.0.0.2:9444 or [fd00::2]:9444",
		    text);
	if (end != NULL) {
		port = strtoul(end, &rest, 10);
		if (*end < '0' || *end > '9' || *rest != '\0' || port == 0 || port > UINT16_MAX)
			return err_set(
			    err, ERR_USAGE, "ha pair: port \"%s\": allowed is 1 to 65535", end);
	}
	*port_out = (uint16_t)port;
	return 0;
}

static int
read_code(struct ctl *c, char out[CODE_ROOM], struct err *err)
{
	const char *path = c->opt[OPT_code_file];
	struct buf text = { 0 };
	int rc = 0;

	out[0] = '\0';
	if (path != NULL) {
		rc = input_text(path, &text, err);
		if (rc == 0 && text.len < CODE_ROOM)
			(void)snprintf(out, CODE_ROOM, "%s", buf_text(&text));
	} else if (isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1) {
		(void)fprintf(stderr, "Code that the other node shows: ");
		(void)fflush(stderr);
		if (fgets(out, CODE_ROOM, stdin) == NULL)
			out[0] = '\0';
	} else {
		rc = err_set(err, ERR_USAGE,
		    "ha pair: without a terminal the code comes from --code-file FILE (- is standard input)");
	}
	if (text.p != NULL)
		explicit_bzero(text.p, text.len);
	buf_fini(&text);
	out[strcspn(out, "\r\n")] = '\0';
	if (rc == 0 && out[0] == '\0')
		rc = err_set(err, ERR_USAGE, "ha pair: no code was given");
	return rc;
}

int
cmd_ha_pair(struct ctl *c, struct err *err)
{
	struct msg_ha_pair ask = { .yes = GIVEN(c, yes) };
	struct steps s = { .c = c, .err = err };
	char host[ADDR_TEXT], code[CODE_ROOM];
	struct client *k;
	struct err why = { 0 };
	int rc = parse_where(c->argv[0], host, &ask.port, err);

	if (rc == 0)
		rc = read_code(c, code, err);
	if (rc == 0)
		rc = client_open(&c->paths, "lbd-ha", &k, err);
	if (rc != 0)
		return rc;
	ask.address = SPAN(host);
	ask.code = SPAN(code);
	rc = client_call(k, MSG_HA_PAIR, &ask, on_step, &s, PAIR_WAIT, &why);
	client_close(k);
	explicit_bzero(code, sizeof(code));
	if (rc != 0 && !s.refused && why.text[0] != '\0')
		*err = why;
	if (rc == 0 && why.text[0] != '\0')
		ctl_note(c, "%s", why.text);
	return rc;
}

/* ---- ha unpair ---------------------------------------------------------------------------------------------------------- */

int
cmd_ha_unpair(struct ctl *c, struct err *err)
{
	const struct msg_ha_unpair ask = { .local = GIVEN(c, local) };
	struct client *k;
	int rc = client_open(&c->paths, "lbd-ha", &k, err);

	if (rc != 0)
		return rc;
	rc = ctl_ask(
	    c, err, ask.local ? "End the pair on this node only" : "End the pair on both nodes");
	if (rc == 0)
		rc = client_call(k, MSG_HA_UNPAIR, &ask, NULL, NULL, DUR_S(20), err);
	client_close(k);
	if (rc == 0 && err->text[0] != '\0')
		ctl_note(c, "%s", err->text);
	return rc;
}

/* ---- failover --------------------------------------------------------------------------------------------------------- */

#define FAILOVER_WAIT DUR_S(8) /* longer than lbd-ha waits for the other node */

int
cmd_ha_failover(struct ctl *c, struct err *err)
{
	const char *why = c->opt[OPT_message];
	const struct msg_ha_order m = { .group = GIVEN(c, group) ? (uint8_t)c->num[OPT_group] : 0,
		.why = SPAN(why != NULL ? why : "") };
	struct client *k;
	int rc = client_open(&c->paths, "lbd-ha", &k, err);

	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_HA_FAILOVER, &m, NULL, NULL, FAILOVER_WAIT, err);
	client_close(k);
	if (rc == 0)
		ctl_note(c, "the other node is active for what was here; lbctl ha status tells");
	return rc;
}

/* ---- role ------------------------------------------------------------------------------------------------------------ */

/* When this process was started, in clock ticks since the start of the machine (proc(5), /proc/PID/stat, starttime); 0: not
 * known. keepalived starts the scripts of two changes without waiting for the first to end: the order of their starts is that
 * of the changes, the order in which they get through need not be. */
static uint64_t
began(void)
{
	char line[1024];
	unsigned long long ticks = 0;
	FILE *f = fopen("/proc/self/stat", "re");
	const char *p;

	if (f == NULL)
		return 0;
	p = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
	(void)fclose(f);
	for (int field = 2; p != NULL && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p != NULL && sscanf(p, "%llu", &ticks) == 1 ? ticks : 0;
}

int
cmd_ha_role(struct ctl *c, struct err *err)
{
	const char *why = c->opt[OPT_message], *group = c->argc > 1 ? c->argv[1] : "0";
	const struct msg_ha_told m = { .role = SPAN(c->argv[0]),
		.group = (uint8_t)(group[0] - '0'),
		.why = SPAN(why != NULL ? why : ""),
		.began = began() };
	struct client *k;
	int rc;

	if (c->argc > 1 && strcmp(group, "1") != 0 && strcmp(group, "2") != 0)
		return err_set(err, ERR_USAGE, "group: \"%s\" is not allowed: 1 or 2", group);
	rc = client_open(&c->paths, "lbd-ha", &k, err);
	if (rc != 0)
		return rc;
	rc = client_call(k, MSG_HA_TOLD, &m, NULL, NULL, FAILOVER_WAIT, err);
	client_close(k);
	return rc;
}
