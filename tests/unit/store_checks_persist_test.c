/* Rules of persistence, as a table: what is refused names object, field and what would do. */
#include "checks_help.h"

#define S "create vip s address=10.0.0.1 ports=80"
#define O "create vip o address=10.0.0.2 ports=80"
#define R "create rip s/a address=10.0.1.1; create rip s/b address=10.0.1.2"

static const struct rule rules[] = {
	/* S111: what is read, is read in mode http */
	{ NULL, S " mode=tcp persistence=cookie",
	    "vip s: persistence: \"cookie\" is not possible" },
	{ NULL, S " mode=tcp persistence=route", "allowed are none, source, sip, tls_session" },
	{ NULL, S " mode=tcp persistence=header persist_key=x", "or mode http" },
	{ NULL, S " mode=nat persistence=query", "in mode nat" },
	{ NULL, S " persistence=sip", "\"sip\" is not possible in mode http with protocol tcp" },
	{ NULL, S " mode=nat persistence=sip", "protocol udp" },
	{ NULL, S " mode=nat protocol=udp persistence=sip", NULL },
	{ NULL, S " persistence=rdp_cookie", "or mode tcp" },
	{ NULL, S " mode=tcp persistence=rdp_cookie", NULL },
	{ NULL, S " persistence=tls_session", "\"tls_session\" is not possible without tls" },
	{ NULL, S " mode=tcp persistence=server_name",
	    "\"server_name\" is not possible without tls" },
	/* keys */
	{ NULL, S " persistence=url_param", "persist_key: is required with persistence url_param" },
	{ NULL, S " persistence=header", "allowed is the name of the header field" },
	{ NULL, S " persistence=header persist_key=X-User", NULL },
	{ NULL, S " persistence=header persist_key=X/User", "is no name of a header field" },
	{ NULL, S " persistence=url_param persist_key=a=b", "is no name of a parameter" },
	{ NULL, S " persistence=source persist_key=a", "persist_key: \"a\" is not possible" },
	/* cookies */
	{ NULL, S " persistence=cookie cookie_idle=10m cookie_life=8h cookie_server=preserve",
	    NULL },
	{ NULL, S " persistence=source cookie_idle=10m", "cookie_idle: is not possible" },
	{ NULL, S " persistence=prefix cookie_life=10m", "cookie_life: is not possible" },
	{ NULL, S " cookie_server=shown", "cookie_server: is not possible with persistence none" },
	{ NULL, S " persistence=cookie cookie_attributes=SameSite=None", "add Secure" },
	{ NULL, S " persistence=cookie cookie_attributes=Path=x", "cookie_attributes: \"Path=x\"" },
	/* combination, mask */
	{ NULL, S " persistence=cookie persist_or_source=yes", NULL },
	{ NULL, S " persistence=source persist_or_source=yes", "persist_or_source: \"yes\"" },
	{ NULL, S " persist_or_source=yes", "is not possible with persistence none" },
	{ NULL, S " persistence=source persist_mask=24", NULL },
	{ NULL, S " persistence=source persist_mask=33", "longer than an IPv4 address" },
	{ NULL, S " mode=nat persist_drain=leave", "is of layer 7" },
	/* sharing */
	{ O, S " persistence=source persist_with=x", "persist_with: there is no vip \"x\"" },
	{ O, S " persistence=source persist_with=s", "is the virtual service itself" },
	{ O, S " persistence=source persist_with=o", "persistence is source here and none in vip" },
	{ O " persistence=source", S " persistence=source persist_with=o", NULL },
	{ O, S " persist_with=o", "the same in both, not none" },
	{ O " persistence=source persist_mask=24", S " persistence=source persist_with=o",
	    "persist_mask is another in vip \"o\"" },
	{ O " persistence=cookie cookie=A", S " persistence=cookie cookie=B persist_with=o",
	    "cookie is another in vip \"o\"" },
	{ O " persistence=query cookie=A", S " persistence=query persist_with=o", NULL },
	{ O " persistence=source mode=nat", S " persistence=source persist_with=o",
	    "is of layer 4" },
	{ O " persistence=source; create vip p address=10.0.0.3 ports=80 persistence=source persist_with=o",
	    S " persistence=source persist_with=p", "shares that of vip \"o\" itself" },
	{ O " persistence=source; " S " persistence=source persist_with=o", "delete vip o",
	    "vip s: persist_with: there is no vip \"o\"" },
	/* routes */
	{ S " persistence=route cookie=JSESSIONID; " R, "set rip s/a route=b",
	    "route: \"b\" is that of rip" },
	{ S " persistence=route; " R, "set rip s/a route=tomcat1", NULL },
	{ S "; " R, "set rip s/a route=b", NULL },
	{ S "; " R, "set rip s/a route=a/b", "rip s/a: route: \"a/b\" is not allowed" },
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
