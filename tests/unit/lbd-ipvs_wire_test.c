/* Messages of the family IPVS: what is sent reads back the same (the kernel uses one form both ways), and what is damaged
 * or cut off anywhere is refused, never read past its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "ipvs_text.h"
#include "kernel/kernel.h"
#include "kernel/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>

static const struct wire_head head = { .family = 0x21, .flags = NLM_F_ACK, .seq = 77 };

static const char *const services[] = {
	"TCP 10.0.0.1:80 wlc = 10.0.0.11:8080 100",
	"UDP [fd00::1]:53 rr ops = [fd00::2]:53 65535 nat up:7 low:3",
	"SCTP 10.0.0.1:0 mh fallback port persist:300/24 = 10.0.0.11:0 0 gue:6080",
	"TCP 10.0.0.1:81 rr persist:300/0 = 10.0.0.11:0 1 nat",
	"FWM 268435460 IPv4 sh persist:2592000/32 pe:sip = 10.0.0.11:0 1 gre",
	"FWM 4294967295 IPv6 sh persist:1/64 = 10.0.0.11:0 1 tun",
	"TCP [fd00::1]:443 abcdefghijklmno = [fd00::2]:443 1",
};

/* The kernel's nest of flags has its own bit, and so has ours when it comes back. */
static void
test_round(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		struct ipvs_table t = text_table(services[i]);
		struct ipvs_op make = { .kind = OP_NEW_SERVICE, .service = t.service }, add = {
			.kind = OP_NEW_DEST, .service = t.service, .dest = t.service->dest
		};
		struct ipvs_service s;
		struct ipvs_dest d;
		struct buf b = { 0 };
		struct wire_msg m;
		struct rd r;

		wire_put_op(&b, &head, &make);
		wire_put_op(&b, &head, &add);
		r = (struct rd){ .p = b.p, .left = b.len };
		assert_int_equal(wire_next(&r, &m), 1);
		assert_int_equal(m.kind, WIRE_DATA);
		assert_int_equal(m.seq, 77);
		assert_int_equal(m.cmd, IPVS_CMD_NEW_SERVICE);
		assert_int_equal(wire_get_service(&m, &s), 0);
		assert_int_equal(key_compare(&s.key, &t.service->key), 0);
		assert_int_equal(s.key.protocol, t.service->key.protocol);
		assert_true(service_same(&s, t.service));
		assert_int_equal(s.netmask, t.service->netmask);
		assert_int_equal(wire_next(&r, &m), 1);
		assert_int_equal(m.cmd, IPVS_CMD_NEW_DEST);
		assert_int_equal(wire_get_dest(&m, &d), 0);
		assert_int_equal(dest_compare(&d, t.service->dest), 0);
		assert_true(dest_same(&d, t.service->dest));
		assert_int_equal(wire_next(&r, &m), 0);
		buf_fini(&b);
		table_fini(&t);
	}
}

/* Every cut, and every byte changed: no crash, no reading outside (the sanitizer watches), and cuts are never taken for
 * whole messages. */
static void
test_damaged(void **state)
{
	struct ipvs_table t = text_table(services[2]);
	struct ipvs_op op[2] = { { .kind = OP_NEW_SERVICE, .service = t.service },
		{ .kind = OP_NEW_DEST, .service = t.service, .dest = t.service->dest } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct buf b = { 0 };
		struct ipvs_service s;
		struct ipvs_dest d;
		struct wire_msg m;

		wire_put_op(&b, &head, &op[i]);
		for (size_t n = 0; n < b.len; n++) {
			uint8_t *copy = malloc(n + 1);
			struct rd r = { .p = copy, .left = n };

			memcpy(copy, b.p, n);
			assert_int_equal(wire_next(&r, &m), n == 0 ? 0 : -EBADMSG);
			free(copy);
		}
		for (size_t n = 0; n < b.len * 4; n++) {
			uint8_t was = b.p[n / 4];
			struct rd r = { .p = b.p, .left = b.len };

			b.p[n / 4] ^= (uint8_t)(n % 4 == 3 ? 0xff : 1 << n % 4);
			while (wire_next(&r, &m) == 1) {
				(void)wire_get_service(&m, &s);
				(void)wire_get_dest(&m, &d);
			}
			b.p[n / 4] = was;
		}
		buf_fini(&b);
	}
	table_fini(&t);
}

static void
put(struct buf *b, uint16_t type, const void *value, size_t n)
{
	static const uint8_t zero[4];
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + n), .nla_type = type };

	buf_put(b, &a, sizeof(a));
	buf_put(b, value, n);
	buf_put(b, zero, NLA_ALIGN(n) - n);
}

/* A reply of the kernel: header, one nest around the attributes of inner. */
static void
reply(struct buf *out, uint8_t cmd, uint16_t nest, const struct buf *inner)
{
	struct nlmsghdr h = { .nlmsg_len =
				  (uint32_t)(NLMSG_HDRLEN + GENL_HDRLEN + NLA_HDRLEN + inner->len),
		.nlmsg_type = 0x21 };
	struct genlmsghdr g = { .cmd = cmd };

	buf_put(out, &h, sizeof(h));
	buf_put(out, &g, sizeof(g));
	put(out, nest, inner->p, inner->len);
}

static const struct {
	uint32_t raw;
	uint8_t family;
	uint32_t length;
} masks[] = {
	{ 0xffffffff, 4, 32 },
	{ 0xffffff00, 4, 24 },
	{ 0x80000000, 4, 1 },
	{ 0, 4, 0 },
	{ 0xff00ff00, 4, NETMASK_ODD },
	{ 0x00ffffff, 4, NETMASK_ODD },
};

/* Counters from the 64-bit nest wherever it stands, otherwise from the old one; masks of every kind; what is not
 * known is passed over. */
static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3 * ARRAY_LEN(masks); i++) {
		struct buf in = { 0 }, old = { 0 }, new = { 0 }, out = { 0 };
		uint16_t af = AF_INET;
		uint32_t mark = 9, mask = htonl(masks[i / 3].raw), conns = 5;
		uint64_t conns64 = UINT64_C(1) << 40, bytes = 12;
		struct ipvs_service s;
		struct wire_msg m;
		struct rd r;

		put(&old, IPVS_STATS_ATTR_CONNS, &conns, 4);
		put(&old, IPVS_STATS_ATTR_OUTBYTES, &bytes, 8);
		put(&new, IPVS_STATS_ATTR_CONNS, &conns64, 8);
		put(&in, IPVS_SVC_ATTR_AF, &af, 2);
		put(&in, 200, "a newer kernel", 14);
		if (i % 3 == 1)
			put(&in, IPVS_SVC_ATTR_STATS64, new.p, new.len);
		put(&in, IPVS_SVC_ATTR_STATS, old.p, old.len);
		if (i % 3 == 2)
			put(&in, IPVS_SVC_ATTR_STATS64, new.p, new.len);
		put(&in, IPVS_SVC_ATTR_FWMARK, &mark, 4);
		put(&in, IPVS_SVC_ATTR_NETMASK, &mask, 4);
		reply(&out, IPVS_CMD_NEW_SERVICE, IPVS_CMD_ATTR_SERVICE, &in);
		r = (struct rd){ .p = out.p, .left = out.len };
		assert_int_equal(wire_next(&r, &m), 1);
		assert_int_equal(wire_get_service(&m, &s), 0);
		assert_int_equal(s.key.mark, 9);
		assert_int_equal(s.netmask, masks[i / 3].length);
		assert_true(s.counts.conns == (i % 3 == 0 ? 5 : conns64));
		assert_int_equal(s.counts.bytes_out, i % 3 == 0 ? 12 : 0);
		buf_fini(&in);
		buf_fini(&old);
		buf_fini(&new);
		buf_fini(&out);
	}
}

static void
test_sync(void **state)
{
	struct ipvs_sync want = { .on = true,
		.interface = "eth0",
		.id = 7,
		.port = 8849,
		.maxlen = 1400,
		.ttl = 3 },
			 is;
	struct buf b = { 0 };
	struct wire_msg m;
	unsigned at;
	struct rd r;

	(void)state;
	assert_int_equal(addr_parse("ff02::81", ADDR_HOST, &want.group), 0);
	wire_put_sync(&b, &head, IPVS_SYNC_BACKUP, &want);
	r = (struct rd){ .p = b.p, .left = b.len };
	assert_int_equal(wire_next(&r, &m), 1);
	assert_int_equal(m.cmd, IPVS_CMD_NEW_DAEMON);
	assert_int_equal(wire_get_sync(&m, &at, &is), 0);
	assert_int_equal(at, IPVS_SYNC_BACKUP);
	assert_memory_equal(&is.group, &want.group, sizeof(is.group));
	assert_string_equal(is.interface, "eth0");
	assert_int_equal(is.id, 7);
	assert_int_equal(is.port, 8849);
	assert_int_equal(is.maxlen, 1400);
	assert_int_equal(is.ttl, 3);
	b.len = 0;
	want.on = false;
	wire_put_sync(&b, &head, IPVS_SYNC_MASTER, &want);
	r = (struct rd){ .p = b.p, .left = b.len };
	assert_int_equal(wire_next(&r, &m), 1);
	assert_int_equal(m.cmd, IPVS_CMD_DEL_DAEMON);
	buf_fini(&b);
}

static void
test_acknowledged(void **state)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = { .h = { .nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = 5 },
		.e = { .error = -ENOENT } };
	struct nlmsghdr done = { .nlmsg_len = sizeof(done), .nlmsg_type = NLMSG_DONE };
	struct rd r = { .p = (const uint8_t *)&m, .left = sizeof(m) };
	struct wire_msg out;

	(void)state;
	assert_int_equal(wire_next(&r, &out), 1);
	assert_int_equal(out.kind, WIRE_ERROR);
	assert_int_equal(out.code, -ENOENT);
	assert_int_equal(out.seq, 5);
	r = (struct rd){ .p = (const uint8_t *)&done, .left = sizeof(done) };
	assert_int_equal(wire_next(&r, &out), 1);
	assert_int_equal(out.kind, WIRE_DONE);
	assert_int_equal(out.code, 0);
}

static const struct {
	const char *table;
	uint8_t kind;
	int code;
	const char *words;
} whys[] = {
	{ "TCP 10.0.0.1:80 mh", OP_NEW_SERVICE, -ENOENT,
	    "the kernel has no scheduler mh: modprobe ip_vs_mh" },
	{ "UDP 10.0.0.1:80 rr persist:9/32 pe:sip", OP_SET_SERVICE, -ENOENT,
	    "modprobe ip_vs_rr ip_vs_pe_sip" },
	{ "TCP [fd00::1]:80 rr", OP_NEW_SERVICE, -EAFNOSUPPORT, "CONFIG_IP_VS_IPV6" },
	{ "TCP [fd00::1]:80 rr = 10.0.0.2:80 1 nat", OP_NEW_DEST, -EINVAL,
	    "an IPv6 service reaches an IPv4 server only through a tunnel (mode tun)" },
	{ "TCP [fd00::1]:80 rr = 10.0.0.2:80 1 tun", OP_NEW_DEST, -EINVAL,
	    "cannot be mixed while connections are synchronised" },
	{ "TCP 10.0.0.1:80 rr = 224.0.0.1:80 1 nat", OP_NEW_DEST, -EINVAL, "neither this node's" },
	{ "TCP 10.0.0.1:80 rr = 10.0.0.2:80 1 up:1 low:2", OP_NEW_DEST, -ERANGE, "lower limit" },
	{ "TCP 10.0.0.1:80 rr", OP_NEW_SERVICE, -EPERM, "CAP_NET_ADMIN" },
};

static void
test_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
		struct ipvs_table t = text_table(whys[i].table);
		struct ipvs_op op = { .kind = whys[i].kind,
			.service = t.service,
			.dest = whys[i].kind == OP_NEW_DEST ? t.service->dest : NULL,
			.code = whys[i].code };
		char text[256];

		kernel_why(&op, text, sizeof(text));
		if (strstr(text, whys[i].words) == NULL)
			fail_msg("%s: %s", whys[i].table, text);
		table_fini(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_acknowledged),
		cmocka_unit_test(test_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
