/* h2_priv.h - shared by h2_session.c (frames) and h2_stream.c (a stream's two directions). */
#ifndef H2_PRIV_H
#define H2_PRIV_H

#include "h2_bytes.h"
#include "h2_calm.h"
#include "h2_head.h"
#include "h2_session.h"

#include <nghttp2/nghttp2.h>

enum h2_down {
	H2_HEAD,   /* the answer's head is due, or interim ones */
	H2_LENGTH, /* left bytes of its body */
	H2_CHUNKED,
	H2_ENDLESS, /* until h2_stream_end */
	H2_WHOLE,   /* all of it was written */
	H2_BROKEN,  /* reset by us */
};

/* What carries the streams of a session that has no nghttp2: QUIC (h3/). */
struct h2_wire {
	void (*refuse)(struct h2_stream *s, uint32_t error); /* an error of HTTP/2 */
	void (*consumed)(struct h2_stream *s, size_t n);     /* the client may send so much more */
	int (*resume)(struct h2_stream *s);		     /* after deferred */
	/* interim: no body, and another head comes. -ENOMEM, -EPIPE */
	int (*head)(struct h2_stream *s, const struct h2_field *f, unsigned n, bool interim);
	void (*free)(struct h2_stream *s);
};

struct h2_stream {
	struct h2_session *h;
	void *more; /* of the wire */
	void *owner;
	int32_t id;
	struct list link, news; /* in the session's lists */
	struct h2_bytes in;	/* the head as text, then bytes of the body */
	struct h2_bytes tail;	/* the end of a chunked body */
	struct h2_bytes out,
	    part;	    /* of the body; of a head or a trailer section that is incomplete */
	uint32_t head_left; /* of in: text */
	uint32_t owed;	    /* bytes of the body that the client may not send again yet */
	uint64_t left;
	struct h1_chunk chunk;
	uint8_t down; /* enum h2_down */
	uint8_t h1_method;
	bool known : 1;	   /* it was in the news: its owner has to close it */
	bool asked : 1;	   /* the request's head was complete */
	bool ended : 1;	   /* the client has sent all */
	bool chunked : 1;  /* the body is read with the coding */
	bool tunnel : 1;   /* CONNECT, extended for a WebSocket or not */
	bool gone : 1;	   /* no frame comes or goes any more */
	bool lost : 1;	   /* before it was complete */
	bool deferred : 1; /* data that come later must be announced */
	bool answered : 1; /* the end of the answer was sent; to a server: that of the request */
	/* to a server */
	bool told : 1;	  /* the final head was received */
	bool refused : 1; /* it did nothing with the request */
	bool reset : 1;	  /* it ended the stream itself */
	bool bad : 1;	  /* its answer was malformed */
	struct h2_ask ask;
};

struct h2_session {
	nghttp2_session *ng; /* NULL: there is a wire */
	const struct h2_wire *wire;
	struct list streams, news;
	unsigned n;
	struct h2_limits limits;
	struct h2_calm calm;
	uint64_t random;
	void *host; /* borrowed */
	mono_t now;
	int failed;	    /* why the connection must end; 0 */
	unsigned malformed; /* requests that were reset for it, and not told of yet */
	bool opening;
	bool back;     /* we are the client */
	bool greeted;  /* to a server: its SETTINGS came */
	bool too_much; /* the client is to calm down */
	uint8_t *out;  /* where h2_session_out writes */
	size_t out_len;
	/* the head that is being received: texts behind each other */
	struct h2_bytes text;
	struct h2_field *field; /* H2_FIELDS_MAX; lengths alone until all are there */
	unsigned fields;
	uint32_t size; /* of their names and values */
	bool large;
	struct h1_head head; /* of an answer */
};

/* h2_stream_new - NULL: no memory. */
struct h2_stream *h2_stream_new(struct h2_session *h, int32_t id);
void h2_stream_free(struct h2_stream *s);
void h2_stream_tell(struct h2_stream *s); /* into the news */
/* The head, or the trailers, that the session has collected. ended: no frame follows. */
void h2_stream_asked(struct h2_stream *s, bool ended);
void h2_stream_trailers(struct h2_stream *s);
void h2_stream_data(struct h2_stream *s, const uint8_t *p, size_t n);
void h2_stream_ended(struct h2_stream *s);
/* h2_stream_goes_on - of a client's stream whose answer has ended: the rest of the request is of use yet, as only that of a tunnel is (RFC
 * 9113 section 8.1). */
static inline bool
h2_stream_goes_on(const struct h2_stream *s)
{
	return s->tunnel && s->owner != NULL;
}
/* h2_stream_refuse - it ends with an error of HTTP/2. */
void h2_stream_refuse(struct h2_stream *s, uint32_t error);
/* To a server, in h2_ask.c. h2_stream_ask - the request's head, whole, is among the first bytes that are written; 0 or -errno, *used_out
 * of them belong to it. h2_stream_told - a head of its answer, or the trailers. h2_stream_over - on_stream_close, with its error. */
int h2_stream_ask(struct h2_stream *s, const char *p, size_t n, size_t *used_out);
void h2_stream_told(struct h2_stream *s, bool ended);
void h2_stream_over(struct h2_stream *s, uint32_t error);
/* h2_session_new_on - a session for streams that come by a wire. h2_session_settle - text stays where it is now: fields get their pointers. */
struct h2_session *h2_session_new_on(
    const struct h2_limits *limits, uint64_t random, const struct h2_wire *wire, void *host);
void h2_session_settle(struct h2_session *h);
/* h2_session_field - one more of the head that is being received; -ENOMEM. h2_session_begin_head - before the first. */
int h2_session_begin_head(struct h2_session *h);
int h2_session_field(struct h2_session *h, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len);
/* h2_stream_last_fields - the trailers that were written, once; f holds H1_TRAILERS_MAX, names H1_TRAILER_MAX bytes. */
unsigned h2_stream_last_fields(struct h2_stream *s, struct h2_field *f, char *names);
/* h2_stream_source - of nghttp2: how much of the answer goes into the next frame; on_send_data then copies it. */
ssize_t h2_stream_source(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room,
    uint32_t *flags, nghttp2_data_source *source, void *arg);

#endif
