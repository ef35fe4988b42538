/* Who gets copies of requests (field mirror). What is named has no address, and what has no address copies nothing: so there is no loop. */
#include "store/object_checks_priv.h"

#include <string.h>

/* What a pool does that a copy, which has no client and no version of HTTP but 1.1, cannot have; NULL: nothing. */
static const char *
unfit(const struct service *o)
{
	return o->transparent			 ? "transparent"
	       : o->proxy_to != proxy_to_off	 ? "proxy_to"
	       : o->server_http != server_http_1 ? "server_http"
						 : NULL;
}

int
check_mirror(struct look *l, const struct service *s)
{
	const struct service *o;

	if (s->mirror[0] == '\0')
		return 0;
	o = snapshot_find_path(l->s, KIND_service, s->mirror);
	if (o == NULL)
		return look_bad(l, KIND_service, s, "mirror",
		    "there is no vip \"%s\"; allowed is the name of a virtual service without address",
		    s->mirror);
	if (o == s)
		return look_bad(l, KIND_service, s, "mirror",
		    "\"%s\" is the virtual service itself; allowed is another, without address",
		    s->mirror);
	if (o->mode != mode_http)
		return look_bad(l, KIND_service, s, "mirror",
		    "vip \"%s\" is in mode %s; allowed is one in mode http, without address",
		    o->name, word_text(&mode_list, o->mode));
	if (o->address.family != 0)
		return look_bad(l, KIND_service, s, "mirror",
		    "vip \"%s\" has an address, and clients of its own; allowed is one without address",
		    o->name);
	if (unfit(o) != NULL)
		return look_bad(l, KIND_service, s, "mirror",
		    "vip \"%s\" has %s, and copies go without a client, by HTTP/1.1; allowed is one without it",
		    o->name, unfit(o));
	return 0;
}
