"""Keep-alive clients for lbdtest.Load: load.py ADDRESS PORT CLIENTS EVERY_MS CLOSE_EVERY.

Each client sends a GET every EVERY_MS milliseconds and opens a new connection after CLOSE_EVERY requests. Anything but a 200 is
a failure; the one exception is a kept connection that the proxy had closed before it saw a byte of the request, which
every HTTP client repeats (RFC 9112 section 9.3.1). Reads "count" and "stop" from standard input."""
import http.client
import json
import sys
import threading
import time

ADDRESS, PORT, CLIENTS, EVERY, CLOSE_EVERY = sys.argv[1], *map(int, sys.argv[2:6])
lock = threading.Lock()
result = {"ok": 0, "failed": [], "servers": {}, "repeated": 0}
stopping = threading.Event()


def one(c, fresh):
    """A request; True when the connection may be used again."""
    try:
        c.request("GET", "/")
        r = c.getresponse()
        body = r.read()
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as e:
        if fresh:
            raise
        result["repeated"] += 1
        c.close()
        return one(c, True)
    if r.status != 200:
        raise http.client.HTTPException(f"status {r.status}: {body[:80]!r}")
    with lock:
        result["ok"] += 1
        name = r.headers.get("X-Server", "")
        result["servers"][name] = result["servers"].get(name, 0) + 1
    return not r.will_close


def run():
    c, used = http.client.HTTPConnection(ADDRESS, PORT, timeout=30), 0
    while not stopping.wait(EVERY / 1000):
        try:
            keep = one(c, used == 0)
            used += 1
            if not keep or used >= CLOSE_EVERY:
                c.close()
                used = 0
        except (OSError, http.client.HTTPException) as e:
            with lock:
                result["failed"].append(f"{time.time():.3f} {type(e).__name__}: {e} (request {used} of its connection)")
            c.close()
            used = 0
    c.close()


threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
for t in threads:
    t.start()
print("started", flush=True)
for line in sys.stdin:
    if line == "stop\n":
        break
    print(result["ok"], flush=True)
stopping.set()
for t in threads:
    t.join()
print(json.dumps(result), flush=True)
