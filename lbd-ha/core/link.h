/* link.h - which interfaces have a carrier, told by the kernel as it changes. Source: linux/rtnetlink.h, RTM_NEWLINK. */
#ifndef HA_LINK_H
#define HA_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_MOST 64

struct link_one {
	int32_t index;
	bool up; /* administratively, with a carrier */
};
struct link {
	int fd;
	unsigned n;
	bool lost; /* the kernel dropped messages: ask anew */
	struct link_one one[LINK_MOST];
};

int link_open(struct link *l); /* asks for all; 0 or -errno */
void link_close(struct link *l);
/* link_read - everything that is there. True: some interface changed. */
bool link_read(struct link *l);
/* link_parse - one packet of messages; pure. True: some interface changed. */
bool link_parse(struct link *l, const void *bytes, size_t len);
/* link_is_up - of an interface that was never heard of: false. */
bool link_is_up(const struct link *l, int32_t index);

#endif
