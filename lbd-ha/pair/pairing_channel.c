/* pairing_channel.c - what the channel tells the node: that the other one is there (in doubt that is the answer), that it
 * moved, that it unpairs. The rest goes on to who owns the pairing: revisions, tables and secrets are not looked at here. */
#include "pairing_priv.h"

#include "base/must.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

static void
on_hello(void *arg, struct msg_peer_hello *m)
{
	struct pairing *p = arg;

	if (p->ops.hello != NULL)
		p->ops.hello(p->ops.arg, m);
}

/* The other node knows the pair: in doubt that is the answer. */
static void
settle_doubt(struct pairing *p)
{
	struct err err = { 0 };

	if (cluster_commit(p->dir, &err) != 0) {
		log_err("pair: %s", err.text);
		return;
	}
	p->doubt = false;
	p->paired = true;
	log_info("pair: %s says that the pair counts", p->cluster.peer_name);
	pairing_changed(p);
}

static void
on_up(void *arg, const struct msg_peer_hello *m)
{
	struct pairing *p = arg;

	must_obj(p, PAIRING_MAGIC);
	if (p->doubt)
		settle_doubt(p);
	if (p->ops.up != NULL)
		p->ops.up(p->ops.arg, m);
}

static void
on_row(void *arg, const struct msg_row *row, const union msg_any *m)
{
	struct pairing *p = arg;

	if (p->ops.row != NULL)
		p->ops.row(p->ops.arg, row, m);
}

static void
on_blob(void *arg, unsigned number, const uint8_t *data, size_t len)
{
	struct pairing *p = arg;

	if (p->ops.blob != NULL)
		p->ops.blob(p->ops.arg, number, data, len);
}

static void
on_room(void *arg, enum peer_stream s)
{
	struct pairing *p = arg;

	if (p->ops.room != NULL)
		p->ops.room(p->ops.arg, s);
}

static void
on_unpair(void *arg, bool done)
{
	struct pairing *p = arg;
	struct msg_peer_unpair yes = { .done = true };
	struct err err = { 0 };
	char name[CLUSTER_NAME], text[160];

	must_obj(p, PAIRING_MAGIC);
	memcpy(name, p->cluster.peer_name, sizeof(name));
	if (!done && p->channel != NULL)
		(void)peer_channel_send(p->channel, MSG_PEER_UNPAIR, &yes);
	if (done && !p->unpairs.open)
		return; /* nobody here asked */
	if (pairing_forget(p, &err) != 0) {
		log_err("pair: %s", err.text);
		pairing_unpaired(p, err.code, err.text);
		return;
	}
	log_info("pair: unpaired from %s%s", name, done ? "" : ", which asked for it");
	(void)snprintf(
	    text, sizeof(text), "unpaired from %s; both nodes keep their configuration", name);
	pairing_unpaired(p, 0, text);
}

static void
on_down(void *arg, const char *why)
{
	struct pairing *p = arg;
	char text[300];

	must_obj(p, PAIRING_MAGIC);
	if (p->ops.down != NULL)
		p->ops.down(p->ops.arg, why);
	(void)snprintf(text, sizeof(text),
	    "%s was told, and was lost before it answered; \"lbctl ha unpair --local\" ends the pair here",
	    p->cluster.peer_name);
	pairing_unpaired(p, ERR_AWAY, text);
}

/* Lost with the process when it cannot be written; it comes again. */
static void
on_moved(void *arg, const struct cluster *c)
{
	struct pairing *p = arg;
	struct err err = { 0 };

	must_obj(p, PAIRING_MAGIC);
	p->cluster = *c;
	log_info("pair: the other node is %s, port %u now", c->peer_name, c->peer_port);
	if (p->paired && cluster_update(p->dir, c, &err) != 0)
		log_warn("pair: %s", err.text);
}

static void
on_changed(void *arg)
{
	pairing_changed(arg);
}

void
pairing_begin_channel(struct pairing *p)
{
	const struct peer_channel_ops ops = {
		.hello = on_hello,
		.up = on_up,
		.row = on_row,
		.blob = on_blob,
		.room = on_room,
		.moved = on_moved,
		.unpair = on_unpair,
		.down = on_down,
		.changed = on_changed,
		.arg = p,
	};
	const struct peer_config c = {
		.me = p->me,
		.cluster = &p->cluster,
		.cert = p->cert.p,
		.cert_len = p->cert.len,
		.name = p->name,
		.port = p->port,
		.schema = p->schema,
	};

	p->channel = peer_channel_new(p->loop, &c, &ops);
}
