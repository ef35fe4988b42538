/* ftp_text.h - the lines of an FTP control connection that speak of data connections (RFC 959, RFC 2428). Pure; all lines are
 * untrusted, and are given with their line feed. */
#ifndef LBD_PROXY_FTP_TEXT_H
#define LBD_PROXY_FTP_TEXT_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FTP_LINE_MAX 4096 /* of a longer one what is there goes on, unread */
#define FTP_SAY_MAX 80	  /* room for a line of ours */

/* Replies come in several lines, of which only a last one counts. */
struct ftp_replies {
	bool more;    /* within one */
	char code[3]; /* of which */
};

/* ftp_asks - a client's PASV or EPSV. */
bool ftp_asks(const char *line, size_t n);
/* ftp_instead - what a server is to read for a command that cannot work through a proxy, so that it refuses it in its own words:
 * PORT and EPRT (it would connect to the client itself), AUTH (nothing could be read any more). NULL: the line as it is. Constant. */
const char *ftp_instead(const char *line, size_t n);

/* ftp_reply - whether the line is the last of a reply, and its code; 0 else. */
unsigned ftp_reply(struct ftp_replies *r, const char *line, size_t n);
/* ftp_port - the server's port in a reply with code 227 (h1,h2,h3,h4,p1,p2) or 229 (|||port|); 0: there is none. Where the server
 * says that it is, is not looked at. */
uint16_t ftp_port(unsigned code, const char *line, size_t n);
/* ftp_say - the same reply with our address and port; port 0, or an address that code cannot say: a reply 425. Returns its length. */
size_t ftp_say(unsigned code, const struct addr *at, uint16_t port, char out[FTP_SAY_MAX]);

#endif
