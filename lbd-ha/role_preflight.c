/* role_preflight.c - S167: switches of virtual machines, and ports with port security, let only one hardware address of a
 * port pass; a virtual MAC does not work there. It is tried before it is needed, with a made-up address (vrrp/vmac.h says
 * how, and what that cannot see). */
#include "role_preflight.h"

#include "sys/child.h"
#include "sys/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EACH DUR_S(60)
#define WAIT DUR_MS(500) /* for the answers */
#define LIMIT DUR_S(5)
#define CODE \
	40 /* plus the result: no code that a process ends with by accident, as 1, 2 and 127 are */

static bool
is_near(const struct iface_list *kernel, const char *ifname, const struct addr *a)
{
	for (unsigned i = 0; i < kernel->n; i++)
		if (strcmp(kernel->a[i].name, ifname) == 0 && kernel->a[i].addr.family == 4 &&
		    kernel->a[i].addr.len < 32 && addr_contains(&kernel->a[i].addr, a))
			return true;
	return false;
}

bool
preflight_target(const struct snapshot *s, const struct iface_list *kernel, const char *ifname,
    const struct addr *self, const struct addr *master, struct addr *out)
{
	for (uint32_t i = 0; i < snapshot_count(s, KIND_pingnode); i++) {
		const struct pingnode *k = snapshot_at(s, KIND_pingnode, i);

		if (!k->enabled || k->address.family != 4 || !is_near(kernel, ifname, &k->address))
			continue;
		*out = k->address;
		return true;
	}
	if (master->family != 4 || addr_same_host(master, self) ||
	    !is_near(kernel, ifname, master)) /* unicast, behind a router */
		return false;
	*out = *master;
	return true;
}

enum vmac_way
preflight_way(int code)
{
	return code == CODE + VMAC_PASSES    ? VMAC_PASSES
	       : code == CODE + VMAC_BLOCKED ? VMAC_BLOCKED
					     : VMAC_UNKNOWN;
}

static void
on_done(void *arg, const struct child_result *r)
{
	struct preflight *p = arg;
	enum vmac_way way = preflight_way(r->code);

	p->child = NULL;
	if (way == VMAC_BLOCKED && p->way != way)
		log_warn(
		    "interface %s: no second hardware address passes the switch: a virtual MAC "
		    "will not work here",
		    p->ifname);
	else if (way == VMAC_PASSES && p->way == VMAC_BLOCKED)
		log_info(
		    "interface %s: a second hardware address passes the switch now", p->ifname);
	if (way != VMAC_UNKNOWN)
		p->way = way;
}

bool
preflight_is_due(const struct preflight *p, mono_t now)
{
	return p->child == NULL && p->way != VMAC_PASSES && now >= p->next;
}

void
preflight_look(struct preflight *p, const struct addr *target, mono_t now)
{
	struct child_spec spec = { .argv = p->argv, .output_max = 64, .limit = LIMIT };
	struct err err;

	if (!preflight_is_due(p, now))
		return;
	p->next = now + EACH;
	memcpy(p->name, p->ifname, sizeof(p->name));
	addr_format(target, ADDR_HOST, p->target);
	p->argv[0] = "/proc/self/exe";
	p->argv[1] = "--probe-mac";
	p->argv[2] = p->name;
	p->argv[3] = p->target;
	spec.done = on_done;
	spec.arg = p;
	if (child_start(&p->child, p->loop, &spec, &err) != 0) {
		log_warn("interface %s: %s", p->ifname, err.text);
		p->child = NULL;
	}
}

void
preflight_fini(struct preflight *p)
{
	child_stop(p->child);
	*p = (struct preflight){ .loop = p->loop };
}

void
preflight_advice(const struct preflight *p, char out[PREFLIGHT_TEXT])
{
	out[0] = '\0';
	if (p->way == VMAC_BLOCKED)
		(void)snprintf(out, PREFLIGHT_TEXT,
		    "The switch at %s lets no second hardware address pass: allow it there (forged transmits, port "
		    "security), or set ipvlan=yes virtual_mac=no.",
		    p->ifname);
}

int
preflight_main(const char *ifname, const char *target)
{
	enum vmac_way way = VMAC_UNKNOWN;
	struct addr a;

	if (addr_parse(target, ADDR_HOST, &a) != 0 || a.family != 4 ||
	    vmac_probe(ifname, &a, WAIT, &way) != 0)
		return 70;
	return CODE + (int)way;
}
