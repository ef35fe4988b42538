/* How servers are reached: by name, from which addresses, by the token of a broker. What cannot work is refused with the
 * reason. */
#include "checks_help.h"

#define V "create vip v address=10.0.0.1 ports=80"
#define R "; create rip v/a address="
#define TOO_MANY "more_sources=10.3.0.0-10.3.1.0"

static const struct rule rules[] = {
	/* names */
	{ V, "create rip v/a address=app.example.org resolve=each port=80", NULL },
	{ V R "app.example.org resolve=each port=80",
	    "create rip v/b address=app.example.org resolve=each port=80", NULL },
	{ V R "_http._tcp.example.org resolve=srv",
	    "create rip v/b address=_http._tcp.example.org resolve=srv", NULL },
	{ V R "app.example.org port=80", "create rip v/b address=app.example.org port=80",
	    "is rip a already" },
	{ V R "app.example.org port=80 resolve=each",
	    "create rip v/b address=app.example.org port=80", "is rip a already" },
	{ V, "create rip v/a address=10.0.0.2 resolve=each",
	    "rip v/a: resolve: \"each\" is not possible with address 10.0.0.2" },
	{ V, "create rip v/a address=_http._tcp.example.org resolve=srv port=80",
	    "rip v/a: port: 80 is not possible with resolve srv" },
	{ V, "create rip v/a address=app.example.org resolve=all", "first, each, srv" },
	{ V " mode=dr", "create rip v/a address=10.0.0.2 resolve=each", "is of layer 7" },
	{ V, "create rip v/a address=_.example.org", "or a DNS name" },
	{ V, "create rip v/a address=a_b.example.org", "or a DNS name" },
	/* source addresses */
	{ NULL, V " source=10.0.0.1 more_sources=127.0.0.9,10.0.0.1", "is source already" },
	{ NULL, V " source=10.0.0.1 more_sources=127.0.0.9", NULL },
	{ NULL, V " more_sources=127.0.0.9-127.0.0.20,::1", NULL },
	{ NULL, V " source=10.0.0.1 transparent=yes",
	    "vip v: source: is not possible with transparent" },
	{ NULL, V " more_sources=10.0.0.1 transparent=yes",
	    "vip v: more_sources: is not possible with transparent" },
	{ NULL, V " source_header=X-Real-IP forwarded_from=10.0.0.9",
	    "vip v: source_header: \"X-Real-IP\" is not possible without transparent" },
	{ NULL, V " source_header=X-Real-IP transparent=yes",
	    "vip v: source_header: \"X-Real-IP\" is not possible without forwarded_from" },
	{ NULL, V " source_header=X-Real-IP transparent=yes forwarded_from=10.0.0.9", NULL },
	{ NULL, V " source_header=X:Y transparent=yes forwarded_from=10.0.0.9", "source_header" },
	{ NULL, V " mode=tcp source_header=X-Real-IP transparent=yes",
	    "is not possible in mode tcp" },
	{ NULL, V " source=224.0.0.1", "vip v: source: \"224.0.0.1\" is" },
	{ NULL, V " " TOO_MANY, "256" },
	{ NULL, V " mode=dr more_sources=10.0.0.1", "is of layer 7" },
	{ V " source=10.0.0.1", "create rip v/a address=10.0.0.2", NULL },
	{ V " source=10.0.0.1", "create rip v/a address=app.example.org", NULL },
	{ V " source=10.0.0.1", "create rip v/a address=fd00::2",
	    "rip v/a: address: \"fd00::2\" is IPv6, and vip v has no source address of that" },
	{ V " source=10.0.0.1 more_sources=::1", "create rip v/a address=fd00::2", NULL },
	/* routing tokens */
	{ NULL, V " mode=tcp rdp_token=yes", NULL },
	{ NULL, V " mode=tcp rdp_token=yes scheduler=rdp_cookie", NULL },
	{ NULL, V " rdp_token=yes", "rdp_token: \"yes\" is not possible in mode http" },
	{ NULL, V " mode=nat rdp_token=yes", "rdp_token: \"yes\" is not possible in mode nat" },
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
