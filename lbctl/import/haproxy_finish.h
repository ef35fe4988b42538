/* haproxy_finish.h - what a service is made of; for haproxy_finish.c and haproxy_pool.c only. */
#ifndef LBCTL_IMPORT_HAPROXY_FINISH_H
#define LBCTL_IMPORT_HAPROXY_FINISH_H

#include "import/haproxy.h"

#define HAP_NAME_LEN 50

/* Of a frontend and a backend; first: what becomes of lines is said. */
void hap_put_fields(struct hap *h, struct import_service *s, const struct hap_proxy *front,
    const struct hap_proxy *back, bool first);
void hap_put_servers(struct hap *h, struct import_service *s, struct hap_proxy *back, bool first);
/* hap_put_keeper - services with the servers of one backend keep clients as one. */
void hap_put_keeper(struct hap *h, struct import_service *s, struct hap_proxy *back);

#endif
