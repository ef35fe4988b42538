/* core.h - the process that decides and acts. */
#ifndef HA_CORE_H
#define HA_CORE_H

/* core_main - until it is told to end or nobody has spoken to it for CORE_ORPHAN; the exit code of the process.
 * region: descriptor of the shared memory. door: a listening SOCK_SEQPACKET socket for the side. */
int core_main(int region, int door);
#define CORE_ORPHAN DUR_S(60)
#define CORE_PRIORITY 20 /* SCHED_FIFO; the unit file allows it (LimitRTPRIO) */
/* What travels over the door, one byte each. The core sends the region with the first. */
enum core_word {
	CORE_HERE = 'h',  /* core: this is the region (SCM_RIGHTS) */
	CORE_NEWS = 'n',  /* core: `is` or the events changed */
	CORE_LOOK = 'l',  /* side: want or say changed */
	CORE_CLEAR = 'c', /* side: take the addresses away and end */
};

#endif
