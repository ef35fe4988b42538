/* watch.c - others at our table: "nft flush ruleset" and a restart of nftables.service take it away with all others, and
 * nobody would notice until services of several ports answer no more.
 *
 * The kernel tells of every transaction, object by object, with the name of the table first. Whose transaction it was
 * need not be known: while our own nft runs we do not listen. Elements of sets that packets or conns/ fill come and go
 * and are nobody's change.
 *
 * Whoever listens decides what to do; nothing is read from the kernel here.
 * Source: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h. */
#include "packet/watch.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WATCH_MAGIC 0x3a7c4e01
#define TABLE_NAME "lbd"
#define READS_MOST 64 /* in one turn */

struct watch {
	uint32_t magic;
	struct loop_fd io;
	int fd;
	bool on;
	loop_fn touched;
	void *arg;
};

/* The text of the first level attribute of a type; "" when there is none. */
static const char *
attr_text(const char *p, size_t len, unsigned type)
{
	while (len >= sizeof(struct nlattr)) {
		struct nlattr a;
		size_t step;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > len)
			break;
		if ((a.nla_type & NLA_TYPE_MASK) == type && a.nla_len > sizeof(a) &&
		    p[a.nla_len - 1] == '\0')
			return p + sizeof(a);
		step = NLA_ALIGN(a.nla_len);
		if (step > len)
			break;
		p += step;
		len -= step;
	}
	return "";
}

static bool
concerns(unsigned type, const char *body, size_t len)
{
	static const char *const filled[] = { "cut", "seen", "fresh" };
	struct nfgenmsg g;
	const char *set;

	if (type >> 8 != NFNL_SUBSYS_NFTABLES || (type & 0xff) == NFT_MSG_NEWGEN || len < sizeof(g))
		return false;
	memcpy(&g, body, sizeof(g));
	body += sizeof(g);
	len -= sizeof(g);
	/* Attribute 1 is the name of the table in all of them. */
	if (g.nfgen_family != NFPROTO_INET ||
	    strcmp(attr_text(body, len, NFTA_TABLE_NAME), TABLE_NAME) != 0)
		return false;
	if ((type & 0xff) != NFT_MSG_NEWSETELEM && (type & 0xff) != NFT_MSG_DELSETELEM)
		return true;
	set = attr_text(body, len, NFTA_SET_ELEM_LIST_SET);
	for (unsigned i = 0; i < ARRAY_LEN(filled); i++)
		if (strncmp(set, filled[i], strlen(filled[i])) == 0)
			return false;
	return true;
}

bool
watch_concerns(const void *messages, size_t len)
{
	const char *p = messages;

	while (len >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;
		size_t step;

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			break;
		if (concerns(h.nlmsg_type, p + sizeof(h), h.nlmsg_len - sizeof(h)))
			return true;
		step = NLMSG_ALIGN(h.nlmsg_len);
		if (step > len)
			break;
		p += step;
		len -= step;
	}
	return false;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct watch *w = arg;
	bool ours = false;
	char room[16384];

	(void)ready;
	must_obj(w, WATCH_MAGIC);
	for (unsigned i = 0; i < READS_MOST; i++) {
		ssize_t n = recv(w->fd, room, sizeof(room), MSG_DONTWAIT);

		if (n == -1 && errno == ENOBUFS) {
			ours = true; /* something was lost: it may have been that */
			continue;
		}
		if (n <= 0)
			break;
		ours |= watch_concerns(room, (size_t)n);
	}
	if (ours && w->on)
		w->touched(w->arg);
}

static bool
join(int fd, bool on)
{
	int group = NFNLGRP_NFTABLES;

	return setsockopt(fd, SOL_NETLINK, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP,
		   &group, sizeof(group)) == 0;
}

struct watch *
watch_new(struct loop *l, loop_fn touched, void *arg)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	const struct sockaddr_nl self = { .nl_family = AF_NETLINK };
	struct watch *w;

	/* Without an address of its own a socket counts as the sender, who is not told. */
	if (fd == -1 || bind(fd, (const struct sockaddr *)&self, sizeof(self)) == -1 ||
	    !join(fd, true)) {
		if (fd != -1)
			(void)close(fd);
		return NULL;
	}
	w = mem_alloc(sizeof(*w));
	*w = (struct watch){
		.magic = WATCH_MAGIC, .fd = fd, .on = true, .touched = touched, .arg = arg
	};
	loop_fd_init(&w->io, l, fd, on_ready, w);
	loop_fd_want(&w->io, LOOP_READ);
	return w;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	must_obj(w, WATCH_MAGIC);
	loop_fd_fini(&w->io);
	(void)close(w->fd);
	w->magic = 0;
	free(w);
}

void
watch_listen(struct watch *w, bool on)
{
	if (w == NULL || w->on == on)
		return;
	must_obj(w, WATCH_MAGIC);
	w->on = join(w->fd, on) ? on : w->on;
}
