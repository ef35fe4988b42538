/* http_priv.h - one request with its answer, for the http_*.c files.
 *
 * http_client.c reads heads and ends streams, http_request.c finds a server and sends the request,
 * http_answer.c brings the answer back. Functions that return bool return false when the stream is over: then neither it
 * nor its connections may be touched any more. */
#ifndef LBD_PROXY_HTTP_PRIV_H
#define LBD_PROXY_HTTP_PRIV_H

#include "pool/backend.h"
#include "net/flow.h"
#include "h1_parse.h"
#include "http_tell.h"
#include "http_stream.h"
#include "log/story.h"
#include "net/worker.h"
#include "pool/persist.h"

#define HTTP_MAGIC 0x477b57e4
#define HTTP_ROOM 2048	      /* bytes of a request that need no memory of their own */
#define HTTP_READ (16 * 1024) /* for a head; more only when the head is larger */

enum http_state {
	HTTP_HEAD,   /* the request's head is incomplete */
	HTTP_SEAT,   /* waits for a place */
	HTTP_SEND,   /* a server is there, out is not all sent to it */
	HTTP_WAIT,   /* the answer's head is due; the body of the request may be on its way */
	HTTP_ANSWER, /* the answer's body */
};

struct http {
	uint32_t magic;
	uint8_t state;
	bool keep;     /* the client's connection stays for the next request */
	bool sure;     /* may be sent again: idempotent by its method, and all of it is in out */
	bool broke;    /* a server that was reached broke off; others are tried */
	bool fresh;    /* a pooled connection has failed it already */
	uint8_t moves; /* connections that took no more requests when it came to them */
	bool up_over;  /* all of the request was read and sent, or kept */
	bool up_stop;  /* the server does not take the rest of it */
	bool told;     /* an answer (not 1xx) has begun */
	bool untold;   /* its story goes on elsewhere */
	bool beyond;   /* more of its body was sent than out holds */
	bool trailers; /* the client takes them (TE) */
	bool tunnel;   /* it asks for a WebSocket, which a server of HTTP/2 may have too */
	bool slow;     /* the last connect was given up */
	bool edited;   /* rules change its head: w->rules->edits, until it was composed */
	bool whole;    /* the head is complete, and rules wait for its body */
	uint16_t held; /* rules let it wait, and then answer this; 0 not */
	struct conn *c, *s;
	struct seat seat;
	uint32_t known;	 /* server of the client by persistence */
	uint8_t down;	 /* enum h1_framing of the answer */
	bool down_reuse; /* the server's connection can be used again */
	char *
	    out; /* the request as it goes to the server: head, and what came with it of the body */
	uint32_t out_len, out_off;
	struct story story;
	uint64_t rate_up;	 /* bytes a second of its body, by a rule; 0: no limit */
	struct rules *rules;	 /* reference: rules that look at its answer; NULL none */
	char *asked;		 /* its head, for them */
	struct metered *metered; /* what is counted at its end; NULL: nothing */
	/* what http_look.h found: CUT_ of its head, enum coding of its answer, whether its body is waited for */
	uint8_t cut, coding;
	bool waits;
	uint16_t own;		 /* key of the answer of our own (error_rules.h); 0: its status */
	uint8_t id_len;		 /* of its id; 0: it has none */
	struct squeeze *squeeze; /* the answer is compressed; NULL not */
	struct mirror *mirror;	 /* its copy, which waits for the rest of its body; NULL none */

	struct http *spare;
	/* not zeroed for a new stream */
	struct flow up, downflow;	      /* made with it */
	struct persist persist;		      /* made with known */
	struct h1_chunk up_chunk, down_chunk; /* zeroed when a body begins that is chunked */
	struct h1_head head, answer;
	char id[HTTP_ID_MAX];
	char room[HTTP_ROOM];
};

/* http_client.c */
/* The answer is complete: counters, connections, and the next request. */
void http_complete(struct http *h);
/* An answer of ours to a request that was well read: the connection stays when h->keep and all of the request is there. */
void http_own(struct http *h, unsigned status, const char *answer, size_t n);
/* Let go of the server's connection and place. */
void http_drop_server(struct http *h);
/* The stream's object goes; nothing may hang on it any more but the client. */
void http_free(struct http *h);
/* Timers by what is waited for now. */
void http_time(struct http *h);

/* http_end.c */
/* Tell the client, if nothing was told yet; then its connection ends. */
void http_fail(struct http *h, unsigned status);
/* The same with an answer of n bytes, status of the counters. */
void http_tell(struct http *h, unsigned status, const char *answer, size_t n);
/* The answer cannot be completed, or nobody is there to read it. Without reset the client gets what there is, and an
 * end that is too early; http_break_off (http_answer.c) resets when nothing else would show that. */
void http_abort(struct http *h, bool reset);
void http_break_off(struct http *h);
/* The client is not told that it is over. */
void http_vanish(struct http *h);
void http_count_status(struct http *h, unsigned status);
/* http_count_server - the part of the server: an answer that no client saw. */
void http_count_server(struct server_counters *m, unsigned status);
void http_count_service(struct service_counters *n, unsigned status);
/* http_count_left - the client went away, or fell silent, with its request at a server. */
void http_count_left(struct http *h);

/* http_id.c */
/* http_id_give - the request gets its id: its service has request_id. buf: its head; NULL: that cannot be read. */
void http_id_give(struct http *h, const char *buf);
/* http_own_fields - an answer of ours that tells the id of its request, and HSTS: itself, or one in the worker's room, n bytes of it.
 * answer may be there too. */
const char *http_own_fields(struct http *h, const char *answer, size_t *n);

/* http_request.c */
void http_start(struct http *h, const char *buf, size_t len);
bool http_send_out(struct http *h);
bool http_pump_up(struct http *h);
/* What has become of its wish for a place. */
void http_seated(struct http *h, enum seat_result r);

/* http_retry.c */
/* The server's connection broke before an answer: try again where that is safe, or tell the client. */
void http_server_lost(struct http *h);
/* Its answer, or that there is none, is a failure of this kind (retry_words.h): true when another server has the request
 * now, or the stream is over; false when this one's answer counts. */
bool http_retry(struct http *h, uint32_t failure);

/* http_answer.c */
bool http_pump_down(struct http *h);
extern const struct conn_ops http_server_ops;

/* http_completes - what is sent next is the rest of the answer. */
static inline void
http_completes(struct http *h)
{
	if (!h->keep)
		conn_last(h->c, !h->head.keep_alive && h->head.framing == H1_NO_BODY &&
				    h->head.method != H1_M_CONNECT);
}

/* http_sends - its client may be sending yet: the rest of a request, or of a CONNECT what it takes to be in a tunnel. */
static inline bool
http_sends(const struct http *h)
{
	return !h->up_over || h->head.method == H1_M_CONNECT;
}

/* http_ended - see story_ended; the phase is that of now. */
static inline void
http_ended(struct http *h, char cause)
{
	story_ended(&h->story, cause, "RQCHD"[h->state]);
}

/* Of a stream with a seat: whose servers take it, the client's service or a pool that a rule chose. */
static inline const struct view *
http_pool(const struct http *h)
{
	return h->seat.svc->view;
}

/* The head of its answer, or the next one, is to be read from its server. */
static inline void
http_await(struct http *h)
{
	h1_head_init(&h->answer, true, http_pool(h)->head_max);
	h->answer.both = h->s->h2 != NULL;
}

/* No more requests on this connection: its service or this process ends, or the other node of the pair is active. */
static inline bool
http_last(const struct conn *c)
{
	return c->svc->gone || c->w->stopping || proxy_away(c->w->px, c->svc->view->group);
}

#endif
