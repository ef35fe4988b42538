/* stream.h - server-sent events: what happened as JSON, or as changed parts of the overview. */
#ifndef STREAM_H
#define STREAM_H

#include "web.h"

#define STREAMS_MAX 64
#define STREAM_BEAT DUR_S(15)	/* a comment, so that both sides notice a dead connection */
#define STREAM_QUICK DUR_MS(50) /* states go out after this; what changes meanwhile goes along */

struct streams *streams_new(struct web *w);
void streams_free(struct streams *s);	 /* after the http server */
void streams_moved(struct streams *s);	 /* a state that is shown changed, or an event was added */
void streams_counted(struct streams *s); /* new counters */

#endif
