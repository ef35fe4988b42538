/* doctor.c - one run: the servers of a service, of all that ask something of the network, or a single one, examined DOCTOR_FLIGHT at a time.
 *
 * Findings of a server are rows as soon as it is done; they wait here until the asker takes them. Who answers for the
 * virtual address without being one of its servers is a finding of the service as a whole, once all its servers are done.
 * Who asked and went away ends the run. What is sent is exam.c, what it means judge.c. */
#include "doctor/doctor.h"

#include "doctor/exam.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define RUN_MAGIC 0xd0c70123

struct row {
	uint32_t service, server;
	uint16_t what;
	uint8_t status;
	char text[JUDGE_TEXT];
};
struct run {
	unsigned magic;
	struct bus *bus;
	struct snapshot *s;
	struct ward ward;
	struct patient *patients;
	uint32_t patients_n;
	struct loop_timer timer;
	uint32_t first; /* exams before it are done */
	struct row *rows;
	uint32_t rows_n, rows_sent;
	const struct exam *telling; /* whose findings come now */
	char blind[200];	    /* why nothing can be probed; "" */
};

static unsigned running;

static void
add_row(struct run *r, uint32_t service, uint32_t server, enum finding what, enum found status,
    const char *text)
{
	struct row *row;

	if ((r->rows_n & (r->rows_n - 1)) == 0) /* doubled whenever it is a power of two */
		r->rows = mem_grow(r->rows, (r->rows_n ? 2 * r->rows_n : 1) * sizeof(*r->rows));
	row = &r->rows[r->rows_n++];
	*row = (struct row){ service, server, (uint16_t)what, (uint8_t)status, "" };
	(void)snprintf(row->text, sizeof(row->text), "%s", text);
}

static void
on_finding(void *arg, enum finding what, enum found status, const char *text)
{
	struct run *r = arg;

	add_row(r, r->telling->patient->svc->id, r->telling->srv->id, what, status, text);
}

static bool
is_server(const struct run *r, const struct patient *p, const uint8_t mac[MAC_LEN])
{
	for (uint32_t i = 0; i < r->ward.n; i++)
		if (r->ward.exams[i].patient == p && r->ward.exams[i].seen.has_mac &&
		    memcmp(r->ward.exams[i].seen.mac, mac, MAC_LEN) == 0)
			return true;
	return false;
}

/* Others than this node and the servers. When the address is not here, one is to be expected: who holds it. */
static void
judge_strangers(struct run *r, const struct patient *p)
{
	bool here = iface_list_find(&r->ward.ifaces, &p->svc->address, true) != NULL;
	enum finding what = p->svc->address.family == 4 ? FINDING_arp_answers : FINDING_dad;
	char text[JUDGE_TEXT], vip[ADDR_TEXT], mac[18];
	unsigned strangers = 0;

	if (!p->net || r->blind[0] != '\0')
		return;
	addr_format(&p->svc->address, ADDR_HOST, vip);
	for (unsigned i = 0; i < p->claims; i++) {
		if (is_server(r, p, p->claim[i].mac))
			continue;
		strangers++;
		judge_mac(p->claim[i].mac, mac);
		(void)snprintf(
		    text, sizeof(text), "%s answers for %s and is none of its servers", mac, vip);
		add_row(r, p->svc->id, 0, what, here || strangers > 1 ? FOUND_WRONG : FOUND_RIGHT,
		    text);
	}
	if (here && strangers == 0) {
		(void)snprintf(text, sizeof(text), "no stranger answers for %s", vip);
		add_row(r, p->svc->id, 0, what, FOUND_RIGHT, text);
	}
}

static void
conclude(struct run *r, struct exam *e)
{
	r->telling = e;
	judge(&e->seen, on_finding, r);
	if (--e->patient->left == 0)
		judge_strangers(r, e->patient);
}

/* Ends the run when all are done. */
static void
go_on(struct run *r)
{
	mono_t now = mono_now();
	uint32_t flying = 0, i;

	for (i = r->first; i < r->ward.n && flying < DOCTOR_FLIGHT; i++) {
		struct exam *e = &r->ward.exams[i];

		if (e->phase == EXAM_DONE)
			continue;
		flying++;
		if (!e->seen.blind)
			patient_step(&r->ward, e->patient, now);
		exam_step(&r->ward, e, now);
		if (e->phase == EXAM_DONE)
			conclude(r, e);
	}
	while (r->first < r->ward.n && r->ward.exams[r->first].phase == EXAM_DONE)
		r->first++;
	if (r->first < r->ward.n)
		loop_timer_set(&r->timer, EXAM_TICK);
	bus_pump_again(r->bus);
}

static void
on_tick(void *arg)
{
	struct run *r = arg;

	must_obj(r, RUN_MAGIC);
	go_on(r);
}

static void
on_packet(void *arg, const struct packet_in *p, const struct hop *from)
{
	struct run *r = arg;

	must_obj(r, RUN_MAGIC);
	if (exam_hear(&r->ward, p, from) && r->first < r->ward.n)
		loop_timer_set(&r->timer, 0);
}

static bool
pump(void *state, const struct bus_request *rq)
{
	struct run *r = state;

	must_obj(r, RUN_MAGIC);
	while (r->rows_sent < r->rows_n) {
		const struct row *row = &r->rows[r->rows_sent++];
		struct msg_finding m = {
			.service = row->service,
			.server = row->server,
			.what = row->what,
			.status = row->status,
			.text = SPAN(row->text),
		};

		if (!bus_reply(rq, MSG_FINDING, &m))
			break;
	}
	return r->rows_sent == r->rows_n && r->first == r->ward.n;
}

static void
run_free(void *state)
{
	struct run *r = state;

	must_obj(r, RUN_MAGIC);
	r->magic = 0;
	running--;
	loop_timer_fini(&r->timer);
	wire_close(r->ward.wire);
	iface_list_fini(&r->ward.ifaces);
	snapshot_unref(r->s);
	free(r->ward.exams);
	free(r->patients);
	free(r->rows);
	free(r);
}

/* How many servers there are to examine; code below 0: nothing can be. */
static int
count(struct snapshot *s, const struct msg_diagnose *m, struct err *err)
{
	const struct server *srv = m->server ? snapshot_find(s, KIND_server, m->server) : NULL;
	uint32_t id = srv ? srv->vip : m->service, n = 0, kids;
	const struct service *svc = id ? snapshot_find(s, KIND_service, id) : NULL;

	if ((m->server && !srv) || (id && !svc))
		return err_set(err, ERR_UNKNOWN, "row %u: does not exist, or not yet here",
		    m->server && !srv ? m->server : id);
	if (svc && !service_asks_network(svc))
		return err_set(err, ERR_INVALID,
		    "vip %s: mode %s is layer 7, whose servers need nothing of the kind; allowed are "
		    "services of layer 4, and those with transparent=yes",
		    svc->name, word_text(&mode_list, svc->mode));
	if (srv)
		return 1;
	for (uint32_t i = 0; i < snapshot_count(s, KIND_service); i++) {
		const struct service *one = snapshot_at(s, KIND_service, i);

		if (!service_asks_network(one) || (svc && one != svc))
			continue;
		(void)snapshot_children(s, KIND_server, one->id, &kids);
		n += kids;
	}
	if (n > DOCTOR_SERVERS)
		return err_set(err, ERR_INVALID,
		    "%u servers are too many for one run; allowed are %d: name a service", n,
		    DOCTOR_SERVERS);
	return (int)n;
}

static void
add_exams(struct run *r, const struct service *svc, uint32_t only)
{
	const void *const *rows;
	struct patient *p;
	uint32_t kids;

	rows = snapshot_children(r->s, KIND_server, svc->id, &kids);
	if (kids == 0)
		return;
	p = &r->patients[r->patients_n++];
	patient_init(&r->ward, p, svc);
	for (uint32_t i = 0; i < kids; i++) {
		struct exam *e = &r->ward.exams[r->ward.n];

		if (only && ((const struct server *)rows[i])->id != only)
			continue;
		*e = (struct exam){ .srv = rows[i], .patient = p };
		r->ward.n++;
		p->left++;
		exam_init(&r->ward, e);
		if (r->blind[0] != '\0')
			e->seen.blind = r->blind;
	}
}

static void
fill(struct run *r, const struct msg_diagnose *m)
{
	const struct server *srv = m->server ? snapshot_find(r->s, KIND_server, m->server) : NULL;
	uint32_t id = srv ? srv->vip : m->service;

	for (uint32_t i = 0; i < snapshot_count(r->s, KIND_service); i++) {
		const struct service *svc = snapshot_at(r->s, KIND_service, i);

		if (service_asks_network(svc) && (id == 0 || svc->id == id))
			add_exams(r, svc, m->server);
	}
}

void
doctor_start(struct loop *l, struct bus *b, struct snapshot *s, const struct bus_request *rq,
    const struct msg_diagnose *m)
{
	struct err err = { 0 };
	int n = count(s, m, &err);
	struct run *r;

	if (n >= 0 && running >= DOCTOR_RUNS)
		n = err_set(&err, -EBUSY, "%d examinations go on already", DOCTOR_RUNS);
	if (n < 0) {
		bus_result(rq, n, err.text);
		return;
	}
	r = mem_alloc(sizeof(*r));
	*r = (struct run){ .magic = RUN_MAGIC, .bus = b, .s = snapshot_ref(s) };
	running++;
	loop_timer_init(&r->timer, l, on_tick, r);
	r->ward.exams = mem_alloc(((size_t)n + 1) * sizeof(*r->ward.exams));
	r->patients = mem_alloc(((size_t)n + 1) * sizeof(*r->patients));
	if (getrandom(&r->ward.base, sizeof(r->ward.base), 0) == -1)
		r->ward.base = (uint32_t)mono_now();
	if (wire_open(l, on_packet, r, &r->ward.wire, &err) != 0 ||
	    netlink_addresses(&r->ward.ifaces, &err) != 0)
		(void)snprintf(r->blind, sizeof(r->blind), "%.190s", err.text);
	ward_foreign(&r->ward.ifaces, 4, &r->ward.foreign[0]);
	ward_foreign(&r->ward.ifaces, 6, &r->ward.foreign[1]);
	fill(r, m);
	go_on(r);
	bus_pump(rq, pump, run_free, r);
}
