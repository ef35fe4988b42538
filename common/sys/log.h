/* log.h - one event, one line: object, fact, cause. To the journal with fields when stderr is
 * the journal's, else to stderr. errno text by %m. Identical warnings within LOG_QUIET_S seconds
 * are counted and summarised. Thread-safe. */
#ifndef SYS_LOG_H
#define SYS_LOG_H

#include <stdbool.h>

#define LOG_QUIET_S 10
enum log_priority { LOG_P_ERR = 3, LOG_P_WARN = 4, LOG_P_INFO = 6, LOG_P_DEBUG = 7 };

void log_init(const char *program);	    /* finds out where stderr goes */
void log_set_level(enum log_priority most); /* lines above are dropped */
bool log_wants(enum log_priority p);

void log_at(enum log_priority p, const char *fields, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* log_flush - say now how often warnings were held back; daemons call it once a second and
 * before they end. */
void log_flush(void);
#define log_err(...) log_at(LOG_P_ERR, NULL, __VA_ARGS__)
#define log_warn(...) log_at(LOG_P_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_at(LOG_P_INFO, NULL, __VA_ARGS__)
#define log_debug(...) (log_wants(LOG_P_DEBUG) ? log_at(LOG_P_DEBUG, NULL, __VA_ARGS__) : (void)0)
/* fields: "LBD_VIP=web\nLBD_RIP=rip1\n" go to the journal beside the message; NULL is none. */

#endif
