/* mirror_choose.h - which requests are copied. Pure. */
#ifndef LBD_PROXY_MIRROR_CHOOSE_H
#define LBD_PROXY_MIRROR_CHOOSE_H

#include "h1_parse.h"

#define MIRROR_ALL 10000 /* a share is in hundredths of a percent */

/* mirror_chosen - by chance; random: any of 2^32 values, each as likely. */
bool mirror_chosen(unsigned share, uint32_t random);
/* mirror_fits - whether a request that was chosen can be copied: it has an end, and no more of a body than body_max bytes,
 * as far as its head tells. */
bool mirror_fits(const struct h1_head *head, uint64_t body_max);

#endif
