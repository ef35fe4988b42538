/* notify_route_record.c - what scripts may have told routers, in RUN/lbd-ha.routes-told, one "ADDRESS TIMEOUT ROW SCRIPT..." a
 * line; and --release, which takes it back when no lbd-ha runs.
 *
 * Parsing is bounded: a line that is damaged means one route that is not taken back. The programs are looked at before
 * they are run, as always (script.c), so the file gives nobody more than the configuration does. */
#include "notify_route_priv.h"

#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RELEASE_MOST DUR_S(20) /* of all runs */
#define RECORD_LINE 700

static void
put_lines(const struct runner *r, FILE *f)
{
	char host[ADDR_TEXT];

	for (uint32_t i = 0; i < r->n; i++) {
		if (!r->a[i].noted)
			continue;
		addr_format(&r->a[i].addr, ADDR_HOST, host);
		(void)fprintf(f, "%s %u %s %s\n", host, r->row.timeout, r->name, r->text);
	}
}

void
route_record_write(struct notify_route *k)
{
	char part[320];
	bool good;
	FILE *f;

	(void)snprintf(part, sizeof(part), "%s.new", k->record);
	f = fopen(part, "we");
	for (unsigned i = 0; f != NULL && i < k->n; i++)
		put_lines(k->r[i], f);
	good = f != NULL && fclose(f) == 0 && rename(part, k->record) == 0;
	if (!good && !k->unwritable)
		log_warn("%s: cannot be written: %s; --release will not withdraw all routes",
		    k->record, strerror(errno));
	k->unwritable = !good;
}

static bool
read_line(char *text, struct route_line *out)
{
	char host[ADDR_TEXT];
	int at = 0;

	text[strcspn(text, "\n")] = '\0';
	*out = (struct route_line){ 0 };
	if (sscanf(text, "%63s %u %63s %n", host, &out->timeout, out->name, &at) < 3 || at == 0 ||
	    text[at] == '\0' || strlen(text + at) >= sizeof(out->text) || out->timeout < 50 ||
	    out->timeout > 600000)
		return false;
	(void)snprintf(out->text, sizeof(out->text), "%s", text + at);
	return addr_parse(host, ADDR_HOST, &out->addr) == 0 && out->addr.family != 0;
}

void
route_record_read(
    const char *path, void (*one)(void *arg, const struct route_line *line), void *arg)
{
	char text[RECORD_LINE];
	FILE *f = fopen(path, "re");
	struct route_line line;

	while (f != NULL && fgets(text, sizeof(text), f) != NULL)
		if (read_line(text, &line))
			one(arg, &line);
	if (f != NULL)
		(void)fclose(f);
}

void
route_env(const struct told *t, enum advert what, char vars[ADVERT_VARS][ADVERT_VAR],
    const char *env[ADVERT_VARS + 3])
{
	static const char path[] = "PATH=" CHILD_PATH;
	struct advert_word w = { .addr = t->addr,
		.group = t->group,
		.was = t->unsure ? ADVERT_OPEN : t->was,
		.now = what,
		.why = t->why,
		.at_ms = mono_wall_ms() };

	memcpy(w.ifname, t->ifname, sizeof(w.ifname));
	advert_vars(&w, vars);
	env[0] = path;
	env[1] = "LC_ALL=C";
	for (unsigned i = 0; i < ADVERT_VARS; i++)
		env[i + 2] = vars[i];
	env[ADVERT_VARS + 2] = NULL;
}

static void
on_released(void *arg, const struct child_result *res)
{
	const struct route_line *one = arg;
	char text[SCRIPT_RESULT], host[ADDR_TEXT];

	addr_format(&one->addr, ADDR_HOST, host);
	if (!script_result(res, one->timeout, text))
		log_warn("notify %s: %s: fip %s: %s", one->name, one->text, host, text);
}

struct release {
	const char *folder;
	mono_t until;
};

static void
release_one(void *arg, const struct route_line *line)
{
	const struct release *all = arg;
	struct route_line own = *line, *one = &own;
	struct told t = { .addr = one->addr, .was = ADVERT_ANNOUNCE, .why = "lbd was stopped" };
	char vars[ADVERT_VARS][ADVERT_VAR], why[SCRIPT_WHY];
	const char *env[ADVERT_VARS + 3];
	struct script script;
	const struct child_spec spec = { .argv = script.argv,
		.env = env,
		.output_max = 256,
		.limit = DUR_MS(one->timeout),
		.done = on_released,
		.arg = one };
	struct err err = { 0 };

	if (mono_now() > all->until)
		return;
	script_set(&script, all->folder, one->text);
	route_env(&t, ADVERT_WITHDRAW, vars, env);
	if (!script_may_run(&script, all->folder, why))
		log_warn("notify %s: %s", one->name, why);
	else if (child_run(&spec, &err) != 0)
		log_warn("notify %s: %s", one->name, err.text);
}

void
notify_route_release(const char *folder, const char *record)
{
	struct release all = { .folder = folder, .until = mono_now() + RELEASE_MOST };

	route_record_read(record, release_one, &all);
	(void)unlink(record);
}
