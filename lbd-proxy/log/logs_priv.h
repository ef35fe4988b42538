/* logs_priv.h - what logs.c, writer.c and sink.c share. */
#ifndef LBD_PROXY_LOGS_PRIV_H
#define LBD_PROXY_LOGS_PRIV_H

#include "logs.h"

#include <pthread.h>

struct logs {
	unsigned n;
	const char *folder;
	pthread_t thread;
	bool runs; /* control thread */
	int bell;
	atomic_bool asleep, rung, reopen, stop;
	_Atomic uint64_t written, dropped; /* by the thread */
	pthread_mutex_t lock;		   /* of what follows */
	unsigned generation;
	struct log_target target;
	bool file;
	struct log_seat seat[];
};

/* writer.c */
void *logs_run(void *logs);

/* sink.c: the thread's own. Each take gives how many lines were lost by it. */
struct file_sink {
	bool on, faulty;
	int fd;		  /* -1 closed */
	uint64_t waiting; /* lines in buf */
	size_t len;
	char buf[64 * 1024];
};
struct syslog_sink {
	bool on, faulty;
	int fd;
	int64_t again_ms;   /* not connected to before */
	int64_t refused_ms; /* when the last datagram came back; 0 never */
	struct log_target target;
	struct ring queue; /* whole messages */
	struct line_clock clock;
	char host[65];
	int pid;
};
struct sunk {
	uint64_t written, dropped;
};
void file_sink_take(
    struct file_sink *s, const char *folder, const struct ring_line *l, struct sunk *n);
void file_sink_flush(struct file_sink *s, const char *folder, struct sunk *n);
void file_sink_close(struct file_sink *s);
void syslog_sink_take(struct syslog_sink *s, const struct ring_line *l, struct sunk *n);
void syslog_sink_flush(struct syslog_sink *s, int64_t now_ms, struct sunk *n);
/* Another target: what waited for the old one is lost. */
void syslog_sink_set(struct syslog_sink *s, const struct log_target *t, struct sunk *n);

#endif
