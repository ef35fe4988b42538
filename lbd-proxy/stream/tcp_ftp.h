/* tcp_ftp.h - the data connections of FTP (passive mode), which go to the server of their control connection. */
#ifndef LBD_PROXY_TCP_FTP_H
#define LBD_PROXY_TCP_FTP_H

#include "net/flow.h"

#include <stdint.h>

struct tcp;
struct ftp;

/* ftp_new - of a control connection, which is its owner and stays so until ftp_leave. NULL: no memory. */
struct ftp *ftp_new(struct tcp *control);
/* ftp_leave - the control connection, or one of its data connections, ends; NULL is fine. */
void ftp_leave(struct ftp *f, const struct tcp *t);
/* ftp_run - a turn of the control connection's direction f, as flow_run. */
enum flow_result ftp_run(struct ftp *ftp, struct flow *f);
/* ftp_busy - a data connection of it is under way. ftp_server - the id of the server that data connections must have. */
bool ftp_busy(const struct ftp *f);
uint32_t ftp_server(const struct ftp *f);

#endif
