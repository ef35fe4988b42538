/* The room as a whole, with the real nft in namespaces of the test's own: what is in force after a configuration was
 * applied, what survives the next, what is left alone, and faults. The kernel's switches first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd-ipvs/packet/packet.h"
#include "lbd-ipvs/packet/sysctl.h"
#include "sys/child.h"
#include "tests/unit/sandbox.h"
#include "tests/unit/store_help.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

static const struct packet_pair alone;
#define DR "create vip a address=10.0.0.1 ports=80 mode=dr"
#define MARKED "create vip m address=10.0.0.2 ports=80,81 mode=nat syn_rate=5"

/* ---- switches: a folder of files stands for the kernel's ----------------------------------- */

static int
read_number(const char *path)
{
	FILE *f = fopen(file_in(path), "re");
	int n = -1;

	if (f != NULL) {
		assert_int_equal(fscanf(f, "%d", &n), 1);
		(void)fclose(f);
	}
	return n;
}

static void
make_file(const char *path, const char *text)
{
	char *copy = mem_text(file_in(path));

	for (char *p = copy + strlen(dir) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		(void)mkdir(copy, 0755);
	}
	sandbox_write(copy, text);
	free(copy);
}

static void
test_switches(void **state)
{
	static const struct {
		const char *path;
		int is, wanted;
		unsigned need;
	} rows[] = {
		{ "net/ipv4/ip_forward", 0, 1, NEED_FORWARD4 },
		{ "net/ipv6/conf/all/forwarding", 0, 1, NEED_FORWARD6 },
		{ "net/ipv6/conf/eth0/accept_ra", 1, 2, NEED_FORWARD6 },
		{ "net/ipv6/conf/eth1/accept_ra", 0, 0, NEED_FORWARD6 },
		{ "net/ipv4/conf/eth0/send_redirects", 1, 0, NEED_NO_REDIRECTS },
		{ "net/ipv4/vs/conntrack", 0, 1, NEED_CONNTRACK },
		{ "net/ipv4/vs/expire_nodest_conn", 0, 1, NEED_IPVS },
		{ "net/ipv4/vs/drop_entry", 0, 1, NEED_DEFENSE },
		{ "net/ipv4/vs/secure_tcp", 2, 2, NEED_DEFENSE },
		{ "net/ipv4/tcp_syncookies", 2, 2, NEED_DEFENSE },
	};
	struct err e = { 0 };

	for (unsigned need = 1; need <= NEED_DEFENSE; need <<= 1) {
		assert_int_equal(make_dir(state), 0);
		for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
			char text[8];

			(void)snprintf(text, sizeof(text), "%d\n", rows[i].is);
			make_file(rows[i].path, text);
		}
		assert_int_equal(sysctl_apply(dir, need, 0, &e), 0);
		for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
			assert_int_equal(read_number(rows[i].path),
			    rows[i].need == need ? rows[i].wanted : rows[i].is);
		/* Only the switch that is one is put back. */
		assert_int_equal(sysctl_apply(dir, 0, need, &e), 0);
		assert_int_equal(read_number("net/ipv4/vs/drop_entry"), 0);
		if (need == NEED_FORWARD4)
			assert_int_equal(read_number("net/ipv4/ip_forward"), 1);
		(void)drop_dir(state);
	}
	/* Without ip_vs its files come later; without IPv6 never. A file that cannot be written is a fault. */
	assert_int_equal(make_dir(state), 0);
	assert_int_equal(sysctl_apply(dir, NEED_FORWARD4 | NEED_FORWARD6, 0, &e), 0);
	assert_int_equal(sysctl_apply(dir, NEED_IPVS, 0, &e), 1);
	make_file("net/ipv4/vs/conntrack/x", "");
	assert_true(sysctl_apply(dir, NEED_CONNTRACK, 0, &e) < 0);
	assert_non_null(strstr(e.text, "net/ipv4/vs/conntrack"));
	(void)drop_dir(state);
}

static void
test_needs(void **state)
{
	static const struct {
		const char *edit;
		unsigned needs;
	} rows[] = {
		{ "create vip a address=10.0.0.1 ports=80", 0 },
		{ "create vip a address=10.0.0.1 ports=80 mode=tcp transparent=yes",
		    NEED_FORWARD4 | NEED_NO_REDIRECTS },
		{ DR, NEED_IPVS | NEED_FORWARD4 },
		{ DR " enabled=no", 0 },
		{ DR "; set setting main packet_filter=yes", NEED_IPVS },
		{ "create vip a address=fd00::1 ports=80 mode=dr", NEED_IPVS | NEED_FORWARD6 },
		{ "create vip a address=10.0.0.1 ports=80 mode=nat; set setting main packet_filter=yes",
		    NEED_IPVS | NEED_FORWARD4 | NEED_NO_REDIRECTS },
		{ DR
		    "; create rip a/r address=10.0.0.9 forward=nat; set setting main packet_filter=yes",
		    NEED_IPVS | NEED_FORWARD4 | NEED_NO_REDIRECTS },
		{ "create vip a address=10.0.0.1 ports=80 mode=snat persistence=source",
		    NEED_IPVS | NEED_FORWARD4 | NEED_NO_REDIRECTS | NEED_CONNTRACK },
		{ "create nat n kind=masquerade inside=fd00::/64 interface=eth1", NEED_FORWARD6 },
		{ "create nat n kind=masquerade inside=fd00::/64 interface=eth1 enabled=no", 0 },
		{ "set node main autonat=eth1", NEED_FORWARD4 },
		{ "set setting main syn_defense=yes", 0 },
		{ DR "; set setting main syn_defense=yes",
		    NEED_IPVS | NEED_FORWARD4 | NEED_DEFENSE },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct snapshot *s;

		assert_int_equal(open_store(state), 0);
		assert_good(edit(rows[i].edit));
		s = look();
		if (sysctl_needs(s) != rows[i].needs)
			fail_msg(
			    "%s: %#x, wanted %#x", rows[i].edit, sysctl_needs(s), rows[i].needs);
		snapshot_unref(s);
		(void)drop_dir(state);
	}
}

/* ---- the whole, in a sandbox ---------------------------------------------------------------- */

static struct loop *l;
static struct packet *p;
static char fault[600];
static unsigned faults;
static struct loop_timer poll_timer;
static mono_t deadline;
static const char *wanted_words, *unwanted_words;
static char listing[65536];

static void
on_fault(void *arg, const char *text)
{
	(void)arg;
	faults++;
	(void)snprintf(fault, sizeof(fault), "%s", text != NULL ? text : "");
}

static void
keep_output(void *arg, const struct child_result *r)
{
	int *code = arg;

	*code = r->code;
	(void)snprintf(listing, sizeof(listing), "%s%s", r->out, r->err);
}

/* A command, its words parted by spaces; its output is in listing. */
static int
run(const char *command)
{
	const char *argv[20] = { 0 };
	char *copy = mem_text(command), *save = NULL;
	int code = -1, n = 0;
	struct child_spec spec = { .argv = argv,
		.output_max = sizeof(listing) / 2 - 1,
		.limit = DUR_S(20),
		.done = keep_output,
		.arg = &code };

	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	if (child_run(&spec, NULL) != 0)
		code = -1;
	free(copy);
	return code;
}

static bool
has(const char *words)
{
	char *copy = mem_text(words), *save = NULL;
	bool all = true;

	for (char *w = strtok_r(copy, "|", &save); w != NULL; w = strtok_r(NULL, "|", &save))
		all &= strstr(listing, w) != NULL;
	free(copy);
	return all;
}

static void
poll_it(void *arg)
{
	(void)arg;
	(void)run("nft list ruleset");
	if (mono_now() > deadline ||
	    (has(wanted_words) && (unwanted_words == NULL || !has(unwanted_words))))
		loop_stop(l);
	else
		loop_timer_set(&poll_timer, DUR_MS(20));
}

/* Until the ruleset has all the words, parted by |, and not the unwanted ones. */
#define ruleset_has(words, not )                                                          \
	do {                                                                              \
		wanted_words = (words);                                                   \
		unwanted_words = (not );                                                  \
		deadline = mono_now() + DUR_S(20);                                        \
		loop_timer_set(&poll_timer, 0);                                           \
		must(loop_run(l) == 0);                                                   \
		if (mono_now() > deadline) {                                              \
			(void)fprintf(stderr, "no %s in\n%s%s\n", words, listing, fault); \
			return __LINE__;                                                  \
		}                                                                         \
	} while (0)
#define check(cond)                                                                           \
	do {                                                                                  \
		if (!(cond)) {                                                                \
			(void)fprintf(stderr, "line %d: %s\n%s\n", __LINE__, #cond, listing); \
			return 1;                                                             \
		}                                                                             \
	} while (0)

static void
apply(const char *lines)
{
	struct snapshot *s;

	if (edit(lines) != 0) {
		(void)fprintf(stderr, "%s: %s\n", lines, err.text);
		abort();
	}
	s = look();
	packet_apply(p, s, &alone);
	snapshot_unref(s);
}

static int cut_code;
static bool cut_done;

static void
on_cut(void *arg, int code)
{
	(void)arg;
	cut_code = code;
	cut_done = true;
	loop_stop(l);
}

static int
cut_one(void)
{
	struct packet_flow f = { .from_port = 1024, .to_port = 80 };

	(void)addr_parse("10.1.1.1", ADDR_HOST, &f.from);
	(void)addr_parse("10.0.0.1", ADDR_HOST, &f.to);
	cut_done = false;
	packet_cut(p, &f, 1, on_cut, NULL);
	if (cut_done)
		return 1; /* never from within the call */
	(void)loop_run(l);
	return cut_code;
}

static int
begin(void)
{
	static struct paths paths;
	const struct packet_ops ops = { .fault = on_fault };
	void *state = NULL;

	if (run("nft add table inet other") != 0)
		return SANDBOX_NONE;
	(void)open_store(&state);
	l = loop_new();
	loop_timer_init(&poll_timer, l, poll_it, NULL);
	p = packet_new(l, &paths, &ops);
	return 0;
}

static int
end(void)
{
	void *state = NULL;

	packet_free(p);
	loop_timer_fini(&poll_timer);
	loop_free(l);
	(void)drop_dir(&state);
	return 0;
}

/* What older ones left goes, ours comes; what packets filled stays when another thing changes. */
static int
life(void)
{
	int rc = begin();

	if (rc != 0)
		return rc;
	check(run("nft add table inet lbd") == 0 && run("nft add chain inet lbd old") == 0);
	check(run("nft add counter inet other mine") == 0);
	apply(DR "; " MARKED "; create vip t address=10.0.0.3 ports=80 mode=tcp transparent=yes");
	ruleset_has("cut4|mark4|limit_|socket transparent|table inet other", "chain old");
	check(run("ip rule") == 0 && has("fwmark 0x80000000 lookup 27746"));
	check(run("ip -6 rule") == 0 && has("fwmark 0x80000000 lookup 27746"));
	check(run("ip route show table 27746") == 0 && has("local default dev lo"));
	check(run("ip -6 route show table 27746") == 0 && has("local default dev lo"));
	check(run("cat /proc/sys/net/ipv4/ip_forward") == 0 && listing[0] == '1');

	/* An address that was seen, and a flow that is cut, survive another port; a rate of its own does not. */
	check(run("nft add element inet lbd seen4_4_5 { 10.7.7.7 }") == 0);
	check(cut_one() == 0);
	apply("set vip m ports=80,82");
	ruleset_has(". tcp . 82 :|10.7.7.7|10.1.1.1 . 1024 . 10.0.0.1 . 80", ". tcp . 81 :");
	apply("set vip m syn_rate=6");
	ruleset_has("seen4_4_6", "seen4_4_5");
	apply("set vip m syn_rate=0");
	ruleset_has("mark4", "limit");
	apply("delete vip t");
	ruleset_has("mark4", "socket");
	check(run("ip rule") == 0 && !has("27746"));
	check(faults == 0);

	/* A second one of the same mind takes over what is there. */
	packet_free(p);
	p = packet_new(l, NULL, &(struct packet_ops){ .fault = on_fault });
	check(
	    run("nft add element inet lbd cut4 { 10.8.8.8 . 1 . 10.0.0.1 . 2 timeout 20s }") == 0);
	apply("set vip m ports=80,83");
	ruleset_has(". tcp . 83 :|10.8.8.8|counter mine", "82");
	apply("delete vip m; delete vip a");
	ruleset_has("counter mine", "table inet lbd");
	check(cut_one() == -ENOENT);
	check(faults == 0);
	return end();
}

/* Somebody took the table away, or changed it, or put something else in its place. */
static int
damage(void)
{
	int rc = begin();

	if (rc != 0)
		return rc;
	apply(MARKED);
	check(cut_one() == 0); /* and no nft of ours runs any more */
	check(run("nft flush ruleset") == 0);
	ruleset_has("10.0.0.2 . tcp . 81 :|jump limit_", NULL);
	check(cut_one() == 0);
	check(run("nft add table inet other") == 0);
	check(run("nft insert rule inet lbd marking drop") == 0);
	check(run("nft delete element inet lbd mark4 { 10.0.0.2 . tcp . 81 }") == 0);
	check(
	    run("nft add element inet lbd cut4 { 10.8.8.8 . 1 . 10.0.0.1 . 2 timeout 20s }") == 0);
	ruleset_has("10.0.0.2 . tcp . 81 : 0x|table inet other|10.8.8.8",
	    "mangle; policy accept;\n\t\tdrop");

	/* At the same moment as a change of ours. */
	check(run("nft delete table inet lbd") == 0);
	apply("set vip m ports=80,82");
	ruleset_has(". tcp . 82 :", NULL);
	check(run("nft delete table inet lbd") == 0 && run("nft add table inet lbd") == 0);
	check(run("nft add set inet lbd mark4 { type ipv4_addr; }") == 0);
	apply("set vip m ports=80,83 syn_rate=0");
	ruleset_has(". tcp . 83 :", NULL);
	check(faults == 0);
	check(packet_clear(p, &err) == 0);
	check(run("nft list ruleset") == 0 && !has("table inet lbd") && has("table inet other"));
	check(packet_clear(p, &err) == 0); /* nothing is there: that is well */
	apply("set vip m ports=80,84");
	ruleset_has(". tcp . 84 :", NULL);
	return end();
}

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

static void
turn(void)
{
	struct loop_timer t;

	loop_timer_init(&t, l, stop_loop, l);
	loop_timer_set(&t, DUR_MS(10));
	(void)loop_run(l);
	loop_timer_fini(&t);
}

/* Without nft, and with one that fails: a fault, said once; it goes away by itself. */
static int
faulty(void)
{
	int rc = begin();

	if (rc != 0)
		return rc;
	(void)setenv("PATH", dir, 1);
	sandbox_write(file_in("nft"), "#!/bin/sh\necho 'x: Error: no luck today' >&2\nexit 1\n");
	check(chmod(file_in("nft"), 0755) == 0);
	apply(MARKED);
	deadline = mono_now() + DUR_S(20);
	while (faults == 0 && mono_now() < deadline) {
		turn();
	}
	check(strcmp(fault, "nft: no luck today") == 0);
	check(packet_clear(p, &err) != 0 && strstr(err.text, "no luck today") != NULL);
	(void)unlink(file_in("nft"));
	apply("set vip m ports=80,82");
	while (strstr(fault, "cannot be run") == NULL && mono_now() < deadline) {
		turn();
	}
	check(strstr(fault, "nft cannot be run: No such file or directory") != NULL);
	check(cut_one() == -ENOENT); /* flows do not wait for that */
	(void)unsetenv("PATH");
	ruleset_has(". tcp . 82 :", NULL); /* after NFT_RETRY */
	deadline = mono_now() + DUR_S(20); /* the kernel has it a moment before nft is over */
	while (fault[0] != '\0' && mono_now() < deadline) {
		turn();
	}
	check(fault[0] == '\0' && faults == 3);
	return end();
}

static void
in_sandbox(int (*fn)(void))
{
	int code = sandbox_run(fn);

	if (code == SANDBOX_NONE)
		skip();
	assert_int_equal(code, 0);
}

static void
test_life(void **state)
{
	(void)state;
	in_sandbox(life);
}

static void
test_damage(void **state)
{
	(void)state;
	in_sandbox(damage);
}

static void
test_faults(void **state)
{
	(void)state;
	in_sandbox(faulty);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_faults),
	};

	(void)alarm(100);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
