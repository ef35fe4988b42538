/* table.h - the kernel's IPVS table as values: virtual services and their destinations. What should be, what is, and
 * the difference between them are all said in these words. Pure.
 *
 * Services are in order of service_compare, destinations of a service in order of dest_compare, so two tables are
 * compared by walking them side by side. Source of the fields and their ranges: linux/ip_vs.h. */
#ifndef IPVS_PLAN_TABLE_H
#define IPVS_PLAN_TABLE_H

#include "base/addr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define IPVS_NAME 16 /* of a scheduler or persistence engine, with NUL */
#define NETMASK_ODD 255

/* What the kernel knows a service by: protocol, address and port, or family and firewall mark. */
struct ipvs_key {
	uint8_t family;	  /* 4 or 6 */
	uint8_t protocol; /* IPPROTO_TCP, UDP or SCTP; 0 with a mark */
	uint16_t port;	  /* 0: every port (only with persistence) */
	uint32_t mark;	  /* 0: by address */
	struct addr addr; /* host; family 0 with a mark */
};

struct ipvs_counts {
	uint64_t conns, packets_in, packets_out, bytes_in, bytes_out;
};

/* IP_VS_CONN_F_MASQ, LOCALNODE, TUNNEL, DROUTE of linux/ip_vs.h */
enum ipvs_forward { IPVS_MASQ, IPVS_LOCAL, IPVS_TUN, IPVS_DR };

struct ipvs_dest {
	struct addr addr; /* host; may be of another family than the service (tunnels) */
	uint16_t port;
	uint8_t forward; /* enum ipvs_forward */
	uint8_t tunnel;	 /* IP_VS_CONN_F_TUNNEL_TYPE_*; 0 unless IPVS_TUN */
	uint16_t tunnel_port;
	uint16_t tunnel_flags; /* IP_VS_TUNNEL_ENCAP_FLAG_* */
	uint32_t weight, upper, lower;
	/* What lbd knows of it, not the kernel: */
	uint32_t server; /* row id; 0: the fallback, or not lbd's */
	/* Observed; 0 in what should be: */
	uint32_t active, inactive, persistent;
	struct ipvs_counts counts;
};

struct ipvs_service {
	struct ipvs_key key;
	char scheduler[IPVS_NAME], pe[IPVS_NAME]; /* pe "": none */
	uint32_t flags;	    /* IP_VS_SVC_F_PERSISTENT, ONEPACKET, SCHED1..3; HASHED is masked out */
	uint32_t timeout_s; /* of persistence */
	uint32_t netmask;   /* of persistence: prefix length; 32 or 128 when it does not matter;
			     * NETMASK_ODD: no prefix (somebody's tool set it) */
	uint32_t service;   /* row id; 0: not lbd's */
	uint32_t n;
	struct ipvs_dest *dest;
	struct ipvs_counts counts;
};

struct ipvs_table {
	uint32_t n;
	struct ipvs_service *service; /* { 0 } is empty */
};

/* The two others that the kernel keeps beside its table. */
struct ipvs_timeouts {
	uint32_t tcp_s, fin_s, udp_s; /* 0: leave as it is */
};
enum { IPVS_SYNC_MASTER = 1, IPVS_SYNC_BACKUP = 2 };
struct ipvs_sync {
	bool on;
	char interface[16];
	uint8_t id;
	struct addr group; /* family 0: the kernel's */
	uint16_t port, maxlen;
	uint8_t ttl;
};

int key_compare(const struct ipvs_key *a, const struct ipvs_key *b);
int service_compare(const void *a, const void *b); /* by key */
int dest_compare(
    const void *a, const void *b); /* by address and port, as the kernel tells them apart */
/* Equal in everything that is set (not in counters and row ids). */
bool service_same(
    const struct ipvs_service *a, const struct ipvs_service *b); /* destinations aside */
bool dest_same(const struct ipvs_dest *a, const struct ipvs_dest *b);
struct ipvs_service *table_find(const struct ipvs_table *t, const struct ipvs_key *k); /* NULL */
struct ipvs_dest *service_find(
    const struct ipvs_service *s, const struct addr *a, uint16_t port); /* NULL */
/* table_add - a copy of one service with its destinations, kept in order; one of the same key is replaced. */
void table_add(struct ipvs_table *t, const struct ipvs_service *s);
void service_copy(struct ipvs_service *out, const struct ipvs_service *s); /* with destinations */
void table_remove(struct ipvs_table *t, const struct ipvs_key *k);
void table_sort(struct ipvs_table *t); /* after filling service[] and dest[] in any order */
void table_fini(struct ipvs_table *t);
/* key_format - "TCP 10.0.0.1:80", "UDP [fd00::1]:53", "FWM 268435460 IPv4". dest_format - "10.0.0.11:80". */
#define KEY_TEXT 80
void key_format(const struct ipvs_key *k, char out[KEY_TEXT]);
void dest_format(const struct ipvs_dest *d, char out[KEY_TEXT]);
/* "sh (fallback, port)"; "Route", "Masq", "Tunnel gue:6080", "Local" */
void scheduler_format(const struct ipvs_service *s, char out[KEY_TEXT]);
void forward_format(const struct ipvs_dest *d, char out[KEY_TEXT]);

#endif
