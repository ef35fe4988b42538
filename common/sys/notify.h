/* notify.h - sd_notify(3) by hand: one datagram to NOTIFY_SOCKET. No-ops without systemd. */
#ifndef SYS_NOTIFY_H
#define SYS_NOTIFY_H

#include "base/mono.h"

#include <stdbool.h>

void notify_ready(void);
void notify_stopping(void);
void notify_reloading(void);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void notify_watchdog(void);
/* notify_main - that process is the main one of the unit from now on; it must be in the unit's control group. */
void notify_main(int pid);
/* notify_mute - say nothing more, or again: what another process says counts now. */
void notify_mute(bool on);
/* half of WATCHDOG_USEC when it is for this process; 0 is none */
dur_t notify_watchdog_interval(void);
/* Sockets handed over by systemd (LISTEN_FDS); returns how many, from descriptor 3 on. name may
 * be NULL. */
int notify_listen_fds(const char *name, int *fds, int max);

#endif
