/* run.c - one probe, watched.
 *
 * The probe is a probe like any other and counts towards the verdict; watching it only means that each step goes to
 * the one who asked, as a row CHECK_STEP. The last step is the result in words, "good: ..." or "bad: ..."; RESULT is 0
 * after a good probe, else -EIO with the same words. Who went away meanwhile costs nothing: the bus drops the rows. */
#include "run.h"

#include "base/mem.h"
#include "msg/msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct run {
	struct watcher w;
	struct bus_request rq;
	unsigned steps;
};

static unsigned running;

static void
on_step(void *arg, const struct probe_step *step)
{
	struct run *run = arg;
	struct msg_check_step m = {
		.at = (uint64_t)step->at, .text = SPAN(step->text), .sent = step->sent
	};

	if (step->data)
		m.data = (struct span){ step->data, step->len };
	if (run->steps++ < RUN_STEPS_MAX)
		(void)bus_reply(&run->rq, MSG_CHECK_STEP, &m);
}

/* The result is a last step; RESULT says it again when it is bad, as the reason of a code. */
static void
on_end(void *arg, const struct target *t)
{
	struct run *run = arg;
	char one[VERDICT_TEXT], text[VERDICT_TEXT + 64];
	struct probe_step step = { .text = text };
	bool good;

	if (t) {
		good = verdict_worth(&t->st.last) == WORTH_GOOD;
		verdict_format(&t->st, one, sizeof(one));
		(void)snprintf(text, sizeof(text), "%s: %s; the server is %s",
		    good ? "good" : "bad", one, verdict_word(t->st.verdict));
		step.at = t->st.last.latency_us;
		run->steps = 0; /* it is shown in any case */
		on_step(run, &step);
		bus_result(&run->rq, good ? 0 : -EIO, good ? "" : text);
	} else {
		bus_result(&run->rq, ERR_UNKNOWN, "the server was deleted meanwhile");
	}
	running--;
	free(run);
}

void
run_start(struct sched *s, uint32_t server, const struct bus_request *rq)
{
	struct run *run;
	char text[80];

	if (running >= RUN_MAX) {
		bus_result(rq, -EBUSY, "too many checks were asked for at once");
		return;
	}
	if (!sched_find(s, server)) {
		(void)snprintf(
		    text, sizeof(text), "rip %u: does not exist, or not yet here", server);
		bus_result(rq, ERR_UNKNOWN, text);
		return;
	}
	run = mem_alloc(sizeof(*run));
	run->w = (struct watcher){ .step = on_step, .end = on_end, .arg = run };
	run->rq = *rq;
	running++;
	(void)sched_watch(s, server, &run->w);
}
