/* Export: canonical, read back without a difference, byte-stable; parts of it; secrets as numbers. */
#include "store_help.h"

static const char all[] =
    "create check page kind=http path=/health interval=10s timeout=2s status=200,301-302; create check port; "
    "create vip shop address=192.0.2.10 ports=80,443 check=page labels=tier=front,site=a persistence=cookie; "
    "create rip shop/web2 address=origin.example port=8080 weight=50 check=port; "
    "create rip shop/web1 address=10.0.0.11 port=8080; "
    "create vip mail address=2001:db8::25 ports=25 mode=tcp comment=off; "
    "create fip gateway address=192.0.2.1/24 interface=eth0; "
    "create user ada role=admin password=geheim123; create token robot role=operator source=10.0.0.0/8; "
    "set node main hostname=lb1; set setting main history=500";

static const char yaml[] = "setting:\n"
			   "  history: 500\n"
			   "node:\n"
			   "  hostname: lb1\n"
			   "check:\n"
			   "  page:\n"
			   "    kind: http\n"
			   "    interval: 10s\n"
			   "    timeout: 2s\n"
			   "    path: /health\n"
			   "    status: 200,301-302\n"
			   "  port: {}\n"
			   "fip:\n"
			   "  gateway:\n"
			   "    address: 192.0.2.1/24\n"
			   "    interface: eth0\n"
			   "vip:\n"
			   "  mail:\n"
			   "    comment: \"off\"\n"
			   "    address: \"2001:db8::25\"\n"
			   "    ports: 25\n"
			   "    mode: tcp\n"
			   "  shop:\n"
			   "    labels: site=a,tier=front\n"
			   "    address: 192.0.2.10\n"
			   "    ports: 80,443\n"
			   "    persistence: cookie\n"
			   "    check: page\n"
			   "    rips:\n"
			   "      web1:\n"
			   "        address: 10.0.0.11\n"
			   "        port: 8080\n"
			   "      web2:\n"
			   "        address: origin.example\n"
			   "        port: 8080\n"
			   "        weight: 50\n"
			   "        check: port\n"
			   "user:\n"
			   "  ada:\n"
			   "    role: admin\n"
			   "    password: \"@1\"\n"
			   "token:\n"
			   "  robot:\n"
			   "    role: operator\n"
			   "    source: 10.0.0.0/8\n";

static char *
export_as(enum export_form form, unsigned kind, const char *path, bool full)
{
	struct snapshot *s = look();
	struct buf out = { 0 };

	assert_good(snapshot_export(s, form, kind, path, full, &out, &err));
	snapshot_unref(s);
	(void)buf_text(&out);
	return (char *)out.p;
}

static void
apply(enum export_form form, const char *text, struct commit_result *r)
{
	struct doc d;

	doc_init(&d);
	if (form == EXPORT_YAML)
		assert_good(yaml_parse(&d, DOC_REPLACE, text, strlen(text), &err));
	else
		assert_good(json_parse(&d, DOC_REPLACE, text, strlen(text), &err));
	assert_good(store_edit(st, &d, &by_test, r, &err));
	doc_fini(&d);
}

static void
test_yaml_is_canonical(void **state)
{
	char *text;

	(void)state;
	assert_good(edit(all));
	text = export_as(EXPORT_YAML, 0, NULL, false);
	assert_string_equal(text, yaml);
	free(text);
}

static void
test_import_of_export_is_nothing(void **state)
{
	struct commit_result r;
	char *text, *again;

	(void)state;
	assert_good(edit(all));
	for (unsigned form = EXPORT_YAML; form <= EXPORT_JSON; form++)
		for (unsigned full = 0; full < 2; full++) {
			text = export_as((enum export_form)form, 0, NULL, full != 0);
			apply((enum export_form)form, text, &r);
			assert_int_equal(r.revision[0] + r.revision[1] + r.revision[2], 0);
			commit_result_fini(&r);
			assert_null(strstr(text, "geheim123"));
			free(text);
		}
	text = export_as(EXPORT_YAML, 0, NULL, false);
	assert_good(store_rollback(st, SCOPE_SHARED, 1, &by_test, NULL, &err));
	apply(EXPORT_YAML, text, &r);
	commit_result_fini(&r);
	again = export_as(EXPORT_YAML, 0, NULL, false);
	assert_string_equal(text, again);
	free(text);
	free(again);
}

static void
test_parts(void **state)
{
	struct snapshot *s;
	struct buf out = { 0 };
	struct commit_result r;
	char *text;

	(void)state;
	assert_good(edit(all));
	text = export_as(EXPORT_YAML, KIND_server, "shop/web2", false);
	assert_string_equal(text,
	    "rip:\n  shop/web2:\n    address: origin.example\n    port: 8080\n    weight: 50\n    check: port\n");
	apply(EXPORT_YAML, text, &r);
	assert_int_equal(r.revision[0], 0);
	commit_result_fini(&r);
	free(text);
	text = export_as(EXPORT_JSON, KIND_check, NULL, false);
	assert_non_null(strstr(text, "\"page\""));
	assert_null(strstr(text, "\"shop\""));
	free(text);
	s = look();
	assert_bad(snapshot_export(s, EXPORT_YAML, KIND_service, "nix", false, &out, &err),
	    ERR_UNKNOWN, "vip nix: does not exist");
	snapshot_export_row(
	    s, object_of(KIND_server), snapshot_find_path(s, KIND_server, "shop/web2"), &out);
	assert_string_equal(buf_text(&out),
	    "{\"name\":\"web2\",\"comment\":\"\",\"vip\":\"shop\",\"address\":\"origin.example\",\"port\":8080,\"weight\":50,"
	    "\"max_conns\":0,\"check\":\"port\",\"min_conns\":0,\"forward\":\"service\",\"tunnel\":\"ipip\",\"tunnel_port\":6080,"
	    "\"tunnel_csum\":\"none\",\"backup\":false,\"zone\":\"\",\"route\":\"\",\"resolve\":\"first\"}");
	buf_fini(&out);
	snapshot_unref(s);
}

static void
test_orders_only_when_asked(void **state)
{
	struct snapshot *s;
	char *text;

	(void)state;
	assert_good(edit(all));
	s = look();
	assert_good(store_order(st,
	    &(struct order){
		((const struct server *)snapshot_find_path(s, KIND_server, "shop/web1"))->id,
		admin_state_drain, -1, 0 },
	    1, &by_test, NULL, &err));
	snapshot_unref(s);
	text = export_as(EXPORT_YAML, 0, NULL, false);
	assert_null(strstr(text, "drain\n"));
	free(text);
	text = export_as(EXPORT_YAML, KIND_admin, NULL, false);
	assert_non_null(strstr(text, "shop/web1:\n    state: drain\n"));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, open_store, drop_dir)
		T(test_yaml_is_canonical),
		T(test_import_of_export_is_nothing),
		T(test_parts),
		T(test_orders_only_when_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
