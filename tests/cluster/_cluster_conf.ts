/** The confs of the cluster: Corosync's, Pacemaker's CIB, and that of the target. */

/** The nodes, with their addresses in the network of the cluster. */
export const NODES = { alpha: "10.17.0.1", beta: "10.17.0.2" } as const;

/** The name of a node. */
export type NodeName = keyof typeof NODES;

/** The networks. The cluster speaks in the first; each of the others has a floating address. */
export const NETWORKS = ["cluster", "west", "east"] as const;

/** The addresses that the cluster moves: the two paths of every initiator. */
export const FLOATING = { west: "10.17.1.10", east: "10.17.2.10" } as const;

/** The addresses of the initiators' namespace in the storage networks. */
export const INITIATORS = { west: "10.17.1.100", east: "10.17.2.100" } as const;

/** The path at which a node mounts the storage. */
export const STORAGE = "/srv/iscsi";

/** The group of resources that moves. */
export const GROUP = "disks";

/** Milliseconds of silence after which Corosync takes a node for gone. */
const TOKEN_MS = 1000;

/** Returns corosync.conf(5). */
export function corosyncConf(): string {
  const nodes = Object.entries(NODES).map(([name, address], index) =>
    `  node {\n    name: ${name}\n    nodeid: ${index + 1}\n    ring0_addr: ${address}\n  }\n`
  );
  return `totem {
  version: 2
  cluster_name: rig
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: ${TOKEN_MS}
}
nodelist {
${nodes.join("")}}
quorum {
  provider: corosync_votequorum
  two_node: 1
}
logging {
  to_stderr: yes
  to_syslog: no
  timestamp: hires
}
`;
}

/** Returns hosts(5). */
export function hosts(): string {
  return [["localhost", "127.0.0.1"], ...Object.entries(NODES)].map(([name, address]) =>
    `${address} ${name}\n`
  ).join("");
}

/** Returns iscsi.conf(5): LUN 0 is written by all, LUN 1 is reserved. */
export function targetConf(hasWriteCache: boolean): string {
  return `storage=${STORAGE}
networks=10.17.1.0/24 10.17.2.0/24
connections=64
sessions=64
[disk]
size=16MB 4MB
writecache=${hasWriteCache ? "y" : "n"}
`;
}

interface Primitive {
  readonly id: string;
  /** Class, provider and type, as crm_resource(8) writes them. */
  readonly agent: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Seconds between two monitor operations; 0 for none. */
  readonly monitorSeconds: number;
}

/** Paths that the resources need. */
export interface ClusterPaths {
  readonly device: string;
  readonly binary: string;
  readonly conf: string;
}

/** Returns the group, in the order of its start; it stops in the opposite order. */
function members({ device, binary, conf }: ClusterPaths): Primitive[] {
  const port = { protocol: "tcp", portno: "3260" };
  return [
    {
      id: "block",
      agent: "ocf:heartbeat:portblock",
      parameters: { ...port, action: "block" },
      monitorSeconds: 0,
    },
    {
      id: "storage",
      agent: "ocf:heartbeat:Filesystem",
      // A server that keeps its files open shall be seen, not killed by this agent.
      parameters: { device, directory: STORAGE, fstype: "ext4", force_unmount: "false" },
      monitorSeconds: 10,
    },
    ...Object.entries(FLOATING).map(([nic, ip]): Primitive => ({
      id: nic,
      agent: "ocf:heartbeat:IPaddr2",
      parameters: { ip, nic, cidr_netmask: "24" },
      monitorSeconds: 5,
    })),
    {
      id: "target",
      agent: "ocf:netmanager:iscsi",
      parameters: { binary, conf, log: "/var/log/iscsi.log" },
      monitorSeconds: 2,
    },
    {
      id: "unblock",
      agent: "ocf:heartbeat:portblock",
      parameters: { ...port, action: "unblock" },
      monitorSeconds: 10,
    },
  ];
}

function nvpairs(element: string, id: string, values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([name, value]) =>
    `<nvpair id="${id}-${name}" name="${name}" value="${value}"/>`
  );
  return `<${element} id="${id}">${pairs.join("")}</${element}>`;
}

function primitive({ id, agent, parameters, monitorSeconds }: Primitive): string {
  const [kind, provider, type] = agent.split(":");
  const operations = [["start", 0, 40], ["stop", 0, 20], ["monitor", monitorSeconds, 20]] as const;
  const ops = operations.filter(([name]) => name !== "monitor" || monitorSeconds > 0)
    .map(([name, interval, timeout]) =>
      `<op id="${id}-${name}" name="${name}" interval="${interval}s" timeout="${timeout}s"/>`
    );
  return `<primitive id="${id}" class="${kind}" provider="${provider}" type="${type}">` +
    nvpairs("instance_attributes", `${id}-parameters`, parameters) +
    `<operations>${ops.join("")}</operations></primitive>\n`;
}

/** Returns the CIB with which both nodes start. */
export function cib(paths: ClusterPaths): string {
  const options = { "stonith-enabled": "true", "stonith-timeout": "30s", "dc-deadtime": "5s" };
  const fence = { pcmk_host_list: Object.keys(NODES).join(" "), pcmk_host_check: "static-list" };
  const nodes = Object.keys(NODES).map((name, index) => `<node id="${index + 1}" uname="${name}"/>`);
  return `<cib validate-with="pacemaker-3.0" admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config>${nvpairs("cluster_property_set", "options", options)}</crm_config>
<nodes>${nodes.join("")}</nodes>
<resources>
<primitive id="fence" class="stonith" type="fence_rig">${
    nvpairs("instance_attributes", "fence-parameters", fence)
  }</primitive>
<group id="${GROUP}">${nvpairs("meta_attributes", `${GROUP}-meta`, { "resource-stickiness": "100" })}
${members(paths).map(primitive).join("")}</group>
</resources><constraints/>
</configuration><status/></cib>
`;
}
