# Functions for the scripts that the guest runs.

NODE=iqn.2002-08.info.netmanager
SYS=/sys/class/iscsi_session

# Waits until a command succeeds: wait_for SECONDS COMMAND...
wait_for() {
  local rounds=$(($1 * 5)); shift
  while ! "$@"; do
    rounds=$((rounds - 1))
    if [ $rounds -le 0 ]; then echo "waited in vain for: $*"; return 1; fi
    sleep 0.2
  done
}

# Sets options of a target's node records: set_options TARGET NAME=VALUE...
set_options() {
  local target=$1 option; shift
  for option in "$@"; do
    iscsiadm -m node -T "$NODE:$target" -o update -n "${option%%=*}" -v "${option#*=}"
  done
}

# Makes the record of a target by hand, for an address that discovery does not name or for an interface of its own.
add_record() { # TARGET PORTAL [IFACE]
  iscsiadm -m node -T "$NODE:$1" -p "$2,1" -I "${3:-default}" -o new >/dev/null
}

# Makes an interface with an initiator name of its own: add_interface IFACE INITIATOR
add_interface() {
  iscsiadm -m iface -I "$1" -o new >/dev/null
  iscsiadm -m iface -I "$1" -o update -n iface.initiatorname -v "$2" >/dev/null
}

# Logs in to a target through each of its records: log_in TARGET
log_in() { iscsiadm -m node -T "$NODE:$1" --login; }

# Discovers a portal and logs in to a target: enter TARGET PORTAL; prints its LUN 0.
enter() {
  iscsiadm -m discovery -t sendtargets -p "$2" >/dev/null
  log_in "$1" >/dev/null
  disk "$1"
}

# Prints the device of a LUN once the kernel has it: disk TARGET [LUN [ADDRESS [IFACE]]]
disk() {
  wait_for 60 find_disk "$1" "${2:-0}" "${3:-127.0.0.1}" "${4:-default}" >/dev/null
  find_disk "$1" "${2:-0}" "${3:-127.0.0.1}" "${4:-default}"
}

find_disk() {
  local session block
  for session in $SYS/session*; do
    [ "$(cat "$session/targetname")" = "$NODE:$1" ] || continue
    [ "$(cat "$session/ifacename")" = "$4" ] || continue
    [ "$(cat "$session"/device/connection*/iscsi_connection/*/persistent_address)" = "$3" ] || continue
    for block in "$session"/device/target*/*:*:*:"$2"/block/*; do
      [ -b "/dev/${block##*/}" ] && echo "/dev/${block##*/}" && return 0
    done
  done
  return 1
}

# Prints a file of the session's state in sysfs: session_value NAME; there is one session.
session_value() { cat $SYS/session*/"$1" 2>/dev/null || cat $SYS/session*/device/connection*/iscsi_connection/*/"$1"; }

no_session() { [ ! -e "$(echo $SYS/session* | cut -d' ' -f1)" ]; }

# Logs out of everything and forgets every record. udev may still be reading new disks.
leave() {
  udevadm settle
  no_session || iscsiadm -m node --logout >/dev/null
  wait_for 60 no_session
  rm -rf /etc/iscsi/nodes/* /etc/iscsi/send_targets/* /etc/iscsi/ifaces/[!i]*
}

# Prints repetitions of a line: pattern TEXT BYTES
pattern() { yes "$1" | head -c "$2"; }

# Prints the hash of a disk, read without the page cache. Computing while it reads would starve the network.
hash_of() {
  dd if="$1" of=/run/content bs=64k iflag=direct status=none
  sha256sum /run/content | cut -d' ' -f1
  rm /run/content
}

# Fails when the kernel reports trouble: check_kernel_log [PATTERN], whose lines are no trouble
check_kernel_log() {
  dmesg | grep -E -i 'I/O error|conn error|critical|timed out|abort|offline|sense key|Call Trace|hung task|(EXT4-fs|XFS).*(error|warning|corrupt)' |
    grep -E -v "${1:-^\$}" >/run/trouble || return 0
  echo "the kernel reports:"
  cat /run/trouble
  return 1
}

# Writes records of 64 KiB in the background, round and round, each past the page cache: start_writer DISK SLOTS
# The content of a slot is "writer slot N round R". A write that fails is tried again.
start_writer() {
  rm -f /run/writer.*
  touch /run/writer.done /run/writer.errors
  write_records "$@" >/run/writer.output 2>&1 &
}

write_records() {
  local count=0 slot round
  while [ ! -e /run/writer.stop ]; do
    slot=$((count % $2)) round=$((count / $2))
    pattern "writer slot $slot round $round" 65536 >/run/writer.record
    if dd if=/run/writer.record of="$1" bs=64k seek=$slot oflag=direct conv=notrunc,nocreat status=none; then
      echo "$slot $round" >>/run/writer.done
      count=$((count + 1))
    else
      echo "$slot $round" >>/run/writer.errors
      sleep 0.5
    fi
  done
  touch /run/writer.ended
}

# Waits until the writer has written so many further records: await_writes COUNT
await_writes() { wait_for 180 has_writes $(($(wc -l </run/writer.done) + $1)); }
has_writes() { [ "$(wc -l </run/writer.done)" -ge "$1" ]; }

# Ends the writer and prints the last round of each slot.
stop_writer() {
  touch /run/writer.stop
  wait_for 180 [ -e /run/writer.ended ]
  awk '{ round[$1] = $2 } END { for (slot in round) print slot, round[slot] }' /run/writer.done
}

# Prints how many writes failed.
write_errors() { wc -l </run/writer.errors; }
