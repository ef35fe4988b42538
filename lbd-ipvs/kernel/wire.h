/* wire.h - messages of the generic netlink family IPVS as bytes: linux/netlink.h, linux/genetlink.h, linux/ip_vs.h. Pure.
 * Numbers are in the machine's order but where said (ports, addresses, the IPv4 mask: network order). */
#ifndef IPVS_KERNEL_WIRE_H
#define IPVS_KERNEL_WIRE_H

#include "plan/diff.h"
#include "plan/table.h"

#include "base/buf.h"

/* What every request begins with. flags: NLM_F_ACK, NLM_F_DUMP. */
struct wire_head {
	uint16_t family, flags;
	uint32_t seq;
};
/* wire_put_* - one whole request at the end of b. */
void wire_put_op(struct buf *b, const struct wire_head *h, const struct ipvs_op *op);
/* cmd: IPVS_CMD_*; key NULL: none (GET_SERVICE of all, GET_INFO, GET_CONFIG, GET_DAEMON, ZERO of all). */
void wire_put_get(
    struct buf *b, const struct wire_head *h, uint8_t cmd, const struct ipvs_key *key);
void wire_put_timeouts(struct buf *b, const struct wire_head *h, const struct ipvs_timeouts *t);
/* wire_put_sync - start the daemon of a state, or stop it when s is not on. */
void wire_put_sync(
    struct buf *b, const struct wire_head *h, unsigned state, const struct ipvs_sync *s);

/* One message out of what was received. */
enum wire_kind { WIRE_DATA, WIRE_DONE, WIRE_ERROR };
struct wire_msg {
	enum wire_kind kind;
	uint8_t cmd; /* of DATA */
	int code;    /* of ERROR (0: acknowledged) and DONE: 0 or -errno */
	uint32_t seq;
	struct rd body; /* attributes of DATA */
};
/* wire_next - 1: out is filled; 0: nothing more; -EBADMSG: these bytes are no message. */
int wire_next(struct rd *r, struct wire_msg *out);
/* wire_get_* - the body of a message; -EBADMSG when what identifies the thing is missing or malformed. Attributes that
 * are not known are passed over. Services come without destinations. */
int wire_get_service(const struct wire_msg *m, struct ipvs_service *out);
int wire_get_dest(const struct wire_msg *m, struct ipvs_dest *out);
int wire_get_info(const struct wire_msg *m, uint32_t *version_out, uint32_t *size_out);
int wire_get_timeouts(const struct wire_msg *m, struct ipvs_timeouts *out);
int wire_get_sync(const struct wire_msg *m, unsigned *state_out, struct ipvs_sync *out);

#endif
