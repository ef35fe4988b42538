"""Configurations of HAProxy as they are in use, for test_import_haproxy_farms.py.

Each line ends in what import has to say of it: #= mapped, #~ mapped with a difference, #- not supported; of several the worst."""

WORDPRESS = r"""
global                                                                  #=
    log /dev/log local0                                                 #~
    chroot /var/lib/haproxy                                             #=
    user haproxy                                                        #=
    group haproxy                                                       #=
    daemon                                                              #=
    maxconn 4000                                                        #=
    tune.ssl.default-dh-param 2048                                      #~
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets         #=

defaults                                                                #=
    mode http                                                           #=
    option httplog                                                      #=
    option dontlognull                                                  #~
    option forwardfor                                                   #=
    option http-server-close                                            #=
    option redispatch                                                   #=
    retries 2                                                           #=
    timeout connect 2s                                                  #=
    timeout client 10s                                                  #=
    timeout server 10s                                                  #=
    timeout http-request 5s                                             #=
    errorfile 503 {tmp}/503.http                                        #=

frontend blog                                                           #~
    bind {address}:{plain}                                              #=
    bind {address}:{secure} ssl crt {pem} alpn h2,http/1.1              #~
    acl bare hdr(host) -i example.org                                   #~
    acl letsencrypt path_beg /.well-known/acme-challenge/               #=
    acl login path /wp-login.php                                        #=
    acl admin path_beg /wp-admin                                        #=
    acl ajax path /wp-admin/admin-ajax.php                              #=
    acl office src 127.0.9.0/24                                         #=
    acl static path_end -i .css .js .png .jpg .svg .woff2               #=
    acl uploads path_beg /wp-content/uploads/                           #=
    acl script path_end .php                                            #=
    acl xmlrpc path /xmlrpc.php                                         #=
    acl logged_in cook(wordpress_logged_in) -m found                    #=
    stick-table type ip size 100k expire 10m store http_req_rate(600s)  #~
    http-request track-sc0 src if login                                 #~
    http-request deny deny_status 405 if xmlrpc                         #=
    http-request deny if uploads script                                 #=
    http-request deny deny_status 429 if login {{ sc_http_req_rate(0) gt 5 }} #=
    http-request deny if admin !ajax !office                            #=
    http-request redirect prefix http://www.example.org code 301 if bare #=
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}     #=
    http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}     #=
    http-request del-header Proxy                                       #=
    http-response del-header X-Powered-By                               #=
    http-response set-header X-Frame-Options SAMEORIGIN                 #=
    http-response set-header Strict-Transport-Security max-age=31536000 if {{ ssl_fc }} #=
    use_backend acme if letsencrypt                                     #=
    use_backend media if static !logged_in                              #=
    default_backend php                                                 #=

backend php                                                             #=
    balance leastconn                                                   #=
    cookie WP insert indirect nocache httponly                          #~
    option httpchk HEAD /wp-login.php                                   #=
    http-check expect status 200                                        #=
    server a {a} check cookie a maxconn 50                              #~
    server b {b} check cookie b maxconn 50                              #~

backend media                                                           #=
    http-response set-header Cache-Control "public, max-age=86400"      #=
    server c {c} check inter 5s                                         #=

backend acme                                                            #=
    http-request set-path /acme%[path]                                  #=
    server d {d}                                                        #=
"""

EXCHANGE = r"""
defaults                                                                #=
    mode http                                                           #=
    timeout connect 2s                                                  #=
    timeout client 10s                                                  #=
    timeout server 10s                                                  #=
    option forwardfor                                                   #=

frontend mail                                                           #~
    bind {address}:{plain}                                              #=
    bind {address}:{secure} ssl crt {pem} alpn http/1.1 no-tls-tickets  #~
    http-request redirect scheme https code 302 if !{{ ssl_fc }}        #=
    http-request redirect location /owa/ code 302 if {{ path / }}       #=
    http-request deny if {{ path_beg -i /ecp }} !{{ src 127.0.9.0/24 }} #=
    http-request set-header X-Forwarded-Proto https                     #=
    http-request set-header X-Via %[ssl_fc_sni]                         #=
    http-response replace-header Set-Cookie ^((?:.)*)$ "\1; Secure"     #=
    http-response del-header Server                                     #=
    acl autodiscover url_beg -i /autodiscover                           #=
    acl autodiscover ssl_fc_sni -i autodiscover.example.org             #=
    acl activesync path_beg -i /Microsoft-Server-ActiveSync             #=
    acl mapi path_beg -i /mapi                                          #=
    acl ews path_beg -i /ews                                            #=
    acl owa path_beg -i /owa /ecp                                       #=
    use_backend autodiscover if autodiscover                            #=
    use_backend activesync if activesync                                #=
    use_backend mapi if mapi or ews                                     #=
    use_backend owa if owa                                              #=
    default_backend rest                                                #=

backend autodiscover                                                    #=
    option httpchk GET /autodiscover/healthcheck.htm                    #=
    http-check expect string 200\ OK                                    #=
    server a {a} check                                                  #=
backend activesync                                                      #=
    stick-table type string len 64 size 10k expire 1h                   #~
    stick on hdr(X-MS-DeviceId)                                         #=
    timeout server 3m                                                   #=
    server b {b}                                                        #=
backend mapi                                                            #=
    balance source                                                      #=
    server c {c}                                                        #=
backend owa                                                             #=
    http-request set-header X-Owa yes                                   #=
    server d {d}                                                        #=
backend rest                                                            #=
    http-request deny deny_status 404                                   #=
    server a {a}                                                        #=
"""

GRPC = r"""
defaults                                                                #=
    mode http                                                           #=
    timeout connect 2s                                                  #=
    timeout client 1h                                                   #=
    timeout server 1h                                                   #=
    timeout http-request 10s                                            #=

frontend grpc                                                           #~
    bind {address}:{plain} proto h2                                     #=
    bind {address}:{secure} ssl crt {pem} alpn h2                       #~
    http-request deny deny_status 400 if !{{ req.hdr(content-type) -m beg application/grpc }} #=
    http-request set-priority-class int(-100) if {{ path_beg /grpc.health.v1.Health/ }} #=
    http-request set-priority-offset int(50) if {{ path_end /Batch }}   #-
    use_backend %[path,map_beg({tmp}/services.map,users)]               #~
    default_backend none                                                #=

backend none                                                            #=
    http-request deny deny_status 501                                   #=
    server a {a}                                                        #=
backend users                                                           #=
    server a {a}                                                        #=
backend orders                                                          #=
    balance random                                                      #=
    server b {b}                                                        #=
    server c {c}                                                        #=
backend health                                                          #=
    server d {d}                                                        #=
"""

GATEWAY = r"""
global                                                                  #=
    nbthread 2                                                          #=

defaults                                                                #=
    mode http                                                           #=
    timeout connect 2s                                                  #=
    timeout client 5s                                                   #=
    timeout server 5s                                                   #=

frontend api                                                            #=
    bind {address}:{plain}                                              #=
    option forwardfor                                                   #=
    unique-id-header X-Request-ID                                       #~
    stick-table type string len 64 size 100k expire 1h store http_req_rate(600s) #~
    acl has_key req.hdr(X-Api-Key) -m found                             #=
    acl known_key req.hdr(X-Api-Key) -f {tmp}/keys.lst                  #~
    acl preflight method OPTIONS                                        #=
    acl health path /healthz                                            #=
    acl v1 path_beg /v1/                                                #=
    http-request track-sc0 req.hdr(X-Api-Key) if has_key                #~
    http-request return status 200 content-type application/json string "{{\"status\":\"up\"}}" if health #=
    http-request return status 200 content-type text/plain file {tmp}/robots.txt if {{ path /robots.txt }} #=
    http-request return status 200 content-type text/plain lf-string "%[src]" if {{ path /ip }} #-
    http-request return status 204 hdr Access-Control-Allow-Origin "*" hdr Access-Control-Max-Age 600 if preflight #~
    http-request return status 503 errorfile {tmp}/503.http if {{ path /down }} #=
    http-request return status 308 hdr Location /v2%[path] if {{ path_beg /beta/ }} #=
    http-request deny deny_status 401 if !has_key                       #~
    http-request deny deny_status 403 content-type application/json string "{{\"error\":\"key\"}}" if !known_key #=
    http-request deny deny_status 429 content-type application/json file {tmp}/slow.json if {{ sc_http_req_rate(0) gt 12 }} #=
    http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt 1000 }} #=
    http-request set-priority-class int(10) if {{ path_beg /v1/reports }} #=
    http-request set-header X-Request-Start t=%Ts                       #-
    http-request set-header X-Original %[capture.req.uri]               #=
    use_backend legacy if v1 {{ path_beg /v1/old/ }}                    #=
    use_backend %[path,map_beg({tmp}/routes.map,fallback)] if v1        #~
    use_backend %[req.hdr(host),lower,map({tmp}/tenants.map)] if {{ path_beg /t/ }} #~
    use_backend %[path,map_reg({tmp}/patterns.map)] if {{ path_beg /r/ }} #~
    use_backend %[src,map_ip({tmp}/nets.map)] if {{ path_beg /n/ }}     #~
    use_backend svc_%[req.hdr(X-Service)] if {{ path_beg /s/ }}         #=
    default_backend fallback                                            #=

backend svc_users                                                       #=
    http-request replace-path /v1/users(.*) /users\1                    #=
    http-response set-header X-Served-By users                          #=
    server a {a}                                                        #=
backend svc_orders                                                      #=
    server b {b}                                                        #=
backend legacy                                                          #=
    http-request replace-path /v1/old/(.*) /\1                          #=
    http-request set-query old=1 if {{ path /x }}                       #=
    server c {c}                                                        #=
backend fallback                                                        #=
    http-response set-header X-Served-By fallback                       #=
    server d {d}                                                        #=
backend red                                                             #=
    server a {a}                                                        #=
backend blue                                                            #=
    server b {b}                                                        #=
"""

DESKTOPS = r"""
defaults                                                                #=
    mode tcp                                                            #=
    timeout connect 2s                                                  #=
    timeout client 1h                                                   #=
    timeout server 1h                                                   #=

frontend rdp                                                            #=
    bind {address}:{plain}                                              #=
    tcp-request inspect-delay 5s                                        #=
    tcp-request content reject if {{ src 127.0.9.9 }}                   #=
    tcp-request content accept if RDP_COOKIE                            #=
    default_backend farm                                                #=

backend farm                                                            #=
    balance rdp-cookie                                                  #=
    persist rdp-cookie                                                  #=
    stick-table type string len 32 size 10k expire 8h                   #~
    stick on rdp_cookie(mstshash)                                       #=
    server a {a}                                                        #=
    server b {b}                                                        #=
    server c {c}                                                        #=
"""

DATABASE = r"""
defaults                                                                #=
    mode tcp                                                            #=
    timeout connect 1s                                                  #=
    timeout client 30m                                                  #=
    timeout server 30m                                                  #=
    timeout check 1s                                                    #=
    default-server inter 300ms fall 2 rise 1 on-marked-down shutdown-sessions #~

listen writes                                                           #=
    bind {address}:{plain}                                              #=
    option pgsql-check user haproxy                                     #~
    option tcp-check                                                    #=
    tcp-check connect                                                   #=
    tcp-check comment "no more than that"                               #=
    tcp-request connection reject if {{ src 127.0.9.9 }}                #=
    server primary {dead} check                                         #=
    server standby {b} check backup                                     #=

listen reads                                                            #=
    bind {address}:{secure}                                             #=
    balance leastconn                                                   #=
    option allbackups                                                   #=
    server a {a} check weight 10                                        #=
    server gone {dead} check weight 10                                  #=
    server c {c} check weight 10 backup                                 #=
"""

# What has no place with us: each of these lines says why.
STRANGER = r"""
global                                                                  #=
    log 127.0.0.1:5514 local0                                           #~
    log 127.0.0.2:5514 local1 notice                                    #-
    stats socket /run/haproxy/admin.sock mode 660 level admin           #~
    cpu-map auto:1/1-2 0-1                                              #-
    localpeer here                                                      #~
    set-var proc.x str(y)                                               #-
    maxcompcpuusage 50                                                  #-

peers mates                                                             #~
    bind 127.0.0.1:10000                                                #~
    peer here 127.0.0.1:10000                                           #~
    table t type ip size 1m store gpc0                                  #~

resolvers dns                                                           #~
    nameserver one 127.0.0.53:53                                        #~
    resolve_retries 3                                                   #~
    hold valid 10s                                                      #~

userlist people                                                         #-
    group staff users anna                                              #-
    user anna insecure-password geheim                                  #-

mailers post                                                            #-
    mailer one 127.0.0.1:25                                             #-

cache small                                                             #-
    total-max-size 4                                                    #-
    max-age 60                                                          #-

ring buffer                                                             #-
    format rfc3164                                                      #-
    size 32764                                                          #-

program helper                                                          #-
    command /bin/true                                                   #-

fcgi-app php                                                            #-
    docroot /var/www                                                    #-
    index index.php                                                     #-

http-errors site                                                        #=
    errorfile 503 {tmp}/503.http                                        #=

defaults                                                                #=
    mode http                                                           #=
    timeout connect 2s                                                  #=
    timeout client 5s                                                   #=
    timeout server 5s                                                   #=
    timeout client-fin 1s                                               #-
    timeout tarpit 5s                                                   #-
    option http-ignore-probes                                           #=
    option log-separate-errors                                          #-
    email-alert mailers post                                            #-
    email-alert from a@example.org                                      #-
    email-alert to b@example.org                                        #-

frontend f                                                              #=
    bind {address}:{plain}                                              #=
    monitor-net 127.0.9.0/24                                            #-
    monitor-uri /up                                                     #~
    monitor fail if {{ nbsrv(b) lt 1 }}                                 #-
    filter cache small                                                  #-
    filter compression                                                  #-
    option originalto                                                   #-
    capture request header User-Agent len 64                            #-
    rate-limit sessions 100                                             #-
    unique-id-format %{{+X}}o%ci                                        #~
    unique-id-header X-Id                                               #~
    stick-table type ip size 1m expire 1h store gpc0,http_req_rate(10s) peers mates #-
    acl few nbsrv(b) lt 1                                               #-
    acl old req.fhdr(user-agent),lower,strcmp(txn.x) 0                  #-
    acl long path_len gt 100                                            #-
    acl teen rand(100) lt 10                                            #-
    http-request set-var(txn.host) req.hdr(host)                        #-
    http-request sc-inc-gpc0(0)                                         #-
    http-request cache-use small                                        #-
    http-request auth realm x if {{ path_beg /private }}                #-
    http-request deny if few                                            #-
    http-request deny if long                                           #-
    http-request set-log-level silent if {{ path /quiet }}              #-
    http-request set-nice 5                                             #-
    http-request set-tos 0x10                                           #-
    http-request set-method POST                                        #-
    http-request normalize-uri path-merge-slashes                       #-
    http-request add-acl({tmp}/keys.lst) %[src]                         #-
    http-request early-hint Link "</a.css>; rel=preload"                #-
    http-request capture req.hdr(host) len 20                           #-
    http-request use-service prometheus-exporter if {{ path /metrics }} #-
    http-request set-header X-R %[rand]                                 #-
    http-request set-priority-class hdr(X-P)                            #-
    http-request return status 200 content-type text/plain lf-file {tmp}/format.txt if {{ path /f }} #-
    http-after-response set-header X-All yes                            #-
    http-response cache-store small                                     #-
    http-response deny if {{ status 500 }}                              #-
    use_backend %[req.hdr(host),lower,map({tmp}/none.map)] if {{ path /m }} #-
    use_backend %[base,map_beg({tmp}/tenants.map)] if {{ path /m }}     #-
    use_backend %[path,url_dec,map({tmp}/tenants.map)] if {{ path /m }} #-
    use_backend %[var(txn.host)] if {{ path /v }}                       #-
    use_backend b if teen                                               #-
    default_backend b                                                   #=

backend b                                                               #=
    balance hdr(X-Key)                                                  #=
    hash-type map-based                                                 #~
    option prefer-last-server                                           #-
    option nolinger                                                     #-
    option checkcache                                                   #-
    http-send-name-header X-Server                                      #-
    retry-on all-retryable-errors                                       #~
    stick store-request src table t2                                    #-
    use-server a if {{ path /a }}                                       #-
    server a {a} check agent-check agent-port 9999                      #-
    server b {b} check observe layer7 error-limit 5 on-error mark-down  #-
    server c {c} check addr 127.0.0.1 track b2/x                        #-
    server d {d} ssl verify none                                        #-

backend b2                                                              #-
    server x {a} check                                                  #=

backend t2                                                              #-
    stick-table type ip size 1m                                         #=
"""

FARMS = {"wordpress": WORDPRESS, "exchange": EXCHANGE, "grpc": GRPC, "gateway": GATEWAY, "desktops": DESKTOPS, "database": DATABASE,
         "stranger": STRANGER}
