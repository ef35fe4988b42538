/* share_rates.h - what content rules count, told to lbd-ha by the way of share.h: keys that have reached a limit, so that who is over
 * it stays so on the other node, and after a restart. Control thread. */
#ifndef LBD_PROXY_SHARE_RATES_H
#define LBD_PROXY_SHARE_RATES_H

#include "msg/stick_batch.h"

#include <stdbool.h>

struct control;
#define SHARE_RATES_MOST 1000 /* records a turn, of which there is one a second */
/* share_rates_drain - up to that many records, in out. */
unsigned share_rates_drain(struct control *k, struct stick_record *out);
/* share_rates_gone - that a key was forgotten, when others know of it. false: they do not. */
struct rates_item;
bool share_rates_gone(
    struct control *k, uint32_t service, const struct rates_item *item, struct stick_record *out);
/* share_rates_take - a record of kind STICK_RATE. false: no rule of this configuration, as it runs, counts it. */
bool share_rates_take(struct control *k, const struct stick_record *r);
/* share_rates_agree - what keys are made with, on both nodes. */
void share_rates_agree(struct control *k, uint64_t seed);

#endif
