/* advice.h - what to do on a real server so that it works behind the load balancer, and the line that mends a finding.
 * Pure: what is known of the network comes as arguments, text goes out. lbctl prints it, the panel shows it.
 *
 * Advice is a list of rows under titles: texts for people and commands to be typed. As text (advice_text) it is a script:
 * everything but the commands is a comment, so it can be read, or run whole on the server. */
#ifndef ADVICE_ADVICE_H
#define ADVICE_ADVICE_H

#include "base/addr.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "msg/msg.h"
#include "schema/schema.h"

enum advice_os {
	ADVICE_LINUX,
	ADVICE_BSD,
	ADVICE_MACOS,
	ADVICE_SOLARIS,
	ADVICE_WINDOWS,
	ADVICE_SYSTEMS
};
extern const char *const advice_os_word[ADVICE_SYSTEMS];
enum advice_method {
	ADVICE_SYSCTL,	 /* the server has the virtual address and keeps quiet about it */
	ADVICE_IPTABLES, /* it does not have it; packets to it are redirected */
	ADVICE_METHODS
};
extern const char *const advice_method_word[ADVICE_METHODS];

#define ADVICE_NODES 8
/* All pointers are borrowed. Addresses of family 0 are not known: the text then says what to put there. */
struct advice_ask {
	const struct service *svc;
	const struct server *srv; /* its address is one, not a name */
	uint8_t os, method;
	const char *interface, *loopback; /* names on the server; NULL: the usual ones */
	struct addr gateway; /* nat: the floating address of the node in the servers' network */
	struct addr router;  /* dr, tun: the way from the servers' network to clients */
	struct addr net;     /* of the server, with its prefix length */
	struct addr vip_net; /* of the virtual address, with its prefix length */
	struct addr
	    node[ADVICE_NODES]; /* addresses of this node; the first is in the servers' network */
	unsigned nodes;
	unsigned mtu; /* of the way to the server; 0: 1500 */
};

enum advice_kind {
	ADVICE_TITLE,	/* what comes next */
	ADVICE_TEXT,	/* for people */
	ADVICE_COMMAND, /* to be typed; may be several lines */
	ADVICE_EXPECT,	/* what the command before should show */
	ADVICE_OTHER,	/* a command that does the same in another way; one line */
};
struct advice_row {
	uint8_t kind;
	const char *text; /* in the arena */
};
struct advice {
	struct arena *arena; /* { 0 } is empty */
	struct advice_row *rows;
	unsigned n;
};
/* advice_server - all that one server needs for its service. out is the caller's: advice_fini. ERR_INVALID: there is no
 * way of that kind there (err says which is), a name cannot be one, or nothing is needed at all. */
int advice_server(const struct advice_ask *a, struct advice *out, struct err *err);
void advice_fini(struct advice *a);
/* advice_text - as a script with comments. */
void advice_text(const struct advice *a, struct buf *out);

/* advice_fix - one line that mends a finding, or says where it is mended; "" when nothing is to be done. srv NULL: the
 * finding is about the service or this node. where: what is known beside it, "" or as the finding says (a module's name,
 * an interface, a program). */
void advice_fix(const struct advice_ask *a, enum finding what, const char *where, struct buf *out);

/* How packets reach the server: enum forward (dr, nat, tun), of the server or its service. */
unsigned advice_forward(const struct service *svc, const struct server *srv);
/* The tunnel of the server or its service, and the bytes that it adds. */
struct advice_tunnel {
	uint8_t kind; /* enum tunnel */
	uint16_t port;
	bool csum;
	unsigned overhead;
};
void advice_tunnel_of(
    const struct service *svc, const struct server *srv, struct advice_tunnel *out);

#endif
