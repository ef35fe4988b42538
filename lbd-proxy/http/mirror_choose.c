#include "mirror_choose.h"

bool
mirror_chosen(unsigned share, uint32_t random)
{
	return (uint64_t)random * MIRROR_ALL >> 32 < share;
}

bool
mirror_fits(const struct h1_head *head, uint64_t body_max)
{
	if (head->method == H1_M_CONNECT || head->upgrade)
		return false;
	return head->framing != H1_LENGTH || head->body_length <= body_max;
}
