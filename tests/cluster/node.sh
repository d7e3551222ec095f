#!/bin/sh
# Process 1 of a node: gives the node folders of its own in place of the machine's, then runs Corosync and Pacemaker.
# All of it is in namespaces that unshare(1) has made, and ends with this process.
#   $1 folder of the test, $2 name of the node, $3 its address in the network of the cluster
set -eu
rig=$1 node=$2 address=$3
exec >>"$rig/$node/log/node" 2>&1

hostname "$node"
ip link set lo up

# Adds agents to the machine's, for this node alone.
mount -t tmpfs node /mnt
mkdir /mnt/agents /mnt/agents/heartbeat /mnt/agents/netmanager /mnt/upper /mnt/work
mount --bind /usr/lib/ocf/resource.d/heartbeat /mnt/agents/heartbeat
cp "$rig/agent" /mnt/agents/netmanager/iscsi
cp "$rig/fence_rig" /mnt/upper/fence_rig
# Filesystem requires modprobe, although the test has mounted the file system once and the kernel has its module.
command -v modprobe >/dev/null || ln -s /bin/true /mnt/upper/modprobe
# iptables 1.8.9 (Debian 12) lists protocols as numbers, and portblock then never removes its rule:
# https://github.com/ClusterLabs/resource-agents/pull/1924
if iptables -V | grep -qF 'v1.8.9 '; then
  cat >/mnt/upper/iptables <<'END'
#!/bin/sh
case " $* " in
  *' -L '*) iptables-nft "$@" | sed -E 's/^(DROP +)6 /\1tcp /' ;;
  *) exec iptables-nft "$@" ;;
esac
END
  chmod +x /mnt/upper/iptables
fi
mount --rbind /mnt/agents /usr/lib/ocf/resource.d
mount -t overlay sbin -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/work /usr/sbin

# The state of a node does not outlast it; its logs and its requests to the test do.
for folder in /run /var/lib/pacemaker /var/lib/corosync /dev/shm /etc/corosync /srv; do
  mount -t tmpfs node "$folder"
done
mount --bind "$rig/$node/log" /var/log
mkdir -p /run/lock /run/resource-agents /run/requests /var/log/corosync /srv/iscsi
mount --bind "$rig/$node/requests" /run/requests
mount --bind "$rig/hosts" /etc/hosts
cp "$rig/corosync.conf" /etc/corosync/
for folder in blackbox cib cores pengine; do
  install -d -o hacluster -g haclient -m 750 "/var/lib/pacemaker/$folder"
done
install -d -o hacluster -g haclient -m 770 /var/log/pacemaker /run/crm
install -o hacluster -g haclient -m 600 "$rig/cib.xml" /var/lib/pacemaker/cib/

# The storage networks have no addresses but those that the cluster moves.
for link in cluster west east; do
  until ip link show "$link" >/dev/null 2>&1; do sleep 0.05; done
  ip link set "$link" up
done
ip address add "$address" dev cluster

corosync -f >/var/log/corosync/output 2>&1 &
until corosync-cpgtool >/dev/null 2>&1; do sleep 0.1; done
PCMK_logfile=/var/log/pacemaker/pacemaker.log pacemakerd -f >/var/log/pacemaker/output 2>&1 &
# A shell that waits also reaps the processes that daemons leave behind.
while :; do
  wait
  sleep 1
done
