"""Requests that two readers could read differently, as a table for test_proxy_ambiguous.py: what is refused and with which
status, and what passes and as which bytes (RFC 9110, 9112; the vectors that parsers of the field are known to differ on).
Rows are (name, bytes, status or statuses) in REFUSED, (name, body) in CHUNKS, (name, bytes, bytes at the server) in PASSED,
LAST and REMAINS. The service has forwarded_for=off, so that what a server sees is what the proxy makes of the request alone."""
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def line(start):
    """A request with this start line."""
    return start + b"\r\nHost: x\r\n\r\n"


def get(fields=b"", target=b"/"):
    return b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n"


def hosts(fields, version=b"1.1"):
    return b"GET / HTTP/" + version + b"\r\n" + fields + b"\r\n"


def post(fields, body=b""):
    return b"POST / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n" + body


START = [
    ("method-none", line(b" / HTTP/1.1"), 400),
    ("method-behind-space", line(b" GET / HTTP/1.1"), 400),
    ("method-tab", line(b"GET\t/ HTTP/1.1"), 400),
    ("method-two-spaces", line(b"GET  / HTTP/1.1"), 400),
    ("method-colon", line(b"GE:T / HTTP/1.1"), 400),
    ("method-slash", line(b"GE/T / HTTP/1.1"), 400),
    ("method-nul", line(b"GE\0T / HTTP/1.1"), 400),
    ("method-8bit", line(b"G\xc9T / HTTP/1.1"), 400),
    ("method-quoted", line(b'"GET" / HTTP/1.1'), 400),
    ("method-brackets", line(b"GET() / HTTP/1.1"), 400),
    ("method-long", line(b"A" * 25 + b" / HTTP/1.1"), 501),
    ("method-very-long", line(b"A" * 5000 + b" / HTTP/1.1"), 501),
    ("method-alone", b"GET\r\n\r\n", 400),
    ("target-none", line(b"GET HTTP/1.1"), 400),
    ("target-relative", line(b"GET a HTTP/1.1"), 400),
    ("target-dots", line(b"GET ../a HTTP/1.1"), 400),
    ("target-query-alone", line(b"GET ?a HTTP/1.1"), 400),
    ("target-star", line(b"GET * HTTP/1.1"), 400),
    ("target-star-post", line(b"POST * HTTP/1.1"), 400),
    ("target-star-path", line(b"OPTIONS */a HTTP/1.1"), 400),
    ("target-star-query", line(b"OPTIONS *?a HTTP/1.1"), 400),
    ("target-authority", line(b"GET x:80 HTTP/1.1"), 400),
    ("target-scheme-alone", line(b"GET http:// HTTP/1.1"), 400),
    ("target-no-authority", line(b"GET http:///a HTTP/1.1"), 400),
    ("target-one-slash", line(b"GET http:/x/ HTTP/1.1"), 400),
    ("target-user", line(b"GET http://u@x/ HTTP/1.1"), 400),
    ("target-password", line(b"GET http://u:p@x/ HTTP/1.1"), 400),
    ("target-ftp", line(b"GET ftp://x/ HTTP/1.1"), 400),
    ("target-script", line(b"GET javascript:alert(1) HTTP/1.1"), 400),
    ("target-backslash", line(b"GET \\a HTTP/1.1"), 400),
    ("target-nul", line(b"GET /\0a HTTP/1.1"), 400),
    ("target-tab", line(b"GET /a\tb HTTP/1.1"), 400),
    ("target-cr", line(b"GET /a\rb HTTP/1.1"), 400),
    ("target-lf", line(b"GET /a\nb HTTP/1.1"), 400),
    ("target-esc", line(b"GET /\x1b HTTP/1.1"), 400),
    ("target-del", line(b"GET /\x7f HTTP/1.1"), 400),
    ("target-8bit", line(b"GET /\xe9 HTTP/1.1"), 400),
    ("target-utf8-space", line(b"GET /a\xc2\xa0b HTTP/1.1"), 400),
    ("target-fragment-query", line(b"GET /?a#b HTTP/1.1"), 400),
    ("target-8193", line(b"GET /" + b"a" * 8192 + b" HTTP/1.1"), 414),
    ("absolute-8193", line(b"GET http://x/" + b"a" * 8192 + b" HTTP/1.1"), 414),
    ("absolute-other-port", line(b"GET http://x:81/ HTTP/1.1"), 400),
    ("absolute-other-name", line(b"GET http://x.y/ HTTP/1.1"), 400),
    ("absolute-part-of-name", line(b"GET http://xx/ HTTP/1.1"), 400),
    ("absolute-bad-port", b"GET http://x:99999/ HTTP/1.1\r\nHost: x:99999\r\n\r\n", 400),
    ("absolute-empty-host", b"GET http://x/ HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("absolute-no-host", b"GET http://x/ HTTP/1.1\r\n\r\n", 400),
    ("absolute-bracket", b"GET http://[::1/ HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
    ("connect-authority", line(b"CONNECT x:80 HTTP/1.1"), 501),
    ("connect-path", line(b"CONNECT /a HTTP/1.1"), 501),
    ("connect-url", line(b"CONNECT http://x/ HTTP/1.1"), 501),
    ("version-none", line(b"GET /"), 400),
    ("version-space", line(b"GET / HTTP/1.1 "), 400),
    ("version-tab", line(b"GET / HTTP/1.1\t"), 400),
    ("version-behind-tab", line(b"GET /\tHTTP/1.1"), 400),
    ("version-behind-spaces", line(b"GET /  HTTP/1.1"), 400),
    ("version-twice", line(b"GET / HTTP/1.1 HTTP/1.1"), 400),
    ("version-1.10", line(b"GET / HTTP/1.10"), 400),
    ("version-01.1", line(b"GET / HTTP/01.1"), 400),
    ("version-1", line(b"GET / HTTP/1"), 400),
    ("version-1.", line(b"GET / HTTP/1."), 400),
    ("version-comma", line(b"GET / HTTP/1,1"), 400),
    ("version-negative", line(b"GET / HTTP/-1.1"), 400),
    ("version-x", line(b"GET / HTTP/1.x"), 400),
    ("version-lower-case", line(b"GET / http/1.1"), 400),
    ("version-split", line(b"GET / HTTP /1.1"), 400),
    ("version-https", line(b"GET / HTTPS/1.1"), 400),
    ("version-icy", line(b"GET / ICY/1.1"), 400),
    ("version-0.9", line(b"GET / HTTP/0.9"), 505),
    ("version-2.0", line(b"GET / HTTP/2.0"), 505),
    ("version-3.0", line(b"GET / HTTP/3.0"), 505),
    ("version-9.9", line(b"GET / HTTP/9.9"), 505),
    ("tls-hello", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\r\n\r\n", 400),
    ("empty-lines", b"\r\n\r\n" + get(), 400),
    ("lf-first", b"\n" + get(), 400),
    ("cr-first", b"\r" + get(), 400),
    ("nul-first", b"\0" + get(), 400),
    ("space-line-first", b" \r\n" + get(), 400),
    ("answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
]
LINES = [
    ("cr-alone", b"GET / HTTP/1.1\rHost: x\r\r", 400),
    ("cr-cr-lf", b"GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 400),
    ("lf-cr", b"GET / HTTP/1.1\n\rHost: x\n\r\n\r", 400),
    ("lf-in-fields", b"GET / HTTP/1.1\r\nHost: x\nX: a\r\n\r\n", 400),
    ("lf-at-end", b"GET / HTTP/1.1\r\nHost: x\r\nX: a\n\r\n", 400),
    ("lf-lf", b"GET / HTTP/1.1\r\nHost: x\n\n", 400),
    ("cr-at-end-of-value", get(b"X: a\r\r\n"), 400),
    ("empty-line-of-space", get(b" \r\n"), 400),
    ("fold-of-start-line", b"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    ("fold-tab", get(b"X: a\r\n\tb\r\n"), 400),
    ("fold-of-host", b"GET / HTTP/1.1\r\nHost:\r\n x\r\n\r\n", 400),
    ("fold-of-length", post(b"Content-Length:\r\n 5\r\n", b"hello"), 400),
    ("fold-empty", get(b"X: a\r\n \r\n"), 400),
    ("name-alone", get(b"X\r\n"), 400),
    ("name-space-colon", get(b"X : a\r\n"), 400),
    ("host-space-colon", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    ("coding-space-colon", post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400),
    ("coding-vt-colon", post(b"Transfer-Encoding\x0b: chunked\r\n", b"0\r\n\r\n"), 400),
    ("length-nul-colon", post(b"Content-Length\0: 5\r\n", b"hello"), 400),
    ("name-257", get(b"X" * 257 + b": a\r\n"), 431),
    ("fields-129", get(b"X: a\r\n" * 128), 431),
    ("value-long", get(b"X: " + b"a" * 70000 + b"\r\n"), 431),
] + [
    (f"name-with-{c:02x}", get(b"X" + bytes([c]) + b"Y: a\r\n"), 400) for c in b'"(),/;<=>?@[\\]{} \t\x01\x7f\x80\xff'
] + [
    (f"value-with-{c:02x}", get(b"X: a" + bytes([c]) + b"b\r\n"), 400) for c in [*range(1, 9), 11, 12, *range(14, 32), 127]
]
HOSTS = [
    (f"host-{name}", hosts(b"Host: " + value + b"\r\n"), 400) for name, value in {
        "empty": b"", "space": b"x y", "tab": b"x\ty", "list": b"x, y", "slash": b"x/y", "query": b"x?y", "fragment": b"x#y",
        "user": b"u@x", "url": b"http://x", "port-word": b"x:http", "port-large": b"x:65536", "port-long": b"x:000080",
        "ports": b"x:80:80", "negative-port": b"x:-80", "port-alone": b":80", "backslash": b"x\\y", "quoted": b'"x"', "less": b"<x>",
        "bracket-open": b"[::1", "bracket-empty": b"[]", "bracket-more": b"[::1]x", "bracket-word": b"[g::1]",
        "bare-ipv6": b"::1", "8bit": b"x\xe9", "braces": b"{x}"}.items()
] + [
    ("two-hosts-same", hosts(b"Host: x\r\nHost: x\r\n"), 400),
    ("two-hosts-case", hosts(b"Host: x\r\nhOST: y\r\n"), 400),
    ("two-hosts-one-empty", hosts(b"Host: x\r\nHost:\r\n"), 400),
    ("two-hosts-apart", hosts(b"Host: x\r\nX: a\r\nHost: y\r\n"), 400),
    ("two-hosts-1.0", hosts(b"Host: x\r\nHost: y\r\n", b"1.0"), 400),
]
LENGTHS = [
    (f"length-{name}", post(b"Content-Length: " + value + b"\r\n", b"hello"), 400) for name, value in {
        "negative": b"-5", "fraction": b"5.0", "exponent": b"5e0", "two-words": b"5 5", "comma": b"5,", "comma-first": b",5",
        "list": b"5,6", "semicolon": b"5;a", "quoted": b'"5"', "word": b"five", "octal-x": b"0o5", "underscore": b"1_0",
        "digits-of-others": "５".encode(), "2-63": b"9223372036854775808", "2-64": b"18446744073709551616", "long": b"9" * 400,
        "zero-negative": b"-0", "nul": b"5\0", "vt": b"\x0b5", "ff": b"5\x0c"}.items()
] + [
    ("lengths-by-case", post(b"Content-Length: 5\r\ncontent-LENGTH: 6\r\n", b"hello"), 400),
    ("lengths-apart", post(b"Content-Length: 5\r\nX: a\r\nContent-Length: 0\r\n", b"hello"), 400),
    ("lengths-equal-get", get(b"Content-Length: 0\r\nContent-Length: 0\r\n"), 400),
    ("length-empty-second", post(b"Content-Length: 5\r\nContent-Length:\r\n", b"hello"), 400),
    ("length-0-coding", post(b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    ("coding-length-0", post(b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n"), 400),
    ("trace-body", b"TRACE / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("trace-chunked", b"TRACE / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
]
CODINGS = [
    (f"coding-{name}", post(b"Transfer-Encoding: " + value + b"\r\n", b"0\r\n\r\n"), status) for name, value, status in (
        ("empty", b"", 400), ("twice", b"chunked, chunked", 501), ("comma", b"chunked,", 501), ("comma-first", b", chunked", 501),
        ("parameter", b"chunked;q=1", 501), ("gzip", b"gzip", 501), ("gzip-chunked", b"gzip, chunked", 501),
        ("chunked-gzip", b"chunked, gzip", 501), ("identity", b"identity", 501), ("chunked-identity", b"chunked, identity", 501),
        ("quoted", b'"chunked"', 501), ("prefix", b"chunk", 501), ("suffix", b"chunkedx", 501), ("words", b"chunked x", 501),
        ("nul", b"chunked\0", 400), ("ff", b"chunked\x0c", 400), ("cr", b"chunked\r ", 400), ("8bit", b"chunked\xff", 501),
        ("brackets", b"[chunked]", 501), ("underscore", b"chun_ked", 501))
] + [
    ("codings-two-lines", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    ("codings-case", post(b"Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n", b"0\r\n\r\n"), (400, 501)),
    ("codings-other-first", post(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), (400, 501)),
    ("coding-1.0-length", b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    ("coding-get-gzip", get(b"Transfer-Encoding: gzip\r\n"), 501),
]
OPTIONS = [
    ("expect-list", get(b"Expect: 100-continue, x\r\n"), 417),
    ("expect-100", get(b"Expect: 100\r\n"), 417),
    ("expect-empty", get(b"Expect:\r\n"), 417),
    ("expect-second", get(b"Expect: 100-continue\r\nExpect: x\r\n"), 417),
    ("connection-words", get(b"Connection: a b\r\n"), 400),
    ("connection-quoted", get(b'Connection: "close"\r\n'), 400),
    ("connection-at", get(b"Connection: @\r\n"), 400),
    ("connection-17", get(b"Connection: " + b",".join(b"x%d" % i for i in range(17)) + b"\r\n"), 400),
]
REFUSED = START + LINES + HOSTS + LENGTHS + CODINGS + OPTIONS

# Behind the head of a chunked request: the server may have seen what was good.
CHUNKS = [
    ("size-none", b"\r\nhello\r\n0\r\n\r\n"),
    ("size-word", b"g\r\nhello\r\n0\r\n\r\n"),
    ("size-space-first", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("size-tab-first", b"\t5\r\nhello\r\n0\r\n\r\n"),
    ("size-plus", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("size-comma", b"5,\r\nhello\r\n0\r\n\r\n"),
    ("size-point", b"5.0\r\nhello\r\n0\r\n\r\n"),
    ("size-underscore", b"0_5\r\nhello\r\n0\r\n\r\n"),
    ("size-17-digits", b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("size-2-63", b"8000000000000000\r\nhello\r\n0\r\n\r\n"),
    ("size-all-ones", b"FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
    ("size-nul", b"5\0\r\nhello\r\n0\r\n\r\n"),
    ("size-cr-cr", b"5\r\r\nhello\r\n0\r\n\r\n"),
    ("size-cr", b"5\rhello\r\n0\r\n\r\n"),
    ("size-h", b"5h\r\nhello\r\n0\r\n\r\n"),
    ("size-tab-behind", b"5\t\r\nhello\r\n0\r\n\r\n"),
    ("ext-empty", b"5;\r\nhello\r\n0\r\n\r\n"),
    ("ext-no-name", b"5;=a\r\nhello\r\n0\r\n\r\n"),
    ("ext-no-value", b"5;a=\r\nhello\r\n0\r\n\r\n"),
    ("ext-open-quote", b'5;a="b\r\nhello\r\n0\r\n\r\n'),
    ("ext-lf-quoted", b'5;a="b\nc"\r\nhello\r\n0\r\n\r\n'),
    ("ext-cr-lf-quoted", b'5;a="\r\n0\r\n\r\n"\r\nhello\r\n0\r\n\r\n'),
    ("ext-escaped-cr", b'5;a="\\\r\n"\r\nhello\r\n0\r\n\r\n'),
    ("ext-control", b"5;a\x01\r\nhello\r\n0\r\n\r\n"),
    ("ext-del", b'5;a="\x7f"\r\nhello\r\n0\r\n\r\n'),
    ("ext-words", b"5;a b\r\nhello\r\n0\r\n\r\n"),
    ("ext-comma", b"5;a=b,c\r\nhello\r\n0\r\n\r\n"),
    ("ext-257", b"5;" + b"a" * 257 + b"\r\nhello\r\n0\r\n\r\n"),
    ("ext-of-last-lf", b"5\r\nhello\r\n0;a\n\r\n"),
    ("data-short", b"6\r\nhello\r\n0\r\n\r\n"),
    ("data-no-end", b"5\r\nhello0\r\n\r\n"),
    ("data-cr", b"5\r\nhello\r0\r\n\r\n"),
    ("data-cr-cr", b"5\r\nhello\r\r\n0\r\n\r\n"),
    ("data-two-ends", b"5\r\nhello\r\n\r\n0\r\n\r\n"),
    ("last-with-data", b"0\r\nhello\r\n0\r\n\r\n"),
    ("last-negative", b"-0\r\n\r\n"),
    ("trailer-folded", b"0\r\nX: a\r\n b\r\n\r\n"),
    ("trailer-no-colon", b"0\r\nX\r\n\r\n"),
    ("trailer-no-name", b"0\r\n: a\r\n\r\n"),
    ("trailer-space-colon", b"0\r\nX : a\r\n\r\n"),
    ("trailer-nul", b"0\r\nX: \0\r\n\r\n"),
    ("trailer-cr", b"0\r\nX: a\rb\r\n\r\n"),
    ("trailer-33", b"0\r\n" + b"X: a\r\n" * 33 + b"\r\n"),
    ("trailer-large", b"0\r\nX: " + b"a" * 9000 + b"\r\n\r\n"),
] + [
    (f"trailer-{name.decode().lower()}", b"0\r\n" + name + b": x\r\n\r\n") for name in (
        b"Host", b"Transfer-Encoding", b"TE", b"Trailer", b"Connection", b"Keep-Alive", b"Proxy-Connection", b"Upgrade", b"Expect",
        b"Authorization", b"Cookie", b"Set-Cookie", b"Cache-Control", b"Via", b"X-Forwarded-For", b"cOnTeNt-LeNgTh",
        b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Forwarded-Port", b"Forwarded", b"X-SSL-Client-Verify", b"Content-Type",
        b"Content-Encoding", b"Content-Range", b"Proxy-Authorization", b"Range", b"If-Match", b"Max-Forwards", b"X-Real-IP")
]

NEXT = get(target=b"/next")
# What is clear passes, and is one request in one form at the server.
PASSED = [
    ("plain", get(), get()),
    ("empty-line-first", b"\r\n" + get(), get()),
    ("value-trimmed", get(b"X:  \t a b \t \r\n"), get(b"X:  \t a b \t \r\n")),
    ("value-empty", get(b"X:\r\n"), get(b"X:\r\n")),
    ("value-8bit", get(b"X: \xe9\xff\r\n"), get(b"X: \xe9\xff\r\n")),
    ("names-kept", get(b"x-A_b.c!#$%&'*+^`|~: 1\r\n"), get(b"x-A_b.c!#$%&'*+^`|~: 1\r\n")),
    ("host-case", b"GET / HTTP/1.1\r\nhOSt:x\r\n\r\n", b"GET / HTTP/1.1\r\nhOSt:x\r\n\r\n"),
    ("host-port", hosts(b"Host: x:80\r\n"), hosts(b"Host: x:80\r\n")),
    ("host-ipv6", hosts(b"Host: [::1]:80\r\n"), hosts(b"Host: [::1]:80\r\n")),
    ("method-unknown", line(b"M-SEARCH / HTTP/1.1"), line(b"M-SEARCH / HTTP/1.1")),
    ("method-lower-case", line(b"get / HTTP/1.1"), line(b"get / HTTP/1.1")),
    ("options-star", line(b"OPTIONS * HTTP/1.1"), line(b"OPTIONS * HTTP/1.1")),
    ("options-absolute", line(b"OPTIONS http://x HTTP/1.1"), line(b"OPTIONS * HTTP/1.1")),
    ("absolute", line(b"GET http://x/a?b HTTP/1.1"), get(target=b"/a?b")),
    ("absolute-case", line(b"GET HTTP://X/a HTTP/1.1"), get(target=b"/a")),
    ("absolute-bare", line(b"GET http://x HTTP/1.1"), get()),
    ("absolute-query", line(b"GET http://x?a HTTP/1.1"), get(target=b"/?a")),
    ("absolute-https", line(b"GET https://x/a HTTP/1.1"), get(target=b"/a")),
    ("target-slashes", get(target=b"//x/a"), get(target=b"//x/a")),
    ("target-url-in-path", get(target=b"/http://y/"), get(target=b"/http://y/")),
    ("target-percent", get(target=b"/%00%0d%0a%2e"), get(target=b"/%00%0d%0a%2e")),
    ("target-8192", get(target=b"/" + b"a" * 8191), get(target=b"/" + b"a" * 8191)),
    ("length-0", post(b"Content-Length: 0\r\n"), post(b"Content-Length: 0\r\n")),
    ("length-zeros", post(b"Content-Length: 0005\r\n", b"hello"), post(b"Content-Length: 0005\r\n", b"hello")),
    ("body-of-get", get(b"Content-Length: 5\r\n") + b"hello", get(b"Content-Length: 5\r\n") + b"hello"),
    ("body-is-a-request", post(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
     post(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED)),
    ("length-with-underscore", post(b"Content_Length: 9\r\nContent-Length: 5\r\n", b"hello"),
     post(b"Content_Length: 9\r\nContent-Length: 5\r\n", b"hello")),
    ("chunked-case", post(b"Transfer-Encoding: ChunKed\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
     post(b"Transfer-Encoding: ChunKed\r\n", b"5\r\nhello\r\n0\r\n\r\n")),
    ("chunk-zeros", post(b"Transfer-Encoding: chunked\r\n", b"0000000005\r\nhello\r\n00\r\n\r\n"),
     post(b"Transfer-Encoding: chunked\r\n", b"0000000005\r\nhello\r\n00\r\n\r\n")),
    ("chunk-extensions", post(b"Transfer-Encoding: chunked\r\n", b'5 ;a;b=c;d="e;\\"f"\r\nhello\r\n0;z\r\n\r\n'),
     post(b"Transfer-Encoding: chunked\r\n", b'5 ;a;b=c;d="e;\\"f"\r\nhello\r\n0;z\r\n\r\n')),
    ("chunk-is-a-request", post(b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
     post(b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED))),
    ("trailer", post(b"Transfer-Encoding: chunked\r\n", b"0\r\nX-Sum: 1\r\n\r\n"),
     post(b"Transfer-Encoding: chunked\r\n", b"0\r\nX-Sum: 1\r\n\r\n")),
    ("connection-names-cut", get(b"Connection: x-a, keep-alive\r\nX-A: 1\r\nX-B: 2\r\n"), get(b"X-B: 2\r\n")),
    ("connection-needed-kept", get(b"Connection: host, cookie, authorization\r\nCookie: a=1\r\nAuthorization: b\r\n"),
     get(b"Cookie: a=1\r\nAuthorization: b\r\n")),
    ("connection-length-kept", post(b"Connection: content-length\r\nContent-Length: 5\r\n", b"hello"),
     post(b"Content-Length: 5\r\n", b"hello")),
    ("connection-coding-kept", post(b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
     post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    ("connection-empty-elements", get(b"Connection: , ,keep-alive,\r\n"), get()),
    ("hop-by-hop-cut", get(b"Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n"), get()),
    ("upgrade-alone-cut", get(b"Upgrade: websocket\r\n"), get()),
    ("upgrade-h2c-cut", get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), get()),
    ("upgrade-h2c-in-list-cut", get(b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), get()),
    ("upgrade", get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"), get(b"Upgrade: websocket\r\nConnection: Upgrade\r\n")),
    ("expect", post(b"Expect: 100-Continue\r\nContent-Length: 5\r\n", b"hello"),
     post(b"Expect: 100-Continue\r\nContent-Length: 5\r\n", b"hello")),
    ("two-requests", get(target=b"/1") + get(target=b"/2"), get(target=b"/1") + get(target=b"/2")),
    ("length-then-request", post(b"Content-Length: 5\r\n", b"hello") + get(target=b"/2"),
     post(b"Content-Length: 5\r\n", b"hello") + get(target=b"/2")),
    ("chunks-then-request", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n") + get(target=b"/2"),
     post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n") + get(target=b"/2")),
]
TWO = {"two-requests", "length-then-request", "chunks-then-request"}  # of these, what passes is two requests
# Their connection ends behind them: HTTP/1.0, and close.
LAST = [
    ("close", get(b"Connection: close\r\n"), get()),
    ("close-in-list", get(b"Connection: x-a, Close\r\nX-A: 1\r\n"), get()),
    ("close-and-keep-alive", get(b"Connection: close, keep-alive\r\n"), get()),
    ("1.0-bare", b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"),
    ("1.0-host", hosts(b"Host: x\r\n", b"1.0"), hosts(b"Host: x\r\n", b"1.0")),
    ("1.0-absolute", b"GET http://x:80/a HTTP/1.0\r\n\r\n", b"GET /a HTTP/1.0\r\nHost: x:80\r\n\r\n"),
    ("1.0-absolute-host", b"GET http://x/a HTTP/1.0\r\nHost: x\r\n\r\n", b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n"),
    ("1.0-body", b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello"),
    ("1.0-upgrade", hosts(b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", b"1.0"), hosts(b"Host: x\r\n", b"1.0")),
]
# A good request, then what is left over when its body was longer than it said: answered, then refused.
REMAINS = [
    ("length-short", post(b"Content-Length: 3\r\n", b"hello\r\n\r\n"), post(b"Content-Length: 3\r\n", b"hel")),
    ("length-none", post(b"", b"hello\r\n\r\n"), post(b"")),
    ("get-with-body", get() + b"hello\r\n\r\n", get()),
    ("behind-last-chunk", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\nhello\r\n\r\n"),
     post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n")),
    ("second-without-host", get() + b"GET /smuggled HTTP/1.1\r\n\r\n", get()),
    ("two-empty-lines-between", get() + b"\r\n\r\n" + SMUGGLED, get()),
]


def connect(target=b"x:443", fields=b"Host: x\r\n", version=b"1.1", body=b""):
    return b"CONNECT " + target + b" HTTP/" + version + b"\r\n" + fields + b"\r\n" + body


# Of a service with connect=yes (test_proxy_connect.py): what is refused, and with which status.
CONNECT_REFUSED = [
    ("no-port", connect(b"x"), 400),
    ("empty-port", connect(b"x:"), 400),
    ("port-0", connect(b"x:0"), 400),
    ("port-65536", connect(b"x:65536"), 400),
    ("port-000443", connect(b"x:000443"), 400),
    ("port-name", connect(b"x:https"), 400),
    ("port-sign", connect(b"x:+443"), 400),
    ("two-ports", connect(b"x:80:443"), 400),
    ("two-targets", connect(b"x:443,y:443"), 400),
    ("no-host", connect(b":443"), 400),
    ("user", connect(b"u@x:443"), 400),
    ("encoded", connect(b"%78:443", b"Host: %78\r\n"), 400),
    ("bare-ipv6", connect(b"::1:443", b"Host: [::1]\r\n"), 400),
    ("open-bracket", connect(b"[::1:443", b"Host: [::1]\r\n"), 400),
    ("zone", connect(b"[fe80::1%25eth0]:443", b"Host: x\r\n"), 400),
    ("path", connect(b"/"), 400),
    ("path-of-authority", connect(b"//x:443"), 400),
    ("authority-with-path", connect(b"x:443/"), 400),
    ("authority-with-query", connect(b"x:443?a"), 400),
    ("url", connect(b"http://x:443/", b"Host: x:443\r\n"), 400),
    ("url-without-path", connect(b"https://x:443", b"Host: x:443\r\n"), 400),
    ("asterisk", connect(b"*"), 400),
    ("space", connect(b"x :443"), 400),
    ("no-host-field", connect(fields=b""), 400),
    ("other-host", connect(fields=b"Host: y\r\n"), 400),
    ("other-port", connect(fields=b"Host: x:80\r\n"), 400),
    ("other-form-of-port", connect(fields=b"Host: x:0443\r\n"), 400),
    ("empty-port-of-host", connect(fields=b"Host: x:\r\n"), 400),
    ("two-hosts", connect(fields=b"Host: x\r\nHost: x\r\n"), 400),
    ("length", connect(fields=b"Host: x\r\nContent-Length: 34\r\n"), 400),
    ("length-0", connect(fields=b"Host: x\r\nContent-Length: 0\r\n"), 400),
    ("chunked", connect(fields=b"Host: x\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"), 400),
    ("both", connect(fields=b"Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"), 400),
    ("version-2.0", connect(version=b"2.0"), 505),
    ("lower-case", b"connect x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("get", b"GET x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
]
