/* The certificate of the panel while it runs. It is looked at at the start, once an hour, with every commit and at SIGHUP: one of our
 * own making that comes to its end is made anew, and what somebody put into its place is taken. Whatever is wrong then is
 * logged once, and what is shown stays. Handshakes ask for it one by one (tls_serve.h), so no connection notices. */
#include "base/mem.h"
#include "server/tls_cert.h"
#include "server/tls_serve.h"
#include "sys/log.h"
#include "sys/netlink.h"
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EACH DUR_S(3600)

struct panel_cert {
	struct web *w;
	struct loop_timer timer;
	uint8_t shown[SHA256_LEN]; /* of both files */
	char fault[600];	   /* that was logged; "": there is none */
};

static void
complain(struct panel_cert *p, const struct err *err)
{
	if (strcmp(p->fault, err->text) != 0)
		log_err("panel: %s", err->text);
	(void)snprintf(p->fault, sizeof(p->fault), "%s", err->text);
}

static int
show(struct panel_cert *p, struct buf *cert, struct buf *key, struct err *err)
{
	uint8_t now[2 * SHA256_LEN];
	int rc;

	tls_sha256(cert->p, cert->len, now);
	tls_sha256(key->p, key->len, now + SHA256_LEN);
	tls_sha256(now, sizeof(now), now);
	if (memcmp(now, p->shown, SHA256_LEN) == 0)
		return 0;
	rc = tls_serve_set(buf_text(cert), buf_text(key), err);
	if (rc == 0)
		memcpy(p->shown, now, SHA256_LEN);
	return rc != 0 ? rc : 1;
}

/* As the files are now. One that is due and cannot be made anew is shown all the same. */
static int
take(struct panel_cert *p, const struct tls_cert_place *at, struct buf *cert, struct buf *key,
    bool first, struct err *err)
{
	struct err late = { 0 };
	const char *why = NULL;
	bool made = false;
	int rc = tls_cert_load(at, cert, key, &made, err), renewed;

	if (rc != 0)
		return rc;
	renewed = tls_cert_renew(at, (int64_t)time(NULL), cert, key, &why, &late);
	rc = show(p, cert, key, err);
	if (rc < 0)
		return rc;
	if (made)
		log_info("panel: a certificate was made: %s/panel-cert.pem", at->dir);
	else if (why != NULL && renewed == 0)
		log_info(
		    "panel: its certificate was made anew, by the same key: %s: %s/panel-cert.pem",
		    why, at->dir);
	else if (rc > 0 && !first)
		log_info("panel: another certificate is shown: %s/panel-cert.pem", at->dir);
	if (renewed != 0)
		complain(p, &late);
	else
		p->fault[0] = '\0';
	return 0;
}

static int
look(struct panel_cert *p, bool first, struct err *err)
{
	struct iface_list addresses = { 0 };
	struct buf cert = { 0 }, key = { 0 };
	struct tls_cert_place at = { .dir = daemon_paths(p->w->d)->state,
		.hostname = p->w->hostname,
		.addresses = &addresses };
	int rc;

	/* without: the certificate names the host only */
	(void)netlink_addresses(&addresses, NULL);
	rc = take(p, &at, &cert, &key, first, err);
	iface_list_fini(&addresses);
	x509_wipe(&key);
	buf_fini(&cert);
	return rc;
}

void
panel_cert_look(struct web *w)
{
	struct err err = { 0 };

	if (look(w->cert, false, &err) != 0)
		complain(w->cert, &err);
}

static void
on_timer(void *arg)
{
	struct panel_cert *p = arg;

	panel_cert_look(p->w);
	loop_timer_set(&p->timer, EACH);
}

int
panel_cert_start(struct web *w, struct err *err)
{
	struct panel_cert *p = mem_alloc(sizeof(*p));

	p->w = w;
	w->cert = p;
	loop_timer_init(&p->timer, daemon_loop(w->d), on_timer, p);
	loop_timer_set(&p->timer, EACH);
	return look(p, true, err);
}

void
panel_cert_stop(struct web *w)
{
	if (w->cert == NULL)
		return;
	loop_timer_fini(&w->cert->timer);
	tls_serve_forget();
	free(w->cert);
	w->cert = NULL;
}
