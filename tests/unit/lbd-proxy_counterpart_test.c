/* Services that share persistence: which server of one is which of the other. */
#include "store_help.h"

#include "lbd-proxy/counterpart.h"
#include "lbd-proxy/http/cookie.h"
#include "lbd-proxy/pool/sticky.h"

static const char yaml[] = "vips:\n"
			   "  lead:\n"
			   "    address: 10.0.0.1\n"
			   "    ports: 80\n"
			   "    persistence: cookie\n"
			   "    rips:\n"
			   "      a: {address: 10.0.1.1, port: 80}\n"
			   "      b: {address: 10.0.1.2, port: 80}\n"
			   "      b2: {address: 10.0.1.2, port: 81}\n"
			   "      name: {address: App.example.org, port: 80}\n"
			   "      six: {address: 'fd00::1', port: 80}\n"
			   "  follow:\n"
			   "    address: 10.0.0.1\n"
			   "    ports: 443\n"
			   "    persistence: cookie\n"
			   "    persist_with: lead\n"
			   "    rips:\n"
			   "      one: {address: 10.0.1.1, port: 443}\n"
			   "      two: {address: 10.0.1.2, port: 81}\n"
			   "      three: {address: 10.0.1.2, port: 443}\n"
			   "      four: {address: app.EXAMPLE.org, port: 443}\n"
			   "      five: {address: 'FD00:0::1', port: 443}\n"
			   "      nobody: {address: 10.0.1.9, port: 80}\n";

static const struct server *
server(const struct snapshot *s, const char *path)
{
	const struct server *r = snapshot_find_path(s, KIND_server, path);

	assert_non_null(r);
	return r;
}

static void
test_counterparts(void **state)
{
	static const char *const rows[][2] = { { "follow/one", "lead/a" },
		{ "follow/two", "lead/b2" }, { "follow/three", "lead/b" },
		{ "follow/four", "lead/name" }, { "follow/five", "lead/six" },
		{ "follow/nobody", NULL } };
	struct snapshot *s = snapshot_of(yaml);
	const struct service *lead = snapshot_find_path(s, KIND_service, "lead"),
			     *follow = snapshot_find_path(s, KIND_service, "follow");
	struct counterpart c;

	(void)state;
	counterpart_init(&c, s, lead);
	assert_ptr_equal(c.table, lead);
	assert_int_equal(counterpart_of(&c, server(s, "lead/b")), server(s, "lead/b")->id);
	assert_true(counterpart_token(&c, lead, server(s, "lead/b"), 7) == 0);
	counterpart_fini(&c);

	counterpart_init(&c, s, follow);
	assert_ptr_equal(c.table, lead);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct server *r = server(s, rows[i][0]);
		uint32_t who = counterpart_of(&c, r),
			 want = rows[i][1] == NULL ? STICKY_NOBODY : server(s, rows[i][1])->id;

		if (who != want)
			fail_msg("%s is %u, not %s", rows[i][0], who, rows[i][1]);
		assert_true(counterpart_token(&c, follow, r, who) ==
			    (who == STICKY_NOBODY ? 0 : cookie_token(lead->id, who)));
	}
	counterpart_fini(&c);
	snapshot_unref(s);
}

/* Routes are by the server's own row, shared or not. */
static void
test_routes(void **state)
{
	const struct service row = { .id = 1, .persistence = persistence_route };
	const struct server named = { .id = 2, .name = "tomcat1", .route = "" },
			    routed = { .id = 3, .name = "x", .route = "tomcat1" };
	struct counterpart c = { .table = &row };

	(void)state;
	assert_true(counterpart_token(&c, &row, &named, 2) == sticky_route("tomcat1", 7));
	assert_true(counterpart_token(&c, &row, &routed, 3) == sticky_route("tomcat1", 7));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counterparts),
		cmocka_unit_test(test_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
