/* Content rules and pools as a table: what is refused names object, field, value and what is allowed; what is close to it is fine. */
#include "checks_help.h"

#define V "create vip v address=10.0.0.1 ports=80"
#define P "; create vip p; create rip p/a address=10.1.0.1 port=80"
#define M_TCP "create vip v address=10.0.0.1 ports=80 mode=tcp; create vip p mode=tcp"
#define R "create rule v/r "
#define TEXT_67 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define TEXT_201 TEXT_67 TEXT_67 TEXT_67

static const struct rule pools[] = {
	{ NULL, "create vip p", NULL },
	{ NULL, "create vip p mode=tcp", NULL },
	{ NULL, "create vip p ports=80",
	    "vip p: address: is required with ports; without both it is a pool for content rules" },
	{ NULL, "create vip p address=10.0.0.1", "vip p: ports: is required" },
	{ NULL, "create vip p log=json",
	    "vip p: log: is not possible without an address: clients come by the virtual service whose rules "
	    "lead here" },
	{ NULL, "create vip p max_conns=5",
	    "vip p: max_conns: is not possible without an address" },
	{ NULL, "create vip p maintenance=yes",
	    "vip p: maintenance: is not possible without an address: clients come by the virtual service whose "
	    "rules lead here" },
	{ NULL, "create vip p compress=plain",
	    "vip p: compress: is not possible without an address" },
	{ NULL, "create vip p body_max=5", "vip p: body_max: is not possible without an address" },
	{ NULL, "create vip p uri_check=refuse",
	    "vip p: uri_check: is not possible without an address" },
	{ NULL, "create vip p persistence=cookie queue_max=5 forwarded_for=off", NULL },
	{ NULL, "create vip p mode=nat", "vip p: address: is required" },
	{ NULL, "create vip p; create vip q; create vip r mode=tcp group=2", NULL },
	{ NULL, "create vip p; create rip p/a address=10.1.0.1",
	    "rip p/a: port: is required: 0 is the port of the virtual service, and vip p has none" },
	{ NULL, "create vip p; create rip p/a address=10.1.0.1 port=80", NULL },
	{ V P "; " R "action=use pool=p", "set vip p address=10.0.0.2 ports=80", NULL },
};

static const struct rule refused[] = {
	/* where rules are */
	{ NULL, "create vip v address=10.0.0.1 ports=80 mode=nat; " R "action=allow",
	    "rule v/r: vip: vip v has mode nat, where the kernel forwards packets" },
	{ NULL, "create vip v; " R "action=allow", "rule v/r: vip: vip v has no address" },
	{ V, R "", "rule v/r: pool: is required with action use" },
	{ M_TCP, R "action=redirect location=/",
	    "rule v/r: action: \"redirect\" is not possible in mode tcp for a connection; allowed are use, "
	    "allow, deny, tarpit, drop, limit_bandwidth, set_priority" },
	{ M_TCP, R "action=deny status=403", "rule v/r: status: is not possible in mode tcp" },
	{ M_TCP, R "action=deny on=answer",
	    "rule v/r: on: \"answer\" is not possible in mode tcp, where answers are not read; allowed is request, "
	    "and answer with action limit_bandwidth" },
	{ M_TCP, R "action=tarpit status=503", "rule v/r: status: is not possible in mode tcp" },
	{ V, R "action=set_priority on=answer",
	    "rule v/r: action: \"set_priority\" is not possible in mode http for an answer" },
	{ V, R "action=deny on=answer",
	    "\"deny\" is not possible in mode http for an answer; allowed are set_header, add_header, "
	    "del_header, replace_header, limit_bandwidth, replace_body" },
	/* bodies */
	{ V, R "action=replace_body find=a",
	    "rule v/r: action: \"replace_body\" is not possible in mode http for a request" },
	{ M_TCP, R "action=replace_body find=a",
	    "rule v/r: action: \"replace_body\" is not possible in mode tcp for a connection" },
	{ M_TCP, R "action=replace_body find=a on=answer",
	    "rule v/r: on: \"answer\" is not possible in mode tcp" },
	{ V, R "action=replace_body on=answer",
	    "rule v/r: find: is required with action replace_body" },
	{ V, R "action=replace_body on=answer find=" TEXT_201, "at most 200 bytes" },
	{ V, R "action=replace_body on=answer find=a types=html", "rule v/r: types: \"html\"" },
	{ V, R "action=replace_body on=answer find=a value=b",
	    "rule v/r: value: is not looked at with action replace_body; unset it" },
	{ V, R "action=set_header header=A value=b find=a",
	    "rule v/r: find: is not looked at with action set_header; unset it" },
	{ V,
	    R "action=set_header header=A value=b on=answer last=yes order=1; "
	      "create rule v/s action=replace_body on=answer find=b order=2",
	    "rule v/s: order: 2: the rule would never be looked at" },
	/* pools */
	{ V, R "action=use", "rule v/r: pool: is required with action use" },
	{ V, R "action=use pool=v", "rule v/r: pool: is the virtual service of the rule" },
	{ V "; create vip p mode=tcp", R "action=use pool=p",
	    "rule v/r: pool: \"p\" has mode tcp, and vip v has mode http; allowed are virtual services of the "
	    "same mode" },
	{ V, R "action=use", "rule v/r: pool: is required with action use, or pool_by" },
	{ V, R "action=use pool_by={value}",
	    "rule v/r: pool_by: column 1: {value} is what a list has behind its entry" },
	{ V, R "action=use pool_by={hots}",
	    "rule v/r: pool_by: column 1: {hots} is no part of a request, perhaps {host}" },
	{ V, R "action=deny pool_by={host}",
	    "rule v/r: pool_by: is not looked at with action deny; unset it" },
	{ V, R "action=deny priority=1",
	    "rule v/r: priority: is not looked at with action deny; unset it" },
	{ V P, R "action=use pool=p pool_by={host}; create rule v/s action=deny",
	    "rule v/s: order: 100: the rule would never be looked at" },
	{ V P, R "action=deny pool=p",
	    "rule v/r: pool: is not looked at with action deny; unset it" },
	/* arguments */
	{ V, R "action=redirect", "rule v/r: location: is required with action redirect" },
	{ V, R "action=redirect location=/x status=200",
	    "rule v/r: status: 200 sends nobody elsewhere; allowed are 301, 302, 303, 307 and 308" },
	{ V, R "action=deny status=200", "rule v/r: status: 200 is not allowed with action deny" },
	{ V, R "action=deny time=5s",
	    "rule v/r: time: is not looked at with action deny; unset it" },
	{ V, R "action=return status=199", "rule v/r: status: 199 is no final status" },
	{ V, R "action=return status=204 body=x",
	    "rule v/r: body: is not possible with status 204" },
	{ V, R "action=set_header value=x",
	    "rule v/r: header: is required with action set_header" },
	{ V, R "action=set_header header=X",
	    "rule v/r: value: is required with action set_header" },
	{ V, R "action=del_header header=X value=y", "rule v/r: value: is not looked at" },
	{ V, R "action=set_header header=a:b value=x", "\"a:b\" is no name of a header field" },
	{ V, R "action=set_header header=content-length value=5",
	    "rule v/r: header: \"content-length\" says how a message is sent" },
	{ V, R "action=del_header header=host", "\"host\" must be in a request exactly once" },
	{ V, R "action=replace_header header=X value=y", "rule v/r: pattern: is required" },
	{ V, R "action=replace_header header=X pattern=(",
	    "rule v/r: pattern: \"(\" is no regular expression: at offset 1" },
	{ V, R "action=rewrite value=x",
	    "rule v/r: value: \"x\" becomes the whole path and does not begin with a slash" },
	{ V, R "action=rewrite value={1}/ pattern=^/a",
	    "rule v/r: value: column 1: {1} is more than" },
	{ V, R "action=redirect location={hots}",
	    "rule v/r: location: column 1: {hots} is no part of a request, perhaps {host}" },
	{ V, R "action=redirect location={1}",
	    "rule v/r: location: column 1: {1} is a part of what a pattern matched" },
	/* conditions */
	{ V, R "action=deny when=hots",
	    "rule v/r: when: column 1: \"hots\" is no field of a condition, perhaps host" },
	{ M_TCP, R "action=deny when=path~is~/", "path is not known in mode tcp" },
	{ V, R "action=deny when=status~is~404", "status is not known before there is an answer" },
	{ V, R "action=deny when=path~matches~[",
	    "rule v/r: when: column 14: \"[\" is no regular expression" },
	/* order */
	{ V, R "action=deny order=1; create rule v/s action=allow order=2 when=port~is~80",
	    "rule v/s: order: 2: the rule would never be looked at, as rule r before it (order 1) always holds" },
	{ V,
	    R
	    "action=allow when=port~is~80; create rule v/s action=set_header header=a value=b when=port~is~80",
	    "as rule r before it (order 100) has the same condition and ends the evaluation" },
	{ V,
	    R "action=deny when=path~is~/a~and~method~is~GET; create rule v/s action=allow "
	      "when=(path~~is~'/a')~and~((method~is~GET))",
	    "as rule r before it (order 100) has the same condition and ends the evaluation" },
	{ V,
	    R "action=deny when=rate(requests,src,10s)~>~5; create rule v/s action=allow "
	      "when=rate(requests,~src,~10s)~>~5",
	    "as rule r before it (order 100) has the same condition and ends the evaluation" },
	{ V,
	    R "action=deny when=rate(requests,src,10s)~>~5; create rule v/s action=allow "
	      "when=rate(requests,src,11s)~>~5",
	    NULL },
	{ V,
	    R "action=deny when=path~is~/a~and~method~is~GET; create rule v/s action=allow "
	      "when=path~is~/a~or~method~is~GET",
	    NULL },
	{ V, R "action=deny when=header(A)~is~x; create rule v/s action=allow when=header(B)~is~x",
	    NULL },
	{ V, R "action=del_header header=a last=yes; create rule v/s action=deny",
	    "rule v/s: order: 100: the rule would never be looked at" },
	{ V,
	    R
	    "action=deny when=path~under~/api; create rule v/s action=allow order=200 when=path~is~/api/v1",
	    "rule v/s: order: 200: the rule would never be looked at, as rule r before it (order 100) holds whenever it "
	    "does and ends the evaluation; allowed is an order before it, or another condition" },
	{ V,
	    R
	    "action=deny when=path~under~/api; create rule v/s action=allow order=50 when=path~is~/api/v1",
	    NULL },
	{ V,
	    R
	    "action=deny when=path~under~/api; create rule v/s action=allow on=request order=200 when=path~is~/apis",
	    NULL },
	/* rewriting makes another path of it */
	{ V,
	    R
	    "action=deny order=1 when=path~under~/a; create rule v/m action=rewrite order=2 pattern=^/b value=/a; "
	    "create rule v/s action=allow order=3 when=path~is~/a/x",
	    NULL },
	{ V,
	    R
	    "action=deny order=1 when=path~is~/a; create rule v/m action=rewrite order=2 pattern=^/b value=/a; "
	    "create rule v/s action=allow order=3 when=path~is~/a",
	    NULL },
	{ V,
	    R
	    "action=deny order=1 when=asked.path~is~/a; create rule v/m action=rewrite order=2 pattern=^/b value=/a; "
	    "create rule v/s action=allow order=3 when=asked.path~is~/a",
	    "rule v/s: order: 3: the rule would never be looked at, as rule r before it (order 1) has the same condition" },
	{ V, R "action=deny order=2 when=port~is~80; create rule v/s action=allow order=2", NULL },
	{ V, R "action=deny order=2 enabled=no; create rule v/s action=allow order=3", NULL },
	{ V,
	    R
	    "action=add_header header=a value=b on=answer last=yes; create rule v/s action=deny order=200",
	    NULL },
	{ V, R "action=add_header header=a value=b; create rule v/s action=deny", NULL },
};

static const struct rule taken[] = {
	{ V P, R "action=use pool=p when=path~under~/api", NULL },
	{ M_TCP, R "action=use pool=p when=sni~under~example.org", NULL },
	{ M_TCP, R "action=drop when=alpn~is~h2~and~src~in~10.0.0.0/8", NULL },
	{ V, R "action=redirect location=https://{host}{url} status=308", NULL },
	{ V, R "action=redirect location=/{1} when=path~matches~^/old/.*", "{1} is more than" },
	{ V, R "action=rewrite pattern=^/old/(.*) value=/new/{1}", NULL },
	{ V, R "action=rewrite part=query value=", NULL },
	{ V, R "action=set_header header=Host value=backend", NULL },
	{ V, R "action=set_header header=X value={status} on=answer", NULL },
	{ V, R "action=set_header header=X value={status}", "{status} is no part of a request" },
	{ V, R "action=return status=200 body=ok content_type=text/html", NULL },
	{ V, R "action=limit_bandwidth rate=100K on=answer", NULL },
	/* it holds for none of other bodies, so what is behind it is looked at */
	{ V,
	    R "action=replace_body on=answer find=a last=yes order=1; "
	      "create rule v/s action=replace_body on=answer find=b order=2",
	    NULL },
	{ V,
	    R "action=replace_body on=answer find=a replace=b types=text/html; "
	      "create rule v/s action=replace_body on=answer find=b",
	    NULL },
	{ V, R "action=limit_bandwidth", "rule v/r: rate: is required" },
	{ V, R "action=limit_bandwidth rate=10",
	    "rule v/r: rate: 10 bytes a second are less than" },
	{ V, R "action=set_priority priority=-2047; create rule v/s action=set_priority", NULL },
	{ V, R "action=set_priority priority=2048", "-2047 to 2047" },
	{ V, R "action=set_priority priority=-2048", "-2047 to 2047" },
	{ V, R "action=use pool_by={host}; create rule v/s action=deny",
	    NULL }, /* there may be none */
	{ V, "create list l kind=word; " R "action=use pool_by={value} when=header(X)~in~@l",
	    NULL },
	{ M_TCP, R "action=use pool_by={sni}", NULL },
	{ M_TCP, R "action=tarpit time=2s", NULL },
	{ M_TCP,
	    R
	    "action=limit_bandwidth rate=10K; create rule v/s action=limit_bandwidth rate=10K on=answer",
	    NULL },
	{ M_TCP, R "action=set_priority priority=5", NULL },
	{ V, R "action=tarpit time=2s status=429 when=header(User-Agent)~contains~bot", NULL },
};

static void
test_pools(void **state)
{
	(void)state;
	run_rules(pools, ARRAY_LEN(pools));
}

static void
test_refused(void **state)
{
	(void)state;
	run_rules(refused, ARRAY_LEN(refused));
}

static void
test_taken(void **state)
{
	(void)state;
	run_rules(taken, ARRAY_LEN(taken));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pools, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_refused, open_store, drop_dir),
		cmocka_unit_test_setup_teardown(test_taken, open_store, drop_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
