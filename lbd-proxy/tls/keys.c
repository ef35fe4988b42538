/* Keys and the configuration.
 *
 * A certificate of the configuration names its key; when that is not here, it is said as a fault that names the
 * certificate, and lbd-ha fetches it from the other node. A key that no kept revision names is taken away, but not
 * before it is an hour old: it comes before the certificate that needs it. Bytes of keys are wiped here and in the
 * messages that bring them, and are never logged. */
#include "keys.h"

#include "digest_tell.h"

#include "base/mem.h"
#include "store/state.h"
#include "store/store.h"
#include "sys/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_FIRST DUR_S(60)

struct keys {
	struct daemon *d;
	struct keystore *store;
	struct loop_timer sweep;
	char missing[400]; /* "": nothing is */
	void (*came)(void *arg);
	void *came_arg;
};

/* ---- what is missing ------------------------------------------------------------------------------------------- */

static void
find_missing(struct keys *k, const struct snapshot *s, char *out, size_t room)
{
	unsigned n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; s != NULL && i < snapshot_count(s, KIND_cert); i++) {
		const struct cert *c = snapshot_at(s, KIND_cert, i);

		if (c->key[0] == '\0' || (k->store != NULL && keystore_has(k->store, c->key)))
			continue;
		if (n++ == 0)
			(void)snprintf(out, room,
			    "cert %s: its key %s is not on this node: import it, or wait for the other node",
			    c->name, c->key);
	}
	if (n > 1)
		(void)snprintf(out + strlen(out), room - strlen(out), "; and %u more", n - 1);
}

void
keys_look(struct keys *k)
{
	char now[sizeof(k->missing)];

	find_missing(k, daemon_snapshot(k->d), now, sizeof(now));
	if (strcmp(now, k->missing) == 0)
		return;
	if (now[0] != '\0')
		log_warn("%s", now);
	else
		log_info("keys: all that certificates need are here");
	(void)snprintf(k->missing, sizeof(k->missing), "%s", now);
}

const char *
keys_fault(const struct keys *k)
{
	return k->missing[0] != '\0' ? k->missing : NULL;
}

void
keys_came(struct keys *k, void (*fn)(void *arg), void *arg)
{
	k->came = fn;
	k->came_arg = arg;
}

struct keystore *
keys_store(struct keys *k)
{
	return k->store;
}

/* ---- messages -------------------------------------------------------------------------------------------------- */

static bool
need_store(const struct keys *k, const struct bus_request *rq)
{
	if (k->store == NULL)
		bus_result(rq, ERR_STORE, "the folder of keys cannot be used; the log says why");
	return k->store != NULL;
}

void
keys_on_put(struct keys *k, const struct bus_request *rq, const struct msg_key_put *m)
{
	struct msg_key_is is = { 0 };
	char name[X509_HEX], pass[200] = "";
	struct err err = { 0 };
	int code;

	if (!need_store(k, rq))
		return;
	if (m->password.len >= sizeof(pass)) {
		bus_result(rq, ERR_INVALID, "the password is longer than 199 bytes");
		return;
	}
	span_text(m->password, pass, sizeof(pass));
	code = keystore_put(
	    k->store, m->key.p, m->key.len, m->password.p != NULL ? pass : NULL, name, &err);
	explicit_bzero(pass, sizeof(pass));
	if (code != 0) {
		bus_result(rq, code, err.text);
		return;
	}
	log_info("keys: %s is here", name);
	is.name = SPAN(name);
	(void)bus_reply(rq, MSG_KEY_IS, &is);
	bus_result(rq, 0, NULL);
	keys_look(k);
	if (k->came != NULL)
		k->came(k->came_arg);
}

void
keys_on_get(struct keys *k, const struct bus_request *rq, const struct msg_key_name *m)
{
	struct msg_key_bytes out = { 0 };
	char name[X509_HEX + 1];
	struct buf pem = { 0 };
	int code;

	if (!need_store(k, rq))
		return;
	span_text(m->name, name, sizeof(name));
	code = keystore_read(k->store, name, &pem);
	if (code == 0) {
		out.name = SPAN(name);
		out.key = (struct span){ pem.p, pem.len };
		(void)bus_reply(rq, MSG_KEY_BYTES, &out);
	}
	x509_wipe(&pem);
	bus_result(
	    rq, code == -ENOENT ? ERR_UNKNOWN : code, code != 0 ? "that key is not here" : NULL);
}

static bool
put_name(const struct bus_request *rq, const char *name, uint64_t age)
{
	const struct msg_key_is is = { .name = SPAN(name), .age = age };

	return bus_reply(rq, MSG_KEY_IS, &is);
}

/* A request to an authority: the key does not leave. */
static void
sign(struct keys *k, const struct bus_request *rq, const struct msg_keys_ask *m)
{
	char name[X509_HEX + 1], cn[80], san[4096], org[80];
	struct x509_wish w = { .cn = cn };
	struct evp_pkey_st *key;
	struct buf pem = { 0 };
	struct err err = { 0 };
	struct msg_key_is is;
	int code;

	if (m->cn.len >= sizeof(cn) || m->san.len >= sizeof(san) || m->org.len >= sizeof(org)) {
		bus_result(rq, ERR_INVALID, "cn, san or org is too long");
		return;
	}
	span_text(m->name, name, sizeof(name));
	span_text(m->cn, cn, sizeof(cn));
	span_text(m->san, san, sizeof(san));
	span_text(m->org, org, sizeof(org));
	w.san = san[0] != '\0' ? san : NULL;
	w.org = org[0] != '\0' ? org : NULL;
	key = x509_key_is_name(name) ? keystore_get(k->store, name) : NULL;
	if (key == NULL) {
		bus_result(rq, ERR_UNKNOWN, "its key is not on this node");
		return;
	}
	code = x509_request(key, &w, &pem, &err);
	x509_key_free(key);
	if (code == 0) {
		log_info("keys: %s has signed a request", name);
		is = (struct msg_key_is){ .name = SPAN(name), .request = { pem.p, pem.len } };
		(void)bus_reply(rq, MSG_KEY_IS, &is);
	}
	bus_result(rq, code, code != 0 ? err.text : NULL);
	buf_fini(&pem);
}

void
keys_on_list(struct keys *k, const struct bus_request *rq, const struct msg_keys_ask *m)
{
	if (!need_store(k, rq))
		return;
	if (m->name.len > 0)
		sign(k, rq, m);
	else
		digest_tell(keystore_files(k->store), rq, put_name);
}

/* ---- what nobody names ------------------------------------------------------------------------------------------- */

static void
on_sweep(void *arg)
{
	struct keys *k = arg;

	digest_sweep(keystore_files(k->store), k->d, "keys");
	loop_timer_set(&k->sweep, DIGEST_SWEEP_EACH);
}

struct keys *
keys_start(struct daemon *d)
{
	struct keys *k = mem_alloc(sizeof(*k));
	struct err err = { 0 };

	k->d = d;
	loop_timer_init(&k->sweep, daemon_loop(d), on_sweep, k);
	if (keystore_open(daemon_paths(d)->state, &k->store, &err) != 0)
		log_err("keys: %s", err.text);
	else
		loop_timer_set(&k->sweep, SWEEP_FIRST);
	return k;
}

void
keys_stop(struct keys *k)
{
	if (k == NULL)
		return;
	loop_timer_fini(&k->sweep);
	keystore_close(k->store);
	free(k);
}
