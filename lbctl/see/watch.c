/* The clock of -w and top: collect, draw, wait for the next second or for lbd-check to say that something changed.
 * What is drawn is the caller's; how it is drawn again is decided here: in place on a terminal, by new lines in a pipe. */
#include "watch.h"

#include "base/mem.h"
#include "msg/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SAMPLE DUR_MS(250) /* between two counts, for rates */
#define CALM DUR_MS(100)   /* never draw faster */

/* ---- the lines of a screen that were not in the one before -------------------------------------------------------- */

struct lines {
	char *text; /* owned; line ends are NUL */
	char **line;
	size_t n;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
lines_fini(struct lines *l)
{
	free(l->text);
	free(l->line);
	*l = (struct lines){ 0 };
}

/* A list in JSON becomes one object a line. */
static void
bare(char *line)
{
	size_t n = strlen(line);

	if (strcmp(line, "[") == 0 || strcmp(line, "]") == 0 || strcmp(line, "[]") == 0)
		*line = '\0';
	else if (n > 1 && line[n - 1] == ',' && line[0] == '{')
		line[n - 1] = '\0';
}

static void
lines_take(struct lines *l, struct buf *b, bool json)
{
	char *p, *end;

	l->text = mem_text(buf_text(b));
	l->line = mem_alloc((b->len + 1) * sizeof(*l->line));
	for (p = l->text; *p != '\0'; p = end) {
		end = p + strcspn(p, "\n");
		if (*end == '\n')
			*end++ = '\0';
		if (json)
			bare(p);
		if (*p != '\0')
			l->line[l->n++] = p;
	}
}

static void
print_new(struct lines *before, struct buf *b, bool json)
{
	struct lines now = { 0 };
	size_t i;

	lines_take(&now, b, json);
	for (i = 0; i < now.n; i++)
		if (before->n == 0 || bsearch(&now.line[i], before->line, before->n,
					  sizeof(*before->line), by_text) == NULL)
			(void)puts(now.line[i]);
	(void)fflush(stdout);
	lines_fini(before);
	qsort(now.line, now.n, sizeof(*now.line), by_text);
	*before = now;
}

/* In place: each line clears what was right of it, the last one what was below. */
static void
print_over(const struct buf *b, bool first)
{
	size_t i;

	(void)fputs(first ? "\033[2J\033[H" : "\033[H", stdout);
	for (i = 0; i < b->len; i++) {
		if (b->p[i] == '\n')
			(void)fputs("\033[K", stdout);
		(void)fputc(b->p[i], stdout);
	}
	(void)fputs("\033[J", stdout);
	(void)fflush(stdout);
}

/* ---- waiting -------------------------------------------------------------------------------------------------------- */

static int
any_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)m;
	return row->number == MSG_HEALTH;
}

static int
no_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	(void)arg;
	(void)row;
	(void)m;
	return 0;
}

/* A line to lbd-check that says when a verdict changes; NULL: it is away, the clock must do. */
static struct client *
listen_to_check(struct ctl *c, unsigned what)
{
	struct msg_subscribe m = { .topics = TOPIC_HEALTH };
	struct client *k;

	if (!(what & VIEW_HEALTH) || client_open(&c->paths, "lbd-check", &k, NULL) != 0)
		return NULL;
	if (client_call(k, MSG_SUBSCRIBE, &m, no_row, NULL, CTL_ANSWER, NULL) == 0)
		return k;
	client_close(k);
	return NULL;
}

static bool
key_q(void)
{
	char keys[16];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	return n > 0 && memchr(keys, 'q', (size_t)n) != NULL;
}

/* Until the interval has passed or something happened; true: the user wants to leave. */
static bool
wait_turn(struct ctl *c, struct client **check, const struct watch *w, dur_t interval, bool keys)
{
	struct pollfd fds[2] = { { .fd = -1, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	int rc;

	if (*check == NULL)
		*check = listen_to_check(c, w->what);
	fds[0].fd = keys ? STDIN_FILENO : -1;
	fds[1].fd = *check != NULL ? client_fd(*check) : -1;
	(void)poll(NULL, 0, (int)(CALM / 1000));
	rc = poll(fds, 2, (int)((interval > CALM ? interval - CALM : 0) / 1000));
	if (rc > 0 && fds[1].revents != 0) {
		rc = client_follow(*check, any_row, NULL, DUR_MS(1), NULL);
		if (rc < 0 && rc != -ETIMEDOUT) {
			client_close(*check);
			*check = NULL;
		}
	}
	return fds[0].revents != 0 && key_q();
}

static int
collect(struct ctl *c, const struct watch *w, bool first, struct err *err)
{
	unsigned n, i;
	const struct view_daemon *d;
	struct err ignored;
	int rc = ctl_reload(c, err);

	if (rc == 0)
		rc = ctl_look(c, w->what, err);
	if (rc != 0 || !first || !w->rates || !(w->what & VIEW_COUNTS))
		return rc;
	d = view_daemons(c->view, &n);
	for (i = 0; i < n; i++)
		if ((strcmp(d[i].name, "lbd-proxy") == 0 || strcmp(d[i].name, "lbd-ipvs") == 0) &&
		    d[i].why[0] == '\0')
			break;
	if (i == n)
		return 0; /* nobody counts */
	(void)poll(NULL, 0, (int)(SAMPLE / 1000));
	(void)ctl_look(c, VIEW_COUNTS, &ignored);
	return 0;
}

static void
raw_keys(bool on, struct termios *was)
{
	struct termios t;

	if (on && tcgetattr(STDIN_FILENO, was) == 0) {
		t = *was;
		t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		t.c_cc[VMIN] = 0;
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &t);
	} else if (!on) {
		(void)tcsetattr(STDIN_FILENO, TCSANOW, was);
	}
}

static int
watch_loop(struct ctl *c, const struct watch *w, bool keys, struct err *err)
{
	dur_t interval = w->interval != 0 ? w->interval : DUR_S(1);
	mono_t end = GIVEN(c, timeout) ? mono_now() + DUR_MS(c->num[OPT_timeout]) : INT64_MAX;
	struct client *check = NULL;
	struct lines before = { 0 };
	unsigned turn;
	int rc = 0;

	for (turn = 0; rc >= 0; turn++) {
		struct buf out = { 0 };
		dur_t left;

		rc = collect(c, w, turn == 0, err);
		if (rc == 0)
			rc = w->render(c, w->arg, &out, err);
		if (rc >= 0 && w->batch)
			ctl_print(&out);
		else if (rc >= 0 && c->tty_out)
			print_over(&out, turn == 0);
		else if (rc >= 0)
			print_new(&before, &out, c->style.form == FORM_JSON);
		buf_fini(&out);
		left = end - mono_now();
		if (rc < 0 || (w->most != 0 && turn + 1 >= w->most) || left <= 0 || ferror(stdout))
			break;
		if (wait_turn(c, &check, w, left < interval ? left : interval, keys))
			break;
	}
	client_close(check);
	lines_fini(&before);
	return rc;
}

int
watch_run(struct ctl *c, const struct watch *w, struct err *err)
{
	bool keys = w->on && c->tty_out && !w->batch && isatty(STDIN_FILENO) == 1;
	struct buf out = { 0 };
	struct termios was;
	int rc;

	if (!w->on) {
		rc = collect(c, w, true, err);
		if (rc == 0)
			rc = w->render(c, w->arg, &out, err);
		if (rc >= 0)
			ctl_print(&out);
		buf_fini(&out);
		return rc;
	}
	raw_keys(keys, &was);
	rc = watch_loop(c, w, keys, err);
	if (keys)
		raw_keys(false, &was);
	return rc;
}
