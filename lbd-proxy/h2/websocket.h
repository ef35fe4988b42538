/* websocket.h - the opening handshake of a WebSocket between HTTP/1.1 (RFC 6455 section 4) and HTTP/2 (RFC 8441 section 5); pure. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>

#define WEBSOCKET_KEY 24	 /* bytes of Sec-WebSocket-Key */
#define WEBSOCKET_ACCEPT_ROOM 32 /* for Sec-WebSocket-Accept with its end */

struct h1_head;

/* websocket_asked - the request that h1_head_parse read from buf asks for a WebSocket and nothing else, so a server of HTTP/2 can be asked
 * for one too. What is no proper handshake goes as it came, by HTTP/1.1, whose server says what is wrong. */
bool websocket_asked(const char *buf, const struct h1_head *h);
/* websocket_accept - what a server answers to a key of n bytes (RFC 6455 section 4.2.2); out is terminated, and empty when that could not
 * be told: the key has another length, or no memory. */
void websocket_accept(const char *key, size_t n, char out[WEBSOCKET_ACCEPT_ROOM]);

#endif
