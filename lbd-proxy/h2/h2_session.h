/* h2_session.h - one connection of HTTP/2, without its socket: bytes in, bytes out, and streams whose two directions are
 * read and written as HTTP/1.1. As a server first; as a client at the end. Nothing is called back: after h2_session_in and h2_session_out, h2_session_news tells which streams
 * have something new.
 *
 * A stream belongs to the session until it is taken from the news for the first time; its owner then lets go of it with
 * h2_stream_close, and the memory goes when the protocol needs it no more either. */
#ifndef H2_SESSION_H
#define H2_SESSION_H

#include "base/list.h"
#include "base/mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define H2_STREAM_WINDOW (128 * 1024) /* bytes of a body that nobody has read yet, of one stream */
#define H2_CONN_WINDOW \
	(1024 * 1024) /* bytes on their way, of all; what arrived makes room for others at once */
#define H2_FIELDS_MAX 256	  /* in a head, crumbs of cookies counted one by one */
#define H2_FRAME_ROOM (17 * 1024) /* h2_session_out writes no frame into less */

struct h2_session;
struct h2_stream;
struct h2_ask;
struct h2_limits {
	uint32_t streams;  /* open at once */
	uint32_t head_max; /* bytes of names and values; more is answered with 431 */
	bool
	    absolute; /* of clients: requests become those of a URL, as their servers are proxies */
};

/* h2_session_new - its preface waits to be sent. random: no two alike. host: borrowed, for h2_session_host. NULL: no memory. */
struct h2_session *h2_session_new(const struct h2_limits *limits, uint64_t random, void *host);
void *h2_session_host(const struct h2_session *h);
/* h2_session_free - all streams must have been closed by their owners; those without one go too. NULL is fine. */
void h2_session_free(struct h2_session *h);

/* h2_session_in - bytes of the client. h2_session_out - frames into p, up to room bytes; how many. Negative: out of memory, or the other
 * side cannot be followed: send what h2_session_out still has, and end the connection. */
int h2_session_in(struct h2_session *h, const void *p, size_t n, mono_t now);
ssize_t h2_session_out(struct h2_session *h, void *p, size_t room, mono_t now);
/* h2_session_malformed - requests that h2_session_out has ended as malformed since it was asked last. */
unsigned h2_session_malformed(struct h2_session *h);
/* h2_session_news - a stream with news; NULL: no more. */
struct h2_stream *h2_session_news(struct h2_session *h);
/* h2_session_over - nothing can come or go any more. h2_session_opening - a head has begun, and is incomplete.
 * h2_session_streams - streams that are open, or have an owner. */
bool h2_session_over(const struct h2_session *h);
bool h2_session_opening(const struct h2_session *h);
unsigned h2_session_streams(const struct h2_session *h);
/* h2_session_notice - new requests should go elsewhere; h2_session_goaway - from now on none is taken (RFC 9113 section 6.8). */
void h2_session_notice(struct h2_session *h);
void h2_session_goaway(struct h2_session *h);
/* h2_session_next - walks the streams: NULL gives the first. */
struct h2_stream *h2_session_next(const struct h2_session *h, const struct h2_stream *s);

struct h2_session *h2_stream_session(const struct h2_stream *s);
void *h2_stream_owner(const struct h2_stream *s); /* NULL: it has none yet, or no more */
void h2_stream_own(struct h2_stream *s, void *owner);
/* h2_stream_gone - the client has reset it, or the connection is over. */
bool h2_stream_gone(const struct h2_stream *s);
/* h2_stream_deaf - nothing that is written goes out any more, while there may be something to read. */
bool h2_stream_deaf(const struct h2_stream *s);
/* h2_stream_read - the request as HTTP/1.1: bytes, 0 nothing now, -ENODATA at its end, -ECONNRESET. */
ssize_t h2_stream_read(struct h2_stream *s, void *p, size_t room);
/* h2_stream_readable - h2_stream_read has something to say now. */
bool h2_stream_readable(const struct h2_stream *s);
/* h2_stream_write - bytes of the answer as HTTP/1.1, any piece of it. 0: nothing of it waits; 1: some does; -EPIPE, -EPROTO, -ENOMEM. */
int h2_stream_write(struct h2_stream *s, const void *p, size_t n);
bool h2_stream_waits(const struct h2_stream *s); /* something that was written was not sent yet */
/* h2_stream_end - no more is written: an answer without a length, or a tunnel, ends here. */
void h2_stream_end(struct h2_stream *s);
/* h2_stream_close - the owner lets go. An answer that is not complete is broken off; with reset, in any case. */
void h2_stream_close(struct h2_stream *s, bool reset);
/* h2_stream_lose - the connection is over: what is read and written from now on fails. */
void h2_stream_lose(struct h2_stream *s);

/* ---- to a server ----
 * The same, turned round: of a stream the answer is read, and the request written. What a stream reads of an answer that is malformed is no
 * answer of HTTP/1.1 either. h2_stream_close resets a stream that is not over. */
struct h2_session *h2_session_new_back(const struct h2_limits *limits, void *host);
/* h2_session_greeted - the server's SETTINGS came. h2_session_room - for so many more streams; 0 also after GOAWAY. h2_session_most - how
 * many the server takes. */
bool h2_session_greeted(const struct h2_session *h);
uint32_t h2_session_room(const struct h2_session *h);
uint32_t h2_session_most(const struct h2_session *h);
/* h2_session_connects - the server takes extended CONNECT (RFC 8441). */
bool h2_session_connects(const struct h2_session *h);
/* h2_session_open - a stream that is to be owned at once; nothing may be written to it before the server's SETTINGS came. ask: what is "in"
 * of it, copied. NULL: no memory. h2_session_admit - they came: every stream has news, and those beyond what the
 * server takes are refused, as are tunnels that it does not know. h2_session_turn_away - instead of it: all are. */
struct h2_stream *h2_session_open(struct h2_session *h, const struct h2_ask *ask);
void h2_session_admit(struct h2_session *h);
void h2_session_turn_away(struct h2_session *h);
/* h2_session_lose - the connection is over: every stream has news, and is lost if its answer is not complete. */
void h2_session_lose(struct h2_session *h);
void h2_session_ping(struct h2_session *h);
/* h2_stream_refused - of a stream that is lost: the server did nothing with its request. h2_stream_moved - and did not mean this request, but
 * any on this connection. */
bool h2_stream_refused(const struct h2_stream *s);
bool h2_stream_moved(const struct h2_stream *s);

#endif
