/* letters.h - what the control thread tells the workers. */
#ifndef LBD_PROXY_LETTERS_H
#define LBD_PROXY_LETTERS_H

#include "worker.h"

struct control;
struct ctl_service;

/* To every worker that serves s; each letter carries a reference of its own. Control thread. */
void letter_to_svc(struct control *k, const struct ctl_service *s, worker_fn fn, struct svc *a);
void letter_to_srv(struct control *k, const struct ctl_service *s, worker_fn fn, struct srv *a);

/* For worker_post: a is a view, svc or srv. */
void letter_view(struct worker *w, void *view, void *none); /* a service as it is now */
void letter_gone(struct worker *w, void *svc, void *none);  /* it is no more */
void letter_kick(struct worker *w, void *svc, void *none);  /* places may be free */
void letter_cut(struct worker *w, void *srv, void *none);   /* end all connections to a server */
void letter_down(struct worker *w, void *srv, void *none);  /* end the idle ones */

#endif
