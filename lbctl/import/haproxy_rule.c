/* acl, rules on content, and the choice of a backend: kept until the whole file is known. */
#include "import/haproxy.h"

#include <string.h>

#define NOT_YET "content rules are not imported"

void
hap_acl(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)p;
	import_say(h->im, l->at, NOT_TAKEN, l->what, NOT_YET);
}

void
hap_rule(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)p;
	import_say(h->im, l->at, NOT_TAKEN, l->what, NOT_YET);
}

void
hap_use_backend(struct hap *h, struct hap_proxy *p, const struct hap_line *l)
{
	(void)p;
	import_say(h->im, l->at, NOT_TAKEN, l->what, NOT_YET);
}

void
hap_rules_finish(struct hap *h, struct hap_proxy *front, struct hap_proxy *back,
    struct import_service *s, bool first)
{
	(void)h, (void)front, (void)back, (void)s, (void)first;
}
