/* ipvs_text.h - tables of IPVS as one line of text, for tests.
 *
 *	TCP 10.0.0.1:80 wlc = 10.0.0.11:80 100, 10.0.0.12:80 0 tun; FWM 12 IPv4 rr persist:300/24 = ...
 *
 * A service: key, scheduler, then words: persist:SECONDS/MASK, ops, fallback, port, pe:NAME, #ROW. A server: address and
 * port, weight, then words: nat, dr (as without), tun, gue:PORT, gre, up:N, low:N, #ROW. */
#ifndef TESTS_IPVS_TEXT_H
#define TESTS_IPVS_TEXT_H

#include "apply/record.h"
#include "plan/diff.h"

#include "base/mem.h"

#include <linux/ip_vs.h>
#include <stdio.h>
#include <string.h>

static inline void
text_service_word(struct ipvs_service *s, const char *w)
{
	if (sscanf(w, "persist:%u/%u", &s->timeout_s, &s->netmask) == 2)
		s->flags |= IP_VS_SVC_F_PERSISTENT;
	else if (strcmp(w, "ops") == 0)
		s->flags |= IP_VS_SVC_F_ONEPACKET;
	else if (strcmp(w, "fallback") == 0)
		s->flags |= IP_VS_SVC_F_SCHED_SH_FALLBACK;
	else if (strcmp(w, "port") == 0)
		s->flags |= IP_VS_SVC_F_SCHED_SH_PORT;
	else if (strncmp(w, "pe:", 3) == 0)
		(void)snprintf(s->pe, sizeof(s->pe), "%s", w + 3);
	else if (w[0] == '#')
		s->service = (uint32_t)atoi(w + 1);
	else
		(void)snprintf(s->scheduler, sizeof(s->scheduler), "%s", w);
}

static inline void
text_dest_word(struct ipvs_dest *d, const char *w)
{
	unsigned port;

	if (strcmp(w, "nat") == 0)
		d->forward = IPVS_MASQ;
	else if (strcmp(w, "tun") == 0)
		d->forward = IPVS_TUN;
	else if (strcmp(w, "gre") == 0) {
		d->forward = IPVS_TUN;
		d->tunnel = IP_VS_CONN_F_TUNNEL_TYPE_GRE;
	} else if (sscanf(w, "gue:%u", &port) == 1) {
		d->forward = IPVS_TUN;
		d->tunnel = IP_VS_CONN_F_TUNNEL_TYPE_GUE;
		d->tunnel_port = (uint16_t)port;
	} else if (w[0] == '#')
		d->server = (uint32_t)atoi(w + 1);
	else if (sscanf(w, "up:%u", &d->upper) != 1 && sscanf(w, "low:%u", &d->lower) != 1 &&
		 strcmp(w, "dr") != 0)
		d->weight = (uint32_t)atoi(w);
}

static inline void
text_dest(struct ipvs_service *s, char *text)
{
	char *rest = text, *w, end[KEY_TEXT + 8];
	struct ipvs_dest *d;
	struct ipvs_key k;

	s->dest = mem_grow(s->dest, (s->n + 1) * sizeof(*s->dest));
	d = &s->dest[s->n++];
	*d = (struct ipvs_dest){ .forward = IPVS_DR };
	w = strtok_r(rest, " ", &rest);
	(void)snprintf(end, sizeof(end), "TCP %s", w);
	must(record_key_parse(end, &k));
	d->addr = k.addr;
	d->port = k.port;
	while ((w = strtok_r(rest, " ", &rest)) != NULL)
		text_dest_word(d, w);
}

static inline void
text_service(struct ipvs_table *t, char *text)
{
	char *servers = strchr(text, '='), *rest = text, *w, key[KEY_TEXT];
	struct ipvs_service *s;
	int words = 0;

	t->service = mem_grow(t->service, (t->n + 1) * sizeof(*t->service));
	s = &t->service[t->n++];
	*s = (struct ipvs_service){ 0 };
	if (servers != NULL)
		*servers++ = '\0';
	key[0] = '\0';
	while ((w = strtok_r(rest, " ", &rest)) != NULL) {
		if (words++ < (strncmp(key, "FWM", 3) == 0 ? 3 : 2))
			(void)snprintf(key + strlen(key), sizeof(key) - strlen(key), "%s%s",
			    key[0] != '\0' ? " " : "", w);
		else
			text_service_word(s, w);
	}
	must(record_key_parse(key, &s->key));
	if (s->netmask == 0 && (s->flags & IP_VS_SVC_F_PERSISTENT) == 0)
		s->netmask = s->key.family == 6 ? 128 : 32;
	while (servers != NULL && (w = strtok_r(servers, ",", &servers)) != NULL)
		text_dest(s, w);
}

/* The caller's (table_fini). */
static inline struct ipvs_table
text_table(const char *text)
{
	struct ipvs_table t = { 0 };
	char *copy = mem_text(text), *rest = copy, *one;

	while ((one = strtok_r(rest, ";", &rest)) != NULL)
		text_service(&t, one);
	free(copy);
	table_sort(&t);
	return t;
}

/* "+TCP 10.0.0.1:80", "~" set, "-" delete; a server is told by its end alone: "+10.0.0.11:80". */
static inline void
text_ops(const struct ipvs_ops *ops, struct buf *out)
{
	static const char sign[] = { [OP_NEW_SERVICE] = '+',
		[OP_SET_SERVICE] = '~',
		[OP_DEL_SERVICE] = '-',
		[OP_NEW_DEST] = '+',
		[OP_SET_DEST] = '~',
		[OP_DEL_DEST] = '-' };

	for (uint32_t i = 0; i < ops->n; i++) {
		char name[KEY_TEXT];

		if (ops->op[i].dest != NULL)
			dest_format(ops->op[i].dest, name);
		else
			key_format(&ops->op[i].service->key, name);
		buf_printf(out, "%s%c%s", i > 0 ? " " : "", sign[ops->op[i].kind], name);
	}
}

#endif
