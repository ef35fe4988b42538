/* health.h - verdicts on servers, from lbd-check. */
#ifndef LBD_PROXY_HEALTH_H
#define LBD_PROXY_HEALTH_H

struct control;
void health_start(struct control *k);
void health_stop(struct control *k);

#endif
