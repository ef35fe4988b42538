/* What comes back of a POST, and what else may come: each with its reason, none without an end. The other side is a socket of the same
 * loop that says a text and closes, or does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lbd-proxy/tls/fetch.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *l;
static struct resolver *r;
static struct loop_fd listener, peer;
static unsigned port;
static const char *say;
static size_t say_len;
static bool stay;
static char got[400];
static struct {
	bool called;
	char why[100];
	uint8_t body[FETCH_MOST];
	size_t len;
} end;

static void
on_peer(void *arg, unsigned ready)
{
	ssize_t n = recv(peer.fd, got, sizeof(got) - 1, 0);

	(void)arg;
	(void)ready;
	if (n <= 0)
		return;
	got[n] = '\0';
	assert_int_equal(send(peer.fd, say, say_len, MSG_NOSIGNAL), say_len);
	loop_fd_want(&peer, 0);
	if (!stay)
		(void)shutdown(peer.fd, SHUT_RDWR);
}

static void
on_accept(void *arg, unsigned ready)
{
	int fd = accept(listener.fd, NULL, NULL);

	(void)arg;
	(void)ready;
	loop_fd_init(&peer, l, fd, on_peer, NULL);
	loop_fd_want(&peer, LOOP_READ);
}

static int
set_up(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	if (bind(fd, (struct sockaddr *)&sa, len) != 0 || listen(fd, 5) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		return -1;
	port = ntohs(sa.sin_port);
	l = loop_new();
	r = resolver_new(l);
	loop_fd_init(&listener, l, fd, on_accept, NULL);
	loop_fd_want(&listener, LOOP_READ);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_fd_fini(&listener);
	(void)close(listener.fd);
	resolver_free(r);
	loop_free(l);
	return 0;
}

static void
stop(void *arg)
{
	(void)arg;
	loop_stop(l);
}

static void
on_end(void *arg, const char *why, const uint8_t *p, size_t len)
{
	assert_ptr_equal(arg, &end);
	assert_false(end.called);
	end.called = true;
	(void)snprintf(end.why, sizeof(end.why), "%s", why != NULL ? why : "");
	if (len > 0)
		memcpy(end.body, p, len);
	end.len = len;
	loop_defer(l, stop, NULL);
}

/* One fetch against an answer. */
static void
fetch(const char *answer, size_t len)
{
	const char *why;
	char url[80];

	say = answer;
	say_len = len;
	memset(&end, 0, sizeof(end));
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/a/b", port);
	assert_non_null(fetch_post(l, r, url, "text/x", "body", 4, on_end, &end, &why));
	assert_int_equal(loop_run(l), 0);
	assert_true(end.called);
	loop_fd_fini(&peer);
	(void)close(peer.fd);
	assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\nbody");
	assert_non_null(strstr(got, "POST /a/b HTTP/1.0\r\nHost: 127.0.0.1:"));
	assert_non_null(strstr(got, "\r\nContent-Type: text/x\r\nContent-Length: 4\r\n"));
}

static void
test_answers(void **state)
{
	static const struct {
		const char *text, *why, *body;
	} row[] = {
		{ "HTTP/1.0 200 OK\r\n\r\nabc", "", "abc" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "", "abc" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "", "abc" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", "cut short", NULL },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		    "cut short", NULL },
		{ "HTTP/1.1 404 No\r\n\r\n", "status 404", NULL },
		{ "HTTP/1.1 200 OK\r\n", "does not speak HTTP", NULL },
		{ "220 mail ready\r\n", "does not speak HTTP", NULL },
		{ "", "does not speak HTTP", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		fetch(row[i].text, strlen(row[i].text));
		if (strstr(end.why, row[i].why) == NULL ||
		    (row[i].why[0] == '\0' && end.why[0] != '\0'))
			fail_msg("row %zu: %s", i, end.why);
		if (row[i].body == NULL)
			continue;
		assert_int_equal(end.len, strlen(row[i].body));
		assert_memory_equal(end.body, row[i].body, end.len);
	}
}

static void
test_too_long(void **state)
{
	size_t n = 2 * FETCH_MOST;
	char *text = malloc(n);

	(void)state;
	memset(text, 'x', n);
	memcpy(text, "HTTP/1.0 200 OK\r\n\r\n", 19);
	fetch(text, n);
	assert_non_null(strstr(end.why, "too long"));
	free(text);
}

static void
test_silence(void **state)
{
	mono_t began = mono_now();

	(void)state;
	stay = true;
	fetch("HTTP/1.0 200 OK\r\n\r\nabc", 22);
	stay = false;
	assert_non_null(strstr(end.why, "in time"));
	assert_true(mono_now() - began >= FETCH_WAIT);
}

static void
test_addresses(void **state)
{
	static const char *const bad[] = { "https://a/", "http://", "http:///x", "http://a:0/",
		"http://a:70000/", "http://a:1x/", "http://a@b/", "http://a?b", "http://[::1",
		"http://a b/", "http://a/\r\nX: y", "ftp://a/", "" };
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(fetch_post(l, r, bad[i], "t", "b", 1, on_end, &end, &why));
		assert_non_null(why);
	}
}

static void
test_cancel(void **state)
{
	const char *why;
	struct fetch *f = fetch_post(l, r, "http://127.0.0.1:1", "t", "b", 1, on_end, &end, &why);

	(void)state;
	memset(&end, 0, sizeof(end));
	assert_ptr_equal(fetch_cancel(f), &end);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_false(end.called);
	assert_null(fetch_cancel(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_silence),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
