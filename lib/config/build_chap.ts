/** Builds the CHAP configuration of the server and of each target from their options. */
import { type Account, CHAP_ALGORITHMS, type ChapConfig, type Credentials } from "./chap.ts";
import { type Diagnostics, quote } from "./diagnostics.ts";
import type { GivenOptions } from "./read_options.ts";
import { isSameSecret } from "./secret.ts";
import { parseSecretsFile } from "./secrets_file.ts";

/** The text of a file and its permission bits; or the reason why it cannot be read, as the end of a sentence. */
export type FileReading = { readonly text: string; readonly mode: number } | { readonly problem: string };

/** Reads a file that the conf names. */
export type ReadFile = (path: string) => FileReading;

/** The user name that switches CHAP off. */
const NO_USER = "none";
/** The permission bits of everyone but the owner. */
const OTHERS_BITS = 0o077;
/** The permission bit by which every user may write. */
const EVERYONE_WRITES = 0o002;

const [WEAKEST] = CHAP_ALGORITHMS;

const ONE_WAY = ["user", "secret", "secrets"] as const;

/** The CHAP options of one part of the conf, without those that it inherits. */
interface ChapPart {
  /** Undefined when the part has no options for initiators; empty when it switches CHAP off. */
  readonly accounts: readonly Account[] | undefined;
  /** Undefined when the part has no options for mutual CHAP; "none" when it switches mutual CHAP off. */
  readonly mutual: Credentials | typeof NO_USER | undefined;
  /** The part requires CHAP of initiators. True also when the values of its options are wrong. */
  readonly requiresChap: boolean;
  /** The line that sets mutual CHAP; undefined without one. */
  readonly mutualLine: number | undefined;
}

/** Builds the CHAP configuration, and reports options that contradict each other. */
export class ChapBuilder {
  readonly #diagnostics: Diagnostics;
  readonly #readFile: ReadFile;
  readonly #files = new Map<string, readonly Account[]>();
  readonly #given: GivenOptions;
  readonly #globals: ChapPart;
  readonly #all: ChapPart[] = [];

  constructor(globals: GivenOptions, diagnostics: Diagnostics, readFile: ReadFile) {
    this.#diagnostics = diagnostics;
    this.#readFile = readFile;
    this.#given = globals;
    this.#globals = this.#readPart(globals);
  }

  /** The CHAP configuration of discovery; undefined without CHAP. */
  get globals(): ChapConfig | undefined {
    return configOf(this.#globals);
  }

  /** The files of secrets that the conf names, each once. */
  get secretsFiles(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Builds the CHAP configuration of a target from its own or the global options; undefined without CHAP. */
  buildTarget(given: GivenOptions): ChapConfig | undefined {
    const own = this.#readPart(given);
    const effective = own.accounts === undefined ? this.#globals : own;
    if (own.mutualLine !== undefined && !effective.requiresChap) this.#reportUselessMutual(own.mutualLine);
    return configOf({ ...effective, mutual: own.mutual ?? this.#globals.mutual });
  }

  /** Reports the problems that only the whole conf shows. Called after every target has been built. */
  reportWhole(): void {
    const { mutualLine } = this.#globals;
    if (mutualLine !== undefined && !this.#all.some(({ requiresChap }) => requiresChap)) {
      this.#reportUselessMutual(mutualLine);
    }
    this.#reportMinimum();
    const accounts = this.#all.flatMap((part) => part.accounts ?? []);
    for (const { mutual, mutualLine } of this.#all) {
      // RFC 7143, 9.2.1: otherwise an initiator could impersonate the target, and the target the initiator.
      if (mutual === undefined || mutual === NO_USER) continue;
      if (!accounts.some(({ secret }) => isSameSecret(secret, mutual.secret))) continue;
      const problem = "an initiator has the same secret; choose another for one of them";
      this.#diagnostics.error(mutualLine!, `Cannot use mutual_secret: ${problem}`);
    }
  }

  /**
   * Warns when `chap_minimum` prevents discovery, or has no effect. By default open-iscsi offers only MD5. It has no
   * option for discovery: its option for sessions applies to both.
   */
  #reportMinimum(): void {
    const { values: { chap_minimum: minimum = WEAKEST }, lines } = this.#given;
    if (minimum === WEAKEST) return;
    const line = lines.get("chap_minimum")!;
    if (!this.#all.some(({ requiresChap }) => requiresChap)) {
      const remedy = 'add "user" and "secret", or "secrets", or remove the line';
      this.#diagnostics.warning(line, `Option chap_minimum has no effect without CHAP: ${remedy}`);
    } else if (this.#globals.requiresChap) {
      this.#diagnostics.warning(
        line,
        `Discovery requires ${minimum} or stronger, but open-iscsi (Linux) offers only md5 by default: set ` +
          '"node.session.auth.chap_algs" in its iscsid.conf, or set secrets only in the sections',
      );
    }
  }

  #reportUselessMutual(line: number): void {
    const remedy = 'add "user" and "secret", or "secrets", or remove the line';
    this.#diagnostics.error(
      line,
      `Cannot use mutual CHAP without CHAP for initiators: ${remedy}`,
    );
  }

  #readPart(given: GivenOptions): ChapPart {
    const { values, lines } = given;
    const isAbsent = ONE_WAY.every((name) => !lines.has(name));
    const isOff = values.user === NO_USER;
    if (isOff) this.#reportUnusedSecrets(given, "user", ["secret", "secrets"]);
    const isMutualOff = values.mutual_user === NO_USER;
    if (isMutualOff) this.#reportUnusedSecrets(given, "mutual_user", ["mutual_secret"]);
    const part: ChapPart = {
      accounts: isAbsent ? undefined : isOff ? [] : this.#readAccounts(given),
      mutual: isMutualOff ? NO_USER : this.#readPair(given, "mutual_user", "mutual_secret"),
      requiresChap: !isAbsent && !isOff,
      mutualLine: isMutualOff ? undefined : lines.get("mutual_secret") ?? lines.get("mutual_user"),
    };
    this.#all.push(part);
    return part;
  }

  /** Reports the secrets beside a user name that switches CHAP off. */
  #reportUnusedSecrets(
    { lines }: GivenOptions,
    user: "user" | "mutual_user",
    secrets: readonly ("secret" | "secrets" | "mutual_secret")[],
  ): void {
    for (const name of secrets) {
      const line = lines.get(name);
      if (line === undefined) continue;
      const problem = `${user} "${NO_USER}" (line ${lines.get(user)}) needs none; remove one of the lines`;
      this.#diagnostics.error(line, `Cannot use ${name}: ${problem}`);
    }
  }

  #readAccounts(given: GivenOptions): readonly Account[] {
    const { values: { secrets }, lines } = given;
    const own = this.#readPair(given, "user", "secret");
    const listed = secrets === undefined ? [] : this.#readFileOnce(secrets, lines.get("secrets")!);
    if (own !== undefined && listed.some(({ name }) => name === own.name)) {
      const problem = `"secrets" (line ${lines.get("secrets")}) has that name too; remove one of them`;
      this.#diagnostics.error(lines.get("user")!, `Cannot use user ${quote(own.name)}: ${problem}`);
    }
    const all = own === undefined ? listed : [{ ...own, initiators: [] }, ...listed];
    const distinct = new Set(all.map(({ secret }) => new Uint8Array(secret.bytes).toHex()));
    if (distinct.size < all.length) {
      const line = lines.get("secrets")!;
      this.#diagnostics.warning(
        line,
        "Several names have the same secret, so each can impersonate the others: give each its own",
      );
    }
    return all;
  }

  /** Reads a name and its secret; reports the one that lacks the other. */
  #readPair(
    { values, lines }: GivenOptions,
    user: "user" | "mutual_user",
    secret: "secret" | "mutual_secret",
  ): Credentials | undefined {
    for (const [present, absent] of [[user, secret], [secret, user]] as const) {
      const line = lines.get(present);
      if (line === undefined || lines.has(absent)) continue;
      this.#diagnostics.error(line, `Option "${present}" also needs "${absent}"`);
    }
    const [name, value] = [values[user], values[secret]];
    return name === undefined || value === undefined ? undefined : { name, secret: value };
  }

  #readFileOnce(path: string, line: number): readonly Account[] {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const accounts = this.#readSecrets(path, line);
    this.#files.set(path, accounts);
    return accounts;
  }

  #readSecrets(path: string, line: number): readonly Account[] {
    const file = this.#readFile(path);
    const problem = "problem" in file
      ? file.problem
      : (file.mode & OTHERS_BITS) !== 0
      ? `its mode is ${formatMode(file.mode)}, so others can read or change it; run "chmod 600 ${path}"`
      : undefined;
    if ("text" in file && problem === undefined) {
      return parseSecretsFile(file.text, this.#diagnostics.of(path));
    }
    this.#diagnostics.error(line, `Cannot use secrets file ${JSON.stringify(path)}: ${problem}`);
    return [];
  }
}

/** Warns when other users can read a conf that contains a secret, or change any conf. */
export function reportExposure(
  parts: readonly GivenOptions[],
  mode: number | undefined,
  diagnostics: Diagnostics,
): void {
  if (mode === undefined || (mode & OTHERS_BITS) === 0) return;
  const lines = parts.flatMap(({ lines }) => [lines.get("secret"), lines.get("mutual_secret")]);
  const line = lines.find((line) => line !== undefined);
  const isOpen = `The mode of this file is ${formatMode(mode)}`;
  if (line !== undefined) {
    diagnostics.warning(line, `${isOpen}, so others can read its secrets: run "chmod 600" on it`);
  } else if ((mode & EVERYONE_WRITES) !== 0) {
    diagnostics.warning(1, `${isOpen}, so every user can have any file served: run "chmod o-w" on it`);
  }
}

function configOf(
  { accounts = [], mutual }: Pick<ChapPart, "accounts" | "mutual">,
): ChapConfig | undefined {
  if (accounts.length === 0) return undefined;
  return {
    accounts: new Map(accounts.map((account) => [account.name, account])),
    mutual: mutual === NO_USER ? undefined : mutual,
  };
}

function formatMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
