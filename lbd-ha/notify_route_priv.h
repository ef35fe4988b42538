/* notify_route_priv.h - what notify_route*.c share. */
#ifndef HA_NOTIFY_ROUTE_PRIV_H
#define HA_NOTIFY_ROUTE_PRIV_H

#include "notify_route.h"
#include "script.h"

#define RUNNERS (2 * NOTIFY_MOST) /* with those that leave */

/* What a row was told of an address. */
struct told {
	struct addr addr;
	char ifname[16];
	uint8_t group;
	enum advert want, was; /* was OPEN: nothing */
	bool unsure;	       /* how the last run ended is not known, or not well */
	bool failed;	       /* waits for the next try */
	bool again;	       /* a refresh is due */
	bool noted;	       /* it is in the record */
	char why[ADVERT_WHY];
};
struct runner {
	struct notify_route *all;
	struct notify row; /* its texts are copies: name, script */
	char name[64], text[256];
	struct script script;
	bool leaving;
	struct told *a; /* in order of addresses */
	uint32_t n;
	struct child *child;
	struct addr at; /* it runs for this address */
	enum advert doing;
	struct loop_timer retry, refresh;
	bool good, ran;
	char result[SCRIPT_RESULT];
	int64_t ended;
};
struct notify_route {
	struct loop *loop;
	struct notify_ops ops;
	char folder[300], record[300];
	struct loop_timer tidy, limit;
	void (*settled)(void *arg); /* NULL: nobody waits */
	void *settled_arg;
	bool unwritable; /* said in the log once */
	struct advert_row *rows;
	uint32_t rows_n;
	bool known; /* rows were set */
	unsigned n;
	struct runner *r[RUNNERS]; /* those that leave first */
};

/* A line of the record: what may have been told. */
struct route_line {
	struct addr addr;
	unsigned timeout;
	char name[64], text[256];
};

/* notify_route_record.c. _write: all that is noted. _read: each line that is whole. */
void route_record_write(struct notify_route *k);
void route_record_read(
    const char *path, void (*one)(void *arg, const struct route_line *line), void *arg);
/* route_env - the whole environment of a run; env borrows vars. */
void route_env(const struct told *t, enum advert what, char vars[ADVERT_VARS][ADVERT_VAR],
    const char *env[ADVERT_VARS + 3]);

#endif
