# Functions for a guest that runs the program under test, with its initiator at 127.0.0.1 or elsewhere.

CONF=/run/iscsi.conf

# Replaces the conf with what arrives on standard input; its storage is $STORAGE.
write_conf() { (echo "storage = $STORAGE"; echo "networks = 127.0.0.0/8"; cat) >$CONF; }

# Builds; prints what was printed only when it failed.
build() { iscsi build --conf $CONF >/run/build.log 2>&1 || { cat /run/build.log; return 1; }; }

# Starts a server, and waits until it accepts initiators.
serve() {
  iscsi serve --conf $CONF >/run/server.log 2>&1 &
  echo $! >/run/server.pid
  iscsi status --conf $CONF --wait 120
}

# Ends the server in order.
stop_server() {
  kill "$(cat /run/server.pid)"
  wait_for 60 server_has_ended
}
server_has_ended() { [ ! -e "/proc/$(cat /run/server.pid)" ]; }

# Prints what an initiator knows a disk by, and what persists of its reservations: facts DISK
facts() {
  sg_vpd --page=sn "$1"
  sg_vpd --page=di "$1"
  sg_persist --no-inquiry --read-keys "$1" | sed 's/PR generation=0x[0-9a-f]*/PR generation/'
  sg_persist --no-inquiry --read-reservation "$1" | sed 's/PR generation=0x[0-9a-f]*/PR generation/'
}

# Fails unless a range of a disk is zero: is_zero DISK OFFSET LENGTH, both in MiB
is_zero() { dd if="$1" bs=1M skip="$2" count="$3" iflag=direct status=none | cmp -n $(($3 << 20)) - /dev/zero; }

# Checks that a device has the records that the writer of lib.sh has written: check_records DEVICE, with its report
check_records() {
  local slot round
  while read -r slot round; do
    pattern "writer slot $slot round $round" 65536 >/run/expected
    dd if="$1" bs=64k skip="$slot" count=1 iflag=direct status=none | cmp - /run/expected
  done
}
