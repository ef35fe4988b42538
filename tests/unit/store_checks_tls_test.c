/* Rules of TLS settings and of services that use them, as a table: what is refused names object, field and what would
 * do. */
#include "checks_help.h"
#include "store/x509.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ASKED "create cert asked key=" KEY /* a request: no chain yet */
#define T "create tls t"
#define S "create vip s address=10.0.0.1 ports=443"

static const struct rule rules[] = {
	/* what a service needs */
	{ T, S " tls=t", "vip s: tls: \"t\" has no certificate" },
	{ NULL, S " tls=t", "vip s: tls: there is no tls \"t\"" },
	{ NULL, "create vip s address=10.0.0.1 ports=443 mode=dr server_tls=on", "is of layer 7" },
	{ NULL, S " server_tls=on transparent=yes",
	    "vip s: server_tls: \"on\" is not possible with transparent" },
	{ NULL, S " server_tls=verify transparent=yes", "is not possible with transparent" },
	{ NULL, S " server_tls=verify", NULL },
	{ NULL, S " server_http=2", NULL },
	{ NULL, S " server_http=auto server_tls=on proxy_to=v2", NULL },
	{ NULL, S " server_http=2 mode=tcp",
	    "vip s: server_http: \"2\" is not possible in mode tcp; allowed is 1, or mode http" },
	{ NULL, S " server_http=auto server_tls=on mode=tcp",
	    "server_http: \"auto\" is not possible" },
	{ NULL, S " server_http=3", "server_http" },
	{ NULL, S " server_tls=on server_name=app.example.org mode=tcp", NULL },
	{ NULL, S " server_name=app.example.org",
	    "vip s: server_name: is not possible with server_tls off" },
	{ NULL, S " server_tls=on server_name=*.example.org", "the name of a host" },
	{ NULL, S " server_tls=on server_name=a..b", "the name of a host" },
	/* redirect */
	{ NULL, S " https_redirect=301", NULL },
	{ NULL, S " https_redirect=308 mode=tcp", "https_redirect: is not possible in mode tcp" },
	{ NULL, S " https_redirect=303", "off, 301, 302, 307, 308" },
	/* S111: a cookie inside TLS that is passed on */
	{ NULL, S " mode=tcp persistence=cookie",
	    "persistence: \"cookie\" is not possible in mode tcp" },
	{ NULL, S " mode=tcp persistence=cookie", "inside TLS" },
	/* settings */
	{ NULL, T " client_auth=required",
	    "tls t: client_ca: is required with client_auth required" },
	{ NULL, T " client_auth=optional", "client_ca: is required" },
	{ NULL, T " client_headers=yes",
	    "tls t: client_headers: is not possible with client_auth off" },
	{ NULL, T " profile=modern ciphers=AES128-SHA",
	    "ciphers: is not possible with profile modern" },
	{ NULL, T " ciphers=ECDHE-RSA-AES128-GCM-SHA256:!aNULL", NULL },
	{ NULL, T " ciphers=a;b", "names of OpenSSL" },
	{ NULL, T " hsts=365d session_timeout=1d", NULL },
	{ NULL, T " hsts=1h hsts_subdomains=yes", NULL },
	{ NULL, T " hsts_subdomains=yes", "tls t: hsts_subdomains: is not possible with hsts 0s" },
	{ NULL, T " session_timeout=8d", "1m to 7d" },
	{ ASKED, T " cert=asked", "tls t: cert: \"asked\" waits for the answer" },
	/* hosts */
	{ ASKED "; " T, "create sni t/a cert=asked hosts=www.example.org",
	    "sni t/a: cert: \"asked\" waits" },
	{ ASKED "; " T, "create sni t/a", "sni t/a: cert: is required" },
	{ ASKED "; " T, "create sni t/a cert=asked hosts=a_b.example.org,*.x.org,", "one comma" },
	{ ASKED "; " T, "create sni t/a cert=asked hosts=a.*.org", "\"a.*.org\" is not allowed" },
	{ ASKED "; " T, "create sni t/a cert=asked hosts=*", "\"*\" is not allowed" },
};

static void
test_rules(void **state)
{
	(void)state;
	run_rules(rules, ARRAY_LEN(rules));
}

/* Needs certificates that can be used. */
static void
test_hosts_twice(void **state)
{
	const struct x509_wish w = { .cn = "www.example.org", .days = 30 };
	struct evp_pkey_st *key = x509_key_make("p256", &err);
	struct buf pem = { 0 };
	char name[X509_HEX];
	struct doc_item *it;
	struct doc d;

	(void)state;
	x509_key_name(key, name);
	assert_good(x509_self_signed(key, &w, &pem, &err));
	x509_key_free(key);
	doc_init(&d);
	assert_good(doc_add(&d, DOC_CREATE, object_of(KIND_cert), "c", 0, &it, &err));
	assert_good(doc_set(&d, it, "chain", buf_text(&pem), &err));
	assert_good(doc_set(&d, it, "key", name, &err));
	assert_good(store_edit(st, &d, &by_test, NULL, &err));
	doc_fini(&d);
	buf_fini(&pem);
	assert_good(edit(
	    T " cert=c; " S " tls=t; create sni t/a cert=c hosts=www.example.org,*.example.org"));
	assert_bad(edit("create sni t/b cert=c hosts=x.org,WWW.example.org"), ERR_INVALID,
	    "sni t/b: hosts: \"WWW.example.org\" is in sni t/a already");
	assert_good(edit("create sni t/b cert=c hosts=x.org"));
	assert_bad(edit("set vip s https_redirect=301"), ERR_INVALID,
	    "https_redirect: is not possible with tls");
	assert_bad(edit("delete cert c"), ERR_CONFLICT, "uses it");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_hosts_twice, open_store, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
