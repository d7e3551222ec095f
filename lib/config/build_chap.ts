/** From the options of CHAP to what is asked of initiators, for the whole server and for each target. */
import { type Account, CHAP_ALGORITHMS, type ChapConfig, type Credentials } from "./chap.ts";
import { type Diagnostics, quote } from "./diagnostics.ts";
import type { GivenOptions } from "./read_options.ts";
import { isSameSecret } from "./secret.ts";
import { parseSecretsFile } from "./secrets_file.ts";

/** What a file holds and its permission bits, or what keeps it from being read, as the end of a sentence. */
export type FileReading = { readonly text: string; readonly mode: number } | { readonly problem: string };

/** Reads a file that the conf names. */
export type ReadFile = (path: string) => FileReading;

/** The name that stands for no CHAP. */
const NOBODY = "none";
/** Permission bits that let others than the owner read or change a file. */
const OTHERS = 0o077;

const [WEAKEST] = CHAP_ALGORITHMS;

const ONE_WAY = ["user", "secret", "secrets"] as const;

/** What one part of the conf says of CHAP, its own options only. */
interface ChapPart {
  /** Undefined when it says nothing of initiators; empty when none has to prove anything. */
  readonly accounts: readonly Account[] | undefined;
  /** Undefined when it says nothing of the target's own proof; "none" when the target gives none. */
  readonly mutual: Credentials | typeof NOBODY | undefined;
  /** Whether it asks initiators for anything, be its values good or not. */
  readonly isAsking: boolean;
  /** The line that asks for mutual CHAP, if one does. */
  readonly mutualLine: number | undefined;
}

/** Makes what the conf says of CHAP, and reports what does not go together. */
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

  /** What the whole server asks for; undefined for nothing. */
  get globals(): ChapConfig | undefined {
    return configOf(this.#globals);
  }

  /** The files of secrets that the conf names, each once. */
  get secretsFiles(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** What a target asks for: as its own options say, else as the global ones do; undefined for nothing. */
  buildTarget(given: GivenOptions): ChapConfig | undefined {
    const own = this.#readPart(given);
    const asking = own.accounts === undefined ? this.#globals : own;
    if (own.mutualLine !== undefined && !asking.isAsking) this.#reportUselessMutual(own.mutualLine);
    return configOf({ ...asking, mutual: own.mutual ?? this.#globals.mutual });
  }

  /** Reports what only the whole of the conf shows; to be called when every target has been built. */
  reportWhole(): void {
    const { mutualLine } = this.#globals;
    if (mutualLine !== undefined && !this.#all.some(({ isAsking }) => isAsking)) {
      this.#reportUselessMutual(mutualLine);
    }
    this.#reportMinimum();
    const accounts = this.#all.flatMap((part) => part.accounts ?? []);
    for (const { mutual, mutualLine } of this.#all) {
      // RFC 7143, 9.2.1: who knows the one could else pass for the other.
      if (mutual === undefined || mutual === NOBODY) continue;
      if (!accounts.some(({ secret }) => isSameSecret(secret, mutual.secret))) continue;
      const problem = "an initiator has the same secret; choose another for one of them";
      this.#diagnostics.error(mutualLine!, `Cannot use mutual_secret: ${problem}`);
    }
  }

  /**
   * Warns when `chap_minimum` keeps initiators from discovery, or does nothing. open-iscsi offers MD5 alone unless it
   * is configured otherwise, and has no option for discovery: the one for sessions holds for both.
   */
  #reportMinimum(): void {
    const { values: { chap_minimum: minimum = WEAKEST }, lines } = this.#given;
    if (minimum === WEAKEST) return;
    const line = lines.get("chap_minimum")!;
    if (!this.#all.some(({ isAsking }) => isAsking)) {
      const remedy = 'add "user" and "secret", or "secrets", or remove the line';
      this.#diagnostics.warning(line, `Option chap_minimum does nothing where nobody is asked: ${remedy}`);
    } else if (this.#globals.isAsking) {
      this.#diagnostics.warning(
        line,
        `Discovery asks for ${minimum} or stronger, and open-iscsi (Linux) offers only md5 by default: set ` +
          '"node.session.auth.chap_algs" in its iscsid.conf, or ask for secrets in the sections only',
      );
    }
  }

  #reportUselessMutual(line: number): void {
    const remedy = 'add "user" and "secret", or "secrets", or remove the line';
    this.#diagnostics.error(
      line,
      `Cannot use mutual CHAP where no initiator is asked for a secret: ${remedy}`,
    );
  }

  #readPart(given: GivenOptions): ChapPart {
    const { values, lines } = given;
    const isSilent = ONE_WAY.every((name) => !lines.has(name));
    const isNobody = values.user === NOBODY;
    if (isNobody) this.#reportSecretsOfNobody(given, "user", ["secret", "secrets"]);
    const isMutualOff = values.mutual_user === NOBODY;
    if (isMutualOff) this.#reportSecretsOfNobody(given, "mutual_user", ["mutual_secret"]);
    const part: ChapPart = {
      accounts: isSilent ? undefined : isNobody ? [] : this.#readAccounts(given),
      mutual: isMutualOff ? NOBODY : this.#readPair(given, "mutual_user", "mutual_secret"),
      isAsking: !isSilent && !isNobody,
      mutualLine: isMutualOff ? undefined : lines.get("mutual_secret") ?? lines.get("mutual_user"),
    };
    this.#all.push(part);
    return part;
  }

  /** Reports the secrets that stand beside a name which stands for no CHAP. */
  #reportSecretsOfNobody(
    { lines }: GivenOptions,
    user: "user" | "mutual_user",
    secrets: readonly ("secret" | "secrets" | "mutual_secret")[],
  ): void {
    for (const name of secrets) {
      const line = lines.get(name);
      if (line === undefined) continue;
      const problem = `${user} "${NOBODY}" (line ${lines.get(user)}) needs none; remove one of the lines`;
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
      this.#diagnostics.warning(line, "Several names have one secret, so each can pass for the other");
    }
    return all;
  }

  /** A name and its secret, of which neither goes without the other. */
  #readPair(
    { values, lines }: GivenOptions,
    user: "user" | "mutual_user",
    secret: "secret" | "mutual_secret",
  ): Credentials | undefined {
    for (const [present, absent] of [[user, secret], [secret, user]] as const) {
      const line = lines.get(present);
      if (line === undefined || lines.has(absent)) continue;
      this.#diagnostics.error(
        line,
        `Missing ${absent}: ${present} means nothing without it; add a line with it`,
      );
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
      : (file.mode & OTHERS) !== 0
      ? `its mode is ${formatMode(file.mode)}, which lets others read or change it; run "chmod 600 ${path}"`
      : undefined;
    if ("text" in file && problem === undefined) {
      return parseSecretsFile(file.text, this.#diagnostics.of(path));
    }
    this.#diagnostics.error(line, `Cannot use secrets file ${JSON.stringify(path)}: ${problem}`);
    return [];
  }
}

/** Warns when others can read a conf that has a secret in it. */
export function reportExposure(
  parts: readonly GivenOptions[],
  mode: number | undefined,
  diagnostics: Diagnostics,
): void {
  if (mode === undefined || (mode & OTHERS) === 0) return;
  const lines = parts.flatMap(({ lines }) => [lines.get("secret"), lines.get("mutual_secret")]);
  const line = lines.find((line) => line !== undefined);
  if (line === undefined) return;
  const remedy = 'run "chmod 600" on it';
  diagnostics.warning(
    line,
    `The mode of this file is ${formatMode(mode)}, which shows others its secrets: ${remedy}`,
  );
}

function configOf(
  { accounts = [], mutual }: Pick<ChapPart, "accounts" | "mutual">,
): ChapConfig | undefined {
  if (accounts.length === 0) return undefined;
  return {
    accounts: new Map(accounts.map((account) => [account.name, account])),
    mutual: mutual === NOBODY ? undefined : mutual,
  };
}

function formatMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
