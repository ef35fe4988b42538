/* What was seen of a server, and what it means: rows of { seen, findings }. */
#include "doctor/judge.h"

#include "base/must.h"
#include "schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define OPEN                                      \
	{                                         \
		.asked = true, .what = HEARD_OPEN \
	}
#define CLOSED                                      \
	{                                           \
		.asked = true, .what = HEARD_CLOSED \
	}
#define SILENT                                       \
	{                                            \
		.asked = true, .what = HEARD_NOTHING \
	}
#define STRAIGHT                                                    \
	{                                                           \
		.asked = true, .what = HEARD_OPEN, .straight = true \
	}
#define REFUSED(t, c)                                                               \
	{                                                                           \
		.asked = true, .what = HEARD_ERROR, .type = t, .code = c, .from = { \
			4,                                                          \
			32,                                                         \
			{ 10, 0, 0, 11 }                                            \
		}                                                                   \
	}
#define DR .forward = forward_dr, .place = PLACE_LINK, .has_mac = true
#define NAT .forward = forward_nat, .place = PLACE_LINK, .has_mac = true
#define TUN .forward = forward_tun, .place = PLACE_ROUTED, .overhead = 20, .mtu = 1500

/* Each finding as "name=status"; in the order in which they are told. */
static const struct {
	struct seen seen;
	const char *want, *why;
} rows[] = {
	{ { .blind = "no right" }, "not_probed=3", "nothing could be sent" },
	{ { .forward = forward_dr, .place = PLACE_LINK }, "unreachable=2",
	    "a server that is gone has one finding" },
	{ { .forward = forward_dr, .place = PLACE_ROUTED }, "off_subnet=2",
	    "direct routing needs the same network" },
	{ { .forward = forward_dr, .place = PLACE_HERE }, "unreachable=0", "the node itself" },
	{ { DR, .own = OPEN, .virt = OPEN, .claim_asked = true, .back = OPEN,
	      .outside = OUTSIDE_OWN },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 arp_answers=0 return_path=0",
	    "all is well" },
	{ { DR, .own = OPEN, .virt = SILENT }, "unreachable=0 rip_silent=0 no_vip=2",
	    "own address answers, virtual one does not" },
	{ { DR, .own = SILENT, .virt = SILENT }, "unreachable=0 rip_silent=2 no_vip=3",
	    "silence everywhere proves nothing about the VIP" },
	{ { DR, .own = OPEN, .virt = CLOSED }, "unreachable=0 rip_silent=0 no_vip=0 vip_silent=2",
	    "the application is bound to its own address" },
	{ { DR, .own = CLOSED, .virt = CLOSED }, "unreachable=0 rip_silent=2 no_vip=0",
	    "no application at all is one finding" },
	{ { DR, .own = CLOSED, .virt = OPEN }, "unreachable=0 rip_silent=2 no_vip=0 vip_silent=0",
	    "bound to the virtual address only" },
	{ { DR, .own = SILENT, .virt = OPEN }, "unreachable=0 rip_silent=1 no_vip=0 vip_silent=0",
	    "a filter before the own address" },
	{ { DR, .own = OPEN, .virt = OPEN, .claim_asked = true, .claims = true },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 arp_answers=2", "it answers ARP" },
	{ { DR, .own = OPEN, .virt = OPEN, .claim_asked = true, .announces = true },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 arp_answers=2",
	    "it asks in the name of the address" },
	{ { DR, .own = OPEN, .virt = OPEN, .back = SILENT, .outside = OUTSIDE_OWN },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 return_path=2",
	    "an address of ours elsewhere gets no answer" },
	{ { DR, .own = OPEN, .virt = OPEN, .back = STRAIGHT, .outside = OUTSIDE_OWN },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 gateway_dr=2",
	    "this node is its gateway" },
	{ { DR, .own = OPEN, .virt = OPEN, .back = OPEN, .outside = OUTSIDE_FOREIGN },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 gateway_dr=2",
	    "an answer to nobody came here" },
	{ { DR, .own = OPEN, .virt = OPEN, .back = REFUSED(3, 0), .outside = OUTSIDE_FOREIGN },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 return_path=0",
	    "a router says that it had the answer" },
	{ { DR, .own = OPEN, .virt = OPEN, .back = SILENT, .outside = OUTSIDE_FOREIGN },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 return_path=3",
	    "routers that never tell prove nothing" },
	{ { DR, .own = OPEN, .virt = OPEN, .back = SILENT, .outside = OUTSIDE_FOREIGN,
	      .router_tells = true },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 return_path=2",
	    "routers tell, but not about this server" },
	{ { DR, .own = OPEN, .virt = OPEN, .back = SILENT, .outside = OUTSIDE_FOREIGN,
	      .router_tells = true, .contested = true },
	    "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 return_path=3",
	    "what routers tell goes to another" },
	{ { NAT, .own = OPEN, .back = STRAIGHT, .outside = OUTSIDE_FOREIGN },
	    "unreachable=0 rip_silent=0 gateway=0", "the gateway is this node" },
	{ { NAT, .own = OPEN, .back = SILENT, .outside = OUTSIDE_FOREIGN },
	    "unreachable=0 rip_silent=0 gateway=2", "inside is answered, outside is not" },
	{ { NAT, .own = SILENT, .back = SILENT, .outside = OUTSIDE_FOREIGN },
	    "unreachable=0 rip_silent=2", "no gateway is judged by a silent server" },
	{ { NAT, .snat = true, .own = OPEN }, "unreachable=0 rip_silent=0",
	    "snat needs no gateway" },
	{ { NAT, .own = OPEN, .claim_asked = true, .claims = true, .back = OPEN,
	      .outside = OUTSIDE_FOREIGN },
	    "unreachable=0 rip_silent=0 gateway=0",
	    "ARP for the virtual address is no matter of NAT" },
	{ { TUN, .own = OPEN, .virt = { true, HEARD_OPEN, false, { 0 }, 0, 0, 1440 } },
	    "unreachable=0 rip_silent=0 no_tunnel=0 no_vip=0 vip_silent=0 mtu=0",
	    "full segments fit" },
	{ { TUN, .own = OPEN, .virt = { true, HEARD_OPEN, false, { 0 }, 0, 0, 1460 } },
	    "unreachable=0 rip_silent=0 no_tunnel=0 no_vip=0 vip_silent=0 mtu=1",
	    "20 bytes too many" },
	{ { TUN, .own = OPEN, .virt = REFUSED(3, 2), .rip = { 4, 32, { 10, 0, 0, 11 } } },
	    "unreachable=0 rip_silent=0 no_tunnel=2", "protocol unreachable, by the server" },
	{ { TUN, .own = OPEN, .virt = REFUSED(3, 2), .rip = { 4, 32, { 10, 0, 0, 12 } } },
	    "unreachable=0 rip_silent=0 no_vip=2", "by another it says nothing of the tunnel" },
	{ { TUN, .own = OPEN, .virt = SILENT, .direct = OPEN },
	    "unreachable=0 rip_silent=0 no_tunnel=2", "the address is there, the tunnel is not" },
	{ { TUN, .own = OPEN, .virt = SILENT }, "unreachable=0 rip_silent=0 no_vip=2",
	    "one of both is missing" },
	{ { TUN, .own = REFUSED(3, 1) }, "unreachable=2", "a router says that it is not there" },
	{ { DR, .protocol = protocol_udp, .own = CLOSED, .own_udp = CLOSED, .virt = CLOSED,
	      .virt_udp = CLOSED },
	    "unreachable=0 rip_silent=2 no_vip=0 vip_silent=2", "nothing listens by UDP" },
	{ { DR, .protocol = protocol_udp, .own = CLOSED, .own_udp = SILENT, .virt = CLOSED,
	      .virt_udp = SILENT },
	    "unreachable=0 rip_silent=3 no_vip=0 vip_silent=3", "UDP may be silent" },
	{ { DR, .protocol = protocol_udp, .own = CLOSED, .own_udp = SILENT, .virt = SILENT,
	      .virt_udp = SILENT },
	    "unreachable=0 rip_silent=3 no_vip=2",
	    "a reset from one address and none from the other" },
};

struct told {
	char text[400];
};

static void
tell(void *arg, enum finding what, enum found status, const char *text)
{
	struct told *t = arg;
	size_t n = strlen(t->text);

	assert_true(text[0] != '\0' && strlen(text) < JUDGE_TEXT - 1);
	(void)snprintf(
	    t->text + n, sizeof(t->text) - n, "%s%s=%u", n ? " " : "", finding_name[what], status);
}

static void
test_judge_rows(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = rows[i].seen;
		struct told t = { "" };

		s.vip = (struct addr){ 4, 32, { 10, 0, 0, 100 } };
		if (s.rip.family == 0)
			s.rip = (struct addr){ 4, 32, { 10, 0, 0, 11 } };
		judge(&s, tell, &t);
		if (strcmp(t.text, rows[i].want) != 0)
			fail_msg("row %u (%s): %s, not %s", i, rows[i].why, t.text, rows[i].want);
	}
}

/* IPv6 calls the same thing by its own name. */
static void
test_judge_solicitations(void **state)
{
	struct seen s = { DR, .own = OPEN, .virt = OPEN, .claim_asked = true, .claims = true };
	struct told t = { "" };

	(void)state;
	s.vip = s.rip = (struct addr){ 6, 128, { 0xfd } };
	judge(&s, tell, &t);
	assert_string_equal(t.text, "unreachable=0 rip_silent=0 no_vip=0 vip_silent=0 dad=2");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge_rows),
		cmocka_unit_test(test_judge_solicitations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
