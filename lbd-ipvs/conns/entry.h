/* entry.h - one line of /proc/net/ip_vs_conn or ip_vs_conn_sync as a value. Pure.
 *
 * Source: ip_vs_conn_seq_show and ip_vs_conn_sync_seq_show in net/netfilter/ipvs/ip_vs_conn.c. */
#ifndef IPVS_CONNS_ENTRY_H
#define IPVS_CONNS_ENTRY_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_STATE 24	  /* "SHUTDOWN_ACK_SENT", with NUL */
#define ENTRY_PE 16	  /* name of a persistence engine, with NUL (IP_VS_PENAME_MAXLEN) */
#define ENTRY_PE_DATA 256 /* what it keeps (IP_VS_PEDATA_MAXLEN), with NUL */
#define ENTRY_LINE 640	  /* no line of the kernel is longer */

struct entry {
	uint8_t protocol; /* IPPROTO_*; IPPROTO_IP: a template of a service by mark */
	bool template;	  /* keeps a client at its server; client is then a network's address */
	uint16_t client_port, virtual_port, real_port;
	uint32_t left_s; /* until the kernel forgets it */
	uint32_t mark;	 /* of a template with IPPROTO_IP: stands where the virtual address would */
	struct addr client, virtual, real;
	char state[ENTRY_STATE];
	char pe[ENTRY_PE];	     /* "" none */
	char pe_data[ENTRY_PE_DATA]; /* as the engine shows it: sip the Call-ID */
};

/* entry_parse - line without its end of line, of len bytes. false: no entry (a heading, or nothing that the kernel
 * writes); *out is then undefined. */
bool entry_parse(const char *line, size_t len, struct entry *out);
/* entry_protocol - "TCP", "UDP", "SCTP", "IP", "AH", "ESP"; anything else "?". */
const char *entry_protocol(unsigned protocol);
/* entry_end - "10.0.0.1:80", "[fd00::1]:80". */
#define ENTRY_END (ADDR_TEXT + 8)
void entry_end(const struct addr *a, uint16_t port, char out[ENTRY_END]);

#endif
