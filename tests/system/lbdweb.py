"""What the tests of lbd-web share: a panel below a root folder of its own, and clients for API and forms."""
import http.client
import json
import re
import ssl
import urllib.parse

from lbdtest import SLOW, Lbd, free_port, wait_until

JSON = {"Content-Type": "application/json"}


class Web(Lbd):
    """lbd-web (and what else is named) with ports of its own."""

    def __init__(self, root, *daemons, netns=None):
        super().__init__(root, "lbd-web", *daemons, netns=netns)
        self.https, self.http = free_port("127.0.0.1"), free_port("127.0.0.1")
        self.ctl("set", "setting", f"https_port={self.https}", f"http_port={self.http}")

    def start(self, *names, **kw):
        super().start(*names, **kw)
        if "lbd-web" in (names or self.daemons):
            wait_until(lambda: self.raw("GET", "/login").status == 200, what="the panel")
        return self

    @property
    def password(self):
        return (self.root / "var/lib/lbd/initial-password").read_text().strip()

    def raw(self, method, path, body=None, headers=(), tls=False, source=None):
        """One request; the answer with .status, .headers, .body."""
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            c = http.client.HTTPSConnection("127.0.0.1", self.https, timeout=10 * SLOW, context=context)
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.http, timeout=10 * SLOW,
                                           source_address=source and (source, 0))
        try:
            c.request(method, path, body, dict(headers))
            r = c.getresponse()
            r.body = r.read()
            return r
        except OSError:
            r = type("Nothing", (), {"status": 0, "headers": {}, "body": b""})()
            return r
        finally:
            c.close()

    def login(self, user="admin", password=None, tls=False, source=None):
        """A form session."""
        return Form(self, user, password or self.password, tls, source)

    def api(self, role="admin"):
        """An API client with a new token of this role."""
        name = f"t-{role}"
        with_session = Session(self)
        r = with_session("PUT", f"/tokens/{name}", {"role": role})
        assert r.status in (200, 201), r.json
        key = r.json.get("key") or with_session("DELETE", f"/tokens/{name}") and \
            with_session("PUT", f"/tokens/{name}", {"role": role}).json["key"]
        assert re.fullmatch(r"lbd_[0-9A-Za-z]{40}", key)
        wait_until(lambda: Api(self, key)("GET", "/status").status == 200, what="the token to be known")
        return Api(self, key)


class Api:
    """api("PUT", "/vips/web", {...}, query, headers) over loopback HTTP."""

    def __init__(self, web, key=None):
        self.web, self.headers = web, {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(self, method, path, body=None, headers=(), **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        data = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
        r = self.web.raw(method, "/api/v1" + path, data, {**(JSON if data is not None else {}), **self.headers,
                                                          **dict(headers)})
        r.json = json.loads(r.body) if r.body and "json" in r.headers.get("Content-Type", "") else None
        return r


class Session(Api):
    """The API with a password: a cookie and its token."""

    def __init__(self, web, user="admin", password=None):
        super().__init__(web)
        r = self("POST", "/session", {"user": user, "password": password or web.password})
        assert r.status == 200, r.body
        self.csrf = r.json["csrf"]
        self.headers = {"Cookie": r.headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": self.csrf}


class Form:
    """A browser without script."""

    def __init__(self, web, user, password, tls=False, source=None):
        self.web, self.tls = web, tls
        self.first = web.raw("POST", "/login", urllib.parse.urlencode({"user": user, "password": password}),
                             {"Content-Type": "application/x-www-form-urlencoded"}, tls, source)
        self.cookie = (self.first.headers.get("Set-Cookie") or "").split(";")[0]

    def get(self, path="/"):
        return self.web.raw("GET", path, headers={"Cookie": self.cookie}, tls=self.tls)

    def csrf(self):
        return re.search(rb'name="csrf" value="([^"]+)"', self.get().body)[1].decode()

    def post(self, path, fields, headers=(), csrf=True):
        fields = dict(fields, csrf=self.csrf()) if csrf else fields
        return self.web.raw("POST", path, urllib.parse.urlencode(fields),
                            {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self.cookie,
                             **dict(headers)}, self.tls)
