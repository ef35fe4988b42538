/* Packets from anybody: what is taken must survive being sent again, and be the same; what is refused has a reason. */
#include "base/must.h"
#include "msg/counters.h"
#include "msg/msg.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
blob(struct span s)
{
	struct service_counters v;
	struct server_counters w;
	struct buf b = { 0 };

	(void)counters_take(server_counters, server_counters_n, s.p, s.len, &w);
	if (counters_take(service_counters, service_counters_n, s.p, s.len, &v) == 0) {
		counters_put(service_counters, service_counters_n, &v, &b);
		must(counters_take(service_counters, service_counters_n, b.p, b.len, &v) == 0);
	}
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct msg_row *row, *again;
	union msg_any m, n;
	struct buf one = { 0 }, two = { 0 };
	struct err err;
	unsigned number;
	uint32_t seq, seq_again;
	char text[16];

	if (msg_decode(data, size, &row, &seq, &m, &err) != 0) {
		must(err.code == ERR_PROTO && err.text[0] != '\0');
		return 0;
	}
	must(
	    msg_peek(data, size, &number, &seq_again) && number == row->number && seq == seq_again);
	msg_encode(row->number, seq, &m, &one);
	must(msg_decode(one.p, one.len, &again, &seq_again, &n, &err) == 0);
	must(again == row && seq_again == seq);
	msg_encode(row->number, seq, &n, &two);
	must(one.len == two.len && memcmp(one.p, two.p, one.len) == 0);
	two.len = 0;
	msg_format(row, &m, &two);
	must(memchr(two.p, '\0', two.len) == NULL);
	if (row->number == MSG_RESULT)
		span_text(m.result.text, text, sizeof(text));
	if (row->number == MSG_SERVICE_COUNTS)
		blob(m.counts.values);
	buf_fini(&one);
	buf_fini(&two);
	return 0;
}
