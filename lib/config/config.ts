/**
 * The configuration as the rest of the program sees it: complete, valid and frozen.
 *
 * It is made only by `parseConfig`, and is plain data, so that it can be posted to a worker as it is.
 */
import type { Network } from "../bytes/network.ts";
import type { ChapAlgorithm, ChapConfig } from "./chap.ts";
import type { Redirection } from "./redirection.ts";

/** One logical unit of a target: a size and the file that holds it. */
export interface LogicalUnitConfig {
  /** Logical unit number, from 0. */
  readonly number: number;
  /** Absolute path of the backing file or block device. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Line of the conf that promised the size, for messages. */
  readonly line: number;
}

/** What kind of disk the logical units of a target are. */
export interface DiskConfig {
  /** Logical block size. */
  readonly blockSizeBytes: number;
  /** A power of two, at least a logical block. */
  readonly physicalBlockSizeBytes: number;
  readonly removable: boolean;
  /** Printable ASCII of up to 8, 16 and 4 characters; undefined for the program's own. */
  readonly vendor: string | undefined;
  readonly product: string | undefined;
  readonly revision: string | undefined;
  /** Printable ASCII; of LUN 0, and of LUN n with `_n` appended. Undefined for the recorded ones. */
  readonly serialNumber: string | undefined;
}

/** One target: a name, who may use it from where, and its logical units. */
export interface TargetConfig {
  /** The section's name, folded to lower case: `xenserver`. */
  readonly name: string;
  /** The iSCSI name, `node:name`. */
  readonly iscsiName: string;
  /** The second iSCSI name by which the target is reached, if the conf gives an `alias`. */
  readonly aliasIscsiName: string | undefined;
  /** The friendly name; sent as TargetAlias. */
  readonly comment: string;
  readonly readOnly: boolean;
  readonly disk: DiskConfig;
  /** Empty: every network. */
  readonly networks: readonly Network[];
  /** Folded iSCSI names of the initiators granted access. Empty: everyone. */
  readonly initiators: readonly string[];
  /** What an initiator has to prove; undefined for nothing. */
  readonly chap: ChapConfig | undefined;
  /** Where logins are sent; undefined when it is served here. */
  readonly redirect: Redirection | undefined;
  /** In order of their numbers; at least one. */
  readonly logicalUnits: readonly LogicalUnitConfig[];
  /** Line of the section header, for messages. */
  readonly line: number;
}

/** An address of this server and a TCP port. */
export interface Endpoint {
  /** In its shortest form, without brackets. */
  readonly address: string;
  readonly port: number;
}

/** What a conf file says, with every default filled in. */
export interface Config {
  /** The conf file, as the user named it, for messages. */
  readonly file: string;
  /** Absolute path of the folder that holds the backing files. */
  readonly storage: string;
  /** Base of the targets' iSCSI names. */
  readonly node: string;
  /** Most sessions at once, over all targets. */
  readonly sessions: number;
  /** Most connections in full-feature phase at once, over all targets. */
  readonly connections: number;
  /** How long a peer may be silent before it is pinged; 0 for ever. */
  readonly pingSeconds: number;
  /** How long it may take to answer. */
  readonly pingTimeoutSeconds: number;
  /** TCP port of every portal. */
  readonly port: number;
  /** Where metrics are served; undefined when they are not. */
  readonly metrics: Endpoint | undefined;
  /** The weakest algorithm of CHAP that is accepted. */
  readonly chapMinimum: ChapAlgorithm;
  /** What an initiator has to prove that asks for the list of targets; undefined for nothing. */
  readonly chap: ChapConfig | undefined;
  /** Absolute paths of the files of secrets that the conf names. */
  readonly secretsFiles: readonly string[];
  /** In the order of the file. */
  readonly targets: readonly TargetConfig[];
}
