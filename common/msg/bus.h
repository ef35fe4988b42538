/* bus.h - non-blocking side of the messages, for daemons: a server socket with handlers, and
 * links to other daemons that reconnect by themselves. Identity is SO_PEERCRED: root may be
 * anyone, a system user may be the daemon it is named after, members of group lbd-admin are
 * operators, everyone else sees what is PUBLIC. When the bus's own user is the peer's user
 * (everything run by one user) the peer may be anyone. */
#ifndef MSG_BUS_H
#define MSG_BUS_H

#include "msg/msg.h"
#include "sys/loop.h"
#include "sys/paths.h"

struct bus;
struct bus_peer;
/* Sender, access and required fields were checked. payload points into the packet. */
struct bus_request {
	struct bus_peer *peer;
	const struct msg_row *row;
	uint32_t seq;
	unsigned uid;
	uint64_t life; /* tells a kept copy that its peer left: replies then go nowhere */
};
/* bus_request_alive - whether anybody still waits for the answer. */
bool bus_request_alive(const struct bus_request *rq);
typedef void (*bus_fn)(void *arg, const struct bus_request *rq, const union msg_any *m);
struct bus_handler {
	unsigned number;
	bus_fn fn;
};

struct bus_ops {
	const char *program; /* "lbd-check"; socket is run/lbd-check.sock, mode 0666 */
	const struct bus_handler *handlers; /* ends with { 0 } */
	/* Write the state of the topics to the new subscriber with bus_reply; RESULT follows by
	 * itself. */
	void (*snapshot)(void *arg, const struct bus_request *rq, unsigned topics);
	void *arg;
};
int bus_open(struct loop *l, const struct paths *p, const struct bus_ops *ops, struct bus **out,
    struct err *err);
void bus_close(struct bus *b); /* not from within a handler */
/* bus_adopt - the same with a socket that listens there already, handed over by the process that serves it now; takes fd.
 * Nobody is accepted before bus_listen. */
struct bus *bus_adopt(struct loop *l, const struct paths *p, const struct bus_ops *ops, int fd);
int bus_fd(const struct bus *b); /* the listening socket; borrowed */
/* bus_listen - off: nobody is accepted, who is connected leaves at once or is told to come again (MSG_MOVED) for
 * BUS_LEAVE, and bus_close leaves the socket's path alone: another process serves it. on: accepts, and the path is ours. */
void bus_listen(struct bus *b, bool on);
void bus_release(
    struct bus *b); /* after bus_listen off, for good: this process's hold on the socket ends */
#define BUS_LEAVE DUR_S(60)
struct bus_stats {
	unsigned peers;
	/* packets that closed a peer; peers and requests not let in; peers too slow */
	uint64_t malformed, refused, cut;
};
void bus_stats(const struct bus *b, struct bus_stats *out);

/* bus_reply - one row of an answer; taken in any case. false: the peer's credit is used up with
 * it: stop, and go on when told (bus_pump). Small answers may ignore it: up to BUS_QUEUE rows
 * are kept, then the peer is cut off. Rows that ops.snapshot writes need no credit. */
bool bus_reply(const struct bus_request *rq, unsigned number, const void *payload);
void bus_result(const struct bus_request *rq, int code, const char *text); /* ends the answer */
#define BUS_QUEUE 256
#define BUS_CREDIT 128	       /* rows that every answer may begin with */
#define BUS_PEERS 64	       /* connections at once */
#define BUS_PEERS_ROOT 8       /* and some more that only root gets */
#define BUS_PEERS_USER 16      /* of one user without rights */
#define BUS_ANSWERS 64	       /* unfinished answers of one peer */
#define BUS_BACKLOG (4u << 20) /* bytes of changes that wait for one peer; then it is cut off */
#define BUS_STALL DUR_S(10)    /* so long may nothing move */
/* bus_pump - long answers: step is called whenever the peer has credit; it replies with some
 * rows, and returns true when the answer is complete (RESULT is then sent). A step without a
 * reply waits for bus_pump_again. fini is called in any case, also when the peer leaves; it may
 * be NULL. */
void bus_pump(const struct bus_request *rq, bool (*step)(void *state, const struct bus_request *rq),
    void (*fini)(void *state), void *state);
void bus_pump_again(struct bus *b); /* something new is there: ask all steps again */
/* bus_publish - a change of a topic, to every subscriber. */
void bus_publish(struct bus *b, unsigned topic, unsigned number, const void *payload);

/* A link to another daemon: connects, subscribes, hands over rows, reconnects after 0.2 to 2 s. */
struct bus_link;
struct bus_link_ops {
	const char *daemon;
	unsigned topics;	   /* 0: no subscription */
	void (*up)(void *arg);	   /* connected: the snapshot of the topics follows; may be NULL */
	void (*synced)(void *arg); /* the snapshot is complete; may be NULL */
	/* snapshot and changes */
	void (*row)(void *arg, const struct msg_row *row, const union msg_any *m);
	void (*down)(void *arg); /* went away: what is known stays, and grows old; may be NULL */
	void *arg;
};
struct bus_link *bus_link_new(
    struct loop *l, const struct paths *p, const char *program, const struct bus_link_ops *ops);
void bus_link_free(struct bus_link *k);
bool bus_link_is_up(const struct bus_link *k);
/* bus_link_ask - a request over the link; on_row for each row, then on_end once (code ERR_AWAY
 * when the link breaks). Returns 0 or ERR_AWAY at once (then on_end is not called). */
int bus_link_ask(struct bus_link *k, unsigned number, const void *payload,
    void (*on_row)(void *arg, const struct msg_row *row, const union msg_any *m),
    void (*on_end)(void *arg, int code, const char *text), void *arg);

#endif
