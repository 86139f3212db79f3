# Where jobs are. Root's are where only root writes, as are those of a practice host.
if [ -n "$R" ] || [ "$(id -u)" = 0 ]; then S=$R/var/lib/certdeck
else S=${XDG_STATE_HOME:-$HOME/.local/state}/certdeck; fi
D=$S/jobs
boot() { cat "$R/proc/sys/kernel/random/boot_id"; }
# Replaces a file as a whole, durably.
put() { cat >"$1.$$" && { sync "$1.$$" || sync; } && mv -f "$1.$$" "$1" && { sync "${1%/*}" || :; }; }
# Rules that a job never begins; fails if it has begun, or was ruled out before.
rule_out() { mkdir "$1/began" && rm -f "$1/input" && printf 'state void\n' | put "$1/status"; }
# The process group of a job, if its status names one that is safe to signal.
group() {
p=$(head -c 4096 "$1/status" | sed -n 's/^pid \([0-9][0-9]*\)$/\1/p' | tail -n 1)
case $p in ''|?????????*) return 1;; esac
[ "$p" -gt 1 ]; }
# busybox knows no `kill -- -PID`, and `kill -s 0 -PID` is an option to others.
# `a` tells who is left of a job: its runner, its process group, nobody.
left() {
flock -sn 9
[ $? -eq 1 ] && a=runner && return
[ -f "$1/status" ] && group "$1" && kill -0 "-$p" && lives && a=group; }
# Whether somebody in the group is more than a zombie, which an init that reaps late, or never as
# in many containers, leaves behind.
lives() {
! [ -r /proc/self/stat ] || cat /proc/[0-9]*/stat 2>/dev/null |
sed -n "s/^.*) \([A-Za-z]\) [0-9]* $p .*/\1/p" | grep -q '[^XZ]'; }
# All that is kept of what a job printed; grows at its end only.
printed() {
if [ -f "$1/tail" ]; then cat "$1/out" "$1/tail"; else cat "$1/out"; fi; }
# Tells all about a job. Who is alive is asked first: who has ended has said so before.
facts() {
if [ -L "$1" ] || ! [ -d "$1" ]; then mark frame absent; return; fi
a=nobody
[ -f "$1/alive" ] && left "$1" 9<"$1/alive"
# It may be a private key. Whoever ends by himself takes it away.
[ $a = nobody ] && [ -d "$1/began" ] && rm -f "$1/input"
mark frame left "$a"
[ -d "$1/began" ] && mark frame began
[ -e "$1/stop" ] && mark frame stopped
[ -e "$1/cut" ] && mark frame cut
if [ -f "$1/out" ]; then mark frame printed "$(printed "$1" | wc -c)"; fi
if [ -f "$1/request" ]; then mark frame about; head -n 4 "$1/request" | head -c 4096; fi
if [ -f "$1/status" ]; then mark frame status; head -c 4096 "$1/status"; fi; }
mark frame boot "$(boot)"
