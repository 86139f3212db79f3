//! The shell fragment: which servers run, which files their configuration is made of, which
//! certificates it names, and what listens.
//!
//! Nothing of a server is started, not even to ask for its configuration: `nginx -T` takes root,
//! opens logs and makes folders. Its files are read instead, and of these only what has to do
//! with TLS is sent: the words of every other line stay on the host, and so does any key.

/// What the rest uses. POSIX has no local variables, so a name that must outlive a call is one
/// that the called function does not use.
///
/// - `srv_server KIND PID` frames a server, with its program and its arguments, one a line;
/// - `srv_root KIND FILE BASE` frames a file that the server itself opens first, and what it
///   includes: the files, and `glob PATTERN` with what that fits, in the order of the shell;
/// - `srv_want FILE` is `want`, but for what lies behind a folder that cannot be entered, which is
///   not missing, and not broken if it is a link;
/// - `srv_option -c` takes the value of an option from the arguments, as `$O`.
pub(super) const FUNCTIONS: &str = r#"
ROOTS= C= T= D=/proc SRV_DEFS= SRV_CRT= files=0
srv_server() { mark frame server "$1" "$2"; printf '%s\n' "$PROG" "$ARGS"; }
srv_root() {
mark frame root "$2"
printf '%s\n' "$3"
case $NL$ROOTS in *"$NL$1 $2$NL"*) return;; esac
ROOTS="$ROOTS$1 $2$NL"
srv_follow "$1" "$2" "$3"
}
srv_want() {
case $1 in /*) ;; *) return 1;; esac
[ -e "$1" ] || {
d=$1
[ -L "$1" ] && { d=$(readlink "$1"); case $d in /*) ;; *) d=${1%/*}/$d;; esac; }
while [ -n "$d" ] && ! [ -d "$d" ]; do d=${d%/*}; done
[ -x "${d:-/}" ] || { mark frame state unreadable "$1"; return 1; }
}
want "$1"; }
srv_follow() {
Q=$2$NL SRV_BASE=$3 depth=0 SEEN=$NL
case $1 in
nginx) a=$NGINX;;
apache) a=$APACHE
[ -f "${2%/*}/envvars" ] && Q=${2%/*}/envvars$NL$Q;;
haproxy) a=$HAPROXY;;
esac
while [ -n "$Q" ] && [ $depth -lt 10 ]; do
depth=$((depth+1))
set --
set -f
IFS=$NL
for f in $Q; do
unset IFS
[ $files -lt 3000 ] || { mark frame toomany conf; break; }
srv_want "$f" && { files=$((files+1)); set -- "$@" "$Z$f"; }
done
unset IFS
Q=
[ $# -gt 0 ] || break
mark frame heads
O=$( { head -c 262144 /dev/null "$@" | SRV_BASE=$SRV_BASE SRV_DEFS=$SRV_DEFS SRV_CRT=$SRV_CRT SRV_DEPTH=$depth awk -v z="==> $Z" "$a" >&3; } 2>&1 )
IFS=$NL
for line in $O; do
case $line in
'c '*) C=$C${line#c }$NL;;
'd '*) SRV_DEFS=$SRV_DEFS${line#d }$NL;;
'b '*) SRV_BASE=${line#b };;
'r '*) SRV_CRT=${line#r };;
'i '*)
p=${line#i }
case $SEEN in *"$NL$p$NL"*) continue;; esac
SEEN=$SEEN$p$NL
unset IFS
d=${p%/*}
[ -d "$d" ] && { [ -r "$d" ] && [ -x "$d" ] || mark frame folder unreadable "$d"; }
mark frame glob "$p"
[ -d "$p" ] && p=${p%/}/*
set +f
IFS=
for f in $p; do
case $f in *"$NL"*) continue;; esac
if [ -e "$f" ] || [ -L "$f" ]; then
printf '%s\n' "$f"
Q=$Q$f$NL
fi
done
set -f
IFS=$NL;;
esac
done
unset IFS
done
set +f
}
srv_option() {
O= p=
set -f
IFS=$NL
for w in $ARGS; do
case $p in "$1") O=$w; break;; esac
case $w in "$1"?*) O=${w#"$1"}; break;; esac
p=$w
done
unset IFS
set +f
}
srv_first() {
for f in "$@"; do [ -f "$f" ] && { O=$f; return; }; done
O=$1
}
srv_built() {
O=$(grep -a -o -e "$1=[^ ]*" "$PROG")
O=${O%%"$NL"*}
O=${O#"$1="}
}
srv_apache_base() { b=${1%/*} b=${b%/conf}; }
# Where a process was started, as $d; a question mark if only root is told.
srv_cwd() { d=$(readlink "/proc/$1/cwd") || d=?; d=${d%/}; }
srv_nginx() {
srv_option -p
b=${O%/}
srv_option -c
g=$O$b
[ -n "$O" ] || srv_built --conf-path
case $O in /*) ;; *)
c=${O:-conf/nginx.conf}
[ -n "$b" ] || { srv_built --prefix; b=${O%/}; }
b=${b:-/usr/local/nginx}
case $b in /*) ;; *) srv_cwd "$1"; b=$d/$b;; esac
O=$b/$c
[ -n "$g" ] || srv_first "$O" /etc/nginx/nginx.conf /usr/local/openresty/nginx/conf/nginx.conf /etc/angie/angie.conf;;
esac
srv_root nginx "$O" "${O%/*}"
}
srv_apache() {
srv_option -d
b=${O%/}
srv_option -f
[ -n "$O" ] || srv_first ${b:+"$b/apache2.conf" "$b/conf/httpd.conf"} /etc/apache2/apache2.conf /etc/httpd/conf/httpd.conf /usr/local/apache2/conf/httpd.conf /etc/httpd/httpd.conf
case $O in /*) ;; *) O=${b:-/etc/apache2}/$O;; esac
[ -n "$b" ] || srv_apache_base "$O"
SRV_DEFS=
srv_root apache "$O" "$b"
}
srv_haproxy() {
srv_option -C
b=${O%/}
case $b in /*) ;; *) srv_cwd "$1"; b=$d${b:+/$b};; esac
SRV_CRT= v= n=0
set -f
IFS=$NL
for u in $ARGS; do
unset IFS
case $v in -f)
n=1
case $u in /*) ;; *) u=$b/$u;; esac
if [ -d "$u" ]; then
set +f
for g in "$u"/*.cfg; do [ -f "$g" ] && srv_root haproxy "$g" "$b"; done
else srv_root haproxy "$u" "$b"; fi;;
esac
v=$u
done
unset IFS
set +f
[ $n -eq 1 ] || srv_root haproxy /etc/haproxy/haproxy.cfg "$b"
}
srv_args() {
ARGS=$(tr '\0' '\n' <"$D/$1/cmdline")
case $ARGS in *': master process '*)
ARGS=${ARGS#*: master process }
set -f
ARGS=$(printf '%s\n' $ARGS)
set +f;;
esac
PROG=${ARGS%%"$NL"*}
case $ARGS in *"$NL"*) ARGS=${ARGS#*"$NL"};; *) ARGS=;; esac
case $PROG in /*) ;; *) PROG=$(command -v "$PROG");; esac
if [ -e "$D/$1/exe" ] && ! [ "$D/$1/exe" -ef "$PROG" ]; then
O=$(readlink "$D/$1/exe")
PROG=${O%" (deleted)"}
fi
}
srv_told() {
case $NL$ROOTS in *"$NL$1 $2$NL"*) return;; esac
ARGS= PROG= SRV_DEFS= SRV_CRT= b=${2%/*}
[ "$1" = apache ] && srv_apache_base "$2"
srv_server "$1" 0
srv_root "$1" "$2" "$b"
}
srv_pidfile() {
[ -f "$2" ] && [ -r "$2" ] && [ -f "$3" ] || return
v=
{ read -r v; } <"$2"
case $v in ''|*[!0-9]*) return;; esac
D=/proc
[ -d "$R/proc/$v" ] && { D=$R/proc T="$T $Z$D/$v/cgroup"; }
[ -d "$D/$v" ] || return
srv_args "$v"
srv_server "$1" "$v"
srv_root "$1" "$3" "${3%/*}"
}
# The namespace of mounts says nothing: systemd gives one to every unit with PrivateTmp=.
srv_apart() { [ "/proc/$1" -ef "/proc/$1" ] && ! [ "/proc/$1" -ef "/proc/$2" ]; }
"#;

/// Reads one file after the other and lets through what has to do with TLS; any other word of
/// nginx's becomes an `x`, so that quotes, braces and the numbers of lines stay. What is included
/// and what is loaded goes to stderr, as `i PATH` and `c PATH`.
pub(super) const NGINX: &str = r##"NGINX='
function out(what, path) {
if (path == "" || path ~ /\$/ || path ~ /^(data|engine|store):/) return
if (path !~ /^\//) path = ENVIRON["SRV_BASE"] "/" path
if (!((what path) in told)) { told[what path] = 1; print what " " path > "/dev/stderr" } }
index($0, z) == 1 { print; keep = drop = 0; word = ""; next }
/-----BEGIN/ { drop = 1 }
drop || length($0) > 65536 { print ""; next }
/^[ \t]*#/ { print "#"; next }
{ is = keep || /(^|[;{}])[ \t]*(include|listen|server_name|ssl[a-z_]*|server|http|stream|mail|starttls|[a-z_]*_by_lua_block)([ \t;{\r]|$)/
line = $0
if (!is) gsub(/[^ \t\r{};"\047#\\$]+/, "x", line)
print line
line = $0
sub(/[ \t]#.*$/, "", line)
keep = is && line !~ /[;{}][ \t\r]*$/ }
word != "" || /include|ssl_certificate/ {
rest = $0
while (match(rest, /^[ \t\r]*("[^"]*"|\047[^\047]*\047|[^ \t\r;{}"\047#][^ \t\r;{}]*|[;{}])/)) {
token = substr(rest, RSTART, RLENGTH)
rest = substr(rest, RSTART + RLENGTH)
sub(/^[ \t\r]+/, "", token)
if (token ~ /^[;{}]$/) { word = ""; continue }
if (token ~ /^["\047]/) token = substr(token, 2, length(token) - 2)
if (word == "include") out("i", token)
else if (word == "ssl_certificate") out("c", token)
word = (token == "include" || token == "ssl_certificate") ? token : ""
} }
'"##;

/// The same for Apache, where other lines become empty. `d NAME VALUE` tells of a variable, `b
/// PATH` of the `ServerRoot`.
pub(super) const APACHE: &str = r#"APACHE='
function expand(text, name, n) {
while (n++ < 20 && match(text, /\$\{[A-Za-z0-9_]+\}/)) {
name = substr(text, RSTART + 2, RLENGTH - 3)
if (!(name in defs)) break
text = substr(text, 1, RSTART - 1) defs[name] substr(text, RSTART + RLENGTH) }
return text }
function define(name, value) { if (!(name in defs)) { defs[name] = value; print "d " name " " value > "/dev/stderr" } }
function argument(text) {
sub(/^[ \t]+/, "", text)
if (text ~ /^"/) { text = substr(text, 2); sub(/".*/, "", text) }
else if (text ~ /^\047/) { text = substr(text, 2); sub(/\047.*/, "", text) }
else sub(/[ \t].*/, "", text)
return text }
function out(what, path) {
path = expand(path)
if (path == "" || path ~ /\$\{/ || path ~ /^pkcs11:/) return
if (path !~ /^\//) path = base "/" path
if (!((what path) in told)) { told[what path] = 1; print what " " path > "/dev/stderr" } }
BEGIN { base = ENVIRON["SRV_BASE"]
count = split(ENVIRON["SRV_DEFS"], lines, "\n")
for (i = 1; i <= count; i++) { at = index(lines[i], " "); if (at) defs[substr(lines[i], 1, at - 1)] = substr(lines[i], at + 1) } }
index($0, z) == 1 { print; env = /\/envvars <==$/; more = drop = 0; whole = ""; next }
/-----BEGIN/ { drop = 1 }
drop || length($0) > 65536 { print ""; next }
env { line = $0
if (line !~ /^[ \t]*export[ \t]+APACHE_[A-Z_]+=[^`(]*$/) { print ""; next }
print line
sub(/^[ \t]*export[ \t]+/, "", line)
at = index(line, "=")
name = substr(line, 1, at - 1)
value = substr(line, at + 1)
gsub(/["\047]|\$SUFFIX|\$\{SUFFIX\}/, "", value)
define(name, value)
next }
{ line = $0
sub(/\r$/, "", line)
if (!more) is = tolower(line) ~ /^[ \t]*(<\/?(virtualhost|if|ifmodule|ifdefine|ifversion|iffile|ifdirective|else|elseif|macro)[ \t>]|(include|includeoptional|sslcertificate[a-z]*|sslengine|servername|serveralias|listen|define|undefine|serverroot|use|mdomain|mdomainsetsection|loadmodule)([ \t\\]|$))/
print (is ? line : "")
more = line ~ /\\$/
if (!is) next
if (more) { whole = whole substr(line, 1, length(line) - 1); next }
line = whole line
whole = ""
sub(/^[ \t]+/, "", line)
name = tolower(line)
sub(/[ \t].*/, "", name)
rest = substr(line, length(name) + 1)
if (name == "include" || name == "includeoptional") out("i", argument(rest))
else if (name == "sslcertificatefile" || name == "sslcertificatechainfile") out("c", argument(rest))
else if (name == "serverroot") { base = expand(argument(rest)); sub(/\/$/, "", base); print "b " base > "/dev/stderr" }
else if (name == "define") { sub(/^[ \t]+/, "", rest); name = rest; sub(/[ \t].*/, "", name); define(name, expand(argument(substr(rest, length(name) + 1)))) } }
'"#;

/// The same for haproxy: its own files first, then the files that `crt-list` names, where `i`
/// tells of these. `r PATH` tells of `crt-base`.
pub(super) const HAPROXY: &str = r#"HAPROXY='
function out(what, path, base) {
if (path == "" || path ~ /\$/ || path ~ /^@/) return
if (path !~ /^\//) path = base "/" path
if (!((what path) in told)) { told[what path] = 1; print what " " path > "/dev/stderr" } }
BEGIN { crt = ENVIRON["SRV_CRT"]; base = ENVIRON["SRV_BASE"]; list = ENVIRON["SRV_DEPTH"] > 1 }
index($0, z) == 1 { print; drop = 0; file = substr($0, length(z) + 1); sub(/\/[^\/]* <==$/, "", file); next }
/-----BEGIN/ { drop = 1 }
drop || length($0) > 65536 { print ""; next }
{ line = $0
gsub(/["\047\r]/, "", line)
n = split(line, w, /[ \t]+/)
i = w[1] == "" ? 2 : 1
first = w[i] }
list { if (first ~ /^[\/@]/ || first ~ /\./) { print; sub(/\[.*/, "", first); out("c", first, crt != "" ? crt : base) } else print ""
next }
first ~ /^(global|defaults|frontend|backend|listen|peers|ring|resolvers|userlist|mailers|cache|program|http-errors|fcgi-app|log-forward|log-profile|traces|acme|crt-store)$/ { section = first; store = ""; print; next }
first ~ /^(bind|crt-base|key-base|default-path|load|\.if|\.elif|\.else|\.endif)$/ {
print
if (first == "default-path" && w[i + 1] == "config") base = file
if (first == "default-path" && w[i + 1] == "origin") base = w[i + 2]
if (first == "crt-base" && section == "crt-store") store = w[i + 1]
else if (first == "crt-base") { crt = w[i + 1]; print "r " crt > "/dev/stderr" }
for (; i <= n; i++) {
if (w[i] ~ /^#/) break
if (w[i] == "crt" || w[i] == "default-crt") out("c", w[i + 1], store != "" ? store : crt != "" ? crt : base)
if (w[i] == "crt-list") out("i", w[i + 1], base) }
next }
{ print "" }
'"#;

/// Looks around with one process: what listens and which addresses there are, by the kernel's own
/// lists (in which listeners come first), and of the processes in `$SRV_P` who is whose parent.
/// `ip` and `ss` are not on every host and cost as much.
pub(super) const LOOK: &str = r#"LOOK='
function family(comm) { return comm == "haproxy" ? "haproxy" : comm == "apache2" || comm == "httpd" ? "apache" : "nginx" }
function spaces(file, line, n, w) {
while ((getline line < file) > 0) if (line ~ /^NSpid:/) n = split(line, w, /[ \t]+/)
close(file)
return n + 0 }
BEGIN {
for (i = 1; i <= 2; i++) {
file = i == 1 ? "/proc/net/tcp" : "/proc/net/tcp6"
for (n = 0; n < 4000 && (getline line < file) > 0; n++) {
split(line, w, " ")
if (w[4] == "0A") print "listen " w[2]
else if (w[4] != "st") break } }
for (n = 0; n < 100000 && (getline line < "/proc/net/fib_trie") > 0; n++) {
if (line ~ /\|-- /) { split(line, w, " "); address = w[2] }
else if (line ~ /\/32 host LOCAL/ && !(address in had)) { had[address] = 1; print "inet " address } }
for (n = 0; n < 4000 && (getline line < "/proc/net/if_inet6") > 0; n++) { split(line, w, " "); print "inet6 " w[1] }
while ((getline line < "/proc/stat") > 0) if (line ~ /^btime /) { print line; break }
count = split(ENVIRON["SRV_P"], file_of, "\n")
for (i = 1; i <= count && i <= 4000; i++) {
file = file_of[i]
if (file !~ /^\/proc\/[0-9]+\/comm$/) continue
sub(/comm$/, "stat", file)
line = ""
if ((getline line < file) > 0) {
close(file)
split(line, w, " ")
comm = w[2]
gsub(/[()]/, "", comm)
if (w[3] != "Z") { kind[w[1]] = family(comm); parent[w[1]] = w[4]; print "process " w[1] " " w[4] " " w[22] } } }
ours = spaces("/proc/self/status")
for (pid in kind) if (kind[pid] != kind[parent[pid]] && n++ >= 0) {
if (spaces("/proc/" pid "/status") == ours && masters++ < 64) print "master " kind[pid] " " pid } }
'"#;

/// Everything up to the certificates; then come the configurations that the inventory tells of.
pub(super) const FIND: &str = r#"
if [ -n "$R" ]; then
srv_pidfile nginx "$R/run/nginx.pid" "$R/etc/nginx/nginx.conf"
srv_pidfile apache "$R/run/apache2/apache2.pid" "$R/etc/apache2/apache2.conf"
srv_pidfile haproxy "$R/run/haproxy.pid" "$R/etc/haproxy/haproxy.cfg"
else
P=$(grep -lsxE 'nginx|openresty|angie|apache2|httpd|haproxy' /proc/[0-9]*/comm)
L=$(SRV_P=$P awk "$LOOK")
mark frame look
printf '%s\n' "$L"
v=
{ IFS= read -r v; } </proc/sys/kernel/random/boot_id
mark frame boot "$v"
[ -z "$P" ] && [ -d /proc/self ] && ! [ -d /proc/1 ] && mark frame hidden
set -f
IFS=$NL
for l in $L; do
unset IFS
set +f
case $l in 'master '*) ;; *) continue;; esac
l=${l#master }
m=${l#* } l=${l% *}
for n in ns/net ns/pid root/.; do srv_apart "$m/$n" "self/$n" && continue 2; done
T="$T $Z/proc/$m/cgroup"
srv_args "$m"
srv_server "$l" "$m"
"srv_$l" "$m"
done
unset IFS
set +f
fi
"#;

/// The certificates that were named: all of a folder, for that is how haproxy loads it, and the
/// files that it loads instead of one that is not there.
pub(super) const CERTIFICATES: &str = r#"
C=$(printf '%s' "$C" | awk '!had[$0]++')
W=
set -f
IFS=$NL
for f in $C; do
unset IFS
if [ -d "$f" ]; then
mark frame glob "$f"
set +f
for g in "${f%/}"/*; do
case $g in *.key|*.issuer|*.ocsp|*.sctl|*.dh|*"$NL"*) continue;; esac
if [ -f "$g" ] || [ -L "$g" ]; then
printf '%s\n' "$g"
W=$W$g$NL
fi
done
set -f
[ -r "$f" ] && [ -x "$f" ] || mark frame folder unreadable "$f"
elif ! [ -e "$f" ] && { [ -e "$f.rsa" ] || [ -e "$f.dsa" ] || [ -e "$f.ecdsa" ]; }; then
mark frame glob "$f"
for g in "$f.rsa" "$f.dsa" "$f.ecdsa"; do
[ -e "$g" ] && { printf '%s\n' "$g"; W=$W$g$NL; }
done
else W=$W$f$NL; fi
done
set --
S=
IFS=$NL
for f in $W; do
unset IFS
[ $# -lt 400 ] || { mark frame toomany certificates; break; }
srv_want "$f" && { S=$S$f$NL; set -- "$@" "$Z$f"; }
done
unset IFS
[ $# -eq 0 ] || {
mark frame heads
head -c 262144 /dev/null "$@" | awk -v z="==> $Z" "$A"
}
heads $T
IFS=$NL
set -- $S
unset IFS
set +f
[ -n "$R" ] || set -- /proc/self/ns/net "$@"
[ $# -eq 0 ] || {
mark frame stamps
(stamps "$@")
}
set --
set -f
IFS=$NL
for f in $S; do [ -L "$f" ] && set -- "$@" "$f"; done
unset IFS
set +f
[ $# -eq 0 ] || {
mark frame links
stat -c '%Y %n' "$@"
}
"#;
