/* Directives of HAProxy that become no field of ours: why not, and what lbd has instead. One row for each; a row is for
 * every line that begins with its words. "*" at the end of a word stands for any rest of it. Pure. */
#include "import/haproxy.h"

#include "base/must.h"

#include <string.h>

#define RULES "content rules do this"
#define PANEL "the panel, the API and lbctl status show what goes on"
#define RUNS "the daemons of lbd see to it themselves"

static const struct note {
	const char *words;
	uint8_t sections, how;
	const char *why;
} notes[] = {
	/* the process */
	{ "daemon", HAP_GLOBAL, TAKEN, "systemd starts the daemons" },
	{ "master-worker", HAP_GLOBAL, TAKEN, "a new configuration needs no new process" },
	{ "mworker-max-reloads", HAP_GLOBAL, TAKEN, "a new configuration needs no new process" },
	{ "user", HAP_GLOBAL, TAKEN, "every daemon has a user of its own" },
	{ "group", HAP_GLOBAL, TAKEN, "every daemon has a user of its own" },
	{ "uid", HAP_GLOBAL, TAKEN, "every daemon has a user of its own" },
	{ "gid", HAP_GLOBAL, TAKEN, "every daemon has a user of its own" },
	{ "chroot", HAP_GLOBAL, TAKEN, "the units of systemd shut the daemons off from the rest" },
	{ "pidfile", HAP_GLOBAL, TAKEN, "systemd knows the processes" },
	{ "nbproc", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "lbd-proxy has threads, as many as setting.threads says" },
	{ "cpu-map", HAP_GLOBAL, NOT_TAKEN,
	    "threads run where the kernel puts them; CPUAffinity= of the unit is possible" },
	{ "cpu-policy", HAP_GLOBAL, NOT_TAKEN, "threads run where the kernel puts them" },
	{ "thread-group*", HAP_GLOBAL, NOT_TAKEN, "threads run where the kernel puts them" },
	{ "ulimit-n", HAP_GLOBAL, TAKEN,
	    "the unit of systemd says how many descriptors there are" },
	{ "fd-hard-limit", HAP_GLOBAL, TAKEN,
	    "the unit of systemd says how many descriptors there are" },
	{ "setenv", HAP_GLOBAL, NOT_TAKEN,
	    "the configuration has no variables of the environment" },
	{ "presetenv", HAP_GLOBAL, NOT_TAKEN,
	    "the configuration has no variables of the environment" },
	{ "resetenv", HAP_GLOBAL, NOT_TAKEN,
	    "the configuration has no variables of the environment" },
	{ "unsetenv", HAP_GLOBAL, NOT_TAKEN,
	    "the configuration has no variables of the environment" },
	{ "set-var*", HAP_GLOBAL, NOT_TAKEN, "there are no variables" },
	{ "lua-*", HAP_GLOBAL, NOT_TAKEN, "no programs run inside of the proxy; " RULES },
	{ "external-check", HAP_GLOBAL, NOT_TAKEN,
	    "scripts do not test servers: kinds of check are tcp and http" },
	{ "insecure-*", HAP_GLOBAL, NOT_TAKEN,
	    "the daemons start no programs with rights of their own" },
	{ "stats *", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "lbctl and the API are the way to a running lbd; who may use them is in kinds user and token" },
	{ "server-state-*", HAP_GLOBAL, TAKEN, "drain, halt and weights are kept by the store" },
	{ "load-server-state-from-file", HAP_PROXY, TAKEN,
	    "drain, halt and weights are kept by the store" },
	{ "node", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "node.hostname, when it is not that of the machine" },
	{ "description", HAP_GLOBAL | HAP_OTHER, NOT_TAKEN, "there is none of the whole suite" },
	{ "localpeer", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "the nodes of a pair know each other: lbctl ha pair" },
	{ "log-send-hostname", HAP_GLOBAL, TAKEN,
	    "syslog lines have the name of the machine (RFC 5424)" },
	{ "log-tag", HAP_GLOBAL | HAP_PROXY, NOT_TAKEN, "the tag is lbd-proxy" },
	{ "hard-stop-after", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "a new configuration needs no new process; draining servers have vip.drain_timeout" },
	{ "grace", HAP_GLOBAL | HAP_PROXY, TAKEN_OTHERWISE,
	    "a new configuration needs no new process" },
	{ "close-spread-time", HAP_GLOBAL, NOT_TAKEN, "connections close as they end" },
	{ "maxsslconn", HAP_GLOBAL, NOT_TAKEN, "setting.proxy_conns counts all connections" },
	{ "max*rate", HAP_GLOBAL, NOT_TAKEN,
	    "no rate of the whole process; vip.syn_rate is that of one client's address" },
	{ "maxconnrate", HAP_GLOBAL, NOT_TAKEN,
	    "no rate of the whole process; vip.syn_rate is that of one client's address" },
	{ "maxsessrate", HAP_GLOBAL, NOT_TAKEN,
	    "no rate of the whole process; vip.syn_rate is that of one client's address" },
	{ "maxsslrate", HAP_GLOBAL, NOT_TAKEN,
	    "no rate of the whole process; vip.syn_rate is that of one client's address" },
	{ "maxzlibmem", HAP_GLOBAL, NOT_TAKEN, "nothing is compressed" },
	{ "maxcomp*", HAP_GLOBAL, NOT_TAKEN, "nothing is compressed" },
	{ "maxpipes", HAP_GLOBAL, TAKEN, RUNS },
	{ "max-spread-checks", HAP_GLOBAL, TAKEN, "check.jitter spreads probes" },
	{ "tune.*", HAP_GLOBAL, TAKEN_OTHERWISE, "sizes of buffers and the like: " RUNS },
	{ "no*", HAP_GLOBAL, TAKEN_OTHERWISE, "how the kernel is asked: " RUNS },
	{ "expose-*", HAP_GLOBAL, TAKEN_OTHERWISE, RUNS },
	{ "busy-polling", HAP_GLOBAL, NOT_TAKEN, "workers sleep while there is nothing to do" },
	{ "profiling.*", HAP_GLOBAL, NOT_TAKEN, PANEL },
	{ "quiet", HAP_GLOBAL, TAKEN, "setting.log_level says what is in the journal" },
	{ "debug", HAP_GLOBAL, TAKEN, "setting.log_level says what is in the journal" },
	{ "zero-warning", HAP_GLOBAL, TAKEN, "a configuration is good or refused" },
	{ "strict-limits", HAP_GLOBAL, TAKEN, RUNS },
	{ "set-dumpable", HAP_GLOBAL, NOT_TAKEN, "processes with keys leave no core" },
	{ "h1-*", HAP_GLOBAL, NOT_TAKEN, "header fields go on as they came" },
	{ "h2-*", HAP_GLOBAL, TAKEN_OTHERWISE, RUNS },
	{ "unix-bind", HAP_GLOBAL, NOT_TAKEN, "services are at addresses" },
	{ "wurfl-*", HAP_GLOBAL, NOT_TAKEN, "devices are not looked up" },
	{ "51degrees-*", HAP_GLOBAL, NOT_TAKEN, "devices are not looked up" },
	{ "deviceatlas-*", HAP_GLOBAL, NOT_TAKEN, "devices are not looked up" },
	{ "51degrees-*", HAP_GLOBAL, NOT_TAKEN, "devices are not looked up" },
	{ "default-path", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "relative names of files are looked for beside the configuration" },
	{ "numa-cpu-mapping", HAP_GLOBAL, TAKEN_OTHERWISE, RUNS },
	{ "ssl-dh-param-file", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "keys are exchanged over curves (ECDHE) only" },
	{ "ssl-default-server-ciphers*", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "to servers: what OpenSSL has by default" },
	{ "ssl-default-server-options", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "to servers: TLS 1.2 and 1.3" },
	{ "ssl-default-bind-ciphersuites", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "TLS 1.3: all of its three ciphers are possible" },
	{ "ssl-default-bind-sigalgs", HAP_GLOBAL, NOT_TAKEN, "what tls.profile says" },
	{ "ssl-load-extra-*", HAP_GLOBAL, TAKEN_OTHERWISE,
	    "a key beside its certificate in FILE.key is found" },
	{ "ssl-skip-self-issued-ca", HAP_GLOBAL, TAKEN, "a root is never sent" },
	{ "ssl-mode-async", HAP_GLOBAL, NOT_TAKEN, "OpenSSL computes itself" },
	{ "ssl-engine", HAP_GLOBAL, NOT_TAKEN, "OpenSSL computes itself" },
	{ "ssl-provider*", HAP_GLOBAL, NOT_TAKEN, "OpenSSL computes itself" },
	{ "ssl-propquery", HAP_GLOBAL, NOT_TAKEN, "OpenSSL computes itself" },
	{ "issuers-chain-path", HAP_GLOBAL, NOT_TAKEN,
	    "a chain is in the file of its certificate: cat them together" },
	{ "anonkey", HAP_GLOBAL, TAKEN, "passwords and keys are never shown" },
	{ "monitor-net", HAP_PROXY, NOT_TAKEN, "probes are served as any client" },
	{ "monitor", HAP_PROXY, NOT_TAKEN, PANEL },
	/* sections */
	{ "enabled", HAP_PROXY, TAKEN, "it is" },
	{ "id", HAP_PROXY, TAKEN_OTHERWISE, "services are known by name" },
	{ "guid", HAP_PROXY, TAKEN_OTHERWISE, "services are known by name" },
	{ "backlog", HAP_PROXY, TAKEN_OTHERWISE, RUNS },
	{ "bind-process", HAP_PROXY, TAKEN_OTHERWISE, "all threads serve every service" },
	{ "fullconn", HAP_PROXY, TAKEN_OTHERWISE,
	    "with rip.min_conns the load of a service is what its servers have room for" },
	{ "max-keep-alive-queue", HAP_PROXY, TAKEN_OTHERWISE,
	    "idle connections to servers are shared, so none is waited for" },
	{ "max-session-srv-conns", HAP_PROXY, TAKEN_OTHERWISE,
	    "idle connections to servers are kept for vip.pool_timeout" },
	{ "clitcpka-*", HAP_PROXY, NOT_TAKEN, "timeouts find dead clients" },
	{ "srvtcpka-*", HAP_PROXY, NOT_TAKEN, "timeouts find dead servers" },
	{ "rate-limit", HAP_PROXY, NOT_TAKEN,
	    "no rate of a whole service; vip.syn_rate is that of one client's address" },
	{ "dispatch", HAP_PROXY, NOT_TAKEN, "name the server as one: lbctl create rip" },
	{ "transparent", HAP_PROXY, NOT_TAKEN,
	    "a service has servers; it does not send clients where they wanted to go" },
	{ "filter", HAP_PROXY, NOT_TAKEN, "there are no filters" },
	{ "capture", HAP_PROXY, NOT_TAKEN,
	    "log_format has words for Host, Referer and User-Agent (%host, %referer, %agent)" },
	{ "declare", HAP_PROXY, NOT_TAKEN,
	    "log_format has words for Host, Referer and User-Agent (%host, %referer, %agent)" },
	{ "email-alert", HAP_PROXY, NOT_TAKEN,
	    "no mail is sent; lbctl events and the API tell of changes" },
	{ "http-after-response", HAP_PROXY, NOT_TAKEN, "answers of lbd itself have no rules" },
	{ "http-send-name-header", HAP_PROXY, NOT_TAKEN, "the server is not told its name" },
	{ "unique-id-format", HAP_PROXY, TAKEN_OTHERWISE, "vip.request_id has a form of its own" },
	{ "log-format-sd", HAP_PROXY, NOT_TAKEN, "syslog lines have no structured data" },
	{ "error-log-format", HAP_PROXY, NOT_TAKEN, "every line has the form that vip.log says" },
	{ "log-steps", HAP_PROXY, NOT_TAKEN, "one line for each request" },
	{ "log-profile", HAP_PROXY, NOT_TAKEN, "one line for each request" },
	{ "use-fcgi-app", HAP_PROXY, NOT_TAKEN,
	    "servers speak HTTP or TCP; FastCGI needs a web server in front" },
	{ "server-state-file-name", HAP_PROXY, TAKEN,
	    "drain, halt and weights are kept by the store" },
	{ "external-check", HAP_PROXY, NOT_TAKEN,
	    "scripts do not test servers: kinds of check are tcp and http" },
	{ "hash-preserve-affinity", HAP_PROXY, TAKEN_OTHERWISE,
	    "who finds his server full waits in the queue" },
	{ "quic-initial", HAP_PROXY, NOT_TAKEN, "there is no QUIC" },
	{ "crt", HAP_OTHER, NOT_TAKEN, "" },
	/* legacy */
	{ "req*", HAP_PROXY, NOT_TAKEN,
	    "the head of a request is not edited by regular expressions; " RULES },
	{ "rsp*", HAP_PROXY, NOT_TAKEN,
	    "the head of an answer is not edited by regular expressions; " RULES },
	/* options */
	{ "option dontlognull", HAP_PROXY, TAKEN_OTHERWISE,
	    "mode http: a connection without a request is no line in the log; mode tcp: each connection is one" },
	{ "option dontlog-normal", HAP_PROXY, NOT_TAKEN, "vip.log_sample logs one of so many" },
	{ "option log-separate-errors", HAP_PROXY, NOT_TAKEN, "all lines have one level" },
	{ "option log-health-checks", HAP_PROXY, TAKEN,
	    "lbctl events and the journal tell of every change" },
	{ "option logasap", HAP_PROXY, NOT_TAKEN, "a line is written when the request has ended" },
	{ "option socket-stats", HAP_PROXY, TAKEN_OTHERWISE, "counters are those of a service" },
	{ "option contstats", HAP_PROXY, TAKEN, "counters go on while a connection lasts" },
	{ "option nolinger", HAP_PROXY, NOT_TAKEN, "connections end in order" },
	{ "option tcp-smart-*", HAP_PROXY, TAKEN_OTHERWISE, RUNS },
	{ "option splice-*", HAP_PROXY, TAKEN, "the kernel moves bulk by itself" },
	{ "option tcpka", HAP_PROXY, NOT_TAKEN,
	    "vip.tunnel_timeout, client_timeout and server_timeout find dead ones" },
	{ "option clitcpka", HAP_PROXY, NOT_TAKEN, "vip.client_timeout finds dead clients" },
	{ "option srvtcpka", HAP_PROXY, NOT_TAKEN, "vip.server_timeout finds dead servers" },
	{ "option http-ignore-probes", HAP_PROXY, TAKEN,
	    "a connection without a request is no error" },
	{ "option http-no-delay", HAP_PROXY, TAKEN, "nothing is held back" },
	{ "option http-use-proxy-header", HAP_PROXY, NOT_TAKEN,
	    "Connection is the field that counts" },
	{ "option http-use-htx", HAP_PROXY, TAKEN, RUNS },
	{ "option http-tunnel", HAP_PROXY, NOT_TAKEN, "each request is balanced" },
	{ "option http-pretend-keepalive", HAP_PROXY, TAKEN_OTHERWISE,
	    "connections to servers are kept: vip.pool_timeout" },
	{ "option http-keep-alive", HAP_PROXY, TAKEN, "connections are kept" },
	{ "option http-drop-*", HAP_PROXY, NOT_TAKEN, "fields go on as they came" },
	{ "option http_proxy", HAP_PROXY, NOT_TAKEN,
	    "a service has servers; it is no forward proxy" },
	{ "option accept-invalid-*", HAP_PROXY, NOT_TAKEN,
	    "HTTP is read strictly: such messages are the way to smuggle requests" },
	{ "option accept-unsafe-*", HAP_PROXY, NOT_TAKEN,
	    "HTTP is read strictly: such messages are the way to smuggle requests" },
	{ "option h1-case-adjust*", HAP_PROXY, TAKEN, "names of fields go on as they came" },
	{ "option disable-h2-upgrade", HAP_PROXY, TAKEN, "a connection is not upgraded" },
	{ "option abortonclose", HAP_PROXY, TAKEN, "a client that goes takes its request with it" },
	{ "option prefer-last-server", HAP_PROXY, NOT_TAKEN,
	    "each request is balanced, or vip.persistence keeps a client" },
	{ "option persist", HAP_PROXY, NOT_TAKEN, "a server that is down takes no clients" },
	{ "option checkcache", HAP_PROXY, NOT_TAKEN, "what servers say of caching is not judged" },
	{ "option independent-streams", HAP_PROXY, TAKEN, "timeouts of both sides are told apart" },
	{ "option transparent", HAP_PROXY, NOT_TAKEN,
	    "a service has servers; it does not send clients where they wanted to go" },
	{ "option originalto", HAP_PROXY, NOT_TAKEN,
	    "servers do not learn the virtual address; vip.x_forwarded tells of host and port" },
	{ "option external-check", HAP_PROXY, NOT_TAKEN,
	    "scripts do not test servers: kinds of check are tcp and http" },
	{ "option allow-*", HAP_PROXY, NOT_TAKEN, "HTTP is read strictly" },
	{ "option idle-close-on-response", HAP_PROXY, TAKEN,
	    "an idle client learns with its next answer that the connection ends" },
};
/* Words of bind and of server with how many follow each. */
static const struct hap_option bind_options[] = {
	{ "accept-netscaler-cip", 1, NOT_TAKEN, "proxy_from reads the PROXY protocol" },
	{ "allow-0rtt", 0, NOT_TAKEN, "early data is not accepted: it can be replayed" },
	{ "alpn", 1, TAKEN, NULL },
	{ "npn", 1, TAKEN, NULL },
	{ "backlog", 1, TAKEN, NULL },
	{ "ca-sign-file", 1, NOT_TAKEN, "no certificates are made for clients" },
	{ "ca-sign-pass", 1, NOT_TAKEN, "no certificates are made for clients" },
	{ "generate-certificates", 0, NOT_TAKEN, "no certificates are made for clients" },
	{ "ca-ignore-err", 1, NOT_TAKEN, "a bad certificate of a client is refused" },
	{ "crt-ignore-err", 1, NOT_TAKEN, "a bad certificate of a client is refused" },
	{ "cc", 1, NOT_TAKEN, "the congestion control is that of the system" },
	{ "ciphersuites", 1, TAKEN_OTHERWISE, "TLS 1.3: all of its three ciphers are possible" },
	{ "client-sigalgs", 1, NOT_TAKEN, "what tls.profile says" },
	{ "sigalgs", 1, NOT_TAKEN, "what tls.profile says" },
	{ "defer-accept", 0, TAKEN, NULL },
	{ "ecdhe", 1, TAKEN_OTHERWISE, "curves are those of tls.curves" },
	{ "expose-fd", 1, TAKEN, NULL },
	{ "force-tlsv13", 0, TAKEN, NULL },
	{ "gid", 1, TAKEN, NULL },
	{ "group", 1, TAKEN, NULL },
	{ "id", 1, TAKEN, NULL },
	{ "idle-ping", 1, NOT_TAKEN, "timeouts find dead clients" },
	{ "interface", 1, NOT_TAKEN, "the address says where it listens" },
	{ "level", 1, TAKEN, NULL },
	{ "maxconn", 1, NOT_TAKEN, "vip.max_conns is the limit of the service" },
	{ "mode", 1, TAKEN, NULL },
	{ "mss", 1, NOT_TAKEN, "the segment size is the kernel's" },
	{ "name", 1, TAKEN, NULL },
	{ "namespace", 1, NOT_TAKEN, "lbd-proxy is in one network namespace" },
	{ "nbconn", 1, NOT_TAKEN, "connections come from clients" },
	{ "nice", 1, NOT_TAKEN, "all services are served alike" },
	{ "no-ca-names", 0, TAKEN_OTHERWISE, "clients are told whose certificates are good" },
	{ "prefer-client-ciphers", 0, TAKEN, NULL },
	{ "process", 1, TAKEN, NULL },
	{ "proto", 1, TAKEN, NULL },
	{ "quic-cc-algo", 1, NOT_TAKEN, "there is no QUIC" },
	{ "quic-force-retry", 0, NOT_TAKEN, "there is no QUIC" },
	{ "quic-socket", 1, NOT_TAKEN, "there is no QUIC" },
	{ "severity-output", 1, TAKEN, NULL },
	{ "shards", 1, TAKEN, NULL },
	{ "ssl", 0, TAKEN, NULL },
	{ "tcp-ut", 1, NOT_TAKEN, "timeouts find dead clients" },
	{ "tfo", 0, NOT_TAKEN, "there is no TCP fast open" },
	{ "thread", 1, TAKEN, NULL },
	{ "tls-ticket-keys", 1, TAKEN_OTHERWISE, "ticket keys are made and changed by lbd-proxy" },
	{ "transparent", 0, TAKEN, NULL },
	{ "uid", 1, TAKEN, NULL },
	{ "user", 1, TAKEN, NULL },
	{ "v4v6", 0, TAKEN_OTHERWISE,
	    "an address is of IPv4 or IPv6; another service is the other" },
	{ "v6only", 0, TAKEN, NULL },
	{ "no-alpn", 0, TAKEN, NULL },
	{ "strict-sni", 0, TAKEN, NULL },
};
static const struct hap_option server_options[] = {
	{ "agent-addr", 1, NOT_TAKEN, "servers have no agent that says their weight" },
	{ "agent-check", 0, NOT_TAKEN, "servers have no agent that says their weight" },
	{ "agent-inter", 1, NOT_TAKEN, "servers have no agent that says their weight" },
	{ "agent-port", 1, NOT_TAKEN, "servers have no agent that says their weight" },
	{ "agent-send", 1, NOT_TAKEN, "servers have no agent that says their weight" },
	{ "addr", 1, NOT_TAKEN, "a server is tested at its own address" },
	{ "allow-0rtt", 0, NOT_TAKEN, "no early data is sent" },
	{ "alpn", 1, TAKEN_OTHERWISE, "servers are spoken to by HTTP/1.1" },
	{ "npn", 1, TAKEN_OTHERWISE, "servers are spoken to by HTTP/1.1" },
	{ "check-alpn", 1, TAKEN_OTHERWISE, "probes speak HTTP/1.1" },
	{ "check-pool-conn-name", 1, TAKEN_OTHERWISE, "probes have connections of their own" },
	{ "check-proto", 1, TAKEN_OTHERWISE, "probes speak HTTP/1.1" },
	{ "check-reuse-pool", 0, TAKEN_OTHERWISE, "probes have connections of their own" },
	{ "check-sni", 1, TAKEN_OTHERWISE, "probes send vip.server_name" },
	{ "check-via-socks4", 0, NOT_TAKEN, "servers are reached without SOCKS" },
	{ "ciphers", 1, TAKEN_OTHERWISE, "to servers: what OpenSSL has by default" },
	{ "ciphersuites", 1, TAKEN_OTHERWISE, "to servers: what OpenSSL has by default" },
	{ "curves", 1, TAKEN_OTHERWISE, "to servers: what OpenSSL has by default" },
	{ "crt", 1, NOT_TAKEN, "servers are shown no certificate of ours" },
	{ "enabled", 0, TAKEN, NULL },
	{ "error-limit", 1, NOT_TAKEN,
	    "errors of clients' traffic do not make a server unfit; its check does" },
	{ "observe", 1, NOT_TAKEN,
	    "errors of clients' traffic do not make a server unfit; its check does" },
	{ "on-error", 1, NOT_TAKEN,
	    "errors of clients' traffic do not make a server unfit; its check does" },
	{ "force-sslv3", 0, NOT_TAKEN, "to servers: TLS 1.2 and 1.3" },
	{ "force-tlsv10", 0, NOT_TAKEN, "to servers: TLS 1.2 and 1.3" },
	{ "force-tlsv11", 0, NOT_TAKEN, "to servers: TLS 1.2 and 1.3" },
	{ "force-tlsv12", 0, TAKEN_OTHERWISE, "to servers: TLS 1.2 and 1.3" },
	{ "force-tlsv13", 0, TAKEN_OTHERWISE, "to servers: TLS 1.2 and 1.3" },
	{ "guid", 1, TAKEN, NULL },
	{ "hash-key", 1, TAKEN_OTHERWISE, "the hash is made of the server's name" },
	{ "id", 1, TAKEN, NULL },
	{ "idle-ping", 1, NOT_TAKEN, "idle connections end after vip.pool_timeout" },
	{ "init-addr", 1, TAKEN_OTHERWISE,
	    "names are asked for while lbd-proxy runs; a server is not fit until there is an answer" },
	{ "init-state", 1, TAKEN_OTHERWISE,
	    "check.assume says what a server counts as before its first verdict" },
	{ "log-bufsize", 1, TAKEN, NULL },
	{ "log-proto", 1, NOT_TAKEN, "servers are no syslog servers" },
	{ "max-reuse", 1, TAKEN_OTHERWISE, "idle connections are kept for vip.pool_timeout" },
	{ "maxqueue", 1, NOT_TAKEN, "vip.queue_max is the limit of the queue of a service" },
	{ "namespace", 1, NOT_TAKEN, "lbd-proxy is in one network namespace" },
	{ "no-sslv3", 0, TAKEN, NULL },
	{ "no-tlsv10", 0, TAKEN, NULL },
	{ "no-tlsv11", 0, TAKEN, NULL },
	{ "no-tlsv12", 0, TAKEN_OTHERWISE, "to servers: TLS 1.2 and 1.3" },
	{ "no-tlsv13", 0, TAKEN_OTHERWISE, "to servers: TLS 1.2 and 1.3" },
	{ "no-tls-tickets", 0, TAKEN, NULL },
	{ "no-ssl-reuse", 0, TAKEN_OTHERWISE, "sessions are resumed where a server offers it" },
	{ "non-stick", 0, NOT_TAKEN, "persistence is for all servers of a service" },
	{ "on-marked-up", 1, NOT_TAKEN, "backup servers keep the clients that they have" },
	{ "pool-conn-name", 1, TAKEN, NULL },
	{ "pool-low-conn", 1, TAKEN_OTHERWISE, "idle connections are kept for vip.pool_timeout" },
	{ "pool-max-conn", 1, TAKEN_OTHERWISE, "idle connections are kept for vip.pool_timeout" },
	{ "pool-purge-delay", 1, TAKEN_OTHERWISE,
	    "idle connections are kept for vip.pool_timeout" },
	{ "proto", 1, TAKEN_OTHERWISE, "servers are spoken to by HTTP/1.1" },
	{ "proxy-v2-options", 1, TAKEN_OTHERWISE, "the header tells of the client's TLS" },
	{ "send-proxy-v2-ssl", 0, TAKEN, NULL },
	{ "send-proxy-v2-ssl-cn", 0, TAKEN, NULL },
	{ "set-proxy-v2-tlv-fmt", 1, NOT_TAKEN, "the header has no fields of one's own" },
	{ "redir", 1, NOT_TAKEN, "content rules redirect (action redirect)" },
	{ "renegotiate", 0, TAKEN, NULL },
	{ "no-renegotiate", 0, TAKEN, NULL },
	{ "resolve-net", 1, NOT_TAKEN, "the first address of a name is taken" },
	{ "resolve-opts", 1, NOT_TAKEN, "the first address of a name is taken" },
	{ "resolve-prefer", 1, NOT_TAKEN, "the first address of a name is taken" },
	{ "resolvers", 1, TAKEN_OTHERWISE,
	    "names are asked for at the resolvers of the system, again when their TTL has passed" },
	{ "shard", 1, NOT_TAKEN, "the pair shares its whole table" },
	{ "sigalgs", 1, TAKEN_OTHERWISE, "to servers: what OpenSSL has by default" },
	{ "client-sigalgs", 1, TAKEN_OTHERWISE, "to servers: what OpenSSL has by default" },
	{ "sni-auto", 0, TAKEN_OTHERWISE, "servers are sent vip.server_name" },
	{ "socks4", 1, NOT_TAKEN, "servers are reached without SOCKS" },
	{ "ssl-max-ver", 1, TAKEN_OTHERWISE, "to servers: TLS 1.2 and 1.3" },
	{ "ssl-min-ver", 1, TAKEN_OTHERWISE, "to servers: TLS 1.2 and 1.3" },
	{ "ssl-reuse", 0, TAKEN, NULL },
	{ "stick", 0, TAKEN, NULL },
	{ "tcp-md5sig", 1, NOT_TAKEN, "segments are not signed" },
	{ "tcp-ut", 1, NOT_TAKEN, "timeouts find dead servers" },
	{ "tfo", 0, NOT_TAKEN, "there is no TCP fast open" },
	{ "track", 1, NOT_TAKEN, "each server is tested by itself" },
	{ "tls-tickets", 0, TAKEN, NULL },
	{ "ws", 1, TAKEN, NULL },
};

static bool
word_is(const char *row, size_t len, const char *word)
{
	const char *star = memchr(row, '*', len);

	if (star == NULL)
		return strlen(word) == len && memcmp(row, word, len) == 0;
	return strncmp(row, word, (size_t)(star - row)) == 0;
}

static bool
begins(const struct note *n, const struct hap_line *l)
{
	const char *p = n->words;

	for (unsigned i = 0; *p != '\0'; i++) {
		size_t len = strcspn(p, " ");

		if (i >= l->n || !word_is(p, len, l->w[i]))
			return false;
		p += len + strspn(p + len, " ");
	}
	return true;
}

bool
hap_note(struct hap *h, unsigned section, const struct hap_line *l)
{
	for (unsigned i = 0; i < ARRAY_LEN(notes); i++)
		if ((notes[i].sections & section) != 0 && begins(&notes[i], l)) {
			import_say(h->im, l->at, notes[i].how, l->what, "%s", notes[i].why);
			return true;
		}
	return false;
}

static const struct hap_option *
option_of(const struct hap_option *rows, unsigned n, const char *word)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(rows[i].word, word) == 0)
			return &rows[i];
	return NULL;
}

const struct hap_option *
hap_bind_option(const char *word)
{
	return option_of(bind_options, ARRAY_LEN(bind_options), word);
}

const struct hap_option *
hap_server_option(const char *word)
{
	return option_of(server_options, ARRAY_LEN(server_options), word);
}
