/* exam.h - the examination of one server: what is sent to it and when, and what comes back. */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

#include "doctor/judge.h"
#include "doctor/wire.h"

#include "store/snapshot.h"
#include "sys/netlink.h"

#define EXAM_TICK DUR_MS(50) /* how often waiting examinations are looked at */
#define EXAM_GAP DUR_MS(400) /* a question without answer is asked again */
#define EXAM_TRIES 2
/* Routers answer about one error a second (Linux: icmp_ratelimit), so the way back is asked slowly, one server after
 * the other, and for all servers of a run not longer than BACK_MOST. */
#define BACK_GAP DUR_MS(1200)
#define BACK_TRIES 3
#define BACK_MOST DUR_S(40)
#define CLAIMS_MAX 16 /* neighbours that claim one virtual address */

enum question { Q_OWN, Q_VIRT, Q_DIRECT, Q_BACK, Q_OWN_UDP, Q_VIRT_UDP, QUESTIONS };

/* A virtual service in the examination: who answers for its address, and whether routers tell of errors. */
struct patient {
	const struct service *svc;
	const struct iface_addr *net; /* where its address is asked for; NULL: nowhere */
	bool asked;
	mono_t asked_at;
	unsigned times;
	struct {
		uint8_t mac[MAC_LEN];
		bool announces; /* it asked in the address's name, it was not asked */
	} claim[CLAIMS_MAX];
	unsigned claims;
	bool router_tells, router_silent;
	uint32_t left; /* servers that are not done */
};

enum exam_phase { EXAM_NEW, EXAM_NEIGHBOUR, EXAM_ASK, EXAM_BACK, EXAM_CLAIM, EXAM_DONE };
struct exam {
	const struct server *srv;
	struct patient *patient;
	struct seen seen;
	uint8_t phase;
	unsigned tries;
	mono_t asked_at;
	struct hop hop;	       /* where it is; PLACE_LINK */
	struct addr virt_from; /* source of what goes to the virtual address */
	struct wrap wrap;      /* tun */
	bool calibrating;      /* waits for a router's word on a packet of ours */
};

/* All that examinations of one run share. */
struct ward {
	struct wire *wire;
	struct iface_list ifaces;
	struct addr foreign
	    [2]; /* IPv4, IPv6: addresses that are in no network of this node; family 0: none */
	uint32_t base; /* of the sequence numbers: base + exam * QUESTIONS + question */
	struct exam *exams;
	uint32_t n;
	struct exam *back; /* the one that asks for its way back; NULL */
	dur_t back_spent;
};

/* exam_init - from the rows and the addresses of this node; sends nothing. */
void exam_init(struct ward *w, struct exam *e);
/* exam_step - go on: ask, ask again, give up. Call it each EXAM_TICK and after exam_hear, until the phase is DONE. */
void exam_step(struct ward *w, struct exam *e, mono_t now);
/* exam_hear - a packet came. Returns whether it was for one of these. */
bool exam_hear(struct ward *w, const struct packet_in *p, const struct hop *from);
/* patient_init, patient_step - who answers for the virtual address; hears through exam_hear. */
void patient_init(const struct ward *w, struct patient *p, const struct service *svc);
void patient_step(struct ward *w, struct patient *p, mono_t now);
bool patient_done(const struct patient *p, mono_t now);
/* ward_foreign - an address of the family that is in no network of this node. */
void ward_foreign(const struct iface_list *l, unsigned family, struct addr *out);

#endif
