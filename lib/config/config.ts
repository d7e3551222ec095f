/**
 * The configuration that the rest of the program uses: complete, valid and frozen.
 *
 * Only `parseConfig` makes one. It is plain data, so it can be posted to a worker.
 */
import type { Network } from "../bytes/network.ts";
import type { ChapAlgorithm, ChapConfig } from "./chap.ts";
import type { Redirection } from "./redirection.ts";

/** The conf file that commands use by default. */
export const DEFAULT_CONF_FILE = "/etc/netmanager/iscsi.conf";

/** One logical unit of a target: a size and the file that holds it. */
export interface LogicalUnitConfig {
  /** Logical unit number, from 0. */
  readonly number: number;
  /** Absolute path of the backing file or block device. */
  readonly path: string;
  readonly sizeBytes: number;
  /** The size is that of the block device (`size=device`). */
  readonly followsDevice?: true;
  /** The NAA identifier that initiators see, in lower case; absent for the recorded one. */
  readonly naa?: string;
  /** The line of the conf with the size, for messages. */
  readonly line: number;
}

/** The properties of the logical units of a target as disks. */
export interface DiskConfig {
  /** Logical block size. */
  readonly blockSizeBytes: number;
  /** A power of two, at least a logical block. */
  readonly physicalBlockSizeBytes: number;
  readonly removable: boolean;
  /** False: writes are acknowledged when they are on stable storage. */
  readonly writeCache: boolean;
  /** Printable ASCII of at most 8, 16 and 4 characters; undefined for the program's own. */
  readonly vendor: string | undefined;
  readonly product: string | undefined;
  readonly revision: string | undefined;
  /** Printable ASCII: the serial number of LUN 0; LUN n has `_n` appended. Undefined for the recorded ones. */
  readonly serialNumber: string | undefined;
}

/** One target: its name, its access rules and its logical units. */
export interface TargetConfig {
  /** The section's name, folded to lower case: `xenserver`. */
  readonly name: string;
  /** The iSCSI name, `node:name`. */
  readonly iscsiName: string;
  /** The second iSCSI name of the target; undefined when the conf has no `alias`. */
  readonly aliasIscsiName: string | undefined;
  /** The friendly name; sent as TargetAlias. */
  readonly comment: string;
  readonly readOnly: boolean;
  readonly disk: DiskConfig;
  /** Empty: every network. */
  readonly networks: readonly Network[];
  /** Folded iSCSI names of the initiators granted access. Empty: every initiator. */
  readonly initiators: readonly string[];
  /** The credentials that a login requires; undefined without CHAP. */
  readonly chap: ChapConfig | undefined;
  /** TCP port of its portals. */
  readonly port: number;
  /** The server to which logins are redirected; undefined when the target is served here. */
  readonly redirect: Redirection | undefined;
  /** By number; at least one. */
  readonly logicalUnits: readonly LogicalUnitConfig[];
  /** The line of the section header, for messages. */
  readonly line: number;
}

/** An address of this server and a TCP port. */
export interface Endpoint {
  /** In its shortest form, without brackets. */
  readonly address: string;
  readonly port: number;
}

/** The content of a conf file, with every default filled in. */
export interface Config {
  /** The conf file, as the user named it, for messages. */
  readonly file: string;
  /** Absolute path of the folder that holds the backing files. */
  readonly storage: string;
  /** The base of the targets' iSCSI names. */
  readonly node: string;
  /** The most sessions at the same time, over all targets. */
  readonly sessions: number;
  /** The most connections in full-feature phase at the same time, over all targets. */
  readonly connections: number;
  /** Seconds of silence after which a peer is pinged; 0: never. */
  readonly pingSeconds: number;
  /** Seconds in which the peer must answer the ping. */
  readonly pingTimeoutSeconds: number;
  /** TCP port of the targets that have none of their own. */
  readonly port: number;
  /** The endpoint that serves metrics; undefined for no metrics. */
  readonly metrics: Endpoint | undefined;
  /** The weakest CHAP algorithm that is accepted. */
  readonly chapMinimum: ChapAlgorithm;
  /** The credentials that discovery requires; undefined without CHAP. */
  readonly chap: ChapConfig | undefined;
  /** Absolute paths of the files of secrets that the conf names. */
  readonly secretsFiles: readonly string[];
  /** In the order of the file. */
  readonly targets: readonly TargetConfig[];
}
