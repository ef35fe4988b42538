/* fence.c - runs the script of ETC/fence that switches the other node off.
 *
 * Required: the core wants to take over from a node that it does not hear, and lacks nothing else; it says so by a number
 * (shared_is.fence). The script is run, and exit code 0 is answered with that number; anything else is tried again after
 * FENCE_AGAIN for as long as the wish stands. A run that was begun for an earlier wish says nothing about this one: the
 * other node may have been heard between. Advisory: the core has taken over already, and the script is run once.
 *
 * It runs as the user of lbd-ha, without a shell, and is killed at its timeout, which counts as failed. */
#include "fence.h"

#include "script.h"

#include "base/mem.h"
#include "sys/child.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FENCE_AGAIN DUR_S(2)

struct fencer {
	struct loop *loop;
	struct fence_ops ops;
	char folder[300], text[256];
	struct script script;
	dur_t timeout;
	char peer[160], addresses[400];
	uint32_t wish; /* that stands; 0: none */
	struct child *child;
	uint32_t runs_for; /* the wish that child was started for; 0: advisory */
	struct loop_timer again;
	const char *state;
	char result[160];
	int64_t since;
};

static void go(struct fencer *f);

static void
result(struct fencer *f, const char *state, const char *text)
{
	f->state = state;
	f->since = mono_wall_ms() / 1000;
	(void)snprintf(f->result, sizeof(f->result), "%s", text);
	f->ops.changed(f->ops.arg);
}

static void
failed(struct fencer *f, const char *text)
{
	log_err("fence %s: %s%s", f->text, text,
	    f->wish != 0 ? "; this node does not take over, and tries again" : "");
	result(f, "bad", text);
	if (f->wish != 0)
		loop_timer_set(&f->again, FENCE_AGAIN);
}

static void
on_done(void *arg, const struct child_result *r)
{
	struct fencer *f = arg;
	char text[120];

	f->child = NULL;
	if (f->wish != 0 && f->runs_for != f->wish) {
		go(f); /* it was for something else */
		return;
	}
	if (!r->late && r->code == 0) {
		log_warn("fence %s: exit code 0: the other node is off", f->text);
		result(f, "good", "exit code 0: the other node is off");
		if (f->wish != 0)
			f->ops.sure(f->ops.arg, f->wish);
		return;
	}
	if (r->late)
		(void)snprintf(text, sizeof(text), "killed after %u ms without an end",
		    (unsigned)(f->timeout / 1000));
	else if (r->code == -1)
		(void)snprintf(text, sizeof(text), "ended by signal %d", r->signo);
	else
		(void)snprintf(text, sizeof(text), "exit code %d", r->code);
	failed(f, text);
}

static void
go(struct fencer *f)
{
	char why[SCRIPT_WHY];
	const char *const env[] = { "PATH=" CHILD_PATH, "LC_ALL=C", f->peer, f->addresses,
		f->wish != 0 ? "LBD_MODE=required" : "LBD_MODE=advisory", NULL };
	const struct child_spec spec = { .argv = f->script.argv,
		.env = env,
		.output_max = 256,
		.limit = f->timeout,
		.done = on_done,
		.arg = f };
	struct err err = { 0 };

	if (f->child != NULL || f->text[0] == '\0')
		return;
	f->runs_for = f->wish;
	if (!script_may_run(&f->script, f->folder, why)) {
		failed(f, why);
		return;
	}
	if (child_start(&f->child, f->loop, &spec, &err) != 0) {
		f->child = NULL;
		failed(f, err.text);
		return;
	}
	log_warn("fence %s: the other node is to be switched off", f->text);
	result(f, "running", "");
}

static void
on_again(void *arg)
{
	struct fencer *f = arg;

	if (f->wish != 0)
		go(f);
}

void
fence_wish(struct fencer *f, uint32_t number)
{
	if (number == f->wish)
		return;
	f->wish = number;
	loop_timer_cancel(&f->again);
	if (number != 0)
		go(f);
}

void
fence_beside(struct fencer *f)
{
	go(f);
}

bool
fence_required(const struct snapshot *s)
{
	return snapshot_node(s)->fence[0] != '\0' &&
	       snapshot_node(s)->fence_mode == fence_mode_required;
}

static void
know_peer(struct fencer *f, const struct cluster *c)
{
	char text[ADDR_TEXT];
	size_t n;

	(void)snprintf(f->peer, sizeof(f->peer), "LBD_PEER=%s", c->peer_name);
	n = (size_t)snprintf(f->addresses, sizeof(f->addresses), "LBD_PEER_ADDRESSES=");
	for (unsigned i = 0; i < c->addrs_n && n + sizeof(text) < sizeof(f->addresses); i++) {
		addr_format(&c->addrs[i], ADDR_HOST, text);
		n += (size_t)snprintf(
		    f->addresses + n, sizeof(f->addresses) - n, "%s%s", i > 0 ? " " : "", text);
	}
}

void
fence_use(struct fencer *f, const struct snapshot *s, const struct cluster *c)
{
	const struct node *row = snapshot_node(s);
	const char *text = c != NULL ? row->fence : "";

	f->timeout = DUR_MS(row->fence_timeout);
	if (c != NULL)
		know_peer(f, c);
	if (strcmp(text, f->text) == 0)
		return;
	child_stop(f->child);
	f->child = NULL;
	loop_timer_cancel(&f->again);
	(void)snprintf(f->text, sizeof(f->text), "%s", text);
	if (text[0] != '\0')
		script_set(&f->script, f->folder, f->text);
	f->state = "unknown";
	f->result[0] = '\0';
	f->since = mono_wall_ms() / 1000;
	if (f->wish != 0)
		go(f);
}

bool
fence_row(const struct fencer *f, struct fence_row *out)
{
	if (f->text[0] == '\0')
		return false;
	*out = (struct fence_row){
		.target = f->text, .state = f->state, .text = f->result, .since = f->since
	};
	return true;
}

struct fencer *
fence_new(struct loop *l, const struct paths *p, const struct fence_ops *ops)
{
	struct fencer *f = mem_alloc(sizeof(*f));

	f->loop = l;
	f->ops = *ops;
	f->state = "unknown";
	(void)snprintf(f->folder, sizeof(f->folder), "%s/fence", p->etc);
	loop_timer_init(&f->again, l, on_again, f);
	return f;
}

void
fence_free(struct fencer *f)
{
	if (f == NULL)
		return;
	child_stop(f->child);
	loop_timer_fini(&f->again);
	free(f);
}
