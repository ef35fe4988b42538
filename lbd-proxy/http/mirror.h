/* mirror.h - copies of requests for the servers of another service (field mirror); their answers are thrown away.
 *
 * A copy is an object of its own, with a connection and a place at a server of its own, and outlives the request that it was
 * made of. Nothing that happens to it reaches that request: where there is no memory, no server or no place, there is no copy,
 * which is counted. */
#ifndef LBD_PROXY_MIRROR_H
#define LBD_PROXY_MIRROR_H

#include <stddef.h>

struct http;
struct mirror;
struct worker;

/* mirror_begin - the request, composed, is about to be sent: head_len bytes of h->out are its head; buf: the head as it came. NULL: there is
 * no copy, or h->mirror is it and waits for the rest of the body. Else the caller owns it. */
struct mirror *mirror_begin(struct http *h, const char *buf, size_t head_len);
/* mirror_send - takes it over. */
void mirror_send(struct mirror *m);
/* mirror_more - the next bytes of the body. The copy may go (NULL): then it is too large. */
void mirror_more(struct mirror **m, const void *p, size_t n);
/* mirror_whole - the body is complete: takes it over; fine with NULL. */
static inline void
mirror_whole(struct mirror **m)
{
	if (*m == NULL)
		return;
	mirror_send(*m);
	*m = NULL;
}
/* mirror_drop - the request ended before its body did. */
void mirror_drop(struct mirror *m);
/* mirror_cut_all - the worker ends. */
void mirror_cut_all(struct worker *w);

#endif
