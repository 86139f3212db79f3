J=$1 R=${CERTDECK_ROOT:-} n=0 code=0 F=
NL='
'
fact() { F=$F$*$NL; }
# Replaces the status as a whole.
tell() {
printf '%sstate %s\n' "$F" "$1" >"$J/status.new" && { sync "$J/status.new" || sync; } &&
mv -f "$J/status.new" "$J/status" && { sync "$J" || :; } && return
# A full disk, or a stop that hit one of these: the block that is there takes some more bytes.
[ -f "$J/status" ] && printf '%sstate %s\n' "$F" "$1" >>"$J/status"; }
# The SHA-256 of the first certificate in a file.
leaf() {
[ -n "$1" ] || return
if ! [ -e "$1" ]; then echo missing; return; fi
[ -f "$1" ] || return
d=$(head -c 262144 "$1" | tr -d '\r' | sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/{
/^-----END/q
/^-----/!p
}' | base64 -d | sha256sum)
# Of nothing.
case $d in e3b0c44298fc1c14*) ;; *) echo "${d%% *}";; esac; }
# Runs one command. It has the umask and the folder that a timer would give it, and none of our
# locks: a daemon that it starts would hold them for ever.
run() {
[ -e "$J/stop" ] && code=143 && return 143
n=$((n+1))
[ $n -eq 1 ] || tell "running $n"
( umask 022; cd "${R:-/}"; exec "$@" 8>&- 9>&- ) </dev/null >&7 2>&1 7>&-
code=$?
return $code; }
# Takes in what is printed: so much from the beginning, and once that is full the last of it, which
# is there when all who print have ended. Reads on in any case: who prints is neither held up nor
# killed. All of it together fits where the audit log keeps output, which is 1 MiB.
# In a session of its own, so that a stop does not end it before the commands.
drain() {
setsid sh -c 'cd "$1" || exit
( ulimit -c 0; ulimit -f 1900; exec cat >out ) || { : >cut
{ printf "\n[certdeck: what was printed here is not kept]\n"; tail -c 65536; } >tail.new &&
mv tail.new tail; }
cat >/dev/null
: >drained' sh "$J" <"$J/pipe" >/dev/null 2>&1 7>&- 8>&- 9>&- & }
work() {
drain
# What nobody could be told of later does not begin.
tell 'running 1' || return 0
began=yes
commands; }
busy() {
i=0
# Who has just taken the lock is about to say so.
while [ $i -lt 5 ]; do
h=$(head -c 1024 "$L")
[ -n "$h" ] && break
i=$((i+1)); sleep 1
done
[ -z "$h" ] || fact "$h"
tell busy; }
main() {
fact "boot $(cat "$R/proc/sys/kernel/random/boot_id")"
fact "pid $$"
t=$(date +%s)
fact "began $t"
[ -n "$R" ] || logger -t certdeck -- "$who: $title (job ${J##*/}, audit record $witness)" 8>&- 9>&- &
flock -n 8
case $? in 0) ;; 1) busy; return;; *) fact 'why flock does not work there'; tell impossible; return;; esac
printf 'holder %s: %s\nsince %s\n' "$who" "$title" "$t" >"$L"
b=$(leaf "$leaf")
fact "before $b"
case $expect in
any|"$b") ;;
*) tell stale; : >"$L"; return;;
esac
began=no
mkfifo "$J/pipe" && work 7<>"$J/pipe"
if [ $began = no ]; then
fact 'why nothing can be written there'; tell impossible; : >"$L"; return
fi
# What was printed is there in a moment, unless a daemon holds on to its end.
i=0
while ! [ -e "$J/drained" ] && [ $i -lt 20 ]; do sleep 0.1 || sleep 1; i=$((i+1)); done
rm -f "$J/pipe"
rm -f "$J/input"
fact "after $(leaf "$leaf")"
fact "ended $(date +%s)"
fact "exit $code"
tell "done $n"
: >"$L"; }
umask 077
# Caught and not ignored: what is ignored stays so in every command.
trap : HUP INT QUIT PIPE TERM
mkdir "$J/began" || exit 0
[ ! -f "$J/input" ] || export CERTDECK_INPUT="$J/input"
main 8<>"$L"
rm -f "$J/input"
exit 0
