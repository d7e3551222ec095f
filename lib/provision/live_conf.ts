/**
 * The conf that was made live last in a storage folder, by a server or a build, with its host and time. Where two hosts
 * serve the folder in turn, each with a conf of its own, a difference of the two is reported.
 *
 * The file has every option as a text, but no secret and no CHAP name. Of those it has one hash, which is salted and
 * slow to compute, so a difference is found, and its place is not.
 */
import { scrypt, timingSafeEqual } from "node:crypto";
import { isRecord } from "../base/is_record.ts";
import type { Config } from "../config/config.ts";
import {
  type ConfigSummary,
  type OptionTexts,
  secretsText,
  summarizeConfig,
  type SummaryDifference,
  summaryDifferences,
} from "../config/config_summary.ts";
import { replaceFile } from "../store/stable_storage.ts";
import { formatState, parseState } from "../store/state_text.ts";
import { hostName } from "./host_name.ts";
import { liveConfFileOf } from "./state_folder.ts";

const VERSION = 2;

/** The parameters of scrypt: 16 MB of memory, and a tenth of a second or two, off the event loop. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 1 } as const;
const HASH_BYTES = 32;
const SALT_BYTES = 16;

/** A hash of secrets, in hex digits. */
interface SecretsHash {
  readonly salt: string;
  readonly hash: string;
}

/** The content of the file. */
interface LiveConf extends ConfigSummary {
  readonly host: string;
  /** The time in ISO 8601. */
  readonly time: string;
  /** Null for a conf without CHAP. */
  readonly secrets: SecretsHash | null;
}

/** The difference between a conf and the one that another host has made live. */
export interface ConfDrift {
  readonly host: string;
  readonly time: string;
  /** At least one. */
  readonly differences: readonly SummaryDifference[];
}

/** Options of the functions of this file. */
export interface LiveConfOptions {
  /** The name of this host; the system's by default. */
  readonly host?: string | undefined;
}

/** Finds the difference between a conf and the one that another host has made live; undefined when there is none. */
export async function findConfDrift(
  config: Config,
  { host = hostName() }: LiveConfOptions = {},
): Promise<ConfDrift | undefined> {
  const live = readLiveConf(config.storage);
  if (live === undefined || host === undefined || live.host === host) return undefined;
  const differences = [
    ...summaryDifferences(summarizeConfig(config), live),
    ...(await haveSameSecrets(config, live)
      ? []
      : [{ target: undefined, text: "CHAP names or secrets differ" }]),
  ];
  return differences.length === 0 ? undefined : { host: live.host, time: live.time, differences };
}

/** Describes a drift, up to its list of differences. */
export function describeDrift({ host, time }: ConfDrift): string {
  return `This conf is not the one that host "${host}" made live at ${time}; make them the same on all hosts`;
}

/** Describes a difference, with its target. */
export function describeDriftIn({ target, text }: SummaryDifference): string {
  return target === undefined ? text : `[${target}]: ${text}`;
}

/**
 * Records a conf as the live one, unless it is recorded already.
 *
 * @throws {Error} (rejects) when the file cannot be written; the conf that was recorded before is kept
 */
export async function recordLiveConf(
  config: Config,
  { host = hostName(), now = currentTime }: LiveConfOptions & { readonly now?: () => string } = {},
): Promise<void> {
  if (host === undefined) return;
  const summary = summarizeConfig(config);
  const live = readLiveConf(config.storage);
  const isRecorded = live?.host === host && summaryDifferences(summary, live).length === 0 &&
    await haveSameSecrets(config, live);
  if (isRecorded) return;
  const body = { host, time: now(), ...summary, secrets: await hashSecrets(config) };
  await replaceFile(liveConfFileOf(config.storage), formatState({ version: VERSION, body }));
}

/** Reads the file; undefined when there is none, or none that this version understands: nothing is compared then. */
function readLiveConf(storage: string): LiveConf | undefined {
  try {
    const path = liveConfFileOf(storage);
    // Reading a named pipe would block.
    if (!Deno.lstatSync(path).isFile) return undefined;
    return parseLiveConf(parseState(Deno.readTextFileSync(path), VERSION).body);
  } catch {
    return undefined;
  }
}

function parseLiveConf(body: Readonly<Record<string, unknown>>): LiveConf | undefined {
  const { host, time, server, targets, secrets } = body;
  if (typeof host !== "string" || typeof time !== "string") return undefined;
  if (!isTexts(server) || !isRecord(targets) || !Object.values(targets).every(isTexts)) return undefined;
  if (secrets !== null && !isSecretsHash(secrets)) return undefined;
  return { host, time, server, targets: targets as LiveConf["targets"], secrets };
}

function isTexts(value: unknown): value is OptionTexts {
  return isRecord(value) && Object.values(value).every((text) => typeof text === "string");
}

function isSecretsHash(value: unknown): value is SecretsHash {
  if (!isRecord(value)) return false;
  const { salt, hash } = value;
  return [salt, hash].every((text) => typeof text === "string" && /^([0-9a-f]{2})+$/.test(text));
}

async function haveSameSecrets(config: Config, { secrets }: LiveConf): Promise<boolean> {
  const text = secretsText(config);
  if (secrets === null || text === "") return secrets === null && text === "";
  const hash = Uint8Array.fromHex(secrets.hash);
  const own = await hashOf(text, Uint8Array.fromHex(secrets.salt));
  return hash.length === own.length && timingSafeEqual(hash, own);
}

async function hashSecrets(config: Config): Promise<SecretsHash | null> {
  const text = secretsText(config);
  if (text === "") return null;
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  return { salt: salt.toHex(), hash: (await hashOf(text, salt)).toHex() };
}

function hashOf(text: string, salt: Uint8Array): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  scrypt(text, salt, HASH_BYTES, SCRYPT, (error, hash) => error ? reject(error) : resolve(hash));
  return promise;
}

function currentTime(): string {
  return new Date().toISOString();
}
