/* Rules of error pages, maintenance and compression, as a table: what is refused names object, field and what would do. */
#include "checks_help.h"

#define P "create page sorry body=Sorry."
#define S "create vip s address=10.0.0.1 ports=80"

static const struct rule rules[] = {
	{ P, S " error_pages=503=sorry,maintenance=sorry", NULL },
	{ NULL, S " error_pages=503=sorry", "vip s: error_pages: there is no page \"sorry\"" },
	{ NULL,
	    S " error_pages=503=", "vip s: error_pages: \"\" is not allowed: the name of a page" },
	{ P "; " S " error_pages=503=sorry", "delete page sorry", "there is no page \"sorry\"" },
	{ P "; " S " error_pages=503=sorry", "set page sorry body=Later.", NULL },
	{ NULL, S " mode=tcp maintenance=yes", "vip s: maintenance: is not possible in mode tcp" },
	{ NULL, S " mode=tcp compress=own", "vip s: compress: is not possible in mode tcp" },
	{ P, S " mode=tcp error_pages=503=sorry", "error_pages: is not possible in mode tcp" },
	{ NULL, S " mode=tcp uri_check=normalise", "uri_check: is not possible in mode tcp" },
	{ NULL, S " mode=tcp header_names=drop", "header_names: is not possible in mode tcp" },
	{ NULL, S " mode=tcp wait_body=1K", "wait_body: is not possible in mode tcp" },
	{ S " client_timeout=5s via=yes http2=no", "set vip s mode=tcp",
	    "vip s: client_timeout: is not possible in mode tcp, where requests are not read; unset "
	    "client_timeout, via, http2, or take mode http" },
	{ S " client_timeout=5s via=yes http2=no",
	    "set vip s mode=tcp client_timeout=60s via=no http2=yes", NULL },
	{ S " mode=tcp", "set vip s forwarded_for=append", "unset forwarded_for, or take mode" },
	{ NULL,
	    S
	    " mode=tcp connect_timeout=1s request_timeout=5s tunnel_timeout=5s retries=1 queue_max=5",
	    NULL },
	{ NULL, S " forwarded_from=10.0.0.9",
	    "vip s: forwarded_from: is not possible with forwarded_for replace" },
	{ NULL, S " forwarded_from=10.0.0.0/24 forwarded_for=append", NULL },
	{ NULL, S " forwarded_from=10.0.0.9 persistence=forwarded_for", NULL },
	{ NULL, S " forwarded_from=nobody forwarded_for=off",
	    "vip s: forwarded_from: \"nobody\" is not allowed" },
	{ NULL, "create vip p forwarded_from=10.0.0.9 forwarded_for=off",
	    "vip p: forwarded_from: is not possible without an address" },
	{ NULL, S " mode=dr maintenance=yes", "is of layer 7" },
	{ NULL, S " compress=plain compress_types=text", "vip s: compress_types: \"text\"" },
	{ NULL, S " compress=some", "off, plain, own" },
	{ NULL, S " compress_level=10", "1 to 9" },
	{ NULL, S " wait_body=64K", NULL },
	{ NULL, S " retry_on=connect,junk,timeout,401,504", NULL },
	{ NULL, S " retry_on=", NULL },
	{ NULL, S " retry_on=connect,505",
	    "vip s: retry_on: \"505\" is not allowed: connect, empty, junk" },
	{ NULL, S " retry_on=connects", "vip s: retry_on: \"connects\" is not allowed" },
	{ NULL, S " retry_on=empty,", "vip s: retry_on: ends with a comma" },
	{ NULL, S " mode=tcp retry_on=junk", "vip s: retry_on: is not possible in mode tcp" },
	{ NULL, S " wait_body=65K", "0 to 64K" },
	{ NULL, S " mirror=p", "vip s: mirror: there is no vip \"p\"" },
	{ NULL, S " mirror=s", "is the virtual service itself" },
	{ "create vip p", S " mirror=p mirror_share=0.01% mirror_body=1M", NULL },
	{ "create vip p; " S " mirror=p", "delete vip p", "vip s: mirror: there is no vip \"p\"" },
	{ "create vip p mode=tcp", S " mirror=p", "vip s: mirror: vip \"p\" is in mode tcp" },
	{ "create vip p address=10.0.0.2 ports=80", S " mirror=p", "vip \"p\" has an address" },
	{ "create vip p transparent=yes", S " mirror=p", "vip \"p\" has transparent" },
	{ "create vip p proxy_to=v1", S " mirror=p", "vip \"p\" has proxy_to" },
	{ "create vip p server_http=2", S " mirror=p", "vip \"p\" has server_http" },
	{ "create vip p; create vip q", "set vip q mirror=p",
	    "vip q: mirror: is not possible without an address" },
	{ "create vip p; " S " mirror=p", "set vip p mirror=s",
	    "vip p: mirror: is not possible without an address" },
	{ "create vip p", S " mode=tcp mirror=p", "mirror: is not possible in mode tcp" },
	{ "create vip p", S " mode=dr mirror=p", "is of layer 7" },
	{ NULL, S " mirror_share=100.5%", "0% to 100%, in steps of 0.01%" },
	{ NULL, S " mirror_body=2M", "0 to 1M" },
	{ NULL, P " status=204", "page sorry: status: \"204\" is not allowed" },
	{ NULL, P " status=101", "page sorry: status: \"101\" is not allowed" },
	{ NULL, P " status=200", NULL },
	{ NULL, P " content_type=html", "page sorry: content_type: \"html\" is not allowed" },
};

static void
test_rules(void **state)
{
	(void)state;
	run_rules(rules, ARRAY_LEN(rules));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rules, open_store, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
