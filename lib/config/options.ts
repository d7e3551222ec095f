import {
  integerWithin,
  oneOf,
  printableUpTo,
  readAbsoluteFile,
  readAlgorithm,
  readBlockSize,
  readBoolean,
  readChapName,
  readEndpoint,
  readFile,
  readFolder,
  readInitiators,
  readName,
  readNetworks,
  readNode,
  readPortal,
  readSecret,
  readSizes,
  readText,
  type ReadValue,
  SERIAL_NUMBER_LENGTH_MAX,
} from "./option_values.ts";

/** What the conf means when an option is absent: a value, as the conf would write it, or something else, in words. */
export type OptionDefault = { readonly value: string } | { readonly meaning: string };

/** One option of the conf. */
export interface Option<T> {
  /** Where it may stand: above the first section, in a target's section, or in both, of which the latter wins. */
  readonly place: "global" | "target" | "both";
  /** Undefined when the option is mandatory. */
  readonly default: OptionDefault | undefined;
  readonly read: ReadValue<T>;
  /** No message may repeat the value. */
  readonly isSecret?: true;
  /** One line for help and documentation. */
  readonly description: string;
}

/** Every option that a conf may have, in the order in which it is documented. */
export const OPTIONS = {
  storage: row({
    place: "global",
    default: { value: "/usr/shares/iscsi" },
    read: readFolder,
    description: "folder of the backing files; created when missing",
  }),
  node: row({
    place: "global",
    default: { value: "iqn.2002-08.info.netmanager" },
    read: readNode,
    description: "base IQN of the server, to which a target's name is appended",
  }),
  sessions: row({
    place: "global",
    default: { value: "32" },
    read: integerWithin(1, 65_535),
    description: "most sessions at once, over all targets",
  }),
  connections: row({
    place: "global",
    default: { value: "8" },
    read: integerWithin(1, 65_535),
    description: "most connections at once, over all targets",
  }),
  port: row({
    place: "global",
    default: { value: "3260" },
    read: integerWithin(1, 65_535),
    description: "TCP port on which to listen",
  }),
  ping: row({
    place: "global",
    default: { value: "30" },
    read: integerWithin(0, 65_535),
    description: "seconds of silence after which an initiator is asked whether it is there; 0 never",
  }),
  pingtimeout: row({
    place: "global",
    default: { value: "30" },
    read: integerWithin(1, 65_535),
    description: "seconds in which it must answer that, or its connection is closed",
  }),
  metrics: row({
    place: "global",
    default: { meaning: "no metrics" },
    read: readEndpoint,
    description: "[ADDRESS:]PORT at which to serve metrics to Prometheus, on loopback without ADDRESS",
  }),
  chap_minimum: row({
    place: "global",
    default: { value: "md5" },
    read: readAlgorithm,
    description: "weakest CHAP algorithm that is accepted: md5, sha1, sha256 or sha3-256",
  }),
  size: row({
    place: "target",
    default: undefined,
    read: readSizes,
    description: "size of each LUN, such as 750GB; several sizes make several LUNs",
  }),
  file: row({
    place: "target",
    default: { meaning: "the target's name" },
    read: readFile,
    description: "backing file of LUN 0, in the storage folder unless absolute; LUN n appends _n",
  }),
  comment: row({
    place: "target",
    default: { meaning: "the target's name" },
    read: readText,
    description: "friendly name",
  }),
  alias: row({
    place: "target",
    default: { meaning: "no second name" },
    read: readName,
    description: "another name by which the target is reached",
  }),
  readonly: row({
    place: "target",
    default: { value: "n" },
    read: readBoolean,
    description: "y to protect the target from writing",
  }),
  blocksize: row({
    place: "target",
    default: { value: "512" },
    read: oneOf([512, 4096]),
    description: "logical block size in bytes, 512 or 4096",
  }),
  physicalblocksize: row({
    place: "target",
    default: { meaning: "4096" },
    read: readBlockSize,
    description: "physical block size in bytes, to which initiators should align",
  }),
  removable: row({
    place: "target",
    default: { value: "n" },
    read: readBoolean,
    description: "y for disks whose medium can be ejected and loaded",
  }),
  vendor: row({
    place: "target",
    default: { meaning: "the program's own" },
    read: printableUpTo(8),
    description: "vendor that initiators are told, up to 8 characters",
  }),
  product: row({
    place: "target",
    default: { meaning: "the program's own" },
    read: printableUpTo(16),
    description: "product that initiators are told, up to 16 characters",
  }),
  revision: row({
    place: "target",
    default: { meaning: "the program's own" },
    read: printableUpTo(4),
    description: "product revision that initiators are told, up to 4 characters",
  }),
  serial: row({
    place: "target",
    default: { meaning: "the one that was made when the LUN was built" },
    read: printableUpTo(SERIAL_NUMBER_LENGTH_MAX),
    description: "serial number of LUN 0; LUN n appends _n",
  }),
  redirect: row({
    place: "target",
    default: { meaning: "no redirection" },
    read: readPortal,
    description: "ADDRESS[:PORT] of another server to which logins are sent",
  }),
  networks: row({
    place: "both",
    default: { meaning: "every network" },
    read: readNetworks,
    description: "networks, or addresses of this server, on which to listen and from which to accept",
  }),
  initiators: row({
    place: "both",
    default: { meaning: "every initiator" },
    read: readInitiators,
    description: "IQNs of the initiators that are granted access",
  }),
  user: row({
    place: "both",
    default: { meaning: "no CHAP" },
    read: readChapName,
    description: "CHAP name that initiators have to give; none for no CHAP",
  }),
  secret: row({
    place: "both",
    default: { meaning: "no CHAP" },
    read: readSecret,
    isSecret: true,
    description: "CHAP secret of the user, 12 to 16 characters",
  }),
  secrets: row({
    place: "both",
    default: { meaning: "no further names" },
    read: readAbsoluteFile,
    description: "file of further CHAP names and secrets, one NAME SECRET a line",
  }),
  mutual_user: row({
    place: "both",
    default: { meaning: "no mutual CHAP" },
    read: readChapName,
    description: "CHAP name by which the target proves itself to initiators that ask",
  }),
  mutual_secret: row({
    place: "both",
    default: { meaning: "no mutual CHAP" },
    read: readSecret,
    isSecret: true,
    description: "CHAP secret of the target, another than any initiator's",
  }),
} as const;

/** Name of an option. */
export type OptionName = keyof typeof OPTIONS;

/** Type of an option's value. */
export type OptionValue<Name extends OptionName> = NonNullable<ReturnType<typeof OPTIONS[Name]["read"]>>;

/** The names of all options, in the order of the table. */
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** Whether there is an option of that name. */
export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** Infers the type of a row's values from its reader. */
function row<T>(option: Option<T>): Option<T> {
  return option;
}
