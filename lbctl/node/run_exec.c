/* From the supervisor's child to the daemon: finds the program, drops to the daemon's own user keeping only the
 * capabilities that its row names (as the unit files do), and becomes it. What cannot be dropped ends the child. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP(name) (UINT64_C(1) << (name))
#define FILES_WANTED 1048576
#define RUN_GROUP "lbd"

/* In the order in which they start; they stop in the opposite one. */
const struct run_daemon run_daemons[] = {
	{ "lbd-check", CAP(CAP_NET_RAW) },
	{ "lbd-proxy", CAP(CAP_NET_BIND_SERVICE) | CAP(CAP_NET_RAW) },
	{ "lbd-ipvs", CAP(CAP_NET_ADMIN) | CAP(CAP_NET_RAW) },
	{ "lbd-ha", CAP(CAP_NET_ADMIN) | CAP(CAP_NET_RAW) },
	{ "lbd-web", 0 },
};
const unsigned run_daemons_n = sizeof(run_daemons) / sizeof(*run_daemons);

bool
run_find(const char *name, char *out)
{
	char self[400], list[2000], *dir, *save = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *path = getenv("PATH");

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		(void)snprintf(out, 512, "%s/%s", self, name);
		if (access(out, X_OK) == 0)
			return true;
	}
	(void)snprintf(list, sizeof(list), "%s:/usr/sbin", path != NULL ? path : "/usr/bin");
	for (dir = strtok_r(list, ":", &save); dir != NULL; dir = strtok_r(NULL, ":", &save)) {
		(void)snprintf(out, 512, "%.400s/%s", dir, name);
		if (*dir == '/' && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

bool
run_users_exist(void)
{
	unsigned i;

	for (i = 0; i < run_daemons_n; i++)
		if (getpwnam(run_daemons[i].name) == NULL)
			return false;
	return getgrnam(RUN_GROUP) != NULL;
}

int
run_own_folder(const char *dir, struct err *err)
{
	const struct group *g = getgrnam(RUN_GROUP);

	if (g == NULL || chown(dir, 0, g->gr_gid) == -1 || chmod(dir, 01775) == -1)
		return err_set(err, -errno, "%s: cannot be given to group " RUN_GROUP ": %s", dir,
		    strerror(errno));
	return 0;
}

static bool
set_caps(uint64_t caps)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)caps,
		    .permitted = (uint32_t)caps,
		    .inheritable = (uint32_t)caps },
		{ .effective = (uint32_t)(caps >> 32),
		    .permitted = (uint32_t)(caps >> 32),
		    .inheritable = (uint32_t)(caps >> 32) },
	};
	unsigned i;

	if (syscall(SYS_capset, &head, data) == -1)
		return false;
	for (i = 0; i < 64; i++)
		if ((caps & CAP(i)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) == -1)
			return false;
	return true;
}

/* Needs root. What a later exec could get back goes from the bounding set too. */
static const char *
drop_to(const struct run_daemon *d)
{
	const struct passwd *pw = getpwnam(d->name);
	const struct group *g = getgrnam(RUN_GROUP);
	unsigned i;

	if (pw == NULL || g == NULL)
		return "user or group";
	if (initgroups(d->name, g->gr_gid) == -1)
		return "groups";
	for (i = 0; i < 64; i++)
		if (!(d->caps & CAP(i)) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1 ||
	    setresgid(g->gr_gid, g->gr_gid, g->gr_gid) == -1 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) == -1)
		return "user";
	if (!set_caps(d->caps))
		return "capabilities";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return "no new privileges";
	return NULL;
}

static void
raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_max == RLIM_INFINITY ||
	    r.rlim_max >= FILES_WANTED)
		return;
	r.rlim_max = r.rlim_cur = FILES_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &r); /* only root may, and not everywhere */
}

void
run_exec(const struct run_daemon *d, const char *path, bool drop, const char *const *argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *fault = NULL;
	sigset_t none;

	(void)setpgid(0, 0); /* Ctrl-C is for the supervisor, which stops us in order */
	if (null != -1)
		(void)dup2(null, STDIN_FILENO);
	raise_files();
	if (drop)
		fault = drop_to(d);
	if (fault != NULL) {
		(void)fprintf(stderr, "lbctl: run: %s: %s: %s\n", d->name, fault, strerror(errno));
		_exit(78);
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); /* changing the user clears it */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execv(path, (char *const *)(uintptr_t)argv);
	(void)fprintf(stderr, "lbctl: run: %s: %s\n", path, strerror(errno));
	_exit(78);
}
