/* main.c - lbd-ipvs: the kernel's packet path.
 *
 * The ops table and nothing else: what should be is plan/, making it so apply/ and kernel/. */
#include "daemon/daemon.h"

static int
init(struct daemon *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

static const struct bus_handler handlers[] = {
	{ 0, NULL },
};

static const struct daemon_ops ops = {
	.name = "lbd-ipvs",
	.synopsis = "programs the kernel's packet path",
	.messages = handlers,
	.init = init,
};

int
main(int argc, char **argv)
{
	return daemon_main(argc, argv, &ops);
}
