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
  readNaas,
  readName,
  readNetworks,
  readNode,
  readRedirection,
  readSecret,
  readSizes,
  readText,
  type ReadValue,
  SERIAL_NUMBER_LENGTH_MAX,
} from "./option_values.ts";

/** The meaning of an absent option: a value, as the conf would write it, or a description. */
export type OptionDefault = { readonly value: string } | { readonly meaning: string };

/** One option of the conf. */
export interface Option<T> {
  /** The part of the conf: above the first section, in a target's section, or both; then the section's value wins. */
  readonly place: "global" | "target" | "both";
  /** Undefined when the option is mandatory. */
  readonly default: OptionDefault | undefined;
  readonly read: ReadValue<T>;
  /** Quotation marks surround entries of the value, and its reader removes them. */
  readonly quotesEntries?: true;
  /** No message may repeat the value. */
  readonly isSecret?: true;
}

/** Every option of the conf, in the order of the documentation. */
export const OPTIONS = {
  storage: row({
    place: "global",
    default: { value: "/usr/shares/iscsi" },
    read: readFolder,
  }),
  node: row({
    place: "global",
    default: { value: "iqn.2002-08.info.netmanager" },
    read: readNode,
  }),
  sessions: row({
    place: "global",
    default: { value: "32" },
    read: integerWithin(1, 65_535),
  }),
  connections: row({
    place: "global",
    default: { value: "8" },
    read: integerWithin(1, 65_535),
  }),
  port: row({
    place: "both",
    default: { value: "3260" },
    read: integerWithin(1, 65_535),
  }),
  ping: row({
    place: "global",
    default: { value: "30" },
    read: integerWithin(0, 65_535),
  }),
  pingtimeout: row({
    place: "global",
    default: { value: "30" },
    read: integerWithin(1, 65_535),
  }),
  metrics: row({
    place: "global",
    default: { meaning: "no metrics" },
    read: readEndpoint,
  }),
  chap_minimum: row({
    place: "global",
    default: { value: "md5" },
    read: readAlgorithm,
  }),
  size: row({
    place: "target",
    default: undefined,
    read: readSizes,
  }),
  file: row({
    place: "target",
    default: { meaning: "the target's name" },
    read: readFile,
  }),
  comment: row({
    place: "target",
    default: { meaning: "the target's name" },
    read: readText,
  }),
  alias: row({
    place: "target",
    default: { meaning: "no second name" },
    read: readName,
  }),
  readonly: row({
    place: "target",
    default: { value: "n" },
    read: readBoolean,
  }),
  blocksize: row({
    place: "target",
    default: { value: "512" },
    read: oneOf([512, 4096]),
  }),
  physicalblocksize: row({
    place: "target",
    default: { meaning: "4096" },
    read: readBlockSize,
  }),
  removable: row({
    place: "target",
    default: { value: "n" },
    read: readBoolean,
  }),
  writecache: row({
    place: "target",
    default: { value: "y" },
    read: readBoolean,
  }),
  vendor: row({
    place: "target",
    default: { meaning: "the program's own" },
    read: printableUpTo(8),
  }),
  product: row({
    place: "target",
    default: { meaning: "the program's own" },
    read: printableUpTo(16),
  }),
  revision: row({
    place: "target",
    default: { meaning: "the program's own" },
    read: printableUpTo(4),
  }),
  serial: row({
    place: "target",
    default: { meaning: 'the one that "iscsi build" recorded' },
    read: printableUpTo(SERIAL_NUMBER_LENGTH_MAX),
  }),
  naa: row({
    place: "target",
    default: { meaning: 'those that "iscsi build" recorded' },
    read: readNaas,
  }),
  redirect: row({
    place: "target",
    default: { meaning: "no redirection" },
    read: readRedirection,
  }),
  networks: row({
    place: "both",
    default: { meaning: "every network" },
    read: readNetworks,
  }),
  initiators: row({
    place: "both",
    default: { meaning: "every initiator" },
    read: readInitiators,
    quotesEntries: true,
  }),
  user: row({
    place: "both",
    default: { meaning: "no CHAP" },
    read: readChapName,
  }),
  secret: row({
    place: "both",
    default: { meaning: "no CHAP" },
    read: readSecret,
    isSecret: true,
  }),
  secrets: row({
    place: "both",
    default: { meaning: "no further names" },
    read: readAbsoluteFile,
  }),
  mutual_user: row({
    place: "both",
    default: { meaning: "no mutual CHAP" },
    read: readChapName,
  }),
  mutual_secret: row({
    place: "both",
    default: { meaning: "no mutual CHAP" },
    read: readSecret,
    isSecret: true,
  }),
} as const;

/** The name of an option. */
export type OptionName = keyof typeof OPTIONS;

/** The type of an option's value. */
export type OptionValue<Name extends OptionName> = NonNullable<ReturnType<typeof OPTIONS[Name]["read"]>>;

/** The names of all options, in the order of the table. */
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

/** Reports whether `name` is the name of an option. */
export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}

/** Returns a row of the table, with the type of its values inferred from its reader. */
function row<T>(option: Option<T>): Option<T> {
  return option;
}
