# Runs on the phone: PROGRAM WIDTH HEIGHT RUNS SECONDS. Times candidate.param and reference.param in turns.
cd "$(dirname "$0")" || exit 1
chmod 755 "$1" || exit 1
runs=$4
seconds=${5%.*}

say() { echo "topformer fact $1 $2"; }
property() { getprop "$1" 2>/dev/null; }
read_number() { cat "$1" 2>/dev/null; }

fastest=0
highest=0
for folder in /sys/devices/system/cpu/cpu[0-9]*; do
    khz=$(read_number "$folder/cpufreq/cpuinfo_max_freq")
    if [ "${khz:-0}" -ge "$highest" ]; then
        highest=${khz:-0}
        fastest=${folder##*cpu}
    fi
done

hottest() {
    most=0
    for zone in /sys/class/thermal/thermal_zone*; do
        case "$(read_number "$zone/type")" in
            *cpu*) now=$(read_number "$zone/temp") ;;
            *) now=0 ;;
        esac
        if [ "${now:-0}" -gt "$most" ] 2>/dev/null; then most=$now; fi
    done
    echo "$most"
}

state() {
    say "khz_$1" "$(read_number "/sys/devices/system/cpu/cpu$fastest/cpufreq/scaling_cur_freq")"
    say "millidegrees_$1" "$(hottest)"
}

# Loops 1, threads 1, big cores, no GPU, no pause: the arguments of benchncnn.
turn() {
    echo "topformer run $1"
    "./$program" 1 1 2 -1 0 "param=$1.param" "shape=[$shape]" 2>&1 || exit 1
}

program=$1
shape="$2,$3,3"
say device "$(property ro.product.model)"
say soc "$(property ro.soc.model)"
say abi "$(property ro.product.cpu.abi)"
turn candidate >/dev/null
state before
start=$(date +%s)
count=0
while [ "$count" -lt "$runs" ]; do
    turn candidate
    turn reference
    count=$((count + 1))
    # The program warms up 8 times for each run that it times, so the limit holds for ten times the counted time.
    if [ "$count" -ge 10 ] && [ $(($(date +%s) - start)) -ge $((seconds * 20)) ]; then break; fi
done
state after
echo "topformer done"
